extension Parser {
    /// Whether the token can be the name of a column, table or other thing.
    func isName(_ token: Token) -> Bool {
        switch token.kind {
        case .identifier, .quotedIdentifier: true
        case .keyword(let keyword): keyword.role == .free
        default: false
        }
    }

    /// Whether the token can be a name where nothing else is allowed: after a dot or `AS`.
    func isLabel(_ token: Token) -> Bool {
        switch token.kind {
        case .identifier, .quotedIdentifier, .keyword: true
        default: false
        }
    }

    @inline(never)
    func identifier(_ token: Token) -> Identifier {
        Identifier(
            text.name(token),
            isQuoted: token.kind == .quotedIdentifier,
            span: token.span
        )
    }

    /// A name; `expected` says of what.
    @inline(never)
    mutating func parseIdentifier(_ expected: String) throws(SQLError) -> Identifier {
        guard isName(token) else { throw unexpected(expected) }
        return identifier(advance())
    }

    /// A name or any keyword.
    @inline(never)
    mutating func parseLabel(_ expected: String) throws(SQLError) -> Identifier {
        guard isLabel(token) else { throw unexpected(expected) }
        return identifier(advance())
    }

    /// `a.b.c`.
    @inline(never)
    mutating func parseObjectName(_ expected: String) throws(SQLError) -> ObjectName {
        var name = [try parseIdentifier(expected)]
        while take(.dot) { name.append(try parseLabel("a name after the dot")) }
        return name
    }

    /// `(a, b, c)`.
    mutating func parseColumnNames() throws(SQLError) -> [Identifier] {
        try parenthesised { (parser) throws(SQLError) in
            try parser.parseIdentifier("a column name")
        }
    }

    // MARK: Small literals

    /// A string, of which neighbours on later lines are a part, as the SQL standard has it.
    @inline(never)
    mutating func parseString(_ expected: String) throws(SQLError) -> String {
        guard case .string(let form) = token.kind else { throw unexpected(expected) }
        var value = try stringValue(advance(), form: form)
        while case .string(let form) = token.kind, token.line > previous.line,
            form == .plain || form == .doubled
        {
            value += try stringValue(advance(), form: form)
        }
        return value
    }

    private func stringValue(
        _ token: Token,
        form: Token.StringForm
    ) throws(SQLError) -> String {
        switch text.string(token, form: form) {
        case .success(let value): return value
        case .failure(let problem): throw error(problem.message, at: token)
        }
    }

    /// A whole number without a sign that fits `Int`.
    mutating func parseCount(_ expected: String) throws(SQLError) -> Int {
        guard token.kind == .integer else { throw unexpected(expected) }
        guard let value = Int(text.number(token)) else {
            throw error("the number \(excerpt(token)) is too large")
        }
        advance()
        return value
    }
}
