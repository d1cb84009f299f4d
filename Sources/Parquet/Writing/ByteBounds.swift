import Glibc

/// The first and last of byte strings, by their bytes, while they are looked at.
struct ByteBounds {
    private var smallest: UnsafeRawBufferPointer?
    private var largest: UnsafeRawBufferPointer?

    /// Looks at one more, which stays where it is until `statistics` is taken.
    @inline(__always)
    mutating func add(_ bytes: UnsafeRawPointer, _ count: Int) {
        let value = UnsafeRawBufferPointer(start: bytes, count: count)
        guard let low = smallest, let high = largest else {
            (smallest, largest) = (value, value)
            return
        }
        if Self.order(value, low) < 0 {
            smallest = value
        } else if Self.order(value, high) > 0 {
            largest = value
        }
    }

    @inline(__always)
    private static func order(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Int {
        let order = memcmp(a.start, b.start, min(a.count, b.count))
        return order != 0 ? Int(order) : a.count - b.count
    }

    /// Copies of what was found.
    var statistics: BoundsAndCounts {
        var result = BoundsAndCounts()
        if let smallest, let largest {
            result.min = .bytes(Array(smallest))
            result.max = .bytes(Array(largest))
        }
        return result
    }
}
