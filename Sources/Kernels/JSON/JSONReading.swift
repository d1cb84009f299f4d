import Bytes
import Columnar

/// JSON values as columns, a level of nesting at a time.
struct JSONReading {
    let isStrict: Bool

    private func misfit(_ value: JSON, _ type: DataType) throws(KernelError) {
        guard isStrict else { return }
        let shown = value.text().prefix(100)
        throw KernelError(.invalidCast, "JSON \(shown) does not fit \(type)")
    }

    func column(_ values: [JSON?], _ type: DataType) throws(KernelError) -> Column {
        switch type {
        case .list(let element): return try lists(values, element.type, type)
        case .structure(let fields): return try structures(values, fields, type)
        case .map(let key, let value): return try maps(values, key.type, value.type, type)
        default: return try scalars(values, type)
        }
    }

    private func scalars(_ values: [JSON?], _ type: DataType) throws(KernelError) -> Column {
        let builder = ColumnBuilder(.string, capacity: values.count)
        for value in values {
            switch value {
            case nil, .null?: builder.appendNull()
            case .string(let text)?: builder.append(text)
            case .bool(let flag)?: builder.append(flag ? "true" : "false")
            case .number(let number)?: builder.append(number)
            case let other?:
                if type != .string {
                    try misfit(other, type)
                    builder.appendNull()
                    continue
                }
                var text: [UInt8] = []
                JSONOutput.append(other, to: &text)
                text.withUnsafeBufferPointer { builder.append($0) }
            }
        }
        return try Casting.cast(builder.finish(), to: type, isTry: !isStrict).flattened()
    }

    private func lists(
        _ values: [JSON?],
        _ element: DataType,
        _ type: DataType
    ) throws(KernelError) -> Column {
        let offsets = Buffer(zeroedByteCount: (values.count + 1) * 4)
        let bounds = offsets.mutable(as: Int32.self)
        var inside: [JSON?] = []
        var valid = [Bool](repeating: true, count: values.count)
        for (row, value) in values.enumerated() {
            switch value {
            case .array(let elements)?: inside.append(contentsOf: elements.map { $0 })
            case nil, .null?: valid[row] = false
            case let other?:
                try misfit(other, type)
                valid[row] = false
            }
            try Lists.checkCount(inside.count)
            bounds[row + 1] = Int32(truncatingIfNeeded: inside.count)
        }
        return Column(
            type: type,
            count: values.count,
            validity: normalized(Bitmap(valid)),
            storage: .list(
                offsets: BufferSlice(offsets),
                elements: ColumnBox(try column(inside, element))
            )
        )
    }

    private func structures(
        _ values: [JSON?],
        _ fields: [Field],
        _ type: DataType
    ) throws(KernelError) -> Column {
        var valid = [Bool](repeating: true, count: values.count)
        for (row, value) in values.enumerated() {
            switch value {
            case .object?: break
            case nil, .null?: valid[row] = false
            case let other?:
                try misfit(other, type)
                valid[row] = false
            }
        }
        var columns: [Column] = []
        for field in fields {
            columns.append(
                try column(
                    values.map { value in
                        guard case .object(let object)? = value else { return nil }
                        return object[field.name]
                    },
                    field.type
                )
            )
        }
        return Column(
            type: type,
            count: values.count,
            validity: normalized(Bitmap(valid)),
            storage: .structure(columns)
        )
    }

    private func maps(
        _ values: [JSON?],
        _ key: DataType,
        _ value: DataType,
        _ type: DataType
    ) throws(KernelError) -> Column {
        let offsets = Buffer(zeroedByteCount: (values.count + 1) * 4)
        let bounds = offsets.mutable(as: Int32.self)
        var keys: [JSON?] = []
        var inside: [JSON?] = []
        var valid = [Bool](repeating: true, count: values.count)
        for (row, one) in values.enumerated() {
            switch one {
            case .object(let object)?:
                for member in object.members {
                    keys.append(.string(member.key))
                    inside.append(member.value)
                }
            case nil, .null?: valid[row] = false
            case let other?:
                try misfit(other, type)
                valid[row] = false
            }
            try Lists.checkCount(keys.count)
            bounds[row + 1] = Int32(truncatingIfNeeded: keys.count)
        }
        return try Maps.checked(
            Column(
                type: type,
                count: values.count,
                validity: normalized(Bitmap(valid)),
                storage: .map(
                    offsets: BufferSlice(offsets),
                    keys: ColumnBox(try column(keys, key)),
                    values: ColumnBox(try column(inside, value))
                )
            )
        )
    }
}
