import Ambient
import CommitLog
import Iceberg

// Many who add rows to one table at once would each leave a manifest, a manifest list and a metadata file
// with every snapshot that the table has, most of which nobody ever sees: the commits of an entry become
// visible together. Instead those of one entry share a snapshot, which adds the files of all of them.
//
//     update-table  from 00007-a  to 00008-b  snapshot 5  added-files [p]
//     update-table  from 00008-b  to 00008-b  snapshot 5  added-files [q, r]
//
// The first names the metadata file and the snapshot; what is in them, and so the hash that the log has of
// the file, is made when no more commits come, or when one comes that wants to see the table.

/// Commits of an entry that add rows to one table, one right after the other.
struct AppendGroup: Sendable {
    /// The table as it was before the first of them.
    let base: TableMetadata
    let baseLocation: String
    /// What the first asked for; it makes the snapshot of all.
    let first: TableAppend
    let snapshotID: Int64
    let file: MetadataFiles.New
    /// Of each commit.
    var added: [[DataFile]]
    /// Whether the snapshot is made: nobody may join any more.
    var isMade = false
}

extension CatalogBatch {
    /// Adds data files to a table, in the snapshot of the commits before it if they did just that.
    ///
    /// - Returns: nil when the table is to get a snapshot of this commit's own.
    mutating func join(
        _ table: TableIdentifier,
        _ append: TableAppend
    ) async throws -> (CatalogChange, TableMetadata)? {
        guard combinesAppends, let entry = state.table(table) else { return nil }
        let added = AddedFiles(
            locations: append.files.map(\.filePath),
            recordCount: append.files.reduce(0) { $0 &+ $1.recordCount }
        )
        let location = entry.metadataLocation
        if let group = groups[location], !group.isMade {
            try append.check(group.base)
            groups[location]?.added.append(append.files)
            add(append.unwritten)
            uploadByteCount += 256 * append.files.count
            let change = CatalogChange.updateTable(
                table,
                from: entry.reference,
                to: entry,
                snapshotID: group.snapshotID,
                added: added
            )
            return (change, group.base)
        }
        let base = try await metadata(of: table, entry)
        guard append.isWanted(base) else { return nil }
        try append.check(base)
        var snapshotID = machine.ambient.snapshotID()
        while base.snapshot(id: snapshotID) != nil { snapshotID = machine.ambient.snapshotID() }
        let file = try machine.files.unwritten(
            base,
            after: location,
            uuid: machine.ambient.uuidV4()
        )
        groups[file.location] = AppendGroup(
            base: base,
            baseLocation: location,
            first: append,
            snapshotID: snapshotID,
            file: file,
            added: [append.files]
        )
        add(append.unwritten)
        // About what it will be.
        uploadByteCount += 8192 + 512 * base.snapshots.count
        let new = TableEntry(
            uuid: entry.uuid,
            metadataLocation: file.location,
            metadataSHA256: file.sha256
        )
        let change = CatalogChange.updateTable(
            table,
            from: entry.reference,
            to: new,
            snapshotID: snapshotID,
            added: added
        )
        return (change, base)
    }

    /// Makes the snapshot of the group that left this metadata file behind, if it is one that has to be.
    ///
    /// Nobody may join afterwards: somebody has seen the table.
    mutating func close(_ location: String) async throws {
        guard let group = groups[location], !group.isMade else { return }
        set(try await machine.make(group, header, unwritten: sideFiles))
    }

    private mutating func set(_ made: (file: MetadataFiles.New, sideFiles: [TableChange.File])) {
        groups[made.file.location]?.isMade = true
        newFiles[made.file.location] = made.file
        add(made.sideFiles)
        uploadByteCount += made.file.bytes.count
    }

    mutating func finish(
        _ prepared: [(commit: LoggedCommit, outcome: CommitReceipt)]
    ) async throws -> [(commit: LoggedCommit, outcome: CommitReceipt)]? {
        if groups.isEmpty { return nil }
        let open = groups.filter { !$0.value.isMade }
        let (machine, header, unwritten) = (machine, header, sideFiles)
        let made = try await mapUnordered(
            open.values.sorted { $0.file.location < $1.file.location },
            countMax: machine.parallelCountMax
        ) { group in
            try await machine.make(group, header, unwritten: unwritten)
        }
        for one in made { set(one) }
        return prepared.map { commit, receipt in
            let changes = receipt.changes.map(finished)
            guard changes != receipt.changes else { return (commit, receipt) }
            var commit = commit
            let logged = receipt.branch.map { [CatalogChange.onBranch($0, changes)] } ?? changes
            commit.changes = logged.map(\.json)
            let tables = receipt.tables.map { table in
                LoadedTable(
                    identifier: table.identifier,
                    entry: finished(table.entry),
                    metadata: groups[table.metadataLocation] == nil
                        ? table.metadata
                        : newFiles[table.metadataLocation]?.metadata ?? table.metadata
                )
            }
            let outcome = CommitReceipt(
                position: receipt.position,
                timeMillis: receipt.timeMillis,
                commitID: receipt.commitID,
                requestHash: receipt.requestHash,
                branch: receipt.branch,
                changes: changes,
                tables: tables,
                isReplay: receipt.isReplay
            )
            return (commit, outcome)
        }
    }

    /// A change with the hash that its file came to have.
    private func finished(_ change: CatalogChange) -> CatalogChange {
        switch change {
        case .updateTable(let table, let old, let new, let id, let added):
            .updateTable(table, from: old, to: finished(new), snapshotID: id, added: added)
        // No other change names a file that a group leaves behind together with its hash.
        default: change
        }
    }

    private func finished(_ entry: TableEntry) -> TableEntry {
        guard groups[entry.metadataLocation] != nil, let file = newFiles[entry.metadataLocation]
        else { return entry }
        return TableEntry(
            uuid: entry.uuid,
            metadataLocation: entry.metadataLocation,
            metadataSHA256: file.sha256
        )
    }
}

extension CatalogMachine {
    /// The metadata file with the snapshot of a group, and the files that the snapshot refers to.
    ///
    /// - Throws: `CombinationFailed`.
    fileprivate func make(
        _ group: AppendGroup,
        _ header: LogEntry.Header,
        unwritten: [String: [UInt8]]
    ) async throws -> (file: MetadataFiles.New, sideFiles: [TableChange.File]) {
        do {
            return try await makeOrFail(group, header, unwritten: unwritten)
        } catch {
            throw CombinationFailed(error)
        }
    }

    private func makeOrFail(
        _ group: AppendGroup,
        _ header: LogEntry.Header,
        unwritten: [String: [UInt8]]
    ) async throws -> (file: MetadataFiles.New, sideFiles: [TableChange.File]) {
        let change = try await group.first.prepare(
            TableBase(metadata: group.base, timeMillis: header.timeMillis, unwritten: unwritten),
            group.added.flatMap { $0 },
            group.snapshotID
        )
        var file = group.file
        do throws(IcebergError) {
            for requirement in change.requirements { try requirement.check(group.base) }
            file.metadata = try TableMetadata.apply(
                CatalogBatch.stamped(change.updates, header),
                to: group.base,
                now: header.timeMillis,
                previousMetadataFile: group.baseLocation
            )
        } catch {
            throw CatalogError(error, "\(group.file.location)")
        }
        guard file.metadata.currentSnapshotID == group.snapshotID else {
            throw CatalogError(.invalid, "an append made another snapshot than it was to make")
        }
        try file.serialize()
        return (file, change.files)
    }
}
