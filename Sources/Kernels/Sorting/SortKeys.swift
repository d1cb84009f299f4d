package import Columnar

/// One column of an ORDER BY.
package struct SortOrder: Sendable, Hashable {
    package var isDescending: Bool
    package var nullsFirst: Bool

    /// SQL's default puts nulls last in ascending order and first in descending order, as if null
    /// were the largest value.
    package init(isDescending: Bool = false, nullsFirst: Bool? = nil) {
        self.isDescending = isDescending
        self.nullsFirst = nullsFirst ?? isDescending
    }
}

/// The sort keys of some rows: a 16-byte prefix a row that compares as the key does, and the columns
/// for the rows whose prefixes are equal.
///
/// The prefix is filled from the front: a byte for null or not where a column has nulls, then the
/// value so that unsigned comparison orders it, inverted for descending columns. Values that do not
/// fit whole (text, 128-bit numbers behind others) fill what is left, and the columns decide.
package struct SortKeys: Sendable {
    let columns: [Column]
    let orders: [SortOrder]
    let rowCount: Int
    /// `Entry` a row.
    let entries: Buffer
    /// Columns before this are decided by the prefix alone.
    let exactColumns: Int
    private let comparator: RowComparator
    /// The address of the views of the first column that the prefix does not decide, when it is text
    /// and rows of equal prefix are null together; else nil.
    private let tieViews: UInt?
    /// The address of that column's validity words, 0 without nulls.
    private let tieValidity: UInt

    struct Entry: BitwiseCopyable {
        var high: UInt64
        var low: UInt64
        var row: Int32
    }

    /// Whether prefixes that are made with `isUniform` tell all rows of such columns apart.
    static func decidesByPrefix(_ types: [DataType]) -> Bool {
        var bitsLeft = 128
        for type in types {
            if type.isNested || type.physical == .view { return false }
            // One for null.
            bitsLeft -= 1 + bitCount(type)
        }
        return bitsLeft >= 0
    }

    /// The bits that values of a type take where they have room.
    private static func bitCount(_ type: DataType) -> Int {
        switch type.physical {
        case .none, .list, .structure, .map: 0
        case .bit: 8
        case .int32: 32
        case .int64, .float32, .float64: 64
        case .view, .int128: 128
        }
    }

    /// Prepares the rows of `columns` for sorting by `orders`, one a column.
    ///
    /// - Parameter isUniform: whether prefixes may be compared with those of other columns of the same types.
    package init(_ columns: [Column], _ orders: [SortOrder], isUniform: Bool = false) {
        precondition(columns.count == orders.count && !columns.isEmpty)
        rowCount = columns[0].count
        precondition(columns.allSatisfy { $0.count == columns[0].count })
        precondition(rowCount <= Int(Int32.max))
        self.columns = columns.map { $0.flattened() }
        self.orders = orders
        comparator = RowComparator(self.columns, self.columns, orders)
        entries = Buffer(zeroedByteCount: rowCount * MemoryLayout<Entry>.stride)
        let entry = entries.mutable(as: Entry.self)
        // Who interrupts takes no look at the order any more.
        var isWanted = true
        Self.inParts(rowCount) {
            isWanted = !Interruption.isRaised
        } _: { rows in
            if !isWanted { return }
            for row in rows { entry[row].row = Int32(truncatingIfNeeded: row) }
        }
        var bitsLeft = 128
        var exact = 0
        var bitsBefore = 128
        for (column, order) in zip(self.columns, orders) {
            bitsBefore = bitsLeft
            let isExact = Self.encode(column, order, isUniform, entry, &bitsLeft)
            if !isExact { break }
            exact += 1
        }
        exactColumns = exact
        // Where the byte for null had no room, only the comparator knows about nulls.
        var validity: UInt = 0
        if exact < self.columns.count, bitsBefore >= 8 || self.columns[exact].validity == nil,
            case .views(let views, _) = self.columns[exact].storage
        {
            tieViews = UInt(bitPattern: views.pointer(as: StringView.self))
            validity = UInt(bitPattern: self.columns[exact].validity?.words)
        } else {
            tieViews = nil
        }
        tieValidity = validity
    }

    /// The rows in order; rows with equal keys stay in the order they have.
    package func sorted() -> Selection {
        sorted {}
    }

    /// - Parameter check: called every now and then.
    private func sorted(_ check: () throws -> Void) rethrows -> Selection {
        let entry = entries.mutable(as: Entry.self)
        let copy = Buffer(byteCount: rowCount * MemoryLayout<Entry>.stride)
        let work = UnsafeMutableBufferPointer(
            start: copy.mutable(as: Entry.self),
            count: rowCount
        )
        if let base = work.baseAddress {
            try Self.inParts(rowCount, check) { rows in
                (base + rows.lowerBound).update(from: entry + rows.lowerBound, count: rows.count)
            }
        }
        try sort(work, check)
        return try withExtendedLifetime(copy) { try rows(work, check) }
    }

    /// The rows in order, as `sorted` gives them, for many rows.
    ///
    /// - Throws: `CancellationError` when nobody wants them any more.
    package func sortedUnlessInterrupted() throws -> Selection {
        try sorted { try Interruption.check() }
    }

    /// The first `limit` rows in order; with a heap, so that memory and time stay small for small
    /// limits.
    package func top(_ limit: Int) -> Selection {
        let limit = min(max(0, limit), rowCount)
        if limit == 0 { return Selection(buffer: Buffer(byteCount: 0), count: 0) }
        if limit > rowCount / 4 {
            let all = sorted()
            return Selection(buffer: all.buffer, count: limit)
        }
        let source = entries.mutable(as: Entry.self)
        let memory = Buffer(byteCount: limit * MemoryLayout<Entry>.stride)
        let heap = memory.mutable(as: Entry.self)
        for index in 0..<limit { heap[index] = source[index] }
        // The last of the rows kept is at the top.
        var start = limit / 2
        while start > 0 {
            start -= 1
            sift(heap, start, limit)
        }
        for index in limit..<rowCount where isBefore(source[index], heap[0]) {
            heap[0] = source[index]
            sift(heap, 0, limit)
        }
        var kept = UnsafeMutableBufferPointer(start: heap, count: limit)
        // They are not in the order of their rows.
        kept.sort { isBefore($0, $1) }
        return withExtendedLifetime(memory) { rows(kept) {} }
    }

    private func rows(
        _ entries: UnsafeMutableBufferPointer<Entry>,
        _ check: () throws -> Void
    ) rethrows -> Selection {
        let buffer = Buffer(byteCount: entries.count * 4)
        let target = buffer.mutable(as: Int32.self)
        try Self.inParts(entries.count, check) { rows in
            for index in rows { target[index] = entries[index].row }
        }
        return Selection(buffer: buffer, count: entries.count)
    }

    @inline(__always)
    func isBefore(_ a: Entry, _ b: Entry) -> Bool {
        if a.high != b.high { return a.high < b.high }
        if a.low != b.low { return a.low < b.low }
        if exactColumns < columns.count {
            var next = exactColumns
            if let tieViews, let views = UnsafePointer<StringView>(bitPattern: tieViews) {
                let words = UnsafePointer<UInt64>(bitPattern: tieValidity)
                let isNull = words.map { bitOf($0, Int(a.row)) == 0 } ?? false
                let order = isNull ? 0 : viewsOrder(views[Int(a.row)], views[Int(b.row)])
                if order != 0 { return (order < 0) != orders[next].isDescending }
                next += 1
            }
            if next < columns.count {
                let order = comparator.compare(Int(a.row), Int(b.row), fromColumn: next)
                if order != 0 { return order < 0 }
            }
        }
        return a.row < b.row
    }

    private func sift(_ heap: UnsafeMutablePointer<Entry>, _ start: Int, _ count: Int) {
        var parent = start
        while true {
            var child = 2 * parent + 1
            if child >= count { return }
            if child + 1 < count, isBefore(heap[child], heap[child + 1]) { child += 1 }
            guard isBefore(heap[parent], heap[child]) else { return }
            (heap[parent], heap[child]) = (heap[child], heap[parent])
            parent = child
        }
    }

    // MARK: Encoding

    /// Adds a column to the prefixes; false when the prefix does not decide it alone.
    private static func encode(
        _ column: Column,
        _ order: SortOrder,
        _ isUniform: Bool,
        _ entries: UnsafeMutablePointer<Entry>,
        _ bitsLeft: inout Int
    ) -> Bool {
        let count = column.count
        if !isUniform, column.isAllNull { return true }
        if column.type.isNested { return false }
        let nulls = column.validity
        if isUniform {
            if bitsLeft == 0 { return false }
            bitsLeft -= 1
            let isAllNull = column.isAllNull
            let words = nulls?.words
            let nullCode: UInt64 = order.nullsFirst ? 0 : 1
            for row in 0..<count {
                let isValid = isAllNull ? 0 : words.map { bitOf($0, row) } ?? 1
                put(isValid != 0 ? 1 - nullCode : nullCode, bitsLeft, entries + row)
            }
            if isAllNull {
                let width = bitCount(column.type)
                let isWhole = width <= bitsLeft && column.type.physical != .view
                bitsLeft -= min(bitsLeft, width)
                return isWhole
            }
        } else if nulls != nil {
            guard bitsLeft >= 8 else { return false }
            bitsLeft -= 8
            let words = nulls?.words
            let nullCode: UInt64 = order.nullsFirst ? 0 : 2
            for row in 0..<count {
                let isValid = words.map { bitOf($0, row) } ?? 1
                put(isValid != 0 ? 1 : nullCode, bitsLeft, entries + row)
            }
        }
        let flip: UInt64 = order.isDescending ? .max : 0
        switch column.storage {
        case .bits(let bits):
            let words = bits.words
            return encode(count, nulls, 1, 8, entries, &bitsLeft) {
                (bitOf(words, $0) ^ flip) & 1
            }
        case .fixed(let values):
            switch column.type.physical {
            case .int32:
                let source = values.pointer(as: UInt32.self)
                return encode(count, nulls, 32, 32, entries, &bitsLeft) {
                    (UInt64(source[$0] ^ 0x8000_0000) ^ flip) & 0xFFFF_FFFF
                }
            case .int64:
                let source = values.pointer(as: UInt64.self)
                return encode(count, nulls, 64, 64, entries, &bitsLeft) {
                    source[$0] ^ (1 &<< 63) ^ flip
                }
            case .float32:
                let source = values.pointer(as: Float.self)
                return encode(count, nulls, 64, 64, entries, &bitsLeft) {
                    ordered(Double(source[$0])) ^ flip
                }
            case .float64:
                let source = values.pointer(as: Double.self)
                return encode(count, nulls, 64, 64, entries, &bitsLeft) {
                    ordered(source[$0]) ^ flip
                }
            default:
                // The high half orders; the low half follows where there is room.
                let isInterval = column.type == .interval
                let source = values.pointer(as: IntervalLane.self)
                func half(_ row: Int, _ isHigh: Bool) -> UInt64 {
                    let value = isInterval ? source[row].rank : source[row].bits
                    return isHigh
                        ? UInt64(truncatingIfNeeded: value &>> 64) ^ (1 &<< 63) ^ flip
                        : UInt64(truncatingIfNeeded: value) ^ flip
                }
                guard
                    encode(count, nulls, 64, 64, entries, &bitsLeft, { half($0, true) })
                else { return false }
                return encode(count, nulls, 64, 64, entries, &bitsLeft) { half($0, false) }
            }
        case .views(let views, _):
            let source = views.pointer(as: StringView.self)
            let bits = bitsLeft
            _ = encode(count, nulls, 64, 64, entries, &bitsLeft) {
                prefix(source + $0, 0) ^ flip
            }
            if bits > 64 {
                _ = encode(count, nulls, 64, 64, entries, &bitsLeft) {
                    prefix(source + $0, 8) ^ flip
                }
            }
            bitsLeft = 0
            return false
        default:
            return false
        }
    }

    /// A double's bits so that unsigned comparison gives SQL's order.
    @inline(__always)
    private static func ordered(_ value: Double) -> UInt64 {
        if value != value { return .max }
        let bits = value == 0 ? 0 : value.bitPattern
        return bits &>> 63 == 0 ? bits | (1 &<< 63) : ~bits
    }

    /// Eight bytes of a text from `offset` (0 or 8), big-endian, with zeros behind its end.
    @inline(__always)
    private static func prefix(_ place: UnsafePointer<StringView>, _ offset: Int) -> UInt64 {
        let view = place.pointee
        if view.isInline {
            // Zeros are behind its end already.
            let bytes =
                offset == 0 ? UInt64(view.prefix) | view.rest &<< 32 : view.rest &>> 32
            return UInt64(bigEndian: bytes)
        }
        let bytes = UnsafeRawPointer(view.address)
        let left = view.count &- offset
        // Of 13 bytes or more the last eight can be read at once.
        let start = left >= 8 ? offset : view.count &- 8
        let word = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: start, as: UInt64.self))
        return left >= 8 ? word : word &<< UInt64((8 &- left) &* 8)
    }

    /// Writes `width` bits of every row that is not null into `room` bits of the prefix; false when
    /// only the front of the value had room.
    @inline(__always)
    private static func encode(
        _ count: Int,
        _ validity: Bitmap?,
        _ width: Int,
        _ room: Int,
        _ entries: UnsafeMutablePointer<Entry>,
        _ bitsLeft: inout Int,
        _ value: (Int) -> UInt64
    ) -> Bool {
        let used = min(room, bitsLeft)
        if used == 0 { return false }
        bitsLeft -= used
        let left = bitsLeft
        let drop = UInt64(max(0, width - used))
        // Who interrupts takes no look at the order any more.
        var isWanted = true
        forEachValid(validity, count) { row in
            if row & (Interruption.rowCount &- 1) == 0 { isWanted = !Interruption.isRaised }
            if isWanted { put(value(row) &>> drop, left, entries + row) }
        }
        return width <= used
    }

    /// Ors a value into the 128 bits of the prefix, `shift` bits above their end.
    @inline(__always)
    private static func put(_ value: UInt64, _ shift: Int, _ entry: UnsafeMutablePointer<Entry>) {
        if shift >= 64 {
            entry.pointee.high |= value &<< UInt64(shift &- 64)
        } else {
            entry.pointee.low |= value &<< UInt64(shift)
            // The upper bits of a value that lies across the two words.
            if shift > 0 { entry.pointee.high |= value &>> UInt64(64 &- shift) }
        }
    }
}

/// Compares rows of two batches by sort order: for merging sorted runs, and for ties.
package struct RowComparator: Sendable {
    /// A pair of columns as addresses: comparing a row must not count references.
    private struct Lane: BitwiseCopyable {
        enum Kind: UInt8 {
            case bits, int32, int64, float32, float64, int128, interval, view
            /// By the columns themselves: lists, structures, maps and bare nulls.
            case other
        }

        var kind = Kind.other
        var left: UInt = 0
        var right: UInt = 0
        /// Of the words of validity, 0 without nulls.
        var leftValidity: UInt = 0
        var rightValidity: UInt = 0
        var isDescending: Bool
        var nullsFirst: Bool
    }

    /// Also what keeps the memory of `lanes`.
    private let pairs: [(left: Column, right: Column)]
    private let lanes: [Lane]

    /// Columns agree in type pairwise; dictionaries and constants are flattened once.
    package init(_ left: [Column], _ right: [Column], _ orders: [SortOrder]) {
        precondition(left.count == right.count && left.count == orders.count)
        pairs = zip(left, right).map { ($0.flattened(), $1.flattened()) }
        lanes = zip(pairs, orders).map { Self.lane($0.left, $0.right, $1) }
    }

    private static func lane(_ left: Column, _ right: Column, _ order: SortOrder) -> Lane {
        var lane = Lane(isDescending: order.isDescending, nullsFirst: order.nullsFirst)
        switch (left.storage, right.storage) {
        case (.bits(let a), .bits(let b)):
            lane.kind = .bits
            (lane.left, lane.right) = (UInt(bitPattern: a.words), UInt(bitPattern: b.words))
        case (.fixed(let a), .fixed(let b)):
            precondition(left.type.physical == right.type.physical)
            switch left.type.physical {
            case .int32: lane.kind = .int32
            case .int64: lane.kind = .int64
            case .float32: lane.kind = .float32
            case .float64: lane.kind = .float64
            default: lane.kind = left.type == .interval ? .interval : .int128
            }
            lane.left = UInt(bitPattern: a.pointer(as: UInt8.self))
            lane.right = UInt(bitPattern: b.pointer(as: UInt8.self))
        case (.views(let a, _), .views(let b, _)):
            lane.kind = .view
            lane.left = UInt(bitPattern: a.pointer(as: UInt8.self))
            lane.right = UInt(bitPattern: b.pointer(as: UInt8.self))
        default: return lane
        }
        lane.leftValidity = UInt(bitPattern: left.validity?.words)
        lane.rightValidity = UInt(bitPattern: right.validity?.words)
        return lane
    }

    /// Negative, zero or positive as the left row comes before, with or after the right row.
    package func compare(_ leftRow: Int, _ rightRow: Int, fromColumn: Int = 0) -> Int {
        for index in fromColumn..<lanes.count {
            let lane = lanes[index]
            let isLeftNull: Bool
            let isRightNull: Bool
            if lane.kind == .other {
                isLeftNull = pairs[index].left.isNull(leftRow)
                isRightNull = pairs[index].right.isNull(rightRow)
            } else {
                isLeftNull = Self.isNull(lane.leftValidity, leftRow)
                isRightNull = Self.isNull(lane.rightValidity, rightRow)
            }
            if isLeftNull || isRightNull {
                if isLeftNull && isRightNull { continue }
                return isLeftNull == lane.nullsFirst ? -1 : 1
            }
            let sign =
                lane.kind == .other
                ? NestedComparison.order(
                    pairs[index].left,
                    leftRow,
                    pairs[index].right,
                    rightRow
                ) : Self.order(lane, leftRow, rightRow)
            if sign != 0 { return lane.isDescending ? -sign : sign }
        }
        return 0
    }

    @inline(__always)
    private static func isNull(_ validity: UInt, _ row: Int) -> Bool {
        guard let words = UnsafePointer<UInt64>(bitPattern: validity) else { return false }
        return bitOf(words, row) == 0
    }

    private static func order(_ lane: Lane, _ leftRow: Int, _ rightRow: Int) -> Int {
        @inline(__always)
        func sign<T: OrderedLane>(_: T.Type) -> Int {
            guard let left = UnsafePointer<T>(bitPattern: lane.left),
                let right = UnsafePointer<T>(bitPattern: lane.right)
            else { return 0 }
            let (x, y) = (left[leftRow], right[rightRow])
            return T.same(x, y) ? 0 : (T.before(x, y) ? -1 : 1)
        }
        switch lane.kind {
        case .bits:
            guard let left = UnsafePointer<UInt64>(bitPattern: lane.left),
                let right = UnsafePointer<UInt64>(bitPattern: lane.right)
            else { return 0 }
            return Int(bitOf(left, leftRow)) - Int(bitOf(right, rightRow))
        case .int32: return sign(Int32.self)
        case .int64: return sign(Int64.self)
        case .float32: return sign(Float.self)
        case .float64: return sign(Double.self)
        case .int128: return sign(Int128.self)
        case .interval: return sign(IntervalLane.self)
        case .view:
            guard let left = UnsafePointer<StringView>(bitPattern: lane.left),
                let right = UnsafePointer<StringView>(bitPattern: lane.right)
            else { return 0 }
            return viewsOrder(left[leftRow], right[rightRow]).signum()
        case .other: return 0
        }
    }

    /// Where equal rows begin in sorted columns: bit `i` is set when row `i` differs from row
    /// `i - 1` (and for row 0); for window frames and merging groups.
    package static func boundaries(_ columns: [Column], count: Int) -> Bitmap {
        if count == 0 { return Bitmap(repeating: false, count: 0) }
        let equality = RowEquality(columns, columns, nullsEqual: true)
        let rows = Filter.everyRow(count)
        let flags = Buffer(zeroedByteCount: count)
        let flag = flags.mutable(as: UInt8.self)
        equality.matches(rows.rows + 1, rows.rows, count: count - 1, into: flag + 1)
        flag[0] = 0
        return withExtendedLifetime((rows, flags)) {
            buildBits(count) { flag[$0] == 0 }
        }
    }
}
