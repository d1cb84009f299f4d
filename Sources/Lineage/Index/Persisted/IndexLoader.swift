import Ambient
import Bytes

/// An index of a file on its way into memory.
///
/// Chunks are filled in from anywhere, in any order, at the same time; `finish` checks everything before anybody
/// can ask. Nothing that the bytes say is believed before: they only throw.
final class IndexLoader: @unchecked Sendable {
    // Unchecked: the graph is nobody else's until `finish`, and each range of its memory is filled by one call.

    /// A piece of a region that is to be filled in.
    struct Piece: Sendable {
        let number: Int
        let chunk: IndexHeader.Chunk
        let byteCount: Int
    }

    /// Values that are checked at once, about.
    private static let checkedCount = 1 << 19

    let header: IndexHeader
    private(set) var pieces: [Piece] = []
    private let graph = LineageGraph(unfilled: ())
    /// Where each piece goes.
    private var places: [UnsafeMutableRawBufferPointer] = []

    init(_ header: IndexHeader, tails: ArraySlice<UInt8>) throws(LineageError) {
        self.header = header
        let regions = graph.storage.write { $0.open(header.parts.map(\.count)) }
        var rest = tails
        for (part, region) in zip(header.parts, regions) {
            let (ranges, tail) = IndexHeader.pieces(
                ofByteCount: region.count,
                chunkByteCount: header.chunkByteCount
            )
            guard ranges.count == part.chunks.count, rest.count >= tail.count else {
                throw LineageError(.corrupt, "chunks or tails are missing", place: header.key)
            }
            for (range, chunk) in zip(ranges, part.chunks) {
                pieces.append(
                    Piece(number: pieces.count, chunk: chunk, byteCount: range.count)
                )
                places.append(UnsafeMutableRawBufferPointer(rebasing: region[range]))
            }
            UnsafeMutableRawBufferPointer(rebasing: region[tail]).copyBytes(
                from: rest.prefix(tail.count)
            )
            rest = rest.dropFirst(tail.count)
        }
    }

    /// Takes the bytes of a piece from a file that nobody changes; one that cannot be mapped is to be read.
    func map(_ piece: Piece, file path: String) throws(LineageError) -> Bool {
        // Smaller ones do not end with a page.
        guard piece.byteCount == header.chunkByteCount,
            mapFile(path, over: places[piece.number])
        else { return false }
        try check(piece)
        return true
    }

    /// Takes the bytes of a piece.
    func fill(_ piece: Piece, _ bytes: [UInt8]) throws(LineageError) {
        guard bytes.count == piece.byteCount else {
            throw LineageError(
                .corrupt,
                "the chunk has \(bytes.count) bytes instead of \(piece.byteCount)",
                place: piece.chunk.key
            )
        }
        places[piece.number].copyBytes(from: bytes)
        try check(piece)
    }

    private func check(_ piece: Piece) throws(LineageError) {
        guard xxHash64(UnsafeRawBufferPointer(places[piece.number])) == piece.chunk.xxHash else {
            throw LineageError(
                .corrupt,
                "the chunk's bytes are not those that \(header.key) tells of",
                place: piece.chunk.key
            )
        }
    }

    /// Checks what was filled in, on all processors, and gives the graph.
    func finish() async throws -> LineageGraph {
        graph.storage.write { $0.recountTables() }
        do {
            try await runChecks()
        } catch let error as LineageError {
            throw LineageError(error.code, error.message, place: header.key)
        }
        return graph
    }

    private func runChecks() async throws {
        try graph.storage.read { (index: borrowing IndexStorage) throws(LineageError) in
            try index.checkCounts(position: header.position)
        }
        var checks: [IndexCheck] = []
        for subject in IndexCheck.Subject.allCases {
            let count = graph.storage.read { $0.count(of: subject) }
            // Of what a map or dataset has, there may be many.
            let step =
                subject == .maps || subject == .datasets
                ? Self.checkedCount / 16 : Self.checkedCount
            for start in stride(from: 0, to: count, by: step) {
                checks.append(IndexCheck(subject: subject, range: start..<min(start + step, count)))
            }
        }
        let graph = graph
        let found = try await mapBounded(checks, countMax: processorCount()) { check in
            try await WorkerPool.shared.run {
                try graph.storage.read { (index: borrowing IndexStorage) throws(LineageError) in
                    try index.run(check)
                }
            }
        }
        // What maps need of the datasets that runs use them with is known now.
        var needs = IndexCheck.Needs()
        for part in found {
            needs.rows += part.rows
            needs.inputs += part.inputs
            needs.columnCapacity += part.columnCapacity
        }
        try graph.storage.read { (index: borrowing IndexStorage) throws(LineageError) in
            guard needs.columnCapacity <= index.columns.count else {
                throw LineageError(.corrupt, "datasets share columns")
            }
        }
        let runCount = graph.storage.read { $0.runs.count }
        let ranges = stride(from: 0, to: runCount, by: Self.checkedCount).map {
            $0..<min($0 + Self.checkedCount, runCount)
        }
        let all = needs
        _ = try await mapBounded(ranges, countMax: processorCount()) { range in
            try await WorkerPool.shared.run {
                try graph.storage.read { (index: borrowing IndexStorage) throws(LineageError) in
                    try index.checkMaps(ofRuns: range, all)
                }
            }
        }
    }
}
