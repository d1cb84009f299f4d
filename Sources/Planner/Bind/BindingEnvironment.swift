package import Columnar
package import SQL

/// What a query reads, as the statement names it; the key under which its schema is looked up.
package enum TableRequest: Sendable, Hashable {
    /// A name as written, folded to lower case where it was not quoted, and the version asked for.
    case named([String], version: TableVersion?)
    /// `FROM 'file.parquet'`.
    case file(String)
    /// `read_csv('…', header => true)`, with constant arguments.
    case function(String, arguments: [Value], named: [NamedArgument])

    package struct NamedArgument: Sendable, Hashable {
        package var name: String
        package var value: Value
    }
}

/// Which state of a table is read.
package enum TableVersion: Sendable, Hashable {
    case snapshot(Int64)
    /// A branch or tag.
    case reference(String)
    /// Microseconds since 1970, in UTC.
    case timestamp(Int64)
}

/// A table that the environment does not hold yet: whoever runs the statement opens it and binds
/// again, until nothing is missing.
package struct MissingTable: Error, Sendable {
    package var request: TableRequest
    /// Where the statement names it.
    package var position: SourcePosition
}

/// Where sorts put NULL when a query does not say, as DuckDB names it.
package enum NullPlacement: String, Sendable, Hashable, CaseIterable {
    case last = "nulls_last"
    case first = "nulls_first"
    /// First where the order ascends.
    case firstOnAscending = "nulls_first_on_asc_last_on_desc"
    /// Last where the order ascends, as in PostgreSQL.
    case lastOnAscending = "nulls_last_on_asc_first_on_desc"

    func isFirst(isDescending: Bool) -> Bool {
        switch self {
        case .last: false
        case .first: true
        case .firstOnAscending: !isDescending
        case .lastOnAscending: isDescending
        }
    }
}

/// Everything outside its text that a statement's meaning depends on.
package struct BindingEnvironment: Sendable {
    /// What has been looked up so far; an error stands for a table that cannot be had.
    package var tables: [TableRequest: Result<SourceTable, any Error>]
    /// Queries that names stand for, by the parts of the name as it is looked up.
    package var views: [[String]: ViewDefinition]
    /// Values of `$1`, `?` and `:name`.
    package var parameters: [Parameter: (value: Value, type: DataType)]
    /// `current_timestamp`: the statement's own time, in microseconds since 1970.
    package var nowMicros: Int64
    /// Who runs the statement: `current_user`.
    package var user = "varve"
    /// Where names without a namespace are looked up: `current_schema`.
    package var namespace = ["main"]
    /// Of the program: `version()`.
    package var version = "dev"
    /// Rows that a binder asked for with `NeededRows`, by their number.
    package var answers: [Int: [[Value]]] = [:]
    /// Macros by name, in lower case.
    package var macros: [String: CreateMacro] = [:]
    /// Where sorts put NULL unless told otherwise.
    package var nullsFirst = NullPlacement.last
    /// Whether sorts descend unless told otherwise.
    package var isDescending = false
    /// The zone whose clocks the session means: `SET TimeZone`.
    package var timeZone = "UTC"
    /// What `current_setting` gives, by names in lower case.
    package var settings: [String: String] = [:]
    /// Evaluates an expression without columns.
    package var evaluate: @Sendable (BoundExpression) throws -> Value

    package init(
        tables: [TableRequest: Result<SourceTable, any Error>] = [:],
        views: [[String]: ViewDefinition] = [:],
        parameters: [Parameter: (value: Value, type: DataType)] = [:],
        nowMicros: Int64,
        evaluate: @escaping @Sendable (BoundExpression) throws -> Value
    ) {
        self.tables = tables
        self.views = views
        self.parameters = parameters
        self.nowMicros = nowMicros
        self.evaluate = evaluate
    }
}
