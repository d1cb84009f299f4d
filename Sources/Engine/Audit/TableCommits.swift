import Catalog
import CommitLog
import Iceberg
import Lineage

// Which commit made a snapshot, and which commit wrote a row of a file.
//
// A change of the log names the snapshot that is current after it. So the first change that names a snapshot made
// it, unless it is of no name in the log:
//
// - a snapshot on a branch of the table, or one of several of a transaction: the commit's lineage names it;
// - such a snapshot by another client: the first commit whose metadata file has it made it.
//
// Commits that were appended together share a snapshot; then each says which files, and which rows of them, are
// its own.

/// The commits that changed one table, and what each of them made.
struct TableCommits: Sendable {
    /// Oldest first.
    private(set) var commits: [HistoricCommit] = []
    /// By snapshot id: the commits that share it, or the one that made it.
    private var makers: [Int64: [Int]] = [:]
    /// By data file: the commits whose rows are in it, and which rows these are.
    private var writers: [String: [(rows: Range<Int64>?, commit: Int)]] = [:]
    private let uuid: String

    /// - Parameter position: later entries are not looked at.
    init(
        ofTable uuid: String,
        to position: Int64,
        _ catalog: WarehouseCatalog,
        progress: @Sendable (Int) -> Void
    ) async throws {
        self.uuid = uuid
        var filter = HistoryFilter()
        filter.tableUUID = uuid
        filter.lastPosition = position
        var before: Int64?
        var entryCount = 0
        repeat {
            let page = try await catalog.history(filter, before: before, countMax: 1000)
            commits += page.commits
            entryCount += page.entryCount
            progress(entryCount)
            before = page.next
        } while before != nil
        commits.reverse()
        for index in commits.indices { note(index) }
    }

    private mutating func note(_ index: Int) {
        let commit = commits[index]
        for change in commit.changes where change.concerns(tableUUID: uuid) {
            guard let snapshotID = change.snapshotID else { continue }
            guard case .updateTable(_, _, _, _, let added?) = change else {
                if makers[snapshotID] == nil { makers[snapshotID] = [index] }
                continue
            }
            let others = makers[snapshotID] ?? []
            let isShared = others.allSatisfy { commits[$0].position == commit.position }
            if isShared, others.last != index { makers[snapshotID, default: []].append(index) }
            for (place, location) in added.locations.enumerated() {
                let rows = added.rows.flatMap { $0.indices.contains(place) ? $0[place] : nil }
                writers[location, default: []].append((rows, index))
            }
        }
        for flow in commit.flows where flow.output.dataset.isTable(uuid) {
            guard let snapshotID = flow.output.snapshotID, makers[snapshotID] == nil else {
                continue
            }
            makers[snapshotID] = [index]
        }
    }

    /// The commit that made a snapshot, or the first of those that share it; nil when none is known.
    func maker(ofSnapshot id: Int64) -> Int? { makers[id]?.first }

    /// The commits that a snapshot is of.
    func makers(ofSnapshot id: Int64) -> [Int] { makers[id] ?? [] }

    /// Whether rows of a file are of different commits.
    func isShared(_ file: String) -> Bool { (writers[file]?.count ?? 0) > 1 }

    /// The commit that wrote a row.
    ///
    /// - Parameters:
    ///   - position: the row's number in the file; nil for any.
    ///   - snapshotID: the snapshot that added the file.
    func writer(
        ofRow position: Int64?,
        in file: String,
        addedBy snapshotID: Int64?
    ) -> Int? {
        if let known = writers[file] {
            let own = known.first { writer in
                guard let rows = writer.rows, let position else { return true }
                return rows.contains(position)
            }
            if let own { return own.commit }
        }
        return snapshotID.flatMap { maker(ofSnapshot: $0) }
    }

    // MARK: What the log does not name

    /// Finds the commits of snapshots that the log names nowhere, in metadata files.
    ///
    /// - Returns: what could not be found, in words.
    mutating func find(
        _ snapshots: [Snapshot],
        _ catalog: WarehouseCatalog
    ) async throws -> [String] {
        var missing = Dictionary(
            snapshots.filter { makers[$0.snapshotID] == nil }.map { ($0.snapshotID, $0) },
            uniquingKeysWith: { first, _ in first }
        )
        if missing.isEmpty { return [] }
        // Most likely it came with the snapshot after it: clients that replace rows make two at once.
        for snapshot in snapshots.reversed() {
            guard let id = snapshot.parentSnapshotID, missing[id] != nil,
                let index = maker(ofSnapshot: snapshot.snapshotID),
                try await brought(id, index, catalog)
            else { continue }
            missing[id] = nil
            makers[id] = [index]
        }
        for index in commits.indices where !missing.isEmpty {
            guard let state = state(after: index) else { continue }
            try Task.checkCancellation()
            let metadata = try await catalog.loadIfKept(state.table, at: state.entry)
            for snapshot in metadata?.snapshots ?? [] where missing[snapshot.snapshotID] != nil {
                missing[snapshot.snapshotID] = nil
                makers[snapshot.snapshotID] = [index]
            }
        }
        return missing.keys.sorted().map {
            "snapshot \($0) of the table is of no commit that the log tells of"
        }
    }

    /// Whether a commit is the first whose metadata file has a snapshot.
    private func brought(
        _ id: Int64,
        _ index: Int,
        _ catalog: WarehouseCatalog
    ) async throws -> Bool {
        for case .updateTable(let table, let old, let new, _, _) in commits[index].changes
        where new.uuid == uuid {
            guard let after = try await catalog.loadIfKept(table, at: new),
                let before = try await catalog.loadIfKept(table, at: old)
            else { return false }
            if after.snapshot(id: id) != nil, before.snapshot(id: id) == nil { return true }
        }
        return false
    }

    /// Whether the log first knew a snapshot when the table was given its name: then it may be older than the
    /// commit, and made by somebody whom the log does not know.
    func wasRegistered(_ snapshot: Snapshot) -> Bool {
        guard let index = maker(ofSnapshot: snapshot.snapshotID) else { return false }
        let isCreation = commits[index].changes.contains { change in
            switch change {
            case .createTable(_, let entry, _), .replaceTable(_, _, let entry, _):
                entry.uuid == uuid
            default: false
            }
        }
        // What is made in the commit that makes the table has the entry's own time.
        return isCreation && snapshot.timestampMillis != commits[index].timeMillis
    }

    /// The state that a commit gave the table; nil when it took it away.
    func state(after index: Int) -> (table: TableIdentifier, entry: TableEntry)? {
        commits[index].changes.lazy.compactMap(\.written).last { $0.entry.uuid == uuid }
    }

    /// The merges that brought what a commit did on one branch to another, in order; empty where it was made
    /// there, or where the branch was made of a state that had it.
    func merges(after index: Int, to reference: String?) -> [Int] {
        let target = reference ?? ReferenceName.main
        var place = commits[index].branch ?? ReferenceName.main
        if place == target { return [] }
        var found: [Int] = []
        for later in commits.indices where later > index {
            for case .mergeBranch(let source, let into, _) in commits[later].logged
            where source == place {
                found.append(later)
                place = into
                if place == target { return found }
            }
        }
        return []
    }
}

extension CatalogChange {
    /// The current snapshot that the change gives a table.
    var snapshotID: Int64? {
        switch self {
        case .createTable(_, _, let id), .updateTable(_, _, _, let id, _),
            .replaceTable(_, _, _, let id):
            id
        default: nil
        }
    }
}
