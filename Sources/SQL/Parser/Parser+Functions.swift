extension Parser {
    /// The rest of a call after its opening parenthesis; `leading` arguments are already read.
    @inline(never)
    mutating func parseCall(
        _ name: ObjectName,
        leading: [FunctionArgument],
        from start: Token
    ) throws(SQLError) -> Expression {
        var call = FunctionCall(name: name, arguments: leading)
        try parseArguments(of: &call)
        try expect(.rightParenthesis)
        try parseCallSuffixes(&call)
        try grow()
        return Expression(.function(call), span: span(from: start))
    }

    @inline(never)
    private mutating func parseArguments(of call: inout FunctionCall) throws(SQLError) {
        if call.arguments.isEmpty {
            if take(.distinct) { call.isDistinct = true } else { _ = take(.all) }
        }
        if !at(.rightParenthesis), !at(.order) {
            call.arguments += try list { (parser) throws(SQLError) in try parser.parseArgument() }
        }
        if at(.order) { call.orderBy = try parseOrderItems() }
        call.nullTreatment = takeNullTreatment()
    }

    /// `value`, `name => value`, `name := value`.
    @inline(never)
    mutating func parseArgument() throws(SQLError) -> FunctionArgument {
        let name = takeArgumentName()
        starOffset = token.offset
        let value = try parseExpression(Precedence.lowest, isArgument: true)
        return FunctionArgument(name: name, value: value)
    }

    @inline(never)
    private mutating func takeArgumentName() -> Identifier? {
        guard isLabel(token) else { return nil }
        let next = peek().kind
        guard next == .symbol(.rightArrow) || next == .symbol(.colonEqual) else { return nil }
        let name = identifier(advance())
        advance()
        return name
    }

    @inline(never)
    private mutating func takeNullTreatment(afterCall: Bool = false) -> NullTreatment? {
        // Before the end of an outer call's arguments it is the outer call's.
        if afterCall, peek(2).kind == .symbol(.rightParenthesis) { return nil }
        if take(.ignore, .nulls) { return .ignore }
        return take(.respect, .nulls) ? .respect : nil
    }

    @inline(never)
    private mutating func parseCallSuffixes(_ call: inout FunctionCall) throws(SQLError) {
        if at(.within, .group) {
            advance()
            advance()
            try expect(.leftParenthesis)
            call.withinGroup = try parseOrderItems()
            try expect(.rightParenthesis)
        }
        if at(.filter, .leftParenthesis) {
            advance()
            advance()
            _ = take(.where)
            call.filter = try parseExpression()
            try expect(.rightParenthesis)
        }
        try parseNthDirection(&call)
        if let treatment = takeNullTreatment(afterCall: true) { call.nullTreatment = treatment }
        guard at(.over) else { return }
        let next = peek()
        guard next.kind == .symbol(.leftParenthesis) || isName(next) else { return }
        advance()
        if at(.leftParenthesis) {
            call.over = .specification(try parseWindowSpecification())
        } else {
            call.over = .named(identifier(advance()))
        }
    }

    /// `FROM FIRST | LAST` of `nth_value`; the latter becomes an argument `from_last => TRUE`.
    @inline(never)
    private mutating func parseNthDirection(_ call: inout FunctionCall) throws(SQLError) {
        guard at(.from), peek().kind == .keyword(.first) || peek().kind == .keyword(.last) else {
            return
        }
        switch peek(2).kind {
        case .keyword(.over), .keyword(.ignore), .keyword(.respect): break
        default: return
        }
        let start = advance()
        guard advance().kind == .keyword(.last) else { return }
        let span = span(from: start)
        call.arguments.append(
            FunctionArgument(
                name: Identifier("from_last", span: span),
                value: Expression(.literal(.boolean(true)), span: span)
            )
        )
    }

    // MARK: Windows

    @inline(never)
    mutating func parseWindowSpecification() throws(SQLError) -> WindowSpecification {
        // Twice as much of the stack as an expression takes.
        try enter(2)
        try expect(.leftParenthesis)
        var window = WindowSpecification()
        if isName(token), !startsWindowClause() { window.base = identifier(advance()) }
        if take(.partition) {
            try expect(.by)
            window.partitionBy = try parseExpressions()
        }
        if at(.order) { window.orderBy = try parseOrderItems() }
        if at(.rows) || at(.range) || at(.groups) { window.frame = try parseFrame() }
        guard take(.rightParenthesis) else {
            throw unexpected(
                "PARTITION BY, ORDER BY, a frame or \")\"",
                candidates: [.partition, .order, .rows, .range, .groups]
            )
        }
        leave(2)
        return window
    }

    private func startsWindowClause() -> Bool {
        at(.partition) || at(.rows) || at(.range) || at(.groups)
    }

    @inline(never)
    private mutating func parseFrame() throws(SQLError) -> WindowFrame {
        let start = advance()
        let unit: WindowFrame.Unit =
            switch start.kind {
            case .keyword(.rows): .rows
            case .keyword(.range): .range
            default: .groups
            }
        var first = WindowFrame.Bound.currentRow
        var last = WindowFrame.Bound.currentRow
        if take(.between) {
            first = try parseFrameBound()
            try expect(.and)
            last = try parseFrameBound()
        } else {
            first = try parseFrameBound()
        }
        var exclusion = WindowFrame.Exclusion.noOthers
        if take(.exclude) {
            if take(.current) {
                try expect(.row)
                exclusion = .currentRow
            } else if take(.group) {
                exclusion = .group
            } else if take(.ties) {
                exclusion = .ties
            } else {
                guard take(.no, .others) else {
                    throw unexpected("CURRENT ROW, GROUP, TIES or NO OTHERS")
                }
            }
        }
        return WindowFrame(
            unit: unit,
            start: first,
            end: last,
            exclusion: exclusion,
            span: span(from: start)
        )
    }

    @inline(never)
    private mutating func parseFrameBound() throws(SQLError) -> WindowFrame.Bound {
        if take(.unbounded, .preceding) { return .unboundedPreceding }
        if take(.unbounded, .following) { return .unboundedFollowing }
        if take(.current, .row) { return .currentRow }
        let distance = try parseExpression(Precedence.matching + 1)
        if take(.preceding) { return .preceding(distance) }
        guard take(.following) else {
            throw unexpected("PRECEDING or FOLLOWING", candidates: [.preceding, .following])
        }
        return .following(distance)
    }

    // MARK: Calls with words between the arguments

    /// `EXTRACT`, `SUBSTRING`, `POSITION`, `TRIM` and `OVERLAY`, in either notation; see
    /// `FunctionCall` for what they become.
    @inline(never)
    mutating func parseWordedCall(_ keyword: Keyword) throws(SQLError) -> Expression {
        let start = advance()
        let name = identifier(start)
        advance()
        let next = peek().kind
        let isNamed = next == .symbol(.rightArrow) || next == .symbol(.colonEqual)
        if at(.rightParenthesis) || at(.distinct) || at(.all) || isNamed {
            return try parseCall([name], leading: [], from: start)
        }
        switch keyword {
        case .extract where peek().kind == .keyword(.from):
            return try parseExtract(name, from: start)
        case .trim:
            return try parseTrim(name, from: start)
        case .extract:
            return try parseCall([name], leading: [], from: start)
        default:
            break
        }
        var first = try parseFirstArgument(keyword)
        var arguments: [FunctionArgument] = []
        switch (keyword, token.kind) {
        case (.position, .keyword(.in)):
            advance()
            arguments = [FunctionArgument(value: try parseExpression()), first]
        case (.substring, .keyword(.from)), (.substring, .keyword(.for)):
            arguments = [first] + (try parseSubstringBounds())
        case (.overlay, .keyword(.placing)):
            advance()
            let replacement = FunctionArgument(value: try parseExpression())
            guard at(.from) else { throw unexpected("FROM", candidates: [.from]) }
            arguments = [first, replacement] + (try parseSubstringBounds())
        default:
            if keyword == .position { first.value = try continueExpression(first.value) }
            guard take(.comma) else {
                return try finishCall(name, [first], from: start)
            }
            return try parseCall([name], leading: [first], from: start)
        }
        return try finishCall(name, arguments, from: start)
    }

    @inline(never)
    private mutating func parseFirstArgument(
        _ keyword: Keyword
    ) throws(SQLError) -> FunctionArgument {
        guard keyword == .position else { return try parseArgument() }
        return FunctionArgument(value: try parseExpression(Precedence.matching + 1))
    }

    @inline(never)
    private mutating func finishCall(
        _ name: Identifier,
        _ arguments: [FunctionArgument],
        from start: Token
    ) throws(SQLError) -> Expression {
        try expect(.rightParenthesis)
        var call = FunctionCall(name: [name], arguments: arguments)
        try parseCallSuffixes(&call)
        try grow()
        return Expression(.function(call), span: span(from: start))
    }

    @inline(never)
    private mutating func parseExtract(
        _ name: Identifier,
        from start: Token
    ) throws(SQLError) -> Expression {
        let fieldToken = token
        let field: String
        if case .string = token.kind {
            field = try parseString("a field")
        } else {
            field = try parseLabel("a field such as YEAR").name.lowercased()
        }
        advance()
        let value = try parseExpression()
        let fieldLiteral = Expression(.literal(.string(field)), span: fieldToken.span)
        let arguments = [FunctionArgument(value: fieldLiteral), FunctionArgument(value: value)]
        return try finishCall(name, arguments, from: start)
    }

    /// `FROM a [FOR b]` or `FOR b [FROM a]`, as the arguments a and b.
    @inline(never)
    private mutating func parseSubstringBounds() throws(SQLError) -> [FunctionArgument] {
        var first: Expression?
        var count: Expression?
        while true {
            if first == nil, take(.from) {
                first = try parseExpression()
            } else if count == nil, take(.for) {
                count = try parseExpression()
            } else {
                break
            }
        }
        let from = first ?? Expression(.literal(.integer("1")), span: previous.span)
        return ([from] + (count.map { [$0] } ?? [])).map { FunctionArgument(value: $0) }
    }

    /// `TRIM([BOTH | LEADING | TRAILING] [characters] FROM x)`, `TRIM(x, characters)`.
    @inline(never)
    private mutating func parseTrim(
        _ name: Identifier,
        from start: Token
    ) throws(SQLError) -> Expression {
        var name = name
        var isWorded = true
        if take(.leading) {
            name.name = "ltrim"
        } else if take(.trailing) {
            name.name = "rtrim"
        } else if !take(.both) {
            isWorded = false
        }
        var arguments: [FunctionArgument] = []
        if !at(.from) {
            arguments = [try parseArgument()]
            if !isWorded, !at(.from) {
                guard take(.comma) else { return try finishCall(name, arguments, from: start) }
                return try parseCall([name], leading: arguments, from: start)
            }
        }
        if take(.from) {
            arguments.insert(FunctionArgument(value: try parseExpression()), at: 0)
            while take(.comma) { arguments.append(FunctionArgument(value: try parseExpression())) }
        }
        return try finishCall(name, arguments, from: start)
    }
}
