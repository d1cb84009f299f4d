package import Columnar

/// A column that a node of a plan gives to the node above.
package struct PlanColumn: Sendable, Hashable {
    package var id: ColumnID
    package var name: String
    package var type: DataType
    package var isNullable: Bool

    package init(id: ColumnID, name: String, type: DataType, isNullable: Bool = true) {
        self.id = id
        self.name = name
        self.type = type
        self.isNullable = isNullable
    }

    package var reference: BoundExpression { .column(id, type) }
}

/// What is known of a column's values without reading them.
package struct ColumnBounds: Sendable, Hashable {
    /// No value is less (nil: not known); not necessarily a value that occurs.
    package var lower: Value?
    /// No value is greater (nil: not known).
    package var upper: Value?
    /// Rows without a value (nil: not known).
    package var nullCount: Int?
    /// Whether the bounds are the least and the greatest value that occur.
    package var areValues: Bool

    package init(
        lower: Value?,
        upper: Value?,
        nullCount: Int? = nil,
        areValues: Bool = false
    ) {
        self.lower = lower
        self.upper = upper
        self.nullCount = nullCount
        self.areValues = areValues
    }
}

/// Where in a table's schema row lineage is: the id of each row, and when the row last changed.
///
/// Queries have the columns as `_row_id` and `_last_updated_sequence_number`, which no `*` shows.
///
/// - Spec: Iceberg table specification, "Row Lineage".
package struct RowLineagePositions: Sendable, Hashable {
    package var rowID: Int
    package var lastUpdated: Int

    package init(rowID: Int, lastUpdated: Int) {
        self.rowID = rowID
        self.lastUpdated = lastUpdated
    }
}

/// A table as the planner sees it: values, no way to read it.
package struct SourceTable: Sendable {
    /// What the opener of scans knows the table by.
    package var sourceID: Int
    /// For messages, EXPLAIN and lineage: `ns.t`, or a file's path.
    package var name: String
    package var schema: Schema
    package var rowCount: Int?
    /// Whether `rowCount` may answer COUNT(*); else it only guides the order of joins.
    package var isRowCountExact: Bool
    /// By position in the schema; empty when nothing is known.
    package var bounds: [Int: ColumnBounds]
    /// Where in the schema the numbers of rows are, which only `rowid` means; nil when there are none.
    package var rowNumberPosition: Int?
    /// Where row lineage is; nil for what has none.
    package var rowLineage: RowLineagePositions?
    /// How texts are compared otherwise than by bytes, by position in the schema.
    package var collations: [Int: Collation]

    package init(
        sourceID: Int,
        name: String,
        schema: Schema,
        rowCount: Int? = nil,
        isRowCountExact: Bool = true,
        bounds: [Int: ColumnBounds] = [:],
        rowNumberPosition: Int? = nil,
        rowLineage: RowLineagePositions? = nil,
        collations: [Int: Collation] = [:]
    ) {
        self.rowLineage = rowLineage
        self.collations = collations
        self.rowNumberPosition = rowNumberPosition
        self.sourceID = sourceID
        self.name = name
        self.schema = schema
        self.rowCount = rowCount
        self.isRowCountExact = isRowCountExact
        self.bounds = bounds
    }

    /// Whether a column of the schema is none of the table's own: it has a name, and no `*` shows it.
    func isPseudo(_ position: Int) -> Bool {
        position == rowNumberPosition || position == rowLineage?.rowID
            || position == rowLineage?.lastUpdated
    }
}

/// How two inputs are joined.
///
/// The right input is the one that is built into a table.
package enum JoinKind: Sendable, Hashable {
    case inner
    case left
    case right
    case full
    case cross
    /// Rows of the left that have a match.
    case semi
    /// Rows of the left that have none.
    case anti
    /// All rows of the left, and whether each has a match: true, false, or null as `IN` says.
    case mark(ColumnID)
    /// All rows of the left with the one row of the right (nulls when it is empty); more fail.
    case single
}

/// One key of a sort.
package struct SortKey: Sendable, Hashable {
    package var expression: BoundExpression
    package var isDescending: Bool
    package var nullsFirst: Bool

    package init(expression: BoundExpression, isDescending: Bool, nullsFirst: Bool) {
        self.expression = expression
        self.isDescending = isDescending
        self.nullsFirst = nullsFirst
    }
}

/// What a query means, as a tree of relational operators over column ids.
package indirect enum LogicalPlan: Sendable {
    case scan(Scan)
    case values(Values)
    case filter(BoundExpression, LogicalPlan)
    case project([Projection], LogicalPlan)
    case aggregate(Aggregate)
    case window(Window)
    case join(Join)
    case sort([SortKey], limit: Int?, LogicalPlan)
    case limit(count: Int?, offset: Int, LogicalPlan)
    case setOperation(SetOperation)
    case recursion(Recursion)
    case workingTable(WorkingTable)
    case materialized(Materialized)
    case numbering(Numbering)
    case unnest(Unnest)

    package struct Scan: Sendable {
        package var table: SourceTable
        /// The columns read, with their positions in the table's schema.
        package var columns: [(position: Int, column: PlanColumn)]
        /// Conjuncts that rows must meet, over `columns`.
        package var filters: [BoundExpression]

        package init(
            table: SourceTable,
            columns: [(position: Int, column: PlanColumn)],
            filters: [BoundExpression] = []
        ) {
            self.table = table
            self.columns = columns
            self.filters = filters
        }
    }

    package struct Values: Sendable {
        package var columns: [PlanColumn]
        package var rows: [[BoundExpression]]
        /// The table whose metadata the rows are, for people.
        var source: String?
    }

    package struct Projection: Sendable {
        package var expression: BoundExpression
        package var column: PlanColumn

        package init(_ expression: BoundExpression, _ column: PlanColumn) {
            self.expression = expression
            self.column = column
        }
    }

    package struct Aggregate: Sendable {
        package var groups: [Projection]
        package var calls: [(call: AggregateCall, column: PlanColumn)]
        package var input: LogicalPlan
    }

    /// Adds columns computed from rows around each row; all calls share partitions and order.
    package struct Window: Sendable {
        package var partition: [BoundExpression]
        package var order: [SortKey]
        package var calls: [(call: WindowCall, column: PlanColumn)]
        package var input: LogicalPlan
    }

    package struct Join: Sendable {
        package var kind: JoinKind
        package var left: LogicalPlan
        package var right: LogicalPlan
        /// Conjuncts over both sides.
        package var conditions: [BoundExpression]
        /// For `mark`: whether `conditions` that are unknown make the answer unknown, as `IN` wants.
        package var isNullAware: Bool
        /// For a null-aware `mark`: which right rows are looked at for a left row at all.
        package var correlations: [BoundExpression]

        package init(
            kind: JoinKind,
            left: LogicalPlan,
            right: LogicalPlan,
            conditions: [BoundExpression] = [],
            isNullAware: Bool = false,
            correlations: [BoundExpression] = []
        ) {
            self.kind = kind
            self.left = left
            self.right = right
            self.conditions = conditions
            self.isNullAware = isNullAware
            self.correlations = correlations
        }
    }

    /// A row for each element of some lists, which are walked side by side: null where one is shorter.
    ///
    /// Gives the input's columns, those of the elements, and the ordinality.
    package struct Unnest: Sendable {
        /// The lists, and the columns of their elements.
        package var items: [Projection]
        /// The place of the elements in their lists, from 1, when it is asked for.
        package var ordinality: PlanColumn?
        /// Whether a row without elements stays, with nulls.
        package var keepsEmpty = false
        package var input: LogicalPlan

        /// The columns that it adds.
        package var added: [PlanColumn] { items.map(\.column) + (ordinality.map { [$0] } ?? []) }
    }

    package struct SetOperation: Sendable {
        package enum Kind: String, Sendable { case union, intersect, except }
        package var kind: Kind
        package var isAll: Bool
        /// Each input gives columns of the same types in the same order.
        package var inputs: [LogicalPlan]
        package var columns: [PlanColumn]
    }

    /// What the node gives upward, in order.
    package var columns: [PlanColumn] {
        switch self {
        case .scan(let scan): scan.columns.map(\.column)
        case .values(let values): values.columns
        case .filter(_, let input), .sort(_, _, let input), .limit(_, _, let input): input.columns
        case .project(let projections, _): projections.map(\.column)
        case .aggregate(let aggregate):
            aggregate.groups.map(\.column) + aggregate.calls.map(\.column)
        case .window(let window): window.input.columns + window.calls.map(\.column)
        case .join(let join): join.columns
        case .setOperation(let operation): operation.columns
        case .recursion(let recursion): recursion.columns
        case .workingTable(let table): table.columns
        case .materialized(let common): common.columns
        case .numbering(let numbering): numbering.input.columns + [numbering.column]
        case .unnest(let unnest): unnest.input.columns + unnest.added
        }
    }

    /// The inputs, left to right.
    package var inputs: [LogicalPlan] {
        switch self {
        case .scan, .values, .workingTable: []
        case .filter(_, let input), .sort(_, _, let input), .limit(_, _, let input),
            .project(_, let input):
            [input]
        case .aggregate(let aggregate): [aggregate.input]
        case .window(let window): [window.input]
        case .join(let join): [join.left, join.right]
        case .setOperation(let operation): operation.inputs
        case .recursion(let recursion): [recursion.anchor, recursion.step]
        case .materialized(let common): [common.input]
        case .numbering(let numbering): [numbering.input]
        case .unnest(let unnest): [unnest.input]
        }
    }
}

extension LogicalPlan.Join {
    package var columns: [PlanColumn] {
        func nullable(_ columns: [PlanColumn]) -> [PlanColumn] {
            columns.map {
                var column = $0
                column.isNullable = true
                return column
            }
        }
        switch kind {
        case .inner, .cross: return left.columns + right.columns
        case .left, .single: return left.columns + nullable(right.columns)
        case .right: return nullable(left.columns) + right.columns
        case .full: return nullable(left.columns) + nullable(right.columns)
        case .semi, .anti: return left.columns
        case .mark(let id):
            return left.columns + [PlanColumn(id: id, name: "mark", type: .boolean)]
        }
    }
}
