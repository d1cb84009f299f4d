import Columnar
import Kernels
import Planner

/// Evaluates window functions over sorted rows that come a batch at a time: whole partitions together, as
/// many as make a good batch.
final class WindowSegments {
    private let plan: PhysicalPlan.Window
    private let use: MemoryUse
    private let next: (Chunk) throws -> Bool
    private let inputCount: Int
    private var held: [Chunk] = []
    private var heldRowCount = 0
    /// Rows of those held that belong to partitions whose last row has come.
    private var completeRowCount = 0

    /// Rows that are evaluated together, about.
    private static let batchRowCount = 1 << 16

    init(
        _ plan: PhysicalPlan.Window,
        _ memory: OperatorMemory,
        _ next: @escaping (Chunk) throws -> Bool
    ) {
        self.plan = plan
        self.next = next
        use = MemoryUse(memory)
        inputCount = plan.input.types.count
    }

    /// Takes rows in order, with the columns of partition and order behind their own.
    ///
    /// - Returns: whether more is wanted.
    func add(_ chunk: Chunk) throws -> Bool {
        var start = 0
        while start < chunk.rowCount {
            let end = min(start + spilledBatchRowCount, chunk.rowCount)
            guard try addPart(chunk.slice(start..<end)) else { return false }
            start = end
        }
        return true
    }

    private func addPart(_ chunk: Chunk) throws -> Bool {
        let partition = Array(
            chunk.columns[inputCount..<inputCount + plan.partition.count]
        )
        if let boundary = lastBoundary(partition, chunk.rowCount) {
            completeRowCount = heldRowCount + boundary
        }
        // The block that the rows were read from is held whole: it is theirs.
        held.append(chunk)
        heldRowCount += chunk.rowCount
        let byteCount = chunk.columns.reduce(0) { $0 + Compact.byteCount($1) }
        let wanted = 2 * byteCount + plan.byteCount(rowCount: chunk.rowCount)
        if !use.add(wanted) {
            guard completeRowCount > 0 else { throw use.memory.refusal }
            guard try evaluateComplete() else { return false }
        } else if completeRowCount >= Self.batchRowCount {
            guard try evaluateComplete() else { return false }
        }
        return true
    }

    func finish() throws -> Bool {
        completeRowCount = heldRowCount
        return try evaluateComplete()
    }

    /// The last row of the batch that begins a partition; nil when all go on with the one before.
    private func lastBoundary(_ partition: [Column], _ rowCount: Int) -> Int? {
        if partition.isEmpty || rowCount == 0 { return nil }
        let boundaries = RowComparator.boundaries(partition, count: rowCount)
        for row in stride(from: rowCount - 1, to: 0, by: -1) where boundaries[row] { return row }
        guard let last = held.last else { return 0 }
        let before = Array(last.columns[inputCount..<inputCount + plan.partition.count])
        let isSame = RowEquality(before, partition, nullsEqual: true)
            .matches(last.rowCount - 1, 0)
        return isSame ? nil : 0
    }

    private func evaluateComplete() throws -> Bool {
        if completeRowCount == 0 { return true }
        let all = try concatenated(held, types: held[0].columns.map(\.type))
        let rest = all.slice(completeRowCount..<all.rowCount)
        let rows = Chunk(
            columns: all.columns.prefix(inputCount).map { $0.slice(0..<completeRowCount) },
            rowCount: completeRowCount
        )
        held = rest.rowCount == 0 ? [] : [rest.taking(Filter.everyRow(rest.rowCount))]
        heldRowCount = rest.rowCount
        completeRowCount = 0
        let evaluator = try WindowEvaluator(plan, rows: rows)
        var result = rows
        for call in plan.calls { result.columns.append(try evaluator.evaluate(call)) }
        guard try next(result) else { return false }
        let left = rest.columns.reduce(0) { $0 + Compact.byteCount($1) }
        try use.require(2 * left + plan.byteCount(rowCount: rest.rowCount))
        return true
    }
}

extension PhysicalPlan.Window {
    /// Bytes that evaluating it over so many rows takes, besides the rows.
    func byteCount(rowCount: Int) -> Int { rowCount * (48 + 40 * calls.count) }
}
