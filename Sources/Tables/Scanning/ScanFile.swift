package import Columnar
package import ObjectStorage

/// A Parquet file to be scanned.
package struct ScanFile: Sendable {
    package var store: any ObjectStore
    package var key: String
    /// Bytes; nil when it is not known.
    package var size: Int?
    /// Names the file's bytes, where a listing gave one; footers of such files are cached.
    package var entityTag: String?
    /// Whether the file never changes under its name, as data files of tables; its footer is cached.
    package var isImmutable: Bool
    /// Values of columns that the file may lack, by field id: its identity partition values.
    package var constants: [Int: Value]
    /// Rows that are not to be seen any more.
    package var deletes: RowDeletes?
    /// What the table's metadata calls the file; empty for a plain file.
    package var location: String
    /// The manifest that describes the file; nil for a plain file.
    package var manifest: String?
    /// The rows that the manifest says it has; nil for a plain file.
    package var rowCount: Int64?
    /// The fields that the manifest counted values of, ascending: the file has them.
    package var countedFieldIDs: [Int32]
    /// The row id of its first row and the sequence number of its data (v3 row lineage).
    package var firstRowID: Int64?
    package var sequenceNumber: Int64?
    /// Its number among the files of the snapshot, where rows are numbered.
    package var ordinal: Int?

    package init(
        store: any ObjectStore,
        key: String,
        size: Int? = nil,
        entityTag: String? = nil,
        isImmutable: Bool = false,
        location: String = ""
    ) {
        self.store = store
        self.key = key
        self.size = size
        self.entityTag = entityTag
        self.isImmutable = isImmutable
        self.location = location
        constants = [:]
        countedFieldIDs = []
    }

    /// The name for messages and for the column of file names.
    package var name: String { location.isEmpty ? store.url(of: key) : location }

    /// The file and what refers to it, for messages.
    var place: String { Self.place(name, manifest: manifest) }

    static func place(_ name: String, manifest: String?) -> String {
        manifest.map { "\(name) in manifest \($0)" } ?? name
    }

    /// Whether the manifest counted values of a field.
    func counts(_ fieldID: Int) -> Bool {
        var (low, high) = (0, countedFieldIDs.count)
        while low < high {
            let middle = (low + high) / 2
            if Int(countedFieldIDs[middle]) < fieldID { low = middle + 1 } else { high = middle }
        }
        return low < countedFieldIDs.count && Int(countedFieldIDs[low]) == fieldID
    }

    /// Fetches bytes of the file; that it is missing is damage where a manifest has it.
    func fetching<Value>(_ body: () async throws -> Value) async throws -> Value {
        if manifest == nil { return try await body() }
        return try await TablesError.fetching(place, body)
    }
}

/// A column that a scan gives.
package struct ScanColumn: Sendable {
    /// Its id is the Iceberg field id; the type may be wider than the file's.
    package var field: Field
    /// The value in files that do not have the column: Iceberg's initial default, or null.
    package var missing: Value
    /// Whether it is read as codes where it is stored so; text always is, if anything is.
    package var isCoded: Bool
    /// Whether it is fetched when it is first read, not with the others, as it may never be.
    ///
    /// Of files that are far all columns come together: a request costs more than the bytes.
    package var isLate: Bool

    package init(
        _ field: Field,
        missing: Value = .null,
        isCoded: Bool = false,
        isLate: Bool = false
    ) {
        self.field = field
        self.missing = missing
        self.isCoded = isCoded
        self.isLate = isLate
    }
}

/// Columns that every file has without storing them.
///
/// - Spec: Iceberg table specification, "Reserved Field IDs".
package enum MetadataColumn {
    /// The location of the file.
    package static let file = Field("_file", .string, isNullable: false, id: 2_147_483_646)
    /// The row's number in its file, from 0.
    package static let position = Field("_pos", .int64, isNullable: false, id: 2_147_483_645)
    /// The row's id in its table (v3); null in tables without row lineage.
    package static let rowID = Field("_row_id", .int64, id: 2_147_483_540)
    /// When the row last changed, in the order of commits (v3).
    package static let lastUpdatedSequenceNumber = Field(
        "_last_updated_sequence_number",
        .int64,
        id: 2_147_483_539
    )
    /// What a file that was written anew says of each row, where a row is older than the file.
    package static let rowLineage = [rowID, lastUpdatedSequenceNumber]
    /// A number that no other row of the same snapshot has: the file's, shifted, plus the position.
    ///
    /// Of no specification: the id is a reserved one that has no meaning there.
    package static let rowNumber = Field(
        "rowid",
        .int64,
        isNullable: false,
        id: 2_147_483_448
    )
    /// Bits of a row number that are the position in the file.
    static let rowNumberPositionBits = 40
}

/// How the columns of a scan are found in files.
package enum ColumnResolution: Sendable {
    /// By field id; in files without ids by the names that the mapping gives an id, and never by the
    /// table's own names.
    case fieldIDs(nameMapping: [Int: [String]])
    /// By exact name; with `allowsMissing` a column that a file lacks is null there, else an error.
    case names(allowsMissing: Bool)
}

/// How a scan goes about its work.
package struct ScanOptions: Sendable {
    package var parquet: ParquetScanOptions
    /// Bytes of column chunks fetched or being fetched that no thread has asked for yet, at most; one
    /// row group is always fetched ahead.
    package var prefetchBytesMax: Int
    /// Footers being fetched at once.
    package var footerParallelCount: Int
    /// Above this many files a morsel is a file instead of a row group, so that the scan can begin
    /// before every footer is there.
    package var eagerFooterCountMax: Int
    /// Rows after which nobody reads on, where that is known: row groups behind them are fetched only
    /// when somebody does.
    package var wantedRowCount: Int?
    package var footers: FooterCache

    package init(
        parquet: ParquetScanOptions = ParquetScanOptions(),
        prefetchBytesMax: Int = 64 << 20,
        footerParallelCount: Int = 32,
        eagerFooterCountMax: Int = 256,
        wantedRowCount: Int? = nil,
        footers: FooterCache = .shared
    ) {
        self.parquet = parquet
        self.prefetchBytesMax = max(1, prefetchBytesMax)
        self.footerParallelCount = max(1, footerParallelCount)
        self.eagerFooterCountMax = max(0, eagerFooterCountMax)
        self.wantedRowCount = wantedRowCount
        self.footers = footers
    }
}

/// What a scan asks of the reader of Parquet files.
package struct ParquetScanOptions: Sendable {
    /// Whether columns of bytes without annotation are text, as some old writers meant them.
    package var readsBinaryAsString = false
    /// Whether text stays dictionary-coded where the file has it so.
    package var keepsDictionaries = true
    /// Whether row groups are left out by statistics and bloom filters.
    package var prunesRowGroups = true

    package init() {}
}
