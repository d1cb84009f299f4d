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

    var initialState: CatalogState { CatalogState() }

    func apply(
        _ commit: LoggedCommit,
        of header: LogEntry.Header,
        to state: inout CatalogState
    ) throws {
        for change in commit.changes { try state.apply(try CatalogChange(json: change)) }
    }

    func commitID(of request: CatalogCommit) -> String { request.id }

    func makeBatch(on state: CatalogState, header: LogEntry.Header) -> CatalogBatch {
        CatalogBatch(machine: self, state: state, header: header)
    }

    func warm(_ requests: [CatalogCommit], on state: CatalogState) async {
        var wanted: [String] = []
        for operation in requests.lazy.flatMap(\.operations) {
            guard let table = operation.changedTable, let entry = state.table(table) else {
                continue
            }
            if files.known(entry.metadataLocation) == nil { wanted.append(entry.metadataLocation) }
        }
        guard wanted.count > 1 else { return }
        // Whoever needs one that fails sees the failure.
        _ = try? await forEachBounded(Array(Set(wanted)), countMax: parallelCountMax) { location in
            _ = try? await files.load(location)
        }
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
            changes: changes,
            tables: tables,
            isReplay: true
        )
    }
}

/// Runs an operation for every element, several at a time; the first failure cancels the rest.
func forEachBounded<Element: Sendable>(
    _ elements: [Element],
    countMax: Int,
    _ operation: @escaping @Sendable (Element) async throws -> Void
) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
        for (index, element) in elements.enumerated() {
            if index >= max(countMax, 1) { try await group.next() }
            group.addTask { try await operation(element) }
        }
        try await group.waitForAll()
    }
}
