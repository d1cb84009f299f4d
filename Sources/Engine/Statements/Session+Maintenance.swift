import Ambient
package import Catalog
import CommitLog
import Columnar
import Iceberg
import ObjectStorage
import Planner
import SQL
import Tables

/// What maintenance did, or would do, to one table.
package struct MaintenanceReport: Sendable {
    package var table: TableIdentifier
    /// Snapshots that went.
    package var expiredSnapshotIDs: [Int64] = []
    /// Branches and tags that went.
    package var expiredReferences: [String] = []
    /// Files that nothing refers to, by key or location.
    package var orphans: [(location: String, byteCount: Int)] = []
    /// Data files that were put together, and what came of them.
    package var compactedFileCount = 0
    package var compactedByteCount: Int64 = 0
    package var writtenFileCount = 0
    /// The log entry that carries the change.
    package var position: Int64?
}

extension Session {
    /// The tables that a person names for maintenance: one, or all.
    package func maintainedTables(_ name: String?) async throws -> [TableIdentifier] {
        let snapshot = try await catalogSnapshot(creating: false)
        guard let name else { return try snapshot.state.allTables() }
        let parts = try Parser.parseObjectName(name).map(\.folded)
        return [try await openTable(parts, in: snapshot).identifier]
    }

    private func newest(_ table: TableIdentifier) async throws -> OpenTable {
        try await openTable(
            table.namespace.levels + [table.name],
            in: try await engine.catalog(creating: false).read(of: reference)
        )
    }

    // MARK: Snapshots

    /// Removes snapshots that no branch or tag keeps, in one commit for all tables.
    ///
    /// What is kept follows the specification's rules for references and the properties
    /// `history.expire.max-snapshot-age-ms` (5 days), `history.expire.min-snapshots-to-keep` (1) and
    /// `history.expire.max-ref-age-ms` (for ever). Files stay until orphans are removed.
    package func expireSnapshots(
        of tables: [TableIdentifier],
        isDry: Bool
    ) async throws -> [MaintenanceReport] {
        try requirePresent()
        let now = engine.options.ambient.time.nowMicros() / 1000
        var reports: [MaintenanceReport] = []
        var operations: [CatalogOperation] = []
        for identifier in tables {
            let table = try await newest(identifier)
            let expiry = try SnapshotExpiry(table.metadata, nowMillis: now)
            var report = MaintenanceReport(table: identifier)
            report.expiredSnapshotIDs = expiry.snapshotIDs
            report.expiredReferences = expiry.references
            reports.append(report)
            if expiry.isEmpty { continue }
            operations.append(
                .changeTable(identifier) { base in
                    guard let metadata = base.metadata else {
                        throw EngineError(.notFound, "table \(identifier) was dropped meanwhile")
                    }
                    // Found out again: others may have committed, or made a branch, meanwhile.
                    return Catalog.TableChange(
                        updates: try SnapshotExpiry(metadata, nowMillis: now).updates
                    )
                }
            )
        }
        if isDry || operations.isEmpty { return reports }
        let receipt = try await commit(operations, message: "expired snapshots")
        for index in reports.indices where !reports[index].expiredSnapshotIDs.isEmpty {
            reports[index].position = receipt.position
        }
        return reports
    }

    // MARK: Orphans

    /// Finds, and removes, files below a table's location that nothing refers to.
    ///
    /// Kept are all files of all snapshots of the table as it is now, as branches of the catalog and tags have it,
    /// and as it was dropped while it can be brought back; those of other tables of these; every metadata file that
    /// the log names; and everything younger than the safety age, which writers that have not committed yet need.
    ///
    /// - Parameter ageMillisMin: the safety age.
    /// - Throws: `invalid` when another table's location overlaps.
    package func removeOrphans(
        of identifier: TableIdentifier,
        ageMillisMin: Int64 = 3 * 86_400_000,
        isDry: Bool
    ) async throws -> MaintenanceReport {
        try requirePresent()
        let catalog = try await engine.catalog(creating: false)
        let first = try await newest(identifier)
        let store = first.storage.store
        let root = try first.storage.key(of: first.metadata.location) + "/"
        // Listed before the newest metadata are read: what is committed from now on is not in the list.
        let limit = engine.options.ambient.time.nowMicros() - ageMillisMin * 1000
        let listed = try await store.listAll(prefix: root)
            .filter { $0.lastModifiedMicros < limit }
        let snapshot = try await catalog.read(of: reference)
        let table = try await openTable(
            identifier.namespace.levels + [identifier.name],
            in: snapshot
        )
        guard table.metadata.tableUUID == first.metadata.tableUUID,
            table.metadata.location == first.metadata.location
        else { throw EngineError(.invalid, "table \(identifier) was replaced meanwhile") }
        if !table.metadata.property("gc.enabled", default: true) {
            throw EngineError(.invalid, "table \(identifier) has gc.enabled=false: files are kept")
        }
        try await checkAlone(table, snapshot)
        var kept = try await reachableKeys(of: table)
        kept.formUnion(try await keysElsewhere(below: root, besides: table, snapshot))
        var report = MaintenanceReport(table: identifier)
        let orphans = listed.filter { !kept.contains($0.key) }
        report.orphans = orphans.map { (table.storage.location(of: $0.key), $0.size) }
        if !isDry { try await store.delete(orphans.map(\.key)) }
        return report
    }

    /// Refuses when files below a table's location may be another's.
    private func checkAlone(_ table: OpenTable, _ snapshot: CatalogSnapshot) async throws {
        let catalog = try await engine.catalog(creating: false)
        let own = table.metadata.location + "/"
        for other in try snapshot.state.allTables() where other != table.identifier {
            let location = try await catalog.load(other, in: snapshot).metadata.location + "/"
            guard location.hasPrefix(own) || own.hasPrefix(location) else { continue }
            throw EngineError(
                .invalid,
                "the locations of tables \(table.identifier) and \(other) overlap: whose files are "
                    + "orphans cannot be told"
            )
        }
        for view in try snapshot.state.allViews()
        where try snapshot.state.existingView(view).metadataLocation.hasPrefix(own) {
            throw EngineError(
                .invalid,
                "the files of view \(view) lie below the location of table \(table.identifier): whose "
                    + "files are orphans cannot be told"
            )
        }
    }

    /// The keys of every file that a table still needs.
    private func reachableKeys(of table: OpenTable) async throws -> Set<String> {
        let (metadata, storage) = (table.metadata, table.storage)
        var keys: Set<String> = []
        /// What lies in another store cannot be among the files listed.
        func keep(_ location: String) {
            if let key = try? storage.key(of: location) { keys.insert(key) }
        }
        for entry in metadata.metadataLog { keep(entry.metadataFile) }
        // The log's own memory of the table, so that the past can still be looked at.
        let catalog = try await engine.catalog(creating: false)
        var before: Int64?
        repeat {
            let page = try await catalog.history(ofTable: metadata.tableUUID, before: before)
            for commit in page.commits {
                for change in commit.changes {
                    if let (_, entry) = change.written { keep(entry.metadataLocation) }
                }
            }
            before = page.next
        } while before != nil
        return keys.union(try await keysOfSnapshots(of: table))
    }

    /// The keys of every file that a table in one state needs: its own metadata file and all its snapshots'.
    func keysOfSnapshots(of table: OpenTable) async throws -> Set<String> {
        let (metadata, storage) = (table.metadata, table.storage)
        var keys: Set<String> = []
        func keep(_ location: String) {
            if let key = try? storage.key(of: location) { keys.insert(key) }
        }
        if let location = table.metadataLocation { keep(location) }
        for file in metadata.statistics { keep(file.statisticsPath) }
        for file in metadata.partitionStatistics { keep(file.statisticsPath) }
        var seen: Set<String> = []
        for snapshot in metadata.snapshots {
            try Task.checkCancellation()
            if let list = snapshot.manifestList { keep(list) }
            for manifest in snapshot.manifests ?? [] { keep(manifest) }
            let reader = try TableReader(
                metadata,
                at: .snapshotID(snapshot.snapshotID),
                storage: storage
            )
            let manifests = try await reader.manifests()
            let fresh = manifests.filter { seen.insert($0.manifestPath).inserted }
            for manifest in fresh { keep(manifest.manifestPath) }
            // An entry that says a file was removed does not need the file.
            for entry in try await reader.entries(of: fresh).joined() where entry.isLive {
                keep(entry.file.filePath)
            }
        }
        return keys
    }

    // MARK: Small files

    /// Puts small data files of a partition together, as a snapshot of operation `replace`.
    ///
    /// A file is small below three quarters of the table's target size; deletes are applied on the way, and rows
    /// keep their ids.
    ///
    /// - Throws: a conflict when somebody else removed or deleted from one of the files meanwhile;
    ///   nothing was changed then.
    package func compact(
        _ identifier: TableIdentifier,
        isDry: Bool
    ) async throws -> MaintenanceReport {
        try requirePresent()
        let table = try await newest(identifier)
        let reader = try TableReader(
            table.metadata,
            at: defaultVersion(of: table.metadata),
            storage: table.storage
        )
        var plan = try await reader.plan()
        let target = try TableWriterOptions(table.metadata).fileByteCountTarget
        var groups: [PartitionOfFiles: [PlannedFile]] = [:]
        for planned in plan.files where planned.file.fileSizeBytes < Int64(target / 4 * 3) {
            let partition = PartitionOfFiles(
                specID: planned.file.specID,
                values: planned.file.partition
            )
            groups[partition, default: []].append(planned)
        }
        plan.files = plan.files.filter { planned in
            let partition = PartitionOfFiles(
                specID: planned.file.specID,
                values: planned.file.partition
            )
            let isSmall = planned.file.fileSizeBytes < Int64(target / 4 * 3)
            return isSmall && (groups[partition]?.count ?? 0) > 1
        }
        var report = MaintenanceReport(table: identifier)
        report.compactedFileCount = plan.files.count
        report.compactedByteCount = plan.files.reduce(0) { $0 + $1.file.fileSizeBytes }
        if isDry || plan.files.isEmpty { return report }
        let columns = try reader.columns()
        let given = GivenTable(
            name: "varve small files",
            schema: columns,
            source: TableReadSource(
                reader: reader,
                fieldIDs: columns.fields.map { $0.id ?? 0 },
                chosen: plan
            )
        ).withRowLineage(of: reader, plan.files)
        let rows = try await prepare(
            try Parser.parseQuery("FROM \"varve small files\""),
            [:],
            given: [given]
        )
        let written = try await writeRows(
            of: rows,
            to: table,
            fields: columns.fields + reader.keptFields
        )
        do {
            let receipt = try await commit(
                [
                    fileChange(
                        .rewrite(removed: plan.files.map(\.file), predicate: .never),
                        added: written.files,
                        table: table,
                        operation: .replace
                    )
                ],
                // The same rows in other files: what they came from, they still come from.
                lineage: lineage(ofRemovalFrom: [table], operation: "replace"),
                message: "compacted \(plan.files.count) files"
            )
            report.writtenFileCount = written.files.count
            report.position = receipt.position
            return report
        } catch {
            // A conflict means that nothing happened: nobody refers to the new files.
            if Self.isConflict(error) {
                let keys = written.files.compactMap { try? table.storage.key(of: $0.filePath) }
                try? await table.storage.store.delete(keys)
            }
            throw error
        }
    }
}

/// The partition that a data file is in.
private struct PartitionOfFiles: Hashable {
    var specID: Int
    var values: [Datum?]
}

/// Which snapshots and references of a table have had their time.
struct SnapshotExpiry {
    private(set) var snapshotIDs: [Int64] = []
    private(set) var references: [String] = []

    var isEmpty: Bool { snapshotIDs.isEmpty && references.isEmpty }

    var updates: [TableUpdate] {
        var updates = references.map { TableUpdate.removeSnapshotRef($0) }
        if !snapshotIDs.isEmpty { updates.append(.removeSnapshots(snapshotIDs)) }
        return updates
    }

    /// - Throws: `invalid` for properties that are no numbers, and tables that keep everything.
    init(_ table: TableMetadata, nowMillis: Int64) throws {
        func setting(_ name: String, _ fallback: Int64) throws -> Int64 {
            guard let text = table.properties[name] else { return fallback }
            guard let value = Int64(text), value >= 0 else {
                throw EngineError(.invalid, "the table's property \(name) is \"\(text)\"")
            }
            return value
        }
        if !table.property("gc.enabled", default: true) { return }
        let ageMax = try setting("history.expire.max-snapshot-age-ms", 5 * 86_400_000)
        let countMin = try setting("history.expire.min-snapshots-to-keep", 1)
        let referenceAgeMax = try setting("history.expire.max-ref-age-ms", Int64.max)
        let byID = Dictionary(
            table.snapshots.map { ($0.snapshotID, $0) },
            uniquingKeysWith: { first, _ in first }
        )
        func age(_ snapshot: Snapshot) -> Int64 {
            let (age, overflow) = nowMillis.subtractingReportingOverflow(snapshot.timestampMillis)
            return overflow ? 0 : age
        }
        var kept: Set<Int64> = []
        /// Everything that some kept reference descends from, which age alone decides about.
        var referenced: Set<Int64> = []
        for (name, reference) in table.refs.sorted(by: { $0.key < $1.key }) {
            guard let head = byID[reference.snapshotID] else {
                if name != SnapshotRef.main { references.append(name) }
                continue
            }
            let limit = reference.refAgeMaxMillis ?? referenceAgeMax
            if name != SnapshotRef.main, age(head) > limit {
                references.append(name)
                continue
            }
            kept.insert(head.snapshotID)
            referenced.insert(head.snapshotID)
            guard reference.kind == .branch else { continue }
            let ownAgeMax = reference.snapshotAgeMaxMillis ?? ageMax
            let ownCountMin = max(1, reference.snapshotsToKeepMin.map { Int64($0) } ?? countMin)
            var next: Snapshot? = head
            var count: Int64 = 0
            var walked: Set<Int64> = []
            while let snapshot = next, walked.insert(snapshot.snapshotID).inserted {
                referenced.insert(snapshot.snapshotID)
                if count < ownCountMin || age(snapshot) <= ownAgeMax {
                    kept.insert(snapshot.snapshotID)
                }
                count += 1
                next = snapshot.parentSnapshotID.flatMap { byID[$0] }
            }
        }
        if let current = table.currentSnapshotID { kept.insert(current) }
        for snapshot in table.snapshots where !kept.contains(snapshot.snapshotID) {
            // What no reference leads to is kept as long as anything else by its age alone.
            if referenced.contains(snapshot.snapshotID) || age(snapshot) > ageMax {
                snapshotIDs.append(snapshot.snapshotID)
            }
        }
    }
}
