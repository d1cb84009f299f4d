package import Columnar

/// The arithmetic operators of SQL.
package enum ArithmeticOperator: Sendable, Hashable, CaseIterable {
    case add, subtract, multiply
    /// `/`: gives DOUBLE for integers and decimals too.
    case divide
    /// `//`: integers, rounding toward zero.
    case integerDivide
    /// `%`: the remainder has the sign of the left side.
    case modulo

    /// The operator as SQL writes it.
    package var symbol: String {
        switch self {
        case .add: "+"
        case .subtract: "-"
        case .multiply: "*"
        case .divide: "/"
        case .integerDivide: "//"
        case .modulo: "%"
        }
    }
}

/// What type arithmetic on decimals gives.
package enum DecimalRules {
    /// Most digits a decimal can have.
    package static let precisionMax = 38

    /// The type of `left op right`, where at least one side is a decimal and the other a decimal or
    /// an integer (which counts as a decimal of 10 or 19 digits).
    ///
    /// - add, subtract: scale `max(s1, s2)`, one digit more than the longer integer part needs;
    /// - multiply: precision `p1 + p2`, scale `s1 + s2`;
    /// - modulo: scale `max(s1, s2)`, the longer integer part;
    /// - divide: DOUBLE, as DuckDB does.
    ///
    /// Precision is cut to 38: values that need more are an overflow when they occur. A scale above
    /// 38 is refused.
    package static func result(
        of op: ArithmeticOperator,
        _ left: DataType,
        _ right: DataType
    ) throws(KernelError) -> DataType {
        guard let (p1, s1) = digits(left), let (p2, s2) = digits(right) else {
            throw KernelError(.unsupported, "no decimal arithmetic on \(left) and \(right)")
        }
        let scale = max(s1, s2)
        let whole = max(p1 - s1, p2 - s2)
        switch op {
        case .divide:
            return .float64
        case .add, .subtract:
            return .decimal(precision: min(precisionMax, whole + scale + 1), scale: scale)
        case .modulo:
            return .decimal(precision: min(precisionMax, whole + scale), scale: scale)
        case .multiply:
            guard s1 + s2 <= precisionMax else {
                throw KernelError(
                    .overflow,
                    "\(left) * \(right) has \(s1 + s2) digits behind the point, more than 38"
                )
            }
            return .decimal(precision: min(precisionMax, p1 + p2), scale: s1 + s2)
        case .integerDivide:
            throw KernelError(.unsupported, "// wants integers, not \(left) and \(right)")
        }
    }

    /// Precision and scale of a number type; nil for floating point and other types.
    package static func digits(_ type: DataType) -> (precision: Int, scale: Int)? {
        switch type {
        case .decimal(let precision, let scale): (precision, scale)
        case .int32: (10, 0)
        case .int64: (19, 0)
        default: nil
        }
    }
}

/// 10^0 to 10^38.
enum PowersOfTen {
    static let all: [Int128] = {
        var powers: [Int128] = [1]
        for _ in 0..<38 { powers.append(powers[powers.count - 1] * 10) }
        return powers
    }()

    /// 10 to a power between 0 and 38.
    static func of(_ exponent: Int) -> Int128 { all[exponent] }
}

/// A decimal's digits with the point at `scale`, for messages.
func decimalText(_ digits: Int128, scale: Int) -> String {
    var text = String(digits.magnitude)
    if scale > 0 {
        if text.utf8.count <= scale {
            text = String(repeating: "0", count: scale + 1 - text.utf8.count) + text
        }
        text.insert(".", at: text.index(text.endIndex, offsetBy: -scale))
    }
    return digits < 0 ? "-" + text : text
}
