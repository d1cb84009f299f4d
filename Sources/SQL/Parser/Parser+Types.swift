extension Parser {
    /// The name of a data type with its suffixes: `decimal(10, 2)[]`.
    @inline(never)
    mutating func parseTypeName() throws(SQLError) -> TypeName {
        try enter()
        let outerHeight = height
        height = 0
        let start = token
        var type = TypeName(try parseTypeNode(), span: span(from: start))
        while true {
            if at(.array), peek().kind != .symbol(.less) {
                advance()
                var length: Int?
                if take(.leftBracket) {
                    length = try parseCount("the length of the array")
                    try expect(.rightBracket)
                }
                type = TypeName(.list(type, length: length), span: span(from: start))
            } else if take(.leftBracket) {
                let length = at(.rightBracket) ? nil : try parseCount("\"]\" or a length")
                try expect(.rightBracket)
                type = TypeName(.list(type, length: length), span: span(from: start))
            } else {
                break
            }
            try grow()
        }
        height = max(outerHeight, height)
        leave()
        return type
    }

    @inline(never)
    private mutating func parseTypeNode() throws(SQLError) -> TypeName.Node {
        if at(.array) {
            advance()
            return try parseListElement()
        }
        guard isName(token) else { throw unexpected("a data type") }
        let isBare = token.kind != .quotedIdentifier && peek().kind != .symbol(.dot)
        guard isBare else { return try parseOtherType() }
        let word = text.source(token).lowercased()
        if let node = Self.simpleTypes[word] {
            advance()
            if word == "double" { skipWord("precision") }
            if word == "binary" || word == "varbinary" || word == "blob" || word == "bytea" {
                _ = try parseTypeArguments(countMax: 1)
            }
            return node
        }
        switch word {
        case "decimal", "numeric", "dec":
            advance()
            let arguments = try parseTypeArguments(countMax: 2)
            return .decimal(
                precision: arguments.first,
                scale: arguments.count > 1 ? arguments[1] : nil
            )
        case "varchar", "string", "text", "char", "character", "bpchar", "nvarchar":
            advance()
            if word.hasPrefix("char") { skipWord("varying") }
            return .text(length: try parseTypeArguments(countMax: 1).first)
        case "float":
            advance()
            // float(1...24) is real and float(25...53) double, as the SQL standard has it.
            let precision = try parseTypeArguments(countMax: 1).first ?? 1
            return precision <= 24 ? .real : .double
        case "time":
            advance()
            return try parseTimeType()
        case "timestamp", "timestamptz":
            advance()
            return try parseTimestampType(hasTimeZone: word == "timestamptz")
        case "fixed":
            advance()
            try expect(.leftParenthesis)
            let length = try parseCount("the length in bytes")
            try expect(.rightParenthesis)
            return .fixed(length: length)
        case "list":
            advance()
            return try parseListElement()
        case "struct", "row":
            advance()
            return .structure(try parseStructureFields())
        case "map":
            advance()
            return try parseMapType()
        default:
            return try parseOtherType()
        }
    }

    private static let simpleTypes: [String: TypeName.Node] = [
        "boolean": .boolean, "bool": .boolean, "logical": .boolean,
        "tinyint": .tinyint, "int1": .tinyint, "byte": .tinyint,
        "smallint": .smallint, "int2": .smallint, "short": .smallint,
        "integer": .integer, "int": .integer, "int4": .integer, "signed": .integer,
        "bigint": .bigint, "int8": .bigint, "long": .bigint,
        "real": .real, "float4": .real,
        "double": .double, "float8": .double,
        "date": .date, "uuid": .uuid, "interval": .interval, "json": .json,
        "binary": .binary, "bytea": .binary, "blob": .binary, "varbinary": .binary,
        "timestamp_s": .timestamp(precision: 0, hasTimeZone: false),
        "timestamp_ms": .timestamp(precision: 3, hasTimeZone: false),
        "timestamp_us": .timestamp(precision: 6, hasTimeZone: false),
        "timestamp_ns": .timestamp(precision: 9, hasTimeZone: false),
        "timestamptz_ns": .timestamp(precision: 9, hasTimeZone: true),
        "timestamp_ntz": .timestamp(precision: nil, hasTimeZone: false),
        "timestamp_ltz": .timestamp(precision: nil, hasTimeZone: true),
        "datetime": .timestamp(precision: nil, hasTimeZone: false),
    ]

    /// Takes a word that is no keyword: `DOUBLE PRECISION`, `CHARACTER VARYING`.
    private mutating func skipWord(_ word: String) {
        if token.kind == .identifier, text.source(token).lowercased() == word { advance() }
    }

    /// `(10, 2)`, or nothing.
    private mutating func parseTypeArguments(countMax: Int) throws(SQLError) -> [Int] {
        guard at(.leftParenthesis) else { return [] }
        let start = token
        let arguments = try parenthesised { (parser) throws(SQLError) in
            try parser.parseCount("a number")
        }
        guard arguments.count <= countMax else {
            throw error("this type takes at most \(countMax) numbers", at: start)
        }
        return arguments
    }

    private mutating func parseTimeType() throws(SQLError) -> TypeName.Node {
        let precision = try parseTypeArguments(countMax: 1).first
        if at(.with), peek().kind == .keyword(.time) {
            throw error("time with time zone is not a type here", hint: "use time or timestamptz")
        }
        _ = try parseZoneWords()
        return .time(precision: precision)
    }

    private mutating func parseTimestampType(
        hasTimeZone: Bool
    ) throws(SQLError) -> TypeName.Node {
        let precision = try parseTypeArguments(countMax: 1).first
        if hasTimeZone { return .timestamp(precision: precision, hasTimeZone: true) }
        return .timestamp(precision: precision, hasTimeZone: try parseZoneWords())
    }

    /// `WITH TIME ZONE`, `WITH LOCAL TIME ZONE` (true), `WITHOUT TIME ZONE` or nothing (false).
    private mutating func parseZoneWords() throws(SQLError) -> Bool {
        let isWith = at(.with, .time) || at(.with, .local)
        guard isWith || at(.without, .time) else { return false }
        advance()
        if isWith { _ = take(.local) }
        try expect(.time)
        try expect(.zone)
        return isWith
    }

    private mutating func parseListElement() throws(SQLError) -> TypeName.Node {
        let closing = try parseOpening()
        let element = try parseTypeName()
        try close(closing)
        try grow()
        return .list(element, length: nil)
    }

    private mutating func parseMapType() throws(SQLError) -> TypeName.Node {
        let closing = try parseOpening()
        let key = try parseTypeName()
        try expect(.comma)
        let value = try parseTypeName()
        try close(closing)
        try grow()
        return .map(key: key, value: value)
    }

    @inline(never)
    private mutating func parseStructureFields() throws(SQLError) -> [TypeName.StructureField] {
        let closing = try parseOpening()
        let fields = try list { (parser) throws(SQLError) -> TypeName.StructureField in
            let name = try parser.parseLabel("a field name")
            _ = parser.take(.colon)
            let type = try parser.parseTypeName()
            let isNotNull = parser.take(.not)
            if isNotNull { try parser.expect(.null) }
            let comment = parser.take(.comment) ? try parser.parseString("a comment") : nil
            return TypeName.StructureField(
                name: name,
                type: type,
                isNotNull: isNotNull,
                comment: comment
            )
        }
        try close(closing)
        try grow()
        return fields
    }

    /// `(` or `<`; returns what closes it.
    private mutating func parseOpening() throws(SQLError) -> Symbol {
        if take(.leftParenthesis) { return .rightParenthesis }
        guard take(.less) else { throw unexpected("\"<\" or \"(\"") }
        return .greater
    }

    /// Takes `)` or `>`; of a `>>` only the first half.
    private mutating func close(_ closing: Symbol) throws(SQLError) {
        if closing == .greater, at(.shiftRight) || at(.greaterOrEqual) {
            previous = token
            previous.length = 1
            token.kind = .symbol(at(.shiftRight) ? .greater : .equal)
            token.offset += 1
            token.column += 1
            token.length -= 1
            return
        }
        try expect(closing)
    }

    private mutating func parseOtherType() throws(SQLError) -> TypeName.Node {
        let name = try parseObjectName("a data type")
        return .other(name, arguments: try parseTypeArguments(countMax: 8))
    }
}
