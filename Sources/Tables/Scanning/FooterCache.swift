import Ambient
import ObjectStorage
package import Parquet

/// Footers that were parsed, the least recently used going first.
///
/// Bounded by the bytes of the serialized footers it holds; parsed ones take a few times as much.
package final class FooterCache: Sendable {
    private struct Key: Hashable {
        var store: String
        var key: String
        /// Tells versions of a file apart: an entity tag, or nothing for files that never change.
        var version: String
    }

    private let cache: LeastRecentlyUsedCache<Key, ParquetFooter>

    /// The cache of this process: up to 64 MiB of footers.
    package static let shared = FooterCache(byteCountMax: 64 << 20)

    package init(byteCountMax: Int) {
        cache = LeastRecentlyUsedCache(byteCountMax: byteCountMax)
    }

    /// How many bytes of footers are held.
    package var byteCount: Int { cache.byteCount }

    /// The footer of a file, from the cache or else from the store.
    ///
    /// Two readers that miss at once both read.
    ///
    /// - Throws: `TablesError.corrupt` when the file is no Parquet file.
    package func footer(of file: ScanFile, meter: ScanMeter? = nil) async throws -> ParquetFooter {
        let key = cacheKey(file)
        if let key, let footer = cache.find(key) { return footer }
        let footer = try await Self.read(file, meter)
        if let key { cache.insert(footer, for: key, byteCount: footer.byteCount) }
        return footer
    }

    private func cacheKey(_ file: ScanFile) -> Key? {
        // A store in memory has no identity beyond its object: its keys may mean something else in
        // the next one.
        if file.store.root.hasPrefix("memory:") { return nil }
        if file.isImmutable { return Key(store: file.store.root, key: file.key, version: "") }
        guard let tag = file.entityTag, let size = file.size else { return nil }
        return Key(store: file.store.root, key: file.key, version: "\(size) \(tag)")
    }

    private static func read(_ file: ScanFile, _ meter: ScanMeter?) async throws -> ParquetFooter {
        let suffix = try await file.fetching {
            try await file.store.getSuffix(file.key, count: ParquetFile.suggestedSuffixByteCount)
        }
        // What manifests say of a file's size is not always so; the store knows.
        var bytes = suffix.bytes
        var byteCount = bytes.count
        for _ in 0..<3 {
            let result = try TablesError.inFile(file.place) {
                try ParquetFile.parse(suffix: bytes, fileSize: suffix.objectSize)
            }
            switch result {
            case .complete(let metadata):
                let read = byteCount
                meter?.add { $0.footerBytesRead += read }
                return ParquetFooter(
                    metadata: metadata,
                    byteCount: suffix.objectSize - metadata.footerOffset
                )
            case .needs(let range):
                bytes = try await file.fetching {
                    try await file.store.get(file.key, range: range)
                }
                byteCount += bytes.count
            }
        }
        throw TablesError(.corrupt, "the footer never ends", context: [file.place])
    }
}

/// A parsed footer, shared by everybody who reads the file.
package final class ParquetFooter: Sendable {
    package let metadata: ParquetMetadata
    /// Bytes of the footer in the file.
    package let byteCount: Int
    /// The number of the first row of each row group, and at last the number of rows.
    package let rowStarts: [Int]

    init(metadata: ParquetMetadata, byteCount: Int) {
        self.metadata = metadata
        self.byteCount = byteCount
        var starts = [0]
        for group in metadata.rowGroups {
            starts.append(starts[starts.count - 1] &+ group.rowCount)
        }
        rowStarts = starts
    }
}
