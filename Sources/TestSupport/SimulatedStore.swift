import Ambient
package import ObjectStorage
import Synchronization

/// How often a store misbehaves, each from 0 to 1.
package struct SimulatedFaults: Sendable {
    /// Says `unavailable` and does nothing.
    package var failsBefore = 0.0
    /// Does a write and says `unknownOutcome`.
    package var losesAnswer = 0.0
    /// Says `unknownOutcome` and does the write later, in between other operations.
    package var writesLate = 0.0
    /// Creates an object and says `alreadyExists`, as after a retry inside a store.
    package var retriesInside = 0.0
    /// Lets other tasks run first.
    package var delays = 0.0

    package init() {}

    /// Every kind of trouble at the same rate.
    package static func all(_ rate: Double) -> SimulatedFaults {
        var rates = SimulatedFaults()
        rates.failsBefore = rate
        rates.losesAnswer = rate
        rates.writesLate = rate
        rates.retriesInside = rate
        rates.delays = 0.5
        return rates
    }
}

/// A store whose requests overlap, fail before their effect, lose their answers and arrive late, in an
/// order drawn from a seed.
///
/// Made for `SimulationExecutor`: waiting is giving way to other tasks. `FaultyStore` is the one for
/// single, scripted faults.
package final class SimulatedStore: ObjectStore {
    private typealias Write = @Sendable () async throws -> Void

    private struct State {
        var random: SeededGenerator
        var rates: SimulatedFaults
        var late: [Write] = []
        var counts: [String: Int] = [:]
    }

    private enum Fault { case none, before, after, late, inside }

    private let store: any ObjectStore
    private let state: Mutex<State>

    package init(_ store: any ObjectStore, seed: UInt64, rates: SimulatedFaults) {
        self.store = store
        state = Mutex(State(random: SeededGenerator(seed: seed), rates: rates))
    }

    package var root: String { store.root }

    /// How many calls of an operation came in, by its name (`get`, `putIfAbsent`, ...).
    package func count(of operation: String) -> Int {
        state.withLock { $0.counts[operation] ?? 0 }
    }

    /// Changes what goes wrong from here on.
    package func setRates(_ rates: SimulatedFaults) {
        state.withLock { $0.rates = rates }
    }

    /// Does the writes that are still under way; each may find that it comes too late.
    package func settle() async {
        while let write = state.withLock({ $0.late.popLast() }) { try? await write() }
    }

    private func chance(_ pick: (SimulatedFaults) -> Double) -> Bool {
        state.withLock { Double.random(in: 0..<1, using: &$0.random) < pick($0.rates) }
    }

    private func begin(_ operation: String) async throws {
        state.withLock { $0.counts[operation, default: 0] += 1 }
        while chance(\.delays) { await Task.yield() }
        try Task.checkCancellation()
        let late = state.withLock { state -> Write? in
            guard !state.late.isEmpty, Bool.random(using: &state.random) else { return nil }
            let at = Int.random(in: 0..<state.late.count, using: &state.random)
            return state.late.remove(at: at)
        }
        try? await late?()
    }

    private func read<Value>(
        _ operation: String,
        _ key: String,
        _ body: () async throws -> Value
    ) async throws -> Value {
        try await begin(operation)
        if chance(\.failsBefore) { throw unavailable(key) }
        let value = try await body()
        while chance(\.delays) { await Task.yield() }
        return value
    }

    private func write(
        _ operation: String,
        _ key: String,
        isCreation: Bool = false,
        _ body: @escaping @Sendable () async throws -> ObjectMetadata
    ) async throws -> ObjectMetadata {
        try await begin(operation)
        if chance(\.failsBefore) { throw unavailable(key) }
        if chance(\.writesLate) {
            state.withLock { $0.late.append { _ = try await body() } }
            throw unknown(key)
        }
        let metadata = try await body()
        while chance(\.delays) { await Task.yield() }
        if chance(\.losesAnswer) { throw unknown(key) }
        if isCreation, chance(\.retriesInside) {
            throw ObjectStoreError(.alreadyExists, "simulated retry", key: key, store: root)
        }
        return metadata
    }

    private func unavailable(_ key: String) -> ObjectStoreError {
        ObjectStoreError(.unavailable, "simulated failure", key: key, store: root)
    }

    private func unknown(_ key: String) -> ObjectStoreError {
        ObjectStoreError(.unknownOutcome, "simulated lost answer", key: key, store: root)
    }

    package func get(_ key: String) async throws -> ObjectData {
        try await read("get", key) { try await store.get(key) }
    }

    package func get(_ key: String, range: Range<Int>) async throws -> [UInt8] {
        try await read("getRange", key) { try await store.get(key, range: range) }
    }

    package func getRanges(_ key: String, _ ranges: [Range<Int>]) async throws -> [[UInt8]] {
        try await read("getRanges", key) { try await store.getRanges(key, ranges) }
    }

    package func getSuffix(_ key: String, count: Int) async throws -> ObjectSuffix {
        try await read("getSuffix", key) { try await store.getSuffix(key, count: count) }
    }

    package func head(_ key: String) async throws -> ObjectMetadata {
        try await read("head", key) { try await store.head(key) }
    }

    @discardableResult
    package func put(_ key: String, _ bytes: [UInt8]) async throws -> ObjectMetadata {
        let store = store
        return try await write("put", key) { try await store.put(key, bytes) }
    }

    @discardableResult
    package func putIfAbsent(_ key: String, _ bytes: [UInt8]) async throws -> ObjectMetadata {
        let store = store
        return try await write("putIfAbsent", key, isCreation: true) {
            try await store.putIfAbsent(key, bytes)
        }
    }

    @discardableResult
    package func replace(
        _ key: String,
        _ bytes: [UInt8],
        ifMatch entityTag: String
    ) async throws -> ObjectMetadata {
        let store = store
        return try await write("replace", key) {
            try await store.replace(key, bytes, ifMatch: entityTag)
        }
    }

    package func list(
        prefix: String,
        startAfter: String?,
        delimiter: Bool,
        limit: Int,
        continuation: String?
    ) async throws -> ListPage {
        try await read("list", prefix) {
            try await store.list(
                prefix: prefix,
                startAfter: startAfter,
                delimiter: delimiter,
                limit: limit,
                continuation: continuation
            )
        }
    }

    package func delete(_ keys: [String]) async throws {
        try await read("delete", keys.first ?? "") { try await store.delete(keys) }
    }

    package func beginUpload(_ key: String) async throws -> any ObjectUpload {
        try await read("beginUpload", key) { try await store.beginUpload(key) }
    }
}
