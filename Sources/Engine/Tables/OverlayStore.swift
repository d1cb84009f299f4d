import ObjectStorage

/// A store that also has files which are about to be written to the one below: those of commits that
/// will share a log entry with the one being prepared.
struct OverlayStore: ObjectStore {
    let below: any ObjectStore
    let files: [String: [UInt8]]

    var root: String { below.root }

    func get(_ key: String) async throws -> ObjectData {
        guard let bytes = files[key] else { return try await below.get(key) }
        return ObjectData(
            bytes: bytes,
            metadata: ObjectMetadata(
                key: key,
                size: bytes.count,
                entityTag: "",
                lastModifiedMicros: 0
            )
        )
    }

    func get(_ key: String, range: Range<Int>) async throws -> [UInt8] {
        guard let bytes = files[key] else { return try await below.get(key, range: range) }
        guard range.lowerBound < bytes.count || range.isEmpty else {
            throw ObjectStoreError(.rangeNotSatisfiable, "the range begins at the end", key: key)
        }
        return Array(bytes[range.clamped(to: 0..<bytes.count)])
    }

    func getRanges(_ key: String, _ ranges: [Range<Int>]) async throws -> [[UInt8]] {
        guard let bytes = files[key] else { return try await below.getRanges(key, ranges) }
        return try ranges.map { range in
            guard range.upperBound <= bytes.count else {
                throw ObjectStoreError(.rangeNotSatisfiable, "the range ends outside", key: key)
            }
            return Array(bytes[range])
        }
    }

    func getSuffix(_ key: String, count: Int) async throws -> ObjectSuffix {
        guard let bytes = files[key] else { return try await below.getSuffix(key, count: count) }
        return ObjectSuffix(
            bytes: Array(bytes.suffix(count)),
            objectSize: bytes.count,
            entityTag: ""
        )
    }

    func head(_ key: String) async throws -> ObjectMetadata {
        files[key] == nil ? try await below.head(key) : try await get(key).metadata
    }

    func put(_ key: String, _ bytes: [UInt8]) async throws -> ObjectMetadata {
        try await below.put(key, bytes)
    }

    func putIfAbsent(_ key: String, _ bytes: [UInt8]) async throws -> ObjectMetadata {
        try await below.putIfAbsent(key, bytes)
    }

    func replace(
        _ key: String,
        _ bytes: [UInt8],
        ifMatch entityTag: String
    ) async throws -> ObjectMetadata {
        try await below.replace(key, bytes, ifMatch: entityTag)
    }

    func list(
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

    func delete(_ keys: [String]) async throws { try await below.delete(keys) }

    func beginUpload(_ key: String) async throws -> any ObjectUpload {
        try await below.beginUpload(key)
    }
}
