import Columnar
import SQL

extension Binder {
    mutating func bindFunction(
        _ call: FunctionCall,
        _ context: inout ExpressionContext,
        at span: SourceSpan
    ) throws -> BoundExpression {
        if let bound = try bindMacro(call, &context, at: span) { return bound }
        if let bound = try bindSetting(call, &context, at: span) { return bound }
        guard call.name.count == 1, let identifier = call.name.last else {
            throw PlanError(.invalid, "functions have no namespace", at: call.name.span)
        }
        let name = identifier.name.lowercased()
        if let bound = try bindSeveral(name, call, &context, at: span) { return bound }
        if let long = try longForm(name, call, at: span) { return try bind(long, &context) }
        if let bound = try bindNestedCall(name, call, &context, at: span) { return bound }
        if let window = call.over {
            return try bindWindow(name, call, window, &context, at: span)
        }
        if call.arguments.contains(where: { $0.name != nil }) {
            throw PlanError(.invalid, "\(name) has no named arguments", at: span)
        }
        if let grouping = try bindGrouping(name, call, &context, at: span) { return grouping }
        if Self.isAggregate(name) {
            return try bindAggregate(name, call, &context, at: span)
        }
        guard !call.isDistinct, call.filter == nil, call.orderBy.isEmpty, call.withinGroup.isEmpty
        else {
            throw PlanError(
                .invalid,
                "DISTINCT, FILTER and ORDER BY are for aggregates; \(name) is none",
                at: span
            )
        }
        try refuseStar(in: call, name)
        if let moment = try currentMoment(name, at: span) {
            guard call.arguments.isEmpty else {
                throw PlanError(.invalid, "\(name) takes no arguments", at: span)
            }
            return moment
        }
        if Self.windowOnly.contains(name) {
            throw PlanError(.invalid, "\(name) needs an OVER clause", at: span)
        }
        var arguments: [BoundExpression] = []
        let isGuarded = Self.guarded.contains(name)
        if isGuarded { guardedDepth += 1 }
        defer { if isGuarded { guardedDepth -= 1 } }
        for argument in call.arguments { arguments.append(try bind(argument.value, &context)) }
        if let nested = try bindNestedOverload(name, arguments, at: span) { return nested }
        if let rewritten = try bindRewritten(name, arguments, at: span) { return rewritten }
        if FunctionCatalog.dateParts.contains(name) {
            return try call_(.datePart, [.constant(.string(name), .string)] + arguments, name, span)
        }
        guard let function = FunctionCatalog.function(named: name) else {
            throw unknownFunction(name, at: call.name.span)
        }
        if function == .concat {
            // concat() skips nulls where || does not.
            let empty = BoundExpression.constant(.string(""), .string)
            arguments = try arguments.map {
                .call(.coalesce, [try coerce($0, to: .string, at: span), empty], .string)
            }
        }
        if function == .concatWS {
            arguments = try arguments.map { try coerce($0, to: .string, at: span) }
        }
        return try call_(function, arguments, name, span)
    }

    /// Functions that do not compute all of their arguments for every row, or hide that they fail.
    private static let guarded: Set<String> = ["try", "coalesce", "ifnull", "nvl", "if", "iif"]

    func call_(
        _ function: ScalarFunction,
        _ given: [BoundExpression],
        _ name: String,
        _ span: SourceSpan
    ) throws -> BoundExpression {
        if let zoned = try bindZoned(function, given, name, span) {
            return zoned.children.allSatisfy(\.isConstant) ? try folded(zoned, at: span) : zoned
        }
        var arguments = given
        // A literal string takes the type of what it stands beside (greatest(d, '2024-01-01')).
        switch function {
        case .coalesce, .greatest, .least, .nullif, .dateDiff:
            let skipped = function == .dateDiff ? 1 : 0
            let partner = arguments.dropFirst(skipped).first {
                if case .constant(.string, _) = $0 { return false }
                return $0.type != .null
            }
            if let partner {
                for index in arguments.indices.dropFirst(skipped) {
                    if case .constant(.string, _) = arguments[index] {
                        arguments[index] = try coerce(arguments[index], to: partner.type, at: span)
                    }
                }
            }
        default: break
        }
        // Literals of text may be of the type that is wanted: age('2024-05-01', …).
        let literal = arguments.map { argument -> DataType in
            if case .constant(.string, _) = argument { return .null }
            return argument.type
        }
        guard
            let match = FunctionCatalog.match(function, arguments.map(\.type))
                ?? FunctionCatalog.match(function, literal)
        else {
            let types = arguments.map { "\($0.type)" }.joined(separator: ", ")
            throw PlanError(
                .invalid,
                "function \(name)(\(types)) does not exist",
                hint: "Check the number and the types of its arguments, or use CAST.",
                at: span
            )
        }
        arguments = try zip(arguments, match.argumentTypes).map { try coerce($0, to: $1, at: span) }
        var type = match.type
        if function == .round || function == .trunc, arguments.count == 2,
            case .decimal(let precision, let scale) = arguments[0].type,
            case .constant(.int32(let digits), _) = arguments[1]
        {
            let kept = min(max(Int(digits), 0), scale)
            type = .decimal(
                precision: min(38, max(1, precision - scale + kept + 1)),
                scale: kept
            )
        }
        if function == .datePart, case .constant(.string(let part), _) = arguments[0],
            part.lowercased() == "epoch"
        {
            // Seconds since 1970 have a fraction.
            type = .float64
        }
        let result = BoundExpression.call(function, arguments, type)
        if function.isVolatile { return result }
        if arguments.allSatisfy(\.isConstant) { return try folded(result, at: span) }
        return result
    }

    /// `current_date` and its kin: constants of the statement, by the clocks of the session's zone.
    private func currentMoment(_ name: String, at span: SourceSpan) throws -> BoundExpression? {
        let now = BoundExpression.constant(.timestamptz(environment.nowMicros), .timestamptz)
        switch name {
        case "now", "current_timestamp", "transaction_timestamp", "statement_timestamp",
            "get_current_timestamp":
            return now
        case "localtimestamp", "current_localtimestamp":
            return try folded(converted(now, to: .timestamp), at: span)
        case "current_date", "today":
            return try folded(converted(now, to: .date), at: span)
        case "current_time", "localtime", "current_localtime", "get_current_time":
            return try folded(converted(now, to: .time), at: span)
        default: return nil
        }
    }
}
