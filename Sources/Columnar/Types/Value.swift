/// One value of any type: constants, partition values, bounds, cells of small results.
///
/// Never used for a row at a time over data: columns are.
package enum Value: Sendable, Hashable {
    case null
    case boolean(Bool)
    case int32(Int32)
    case int64(Int64)
    case float32(Float)
    case float64(Double)
    /// The digits without the point; the scale is the type's.
    case decimal(Int128)
    case date(Int32)
    case time(Int64)
    case timestamp(Int64)
    case timestamptz(Int64)
    case interval(Interval)
    case string(String)
    case binary([UInt8])
    case fixed([UInt8])
    /// As `UUIDBits` orders them.
    case uuid(Int128)
    case list([Value])
    case structure([Value])
    case map([MapEntry])

    package struct MapEntry: Sendable, Hashable {
        package var key: Value
        package var value: Value

        package init(key: Value, value: Value) {
            self.key = key
            self.value = value
        }
    }

    package var isNull: Bool { self == .null }
}

/// A span of calendar time.
///
/// The three parts do not convert into each other: a month has no fixed length.
package struct Interval: Sendable, Hashable {
    package var months: Int32
    package var days: Int32
    package var micros: Int64

    package init(months: Int32 = 0, days: Int32 = 0, micros: Int64 = 0) {
        self.months = months
        self.days = days
        self.micros = micros
    }

    /// As a column of intervals holds it.
    package var bits: Int128 {
        (Int128(months) << 96) | (Int128(UInt32(bitPattern: days)) << 64)
            | Int128(UInt64(bitPattern: micros))
    }

    package init(bits: Int128) {
        months = Int32(truncatingIfNeeded: bits >> 96)
        days = Int32(truncatingIfNeeded: bits >> 64)
        micros = Int64(truncatingIfNeeded: bits)
    }
}

/// A UUID as a column holds it: its 128 bits with the top one flipped, so that signed comparison
/// gives the order of its bytes.
package enum UUIDBits {
    /// From the 16 bytes in the order they are written.
    package static func ordered(fromBigEndian bytes: UInt128) -> Int128 {
        Int128(bitPattern: bytes ^ (1 << 127))
    }

    package static func bigEndian(fromOrdered bits: Int128) -> UInt128 {
        UInt128(bitPattern: bits) ^ (1 << 127)
    }

    /// The 16 bytes, first one first.
    package static func bytes(fromOrdered bits: Int128) -> [UInt8] {
        let raw = bigEndian(fromOrdered: bits)
        return (0..<16).map { UInt8(truncatingIfNeeded: raw >> UInt128(120 - 8 * $0)) }
    }
}
