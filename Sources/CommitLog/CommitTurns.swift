package import Ambient
import Bytes
package import ObjectStorage
import Synchronization

// Of several processes that commit to one log, the one whose attempts take longest (many files, a busy
// machine) would lose to the others again and again: each of their entries makes it begin anew. So who has
// lost asks for a turn, an object that only one can create, and those who see it let its owner go first:
//
//     nobody has the turn            -> who has lost creates the object: it has the turn
//     somebody has it                -> who begins to commit waits, and looks at it now and then
//     its owner's entry has landed   -> the owner removes it; who lost meanwhile may have it next
//     it stays as it is for too long -> its owner is gone: whoever waited takes it
//
// It is advice and nothing else: an entry is created by whoever is first, with a turn or without, and what
// goes wrong with the object only makes everybody try at once, as if there were none.

/// Lets processes that commit to one log go one after the other when they are in each other's way.
package final class CommitTurns: Sendable {
    /// Where the turn lies, relative to the warehouse's root.
    package static let key = "_varve/turn.json"

    /// What came of waiting.
    package struct Waited: Sendable, Equatable {
        /// Whether the turn is ours; it is to be given back.
        package var isOurs = false
        /// Whether others had it, so that the log has probably gone on.
        package var hasWaited = false

        package init(isOurs: Bool = false, hasWaited: Bool = false) {
            self.isOurs = isOurs
            self.hasWaited = hasWaited
        }
    }

    private struct State {
        /// What we wrote last, and when.
        var written: [UInt8] = []
        var entityTag = ""
        var writtenAtNanos: Int64 = 0
        var number: Int64 = 0
    }

    /// Polls of a turn that stays as it is, should time stand still.
    private static let pollCountMax = 1000
    /// Times the bound on one turn, after which somebody who waits just tries.
    private static let patience: Int64 = 4

    private let store: any ObjectStore
    private let warehouseID: String
    private let server: String
    private let ambient: AmbientSources
    private let state = Mutex(State())

    /// - Parameter server: names this process.
    package init(
        store: any ObjectStore,
        warehouseID: String,
        server: String,
        ambient: AmbientSources
    ) {
        self.store = store
        self.warehouseID = warehouseID
        self.server = server
        self.ambient = ambient
    }

    /// How long a turn that stays as it is counts: several times what an attempt takes.
    ///
    /// - Parameter createMillis: how long the store takes to create an object.
    static func turnMillisMax(createMillis: Int64) -> Int64 {
        400 + 8 * createMillis
    }

    /// Waits while somebody else has the turn.
    ///
    /// - Parameter claims: whether to take the turn, and not only let others have theirs.
    /// - Throws: only `CancellationError`; a store that does not do what is needed gives no turns.
    package func wait(claims: Bool, createMillis: Int64) async throws -> Waited {
        do {
            return try await waitOrFail(claims: claims, createMillis: createMillis)
        } catch {
            try Task.checkCancellation()
            return Waited()
        }
    }

    private func waitOrFail(claims: Bool, createMillis: Int64) async throws -> Waited {
        let time = ambient.time
        let turnNanos = Self.turnMillisMax(createMillis: createMillis) * 1_000_000
        let began = time.monotonicNanos()
        var waited = Waited()
        var seen: (entityTag: String, sinceNanos: Int64)?
        var pollCount = 0
        var triesToCreate = claims
        while true {
            if triesToCreate, try await create() {
                return Waited(isOurs: true, hasWaited: waited.hasWaited)
            }
            triesToCreate = false
            let found: ObjectData
            do {
                found = try await store.get(Self.key)
            } catch let error as ObjectStoreError {
                guard error.code == .notFound else { throw error }
                guard claims else { return waited }
                // Given back since: there may be others who want it.
                waited.hasWaited = true
                pollCount += 1
                guard pollCount < Self.pollCountMax else { return waited }
                triesToCreate = true
                continue
            }
            if isOurs(found) { return Waited(isOurs: true, hasWaited: waited.hasWaited) }
            waited.hasWaited = true
            let now = time.monotonicNanos()
            let isFree = Self.isFree(found.bytes)
            if isFree, !claims { return waited }
            if seen?.entityTag != found.metadata.entityTag {
                seen = (found.metadata.entityTag, now)
                pollCount = 0
            }
            pollCount += 1
            let sinceNanos = now - (seen?.sinceNanos ?? now)
            if isFree || sinceNanos > turnNanos || pollCount > Self.pollCountMax {
                if try await replace(found.metadata.entityTag) {
                    return Waited(isOurs: true, hasWaited: true)
                }
                continue
            }
            guard now - began <= Self.patience * turnNanos else { return waited }
            let unitNanos = max(createMillis, 1) * 1_000_000
            try await time.sleep(
                nanoseconds: unitNanos / 2 + ambient.random.number(below: unitNanos)
            )
        }
    }

    /// Whether somebody has the turn; false where that cannot be found out.
    package func isTaken() async -> Bool {
        guard let found = try? await store.get(Self.key) else { return false }
        return !Self.isFree(found.bytes)
    }

    /// Says that our turn, which lasts already, goes on.
    ///
    /// - Returns: false when somebody else has it.
    package func renew(createMillis: Int64) async throws -> Bool {
        let (tag, writtenAt) = state.withLock { ($0.entityTag, $0.writtenAtNanos) }
        let elapsedNanos = ambient.time.monotonicNanos() - writtenAt
        let turnNanos = Self.turnMillisMax(createMillis: createMillis) * 1_000_000
        guard elapsedNanos > turnNanos / 3 else { return true }
        do {
            return try await replace(tag)
        } catch {
            try Task.checkCancellation()
            return false
        }
    }

    /// Gives our turn back.
    package func giveBack() async {
        do {
            try await store.delete([Self.key])
        } catch {
            // Who may not remove it says so in it; if that fails too, others wait for us once.
            _ = try? await store.put(Self.key, encoded(server: ""))
        }
    }

    private func create() async throws -> Bool {
        let bytes = next()
        do {
            let written = try await store.putIfAbsent(Self.key, bytes)
            took(bytes, written)
            return true
        } catch let error as ObjectStoreError {
            guard error.code == .alreadyExists else { throw error }
            return false
        }
    }

    /// Takes a turn that nobody has any more.
    private func replace(_ entityTag: String) async throws -> Bool {
        let bytes = next()
        do {
            let written = try await store.replace(Self.key, bytes, ifMatch: entityTag)
            took(bytes, written)
            return true
        } catch let error as ObjectStoreError {
            guard error.code == .preconditionFailed || error.code == .notFound else { throw error }
            return false
        }
    }

    private func next() -> [UInt8] {
        state.withLock { state in
            state.number += 1
            state.written = encoded(server: server, number: state.number)
            return state.written
        }
    }

    private func took(_ bytes: [UInt8], _ written: ObjectMetadata) {
        let now = ambient.time.monotonicNanos()
        state.withLock { state in
            state.entityTag = written.entityTag
            state.writtenAtNanos = now
        }
    }

    /// Whether an object is the one that we wrote last, the answer to which was lost.
    private func isOurs(_ found: ObjectData) -> Bool {
        let now = ambient.time.monotonicNanos()
        return state.withLock { state in
            guard found.bytes == state.written else { return false }
            state.entityTag = found.metadata.entityTag
            state.writtenAtNanos = now
            return true
        }
    }

    private static func isFree(_ bytes: [UInt8]) -> Bool {
        // What cannot be read is somebody's turn: it, too, counts only as long as it does not change.
        (try? unsealed(bytes, key: key))?["server"]?.string == ""
    }

    private func encoded(server: String, number: Int64 = 0) -> [UInt8] {
        let object: JSON = [
            "format-version": .integer(1), "warehouse-id": .string(warehouseID),
            "server": .string(server), "number": .integer(number),
        ]
        return sealed(object.serialized().dropLast())
    }
}

/// How the entries of a process fared beside those of others.
package struct CommitContention: Sendable, Equatable {
    /// Entries that it created.
    package var wonCount = 0
    /// Attempts at an entry before which another was there.
    package var lostCount = 0
    /// The most attempts lost one after the other.
    package var lostInARowMax = 0
    /// Turns that it took after a loss.
    package var turnCount = 0
}

extension SharedLog {
    /// How this process's entries fared beside those of others.
    package var contention: CommitContention { core.withLock { $0.contention } }
}
