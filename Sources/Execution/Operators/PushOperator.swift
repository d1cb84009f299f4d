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

/// Keeps batches for an operator that needs all of them.
final class CollectOperator: PushOperator {
    private(set) var chunks: [Chunk] = []
    private(set) var rowCount = 0
    private let memory: QueryMemory

    init(_ memory: QueryMemory) {
        self.memory = memory
    }

    override func push(_ chunk: Chunk) throws -> Bool {
        // Dictionaries and constants stay what they are; views keep their pages alive.
        try memory.add(chunk.columns.reduce(0) { $0 + $1.heldByteCount })
        chunks.append(chunk)
        rowCount += chunk.rowCount
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
func concatenated(_ chunks: [Chunk], types: [DataType]) -> Chunk {
    if chunks.count == 1 { return chunks[0] }
    let rowCount = chunks.reduce(0) { $0 + $1.rowCount }
    return Chunk(
        columns: types.indices.map { index in
            chunks.isEmpty
                ? Column.zeros(types[index], count: 0, isNull: false)
                : Concatenate.concatenate(chunks.map { $0.columns[index] })
        },
        rowCount: rowCount
    )
}
