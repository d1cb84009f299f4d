/// Reads values from UTF-8 text, strictly: the whole text must be the value, without blanks around.
///
/// Every function gives nil for text that is not a value of the type, or whose value does not fit.
package enum TextParse {
    /// The text a value is read from.
    package typealias Bytes = UnsafeBufferPointer<UInt8>

    // MARK: Numbers

    /// A decimal integer with an optional sign.
    package static func int64(_ text: Bytes) -> Int64? {
        guard let (isNegative, start) = sign(text) else { return nil }
        var value: UInt64 = 0
        let count = text.count
        // 19 digits cannot overflow 64 unsigned bits.
        if count - start <= 19 {
            for index in start..<count {
                let digit = text[index] &- 48
                if digit > 9 { return nil }
                value = value &* 10 &+ UInt64(digit)
            }
        } else {
            for index in start..<count {
                let digit = text[index] &- 48
                if digit > 9 { return nil }
                let (product, overflow) = value.multipliedReportingOverflow(by: 10)
                let (sum, carry) = product.addingReportingOverflow(UInt64(digit))
                if overflow || carry { return nil }
                value = sum
            }
        }
        if isNegative {
            return value <= 1 << 63 ? Int64(truncatingIfNeeded: 0 &- value) : nil
        }
        return Int64(exactly: value)
    }

    /// A decimal integer of 32 bits.
    package static func int32(_ text: Bytes) -> Int32? {
        int64(text).flatMap { Int32(exactly: $0) }
    }

    /// Whether there is a minus, and where the digits begin; nil without digits.
    private static func sign(_ text: Bytes) -> (isNegative: Bool, start: Int)? {
        guard let first = text.first else { return nil }
        let hasSign = first == TextFormat.minus || first == TextFormat.plus
        if hasSign && text.count == 1 { return nil }
        return (first == TextFormat.minus, hasSign ? 1 : 0)
    }

    /// A decimal number as digits at `scale`: `[+-]digits[.digits][e[+-]digits]`.
    ///
    /// Digits beyond the scale are rounded, half away from zero; nil if more than `precision` digits
    /// would be needed.
    package static func decimal(_ text: Bytes, precision: Int, scale: Int) -> Int128? {
        guard let number = scan(text) else { return nil }
        // The value is digits * 10^(exponent); shift it to the scale.
        var digits = number.digits
        // More than 38 digits were cut (and counted into the exponent): no type holds them unless
        // they are behind the point.
        var shift = number.exponent + scale
        if digits == 0 { return 0 }
        while shift > 0 {
            let (product, overflow) = digits.multipliedReportingOverflow(by: 10)
            if overflow { return nil }
            digits = product
            shift -= 1
        }
        if shift < 0 {
            if shift < -39 { return 0 }
            while shift < -1 {
                digits /= 10
                shift += 1
            }
            digits = (digits + 5) / 10
        }
        var limit: UInt128 = 1
        for _ in 0..<precision { limit *= 10 }
        guard digits < limit else { return nil }
        return number.isNegative ? -Int128(digits) : Int128(digits)
    }

    private struct ScannedNumber {
        var isNegative = false
        var digits: UInt128 = 0
        /// The power of ten to multiply the digits with.
        var exponent = 0
        /// Whether digits were left out because there were too many.
        var isCut = false
    }

    /// Takes a number apart; nil if it is not one.
    ///
    /// Exponents are clamped to a few thousands.
    private static func scan(_ text: Bytes) -> ScannedNumber? {
        guard let (isNegative, start) = sign(text) else { return nil }
        var number = ScannedNumber(isNegative: isNegative)
        var index = start
        var digitCount = 0
        var sawPoint = false
        while index < text.count {
            let byte = text[index]
            if byte == TextFormat.point {
                if sawPoint { return nil }
                sawPoint = true
            } else {
                let digit = byte &- 48
                if digit > 9 { break }
                digitCount += 1
                if number.digits < 10_000_000_000_000_000_000_000_000_000_000_000_000 {
                    number.digits = number.digits * 10 + UInt128(digit)
                    if sawPoint { number.exponent -= 1 }
                } else {
                    if digit != 0 { number.isCut = true }
                    if !sawPoint { number.exponent += 1 }
                }
            }
            index += 1
        }
        if digitCount == 0 { return nil }
        if index == text.count { return number }
        guard text[index] | 0x20 == UInt8(ascii: "e") else { return nil }
        index += 1
        var exponentIsNegative = false
        if index < text.count,
            text[index] == TextFormat.minus || text[index] == TextFormat.plus
        {
            exponentIsNegative = text[index] == TextFormat.minus
            index += 1
        }
        guard index < text.count else { return nil }
        var exponent = 0
        while index < text.count {
            let digit = text[index] &- 48
            if digit > 9 { return nil }
            exponent = min(100_000, exponent * 10 + Int(digit))
            index += 1
        }
        number.exponent += exponentIsNegative ? -exponent : exponent
        return number
    }

    /// A floating point number, correctly rounded; also `inf`, `infinity` and `nan` in any case.
    package static func double(_ text: Bytes) -> Double? {
        guard let number = scan(text) else { return special(text) }
        // Both factors are exact, so the one operation rounds correctly.
        if !number.isCut, number.digits <= 1 << 53, abs(number.exponent) <= 22 {
            let digits = Double(UInt64(truncatingIfNeeded: number.digits))
            let power = exactPowers[abs(number.exponent)]
            let value = number.exponent < 0 ? digits / power : digits * power
            return number.isNegative ? -value : value
        }
        // The form is checked above; Swift's reader takes no `1.` and `.5`.
        guard let value = Double(normalForm(text)) else { return nil }
        return value.isInfinite ? nil : value
    }

    /// A floating point number rounded to 32 bits.
    package static func float(_ text: Bytes) -> Float? {
        guard scan(text) != nil else { return special(text).map { Float($0) } }
        guard let value = Float(normalForm(text)) else { return nil }
        return value.isInfinite ? nil : value
    }

    private static let exactPowers: [Double] = {
        var powers: [Double] = [1]
        for _ in 0..<22 { powers.append(powers[powers.count - 1] * 10) }
        return powers
    }()

    /// The number with digits on both sides of the point.
    private static func normalForm(_ text: Bytes) -> String {
        var form: [UInt8] = []
        var previousIsDigit = false
        for (index, byte) in text.enumerated() {
            let isDigit = byte &- 48 <= 9
            if byte == TextFormat.point {
                if !previousIsDigit { form.append(TextFormat.zero) }
                form.append(byte)
                if index + 1 == text.count || text[index + 1] &- 48 > 9 {
                    form.append(TextFormat.zero)
                }
            } else {
                form.append(byte)
            }
            previousIsDigit = isDigit
        }
        return String(decoding: form, as: UTF8.self)
    }

    private static func special(_ text: Bytes) -> Double? {
        guard text.count <= 9, let (isNegative, start) = sign(text) else { return nil }
        let word = lowercased(text[start...])
        switch word {
        case "inf", "infinity": return isNegative ? -Double.infinity : .infinity
        case "nan": return .nan
        default: return nil
        }
    }

    /// `true`, `t`, `yes`, `y`, `on`, `1` and their opposites, in any case.
    package static func boolean(_ text: Bytes) -> Bool? {
        guard text.count <= 5 else { return nil }
        switch lowercased(text[...]) {
        case "true", "t", "yes", "y", "on", "1": return true
        case "false", "f", "no", "n", "off", "0": return false
        default: return nil
        }
    }

    static func lowercased(_ text: Slice<Bytes>) -> String {
        String(
            decoding: text.map { $0 >= 65 && $0 <= 90 ? $0 | 0x20 : $0 },
            as: UTF8.self
        )
    }

    /// 32 hexadecimal digits, with hyphens as usual or without any, perhaps in braces.
    package static func uuid(_ text: Bytes) -> Int128? {
        var text = text[...]
        if text.first == UInt8(ascii: "{"), text.last == UInt8(ascii: "}"), text.count > 2 {
            text = text.dropFirst().dropLast()
        }
        guard text.count == 36 || text.count == 32 else { return nil }
        let hasHyphens = text.count == 36
        var raw: UInt128 = 0
        for (index, byte) in text.enumerated() {
            if hasHyphens, index == 8 || index == 13 || index == 18 || index == 23 {
                if byte != TextFormat.minus { return nil }
                continue
            }
            guard let digit = hexValue(byte) else { return nil }
            raw = raw << 4 | UInt128(digit)
        }
        return UUIDBits.ordered(fromBigEndian: raw)
    }

    static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 48...57: byte - 48
        case 65...70: byte - 55
        case 97...102: byte - 87
        default: nil
        }
    }

    /// Bytes as `TextFormat.appendBinary` writes them.
    package static func binary(_ text: Bytes) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count)
        var index = 0
        while index < text.count {
            let byte = text[index]
            if byte != UInt8(ascii: "\\") {
                if byte >= 0x80 { return nil }
                bytes.append(byte)
                index += 1
                continue
            }
            guard index + 3 < text.count, text[index + 1] == UInt8(ascii: "x"),
                let high = hexValue(text[index + 2]), let low = hexValue(text[index + 3])
            else { return nil }
            bytes.append(high << 4 | low)
            index += 4
        }
        return bytes
    }
}
