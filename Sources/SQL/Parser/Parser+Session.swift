extension Parser {
    // MARK: SHOW, DESCRIBE, EXPLAIN

    mutating func parseShow() throws(SQLError) -> Show {
        let start = advance()
        return Show(subject: try parseShowSubject(), span: span(from: start))
    }

    private mutating func parseShowSubject() throws(SQLError) -> Show.Subject {
        if take(.tables) {
            let (namespace, pattern) = try parseShowScope()
            return .tables(namespace, like: pattern)
        }
        if take(.views) {
            let (namespace, pattern) = try parseShowScope()
            return .views(namespace, like: pattern)
        }
        if take(.schemas) || take(.namespaces) || take(.databases) {
            let (namespace, pattern) = try parseShowScope()
            return .schemas(namespace, like: pattern)
        }
        if take(.create) {
            if take(.view) { return .createView(try parseObjectName("a view name")) }
            guard take(.table) else {
                throw unexpected("TABLE or VIEW", candidates: [.table, .view])
            }
            return .createTable(try parseObjectName("a table name"))
        }
        if take(.columns) {
            guard take(.from) || take(.in) else {
                throw unexpected("FROM or IN", candidates: [.from, .in])
            }
            return .columns(try parseObjectName("a table name"))
        }
        if at(.all) { return .setting([identifier(advance())]) }
        if takeWord("branches") { return .references(.branch) }
        if takeWord("tags") { return .references(.tag) }
        return .setting(try parseObjectName("TABLES, SCHEMAS, COLUMNS, CREATE TABLE or a setting"))
    }

    /// `[FROM | IN ns] [[LIKE] 'pattern']`.
    private mutating func parseShowScope() throws(SQLError) -> (ObjectName?, String?) {
        var namespace: ObjectName?
        if take(.from) || take(.in) { namespace = try parseObjectName("a schema name") }
        guard take(.like) else { return (namespace, nil) }
        return (namespace, try parseString("a pattern"))
    }

    mutating func parseDescribe() throws(SQLError) -> Describe {
        let start = advance()
        if startsQuery(), !at(.table) {
            return Describe(subject: .query(try parseQuery()), span: span(from: start))
        }
        if at(.leftParenthesis) {
            return Describe(subject: .query(try parseQuery()), span: span(from: start))
        }
        _ = take(.table)
        let name = try parseObjectName("a table name or a query")
        return Describe(subject: .table(name), span: span(from: start))
    }

    mutating func parseExplain() throws(SQLError) -> Explain {
        let start = advance()
        var kind = Explain.Kind.plan
        var format: Identifier?
        if take(.lineage) {
            kind = .lineage
        } else if take(.analyze) {
            kind = .analyze
        }
        if at(.leftParenthesis), startsExplainOptions() {
            try parseExplainOptions(&kind, &format)
        }
        let statement: Statement
        if kind == .lineage {
            guard startsQuery() || at(.leftParenthesis) else { throw unexpected("a query") }
            statement = .query(try parseQuery())
        } else {
            guard !at(.explain) else { throw unexpected("a statement other than EXPLAIN") }
            statement = try parseStatement()
        }
        return Explain(kind: kind, format: format, statement: statement, span: span(from: start))
    }

    private mutating func startsExplainOptions() -> Bool {
        switch peek().kind {
        case .keyword(.format), .keyword(.analyze), .keyword(.lineage): true
        default: false
        }
    }

    private mutating func parseExplainOptions(
        _ kind: inout Explain.Kind,
        _ format: inout Identifier?
    ) throws(SQLError) {
        advance()
        repeat {
            if take(.analyze) {
                kind = .analyze
            } else if take(.lineage) {
                kind = .lineage
            } else {
                try expect(.format)
                format = try parseIdentifier("a format")
            }
        } while take(.comma)
        try expect(.rightParenthesis)
    }

    // MARK: Settings

    mutating func parseUse() throws(SQLError) -> Use {
        let start = advance()
        if at(.schema) || at(.namespace) || at(.database), isName(peek()) { advance() }
        let name = try parseObjectName("a schema name")
        return Use(name: name, span: span(from: start))
    }

    mutating func parseSet() throws(SQLError) -> SetSetting {
        let start = advance()
        takeSettingScope()
        let name: ObjectName
        let values: [Expression]
        if at(.time), peek().kind == .keyword(.zone) {
            name = [Identifier("timezone", span: advance().span)]
            advance()
            values = [try parseSettingValue()]
        } else {
            name = try parseObjectName("a setting")
            if !take(.to) {
                guard take(.equal) else { throw unexpected("\"=\" or TO", candidates: [.to]) }
            }
            values = try list { (parser) throws(SQLError) in try parser.parseSettingValue() }
        }
        return SetSetting(name: name, values: values, span: span(from: start))
    }

    private mutating func takeSettingScope() {
        guard at(.session) || at(.local) || at(.global), isName(peek()) else { return }
        advance()
    }

    /// An expression, `DEFAULT`, or a word such as `on`, which comes as a column of that name.
    mutating func parseSettingValue() throws(SQLError) -> Expression {
        if at(.default) { return Expression(.defaultValue, span: advance().span) }
        if at(.on) {
            let word = Identifier(text.source(token), isQuoted: true, span: token.span)
            return Expression(.column([word]), span: advance().span)
        }
        return try parseExpression()
    }

    mutating func parseReset() throws(SQLError) -> ResetSetting {
        let start = advance()
        if take(.all) { return ResetSetting(name: nil, span: span(from: start)) }
        takeSettingScope()
        let name = try parseObjectName("a setting")
        return ResetSetting(name: name, span: span(from: start))
    }

    // MARK: Transactions

    mutating func parseTransaction(_ keyword: Keyword) throws(SQLError) -> TransactionCommand {
        let start = advance()
        if keyword == .start {
            try expect(.transaction)
        } else if !take(.transaction) {
            _ = take(.work)
        }
        let kind: TransactionCommand.Kind =
            switch keyword {
            case .begin, .start: .begin
            case .commit, .end: .commit
            default: .rollback
            }
        var isReadOnly: Bool?
        if kind == .begin, take(.read) {
            isReadOnly = take(.only)
            if isReadOnly == false { try expect(.write) }
        }
        return TransactionCommand(kind: kind, isReadOnly: isReadOnly, span: span(from: start))
    }

    // MARK: Prepared statements

    mutating func parsePrepare() throws(SQLError) -> Prepare {
        let start = advance()
        let name = try parseIdentifier("a name for the statement")
        var types: [TypeName] = []
        if at(.leftParenthesis) {
            types = try parenthesised { (parser) throws(SQLError) in try parser.parseTypeName() }
        }
        try expect(.as)
        guard !at(.prepare) else { throw unexpected("a statement other than PREPARE") }
        let statement = try parseStatement()
        return Prepare(name: name, types: types, statement: statement, span: span(from: start))
    }

    mutating func parseExecute() throws(SQLError) -> Execute {
        let start = advance()
        let name = try parseIdentifier("the name of a prepared statement")
        var arguments: [FunctionArgument] = []
        if take(.leftParenthesis) {
            if !at(.rightParenthesis) {
                arguments = try list { (parser) throws(SQLError) in try parser.parseArgument() }
            }
            try expect(.rightParenthesis)
        }
        return Execute(name: name, arguments: arguments, span: span(from: start))
    }

    mutating func parseDeallocate() throws(SQLError) -> Deallocate {
        let start = advance()
        if at(.prepare), isName(peek()) || peek().kind == .keyword(.all) { advance() }
        if take(.all) { return Deallocate(name: nil, span: span(from: start)) }
        let name = try parseIdentifier("the name of a prepared statement")
        return Deallocate(name: name, span: span(from: start))
    }
}
