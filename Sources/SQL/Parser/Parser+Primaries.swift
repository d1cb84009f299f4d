extension Parser {
    /// What binds tightest: a constant, a name, a call, anything in brackets.
    ///
    /// Nothing but a switch: the functions on the way down to a nested expression keep small frames.
    @inline(never)
    mutating func parsePrimary() throws(SQLError) -> Expression {
        switch token.kind {
        case .identifier, .quotedIdentifier: try parseNamed()
        case .keyword(let keyword): try parseKeywordPrimary(keyword)
        case .symbol(let symbol): try parseSymbolPrimary(symbol)
        default: try parseConstant()
        }
    }

    @inline(never)
    private mutating func parseConstant() throws(SQLError) -> Expression {
        switch token.kind {
        case .integer:
            return literal(.integer(text.number(token)))
        case .decimal:
            return literal(.decimal(text.number(token)))
        case .integerWithBase:
            guard let digits = text.numberWithBase(token) else {
                throw error("\(excerpt(token)) is not a number of at most 128 bits")
            }
            return literal(.integer(digits))
        case .string:
            let start = token
            let value = try parseString("a string")
            return Expression(.literal(.string(value)), span: span(from: start))
        case .blob:
            guard let bytes = text.blob(token) else {
                throw error("a blob is written as pairs of hexadecimal digits")
            }
            return literal(.blob(bytes))
        case .numberedParameter, .namedParameter:
            return try parseParameter()
        default:
            throw unexpected("an expression")
        }
    }

    @inline(never)
    private mutating func literal(_ literal: Literal) -> Expression {
        Expression(.literal(literal), span: advance().span)
    }

    @inline(never)
    private mutating func parseParameter() throws(SQLError) -> Expression {
        let name = text.source(token).dropFirst()
        guard token.kind == .numberedParameter else {
            return Expression(.parameter(.named(String(name))), span: advance().span)
        }
        guard let number = Int(name), (1...Self.parameterNumberMax).contains(number) else {
            throw error("parameters are numbered from 1 to \(Self.parameterNumberMax)")
        }
        return Expression(.parameter(.numbered(number)), span: advance().span)
    }

    @inline(never)
    private mutating func parseSymbolPrimary(_ symbol: Symbol) throws(SQLError) -> Expression {
        switch symbol {
        case .leftParenthesis: try parseParenthesisedExpression()
        case .leftBracket: try parseListLiteral(from: token)
        case .leftBrace: try parseStructure()
        default: try parseSymbolConstant(symbol)
        }
    }

    /// A parameter or a star.
    @inline(never)
    private mutating func parseSymbolConstant(_ symbol: Symbol) throws(SQLError) -> Expression {
        let start = token
        switch symbol {
        case .question:
            questionCount += 1
            guard questionCount <= Self.parameterNumberMax else {
                throw error("more than \(Self.parameterNumberMax) parameters", code: .limit)
            }
            return Expression(.parameter(.numbered(questionCount)), span: advance().span)
        case .colon where isLabel(peek()) && token.touches(peek()):
            advance()
            let name = text.name(advance())
            return Expression(.parameter(.named(name)), span: span(from: start))
        case .star where token.offset == starOffset:
            advance()
            if at(.columns, .leftParenthesis) {
                // `*COLUMNS(…)`: the columns as so many arguments.
                let columns = FunctionArgument(value: try parsePrimary())
                let call = FunctionCall(name: [Identifier("unpack")], arguments: [columns])
                try grow()
                return Expression(.function(call), span: span(from: start))
            }
            let star = try parseStarOptions([])
            return Expression(.star(star), span: span(from: start))
        default:
            throw unexpected("an expression")
        }
    }

    @inline(never)
    private mutating func parseKeywordPrimary(_ keyword: Keyword) throws(SQLError) -> Expression {
        switch keyword {
        case .null:
            return literal(.null)
        case .true:
            return literal(.boolean(true))
        case .false:
            return literal(.boolean(false))
        case .case:
            return try parseCase()
        case .cast:
            return try parseCast(isTry: false)
        case .tryCast where peek().kind == .symbol(.leftParenthesis):
            return try parseCast(isTry: true)
        case .exists where peek().kind == .symbol(.leftParenthesis):
            return try parseExists()
        case .array:
            return try parseArray()
        case .row where peek().kind == .symbol(.leftParenthesis):
            return try parseRow()
        case .map where peek().kind == .symbol(.leftBrace):
            return try parseMap()
        case .interval where startsIntervalValue(peek()):
            return try parseInterval()
        case .lambda where isName(peek()):
            let next = peek(2).kind
            if next == .symbol(.colon) || next == .symbol(.comma) { return try parseLambda() }
            return try parseNamed()
        case .extract, .substring, .position, .trim, .overlay:
            guard peek().kind == .symbol(.leftParenthesis) else { return try parseNamed() }
            // One level more: its frame is the largest on the way to an argument.
            try enter()
            let call = try parseWordedCall(keyword)
            leave()
            return call
        default:
            return try parseOtherKeyword(keyword)
        }
    }

    @inline(never)
    private mutating func parseOtherKeyword(_ keyword: Keyword) throws(SQLError) -> Expression {
        switch keyword.role {
        case .free:
            return try parseNamed()
        case .call:
            return try parseBareCall()
        case .function:
            guard peek().kind == .symbol(.leftParenthesis) else { break }
            let start = token
            let name = identifier(advance())
            advance()
            return try parseCall([name], leading: [], from: start)
        case .reserved:
            break
        }
        throw unexpected("an expression")
    }

    // MARK: Names

    /// A column, a call or a constant of a named type.
    @inline(never)
    private mutating func parseNamed() throws(SQLError) -> Expression {
        if startsTypedLiteral() { return try parseTypedLiteral() }
        let start = token
        let named = try parsePath()
        guard at(.leftParenthesis), case .column(let name) = named.node else { return named }
        advance()
        return try parseCall(name, leading: [], from: start)
    }

    /// `a.b` or, where one may stand, `a.*`.
    @inline(never)
    private mutating func parsePath() throws(SQLError) -> Expression {
        let start = token
        var name = [identifier(advance())]
        while at(.dot) {
            if peek().kind == .symbol(.star) {
                guard start.offset == starOffset else {
                    advance()
                    throw unexpected("a column name")
                }
                advance()
                advance()
                let star = try parseStarOptions(name)
                return Expression(.star(star), span: span(from: start))
            }
            advance()
            name.append(try parseLabel("a name after the dot"))
        }
        return Expression(.column(name), span: span(from: start))
    }

    @inline(never)
    private mutating func startsTypedLiteral() -> Bool {
        guard token.kind != .quotedIdentifier else { return false }
        switch peek().kind {
        case .string:
            return true
        case .keyword(.with), .keyword(.without):
            guard at(.timestamp) || at(.time) else { return false }
            return peek(2).kind == .keyword(.time) && peek(3).kind == .keyword(.zone)
        case .symbol(.leftParenthesis):
            // TIMESTAMP(3) '…', as printed for types with a precision.
            guard peek(2).kind == .integer else { return false }
            guard peek(3).kind == .symbol(.rightParenthesis) else { return false }
            if case .string = peek(4).kind { return true }
            return at(.timestamp) && peek(4).kind == .keyword(.with)
        default:
            return false
        }
    }

    @inline(never)
    private mutating func parseTypedLiteral() throws(SQLError) -> Expression {
        let start = token
        let type = try parseTypeName()
        if case .other = type.node {
            let name = excerpt(start)
            throw error("\(name) before a string is not a data type", at: start)
        }
        let value = try parseString("a string")
        return Expression(.literal(.typed(type, value)), span: span(from: start))
    }

    /// `CURRENT_DATE`, `CURRENT_TIMESTAMP(3)`, ….
    @inline(never)
    private mutating func parseBareCall() throws(SQLError) -> Expression {
        let start = advance()
        let name = [identifier(start)]
        guard take(.leftParenthesis) else {
            let call = FunctionCall(name: name, arguments: [])
            return Expression(.function(call), span: start.span)
        }
        return try parseCall(name, leading: [], from: start)
    }

    // MARK: Postfix

    /// Casts, subscripts, fields and methods after a primary.
    @inline(never)
    mutating func parsePostfix(_ base: inout Expression) throws(SQLError) {
        if case .star = base.node { return }
        while case .symbol(let symbol) = token.kind {
            switch symbol {
            case .doubleColon:
                advance()
                let type = try parseTypeName()
                let span = base.span.through(previous.span)
                base = Expression(.cast(base, type, isTry: false), span: span)
                // It is printed as a call, and those nest.
                try grow(2)
            case .leftBracket:
                try parseBracket(&base)
            case .dot:
                try parseField(&base)
            default:
                return
            }
            try grow()
        }
    }

    @inline(never)
    private mutating func parseField(_ base: inout Expression) throws(SQLError) {
        advance()
        let isSpecial = startsSpecialCall()
        var name = try parseLabel("a field name")
        guard take(.leftParenthesis) else {
            let span = base.span.through(name.span)
            base = Expression(.field(base, name), span: span)
            return
        }
        // As the name of a plain call the word would mean something else: x.exists(y).
        if isSpecial { name.isQuoted = true }
        let start = previous
        var call = try parseCall([name], leading: [FunctionArgument(value: base)], from: start)
        call.span = base.span.through(previous.span)
        base = call
        try grow()
    }

    private func startsSpecialCall() -> Bool {
        guard case .keyword(let keyword) = token.kind else { return false }
        switch keyword {
        case .exists, .interval, .row, .tryCast, .values: return true
        default: return keyword.role == .reserved
        }
    }

    @inline(never)
    private mutating func parseBracket(_ base: inout Expression) throws(SQLError) {
        advance()
        var lower: Expression?
        if !at(.colon) { lower = try parseExpression() }
        if take(.rightBracket), let index = lower {
            let span = base.span.through(previous.span)
            base = Expression(.element(base, index), span: span)
            return
        }
        guard take(.colon) else { throw unexpected("\"]\" or \":\"") }
        let upper = try parseSliceBound()
        let step = take(.colon) ? try parseSliceBound() : nil
        try expect(.rightBracket)
        let span = base.span.through(previous.span)
        base = Expression(.slice(base, lower: lower, upper: upper, step: step), span: span)
    }

    /// nil for nothing and for DuckDB's lone minus.
    private mutating func parseSliceBound() throws(SQLError) -> Expression? {
        if at(.minus), peek().kind == .symbol(.colon) || peek().kind == .symbol(.rightBracket) {
            advance()
            return nil
        }
        if at(.rightBracket) { return nil }
        if at(.colon) {
            let isParameter = isLabel(peek()) && token.touches(peek())
            guard isParameter else { return nil }
        }
        return try parseExpression()
    }

    // MARK: Worded forms

    @inline(never)
    private mutating func parseCase() throws(SQLError) -> Expression {
        let start = advance()
        let operand = at(.when) ? nil : try parseExpression()
        var branches: [CaseBranch] = []
        while take(.when) {
            let condition = try parseExpression()
            try expect(.then)
            branches.append(CaseBranch(condition: condition, result: try parseExpression()))
        }
        guard !branches.isEmpty else { throw unexpected("WHEN", candidates: [.when]) }
        let otherwise = take(.else) ? try parseExpression() : nil
        guard take(.end) else {
            let expected = otherwise == nil ? "WHEN, ELSE or END" : "END"
            throw unexpected(expected, candidates: [.when, .else, .end])
        }
        try grow()
        let node = CaseExpression(operand: operand, branches: branches, otherwise: otherwise)
        return Expression(.cased(node), span: span(from: start))
    }

    @inline(never)
    private mutating func parseCast(isTry: Bool) throws(SQLError) -> Expression {
        let start = advance()
        try expect(.leftParenthesis)
        let operand = try parseExpression()
        try expect(.as)
        let type = try parseTypeName()
        try expect(.rightParenthesis)
        try grow()
        return Expression(.cast(operand, type, isTry: isTry), span: span(from: start))
    }

    @inline(never)
    private mutating func parseExists() throws(SQLError) -> Expression {
        let start = advance()
        let open = token
        guard case .query(let query) = try parseParenthesised() else {
            throw error("EXISTS takes a query", at: open)
        }
        try grow()
        return Expression(.exists(query), span: span(from: start))
    }

    @inline(never)
    private mutating func parseLambda() throws(SQLError) -> Expression {
        let start = advance()
        let parameters = try list { (parser) throws(SQLError) in
            try parser.parseIdentifier("a parameter name")
        }
        try expect(.colon)
        let body = try parseExpression()
        try grow()
        let node = Expression.Node.lambda(parameters: parameters, body: body)
        return Expression(node, span: span(from: start))
    }

    // MARK: Intervals

    private func startsIntervalValue(_ token: Token) -> Bool {
        switch token.kind {
        case .string, .integer, .decimal, .numberedParameter, .namedParameter: true
        case .symbol(.leftParenthesis), .symbol(.question): true
        default: false
        }
    }

    @inline(never)
    private mutating func parseInterval() throws(SQLError) -> Expression {
        let start = advance()
        let value = at(.leftParenthesis) ? try parseIntervalValue() : try parsePrimary()
        let field = takeIntervalField()
        var lastField: IntervalField?
        if field != nil, take(.to) {
            lastField = takeIntervalField()
            if lastField == nil { throw unexpected("a unit such as MONTH") }
        }
        if field == nil {
            guard case .literal(.string) = value.node else {
                throw unexpected("a unit such as DAY")
            }
        }
        try grow()
        let interval = IntervalExpression(value: value, field: field, lastField: lastField)
        return Expression(.interval(interval), span: span(from: start))
    }

    @inline(never)
    private mutating func parseIntervalValue() throws(SQLError) -> Expression {
        advance()
        let value = try parseExpression()
        try expect(.rightParenthesis)
        return value
    }

    @inline(never)
    private mutating func takeIntervalField() -> IntervalField? {
        guard isLabel(token), token.kind != .quotedIdentifier else { return nil }
        let word = text.source(token).lowercased()
        guard let field = Self.intervalFields[word] else { return nil }
        advance()
        return field
    }

    /// Every field in the singular and the plural.
    private static let intervalFields: [String: IntervalField] = {
        var fields: [String: IntervalField] = [
            "centuries": .century, "millennia": .millennium,
        ]
        for field in IntervalField.allCases {
            fields[field.rawValue] = field
            fields[field.rawValue + "s"] = field
        }
        return fields
    }()
}
