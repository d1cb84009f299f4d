extension Parser {
    // MARK: INSERT

    mutating func parseInsert(with: WithClause?) throws(SQLError) -> Insert {
        let start = advance()
        let isOverwrite = take(.overwrite)
        let alternative = isOverwrite ? nil : try parseInsertAlternative()
        if isOverwrite {
            _ = take(.into)
        } else {
            guard take(.into) else {
                throw unexpected("INTO or OVERWRITE", candidates: [.into, .overwrite])
            }
        }
        _ = take(.table)
        let table = try parseObjectName("a table name")
        let alias = take(.as) ? try parseIdentifier("a name for the table") : nil
        var columns: [Identifier] = []
        if at(.leftParenthesis), !startsParenthesisedQuery() {
            columns = try parseColumnNames()
        }
        var isByName = false
        if take(.by), !takeAnyWord("position") {
            try expect(.name)
            isByName = true
        }
        let source: Insert.Source
        if take(.default, .values) {
            source = .defaultValues
        } else {
            guard startsQuery() || at(.leftParenthesis) else {
                throw unexpected(
                    "VALUES, DEFAULT VALUES or a query",
                    candidates: [.values, .default, .select]
                )
            }
            source = .query(try parseQuery())
        }
        var conflict = alternative
        if conflict == nil { conflict = try parseInsertConflict() }
        return Insert(
            with: with,
            table: table,
            alias: alias,
            columns: columns,
            isByName: isByName,
            isOverwrite: isOverwrite,
            source: source,
            returning: try parseReturning(),
            span: span(from: start),
            conflict: conflict
        )
    }

    /// Whether the parenthesis here opens a query rather than a list of columns.
    private mutating func startsParenthesisedQuery() -> Bool {
        switch peek().kind {
        case .symbol(.leftParenthesis), .keyword(.select), .keyword(.with), .keyword(.from),
            .keyword(.table):
            true
        case .keyword(.values):
            peek(2).kind == .symbol(.leftParenthesis)
        default:
            false
        }
    }

    // MARK: UPDATE, DELETE

    mutating func parseUpdate(with: WithClause?) throws(SQLError) -> Update {
        let start = advance()
        let table = try parseObjectName("a table name")
        let alias = try parseTargetAlias()
        try expect(.set)
        let assignments = try parseAssignments()
        let from = take(.from) ? try parseFrom() : []
        let filter = take(.where) ? try parseExpression() : nil
        return Update(
            with: with,
            table: table,
            alias: alias,
            assignments: assignments,
            from: from,
            filter: filter,
            returning: try parseReturning(),
            span: span(from: start)
        )
    }

    /// `[AS] t` after the table that a statement changes.
    private mutating func parseTargetAlias() throws(SQLError) -> Identifier? {
        if take(.as) { return try parseIdentifier("a name for the table") }
        guard isName(token), !at(.set) else { return nil }
        return identifier(advance())
    }

    mutating func parseAssignments() throws(SQLError) -> [Assignment] {
        try list { (parser) throws(SQLError) in
            let targets: [ObjectName]
            if parser.at(.leftParenthesis) {
                targets = try parser.parenthesised { (parser) throws(SQLError) in
                    try parser.parseObjectName("a column name")
                }
            } else {
                targets = [try parser.parseObjectName("a column name")]
            }
            try parser.expect(.equal)
            return Assignment(targets: targets, value: try parser.parseValueOrDefault())
        }
    }

    mutating func parseDelete(with: WithClause?) throws(SQLError) -> Delete {
        let start = advance()
        try expect(.from)
        let table = try parseObjectName("a table name")
        let alias = try parseTargetAlias()
        let using = take(.using) ? try parseFrom() : []
        let filter = take(.where) ? try parseExpression() : nil
        return Delete(
            with: with,
            table: table,
            alias: alias,
            using: using,
            filter: filter,
            returning: try parseReturning(),
            span: span(from: start)
        )
    }

    mutating func parseTruncate() throws(SQLError) -> Truncate {
        let start = advance()
        _ = take(.table)
        let tables = try list { (parser) throws(SQLError) in
            try parser.parseObjectName("a table name")
        }
        return Truncate(tables: tables, span: span(from: start))
    }

    // MARK: MERGE

    mutating func parseMerge(with: WithClause?) throws(SQLError) -> Merge {
        let start = advance()
        try expect(.into)
        let table = try parseObjectName("a table name")
        let alias = try parseTargetAlias()
        try expect(.using)
        let source = try parseMergeSource()
        let condition = try parseJoinCondition()
        var clauses: [MergeClause] = []
        while at(.when) { clauses.append(try parseMergeClause()) }
        guard !clauses.isEmpty else { throw unexpected("WHEN", candidates: [.when]) }
        return Merge(
            with: with,
            table: table,
            alias: alias,
            source: source,
            condition: condition,
            clauses: clauses,
            returning: try parseReturning(),
            span: span(from: start)
        )
    }

    private mutating func parseMergeClause() throws(SQLError) -> MergeClause {
        let start = advance()
        let match: MergeClause.Match
        if take(.not) {
            try expect(.matched)
            match = try parseMatchSide()
        } else {
            try expect(.matched)
            match = .matched
        }
        let condition = take(.and) ? try parseExpression() : nil
        try expect(.then)
        let action = try parseMergeAction(match)
        return MergeClause(
            match: match,
            condition: condition,
            action: action,
            span: span(from: start)
        )
    }

    private mutating func parseMatchSide() throws(SQLError) -> MergeClause.Match {
        guard take(.by) else { return .notMatchedByTarget }
        if take(.source) { return .notMatchedBySource }
        guard take(.target) else {
            throw unexpected("SOURCE or TARGET", candidates: [.source, .target])
        }
        return .notMatchedByTarget
    }

    private mutating func parseMergeAction(
        _ match: MergeClause.Match
    ) throws(SQLError) -> MergeClause.Action {
        let isInsert = match == .notMatchedByTarget
        let expected = isInsert ? "INSERT or DO NOTHING" : "UPDATE, DELETE or DO NOTHING"
        if take(.do, .nothing) { return .doNothing }
        if isInsert, take(.insert) { return try parseMergeInsert() }
        if !isInsert, take(.delete) { return .delete }
        guard !isInsert, take(.update) else {
            throw unexpected(expected, candidates: [.insert, .update, .delete])
        }
        guard take(.set) else {
            _ = take(.by, .name)
            return .updateAll
        }
        return take(.star) ? .updateAll : .update(try parseAssignments())
    }

    private mutating func parseMergeInsert() throws(SQLError) -> MergeClause.Action {
        if take(.star) { return .insertAll }
        if take(.by, .name) { return .insertByName }
        if take(.default, .values) { return .insertDefaultValues }
        let columns = at(.leftParenthesis) ? try parseColumnNames() : []
        guard take(.values) else {
            guard columns.isEmpty else { throw unexpected("VALUES", candidates: [.values]) }
            return .insertAll
        }
        let values = try parenthesised { (parser) throws(SQLError) in
            try parser.parseValueOrDefault()
        }
        return .insert(columns: columns, values: values)
    }

    // MARK: COPY

    mutating func parseCopy() throws(SQLError) -> Copy {
        let start = advance()
        let subject: Copy.Subject
        if at(.leftParenthesis) {
            subject = .query(try parseParenthesisedQuery())
        } else {
            let table = try parseObjectName("a table name or a query in parentheses")
            let columns = at(.leftParenthesis) ? try parseColumnNames() : []
            subject = .table(table, columns: columns)
        }
        let direction: Copy.Direction
        if case .table = subject, take(.from) {
            direction = .from
        } else {
            guard take(.to) else { throw unexpected("TO or FROM", candidates: [.to, .from]) }
            direction = .to
        }
        let path = try parseString("a file name")
        _ = take(.with)
        let options = at(.leftParenthesis) ? try parseCopyOptions() : []
        return Copy(
            subject: subject,
            direction: direction,
            path: path,
            options: options,
            span: span(from: start)
        )
    }

    private mutating func parseCopyOptions() throws(SQLError) -> [Copy.Option] {
        try parenthesised { (parser) throws(SQLError) in
            let name = try parser.parseLabel("an option name")
            guard !parser.at(.comma), !parser.at(.rightParenthesis) else {
                return Copy.Option(name: name, value: nil)
            }
            if !parser.take(.equal) { _ = parser.take(.rightArrow) }
            return Copy.Option(name: name, value: try parser.parseSettingValue())
        }
    }
}
