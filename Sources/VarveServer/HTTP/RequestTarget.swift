/// The path and query that a request names.
struct RequestTarget: Sendable {
    /// The path's parts, decoded one by one, so that an encoded slash is no boundary.
    private(set) var segments: [String]
    let query: [String: String]

    /// - Throws: `badRequest` for what is not a path, or broken escapes.
    init(_ text: String) throws(ServerError) {
        // The absolute form, which proxies send, names the host first.
        var text = text[...]
        for scheme in ["http://", "https://"] where text.hasPrefix(scheme) {
            let rest = text.dropFirst(scheme.count)
            text = rest.firstIndex(of: "/").map { rest[$0...] } ?? "/"
        }
        guard text.hasPrefix("/") else {
            throw ServerError(.badRequest, "the path does not begin with /")
        }
        text = text.prefix { $0 != "#" }
        let end = text.firstIndex(of: "?") ?? text.endIndex
        var segments: [String] = []
        for part in text[..<end].dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        {
            guard let segment = percentDecoded(part) else {
                throw ServerError(.badRequest, "the path is not properly percent-encoded")
            }
            segments.append(segment)
        }
        // A slash at the end changes nothing.
        if segments.last == "" { segments.removeLast() }
        self.segments = segments
        query = end == text.endIndex ? [:] : try formMembers(text[text.index(after: end)...])
    }

    /// Takes the prefix of the REST catalog out of the path, where there is one: `/v1/lake@dev/namespaces`.
    ///
    /// - Returns: what stands behind the `@`; nil for paths without a prefix.
    /// - Throws: `noWarehouse` for a prefix of another warehouse.
    mutating func takeCatalogName(warehouses: Set<String>) throws(ServerError) -> String? {
        let place = segments.first == "iceberg" ? 2 : 1
        guard segments.count > place + 1, segments[place - 1] == "v1",
            let at = segments[place].lastIndex(of: "@")
        else { return nil }
        let prefix = segments[place]
        let warehouse = String(prefix[..<at])
        let name = String(prefix[prefix.index(after: at)...])
        guard warehouses.contains(warehouse), !name.isEmpty else {
            throw ServerError(.noWarehouse, "there is no warehouse \"\(prefix)\" here")
        }
        segments.remove(at: place)
        return name
    }

    /// A parameter that is a whole number within bounds; nil when it is not given.
    ///
    /// - Throws: `badRequest`.
    func integer(_ name: String, in range: ClosedRange<Int64>) throws(ServerError) -> Int64? {
        guard let text = query[name], !text.isEmpty else { return nil }
        guard let value = Int64(text), range.contains(value) else {
            throw ServerError(
                .badRequest,
                "\(name) is a number from \(range.lowerBound) to \(range.upperBound), not \"\(text)\""
            )
        }
        return value
    }

    /// A parameter that is `true` or `false`; false when it is not given.
    ///
    /// - Throws: `badRequest`.
    func flag(_ name: String) throws(ServerError) -> Bool {
        switch query[name]?.lowercased() {
        case nil, "", "false": false
        case "true": true
        case let other?:
            throw ServerError(.badRequest, "\(name) is true or false, not \"\(other)\"")
        }
    }
}
