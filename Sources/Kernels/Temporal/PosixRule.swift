import Columnar

/// The rule of a TZif file's footer, as POSIX writes it: `CET-1CEST,M3.5.0,M10.5.0/3`.
package struct PosixRule: Sendable {
    /// A day of the year on which clocks change.
    private enum Day: Sendable {
        /// 1 to 365; February 29th is never counted.
        case julian(Int)
        /// 0 to 365.
        case ordinal(Int)
        /// Week 1 to 5 (the last) of a month, and its weekday from 0 (Sunday).
        case weekday(month: Int, week: Int, day: Int)

        func days(in year: Int) -> Int {
            let start = CivilCalendar.days(year: year, month: 1, day: 1)
            switch self {
            case .julian(let number):
                return start + number - 1 + (CivilCalendar.isLeap(year) && number >= 60 ? 1 : 0)
            case .ordinal(let number): return start + number
            case .weekday(let month, let week, let day):
                let first = CivilCalendar.days(year: year, month: month, day: 1)
                // 1970-01-01 was a Thursday (4).
                let weekday = CivilCalendar.floorDivide(first + 4, 7).rest
                let offset = (day - weekday + 7) % 7 + (week - 1) * 7
                let length = CivilCalendar.daysInMonth(year: year, month: month)
                return first + (offset < length ? offset : offset - 7)
            }
        }
    }

    private struct Summer: Sendable {
        var offset: Int
        var start: Day
        /// Seconds after midnight of standard time; may be of another day.
        var startTime: Int
        var end: Day
        /// Seconds after midnight of summer time.
        var endTime: Int
    }

    private let standard: Int
    private let summer: Summer?

    /// Reads a rule; nil when it is none.
    package init?(_ text: [UInt8]) {
        var reader = Reader(bytes: text)
        guard reader.name(), let west = reader.time(hoursMax: 24) else { return nil }
        standard = -west
        if reader.isAtEnd {
            summer = nil
            return
        }
        guard reader.name() else { return nil }
        var offset = -west + 3600
        if !reader.isAtEnd, reader.byte != UInt8(ascii: ",") {
            guard let own = reader.time(hoursMax: 24) else { return nil }
            offset = -own
        }
        guard let (start, startTime) = reader.change(), let (end, endTime) = reader.change(),
            reader.isAtEnd
        else { return nil }
        summer = Summer(
            offset: offset,
            start: start,
            startTime: startTime,
            end: end,
            endTime: endTime
        )
    }

    private struct Reader {
        let bytes: [UInt8]
        var index = 0

        init(bytes: [UInt8]) { self.bytes = bytes }

        var byte: UInt8? { index < bytes.count ? bytes[index] : nil }
        var isAtEnd: Bool { index == bytes.count }

        mutating func take(_ wanted: Character) -> Bool {
            guard byte == wanted.asciiValue else { return false }
            index += 1
            return true
        }

        /// Three letters or more, or `<…>`.
        mutating func name() -> Bool {
            let start = index
            if take("<") {
                while let next = byte, next != UInt8(ascii: ">") { index += 1 }
                return take(">") && index - start > 2
            }
            while let next = byte, (next | 0x20) >= 97, (next | 0x20) <= 122 { index += 1 }
            return index - start >= 3
        }

        mutating func number(_ most: Int) -> Int? {
            let start = index
            var value = 0
            while let digit = byte, digit &- 48 <= 9, index - start < 4 {
                value = value * 10 + Int(digit - 48)
                index += 1
            }
            return index > start && value <= most ? value : nil
        }

        /// `[+-]hours[:minutes[:seconds]]` in seconds.
        mutating func time(hoursMax: Int) -> Int? {
            let isNegative = take("-")
            if !isNegative { _ = take("+") }
            guard let hours = number(hoursMax) else { return nil }
            var seconds = hours * 3600
            if take(":") {
                guard let minutes = number(59) else { return nil }
                seconds += minutes * 60
                if take(":") {
                    guard let rest = number(59) else { return nil }
                    seconds += rest
                }
            }
            return isNegative ? -seconds : seconds
        }

        /// `,day[/time]`.
        mutating func change() -> (Day, Int)? {
            guard take(",") else { return nil }
            let day: Day
            if take("M") {
                guard let month = number(12), month > 0, take("."), let week = number(5), week > 0,
                    take("."), let weekday = number(6)
                else { return nil }
                day = .weekday(month: month, week: week, day: weekday)
            } else if take("J") {
                guard let value = number(365), value > 0 else { return nil }
                day = .julian(value)
            } else {
                guard let value = number(365) else { return nil }
                day = .ordinal(value)
            }
            guard take("/") else { return (day, 7200) }
            // RFC 8536 lets the hours go from -167 to 167.
            guard let time = time(hoursMax: 167) else { return nil }
            return (day, time)
        }
    }

    /// The offset from UTC in seconds at an instant given in seconds since 1970.
    package func offset(at seconds: Int64) -> Int {
        guard let summer else { return standard }
        let day = CivilCalendar.floorDivide(Int(seconds) &+ standard, 86_400).quotient
        let year = CivilCalendar.civil(day).year
        // A change at the turn of a year may belong to a neighbour's rule.
        var best = Int64.min
        var offset = standard
        for year in (year - 1)...(year + 1) {
            let start =
                Int64(summer.start.days(in: year)) * 86_400
                + Int64(summer.startTime - standard)
            let end =
                Int64(summer.end.days(in: year)) * 86_400
                + Int64(summer.endTime - summer.offset)
            // Where summer never ends (as zones without change write it) it has the last word.
            if end <= seconds, end > best { (best, offset) = (end, standard) }
            if start <= seconds, start >= best { (best, offset) = (start, summer.offset) }
        }
        return offset
    }
}
