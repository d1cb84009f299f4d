/// Reads one JSON text by recursive descent over raw bytes.
///
/// Invariants: `0 <= at <= count`; a byte is loaded only below `count`. Strings are scanned eight bytes
/// at a time. Keys repeat thousands of times in table metadata, so the last ones seen are kept by hash
/// and their `String` is shared instead of made anew.
struct JSONParser {
    static let depthMax = 200

    private let base: UnsafePointer<UInt8>
    private let count: Int
    private var at = 0
    private var depth = 0
    /// The hashes of the keys of all objects being read, the innermost object's last.
    private var keyHashes: [UInt64] = []
    private var keyCache: [CachedKey]

    private struct CachedKey {
        var hash: UInt64 = 0
        var offset = 0
        var count = -1
        var key = ""
    }

    /// A number of slots that is a power of two.
    private static let keyCacheCount = 64

    /// A string of the text: where its content lies, what it holds.
    private struct Piece {
        var start: Int
        var end: Int
        var isASCII: Bool
        var hasEscapes: Bool
    }

    init(base: UnsafePointer<UInt8>, count: Int) {
        self.base = base
        self.count = count
        keyCache = Array(repeating: CachedKey(), count: Self.keyCacheCount)
    }

    /// Reads the text's one value, and nothing may follow.
    mutating func parseText() throws(BytesError) -> JSON {
        let value = try parseValue()
        skipWhiteSpace()
        if at < count { throw corrupt("more text after the JSON value") }
        return value
    }

    // MARK: - Values

    private mutating func parseValue() throws(BytesError) -> JSON {
        skipWhiteSpace()
        guard at < count else { throw truncated("a value") }
        switch base[at] {
        case 0x7B:  // {
            return .object(try parseObject())
        case 0x5B:  // [
            return .array(try parseArray())
        case 0x22:  // "
            return .string(try string(of: scanString()))
        case 0x74:  // t
            try expect("true")
            return .bool(true)
        case 0x66:  // f
            try expect("false")
            return .bool(false)
        case 0x6E:  // n
            try expect("null")
            return .null
        case 0x2D, 0x30...0x39:  // - 0...9
            return .number(try parseNumber())
        default:
            throw corrupt("a byte that begins no JSON value")
        }
    }

    private mutating func parseArray() throws(BytesError) -> [JSON] {
        try enter()
        at += 1
        var elements: [JSON] = []
        skipWhiteSpace()
        if at < count, base[at] == 0x5D {
            at += 1
            depth -= 1
            return elements
        }
        while true {
            elements.append(try parseValue())
            skipWhiteSpace()
            guard at < count else { throw truncated("an array") }
            let byte = base[at]
            if byte == 0x2C {  // ,
                at += 1
            } else if byte == 0x5D {  // ]
                at += 1
                depth -= 1
                return elements
            } else {
                throw corrupt("neither , nor ] after an array's element")
            }
        }
    }

    private mutating func parseObject() throws(BytesError) -> JSONObject {
        try enter()
        let start = at
        at += 1
        let firstHash = keyHashes.count
        var keysDiffer = true
        var members: [JSONObject.Member] = []
        skipWhiteSpace()
        if at < count, base[at] == 0x7D {
            at += 1
            depth -= 1
            return JSONObject()
        }
        members.reserveCapacity(4)
        while true {
            skipWhiteSpace()
            guard at < count else { throw truncated("an object") }
            guard base[at] == 0x22 else { throw corrupt("an object's key is not a string") }
            let key = try parseKey(firstHash: firstHash, keysDiffer: &keysDiffer)
            skipWhiteSpace()
            guard at < count else { throw truncated("an object") }
            guard base[at] == 0x3A else { throw corrupt("no : after an object's key") }
            at += 1
            members.append(JSONObject.Member(key, try parseValue()))
            skipWhiteSpace()
            guard at < count else { throw truncated("an object") }
            let byte = base[at]
            if byte == 0x2C {  // ,
                at += 1
            } else if byte == 0x7D {  // }
                at += 1
                break
            } else {
                throw corrupt("neither , nor } after an object's member")
            }
        }
        depth -= 1
        keyHashes.removeLast(keyHashes.count - firstHash)
        guard let object = JSONObject(parsed: members, keysDiffer: keysDiffer) else {
            throw BytesError(.corrupt, "an object has the same key twice", offset: start)
        }
        return object
    }

    private mutating func enter() throws(BytesError) {
        depth += 1
        if depth > Self.depthMax {
            throw BytesError(
                .unsupported,
                "JSON nested more than \(Self.depthMax) deep",
                offset: at
            )
        }
    }

    // MARK: - Keys

    /// Reads a key and notes its hash; `keysDiffer` becomes false when an earlier key may be equal.
    private mutating func parseKey(
        firstHash: Int,
        keysDiffer: inout Bool
    ) throws(BytesError) -> String {
        let piece = try scanString()
        if piece.hasEscapes || !piece.isASCII {
            // Unicode equality is not equality of bytes: let the object compare the strings.
            keysDiffer = false
            return try string(of: piece)
        }
        let length = piece.end - piece.start
        let hash = hash(of: base + piece.start, count: length)
        if keyHashes.count - firstHash < 16 {
            for index in firstHash..<keyHashes.count where keyHashes[index] == hash {
                keysDiffer = false
            }
        }
        keyHashes.append(hash)
        let slot = Int(truncatingIfNeeded: hash >> 32) & (Self.keyCacheCount - 1)
        let cached = keyCache[slot]
        if cached.hash == hash, cached.count == length,
            equalBytes(base + cached.offset, base + piece.start, count: length)
        {
            return cached.key
        }
        let key = try string(of: piece)
        keyCache[slot] = CachedKey(hash: hash, offset: piece.start, count: length, key: key)
        return key
    }

    private func hash(of bytes: UnsafePointer<UInt8>, count: Int) -> UInt64 {
        let raw = UnsafeRawPointer(bytes)
        var hash = UInt64(truncatingIfNeeded: count) &* 0x9E37_79B9_7F4A_7C15
        var index = 0
        while index + 8 <= count {
            hash = (hash ^ raw.loadUnaligned(fromByteOffset: index, as: UInt64.self))
            hash = (hash ^ (hash >> 29)) &* 0xBF58_476D_1CE4_E5B9
            index += 8
        }
        while index < count {
            hash = (hash ^ UInt64(bytes[index])) &* 0x0000_0100_0000_01B3
            index += 1
        }
        return hash ^ (hash >> 31)
    }

    private func equalBytes(
        _ left: UnsafePointer<UInt8>,
        _ right: UnsafePointer<UInt8>,
        count: Int
    ) -> Bool {
        for index in 0..<count where left[index] != right[index] { return false }
        return true
    }

    // MARK: - Strings

    /// Scans the string that begins with the quotation mark at `at`, and goes past its end.
    private mutating func scanString() throws(BytesError) -> Piece {
        at += 1
        let raw = UnsafeRawPointer(base)
        var piece = Piece(start: at, end: at, isASCII: true, hasEscapes: false)
        while true {
            while at + 8 <= count {
                let word = UInt64(
                    littleEndian: raw.loadUnaligned(fromByteOffset: at, as: UInt64.self)
                )
                // The lowest high bit marks the first byte that is a control character, ", \ or not
                // ASCII. Borrows can only mark bytes after such a one.
                let controls = word &- 0x2020_2020_2020_2020
                let quotes = (word ^ 0x2222_2222_2222_2222) &- 0x0101_0101_0101_0101
                let escapes = (word ^ 0x5C5C_5C5C_5C5C_5C5C) &- 0x0101_0101_0101_0101
                let marks = (word | controls | quotes | escapes) & 0x8080_8080_8080_8080
                if marks != 0 {
                    at += marks.trailingZeroBitCount >> 3
                    break
                }
                at += 8
            }
            guard at < count else { throw truncated("a string") }
            let byte = base[at]
            if byte == 0x22 {
                piece.end = at
                at += 1
                return piece
            } else if byte == 0x5C {
                piece.hasEscapes = true
                // What follows is looked at when the string is made; a \" must not end it here.
                guard at + 1 < count else { throw truncated("a string") }
                at += 2
            } else if byte < 0x20 {
                throw corrupt("a control character in a string")
            } else {
                if byte >= 0x80 { piece.isASCII = false }
                at += 1
            }
        }
    }

    private func string(of piece: Piece) throws(BytesError) -> String {
        if piece.hasEscapes { return try unescaped(piece) }
        let content = UnsafeBufferPointer(start: base + piece.start, count: piece.end - piece.start)
        if piece.isASCII { return String(decoding: content, as: UTF8.self) }
        guard let string = String(validating: content, as: UTF8.self) else {
            throw BytesError(.corrupt, "a string is not valid UTF-8", offset: piece.start)
        }
        return string
    }

    private func unescaped(_ piece: Piece) throws(BytesError) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(piece.end - piece.start)
        var index = piece.start
        while index < piece.end {
            let byte = base[index]
            guard byte == 0x5C else {
                bytes.append(byte)
                index += 1
                continue
            }
            guard index + 1 < piece.end else { throw bad(index, "an unfinished escape") }
            index += 2
            switch base[index - 1] {
            case 0x22, 0x5C, 0x2F: bytes.append(base[index - 1])  // " \ /
            case 0x62: bytes.append(0x08)  // b
            case 0x66: bytes.append(0x0C)  // f
            case 0x6E: bytes.append(0x0A)  // n
            case 0x72: bytes.append(0x0D)  // r
            case 0x74: bytes.append(0x09)  // t
            case 0x75:  // u
                let scalar = try scalar(at: &index, end: piece.end)
                bytes.append(contentsOf: Unicode.UTF8.encode(scalar) ?? .init())
            default: throw bad(index, "an escape that JSON does not have")
            }
        }
        guard let string = String(validating: bytes, as: UTF8.self) else {
            throw bad(piece.start, "a string is not valid UTF-8")
        }
        return string
    }

    /// Reads the four digits after \u, and the second half of a surrogate pair.
    private func scalar(at index: inout Int, end: Int) throws(BytesError) -> Unicode.Scalar {
        let start = index
        let first = try hexQuad(at: &index, end: end)
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard first < 0xDC00, index + 2 <= end, base[index] == 0x5C, base[index + 1] == 0x75 else {
            throw bad(start, "a lone surrogate")
        }
        index += 2
        let second = try hexQuad(at: &index, end: end)
        guard (0xDC00...0xDFFF).contains(second),
            let scalar = Unicode.Scalar(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))
        else {
            throw bad(start, "a lone surrogate")
        }
        return scalar
    }

    private func hexQuad(at index: inout Int, end: Int) throws(BytesError) -> UInt32 {
        guard index + 4 <= end else { throw bad(index, "an unfinished \\u escape") }
        var value: UInt32 = 0
        for _ in 0..<4 {
            let byte = base[index]
            let digit: UInt8
            switch byte {
            case 0x30...0x39: digit = byte - 0x30
            case 0x41...0x46: digit = byte - 0x41 + 10
            case 0x61...0x66: digit = byte - 0x61 + 10
            default: throw bad(index, "a \\u escape with a digit that is not hexadecimal")
            }
            value = value << 4 | UInt32(digit)
            index += 1
        }
        return value
    }

    // MARK: - Numbers and words

    private mutating func parseNumber() throws(BytesError) -> String {
        let start = at
        if base[at] == 0x2D { at += 1 }
        guard at < count else { throw truncated("a number") }
        if base[at] == 0x30 {
            at += 1
        } else if !skipDigits() {
            throw corrupt("a number without digits")
        }
        if at < count, base[at] == 0x2E {
            at += 1
            if !skipDigits() {
                throw at < count ? corrupt("a number without digits") : truncated("a number")
            }
        }
        if at < count, base[at] | 0x20 == 0x65 {
            at += 1
            if at < count, base[at] == 0x2B || base[at] == 0x2D { at += 1 }
            if !skipDigits() {
                throw at < count ? corrupt("an exponent without digits") : truncated("a number")
            }
        }
        let content = UnsafeBufferPointer(start: base + start, count: at - start)
        return String(decoding: content, as: UTF8.self)
    }

    private mutating func skipDigits() -> Bool {
        let start = at
        while at < count, base[at] &- 0x30 < 10 { at += 1 }
        return at > start
    }

    private mutating func expect(_ word: StaticString) throws(BytesError) {
        let letters = word.utf8Start
        for index in 0..<word.utf8CodeUnitCount {
            guard at + index < count else { throw truncated("a value") }
            if base[at + index] != letters[index] {
                throw corrupt("a word that is not true, false or null")
            }
        }
        at += word.utf8CodeUnitCount
    }

    private mutating func skipWhiteSpace() {
        while at < count {
            let byte = base[at]
            if byte > 0x20 { return }
            guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return }
            at += 1
        }
    }

    // MARK: - Errors

    private func truncated(_ what: String) -> BytesError {
        BytesError(.truncated, "the text ends inside \(what)", offset: at)
    }

    private func corrupt(_ message: String) -> BytesError {
        BytesError(.corrupt, message, offset: at)
    }

    private func bad(_ offset: Int, _ message: String) -> BytesError {
        BytesError(.corrupt, message, offset: offset)
    }
}
