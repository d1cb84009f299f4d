import Columnar
import SQL

/// Functions that give several values at once where a list stands for one argument:
/// `quantile_cont(x, [0.1, 0.9])`, `max(x, 3)`, `date_part(['year', 'month'], d)`.
extension Binder {
    /// What such a call means, said with functions that give one value; nil for any other call.
    mutating func bindSeveral(
        _ name: String,
        _ call: FunctionCall,
        _ context: inout ExpressionContext,
        at span: SourceSpan
    ) throws -> BoundExpression? {
        switch name {
        case "quantile_cont", "quantile_disc", "quantile", "percentile_cont", "percentile_disc",
            "approx_quantile":
            let place = call.withinGroup.isEmpty ? 1 : 0
            guard let fractions = elements(call, place), !fractions.isEmpty else { return nil }
            let parts = fractions.map {
                Expression(.function(with(call, $0, at: place)), span: span)
            }
            return try bindUnlessNull(parts[0], &context) { binder, context in
                try binder.bind(Expression(.list(parts), span: span), &context)
            }
        case "min", "max", "arg_min", "arg_max", "min_by", "max_by", "argmin", "argmax":
            guard call.arguments.count == (name == "min" || name == "max" ? 2 : 3),
                call.orderBy.isEmpty, let count = call.arguments.last?.value
            else { return nil }
            return try bindFirst(count, name, call, &context, at: span)
        case "date_part", "datepart":
            guard call.arguments.count == 2, let parts = elements(call, 0), !parts.isEmpty else {
                return nil
            }
            return try bindFields(parts, call, at: 0, &context, span) { parts[$0] }
        case "regexp_extract":
            guard call.arguments.count >= 3, let names = elements(call, 2), !names.isEmpty else {
                return nil
            }
            let numbers = names.indices.map {
                Expression(.literal(.integer("\($0 + 1)")), span: names[$0].span)
            }
            return try bindFields(names, call, at: 2, &context, span) { numbers[$0] }
        case "strptime", "try_strptime":
            guard call.arguments.count == 2, let formats = elements(call, 1), !formats.isEmpty
            else {
                return nil
            }
            // The first form that a text has.
            var tries = formats.map { with(call, $0, at: 1) }
            for place in tries.indices.dropLast() {
                tries[place].name = [Identifier("try_strptime", span: call.name.span)]
            }
            let arguments = tries.map {
                FunctionArgument(value: Expression(.function($0), span: span))
            }
            let first = FunctionCall(name: [Identifier("coalesce")], arguments: arguments)
            return try bind(Expression(.function(first), span: span), &context)
        default: return nil
        }
    }

    /// The elements of a list that stands as it is for an argument.
    private func elements(_ call: FunctionCall, _ place: Int) -> [SQL.Expression]? {
        guard call.arguments.indices.contains(place),
            case .list(let elements) = call.arguments[place].value.node
        else { return nil }
        return elements
    }

    private func with(
        _ call: FunctionCall,
        _ value: SQL.Expression,
        at place: Int
    ) -> FunctionCall {
        var call = call
        call.arguments[place].value = value
        return call
    }

    /// Null where `first` is null, else what `body` gives.
    private mutating func bindUnlessNull(
        _ first: SQL.Expression,
        _ context: inout ExpressionContext,
        _ body: (inout Binder, inout ExpressionContext) throws -> BoundExpression
    ) throws -> BoundExpression {
        let condition = BoundExpression.isNull(try bind(first, &context), isNegated: true)
        let value = try body(&self, &context)
        return .conditional(
            [BoundExpression.Branch(condition: condition, value: value)],
            otherwise: nil,
            value.type
        )
    }

    /// A struct of what a function gives for each of several names.
    private mutating func bindFields(
        _ names: [SQL.Expression],
        _ call: FunctionCall,
        at place: Int,
        _ context: inout ExpressionContext,
        _ span: SourceSpan,
        _ argument: (Int) -> SQL.Expression
    ) throws -> BoundExpression {
        var calls: [SQL.Expression] = []
        var texts: [String] = []
        for index in names.indices {
            guard case .literal(.string(let text)) = names[index].node else {
                throw PlanError(.invalid, "these names must be constants", at: names[index].span)
            }
            texts.append(text)
            calls.append(Expression(.function(with(call, argument(index), at: place)), span: span))
        }
        return try bindUnlessNull(calls[0], &context) { binder, context in
            var fields: [(name: String, value: BoundExpression)] = []
            for (text, call) in zip(texts, calls) {
                fields.append((text, try binder.bind(call, &context)))
            }
            return try binder.makeStructure(fields, at: span)
        }
    }

    /// The `count` first values in the order of a key: part of a list.
    private mutating func bindFirst(
        _ count: SQL.Expression,
        _ name: String,
        _ call: FunctionCall,
        _ context: inout ExpressionContext,
        at span: SourceSpan
    ) throws -> BoundExpression {
        guard case .literal(.integer(let digits)) = count.node, let number = Int(digits), number > 0
        else {
            throw PlanError(
                .invalid,
                "how many values \(name) gives must be a constant from 1",
                at: count.span
            )
        }
        let (value, key) = (call.arguments[0].value, call.arguments[call.arguments.count - 2].value)
        var list = call
        list.name = [Identifier("list", span: call.name.span)]
        list.arguments = [call.arguments[0]]
        list.orderBy = [
            OrderItem(expression: key, direction: name.contains("max") ? .descending : .ascending)
        ]
        var conditions = call.filter.map { [$0] } ?? []
        for one in value == key ? [value] : [value, key] {
            conditions.append(Expression(.isTest(one, .null, isNegated: true), span: one.span))
        }
        list.filter =
            conditions.count == 1 ? conditions[0] : Expression(.and(conditions), span: span)
        let first = Expression(.literal(.integer("1")), span: span)
        let whole = Expression(.function(list), span: span)
        return try bind(
            Expression(.slice(whole, lower: first, upper: count, step: nil), span: span),
            &context
        )
    }
}
