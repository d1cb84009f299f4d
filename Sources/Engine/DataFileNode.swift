import Ambient
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
    /// Reads the manifests of the table whose folder has the file; and of tables that write elsewhere
    /// (`write.data.path`), when it does not have it.
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
        let (table, added) = try await addition(of: key, snapshot, catalog)
        var runs = graph.runs(
            ofSnapshot: added.snapshotID,
            tableUUID: table.entry.uuid,
            to: snapshot.position
        )
        if runs.count > 1 {
            let commits = try await commits(sharing: added.path, runs, table.entry.uuid, catalog)
            if !commits.isEmpty { runs.removeAll { !commits.contains($0.commitID) } }
        }
        guard !runs.isEmpty else {
            let name = table.identifier
            throw EngineError(
                .notFound,
                "the data file came with snapshot \(added.snapshotID) of \(name), of which lineage knows no run",
                hint: "varve audit log --table \(name) shows the commit."
            )
        }
        return try NodeName(dataFile: text, runs: runs.map(\.runID))
    }

    /// The table that has a file, and the snapshot that added it.
    ///
    /// - Throws: `notFound` when no table that may have it does.
    private func addition(
        of key: String,
        _ snapshot: CatalogSnapshot,
        _ catalog: WarehouseCatalog
    ) async throws -> (table: LoadedTable, added: (snapshotID: Int64, path: String)) {
        var asked: [TableIdentifier] = []
        if let near = try table(inWhoseFolderIs: key, snapshot, catalog) {
            let table = try await catalog.load(near, in: snapshot)
            if let added = try await addition(of: key, to: table, catalog) { return (table, added) }
            asked.append(near)
        }
        for table in try await tables(writingTo: key, snapshot, catalog)
        where !asked.contains(table.identifier) {
            if let added = try await addition(of: key, to: table, catalog) { return (table, added) }
            asked.append(table.identifier)
        }
        guard let first = asked.first else {
            throw EngineError(
                .notFound,
                "no table then has a folder with the data file \(key), nor writes to one (write.data.path)",
                hint: "A data file is named by its location, or by its path in the warehouse. "
                    + "Files that were registered from elsewhere are not looked for."
            )
        }
        throw EngineError(
            .notFound,
            "no snapshot of \(asked.map(\.description).joined(separator: ", ")) that is kept has the data file \(key)",
            hint: "SELECT file_path FROM \(first).all_data_files lists those that there are."
        )
    }

    /// Tables whose data files go where a file is, the innermost folder first; reads the metadata of all tables.
    private func tables(
        writingTo key: String,
        _ snapshot: CatalogSnapshot,
        _ catalog: WarehouseCatalog
    ) async throws -> [LoadedTable] {
        let all = try await mapBounded(try snapshot.state.allTables(), countMax: 32) {
            try await catalog.load($0, in: snapshot)
        }
        var found: [(table: LoadedTable, folder: String)] = []
        for table in all {
            // Tools of others call it by older names.
            let properties = [
                "write.object-storage.path", "write.folder-storage.path",
            ].compactMap { table.metadata.properties[$0] }
            let folders = ([table.metadata.dataLocation, table.metadata.location] + properties)
                .map { folder in
                    let inside = catalog.key(of: folder) ?? folder
                    return inside.hasSuffix("/") ? inside : inside + "/"
                }
            if let folder = folders.filter({ key.hasPrefix($0) }).max(by: { $0.count < $1.count }) {
                found.append((table, folder))
            }
        }
        return found.sorted { a, b in
            if a.folder.count != b.folder.count { return a.folder.count > b.folder.count }
            return a.table.identifier < b.table.identifier
        }.map(\.table)
    }

    /// The table in whose folder a file is: the innermost.
    private func table(
        inWhoseFolderIs key: String,
        _ snapshot: CatalogSnapshot,
        _ catalog: WarehouseCatalog
    ) throws -> TableIdentifier? {
        var best: (table: TableIdentifier, folder: String)?
        for table in try snapshot.state.allTables() {
            let entry = try snapshot.state.existingTable(table)
            let location = catalog.key(of: entry.metadataLocation) ?? entry.metadataLocation
            guard let range = location.ranges(of: "/metadata/").last else { continue }
            let folder = String(location[..<range.lowerBound]) + "/"
            if key.hasPrefix(folder), folder.utf8.count > best?.folder.utf8.count ?? 0 {
                best = (table, folder)
            }
        }
        return best?.table
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
