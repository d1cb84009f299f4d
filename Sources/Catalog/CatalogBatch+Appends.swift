import Ambient
import CommitLog
import Iceberg

// Many who add rows to one table at once would each leave a manifest, a manifest list and a metadata file
// with every snapshot that the table has, most of which nobody ever sees: the commits of an entry become
// visible together. Instead those of one entry share a snapshot, which adds the files of all of them.
//
//     update-table  from 00007-a  to 00008-b  snapshot 5  added-files [p]
//     update-table  from 00008-b  to 00008-b  snapshot 5  added-files [q]  added-rows [[0, 10]]
//     update-table  from 00008-b  to 00008-b  snapshot 5  added-files [q]  added-rows [[10, 13]]
//
// The first names the metadata file and the snapshot; what is in them, and so the hash that the log has of
// the file, is made when no more commits come, or when one comes that wants to see the table. Only then are
// few rows written, all into the same data files.

/// Commits of an entry that add rows to one table, one right after the other.
struct AppendGroup: Sendable {
    /// The table as it was before the first of them.
    let base: TableMetadata
    let baseLocation: String
    let snapshotID: Int64
    let file: MetadataFiles.New
    /// Of each commit.
    var appends: [TableAppend]
    /// What each added, once the snapshot is made: nobody may join any more.
    var added: [AddedFiles]?
}

/// The snapshot of a group.
private struct MadeGroup: Sendable {
    var file: MetadataFiles.New
    var sideFiles: [TableChange.File]
    var added: [AddedFiles]
}

extension CatalogBatch {
    /// Adds data files to a table, in the snapshot of the commits before it if they did just that.
    ///
    /// - Returns: nil when the table is to get a snapshot of this commit's own.
    mutating func join(
        _ table: TableIdentifier,
        _ append: TableAppend
    ) async throws -> (CatalogChange, TableMetadata)? {
        guard combinesAppends, append.rows == nil || append.files.isEmpty,
            let entry = state.table(table)
        else { return nil }
        let location = entry.metadataLocation
        if let group = groups[location], group.added == nil {
            try append.check(group.base)
            groups[location]?.appends.append(append)
            add(append.unwritten)
            uploadByteCount += 256 * append.files.count + (append.rows?.byteCount ?? 0)
            let change = CatalogChange.updateTable(
                table,
                from: entry.reference,
                to: entry,
                snapshotID: group.snapshotID,
                added: append.expected(at: group.base.location)
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
            snapshotID: snapshotID,
            file: file,
            appends: [append]
        )
        add(append.unwritten)
        // About what it will be.
        uploadByteCount += 8192 + 512 * base.snapshots.count + (append.rows?.byteCount ?? 0)
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
            added: append.expected(at: base.location)
        )
        return (change, base)
    }

    /// Makes the snapshot of the group that left this metadata file behind, if it is one that has to be.
    ///
    /// Nobody may join afterwards: somebody has seen the table.
    mutating func close(_ location: String) async throws {
        guard let group = groups[location], group.added == nil else { return }
        set(try await machine.make(group, header, unwritten: sideFiles))
    }

    private mutating func set(_ made: MadeGroup) {
        groups[made.file.location]?.added = made.added
        newFiles[made.file.location] = made.file
        add(made.sideFiles)
        uploadByteCount += made.file.bytes.count
    }

    mutating func finish(
        _ prepared: [(commit: LoggedCommit, outcome: CommitReceipt)]
    ) async throws -> [(commit: LoggedCommit, outcome: CommitReceipt)]? {
        if groups.isEmpty { return nil }
        let open = groups.filter { $0.value.added == nil }
        let (machine, header, unwritten) = (machine, header, sideFiles)
        let made = try await mapUnordered(
            open.values.sorted { $0.file.location < $1.file.location },
            countMax: machine.parallelCountMax
        ) { group in
            try await machine.make(group, header, unwritten: unwritten)
        }
        for one in made { set(one) }
        var joined: [String: Int] = [:]
        return prepared.map { commit, receipt in
            let changes = receipt.changes.map { finished($0, &joined) }
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

    /// A change with the hash that its file, and with the rows that its commit, came to have.
    ///
    /// - Parameter joined: how many of each group came before.
    private func finished(_ change: CatalogChange, _ joined: inout [String: Int]) -> CatalogChange {
        // No other change names a file that a group leaves behind together with its hash.
        guard case .updateTable(let table, let old, let new, let id, .some) = change,
            let added = groups[new.metadataLocation]?.added
        else { return change }
        let number = joined[new.metadataLocation, default: 0]
        joined[new.metadataLocation] = number + 1
        return .updateTable(
            table,
            from: old,
            to: finished(new),
            snapshotID: id,
            added: added[number]
        )
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
    ) async throws -> MadeGroup {
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
    ) async throws -> MadeGroup {
        let rows = group.appends.compactMap(\.rows)
        let written = try await rows.first?.written(with: Array(rows.dropFirst()))
        guard written?.places.count ?? 0 == rows.count, let first = group.appends.first else {
            throw CatalogError(.invalid, "rows of another number of appends were written")
        }
        let change = try await first.prepare(
            TableBase(metadata: group.base, timeMillis: header.timeMillis, unwritten: unwritten),
            group.appends.flatMap(\.files) + (written?.files ?? []),
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
        var places = written?.places[...] ?? []
        return MadeGroup(
            file: file,
            sideFiles: change.files + (written?.unwritten ?? []),
            added: group.appends.map { append in
                append.rows == nil ? append.written : places.removeFirst()
            }
        )
    }
}

extension TableAppend {
    /// What it adds that was written before.
    fileprivate var written: AddedFiles {
        AddedFiles(
            locations: files.map(\.filePath),
            recordCount: files.reduce(0) { $0 &+ $1.recordCount }
        )
    }

    /// About what the log will say that it added, so that the size of the entry is known.
    fileprivate func expected(at location: String) -> AddedFiles {
        guard let rows else { return written }
        let count = Int64(rows.rowCount)
        // "/data/", two numbers, a uuid and an ending behind the table's location.
        let place = location + String(repeating: "x", count: 63)
        return AddedFiles(locations: [place], recordCount: count, rows: [0..<max(count, 1)])
    }
}
