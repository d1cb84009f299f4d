package import Columnar

/// Which types meet in which, without being asked to.
package enum CoercionRules {
    /// The decimal that holds every value of an exact numeric type; nil for others.
    static func decimalDigits(_ type: DataType) -> (precision: Int, scale: Int)? {
        switch type {
        case .int32: (10, 0)
        case .int64: (19, 0)
        case .decimal(let precision, let scale): (precision, scale)
        default: nil
        }
    }

    /// The least type that both become when they meet; nil when they do not.
    package static func common(_ a: DataType, _ b: DataType) -> DataType? {
        if a == b { return a }
        switch (a, b) {
        case (.null, let other), (let other, .null): return other
        case (.int32, .int64), (.int64, .int32): return .int64
        case (.float32, .float64), (.float64, .float32): return .float64
        case (.float32, .int32), (.int32, .float32), (.float32, .int64), (.int64, .float32):
            return .float32
        case (.date, .timestamp), (.timestamp, .date): return .timestamp
        case (.date, .timestamptz), (.timestamptz, .date): return .timestamptz
        case (.timestamp, .timestamptz), (.timestamptz, .timestamp): return .timestamptz
        case (.binary, .fixed), (.fixed, .binary), (.fixed, .fixed): return .binary
        case (.list(let x), .list(let y)):
            return common(x.type, y.type).map { .list(Field("element", $0)) }
        case (.structure(let x), .structure(let y)):
            guard x.count == y.count else { return nil }
            var fields: [Field] = []
            for (one, other) in zip(x, y) {
                guard one.name == other.name, let type = common(one.type, other.type) else {
                    return nil
                }
                fields.append(Field(one.name, type))
            }
            return .structure(fields)
        case (.map(let k1, let v1), .map(let k2, let v2)):
            guard let key = common(k1.type, k2.type), let value = common(v1.type, v2.type) else {
                return nil
            }
            return .map(key: Field("key", key, isNullable: false), value: Field("value", value))
        default: break
        }
        if a.isFloating && b.isNumeric || b.isFloating && a.isNumeric { return .float64 }
        if let x = decimalDigits(a), let y = decimalDigits(b) {
            let scale = max(x.scale, y.scale)
            let whole = max(x.precision - x.scale, y.precision - y.scale)
            return .decimal(precision: min(38, whole + scale), scale: min(scale, 38))
        }
        return nil
    }

    /// Whether every value of `from` has exactly one value in `to` and the cast cannot fail.
    package static func isLossless(from: DataType, to: DataType) -> Bool {
        if from == to || from == .null { return true }
        switch (from, to) {
        case (.int32, .int64), (.int32, .float64), (.float32, .float64), (_, .string): return true
        case (.fixed, .binary): return true
        case (.list(let x), .list(let y)): return isLossless(from: x.type, to: y.type)
        case (.structure(let x), .structure(let y)):
            return x.count == y.count
                && zip(x, y).allSatisfy {
                    $0.name == $1.name && isLossless(from: $0.type, to: $1.type)
                }
        case (.map(let k, let v), .map(let l, let w)):
            return k.type == l.type && isLossless(from: v.type, to: w.type)
        default: break
        }
        if let x = decimalDigits(from), case .decimal(let precision, let scale) = to {
            return scale >= x.scale && precision - scale >= x.precision - x.scale
        }
        return false
    }

    /// The type of arithmetic on two exact numbers that are both integers or decimals.
    static func exactResult(
        _ op: ArithmeticOperator,
        _ a: DataType,
        _ b: DataType
    ) -> DataType? {
        if a.isInteger && b.isInteger {
            return a == .int64 || b == .int64 ? .int64 : .int32
        }
        guard let x = decimalDigits(a), let y = decimalDigits(b) else { return nil }
        switch op {
        case .add, .subtract:
            let scale = max(x.scale, y.scale)
            let whole = max(x.precision - x.scale, y.precision - y.scale)
            return .decimal(precision: min(38, whole + scale + 1), scale: scale)
        case .multiply:
            let scale = x.scale + y.scale
            guard scale <= 38 else { return nil }
            return .decimal(precision: min(38, x.precision + y.precision), scale: scale)
        case .modulo:
            let scale = max(x.scale, y.scale)
            let whole = max(x.precision - x.scale, y.precision - y.scale)
            return .decimal(precision: min(38, whole + scale), scale: scale)
        case .divide, .integerDivide:
            return nil
        }
    }
}
