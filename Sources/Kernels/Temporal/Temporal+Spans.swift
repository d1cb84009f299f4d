package import Columnar

/// Spans between moments, and spans that moments lie in.
extension Temporal {
    /// `age(later, earlier)` of timestamps: years, months, days and a time, as a person counts.
    package static func age(_ later: Column, _ earlier: Column) throws(KernelError) -> Column {
        try Rowwise.values([later, earlier], "ii", to: .interval, Int128.self) { arguments, row in
            age(arguments.int64(0, row), arguments.int64(1, row)).bits
        }
    }

    private static func age(_ a: Int64, _ b: Int64) -> Interval {
        if a < b {
            let turned = age(b, a)
            return Interval(months: -turned.months, days: -turned.days, micros: -turned.micros)
        }
        let (later, earlier) = (Moment(micros: a), Moment(micros: b))
        var time = later.time - earlier.time
        var days = later.day - earlier.day
        var months = (later.year - earlier.year) * 12 + later.month - earlier.month
        if time < 0 {
            time += Int(day)
            days -= 1
        }
        if days < 0 {
            // The month that was begun is as long as the one the span began in.
            days += CivilCalendar.daysInMonth(year: earlier.year, month: earlier.month)
            months -= 1
        }
        return Interval(
            months: Int32(clamping: months),
            days: Int32(clamping: days),
            micros: Int64(time)
        )
    }

    /// `date_sub(part, from, to)`: how many whole parts lie between, as int64.
    ///
    /// Both columns are timestamps (or times, for parts of a day).
    package static func wholeParts(
        _ part: DatePart,
        from start: Column,
        to end: Column
    ) throws(KernelError) -> Column {
        let unit: Int64
        var months = 0
        switch part {
        case .microsecond: unit = 1
        case .millisecond: unit = 1000
        case .second, .epoch: unit = 1_000_000
        case .minute: unit = 60_000_000
        case .hour: unit = 3_600_000_000
        case .day, .dayOfWeek, .isoDayOfWeek, .dayOfYear: unit = day
        case .week: unit = 7 * day
        case .month: (unit, months) = (0, 1)
        case .quarter: (unit, months) = (0, 3)
        case .year, .isoYear: (unit, months) = (0, 12)
        case .decade: (unit, months) = (0, 120)
        case .century: (unit, months) = (0, 1200)
        case .millennium: (unit, months) = (0, 12_000)
        }
        if start.type == .time, unit == 0 || unit >= day {
            throw KernelError(.unsupported, "a time has no \(part)")
        }
        return try Rowwise.values([start, end], "ii", to: .int64, Int64.self) {
            (arguments, row) throws(KernelError) -> Int64? in
            let (from, to) = (arguments.int64(0, row), arguments.int64(1, row))
            if months > 0 { return Int64(wholeMonths(from, to) / months) }
            let (difference, overflow) = to.subtractingReportingOverflow(from)
            if overflow { throw KernelError(.overflow, "the timestamps are too far apart") }
            return difference / unit
        }
    }

    private static func wholeMonths(_ from: Int64, _ to: Int64) -> Int {
        if from > to { return -wholeMonths(to, from) }
        let (start, end) = (Moment(micros: from), Moment(micros: to))
        var months = (end.year - start.year) * 12 + end.month - start.month
        // On the last day of its month the end stands for all days that the month does not have.
        let isLast = end.day == CivilCalendar.daysInMonth(year: end.year, month: end.month)
        let (a, b) = isLast && start.day > end.day ? (0, 0) : (start.day, end.day)
        if (b, end.time) < (a, start.time) { months -= 1 }
        return months
    }

    /// `time_bucket(width, moment, origin)` of timestamps: the beginning of the span of `width` that
    /// the moment lies in, spans being counted from `origin`.
    ///
    /// - Parameter origin: by default 2000-01-03 (a Monday) for days and times, 2000-01-01 for months.
    package static func bucket(
        _ width: Column,
        _ moment: Column,
        origin: Column?
    ) throws(KernelError) -> Column {
        let columns = [moment, width] + (origin.map { [$0] } ?? [])
        return try Rowwise.apply(columns, to: .timestamp) {
            (operands, count, validity) throws(KernelError) -> Column in
            let (x, y) = (operands[0].pointer(Int64.self), operands[1].pointer(Int128.self))
            let origins = operands.count > 2 ? operands[2].pointer(Int64.self) : nil
            let masks = operands.map(\.mask)
            let (m0, m1, m2) = (masks[0], masks[1], masks.count > 2 ? masks[2] : 0)
            let buffer = Buffer(zeroedByteCount: count * 8)
            let target = buffer.mutable(as: Int64.self)
            try forEachValid(validity, count) { (row) throws(KernelError) in
                target[row] = try bucket(
                    Interval(bits: y[row & m1]),
                    x[row & m0],
                    origins.map { $0[row & m2] }
                )
            }
            return withExtendedLifetime(operands) {
                Column(.timestamp, count: count, validity: validity, buffer: buffer)
            }
        }
    }

    private static func bucket(
        _ width: Interval,
        _ moment: Int64,
        _ origin: Int64?
    ) throws(KernelError) -> Int64 {
        if width.months != 0 {
            guard width.days == 0, width.micros == 0, width.months > 0 else {
                throw KernelError(
                    .outOfRange,
                    "the width of time_bucket is of months alone or of days and times, and positive"
                )
            }
            // Months since 2000-01, or since the month of the origin.
            let base = Moment(micros: origin ?? 946_684_800_000_000)
            let at = Moment(micros: moment)
            let difference = (at.year - base.year) * 12 + at.month - base.month
            let whole =
                CivilCalendar.floorDivide(difference, Int(width.months)).quotient
                * Int(width.months)
            let (years, month) = CivilCalendar.floorDivide(
                base.year * 12 + base.month - 1 + whole,
                12
            )
            let days = CivilCalendar.days(year: years, month: month + 1, day: 1)
            guard let result = micros(days: days, time: 0) else {
                throw KernelError(.overflow, "the bucket does not fit TIMESTAMP")
            }
            return result
        }
        let (days, a) = Int64(width.days).multipliedReportingOverflow(by: day)
        let (size, b) = days.addingReportingOverflow(width.micros)
        guard !a, !b, size > 0 else {
            throw KernelError(.outOfRange, "the width of time_bucket is positive")
        }
        let base = origin ?? 946_857_600_000_000
        let (distance, c) = moment.subtractingReportingOverflow(base)
        let rest = CivilCalendar.floorDivide(Int(distance), Int(size)).rest
        let (result, d) = moment.subtractingReportingOverflow(Int64(rest))
        guard !c, !d else { throw KernelError(.overflow, "the bucket does not fit TIMESTAMP") }
        return result
    }

    // MARK: Intervals

    /// Which parts of an interval are carried into the next larger one.
    package enum Carry: Sendable {
        /// 24 hours into a day.
        case hours
        /// 30 days into a month.
        case days
        /// Both, with signs made the same.
        case all
    }

    /// `justify_hours`, `justify_days` and `justify_interval`.
    package static func justified(_ column: Column, _ carry: Carry) throws(KernelError) -> Column {
        try Rowwise.apply([column], to: .interval) {
            (operands, count, validity) throws(KernelError) -> Column in
            let (source, mask) = (operands[0].pointer(Int128.self), operands[0].mask)
            let buffer = Buffer(zeroedByteCount: count * 16)
            let target = buffer.mutable(as: Int128.self)
            try forEachValid(validity, count) { (row) throws(KernelError) in
                let interval = Interval(bits: source[row & mask])
                var months = Int128(interval.months)
                var days = Int128(interval.days)
                var micros = Int128(interval.micros)
                if carry != .days {
                    days += micros / Int128(day)
                    micros %= Int128(day)
                }
                if carry != .hours {
                    months += days / 30
                    days %= 30
                }
                if carry == .all {
                    if days > 0 && micros < 0 { (days, micros) = (days - 1, micros + Int128(day)) }
                    if days < 0 && micros > 0 { (days, micros) = (days + 1, micros - Int128(day)) }
                    let isPositive = days > 0 || (days == 0 && micros > 0)
                    let isNegative = days < 0 || (days == 0 && micros < 0)
                    if months > 0, isNegative { (months, days) = (months - 1, days + 30) }
                    if months < 0, isPositive { (months, days) = (months + 1, days - 30) }
                    if days > 0 && micros < 0 { (days, micros) = (days - 1, micros + Int128(day)) }
                    if days < 0 && micros > 0 { (days, micros) = (days + 1, micros - Int128(day)) }
                } else if carry == .hours {
                    if days > 0 && micros < 0 { (days, micros) = (days - 1, micros + Int128(day)) }
                    if days < 0 && micros > 0 { (days, micros) = (days + 1, micros - Int128(day)) }
                } else {
                    if months > 0 && days < 0 { (months, days) = (months - 1, days + 30) }
                    if months < 0 && days > 0 { (months, days) = (months + 1, days - 30) }
                }
                guard let m = Int32(exactly: months), let d = Int32(exactly: days) else {
                    throw KernelError(.overflow, "the interval does not fit")
                }
                target[row] =
                    Interval(months: m, days: d, micros: Int64(truncatingIfNeeded: micros)).bits
            }
            return withExtendedLifetime(operands) {
                Column(.interval, count: count, validity: validity, buffer: buffer)
            }
        }
    }

    /// `date_trunc` of an interval: without what is smaller than the part.
    package static func truncateInterval(
        _ column: Column,
        to part: DatePart
    ) throws(KernelError) -> Column {
        let months: Int32
        var unit: Int64 = 0
        switch part {
        case .millennium: months = 12_000
        case .century: months = 1200
        case .decade: months = 120
        case .year, .isoYear: months = 12
        case .quarter: months = 3
        case .month, .week, .day: months = 1
        case .hour: (months, unit) = (1, 3_600_000_000)
        case .minute: (months, unit) = (1, 60_000_000)
        case .second: (months, unit) = (1, 1_000_000)
        case .millisecond: (months, unit) = (1, 1000)
        case .microsecond: (months, unit) = (1, 1)
        default: throw KernelError(.unsupported, "cannot truncate an interval to \(part)")
        }
        return column.mapped(to: .interval) { column in
            Casting.convertAll(column, .interval, Int128.self) { bits -> Int128 in
                let interval = Interval(bits: bits)
                let keepsDays = unit > 0 || part == .day
                let days =
                    part == .week ? interval.days / 7 * 7 : (keepsDays ? interval.days : 0)
                return Interval(
                    months: interval.months / months * months,
                    days: days,
                    micros: unit > 0 ? interval.micros / unit * unit : 0
                ).bits
            }
        }
    }
}
