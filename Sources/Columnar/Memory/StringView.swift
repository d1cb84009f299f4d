import Glibc

/// Text or bytes in 16 bytes: up to 12 bytes lie inside, longer ones are pointed to.
///
/// ```
/// length <= 12:  | length (4) | bytes (12), zeros behind the last          |
/// length >  12:  | length (4) | first 4 bytes | address of all bytes (8)   |
/// ```
///
/// Arrow's view layout has a buffer index and an offset where we have an address: one load less for
/// every access, and columns can be put together without rewriting views. The column's `owners` keep
/// the bytes alive. See docs/decisions/0003-string-views.md.
@frozen
package struct StringView: BitwiseCopyable, Sendable {
    package var length: UInt32
    /// The first four bytes, zero-padded, in memory order.
    package var prefix: UInt32
    /// Bytes 4 to 11, or the address.
    package var rest: UInt64

    package static let inlineCountMax = 12

    @inline(__always)
    package init(length: UInt32, prefix: UInt32, rest: UInt64) {
        self.length = length
        self.prefix = prefix
        self.rest = rest
    }

    /// A view of bytes that somebody keeps alive when there are more than 12.
    @inline(__always)
    package init(_ bytes: UnsafePointer<UInt8>, count: Int) {
        length = UInt32(truncatingIfNeeded: count)
        let raw = UnsafeRawPointer(bytes)
        if count > Self.inlineCountMax {
            prefix = raw.loadUnaligned(as: UInt32.self)
            rest = UInt64(UInt(bitPattern: bytes))
        } else {
            var low: UInt64 = 0
            var high: UInt64 = 0
            if count >= 8 {
                low = raw.loadUnaligned(as: UInt64.self)
                for index in 8..<max(8, count) {
                    high |= UInt64(bytes[index]) &<< UInt64((index &- 8) &* 8)
                }
            } else {
                for index in 0..<count { low |= UInt64(bytes[index]) &<< UInt64(index &* 8) }
            }
            prefix = UInt32(truncatingIfNeeded: low)
            rest = (low &>> 32) | (high &<< 32)
        }
    }

    /// An empty view.
    package static let empty = StringView(length: 0, prefix: 0, rest: 0)

    @inline(__always)
    package var count: Int { Int(length) }

    @inline(__always)
    package var isInline: Bool { length <= UInt32(Self.inlineCountMax) }

    /// Where the bytes are, for a view that is not inline.
    @inline(__always)
    package var address: UnsafePointer<UInt8> {
        UnsafePointer(bitPattern: UInt(rest)).unsafelyUnwrapped
    }

    @inline(__always)
    package static func == (a: StringView, b: StringView) -> Bool {
        if a.length != b.length || a.prefix != b.prefix { return false }
        if a.isInline { return a.rest == b.rest }
        return a.rest == b.rest || memcmp(a.address, b.address, a.count) == 0
    }

    /// Whether `a` comes before `b` by unsigned bytes: negative, zero or positive.
    @inline(__always)
    package static func compare(_ a: StringView, _ b: StringView) -> Int {
        let (x, y) = (a.prefix.byteSwapped, b.prefix.byteSwapped)
        if x != y { return x < y ? -1 : 1 }
        return compareRest(a, b)
    }

    @inline(never)
    private static func compareRest(_ a: StringView, _ b: StringView) -> Int {
        let order = withUnsafeBytes(of: a) { ownA in
            withUnsafeBytes(of: b) { ownB in
                let left =
                    a.isInline
                    ? ownA.baseAddress.unsafelyUnwrapped + 4
                    : UnsafeRawPointer(a.address)
                let right =
                    b.isInline
                    ? ownB.baseAddress.unsafelyUnwrapped + 4
                    : UnsafeRawPointer(b.address)
                return Int(memcmp(left, right, min(a.count, b.count)))
            }
        }
        return order != 0 ? order : a.count - b.count
    }
}

extension UnsafePointer where Pointee == StringView {
    /// The bytes of the view in this place; good while the view's memory and its owners are alive.
    @inline(__always)
    package var viewBytes: UnsafeBufferPointer<UInt8> {
        let view = pointee
        if view.isInline {
            let own = UnsafeRawPointer(self).advanced(by: 4).assumingMemoryBound(to: UInt8.self)
            return UnsafeBufferPointer(start: own, count: view.count)
        }
        return UnsafeBufferPointer(start: view.address, count: view.count)
    }

    package var viewString: String { String(decoding: viewBytes, as: UTF8.self) }
}

/// The buffers that the views of a column point into.
package final class BufferOwners: Sendable {
    package let buffers: [Buffer]

    package init(_ buffers: [Buffer]) {
        self.buffers = buffers
    }

    package static let none = BufferOwners([])

    /// The owners of all, each once.
    package static func union(_ all: [BufferOwners]) -> BufferOwners {
        let used = all.filter { !$0.buffers.isEmpty }
        guard let first = used.first else { return none }
        if used.allSatisfy({ $0 === first }) { return first }
        var seen: Set<ObjectIdentifier> = []
        var buffers: [Buffer] = []
        for owner in used {
            for buffer in owner.buffers where seen.insert(ObjectIdentifier(buffer)).inserted {
                buffers.append(buffer)
            }
        }
        return BufferOwners(buffers)
    }
}

/// A place where the bytes of growing string columns are put, in blocks that never move.
package struct ByteArena: ~Copyable {
    private var blocks: [Buffer] = []
    private var next: UnsafeMutableRawPointer?
    private var left = 0
    private var blockSize: Int
    /// Bytes of all blocks.
    package private(set) var byteCount = 0

    package init(blockSizeBytes: Int = 1 << 14) {
        blockSize = blockSizeBytes
    }

    /// Copies `count` bytes in and gives a view of them; short ones stay in the view.
    package mutating func intern(_ bytes: UnsafePointer<UInt8>, count: Int) -> StringView {
        if count <= StringView.inlineCountMax { return StringView(bytes, count: count) }
        let target = reserve(count)
        target.copyMemory(from: bytes, byteCount: count)
        return StringView(UnsafePointer(target.assumingMemoryBound(to: UInt8.self)), count: count)
    }

    /// A copy of what the view shows that lives in this arena.
    package mutating func intern(_ view: StringView) -> StringView {
        view.isInline ? view : intern(view.address, count: view.count)
    }

    /// Room for `count` bytes, to be filled by the caller.
    package mutating func reserve(_ count: Int) -> UnsafeMutableRawPointer {
        if let next, left >= count {
            self.next = next + count
            left -= count
            return next
        }
        let block = Buffer(byteCount: max(count, blockSize))
        blocks.append(block)
        byteCount += block.byteCount
        // Very many bytes go to large pages, which are given back much faster than small ones.
        blockSize =
            byteCount < 8 * LargePages.byteCountMin
            ? min(blockSize * 2, 1 << 20) : LargePages.byteCountMin
        next = block.base + count
        left = block.byteCount - count
        return block.base
    }

    /// The blocks, for the column that the views go into.
    package var owners: BufferOwners { BufferOwners(blocks) }
}
