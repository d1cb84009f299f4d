import Columnar
import Kernels
import Planner

/// Gives a row for each element of lists, in pieces of a batch.
final class UnnestOperator: PushOperator {
    private let lists: [ExpressionNode]
    private let plan: PhysicalPlan.Unnest
    private let next: PushOperator

    init(_ plan: PhysicalPlan.Unnest, next: PushOperator) throws {
        let compiler = ExpressionCompiler()
        lists = try plan.lists.map { try compiler.compile($0) }
        self.plan = plan
        self.next = next
    }

    override func push(_ chunk: Chunk) throws -> Bool {
        let columns = try lists.map { try Lists.packed(try $0.evaluate(chunk)) }
        if columns.count == 1, !plan.keepsEmpty { return try push(columns[0], chunk) }
        return try push(columns, chunk)
    }

    /// One list: its elements are the rows as they lie.
    private func push(_ list: Column, _ chunk: Chunk) throws -> Bool {
        let elements = Lists.parts(of: list).elements[0]
        let rows = Lists.parents(of: list)
        let ordinals = plan.hasOrdinality ? Lists.ordinals(of: list) : nil
        var start = 0
        while start < elements.count {
            let end = min(elements.count, start + RecordBatch.rowCountMax)
            var columns = take(chunk, rows.rows + start, end - start)
            columns.append(elements.slice(start..<end))
            if let ordinals { columns.append(ordinals.slice(start..<end)) }
            guard try next.push(Chunk(columns: columns, rowCount: end - start)) else {
                return false
            }
            start = end
        }
        return withExtendedLifetime(rows) { true }
    }

    private func take(_ chunk: Chunk, _ rows: UnsafePointer<Int32>, _ count: Int) -> [Column] {
        plan.output.map { Take.take(chunk.columns[$0], rows: rows, count: count) }
    }

    /// Several lists side by side: the longest says how many rows there are.
    private func push(_ lists: [Column], _ chunk: Chunk) throws -> Bool {
        let parts = lists.map { Lists.parts(of: $0) }
        let size = RecordBatch.rowCountMax
        let memory = Buffer(byteCount: size * 4 * (lists.count + 1))
        let rows = memory.mutable(as: Int32.self)
        let places = Buffer(byteCount: size * 8)
        var ordinal = places.mutable(as: Int64.self)
        var ordinals = places
        var filled = 0
        func send() throws -> Bool {
            var columns = take(chunk, UnsafePointer(rows), filled)
            for (index, part) in parts.enumerated() {
                columns.append(
                    Take.take(
                        part.elements[0],
                        rows: UnsafePointer(rows + (index + 1) * size),
                        count: filled,
                        nullable: true
                    )
                )
            }
            if plan.hasOrdinality {
                let valid = (0..<filled).map { ordinal[$0] > 0 }
                columns.append(
                    Column(
                        .int64,
                        count: filled,
                        validity: valid.contains(false) ? Bitmap(valid) : nil,
                        buffer: ordinals
                    )
                )
                ordinals = Buffer(byteCount: size * 8)
                ordinal = ordinals.mutable(as: Int64.self)
            }
            let count = filled
            filled = 0
            return try next.push(Chunk(columns: columns, rowCount: count))
        }
        for row in 0..<chunk.rowCount {
            var longest = 0
            for part in parts {
                longest = max(longest, Int(part.offsets[row + 1] - part.offsets[row]))
            }
            let isEmpty = longest == 0
            if isEmpty, !plan.keepsEmpty { continue }
            for place in 0..<max(1, longest) {
                rows[filled] = Int32(truncatingIfNeeded: row)
                for (index, part) in parts.enumerated() {
                    let element = Int(part.offsets[row]) + place
                    rows[(index + 1) * size + filled] =
                        element < Int(part.offsets[row + 1])
                        ? Int32(truncatingIfNeeded: element) : -1
                }
                ordinal[filled] = isEmpty ? 0 : Int64(place + 1)
                filled += 1
                if filled == size {
                    guard try send() else { return false }
                }
            }
        }
        return try withExtendedLifetime((lists, memory, places)) { try filled == 0 || send() }
    }
}
