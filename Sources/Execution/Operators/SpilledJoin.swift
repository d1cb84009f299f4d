import Bytes
import Columnar
import Kernels
import Planner

// A join whose right side does not fit into memory.
//
// The right side lies on disk, spread by the hash of its keys. As many partitions as fit are read back into
// a table, which left rows are joined with as they come; left rows of the other partitions go to disk the same
// way. Then one partition after the other is joined:
//
//   the right rows fit             -> a table, and all left rows against it
//   they do not                    -> both sides are spread by the next bits of the hash, and so on
//   spreading does not help        -> the right rows a part at a time, all left rows against each part; what
//   (one key has most of the rows,    only all parts together decide (whether a left row met a match) is
//   or there are no keys at all)      noted a byte a row and said at the end
//
// Left rows with a null key that matches nothing are never written: they have no match anywhere.

/// The join of sides that lie on disk.
final class SpilledJoin {
    private let plan: PhysicalPlan.Join
    private let build: [SpilledRows]
    private let facts: JoinFacts
    private let memory: OperatorMemory
    private let team: WorkerTeam
    private let residentUse: MemoryUse
    private var resident: JoinState
    private(set) var isResident: [Bool]
    private let rightTypes: [DataType]
    private let leftTypes: [DataType]

    init(
        _ build: JoinBuild,
        _ team: WorkerTeam
    ) throws {
        plan = build.plan
        self.build = try build.spillAll()
        facts = build.facts
        memory = build.memory
        self.team = team
        rightTypes = plan.right.types
        leftTypes = plan.left.types
        residentUse = MemoryUse(memory)
        isResident = self.build.map(\.isEmpty)
        // With an empty table, to be replaced.
        var none: [Chunk] = []
        resident = JoinState(
            plan: plan,
            table: try JoinBuild.table(&none, plan, rightTypes),
            facts: facts,
            workerCount: team.count
        )
        var chunks: [Chunk] = []
        for partition in self.build.indices where !self.build[partition].isEmpty {
            // What does not fit whole is better left alone: later partitions need memory too.
            guard !plan.leftKeys.isEmpty, residentUse.add(neededBytes(self.build[partition]))
            else { continue }
            isResident[partition] = true
            try self.build[partition].forEachBlock { chunk in
                chunks.append(chunk)
                return true
            }
        }
        resident = try state(&chunks)
    }

    private func neededBytes(_ rows: SpilledRows) -> Int {
        2 * rows.byteCount + JoinTable.rowByteCount(plan.rightKeys.map(\.type)) * rows.rowCount
    }

    private func state(_ chunks: inout [Chunk]) throws -> JoinState {
        JoinState(
            plan: plan,
            table: try JoinBuild.table(&chunks, plan, rightTypes),
            facts: facts,
            workerCount: team.count
        )
    }

    /// Operators that take the left rows, one a worker.
    func probes(_ sinks: [PushOperator]) throws -> [SpilledProbeOperator] {
        let file = try memory.makeFile()
        return try sinks.indices.map { worker in
            try SpilledProbeOperator(
                plan,
                isResident: isResident,
                table: try JoinProbeOperator(resident, worker: worker, next: sinks[worker]),
                writer: PartitionWriter(
                    file,
                    level: 0,
                    stagingByteCountMax: memory.stagingBytes
                )
            )
        }
    }

    private var keepsRight: Bool { plan.kind.decidesOnRight }

    /// Whether left rows without any right row leave a trace.
    private var keepsLeft: Bool {
        switch plan.kind {
        case .inner, .cross, .semi, .right, .rightSemi, .rightAnti: false
        case .left, .full, .anti, .single, .mark, .markAny: true
        }
    }

    /// Joins what went to disk, after all left rows have come.
    func finish(_ probes: [SpilledProbeOperator], into sinks: [PushOperator]) throws -> Bool {
        if keepsRight {
            guard
                try JoinProbeOperator.pushDecided(
                    resident,
                    leftTypes: leftTypes,
                    into: sinks[0]
                )
            else { return false }
        }
        var none: [Chunk] = []
        resident = try state(&none)
        let writers = probes.map(\.writer)
        for probe in probes {
            try probe.writer.flush()
            probe.forgetTable()
        }
        _ = residentUse.set(0)
        for partition in build.indices where !isResident[partition] {
            guard let left = gathered(writers, partition) else { continue }
            guard try join(left, build[partition], level: 1, sinks) else { return false }
        }
        return true
    }

    /// Joins two partitions.
    private func join(
        _ left: SpilledRows,
        _ right: SpilledRows,
        level: Int,
        _ sinks: [PushOperator]
    ) throws -> Bool {
        try Interruption.check()
        if left.isEmpty && (right.isEmpty || !keepsRight) { return true }
        if right.isEmpty && !keepsLeft { return true }
        let use = MemoryUse(memory)
        if use.set(neededBytes(right)) {
            var chunks: [Chunk] = []
            try right.forEachBlock { chunk in
                chunks.append(chunk)
                return true
            }
            let state = try state(&chunks)
            _ = use.set(right.byteCount + state.table.byteCount)
            return try probe(left, state, sinks)
        }
        if !plan.leftKeys.isEmpty, level < SpillPartitioning.levelMax {
            let parts = try spread(right, plan.rightKeys.count, level)
            // With most rows still together they mostly share one key.
            if parts.allSatisfy({ $0.rowCount < right.rowCount / 4 * 3 }) {
                let leftParts = try spread(left, level)
                for (left, right) in zip(leftParts, parts) {
                    guard try join(left, right, level: level + 1, sinks) else { return false }
                }
                return true
            }
        }
        return try joinInParts(left, right, sinks)
    }

    /// All left rows of a partition against a table, on all workers.
    private func probe(
        _ left: SpilledRows,
        _ state: JoinState,
        _ sinks: [PushOperator]
    ) throws -> Bool {
        let stop = StopFlag()
        let workerCount = team.count
        try team.run { worker in
            let probe = try JoinProbeOperator(state, worker: worker, next: sinks[worker])
            let decompressor = Decompressor()
            var index = worker
            while index < left.blocks.count, !stop.isSet {
                let chunk = try left.read(index, decompressor)
                if try !chunk.forEachBatch({ try probe.push($0) }) { stop.set() }
                index += workerCount
            }
        }
        if stop.isSet { return false }
        return try !keepsRight
            || JoinProbeOperator.pushDecided(state, leftTypes: leftTypes, into: sinks[0])
    }

    // MARK: Spreading

    private func writer(_ level: Int) throws -> PartitionWriter {
        PartitionWriter(
            try memory.makeFile(),
            level: level,
            stagingByteCountMax: memory.stagingBytes
        )
    }

    /// Right rows, whose keys are their last columns.
    private func spread(
        _ rows: SpilledRows,
        _ keyCount: Int,
        _ level: Int
    ) throws -> [SpilledRows] {
        let writer = try writer(level)
        try rows.forEachBlock { chunk in
            try writer.append(chunk, keys: chunk.columns.suffix(keyCount))
            return true
        }
        try writer.flush()
        return writer.partitions
    }

    private func spread(_ rows: SpilledRows, _ level: Int) throws -> [SpilledRows] {
        let compiler = ExpressionCompiler()
        let nodes = try plan.leftKeys.map { try compiler.compile($0) }
        let writer = try writer(level)
        try rows.forEachBlock { chunk in
            try chunk.forEachBatch { batch in
                try writer.append(batch, keys: try nodes.map { try $0.evaluate(batch) })
                return true
            }
        }
        try writer.flush()
        return writer.partitions
    }

    // MARK: A part at a time

    private func joinInParts(
        _ left: SpilledRows,
        _ right: SpilledRows,
        _ sinks: [PushOperator]
    ) throws -> Bool {
        let use = MemoryUse(memory)
        // A byte for each left row, or a few bits: less than the rows themselves take.
        _ = use.set(left.rowCount)
        let settled = SettledRows(rowCount: left.rowCount, kind: plan.kind)
        let decompressor = Decompressor()
        let partUse = MemoryUse(memory)
        let rowByteCount = JoinTable.rowByteCount(plan.rightKeys.map(\.type))
        var next = 0
        var last: JoinProbeOperator?
        while next < right.blocks.count || last == nil {
            var chunks: [Chunk] = []
            _ = partUse.set(0)
            while next < right.blocks.count {
                let block = right.blocks[next]
                let wanted = 2 * block.payloadByteCount + rowByteCount * block.rowCount
                // One block is taken in any case.
                guard partUse.add(wanted) || chunks.isEmpty else { break }
                chunks.append(try right.read(next, decompressor))
                next += 1
            }
            let state = try state(&chunks)
            let probe = try JoinProbeOperator(state, worker: 0, next: sinks[0])
            last = probe
            guard
                try eachRow(left, { try probe.push($0, firstRow: $1, settled) })
            else { return false }
            if keepsRight {
                guard
                    try JoinProbeOperator.pushDecided(
                        state,
                        leftTypes: leftTypes,
                        into: sinks[0]
                    )
                else { return false }
            }
        }
        guard let last else { return true }
        switch plan.kind {
        case .inner, .cross, .right, .rightSemi, .rightAnti: return true
        case .left, .full, .single, .semi, .anti, .mark, .markAny:
            return try eachRow(left) { try last.pushSettled($0, firstRow: $1, settled) }
        }
    }

    /// Batches with the number of their first row.
    private func eachRow(
        _ rows: SpilledRows,
        _ body: (Chunk, Int) throws -> Bool
    ) throws -> Bool {
        var firstRow = 0
        return try rows.forEachBlock { chunk in
            try chunk.forEachBatch { batch in
                defer { firstRow += batch.rowCount }
                return try body(batch, firstRow)
            }
        }
    }
}

/// One worker's left rows of a join whose right side lies on disk.
final class SpilledProbeOperator: PushOperator {
    let writer: PartitionWriter
    private let plan: PhysicalPlan.Join
    private let keyNodes: [ExpressionNode]
    private let isResident: [Bool]
    private var table: JoinProbeOperator?

    init(
        _ plan: PhysicalPlan.Join,
        isResident: [Bool],
        table: JoinProbeOperator,
        writer: PartitionWriter
    ) throws {
        let compiler = ExpressionCompiler()
        keyNodes = try plan.leftKeys.map { try compiler.compile($0) }
        self.plan = plan
        self.isResident = isResident
        self.table = table
        self.writer = writer
    }

    /// Lets go of the table that was in memory.
    func forgetTable() { table = nil }

    override func push(_ chunk: Chunk) throws -> Bool {
        guard let table else { return false }
        var keys: [Column] = []
        for node in keyNodes { keys.append(try node.evaluate(chunk).flattened()) }
        let hashes = Hashing.hash(keys, count: chunk.rowCount)
        let hash = hashes.mutable(as: UInt64.self)
        let absent = JoinTable.rowsWithoutKey(keys, plan.nullsMatch)
        let partitioning = SpillPartitioning(level: 0)
        var now: [Int32] = []
        var later: [Int32] = []
        now.reserveCapacity(chunk.rowCount)
        for row in 0..<chunk.rowCount {
            if isResident[partitioning.partition(hash[row])] || absent?[row] ?? false {
                now.append(Int32(truncatingIfNeeded: row))
            } else {
                later.append(Int32(truncatingIfNeeded: row))
            }
        }
        if !later.isEmpty {
            let selection = Selection(later)
            let own = Buffer(byteCount: later.count * 8)
            let target = own.mutable(as: UInt64.self)
            for (index, row) in later.enumerated() { target[index] = hash[Int(row)] }
            try writer.append(
                later.count == chunk.rowCount ? chunk : chunk.taking(selection),
                hashes: own
            )
        }
        withExtendedLifetime(hashes) {}
        if now.isEmpty { return true }
        return try table.push(
            now.count == chunk.rowCount ? chunk : chunk.taking(Selection(now))
        )
    }
}
