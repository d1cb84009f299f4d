import Columnar

/// Eight bytes of 0 or 1 as eight bits, the first byte lowest.
@inline(__always)
func packedBits(_ bytes: UInt64) -> UInt64 {
    (bytes &* 0x0102_0408_1020_4080) &>> 56
}

/// Sixty-four bytes of 0 or 1 as a word.
@inline(__always)
func packedWord(_ flags: UnsafeRawPointer) -> UInt64 {
    var word: UInt64 = 0
    for index in 0..<8 {
        let bytes = flags.load(fromByteOffset: index &* 8, as: UInt64.self)
        word |= packedBits(bytes) &<< UInt64(index &* 8)
    }
    return word
}

/// A bitmap of the rows for which `predicate` holds.
///
/// Goes through 64 bytes of flags, because loops that store bytes vectorise and loops that shift
/// bits into words do not.
@inline(__always)
func buildBits(_ count: Int, _ predicate: (Int) -> Bool) -> Bitmap {
    let buffer = Bitmap.allocate(count: count)
    let words = buffer.mutable(as: UInt64.self)
    withUnsafeTemporaryAllocation(byteCount: 64, alignment: 64) { scratch in
        guard let base = scratch.baseAddress else { return }
        let flags = base.assumingMemoryBound(to: UInt8.self)
        let whole = count &>> 6
        for word in 0..<whole {
            let start = word &<< 6
            for index in 0..<64 { flags[index] = predicate(start &+ index) ? 1 : 0 }
            words[word] = packedWord(base)
        }
        if count & 63 != 0 {
            let start = whole &<< 6
            for index in 0..<64 { flags[index] = 0 }
            for index in 0..<(count &- start) { flags[index] = predicate(start &+ index) ? 1 : 0 }
            words[whole] = packedWord(base)
        }
    }
    return Bitmap(buffer: buffer, count: count)
}

extension Bitmap {
    /// A bitmap whose words are `word(index)`; the tail is cleared here.
    @inline(__always)
    static func fromWords(_ count: Int, _ word: (Int) -> UInt64) -> Bitmap {
        let buffer = allocate(count: count)
        let words = buffer.mutable(as: UInt64.self)
        let wordCount = wordCount(count)
        for index in 0..<wordCount { words[index] = word(index) }
        if wordCount > 0 { clearTail(words, count: count) }
        return Bitmap(buffer: buffer, count: count)
    }

    /// From one byte of 0 or 1 a row.
    static func fromFlags(_ flags: UnsafePointer<UInt8>, count: Int) -> Bitmap {
        buildBits(count) { flags[$0] != 0 }
    }

    /// The bits inverted.
    var inverted: Bitmap {
        let source = words
        return withExtendedLifetime(self) { .fromWords(count) { ~source[$0] } }
    }

    var isAllTrue: Bool { trueCount == count }

}

/// The bit of a row in a bitmap's words.
@inline(__always)
func bitOf(_ words: UnsafePointer<UInt64>, _ row: Int) -> UInt64 {
    words[row &>> 6] &>> UInt64(row & 63) & 1
}

/// Nil when every bit is set, so that later kernels take the road without nulls.
func normalized(_ validity: Bitmap?) -> Bitmap? {
    guard let validity, !validity.isAllTrue else { return nil }
    return validity
}

/// Calls `body` for every row that is not null, in order; whole words of 64 at a time.
@inline(__always)
func forEachValid<E: Error>(
    _ validity: Bitmap?,
    _ count: Int,
    _ body: (Int) throws(E) -> Void
) throws(E) {
    guard let validity else {
        for row in 0..<count { try body(row) }
        return
    }
    let words = validity.words
    for index in 0..<Bitmap.wordCount(count) {
        var word = words[index]
        let start = index &<< 6
        if word == .max {
            for row in start..<(start &+ 64) { try body(row) }
            continue
        }
        while word != 0 {
            try body(start &+ word.trailingZeroBitCount)
            word &= word &- 1
        }
    }
    withExtendedLifetime(validity) {}
}

/// Collects the rows of a result that turn out to be null, beginning from those of the operands.
struct NullMarks {
    private var buffer: Buffer?
    private var source: Bitmap?
    let count: Int

    init(_ validity: Bitmap?, count: Int) {
        source = validity
        self.count = count
    }

    /// Makes a row null.
    mutating func mark(_ row: Int) {
        let buffer = writable()
        buffer.mutable(as: UInt64.self)[row &>> 6] &= ~(1 &<< UInt64(row & 63))
    }

    private mutating func writable() -> Buffer {
        if let buffer { return buffer }
        let fresh = Bitmap.allocate(count: count)
        let words = fresh.mutable(as: UInt64.self)
        for index in 0..<Bitmap.wordCount(count) {
            words[index] = source.map { $0.words[index] } ?? .max
        }
        if count > 0 { Bitmap.clearTail(words, count: count) }
        buffer = fresh
        return fresh
    }

    var bitmap: Bitmap? { buffer.map { Bitmap(buffer: $0, count: count) } ?? source }
}
