package import Ambient

/// Runs `body`, and cancels it when it takes longer than it may.
///
/// What `body` manages to return or throw after it was cancelled counts: a commit that got through got
/// through.
///
/// - Throws: `timedOut` when the time ended it; what `body` threw, a `CancellationError` among them, when
///   anything else did.
package func withDeadline<Value: Sendable>(
    seconds: Int,
    time: any TimeSource,
    _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    try await withThrowingTaskGroup(of: DeadlineEvent<Value>.self) { group in
        group.addTask {
            do { return .ended(.success(try await body())) } catch {
                return .ended(.failure(error))
            }
        }
        group.addTask {
            do {
                try await time.sleep(nanoseconds: Int64(seconds) * 1_000_000_000)
                return .timeIsUp
            } catch {
                // Somebody cancelled all of this: that is not the time's doing.
                return .woken
            }
        }
        var isLate = false
        while let event = try await group.next() {
            switch event {
            case .woken: break
            case .timeIsUp:
                isLate = true
                group.cancelAll()
            case .ended(let result):
                group.cancelAll()
                if isLate, case .failure(let error) = result, isCancellation(error) {
                    throw ServerError(.timedOut, "the request took longer than \(seconds) seconds")
                }
                return try result.get()
            }
        }
        throw CancellationError()
    }
}

/// Whether an error says only that somebody cancelled.
func isCancellation(_ error: any Error) -> Bool {
    ((error as? PlacedError)?.error ?? error) is CancellationError
}

private enum DeadlineEvent<Value: Sendable>: Sendable {
    case ended(Result<Value, any Error>)
    case timeIsUp
    case woken
}
