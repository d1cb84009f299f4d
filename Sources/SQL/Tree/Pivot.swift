/// Columns from the values of other columns, in either notation:
/// `PIVOT source ON columns USING aggregates GROUP BY columns` and
/// `source PIVOT (aggregates FOR column IN (values) … GROUP BY columns)`.
package struct Pivot: Sendable, Hashable {
    /// What an output column is made for.
    package struct Column: Sendable, Hashable {
        /// Its values become names; several in a row stand for every combination of theirs.
        package var expression: Expression
        /// nil where the values are those that there are.
        package var values: Values?

        package init(expression: Expression, values: Values? = nil) {
            self.expression = expression
            self.values = values
        }
    }

    /// `IN …`.
    package enum Values: Sendable, Hashable {
        /// `(value [AS name], …)`
        case list([SelectItem])
        /// `(SELECT …)`
        case query(Query)
    }

    package var source: TableReference
    package var on: [Column]
    /// `aggregate [AS name]`; none means to count rows.
    package var aggregates: [SelectItem]
    /// nil where nothing was written: every column that is not used otherwise.
    package var groupBy: [Expression]?
    /// Whether it was written as a statement of its own.
    package var isStatement: Bool
    package var alias: TableAlias?
    package var span: SourceSpan

    package init(
        source: TableReference,
        on: [Column],
        aggregates: [SelectItem],
        groupBy: [Expression]?,
        isStatement: Bool,
        alias: TableAlias? = nil,
        span: SourceSpan = .none
    ) {
        self.source = source
        self.on = on
        self.aggregates = aggregates
        self.groupBy = groupBy
        self.isStatement = isStatement
        self.alias = alias
        self.span = span
    }
}

/// Rows from the columns of a row:
/// `UNPIVOT source ON columns INTO NAME name VALUE value` and
/// `source UNPIVOT (value FOR name IN (columns))`.
package struct Unpivot: Sendable, Hashable {
    package var source: TableReference
    /// Columns, rows of columns or stars, with the name that stands for them.
    package var columns: [SelectItem]
    package var name: Identifier
    package var values: [Identifier]
    /// Whether rows that have a NULL among their values stay.
    package var isIncludingNulls: Bool
    package var isStatement: Bool
    package var alias: TableAlias?
    package var span: SourceSpan

    package init(
        source: TableReference,
        columns: [SelectItem],
        name: Identifier,
        values: [Identifier],
        isIncludingNulls: Bool,
        isStatement: Bool,
        alias: TableAlias? = nil,
        span: SourceSpan = .none
    ) {
        self.source = source
        self.columns = columns
        self.name = name
        self.values = values
        self.isIncludingNulls = isIncludingNulls
        self.isStatement = isStatement
        self.alias = alias
        self.span = span
    }
}
