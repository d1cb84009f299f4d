package import Columnar

extension Lists {
    /// Where a value first stands in each list, from 1; null where it does not, or the list is null.
    ///
    /// Null is found as any value is.
    package static func position(_ column: Column, of value: Column) -> Column {
        let operand = ListOperand(column)
        let found = places(operand, value)
        let count = column.count
        let places = found.mutable(as: Int32.self)
        let valid = buildBits(count) { places[$0] > 0 }
        return Column(
            .int32,
            count: count,
            validity: normalized(valid),
            buffer: found
        )
    }

    /// Whether each list has a value; null where the list or the value is null.
    package static func contains(_ column: Column, _ value: Column) -> Column {
        if column.isAllNull || value.isAllNull { return .nulls(.boolean, count: column.count) }
        let operand = ListOperand(column)
        let found = places(operand, value)
        let places = found.mutable(as: Int32.self)
        let bits = buildBits(column.count) { places[$0] > 0 }
        let known = value.isConstant ? nil : value.flattened().validity
        return withExtendedLifetime(found) {
            Column(bits: bits, validity: Bitmap.and(operand.validity, known))
        }
    }

    /// `Int32` a row: where the value first stands, from 1; 0 where it does not.
    static func places(_ operand: ListOperand, _ value: Column) -> Buffer {
        let count = operand.count
        let result = Buffer(zeroedByteCount: count * 4)
        let target = result.mutable(as: Int32.self)
        let elements = operand.elements
        let wanted = value.flattenedOnce()
        let mask = value.isConstant || value.isAllNull ? 0 : -1
        func search(_ isFound: (Int, Int) -> Bool) {
            for row in 0..<count {
                let range = operand.range(row)
                let other = row & mask
                for place in range where isFound(place, other) {
                    target[row] = Int32(truncatingIfNeeded: place - range.lowerBound + 1)
                    break
                }
            }
        }
        func fixed<T: OrderedLane>(_: T.Type) {
            let (x, y) = (Operand(elements), Operand(wanted))
            let (a, b) = (x.pointer(T.self), y.pointer(T.self))
            let (p, q) = (x.validity?.words, y.validity?.words)
            if p == nil && q == nil {
                search { T.same(a[$0], b[$1]) }
            } else {
                search { place, other in
                    let isNull = p.map { bitOf($0, place) == 0 } ?? false
                    let isOtherNull = q.map { bitOf($0, other) == 0 } ?? false
                    return isNull || isOtherNull
                        ? isNull && isOtherNull : T.same(a[place], b[other])
                }
            }
            withExtendedLifetime((x, y)) {}
        }
        if !elements.isAllNull && !wanted.isAllNull {
            switch elements.type.physical {
            case .int32: fixed(Int32.self)
            case .int64: fixed(Int64.self)
            case .float32: fixed(Float.self)
            case .float64: fixed(Double.self)
            case .view: fixed(StringView.self)
            default: search { NestedComparison.order(elements, $0, wanted, $1) == 0 }
            }
        } else {
            search { elements.isNull($0) && wanted.isNull($1) }
        }
        return result
    }

    // MARK: Sets

    /// Elements by their values: an open table of the elements of one list at a time.
    private struct ElementSet {
        private let elements: Column
        private let hashes: Buffer
        private let hash: UnsafeMutablePointer<UInt64>
        /// The place of an element, and the turn in which it was put in.
        private var slots: [(turn: Int, place: Int)] = []
        private var turn = 0
        private var mask = 0

        init(_ elements: Column) {
            self.elements = elements
            hashes = Hashing.hash([elements], count: elements.count)
            hash = hashes.mutable(as: UInt64.self)
        }

        /// Forgets everything, and makes room.
        mutating func clear(for count: Int) {
            turn += 1
            var wanted = 16
            while wanted < count * 2 { wanted *= 2 }
            if wanted > slots.count {
                slots = Array(repeating: (0, 0), count: wanted)
                turn = 1
            }
            mask = wanted - 1
        }

        /// Puts an element in; false when an equal one is there.
        mutating func insert(_ place: Int) -> Bool {
            var slot = Int(truncatingIfNeeded: hash[place]) & mask
            while slots[slot].turn == turn {
                let other = slots[slot].place
                if hash[other] == hash[place],
                    NestedComparison.order(elements, other, elements, place) == 0
                {
                    return false
                }
                slot = (slot + 1) & mask
            }
            slots[slot] = (turn, place)
            return true
        }

        /// Whether an element of another column, of this hash, is in.
        func contains(_ other: Column, _ place: Int, hash otherHash: UInt64) -> Bool {
            var slot = Int(truncatingIfNeeded: otherHash) & mask
            while slots[slot].turn == turn {
                let own = slots[slot].place
                if hash[own] == otherHash,
                    NestedComparison.order(elements, own, other, place) == 0
                {
                    return true
                }
                slot = (slot + 1) & mask
            }
            return false
        }
    }

    /// Each value of each list once, in the order in which they first come; without null unless
    /// asked for.
    package static func distinct(
        _ column: Column,
        withNull: Bool = false
    ) throws(KernelError) -> Column {
        let operand = ListOperand(column)
        let elements = operand.elements
        var set = ElementSet(elements)
        var rows = ListRows(count: column.count)
        for row in 0..<column.count {
            let range = operand.range(row)
            set.clear(for: range.count)
            for place in range
            where (withNull || !elements.isNull(place)) && set.insert(place) {
                rows.append(place)
            }
            try rows.finishRow()
        }
        return rows.lists(column.type, of: elements, validity: operand.validity)
    }

    /// How many different values each list has, null not counted, as BIGINT.
    package static func distinctCount(_ column: Column) throws(KernelError) -> Column {
        lengths(try distinct(column))
    }

    /// The values of the first list that the second has too, each once, in the first's order.
    package static func intersection(_ a: Column, _ b: Column) throws(KernelError) -> Column {
        let (left, right) = (ListOperand(a), ListOperand(b))
        let (x, y) = (left.elements, right.elements)
        var own = ElementSet(x)
        var other = ElementSet(y)
        let hashes = Hashing.hash([x], count: x.count)
        let hash = hashes.mutable(as: UInt64.self)
        var rows = ListRows(count: a.count)
        for row in 0..<a.count {
            own.clear(for: left.length(row))
            other.clear(for: right.length(row))
            for place in right.range(row) where !y.isNull(place) { _ = other.insert(place) }
            for place in left.range(row)
            where !x.isNull(place) && other.contains(x, place, hash: hash[place])
                && own.insert(place)
            {
                rows.append(place)
            }
            try rows.finishRow()
        }
        return withExtendedLifetime(hashes) {
            rows.lists(
                a.type,
                of: x,
                validity: left.validity
            )
        }
    }

    /// Whether the first list has one (or with `all` every) value of the second; nulls in the second do not
    /// count.
    package static func has(_ a: Column, all: Bool, of b: Column) -> Column {
        let (left, right) = (ListOperand(a), ListOperand(b))
        let (x, y) = (left.elements, right.elements)
        var set = ElementSet(x)
        let hashes = Hashing.hash([y], count: y.count)
        let hash = hashes.mutable(as: UInt64.self)
        let flags = Buffer(zeroedByteCount: a.count)
        let target = flags.mutable(as: UInt8.self)
        for row in 0..<a.count {
            set.clear(for: left.length(row))
            for place in left.range(row) where !x.isNull(place) { _ = set.insert(place) }
            var answer = all
            for place in right.range(row) where !y.isNull(place) {
                if set.contains(y, place, hash: hash[place]) != all {
                    answer = !all
                    break
                }
            }
            target[row] = answer ? 1 : 0
        }
        return withExtendedLifetime((flags, hashes)) {
            Column(
                bits: .fromFlags(UnsafePointer(target), count: a.count),
                validity: Bitmap.and(left.validity, right.validity)
            )
        }
    }
}

extension Column {
    /// The flat column, or the one row of a constant.
    func flattenedOnce() -> Column {
        switch storage {
        case .constant(let box): box.column.flattened()
        case .null: .nulls(type, count: max(1, count))
        default: flattened()
        }
    }
}
