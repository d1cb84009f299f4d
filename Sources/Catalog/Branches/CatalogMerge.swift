import CommitLog
import Iceberg

// A merge of two branches, at the grain of names. Of every name that stands for different things in both, the
// base says who changed it: where only the source did, its side goes over; where only the target did, nothing is
// to do; where both did, to different ends, it is a conflict, and nothing is merged at all. That both only
// appended to a table is a conflict, too: the catalog knows which metadata file a name stands for, and not what
// is in it.

/// A name that both sides of a merge changed to different ends.
package struct CatalogConflict: Sendable, Equatable {
    /// What both had in common, what the target has and what the source has; nil for nothing.
    package let base: CatalogDifference.Content?
    package let ours: CatalogDifference.Content?
    package let theirs: CatalogDifference.Content?
    let name: RecordName
    /// Why it is one where the contents do not show it.
    package let reason: String?

    /// `table main.t`.
    package var description: String {
        "\((theirs ?? ours ?? base)?.kind ?? "name") \(name)"
    }

    /// The namespace, or the one that the table or view is in.
    package var namespace: Namespace {
        switch name {
        case .namespace(let namespace): namespace
        case .table(let table): table.namespace
        }
    }

    /// The table or view; nil for a namespace.
    package var table: TableIdentifier? {
        if case .table(let table) = name { table } else { nil }
    }
}

/// What a merge would do.
package struct CatalogMerge: Sendable {
    /// The branch that the changes come from; `main` for the trunk.
    package let source: String
    /// The branch that they go into.
    package let target: String
    /// What both last had in common.
    package let base: CatalogState
    package let ours: CatalogState
    package let theirs: CatalogState
    /// What the source has changed since, and the target does not have yet.
    package let incoming: [CatalogDifference]
    /// What the target has changed since.
    package let own: [CatalogDifference]
    package let conflicts: [CatalogConflict]
    /// Whether the source has changed something since; the target may have come to the same by itself.
    package let hasNews: Bool

    /// - Throws: `referenceNotFound`, `invalid` for branches that are not merged with each other.
    init(_ state: BranchedState, _ source: String?, into target: String?) throws(CatalogError) {
        self.source = source ?? ReferenceName.main
        self.target = target ?? ReferenceName.main
        let (name, isForth) = try state.mergedBranch(self.source, self.target)
        let branch = try state.existing(name)
        base = branch.base
        let parent = try state.writableState(of: branch.parent)
        (theirs, ours) = isForth ? (branch.head, parent) : (parent, branch.head)
        let own = try base.differences(to: ours)
        let ownByName = Dictionary(
            own.map { ($0.name, $0) },
            uniquingKeysWith: { first, _ in first }
        )
        var incoming: [CatalogDifference] = []
        var conflicts: [CatalogConflict] = []
        let news = try base.differences(to: theirs)
        hasNews = !news.isEmpty
        for difference in news {
            let before = ours.side(difference.name)
            if let after = difference.new, let before, before.content.isSame(as: after.content) {
                continue
            }
            if before == nil, difference.new == nil { continue }
            if ownByName[difference.name] != nil {
                conflicts.append(
                    CatalogConflict(
                        base: difference.before,
                        ours: before?.content,
                        theirs: difference.after,
                        name: difference.name,
                        reason: nil
                    )
                )
                continue
            }
            incoming.append(
                CatalogDifference(name: difference.name, old: before, new: difference.new)
            )
        }
        if conflicts.isEmpty {
            conflicts = Self.misfits(incoming, on: ours)
        }
        self.own = own
        self.incoming = incoming
        self.conflicts = conflicts
    }

    /// The changes of the target.
    ///
    /// - Parameter snapshotID: the current snapshot of a table in a state.
    func changes(_ snapshotID: (TableEntry) -> Int64?) throws(CatalogError) -> [CatalogChange] {
        try CatalogChange.making(incoming, snapshotID: snapshotID)
    }

    /// Names that were changed on one side only and still do not fit: in a namespace that the other dropped, or
    /// a namespace that the other put something into.
    private static func misfits(
        _ incoming: [CatalogDifference],
        on ours: CatalogState
    ) -> [CatalogConflict] {
        var state = ours
        guard let changes = try? CatalogChange.making(incoming) else { return [] }
        for change in changes {
            do throws(CatalogError) {
                try state.apply(change)
            } catch {
                let name = change.names.last ?? .namespace(.main)
                let difference = incoming.first { $0.name == name }
                return [
                    CatalogConflict(
                        base: difference?.before,
                        ours: ours.side(name)?.content,
                        theirs: difference?.after,
                        name: name,
                        reason: error.message
                    )
                ]
            }
        }
        return []
    }
}

/// A merge and the tables that it is about, before it lands.
package struct MergeView: Sendable {
    package let merge: CatalogMerge
    /// Tables that the target gets, as they will be.
    package let incoming: [LoadedTable]
    /// Tables that the target has changed itself, as it has them.
    package let own: [LoadedTable]
    /// Files that the metadata may refer to and that are not in the store yet, by key.
    package let unwritten: [String: [UInt8]]
}

extension CatalogBatch {
    /// A commit about branches and tags.
    mutating func prepareReferences(
        _ request: CatalogCommit
    ) async throws -> (commit: LoggedCommit, outcome: CommitReceipt) {
        var changes: [CatalogChange] = []
        var tables: [LoadedTable] = []
        for operation in request.operations {
            let change: CatalogChange
            switch operation {
            case .createBranch(let name, let source, let older):
                change = .createBranch(try start(name, source, older))
            case .createTag(let name, let source, let older):
                change = .createTag(try start(name, source, older))
            case .dropBranch(let name):
                guard name != ReferenceName.main else {
                    throw CatalogError(.invalid, "\"main\" is the catalog's trunk and stays")
                }
                change = .dropBranch(name)
            case .dropTag(let name): change = .dropTag(name)
            case .mergeBranch(let source, let target, let verify):
                guard let made = try await merge(source, target, verify, &tables) else { continue }
                change = made
            default:
                throw CatalogError(
                    .invalid,
                    "branches and tags are changed in a commit of their own"
                )
            }
            try branched.apply(change, of: header)
            changes.append(change)
        }
        var shown: [CatalogChange] = []
        for change in changes {
            guard case .mergeBranch(let source, let target, let merged) = change else {
                shown.append(change)
                continue
            }
            shown += [.mergeBranch(source, into: target, [])] + merged
        }
        return outcome(of: request, changes, changes.first?.branch, shown, tables)
    }

    private func start(
        _ name: String,
        _ source: String?,
        _ older: CatalogSnapshot?
    ) throws(CatalogError) -> ReferenceStart {
        try ReferenceName.check(name)
        let now = try branched.state(of: source)
        var changes: [CatalogChange] = []
        var position = header.sequence
        if let tag = source.flatMap({ branched.tag($0) }) { position = tag.position }
        if let older {
            changes = try CatalogChange.making(try now.differences(to: older.state))
            position = older.position
        }
        return ReferenceStart(
            name: name,
            source: source ?? ReferenceName.main,
            position: position,
            changes: changes
        )
    }

    /// The change that merges two branches; nil when there is nothing to merge.
    private func merge(
        _ source: String?,
        _ target: String?,
        _ verify: (@Sendable (MergeView) async throws -> Void)?,
        _ tables: inout [LoadedTable]
    ) async throws -> CatalogChange? {
        let merge = try CatalogMerge(branched, source, into: target)
        if !merge.conflicts.isEmpty { throw await conflict(merge) }
        // What both came to by themselves is in common from now on, though no name changes.
        if !merge.hasNews { return nil }
        // The entry says which snapshots the tables have then, and a file that is damaged or gone shows now.
        var snapshotIDs: [String: Int64] = [:]
        for difference in merge.incoming {
            guard let table = difference.table, case .table(let entry)? = difference.after else {
                continue
            }
            let metadata = try await metadata(of: table, entry)
            tables.append(LoadedTable(identifier: table, entry: entry, metadata: metadata))
            snapshotIDs[entry.metadataLocation] = metadata.currentSnapshotID
        }
        if let verify {
            var own: [LoadedTable] = []
            for difference in merge.own {
                guard let table = difference.table, case .table(let entry)? = difference.after
                else { continue }
                let metadata = try await metadata(of: table, entry)
                own.append(LoadedTable(identifier: table, entry: entry, metadata: metadata))
            }
            let view = MergeView(
                merge: merge,
                incoming: tables,
                own: own,
                unwritten: sideFiles
            )
            try await verify(view)
        }
        return .mergeBranch(
            merge.source,
            into: merge.target,
            try merge.changes { snapshotIDs[$0.metadataLocation] }
        )
    }

    private static let shownConflictCountMax = 20

    /// The refusal of a merge, which lists what is in the way.
    private func conflict(_ merge: CatalogMerge) async -> CatalogError {
        let count = merge.conflicts.count
        var message =
            "\"\(merge.source)\" cannot be merged into \"\(merge.target)\", and nothing was: "
            + (count == 1 ? "a name was" : "\(count) names were") + " changed in both"
        for conflict in merge.conflicts.prefix(Self.shownConflictCountMax) {
            message += "\n  \(conflict.description): "
            if let reason = conflict.reason {
                message += reason
                continue
            }
            message += "base \(await shown(conflict.base, conflict)), "
            message += "\"\(merge.target)\" \(await shown(conflict.ours, conflict)), "
            message += "\"\(merge.source)\" \(await shown(conflict.theirs, conflict))"
        }
        if count > Self.shownConflictCountMax {
            message += "\n  and \(count - Self.shownConflictCountMax) more"
        }
        return CatalogError(.conflict, message)
    }

    private func shown(
        _ content: CatalogDifference.Content?,
        _ conflict: CatalogConflict
    ) async -> String {
        switch content {
        case nil: return "none"
        case .namespace(let properties)?: return "\(properties.count) properties"
        case .view(let entry)?: return entry.metadataLocation
        case .table(let entry)?:
            guard let table = conflict.table,
                let metadata = try? await metadata(of: table, entry)
            else { return entry.metadataLocation }
            return metadata.currentSnapshotID.map { "snapshot \($0)" } ?? "without rows"
        }
    }

    /// A dropped table under a name.
    func restore(
        _ table: TableIdentifier,
        _ entry: TableEntry
    ) async throws -> (CatalogChange, TableMetadata?) {
        try checkFree(table)
        if let other = try state.allTables().first(where: { state.table($0)?.uuid == entry.uuid }) {
            throw CatalogError(
                .invalid,
                "the table that was dropped is there again: it is \(other)"
            )
        }
        let metadata: TableMetadata
        let sum: String
        do {
            metadata = try await self.metadata(of: table, entry)
            sum = try await machine.files.load(entry.metadataLocation).sha256
        } catch let error as CatalogError {
            guard error.code == .corrupt else { throw error }
            throw CatalogError(
                .invalid,
                "table \(table) cannot be brought back, its files are gone: \(error.message)"
            )
        }
        return (
            .createTable(
                table,
                TableEntry(
                    uuid: entry.uuid,
                    metadataLocation: entry.metadataLocation,
                    metadataSHA256: entry.metadataSHA256 ?? sum
                ),
                snapshotID: metadata.currentSnapshotID
            ),
            metadata
        )
    }
}
