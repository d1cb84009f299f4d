/// A part of another store, as a store of its own: its keys are those that begin with a prefix, without it.
///
/// Errors name keys as the store behind has them.
package struct PrefixedStore: ObjectStore {
    private let base: any ObjectStore
    /// Ends with a slash.
    private let prefix: String

    /// - Parameter prefix: a folder's key, with or without a slash at its end.
    package init(_ base: any ObjectStore, prefix: String) {
        self.base = base
        self.prefix = prefix.hasSuffix("/") ? prefix : prefix + "/"
    }

    package var root: String { String(base.url(of: prefix).dropLast()) }

    private func own(_ metadata: ObjectMetadata) -> ObjectMetadata {
        var metadata = metadata
        metadata.key = own(metadata.key)
        return metadata
    }

    private func own(_ key: String) -> String {
        key.hasPrefix(prefix) ? String(key.dropFirst(prefix.count)) : key
    }

    package func get(_ key: String) async throws -> ObjectData {
        var data = try await base.get(prefix + key)
        data.metadata = own(data.metadata)
        return data
    }

    package func get(_ key: String, range: Range<Int>) async throws -> [UInt8] {
        try await base.get(prefix + key, range: range)
    }

    package func getRanges(_ key: String, _ ranges: [Range<Int>]) async throws -> [[UInt8]] {
        try await base.getRanges(prefix + key, ranges)
    }

    package func getSuffix(_ key: String, count: Int) async throws -> ObjectSuffix {
        try await base.getSuffix(prefix + key, count: count)
    }

    package func head(_ key: String) async throws -> ObjectMetadata {
        own(try await base.head(prefix + key))
    }

    @discardableResult
    package func put(_ key: String, _ bytes: [UInt8]) async throws -> ObjectMetadata {
        own(try await base.put(prefix + key, bytes))
    }

    @discardableResult
    package func putIfAbsent(_ key: String, _ bytes: [UInt8]) async throws -> ObjectMetadata {
        own(try await base.putIfAbsent(prefix + key, bytes))
    }

    @discardableResult
    package func replace(
        _ key: String,
        _ bytes: [UInt8],
        ifMatch entityTag: String
    ) async throws -> ObjectMetadata {
        own(try await base.replace(prefix + key, bytes, ifMatch: entityTag))
    }

    package func list(
        prefix: String,
        startAfter: String?,
        delimiter: Bool,
        limit: Int,
        continuation: String?
    ) async throws -> ListPage {
        var page = try await base.list(
            prefix: self.prefix + prefix,
            startAfter: startAfter.map { self.prefix + $0 },
            delimiter: delimiter,
            limit: limit,
            continuation: continuation
        )
        page.objects = page.objects.map { own($0) }
        page.commonPrefixes = page.commonPrefixes.map { own($0) }
        return page
    }

    package func delete(_ keys: [String]) async throws {
        try await base.delete(keys.map { prefix + $0 })
    }

    package func beginUpload(_ key: String) async throws -> any ObjectUpload {
        try await base.beginUpload(prefix + key)
    }
}
