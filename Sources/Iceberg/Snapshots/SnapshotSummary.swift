/// Counts what a snapshot adds and removes, for its summary.
///
/// - Spec: Appendix F, "Optional Snapshot Summary Fields".
struct SnapshotSummaryBuilder {
    private struct Counts {
        var dataFiles: Int64 = 0
        var positionDeleteFiles: Int64 = 0
        var equalityDeleteFiles: Int64 = 0
        var deletionVectors: Int64 = 0
        var records: Int64 = 0
        var positionDeletes: Int64 = 0
        var equalityDeletes: Int64 = 0
        var sizeBytes: Int64 = 0

        var deleteFiles: Int64 { positionDeleteFiles + equalityDeleteFiles + deletionVectors }

        mutating func add(_ file: DataFile) {
            sizeBytes &+= file.fileSizeBytes
            switch file.content {
            case .data:
                dataFiles += 1
                records &+= file.recordCount
            case .positionDeletes:
                if file.isDeletionVector { deletionVectors += 1 } else { positionDeleteFiles += 1 }
                positionDeletes &+= file.recordCount
            case .equalityDeletes:
                equalityDeleteFiles += 1
                equalityDeletes &+= file.recordCount
            }
        }
    }

    private struct Partition: Hashable {
        var specID: Int
        var values: [Datum?]
    }

    private var added = Counts()
    private var removed = Counts()
    private var partitions: Set<Partition> = []

    mutating func add(_ file: DataFile) {
        added.add(file)
        partitions.insert(Partition(specID: file.specID, values: file.partition))
    }

    mutating func remove(_ file: DataFile) {
        removed.add(file)
        partitions.insert(Partition(specID: file.specID, values: file.partition))
    }

    /// The operation that the counts amount to, when the caller does not name another.
    var operation: SnapshotOperation {
        if removed.dataFiles == 0, removed.deleteFiles == 0, added.deleteFiles == 0 {
            return .append
        }
        return added.dataFiles == 0 ? .delete : .overwrite
    }

    /// The fields of the summary: changes that are not zero, and totals where they can be known.
    ///
    /// - Parameter parent: The summary of the snapshot before; nil when there is none.
    func fields(parent: [String: String]?) -> [String: String] {
        var fields: [String: String] = [:]
        func set(_ name: String, _ count: Int64) {
            if count > 0 { fields[name] = String(count) }
        }
        set("added-data-files", added.dataFiles)
        set("added-delete-files", added.deleteFiles)
        set("added-position-delete-files", added.positionDeleteFiles)
        set("added-equality-delete-files", added.equalityDeleteFiles)
        set("added-dvs", added.deletionVectors)
        set("added-records", added.records)
        set("added-files-size", added.sizeBytes)
        set("added-position-deletes", added.positionDeletes)
        set("added-equality-deletes", added.equalityDeletes)
        set("deleted-data-files", removed.dataFiles)
        set("removed-delete-files", removed.deleteFiles)
        set("removed-position-delete-files", removed.positionDeleteFiles)
        set("removed-equality-delete-files", removed.equalityDeleteFiles)
        set("removed-dvs", removed.deletionVectors)
        set("deleted-records", removed.records)
        set("removed-files-size", removed.sizeBytes)
        set("removed-position-deletes", removed.positionDeletes)
        set("removed-equality-deletes", removed.equalityDeletes)
        fields["changed-partition-count"] = String(partitions.count)

        func total(_ name: String, _ added: Int64, _ removed: Int64) {
            // A parent that does not know its total leaves ours unknown too.
            let text = parent.map { $0[name] } ?? "0"
            guard let before = text.flatMap({ Int64($0) }) else { return }
            let after = before &+ added &- removed
            if after >= 0 { fields[name] = String(after) }
        }
        total("total-data-files", added.dataFiles, removed.dataFiles)
        total("total-delete-files", added.deleteFiles, removed.deleteFiles)
        total("total-records", added.records, removed.records)
        total("total-files-size", added.sizeBytes, removed.sizeBytes)
        total("total-position-deletes", added.positionDeletes, removed.positionDeletes)
        total("total-equality-deletes", added.equalityDeletes, removed.equalityDeletes)
        return fields
    }
}
