import Columnar

/// Reads the hybrid of run-length and bit-packed runs, in which codes and levels are written.
///
/// It reads whole words: 64 bytes behind the last byte must be readable.
/// - Spec: Parquet, Encodings.md, "Run Length Encoding / Bit-Packing Hybrid".
struct HybridDecoder {
    /// Bits of a value, 0 to 32.
    let width: Int
    private var next: UnsafeRawPointer
    private let end: UnsafeRawPointer
    private var repeatLeft = 0
    private var repeated: UInt32 = 0
    private var packed: UnsafeRawPointer
    private var packedIndex = 0
    private var packedCount = 0
    /// What keeps the bits, when they are not the page's.
    private var owner: Buffer?

    init(_ start: UnsafeRawPointer, byteCount: Int, width: Int) throws(ParquetError) {
        guard (0...32).contains(width) else { throw .corrupt("codes of \(width) bits") }
        self.width = width
        next = start
        end = start + byteCount
        packed = start
    }

    /// A run of bits that were packed without the hybrid's heads.
    init(packedBits bits: Buffer, count: Int) {
        width = 1
        packed = UnsafeRawPointer(bits.base)
        next = packed + bits.byteCount
        end = next
        packedCount = min(count, bits.byteCount * 8)
        owner = bits
    }

    private mutating func nextRun() throws(ParquetError) {
        if width == 0 {
            // Nothing needs to be written for values that have no bits.
            repeatLeft = .max
            repeated = 0
            return
        }
        var head: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            guard next < end else { throw .truncated("a run of codes or levels is missing") }
            let byte = next.load(as: UInt8.self)
            next += 1
            if shift > 56 { throw .corrupt("a run is too long") }
            head |= UInt64(byte & 0x7f) &<< shift
            if byte < 0x80 { break }
            shift &+= 7
        }
        let count = Int(head >> 1)
        if head & 1 == 0 {
            let byteCount = (width + 7) / 8
            guard end - next >= byteCount else { throw .truncated("a repeated code is missing") }
            var value: UInt32 = 0
            for index in 0..<byteCount {
                value |= UInt32(next.load(fromByteOffset: index, as: UInt8.self)) << (8 * index)
            }
            guard width == 32 || value < (UInt32(1) << width) else {
                throw .corrupt("the repeated code \(value) does not fit \(width) bits")
            }
            next += byteCount
            repeatLeft = count
            repeated = value
        } else {
            // Some writers cut the last run short: what is not there must not be asked for.
            let (byteCount, overflow) = count.multipliedReportingOverflow(by: width)
            let available = end - next
            let used = overflow ? available : min(byteCount, available)
            packed = next
            packedIndex = 0
            packedCount = used * 8 / width
            if used == byteCount { packedCount = count * 8 }
            guard packedCount > 0 || count == 0 else {
                throw .truncated("a run of packed codes is missing")
            }
            next += used
        }
    }

    /// Reads the next `count` values.
    ///
    /// - Returns: the largest of them.
    mutating func read(
        _ count: Int,
        into target: UnsafeMutablePointer<UInt32>
    ) throws(ParquetError) -> UInt32 {
        var done = 0
        while done < count {
            let wanted = count &- done
            if repeatLeft > 0 {
                let part = min(wanted, repeatLeft)
                (target + done).update(repeating: repeated, count: part)
                repeatLeft &-= part
                done &+= part
            } else if packedIndex < packedCount {
                let part = min(wanted, packedCount &- packedIndex)
                unpack(part, into: target + done)
                done &+= part
            } else {
                try nextRun()
            }
        }
        var largest: UInt32 = 0
        for index in 0..<count { largest = max(largest, target[index]) }
        return largest
    }

    /// Unpacks `count` values of the current packed run, which has them.
    private mutating func unpack(_ count: Int, into target: UnsafeMutablePointer<UInt32>) {
        var (index, done) = (packedIndex, 0)
        let mask = width == 32 ? UInt64(UInt32.max) : (UInt64(1) &<< UInt64(width)) &- 1
        @inline(__always)
        func one() {
            let bit = index &* width
            let word = packed.loadUnaligned(fromByteOffset: bit &>> 3, as: UInt64.self)
            target[done] = UInt32(truncatingIfNeeded: (word &>> UInt64(bit & 7)) & mask)
            index &+= 1
            done &+= 1
        }
        while done < count, index & 7 != 0 { one() }
        let groups = (count &- done) &>> 3
        if groups > 0 {
            unpack32(
                width: width,
                packed + (index &>> 3) &* width,
                target + done,
                groupCount: groups
            )
            index &+= groups &* 8
            done &+= groups &* 8
        }
        while done < count { one() }
        packedIndex = index
    }

    /// Moves on by `count` values.
    mutating func skip(_ count: Int) throws(ParquetError) {
        var left = count
        while left > 0 {
            if repeatLeft > 0 {
                let part = min(left, repeatLeft)
                repeatLeft &-= part
                left &-= part
            } else if packedIndex < packedCount {
                let part = min(left, packedCount &- packedIndex)
                packedIndex &+= part
                left &-= part
            } else {
                try nextRun()
            }
        }
    }

    /// Reads the next `count` values, of one bit, as bits from bit `offset` of `words` on, which
    /// are zero there.
    ///
    /// - Returns: how many of them are set.
    mutating func readBits(
        _ count: Int,
        into words: UnsafeMutablePointer<UInt64>,
        offset: Int
    ) throws(ParquetError) -> Int {
        var (done, total) = (0, 0)
        while done < count {
            let wanted = count &- done
            if repeatLeft > 0 {
                let part = min(wanted, repeatLeft)
                if repeated != 0 {
                    setBits(words, from: offset &+ done, count: part)
                    total &+= part
                }
                repeatLeft &-= part
                done &+= part
            } else if packedIndex < packedCount {
                let part = min(wanted, packedCount &- packedIndex)
                total &+= appendBits(
                    packed,
                    from: packedIndex,
                    count: part,
                    to: words,
                    at: offset &+ done
                )
                packedIndex &+= part
                done &+= part
            } else {
                try nextRun()
            }
        }
        return total
    }

    /// Moves on by `count` values of one bit.
    ///
    /// - Returns: how many of them are set.
    mutating func skipBits(_ count: Int) throws(ParquetError) -> Int {
        var (left, total) = (count, 0)
        while left > 0 {
            if repeatLeft > 0 {
                let part = min(left, repeatLeft)
                if repeated != 0 { total &+= part }
                repeatLeft &-= part
                left &-= part
            } else if packedIndex < packedCount {
                let part = min(left, packedCount &- packedIndex)
                total &+= countBits(packed, from: packedIndex, count: part)
                packedIndex &+= part
                left &-= part
            } else {
                try nextRun()
            }
        }
        return total
    }
}

/// Sets `count` bits from bit `from` on.
func setBits(_ words: UnsafeMutablePointer<UInt64>, from: Int, count: Int) {
    var (bit, left) = (from, count)
    while left > 0 {
        let inWord = bit & 63
        let part = min(left, 64 &- inWord)
        let ones = part == 64 ? UInt64.max : (UInt64(1) &<< UInt64(part)) &- 1
        words[bit &>> 6] |= ones &<< UInt64(inWord)
        bit &+= part
        left &-= part
    }
}

/// Copies `count` bits from bit `from` of `source` to bit `at` of `words`, which are zero there.
///
/// Reads up to 8 bytes behind the last bit.
/// - Returns: how many of them are set.
func appendBits(
    _ source: UnsafeRawPointer,
    from: Int,
    count: Int,
    to words: UnsafeMutablePointer<UInt64>,
    at: Int
) -> Int {
    var (read, write, left, total) = (from, at, count, 0)
    while left > 0 {
        // A word shifted by up to 7 bits has 57 good ones left.
        let part = min(left, 56)
        let word = source.loadUnaligned(fromByteOffset: read &>> 3, as: UInt64.self)
        let bits = (word &>> UInt64(read & 7)) & ((UInt64(1) &<< UInt64(part)) &- 1)
        let inWord = write & 63
        words[write &>> 6] |= bits &<< UInt64(inWord)
        if inWord &+ part > 64 { words[(write &>> 6) &+ 1] |= bits &>> UInt64(64 &- inWord) }
        total &+= bits.nonzeroBitCount
        read &+= part
        write &+= part
        left &-= part
    }
    return total
}

/// How many of `count` bits from bit `from` on are set.
func countBits(_ source: UnsafeRawPointer, from: Int, count: Int) -> Int {
    var (read, left, total) = (from, count, 0)
    while left > 0 {
        let part = min(left, 56)
        let word = source.loadUnaligned(fromByteOffset: read &>> 3, as: UInt64.self)
        let bits = (word &>> UInt64(read & 7)) & ((UInt64(1) &<< UInt64(part)) &- 1)
        total &+= bits.nonzeroBitCount
        read &+= part
        left &-= part
    }
    return total
}

extension HybridDecoder {
    /// Levels of one bit in the deprecated encoding BIT_PACKED: most significant bit first.
    init(mirroredBits bytes: UnsafeRawBufferPointer, count: Int) {
        let mirrored = Buffer(byteCount: bytes.count)
        let target = mirrored.mutable(as: UInt8.self)
        for index in 0..<bytes.count {
            var byte = bytes[index]
            byte = (byte & 0xf0) >> 4 | (byte & 0x0f) << 4
            byte = (byte & 0xcc) >> 2 | (byte & 0x33) << 2
            byte = (byte & 0xaa) >> 1 | (byte & 0x55) << 1
            target[index] = byte
        }
        self.init(packedBits: mirrored, count: count)
    }
}

extension HybridDecoder {
    /// The codes of a page: a byte with their width in front.
    init(codePage values: UnsafeRawBufferPointer) throws(ParquetError) {
        // An empty page of nulls may go without the byte.
        try self.init(
            values.start + min(1, values.count),
            byteCount: max(0, values.count - 1),
            width: values.first.map { Int($0) } ?? 0
        )
    }
}
