package import Columnar

extension GroupedAccumulator {
    /// How often each value of a group comes, as a map in the order of the values; null is left out.
    package static func histogram(of input: DataType) -> GroupedAccumulator {
        HistogramAccumulator(
            resultType: .map(
                key: Field("key", input, isNullable: false),
                value: Field("value", .int64)
            )
        )
    }
}

/// The least or the largest of lists, structs and maps: remembers the row that is it so far.
final class NestedMinMaxAccumulator: GroupedAccumulator {
    private let isMaximum: Bool
    /// The part and the row in it of each group; -1 for none yet.
    private var partOf: [Int32] = []
    private var rowOf: [Int32] = []
    private var parts: [Column] = []
    private var keptRows = 0

    init(resultType: DataType, isMaximum: Bool) {
        self.isMaximum = isMaximum
        super.init(resultType: resultType)
    }

    private func grow(to count: Int) {
        let missing = count - partOf.count
        if missing > 0 {
            partOf.append(contentsOf: repeatElement(-1, count: missing))
            rowOf.append(contentsOf: repeatElement(-1, count: missing))
        }
    }

    private func isBetter(_ a: Column, _ row: Int, _ b: Column, _ other: Int) -> Bool {
        let sign = NestedComparison.order(a, row, b, other)
        return isMaximum ? sign > 0 : sign < 0
    }

    override func update(
        groups: UnsafePointer<UInt32>,
        groupCount: Int,
        column: Column,
        count: Int
    ) throws(KernelError) {
        grow(to: groupCount)
        if column.isAllNull { return }
        let flat = column.flattened()
        /// The best row of this batch by group.
        var best: [UInt32: Int] = [:]
        for row in 0..<count where !flat.isNull(row) {
            let group = groups[row]
            if let known = best[group] {
                if isBetter(flat, row, flat, known) { best[group] = row }
                continue
            }
            let part = Int(partOf[Int(group)])
            if part < 0 || isBetter(flat, row, parts[part], Int(rowOf[Int(group)])) {
                best[group] = row
            }
        }
        if best.isEmpty { return }
        let chosen = best.sorted { $0.key < $1.key }
        let taken = Take.take(flat, Selection(chosen.map { Int32(truncatingIfNeeded: $0.value) }))
        for (index, entry) in chosen.enumerated() {
            partOf[Int(entry.key)] = Int32(truncatingIfNeeded: parts.count)
            rowOf[Int(entry.key)] = Int32(truncatingIfNeeded: index)
        }
        parts.append(Compact.compacted(taken))
        keptRows += chosen.count
        if keptRows > 4 * partOf.count + 4096 { shrink() }
    }

    private func gathered(_ groupCount: Int) -> Column {
        grow(to: groupCount)
        guard !parts.isEmpty else { return .nulls(resultType, count: groupCount) }
        var starts: [Int32] = []
        var total: Int32 = 0
        for part in parts {
            starts.append(total)
            total += Int32(truncatingIfNeeded: part.count)
        }
        let all = Concatenate.concatenate(parts)
        let rows = (0..<groupCount).map {
            partOf[$0] < 0 ? -1 : starts[Int(partOf[$0])] + rowOf[$0]
        }
        return rows.withUnsafeBufferPointer { rows in
            guard let base = rows.baseAddress else { return .nulls(resultType, count: 0) }
            return Take.take(all, rows: base, count: groupCount, nullable: true)
        }
    }

    private func shrink() {
        let count = partOf.count
        parts = [Compact.compacted(gathered(count).flattened())]
        keptRows = count
        for group in 0..<count where partOf[group] >= 0 {
            partOf[group] = 0
            rowOf[group] = Int32(truncatingIfNeeded: group)
        }
    }

    override func merge(
        _ other: GroupedAccumulator,
        mapping: [UInt32],
        groupCount: Int
    ) throws(KernelError) {
        guard let other = other as? NestedMinMaxAccumulator else {
            preconditionFailure("other kind")
        }
        grow(to: groupCount)
        let count = min(mapping.count, other.partOf.count)
        let column = other.gathered(count)
        try mapping.withUnsafeBufferPointer { (groups) throws(KernelError) in
            guard let base = groups.baseAddress else { return }
            try update(groups: base, groupCount: groupCount, column: column, count: count)
        }
    }

    override func finish(groupCount: Int) throws(KernelError) -> Column { gathered(groupCount) }

    override var byteCount: Int {
        partOf.count * 8 + parts.reduce(0) { $0 + Compact.byteCount($1) }
    }
}

/// histogram: all values of a group, sorted and counted at the end.
final class HistogramAccumulator: CollectingAccumulator {
    override func finish(groupCount: Int) throws(KernelError) -> Column {
        guard case .map(let key, _) = resultType else {
            throw KernelError(.unsupported, "a histogram as \(resultType)")
        }
        let (values, offsets) = grouped(groupCount, key.type)
        let bounds = offsets.mutable(as: Int32.self)
        let lists = Column(
            type: .list(Field("element", key.type)),
            count: groupCount,
            validity: nil,
            storage: .list(
                offsets: BufferSlice(offsets),
                elements: ColumnBox(values.flattened())
            )
        )
        let sorted = Lists.parts(of: try Lists.sorted(lists, SortOrder(nullsFirst: false)))
            .elements[0]
        var rows = ListRows(count: groupCount)
        var counts: [Int64] = []
        for group in 0..<groupCount {
            let range = Int(bounds[group])..<Int(bounds[group + 1])
            for place in range {
                if place > range.lowerBound,
                    NestedComparison.order(sorted, place - 1, sorted, place) == 0
                {
                    counts[counts.count - 1] += 1
                } else {
                    rows.append(place)
                    counts.append(1)
                }
            }
            try rows.finishRow()
        }
        let buffer = counts.withUnsafeBytes { Buffer(copying: $0) }
        return Column(
            type: resultType,
            count: groupCount,
            // A group without values has no map.
            validity: validity(groupCount) { bounds[$0 + 1] > bounds[$0] },
            storage: .map(
                offsets: rows.slice,
                keys: ColumnBox(rows.taken(sorted).flattened()),
                values: ColumnBox(Column(.int64, count: counts.count, buffer: buffer))
            )
        )
    }
}
