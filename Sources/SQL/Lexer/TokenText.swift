/// What tokens mean: names without quotes, strings without escapes, plain digits.
struct TokenText {
    let bytes: [UInt8]

    /// The token as it was written.
    func source(_ token: Token) -> String {
        String(decoding: bytes[token.range], as: UTF8.self)
    }

    /// The name of an identifier or keyword token.
    @inline(never)
    func name(_ token: Token) -> String {
        guard token.kind == .quotedIdentifier else { return source(token) }
        let inner = token.range.dropFirst().dropLast()
        return undoubled(inner, quote: bytes[token.range.lowerBound])
    }

    /// The value of a string token; or a reason when an escape is wrong.
    func string(_ token: Token, form: Token.StringForm) -> Result<String, EscapeError> {
        let range = token.range
        switch form {
        case .plain:
            let inner = bytes[range.dropFirst().dropLast()]
            return .success(String(decoding: inner, as: UTF8.self))
        case .doubled:
            return .success(undoubled(range.dropFirst().dropLast(), quote: 0x27))
        case .escaped:
            return unescaped(range.dropFirst(2).dropLast())
        case .dollar:
            var tag = 1
            while bytes[range.lowerBound + tag] != 0x24 { tag += 1 }
            let inner = bytes[range.dropFirst(tag + 1).dropLast(tag + 1)]
            return .success(String(decoding: inner, as: UTF8.self))
        }
    }

    /// The bytes of `X'…'`; nil when they are not pairs of hexadecimal digits.
    func blob(_ token: Token) -> [UInt8]? {
        let digits = bytes[token.range.dropFirst(2).dropLast()]
        guard digits.count.isMultiple(of: 2) else { return nil }
        var result: [UInt8] = []
        result.reserveCapacity(digits.count / 2)
        var high: UInt8?
        for digit in digits {
            guard let value = Self.hexadecimal(digit) else { return nil }
            if let upper = high {
                result.append(upper << 4 | value)
                high = nil
            } else {
                high = value
            }
        }
        return result
    }

    /// The digits of a number without underscores.
    @inline(never)
    func number(_ token: Token) -> String {
        let digits = bytes[token.range]
        guard digits.contains(0x5F) else { return String(decoding: digits, as: UTF8.self) }
        return String(decoding: digits.filter { $0 != 0x5F }, as: UTF8.self)
    }

    /// `0x1F` in decimal digits; nil when malformed or beyond 128 bits.
    func numberWithBase(_ token: Token) -> String? {
        let range = token.range
        let base: UInt128 =
            switch bytes[range.lowerBound + 1] | 0x20 {
            case 0x78: 16
            case 0x6F: 8
            default: 2
            }
        var value: UInt128 = 0
        var hasDigit = false
        for byte in bytes[range.dropFirst(2)] {
            if byte == 0x5F { continue }
            guard let digit = Self.hexadecimal(byte), UInt128(digit) < base else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: base)
            guard !overflow else { return nil }
            value = product + UInt128(digit)
            hasDigit = true
        }
        return hasDigit ? String(value) : nil
    }

    /// A wrong escape.
    struct EscapeError: Error {
        var message: String
    }

    private func undoubled(_ range: Range<Int>, quote: UInt8) -> String {
        var result: [UInt8] = []
        result.reserveCapacity(range.count)
        var index = range.lowerBound
        while index < range.upperBound {
            result.append(bytes[index])
            // Inside the token quotes come in pairs only.
            index += bytes[index] == quote ? 2 : 1
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func hexadecimal(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }

    private func unescaped(_ range: Range<Int>) -> Result<String, EscapeError> {
        var result: [UInt8] = []
        result.reserveCapacity(range.count)
        var index = range.lowerBound
        while index < range.upperBound {
            let byte = bytes[index]
            if byte == 0x27 {
                result.append(byte)
                index += 2
                continue
            }
            guard byte == 0x5C, index + 1 < range.upperBound else {
                result.append(byte)
                index += 1
                continue
            }
            switch escape(at: index, end: range.upperBound) {
            case .success(let (value, length)):
                result += value
                index += length
            case .failure(let error):
                return .failure(error)
            }
        }
        guard let text = String(validating: result, as: UTF8.self) else {
            return .failure(
                EscapeError(message: "the string is not valid UTF-8")
            )
        }
        return .success(text)
    }

    /// The bytes that the escape at `index` stands for, and its length.
    private func escape(at index: Int, end: Int) -> Result<([UInt8], Int), EscapeError> {
        let letter = bytes[index + 1]
        switch letter {
        case 0x62: return .success(([0x08], 2))
        case 0x66: return .success(([0x0C], 2))
        case 0x6E: return .success(([0x0A], 2))
        case 0x72: return .success(([0x0D], 2))
        case 0x74: return .success(([0x09], 2))
        case 0x30...0x37:
            let (value, count) = escapedNumber(index + 1, end, base: 8, countMax: 3)
            return byteEscape(value, length: 1 + count, at: index)
        case 0x78:
            let (value, count) = escapedNumber(index + 2, end, base: 16, countMax: 2)
            guard count > 0 else { return .success(([letter], 2)) }
            return byteEscape(value, length: 2 + count, at: index)
        case 0x75, 0x55:
            let digitCount = letter == 0x75 ? 4 : 8
            let (value, count) = escapedNumber(index + 2, end, base: 16, countMax: digitCount)
            guard count == digitCount, value != 0, let scalar = Unicode.Scalar(value) else {
                let message = "a Unicode escape needs \(digitCount) digits of a valid character"
                return .failure(EscapeError(message: message))
            }
            return .success((Array(String(scalar).utf8), 2 + count))
        default:
            return .success(([letter], 2))
        }
    }

    private func byteEscape(
        _ value: UInt32,
        length: Int,
        at index: Int
    ) -> Result<([UInt8], Int), EscapeError> {
        guard (1...255).contains(value) else {
            let message = "an escape must stand for a byte between 1 and 255"
            return .failure(EscapeError(message: message))
        }
        return .success(([UInt8(value)], length))
    }

    private func escapedNumber(
        _ start: Int,
        _ end: Int,
        base: UInt32,
        countMax: Int
    ) -> (value: UInt32, count: Int) {
        var value: UInt32 = 0
        var count = 0
        while count < countMax, start + count < end,
            let digit = Self.hexadecimal(bytes[start + count]), UInt32(digit) < base
        {
            // At most eight hexadecimal digits: never more than 32 bits.
            value = value &* base &+ UInt32(digit)
            count += 1
        }
        return (value, count)
    }
}
