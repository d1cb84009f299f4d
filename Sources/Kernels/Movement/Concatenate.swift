package import Columnar

/// Puts columns one after the other.
package enum Concatenate {
    /// All rows of all columns, which are of one type (columns of bare nulls may be among them).
    ///
    /// The bytes of strings are shared, not copied. Dictionaries stay when all columns have the same.
    package static func concatenate(_ columns: [Column]) -> Column {
        concatenate(columns) {}
    }

    /// The same for very many rows.
    ///
    /// - Throws: `CancellationError` when nobody wants them any more.
    package static func concatenateUnlessInterrupted(_ columns: [Column]) throws -> Column {
        try concatenate(columns) { try Interruption.check() }
    }

    /// - Parameter check: called before each part is copied.
    private static func concatenate(
        _ columns: [Column],
        _ check: () throws -> Void
    ) rethrows -> Column {
        precondition(!columns.isEmpty)
        if columns.count == 1 { return columns[0] }
        let type = columns.first { $0.type != .null }?.type ?? .null
        let count = columns.reduce(0) { $0 + $1.count }
        if columns.allSatisfy(\.isAllNull) { return .nulls(type, count: count) }
        let used = columns.filter { $0.count > 0 }
        if used.count == 1 { return used[0] }
        if used.isEmpty { return columns[0] }
        if let shared = try sharedDictionary(used, type, count, check) { return shared }
        let parts = used.map { part -> Column in
            if part.isAllNull { return .zeros(type, count: part.count, isNull: true) }
            precondition(part.type.physical == type.physical)
            return part.flattened()
        }
        return Column(
            type: type,
            count: count,
            validity: validity(parts, count),
            storage: try storage(parts, type, count, check)
        )
    }

    /// All rows of all batches, which have one schema.
    package static func concatenate(_ batches: [RecordBatch]) -> RecordBatch {
        precondition(!batches.isEmpty)
        if batches.count == 1 { return batches[0] }
        let schema = batches[0].schema
        return RecordBatch(
            schema: schema,
            columns: (0..<schema.count).map { index in
                concatenate(batches.map { $0.columns[index] })
            },
            rowCount: batches.reduce(0) { $0 + $1.rowCount }
        )
    }

    private static func sharedDictionary(
        _ parts: [Column],
        _ type: DataType,
        _ count: Int,
        _ check: () throws -> Void
    ) rethrows -> Column? {
        guard case .dictionary(_, let first) = parts[0].storage else { return nil }
        var slices: [(BufferSlice, Int)] = []
        for part in parts {
            guard case .dictionary(let codes, let dictionary) = part.storage,
                dictionary === first
            else { return nil }
            slices.append((codes, part.count * 4))
        }
        return Column(
            type: type,
            count: count,
            validity: validity(parts, count),
            storage: .dictionary(codes: try joined(slices, check), first)
        )
    }

    /// The parts are flat or dictionaries: their validity says everything about nulls.
    private static func validity(_ parts: [Column], _ count: Int) -> Bitmap? {
        if parts.allSatisfy({ $0.validity == nil }) { return nil }
        return joinedBits(parts.map { ($0.validity, $0.count) }, count)
    }

    /// Bitmaps one after the other; nil stands for all set.
    private static func joinedBits(_ parts: [(Bitmap?, Int)], _ count: Int) -> Bitmap {
        // One word more than needed, so that the spill of the last part has a place.
        let buffer = Buffer(zeroedByteCount: (Bitmap.wordCount(count) + 1) * 8)
        let target = buffer.mutable(as: UInt64.self)
        var start = 0
        for (bits, partCount) in parts {
            let shift = UInt64(start & 63)
            let first = start &>> 6
            for index in 0..<Bitmap.wordCount(partCount) {
                var word = bits.map { $0.words[index] } ?? .max
                let left = partCount - index * 64
                if left < 64 { word &= (1 &<< UInt64(left)) &- 1 }
                target[first + index] |= word &<< shift
                if shift > 0 { target[first + index + 1] |= word &>> (64 &- shift) }
            }
            start += partCount
        }
        return Bitmap(buffer: buffer, count: count)
    }

    private static func joined(
        _ parts: [(slice: BufferSlice, byteCount: Int)],
        _ check: () throws -> Void
    ) rethrows -> BufferSlice {
        let buffer = Buffer(byteCount: parts.reduce(0) { $0 + $1.byteCount })
        var start = 0
        for part in parts {
            try check()
            (buffer.base + start).copyMemory(
                from: part.slice.pointer(as: UInt8.self),
                byteCount: part.byteCount
            )
            start += part.byteCount
        }
        return BufferSlice(buffer)
    }

    private static func storage(
        _ parts: [Column],
        _ type: DataType,
        _ count: Int,
        _ check: () throws -> Void
    ) rethrows -> Column.Storage {
        switch type.physical {
        case .none:
            return .null
        case .bit:
            return .bits(joinedBits(parts.map { (Operand($0).bits, $0.count) }, count))
        case .int32, .int64, .float32, .float64, .int128:
            let width = type.physical.byteWidth
            return .fixed(
                try joined(
                    parts.compactMap {
                        guard case .fixed(let values) = $0.storage else { return nil }
                        return (values, $0.count * width)
                    },
                    check
                )
            )
        case .view:
            var slices: [(BufferSlice, Int)] = []
            var owners: [BufferOwners] = []
            for case .views(let views, let owner) in parts.map(\.storage) {
                slices.append((views, parts[slices.count].count * 16))
                owners.append(owner)
            }
            return .views(try joined(slices, check), owners: .union(owners))
        case .structure:
            var fields: [[Column]] = []
            for case .structure(let columns) in parts.map(\.storage) { fields.append(columns) }
            return .structure(
                try fields[0].indices.map { index in
                    try concatenate(fields.map { $0[index] }, check)
                }
            )
        case .list:
            var offsets: [(BufferSlice, Int)] = []
            var elements: [Column] = []
            for (part, column) in parts.enumerated() {
                guard case .list(let slice, let box) = column.storage else { continue }
                offsets.append((slice, parts[part].count))
                elements.append(box.column.slice(elementRange(slice, column.count)))
            }
            return .list(
                offsets: joinedOffsets(offsets),
                elements: ColumnBox(try concatenate(elements, check))
            )
        case .map:
            var offsets: [(BufferSlice, Int)] = []
            var keys: [Column] = []
            var values: [Column] = []
            for column in parts {
                guard case .map(let slice, let key, let value) = column.storage else { continue }
                let range = elementRange(slice, column.count)
                offsets.append((slice, column.count))
                keys.append(key.column.slice(range))
                values.append(value.column.slice(range))
            }
            return .map(
                offsets: joinedOffsets(offsets),
                keys: ColumnBox(try concatenate(keys, check)),
                values: ColumnBox(try concatenate(values, check))
            )
        }
    }

    private static func elementRange(_ offsets: BufferSlice, _ count: Int) -> Range<Int> {
        let bounds = offsets.pointer(as: Int32.self)
        return Int(bounds[0])..<Int(bounds[count])
    }

    private static func joinedOffsets(_ parts: [(BufferSlice, Int)]) -> BufferSlice {
        let count = parts.reduce(0) { $0 + $1.1 }
        let buffer = Buffer(byteCount: (count + 1) * 4)
        let target = buffer.mutable(as: Int32.self)
        target[0] = 0
        var row = 0
        var total: Int32 = 0
        for (slice, partCount) in parts {
            let source = slice.pointer(as: Int32.self)
            for index in 0..<partCount {
                total += source[index + 1] - source[index]
                row += 1
                target[row] = total
            }
        }
        return BufferSlice(buffer)
    }
}
