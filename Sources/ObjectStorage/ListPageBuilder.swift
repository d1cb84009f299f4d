/// Makes one page of a listing from keys offered in ascending byte order.
///
/// The continuation is the last key or common prefix handed out; after a common prefix the next page
/// skips everything that begins with it.
struct ListPageBuilder {
    private(set) var page = ListPage()
    private let prefix: String
    private let startAfter: ByteOrderedKey?
    private let delimiter: Bool
    private let limit: Int
    private let continuation: ByteOrderedKey?
    private var last = ""

    init(
        prefix: String,
        startAfter: String?,
        delimiter: Bool,
        limit: Int,
        continuation: String?
    ) {
        self.prefix = prefix
        self.startAfter = startAfter.map(ByteOrderedKey.init)
        self.delimiter = delimiter
        self.limit = min(max(limit, 1), 1000)
        self.continuation = continuation.map(ByteOrderedKey.init)
    }

    /// Takes the next key that has the prefix; false when the page is full and knows how to go on.
    mutating func add(_ key: String, _ metadata: () -> ObjectMetadata) -> Bool {
        let ordered = ByteOrderedKey(key)
        if let startAfter, ordered <= startAfter { return true }
        if let continuation, ordered <= continuation || isInside(ordered, continuation) {
            return true
        }
        if delimiter, let folder = commonPrefix(of: key) {
            if page.commonPrefixes.last.map(ByteOrderedKey.init) == ByteOrderedKey(folder) {
                return true
            }
            guard hasRoom() else { return false }
            page.commonPrefixes.append(folder)
            last = folder
            return true
        }
        guard hasRoom() else { return false }
        page.objects.append(metadata())
        last = key
        return true
    }

    private mutating func hasRoom() -> Bool {
        if page.objects.count + page.commonPrefixes.count < limit { return true }
        page.next = last
        return false
    }

    /// Whether a key lies in the folder that the page before ended with.
    private func isInside(_ key: ByteOrderedKey, _ continuation: ByteOrderedKey) -> Bool {
        delimiter && continuation.text.utf8.last == UInt8(ascii: "/")
            && key.hasPrefix(continuation.text)
    }

    private func commonPrefix(of key: String) -> String? {
        let rest = key.utf8.dropFirst(prefix.utf8.count)
        guard let slash = rest.firstIndex(of: UInt8(ascii: "/")) else { return nil }
        return String(decoding: key.utf8[...slash], as: UTF8.self)
    }
}
