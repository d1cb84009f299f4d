/// What is wrong in a row of JSON, and where.
struct JSONFault: Error {
    enum Kind {
        case malformed
        case badValue
    }

    var kind: Kind
    var reason: String
    /// Relative to the first byte that the cursor knows.
    var offset: Int
    /// Number of the top-level column in which it happened.
    var column: Int?
}

/// Pulls tokens out of one JSON value that is in memory as a whole (RFC 8259).
///
/// Eight bytes behind `end` must be readable. Values are checked as they are read, also when they
/// are only skipped: what comes out of here as text is JSON, but for the words NaN and Infinity.
struct JSONCursor {
    let base: UnsafePointer<UInt8>
    private(set) var at: Int
    let end: Int
    /// Unescaped text lies here until the next string.
    private let scratch: JSONScratch

    /// How deep objects and arrays may be nested.
    static let depthMax = 128

    init(_ base: UnsafePointer<UInt8>, from: Int, to end: Int, scratch: JSONScratch) {
        self.base = base
        at = from
        self.end = end
        self.scratch = scratch
    }

    func fault(_ reason: String) -> JSONFault {
        JSONFault(kind: .malformed, reason: reason, offset: at)
    }

    @inline(__always)
    mutating func skipSpace() {
        while at < end {
            let byte = base[at]
            if byte > 0x20 || (byte != 32 && byte != 10 && byte != 13 && byte != 9) { return }
            at &+= 1
        }
    }

    /// The next byte that is not space, without taking it; 0 at the end.
    @inline(__always)
    mutating func peek() -> UInt8 {
        skipSpace()
        return at < end ? base[at] : 0
    }

    /// Takes `byte` if it comes next.
    @inline(__always)
    mutating func take(_ byte: UInt8) -> Bool {
        guard peek() == byte, at < end else { return false }
        at &+= 1
        return true
    }

    mutating func expect(_ byte: UInt8) throws(JSONFault) {
        if !take(byte) { throw unexpected("\"\(Unicode.Scalar(byte))\"") }
    }

    func unexpected(_ wanted: String) -> JSONFault {
        if at >= end { return fault("the value ends where \(wanted) is expected") }
        let rest = UnsafeBufferPointer(start: base + at, count: min(20, end - at))
        return fault("\(wanted) expected, not \"\(excerpt(rest))\"")
    }

    mutating func expectEnd() throws(JSONFault) {
        skipSpace()
        if at < end { throw unexpected("the end of the row") }
    }

    mutating func takeLiteral(_ word: StaticString) -> Bool {
        let count = word.utf8CodeUnitCount
        guard end &- at >= count else { return false }
        for index in 0..<count where base[at &+ index] != word.utf8Start[index] { return false }
        at &+= count
        return true
    }

    // MARK: Strings

    /// Takes a string; the bytes are good until the next one is taken.
    mutating func string() throws(JSONFault) -> UnsafeBufferPointer<UInt8> {
        guard peek() == UInt8(ascii: "\"") else { throw unexpected("a string") }
        at &+= 1
        let start = at
        var all: UInt64 = 0
        while at < end {
            let word = FieldParsing.word(base + at)
            // A byte is special when it is a quote, a backslash, or below 0x20.
            let quotes = word ^ 0x2222_2222_2222_2222
            let slashes = word ^ 0x5C5C_5C5C_5C5C_5C5C
            let low7 = 0x7F7F_7F7F_7F7F_7F7F as UInt64
            let notQuote = ((quotes & low7) &+ low7) | quotes
            let notSlash = ((slashes & low7) &+ low7) | slashes
            let notControl = ((word & low7) &+ 0x6060_6060_6060_6060) | word
            let hits = ~(notQuote & notSlash & notControl) & 0x8080_8080_8080_8080
            if hits == 0 {
                all |= word
                at &+= 8
                continue
            }
            let skipped = hits.trailingZeroBitCount &>> 3
            all |= word & ((1 &<< UInt64(skipped &* 8)) &- 1)
            at &+= skipped
            break
        }
        if at >= end {
            at = end
            throw fault("a string is not closed")
        }
        if base[at] == UInt8(ascii: "\"") {
            let count = at &- start
            at &+= 1
            if all & 0x8080_8080_8080_8080 != 0, !isValidUTF8(base + start, count) {
                throw fault("a string is not valid UTF-8")
            }
            return UnsafeBufferPointer(start: base + start, count: count)
        }
        return try escapedString(from: start)
    }

    @inline(never)
    private mutating func escapedString(
        from start: Int
    ) throws(JSONFault) -> UnsafeBufferPointer<UInt8> {
        scratch.removeAll()
        scratch.append(base + start, at - start)
        while at < end {
            let byte = base[at]
            at += 1
            if byte == UInt8(ascii: "\"") {
                let text = scratch.bytes
                if let first = text.baseAddress, !isValidUTF8(first, text.count) {
                    throw fault("a string is not valid UTF-8")
                }
                return text
            }
            if byte < 0x20 { throw fault("a string holds the control character \(byte)") }
            if byte != UInt8(ascii: "\\") {
                scratch.append(byte)
                continue
            }
            guard at < end else { break }
            let escape = base[at]
            at += 1
            switch escape {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): scratch.append(escape)
            case UInt8(ascii: "n"): scratch.append(10)
            case UInt8(ascii: "t"): scratch.append(9)
            case UInt8(ascii: "r"): scratch.append(13)
            case UInt8(ascii: "b"): scratch.append(8)
            case UInt8(ascii: "f"): scratch.append(12)
            case UInt8(ascii: "u"): scratch.append(try escapedScalar())
            default: throw fault("a string holds an escape that JSON does not know")
            }
        }
        throw fault("a string is not closed")
    }

    private mutating func fourHexDigits() throws(JSONFault) -> UInt32 {
        guard end - at >= 4 else { throw fault("\\u without four digits") }
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = FieldParsing.hexDigit(base[at]) else {
                throw fault("\\u without four digits")
            }
            value = value << 4 | UInt32(digit)
            at += 1
        }
        return value
    }

    private mutating func escapedScalar() throws(JSONFault) -> Unicode.Scalar {
        var value = try fourHexDigits()
        if value >= 0xD800, value < 0xDC00 {
            guard takeLiteral("\\u") else { throw fault("half of a surrogate pair") }
            let low = try fourHexDigits()
            guard low >= 0xDC00, low < 0xE000 else { throw fault("half of a surrogate pair") }
            value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00)
        }
        guard let scalar = Unicode.Scalar(value) else { throw fault("half of a surrogate pair") }
        return scalar
    }

    // MARK: Numbers and whole values

    struct Number {
        var bytes: UnsafeBufferPointer<UInt8>
        /// Whether there is neither a point nor an exponent.
        var isInteger: Bool
    }

    /// Takes a number, or one of the words `NaN`, `Infinity` and `-Infinity` that some writers know.
    mutating func number() throws(JSONFault) -> Number {
        skipSpace()
        let start = at
        if at < end, base[at] == UInt8(ascii: "-") { at &+= 1 }
        let first = at < end ? base[at] &- 48 : 255
        if first >= 10 {
            if takeLiteral("Infinity") || (at == start && takeLiteral("NaN")) {
                return Number(bytes: bytes(from: start), isInteger: false)
            }
            at = start
            throw unexpected("a value")
        }
        at &+= 1
        if first == 0 {
            if at < end, base[at] &- 48 < 10 { throw fault("a number begins with 0") }
        } else {
            skipDigits()
        }
        var isInteger = true
        if at < end, base[at] == UInt8(ascii: ".") {
            isInteger = false
            at &+= 1
            guard at < end, base[at] &- 48 < 10 else { throw unexpected("a digit") }
            skipDigits()
        }
        if at < end, base[at] | 0x20 == UInt8(ascii: "e") {
            isInteger = false
            at &+= 1
            if at < end, base[at] == UInt8(ascii: "+") || base[at] == UInt8(ascii: "-") { at &+= 1 }
            guard at < end, base[at] &- 48 < 10 else { throw unexpected("a digit") }
            skipDigits()
        }
        return Number(bytes: bytes(from: start), isInteger: isInteger)
    }

    @inline(__always)
    private mutating func skipDigits() {
        while at < end, base[at] &- 48 < 10 { at &+= 1 }
    }

    /// What was taken since `start`.
    func bytes(from start: Int) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: base + start, count: at - start)
    }

    /// Takes a whole value, whatever it is, and gives its text.
    mutating func skipValue(depth: Int = 0) throws(JSONFault) -> UnsafeBufferPointer<UInt8> {
        guard depth < Self.depthMax else {
            throw fault("values are nested more than \(Self.depthMax) deep")
        }
        let next = peek()
        let start = at
        switch next {
        case UInt8(ascii: "\""): _ = try string()
        case UInt8(ascii: "{"):
            at += 1
            if !take(UInt8(ascii: "}")) {
                repeat {
                    _ = try string()
                    try expect(UInt8(ascii: ":"))
                    _ = try skipValue(depth: depth + 1)
                } while take(UInt8(ascii: ","))
                try expect(UInt8(ascii: "}"))
            }
        case UInt8(ascii: "["):
            at += 1
            if !take(UInt8(ascii: "]")) {
                repeat { _ = try skipValue(depth: depth + 1) } while take(UInt8(ascii: ","))
                try expect(UInt8(ascii: "]"))
            }
        case UInt8(ascii: "t"):
            if !takeLiteral("true") { throw unexpected("a value") }
        case UInt8(ascii: "f"):
            if !takeLiteral("false") { throw unexpected("a value") }
        case UInt8(ascii: "n"):
            if !takeLiteral("null") { throw unexpected("a value") }
        default: _ = try number()
        }
        return bytes(from: start)
    }
}

/// Memory for unescaped strings, with the padding that `FieldParsing` asks for.
final class JSONScratch {
    private var memory: UnsafeMutablePointer<UInt8>
    private var capacity = 256
    private var count = 0
    private static let padding = 16

    init() {
        memory = .allocate(capacity: capacity + Self.padding)
        memory.initialize(repeating: 0, count: capacity + Self.padding)
    }

    deinit {
        memory.deallocate()
    }

    var bytes: UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: memory, count: count)
    }

    func removeAll() {
        count = 0
    }

    func append(_ bytes: UnsafePointer<UInt8>, _ added: Int) {
        if count + added > capacity {
            let newCapacity = max(capacity * 2, count + added)
            let newMemory = UnsafeMutablePointer<UInt8>.allocate(
                capacity: newCapacity + Self.padding
            )
            newMemory.initialize(repeating: 0, count: newCapacity + Self.padding)
            newMemory.update(from: memory, count: count)
            memory.deallocate()
            (memory, capacity) = (newMemory, newCapacity)
        }
        (memory + count).update(from: bytes, count: added)
        count += added
    }

    func append(_ byte: UInt8) {
        withUnsafePointer(to: byte) { append($0, 1) }
    }

    func append(_ scalar: Unicode.Scalar) {
        for byte in UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter { append(byte) }
    }
}
