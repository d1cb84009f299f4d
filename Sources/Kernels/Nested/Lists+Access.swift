package import Columnar

/// Which elements a slice names; nil where nothing was written.
package struct SliceBounds: Sendable {
    package var lower: Column?
    package var upper: Column?
    package var step: Column?

    package init(lower: Column?, upper: Column?, step: Column?) {
        self.lower = lower
        self.upper = upper
        self.step = step
    }
}

extension Lists {
    /// How many elements each list (or map) has, as BIGINT.
    package static func lengths(_ column: Column) -> Column {
        if column.isAllNull { return .nulls(.int64, count: column.count) }
        let operand = ListOperand(column)
        let buffer = Buffer(byteCount: column.count * 8)
        let target = buffer.mutable(as: Int64.self)
        for row in 0..<column.count {
            target[row] = Int64(operand.end(row) &- operand.start(row))
        }
        return withExtendedLifetime(operand) {
            Column(.int64, count: column.count, validity: operand.validity, buffer: buffer)
        }
    }

    /// `list[index]`: counted from 1, from the end when negative; null where there is no such element.
    package static func element(_ column: Column, at index: Column) -> Column {
        let count = column.count
        let operand = ListOperand(column)
        if column.isAllNull || index.isAllNull {
            return .nulls(operand.elements.type, count: count)
        }
        let places = Operand(index)
        let source = places.pointer(Int64.self)
        let buffer = Buffer(byteCount: count * 4)
        let target = buffer.mutable(as: Int32.self)
        let known = places.validity
        for row in 0..<count {
            var result = -1
            if known.map({ bitOf($0.words, row) != 0 }) ?? true {
                let wanted = source[row & places.mask]
                let length = operand.length(row)
                if wanted > 0, wanted <= Int64(length) {
                    result = operand.start(row) &+ Int(wanted) &- 1
                } else if wanted < 0, wanted >= Int64(-length) {
                    result = operand.end(row) &+ Int(wanted)
                }
            }
            target[row] = Int32(truncatingIfNeeded: result)
        }
        return withExtendedLifetime((operand, places, buffer)) {
            Take.take(operand.elements, rows: UnsafePointer(target), count: count, nullable: true)
        }
    }

    /// The range of places (from 1, both ends in it) that bounds mean for a list of `length`.
    @inline(__always)
    static func places(
        _ lower: Int64?,
        _ upper: Int64?,
        _ step: Int64,
        _ length: Int
    ) -> (first: Int, last: Int) {
        let length = Int64(length)
        func absolute(_ bound: Int64) -> Int64 { bound < 0 ? max(-1, length + bound) + 1 : bound }
        var low = lower.map(absolute) ?? (step < 0 ? length : 1)
        var high = upper.map(absolute) ?? (step < 0 ? 1 : length)
        if step < 0 { swap(&low, &high) }
        low = max(low, 1)
        high = min(high, length)
        return (Int(low), Int(max(high, 0)))
    }

    /// `list[lower:upper:step]`, both ends in it; null where a bound is null.
    package static func slice(
        _ column: Column,
        _ slice: SliceBounds
    ) throws(KernelError) -> Column {
        let count = column.count
        let operand = ListOperand(column)
        let bounds = [slice.lower, slice.upper, slice.step]
        if bounds.contains(where: { $0?.isAllNull ?? false }) || column.isAllNull {
            return .nulls(column.type, count: count)
        }
        let operands = bounds.map { $0.map { Operand($0) } }
        let pointers = operands.map { $0?.pointer(Int64.self) }
        let masks = operands.map { $0?.mask ?? 0 }
        var validity = operand.validity
        for other in operands { validity = Bitmap.and(validity, other?.validity) }
        var rows = ListRows(count: count)
        for row in 0..<count {
            if validity.map({ bitOf($0.words, row) != 0 }) ?? true {
                let step = pointers[2].map { $0[row & masks[2]] } ?? 1
                guard step != 0 else {
                    throw KernelError(.outOfRange, "the step of a slice is 0")
                }
                let (first, last) = places(
                    pointers[0].map { $0[row & masks[0]] },
                    pointers[1].map { $0[row & masks[1]] },
                    step,
                    operand.length(row)
                )
                if first <= last {
                    let start = operand.start(row) - 1
                    if step == 1 {
                        rows.append(start + first..<start + last + 1)
                    } else {
                        let size = Int(clamping: step.magnitude)
                        var place = step > 0 ? first : last
                        while place >= first, place <= last {
                            rows.append(start + place)
                            let (next, overflow) =
                                step > 0
                                ? place.addingReportingOverflow(size)
                                : place.subtractingReportingOverflow(size)
                            if overflow { break }
                            place = next
                        }
                    }
                }
            }
            try rows.finishRow()
        }
        return withExtendedLifetime((operand, operands)) {
            rows.lists(column.type, of: operand.elements, validity: validity)
        }
    }

    /// `text[lower:upper]` by code points, both ends in it; `text[index]` with both the same.
    package static func slice(
        text column: Column,
        lower: Column?,
        upper: Column?
    ) throws(KernelError) -> Column {
        let columns = [column] + [lower, upper].compactMap { $0 }
        let hasLower = lower != nil
        let hasUpper = upper != nil
        return try Rowwise.apply(columns, to: .string) {
            operands,
            count,
            validity throws(KernelError) in
            let texts = operands[0].views
            let numbers = operands.dropFirst().map { ($0.pointer(Int64.self), $0.mask) }
            let writer = ViewWriter(count: count)
            forEachValid(validity, count) { row in
                let text = (texts + (row & operands[0].mask)).text
                let length = UTF8Text.count(text)
                let low = hasLower ? numbers[0].0[row & numbers[0].1] : nil
                let place = hasLower ? 1 : 0
                let high = hasUpper ? numbers[place].0[row & numbers[place].1] : nil
                let (first, last) = places(low, high, 1, length)
                guard first <= last else { return }
                let start = UTF8Text.offset(text, skipping: first - 1)
                let end = UTF8Text.offset(text, from: start, skipping: last - first + 1)
                if let base = text.baseAddress { writer.share(row, base + start, end - start) }
            }
            return writer.finish(.string, validity: validity, sharing: operands[0].owners)
        }
    }

    /// The elements at the places of another list, null where there is none.
    package static func select(_ column: Column, _ places: Column) throws(KernelError) -> Column {
        let (operand, wanted) = (ListOperand(column), ListOperand(places))
        let count = column.count
        let index = Operand(wanted.elements)
        let source = index.pointer(Int64.self)
        let known = index.validity
        var rows = ListRows(count: count)
        for row in 0..<count {
            let range = operand.range(row)
            if !operand.isNull(row) {
                for place in wanted.range(row) {
                    let number = source[place & index.mask]
                    let isKnown = known.map { $0[place] } ?? true
                    rows.append(
                        isKnown && number > 0 && number <= Int64(range.count)
                            ? range.lowerBound + Int(number) - 1 : -1
                    )
                }
            }
            try rows.finishRow()
        }
        return withExtendedLifetime(index) {
            rows.lists(
                column.type,
                of: operand.elements,
                validity: Bitmap.and(operand.validity, wanted.validity),
                nullable: true
            )
        }
    }

    /// The elements at which another list, of booleans, is true.
    package static func chosen(_ column: Column, _ flags: Column) throws(KernelError) -> Column {
        let (operand, wanted) = (ListOperand(column), ListOperand(flags))
        let count = column.count
        let bits = Filter.trueRows(wanted.elements)
        var rows = ListRows(count: count)
        for row in 0..<count {
            let range = operand.range(row)
            if !operand.isNull(row) {
                for (offset, place) in wanted.range(row).enumerated() where bits[place] {
                    rows.append(offset < range.count ? range.lowerBound + offset : -1)
                }
            }
            try rows.finishRow()
        }
        return rows.lists(
            column.type,
            of: operand.elements,
            validity: Bitmap.and(operand.validity, wanted.validity),
            nullable: true
        )
    }

    /// The elements from the last to the first.
    package static func reversed(_ column: Column) throws(KernelError) -> Column {
        let operand = ListOperand(column)
        var rows = ListRows(count: column.count, capacity: operand.elements.count)
        for row in 0..<column.count {
            for place in operand.range(row).reversed() { rows.append(place) }
            try rows.finishRow()
        }
        return rows.lists(column.type, of: operand.elements, validity: operand.validity)
    }

    /// The elements in order.
    ///
    /// - Parameter givesPlaces: the places (from 1) that the elements in order have, instead of them.
    package static func sorted(
        _ column: Column,
        _ order: SortOrder,
        givesPlaces: Bool = false
    ) throws(KernelError) -> Column {
        let list = try packed(column)
        let elements = parts(of: list).elements[0]
        let result: Column
        if elements.count == 0 {
            result = givesPlaces ? Column.zeros(.int64, count: 0, isNull: false) : elements
        } else {
            let owners = parents(of: list)
            let owner = Column(.int32, count: owners.count, buffer: owners.buffer)
            let keys = SortKeys([owner, elements], [SortOrder(nullsFirst: false), order])
            let source = givesPlaces ? ordinals(of: list) : elements
            result = Take.take(source, keys.sorted())
        }
        return replacing(
            list,
            elements: result,
            type: givesPlaces ? .list(Field("element", .int64)) : column.type
        )
    }
}
