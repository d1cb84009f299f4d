import Ambient
import CommitLog
import ObjectStorage
import Testing
import TestSupport

/// Options with segments so small that a few lists take several.
private func smallSegments() -> LogOptions {
    var options = LogOptions()
    options.checkpointSegmentBytes = 256
    options.checkpointEntryCount = 0
    return options
}

private func fullRead() -> LogOptions {
    var options = smallSegments()
    options.startsFromCheckpoint = false
    return options
}

private let checkpointPrefix = "_varve/checkpoints/"

@Suite struct CheckpointTests {
    @Test(
        "a start from any checkpoint gives the state, the tip and the commits of a full read",
        arguments: 0..<6 as Range<UInt64>
    )
    func starts(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let store = MemoryStore()
        let log = try await openLedger(store, options: smallSegments())
        var told: [String: LedgerMachine.Outcome] = [:]
        for round in 0..<25 {
            for number in 0..<Int.random(in: 1...9, using: &random) {
                let id = "\(round)-\(number)"
                let list = "list-\(Int.random(in: 0..<60, using: &random))"
                told[id] = try await log.commit(request(id, list))
            }
            let report = try await log.writeCheckpoint()
            #expect(report.isNew)
            #expect(report.recordCount == log.known.state.count)
            let again = try await log.writeCheckpoint()
            #expect(!again.isNew && again.writtenObjectCount == 0)
            let counted = SimulatedStore(store, seed: 1, rates: SimulatedFaults())
            let fresh = try await openLedger(counted, seed: 7, options: smallSegments())
            #expect(fresh.known.state == log.known.state)
            #expect(fresh.known.tip == log.known.tip)
            // The index, its segments, the entry it is of, the one that is not there, boundary, warehouse.
            #expect(counted.count(of: "get") <= report.segmentCount + 5)
        }
        let fresh = try await openLedger(store, seed: 8, options: smallSegments())
        for (id, outcome) in told {
            // The request says another list: the outcome is that of the first one all the same.
            #expect(try await fresh.commit(request(id, "other")) == outcome)
        }
        #expect(fresh.known.state["other"] == nil)
        let verification = try await fresh.verify()
        #expect(verification.fault == nil)
        #expect(verification.checkpointCount == 25)
        #expect(verification.checkpointFaults.isEmpty)
    }

    @Test("every older state is reached after a start from a checkpoint")
    func history() async throws {
        let (store, time) = (MemoryStore(), ManualTime())
        let log = try await openLedger(store, time: time, options: smallSegments())
        var times: [Int64] = [log.warehouse.createdMillis]
        for index in 0..<60 {
            time.advance(byNanos: 7_000_000)
            times.append(try await log.commit(request("\(index)")).timeMillis)
            if index % 13 == 12 { try await log.writeCheckpoint() }
        }
        var options = smallSegments()
        options.historySpacing = 3
        options.historyCountMax = 4
        let fresh = try await openLedger(store, seed: 2, time: time, options: options)
        for index in 60..<70 { _ = try await fresh.commit(request("\(index)")) }
        for position in 0...60 {
            let byPosition = try await fresh.snapshot(at: Int64(position))
            #expect(byPosition.state["a"]?.count ?? 0 == position)
            #expect(byPosition.tip.sequence == Int64(position))
            let byTime = try await fresh.snapshot(atMillis: times[position])
            #expect(byTime.tip == byPosition.tip)
        }
        let entries = try await fresh.entries(from: 1, countMax: 100)
        #expect(entries.map(\.sequence) == (1...70).map(Int64.init))
        await #expect(throws: CommitLogError.self) { try await fresh.snapshot(at: 71) }
    }

    @Test("the bytes of a checkpoint follow what changed, not how much there is")
    func writtenBytes() async throws {
        let (store, listCount) = (MemoryStore(), 6000)
        var options = LogOptions()
        options.checkpointSegmentBytes = 16 << 10
        options.checkpointEntryCount = 0
        let log = try await openLedger(store, options: options)
        var random = SeededGenerator(seed: 3)
        func item(_ id: String, _ list: Int) -> LedgerMachine.Request {
            // Not compressible, so that bytes are counted as they are.
            let text = (0..<6).map { _ in String(random.next(), radix: 36) }.joined()
            return LedgerMachine.Request(id: id, list: "list-\(list)", item: text)
        }
        for list in 0..<listCount {
            // One commit for each list: the log itself grows with them.
            _ = try await log.commit(item("first-\(list)", list))
        }
        let whole = try await log.writeCheckpoint().writtenByteCount
        var (written, largest, objects) = (0, 0, 0)
        for round in 0..<100 {
            for number in 0..<50 {
                let list = Int.random(in: 0..<listCount, using: &random)
                _ = try await log.commit(item("\(round)-\(number)", list))
            }
            let report = try await log.writeCheckpoint()
            written += report.writtenByteCount
            largest = max(largest, report.writtenByteCount)
            objects += report.writtenObjectCount
        }
        print(
            "checkpoints: whole \(whole) bytes; 100 with 50 changes each: \(written) bytes, the largest "
                + "\(largest), \(objects) objects"
        )
        // 5000 changes to 6000 lists: all of it written anew each time would be a hundred times `whole`.
        #expect(written < whole * 25)
        #expect(largest < whole)
        let fresh = try await openLedger(store, seed: 2, options: options)
        #expect(fresh.known.state == log.known.state)
        #expect(try await fresh.verify(from: 2).fault == nil)
    }

    @Test("any byte of a checkpoint damaged: never another state, and the damage is named")
    func damage() async throws {
        let store = MemoryStore()
        let log = try await openLedger(store, options: smallSegments())
        for index in 0..<12 {
            _ = try await log.commit(request("\(index)", "list-\(index % 5)"))
            if index == 5 || index == 9 { try await log.writeCheckpoint() }
        }
        let expected = log.known
        let objects = try await store.listAll(prefix: checkpointPrefix)
        #expect(objects.count >= 6)
        for object in objects {
            let bytes = try await store.get(object.key).bytes
            var variants: [[UInt8]?] = [nil, [], Array(bytes.dropLast()), bytes + [0]]
            for index in bytes.indices {
                for bit in [0, 6] {
                    var damaged = bytes
                    damaged[index] ^= 1 << bit
                    variants.append(damaged)
                }
            }
            for damaged in variants {
                if let damaged {
                    try await store.put(object.key, damaged)
                } else {
                    try await store.delete(object.key)
                }
                let fresh = try await openLedger(store, seed: 5, options: smallSegments())
                #expect(fresh.known.state == expected.state)
                #expect(fresh.known.tip == expected.tip)
                let isIndex = object.key.hasSuffix(".json")
                // Without its index a checkpoint is not there, which is no damage.
                if damaged == nil, isIndex { continue }
                let found = try await fresh.verify()
                #expect(found.fault == nil)
                #expect(found.checkpointFaults.contains { $0.key == object.key })
            }
            try await store.put(object.key, bytes)
        }
        let fresh = try await openLedger(store, seed: 6, options: smallSegments())
        #expect(fresh.checkpointFaults.isEmpty)
        #expect(try await fresh.verify().checkpointFaults.isEmpty)
    }

    @Test("a damaged checkpoint is reported, and the next one is built on a sound one")
    func damagedBase() async throws {
        let store = MemoryStore()
        let log = try await openLedger(store, options: smallSegments())
        for index in 0..<30 {
            _ = try await log.commit(request("\(index)", "list-\(index % 9)"))
            if index == 9 || index == 19 { try await log.writeCheckpoint() }
        }
        let key = checkpointPrefix + "00000000000000000020.json"
        let bytes = try await store.get(key).bytes
        try await store.put(key, Array(bytes.reversed()))
        let fresh = try await openLedger(store, seed: 5, options: smallSegments())
        #expect(fresh.checkpointFaults.map(\.key) == [key])
        #expect(try await fresh.writeCheckpoint().isNew)
        let next = try await openLedger(store, seed: 6, options: smallSegments())
        #expect(next.known.state == log.known.state)
        #expect(next.checkpointFaults.isEmpty)
    }

    @Test("an entry that a checkpoint was made of and that is gone is an error, not an older state")
    func missingEntry() async throws {
        let store = MemoryStore()
        let log = try await openLedger(store, options: smallSegments())
        for index in 0..<8 { _ = try await log.commit(request("\(index)")) }
        try await log.writeCheckpoint()
        try await store.delete(LogEntry.key(of: 8))
        await #expect { try await openLedger(store, options: smallSegments()) } throws: {
            ($0 as? CommitLogError)?.key == LogEntry.key(of: 8)
        }
    }

    @Test("a checkpoint of another history is not used")
    func otherHistory() async throws {
        let (store, other) = (MemoryStore(), MemoryStore())
        let log = try await openLedger(store, options: smallSegments())
        try await other.put(Warehouse.key, try await store.get(Warehouse.key).bytes)
        let rival = try await openLedger(other, seed: 9, options: smallSegments())
        for index in 0..<4 {
            _ = try await log.commit(request("\(index)"))
            _ = try await rival.commit(request("rival-\(index)"))
        }
        try await rival.writeCheckpoint()
        for object in try await other.listAll(prefix: checkpointPrefix) {
            try await store.put(object.key, try await other.get(object.key).bytes)
        }
        let fresh = try await openLedger(store, seed: 3, options: smallSegments())
        #expect(fresh.known.state == log.known.state)
        #expect(fresh.checkpointFaults.count == 1)
        #expect(try await fresh.verify().checkpointFaults.count == 1)
    }

    @Test("a checkpoint that lies about the state is found by verification")
    func lyingCheckpoint() async throws {
        let (store, other) = (MemoryStore(), MemoryStore())
        let log = try await openLedger(store, options: smallSegments())
        for index in 0..<4 { _ = try await log.commit(request("\(index)")) }
        // A program with a mistake: another meaning of the same entries, under the same hash.
        var machine = LedgerMachine()
        machine.suffix = "!"
        for object in try await store.listAll(prefix: "_varve/") {
            try await other.put(object.key, try await store.get(object.key).bytes)
        }
        let wrong = try await Ledger.open(
            store: other,
            warehouse: log.warehouse,
            machine: machine,
            ambient: .virtual(seed: 4),
            options: smallSegments()
        )
        try await wrong.writeCheckpoint()
        for object in try await other.listAll(prefix: checkpointPrefix) {
            try await store.put(object.key, try await other.get(object.key).bytes)
        }
        let found = try await log.verify()
        #expect(found.fault == nil)
        #expect(
            found.checkpointFaults.map(\.key) == [checkpointPrefix + "00000000000000000004.json"]
        )
    }

    @Test("checkpoints are written in the background, and a failure fails no commit")
    func background() async throws {
        let store = MemoryStore()
        var options = smallSegments()
        options.checkpointEntryCount = 10
        let log = try await openLedger(store, time: SystemTime(), options: options)
        for index in 0..<45 {
            _ = try await log.commit(request("\(index)"))
            await log.finishCheckpoint(waitMillisMax: 300_000)
        }
        #expect(try await log.checkpointPositions() == [10, 20, 30, 40])
        #expect(log.checkpointFailure == nil)
        // A process that begins far behind writes one, too.
        options.checkpointEntryCount = 3
        let late = try await openLedger(store, seed: 2, time: SystemTime(), options: options)
        await late.finishCheckpoint(waitMillisMax: 300_000)
        #expect(try await log.checkpointPositions() == [10, 20, 30, 40, 45])
        #expect(try await late.verify().checkpointFaults.isEmpty)
    }

    @Test("the ids of a checkpoint keep to the window of the log")
    func window() async throws {
        let (store, time) = (MemoryStore(), ManualTime())
        var options = smallSegments()
        options.idCountMax = 40
        let log = try await openLedger(store, time: time, options: options)
        for index in 0..<200 {
            _ = try await log.commit(request("\(index)"))
            if index % 3 == 0 { try await log.writeCheckpoint() }
        }
        let fresh = try await openLedger(store, seed: 2, time: time, options: options)
        let before = fresh.known.tip.sequence
        for index in 165..<200 { _ = try await fresh.commit(request("\(index)")) }
        #expect(fresh.known.tip.sequence == before)
        #expect(try await fresh.verify().checkpointFaults.isEmpty)
    }

    @Test("random bytes are no index and no segment", arguments: 0..<8 as Range<UInt64>)
    func randomBytes(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let store = MemoryStore()
        let log = try await openLedger(store, options: smallSegments())
        for index in 0..<8 { _ = try await log.commit(request("\(index)", "list-\(index)")) }
        try await log.writeCheckpoint()
        let objects = try await store.listAll(prefix: checkpointPrefix)
        for _ in 0..<60 {
            let object = try #require(objects.randomElement(using: &random))
            let bytes = try await store.get(object.key).bytes
            try await store.put(object.key, TestSupport.randomBytes(upTo: 400, using: &random))
            let fresh = try await openLedger(store, seed: 5, options: smallSegments())
            #expect(fresh.known.state == log.known.state)
            try await store.put(object.key, bytes)
        }
    }

    @Test(
        "servers that start from checkpoints while others commit and write some agree with a full read",
        arguments: 0..<40 as Range<UInt64>
    )
    func simulated(seed: UInt64) async throws {
        try await SimulationExecutor.run(seed: seed) {
            let memory = MemoryStore(time: ManualTime())
            _ = try await Warehouse.openOrCreate(in: memory, ambient: .virtual(seed: seed))
            let store = SimulatedStore(memory, seed: seed, rates: delays(0.5))
            let servers = [
                try await openLedger(store, seed: seed * 10, options: smallSegments()),
                try await openLedger(store, seed: seed * 10 + 1, options: smallSegments()),
            ]
            store.setRates(.all(0.08))
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<4 {
                    let log = servers[writer % 2]
                    group.addTask {
                        for number in 0..<15 {
                            let request = request("\(writer)-\(number)", "list-\(number % 7)")
                            while (try? await log.commit(request)) == nil {}
                        }
                    }
                }
                for log in servers {
                    group.addTask {
                        // What fails leaves segments, or all but the index, behind.
                        for _ in 0..<12 { _ = try? await log.writeCheckpoint() }
                    }
                }
                group.addTask {
                    for number in 0..<8 {
                        let server = UInt64(100 + number)
                        guard
                            let fresh = try? await openLedger(
                                store,
                                seed: server,
                                options: smallSegments()
                            )
                        else { continue }
                        let whole = try await openLedger(memory, seed: 99, options: fullRead())
                        let position = fresh.known.tip.sequence
                        #expect(try await whole.snapshot(at: position).state == fresh.known.state)
                    }
                }
                try await group.waitForAll()
            }
            await store.settle()
            let whole = try await openLedger(memory, seed: 99, options: fullRead())
            let fresh = try await openLedger(memory, seed: 98, options: smallSegments())
            #expect(whole.known.state == fresh.known.state)
            #expect(whole.known.tip == fresh.known.tip)
            let found = try await fresh.verify()
            #expect(found.fault == nil)
            #expect(found.checkpointFaults.isEmpty)
        }
    }
}

/// A clock on which waiting is giving way to other tasks, a quarter of a millisecond each time.
private final class YieldingTime: TimeSource {
    private let clock = ManualTime()

    func nowMicros() -> Int64 { clock.nowMicros() }

    func monotonicNanos() -> Int64 { clock.monotonicNanos() }

    func sleep(nanoseconds: Int64) async throws {
        for _ in 0..<max(nanoseconds / 250_000, 1) {
            clock.advance(byNanos: 250_000)
            await Task.yield()
        }
        try Task.checkCancellation()
    }
}

@Suite struct ContentionTests {
    @Test("of 16 processes on one log nobody starves", arguments: 0..<10 as Range<UInt64>)
    func nobodyStarves(seed: UInt64) async throws {
        try await SimulationExecutor.run(seed: seed) {
            let memory = MemoryStore(time: ManualTime())
            _ = try await Warehouse.openOrCreate(in: memory, ambient: .virtual(seed: seed))
            let store = SimulatedStore(memory, seed: seed, rates: delays(0.5))
            var options = LogOptions()
            // The bound on the attempts of the unluckiest commit: beyond it the commit is refused.
            options.lostAttemptsMax = 40
            var processes: [Ledger] = []
            for index in 0..<16 {
                processes.append(
                    try await openLedger(
                        store,
                        seed: seed * 100 + UInt64(index),
                        time: YieldingTime(),
                        options: options
                    )
                )
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (index, log) in processes.enumerated() {
                    group.addTask {
                        for number in 0..<20 {
                            _ = try await log.commit(request("\(index)-\(number)"))
                        }
                    }
                }
                try await group.waitForAll()
            }
            let items = try await openLedger(memory).known.state["a"] ?? []
            #expect(Set(items).count == 320 && items.count == 320)
            let creations = store.count(of: "putIfAbsent")
            if seed == 0 { print("16 processes, 320 commits: \(creations) attempts at entries") }
        }
    }
}
