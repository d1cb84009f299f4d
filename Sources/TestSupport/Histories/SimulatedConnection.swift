package import ObjectStorage
import Synchronization

/// The process that asked does not run any more.
package struct ProcessDied: Error {}

/// How often the network between a process and its store misbehaves, each from 0 to 1 and per request.
package struct NetworkFaults: Sendable {
    /// 503, 429 or 409: nothing was done, and the process knows.
    package var refused = 0.0
    /// 500, or the connection broke: it was done, and nobody was told.
    package var answerLost = 0.0
    /// The request timed out and is done later, when nobody waits for it.
    package var late = 0.0
    /// The request arrives twice, the second time later.
    package var twice = 0.0
    /// 412 for what was done: somebody in between sent it twice and passed on the second answer.
    package var retriedInside = 0.0
    /// A read that ends too soon, and does not say so.
    package var shortRead = 0.0
    /// A listing that does not have what was written last.
    package var staleList = 0.0
    /// A page of a listing with fewer keys than asked for.
    package var shortPage = 0.0
    /// A request or an answer that takes `slowNanosMax`, at most.
    package var slow = 0.0
    /// What a request and an answer take otherwise, at most.
    package var latencyNanosMax: Int64 = 2_000_000
    package var slowNanosMax: Int64 = 1_000_000_000

    package init() {}
}

/// The way from one simulated process to the store that it shares with others: requests and answers take
/// time, get lost, come late or twice; and with the process they end.
package final class SimulatedConnection: ForwardingStore {
    private struct State {
        var faults: NetworkFaults
        var isDead = false
        var partitionedUntilNanos: Int64 = 0
        var frozenUntilNanos: Int64 = 0
    }

    package let below: any ObjectStore
    private let world: SimulatedWorld
    private let state: Mutex<State>

    package init(_ below: any ObjectStore, world: SimulatedWorld, faults: NetworkFaults) {
        self.below = below
        self.world = world
        state = Mutex(State(faults: faults))
    }

    // MARK: - What happens to the process

    /// Ends the process: what it sent may still arrive, but it sends nothing more and hears nothing.
    package func kill() { state.withLock { $0.isDead = true } }

    package var isDead: Bool { state.withLock { $0.isDead } }

    /// Cuts the process off from the store for a time.
    package func partition(nanoseconds: Int64) {
        let until = world.nowNanos + nanoseconds
        state.withLock { $0.partitionedUntilNanos = max($0.partitionedUntilNanos, until) }
    }

    /// Stops the process for a time; what it sent arrives, and answers wait for it.
    package func freeze(nanoseconds: Int64) {
        let until = world.nowNanos + nanoseconds
        state.withLock { $0.frozenUntilNanos = max($0.frozenUntilNanos, until) }
    }

    /// Changes what goes wrong from here on; also ends a partition.
    package func set(faults: NetworkFaults) {
        state.withLock { state in
            state.faults = faults
            state.partitionedUntilNanos = 0
        }
    }

    // MARK: - Requests

    private func hits(_ pick: (NetworkFaults) -> Double, _ name: String) -> Bool {
        guard world.chance(state.withLock { pick($0.faults) }) else { return false }
        world.note(fault: name)
        return true
    }

    private func travel() async throws {
        let faults = state.withLock { $0.faults }
        let nanosMax = hits(\.slow, "slow") ? faults.slowNanosMax : faults.latencyNanosMax
        try await world.sleep(nanoseconds: world.number(in: 0...max(nanosMax, 1)))
    }

    private func whileFrozen() async throws {
        while true {
            let left = state.withLock { $0.frozenUntilNanos } - world.nowNanos
            guard left > 0, !isDead else { break }
            try await world.sleep(nanoseconds: left)
        }
        if isDead { throw ProcessDied() }
    }

    /// Waits until the process runs again, which is when it hears of a request.
    package func awake() async throws { try await whileFrozen() }

    private var isPartitioned: Bool {
        let now = world.nowNanos
        return state.withLock { now < $0.partitionedUntilNanos }
    }

    private func unavailable(_ key: String, _ status: Int?) -> ObjectStoreError {
        ObjectStoreError(.unavailable, "simulated refusal", key: key, store: root, status: status)
    }

    private func unknown(_ key: String, _ status: Int?) -> ObjectStoreError {
        ObjectStoreError(.unknownOutcome, "simulated doubt", key: key, store: root, status: status)
    }

    /// Sends a request, lets it have its effect, and brings back what `effect` says then.
    private func exchange<Value: Sendable>(
        _ key: String,
        isWrite: Bool,
        isCreation: Bool = false,
        _ effect: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        try await whileFrozen()
        if isPartitioned {
            world.note(fault: "partitioned")
            try await world.sleep(nanoseconds: world.number(in: 0...20_000_000))
            throw unavailable(key, nil)
        }
        if hits(\.refused, "refused") {
            try await travel()
            try await whileFrozen()
            throw unavailable(key, [409, 429, 500, 503][world.number(in: 0...3)])
        }
        let (world, isLate) = (world, isWrite && hits(\.late, "late"))
        if isLate || isWrite && hits(\.twice, "twice") {
            let nanosMax = max(state.withLock { $0.faults.slowNanosMax }, 1)
            let wait = world.number(in: 0...nanosMax)
            world.runInBackground {
                try? await world.sleep(nanoseconds: wait)
                _ = try? await effect()
            }
            if isLate {
                try await world.sleep(nanoseconds: world.number(in: 0...nanosMax))
                try await whileFrozen()
                throw unknown(key, nil)
            }
        }
        try await travel()
        if isDead {
            // It had been sent, or had not.
            if world.chance(0.5) { _ = try? await effect() }
            world.note(fault: isWrite ? "died in a write" : "died in a read")
            throw ProcessDied()
        }
        let result: Result<Value, any Error>
        do {
            result = .success(try await effect())
        } catch {
            result = .failure(error)
        }
        try await travel()
        if isDead { world.note(fault: isWrite ? "died after a write" : "died after a read") }
        try await whileFrozen()
        if isWrite, hits(\.answerLost, "answer lost") { throw unknown(key, 500) }
        if isCreation, case .success = result, hits(\.retriedInside, "retried inside") {
            throw ObjectStoreError(.alreadyExists, "simulated retry", key: key, store: root)
        }
        return try result.get()
    }

    private func shortened(_ bytes: [UInt8]) -> [UInt8] {
        guard !bytes.isEmpty, hits(\.shortRead, "short read") else { return bytes }
        return Array(bytes.prefix(world.number(in: 0...bytes.count - 1)))
    }

    // MARK: - Operations

    package func get(_ key: String) async throws -> ObjectData {
        let below = below
        var object = try await exchange(key, isWrite: false) { try await below.get(key) }
        object.bytes = shortened(object.bytes)
        return object
    }

    package func get(_ key: String, range: Range<Int>) async throws -> [UInt8] {
        let below = below
        return shortened(
            try await exchange(key, isWrite: false) { try await below.get(key, range: range) }
        )
    }

    package func getRanges(_ key: String, _ ranges: [Range<Int>]) async throws -> [[UInt8]] {
        let below = below
        return try await exchange(key, isWrite: false) { try await below.getRanges(key, ranges) }
    }

    package func getSuffix(_ key: String, count: Int) async throws -> ObjectSuffix {
        let below = below
        return try await exchange(key, isWrite: false) {
            try await below.getSuffix(key, count: count)
        }
    }

    package func head(_ key: String) async throws -> ObjectMetadata {
        let below = below
        return try await exchange(key, isWrite: false) { try await below.head(key) }
    }

    @discardableResult
    package func put(_ key: String, _ bytes: [UInt8]) async throws -> ObjectMetadata {
        let below = below
        return try await exchange(key, isWrite: true) { try await below.put(key, bytes) }
    }

    @discardableResult
    package func putIfAbsent(_ key: String, _ bytes: [UInt8]) async throws -> ObjectMetadata {
        let below = below
        return try await exchange(key, isWrite: true, isCreation: true) {
            try await below.putIfAbsent(key, bytes)
        }
    }

    @discardableResult
    package func replace(
        _ key: String,
        _ bytes: [UInt8],
        ifMatch entityTag: String
    ) async throws -> ObjectMetadata {
        let below = below
        return try await exchange(key, isWrite: true) {
            try await below.replace(key, bytes, ifMatch: entityTag)
        }
    }

    package func list(
        prefix: String,
        startAfter: String?,
        delimiter: Bool,
        limit: Int,
        continuation: String?
    ) async throws -> ListPage {
        let below = below
        let isShort = hits(\.shortPage, "short page")
        let limit = isShort ? world.number(in: 1...max(min(limit, 3), 1)) : limit
        var page = try await exchange(prefix, isWrite: false) {
            try await below.list(
                prefix: prefix,
                startAfter: startAfter,
                delimiter: delimiter,
                limit: limit,
                continuation: continuation
            )
        }
        if !page.objects.isEmpty, hits(\.staleList, "stale listing") {
            let newest = page.objects.indices.max { left, right in
                let (one, other) = (page.objects[left], page.objects[right])
                return (one.lastModifiedMicros, one.key) < (other.lastModifiedMicros, other.key)
            }
            if let newest { page.objects.remove(at: newest) }
        }
        return page
    }

    package func delete(_ keys: [String]) async throws {
        let below = below
        try await exchange(keys.first ?? "", isWrite: true) { try await below.delete(keys) }
    }

    package func beginUpload(_ key: String) async throws -> any ObjectUpload {
        throw ObjectStoreError(
            .unsupported,
            "simulated processes write whole objects",
            key: key,
            store: root
        )
    }
}

/// What was done to the entries of a log, in the order in which the store did it: the truth that a
/// history is held against.
package final class LogWitness: ForwardingStore {
    /// An entry's bytes as they came to lie in the store.
    package struct Writing: Sendable {
        package var key: String
        package var bytes: [UInt8]
        package var moment: SimulatedWorld.Moment
        /// The entry was there before, in other words or the same.
        package var isOverwriting: Bool
        /// The entry was there before, and was removed.
        package var isAfterRemoval: Bool
    }

    private struct State {
        var writings: [Writing] = []
        var present: Set<String> = []
        var removed: Set<String> = []
        /// When anything else was written first, by key.
        var written: [String: SimulatedWorld.Moment] = [:]
    }

    package let below: any ObjectStore
    private let prefix: String
    private let world: SimulatedWorld
    private let state = Mutex(State())

    /// - Parameter prefix: with which the keys of entries begin.
    package init(_ below: any ObjectStore, prefix: String, world: SimulatedWorld) {
        self.below = below
        self.prefix = prefix
        self.world = world
    }

    /// Everything that was written under the prefix so far.
    package var writings: [Writing] { state.withLock { $0.writings } }

    /// When an object that is no entry was written first, by key.
    package var written: [String: SimulatedWorld.Moment] { state.withLock { $0.written } }

    private func note(_ key: String, _ bytes: [UInt8]) {
        let moment = world.moment()
        guard key.hasPrefix(prefix) else {
            return state.withLock { state in
                if state.written[key] == nil { state.written[key] = moment }
            }
        }
        state.withLock { state in
            let writing = Writing(
                key: key,
                bytes: bytes,
                moment: moment,
                isOverwriting: !state.present.insert(key).inserted,
                isAfterRemoval: state.removed.contains(key)
            )
            state.writings.append(writing)
        }
    }

    @discardableResult
    package func put(_ key: String, _ bytes: [UInt8]) async throws -> ObjectMetadata {
        let metadata = try await below.put(key, bytes)
        note(key, bytes)
        return metadata
    }

    @discardableResult
    package func putIfAbsent(_ key: String, _ bytes: [UInt8]) async throws -> ObjectMetadata {
        let metadata = try await below.putIfAbsent(key, bytes)
        note(key, bytes)
        return metadata
    }

    @discardableResult
    package func replace(
        _ key: String,
        _ bytes: [UInt8],
        ifMatch entityTag: String
    ) async throws -> ObjectMetadata {
        let metadata = try await below.replace(key, bytes, ifMatch: entityTag)
        note(key, bytes)
        return metadata
    }

    package func delete(_ keys: [String]) async throws {
        try await below.delete(keys)
        state.withLock { state in
            for key in keys where state.present.remove(key) != nil { state.removed.insert(key) }
        }
    }
}
