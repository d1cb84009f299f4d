package import Iceberg

/// Which files a scan request of another program is about.
package enum FileSelection: Sendable, Hashable {
    /// All of a snapshot.
    case snapshot
    /// Those that the appends after one snapshot, up to the reader's, added.
    case appended(after: Int64)
}

extension TableReader {
    /// Finds the files in which rows may match, with the delete files that go with them, for a program that
    /// reads them itself: files of all formats, oldest first.
    ///
    /// - Parameters:
    ///   - pruner: made for the reader's table.
    ///   - rowCountWanted: files that are left out are not needed for so many matching rows; nil for all.
    /// - Throws: `invalid` when an append after a snapshot is asked for that is none of the reader's
    ///   ancestors.
    package func plannedFiles(
        _ pruner: FilePruner,
        _ selection: FileSelection = .snapshot,
        rowCountWanted: Int64? = nil
    ) async throws -> [PlannedFile] {
        switch selection {
        case .snapshot: try await plannedFiles(pruner, rowCountWanted)
        case .appended(let first): try await appendedFiles(pruner, after: first)
        }
    }

    private func plannedFiles(
        _ pruner: FilePruner,
        _ rowCountWanted: Int64?
    ) async throws -> [PlannedFile] {
        let used = try await manifests().filter { pruner.mayMatch($0) }
        var files: [PlannedFile] = []
        var deletes = DeleteIndex()
        for (manifest, entries) in zip(used, try await entries(of: used)) {
            for entry in entries where entry.isLive {
                if manifest.content == .deletes || entry.file.content != .data {
                    deletes.add(entry)
                } else if pruner.mayMatch(entry.file) {
                    files.append(PlannedFile(entry: entry))
                }
            }
        }
        for index in files.indices {
            files[index].deletes = deletes.deletes(for: files[index].entry) {
                metadata.partitionSpec(id: $0)?.isUnpartitioned ?? false
            }
        }
        sortOldestFirst(&files)
        guard let rowCountWanted else { return files }
        // Only rows that are there and match for certain count.
        var found: Int64 = 0
        let enough = files.firstIndex { planned in
            if planned.deletes.isEmpty, pruner.allMatch(planned.file) {
                found = found.addingReportingOverflow(planned.file.recordCount).partialValue
            }
            return found >= rowCountWanted
        }
        return enough.map { Array(files[...$0]) } ?? files
    }

    private func appendedFiles(
        _ pruner: FilePruner,
        after first: Int64
    ) async throws -> [PlannedFile] {
        var appends: [Snapshot] = []
        var seen: Set<Int64> = []
        var next = snapshot
        while let one = next, one.snapshotID != first, seen.insert(one.snapshotID).inserted {
            if one.operation == .append { appends.append(one) }
            next = one.parentSnapshotID.flatMap { metadata.snapshot(id: $0) }
        }
        guard next?.snapshotID == first else {
            throw TablesError(
                .invalid,
                "snapshot \(first) is no ancestor of snapshot \(snapshot?.snapshotID ?? 0)"
            )
        }
        let ids = Set(appends.map(\.snapshotID))
        var manifests: [ManifestFile] = []
        var paths: Set<String> = []
        for append in appends {
            let reader = try TableReader(
                metadata,
                at: .snapshotID(append.snapshotID),
                storage: storage,
                manifestCache: manifestCache
            )
            manifests += try await reader.manifests().filter { manifest in
                manifest.content == .data && ids.contains(manifest.addedSnapshotID)
                    && pruner.mayMatch(manifest) && paths.insert(manifest.manifestPath).inserted
            }
        }
        var files: [PlannedFile] = []
        for entry in try await entries(of: manifests).joined()
        where entry.status == .added && ids.contains(entry.snapshotID ?? 0)
            && pruner.mayMatch(entry.file)
        {
            files.append(PlannedFile(entry: entry))
        }
        sortOldestFirst(&files)
        return files
    }

    private func sortOldestFirst(_ files: inout [PlannedFile]) {
        let order = files.indices.sorted { left, right in
            let (a, b) = (files[left].entry.sequenceNumber, files[right].entry.sequenceNumber)
            return (a ?? 0, left) < (b ?? 0, right)
        }
        files = order.map { files[$0] }
    }
}
