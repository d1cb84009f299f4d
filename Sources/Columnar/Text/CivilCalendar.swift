/// The proleptic Gregorian calendar over day numbers that count from 1970-01-01.
///
/// The year 0 is 1 BC, as ISO 8601 has it.
@usableFromInline
package enum CivilCalendar {
    /// The day number of a date whose month is 1 to 12; a day outside the month runs over.
    @inlinable
    package static func days(year: Int, month: Int, day: Int) -> Int {
        // Years begin in March, so that the leap day is the last; eras of 400 years repeat.
        let y = month <= 2 ? year &- 1 : year
        let era = (y >= 0 ? y : y &- 399) / 400
        let yearOfEra = y &- era &* 400
        let dayOfYear = (153 &* (month > 2 ? month &- 3 : month &+ 9) &+ 2) / 5 &+ day &- 1
        let dayOfEra = yearOfEra &* 365 &+ yearOfEra / 4 &- yearOfEra / 100 &+ dayOfYear
        return era &* 146_097 &+ dayOfEra &- 719_468
    }

    /// Year, month (1 to 12) and day (1 to 31) of a day number.
    @inlinable
    package static func civil(_ days: Int) -> (year: Int, month: Int, day: Int) {
        let z = days &+ 719_468
        let era = (z >= 0 ? z : z &- 146_096) / 146_097
        let d = z &- era &* 146_097
        let yearOfEra = (d &- d / 1460 &+ d / 36_524 &- d / 146_096) / 365
        let dayOfYear = d &- (365 &* yearOfEra &+ yearOfEra / 4 &- yearOfEra / 100)
        let m = (5 &* dayOfYear &+ 2) / 153
        let month = m < 10 ? m &+ 3 : m &- 9
        let year = yearOfEra &+ era &* 400 &+ (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear &- (153 &* m &+ 2) / 5 &+ 1)
    }

    /// Whether the year has a 29th of February.
    @inlinable
    package static func isLeap(_ year: Int) -> Bool {
        year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    }

    /// Days of a month (1 to 12).
    @inlinable
    package static func daysInMonth(year: Int, month: Int) -> Int {
        month == 2 ? (isLeap(year) ? 29 : 28) : (30 &+ ((month &+ (month >> 3)) & 1))
    }

    /// The quotient rounded down, and the remainder, which is never negative.
    @inlinable
    package static func floorDivide(_ value: Int, _ divisor: Int) -> (quotient: Int, rest: Int) {
        let quotient = value / divisor
        let rest = value % divisor
        return rest < 0 ? (quotient &- 1, rest &+ divisor) : (quotient, rest)
    }

    /// Microseconds of a day.
    package static let microsPerDay = 86_400_000_000
}
