import Bytes
import ObjectStorage

/// The whole index as it is at one position of the log, to be written down while the graph goes on.
///
/// Regions that only grow are read where they lie, however many of them: what is there stays as it is. Those
/// that are changed in place are copied at once, under the lock, as one `memcpy` each: commits wait for that and
/// for nothing else, and questions for nothing at all.
package struct IndexImage: @unchecked Sendable {
    // Unchecked: the bytes that are pointed to are those of the graph, which is kept, in regions that only grow.
    private enum Content {
        case own([UInt8])
        case shared(UnsafeRawBufferPointer)
    }

    private let graph: LineageGraph
    private let contents: [Content]
    /// The last entry that is in it.
    package let position: Int64
    package let commitCount: Int
    /// Its regions are cut into pieces of so many bytes.
    let chunkByteCount: Int

    /// - Parameter chunkByteCount: 64 KiB or more of them, 16 MiB at most.
    /// - Returns: nil for a graph of nothing.
    package init?(_ graph: LineageGraph, chunkByteCount: Int = IndexHeader.chunkByteCount) {
        precondition((1...256).contains(chunkByteCount / IndexHeader.tailByteCountMax))
        let taken = graph.storage.read {
            index -> (position: Int64, count: Int, contents: [Content])? in
            guard let position = index.lastPosition else { return nil }
            let contents = zip(RegionKind.all, index.regionBytes).map { kind, bytes -> Content in
                kind.isChangedInPlace ? .own(Array(bytes)) : .shared(bytes)
            }
            return (position, index.commits.count, contents)
        }
        guard let taken else { return nil }
        self.graph = graph
        self.chunkByteCount = chunkByteCount
        position = taken.position
        commitCount = taken.count
        contents = taken.contents
    }

    /// The pieces of a region that are objects, and where its tail begins.
    func pieces(ofRegion region: Int) -> (chunks: [Range<Int>], tail: Range<Int>) {
        IndexHeader.pieces(
            ofByteCount: byteCount(ofRegion: region),
            chunkByteCount: chunkByteCount
        )
    }

    func byteCount(ofRegion region: Int) -> Int {
        switch contents[region] {
        case .own(let bytes): bytes.count
        case .shared(let bytes): bytes.count
        }
    }

    /// Bytes of a region.
    func bytes(ofRegion region: Int, _ range: Range<Int>) -> [UInt8] {
        switch contents[region] {
        case .own(let bytes): Array(bytes[range])
        case .shared(let bytes): Array(bytes[range])
        }
    }

    /// A piece of a region, and what it will be called.
    func chunk(ofRegion region: Int, _ range: Range<Int>) -> (IndexHeader.Chunk, [UInt8]) {
        let bytes = bytes(ofRegion: region, range)
        let hash = bytes.withUnsafeBytes { xxHash64($0) }
        return (IndexHeader.Chunk(sha256: sha256Text(bytes), xxHash: hash), bytes)
    }

    /// The index's object, when its chunks are known.
    ///
    /// - Parameter chunks: of each region.
    func encoded(
        chunks: [[IndexHeader.Chunk]],
        warehouseID: String,
        entryHash: String
    ) -> (header: IndexHeader, bytes: [UInt8]) {
        var tails: [UInt8] = []
        var parts: [IndexHeader.Part] = []
        for (region, kind) in RegionKind.all.enumerated() {
            let count = byteCount(ofRegion: region)
            tails += bytes(ofRegion: region, pieces(ofRegion: region).tail)
            parts.append(
                IndexHeader.Part(count: count / kind.elementSize, chunks: chunks[region])
            )
        }
        let header = IndexHeader(
            warehouseID: warehouseID,
            position: position,
            entryHash: entryHash,
            chunkByteCount: chunkByteCount,
            parts: parts,
            tailsHash: sha256Text(tails)
        )
        return (header, header.encoded(tails: tails))
    }
}
