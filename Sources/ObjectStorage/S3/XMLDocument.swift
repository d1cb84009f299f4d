/// An element of a store's answer; attributes, comments and processing instructions are passed over.
package struct XMLElement: Sendable, Equatable {
    /// Without a namespace prefix.
    package var name: String
    /// All character data directly inside, joined.
    package var text: String
    package var children: [XMLElement]

    /// The text of the first child of this name.
    package func text(of name: String) -> String? {
        children.first { $0.name == name }?.text
    }

    /// All children of this name.
    package func all(_ name: String) -> [XMLElement] {
        children.filter { $0.name == name }
    }
}

/// Why bytes are not the XML that stores answer with.
package struct XMLError: Error, Sendable, Equatable {
    package var message: String
    /// The byte where reading stopped making sense.
    package var offset: Int
}

/// Reads the small part of XML that object stores use, of bytes that nobody vouches for.
///
/// No document types, so no entities but the five and numbers; at most 16 levels and 100000 elements.
///
/// - Throws: `XMLError` for everything else.
package func parseXML(_ bytes: [UInt8]) throws(XMLError) -> XMLElement {
    var parser = XMLParser(bytes)
    return try parser.document()
}

private struct XMLParser {
    private let bytes: [UInt8]
    private var at = 0
    private var elementCount = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    mutating func document() throws(XMLError) -> XMLElement {
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { at = 3 }
        try skipMisc()
        guard peek() == UInt8(ascii: "<") else { throw fault("no element") }
        at += 1
        let root = try element(depth: 1)
        try skipMisc()
        guard at == bytes.count else { throw fault("something follows the root element") }
        return root
    }

    private func fault(_ message: String) -> XMLError {
        XMLError(message: message, offset: at)
    }

    private func peek() -> UInt8? {
        at < bytes.count ? bytes[at] : nil
    }

    private func isNext(_ text: StaticString) -> Bool {
        let count = text.utf8CodeUnitCount
        guard bytes.count - at >= count else { return false }
        return text.withUTF8Buffer { bytes[at..<at + count].elementsEqual($0) }
    }

    /// Skips to behind the next occurrence of a text.
    private mutating func skip(behind end: StaticString) throws(XMLError) {
        while at < bytes.count {
            if isNext(end) {
                at += end.utf8CodeUnitCount
                return
            }
            at += 1
        }
        throw fault("the end is missing")
    }

    private mutating func skipBlanks() {
        while let byte = peek(), byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D {
            at += 1
        }
    }

    /// Skips what may stand around the root element.
    private mutating func skipMisc() throws(XMLError) {
        while true {
            skipBlanks()
            if isNext("<?") {
                try skip(behind: "?>")
            } else if isNext("<!--") {
                try skip(behind: "-->")
            } else {
                return
            }
        }
    }

    private mutating func name() throws(XMLError) -> String {
        let start = at
        while let byte = peek(), isNameByte(byte) { at += 1 }
        guard at > start, let name = String(validating: bytes[start..<at], as: UTF8.self) else {
            throw fault("a name is missing")
        }
        return name
    }

    private func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"),
            UInt8(ascii: "."), UInt8(ascii: ":"), 0x80...:
            true
        default:
            false
        }
    }

    /// An element whose `<` has been read.
    private mutating func element(depth: Int) throws(XMLError) -> XMLElement {
        guard depth <= 16 else { throw fault("more than 16 levels") }
        elementCount += 1
        guard elementCount <= 100_000 else { throw fault("more than 100000 elements") }
        let fullName = try name()
        let isEmpty = try skipAttributes()
        var element = XMLElement(name: localName(fullName), text: "", children: [])
        if isEmpty { return element }
        var text: [UInt8] = []
        while let byte = peek() {
            if byte == UInt8(ascii: "&") {
                try reference(into: &text)
            } else if byte != UInt8(ascii: "<") {
                text.append(byte)
                at += 1
            } else if isNext("</") {
                at += 2
                guard try name() == fullName else { throw fault("the wrong element ends") }
                skipBlanks()
                guard peek() == UInt8(ascii: ">") else { throw fault("'>' is missing") }
                at += 1
                guard let valid = String(validating: text, as: UTF8.self) else {
                    throw fault("not UTF-8")
                }
                element.text = valid
                return element
            } else if isNext("<!--") {
                try skip(behind: "-->")
            } else if isNext("<![CDATA[") {
                at += 9
                let start = at
                try skip(behind: "]]>")
                text += bytes[start..<at - 3]
            } else if isNext("<?") {
                try skip(behind: "?>")
            } else {
                at += 1
                element.children.append(try self.element(depth: depth + 1))
            }
        }
        throw fault("element \(element.name) does not end")
    }

    /// Whether the start tag was an empty element's.
    private mutating func skipAttributes() throws(XMLError) -> Bool {
        while true {
            skipBlanks()
            switch peek() {
            case UInt8(ascii: ">"):
                at += 1
                return false
            case UInt8(ascii: "/"):
                at += 1
                guard peek() == UInt8(ascii: ">") else { throw fault("'>' is missing") }
                at += 1
                return true
            default:
                _ = try name()
                skipBlanks()
                guard peek() == UInt8(ascii: "=") else { throw fault("'=' is missing") }
                at += 1
                skipBlanks()
                guard let quote = peek(), quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'")
                else { throw fault("a quote is missing") }
                at += 1
                while let byte = peek(), byte != quote { at += 1 }
                guard peek() == quote else { throw fault("a quote is missing") }
                at += 1
            }
        }
    }

    private mutating func reference(into text: inout [UInt8]) throws(XMLError) {
        at += 1
        let start = at
        while let byte = peek(), byte != UInt8(ascii: ";"), at - start <= 10 { at += 1 }
        guard peek() == UInt8(ascii: ";") else { throw fault("';' is missing") }
        let name = String(decoding: bytes[start..<at], as: UTF8.self)
        at += 1
        switch name {
        case "lt": text.append(UInt8(ascii: "<"))
        case "gt": text.append(UInt8(ascii: ">"))
        case "amp": text.append(UInt8(ascii: "&"))
        case "quot": text.append(UInt8(ascii: "\""))
        case "apos": text.append(UInt8(ascii: "'"))
        default:
            let number =
                name.hasPrefix("#x")
                ? UInt32(name.dropFirst(2), radix: 16)
                : name.hasPrefix("#") ? UInt32(name.dropFirst()) : nil
            guard let number, number != 0, let scalar = Unicode.Scalar(number) else {
                throw fault("an unknown reference")
            }
            text += Array(String(Character(scalar)).utf8)
        }
    }

    private func localName(_ name: String) -> String {
        name.lastIndex(of: ":").map { String(name[name.index(after: $0)...]) } ?? name
    }
}

/// A text as XML character data.
func xmlEscaped(_ text: String) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "<": escaped += "&lt;"
        case ">": escaped += "&gt;"
        case "&": escaped += "&amp;"
        case "\"": escaped += "&quot;"
        case "'": escaped += "&apos;"
        default: escaped.unicodeScalars.append(scalar)
        }
    }
    return escaped
}
