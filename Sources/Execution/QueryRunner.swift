package import Ambient
package import Columnar
package import Planner
import Kernels

/// How a query may run.
package struct QueryOptions: Sendable {
    /// Threads that work on one query.
    package var threadCount: Int
    package var memory: MemoryBudget
    /// Where the query's threads come from; it must have room for `threadCount` at once.
    package var threads: WorkerPool
    /// Where rows go that do not fit into the memory.
    package var spills: SpillArea

    package init(
        threadCount: Int = processorCount(),
        memory: MemoryBudget = .process,
        threads: WorkerPool = QueryOptions.sharedThreads,
        spills: SpillArea = .system
    ) {
        self.spills = spills
        self.threadCount = max(1, threadCount)
        self.memory = memory
        self.threads = threads
    }

    /// Threads for queries, apart from those that wait for files.
    package static let sharedThreads = WorkerPool(threadCountMax: 256)
}

/// Runs a plan and hands its result to `body` as it comes.
///
/// The query ends when `body` returns, throws or is cancelled, at the latest within a batch of every
/// worker; nothing of it runs on after this function has returned.
///
/// - Parameter profile: counts what the operators of a `profiled()` plan do.
package func withResult<R: Sendable>(
    of plan: PhysicalPlan,
    schema: Schema,
    provider: any ScanProvider,
    options: QueryOptions,
    profile: QueryProfile? = nil,
    _ body: @Sendable @escaping (ResultStream) async throws -> R
) async throws -> R {
    let stream = ResultStream(schema: schema)
    let team = WorkerTeam(
        count: options.threadCount,
        interruption: stream.interruption,
        profile: profile
    )
    let memory = try await QueryMemory.admitted(
        options.memory,
        operatorCount: plan.keepingOperatorCount,
        spills: options.spills
    )
    return try await withThrowingTaskGroup(of: R?.self) { group in
        for worker in 1..<max(1, team.count) {
            group.addTask {
                do {
                    try await options.threads.run { team.serve(worker: worker) }
                } catch {
                    team.excuse(error)
                    throw error
                }
                return nil
            }
        }
        group.addTask {
            let outcome = await Result {
                try await options.threads.run {
                    defer { team.close() }
                    let runner = QueryRunner(
                        team: team,
                        provider: provider,
                        memory: memory,
                        stream: stream,
                        profile: profile
                    )
                    try Interruption.watching(stream.interruption) { try runner.run(plan) }
                }
            }
            stream.finish(outcome)
            team.close()
            return nil
        }
        group.addTask {
            defer { stream.abandon() }
            return try await body(stream)
        }
        var result: R?
        do {
            while let one = try await group.next() { result = one ?? result }
        } catch {
            stream.abandon()
            group.cancelAll()
            throw error
        }
        guard let result else { throw CancellationError() }
        return result
    }
}

extension PhysicalPlan {
    /// Whether each row of one unfiltered scan becomes one row.
    fileprivate var givesRowsOfScan: Bool {
        switch self {
        case .scan(let scan): scan.filters.isEmpty
        case .project(_, let input), .profiled(_, let input): input.givesRowsOfScan
        default: false
        }
    }
}

extension Result where Failure == any Error {
    fileprivate init(_ body: () async throws -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}

/// Walks a plan from the leaves up: every pipeline runs on all workers to its end (a built join
/// side, an aggregate, a sort) before the one above it starts.
final class QueryRunner {
    let team: WorkerTeam
    private let provider: any ScanProvider
    let memory: QueryMemory
    let stream: ResultStream
    private let profile: QueryProfile?
    /// What joins that are built know of the keys that a scan below them should give, by its number.
    var keyFilters: [Int: [ScanKeyFilter]] = [:]
    /// What sorts with a limit still want of the scan below them, by its number.
    private var scanBounds: [Int: [ScanBound]] = [:]
    /// What plans that are used several times gave, by their number.
    private var sharedRows: [Int: SharedRows] = [:]
    /// The rows of the last rounds of the recursions under way, by their number.
    var workingTables: [Int: Chunk] = [:]
    /// Whether scans are read by one worker, so that rows come in the order of their tables.
    var isInOrder = false
    /// Rows that are wanted of the scan under a LIMIT that nothing stands between; few.
    private var wantedRowCount: Int?

    /// Wanted rows up to which one worker reads them: those of about a row group.
    private static let fewRowCountMax = 1 << 16

    init(
        team: WorkerTeam,
        provider: any ScanProvider,
        memory: QueryMemory,
        stream: ResultStream,
        profile: QueryProfile? = nil
    ) {
        self.profile = profile
        self.team = team
        self.provider = provider
        self.memory = memory
        self.stream = stream
    }

    func run(_ plan: PhysicalPlan) throws {
        let sinks = (0..<team.count).map { _ in ResultOperator(stream) }
        _ = try run(plan, into: sinks)
    }

    /// Pushes all rows of `plan` into the workers' sinks.
    ///
    /// - Returns: whether the sinks still want more.
    func run(_ plan: PhysicalPlan, into sinks: [PushOperator]) throws -> Bool {
        switch plan {
        case .scan(let scan): return try runScan(scan, sinks)
        case .values(let rows, let types):
            return try push(try evaluated(rows, types), into: sinks[0])
        case .filter(let condition, let output, let input):
            return try run(
                input,
                into: try sinks.map {
                    try FilterOperator(condition, output: output, next: $0)
                }
            )
        case .project(let expressions, let input):
            return try run(
                input,
                into: try sinks.map { try ProjectOperator(expressions, next: $0) }
            )
        case .limit(let count, let offset, let input):
            if count == 0 { return true }
            let state = LimitState(count: count, offset: offset)
            try wanting(rows: count.map { $0.addingReportingOverflow(offset) }, of: input) {
                _ = try run(input, into: sinks.map { LimitOperator(state, next: $0) })
            }
            return !stream.wasAbandoned
        case .union(let inputs):
            for input in inputs {
                guard try run(input, into: sinks) else { return false }
            }
            return true
        case .replicate(let count, let output, let input):
            return try run(
                input,
                into: try sinks.map {
                    try ReplicateOperator(count, output: output, next: $0)
                }
            )
        case .unnest(let unnest):
            return try run(
                unnest.input,
                into: try sinks.map { try UnnestOperator(unnest, next: $0) }
            )
        case .aggregate(let groups, let calls, let input):
            return try runAggregate(groups, calls, input, sinks)
        case .window(let window): return try runWindow(window, sinks)
        case .sort(let keys, let limit, let input):
            return try runSort(keys, limit, input, sinks)
        case .join(let join): return try runJoin(join, sinks)
        case .shared(let number, let input):
            return try runShared(number, input, sinks)
        case .recursion(let recursion): return try runRecursion(recursion, sinks)
        case .workingTable(let number, _):
            guard let rows = workingTables[number] else { return true }
            return try pushAll(rows, into: sinks)
        case .numbering(let kind, let input): return try runNumbering(kind, input, sinks)
        case .profiled(let number, let input):
            guard let profile else { return try run(input, into: sinks) }
            let consumer = profile.enter(number, 0)
            defer { profile.enter(consumer, 0) }
            return try run(
                input,
                into: sinks.enumerated().map {
                    ProfileOperator(
                        profile,
                        number: number,
                        consumer: consumer,
                        worker: $0,
                        next: $1
                    )
                }
            )
        }
    }

    /// Runs `body` so that the scan of `plan`, when it gives its rows as they are and only few are
    /// wanted, is read by one worker and not ahead of that.
    private func wanting(
        rows: (partialValue: Int, overflow: Bool)?,
        of plan: PhysicalPlan,
        _ body: () throws -> Void
    ) rethrows {
        guard let rows, !rows.overflow, rows.partialValue <= Self.fewRowCountMax,
            plan.givesRowsOfScan
        else { return try body() }
        let before = (wantedRowCount, isInOrder)
        (wantedRowCount, isInOrder) = (rows.partialValue, true)
        defer { (wantedRowCount, isInOrder) = before }
        try body()
    }

    /// Hands a large chunk on in batches.
    func push(_ chunk: Chunk, into sink: PushOperator) throws -> Bool {
        var start = 0
        while start < chunk.rowCount {
            try Interruption.check()
            let rows = start..<min(chunk.rowCount, start + RecordBatch.rowCountMax)
            let part = Chunk(
                columns: chunk.columns.map { $0.slice(rows) },
                rowCount: rows.count
            )
            guard try sink.push(part) else { return false }
            start = rows.upperBound
        }
        return !stream.wasAbandoned
    }

    private func evaluated(_ rows: [[BoundExpression]], _ types: [DataType]) throws -> Chunk {
        let compiler = ExpressionCompiler()
        let builders = types.map { ColumnBuilder($0, capacity: rows.count) }
        let none = Chunk(columns: [], rowCount: 1)
        for row in rows {
            for (builder, expression) in zip(builders, row) {
                builder.append(try compiler.compile(expression).evaluate(none).value(at: 0))
            }
        }
        return Chunk(columns: builders.map { $0.finish() }, rowCount: rows.count)
    }

    // MARK: Scans

    private func runScan(_ scan: PhysicalPlan.Scan, _ sinks: [PushOperator]) throws -> Bool {
        let keys = keyFilters[scan.id, default: []]
        let bounds = scanBounds[scan.id, default: []]
        let source = try provider.open(
            ScanRequest(
                table: scan.table,
                positions: scan.positions,
                types: scan.types,
                filters: scan.filters + keys.flatMap(\.bounds),
                codedPositions: Predicate.codedPositions(scan.filters),
                latePositions: scan.latePositions(keys, bounds),
                wantedRowCount: wantedRowCount
            )
        )
        let stop = StopFlag()
        let workerCount = isInOrder ? 1 : team.count
        try team.run { worker in
            if worker >= workerCount { return }
            let reader = try MorselScan(scan, keys: keys, bounds: bounds, sink: sinks[worker])
            // Dealt out by number, so that the same worker always gets the same morsels and what
            // depends on order (sums of floats) comes out the same.
            var index = worker
            while index < source.morselCount {
                if stop.isSet { break }
                try Interruption.check()
                if try !reader.run(try source.morsel(index), stop) {
                    stop.set()
                    break
                }
                index += workerCount
            }
        }
        return !stop.isSet && !stream.wasAbandoned
    }

    // MARK: Shared plans

    private func runShared(
        _ number: Int,
        _ input: PhysicalPlan,
        _ sinks: [PushOperator]
    ) throws -> Bool {
        if sharedRows[number] == nil {
            let memory = memory.makeOperator()
            let collected = sinks.map { _ in KeepOperator(memory) }
            _ = try run(input, into: collected)
            if collected.contains(where: \.hasSpilled) {
                sharedRows[number] = .kept(collected)
            } else {
                sharedRows[number] = .together(
                    try concatenated(collected.flatMap(\.chunks), types: input.types),
                    collected
                )
            }
        }
        switch sharedRows[number] {
        case .together(let rows, _): return try pushAll(rows, into: sinks)
        case .kept(let workers):
            let stop = StopFlag()
            try team.run { worker in
                let wantsMore = try workers[worker].forEachBatch { chunk in
                    if stop.isSet { return false }
                    try Interruption.check()
                    return try sinks[worker].push(chunk)
                }
                if !wantsMore { stop.set() }
            }
            return !stop.isSet
        case nil: return false
        }
    }

    // MARK: Aggregates

    private func runAggregate(
        _ groups: [BoundExpression],
        _ calls: [AggregateCall],
        _ input: PhysicalPlan,
        _ sinks: [PushOperator]
    ) throws -> Bool {
        let spill = AggregateSpill(
            groups: groups,
            calls: calls,
            memory: memory.makeOperator(),
            workerCount: team.count
        )
        var workers = try sinks.indices.map {
            try AggregateOperator(groups: groups, calls: calls, spill: spill, worker: $0)
        }
        defer { Leftovers.take(workers + [spill]) }
        _ = try run(input, into: workers)
        let use = MemoryUse(spill.memory)
        // The groups of all in one table, and the result.
        if !spill.hasSpilled, use.set(workers.reduce(0) { $0 + $1.neededBytes }) {
            if spill.prefersParallelMerge(workers) {
                spill.stayInMemory()
                let all = workers
                let held = all.reduce(0) { $0 + $1.neededBytes }
                try team.run { worker in try all[worker].spillAll() }
                workers = []
                // What the workers held is in the partitions now.
                _ = use.set(use.byteCount + held)
                return try spill.finish(team, into: sinks)
            }
            let first = workers[0]
            // In the order of the workers, so that sums of floats come out the same every time.
            while workers.count > 1 {
                try first.merge(workers[1])
                workers.remove(at: 1)
            }
            return try push(try first.finish(), into: sinks[0])
        }
        for worker in workers { try worker.spillAll() }
        workers = []
        return try spill.finish(team, into: sinks)
    }

    // MARK: Sorts

    private func runSort(
        _ keys: [SortKey],
        _ limit: Int?,
        _ input: PhysicalPlan,
        _ sinks: [PushOperator]
    ) throws -> Bool {
        let types = input.types
        let memory = memory.makeOperator()
        let bound = limit == nil ? nil : keys.first.flatMap { TopBound($0) }
        let workers = try sinks.map { _ in
            try SortOperator(keys, limit: limit, bound: bound, types: types, memory: memory)
        }
        defer { Leftovers.take(workers) }
        try run(input, into: workers, keys, bound)
        if workers.contains(where: \.hasSpilled) {
            return try SortOperator.merge(workers, limit: limit, memory: memory) { chunk in
                let rows = Chunk(
                    columns: Array(chunk.columns.dropLast(keys.count)),
                    rowCount: chunk.rowCount
                )
                return try push(rows, into: sinks[0])
            }
        }
        return try push(
            try SortOperator.merged(workers, keys, limit: limit, types: types),
            into: sinks[0]
        )
    }

    /// Pushes all rows of `input` into sorts, whose bound its scan is told.
    private func run(
        _ input: PhysicalPlan,
        into workers: [SortOperator],
        _ keys: [SortKey],
        _ bound: TopBound?
    ) throws {
        guard let bound, case .column(let id, let type)? = keys.first?.expression,
            let place = input.origin(ofColumn: id.number),
            place.scan.types[place.position] == type
        else {
            _ = try run(input, into: workers)
            return
        }
        let before = scanBounds[place.scan.id]
        scanBounds[place.scan.id, default: []].append(
            ScanBound(position: place.position, bound: bound)
        )
        // The scan may be read again, for another sort: in a recursion.
        defer { scanBounds[place.scan.id] = before }
        _ = try run(input, into: workers)
    }

    // MARK: Windows

    private func runWindow(
        _ window: PhysicalPlan.Window,
        _ sinks: [PushOperator]
    ) throws -> Bool {
        let types = window.input.types
        let memory = memory.makeOperator()
        let keys =
            window.partition.map {
                SortKey(expression: $0, isDescending: false, nullsFirst: false)
            } + window.order
        let rows: Chunk
        let use = MemoryUse(memory)
        // What held the rows goes when they are put together.
        var collected: [CollectOperator] = []
        var sorted: [SortOperator] = []
        defer { Leftovers.take(collected + sorted) }
        if keys.isEmpty {
            // Rows that nothing orders stand as in their table, where that can be seen.
            let wasInOrder = isInOrder
            if window.calls.contains(where: \.dependsOnRowOrder) { isInOrder = true }
            defer { isInOrder = wasInOrder }
            collected = sinks.map { _ in CollectOperator(memory) }
            if let limit = window.limit {
                let state = LimitState(count: limit.count, offset: 0)
                try wanting(rows: (limit.count, false), of: window.input) {
                    _ = try run(
                        window.input,
                        into: collected.map { LimitOperator(state, next: $0) }
                    )
                }
            } else {
                _ = try run(window.input, into: collected)
            }
            rows = try concatenated(collected.flatMap(\.chunks), types: types)
            try use.require(window.byteCount(rowCount: rows.rowCount))
        } else {
            let isTop = window.partition.isEmpty && window.limit?.keepsEqual == false
            let limit = isTop ? window.limit?.count : nil
            let bound = isTop ? keys.first.flatMap { TopBound($0) } : nil
            sorted = try sinks.map { _ in
                try SortOperator(keys, limit: limit, bound: bound, types: types, memory: memory)
            }
            if let partitionLimit = window.limit, !isTop {
                let tops = try sorted.map {
                    try PartitionTopOperator(window, partitionLimit, memory: memory, next: $0)
                }
                _ = try run(window.input, into: tops)
                try team.run { worker in try tops[worker].finish() }
            } else {
                try run(window.input, into: sorted, keys, bound)
            }
            let rowCount = sorted.reduce(0) { $0 + $1.rowCount }
            let needed = window.byteCount(rowCount: rowCount)
            if sorted.contains(where: \.hasSpilled) || rowCount >= Int(Int32.max)
                || !use.set(needed)
            {
                let segments = WindowSegments(window, memory) { chunk in
                    try self.push(chunk, into: sinks[0])
                }
                let wantsMore = try SortOperator.merge(sorted, limit: limit, memory: memory) {
                    try segments.add($0)
                }
                return try wantsMore && segments.finish()
            }
            rows = try SortOperator.merged(sorted, keys, limit: limit, types: types)
        }
        guard rows.rowCount < Int(Int32.max) else {
            throw ExecutionError(.unsupported, "a window over more than 2^31 rows")
        }
        let evaluator = try WindowEvaluator(window, rows: rows)
        var result = rows
        for call in window.calls { result.columns.append(try evaluator.evaluate(call)) }
        return try withExtendedLifetime((collected, sorted)) {
            try push(result, into: sinks[0])
        }
    }

    // MARK: Joins

    private func runJoin(_ join: PhysicalPlan.Join, _ sinks: [PushOperator]) throws -> Bool {
        let build = try JoinBuild(join, memory.makeOperator(), workerCount: team.count)
        defer { Leftovers.take([build]) }
        _ = try run(
            join.right,
            into: try sinks.indices.map { try JoinBuildOperator(build, worker: $0) }
        )
        if build.rowCount == 0, join.isEmptyWithoutRight { return true }
        guard let table = try build.table() else {
            let spilled = try SpilledJoin(build, team)
            let probes = try spilled.probes(sinks)
            guard try run(join.left, into: probes) else { return false }
            return try spilled.finish(probes, into: sinks)
        }
        build.settle(table)
        let state = JoinState(
            plan: join,
            table: table,
            facts: JoinFacts(isEmpty: table.rowCount == 0, hasNullKey: table.hasNullKey),
            workerCount: team.count
        )
        defer { Leftovers.take([state]) }
        if join.dropsUnmatchedLeft { noteKeys(of: join, table) }
        let probes = try sinks.indices.map {
            try JoinProbeOperator(state, worker: $0, next: sinks[$0])
        }
        let wantsMore = try run(join.left, into: probes)
        guard wantsMore, join.kind.decidesOnRight else { return wantsMore }
        return try withExtendedLifetime(build) {
            try JoinProbeOperator.pushDecided(
                state,
                leftTypes: join.left.types,
                into: sinks[0]
            )
        }
    }

    /// Tells the scans below the left side which keys are worth reading.
    private func noteKeys(of join: PhysicalPlan.Join, _ table: JoinTable) {
        for (index, key) in join.leftKeys.enumerated() where !join.nullsMatch[index] {
            guard case .column(let id, let type) = key,
                let place = join.left.origin(ofColumn: id.number),
                place.scan.types[place.position] == type,
                let filter = KeyFilter(table.keys[index], known: place.scan.bounds(place.position))
            else { continue }
            keyFilters[place.scan.id, default: []].append(
                ScanKeyFilter(position: place.position, type: type, filter: filter)
            )
        }
    }
}

/// The rows of a plan that is used several times.
private enum SharedRows {
    /// In memory, and who holds them there.
    case together(Chunk, [KeepOperator])
    case kept([KeepOperator])
}

extension PhysicalPlan.Join {
    fileprivate var isEmptyWithoutRight: Bool {
        switch kind {
        case .inner, .semi, .cross, .right, .rightSemi, .rightAnti: true
        case .left, .full, .anti, .single, .mark, .markAny: false
        }
    }

    /// Whether a left row without a match leaves no trace in the result.
    fileprivate var dropsUnmatchedLeft: Bool {
        switch kind {
        case .inner, .right, .semi, .rightSemi, .rightAnti: true
        case .left, .full, .cross, .anti, .single, .mark, .markAny: false
        }
    }
}

extension PhysicalPlan {
    /// The scan and the column read there that a column is, unchanged; nil when rows that lack a key may
    /// not be left out there.
    fileprivate func origin(ofColumn column: Int) -> (scan: Scan, position: Int)? {
        switch self {
        case .scan(let scan): return (scan, scan.output[column])
        case .filter(_, let output, let input): return input.origin(ofColumn: output[column])
        case .project(let expressions, let input):
            guard case .column(let id, _) = expressions[column] else { return nil }
            return input.origin(ofColumn: id.number)
        case .aggregate(let groups, _, let input):
            // A group is left out with all its rows.
            guard column < groups.count, case .column(let id, _) = groups[column] else {
                return nil
            }
            return input.origin(ofColumn: id.number)
        case .sort(_, nil, let input), .profiled(_, let input):
            return input.origin(ofColumn: column)
        case .join(let join):
            let leftCount = join.leftOutput.count
            switch join.kind {
            case .inner, .cross, .left, .semi, .anti, .mark, .markAny:
                if column < leftCount {
                    return join.left.origin(ofColumn: join.leftOutput[column])
                }
            case .right, .full, .single, .rightSemi, .rightAnti: break
            }
            switch join.kind {
            case .inner, .cross, .right, .rightSemi, .rightAnti:
                let place = column - leftCount
                guard join.rightOutput.indices.contains(place) else { return nil }
                return join.right.origin(ofColumn: join.rightOutput[place])
            default: return nil
            }
        default: return nil
        }
    }
}

extension PhysicalPlan.Scan {
    /// With a bound, the columns that nothing is asked of: hardly a row passes once the bound is known.
    fileprivate func latePositions(_ keys: [ScanKeyFilter], _ bounds: [ScanBound]) -> Set<Int> {
        if bounds.isEmpty { return [] }
        return Set(positions.indices)
            .subtracting(filters.flatMap(\.columnIDs).map(\.number))
            .subtracting(keys.map(\.position))
            .subtracting(bounds.map(\.position))
    }

    /// What is known of a column that is read.
    fileprivate func bounds(_ position: Int) -> ColumnBounds? { table.bounds[positions[position]] }
}
