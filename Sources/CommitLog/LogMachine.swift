/// What a log is about: its state, how commits change it, and how requests become commits.
///
/// The log calls `apply` for every commit of every entry, once and in order; two processes that have
/// read the same entries must have equal states, so it may depend on nothing else.
package protocol LogMachine: Sendable {
    /// An immutable value; copying it must be cheap.
    associatedtype State: Sendable
    /// Somebody's wish to commit.
    associatedtype Request: Sendable
    /// What somebody whose commit landed gets to know.
    associatedtype Outcome: Sendable
    associatedtype Batch: CommitBatch where Batch.Request == Request, Batch.Outcome == Outcome

    /// Whether changes stay in the text that they were read from: for large ones of which little is needed.
    var keepsText: Bool { get }

    /// The state before the first entry.
    var initialState: State { get }

    /// Changes the state as a commit says.
    ///
    /// - Throws: when the change is of an unknown kind or does not fit the state; the log then refuses
    ///   to be read further.
    func apply(_ commit: LoggedCommit, of header: LogEntry.Header, to state: inout State) throws

    // A state is also a set of records under keys, which checkpoints store. Equal states have equal
    // records, and a state is wholly told by its records.

    /// The keys of all records that a commit may have made, changed or removed.
    ///
    /// - Parameters:
    ///   - before: the state without the commit.
    ///   - after: the state with it.
    func changedKeys(
        by commit: LoggedCommit,
        from before: State,
        to after: State
    ) throws -> [[UInt8]]

    /// The value of a record; nil when the state has none under exactly this key.
    func recordValue(_ key: [UInt8], in state: State) -> [UInt8]?

    /// All records of a state, in any order.
    func records(of state: State) -> [CheckpointRecord]

    /// How many records a state has.
    func recordCount(of state: State) -> Int

    /// The state with these records, which come sorted by their keys' bytes.
    ///
    /// - Throws: when they cannot be those of a state, or a later version wrote them.
    func makeState(of records: [CheckpointRecord]) throws -> State

    /// The id of the commit that a request asks for.
    func commitID(of request: Request) -> String

    /// Begins the preparation of an entry.
    ///
    /// - Parameters:
    ///   - requests: what will be prepared, in order, unless it fails or does not fit; a chance to do in
    ///     parallel what does not depend on that order.
    ///   - header: the entry's position and time, should it win.
    ///   - combines: whether commits may be done together; false when that failed.
    func makeBatch(
        for requests: [Request],
        on state: State,
        header: LogEntry.Header,
        combines: Bool
    ) async -> Batch

    /// The outcome of a commit that landed earlier, for a retry with the same id.
    func outcome(
        of commit: LoggedCommit,
        at position: LogEntry.Header
    ) async throws -> Outcome
}

extension LogMachine {
    package var keepsText: Bool { false }
}

/// What a batch throws when commits that it does together cannot be done: each is then tried alone, so that
/// everybody hears of their own mistakes only.
package struct CombinationFailed: Error {
    package let underlying: any Error

    package init(_ underlying: any Error) {
        self.underlying = underlying
    }
}

/// The commits of an entry that is being prepared; a value, so that a commit that fails or does not
/// fit leaves no trace.
package protocol CommitBatch: Sendable {
    associatedtype Request: Sendable
    associatedtype Outcome: Sendable

    /// Validates a request against the state that the commits before it leave behind.
    ///
    /// - Throws: when it cannot be committed there; `CombinationFailed` when those before it cannot.
    mutating func prepare(
        _ request: Request
    ) async throws -> (commit: LoggedCommit, outcome: Outcome)

    /// The bytes that `upload` would write now.
    var uploadByteCount: Int { get }

    /// What was prepared, as the entry is to have it, now that no more comes; nil for as it is.
    ///
    /// Commits keep their number, order, ids and about their size.
    ///
    /// - Throws: `CombinationFailed` when it cannot be done for all.
    mutating func finish(
        _ prepared: [(commit: LoggedCommit, outcome: Outcome)]
    ) async throws -> [(commit: LoggedCommit, outcome: Outcome)]?

    /// What `upload` would write now: names that were never used, and their bytes.
    var uploads: [(key: String, bytes: [UInt8])] { get }

    /// Writes everything that the prepared commits refer to; called once, before the entry is made or at the
    /// same time.
    ///
    /// It may be left behind unused when the entry does not win.
    func upload() async throws
}

extension CommitBatch {
    package mutating func finish(
        _ prepared: [(commit: LoggedCommit, outcome: Outcome)]
    ) async throws -> [(commit: LoggedCommit, outcome: Outcome)]? { nil }
}

/// A state and where in the log it was the state.
package struct LogSnapshot<State: Sendable>: Sendable {
    /// The last entry that the state includes.
    package let tip: ChainTip
    package let state: State
}

/// Bounds and habits of a log.
package struct LogOptions: Sendable {
    /// Names this process in the entries it writes; empty for a random id.
    package var server = ""
    /// An entry with more than one commit is no larger than this.
    package var entryBytesMax = 1 << 20
    /// A commit is no larger than this.
    package var commitBytesMax = 16 << 20
    /// An entry takes no further commit when this much is to be uploaded for those it has.
    package var uploadBytesMax = 64 << 20
    /// An entry has no more commits than this.
    package var commitCountMax = 1024
    /// So many commits may wait in this process, about; more are refused as `busy`.
    package var queueCountMax = 100_000
    /// How long commit ids are remembered, in the log's time.
    package var idWindowMillis: Int64 = 24 * 3600 * 1000
    /// What counts of that at most between an entry and the next, so that a clock that is wrong once, by
    /// however much, makes no id older than this.
    package var idStepMillisMax: Int64 = 60 * 1000
    /// So many of the latest commit ids are remembered whatever their time.
    package var idCountMin = 10_000
    /// No more commit ids than this are remembered.
    package var idCountMax = 100_000
    /// Entries read at once when far behind.
    package var parallelReadsMax = 32
    /// How often an entry is tried again after others won.
    package var lostAttemptsMax = 100
    /// How often an entry is tried again after the store failed.
    package var failedAttemptsMax = 6
    /// The longest wait between attempts.
    package var backoffMillisMax: Int64 = 500
    /// Every so many entries a state is kept, so that older ones are not folded from the start.
    package var historySpacing: Int64 = 256
    /// States kept; when there are more, every second goes and the spacing doubles.
    package var historyCountMax = 512
    /// Whether to start from the newest checkpoint instead of reading every entry.
    package var startsFromCheckpoint = true
    /// An entry carries files of no more bytes than this, compressed and in base 64; 0 for none ever.
    package var carriedBytesMax = 256 << 10
    /// Whether entries carry files where it does not pay, too, and however many bytes: for simulations.
    package var carriesAlways = false
    /// How long a process that may not write waits for others to write the files of an entry.
    package var completionMillisMax: Int64 = 10_000
    /// After so many entries since the last checkpoint the next one is written in the background.
    ///
    /// Ten times as many commits count as much. 0 for never.
    package var checkpointEntryCount = 1000
    /// Segments of checkpoints are about this large before compression.
    package var checkpointSegmentBytes = 1 << 20

    package init() {}
}
