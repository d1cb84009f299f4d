package import Catalog
import Iceberg
package import Lineage
import Tables

// Data files are no datasets of lineage: manifests say which snapshot added each, and the log which runs made that. So a
// question about one is a question about those runs.

extension Session {
    /// What a question about lineage names: `file:PATH` is a data file of a table, as the runs that wrote it.
    ///
    /// Any other text stands for itself, and so does a file that lineage knows as such: `file:///tmp/flights.csv`.
    /// Reads the manifests of the table whose folder has the file.
    ///
    /// - Parameter state: of the catalog; nil for the session's.
    /// - Throws: `notFound` when no snapshot that is kept has the file, or nobody said where its rows came from.
    package func lineageNode(
        _ text: String,
        _ graph: LineageGraph,
        at state: CatalogSnapshot? = nil
    ) async throws -> NodeName {
        guard text.hasPrefix("file:"), !graph.knowsFile(text) else { return try NodeName(text) }
        let catalog = try await engine.catalog(creating: false)
        let path = String(text.dropFirst(5))
        // The text may be a URL itself.
        let key = catalog.key(of: text) ?? catalog.key(of: path) ?? path
        let snapshot: CatalogSnapshot
        if let state {
            snapshot = state
        } else {
            snapshot = try await lakeSnapshot(creating: false)
        }
        let found = try table(holding: key, snapshot, catalog)
        let table = try await catalog.load(found.table, in: snapshot)
        guard let added = try await addition(of: key, to: table, catalog) else {
            throw EngineError(
                .notFound,
                "no snapshot of \(found.table) that is kept has the data file \(key)",
                hint:
                    "SELECT file_path FROM \(found.table).all_data_files lists those that there are."
            )
        }
        var runs = graph.runs(
            ofSnapshot: added.snapshotID,
            tableUUID: found.entry.uuid,
            to: snapshot.position
        )
        if runs.count > 1 {
            let commits = try await commits(sharing: added.path, runs, found.entry.uuid, catalog)
            if !commits.isEmpty { runs.removeAll { !commits.contains($0.commitID) } }
        }
        guard !runs.isEmpty else {
            throw EngineError(
                .notFound,
                "the data file came with snapshot \(added.snapshotID) of \(found.table), of which lineage knows no run",
                hint: "varve audit log --table \(found.table) shows the commit."
            )
        }
        return try NodeName(dataFile: text, runs: runs.map(\.runID))
    }

    /// The table in whose folder a file is: the innermost.
    private func table(
        holding key: String,
        _ snapshot: CatalogSnapshot,
        _ catalog: WarehouseCatalog
    ) throws -> (table: TableIdentifier, entry: TableEntry) {
        var best: (table: TableIdentifier, entry: TableEntry, folder: String)?
        for table in try snapshot.state.allTables() {
            let entry = try snapshot.state.existingTable(table)
            let location = catalog.key(of: entry.metadataLocation) ?? entry.metadataLocation
            guard let range = location.ranges(of: "/metadata/").last else { continue }
            let folder = String(location[..<range.lowerBound]) + "/"
            if key.hasPrefix(folder), folder.utf8.count > best?.folder.utf8.count ?? 0 {
                best = (table, entry, folder)
            }
        }
        guard let best else {
            throw EngineError(
                .notFound,
                "no table then has a folder with the data file \(key)",
                hint: "A data file is named by its location, or by its path in the warehouse. "
                    + "Files of tables that write elsewhere (write.data.path) are not found."
            )
        }
        return (best.table, best.entry)
    }

    /// The snapshot that added a file, and what manifests call the file; nil when no snapshot that is kept has it.
    private func addition(
        of key: String,
        to table: LoadedTable,
        _ catalog: WarehouseCatalog
    ) async throws -> (snapshotID: Int64, path: String)? {
        let storage = try storage(of: table.metadata, catalog)
        var seen: Set<String> = []
        // What is current first: most questions are about it.
        let current = table.metadata.currentSnapshot.map { [$0] } ?? []
        for snapshot in current + table.metadata.snapshots.reversed() {
            try Task.checkCancellation()
            let reader = try TableReader(
                table.metadata,
                at: .snapshotID(snapshot.snapshotID),
                storage: storage,
                metadataFile: table.metadataLocation
            )
            let manifests = try await reader.manifests().filter {
                seen.insert($0.manifestPath).inserted
            }
            for entry in try await reader.entries(of: manifests).joined() where entry.isLive {
                let path = entry.file.filePath
                if (catalog.key(of: path) ?? path) == key, let id = entry.snapshotID {
                    return (id, path)
                }
            }
        }
        return nil
    }

    /// Of commits that share a snapshot, those that say that rows of a file are theirs.
    private func commits(
        sharing path: String,
        _ runs: [LineageGraph.SnapshotRun],
        _ tableUUID: String,
        _ catalog: WarehouseCatalog
    ) async throws -> Set<String> {
        var filter = HistoryFilter()
        filter.tableUUID = tableUUID
        filter.firstPosition = runs.map(\.position).min()
        filter.lastPosition = runs.map(\.position).max()
        var found: Set<String> = []
        var before: Int64?
        repeat {
            let page = try await catalog.history(filter, before: before, countMax: 1000)
            for commit in page.commits {
                for case .updateTable(_, _, _, _, let added?) in commit.changes
                where added.locations.contains(path) {
                    found.insert(commit.id)
                }
            }
            before = page.next
        } while before != nil
        return found
    }
}
