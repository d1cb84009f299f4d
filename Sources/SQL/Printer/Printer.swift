/// Writes syntax trees as canonical SQL: one line, keywords in capitals, parentheses only where the
/// tree needs them.
///
/// What the parser has read prints to a text that the parser reads to an equal tree; only near
/// `Parser.nestingMax` may the canonical text nest too deeply where the original did not. A tree made by
/// hand prints to valid SQL as long as it keeps to what its nodes say about themselves.
package struct Printer {
    var text = ""

    init() {}

    /// One statement, without a semicolon.
    package static func print(_ statement: Statement) -> String {
        var printer = Printer()
        printer.write(statement)
        return printer.text
    }

    /// Statements, each ended by a semicolon and a line feed.
    package static func print(_ statements: [ParsedStatement]) -> String {
        var printer = Printer()
        for parsed in statements {
            printer.write(parsed.statement)
            printer.text += ";\n"
        }
        return printer.text
    }

    /// One query.
    package static func print(_ query: Query) -> String {
        var printer = Printer()
        printer.write(query)
        return printer.text
    }

    /// One expression.
    package static func print(_ expression: Expression) -> String {
        var printer = Printer()
        printer.write(expression)
        return printer.text
    }

    /// The name of a data type.
    package static func print(_ type: TypeName) -> String {
        var printer = Printer()
        printer.write(type)
        return printer.text
    }

    /// A dotted name, quoted where it must be.
    package static func print(_ name: ObjectName) -> String {
        var printer = Printer()
        printer.write(name)
        return printer.text
    }

    /// A partition field: `bucket(16, id) AS shard`.
    package static func print(_ field: PartitionField) -> String {
        var printer = Printer()
        printer.write(field)
        return printer.text
    }

    // MARK: Names and strings

    /// A name where reserved words need quotes.
    @inline(never)
    mutating func write(_ name: Identifier) {
        write(name, isLabel: false)
    }

    /// A name; as a label (after a dot or `AS`) it may be any word.
    @inline(never)
    mutating func write(_ name: Identifier, isLabel: Bool) {
        guard name.isQuoted || !Self.isPlainWord(name.name, isLabel: isLabel) else {
            text += name.name
            return
        }
        text += "\""
        for scalar in name.name.unicodeScalars {
            if scalar == "\"" { text += "\"" }
            text.unicodeScalars.append(scalar)
        }
        text += "\""
    }

    /// Whether the word reads as one name without quotes.
    static func isPlainWord(_ word: String, isLabel: Bool) -> Bool {
        var lexer = Lexer(bytes: Array(word.utf8))
        let token = lexer.next()
        guard token.offset == 0, Int(token.length) == word.utf8.count else { return false }
        switch token.kind {
        case .identifier: return true
        case .keyword(let keyword): return isLabel || keyword.role != .reserved
        default: return false
        }
    }

    @inline(never)
    mutating func write(_ name: ObjectName) {
        for (index, part) in name.enumerated() {
            if index > 0 { text += "." }
            write(part, isLabel: index > 0)
        }
    }

    mutating func writeString(_ value: String) {
        // Scalars, not characters: a quote with a combining mark is still a quote.
        text += "'"
        for scalar in value.unicodeScalars {
            if scalar == "'" { text += "'" }
            text.unicodeScalars.append(scalar)
        }
        text += "'"
    }

    // MARK: Lists

    @inline(never)
    mutating func list<Element>(
        _ elements: [Element],
        _ write: (inout Printer, Element) -> Void
    ) {
        for (index, element) in elements.enumerated() {
            if index > 0 { text += ", " }
            write(&self, element)
        }
    }

    mutating func parenthesised<Element>(
        _ elements: [Element],
        _ write: (inout Printer, Element) -> Void
    ) {
        text += "("
        list(elements, write)
        text += ")"
    }

    mutating func writeNames(_ names: [Identifier]) {
        parenthesised(names) { $0.write($1) }
    }

    @inline(never)
    mutating func write(_ expressions: [Expression]) {
        list(expressions) { $0.write($1) }
    }

    // MARK: Types

    @inline(never)
    mutating func write(_ type: TypeName) {
        switch type.node {
        case .boolean: text += "BOOLEAN"
        case .tinyint: text += "TINYINT"
        case .smallint: text += "SMALLINT"
        case .integer: text += "INTEGER"
        case .bigint: text += "BIGINT"
        case .real: text += "REAL"
        case .double: text += "DOUBLE"
        case .decimal(let precision, let scale):
            text += "DECIMAL"
            writeNumbers([precision, scale].compactMap { $0 })
        case .date: text += "DATE"
        case .time(let precision):
            text += "TIME"
            writeNumbers([precision].compactMap { $0 })
        case .timestamp(let precision, let hasTimeZone):
            text += "TIMESTAMP"
            writeNumbers([precision].compactMap { $0 })
            if hasTimeZone { text += " WITH TIME ZONE" }
        case .text(let length):
            text += "VARCHAR"
            writeNumbers([length].compactMap { $0 })
        case .uuid: text += "UUID"
        case .binary: text += "BINARY"
        case .fixed(let length):
            text += "FIXED"
            writeNumbers([length])
        case .interval: text += "INTERVAL"
        case .json: text += "JSON"
        case .list(let element, let length):
            write(element)
            text += length.map { "[\($0)]" } ?? "[]"
        case .structure(let fields):
            text += "STRUCT"
            parenthesised(fields) { $0.write($1) }
        case .map(let key, let value):
            text += "MAP("
            write(key)
            text += ", "
            write(value)
            text += ")"
        case .other(let name, let arguments):
            write(name)
            writeNumbers(arguments)
        }
    }

    private mutating func writeNumbers(_ numbers: [Int]) {
        guard !numbers.isEmpty else { return }
        parenthesised(numbers) { $0.text += String($1) }
    }

    @inline(never)
    private mutating func write(_ field: TypeName.StructureField) {
        write(field.name, isLabel: true)
        text += " "
        write(field.type)
        if field.isNotNull { text += " NOT NULL" }
        writeComment(field.comment)
    }

    mutating func writeComment(_ comment: String?) {
        guard let comment else { return }
        text += " COMMENT "
        writeString(comment)
    }
}
