import ObjectStorage

/// A store that also has files which are about to be written to the one below: those of commits that
/// will share a log entry with the one being prepared.
struct OverlayStore: ForwardingStore {
    let below: any ObjectStore
    let files: [String: [UInt8]]

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
}
