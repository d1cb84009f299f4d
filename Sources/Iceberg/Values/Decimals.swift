/// Arithmetic on decimals of up to 38 digits, held as 128-bit unscaled values.
enum Decimals {
    /// Ten to the power of 0 to 38.
    static let powers: [Int128] = {
        var powers: [Int128] = [1]
        for _ in 0..<38 { powers.append((powers.last ?? 1) * 10) }
        return powers
    }()

    /// How many decimal digits the magnitude has; 1 for zero.
    static func digitCount(_ unscaled: Int128) -> Int {
        let magnitude = unscaled.magnitude
        var count = 1
        while count < powers.count, magnitude >= powers[count].magnitude { count += 1 }
        return count
    }

    /// Compares by value; scales may be anything.
    static func compare(
        _ left: Int128,
        _ leftScale: Int,
        _ right: Int128,
        _ rightScale: Int
    ) -> Int {
        if leftScale == rightScale { return left < right ? -1 : left > right ? 1 : 0 }
        if leftScale > rightScale { return -compare(right, rightScale, left, leftScale) }
        // Bring left to right's larger scale; when that overflows, left is the larger in magnitude.
        let shift = rightScale - leftScale
        if left == 0 { return right > 0 ? -1 : right < 0 ? 1 : 0 }
        guard shift < powers.count else { return left < 0 ? -1 : 1 }
        let (scaled, overflow) = left.multipliedReportingOverflow(by: powers[shift])
        if overflow { return left < 0 ? -1 : 1 }
        return scaled < right ? -1 : scaled > right ? 1 : 0
    }

    /// `123.4500`, `2`, and `2E+20` for a negative scale.
    static func text(_ unscaled: Int128, scale: Int) -> String {
        let digits = String(unscaled.magnitude)
        let sign = unscaled < 0 ? "-" : ""
        if scale == 0 { return sign + digits }
        if scale < 0 { return sign + digits + "E+\(-scale)" }
        let padding = String(repeating: "0", count: max(0, scale + 1 - digits.count))
        let padded = padding + digits
        return sign + padded.dropLast(scale) + "." + padded.suffix(scale)
    }

    /// Reads such text into an unscaled value of exactly this scale; nil when that loses digits.
    static func parse(_ text: String, scale: Int) -> Int128? {
        var rest = text[...]
        var exponent = 0
        if let mark = rest.firstIndex(where: { $0 == "E" || $0 == "e" }) {
            guard let value = Int32(rest[rest.index(after: mark)...]) else { return nil }
            exponent = Int(value)
            rest = rest[..<mark]
        }
        let isNegative = rest.first == "-"
        if isNegative || rest.first == "+" { rest = rest.dropFirst() }
        var digits = ""
        var fraction = 0
        var seenPoint = false
        for character in rest {
            if character == ".", !seenPoint {
                seenPoint = true
            } else if character.isASCII, character.isNumber, digits.utf8.count < 100 {
                digits.append(character)
                if seenPoint { fraction += 1 }
            } else {
                return nil
            }
        }
        guard !digits.isEmpty else { return nil }
        // The value is digits times ten to the power of exponent - fraction.
        let shift = scale - fraction + exponent
        if shift < 0 {
            guard -shift <= digits.utf8.count, digits.suffix(-shift).allSatisfy({ $0 == "0" })
            else {
                return digits.allSatisfy { $0 == "0" } ? 0 : nil
            }
            digits.removeLast(-shift)
            if digits.isEmpty { digits = "0" }
        }
        guard var value = Int128(digits) else { return nil }
        if shift > 0, value != 0 {
            guard shift < powers.count else { return nil }
            let (scaled, overflow) = value.multipliedReportingOverflow(by: powers[shift])
            if overflow { return nil }
            value = scaled
        }
        guard digitCount(value) <= IcebergType.precisionMax else { return nil }
        return isNegative ? -value : value
    }

    /// The fewest bytes of two's complement, most significant first, that hold the value.
    static func minimalBigEndian(_ unscaled: Int128) -> [UInt8] {
        // Bits needed: the magnitude's and one for the sign.
        let bits =
            128 - (unscaled < 0 ? (~unscaled).leadingZeroBitCount : unscaled.leadingZeroBitCount)
        let count = bits / 8 + 1
        return (0..<count).reversed().map { UInt8(truncatingIfNeeded: unscaled >> ($0 * 8)) }
    }

    /// Reads two's complement, most significant byte first; nil for none or more than sixteen bytes.
    static func bigEndian(_ bytes: some Collection<UInt8>) -> Int128? {
        guard let first = bytes.first, bytes.count <= 16 else { return nil }
        var value: Int128 = first >= 0x80 ? -1 : 0
        for byte in bytes { value = value << 8 | Int128(byte) }
        return value
    }

    /// The bytes a fixed needs to hold any decimal of this precision.
    static func bytesNeeded(precision: Int) -> Int {
        guard precision > 0, precision < powers.count else { return 16 }
        return minimalBigEndian(powers[precision] - 1).count
    }
}
