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
}
