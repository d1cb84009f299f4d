import Columnar
import SQL

/// Comparisons of rows of values: `(a, b) = (c, d)`, `(a, b) < (c, d)`, `(a, b) IN ((1, 2), (3, 4))`.
///
/// As the SQL standard has it, part by part from the left: where a part is null the answer is unknown,
/// unless the parts before it or beside it decide.
extension Binder {
    /// nil where no rows are compared.
    mutating func bindRowTest(
        _ expression: SQL.Expression,
        _ context: inout ExpressionContext
    ) throws -> BoundExpression? {
        let span = expression.span
        switch expression.node {
        case .binary(let op, let left, let right):
            guard let (a, b) = try Self.rows(left, right) else { return nil }
            guard let test = Self.compared(op, a[...], b[...], at: span) else { return nil }
            return try bind(test, &context)
        case .isDistinct(let left, let right, let isNegated):
            guard let (a, b) = try Self.rows(left, right) else { return nil }
            let parts = zip(a, b).map {
                SQL.Expression(.isDistinct($0, $1, isNegated: isNegated), span: span)
            }
            return try bind(Self.joined(parts, isAnd: isNegated, at: span), &context)
        case .inList(let operand, let list, let isNegated):
            guard case .row = operand.node else { return nil }
            var tests: [SQL.Expression] = []
            for item in list {
                guard let (a, b) = try Self.rows(operand, item),
                    let test = Self.compared(.equal, a[...], b[...], at: item.span)
                else { return nil }
                tests.append(test)
            }
            let any = try bind(Self.joined(tests, isAnd: false, at: span), &context)
            return isNegated ? .not(any) : any
        case .between(let between):
            guard let (a, low) = try Self.rows(between.operand, between.lower),
                let (_, high) = try Self.rows(between.operand, between.upper),
                !between.isSymmetric,
                let above = Self.compared(.greaterOrEqual, a[...], low[...], at: span),
                let below = Self.compared(.lessOrEqual, a[...], high[...], at: span)
            else { return nil }
            let inside = try bind(Self.joined([above, below], isAnd: true, at: span), &context)
            return between.isNegated ? .not(inside) : inside
        default: return nil
        }
    }

    /// The parts of two rows; nil where one of them is no row.
    private static func rows(
        _ left: SQL.Expression,
        _ right: SQL.Expression
    ) throws -> (left: [SQL.Expression], right: [SQL.Expression])? {
        guard case .row(let a) = left.node, case .row(let b) = right.node else { return nil }
        guard a.count == b.count, !a.isEmpty else {
            throw PlanError(
                .invalid,
                "a row of \(a.count) values is compared with one of \(b.count)",
                at: right.span
            )
        }
        return (a, b)
    }

    private static func joined(
        _ parts: [SQL.Expression],
        isAnd: Bool,
        at span: SourceSpan
    ) -> SQL.Expression {
        if parts.count == 1 { return parts[0] }
        return SQL.Expression(isAnd ? .and(parts) : .or(parts), span: span)
    }

    private static func compared(
        _ op: BinaryOperator,
        _ a: ArraySlice<SQL.Expression>,
        _ b: ArraySlice<SQL.Expression>,
        at span: SourceSpan
    ) -> SQL.Expression? {
        func test(_ op: BinaryOperator, _ a: SQL.Expression, _ b: SQL.Expression)
            -> SQL.Expression
        {
            SQL.Expression(.binary(op, a, b), span: span)
        }
        guard let first = a.first, let second = b.first else { return nil }
        switch op {
        case .equal, .notEqual:
            return joined(
                zip(a, b).map { test(op, $0, $1) },
                isAnd: op == .equal,
                at: span
            )
        case .less, .lessOrEqual, .greater, .greaterOrEqual:
            if a.count == 1 { return test(op, first, second) }
            let strict: BinaryOperator = op == .less || op == .lessOrEqual ? .less : .greater
            guard let rest = compared(op, a.dropFirst(), b.dropFirst(), at: span) else {
                return nil
            }
            return joined(
                [
                    test(strict, first, second),
                    joined([test(.equal, first, second), rest], isAnd: true, at: span),
                ],
                isAnd: false,
                at: span
            )
        default: return nil
        }
    }
}
