import Columnar
import Kernels
import Planner

/// The conjuncts of a filter, made ready to run: each sees only the rows that those before it left.
///
/// Conjuncts that speak of one column alone are asked once per entry of its dictionary, where it
/// comes as codes; the answers are kept for as long as the dictionary stays. One thread's.
final class Predicate {
    struct Conjunct {
        /// `column op constant`, which has a kernel of its own.
        var comparison: (position: Int, op: Kernels.ComparisonOperator, constant: Column)?
        var node: ExpressionNode
        var positions: [Int]
    }

    /// Neighbouring conjuncts that speak of the same column alone, or one of another kind.
    private struct Step {
        var conjuncts: [Conjunct]
        /// Answers by code; nil where there may be none.
        var codes: CodePredicate?
    }

    private let steps: [Step]

    init(_ expressions: [BoundExpression]) throws {
        let compiler = ExpressionCompiler()
        var steps: [Step] = []
        for expression in expressions.flatMap(\.conjuncts) {
            var comparison: (Int, Kernels.ComparisonOperator, Column)?
            if case .compare(let op, .column(let id, _), .constant(let value, let type)) =
                expression, !value.isNull
            {
                comparison = (id.number, op.kernel, .constant(value, type, count: 1))
            }
            let conjunct = Conjunct(
                comparison: comparison,
                node: try compiler.compile(expression),
                positions: expression.columnIDs.map(\.number).sorted()
            )
            let position = Self.codedPosition(expression)
            if let position, let codes = steps.last?.codes, codes.position == position {
                steps[steps.count - 1].conjuncts.append(conjunct)
                codes.add(conjunct.node)
                continue
            }
            steps.append(
                Step(
                    conjuncts: [conjunct],
                    codes: position.map { CodePredicate(position: $0, conjunct.node) }
                )
            )
        }
        self.steps = steps
    }

    /// The column whose values alone decide a conjunct; nil for all others.
    private static func codedPosition(_ conjunct: BoundExpression) -> Int? {
        let columns = conjunct.columnIDs
        guard columns.count == 1, conjunct.isDeterministic else { return nil }
        return columns.first?.number
    }

    /// The columns that decide some conjunct of a filter alone: best read as codes.
    static func codedPositions(_ filters: [BoundExpression]) -> Set<Int> {
        Set(filters.flatMap(\.conjuncts).compactMap(codedPosition))
    }

    /// The positions of all columns that the conjuncts speak of.
    var positions: Set<Int> { Set(steps.flatMap(\.conjuncts).flatMap(\.positions)) }

    /// The rows of a whole chunk that meet all conjuncts; nil when all rows do.
    func select(_ chunk: Chunk) throws -> Selection? {
        try select(rowCount: chunk.rowCount) { chunk.columns[$0] }
    }

    /// The rows that meet all conjuncts; nil when all rows do.
    ///
    /// - Parameter column: gives a column by position, all of its rows; asked for only where rows are
    ///   left to decide.
    func select(
        rowCount: Int,
        column: (Int) throws -> Column
    ) throws -> Selection? {
        var selection: Selection?
        for step in steps {
            if let codes = step.codes {
                let values = try column(codes.position)
                if case .dictionary(let rows, let dictionary) = values.storage,
                    let answers = codes.answers(dictionary, of: values.type)
                {
                    selection = answers.select(
                        rows.pointer(as: UInt32.self),
                        values.validity,
                        within: selection,
                        rowCount: rowCount
                    )
                    withExtendedLifetime(values) {}
                    if selection?.count == 0 { return selection }
                    continue
                }
            }
            for conjunct in step.conjuncts {
                selection = try narrow(conjunct, within: selection, rowCount, column)
                if selection?.count == 0 { return selection }
            }
        }
        return selection
    }

    /// The rows of `within` (nil: all) that meet one conjunct; nil when all rows do.
    private func narrow(
        _ conjunct: Conjunct,
        within: Selection?,
        _ rowCount: Int,
        _ column: (Int) throws -> Column
    ) throws -> Selection? {
        if let comparison = conjunct.comparison {
            var values = try column(comparison.position)
            var isCoded = false
            if case .dictionary = values.storage {
                if values.type.physical == .view {
                    isCoded = true
                } else {
                    values = values.flattened()
                }
            }
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
