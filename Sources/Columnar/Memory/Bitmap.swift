/// One bit a row, least significant bit first, in 64-bit words (Arrow's layout).
///
/// Invariants: the first row is bit 0 of the first word; bits behind the last row are zero.
package struct Bitmap: Sendable {
    package let buffer: Buffer
    /// How many rows.
    package let count: Int

    /// Takes over words whose bits behind `count` are zero.
    package init(buffer: Buffer, count: Int) {
        precondition(buffer.byteCount >= Bitmap.wordCount(count) * 8)
        self.buffer = buffer
        self.count = count
    }

    /// A bitmap that has the same bit everywhere.
    package init(repeating bit: Bool, count: Int) {
        let buffer = Buffer(zeroedByteCount: Bitmap.wordCount(count) * 8)
        let words = buffer.mutable(as: UInt64.self)
        if bit {
            for index in 0..<Bitmap.wordCount(count) { words[index] = .max }
            Bitmap.clearTail(words, count: count)
        }
        self.init(buffer: buffer, count: count)
    }

    /// From one boolean a row; for tests and small things.
    package init(_ bits: [Bool]) {
        let buffer = Buffer(zeroedByteCount: Bitmap.wordCount(bits.count) * 8)
        let words = buffer.mutable(as: UInt64.self)
        for (index, bit) in bits.enumerated() where bit {
            words[index >> 6] |= 1 << UInt64(index & 63)
        }
        self.init(buffer: buffer, count: bits.count)
    }

    /// Words needed for `count` rows.
    @inline(__always)
    package static func wordCount(_ count: Int) -> Int { (count + 63) >> 6 }

    /// Memory for `count` rows, to be filled and then wrapped; see `clearTail`.
    package static func allocate(count: Int) -> Buffer {
        Buffer(byteCount: wordCount(count) * 8)
    }

    /// Sets the bits behind the last row to zero, as the invariant asks.
    @inline(__always)
    package static func clearTail(_ words: UnsafeMutablePointer<UInt64>, count: Int) {
        if count & 63 != 0 { words[count >> 6] &= (1 << UInt64(count & 63)) &- 1 }
    }

    /// The words; good while the bitmap is kept alive.
    @inline(__always)
    package var words: UnsafePointer<UInt64> {
        UnsafePointer(buffer.base.assumingMemoryBound(to: UInt64.self))
    }

    package var wordCount: Int { Bitmap.wordCount(count) }

    package subscript(row: Int) -> Bool {
        precondition(row >= 0 && row < count)
        return words[row >> 6] >> UInt64(row & 63) & 1 != 0
    }

    /// How many bits are set.
    package var trueCount: Int {
        let words = words
        var total = 0
        for index in 0..<wordCount { total &+= words[index].nonzeroBitCount }
        return total
    }

    /// The bits of `rows`, moved to the front.
    package func slice(_ rows: Range<Int>) -> Bitmap {
        precondition(rows.lowerBound >= 0 && rows.upperBound <= count)
        if rows == 0..<count { return self }
        let result = Bitmap.allocate(count: rows.count)
        let target = result.mutable(as: UInt64.self)
        Bitmap.copy(words, from: rows.lowerBound, count: rows.count, to: target)
        return Bitmap(buffer: result, count: rows.count)
    }

    /// Copies `count` bits that start at bit `from` to the front of `target`; the tail is cleared.
    ///
    /// The source must be readable one word behind its last (buffers are padded).
    package static func copy(
        _ source: UnsafePointer<UInt64>,
        from: Int,
        count: Int,
        to target: UnsafeMutablePointer<UInt64>
    ) {
        let shift = UInt64(from & 63)
        let first = source + (from >> 6)
        let words = wordCount(count)
        if shift == 0 {
            for index in 0..<words { target[index] = first[index] }
        } else {
            for index in 0..<words {
                target[index] = (first[index] &>> shift) | (first[index + 1] &<< (64 &- shift))
            }
        }
        if words > 0 { clearTail(target, count: count) }
    }

    /// Rows set in both; nil stands for all set, and the result is nil when both are.
    package static func and(_ a: Bitmap?, _ b: Bitmap?) -> Bitmap? {
        guard let a else { return b }
        guard let b else { return a }
        precondition(a.count == b.count)
        let result = allocate(count: a.count)
        let target = result.mutable(as: UInt64.self)
        let (left, right) = (a.words, b.words)
        for index in 0..<a.wordCount { target[index] = left[index] & right[index] }
        return Bitmap(buffer: result, count: a.count)
    }
}
