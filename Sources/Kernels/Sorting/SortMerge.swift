package import Columnar

/// Merges sorted runs.
package enum SortMerge {
    /// For two sorted runs, the rows in merged order: a row of the right run is counted on from the
    /// left run's length, so that they index the concatenation.
    ///
    /// Equal rows: left first.
    package static func merge(
        _ left: [Column],
        _ right: [Column],
        _ orders: [SortOrder],
        leftCount: Int,
        rightCount: Int
    ) -> Selection {
        let comparator = RowComparator(left, right, orders)
        let buffer = Buffer(byteCount: (leftCount + rightCount) * 4)
        let target = buffer.mutable(as: Int32.self)
        var (i, j, next) = (0, 0, 0)
        while i < leftCount && j < rightCount {
            if comparator.compare(i, j) <= 0 {
                target[next] = Int32(truncatingIfNeeded: i)
                i += 1
            } else {
                target[next] = Int32(truncatingIfNeeded: leftCount + j)
                j += 1
            }
            next += 1
        }
        while i < leftCount {
            target[next] = Int32(truncatingIfNeeded: i)
            i += 1
            next += 1
        }
        while j < rightCount {
            target[next] = Int32(truncatingIfNeeded: leftCount + j)
            j += 1
            next += 1
        }
        return Selection(buffer: buffer, count: next)
    }
}
