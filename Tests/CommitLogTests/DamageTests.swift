import Ambient
import CommitLog
import ObjectStorage
import Testing
import TestSupport

@Suite struct DamageTests {
    private func makeLog(_ store: MemoryStore, entryCount: Int) async throws -> Ledger {
        let log = try await openLedger(store)
        for index in 0..<entryCount { _ = try await log.commit(request("\(index)")) }
        return log
    }

    @Test("flipping any bit of any object of the log is found by replay and by verify, by its key")
    func flippedBits() async throws {
        let store = MemoryStore()
        let log = try await makeLog(store, entryCount: 3)
        #expect(try await log.verify().fault == nil)
        for object in try await store.listAll(prefix: "_varve/") {
            let bytes = try await store.get(object.key).bytes
            for index in bytes.indices {
                for bit in [0, 5, 7] {
                    var damaged = bytes
                    damaged[index] ^= 1 << bit
                    try await store.put(object.key, damaged)
                    await #expect { try await openLedger(store) } throws: {
                        ($0 as? CommitLogError)?.key == object.key
                            && ($0 as? CommitLogError)?.code == .corrupt
                    }
                    let fault = try await log.verify().fault
                    #expect(fault?.key == object.key)
                }
            }
            for damaged in [[], Array(bytes.dropLast()), bytes + [0x20], Array(bytes.dropFirst())] {
                try await store.put(object.key, damaged)
                let fault = try await log.verify().fault
                #expect(fault?.key == object.key)
                await #expect(throws: CommitLogError.self) { try await openLedger(store) }
            }
            try await store.put(object.key, bytes)
        }
        #expect(try await log.verify().commitCount == 3)
    }

    @Test(
        "a missing entry is an error that names it, not an older state",
        arguments: [1, 2, 29, 99]
    )
    func missingEntry(_ position: Int64) async throws {
        let store = MemoryStore()
        let log = try await makeLog(store, entryCount: 100)
        try await store.delete(LogEntry.key(of: position))
        await #expect { try await openLedger(store) } throws: {
            ($0 as? CommitLogError)?.key == LogEntry.key(of: position)
        }
        #expect(try await log.verify().fault?.key == LogEntry.key(of: position))
        #expect(try await log.verify(from: position + 1).fault?.key == LogEntry.key(of: position))
        if position < 90 { #expect(try await log.verify(from: position + 2).fault == nil) }
        #expect(try await log.verify(to: position - 1).fault == nil)
        await #expect(throws: CommitLogError.self) {
            try await log.entries(from: position, countMax: 5)
        }
        let entries = try await log.entries(from: 50, countMax: 3)
        #expect(entries.map(\.sequence) == [50, 51, 52])
    }

    @Test("a last entry that goes missing is seen by those who had read it")
    func missingTail() async throws {
        let store = MemoryStore()
        let log = try await makeLog(store, entryCount: 5)
        try await store.delete(LogEntry.key(of: 5))
        #expect(try await log.verify().fault?.key == LogEntry.key(of: 5))
    }

    @Test("history rewritten with right checksums breaks the chain or differs from what was read")
    func rewritten() async throws {
        let (store, other) = (MemoryStore(), MemoryStore())
        let log = try await makeLog(store, entryCount: 4)
        // The same warehouse with another history.
        try await other.put(Warehouse.key, try await store.get(Warehouse.key).bytes)
        let rival = try await openLedger(other)
        for index in 0..<4 { _ = try await rival.commit(request("rival-\(index)")) }
        func copy(_ position: Int64) async throws {
            let key = LogEntry.key(of: position)
            try await store.put(key, try await other.get(key).bytes)
        }
        try await copy(2)
        #expect(try await log.verify().fault?.key == LogEntry.key(of: 2))
        for position in 1...4 { try await copy(Int64(position)) }
        // Sound in itself, but not what this process has read.
        let fault = try #require(try await log.verify().fault)
        #expect(fault.key == LogEntry.key(of: 4))
        #expect(try await openLedger(store).known.state["a"]?.first == "item-rival-0")
    }

    @Test("an entry of unknown content stops the log instead of being skipped")
    func unknownChange() async throws {
        let store = MemoryStore()
        _ = try await makeLog(store, entryCount: 2)
        try await store.put(
            LogEntry.key(of: 3),
            try await store.get(LogEntry.key(of: 2)).bytes
        )
        await #expect { try await openLedger(store) } throws: {
            ($0 as? CommitLogError)?.key == LogEntry.key(of: 3)
        }
    }

    @Test("random bytes never trap the reader", arguments: 0..<8 as Range<UInt64>)
    func randomBytesAreErrors(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let store = MemoryStore()
        _ = try await makeLog(store, entryCount: 2)
        let valid = try await store.get(LogEntry.key(of: 2)).bytes
        for _ in 0..<200 {
            var bytes = valid
            switch Int.random(in: 0..<3, using: &random) {
            case 0: bytes = randomBytes(upTo: 300, using: &random)
            case 1:
                for _ in 0..<3 {
                    bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(
                        in: 0...255,
                        using: &random
                    )
                }
            default: bytes.removeSubrange(0..<Int.random(in: 1..<bytes.count, using: &random))
            }
            if bytes == valid { continue }
            try await store.put(LogEntry.key(of: 2), bytes)
            await #expect(throws: CommitLogError.self) { try await openLedger(store) }
        }
    }
}
