import Bytes
package import Columnar

/// Bytes as text and back: hexadecimal, binary, base64, percent-encoding, UTF-8.
package enum TextEncoding {
    static func lowerDigit(_ value: UInt8) -> UInt8 { value < 10 ? 48 + value : 87 + value }
    static func upperDigit(_ value: UInt8) -> UInt8 { value < 10 ? 48 + value : 55 + value }

    static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 48...57: byte - 48
        case 65...70: byte - 55
        case 97...102: byte - 87
        default: nil
        }
    }

    private static func shown(_ text: UTF8Text.Bytes) -> String {
        "'" + String(decoding: text.prefix(100), as: UTF8.self) + "'"
    }

    // MARK: Hexadecimal and binary

    /// Text or bytes, two digits a byte; integers (as 64 bits, negative ones in two's complement)
    /// without leading zeros.
    package static func hex(_ column: Column) throws(KernelError) -> Column {
        try digits(column, bits: 4)
    }

    /// As `hex`, in digits of one bit.
    package static func bin(_ column: Column) throws(KernelError) -> Column {
        try digits(column, bits: 1)
    }

    private static func digits(_ column: Column, bits: Int) throws(KernelError) -> Column {
        let mask = UInt64(1) << UInt64(bits) - 1
        if column.type.isInteger {
            return try Rowwise.texts([column], "i") { arguments, row, result in
                let value = UInt64(bitPattern: arguments.int64(0, row))
                let used = max(1, (64 - value.leadingZeroBitCount + bits - 1) / bits)
                for index in (0..<used).reversed() {
                    let digit = value >> UInt64(index * bits) & mask
                    result.append(upperDigit(UInt8(truncatingIfNeeded: digit)))
                }
            }
        }
        return try Rowwise.texts([column], "t") { arguments, row, result in
            for byte in arguments.text(0, row) {
                for shift in stride(from: 8 - bits, through: 0, by: -bits) {
                    result.append(upperDigit(byte >> UInt8(shift) & UInt8(mask)))
                }
            }
        }
    }

    /// The bytes that hexadecimal digits stand for; an odd first digit is a byte of its own.
    package static func unhex(_ column: Column) throws(KernelError) -> Column {
        try Rowwise.texts([column], "t", to: .binary) {
            (arguments, row, result) throws(KernelError) in
            let text = arguments.text(0, row)
            var high: UInt8? = text.count % 2 == 1 ? 0 : nil
            for byte in text {
                guard let digit = hexValue(byte) else {
                    throw KernelError(.invalidCast, "\(shown(text)) is not hexadecimal")
                }
                if let first = high {
                    result.append(first << 4 | digit)
                    high = nil
                } else {
                    high = digit
                }
            }
        }
    }

    /// The bytes that binary digits stand for; missing digits of the first byte are zeros.
    package static func unbin(_ column: Column) throws(KernelError) -> Column {
        try Rowwise.texts([column], "t", to: .binary) {
            (arguments, row, result) throws(KernelError) in
            let text = arguments.text(0, row)
            var value: UInt8 = 0
            for (index, byte) in text.enumerated() {
                guard byte == 48 || byte == 49 else {
                    throw KernelError(.invalidCast, "\(shown(text)) is not binary")
                }
                value = value << 1 | (byte - 48)
                if (text.count - index - 1) % 8 == 0 {
                    result.append(value)
                    value = 0
                }
            }
        }
    }

    /// A number that is not negative in digits of a radix of 2 to 36, with zeros in front up to
    /// `width`.
    package static func base(
        _ column: Column,
        radix: Column,
        width: Column?
    ) throws(KernelError) -> Column {
        let width = width ?? .constant(.int64(0), .int64, count: column.count)
        return try Rowwise.texts([column, radix, width], "iii") {
            (arguments, row, result) throws(KernelError) in
            let value = arguments.int64(0, row)
            let radix = arguments.int64(1, row)
            let width = arguments.int64(2, row)
            guard value >= 0 else {
                throw KernelError(.outOfRange, "to_base needs a number from 0, not \(value)")
            }
            guard (2...36).contains(radix) else {
                throw KernelError(.outOfRange, "a radix is from 2 to 36, not \(radix)")
            }
            guard (0...64).contains(width) else {
                throw KernelError(.outOfRange, "to_base gives 0 to 64 digits, not \(width)")
            }
            var rest = value
            repeat {
                let digit = UInt8(truncatingIfNeeded: rest % radix)
                result.append(upperDigit(digit))
                rest /= radix
            } while rest > 0
            while result.count < width { result.append(48) }
            result.reverse()
        }
    }

    // MARK: Base64

    /// Bytes in base64 (RFC 4648), with padding.
    package static func toBase64(_ column: Column) throws(KernelError) -> Column {
        try Rowwise.texts([column], "t") { arguments, row, result in
            result += base64Encoded(UnsafeRawBufferPointer(arguments.text(0, row)))
        }
    }

    /// The bytes that base64 stands for.
    package static func fromBase64(_ column: Column) throws(KernelError) -> Column {
        try Rowwise.texts([column], "t", to: .binary) {
            (arguments, row, result) throws(KernelError) in
            let text = arguments.text(0, row)
            var padding = 0
            while padding < 2, padding < text.count, text[text.count - 1 - padding] == 61 {
                padding += 1
            }
            guard text.count % 4 == 0 else {
                throw KernelError(
                    .invalidCast,
                    "\(shown(text)) is not base64: its length is no multiple of 4"
                )
            }
            var word: UInt32 = 0
            for index in 0..<text.count {
                var value: UInt32 = 0
                if index < text.count - padding {
                    switch text[index] {
                    case 65...90: value = UInt32(text[index] - 65)
                    case 97...122: value = UInt32(text[index] - 71)
                    case 48...57: value = UInt32(text[index] + 4)
                    case 43: value = 62
                    case 47: value = 63
                    default: throw KernelError(.invalidCast, "\(shown(text)) is not base64")
                    }
                }
                word = word << 6 | value
                if index % 4 == 3 {
                    for shift: UInt32 in [16, 8, 0] {
                        result.append(UInt8(truncatingIfNeeded: word >> shift))
                    }
                    word = 0
                }
            }
            result.removeLast(min(padding, result.count))
        }
    }

    // MARK: Percent-encoding

    /// Every byte but letters, digits and `-_.~` as `%` and two digits (RFC 3986).
    package static func urlEncode(_ column: Column) throws(KernelError) -> Column {
        try Rowwise.texts([column], "t") { arguments, row, result in
            for byte in arguments.text(0, row) {
                switch byte {
                case 48...57, 65...90, 97...122, 45, 46, 95, 126: result.append(byte)
                default:
                    result.append(37)
                    result.append(upperDigit(byte >> 4))
                    result.append(upperDigit(byte & 15))
                }
            }
        }
    }

    /// The text that percent-encoding stands for; a `%` without two digits stands for itself.
    package static func urlDecode(_ column: Column) throws(KernelError) -> Column {
        try Rowwise.texts([column], "t") { (arguments, row, result) throws(KernelError) in
            let text = arguments.text(0, row)
            var index = 0
            while index < text.count {
                if text[index] == 37, index + 2 < text.count, let high = hexValue(text[index + 1]),
                    let low = hexValue(text[index + 2])
                {
                    result.append(high << 4 | low)
                    index += 3
                } else {
                    result.append(text[index])
                    index += 1
                }
            }
            guard isUTF8(result) else {
                throw KernelError(.invalidCast, "\(shown(text)) does not decode to valid UTF-8")
            }
        }
    }

    private static func isUTF8(_ bytes: [UInt8]) -> Bool {
        String(validating: bytes, as: UTF8.self) != nil
    }

    // MARK: UTF-8

    /// The bytes of a text.
    package static func encode(_ column: Column) throws(KernelError) -> Column {
        column.type == .string ? column.retyped(.binary) : try Casting.cast(column, to: .binary)
    }

    /// The text of bytes that are valid UTF-8.
    package static func decode(_ column: Column) throws(KernelError) -> Column {
        try Rowwise.texts([column], "t") { (arguments, row, result) throws(KernelError) in
            result.append(contentsOf: arguments.text(0, row))
            guard isUTF8(result) else {
                throw KernelError(.invalidCast, "the bytes are not valid UTF-8")
            }
        }
    }
}
