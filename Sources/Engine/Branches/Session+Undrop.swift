import Ambient
import Catalog
import CommitLog
import Iceberg
import ObjectStorage
import Planner
import SQL
import Tables

/// The property of namespace `main` that says how long dropped tables can be brought back.
private let retentionProperty = "varve.undrop.retention-ms"

extension Session {
    /// How long a dropped table can be brought back, in milliseconds.
    ///
    /// - Throws: `invalid` when the property is no number.
    nonisolated func undropMillis(_ snapshot: CatalogSnapshot) throws -> Int64 {
        let properties = try? snapshot.branched.main.properties(of: .main)
        guard let text = properties?[retentionProperty] else {
            return WarehouseCatalog.undropMillis
        }
        guard let millis = Int64(text), millis >= 0 else {
            throw EngineError(
                .invalid,
                "the property \(retentionProperty) of namespace main is \"\(text)\", not a number of "
                    + "milliseconds"
            )
        }
        return millis
    }

    /// The time from which on drops can be undone, in milliseconds since 1970.
    nonisolated func undropStartMillis(_ snapshot: CatalogSnapshot) throws -> Int64 {
        let now = max(engine.options.ambient.time.nowMicros() / 1000, snapshot.timeMillis)
        let (start, overflow) = now.subtractingReportingOverflow(try undropMillis(snapshot))
        return overflow ? 0 : max(0, start)
    }

    func runUndrop(_ undrop: UndropTable, _ consume: Consumer) async throws {
        try requirePresent()
        try requireNoTransaction("UNDROP TABLE")
        let catalog = try await engine.catalog(creating: false)
        let snapshot = try await catalog.read(of: reference)
        let table = try identifier(undrop.name.map(\.folded))
        let target = try undrop.newName.map { try identifier($0.map(\.folded)) } ?? table
        if snapshot.state.table(target) != nil || snapshot.state.view(target) != nil {
            throw PlanError(
                .invalid,
                "\"\(target)\" is there: the name is taken",
                hint: "UNDROP TABLE \(table) AS another name.",
                at: (undrop.newName ?? undrop.name).span
            )
        }
        let start = try undropStartMillis(snapshot)
        guard let drop = try await catalog.lastDrop(of: table, in: snapshot, sinceMillis: start)
        else {
            let known = try await catalog.droppedTables(in: snapshot, sinceMillis: start)
                .filter { $0.branch == reference && !$0.isPurged }
            let near = nearest(to: "\(table)", among: known.map { "\($0.table)" })
            let days = try undropMillis(snapshot) / 86_400_000
            throw PlanError(
                .noSuchTable,
                "no table \"\(table)\" was dropped within the last \(days) days",
                hint: near.map { "Did you mean \"\($0)\"?" }
                    ?? "FROM varve.dropped_tables lists what can be brought back.",
                at: undrop.name.span
            )
        }
        if drop.isPurged {
            throw PlanError(
                .invalid,
                "table \"\(table)\" was dropped with PURGE at position \(drop.position): it cannot be brought "
                    + "back",
                at: undrop.name.span
            )
        }
        // The state before says the hash of the metadata file, unless all happened in one entry.
        var entry = drop.entry
        let before = try? await catalog.snapshot(at: drop.position - 1).on(reference)
        if let known = before?.state.table(table), known.uuid == entry.uuid,
            known.metadataLocation == entry.metadataLocation
        {
            entry = known
        }
        try await checkFiles(of: target, entry)
        let receipt = try await commit(
            [.restoreTable(target, entry)],
            message: "undropped \(table)"
        )
        try await consume(
            .done(
                StatementSummary(
                    tag: "UNDROP TABLE",
                    position: receipt.position,
                    snapshotID: receipt.tables.first?.metadata.currentSnapshotID
                )
            )
        )
    }

    /// That the files of a table are there, as far as its folder has them.
    private func checkFiles(of table: TableIdentifier, _ entry: TableEntry) async throws {
        let catalog = try await engine.catalog(creating: false)
        func gone(_ what: String) -> EngineError {
            EngineError(
                .notFound,
                "table \(table) cannot be brought back, its files are gone: \(what)"
            )
        }
        let loaded: LoadedTable
        do {
            loaded = try await catalog.load(table, at: entry)
        } catch let error as CatalogError {
            guard error.code == .corrupt else { throw error }
            throw gone(error.message)
        }
        let storage = try storage(of: loaded.metadata, catalog)
        guard let root = try? storage.key(of: loaded.metadata.location) else { return }
        let listed = try await storage.store.listAll(prefix: root + "/").map(\.key)
        let present = Set(listed)
        let reader = try TableReader(
            loaded.metadata,
            storage: storage,
            metadataFile: loaded.metadataLocation
        )
        let files: [PlannedFile]
        do {
            files = try await reader.plan().files
        } catch let error as ObjectStoreError {
            guard error.code == .notFound else { throw error }
            throw gone(error.message)
        }
        for file in files {
            let paths = [file.file.filePath] + file.deletes.map(\.file.filePath)
            for path in paths {
                guard let key = try? storage.key(of: path), key.hasPrefix(root + "/") else {
                    continue
                }
                if !present.contains(key) { throw gone(path) }
            }
        }
    }

    // MARK: What maintenance must keep

    /// The keys below a prefix that other states of the catalog need: branches and their bases, tags, and tables
    /// that can still be brought back.
    ///
    /// - Parameter table: whose own keys need not be looked for.
    func keysElsewhere(
        below root: String,
        besides table: OpenTable,
        _ snapshot: CatalogSnapshot
    ) async throws -> Set<String> {
        let catalog = try await engine.catalog(creating: false)
        var keys: Set<String> = []
        var states: [(name: TableIdentifier, entry: TableEntry, isDropped: Bool)] = []
        for other in try snapshot.branched.contents(besides: snapshot.state) {
            switch other.content {
            case .table(let entry): states.append((other.name, entry, false))
            case .view(let entry):
                if let key = catalog.key(of: entry.metadataLocation) { keys.insert(key) }
            case .namespace: continue
            }
        }
        let start = try undropStartMillis(snapshot)
        for drop in try await catalog.droppedTables(in: snapshot, sinceMillis: start)
        where !drop.isPurged {
            states.append((drop.table, drop.entry, true))
        }
        let own = try location(table.metadata.location)
        for state in states {
            try Task.checkCancellation()
            let loaded: LoadedTable
            do {
                loaded = try await catalog.load(state.name, at: state.entry)
            } catch let error as CatalogError {
                // What is gone cannot be brought back, and needs nothing.
                guard state.isDropped, error.code == .corrupt else { throw error }
                continue
            }
            let isSame = loaded.metadata.tableUUID == table.metadata.tableUUID
            let place = try location(loaded.metadata.location)
            guard isSame || place.hasPrefix(own) || own.hasPrefix(place) else { continue }
            let open = OpenTable(
                identifier: state.name,
                metadata: loaded.metadata,
                storage: table.storage,
                metadataLocation: loaded.metadataLocation
            )
            do {
                keys.formUnion(try await keysOfSnapshots(of: open))
                keys.formUnion(
                    loaded.metadata.metadataLog.compactMap {
                        try? table.storage.key(of: $0.metadataFile)
                    }
                )
            } catch let error as ObjectStoreError {
                guard state.isDropped, error.code == .notFound else { throw error }
            }
        }
        return keys
    }

    private func location(_ text: String) throws -> String {
        text.hasSuffix("/") ? text : text + "/"
    }
}
