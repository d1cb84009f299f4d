import Columnar

/// A view of bytes that are in memory that stays, or that fit into the view.
@inline(__always)
func makeView(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> StringView {
    let raw = UnsafeRawPointer(bytes)
    if count > 12 {
        return StringView(
            length: UInt32(truncatingIfNeeded: count),
            prefix: raw.loadUnaligned(as: UInt32.self),
            rest: UInt64(UInt(bitPattern: bytes))
        )
    }
    var low: UInt64 = 0
    var high: UInt64 = 0
    if count >= 8 {
        low = raw.loadUnaligned(as: UInt64.self)
        // The last eight bytes overlap the first; shift those away.
        let tail = raw.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
        high = count == 8 ? 0 : tail &>> UInt64((16 &- count) &* 8)
    } else if count >= 4 {
        let head = UInt64(raw.loadUnaligned(as: UInt32.self))
        let tail = UInt64(raw.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self))
        low = head | tail &<< UInt64((count &- 4) &* 8)
    } else if count > 0 {
        let middle = UInt64(bytes[count &>> 1])
        let last = UInt64(bytes[count &- 1])
        low = UInt64(bytes[0]) | middle &<< UInt64((count &>> 1) &* 8)
        low |= last &<< UInt64((count &- 1) &* 8)
    }
    return StringView(
        length: UInt32(truncatingIfNeeded: count),
        prefix: UInt32(truncatingIfNeeded: low),
        rest: low &>> 32 | high &<< 32
    )
}

/// Collects the views of a text column that a kernel makes; rows that are not set stay empty.
struct ViewWriter: ~Copyable {
    private let buffer: Buffer
    let views: UnsafeMutablePointer<StringView>
    let count: Int
    var arena = ByteArena()

    init(count: Int) {
        self.count = count
        buffer = Buffer(zeroedByteCount: count * 16)
        views = buffer.mutable(as: StringView.self)
    }

    /// Copies the bytes.
    @inline(__always)
    mutating func set(_ row: Int, _ bytes: UnsafePointer<UInt8>, _ byteCount: Int) {
        views[row] =
            byteCount <= 12 ? makeView(bytes, byteCount) : arena.intern(bytes, count: byteCount)
    }

    /// Copies the bytes.
    @inline(__always)
    mutating func set(_ row: Int, _ bytes: UnsafeBufferPointer<UInt8>) {
        guard let base = bytes.baseAddress, !bytes.isEmpty else { return }
        set(row, base, bytes.count)
    }

    /// Copies the bytes.
    @inline(__always)
    mutating func set(_ row: Int, _ bytes: [UInt8]) {
        bytes.withUnsafeBufferPointer { set(row, $0) }
    }

    /// Sets a view of bytes that `owners` of `finish` keep.
    @inline(__always)
    func share(_ row: Int, _ bytes: UnsafePointer<UInt8>, _ byteCount: Int) {
        views[row] = makeView(bytes, byteCount)
    }

    func finish(_ type: DataType, validity: Bitmap?, sharing owners: BufferOwners = .none) -> Column
    {
        Column(
            type: type,
            count: count,
            validity: validity,
            storage: .views(BufferSlice(buffer), owners: .union([owners, arena.owners]))
        )
    }
}
