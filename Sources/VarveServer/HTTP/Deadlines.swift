package import Ambient
import ServiceLifecycle
import Synchronization

/// Ends what takes longer than it may, up to a quarter of a second late.
///
/// One timer looks after all of them: a deadline that is not reached, as almost none is, costs little more than
/// the task that it can end. None is noticed before `run` is called, or after it has ended.
package final class Deadlines: Service {
    /// A task that is under way.
    ///
    /// `@unchecked Sendable`: the task is only cancelled, and only while it is among those under way, which it
    /// leaves before it ends.
    private struct Limited: @unchecked Sendable {
        var dueNanos: Int64
        var task: UnsafeCurrentTask
        var isLate = false
    }

    private struct State {
        var limited: [UInt64: Limited] = [:]
        var lastID: UInt64 = 0
    }

    private static let tickNanos: Int64 = 250_000_000
    private let time: any TimeSource
    private let state = Mutex(State())

    package init(_ time: any TimeSource) {
        self.time = time
    }

    /// Ends those whose time has come, until the server stops.
    package func run() async throws {
        try? await cancelWhenGracefulShutdown {
            while true {
                try await self.time.sleep(nanoseconds: Self.tickNanos)
                self.look()
            }
        }
    }

    private func look() {
        let now = time.monotonicNanos()
        // Under the lock, for the tasks are there as long as nobody takes them out.
        state.withLock { state in
            for (id, one) in state.limited where one.dueNanos <= now && !one.isLate {
                state.limited[id]?.isLate = true
                one.task.cancel()
            }
        }
    }

    /// How many are under way.
    package var count: Int { state.withLock { $0.limited.count } }

    /// Runs `body` in a task of its own, and cancels it when it takes longer than it may.
    ///
    /// What `body` manages to return or throw after it was cancelled counts: a commit that got through got
    /// through.
    ///
    /// - Parameter executor: where the task runs; nil for where the caller does.
    /// - Throws: `timedOut` when the time ended it; what `body` threw, a `CancellationError` among them, when
    ///   anything else did.
    package func limit<Value: Sendable>(
        seconds: Int,
        on executor: (any TaskExecutor)? = nil,
        _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        try await withThrowingTaskGroup(of: Value.self) { group in
            group.addTask(executorPreference: executor) {
                try await self.run(seconds: seconds, body)
            }
            guard let value = try await group.next() else { throw CancellationError() }
            return value
        }
    }

    /// Runs `body` in this task.
    private func run<Value>(
        seconds: Int,
        _ body: () async throws -> Value
    ) async throws -> Value {
        try await withUnsafeCurrentTask { task in
            guard let task else { return try await body() }
            let id = begin(task, seconds)
            do {
                let value = try await body()
                _ = end(id)
                return value
            } catch {
                let isLate = end(id)
                if isLate, isCancellation(error) {
                    throw ServerError(.timedOut, "the request took longer than \(seconds) seconds")
                }
                throw error
            }
        }
    }

    private func begin(_ task: UnsafeCurrentTask, _ seconds: Int) -> UInt64 {
        let (nanos, isTooLong) = Int64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        let (due, overflow) = time.monotonicNanos().addingReportingOverflow(nanos)
        let one = Limited(dueNanos: isTooLong || overflow ? Int64.max : due, task: task)
        return state.withLock { state in
            state.lastID &+= 1
            state.limited[state.lastID] = one
            return state.lastID
        }
    }

    /// - Returns: whether the time had come.
    private func end(_ id: UInt64) -> Bool {
        state.withLock { $0.limited.removeValue(forKey: id)?.isLate ?? false }
    }
}

/// Whether an error says only that somebody cancelled.
func isCancellation(_ error: any Error) -> Bool {
    ((error as? PlacedError)?.error ?? error) is CancellationError
}
