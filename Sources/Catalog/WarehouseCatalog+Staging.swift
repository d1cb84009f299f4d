import Ambient
import CommitLog
import Iceberg

/// A state that only its maker sees: changes on top of a position of the log, not in the log.
package struct StagedChanges: Sendable {
    /// The catalog with the changes; its position is still that of the log below.
    package let snapshot: CatalogSnapshot
    /// What the commit would answer; nothing of it is in the log.
    package let receipt: CommitReceipt
    /// The files written for it, by key: nothing in the log ever refers to them.
    package let keys: [String]
}

extension WarehouseCatalog {
    /// Makes the changes of a commit visible to the caller alone: writes the files that they need under
    /// new names, and no entry.
    ///
    /// The commit is one on the branch that the snapshot shows.
    ///
    /// The same operations, committed later, are prepared anew and write files of their own.
    ///
    /// - Throws: what `commit` would throw for the operations on that state.
    package func stage(
        _ commit: CatalogCommit,
        on snapshot: CatalogSnapshot
    ) async throws -> StagedChanges {
        let now = ambient.time.nowMicros() / 1000
        let header = LogEntry.Header(
            sequence: snapshot.position,
            previous: snapshot.hash,
            timeMillis: max(now, snapshot.timeMillis + 1),
            server: log.server
        )
        let machine = CatalogMachine(
            store: store,
            files: files,
            ambient: ambient,
            parallelCountMax: 16
        )
        var batch = CatalogBatch(machine: machine, state: snapshot.branched, header: header)
        var commit = commit
        commit.branch = snapshot.reference
        let (_, receipt) = try await batch.prepare(commit)
        try await batch.upload()
        return StagedChanges(
            snapshot: CatalogSnapshot(
                position: snapshot.position,
                timeMillis: snapshot.timeMillis,
                hash: snapshot.hash,
                branched: batch.branched,
                reference: snapshot.reference,
                state: batch.state
            ),
            receipt: receipt,
            keys: batch.uploadKeys
        )
    }
}

extension CatalogSnapshot {
    /// This state with the tables of one namespace of another catalog's, which hide those of the same name.
    ///
    /// Whoever loads a table of it tells by the place of its metadata which catalog has it.
    package func overlaid(with other: CatalogSnapshot, _ namespace: Namespace) -> CatalogSnapshot {
        CatalogSnapshot(
            position: position,
            timeMillis: timeMillis,
            hash: hash,
            branched: branched,
            reference: reference,
            state: state.overlaid(with: other.state, namespace)
        )
    }

    /// What a name stands for here, table or view, as `CatalogOperation.require` takes it; nil for nothing.
    package func reference(of name: TableIdentifier) -> TableEntry? {
        (state.table(name) ?? state.view(name))?.reference
    }
}
