package import Columnar
package import Iceberg

extension Value {
    /// The value of a partition, bound or default as a column holds it; nil is null.
    ///
    /// Nanoseconds are rounded down to microseconds.
    package init(_ datum: Datum?) {
        guard let datum else {
            self = .null
            return
        }
        switch datum {
        case .boolean(let value): self = .boolean(value)
        case .int(let value): self = .int32(value)
        case .long(let value): self = .int64(value)
        case .float(let value): self = .float32(value)
        case .double(let value): self = .float64(value)
        case .decimal(let unscaled, _): self = .decimal(unscaled)
        case .date(let value): self = .date(value)
        case .time(let value): self = .time(value)
        case .timestamp(let value): self = .timestamp(value)
        case .timestamptz(let value): self = .timestamptz(value)
        case .timestampNanos(let value): self = .timestamp(value.floored(by: 1000))
        case .timestamptzNanos(let value): self = .timestamptz(value.floored(by: 1000))
        case .string(let value): self = .string(value)
        case .uuid(let value): self = .uuid(UUIDBits.ordered(fromBigEndian: value))
        case .fixed(let value): self = .fixed(value)
        case .binary(let value): self = .binary(value)
        }
    }
}

extension Int64 {
    fileprivate func floored(by divisor: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}

extension Datum {
    /// A column's value as one of a table's type.
    ///
    /// - Returns: nil for null, for nested values, and when the value is not one of the type: a decimal
    ///   with too many digits, a number that does not fit.
    package init?(_ value: Value, type: IcebergType) {
        let datum: Datum
        switch (value, type) {
        case (.boolean(let value), .boolean): datum = .boolean(value)
        case (.int32(let value), .int): datum = .int(value)
        case (.int32(let value), .long): datum = .long(Int64(value))
        case (.int64(let value), .long): datum = .long(value)
        case (.int64(let value), .int):
            guard let narrow = Int32(exactly: value) else { return nil }
            datum = .int(narrow)
        case (.float32(let value), .float): datum = .float(value)
        case (.float32(let value), .double): datum = .double(Double(value))
        case (.float64(let value), .double): datum = .double(value)
        case (.decimal(let digits), .decimal(_, let scale)):
            datum = .decimal(digits, scale: scale)
        case (.date(let value), .date): datum = .date(value)
        case (.time(let value), .time): datum = .time(value)
        case (.timestamp(let value), .timestamp): datum = .timestamp(value)
        case (.timestamptz(let value), .timestamptz): datum = .timestamptz(value)
        case (.timestamp(let value), .timestampNanos):
            guard let nanos = value.nanos else { return nil }
            datum = .timestampNanos(nanos)
        case (.timestamptz(let value), .timestamptzNanos):
            guard let nanos = value.nanos else { return nil }
            datum = .timestamptzNanos(nanos)
        case (.string(let value), .string): datum = .string(value)
        case (.uuid(let value), .uuid): datum = .uuid(UUIDBits.bigEndian(fromOrdered: value))
        case (.fixed(let value), .fixed), (.binary(let value), .fixed): datum = .fixed(value)
        case (.binary(let value), .binary), (.fixed(let value), .binary): datum = .binary(value)
        default: return nil
        }
        guard datum.isValid(for: type) else { return nil }
        self = datum
    }
}

extension Int64 {
    /// Microseconds as nanoseconds; nil when there are too many.
    fileprivate var nanos: Int64? {
        let (value, overflow) = multipliedReportingOverflow(by: 1000)
        return overflow ? nil : value
    }
}
