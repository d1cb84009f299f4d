import Columnar
import Kernels
import Planner
import Synchronization

// What an aggregate writes to disk, and how its result is made from there.
//
//   states      of the calls that can write theirs: keys, states      spread by the hash of the keys
//   distinct    of each DISTINCT call: keys, value, order keys        spread by the hash of all of it
//   runs        of each call with an order: keys, value, order keys   sorted by the order keys
//   rows        of each call whose states stay: keys, value           spread by the hash of the keys
//
// At the end each DISTINCT call's rows are told apart, partition by partition; they and the merged runs
// are aggregated like the rows of any other call, whose states are written out again by the hash of the
// keys. What remains is one partition of states (and rows) after the other: together they make the groups
// of that partition. A partition that does not fit is spread by the next bits of the hash.
//
// States of one key are merged in the order in which they were written, worker after worker.

/// The part of an aggregate that lies on disk.
///
/// `@unchecked Sendable`: each worker touches only its own element of `workers`.
final class AggregateSpill: @unchecked Sendable {
    /// What one worker wrote.
    private final class Worker {
        var states: PartitionWriter?
        var distinct: [PartitionWriter?]
        var rows: [PartitionWriter?]
        var runs: [SortedRuns]
        let encoder = SpillEncoder()

        init(_ calls: [AggregateCall]) {
            distinct = calls.map { _ in nil }
            rows = calls.map { _ in nil }
            runs = calls.map { SortedRuns(orders: $0.order.map(\.order)) }
        }
    }

    /// Partitioned states of some of the calls, or rows of one whose states stay.
    struct Relation {
        var partitions: [PartitionWriter]
        /// The calls, and how many columns the states of each take; nil for rows.
        var calls: [Int]
        var widths: [Int]?
    }

    let memory: OperatorMemory
    private let groupTypes: [DataType]
    private let calls: [AggregateCall]
    private let workers: [Worker]
    private let spilled = Atomic<Bool>(false)
    /// Whether what is written out stays in memory, only to be merged in parallel.
    private let staysInMemory = Atomic<Bool>(false)
    private let files = Mutex<[Int: SpillFile]>([:])
    /// How many columns the states of each call take that has no rows of its own.
    private let widths = Mutex<[Int]>([])

    init(
        groups: [BoundExpression],
        calls: [AggregateCall],
        memory: OperatorMemory,
        workerCount: Int
    ) {
        groupTypes = groups.map(\.type)
        self.calls = calls
        self.memory = memory
        workers = (0..<workerCount).map { _ in Worker(calls) }
    }

    var hasSpilled: Bool { spilled.load(ordering: .acquiring) }

    private func file(_ number: Int) throws -> SpillFile {
        try files.withLock { files in
            if let file = files[number] { return file }
            let file = try memory.makeFile()
            files[number] = file
            return file
        }
    }

    private func writer(_ number: Int) throws -> PartitionWriter {
        let inMemory = staysInMemory.load(ordering: .acquiring)
        return PartitionWriter(
            inMemory ? nil : try file(number),
            level: 0,
            stagingByteCountMax: memory.stagingBytes
        )
    }

    /// Groups from which on it pays to spread them and merge the parts in parallel.
    private static let parallelGroupCountMin = 1 << 16

    /// Whether the workers' groups, which are in memory, had better be merged in parallel.
    func prefersParallelMerge(_ operators: [AggregateOperator]) -> Bool {
        operators.count > 1 && !calls.indices.contains(where: isSpecial)
            && operators.reduce(0) { $0 + $1.groupCount } >= Self.parallelGroupCountMin
    }

    /// From now on what is written out stays in memory.
    func stayInMemory() { staysInMemory.store(true, ordering: .releasing) }

    // MARK: Writing

    /// States of the calls that have some, in the order of the calls.
    func writeStates(
        _ keys: [Column],
        _ states: [[Column]],
        groupCount: Int,
        _ worker: Int
    ) throws {
        spilled.store(true, ordering: .releasing)
        widths.withLock { $0 = states.map(\.count) }
        let own = workers[worker]
        let target = try own.states ?? writer(-1)
        own.states = target
        try target.append(
            Chunk(columns: keys + states.flatMap { $0 }, rowCount: groupCount),
            keys: keys
        )
        try target.flush()
    }

    /// Distinct rows of keys, value and order keys.
    func writeDistinct(_ rows: Chunk, call: Int, _ worker: Int) throws {
        let own = workers[worker]
        let target = try own.distinct[call] ?? writer(3 * call)
        own.distinct[call] = target
        try target.append(rows, keys: rows.columns)
        try target.flush()
    }

    /// Rows of keys, value and order keys.
    func writeRows(_ rows: Chunk, call: Int, _ worker: Int) throws {
        let own = workers[worker]
        if !calls[call].order.isEmpty {
            try own.runs[call].add(rows, file(3 * call + 1), own.encoder)
            return
        }
        let target = try own.rows[call] ?? writer(3 * call + 1)
        own.rows[call] = target
        try target.append(rows, keys: Array(rows.columns.prefix(groupTypes.count)))
        try target.flush()
    }

    // MARK: The result

    /// Hands on one row a group, after all workers have written everything out.
    ///
    /// - Returns: whether the sinks want more.
    func finish(_ team: WorkerTeam, into sinks: [PushOperator]) throws -> Bool {
        let plain = calls.indices.filter { !isSpecial($0) }
        var relations = [
            Relation(
                partitions: workers.compactMap(\.states),
                calls: plain,
                widths: widths.withLock { $0 }
            )
        ]
        for index in calls.indices where isSpecial(index) {
            if let relation = try states(ofSpecial: index) { relations.append(relation) }
        }
        files.withLock { $0 = [:] }
        let all = relations
        let stop = StopFlag()
        try team.run { worker in
            // Dealt out by number, like the morsels of a scan.
            var partition = worker
            while partition < SpillPartitioning.partitionCount, !stop.isSet {
                let parts = all.compactMap { relation in
                    gathered(relation.partitions, partition).map { (relation, $0) }
                }
                if try !self.finish(parts, level: 1, into: sinks[worker]) { stop.set() }
                partition += team.count
            }
        }
        return !stop.isSet
    }

    /// Whether the call's rows are not aggregated as they come.
    private func isSpecial(_ call: Int) -> Bool {
        calls[call].usesDistinctTable || !calls[call].order.isEmpty
            || workers.contains { $0.rows[call] != nil }
            || !((try? calls[call].makeAccumulator().hasPartials) ?? false)
    }

    /// Aggregates the rows that a DISTINCT or ordered call has on disk.
    private func states(ofSpecial index: Int) throws -> Relation? {
        let call = calls[index]
        let isKept = try !call.makeAccumulator().hasPartials
        let feed = try StateFeed(
            groupTypes,
            call,
            PartitionWriter(
                memory.makeFile(),
                level: 0,
                stagingByteCountMax: memory.stagingBytes
            ),
            memory,
            keepsRows: isKept
        )
        if !call.usesDistinctTable, call.order.isEmpty {
            return Relation(
                partitions: workers.compactMap { $0.rows[index] },
                calls: [index],
                widths: nil
            )
        }
        var runs = SortedRuns(orders: call.order.map(\.order))
        if call.usesDistinctTable {
            let sorter = call.order.isEmpty ? nil : RunBuilder(runs, memory)
            for partition in 0..<SpillPartitioning.partitionCount {
                let writers = workers.compactMap { $0.distinct[index] }
                guard let rows = gathered(writers, partition) else { continue }
                try distinctRows(rows, level: 1) { chunk in
                    if let sorter { try sorter.add(chunk) } else { try feed.add(chunk) }
                }
            }
            if let sorter { runs = try sorter.finish() }
        } else {
            for worker in workers { runs.add(worker.runs[index]) }
        }
        for worker in workers {
            worker.distinct[index] = nil
            worker.runs[index] = SortedRuns(orders: [])
        }
        if !call.order.isEmpty {
            _ = try runs.merge(memory: memory) { chunk in
                try feed.add(chunk)
                return true
            }
        }
        let widths = try feed.finish()
        return Relation(partitions: [feed.writer], calls: [index], widths: isKept ? nil : widths)
    }

    /// Hands on each distinct row of a partition once.
    private func distinctRows(
        _ rows: SpilledRows,
        level: Int,
        _ body: (Chunk) throws -> Void
    ) throws {
        if rows.isEmpty { return }
        let use = MemoryUse(memory)
        let types = rows.blocks[0].types
        var table = GroupTable(types: types)
        var deeper: PartitionWriter?
        try rows.forEachBlock { chunk in
            if !use.set(table.byteCountMax(adding: chunk.rowCount)), table.groupCount > 0 {
                guard level < SpillPartitioning.levelMax else { throw memory.refusal }
                let target = try deeper ?? self.deeper(level)
                deeper = target
                let keys = table.keys()
                try target.append(Chunk(columns: keys, rowCount: table.groupCount), keys: keys)
                try target.flush()
                table = GroupTable(types: types)
                _ = use.set(0)
            }
            let scratch = Buffer(byteCount: chunk.rowCount * 4)
            try table.assign(
                chunk.columns,
                count: chunk.rowCount,
                into: scratch.mutable(as: UInt32.self)
            )
            return true
        }
        let keys = table.keys()
        let rest = Chunk(columns: keys, rowCount: table.groupCount)
        guard let deeper else {
            _ = try rest.forEachBatch { chunk in
                try body(chunk)
                return true
            }
            return
        }
        try deeper.append(rest, keys: keys)
        try deeper.flush()
        table = GroupTable(types: types)
        _ = use.set(0)
        for part in deeper.partitions { try distinctRows(part, level: level + 1, body) }
    }

    private func deeper(_ level: Int) throws -> PartitionWriter {
        PartitionWriter(
            try memory.makeFile(),
            level: level,
            stagingByteCountMax: memory.stagingBytes
        )
    }

    /// Makes the groups of one partition.
    private func finish(
        _ parts: [(relation: Relation, rows: SpilledRows)],
        level: Int,
        into sink: PushOperator
    ) throws -> Bool {
        if parts.allSatisfy(\.rows.isEmpty) { return true }
        let use = MemoryUse(memory)
        var merger = try StateMerger(groupTypes, calls)
        var deeper: PartitionWriter?
        var widths: [Int] = []
        func writeOut() throws {
            guard level < SpillPartitioning.levelMax, !groupTypes.isEmpty,
                merger.hasPartials
            else { throw memory.refusal }
            let target = try deeper ?? self.deeper(level)
            deeper = target
            let (chunk, keys, counts) = try merger.partials()
            widths = counts
            try target.append(chunk, keys: keys)
            try target.flush()
            merger = try StateMerger(groupTypes, calls)
            _ = use.set(0)
        }
        for part in parts {
            try part.rows.forEachBlock { chunk in
                if !use.set(merger.byteCountMax(adding: chunk)) {
                    // A single group that grows cannot be divided.
                    if merger.groupCount > 1 {
                        try writeOut()
                    } else if merger.groupCount == 1, merger.accumulatorBytes > 1 << 20 {
                        throw memory.refusal
                    }
                }
                if let widths = part.relation.widths {
                    try merger.merge(chunk, part.relation.calls, widths)
                } else {
                    try merger.update(chunk, part.relation.calls[0])
                }
                return true
            }
        }
        guard deeper != nil else {
            return try merger.finish().forEachBatch { try sink.push($0) }
        }
        try writeOut()
        guard let deeper else { return true }
        let relation = Relation(
            partitions: [deeper],
            calls: Array(calls.indices),
            widths: widths
        )
        for rows in deeper.partitions {
            guard try finish([(relation, rows)], level: level + 1, into: sink) else {
                return false
            }
        }
        return true
    }
}

/// Collects rows and writes them out as sorted runs.
private final class RunBuilder {
    private var runs: SortedRuns
    private var held = HeldRows()
    private let use: MemoryUse
    private let file: SpillFile?
    private let encoder = SpillEncoder()

    init(_ runs: SortedRuns, _ memory: OperatorMemory) {
        self.runs = runs
        use = MemoryUse(memory)
        file = try? memory.makeFile()
    }

    func add(_ chunk: Chunk) throws {
        let prepared = held.prepared(chunk)
        let wanted = 3 * prepared.byteCount + 72 * chunk.rowCount
        if !use.add(wanted) {
            try write()
            _ = use.add(wanted)
        }
        held.append(prepared)
    }

    private func write() throws {
        guard held.rowCount > 0 else { return }
        let target = try file ?? use.memory.makeFile()
        let chunks = held.chunks
        held = HeldRows()
        try runs.add(
            try concatenated(chunks, types: chunks[0].columns.map(\.type)),
            target,
            encoder
        )
        _ = use.set(0)
    }

    func finish() throws -> SortedRuns {
        try write()
        return runs
    }
}

/// Aggregates rows of keys and value of one call, and writes the states out.
private final class StateFeed {
    let writer: PartitionWriter
    private let groupTypes: [DataType]
    private let call: AggregateCall
    private let use: MemoryUse
    private let keepsRows: Bool
    private var merger: StateMerger
    private var widths: [Int] = []

    init(
        _ groupTypes: [DataType],
        _ call: AggregateCall,
        _ writer: PartitionWriter,
        _ memory: OperatorMemory,
        keepsRows: Bool
    ) throws {
        self.groupTypes = groupTypes
        self.call = call
        self.writer = writer
        self.keepsRows = keepsRows
        use = MemoryUse(memory)
        merger = try StateMerger(groupTypes, [call])
    }

    /// Rows of keys, value and maybe more.
    func add(_ chunk: Chunk) throws {
        let keyCount = groupTypes.count
        let rows = Chunk(
            columns: Array(chunk.columns.prefix(keyCount + 1)),
            rowCount: chunk.rowCount
        )
        if keepsRows {
            try writer.append(rows, keys: Array(rows.columns.prefix(keyCount)))
            return
        }
        if !use.set(merger.byteCountMax(adding: rows)) {
            // One group's state is not made smaller by writing it out, but may go on growing.
            if merger.groupCount == 1, groupTypes.isEmpty, merger.accumulatorBytes > 1 << 20 {
                throw use.memory.refusal
            }
            try write()
        }
        try merger.update(rows, 0)
    }

    private func write() throws {
        if merger.groupCount == 0 { return }
        let (chunk, keys, counts) = try merger.partials()
        widths = counts
        try writer.append(chunk, keys: keys)
        merger = try StateMerger(groupTypes, [call])
        _ = use.set(0)
    }

    /// - Returns: how many columns the states take.
    func finish() throws -> [Int] {
        if !keepsRows { try write() }
        try writer.flush()
        return widths
    }
}

/// Groups, and the states of their aggregates, made from states and rows that were on disk.
private struct StateMerger {
    private let groupTypes: [DataType]
    private let calls: [AggregateCall]
    private let table: GroupTable?
    private let accumulators: [GroupedAccumulator]

    init(_ groupTypes: [DataType], _ calls: [AggregateCall]) throws {
        self.groupTypes = groupTypes
        self.calls = calls
        table = groupTypes.isEmpty ? nil : GroupTable(types: groupTypes)
        accumulators = try calls.map { try $0.makeAccumulator() }
    }

    var groupCount: Int { table?.groupCount ?? 1 }
    var hasPartials: Bool { accumulators.allSatisfy(\.hasPartials) }
    var accumulatorBytes: Int { accumulators.reduce(0) { $0 + $1.byteCount } }

    /// The most memory that it takes on the way to holding `chunk` too, and to its result.
    func byteCountMax(adding chunk: Chunk) -> Int {
        let table = table.map { $0.byteCountMax(adding: chunk.rowCount) + $0.groupCount * 12 } ?? 0
        let added = chunk.columns.reduce(0) { $0 + Compact.byteCount($1) }
        return 2 * accumulatorBytes + table + 2 * added
    }

    private func groups(_ chunk: Chunk) throws -> Buffer {
        let result = Buffer(zeroedByteCount: chunk.rowCount * 4)
        if let table {
            try table.assign(
                Array(chunk.columns.prefix(groupTypes.count)),
                count: chunk.rowCount,
                into: result.mutable(as: UInt32.self)
            )
        }
        return result
    }

    /// Adds rows of keys and states.
    func merge(_ chunk: Chunk, _ indices: [Int], _ widths: [Int]) throws {
        let groups = try groups(chunk)
        let mapping = [UInt32](
            UnsafeBufferPointer(start: groups.mutable(as: UInt32.self), count: chunk.rowCount)
        )
        var place = groupTypes.count
        for (index, width) in zip(indices, widths) {
            let states = try calls[index].makeAccumulator()
            try states.restore(
                Array(chunk.columns[place..<place + width]),
                count: chunk.rowCount
            )
            place += width
            try accumulators[index].merge(states, mapping: mapping, groupCount: groupCount)
        }
        try Interruption.check()
        withExtendedLifetime(groups) {}
    }

    /// Adds rows of keys and the value of one call.
    func update(_ chunk: Chunk, _ index: Int) throws {
        let groups = try groups(chunk)
        try accumulators[index].update(
            groups: UnsafePointer(groups.mutable(as: UInt32.self)),
            groupCount: groupCount,
            column: chunk.columns[groupTypes.count],
            count: chunk.rowCount
        )
        withExtendedLifetime(groups) {}
    }

    /// Rows of keys and states, the keys alone, and how many columns the states of each call take.
    func partials() throws -> (rows: Chunk, keys: [Column], widths: [Int]) {
        let keys = table?.keys() ?? []
        let states = try accumulators.map { try $0.partials(groupCount: groupCount) }
        try Interruption.check()
        return (
            Chunk(columns: keys + states.flatMap { $0 }, rowCount: groupCount),
            keys,
            states.map(\.count)
        )
    }

    /// One row a group: keys, then aggregates.
    func finish() throws -> Chunk {
        var columns = table?.keys() ?? []
        for accumulator in accumulators {
            columns.append(try accumulator.finish(groupCount: groupCount))
        }
        try Interruption.check()
        return Chunk(columns: columns, rowCount: groupCount)
    }
}
