// The standard library's conversions between `Int128` and `Double` go through generic code that is a
// hundred times slower (Swift 6.3); these give the same values.

extension Double {
    /// The double nearest to a number of 128 bits; of two equally near ones the even one.
    package init(nearest value: Int128) {
        let narrow = Int64(truncatingIfNeeded: value)
        if Int128(narrow) == value {
            self = Double(narrow)
            return
        }
        let magnitude = value.magnitude
        let high = UInt64(truncatingIfNeeded: magnitude &>> 64)
        let low = UInt64(truncatingIfNeeded: magnitude)
        var result = Double(low)
        if high != 0 {
            // The first 64 digits; that something follows them is remembered in the last, which is far
            // behind what a double keeps.
            let shift = 64 - high.leadingZeroBitCount
            var top = shift == 64 ? high : high &<< UInt64(64 - shift) | low &>> UInt64(shift)
            let lost = shift == 64 ? low : low &<< UInt64(64 - shift)
            if lost != 0 { top |= 1 }
            result = Double(top) * Double(bitPattern: UInt64(1023 + shift) << 52)
        }
        self = value < 0 ? -result : result
    }
}

extension Int128 {
    /// The number that a double is; nil for fractions, infinities, NaN and what 128 bits do not hold.
    package init?(whole value: Double) {
        if let narrow = Int64(exactly: value) {
            self = Int128(narrow)
            return
        }
        // Beyond 2^63 every double is whole.
        guard value.magnitude >= 0x1p63, value.magnitude < 0x1p127 else {
            if value == -0x1p127 {
                self = .min
                return
            }
            return nil
        }
        let digits = Int128(value.significandBitPattern | 1 << 52)
        let wide = digits &<< Int128(Int(value.exponent) - 52)
        self = value < 0 ? 0 &- wide : wide
    }
}
