import Iceberg

/// The delete files of a snapshot, and which data files each applies to.
///
/// - Spec: Iceberg table specification, "Scan Planning".
struct DeleteIndex {
    private var entries: [ManifestEntry] = []

    mutating func add(_ entry: ManifestEntry) { entries.append(entry) }

    /// The delete files that may take rows of a data file.
    func deletes(
        for data: ManifestEntry,
        isUnpartitioned: (_ specID: Int) -> Bool
    ) -> [ManifestEntry] {
        if entries.isEmpty { return [] }
        let sequence = data.sequenceNumber ?? 0
        return entries.filter { entry in
            let deleteSequence = entry.sequenceNumber ?? 0
            let file = entry.file
            let isSamePartition =
                file.specID == data.file.specID && file.partition == data.file.partition
            switch file.content {
            case .data: return false
            case .positionDeletes:
                guard sequence <= deleteSequence else { return false }
                if let path = file.referencedDataFile { return path == data.file.filePath }
                return isSamePartition
            case .equalityDeletes:
                // Strictly older: rows written by the commit that deletes are not meant.
                guard sequence < deleteSequence else { return false }
                return isSamePartition || isUnpartitioned(file.specID)
            }
        }
    }
}
