import Ambient
import CommitLog
import ObjectStorage
import Synchronization
import Testing
import TestSupport

/// How many times more seeds to try than usual.
private let soakFactor = EnvironmentVariables.process["VARVE_SOAK"].flatMap { Int($0) } ?? 1

@Suite struct CommitSimulationTests {
    /// What writers were told, and the bytes of the log they made.
    private struct Run: Equatable, Sendable {
        var acknowledged: [String: LedgerMachine.Outcome] = [:]
        var failed: Set<String> = []
        var unknown: Set<String> = []
        var tip: ChainTip
    }

    private func simulate(
        seed: UInt64,
        rate: Double,
        serverCount: Int = 3,
        retries: Bool
    ) async throws -> Run {
        try await SimulationExecutor.run(seed: seed) {
            let memory = MemoryStore(time: ManualTime())
            _ = try await Warehouse.openOrCreate(in: memory, ambient: .virtual(seed: seed))
            let store = SimulatedStore(memory, seed: seed, rates: delays(0.5))
            var servers: [Ledger] = []
            for index in 0..<serverCount {
                let clock = ManualTime(startMicros: 1_700_000_000_000_000 + Int64(index) * 5000)
                servers.append(
                    try await openLedger(store, seed: seed * 10 + UInt64(index), time: clock)
                )
            }
            store.setRates(.all(rate))
            var run = Run(tip: ChainTip(servers[0].warehouse))
            enum Told: Sendable { case outcome(LedgerMachine.Outcome), failed, unknown }
            let told = await withTaskGroup(of: [(String, Told)].self) { group in
                for writer in 0..<8 {
                    let log = servers[writer % serverCount]
                    group.addTask {
                        var told: [(String, Told)] = []
                        for number in 0..<6 {
                            let id = "\(writer)-\(number)"
                            var last = Told.failed
                            for _ in 0..<(retries ? 200 : 1) {
                                do {
                                    last = .outcome(try await log.commit(request(id)))
                                    break
                                } catch let error as CommitLogError
                                    where error.code == .unknownOutcome
                                {
                                    last = .unknown
                                } catch {
                                    // A failure for certain, unless an earlier try is unknown.
                                    if case .unknown = last { continue }
                                    last = .failed
                                }
                            }
                            told.append((id, last))
                        }
                        return told
                    }
                }
                return await group.reduce(into: []) { $0 += $1 }
            }
            for (id, told) in told {
                switch told {
                case .outcome(let outcome): run.acknowledged[id] = outcome
                case .failed: run.failed.insert(id)
                case .unknown: run.unknown.insert(id)
                }
            }
            await store.settle()
            // Another process, later, over a healthy store.
            let fresh = try await openLedger(memory, seed: 999)
            let report = try await fresh.verify()
            #expect(report.fault == nil)
            let items = fresh.known.state["a"] ?? []
            #expect(Set(items).count == items.count, "a commit landed twice")
            for (id, outcome) in run.acknowledged {
                #expect(items.contains("item-\(id)"), "\(id) was acknowledged and is not there")
                let again = try await fresh.commit(request(id))
                #expect(again == outcome)
            }
            for id in run.failed {
                #expect(!items.contains("item-\(id)"), "\(id) failed and is there")
            }
            #expect(items.count <= run.acknowledged.count + run.unknown.count)
            #expect(items.count >= run.acknowledged.count)
            store.setRates(SimulatedFaults())
            for server in servers {
                let snapshot = try await server.read()
                #expect(snapshot.state == fresh.known.state, "a server's state is not the fold")
                #expect(snapshot.tip == fresh.known.tip)
            }
            run.tip = fresh.known.tip
            return run
        }
    }

    @Test(
        "every acknowledged commit is there once, and no failed one is",
        arguments: 0..<UInt64(60 * soakFactor)
    )
    func faults(seed: UInt64) async throws {
        let rate = [0.02, 0.1, 0.25][Int(seed % 3)]
        _ = try await simulate(seed: seed, rate: rate, retries: false)
    }

    @Test(
        "with retries every commit lands exactly once",
        arguments: 100..<UInt64(100 + 30 * soakFactor)
    )
    func retries(seed: UInt64) async throws {
        let run = try await simulate(seed: seed, rate: 0.15, retries: true)
        #expect(run.acknowledged.count == 48)
    }

    @Test("unknown outcomes do happen, and only when the store keeps failing")
    func unknownOutcomes() async throws {
        var unknownCount = 0
        for seed in 0..<10 as Range<UInt64> {
            unknownCount += try await simulate(seed: seed, rate: 0.6, retries: false).unknown.count
        }
        #expect(unknownCount > 0)
        let healthy = try await simulate(seed: 7, rate: 0, retries: false)
        #expect(healthy.acknowledged.count == 48)
    }

    @Test("one seed gives one history", arguments: 0..<5 as Range<UInt64>)
    func isRepeatable(seed: UInt64) async throws {
        let one = try await simulate(seed: seed, rate: 0.1, retries: true)
        let two = try await simulate(seed: seed, rate: 0.1, retries: true)
        #expect(one == two)
    }

    @Test("commits validated against each other stay so across servers")
    func compareAndAppend() async throws {
        for seed in 0..<20 as Range<UInt64> {
            try await SimulationExecutor.run(seed: seed) {
                let memory = MemoryStore(time: ManualTime())
                _ = try await Warehouse.openOrCreate(in: memory, ambient: .virtual(seed: seed))
                var rates = SimulatedFaults()
                rates.delays = 0.5
                rates.losesAnswer = 0.1
                let store = SimulatedStore(memory, seed: seed, rates: rates)
                let one = try await openLedger(store, seed: seed)
                let two = try await openLedger(store, seed: seed + 1)
                let wins = try await withThrowingTaskGroup(of: Int.self) { group in
                    for writer in 0..<6 {
                        let log = writer % 2 == 0 ? one : two
                        group.addTask {
                            var wins = 0
                            for number in 0..<5 {
                                let count = try await log.read().state["a"]?.count ?? 0
                                let request = request("\(writer)-\(number)", expects: count)
                                do {
                                    _ = try await log.commit(request)
                                    wins += 1
                                } catch is LedgerMachine.LedgerError {
                                }
                            }
                            return wins
                        }
                    }
                    return try await group.reduce(0, +)
                }
                let items = try await openLedger(memory).known.state["a"] ?? []
                #expect(items.count == wins)
                #expect(wins > 0)
            }
        }
    }
}
