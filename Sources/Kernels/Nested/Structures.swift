package import Columnar

/// Functions of structs.
package enum Structures {
    /// Structs of one value from each column.
    package static func make(_ columns: [Column], type: DataType, count: Int) -> Column {
        guard case .structure(let fields) = type else {
            preconditionFailure("\(type) is no struct")
        }
        precondition(fields.count == columns.count)
        return Column(
            type: type,
            count: count,
            validity: nil,
            storage: .structure(columns.map { $0.flattened() })
        )
    }

    /// The field at a position; null where the struct is.
    package static func field(_ column: Column, _ position: Int) -> Column {
        switch column.storage {
        case .structure(let fields):
            let field = fields[position]
            return column.validity.map { Choice.masked(field, valid: $0) } ?? field
        case .constant(let box):
            let one = field(box.column, position)
            if one.isNull(0) { return .nulls(one.type, count: column.count) }
            return Column(
                type: one.type,
                count: column.count,
                validity: nil,
                storage: .constant(ColumnBox(one))
            )
        default:
            guard case .structure(let fields) = column.type else {
                preconditionFailure("\(column.type) is no struct")
            }
            return .nulls(fields[position].type, count: column.count)
        }
    }
}

/// Functions of maps.
package enum Maps {
    /// Maps of lists of keys and of values.
    ///
    /// - Throws: `outOfRange` where the lists differ in length, or a key is null or repeated.
    package static func make(
        keys: Column,
        values: Column,
        type: DataType
    ) throws(KernelError) -> Column {
        let validity = Bitmap.and(ListOperand(keys).validity, ListOperand(values).validity)
        func masked(_ column: Column) throws(KernelError) -> Column {
            let flat = column.flattened()
            return try Lists.packed(validity.map { Choice.masked(flat, valid: $0) } ?? flat)
        }
        let (left, right) = (try masked(keys), try masked(values))
        guard case .list(let offsets, let keyBox) = left.storage,
            case .list(let otherOffsets, let valueBox) = right.storage
        else { throw KernelError(.unsupported, "a map of \(keys.type)") }
        let (a, b) = (offsets.pointer(as: Int32.self), otherOffsets.pointer(as: Int32.self))
        for row in 0..<keys.count where a[row + 1] - a[row] != b[row + 1] - b[row] {
            throw KernelError(
                .outOfRange,
                "a map needs as many values as keys, not \(b[row + 1] - b[row]) for \(a[row + 1] - a[row])"
            )
        }
        return try checked(
            Column(
                type: type,
                count: keys.count,
                validity: normalized(validity),
                storage: .map(offsets: offsets, keys: keyBox, values: valueBox)
            )
        )
    }

    /// Maps of lists of structs of a key and a value.
    package static func make(entries: Column, type: DataType) throws(KernelError) -> Column {
        let list = try Lists.packed(entries)
        guard case .list(let offsets, let box) = list.storage,
            case .structure(let fields) = box.column.flattened().storage, fields.count == 2
        else { throw KernelError(.unsupported, "a map of \(entries.type)") }
        if box.column.hasNulls {
            throw KernelError(.outOfRange, "an entry of a map cannot be null")
        }
        return try checked(
            Column(
                type: type,
                count: list.count,
                validity: list.validity,
                storage: .map(
                    offsets: offsets,
                    keys: ColumnBox(fields[0].flattened()),
                    values: ColumnBox(fields[1].flattened())
                )
            )
        )
    }

    /// The maps, whose keys must be known and different.
    package static func checked(_ column: Column) throws(KernelError) -> Column {
        guard case .map(let offsets, let keys, _) = column.storage else {
            preconditionFailure("\(column.type) is no map")
        }
        if keys.column.hasNulls {
            throw KernelError(.outOfRange, "a key of a map cannot be null")
        }
        let list = Column(
            type: .list(Field("element", keys.column.type)),
            count: column.count,
            validity: column.validity,
            storage: .list(offsets: offsets, elements: keys)
        )
        let different = try Lists.distinct(list)
        if Lists.parts(of: different).elements[0].count != keys.column.count {
            throw KernelError(.outOfRange, "the keys of a map must be different")
        }
        return column
    }

    private static func keyList(_ column: Column) -> Column { keysOrValues(column, isKeys: true) }

    /// The keys (or values) of each map, as a list.
    package static func keysOrValues(_ column: Column, isKeys: Bool) -> Column {
        guard case .map(let key, let value) = column.type else {
            preconditionFailure("\(column.type) is no map")
        }
        let type = DataType.list(Field("element", isKeys ? key.type : value.type))
        if column.isAllNull { return .nulls(type, count: column.count) }
        if case .constant(let box) = column.storage {
            return Column(
                type: type,
                count: column.count,
                validity: nil,
                storage: .constant(ColumnBox(keysOrValues(box.column, isKeys: isKeys)))
            )
        }
        guard case .map(let offsets, let keys, let values) = column.storage else {
            preconditionFailure("\(column.type) is no map")
        }
        return Column(
            type: type,
            count: column.count,
            validity: column.validity,
            storage: .list(offsets: offsets, elements: isKeys ? keys : values)
        )
    }

    /// The entries of each map, as a list of structs.
    package static func entries(_ column: Column, type: DataType) throws(KernelError) -> Column {
        guard case .list(let field) = type else {
            throw KernelError(.unsupported, "entries as \(type)")
        }
        let map = try Lists.packed(column)
        guard case .map(let offsets, let keys, let values) = map.storage else {
            throw KernelError(.unsupported, "entries of \(column.type)")
        }
        let structs = Column(
            type: field.type,
            count: keys.column.count,
            validity: nil,
            storage: .structure([keys.column.flattened(), values.column.flattened()])
        )
        return Column(
            type: type,
            count: map.count,
            validity: map.validity,
            storage: .list(offsets: offsets, elements: ColumnBox(structs))
        )
    }

    /// The value of a key; null where the map has no such key.
    package static func value(_ column: Column, of key: Column) -> Column {
        let operand = ListOperand(column)
        if column.isAllNull || key.isAllNull {
            return .nulls(operand.parts[1].type, count: column.count)
        }
        let found = Lists.places(operand, key)
        let places = found.mutable(as: Int32.self)
        for row in 0..<column.count {
            places[row] =
                places[row] == 0
                ? -1 : Int32(truncatingIfNeeded: operand.start(row)) &+ places[row] &- 1
        }
        return withExtendedLifetime(found) {
            Take.take(
                operand.parts[1],
                rows: UnsafePointer(places),
                count: column.count,
                nullable: true
            )
        }
    }

    /// A list of the value of a key, empty where the map has no such key.
    package static func values(_ column: Column, of key: Column, type: DataType) throws(KernelError)
        -> Column
    {
        let operand = ListOperand(column)
        let found = Lists.places(operand, key)
        let places = found.mutable(as: Int32.self)
        var rows = ListRows(count: column.count)
        for row in 0..<column.count {
            if places[row] > 0 { rows.append(operand.start(row) + Int(places[row]) - 1) }
            try rows.finishRow()
        }
        return withExtendedLifetime(found) {
            rows.lists(type, of: operand.parts[1], validity: operand.validity)
        }
    }

    /// Maps with the entries of all maps of a row: of equal keys the last one's value, in the first one's
    /// place.
    package static func concatenate(_ columns: [Column], type: DataType) throws(KernelError)
        -> Column
    {
        let operands = columns.map { ListOperand($0) }
        let count = columns[0].count
        let keys = Concatenate.concatenate(operands.map { $0.parts[0] }).flattened()
        let values = Concatenate.concatenate(operands.map { $0.parts[1] }).flattened()
        var starts: [Int] = []
        var total = 0
        for operand in operands {
            starts.append(total)
            total += operand.elements.count
        }
        try Lists.checkCount(total)
        var keyRows = ListRows(count: count)
        var valueRows = ListRows(count: count)
        let hashes = Hashing.hash([keys], count: keys.count)
        let hash = hashes.mutable(as: UInt64.self)
        for row in 0..<count {
            var own: [(key: Int, value: Int)] = []
            var known: [UInt64: [Int]] = [:]
            for (operand, start) in zip(operands, starts) {
                for place in operand.range(row) {
                    let entry = start + place
                    let same = known[hash[entry]]?.first {
                        NestedComparison.order(keys, own[$0].key, keys, entry) == 0
                    }
                    if let same {
                        own[same].value = entry
                    } else {
                        known[hash[entry], default: []].append(own.count)
                        own.append((entry, entry))
                    }
                }
            }
            for (key, value) in own {
                keyRows.append(key)
                valueRows.append(value)
            }
            try keyRows.finishRow()
            try valueRows.finishRow()
        }
        var validity: Bitmap?
        if operands.allSatisfy({ $0.validity != nil }) {
            validity = buildBits(count) { row in operands.contains { !$0.isNull(row) } }
        }
        return withExtendedLifetime(hashes) {
            Column(
                type: type,
                count: count,
                validity: normalized(validity),
                storage: .map(
                    offsets: keyRows.slice,
                    keys: ColumnBox(keyRows.taken(keys).flattened()),
                    values: ColumnBox(valueRows.taken(values).flattened())
                )
            )
        }
    }
}
