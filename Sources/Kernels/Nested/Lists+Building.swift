package import Columnar

extension Lists {
    /// Lists of one value from each column: `[a, b, c]`.
    ///
    /// - Parameter columns: of the type of the elements, each of `count` rows.
    package static func make(
        _ columns: [Column],
        type: DataType,
        count: Int
    ) throws(KernelError) -> Column {
        guard case .list(let field) = type else {
            throw KernelError(.unsupported, "a list as \(type)")
        }
        let (total, overflow) = columns.count.multipliedReportingOverflow(by: count)
        try checkCount(overflow ? Int.max : total)
        let offsets = Buffer(byteCount: (count + 1) * 4)
        let bounds = offsets.mutable(as: Int32.self)
        for row in 0...count { bounds[row] = Int32(truncatingIfNeeded: row * columns.count) }
        var elements = Column.zeros(field.type, count: 0, isNull: false)
        if let first = columns.first, total > 0 {
            if columns.count == 1 {
                elements = first.flattened()
            } else {
                let all = Concatenate.concatenate(columns).flattened()
                let rows = Buffer(byteCount: total * 4)
                let target = rows.mutable(as: Int32.self)
                let width = columns.count
                for row in 0..<count {
                    for index in 0..<width {
                        target[row &* width &+ index] = Int32(
                            truncatingIfNeeded: index &* count &+ row
                        )
                    }
                }
                elements = Take.take(all, Selection(buffer: rows, count: total)).flattened()
            }
        }
        return Column(
            type: type,
            count: count,
            validity: nil,
            storage: .list(offsets: BufferSlice(offsets), elements: ColumnBox(elements))
        )
    }

    /// The lists of each row one after the other; null lists add nothing.
    package static func concatenate(
        _ columns: [Column],
        type: DataType
    ) throws(KernelError) -> Column {
        let operands = columns.map { ListOperand($0) }
        let count = columns[0].count
        let source = Concatenate.concatenate(operands.map(\.elements)).flattened()
        var starts: [Int] = []
        var total = 0
        for operand in operands {
            starts.append(total)
            total += operand.elements.count
        }
        try checkCount(total)
        var rows = ListRows(count: count, capacity: total)
        for row in 0..<count {
            for (operand, start) in Swift.zip(operands, starts) {
                let range = operand.range(row)
                rows.append(start + range.lowerBound..<start + range.upperBound)
            }
            try rows.finishRow()
        }
        return rows.lists(type, of: source, validity: nil)
    }

    /// The lists of lists as one list each; null lists inside add nothing.
    package static func flatten(_ column: Column, type: DataType) throws(KernelError) -> Column {
        let outer = try packed(column)
        guard case .list(let offsets, let box) = outer.storage else {
            throw KernelError(.unsupported, "flatten of \(column.type)")
        }
        let inner = try packed(box.column.flattened())
        guard case .list(let innerOffsets, let elements) = inner.storage else {
            throw KernelError(.unsupported, "flatten of \(column.type)")
        }
        let result = Buffer(byteCount: (outer.count + 1) * 4)
        let target = result.mutable(as: Int32.self)
        let (a, b) = (offsets.pointer(as: Int32.self), innerOffsets.pointer(as: Int32.self))
        for row in 0...outer.count { target[row] = b[Int(a[row])] }
        return withExtendedLifetime((outer, inner)) {
            Column(
                type: type,
                count: outer.count,
                validity: outer.validity,
                storage: .list(offsets: BufferSlice(result), elements: elements)
            )
        }
    }

    /// Lists of structs of the elements at the same place, with null where a list is too short.
    ///
    /// - Parameter isTruncated: per row, whether the shortest list decides; nil for the longest.
    package static func zip(
        _ columns: [Column],
        isTruncated: Column?,
        type: DataType
    ) throws(KernelError) -> Column {
        guard case .list(let field) = type, case .structure(let fields) = field.type else {
            throw KernelError(.unsupported, "zip as \(type)")
        }
        let operands = columns.map { ListOperand($0) }
        let count = columns[0].count
        let truncated = isTruncated.map { Filter.trueRows($0) }
        var rows = operands.map { _ in ListRows(count: count) }
        for row in 0..<count {
            let lengths = operands.map { $0.length(row) }
            let isShort = truncated.map { $0[row] } ?? false
            let length = (isShort ? lengths.min() : lengths.max()) ?? 0
            for (index, operand) in operands.enumerated() {
                let own = min(length, lengths[index])
                rows[index].append(operand.start(row)..<operand.start(row) + own)
                for _ in own..<length { rows[index].append(-1) }
                try rows[index].finishRow()
            }
        }
        let parts = Swift.zip(operands, rows).enumerated().map { index, pair in
            let taken = pair.1.taken(pair.0.elements, nullable: true).flattened()
            return taken.type == .null
                ? Column.nulls(fields[index].type, count: taken.count)
                    .flattened() : taken
        }
        let structs = Column(
            type: field.type,
            count: parts[0].count,
            validity: nil,
            storage: .structure(parts)
        )
        return Column(
            type: type,
            count: count,
            validity: nil,
            storage: .list(offsets: rows[0].slice, elements: ColumnBox(structs))
        )
    }

    /// The lists cut or filled up with a value to a number of elements; null counts as 0.
    package static func resize(
        _ column: Column,
        _ sizes: Column,
        filler: Column?,
        type: DataType
    ) throws(KernelError) -> Column {
        let operand = ListOperand(column)
        let count = column.count
        let size = Operand(sizes)
        let wanted = size.pointer(Int64.self)
        var source = operand.elements
        let own = source.count
        if let filler {
            source = Concatenate.concatenate([source, filler.flattened()]).flattened()
        }
        var rows = ListRows(count: count)
        for row in 0..<count {
            if !operand.isNull(row), size.validity.map({ $0[row] }) ?? true {
                let length = wanted[row & size.mask]
                guard length >= 0, length <= Int64(elementsMax) else {
                    throw KernelError(.outOfRange, "a list of \(length) elements")
                }
                try checkCount(rows.rows.count + Int(length))
                let range = operand.range(row)
                let kept = min(range.count, Int(length))
                rows.append(range.lowerBound..<range.lowerBound + kept)
                for _ in kept..<Int(length) { rows.append(filler == nil ? -1 : own + row) }
            }
            try rows.finishRow()
        }
        return withExtendedLifetime(size) {
            rows.lists(type, of: source, validity: operand.validity, nullable: true)
        }
    }

    /// The integers from `start` (0 when nil) up to `stop`, in steps of `step` (1 when nil).
    ///
    /// - Parameter isClosed: whether `stop` belongs to them.
    package static func range(
        start: Column?,
        stop: Column,
        step: Column?,
        isClosed: Bool
    ) throws(KernelError) -> Column {
        let count = stop.count
        let operands = [start, stop, step].map { $0.map { Operand($0) } }
        var validity: Bitmap?
        for operand in operands { validity = Bitmap.and(validity, operand?.validity) }
        let pointers = operands.map { $0?.pointer(Int64.self) }
        let masks = operands.map { $0?.mask ?? 0 }
        let offsets = Buffer(zeroedByteCount: (count + 1) * 4)
        let bounds = offsets.mutable(as: Int32.self)
        var firsts: [(Int64, Int64, Int)] = []
        firsts.reserveCapacity(count)
        var total = 0
        for row in 0..<count {
            var length = 0
            let first = pointers[0].map { $0[row & masks[0]] } ?? 0
            let last = pointers[1].map { $0[row & masks[1]] } ?? 0
            let by = pointers[2].map { $0[row & masks[2]] } ?? 1
            if validity.map({ $0[row] }) ?? true, by != 0 {
                let distance = by > 0 ? Int128(last) - Int128(first) : Int128(first) - Int128(last)
                let size = Int128(by.magnitude)
                let wanted =
                    distance < 0 ? 0 : isClosed ? distance / size + 1 : (distance + size - 1) / size
                guard wanted <= Int128(elementsMax) else {
                    throw KernelError(.outOfRange, "a range of \(wanted) elements is too long")
                }
                length = Int(wanted)
            }
            firsts.append((first, by, length))
            total += length
            try checkCount(total)
            bounds[row + 1] = Int32(truncatingIfNeeded: total)
        }
        let buffer = Buffer(byteCount: total * 8)
        let target = buffer.mutable(as: Int64.self)
        var next = 0
        for (first, by, length) in firsts {
            for index in 0..<length { target[next &+ index] = first &+ by &* Int64(index) }
            next += length
        }
        return withExtendedLifetime(operands) {
            Column(
                type: .list(Field("element", .int64)),
                count: count,
                validity: normalized(validity),
                storage: .list(
                    offsets: BufferSlice(offsets),
                    elements: ColumnBox(Column(.int64, count: total, buffer: buffer))
                )
            )
        }
    }

    /// The timestamps from `start` up to `stop`, each an interval behind the one before.
    package static func timeRange(
        start: Column,
        stop: Column,
        step: Column,
        isClosed: Bool
    ) throws(KernelError) -> Column {
        let count = stop.count
        let (first, last, by) = (Operand(start), Operand(stop), Operand(step))
        let validity = Bitmap.and(Bitmap.and(first.validity, last.validity), by.validity)
        let (a, b, c) = (
            first.pointer(Int64.self), last.pointer(Int64.self), by.pointer(Int128.self)
        )
        let offsets = Buffer(zeroedByteCount: (count + 1) * 4)
        let bounds = offsets.mutable(as: Int32.self)
        var moments: [Int64] = []
        for row in 0..<count {
            if validity.map({ $0[row] }) ?? true {
                let interval = Interval(bits: c[row & by.mask])
                let end = b[row & last.mask]
                var moment = a[row & first.mask]
                let isForward = interval.months > 0 || interval.days > 0 || interval.micros > 0
                let isBackward = interval.months < 0 || interval.days < 0 || interval.micros < 0
                guard isForward != isBackward || !isForward else {
                    throw KernelError(.outOfRange, "an interval of a range goes one way only")
                }
                if isForward || isBackward {
                    while isForward ? moment < end : moment > end {
                        moments.append(moment)
                        try checkCount(moments.count)
                        moment = try shifted(moment, interval)
                    }
                    if isClosed, moment == end { moments.append(moment) }
                }
            }
            bounds[row + 1] = Int32(truncatingIfNeeded: moments.count)
        }
        let buffer = moments.withUnsafeBytes { Buffer(copying: $0) }
        guard case let type = start.type, type.physical == .int64 else {
            throw KernelError(.unsupported, "a range of \(start.type)")
        }
        return withExtendedLifetime((first, last, by)) {
            Column(
                type: .list(Field("element", type)),
                count: count,
                validity: normalized(validity),
                storage: .list(
                    offsets: BufferSlice(offsets),
                    elements: ColumnBox(Column(type, count: moments.count, buffer: buffer))
                )
            )
        }
    }

    private static func shifted(
        _ micros: Int64,
        _ interval: Interval
    ) throws(KernelError) -> Int64 {
        func refuse() -> KernelError { KernelError(.overflow, "a range leaves the timestamps") }
        let (days, rest) = CivilCalendar.floorDivide(Int(micros), CivilCalendar.microsPerDay)
        var day = interval.months == 0 ? days : Temporal.addMonths(days, Int(interval.months))
        day += Int(interval.days)
        let (base, overflow) = day.multipliedReportingOverflow(by: CivilCalendar.microsPerDay)
        if overflow { throw refuse() }
        let (whole, second) = base.addingReportingOverflow(rest)
        let (result, third) = whole.addingReportingOverflow(Int(interval.micros))
        if second || third { throw refuse() }
        return Int64(result)
    }
}
