/// Rows of a batch that a predicate chose, in ascending order.
package struct Selection: Sendable {
    /// `Int32` row numbers.
    package let buffer: Buffer
    package let count: Int

    /// Takes over row numbers that the caller has checked.
    package init(buffer: Buffer, count: Int) {
        precondition(buffer.byteCount >= count * 4)
        self.buffer = buffer
        self.count = count
    }

    /// From row numbers; for tests and small things.
    package init(_ rows: [Int32]) {
        self.init(buffer: rows.withUnsafeBytes { Buffer(copying: $0) }, count: rows.count)
    }

    /// The row numbers; good while the selection is kept alive.
    @inline(__always)
    package var rows: UnsafePointer<Int32> {
        UnsafePointer(buffer.base.assumingMemoryBound(to: Int32.self))
    }

    /// The first place, from `start` on, of a row that is not before `row`, where rows ascend; `count` when
    /// there is none.
    package func firstIndex(notBefore row: Int, from start: Int = 0) -> Int {
        let rows = rows
        // Mostly all are before it.
        if count == start || Int(rows[count &- 1]) < row { return count }
        var (low, high) = (start, count)
        while low < high {
            let middle = (low &+ high) / 2
            if Int(rows[middle]) < row { low = middle &+ 1 } else { high = middle }
        }
        return low
    }

    /// The rows whose bit is set.
    package init(_ bits: Bitmap) {
        let count = bits.trueCount
        let buffer = Buffer(byteCount: count * 4)
        let target = buffer.mutable(as: Int32.self)
        let words = bits.words
        var next = 0
        for index in 0..<bits.wordCount {
            var word = words[index]
            let base = Int32(truncatingIfNeeded: index &* 64)
            if word == .max {
                for bit in 0..<Int32(64) { target[next &+ Int(bit)] = base &+ bit }
                next &+= 64
                continue
            }
            while word != 0 {
                target[next] = base &+ Int32(truncatingIfNeeded: word.trailingZeroBitCount)
                next &+= 1
                word &= word &- 1
            }
        }
        self.init(buffer: buffer, count: count)
    }
}
