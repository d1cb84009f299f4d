/// Cuts the UTF-8 bytes of a statement into tokens, one at a time and without ever failing.
///
/// The text is valid UTF-8 of at most `Parser.textBytesMax` bytes, so offsets fit 32 bits.
struct Lexer: Sendable {
    let bytes: [UInt8]
    private(set) var offset = 0
    private var line = 1
    private var lineStart = 0
    /// Bytes since `lineStart` that only continue a scalar: columns count scalars.
    private var continuations = 0
    private let keywords = KeywordTable.shared

    init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// The next token; `end` again and again after the last.
    @inline(never)
    mutating func next() -> Token {
        if let problem = skipBlanks() { return problem }
        let start = Mark(offset: offset, line: line, column: column)
        guard offset < bytes.count else { return token(.end, from: start) }
        let byte = bytes[offset]
        switch byte {
        case 0x41...0x5A, 0x61...0x7A, 0x5F, 0x80...0xFF:
            if let quoted = prefixedString(byte, from: start) { return quoted }
            return word(from: start)
        case 0x30...0x39:
            return number(from: start)
        case 0x27:
            return string(.plain, from: start)
        default:
            return special(byte, from: start)
        }
    }

    // MARK: Blanks and comments

    private struct Mark {
        var offset: Int
        var line: Int
        var column: Int
    }

    private var column: Int { offset - lineStart - continuations + 1 }

    @inline(never)
    private func peek(_ distance: Int) -> UInt8 {
        let index = offset + distance
        return index < bytes.count ? bytes[index] : 0
    }

    private func token(_ kind: Token.Kind, from start: Mark) -> Token {
        Token(
            kind: kind,
            offset: UInt32(truncatingIfNeeded: start.offset),
            length: UInt32(truncatingIfNeeded: offset - start.offset),
            line: UInt32(truncatingIfNeeded: start.line),
            column: UInt32(truncatingIfNeeded: start.column)
        )
    }

    /// Steps over one byte that may end a line or continue a scalar.
    private mutating func step() {
        let byte = bytes[offset]
        offset += 1
        if byte == 0x0A {
            line += 1
            lineStart = offset
            continuations = 0
        } else if byte & 0xC0 == 0x80 {
            continuations += 1
        }
    }

    /// Skips blanks and comments; a token only for a comment that never ends.
    private mutating func skipBlanks() -> Token? {
        while offset < bytes.count {
            let byte = bytes[offset]
            if byte == 0x20 || byte == 0x09 || byte == 0x0D || byte == 0x0B || byte == 0x0C {
                offset += 1
            } else if byte == 0x0A {
                step()
            } else if byte == 0x2D, peek(1) == 0x2D {
                while offset < bytes.count, bytes[offset] != 0x0A { step() }
            } else if byte == 0x2F, peek(1) == 0x2A {
                let start = Mark(offset: offset, line: line, column: column)
                guard skipBlockComment() else {
                    return token(.invalid(.unterminatedComment), from: start)
                }
            } else if byte >= 0x80, let length = unicodeBlankLength() {
                for _ in 0..<length { step() }
            } else {
                return nil
            }
        }
        return nil
    }

    private mutating func skipBlockComment() -> Bool {
        var depth = 0
        while offset < bytes.count {
            if bytes[offset] == 0x2F, peek(1) == 0x2A {
                depth += 1
                offset += 2
            } else if bytes[offset] == 0x2A, peek(1) == 0x2F {
                depth -= 1
                offset += 2
                if depth == 0 { return true }
            } else {
                step()
            }
        }
        return false
    }

    /// The length of a blank outside ASCII that starts here: they come with text from web pages.
    private func unicodeBlankLength() -> Int? {
        switch (bytes[offset], peek(1), peek(2)) {
        case (0xC2, 0xA0, _): 2  // no-break space
        case (0xE2, 0x80, 0x80...0x8B): 3  // U+2000 ... U+200B
        case (0xE2, 0x80, 0xA8...0xA9), (0xE2, 0x80, 0xAF), (0xE2, 0x81, 0x9F): 3
        case (0xE3, 0x80, 0x80): 3  // ideographic space
        case (0xEF, 0xBB, 0xBF): 3  // byte order mark
        default: nil
        }
    }

    // MARK: Words and strings

    private static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x41...0x5A, 0x61...0x7A, 0x5F, 0x30...0x39, 0x24, 0x80...0xFF: true
        default: false
        }
    }

    private mutating func word(from start: Mark) -> Token {
        var hash = KeywordTable.hashStart
        while offset < bytes.count {
            let byte = bytes[offset]
            guard Self.isWordByte(byte) else { break }
            if byte >= 0x80 {
                if unicodeBlankLength() != nil { break }
                if byte & 0xC0 == 0x80 { continuations += 1 }
            }
            hash = KeywordTable.hash(hash, byte)
            offset += 1
        }
        if let keyword = keywords.keyword(in: bytes, start.offset..<offset, hash: hash) {
            return token(.keyword(keyword), from: start)
        }
        return token(.identifier, from: start)
    }

    /// `E'…'` and `X'…'`.
    private mutating func prefixedString(_ byte: UInt8, from start: Mark) -> Token? {
        guard peek(1) == 0x27 else { return nil }
        switch byte | 0x20 {
        case 0x65:
            offset += 1
            return string(.escaped, from: start)
        case 0x78:
            offset += 1
            let content = string(.plain, from: start)
            guard case .string = content.kind else { return content }
            return token(.blob, from: start)
        default:
            return nil
        }
    }

    /// A string whose opening quote is here.
    private mutating func string(_ form: Token.StringForm, from start: Mark) -> Token {
        var form = form
        offset += 1
        while offset < bytes.count {
            let byte = bytes[offset]
            if byte == 0x27 {
                offset += 1
                guard offset < bytes.count, bytes[offset] == 0x27 else {
                    return token(.string(form), from: start)
                }
                if form == .plain { form = .doubled }
                offset += 1
            } else if byte == 0x5C, form == .escaped, offset + 1 < bytes.count {
                offset += 1
                step()
            } else {
                step()
            }
        }
        return token(.invalid(.unterminatedString), from: start)
    }

    private mutating func quotedIdentifier(_ quote: UInt8, from start: Mark) -> Token {
        offset += 1
        while offset < bytes.count {
            if bytes[offset] == quote {
                offset += 1
                guard offset < bytes.count, bytes[offset] == quote else {
                    let isEmpty = offset - start.offset == 2
                    return token(
                        isEmpty ? .invalid(.emptyIdentifier) : .quotedIdentifier,
                        from: start
                    )
                }
                offset += 1
            } else {
                step()
            }
        }
        return token(.invalid(.unterminatedIdentifier), from: start)
    }

    /// `$1`, `$name`, `$$…$$`, `$tag$…$tag$`.
    private mutating func dollar(from start: Mark) -> Token {
        offset += 1
        if (0x30...0x39).contains(peek(0)) {
            while (0x30...0x39).contains(peek(0)) { offset += 1 }
            return token(.numberedParameter, from: start)
        }
        let tagStart = offset
        while offset < bytes.count, Self.isWordByte(bytes[offset]), bytes[offset] != 0x24 {
            step()
        }
        guard offset < bytes.count, bytes[offset] == 0x24 else {
            return token(
                offset == tagStart ? .invalid(.unknownCharacter) : .namedParameter,
                from: start
            )
        }
        offset += 1
        let delimiter = start.offset..<offset
        while offset < bytes.count {
            if bytes[offset] == 0x24, repeats(delimiter) {
                offset += delimiter.count
                return token(.string(.dollar), from: start)
            }
            step()
        }
        return token(.invalid(.unterminatedDollar), from: start)
    }

    private func repeats(_ delimiter: Range<Int>) -> Bool {
        guard offset + delimiter.count <= bytes.count else { return false }
        for index in 0..<delimiter.count {
            guard bytes[offset + index] == bytes[delimiter.lowerBound + index] else { return false }
        }
        return true
    }

    // MARK: Numbers

    private mutating func digits() {
        while offset < bytes.count {
            let byte = bytes[offset]
            if (0x30...0x39).contains(byte) {
                offset += 1
            } else if byte == 0x5F, (0x30...0x39).contains(peek(1)),
                (0x30...0x39).contains(bytes[offset - 1])
            {
                offset += 1
            } else {
                return
            }
        }
    }

    @inline(never)
    private mutating func number(from start: Mark) -> Token {
        var kind = Token.Kind.integer
        if bytes[offset] == 0x30, [0x78, 0x6F, 0x62].contains(peek(1) | 0x20) {
            kind = .integerWithBase
            offset += 2
            while Self.isWordByte(peek(0)) { step() }
            return token(kind, from: start)
        }
        digits()
        // `1..2` is no number with a point: it has none in our grammar, and the error is clearer.
        if peek(0) == 0x2E, peek(1) != 0x2E {
            kind = .decimal
            offset += 1
            digits()
        }
        return numberEnd(kind, from: start)
    }

    /// The exponent, and a look at what touches the number.
    private mutating func numberEnd(_ kind: Token.Kind, from start: Mark) -> Token {
        var kind = kind
        if peek(0) | 0x20 == 0x65 {
            let sign = peek(1) == 0x2B || peek(1) == 0x2D ? 1 : 0
            if (0x30...0x39).contains(peek(1 + sign)) {
                kind = .decimal
                offset += 1 + sign
                digits()
            }
        }
        guard offset < bytes.count, Self.isWordByte(bytes[offset]), unicodeBlankLength() == nil
        else {
            return token(kind, from: start)
        }
        while offset < bytes.count, Self.isWordByte(bytes[offset]) { step() }
        return token(.invalid(.malformedNumber), from: start)
    }

    // MARK: Symbols

    private mutating func special(_ byte: UInt8, from start: Mark) -> Token {
        switch byte {
        case 0x22, 0x60:
            return quotedIdentifier(byte, from: start)
        case 0x24:
            return dollar(from: start)
        case 0x2E where (0x30...0x39).contains(peek(1)):
            offset += 1
            digits()
            return numberEnd(.decimal, from: start)
        default:
            guard let (symbol, length) = symbol(byte) else {
                step()
                return token(.invalid(.unknownCharacter), from: start)
            }
            offset += length
            return token(.symbol(symbol), from: start)
        }
    }

    /// The longest symbol that starts with `byte`, and its length.
    private func symbol(_ byte: UInt8) -> (Symbol, Int)? {
        let second = peek(1)
        switch byte {
        case 0x28: return (.leftParenthesis, 1)
        case 0x29: return (.rightParenthesis, 1)
        case 0x5B: return (.leftBracket, 1)
        case 0x5D: return (.rightBracket, 1)
        case 0x7B: return (.leftBrace, 1)
        case 0x7D: return (.rightBrace, 1)
        case 0x2C: return (.comma, 1)
        case 0x3B: return (.semicolon, 1)
        case 0x2E: return (.dot, 1)
        case 0x3F: return (.question, 1)
        case 0x2B: return (.plus, 1)
        case 0x25: return (.percent, 1)
        case 0x23: return (.hash, 1)
        case 0x3A:  // :
            if second == 0x3A { return (.doubleColon, 2) }
            return second == 0x3D ? (.colonEqual, 2) : (.colon, 1)
        case 0x2D:  // -
            guard second == 0x3E else { return (.minus, 1) }
            return peek(2) == 0x3E ? (.arrowText, 3) : (.arrow, 2)
        case 0x2A: return second == 0x2A ? (.doubleStar, 2) : (.star, 1)
        case 0x2F: return second == 0x2F ? (.doubleSlash, 2) : (.slash, 1)
        case 0x5E: return second == 0x40 ? (.startsWith, 2) : (.caret, 1)
        case 0x3D:  // =
            if second == 0x3D { return (.doubleEqual, 2) }
            return second == 0x3E ? (.rightArrow, 2) : (.equal, 1)
        case 0x3C:  // <
            switch second {
            case 0x3D: return (.lessOrEqual, 2)
            case 0x3E: return (.notEqual, 2)
            case 0x3C: return (.shiftLeft, 2)
            case 0x40: return (.containedBy, 2)
            default: return (.less, 1)
            }
        case 0x3E:  // >
            if second == 0x3D { return (.greaterOrEqual, 2) }
            return second == 0x3E ? (.shiftRight, 2) : (.greater, 1)
        case 0x21:  // !
            if second == 0x3D { return (.bangEqual, 2) }
            guard second == 0x7E else { return nil }
            return peek(2) == 0x2A ? (.bangTildeStar, 3) : (.bangTilde, 2)
        case 0x7E: return second == 0x2A ? (.tildeStar, 2) : (.tilde, 1)
        case 0x26: return second == 0x26 ? (.doubleAmpersand, 2) : (.ampersand, 1)
        case 0x7C: return second == 0x7C ? (.doublePipe, 2) : (.pipe, 1)
        case 0x40: return second == 0x3E ? (.contains, 2) : nil
        default: return nil
        }
    }
}
