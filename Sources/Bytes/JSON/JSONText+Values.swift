// What a text says at its nodes. Every node was checked when the text was scanned, so that strings can be made of
// them without errors.

extension JSONText {
    func withContent<Result>(
        of node: JSONNode,
        _ body: (UnsafeBufferPointer<UInt8>) -> Result
    ) -> Result {
        bytes.withUnsafeBufferPointer { text in
            body(UnsafeBufferPointer(rebasing: text[Int(node.start)..<Int(node.end)]))
        }
    }

    /// The text of a string, or of a number.
    func string(of node: JSONNode) -> String {
        withContent(of: node) { content in
            if !node.hasEscapes { return JSONStrings.plain(content) }
            do throws(BytesError) {
                return try JSONStrings.unescaped(content, offset: Int(node.start))
            } catch {
                preconditionFailure("a string that was scanned has a wrong escape: \(error)")
            }
        }
    }

    func value(_ index: Int) -> JSON {
        bytes.withUnsafeBufferPointer { text in
            guard let base = text.baseAddress else { return .null }
            let size = Int(nodes[index].next) - index
            var builder = JSONBuilder(base: base, nodes: nodes, sharesKeys: size > 1000)
            do throws(BytesError) {
                return try builder.value(index)
            } catch {
                preconditionFailure("a text that was scanned has a wrong value: \(error)")
            }
        }
    }

    /// The node of a member's value; nil when there is none or the node is no object.
    func value(of key: String, in index: Int) -> Int? {
        let node = nodes[index]
        guard node.kind == .object, node.count > 0 else { return nil }
        var key = key
        return key.withUTF8 { wanted in
            bytes.withUnsafeBufferPointer { text in
                nodes.withUnsafeBufferPointer { nodes in
                    var next = index + 1
                    while next < node.next {
                        let found = nodes[next]
                        if isKey(found, wanted, text) { return next + 1 }
                        next = Int(nodes[next + 1].next)
                    }
                    return nil
                }
            }
        }
    }

    private func isKey(
        _ node: JSONNode,
        _ wanted: UnsafeBufferPointer<UInt8>,
        _ text: UnsafeBufferPointer<UInt8>
    ) -> Bool {
        guard !node.hasEscapes, node.isASCII else {
            // Keys are equal when their texts are, however they are written.
            return string(of: node) == JSONStrings.plain(wanted)
        }
        guard Int(node.end - node.start) == wanted.count else { return false }
        guard let first = text.baseAddress, let second = wanted.baseAddress else {
            return wanted.isEmpty
        }
        return jsonBytesAreEqual(first + Int(node.start), second, count: wanted.count)
    }

    /// Whether a value is the same, in the same order, as one of another text.
    func isWritten(_ index: Int, as other: JSONText, _ otherIndex: Int) -> Bool {
        let count = Int(nodes[index].next) - index
        guard count == Int(other.nodes[otherIndex].next) - otherIndex else { return false }
        return bytes.withUnsafeBufferPointer { left in
            other.bytes.withUnsafeBufferPointer { right in
                for offset in 0..<count {
                    let (one, two) = (nodes[index + offset], other.nodes[otherIndex + offset])
                    guard one.kind == two.kind, one.count == two.count else { return false }
                    switch one.kind {
                    case .null, .true, .false, .array, .object: continue
                    case .number, .string:
                        if isSame(one, left, two, right) { continue }
                        guard one.hasEscapes || two.hasEscapes,
                            string(of: one).utf8.elementsEqual(other.string(of: two).utf8)
                        else { return false }
                    }
                }
                return true
            }
        }
    }

    private func isSame(
        _ one: JSONNode,
        _ left: UnsafeBufferPointer<UInt8>,
        _ two: JSONNode,
        _ right: UnsafeBufferPointer<UInt8>
    ) -> Bool {
        let count = Int(one.end - one.start)
        guard count == Int(two.end - two.start) else { return false }
        guard let first = left.baseAddress, let second = right.baseAddress else { return false }
        return jsonBytesAreEqual(
            first + Int(one.start),
            second + Int(two.start),
            count: count
        )
    }

    func hasSameText(_ index: Int, as other: JSONText, _ otherIndex: Int) -> Bool {
        let (one, two) = (nodes[index], other.nodes[otherIndex])
        guard one.kind == two.kind, one.end - one.start == two.end - two.start else { return false }
        return withContent(of: one) { left in
            other.withContent(of: two) { right in
                guard let first = left.baseAddress, let second = right.baseAddress else {
                    return left.count == right.count
                }
                return jsonBytesAreEqual(first, second, count: left.count)
            }
        }
    }

    func textHash(_ index: Int) -> UInt64 {
        withContent(of: nodes[index]) { content in
            content.baseAddress.map { jsonHash(of: $0, count: content.count) } ?? 0
        }
    }

    /// Appends a value without white space, strings escaped as `JSONWriter` does.
    func serialize(_ index: Int, sortedKeys: Bool, into bytes: inout [UInt8]) {
        self.bytes.withUnsafeBufferPointer { text in
            nodes.withUnsafeBufferPointer { nodes in
                var writer = JSONTextWriter(text: text, nodes: nodes, sortedKeys: sortedKeys)
                writer.bytes = bytes
                bytes = []
                writer.write(index)
                bytes = writer.bytes
            }
        }
    }
}

/// Writes values of a text again.
private struct JSONTextWriter {
    let text: UnsafeBufferPointer<UInt8>
    let nodes: UnsafeBufferPointer<JSONNode>
    let sortedKeys: Bool
    var bytes: [UInt8] = []
    /// The keys of all objects being written in order, the innermost object's last.
    private var keys: [Int] = []

    init(
        text: UnsafeBufferPointer<UInt8>,
        nodes: UnsafeBufferPointer<JSONNode>,
        sortedKeys: Bool
    ) {
        self.text = text
        self.nodes = nodes
        self.sortedKeys = sortedKeys
    }

    private func content(_ node: JSONNode) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(rebasing: text[Int(node.start)..<Int(node.end)])
    }

    mutating func write(_ index: Int) {
        let node = nodes[index]
        switch node.kind {
        case .null, .true, .false, .number: bytes.append(contentsOf: content(node))
        case .string: writeString(node)
        case .array:
            bytes.append(UInt8(ascii: "["))
            var next = index + 1
            while next < node.next {
                if next > index + 1 { bytes.append(UInt8(ascii: ",")) }
                write(next)
                next = Int(nodes[next].next)
            }
            bytes.append(UInt8(ascii: "]"))
        case .object:
            bytes.append(UInt8(ascii: "{"))
            let first = keys.count
            var next = index + 1
            if sortedKeys {
                while next < node.next {
                    keys.append(next)
                    next = Int(nodes[next + 1].next)
                }
                sortKeys(from: first)
                for place in first..<keys.count {
                    if place > first { bytes.append(UInt8(ascii: ",")) }
                    writeMember(keys[place])
                }
                keys.removeLast(keys.count - first)
            } else {
                while next < node.next {
                    if next > index + 1 { bytes.append(UInt8(ascii: ",")) }
                    writeMember(next)
                    next = Int(nodes[next + 1].next)
                }
            }
            bytes.append(UInt8(ascii: "}"))
        }
    }

    private mutating func writeMember(_ key: Int) {
        writeString(nodes[key])
        bytes.append(UInt8(ascii: ":"))
        write(key + 1)
    }

    private mutating func writeString(_ node: JSONNode) {
        if node.hasEscapes {
            var writer = JSONWriter()
            writer.string(string(node))
            bytes.append(contentsOf: writer.bytes)
            return
        }
        // Nothing in it must be escaped. The quotation marks lie around it.
        bytes.append(
            contentsOf: UnsafeBufferPointer(
                rebasing: text[Int(node.start) - 1..<Int(node.end) + 1]
            )
        )
    }

    private func string(_ node: JSONNode) -> String {
        if !node.hasEscapes { return JSONStrings.plain(content(node)) }
        do throws(BytesError) {
            return try JSONStrings.unescaped(content(node), offset: Int(node.start))
        } catch {
            preconditionFailure("a string that was scanned has a wrong escape: \(error)")
        }
    }

    // MARK: - Keys in order

    private mutating func sortKeys(from first: Int) {
        if keys.count - first > 32 {
            let (text, nodes) = (text, nodes)
            let sorted = keys[first...].sorted { isBefore($0, $1, text, nodes) }
            keys.replaceSubrange(first..., with: sorted)
            return
        }
        var place = first + 1
        while place < keys.count {
            let key = keys[place]
            var free = place
            while free > first, isBefore(key, keys[free - 1], text, nodes) {
                keys[free] = keys[free - 1]
                free -= 1
            }
            keys[free] = key
            place += 1
        }
    }

    /// Whether the UTF-8 of a key comes before that of another.
    private func isBefore(
        _ left: Int,
        _ right: Int,
        _ text: UnsafeBufferPointer<UInt8>,
        _ nodes: UnsafeBufferPointer<JSONNode>
    ) -> Bool {
        let (one, two) = (nodes[left], nodes[right])
        if one.hasEscapes || two.hasEscapes {
            return string(one).utf8.lexicographicallyPrecedes(string(two).utf8)
        }
        let (first, second) = (content(one), content(two))
        let count = min(first.count, second.count)
        for index in 0..<count where first[index] != second[index] {
            return first[index] < second[index]
        }
        return first.count < second.count
    }
}
