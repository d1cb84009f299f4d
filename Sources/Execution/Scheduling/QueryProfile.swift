import Glibc

/// What the operators of a watched plan did, counted while it runs.
///
/// At any moment a worker works for one operator, to which the time goes; a batch that is handed on makes
/// it the next operator's, until that returns. So times are each operator's own, and together they are
/// the time of all workers.
///
/// `@unchecked Sendable`: a worker touches only its own ledger, and all are read after the query.
package final class QueryProfile: @unchecked Sendable {
    /// What one operator did.
    package struct Operator: Sendable, Hashable {
        /// Rows handed on.
        package var rowCount = 0
        /// Of all workers together, waiting for storage included.
        package var nanoseconds: UInt64 = 0
    }

    private struct Ledger {
        var operators: [Operator]
        /// What the worker works for; nil while it rests, or waits for the reader of the result.
        var current: Int?
        var since: UInt64 = 0
    }

    /// One a worker; never resized, so that workers may write to different elements at once.
    private let ledgers: UnsafeMutableBufferPointer<Ledger>

    /// - Parameter operatorCount: how many operators the plan has; their numbers lie below.
    package init(operatorCount: Int, workerCount: Int) {
        ledgers = .allocate(capacity: max(1, workerCount))
        ledgers.initialize(
            repeating: Ledger(operators: Array(repeating: Operator(), count: operatorCount))
        )
    }

    deinit {
        ledgers.deinitialize()
        ledgers.deallocate()
    }

    private static var now: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }

    /// The operator for which a worker works.
    func current(_ worker: Int) -> Int? { ledgers[worker].current }

    /// From now on the worker's time goes to another operator.
    ///
    /// - Returns: the operator it went to before.
    @discardableResult
    func enter(_ number: Int?, _ worker: Int) -> Int? {
        let now = Self.now
        let before = ledgers[worker].current
        if let before {
            ledgers[worker].operators[before].nanoseconds &+= now &- ledgers[worker].since
        }
        ledgers[worker].current = number
        ledgers[worker].since = now
        return before
    }

    func add(rows count: Int, to number: Int, _ worker: Int) {
        ledgers[worker].operators[number].rowCount += count
    }

    /// What the operators did, by their numbers; to be asked after the query has ended.
    package var operators: [Operator] {
        var sum = ledgers[0].operators
        for ledger in ledgers.dropFirst() {
            for (index, other) in ledger.operators.enumerated() {
                sum[index].rowCount += other.rowCount
                sum[index].nanoseconds &+= other.nanoseconds
            }
        }
        return sum
    }
}

/// Stands between an operator and the one that takes its rows.
final class ProfileOperator: PushOperator {
    private let profile: QueryProfile
    private let number: Int
    /// nil for the reader of the result.
    private let consumer: Int?
    private let worker: Int
    private let next: PushOperator

    init(
        _ profile: QueryProfile,
        number: Int,
        consumer: Int?,
        worker: Int,
        next: PushOperator
    ) {
        self.profile = profile
        self.number = number
        self.consumer = consumer
        self.worker = worker
        self.next = next
    }

    override func push(_ chunk: Chunk) throws -> Bool {
        profile.add(rows: chunk.rowCount, to: number, worker)
        let before = profile.enter(consumer, worker)
        defer { profile.enter(before, worker) }
        return try next.push(chunk)
    }
}
