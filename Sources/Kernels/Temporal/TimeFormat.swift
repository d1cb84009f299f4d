package import Columnar

/// A format of `strftime` and `strptime`, compiled once.
///
/// ```
/// %Y year   %y two digits   %m month  %b %B its name   %d day   %j day of the year
/// %H hour   %I hour to 12   %p AM/PM  %M minute   %S second   %f microseconds  %g milliseconds
/// %a %A day's name   %w 0 (Sunday) to 6   %u 1 (Monday) to 7   %U %W %V week   %G its ISO year
/// %z offset  %Z zone's name  %c %x %X ISO date and time, date, time   %% itself  %-d without zeros
/// ```
package struct TimeFormat: Sendable {
    private enum Item: Sendable {
        case literal([UInt8])
        case code(UInt8, isPadded: Bool)
    }

    private let items: [Item]
    private let text: String

    /// Compiles a format; throws `invalidPattern` on an unknown code.
    package init(_ format: String) throws(KernelError) {
        text = format
        var items: [Item] = []
        var literal: [UInt8] = []
        var bytes = Array(format.utf8)[...]
        func flush() {
            if !literal.isEmpty { items.append(.literal(literal)) }
            literal = []
        }
        func add(_ codes: String) {
            for byte in codes.utf8 {
                if byte >= 65 {
                    flush()
                    items.append(.code(byte, isPadded: true))
                } else {
                    literal.append(byte)
                }
            }
        }
        while let byte = bytes.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                literal.append(byte)
                continue
            }
            var isPadded = true
            if bytes.first == UInt8(ascii: "-") {
                isPadded = false
                bytes = bytes.dropFirst()
            }
            guard let code = bytes.popFirst() else {
                throw KernelError(.invalidPattern, "the format '\(format)' ends with %")
            }
            switch code {
            case UInt8(ascii: "%"): literal.append(code)
            case UInt8(ascii: "c"): add("Y-m-d H:M:S")
            case UInt8(ascii: "x"), UInt8(ascii: "F"): add("Y-m-d")
            case UInt8(ascii: "X"), UInt8(ascii: "T"): add("H:M:S")
            default:
                guard Array("YymbBdjHIpMSfgaAwuUWVGzZ".utf8).contains(code) else {
                    let name = String(decoding: [code], as: UTF8.self)
                    throw KernelError(
                        .invalidPattern,
                        "the format '\(format)' has an unknown code %\(name)"
                    )
                }
                flush()
                items.append(.code(code, isPadded: isPadded))
            }
        }
        flush()
        self.items = items
    }

    /// `strftime`: dates, timestamps or instants as text.
    package func format(
        _ column: Column,
        offsetSeconds: Int = 0
    ) throws(KernelError) -> Column {
        try column.mapped(to: .string) { column throws(KernelError) -> Column in
            let offset = column.type == .timestamptz ? offsetSeconds : 0
            let operand = Operand(column)
            var writer = ViewWriter(count: column.count)
            var scratch: [UInt8] = []
            switch column.type {
            case .date:
                let source = operand.pointer(Int32.self)
                forEachValid(column.validity, column.count) { row in
                    append(Moment(days: Int(source[row])), offset, &scratch)
                    writer.set(row, scratch)
                }
            case .timestamp, .timestamptz:
                let source = operand.pointer(Int64.self)
                let shift = Int64(offset) * 1_000_000
                forEachValid(column.validity, column.count) { row in
                    append(Moment(micros: source[row] &+ shift), offset, &scratch)
                    writer.set(row, scratch)
                }
            default:
                throw KernelError(.unsupported, "strftime of \(column.type)")
            }
            return withExtendedLifetime(operand) {
                writer.finish(.string, validity: column.validity)
            }
        }
    }

    private func append(_ moment: Moment, _ offset: Int, _ text: inout [UInt8]) {
        text.removeAll(keepingCapacity: true)
        func number(_ value: Int, _ width: Int, _ isPadded: Bool) {
            var digits: [UInt8] = []
            TextFormat.append(Int64(value.magnitude), to: &digits)
            if value < 0 { text.append(UInt8(ascii: "-")) }
            if isPadded {
                text.append(contentsOf: repeatElement(48, count: max(0, width - digits.count)))
            }
            text.append(contentsOf: digits)
        }
        for item in items {
            guard case .code(let code, let isPadded) = item else {
                if case .literal(let bytes) = item { text.append(contentsOf: bytes) }
                continue
            }
            let hour = moment.hour
            let weekday = moment.isoDayOfWeek
            switch code {
            case UInt8(ascii: "Y"): number(moment.year, 4, isPadded)
            case UInt8(ascii: "y"):
                number(CivilCalendar.floorDivide(moment.year, 100).rest, 2, isPadded)
            case UInt8(ascii: "m"): number(moment.month, 2, isPadded)
            case UInt8(ascii: "b"):
                text.append(contentsOf: Temporal.monthNames[moment.month - 1].utf8.prefix(3))
            case UInt8(ascii: "B"):
                text.append(contentsOf: Temporal.monthNames[moment.month - 1].utf8)
            case UInt8(ascii: "d"): number(moment.day, 2, isPadded)
            case UInt8(ascii: "j"): number(moment.dayOfYear, 3, isPadded)
            case UInt8(ascii: "H"): number(hour, 2, isPadded)
            case UInt8(ascii: "I"): number((hour + 11) % 12 + 1, 2, isPadded)
            case UInt8(ascii: "p"): text.append(contentsOf: (hour < 12 ? "AM" : "PM").utf8)
            case UInt8(ascii: "M"): number(moment.minute, 2, isPadded)
            case UInt8(ascii: "S"): number(moment.second, 2, isPadded)
            case UInt8(ascii: "f"): number(moment.micros, 6, isPadded)
            case UInt8(ascii: "g"): number(moment.micros / 1000, 3, isPadded)
            case UInt8(ascii: "a"):
                text.append(contentsOf: Temporal.dayNames[weekday - 1].utf8.prefix(3))
            case UInt8(ascii: "A"): text.append(contentsOf: Temporal.dayNames[weekday - 1].utf8)
            case UInt8(ascii: "w"): number(weekday % 7, 1, isPadded)
            case UInt8(ascii: "u"): number(weekday, 1, isPadded)
            // Weeks from the first Sunday (or Monday) of the year.
            case UInt8(ascii: "U"):
                number((moment.dayOfYear + 6 - weekday % 7) / 7, 2, isPadded)
            case UInt8(ascii: "W"):
                number((moment.dayOfYear + 6 - (weekday - 1)) / 7, 2, isPadded)
            case UInt8(ascii: "V"): number(moment.isoWeek.week, 2, isPadded)
            case UInt8(ascii: "G"): number(moment.isoWeek.year, 4, isPadded)
            case UInt8(ascii: "z"): TextFormat.appendOffset(offset, to: &text)
            default:
                // The zone is known by its offset only.
                text.append(contentsOf: "UTC".utf8)
                if offset != 0 { TextFormat.appendOffset(offset, to: &text) }
            }
        }
    }

    /// `strptime`: text as timestamps; with `%z` in the format, as timestamps of UTC.
    ///
    /// - Parameter isTry: text that does not fit the format gives null instead of an error.
    package func parse(_ column: Column, isTry: Bool = false) throws(KernelError) -> Column {
        try column.mapped(to: .timestamp) { column throws(KernelError) -> Column in
            let places = Operand(column).views
            let buffer = Buffer(zeroedByteCount: column.count * 8)
            let target = buffer.mutable(as: Int64.self)
            var nulls = NullMarks(column.validity, count: column.count)
            try forEachValid(column.validity, column.count) { (row) throws(KernelError) in
                if let micros = parse((places + row).text) {
                    target[row] = micros
                } else if isTry {
                    nulls.mark(row)
                } else {
                    let value = (places + row).text.prefix(200)
                    throw KernelError(
                        .invalidCast,
                        "'\(String(decoding: value, as: UTF8.self))' is not of the form '\(text)'"
                    )
                }
            }
            return withExtendedLifetime(column) {
                Column(.timestamp, count: column.count, validity: nulls.bitmap, buffer: buffer)
            }
        }
    }

    /// What parsing has found so far.
    private struct Found {
        var year = 1900
        var month = 1
        var day = 1
        var dayOfYear: Int?
        var hour = 0
        var isAfternoon: Bool?
        var minute = 0
        var second = 0
        var micros = 0
        var offset = 0
    }

    private func parse(_ text: UnsafeBufferPointer<UInt8>) -> Int64? {
        var found = Found()
        var index = 0
        for item in items {
            switch item {
            case .literal(let bytes):
                for byte in bytes {
                    guard index < text.count, text[index] == byte else { return nil }
                    index += 1
                }
            case .code(let code, _):
                guard Self.read(code, text, &index, &found) else { return nil }
            }
        }
        guard index == text.count else { return nil }
        if let isAfternoon = found.isAfternoon {
            guard (1...12).contains(found.hour) else { return nil }
            found.hour = found.hour % 12 + (isAfternoon ? 12 : 0)
        }
        var days = CivilCalendar.days(year: found.year, month: 1, day: 1)
        if let dayOfYear = found.dayOfYear {
            guard dayOfYear >= 1, dayOfYear <= (CivilCalendar.isLeap(found.year) ? 366 : 365)
            else { return nil }
            days += dayOfYear - 1
        } else {
            let last = CivilCalendar.daysInMonth(year: found.year, month: found.month)
            guard found.day >= 1, found.day <= last else { return nil }
            days = CivilCalendar.days(year: found.year, month: found.month, day: found.day)
        }
        let seconds = (found.hour * 60 + found.minute) * 60 + found.second - found.offset
        return Temporal.micros(days: days, time: seconds * 1_000_000 + found.micros)
    }

    private static func read(
        _ code: UInt8,
        _ text: UnsafeBufferPointer<UInt8>,
        _ index: inout Int,
        _ found: inout Found
    ) -> Bool {
        func number(_ width: Int, _ range: ClosedRange<Int>) -> Int? {
            var value = 0
            let start = index
            while index < text.count, index - start < width, text[index] &- 48 <= 9 {
                value = value * 10 + Int(text[index] - 48)
                index += 1
            }
            return index > start && range.contains(value) ? value : nil
        }
        func name(_ names: [String], isShort: Bool) -> Int? {
            for (place, name) in names.enumerated() {
                let wanted = Array(name.utf8.prefix(isShort ? 3 : 9))
                guard index + wanted.count <= text.count else { continue }
                let matches = wanted.indices.allSatisfy {
                    text[index + $0] | 0x20 == wanted[$0] | 0x20
                }
                if matches {
                    index += wanted.count
                    return place
                }
            }
            return nil
        }
        func take(_ value: Int?, _ body: (Int) -> Void) -> Bool {
            guard let value else { return false }
            body(value)
            return true
        }
        switch code {
        case UInt8(ascii: "Y"):
            let isNegative = index < text.count && text[index] == UInt8(ascii: "-")
            if isNegative { index += 1 }
            return take(number(6, 0...294_000)) { found.year = isNegative ? -$0 : $0 }
        case UInt8(ascii: "y"):
            return take(number(2, 0...99)) { found.year = $0 < 69 ? 2000 + $0 : 1900 + $0 }
        case UInt8(ascii: "m"): return take(number(2, 1...12)) { found.month = $0 }
        case UInt8(ascii: "b"):
            return take(name(Temporal.monthNames, isShort: true)) { found.month = $0 + 1 }
        case UInt8(ascii: "B"):
            return take(name(Temporal.monthNames, isShort: false)) { found.month = $0 + 1 }
        case UInt8(ascii: "d"): return take(number(2, 1...31)) { found.day = $0 }
        case UInt8(ascii: "j"): return take(number(3, 1...366)) { found.dayOfYear = $0 }
        case UInt8(ascii: "H"), UInt8(ascii: "I"):
            return take(number(2, 0...23)) { found.hour = $0 }
        case UInt8(ascii: "p"):
            return take(name(["AM", "PM"], isShort: false)) { found.isAfternoon = $0 == 1 }
        case UInt8(ascii: "M"): return take(number(2, 0...59)) { found.minute = $0 }
        case UInt8(ascii: "S"): return take(number(2, 0...59)) { found.second = $0 }
        case UInt8(ascii: "f"), UInt8(ascii: "g"):
            let start = index
            let width = code == UInt8(ascii: "f") ? 6 : 3
            return take(number(width, 0...999_999)) { value in
                var micros = value
                for _ in (index - start)..<6 { micros *= 10 }
                found.micros = micros
            }
        case UInt8(ascii: "a"): return name(Temporal.dayNames, isShort: true) != nil
        case UInt8(ascii: "A"): return name(Temporal.dayNames, isShort: false) != nil
        case UInt8(ascii: "w"): return number(1, 0...6) != nil
        case UInt8(ascii: "u"): return number(1, 1...7) != nil
        case UInt8(ascii: "z"), UInt8(ascii: "Z"):
            let start = index
            while index < text.count, text[index] != 32 { index += 1 }
            let zone = UnsafeBufferPointer(rebasing: text[start..<index])
            return take(TextParse.zoneOffset(zone)) { found.offset = $0 }
        default:
            // Weeks do not say which day.
            return number(code == UInt8(ascii: "G") ? 4 : 2, 0...9999) != nil
        }
    }
}
