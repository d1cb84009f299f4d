/// Writes JSON as UTF-8, value by value: what is large need not be a `JSON` first.
///
/// Values that stand alone follow each other without anything between them; those of objects and arrays get their
/// commas, and their lines when the text is for people. Who writes an object gives each value a key, and no key twice.
package struct JSONWriter {
    /// What has been written.
    package private(set) var bytes: [UInt8] = []
    private let pretty: Bool
    private let sortedKeys: Bool
    /// Objects and arrays that are open.
    private var depth = 0
    /// Whether the innermost of them has nothing yet.
    private var isEmpty = true
    private var isAfterKey = false

    /// - Parameters:
    ///   - pretty: Two spaces of indentation, one member or element a line; else no white space.
    ///   - sortedKeys: Objects that are `JSON` get their members in the order of their keys' UTF-8 bytes.
    package init(pretty: Bool = false, sortedKeys: Bool = false) {
        self.pretty = pretty
        self.sortedKeys = sortedKeys
    }

    /// Hands out what has been written, and goes on with nothing.
    package mutating func take() -> [UInt8] {
        var taken: [UInt8] = []
        swap(&taken, &bytes)
        return taken
    }

    // MARK: Objects and arrays

    /// Writes an object of what `members` writes: a key, a value, a key, a value.
    package mutating func object(_ members: (inout JSONWriter) throws -> Void) rethrows {
        try enclose(UInt8(ascii: "{"), UInt8(ascii: "}"), members)
    }

    /// Writes an array of the values that `elements` writes.
    package mutating func array(_ elements: (inout JSONWriter) throws -> Void) rethrows {
        try enclose(UInt8(ascii: "["), UInt8(ascii: "]"), elements)
    }

    private mutating func enclose(
        _ opening: UInt8,
        _ closing: UInt8,
        _ content: (inout JSONWriter) throws -> Void
    ) rethrows {
        beginValue()
        bytes.append(opening)
        depth += 1
        isEmpty = true
        try content(&self)
        depth -= 1
        if !isEmpty { breakLine() }
        bytes.append(closing)
        isEmpty = false
    }

    /// Writes the key of the next value.
    package mutating func key(_ key: String) {
        separate()
        quote(key)
        bytes.append(UInt8(ascii: ":"))
        if pretty { bytes.append(UInt8(ascii: " ")) }
        isAfterKey = true
    }

    /// Writes members, and hands out their text for `again(_:)`.
    package mutating func kept(_ members: (inout JSONWriter) -> Void) -> [UInt8] {
        let start = bytes.count
        members(&self)
        return Array(bytes[start...])
    }

    /// Writes members once more: into an object as deep as that in which `kept(_:)` wrote them, and not as its first.
    package mutating func again(_ members: [UInt8]) {
        bytes.append(contentsOf: members)
    }

    /// Ends a line between values that stand alone.
    package mutating func endLine() { bytes.append(UInt8(ascii: "\n")) }

    private mutating func beginValue() {
        if isAfterKey {
            isAfterKey = false
        } else {
            separate()
        }
    }

    private mutating func separate() {
        guard depth > 0 else { return }
        if !isEmpty { bytes.append(UInt8(ascii: ",")) }
        isEmpty = false
        breakLine()
    }

    private mutating func breakLine() {
        if !pretty { return }
        bytes.append(UInt8(ascii: "\n"))
        bytes.append(contentsOf: repeatElement(UInt8(ascii: " "), count: 2 * depth))
    }

    // MARK: Values

    /// Writes any value.
    package mutating func value(_ value: JSON) {
        switch value {
        case .null: null()
        case .bool(let value): bool(value)
        case .number(let text):
            beginValue()
            bytes.append(contentsOf: text.utf8)
        case .string(let text): string(text)
        case .array(let elements):
            array { writer in
                for element in elements { writer.value(element) }
            }
        case .object(let object):
            let members =
                sortedKeys
                ? object.members.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
                : object.members
            self.object { writer in
                for member in members {
                    writer.key(member.key)
                    writer.value(member.value)
                }
            }
        }
    }

    package mutating func null() {
        beginValue()
        bytes.append(contentsOf: "null".utf8)
    }

    package mutating func bool(_ value: Bool) {
        beginValue()
        bytes.append(contentsOf: value ? "true".utf8 : "false".utf8)
    }

    package mutating func integer(_ value: Int64) {
        beginValue()
        bytes.append(contentsOf: String(value).utf8)
    }

    package mutating func string(_ text: String) {
        beginValue()
        quote(text)
    }

    private mutating func quote(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        var text = text
        text.withUTF8 { content in
            var written = 0
            for index in 0..<content.count {
                let byte = content[index]
                // Only these must be escaped; all other text stays as it is.
                if byte >= 0x20, byte != 0x22, byte != 0x5C { continue }
                bytes.append(contentsOf: UnsafeBufferPointer(rebasing: content[written..<index]))
                written = index + 1
                appendEscape(of: byte)
            }
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: content[written...]))
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func appendEscape(of byte: UInt8) {
        bytes.append(UInt8(ascii: "\\"))
        switch byte {
        case 0x22, 0x5C: bytes.append(byte)
        case 0x08: bytes.append(UInt8(ascii: "b"))
        case 0x09: bytes.append(UInt8(ascii: "t"))
        case 0x0A: bytes.append(UInt8(ascii: "n"))
        case 0x0C: bytes.append(UInt8(ascii: "f"))
        case 0x0D: bytes.append(UInt8(ascii: "r"))
        default:
            let digits = Array("0123456789abcdef".utf8)
            bytes.append(contentsOf: "u00".utf8)
            bytes.append(digits[Int(byte >> 4)])
            bytes.append(digits[Int(byte & 15)])
        }
    }
}
