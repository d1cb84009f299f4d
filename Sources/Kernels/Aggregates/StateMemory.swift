import Columnar

/// The states of an aggregate, one a group, in raw memory that grows; new states are all zero bits.
struct StateMemory<State: BitwiseCopyable>: ~Copyable {
    private(set) var base: UnsafeMutablePointer<State>
    private var capacity: Int
    private(set) var count = 0

    init() {
        capacity = 16
        base = Self.allocate(capacity)
    }

    deinit {
        base.deallocate()
    }

    private static func allocate(_ capacity: Int) -> UnsafeMutablePointer<State> {
        let memory = UnsafeMutablePointer<State>.allocate(capacity: capacity)
        UnsafeMutableRawPointer(memory).initializeMemory(
            as: UInt8.self,
            repeating: 0,
            count: capacity * MemoryLayout<State>.stride
        )
        return memory
    }

    /// Makes room for `newCount` states; never shrinks.
    mutating func grow(to newCount: Int) {
        guard newCount > count else { return }
        if newCount > capacity {
            let newCapacity = max(newCount, capacity * 2)
            let fresh = Self.allocate(newCapacity)
            UnsafeMutableRawPointer(fresh).copyMemory(
                from: base,
                byteCount: count * MemoryLayout<State>.stride
            )
            base.deallocate()
            (base, capacity) = (fresh, newCapacity)
        }
        count = newCount
    }

    var byteCount: Int { capacity * MemoryLayout<State>.stride }

    // MARK: States as columns

    /// 64-bit words that hold a state.
    private static var wordCount: Int { (MemoryLayout<State>.stride + 7) / 8 }

    /// The first states as columns of 64-bit words.
    mutating func columns(count: Int) -> [Column] {
        grow(to: count)
        let stride = MemoryLayout<State>.stride
        let source = UnsafeRawPointer(base)
        return (0..<Self.wordCount).map { word in
            let buffer = Buffer(zeroedByteCount: count * 8)
            let width = min(8, stride - word * 8)
            for row in 0..<count {
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
