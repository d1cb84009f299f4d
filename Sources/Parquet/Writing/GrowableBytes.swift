import Glibc

/// Memory that grows at its end and is used again.
///
/// For its one owner; pointers into it are good until it grows.
final class GrowableBytes {
    private(set) var base: UnsafeMutableRawPointer
    private(set) var count = 0
    private var capacity: Int

    init(capacity: Int = 1024) {
        self.capacity = capacity
        base = .allocate(byteCount: capacity, alignment: 16)
    }

    deinit {
        base.deallocate()
    }

    /// Room for `byteCount` bytes at the end, which count as there from now on.
    func extend(_ byteCount: Int) -> UnsafeMutableRawPointer {
        if count + byteCount > capacity {
            capacity = max(capacity * 2, count + byteCount)
            let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
            larger.copyMemory(from: base, byteCount: count)
            base.deallocate()
            base = larger
        }
        defer { count += byteCount }
        return base + count
    }

    func append(_ source: UnsafeRawPointer, _ byteCount: Int) {
        extend(byteCount).copyMemory(from: source, byteCount: byteCount)
    }

    func truncate(to newCount: Int) {
        precondition(newCount <= count)
        count = newCount
    }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }
}
