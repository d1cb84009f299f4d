import Columnar
import Kernels
import Planner
import Synchronization

/// The right side of a join while its rows come: in memory as long as that is granted, then on disk, spread
/// by the hash of the keys.
///
/// `@unchecked Sendable`: each worker touches only its own element of `workers`.
final class JoinBuild: @unchecked Sendable {
    fileprivate final class Worker {
        var held = HeldRows()
        let use: MemoryUse
        var writer: PartitionWriter?
        var rowCount = 0
        var hasNullKey = false

        init(_ memory: OperatorMemory) {
            use = MemoryUse(memory)
        }
    }

    let plan: PhysicalPlan.Join
    let memory: OperatorMemory
    fileprivate let workers: [Worker]
    private let file = Mutex<SpillFile?>(nil)
    private let rightTypes: [DataType]
    /// What a row takes in a table, besides its columns.
    fileprivate let rowByteCount: Int
    /// Whether right rows with null keys appear in the result.
    private let keepsAll: Bool

    init(_ plan: PhysicalPlan.Join, _ memory: OperatorMemory, workerCount: Int) throws {
        self.plan = plan
        self.memory = memory
        workers = (0..<workerCount).map { _ in Worker(memory) }
        rightTypes = plan.right.types
        rowByteCount = JoinTable.rowByteCount(plan.rightKeys.map(\.type))
        keepsAll = plan.kind.decidesOnRight && plan.kind != .rightSemi
    }

    var hasSpilled: Bool { workers.contains { $0.writer != nil } }
    var rowCount: Int { workers.reduce(0) { $0 + $1.rowCount } }

    /// Bytes that rows take until they are in a table: they are put together there.
    fileprivate func neededBytes(_ byteCount: Int, _ rowCount: Int) -> Int {
        2 * byteCount + rowByteCount * rowCount
    }

    /// Takes rows of columns and keys.
    fileprivate func add(_ chunk: Chunk, _ index: Int) throws {
        let worker = workers[index]
        worker.rowCount += chunk.rowCount
        if worker.writer == nil {
            let prepared = worker.held.prepared(chunk)
            if worker.use.add(neededBytes(prepared.byteCount, chunk.rowCount)) {
                worker.held.append(prepared)
                return
            }
            try spill(worker)
        }
        try write(chunk, worker)
    }

    private func spill(_ worker: Worker) throws {
        worker.writer = PartitionWriter(
            try file.withLock { file in
                let target = try file ?? memory.makeFile()
                file = target
                return target
            },
            level: 0,
            stagingByteCountMax: memory.stagingBytes
        )
        let chunks = worker.held.chunks
        worker.held = HeldRows()
        for chunk in chunks { try write(chunk, worker) }
        try worker.writer?.flush()
        _ = worker.use.set(0)
    }

    private func write(_ rows: Chunk, _ worker: Worker) throws {
        var chunk = rows
        var keys = Array(chunk.columns[rightTypes.count...])
        if let absent = JoinTable.rowsWithoutKey(keys.map { $0.flattened() }, plan.nullsMatch),
            absent.trueCount > 0
        {
            worker.hasNullKey = true
            if !keepsAll {
                chunk = chunk.taking(Filter.selection(Logic.not(Column(bits: absent))))
                keys = Array(chunk.columns[rightTypes.count...])
            }
        }
        try worker.writer?.append(chunk, keys: keys)
    }

    // MARK: The table

    /// All rows in a table; nil when some went to disk, or there is no room for the table.
    func table() throws -> JoinTable? {
        if hasSpilled { return nil }
        var chunks: [Chunk] = []
        for worker in workers {
            chunks += worker.held.chunks
            worker.held = HeldRows()
        }
        return try Self.table(&chunks, plan, rightTypes)
    }

    /// A table of rows of columns and keys, which are let go column by column.
    static func table(
        _ chunks: inout [Chunk],
        _ plan: PhysicalPlan.Join,
        _ rightTypes: [DataType]
    ) throws -> JoinTable {
        let types = rightTypes + plan.rightKeys.map(\.type)
        let rowCount = chunks.reduce(0) { $0 + $1.rowCount }
        var columns: [Column] = []
        for index in types.indices {
            if chunks.isEmpty {
                columns.append(.zeros(types[index], count: 0, isNull: false))
                continue
            }
            let parts = chunks.map { $0.columns[index] }
            columns.append(try Concatenate.concatenateUnlessInterrupted(parts))
            for chunk in chunks.indices {
                chunks[chunk].columns[index] = .nulls(.null, count: chunks[chunk].rowCount)
            }
        }
        chunks = []
        return try JoinTable(
            columns: Array(columns[..<rightTypes.count]),
            keys: Array(columns[rightTypes.count...]),
            rowCount: rowCount,
            nullsMatch: plan.nullsMatch
        )
    }

    /// Says that the rows are in a table now: what putting them together took is free again.
    func settle(_ table: JoinTable) {
        var left = table.byteCount
        for worker in workers {
            let rows = worker.use.byteCount - rowByteCount * worker.rowCount
            _ = worker.use.set(max(0, rows) / 2 + left)
            left = 0
        }
    }

    // MARK: Disk

    /// Writes out what is still in memory.
    ///
    /// - Returns: the rows of each partition.
    func spillAll() throws -> [SpilledRows] {
        for worker in workers where worker.writer == nil { try spill(worker) }
        for worker in workers { try worker.writer?.flush() }
        let writers = workers.compactMap(\.writer)
        for worker in workers { worker.writer = nil }
        file.withLock { $0 = nil }
        return (0..<SpillPartitioning.partitionCount).compactMap { gathered(writers, $0) }
    }

    var facts: JoinFacts {
        JoinFacts(isEmpty: rowCount == 0, hasNullKey: workers.contains { $0.hasNullKey })
    }
}

/// Evaluates the keys of the built side and keeps them beside its columns.
final class JoinBuildOperator: PushOperator {
    private let keyNodes: [ExpressionNode]
    private let build: JoinBuild
    private let worker: Int

    init(_ build: JoinBuild, worker: Int) throws {
        let compiler = ExpressionCompiler()
        keyNodes = try build.plan.rightKeys.map { try compiler.compile($0) }
        self.build = build
        self.worker = worker
    }

    override func push(_ chunk: Chunk) throws -> Bool {
        var columns = chunk.columns
        for node in keyNodes { columns.append(try node.evaluate(chunk)) }
        try build.add(Chunk(columns: columns, rowCount: chunk.rowCount), worker)
        return true
    }
}
