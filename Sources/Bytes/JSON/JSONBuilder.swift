/// Makes values of the nodes of a text.
///
/// Keys repeat thousands of times in table metadata, so the last ones seen are kept by hash and their `String` is
/// shared instead of made anew.
struct JSONBuilder {
    private let base: UnsafePointer<UInt8>
    private let nodes: [JSONNode]
    private var keyCache: [CachedKey]

    private struct CachedKey {
        var hash: UInt64 = 0
        var start = 0
        var count = -1
        var key = ""
    }

    /// A number of slots that is a power of two.
    private static let keyCacheCount = 64

    /// - Parameters:
    ///   - base: the text that the nodes are of, which has been scanned to its end.
    ///   - sharesKeys: whether keys will repeat.
    init(base: UnsafePointer<UInt8>, nodes: [JSONNode], sharesKeys: Bool = true) {
        self.base = base
        self.nodes = nodes
        keyCache = sharesKeys ? Array(repeating: CachedKey(), count: Self.keyCacheCount) : []
    }

    mutating func value(_ index: Int) throws(BytesError) -> JSON {
        let node = nodes[index]
        switch node.kind {
        case .null: return .null
        case .false: return .bool(false)
        case .true: return .bool(true)
        case .number: return .number(JSONStrings.plain(content(of: node)))
        case .string: return .string(try string(of: node))
        case .array:
            var elements: [JSON] = []
            elements.reserveCapacity(Int(node.count))
            var next = index + 1
            while next < node.next {
                elements.append(try value(next))
                next = Int(nodes[next].next)
            }
            return .array(elements)
        case .object:
            var members: [JSONObject.Member] = []
            members.reserveCapacity(Int(node.count))
            var next = index + 1
            while next < node.next {
                members.append(
                    JSONObject.Member(try key(of: nodes[next]), try value(next + 1))
                )
                next = Int(nodes[next + 1].next)
            }
            return .object(JSONObject(differing: members))
        }
    }

    private func content(of node: JSONNode) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: base + Int(node.start), count: Int(node.end - node.start))
    }

    private func string(of node: JSONNode) throws(BytesError) -> String {
        guard node.hasEscapes else { return JSONStrings.plain(content(of: node)) }
        return try JSONStrings.unescaped(content(of: node), offset: Int(node.start))
    }

    private mutating func key(of node: JSONNode) throws(BytesError) -> String {
        if node.hasEscapes || !node.isASCII || keyCache.isEmpty { return try string(of: node) }
        let (start, count) = (Int(node.start), Int(node.end - node.start))
        let hash = jsonHash(of: base + start, count: count)
        let slot = Int(truncatingIfNeeded: hash >> 32) & (Self.keyCacheCount - 1)
        let cached = keyCache[slot]
        if cached.hash == hash, cached.count == count,
            jsonBytesAreEqual(base + cached.start, base + start, count: count)
        {
            return cached.key
        }
        let key = try string(of: node)
        keyCache[slot] = CachedKey(hash: hash, start: start, count: count, key: key)
        return key
    }
}
