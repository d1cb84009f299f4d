extension Column {
    /// The same rows without dictionary, constant or null storage at the top: bits, fixed, views,
    /// list, structure or map (a column of type `null` stays as it is).
    package func flattened() -> Column {
        switch storage {
        case .bits, .fixed, .views, .list, .structure, .map:
            return self
        case .null:
            return type.physical == .none ? self : Column.zeros(type, count: count, isNull: true)
        case .constant(let box):
            return box.column.repeated(count)
        case .dictionary(let codes, let dictionary):
            return dictionary.values.gathered(
                codes.pointer(as: UInt32.self),
                count: count,
                validity: validity
            )
        }
    }

    /// Rows of defined memory (zeros, empty views), all null or all not.
    package static func zeros(_ type: DataType, count: Int, isNull: Bool) -> Column {
        let validity = isNull ? Bitmap(repeating: false, count: count) : nil
        let storage: Storage
        switch type.physical {
        case .none:
            return .nulls(type, count: count)
        case .bit:
            storage = .bits(Bitmap(repeating: false, count: count))
        case .int32, .int64, .float32, .float64, .int128:
            storage = .fixed(
                BufferSlice(Buffer(zeroedByteCount: count * type.physical.byteWidth))
            )
        case .view:
            storage = .views(BufferSlice(Buffer(zeroedByteCount: count * 16)), owners: .none)
        case .list:
            guard case .list(let field) = type else { preconditionFailure("not a list") }
            storage = .list(
                offsets: BufferSlice(Buffer(zeroedByteCount: (count + 1) * 4)),
                elements: ColumnBox(.zeros(field.type, count: 0, isNull: false))
            )
        case .structure:
            guard case .structure(let fields) = type else { preconditionFailure("not a struct") }
            storage = .structure(
                fields.map { .zeros($0.type, count: count, isNull: isNull) }
            )
        case .map:
            guard case .map(let key, let value) = type else { preconditionFailure("not a map") }
            storage = .map(
                offsets: BufferSlice(Buffer(zeroedByteCount: (count + 1) * 4)),
                keys: ColumnBox(.zeros(key.type, count: 0, isNull: false)),
                values: ColumnBox(.zeros(value.type, count: 0, isNull: false))
            )
        }
        return Column(type: type, count: count, validity: validity, storage: storage)
    }

    /// This column's only row, `newCount` times.
    private func repeated(_ newCount: Int) -> Column {
        precondition(count == 1)
        let codes = Buffer(zeroedByteCount: newCount * 4)
        if type.isNested {
            let builder = ColumnBuilder(type, capacity: newCount)
            let value = value(at: 0)
            for _ in 0..<newCount { builder.append(value) }
            return builder.finish()
        }
        return gathered(
            UnsafePointer(codes.mutable(as: UInt32.self)),
            count: newCount,
            validity: nil
        )
    }

    /// The flat, null-free values at `codes`, which the caller has checked.
    private func gathered(
        _ codes: UnsafePointer<UInt32>,
        count newCount: Int,
        validity: Bitmap?
    ) -> Column {
        func gather<T: BitwiseCopyable>(_ values: BufferSlice, _: T.Type) -> BufferSlice {
            let source = values.pointer(as: T.self)
            let result = Buffer(byteCount: newCount * MemoryLayout<T>.stride)
            let target = result.mutable(as: T.self)
            for row in 0..<newCount { target[row] = source[Int(codes[row])] }
            return BufferSlice(result)
        }
        let newStorage: Storage
        switch storage {
        case .bits(let bits):
            let result = Buffer(zeroedByteCount: Bitmap.wordCount(newCount) * 8)
            let target = result.mutable(as: UInt64.self)
            let words = bits.words
            for row in 0..<newCount {
                let code = Int(codes[row])
                let bit = words[code >> 6] &>> UInt64(code & 63) & 1
                target[row >> 6] |= bit &<< UInt64(row & 63)
            }
            newStorage = .bits(Bitmap(buffer: result, count: newCount))
        case .fixed(let values):
            switch type.physical.byteWidth {
            case 4: newStorage = .fixed(gather(values, UInt32.self))
            case 8: newStorage = .fixed(gather(values, UInt64.self))
            default: newStorage = .fixed(gather(values, UInt128.self))
            }
        case .views(let views, let owners):
            newStorage = .views(gather(views, StringView.self), owners: owners)
        default:
            preconditionFailure("a dictionary holds flat values")
        }
        return withExtendedLifetime(self) {
            Column(type: type, count: newCount, validity: validity, storage: newStorage)
        }
    }
}
