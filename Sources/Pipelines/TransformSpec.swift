package import Bytes
package import SQL

/// A transform as somebody wrote it, checked as far as it can be without a warehouse.
///
/// - Spec: Formats/transform-spec/README.md
package struct TransformSpec: Sendable, Hashable {
    /// How a run changes the table.
    package enum Kind: Sendable, Hashable {
        /// Replaces all rows.
        case full
        /// Stores the query; nothing runs.
        case view
        /// Adds rows.
        case append
        /// Replaces the rows of a range of time.
        case incrementalByTimeRange(timeColumn: String)
        /// Updates rows by key, adds new ones.
        case incrementalByUniqueKey([String])

        /// The word in a spec.
        package var name: String {
            switch self {
            case .full: "full"
            case .view: "view"
            case .append: "append"
            case .incrementalByTimeRange: "incremental_by_time_range"
            case .incrementalByUniqueKey: "incremental_by_unique_key"
            }
        }
    }

    /// Where the rows come from.
    package enum Body: Sendable, Hashable {
        case sql(Query)
        case steps(source: StepSource, steps: [TransformStep])
    }

    /// The table that steps begin with, and what they call it.
    package struct StepSource: Sendable, Hashable {
        package var table: ObjectName
        package var alias: Identifier
    }

    /// When a scheduler should run it; this version only checks and keeps it.
    package enum Trigger: Sendable, Hashable {
        /// Five fields, as cron has them.
        case schedule(String)
        /// How old the result may be.
        case freshness(seconds: Int64)
    }

    /// Outermost namespace first, the table last.
    package var name: [String]
    package var description: String?
    package var owner: String?
    package var tags: [String] = []
    package var kind = Kind.full
    package var trigger: Trigger?
    package var body: Body
    package var partitionedBy: [PartitionField] = []
    package var sortedBy: [SortField] = []
    /// Properties of the table, sorted by key.
    package var properties: [TableProperty] = []
    package var expectations: [Expectation] = []
    /// Given rows and expected rows; this version checks their shape and keeps them.
    package var tests: [JSON] = []
    /// Where the name stands.
    package var place: SpecPlace
    /// Where what this version cannot run stands, and what it is.
    package var unsupported: [SpecIssue] = []
    /// What this version keeps without acting on it: say so when it runs.
    package var notes: [SpecIssue] = []

    /// The name with dots, quoted where it must be.
    package var title: String { Printer.print(name.map { spelled($0) }) }
}

/// A property of the table that a transform makes.
package struct TableProperty: Sendable, Hashable {
    package var key: String
    package var value: String
}

/// One of `steps`.
package enum TransformStep: Sendable, Hashable {
    /// A column and what it is computed from.
    package struct Named: Sendable, Hashable {
        package var name: Identifier
        package var expression: Expression
    }

    case filter(Expression)
    /// Adds columns; each sees those before it.
    case derive([Named])
    /// Changes columns in their places.
    case replace([Named])
    case select([Named])
    case rename([Renaming])
    case drop([Identifier])
    case join(StepJoin)
    case aggregate(StepAggregate)
    case tumbling(TumblingWindow)
    case distinct
    case sort([OrderItem])
    case limit(count: Int64, offset: Int64)
    /// All rows of tables of the same columns in the same order; `isDistinct` keeps one of equals.
    case union([ObjectName], isDistinct: Bool)

    package struct Renaming: Sendable, Hashable {
        package var old: Identifier
        package var new: Identifier
    }
}

/// A join with another table.
package struct StepJoin: Sendable, Hashable {
    package enum Condition: Sendable, Hashable {
        /// Columns of the same name on both sides; they appear once in the result.
        case columns([Identifier])
        case expression(Expression)
        /// Only of cross joins.
        case none
    }

    package var table: ObjectName
    package var alias: Identifier
    package var kind: Join.Kind
    package var condition: Condition
    /// The columns that come from the table; nil for all.
    package var columns: [Identifier]?
}

/// Groups and what is computed of each.
package struct StepAggregate: Sendable, Hashable {
    package var groups: [TransformStep.Named]
    package var measures: [TransformStep.Named]
    package var having: Expression?
}

/// Windows of equal length, one after the other; adds their beginning and end as columns.
package struct TumblingWindow: Sendable, Hashable {
    package var column: Expression
    package var count: Int64
    package var unit: IntervalField
    package var start: Identifier
    package var end: Identifier
}

/// Something that the rows of a transform must hold to.
package struct Expectation: Sendable, Hashable {
    package enum Action: String, Sendable, Hashable, CaseIterable {
        /// The run goes on and says so.
        case warn
        /// Rows that do not hold are left out.
        case drop
        /// The run commits nothing.
        case fail
        /// Rows that do not hold go elsewhere; not in this version.
        case quarantine
    }

    package enum Rule: Sendable, Hashable {
        /// True of every row; NULL is not true.
        case check(Expression)
        /// The share of rows in which each column is not NULL.
        case completeness([Identifier], atLeast: Double)
        /// No two rows have the same values; rows with a NULL among them do not count.
        case unique([Identifier])
        case rowCount(min: Int64?, max: Int64?)
        /// One of these, or NULL.
        case acceptedValues(Identifier, [Expression])
        /// A value of another table's column, or NULL.
        case relationship(Identifier, table: ObjectName, column: Identifier)
    }

    package var name: String
    package var rule: Rule
    package var action: Action
}

/// The identifier of a name that a spec gives as plain text.
func spelled(_ name: String) -> Identifier {
    Identifier(name, isQuoted: Printer.print([Identifier(name)]).hasPrefix("\""))
}
