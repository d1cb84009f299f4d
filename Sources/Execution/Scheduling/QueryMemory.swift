package import Ambient
import Synchronization

// The memory of one query, taken from the process's budget in pieces and shared by its operators.
//
// Every operator that keeps rows has a small share that it always gets. What lies above the shares goes to
// whoever asks first, but while operators are still to come nobody takes more than half of what is free.
// An operator that is refused writes to disk and goes on; nobody ever waits while it holds memory, so
// queries cannot block each other.
//
// Invariants:
// 1. The reservation covers the larger of share and use of every operator, plus a third for what is not
//    counted (pages being read, batches on their way, what malloc keeps).
// 2. What is in use never exceeds the limit by more than the shares.

/// The memory that one query may use.
package final class QueryMemory: Sendable {
    private struct State: ~Copyable {
        var reservation: MemoryReservation
        /// Of all operators the larger of share and use, of those to come the share.
        var claimed: Int
        var comingCount: Int
    }

    /// Where operators write what they may not keep.
    package let spills: SpillArea
    private let state: Mutex<State>
    private let budget: MemoryBudget
    /// What operators may use together.
    let usableBytes: Int
    /// What an operator gets in any case.
    let shareBytes: Int
    private let stepBytes: Int

    /// - Parameter operatorCount: how many operators will keep rows.
    /// - Throws: when the budget has no room for their shares.
    package init(
        _ budget: MemoryBudget,
        operatorCount: Int = 1,
        spills: SpillArea = .system
    ) throws(AmbientError) {
        self.budget = budget
        self.spills = spills
        usableBytes = budget.limitBytes / 4 * 3
        let count = max(1, operatorCount)
        shareBytes = min(4 << 20, usableBytes / (2 * count))
        stepBytes = min(16 << 20, budget.limitBytes / 32)
        let claimed = shareBytes * count
        state = Mutex(
            State(
                reservation: try budget.reserve(claimed / 3 * 4),
                claimed: claimed,
                comingCount: count
            )
        )
    }

    /// Bytes that an operator may collect before it writes them to disk.
    var stagingBytes: Int { max(16 << 10, min(1 << 20, usableBytes / 256)) }

    /// The memory of the next operator.
    func makeOperator() -> OperatorMemory {
        state.withLock { state in
            if state.comingCount > 0 {
                state.comingCount -= 1
            } else {
                // More than were foreseen: the share is claimed now.
                state.claimed += shareBytes
            }
        }
        return OperatorMemory(self)
    }

    /// Whether an operator may use `wanted` bytes where it now uses `used`.
    fileprivate func change(from used: Int, to wanted: Int) -> Bool {
        let (old, new) = (max(shareBytes, used), max(shareBytes, wanted))
        return state.withLock { state in
            if new > old {
                let free = usableBytes - state.claimed
                let room = state.comingCount > 0 ? (free + old - shareBytes) / 2 : free + old
                let most = state.comingCount > 0 ? shareBytes + room : room
                guard new <= most else { return false }
                let needed = (state.claimed + new - old) / 3 * 4
                if needed > state.reservation.byteCount {
                    let wanted = min(needed + stepBytes, budget.limitBytes)
                    do throws(AmbientError) {
                        try state.reservation.resize(to: max(wanted, needed))
                    } catch {
                        return false
                    }
                }
            }
            state.claimed += new - old
            return true
        }
    }

    /// What an operator that uses `used` bytes could have in all, about.
    fileprivate func available(to used: Int) -> Int {
        state.withLock { state in
            let own = max(shareBytes, used)
            let free = usableBytes - state.claimed
            let most =
                state.comingCount > 0 ? shareBytes + (free + own - shareBytes) / 2 : free + own
            return max(most, shareBytes)
        }
    }

    /// Counts bytes that are kept until the query ends and cannot go to disk.
    func add(_ byteCount: Int) throws {
        let granted = state.withLock { state in
            let needed = (state.claimed + byteCount) / 3 * 4
            guard state.claimed + byteCount <= usableBytes else { return false }
            if needed > state.reservation.byteCount {
                do throws(AmbientError) {
                    try state.reservation.resize(to: needed)
                } catch {
                    return false
                }
            }
            state.claimed += byteCount
            return true
        }
        guard granted else { throw refusal }
    }

    fileprivate func end(_ used: Int) {
        state.withLock { state in
            state.claimed -= max(shareBytes, used)
            let needed = max(0, state.claimed) / 3 * 4
            if state.reservation.byteCount > needed + 2 * stepBytes {
                // Giving back never fails.
                try? state.reservation.resize(to: needed + stepBytes)
            }
        }
    }

    fileprivate var refusal: ExecutionError {
        ExecutionError(
            .outOfMemory,
            "a part of the query that cannot be written to disk (one group's values, one window "
                + "partition) does not fit into the memory that it may use; "
                + "\(budget.limitBytes >> 20) MiB are set; raise --memory or read fewer rows"
        )
    }
}

/// The memory of one operator, shared by its workers; given back when nobody holds it.
final class OperatorMemory: Sendable {
    private let query: QueryMemory
    private let used = Mutex(0)

    fileprivate init(_ query: QueryMemory) {
        self.query = query
    }

    deinit {
        query.end(used.withLock { $0 })
    }

    var stagingBytes: Int { query.stagingBytes }

    func makeFile() throws -> SpillFile { try query.spills.makeFile() }

    /// Asks for more (or gives back, when negative).
    ///
    /// - Returns: false when it is refused; then nothing changed.
    func request(_ more: Int) -> Bool {
        used.withLock { used in
            let wanted = max(0, used + more)
            guard query.change(from: used, to: wanted) else { return false }
            used = wanted
            return true
        }
    }

    /// Asks for what cannot be done without.
    func require(_ more: Int) throws {
        guard request(more) else { throw query.refusal }
    }

    func release(_ less: Int) { _ = request(-less) }

    /// Bytes that could be asked for now, about.
    var availableBytes: Int {
        used.withLock { max(0, query.available(to: $0) - $0) }
    }

    var refusal: ExecutionError { query.refusal }
}

/// What one worker of an operator uses.
final class MemoryUse {
    let memory: OperatorMemory
    private(set) var byteCount = 0

    init(_ memory: OperatorMemory) {
        self.memory = memory
    }

    deinit {
        memory.release(byteCount)
    }

    /// - Returns: false when it is refused; then nothing changed.
    func set(_ wanted: Int) -> Bool {
        if wanted == byteCount { return true }
        guard memory.request(wanted - byteCount) else { return false }
        byteCount = wanted
        return true
    }

    func add(_ more: Int) -> Bool { set(byteCount + more) }

    func require(_ wanted: Int) throws {
        guard set(wanted) else { throw memory.refusal }
    }
}
