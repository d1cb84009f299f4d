import Columnar

extension Casting {
    /// A whole number in the forms that a cast of text takes beyond plain digits: `1_000`, `1e3`,
    /// `2.5` (rounded, half away from zero), `0x1F`, `0b101`.
    @inline(never)
    static func wholeNumber(_ text: UnsafeBufferPointer<UInt8>) -> Int64? {
        if text.count > 2, text[0] == 48 {
            let radix = text[1] | 0x20 == UInt8(ascii: "x") ? 4 : (text[1] | 0x20 == 98 ? 1 : 0)
            if radix > 0 {
                var value: Int64 = 0
                for byte in text[2...] {
                    guard let digit = TextEncoding.hexValue(byte), Int64(digit) < 1 << Int64(radix),
                        value >> (62 - Int64(radix) + 1) == 0
                    else { return nil }
                    value = value << Int64(radix) | Int64(digit)
                }
                return value
            }
        }
        return withoutUnderscores(text) {
            TextParse.decimal($0, precision: 38, scale: 0).flatMap { Int64(exactly: $0) }
        }
    }

    /// The text without underscores between digits; nil when one stands elsewhere.
    @inline(__always)
    static func withoutUnderscores<R>(
        _ text: UnsafeBufferPointer<UInt8>,
        _ body: (UnsafeBufferPointer<UInt8>) -> R?
    ) -> R? {
        guard text.contains(95) else { return body(text) }
        var kept: [UInt8] = []
        for (index, byte) in text.enumerated() {
            guard byte == 95 else {
                kept.append(byte)
                continue
            }
            guard index > 0, index + 1 < text.count, text[index - 1] &- 48 <= 9,
                text[index + 1] &- 48 <= 9
            else { return nil }
        }
        return kept.withUnsafeBufferPointer { body($0) }
    }
}
