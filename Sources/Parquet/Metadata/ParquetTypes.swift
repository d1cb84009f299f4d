/// How the values of a leaf column are stored.
///
/// - Spec: parquet.thrift, `Type`.
package enum ParquetPhysicalType: Int32, Sendable, Hashable {
    case boolean = 0
    case int32 = 1
    case int64 = 2
    case int96 = 3
    case float = 4
    case double = 5
    case byteArray = 6
    case fixedLengthByteArray = 7
}

/// How often a schema element occurs in its parent.
package enum Repetition: Int32, Sendable, Hashable {
    case required = 0
    case optional = 1
    case repeated = 2
}

/// The unit of a time or timestamp.
package enum TimeUnit: Sendable, Hashable {
    case millis, micros, nanos
}

/// What the values of a schema element mean, from `LogicalType` or the older `ConvertedType`.
package enum LogicalType: Sendable, Hashable {
    case string
    case map
    case list
    case enumeration
    case decimal(precision: Int, scale: Int)
    case date
    case time(TimeUnit)
    case timestamp(TimeUnit, isAdjustedToUTC: Bool)
    case integer(bitWidth: Int, isSigned: Bool)
    /// A column in which everything is null.
    case null
    case json
    case bson
    case uuid
    case float16
    case interval
    case variant
    case geometry
    case geography
    /// An annotation newer than this program.
    case unknown(Int16)
}

/// How values are written in a page.
///
/// Unknown numbers are kept, so that errors can name them.
package struct ParquetEncoding: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
    package var rawValue: Int32

    package init(rawValue: Int32) { self.rawValue = rawValue }

    package static let plain = ParquetEncoding(rawValue: 0)
    package static let plainDictionary = ParquetEncoding(rawValue: 2)
    package static let rle = ParquetEncoding(rawValue: 3)
    package static let bitPacked = ParquetEncoding(rawValue: 4)
    package static let deltaBinaryPacked = ParquetEncoding(rawValue: 5)
    package static let deltaLengthByteArray = ParquetEncoding(rawValue: 6)
    package static let deltaByteArray = ParquetEncoding(rawValue: 7)
    package static let rleDictionary = ParquetEncoding(rawValue: 8)
    package static let byteStreamSplit = ParquetEncoding(rawValue: 9)

    package var isDictionary: Bool { self == .plainDictionary || self == .rleDictionary }

    package var description: String {
        let names = [
            "PLAIN", "GROUP_VAR_INT", "PLAIN_DICTIONARY", "RLE", "BIT_PACKED",
            "DELTA_BINARY_PACKED", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY",
            "RLE_DICTIONARY", "BYTE_STREAM_SPLIT",
        ]
        return names.indices.contains(Int(rawValue)) ? names[Int(rawValue)] : "#\(rawValue)"
    }
}

/// How pages are compressed.
///
/// Unknown numbers are kept, so that errors can name them.
package struct ParquetCompression: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
    package var rawValue: Int32

    package init(rawValue: Int32) { self.rawValue = rawValue }

    package static let uncompressed = ParquetCompression(rawValue: 0)
    package static let snappy = ParquetCompression(rawValue: 1)
    package static let gzip = ParquetCompression(rawValue: 2)
    package static let lzo = ParquetCompression(rawValue: 3)
    package static let brotli = ParquetCompression(rawValue: 4)
    /// LZ4 in Hadoop's framing, or without it: writers never agreed.
    package static let lz4 = ParquetCompression(rawValue: 5)
    package static let zstd = ParquetCompression(rawValue: 6)
    package static let lz4Raw = ParquetCompression(rawValue: 7)

    package var description: String {
        let names = [
            "UNCOMPRESSED", "SNAPPY", "GZIP", "LZO", "BROTLI", "LZ4", "ZSTD", "LZ4_RAW",
        ]
        return names.indices.contains(Int(rawValue)) ? names[Int(rawValue)] : "#\(rawValue)"
    }
}

/// What `min` and `max` of a column are ordered by.
package enum ColumnOrder: Sendable, Hashable {
    /// The file does not say: only the deprecated statistics of signed types can be used.
    case undefined
    case typeDefined
    case ieee754TotalOrder
}
