/// Dates and times in ISO 8601's calendar form, as databases write them.
extension FieldParsing {
    /// Microseconds in a day.
    static let microsPerDay: Int64 = 86_400_000_000

    /// A timestamp as it was written.
    struct ParsedTimestamp {
        /// Since 1970-01-01T00:00:00, in UTC when there was a zone.
        var micros: Int64
        var hasZone: Bool
    }

    @inline(__always)
    private static func two(_ bytes: Bytes) -> Int? {
        let (high, low) = (bytes[0] &- 48, bytes[1] &- 48)
        guard high < 10, low < 10 else { return nil }
        return Int(high) &* 10 &+ Int(low)
    }

    /// Days since 1970-01-01 of a day in the proleptic Gregorian calendar.
    @inline(__always)
    static func days(year: Int, month: Int, day: Int) -> Int {
        // Years begin in March, so that the leap day is the last of its year.
        let shifted = month <= 2 ? year &- 1 : year
        let era = (shifted >= 0 ? shifted : shifted &- 399) / 400
        let yearOfEra = shifted &- era &* 400
        let monthFromMarch = month > 2 ? month &- 3 : month &+ 9
        let dayOfYear = (153 &* monthFromMarch &+ 2) / 5 &+ day &- 1
        let dayOfEra = yearOfEra &* 365 &+ yearOfEra / 4 &- yearOfEra / 100 &+ dayOfYear
        return era &* 146_097 &+ dayOfEra &- 719_468
    }

    @inline(__always)
    private static func isDay(_ year: Int, _ month: Int, _ day: Int) -> Bool {
        guard month >= 1, month <= 12, day >= 1 else { return false }
        if day <= 28 { return true }
        if month == 2 {
            let isLeap = year & 3 == 0 && (year % 100 != 0 || year % 400 == 0)
            return isLeap && day == 29
        }
        let isShort = month == 4 || month == 6 || month == 9 || month == 11
        return day <= (isShort ? 30 : 31)
    }

    /// A date at the front: its days, and how many bytes it took.
    ///
    /// `YYYY-MM-DD`; a year of more than four digits, or before year 0, has a sign in front.
    @inline(__always)
    private static func leadingDate(_ bytes: Bytes, _ count: Int) -> (days: Int, length: Int)? {
        guard count >= 10 else { return nil }
        if bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-") {
            guard let century = two(bytes), let year = two(bytes + 2), let month = two(bytes + 5),
                let day = two(bytes + 8)
            else { return nil }
            let fullYear = century &* 100 &+ year
            guard isDay(fullYear, month, day) else { return nil }
            return (days(year: fullYear, month: month, day: day), 10)
        }
        return leadingSignedDate(bytes, count)
    }

    private static func leadingSignedDate(
        _ bytes: Bytes,
        _ count: Int
    ) -> (days: Int, length: Int)? {
        let isNegative = bytes[0] == UInt8(ascii: "-")
        guard isNegative || bytes[0] == UInt8(ascii: "+") else { return nil }
        var index = 1
        var year = 0
        while index < count, index <= 7, bytes[index] &- 48 < 10 {
            year = year * 10 + Int(bytes[index] &- 48)
            index += 1
        }
        guard index >= 5, index + 6 <= count, bytes[index] == UInt8(ascii: "-"),
            bytes[index + 3] == UInt8(ascii: "-"), let month = two(bytes + (index + 1)),
            let day = two(bytes + (index + 4))
        else { return nil }
        if isNegative { year = -year }
        guard isDay(year, month, day) else { return nil }
        return (days(year: year, month: month, day: day), index + 6)
    }

    /// Days since 1970-01-01.
    @inline(__always)
    static func date(_ bytes: Bytes, _ count: Int) -> Int32? {
        guard let date = leadingDate(bytes, count), date.length == count else { return nil }
        return Int32(exactly: date.days)
    }

    /// A time of day at the front, `HH:MM`, `HH:MM:SS` or with a fraction: microseconds and length.
    ///
    /// Digits of the fraction behind the sixth must be zeros: nothing is rounded away.
    private static func leadingTime(_ bytes: Bytes, _ count: Int) -> (micros: Int64, length: Int)? {
        guard count >= 5, bytes[2] == UInt8(ascii: ":"), let hour = two(bytes),
            let minute = two(bytes + 3), hour < 24, minute < 60
        else { return nil }
        var micros = Int64(hour &* 60 &+ minute) &* 60_000_000
        guard count >= 8, bytes[5] == UInt8(ascii: ":") else { return (micros, 5) }
        guard let second = two(bytes + 6), second < 60 else { return nil }
        micros &+= Int64(second) &* 1_000_000
        guard count > 9, bytes[8] == UInt8(ascii: ".") || bytes[8] == UInt8(ascii: ",") else {
            return (micros, 8)
        }
        var index = 9
        var unit: Int64 = 100_000
        while index < count {
            let digit = bytes[index] &- 48
            if digit >= 10 { break }
            if unit == 0, digit != 0 { return nil }
            micros &+= Int64(digit) &* unit
            unit /= 10
            index &+= 1
        }
        return index > 9 ? (micros, index) : nil
    }

    /// Microseconds since midnight.
    static func time(_ bytes: Bytes, _ count: Int) -> Int64? {
        guard let time = leadingTime(bytes, count), time.length == count else { return nil }
        return time.micros
    }

    /// The seconds east of Greenwich that `Z`, `+HH`, `+HHMM`, `+HH:MM` or `+HH:MM:SS` say.
    private static func zone(_ bytes: Bytes, _ count: Int) -> Int64? {
        if count == 1, bytes[0] | 0x20 == UInt8(ascii: "z") { return 0 }
        if count == 3, equalsLowercased(bytes, 3, "utc") { return 0 }
        guard count >= 3, bytes[0] == UInt8(ascii: "+") || bytes[0] == UInt8(ascii: "-"),
            let hour = two(bytes + 1), hour <= 18
        else { return nil }
        var seconds = Int64(hour) * 3600
        var index = 3
        for unit in [60, 1] as [Int64] where index < count {
            if bytes[index] == UInt8(ascii: ":") { index += 1 }
            guard index + 2 <= count, let part = two(bytes + index), part < 60 else { return nil }
            seconds += Int64(part) * unit
            index += 2
        }
        guard index == count else { return nil }
        return bytes[0] == UInt8(ascii: "-") ? -seconds : seconds
    }

    /// A date, or a date and a time with `T` or a space between, with or without a zone.
    static func timestamp(_ bytes: Bytes, _ count: Int) -> ParsedTimestamp? {
        guard let date = leadingDate(bytes, count) else { return nil }
        let (dayMicros, overflow) = Int64(date.days).multipliedReportingOverflow(by: microsPerDay)
        guard !overflow else { return nil }
        if date.length == count { return ParsedTimestamp(micros: dayMicros, hasZone: false) }
        let separator = bytes[date.length]
        guard separator | 0x20 == UInt8(ascii: "t") || separator == UInt8(ascii: " ") else {
            return nil
        }
        let start = date.length + 1
        guard let time = leadingTime(bytes + start, count - start) else { return nil }
        let (micros, sumOverflow) = dayMicros.addingReportingOverflow(time.micros)
        guard !sumOverflow else { return nil }
        var zoneStart = start + time.length
        if zoneStart == count { return ParsedTimestamp(micros: micros, hasZone: false) }
        if bytes[zoneStart] == UInt8(ascii: " ") { zoneStart += 1 }
        guard zoneStart < count, let seconds = zone(bytes + zoneStart, count - zoneStart) else {
            return nil
        }
        let (instant, zoneOverflow) = micros.subtractingReportingOverflow(seconds * 1_000_000)
        return zoneOverflow ? nil : ParsedTimestamp(micros: instant, hasZone: true)
    }
}
