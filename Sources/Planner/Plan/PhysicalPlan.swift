package import Columnar

/// How a query runs: operators over columns by position.
///
/// `ColumnID.number` in expressions is the position in the operator's input (for join residuals:
/// left columns, then right ones).
package indirect enum PhysicalPlan: Sendable {
    case scan(Scan)
    /// Rows of constant expressions.
    case values([[BoundExpression]], types: [DataType])
    /// Keeps rows that meet the condition, of the columns `output`.
    case filter(BoundExpression, output: [Int], PhysicalPlan)
    case project([BoundExpression], PhysicalPlan)
    case aggregate(groups: [BoundExpression], calls: [AggregateCall], PhysicalPlan)
    case window(Window)
    case join(Join)
    case sort([SortKey], limit: Int?, PhysicalPlan)
    case limit(count: Int?, offset: Int, PhysicalPlan)
    /// All rows of all inputs.
    case union([PhysicalPlan])
    /// Each row, of the columns `output`, as often as an expression of type BIGINT says; not at all
    /// where that is null or below 1.
    case replicate(BoundExpression, output: [Int], PhysicalPlan)
    /// A row for each element of lists.
    case unnest(Unnest)
    /// The rows of every other plan of that number in the query: computed once, and kept.
    case shared(Int, PhysicalPlan)
    case recursion(Recursion)
    /// The rows of the last round of the recursion of that number.
    case workingTable(Int, types: [DataType])
    /// The rows with a column that is counted or drawn as they come.
    case numbering(RowNumbering, PhysicalPlan)
    /// The same rows, watched on their way under that number (see `profiled()`).
    case profiled(Int, PhysicalPlan)

    package struct Scan: Sendable {
        /// Tells the scans of a plan apart.
        package var id: Int
        package var table: SourceTable
        /// Positions in the table's schema of the columns that are read.
        package var positions: [Int]
        package var types: [DataType]
        /// Conjuncts over the columns read, cheapest first.
        package var filters: [BoundExpression]
        /// Which of the columns read go on, by position among them.
        package var output: [Int]

        package init(
            id: Int,
            table: SourceTable,
            positions: [Int],
            types: [DataType],
            filters: [BoundExpression],
            output: [Int]
        ) {
            self.id = id
            self.table = table
            self.positions = positions
            self.types = types
            self.filters = filters
            self.output = output
        }
    }

    /// Each row, of the columns `output`, with the elements of its lists side by side, null where one is
    /// shorter, and their place from 1 when `hasOrdinality`.
    package struct Unnest: Sendable {
        package var lists: [BoundExpression]
        package var output: [Int]
        package var hasOrdinality: Bool
        /// Whether a row without elements stays, with nulls.
        package var keepsEmpty: Bool
        package var input: PhysicalPlan
    }

    /// Adds a column for each call; the rows come out ordered by partition and order.
    package struct Window: Sendable {
        /// How many rows of each partition, in order, are wanted; the others need not come out.
        package struct Limit: Sendable, Hashable {
            package var count: Int
            /// Whether rows that are ordered the same as the last wanted one are wanted too.
            package var keepsEqual: Bool
        }

        package var partition: [BoundExpression]
        package var order: [SortKey]
        package var calls: [WindowCall]
        package var input: PhysicalPlan
        package var limit: Limit?
    }

    package struct Join: Sendable {
        package enum Kind: Sendable, Hashable {
            case inner, left, right, full, cross, semi, anti, single
            /// The right rows that have a match, and those that have none: a semi or anti join whose
            /// smaller side is built.
            case rightSemi, rightAnti
            /// Adds whether there is a match as the last column; when null-aware, unknown where a null
            /// key may hide one.
            case mark(isNullAware: Bool)
            /// Adds as the last column whether `comparison` is true for some pair; unknown where it is
            /// unknown for some and true for none.
            case markAny
        }

        package var kind: Kind
        package var left: PhysicalPlan
        /// The side that is built into a table.
        package var right: PhysicalPlan
        package var leftKeys: [BoundExpression]
        package var rightKeys: [BoundExpression]
        /// For each key, whether null matches null.
        package var nullsMatch: [Bool]
        /// What else must hold, over left columns followed by right ones.
        package var residual: BoundExpression?
        /// For `markAny`: what is asked of the pairs, over left columns followed by right ones.
        package var comparison: BoundExpression?
        /// Which left and right columns go on.
        package var leftOutput: [Int]
        package var rightOutput: [Int]
    }
}

extension PhysicalPlan.Join.Kind {
    /// Whether right rows are handed on by what all left rows together met.
    package var decidesOnRight: Bool {
        switch self {
        case .right, .full, .rightSemi, .rightAnti: true
        case .inner, .left, .cross, .semi, .anti, .single, .mark, .markAny: false
        }
    }
}

extension PhysicalPlan {
    /// The types of the columns it gives.
    package var types: [DataType] {
        switch self {
        case .scan(let scan): scan.output.map { scan.types[$0] }
        case .values(_, let types): types
        case .filter(_, let output, let input), .replicate(_, let output, let input):
            { types in output.map { types[$0] } }(input.types)
        case .project(let expressions, _): expressions.map(\.type)
        case .aggregate(let groups, let calls, _): groups.map(\.type) + calls.map(\.type)
        case .window(let window): window.input.types + window.calls.map(\.type)
        case .join(let join): join.types
        case .sort(_, _, let input), .limit(_, _, let input), .shared(_, let input),
            .profiled(_, let input):
            input.types
        case .union(let inputs): inputs.first?.types ?? []
        case .recursion(let recursion): recursion.anchor.types
        case .workingTable(_, let types): types
        case .numbering(let kind, let input): input.types + [kind.type]
        case .unnest(let unnest):
            { types in unnest.output.map { types[$0] } }(unnest.input.types)
                + unnest.lists.map { list in
                    if case .list(let element) = list.type { return element.type }
                    return list.type
                } + (unnest.hasOrdinality ? [.int64] : [])
        }
    }
}

extension PhysicalPlan.Join {
    fileprivate var types: [DataType] {
        let leftTypes = left.types
        let own = leftOutput.map { leftTypes[$0] }
        switch kind {
        case .semi, .anti: return own
        case .mark, .markAny: return own + [.boolean]
        default:
            let rightTypes = right.types
            return own + rightOutput.map { rightTypes[$0] }
        }
    }
}
