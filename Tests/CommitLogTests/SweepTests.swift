import Ambient
import CommitLog
import ObjectStorage
import Synchronization
import Testing
import TestSupport

private let hour: Int64 = 3_600_000_000_000
private let checkpointPrefix = "_varve/checkpoints/"

private func options() -> LogOptions {
    var options = LogOptions()
    options.checkpointSegmentBytes = 256
    options.checkpointEntryCount = 0
    options.historySpacing = 1 << 40
    return options
}

/// Does something before a request reaches the store.
private final class InterruptedStore: ForwardingStore {
    let below: any ObjectStore
    let interruption: @Sendable (_ operation: String, _ key: String) async throws -> Void

    init(
        _ below: any ObjectStore,
        _ interruption: @escaping @Sendable (String, String) async throws -> Void
    ) {
        self.below = below
        self.interruption = interruption
    }

    func putIfAbsent(_ key: String, _ bytes: [UInt8]) async throws -> ObjectMetadata {
        try await interruption("putIfAbsent", key)
        return try await below.putIfAbsent(key, bytes)
    }
}

@Suite struct SweepTests {
    private func segments(_ store: any ObjectStore) async throws -> Set<String> {
        Set(try await store.listAll(prefix: checkpointPrefix + "segments/").map(\.key))
    }

    @Test(
        "old checkpoints go but for some, with the segments that only they had; nothing else changes"
    )
    func sweeping() async throws {
        let time = ManualTime()
        let store = MemoryStore(time: time)
        let log = try await openLedger(store, time: time, options: options())
        for index in 0..<300 {
            _ = try await log.commit(request("\(index)", "list-\(index % 23)"))
            if index % 5 == 4 {
                time.advance(byNanos: hour / 2)
                try await log.writeCheckpoint()
            }
        }
        let before = try await log.checkpointPositions()
        let segmentsBefore = try await segments(store)
        #expect(before.count == 60)
        await #expect(throws: CommitLogError.self) {
            try await log.sweepCheckpoints(graceMillis: 3_599_999)
        }
        let dry = try await log.sweepCheckpoints(isDry: true)
        #expect(try await log.checkpointPositions() == before)
        let swept = try await log.sweepCheckpoints()
        let after = try await log.checkpointPositions()
        #expect(swept.removedCheckpointCount == dry.removedCheckpointCount)
        #expect(after.count == swept.keptCheckpointCount)
        #expect(before.count - after.count == swept.removedCheckpointCount)
        // Those of the last hour, the one before, and some of before.
        #expect(after.suffix(3) == [290, 295, 300])
        #expect((4...16).contains(after.count) && after.contains { $0 < 100 }, "\(after)")
        #expect(
            swept.removedSegmentCount > 0 && swept.removedSegmentCount == dry.removedSegmentCount
        )
        #expect(
            try await segments(store).count == segmentsBefore.count - swept.removedSegmentCount
        )
        #expect(try await log.sweepCheckpoints().removedSegmentCount == 0)
        let fresh = try await openLedger(store, seed: 3, time: time, options: options())
        #expect(fresh.known.state == log.known.state)
        for position in stride(from: Int64(0), through: 300, by: 7) {
            let state = try await fresh.snapshot(at: position).state
            #expect(state.values.reduce(0) { $0 + $1.count } == Int(position))
        }
        let found = try await fresh.verify()
        #expect(found.fault == nil && found.checkpointFaults.isEmpty)
        #expect(found.checkpointCount == after.count)
        // Sweeping again and again leaves some of every age.
        for index in 1000..<1200 {
            _ = try await log.commit(request("\(index)", "list-\(index % 23)"))
            if index % 5 == 4 {
                time.advance(byNanos: hour)
                try await log.writeCheckpoint()
                _ = try await log.sweepCheckpoints()
            }
        }
        let ages = try await log.checkpointPositions().map { 500 - $0 }
        #expect(ages.count < 24, "\(ages)")
        #expect(ages.contains { $0 > 256 } && ages.contains { (32...255).contains($0) }, "\(ages)")
        _ = try await fresh.read()
        // Later ones build on what is left.
        for index in 300..<310 { _ = try await fresh.commit(request("\(index)", "list-3")) }
        try await fresh.writeCheckpoint()
        #expect(try await fresh.verify().checkpointFaults.isEmpty)
    }

    @Test("nothing goes while the newest sound checkpoint is young, or the later ones are damaged")
    func keeping() async throws {
        let time = ManualTime()
        let store = MemoryStore(time: time)
        let log = try await openLedger(store, time: time, options: options())
        for index in 0..<6 {
            for number in 0..<20 { _ = try await log.commit(request("\(index) \(number)")) }
            try await log.writeCheckpoint()
            time.advance(byNanos: hour / 10)
        }
        #expect(try await log.sweepCheckpoints().removedCheckpointCount == 0)
        time.advance(byNanos: 2 * hour)
        // Nothing came to lie there since: the store does not say that time has passed.
        #expect(try await log.sweepCheckpoints().removedCheckpointCount == 0)
        let damaged = checkpointPrefix + "00000000000000000120.json"
        try await store.put(damaged, [1, 2, 3])
        _ = try await log.commit(request("more"))
        time.advance(byNanos: 2 * hour)
        try await log.writeCheckpoint()
        // The anchor is the newest that can be read; segments stay while nobody knows what one names.
        let swept = try await log.sweepCheckpoints()
        #expect(swept.removedSegmentCount == 0)
        #expect(try await log.checkpointPositions().contains(120))
        #expect(try await log.checkpointPositions().contains(100))
        let fresh = try await openLedger(store, seed: 4, time: time, options: options())
        #expect(fresh.known.state == log.known.state)
    }

    @Test("a checkpoint whose base is swept away while it is written is taken back")
    func sweptBase() async throws {
        let time = ManualTime()
        let memory = MemoryStore(time: time)
        let log = try await openLedger(memory, time: time, options: options())
        for index in 0..<20 { _ = try await log.commit(request("\(index)", "list-\(index)")) }
        try await log.writeCheckpoint()
        let store = InterruptedStore(memory) { operation, key in
            if operation == "putIfAbsent", key == checkpointPrefix + "00000000000000000021.json" {
                let base = checkpointPrefix + "00000000000000000020.json"
                try await memory.delete([base])
            }
        }
        let slow = try await openLedger(store, seed: 2, time: time, options: options())
        _ = try await slow.commit(request("one more"))
        await #expect(throws: CommitLogError.self) { try await slow.writeCheckpoint() }
        #expect(try await log.checkpointPositions().isEmpty)
        try await slow.writeCheckpoint()
        #expect(try await slow.verify().checkpointFaults.isEmpty)
    }

    @Test(
        "who starts, looks back and writes checkpoints beside a sweep gets what the entries say",
        arguments: 0..<20 as Range<UInt64>
    )
    func simulated(seed: UInt64) async throws {
        try await SimulationExecutor.run(seed: seed) {
            let time = ManualTime()
            let memory = MemoryStore(time: time)
            _ = try await Warehouse.openOrCreate(in: memory, ambient: .virtual(seed: seed))
            let store = SimulatedStore(memory, seed: seed, rates: delays(0.5))
            let writer = try await openLedger(
                store,
                seed: seed * 10,
                time: time,
                options: options()
            )
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    for index in 0..<60 {
                        _ = try await writer.commit(request("\(index)", "list-\(index % 9)"))
                        guard index % 2 == 1 else { continue }
                        time.advance(byNanos: hour * 2 / 3)
                        // Its base may be swept away: then there is no checkpoint this time.
                        _ = try? await writer.writeCheckpoint()
                    }
                }
                group.addTask {
                    for round in 0..<8 {
                        let sweeper = try await openLedger(
                            store,
                            seed: seed * 10 + 2 + UInt64(round),
                            time: time,
                            options: options()
                        )
                        _ = try await sweeper.sweepCheckpoints()
                    }
                }
                for reader in 0..<2 {
                    group.addTask {
                        for round in 0..<8 {
                            let log = try await openLedger(
                                store,
                                seed: seed * 100 + UInt64(reader * 20 + round),
                                time: time,
                                options: options()
                            )
                            let last = log.known.tip.sequence
                            for position in [last, last / 2, last / 3] {
                                let state = try await log.snapshot(at: position).state
                                let count = state.values.reduce(0) { $0 + $1.count }
                                #expect(count == Int(position))
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
            let found = try await openLedger(memory, seed: 9, time: time).verify()
            #expect(found.fault == nil && found.checkpointFaults.isEmpty)
        }
    }

    @Test(
        "a checkpoint in the background that fails is counted and told, and the next one may succeed"
    )
    func failures() async throws {
        let memory = MemoryStore()
        let fails = Mutex(true)
        let store = InterruptedStore(memory) { _, key in
            if key.hasPrefix(checkpointPrefix), fails.withLock({ $0 }) {
                throw ObjectStoreError(.denied, "no room", key: key)
            }
        }
        var options = options()
        options.checkpointEntryCount = 5
        let log = try await openLedger(store, time: SystemTime(), options: options)
        let told = Mutex<[String]>([])
        log.observeCheckpointFailures { reason in told.withLock { $0.append(reason) } }
        for index in 0..<10 {
            _ = try await log.commit(request("\(index)"))
            await log.finishCheckpoint(waitMillisMax: 300_000)
        }
        #expect(log.checkpointFailureCount == 2)
        #expect(told.withLock { $0.count } == 2)
        #expect(told.withLock { $0.allSatisfy { $0.contains("no room") } })
        fails.withLock { $0 = false }
        for index in 10..<15 {
            _ = try await log.commit(request("\(index)"))
            await log.finishCheckpoint(waitMillisMax: 300_000)
        }
        #expect(log.checkpointFailure == nil && log.checkpointFailureCount == 2)
        #expect(try await log.checkpointPositions() == [15])
    }
}
