import Bytes

/// Transforms of whole columns, once per batch.
///
/// Values below a null are transformed like any other and mean nothing: validity is the caller's. Each
/// function requires that the target has as many elements as the source.
package enum BatchTransform {
    // MARK: - Buckets

    /// The buckets of ints, or of dates as days.
    package static func bucket(
        _ values: UnsafeBufferPointer<Int32>,
        count: Int32,
        into target: UnsafeMutableBufferPointer<Int32>
    ) {
        precondition(target.count == values.count)
        precondition(count > 0)
        for row in 0..<values.count {
            target[row] = BucketHash.bucket(BucketHash.hash(Int64(values[row])), count: count)
        }
    }

    /// The buckets of longs, times, and timestamps in microseconds.
    package static func bucket(
        _ values: UnsafeBufferPointer<Int64>,
        count: Int32,
        into target: UnsafeMutableBufferPointer<Int32>
    ) {
        precondition(target.count == values.count)
        precondition(count > 0)
        for row in 0..<values.count {
            target[row] = BucketHash.bucket(BucketHash.hash(values[row]), count: count)
        }
    }

    /// The buckets of timestamps in nanoseconds, which are hashed as microseconds.
    package static func bucket(
        nanos values: UnsafeBufferPointer<Int64>,
        count: Int32,
        into target: UnsafeMutableBufferPointer<Int32>
    ) {
        precondition(target.count == values.count)
        precondition(count > 0)
        for row in 0..<values.count {
            let micros = values[row].flooredQuotient(1000)
            target[row] = BucketHash.bucket(BucketHash.hash(micros), count: count)
        }
    }

    /// The buckets of decimals by their unscaled values.
    package static func bucket(
        unscaled values: UnsafeBufferPointer<Int128>,
        count: Int32,
        into target: UnsafeMutableBufferPointer<Int32>
    ) {
        precondition(target.count == values.count)
        precondition(count > 0)
        for row in 0..<values.count {
            let hash = minimalHash(values[row])
            target[row] = BucketHash.bucket(hash, count: count)
        }
    }

    /// The buckets of strings or binaries that lie one after the other in `bytes`.
    ///
    /// - Parameter offsets: Where each value begins, and at last where the last one ends: ascending, and
    ///   within `bytes`.
    package static func bucket(
        bytes: UnsafeRawBufferPointer,
        offsets: UnsafeBufferPointer<Int32>,
        count: Int32,
        into target: UnsafeMutableBufferPointer<Int32>
    ) {
        precondition(offsets.count == target.count + 1)
        precondition(count > 0)
        for row in 0..<target.count {
            let value = UnsafeRawBufferPointer(
                rebasing: bytes[Int(offsets[row])..<Int(offsets[row + 1])]
            )
            target[row] = BucketHash.bucket(hash(value), count: count)
        }
    }

    /// The buckets of uuids or fixed values of `width` bytes each.
    package static func bucket(
        fixed bytes: UnsafeRawBufferPointer,
        width: Int,
        count: Int32,
        into target: UnsafeMutableBufferPointer<Int32>
    ) {
        precondition(width >= 0 && bytes.count == target.count * width)
        precondition(count > 0)
        for row in 0..<target.count {
            let value = UnsafeRawBufferPointer(
                rebasing: bytes[row * width..<(row + 1) * width]
            )
            target[row] = BucketHash.bucket(hash(value), count: count)
        }
    }

    // MARK: - Truncation

    /// Ints rounded down to multiples of `width`.
    package static func truncate(
        _ values: UnsafeBufferPointer<Int32>,
        width: Int32,
        into target: UnsafeMutableBufferPointer<Int32>
    ) {
        precondition(target.count == values.count)
        precondition(width > 0)
        for row in 0..<values.count {
            target[row] = values[row] &- values[row].flooredRemainder(width)
        }
    }

    /// Longs rounded down to multiples of `width`.
    package static func truncate(
        _ values: UnsafeBufferPointer<Int64>,
        width: Int32,
        into target: UnsafeMutableBufferPointer<Int64>
    ) {
        precondition(target.count == values.count)
        precondition(width > 0)
        let width = Int64(width)
        for row in 0..<values.count {
            target[row] = values[row] &- values[row].flooredRemainder(width)
        }
    }

    /// The unscaled values of decimals rounded down to multiples of `width` of their last digit.
    package static func truncate(
        _ values: UnsafeBufferPointer<Int128>,
        width: Int32,
        into target: UnsafeMutableBufferPointer<Int128>
    ) {
        precondition(target.count == values.count)
        precondition(width > 0)
        let width = Int128(width)
        for row in 0..<values.count {
            target[row] = values[row] &- values[row].flooredRemainder(width)
        }
    }

    /// Where each string ends when it is cut to `width` code points.
    ///
    /// - Parameters:
    ///   - bytes: UTF-8; `offsets` say where each value begins, and at last where the last one ends.
    ///   - ends: Gets the offset in `bytes` after the last code point that stays.
    package static func truncate(
        bytes: UnsafeRawBufferPointer,
        offsets: UnsafeBufferPointer<Int32>,
        width: Int32,
        ends: UnsafeMutableBufferPointer<Int32>
    ) {
        precondition(offsets.count == ends.count + 1)
        precondition(width > 0)
        for row in 0..<ends.count {
            var at = Int(offsets[row])
            let end = Int(offsets[row + 1])
            precondition(at >= 0 && at <= end && end <= bytes.count)
            var left = width
            while at < end {
                // A byte that continues a code point begins with the bits 10.
                if bytes[at] & 0xC0 != 0x80 {
                    if left == 0 { break }
                    left -= 1
                }
                at += 1
            }
            ends[row] = Int32(truncatingIfNeeded: at)
        }
    }

    // MARK: - Times

    /// The unit that timestamps are counted in.
    package enum TimeUnit: Sendable {
        case micros
        case nanos

        var perHour: Int64 { self == .micros ? 3_600_000_000 : 3_600_000_000_000 }
        var perDay: Int64 { perHour * 24 }
    }

    /// Years since 1970 of dates as days.
    package static func years(
        ofDays values: UnsafeBufferPointer<Int32>,
        into target: UnsafeMutableBufferPointer<Int32>
    ) {
        precondition(target.count == values.count)
        for row in 0..<values.count { target[row] = year(Int(values[row])) }
    }

    /// Months since January 1970 of dates as days.
    package static func months(
        ofDays values: UnsafeBufferPointer<Int32>,
        into target: UnsafeMutableBufferPointer<Int32>
    ) {
        precondition(target.count == values.count)
        for row in 0..<values.count {
            target[row] = CivilDate(daysSinceEpoch: Int(values[row])).monthsSinceEpoch
        }
    }

    /// Years since 1970 of timestamps.
    package static func years(
        of values: UnsafeBufferPointer<Int64>,
        unit: TimeUnit,
        into target: UnsafeMutableBufferPointer<Int32>
    ) {
        precondition(target.count == values.count)
        let perDay = unit.perDay
        for row in 0..<values.count { target[row] = year(Int(values[row].flooredQuotient(perDay))) }
    }

    /// Months since January 1970 of timestamps.
    package static func months(
        of values: UnsafeBufferPointer<Int64>,
        unit: TimeUnit,
        into target: UnsafeMutableBufferPointer<Int32>
    ) {
        precondition(target.count == values.count)
        let perDay = unit.perDay
        for row in 0..<values.count {
            let days = Int(values[row].flooredQuotient(perDay))
            target[row] = CivilDate(daysSinceEpoch: days).monthsSinceEpoch
        }
    }

    /// Days since 1970-01-01 of timestamps.
    package static func days(
        of values: UnsafeBufferPointer<Int64>,
        unit: TimeUnit,
        into target: UnsafeMutableBufferPointer<Int32>
    ) {
        divide(values, by: unit.perDay, into: target)
    }

    /// Hours since 1970-01-01 00:00 of timestamps; those that do not fit 32 bits wrap around.
    package static func hours(
        of values: UnsafeBufferPointer<Int64>,
        unit: TimeUnit,
        into target: UnsafeMutableBufferPointer<Int32>
    ) {
        divide(values, by: unit.perHour, into: target)
    }

    private static func divide(
        _ values: UnsafeBufferPointer<Int64>,
        by divisor: Int64,
        into target: UnsafeMutableBufferPointer<Int32>
    ) {
        precondition(target.count == values.count)
        for row in 0..<values.count {
            target[row] = Int32(truncatingIfNeeded: values[row].flooredQuotient(divisor))
        }
    }

    private static func year(_ days: Int) -> Int32 {
        Int32(truncatingIfNeeded: CivilDate(daysSinceEpoch: days).year - 1970)
    }
}

extension BatchTransform {
    private static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt32 { murmur3x86(bytes) }

    /// The hash of the fewest big-endian bytes of two's complement, without an array for each value.
    private static func minimalHash(_ value: Int128) -> UInt32 {
        let bits = 128 - (value < 0 ? ~value : value).leadingZeroBitCount
        let count = bits / 8 + 1
        // The bytes that count are the last ones of the sixteen.
        return withUnsafeBytes(of: value.bigEndian) { bytes in
            murmur3x86(UnsafeRawBufferPointer(rebasing: bytes[(16 - count)...]))
        }
    }
}
