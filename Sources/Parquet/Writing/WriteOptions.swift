package import Columnar

/// How Parquet files are written.
package struct ParquetWriteOptions: Sendable {
    /// How numbers are written where a dictionary does not pay.
    package enum NumberEncoding: Sendable {
        case plain
        /// DELTA_BINARY_PACKED for integers, PLAIN for the others: small for sorted keys and times.
        case delta
        /// BYTE_STREAM_SPLIT for floating-point numbers (others have it too, but not in all readers),
        /// PLAIN for the others: small for measurements.
        case byteStreamSplit
    }

    package var compression: ParquetCompression = .zstd
    /// The codec's own scale; nil for its default (3 for zstd).
    package var compressionLevel: Int32?
    /// Whether data pages are of version 2, which old readers do not know.
    package var usesDataPageV2 = false
    /// A page ends when its values take this many bytes, or it has this many rows.
    package var pageByteCountMax = 1 << 20
    package var pageRowCountMax = 20_000
    /// A row group ends when what is kept of it takes this many bytes, or it has this many rows.
    package var rowGroupByteCountMax = 128 << 20
    package var rowGroupRowCountMax = 1_000_000
    package var usesDictionaries = true
    /// A dictionary that would grow larger is closed, and the chunk goes on without.
    package var dictionaryByteCountMax = 1 << 20
    package var numberEncoding: NumberEncoding = .plain
    /// The columns, by field id, whose values mostly count up: they are written as differences, without a dictionary.
    package var countingFieldIDs: Set<Int> = []
    /// The columns, by field id, whose chunks get bloom filters.
    package var bloomFilterFieldIDs: Set<Int> = []
    /// What a filter may take; one for fewer values takes less.
    package var bloomFilterByteCountMax = 1 << 20
    /// Bounds of text and bytes in statistics are cut to this many bytes.
    package var boundByteCountMax = 64
    /// Whether pages carry checksums, and the footer those of page headers, page index and itself.
    package var writesChecksums = true
    package var writesPageIndex = true
    /// Remarks for the footer, such as `iceberg.schema`.
    package var keyValues: [KeyValue] = []
    /// What the rows are sorted by, in terms of leaf columns; a claim that is not checked.
    package var sortingColumns: [SortingColumn] = []

    package init() {}
}

/// What has been written, in the terms of Iceberg's metrics.
package struct ParquetWriteSummary: Sendable {
    /// The metrics of one leaf column over the whole file.
    package struct ColumnSummary: Sendable {
        /// The names from the root to it, joined by points.
        package var name: String
        /// Iceberg's field id.
        package var fieldID: Int?
        package var type: DataType
        /// Bytes that its chunks take in the file.
        package var byteCount: Int
        /// Values with nulls, NaNs and repeated ones.
        package var valueCount: Int
        package var nullCount: Int
        /// NaNs; nil when the type has none.
        package var nanCount: Int?
        /// The smallest and largest value, never cut short, NaN left out; nil when there is none.
        package var lowerBound: Value?
        package var upperBound: Value?
        /// Whether the column is in a list or map (Iceberg keeps no bounds of those).
        package var isRepeated: Bool
    }

    package var rowCount: Int
    package var fileByteCount: Int
    /// Where row groups begin.
    package var splitOffsets: [Int]
    /// In the order of the file's leaf columns.
    package var columns: [ColumnSummary]
    /// The length of the footer with its tail: what a reader fetches first.
    package var footerByteCount: Int
}
