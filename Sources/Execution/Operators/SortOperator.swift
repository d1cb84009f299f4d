import Columnar
import Kernels
import Planner

/// One worker's rows for a sort, each with its key columns behind its own.
///
/// With a limit only the best rows are kept: whenever several times as many have come, the rest is
/// thrown away.
final class SortOperator: PushOperator {
    private(set) var chunks: [Chunk] = []
    private let keyNodes: [ExpressionNode]
    private let orders: [SortOrder]
    private let limit: Int?
    private let types: [DataType]
    private let memory: QueryMemory
    private var rowCount = 0

    init(_ keys: [SortKey], limit: Int?, types: [DataType], memory: QueryMemory) throws {
        let compiler = ExpressionCompiler()
        keyNodes = try keys.map { try compiler.compile($0.expression) }
        orders = keys.map(\.order)
        self.limit = limit
        self.types = types + keys.map(\.expression.type)
        self.memory = memory
    }

    override func push(_ chunk: Chunk) throws -> Bool {
        var columns = chunk.columns
        for node in keyNodes { columns.append(try node.evaluate(chunk)) }
        if limit == nil { try memory.add(columns.reduce(0) { $0 + $1.heldByteCount }) }
        chunks.append(Chunk(columns: columns, rowCount: chunk.rowCount))
        rowCount += chunk.rowCount
        if let limit, rowCount > max(4 * limit, 32 * RecordBatch.rowCountMax) {
            let best = Self.sorted(
                concatenated(chunks, types: types),
                keyCount: orders.count,
                orders,
                limit: limit
            )
            // What was thrown away must not be kept alive by views into its pages.
            chunks = [
                Chunk(
                    columns: best.columns.map { Compact.compacted($0) },
                    rowCount: best.rowCount
                )
            ]
            rowCount = best.rowCount
        }
        return true
    }

    /// The rows of all workers in order, without the key columns.
    static func merged(
        _ workers: [SortOperator],
        _ keys: [SortKey],
        limit: Int?,
        types: [DataType]
    ) -> Chunk {
        let all = concatenated(
            workers.flatMap(\.chunks),
            types: types + keys.map(\.expression.type)
        )
        var result = sorted(all, keyCount: keys.count, keys.map(\.order), limit: limit)
        result.columns.removeLast(keys.count)
        return result
    }

    private static func sorted(
        _ chunk: Chunk,
        keyCount: Int,
        _ orders: [SortOrder],
        limit: Int?
    ) -> Chunk {
        if chunk.rowCount == 0 { return chunk }
        let keys = SortKeys(Array(chunk.columns.suffix(keyCount)), orders)
        let selection: Selection
        if let limit, limit < chunk.rowCount {
            selection = keys.top(limit)
        } else {
            selection = keys.sorted()
        }
        return chunk.taking(selection)
    }
}

extension SortKey {
    fileprivate var order: SortOrder {
        SortOrder(isDescending: isDescending, nullsFirst: nullsFirst)
    }
}
