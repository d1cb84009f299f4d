import Columnar
import Kernels
import Planner

/// Gives each row as often as an expression says.
final class ReplicateOperator: PushOperator {
    private let count: ExpressionNode
    private let output: [Int]
    private let next: PushOperator

    init(_ count: BoundExpression, output: [Int], next: PushOperator) throws {
        self.count = try ExpressionCompiler().compile(count)
        self.output = output
        self.next = next
    }

    override func push(_ chunk: Chunk) throws -> Bool {
        let counts = try count.evaluate(chunk).flattened()
        guard case .fixed(let buffer) = counts.storage, counts.type == .int64 else {
            throw ExecutionError(.data, "how often a row is repeated is no BIGINT")
        }
        let valid = counts.validity
        let wanted = buffer.pointer(as: Int64.self)
        // One row may be repeated any number of times: rows go on in pieces.
        let piece = Buffer(byteCount: RecordBatch.rowCountMax * 4)
        let rows = piece.mutable(as: Int32.self)
        var filled = 0
        for row in 0..<chunk.rowCount {
            if let valid, !valid[row] { continue }
            var left = wanted[row]
            while left > 0 {
                let take = Int(min(left, Int64(RecordBatch.rowCountMax - filled)))
                for index in filled..<filled + take { rows[index] = Int32(truncatingIfNeeded: row) }
                filled += take
                left -= Int64(take)
                if filled == RecordBatch.rowCountMax {
                    guard try send(chunk, rows, filled) else { return false }
                    filled = 0
                }
            }
        }
        return try filled == 0 || send(chunk, rows, filled)
    }

    private func send(
        _ chunk: Chunk,
        _ rows: UnsafeMutablePointer<Int32>,
        _ rowCount: Int
    ) throws -> Bool {
        let columns = output.map { position in
            Take.take(chunk.columns[position], rows: UnsafePointer(rows), count: rowCount)
        }
        return try next.push(Chunk(columns: columns, rowCount: rowCount))
    }
}
