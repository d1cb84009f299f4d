import Ambient
import ObjectStorage

extension LineageIndexStore {
    /// What checking indexes found.
    package struct Verification: Sendable, Equatable {
        package var indexCount = 0
        package var chunkCount = 0
        package var byteCount = 0
        package var faults: [Fault] = []
        /// How many were compared with what the log gives.
        package var comparedCount = 0
    }

    /// Reads every index and every chunk that one names, and checks their hashes.
    ///
    /// - Throws: only what the store throws.
    package func verify() async throws -> Verification {
        var found = Verification()
        var seen: Set<IndexHeader.Chunk> = []
        for position in try await positions() {
            do {
                let (header, tails) = try await index(at: position)
                found.indexCount += 1
                found.byteCount += tails.count
                for chunk in header.chunks where seen.insert(chunk).inserted {
                    let bytes = try await bytes(chunk.key)
                    found.chunkCount += 1
                    found.byteCount += bytes.count
                    if sha256Text(bytes) != chunk.sha256 {
                        let message = "the chunk's bytes are not those of its name"
                        found.faults.append(Fault(key: chunk.key, message: message))
                    }
                }
            } catch let error as LineageError {
                // One that was swept away while it was looked for is not at fault.
                let isGone = error.place == IndexHeader.key(of: position)
                if error.code == .notFound, isGone { continue }
                found.faults.append(fault(error, at: position))
            }
        }
        return found
    }

    /// Compares an index with the graph that the log up to its position gives, byte for byte.
    ///
    /// - Parameter graph: of which the last entry is that of the position.
    /// - Returns: nil when they are the same.
    /// - Throws: only what the store throws.
    package func difference(at position: Int64, from graph: LineageGraph) async throws -> Fault? {
        do {
            let (header, _) = try await index(at: position)
            guard let image = IndexImage(graph, chunkByteCount: header.chunkByteCount),
                image.position == position
            else {
                throw LineageError(.invalid, "the log gives no index at this position")
            }
            var chunks: [[IndexHeader.Chunk]] = []
            for region in RegionKind.all.indices {
                let pieces = image.pieces(ofRegion: region)
                chunks.append(
                    try await mapBounded(pieces.chunks, countMax: processorCount()) { range in
                        try await WorkerPool.shared.run {
                            image.chunk(ofRegion: region, range).0
                        }
                    }
                )
            }
            let rebuilt = image.encoded(
                chunks: chunks,
                warehouseID: warehouseID,
                entryHash: header.entryHash
            ).header
            let wrong = zip(RegionKind.all, zip(header.parts, rebuilt.parts))
                .filter { $0.1.0 != $0.1.1 }.map(\.0.name)
            if header == rebuilt { return nil }
            let regions = wrong.isEmpty ? "the tails" : wrong.joined(separator: ", ")
            throw LineageError(
                .corrupt,
                "the index is not the one that the log gives: \(regions) differ",
                place: header.key
            )
        } catch let error as LineageError {
            return fault(error, at: position)
        }
    }

    private func fault(_ error: LineageError, at position: Int64) -> Fault {
        Fault(
            key: error.place.isEmpty ? IndexHeader.key(of: position) : error.place,
            message: error.message
        )
    }
}
