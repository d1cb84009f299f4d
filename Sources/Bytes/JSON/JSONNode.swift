/// One value of a JSON text, or one key, as the scanner found it: what it is and where.
///
///     text:   {"a":[1,"x"],"b":{}}
///     nodes:  object(2)  "a"  array(2)  1  "x"  "b"  object(0)
///
/// The nodes of a text lie in the order of the text: behind an object its keys and values in turns, behind an
/// array its elements, each followed by its own. `next` leads past all that is inside.
struct JSONNode: Sendable, Equatable {
    enum Kind: UInt8, Sendable {
        case null, `false`, `true`, number, string, array, object
    }

    var kind: Kind
    /// Of a string: whether something in it is escaped, and whether it is more than ASCII.
    var hasEscapes = false
    var isASCII = true
    /// The bytes of the value; of a string what is between the quotation marks.
    var start: UInt32
    var end: UInt32
    /// The number of the first node that does not belong to this one.
    var next: UInt32 = 0
    /// How many members or elements there are.
    var count: UInt32 = 0
}

/// What an unescaped string stands for, and how it is written again.
enum JSONStrings {
    /// The text of a string without escapes whose bytes are known to be UTF-8.
    static func plain(_ content: UnsafeBufferPointer<UInt8>) -> String {
        String(decoding: content, as: UTF8.self)
    }

    /// Resolves the escapes of a string.
    ///
    /// - Parameter offset: where the content begins in its text, for messages.
    static func unescaped(
        _ content: UnsafeBufferPointer<UInt8>,
        offset: Int
    ) throws(BytesError) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(content.count)
        var index = 0
        func bad(_ index: Int, _ message: String) -> BytesError {
            BytesError(.corrupt, message, offset: offset + index)
        }
        func hexQuad() throws(BytesError) -> UInt32 {
            guard index + 4 <= content.count else { throw bad(index, "an unfinished \\u escape") }
            var value: UInt32 = 0
            for _ in 0..<4 {
                let byte = content[index]
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
        /// Reads the four digits after \u, and the second half of a surrogate pair.
        func scalar() throws(BytesError) -> Unicode.Scalar {
            let start = index
            let first = try hexQuad()
            if let scalar = Unicode.Scalar(first) { return scalar }
            guard first < 0xDC00, index + 2 <= content.count, content[index] == 0x5C,
                content[index + 1] == 0x75
            else { throw bad(start, "a lone surrogate") }
            index += 2
            let second = try hexQuad()
            guard (0xDC00...0xDFFF).contains(second),
                let scalar = Unicode.Scalar(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))
            else { throw bad(start, "a lone surrogate") }
            return scalar
        }
        while index < content.count {
            let byte = content[index]
            guard byte == 0x5C else {
                bytes.append(byte)
                index += 1
                continue
            }
            guard index + 1 < content.count else { throw bad(index, "an unfinished escape") }
            index += 2
            switch content[index - 1] {
            case 0x22, 0x5C, 0x2F: bytes.append(content[index - 1])  // " \ /
            case 0x62: bytes.append(0x08)  // b
            case 0x66: bytes.append(0x0C)  // f
            case 0x6E: bytes.append(0x0A)  // n
            case 0x72: bytes.append(0x0D)  // r
            case 0x74: bytes.append(0x09)  // t
            case 0x75:  // u
                let scalar = try scalar()
                bytes.append(contentsOf: Unicode.UTF8.encode(scalar) ?? .init())
            default: throw bad(index, "an escape that JSON does not have")
            }
        }
        guard let string = String(validating: bytes, as: UTF8.self) else {
            throw bad(0, "a string is not valid UTF-8")
        }
        return string
    }
}
