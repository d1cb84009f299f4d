import Columnar
import Kernels

/// COALESCE whose arguments may fail: each is computed only for the rows that those before it left null.
final class CoalesceNode: ExpressionNode {
    private let operands: [ExpressionNode]

    init(_ operands: [ExpressionNode], type: DataType) {
        self.operands = operands
        super.init(type: type)
    }

    override func evaluate(_ chunk: Chunk) throws -> Column {
        var parts: [(Column, Selection)] = []
        var rest = chunk
        var rows = Filter.everyRow(chunk.rowCount)
        for operand in operands {
            if rest.rowCount == 0 { break }
            let value = try operand.evaluate(rest)
            if parts.isEmpty, rest.rowCount == chunk.rowCount, !value.hasNulls { return value }
            let known = NullTests.isNotNull(value)
            let taken = Filter.selection(known)
            if taken.count > 0 {
                let found = Chunk(columns: [value], rowCount: rest.rowCount).taking(taken)
                parts.append((found.columns[0], Filter.compose(rows, taken)))
            }
            let left = Filter.selection(Logic.not(known))
            rest = rest.taking(left)
            rows = Filter.compose(rows, left)
        }
        return scatter(parts, count: chunk.rowCount, type: type)
    }
}
