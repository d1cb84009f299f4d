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

    /// The number as which a BOOLEAN is compared with another value, 0 or 1; nil for other types.
    static func number(beside a: DataType, _ b: DataType) -> DataType? {
        switch (a, b) {
        case (.boolean, .int32), (.boolean, .int64), (.boolean, .float64): b
        case (.int32, .boolean), (.int64, .boolean), (.float64, .boolean): a
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
            // Fields meet by their names, and each side is given those that it lacks; those of a struct
            // without names meet by their places.
            let isTuple = x.allSatisfy(\.name.isEmpty) || y.allSatisfy(\.name.isEmpty)
            guard !isTuple || x.count == y.count else { return nil }
            func isSame(_ a: Field, _ b: Field) -> Bool {
                a.name.lowercased() == b.name.lowercased()
            }
            var fields: [Field] = []
            for (place, one) in x.enumerated() {
                guard let partner = isTuple ? y[place] : y.first(where: { isSame($0, one) }) else {
                    fields.append(Field(one.name, one.type))
                    continue
                }
                guard let type = common(one.type, partner.type) else { return nil }
                fields.append(Field(one.name.isEmpty ? partner.name : one.name, type))
            }
            if !isTuple {
                for other in y where !x.contains(where: { isSame($0, other) }) {
                    fields.append(Field(other.name, other.type))
                }
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

    /// Whether a value of a type may be stored in a column of another without being cast in the statement.
    ///
    /// Of nested types the parts must fit; ids of fields and what may be null do not matter.
    static func fits(_ from: DataType, in to: DataType) -> Bool {
        switch (from, to) {
        case (.list(let x), .list(let y)): return fits(x.type, in: y.type)
        case (.map(let k, let v), .map(let l, let w)):
            return fits(k.type, in: l.type) && fits(v.type, in: w.type)
        case (.structure(let x), .structure(let y)):
            if x.allSatisfy(\.name.isEmpty) {
                return x.count == y.count && zip(x, y).allSatisfy { fits($0.type, in: $1.type) }
            }
            return x.allSatisfy { field in
                y.contains {
                    $0.name.lowercased() == field.name.lowercased()
                        && fits(field.type, in: $0.type)
                }
            }
        default:
            return from == to || from == .null || from.isNumeric && to.isNumeric
                || from.isTemporal && to.isTemporal && from != .time && to != .time
                || from == .string && !to.isNested || to == .string && !from.isNested
                || common(from, to) == to
        }
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
