import Bytes

/// Writes the hybrid of run-length and bit-packed runs.
///
/// - Spec: Parquet, Encodings.md, "Run Length Encoding / Bit-Packing Hybrid".
enum HybridEncoder {
    /// Appends `count` values of `width` bits.
    static func append<T: FixedWidthInteger & UnsignedInteger>(
        _ values: UnsafePointer<T>,
        count: Int,
        width: Int,
        to target: inout [UInt8]
    ) {
        if width == 0 { return }
        var index = 0
        // Values from here to `index` wait to be packed: whole groups of 8.
        var literalStart = 0
        while index < count {
            let first = values[index]
            var run = 1
            let near = min(8, count - index)
            while run < near, values[index &+ run] == first { run &+= 1 }
            if run == 8 || (run == near && literalStart == index) {
                while index &+ run < count, values[index &+ run] == first { run &+= 1 }
                flush(values, literalStart, index, width, &target)
                target.appendVarint(UInt64(run) << 1)
                var rest = UInt64(first)
                for _ in 0..<(width + 7) / 8 {
                    target.append(UInt8(truncatingIfNeeded: rest))
                    rest >>= 8
                }
                index += run
                literalStart = index
            } else {
                index += near
            }
        }
        flush(values, literalStart, index, width, &target)
    }

    private static func flush<T: FixedWidthInteger & UnsignedInteger>(
        _ values: UnsafePointer<T>,
        _ start: Int,
        _ end: Int,
        _ width: Int,
        _ target: inout [UInt8]
    ) {
        if start == end { return }
        let groupCount = (end - start + 7) / 8
        target.appendVarint(UInt64(groupCount) << 1 | 1)
        pack(groupCount * 8, width: width, to: &target) { index in
            start + index < end ? UInt64(values[start + index]) : 0
        }
    }

    /// Appends `count` (a multiple of 8) values of `width` bits, least significant bit first.
    @inline(__always)
    static func pack(
        _ count: Int,
        width: Int,
        to target: inout [UInt8],
        _ value: (Int) -> UInt64
    ) {
        if width == 0 { return }
        let byteCount = count / 8 * width
        let packed = [UInt8](unsafeUninitializedCapacity: byteCount) { bytes, initialized in
            var place = 0
            var waiting: UInt128 = 0
            var bits = 0
            for index in 0..<count {
                waiting |= UInt128(value(index)) &<< UInt128(bits)
                bits &+= width
                while bits >= 8 {
                    bytes[place] = UInt8(truncatingIfNeeded: waiting)
                    place &+= 1
                    waiting &>>= 8
                    bits &-= 8
                }
            }
            initialized = place
        }
        target.append(contentsOf: packed)
    }
}

/// Writes integers as bit-packed differences: blocks of 128 values in 4 miniblocks.
///
/// - Spec: Parquet, Encodings.md, "Delta Encoding".
enum DeltaBinaryEncoder {
    /// Appends integers, sign-extended to 64 bits; differences wrap around at the type's width.
    static func append(
        _ values: UnsafePointer<Int64>,
        count: Int,
        is32Bit: Bool,
        to target: inout [UInt8]
    ) {
        target.appendVarint(128)
        target.appendVarint(4)
        target.appendVarint(UInt64(count))
        target.appendZigzag(count > 0 ? values[0] : 0)
        var deltas = [Int64](repeating: 0, count: 128)
        var index = 1
        while index < count {
            let part = min(128, count - index)
            var smallest = Int64.max
            for place in 0..<part {
                var delta = values[index + place] &- values[index + place - 1]
                if is32Bit { delta = Int64(Int32(truncatingIfNeeded: delta)) }
                deltas[place] = delta
                smallest = min(smallest, delta)
            }
            target.appendZigzag(smallest)
            var widths: [Int] = []
            for miniblock in 0..<4 {
                var all: UInt64 = 0
                for place in min(part, miniblock * 32)..<min(part, miniblock * 32 + 32) {
                    let difference = deltas[place] &- smallest
                    all |=
                        is32Bit
                        ? UInt64(UInt32(truncatingIfNeeded: difference))
                        : UInt64(bitPattern: difference)
                }
                widths.append(64 - all.leadingZeroBitCount)
            }
            for width in widths { target.append(UInt8(width)) }
            for (miniblock, width) in widths.enumerated() where miniblock * 32 < part {
                HybridEncoder.pack(32, width: width, to: &target) { place in
                    let place = miniblock * 32 + place
                    guard place < part else { return 0 }
                    let difference = deltas[place] &- smallest
                    return is32Bit
                        ? UInt64(UInt32(truncatingIfNeeded: difference))
                        : UInt64(bitPattern: difference)
                }
            }
            index += part
        }
    }
}
