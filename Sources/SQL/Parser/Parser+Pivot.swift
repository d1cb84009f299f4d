/// PIVOT and UNPIVOT, as statements and behind tables, and what describes rows.
extension Parser {
    /// Whether the current token is this word, which is no keyword.
    func atWord(_ word: String) -> Bool {
        token.kind == .identifier && text.source(token).lowercased() == word
    }

    @inline(never)
    mutating func takeWord(_ word: String) -> Bool {
        guard atWord(word) else { return false }
        advance()
        return true
    }

    /// `PIVOT source ON … USING … GROUP BY …` or `UNPIVOT source ON … INTO NAME … VALUE …`, as a query.
    @inline(never)
    mutating func parsePivotQuery() throws(SQLError) -> QueryBody {
        let start = advance()
        let table: TableReference
        if start.kind == .keyword(.pivot) {
            table = .pivot(try parsePivotStatement(start))
        } else {
            table = .unpivot(try parseUnpivotStatement(start))
        }
        try grow(4)
        return .select(Self.all(of: table, span(from: start)))
    }

    static func all(of table: TableReference, _ span: SourceSpan) -> SelectBlock {
        SelectBlock(
            items: [SelectItem(expression: Expression(.star(Star()), span: span))],
            from: [table],
            span: span
        )
    }

    private mutating func parsePivotStatement(_ start: Token) throws(SQLError) -> Pivot {
        let source = try parseTableReference()
        var columns: [Pivot.Column] = []
        if take(.on) {
            columns = try list { (parser) throws(SQLError) in try parser.parsePivotColumn() }
        }
        let aggregates = take(.using) ? try parseSelectItems() : []
        guard !columns.isEmpty || !aggregates.isEmpty else {
            throw unexpected("ON or USING", candidates: [.on, .using])
        }
        return Pivot(
            source: source,
            on: columns,
            aggregates: aggregates,
            groupBy: try parsePivotGroups(),
            isStatement: true,
            span: span(from: start)
        )
    }

    private mutating func parsePivotGroups() throws(SQLError) -> [Expression]? {
        guard take(.group) else { return nil }
        try expect(.by)
        return try parseExpressions()
    }

    /// `expression [IN (values)]`.
    @inline(never)
    private mutating func parsePivotColumn() throws(SQLError) -> Pivot.Column {
        var expression = try parseExpression(Precedence.matching + 1)
        if !at(.in) { expression = try continueExpression(expression) }
        guard take(.in) else { return Pivot.Column(expression: expression) }
        try expect(.leftParenthesis)
        if startsQuery() {
            let query = try parseQuery()
            try expect(.rightParenthesis)
            return Pivot.Column(expression: expression, values: .query(query))
        }
        let values = try parseSelectItems()
        try expect(.rightParenthesis)
        return Pivot.Column(expression: expression, values: .list(values))
    }

    private mutating func parseUnpivotStatement(_ start: Token) throws(SQLError) -> Unpivot {
        let isIncludingNulls = try parseUnpivotNulls()
        let source = try parseTableReference()
        try expect(.on)
        let columns = try parseSelectItems()
        var name = Identifier("name")
        var values = [Identifier("value")]
        if take(.into) {
            guard take(.name) else { throw unexpected("NAME", candidates: [.name]) }
            name = try parseIdentifier("a column name")
            guard takeWord("value") || take(.values) else { throw unexpected("VALUE") }
            values = try list { (parser) throws(SQLError) in
                try parser.parseIdentifier("a column name")
            }
        }
        return Unpivot(
            source: source,
            columns: columns,
            name: name,
            values: values,
            isIncludingNulls: isIncludingNulls,
            isStatement: true,
            span: span(from: start)
        )
    }

    /// `INCLUDE NULLS` (true), `EXCLUDE NULLS` or nothing.
    private mutating func parseUnpivotNulls() throws(SQLError) -> Bool {
        if atWord("include"), peek().kind == .keyword(.nulls) {
            advance()
            advance()
            return true
        }
        _ = take(.exclude, .nulls)
        return false
    }

    // MARK: Behind a table

    /// Whether `PIVOT (` or `UNPIVOT [INCLUDE NULLS] (` comes next.
    mutating func startsTablePivot() -> Bool {
        if at(.pivot) { return peek().kind == .symbol(.leftParenthesis) }
        return at(.unpivot)
    }

    @inline(never)
    mutating func parseTablePivot(_ source: TableReference) throws(SQLError) -> TableReference {
        let start = advance()
        var result: TableReference
        if start.kind == .keyword(.pivot) {
            try expect(.leftParenthesis)
            var aggregates = [try parsePivotAggregate()]
            while take(.comma) { aggregates.append(try parsePivotAggregate()) }
            guard take(.for) else { throw unexpected("FOR", candidates: [.for]) }
            var columns = [try parsePivotColumn()]
            while !at(.rightParenthesis), !at(.group) {
                _ = take(.comma)
                columns.append(try parsePivotColumn())
            }
            let groupBy = try parsePivotGroups()
            try expect(.rightParenthesis)
            result = .pivot(
                Pivot(
                    source: source,
                    on: columns,
                    aggregates: aggregates,
                    groupBy: groupBy,
                    isStatement: false,
                    alias: try parseTableAlias(),
                    span: source.span.through(previous.span)
                )
            )
        } else {
            let isIncludingNulls = try parseUnpivotNulls()
            try expect(.leftParenthesis)
            let values =
                at(.leftParenthesis)
                ? try parseColumnNames() : [try parseIdentifier("a column name")]
            guard take(.for) else { throw unexpected("FOR", candidates: [.for]) }
            let name = try parseIdentifier("a column name")
            try expect(.in)
            try expect(.leftParenthesis)
            let columns = try parseSelectItems()
            try expect(.rightParenthesis)
            try expect(.rightParenthesis)
            result = .unpivot(
                Unpivot(
                    source: source,
                    columns: columns,
                    name: name,
                    values: values,
                    isIncludingNulls: isIncludingNulls,
                    isStatement: false,
                    alias: try parseTableAlias(),
                    span: source.span.through(previous.span)
                )
            )
        }
        try grow(3)
        return result
    }

    /// `aggregate [AS name]`; a bare word after it is `FOR`.
    private mutating func parsePivotAggregate() throws(SQLError) -> SelectItem {
        let expression = try parseExpression()
        guard take(.as) || (isName(token) && !at(.for)) else {
            return SelectItem(expression: expression)
        }
        return SelectItem(
            expression: expression,
            alias: try parseLabel("a name for the column")
        )
    }

    // MARK: DESCRIBE and SUMMARIZE in FROM

    /// Whether `DESCRIBE …` or `SUMMARIZE …` comes next, rather than a table of that name.
    mutating func startsDescription() -> Bool {
        guard at(.describe) || atWord("summarize") else { return false }
        switch peek().kind {
        case .symbol(.leftParenthesis), .string, .identifier, .quotedIdentifier: return true
        case .keyword(let keyword):
            switch keyword {
            case .select, .from, .with, .table, .values, .pivot, .unpivot: return true
            case .as, .join: return false
            default: return keyword.role == .free
            }
        default: return false
        }
    }

    /// `DESCRIBE | SUMMARIZE query | table`.
    @inline(never)
    mutating func parseDescription() throws(SQLError) -> DescribedTable {
        let start = advance()
        let kind: DescribedTable.Kind =
            start.kind == .keyword(.describe) ? .columns : .summary
        let query: Query
        if startsQuery() || at(.leftParenthesis) {
            query = try parseQuery()
        } else {
            let table = try parseTableReference()
            query = Query(body: .select(Self.all(of: table, table.span)), span: table.span)
        }
        try grow(2)
        return DescribedTable(kind: kind, query: query, span: span(from: start))
    }
}
