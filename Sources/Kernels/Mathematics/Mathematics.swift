package import Columnar
import Glibc

/// Functions of one double.
package enum MathFunction: Sendable, Hashable, CaseIterable {
    case squareRoot, cubeRoot, exponential, logarithm, logarithm10, logarithm2
    case sine, cosine, tangent, cotangent, arcSine, arcCosine, arcTangent
    case hyperbolicSine, hyperbolicCosine, hyperbolicTangent
    case degrees, radians

    /// Whether a number is one the function is defined for.
    @inline(__always)
    func isDefined(_ value: Double) -> Bool {
        switch self {
        case .squareRoot: !(value < 0)
        case .logarithm, .logarithm10, .logarithm2: !(value <= 0)
        case .arcSine, .arcCosine: !(value < -1 || value > 1)
        case .sine, .cosine, .tangent: !value.isInfinite
        case .cotangent: value != 0 && !value.isInfinite
        default: true
        }
    }

    func apply(_ value: Double) -> Double {
        switch self {
        case .squareRoot: value.squareRoot()
        case .cubeRoot: cbrt(value)
        case .exponential: exp(value)
        case .logarithm: log(value)
        case .logarithm10: log10(value)
        case .logarithm2: log2(value)
        case .sine: sin(value)
        case .cosine: cos(value)
        case .tangent: tan(value)
        case .cotangent: 1 / tan(value)
        case .arcSine: asin(value)
        case .arcCosine: acos(value)
        case .arcTangent: atan(value)
        case .hyperbolicSine: sinh(value)
        case .hyperbolicCosine: cosh(value)
        case .hyperbolicTangent: tanh(value)
        case .degrees: value * (180 / .pi)
        case .radians: value * (.pi / 180)
        }
    }
}

/// How digits are dropped.
package enum RoundingMode: Sendable, Hashable, CaseIterable {
    /// Half away from zero: `round`.
    case nearest
    case floor
    case ceiling
    /// Toward zero: `trunc`.
    case truncate
}

/// Mathematical functions.
package enum Mathematics {
    /// A function of any numbers, as DOUBLE; `outOfRange` where it is not defined.
    package static func apply(
        _ function: MathFunction,
        _ column: Column
    ) throws(KernelError) -> Column {
        let wide = try Casting.cast(column, to: .float64)
        return try wide.mapped(to: .float64) { wide throws(KernelError) -> Column in
            let source = Operand(wide).pointer(Double.self)
            let buffer = Buffer(zeroedByteCount: wide.count * 8)
            let target = buffer.mutable(as: Double.self)
            if function == .squareRoot, wide.validity == nil {
                // The most frequent one vectorises; NaN shows what must be looked at.
                var least = 0.0
                for row in 0..<wide.count {
                    target[row] = source[row].squareRoot()
                    least = source[row] < least ? source[row] : least
                }
                if least == 0 {
                    return withExtendedLifetime(wide) {
                        Column(.float64, count: wide.count, buffer: buffer)
                    }
                }
            }
            try forEachValid(wide.validity, wide.count) { (row) throws(KernelError) in
                guard function.isDefined(source[row]) else {
                    throw KernelError(
                        .outOfRange,
                        "\(function) is not defined for \(source[row])"
                    )
                }
                target[row] = function.apply(source[row])
            }
            return withExtendedLifetime(wide) {
                Column(.float64, count: wide.count, validity: wide.validity, buffer: buffer)
            }
        }
    }

    /// `base` to the power of `exponent`, as DOUBLE.
    package static func power(_ base: Column, _ exponent: Column) throws(KernelError) -> Column {
        try binary(base, exponent) { (x, y) throws(KernelError) in
            if x < 0, y.rounded() != y, !y.isInfinite {
                throw KernelError(.outOfRange, "\(x) has no power \(y)")
            }
            if x == 0, y < 0 { throw KernelError(.divisionByZero, "0 to the power of \(y)") }
            return pow(x, y)
        }
    }

    /// The logarithm of `column` to `base`, as DOUBLE.
    package static func logarithm(
        _ column: Column,
        base: Column
    ) throws(KernelError) -> Column {
        try binary(column, base) { (x, base) throws(KernelError) in
            if x <= 0 || base <= 0 || base == 1 {
                throw KernelError(.outOfRange, "there is no logarithm of \(x) to base \(base)")
            }
            return log(x) / log(base)
        }
    }

    /// The angle of the point (`x`, `y`), as DOUBLE.
    package static func arcTangent2(_ y: Column, _ x: Column) throws(KernelError) -> Column {
        try binary(y, x) { atan2($0, $1) }
    }

    @inline(__always)
    private static func binary(
        _ a: Column,
        _ b: Column,
        _ body: (Double, Double) throws(KernelError) -> Double
    ) throws(KernelError) -> Column {
        let columns = [
            try Casting.cast(a, to: .float64), try Casting.cast(b, to: .float64),
        ]
        return try Rowwise.apply(columns, to: .float64) {
            (operands, count, validity) throws(KernelError) -> Column in
            let arguments = try Arguments(operands, "dd")
            let buffer = Buffer(zeroedByteCount: count * 8)
            let target = buffer.mutable(as: Double.self)
            try forEachValid(validity, count) { (row) throws(KernelError) in
                target[row] = try body(arguments.double(0, row), arguments.double(1, row))
            }
            return withExtendedLifetime(operands) {
                Column(.float64, count: count, validity: validity, buffer: buffer)
            }
        }
    }

    // MARK: Rounding

    /// The type of `round(column, digits)` and its like: integers and floats stay, decimals keep at
    /// most `digits` behind the point (and get a digit more in front, for 9.9 becomes 10).
    package static func roundedType(_ type: DataType, digits: Int) -> DataType {
        guard case .decimal(let precision, let scale) = type, digits < scale else { return type }
        let kept = max(0, digits)
        return .decimal(precision: min(38, precision - scale + kept + 1), scale: kept)
    }

    /// The number with at most `digits` digits behind the point; before the point when negative.
    package static func round(
        _ column: Column,
        digits: Int = 0,
        mode: RoundingMode = .nearest
    ) throws(KernelError) -> Column {
        // Beyond these nothing changes any more.
        let digits = max(-400, min(400, digits))
        let type = roundedType(column.type, digits: digits)
        guard column.type.isNumeric || column.isAllNull else {
            throw KernelError(.unsupported, "cannot round \(column.type)")
        }
        return try column.mapped(to: type) { column throws(KernelError) -> Column in
            let context = Casting.Context(type: type, isTry: false, offsetSeconds: 0)
            switch column.type {
            case .float64 where digits == 0: return wholeNumbers(column, mode)
            case .float64:
                return Casting.convertAll(column, type, Double.self) { rounded($0, digits, mode) }
            case .float32:
                return Casting.convertAll(column, type, Float.self) {
                    Float(rounded(Double($0), digits, mode))
                }
            default:
                guard let (_, scale) = DecimalRules.digits(column.type), digits < scale else {
                    return column
                }
                return try roundExact(column, context, digits, mode, scale)
            }
        }
    }

    /// Doubles without digits behind the point; a loop a mode, for each is few instructions.
    private static func wholeNumbers(_ column: Column, _ mode: RoundingMode) -> Column {
        switch mode {
        case .nearest:
            Casting.convertAll(column, .float64, Double.self) {
                $0.rounded(.toNearestOrAwayFromZero)
            }
        case .floor: Casting.convertAll(column, .float64, Double.self) { $0.rounded(.down) }
        case .ceiling: Casting.convertAll(column, .float64, Double.self) { $0.rounded(.up) }
        case .truncate:
            Casting.convertAll(column, .float64, Double.self) { $0.rounded(.towardZero) }
        }
    }

    private static func rounded(_ value: Double, _ digits: Int, _ mode: RoundingMode) -> Double {
        let rule: FloatingPointRoundingRule =
            switch mode {
            case .nearest: .toNearestOrAwayFromZero
            case .floor: .down
            case .ceiling: .up
            case .truncate: .towardZero
            }
        if digits == 0 || !value.isFinite { return value.rounded(rule) }
        let factor = pow(10, Double(abs(digits)))
        let result =
            digits > 0
            ? (value * factor).rounded(rule) / factor
            : (value / factor).rounded(rule) * factor
        // Too many digits for a double: nothing to round.
        return result.isFinite ? result : (digits > 0 ? value : 0)
    }

    private static func roundExact(
        _ column: Column,
        _ context: Casting.Context,
        _ digits: Int,
        _ mode: RoundingMode,
        _ scale: Int
    ) throws(KernelError) -> Column {
        guard scale - digits <= 38 else {
            let zeros = Column.zeros(context.type, count: column.count, isNull: false)
            return column.validity.map { Choice.masked(zeros, valid: $0) } ?? zeros
        }
        let factor = PowersOfTen.of(scale - digits)
        let back = PowersOfTen.of(max(0, -digits))
        let limit: Int128 =
            switch context.type {
            case .int32: Int128(Int32.max) + 1
            case .int64: Int128(Int64.max) + 1
            case .decimal(let precision, _): PowersOfTen.of(precision)
            default: 0
            }
        func exact(_ value: Int128) -> Int128? {
            let (quotient, rest) = value.quotientAndRemainder(dividingBy: factor)
            var result = quotient
            switch mode {
            case .nearest:
                if rest.magnitude >= (factor.magnitude + 1) / 2 { result += value < 0 ? -1 : 1 }
            case .floor: if rest < 0 { result -= 1 }
            case .ceiling: if rest > 0 { result += 1 }
            case .truncate: break
            }
            guard let scaled = DecimalArithmetic.product(result, back) else { return nil }
            return scaled < limit && scaled > -limit ? scaled : nil
        }
        switch (column.type.physical, context.type.physical) {
        case (.int32, _):
            return try Casting.convert(column, context, Int32.self, .overflow) { value -> Int32? in
                exact(Int128(value)).map { Int32(truncatingIfNeeded: $0) }
            }
        case (.int64, .int64):
            return try Casting.convert(column, context, Int64.self, .overflow) { value -> Int64? in
                exact(Int128(value)).map { Int64(truncatingIfNeeded: $0) }
            }
        case (.int64, _):
            return try Casting.convert(column, context, Int64.self, .overflow) {
                exact(Int128($0))
            }
        case (_, .int64):
            return try Casting.convert(column, context, Int128.self, .overflow) { value -> Int64? in
                exact(value).map { Int64(truncatingIfNeeded: $0) }
            }
        default:
            return try Casting.convert(column, context, Int128.self, .overflow) { exact($0) }
        }
    }

    // MARK: Extremes

    /// The greatest of the columns' values in each row; nulls are left out.
    package static func greatest(_ columns: [Column]) throws(KernelError) -> Column {
        try extreme(columns, .greater)
    }

    /// The least of the columns' values in each row; nulls are left out.
    package static func least(_ columns: [Column]) throws(KernelError) -> Column {
        try extreme(columns, .less)
    }

    private static func extreme(
        _ columns: [Column],
        _ op: ComparisonOperator
    ) throws(KernelError) -> Column {
        guard var best = columns.first else {
            throw KernelError(.unsupported, "greatest and least want arguments")
        }
        for column in columns.dropFirst() {
            let isBetter = Logic.or(
                try Comparison.compare(op, column, best),
                Logic.and(NullTests.isNull(best), NullTests.isNotNull(column))
            )
            best = Choice.select(isBetter, column, best)
        }
        return best
    }
}
