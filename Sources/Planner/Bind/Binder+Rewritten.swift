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
        case ("mod", 2): return try binary(.modulo)
        case ("fmod", 2):
            // The rest of dividing toward the past: of the divisor's sign.
            let x = try coerce(arguments[0], to: .float64, at: span)
            let y = try coerce(arguments[1], to: .float64, at: span)
            let share = try bindBinary(.divide, x, y, at: span)
            let whole = BoundExpression.call(.floor, [share], .float64)
            let product = try bindBinary(.multiply, y, whole, at: span)
            return try bindBinary(.subtract, x, product, at: span)
        case ("fdiv", 2):
            let share = try binary(.divide)
            return try share.map { try call_(.floor, [$0], name, span) }
        case ("div", 2): return try binary(.integerDivide)
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
        case ("bit_length", 1):
            return try bindBinary(
                .multiply,
                try call_(.octetLength, arguments, name, span),
                .constant(.int64(8), .int64),
                at: span
            )
        case ("to_years", 1), ("to_months", 1), ("to_weeks", 1), ("to_days", 1), ("to_hours", 1),
            ("to_minutes", 1), ("to_seconds", 1), ("to_milliseconds", 1),
            ("to_microseconds", 1), ("to_quarters", 1), ("to_decades", 1), ("to_centuries", 1),
            ("to_millennia", 1):
            return try intervalOf(name, arguments[0], at: span)
        case ("weekday", 1): return try bindPart("dow", arguments[0], at: span)
        case ("yearweek", 1):
            let year = try bindPart("isoyear", arguments[0], at: span)
            let week = try bindPart("week", arguments[0], at: span)
            func number(_ value: Int64) -> BoundExpression { .constant(.int64(value), .int64) }
            // Before the year 1 weeks count away from zero, too.
            let sign = BoundExpression.conditional(
                [
                    BoundExpression.Branch(
                        condition: try bindBinary(.greater, year, number(0), at: span),
                        value: number(1)
                    )
                ],
                otherwise: number(-1),
                .int64
            )
            return try bindBinary(
                .add,
                try bindBinary(.multiply, year, number(100), at: span),
                try bindBinary(.multiply, week, sign, at: span),
                at: span
            )
        case ("isnull", 1): return .isNull(arguments[0], isNegated: false)
        case ("typeof", 1):
            return .constant(.string(arguments[0].type.description), .string)
        case ("pg_typeof", 1):
            return .constant(.string(arguments[0].type.description.lowercased()), .string)
        default: return try bindMoreRewritten(name, arguments, at: span)
        }
    }

    private func bindPart(
        _ part: String,
        _ moment: BoundExpression,
        at span: SourceSpan
    ) throws -> BoundExpression {
        try call_(.datePart, [.constant(.string(part), .string), moment], part, span)
    }

    /// `to_days(n)` and its kin: n times the interval in the name.
    private func intervalOf(
        _ name: String,
        _ count: BoundExpression,
        at span: SourceSpan
    ) throws -> BoundExpression {
        let unit: Interval
        switch name {
        case "to_millennia": unit = Interval(months: 12_000)
        case "to_centuries": unit = Interval(months: 1200)
        case "to_decades": unit = Interval(months: 120)
        case "to_years": unit = Interval(months: 12)
        case "to_quarters": unit = Interval(months: 3)
        case "to_months": unit = Interval(months: 1)
        case "to_weeks": unit = Interval(days: 7)
        case "to_days": unit = Interval(days: 1)
        case "to_hours": unit = Interval(micros: 3_600_000_000)
        case "to_minutes": unit = Interval(micros: 60_000_000)
        case "to_seconds": unit = Interval(micros: 1_000_000)
        case "to_milliseconds": unit = Interval(micros: 1000)
        default: unit = Interval(micros: 1)
        }
        return try bindBinary(.multiply, .constant(.interval(unit), .interval), count, at: span)
    }
}
