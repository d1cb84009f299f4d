import Columnar

/// `count(*)` and `count(x)`.
final class CountAccumulator: GroupedAccumulator {
    private var counts = StateMemory<Int64>()
    private let rows: Bool

    init(rows: Bool) {
        self.rows = rows
        super.init(resultType: .int64)
    }

    override func update(
        groups: UnsafePointer<UInt32>,
        groupCount: Int,
        column: Column,
        count: Int
    ) throws(KernelError) {
        counts.grow(to: groupCount)
        let states = counts.base
        if rows || (column.validity == nil && !column.isAllNull) {
            if groupCount <= Self.fewGroupCountMax, count >= 8 * groupCount {
                countFew(groups, groupCount, count)
            } else {
                for row in 0..<count { states[Int(groups[row])] &+= 1 }
            }
        } else if !column.isAllNull {
            forEachValid(column.validity, count) { states[Int(groups[$0])] &+= 1 }
        }
    }

    private static let fewGroupCountMax = 64

    /// Neighbouring rows count in different places, so that none waits for the one before.
    private func countFew(_ groups: UnsafePointer<UInt32>, _ groupCount: Int, _ count: Int) {
        let states = counts.base
        withUnsafeTemporaryAllocation(of: Int64.self, capacity: 4 * groupCount) { lanes in
            guard let lane = lanes.baseAddress else { return }
            lane.initialize(repeating: 0, count: 4 * groupCount)
            for row in 0..<count { lane[Int(groups[row]) &* 4 &+ (row & 3)] &+= 1 }
            for place in 0..<4 * groupCount { states[place / 4] &+= lane[place] }
        }
    }

    override func update(column: Column) throws(KernelError) {
        counts.grow(to: 1)
        counts.base[0] &+= Int64(rows ? column.count : column.count - column.nullCount)
    }

    override func merge(
        _ other: GroupedAccumulator,
        mapping: [UInt32],
        groupCount: Int
    ) throws(KernelError) {
        guard let other = other as? CountAccumulator else { preconditionFailure("other kind") }
        counts.grow(to: groupCount)
        for group in 0..<min(mapping.count, other.counts.count) {
            counts.base[Int(mapping[group])] &+= other.counts.base[group]
        }
    }

    override func finish(groupCount: Int) throws(KernelError) -> Column {
        counts.values(.int64, count: groupCount)
    }

    override var byteCount: Int { counts.byteCount }

    override var hasPartials: Bool { true }

    override func partials(groupCount: Int) throws(KernelError) -> [Column] {
        counts.columns(count: groupCount)
    }

    override func restore(_ partials: [Column], count: Int) throws(KernelError) {
        try counts.restore(partials, count: count)
    }
}
