package import Columnar

/// Chooses between columns row by row: CASE, COALESCE, NULLIF.
package enum Choice {
    /// `a` where `mask` is true, `b` where it is false or null.
    ///
    /// The columns have one type; a column of bare nulls goes with any.
    package static func select(_ mask: Column, _ a: Column, _ b: Column) -> Column {
        precondition(mask.count == a.count && mask.count == b.count)
        let bits = Filter.trueRows(mask)
        let trueCount = bits.trueCount
        let type = a.type == .null ? b.type : a.type
        precondition(b.type == .null || b.type.physical == type.physical)
        if trueCount == bits.count { return a.type == .null ? .nulls(type, count: a.count) : a }
        if trueCount == 0 { return b.type == .null ? .nulls(type, count: b.count) : b }
        if a.isAllNull && b.isAllNull { return .nulls(type, count: a.count) }
        if type.isNested { return selectNested(bits, a, b) }
        // A side that is all null gives no values, only nulls.
        if a.isAllNull { return masked(b, valid: bits.inverted) }
        if b.isAllNull { return masked(a, valid: bits) }
        return selectFlat(bits, type, Operand(a), Operand(b))
    }

    /// The first of the columns' values that is not null.
    package static func coalesce(_ columns: [Column]) -> Column {
        precondition(!columns.isEmpty)
        var result = columns[0]
        for column in columns.dropFirst() {
            if !result.hasNulls { break }
            result = select(NullTests.isNotNull(result), result, column)
        }
        return result
    }

    /// Null where `a` equals `b`, else `a`.
    package static func nullIf(_ a: Column, _ b: Column) throws(KernelError) -> Column {
        let equal = Filter.trueRows(try Comparison.compare(.equal, a, b))
        return masked(a, valid: equal.inverted)
    }

    /// The column with more nulls: rows whose bit is not set become null.
    package static func masked(_ column: Column, valid: Bitmap) -> Column {
        precondition(column.count == valid.count)
        if valid.isAllTrue { return column }
        switch column.storage {
        case .null:
            return column
        case .constant:
            return masked(column.flattened(), valid: valid)
        default:
            return Column(
                type: column.type,
                count: column.count,
                validity: Bitmap.and(column.validity, valid),
                storage: column.storage
            )
        }
    }

    private static func selectNested(_ bits: Bitmap, _ a: Column, _ b: Column) -> Column {
        let both = Concatenate.concatenate([a, b])
        let rows = Buffer(byteCount: bits.count * 4)
        let target = rows.mutable(as: Int32.self)
        let count = bits.count
        let words = bits.words
        for row in 0..<count {
            target[row] = Int32(truncatingIfNeeded: bitOf(words, row) != 0 ? row : row &+ count)
        }
        return Take.take(both, Selection(buffer: rows, count: count))
    }

    private static func selectFlat(
        _ bits: Bitmap,
        _ type: DataType,
        _ a: Operand,
        _ b: Operand
    ) -> Column {
        let count = bits.count
        let words = bits.words
        let storage: Column.Storage
        switch type.physical {
        case .bit:
            let (left, right) = (a.bits, b.bits)
            let (x, y) = (left.words, right.words)
            storage = .bits(
                .fromWords(count) { (x[$0] & words[$0]) | (y[$0] & ~words[$0]) }
            )
            withExtendedLifetime((left, right)) {}
        case .view:
            storage = .views(
                fixed(words, a, b, count, UInt128.self),
                owners: .union([a.owners, b.owners])
            )
        case .int32, .float32:
            storage = .fixed(fixed(words, a, b, count, UInt32.self))
        case .int64, .float64:
            storage = .fixed(fixed(words, a, b, count, UInt64.self))
        default:
            storage = .fixed(fixed(words, a, b, count, UInt128.self))
        }
        var validity: Bitmap?
        if a.validity != nil || b.validity != nil {
            let (x, y) = (a.validity?.words, b.validity?.words)
            validity = .fromWords(count) {
                ((x?[$0] ?? .max) & words[$0]) | ((y?[$0] ?? .max) & ~words[$0])
            }
        }
        return withExtendedLifetime((bits, a, b)) {
            Column(type: type, count: count, validity: normalized(validity), storage: storage)
        }
    }

    private static func fixed<T: BitwiseCopyable>(
        _ words: UnsafePointer<UInt64>,
        _ a: Operand,
        _ b: Operand,
        _ count: Int,
        _: T.Type
    ) -> BufferSlice {
        let result = Buffer(byteCount: count * MemoryLayout<T>.stride)
        let target = result.mutable(as: T.self)
        zipRows(a.pointer(T.self), a.isConstant, b.pointer(T.self), b.isConstant, count) {
            row,
            left,
            right in
            target[row] = words[row &>> 6] &>> UInt64(row & 63) & 1 != 0 ? left : right
        }
        return BufferSlice(result)
    }
}
