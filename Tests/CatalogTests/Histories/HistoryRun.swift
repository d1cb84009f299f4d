import Ambient
import Catalog
import CommitLog
import ObjectStorage
import Synchronization
import TestSupport

/// One history: a cluster and its clients, from the first commit to the last look.
struct HistoryRun: Sendable {
    /// What came of it.
    struct Result: Sendable {
        var history: History
        var violations: [HistoryViolation]
        var faultCounts: [String: Int]
        /// How much time passed in the world.
        var worldNanos: Int64

        /// The operations and the log, for holding two runs of a seed against each other.
        var trace: String {
            history.operations.map(\.description).joined(separator: "\n") + "\n"
                + history.writings.map { "\($0.moment.event) \($0.key)" }.joined(separator: "\n")
        }
    }

    let plan: HistoryPlan
    let world: SimulatedWorld
    /// The store that processes share, and what it really does.
    let store: any ObjectStore
    let servers: [SimulatedServer]
    private let recorder = Recorder()

    /// Collects what clients did.
    private final class Recorder: Sendable {
        private let state = Mutex<(operations: [HistoryOperation], isOver: Bool)>(([], false))

        func note(_ operation: HistoryOperation) {
            state.withLock { $0.operations.append(operation) }
        }

        var operations: [HistoryOperation] { state.withLock { $0.operations } }

        /// Says that clients are done, and only then anything to those who ask.
        var isOver: Bool {
            get { state.withLock { $0.isOver } }
            set { state.withLock { $0.isOver = newValue } }
        }
    }

    /// Runs the history of a seed and checks it.
    static func run(seed: UInt64, bug: PlantedBug? = nil) async throws -> Result {
        let plan = HistoryPlan(seed: seed, bug: bug)
        return try await SimulatedWorld.run(seed: seed) { world in
            let memory = MemoryStore(time: SimulatedClock(world))
            let witness = LogWitness(memory, prefix: LogEntry.keyPrefix, world: world)
            let store = bug?.pervertedLog(witness) ?? witness
            let setup = try await openCatalog(store, seed: seed, time: SimulatedClock(world))
            let foreign = try await prepare(setup)
            let servers = (0..<plan.serverCount).map { SimulatedServer($0, plan, world, store) }
            let run = HistoryRun(plan: plan, world: world, store: store, servers: servers)
            for server in servers { try await server.start(faults: plan.faults, tries: 20) }
            try await run.live()
            await world.settle()
            try await run.lookBack()
            await world.settle()
            var metadata: [String: [UInt8]] = [:]
            for object in try await memory.listAll(prefix: "")
            where object.key.hasSuffix(".metadata.json") {
                metadata[memory.url(of: object.key)] = try await memory.get(object.key).bytes
            }
            let history = History(
                warehouseHash: setup.warehouse.hash,
                createdMillis: setup.warehouse.createdMillis,
                operations: run.recorder.operations,
                writings: witness.writings,
                metadata: metadata,
                foreignIDs: foreign,
                written: Dictionary(
                    uniqueKeysWithValues: witness.written.map { (memory.url(of: $0.key), $0.value) }
                )
            )
            return Result(
                history: history,
                violations: HistoryChecker.violations(of: history),
                faultCounts: world.faultCounts,
                worldNanos: world.nowNanos
            )
        }
    }

    /// The names to begin with.
    private static func prepare(_ catalog: WarehouseCatalog) async throws -> Set<String> {
        let steps: [HistoryStep] = [
            .createNamespace("a", ["n": "0"]), .createNamespace("a.b", [:]),
            .createTable("main/x", uuid: uuid(1)), .createTable("a/x", uuid: uuid(2)),
            .createTable("main/y", uuid: uuid(3)), .createTable("a.b/x", uuid: uuid(4)),
            .createTable(HistoryClient.shared, uuid: uuid(5)),
        ]
        let commit = CatalogCommit(
            id: "setup",
            actor: "setup",
            operations: try steps.map { try operation($0, catalog) }
        )
        _ = try await catalog.commit(commit)
        return ["setup", "\(catalog.warehouse.id)-main"]
    }

    // MARK: - The cluster lives

    private func live() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await mishaps() }
            if plan.archives { group.addTask { try await archiveOverHours() } }
            try await withThrowingTaskGroup(of: Void.self) { clients in
                for number in 0..<plan.clientCount {
                    let client = HistoryClient(number: number, run: self)
                    clients.addTask { try await client.live() }
                }
                try await clients.waitForAll()
            }
            recorder.isOver = true
            try await group.waitForAll()
        }
    }

    func note(_ operation: HistoryOperation) { recorder.note(operation) }

    private func note(_ what: String, _ server: SimulatedServer) {
        let now = world.moment()
        note(
            HistoryOperation(
                client: 1000,
                server: server.number,
                incarnation: server.process?.incarnation ?? 0,
                invoked: now,
                completed: now,
                call: .other(what),
                outcome: .done
            )
        )
    }

    private func anyServer() -> SimulatedServer {
        servers[world.number(in: 0...servers.count - 1)]
    }

    /// What happens to servers while they work.
    private func mishaps() async throws {
        for _ in 0..<plan.mishapCount {
            try await world.sleep(nanoseconds: world.number(in: 0...80_000_000))
            if recorder.isOver { return }
            let server = anyServer()
            let nanos: Int64 = world.number(in: 0...200_000_000)
            switch world.number(in: 0...9) {
            case 0...4:
                world.note(fault: "process killed")
                note("killed", server)
                server.kill()
                try await world.sleep(nanoseconds: world.number(in: 0...50_000_000))
                // Only a log that is damaged can keep it from starting in the end, and that shows.
                try? await server.start(faults: plan.faults, tries: 30)
                note("started", server)
            case 5, 6:
                world.note(fault: "partition")
                note("cut off for \(nanos)", server)
                server.process?.connection.partition(nanoseconds: nanos)
            case 7:
                world.note(fault: "process stopped")
                note("stopped for \(nanos)", server)
                server.process?.connection.freeze(nanoseconds: nanos)
            default:
                let millis = world.number(
                    in: -plan.clockErrorMillisMax...plan.clockErrorMillisMax
                )
                world.note(fault: "clock set")
                note("clock wrong by \(millis) ms", server)
                server.clock.set(wallOffsetMicros: millis * 1000)
            }
        }
    }

    /// Archives entries, and removes them more than an hour later, while a process may be asleep.
    private func archiveOverHours() async throws {
        for round in 0..<3 {
            if round > 0 { try await world.sleep(nanoseconds: minutes(61...90)) }
            try await world.sleep(nanoseconds: world.number(in: 0...100_000_000))
            if world.chance(0.7) {
                let (server, nanos) = (anyServer(), minutes(1...300))
                let isAsleep = world.chance(0.5)
                world.note(fault: isAsleep ? "machine asleep" : "process stopped")
                note("stopped for \(nanos / 60_000_000_000) minutes", server)
                server.process?.connection.freeze(nanoseconds: nanos)
                if isAsleep {
                    world.runInBackground { try? await server.clock.suspend(nanoseconds: nanos) }
                }
                try await world.sleep(nanoseconds: world.number(in: 0...200_000_000))
            }
            let server = anyServer()
            guard let process = server.process else { continue }
            let invoked = world.moment()
            var outcome = HistoryOperation.Outcome.done
            do {
                _ = try await process.catalog.archive(
                    throughMillis: Int64.max / 4,
                    graceMillis: 3_600_000
                )
            } catch {
                outcome = .failed("\(error)")
            }
            note(
                HistoryOperation(
                    client: 1001,
                    server: server.number,
                    incarnation: process.incarnation,
                    invoked: invoked,
                    completed: world.moment(),
                    call: .other("archive"),
                    outcome: outcome
                )
            )
        }
    }

    private func minutes(_ range: ClosedRange<Int64>) -> Int64 {
        world.number(in: range) * 60_000_000_000
    }

    // MARK: - The last look

    /// Reads everything once more, over a network that works: what was acknowledged is there for good.
    private func lookBack() async throws {
        for server in servers { server.process?.connection.set(faults: NetworkFaults()) }
        var plans = [plan, plan]
        plans[0].log.startsFromCheckpoint = true
        plans[1].log.startsFromCheckpoint = false
        var all = servers
        for (number, plan) in plans.enumerated() {
            let server = SimulatedServer(100 + number, plan, world, store)
            all.append(server)
            let invoked = world.moment()
            do {
                try await server.start(faults: NetworkFaults())
            } catch {
                note(
                    HistoryOperation(
                        client: -1,
                        server: server.number,
                        incarnation: 1,
                        invoked: invoked,
                        completed: world.moment(),
                        call: .other("start"),
                        outcome: .failed("\(error)")
                    )
                )
            }
        }
        for server in all where server.process != nil {
            let client = HistoryClient(number: -1, run: self)
            await client.read(.strong, server, opening: HistoryClient.tables)
        }
        guard let fresh = all.last, fresh.process != nil else { return }
        let client = HistoryClient(number: -1, run: self)
        let last = fresh.process?.catalog.known.position ?? 0
        for _ in 0..<4 {
            let position = world.number(in: 0...last)
            await client.read(
                .asOfPosition(position),
                fresh,
                opening: ["main/x", "a/x", HistoryClient.shared]
            )
        }
    }
}

extension SimulatedServer {
    /// Starts a new process, however often it takes.
    func start(faults: NetworkFaults, tries: Int) async throws {
        for attempt in 1...max(tries, 1) {
            do {
                // In the end the network gets better.
                return try await start(faults: attempt < tries ? faults : NetworkFaults())
            } catch {
                try await clock.sleep(nanoseconds: 5_000_000)
            }
        }
    }
}
