import Ambient
import ObjectStorage
import Synchronization

/// What a process knows of the checkpoints of its log.
struct CheckpointProgress: Sendable {
    /// The keys of all records that entries after `touchedSince` may have changed, and the last of them.
    var touched: [[UInt8]: Int64] = [:]
    var touchedSince: Int64 = 0
    /// The newest checkpoint that is known, or where the last attempt at one was.
    var newest: Int64 = 0
    /// Commits since then.
    var commitCount = 0
    /// The checkpoint under way in the background.
    var task: Task<Void, Never>?
    /// Checkpoints that were found to be of no use.
    var faults: [LogVerification.Fault] = []
    /// Why the last checkpoint in the background was not written.
    var failure: String?
    /// How many were not.
    var failureCount = 0
    /// Who wants to hear of those.
    var observer: (@Sendable (String) -> Void)?

    /// Forgets what a checkpoint at a position has.
    mutating func forget(through position: Int64) {
        newest = max(newest, position)
        guard position > touchedSince else { return }
        touchedSince = position
        touched = touched.filter { $0.value > position }
    }
}

/// What came of writing a checkpoint.
package struct CheckpointReport: Sendable, Equatable {
    /// The position of the log that it is of.
    package let position: Int64
    /// Whether this call wrote it; else there was one already.
    package let isNew: Bool
    /// How many records the state has.
    package let recordCount: Int
    /// How many segments the checkpoint has, new or not.
    package let segmentCount: Int
    /// The objects written, and their bytes.
    package let writtenObjectCount: Int
    package let writtenByteCount: Int
}

extension SharedLog {
    var checkpointReader: CheckpointReader {
        CheckpointReader(
            store: store,
            warehouseID: warehouse.id,
            parallelCountMax: max(options.parallelReadsMax, 1)
        )
    }

    /// Checkpoints that this process found damaged, and did without.
    package var checkpointFaults: [LogVerification.Fault] {
        core.withLock { $0.checkpoints.faults }
    }

    /// Why the last checkpoint in the background was not written; nil when it was.
    package var checkpointFailure: String? {
        core.withLock { $0.checkpoints.failure }
    }

    /// How many checkpoints in the background were not written.
    package var checkpointFailureCount: Int {
        core.withLock { $0.checkpoints.failureCount }
    }

    /// Calls somebody for every checkpoint in the background that is not written, with the reason.
    package func observeCheckpointFailures(_ observer: @escaping @Sendable (String) -> Void) {
        core.withLock { $0.checkpoints.observer = observer }
    }

    // MARK: - Reading

    /// Takes the state from the newest sound checkpoint, if there is one.
    ///
    /// - Throws: `corrupt` when a sound checkpoint says that an entry was there that is gone.
    func startFromCheckpoint() async throws {
        // It is needed for the first entry read, and both requests take long on far stores.
        let archive = reader.archive
        let positions = try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { _ = try await archive.boundary() }
            let positions = try await checkpointReader.positions()
            try await group.waitForAll()
            return positions
        }
        for position in positions.reversed() {
            guard let found = try await loadSound(position) else { continue }
            core.withLock { core in
                core.current = found.snapshot
                core.history = [found.snapshot]
                core.remembered.restore(found.commits, nowMillis: found.snapshot.tip.timeMillis)
                core.checkpoints.forget(through: position)
            }
            return
        }
    }

    /// The state after an entry from the last sound checkpoint inside a bound; else the first state.
    func snapshotBefore(
        _ tip: ChainTip,
        _ isInside: (ChainTip) -> Bool
    ) async throws -> Snapshot {
        for position in try await checkpointReader.positions().reversed()
        where position < tip.sequence {
            // The index alone says whether it is early enough.
            do {
                let index = try await checkpointReader.index(at: position)
                guard isInside(index.tip) else { continue }
            } catch let error as CommitLogError {
                note(error)
                continue
            }
            if let found = try await loadSound(position) { return found.snapshot }
        }
        return Snapshot(tip: ChainTip(warehouse), state: machine.initialState)
    }

    /// A checkpoint's state; nil, and a note of why, when it is of no use.
    private func loadSound(
        _ position: Int64
    ) async throws -> (snapshot: Snapshot, commits: [RememberedCommits.Kept])? {
        do {
            let index = try await checkpointReader.index(at: position)
            let loaded = try await checkpointReader.load(index)
            let state = try makeState(loaded)
            guard try await isLinked(index.tip) else { return nil }
            return (Snapshot(tip: index.tip, state: state), loaded.commits)
        } catch let error as CommitLogError {
            guard error.code != .notFound else { throw error }
            // One that was swept away while it was read was not damaged.
            if try await hasCheckpoint(position) { note(error) }
            return nil
        }
    }

    /// Whether the checkpoint can be read that starts would take if this were the only one.
    func isSound(_ position: Int64) async throws -> Bool {
        try await loadSound(position) != nil
    }

    private func hasCheckpoint(_ position: Int64) async throws -> Bool {
        do {
            _ = try await store.head(CheckpointIndex.key(of: position))
            return true
        } catch let error as ObjectStoreError {
            guard error.code == .notFound else { throw error }
            return false
        }
    }

    private func makeState(_ loaded: CheckpointReader.Loaded) throws -> Machine.State {
        do {
            return try machine.makeState(of: loaded.records)
        } catch {
            throw CommitLogError(
                .corrupt,
                "the records are not those of a state: \(error)",
                key: CheckpointIndex.key(of: loaded.index.tip.sequence)
            )
        }
    }

    /// Whether the entry that a checkpoint says it is after is that of the log.
    ///
    /// - Throws: `notFound` when it is gone: the checkpoint proves that it was there.
    private func isLinked(_ tip: ChainTip) async throws -> Bool {
        guard let bytes = try await reader.bytes(of: tip.sequence) else {
            throw CommitLogError(
                .notFound,
                "the entry is missing, but \(CheckpointIndex.key(of: tip.sequence)) was made of it",
                key: LogEntry.key(of: tip.sequence)
            )
        }
        guard sha256Text(bytes) == tip.hash else {
            throw CommitLogError(
                .corrupt,
                "the checkpoint was made of another entry than "
                    + LogEntry.key(of: tip.sequence),
                key: CheckpointIndex.key(of: tip.sequence)
            )
        }
        return true
    }

    private func note(_ error: CommitLogError) {
        let fault = LogVerification.Fault(key: error.key, message: error.message)
        core.withLock { core in
            if !core.checkpoints.faults.contains(fault), core.checkpoints.faults.count < 100 {
                core.checkpoints.faults.append(fault)
            }
        }
    }

    // MARK: - Writing

    /// Writes a checkpoint of the state that this process knows.
    ///
    /// - Parameter entryCountMin: nothing is written while the newest checkpoint is nearer than this.
    /// - Throws: what the store throws; nothing is lost then.
    @discardableResult
    package func writeCheckpoint(entryCountMin: Int64 = 1) async throws -> CheckpointReport {
        let (current, remembered, progress) = core.withLock {
            ($0.current, $0.remembered, $0.checkpoints)
        }
        let position = current.tip.sequence
        guard position > 0 else {
            throw CommitLogError(.invalid, "a log without entries has nothing to checkpoint")
        }
        let reader = checkpointReader
        let previous = try await previousIndex(upTo: current.tip, since: progress.touchedSince)
        if let previous, previous.tip.sequence > position - entryCountMin {
            core.withLock { $0.checkpoints.forget(through: previous.tip.sequence) }
            return CheckpointReport(
                position: previous.tip.sequence,
                isNew: false,
                recordCount: previous.recordCount,
                segmentCount: previous.objects.count,
                writtenObjectCount: 0,
                writtenByteCount: 0
            )
        }
        let changes = changes(to: current.state, since: previous?.tip.sequence, progress)
        let writer = CheckpointWriter(
            reader: reader,
            segmentByteCount: max(options.checkpointSegmentBytes, 64)
        )
        let written = try await writer.write(
            CheckpointWriter.Content(
                tip: current.tip,
                recordCount: machine.recordCount(of: current.state),
                previous: previous,
                changes: changes,
                commits: remembered.kept(after: previous?.tip.sequence ?? 0),
                rememberedCountMax: remembered.bounds.countMax,
                forgottenBefore: remembered.forgottenBefore
            )
        )
        core.withLock { $0.checkpoints.forget(through: position) }
        return CheckpointReport(
            position: position,
            isNew: written.isNew,
            recordCount: written.index.recordCount,
            segmentCount: written.index.objects.count,
            writtenObjectCount: written.objectCount,
            writtenByteCount: written.byteCount
        )
    }

    /// The index of the newest checkpoint that a new one at a tip can be built on.
    private func previousIndex(
        upTo tip: ChainTip,
        since first: Int64
    ) async throws -> CheckpointIndex? {
        for position in try await checkpointReader.positions().reversed()
        where (first...tip.sequence).contains(position) {
            do {
                let index = try await checkpointReader.index(at: position)
                let hash =
                    position == tip.sequence ? tip.hash : try await self.tip(at: position).hash
                if index.tip.hash == hash { return index }
                note(
                    CommitLogError(
                        .corrupt,
                        "the checkpoint was made of another entry than "
                            + LogEntry.key(of: position),
                        key: CheckpointIndex.key(of: position)
                    )
                )
            } catch let error as CommitLogError {
                guard error.key != LogEntry.key(of: position) else { throw error }
                note(error)
            }
        }
        return nil
    }

    /// What changed since a checkpoint, or everything, sorted.
    private func changes(
        to state: Machine.State,
        since position: Int64?,
        _ progress: CheckpointProgress
    ) -> [CheckpointRecord] {
        var changes: [CheckpointRecord]
        if let position {
            changes = progress.touched.filter { $0.value > position }.keys.map { key in
                CheckpointRecord(
                    key: key[...],
                    value: machine.recordValue(key, in: state).map { $0[...] }
                )
            }
        } else {
            changes = machine.records(of: state)
        }
        changes.sort { keyPrecedes($0.key, $1.key) }
        return changes
    }

    // MARK: - In the background

    /// Begins a checkpoint when enough has happened since the last one and none is under way.
    func beginCheckpointIfDue() {
        let entryCount = options.checkpointEntryCount
        guard entryCount > 0 else { return }
        core.withLock { core in
            let position = core.current.tip.sequence
            let isDue =
                position - core.checkpoints.newest >= Int64(entryCount)
                || core.checkpoints.commitCount >= entryCount * 10
            guard isDue, core.checkpoints.task == nil else { return }
            // Failed or not, the next one is due when as much has happened again.
            core.checkpoints.newest = position
            core.checkpoints.commitCount = 0
            core.checkpoints.task = Task(priority: .utility) { [self] in
                var failure: String?
                do {
                    // Of many servers one will do.
                    try await writeCheckpoint(entryCountMin: max(Int64(entryCount) / 2, 1))
                } catch {
                    failure = "\(error)"
                }
                let observer = self.core.withLock { core in
                    core.checkpoints.task = nil
                    core.checkpoints.failure = failure
                    if failure != nil { core.checkpoints.failureCount += 1 }
                    return core.checkpoints.observer
                }
                if let failure { observer?(failure) }
            }
        }
    }

    /// Waits until a checkpoint in the background is written, or gives up on it after a time: nothing
    /// is lost but the work.
    package func finishCheckpoint(waitMillisMax: Int64) async {
        guard let task = core.withLock({ $0.checkpoints.task }) else { return }
        await finish(task, waitMillisMax: waitMillisMax, time: ambient.time)
    }

    // MARK: - Verification

    /// Where there are checkpoints, ascending.
    package func checkpointPositions() async throws -> [Int64] {
        try await checkpointReader.positions()
    }

    /// What is wrong with the checkpoint at a position.
    ///
    /// - Parameters:
    ///   - expected: the state that the entries up to there give.
    ///   - hash: of the last of these.
    ///   - ids: of the commits in them, and maybe in later ones.
    /// - Returns: nil when every object is sound, and the state is that of the entries.
    /// - Throws: only when the store fails or the task is cancelled.
    func checkpointFault(
        at position: Int64,
        expected: Machine.State,
        hash: String,
        _ ids: CommitDigests
    ) async throws -> LogVerification.Fault? {
        let key = CheckpointIndex.key(of: position)
        do {
            let index = try await checkpointReader.index(at: position)
            guard index.tip.hash == hash else {
                return .init(key: key, message: "the checkpoint is of another entry")
            }
            let loaded = try await checkpointReader.load(index)
            let records = machine.records(of: expected).sorted { keyPrecedes($0.key, $1.key) }
            for (one, other) in zip(loaded.records, records) where one != other {
                let name = String(decoding: other.key, as: UTF8.self)
                return .init(
                    key: key,
                    message: "the state is not that of the entries, from record \"\(name)\" on"
                )
            }
            guard loaded.records.count == records.count else {
                return .init(
                    key: key,
                    message:
                        "\(loaded.records.count) records, but the entries give \(records.count)"
                )
            }
            guard ids.agree(with: loaded.commits) else {
                return .init(key: key, message: "the ids of commits are not those of the entries")
            }
            // What a start makes of them must be a state, too.
            _ = try makeState(loaded)
            return nil
        } catch let error as CommitLogError {
            // One that was swept away meanwhile has no fault.
            guard try await hasCheckpoint(position) else { return nil }
            return .init(key: error.key.isEmpty ? key : error.key, message: error.message)
        }
    }
}
