import Columnar
import Kernels
import Planner

/// The conjuncts of a filter, made ready to run: each sees only the rows that those before it left.
final class Predicate {
    struct Conjunct {
        /// `column op constant`, which has a kernel of its own.
        var comparison: (position: Int, op: Kernels.ComparisonOperator, constant: Column)?
        var node: ExpressionNode
        var positions: [Int]
    }

    let conjuncts: [Conjunct]

    init(_ expressions: [BoundExpression]) throws {
        let compiler = ExpressionCompiler()
        conjuncts = try expressions.flatMap(\.conjuncts).map { expression in
            var comparison: (Int, Kernels.ComparisonOperator, Column)?
            if case .compare(let op, .column(let id, _), .constant(let value, let type)) =
                expression, !value.isNull
            {
                comparison = (id.number, op.kernel, .constant(value, type, count: 1))
            }
            return Conjunct(
                comparison: comparison,
                node: try compiler.compile(expression),
                positions: expression.columnIDs.map(\.number).sorted()
            )
        }
    }

    /// The rows of a whole chunk that meet all conjuncts; nil when all rows do.
    func select(_ chunk: Chunk) throws -> Selection? {
        var selection: Selection?
        for conjunct in conjuncts {
            selection = try narrow(
                conjunct,
                within: selection,
                rowCount: chunk.rowCount
            ) { chunk.columns[$0] }
            if selection?.count == 0 { return selection }
        }
        return selection
    }

    /// The rows of `within` (nil: all) that meet one conjunct; nil when all rows do.
    ///
    /// - Parameter column: gives a column by position, all of its rows.
    func narrow(
        _ conjunct: Conjunct,
        within: Selection?,
        rowCount: Int,
        column: (Int) throws -> Column
    ) throws -> Selection? {
        if let comparison = conjunct.comparison {
            let values = try column(comparison.position)
            var isCoded = false
            if case .dictionary = values.storage { isCoded = true }
            if !isCoded {
                let found = try Filter.select(
                    values,
                    comparison.op,
                    comparison.constant.constant(repeated: rowCount),
                    within: within
                )
                return found.count == rowCount ? nil : found
            }
        }
        var columns = [Column](
            repeating: .nulls(.null, count: within?.count ?? rowCount),
            count: (conjunct.positions.last ?? -1) + 1
        )
        for position in conjunct.positions {
            let values = try column(position)
            columns[position] = within.map { Take.take(values, $0) } ?? values
        }
        let mask = try conjunct.node.evaluate(
            Chunk(columns: columns, rowCount: within?.count ?? rowCount)
        )
        let found = Filter.selection(mask)
        guard let within else { return found.count == rowCount ? nil : found }
        return found.count == within.count ? within : Filter.compose(within, found)
    }
}
