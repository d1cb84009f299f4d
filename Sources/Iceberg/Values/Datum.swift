/// One value of a primitive type, never null.
///
/// Equality is of type and value: `int(1)` and `long(1)` differ, and floats are equal when their bits
/// are (all NaNs are one). To compare values by order, across promoted types too, use `compared(to:)`.
package enum Datum: Sendable {
    case boolean(Bool)
    case int(Int32)
    case long(Int64)
    case float(Float)
    case double(Double)
    /// The unscaled value, and how many of its digits follow the decimal point.
    case decimal(Int128, scale: Int)
    /// Days since 1970-01-01.
    case date(Int32)
    /// Microseconds since midnight.
    case time(Int64)
    /// Microseconds since 1970-01-01 00:00:00.
    case timestamp(Int64)
    /// Microseconds since 1970-01-01 00:00:00 UTC.
    case timestamptz(Int64)
    /// Nanoseconds since 1970-01-01 00:00:00.
    case timestampNanos(Int64)
    /// Nanoseconds since 1970-01-01 00:00:00 UTC.
    case timestamptzNanos(Int64)
    case string(String)
    /// The sixteen bytes as one big-endian number.
    case uuid(UInt128)
    case fixed([UInt8])
    case binary([UInt8])
}

extension Datum {
    /// Whether this is a float or double that is not a number.
    package var isNaN: Bool {
        switch self {
        case .float(let value): value.isNaN
        case .double(let value): value.isNaN
        default: false
        }
    }

    /// Whether a column of `type` can hold this value as it is.
    package func isValid(for type: IcebergType) -> Bool {
        switch (self, type) {
        case (.boolean, .boolean), (.int, .int), (.long, .long), (.float, .float),
            (.double, .double), (.date, .date), (.timestamp, .timestamp),
            (.timestamptz, .timestamptz), (.timestampNanos, .timestampNanos),
            (.timestamptzNanos, .timestamptzNanos), (.string, .string), (.uuid, .uuid),
            (.binary, .binary):
            true
        case (.time(let micros), .time):
            micros >= 0 && micros < 86_400_000_000
        case (.decimal(let unscaled, let scale), .decimal(let precision, let typeScale)):
            scale == typeScale && Decimals.digitCount(unscaled) <= precision
        case (.fixed(let bytes), .fixed(let length)): bytes.count == length
        default: false
        }
    }

    /// This value as one of `type`, where the promotions of the specification lead there.
    ///
    /// - Returns: nil when they do not, or the value would not fit.
    package func promoted(to type: IcebergType) -> Datum? {
        if isValid(for: type) { return self }
        switch (self, type) {
        case (.int(let value), .long): return .long(Int64(value))
        case (.float(let value), .double): return .double(Double(value))
        // A bound or partition value that was cut down may have a digit more than its type declares.
        case (.decimal(_, let scale), .decimal(_, let other)) where scale == other: return self
        case (.date(let days), .timestamp):
            let (micros, overflow) = Int64(days).multipliedReportingOverflow(by: 86_400_000_000)
            return overflow ? nil : .timestamp(micros)
        case (.date(let days), .timestampNanos):
            let (nanos, overflow) = Int64(days).multipliedReportingOverflow(
                by: 86_400_000_000_000
            )
            return overflow ? nil : .timestampNanos(nanos)
        default: return nil
        }
    }
}

// MARK: - Order

extension Datum {
    /// Compares by the order of the type: negative, zero or positive; nil for kinds that do not compare.
    ///
    /// Numbers compare by value whatever their width and scale. Floats: all NaNs are equal and greater
    /// than anything else, and `-0.0` equals `0.0` as in SQL. Strings compare by their UTF-8 bytes,
    /// uuids and binaries by unsigned bytes.
    package func compared(to other: Datum) -> Int? {
        switch (self, other) {
        case (.boolean(let left), .boolean(let right)):
            return order(left ? 1 : 0, right ? 1 : 0)
        case (.decimal(let left, let leftScale), .decimal(let right, let rightScale)):
            return Decimals.compare(left, leftScale, right, rightScale)
        case (.string(let left), .string(let right)):
            if left.utf8.elementsEqual(right.utf8) { return 0 }
            return left.utf8.lexicographicallyPrecedes(right.utf8) ? -1 : 1
        case (.uuid(let left), .uuid(let right)):
            return order(left, right)
        case (.fixed(let left), .fixed(let right)), (.binary(let left), .binary(let right)),
            (.fixed(let left), .binary(let right)), (.binary(let left), .fixed(let right)):
            if left == right { return 0 }
            return left.lexicographicallyPrecedes(right) ? -1 : 1
        default:
            if let (left, right) = Self.floating(self, other) {
                if left.isNaN || right.isNaN {
                    return order(left.isNaN ? 1 : 0, right.isNaN ? 1 : 0)
                }
                return order(left, right)
            }
            if let (left, right) = Self.integers(self, other) { return order(left, right) }
            return nil
        }
    }

    private func order<T: Comparable>(_ left: T, _ right: T) -> Int {
        left < right ? -1 : left > right ? 1 : 0
    }

    private static func floating(_ left: Datum, _ right: Datum) -> (Double, Double)? {
        guard let left = left.floatingValue, let right = right.floatingValue else { return nil }
        return (left, right)
    }

    private var floatingValue: Double? {
        switch self {
        case .float(let value): Double(value)
        case .double(let value): value
        default: nil
        }
    }

    /// Two values of kinds that are counted in the same unit, or in units that can be made the same.
    private static func integers(_ left: Datum, _ right: Datum) -> (Int128, Int128)? {
        switch (left, right) {
        case (.int(let a), .int(let b)): (Int128(a), Int128(b))
        case (.long(let a), .long(let b)): (Int128(a), Int128(b))
        case (.int(let a), .long(let b)): (Int128(a), Int128(b))
        case (.long(let a), .int(let b)): (Int128(a), Int128(b))
        case (.time(let a), .time(let b)): (Int128(a), Int128(b))
        default:
            if let a = left.instant, let b = right.instant,
                a.inUTC == b.inUTC || a.isDate || b.isDate
            {
                (a.nanos, b.nanos)
            } else {
                nil
            }
        }
    }

    private var instant: (nanos: Int128, inUTC: Bool, isDate: Bool)? {
        switch self {
        case .date(let days): (Int128(days) * 86_400_000_000_000, false, true)
        case .timestamp(let micros): (Int128(micros) * 1000, false, false)
        case .timestamptz(let micros): (Int128(micros) * 1000, true, false)
        case .timestampNanos(let nanos): (Int128(nanos), false, false)
        case .timestamptzNanos(let nanos): (Int128(nanos), true, false)
        default: nil
        }
    }
}

extension Datum: Hashable {
    package static func == (left: Datum, right: Datum) -> Bool {
        switch (left, right) {
        case (.boolean(let a), .boolean(let b)): a == b
        case (.int(let a), .int(let b)): a == b
        case (.long(let a), .long(let b)): a == b
        case (.float(let a), .float(let b)): canonicalBits(a) == canonicalBits(b)
        case (.double(let a), .double(let b)): canonicalBits(a) == canonicalBits(b)
        case (.decimal(let a, let aScale), .decimal(let b, let bScale)): a == b && aScale == bScale
        case (.date(let a), .date(let b)): a == b
        case (.time(let a), .time(let b)): a == b
        case (.timestamp(let a), .timestamp(let b)): a == b
        case (.timestamptz(let a), .timestamptz(let b)): a == b
        case (.timestampNanos(let a), .timestampNanos(let b)): a == b
        case (.timestamptzNanos(let a), .timestamptzNanos(let b)): a == b
        // Strings are equal by code points here, not by Unicode's canonical equivalence.
        case (.string(let a), .string(let b)): a.utf8.elementsEqual(b.utf8)
        case (.uuid(let a), .uuid(let b)): a == b
        case (.fixed(let a), .fixed(let b)): a == b
        case (.binary(let a), .binary(let b)): a == b
        default: false
        }
    }

    package func hash(into hasher: inout Hasher) {
        switch self {
        case .boolean(let value): hasher.combine(value)
        case .int(let value), .date(let value): hasher.combine(value)
        case .long(let value), .time(let value), .timestamp(let value), .timestamptz(let value),
            .timestampNanos(let value), .timestamptzNanos(let value):
            hasher.combine(value)
        case .float(let value): hasher.combine(Self.canonicalBits(value))
        case .double(let value): hasher.combine(Self.canonicalBits(value))
        case .decimal(let value, _): hasher.combine(value)
        case .string(let value): for byte in value.utf8 { hasher.combine(byte) }
        case .uuid(let value): hasher.combine(value)
        case .fixed(let value), .binary(let value): hasher.combine(value)
        }
    }

    /// The bits that partition values are told apart by: one NaN, but two zeros.
    private static func canonicalBits(_ value: Float) -> UInt32 {
        value.isNaN ? 0x7fc0_0000 : value.bitPattern
    }

    private static func canonicalBits(_ value: Double) -> UInt64 {
        value.isNaN ? 0x7ff8_0000_0000_0000 : value.bitPattern
    }
}
