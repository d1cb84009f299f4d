import Columnar

// Sorting by parts of the prefix: rows are dealt out by the first bits in which their prefixes differ, and each heap of rows again by
// the next bits, until few are left. Dealing out keeps the order of rows, so that those whose prefixes are equal stay as
// they came.

extension SortKeys {
    /// Ranges of fewer rows are sorted by insertion.
    private static let smallCount = 24
    /// Ranges of more rows are dealt out by more bits, as long as all heaps stay in a cache's reach.
    private static let largeCount = 1 << 16
    private static let largeDigitBits = 11
    private static let digitBits = 8

    /// Sorts entries that are in the order of their rows.
    ///
    /// - Parameter check: called every few ten thousand rows.
    func sort(
        _ entries: UnsafeMutableBufferPointer<Entry>,
        _ check: () throws -> Void
    ) rethrows {
        guard let base = entries.baseAddress, entries.count > 1 else { return }
        if entries.count <= Self.smallCount {
            insert(base, entries.count)
            return
        }
        var sortedCount = 1
        while sortedCount < entries.count, isBefore(base[sortedCount - 1], base[sortedCount]) {
            sortedCount += 1
            if sortedCount & (Interruption.rowCount - 1) == 0 { try check() }
        }
        if sortedCount == entries.count { return }
        let scratch = Buffer(byteCount: entries.count * MemoryLayout<Entry>.stride)
        try deal(base, scratch.mutable(as: Entry.self), entries.count, check)
        withExtendedLifetime(scratch) {}
    }

    private func deal(
        _ base: UnsafeMutablePointer<Entry>,
        _ scratch: UnsafeMutablePointer<Entry>,
        _ count: Int,
        _ check: () throws -> Void
    ) rethrows {
        if count <= Self.smallCount {
            insert(base, count)
            return
        }
        var high: UInt64 = 0
        var low: UInt64 = 0
        let first = base[0]
        try Self.inParts(count, check) { rows in
            for index in rows {
                high |= base[index].high ^ first.high
                low |= base[index].low ^ first.low
            }
        }
        if high | low == 0 {
            if exactColumns < columns.count {
                var rest = UnsafeMutableBufferPointer(start: base, count: count)
                var comparisonCount = 0
                try rest.sort { a, b in
                    comparisonCount &+= 1
                    if comparisonCount & (Interruption.rowCount &- 1) == 0 { try check() }
                    return isBefore(a, b)
                }
            }
            return
        }
        let top = high != 0 ? 127 - high.leadingZeroBitCount : 63 - low.leadingZeroBitCount
        let bits = count > Self.largeCount ? Self.largeDigitBits : Self.digitBits
        let shift = max(0, top + 1 - bits)
        try withUnsafeTemporaryAllocation(of: Int.self, capacity: (1 << bits) + 1) { places in
            guard let ends = places.baseAddress else { return }
            ends.initialize(repeating: 0, count: (1 << bits) + 1)
            try Self.inParts(count, check) { rows in
                for index in rows { ends[Self.digit(base[index], shift, bits) &+ 1] &+= 1 }
            }
            for digit in 1...(1 << bits) { ends[digit] &+= ends[digit &- 1] }
            // The beginning of each heap moves to its end, which is where the next one begins.
            try Self.inParts(count, check) { rows in
                for index in rows {
                    let digit = Self.digit(base[index], shift, bits)
                    scratch[ends[digit]] = base[index]
                    ends[digit] &+= 1
                }
            }
            try Self.inParts(count, check) { rows in
                (base + rows.lowerBound).update(from: scratch + rows.lowerBound, count: rows.count)
            }
            if shift == 0, exactColumns == columns.count { return }
            var start = 0
            for digit in 0..<(1 << bits) {
                let end = ends[digit]
                if end &- start > 1 {
                    try deal(base + start, scratch, end &- start, check)
                }
                start = end
            }
        }
    }

    /// Runs `body` for all rows in order, some ten thousand at once, with a check before each that follows.
    @inline(__always)
    static func inParts(
        _ count: Int,
        _ check: () throws -> Void,
        _ body: (Range<Int>) -> Void
    ) rethrows {
        var start = 0
        while count &- start > Interruption.rowCount {
            body(start..<start &+ Interruption.rowCount)
            start &+= Interruption.rowCount
            try check()
        }
        body(start..<count)
    }

    /// Some bits of the prefix, the last of them `shift` bits above its end.
    @inline(__always)
    private static func digit(_ entry: Entry, _ shift: Int, _ bits: Int) -> Int {
        let part =
            shift >= 64
            ? entry.high &>> UInt64(shift &- 64)
            : entry.low &>> UInt64(shift) | (shift == 0 ? 0 : entry.high &<< UInt64(64 &- shift))
        return Int(truncatingIfNeeded: part) & ((1 &<< bits) &- 1)
    }

    private func insert(_ base: UnsafeMutablePointer<Entry>, _ count: Int) {
        for index in 1..<max(1, count) {
            let entry = base[index]
            var target = index
            while target > 0, isBefore(entry, base[target &- 1]) {
                base[target] = base[target &- 1]
                target &-= 1
            }
            base[target] = entry
        }
    }
}
