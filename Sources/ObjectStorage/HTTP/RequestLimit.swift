import Synchronization

/// Lets so many tasks through at once; the others wait in order of arrival.
final class RequestLimit: Sendable {
    private struct Waiter {
        var id: UInt64
        var continuation: UnsafeContinuation<Void, any Error>
    }

    private struct State {
        var freeCount: Int
        var waiters: [Waiter] = []
        /// Ids cancelled before they began to wait.
        var cancelled: Set<UInt64> = []
        var nextID: UInt64 = 0
    }

    private let state: Mutex<State>

    init(countMax: Int) {
        state = Mutex(State(freeCount: max(countMax, 1)))
    }

    /// Runs an operation when there is room for it.
    func run<Value>(_ operation: () async throws -> Value) async throws -> Value {
        try await enter()
        defer { leave() }
        return try await operation()
    }

    private func enter() async throws {
        try Task.checkCancellation()
        let id = state.withLock { state -> UInt64? in
            if state.freeCount > 0 {
                state.freeCount -= 1
                return nil
            }
            state.nextID += 1
            return state.nextID
        }
        guard let id else { return }
        try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { continuation in
                enum Answer { case go, wait, cancelled }
                let answer = state.withLock { state -> Answer in
                    if state.cancelled.remove(id) != nil { return .cancelled }
                    // Somebody may have left since.
                    if state.freeCount > 0 {
                        state.freeCount -= 1
                        return .go
                    }
                    state.waiters.append(Waiter(id: id, continuation: continuation))
                    return .wait
                }
                switch answer {
                case .go: continuation.resume()
                case .cancelled: continuation.resume(throwing: CancellationError())
                case .wait: break
                }
            }
        } onCancel: {
            let waiter = state.withLock { state -> Waiter? in
                guard let at = state.waiters.firstIndex(where: { $0.id == id }) else {
                    state.cancelled.insert(id)
                    return nil
                }
                return state.waiters.remove(at: at)
            }
            waiter?.continuation.resume(throwing: CancellationError())
        }
        // A cancellation that came while we were let through left its mark.
        _ = state.withLock { $0.cancelled.remove(id) }
    }

    private func leave() {
        let next = state.withLock { state -> Waiter? in
            if state.waiters.isEmpty {
                state.freeCount += 1
                return nil
            }
            return state.waiters.removeFirst()
        }
        next?.continuation.resume()
    }
}
