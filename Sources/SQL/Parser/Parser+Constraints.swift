extension Parser {
    // MARK: Words that are no keywords

    /// Whether the token is this word, unquoted.
    func atWord(_ word: String, _ token: Token) -> Bool {
        switch token.kind {
        case .identifier, .keyword: text.source(token).lowercased() == word
        default: false
        }
    }

    mutating func takeAnyWord(_ word: String) -> Bool {
        guard atWord(word, token) else { return false }
        advance()
        return true
    }

    mutating func expectWord(_ word: String) throws(SQLError) {
        guard takeAnyWord(word) else { throw unexpected(word.uppercased()) }
    }

    // MARK: Constraints of tables

    /// `[CONSTRAINT name] PRIMARY KEY | UNIQUE | CHECK | FOREIGN KEY …`; nil when none stands here.
    mutating func parseTableConstraint() throws(SQLError) -> TableConstraint? {
        var name: Identifier?
        if take(.constraint) { name = try parseIdentifier("a name for the constraint") }
        if take(.primary) {
            try expectWord("key")
            return named(name, .primaryKey(try parseColumnNames()))
        }
        if take(.unique) { return named(name, .unique(try parseColumnNames())) }
        if take(.check) {
            try expect(.leftParenthesis)
            let condition = try parseExpression()
            try expect(.rightParenthesis)
            return .check(condition, name: name)
        }
        if take(.foreign) {
            try expectWord("key")
            let columns = try parseColumnNames()
            guard take(.references) else { throw unexpected("REFERENCES") }
            return named(name, .foreignKey(columns, try parseForeignKeyTarget()))
        }
        guard name == nil else {
            throw unexpected("PRIMARY KEY, UNIQUE, CHECK or FOREIGN KEY")
        }
        return nil
    }

    private func named(_ name: Identifier?, _ constraint: TableConstraint) -> TableConstraint {
        name.map { .named($0, constraint) } ?? constraint
    }

    /// `t [(columns)] [ON DELETE | UPDATE RESTRICT | NO ACTION]`, after `REFERENCES`.
    mutating func parseForeignKeyTarget() throws(SQLError) -> ForeignKeyTarget {
        let start = token
        let table = try parseObjectName("a table name")
        let columns = at(.leftParenthesis) ? try parseColumnNames() : []
        while at(.on) {
            advance()
            guard take(.delete) || take(.update) else { throw unexpected("DELETE or UPDATE") }
            if take(.restrict) { continue }
            if take(.no) {
                try expectWord("action")
                continue
            }
            throw error("foreign keys only refuse changes: RESTRICT or NO ACTION", at: token)
        }
        return ForeignKeyTarget(table: table, columns: columns, span: span(from: start))
    }

    /// Whether `GENERATED ALWAYS AS (…)` or `AS (…)` comes next.
    mutating func startsGenerated() -> Bool {
        if at(.as) { return peek().kind == .symbol(.leftParenthesis) }
        return atWord("generated", token) && (atWord("always", peek()) || atWord("by", peek()))
    }

    /// `GENERATED ALWAYS AS (expression) [STORED | VIRTUAL]`.
    mutating func parseGenerated() throws(SQLError) -> GeneratedColumn {
        if !take(.as) {
            advance()
            try expectWord("always")
            try expect(.as)
        }
        guard at(.leftParenthesis) else {
            throw error("identity columns are not supported: use a default or a number of your own")
        }
        try expect(.leftParenthesis)
        let expression = try parseExpression()
        try expect(.rightParenthesis)
        let isStored = takeAnyWord("stored")
        if !isStored { _ = takeAnyWord("virtual") }
        return GeneratedColumn(expression: expression, isStored: isStored)
    }

    // MARK: INSERT

    /// `OR REPLACE` and `OR IGNORE` before `INTO`.
    mutating func parseInsertAlternative() throws(SQLError) -> InsertConflict? {
        let start = token
        guard take(.or) else { return nil }
        let action: InsertConflict.Action
        if take(.replace) {
            action = .replace
        } else {
            guard take(.ignore) else { throw unexpected("REPLACE or IGNORE") }
            action = .nothing
        }
        return InsertConflict(columns: [], action: action, span: span(from: start))
    }

    /// `ON CONFLICT [(columns)] DO NOTHING | UPDATE SET …`.
    mutating func parseInsertConflict() throws(SQLError) -> InsertConflict? {
        guard at(.on), atWord("conflict", peek()) else { return nil }
        let start = advance()
        advance()
        let columns = at(.leftParenthesis) ? try parseColumnNames() : []
        try expect(.do)
        if take(.nothing) {
            return InsertConflict(columns: columns, action: .nothing, span: span(from: start))
        }
        guard take(.update) else { throw unexpected("NOTHING or UPDATE") }
        try expect(.set)
        let assignments = try parseAssignments()
        let filter = take(.where) ? try parseExpression() : nil
        return InsertConflict(
            columns: columns,
            action: .update(assignments, filter: filter),
            span: span(from: start)
        )
    }
}
