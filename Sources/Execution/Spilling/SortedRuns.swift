import Bytes
import Columnar
import Kernels

/// Sorted rows in temporary files, and their merging; the sort keys are each row's last columns.
///
/// Runs are merged a block at a time: of the runs' current blocks the one that ends first sets a bound, all
/// rows up to the bound are put together and sorted. Rows with equal keys come in the order of the runs.
struct SortedRuns {
    let orders: [SortOrder]
    private(set) var runs: [SpilledRows] = []

    /// Runs merged at once; each has a block in memory.
    private static let mergeCountMax = 48
    /// What a block of a run takes in memory.
    static let blockByteCount = 128 << 10

    init(orders: [SortOrder]) {
        self.orders = orders
    }

    var isEmpty: Bool { runs.isEmpty }
    var rowCount: Int { runs.reduce(0) { $0 + $1.rowCount } }

    /// The rows in order; only the first `limit`.
    ///
    /// - Throws: `CancellationError` when nobody wants them any more.
    static func sorted(
        _ chunk: Chunk,
        _ orders: [SortOrder],
        limit: Int? = nil
    ) throws -> Chunk {
        if chunk.rowCount == 0 || orders.isEmpty { return chunk }
        let keys = SortKeys(Array(chunk.columns.suffix(orders.count)), orders)
        let selection: Selection
        if let limit, limit < chunk.rowCount {
            selection = keys.top(limit)
        } else {
            selection = try keys.sortedUnlessInterrupted()
        }
        return Chunk(
            columns: try chunk.columns.map { try Take.takeUnlessInterrupted($0, selection) },
            rowCount: selection.count
        )
    }

    /// Sorts rows and writes them as a run behind the others.
    mutating func add(
        _ chunk: Chunk,
        limit: Int? = nil,
        _ file: SpillFile,
        _ encoder: SpillEncoder
    ) throws {
        if chunk.rowCount == 0 { return }
        var run = SpilledRows(file)
        try run.append(
            try Self.sorted(chunk, orders, limit: limit),
            blockByteCount: Self.blockByteCount,
            encoder
        )
        runs.append(run)
    }

    /// Takes up the runs of another worker, behind its own.
    mutating func add(_ other: SortedRuns) { runs += other.runs }

    /// Hands on the rows in order; only the first `limit`.
    ///
    /// - Returns: whether `body` never gave false.
    consuming func merge(
        limit: Int? = nil,
        memory: OperatorMemory,
        _ body: (Chunk) throws -> Bool
    ) throws -> Bool {
        let affordable = memory.availableBytes / (4 * Self.blockByteCount)
        let countMax = min(Self.mergeCountMax, max(4, affordable))
        let use = MemoryUse(memory)
        _ = use.set(min(runs.count, countMax) * 3 * Self.blockByteCount)
        while runs.count > countMax {
            var longer: [SpilledRows] = []
            var start = 0
            while start < runs.count {
                let some = Array(runs[start..<min(runs.count, start + countMax)])
                var run = SpilledRows(try memory.makeFile())
                let encoder = SpillEncoder()
                _ = try Self.merge(some, orders, limit: limit) { chunk in
                    try run.append(chunk, blockByteCount: Self.blockByteCount, encoder)
                    return true
                }
                longer.append(run)
                start += some.count
            }
            runs = longer
        }
        let last = runs
        runs = []
        return try Self.merge(last, orders, limit: limit, body)
    }

    /// Where the reading of a run is.
    private struct Cursor {
        var run: SpilledRows
        var nextBlock = 0
        var chunk = Chunk(columns: [], rowCount: 0)
        var keys: [Column] = []

        var hasMore: Bool { nextBlock < run.blocks.count }

        mutating func advance(_ keyCount: Int, _ decompressor: Decompressor) throws {
            chunk = try run.read(nextBlock, decompressor)
            keys = chunk.columns.suffix(keyCount).map { $0.flattened() }
            nextBlock += 1
        }

        mutating func drop(_ rowCount: Int, _ keyCount: Int) {
            chunk = chunk.slice(rowCount..<chunk.rowCount)
            keys = keys.map { $0.slice(rowCount..<$0.count) }
        }
    }

    private static func merge(
        _ runs: [SpilledRows],
        _ orders: [SortOrder],
        limit: Int?,
        _ body: (Chunk) throws -> Bool
    ) throws -> Bool {
        let decompressor = Decompressor()
        var left = limit ?? Int.max
        var cursors = runs.filter { !$0.isEmpty }.map { Cursor(run: $0) }
        for index in cursors.indices { try cursors[index].advance(orders.count, decompressor) }
        while !cursors.isEmpty, left > 0 {
            // The block with more behind it that ends first; the earliest of equal ones.
            var bound: Int?
            for index in cursors.indices where cursors[index].hasMore {
                guard let best = bound else {
                    bound = index
                    continue
                }
                let order = RowComparator(cursors[index].keys, cursors[best].keys, orders)
                    .compare(cursors[index].chunk.rowCount - 1, cursors[best].chunk.rowCount - 1)
                if order < 0 { bound = index }
            }
            var parts: [Chunk] = []
            let limitKeys = bound.map { cursors[$0].keys }
            let limitRow = bound.map { cursors[$0].chunk.rowCount - 1 } ?? 0
            for index in cursors.indices {
                let count: Int
                if let bound, let limitKeys {
                    let comparator = RowComparator(cursors[index].keys, limitKeys, orders)
                    // Rows equal to the bound go now from runs up to the one that set it: of those behind
                    // it, they come after what that run still has.
                    let most = index <= bound ? 0 : -1
                    var (low, high) = (0, cursors[index].chunk.rowCount)
                    while low < high {
                        let middle = (low + high) / 2
                        if comparator.compare(middle, limitRow) <= most {
                            low = middle + 1
                        } else {
                            high = middle
                        }
                    }
                    count = low
                } else {
                    count = cursors[index].chunk.rowCount
                }
                if count == 0 { continue }
                parts.append(cursors[index].chunk.slice(0..<count))
                cursors[index].drop(count, orders.count)
            }
            for index in cursors.indices where cursors[index].chunk.rowCount == 0 {
                if cursors[index].hasMore {
                    try cursors[index].advance(orders.count, decompressor)
                }
            }
            cursors.removeAll { $0.chunk.rowCount == 0 }
            guard let first = parts.first else { continue }
            var merged = first
            if parts.count > 1 {
                merged = try sorted(
                    concatenated(parts, types: first.columns.map(\.type)),
                    orders
                )
            }
            if merged.rowCount > left { merged = merged.slice(0..<left) }
            left -= merged.rowCount
            guard try body(merged) else { return false }
        }
        return true
    }
}
