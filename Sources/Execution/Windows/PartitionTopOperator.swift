import Columnar
import Kernels
import Planner

/// Of one worker's rows, keeps those that may be among the first few of their partition, and hands them to the sort of the
/// window when all have come.
///
/// When memory is refused, what is there goes to the sort and it begins anew; where hardly any row can be
/// left out, all later ones go there at once.
final class PartitionTopOperator: PushOperator {
    private let next: SortOperator
    private let partitionNodes: [ExpressionNode]
    private let orderNodes: [ExpressionNode]
    private let partitionTypes: [DataType]
    private let orders: [SortOrder]
    private let orderTypes: [DataType]
    private let limit: PhysicalPlan.Window.Limit
    private let use: MemoryUse
    private var table: GroupTable?
    private var top: GroupedTop
    private var held = HeldRows()
    private var ranks: [(ranks: Buffer, count: Int)] = []
    /// Rows that have come since it began, and how many may be held before those behind the bounds are dropped.
    private var seenRowCount = 0
    private var heldRowCountMax = PartitionTopOperator.heldRowCountLeast
    private var isPassing = false

    /// Rows that are held in any case.
    private static let heldRowCountLeast = 4 * RecordBatch.rowCountMax
    /// Rows after which it is asked whether keeping few of them works.
    private static let trialRowCount = 64 * RecordBatch.rowCountMax

    init(
        _ window: PhysicalPlan.Window,
        _ limit: PhysicalPlan.Window.Limit,
        memory: OperatorMemory,
        next: SortOperator
    ) throws {
        self.next = next
        self.limit = limit
        let compiler = ExpressionCompiler()
        partitionNodes = try window.partition.map { try compiler.compile($0) }
        partitionTypes = window.partition.map(\.type)
        orderNodes = try window.order.map { try compiler.compile($0.expression) }
        orderTypes = window.order.map(\.expression.type)
        orders = window.order.map(\.order)
        use = MemoryUse(memory)
        (table, top) = Self.begun(partitionTypes, orderTypes, orders, limit)
    }

    private static func begun(
        _ partitionTypes: [DataType],
        _ orderTypes: [DataType],
        _ orders: [SortOrder],
        _ limit: PhysicalPlan.Window.Limit
    ) -> (GroupTable?, GroupedTop) {
        (
            partitionTypes.isEmpty ? nil : GroupTable(types: partitionTypes),
            GroupedTop(
                types: orderTypes,
                orders: orders,
                limit: limit.count,
                keepsEqual: limit.keepsEqual
            )
        )
    }

    override func push(_ chunk: Chunk) throws -> Bool {
        if isPassing { return try next.push(chunk) }
        let count = chunk.rowCount
        if !use.set(byteCountMax(adding: count)) {
            try flush()
            if isPassing || !use.set(byteCountMax(adding: count)) { return try next.push(chunk) }
        }
        let numbers = Buffer(byteCount: count * 4)
        if let table {
            var keys: [Column] = []
            for node in partitionNodes { keys.append(try node.evaluate(chunk)) }
            try table.assign(keys, count: count, into: numbers.mutable(as: UInt32.self))
        }
        var keys: [Column] = []
        for node in orderNodes { keys.append(try node.evaluate(chunk)) }
        let (rows, ranks) = top.select(
            keys,
            groups: table == nil ? nil : UnsafePointer(numbers.mutable(as: UInt32.self)),
            groupCount: table?.groupCount ?? 1,
            count: count
        )
        withExtendedLifetime(numbers) {}
        seenRowCount += count
        let kept = rows.map { chunk.taking($0) } ?? chunk
        if kept.rowCount > 0 {
            held.append(kept)
            self.ranks.append((ranks, kept.rowCount))
        }
        if held.rowCount > max(heldRowCountMax, 2 * top.entryCount) {
            try compact()
            heldRowCountMax = max(Self.heldRowCountLeast, 2 * held.rowCount)
        }
        if seenRowCount >= Self.trialRowCount, isUseless { try flush() }
        return true
    }

    /// Hands on what is held.
    func finish() throws {
        if isPassing { return }
        if !ranks.isEmpty { try compact() }
        let chunks = held.chunks
        forget()
        for chunk in chunks { _ = try next.push(chunk) }
    }

    /// Whether more than two of three rows had to be kept.
    private var isUseless: Bool { top.entryCount > seenRowCount / 3 * 2 }

    private func flush() throws {
        try compact()
        let chunks = held.chunks
        isPassing = isUseless
        forget()
        for chunk in chunks { _ = try next.push(chunk) }
    }

    private func forget() {
        held = HeldRows()
        ranks = []
        seenRowCount = 0
        heldRowCountMax = Self.heldRowCountLeast
        (table, top) = Self.begun(partitionTypes, orderTypes, orders, limit)
        _ = use.set(0)
    }

    /// Drops rows that fell behind the bounds of their partitions.
    private func compact() throws {
        let chunks = held.chunks
        held = HeldRows()
        let kept = top.retained(ranks)
        ranks = []
        // Small batches are put together.
        var parts: [Chunk] = []
        var partRowCount = 0
        func append() throws {
            guard let first = parts.first else { return }
            let all = try concatenated(parts, types: first.columns.map(\.type))
            // What was dropped must not be kept alive by views into its pages.
            held.append(
                Chunk(columns: all.columns.map { Compact.compacted($0) }, rowCount: all.rowCount)
            )
            parts = []
            partRowCount = 0
        }
        for (chunk, (rows, newRanks, count)) in zip(chunks, kept) where count > 0 {
            parts.append(rows.map { chunk.taking($0) } ?? chunk)
            partRowCount += count
            ranks.append((newRanks, count))
            if partRowCount >= RecordBatch.rowCountMax { try append() }
        }
        try append()
        ranks = Self.together(ranks, as: held.chunks)
    }

    /// What is known of rows, put together as the batches were.
    private static func together(
        _ ranks: [(ranks: Buffer, count: Int)],
        as chunks: [Chunk]
    ) -> [(ranks: Buffer, count: Int)] {
        var result: [(ranks: Buffer, count: Int)] = []
        var place = 0
        for chunk in chunks {
            let all = Buffer(byteCount: chunk.rowCount * GroupedTop.rankByteCount)
            var count = 0
            while count < chunk.rowCount {
                (all.base + count * GroupedTop.rankByteCount).copyMemory(
                    from: ranks[place].ranks.base,
                    byteCount: ranks[place].count * GroupedTop.rankByteCount
                )
                count += ranks[place].count
                place += 1
            }
            result.append((all, count))
        }
        return result
    }

    /// The most memory that it takes on the way to holding `count` more rows, twice while some are dropped.
    private func byteCountMax(adding count: Int) -> Int {
        let ranksByteCount = (held.rowCount + count) * (GroupedTop.rankByteCount + 4)
        return top.byteCountMax(adding: count) + (table?.byteCountMax(adding: count) ?? 0)
            + 2 * (held.byteCount + ranksByteCount)
    }
}
