package import Columnar
import Bytes

/// How column chunks are read.
package struct ParquetReadOptions: Sendable, Hashable {
    /// When dictionary-coded pages become columns of codes instead of flat ones.
    package enum DictionaryUse: Sendable, Hashable {
        /// For text and bytes; numbers are decoded.
        case text
        /// Wherever the pages are dictionary-coded.
        case always
        case never
    }

    package var keepDictionary: DictionaryUse = .text
    /// Whether pages that carry a checksum are held against it.
    package var verifiesChecksums = true
    /// Whether text is checked to be UTF-8.
    package var validatesUTF8 = true

    package init() {}
}

/// What the readers of one thread share: decompression contexts and memory that is used again.
///
/// Not to be used by two threads at a time.
package final class ParquetReadContext {
    let decompressor = Decompressor()
    private var spare: [Buffer] = []
    /// Memory for one batch's raw values, codes and levels.
    private var rawScratch = Buffer(byteCount: 1 << 15)
    private var codeScratch = Buffer(byteCount: 1 << 13)
    private var levelScratch = Buffer(byteCount: 1 << 9)
    private var pickScratch = Buffer(byteCount: 1 << 13)

    /// The selection that was checked last: all columns of a window are read by the same one.
    private var checked: (buffer: Buffer, count: Int)?

    package init() {}

    private static let spareCountMax = 16

    /// Makes sure that selected rows ascend and are among the `rowCount` that are read.
    func check(_ selection: Selection, rowCount: Int) {
        if selection.count == 0 { return }
        let rows = selection.rows
        if let checked, checked.buffer === selection.buffer, checked.count == selection.count {
        } else {
            // Each with the one before it, so that many are compared at once.
            var descents: Int32 = rows[0] < 0 ? 1 : 0
            for index in 1..<selection.count {
                descents |= rows[index] <= rows[index &- 1] ? 1 : 0
            }
            precondition(descents == 0, "selected rows ascend")
            checked = (selection.buffer, selection.count)
        }
        precondition(
            Int(rows[selection.count - 1]) < rowCount,
            "a selected row is not among those read"
        )
    }

    /// Memory for a page of `byteCount` bytes.
    func takePage(byteCount: Int) -> Buffer {
        var best: Int?
        for (index, buffer) in spare.enumerated() where buffer.byteCount >= byteCount {
            if best.map({ spare[$0].byteCount > buffer.byteCount }) ?? true { best = index }
        }
        if let best { return spare.remove(at: best) }
        // Pages of a column are of similar size: a little room lets the next one fit too.
        return Buffer(byteCount: max(4096, byteCount + byteCount / 8))
    }

    /// Takes a page's memory back, if nothing else refers to it.
    func giveBack(_ buffer: consuming Buffer) {
        var buffer = buffer
        guard isKnownUniquelyReferenced(&buffer) else { return }
        if spare.count >= Self.spareCountMax {
            // The smallest one is the cheapest to miss.
            guard
                let least = spare.indices.min(by: { spare[$0].byteCount < spare[$1].byteCount }),
                spare[least].byteCount < buffer.byteCount
            else { return }
            spare.remove(at: least)
        }
        spare.append(buffer)
    }

    private static func grown(
        _ buffer: inout Buffer,
        _ byteCount: Int
    ) -> UnsafeMutableRawPointer {
        if buffer.byteCount < byteCount { buffer = Buffer(byteCount: byteCount * 2) }
        return buffer.base
    }

    /// Room for raw values; good until the next call.
    func rawValues(byteCount: Int) -> UnsafeMutableRawPointer {
        Self.grown(&rawScratch, byteCount)
    }

    /// Room for codes; good until the next call.
    func codes(count: Int) -> UnsafeMutablePointer<UInt32> {
        Self.grown(&codeScratch, count * 4).assumingMemoryBound(to: UInt32.self)
    }

    /// Room for row numbers; good until the next call.
    func picks(count: Int) -> UnsafeMutablePointer<Int32> {
        Self.grown(&pickScratch, count * 4).assumingMemoryBound(to: Int32.self)
    }

    /// Zeroed words for `count` bits and one word more; good until the next call.
    func zeroedBits(count: Int) -> UnsafeMutablePointer<UInt64> {
        let words = Bitmap.wordCount(count) + 1
        let base = Self.grown(&levelScratch, words * 8).assumingMemoryBound(to: UInt64.self)
        base.update(repeating: 0, count: words)
        return base
    }
}

/// The bytes of one column chunk in memory.
///
/// Invariant that makes it `Sendable`: nobody writes the bytes while it exists.
package struct ChunkBytes: @unchecked Sendable {
    /// The buffer that the bytes are part of; pages may then be used in place.
    let buffer: Buffer?
    let owner: (any AnyObject & Sendable)?
    let base: UnsafeRawPointer
    package let count: Int
    /// What is known of the pages when the bytes are only the chunk's front; nil for a whole chunk.
    private(set) var front: ChunkFront?

    /// The same bytes, which are only the front of the chunk.
    ///
    /// - Throws: `truncated` when these are not its bytes.
    package func asFront(_ front: ChunkFront) throws(ParquetError) -> ChunkBytes {
        guard count == front.byteRange.count else {
            throw .truncated("a chunk's front of \(front.byteRange.count) bytes", offset: count)
        }
        var result = self
        result.front = front
        return result
    }

    /// A part of a buffer: the bytes from `byteOffset` on.
    package init(_ buffer: Buffer, byteOffset: Int = 0, count: Int) {
        precondition(byteOffset >= 0 && count >= 0 && byteOffset + count <= buffer.byteCount)
        self.buffer = buffer
        owner = nil
        base = UnsafeRawPointer(buffer.base) + byteOffset
        self.count = count
    }

    /// Memory that `owner` keeps alive, such as a mapped file; uncompressed pages are copied out.
    package init(_ bytes: UnsafeRawBufferPointer, owner: any AnyObject & Sendable) {
        buffer = nil
        self.owner = owner
        base = bytes.baseAddress ?? UnsafeRawPointer(Self.nowhere.base)
        count = bytes.count
    }

    /// Looks at the bytes.
    package func withBytes<Value, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        try withExtendedLifetime(self) { () throws(Failure) in
            try body(UnsafeRawBufferPointer(start: base, count: count))
        }
    }

    private static let nowhere = Buffer(byteCount: 0)
}
