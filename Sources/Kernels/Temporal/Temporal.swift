package import Columnar

/// Functions of dates and times on the proleptic Gregorian calendar.
///
/// `offsetSeconds` is the zone's offset from UTC in which a timestamptz is looked at; other types
/// ignore it.
package enum Temporal {
    /// `extract(part FROM column)`: int64, DOUBLE for the epoch.
    ///
    /// Seconds are whole; milliseconds and microseconds include them. Of a time only parts of a day,
    /// of an interval its own fields.
    package static func extract(
        _ part: DatePart,
        from column: Column,
        offsetSeconds: Int = 0
    ) throws(KernelError) -> Column {
        let shift = column.type == .timestamptz ? Int64(offsetSeconds) * 1_000_000 : 0
        let type: DataType = part == .epoch ? .float64 : .int64
        return try column.mapped(to: type) { column throws(KernelError) -> Column in
            if part == .epoch { return try epoch(column) }
            switch column.type {
            case .date:
                return dayPart(part, column, Int32.self) { Int($0) }
                    ?? Casting.convertAll(column, .int64, Int32.self) { days -> Int64 in
                        Moment(days: Int(days)).part(part)
                    }
            case .timestamp, .timestamptz:
                return clockPart(part, column, shift)
                    ?? dayPart(part, column, Int64.self) {
                        CivilCalendar.floorDivide(Int($0 &+ shift), 86_400_000_000).quotient
                    }
                    ?? Casting.convertAll(column, .int64, Int64.self) { micros -> Int64 in
                        Moment(micros: micros &+ shift).part(part)
                    }
            case .time:
                switch part {
                case .hour, .minute, .second, .millisecond, .microsecond:
                    return Casting.convertAll(column, .int64, Int64.self) { micros -> Int64 in
                        Moment(days: 0, time: Int(micros)).part(part)
                    }
                default: break
                }
            case .interval:
                return try intervalPart(part, column)
            default: break
            }
            throw KernelError(.unsupported, "no \(part) of \(column.type)")
        }
    }

    private static func epoch(_ column: Column) throws(KernelError) -> Column {
        switch column.type {
        case .date:
            return Casting.convertAll(column, .float64, Int32.self) { Double($0) * 86_400 }
        case .timestamp, .timestamptz, .time:
            return Casting.convertAll(column, .float64, Int64.self) { Double($0) / 1e6 }
        case .interval:
            return Casting.convertAll(column, .float64, Int128.self) { bits -> Double in
                let interval = Interval(bits: bits)
                // A year counts 365.25 days, a month on its own 30, as in PostgreSQL.
                let years = Double(interval.months / 12) * 365.25
                let days = years + Double(interval.months % 12) * 30 + Double(interval.days)
                return days * 86_400 + Double(interval.micros) / 1e6
            }
        default:
            throw KernelError(.unsupported, "no epoch of \(column.type)")
        }
    }

    private static func intervalPart(
        _ part: DatePart,
        _ column: Column
    ) throws(KernelError) -> Column {
        switch part {
        case .week, .dayOfWeek, .isoDayOfWeek, .dayOfYear, .isoYear, .epoch:
            throw KernelError(.unsupported, "no \(part) of INTERVAL")
        default: break
        }
        return Casting.convertAll(column, .int64, Int128.self) { bits -> Int64 in
            let interval = Interval(bits: bits)
            let months = Int64(interval.months)
            switch part {
            case .millennium: return months / 12_000
            case .century: return months / 1200
            case .decade: return months / 120
            case .year: return months / 12
            case .quarter: return months % 12 / 3 + 1
            case .month: return months % 12
            case .day: return Int64(interval.days)
            case .hour: return interval.micros / 3_600_000_000
            case .minute: return interval.micros / 60_000_000 % 60
            case .second: return interval.micros / 1_000_000 % 60
            case .millisecond: return interval.micros / 1000 % 60_000
            default: return interval.micros % 60_000_000
            }
        }
    }

    /// `date_trunc`: the beginning of the part's span, of the column's type (date, timestamp,
    /// timestamptz).
    package static func truncate(
        _ column: Column,
        to part: DatePart,
        offsetSeconds: Int = 0
    ) throws(KernelError) -> Column {
        let unit: Int
        switch part {
        case .dayOfWeek, .isoDayOfWeek, .dayOfYear, .epoch:
            throw KernelError(.unsupported, "cannot truncate to \(part)")
        case .hour: unit = 3_600_000_000
        case .minute: unit = 60_000_000
        case .second: unit = 1_000_000
        case .millisecond: unit = 1000
        case .microsecond: unit = 1
        default: unit = 0
        }
        let shift = column.type == .timestamptz ? Int64(offsetSeconds) * 1_000_000 : 0
        return try column.mapped(to: column.type) { column throws(KernelError) -> Column in
            let context = Casting.Context(type: column.type, isTry: false, offsetSeconds: 0)
            switch column.type {
            case .date:
                return try Casting.convert(column, context, Int32.self) { days -> Int32? in
                    Int32(exactly: Moment(days: Int(days)).firstDay(of: part))
                }
            case .timestamp where part == .month:
                return try firstMicros(.month, column, context)
            case .timestamp where part == .year:
                return try firstMicros(.year, column, context)
            case .timestamp where part == .quarter:
                return try firstMicros(.quarter, column, context)
            case .timestamp where part == .day: return try firstMicros(.day, column, context)
            case .timestamp, .timestamptz:
                return try Casting.convert(column, context, Int64.self) { micros -> Int64? in
                    let (local, overflow) = micros.addingReportingOverflow(shift)
                    if overflow { return nil }
                    if unit > 0 {
                        let rest = CivilCalendar.floorDivide(Int(local), unit).rest
                        let (start, overflow) = local.subtractingReportingOverflow(Int64(rest))
                        return overflow ? nil : start &- shift
                    }
                    let days = Moment(micros: local).firstDay(of: part)
                    return Temporal.micros(days: days, time: 0).flatMap {
                        let (result, overflow) = $0.subtractingReportingOverflow(shift)
                        return overflow ? nil : result
                    }
                }
            default:
                throw KernelError(.unsupported, "cannot truncate \(column.type)")
            }
        }
    }

    /// Microseconds since 1970-01-01; nil if they do not fit.
    static func micros(days: Int, time: Int) -> Int64? {
        let (product, a) = days.multipliedReportingOverflow(by: 86_400_000_000)
        let (sum, b) = product.addingReportingOverflow(time)
        return a || b ? nil : Int64(sum)
    }

    /// `date_diff(part, from, to)`.
    ///
    /// How many beginnings of the part lie between; negative when `to` is earlier. Both columns are
    /// of one type: date, timestamp or timestamptz.
    package static func difference(
        _ part: DatePart,
        from start: Column,
        to end: Column,
        offsetSeconds: Int = 0
    ) throws(KernelError) -> Column {
        guard start.type == end.type || start.isAllNull || end.isAllNull else {
            throw KernelError(.unsupported, "date_diff of \(start.type) and \(end.type)")
        }
        let isDate = start.type == .date
        guard
            isDate || start.type == .timestamp || start.type == .timestamptz
                || start.isAllNull
        else { throw KernelError(.unsupported, "date_diff of \(start.type)") }
        let shift = start.type == .timestamptz ? Int64(offsetSeconds) * 1_000_000 : 0
        return try Rowwise.apply([start, end], to: .int64) { operands, count, validity in
            let buffer = Buffer(zeroedByteCount: count * 8)
            let target = buffer.mutable(as: Int64.self)
            let masks = (operands[0].mask, operands[1].mask)
            func fill<T: FixedWidthInteger & BitwiseCopyable>(
                _: T.Type,
                _ moment: (T) -> Moment
            ) {
                let (x, y) = (operands[0].pointer(T.self), operands[1].pointer(T.self))
                forEachValid(validity, count) { row in
                    let from = ordinal(part, moment(x[row & masks.0]))
                    target[row] = ordinal(part, moment(y[row & masks.1])) &- from
                }
            }
            if isDate {
                fill(Int32.self) { Moment(days: Int($0)) }
            } else {
                fill(Int64.self) { Moment(micros: $0 &+ shift) }
            }
            return withExtendedLifetime(operands) {
                Column(.int64, count: count, validity: validity, buffer: buffer)
            }
        }
    }

    /// Counts the spans of a part from some beginning.
    private static func ordinal(_ part: DatePart, _ moment: Moment) -> Int64 {
        let days = Int64(moment.days)
        let time = Int64(moment.time)
        return switch part {
        case .millennium: Int64(CivilCalendar.floorDivide(moment.year - 1, 1000).quotient)
        case .century: Int64(CivilCalendar.floorDivide(moment.year - 1, 100).quotient)
        case .decade: Int64(CivilCalendar.floorDivide(moment.year, 10).quotient)
        case .year: Int64(moment.year)
        case .isoYear: Int64(moment.isoWeek.year)
        case .quarter: Int64(moment.year) * 4 + Int64((moment.month - 1) / 3)
        case .month: Int64(moment.year) * 12 + Int64(moment.month - 1)
        case .week: Int64(CivilCalendar.floorDivide(moment.days + 3, 7).quotient)
        case .day, .dayOfWeek, .isoDayOfWeek, .dayOfYear: days
        case .hour: days * 24 + time / 3_600_000_000
        case .minute: days * 1440 + time / 60_000_000
        case .second, .epoch: days * 86_400 + time / 1_000_000
        case .millisecond: days * 86_400_000 + time / 1000
        case .microsecond: days &* 86_400_000_000 &+ time
        }
    }

    // MARK: Building

    /// `make_date(year, month, day)` from integers.
    package static func makeDate(
        _ year: Column,
        _ month: Column,
        _ day: Column
    ) throws(KernelError) -> Column {
        let columns = try StringFunctions.wholeNumbers([year, month, day])
        return try Rowwise.apply(columns, to: .date) {
            (operands, count, validity) throws(KernelError) -> Column in
            let arguments = try Arguments(operands, "iii")
            let buffer = Buffer(zeroedByteCount: count * 4)
            let target = buffer.mutable(as: Int32.self)
            try forEachValid(validity, count) { (row) throws(KernelError) in
                target[row] = try date(
                    arguments.int64(0, row),
                    arguments.int64(1, row),
                    arguments.int64(2, row)
                )
            }
            return withExtendedLifetime(operands) {
                Column(.date, count: count, validity: validity, buffer: buffer)
            }
        }
    }

    private static func date(
        _ year: Int64,
        _ month: Int64,
        _ day: Int64
    ) throws(KernelError) -> Int32 {
        if year > -6_000_000, year < 6_000_000, month >= 1, month <= 12, day >= 1,
            day <= CivilCalendar.daysInMonth(year: Int(year), month: Int(month)),
            let days = Int32(
                exactly: CivilCalendar.days(year: Int(year), month: Int(month), day: Int(day))
            )
        {
            return days
        }
        throw KernelError(.outOfRange, "there is no date \(year)-\(month)-\(day)")
    }

    /// `make_timestamp(year, month, day, hour, minute, second)`: integers, and seconds as DOUBLE.
    package static func makeTimestamp(
        date parts: (year: Column, month: Column, day: Column),
        time: (hour: Column, minute: Column, second: Column)
    ) throws(KernelError) -> Column {
        let day = try makeDate(parts.year, parts.month, parts.day)
        let clock = try StringFunctions.wholeNumbers([time.hour, time.minute])
        let seconds = try Casting.cast(time.second, to: .float64)
        let count = day.count
        let midnight = try Casting.cast(day, to: .timestamp)
        if midnight.isAllNull || clock[0].isAllNull || clock[1].isAllNull || seconds.isAllNull {
            return .nulls(.timestamp, count: count)
        }
        let operands = [midnight, clock[0], clock[1], seconds].map { Operand($0) }
        var validity: Bitmap?
        for operand in operands { validity = Bitmap.and(validity, operand.validity) }
        let buffer = Buffer(zeroedByteCount: count * 8)
        let target = buffer.mutable(as: Int64.self)
        let (base, hours) = (operands[0].pointer(Int64.self), operands[1].pointer(Int64.self))
        let (minutes, second) = (operands[2].pointer(Int64.self), operands[3].pointer(Double.self))
        let masks = operands.map(\.mask)
        let (m0, m1, m2, m3) = (masks[0], masks[1], masks[2], masks[3])
        try forEachValid(validity, count) { (row) throws(KernelError) in
            let (h, m, s) = (hours[row & m1], minutes[row & m2], second[row & m3])
            guard h >= 0, h < 24, m >= 0, m < 60, s >= 0, s < 60 else {
                throw KernelError(.outOfRange, "there is no time \(h):\(m):\(s)")
            }
            let micros = (h * 60 + m) * 60_000_000 + Int64((s * 1e6).rounded())
            target[row] = base[row & m0] &+ micros
        }
        return withExtendedLifetime(operands) {
            Column(.timestamp, count: count, validity: validity, buffer: buffer)
        }
    }

    /// `to_timestamp(seconds)`: seconds since 1970-01-01 UTC, any number, as timestamptz.
    package static func fromEpoch(_ column: Column) throws(KernelError) -> Column {
        if column.type.isInteger {
            let wide = try Casting.cast(column, to: .int64)
            return try wide.mapped(to: .timestamptz) { wide throws(KernelError) -> Column in
                let context = Casting.Context(type: .timestamptz, isTry: false, offsetSeconds: 0)
                return try Casting.convert(wide, context, Int64.self) { seconds -> Int64? in
                    let (micros, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
                    return overflow ? nil : micros
                }
            }
        }
        let seconds = try Casting.cast(column, to: .float64)
        return try seconds.mapped(to: .timestamptz) { seconds throws(KernelError) -> Column in
            let context = Casting.Context(type: .timestamptz, isTry: false, offsetSeconds: 0)
            return try Casting.convert(seconds, context, Double.self) {
                Int64(exactly: ($0 * 1e6).rounded())
            }
        }
    }

    /// The last day of the month, as a date.
    package static func lastDay(
        _ column: Column,
        offsetSeconds: Int = 0
    ) throws(KernelError) -> Column {
        let dates = try Casting.cast(column, to: .date, offsetSeconds: offsetSeconds)
        return try dates.mapped(to: .date) { dates throws(KernelError) -> Column in
            let context = Casting.Context(type: .date, isTry: false, offsetSeconds: 0)
            return try Casting.convert(dates, context, Int32.self) { days -> Int32? in
                let (year, month, day) = CivilCalendar.civil(Int(days))
                let last = CivilCalendar.daysInMonth(year: year, month: month)
                return Int32(exactly: Int(days) + last - day)
            }
        }
    }

    /// The English name of the day of the week.
    package static func dayName(
        _ column: Column,
        offsetSeconds: Int = 0
    ) throws(KernelError) -> Column {
        let index = try extract(.isoDayOfWeek, from: column, offsetSeconds: offsetSeconds)
        return named(index, dayNames)
    }

    /// The English name of the month.
    package static func monthName(
        _ column: Column,
        offsetSeconds: Int = 0
    ) throws(KernelError) -> Column {
        let index = try extract(.month, from: column, offsetSeconds: offsetSeconds)
        return named(index, monthNames)
    }

    static let dayNames = [
        "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
    ]
    static let monthNames = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September",
        "October", "November", "December",
    ]

    /// Numbers from 1 as codes into the names.
    private static func named(_ index: Column, _ names: [String]) -> Column {
        if index.isAllNull { return .nulls(.string, count: index.count) }
        let flat = index.flattened()
        let dictionary = ColumnDictionary(Column(.string, names.map { .string($0) }))
        let source = Operand(flat).pointer(Int64.self)
        let codes = Buffer(zeroedByteCount: index.count * 4)
        let target = codes.mutable(as: UInt32.self)
        forEachValid(flat.validity, index.count) {
            target[$0] = UInt32(truncatingIfNeeded: source[$0] - 1)
        }
        return withExtendedLifetime(flat) {
            Column(
                type: .string,
                count: index.count,
                validity: flat.validity,
                storage: .dictionary(codes: BufferSlice(codes), dictionary)
            )
        }
    }
}
