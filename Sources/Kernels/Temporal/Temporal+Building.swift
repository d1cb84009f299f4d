package import Columnar

extension Temporal {
    static let day: Int64 = 86_400_000_000

    /// `make_time(hour, minute, second)`: whole hours and minutes, seconds as DOUBLE.
    package static func makeTime(
        _ hour: Column,
        _ minute: Column,
        _ second: Column
    ) throws(KernelError) -> Column {
        let seconds = try Casting.cast(second, to: .float64)
        return try Rowwise.values([hour, minute, seconds], "iid", to: .time, Int64.self) {
            (arguments, row) throws(KernelError) -> Int64? in
            let (h, m, s) = (
                arguments.int64(0, row), arguments.int64(1, row), arguments.double(2, row)
            )
            guard h >= 0, h < 24, m >= 0, m < 60, s >= 0, s < 60 else {
                throw KernelError(.outOfRange, "there is no time \(h):\(m):\(s)")
            }
            return (h * 60 + m) * 60_000_000 + Int64((s * 1e6).rounded())
        }
    }

    /// Microseconds since 1970-01-01 as a timestamp.
    package static func fromMicros(_ column: Column) throws(KernelError) -> Column {
        let wide = try Casting.cast(column, to: .int64)
        return wide.isAllNull ? .nulls(.timestamp, count: wide.count) : wide.retyped(.timestamp)
    }

    /// Days since 1970-01-01 as a date.
    package static func fromDays(_ column: Column) throws(KernelError) -> Column {
        let days = try Casting.cast(column, to: .int32)
        return days.isAllNull ? .nulls(.date, count: days.count) : days.retyped(.date)
    }

    /// Units of `microsPerUnit` microseconds (or `unitsPerMicro` of them in one) since 1970-01-01, or
    /// of a time or interval since nothing, as int64; rounded toward the past.
    package static func epoch(
        _ column: Column,
        microsPerUnit: Int64,
        unitsPerMicro: Int64 = 1
    ) throws(KernelError) -> Column {
        let micros: Column
        switch column.type {
        case .date: micros = try Casting.cast(column, to: .timestamp)
        default: micros = column
        }
        return try micros.mapped(to: .int64) { column throws(KernelError) -> Column in
            let context = Casting.Context(type: .int64, isTry: false, offsetSeconds: 0)
            func unit(_ value: Int64) -> Int64? {
                if unitsPerMicro > 1 {
                    let (product, overflow) = value.multipliedReportingOverflow(by: unitsPerMicro)
                    return overflow ? nil : product
                }
                return Int64(CivilCalendar.floorDivide(Int(value), Int(microsPerUnit)).quotient)
            }
            switch column.type {
            case .timestamp, .timestamptz, .time:
                return try Casting.convert(column, context, Int64.self, .overflow) { unit($0) }
            case .interval:
                return try Casting.convert(column, context, Int128.self, .overflow) {
                    bits -> Int64? in
                    let interval = Interval(bits: bits)
                    let days = Int128(interval.months) * 30 + Int128(interval.days)
                    let sum = days * Int128(day) + Int128(interval.micros)
                    return Int64(exactly: sum).flatMap { unit($0) }
                }
            default: throw KernelError(.unsupported, "no epoch of \(column.type)")
            }
        }
    }

    /// The date and the time together, as a timestamp.
    package static func combine(date: Column, time: Column) throws(KernelError) -> Column {
        let midnight = try Casting.cast(date, to: .timestamp)
        return try Rowwise.values([midnight, time], "ii", to: .timestamp, Int64.self) {
            (arguments, row) throws(KernelError) -> Int64? in
            let (sum, overflow) = arguments.int64(0, row).addingReportingOverflow(
                arguments.int64(1, row)
            )
            if overflow { throw KernelError(.overflow, "a date and time do not fit TIMESTAMP") }
            return sum
        }
    }

    /// The day and the part of it that has passed since noon of the day of the Julian calendar's
    /// beginning, as DuckDB counts them (from midnight), as DOUBLE.
    package static func julian(_ column: Column) throws(KernelError) -> Column {
        let micros = try Casting.cast(column, to: .timestamp)
        return micros.mapped(to: .float64) { column in
            Casting.convertAll(column, .float64, Int64.self) { value -> Double in
                let (days, rest) = CivilCalendar.floorDivide(Int(value), Int(day))
                return Double(days + 2_440_588) + Double(rest) / Double(day)
            }
        }
    }
}
