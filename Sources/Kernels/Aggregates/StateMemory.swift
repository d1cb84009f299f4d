import Columnar

/// The states of an aggregate, one a group, in raw memory that grows; new states are all zero bits.
///
/// Many states are not copied when their memory grows: hundreds of megabytes at once would keep a query that
/// nobody wants any more from ending.
struct StateMemory<State: BitwiseCopyable>: ~Copyable {
    private(set) var base: UnsafeMutablePointer<State>
    /// All zero behind `count` states.
    private var buffer: Buffer
    private var capacity: Int
    private(set) var count = 0

    init() {
        capacity = 16
        buffer = Buffer(zeroedByteCount: capacity * MemoryLayout<State>.stride)
        base = buffer.mutable(as: State.self)
    }

    /// Makes room for `newCount` states; never shrinks.
    mutating func grow(to newCount: Int) {
        guard newCount > count else { return }
        if newCount > capacity {
            capacity = max(newCount, capacity * 2)
            Buffer.grow(
                &buffer,
                to: capacity * MemoryLayout<State>.stride,
                isZeroed: true
            )
            base = buffer.mutable(as: State.self)
        }
        count = newCount
    }

    var byteCount: Int { capacity * MemoryLayout<State>.stride }

    // MARK: States as columns

    /// The first states as the values of a column, for states that are one value; they are used up.
    mutating func values(_ type: DataType, count: Int) -> Column {
        precondition(type.physical.byteWidth == MemoryLayout<State>.stride)
        grow(to: count)
        return Column(type, count: count, buffer: buffer)
    }

    /// 64-bit words that hold a state.
    private static var wordCount: Int { (MemoryLayout<State>.stride + 7) / 8 }

    /// The first states as columns of 64-bit words; they are used up.
    ///
    /// When nobody wants them any more (`Interruption`) the rest is left zero.
    mutating func columns(count: Int) -> [Column] {
        grow(to: count)
        let stride = MemoryLayout<State>.stride
        // One column of one word is what is there.
        if stride == 8 { return [Column(.int64, count: count, buffer: buffer)] }
        let source = UnsafeRawPointer(base)
        return (0..<Self.wordCount).map { word in
            let buffer = Buffer(zeroedByteCount: count * 8)
            let width = min(8, stride - word * 8)
            for row in 0..<count {
                if Interruption.isRaised(at: row) { break }
                (buffer.base + row * 8)
                    .copyMemory(from: source + row * stride + word * 8, byteCount: width)
            }
            return Column(.int64, count: count, buffer: buffer)
        }
    }

    /// The states that `columns` gave.
    mutating func restore(_ columns: [Column], count: Int) throws(KernelError) {
        guard columns.count == Self.wordCount else { throw .foreignPartials }
        grow(to: count)
        let stride = MemoryLayout<State>.stride
        let target = UnsafeMutableRawPointer(base)
        for (word, column) in columns.enumerated() {
            let flat = column.flattened()
            guard case .fixed(let values) = flat.storage, flat.type == .int64, flat.count == count
            else { throw .foreignPartials }
            let source = UnsafeRawPointer(values.pointer(as: UInt8.self))
            let width = min(8, stride - word * 8)
            for row in 0..<count {
                (target + row * stride + word * 8)
                    .copyMemory(from: source + row * 8, byteCount: width)
            }
            withExtendedLifetime(flat) {}
        }
    }
}
