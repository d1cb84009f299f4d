package import Ambient
import Synchronization

/// The memory that one query holds: taken from the budget in pieces, given back at its end.
///
/// Operators that keep rows report them here. Until they spill to disk, a query that needs more than
/// the budget ends with an error that says so.
package final class QueryMemory: Sendable {
    private struct State: ~Copyable {
        var reservation: MemoryReservation
        var used = 0
    }

    private let state: Mutex<State>
    private let budget: MemoryBudget
    private static let step = 16 << 20

    package init(_ budget: MemoryBudget) throws {
        self.budget = budget
        state = Mutex(State(reservation: try budget.reserve(0)))
    }

    /// Counts bytes that an operator keeps until the query ends.
    func add(_ byteCount: Int) throws {
        try state.withLock { state in
            state.used += byteCount
            guard state.used > state.reservation.byteCount else { return }
            do throws(AmbientError) {
                try state.reservation.resize(to: state.used + Self.step)
            } catch {
                let needed = (state.used + (1 << 20) - 1) >> 20
                throw ExecutionError(
                    .outOfMemory,
                    "the query needs more than \(needed) MiB of memory, but only "
                        + "\(budget.limitBytes >> 20) MiB may be used; "
                        + "raise --memory or read fewer rows"
                )
            }
        }
    }
}
