/// Reads one JSON text by recursive descent over raw bytes, and notes what lies where.
///
/// Everything is checked here: what a text whose nodes are known holds can be made into values without errors.
/// Invariants: `0 <= at <= count`; a byte is loaded only below `count`. Strings are scanned eight bytes at a time.
struct JSONScanner {
    static let depthMax = 200
    /// Larger texts than nodes can point into are refused.
    private static let byteCountMax = Int(UInt32.max)

    private let base: UnsafePointer<UInt8>
    private let count: Int
    private var at = 0
    private var depth = 0
    private(set) var nodes: [JSONNode] = []
    /// How deep the deepest array or object lies; 0 without any.
    private(set) var depthFound = 0
    /// The hashes of the keys of all objects being read, the innermost object's last.
    private var keyHashes: [UInt64] = []

    init(base: UnsafePointer<UInt8>, count: Int) {
        self.base = base
        self.count = count
    }

    /// Reads the text's one value, and nothing may follow.
    mutating func scanText() throws(BytesError) {
        guard count <= Self.byteCountMax else {
            throw BytesError(.unsupported, "a JSON text of 4 GiB or more")
        }
        nodes.reserveCapacity(count / 24 + 8)
        try scanValue()
        skipWhiteSpace()
        if at < count { throw corrupt("more text after the JSON value") }
    }

    // MARK: - Values

    private mutating func append(_ kind: JSONNode.Kind, from start: Int) {
        nodes.append(
            JSONNode(
                kind: kind,
                start: UInt32(truncatingIfNeeded: start),
                end: UInt32(truncatingIfNeeded: at),
                next: UInt32(truncatingIfNeeded: nodes.count + 1)
            )
        )
    }

    private mutating func scanValue() throws(BytesError) {
        skipWhiteSpace()
        guard at < count else { throw truncated("a value") }
        let start = at
        switch base[at] {
        case 0x7B:  // {
            try scanObject()
        case 0x5B:  // [
            try scanArray()
        case 0x22:  // "
            _ = try scanString()
        case 0x74:  // t
            try expect("true")
            append(.true, from: start)
        case 0x66:  // f
            try expect("false")
            append(.false, from: start)
        case 0x6E:  // n
            try expect("null")
            append(.null, from: start)
        case 0x2D, 0x30...0x39:  // - 0...9
            try scanNumber()
            append(.number, from: start)
        default:
            throw corrupt("a byte that begins no JSON value")
        }
    }

    /// Notes the end of an array or object.
    private mutating func close(_ node: Int, count: UInt32) {
        at += 1
        depth -= 1
        nodes[node].end = UInt32(truncatingIfNeeded: at)
        nodes[node].next = UInt32(truncatingIfNeeded: nodes.count)
        nodes[node].count = count
    }

    private mutating func scanArray() throws(BytesError) {
        try enter()
        let node = nodes.count
        append(.array, from: at)
        at += 1
        skipWhiteSpace()
        if at < count, base[at] == 0x5D { return close(node, count: 0) }
        var elementCount: UInt32 = 0
        while true {
            try scanValue()
            elementCount += 1
            skipWhiteSpace()
            guard at < count else { throw truncated("an array") }
            let byte = base[at]
            if byte == 0x2C {  // ,
                at += 1
            } else if byte == 0x5D {  // ]
                return close(node, count: elementCount)
            } else {
                throw corrupt("neither , nor ] after an array's element")
            }
        }
    }

    private mutating func scanObject() throws(BytesError) {
        try enter()
        let (start, node, firstHash) = (at, nodes.count, keyHashes.count)
        append(.object, from: at)
        at += 1
        skipWhiteSpace()
        if at < count, base[at] == 0x7D { return close(node, count: 0) }
        var keysDiffer = true
        var memberCount: UInt32 = 0
        while true {
            skipWhiteSpace()
            guard at < count else { throw truncated("an object") }
            guard base[at] == 0x22 else { throw corrupt("an object's key is not a string") }
            try scanKey(firstHash: firstHash, keysDiffer: &keysDiffer)
            skipWhiteSpace()
            guard at < count else { throw truncated("an object") }
            guard base[at] == 0x3A else { throw corrupt("no : after an object's key") }
            at += 1
            try scanValue()
            memberCount += 1
            skipWhiteSpace()
            guard at < count else { throw truncated("an object") }
            let byte = base[at]
            if byte == 0x2C {  // ,
                at += 1
            } else if byte == 0x7D {  // }
                close(node, count: memberCount)
                break
            } else {
                throw corrupt("neither , nor } after an object's member")
            }
        }
        if keysDiffer, keyHashes.count - firstHash > Self.comparedCountMax {
            let sorted = keyHashes[firstHash...].sorted()
            for index in 1..<sorted.count where sorted[index] == sorted[index - 1] {
                keysDiffer = false
            }
        }
        keyHashes.removeLast(keyHashes.count - firstHash)
        if !keysDiffer, try hasEqualKeys(node) {
            throw BytesError(.corrupt, "an object has the same key twice", offset: start)
        }
    }

    private mutating func enter() throws(BytesError) {
        depth += 1
        depthFound = max(depthFound, depth)
        if depth > Self.depthMax {
            throw BytesError(
                .unsupported,
                "JSON nested more than \(Self.depthMax) deep",
                offset: at
            )
        }
    }

    // MARK: - Keys

    /// So many keys are compared with each other by their hashes as they come.
    private static let comparedCountMax = 16

    /// Reads a key and notes its hash; `keysDiffer` becomes false when an earlier key may be equal.
    private mutating func scanKey(
        firstHash: Int,
        keysDiffer: inout Bool
    ) throws(BytesError) {
        let node = try scanString()
        if node.hasEscapes || !node.isASCII {
            // Unicode equality is not equality of bytes: the strings must be compared.
            keysDiffer = false
            return
        }
        let hash = jsonHash(of: base + Int(node.start), count: Int(node.end - node.start))
        if keyHashes.count - firstHash < Self.comparedCountMax {
            for index in firstHash..<keyHashes.count where keyHashes[index] == hash {
                keysDiffer = false
            }
        }
        keyHashes.append(hash)
    }

    /// Whether two keys of an object are the same text.
    private func hasEqualKeys(_ node: Int) throws(BytesError) -> Bool {
        var keys: Set<String> = []
        var key = node + 1
        while key < nodes[node].next {
            let inserted = keys.insert(try string(of: nodes[key])).inserted
            if !inserted { return true }
            key = Int(nodes[key + 1].next)
        }
        return false
    }

    // MARK: - Strings

    /// Scans the string that begins with the quotation mark at `at`, goes past its end and notes it.
    private mutating func scanString() throws(BytesError) -> JSONNode {
        at += 1
        let raw = UnsafeRawPointer(base)
        var node = JSONNode(kind: .string, start: UInt32(truncatingIfNeeded: at), end: 0)
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
                node.end = UInt32(truncatingIfNeeded: at)
                at += 1
                break
            } else if byte == 0x5C {
                node.hasEscapes = true
                // What follows is looked at when the string is whole; a \" must not end it here.
                guard at + 1 < count else { throw truncated("a string") }
                at += 2
            } else if byte < 0x20 {
                throw corrupt("a control character in a string")
            } else {
                if byte >= 0x80 { node.isASCII = false }
                at += 1
            }
        }
        if node.hasEscapes {
            _ = try string(of: node)
        } else if !node.isASCII {
            guard String(validating: content(of: node), as: UTF8.self) != nil else {
                throw BytesError(
                    .corrupt,
                    "a string is not valid UTF-8",
                    offset: Int(node.start)
                )
            }
        }
        node.next = UInt32(truncatingIfNeeded: nodes.count + 1)
        nodes.append(node)
        return node
    }

    private func content(of node: JSONNode) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: base + Int(node.start), count: Int(node.end - node.start))
    }

    private func string(of node: JSONNode) throws(BytesError) -> String {
        guard node.hasEscapes else { return JSONStrings.plain(content(of: node)) }
        return try JSONStrings.unescaped(content(of: node), offset: Int(node.start))
    }

    // MARK: - Numbers and words

    private mutating func scanNumber() throws(BytesError) {
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
}

/// A hash of a key's bytes, the same within a process.
func jsonHash(of bytes: UnsafePointer<UInt8>, count: Int) -> UInt64 {
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

/// Whether bytes of one text are those of another.
func jsonBytesAreEqual(
    _ left: UnsafePointer<UInt8>,
    _ right: UnsafePointer<UInt8>,
    count: Int
) -> Bool {
    let (first, second) = (UnsafeRawPointer(left), UnsafeRawPointer(right))
    var index = 0
    while index + 8 <= count {
        let one = first.loadUnaligned(fromByteOffset: index, as: UInt64.self)
        if one != second.loadUnaligned(fromByteOffset: index, as: UInt64.self) { return false }
        index += 8
    }
    while index < count {
        if left[index] != right[index] { return false }
        index += 1
    }
    return true
}
