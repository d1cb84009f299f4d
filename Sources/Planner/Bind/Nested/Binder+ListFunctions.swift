import Columnar
import SQL

/// Calls of the functions of lists, structs and maps.
extension Binder {
    /// What a call by a name of these functions means; nil when the name is none of them.
    mutating func bindNestedCall(
        _ name: String,
        _ call: FunctionCall,
        _ context: inout ExpressionContext,
        at span: SourceSpan
    ) throws -> BoundExpression? {
        if call.over == nil, let distinct = try bindDistinctList(name, call, &context, at: span) {
            return distinct
        }
        guard call.over == nil, !call.isDistinct, call.filter == nil, call.orderBy.isEmpty else {
            return nil
        }
        if name == "unnest" || name == "generate_subscripts" {
            return try bindUnnest(name, call, &context, at: span)
        }
        if let bound = try bindLambdaFunction(name, call, &context, at: span) { return bound }
        if let bound = try bindJSONCall(name, call, &context, at: span) { return bound }
        if let lambda = call.arguments.first(where: { $0.value.isLambda }) {
            let near = nearest(to: name, among: ListFunctionCatalog.lambdaFunctions)
            throw PlanError(
                .invalid,
                "function \(name) does not exist, or takes no lambda",
                hint: near.map { "Did you mean \($0)?" },
                at: FunctionCatalog.function(named: name) == nil
                    ? call.name.span : lambda.value.span
            )
        }
        let isKnown =
            ListFunctionCatalog.own[name] != nil || ListFunctionCatalog.others.contains(name)
            || ListFunctionCatalog.aggregate(named: name) != nil
        guard isKnown else { return nil }
        var arguments: [BoundExpression] = []
        for argument in call.arguments { arguments.append(try bind(argument.value, &context)) }
        let names = call.arguments.map { $0.name?.name }
        switch name {
        case "row": return try makeStructure(arguments.map { ("", $0) }, at: span)
        case "struct_pack", "struct_insert", "struct_update":
            return try bindStructureFunction(name, arguments, names, call, at: span)
        default: break
        }
        guard names.allSatisfy({ $0 == nil }) else {
            throw PlanError(.invalid, "\(name) has no named arguments", at: span)
        }
        if let bound = try bindListFunction(name, arguments, at: span) { return bound }
        if let bound = try bindStructureFunction(name, arguments, names, call, at: span) {
            return bound
        }
        if let aggregate = ListFunctionCatalog.aggregate(named: name), !arguments.isEmpty {
            return try bindListAggregate(aggregate, arguments, name, at: span)
        }
        let types = arguments.map { "\($0.type)" }.joined(separator: ", ")
        throw PlanError(
            .invalid,
            "function \(name)(\(types)) does not exist",
            hint: "Check the number and the types of its arguments, or use CAST.",
            at: span
        )
    }

    /// The meaning for lists of a name that other types share; nil when the first argument is no list.
    func bindNestedOverload(
        _ name: String,
        _ arguments: [BoundExpression],
        at span: SourceSpan
    ) throws -> BoundExpression? {
        guard let function = ListFunctionCatalog.shared[name], let first = arguments.first,
            first.type.elementType != nil
        else { return nil }
        return try bind(function, arguments, name, at: span)
    }

    /// `list(DISTINCT x)`: each value once, null too, in the order of the first.
    private mutating func bindDistinctList(
        _ name: String,
        _ call: FunctionCall,
        _ context: inout ExpressionContext,
        at span: SourceSpan
    ) throws -> BoundExpression? {
        guard call.isDistinct, AggregateFunction.named(name) == .list else { return nil }
        var plain = call
        plain.isDistinct = false
        let list = try bindAggregate(name, plain, &context, at: span)
        return .nested(.plain(.distinctWithNull), [list], list.type)
    }

    /// A call of a function whose arguments are lists, maps or plain values; nil when the name or the types
    /// are not such.
    func bindListFunction(
        _ name: String,
        _ arguments: [BoundExpression],
        at span: SourceSpan
    ) throws -> BoundExpression? {
        if let function = ListFunctionCatalog.own[name] {
            return try bind(function, arguments, name, at: span)
        }
        let first = arguments.first
        switch (name, arguments.count) {
        case ("list_value", _), ("list_pack", _), ("unpivot_list", _):
            return try makeList(arguments, at: span)
        case ("map", 0):
            let empty = try makeList([], at: span)
            return try makeMap(empty, empty, at: span)
        case ("map", 2): return try makeMap(arguments[0], arguments[1], at: span)
        case ("map_from_entries", 1):
            if arguments[0].type == .null { return .constant(.null, .null) }
            guard case .structure(let fields)? = arguments[0].type.elementType, fields.count == 2
            else { return nil }
            let type = DataType.map(from: fields[0].type, to: fields[1].type)
            return try nested(.mapFromEntries, arguments, type, at: span)
        case ("list_extract", 2), ("list_element", 2), ("array_extract", 2),
            ("struct_extract", 2), ("struct_extract_at", 2):
            if name == "struct_extract_at", case .structure(let fields)? = first?.type {
                let plain = fields.map { Field("", $0.type) }
                let renamed = try coerce(arguments[0], to: .structure(plain), at: span)
                return try element(of: renamed, arguments[1], at: span)
            }
            return try element(of: arguments[0], arguments[1], at: span)
        case ("list_slice", 3), ("list_slice", 4), ("array_slice", 3), ("array_slice", 4):
            return try slice(
                of: arguments[0],
                arguments[1],
                arguments[2],
                arguments.count > 3 ? arguments[3] : nil,
                at: span
            )
        case ("list_append", 2), ("array_append", 2), ("array_push_back", 2):
            return try appended([arguments[0]], arguments[1], [], name, at: span)
        case ("list_prepend", 2), ("array_prepend", 2):
            return try appended([], arguments[0], [arguments[1]], name, at: span)
        case ("array_push_front", 2):
            return try appended([], arguments[1], [arguments[0]], name, at: span)
        case ("array_pop_back", 1), ("array_pop_front", 1):
            let one = BoundExpression.constant(.int64(name == "array_pop_back" ? 1 : 2), .int64)
            let last = BoundExpression.constant(.int64(name == "array_pop_back" ? -2 : -1), .int64)
            return try slice(of: arguments[0], one, last, nil, at: span)
        case ("list_sort", 1...3), ("array_sort", 1...3), ("list_reverse_sort", 1...2),
            ("array_reverse_sort", 1...2), ("list_grade_up", 1...3), ("array_grade_up", 1...3):
            return try bindSort(name, arguments, at: span)
        case ("list_aggregate", 2...), ("list_aggr", 2...), ("array_aggregate", 2...),
            ("array_aggr", 2...), ("aggregate", 2...):
            guard case .constant(.string(let aggregate), _) = arguments[1] else {
                throw PlanError(
                    .invalid,
                    "\(name) needs the name of an aggregate as a constant",
                    at: span
                )
            }
            var rest = arguments
            rest.remove(at: 1)
            return try bindListAggregate(aggregate.lowercased(), rest, name, at: span)
        case ("regexp_extract_all", 2...4), ("string_split_regex", 2...3),
            ("str_split_regex", 2...3), ("regexp_split_to_array", 2...3):
            return try bindRegexList(name, arguments, at: span)
        case ("map_contains_value", 2):
            guard case .map? = first?.type else { return nil }
            let values = try bind(.mapValues, [arguments[0]], name, at: span)
            return try bind(.contains, [values, arguments[1]], name, at: span)
        case ("map_contains_entry", 3):
            guard case .map(_, let value)? = first?.type else { return nil }
            let own = try bind(.mapExtract, [arguments[0], arguments[1]], name, at: span)
            let wanted = try coerce(arguments[2], to: value.type, at: span)
            return try bind(.contains, [own, wanted], name, at: span)
        default: return nil
        }
    }

    /// Lists with a value between them, as one list.
    private func appended(
        _ before: [BoundExpression],
        _ value: BoundExpression,
        _ behind: [BoundExpression],
        _ name: String,
        at span: SourceSpan
    ) throws -> BoundExpression {
        let list = before.first ?? behind.first
        guard let list, list.type == .null || list.type.elementType != nil else {
            throw PlanError(
                .invalid,
                "\(name) needs a list, this is \(list?.type ?? .null)",
                at: span
            )
        }
        var element = value
        if case .constant(.string, _) = value, let type = list.type.elementType, type != .null {
            element = try coerce(value, to: type, at: span)
        }
        let middle = try makeList([element], at: span)
        return try bind(.concatenate, before + [middle] + behind, name, at: span)
    }

    private func bindSort(
        _ name: String,
        _ arguments: [BoundExpression],
        at span: SourceSpan
    ) throws -> BoundExpression? {
        if arguments[0].type == .null { return .constant(.null, .null) }
        guard arguments[0].type.elementType != nil else { return nil }
        let isReverse = name.contains("reverse")
        var options: [String] = []
        for argument in arguments.dropFirst() {
            guard case .constant(.string(let text), _) = argument else {
                throw PlanError(.invalid, "the order of \(name) must be a constant text", at: span)
            }
            options.append(text.uppercased())
        }
        var isDescending = isReverse
        var nullsFirst = false
        if !isReverse, let direction = options.first {
            switch direction {
            case "ASC", "ASCENDING": break
            case "DESC", "DESCENDING": isDescending = true
            default:
                throw PlanError(.invalid, "'\(direction)' is not ASC or DESC", at: span)
            }
            options.removeFirst()
        }
        if let nulls = options.first {
            switch nulls {
            case "NULLS FIRST": nullsFirst = true
            case "NULLS LAST": nullsFirst = false
            default:
                throw PlanError(.invalid, "'\(nulls)' is not NULLS FIRST or NULLS LAST", at: span)
            }
        }
        let givesPlaces = name.contains("grade_up")
        return try nested(
            .sort(isDescending: isDescending, nullsFirst: nullsFirst, givesPlaces: givesPlaces),
            [arguments[0]],
            givesPlaces ? .list(of: .int64) : arguments[0].type,
            at: span
        )
    }

    private func bindRegexList(
        _ name: String,
        _ arguments: [BoundExpression],
        at span: SourceSpan
    ) throws -> BoundExpression? {
        guard arguments[0].type == .string || arguments[0].type == .null else { return nil }
        func text(_ index: Int, _ what: String) throws -> String {
            guard arguments.count > index else { return "" }
            guard case .constant(.string(let text), _) = arguments[index] else {
                throw PlanError(
                    .unsupported,
                    "\(what) of \(name) must be a constant text",
                    at: span
                )
            }
            return text
        }
        let source = [try coerce(arguments[0], to: .string, at: span)]
        let pattern = try text(1, "the pattern")
        guard name == "regexp_extract_all" else {
            let options = try text(2, "the options")
            return try nested(
                .regexpSplit(pattern: pattern, options: options),
                source,
                .list(of: .string),
                at: span
            )
        }
        var group = 0
        if arguments.count > 2 {
            guard case .constant(.int32(let number), _) = arguments[2] else {
                throw PlanError(
                    .unsupported,
                    "the group of \(name) must be a constant number",
                    at: span
                )
            }
            group = Int(number)
        }
        let options = try text(3, "the options")
        return try nested(
            .regexpExtractAll(pattern: pattern, options: options, group: group),
            source,
            .list(of: .string),
            at: span
        )
    }

    /// An aggregate of the elements of each list.
    private func bindListAggregate(
        _ aggregate: String,
        _ arguments: [BoundExpression],
        _ name: String,
        at span: SourceSpan
    ) throws -> BoundExpression {
        guard let function = AggregateFunction.named(aggregate), function != .countStar else {
            let near = nearest(to: aggregate, among: AggregateFunction.allCases.map(\.rawValue))
            throw PlanError(
                .invalid,
                "aggregate \(aggregate) does not exist",
                hint: near.map { "Did you mean \($0)?" },
                at: span
            )
        }
        if arguments[0].type == .null { return .constant(.null, .null) }
        guard var element = arguments[0].type.elementType else {
            throw PlanError(
                .invalid,
                "\(name) needs a list, this is \(arguments[0].type)",
                at: span
            )
        }
        var list = arguments[0]
        if element == .null {
            element = .int32
            list = try coerce(list, to: .list(of: element), at: span)
        }
        var constant: Value?
        func only(_ count: Int) throws {
            guard arguments.count <= count else {
                throw PlanError(.invalid, "\(name) has too many arguments", at: span)
            }
        }
        switch function {
        case .stringAgg:
            try only(2)
            constant = .string(",")
            if arguments.count > 1 {
                guard case .constant(.string(let text), _) = arguments[1] else {
                    throw PlanError(
                        .unsupported,
                        "the separator of \(name) must be a constant",
                        at: span
                    )
                }
                constant = .string(text)
            }
        case .quantileContinuous, .quantileDiscrete:
            try only(2)
            constant = .float64(0.5)
            if arguments.count > 1 {
                guard
                    case .constant(.float64(let part), _) = try coerce(
                        arguments[1],
                        to: .float64,
                        at: span
                    ), part >= 0, part <= 1
                else {
                    throw PlanError(
                        .invalid,
                        "the fraction of \(name) must be a constant from 0 to 1",
                        at: span
                    )
                }
                constant = .float64(part)
            }
        case .correlation, .covarianceSample, .covariancePopulation:
            throw PlanError(.invalid, "\(aggregate) needs two columns, a list is one", at: span)
        default: try only(1)
        }
        let (argument, type) = try aggregateTypes(
            function,
            .column(ColumnID(0), element),
            name,
            at: span
        )
        var call = AggregateCall(function: function, argument: argument, type: type)
        call.constant = constant
        return try nested(.aggregate(call), [list], type, at: span)
    }
}

extension SQL.Expression {
    fileprivate var isLambda: Bool {
        if case .lambda = node { return true }
        return false
    }
}
