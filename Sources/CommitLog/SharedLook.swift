import Synchronization

// Looking at the log's end costs a request, and many readers want to look at once. A look that began
// before a reader came may miss what the reader must see, so:
//
//     reader comes, nobody looks      -> it leads a look
//     reader comes, a look is running -> it waits for the next look
//     a look ends                     -> everybody who waited when it began is served; of those who
//                                        came since, the first leads the next look, for all of them
//     the leader is cancelled         -> those it looked for go back to the front of the waiting
//
// Invariants: at most one look runs; nobody waits while none runs.

/// One look in flight serves everybody who was waiting when it began.
final class SharedLook: Sendable {
    private typealias Continuation = CheckedContinuation<Bool, any Error>

    private struct Waiter {
        var id: UInt64
        var continuation: Continuation
    }

    private struct State {
        var isRunning = false
        /// Those whom the running look serves, without its leader.
        var served: [Waiter] = []
        var waiting: [Waiter] = []
        var lastID: UInt64 = 0

        mutating func remove(_ id: UInt64) -> Waiter? {
            if let at = waiting.firstIndex(where: { $0.id == id }) { return waiting.remove(at: at) }
            if let at = served.firstIndex(where: { $0.id == id }) { return served.remove(at: at) }
            return nil
        }

        /// Ends the running look and names the next one's leader.
        mutating func end(isAbandoned: Bool) -> (served: [Waiter], leader: Waiter?) {
            var done: [Waiter] = []
            if isAbandoned { waiting = served + waiting } else { done = served }
            served = []
            guard !waiting.isEmpty else {
                isRunning = false
                return (done, nil)
            }
            let leader = waiting.removeFirst()
            served = waiting
            waiting = []
            return (done, leader)
        }
    }

    private let state = Mutex(State())

    /// Runs a look that begins after this call, or waits for one that somebody else runs.
    ///
    /// - Throws: what the look threw; `CancellationError` as soon as the task is cancelled.
    func run(_ look: () async throws -> Void) async throws {
        guard try await isLeader() else { return }
        do {
            try await look()
        } catch {
            end(with: .failure(error), isAbandoned: Task.isCancelled || error is CancellationError)
            throw error
        }
        end(with: .success(false), isAbandoned: false)
    }

    private func end(with result: Result<Bool, any Error>, isAbandoned: Bool) {
        let (served, leader) = state.withLock { $0.end(isAbandoned: isAbandoned) }
        for waiter in served { waiter.continuation.resume(with: result) }
        leader?.continuation.resume(returning: true)
    }

    private func isLeader() async throws -> Bool {
        try Task.checkCancellation()
        let id = state.withLock { state -> UInt64? in
            state.lastID += 1
            if state.isRunning { return state.lastID }
            state.isRunning = true
            return nil
        }
        guard let id else { return true }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: Continuation) in
                let leads = state.withLock { state -> Bool in
                    // The look may have ended since.
                    guard state.isRunning else {
                        state.isRunning = true
                        return true
                    }
                    state.waiting.append(Waiter(id: id, continuation: continuation))
                    return false
                }
                if leads { continuation.resume(returning: true) }
                if Task.isCancelled { cancel(id) }
            }
        } onCancel: {
            cancel(id)
        }
    }

    private func cancel(_ id: UInt64) {
        let waiter = state.withLock { $0.remove(id) }
        waiter?.continuation.resume(throwing: CancellationError())
    }
}
