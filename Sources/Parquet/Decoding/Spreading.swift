/// Moves `valueCount` values at the front of `target` to the rows whose bit is set, and zeros the
/// others: in place, from the last row to the first.
///
/// The bits are those from bit `offset` of `words` on; as many of the `rowCount` ones are set as
/// there are values.
func spread<T: FixedWidthInteger & BitwiseCopyable>(
    _ target: UnsafeMutablePointer<T>,
    rowCount: Int,
    valueCount: Int,
    words: UnsafePointer<UInt64>,
    offset: Int
) {
    if valueCount == rowCount { return }
    if valueCount == 0 {
        target.update(repeating: 0, count: rowCount)
        return
    }
    var source = valueCount
    var row = rowCount
    while row > 0 {
        // The rows of one word of bits at a time.
        let last = offset &+ row &- 1
        let part = min(row, (last & 63) &+ 1)
        let start = row &- part
        let word = words[last &>> 6]
        let lowest = (offset &+ start) & 63
        let bits = part == 64 ? word : (word &>> UInt64(lowest)) & ((1 &<< UInt64(part)) &- 1)
        let count = bits.nonzeroBitCount
        if count == part {
            source &-= part
            if source != start {
                (target + start).update(from: target + source, count: part)
            }
        } else if count == 0 {
            (target + start).update(repeating: 0, count: part)
        } else {
            var index = part
            while index > 0 {
                index &-= 1
                let bit = Int(truncatingIfNeeded: (bits &>> UInt64(index)) & 1)
                source &-= bit
                // Row 0 of the values is read for rows without one, and masked away.
                let value = target[max(source, 0)]
                target[start &+ index] = bit != 0 ? value : 0
            }
        }
        row = start
    }
}

/// `spread` for values of `width` bytes: 1, 4, 8 or 16.
func spread(
    _ target: UnsafeMutableRawPointer,
    width: Int,
    rowCount: Int,
    valueCount: Int,
    words: UnsafePointer<UInt64>,
    offset: Int
) {
    func run<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type) {
        spread(
            target.assumingMemoryBound(to: T.self),
            rowCount: rowCount,
            valueCount: valueCount,
            words: words,
            offset: offset
        )
    }
    switch width {
    case 1: run(UInt8.self)
    case 4: run(UInt32.self)
    case 8: run(UInt64.self)
    case 16: run(UInt128.self)
    default: preconditionFailure("values of \(width) bytes")
    }
}

/// Copies the values of `source` that `indexes` count to the front of `target`.
func gather(
    _ source: UnsafeRawPointer,
    width: Int,
    _ indexes: UnsafePointer<Int32>,
    count: Int,
    into target: UnsafeMutableRawPointer
) {
    @inline(__always)
    func run<T: BitwiseCopyable>(_: T.Type) {
        let target = target.assumingMemoryBound(to: T.self)
        let stride = MemoryLayout<T>.size
        for index in 0..<count {
            // Values in pages are not aligned.
            let offset = Int(indexes[index]) &* stride
            target[index] = source.loadUnaligned(fromByteOffset: offset, as: T.self)
        }
    }
    switch width {
    case 1: run(UInt8.self)
    case 4: run(UInt32.self)
    case 8: run(UInt64.self)
    case 16: run(UInt128.self)
    default:
        for index in 0..<count {
            (target + index &* width).copyMemory(
                from: source + Int(indexes[index]) &* width,
                byteCount: width
            )
        }
    }
}

/// Copies the dictionary's values that `codes` (checked before) count to `target`.
func gather(
    _ source: UnsafeRawPointer,
    width: Int,
    codes: UnsafePointer<UInt32>,
    count: Int,
    into target: UnsafeMutableRawPointer
) {
    @inline(__always)
    func run<T: BitwiseCopyable>(_: T.Type) {
        let target = target.assumingMemoryBound(to: T.self)
        let source = source.assumingMemoryBound(to: T.self)
        for index in 0..<count { target[index] = source[Int(codes[index])] }
    }
    switch width {
    case 4: run(UInt32.self)
    case 8: run(UInt64.self)
    case 16: run(UInt128.self)
    default: preconditionFailure("values of \(width) bytes")
    }
}
