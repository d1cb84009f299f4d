import Columnar
import Kernels
import Planner
import Synchronization

/// One worker's share of an operator: batches are pushed in from below.
class PushOperator {
    /// Takes a batch.
    ///
    /// - Returns: whether more is wanted; after false nothing more should be pushed.
    func push(_ chunk: Chunk) throws -> Bool {
        preconditionFailure("abstract")
    }
}

final class FilterOperator: PushOperator {
    private let predicate: Predicate
    private let output: [Int]
    private let next: PushOperator

    init(_ condition: BoundExpression, output: [Int], next: PushOperator) throws {
        predicate = try Predicate([condition])
        self.output = output
        self.next = next
    }

    override func push(_ chunk: Chunk) throws -> Bool {
        guard let selection = try predicate.select(chunk) else {
            return try next.push(
                Chunk(columns: output.map { chunk.columns[$0] }, rowCount: chunk.rowCount)
            )
        }
        if selection.count == 0 { return true }
        return try next.push(
            Chunk(
                columns: output.map { Take.take(chunk.columns[$0], selection) },
                rowCount: selection.count
            )
        )
    }
}

final class ProjectOperator: PushOperator {
    private let nodes: [ExpressionNode]
    private let next: PushOperator

    init(_ expressions: [BoundExpression], next: PushOperator) throws {
        let compiler = ExpressionCompiler()
        nodes = try expressions.map { try compiler.compile($0) }
        self.next = next
    }

    override func push(_ chunk: Chunk) throws -> Bool {
        var columns: [Column] = []
        columns.reserveCapacity(nodes.count)
        for node in nodes { columns.append(try node.evaluate(chunk)) }
        return try next.push(Chunk(columns: columns, rowCount: chunk.rowCount))
    }
}

/// What the workers of one LIMIT share.
final class LimitState: Sendable {
    private struct State {
        var skipped = 0
        var given = 0
    }
    private let count: Int
    private let offset: Int
    private let state = Mutex(State())

    init(count: Int?, offset: Int) {
        self.count = count ?? Int.max
        self.offset = offset
    }

    /// Which of the next `rowCount` rows may pass, and whether more will.
    func take(_ rowCount: Int) -> (rows: Range<Int>, wantsMore: Bool) {
        state.withLock { state in
            let skip = min(rowCount, offset - state.skipped)
            state.skipped += skip
            let give = min(rowCount - skip, count - state.given)
            state.given += give
            return (skip..<skip + give, state.given < count)
        }
    }
}

final class LimitOperator: PushOperator {
    private let state: LimitState
    private let next: PushOperator

    init(_ state: LimitState, next: PushOperator) {
        self.state = state
        self.next = next
    }

    override func push(_ chunk: Chunk) throws -> Bool {
        let (rows, wantsMore) = state.take(chunk.rowCount)
        if rows.isEmpty { return wantsMore }
        let part = Chunk(
            columns: chunk.columns.map { $0.slice(rows) },
            rowCount: rows.count
        )
        return try next.push(part) && wantsMore
    }
}

/// Keeps batches in memory for an operator that needs all of them there.
///
/// More than is granted ends the query. Where rows may wait on disk, see `KeepOperator`.
final class CollectOperator: PushOperator {
    private var held = HeldRows()
    private let use: MemoryUse

    init(_ memory: QueryMemory) {
        use = MemoryUse(memory.makeOperator())
    }

    init(_ memory: OperatorMemory) {
        use = MemoryUse(memory)
    }

    var chunks: [Chunk] { held.chunks }
    var rowCount: Int { held.rowCount }

    override func push(_ chunk: Chunk) throws -> Bool {
        let prepared = held.prepared(chunk)
        try use.require(use.byteCount + prepared.byteCount)
        held.append(prepared)
        return true
    }
}

/// Keeps one worker's batches, in memory as long as that is granted, then on disk.
final class KeepOperator: PushOperator {
    private var held = HeldRows()
    private var spilled: SpilledRows?
    private let encoder = SpillEncoder()
    private let use: MemoryUse

    init(_ memory: OperatorMemory) {
        use = MemoryUse(memory)
    }

    var hasSpilled: Bool { spilled != nil }
    /// The rows, where none is on disk.
    var chunks: [Chunk] { held.chunks }

    override func push(_ chunk: Chunk) throws -> Bool {
        let prepared = held.prepared(chunk)
        // They may be put together.
        if !use.add(2 * prepared.byteCount) {
            try spill()
            _ = use.add(2 * prepared.byteCount)
        }
        held.append(prepared)
        return true
    }

    /// Writes out what is in memory.
    func spill() throws {
        guard let first = held.chunks.first else { return }
        var target = try spilled ?? SpilledRows(use.memory.makeFile())
        let chunks = held.chunks
        held = HeldRows()
        try target.append(
            try concatenated(chunks, types: first.columns.map(\.type)),
            blockByteCount: 1 << 20,
            encoder
        )
        spilled = target
        _ = use.set(0)
    }

    /// Hands on all rows in the order in which they came; any number of times.
    func forEachBatch(_ body: (Chunk) throws -> Bool) throws -> Bool {
        let fromDisk = try spilled?.forEachBlock { try $0.forEachBatch(body) }
        guard fromDisk ?? true else { return false }
        for chunk in held.chunks {
            guard try chunk.forEachBatch(body) else { return false }
        }
        return true
    }
}

/// The end of a query: batches go to the reader.
final class ResultOperator: PushOperator {
    private let stream: ResultStream

    init(_ stream: ResultStream) {
        self.stream = stream
    }

    override func push(_ chunk: Chunk) throws -> Bool {
        var start = 0
        while start < chunk.rowCount {
            let rows = start..<min(chunk.rowCount, start + RecordBatch.rowCountMax)
            let part = Chunk(
                columns: chunk.columns.map { $0.slice(rows) },
                rowCount: rows.count
            )
            guard stream.send(part) else { return false }
            start = rows.upperBound
        }
        return true
    }
}

extension Column {
    /// Bytes of the column's own rows, not counting what strings and dictionaries point to.
    var heldByteCount: Int {
        let bits = validity.map { $0.wordCount * 8 } ?? 0
        switch storage {
        case .null, .constant: return bits
        case .bits(let values): return bits + values.wordCount * 8
        case .fixed, .views: return bits + count * type.physical.byteWidth
        case .dictionary: return bits + count * 4
        case .list(_, let elements): return bits + count * 4 + elements.column.heldByteCount
        case .structure(let columns): return columns.reduce(bits) { $0 + $1.heldByteCount }
        case .map(_, let keys, let values):
            return bits + count * 4 + keys.column.heldByteCount + values.column.heldByteCount
        }
    }
}

/// The columns of many chunks as one chunk, in order.
///
/// - Throws: `CancellationError` when nobody wants it any more.
func concatenated(_ chunks: [Chunk], types: [DataType]) throws -> Chunk {
    if chunks.count == 1 { return chunks[0] }
    let rowCount = chunks.reduce(0) { $0 + $1.rowCount }
    return Chunk(
        columns: try types.indices.map { index in
            chunks.isEmpty
                ? Column.zeros(types[index], count: 0, isNull: false)
                : try Concatenate.concatenateUnlessInterrupted(chunks.map { $0.columns[index] })
        },
        rowCount: rowCount
    )
}
