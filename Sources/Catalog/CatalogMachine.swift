import Ambient
import CommitLog
import Iceberg
import ObjectStorage

/// Gives the log its meaning: how commits change the catalog, and how requests become commits.
struct CatalogMachine: LogMachine {
    typealias State = BranchedState
    typealias Request = CatalogCommit
    typealias Outcome = CommitReceipt
    typealias Batch = CatalogBatch

    let store: any ObjectStore
    let files: MetadataFiles
    let ambient: AmbientSources
    let parallelCountMax: Int

    var initialState: BranchedState { BranchedState() }

    func apply(
        _ commit: LoggedCommit,
        of header: LogEntry.Header,
        to state: inout BranchedState
    ) throws {
        for change in commit.changes {
            try state.apply(try CatalogChange(json: change), of: header)
        }
    }

    func changedKeys(
        by commit: LoggedCommit,
        from before: BranchedState,
        to after: BranchedState
    ) throws -> [[UInt8]] {
        try commit.changes.flatMap { change in
            BranchedState.changedKeys(
                by: try CatalogChange(json: change),
                from: before,
                to: after
            )
        }
    }

    func recordValue(_ key: [UInt8], in state: BranchedState) -> [UInt8]? {
        state.recordValue(key)
    }

    func records(of state: BranchedState) -> [CheckpointRecord] { state.records }

    func recordCount(of state: BranchedState) -> Int { state.recordCount }

    func makeState(of records: [CheckpointRecord]) throws -> BranchedState {
        try BranchedState(records: records)
    }

    func commitID(of request: CatalogCommit) -> String { request.id }

    func makeBatch(
        for requests: [CatalogCommit],
        on state: BranchedState,
        header: LogEntry.Header,
        combines: Bool
    ) async -> CatalogBatch {
        // A branch made within the entry would be of a state that is not made yet.
        let hasReferences = requests.contains {
            $0.operations.contains(where: \.isAboutReferences)
        }
        var batch = CatalogBatch(
            machine: self,
            state: state,
            header: header,
            combinesAppends: combines && !hasReferences
        )
        if requests.count > 1 { await batch.prepareAhead(requests) }
        return batch
    }

    func outcome(
        of commit: LoggedCommit,
        at position: LogEntry.Header
    ) async throws -> CommitReceipt {
        var tables: [LoadedTable] = []
        let logged = try commit.changes.map { json throws(CatalogError) in
            try CatalogChange(json: json)
        }
        for change in logged.flatMap({ $0.plain }) {
            guard let (table, entry) = change.written else { continue }
            let metadata = try await files.load(table, entry)
            tables.append(LoadedTable(identifier: table, entry: entry, metadata: metadata))
        }
        return CommitReceipt(
            position: position.sequence,
            timeMillis: position.timeMillis,
            commitID: commit.id,
            requestHash: commit.requestHash,
            branch: logged.lazy.compactMap(\.branch).first,
            changes: logged.flatMap { $0.isWrapped ? $0.plain : [$0] },
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
