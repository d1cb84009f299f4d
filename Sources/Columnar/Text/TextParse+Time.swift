extension TextParse {
    /// A cursor over the characters of a date or time.
    struct Cursor {
        let text: Bytes
        var index = 0

        init(_ text: Bytes) { self.text = text }

        var isAtEnd: Bool { index >= text.count }
        var next: UInt8? { index < text.count ? text[index] : nil }

        mutating func skip(_ byte: UInt8) -> Bool {
            guard next == byte else { return false }
            index += 1
            return true
        }

        mutating func skipBlanks() {
            while next == TextFormat.blank { index += 1 }
        }

        /// A number of `least` to `most` digits.
        mutating func number(_ least: Int, _ most: Int) -> Int? {
            var value = 0
            var count = 0
            while count < most, let byte = next, byte &- 48 <= 9 {
                value = value * 10 + Int(byte &- 48)
                count += 1
                index += 1
            }
            return count >= least ? value : nil
        }

        /// Letters in lower case.
        mutating func word() -> String {
            let start = index
            while let byte = next, (byte | 0x20) >= 97, (byte | 0x20) <= 122 { index += 1 }
            return TextParse.lowercased(text[start..<index])
        }
    }

    /// A date `year-month-day`, as days since 1970-01-01; ` (BC)` or ` BC` may follow.
    package static func date(_ text: Bytes) -> Int32? {
        var cursor = Cursor(text)
        guard let days = datePart(&cursor), cursor.isAtEnd else { return nil }
        return Int32(exactly: days)
    }

    private static func datePart(_ cursor: inout Cursor) -> Int? {
        let isNegative = cursor.skip(TextFormat.minus)
        guard var year = cursor.number(1, 7), cursor.skip(TextFormat.minus),
            let month = cursor.number(1, 2), cursor.skip(TextFormat.minus),
            let day = cursor.number(1, 2)
        else { return nil }
        if isNegative { year = -year }
        if skipEra(&cursor) { year = 1 - year }
        guard (1...12).contains(month), day >= 1,
            day <= CivilCalendar.daysInMonth(year: year, month: month)
        else { return nil }
        return CivilCalendar.days(year: year, month: month, day: day)
    }

    /// Reads ` (BC)` or ` BC`, if it comes next.
    private static func skipEra(_ cursor: inout Cursor) -> Bool {
        var ahead = cursor
        ahead.skipBlanks()
        let hasParenthesis = ahead.skip(UInt8(ascii: "("))
        guard ahead.word() == "bc", !hasParenthesis || ahead.skip(UInt8(ascii: ")")) else {
            return false
        }
        cursor = ahead
        return true
    }

    /// A time `hour:minute[:second[.fraction]]` as microseconds since midnight.
    ///
    /// `24:00:00` is the end of a day. Fractions beyond microseconds are rounded down.
    package static func time(_ text: Bytes) -> Int64? {
        var cursor = Cursor(text)
        guard let micros = timePart(&cursor), cursor.isAtEnd else { return nil }
        return Int64(micros)
    }

    static func timePart(_ cursor: inout Cursor) -> Int? {
        guard let hour = cursor.number(1, 2), cursor.skip(TextFormat.colon),
            let minute = cursor.number(1, 2), minute < 60
        else { return nil }
        var second = 0
        var fraction = 0
        if cursor.skip(TextFormat.colon) {
            guard let value = cursor.number(1, 2), value < 60 else { return nil }
            second = value
            if cursor.skip(TextFormat.point) {
                guard let value = fractionPart(&cursor) else { return nil }
                fraction = value
            }
        }
        let micros = ((hour * 60 + minute) * 60 + second) * 1_000_000 + fraction
        return micros <= CivilCalendar.microsPerDay ? micros : nil
    }

    /// The digits behind a point as microseconds.
    static func fractionPart(_ cursor: inout Cursor) -> Int? {
        let start = cursor.index
        guard var value = cursor.number(1, 6) else { return nil }
        for _ in (cursor.index - start)..<6 { value *= 10 }
        _ = cursor.number(0, 18)
        return value
    }

    /// A timestamp: a date, perhaps with a time behind `T` or blanks, perhaps with a zone.
    ///
    /// - Returns: microseconds as written, and the zone's offset in seconds if there is one
    ///   (`Z`, `UTC`, `+02`, `+0530`, `-07:00`).
    package static func timestamp(_ text: Bytes) -> (micros: Int64, offsetSeconds: Int?)? {
        var cursor = Cursor(text)
        guard let days = datePart(&cursor) else { return nil }
        var time = 0
        var offset: Int?
        if let byte = cursor.next, byte == UInt8(ascii: "T") || byte == UInt8(ascii: "t") {
            cursor.index += 1
            guard let value = timePart(&cursor) else { return nil }
            time = value
        } else if cursor.next == TextFormat.blank {
            cursor.skipBlanks()
            if let byte = cursor.next, byte &- 48 <= 9 {
                guard let value = timePart(&cursor) else { return nil }
                time = value
            }
        }
        cursor.skipBlanks()
        if !cursor.isAtEnd {
            guard let value = zonePart(&cursor), cursor.isAtEnd else { return nil }
            offset = value
        }
        let (product, overflow) = days.multipliedReportingOverflow(
            by: CivilCalendar.microsPerDay
        )
        let (sum, carry) = product.addingReportingOverflow(time)
        return overflow || carry ? nil : (Int64(sum), offset)
    }

    /// An instant: a timestamp whose zone, if it has none, is `offsetSeconds` from UTC.
    package static func timestamptz(_ text: Bytes, offsetSeconds: Int = 0) -> Int64? {
        guard let (micros, offset) = timestamp(text) else { return nil }
        let shift = Int64(offset ?? offsetSeconds) * 1_000_000
        let (result, overflow) = micros.subtractingReportingOverflow(shift)
        return overflow ? nil : result
    }

    /// A zone's offset in seconds: `Z`, `UTC`, `+02`, `+0530`, `-07:00`, up to 18 hours.
    package static func zoneOffset(_ text: Bytes) -> Int? {
        var cursor = Cursor(text)
        guard let offset = zonePart(&cursor), cursor.isAtEnd else { return nil }
        return offset
    }

    static func zonePart(_ cursor: inout Cursor) -> Int? {
        let isNegative = cursor.next == TextFormat.minus
        guard cursor.skip(TextFormat.minus) || cursor.skip(TextFormat.plus) else {
            switch cursor.word() {
            case "z", "utc", "gmt": return 0
            default: return nil
            }
        }
        guard let hours = cursor.number(1, 2) else { return nil }
        var minutes = 0
        var seconds = 0
        if cursor.skip(TextFormat.colon) {
            guard let value = cursor.number(2, 2), value < 60 else { return nil }
            minutes = value
            if cursor.skip(TextFormat.colon) {
                guard let value = cursor.number(2, 2), value < 60 else { return nil }
                seconds = value
            }
        } else if let byte = cursor.next, byte &- 48 <= 9 {
            guard let value = cursor.number(2, 2), value < 60 else { return nil }
            minutes = value
        }
        let size = (hours * 60 + minutes) * 60 + seconds
        guard size <= 18 * 3600 else { return nil }
        return isNegative ? -size : size
    }

    /// An interval: `1 year 2 months -3 days 04:05:06.7`, `90 minutes`, `P1Y2M3DT4H5M6S`.
    package static func interval(_ text: Bytes) -> Interval? {
        var cursor = Cursor(text)
        if let byte = cursor.next, byte | 0x20 == UInt8(ascii: "p") {
            cursor.index += 1
            return isoInterval(&cursor)
        }
        var sum = IntervalSum()
        var partCount = 0
        cursor.skipBlanks()
        while !cursor.isAtEnd {
            let isNegative = cursor.skip(TextFormat.minus)
            if !isNegative { _ = cursor.skip(TextFormat.plus) }
            let start = cursor.index
            guard let whole = cursor.number(0, 18),
                cursor.index > start || cursor.next == TextFormat.point
            else {
                // `ago` turns everything around.
                guard cursor.word() == "ago", partCount > 0, !isNegative else { return nil }
                cursor.skipBlanks()
                return cursor.isAtEnd ? sum.value(negated: true) : nil
            }
            if cursor.next == TextFormat.colon {
                cursor.index = start
                guard let micros = clockPart(&cursor) else { return nil }
                guard sum.add(isNegative ? -1 : 1, micros, .micros) else { return nil }
            } else {
                var fraction = 0
                if cursor.skip(TextFormat.point) {
                    guard let value = fractionPart(&cursor) else { return nil }
                    fraction = value
                }
                cursor.skipBlanks()
                guard let unit = IntervalUnit(cursor.word()),
                    sum.add(whole, fraction, unit, isNegative)
                else { return nil }
            }
            partCount += 1
            cursor.skipBlanks()
        }
        return partCount > 0 ? sum.value(negated: false) : nil
    }

    /// `hours:minutes[:seconds[.fraction]]` with any number of hours.
    private static func clockPart(_ cursor: inout Cursor) -> Int? {
        guard let hours = cursor.number(1, 9), cursor.skip(TextFormat.colon),
            let minutes = cursor.number(1, 2), minutes < 60
        else { return nil }
        var micros = (hours * 60 + minutes) * 60_000_000
        if cursor.skip(TextFormat.colon) {
            guard let seconds = cursor.number(1, 2), seconds < 60 else { return nil }
            micros += seconds * 1_000_000
            if cursor.skip(TextFormat.point) {
                guard let fraction = fractionPart(&cursor) else { return nil }
                micros += fraction
            }
        }
        return micros
    }

    private static func isoInterval(_ cursor: inout Cursor) -> Interval? {
        var sum = IntervalSum()
        var isTime = false
        var partCount = 0
        while !cursor.isAtEnd {
            if !isTime, let byte = cursor.next, byte | 0x20 == UInt8(ascii: "t") {
                isTime = true
                cursor.index += 1
                continue
            }
            let isNegative = cursor.skip(TextFormat.minus)
            guard let whole = cursor.number(1, 18) else { return nil }
            var fraction = 0
            if cursor.skip(TextFormat.point) {
                guard let value = fractionPart(&cursor) else { return nil }
                fraction = value
            }
            guard let letter = cursor.next else { return nil }
            cursor.index += 1
            let unit: IntervalUnit
            switch (letter | 0x20, isTime) {
            case (UInt8(ascii: "y"), false): unit = .months(12)
            case (UInt8(ascii: "m"), false): unit = .months(1)
            case (UInt8(ascii: "w"), false): unit = .days(7)
            case (UInt8(ascii: "d"), false): unit = .days(1)
            case (UInt8(ascii: "h"), true): unit = .time(3_600_000_000)
            case (UInt8(ascii: "m"), true): unit = .time(60_000_000)
            case (UInt8(ascii: "s"), true): unit = .time(1_000_000)
            default: return nil
            }
            guard sum.add(whole, fraction, unit, isNegative) else { return nil }
            partCount += 1
        }
        return partCount > 0 ? sum.value(negated: false) : nil
    }

    /// A unit of intervals with its size in the part it counts into.
    package enum IntervalUnit: Sendable {
        case months(Int)
        case days(Int)
        case time(Int)

        static let micros = IntervalUnit.time(1)

        /// By its name in SQL, singular, plural or short.
        package init?(_ name: String) {
            switch name {
            case "millennium", "millennia", "millenniums", "mil": self = .months(12_000)
            case "century", "centuries", "c": self = .months(1200)
            case "decade", "decades": self = .months(120)
            case "year", "years", "y", "yr", "yrs": self = .months(12)
            case "quarter", "quarters": self = .months(3)
            case "month", "months", "mon", "mons": self = .months(1)
            case "week", "weeks", "w": self = .days(7)
            case "day", "days", "d": self = .days(1)
            case "hour", "hours", "h", "hr", "hrs": self = .time(3_600_000_000)
            case "minute", "minutes", "m", "min", "mins": self = .time(60_000_000)
            case "second", "seconds", "s", "sec", "secs": self = .time(1_000_000)
            case "millisecond", "milliseconds", "ms", "msec", "msecs": self = .time(1000)
            case "microsecond", "microseconds", "us", "usec", "usecs": self = .time(1)
            default: return nil
            }
        }
    }

    /// Adds up the parts of an interval with checks.
    private struct IntervalSum {
        var months = 0
        var days = 0
        var micros = 0

        mutating func add(_ sign: Int, _ micros: Int, _: IntervalUnit) -> Bool {
            let (sum, overflow) = self.micros.addingReportingOverflow(sign * micros)
            self.micros = sum
            return !overflow
        }

        /// Adds `whole.fraction` (in millionths) units.
        ///
        /// A fraction of a month is 30 days' worth, of a day 24 hours' worth.
        mutating func add(
            _ whole: Int,
            _ fraction: Int,
            _ unit: IntervalUnit,
            _ isNegative: Bool
        ) -> Bool {
            let sign = isNegative ? -1 : 1
            switch unit {
            case .months(let size):
                let parts = fraction * size
                let dayParts = parts % 1_000_000 * 30
                return add(&months, whole, size, parts / 1_000_000, sign)
                    && add(&days, 0, 1, dayParts / 1_000_000, sign)
                    && add(&micros, 0, 1, dayParts % 1_000_000 * 86_400, sign)
            case .days(let size):
                let parts = fraction * size
                return add(&days, whole, size, parts / 1_000_000, sign)
                    && add(&micros, 0, 1, parts % 1_000_000 * 86_400, sign)
            case .time(let size):
                let part = Int(Int128(fraction) * Int128(size) / 1_000_000)
                return add(&micros, whole, size, part, sign)
            }
        }

        private func add(
            _ place: inout Int,
            _ whole: Int,
            _ size: Int,
            _ more: Int,
            _ sign: Int
        ) -> Bool {
            let (product, a) = whole.multipliedReportingOverflow(by: size)
            let (sum, b) = product.addingReportingOverflow(more)
            let (total, c) = place.addingReportingOverflow(sign < 0 ? 0 &- sum : sum)
            place = total
            return !(a || b || c)
        }

        func value(negated: Bool) -> Interval? {
            let sign = negated ? -1 : 1
            guard let months = Int32(exactly: months), let days = Int32(exactly: days),
                months != .min, days != .min, micros != .min
            else { return nil }
            return Interval(
                months: Int32(sign) * months,
                days: Int32(sign) * days,
                micros: Int64(sign * micros)
            )
        }
    }
}
