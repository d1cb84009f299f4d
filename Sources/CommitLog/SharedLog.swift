package import Ambient
package import ObjectStorage
import Synchronization

// A log and its state in memory.
//
//     store:   entry 1 <- entry 2 <- ... <- entry N            (objects; N+1 is created, never changed)
//     memory:  tip N, state after N, ids of the latest commits, states at some earlier positions
//
// Two things move the tip, both by `fold`, which takes an entry only if it is the next one:
// a look (SharedLook; at most one runs) and a commit of our own that won (CommitQueue; at most one
// leader). They may meet at the same entry; the second finds it folded.
//
// Invariants:
// 1. The state is the fold of entries 1...N as they lie in the store, each checked against the chain.
// 2. Entry N+1 is created only by someone whose commits were validated against the state after N.
// 3. A commit's task gets a failure only if its commit cannot be in the log any more: every position
//    where an attempt of it may have landed has been read. Else it gets `unknownOutcome`.
// 4. A commit is refused only for a state that the log had: what the commits before it in an entry do counts
//    once that entry is there.
// 5. An entry is folded only when all files that its commits refer to are there, so one that has a successor
//    has all of its files (EntryCompleter).

/// A log of commits that any number of processes share through an object store.
package final class SharedLog<Machine: LogMachine>: Sendable {
    package typealias Snapshot = LogSnapshot<Machine.State>

    struct Core {
        var current: Snapshot
        var remembered: RememberedCommits
        /// Earlier states; the first is the one that this process started with.
        var history: [Snapshot]
        var historySpacing: Int64
        /// When the last look that ended well began, by both clocks: the one may stand still while a
        /// virtual machine is stopped, the other may be set.
        var lookedAt: (monotonicNanos: Int64, wallMicros: Int64)?
        /// When an entry of another process was last seen; with rivals near, looking first is cheaper than
        /// losing.
        var rivalSeenAtNanos: Int64?
        var contention = CommitContention()
        /// When an entry of ours was created last, and when this process last looked for others' turns though
        /// it knew of no rivals.
        var wonAtNanos: Int64?
        var peekedAtNanos: Int64?
        var checkpoints = CheckpointProgress()
        /// How long the store takes to create an entry, lately: the measure of waiting for rivals.
        var createMillis: Int64 = 5
        /// How long the attempt took that created it.
        var attemptNanos: Int64 = 0
        var gathering = GatheringHint()
        var carrying = CarryingHint()
    }

    package let store: any ObjectStore
    package let warehouse: Warehouse
    package let options: LogOptions
    /// What this process signs its entries with.
    package let server: String
    let machine: Machine
    let ambient: AmbientSources
    let reader: EntryReader
    let queue: CommitQueue<Machine.Request, Machine.Outcome>
    let turns: CommitTurns
    let core: Mutex<Core>
    private let looks = SharedLook()

    private init(
        store: any ObjectStore,
        warehouse: Warehouse,
        machine: Machine,
        ambient: AmbientSources,
        options: LogOptions
    ) {
        self.store = store
        self.warehouse = warehouse
        self.machine = machine
        self.ambient = ambient
        self.options = options
        server = options.server.isEmpty ? ambient.uuidV4() : options.server
        queue = CommitQueue(countMax: options.queueCountMax)
        turns = CommitTurns(
            store: store,
            warehouseID: warehouse.id,
            server: server,
            ambient: ambient
        )
        reader = EntryReader(
            store: store,
            archive: LogArchive(store: store, warehouseID: warehouse.id, time: ambient.time),
            completer: EntryCompleter(
                store: store,
                ambient: ambient,
                waitMillisMax: options.completionMillisMax
            ),
            parallelCountMax: max(options.parallelReadsMax, 1),
            keepsText: machine.keepsText
        )
        let start = Snapshot(tip: ChainTip(warehouse), state: machine.initialState)
        core = Mutex(
            Core(
                current: start,
                remembered: RememberedCommits(
                    RememberedBounds(
                        windowMillis: options.idWindowMillis,
                        stepMillisMax: options.idStepMillisMax,
                        countMin: options.idCountMin,
                        countMax: options.idCountMax
                    )
                ),
                history: [start],
                historySpacing: max(options.historySpacing, 1)
            )
        )
    }

    /// Reads the newest sound checkpoint and all entries after it, and is then ready for reads and
    /// commits.
    ///
    /// Time grows with the state and the number of entries since the checkpoint, memory with the state.
    ///
    /// - Throws: `corrupt` with the key of an entry that is damaged or missing.
    package static func open(
        store: any ObjectStore,
        warehouse: Warehouse,
        machine: Machine,
        ambient: AmbientSources,
        options: LogOptions = LogOptions()
    ) async throws -> SharedLog {
        let log = SharedLog(
            store: store,
            warehouse: warehouse,
            machine: machine,
            ambient: ambient,
            options: options
        )
        if options.startsFromCheckpoint { try await log.startFromCheckpoint() }
        try await log.look(checksEnd: true)
        // Those who wrote before may be long gone.
        log.core.withLock { $0.rivalSeenAtNanos = nil }
        return log
    }

    // MARK: - Reading

    /// The newest state this process knows of, without looking.
    package var known: Snapshot { core.withLock { $0.current } }

    /// The newest state.
    ///
    /// - Parameter stalenessMillisMax: 0 for a strong read, which sees every commit that was
    ///   acknowledged, anywhere, before it began; else a look this recent is good enough.
    package func read(stalenessMillisMax: Int64 = 0) async throws -> Snapshot {
        if stalenessMillisMax > 0 {
            let (now, wall) = (ambient.time.monotonicNanos(), ambient.time.nowMicros())
            let (snapshot, lookedAt) = core.withLock { ($0.current, $0.lookedAt) }
            if let lookedAt {
                let micros = max(
                    (now - lookedAt.monotonicNanos) / 1000,
                    wall - lookedAt.wallMicros
                )
                if micros <= min(stalenessMillisMax, 1 << 40) * 1000 { return snapshot }
            }
        }
        try await look(checksEnd: false)
        return known
    }

    /// Moves on to the log's end, or waits for somebody who does.
    func look(checksEnd: Bool) async throws {
        try await looks.run {
            let began = (ambient.time.monotonicNanos(), ambient.time.nowMicros())
            try await reader.read(after: known.tip, checksEnd: checksEnd, completes: true) {
                entry,
                tip in
                try fold(entry, tip)
            }
            core.withLock { $0.lookedAt = began }
        }
        beginCheckpointIfDue()
    }

    /// Takes an entry into the state, if it is the next one.
    func fold(_ entry: LogEntry, _ tip: ChainTip) throws {
        let now = ambient.time.monotonicNanos()
        try core.withLock { core in
            guard entry.sequence == core.current.tip.sequence + 1 else { return }
            if entry.header.server != server { core.rivalSeenAtNanos = now }
            let state = try folded(entry, into: core.current.state) { key in
                core.checkpoints.touched[key] = entry.sequence
            }
            core.current = Snapshot(tip: tip, state: state)
            core.remembered.remember(entry)
            core.checkpoints.commitCount += entry.commits.count
            core.keepHistory(countMax: max(options.historyCountMax, 2))
        }
    }

    /// - Parameter touch: gets the key of every record that may have changed.
    private func folded(
        _ entry: LogEntry,
        into state: Machine.State,
        touch: ([UInt8]) -> Void = { _ in }
    ) throws -> Machine.State {
        var next = state
        do {
            for commit in entry.commits {
                let before = next
                try machine.apply(commit, of: entry.header, to: &next)
                try machine.changedKeys(by: commit, from: before, to: next).forEach(touch)
            }
        } catch {
            throw CommitLogError(
                .corrupt,
                "the entry cannot follow what was before it: \(error)",
                key: LogEntry.key(of: entry.sequence)
            )
        }
        return next
    }

    // MARK: - History

    /// The state after an entry; position 0 is the empty log.
    ///
    /// Reads at most `historySpacing` entries (more when the log is very long) if the position is not
    /// one that is kept.
    ///
    /// - Throws: `notFound` for positions that the log has not reached.
    package func snapshot(at position: Int64) async throws -> Snapshot {
        var known = known
        if position > known.tip.sequence { known = try await read() }
        guard (0...known.tip.sequence).contains(position) else {
            throw CommitLogError(
                .notFound,
                "there is no position \(position): the log is at \(known.tip.sequence)"
            )
        }
        if position == known.tip.sequence { return known }
        return try await replay(through: position) { $0.sequence <= position }
    }

    /// The state after the last entry whose time is not later than the given one.
    ///
    /// - Throws: `notFound` for times before the warehouse was made.
    package func snapshot(atMillis time: Int64) async throws -> Snapshot {
        guard time >= warehouse.createdMillis else {
            throw CommitLogError(.notFound, "the warehouse was made later than that")
        }
        let newest = try await read()
        if newest.tip.timeMillis <= time { return newest }
        return try await replay(through: newest.tip.sequence) { $0.timeMillis <= time }
    }

    private struct Reached: Error {}

    /// Folds again, from the last kept state or checkpoint inside a bound up to that bound.
    private func replay(
        through last: Int64,
        _ isInside: (ChainTip) -> Bool
    ) async throws -> Snapshot {
        let history = core.withLock { $0.history }
        var snapshot: Snapshot
        if isInside(history[0].tip) {
            var (low, high) = (0, history.count)
            while high - low > 1 {
                let middle = (low + high) / 2
                if isInside(history[middle].tip) { low = middle } else { high = middle }
            }
            snapshot = history[low]
        } else {
            snapshot = try await snapshotBefore(history[0].tip, isInside)
        }
        do {
            let end = try await reader.read(
                after: snapshot.tip,
                through: last,
                checksEnd: false
            ) { entry, tip in
                guard isInside(tip) else { throw Reached() }
                let state = try folded(entry, into: snapshot.state)
                snapshot = Snapshot(tip: tip, state: state)
            }
            if end.sequence < last { throw missing(end.sequence + 1) }
        } catch is Reached {
        }
        return snapshot
    }

    /// Entries as they lie in the store, in order, checked against each other, without the files they carry.
    ///
    /// - Returns: fewer than asked for at the log's end, none beyond it.
    package func entries(from first: Int64, countMax: Int) async throws -> [LogEntry] {
        try await hashedEntries(from: first, countMax: countMax).map(\.entry)
    }

    /// Entries after one that was read before, in order, checked against it and each other, without the files they
    /// carry.
    ///
    /// - Parameter tip: `ChainTip(warehouse)` for the beginning.
    /// - Returns: fewer than asked for at the log's end, none beyond it; and the tip after the last of them.
    package func entries(
        after tip: ChainTip,
        countMax: Int
    ) async throws -> (entries: [LogEntry], tip: ChainTip) {
        let last = try await read().tip.sequence
        guard tip.sequence < last, countMax > 0 else { return ([], tip) }
        let (found, end) = try await read(after: tip, countMax: countMax, last: last)
        return (found.map(\.entry), end)
    }

    /// As `entries`, each with the SHA-256 of its bytes.
    package func hashedEntries(
        from first: Int64,
        countMax: Int
    ) async throws -> [(entry: LogEntry, hash: String)] {
        let last = try await read().tip.sequence
        guard first >= 1, first <= last, countMax > 0 else { return [] }
        return try await read(after: try await tip(at: first - 1), countMax: countMax, last: last)
            .entries
    }

    private func read(
        after start: ChainTip,
        countMax: Int,
        last: Int64
    ) async throws -> (entries: [(entry: LogEntry, hash: String)], tip: ChainTip) {
        let end = start.sequence + min(last - start.sequence, Int64(countMax))
        var entries: [(entry: LogEntry, hash: String)] = []
        let tip = try await reader.read(after: start, through: end, checksEnd: false) {
            entry,
            tip in
            var entry = entry
            entry.files = []
            entries.append((entry, tip.hash))
        }
        if tip.sequence < end { throw missing(tip.sequence + 1) }
        return (entries, tip)
    }

    /// The key of the object that an entry is read from: its own, or the archive that has it.
    package func key(ofEntry position: Int64) async throws -> String {
        let archive = try await reader.archive.boundary()?.archive(of: position)
        return archive?.key ?? LogEntry.key(of: position)
    }

    /// One entry that is known to be there, checked by itself.
    func entry(at position: Int64) async throws -> LogEntry {
        guard let bytes = try await reader.bytes(of: position) else { throw missing(position) }
        return try LogEntry.decode(
            bytes,
            key: LogEntry.key(of: position),
            keepsText: machine.keepsText
        )
    }

    /// The tip at a position, from the entry that lies there now.
    ///
    /// The chain before it is not looked at, only the entry itself.
    func tip(at position: Int64) async throws -> ChainTip {
        if position == 0 { return ChainTip(warehouse) }
        guard let bytes = try await reader.bytes(of: position) else { throw missing(position) }
        let keepsText = machine.keepsText
        let entry = try LogEntry.decode(
            bytes,
            key: LogEntry.key(of: position),
            keepsText: keepsText
        )
        let before = ChainTip(
            sequence: position - 1,
            hash: entry.header.previous,
            timeMillis: Int64.min
        )
        return try before.following(bytes, keepsText: keepsText).tip
    }

    /// SHA-256 of the entry that lies at a position now; nil when there is none.
    package func entryHash(at position: Int64) async throws -> String? {
        guard position > 0 else { return nil }
        return try await reader.bytes(of: position).map { sha256Text($0) }
    }

    func missing(_ position: Int64) -> CommitLogError {
        CommitLogError(
            .corrupt,
            "the entry is missing, but it was there or the log goes on after it",
            key: LogEntry.key(of: position)
        )
    }
}

extension SharedLog.Core {
    /// Keeps the current state if its position asks for it.
    mutating func keepHistory(countMax: Int) {
        guard current.tip.sequence % historySpacing == 0 else { return }
        history.append(current)
        guard history.count > countMax else { return }
        historySpacing *= 2
        let (spacing, first) = (historySpacing, history[0].tip.sequence)
        history.removeAll { $0.tip.sequence % spacing != 0 && $0.tip.sequence != first }
    }
}
