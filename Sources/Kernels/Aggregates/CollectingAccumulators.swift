import Columnar

/// first, last and any_value, of any type: remembers a row a group in copies of the rows chosen.
final class PickAccumulator: GroupedAccumulator {
    /// Row in the chosen values plus one; 0 for none yet.
    private var places = StateMemory<Int32>()
    private var parts: [Column] = []
    private var partRows = 0
    private var partBytes = 0
    private let isLast: Bool
    private let skipsNulls: Bool

    init(resultType: DataType, isLast: Bool, skipsNulls: Bool) {
        self.isLast = isLast
        self.skipsNulls = skipsNulls
        super.init(resultType: resultType)
    }

    override func update(
        groups: UnsafePointer<UInt32>,
        groupCount: Int,
        column: Column,
        count: Int
    ) throws(KernelError) {
        places.grow(to: groupCount)
        if skipsNulls && column.isAllNull { return }
        let states = places.base
        var chosen: [Int32] = []
        let start = partRows
        func visit(_ row: Int) {
            let group = Int(groups[row])
            if isLast, Int(states[group]) > start {
                // This batch has already chosen a row for the group.
                chosen[Int(states[group]) - 1 - start] = Int32(truncatingIfNeeded: row)
            } else if isLast || states[group] == 0 {
                chosen.append(Int32(truncatingIfNeeded: row))
                states[group] = Int32(truncatingIfNeeded: start + chosen.count)
            }
        }
        if skipsNulls {
            forEachValid(column.validity, count, visit)
        } else {
            for row in 0..<count { visit(row) }
        }
        guard !chosen.isEmpty else { return }
        let taken = chosen.withUnsafeBufferPointer { rows -> Column in
            guard let base = rows.baseAddress else { return column.slice(0..<0) }
            return Take.take(column, rows: base, count: rows.count)
        }
        let kept = Compact.compacted(taken)
        parts.append(kept)
        partBytes += Compact.byteCount(kept)
        partRows += chosen.count
        // With last(), rows are left behind; they are dropped when they are the most.
        if isLast && partRows > 4 * groupCount + 4096 { shrink() }
    }

    /// The chosen rows, one a group, null for groups without.
    private func gathered(_ groupCount: Int) -> Column {
        places.grow(to: groupCount)
        guard !parts.isEmpty else { return .nulls(resultType, count: groupCount) }
        let all = Concatenate.concatenate(parts)
        let rows = Buffer(byteCount: groupCount * 4)
        let target = rows.mutable(as: Int32.self)
        for group in 0..<groupCount { target[group] = places.base[group] - 1 }
        return withExtendedLifetime(rows) {
            Take.take(all, rows: UnsafePointer(target), count: groupCount, nullable: true)
        }
    }

    private func shrink() {
        let groupCount = places.count
        let chosen = gathered(groupCount)
        parts = [Compact.compacted(chosen)]
        partBytes = Compact.byteCount(parts[0])
        partRows = groupCount
        for group in 0..<groupCount where places.base[group] != 0 {
            places.base[group] = Int32(truncatingIfNeeded: group + 1)
        }
    }

    override func merge(
        _ other: GroupedAccumulator,
        mapping: [UInt32],
        groupCount: Int
    ) throws(KernelError) {
        guard let other = other as? PickAccumulator else { preconditionFailure("other kind") }
        places.grow(to: groupCount)
        let start = partRows
        parts.append(contentsOf: other.parts)
        partBytes += other.partBytes
        partRows += other.partRows
        for group in 0..<min(mapping.count, other.places.count) {
            if Interruption.isRaised(at: group) { break }
            let place = other.places.base[group]
            let own = Int(mapping[group])
            if place != 0, isLast || places.base[own] == 0 {
                places.base[own] = place + Int32(truncatingIfNeeded: start)
            }
        }
    }

    override func finish(groupCount: Int) throws(KernelError) -> Column {
        gathered(groupCount)
    }

    override var byteCount: Int { places.byteCount + partBytes }

    override var hasPartials: Bool { true }

    /// Whether there is a row, and what it holds.
    override func partials(groupCount: Int) throws(KernelError) -> [Column] {
        let rows = gathered(groupCount)
        return [Column(bits: buildBits(groupCount) { places.base[$0] != 0 }), rows]
    }

    override func restore(_ partials: [Column], count: Int) throws(KernelError) {
        guard partials.count == 2, partials[0].count == count, partials[1].count == count,
            case .bits(let known) = partials[0].flattened().storage
        else { throw .foreignPartials }
        places.grow(to: count)
        for row in 0..<count where known[row] {
            places.base[row] = Int32(truncatingIfNeeded: row + 1)
        }
        // Copied, for what it was read from goes.
        parts = [Compact.compacted(partials[1])]
        partBytes = Compact.byteCount(parts[0])
        partRows = count
    }
}

/// Keeps every value with its group, for the aggregates that need all of them.
class CollectingAccumulator: GroupedAccumulator {
    private var parts: [Column] = []
    private var groupParts: [Buffer] = []
    private(set) var rowCount = 0
    private var bytes = 0
    /// Whether null rows are left out.
    var skipsNulls: Bool { true }

    override func update(
        groups: UnsafePointer<UInt32>,
        groupCount: Int,
        column: Column,
        count: Int
    ) throws(KernelError) {
        if skipsNulls && column.nullCount == count { return }
        var column = column
        let ids: Buffer
        if skipsNulls, let validity = column.validity, !validity.isAllTrue {
            let kept = Selection(validity)
            column = Take.take(column, kept)
            ids = Buffer(byteCount: kept.count * 4)
            for index in 0..<kept.count {
                ids.mutable(as: UInt32.self)[index] = groups[Int(kept.rows[index])]
            }
        } else {
            ids = Buffer(copying: UnsafeRawBufferPointer(start: groups, count: count * 4))
        }
        guard rowCount + column.count <= Int(Int32.max) else {
            throw KernelError(.overflow, "an aggregate would keep more than 2^31 values")
        }
        let kept = Compact.compacted(column)
        bytes += Compact.byteCount(kept) + column.count * 4
        rowCount += column.count
        parts.append(kept)
        groupParts.append(ids)
    }

    override func merge(
        _ other: GroupedAccumulator,
        mapping: [UInt32],
        groupCount: Int
    ) throws(KernelError) {
        guard let other = other as? CollectingAccumulator else {
            preconditionFailure("other kind")
        }
        guard rowCount + other.rowCount <= Int(Int32.max) else {
            throw KernelError(.overflow, "an aggregate would keep more than 2^31 values")
        }
        for (part, ids) in zip(other.parts, other.groupParts) {
            let mapped = Buffer(byteCount: part.count * 4)
            for row in 0..<part.count {
                mapped.mutable(as: UInt32.self)[row] =
                    mapping[Int(ids.mutable(as: UInt32.self)[row])]
            }
            parts.append(part)
            groupParts.append(mapped)
        }
        rowCount += other.rowCount
        bytes += other.bytes
    }

    /// All values ordered by group (and within a group as they came), and where each group begins.
    func grouped(_ groupCount: Int, _ type: DataType) -> (values: Column, offsets: Buffer) {
        let offsets = Buffer(zeroedByteCount: (groupCount + 1) * 4)
        let bounds = offsets.mutable(as: Int32.self)
        for (part, ids) in zip(parts, groupParts) {
            let group = ids.mutable(as: UInt32.self)
            for row in 0..<part.count { bounds[Int(group[row]) + 1] &+= 1 }
        }
        for group in 0..<groupCount { bounds[group + 1] &+= bounds[group] }
        let next = Buffer(copying: UnsafeRawBufferPointer(start: bounds, count: groupCount * 4))
        let rows = Buffer(byteCount: rowCount * 4)
        let target = rows.mutable(as: Int32.self)
        let cursor = next.mutable(as: Int32.self)
        var source: Int32 = 0
        for (part, ids) in zip(parts, groupParts) {
            let group = ids.mutable(as: UInt32.self)
            for row in 0..<part.count {
                target[Int(cursor[Int(group[row])])] = source
                cursor[Int(group[row])] &+= 1
                source &+= 1
            }
        }
        let all = parts.isEmpty ? Column(type, []) : Concatenate.concatenate(parts)
        return (Take.take(all, Selection(buffer: rows, count: rowCount)), offsets)
    }

    override var byteCount: Int { bytes }

    override var hasPartials: Bool { true }

    /// The values of each group as a list.
    override func partials(groupCount: Int) throws(KernelError) -> [Column] {
        // Without values their type is not known: bare nulls go with lists of any type.
        guard let type = parts.first?.type else { return [.nulls(.null, count: groupCount)] }
        let (values, offsets) = grouped(groupCount, type)
        return [
            Column(
                type: .list(Field("element", type)),
                count: groupCount,
                validity: nil,
                storage: .list(offsets: BufferSlice(offsets), elements: ColumnBox(values))
            )
        ]
    }

    override func restore(_ partials: [Column], count: Int) throws(KernelError) {
        guard partials.count == 1, partials[0].count == count else { throw .foreignPartials }
        if partials[0].isAllNull { return }
        guard case .list(let offsets, let elements) = partials[0].flattened().storage
        else { throw .foreignPartials }
        let bounds = offsets.pointer(as: Int32.self)
        let range = Int(bounds[0])..<Int(bounds[count])
        let ids = Buffer(byteCount: range.count * 4)
        let target = ids.mutable(as: UInt32.self)
        var place = 0
        for row in 0..<count {
            for _ in bounds[row]..<bounds[row + 1] {
                target[place] = UInt32(truncatingIfNeeded: row)
                place += 1
            }
        }
        withExtendedLifetime(partials) {}
        if range.isEmpty { return }
        // Copied, for what it was read from goes.
        let kept = Compact.compacted(elements.column.slice(range))
        bytes = Compact.byteCount(kept) + range.count * 4
        rowCount = range.count
        parts = [kept]
        groupParts = [ids]
    }
}

/// array_agg / list.
final class ListAccumulator: CollectingAccumulator {
    override var skipsNulls: Bool { false }

    override func finish(groupCount: Int) throws(KernelError) -> Column {
        guard case .list(let element) = resultType else {
            throw KernelError(.unsupported, "a list as \(resultType)")
        }
        let (values, offsets) = grouped(groupCount, element.type)
        let bounds = offsets.mutable(as: Int32.self)
        return Column(
            type: resultType,
            count: groupCount,
            // A group without rows has no list.
            validity: validity(groupCount) { bounds[$0 + 1] > bounds[$0] },
            storage: .list(offsets: BufferSlice(offsets), elements: ColumnBox(values))
        )
    }
}

/// Exact quantiles: all values are kept until the end.
final class QuantileAccumulator: CollectingAccumulator {
    private let fraction: Double
    private let isContinuous: Bool

    init(resultType: DataType, fraction: Double, isContinuous: Bool) {
        self.fraction = fraction
        self.isContinuous = isContinuous
        super.init(resultType: resultType)
    }

    override func finish(groupCount: Int) throws(KernelError) -> Column {
        let (values, offsets) = grouped(groupCount, resultType)
        let bounds = offsets.mutable(as: Int32.self)
        let valid = validity(groupCount) { bounds[$0 + 1] > bounds[$0] }
        if !isContinuous { return discrete(values, bounds, groupCount) }
        if !resultType.isNumeric { return moments(values, bounds, groupCount, valid) }
        let numbers = try Casting.cast(values, to: .float64).flattened()
        let result = Buffer(zeroedByteCount: groupCount * 8)
        let target = result.mutable(as: Double.self)
        guard case .fixed(let slice) = numbers.storage else {
            return .nulls(.float64, count: groupCount)
        }
        let source = slice.pointer(as: Double.self)
        for group in 0..<groupCount {
            let (start, end) = (Int(bounds[group]), Int(bounds[group + 1]))
            if start == end { continue }
            var keys = (start..<end).map { Selecting.key(source[$0]) }
            let place = fraction * Double(keys.count - 1)
            let low = Int(place)
            let part = place - Double(low)
            let found = keys.withUnsafeMutableBufferPointer { Selecting.select(low, in: $0) }
            let (at, next) = (Selecting.value(found.at), Selecting.value(found.next))
            target[group] = part == 0 || at == next ? at : at + (next - at) * part
        }
        return withExtendedLifetime((numbers, offsets)) {
            Column(.float64, count: groupCount, validity: valid, buffer: result)
        }
    }

    /// Between two moments, which DOUBLE would not hold exactly.
    private func moments(
        _ values: Column,
        _ bounds: UnsafePointer<Int32>,
        _ groupCount: Int,
        _ valid: Bitmap?
    ) -> Column {
        let result = Buffer(zeroedByteCount: groupCount * 8)
        let target = result.mutable(as: Int64.self)
        let flat = values.flattened()
        guard case .fixed(let slice) = flat.storage else {
            return .nulls(resultType, count: groupCount)
        }
        let source = slice.pointer(as: Int64.self)
        for group in 0..<groupCount {
            let (start, end) = (Int(bounds[group]), Int(bounds[group + 1]))
            if start == end { continue }
            var keys = Array(UnsafeBufferPointer(start: source + start, count: end - start))
            let place = fraction * Double(keys.count - 1)
            let low = Int(place)
            let part = place - Double(low)
            let (at, next) = keys.withUnsafeMutableBufferPointer {
                Selecting.select(low, in: $0)
            }
            // Half of the numbers lie below 0: the distance may not fit.
            let distance = Double(next) - Double(at)
            let isExact = distance < 0x1p62
            let step = isExact ? Double(next &- at) * part : distance * part
            target[group] = part == 0 ? at : at &+ (Int64(exactly: step.rounded()) ?? 0)
        }
        return withExtendedLifetime((flat, values)) {
            Column(resultType, count: groupCount, validity: valid, buffer: result)
        }
    }

    /// The least value that at least the fraction of the values does not pass, of any type.
    private func discrete(
        _ values: Column,
        _ bounds: UnsafePointer<Int32>,
        _ groupCount: Int
    ) -> Column {
        let rows = Buffer(byteCount: groupCount * 4)
        let target = rows.mutable(as: Int32.self)
        for group in 0..<groupCount {
            let (start, end) = (Int(bounds[group]), Int(bounds[group + 1]))
            target[group] = -1
            if start == end { continue }
            let sorted = SortKeys([values.slice(start..<end)], [SortOrder()]).sorted()
            let place = Int((fraction * Double(end - start)).rounded(.up)) - 1
            let row = withExtendedLifetime(sorted) { sorted.rows[max(0, place)] }
            target[group] = Int32(truncatingIfNeeded: start) + row
        }
        return withExtendedLifetime(rows) {
            Take.take(values, rows: UnsafePointer(target), count: groupCount, nullable: true)
        }
    }
}

/// string_agg: the texts of a group in the order they came, with a separator between them.
final class TextJoinAccumulator: CollectingAccumulator {
    private let separator: [UInt8]

    init(separator: String) {
        self.separator = Array(separator.utf8)
        super.init(resultType: .string)
    }

    override func finish(groupCount: Int) throws(KernelError) -> Column {
        let (values, offsets) = grouped(groupCount, .string)
        let bounds = offsets.mutable(as: Int32.self)
        let operand = Operand(values.flattened())
        let places = operand.views
        var writer = ViewWriter(count: groupCount)
        var text: [UInt8] = []
        for group in 0..<groupCount {
            text.removeAll(keepingCapacity: true)
            for row in Int(bounds[group])..<Int(bounds[group + 1]) {
                if row > Int(bounds[group]) { text.append(contentsOf: separator) }
                text.append(contentsOf: (places + row).text)
            }
            if text.count > StringFunctions.resultBytesMax {
                throw KernelError(.outOfRange, "string_agg gives \(text.count) bytes")
            }
            writer.set(group, text)
        }
        let valid = validity(groupCount) { bounds[$0 + 1] > bounds[$0] }
        return withExtendedLifetime((operand, offsets)) {
            writer.finish(.string, validity: valid)
        }
    }
}
