/// A JSON text that was read, with what lies where in it: values are made of it only where somebody wants them.
///
/// What is wrong with a text shows when it is made; afterwards nothing can fail. It takes the text's bytes and 20 bytes
/// for each of its values and keys.
package final class JSONText: Sendable {
    let bytes: [UInt8]
    let nodes: [JSONNode]
    /// How deep the deepest array or object lies; 0 without any.
    package let depth: Int

    /// Reads a text.
    ///
    /// - Throws: as `JSON.parse(_:)` does.
    package init(_ bytes: [UInt8]) throws(BytesError) {
        (nodes, depth) = try bytes.withUnsafeBufferPointer { (text) throws(BytesError) in
            guard let base = text.baseAddress else {
                throw BytesError(.truncated, "empty text where JSON was expected")
            }
            var scanner = JSONScanner(base: base, count: text.count)
            try scanner.scanText()
            return (scanner.nodes, scanner.depthFound)
        }
        self.bytes = bytes
    }

    private init(bytes: [UInt8], nodes: [JSONNode], depth: Int) {
        self.bytes = bytes
        self.nodes = nodes
        self.depth = depth
    }

    /// The text's value.
    package var root: JSONView { JSONView(text: self, index: 0) }

    /// A text of its own of one value of this one.
    func detached(_ index: Int) -> JSONText {
        let whole = nodes[index]
        // A string's node leaves out its quotation marks.
        let margin: UInt32 = whole.kind == .string ? 1 : 0
        let (start, end) = (whole.start - margin, whole.end + margin)
        let part = nodes[index..<Int(whole.next)].map { node in
            var node = node
            node.start -= start
            node.end -= start
            node.next -= UInt32(truncatingIfNeeded: index)
            return node
        }
        return JSONText(bytes: Array(bytes[Int(start)..<Int(end)]), nodes: part, depth: depth)
    }
}

/// A value inside a text that was read.
///
/// It keeps the whole text in memory; `detached` does not.
package struct JSONView: Sendable {
    private let text: JSONText
    private let index: Int

    /// A member of an object.
    package struct Member: Sendable, Equatable {
        package let key: String
        package let value: JSONView

        package init(key: String, value: JSONView) {
            self.key = key
            self.value = value
        }
    }

    init(text: JSONText, index: Int) {
        self.text = text
        self.index = index
    }

    /// Writes a value and reads it again.
    ///
    /// - Throws: for what JSON cannot say, or not so deep.
    package init(_ json: JSON) throws(BytesError) {
        self = try JSONText(json.serialized()).root
    }

    private var node: JSONNode { text.nodes[index] }

    /// How many members or elements there are; 0 for anything else.
    package var count: Int { Int(node.count) }

    /// How long the value is in its text.
    package var byteCount: Int { Int(node.end - node.start) }

    package var isObject: Bool { node.kind == .object }
    package var isArray: Bool { node.kind == .array }

    /// What kind of value this is, for messages.
    package var kindName: String {
        switch node.kind {
        case .null: "null"
        case .true, .false: "a boolean"
        case .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }

    /// The boolean, nil for anything else.
    package var bool: Bool? {
        switch node.kind {
        case .true: true
        case .false: false
        default: nil
        }
    }

    /// The text of a string, nil for anything else.
    package var string: String? {
        let node = node
        return node.kind == .string ? text.string(of: node) : nil
    }

    /// A number written as an integer that fits; nil for anything else, `1.0` and `1e3` too.
    package var int64: Int64? {
        let node = node
        guard node.kind == .number else { return nil }
        return Int64(text.string(of: node))
    }

    /// Hands the bytes of a string without escapes to somebody; nil for one with escapes and for anything else.
    package func withPlainBytes<Result>(_ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result? {
        let node = node
        guard node.kind == .string, !node.hasEscapes else { return nil }
        return text.withContent(of: node, body)
    }

    /// A member of an object; nil when this is no object or has no such member.
    package subscript(_ key: String) -> JSONView? {
        text.value(of: key, in: index).map { JSONView(text: text, index: $0) }
    }

    /// The members of an object in their order; none of anything else.
    package var members: [Member] {
        let node = node
        guard node.kind == .object else { return [] }
        var members: [Member] = []
        members.reserveCapacity(Int(node.count))
        var next = index + 1
        while next < node.next {
            members.append(
                Member(
                    key: text.string(of: text.nodes[next]),
                    value: JSONView(text: text, index: next + 1)
                )
            )
            next = Int(text.nodes[next + 1].next)
        }
        return members
    }

    /// The elements of an array in their order; none of anything else.
    package var elements: [JSONView] {
        let node = node
        guard node.kind == .array else { return [] }
        var elements: [JSONView] = []
        elements.reserveCapacity(Int(node.count))
        var next = index + 1
        while next < node.next {
            elements.append(JSONView(text: text, index: next))
            next = Int(text.nodes[next].next)
        }
        return elements
    }

    /// Whether arrays and objects are nested deeper than so many.
    package func isDeeper(than depthMax: Int) -> Bool {
        // The whole text is as deep as any part of it.
        if text.depth <= depthMax { return false }
        var ends: [UInt32] = []
        for place in index..<Int(node.next) {
            while let end = ends.last, end <= place { ends.removeLast() }
            let node = text.nodes[place]
            guard node.kind == .array || node.kind == .object else { continue }
            ends.append(node.next)
            if ends.count > depthMax { return true }
        }
        return false
    }

    /// Where a value inside this one lies, as `inputs[0].facets`; empty for this one itself.
    package func path(to inner: JSONView) -> String {
        var (path, place) = ("", index)
        while place < inner.index {
            let node = text.nodes[place]
            var (next, number) = (place + 1, 0)
            guard node.kind == .array || node.kind == .object else { return path }
            while next < node.next {
                let value = node.kind == .object ? next + 1 : next
                if inner.index < text.nodes[value].next {
                    if node.kind == .array {
                        path += "[\(number)]"
                    } else {
                        path += (path.isEmpty ? "" : ".") + text.string(of: text.nodes[next])
                    }
                    place = value
                    break
                }
                next = Int(text.nodes[value].next)
                number += 1
            }
            guard next < node.next else { return path }
        }
        return path
    }

    /// The value.
    package var json: JSON { text.value(index) }

    /// The value in a text of its own.
    package var detached: JSONView {
        if index == 0 { return self }
        return JSONView(text: text.detached(index), index: 0)
    }

    /// Appends the value without white space; see `JSON.serialized(pretty:sortedKeys:)`.
    package func serialize(sortedKeys: Bool = false, into bytes: inout [UInt8]) {
        text.serialize(index, sortedKeys: sortedKeys, into: &bytes)
    }

    /// The text of the value without white space.
    package func serialized(sortedKeys: Bool = false) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(node.end - node.start) + 2)
        serialize(sortedKeys: sortedKeys, into: &bytes)
        return bytes
    }
}

extension JSONView: Equatable {
    /// Whether both are the same value, in whatever order members come.
    package static func == (left: JSONView, right: JSONView) -> Bool {
        left.isWritten(as: right) || left.json == right.json
    }

    /// Whether both are written with the same bytes.
    package func hasSameText(as other: JSONView) -> Bool {
        text.hasSameText(index, as: other.text, other.index)
    }

    /// A hash of the value's bytes, the same within a process; whoever finds something by it compares the bytes.
    package var textHash: UInt64 { text.textHash(index) }

    /// Whether both have the same values in the same order, however they are spaced and escaped.
    package func isWritten(as other: JSONView) -> Bool {
        text.isWritten(index, as: other.text, other.index)
    }
}
