/// A query: a body of rows with what is defined before it and what orders and cuts it.
package struct Query: Sendable, Hashable {
    package var with: WithClause?
    package var body: QueryBody
    package var orderBy: OrderBy?
    package var limit: RowLimit?
    package var span: SourceSpan

    package init(
        with: WithClause? = nil,
        body: QueryBody,
        orderBy: OrderBy? = nil,
        limit: RowLimit? = nil,
        span: SourceSpan = .none
    ) {
        self.with = with
        self.body = body
        self.orderBy = orderBy
        self.limit = limit
        self.span = span
    }

    /// Where the query starts, for a message.
    package var position: SourcePosition { span.position }
}

/// Where the rows of a query come from.
package indirect enum QueryBody: Sendable, Hashable {
    case select(SelectBlock)
    /// `VALUES (1, 'a'), (2, 'b')`: at least one row, each of at least one value.
    case values([[Expression]])
    /// `TABLE t`
    case table(ObjectName)
    case setOperation(SetOperation)
    /// A query in parentheses that has its own `WITH`, `ORDER BY` or `LIMIT`; without those the
    /// parentheses leave no trace.
    case nested(Query)
}

/// `a UNION ALL b UNION ALL c`: a chain of one operator, from the left, as one node.
package struct SetOperation: Sendable, Hashable {
    /// How the sets are joined.
    package enum Operator: String, Sendable, Hashable {
        case union = "UNION"
        case intersect = "INTERSECT"
        case except = "EXCEPT"
    }

    package var setOperator: Operator
    /// Whether duplicates stay; `DISTINCT` is what SQL means when neither is written.
    package var isAll: Bool
    /// `BY NAME`: columns are matched by their names.
    package var isByName: Bool
    /// At least two; `a EXCEPT b EXCEPT c` means `(a EXCEPT b) EXCEPT c`.
    package var operands: [QueryBody]
    /// Where the first operator stands.
    package var span: SourceSpan

    package init(
        setOperator: Operator,
        isAll: Bool,
        isByName: Bool = false,
        operands: [QueryBody],
        span: SourceSpan = .none
    ) {
        self.setOperator = setOperator
        self.isAll = isAll
        self.isByName = isByName
        self.operands = operands
        self.span = span
    }
}

/// `WITH [RECURSIVE] …`.
package struct WithClause: Sendable, Hashable {
    package var isRecursive: Bool
    package var expressions: [CommonTableExpression]
    package var span: SourceSpan
}

/// `name [(columns)] AS [[NOT] MATERIALIZED] (query)`.
package struct CommonTableExpression: Sendable, Hashable {
    package var name: Identifier
    package var columns: [Identifier]
    /// What was asked for; nil where nothing was written.
    package var isMaterialized: Bool?
    package var query: Query
}

/// `SELECT … FROM … WHERE … GROUP BY … HAVING … WINDOW … QUALIFY …`.
///
/// A FROM-first query is the same node: `FROM t` is `SELECT * FROM t`.
package struct SelectBlock: Sendable, Hashable {
    /// Which rows are the same.
    package enum Distinct: Sendable, Hashable {
        case rows
        /// `DISTINCT ON (…)`
        case on([Expression])
    }

    package var distinct: Distinct?
    package var items: [SelectItem]
    /// Joined by commas; empty without a `FROM`.
    package var from: [TableReference]
    /// `WHERE`.
    package var filter: Expression?
    package var groupBy: GroupBy?
    package var having: Expression?
    package var windows: [NamedWindow]
    package var qualify: Expression?
    /// `USING SAMPLE …`: of the rows after `FROM`.
    package var sample: TableSample?
    package var span: SourceSpan

    package init(
        distinct: Distinct? = nil,
        items: [SelectItem],
        from: [TableReference] = [],
        filter: Expression? = nil,
        groupBy: GroupBy? = nil,
        having: Expression? = nil,
        windows: [NamedWindow] = [],
        qualify: Expression? = nil,
        sample: TableSample? = nil,
        span: SourceSpan = .none
    ) {
        self.distinct = distinct
        self.items = items
        self.from = from
        self.filter = filter
        self.groupBy = groupBy
        self.having = having
        self.windows = windows
        self.qualify = qualify
        self.sample = sample
        self.span = span
    }
}

/// `expression [AS alias]`.
package struct SelectItem: Sendable, Hashable {
    package var expression: Expression
    package var alias: Identifier?

    package init(expression: Expression, alias: Identifier? = nil) {
        self.expression = expression
        self.alias = alias
    }
}

/// `GROUP BY`.
package enum GroupBy: Sendable, Hashable {
    /// `GROUP BY ALL`: every selected expression without an aggregate.
    case all
    /// The grouping sets are the cross product of the elements; `GROUP BY DISTINCT` drops repeats.
    case elements([GroupingElement], isDistinct: Bool)
}

/// One element of `GROUP BY`.
package indirect enum GroupingElement: Sendable, Hashable {
    /// `a`, `(a, b)` or, with none, `()`.
    case expressions([Expression])
    /// `ROLLUP (a, (b, c))`
    case rollup([[Expression]])
    /// `CUBE (a, (b, c))`
    case cube([[Expression]])
    /// `GROUPING SETS ((a), (), ROLLUP (b))`
    case sets([GroupingElement])
}

/// `WINDOW name AS (…)`.
package struct NamedWindow: Sendable, Hashable {
    package var name: Identifier
    package var specification: WindowSpecification

    package init(name: Identifier, specification: WindowSpecification) {
        self.name = name
        self.specification = specification
    }
}

/// `ORDER BY` of a query.
package enum OrderBy: Sendable, Hashable {
    case items([OrderItem])
    /// `ORDER BY ALL`: every output column, from the left.
    case all(SortDirection?, NullOrder?)
}

/// `LIMIT`, `OFFSET` and `FETCH FIRST`.
package struct RowLimit: Sendable, Hashable {
    /// How many rows; nil for all of them.
    package var count: Expression?
    /// `LIMIT 10 PERCENT`: `count` is a share of all rows.
    package var isPercent: Bool
    /// `FETCH FIRST n ROWS WITH TIES`.
    package var isWithTies: Bool
    package var offset: Expression?

    package init(
        count: Expression? = nil,
        isPercent: Bool = false,
        isWithTies: Bool = false,
        offset: Expression? = nil
    ) {
        self.count = count
        self.isPercent = isPercent
        self.isWithTies = isWithTies
        self.offset = offset
    }
}
