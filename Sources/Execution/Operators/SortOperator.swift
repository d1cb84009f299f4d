import Columnar
import Kernels
import Planner

/// One worker's rows for a sort, each with its key columns behind its own.
///
/// With a limit only the best rows are kept: whenever several times as many have come, the rest is
/// thrown away. When memory is refused, what is there is sorted and written out as a run.
final class SortOperator: PushOperator {
    private var held = HeldRows()
    private var runs: SortedRuns
    private let keyNodes: [ExpressionNode]
    private let orders: [SortOrder]
    private let limit: Int?
    /// What all workers together still want, and what this one does.
    private let bound: TopBound?
    private let ownBound: TopBound?
    private let types: [DataType]
    private let use: MemoryUse
    private var file: SpillFile?
    private var isBounded = false

    init(
        _ keys: [SortKey],
        limit: Int?,
        bound: TopBound? = nil,
        types: [DataType],
        memory: OperatorMemory
    ) throws {
        self.bound = bound
        ownBound = bound == nil ? nil : keys.first.flatMap { TopBound($0) }
        let compiler = ExpressionCompiler()
        keyNodes = try keys.map { try compiler.compile($0.expression) }
        orders = keys.map(\.order)
        self.limit = limit
        self.types = types + keys.map(\.expression.type)
        use = MemoryUse(memory)
        runs = SortedRuns(orders: orders)
    }

    var hasSpilled: Bool { !runs.isEmpty }

    /// Rows in memory, and bytes that sorting and handing them on takes.
    var rowCount: Int { held.rowCount }
    var neededBytes: Int { use.byteCount }

    override func push(_ chunk: Chunk) throws -> Bool {
        var chunk = chunk
        var columns = chunk.columns
        var firstKey: Column?
        if let bound, let ownBound, let node = keyNodes.first, bound.isKnown {
            let key = try node.evaluate(chunk)
            var rows = try bound.select(key, within: nil)
            // Among equals those that came first are kept, hence of a single key later ones are not.
            rows = try ownBound.select(key, within: rows, includesEqual: keyNodes.count > 1)
            if let rows {
                if rows.count == 0 { return true }
                chunk = chunk.taking(rows)
                columns = chunk.columns
                firstKey = Take.take(key, rows)
            } else {
                firstKey = key
            }
        }
        for node in keyNodes {
            columns.append(try firstKey ?? node.evaluate(chunk))
            firstKey = nil
        }
        let prepared = held.prepared(Chunk(columns: columns, rowCount: chunk.rowCount))
        // Sorting takes the rows put together, what they are ordered by, and the result.
        let wanted = 3 * prepared.byteCount + 72 * chunk.rowCount
        if !use.add(wanted) {
            try spill()
            if !use.add(wanted), chunk.rowCount > spilledBatchRowCount {
                // A part at a time: each is written out before the next.
                var start = 0
                while start < chunk.rowCount {
                    let end = min(start + spilledBatchRowCount, chunk.rowCount)
                    guard try push(chunk.slice(start..<end)) else { return false }
                    start = end
                }
                return true
            }
        }
        held.append(prepared)
        // The first time soon, as from then on most rows need not be looked at, nor their columns read.
        let rowCountMax =
            isBounded ? RecordBatch.rowCountMax / 2 : RecordBatch.rowCountMax / 32
        if let limit, held.rowCount > max(4 * limit, rowCountMax) {
            let best = try SortedRuns.sorted(
                concatenated(held.chunks, types: types),
                orders,
                limit: limit
            )
            // What was thrown away must not be kept alive by views into its pages.
            held = HeldRows()
            held.append(
                Chunk(
                    columns: best.columns.map { Compact.compacted($0) },
                    rowCount: best.rowCount
                )
            )
            _ = use.set(3 * held.byteCount + 72 * held.rowCount)
            if let bound, let ownBound, limit > 0, best.rowCount == limit {
                let place = best.columns.count - keyNodes.count
                let last = Compact.compacted(
                    best.columns[place].slice(limit - 1..<limit).flattened()
                )
                try bound.note(last)
                try ownBound.note(last)
                isBounded = true
            }
        }
        return true
    }

    /// Writes the rows in memory out as a run.
    func spill() throws {
        if held.rowCount == 0 { return }
        let target = try file ?? use.memory.makeFile()
        file = target
        let chunks = held.chunks
        held = HeldRows()
        let all = try concatenated(chunks, types: types)
        try runs.add(all, limit: limit, target, SpillEncoder())
        _ = use.set(0)
    }

    /// The rows of all workers in order, without the key columns; for workers that wrote no run.
    static func merged(
        _ workers: [SortOperator],
        _ keys: [SortKey],
        limit: Int?,
        types: [DataType]
    ) throws -> Chunk {
        let all = try concatenated(
            workers.flatMap(\.held.chunks),
            types: types + keys.map(\.expression.type)
        )
        var result = try SortedRuns.sorted(all, keys.map(\.order), limit: limit)
        result.columns.removeLast(keys.count)
        return result
    }

    /// Hands on the rows of all workers in order, with the key columns behind them, from disk.
    static func merge(
        _ workers: [SortOperator],
        limit: Int?,
        memory: OperatorMemory,
        _ body: (Chunk) throws -> Bool
    ) throws -> Bool {
        guard let first = workers.first else { return true }
        var runs = SortedRuns(orders: first.orders)
        for worker in workers {
            try worker.spill()
            runs.add(worker.runs)
            worker.runs = SortedRuns(orders: first.orders)
        }
        return try runs.merge(limit: limit, memory: memory, body)
    }
}

extension SortKey {
    var order: SortOrder {
        SortOrder(isDescending: isDescending, nullsFirst: nullsFirst)
    }
}
