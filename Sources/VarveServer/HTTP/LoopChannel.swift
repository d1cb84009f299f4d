import HummingbirdCore
import Logging
import NIOCore
import Synchronization

// A request that is answered from memory takes some ten microseconds, and handing it from the thread that read
// it to the pool of Swift's tasks, and its answer back, takes longer than that. So the task of a connection
// runs on the connection's own event loop, and what may take long (Route.isQuick says what does not) goes to
// the pool from there: see RequestHandler.

/// HTTP/1 connections whose tasks run on the event loops that read them.
struct LoopChannel: ServerChildChannel {
    private let channel: HTTP1Channel
    private let executors = LoopExecutors()

    init(_ channel: HTTP1Channel) {
        self.channel = channel
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<HTTP1Channel.Value> {
        self.channel.setup(channel: channel, logger: logger)
    }

    func handle(value: HTTP1Channel.Value, logger: Logger) async {
        await withTaskExecutorPreference(executors[value.channel.eventLoop]) {
            await channel.handle(value: value, logger: logger)
        }
    }
}

/// One for each event loop.
///
/// They live as long as the server: tasks do not hold on to theirs.
private final class LoopExecutors: Sendable {
    private let known = Mutex<[ObjectIdentifier: LoopExecutor]>([:])

    subscript(loop: any EventLoop) -> LoopExecutor {
        known.withLock { known in
            if let executor = known[ObjectIdentifier(loop)] { return executor }
            let executor = LoopExecutor(loop)
            known[ObjectIdentifier(loop)] = executor
            return executor
        }
    }
}

/// Runs tasks on an event loop.
private final class LoopExecutor: TaskExecutor {
    private let loop: any EventLoop

    init(_ loop: any EventLoop) {
        self.loop = loop
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        loop.execute { [self] in job.runSynchronously(on: asUnownedTaskExecutor()) }
    }
}

/// Waits until an event loop has done what it was given so far.
func turn(of loop: any EventLoop) async {
    await withUnsafeContinuation { continuation in
        loop.execute { continuation.resume() }
    }
}

/// Runs something that may take long on the pool of Swift's tasks, whichever executor the caller runs on.
func onPool<Value>(
    _ body: () async throws -> Value
) async rethrows -> Value {
    try await withTaskExecutorPreference(globalConcurrentExecutor) { try await body() }
}
