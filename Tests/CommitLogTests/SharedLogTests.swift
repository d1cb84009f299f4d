import Ambient
import Bytes
import CommitLog
import ObjectStorage
import Synchronization
import Testing
import TestSupport

typealias Ledger = SharedLog<LedgerMachine>

/// Opens a log in a store, making the warehouse when there is none.
func openLedger(
    _ store: any ObjectStore,
    seed: UInt64 = 1,
    time: any TimeSource = ManualTime(),
    options: LogOptions = LogOptions()
) async throws -> Ledger {
    let ambient = AmbientSources(time: time, random: SeededRandom(seed: seed))
    let (warehouse, _) = try await Warehouse.openOrCreate(in: store, ambient: ambient)
    return try await Ledger.open(
        store: store,
        warehouse: warehouse,
        machine: LedgerMachine(),
        ambient: ambient,
        options: options
    )
}

func request(_ id: String, _ list: String = "a", expects: Int? = nil) -> LedgerMachine.Request {
    LedgerMachine.Request(id: id, list: list, item: "item-\(id)", expectedCount: expects)
}

@Suite struct SharedLogTests {
    @Test("an entry is a chained, sealed object under its number")
    func entryBytes() async throws {
        let store = MemoryStore()
        let log = try await openLedger(store)
        _ = try await log.commit(request("one"))
        _ = try await log.commit(request("two"))
        let first = try await store.get("_varve/log/00000000000000000001.json").bytes
        let second = try await store.get("_varve/log/00000000000000000002.json").bytes
        let warehouse = try await store.get("_varve/warehouse.json").bytes
        #expect(try JSON.parse(first)["previous"]?.string == sha256Text(warehouse))
        #expect(try JSON.parse(second)["previous"]?.string == sha256Text(first))
        #expect(try JSON.parse(second)["commits"]?[0]?["id"]?.string == "two")
        #expect(first.last == UInt8(ascii: "}"))
    }

    @Test("commits that wait while an entry is written share the next entry, in order")
    func groupCommit() async throws {
        let (store, count) = (MemoryStore(), 200)
        let entries = try await SimulationExecutor.run(seed: 5) {
            let slow = SimulatedStore(store, seed: 1, rates: delays(0.9))
            let log = try await openLedger(slow)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<count {
                    group.addTask { _ = try await log.commit(request("\(index)")) }
                }
                try await group.waitForAll()
            }
            return try await log.entries(from: 1, countMax: 1000)
        }
        #expect(entries.map(\.commits.count).reduce(0, +) == count)
        #expect(entries.count < count / 10, "\(entries.count) entries for \(count) commits")
    }

    @Test("an entry is split when it grows too large, a commit never is")
    func entrySize() async throws {
        var options = LogOptions()
        options.entryBytesMax = 4000
        let store = MemoryStore()
        let log = try await SimulationExecutor.run(seed: 2) { [options] in
            let slow = SimulatedStore(store, seed: 1, rates: delays(0.9))
            let log = try await openLedger(slow, options: options)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<50 {
                    var request = request("\(index)")
                    request.padding = index == 25 ? 20_000 : 300
                    group.addTask { [request] in _ = try await log.commit(request) }
                }
                try await group.waitForAll()
            }
            return log
        }
        var (larger, total) = (0, 0)
        for object in try await store.listAll(prefix: LogEntry.keyPrefix) {
            let entry = try JSON.parse(try await store.get(object.key).bytes)
            let count = entry["commits"]?.array?.count ?? 0
            total += count
            if object.size > 4000 {
                larger += 1
                #expect(count == 1)
            }
        }
        #expect(larger == 1)
        #expect(total == 50)
        #expect(log.known.state["a"]?.count == 50)
    }

    @Test("a commit that fails does so alone")
    func failsAlone() async throws {
        let log = try await openLedger(MemoryStore())
        let results = await withTaskGroup(of: (Int, Bool).self) { group in
            for index in 0..<30 {
                var request = request("\(index)")
                if index % 3 == 0 { request.failure = .init(message: "no") }
                if index == 10 { request.padding = 20 << 20 }
                group.addTask { [request] in
                    (index, (try? await log.commit(request)) != nil)
                }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        for index in 0..<30 {
            #expect(results[index] == (index % 3 != 0 && index != 10), "commit \(index)")
        }
        #expect(log.known.state["a"]?.count == 19)
    }

    @Test("a commit that could not be read back is refused before it is written")
    func unreadableCommit() async throws {
        let log = try await openLedger(MemoryStore())
        for id in ["", String(repeating: "i", count: 256), "a\nb"] {
            await #expect(throws: CommitLogError.self) { try await log.commit(request(id)) }
        }
        #expect(log.known.tip.sequence == 0)
    }

    @Test("the same id again gets the first outcome, across restarts and servers")
    func idempotence() async throws {
        let store = MemoryStore()
        let first = try await openLedger(store)
        let outcome = try await first.commit(request("one"))
        _ = try await first.commit(request("two"))
        #expect(try await first.commit(request("one")) == outcome)
        let second = try await openLedger(store, seed: 2)
        #expect(try await second.commit(request("one", "elsewhere")) == outcome)
        // A third that does not know yet of a commit made meanwhile.
        let three = try await first.commit(request("three"))
        #expect(try await second.commit(request("three")) == three)
        #expect(try await second.read().state["a"]?.count == 3)
        #expect(second.known.tip.sequence == 3)
    }

    @Test("one id committed many times at once lands once, and all get the same outcome")
    func sameIDAtOnce() async throws {
        let log = try await openLedger(MemoryStore())
        let outcomes = try await withThrowingTaskGroup(of: LedgerMachine.Outcome.self) { group in
            for _ in 0..<50 { group.addTask { try await log.commit(request("one")) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outcomes.allSatisfy { $0 == outcomes.first })
        #expect(log.known.state["a"]?.count == 1)
    }

    @Test("commits beyond the queue's bound are refused, the others land")
    func queueBound() async throws {
        let memory = MemoryStore()
        var options = LogOptions()
        options.queueCountMax = 10
        let (landed, refused) = try await SimulationExecutor.run(seed: 4) { [options] in
            let store = SimulatedStore(memory, seed: 4, rates: delays(0.95))
            let log = try await openLedger(store, options: options)
            return await withTaskGroup(of: CommitLogError.Code?.self) { group in
                for index in 0..<100 {
                    group.addTask {
                        do {
                            _ = try await log.commit(request("\(index)"))
                            return nil
                        } catch {
                            return (error as? CommitLogError)?.code
                        }
                    }
                }
                return await group.reduce(into: (0, 0)) { counts, code in
                    if code == .busy { counts.1 += 1 } else if code == nil { counts.0 += 1 }
                }
            }
        }
        #expect(landed + refused == 100)
        #expect(refused > 0)
        #expect(try await openLedger(memory).known.state["a"]?.count == landed)
    }

    @Test("a commit id is forgotten when the window has passed")
    func idWindow() async throws {
        let (store, time) = (MemoryStore(), ManualTime())
        var options = LogOptions()
        options.idWindowMillis = 1000
        options.idCountMin = 1
        let log = try await openLedger(store, time: time, options: options)
        _ = try await log.commit(request("one"))
        time.advance(byNanos: 500_000_000)
        _ = try await log.commit(request("two"))
        #expect(try await log.commit(request("one")).position == 1)
        time.advance(byNanos: 800_000_000)
        _ = try await log.commit(request("three"))
        #expect(try await log.commit(request("one")).position == 4)
        // The latest stay.
        time.advance(byNanos: 5_000_000_000)
        #expect(try await log.commit(request("one")).position == 4)
    }

    @Test("a clock that is days ahead makes no id forgotten, nor do checkpoints after it")
    func idsAndWrongClock() async throws {
        let (store, time) = (MemoryStore(), ManualTime())
        let wrong = ManualTime(startMicros: time.nowMicros() + 5 * 86_400_000_000)
        var options = LogOptions()
        options.idCountMin = 2
        options.checkpointEntryCount = 0
        let log = try await openLedger(store, time: time, options: options)
        for index in 0..<20 { _ = try await log.commit(request("\(index)")) }
        try await log.writeCheckpoint()
        let ahead = try await openLedger(store, seed: 2, time: wrong, options: options)
        _ = try await ahead.commit(request("ahead"))
        try await ahead.writeCheckpoint()
        let fresh = try await openLedger(store, seed: 3, time: time, options: options)
        for log in [log, ahead, fresh] {
            for index in 0..<20 {
                #expect(try await log.commit(request("\(index)")).position == Int64(index + 1))
            }
        }
        // A day of minutes later they are forgotten, by who was there and by who comes from a checkpoint.
        for minute in 0..<1443 {
            wrong.advance(byNanos: 60_000_000_000)
            _ = try await ahead.commit(request("minute \(minute)"))
        }
        try await ahead.writeCheckpoint()
        let late = try await openLedger(store, seed: 4, time: time, options: options)
        for log in [ahead, late] {
            let before = try await log.read().tip.sequence
            #expect(try await log.commit(request("\(before % 20)")).position == before + 1)
        }
    }

    @Test("a bounded read looks again when either clock says that it is time")
    func boundedReads() async throws {
        let store = MemoryStore()
        let (time, standing) = (ManualTime(), StandingTime())
        let writer = try await openLedger(store, time: time)
        let reader = try await openLedger(store, seed: 2, time: standing)
        _ = try await writer.commit(request("one"))
        #expect(try await reader.read(stalenessMillisMax: 60_000).tip.sequence == 0)
        standing.advanceWall(byMicros: 61_000_000)
        #expect(try await reader.read(stalenessMillisMax: 60_000).tip.sequence == 1)
        _ = try await writer.commit(request("two"))
        standing.advanceWall(byMicros: -3_600_000_000)
        #expect(try await reader.read(stalenessMillisMax: 60_000).tip.sequence == 1)
        standing.advanceMonotonic(byNanos: 61_000_000_000)
        #expect(try await reader.read(stalenessMillisMax: 60_000).tip.sequence == 2)
    }

    @Test("time never goes back, whatever the clock does")
    func time() async throws {
        let store = MemoryStore()
        let ahead = try await openLedger(store, time: ManualTime(startMicros: 5_000_000_000))
        let one = try await ahead.commit(request("one"))
        let behind = try await openLedger(store, time: ManualTime(startMicros: 1_000_000_000))
        let two = try await behind.commit(request("two"))
        let three = try await behind.commit(request("three"))
        #expect(one.timeMillis == 5_000_001)
        #expect(two.timeMillis == 5_000_002)
        #expect(three.timeMillis == 5_000_003)
    }

    @Test("a read begun after a commit was acknowledged elsewhere sees it")
    func strongReads() async throws {
        let store = MemoryStore()
        let (one, two) = (try await openLedger(store), try await openLedger(store, seed: 2))
        for index in 0..<20 {
            _ = try await one.commit(request("\(index)"))
            #expect(try await two.read().state["a"]?.count == index + 1)
        }
        _ = try await one.commit(request("last"))
        #expect(try await two.read(stalenessMillisMax: 1000).state["a"]?.count == 20)
    }

    @Test("many readers share looks")
    func sharedLooks() async throws {
        let memory = MemoryStore()
        let lookCount = try await SimulationExecutor.run(seed: 9) {
            let store = SimulatedStore(memory, seed: 1, rates: delays(0.9))
            let log = try await openLedger(store)
            let before = store.count(of: "get")
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<100 { group.addTask { _ = try await log.read() } }
                try await group.waitForAll()
            }
            return store.count(of: "get") - before
        }
        #expect(lookCount >= 1)
        #expect(lookCount <= 20, "\(lookCount) requests for 100 readers")
    }

    @Test("a cancelled task leaves; the commits that it drove go on")
    func cancelledLeader() async throws {
        for seed in 0..<20 as Range<UInt64> {
            let memory = MemoryStore()
            let items = try await SimulationExecutor.run(seed: seed) {
                let store = SimulatedStore(memory, seed: seed, rates: delays(0.8))
                let log = try await openLedger(store)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for index in 0..<20 {
                        group.addTask {
                            guard index % 4 == 0 else {
                                _ = try await log.commit(request("\(index)"))
                                return
                            }
                            await withTaskGroup(of: Void.self) { inner in
                                inner.addTask { _ = try? await log.commit(request("\(index)")) }
                                for _ in 0..<index { await Task.yield() }
                                inner.cancelAll()
                            }
                        }
                    }
                    try await group.waitForAll()
                }
                return try await log.read().state["a"] ?? []
            }
            #expect(Set(items).count == items.count)
            for index in 0..<20 where index % 4 != 0 { #expect(items.contains("item-\(index)")) }
        }
    }

    @Test("older states are reached by position and by time")
    func history() async throws {
        let (store, time) = (MemoryStore(), ManualTime())
        var options = LogOptions()
        options.historySpacing = 4
        options.historyCountMax = 5
        let log = try await openLedger(store, time: time, options: options)
        var times: [Int64] = [log.warehouse.createdMillis]
        for index in 0..<100 {
            time.advance(byNanos: 7_000_000)
            times.append(try await log.commit(request("\(index)")).timeMillis)
        }
        for position in 0...100 {
            let count = position
            let byPosition = try await log.snapshot(at: Int64(position))
            #expect(byPosition.state["a"]?.count ?? 0 == count)
            #expect(byPosition.tip.sequence == Int64(position))
            let byTime = try await log.snapshot(atMillis: times[position])
            #expect(byTime.tip == byPosition.tip)
            if position > 0 {
                let before = try await log.snapshot(atMillis: times[position] - 1)
                #expect(before.tip.sequence == Int64(position) - 1)
            }
        }
        await #expect(throws: CommitLogError.self) { try await log.snapshot(at: 101) }
        await #expect(throws: CommitLogError.self) { try await log.snapshot(at: -1) }
        await #expect(throws: CommitLogError.self) { try await log.snapshot(atMillis: 0) }
        let fresh = try await openLedger(store, seed: 3, time: time)
        #expect(fresh.known.state == log.known.state)
        #expect(fresh.known.tip == log.known.tip)
    }

    @Test("a missing warehouse is an error, and entries without one are corruption")
    func missingWarehouse() async throws {
        let store = MemoryStore()
        await #expect { try await Warehouse.open(in: store) } throws: {
            ($0 as? CommitLogError)?.code == .notFound
        }
        let log = try await openLedger(store)
        _ = try await log.commit(request("one"))
        try await store.delete(Warehouse.key)
        await #expect { try await openLedger(store) } throws: {
            ($0 as? CommitLogError)?.code == .corrupt
        }
    }

    @Test("of many makers of a warehouse one wins and all agree")
    func makers() async throws {
        for seed in 0..<20 as Range<UInt64> {
            let memory = MemoryStore()
            let ids = try await SimulationExecutor.run(seed: seed) {
                var rates = SimulatedFaults()
                rates.delays = 0.6
                rates.losesAnswer = 0.3
                rates.retriesInside = 0.3
                let store = SimulatedStore(memory, seed: seed, rates: rates)
                return try await withThrowingTaskGroup(of: String.self) { group in
                    for index in 0..<8 {
                        group.addTask {
                            let ambient = AmbientSources.virtual(seed: UInt64(index))
                            return try await Warehouse.openOrCreate(in: store, ambient: ambient)
                                .warehouse.id
                        }
                    }
                    return try await group.reduce(into: Set()) { $0.insert($1) }
                }
            }
            #expect(ids.count == 1)
        }
    }
}

func delays(_ rate: Double) -> SimulatedFaults {
    var rates = SimulatedFaults()
    rates.delays = rate
    return rates
}

/// Clocks that stand until they are moved, each by itself.
private final class StandingTime: TimeSource {
    private let state = Mutex<(wallMicros: Int64, nanos: Int64)>((1_700_000_000_000_000, 0))

    func nowMicros() -> Int64 { state.withLock { $0.wallMicros } }

    func monotonicNanos() -> Int64 { state.withLock { $0.nanos } }

    func sleep(nanoseconds: Int64) async throws { try Task.checkCancellation() }

    func advanceWall(byMicros micros: Int64) { state.withLock { $0.wallMicros += micros } }

    func advanceMonotonic(byNanos nanos: Int64) { state.withLock { $0.nanos += nanos } }
}
