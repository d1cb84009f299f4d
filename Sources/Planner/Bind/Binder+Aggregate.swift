import Columnar
import SQL

/// Aggregates, alone and over windows.
extension Binder {
    static func isAggregate(_ name: String) -> Bool {
        AggregateFunction.named(name) != nil || aggregateRewrites.contains(name)
    }

    /// Aggregates that are others with conditions or orders of their own.
    private static let aggregateRewrites: Set<String> = [
        "arg_min", "arg_max", "min_by", "max_by", "argmin", "argmax", "count_if", "countif",
        "arg_min_null", "arg_max_null", "arg_min_nulls_last", "arg_max_nulls_last",
    ]

    mutating func bindAggregate(
        _ name: String,
        _ call: FunctionCall,
        _ context: inout ExpressionContext,
        at span: SourceSpan
    ) throws -> BoundExpression {
        var inner = context
        inner.attachments = []
        inner.windows = nil
        context.aggregates?.isInsideArgument += 1
        defer { context.aggregates?.isInsideArgument -= 1 }
        let aggregate = try bindCall(name, call, &inner, at: span)
        let ids = aggregate.expressions.reduce(into: Set<ColumnID>()) { $0.formUnion($1.columnIDs) }
        let local = Set(context.scope.columns.map(\.column.id))
        func nested() -> PlanError {
            PlanError(.invalid, "an aggregate cannot stand inside another", at: span)
        }
        // An aggregate of columns of a query around this one is that query's.
        if !ids.isEmpty, ids.isDisjoint(with: local), inner.attachments.isEmpty {
            for level in outerLevels.reversed() {
                let known = level.aggregates?.calls.map(\.column.id) ?? []
                if !ids.isDisjoint(with: known) { throw nested() }
                if ids.isDisjoint(with: level.scope.columns.map(\.column.id)) { continue }
                guard let collector = level.aggregates else {
                    throw PlanError(
                        .unsupported,
                        "\(name) of columns of the query around this one alone is an aggregate "
                            + "of that query, which has none where this subquery stands",
                        hint:
                            "Aggregate in the query around, or make its columns part of this one.",
                        at: span
                    )
                }
                guard collector.isInsideArgument == 0 else { throw nested() }
                return add(aggregate, name, to: collector)
            }
        }
        guard let collector = context.aggregates else {
            throw PlanError(
                .invalid,
                "an aggregate cannot stand in \(context.clause)",
                hint: context.clause == "WHERE" ? "Conditions on aggregates go to HAVING." : nil,
                at: span
            )
        }
        guard collector.isInsideArgument == 1 else { throw nested() }
        collector.attachments += inner.attachments
        return add(aggregate, name, to: collector)
    }

    private mutating func add(
        _ aggregate: AggregateCall,
        _ name: String,
        to collector: AggregateCollector
    ) -> BoundExpression {
        if let known = collector.calls.first(where: { $0.call == aggregate }) {
            return known.column.reference
        }
        let column = newColumn(
            name,
            aggregate.type,
            isNullable: !aggregate.function.isCount
        )
        collector.calls.append((aggregate, column))
        return column.reference
    }

    /// The aggregate that a call means, its expressions bound in `context`.
    mutating func bindCall(
        _ name: String,
        _ call: FunctionCall,
        _ context: inout ExpressionContext,
        at span: SourceSpan
    ) throws -> AggregateCall {
        if call.nullTreatment != nil, name != "first", name != "last", name != "any_value" {
            throw PlanError(.unsupported, "\(name) has no IGNORE NULLS", at: span)
        }
        var function = AggregateFunction.named(name) ?? .count
        var arguments: [BoundExpression] = []
        if call.arguments.count == 1, case .star = call.arguments[0].value.node {
            guard function == .count else {
                throw PlanError(.invalid, "\(name)(*) does not exist", at: span)
            }
            guard !call.isDistinct else {
                throw PlanError(.unsupported, "count(DISTINCT *) is not supported", at: span)
            }
            function = .countStar
        } else if call.arguments.isEmpty, function == .count {
            function = .countStar
        } else {
            for argument in call.arguments {
                arguments.append(try bind(argument.value, &context))
            }
        }
        var filter: BoundExpression?
        if let expression = call.filter { filter = try bindBoolean(expression, &context) }
        var order: [SortKey] = []
        for item in call.orderBy {
            let key = try bind(item.expression, &context)
            if !key.isConstant { order.append(sortKey(key, item.direction, item.nulls)) }
        }
        var constant: Value?
        var others: [BoundExpression] = []
        func both(_ condition: BoundExpression) {
            filter = filter.map { .and([$0, condition]) } ?? condition
        }
        func isKnown(_ expression: BoundExpression) -> BoundExpression {
            .isNull(expression, isNegated: true)
        }
        func take(_ count: ClosedRange<Int>) throws {
            guard count.contains(arguments.count) else {
                throw PlanError(
                    .invalid,
                    "\(name) takes \(count.lowerBound == count.upperBound ? "" : "\(count.lowerBound) or ")"
                        + "\(count.upperBound == 1 ? "one argument" : "\(count.upperBound) arguments")",
                    at: span
                )
            }
        }
        switch name {
        case "count_if", "countif":
            try take(1...1)
            guard arguments[0].type == .boolean else {
                throw PlanError(.invalid, "\(name) takes a condition", at: span)
            }
            both(arguments[0])
            arguments = []
            function = .countStar
        case "arg_min", "arg_max", "min_by", "max_by", "argmin", "argmax", "arg_min_null",
            "arg_max_null", "arg_min_nulls_last", "arg_max_nulls_last":
            try take(2...2)
            guard order.isEmpty, arguments[1].type != .interval else {
                throw PlanError(.unsupported, "this form of \(name) is not supported yet", at: span)
            }
            // The first value in the order of the other argument.
            if !name.contains("null") { both(isKnown(arguments[0])) }
            if !name.hasSuffix("_nulls_last") { both(isKnown(arguments[1])) }
            let isDescending = name.contains("max")
            order = [
                SortKey(
                    expression: arguments[1],
                    isDescending: isDescending,
                    nullsFirst: false
                )
            ]
            arguments.removeLast()
            function = .first
        default:
            switch function {
            case .countStar: break
            case .stringAgg:
                try take(1...2)
                constant = .string(",")
                if arguments.count == 2 {
                    guard case .constant(let separator, _) = arguments.removeLast() else {
                        throw PlanError(
                            .unsupported,
                            "the separator of \(name) must be a constant",
                            at: span
                        )
                    }
                    constant = separator
                }
                for item in call.withinGroup {
                    // listagg(value, separator) WITHIN GROUP (ORDER BY key)
                    let key = try bind(item.expression, &context)
                    if !key.isConstant { order.append(sortKey(key, item.direction, item.nulls)) }
                }
                if case .null? = constant { constant = .string("") }
                guard case .string? = constant else {
                    throw PlanError(.invalid, "the separator of \(name) is a text", at: span)
                }
            case .mode where call.withinGroup.count == 1:
                // mode() WITHIN GROUP (ORDER BY value)
                try take(0...0)
                arguments = [try bind(call.withinGroup[0].expression, &context)]
                function = .mode
            case .geometricMean:
                try take(1...1)
                arguments = [try call_(.ln, arguments, name, span)]
            case .approxQuantile, .quantileContinuous, .quantileDiscrete:
                var place = call.arguments.indices.last ?? 0
                if let item = call.withinGroup.first, call.withinGroup.count == 1 {
                    // percentile_cont(fraction) WITHIN GROUP (ORDER BY value)
                    try take(1...1)
                    arguments.insert(try bind(item.expression, &context), at: 0)
                    place = 1
                }
                try take(1...2)
                var fraction = 0.5
                if arguments.count == 2 {
                    guard
                        case .constant(let value, _) = try coerce(
                            arguments.remove(at: place),
                            to: .float64,
                            at: span
                        ), case .float64(let number) = value, number >= 0, number <= 1
                    else {
                        throw PlanError(
                            .invalid,
                            "the fraction of \(name) must be a constant from 0 to 1",
                            at: span
                        )
                    }
                    fraction = number
                    if call.withinGroup.first?.direction == .descending { fraction = 1 - number }
                }
                constant = .float64(fraction)
            case let function where function.isOfPairs:
                try take(2...2)
                let other = try coerce(arguments.removeLast(), to: .float64, at: span)
                both(isKnown(arguments[0]))
                both(isKnown(other))
                others = [other]
            default: try take(1...1)
            }
        }
        switch function {
        case .quantileContinuous, .quantileDiscrete, .approxQuantile, .mode, .stringAgg: break
        default:
            if call.withinGroup.isEmpty { break }
            throw PlanError(
                .unsupported,
                "WITHIN GROUP is not supported for \(name)",
                at: span
            )
        }
        if call.nullTreatment == .ignore, let argument = arguments.first {
            both(isKnown(argument))
        }
        if let found = arguments.first.flatMap({ collation(of: $0) }) {
            let argument = arguments[0]
            switch function {
            case .min, .max:
                // The first text in the order of the collation.
                both(isKnown(argument))
                order = [
                    SortKey(
                        expression: key(argument, found),
                        isDescending: function == .max,
                        nullsFirst: false
                    )
                ]
                function = .first
            case .count where call.isDistinct, .approxCountDistinct:
                arguments[0] = key(argument, found)
            default:
                guard call.isDistinct else { break }
                throw PlanError(
                    .unsupported,
                    "\(name)(DISTINCT …) does not look at collations",
                    hint: "Write COLLATE BINARY.",
                    at: span
                )
            }
        }
        let (argument, type) = try aggregateTypes(function, arguments.first, name, at: span)
        var aggregate = AggregateCall(
            function: function,
            argument: argument,
            isDistinct: call.isDistinct,
            filter: filter,
            type: type
        )
        if aggregate.isDistinct, !others.isEmpty {
            throw PlanError(.unsupported, "\(name)(DISTINCT …) is not supported", at: span)
        }
        aggregate.others = others
        aggregate.constant = constant
        aggregate.order = function.dependsOnOrder ? order : []
        return aggregate
    }

    /// The argument as the function wants it, and the type of the result.
    func aggregateTypes(
        _ function: AggregateFunction,
        _ given: BoundExpression?,
        _ name: String,
        at span: SourceSpan
    ) throws -> (BoundExpression?, DataType) {
        guard var argument = given else { return (nil, .int64) }
        if argument.type == .null { argument = .constant(.null, .int32) }
        func refuse() -> PlanError {
            PlanError(
                .invalid,
                "function \(name)(\(argument.type)) does not exist",
                hint: "Check the type of its argument, or use CAST.",
                at: span
            )
        }
        switch function {
        case .countStar, .count: return (argument, .int64)
        // Made by the optimiser, after this.
        case .sumAndAverage: throw refuse()
        case .min, .max:
            if argument.type == .interval { throw refuse() }
            return (argument, argument.type)
        case .anyValue, .first, .last, .mode:
            return (argument, argument.type)
        case .list: return (argument, .list(of: argument.type))
        case .histogram: return (argument, .map(from: argument.type, to: .int64))
        case .stringAgg: return (try coerce(argument, to: .string, at: span), .string)
        case .median, .quantileContinuous:
            switch argument.type {
            // Between two days lies a moment.
            case .date: return (try coerce(argument, to: .timestamp, at: span), .timestamp)
            case .time, .timestamp, .timestamptz: return (argument, argument.type)
            default: break
            }
            guard argument.type.isNumeric else { throw refuse() }
            return (argument, .float64)
        case .quantileDiscrete:
            guard !argument.type.isNested else { throw refuse() }
            return (argument, argument.type)
        case .approxCountDistinct:
            guard !argument.type.isNested else { throw refuse() }
            return (argument, .int64)
        case .entropy:
            guard !argument.type.isNested else { throw refuse() }
            return (argument, .float64)
        case .mad:
            guard argument.type.isNumeric else { throw refuse() }
            return (argument, .float64)
        case .approxQuantile:
            guard argument.type.isNumeric else { throw refuse() }
            return (argument, argument.type)
        case .regrCount:
            guard argument.type.isNumeric else { throw refuse() }
            return (try coerce(argument, to: .float64, at: span), .int64)
        case .correlation, .covarianceSample, .covariancePopulation, .product, .skewness, .kurtosis,
            .kurtosisPopulation, .sem, .geometricMean, .fsum, .favg, .regrSlope, .regrIntercept,
            .regrR2, .regrAvgX, .regrAvgY, .regrSxx, .regrSyy, .regrSxy:
            guard argument.type.isNumeric else { throw refuse() }
            return (try coerce(argument, to: .float64, at: span), .float64)
        case .bitAnd, .bitOr, .bitXor:
            guard argument.type.isInteger else { throw refuse() }
            return (argument, argument.type)
        case .boolAnd, .boolOr:
            guard argument.type == .boolean else { throw refuse() }
            return (argument, .boolean)
        case .sum:
            switch argument.type {
            case .int32, .int64: return (argument, .decimal(precision: 38, scale: 0))
            case .decimal(_, let scale): return (argument, .decimal(precision: 38, scale: scale))
            case .float32: return (try coerce(argument, to: .float64, at: span), .float64)
            case .float64: return (argument, .float64)
            case .interval: return (argument, .interval)
            case .boolean:
                return (
                    try coerce(argument, to: .int32, at: span), .decimal(precision: 38, scale: 0)
                )
            default: throw refuse()
            }
        case .avg:
            switch argument.type {
            case .int32, .int64, .decimal, .float64: return (argument, .float64)
            case .float32: return (try coerce(argument, to: .float64, at: span), .float64)
            case .interval, .timestamp, .timestamptz, .time: return (argument, argument.type)
            case .date: return (argument, .timestamp)
            default: throw refuse()
            }
        case .stddevSample, .stddevPopulation, .varianceSample, .variancePopulation:
            guard argument.type.isNumeric else { throw refuse() }
            return (try coerce(argument, to: .float64, at: span), .float64)
        }
    }
}
