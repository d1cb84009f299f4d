/// A time in UTC, in the forms that HTTP, S3, logs and answers write it.
package struct CalendarTime: Equatable, Sendable {
    package var year: Int
    package var month: Int
    package var day: Int
    package var hour: Int
    package var minute: Int
    package var second: Int
    package var microsecond = 0

    /// The time so many microseconds after 1970 began.
    package init(micros: Int64) {
        let (days, rest) = floorDivided(micros, by: 86_400_000_000)
        // Days to a date of the proleptic Gregorian calendar, in eras of 400 years from 1 March.
        let shifted = days + 719_468
        let era = floorDivided(shifted, by: 146_097).quotient
        let dayOfEra = shifted - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = Int(dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
        month = Int(shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9)
        year = Int(yearOfEra + era * 400) + (month <= 2 ? 1 : 0)
        hour = Int(rest / 3_600_000_000)
        minute = Int(rest / 60_000_000 % 60)
        second = Int(rest / 1_000_000 % 60)
        microsecond = Int(rest % 1_000_000)
    }

    /// Nil unless all fields are in their ranges; a leap second counts as the second after it.
    init?(year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int) {
        guard (1...9999).contains(year), (1...12).contains(month), (1...31).contains(day),
            (0...23).contains(hour), (0...59).contains(minute), (0...60).contains(second)
        else { return nil }
        self.year = year
        self.month = month
        self.day = day
        self.hour = hour
        self.minute = minute
        self.second = second
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    package var micros: Int64 {
        let y = Int64(month <= 2 ? year - 1 : year)
        let era = floorDivided(y, by: 400).quotient
        let yearOfEra = y - era * 400
        let shiftedMonth = Int64(month > 2 ? month - 3 : month + 9)
        let dayOfYear = (153 * shiftedMonth + 2) / 5 + Int64(day) - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        let days = era * 146_097 + dayOfEra - 719_468
        let seconds = days * 86_400 + Int64(hour * 3600 + minute * 60 + second)
        return seconds * 1_000_000 + Int64(microsecond)
    }

    /// `20130524T000000Z`, as signature V4 writes it.
    package var basicText: String {
        "\(digits(year, 4))\(digits(month, 2))\(digits(day, 2))T"
            + "\(digits(hour, 2))\(digits(minute, 2))\(digits(second, 2))Z"
    }

    /// `2024-05-01T12:30:00.123Z` (ISO 8601); years before 0000 have a sign, and those after 9999 five digits or more.
    package var isoText: String {
        // A sign, the digits of any year, and what is behind it.
        String(unsafeUninitializedCapacity: 48) { bytes in
            var count = 0
            func put(_ value: Int, _ width: Int, _ after: UInt8) {
                if value < 0 {
                    bytes[count] = UInt8(ascii: "-")
                    count += 1
                }
                var (rest, digitCount) = (value.magnitude, 0)
                while rest > 0 || digitCount < width {
                    (rest, digitCount) = (rest / 10, digitCount + 1)
                }
                rest = value.magnitude
                for place in (count..<count + digitCount).reversed() {
                    bytes[place] = UInt8(ascii: "0") + UInt8(rest % 10)
                    rest /= 10
                }
                bytes[count + digitCount] = after
                count += digitCount + 1
            }
            put(year, 4, UInt8(ascii: "-"))
            put(month, 2, UInt8(ascii: "-"))
            put(day, 2, UInt8(ascii: "T"))
            put(hour, 2, UInt8(ascii: ":"))
            put(minute, 2, UInt8(ascii: ":"))
            put(second, 2, UInt8(ascii: "."))
            put(microsecond / 1000, 3, UInt8(ascii: "Z"))
            return count
        }
    }

    /// `Sun, 06 Nov 1994 08:49:37 GMT`, as HTTP writes it (RFC 9110, section 5.6.7, IMF-fixdate).
    package var httpText: String {
        // 1970-01-01 was a Thursday.
        let dayNumber = floorDivided(micros, by: 86_400_000_000).quotient
        let weekday = dayNames[Int(floorDivided(dayNumber, by: 7).remainder)]
        return "\(weekday), \(digits(day, 2)) \(monthNames[month - 1]) \(digits(year, 4)) "
            + "\(digits(hour, 2)):\(digits(minute, 2)):\(digits(second, 2)) GMT"
    }

    /// Reads `2009-10-12T17:50:30.000Z`, with any number of digits of the second or none.
    package init?(isoText text: some StringProtocol) {
        let bytes = Array(text.utf8)
        guard bytes.count >= 20, bytes.last == UInt8(ascii: "Z"),
            bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-"),
            bytes[10] == UInt8(ascii: "T"), bytes[13] == UInt8(ascii: ":"),
            bytes[16] == UInt8(ascii: ":"),
            let year = number(bytes[0..<4]), let month = number(bytes[5..<7]),
            let day = number(bytes[8..<10]), let hour = number(bytes[11..<13]),
            let minute = number(bytes[14..<16]), let second = number(bytes[17..<19])
        else { return nil }
        self.init(
            year: year,
            month: month,
            day: day,
            hour: hour,
            minute: minute,
            second: second
        )
        let fraction = bytes[19..<bytes.count - 1]
        guard !fraction.isEmpty else { return }
        guard fraction.first == UInt8(ascii: "."), fraction.count > 1 else { return nil }
        let kept = fraction.dropFirst().prefix(6)
        guard var value = number(kept) else { return nil }
        for _ in kept.count..<6 { value *= 10 }
        microsecond = value
    }

    /// Reads `Fri, 24 May 2013 00:00:00 GMT` (RFC 9110, section 5.6.7, IMF-fixdate).
    package init?(httpText text: some StringProtocol) {
        let parts = text.split(separator: " ")
        guard parts.count == 6, parts[5] == "GMT",
            let month = monthNames.firstIndex(where: { $0 == parts[2] })
        else { return nil }
        let clock = parts[4].split(separator: ":", omittingEmptySubsequences: false)
        guard clock.count == 3, let day = number(Array(parts[1].utf8)[...]),
            let year = number(Array(parts[3].utf8)[...]),
            let hour = number(Array(clock[0].utf8)[...]),
            let minute = number(Array(clock[1].utf8)[...]),
            let second = number(Array(clock[2].utf8)[...])
        else { return nil }
        self.init(
            year: year,
            month: month + 1,
            day: day,
            hour: hour,
            minute: minute,
            second: second
        )
    }
}

/// A time as logs and answers write it: `2024-05-01T12:30:00.123Z`.
package func isoTime(micros: Int64) -> String { CalendarTime(micros: micros).isoText }

/// A time as logs and answers write it, of milliseconds since 1970 began; the last time there is for those that are
/// too far away.
package func isoTime(millis: Int64) -> String {
    let (micros, isTooFar) = millis.multipliedReportingOverflow(by: 1000)
    return isoTime(micros: isTooFar ? (millis < 0 ? Int64.min : Int64.max) : micros)
}

private let dayNames = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]

private let monthNames = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
]

private func floorDivided(
    _ number: Int64,
    by divisor: Int64
) -> (quotient: Int64, remainder: Int64) {
    let (quotient, remainder) = number.quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
}

private func digits(_ number: Int, _ count: Int) -> String {
    let text = String(number)
    return String(repeating: "0", count: max(0, count - text.count)) + text
}

/// One to nine decimal digits and nothing else.
private func number(_ bytes: ArraySlice<UInt8>) -> Int? {
    guard (1...9).contains(bytes.count) else { return nil }
    var value = 0
    for byte in bytes {
        guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
        value = value * 10 + Int(byte - UInt8(ascii: "0"))
    }
    return value
}
