/// The footer of a Parquet file: its schema, where its column chunks lie, and what is known of them.
///
/// - Spec: parquet.thrift, `FileMetaData`.
package struct ParquetMetadata: Sendable {
    package var version: Int32
    /// The schema in depth-first order, the root first.
    package var schemaElements: [SchemaElement]
    package var rowCount: Int
    package var rowGroups: [RowGroupMetadata]
    package var keyValues: [KeyValue]
    package var createdBy: String?
    /// One a leaf column; `undefined` where the file has none.
    package var columnOrders: [ColumnOrder]
    /// The columns that queries see and the leaf columns below them.
    package var schema: ParquetSchema
    /// How many bytes the file has.
    package var fileSize: Int
    /// Where the footer begins: column chunks end before it.
    package var footerOffset: Int
    /// Whether the footer carries a checksum of itself, which then was right.
    package internal(set) var isChecksummed = false
    /// The CRC-32C of `pageIndexRange`; nil when the file does not say.
    var pageIndexChecksum: UInt32?

    /// The value of a key in the file's metadata.
    package func value(forKey key: String) -> String? {
        keyValues.first { $0.key == key }?.value
    }
}

/// A free remark of the writer.
package struct KeyValue: Sendable, Hashable {
    package var key: String
    package var value: String?

    package init(key: String, value: String?) {
        self.key = key
        self.value = value
    }
}

/// One node of the schema.
package struct SchemaElement: Sendable, Hashable {
    package var name: String
    /// Nil for groups.
    package var type: ParquetPhysicalType?
    /// Bytes of a value of `fixedLengthByteArray`.
    package var typeLength: Int
    package var repetition: Repetition
    package var childCount: Int
    package var fieldID: Int?
    package var logicalType: LogicalType?
    /// Whether `logicalType` was made from a `ConvertedType` alone.
    package var isConvertedOnly: Bool
}

/// A horizontal slice of the file.
package struct RowGroupMetadata: Sendable {
    package var columns: [ColumnChunkMetadata]
    /// Bytes of all column data before compression.
    package var totalByteSize: Int
    package var rowCount: Int
    package var sortingColumns: [SortingColumn]
}

/// What rows of a row group are sorted by.
package struct SortingColumn: Sendable, Hashable {
    /// Which leaf column.
    package var leaf: Int
    package var isDescending: Bool
    package var areNullsFirst: Bool
}

/// One leaf column of one row group.
///
/// - Spec: parquet.thrift, `ColumnChunk` and `ColumnMetaData`.
package struct ColumnChunkMetadata: Sendable {
    package var type: ParquetPhysicalType
    package var encodings: [ParquetEncoding]
    package var compression: ParquetCompression
    /// Values with nulls; more than rows when the column is repeated.
    package var valueCount: Int
    /// Bytes of all pages with their headers.
    package var compressedSize: Int
    package var uncompressedSize: Int
    package var dataPageOffset: Int
    package var dictionaryPageOffset: Int?
    package var statistics: ParquetStatistics?
    package var pageEncodings: [PageEncodingStatistics]
    package var bloomFilterOffset: Int?
    package var bloomFilterLength: Int?
    /// CRC-32C of the bloom filter with its header; nil where the file does not say.
    package var bloomFilterChecksum: UInt32?
    package var offsetIndexRange: Range<Int>?
    package var columnIndexRange: Range<Int>?
    /// The CRC-32C of the headers of all pages, one after the other; nil when the file does not say.
    var pageHeadersChecksum: UInt32?
    /// Whether the chunk is encrypted, or lies in another file: then it cannot be read.
    package var unreadableReason: String?

    /// Whether all data pages are known to be dictionary-coded, so that the dictionary has every
    /// value of the chunk.
    package var isFullyDictionaryCoded: Bool {
        let data = pageEncodings.filter { $0.isDataPage && $0.count > 0 }
        return !data.isEmpty && data.allSatisfy { $0.encoding.isDictionary }
    }
}

/// How many pages of one kind use an encoding.
package struct PageEncodingStatistics: Sendable, Hashable {
    /// As the format numbers kinds of pages: 0 and 3 are data pages.
    package var pageType: Int32
    package var encoding: ParquetEncoding
    package var count: Int

    package var isDataPage: Bool { pageType == 0 || pageType == 3 }
}

/// Statistics as the file has them; `ColumnChunkStatistics` says what they mean.
///
/// - Spec: parquet.thrift, `Statistics`.
package struct ParquetStatistics: Sendable, Hashable {
    /// Ordered by signed comparison, whatever the type: of use for signed numbers only.
    package var deprecatedMin: [UInt8]?
    package var deprecatedMax: [UInt8]?
    package var min: [UInt8]?
    package var max: [UInt8]?
    package var isMinExact: Bool?
    package var isMaxExact: Bool?
    package var nullCount: Int?
    package var distinctCount: Int?
    package var nanCount: Int?

    package init() {}
}
