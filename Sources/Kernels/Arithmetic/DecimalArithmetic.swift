import Columnar

/// Exact arithmetic on decimals, in 64 bits where result and sides fit, else in 128.
enum DecimalArithmetic {
    static func apply(
        _ op: ArithmeticOperator,
        _ a: Column,
        _ b: Column,
        precision: Int,
        scale: Int
    ) throws(KernelError) -> Column {
        guard let (_, s1) = DecimalRules.digits(a.type), let (_, s2) = DecimalRules.digits(b.type)
        else { throw KernelError(.unsupported, "no decimal arithmetic on \(a.type), \(b.type)") }
        let result = DataType.decimal(precision: precision, scale: scale)
        let fits: Bool
        switch op {
        case .add, .subtract, .modulo: fits = scale >= max(s1, s2)
        case .multiply: fits = scale == s1 + s2
        case .divide, .integerDivide: fits = false
        }
        guard fits, precision <= 38 else {
            throw KernelError(.unsupported, "\(a.type) \(op.symbol) \(b.type) to \(result)")
        }
        let (left, right) = (Operand(widenedTo64(a)), Operand(widenedTo64(b)))
        let isNarrow =
            left.column.type.physical == .int64 && right.column.type.physical == .int64
        if isNarrow, op == .multiply, precision > 18 {
            return products(left, right, result)
        }
        var plan = Plan(
            op: op,
            leftFactor: op == .multiply ? 1 : PowersOfTen.of(scale - s1),
            rightFactor: op == .multiply ? 1 : PowersOfTen.of(scale - s2),
            limit: PowersOfTen.of(precision),
            result: result
        )
        plan.names = (a.type, b.type)
        if isNarrow && result.physical == .int64 {
            if let column = narrow(plan, left, right) { return column }
        }
        return try wide(plan, left, right, scales: (s1, s2))
    }

    private struct Plan {
        let op: ArithmeticOperator
        let leftFactor: Int128
        let rightFactor: Int128
        /// Results must be smaller than this, by magnitude.
        let limit: Int128
        let result: DataType
        var names: (DataType, DataType) = (.null, .null)
    }

    /// int32 as int64, so that there are two widths only.
    private static func widenedTo64(_ column: Column) -> Column {
        guard column.type == .int32 else { return column }
        let operand = Operand(column)
        let source = operand.pointer(Int32.self)
        let count = operand.column.count
        let buffer = Buffer(byteCount: count * 8)
        let target = buffer.mutable(as: Int64.self)
        for row in 0..<count { target[row] = Int64(source[row]) }
        let wide = Column(
            .int64,
            count: count,
            validity: operand.column.validity,
            buffer: buffer
        )
        return withExtendedLifetime(operand) {
            guard operand.isConstant else { return wide }
            return Column(
                type: .int64,
                count: column.count,
                validity: nil,
                storage: .constant(ColumnBox(wide))
            )
        }
    }

    /// 64-bit sides to a 128-bit product, which always fits.
    private static func products(_ a: Operand, _ b: Operand, _ result: DataType) -> Column {
        let count = a.count
        let buffer = Buffer(byteCount: count * 16)
        let target = buffer.mutable(as: Int128.self)
        zipRows(
            a.pointer(Int64.self),
            a.isConstant,
            b.pointer(Int64.self),
            b.isConstant,
            count
        ) { row, left, right in
            let (high, low) = left.multipliedFullWidth(by: right)
            target[row] = Int128(truncatingIfNeeded: high) &<< 64 | Int128(low)
        }
        return withExtendedLifetime((a, b)) {
            Column(
                result,
                count: count,
                validity: Bitmap.and(a.validity, b.validity),
                buffer: buffer
            )
        }
    }

    /// Everything in 64 bits; nil when some row (null or not) did not fit, so that the wide road
    /// decides.
    private static func narrow(_ plan: Plan, _ a: Operand, _ b: Operand) -> Column? {
        let count = a.count
        let buffer = Buffer(byteCount: count * 8)
        let target = buffer.mutable(as: Int64.self)
        let (x, y) = (a.pointer(Int64.self), b.pointer(Int64.self))
        let limit = Int64(plan.limit)
        let (f, g) = (Int64(plan.leftFactor), Int64(plan.rightFactor))
        var bad = false
        switch plan.op {
        case .add where f == 1 && g == 1, .subtract where f == 1 && g == 1:
            var sticky: Int64 = 0
            let isAdd = plan.op == .add
            zipRows(x, a.isConstant, y, b.isConstant, count) { row, left, right in
                let value = isAdd ? left &+ right : left &- right
                target[row] = value
                let other = isAdd ? right : ~right
                sticky |= (left ^ value) & (other ^ value)
                // Negative when the magnitude reaches the limit.
                sticky |= (limit &- 1 &- value) | (limit &- 1 &+ value)
            }
            bad = sticky < 0
        case .add, .subtract:
            let isAdd = plan.op == .add
            zipRows(x, a.isConstant, y, b.isConstant, count) { row, left, right in
                let (p, overflowP) = left.multipliedReportingOverflow(by: f)
                let (q, overflowQ) = right.multipliedReportingOverflow(by: g)
                let (value, overflow) =
                    isAdd ? p.addingReportingOverflow(q) : p.subtractingReportingOverflow(q)
                target[row] = value
                let isOut = value >= limit || value <= 0 &- limit
                bad = bad || overflowP || overflowQ || overflow || isOut
            }
        case .multiply:
            zipRows(x, a.isConstant, y, b.isConstant, count) { row, left, right in
                let (value, overflow) = left.multipliedReportingOverflow(by: right)
                target[row] = value
                bad = bad || overflow || value >= limit || value <= 0 &- limit
            }
        default:
            return nil
        }
        if bad { return nil }
        return withExtendedLifetime((a, b)) {
            Column(
                plan.result,
                count: count,
                validity: Bitmap.and(a.validity, b.validity),
                buffer: buffer
            )
        }
    }

    private static func wide(
        _ plan: Plan,
        _ left: Operand,
        _ right: Operand,
        scales: (Int, Int)
    ) throws(KernelError) -> Column {
        let count = left.count
        let (first, second) = (WideValues(left), WideValues(right))
        let (x, y) = (first.pointer, second.pointer)
        let validity = Bitmap.and(left.validity, right.validity)
        let isNarrowResult = plan.result.physical == .int64
        let buffer = Buffer(zeroedByteCount: count * (isNarrowResult ? 8 : 16))
        let narrowTarget = buffer.mutable(as: Int64.self)
        let wideTarget = buffer.mutable(as: Int128.self)
        let (leftMask, rightMask) = (left.mask, right.mask)
        try forEachValid(validity, count) { (row) throws(KernelError) in
            let (p, q) = (x[row & leftMask], y[row & rightMask])
            guard let value = compute(plan, p, q) else {
                let sides =
                    decimalText(p, scale: scales.0) + " \(plan.op.symbol) "
                    + decimalText(q, scale: scales.1)
                if plan.op == .modulo && q == 0 {
                    throw KernelError(.divisionByZero, "division by zero: \(sides)")
                }
                throw KernelError(.overflow, "\(sides) does not fit \(plan.result)")
            }
            if isNarrowResult {
                narrowTarget[row] = Int64(truncatingIfNeeded: value)
            } else {
                wideTarget[row] = value
            }
        }
        return withExtendedLifetime((first, second)) {
            Column(plan.result, count: count, validity: validity, buffer: buffer)
        }
    }

    @inline(__always)
    private static func compute(_ plan: Plan, _ a: Int128, _ b: Int128) -> Int128? {
        let value: Int128
        if plan.op == .multiply {
            guard let product = product(a, b) else { return nil }
            value = product
        } else {
            var (p, q) = (a, b)
            if plan.leftFactor != 1 {
                guard let scaled = product(p, plan.leftFactor) else { return nil }
                p = scaled
            }
            if plan.rightFactor != 1 {
                guard let scaled = product(q, plan.rightFactor) else { return nil }
                q = scaled
            }
            switch plan.op {
            case .modulo:
                if q == 0 { return nil }
                value = q == -1 ? 0 : p % q
            default:
                let (sum, overflow) =
                    plan.op == .add
                    ? p.addingReportingOverflow(q) : p.subtractingReportingOverflow(q)
                if overflow { return nil }
                value = sum
            }
        }
        return value < plan.limit && value > -plan.limit ? value : nil
    }

    /// The product, or nil if it passes 128 bits; fast when both fit 64.
    @inline(__always)
    static func product(_ a: Int128, _ b: Int128) -> Int128? {
        let (x, y) = (Int64(truncatingIfNeeded: a), Int64(truncatingIfNeeded: b))
        if Int128(x) == a && Int128(y) == b {
            let (high, low) = x.multipliedFullWidth(by: y)
            return Int128(truncatingIfNeeded: high) &<< 64 | Int128(low)
        }
        let (product, overflow) = a.multipliedReportingOverflow(by: b)
        return overflow ? nil : product
    }
}

/// An operand of 64 or 128-bit integers as 128-bit ones.
struct WideValues {
    private let keeper: Operand
    private let buffer: Buffer?
    let pointer: UnsafePointer<Int128>

    init(_ operand: Operand) {
        keeper = operand
        if operand.column.type.physical == .int128 {
            buffer = nil
            pointer = operand.pointer(Int128.self)
            return
        }
        let count = operand.column.count
        let copy = Buffer(byteCount: count * 16)
        let target = copy.mutable(as: Int128.self)
        if operand.column.type.physical == .int32 {
            let source = operand.pointer(Int32.self)
            for row in 0..<count { target[row] = Int128(source[row]) }
        } else {
            let source = operand.pointer(Int64.self)
            for row in 0..<count { target[row] = Int128(source[row]) }
        }
        buffer = copy
        pointer = UnsafePointer(target)
    }
}
