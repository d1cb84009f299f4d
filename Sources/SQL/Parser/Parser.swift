/// Reads SQL: recursive descent over the tokens of one text, precedence climbing for expressions.
///
/// Invariants:
/// 1. `depth` counts the calls that nest with the text, `height` the levels of the tree built so
///    far by the call under way; both are bounded, so neither reading a text nor walking, comparing
///    or freeing its tree can run out of stack (512 KiB are enough for both, see `SQLTests`).
/// 2. Chains that people and programs write long (`AND`, `OR`, `||`, `UNION`) are one node and cost
///    one level.
/// 3. Nothing is read twice: at most eight tokens of look-ahead decide, so time grows with the text.
package struct Parser: Sendable {
    /// The longest text that is read, in UTF-8 bytes.
    package static let textBytesMax = 16 << 20
    /// How deep parentheses, calls and operands may nest.
    ///
    /// A query inside a query counts as `queryDepth` levels.
    package static let nestingMax = 200
    /// How high a tree may grow, which is more: `a + b + c` nests only in the tree.
    package static let heightMax = 500
    /// What a nested query costs of `nestingMax`: reading it takes that many times the stack.
    package static let queryDepth = 3
    /// The highest number of `$n`.
    package static let parameterNumberMax = 65_535

    var token: Token
    var previous: Token
    let text: TokenText
    var depth = 0
    var height = 0
    /// How many `?` were read.
    var questionCount = 0
    /// The offset of the token that may be a `*`, or start a `t.*`.
    var starOffset: UInt32 = .max
    private var lexer: Lexer
    /// Tokens read ahead, a ring of eight.
    private var ahead: [Token]
    private var aheadStart = 0
    private var aheadCount = 0

    // MARK: Entry points

    /// Reads statements separated by semicolons; empty ones are skipped.
    ///
    /// - Throws: `SQLError` at the first token that does not fit; nothing before it is returned.
    package static func parseStatements(_ text: String) throws(SQLError) -> [ParsedStatement] {
        var parser = try Parser(text)
        var statements: [ParsedStatement] = []
        while true {
            while parser.take(.semicolon) {}
            if parser.token.kind == .end { return statements }
            parser.questionCount = 0
            let start = parser.token
            let statement = try parser.parseStatement()
            let span = parser.span(from: start)
            statements.append(ParsedStatement(statement: statement, span: span))
            guard parser.token.kind == .end || parser.at(.semicolon) else {
                throw parser.unexpected("the end of the statement")
            }
        }
    }

    /// Reads exactly one statement, with or without a semicolon.
    @inline(never)
    package static func parseStatement(_ text: String) throws(SQLError) -> Statement {
        var parser = try Parser(text)
        let statement = try parser.parseStatement()
        try parser.finish()
        return statement
    }

    /// Reads exactly one query, with or without a semicolon.
    @inline(never)
    package static func parseQuery(_ text: String) throws(SQLError) -> Query {
        var parser = try Parser(text)
        guard parser.startsQuery() || parser.at(.leftParenthesis) else {
            throw parser.unexpected("a query")
        }
        let query = try parser.parseQuery()
        try parser.finish()
        return query
    }

    /// Reads exactly one expression, as transform specs, row filters and checks hold them.
    @inline(never)
    package static func parseExpression(_ text: String) throws(SQLError) -> Expression {
        var parser = try Parser(text)
        let expression = try parser.parseExpression()
        try parser.finish()
        return expression
    }

    /// Reads `expression [AS name], …`, as the select list of a transform spec.
    package static func parseSelectItems(_ text: String) throws(SQLError) -> [SelectItem] {
        var parser = try Parser(text)
        let items = try parser.parseSelectItems()
        try parser.finish()
        return items
    }

    /// Reads the name of a data type.
    @inline(never)
    package static func parseTypeName(_ text: String) throws(SQLError) -> TypeName {
        var parser = try Parser(text)
        let type = try parser.parseTypeName()
        try parser.finish()
        return type
    }

    /// Reads a dotted name: `ns.table`.
    @inline(never)
    package static func parseObjectName(_ text: String) throws(SQLError) -> ObjectName {
        var parser = try Parser(text)
        let name = try parser.parseObjectName("a name")
        try parser.finish()
        return name
    }

    /// Reads `transform [AS name]`: `day(ts)`, `bucket(16, id) AS shard`.
    package static func parsePartitionField(_ text: String) throws(SQLError) -> PartitionField {
        var parser = try Parser(text)
        let field = try parser.parsePartitionField()
        try parser.finish()
        return field
    }

    /// Reads `transform [ASC | DESC] [NULLS FIRST | LAST], …`.
    package static func parseSortFields(_ text: String) throws(SQLError) -> [SortField] {
        var parser = try Parser(text)
        let fields = try parser.parseSortFields()
        try parser.finish()
        return fields
    }

    private init(_ source: String) throws(SQLError) {
        let bytes = Array(source.utf8.prefix(Self.textBytesMax + 1))
        guard bytes.count <= Self.textBytesMax else {
            throw SQLError(
                code: .limit,
                message: "the text is longer than \(Self.textBytesMax) bytes",
                span: .none,
                token: "",
                hint: nil
            )
        }
        text = TokenText(bytes: bytes)
        lexer = Lexer(bytes: bytes)
        token = lexer.next()
        previous = token
        ahead = [Token](repeating: token, count: 8)
    }

    private mutating func finish() throws(SQLError) {
        while take(.semicolon) {}
        guard token.kind == .end else { throw unexpected("the end of the text") }
    }

    // MARK: Tokens

    /// Moves to the next token and returns the one left behind.
    @discardableResult
    @inline(never)
    mutating func advance() -> Token {
        previous = token
        if aheadCount > 0 {
            token = ahead[aheadStart]
            aheadStart = (aheadStart + 1) & 7
            aheadCount -= 1
        } else {
            token = lexer.next()
        }
        return previous
    }

    /// The token `distance` places after the current one; at most eight.
    @inline(never)
    mutating func peek(_ distance: Int = 1) -> Token {
        precondition((1...8).contains(distance), "look-ahead beyond the ring")
        while aheadCount < distance {
            ahead[(aheadStart + aheadCount) & 7] = lexer.next()
            aheadCount += 1
        }
        return ahead[(aheadStart + distance - 1) & 7]
    }

    func at(_ symbol: Symbol) -> Bool { token.kind == .symbol(symbol) }

    func at(_ keyword: Keyword) -> Bool { token.kind == .keyword(keyword) }

    /// Whether the keywords come next, in this order.
    mutating func at(_ first: Keyword, _ second: Keyword) -> Bool {
        at(first) && peek().kind == .keyword(second)
    }

    mutating func at(_ first: Keyword, _ symbol: Symbol) -> Bool {
        at(first) && peek().kind == .symbol(symbol)
    }

    @inline(never)
    mutating func take(_ symbol: Symbol) -> Bool {
        guard at(symbol) else { return false }
        advance()
        return true
    }

    @inline(never)
    mutating func take(_ keyword: Keyword) -> Bool {
        guard at(keyword) else { return false }
        advance()
        return true
    }

    @inline(never)
    mutating func take(_ first: Keyword, _ second: Keyword) -> Bool {
        guard at(first, second) else { return false }
        advance()
        advance()
        return true
    }

    @inline(never)
    mutating func expect(_ symbol: Symbol) throws(SQLError) {
        guard take(symbol) else { throw unexpected("\"\(symbol.rawValue)\"") }
    }

    @inline(never)
    mutating func expect(_ keyword: Keyword) throws(SQLError) {
        guard take(keyword) else { throw unexpected(keyword.text, candidates: [keyword]) }
    }

    /// From `start` to the last token taken.
    @inline(never)
    func span(from start: Token) -> SourceSpan {
        start.span.through(previous.span)
    }

    // MARK: Bounds

    @inline(never)
    mutating func enter(_ levels: Int = 1) throws(SQLError) {
        depth += levels
        guard depth <= Self.nestingMax else { throw tooDeep(Self.nestingMax) }
    }

    mutating func leave(_ levels: Int = 1) {
        depth -= levels
    }

    /// Notes that a node was put on top of what the call under way has built.
    ///
    /// What prints with parentheses around it that the text did without counts as much as they do,
    /// so that the printed text can be read again.
    @inline(never)
    mutating func grow(_ levels: Int = 1) throws(SQLError) {
        height += levels
        guard height <= Self.heightMax else { throw tooDeep(Self.heightMax) }
    }

    @inline(never)
    private func tooDeep(_ levels: Int) -> SQLError {
        error(
            "the statement is nested too deeply: more than \(levels) levels",
            code: .limit
        )
    }

    // MARK: Lists

    /// `element, element, …`.
    @inline(never)
    mutating func list<Element>(
        _ element: (inout Parser) throws(SQLError) -> Element
    ) throws(SQLError) -> [Element] {
        var elements = [try element(&self)]
        while take(.comma) { elements.append(try element(&self)) }
        return elements
    }

    /// `(element, element, …)`.
    mutating func parenthesised<Element>(
        _ element: (inout Parser) throws(SQLError) -> Element
    ) throws(SQLError) -> [Element] {
        try expect(.leftParenthesis)
        let elements = try list(element)
        try expect(.rightParenthesis)
        return elements
    }
}
