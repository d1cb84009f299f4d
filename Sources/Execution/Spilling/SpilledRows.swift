import Bytes
import Columnar
import Kernels

/// Rows that come back from disk at once: fewer than elsewhere, for memory is short then.
let spilledBatchRowCount = 2048

/// Rows in a temporary file, in the order in which they were written; without a file they stay in memory.
struct SpilledRows: Sendable {
    /// A block of rows.
    struct Block: Sendable {
        /// The rows, where they are in memory.
        var chunk: Chunk?
        let offset: Int
        let storedByteCount: Int
        let payloadByteCount: Int
        let rowCount: Int
        let types: [DataType]
    }

    let file: SpillFile?
    private(set) var blocks: [Block] = []
    private(set) var rowCount = 0
    /// Bytes that the rows take in memory, about.
    private(set) var byteCount = 0

    init(_ file: SpillFile?) {
        self.file = file
    }

    var isEmpty: Bool { rowCount == 0 }

    /// Adds rows as one block.
    mutating func append(_ chunk: Chunk, _ encoder: SpillEncoder) throws {
        if chunk.rowCount == 0 { return }
        guard let file else {
            let byteCount = chunk.columns.reduce(0) { $0 + Compact.byteCount($1) }
            blocks.append(
                Block(
                    chunk: chunk,
                    offset: 0,
                    storedByteCount: 0,
                    payloadByteCount: byteCount,
                    rowCount: chunk.rowCount,
                    types: chunk.columns.map(\.type)
                )
            )
            rowCount += chunk.rowCount
            self.byteCount += byteCount
            return
        }
        let (place, payloadByteCount) = try encoder.withBlock(
            chunk.columns,
            rowCount: chunk.rowCount
        ) { (offset: try file.append($0), byteCount: $0.count) }
        blocks.append(
            Block(
                offset: place.offset,
                storedByteCount: place.byteCount,
                payloadByteCount: payloadByteCount,
                rowCount: chunk.rowCount,
                types: chunk.columns.map(\.type)
            )
        )
        rowCount += chunk.rowCount
        byteCount += payloadByteCount
    }

    /// Adds rows as blocks of about `blockByteCount` bytes.
    mutating func append(
        _ chunk: Chunk,
        blockByteCount: Int,
        _ encoder: SpillEncoder
    ) throws {
        if chunk.rowCount == 0 { return }
        let byteCount = chunk.columns.reduce(0) { $0 + Compact.byteCount($1) }
        let perRow = max(1, byteCount / chunk.rowCount)
        let step = min(max(64, blockByteCount / perRow), 4 * spilledBatchRowCount)
        var start = 0
        while start < chunk.rowCount {
            let rows = start..<min(chunk.rowCount, start + step)
            try append(chunk.slice(rows), encoder)
            start = rows.upperBound
        }
    }

    /// Adds rows that follow in the same file.
    mutating func append(_ other: SpilledRows) {
        precondition(other.file === file)
        blocks += other.blocks
        rowCount += other.rowCount
        byteCount += other.byteCount
    }

    func read(_ index: Int, _ decompressor: Decompressor) throws -> Chunk {
        let block = blocks[index]
        guard let file else { return block.chunk ?? Chunk(columns: [], rowCount: 0) }
        let padding = SpillDecoder.paddingByteCount
        let memory = Buffer(byteCount: block.storedByteCount + padding)
        try file.read(
            at: block.offset,
            into: UnsafeMutableRawBufferPointer(
                start: memory.base + padding,
                count: block.storedByteCount
            )
        )
        return Chunk(
            columns: try SpillDecoder.decode(
                memory,
                payloadByteCount: block.payloadByteCount,
                rowCount: block.rowCount,
                types: block.types,
                decompressor
            ),
            rowCount: block.rowCount
        )
    }

    /// All blocks, one after the other.
    ///
    /// - Parameter body: gives false to end it.
    /// - Returns: whether `body` never gave false.
    @discardableResult
    func forEachBlock(_ body: (Chunk) throws -> Bool) throws -> Bool {
        let decompressor = Decompressor()
        for index in blocks.indices {
            try Interruption.check()
            guard try body(try read(index, decompressor)) else { return false }
        }
        return true
    }
}

extension Chunk {
    func slice(_ rows: Range<Int>) -> Chunk {
        rows == 0..<rowCount
            ? self : Chunk(columns: columns.map { $0.slice(rows) }, rowCount: rows.count)
    }

    /// Hands the rows on in batches.
    ///
    /// - Returns: whether `body` never gave false.
    func forEachBatch(_ body: (Chunk) throws -> Bool) throws -> Bool {
        if rowCount <= spilledBatchRowCount { return try rowCount == 0 || body(self) }
        var start = 0
        while start < rowCount {
            try Interruption.check()
            let rows = start..<min(rowCount, start + spilledBatchRowCount)
            guard try body(slice(rows)) else { return false }
            start = rows.upperBound
        }
        return true
    }
}

/// Which rows belong together when they are spread over files: four bits of the hash a level, so that
/// each level spreads what the one above put together.
struct SpillPartitioning {
    static let partitionCount = 16
    /// Spreading goes no deeper; what is still together then mostly has one key.
    static let levelMax = 6

    let level: Int

    @inline(__always)
    func partition(_ hash: UInt64) -> Int {
        Int(truncatingIfNeeded: hash &>> UInt64(60 &- 4 &* level)) & 15
    }

    /// The rows of each partition among hashed ones.
    func selections(_ hashes: Buffer, count: Int) -> [Selection] {
        let hash = hashes.mutable(as: UInt64.self)
        var counts = [Int](repeating: 0, count: Self.partitionCount)
        for row in 0..<count { counts[partition(hash[row])] += 1 }
        let buffers = counts.map { Buffer(byteCount: $0 * 4) }
        let places = buffers.map { $0.mutable(as: Int32.self) }
        var next = [Int](repeating: 0, count: Self.partitionCount)
        for row in 0..<count {
            let place = partition(hash[row])
            places[place][next[place]] = Int32(truncatingIfNeeded: row)
            next[place] += 1
        }
        withExtendedLifetime(hashes) {}
        return zip(buffers, counts).map { Selection(buffer: $0, count: $1) }
    }
}

/// One worker's rows on their way to the partitions of a file: collected for a while, then spread.
final class PartitionWriter {
    private(set) var partitions: [SpilledRows]
    private let partitioning: SpillPartitioning
    private let stagingByteCountMax: Int
    private let encoder = SpillEncoder()
    private var staged: [Chunk] = []
    private var stagedHashes: [Buffer] = []
    private var stagedRowCount = 0
    private var stagedByteCount = 0

    /// - Parameter file: nil to spread rows in memory.
    init(_ file: SpillFile?, level: Int, stagingByteCountMax: Int) {
        partitions = (0..<SpillPartitioning.partitionCount).map { _ in SpilledRows(file) }
        partitioning = SpillPartitioning(level: level)
        self.stagingByteCountMax = stagingByteCountMax
    }

    /// Adds rows that go where the hash of `keys` says.
    func append(_ chunk: Chunk, keys: [Column]) throws {
        // Many rows are a whole table on its way out: in pieces, so that they need little memory beside it.
        let step = 16 * spilledBatchRowCount
        var start = 0
        while start < chunk.rowCount {
            try Interruption.check()
            let rows = start..<min(chunk.rowCount, start + step)
            let isWhole = rows.count == chunk.rowCount
            let some = isWhole ? keys : keys.map { $0.slice(rows) }
            try append(
                isWhole ? chunk : chunk.slice(rows),
                hashes: Hashing.hash(some, count: rows.count)
            )
            start = rows.upperBound
        }
    }

    /// Adds rows with their hashes.
    func append(_ chunk: Chunk, hashes: Buffer) throws {
        if chunk.rowCount == 0 { return }
        if chunk.rowCount >= 8 * spilledBatchRowCount {
            try flush()
            try spread(chunk, hashes)
            return
        }
        staged.append(chunk)
        stagedHashes.append(hashes)
        stagedRowCount += chunk.rowCount
        stagedByteCount += chunk.columns.reduce(0) { $0 + Compact.byteCount($1) }
        if stagedByteCount >= stagingByteCountMax || stagedRowCount >= 16 * spilledBatchRowCount {
            try flush()
        }
    }

    /// Writes what was collected.
    func flush() throws {
        if stagedRowCount == 0 { return }
        let chunk = try concatenated(staged, types: staged[0].columns.map(\.type))
        let hashes: Buffer
        if stagedHashes.count == 1 {
            hashes = stagedHashes[0]
        } else {
            hashes = Buffer(byteCount: stagedRowCount * 8)
            var start = 0
            for (part, own) in zip(staged, stagedHashes) {
                (hashes.base + start).copyMemory(from: own.base, byteCount: part.rowCount * 8)
                start += part.rowCount * 8
            }
        }
        (staged, stagedHashes, stagedRowCount, stagedByteCount) = ([], [], 0, 0)
        try spread(chunk, hashes)
    }

    private func spread(_ chunk: Chunk, _ hashes: Buffer) throws {
        let step = 16 * spilledBatchRowCount
        var start = 0
        while start < chunk.rowCount {
            let rows = start..<min(chunk.rowCount, start + step)
            let part = chunk.slice(rows)
            let own =
                rows.lowerBound == 0
                ? hashes
                : Buffer(
                    copying: UnsafeRawBufferPointer(
                        start: hashes.base + start * 8,
                        count: rows.count * 8
                    )
                )
            for (index, selection) in partitioning.selections(own, count: rows.count).enumerated()
            where selection.count > 0 {
                try Interruption.check()
                try partitions[index].append(part.taking(selection), encoder)
            }
            start = rows.upperBound
        }
    }
}

/// The rows of one partition from all workers' writers, in the order of the workers.
func gathered(_ writers: [PartitionWriter], _ partition: Int) -> SpilledRows? {
    guard var rows = writers.first?.partitions[partition] else { return nil }
    for writer in writers.dropFirst() { rows.append(writer.partitions[partition]) }
    return rows
}
