package import Columnar

/// Finds, batch by batch, the rows that may be among the first few of their group in sort order.
///
/// Design. Of each group the least prefixes of sort keys so far are kept, as many as are wanted, in a heap with the greatest on top:
/// the group's bound. A row behind the bound of a full group is dropped at once. One that was kept may fall behind the
/// bound later; `retained` finds those out.
///
/// Invariants:
/// 1. A group's heap holds the least `limit` prefixes of all rows that came, or all of them while there are fewer.
/// 2. Rows are only dropped when `limit` rows of their group come before them: so nothing is lost where prefixes do not
///    tell rows apart, for then equal ones are kept.
package final class GroupedTop {
    /// A row that was kept: what `retained` needs of it.
    private struct Rank: BitwiseCopyable {
        var high: UInt64
        var low: UInt64
        var group: UInt32
    }

    private struct Prefix: BitwiseCopyable {
        var high: UInt64
        var low: UInt64

        @inline(__always)
        static func < (a: Prefix, b: Prefix) -> Bool {
            a.high < b.high || (a.high == b.high && a.low < b.low)
        }
    }

    private struct Group: BitwiseCopyable {
        /// The top of the heap.
        var bound: Prefix
        /// Where its heap is among all, unless one row is wanted: then the bound is all of it.
        var start: Int
        var count: UInt32
        var capacity: UInt32
    }

    private let orders: [SortOrder]
    private let limit: Int
    private let keepsEqual: Bool
    private var groups = Buffer(zeroedByteCount: 0)
    private var groupCapacity = 0
    private var heaps = Buffer(byteCount: 0)
    private var heapCount = 0
    private var heapCapacity = 0
    /// Prefixes in all heaps: rows that are kept, less those equal to bounds.
    package private(set) var entryCount = 0

    /// Bytes that `select` gives for each row that it keeps.
    package static let rankByteCount = MemoryLayout<Rank>.stride

    /// - Parameters:
    ///   - orders: of the keys that `select` gets; none when rows come first as they come.
    ///   - limit: how many rows of each group are wanted, at least one.
    ///   - keepsEqual: whether rows equal to the last wanted one are wanted too.
    package init(types: [DataType], orders: [SortOrder], limit: Int, keepsEqual: Bool) {
        precondition(limit > 0 && limit <= Int(UInt32.max) && types.count == orders.count)
        self.orders = orders
        self.limit = limit
        self.keepsEqual = keepsEqual || !SortKeys.decidesByPrefix(types)
    }

    package var byteCount: Int { groups.byteCount + heaps.byteCount }

    /// The most memory that it takes on the way to taking `count` more rows.
    package func byteCountMax(adding count: Int) -> Int {
        let stride = MemoryLayout<Prefix>.stride
        let own = 3 * byteCount + 2 * count * MemoryLayout<Group>.stride
        return limit == 1 ? own : own + 8 * count * stride
    }

    /// The rows of a batch that may be wanted, in order; nil for all of them.
    ///
    /// - Parameters:
    ///   - keys: one column for each order.
    ///   - numbers: the group of each row, less than `groupCount`; nil when all are of group 0.
    /// - Returns: the rows, and for `retained` what is to be known of them.
    package func select(
        _ keys: [Column],
        groups numbers: UnsafePointer<UInt32>?,
        groupCount: Int,
        count: Int
    ) -> (rows: Selection?, ranks: Buffer) {
        grow(to: max(1, groupCount))
        let sorted = orders.isEmpty ? nil : SortKeys(keys, orders, isUniform: true)
        let entries = sorted.map { UnsafePointer($0.entries.mutable(as: SortKeys.Entry.self)) }
        let rowBuffer = Buffer(byteCount: count * 4)
        let rankBuffer = Buffer(byteCount: count * MemoryLayout<Rank>.stride)
        let rows = rowBuffer.mutable(as: Int32.self)
        let ranks = rankBuffer.mutable(as: Rank.self)
        let all = groups.mutable(as: Group.self)
        let full = UInt32(limit)
        var next = 0
        for row in 0..<count {
            let number = numbers.map { $0[row] } ?? 0
            let group = all + Int(number)
            let prefix =
                entries.map { Prefix(high: $0[row].high, low: $0[row].low) }
                ?? Prefix(high: 0, low: 0)
            if group.pointee.count == full {
                if prefix < group.pointee.bound {
                    replaceBound(group, prefix)
                } else if !keepsEqual || group.pointee.bound < prefix {
                    continue
                }
            } else {
                insert(group, prefix)
            }
            rows[next] = Int32(truncatingIfNeeded: row)
            ranks[next] = Rank(high: prefix.high, low: prefix.low, group: number)
            next &+= 1
        }
        return withExtendedLifetime((sorted, groups, heaps)) {
            (next == count ? nil : Selection(buffer: rowBuffer, count: next), rankBuffer)
        }
    }

    /// Of rows that `select` kept, in the order in which they came, those that may still be wanted.
    ///
    /// - Parameter batches: all that it gave and how many rows they are, or what this gave of them.
    /// - Returns: by batch its rows (nil for all), and what is to be known of them from now on.
    package func retained(
        _ batches: [(ranks: Buffer, count: Int)]
    ) -> [(rows: Selection?, ranks: Buffer, count: Int)] {
        // Of rows equal to a bound those that came first are wanted, as many as are in the heap.
        let equal = Buffer(zeroedByteCount: keepsEqual ? 0 : groupCapacity * 4)
        let left = equal.mutable(as: UInt32.self)
        let all = groups.mutable(as: Group.self)
        if !keepsEqual {
            let prefixes = heaps.mutable(as: Prefix.self)
            for index in 0..<groupCapacity where all[index].count > 0 {
                if limit == 1 {
                    left[index] = 1
                    continue
                }
                let bound = all[index].bound
                for place in all[index].start..<all[index].start + Int(all[index].count) {
                    let isEqual =
                        prefixes[place].high == bound.high && prefixes[place].low == bound.low
                    left[index] &+= isEqual ? 1 : 0
                }
            }
        }
        var result: [(rows: Selection?, ranks: Buffer, count: Int)] = []
        result.reserveCapacity(batches.count)
        for (ranks, count) in batches {
            let source = ranks.mutable(as: Rank.self)
            let rowBuffer = Buffer(byteCount: count * 4)
            let rows = rowBuffer.mutable(as: Int32.self)
            var next = 0
            for row in 0..<count {
                let rank = source[row]
                let number = Int(rank.group)
                let prefix = Prefix(high: rank.high, low: rank.low)
                let bound = all[number].bound
                if bound < prefix { continue }
                if !keepsEqual, !(prefix < bound) {
                    if left[number] == 0 { continue }
                    left[number] &-= 1
                }
                rows[next] = Int32(truncatingIfNeeded: row)
                next &+= 1
            }
            if next == count {
                result.append((nil, ranks, count))
                continue
            }
            let kept = Buffer(byteCount: next * MemoryLayout<Rank>.stride)
            let target = kept.mutable(as: Rank.self)
            for index in 0..<next { target[index] = source[Int(rows[index])] }
            result.append((Selection(buffer: rowBuffer, count: next), kept, next))
        }
        return withExtendedLifetime((equal, groups, heaps, batches)) { result }
    }

    // MARK: Heaps

    private func grow(to groupCount: Int) {
        if groupCount <= groupCapacity { return }
        let capacity = max(groupCount, 2 * groupCapacity, 16)
        let larger = Buffer(zeroedByteCount: capacity * MemoryLayout<Group>.stride)
        larger.base.copyMemory(
            from: groups.base,
            byteCount: groupCapacity * MemoryLayout<Group>.stride
        )
        (groups, groupCapacity) = (larger, capacity)
    }

    @inline(__always)
    private func replaceBound(_ group: UnsafeMutablePointer<Group>, _ prefix: Prefix) {
        if limit == 1 {
            group.pointee.bound = prefix
            return
        }
        let heap = heaps.mutable(as: Prefix.self) + group.pointee.start
        let count = Int(group.pointee.count)
        var parent = 0
        while true {
            var child = 2 &* parent &+ 1
            if child >= count { break }
            if child &+ 1 < count, heap[child] < heap[child &+ 1] { child &+= 1 }
            if !(prefix < heap[child]) { break }
            heap[parent] = heap[child]
            parent = child
        }
        heap[parent] = prefix
        group.pointee.bound = heap[0]
    }

    private func insert(_ group: UnsafeMutablePointer<Group>, _ prefix: Prefix) {
        entryCount += 1
        if limit == 1 {
            group.pointee.bound = prefix
            group.pointee.count = 1
            return
        }
        let count = Int(group.pointee.count)
        if count == Int(group.pointee.capacity) { makeRoom(group) }
        let heap = heaps.mutable(as: Prefix.self) + group.pointee.start
        var child = count
        while child > 0 {
            let parent = (child &- 1) / 2
            if !(heap[parent] < prefix) { break }
            heap[child] = heap[parent]
            child = parent
        }
        heap[child] = prefix
        group.pointee.count += 1
        group.pointee.bound = heap[0]
    }

    /// Moves a group's heap behind all others, to twice its room.
    private func makeRoom(_ group: UnsafeMutablePointer<Group>) {
        let count = Int(group.pointee.count)
        let capacity = min(limit, max(2, 2 * count))
        let stride = MemoryLayout<Prefix>.stride
        if heapCount + capacity > heapCapacity {
            let larger = max(heapCount + capacity, 2 * heapCapacity, 256)
            let moved = Buffer(byteCount: larger * stride)
            moved.base.copyMemory(from: heaps.base, byteCount: heapCount * stride)
            (heaps, heapCapacity) = (moved, larger)
        }
        let base = heaps.mutable(as: Prefix.self)
        for index in 0..<count { base[heapCount + index] = base[group.pointee.start + index] }
        group.pointee.start = heapCount
        group.pointee.capacity = UInt32(capacity)
        heapCount += capacity
    }
}
