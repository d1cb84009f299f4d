import Columnar
import Kernels
import Planner
import Synchronization

/// Recursions: rounds of one plan over the rows that the round before gave.
extension QueryRunner {
    /// Hands the rows of each round on as they come, so that a LIMIT above ends a recursion that would
    /// not end by itself.
    func runRecursion(
        _ recursion: PhysicalPlan.Recursion,
        _ sinks: [PushOperator]
    ) throws -> Bool {
        let types = recursion.anchor.types
        let outer = workingTables[recursion.number]
        defer { workingTables[recursion.number] = outer }
        let seen = recursion.isAll ? nil : DistinctRows(types: types)
        let round = RoundMemory(memory)
        var plan = recursion.anchor
        while true {
            try Interruption.check()
            let collected = sinks.map { _ in RoundOperator(round) }
            // What joins tell the scans below them holds for one round.
            let filters = keyFilters
            _ = try run(plan, into: collected)
            keyFilters = filters
            var rows = try concatenated(collected.flatMap(\.chunks), types: types)
            if let seen {
                let before = seen.byteCount
                rows = try seen.new(of: rows)
                try memory.add(max(0, seen.byteCount - before))
            }
            if rows.rowCount == 0 { return !stream.wasAbandoned }
            // Views must not keep the pages of all rounds alive.
            rows.columns = rows.columns.map { Compact.compacted($0) }
            round.keep(rows)
            guard try pushAll(rows, into: sinks) else { return false }
            workingTables[recursion.number] = rows
            plan = recursion.step
        }
    }

    /// Hands rows that are there to all workers, batch by batch.
    func pushAll(_ rows: Chunk, into sinks: [PushOperator]) throws -> Bool {
        let batch = RecordBatch.rowCountMax
        if rows.rowCount <= 4 * batch || isInOrder || team.count == 1 {
            return try push(rows, into: sinks[0])
        }
        let batchCount = (rows.rowCount + batch - 1) / batch
        let workerCount = team.count
        let stop = StopFlag()
        try team.run { worker in
            var index = worker
            while index < batchCount {
                if stop.isSet { return }
                try Interruption.check()
                let part = index * batch..<min(rows.rowCount, (index + 1) * batch)
                let chunk = Chunk(
                    columns: rows.columns.map { $0.slice(part) },
                    rowCount: part.count
                )
                guard try sinks[worker].push(chunk) else {
                    stop.set()
                    return
                }
                index += workerCount
            }
        }
        return !stop.isSet && !stream.wasAbandoned
    }

    /// Numbers rows as they come.
    func runNumbering(
        _ kind: RowNumbering,
        _ input: PhysicalPlan,
        _ sinks: [PushOperator]
    ) throws -> Bool {
        let wasInOrder = isInOrder
        if kind.isInOrder { isInOrder = true }
        defer { isInOrder = wasInOrder }
        return try run(
            input,
            into: sinks.enumerated().map { NumberingOperator(kind, worker: $0, next: $1) }
        )
    }
}

/// What the rounds of one recursion hold: the budget is asked for the largest, not for all of them.
private final class RoundMemory: Sendable {
    private struct State {
        var held = 0
        var reserved = 0
    }
    private let state = Mutex(State())
    private let memory: QueryMemory

    init(_ memory: QueryMemory) {
        self.memory = memory
    }

    /// Counts rows of the round under way, which are copied once when it ends.
    func add(_ rows: Chunk) throws {
        let bytes = 2 * Self.byteCount(rows)
        try state.withLock { state in
            state.held += bytes
            if state.held > state.reserved {
                try memory.add(state.held - state.reserved)
                state.reserved = state.held
            }
        }
    }

    /// The round has ended; these are its rows.
    func keep(_ rows: Chunk) {
        let bytes = Self.byteCount(rows)
        state.withLock { $0.held = bytes }
    }

    /// As wide as the rows are when they are next to each other: constants and dictionaries count in full.
    private static func byteCount(_ rows: Chunk) -> Int {
        rows.columns.reduce(0) {
            $0 + max($1.heldByteCount, rows.rowCount * $1.type.physical.byteWidth)
        }
    }
}

/// Keeps the rows of one round.
private final class RoundOperator: PushOperator {
    private(set) var chunks: [Chunk] = []
    private let memory: RoundMemory

    init(_ memory: RoundMemory) {
        self.memory = memory
    }

    override func push(_ chunk: Chunk) throws -> Bool {
        try memory.add(chunk)
        chunks.append(chunk)
        return true
    }
}

/// Every row that came so far, once.
private final class DistinctRows {
    private let table: GroupTable

    init(types: [DataType]) {
        table = GroupTable(types: types)
    }

    var byteCount: Int { table.byteCount }

    /// The rows that were not there before, each once.
    func new(of rows: Chunk) throws -> Chunk {
        if rows.rowCount == 0 { return rows }
        let before = table.groupCount
        let groups = Buffer(byteCount: rows.rowCount * 4)
        let numbers = groups.mutable(as: UInt32.self)
        try table.assign(rows.columns, count: rows.rowCount, into: numbers)
        let added = table.groupCount - before
        var wasMet = [Bool](repeating: false, count: added)
        let chosen = Buffer(byteCount: max(1, added) * 4)
        let target = chosen.mutable(as: Int32.self)
        var count = 0
        for row in 0..<rows.rowCount {
            let place = Int(numbers[row]) - before
            guard place >= 0, !wasMet[place] else { continue }
            wasMet[place] = true
            target[count] = Int32(truncatingIfNeeded: row)
            count += 1
        }
        withExtendedLifetime(groups) {}
        return rows.taking(Selection(buffer: chosen, count: count))
    }
}

/// Adds a column with a number for each row.
private final class NumberingOperator: PushOperator {
    private let kind: RowNumbering
    private let next: PushOperator
    private var rowCount = 0
    /// SplitMix64.
    private var state: UInt64
    private var drawn = 0.0

    init(_ kind: RowNumbering, worker: Int, next: PushOperator) {
        self.kind = kind
        self.next = next
        switch kind {
        case .position: state = 0
        case .random(let seed, _, _):
            state = seed &+ UInt64(truncatingIfNeeded: worker) &* 0xD1B5_4A32_D192_ED03
        }
    }

    override func push(_ chunk: Chunk) throws -> Bool {
        let buffer = Buffer(byteCount: chunk.rowCount * 8)
        switch kind {
        case .position:
            let target = buffer.mutable(as: Int64.self)
            for row in 0..<chunk.rowCount { target[row] = Int64(rowCount + row) }
        case .random(_, let blockRows, _):
            let target = buffer.mutable(as: Double.self)
            for row in 0..<chunk.rowCount {
                if blockRows <= 1 || (rowCount + row) % blockRows == 0 { drawn = draw() }
                target[row] = drawn
            }
        }
        rowCount += chunk.rowCount
        let numbers = Column(kind.type, count: chunk.rowCount, buffer: buffer)
        return try next.push(Chunk(columns: chunk.columns + [numbers], rowCount: chunk.rowCount))
    }

    private func draw() -> Double {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        mixed ^= mixed >> 31
        return Double(mixed >> 11) * 0x1p-53
    }
}
