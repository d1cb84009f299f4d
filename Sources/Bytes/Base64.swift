// RFC 4648, section 4: with padding, without white space, and canonical (the bits that stand for nothing are
// zero), so that equal bytes have one text.

private let base64Alphabet = Array(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8
)

/// What each byte stands for; 0xFF for those that are no digits.
private let base64Values: [UInt8] = {
    var values = [UInt8](repeating: 0xFF, count: 256)
    for (value, digit) in base64Alphabet.enumerated() { values[Int(digit)] = UInt8(value) }
    return values
}()

/// Bytes in base 64, with padding.
package func base64Encoded(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
    let count = (bytes.count + 2) / 3 * 4
    return [UInt8](unsafeUninitializedCapacity: count) { target, written in
        base64Alphabet.withUnsafeBufferPointer { digits in
            var (from, to) = (0, 0)
            while from < bytes.count {
                let left = min(bytes.count - from, 3)
                var group = UInt32(bytes[from]) << 16
                if left > 1 { group |= UInt32(bytes[from + 1]) << 8 }
                if left > 2 { group |= UInt32(bytes[from + 2]) }
                target[to] = digits[Int(group >> 18)]
                target[to + 1] = digits[Int(group >> 12 & 63)]
                target[to + 2] = left > 1 ? digits[Int(group >> 6 & 63)] : 0x3D
                target[to + 3] = left > 2 ? digits[Int(group & 63)] : 0x3D
                from += 3
                to += 4
            }
        }
        written = count
    }
}

/// The bytes that a text in base 64 stands for; nil when it is not in the one form that `base64Encoded` gives.
package func base64Decoded(_ text: UnsafeRawBufferPointer) -> [UInt8]? {
    guard text.count % 4 == 0 else { return nil }
    guard !text.isEmpty else { return [] }
    var padding = 0
    if text[text.count - 1] == 0x3D { padding = text[text.count - 2] == 0x3D ? 2 : 1 }
    let count = text.count / 4 * 3 - padding
    var isSound = true
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { target, written in
        base64Values.withUnsafeBufferPointer { values in
            var to = 0
            for from in stride(from: 0, to: text.count, by: 4) {
                var group: UInt32 = 0
                let digitCount = from + 4 == text.count ? 4 - padding : 4
                for index in 0..<4 {
                    let value = index < digitCount ? values[Int(text[from + index])] : 0
                    if value > 63 { isSound = false }
                    group = group << 6 | UInt32(value & 63)
                }
                let byteCount = digitCount - 1
                if group << UInt32(8 + 8 * byteCount) != 0, byteCount < 3 { isSound = false }
                for index in 0..<byteCount {
                    target[to] = UInt8(truncatingIfNeeded: group >> UInt32(16 - 8 * index))
                    to += 1
                }
            }
            written = to
        }
    }
    return isSound ? bytes : nil
}
