/// Values as text in bytes, in the forms that a cast to VARCHAR gives.
///
/// - numbers in the shortest form that reads back the same; doubles as DuckDB prints them: `1.0`,
///   `1e+16` and beyond and `1e-05` and below with an exponent of two digits at least, `inf`, `nan`;
/// - dates `2024-02-29`, years of four digits or more, years before 1 with ` (BC)`;
/// - times `04:05:06`, with as many digits of a fraction as are needed; timestamps as date, a blank
///   and time; instants with the offset of the zone they are shown in (`+00`, `+05:30`);
/// - intervals `1 year 2 months 3 days 04:05:06`.
package enum TextFormat {
    // MARK: Numbers

    /// Appends an integer.
    package static func append(_ value: Int64, to text: inout [UInt8]) {
        if value < 0 { text.append(minus) }
        appendDigits(value.magnitude, width: 1, to: &text)
    }

    /// Appends a number with at least `width` digits.
    static func appendDigits(_ value: UInt64, width: Int, to text: inout [UInt8]) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 24) { scratch in
            var place = 24
            var rest = value
            repeat {
                let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
                place &-= 1
                scratch[place] = zero &+ UInt8(truncatingIfNeeded: digit)
                rest = quotient
            } while rest > 0
            while 24 &- place < width {
                place &-= 1
                scratch[place] = zero
            }
            text.append(contentsOf: scratch[place...])
        }
    }

    /// Appends a 128-bit integer.
    package static func append(_ value: Int128, to text: inout [UInt8]) {
        if value < 0 { text.append(minus) }
        appendDigits(value.magnitude, to: &text)
    }

    private static func appendDigits(_ value: UInt128, to text: inout [UInt8]) {
        let unit: UInt128 = 1_000_000_000_000_000_000
        if value < unit {
            appendDigits(UInt64(truncatingIfNeeded: value), width: 1, to: &text)
        } else {
            let (high, low) = value.quotientAndRemainder(dividingBy: unit)
            appendDigits(high, to: &text)
            appendDigits(UInt64(truncatingIfNeeded: low), width: 18, to: &text)
        }
    }

    /// Appends a decimal: `digits` with the point before the last `scale` of them.
    package static func appendDecimal(_ digits: Int128, scale: Int, to text: inout [UInt8]) {
        if digits < 0 { text.append(minus) }
        let start = text.count
        appendDigits(digits.magnitude, to: &text)
        guard scale > 0 else { return }
        let missing = scale + 1 - (text.count - start)
        if missing > 0 {
            text.insert(contentsOf: repeatElement(zero, count: missing), at: start)
        }
        text.insert(point, at: text.count - scale)
    }

    /// Appends a double, shortest form.
    package static func append(_ value: Double, to text: inout [UInt8]) {
        appendFloating(value.isNaN, value.isInfinite, value < 0, value.description, to: &text)
    }

    /// Appends a float, shortest form.
    package static func append(_ value: Float, to text: inout [UInt8]) {
        appendFloating(value.isNaN, value.isInfinite, value < 0, value.description, to: &text)
    }

    /// Brings Swift's shortest digits (`1e+16`, `0.0001`, `5e-324`, `123.0`) into our form.
    private static func appendFloating(
        _ isNaN: Bool,
        _ isInfinite: Bool,
        _ isNegative: Bool,
        _ description: String,
        to text: inout [UInt8]
    ) {
        if isNaN { return text.append(contentsOf: "nan".utf8) }
        if isInfinite { return text.append(contentsOf: (isNegative ? "-inf" : "inf").utf8) }
        // Digits without point and zeros at the ends, and where the point stands.
        var digits: [UInt8] = []
        var pointPlace = 0
        var sawPoint = false
        var exponent = 0
        var bytes = Array(description.utf8)[...]
        if bytes.first == minus {
            text.append(minus)
            bytes = bytes.dropFirst()
        }
        if let e = bytes.firstIndex(of: UInt8(ascii: "e")) {
            exponent = Int(String(decoding: bytes[(e + 1)...], as: UTF8.self)) ?? 0
            bytes = bytes[..<e]
        }
        for byte in bytes {
            if byte == point {
                sawPoint = true
                continue
            }
            if digits.isEmpty && byte == zero {
                if sawPoint { pointPlace -= 1 }
                continue
            }
            digits.append(byte)
            if !sawPoint { pointPlace += 1 }
        }
        while digits.last == zero { digits.removeLast() }
        if digits.isEmpty { return text.append(contentsOf: "0.0".utf8) }
        // The exponent of the first digit.
        let scientific = pointPlace - 1 + exponent
        if scientific < -4 || scientific >= 16 {
            text.append(digits[0])
            if digits.count > 1 {
                text.append(point)
                text.append(contentsOf: digits[1...])
            }
            text.append(UInt8(ascii: "e"))
            text.append(scientific < 0 ? minus : plus)
            appendDigits(UInt64(scientific.magnitude), width: 2, to: &text)
            return
        }
        if scientific < 0 {
            text.append(contentsOf: "0.".utf8)
            text.append(contentsOf: repeatElement(zero, count: -scientific - 1))
            text.append(contentsOf: digits)
            return
        }
        let whole = scientific + 1
        if digits.count <= whole {
            text.append(contentsOf: digits)
            text.append(contentsOf: repeatElement(zero, count: whole - digits.count))
            text.append(contentsOf: ".0".utf8)
        } else {
            text.append(contentsOf: digits[..<whole])
            text.append(point)
            text.append(contentsOf: digits[whole...])
        }
    }

    /// Appends `true` or `false`.
    package static func append(_ value: Bool, to text: inout [UInt8]) {
        text.append(contentsOf: (value ? "true" : "false").utf8)
    }

    // MARK: Time

    /// Appends days since 1970-01-01 as a date.
    package static func appendDate(_ days: Int, to text: inout [UInt8]) {
        let (year, month, day) = CivilCalendar.civil(days)
        appendDigits(UInt64(year > 0 ? year : 1 - year), width: 4, to: &text)
        text.append(minus)
        appendTwo(month, to: &text)
        text.append(minus)
        appendTwo(day, to: &text)
        if year <= 0 { text.append(contentsOf: " (BC)".utf8) }
    }

    /// Appends microseconds since midnight (0 up to a day) as a time.
    package static func appendTime(_ micros: Int, to text: inout [UInt8]) {
        let seconds = micros / 1_000_000
        appendTwo(seconds / 3600, to: &text)
        text.append(colon)
        appendTwo(seconds / 60 % 60, to: &text)
        text.append(colon)
        appendTwo(seconds % 60, to: &text)
        var fraction = micros % 1_000_000
        guard fraction > 0 else { return }
        var width = 6
        while fraction % 10 == 0 {
            fraction /= 10
            width -= 1
        }
        text.append(point)
        appendDigits(UInt64(fraction), width: width, to: &text)
    }

    /// Appends microseconds since 1970-01-01T00:00:00 as date and time.
    ///
    /// - Parameter separator: what stands between them: a blank, or `T` for ISO 8601.
    package static func appendTimestamp(
        _ micros: Int64,
        separator: UInt8 = blank,
        to text: inout [UInt8]
    ) {
        let (days, time) = CivilCalendar.floorDivide(Int(micros), CivilCalendar.microsPerDay)
        appendDate(days, to: &text)
        text.append(separator)
        appendTime(time, to: &text)
    }

    /// Appends an instant as the clock of a zone shows it, with the zone's offset.
    package static func appendTimestamptz(
        _ micros: Int64,
        offsetSeconds: Int = 0,
        separator: UInt8 = blank,
        to text: inout [UInt8]
    ) {
        appendTimestamp(
            micros &+ Int64(offsetSeconds) &* 1_000_000,
            separator: separator,
            to: &text
        )
        appendOffset(offsetSeconds, to: &text)
    }

    /// Appends a zone's offset: `+00`, `-07`, `+05:30`.
    package static func appendOffset(_ seconds: Int, to text: inout [UInt8]) {
        text.append(seconds < 0 ? minus : plus)
        let size = Int(seconds.magnitude)
        appendTwo(size / 3600, to: &text)
        if size % 3600 == 0 { return }
        text.append(colon)
        appendTwo(size / 60 % 60, to: &text)
        if size % 60 == 0 { return }
        text.append(colon)
        appendTwo(size % 60, to: &text)
    }

    /// Appends an interval: the parts that are not zero, `00:00:00` when all are.
    package static func append(_ interval: Interval, to text: inout [UInt8]) {
        let start = text.count
        func part(_ value: Int, _ name: String) {
            guard value != 0 else { return }
            if text.count > start { text.append(blank) }
            append(Int64(value), to: &text)
            text.append(blank)
            text.append(contentsOf: name.utf8)
            if value != 1 && value != -1 { text.append(UInt8(ascii: "s")) }
        }
        part(Int(interval.months) / 12, "year")
        part(Int(interval.months) % 12, "month")
        part(Int(interval.days), "day")
        guard interval.micros != 0 || text.count == start else { return }
        if text.count > start { text.append(blank) }
        if interval.micros < 0 { text.append(minus) }
        let size = interval.micros.magnitude
        appendDigits(size / 3_600_000_000, width: 2, to: &text)
        text.append(colon)
        // The rest of an hour has a time's form, without its hour.
        var clock: [UInt8] = []
        appendTime(Int(size % 3_600_000_000), to: &clock)
        text.append(contentsOf: clock[3...])
    }

    /// Appends a UUID, 36 lower-case characters.
    package static func appendUUID(_ bits: Int128, to text: inout [UInt8]) {
        let raw = UUIDBits.bigEndian(fromOrdered: bits)
        for index in 0..<32 {
            if index == 8 || index == 12 || index == 16 || index == 20 { text.append(minus) }
            let digit = UInt8(truncatingIfNeeded: raw >> UInt128(124 - 4 * index)) & 15
            text.append(hexDigit(digit))
        }
    }

    /// Appends bytes as text: printable ASCII as it is, others as `\x0A`, a backslash as `\x5C`.
    package static func appendBinary(
        _ bytes: UnsafeBufferPointer<UInt8>,
        to text: inout [UInt8]
    ) {
        for byte in bytes {
            if byte >= 0x20 && byte < 0x7F && byte != UInt8(ascii: "\\")
                && byte != UInt8(ascii: "'") && byte != UInt8(ascii: "\"")
            {
                text.append(byte)
            } else {
                text.append(contentsOf: "\\x".utf8)
                text.append(upperHexDigit(byte >> 4))
                text.append(upperHexDigit(byte & 15))
            }
        }
    }

    // MARK: Characters

    package static let blank = UInt8(ascii: " ")
    static let minus = UInt8(ascii: "-")
    static let plus = UInt8(ascii: "+")
    static let colon = UInt8(ascii: ":")
    static let point = UInt8(ascii: ".")
    static let zero = UInt8(ascii: "0")

    private static func appendTwo(_ value: Int, to text: inout [UInt8]) {
        text.append(zero &+ UInt8(truncatingIfNeeded: value / 10))
        text.append(zero &+ UInt8(truncatingIfNeeded: value % 10))
    }

    private static func hexDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? zero + value : UInt8(ascii: "a") + value - 10
    }

    private static func upperHexDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? zero + value : UInt8(ascii: "A") + value - 10
    }
}
