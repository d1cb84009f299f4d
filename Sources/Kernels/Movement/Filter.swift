package import Columnar

/// Turns predicates into selections.
package enum Filter {
    /// The rows in which a boolean column is true (neither false nor null).
    package static func selection(_ mask: Column) -> Selection {
        precondition(mask.type == .boolean || mask.type == .null)
        switch mask.storage {
        case .null:
            return Selection(buffer: Buffer(byteCount: 0), count: 0)
        case .constant(let box):
            return box.column.value(at: 0) == .boolean(true)
                ? everyRow(mask.count) : Selection(buffer: Buffer(byteCount: 0), count: 0)
        default:
            return Selection(trueRows(mask))
        }
    }

    /// Rows 0 up to `count`.
    package static func everyRow(_ count: Int) -> Selection {
        let buffer = Buffer(byteCount: count * 4)
        let rows = buffer.mutable(as: Int32.self)
        for row in 0..<count { rows[row] = Int32(truncatingIfNeeded: row) }
        return Selection(buffer: buffer, count: count)
    }

    /// The rows of `selection` counted through another: row `i` of the result is
    /// `outer.rows[inner.rows[i]]`.
    package static func compose(_ outer: Selection, _ inner: Selection) -> Selection {
        let buffer = Buffer(byteCount: inner.count * 4)
        let rows = buffer.mutable(as: Int32.self)
        let (first, second) = (outer.rows, inner.rows)
        for index in 0..<inner.count { rows[index] = first[Int(second[index])] }
        return withExtendedLifetime((outer, inner)) {
            Selection(buffer: buffer, count: inner.count)
        }
    }

    /// The rows in which a boolean column is true, as bits.
    package static func trueRows(_ mask: Column) -> Bitmap {
        if mask.isAllNull { return Bitmap(repeating: false, count: mask.count) }
        let operand = Operand(mask)
        return Bitmap.and(operand.bits, operand.validity) ?? operand.bits
    }
}
