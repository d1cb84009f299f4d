package import Columnar

/// The operators on the bits of integers.
package enum BitwiseOperator: Sendable, Hashable, CaseIterable {
    case and, or, exclusiveOr
    /// `<<`: an error when bits would be lost or the distance is not 0 to 63.
    case shiftLeft
    /// `>>`: keeps the sign.
    case shiftRight
}

/// Bits of integers: both sides and the result are int64 (int32 is widened).
package enum Bitwise {
    /// `a op b` as int64.
    package static func apply(
        _ op: BitwiseOperator,
        _ a: Column,
        _ b: Column
    ) throws(KernelError) -> Column {
        let columns = [try Casting.cast(a, to: .int64), try Casting.cast(b, to: .int64)]
        return try Rowwise.apply(columns, to: .int64) {
            (operands, count, validity) throws(KernelError) -> Column in
            let arguments = try Arguments(operands, "ii")
            let buffer = Buffer(zeroedByteCount: count * 8)
            let target = buffer.mutable(as: Int64.self)
            try forEachValid(validity, count) { (row) throws(KernelError) in
                let (x, y) = (arguments.int64(0, row), arguments.int64(1, row))
                switch op {
                case .and: target[row] = x & y
                case .or: target[row] = x | y
                case .exclusiveOr: target[row] = x ^ y
                case .shiftLeft, .shiftRight:
                    guard y >= 0, y < 64 else {
                        throw KernelError(.outOfRange, "cannot shift by \(y) bits")
                    }
                    target[row] = op == .shiftLeft ? x << y : x >> y
                    if op == .shiftLeft, target[row] >> y != x {
                        throw KernelError(.overflow, "\(x) << \(y) does not fit BIGINT")
                    }
                }
            }
            return withExtendedLifetime(operands) {
                Column(.int64, count: count, validity: validity, buffer: buffer)
            }
        }
    }

    /// The integer with all bits inverted, of the column's type.
    package static func not(_ column: Column) throws(KernelError) -> Column {
        guard column.type.isInteger || column.isAllNull else {
            throw KernelError(.unsupported, "~ of \(column.type)")
        }
        return column.mapped(to: column.type) { column in
            column.type == .int32
                ? Casting.convertAll(column, .int32, Int32.self) { ~$0 }
                : Casting.convertAll(column, .int64, Int64.self) { ~$0 }
        }
    }
}
