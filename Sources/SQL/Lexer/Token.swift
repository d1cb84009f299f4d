/// A piece of a statement: what it is and where; its text stays in the statement.
struct Token: Sendable {
    /// What a token is.
    enum Kind: Sendable, Equatable {
        /// A word that may be a name too, see `Keyword.role`.
        case keyword(Keyword)
        case identifier
        /// In double quotes or backquotes.
        case quotedIdentifier
        case string(StringForm)
        /// `X'0AFF'`
        case blob
        case integer
        /// `0x1F`, `0o17`, `0b101`
        case integerWithBase
        case decimal
        /// `$1`
        case numberedParameter
        /// `$name`; `:name` comes as a colon and a word.
        case namedParameter
        case symbol(Symbol)
        case end
        /// Bytes that are no token; the parser fails when it gets there.
        case invalid(Problem)
    }

    /// How a string is written.
    enum StringForm: Sendable, Equatable {
        case plain
        /// With `''` inside.
        case doubled
        /// `E'…'` with backslashes.
        case escaped
        /// `$tag$…$tag$`
        case dollar
    }

    /// Why bytes are no token.
    enum Problem: Sendable, Equatable {
        case unterminatedString, unterminatedIdentifier, unterminatedComment, unterminatedDollar
        case emptyIdentifier, malformedNumber, unknownCharacter
    }

    var kind: Kind
    var offset: UInt32
    var length: UInt32
    var line: UInt32
    var column: UInt32

    var range: Range<Int> { Int(offset)..<(Int(offset) + Int(length)) }

    var position: SourcePosition { SourcePosition(line: Int(line), column: Int(column)) }

    var span: SourceSpan {
        SourceSpan(offsetBytes: Int(offset), lengthBytes: Int(length), position: position)
    }

    /// Whether `other` starts at once where this token ends.
    func touches(_ other: Token) -> Bool { offset + length == other.offset }
}

/// Operators and punctuation.
enum Symbol: String, Sendable, CaseIterable {
    case leftParenthesis = "("
    case rightParenthesis = ")"
    case leftBracket = "["
    case rightBracket = "]"
    case leftBrace = "{"
    case rightBrace = "}"
    case comma = ","
    case semicolon = ";"
    case dot = "."
    case question = "?"
    case colon = ":"
    case doubleColon = "::"
    case colonEqual = ":="
    case rightArrow = "=>"
    case plus = "+"
    case minus = "-"
    case star = "*"
    case doubleStar = "**"
    case slash = "/"
    case doubleSlash = "//"
    case percent = "%"
    case caret = "^"
    case equal = "="
    case doubleEqual = "=="
    case notEqual = "<>"
    case bangEqual = "!="
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="
    case tilde = "~"
    case tildeStar = "~*"
    case bangTilde = "!~"
    case bangTildeStar = "!~*"
    case ampersand = "&"
    case doubleAmpersand = "&&"
    case pipe = "|"
    case doublePipe = "||"
    case hash = "#"
    case shiftLeft = "<<"
    case shiftRight = ">>"
    case arrow = "->"
    case arrowText = "->>"
    case contains = "@>"
    case containedBy = "<@"
    case startsWith = "^@"
}
