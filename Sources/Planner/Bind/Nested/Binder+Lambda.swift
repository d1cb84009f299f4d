import Columnar
import SQL

/// Functions of list elements.
extension Binder {
    /// `list_transform` and its kin; nil when the name is none of them.
    mutating func bindLambdaFunction(
        _ name: String,
        _ call: FunctionCall,
        _ context: inout ExpressionContext,
        at span: SourceSpan
    ) throws -> BoundExpression? {
        switch name {
        case "list_transform", "array_transform", "list_apply", "array_apply", "apply":
            try expect(2...2, call, name, at: span)
            return try bindTransform(
                call.arguments[0].value,
                call.arguments[1].value,
                nil,
                &context,
                at: span
            )
        case "list_comprehension":
            try expect(2...3, call, name, at: span)
            return try bindTransform(
                call.arguments[0].value,
                call.arguments[1].value,
                call.arguments.count > 2 ? call.arguments[2].value : nil,
                &context,
                at: span
            )
        case "list_filter", "array_filter", "filter":
            try expect(2...2, call, name, at: span)
            let (list, element) = try bindListArgument(call.arguments[0].value, name, &context)
            guard let list else { return .constant(.null, .null) }
            var captures: [BoundExpression] = []
            let lambda = try bindLambda(
                call.arguments[1].value,
                [element, .int64],
                required: 1,
                captureStart: 1,
                &captures,
                &context
            ) { body, binder in
                try binder.asCondition(body, name, at: call.arguments[1].value.span)
            }
            return .nested(.filter(lambda), [list] + captures, list.type)
        case "list_reduce", "array_reduce", "reduce":
            try expect(2...3, call, name, at: span)
            return try bindReduce(name, call, &context, at: span)
        default: return nil
        }
    }

    func expect(
        _ count: ClosedRange<Int>,
        _ call: FunctionCall,
        _ name: String,
        at span: SourceSpan
    ) throws {
        guard count.contains(call.arguments.count) else {
            throw PlanError(
                .invalid,
                "\(name) takes \(count.lowerBound)\(count.count > 1 ? " to \(count.upperBound)" : "") arguments, not \(call.arguments.count)",
                at: span
            )
        }
    }

    /// A list and the type of its elements; nil for a bare NULL.
    private mutating func bindListArgument(
        _ expression: SQL.Expression,
        _ name: String,
        _ context: inout ExpressionContext
    ) throws -> (BoundExpression?, DataType) {
        let list = try bind(expression, &context)
        if list.type == .null { return (nil, .null) }
        guard case .list(let field) = list.type else {
            throw PlanError(
                .invalid,
                "\(name) needs a list, this is \(list.type)",
                at: expression.span
            )
        }
        if field.type == .null {
            let type = DataType.list(of: .int32)
            return (try coerce(list, to: type, at: expression.span), .int32)
        }
        return (list, field.type)
    }

    private func asCondition(
        _ body: BoundExpression,
        _ name: String,
        at span: SourceSpan
    ) throws -> BoundExpression {
        if body.type == .boolean { return body }
        if body.type == .null { return .constant(.null, .boolean) }
        guard body.type.isInteger else {
            throw PlanError(
                .invalid,
                "the lambda of \(name) gives \(body.type), not a condition",
                at: span
            )
        }
        return .cast(body, .boolean, isTry: false)
    }

    private mutating func bindTransform(
        _ source: SQL.Expression,
        _ function: SQL.Expression,
        _ condition: SQL.Expression?,
        _ context: inout ExpressionContext,
        at span: SourceSpan
    ) throws -> BoundExpression {
        let (list, element) = try bindListArgument(source, "list_transform", &context)
        guard let list else { return .constant(.null, .null) }
        var captures: [BoundExpression] = []
        let lambda = try bindLambda(
            function,
            [element, .int64],
            required: 1,
            captureStart: 1,
            &captures,
            &context
        ) { body, _ in body.type == .null ? .constant(.null, .int32) : body }
        var test: Lambda?
        if let condition {
            test = try bindLambda(
                condition,
                [element, .int64],
                required: 1,
                captureStart: 1 + captures.count,
                &captures,
                &context
            ) { body, binder in
                try binder.asCondition(body, "a list comprehension", at: condition.span)
            }
        }
        return .nested(
            .transform(lambda, condition: test),
            [list] + captures,
            .list(of: lambda.body.type)
        )
    }

    private mutating func bindReduce(
        _ name: String,
        _ call: FunctionCall,
        _ context: inout ExpressionContext,
        at span: SourceSpan
    ) throws -> BoundExpression {
        var (list, element) = try bindListArgument(call.arguments[0].value, name, &context)
        guard let given = list else { return .constant(.null, .null) }
        var fixed = [given]
        if call.arguments.count > 2 {
            let initial = try bind(call.arguments[2].value, &context)
            let type = try unified(element, initial, at: span)
            list = try coerce(given, to: .list(of: type), at: span)
            element = type
            fixed = [list ?? given, try coerce(initial, to: type, at: span)]
        }
        var captures: [BoundExpression] = []
        let type = element
        let lambda = try bindLambda(
            call.arguments[1].value,
            [type, type, .int64],
            required: 2,
            captureStart: fixed.count,
            &captures,
            &context
        ) { body, binder in try binder.coerce(body, to: type, at: span) }
        return .nested(.reduce(lambda, hasInitial: fixed.count > 1), fixed + captures, type)
    }

    /// A lambda over parameters of these types, the last of which may be left out.
    ///
    /// - Parameters:
    ///   - captures: gets the columns of the row around that the body looks at.
    ///   - finish: makes of the body what the function wants.
    private mutating func bindLambda(
        _ expression: SQL.Expression,
        _ types: [DataType],
        required: Int,
        captureStart: Int,
        _ captures: inout [BoundExpression],
        _ context: inout ExpressionContext,
        _ finish: (BoundExpression, Binder) throws -> BoundExpression
    ) throws -> Lambda {
        guard let (names, body) = expression.lambdaParts else {
            throw PlanError(
                .invalid,
                "a lambda is needed here",
                hint: "Write lambda x: x + 1, or x -> x + 1.",
                at: expression.span
            )
        }
        guard names.count >= required, names.count <= types.count else {
            throw PlanError(
                .invalid,
                "the lambda has \(names.count) parameters where \(required) or \(types.count) are given",
                at: expression.span
            )
        }
        var inner = context
        inner.clause = "a lambda"
        inner.unnests = nil
        let aggregateCount = inner.aggregates?.calls.count ?? 0
        let windowCount = inner.windows?.entries.count ?? 0
        inner.attachments = []
        var parameters: [PlanColumn] = []
        for (name, type) in zip(names, types) {
            // The parameter stands before any column of its name; with its table's name that is still meant.
            for index in inner.scope.columns.indices
            where name.means(inner.scope.columns[index].name) {
                inner.scope.columns[index].isHidden = true
            }
            let column = newColumn(name.name, type)
            parameters.append(column)
            inner.scope.columns.append(ScopeColumn(qualifier: [], name: name.name, column: column))
        }
        inner.aliases.removeAll { alias in names.contains { $0.means(alias.name.name) } }
        let bound = try finish(try bind(body, &inner), self)
        let ids = Set(parameters.map(\.id))
        for attachment in inner.attachments {
            let used = attachment.conditions.reduce(into: attachment.plan.freeColumns) {
                $0.formUnion($1.columnIDs)
            }
            guard used.isDisjoint(with: ids) else {
                throw PlanError(
                    .unsupported,
                    "a subquery inside a lambda cannot look at the lambda's parameters yet",
                    at: expression.span
                )
            }
        }
        context.attachments += inner.attachments
        // What is computed from many rows is known before any element is.
        let calls = (inner.aggregates?.calls.dropFirst(aggregateCount).map(\.call) ?? [])
            .flatMap(\.expressions)
        let windows = (inner.windows?.entries.dropFirst(windowCount) ?? [])
            .flatMap { $0.call.expressions + $0.partition + $0.order.map(\.expression) }
        guard (calls + windows).allSatisfy({ $0.columnIDs.isDisjoint(with: ids) }) else {
            throw PlanError(
                .invalid,
                "an aggregate inside a lambda cannot look at the lambda's parameters",
                at: expression.span
            )
        }
        var capturer = Capturer(
            parameters: parameters,
            types: types.count,
            takesWhatMayFail: context.isGrouped && context.aggregates?.isInsideArgument ?? 0 == 0
        )
        let positioned = capturer.positioned(bound)
        captures += capturer.captures
        return Lambda(
            body: positioned,
            parameterTypes: types,
            captureStart: captureStart,
            captureCount: capturer.captures.count
        )
    }
}

/// Takes what does not look at the parameters out of the body of a lambda.
private struct Capturer {
    let parameters: [PlanColumn]
    /// How many parameters the function gives, also those that are not named.
    let types: Int
    /// Whether also that is taken which may fail.
    ///
    /// Behind GROUP BY it must be: only as a whole it is found among the groups. Elsewhere the elements
    /// may never need it.
    let takesWhatMayFail: Bool
    /// What is computed once for each row.
    private(set) var captures: [BoundExpression] = []

    init(parameters: [PlanColumn], types: Int, takesWhatMayFail: Bool) {
        self.parameters = parameters
        self.types = types
        self.takesWhatMayFail = takesWhatMayFail
    }

    /// The expression over positions: parameters first, then captures.
    mutating func positioned(_ expression: BoundExpression) -> BoundExpression {
        let ids = expression.columnIDs
        if case .column(let id, let type) = expression,
            let index = parameters.firstIndex(where: { $0.id == id })
        {
            return .column(ColumnID(index), type)
        }
        if !ids.isEmpty, parameters.allSatisfy({ !ids.contains($0.id) }),
            expression.isDeterministic, takesWhatMayFail || !expression.canFail
        {
            let known = captures.firstIndex(of: expression)
            if known == nil { captures.append(expression) }
            return .column(ColumnID(types + (known ?? captures.count - 1)), expression.type)
        }
        return expression.mapChildren { positioned($0) }
    }
}
