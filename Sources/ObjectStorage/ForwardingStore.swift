/// A store before another one: does what that one does, but for what it says otherwise.
package protocol ForwardingStore: ObjectStore {
    /// The store that requests go on to.
    var below: any ObjectStore { get }
}

extension ForwardingStore {
    package var root: String { below.root }

    package func get(_ key: String) async throws -> ObjectData { try await below.get(key) }

    package func get(_ key: String, range: Range<Int>) async throws -> [UInt8] {
        try await below.get(key, range: range)
    }

    package func getRanges(_ key: String, _ ranges: [Range<Int>]) async throws -> [[UInt8]] {
        try await below.getRanges(key, ranges)
    }

    package func getSuffix(_ key: String, count: Int) async throws -> ObjectSuffix {
        try await below.getSuffix(key, count: count)
    }

    package func head(_ key: String) async throws -> ObjectMetadata { try await below.head(key) }

    @discardableResult
    package func put(_ key: String, _ bytes: [UInt8]) async throws -> ObjectMetadata {
        try await below.put(key, bytes)
    }

    @discardableResult
    package func putIfAbsent(_ key: String, _ bytes: [UInt8]) async throws -> ObjectMetadata {
        try await below.putIfAbsent(key, bytes)
    }

    @discardableResult
    package func replace(
        _ key: String,
        _ bytes: [UInt8],
        ifMatch entityTag: String
    ) async throws -> ObjectMetadata {
        try await below.replace(key, bytes, ifMatch: entityTag)
    }

    package func list(
        prefix: String,
        startAfter: String?,
        delimiter: Bool,
        limit: Int,
        continuation: String?
    ) async throws -> ListPage {
        try await below.list(
            prefix: prefix,
            startAfter: startAfter,
            delimiter: delimiter,
            limit: limit,
            continuation: continuation
        )
    }

    package func delete(_ keys: [String]) async throws { try await below.delete(keys) }

    package func beginUpload(_ key: String) async throws -> any ObjectUpload {
        try await below.beginUpload(key)
    }
}
