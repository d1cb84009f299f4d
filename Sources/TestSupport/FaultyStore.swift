package import Ambient
package import ObjectStorage
import Synchronization

/// A store that fails on purpose: before an operation has its effect, or after it, as if the answer
/// had been lost.
///
/// Random faults follow a seed and so repeat; scripted ones hit the next operation that fits.
package final class FaultyStore: ObjectStore {
    /// What a fault can hit; uploads count by their calls.
    package enum Operation: String, Sendable, CaseIterable {
        case get, getRange, getRanges, getSuffix, head, put, putIfAbsent, replace, list, delete
        case beginUpload, uploadWrite, uploadFinish

        /// Whether a lost answer leaves doubt.
        package var isWrite: Bool {
            switch self {
            case .put, .putIfAbsent, .replace, .delete, .uploadFinish: true
            default: false
            }
        }
    }

    /// What goes wrong.
    package enum Fault: Sendable, Equatable {
        /// Nothing is done; `unavailable` is thrown.
        case before
        /// Everything is done; writes throw `unknownOutcome`, reads `unavailable`.
        case after
        /// Everything is done, and answered after a wait.
        case delay(nanoseconds: Int64)
    }

    /// How likely each fault is, from 0 to 1.
    package struct Rates: Sendable {
        package var before: Double
        package var after: Double
        package var delay: Double
        package var delayNanosMax: Int64

        package init(
            before: Double = 0,
            after: Double = 0,
            delay: Double = 0,
            delayNanosMax: Int64 = 1_000_000
        ) {
            self.before = before
            self.after = after
            self.delay = delay
            self.delayNanosMax = delayNanosMax
        }
    }

    private struct Script {
        var operation: Operation?
        var keyPart: String
        var fault: Fault
    }

    private struct State {
        var random: SeededGenerator
        var rates: Rates
        var scripts: [Script] = []
        var counts: [Operation: Int] = [:]
        var faultCount = 0
    }

    package let root: String
    private let store: any ObjectStore
    private let time: any TimeSource
    private let state: Mutex<State>

    package init(
        _ store: any ObjectStore,
        seed: UInt64 = 0,
        rates: Rates = Rates(),
        time: any TimeSource = ManualTime()
    ) {
        self.store = store
        self.time = time
        root = store.root
        state = Mutex(State(random: SeededGenerator(seed: seed), rates: rates))
    }

    /// Lets the next operation that fits fail; several calls line up.
    ///
    /// - Parameters:
    ///   - operation: nil for any.
    ///   - keyPart: what the key must contain.
    package func failNext(_ operation: Operation?, keyPart: String = "", _ fault: Fault) {
        let script = Script(operation: operation, keyPart: keyPart, fault: fault)
        state.withLock { $0.scripts.append(script) }
    }

    /// Changes how likely faults are from now on.
    package func setRates(_ rates: Rates) {
        state.withLock { $0.rates = rates }
    }

    /// How often an operation was asked for.
    package func count(_ operation: Operation) -> Int {
        state.withLock { $0.counts[operation] ?? 0 }
    }

    /// How many operations were asked for.
    package var operationCount: Int {
        state.withLock { $0.counts.values.reduce(0, +) }
    }

    /// How many operations failed on purpose.
    package var faultCount: Int {
        state.withLock { $0.faultCount }
    }

    private func nextFault(_ operation: Operation, _ key: String) -> Fault? {
        state.withLock { state -> Fault? in
            state.counts[operation, default: 0] += 1
            if let at = state.scripts.firstIndex(where: {
                ($0.operation == nil || $0.operation == operation)
                    && ($0.keyPart.isEmpty || key.contains($0.keyPart))
            }) {
                let fault = state.scripts.remove(at: at).fault
                if fault == .before || fault == .after { state.faultCount += 1 }
                return fault
            }
            let rates = state.rates
            let dice = Double.random(in: 0..<1, using: &state.random)
            if dice < rates.before + rates.after {
                state.faultCount += 1
                return dice < rates.before ? .before : .after
            }
            guard dice < rates.before + rates.after + rates.delay else { return nil }
            let nanos = Int64.random(in: 0...max(rates.delayNanosMax, 0), using: &state.random)
            return .delay(nanoseconds: nanos)
        }
    }

    fileprivate func run<Value>(
        _ operation: Operation,
        _ key: String,
        _ body: () async throws -> Value
    ) async throws -> Value {
        let fault = nextFault(operation, key)
        if fault == .before {
            throw ObjectStoreError(
                .unavailable,
                "injected: \(operation.rawValue) was not done",
                key: key,
                store: root
            )
        }
        let value = try await body()
        switch fault {
        case .after:
            throw ObjectStoreError(
                operation.isWrite ? .unknownOutcome : .unavailable,
                "injected: the answer to \(operation.rawValue) was lost",
                key: key,
                store: root
            )
        case .delay(let nanoseconds):
            try await time.sleep(nanoseconds: nanoseconds)
        case .before, nil:
            break
        }
        return value
    }

    package func get(_ key: String) async throws -> ObjectData {
        try await run(.get, key) { try await store.get(key) }
    }

    package func get(_ key: String, range: Range<Int>) async throws -> [UInt8] {
        try await run(.getRange, key) { try await store.get(key, range: range) }
    }

    package func getRanges(_ key: String, _ ranges: [Range<Int>]) async throws -> [[UInt8]] {
        try await run(.getRanges, key) { try await store.getRanges(key, ranges) }
    }

    package func getSuffix(_ key: String, count: Int) async throws -> ObjectSuffix {
        try await run(.getSuffix, key) { try await store.getSuffix(key, count: count) }
    }

    package func head(_ key: String) async throws -> ObjectMetadata {
        try await run(.head, key) { try await store.head(key) }
    }

    @discardableResult
    package func put(_ key: String, _ bytes: [UInt8]) async throws -> ObjectMetadata {
        try await run(.put, key) { try await store.put(key, bytes) }
    }

    @discardableResult
    package func putIfAbsent(_ key: String, _ bytes: [UInt8]) async throws -> ObjectMetadata {
        try await run(.putIfAbsent, key) { try await store.putIfAbsent(key, bytes) }
    }

    @discardableResult
    package func replace(
        _ key: String,
        _ bytes: [UInt8],
        ifMatch entityTag: String
    ) async throws -> ObjectMetadata {
        try await run(.replace, key) {
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
        try await run(.list, prefix) {
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
        try await run(.delete, keys.first ?? "") { try await store.delete(keys) }
    }

    package func beginUpload(_ key: String) async throws -> any ObjectUpload {
        try await run(.beginUpload, key) {
            FaultyUpload(store: self, key: key, upload: try await store.beginUpload(key))
        }
    }
}

private struct FaultyUpload: ObjectUpload {
    let store: FaultyStore
    let key: String
    let upload: any ObjectUpload

    func write(_ bytes: [UInt8]) async throws {
        try await store.run(.uploadWrite, key) { try await upload.write(bytes) }
    }

    func finish() async throws -> ObjectMetadata {
        try await store.run(.uploadFinish, key) { try await upload.finish() }
    }

    func abort() async {
        await upload.abort()
    }
}
