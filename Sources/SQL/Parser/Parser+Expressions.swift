/// How tightly operators bind, from PostgreSQL's table; `a < b` by number.
///
/// The printer uses the same numbers to place parentheses.
enum Precedence {
    static let lowest = 0
    static let or = 1
    static let and = 2
    static let not = 3
    static let isTest = 4
    static let comparison = 5
    /// `BETWEEN`, `IN`, `LIKE` and kin.
    static let matching = 6
    /// Every operator without a line of its own: `||`, `->`, `~`, `&`, ….
    static let other = 7
    static let sum = 8
    static let product = 9
    static let power = 10
    static let atTimeZone = 11
    static let collate = 12
    static let sign = 13
    static let primary = 14

    static func of(_ binary: BinaryOperator) -> Int {
        switch binary {
        case .add, .subtract: sum
        case .multiply, .divide, .integerDivide, .modulo: product
        case .power: power
        case .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual: comparison
        default: other
        }
    }
}

extension Parser {
    /// An expression of operators that bind at least as tightly as `minimum`.
    @inline(never)
    mutating func parseExpression(
        _ minimum: Int = Precedence.lowest,
        isArgument: Bool = false
    ) throws(SQLError) -> Expression {
        try enter()
        let outerHeight = height
        height = 0
        var expression = try parsePrefix(minimum)
        if isArgument, at(.arrow) { try parseLambdaArrow(&expression) }
        try parseInfix(&expression, minimum)
        height = max(outerHeight, height)
        leave()
        return expression
    }

    /// Goes on after `left`, which was in parentheses: `(SELECT 1) + 2`.
    @inline(never)
    mutating func continueExpression(_ left: Expression) throws(SQLError) -> Expression {
        var expression = left
        try parsePostfix(&expression)
        try parseInfix(&expression, Precedence.lowest)
        return expression
    }

    @inline(never)
    private mutating func parsePrefix(_ minimum: Int) throws(SQLError) -> Expression {
        switch token.kind {
        case .keyword(.not):
            guard minimum <= Precedence.not else {
                throw error("NOT needs parentheses here")
            }
            return try parseNot()
        case .symbol(.minus): return try parseUnary(.minus, Precedence.sign)
        case .symbol(.plus): return try parseUnary(.plus, Precedence.sign)
        case .symbol(.tilde): return try parseUnary(.bitwiseNot, Precedence.sum)
        default:
            var expression = try parsePrimary()
            if case .symbol = token.kind { try parsePostfix(&expression) }
            return expression
        }
    }

    @inline(never)
    private mutating func parseNot() throws(SQLError) -> Expression {
        let start = advance()
        let operand = try parseExpression(Precedence.not)
        try grow()
        return Expression(.not(operand), span: span(from: start))
    }

    @inline(never)
    private mutating func parseUnary(
        _ unary: UnaryOperator,
        _ precedence: Int
    ) throws(SQLError) -> Expression {
        let start = advance()
        let operand = try parseExpression(precedence)
        try grow()
        return Expression(.unary(unary, operand), span: span(from: start))
    }

    // MARK: Infix

    @inline(never)
    private mutating func parseInfix(
        _ left: inout Expression,
        _ minimum: Int
    ) throws(SQLError) {
        if case .star = left.node { return }
        while true {
            switch token.kind {
            case .symbol(let symbol):
                guard try parseInfixSymbol(&left, symbol, minimum) else { return }
            case .keyword(let keyword):
                guard try parseInfixKeyword(&left, keyword, minimum) else { return }
            default:
                return
            }
        }
    }

    @inline(never)
    static func binaryOperator(_ symbol: Symbol) -> BinaryOperator? {
        switch symbol {
        case .plus: .add
        case .minus: .subtract
        case .star: .multiply
        case .slash: .divide
        case .doubleSlash: .integerDivide
        case .percent: .modulo
        case .caret, .doubleStar: .power
        case .equal, .doubleEqual: .equal
        case .notEqual, .bangEqual: .notEqual
        case .less: .less
        case .lessOrEqual: .lessOrEqual
        case .greater: .greater
        case .greaterOrEqual: .greaterOrEqual
        case .tilde: .regexMatches
        case .tildeStar: .regexMatchesIgnoringCase
        case .bangTilde: .regexMatchesNot
        case .bangTildeStar: .regexMatchesNotIgnoringCase
        case .ampersand: .bitwiseAnd
        case .pipe: .bitwiseOr
        case .hash: .bitwiseXor
        case .shiftLeft: .shiftLeft
        case .shiftRight: .shiftRight
        case .arrow: .arrow
        case .arrowText: .arrowText
        case .contains: .contains
        case .containedBy: .containedBy
        case .doubleAmpersand: .overlaps
        case .startsWith: .startsWith
        default: nil
        }
    }

    /// One more operator and its right operand; false when the expression ends here.
    @inline(never)
    private mutating func parseInfixSymbol(
        _ left: inout Expression,
        _ symbol: Symbol,
        _ minimum: Int
    ) throws(SQLError) -> Bool {
        if symbol == .doublePipe {
            guard minimum <= Precedence.other else { return false }
            try parseConcatenation(&left)
            return true
        }
        guard let binary = Self.binaryOperator(symbol) else { return false }
        let precedence = Precedence.of(binary)
        guard precedence >= minimum else { return false }
        advance()
        let isTest = precedence == Precedence.comparison || precedence == Precedence.other
        if isTest, let quantifier = takeQuantifier() {
            try parseQuantified(&left, .binary(binary), quantifier)
        } else {
            let right = try parseExpression(precedence + 1)
            // Arrows are printed with parentheses, and those nest.
            try grow(binary == .arrow ? 3 : 1)
            let span = left.span.through(right.span)
            left = Expression(.binary(binary, left, right), span: span)
        }
        if precedence == Precedence.comparison, case .symbol(let next) = token.kind,
            let second = Self.binaryOperator(next),
            Precedence.of(second) == Precedence.comparison
        {
            throw error(
                "comparisons cannot be chained",
                hint: "write a \(symbol.rawValue) b AND b \(next.rawValue) c, or parentheses"
            )
        }
        return true
    }

    /// `a || b || c` as one node.
    @inline(never)
    private mutating func parseConcatenation(_ left: inout Expression) throws(SQLError) {
        var operands: [Expression] = []
        var span = left.span
        if case .concatenation(let parts) = left.node {
            operands = parts
        } else {
            operands = [left]
        }
        while take(.doublePipe) {
            let right = try parseExpression(Precedence.other + 1)
            span = span.through(right.span)
            operands.append(right)
        }
        try grow()
        left = Expression(.concatenation(operands), span: span)
    }

    @inline(never)
    private mutating func parseInfixKeyword(
        _ left: inout Expression,
        _ keyword: Keyword,
        _ minimum: Int
    ) throws(SQLError) -> Bool {
        switch keyword {
        case .and:
            guard minimum <= Precedence.and else { return false }
            try parseConjunction(&left)
        case .or:
            guard minimum <= Precedence.or else { return false }
            try parseDisjunction(&left)
        case .is, .isnull, .notnull:
            guard minimum <= Precedence.isTest else { return false }
            try parseIs(&left, keyword)
        case .between, .in, .like, .ilike, .similar, .glob:
            guard minimum <= Precedence.matching else { return false }
            try parseMatching(&left, isNegated: false)
        case .not:
            guard minimum <= Precedence.matching else { return false }
            switch peek().kind {
            case .keyword(.between), .keyword(.in), .keyword(.like), .keyword(.ilike),
                .keyword(.similar), .keyword(.glob):
                advance()
                try parseMatching(&left, isNegated: true)
            default:
                return false
            }
        case .at:
            guard minimum <= Precedence.atTimeZone, at(.at, .time) else { return false }
            try parseAtTimeZone(&left)
        case .collate:
            guard minimum <= Precedence.collate else { return false }
            advance()
            let collation = try parseObjectName("a collation name")
            try grow()
            let span = left.span.through(collation.span)
            left = Expression(.collate(left, collation), span: span)
        default:
            return false
        }
        return true
    }

    @inline(never)
    private mutating func parseConjunction(_ left: inout Expression) throws(SQLError) {
        var span = left.span
        var operands: [Expression] = []
        Self.appendConjuncts(left, to: &operands)
        while take(.and) {
            let right = try parseExpression(Precedence.and + 1)
            span = span.through(right.span)
            Self.appendConjuncts(right, to: &operands)
        }
        try grow()
        left = Expression(.and(operands), span: span)
    }

    @inline(never)
    private mutating func parseDisjunction(_ left: inout Expression) throws(SQLError) {
        var span = left.span
        var operands: [Expression] = []
        Self.appendDisjuncts(left, to: &operands)
        while take(.or) {
            let right = try parseExpression(Precedence.or + 1)
            span = span.through(right.span)
            Self.appendDisjuncts(right, to: &operands)
        }
        try grow()
        left = Expression(.or(operands), span: span)
    }

    private static func appendConjuncts(_ part: Expression, to operands: inout [Expression]) {
        if case .and(let parts) = part.node { operands += parts } else { operands.append(part) }
    }

    private static func appendDisjuncts(_ part: Expression, to operands: inout [Expression]) {
        if case .or(let parts) = part.node { operands += parts } else { operands.append(part) }
    }

    @inline(never)
    private mutating func parseAtTimeZone(_ left: inout Expression) throws(SQLError) {
        advance()
        advance()
        try expect(.zone)
        let zone = try parseExpression(Precedence.atTimeZone + 1)
        try grow()
        let span = left.span.through(zone.span)
        left = Expression(.atTimeZone(left, zone: zone), span: span)
    }

    // MARK: IS, BETWEEN, IN, LIKE, ANY

    @inline(never)
    private mutating func parseIs(
        _ left: inout Expression,
        _ keyword: Keyword
    ) throws(SQLError) {
        let start = left.span
        advance()
        guard keyword == .is else {
            try grow()
            let node = Expression.Node.isTest(left, .null, isNegated: keyword == .notnull)
            left = Expression(node, span: start.through(previous.span))
            return
        }
        let isNegated = take(.not)
        if take(.distinct) {
            try expect(.from)
            let right = try parseExpression(Precedence.isTest + 1)
            try grow()
            let node = Expression.Node.isDistinct(left, right, isNegated: isNegated)
            left = Expression(node, span: start.through(right.span))
            return
        }
        let test: IsTest
        switch token.kind {
        case .keyword(.null): test = .null
        case .keyword(.true): test = .true
        case .keyword(.false): test = .false
        case .keyword(.unknown): test = .unknown
        default:
            throw unexpected(
                "NULL, TRUE, FALSE, UNKNOWN or DISTINCT FROM",
                candidates: [.null, .true, .false, .unknown, .distinct]
            )
        }
        advance()
        try grow()
        let node = Expression.Node.isTest(left, test, isNegated: isNegated)
        left = Expression(node, span: start.through(previous.span))
    }

    private mutating func parseMatching(
        _ left: inout Expression,
        isNegated: Bool
    ) throws(SQLError) {
        if at(.between) {
            try parseBetween(&left, isNegated: isNegated)
        } else if at(.in) {
            try parseIn(&left, isNegated: isNegated)
        } else {
            try parsePattern(&left, isNegated: isNegated)
        }
    }

    @inline(never)
    private mutating func parseBetween(
        _ left: inout Expression,
        isNegated: Bool
    ) throws(SQLError) {
        advance()
        let isSymmetric = take(.symmetric)
        if !isSymmetric { _ = take(.asymmetric) }
        let lower = try parseExpression(Precedence.matching + 1)
        try expect(.and)
        let upper = try parseExpression(Precedence.matching + 1)
        try grow()
        let span = left.span.through(upper.span)
        let between = Between(
            operand: left,
            lower: lower,
            upper: upper,
            isNegated: isNegated,
            isSymmetric: isSymmetric
        )
        left = Expression(.between(between), span: span)
    }

    @inline(never)
    private mutating func parseIn(
        _ left: inout Expression,
        isNegated: Bool
    ) throws(SQLError) {
        advance()
        let node: Expression.Node
        if at(.leftParenthesis) {
            switch try parseParenthesised() {
            case .query(let query): node = .inQuery(left, query, isNegated: isNegated)
            case .list(let values): node = .inList(left, values, isNegated: isNegated)
            }
        } else {
            let value = try parseExpression(Precedence.matching + 1)
            node = .inValue(left, value, isNegated: isNegated)
        }
        try grow()
        left = Expression(node, span: left.span.through(previous.span))
    }

    @inline(never)
    private mutating func parsePattern(
        _ left: inout Expression,
        isNegated: Bool
    ) throws(SQLError) {
        let kind: PatternKind
        switch advance().kind {
        case .keyword(.like): kind = .like
        case .keyword(.ilike): kind = .ilike
        case .keyword(.glob): kind = .glob
        default:
            try expect(.to)
            kind = .similarTo
        }
        if let quantifier = takeQuantifier() {
            let quantified = QuantifiedOperator.pattern(kind, isNegated: isNegated)
            return try parseQuantified(&left, quantified, quantifier)
        }
        let pattern = try parseExpression(Precedence.matching + 1)
        let escape = take(.escape) ? try parseExpression(Precedence.matching + 1) : nil
        try grow()
        let span = left.span.through(previous.span)
        let test = PatternTest(
            kind: kind,
            operand: left,
            pattern: pattern,
            escape: escape,
            isNegated: isNegated
        )
        left = Expression(.pattern(test), span: span)
    }

    /// `ANY (`, `SOME (` or `ALL (`, up to the parenthesis.
    @inline(never)
    private mutating func takeQuantifier() -> Quantifier? {
        if at(.any, .leftParenthesis) || at(.some, .leftParenthesis) {
            advance()
            return .any
        }
        guard at(.all, .leftParenthesis) else { return nil }
        advance()
        return .all
    }

    @inline(never)
    private mutating func parseQuantified(
        _ left: inout Expression,
        _ quantified: QuantifiedOperator,
        _ quantifier: Quantifier
    ) throws(SQLError) {
        let start = token
        let node: Expression.Node
        switch try parseParenthesised() {
        case .query(let query):
            node = .quantifiedQuery(left, quantified, quantifier, query)
        case .list(let values):
            guard let value = values.first, values.count == 1 else {
                throw error("\(quantifier.rawValue) takes a query or one list", at: start)
            }
            node = .quantifiedValue(left, quantified, quantifier, value)
        }
        try grow()
        left = Expression(node, span: left.span.through(previous.span))
    }

    // MARK: Lambda

    /// Reads the body of `x -> body` at the start of an argument as far as it goes.
    ///
    /// The JSON arrow binds like any operator: `j -> 'a' = 1` compares. A lambda's body is all that
    /// follows: `x -> x = 1`. Which of them it is shows when all before the arrow are new names and
    /// no constant key follows; the tree has the same form for both.
    @inline(never)
    private mutating func parseLambdaArrow(_ left: inout Expression) throws(SQLError) {
        switch peek().kind {
        case .string, .integer: return
        default: break
        }
        let candidate = Expression(.binary(.arrow, left, left))
        guard candidate.lambdaParts != nil else { return }
        advance()
        let body = try parseExpression()
        try grow()
        let span = left.span.through(body.span)
        left = Expression(.binary(.arrow, left, body), span: span)
    }
}
