extension WarehouseCatalog {
    /// The newest state of a branch or tag, or of `main` (nil).
    ///
    /// - Throws: `referenceNotFound`.
    package func read(
        of reference: String?,
        stalenessMillisMax: Int64 = 0
    ) async throws -> CatalogSnapshot {
        try await read(stalenessMillisMax: stalenessMillisMax).on(reference)
    }

    /// What a merge of two branches would do at a state of the catalog.
    ///
    /// - Throws: `referenceNotFound`, `invalid` for branches that are not merged with each other.
    package func merge(
        of source: String?,
        into target: String?,
        in snapshot: CatalogSnapshot
    ) throws(CatalogError) -> CatalogMerge {
        try CatalogMerge(snapshot.branched, source, into: target)
    }
}

/// A table that was dropped.
package struct DroppedTable: Sendable {
    package let table: TableIdentifier
    /// As it was dropped; without the hash of its metadata file, which the drop does not say.
    package let entry: TableEntry
    /// The branch that it was dropped on; nil for `main`.
    package let branch: String?
    /// Whether whoever dropped it wanted its files gone: then it cannot be brought back.
    package let isPurged: Bool
    /// The entry that dropped it.
    package let position: Int64
    /// That entry's time in milliseconds since 1970.
    package let timeMillis: Int64
    package let actor: String
}

extension WarehouseCatalog {
    /// How long a dropped table can be brought back unless somebody says otherwise: seven days.
    package static let undropMillis: Int64 = 7 * 86_400_000

    /// Tables that were dropped, or lost their name to another, and that no branch has under any name now,
    /// newest first.
    ///
    /// - Parameters:
    ///   - snapshot: nothing after its position counts.
    ///   - time: nothing that was dropped before it, in milliseconds since 1970; reads the log back to there.
    package func droppedTables(
        in snapshot: CatalogSnapshot,
        sinceMillis time: Int64
    ) async throws -> [DroppedTable] {
        var dropped: [DroppedTable] = []
        var seen: Set<String> = []
        try await eachDrop(in: snapshot, sinceMillis: time) { drop in
            // Who was dropped twice was there in between: the last one counts.
            let key = "\(drop.branch ?? "")\u{0}\(drop.entry.uuid)"
            if seen.insert(key).inserted { dropped.append(drop) }
            return true
        }
        var present: [String: Set<String>] = [:]
        func uuids(of branch: String?) throws -> Set<String> {
            if let known = present[branch ?? ""] { return known }
            var found: Set<String> = []
            if let state = try? snapshot.branched.state(of: branch) {
                for table in try state.allTables() {
                    if let entry = state.table(table) { found.insert(entry.uuid) }
                }
            }
            present[branch ?? ""] = found
            return found
        }
        return try dropped.filter { try !uuids(of: $0.branch).contains($0.entry.uuid) }
    }

    /// The last drop of a table of this name on a branch.
    ///
    /// - Parameter time: as `droppedTables`.
    /// - Returns: nil when none of this name was dropped since.
    package func lastDrop(
        of table: TableIdentifier,
        in snapshot: CatalogSnapshot,
        sinceMillis time: Int64
    ) async throws -> DroppedTable? {
        var found: DroppedTable?
        try await eachDrop(in: snapshot, sinceMillis: time) { drop in
            guard drop.table == table, drop.branch == snapshot.reference else { return true }
            found = drop
            return false
        }
        return found
    }

    /// Hands drops over, newest first, until `body` has enough.
    private func eachDrop(
        in snapshot: CatalogSnapshot,
        sinceMillis time: Int64,
        _ body: (DroppedTable) throws -> Bool
    ) async throws {
        var before: Int64? = snapshot.position + 1
        while let end = before, end > 1 {
            try Task.checkCancellation()
            let page = try await history(before: end, countMax: 1000)
            for commit in page.commits {
                if commit.timeMillis < time { return }
                for change in commit.changes.reversed() {
                    let lost: (TableIdentifier, TableEntry, Bool)
                    switch change {
                    case .dropTable(let table, let entry, let purge): lost = (table, entry, purge)
                    case .replaceTable(let table, let old, let new, _) where old.uuid != new.uuid:
                        lost = (table, old, false)
                    default: continue
                    }
                    let drop = DroppedTable(
                        table: lost.0,
                        entry: lost.1,
                        branch: commit.branch,
                        isPurged: lost.2,
                        position: commit.position,
                        timeMillis: commit.timeMillis,
                        actor: commit.actor
                    )
                    if try !body(drop) { return }
                }
            }
            before = page.next
        }
    }
}
