import Ambient
import ObjectStorage
import Synchronization
import Testing
import TestSupport

/// A store that lies about conditional writes in one way.
private final class LyingStore: ForwardingStore {
    enum Lie: CaseIterable {
        case createsAlways, ignoresTags, refusesGoodTags, racesLost, changesOnRefusal
    }

    let below: any ObjectStore = MemoryStore()
    private let lie: Lie

    init(_ lie: Lie) { self.lie = lie }

    func putIfAbsent(_ key: String, _ bytes: [UInt8]) async throws -> ObjectMetadata {
        switch lie {
        case .createsAlways:
            return try await below.put(key, bytes)
        case .racesLost where key.contains("race"):
            // Looks, and then writes: right as long as nobody else does.
            do {
                _ = try await below.head(key)
                return try await below.putIfAbsent(key, bytes)
            } catch let error as ObjectStoreError where error.code == .notFound {
                for _ in 0..<100 { await Task.yield() }
                return try await below.put(key, bytes)
            }
        case .changesOnRefusal:
            do {
                return try await below.putIfAbsent(key, bytes)
            } catch {
                try await below.put(key, bytes)
                throw error
            }
        default:
            return try await below.putIfAbsent(key, bytes)
        }
    }

    func replace(_ key: String, _ bytes: [UInt8], ifMatch tag: String) async throws
        -> ObjectMetadata
    {
        if lie == .ignoresTags { return try await below.put(key, bytes) }
        if lie == .refusesGoodTags {
            throw ObjectStoreError(.preconditionFailed, "no", key: key, store: root)
        }
        return try await below.replace(key, bytes, ifMatch: tag)
    }
}

@Suite struct ProbeTests {
    @Test("a store that lies is refused with words, and cleaned up", arguments: 0..<5)
    func lies(index: Int) async throws {
        let store = LyingStore(LyingStore.Lie.allCases[index])
        let error = await #expect(throws: ObjectStoreError.self) {
            try await probeConditionalWrites(store, id: "x")
        }
        #expect(error?.code == .unsupported)
        #expect(error?.message.contains("Use a store that honours") == true)
        #expect(try await store.listAll(prefix: "").isEmpty)
    }

    @Test("faults of the store are told as such, not as lies")
    func faults() async throws {
        let store = FaultyStore(MemoryStore())
        store.failNext(.replace, .before)
        let error = await #expect(throws: ObjectStoreError.self) {
            try await probeConditionalWrites(store, id: "x")
        }
        #expect(error?.code == .unavailable)
        #expect(try await store.listAll(prefix: "").isEmpty)
    }
}

@Suite struct FaultyStoreTests {
    @Test("a fault before the effect leaves nothing, one after it leaves everything")
    func scripts() async throws {
        let inner = MemoryStore()
        let store = FaultyStore(inner)
        store.failNext(.putIfAbsent, keyPart: "log/", .before)
        store.failNext(.putIfAbsent, keyPart: "log/", .after)
        try await store.putIfAbsent("data/1", [1])
        var error = await #expect(throws: ObjectStoreError.self) {
            try await store.putIfAbsent("log/1", [1])
        }
        #expect(error?.code == .unavailable)
        #expect(try await inner.listAll(prefix: "log/").isEmpty)
        error = await #expect(throws: ObjectStoreError.self) {
            try await store.putIfAbsent("log/1", [1])
        }
        #expect(error?.code == .unknownOutcome)
        #expect(try await inner.get("log/1").bytes == [1])
        #expect(store.count(.putIfAbsent) == 3 && store.faultCount == 2)
    }

    @Test("random faults repeat for a seed, and strike about as often as asked")
    func rates() async throws {
        func outcomes(_ seed: UInt64) async -> [Bool] {
            let time = ManualTime()
            let store = FaultyStore(
                MemoryStore(),
                seed: seed,
                rates: FaultyStore.Rates(before: 0.1, after: 0.1, delay: 0.2),
                time: time
            )
            var outcomes: [Bool] = []
            for number in 0..<1000 {
                outcomes.append((try? await store.put("\(number)", [])) != nil)
            }
            #expect(time.sleptNanos.count > 100)
            return outcomes
        }
        let first = await outcomes(1)
        #expect(await outcomes(1) == first)
        #expect(await outcomes(2) != first)
        #expect((700...900).contains(first.filter { $0 }.count))
    }
}
