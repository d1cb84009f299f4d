package import Columnar

extension Temporal {
    /// `column ± interval`: dates give timestamps, other types stay.
    ///
    /// Months are added first, and a day that the new month does not have becomes its last; then
    /// days; then microseconds. A time wraps around midnight.
    package static func add(
        _ column: Column,
        _ interval: Column,
        isSubtraction: Bool = false,
        offsetSeconds: Int = 0
    ) throws(KernelError) -> Column {
        if column.type == .date {
            let wide = try Casting.cast(column, to: .timestamp)
            return try add(wide, interval, isSubtraction: isSubtraction)
        }
        let type = column.type
        guard type == .timestamp || type == .timestamptz || type == .time || column.isAllNull,
            interval.type == .interval || interval.isAllNull
        else { throw KernelError(.unsupported, "\(column.type) + \(interval.type)") }
        let shift = type == .timestamptz ? Int64(offsetSeconds) * 1_000_000 : 0
        return try Rowwise.apply([column, interval], to: type) {
            (operands, count, validity) throws(KernelError) -> Column in
            let (x, y) = (operands[0].pointer(Int64.self), operands[1].pointer(Int128.self))
            let masks = (operands[0].mask, operands[1].mask)
            let buffer = Buffer(zeroedByteCount: count * 8)
            let target = buffer.mutable(as: Int64.self)
            try forEachValid(validity, count) { (row) throws(KernelError) in
                let interval = Interval(bits: y[row & masks.1])
                let start = x[row & masks.0]
                if type == .time {
                    let day = 86_400_000_000
                    let part = Int(interval.micros % Int64(day)) * (isSubtraction ? -1 : 1)
                    target[row] = Int64(CivilCalendar.floorDivide(Int(start) &+ part, day).rest)
                    return
                }
                guard let sum = sum(start, interval, isSubtraction, shift) else {
                    var text: [UInt8] = []
                    TextFormat.appendTimestamp(start, to: &text)
                    text.append(contentsOf: (isSubtraction ? " - " : " + ").utf8)
                    TextFormat.append(interval, to: &text)
                    let message = String(decoding: text, as: UTF8.self)
                    throw KernelError(.overflow, "\(message) does not fit \(type)")
                }
                target[row] = sum
            }
            return withExtendedLifetime(operands) {
                Column(type, count: count, validity: validity, buffer: buffer)
            }
        }
    }

    static func sum(
        _ start: Int64,
        _ interval: Interval,
        _ isSubtraction: Bool,
        _ shift: Int64
    ) -> Int64? {
        let sign = isSubtraction ? -1 : 1
        let (local, overflow) = start.addingReportingOverflow(shift)
        if overflow { return nil }
        let (start, time) = CivilCalendar.floorDivide(Int(local), 86_400_000_000)
        var days = start
        if interval.months != 0 { days = addMonths(days, sign * Int(interval.months)) }
        days += sign * Int(interval.days)
        guard let whole = micros(days: days, time: time) else { return nil }
        let (result, carry) =
            isSubtraction
            ? whole.subtractingReportingOverflow(interval.micros)
            : whole.addingReportingOverflow(interval.micros)
        let (final, last) = result.subtractingReportingOverflow(shift)
        return carry || last ? nil : final
    }

    /// The same day of another month, or that month's last day.
    static func addMonths(_ days: Int, _ months: Int) -> Int {
        let (year, month, day) = CivilCalendar.civil(days)
        let (years, rest) = CivilCalendar.floorDivide(year * 12 + month - 1 + months, 12)
        let last = CivilCalendar.daysInMonth(year: years, month: rest + 1)
        return CivilCalendar.days(year: years, month: rest + 1, day: min(day, last))
    }

    /// `date ± days`: a date.
    package static func addDays(
        _ column: Column,
        _ days: Column,
        isSubtraction: Bool = false
    ) throws(KernelError) -> Column {
        let number = column.isAllNull ? column : column.retyped(.int32)
        let wide = try Casting.cast(number, to: .int64)
        let sum = try Arithmetic.apply(
            isSubtraction ? .subtract : .add,
            wide,
            try Casting.cast(days, to: .int64),
            to: .int64
        )
        let narrow = try Casting.cast(sum, to: .int32)
        return narrow.isAllNull ? .nulls(.date, count: column.count) : narrow.retyped(.date)
    }

    /// `a - b` of two dates: days, as int64; of two timestamps or instants: an interval of days and
    /// microseconds; of two times: an interval.
    package static func subtract(_ a: Column, _ b: Column) throws(KernelError) -> Column {
        guard a.type == b.type || a.isAllNull || b.isAllNull, a.type.isTemporal || a.isAllNull
        else { throw KernelError(.unsupported, "\(a.type) - \(b.type)") }
        if a.type == .date {
            let left = try Casting.cast(a.isAllNull ? a : a.retyped(.int32), to: .int64)
            let right = try Casting.cast(b.isAllNull ? b : b.retyped(.int32), to: .int64)
            return try Arithmetic.apply(.subtract, left, right, to: .int64)
        }
        return try Rowwise.apply([a, b], to: .interval) {
            (operands, count, validity) throws(KernelError) -> Column in
            let (x, y) = (operands[0].pointer(Int64.self), operands[1].pointer(Int64.self))
            let masks = (operands[0].mask, operands[1].mask)
            let buffer = Buffer(zeroedByteCount: count * 16)
            let target = buffer.mutable(as: Int128.self)
            try forEachValid(validity, count) { (row) throws(KernelError) in
                let (left, right) = (x[row & masks.0], y[row & masks.1])
                let (micros, overflow) = left.subtractingReportingOverflow(right)
                if overflow {
                    throw KernelError(
                        .overflow,
                        "timestamps \(left) and \(right) are too far apart"
                    )
                }
                let day: Int64 = 86_400_000_000
                // At most 2^63 microseconds are 107 million days.
                target[row] =
                    Interval(
                        days: Int32(truncatingIfNeeded: micros / day),
                        micros: micros % day
                    ).bits
            }
            return withExtendedLifetime(operands) {
                Column(.interval, count: count, validity: validity, buffer: buffer)
            }
        }
    }

    /// `a ± b` of two intervals, field by field.
    package static func combine(
        _ a: Column,
        _ b: Column,
        isSubtraction: Bool = false
    ) throws(KernelError) -> Column {
        try Rowwise.apply([a, b], to: .interval) {
            (operands, count, validity) throws(KernelError) -> Column in
            let (x, y) = (operands[0].pointer(Int128.self), operands[1].pointer(Int128.self))
            let masks = (operands[0].mask, operands[1].mask)
            let buffer = Buffer(zeroedByteCount: count * 16)
            let target = buffer.mutable(as: Int128.self)
            let sign = isSubtraction ? -1 : 1
            try forEachValid(validity, count) { (row) throws(KernelError) in
                let left = Interval(bits: x[row & masks.0])
                let right = Interval(bits: y[row & masks.1])
                let (micros, overflow) =
                    isSubtraction
                    ? left.micros.subtractingReportingOverflow(right.micros)
                    : left.micros.addingReportingOverflow(right.micros)
                guard
                    let months = Int32(exactly: Int(left.months) + sign * Int(right.months)),
                    let days = Int32(exactly: Int(left.days) + sign * Int(right.days)),
                    !overflow
                else { throw KernelError(.overflow, "a sum of intervals does not fit") }
                target[row] = Interval(months: months, days: days, micros: micros).bits
            }
            return withExtendedLifetime(operands) {
                Column(.interval, count: count, validity: validity, buffer: buffer)
            }
        }
    }

    /// Field by field, exactly.
    private static func product(
        _ interval: Interval,
        _ factor: Int64
    ) throws(KernelError) -> Interval {
        let (months, a) = Int64(interval.months).multipliedReportingOverflow(by: factor)
        let (days, b) = Int64(interval.days).multipliedReportingOverflow(by: factor)
        let (micros, c) = interval.micros.multipliedReportingOverflow(by: factor)
        guard !a, !b, !c, let m = Int32(exactly: months), let d = Int32(exactly: days) else {
            throw KernelError(.overflow, "an interval times \(factor) does not fit")
        }
        return Interval(months: m, days: d, micros: micros)
    }

    /// `interval * factor` or `interval / factor`, the factor being any number.
    ///
    /// Fractions of months go on as days (30 to the month), fractions of days as microseconds.
    package static func multiply(
        _ interval: Column,
        by factor: Column,
        isDivision: Bool = false
    ) throws(KernelError) -> Column {
        let factor = try Casting.cast(factor, to: .float64)
        return try Rowwise.apply([interval, factor], to: .interval) {
            (operands, count, validity) throws(KernelError) -> Column in
            let (x, y) = (operands[0].pointer(Int128.self), operands[1].pointer(Double.self))
            let masks = (operands[0].mask, operands[1].mask)
            let buffer = Buffer(zeroedByteCount: count * 16)
            let target = buffer.mutable(as: Int128.self)
            try forEachValid(validity, count) { (row) throws(KernelError) in
                let interval = Interval(bits: x[row & masks.0])
                let given = y[row & masks.1]
                if isDivision, given == 0 {
                    throw KernelError(.divisionByZero, "division of an interval by zero")
                }
                let factor = isDivision ? 1 / given : given
                if !isDivision, let whole = Int64(exactly: given) {
                    target[row] = try product(interval, whole).bits
                    return
                }
                let months = Double(interval.months) * factor
                let wholeMonths = months.rounded(.towardZero)
                let days = Double(interval.days) * factor + (months - wholeMonths) * 30
                let wholeDays = days.rounded(.towardZero)
                let micros =
                    Double(interval.micros) * factor + (days - wholeDays) * 86_400_000_000
                guard let m = Int32(exactly: wholeMonths), let d = Int32(exactly: wholeDays),
                    let u = Int64(exactly: micros.rounded())
                else {
                    throw KernelError(.overflow, "an interval times \(factor) does not fit")
                }
                target[row] = Interval(months: m, days: d, micros: u).bits
            }
            return withExtendedLifetime(operands) {
                Column(.interval, count: count, validity: validity, buffer: buffer)
            }
        }
    }
}
