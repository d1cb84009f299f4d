/// Finds the value at a place of a sorted order without sorting all of them.
enum Selecting {
    /// Ranges of fewer keys are sorted by insertion.
    private static let smallCount = 24

    /// The keys at `place` and behind it in ascending order (the same one at the end); moves the keys.
    static func select(
        _ place: Int,
        in keys: UnsafeMutableBufferPointer<Int64>
    ) -> (at: Int64, next: Int64) {
        precondition(keys.indices.contains(place))
        arrange(place, keys)
        let found = keys[place]
        var next = Int64.max
        for index in place + 1..<keys.count { next = min(next, keys[index]) }
        return (found, place + 1 < keys.count ? next : found)
    }

    /// Moves keys until the one at `place` is where sorting would put it, with no greater one before it and
    /// no lesser one behind.
    private static func arrange(_ place: Int, _ keys: UnsafeMutableBufferPointer<Int64>) {
        var (low, high) = (0, keys.count - 1)
        // Each round leaves half on average; keys that were chosen to defeat that are sorted.
        var roundsLeft = 4 * (Int.bitWidth - keys.count.leadingZeroBitCount)
        while high - low >= smallCount {
            if roundsLeft == 0 {
                var rest = UnsafeMutableBufferPointer(rebasing: keys[low...high])
                rest.sort()
                return
            }
            roundsLeft -= 1
            let (a, b, c) = (keys[low], keys[(low + high) / 2], keys[high])
            let pivot = max(min(a, b), min(max(a, b), c))
            var (left, right) = (low, high)
            while left <= right {
                while keys[left] < pivot { left &+= 1 }
                while keys[right] > pivot { right &-= 1 }
                if left <= right {
                    keys.swapAt(left, right)
                    left &+= 1
                    right &-= 1
                }
            }
            if place <= right {
                high = right
            } else if place >= left {
                low = left
            } else {
                return
            }
        }
        for index in stride(from: low + 1, through: high, by: 1) {
            let key = keys[index]
            var target = index
            while target > low, keys[target - 1] > key {
                keys[target] = keys[target - 1]
                target -= 1
            }
            keys[target] = key
        }
    }

    /// A number whose order among its like is that of the doubles: NaN last, the zeros as one.
    static func key(_ value: Double) -> Int64 {
        if value.isNaN { return .max }
        let bits = Int64(bitPattern: (value == 0 ? 0 : value).bitPattern)
        return bits ^ Int64(bitPattern: UInt64(bitPattern: bits >> 63) >> 1)
    }

    /// The double of a key.
    static func value(_ key: Int64) -> Double {
        if key == .max { return .nan }
        return Double(
            bitPattern: UInt64(
                bitPattern: key ^ Int64(bitPattern: UInt64(bitPattern: key >> 63) >> 1)
            )
        )
    }
}
