/// The type of a column as queries see it: Iceberg's types, and what expressions need beside them.
///
/// Integers in files that are narrower than 32 bits are widened when they are read.
package indirect enum DataType: Sendable, Hashable {
    /// The type of a bare NULL: it becomes whatever its surroundings want.
    case null
    case boolean
    case int32
    case int64
    case float32
    case float64
    /// `precision` digits in all (1 to 38), `scale` of them behind the point.
    case decimal(precision: Int, scale: Int)
    /// Days since 1970-01-01.
    case date
    /// Microseconds since midnight.
    case time
    /// Microseconds since 1970-01-01T00:00:00 on a clock without a zone.
    case timestamp
    /// An instant: microseconds since 1970-01-01T00:00:00Z.
    case timestamptz
    /// Months, days and microseconds, as SQL's INTERVAL.
    case interval
    /// UTF-8 text.
    case string
    case binary
    /// Exactly this many bytes a value.
    case fixed(Int)
    case uuid
    case list(Field)
    case structure([Field])
    case map(key: Field, value: Field)
}

/// How the values of a type lie in memory.
///
/// Kernels switch on this once a batch.
package enum PhysicalType: Sendable, Hashable {
    /// No values at all: every row is null.
    case none
    /// One bit a row: boolean.
    case bit
    /// int32, date.
    case int32
    /// int64, time, timestamp, timestamptz, decimals of up to 18 digits.
    case int64
    case float32
    case float64
    /// Decimals of more than 18 digits; uuid as `UUIDBits`; interval as `IntervalBits`.
    case int128
    /// 16 bytes a row that hold or point to the bytes: string, binary, fixed.
    case view
    case list
    case structure
    case map

    /// Bytes a row takes in a values buffer; 0 for those without one of their own.
    package var byteWidth: Int {
        switch self {
        case .none, .bit, .structure: 0
        case .int32, .float32, .list, .map: 4
        case .int64, .float64: 8
        case .int128, .view: 16
        }
    }
}

extension DataType {
    package var physical: PhysicalType {
        switch self {
        case .null: .none
        case .boolean: .bit
        case .int32, .date: .int32
        case .int64, .time, .timestamp, .timestamptz: .int64
        case .float32: .float32
        case .float64: .float64
        case .decimal(let precision, _): precision <= 18 ? .int64 : .int128
        case .uuid, .interval: .int128
        case .string, .binary, .fixed: .view
        case .list: .list
        case .structure: .structure
        case .map: .map
        }
    }

    /// Whether arithmetic makes sense on it.
    package var isNumeric: Bool {
        switch self {
        case .int32, .int64, .float32, .float64, .decimal: true
        default: false
        }
    }

    package var isInteger: Bool { self == .int32 || self == .int64 }

    package var isFloating: Bool { self == .float32 || self == .float64 }

    package var isTemporal: Bool {
        switch self {
        case .date, .time, .timestamp, .timestamptz: true
        default: false
        }
    }

    package var isNested: Bool {
        switch self {
        case .list, .structure, .map: true
        default: false
        }
    }
}

extension DataType: CustomStringConvertible {
    /// The type's name in SQL.
    package var description: String {
        switch self {
        case .null: "NULL"
        case .boolean: "BOOLEAN"
        case .int32: "INTEGER"
        case .int64: "BIGINT"
        case .float32: "FLOAT"
        case .float64: "DOUBLE"
        case .decimal(let precision, let scale): "DECIMAL(\(precision),\(scale))"
        case .date: "DATE"
        case .time: "TIME"
        case .timestamp: "TIMESTAMP"
        case .timestamptz: "TIMESTAMP WITH TIME ZONE"
        case .interval: "INTERVAL"
        case .string: "VARCHAR"
        case .binary: "BLOB"
        case .fixed(let count): "FIXED(\(count))"
        case .uuid: "UUID"
        case .list(let element): "\(element.type)[]"
        case .structure(let fields):
            "STRUCT("
                + fields.map { $0.name.isEmpty ? "\($0.type)" : "\($0.name) \($0.type)" }
                .joined(separator: ", ") + ")"
        case .map(let key, let value): "MAP(\(key.type), \(value.type))"
        }
    }
}
