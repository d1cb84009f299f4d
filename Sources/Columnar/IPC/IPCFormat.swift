/// Names of numbers in Arrow's Message.fbs, Schema.fbs and File.fbs.
///
/// - Spec: Arrow columnar format, "Serialization and Interprocess Communication (IPC)".
enum IPCFormat {
    /// The file format's first and last bytes.
    static let magic: [UInt8] = Array("ARROW1".utf8)
    /// Says that a message's length follows.
    static let continuation: UInt32 = 0xFFFF_FFFF
    static let version4: Int16 = 3
    static let version5: Int16 = 4
    /// Where the buffers of a body begin; a multiple of the 8 that the format asks for.
    static let alignment = 64
    /// Field metadata in which Parquet and Iceberg keep field ids.
    static let fieldIDKey = "PARQUET:field_id"
    static let extensionNameKey = "ARROW:extension:name"
    static let extensionMetadataKey = "ARROW:extension:metadata"
    static let uuidExtension = "arrow.uuid"
    /// How deep types may be nested.
    static let depthMax = 64

    enum Header: UInt8 {
        case schema = 1
        case dictionaryBatch = 2
        case recordBatch = 3
    }

    enum TypeID: UInt8 {
        case null = 1
        case int, floatingPoint, binary, utf8, bool, decimal, date, time, timestamp, interval
        case list, structure, union, fixedSizeBinary, fixedSizeList, map, duration, largeBinary
        case largeUtf8, largeList, runEndEncoded, binaryView, utf8View, listView, largeListView
    }

    enum TimeUnit: Int16 {
        case second, millisecond, microsecond, nanosecond
    }
}

/// How the buffers of record batches are compressed.
package enum IPCCompression: UInt8, Sendable, Hashable {
    case lz4Frame = 0
    case zstd = 1
}
