import Columnar
import Glibc
import Kernels

/// Numbers the distinct rows of key columns: equal keys get equal group numbers, counted from 0 in
/// the order they are first met.
///
/// Design. Slots of open addressing hold a 64-bit hash and a group number. A batch is looked up by
/// hash alone, taking equal hashes for equal keys; then all pairs are compared at once, column by
/// column, with the keys that the groups were made from. A pair that differs after all (a collision
/// of 64 bits) is looked up again alone, comparing keys. Single integer keys skip the comparison:
/// the slot holds the key. Nulls are keys like any other.
///
/// Invariants: `keyStore` holds the keys of groups 0 ..< groupCount in order; the load is at most
/// one half.
final class GroupTable {
    private(set) var groupCount = 0
    private let types: [DataType]
    private var keyStore: [ColumnStore]
    private var slots: Buffer
    private var slotMask: Int
    private let isSingleInteger: Bool
    private var nullGroup: UInt32?
    /// For dictionary keys: the group of each code, while the same dictionary comes.
    private var knownDictionary: ColumnDictionary?
    private var dictionaryGroups: [UInt32] = []
    /// The same for several dictionary keys: the group of each combination of codes.
    private var knownDictionaries: [ColumnDictionary] = []
    private var combinationGroups: [UInt32] = []

    /// Combinations that are numbered directly; their groups stay in a processor's cache.
    private static let combinationCountMax = 1 << 14

    /// Slots that take more than this do not stay in a core's cache: then the slots of the next rows are
    /// touched together, so that they come from memory at the same time instead of one by one.
    private static let cachedByteCount = 1 << 19
    /// A power of two.
    private static let touchedCount = 64
    /// What was found in touching, kept so that the loads are not left out.
    private var lastTouched: UInt32 = 0

    private struct Slot {
        /// The hash, or the key itself for single integers.
        var key: UInt64
        /// Group number plus one; 0 for empty.
        var group: UInt32
        var padding: UInt32 = 0
    }

    init(types: [DataType]) {
        self.types = types
        keyStore = types.map { ColumnStore($0) }
        slotMask = 1023
        slots = Buffer(zeroedByteCount: 1024 * 16)
        let physical = types.first?.physical
        isSingleInteger = types.count == 1 && (physical == .int32 || physical == .int64)
    }

    var byteCount: Int { slots.byteCount + keyStore.reduce(0) { $0 + $1.byteCount } }

    /// The most memory that it takes on the way to holding `count` more groups: what grows is there twice
    /// for a while, unless it is large.
    func byteCountMax(adding count: Int) -> Int {
        let own = byteCount
        if (groupCount + count) * 2 > slotMask + 1 {
            return slots.growsInPlace ? own * 2 : own * 3
        }
        // Keys are doubled at other sizes than slots.
        return own + slots.byteCount / 2
    }

    /// The keys of all groups, in the order of their numbers.
    func keys() -> [Column] {
        keyStore.map { $0.column }
    }

    /// Writes the group of each row; new keys make new groups.
    ///
    /// - Throws: `CancellationError` when nobody wants the groups any more; the table is then of no use.
    func assign(
        _ columns: [Column],
        count: Int,
        into groups: UnsafeMutablePointer<UInt32>
    ) throws {
        // So many rows that looking them up takes long come from another table only.
        if count <= Self.assignedCountMax {
            return try assignSome(columns, count: count, into: groups)
        }
        for start in stride(from: 0, to: count, by: Self.assignedCountMax) {
            try Interruption.check()
            let rows = start..<min(count, start + Self.assignedCountMax)
            try assignSome(columns.map { $0.slice(rows) }, count: rows.count, into: groups + start)
        }
    }

    private static let assignedCountMax = 1 << 16

    private func assignSome(
        _ columns: [Column],
        count: Int,
        into groups: UnsafeMutablePointer<UInt32>
    ) throws {
        if columns.count == 1, case .dictionary(let codes, let dictionary) = columns[0].storage,
            try assignCodes(columns[0], codes, dictionary, count, groups)
        {
            return
        }
        if isSingleInteger {
            try assignIntegers(columns[0].flattened(), count, groups)
        } else if try columns.count < 2 || !assignCombinations(columns, count, groups) {
            try assignRows(columns, count, groups)
        }
    }

    // MARK: Dictionary codes

    /// Groups by the codes of several dictionaries together: every combination is looked up once.
    ///
    /// - Returns: false when some column has no dictionary, or there are too many combinations; then
    ///   nothing was done.
    private func assignCombinations(
        _ columns: [Column],
        _ count: Int,
        _ groups: UnsafeMutablePointer<UInt32>
    ) throws -> Bool {
        var dictionaries: [ColumnDictionary] = []
        var combinationCount = 1
        for column in columns {
            guard case .dictionary(_, let dictionary) = column.storage else { return false }
            dictionaries.append(dictionary)
            // One more for null.
            let (product, overflow) = combinationCount.multipliedReportingOverflow(
                by: dictionary.count + 1
            )
            guard !overflow, product <= Self.combinationCountMax else { return false }
            combinationCount = product
        }
        let isKnown =
            dictionaries.count == knownDictionaries.count
            && zip(dictionaries, knownDictionaries).allSatisfy { $0 === $1 }
        if !isKnown {
            knownDictionaries = dictionaries
            combinationGroups = [UInt32](repeating: .max, count: combinationCount)
        }
        let scratch = Buffer(zeroedByteCount: count * 4)
        let combination = scratch.mutable(as: UInt32.self)
        for (column, dictionary) in zip(columns, dictionaries) {
            guard case .dictionary(let codes, _) = column.storage else { return false }
            let source = codes.pointer(as: UInt32.self)
            let factor = UInt32(dictionary.count + 1)
            let null = factor - 1
            if let validity = column.validity {
                for row in 0..<count {
                    let code = validity[row] ? source[row] : null
                    combination[row] = combination[row] &* factor &+ code
                }
            } else {
                for row in 0..<count {
                    combination[row] = combination[row] &* factor &+ source[row]
                }
            }
        }
        var hasNew = false
        combinationGroups.withUnsafeBufferPointer { known in
            for row in 0..<count {
                let group = known[Int(combination[row])]
                groups[row] = group
                hasNew = hasNew || group == .max
            }
        }
        if hasNew {
            // The first row of each new combination stands for it.
            var fresh: [Int32] = []
            for row in 0..<count where groups[row] == .max {
                let place = Int(combination[row])
                if combinationGroups[place] == .max {
                    combinationGroups[place] = .max - 1
                    fresh.append(Int32(row))
                }
            }
            let selection = Selection(fresh)
            var numbers = [UInt32](repeating: 0, count: fresh.count)
            try numbers.withUnsafeMutableBufferPointer { numbers in
                if let base = numbers.baseAddress {
                    try assignRows(columns.map { Take.take($0, selection) }, fresh.count, base)
                }
            }
            for (row, number) in zip(fresh, numbers) {
                combinationGroups[Int(combination[Int(row)])] = number
            }
            for row in 0..<count where groups[row] == .max {
                groups[row] = combinationGroups[Int(combination[row])]
            }
        }
        withExtendedLifetime((scratch, columns)) {}
        return true
    }

    /// Groups by code: every entry is looked up once per dictionary.
    private func assignCodes(
        _ column: Column,
        _ codes: BufferSlice,
        _ dictionary: ColumnDictionary,
        _ count: Int,
        _ groups: UnsafeMutablePointer<UInt32>
    ) throws -> Bool {
        if knownDictionary !== dictionary {
            guard dictionary.count <= 4 * count else { return false }
            knownDictionary = dictionary
            dictionaryGroups = [UInt32](repeating: .max, count: dictionary.count)
        }
        let source = codes.pointer(as: UInt32.self)
        var hasNew = false
        dictionaryGroups.withUnsafeBufferPointer { known in
            for row in 0..<count {
                let group = known[Int(source[row])]
                groups[row] = group
                hasNew = hasNew || group == .max
            }
        }
        if hasNew {
            // Only codes that occur become groups; they are looked up together.
            var fresh: [Int32] = []
            for row in 0..<count where groups[row] == .max {
                if let validity = column.validity, !validity[row] { continue }
                let code = Int(source[row])
                if dictionaryGroups[code] == .max {
                    dictionaryGroups[code] = .max - 1
                    fresh.append(Int32(code))
                }
            }
            let entries = Take.take(
                dictionary.values,
                Selection(fresh)
            )
            var numbers = [UInt32](repeating: 0, count: fresh.count)
            try numbers.withUnsafeMutableBufferPointer { numbers in
                if let base = numbers.baseAddress {
                    if isSingleInteger {
                        try assignIntegers(entries.flattened(), fresh.count, base)
                    } else {
                        try assignRows([entries], fresh.count, base)
                    }
                }
            }
            for (code, number) in zip(fresh, numbers) { dictionaryGroups[Int(code)] = number }
            for row in 0..<count where groups[row] == .max {
                groups[row] = dictionaryGroups[Int(source[row])]
            }
        }
        if let validity = column.validity, validity.trueCount < count {
            let null = try groupOfNull()
            for row in 0..<count where !validity[row] { groups[row] = null }
        }
        return true
    }

    private func groupOfNull() throws -> UInt32 {
        if let nullGroup { return nullGroup }
        var group: UInt32 = 0
        if isSingleInteger {
            group = newGroup()
            keyStore[0].append(.nulls(types[0], count: 1))
        } else {
            try assignRows([.zeros(types[0], count: 1, isNull: true)], 1, &group)
        }
        nullGroup = group
        return group
    }

    private func newGroup() -> UInt32 {
        precondition(groupCount < Int(UInt32.max) - 2)
        defer { groupCount += 1 }
        return UInt32(groupCount)
    }

    // MARK: Single integers

    private func assignIntegers(
        _ column: Column,
        _ count: Int,
        _ groups: UnsafeMutablePointer<UInt32>
    ) throws {
        guard case .fixed(let values) = column.storage else {
            preconditionFailure("an integer key is flat")
        }
        try grow(by: count)
        let firstNew = groupCount
        let fresh = Buffer(byteCount: count * 4)
        let freshRows = fresh.mutable(as: Int32.self)
        let table = slots.mutable(as: Slot.self)
        let mask = slotMask
        let isLarge = slots.byteCount > Self.cachedByteCount
        var next = groupCount
        var freshCount = 0
        @inline(__always)
        func look<T: FixedWidthInteger & BitwiseCopyable>(_ source: UnsafePointer<T>) {
            var lastKey: UInt64 = 0
            var lastGroup = UInt32.max
            for row in 0..<count {
                if isLarge, row & (Self.touchedCount - 1) == 0 {
                    var touched: UInt32 = 0
                    for ahead in row..<min(row &+ Self.touchedCount, count) {
                        let key = UInt64(truncatingIfNeeded: source[ahead])
                        let slot = Int(truncatingIfNeeded: Self.mix(key)) & mask
                        touched |= table[slot].group
                    }
                    lastTouched = touched
                }
                let key = UInt64(truncatingIfNeeded: source[row])
                // Clustered keys repeat: the row before often has the answer.
                if key == lastKey, lastGroup != .max {
                    groups[row] = lastGroup
                    continue
                }
                var slot = Int(truncatingIfNeeded: Self.mix(key)) & mask
                while true {
                    let group = table[slot].group
                    if group == 0 {
                        table[slot] = Slot(key: key, group: UInt32(truncatingIfNeeded: next &+ 1))
                        lastGroup = UInt32(truncatingIfNeeded: next)
                        next &+= 1
                        freshRows[freshCount] = Int32(truncatingIfNeeded: row)
                        freshCount &+= 1
                        break
                    }
                    if table[slot].key == key {
                        lastGroup = group &- 1
                        break
                    }
                    slot = (slot &+ 1) & mask
                }
                lastKey = key
                groups[row] = lastGroup
            }
        }
        if let validity = column.validity {
            // Rows that are null go to a group of their own, one at a time.
            let present = Selection(validity)
            if present.count < count {
                let nulls = try groupOfNull()
                let some = Take.take(column, present).flattened()
                let dense = Column(
                    type: some.type,
                    count: some.count,
                    validity: nil,
                    storage: some.storage
                )
                let numbers = Buffer(byteCount: present.count * 4)
                let target = numbers.mutable(as: UInt32.self)
                try assignIntegers(dense, present.count, target)
                for row in 0..<count { groups[row] = nulls }
                for index in 0..<present.count {
                    groups[Int(present.rows[index])] = target[index]
                }
                return
            }
        }
        if column.type.physical == .int32 {
            look(values.pointer(as: Int32.self))
        } else {
            look(values.pointer(as: Int64.self))
        }
        groupCount = next
        if next > firstNew {
            keyStore[0].append(Take.take(column, rows: freshRows, count: freshCount))
        }
        withExtendedLifetime((column, slots, fresh)) {}
    }

    @inline(__always)
    private static func mix(_ key: UInt64) -> UInt64 {
        let product = (key ^ 0x9E37_79B9_7F4A_7C15).multipliedFullWidth(by: 0xD6E8_FEB8_6659_FD93)
        return product.high ^ product.low
    }

    // MARK: Any keys

    private func assignRows(
        _ columns: [Column],
        _ count: Int,
        _ groups: UnsafeMutablePointer<UInt32>
    ) throws {
        try grow(by: count)
        let hashBuffer = Hashing.hash(columns, count: count)
        let hashes = hashBuffer.mutable(as: UInt64.self)
        let table = slots.mutable(as: Slot.self)
        let mask = slotMask
        let isLarge = slots.byteCount > Self.cachedByteCount
        let firstNew = groupCount
        var next = firstNew
        let scratch = Buffer(byteCount: count * 4)
        let freshRows = scratch.mutable(as: Int32.self)
        for row in 0..<count {
            if isLarge, row & (Self.touchedCount - 1) == 0 {
                var touched: UInt32 = 0
                for ahead in row..<min(row &+ Self.touchedCount, count) {
                    touched |= table[Int(truncatingIfNeeded: hashes[ahead]) & mask].group
                }
                lastTouched = touched
            }
            let hash = hashes[row]
            var slot = Int(truncatingIfNeeded: hash) & mask
            while true {
                let group = table[slot].group
                if group == 0 {
                    table[slot] = Slot(key: hash, group: UInt32(truncatingIfNeeded: next &+ 1))
                    groups[row] = UInt32(truncatingIfNeeded: next)
                    freshRows[next &- firstNew] = Int32(truncatingIfNeeded: row)
                    next &+= 1
                    break
                }
                if table[slot].key == hash {
                    groups[row] = group &- 1
                    break
                }
                slot = (slot &+ 1) & mask
            }
        }
        groupCount = next
        if next > firstNew {
            for (store, column) in zip(keyStore, columns) {
                store.append(Take.take(column, rows: freshRows, count: next - firstNew))
            }
        }
        verify(columns, count, hashes, groups)
        withExtendedLifetime((hashBuffer, slots, scratch)) {}
    }

    /// Compares every row with the key of its group, and finds the right group for those that only
    /// had the same hash.
    private func verify(
        _ columns: [Column],
        _ count: Int,
        _ hashes: UnsafePointer<UInt64>,
        _ groups: UnsafeMutablePointer<UInt32>
    ) {
        let equality = RowEquality(columns, keys(), nullsEqual: true)
        let scratch = Buffer(byteCount: count * 9)
        let rows = scratch.mutable(as: Int32.self)
        let others = rows + count
        let flags = (scratch.base + count * 8).assumingMemoryBound(to: UInt8.self)
        for row in 0..<count {
            rows[row] = Int32(truncatingIfNeeded: row)
            others[row] = Int32(truncatingIfNeeded: groups[row])
        }
        equality.matches(rows, others, count: count, into: flags)
        guard memchr(flags, 0, count) != nil else { return }
        for row in 0..<count where flags[row] == 0 {
            groups[row] = groupByComparing(columns, row, hashes[row])
        }
        withExtendedLifetime(scratch) {}
    }

    /// The group of one row by comparing its key with those of all groups of its hash, for rows whose
    /// hash lies.
    ///
    /// There is room for its slot: it took none when it was looked up by hash alone.
    private func groupByComparing(_ columns: [Column], _ row: Int, _ hash: UInt64) -> UInt32 {
        let equality = RowEquality(columns, keys(), nullsEqual: true)
        let table = slots.mutable(as: Slot.self)
        var slot = Int(truncatingIfNeeded: hash) & slotMask
        while table[slot].group != 0 {
            let group = table[slot].group &- 1
            if table[slot].key == hash, equality.matches(row, Int(group)) { return group }
            slot = (slot &+ 1) & slotMask
        }
        let group = newGroup()
        table[slot] = Slot(key: hash, group: group &+ 1)
        for (store, column) in zip(keyStore, columns) {
            store.append(column.slice(row..<row + 1).flattened())
        }
        return withExtendedLifetime(slots) { group }
    }

    /// Makes room for `count` more groups at a load of one half.
    ///
    /// - Throws: `CancellationError` when nobody wants the groups any more; slots are then here and there,
    ///   and the table is of no use.
    private func grow(by count: Int) throws {
        let needed = (groupCount + count) * 2
        while needed > slotMask + 1 {
            if slots.growsInPlace {
                try doubleInPlace()
            } else {
                var capacity = slotMask + 1
                while capacity < needed, capacity * 16 < Buffer.inPlaceByteCountMin {
                    capacity *= 2
                }
                try move(toSlotCount: capacity)
            }
        }
    }

    /// Puts a slot where it is found in a table of `mask + 1` slots.
    @inline(__always)
    private static func place(
        _ slot: Slot,
        _ table: UnsafeMutablePointer<Slot>,
        _ mask: Int,
        isSingleInteger: Bool
    ) {
        let hash = isSingleInteger ? mix(slot.key) : slot.key
        var place = Int(truncatingIfNeeded: hash) & mask
        while table[place].group != 0 { place = (place &+ 1) & mask }
        table[place] = slot
    }

    /// Moves all slots into a new, larger table.
    private func move(toSlotCount capacity: Int) throws {
        let old = slots
        let oldCount = slotMask + 1
        slots = Buffer(zeroedByteCount: capacity * 16)
        slotMask = capacity - 1
        let (mask, isSingleInteger) = (slotMask, isSingleInteger)
        let source = old.mutable(as: Slot.self)
        let target = slots.mutable(as: Slot.self)
        for index in 0..<oldCount {
            if index & (Self.movedCount - 1) == 0 { try Interruption.check() }
            if source[index].group == 0 { continue }
            Self.place(source[index], target, mask, isSingleInteger: isSingleInteger)
        }
        withExtendedLifetime(old) {}
    }

    /// How many slots are moved between looks at whether the groups are still wanted: a power of two.
    ///
    /// They come to lie in at most one fresh page of memory, which may take milliseconds to be had.
    private static let movedCount = 1 << 13

    /// Makes a large table twice as large where it is, so that half of it need not be fresh memory and
    /// nothing is given back.
    ///
    /// A slot's new home is its old one, or as many slots further on as the old table had. Slots are taken
    /// out in the order in which they lie and placed at once, in either half never further on than they
    /// lay: all between a slot's old home and its place was taken before it. So nothing is placed among
    /// slots that are still to come, and what has been placed stays. The few in front of the first empty
    /// slot, whose homes may be at the old end, are set aside and placed last.
    private func doubleInPlace() throws {
        let oldCount = slotMask + 1
        Buffer.grow(&slots, to: slots.byteCount * 2, isZeroed: true)
        slotMask = 2 * oldCount - 1
        let (mask, isSingleInteger) = (slotMask, isSingleInteger)
        let table = slots.mutable(as: Slot.self)
        var first = 0
        while table[first].group != 0 { first += 1 }
        let front = [Slot](UnsafeBufferPointer(start: table, count: first))
        for index in 0..<first { table[index].group = 0 }
        for index in first..<oldCount {
            if index & (Self.movedCount - 1) == 0 { try Interruption.check() }
            let slot = table[index]
            if slot.group == 0 { continue }
            table[index].group = 0
            Self.place(slot, table, mask, isSingleInteger: isSingleInteger)
        }
        for slot in front { Self.place(slot, table, mask, isSingleInteger: isSingleInteger) }
        withExtendedLifetime(slots) {}
    }
}
