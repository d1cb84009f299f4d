/// Macros, PRAGMA, and other statements whose first word is no keyword.
extension Parser {
    /// nil when no such statement starts here.
    @inline(never)
    mutating func parseWordedStatement() throws(SQLError) -> Statement? {
        let start = token
        if startsDescription(), atWord("summarize") {
            let description = try parseDescription()
            let span = span(from: start)
            try grow(4)
            return .query(
                Query(body: .select(Self.all(of: .description(description), span)), span: span)
            )
        }
        if atWord("pragma"), isLabel(peek()) { return try parsePragma() }
        if atWord("undrop"), peek().kind == .keyword(.table) {
            return .undropTable(try parseUndropTable())
        }
        return nil
    }

    // MARK: Macros

    /// Whether `MACRO` or `FUNCTION` comes next.
    func startsMacro() -> Bool { atWord("macro") || atWord("function") }

    mutating func parseCreateMacro(
        _ start: Token,
        isOrReplace: Bool,
        isTemporary: Bool
    ) throws(SQLError) -> CreateMacro {
        advance()
        let isIfNotExists = try takeIfNotExists()
        let name = try parseObjectName("a name for the macro")
        var definitions = [try parseMacroDefinition()]
        while take(.comma) { definitions.append(try parseMacroDefinition()) }
        return CreateMacro(
            name: name,
            isOrReplace: isOrReplace,
            isIfNotExists: isIfNotExists,
            isTemporary: isTemporary,
            definitions: definitions,
            span: span(from: start)
        )
    }

    private mutating func parseMacroDefinition() throws(SQLError) -> CreateMacro.Definition {
        try expect(.leftParenthesis)
        var parameters: [CreateMacro.Parameter] = []
        if !at(.rightParenthesis) {
            parameters = try list { (parser) throws(SQLError) in
                let name = try parser.parseIdentifier("a parameter name")
                var value: Expression?
                if parser.take(.colonEqual) || parser.take(.rightArrow) {
                    value = try parser.parseExpression()
                }
                return CreateMacro.Parameter(name: name, defaultValue: value)
            }
        }
        try expect(.rightParenthesis)
        try expect(.as)
        let body: CreateMacro.Body
        if at(.table), peek().kind != .symbol(.leftParenthesis) || startsQueryBehindTable() {
            advance()
            body = .table(try parseQuery())
        } else {
            body = .expression(try parseExpression())
        }
        return CreateMacro.Definition(parameters: parameters, body: body)
    }

    /// `TABLE (SELECT …)`.
    private mutating func startsQueryBehindTable() -> Bool {
        switch peek(2).kind {
        case .keyword(.select), .keyword(.with), .keyword(.from), .keyword(.values),
            .keyword(.table), .symbol(.leftParenthesis):
            true
        default: false
        }
    }

    mutating func parseDropMacro(_ start: Token) throws(SQLError) -> DropMacro {
        advance()
        _ = take(.table)
        let isIfExists = try takeIfExists()
        let name = try parseObjectName("the name of a macro")
        return DropMacro(name: name, isIfExists: isIfExists, span: span(from: start))
    }

    // MARK: PRAGMA

    /// `PRAGMA name`, `PRAGMA name = value`, `PRAGMA name(arguments)`, as the statements that say the
    /// same.
    private mutating func parsePragma() throws(SQLError) -> Statement {
        let start = advance()
        let nameToken = token
        let name = try parseIdentifier("the name of a pragma")
        if take(.equal) {
            let value = try parseSettingValue()
            return .set(SetSetting(name: [name], values: [value], span: span(from: start)))
        }
        var arguments: [FunctionArgument] = []
        if take(.leftParenthesis) {
            if !at(.rightParenthesis) {
                arguments = try list { (parser) throws(SQLError) in try parser.parseArgument() }
            }
            try expect(.rightParenthesis)
        }
        let span = span(from: start)
        switch (name.name.lowercased(), arguments.count) {
        case ("show_tables", 0):
            return .show(Show(subject: .tables(nil, like: nil), span: span))
        case ("show_databases", 0), ("show_schemas", 0):
            return .show(Show(subject: .schemas(nil, like: nil), span: span))
        case ("table_info", 1), ("storage_info", 1), ("show", 1):
            let table = try pragmaTable(arguments[0].value)
            if name.name.lowercased() == "show" {
                return .describe(Describe(subject: .table(table), span: span))
            }
            return .show(Show(subject: .columns(table), span: span))
        case (_, 0):
            var setting = name
            // Behind SHOW a reserved word is a name only in quotes.
            if case .keyword(let keyword) = nameToken.kind, keyword.role == .reserved {
                setting.isQuoted = true
            }
            return .show(Show(subject: .setting([setting]), span: span))
        default:
            throw error("there is no pragma \(excerpt(nameToken)) with arguments", at: nameToken)
        }
    }

    private func pragmaTable(_ value: Expression) throws(SQLError) -> ObjectName {
        switch value.node {
        case .column(let name): return name
        case .literal(.string(let text)):
            let names = text.split(separator: ".").map { part in
                let isQuoted = !Printer.isPlainWord(String(part), isLabel: false)
                return Identifier(String(part), isQuoted: isQuoted, span: value.span)
            }
            guard !names.isEmpty else { throw error("a name must not be empty") }
            return names
        default: throw error("a pragma about a table takes its name")
        }
    }

    // MARK: Trailing commas

    /// Whether a list ends here, after a comma that is one too many.
    func endsList() -> Bool {
        switch token.kind {
        case .end, .symbol(.rightParenthesis), .symbol(.rightBracket), .symbol(.semicolon),
            .keyword(.from), .keyword(.where), .keyword(.group), .keyword(.having),
            .keyword(.order), .keyword(.limit), .keyword(.offset), .keyword(.union),
            .keyword(.intersect), .keyword(.except), .keyword(.window), .keyword(.qualify),
            .keyword(.fetch), .keyword(.into):
            true
        default: false
        }
    }

    /// `element, element, …`, perhaps with a comma at its end.
    @inline(never)
    mutating func lenientList<Element>(
        _ element: (inout Parser) throws(SQLError) -> Element
    ) throws(SQLError) -> [Element] {
        var elements = [try element(&self)]
        while take(.comma) {
            if endsList() { break }
            elements.append(try element(&self))
        }
        return elements
    }
}
