/// One JSON value (RFC 8259), with numbers as the exact text they were written with.
///
/// Equality of numbers is equality of their text: `1` and `1.0` differ. Objects are equal when they
/// have the same members in any order.
package enum JSON: Sendable, Hashable {
    case null
    case bool(Bool)
    /// The number's text, in JSON's grammar; `integer(_:)` and `double(_:)` make it from numbers.
    case number(String)
    case string(String)
    case array([JSON])
    case object(JSONObject)
}

// MARK: - Making values

extension JSON {
    /// The number of an integer of any width.
    package static func integer(_ value: some BinaryInteger) -> JSON {
        .number(String(value))
    }

    /// The shortest number that reads back as `value`; nil for infinities and NaN, which JSON lacks.
    package static func double(_ value: Double) -> JSON? {
        value.isFinite ? .number(value.description) : nil
    }

    /// The shortest number that reads back as `value`; nil for infinities and NaN, which JSON lacks.
    package static func float(_ value: Float) -> JSON? {
        value.isFinite ? .number(value.description) : nil
    }

    /// An array of strings.
    package static func strings(_ values: some Sequence<String>) -> JSON {
        .array(values.map { .string($0) })
    }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral
{
    package init(stringLiteral value: String) { self = .string(value) }
    package init(integerLiteral value: Int64) { self = .integer(value) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
}

extension JSON: ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral {
    package init(arrayLiteral elements: JSON...) { self = .array(elements) }

    /// An object of the members in their order; of two with the same key, the last value stays.
    package init(dictionaryLiteral elements: (String, JSON)...) {
        var object = JSONObject()
        for (key, value) in elements { object[key] = value }
        self = .object(object)
    }
}

// MARK: - Looking inside

extension JSON {
    /// Whether this is JSON's `null`.
    package var isNull: Bool { self == .null }

    /// The boolean, nil for anything else.
    package var bool: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    /// The text of a string, nil for anything else.
    package var string: String? {
        if case .string(let value) = self { value } else { nil }
    }

    /// The elements of an array, nil for anything else.
    package var array: [JSON]? {
        if case .array(let value) = self { value } else { nil }
    }

    /// The members of an object, nil for anything else.
    package var object: JSONObject? {
        if case .object(let value) = self { value } else { nil }
    }

    /// The exact text of a number, nil for anything else.
    package var numberText: String? {
        if case .number(let text) = self { text } else { nil }
    }

    /// A number written as an integer that fits; nil for anything else, `1.0` and `1e3` too.
    package var int64: Int64? {
        if case .number(let text) = self { Int64(text) } else { nil }
    }

    /// A number written as an integer that fits; nil for anything else.
    package var int: Int? {
        if case .number(let text) = self { Int(text) } else { nil }
    }

    /// A number written as an integer that fits; nil for anything else.
    package var int32: Int32? {
        if case .number(let text) = self { Int32(text) } else { nil }
    }

    /// The double nearest to a number; nil for anything else and for numbers beyond a double's range.
    package var double: Double? {
        guard case .number(let text) = self, let value = Double(text), value.isFinite else {
            return nil
        }
        return value
    }

    /// A member of an object; nil when this is no object or has no such member.
    package subscript(_ key: String) -> JSON? {
        if case .object(let object) = self { object[key] } else { nil }
    }

    /// An element of an array; nil when this is no array or it is shorter.
    package subscript(_ index: Int) -> JSON? {
        guard case .array(let elements) = self, elements.indices.contains(index) else {
            return nil
        }
        return elements[index]
    }
}

// MARK: - Bytes

extension JSON {
    /// Parses one JSON text.
    ///
    /// - Throws: `truncated` when the text ends inside a value; `corrupt` when it is not JSON by the
    ///   letter of RFC 8259, is not UTF-8, has a lone surrogate, repeats a key within an object or is
    ///   followed by more; `unsupported` when values are nested more than 200 deep, or it has 4 GiB.
    package static func parse(_ bytes: UnsafeRawBufferPointer) throws(BytesError) -> JSON {
        try bytes.withMemoryRebound(to: UInt8.self) { (text) throws(BytesError) in
            guard let base = text.baseAddress else {
                throw BytesError(.truncated, "empty text where JSON was expected")
            }
            var scanner = JSONScanner(base: base, count: text.count)
            try scanner.scanText()
            var builder = JSONBuilder(base: base, nodes: scanner.nodes)
            return try builder.value(0)
        }
    }

    /// Parses one JSON text.
    ///
    /// - Throws: as `parse(_:)` of a buffer does.
    package static func parse(_ bytes: [UInt8]) throws(BytesError) -> JSON {
        try bytes.withUnsafeBufferPointer { (text) throws(BytesError) in
            try parse(UnsafeRawBufferPointer(text))
        }
    }

    /// Parses one JSON text.
    ///
    /// - Throws: as `parse(_:)` of a buffer does.
    package static func parse(_ bytes: RawSpan) throws(BytesError) -> JSON {
        try bytes.withUnsafeBytes { (text) throws(BytesError) in try parse(text) }
    }

    /// Parses one JSON text.
    ///
    /// - Throws: as `parse(_:)` of a buffer does.
    package static func parse(_ text: String) throws(BytesError) -> JSON {
        try parse(Array(text.utf8))
    }

    /// The text of this value in UTF-8; equal values in equal order give equal bytes.
    ///
    /// - Parameters:
    ///   - pretty: Two spaces of indentation, one member or element a line; else no white space.
    ///   - sortedKeys: Members in the order of their keys' UTF-8 bytes; else in their own order.
    package func serialized(pretty: Bool = false, sortedKeys: Bool = false) -> [UInt8] {
        var writer = JSONWriter(pretty: pretty, sortedKeys: sortedKeys)
        writer.value(self)
        return writer.take()
    }

    /// The text of this value; see `serialized(pretty:sortedKeys:)`.
    package func text(pretty: Bool = false, sortedKeys: Bool = false) -> String {
        String(decoding: serialized(pretty: pretty, sortedKeys: sortedKeys), as: UTF8.self)
    }
}

extension JSON: CustomStringConvertible {
    package var description: String { text() }
}
