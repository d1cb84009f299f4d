package import Columnar

/// Whether row `i` of some columns equals row `j` of others, for grouping and joins.
///
/// Prepared once for a pair of column lists (batch against batch, batch against build side).
/// Equality is SQL's: NaN equals NaN, 0.0 equals -0.0, text by bytes. Types must agree pairwise.
package struct RowEquality: Sendable {
    private let pairs: [Pair]
    private let nullsEqual: Bool

    private struct Pair: Sendable {
        let left: Column
        let right: Column
        /// Both sides count into one dictionary of distinct values: equal codes are equal values.
        let sameDictionary: Bool
    }

    /// With `nullsEqual` two nulls are equal, as for grouping; without, as for joins, null equals
    /// nothing.
    package init(_ left: [Column], _ right: [Column], nullsEqual: Bool) {
        precondition(left.count == right.count)
        self.nullsEqual = nullsEqual
        pairs = zip(left, right).map { a, b in
            if case .dictionary(_, let x) = a.storage, case .dictionary(_, let y) = b.storage,
                x === y
            {
                return Pair(left: a, right: b, sameDictionary: true)
            }
            return Pair(
                left: a.flattened(),
                right: b.flattened(),
                sameDictionary: false
            )
        }
    }

    /// Writes 1 or 0 for each pair of rows `(leftRows[i], rightRows[i])`.
    package func matches(
        _ leftRows: UnsafePointer<Int32>,
        _ rightRows: UnsafePointer<Int32>,
        count: Int,
        into flags: UnsafeMutablePointer<UInt8>
    ) {
        for index in 0..<count { flags[index] = 1 }
        for pair in pairs { matchPair(pair, leftRows, rightRows, count, flags) }
    }

    /// Whether one pair of rows is equal.
    package func matches(_ leftRow: Int, _ rightRow: Int) -> Bool {
        withUnsafePointer(to: Int32(truncatingIfNeeded: leftRow)) { left in
            withUnsafePointer(to: Int32(truncatingIfNeeded: rightRow)) { right in
                var flag: UInt8 = 0
                matches(left, right, count: 1, into: &flag)
                return flag != 0
            }
        }
    }

    @inline(__always)
    private func apply(
        _ pair: Pair,
        _ leftRows: UnsafePointer<Int32>,
        _ rightRows: UnsafePointer<Int32>,
        _ count: Int,
        _ flags: UnsafeMutablePointer<UInt8>,
        _ equal: (Int, Int) -> Bool
    ) {
        let (m, n) = (pair.left.validity?.words, pair.right.validity?.words)
        if m == nil && n == nil {
            for index in 0..<count {
                flags[index] &= equal(Int(leftRows[index]), Int(rightRows[index])) ? 1 : 0
            }
            return
        }
        let bothNull: UInt8 = nullsEqual ? 1 : 0
        for index in 0..<count where flags[index] != 0 {
            let (i, j) = (Int(leftRows[index]), Int(rightRows[index]))
            let p = m.map { $0[i &>> 6] &>> UInt64(i & 63) & 1 } ?? 1
            let q = n.map { $0[j &>> 6] &>> UInt64(j & 63) & 1 } ?? 1
            if p & q != 0 {
                flags[index] = equal(i, j) ? 1 : 0
            } else {
                flags[index] = p | q == 0 ? bothNull : 0
            }
        }
    }

    private func matchPair(
        _ pair: Pair,
        _ left: UnsafePointer<Int32>,
        _ right: UnsafePointer<Int32>,
        _ count: Int,
        _ flags: UnsafeMutablePointer<UInt8>
    ) {
        switch (pair.left.storage, pair.right.storage) {
        case (.dictionary(let x, _), .dictionary(let y, _)) where pair.sameDictionary:
            let (a, b) = (x.pointer(as: UInt32.self), y.pointer(as: UInt32.self))
            apply(pair, left, right, count, flags) { a[$0] == b[$1] }
        case (.bits(let x), .bits(let y)):
            let (a, b) = (x.words, y.words)
            apply(pair, left, right, count, flags) { bitOf(a, $0) == bitOf(b, $1) }
        case (.fixed(let x), .fixed(let y)):
            precondition(pair.left.type.physical == pair.right.type.physical)
            switch pair.left.type.physical {
            case .int32: fixed(pair, x, y, left, right, count, flags, Int32.self)
            case .int64: fixed(pair, x, y, left, right, count, flags, Int64.self)
            case .float32: fixed(pair, x, y, left, right, count, flags, Float.self)
            case .float64: fixed(pair, x, y, left, right, count, flags, Double.self)
            default:
                if pair.left.type == .interval {
                    fixed(pair, x, y, left, right, count, flags, IntervalLane.self)
                } else {
                    fixed(pair, x, y, left, right, count, flags, Int128.self)
                }
            }
        case (.views(let x, _), .views(let y, _)):
            fixed(pair, x, y, left, right, count, flags, StringView.self)
        case (.null, .null):
            for index in 0..<count { flags[index] &= nullsEqual ? 1 : 0 }
        default:
            apply(pair, left, right, count, flags) {
                NestedComparison.order(pair.left, $0, pair.right, $1) == 0
            }
        }
        withExtendedLifetime(pair) {}
    }

    @inline(__always)
    private func fixed<T: OrderedLane>(
        _ pair: Pair,
        _ x: BufferSlice,
        _ y: BufferSlice,
        _ left: UnsafePointer<Int32>,
        _ right: UnsafePointer<Int32>,
        _ count: Int,
        _ flags: UnsafeMutablePointer<UInt8>,
        _: T.Type
    ) {
        let (a, b) = (x.pointer(as: T.self), y.pointer(as: T.self))
        apply(pair, left, right, count, flags) { T.same(a[$0], b[$1]) }
    }
}
