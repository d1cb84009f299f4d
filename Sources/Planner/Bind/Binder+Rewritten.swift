import Columnar
import SQL

/// Functions that are other expressions under a name of their own.
extension Binder {
    /// What a call means where it is short for something else; nil where it is not.
    mutating func bindRewritten(
        _ name: String,
        _ arguments: [BoundExpression],
        at span: SourceSpan
    ) throws -> BoundExpression? {
        func binary(_ op: BinaryOperator) throws -> BoundExpression? {
            guard arguments.count == 2 else { return nil }
            return try bindBinary(op, arguments[0], arguments[1], at: span)
        }
        switch (name, arguments.count) {
        case ("mod", 2), ("fmod", 2): return try binary(.modulo)
        case ("add", 2): return try binary(.add)
        case ("subtract", 2): return try binary(.subtract)
        case ("multiply", 2): return try binary(.multiply)
        case ("divide", 2): return try binary(.integerDivide)
        case ("if", 3), ("iif", 3):
            var type = try unified(.null, arguments[1], at: span)
            type = try unified(type, arguments[2], at: span)
            guard arguments[0].type == .boolean || arguments[0].type == .null else { return nil }
            return .conditional(
                [
                    BoundExpression.Branch(
                        condition: try coerce(arguments[0], to: .boolean, at: span),
                        value: try coerce(arguments[1], to: type, at: span)
                    )
                ],
                otherwise: try coerce(arguments[2], to: type, at: span),
                type
            )
        case ("log", 2):
            // The logarithm of the second to the base of the first.
            return try bindBinary(
                .divide,
                .call(.log10, [try coerce(arguments[1], to: .float64, at: span)], .float64),
                .call(.log10, [try coerce(arguments[0], to: .float64, at: span)], .float64),
                at: span
            )
        case ("cot", 1):
            return try bindBinary(
                .divide,
                .constant(.float64(1), .float64),
                .call(.tan, [try coerce(arguments[0], to: .float64, at: span)], .float64),
                at: span
            )
        case ("typeof", 1):
            return .constant(.string(arguments[0].type.description), .string)
        default: return nil
        }
    }
}
