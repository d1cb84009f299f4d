import Glibc
import Synchronization

// Query threads block, stores are asynchronous: a `FetchService` stands between. Threads hand in work
// and wait on a ticket; the work runs as child tasks of whoever owns the service, so that nothing
// outlives the query and cancelling the query cancels every read.
//
//   start ──> waiting ──> running ──> done          (the ticket holds the outcome)
//                 └───────────────────> refused     (the service was closed: CancellationError)
//
// Invariants:
// 1. Every ticket gets exactly one outcome, whatever happens to the service, so no thread waits forever.
// 2. After `withFetchService` has returned no work of it runs.

/// Runs asynchronous reads for threads that block.
package final class FetchService: Sendable {
    private struct State {
        var isClosed = false
        var nextID = 0
        /// What was handed in and has not begun.
        var waiting: [Int: Work] = [:]
    }

    /// One piece of work, whatever its result.
    private struct Work: Sendable {
        var run: @Sendable () async -> Void
        var refuse: @Sendable () -> Void
    }

    private let state = Mutex(State())
    private let queue: AsyncStream<Int>
    private let signal: AsyncStream<Int>.Continuation

    private init() {
        (queue, signal) = AsyncStream.makeStream()
    }

    /// Runs `body` with a service that lives as long as it.
    ///
    /// When `body` ends, or the task is cancelled, work under way is cancelled and awaited, and threads
    /// that wait get `CancellationError`.
    package static func withFetchService<R: Sendable>(
        _ body: @escaping @Sendable (FetchService) async throws -> R
    ) async throws -> R {
        let service = FetchService()
        return try await withTaskCancellationHandler {
            try await withThrowingTaskGroup(of: R?.self) { group in
                group.addTask {
                    await service.serve()
                    return nil
                }
                group.addTask {
                    defer { service.close() }
                    return try await body(service)
                }
                var result: R?
                do {
                    while let one = try await group.next() { result = one ?? result }
                } catch {
                    service.close()
                    throw error
                }
                guard let result else { throw CancellationError() }
                return result
            }
        } onCancel: {
            service.close()
        }
    }

    /// Begins work as a child of the service's owner; never blocks.
    package func start<Value: Sendable>(
        _ work: @escaping @Sendable () async throws -> Value
    ) -> FetchTicket<Value> {
        let ticket = FetchTicket<Value>()
        let id = state.withLock { state -> Int? in
            if state.isClosed { return nil }
            state.nextID += 1
            state.waiting[state.nextID] = Work(
                run: {
                    do {
                        ticket.finish(.success(try await work()))
                    } catch {
                        ticket.finish(.failure(error))
                    }
                },
                refuse: { ticket.finish(.failure(CancellationError())) }
            )
            return state.nextID
        }
        if let id {
            signal.yield(id)
        } else {
            ticket.finish(.failure(CancellationError()))
        }
        return ticket
    }

    /// Runs work and blocks the calling thread until it is done; never to be called from a task.
    package func wait<Value: Sendable>(
        for work: @escaping @Sendable () async throws -> Value
    ) throws -> Value {
        try start(work).wait()
    }

    /// Begins what is handed in, until the service is closed; then cancels what runs.
    private func serve() async {
        await withDiscardingTaskGroup { group in
            for await id in queue {
                guard let work = state.withLock({ $0.waiting.removeValue(forKey: id) }) else {
                    continue
                }
                group.addTask { await work.run() }
            }
            group.cancelAll()
        }
        // The loop also ends when the task is cancelled.
        close()
    }

    private func close() {
        let refused = state.withLock { state -> [Work] in
            state.isClosed = true
            defer { state.waiting = [:] }
            return Array(state.waiting.values)
        }
        signal.finish()
        for work in refused { work.refuse() }
    }
}

/// The outcome of work that a thread may wait for.
///
/// `@unchecked Sendable`: `outcome` is touched only under `lock`.
package final class FetchTicket<Value: Sendable>: @unchecked Sendable {
    private let lock: UnsafeMutablePointer<pthread_mutex_t>
    private let wakeup: UnsafeMutablePointer<pthread_cond_t>
    private var outcome: Result<Value, any Error>?

    init() {
        lock = .allocate(capacity: 1)
        wakeup = .allocate(capacity: 1)
        lock.initialize(to: pthread_mutex_t())
        wakeup.initialize(to: pthread_cond_t())
        pthread_mutex_init(lock, nil)
        pthread_cond_init(wakeup, nil)
    }

    deinit {
        pthread_cond_destroy(wakeup)
        pthread_mutex_destroy(lock)
        wakeup.deallocate()
        lock.deallocate()
    }

    func finish(_ outcome: Result<Value, any Error>) {
        pthread_mutex_lock(lock)
        if self.outcome == nil { self.outcome = outcome }
        pthread_cond_broadcast(wakeup)
        pthread_mutex_unlock(lock)
    }

    /// Blocks the calling thread until the work is done; never to be called from a task.
    ///
    /// - Throws: what the work threw; `CancellationError` when the service ended first.
    package func wait() throws -> Value {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        while true {
            if let outcome { return try outcome.get() }
            pthread_cond_wait(wakeup, lock)
        }
    }
}
