extension Parser {
    /// One statement, up to but without its semicolon.
    @inline(never)
    mutating func parseStatement() throws(SQLError) -> Statement {
        try enter()
        defer { leave() }
        if startsQuery() || at(.leftParenthesis) { return try parseQueryStatement() }
        if let statement = try parseWordedStatement() { return statement }
        guard case .keyword(let keyword) = token.kind else { throw unexpectedStatement() }
        switch keyword {
        case .insert: return .insert(try parseInsert(with: nil))
        case .update: return .update(try parseUpdate(with: nil))
        case .delete: return .delete(try parseDelete(with: nil))
        case .merge where peek().kind == .keyword(.branch):
            return .mergeBranch(try parseMergeBranch())
        case .merge: return .merge(try parseMerge(with: nil))
        case .truncate: return .truncate(try parseTruncate())
        case .copy: return .copy(try parseCopy())
        case .create: return try parseCreate()
        case .drop: return try parseDropStatement()
        case .alter where isSchemaWord(peek()): return .alterSchema(try parseAlterSchema())
        case .alter: return .alterTable(try parseAlterTable())
        case .comment: return .comment(try parseCommentOn())
        case .show: return .show(try parseShow())
        case .describe, .desc: return .describe(try parseDescribe())
        case .explain: return .explain(try parseExplain())
        case .use where peek().kind == .keyword(.branch) && isLabel(peek(2)):
            return .set(try parseUseBranch())
        case .use: return .use(try parseUse())
        case .set: return .set(try parseSet())
        case .reset: return .reset(try parseReset())
        case .begin, .start, .commit, .end, .rollback, .abort:
            return .transaction(try parseTransaction(keyword))
        case .prepare: return .prepare(try parsePrepare())
        case .execute: return .execute(try parseExecute())
        case .deallocate: return .deallocate(try parseDeallocate())
        default: throw unexpectedStatement()
        }
    }

    @inline(never)
    private func unexpectedStatement() -> SQLError {
        if let meant = nearest(to: token, among: Self.statementKeywords) {
            return error(
                "unexpected \(describe(token)), expected a statement",
                hint: "did you mean \(meant.text)?"
            )
        }
        return unexpected("a statement")
    }

    /// A query, or `WITH … INSERT | UPDATE | DELETE | MERGE`.
    private mutating func parseQueryStatement() throws(SQLError) -> Statement {
        guard at(.with) else { return .query(try parseQuery()) }
        try enter(Self.queryDepth)
        defer { leave(Self.queryDepth) }
        let start = token
        let with = try parseWith()
        switch token.kind {
        case .keyword(.insert): return .insert(try parseInsert(with: with))
        case .keyword(.update): return .update(try parseUpdate(with: with))
        case .keyword(.delete): return .delete(try parseDelete(with: with))
        case .keyword(.merge): return .merge(try parseMerge(with: with))
        default: return .query(try parseQueryRest(with: with, from: start))
        }
    }

    private mutating func parseDropStatement() throws(SQLError) -> Statement {
        let start = token
        if peek().kind == .keyword(.branch) || peek().kind == .keyword(.tag) {
            return .dropCatalogReference(try parseDropCatalogReference())
        }
        guard peek().kind == .identifier else { return .drop(try parseDrop()) }
        let word = text.source(peek()).lowercased()
        if word == "index" {
            advance()
            advance()
            return try parseDropIndex(start)
        }
        guard word == "macro" || word == "function" else { return .drop(try parseDrop()) }
        advance()
        return .dropMacro(try parseDropMacro(start))
    }

    // MARK: Parts of many statements

    mutating func takeIfExists() throws(SQLError) -> Bool {
        guard take(.if) else { return false }
        try expect(.exists)
        return true
    }

    mutating func takeIfNotExists() throws(SQLError) -> Bool {
        guard take(.if) else { return false }
        try expect(.not)
        try expect(.exists)
        return true
    }

    mutating func parseReturning() throws(SQLError) -> [SelectItem] {
        take(.returning) ? try parseSelectItems() : []
    }

    /// `'k' = 'v', …` in parentheses.
    mutating func parseProperties() throws(SQLError) -> [Property] {
        try parenthesised { (parser) throws(SQLError) in
            let start = parser.token
            let key = try parser.parsePropertyKey()
            if !parser.take(.rightArrow) { try parser.expect(.equal) }
            let value = try parser.parsePropertyValue()
            return Property(key: key, value: value, span: parser.span(from: start))
        }
    }

    /// `'write.format'` or `write.format`.
    mutating func parsePropertyKey() throws(SQLError) -> String {
        if case .string = token.kind { return try parseString("a property name") }
        var key = try parseLabel("a property name").name
        while take(.dot) {
            key += ".\(try parseLabel("a name after the dot").name)"
        }
        return key
    }

    private mutating func parsePropertyValue() throws(SQLError) -> String {
        switch token.kind {
        case .string:
            return try parseString("a value")
        case .integer, .decimal:
            return text.number(advance())
        case .symbol(.minus) where peek().kind == .integer || peek().kind == .decimal:
            advance()
            return "-" + text.number(advance())
        case .keyword(.true), .keyword(.false):
            return text.source(advance()).lowercased()
        case .identifier, .quotedIdentifier:
            return text.name(advance())
        case .keyword(let keyword) where keyword.role == .free:
            return text.name(advance())
        default:
            throw unexpected("a string, a number or a boolean")
        }
    }
}
