import Ambient
import CommitLog
import ObjectStorage
import Synchronization
import Testing
import TestSupport

private func turns(
    _ store: any ObjectStore,
    _ server: String,
    _ time: any TimeSource = ManualTime()
) -> CommitTurns {
    CommitTurns(
        store: store,
        warehouseID: "w",
        server: server,
        ambient: AmbientSources(time: time, random: SeededRandom(seed: 7))
    )
}

/// A store in which a process may not do some things with turns.
private final class TurnlessStore: ForwardingStore {
    let below: any ObjectStore
    private let allowsCreating: Bool

    init(_ below: any ObjectStore, allowsCreating: Bool) {
        self.below = below
        self.allowsCreating = allowsCreating
    }

    private func refusal(_ key: String) -> ObjectStoreError {
        ObjectStoreError(.denied, "not allowed", key: key)
    }

    func putIfAbsent(_ key: String, _ bytes: [UInt8]) async throws -> ObjectMetadata {
        if key == CommitTurns.key, !allowsCreating { throw refusal(key) }
        return try await below.putIfAbsent(key, bytes)
    }

    func delete(_ keys: [String]) async throws {
        if keys.contains(CommitTurns.key) { throw refusal(CommitTurns.key) }
        try await below.delete(keys)
    }
}

/// The slowest commit of each server.
private final class Slowest: Sendable {
    private let state = Mutex([Int64](repeating: 0, count: 4))

    var millis: [Int64] { state.withLock { $0 } }

    func note(_ millis: Int64, of server: Int) {
        state.withLock { $0[server] = max($0[server], millis) }
    }
}

@Suite struct CommitTurnsTests {
    @Test("who asks first has the turn; others have it when it was given back")
    func order() async throws {
        let (store, time) = (MemoryStore(), ManualTime())
        let (one, two) = (turns(store, "one", time), turns(store, "two", time))
        #expect(try await one.wait(claims: false, createMillis: 5) == .init())
        #expect(try await one.wait(claims: true, createMillis: 5).isOurs)
        #expect(try await one.wait(claims: true, createMillis: 5).isOurs)
        #expect(one.isHeld && !two.isHeld)
        await one.giveBack()
        #expect(!one.isHeld)
        #expect(try await two.wait(claims: false, createMillis: 5) == .init())
        #expect(try await two.wait(claims: true, createMillis: 5).isOurs)
        await two.giveBack()
        #expect(try await store.listAll(prefix: "").isEmpty)
    }

    @Test("a turn that stays as it is goes to who waited; one that is renewed does not")
    func abandoned() async throws {
        let (store, time) = (MemoryStore(), ManualTime())
        let (dead, one) = (turns(store, "dead", time), turns(store, "one", time))
        #expect(try await dead.wait(claims: true, createMillis: 5).isOurs)
        let began = time.monotonicNanos()
        // Also who only lets others go first clears it away.
        let waited = try await one.wait(claims: false, createMillis: 5)
        #expect(waited == .init(isOurs: true, hasWaited: true))
        let millis = (time.monotonicNanos() - began) / 1_000_000
        #expect((220...250).contains(millis))
        // Who comes back to life finds out.
        await dead.beat(createMillis: 5)
        #expect(!dead.isHeld && one.isHeld)
    }

    @Test("an owner that is at work says so, however long it takes")
    func beats() async throws {
        try await SimulatedWorld.run(seed: 1) { world in
            let time = SimulatedClock(world)
            let store = SimulatedConnection(
                MemoryStore(time: time),
                world: world,
                faults: NetworkFaults()
            )
            let (one, two) = (turns(store, "one", time), turns(store, "two", time))
            #expect(try await one.wait(claims: true, createMillis: 5).isOurs)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await one.beat(createMillis: 5) }
                // The most that anybody waits is several turns.
                let waited = try await two.wait(claims: true, createMillis: 5)
                #expect(waited == .init(isOurs: false, hasWaited: true))
                #expect(world.nowNanos > 800_000_000)
                #expect(one.isHeld)
                await one.giveBack()
                #expect(try await two.wait(claims: true, createMillis: 5).isOurs)
                group.cancelAll()
            }
        }
    }

    @Test("who gave the turn back lets others be first for a moment")
    func manners() async throws {
        let (store, time) = (MemoryStore(), ManualTime())
        let one = turns(store, "one", time)
        #expect(try await one.wait(claims: true, createMillis: 5) == .init(isOurs: true))
        await one.giveBack()
        let again = try await one.wait(claims: true, createMillis: 5)
        #expect(again == .init(isOurs: true, hasWaited: true))
        #expect(time.monotonicNanos() == 10_000_000)
        await one.giveBack()
        time.advance(byNanos: 10_000_000)
        #expect(try await one.wait(claims: true, createMillis: 5) == .init(isOurs: true))
    }

    @Test(
        "where turns may not be removed they are marked as free, where none may be made there are none"
    )
    func denied() async throws {
        let (memory, time) = (MemoryStore(), ManualTime())
        let one = turns(TurnlessStore(memory, allowsCreating: true), "one", time)
        #expect(try await one.wait(claims: true, createMillis: 5).isOurs)
        await one.giveBack()
        let two = turns(memory, "two", time)
        #expect(try await two.wait(claims: false, createMillis: 5).isOurs == false)
        #expect(try await two.wait(claims: true, createMillis: 5).isOurs)
        #expect(time.monotonicNanos() == 0)
        await two.giveBack()
        let none = turns(TurnlessStore(memory, allowsCreating: false), "none", time)
        #expect(try await none.wait(claims: true, createMillis: 5) == .init())
        let log = try await openLedger(TurnlessStore(memory, allowsCreating: false), time: time)
        let other = try await openLedger(memory, seed: 2, time: time)
        for index in 0..<20 {
            _ = try await log.commit(request("one-\(index)"))
            _ = try await other.commit(request("two-\(index)"))
        }
        #expect(try await log.read().tip.sequence == 40)
    }

    @Test("bytes that make no sense are somebody's turn, but not for ever")
    func damaged() async throws {
        var random = SeededGenerator(seed: 5)
        for _ in 0..<50 {
            let (store, time) = (MemoryStore(), ManualTime())
            try await store.put(CommitTurns.key, randomBytes(upTo: 60, using: &random))
            #expect(try await turns(store, "one", time).wait(claims: true, createMillis: 5).isOurs)
            #expect(time.monotonicNanos() < 1_000_000_000)
        }
    }

    /// What a server's commits went through, in the world's time.
    private struct Fared: Sendable {
        var slowestMillis: [Int64] = []
        var lostInARowMax = 0
        var entryCount: Int64 = 0
    }

    /// Lets four servers commit all the time, on a store of which every request takes up to 20 ms.
    ///
    /// The attempts of the first take several times as long; the last may be killed, also with a turn in hand.
    private func compete(seed: UInt64, kills: Bool) async throws -> Fared {
        try await SimulatedWorld.run(seed: seed) { world in
            let memory = MemoryStore(time: SimulatedClock(world))
            let setup = AmbientSources(
                time: SimulatedClock(world),
                random: SeededRandom(seed: seed)
            )
            let (warehouse, _) = try await Warehouse.openOrCreate(in: memory, ambient: setup)
            var faults = NetworkFaults()
            faults.latencyNanosMax = 10_000_000
            var options = LogOptions()
            options.checkpointEntryCount = 0
            var logs: [(log: Ledger, connection: SimulatedConnection)] = []
            for number in 0..<4 {
                var machine = LedgerMachine()
                if number == 0 {
                    machine.uploads = { try await world.sleep(nanoseconds: 120_000_000) }
                }
                let connection = SimulatedConnection(memory, world: world, faults: faults)
                let log = try await Ledger.open(
                    store: connection,
                    warehouse: warehouse,
                    machine: machine,
                    ambient: AmbientSources(
                        time: SimulatedClock(world),
                        random: SeededRandom(seed: seed &* 31 &+ UInt64(number))
                    ),
                    options: options
                )
                logs.append((log, connection))
            }
            let slowest = Slowest()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (number, one) in logs.enumerated() {
                    let log = one.log
                    // The last is killed in the middle; the others go on.
                    let count = number == 0 ? 15 : 60
                    group.addTask {
                        for index in 0..<count {
                            let began = world.nowNanos
                            do {
                                _ = try await log.commit(request("\(number)-\(index)"))
                            } catch {
                                guard number == 3, kills else { throw error }
                                return
                            }
                            let millis = (world.nowNanos - began) / 1_000_000
                            slowest.note(millis, of: number)
                        }
                    }
                }
                if kills {
                    let victim = logs[3].connection
                    group.addTask {
                        try await world.sleep(nanoseconds: world.number(in: 0...1_000_000_000))
                        victim.kill()
                    }
                }
                try await group.waitForAll()
            }
            return Fared(
                slowestMillis: slowest.millis,
                lostInARowMax: logs.map { $0.log.contention.lostInARowMax }.max() ?? 0,
                entryCount: logs[1].log.known.tip.sequence
            )
        }
    }

    @Test(
        "a server whose attempts take long commits beside others that are quick, within a second",
        arguments: 0..<20 as Range<UInt64>
    )
    func slowAmongQuick(seed: UInt64) async throws {
        let fared = try await compete(seed: seed, kills: false)
        #expect(fared.slowestMillis.allSatisfy { $0 < 1500 }, "\(fared)")
        #expect(fared.lostInARowMax <= 6, "\(fared)")
        if seed == 0 { print("one slow and three quick servers: \(fared)") }
    }

    @Test(
        "a server that is killed with a turn holds nobody up for long",
        arguments: 0..<20 as Range<UInt64>
    )
    func killed(seed: UInt64) async throws {
        let fared = try await compete(seed: seed, kills: true)
        #expect(fared.slowestMillis.allSatisfy { $0 < 2500 }, "\(fared)")
        if seed == 0 { print("and one of them killed: \(fared)") }
    }
}
