package import Columnar

/// Moves chosen rows into new columns.
package enum Take {
    /// The rows of `selection`, in its order.
    ///
    /// Dictionaries and constants stay what they are.
    package static func take(_ column: Column, _ selection: Selection) -> Column {
        take(column, rows: selection.rows, count: selection.count)
    }

    /// The selected rows, for very many of them.
    ///
    /// - Throws: `CancellationError` when nobody wants them any more.
    package static func takeUnlessInterrupted(
        _ column: Column,
        _ selection: Selection
    ) throws -> Column {
        let step = 4 * Interruption.rowCount
        if selection.count <= 2 * step { return take(column, selection) }
        var parts: [Column] = []
        var start = 0
        while start < selection.count {
            try Interruption.check()
            let count = min(step, selection.count - start)
            parts.append(take(column, rows: selection.rows + start, count: count))
            start += count
        }
        return try withExtendedLifetime(selection) {
            try Concatenate.concatenateUnlessInterrupted(parts)
        }
    }

    /// The rows of all columns.
    package static func take(_ batch: RecordBatch, _ selection: Selection) -> RecordBatch {
        RecordBatch(
            schema: batch.schema,
            columns: batch.columns.map { take($0, selection) },
            rowCount: selection.count
        )
    }

    /// The rows in `rows`, which may repeat and come in any order.
    ///
    /// With `nullable` a row of -1 gives null, as outer joins need; otherwise all must be inside.
    /// Lists whose elements together pass 2^31 trap: there is no column for them.
    package static func take(
        _ column: Column,
        rows: UnsafePointer<Int32>,
        count: Int,
        nullable: Bool = false
    ) -> Column {
        if nullable, let valid = validRows(rows, count) {
            return takeNullable(column, rows, count, valid)
        }
        return takeAll(column, rows, count)
    }

    /// Which rows are not -1; nil when all are not.
    private static func validRows(_ rows: UnsafePointer<Int32>, _ count: Int) -> Bitmap? {
        var sign: Int32 = 0
        for index in 0..<count { sign |= rows[index] }
        return sign < 0 ? buildBits(count) { rows[$0] >= 0 } : nil
    }

    private static func takeNullable(
        _ column: Column,
        _ rows: UnsafePointer<Int32>,
        _ count: Int,
        _ valid: Bitmap
    ) -> Column {
        if column.isAllNull || valid.trueCount == 0 { return .nulls(column.type, count: count) }
        // Row 0 exists, for some row is valid; it stands in for the null ones.
        let clamped = Buffer(byteCount: count * 4)
        let target = clamped.mutable(as: Int32.self)
        for index in 0..<count { target[index] = max(0, rows[index]) }
        var source = column
        if case .constant(let box) = column.storage {
            for index in 0..<count { target[index] = 0 }
            source = box.column
            if !column.type.isNested {
                return Column(
                    type: column.type,
                    count: count,
                    validity: valid,
                    storage: .dictionary(
                        codes: BufferSlice(clamped),
                        ColumnDictionary(box.column.flattened())
                    )
                )
            }
        }
        let taken = takeAll(source, UnsafePointer(target), count)
        return Column(
            type: taken.type,
            count: count,
            validity: Bitmap.and(taken.validity, valid),
            storage: taken.storage
        )
    }

    private static func takeAll(
        _ column: Column,
        _ rows: UnsafePointer<Int32>,
        _ count: Int
    ) -> Column {
        let validity = column.validity.flatMap { takeBits($0, rows, count) }
        let storage: Column.Storage
        switch column.storage {
        case .null, .constant:
            return column.constant(repeated: count)
        case .bits(let bits):
            storage = .bits(takeBits(bits, rows, count))
        case .fixed(let values):
            switch column.type.physical.byteWidth {
            case 4: storage = .fixed(takeFixed(values, rows, count, UInt32.self))
            case 8: storage = .fixed(takeFixed(values, rows, count, UInt64.self))
            default: storage = .fixed(takeFixed(values, rows, count, UInt128.self))
            }
        case .views(let views, let owners):
            storage = .views(takeFixed(views, rows, count, UInt128.self), owners: owners)
        case .dictionary(let codes, let dictionary):
            storage = .dictionary(codes: takeFixed(codes, rows, count, UInt32.self), dictionary)
        case .list(let offsets, let elements):
            let (newOffsets, chosen) = takeRanges(offsets, rows, count)
            storage = .list(
                offsets: newOffsets,
                elements: ColumnBox(take(elements.column, chosen))
            )
        case .structure(let columns):
            storage = .structure(columns.map { takeAll($0, rows, count) })
        case .map(let offsets, let keys, let values):
            let (newOffsets, chosen) = takeRanges(offsets, rows, count)
            storage = .map(
                offsets: newOffsets,
                keys: ColumnBox(take(keys.column, chosen)),
                values: ColumnBox(take(values.column, chosen))
            )
        }
        return withExtendedLifetime(column) {
            Column(
                type: column.type,
                count: count,
                validity: normalized(validity),
                storage: storage
            )
        }
    }

    private static func takeFixed<T: BitwiseCopyable>(
        _ values: BufferSlice,
        _ rows: UnsafePointer<Int32>,
        _ count: Int,
        _: T.Type
    ) -> BufferSlice {
        let source = values.pointer(as: T.self)
        let result = Buffer(byteCount: count * MemoryLayout<T>.stride)
        let target = result.mutable(as: T.self)
        for index in 0..<count { target[index] = source[Int(rows[index])] }
        return BufferSlice(result)
    }

    static func takeBits(_ bits: Bitmap, _ rows: UnsafePointer<Int32>, _ count: Int) -> Bitmap {
        let words = bits.words
        if bits.count <= count {
            // Few bits for many rows, as a dictionary's are: a byte each is faster to look up.
            let table = Buffer(byteCount: bits.count)
            let flags = table.mutable(as: UInt8.self)
            for index in 0..<bits.count {
                flags[index] = UInt8(truncatingIfNeeded: bitOf(words, index))
            }
            return withExtendedLifetime((bits, table)) {
                buildBits(count) { flags[Int(rows[$0])] != 0 }
            }
        }
        return withExtendedLifetime(bits) {
            buildBits(count) {
                let row = Int(rows[$0])
                return words[row &>> 6] &>> UInt64(row & 63) & 1 != 0
            }
        }
    }

    /// New offsets of the chosen lists, and the rows of their elements.
    private static func takeRanges(
        _ offsets: BufferSlice,
        _ rows: UnsafePointer<Int32>,
        _ count: Int
    ) -> (BufferSlice, Selection) {
        let source = offsets.pointer(as: Int32.self)
        let newOffsets = Buffer(byteCount: (count + 1) * 4)
        let target = newOffsets.mutable(as: Int32.self)
        var total: Int32 = 0
        target[0] = 0
        for index in 0..<count {
            let row = Int(rows[index])
            total += source[row + 1] - source[row]
            target[index + 1] = total
        }
        let chosen = Buffer(byteCount: Int(total) * 4)
        let elements = chosen.mutable(as: Int32.self)
        var next = 0
        for index in 0..<count {
            let row = Int(rows[index])
            var element = source[row]
            while element < source[row + 1] {
                elements[next] = element
                next &+= 1
                element &+= 1
            }
        }
        return (BufferSlice(newOffsets), Selection(buffer: chosen, count: Int(total)))
    }

    /// The entries at `codes`, null where `validity` says so or the entry is.
    ///
    /// This is how work done once per dictionary entry becomes a column. Entries of bits, fixed width and views only.
    static func gather(
        _ entries: Column,
        codes: BufferSlice,
        count: Int,
        validity: Bitmap?
    ) -> Column {
        if entries.isAllNull { return .nulls(entries.type, count: count) }
        // Codes are below 2^31: dictionaries are far smaller.
        let rows = codes.pointer(as: Int32.self)
        let taken = takeAll(entries, rows, count)
        return withExtendedLifetime(codes) {
            Column(
                type: taken.type,
                count: count,
                validity: Bitmap.and(taken.validity, validity),
                storage: taken.storage
            )
        }
    }
}
