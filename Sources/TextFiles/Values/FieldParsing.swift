/// Values from the bytes of a field.
///
/// Every function takes `count` bytes at `bytes` and wants the whole of them to be the value. Eight
/// more bytes behind them must be readable (their content does not matter), so that words can be
/// loaded whole: the readers' input buffers are padded.
enum FieldParsing {
    typealias Bytes = UnsafePointer<UInt8>

    @inline(__always)
    static func word(_ bytes: Bytes) -> UInt64 {
        UInt64(littleEndian: UnsafeRawPointer(bytes).loadUnaligned(as: UInt64.self))
    }

    /// The number that 8 digits in memory order say; nil when one is not a digit.
    @inline(__always)
    private static func eightDigits(_ word: UInt64) -> UInt64? {
        let low = word &- 0x3030_3030_3030_3030
        let isDigits =
            ((word &+ 0x4646_4646_4646_4646) | low) & 0x8080_8080_8080_8080 == 0
        guard isDigits else { return nil }
        let pairs = (low &* 10) &+ (low &>> 8)
        let first = (pairs & 0x0000_00FF_0000_00FF) &* 0x000F_4240_0000_0064
        let second = ((pairs &>> 16) & 0x0000_00FF_0000_00FF) &* 0x0000_2710_0000_0001
        return (first &+ second) &>> 32
    }

    /// Up to 16 digits without a sign.
    @inline(__always)
    private static func digits(_ bytes: Bytes, _ count: Int) -> UInt64? {
        if count <= 8 {
            guard count > 0 else { return nil }
            // Digits move to the top, zeros fill the front.
            let shift = UInt64(truncatingIfNeeded: 64 &- 8 &* count)
            let zeros = 0x3030_3030_3030_3030 as UInt64
            let fill = count == 8 ? 0 : zeros &>> UInt64(truncatingIfNeeded: 8 &* count)
            return eightDigits((word(bytes) &<< shift) | fill)
        }
        guard let high = digits8(bytes, count &- 8),
            let low = eightDigits(word(bytes + (count &- 8)))
        else { return nil }
        return high &* 100_000_000 &+ low
    }

    @inline(__always)
    private static func digits8(_ bytes: Bytes, _ count: Int) -> UInt64? {
        let shift = UInt64(truncatingIfNeeded: 64 &- 8 &* count)
        let zeros = 0x3030_3030_3030_3030 as UInt64
        let fill = count == 8 ? 0 : zeros &>> UInt64(truncatingIfNeeded: 8 &* count)
        return eightDigits((word(bytes) &<< shift) | fill)
    }

    /// A decimal integer with an optional sign.
    @inline(__always)
    static func int64(_ bytes: Bytes, _ count: Int) -> Int64? {
        guard count > 0 else { return nil }
        let first = bytes[0]
        let signed = first == UInt8(ascii: "-") || first == UInt8(ascii: "+")
        let start = signed ? 1 : 0
        let digitCount = count &- start
        if digitCount <= 16 {
            guard let magnitude = digits(bytes + start, digitCount) else { return nil }
            let value = Int64(truncatingIfNeeded: magnitude)
            return first == UInt8(ascii: "-") ? 0 &- value : value
        }
        return longInt64(bytes, count)
    }

    @inline(never)
    private static func longInt64(_ bytes: Bytes, _ count: Int) -> Int64? {
        let isNegative = bytes[0] == UInt8(ascii: "-")
        var index = isNegative || bytes[0] == UInt8(ascii: "+") ? 1 : 0
        var value: Int64 = 0
        while index < count {
            let digit = bytes[index] &- 48
            guard digit < 10 else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let step = Int64(digit)
            let (sum, sumOverflow) =
                isNegative
                ? product.subtractingReportingOverflow(step)
                : product.addingReportingOverflow(step)
            guard !overflow, !sumOverflow else { return nil }
            value = sum
            index &+= 1
        }
        return value
    }

    @inline(__always)
    static func int32(_ bytes: Bytes, _ count: Int) -> Int32? {
        guard let value = int64(bytes, count) else { return nil }
        return Int32(exactly: value)
    }

    private static let powersOfTen: [Double] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
        1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
    ]

    /// A number with optional sign, point and exponent, or `inf`, `infinity`, `nan` in any case.
    static func double(_ bytes: Bytes, _ count: Int) -> Double? {
        guard count > 0 else { return nil }
        var index = 0
        let isNegative = bytes[0] == UInt8(ascii: "-")
        if isNegative || bytes[0] == UInt8(ascii: "+") { index = 1 }
        var mantissa: UInt64 = 0
        var significant = 0
        var exponent = 0
        var digitCount = 0
        var isCut = false
        while index < count {
            let digit = bytes[index] &- 48
            if digit >= 10 { break }
            if significant < 19 {
                mantissa = mantissa &* 10 &+ UInt64(digit)
                significant &+= mantissa == 0 ? 0 : 1
            } else {
                exponent &+= 1
                isCut = true
            }
            digitCount &+= 1
            index &+= 1
        }
        if index < count, bytes[index] == UInt8(ascii: ".") {
            index &+= 1
            while index < count {
                let digit = bytes[index] &- 48
                if digit >= 10 { break }
                if significant < 19 {
                    mantissa = mantissa &* 10 &+ UInt64(digit)
                    significant &+= mantissa == 0 ? 0 : 1
                    exponent &-= 1
                } else {
                    isCut = true
                }
                digitCount &+= 1
                index &+= 1
            }
        }
        guard digitCount > 0 else { return special(bytes, count) }
        if index < count, bytes[index] | 0x20 == UInt8(ascii: "e") {
            guard let stated = statedExponent(bytes + (index + 1), count - index - 1) else {
                return nil
            }
            exponent &+= stated
            index = count
        }
        guard index == count else { return nil }
        if !isCut, mantissa < 1 << 53, exponent >= -22, exponent <= 22 {
            // Both sides are exact, so one rounding gives the nearest double.
            let magnitude = Double(mantissa)
            let power = powersOfTen[exponent < 0 ? 0 &- exponent : exponent]
            let value = exponent < 0 ? magnitude / power : magnitude * power
            return isNegative ? -value : value
        }
        return Double(
            String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
        )
    }

    /// The nearest float to what the text says.
    static func float(_ bytes: Bytes, _ count: Int) -> Float? {
        guard let value = double(bytes, count) else { return nil }
        // A double that lies in the middle between two floats may have been rounded to get there.
        if value.bitPattern & 0x1FFF_FFFF == 0x1000_0000 {
            let text = UnsafeBufferPointer(start: bytes, count: count)
            return Float(String(decoding: text, as: UTF8.self))
        }
        return Float(value)
    }

    private static func statedExponent(_ bytes: Bytes, _ count: Int) -> Int? {
        guard count > 0 else { return nil }
        let isNegative = bytes[0] == UInt8(ascii: "-")
        var index = isNegative || bytes[0] == UInt8(ascii: "+") ? 1 : 0
        guard index < count else { return nil }
        var value = 0
        while index < count {
            let digit = bytes[index] &- 48
            guard digit < 10 else { return nil }
            value = min(value &* 10 &+ Int(digit), 1_000_000)
            index &+= 1
        }
        return isNegative ? -value : value
    }

    private static func special(_ bytes: Bytes, _ count: Int) -> Double? {
        let isNegative = bytes[0] == UInt8(ascii: "-")
        let start = isNegative || bytes[0] == UInt8(ascii: "+") ? 1 : 0
        let name = bytes + start
        let nameCount = count - start
        if equalsLowercased(name, nameCount, "inf") || equalsLowercased(name, nameCount, "infinity")
        {
            return isNegative ? -.infinity : .infinity
        }
        return equalsLowercased(name, nameCount, "nan") ? .nan : nil
    }

    static func equalsLowercased(_ bytes: Bytes, _ count: Int, _ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        let other = text.utf8Start
        for index in 0..<count where bytes[index] | 0x20 != other[index] { return false }
        return true
    }

    /// `true` or `false` in any case.
    static func booleanWord(_ bytes: Bytes, _ count: Int) -> Bool? {
        if equalsLowercased(bytes, count, "true") { return true }
        return equalsLowercased(bytes, count, "false") ? false : nil
    }

    /// The words, and what else PostgreSQL takes for a boolean: t, f, yes, no, y, n, on, off, 1, 0.
    static func boolean(_ bytes: Bytes, _ count: Int) -> Bool? {
        if let word = booleanWord(bytes, count) { return word }
        if count == 1 {
            switch bytes[0] {
            case UInt8(ascii: "1"), UInt8(ascii: "t"), UInt8(ascii: "T"), UInt8(ascii: "y"),
                UInt8(ascii: "Y"):
                return true
            case UInt8(ascii: "0"), UInt8(ascii: "f"), UInt8(ascii: "F"), UInt8(ascii: "n"),
                UInt8(ascii: "N"):
                return false
            default: return nil
            }
        }
        if equalsLowercased(bytes, count, "yes") || equalsLowercased(bytes, count, "on") {
            return true
        }
        if equalsLowercased(bytes, count, "no") || equalsLowercased(bytes, count, "off") {
            return false
        }
        return nil
    }

    /// A decimal's digits at `scale`; nil also when it does not fit `precision` digits exactly.
    static func decimal(_ bytes: Bytes, _ count: Int, precision: Int, scale: Int) -> Int128? {
        guard count > 0 else { return nil }
        let isNegative = bytes[0] == UInt8(ascii: "-")
        var index = isNegative || bytes[0] == UInt8(ascii: "+") ? 1 : 0
        // Where the mantissa ends and the exponent begins.
        var end = index
        while end < count, bytes[end] | 0x20 != UInt8(ascii: "e") { end &+= 1 }
        var exponent = 0
        if end < count {
            guard let stated = statedExponent(bytes + (end + 1), count - end - 1) else {
                return nil
            }
            exponent = stated
        }
        var pointAt = index
        while pointAt < end, bytes[pointAt] != UInt8(ascii: ".") { pointAt &+= 1 }
        let fractionCount = max(0, end - pointAt - 1)
        guard end - index - (pointAt < end ? 1 : 0) > 0 else { return nil }
        // The power of ten of the last digit, counted in units of the scale.
        var power = exponent - fractionCount + scale
        var lastIndex = end
        while power < 0, lastIndex > index {
            // Digits below the scale must be zeros.
            let byte = bytes[lastIndex - 1]
            if byte == UInt8(ascii: ".") {
                lastIndex -= 1
                continue
            }
            guard byte == UInt8(ascii: "0") else { return nil }
            lastIndex -= 1
            power += 1
        }
        var value: Int128 = 0
        let limit = powerOfTen(precision)
        var pointSeen = false
        while index < lastIndex {
            let byte = bytes[index]
            index += 1
            if byte == UInt8(ascii: "."), !pointSeen {
                pointSeen = true
                continue
            }
            let digit = byte &- 48
            guard digit < 10 else { return nil }
            value = value * 10 + Int128(digit)
            guard value < limit else { return nil }
        }
        if value != 0, power > 0 {
            for _ in 0..<power {
                value *= 10
                guard value < limit else { return nil }
            }
        }
        return isNegative ? -value : value
    }

    /// 10 to the power of `exponent`, 0 to 38.
    static func powerOfTen(_ exponent: Int) -> Int128 {
        var result: Int128 = 1
        for _ in 0..<min(38, max(0, exponent)) { result *= 10 }
        return result
    }

    @inline(__always)
    static func hexDigit(_ byte: UInt8) -> UInt8? {
        let digit = byte &- 48
        if digit < 10 { return digit }
        let letter = (byte | 0x20) &- UInt8(ascii: "a")
        return letter < 6 ? letter + 10 : nil
    }

    /// 32 hexadecimal digits with hyphens in the usual places or none at all.
    static func uuid(_ bytes: Bytes, _ count: Int) -> UInt128? {
        guard count == 36 || count == 32 else { return nil }
        var value: UInt128 = 0
        for index in 0..<count {
            if count == 36, index == 8 || index == 13 || index == 18 || index == 23 {
                guard bytes[index] == UInt8(ascii: "-") else { return nil }
                continue
            }
            guard let digit = hexDigit(bytes[index]) else { return nil }
            value = value << 4 | UInt128(digit)
        }
        return value
    }

    /// `\x` and an even number of hexadecimal digits.
    static func binary(_ bytes: Bytes, _ count: Int) -> [UInt8]? {
        guard count >= 2, count % 2 == 0, bytes[0] == UInt8(ascii: "\\"),
            bytes[1] | 0x20 == UInt8(ascii: "x")
        else { return nil }
        var result: [UInt8] = []
        result.reserveCapacity(count / 2 - 1)
        for index in stride(from: 2, to: count, by: 2) {
            guard let high = hexDigit(bytes[index]), let low = hexDigit(bytes[index + 1]) else {
                return nil
            }
            result.append(high << 4 | low)
        }
        return result
    }

    /// RFC 4648, section 4, with or without padding.
    static func base64(_ bytes: Bytes, _ count: Int) -> [UInt8]? {
        var end = count
        while end > 0, count - end < 2, bytes[end - 1] == UInt8(ascii: "=") { end -= 1 }
        guard end == count || count % 4 == 0, end % 4 != 1 else { return nil }
        var result: [UInt8] = []
        result.reserveCapacity(end * 3 / 4)
        var word: UInt32 = 0
        var bitCount = 0
        for index in 0..<end {
            let byte = bytes[index]
            let value: UInt8
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = byte - UInt8(ascii: "A")
            case UInt8(ascii: "a")...UInt8(ascii: "z"): value = byte - UInt8(ascii: "a") + 26
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = byte - UInt8(ascii: "0") + 52
            case UInt8(ascii: "+"): value = 62
            case UInt8(ascii: "/"): value = 63
            default: return nil
            }
            word = word << 6 | UInt32(value)
            bitCount += 6
            if bitCount >= 8 {
                bitCount -= 8
                result.append(UInt8(truncatingIfNeeded: word >> UInt32(bitCount)))
            }
        }
        return result
    }
}
