package import Columnar

/// `x IN (constants)`, prepared once and used for every batch.
///
/// Immutable after `init`, so it may be shared between workers.
package final class InSet: Sendable {
    /// The distinct constants, without null.
    private let values: Column
    private let hasNull: Bool
    /// Open addressing over the values' hashes: index into `values` plus one, 0 for empty.
    private let slots: Buffer
    private let slotMask: Int
    private let hashes: Buffer

    /// Constants above this many go through the hash table.
    private static let linearCountMax = 8

    /// The constants as a column of the type that will be tested.
    package init(_ constants: Column) {
        hasNull = constants.hasNulls
        let present = Filter.selection(NullTests.isNotNull(constants))
        values = Compact.compacted(Take.take(constants, present).flattened())
        let count = values.count
        var capacity = 16
        while capacity < count * 2 { capacity *= 2 }
        slots = Buffer(zeroedByteCount: capacity * 4)
        slotMask = capacity - 1
        hashes = Hashing.hash([values], count: count)
        let table = slots.mutable(as: UInt32.self)
        let hash = hashes.mutable(as: UInt64.self)
        for index in 0..<count {
            var slot = Int(truncatingIfNeeded: hash[index]) & slotMask
            while table[slot] != 0 { slot = (slot &+ 1) & slotMask }
            table[slot] = UInt32(truncatingIfNeeded: index &+ 1)
        }
    }

    /// For each row whether it is among the constants; null for null, and for rows that are not
    /// found while the constants contain null.
    package func contains(_ column: Column) throws(KernelError) -> Column {
        if column.isAllNull { return .nulls(.boolean, count: column.count) }
        let found = try column.mapped(to: .boolean) { column throws(KernelError) -> Column in
            try membership(column)
        }
        if !hasNull { return found }
        return Logic.or(found, .nulls(.boolean, count: column.count))
    }

    private func membership(_ column: Column) throws(KernelError) -> Column {
        let count = column.count
        if values.count <= Self.linearCountMax {
            var result = Bitmap(repeating: false, count: count)
            for index in 0..<values.count {
                let constant = Column(
                    type: values.type,
                    count: count,
                    validity: nil,
                    storage: .constant(ColumnBox(values.slice(index..<(index + 1))))
                )
                let equal = Filter.trueRows(try Comparison.compare(.equal, column, constant))
                let (x, y) = (result.words, equal.words)
                result = .fromWords(count) { x[$0] | y[$0] }
                withExtendedLifetime(equal) {}
            }
            return Column(bits: result, validity: column.validity)
        }
        let hashed = Hashing.hash([column], count: count)
        let wanted = hashed.mutable(as: UInt64.self)
        let table = slots.mutable(as: UInt32.self)
        let known = hashes.mutable(as: UInt64.self)
        // Candidates by hash first, then one batched comparison; a second value of the same 64-bit
        // hash would be missed, so a failed comparison looks on.
        let candidates = Buffer(byteCount: count * 4)
        let candidate = candidates.mutable(as: Int32.self)
        for row in 0..<count {
            candidate[row] = -1
            var slot = Int(truncatingIfNeeded: wanted[row]) & slotMask
            while table[slot] != 0 {
                let index = Int(table[slot]) &- 1
                if known[index] == wanted[row] {
                    candidate[row] = Int32(truncatingIfNeeded: index)
                    break
                }
                slot = (slot &+ 1) & slotMask
            }
        }
        let rows = Filter.everyRow(count)
        let equality = RowEquality([column], [values], nullsEqual: false)
        let flags = Buffer(byteCount: count)
        let flag = flags.mutable(as: UInt8.self)
        let clamped = Buffer(byteCount: count * 4)
        let other = clamped.mutable(as: Int32.self)
        for row in 0..<count { other[row] = max(0, candidate[row]) }
        equality.matches(rows.rows, UnsafePointer(other), count: count, into: flag)
        for row in 0..<count {
            if candidate[row] < 0 {
                flag[row] = 0
            } else if flag[row] == 0 {
                flag[row] = searchOn(equality, row, wanted[row]) ? 1 : 0
            }
        }
        let bits = Bitmap.fromFlags(UnsafePointer(flag), count: count)
        return withExtendedLifetime((rows, column, candidates, hashed)) {
            Column(bits: bits, validity: column.validity)
        }
    }

    /// Looks at every constant with the row's hash.
    private func searchOn(_ equality: RowEquality, _ row: Int, _ hash: UInt64) -> Bool {
        let table = slots.mutable(as: UInt32.self)
        let known = hashes.mutable(as: UInt64.self)
        var slot = Int(truncatingIfNeeded: hash) & slotMask
        while table[slot] != 0 {
            let index = Int(table[slot]) &- 1
            if known[index] == hash && equality.matches(row, index) { return true }
            slot = (slot &+ 1) & slotMask
        }
        return false
    }
}
