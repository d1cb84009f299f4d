import Ambient
import CommitLog
import Iceberg

// The commits of an entry become visible together, so nobody ever sees a table between two of them. When
// many change one table, a metadata file of each, with every snapshot that the table has, would be most of
// what is written. Instead they share one: it is named when the first of them is prepared, has what the last
// of them left, and all of them refer to it.
//
//     update-table  from 00007-a  to 00008-b  snapshot 1
//     update-table  from 00008-b  to 00008-b  snapshot 2
//
// Its bytes, and so the hash that the log has of them, are made when no more commits come.

extension CatalogBatch {
    /// Puts metadata into the file that the commits before it in this entry made, or names one.
    mutating func share(
        _ metadata: TableMetadata,
        after previous: String?
    ) throws(CatalogError) -> TableEntry {
        if let previous, let shared = newFiles[previous], shared.canHold(metadata) {
            newFiles[previous]?.metadata = metadata
            return TableEntry(
                uuid: metadata.tableUUID,
                metadataLocation: previous,
                metadataSHA256: shared.sha256
            )
        }
        let file = try machine.files.unwritten(
            metadata,
            after: previous,
            uuid: machine.ambient.uuidV4()
        )
        newFiles[file.location] = file
        // About what it will be.
        uploadByteCount += 4096 + 512 * metadata.snapshots.count
        return TableEntry(
            uuid: metadata.tableUUID,
            metadataLocation: file.location,
            metadataSHA256: file.sha256
        )
    }

    mutating func finish(
        _ prepared: [(commit: LoggedCommit, outcome: CommitReceipt)]
    ) throws -> [(commit: LoggedCommit, outcome: CommitReceipt)]? {
        guard machine.sharesMetadataFiles, !newFiles.isEmpty else { return nil }
        for location in Array(newFiles.keys) { try newFiles[location]?.serialize() }
        return prepared.map { commit, receipt in
            let changes = receipt.changes.map(finished)
            var commit = commit
            commit.changes = changes.map(\.json)
            let tables = receipt.tables.map { table in
                LoadedTable(
                    identifier: table.identifier,
                    entry: finished(table.entry),
                    metadata: table.metadata
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

    /// A change with the hashes that its files came to have.
    private func finished(_ change: CatalogChange) -> CatalogChange {
        switch change {
        case .createTable(let table, let new, let id):
            .createTable(table, finished(new), snapshotID: id)
        case .updateTable(let table, let old, let new, let id):
            .updateTable(table, from: old, to: finished(new), snapshotID: id)
        case .replaceTable(let table, let old, let new, let id):
            .replaceTable(table, from: old, to: finished(new), snapshotID: id)
        default: change
        }
    }

    private func finished(_ entry: TableEntry) -> TableEntry {
        guard let file = newFiles[entry.metadataLocation] else { return entry }
        return TableEntry(
            uuid: entry.uuid,
            metadataLocation: entry.metadataLocation,
            metadataSHA256: file.sha256
        )
    }
}
