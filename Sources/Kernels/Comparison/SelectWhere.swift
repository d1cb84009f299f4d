package import Columnar

extension Filter {
    /// The rows (all, or those of `within`) for which `column op constant` is true.
    ///
    /// What scans live from: no boolean column in between, once per entry for dictionaries that are
    /// not larger than the column. `constant` is a column of constant storage (or all null), of the
    /// column's type.
    package static func select(
        _ column: Column,
        _ op: ComparisonOperator,
        _ constant: Column,
        within: Selection? = nil
    ) throws(KernelError) -> Selection {
        precondition(column.count == constant.count)
        if let within, !op.seesNull, let chosen = narrowed(column, op, constant, within) {
            return chosen
        }
        guard let within else {
            return selection(try Comparison.compare(op, column, constant))
        }
        let taken = Take.take(column, within)
        let mask = try Comparison.compare(op, taken, constant.constant(repeated: within.count))
        return compose(within, selection(mask))
    }

    /// The rows of `within` that pass, for the types that have a loop of their own; else nil.
    private static func narrowed(
        _ column: Column,
        _ op: ComparisonOperator,
        _ constant: Column,
        _ within: Selection
    ) -> Selection? {
        guard case .constant(let box) = constant.storage, box.column.type == column.type
        else { return nil }
        let right = Operand(box.column)
        guard case .fixed(let values) = column.storage else { return nil }
        switch column.type.physical {
        case .int32:
            return narrow(values, op, right.pointer(Int32.self)[0], column.validity, within)
        case .int64:
            return narrow(values, op, right.pointer(Int64.self)[0], column.validity, within)
        case .float64:
            return narrow(values, op, right.pointer(Double.self)[0], column.validity, within)
        default:
            return nil
        }
    }

    private static func narrow<T: OrderedLane>(
        _ values: BufferSlice,
        _ op: ComparisonOperator,
        _ constant: T,
        _ validity: Bitmap?,
        _ within: Selection
    ) -> Selection {
        let source = values.pointer(as: T.self)
        return switch op {
        case .equal, .notDistinct:
            narrow(within, validity) { T.same(source[$0], constant) }
        case .notEqual, .distinct:
            narrow(within, validity) { !T.same(source[$0], constant) }
        case .less:
            narrow(within, validity) { T.before(source[$0], constant) }
        case .lessOrEqual:
            narrow(within, validity) { !T.before(constant, source[$0]) }
        case .greater:
            narrow(within, validity) { T.before(constant, source[$0]) }
        case .greaterOrEqual:
            narrow(within, validity) { !T.before(source[$0], constant) }
        }
    }

    @inline(__always)
    private static func narrow(
        _ within: Selection,
        _ validity: Bitmap?,
        _ predicate: (Int) -> Bool
    ) -> Selection {
        let rows = within.rows
        // One place more: the loop writes before it knows whether the row stays.
        let buffer = Buffer(byteCount: (within.count + 1) * 4)
        let target = buffer.mutable(as: Int32.self)
        var next = 0
        if let words = validity?.words {
            for index in 0..<within.count {
                let row = rows[index]
                target[next] = row
                let valid = words[Int(row) &>> 6] &>> UInt64(row & 63) & 1
                next &+= (predicate(Int(row)) ? 1 : 0) & Int(truncatingIfNeeded: valid)
            }
        } else {
            for index in 0..<within.count {
                let row = rows[index]
                target[next] = row
                next &+= predicate(Int(row)) ? 1 : 0
            }
        }
        return withExtendedLifetime((within, validity)) { Selection(buffer: buffer, count: next) }
    }
}
