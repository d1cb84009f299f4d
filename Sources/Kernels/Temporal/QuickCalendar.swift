import Columnar

/// The calendar of `CivilCalendar` with few multiplications, for years of up to seven digits.
///
/// Years begin in March and are counted from one so long ago that nothing is negative. Quotients by constants come from a
/// multiplication whose high half is the quotient and whose low half says what is left.
enum QuickCalendar {
    /// Whole spans of 400 years before 0000-03-01 from which days are counted.
    private static let spanCount = 3670
    private static let dayShift = 719_468 + 146_097 * spanCount
    private static let yearShift = 400 * spanCount

    /// Year, month (1 to 12) and day (1 to 31) of a day number.
    @inline(__always)
    static func civil(_ days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = UInt(bitPattern: days &+ dayShift)
        if shifted >= 1 << 30 { return CivilCalendar.civil(days) }
        let fourDays = UInt32(truncatingIfNeeded: shifted) &* 4 &+ 3
        let century = fourDays / 146_097
        let fourDaysOfCentury = (fourDays &- century &* 146_097) | 3
        // The year of the century is in the high half, what is left of a year in the low one.
        let product = UInt64(fourDaysOfCentury) &* 2_939_745
        let yearOfCentury = UInt32(truncatingIfNeeded: product &>> 32)
        let dayOfYear = UInt32(truncatingIfNeeded: product) / 2_939_745 / 4
        // Months from March as 3, and the day of the month, in the same way.
        let scaled = 2141 &* dayOfYear &+ 197_913
        let month = scaled &>> 16
        let day = (scaled & 0xFFFF) / 2141
        let isNextYear = dayOfYear >= 306
        return (
            Int(century &* 100 &+ yearOfCentury) &- yearShift &+ (isNextYear ? 1 : 0),
            Int(isNextYear ? month &- 12 : month), Int(day) &+ 1
        )
    }
}

extension Temporal {
    /// Parts of dates that queries ask for most, a loop each; nil for others.
    @inline(__always)
    static func dayPart<T: BitwiseCopyable>(
        _ part: DatePart,
        _ column: Column,
        _: T.Type,
        _ days: (T) -> Int
    ) -> Column? {
        switch part {
        case .year:
            Casting.convertAll(column, .int64, T.self) { Int64(QuickCalendar.civil(days($0)).year) }
        case .quarter:
            Casting.convertAll(column, .int64, T.self) {
                Int64((QuickCalendar.civil(days($0)).month &+ 2) / 3)
            }
        case .month:
            Casting.convertAll(column, .int64, T.self) {
                Int64(QuickCalendar.civil(days($0)).month)
            }
        case .day:
            Casting.convertAll(column, .int64, T.self) { Int64(QuickCalendar.civil(days($0)).day) }
        case .dayOfWeek:
            Casting.convertAll(column, .int64, T.self) {
                // 1970-01-01 was a Thursday.
                Int64(CivilCalendar.floorDivide(days($0) &+ 4, 7).rest)
            }
        case .isoDayOfWeek:
            Casting.convertAll(column, .int64, T.self) {
                Int64(CivilCalendar.floorDivide(days($0) &+ 3, 7).rest &+ 1)
            }
        default: nil
        }
    }

    /// Parts of the time of day of timestamps; nil for others.
    static func clockPart(_ part: DatePart, _ column: Column, _ shift: Int64) -> Column? {
        @inline(__always)
        func time(_ micros: Int64) -> Int {
            CivilCalendar.floorDivide(Int(micros &+ shift), 86_400_000_000).rest
        }
        switch part {
        case .hour:
            return Casting.convertAll(column, .int64, Int64.self) {
                Int64(time($0) / 3_600_000_000)
            }
        case .minute:
            return Casting.convertAll(column, .int64, Int64.self) {
                Int64(time($0) / 60_000_000 % 60)
            }
        case .second:
            return Casting.convertAll(column, .int64, Int64.self) {
                Int64(time($0) / 1_000_000 % 60)
            }
        case .millisecond:
            return Casting.convertAll(column, .int64, Int64.self) {
                Int64(time($0) / 1000 % 60_000)
            }
        case .microsecond:
            return Casting.convertAll(column, .int64, Int64.self) { Int64(time($0) % 60_000_000) }
        default: return nil
        }
    }

    /// `date_trunc` of timestamps to parts that begin with a day.
    @inline(__always)
    static func firstMicros(
        _ part: DatePart,
        _ column: Column,
        _ context: Casting.Context
    ) throws(KernelError) -> Column {
        try Casting.convert(column, context, Int64.self) { micros -> Int64? in
            Temporal.micros(days: Moment(micros: micros).firstDay(of: part), time: 0)
        }
    }
}
