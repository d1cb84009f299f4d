/// Whether a manifest lists data files or delete files.
package enum ManifestContent: Int32, Sendable, Hashable {
    case data = 0
    case deletes = 1

    /// As manifests say it in their header.
    package var text: String { self == .data ? "data" : "deletes" }
}

/// A manifest as a manifest list describes it.
///
/// - Spec: "Manifest Lists".
package struct ManifestFile: Sendable, Hashable {
    /// Where the manifest is, with its scheme.
    package var manifestPath: String
    /// The exact size of the manifest.
    package var manifestLengthBytes: Int64
    /// The spec that all its files are partitioned by.
    package var partitionSpecID: Int
    /// What is in it.
    package var content: ManifestContent
    /// When the manifest was added; `unassigned` until a manifest list is written with it.
    package var sequenceNumber: Int64
    /// The smallest data sequence number of its live files; `unassigned` until then when that is new.
    package var minSequenceNumber: Int64
    /// The snapshot that the manifest was written for.
    package var addedSnapshotID: Int64
    /// nil, in v1 lists, means that it is not known.
    package var addedFilesCount: Int?
    /// Files that earlier snapshots added.
    package var existingFilesCount: Int?
    /// Files that its snapshot removed.
    package var deletedFilesCount: Int?
    /// Rows of the files that its snapshot added.
    package var addedRowsCount: Int64?
    /// Rows of the files that earlier snapshots added.
    package var existingRowsCount: Int64?
    /// Rows of the files that its snapshot removed.
    package var deletedRowsCount: Int64?
    /// One for each field of the spec; nil when nothing is known of the values.
    package var partitions: [FieldSummary]?
    /// What decrypts the file, in a form of the writer's own.
    package var keyMetadata: [UInt8]?
    /// The id that the first row without one gets (v3).
    package var firstRowID: Int64?

    /// The sequence number of what a commit has not given one to yet.
    package static let unassigned: Int64 = -1

    package init(
        manifestPath: String,
        manifestLengthBytes: Int64,
        partitionSpecID: Int,
        content: ManifestContent,
        sequenceNumber: Int64,
        minSequenceNumber: Int64,
        addedSnapshotID: Int64,
        addedFilesCount: Int? = nil,
        existingFilesCount: Int? = nil,
        deletedFilesCount: Int? = nil,
        addedRowsCount: Int64? = nil,
        existingRowsCount: Int64? = nil,
        deletedRowsCount: Int64? = nil,
        partitions: [FieldSummary]? = nil,
        keyMetadata: [UInt8]? = nil,
        firstRowID: Int64? = nil
    ) {
        self.manifestPath = manifestPath
        self.manifestLengthBytes = manifestLengthBytes
        self.partitionSpecID = partitionSpecID
        self.content = content
        self.sequenceNumber = sequenceNumber
        self.minSequenceNumber = minSequenceNumber
        self.addedSnapshotID = addedSnapshotID
        self.addedFilesCount = addedFilesCount
        self.existingFilesCount = existingFilesCount
        self.deletedFilesCount = deletedFilesCount
        self.addedRowsCount = addedRowsCount
        self.existingRowsCount = existingRowsCount
        self.deletedRowsCount = deletedRowsCount
        self.partitions = partitions
        self.keyMetadata = keyMetadata
        self.firstRowID = firstRowID
    }

    /// Whether files of the snapshot may be in it; unknown counts count as some.
    package var hasLiveFiles: Bool { addedFilesCount != 0 || existingFilesCount != 0 }
}

/// What the values of one partition field are like in a manifest.
package struct FieldSummary: Sendable, Hashable {
    /// Whether a file has null in this field.
    package var containsNull: Bool
    /// nil when it is not known.
    package var containsNaN: Bool?
    /// In the binary single-value form; nil when there are no values but nulls and NaNs.
    package var lowerBound: [UInt8]?
    /// In the binary single-value form; nil when there are no values but nulls and NaNs.
    package var upperBound: [UInt8]?

    package init(
        containsNull: Bool,
        containsNaN: Bool? = nil,
        lowerBound: [UInt8]? = nil,
        upperBound: [UInt8]? = nil
    ) {
        self.containsNull = containsNull
        self.containsNaN = containsNaN
        self.lowerBound = lowerBound
        self.upperBound = upperBound
    }
}
