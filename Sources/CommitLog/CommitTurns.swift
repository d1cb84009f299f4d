package import Ambient
import Bytes
package import ObjectStorage
import Synchronization

// Of several processes that commit to one log, the one whose attempts take longest (many files, a busy
// machine) would lose to the others again and again: each of their entries makes it begin anew. So who has
// lost asks for a turn, an object that only one can create, and those who see it let its owner go first:
//
//     nobody has the turn            -> who has lost, or has busy rivals, creates the object: it has the turn
//     somebody has it                -> who begins to commit waits, and looks at it now and then
//     its owner is at work           -> the owner writes it anew, again and again: it is alive
//     its owner's entry has landed   -> the owner removes it, and lets others be first for a moment
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
        var entityTag = ""
        var writtenAtNanos: Int64 = 0
        var number: Int64 = 0
        var isHeld = false
        var gaveBackAtNanos: Int64?
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

    /// How long a turn that stays as it is counts.
    ///
    /// However long an attempt takes, its owner says several times within this that it is alive.
    ///
    /// - Parameter createMillis: how long the store takes to create an object.
    static func turnMillisMax(createMillis: Int64) -> Int64 {
        200 + 4 * createMillis
    }

    /// How often an owner says that it is alive.
    static func beatMillis(createMillis: Int64) -> Int64 {
        turnMillisMax(createMillis: createMillis) / 4
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
        if claims {
            waited.hasWaited = try await letOthersBeFirst(createMillis: createMillis)
        }
        var seen: (entityTag: String, owner: String?, sinceNanos: Int64)?
        var ownerCount = 0
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
                let owner = Self.owner(found.bytes)
                if let seen, seen.owner != owner { ownerCount += 1 }
                seen = (found.metadata.entityTag, owner, now)
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
            // Who has seen several come and go looks more often, and so is before who has just come.
            let unitNanos = (max(createMillis, 1) * 1_000_000) >> Int64(min(ownerCount, 3))
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

    /// Waits until those who look for the turn now and then can have seen that we gave it back.
    ///
    /// - Returns: whether there was anything to wait for.
    private func letOthersBeFirst(createMillis: Int64) async throws -> Bool {
        guard let gaveBackAt = state.withLock({ $0.gaveBackAtNanos }) else { return false }
        let elapsedNanos = ambient.time.monotonicNanos() - gaveBackAt
        let leftNanos = 2 * max(createMillis, 1) * 1_000_000 - elapsedNanos
        guard leftNanos > 0 else { return false }
        try await ambient.time.sleep(nanoseconds: leftNanos)
        return true
    }

    /// Says again and again that our turn goes on, until we have it no more or the task is cancelled.
    package func beat(createMillis: Int64) async {
        let nanos = Self.beatMillis(createMillis: createMillis) * 1_000_000
        // Bounded, should time fly.
        for _ in 0..<Self.pollCountMax {
            do { try await ambient.time.sleep(nanoseconds: nanos) } catch { return }
            // A clock of a test's need not have waited.
            await Task.yield()
            if Task.isCancelled { return }
            let (isHeld, tag, writtenAt) = state.withLock {
                ($0.isHeld, $0.entityTag, $0.writtenAtNanos)
            }
            guard isHeld else { return }
            guard ambient.time.monotonicNanos() - writtenAt >= nanos / 2 else { continue }
            do {
                if try await replace(tag) { continue }
                // Somebody took it; or an answer was lost that said that we wrote it.
                let found = try await store.get(Self.key)
                guard isOurs(found) else { return state.withLock { $0.isHeld = false } }
            } catch {
                // Others will take it, if that lasts.
            }
        }
    }

    /// Whether we have the turn, as far as we know.
    package var isHeld: Bool { state.withLock { $0.isHeld } }

    /// Gives our turn back; where that fails or the task is cancelled, others wait until it is over.
    package func giveBack() async {
        do {
            try await store.delete([Self.key])
        } catch {
            // Who may not remove it says so in it.
            _ = try? await store.put(Self.key, encoded(server: ""))
        }
        let now = ambient.time.monotonicNanos()
        state.withLock { state in
            state.isHeld = false
            state.gaveBackAtNanos = now
        }
    }

    private func create() async throws -> Bool {
        let bytes = next()
        do {
            let written = try await store.putIfAbsent(Self.key, bytes)
            took(written)
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
            took(written)
            return true
        } catch let error as ObjectStoreError {
            guard error.code == .preconditionFailed || error.code == .notFound else { throw error }
            return false
        }
    }

    private func next() -> [UInt8] {
        state.withLock { state in
            state.number += 1
            return encoded(server: server, number: state.number)
        }
    }

    private func took(_ written: ObjectMetadata) {
        let now = ambient.time.monotonicNanos()
        state.withLock { state in
            state.entityTag = written.entityTag
            state.writtenAtNanos = now
            state.isHeld = true
        }
    }

    /// Whether an object is one that we wrote, the answer to which was lost.
    private func isOurs(_ found: ObjectData) -> Bool {
        guard Self.owner(found.bytes) == server, !server.isEmpty else { return false }
        let now = ambient.time.monotonicNanos()
        state.withLock { state in
            state.entityTag = found.metadata.entityTag
            state.writtenAtNanos = now
            state.isHeld = true
        }
        return true
    }

    private static func isFree(_ bytes: [UInt8]) -> Bool {
        // What cannot be read is somebody's turn: it, too, counts only as long as it does not change.
        owner(bytes) == ""
    }

    private static func owner(_ bytes: [UInt8]) -> String? {
        (try? unsealed(bytes, key: key))?["server"]?.string
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
    /// Turns that it took.
    package var turnCount = 0
}

extension SharedLog {
    /// How this process's entries fared beside those of others.
    package var contention: CommitContention { core.withLock { $0.contention } }
}
