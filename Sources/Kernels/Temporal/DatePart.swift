import Columnar

/// What `extract`, `date_trunc` and `date_diff` can ask for.
package enum DatePart: Sendable, Hashable, CaseIterable {
    case millennium, century, decade, year, quarter, month, week, day
    case hour, minute, second, millisecond, microsecond
    /// 0 (Sunday) to 6.
    case dayOfWeek
    /// 1 (Monday) to 7.
    case isoDayOfWeek
    case dayOfYear
    /// The year that the ISO week belongs to.
    case isoYear
    /// Seconds since 1970-01-01, with a fraction.
    case epoch

    /// By its name in SQL, in any case, singular or plural.
    package init?(_ name: String) {
        switch name.lowercased() {
        case "millennium", "millennia", "mil": self = .millennium
        case "century", "centuries", "c": self = .century
        case "decade", "decades": self = .decade
        case "year", "years", "y", "yr": self = .year
        case "quarter", "quarters": self = .quarter
        case "month", "months", "mon": self = .month
        case "week", "weeks", "w", "weekofyear": self = .week
        case "day", "days", "d", "dayofmonth": self = .day
        case "hour", "hours", "h", "hr": self = .hour
        case "minute", "minutes", "m", "min": self = .minute
        case "second", "seconds", "s", "sec": self = .second
        case "millisecond", "milliseconds", "ms", "msec": self = .millisecond
        case "microsecond", "microseconds", "us", "usec": self = .microsecond
        case "dow", "dayofweek", "weekday": self = .dayOfWeek
        case "isodow": self = .isoDayOfWeek
        case "doy", "dayofyear": self = .dayOfYear
        case "isoyear": self = .isoYear
        case "epoch": self = .epoch
        default: return nil
        }
    }
}

/// A point of a clock without zone, taken apart.
struct Moment {
    /// Days since 1970-01-01.
    var days: Int
    /// Microseconds since midnight.
    var time: Int
    var year: Int
    var month: Int
    var day: Int

    @inline(__always)
    init(micros: Int64) {
        let (days, time) = CivilCalendar.floorDivide(Int(micros), 86_400_000_000)
        self.init(days: days, time: time)
    }

    @inline(__always)
    init(days: Int, time: Int = 0) {
        self.days = days
        self.time = time
        (year, month, day) = QuickCalendar.civil(days)
    }

    var hour: Int { time / 3_600_000_000 }
    var minute: Int { time / 60_000_000 % 60 }
    var second: Int { time / 1_000_000 % 60 }
    var micros: Int { time % 1_000_000 }
    /// 1 (Monday) to 7; 1970-01-01 was a Thursday.
    var isoDayOfWeek: Int { CivilCalendar.floorDivide(days + 3, 7).rest + 1 }
    var dayOfYear: Int { days - CivilCalendar.days(year: year, month: 1, day: 1) + 1 }

    /// The ISO week and the year it belongs to: that of its Thursday.
    var isoWeek: (year: Int, week: Int) {
        let thursday = days - (isoDayOfWeek - 1) + 3
        let year = QuickCalendar.civil(thursday).year
        let first = CivilCalendar.days(year: year, month: 1, day: 1)
        return (year, (thursday - first) / 7 + 1)
    }

    @inline(__always)
    func part(_ part: DatePart) -> Int64 {
        switch part {
        case .millennium: Int64(year > 0 ? (year - 1) / 1000 + 1 : year / 1000 - 1)
        case .century: Int64(year > 0 ? (year - 1) / 100 + 1 : year / 100 - 1)
        case .decade: Int64(CivilCalendar.floorDivide(year, 10).quotient)
        case .year: Int64(year)
        case .quarter: Int64((month - 1) / 3 + 1)
        case .month: Int64(month)
        case .week: Int64(isoWeek.week)
        case .day: Int64(day)
        case .hour: Int64(hour)
        case .minute: Int64(minute)
        case .second: Int64(second)
        case .millisecond: Int64(time / 1000 % 60_000)
        case .microsecond: Int64(time % 60_000_000)
        case .dayOfWeek: Int64(isoDayOfWeek % 7)
        case .isoDayOfWeek: Int64(isoDayOfWeek)
        case .dayOfYear: Int64(dayOfYear)
        case .isoYear: Int64(isoWeek.year)
        case .epoch: Int64(days) * 86_400 + Int64(time / 1_000_000)
        }
    }

    /// The day on which the part's span that this moment lies in begins.
    @inline(__always)
    func firstDay(of part: DatePart) -> Int {
        func yearStart(_ year: Int) -> Int { CivilCalendar.days(year: year, month: 1, day: 1) }
        switch part {
        case .millennium:
            return yearStart(CivilCalendar.floorDivide(year - 1, 1000).quotient * 1000 + 1)
        case .century:
            return yearStart(CivilCalendar.floorDivide(year - 1, 100).quotient * 100 + 1)
        case .decade: return yearStart(CivilCalendar.floorDivide(year, 10).quotient * 10)
        case .year: return yearStart(year)
        case .quarter:
            return CivilCalendar.days(year: year, month: (month - 1) / 3 * 3 + 1, day: 1)
        case .month: return days - day + 1
        case .week: return days - isoDayOfWeek + 1
        case .isoYear:
            let start = yearStart(isoWeek.year)
            // The Monday of the week that holds January 4th.
            return start + 3 - (Moment(days: start + 3).isoDayOfWeek - 1)
        default: return days
        }
    }
}
