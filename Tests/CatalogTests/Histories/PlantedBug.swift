import Ambient
import Bytes
import CommitLog
import ObjectStorage
import Synchronization
import TestSupport

/// Mistakes that a catalog could make, to see that histories show them.
///
/// None is in the code that ships: a store between the process and its network, an option or the client
/// makes it behave as if.
enum PlantedBug: String, CaseIterable, Sendable {
    /// Writes entries without the condition that there is none.
    case overwritesEntries
    /// Takes a lost answer for a yes, without reading back.
    case skipsReadingBack
    /// Acknowledges what it is going to write.
    case acknowledgesEarly
    /// Takes 412 after a lost answer for a loss, though the entry there is its own.
    case takesDoubtForLoss
    /// Asks again under a new id after an unknown outcome.
    case retriesUnderNewID
    /// Answers strong reads without looking.
    case servesStaleTip
    /// Signs entries with its clock alone.
    case timeGoesBack
    /// Checkpoints without the ids of commits.
    case forgetsIDsInCheckpoints
    /// A checkpoint says that it is of one entry more than it is.
    case checkpointLacksLast
    /// Writes a commit of several changes without the last.
    case writesHalf
    /// Reads the boundary once and never again.
    case trustsBoundaryForever
    /// Commits serializable transactions without looking at what they read.
    case skipsReadValidation
    /// Commits transactions over what others committed first.
    case skipsWriteValidation
    /// Of those who share a snapshot, leaves one out.
    case losesSharedFile
    /// Takes an entry that carries files for complete without looking.
    case showsIncompleteEntries
    /// Goes on to the next entry before the files of its own are there.
    case writesFilesTooLate

    /// Of what kind is what histories show, at least one of these.
    var kinds: Set<HistoryViolation.Kind> {
        switch self {
        case .overwritesEntries, .skipsReadingBack, .acknowledgesEarly: [.lostCommit]
        case .takesDoubtForLoss, .retriesUnderNewID, .forgetsIDsInCheckpoints: [.landedTwice]
        case .servesStaleTip: [.staleRead]
        case .timeGoesBack: [.timeWentBack]
        case .checkpointLacksLast: [.wrongState]
        case .writesHalf, .losesSharedFile: [.wrongEffect]
        case .trustsBoundaryForever: [.lostCommit, .staleRead]
        case .skipsReadValidation, .skipsWriteValidation: [.brokenIsolation]
        case .showsIncompleteEntries, .writesFilesTooLate: [.missingFile]
        }
    }

    /// A store that makes a process behave so; nil when the mistake is elsewhere.
    ///
    /// - Parameter number: of the server; some mistakes show only beside others who do not make them.
    func perverted(
        _ store: any ObjectStore,
        _ world: SimulatedWorld,
        ofServer number: Int
    ) -> (any ObjectStore)? {
        switch self {
        case .trustsBoundaryForever where number != 0: nil
        case .overwritesEntries, .skipsReadingBack, .acknowledgesEarly, .forgetsIDsInCheckpoints,
            .checkpointLacksLast, .trustsBoundaryForever, .showsIncompleteEntries,
            .writesFilesTooLate:
            PervertedStore(below: store, bug: self, world: world)
        default: nil
        }
    }

    /// A store under all processes that keeps another log than they believe; nil when the mistake is
    /// elsewhere.
    func pervertedLog(_ store: any ObjectStore) -> (any ObjectStore)? {
        switch self {
        case .timeGoesBack, .writesHalf: DivergingLog(below: store, bug: self)
        default: nil
        }
    }
}

private let indexPrefix = "_varve/checkpoints/"

private func isIndex(_ key: String) -> Bool {
    key.hasPrefix(indexPrefix) && key.hasSuffix(".json")
}

/// Seals an object as the format says, after a change.
private func sealed(_ object: JSONObject) -> [UInt8] {
    var object = object
    object["checksum"] = nil
    var bytes = JSON.object(object).serialized()
    bytes.removeLast()
    let digits = String(bytes.withUnsafeBytes { crc32($0) }, radix: 16)
    let padding = String(repeating: "0", count: 8 - digits.count)
    return bytes + Array(",\"checksum\":\"\(padding)\(digits)\"}".utf8)
}

/// Lets a process make one of the mistakes that are between it and its store.
private final class PervertedStore: ForwardingStore {
    let below: any ObjectStore
    private let bug: PlantedBug
    private let world: SimulatedWorld
    private let boundary = Mutex<Result<ObjectData, ObjectStoreError>?>(nil)

    init(below: any ObjectStore, bug: PlantedBug, world: SimulatedWorld) {
        self.below = below
        self.bug = bug
        self.world = world
    }

    func get(_ key: String) async throws -> ObjectData {
        if bug == .trustsBoundaryForever, key == "_varve/log-boundary.json" {
            if let known = boundary.withLock({ $0 }) { return try known.get() }
            do throws(ObjectStoreError) {
                let object = try await getTyped(key)
                boundary.withLock { $0 = .success(object) }
                return object
            } catch {
                if error.code == .notFound { boundary.withLock { $0 = .failure(error) } }
                throw error
            }
        }
        var object = try await below.get(key)
        if bug == .forgetsIDsInCheckpoints, isIndex(key),
            var index = try? JSON.parse(object.bytes).object
        {
            index["commits"] = .array([])
            object.bytes = sealed(index)
        }
        return object
    }

    func head(_ key: String) async throws -> ObjectMetadata {
        guard bug == .showsIncompleteEntries else { return try await below.head(key) }
        return ObjectMetadata(key: key, size: 1, entityTag: "hope", lastModifiedMicros: 0)
    }

    func put(_ key: String, _ bytes: [UInt8]) async throws -> ObjectMetadata {
        guard bug == .writesFilesTooLate, !key.hasPrefix("_varve/") else {
            return try await below.put(key, bytes)
        }
        let (below, world) = (below, world)
        let wait: Int64 = world.number(in: 0...60_000_000)
        world.runInBackground {
            try? await world.sleep(nanoseconds: wait)
            _ = try? await below.put(key, bytes)
        }
        return ObjectMetadata(
            key: key,
            size: bytes.count,
            entityTag: "hope",
            lastModifiedMicros: 0
        )
    }

    private func getTyped(_ key: String) async throws(ObjectStoreError) -> ObjectData {
        do {
            return try await below.get(key)
        } catch let error as ObjectStoreError {
            throw error
        } catch {
            throw ObjectStoreError(.unavailable, "\(error)", key: key)
        }
    }

    func putIfAbsent(_ key: String, _ bytes: [UInt8]) async throws -> ObjectMetadata {
        let done = ObjectMetadata(
            key: key,
            size: bytes.count,
            entityTag: "hope",
            lastModifiedMicros: 0
        )
        if key.hasPrefix(LogEntry.keyPrefix) {
            switch bug {
            case .overwritesEntries: return try await below.put(key, bytes)
            case .skipsReadingBack:
                do {
                    return try await below.putIfAbsent(key, bytes)
                } catch let error as ObjectStoreError {
                    guard error.code == .unknownOutcome else { throw error }
                    return done
                }
            case .acknowledgesEarly:
                let (below, world) = (below, world)
                let wait: Int64 = world.number(in: 0...30_000_000)
                world.runInBackground {
                    try? await world.sleep(nanoseconds: wait)
                    _ = try? await below.putIfAbsent(key, bytes)
                }
                return done
            default: break
            }
        }
        if bug == .checkpointLacksLast, isIndex(key), let (next, index) = await advanced(bytes) {
            return try await below.putIfAbsent(next, index)
        }
        return try await below.putIfAbsent(key, bytes)
    }

    /// The index as if it were of one entry more, when there is one.
    private func advanced(_ bytes: [UInt8]) async -> (key: String, bytes: [UInt8])? {
        guard var index = try? JSON.parse(bytes).object, let position = index["position"]?.int64,
            let entry = try? await below.get(LogEntry.key(of: position + 1)).bytes,
            let time = try? JSON.parse(entry)["time"]
        else { return nil }
        index["position"] = .integer(position + 1)
        index["hash"] = .string(sha256Text(entry))
        index["time"] = time
        let name = LogEntry.key(of: position + 1).dropFirst(LogEntry.keyPrefix.count)
        return (indexPrefix + name, sealed(index))
    }
}

/// Keeps another log than those who write it believe: they read what they wrote, the truth is below.
private final class DivergingLog: ForwardingStore {
    private struct State {
        /// What was written, by key.
        var believed: [String: [UInt8]] = [:]
        /// SHA-256 of what is there instead, by SHA-256 of what was written.
        var truth: [String: String] = [:]
        var lastTime: Int64 = 0
    }

    let below: any ObjectStore
    private let bug: PlantedBug
    private let state = Mutex(State())

    init(below: any ObjectStore, bug: PlantedBug) {
        self.below = below
        self.bug = bug
    }

    func get(_ key: String) async throws -> ObjectData {
        var object = try await below.get(key)
        if let believed = state.withLock({ $0.believed[key] }) { object.bytes = believed }
        return object
    }

    func putIfAbsent(_ key: String, _ bytes: [UInt8]) async throws -> ObjectMetadata {
        guard key.hasPrefix(LogEntry.keyPrefix), var entry = try? JSON.parse(bytes).object else {
            return try await below.putIfAbsent(key, bytes)
        }
        state.withLock { state in
            if let hash = entry["previous"]?.string, let other = state.truth[hash] {
                entry["previous"] = .string(other)
            }
            // As by a clock that is behind every third time.
            if bug == .timeGoesBack, let time = entry["time"]?.int64,
                entry["sequence"]?.int64.map({ $0 % 3 == 0 }) ?? false
            {
                entry["time"] = .integer(time - 60_000)
            }
        }
        if bug == .writesHalf, let commits = entry["commits"]?.array {
            entry["commits"] = .array(
                commits.map { commit in
                    guard var object = commit.object, let changes = object["changes"]?.array,
                        changes.count > 1
                    else { return commit }
                    object["changes"] = .array(changes.dropLast())
                    return .object(object)
                }
            )
        }
        let stored = sealed(entry)
        let metadata = try await below.putIfAbsent(key, stored)
        state.withLock { state in
            state.believed[key] = bytes
            state.truth[sha256Text(bytes)] = sha256Text(stored)
        }
        return metadata
    }
}
