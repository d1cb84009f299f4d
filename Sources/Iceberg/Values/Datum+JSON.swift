package import Bytes

extension Datum {
    /// Reads a value from its JSON single-value form.
    ///
    /// - Throws: `corrupt` when it is not such a value of `type`.
    /// - Spec: Appendix D, "JSON single-value serialization".
    package init(json: JSON, type: IcebergType) throws(IcebergError) {
        guard let value = Self.parse(json, type), value.isValid(for: type) else {
            throw IcebergError(.corrupt, "\(json.text().prefix(60)) is no value of type \(type)")
        }
        self = value
    }

    private static func parse(_ json: JSON, _ type: IcebergType) -> Datum? {
        switch type {
        case .boolean: return json.bool.map { .boolean($0) }
        case .int: return json.int32.map { .int($0) }
        case .long: return json.int64.map { .long($0) }
        case .float:
            guard let text = json.numberText, let value = Float(text), value.isFinite else {
                return nil
            }
            return .float(value)
        case .double: return json.double.map { .double($0) }
        default: break
        }
        guard let text = json.string else { return nil }
        switch type {
        case .decimal(_, let scale):
            return Decimals.parse(text, scale: scale).map { .decimal($0, scale: scale) }
        case .string: return .string(text)
        case .uuid: return uuid(text)
        case .fixed: return hexadecimal(text).map { .fixed($0) }
        case .binary: return hexadecimal(text).map { .binary($0) }
        default:
            var scanner = TimeScanner(text)
            guard let value = scanner.scan(type), scanner.isAtEnd else { return nil }
            return value
        }
    }

    /// The JSON single-value form; nil for infinities and NaN, which have none.
    ///
    /// - Spec: Appendix D, "JSON single-value serialization".
    package var json: JSON? {
        switch self {
        case .boolean(let value): .bool(value)
        case .int(let value): .integer(value)
        case .long(let value): .integer(value)
        case .float(let value): .float(value)
        case .double(let value): .double(value)
        default: .string(text)
        }
    }

    /// The value as a person and the JSON form write it, without quotation marks.
    package var text: String {
        switch self {
        case .boolean(let value): value.description
        case .int(let value): value.description
        case .long(let value): value.description
        case .float(let value): value.description
        case .double(let value): value.description
        case .decimal(let unscaled, let scale): Decimals.text(unscaled, scale: scale)
        case .date(let days): CivilDate(daysSinceEpoch: Int(days)).text
        case .time(let micros): Self.timeText(micros, digits: 6)
        case .timestamp(let micros): Self.timestampText(micros, digits: 6)
        case .timestamptz(let micros): Self.timestampText(micros, digits: 6) + "+00:00"
        case .timestampNanos(let nanos): Self.timestampText(nanos, digits: 9)
        case .timestamptzNanos(let nanos): Self.timestampText(nanos, digits: 9) + "+00:00"
        case .string(let value): value
        case .uuid(let value): Self.uuidText(value)
        case .fixed(let value), .binary(let value): Self.hexadecimalText(value)
        }
    }

    // MARK: - Times

    private static func timeText(_ units: Int64, digits: Int) -> String {
        let perSecond: Int64 = digits == 9 ? 1_000_000_000 : 1_000_000
        let (seconds, fraction) = units.quotientAndRemainder(dividingBy: perSecond)
        return padded(seconds / 3600, 2) + ":" + padded(seconds / 60 % 60, 2) + ":"
            + padded(seconds % 60, 2) + "." + padded(fraction, digits)
    }

    private static func timestampText(_ units: Int64, digits: Int) -> String {
        let perDay: Int64 = digits == 9 ? 86_400_000_000_000 : 86_400_000_000
        let days = units.flooredQuotient(perDay)
        return CivilDate(daysSinceEpoch: Int(days)).text + "T"
            + timeText(units.flooredRemainder(perDay), digits: digits)
    }

    // MARK: - UUIDs and bytes

    /// The uuid of text like `f79c3e09-677c-4bbd-a479-3f349cb785e7`; nil when it is none.
    package static func uuid(_ text: String) -> Datum? {
        let utf8 = Array(text.utf8)
        guard utf8.count == 36 else { return nil }
        var value: UInt128 = 0
        for (index, byte) in utf8.enumerated() {
            if [8, 13, 18, 23].contains(index) {
                guard byte == UInt8(ascii: "-") else { return nil }
            } else {
                guard let digit = digit(byte) else { return nil }
                value = value << 4 | UInt128(digit)
            }
        }
        return .uuid(value)
    }

    private static let digits = Array("0123456789abcdef".utf8)

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }

    private static func uuidText(_ value: UInt128) -> String {
        var text: [UInt8] = []
        for index in 0..<32 {
            if [8, 12, 16, 20].contains(index) { text.append(UInt8(ascii: "-")) }
            text.append(digits[Int(truncatingIfNeeded: value >> (124 - index * 4)) & 15])
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static func hexadecimal(_ text: String) -> [UInt8]? {
        let utf8 = Array(text.utf8)
        guard utf8.count % 2 == 0 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(utf8.count / 2)
        for index in stride(from: 0, to: utf8.count, by: 2) {
            guard let high = digit(utf8[index]), let low = digit(utf8[index + 1]) else {
                return nil
            }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    private static func hexadecimalText(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}

/// Reads ISO 8601 dates, times and timestamps as the specification writes them.
private struct TimeScanner {
    private let utf8: [UInt8]
    private var at = 0

    init(_ text: String) {
        utf8 = Array(text.utf8)
    }

    var isAtEnd: Bool { at == utf8.count }

    mutating func scan(_ type: IcebergType) -> Datum? {
        switch type {
        case .date:
            guard let days = scanDate(), let date = Int32(exactly: days) else { return nil }
            return .date(date)
        case .time:
            return scanTime(digitsMax: 6).map { .time($0) }
        case .timestamp:
            return scanTimestamp(digitsMax: 6).map { .timestamp($0) }
        case .timestamptz:
            guard let micros = scanTimestamp(digitsMax: 6), scanUTC() else { return nil }
            return .timestamptz(micros)
        case .timestampNanos:
            return scanTimestamp(digitsMax: 9).map { .timestampNanos($0) }
        case .timestamptzNanos:
            guard let nanos = scanTimestamp(digitsMax: 9), scanUTC() else { return nil }
            return .timestamptzNanos(nanos)
        default: return nil
        }
    }

    private mutating func take(_ character: Character) -> Bool {
        guard at < utf8.count, utf8[at] == character.asciiValue else { return false }
        at += 1
        return true
    }

    private mutating func number(digits: ClosedRange<Int>) -> Int? {
        var value = 0
        let start = at
        while at < utf8.count, at - start < digits.upperBound, (0x30...0x39).contains(utf8[at]) {
            value = value * 10 + Int(utf8[at] - 0x30)
            at += 1
        }
        return digits.contains(at - start) ? value : nil
    }

    private mutating func scanDate() -> Int? {
        let isNegative = take("-")
        let isLong = !isNegative && take("+")
        guard let year = number(digits: isNegative || isLong ? 4...9 : 4...4), take("-"),
            let month = number(digits: 2...2), take("-"), let day = number(digits: 2...2)
        else { return nil }
        let date = CivilDate(year: isNegative ? -year : year, month: month, day: day)
        return date.isValid ? date.daysSinceEpoch : nil
    }

    private mutating func scanTime(digitsMax: Int) -> Int64? {
        guard let hour = number(digits: 2...2), hour < 24, take(":"),
            let minute = number(digits: 2...2), minute < 60
        else { return nil }
        var second = 0
        var fraction = 0
        if take(":") {
            guard let value = number(digits: 2...2), value < 60 else { return nil }
            second = value
            if take(".") {
                let start = at
                guard let value = number(digits: 1...digitsMax) else { return nil }
                fraction = value
                for _ in (at - start)..<digitsMax { fraction *= 10 }
            }
        }
        let perSecond = digitsMax == 9 ? 1_000_000_000 : 1_000_000
        return Int64((hour * 3600 + minute * 60 + second) * perSecond + fraction)
    }

    private mutating func scanTimestamp(digitsMax: Int) -> Int64? {
        guard let days = scanDate(), take("T"), let time = scanTime(digitsMax: digitsMax) else {
            return nil
        }
        // In 128 bits: the midnight before the first nanosecond does not fit 64.
        let perDay: Int128 = digitsMax == 9 ? 86_400_000_000_000 : 86_400_000_000
        return Int64(exactly: Int128(days) * perDay + Int128(time))
    }

    private mutating func scanUTC() -> Bool {
        if take("Z") { return true }
        for character in "+00:00" where !take(character) { return false }
        return true
    }
}
