package import Columnar

/// Arithmetic on number columns.
///
/// Overflow and division by zero are errors of the rows that are not null; nothing wraps.
///
/// Loops compute every row, also under nulls, and collect the signs of overflow without a branch;
/// only when something overflowed do they look for the row.
package enum Arithmetic {
    /// `a op b` as a column of `result`.
    ///
    /// Integers and floats: both sides and the result have one type, but for `/`, which takes any
    /// numbers to DOUBLE. Decimals: the result is `DecimalRules.result`; sides are decimals or
    /// integers. Division by zero is an error for floats too; otherwise floats follow IEEE 754.
    package static func apply(
        _ op: ArithmeticOperator,
        _ a: Column,
        _ b: Column,
        to result: DataType
    ) throws(KernelError) -> Column {
        precondition(a.count == b.count)
        let count = a.count
        if a.isAllNull || b.isAllNull { return .nulls(result, count: count) }
        if case .constant(let x) = a.storage, case .constant(let y) = b.storage {
            let one = try apply(op, x.column, y.column, to: result)
            return .constant(one.value(at: 0), result, count: count)
        }
        if case .decimal(let precision, let scale) = result {
            return try DecimalArithmetic.apply(op, a, b, precision: precision, scale: scale)
        }
        if op == .divide, result == .float64, a.type != .float64 || b.type != .float64 {
            let left = try Casting.cast(a, to: .float64)
            let right = try Casting.cast(b, to: .float64)
            return try apply(op, left, right, to: result)
        }
        guard a.type == b.type, a.type == result else {
            throw KernelError(.unsupported, "\(a.type) \(op.symbol) \(b.type) to \(result)")
        }
        let (left, right) = (Operand(a), Operand(b))
        switch result {
        case .int32: return try integers(op, left, right, result, Int32.self)
        case .int64: return try integers(op, left, right, result, Int64.self)
        case .float32: return try floats(op, left, right, result, Float.self)
        case .float64: return try floats(op, left, right, result, Double.self)
        default: throw KernelError(.unsupported, "no arithmetic on \(result)")
        }
    }

    // MARK: Integers

    private static func integers<T: FixedWidthInteger & SignedInteger & BitwiseCopyable>(
        _ op: ArithmeticOperator,
        _ a: Operand,
        _ b: Operand,
        _ type: DataType,
        _: T.Type
    ) throws(KernelError) -> Column {
        let count = a.count
        let buffer = Buffer(byteCount: count * MemoryLayout<T>.stride)
        let target = buffer.mutable(as: T.self)
        let (x, y) = (a.pointer(T.self), b.pointer(T.self))
        // Negative, or not zero, when some row went wrong.
        var sticky: T = 0
        switch op {
        case .add:
            zipRows(x, a.isConstant, y, b.isConstant, count) { row, left, right in
                let sum = left &+ right
                target[row] = sum
                sticky |= (left ^ sum) & (right ^ sum)
            }
            if sticky >= 0 { sticky = 0 }
        case .subtract:
            zipRows(x, a.isConstant, y, b.isConstant, count) { row, left, right in
                let difference = left &- right
                target[row] = difference
                sticky |= (left ^ right) & (left ^ difference)
            }
            if sticky >= 0 { sticky = 0 }
        case .multiply:
            if T.bitWidth == 32 {
                var wide: Int64 = 0
                zipRows(x, a.isConstant, y, b.isConstant, count) { row, left, right in
                    let product =
                        Int64(truncatingIfNeeded: left) &* Int64(truncatingIfNeeded: right)
                    let short = Int32(truncatingIfNeeded: product)
                    target[row] = T(truncatingIfNeeded: short)
                    wide |= product ^ Int64(short)
                }
                sticky = wide == 0 ? 0 : -1
            } else {
                zipRows(x, a.isConstant, y, b.isConstant, count) { row, left, right in
                    let (product, overflow) = left.multipliedReportingOverflow(by: right)
                    target[row] = product
                    sticky |= overflow ? 1 : 0
                }
            }
        case .integerDivide, .modulo:
            let wantsQuotient = op == .integerDivide
            if b.isConstant, y[0] != 0, y[0] != -1 {
                let divisor = y[0]
                for row in 0..<count {
                    target[row] = wantsQuotient ? x[row] / divisor : x[row] % divisor
                }
            } else {
                zipRows(x, a.isConstant, y, b.isConstant, count) { row, left, right in
                    // 0 and -1 have answers of their own; they must not reach the divider.
                    let divisor: T = right == 0 || right == -1 ? 1 : right
                    if wantsQuotient {
                        target[row] = right == -1 ? 0 &- left : left / divisor
                        sticky |= right == 0 || (right == -1 && left == .min) ? 1 : 0
                    } else {
                        target[row] = left % divisor
                        sticky |= right == 0 ? 1 : 0
                    }
                }
            }
        case .divide:
            throw KernelError(.unsupported, "/ on \(type) gives DOUBLE")
        }
        let validity = Bitmap.and(a.validity, b.validity)
        if sticky != 0 {
            try forEachValid(validity, count) { (row) throws(KernelError) in
                try explain(op, x[row & a.mask], y[row & b.mask], type)
            }
        }
        return withExtendedLifetime((a, b)) {
            Column(type, count: count, validity: validity, buffer: buffer)
        }
    }

    /// Throws if the operation on these two fails.
    private static func explain<T: FixedWidthInteger & SignedInteger>(
        _ op: ArithmeticOperator,
        _ left: T,
        _ right: T,
        _ type: DataType
    ) throws(KernelError) {
        let overflow: Bool
        switch op {
        case .add: overflow = left.addingReportingOverflow(right).overflow
        case .subtract: overflow = left.subtractingReportingOverflow(right).overflow
        case .multiply: overflow = left.multipliedReportingOverflow(by: right).overflow
        case .divide, .integerDivide, .modulo:
            if right == 0 {
                throw KernelError(
                    .divisionByZero,
                    "division by zero: \(left) \(op.symbol) 0"
                )
            }
            overflow = op != .modulo && left == .min && right == -1
        }
        if overflow {
            throw KernelError(.overflow, "\(left) \(op.symbol) \(right) does not fit \(type)")
        }
    }

    // MARK: Floating point

    private static func floats<T: BinaryFloatingPoint & BitwiseCopyable>(
        _ op: ArithmeticOperator,
        _ a: Operand,
        _ b: Operand,
        _ type: DataType,
        _: T.Type
    ) throws(KernelError) -> Column {
        let count = a.count
        let buffer = Buffer(byteCount: count * MemoryLayout<T>.stride)
        let target = buffer.mutable(as: T.self)
        let (x, y) = (a.pointer(T.self), b.pointer(T.self))
        let validity = Bitmap.and(a.validity, b.validity)
        var zeros: UInt8 = 0
        switch op {
        case .add:
            zipRows(x, a.isConstant, y, b.isConstant, count) { target[$0] = $1 + $2 }
        case .subtract:
            zipRows(x, a.isConstant, y, b.isConstant, count) { target[$0] = $1 - $2 }
        case .multiply:
            zipRows(x, a.isConstant, y, b.isConstant, count) { target[$0] = $1 * $2 }
        case .divide:
            zipRows(x, a.isConstant, y, b.isConstant, count) {
                target[$0] = $1 / $2
                zeros |= $2 == 0 ? 1 : 0
            }
        case .modulo:
            zipRows(x, a.isConstant, y, b.isConstant, count) {
                target[$0] = $1.truncatingRemainder(dividingBy: $2)
                zeros |= $2 == 0 ? 1 : 0
            }
        case .integerDivide:
            zipRows(x, a.isConstant, y, b.isConstant, count) {
                target[$0] = ($1 / $2).rounded(.towardZero)
                zeros |= $2 == 0 ? 1 : 0
            }
        }
        if zeros != 0 {
            try forEachValid(validity, count) { (row) throws(KernelError) in
                guard y[row & b.mask] == 0 else { return }
                throw KernelError(
                    .divisionByZero,
                    "division by zero: \(x[row & a.mask]) \(op.symbol) 0"
                )
            }
        }
        return withExtendedLifetime((a, b)) {
            Column(type, count: count, validity: validity, buffer: buffer)
        }
    }

    // MARK: One operand

    /// `-x`, of the column's type.
    package static func negate(_ column: Column) throws(KernelError) -> Column {
        try unary(column, "-", integer: { 0 &- $0 }, float: { -$0 })
    }

    /// The distance from zero, of the column's type.
    package static func absolute(_ column: Column) throws(KernelError) -> Column {
        try unary(column, "abs", integer: { $0 < 0 ? 0 &- $0 : $0 }, float: { $0.magnitude })
    }

    /// -1, 0 or 1 as int32; NaN gives 0.
    package static func sign(_ column: Column) throws(KernelError) -> Column {
        try column.mapped(to: .int32) { column throws(KernelError) -> Column in
            let count = column.count
            let buffer = Buffer(byteCount: count * 4)
            let target = buffer.mutable(as: Int32.self)
            let operand = Operand(column)
            func fill<T: SignedNumeric & Comparable & BitwiseCopyable>(_: T.Type) {
                let source = operand.pointer(T.self)
                for row in 0..<count {
                    target[row] = (source[row] > 0 ? 1 : 0) - (source[row] < 0 ? 1 : 0)
                }
            }
            switch (column.type.isNumeric, column.type.physical) {
            case (true, .int32): fill(Int32.self)
            case (true, .int64): fill(Int64.self)
            case (true, .int128): fill(Int128.self)
            case (true, .float32): fill(Float.self)
            case (true, .float64): fill(Double.self)
            default: throw KernelError(.unsupported, "sign of \(column.type)")
            }
            return withExtendedLifetime(operand) {
                Column(.int32, count: count, validity: column.validity, buffer: buffer)
            }
        }
    }

    /// The closures see each lane type by way of Int128 and Double; -min is caught here.
    @inline(__always)
    private static func unary(
        _ column: Column,
        _ name: String,
        integer: (Int128) -> Int128,
        float: (Double) -> Double
    ) throws(KernelError) -> Column {
        try column.mapped(to: column.type) { column throws(KernelError) -> Column in
            let count = column.count
            let type = column.type
            let width = type.physical.byteWidth
            let buffer = Buffer(byteCount: count * width)
            let operand = Operand(column)
            guard type.isNumeric else {
                throw KernelError(.unsupported, "\(name) of \(type)")
            }
            switch type.physical {
            case .int32:
                try unaryIntegers(operand, buffer, type, Int32.self, integer)
            case .int64:
                try unaryIntegers(operand, buffer, type, Int64.self, integer)
            case .int128:
                try unaryIntegers(operand, buffer, type, Int128.self, integer)
            case .float32:
                let (x, target) = (operand.pointer(Float.self), buffer.mutable(as: Float.self))
                for row in 0..<count { target[row] = Float(float(Double(x[row]))) }
            default:
                let (x, target) = (operand.pointer(Double.self), buffer.mutable(as: Double.self))
                for row in 0..<count { target[row] = float(x[row]) }
            }
            return withExtendedLifetime(operand) {
                Column(type, count: count, validity: column.validity, buffer: buffer)
            }
        }
    }

    @inline(__always)
    private static func unaryIntegers<T: FixedWidthInteger & SignedInteger & BitwiseCopyable>(
        _ operand: Operand,
        _ buffer: Buffer,
        _ type: DataType,
        _: T.Type,
        _ integer: (Int128) -> Int128
    ) throws(KernelError) {
        let (x, target) = (operand.pointer(T.self), buffer.mutable(as: T.self))
        var least: T = 0
        for row in 0..<operand.count {
            target[row] = T(truncatingIfNeeded: integer(Int128(truncatingIfNeeded: x[row])))
            least = min(least, x[row])
        }
        guard least == .min else { return }
        try forEachValid(operand.validity, operand.count) { (row) throws(KernelError) in
            if x[row] == .min {
                throw KernelError(.overflow, "-(\(x[row])) does not fit \(type)")
            }
        }
    }
}
