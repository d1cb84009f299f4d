import Columnar
import SQL

/// Lists, structs and maps in expressions: literals, subscripts, slices, fields.
extension Binder {
    mutating func bindNested(
        _ expression: SQL.Expression,
        _ context: inout ExpressionContext
    ) throws -> BoundExpression {
        let span = expression.span
        switch expression.node {
        case .list(let elements):
            return try makeList(try elements.map { try bind($0, &context) }, at: span)
        case .row(let values):
            return try makeStructure(
                try values.map { ("", try bind($0, &context)) },
                at: span
            )
        case .structure(let entries):
            return try makeStructure(
                try entries.map { ($0.name.name, try bind($0.value, &context)) },
                at: span
            )
        case .map(let entries):
            let keys = try makeList(try entries.map { try bind($0.key, &context) }, at: span)
            let values = try makeList(try entries.map { try bind($0.value, &context) }, at: span)
            return try makeMap(keys, values, at: span)
        case .element(let base, let index):
            let bound = try bind(base, &context)
            return try element(of: bound, try bind(index, &context), at: span)
        case .slice(let base, let lower, let upper, let step):
            let bound = try bind(base, &context)
            return try slice(
                of: bound,
                try lower.map { try bind($0, &context) },
                try upper.map { try bind($0, &context) },
                try step.map { try bind($0, &context) },
                at: span
            )
        case .field(let base, let name):
            return try field(name, of: try bind(base, &context), at: span)
        case .listQuery(let query):
            return try bindListQuery(query, &context, at: span)
        case .inValue(let operand, let set, let isNegated):
            let value = try bind(operand, &context)
            let container = try bind(set, &context)
            let name = container.type.isMap ? "map_contains" : "list_contains"
            guard let found = try bindListFunction(name, [container, value], at: span) else {
                throw PlanError(
                    .invalid,
                    "IN without parentheses needs a list or a map, this is \(container.type)",
                    at: set.span
                )
            }
            return isNegated ? .not(found) : found
        case .quantifiedValue(let operand, let op, let quantifier, let list):
            return try bindQuantifiedList(operand, op, quantifier, list, &context, at: span)
        default:
            throw PlanError(
                .invalid,
                "a lambda can only be an argument of functions such as list_transform",
                at: span
            )
        }
    }

    /// The call, or its value when it is one of constants alone.
    func nested(
        _ function: NestedFunction,
        _ arguments: [BoundExpression],
        _ type: DataType,
        at span: SourceSpan
    ) throws -> BoundExpression {
        let result = BoundExpression.nested(function, arguments, type)
        let isConstructor: Bool
        switch function {
        case .list, .structure, .map, .mapFromEntries: isConstructor = true
        // As a constant it would be a text like any other.
        case .json(let json) where json.givesJSON || json.givesList: return result
        default: isConstructor = false
        }
        // Long lists stay calls: as constants they would be written out in the plan.
        guard isConstructor || !type.isNested, arguments.count <= 10_000,
            arguments.allSatisfy(\.isConstant)
        else { return result }
        return try folded(result, at: span)
    }

    // MARK: Constructors

    func makeList(
        _ elements: [BoundExpression],
        at span: SourceSpan
    ) throws -> BoundExpression {
        var type = DataType.null
        // Literal texts come last: they become what the others are.
        func isText(_ element: BoundExpression) -> Bool {
            if case .constant(.string, _) = element { return true }
            return false
        }
        for element in elements where !isText(element) {
            type = try unified(type, element, at: span)
        }
        for element in elements where isText(element) {
            type = try unified(type, element, at: span)
        }
        let values = try elements.map { try coerce($0, to: type, at: span) }
        return try nested(.list, values, .list(of: type), at: span)
    }

    func makeStructure(
        _ fields: [(name: String, value: BoundExpression)],
        at span: SourceSpan
    ) throws -> BoundExpression {
        guard !fields.isEmpty else {
            throw PlanError(.invalid, "a struct needs a field", at: span)
        }
        var seen: Set<String> = []
        for (name, _) in fields where !name.isEmpty && !seen.insert(name.lowercased()).inserted {
            throw PlanError(.invalid, "the struct has the field \"\(name)\" twice", at: span)
        }
        return try nested(
            .structure,
            fields.map(\.value),
            .structure(fields.map { Field($0.name, $0.value.type) }),
            at: span
        )
    }

    func makeMap(
        _ keys: BoundExpression,
        _ values: BoundExpression,
        at span: SourceSpan
    ) throws -> BoundExpression {
        if keys.type == .null || values.type == .null {
            return .constant(.null, .map(from: .null, to: .null))
        }
        guard case .list(let key) = keys.type, case .list(let value) = values.type else {
            throw PlanError(
                .invalid,
                "map takes a list of keys and a list of values",
                hint: "MAP {'a': 1} or map(['a'], [1])",
                at: span
            )
        }
        return try nested(.map, [keys, values], .map(from: key.type, to: value.type), at: span)
    }

    /// `ARRAY(SELECT …)`: the rows of a query of one column as a list, empty when there are none.
    private mutating func bindListQuery(
        _ query: Query,
        _ context: inout ExpressionContext,
        at span: SourceSpan
    ) throws -> BoundExpression {
        outerLevels.append(OuterLevel(scope: context.scope, aggregates: context.aggregates))
        defer { outerLevels.removeLast() }
        let plan = try bind(query: query)
        guard plan.columns.count == 1, let column = plan.columns.first else {
            throw PlanError(
                .invalid,
                "ARRAY takes a query of one column, not \(plan.columns.count)",
                at: span
            )
        }
        let type = DataType.list(of: column.type)
        let result = newColumn("array", type)
        var call = AggregateCall(function: .list, argument: column.reference, type: type)
        var source = plan
        // The query's order is the list's, also where the rows of many lists are computed at once.
        if case .sort(let keys, nil, let input) = plan {
            (call.order, source) = (keys, input)
        } else if case .project(let visible, .sort(let keys, nil, let input)) = plan,
            let first = visible.first
        {
            (call.order, source) = (keys, input)
            call.argument = first.expression
        }
        let aggregate = LogicalPlan.Aggregate(groups: [], calls: [(call, result)], input: source)
        context.attachments.append(
            Attachment(
                kind: .single,
                plan: .aggregate(aggregate),
                conditions: [],
                isNullAware: false
            )
        )
        return .call(.coalesce, [result.reference, .constant(.list([]), type)], type)
    }

    // MARK: Access

    /// An expression as the BIGINT that places are counted in.
    func place(_ expression: BoundExpression, at span: SourceSpan) throws -> BoundExpression {
        switch expression {
        case .constant(.string, _): break
        default:
            guard expression.type.isInteger || expression.type == .null else {
                throw PlanError(
                    .invalid,
                    "a place is a whole number, this is \(expression.type)",
                    at: span
                )
            }
        }
        return try coerce(expression, to: .int64, at: span)
    }

    /// `base[index]`.
    func element(
        of base: BoundExpression,
        _ index: BoundExpression,
        at span: SourceSpan
    ) throws -> BoundExpression {
        switch base.type {
        case .list(let element):
            return try nested(.element, [base, try place(index, at: span)], element.type, at: span)
        case .map(let key, let value):
            let wanted = try coerce(index, to: key.type, at: span)
            return try nested(.plain(.mapExtractValue), [base, wanted], value.type, at: span)
        case .structure(let fields):
            switch index {
            case .constant(.string(let name), _):
                return try field(Identifier(name, span: span), of: base, at: span)
            case .constant(let value, _):
                let number: Int64
                switch value {
                case .int32(let small): number = Int64(small)
                case .int64(let large): number = large
                default: number = 0
                }
                guard fields.allSatisfy({ $0.name.isEmpty }) else {
                    throw PlanError(
                        .invalid,
                        "the fields of this struct have names, which say which one is meant",
                        hint: "Write \(fields.map { "['\($0.name)']" }.joined(separator: " or ")).",
                        at: span
                    )
                }
                guard number >= 1, number <= Int64(fields.count) else {
                    throw PlanError(
                        .invalid,
                        "the struct has \(fields.count) fields, counted from 1",
                        at: span
                    )
                }
                return try nested(
                    .field(Int(number) - 1),
                    [base],
                    fields[Int(number) - 1].type,
                    at: span
                )
            default:
                throw PlanError(.invalid, "a field of a struct is named by a constant", at: span)
            }
        case .string where isJSON(base):
            return try bindJSONPath(base, index, asText: false, at: span)
        case .string:
            return try nested(.textElement, [base, try place(index, at: span)], .string, at: span)
        case .null: return .constant(.null, .null)
        default:
            throw PlanError(
                .invalid,
                "\(base.type) has no elements",
                hint: "Subscripts are for lists, maps, structs and text.",
                at: span
            )
        }
    }

    func slice(
        of base: BoundExpression,
        _ lower: BoundExpression?,
        _ upper: BoundExpression?,
        _ step: BoundExpression?,
        at span: SourceSpan
    ) throws -> BoundExpression {
        if base.type == .null { return .constant(.null, .null) }
        let bounds = try [lower, upper, step].compactMap { $0 }.map { try place($0, at: span) }
        let (hasLower, hasUpper) = (lower != nil, upper != nil)
        if base.type == .string {
            guard step == nil else {
                throw PlanError(.invalid, "a slice of text has no step", at: span)
            }
            return try nested(
                .textSlice(hasLower: hasLower, hasUpper: hasUpper),
                [base] + bounds,
                .string,
                at: span
            )
        }
        guard case .list = base.type else {
            throw PlanError(.invalid, "slices are for lists and text, not \(base.type)", at: span)
        }
        return try nested(
            .slice(hasLower: hasLower, hasUpper: hasUpper, hasStep: step != nil),
            [base] + bounds,
            base.type,
            at: span
        )
    }

    /// `base.name`.
    func field(
        _ name: Identifier,
        of base: BoundExpression,
        at span: SourceSpan
    ) throws -> BoundExpression {
        guard case .structure(let fields) = base.type else {
            if base.type == .string, isJSON(base) {
                let key = BoundExpression.constant(.string(name.name), .string)
                return try bindJSONPath(base, key, asText: false, at: span)
            }
            throw PlanError(
                .invalid,
                "\(base.type) has no field \"\(name.name)\": only structs have fields",
                at: span
            )
        }
        guard
            let position = fields.firstIndex(where: { $0.name == name.name })
                ?? fields.firstIndex(where: { $0.name.lowercased() == name.name.lowercased() })
        else {
            let near = nearest(to: name.name, among: fields.map(\.name))
            throw PlanError(
                .invalid,
                "the struct has no field \"\(name.name)\"",
                hint: near.map { "Did you mean \"\($0)\"?" }
                    ?? "Its fields are \(fields.map(\.name).joined(separator: ", ")).",
                at: span
            )
        }
        return try nested(.field(position), [base], fields[position].type, at: span)
    }

    /// `a.b.c` where `a` or `a.b` is a column and the rest are fields; nil when no part is a column.
    func bindFieldPath(
        _ name: ObjectName,
        _ scope: Scope,
        at span: SourceSpan
    ) throws -> BoundExpression? {
        for count in stride(from: name.count - 1, to: 0, by: -1) {
            let matches = scope.matches(Array(name[..<count]))
            guard let match = matches.first else { continue }
            guard Set(matches.map(\.column.id)).count == 1 else { continue }
            var result = match.column.reference
            guard case .structure = result.type else { continue }
            for part in name[count...] { result = try field(part, of: result, at: span) }
            return result
        }
        return nil
    }

    /// A table's name as a value: the row as a struct; nil when it is none.
    func bindWholeRow(_ name: ObjectName, _ scope: Scope, at span: SourceSpan) throws
        -> BoundExpression?
    {
        guard name.count == 1 else { return nil }
        let columns = scope.columns.filter {
            $0.isShown && $0.qualifier.last.map { name[0].means($0) } ?? false
        }
        if columns.isEmpty { return nil }
        return try makeStructure(columns.map { ($0.name, $0.column.reference) }, at: span)
    }

    // MARK: ANY and ALL

    /// `value op ANY (list)`: as over the rows of a query that gives the elements.
    private mutating func bindQuantifiedList(
        _ operand: SQL.Expression,
        _ op: QuantifiedOperator,
        _ quantifier: Quantifier,
        _ list: SQL.Expression,
        _ context: inout ExpressionContext,
        at span: SourceSpan
    ) throws -> BoundExpression {
        let value = try bind(operand, &context)
        let bound = try bind(list, &context)
        guard case .list(let element) = bound.type else {
            throw PlanError(
                .invalid,
                "ANY and ALL need a list or a query, this is \(bound.type)",
                at: list.span
            )
        }
        // The value stands behind the element and its place, as something captured.
        let captured = BoundExpression.column(ColumnID(2), value.type)
        let current = BoundExpression.column(ColumnID(0), element.type)
        let test: BoundExpression
        switch op {
        case .binary(let comparison):
            test = try bindBinary(comparison, captured, current, at: span)
        case .pattern(let kind, let isNegated):
            test = .pattern(
                Self.language(of: kind),
                try text(captured, at: operand.span),
                pattern: try text(current, at: list.span),
                escape: nil,
                isNegated: isNegated
            )
        }
        let lambda = Lambda(
            body: test,
            parameterTypes: [element.type, .int64],
            captureStart: 1,
            captureCount: 1
        )
        let answers = BoundExpression.nested(
            .transform(lambda, condition: nil),
            [bound, value],
            .list(of: .boolean)
        )
        let isAny = quantifier == .any
        func has(_ answer: Value) -> BoundExpression {
            .nested(.plain(.position), [answers, .constant(answer, .boolean)], .int32)
        }
        func isThere(_ answer: Value) -> BoundExpression { .isNull(has(answer), isNegated: true) }
        let decided = BoundExpression.constant(.boolean(isAny), .boolean)
        let result = BoundExpression.conditional(
            [
                BoundExpression.Branch(condition: isThere(.boolean(isAny)), value: decided),
                BoundExpression.Branch(
                    condition: isThere(.null),
                    value: .constant(.null, .boolean)
                ),
            ],
            otherwise: .constant(.boolean(!isAny), .boolean),
            .boolean
        )
        return bound.columnIDs.isEmpty && value.columnIDs.isEmpty
            ? try folded(result, at: span) : result
    }
}

extension DataType {
    var isMap: Bool {
        if case .map = self { return true }
        return false
    }

    /// The type of the elements of a list; nil for others.
    var elementType: DataType? {
        if case .list(let field) = self { return field.type }
        return nil
    }
}

extension Binder {
    /// `a || b` of lists; nil when no operand is one.
    func concatenatedLists(
        _ parts: [BoundExpression],
        at span: SourceSpan
    ) throws -> BoundExpression? {
        guard parts.contains(where: { $0.type.elementType != nil }) else { return nil }
        if parts.contains(where: { $0.type == .null }) { return .constant(.null, .null) }
        let joined = try bind(ListFunction.concatenate, parts, "||", at: span)
        // Unlike for list_concat, a null operand makes everything null.
        let unknown = parts.filter { !$0.isConstant }
        guard let known = BoundExpression.conjunction(unknown.map { .isNull($0, isNegated: true) })
        else { return joined }
        let branch = BoundExpression.Branch(condition: known, value: joined)
        return .conditional([branch], otherwise: nil, joined.type)
    }

    /// The fields that `s.*` stands for, when `s` is a struct; nil when it is none.
    func fieldsOfStar(_ star: Star, _ scope: Scope, at span: SourceSpan) throws -> [SelectItem]? {
        var base: BoundExpression?
        let matches = scope.matches(star.qualifier)
        if let match = matches.first, Set(matches.map(\.column.id)).count == 1 {
            base = match.column.reference
        } else {
            base = try bindFieldPath(star.qualifier, scope, at: span)
        }
        guard let base, case .structure(let fields) = base.type else { return nil }
        let own = SQL.Expression(.column(star.qualifier), span: span)
        return fields.compactMap { field in
            if star.excluded.contains(where: { $0.last?.means(field.name) ?? false }) { return nil }
            let name = Identifier(field.name, isQuoted: true, span: span)
            if let replaced = star.replaced.first(where: {
                $0.name.last?.means(field.name) ?? false
            }) {
                return SelectItem(expression: replaced.expression, alias: Identifier(field.name))
            }
            let renamed = star.renamed.first { $0.old.last?.means(field.name) ?? false }
            return SelectItem(
                expression: SQL.Expression(.field(own, name), span: span),
                alias: renamed?.new ?? Identifier(field.name)
            )
        }
    }
}
