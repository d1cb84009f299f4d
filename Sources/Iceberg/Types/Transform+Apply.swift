extension Transform {
    /// What the transform makes of one value; nil for nil, and always nil for `void`.
    ///
    /// - Throws: `unsupported` for an unknown transform, `invalid` for a value it does not take.
    /// - Spec: "Partition Transforms".
    package func apply(_ value: Datum?) throws(IcebergError) -> Datum? {
        if isUnknown { throw IcebergError(.unsupported, "transform \(self) is not known") }
        guard let value else { return nil }
        let result: Datum?
        switch self {
        case .identity: return value
        case .void: return nil
        case .unknown: result = nil
        case .bucket(let count):
            result = value.bucketHash.map {
                .int(BucketHash.bucket(UInt32(bitPattern: $0), count: count))
            }
        case .truncate(let width): result = value.truncated(width)
        case .year:
            result = value.days.map { .int(Int32(CivilDate(daysSinceEpoch: $0).year - 1970)) }
        case .month:
            result = value.days.map { .int(CivilDate(daysSinceEpoch: $0).monthsSinceEpoch) }
        case .day:
            result = value.days.flatMap { Int32(exactly: $0) }.map { .date($0) }
        case .hour: result = value.hours.flatMap { Int32(exactly: $0) }.map { .int($0) }
        }
        guard let result else {
            throw IcebergError(.invalid, "\(self) cannot be applied to \(value.text)")
        }
        return result
    }
}

extension CivilDate {
    /// Months since January 1970, negative before.
    var monthsSinceEpoch: Int32 { Int32(truncatingIfNeeded: (year - 1970) * 12 + month - 1) }
}

extension Datum {
    /// Days since 1970-01-01 of a date or timestamp, rounded down; nil for other kinds.
    fileprivate var days: Int? {
        switch self {
        case .date(let days): Int(days)
        case .timestamp(let micros), .timestamptz(let micros):
            Int(micros.flooredQuotient(86_400_000_000))
        case .timestampNanos(let nanos), .timestamptzNanos(let nanos):
            Int(nanos.flooredQuotient(86_400_000_000_000))
        default: nil
        }
    }

    /// Hours since 1970-01-01 00:00 of a timestamp, rounded down; nil for other kinds.
    fileprivate var hours: Int? {
        switch self {
        case .timestamp(let micros), .timestamptz(let micros):
            Int(micros.flooredQuotient(3_600_000_000))
        case .timestampNanos(let nanos), .timestamptzNanos(let nanos):
            Int(nanos.flooredQuotient(3_600_000_000_000))
        default: nil
        }
    }

    /// Rounded down to a multiple of `width`, or cut to it; nil for other kinds.
    ///
    /// The few numbers whose multiple would lie below the smallest of their type wrap around, as they do
    /// in the reference implementation.
    fileprivate func truncated(_ width: Int32) -> Datum? {
        switch self {
        case .int(let value): .int(value &- value.flooredRemainder(width))
        case .long(let value): .long(value &- value.flooredRemainder(Int64(width)))
        case .decimal(let value, let scale):
            .decimal(value &- value.flooredRemainder(Int128(width)), scale: scale)
        case .string(let value):
            .string(String(String.UnicodeScalarView(value.unicodeScalars.prefix(Int(width)))))
        case .binary(let value): .binary(Array(value.prefix(Int(width))))
        default: nil
        }
    }
}
