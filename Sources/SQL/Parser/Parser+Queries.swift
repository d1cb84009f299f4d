extension Parser {
    /// Whether a query without parentheses around it starts here.
    @inline(never)
    mutating func startsQuery() -> Bool {
        switch token.kind {
        case .keyword(.select), .keyword(.with), .keyword(.from), .keyword(.table),
            .keyword(.pivot), .keyword(.unpivot):
            true
        case .keyword(.values): peek().kind == .symbol(.leftParenthesis)
        default: false
        }
    }

    /// Whether what comes now goes on with a query whose parentheses were just closed.
    func continuesQuery() -> Bool {
        switch token.kind {
        case .keyword(.union), .keyword(.intersect), .keyword(.except), .keyword(.order),
            .keyword(.limit), .keyword(.offset), .keyword(.fetch):
            true
        default:
            false
        }
    }

    /// `[WITH …] body [ORDER BY …] [LIMIT …]`.
    @inline(never)
    mutating func parseQuery() throws(SQLError) -> Query {
        try enter(Self.queryDepth)
        let outerHeight = height
        height = 0
        let start = token
        let with = at(.with) ? try parseWith() : nil
        let query = try parseQueryRest(with: with, from: start)
        height = max(outerHeight, height)
        leave(Self.queryDepth)
        return query
    }

    /// The query after its `WITH`.
    mutating func parseQueryRest(
        with: WithClause?,
        from start: Token
    ) throws(SQLError) -> Query {
        let body = try parseQueryBody()
        return try parseQueryTail(with: with, body: body, from: start)
    }

    /// Goes on after a query in parentheses: `(SELECT 1) UNION SELECT 2 ORDER BY 1`.
    @inline(never)
    mutating func continueQuery(_ first: Query, from start: Token) throws(SQLError) -> Query {
        let body = try parseUnions(first: try parseIntersections(first: Self.operand(first)))
        return try parseQueryTail(with: nil, body: body, from: start)
    }

    @inline(never)
    private mutating func parseQueryTail(
        with: WithClause?,
        body: QueryBody,
        from start: Token
    ) throws(SQLError) -> Query {
        let orderBy = at(.order) ? try parseOrderBy() : nil
        let limit = try parseRowLimit()
        if case .nested(let inner) = body, with == nil, orderBy == nil, limit == nil {
            return inner
        }
        return Query(
            with: with,
            body: body,
            orderBy: orderBy,
            limit: limit,
            span: span(from: start)
        )
    }

    // MARK: WITH

    @inline(never)
    mutating func parseWith() throws(SQLError) -> WithClause {
        let start = advance()
        let isRecursive = take(.recursive)
        let expressions = try list { (parser) throws(SQLError) in
            try parser.parseCommonTableExpression()
        }
        return WithClause(
            isRecursive: isRecursive,
            expressions: expressions,
            span: span(from: start)
        )
    }

    private mutating func parseCommonTableExpression() throws(SQLError) -> CommonTableExpression {
        let name = try parseIdentifier("a name for the query")
        let columns = at(.leftParenthesis) ? try parseColumnNames() : []
        try expect(.as)
        var isMaterialized: Bool?
        if take(.materialized) {
            isMaterialized = true
        } else if take(.not) {
            try expect(.materialized)
            isMaterialized = false
        }
        return CommonTableExpression(
            name: name,
            columns: columns,
            isMaterialized: isMaterialized,
            query: try parseParenthesisedQuery()
        )
    }

    /// `(query)`.
    @inline(never)
    mutating func parseParenthesisedQuery() throws(SQLError) -> Query {
        try expect(.leftParenthesis)
        let query = try parseQuery()
        try expect(.rightParenthesis)
        return query
    }

    // MARK: Set operations

    private mutating func parseQueryBody() throws(SQLError) -> QueryBody {
        try parseUnions(first: try parseIntersections(first: try parseOperand()))
    }

    private static func operand(_ query: Query) -> QueryBody {
        guard query.with == nil, query.orderBy == nil, query.limit == nil else {
            return .nested(query)
        }
        return query.body
    }

    @inline(never)
    private mutating func parseOperand() throws(SQLError) -> QueryBody {
        switch token.kind {
        case .symbol(.leftParenthesis):
            return Self.operand(try parseParenthesisedQuery())
        case .keyword(.select), .keyword(.from):
            return .select(try parseSelectBlock())
        case .keyword(.values):
            return .values(try parseValues())
        case .keyword(.pivot), .keyword(.unpivot):
            return try parsePivotQuery()
        case .keyword(.table):
            advance()
            return .table(try parseObjectName("a table name"))
        default:
            throw unexpected(
                "SELECT, VALUES, TABLE, FROM or \"(\"",
                candidates: [.select, .values, .table, .from]
            )
        }
    }

    /// `VALUES (…), (…)`.
    private mutating func parseValues() throws(SQLError) -> [[Expression]] {
        advance()
        return try list { (parser) throws(SQLError) in
            try parser.parenthesised { (parser) throws(SQLError) in
                try parser.parseValueOrDefault()
            }
        }
    }

    /// An expression or `DEFAULT`.
    mutating func parseValueOrDefault() throws(SQLError) -> Expression {
        if at(.default) { return Expression(.defaultValue, span: advance().span) }
        return try parseExpression()
    }

    /// What a set operation on top of another costs of `heightMax`: comparing takes that much stack.
    private static let setOperationHeight = 6

    @inline(never)
    private mutating func parseIntersections(first: QueryBody) throws(SQLError) -> QueryBody {
        var chain = SetChain(first)
        while at(.intersect) {
            let operation = try parseSetOperator(.intersect)
            let isNewLevel = chain.append(operation, try parseOperand())
            if isNewLevel { try grow(Self.setOperationHeight) }
        }
        return chain.body
    }

    @inline(never)
    private mutating func parseUnions(first: QueryBody) throws(SQLError) -> QueryBody {
        var chain = SetChain(first)
        while at(.union) || at(.except) {
            let operation = try parseSetOperator(at(.union) ? .union : .except)
            let right = try parseIntersections(first: try parseOperand())
            let isNewLevel = chain.append(operation, right)
            if isNewLevel { try grow(Self.setOperationHeight) }
        }
        return chain.body
    }

    /// `UNION [ALL | DISTINCT] [BY NAME]`, as an operation without operands.
    private mutating func parseSetOperator(
        _ setOperator: SetOperation.Operator
    ) throws(SQLError) -> SetOperation {
        let start = advance()
        let isAll = take(.all)
        if !isAll { _ = take(.distinct) }
        var isByName = false
        if take(.by) {
            try expect(.name)
            isByName = true
        }
        return SetOperation(
            setOperator: setOperator,
            isAll: isAll,
            isByName: isByName,
            operands: [],
            span: span(from: start)
        )
    }

    /// Gathers `a op b op c` into one node as long as the operator stays the same.
    private struct SetChain {
        private var first: QueryBody
        private var operation: SetOperation?

        init(_ first: QueryBody) {
            if case .setOperation(let operation) = first {
                self.operation = operation
            }
            self.first = first
        }

        var body: QueryBody {
            if let operation { .setOperation(operation) } else { first }
        }

        /// True when the tree grew by a level.
        mutating func append(_ next: SetOperation, _ right: QueryBody) -> Bool {
            // No second reference to the operands here: appending must not copy them.
            if operation?.setOperator == next.setOperator, operation?.isAll == next.isAll,
                operation?.isByName == next.isByName
            {
                operation?.operands.append(right)
                return false
            }
            let left = body
            operation = next
            operation?.operands = [left, right]
            return true
        }
    }

    // MARK: SELECT

    @inline(never)
    private mutating func parseSelectBlock() throws(SQLError) -> SelectBlock {
        let start = token
        var block = SelectBlock(items: [])
        if take(.from) {
            block.from = try parseFrom()
            if take(.select) {
                try parseSelectList(&block)
            } else {
                block.items = [SelectItem(expression: Expression(.star(Star()), span: start.span))]
            }
        } else {
            advance()
            try parseSelectList(&block)
            if take(.from) { block.from = try parseFrom() }
        }
        try parseSelectClauses(&block)
        block.span = span(from: start)
        return block
    }

    @inline(never)
    private mutating func parseSelectList(_ block: inout SelectBlock) throws(SQLError) {
        if take(.distinct) {
            if take(.on) {
                block.distinct = .on(
                    try parenthesised { (parser) throws(SQLError) in try parser.parseExpression() }
                )
            } else {
                block.distinct = .rows
            }
        } else {
            _ = take(.all)
        }
        block.items = try parseSelectItems()
    }

    mutating func parseSelectItems() throws(SQLError) -> [SelectItem] {
        try lenientList { (parser) throws(SQLError) in try parser.parseSelectItem() }
    }

    @inline(never)
    private mutating func parseSelectItem() throws(SQLError) -> SelectItem {
        if isName(token), peek().kind == .symbol(.colon) {
            // `a: expression` names what follows.
            let alias = identifier(advance())
            advance()
            return SelectItem(expression: try parseExpression(), alias: alias)
        }
        starOffset = token.offset
        let expression = try parseExpression()
        if case .star = expression.node { return SelectItem(expression: expression) }
        return SelectItem(expression: expression, alias: try parseColumnAlias())
    }

    @inline(never)
    private mutating func parseColumnAlias() throws(SQLError) -> Identifier? {
        if take(.as) {
            if case .string = token.kind {
                let start = token
                let name = try parseString("a name")
                guard !name.isEmpty else { throw error("a name must not be empty", at: start) }
                return Identifier(name, isQuoted: true, span: span(from: start))
            }
            return try parseLabel("a name for the column")
        }
        return isName(token) ? identifier(advance()) : nil
    }

    /// What follows the star: `EXCLUDE (…) REPLACE (…) RENAME (…)`, in any order.
    @inline(never)
    mutating func parseStarOptions(_ qualifier: ObjectName) throws(SQLError) -> Star {
        var star = Star(qualifier: qualifier)
        while true {
            if take(.exclude) {
                star.excluded += try parseOneOrMore { (parser) throws(SQLError) in
                    try parser.parseObjectName("a column name")
                }
            } else if take(.replace) {
                star.replaced += try parseOneOrMore { (parser) throws(SQLError) in
                    let expression = try parser.parseExpression()
                    _ = parser.take(.as)
                    let name = try parser.parseObjectName("a column name")
                    return StarReplacement(expression: expression, name: name)
                }
            } else if take(.rename) {
                star.renamed += try parseOneOrMore { (parser) throws(SQLError) in
                    let old = try parser.parseObjectName("a column name")
                    try parser.expect(.as)
                    return StarRenaming(old: old, new: try parser.parseIdentifier("a column name"))
                }
            } else if star.pattern == nil, startsStarPattern() {
                star.pattern = try parseStarPattern()
            } else {
                if !star.replaced.isEmpty || star.pattern != nil { try grow() }
                return star
            }
        }
    }

    private mutating func startsStarPattern() -> Bool {
        switch at(.not) ? peek().kind : token.kind {
        case .keyword(.like), .keyword(.ilike), .keyword(.glob), .keyword(.similar): true
        default: false
        }
    }

    /// `[NOT] LIKE pattern` and its kin, of the names of columns.
    private mutating func parseStarPattern() throws(SQLError) -> StarPattern {
        let isNegated = take(.not)
        let kind: PatternKind
        switch advance().kind {
        case .keyword(.like): kind = .like
        case .keyword(.ilike): kind = .ilike
        case .keyword(.glob): kind = .glob
        default:
            try expect(.to)
            kind = .similarTo
        }
        let pattern = try parseExpression(Precedence.matching + 1)
        return StarPattern(kind: kind, pattern: pattern, isNegated: isNegated)
    }

    /// `(a, b)` or just `a`.
    private mutating func parseOneOrMore<Element>(
        _ element: (inout Parser) throws(SQLError) -> Element
    ) throws(SQLError) -> [Element] {
        at(.leftParenthesis) ? try parenthesised(element) : [try element(&self)]
    }

    @inline(never)
    private mutating func parseSelectClauses(_ block: inout SelectBlock) throws(SQLError) {
        if take(.where) { block.filter = try parseExpression() }
        if take(.group) {
            try expect(.by)
            block.groupBy = try parseGroupBy()
        }
        if take(.having) { block.having = try parseExpression() }
        while at(.window) || at(.qualify) {
            if at(.qualify) {
                guard block.qualify == nil else { throw unexpected("the end of the query") }
                advance()
                block.qualify = try parseExpression()
            } else {
                guard block.windows.isEmpty else { throw unexpected("the end of the query") }
                advance()
                block.windows = try list { (parser) throws(SQLError) in
                    let name = try parser.parseIdentifier("a window name")
                    try parser.expect(.as)
                    let specification = try parser.parseWindowSpecification()
                    return NamedWindow(name: name, specification: specification)
                }
            }
        }
        if take(.using, .sample) { block.sample = try parseSampleRest(from: previous) }
    }

    // MARK: GROUP BY, ORDER BY, LIMIT

    @inline(never)
    private mutating func parseGroupBy() throws(SQLError) -> GroupBy {
        if take(.all) { return .all }
        let isDistinct = take(.distinct)
        let elements = try lenientList { (parser) throws(SQLError) in
            try parser.parseGroupingElement()
        }
        return .elements(elements, isDistinct: isDistinct)
    }

    @inline(never)
    private mutating func parseGroupingElement() throws(SQLError) -> GroupingElement {
        try enter()
        defer { leave() }
        if at(.rollup, .leftParenthesis) {
            advance()
            return .rollup(try parseGroupingLists())
        }
        if at(.cube, .leftParenthesis) {
            advance()
            return .cube(try parseGroupingLists())
        }
        if at(.grouping, .sets) {
            advance()
            advance()
            let elements = try parenthesised { (parser) throws(SQLError) in
                try parser.parseGroupingElement()
            }
            try grow()
            return .sets(elements)
        }
        return .expressions(try parseGroupingList())
    }

    private mutating func parseGroupingLists() throws(SQLError) -> [[Expression]] {
        try parenthesised { (parser) throws(SQLError) in try parser.parseGroupingList() }
    }

    /// `a`, `(a, b)` or `()`.
    private mutating func parseGroupingList() throws(SQLError) -> [Expression] {
        guard at(.leftParenthesis) else { return [try parseExpression()] }
        if peek().kind == .symbol(.rightParenthesis) {
            advance()
            advance()
            return []
        }
        let expression = try parseExpression()
        if case .row(let values) = expression.node { return values }
        return [expression]
    }

    @inline(never)
    private mutating func parseOrderBy() throws(SQLError) -> OrderBy {
        if peek(2).kind == .keyword(.all) {
            advance()
            try expect(.by)
            advance()
            let direction = takeDirection()
            return .all(direction, try parseNullOrder())
        }
        return .items(try parseOrderItems())
    }

    /// `ORDER BY a DESC NULLS LAST, …`.
    @inline(never)
    mutating func parseOrderItems() throws(SQLError) -> [OrderItem] {
        try expect(.order)
        try expect(.by)
        return try lenientList { (parser) throws(SQLError) in
            let expression = try parser.parseExpression()
            let direction = parser.takeDirection()
            let nulls = try parser.parseNullOrder()
            return OrderItem(expression: expression, direction: direction, nulls: nulls)
        }
    }

    @inline(never)
    mutating func takeDirection() -> SortDirection? {
        if take(.asc) { return .ascending }
        return take(.desc) ? .descending : nil
    }

    @inline(never)
    mutating func parseNullOrder() throws(SQLError) -> NullOrder? {
        guard take(.nulls) else { return nil }
        if take(.first) { return .first }
        guard take(.last) else {
            throw unexpected("FIRST or LAST", candidates: [.first, .last])
        }
        return .last
    }

    @inline(never)
    private mutating func parseRowLimit() throws(SQLError) -> RowLimit? {
        guard at(.limit) || at(.offset) || at(.fetch) else { return nil }
        var limit = RowLimit()
        var hasCount = false
        var hasOffset = false
        while true {
            if !hasCount, take(.limit) {
                hasCount = true
                try parseLimitCount(&limit)
            } else if !hasOffset, take(.offset) {
                hasOffset = true
                limit.offset = try parseExpression()
                if !take(.row) { _ = take(.rows) }
            } else if !hasCount, take(.fetch) {
                hasCount = true
                try parseFetch(&limit)
            } else {
                break
            }
        }
        // LIMIT ALL is what no limit says.
        guard limit.count != nil || limit.offset != nil else { return nil }
        return limit
    }

    @inline(never)
    private mutating func parseLimitCount(_ limit: inout RowLimit) throws(SQLError) {
        if take(.all) || take(.null) { return }
        if startsPercentage() {
            limit.count = try parsePrimary()
            advance()
            limit.isPercent = true
            return
        }
        limit.count = try parseExpression()
        if at(.comma) {
            throw error("LIMIT takes one number", hint: "write LIMIT count OFFSET start")
        }
        limit.isPercent = take(Keyword.percent)
    }

    /// `10%` or `10 PERCENT`, and no modulo.
    private mutating func startsPercentage() -> Bool {
        guard token.kind == .integer || token.kind == .decimal else { return false }
        if peek().kind == .keyword(.percent) { return true }
        guard peek().kind == .symbol(.percent) else { return false }
        switch peek(2).kind {
        case .end, .symbol(.rightParenthesis), .symbol(.semicolon), .keyword(.offset): return true
        default: return false
        }
    }

    @inline(never)
    private mutating func parseFetch(_ limit: inout RowLimit) throws(SQLError) {
        guard take(.first) || take(.next) else {
            throw unexpected("FIRST or NEXT", candidates: [.first, .next])
        }
        if at(.row) || at(.rows) {
            limit.count = Expression(.literal(.integer("1")), span: previous.span)
        } else {
            limit.count = try parseExpression(Precedence.sum)
            limit.isPercent = take(Keyword.percent)
        }
        guard take(.rows) || take(.row) else {
            throw unexpected("ROWS", candidates: [.rows, .row])
        }
        if take(.with) {
            try expect(.ties)
            limit.isWithTies = true
        } else {
            try expect(.only)
        }
    }
}
