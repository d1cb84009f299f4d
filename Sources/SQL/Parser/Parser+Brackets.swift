extension Parser {
    // MARK: Parentheses

    /// What stood between parentheses.
    indirect enum Parenthesised {
        case query(Query)
        /// At least one.
        case list([Expression])
    }

    @inline(never)
    mutating func parseParenthesisedExpression() throws(SQLError) -> Expression {
        let start = token
        let inside = try parseParenthesised()
        return try expression(inside, from: start)
    }

    @inline(never)
    private mutating func expression(
        _ inside: Parenthesised,
        from start: Token
    ) throws(SQLError) -> Expression {
        switch inside {
        case .query(let query):
            try grow()
            return Expression(.subquery(query), span: span(from: start))
        case .list(let values):
            if values.count == 1 {
                return Expression(values[0].node, span: span(from: start))
            }
            try grow()
            return Expression(.row(values), span: span(from: start))
        }
    }

    /// A query or expressions in parentheses; of parentheses around parentheses the innermost decide
    /// as late as possible, so that nothing is read twice.
    @inline(never)
    mutating func parseParenthesised() throws(SQLError) -> Parenthesised {
        let start = token
        try expect(.leftParenthesis)
        let result: Parenthesised
        if startsQuery() {
            result = try parseQueryInside()
        } else if at(.leftParenthesis) {
            let innerStart = token
            try enter()
            let inner = try parseParenthesised()
            leave()
            result = try continueInside(inner, from: innerStart)
        } else {
            guard !at(.rightParenthesis) else {
                throw error("empty parentheses where an expression is expected", at: start)
            }
            result = .list(try parseExpressions())
        }
        try expect(.rightParenthesis)
        return result
    }

    @inline(never)
    private mutating func parseQueryInside() throws(SQLError) -> Parenthesised {
        .query(try parseQuery())
    }

    /// Goes on after inner parentheses.
    @inline(never)
    private mutating func continueInside(
        _ inner: Parenthesised,
        from start: Token
    ) throws(SQLError) -> Parenthesised {
        let first: Expression
        switch inner {
        case .query(let query):
            if continuesQuery() { return .query(try continueQuery(query, from: start)) }
            if at(.rightParenthesis) { return inner }
            try grow()
            first = Expression(.subquery(query), span: span(from: start))
        case .list(let values):
            if values.count == 1 {
                first = Expression(values[0].node, span: span(from: start))
            } else {
                try grow()
                first = Expression(.row(values), span: span(from: start))
            }
        }
        return .list(try parseRest(after: first))
    }

    @inline(never)
    mutating func parseExpressions() throws(SQLError) -> [Expression] {
        try lenientList { (parser) throws(SQLError) in try parser.parseExpression() }
    }

    @inline(never)
    private mutating func parseRest(after first: Expression) throws(SQLError) -> [Expression] {
        var values = [try continueExpression(first)]
        while take(.comma) {
            if endsList() { break }
            values.append(try parseExpression())
        }
        return values
    }

    // MARK: Brackets and braces

    @inline(never)
    mutating func parseListLiteral(from start: Token) throws(SQLError) -> Expression {
        let elements = try parseListElements()
        if elements.count == 1, at(.for) {
            return try parseComprehension(elements[0], from: start)
        }
        try expect(.rightBracket)
        return Expression(.list(elements), span: span(from: start))
    }

    /// `[a, b`.
    @inline(never)
    private mutating func parseListElements() throws(SQLError) -> [Expression] {
        try expect(.leftBracket)
        let elements = at(.rightBracket) ? [] : try parseExpressions()
        try grow()
        return elements
    }

    /// The rest of `[body FOR x, place IN list IF condition]`, which comes as a call of
    /// `list_comprehension` with lambdas.
    @inline(never)
    private mutating func parseComprehension(
        _ body: Expression,
        from start: Token
    ) throws(SQLError) -> Expression {
        let word = advance()
        let parameters = try list { (parser) throws(SQLError) in
            try parser.parseIdentifier("a name for the element")
        }
        try expect(.in)
        var arguments = [try parseExpression()]
        arguments.append(Expression(.lambda(parameters: parameters, body: body), span: body.span))
        if take(.if) {
            let condition = try parseExpression()
            arguments.append(
                Expression(
                    .lambda(parameters: parameters, body: condition),
                    span: condition.span
                )
            )
        }
        try expect(.rightBracket)
        try grow()
        let call = FunctionCall(
            name: [Identifier("list_comprehension", span: word.span)],
            arguments: arguments.map { FunctionArgument(value: $0) }
        )
        return Expression(.function(call), span: span(from: start))
    }

    @inline(never)
    mutating func parseArray() throws(SQLError) -> Expression {
        let start = advance()
        if at(.leftBracket) { return try parseListLiteral(from: start) }
        guard at(.leftParenthesis) else { throw unexpected("\"[\" or \"(\" after ARRAY") }
        let open = token
        guard case .query(let query) = try parseParenthesised() else {
            throw error("ARRAY(…) takes a query", at: open, hint: "a list is written ARRAY[a, b]")
        }
        try grow()
        return Expression(.listQuery(query), span: span(from: start))
    }

    @inline(never)
    mutating func parseRow() throws(SQLError) -> Expression {
        let start = advance()
        advance()
        let values = at(.rightParenthesis) ? [] : try parseExpressions()
        try expect(.rightParenthesis)
        try grow()
        return Expression(.row(values), span: span(from: start))
    }

    /// `{'a': 1, b: 2}`.
    @inline(never)
    mutating func parseStructure() throws(SQLError) -> Expression {
        let start = advance()
        let entries = try list { (parser) throws(SQLError) -> StructureEntry in
            let name: Identifier
            if case .string = parser.token.kind {
                let start = parser.token
                let text = try parser.parseString("a field name")
                name = Identifier(text, isQuoted: true, span: parser.span(from: start))
            } else {
                name = try parser.parseLabel("a field name")
            }
            try parser.expect(.colon)
            return StructureEntry(name: name, value: try parser.parseExpression())
        }
        try expect(.rightBrace)
        try grow()
        return Expression(.structure(entries), span: span(from: start))
    }

    /// `MAP {'k': v}`.
    @inline(never)
    mutating func parseMap() throws(SQLError) -> Expression {
        let start = advance()
        advance()
        var entries: [MapEntry] = []
        if !at(.rightBrace) {
            entries = try list { (parser) throws(SQLError) -> MapEntry in
                let key = try parser.parseExpression()
                try parser.expect(.colon)
                return MapEntry(key: key, value: try parser.parseExpression())
            }
        }
        try expect(.rightBrace)
        try grow()
        return Expression(.map(entries), span: span(from: start))
    }
}
