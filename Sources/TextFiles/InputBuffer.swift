/// The bytes that a reader was fed and has not done with, in one piece.
///
/// Invariants: `count` bytes from `bytes` are input; `padding` more are readable.
final class InputBuffer {
    static let padding = 64

    private var memory: UnsafeMutablePointer<UInt8>
    private var capacity: Int
    private var start = 0
    private(set) var count = 0

    init() {
        capacity = 1 << 16
        memory = .allocate(capacity: capacity + Self.padding)
        memory.initialize(repeating: 0, count: capacity + Self.padding)
    }

    deinit {
        memory.deallocate()
    }

    /// The first byte that is not done with; good until the next change.
    var bytes: UnsafePointer<UInt8> { UnsafePointer(memory + start) }

    func append(_ source: UnsafeRawBufferPointer) {
        guard let base = source.baseAddress, source.count > 0 else { return }
        if start + count + source.count > capacity { makeRoom(source.count) }
        UnsafeMutableRawPointer(memory + start + count)
            .copyMemory(from: base, byteCount: source.count)
        count += source.count
        (memory + start + count).update(repeating: 0, count: Self.padding)
    }

    private func makeRoom(_ added: Int) {
        if count + added <= capacity, start >= count {
            memory.update(from: memory + start, count: count)
        } else {
            let newCapacity = max(capacity, (count + added) * 2)
            let newMemory = UnsafeMutablePointer<UInt8>.allocate(
                capacity: newCapacity + Self.padding
            )
            newMemory.update(from: memory + start, count: count)
            memory.deallocate()
            (memory, capacity) = (newMemory, newCapacity)
        }
        start = 0
    }

    /// The first `done` bytes are not needed any more.
    func consume(_ done: Int) {
        precondition(done >= 0 && done <= count)
        start += done
        count -= done
    }
}
