/// The format of a data or delete file.
package enum FileFormat: String, Sendable, Hashable {
    case avro
    case orc
    case parquet
    case puffin
}

/// What a file holds.
package enum FileContent: Int32, Sendable, Hashable {
    case data = 0
    case positionDeletes = 1
    case equalityDeletes = 2
}

/// A data or delete file as manifests describe it.
///
/// - Spec: "Data File Fields".
package struct DataFile: Sendable, Hashable {
    /// What is in it.
    package var content: FileContent
    /// With its scheme.
    package var filePath: String
    /// How the file is encoded.
    package var fileFormat: FileFormat
    /// The spec that `partition` is a tuple of; stored with the manifest, not with the file.
    package var specID: Int
    /// A value for each field of the spec in its order, nil for null.
    package var partition: [Datum?]
    /// How many rows, or deleted rows, the file has.
    package var recordCount: Int64
    /// The exact size of the file.
    package var fileSizeBytes: Int64
    /// Bytes that each column takes in the file.
    package var columnSizes: ColumnCounts?
    /// Values of each column, nulls and NaNs included.
    package var valueCounts: ColumnCounts?
    /// Nulls of each column.
    package var nullValueCounts: ColumnCounts?
    /// NaNs of each column of floats or doubles.
    package var nanValueCounts: ColumnCounts?
    /// Not greater than any value of the column that is neither null nor NaN.
    package var lowerBounds: ColumnBounds?
    /// Not less than any value of the column that is neither null nor NaN.
    package var upperBounds: ColumnBounds?
    /// What decrypts the file, in a form of the writer's own.
    package var keyMetadata: [UInt8]?
    /// Where readers may begin, ascending: the row groups of a Parquet file.
    package var splitOffsets: [Int64]?
    /// For equality deletes: the columns that are compared.
    package var equalityIDs: [Int]?
    /// The table's sort order that the rows have; nil for none.
    package var sortOrderID: Int?
    /// The id of the first row (v3).
    package var firstRowID: Int64?
    /// For position deletes: the one data file they are about.
    package var referencedDataFile: String?
    /// For deletion vectors: where the blob begins.
    package var contentOffset: Int64?
    /// For deletion vectors: how long the blob is.
    package var contentSizeBytes: Int64?

    package init(
        content: FileContent = .data,
        filePath: String,
        fileFormat: FileFormat = .parquet,
        specID: Int = 0,
        partition: [Datum?] = [],
        recordCount: Int64,
        fileSizeBytes: Int64
    ) {
        self.content = content
        self.filePath = filePath
        self.fileFormat = fileFormat
        self.specID = specID
        self.partition = partition
        self.recordCount = recordCount
        self.fileSizeBytes = fileSizeBytes
    }

    /// Whether this is a deletion vector: a blob of a Puffin file (v3).
    package var isDeletionVector: Bool { content == .positionDeletes && fileFormat == .puffin }
}

/// What a manifest says about a file in it.
package enum ManifestEntryStatus: Int32, Sendable, Hashable {
    /// Added by an earlier snapshot.
    case existing = 0
    /// Added by the snapshot that the manifest was written for.
    case added = 1
    /// Removed by the snapshot that the manifest was written for.
    case deleted = 2
}

/// One file of a manifest, and when it came or went.
///
/// - Spec: "Manifest Entry Fields".
package struct ManifestEntry: Sendable, Hashable {
    /// Whether the file came, stayed or went.
    package var status: ManifestEntryStatus
    /// The snapshot that added the file, or removed it when the status is deleted.
    package var snapshotID: Int64?
    /// How old the file's rows are in the order of commits; nil until it is inherited.
    package var sequenceNumber: Int64?
    /// When the file was added; nil until it is inherited.
    package var fileSequenceNumber: Int64?
    /// The file itself.
    package var file: DataFile
    /// The manifest that the entry was read from; nil for one that was not read.
    ///
    /// No part of what is written.
    package var manifestPath: String?

    package init(
        status: ManifestEntryStatus,
        snapshotID: Int64?,
        sequenceNumber: Int64? = nil,
        fileSequenceNumber: Int64? = nil,
        file: DataFile
    ) {
        self.status = status
        self.snapshotID = snapshotID
        self.sequenceNumber = sequenceNumber
        self.fileSequenceNumber = fileSequenceNumber
        self.file = file
    }

    /// Whether the file is part of the snapshot.
    package var isLive: Bool { status != .deleted }
}
