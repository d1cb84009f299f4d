import Bytes
import Catalog
import CommitLog
import Iceberg
import Lineage

/// What kinds of commit one is, in words that people filter by.
///
/// What a change did to a table stands in the metadata files before and after it, so a commit by any client is
/// told the same way. When one of them is gone, the commit's own lineage says it, or it is `unknown`.
struct CommitKinds: Sendable {
    /// Everything that a commit can be.
    static let known: [String] =
        [
            // What became of rows, as Iceberg's snapshots say it.
            "append", "overwrite", "delete", "replace",
            // What became of a table.
            "create", "drop", "rename", "schema", "partitioning", "sort-order", "properties",
            "reference", "expire",
            // What else there is.
            "namespace", "view", "branch", "tag", "merge", "unknown",
        ] + logged

    /// As the log itself calls changes.
    private static let logged = [
        "create-namespace", "drop-namespace", "update-namespace", "create-table", "update-table",
        "replace-table", "drop-table", "rename-table", "create-view", "update-view", "drop-view",
        "rename-view", "on-branch", "create-branch", "drop-branch", "merge-branch", "create-tag",
        "drop-tag",
    ]

    private(set) var words: Set<String> = []

    /// - Parameter uuid: only what the commit did to this table counts; nil for everything.
    init(
        _ commit: HistoricCommit,
        ofTable uuid: String?,
        _ catalog: WarehouseCatalog
    ) async throws {
        for change in commit.logged {
            if let uuid, !change.concerns(tableUUID: uuid) { continue }
            if let kind = change.json["change"]?.string { words.insert(kind) }
        }
        for change in commit.changes {
            if let uuid, !change.concerns(tableUUID: uuid) {
                // A merge stands before what it brought.
                if case .mergeBranch = change { words.insert("merge") }
                continue
            }
            if let kind = change.json["change"]?.string { words.insert(kind) }
            try await add(change, commit, catalog)
        }
    }

    private mutating func add(
        _ change: CatalogChange,
        _ commit: HistoricCommit,
        _ catalog: WarehouseCatalog
    ) async throws {
        switch change {
        case .createNamespace, .dropNamespace, .updateNamespace: words.insert("namespace")
        case .createTable: words.insert("create")
        case .replaceTable: words.formUnion(["create", "drop"])
        case .dropTable: words.insert("drop")
        case .renameTable: words.insert("rename")
        case .createView, .updateView, .dropView, .renameView: words.insert("view")
        case .createBranch, .dropBranch: words.insert("branch")
        case .mergeBranch: words.formUnion(["branch", "merge"])
        case .createTag, .dropTag: words.insert("tag")
        case .updateTable(_, _, _, _, let added): if added != nil { words.insert("append") }
        case .onBranch: break
        }
        guard let written = change.written,
            let states = try await change.states(ofTable: written.entry.uuid, catalog)
        else { return }
        guard let new = states.new else {
            let flows = commit.flows.filter { $0.output.dataset.isTable(written.entry.uuid) }
            words.formUnion(flows.map(\.output.operation))
            if flows.isEmpty, case .updateTable = change { words.insert("unknown") }
            return
        }
        words.formUnion(states.operations.map(\.rawValue))
        guard let old = states.old else { return }
        if old.currentSchema.fields != new.currentSchema.fields { words.insert("schema") }
        if old.defaultSpec.fields != new.defaultSpec.fields { words.insert("partitioning") }
        if old.defaultSortOrder.fields != new.defaultSortOrder.fields { words.insert("sort-order") }
        if old.properties != new.properties { words.insert("properties") }
        let kept = Set(new.snapshots.map(\.snapshotID))
        if old.snapshots.contains(where: { !kept.contains($0.snapshotID) }) {
            words.insert("expire")
        }
        // A branch that moved to a snapshot of this commit is no news; all else about references is.
        let fresh = Set(states.newSnapshots.map(\.snapshotID))
        for (name, reference) in new.refs where old.refs[name] != reference {
            let isMove = old.refs[name] != nil || name == SnapshotRef.main
            if !isMove || !fresh.contains(reference.snapshotID) { words.insert("reference") }
        }
        if old.refs.keys.contains(where: { new.refs[$0] == nil }) { words.insert("reference") }
    }
}

extension LineageFacts.Dataset {
    func isTable(_ uuid: String) -> Bool {
        if case .table(let own, _) = self { own == uuid } else { false }
    }
}

/// A table's metadata before and after a change.
struct ChangedStates: Sendable {
    /// nil for a table that is made, or whose file is gone.
    var old: TableMetadata?
    /// nil when the file is gone.
    var new: TableMetadata?

    /// Snapshots that the change brought.
    var newSnapshots: [Snapshot] {
        guard let new else { return [] }
        // A table that comes back, or is registered, has a history already.
        if old == nil, new.snapshots.count > 1 { return [] }
        let known = Set(old?.snapshots.map(\.snapshotID) ?? [])
        return new.snapshots.filter { !known.contains($0.snapshotID) }
    }

    /// What they did.
    var operations: Set<SnapshotOperation> { Set(newSnapshots.compactMap(\.operation)) }
}

extension CatalogChange {
    /// A table's metadata before and after the change; nil for changes that leave no table's behind.
    func states(
        ofTable uuid: String,
        _ catalog: WarehouseCatalog
    ) async throws -> ChangedStates? {
        switch self {
        case .createTable(let table, let new, _):
            return ChangedStates(new: try await catalog.loadIfKept(table, at: new))
        case .replaceTable(let table, let old, let new, _):
            guard new.uuid == uuid else { return nil }
            let before =
                old.uuid == uuid ? try await catalog.loadIfKept(table, at: old) : nil
            return ChangedStates(old: before, new: try await catalog.loadIfKept(table, at: new))
        case .updateTable(let table, let old, let new, let snapshotID, let added):
            let after = try await catalog.loadIfKept(table, at: new)
            var before = try await catalog.loadIfKept(table, at: old)
            if added != nil, old.metadataLocation == new.metadataLocation, let snapshotID {
                // The snapshot is shared with the commits before it in the entry.
                before?.snapshots.removeAll { $0.snapshotID == snapshotID }
                if var refs = before?.refs {
                    for (name, ref) in refs where ref.snapshotID == snapshotID {
                        refs[name]?.snapshotID =
                            after?.snapshot(id: snapshotID)?
                            .parentSnapshotID ?? snapshotID
                    }
                    before?.refs = refs
                }
            }
            if after != nil, before == nil { return ChangedStates() }
            return ChangedStates(old: before, new: after)
        default: return nil
        }
    }
}
