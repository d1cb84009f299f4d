import Bytes
import Columnar

/// Text on its way out: grows, and gives up what it holds.
final class OutputBuffer {
    private var memory: UnsafeMutablePointer<UInt8>
    private var capacity: Int
    private(set) var count = 0

    init() {
        capacity = 1 << 14
        memory = .allocate(capacity: capacity)
    }

    deinit {
        memory.deallocate()
    }

    /// Room for `added` more bytes.
    @inline(__always)
    func reserve(_ added: Int) {
        if count &+ added > capacity { grow(added) }
    }

    @inline(never)
    private func grow(_ added: Int) {
        let newCapacity = max(capacity * 2, count + added)
        let newMemory = UnsafeMutablePointer<UInt8>.allocate(capacity: newCapacity)
        newMemory.update(from: memory, count: count)
        memory.deallocate()
        (memory, capacity) = (newMemory, newCapacity)
    }

    @inline(__always)
    func append(_ byte: UInt8) {
        reserve(1)
        memory[count] = byte
        count &+= 1
    }

    @inline(__always)
    func append(_ bytes: UnsafePointer<UInt8>, _ byteCount: Int) {
        reserve(byteCount)
        (memory + count).update(from: bytes, count: byteCount)
        count &+= byteCount
    }

    func append(_ text: StaticString) {
        append(text.utf8Start, text.utf8CodeUnitCount)
    }

    func append(_ text: String) {
        var text = text
        text.withUTF8 { if let base = $0.baseAddress { append(base, $0.count) } }
    }

    func append(_ bytes: [UInt8]) {
        bytes.withUnsafeBufferPointer { if let base = $0.baseAddress { append(base, $0.count) } }
    }

    /// What was written since `start`.
    func bytes(from start: Int) -> UnsafeBufferPointer<UInt8> {
        UnsafeBufferPointer(start: memory + start, count: count - start)
    }

    /// Forgets what was written since `start`.
    func truncate(to start: Int) {
        count = start
    }

    /// All bytes; the buffer is empty afterwards.
    func take() -> [UInt8] {
        defer { count = 0 }
        return Array(UnsafeBufferPointer(start: memory, count: count))
    }

    // MARK: Numbers

    func append(decimal value: UInt64) {
        reserve(20)
        var rest = value
        var length = 1
        var bound: UInt64 = 10
        while rest >= bound {
            length &+= 1
            if length == 20 { break }
            bound &*= 10
        }
        var at = count &+ length
        count = at
        repeat {
            at &-= 1
            memory[at] = UInt8(truncatingIfNeeded: rest % 10) &+ 48
            rest /= 10
        } while rest != 0
    }

    func append(decimal value: Int64) {
        if value < 0 { append(UInt8(ascii: "-")) }
        append(decimal: value.magnitude)
    }

    /// A number filled up with zeros to `width` digits.
    @inline(__always)
    func append(padded value: Int, width: Int) {
        reserve(width)
        var rest = value
        var at = count &+ width
        while at > count {
            at &-= 1
            memory[at] = UInt8(truncatingIfNeeded: rest % 10) &+ 48
            rest /= 10
        }
        count &+= width
    }

    /// The digits of a decimal with the point `scale` places from the right.
    func append(digits: Int128, scale: Int) {
        if digits < 0 { append(UInt8(ascii: "-")) }
        if let small = UInt64(exactly: digits.magnitude), scale == 0 {
            append(decimal: small)
            return
        }
        var reversed: [UInt8] = []
        var rest = digits.magnitude
        while rest != 0 || reversed.count <= scale {
            reversed.append(UInt8(truncatingIfNeeded: rest % 10) + 48)
            rest /= 10
        }
        for index in reversed.indices.reversed() {
            append(reversed[index])
            if index == scale, scale > 0 { append(UInt8(ascii: ".")) }
        }
    }

    /// The shortest digits that read back as the same number; `NaN`, `Infinity`, `-Infinity`.
    func append(_ value: Double) {
        if value.isFinite {
            append(value.description)
        } else if value.isNaN {
            append("NaN" as StaticString)
        } else {
            append(value < 0 ? "-Infinity" : "Infinity" as StaticString)
        }
    }

    /// The shortest digits that read back as the same number; `NaN`, `Infinity`, `-Infinity`.
    func append(_ value: Float) {
        if value.isFinite { append(value.description) } else { append(Double(value)) }
    }

    // MARK: Dates and times

    func append(date days: Int) {
        // The inverse of `FieldParsing.days`, by eras of 400 years that begin in March.
        let shifted = days &+ 719_468
        let era = (shifted >= 0 ? shifted : shifted &- 146_096) / 146_097
        let dayOfEra = shifted &- era &* 146_097
        let yearOfEra =
            (dayOfEra &- dayOfEra / 1460 &+ dayOfEra / 36_524 &- dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra &- (365 &* yearOfEra &+ yearOfEra / 4 &- yearOfEra / 100)
        let monthFromMarch = (5 &* dayOfYear &+ 2) / 153
        let day = dayOfYear &- (153 &* monthFromMarch &+ 2) / 5 &+ 1
        let month = monthFromMarch < 10 ? monthFromMarch &+ 3 : monthFromMarch &- 9
        let year = yearOfEra &+ era &* 400 &+ (month <= 2 ? 1 : 0)
        if year >= 0, year <= 9999 {
            append(padded: year, width: 4)
        } else {
            append(UInt8(ascii: year < 0 ? "-" : "+"))
            let magnitude = Int(year.magnitude)
            append(padded: magnitude, width: max(4, String(magnitude).utf8.count))
        }
        append(UInt8(ascii: "-"))
        append(padded: month, width: 2)
        append(UInt8(ascii: "-"))
        append(padded: day, width: 2)
    }

    /// A time of day, with three or six digits of a fraction when there is one.
    func append(time micros: Int64) {
        let seconds = Int(micros / 1_000_000)
        let fraction = Int(micros % 1_000_000)
        append(padded: seconds / 3600, width: 2)
        append(UInt8(ascii: ":"))
        append(padded: seconds / 60 % 60, width: 2)
        append(UInt8(ascii: ":"))
        append(padded: seconds % 60, width: 2)
        if fraction == 0 { return }
        append(UInt8(ascii: "."))
        if fraction % 1000 == 0 {
            append(padded: fraction / 1000, width: 3)
        } else {
            append(padded: fraction, width: 6)
        }
    }

    func append(timestamp micros: Int64) {
        var (days, rest) = micros.quotientAndRemainder(dividingBy: FieldParsing.microsPerDay)
        if rest < 0 {
            days -= 1
            rest += FieldParsing.microsPerDay
        }
        append(date: Int(days))
        append(UInt8(ascii: "T"))
        append(time: rest)
    }

    /// An ISO 8601 duration; every part has its own sign.
    func append(_ interval: Interval) {
        append(UInt8(ascii: "P"))
        func part(_ value: Int64, _ letter: Unicode.Scalar) {
            if value == 0 { return }
            append(decimal: value)
            append(UInt8(ascii: letter))
        }
        part(Int64(interval.months / 12), "Y")
        part(Int64(interval.months % 12), "M")
        part(Int64(interval.days), "D")
        let isEmpty = interval.months == 0 && interval.days == 0
        if interval.micros == 0, !isEmpty { return }
        append(UInt8(ascii: "T"))
        part(interval.micros / 3_600_000_000, "H")
        part(interval.micros / 60_000_000 % 60, "M")
        let rest = interval.micros % 60_000_000
        if rest == 0, interval.micros != 0 { return }
        if rest < 0 { append(UInt8(ascii: "-")) }
        append(decimal: (rest / 1_000_000).magnitude)
        let fraction = Int((rest % 1_000_000).magnitude)
        if fraction != 0 {
            append(UInt8(ascii: "."))
            append(padded: fraction, width: 6)
        }
        append(UInt8(ascii: "S"))
    }

    // MARK: Bytes

    private static let hexDigits: [UInt8] = Array("0123456789abcdef".utf8)

    func append(hex bytes: UnsafeBufferPointer<UInt8>) {
        for byte in bytes {
            append(Self.hexDigits[Int(byte >> 4)])
            append(Self.hexDigits[Int(byte & 15)])
        }
    }

    func append(uuid bits: Int128) {
        for (index, byte) in UUIDBits.bytes(fromOrdered: bits).enumerated() {
            if index == 4 || index == 6 || index == 8 || index == 10 { append(UInt8(ascii: "-")) }
            append(Self.hexDigits[Int(byte >> 4)])
            append(Self.hexDigits[Int(byte & 15)])
        }
    }

    /// RFC 4648, section 4, with padding.
    func append(base64 bytes: UnsafeBufferPointer<UInt8>) {
        append(base64Encoded(UnsafeRawBufferPointer(bytes)))
    }

    /// Text as a JSON string; broken UTF-8 does not occur in string columns.
    func append(jsonString bytes: UnsafeBufferPointer<UInt8>) {
        append(UInt8(ascii: "\""))
        guard let base = bytes.baseAddress else {
            append(UInt8(ascii: "\""))
            return
        }
        var start = 0
        for index in 0..<bytes.count {
            let byte = base[index]
            if byte >= 0x20, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") { continue }
            append(base + start, index - start)
            start = index + 1
            append(UInt8(ascii: "\\"))
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): append(byte)
            case 10: append(UInt8(ascii: "n"))
            case 13: append(UInt8(ascii: "r"))
            case 9: append(UInt8(ascii: "t"))
            case 8: append(UInt8(ascii: "b"))
            case 12: append(UInt8(ascii: "f"))
            default:
                append("u00" as StaticString)
                append(Self.hexDigits[Int(byte >> 4)])
                append(Self.hexDigits[Int(byte & 15)])
            }
        }
        append(base + start, bytes.count - start)
        append(UInt8(ascii: "\""))
    }
}
