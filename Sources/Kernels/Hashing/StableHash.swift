import Bytes
package import Columnar

/// SQL's `hash(…)`: a number that stays the same for the same value, in every version.
///
/// XXH64 with the seed 0 over the value's bytes: texts and bytes as they are; whole numbers as 64
/// bits, little-endian, so that the width does not matter; DOUBLE and FLOAT as the bits of the
/// double, zero without sign and one NaN; booleans as one byte; decimals and all other types as
/// the text that a cast to VARCHAR gives. NULL is the byte 0xFF, which no text is. Of several
/// values each takes the hash of those before it as its seed.
package enum StableHash {
    /// As int64: the bits of the unsigned hash.
    package static func hash(_ columns: [Column], count: Int) throws(KernelError) -> Column {
        let buffer = Buffer(zeroedByteCount: count * 8)
        let target = buffer.mutable(as: UInt64.self)
        for column in columns { try add(column, count, target) }
        return Column(.int64, count: count, buffer: buffer)
    }

    private static func add(
        _ column: Column,
        _ count: Int,
        _ target: UnsafeMutablePointer<UInt64>
    ) throws(KernelError) {
        if column.isAllNull {
            for row in 0..<count { target[row] = null(target[row]) }
            return
        }
        switch column.type {
        case .int32, .int64:
            try numbers(try Casting.cast(column, to: .int64), count, target, Int64.self) {
                UInt64(bitPattern: $0)
            }
        case .float32, .float64:
            try numbers(try Casting.cast(column, to: .float64), count, target, Double.self) {
                $0.isNaN ? 0x7FF8_0000_0000_0000 : ($0 == 0 ? 0 : $0.bitPattern)
            }
        case .boolean:
            let flat = column.flattened()
            let bits = Operand(flat).bits
            for row in 0..<count {
                if flat.isNull(row) {
                    target[row] = null(target[row])
                    continue
                }
                var byte: UInt8 = bits[row] ? 1 : 0
                target[row] = withUnsafeBytes(of: &byte) { xxHash64($0, seed: target[row]) }
            }
        case .string, .binary, .fixed:
            let operand = Operand(column)
            let (views, mask) = (operand.views, operand.mask)
            let words = operand.validity?.words
            for row in 0..<count {
                if let words, bitOf(words, row) == 0 {
                    target[row] = null(target[row])
                } else {
                    let text = (views + (row & mask)).text
                    target[row] = xxHash64(UnsafeRawBufferPointer(text), seed: target[row])
                }
            }
            withExtendedLifetime(operand) {}
        default:
            try add(try Casting.cast(column, to: .string), count, target)
        }
    }

    private static func null(_ seed: UInt64) -> UInt64 {
        var byte: UInt8 = 0xFF
        return withUnsafeBytes(of: &byte) { xxHash64($0, seed: seed) }
    }

    @inline(__always)
    private static func numbers<T: BitwiseCopyable>(
        _ column: Column,
        _ count: Int,
        _ target: UnsafeMutablePointer<UInt64>,
        _: T.Type,
        _ bits: (T) -> UInt64
    ) throws(KernelError) {
        let operand = Operand(column)
        let (source, mask) = (operand.pointer(T.self), operand.mask)
        let words = operand.validity?.words
        for row in 0..<count {
            if let words, bitOf(words, row) == 0 {
                target[row] = null(target[row])
            } else {
                var value = bits(source[row & mask]).littleEndian
                target[row] = withUnsafeBytes(of: &value) { xxHash64($0, seed: target[row]) }
            }
        }
        withExtendedLifetime(operand) {}
    }
}
