import Ambient
import CommitLog
import ObjectStorage
import Testing
import TestSupport

private let hour: Int64 = 3_600_000_000_000

private func options() -> LogOptions {
    var options = LogOptions()
    options.checkpointSegmentBytes = 256
    options.checkpointEntryCount = 0
    return options
}

@Suite struct ArchiveTests {
    private func positions(_ store: any ObjectStore) async throws -> [Int64] {
        try await store.listAll(prefix: LogEntry.keyPrefix).compactMap {
            LogEntry.sequence(ofKey: $0.key)
        }
    }

    @Test(
        "archived entries are read, verified and travelled to as before, also when they are removed"
    )
    func reading() async throws {
        let (store, time) = (MemoryStore(time: ManualTime()), ManualTime())
        let log = try await openLedger(store, time: time, options: options())
        var times: [Int64] = [log.warehouse.createdMillis]
        var told: [LedgerMachine.Outcome] = []
        for index in 0..<30 {
            time.advance(byNanos: 60_000_000_000)
            told.append(try await log.commit(request("\(index)", "list-\(index % 4)")))
            times.append(told[index].timeMillis)
        }
        let before = try await log.entries(from: 1, countMax: 100)
        await #expect(throws: CommitLogError.self) {
            try await log.archive(throughMillis: times[20], graceMillis: 3_599_999)
        }
        let dry = try await log.archive(throughMillis: times[20], isDry: true)
        #expect(dry.archivedEntryCount == 20)
        #expect(try await store.listAll(prefix: "_varve/archive/").isEmpty)
        var report = try await log.archive(throughMillis: times[20])
        #expect(report.boundary == 20 && report.archivedEntryCount == 20)
        #expect(report.removedEntryCount == 0 && report.waitingEntryCount == 20)
        time.advance(byNanos: hour / 2)
        report = try await log.archive(throughMillis: times[25])
        #expect(report.boundary == 25 && report.removedEntryCount == 0)
        #expect(try await positions(store) == (1...30).map(Int64.init))
        time.advance(byNanos: hour * 2 / 3)
        report = try await log.archive(throughMillis: .max)
        // The last entry stays where it is, whatever is asked for.
        #expect(report.boundary == 29 && report.removedEntryCount == 20)
        #expect(try await positions(store) == (21...30).map(Int64.init))
        time.advance(byNanos: hour * 2)
        report = try await log.archive(throughMillis: .max)
        #expect(report.removedEntryCount == 9 && report.archivedEntryCount == 0)
        #expect(try await positions(store) == [30])

        for startsFromCheckpoint in [true, false] {
            var options = options()
            options.startsFromCheckpoint = startsFromCheckpoint
            let fresh = try await openLedger(store, seed: 4, time: time, options: options)
            #expect(fresh.known.state == log.known.state)
            #expect(try await fresh.entries(from: 1, countMax: 100) == before)
            #expect(
                try await fresh.entries(from: 18, countMax: 5).map(\.sequence) == [
                    18, 19, 20, 21, 22,
                ]
            )
            for position in 0...30 {
                let snapshot = try await fresh.snapshot(at: Int64(position))
                #expect(snapshot.state.values.reduce(0) { $0 + $1.count } == position)
                #expect(try await fresh.snapshot(atMillis: times[position]).tip == snapshot.tip)
            }
            let found = try await fresh.verify()
            #expect(found.fault == nil && found.last == 30 && found.checkpointFaults.isEmpty)
            #expect(try await fresh.verify(from: 12, to: 22).fault == nil)
            for index in 0..<30 {
                #expect(try await fresh.commit(request("\(index)")) == told[index])
            }
        }
        // A program that knows no archives sees a hole, not an empty log.
        #expect(try await positions(store).first != nil)
    }

    @Test("a damaged or missing archive or boundary is an error that names it")
    func damage() async throws {
        let (store, time) = (MemoryStore(time: ManualTime()), ManualTime())
        let log = try await openLedger(store, time: time, options: options())
        for index in 0..<6 { _ = try await log.commit(request("\(index)")) }
        _ = try await log.archive(throughMillis: .max)
        time.advance(byNanos: 2 * hour)
        _ = try await log.archive(throughMillis: .max)
        var whole = options()
        whole.startsFromCheckpoint = false
        let expected = log.known.state
        for object in try await store.listAll(prefix: "_varve/") {
            let isArchive = object.key.hasPrefix("_varve/archive/")
            guard isArchive || object.key == "_varve/log-boundary.json" else { continue }
            let bytes = try await store.get(object.key).bytes
            for index in bytes.indices {
                var damaged = bytes
                damaged[index] ^= 0x20
                try await store.put(object.key, damaged)
                await #expect {
                    try await openLedger(store, seed: 3, time: time, options: whole)
                } throws: {
                    ($0 as? CommitLogError)?.key == object.key
                }
                if isArchive {
                    let fresh = try await openLedger(store, seed: 3, time: time, options: options())
                    #expect(fresh.known.state == expected)
                    #expect(try await fresh.verify().fault?.key == object.key)
                }
            }
            try await store.delete(object.key)
            await #expect(throws: CommitLogError.self) {
                try await openLedger(store, seed: 3, time: time, options: whole)
            }
            try await store.put(object.key, bytes)
        }
        #expect(
            try await openLedger(store, seed: 3, time: time, options: whole).known.state == expected
        )
    }

    @Test("an archive that cannot be read keeps its entries in the log")
    func keepsEntries() async throws {
        let (store, time) = (MemoryStore(time: ManualTime()), ManualTime())
        let log = try await openLedger(store, time: time, options: options())
        for index in 0..<6 { _ = try await log.commit(request("\(index)")) }
        _ = try await log.archive(throughMillis: .max)
        let archive = try #require(try await store.listAll(prefix: "_varve/archive/").first)
        try await store.put(archive.key, [1, 2, 3])
        time.advance(byNanos: 2 * hour)
        await #expect(throws: CommitLogError.self) { try await log.archive(throughMillis: .max) }
        #expect(try await positions(store).count == 6)
    }

    @Test("a writer that slept through the removal of the next entry begins no second history")
    func sleepingWriter() async throws {
        let (store, time) = (MemoryStore(time: ManualTime()), ManualTime())
        let awake = try await openLedger(store, time: time, options: options())
        for index in 0..<3 { _ = try await awake.commit(request("\(index)")) }
        let asleep = try await openLedger(store, seed: 2, time: time, options: options())
        let reader = try await openLedger(store, seed: 3, time: time, options: options())
        for index in 3..<9 { _ = try await awake.commit(request("\(index)")) }
        _ = try await awake.archive(throughMillis: .max)
        time.advance(byNanos: 2 * hour)
        _ = try await awake.archive(throughMillis: .max)
        #expect(try await positions(store) == [9])

        let outcome = try await asleep.commit(request("late"))
        // It did create entry 4 again, and did not take it for a commit.
        #expect(try await positions(store) == [4, 9, 10])
        #expect(outcome.position == 10)
        let items = (0..<9).map { "item-\($0)" } + ["item-late"]
        #expect(asleep.known.state["a"] == items)
        // Who slept as well does not read it either.
        #expect(try await reader.read().state["a"] == items)
        var whole = options()
        whole.startsFromCheckpoint = false
        let fresh = try await openLedger(store, seed: 5, time: time, options: whole)
        #expect(fresh.known.state["a"] == items)
        #expect(try await fresh.verify().fault == nil)
        // The next archiving sweeps it away.
        time.advance(byNanos: 2 * hour)
        _ = try await awake.archive(throughMillis: .max)
        #expect(try await positions(store) == [9, 10])
    }

    @Test("a commit whose entry was archived before its writer could know is answered as landed")
    func archivedOwnCommit() async throws {
        let (store, time) = (MemoryStore(time: ManualTime()), ManualTime())
        let first = try await openLedger(store, time: time, options: options())
        for index in 0..<3 { _ = try await first.commit(request("\(index)")) }
        let done = try await first.commit(request("mine"))
        for index in 3..<5 { _ = try await first.commit(request("\(index)")) }
        _ = try await first.archive(throughMillis: .max)
        time.advance(byNanos: 2 * hour)
        _ = try await first.archive(throughMillis: .max)
        let second = try await openLedger(store, seed: 2, time: time, options: options())
        #expect(try await second.commit(request("mine")) == done)
    }

    @Test("two that archive at once do not undo each other")
    func rivals() async throws {
        for seed in 0..<20 as Range<UInt64> {
            try await SimulationExecutor.run(seed: seed) {
                let (memory, time) = (MemoryStore(time: ManualTime()), ManualTime())
                let store = SimulatedStore(memory, seed: seed, rates: delays(0.5))
                let one = try await openLedger(store, seed: 1, time: time, options: options())
                for index in 0..<12 { _ = try await one.commit(request("\(index)")) }
                let two = try await openLedger(store, seed: 2, time: time, options: options())
                await withTaskGroup(of: Void.self) { group in
                    for log in [one, two] {
                        group.addTask { _ = try? await log.archive(throughMillis: .max) }
                    }
                }
                var whole = options()
                whole.startsFromCheckpoint = false
                time.advance(byNanos: 2 * hour)
                _ = try await one.archive(throughMillis: .max)
                let fresh = try await openLedger(memory, seed: 3, time: time, options: whole)
                #expect(fresh.known.state == one.known.state)
                #expect(try await fresh.verify().fault == nil)
            }
        }
    }

    @Test(
        "while entries are archived and removed, every commit lands once and all agree",
        arguments: 0..<40 as Range<UInt64>
    )
    func simulated(seed: UInt64) async throws {
        try await SimulationExecutor.run(seed: seed) {
            let (memory, time) = (MemoryStore(time: ManualTime()), ManualTime())
            _ = try await Warehouse.openOrCreate(in: memory, ambient: .virtual(seed: seed))
            let store = SimulatedStore(memory, seed: seed, rates: delays(0.5))
            var opened: [Ledger] = []
            for index in 0..<3 {
                opened.append(
                    try await openLedger(
                        store,
                        seed: seed * 10 + UInt64(index),
                        time: time,
                        options: options()
                    )
                )
            }
            let servers = opened
            let sleeper = servers[2]
            store.setRates(.all(0.05))
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<4 {
                    let log = servers[writer % 2]
                    group.addTask {
                        for number in 0..<12 {
                            let request = request("\(writer)-\(number)", "list-\(number % 5)")
                            while (try? await log.commit(request)) == nil {}
                        }
                    }
                }
                group.addTask {
                    // Time jumps while requests are under way.
                    for _ in 0..<10 {
                        _ = try? await servers[0].archive(throughMillis: .max)
                        time.advance(byNanos: hour + hour / 7)
                        for _ in 0..<20 { await Task.yield() }
                    }
                }
                group.addTask {
                    for number in 0..<3 {
                        for _ in 0..<400 { await Task.yield() }
                        while (try? await sleeper.commit(request("late-\(number)"))) == nil {}
                    }
                }
                group.addTask {
                    for number in 0..<5 {
                        for _ in 0..<60 { await Task.yield() }
                        guard
                            let fresh = try? await openLedger(
                                store,
                                seed: UInt64(100 + number),
                                time: time,
                                options: options()
                            )
                        else { continue }
                        _ = try? await fresh.commit(request("fresh-\(number)"))
                    }
                }
                try await group.waitForAll()
            }
            await store.settle()
            store.setRates(SimulatedFaults())
            var whole = options()
            whole.startsFromCheckpoint = false
            let fresh = try await openLedger(memory, seed: 97, time: time, options: whole)
            let found = try await fresh.verify()
            #expect(found.fault == nil)
            #expect(found.checkpointFaults.isEmpty)
            let items = fresh.known.state.values.flatMap { $0 }
            #expect(Set(items).count == items.count, "a commit landed twice")
            for writer in 0..<4 {
                for number in 0..<12 { #expect(items.contains("item-\(writer)-\(number)")) }
            }
            for number in 0..<3 { #expect(items.contains("item-late-\(number)")) }
            for server in servers { #expect(try await server.read().state == fresh.known.state) }
            let started = try await openLedger(memory, seed: 96, time: time, options: options())
            #expect(started.known.state == fresh.known.state)
        }
    }
}
