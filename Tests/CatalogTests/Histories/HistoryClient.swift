import Catalog
import CommitLog
import Synchronization
import TestSupport

/// A client of a simulated cluster: asks one server after the other, one thing after the other.
struct HistoryClient: Sendable {
    static let namespaces = ["main", "a", "a.b", "c"]
    static let tables: [TableName] = ["main/x", "main/y", "a/x", "a/y", "a.b/x"]
    /// Where many add at once.
    static let shared: TableName = "main/z"

    let number: Int
    let run: HistoryRun
    private let committed = Committed()

    init(number: Int, run: HistoryRun) {
        self.number = number
        self.run = run
    }

    /// What this client committed.
    private final class Committed: Sendable {
        private let state = Mutex<[(id: String, commit: HistoryCommit)]>([])

        func add(_ id: String, _ commit: HistoryCommit) {
            state.withLock { $0.append((id, commit)) }
        }

        func any(_ world: SimulatedWorld) -> (id: String, commit: HistoryCommit)? {
            let all = state.withLock { $0 }
            return all.isEmpty ? nil : all[world.number(in: 0...all.count - 1)]
        }
    }

    private var world: SimulatedWorld { run.world }
    private var bug: PlantedBug? { run.plan.bug }

    func live() async throws {
        for index in 0..<run.plan.operationCount {
            try await world.sleep(nanoseconds: world.number(in: 0...20_000_000))
            if run.plan.archives, world.chance(0.08) {
                try await world.sleep(nanoseconds: world.number(in: 0...5_400_000_000_000))
            }
            try await act(number * 100 + index)
        }
        if world.chance(0.4) { await askAgain() }
    }

    /// Asks for something that was committed once more, as who lost the answer for long.
    private func askAgain() async {
        let server = server
        guard let (id, commit) = committed.any(world), let process = server.process else { return }
        let invoked = world.moment()
        let outcome = await ask(process, id, commit.steps, commit.isolation)
        var again = HistoryCommit(steps: commit.steps, isolation: commit.isolation)
        again.attempts.append(
            HistoryCommit.Attempt(
                server: server.number,
                id: id,
                invoked: invoked,
                completed: world.moment(),
                outcome: outcome
            )
        )
        var told = outcome
        if case .committed = outcome {} else { told = .unknown("asked again") }
        note(server, process, invoked, world.moment(), .commit(again), told)
    }

    private func pick<Element>(_ elements: [Element]) -> Element {
        elements[world.number(in: 0...elements.count - 1)]
    }

    private var table: TableName { pick(Self.tables) }
    private var namespace: String { pick(Self.namespaces) }

    /// A server that runs, if there is one.
    private var server: SimulatedServer {
        let running = run.servers.filter { $0.process != nil }
        return pick(running.isEmpty ? run.servers : running)
    }

    /// - Parameter id: differs from that of every other operation.
    private func act(_ id: Int) async throws {
        let snapshotID = Int64(id + 1)
        switch world.number(in: 0...99) {
        case 0..<15: await read(.strong, server, opening: [table, Self.shared])
        case 15..<21:
            let millis = world.number(in: 1...100 as ClosedRange<Int64>)
            await read(.bounded(nanoseconds: millis * 1_000_000), server, opening: [table])
        case 21..<25:
            await read(.asOfPosition(world.number(in: 0...25)), server, opening: [table])
        case 25..<30: await readAsOfTime()
        case 30..<34: await commit(id, [.append(table, snapshotID: snapshotID)])
        case 34..<43: await addToShared(id)
        case 43..<51:
            let (one, other) = (table, table)
            var steps: [HistoryStep] = [.append(one, snapshotID: snapshotID)]
            if other != one { steps.append(.append(other, snapshotID: snapshotID)) }
            if world.chance(0.3) {
                steps.append(.updateNamespace("main", set: ["last": "\(id)"], remove: []))
            }
            await commit(id, steps)
        case 51..<57: await commit(id, [.createTable(table, uuid: uuid(1000 + id))])
        case 57..<60: await commit(id, [.dropTable(table)])
        case 60..<64: await commit(id, [.renameTable(table, to: table)])
        case 64..<67: await commit(id, [.createNamespace(namespace, ["by": "\(id)"])])
        case 67..<69: await commit(id, [.dropNamespace(namespace)])
        case 69..<72:
            await commit(
                id,
                [.updateNamespace(namespace, set: ["p": "\(id)"], remove: ["by"])]
            )
        case 72..<80: await compareAndSet(id)
        case 80..<94: await transaction(id)
        default: await checkpoint()
        }
    }

    private func addToShared(_ id: Int) async {
        let file = Int64(id + 1)
        switch world.number(in: 0...9) {
        case 0: await commit(id, [.setProperties(Self.shared, ["by": "\(id)"])])
        case 1: await commit(id, [.append(Self.shared, snapshotID: file)])
        // With other steps it gets a snapshot of its own.
        case 2: await commit(id, [.add(Self.shared, file: file), .append(table, snapshotID: file)])
        default: await commit(id, [.add(Self.shared, file: file)])
        }
    }

    // MARK: - Reads

    private func readAsOfTime() async {
        let server = server
        guard let known = server.process?.catalog.known else { return }
        // Somewhere around what the server knows, and sometimes far off.
        let off = world.number(in: -200...200 as ClosedRange<Int64>)
        let time = known.timeMillis + (world.chance(0.1) ? off * 1_000_000 : off / 4)
        await read(.asOfTime(time), server, opening: [table])
    }

    /// Asks a server to see the catalog.
    @discardableResult
    func read(
        _ reading: HistoryReading,
        _ server: SimulatedServer,
        opening names: [TableName]
    ) async -> ObservedCatalog? {
        guard let process = server.process else { return nil }
        let catalog = process.catalog
        let invoked = world.moment()
        var reading = reading
        var outcome: HistoryOperation.Outcome
        var seen: ObservedCatalog?
        do {
            try await process.connection.awake()
            let snapshot: CatalogSnapshot
            switch reading {
            case .strong:
                snapshot =
                    bug == .servesStaleTip && number >= 0
                    ? catalog.known : try await catalog.read()
            case .bounded(let nanoseconds):
                snapshot = try await catalog.read(stalenessMillisMax: nanoseconds / 1_000_000)
                // Without any clock to tell, it does not know how long ago it looked.
                if server.clock.hasLostTime { reading = .bounded(nanoseconds: .max / 4) }
            case .asOfPosition(let position): snapshot = try await catalog.snapshot(at: position)
            case .asOfTime(let time): snapshot = try await catalog.snapshot(atMillis: time)
            }
            let observed = try await observe(snapshot, catalog, opening: [])
            let completed = world.moment()
            seen = try await observe(snapshot, catalog, opening: names)
            outcome = .saw(seen ?? observed)
            note(server, process, invoked, completed, .read(reading), outcome)
            return seen
        } catch {
            outcome =
                HistoryPlan.isAnswer(error, process)
                ? CatalogTests.outcome(ofRead: error)
                : .failed("\(error)")
        }
        note(server, process, invoked, world.moment(), .read(reading), outcome)
        return seen
    }

    private func note(
        _ server: SimulatedServer,
        _ process: SimulatedServer.Process,
        _ invoked: SimulatedWorld.Moment,
        _ completed: SimulatedWorld.Moment,
        _ call: HistoryOperation.Call,
        _ outcome: HistoryOperation.Outcome
    ) {
        run.note(
            HistoryOperation(
                client: number,
                server: server.number,
                incarnation: process.incarnation,
                invoked: invoked,
                completed: completed,
                call: call,
                outcome: outcome
            )
        )
    }

    private func checkpoint() async {
        let server = server
        guard let process = server.process else { return }
        let invoked = world.moment()
        var outcome = HistoryOperation.Outcome.done
        do {
            try await process.catalog.writeCheckpoint()
        } catch {
            outcome = .failed("\(error)")
        }
        note(server, process, invoked, world.moment(), .other("checkpoint"), outcome)
    }

    // MARK: - Commits

    /// Reads, and changes what it read if it is still so.
    private func compareAndSet(_ id: Int) async {
        let name = table
        guard let seen = await read(.strong, server, opening: [name]) else { return }
        let change = HistoryStep.setProperties(name, ["set-by": "\(id)"])
        if world.chance(0.5), let content = seen.contents[name] {
            let append = HistoryStep.append(name, snapshotID: Int64(id + 1))
            let head = HistoryStep.requireHead(name, snapshotID: content.snapshotIDs.last)
            await commit(id, [head, append])
        } else {
            await commit(id, [.require([name: seen.model.tables[name]]), change])
        }
    }

    /// Reads some tables, thinks, and changes others according to what it read.
    private func transaction(_ id: Int) async {
        let looked = Array(Set([table, table])).sorted()
        let reading = world.chance(0.7) ? HistoryReading.strong : .bounded(nanoseconds: 50_000_000)
        guard let seen = await read(reading, server, opening: looked) else { return }
        try? await world.sleep(nanoseconds: world.number(in: 0...30_000_000))
        let counts = looked.map { "\(seen.contents[$0]?.snapshotIDs.count ?? -1)" }
        let target = table
        var steps: [HistoryStep] = []
        if seen.model.tables[target] == nil {
            steps.append(.createTable(target, uuid: uuid(1000 + id)))
        }
        steps.append(
            .setProperties(target, ["seen": counts.joined(separator: ","), "by": "\(id)"])
        )
        if world.chance(0.4) { steps.append(.append(table, snapshotID: Int64(id + 1))) }
        let isSerializable = world.chance(0.5)
        await commit(
            id,
            steps,
            isSerializable ? .serializable(read: seen, names: looked) : .snapshot(read: seen)
        )
    }

    /// What a commit of a transaction asks for besides its steps.
    private func validation(
        _ steps: [HistoryStep],
        _ isolation: HistoryIsolation
    ) throws -> [CatalogOperation] {
        var names: [TableName] = []
        let read: ObservedCatalog
        switch isolation {
        case .single: return []
        case .snapshot(let seen): read = seen
        case .serializable(let seen, let looked):
            read = seen
            if bug != .skipsReadValidation { names += looked }
        }
        if bug != .skipsWriteValidation { names += steps.flatMap(\.changedTables) }
        var expected: [TableName: TableReference?] = [:]
        for name in names { expected.updateValue(read.model.tables[name], forKey: name) }
        return [try requirement(expected)]
    }

    /// Commits, asks again while nobody knows, and sometimes when everybody does.
    private func commit(
        _ number: Int,
        _ steps: [HistoryStep],
        _ isolation: HistoryIsolation = .single
    ) async {
        var server = server
        guard var process = server.process else { return }
        let invoked = world.moment()
        var history = HistoryCommit(steps: steps, isolation: isolation)
        var id = "commit-\(number)"
        let triesMax = world.number(in: 1...4)
        var isUnknown = false
        var first: (SimulatedServer, SimulatedServer.Process, HistoryOperation.Outcome)?
        var completed = invoked
        for attempt in 1...triesMax + 1 {
            let outcome = await ask(process, id, steps, isolation)
            history.attempts.append(
                HistoryCommit.Attempt(
                    server: server.number,
                    id: id,
                    invoked: attempt == 1 ? invoked : completed,
                    completed: world.moment(),
                    outcome: outcome
                )
            )
            var goesOn = false
            switch outcome {
            case .committed:
                if first == nil { first = (server, process, outcome) }
                goesOn = world.chance(0.15)
            case .unknown:
                isUnknown = true
                goesOn = true
                if bug == .retriesUnderNewID { id += "'" }
            case .failed: goesOn = world.chance(0.5)
            default: break
            }
            guard goesOn, attempt < triesMax else { break }
            try? await world.sleep(nanoseconds: world.number(in: 0...50_000_000))
            completed = world.moment()
            server = self.server
            guard let next = server.process else { break }
            process = next
        }
        if first != nil { committed.add(id, history) }
        let last = history.attempts.last?.outcome ?? .failed("")
        let outcome =
            first?.2 ?? (isUnknown ? .unknown("asked \(history.attempts.count) times") : last)
        note(
            first?.0 ?? server,
            first?.1 ?? process,
            invoked,
            world.moment(),
            .commit(history),
            outcome
        )
    }

    private func ask(
        _ process: SimulatedServer.Process,
        _ id: String,
        _ steps: [HistoryStep],
        _ isolation: HistoryIsolation
    ) async -> HistoryOperation.Outcome {
        do {
            let catalog = process.catalog
            let commit = CatalogCommit(
                id: id,
                actor: "client \(number)",
                operations: try validation(steps, isolation)
                    + steps.map { try operation($0, catalog, bug: bug) }
            )
            try await process.connection.awake()
            let receipt = try await patiently { try await catalog.commit(commit) }
            return .committed(
                position: receipt.position,
                timeMillis: receipt.timeMillis,
                isReplay: receipt.isReplay
            )
        } catch {
            return outcome(ofCommit: error, isDead: process.connection.isDead)
        }
    }

    /// Waits for an answer, or sometimes only for a while.
    private func patiently<Value: Sendable>(
        _ operation: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        guard world.chance(0.12) else { return try await operation() }
        let world = world
        let nanos: Int64 = world.number(in: 0...40_000_000)
        world.note(fault: "client gave up")
        return try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask { try await operation() }
            group.addTask {
                try? await world.sleep(nanoseconds: nanos)
                return nil
            }
            defer { group.cancelAll() }
            guard let first = try await group.next(), let value = first else {
                throw CancellationError()
            }
            return value
        }
    }
}

extension HistoryPlan {
    /// Whether an error is the answer of a process, and not of its end.
    static func isAnswer(_ error: any Error, _ process: SimulatedServer.Process) -> Bool {
        !process.connection.isDead && !(error is ProcessDied)
    }
}
