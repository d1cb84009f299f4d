import Ambient
import Bytes
package import ObjectStorage

// Indexes of the lineage as objects of the warehouse's store. They are derived: whatever is wrong with one, the
// next older one is taken, and at last the log from its first entry.
//
// A newer index names the chunks of an older one that did not change. Nobody who has read an index loses its chunks
// for an hour, and whoever builds on one looks, after writing the new one, whether the old one is still there;
// so nothing is named for long that was swept away. See LineageIndexStore+Sweeping.
//
// - Spec: Formats/lineage-index/README.md

/// Reads and writes the indexes of a warehouse.
package struct LineageIndexStore: Sendable {
    /// An index that is of no use, and why.
    package struct Fault: Sendable, Equatable {
        package var key: String
        package var message: String
    }

    /// An index that was found and is in memory.
    package struct Loaded: Sendable {
        package var graph: LineageGraph
        package var header: IndexHeader
    }

    /// What came of writing an index.
    package struct Report: Sendable, Equatable {
        package var position: Int64
        package var commitCount: Int
        /// Bytes of all regions.
        package var byteCount: Int
        package var writtenObjectCount = 0
        package var writtenByteCount = 0
        /// Whether the same index was there already.
        package var wasThere = false
    }

    /// Chunks on their way at once: each takes 16 MiB of memory.
    private static let parallelCountMax = 8

    let store: any ObjectStore
    let warehouseID: String
    /// SHA-256 of an entry of the log; nil when there is none at the position.
    let entryHash: @Sendable (Int64) async throws -> String?

    package init(
        store: any ObjectStore,
        warehouseID: String,
        entryHash: @escaping @Sendable (Int64) async throws -> String?
    ) {
        self.store = store
        self.warehouseID = warehouseID
        self.entryHash = entryHash
    }

    // MARK: Reading

    /// Where there are indexes, ascending.
    package func positions() async throws -> [Int64] {
        try await indexObjects().compactMap { IndexHeader.position(ofKey: $0.key) }
    }

    func indexObjects() async throws -> [ObjectMetadata] {
        var objects: [ObjectMetadata] = []
        var continuation: String?
        repeat {
            let page = try await store.list(
                prefix: IndexHeader.keyPrefix,
                startAfter: nil,
                delimiter: true,
                limit: 1000,
                continuation: continuation
            )
            objects += page.objects
            continuation = page.next
        } while continuation != nil
        return objects.filter { IndexHeader.position(ofKey: $0.key) != nil }
    }

    /// The newest index that is sound and of this log.
    ///
    /// - Returns: nil when there is none; and those that were passed over.
    /// - Throws: what the store throws, but not that something is missing or damaged.
    package func loadNewest() async throws -> (loaded: Loaded?, faults: [Fault]) {
        var faults: [Fault] = []
        for position in try await positions().reversed() {
            do {
                let (header, tails) = try await index(at: position)
                return (
                    Loaded(graph: try await load(header, tails), header: header), faults
                )
            } catch let error as LineageError {
                let key = error.place.isEmpty ? IndexHeader.key(of: position) : error.place
                faults.append(Fault(key: key, message: error.message))
            }
        }
        return (nil, faults)
    }

    /// Reads an index's object, and checks that it is of this log.
    ///
    /// - Throws: `notFound`, `corrupt`, `unsupported`; what the store throws.
    func index(at position: Int64) async throws -> (IndexHeader, ArraySlice<UInt8>) {
        let key = IndexHeader.key(of: position)
        let bytes = try await bytes(key)
        let (header, tails) = try IndexHeader.decode(
            bytes,
            position: position,
            warehouseID: warehouseID
        )
        guard try await entryHash(position) == header.entryHash else {
            throw LineageError(
                .corrupt,
                "the index was made of another entry \(position) than that of the log",
                place: key
            )
        }
        return (header, tails)
    }

    func bytes(_ key: String) async throws -> [UInt8] {
        do {
            return try await store.get(key).bytes
        } catch let error as ObjectStoreError {
            guard error.code == .notFound else { throw error }
            throw LineageError(.notFound, "the object is missing", place: key)
        }
    }

    private func load(
        _ header: IndexHeader,
        _ tails: ArraySlice<UInt8>
    ) async throws -> LineageGraph {
        let loader = try IndexLoader(header, tails: tails)
        _ = try await mapBounded(loader.pieces, countMax: Self.parallelCountMax) { piece in
            if let path = path(of: piece.chunk.key) {
                // Looking at mapped bytes is reading the file.
                let isMapped = try await WorkerPool.shared.run {
                    try loader.map(piece, file: path)
                }
                if isMapped { return }
            }
            let bytes = try await bytes(piece.chunk.key)
            try await WorkerPool.shared.run { try loader.fill(piece, bytes) }
        }
        return try await loader.finish()
    }

    /// The file of an object, where the store is a folder.
    private func path(of key: String) -> String? {
        store.root.hasPrefix("file:///") ? store.root.dropFirst(7) + "/" + key : nil
    }

    // MARK: Writing

    /// Whether a sound index's object is there that has at least so many commits.
    ///
    /// - Parameter excluded: keys of indexes and chunks that are known to be of no use.
    package func hasIndex(commitCountMin: Int, besides excluded: Set<String>) async throws -> Bool {
        guard let newest = try await positions().last,
            !excluded.contains(IndexHeader.key(of: newest))
        else { return false }
        do {
            let header = try await index(at: newest).0
            return header.commitCount >= commitCountMin
                && !header.chunks.contains { excluded.contains($0.key) }
        } catch is LineageError {
            return false
        }
    }

    /// Writes an index, and of its chunks those that changed.
    ///
    /// - Parameter base: an index of this log, not later, that this process has loaded or written.
    /// - Throws: what the store throws; `notFound` when the base was swept away meanwhile. Nothing is lost then.
    package func write(
        _ image: IndexImage,
        base: IndexHeader?
    ) async throws -> (header: IndexHeader, report: Report) {
        guard let entryHash = try await self.entryHash(image.position) else {
            throw LineageError(.invalid, "the log has no entry \(image.position)")
        }
        let base = base.flatMap { base in
            base.position <= image.position && base.chunkByteCount == image.chunkByteCount
                ? base : nil
        }
        let known = Set(base?.chunks ?? [])
        var report = Report(
            position: image.position,
            commitCount: image.commitCount,
            byteCount: 0
        )
        var chunks: [[IndexHeader.Chunk]] = []
        for (region, kind) in RegionKind.all.enumerated() {
            let byteCount = image.byteCount(ofRegion: region)
            report.byteCount += byteCount
            let pieces = image.pieces(ofRegion: region).chunks
            // Whole chunks of what only grows are what they were.
            let before = base.map { $0.parts[region] }
            let wholeCount =
                kind.isChangedInPlace
                ? 0 : before.map { $0.count * kind.elementSize / image.chunkByteCount } ?? 0
            let kept = before.map { Array($0.chunks.prefix(wholeCount)) } ?? []
            let written = try await mapBounded(
                Array(pieces.dropFirst(wholeCount)),
                countMax: Self.parallelCountMax
            ) { range in
                let (chunk, bytes) = try await WorkerPool.shared.run {
                    image.chunk(ofRegion: region, range)
                }
                if known.contains(chunk) { return (chunk, 0) }
                // One that is there is written again, so that it is young, and whole.
                try await store.put(chunk.key, bytes)
                return (chunk, bytes.count)
            }
            report.writtenObjectCount += written.count { $0.1 > 0 }
            report.writtenByteCount += written.reduce(0) { $0 + $1.1 }
            chunks.append(kept + written.map(\.0))
        }
        let (header, bytes) = image.encoded(
            chunks: chunks,
            warehouseID: warehouseID,
            entryHash: entryHash
        )
        if try await create(header.key, bytes) {
            report.writtenObjectCount += 1
            report.writtenByteCount += bytes.count
        } else {
            report.wasThere = true
        }
        if let base, base.position < header.position { try await requireStill(base, header) }
        return (header, report)
    }

    /// - Returns: false when the same bytes were there.
    private func create(_ key: String, _ bytes: [UInt8]) async throws -> Bool {
        do {
            try await store.putIfAbsent(key, bytes)
            return true
        } catch let error as ObjectStoreError {
            guard error.code == .alreadyExists else { throw error }
        }
        // All who write one write the same; what differs is damaged, of another log or of another version.
        let found = try? await store.get(key).bytes
        if found == bytes { return false }
        try await store.put(key, bytes)
        return true
    }

    /// Takes an index back whose base is gone: chunks of it may be, too.
    private func requireStill(_ base: IndexHeader, _ header: IndexHeader) async throws {
        do {
            _ = try await store.head(base.key)
        } catch let error as ObjectStoreError {
            guard error.code == .notFound else { throw error }
            try await store.delete(header.key)
            throw LineageError(
                .notFound,
                "the index that the new one was built on was removed meanwhile",
                place: base.key
            )
        }
    }
}
