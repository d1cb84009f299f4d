import Ambient
import CommitLog
import Iceberg
import ObjectStorage

/// Gives the log its meaning: how commits change the catalog, and how requests become commits.
struct CatalogMachine: LogMachine {
    typealias State = CatalogState
    typealias Request = CatalogCommit
    typealias Outcome = CommitReceipt
    typealias Batch = CatalogBatch

    let store: any ObjectStore
    let files: MetadataFiles
    let ambient: AmbientSources
    let parallelCountMax: Int
    /// Whether the commits of an entry that change one table leave one metadata file, with all of them.
    var sharesMetadataFiles = false

    var initialState: CatalogState { CatalogState() }

    func apply(
        _ commit: LoggedCommit,
        of header: LogEntry.Header,
        to state: inout CatalogState
    ) throws {
        for change in commit.changes { try state.apply(try CatalogChange(json: change)) }
    }

    func changedKeys(
        by commit: LoggedCommit,
        from before: CatalogState,
        to after: CatalogState
    ) throws -> [[UInt8]] {
        var keys: [[UInt8]] = []
        for change in commit.changes {
            for name in try CatalogChange(json: change).names {
                // Equal names may differ in their bytes; records are under those that the state has.
                let (old, new) = (before.recordKey(of: name), after.recordKey(of: name))
                if let old { keys.append(old) }
                if let new, new != old { keys.append(new) }
            }
        }
        return keys
    }

    func recordValue(_ key: [UInt8], in state: CatalogState) -> [UInt8]? {
        state.recordValue(key)
    }

    func records(of state: CatalogState) -> [CheckpointRecord] { state.records }

    func recordCount(of state: CatalogState) -> Int { state.recordCount }

    func makeState(of records: [CheckpointRecord]) throws -> CatalogState {
        try CatalogState(records: records)
    }

    func commitID(of request: CatalogCommit) -> String { request.id }

    func makeBatch(
        for requests: [CatalogCommit],
        on state: CatalogState,
        header: LogEntry.Header
    ) async -> CatalogBatch {
        var batch = CatalogBatch(machine: self, state: state, header: header)
        if requests.count > 1 { await batch.prepareAhead(requests) }
        return batch
    }

    func outcome(
        of commit: LoggedCommit,
        at position: LogEntry.Header
    ) async throws -> CommitReceipt {
        var changes: [CatalogChange] = []
        var tables: [LoadedTable] = []
        for json in commit.changes {
            let change = try CatalogChange(json: json)
            changes.append(change)
            guard let (table, entry) = change.written else { continue }
            let metadata = try await files.load(table, entry)
            tables.append(LoadedTable(identifier: table, entry: entry, metadata: metadata))
        }
        return CommitReceipt(
            position: position.sequence,
            timeMillis: position.timeMillis,
            commitID: commit.id,
            requestHash: commit.requestHash,
            changes: changes,
            tables: tables,
            isReplay: true
        )
    }
}

/// Runs an operation for every element, several at a time, and gives the results in no order.
///
/// The first failure cancels the rest and is thrown.
func mapUnordered<Element: Sendable, Value: Sendable>(
    _ elements: [Element],
    countMax: Int,
    _ operation: @escaping @Sendable (Element) async throws -> Value
) async throws -> [Value] {
    try await withThrowingTaskGroup(of: Value.self) { group in
        var values: [Value] = []
        for (index, element) in elements.enumerated() {
            if index >= max(countMax, 1), let value = try await group.next() {
                values.append(value)
            }
            group.addTask { try await operation(element) }
        }
        for try await value in group { values.append(value) }
        return values
    }
}
