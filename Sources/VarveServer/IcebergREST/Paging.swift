import Bytes

/// A page of a sorted list, and where the next begins.
///
/// The token is the last name given out, not a number: names made or dropped in between neither repeat nor
/// hide others.
struct Page<Element> {
    var elements: [Element]
    var nextToken: String?

    /// - Parameters:
    ///   - name: what the list is sorted by, in the order of its bytes.
    /// - Throws: `badRequest` for bad numbers and tokens.
    init(
        of all: [Element],
        _ target: RequestTarget,
        name: (Element) -> String
    ) throws(ServerError) {
        let token = target.query["pageToken"]
        let size = try target.integer("pageSize", in: 1...Int64(Int32.max))
        // Who asks for no pages gets everything.
        guard token != nil || size != nil else {
            elements = all
            return
        }
        var rest = all[...]
        if let token, !token.isEmpty {
            guard let bytes = bytes(ofHex: token),
                let last = String(validating: bytes, as: UTF8.self)
            else { throw ServerError(.badRequest, "this pageToken was not given out here") }
            rest = all.drop { !last.utf8.lexicographicallyPrecedes(name($0).utf8) }
        }
        elements = Array(rest.prefix(Int(size ?? 1000)))
        if elements.count < rest.count, let last = elements.last {
            nextToken = hex(name(last).utf8)
        }
    }

    /// Adds the token to a response; there is none after the last page.
    func put(into object: inout JSONObject) {
        if let nextToken { object["next-page-token"] = .string(nextToken) }
    }
}
