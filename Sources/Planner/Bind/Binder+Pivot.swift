import Columnar
import SQL

/// PIVOT as an aggregate for every output column, each over the rows that have its value, and UNPIVOT as
/// rows repeated for every column.
extension Binder {
    /// The most columns that a PIVOT may make.
    private static let pivotColumnsMax = 10_000

    /// What one output column of a PIVOT is for.
    private struct PivotValue {
        var condition: SQL.Expression
        var name: String
    }

    mutating func bindPivot(_ pivot: Pivot, _ source: BoundRelation) throws -> BoundRelation {
        for aggregate in pivot.aggregates where !pivot.on.isEmpty {
            _ = try filtered(aggregate.expression, [])
        }
        var combinations = [(conditions: [SQL.Expression](), names: [String]())]
        for column in pivot.on {
            let values = try pivotValues(column, source, pivot.span)
            guard
                combinations.count * values.count * max(1, pivot.aggregates.count)
                    <= Self.pivotColumnsMax
            else {
                throw PlanError(
                    .invalid,
                    "PIVOT would make more than \(Self.pivotColumnsMax) columns",
                    hint: "Name the values that you want: ON column IN (…).",
                    at: column.expression.span
                )
            }
            combinations = combinations.flatMap { before in
                values.map { (before.conditions + [$0.condition], before.names + [$0.name]) }
            }
        }
        var aggregates = pivot.aggregates
        if aggregates.isEmpty {
            let call = FunctionCall(
                name: [Identifier("count", span: pivot.span)],
                arguments: [FunctionArgument(value: SQL.Expression(.star(Star())))]
            )
            aggregates = [SelectItem(expression: SQL.Expression(.function(call), span: pivot.span))]
        }
        let groups = try pivotGroups(pivot, aggregates, source)
        var items = groups
        if pivot.on.isEmpty {
            items += aggregates
        } else {
            for (conditions, names) in combinations {
                let value = names.joined(separator: "_")
                for aggregate in aggregates {
                    var name = value
                    if let alias = aggregate.alias {
                        name += "_\(alias.name)"
                    } else if aggregates.count > 1 {
                        name += "_\(Printer.print(aggregate.expression))"
                    }
                    items.append(
                        SelectItem(
                            expression: try filtered(aggregate.expression, conditions),
                            alias: Identifier(name, isQuoted: true)
                        )
                    )
                }
            }
        }
        guard !items.isEmpty else {
            throw PlanError(.invalid, "PIVOT gives no columns: there are no values", at: pivot.span)
        }
        let select = SelectBlock(
            items: items,
            groupBy: .elements(
                groups.isEmpty ? [.expressions([])] : groups.map { .expressions([$0.expression]) },
                isDistinct: false
            ),
            span: pivot.span
        )
        let plan = uniquelyNamed(
            try bindSelect(select, orderBy: nil, limit: nil, over: source)
        )
        return try aliased(plan, pivot.alias, qualifier: [])
    }

    /// What the rows are grouped by: as written, or every column that is not used otherwise.
    private func pivotGroups(
        _ pivot: Pivot,
        _ aggregates: [SelectItem],
        _ source: BoundRelation
    ) throws -> [SelectItem] {
        if let groups = pivot.groupBy {
            return groups.map {
                SelectItem(expression: $0, alias: Identifier(outputName($0), isQuoted: true))
            }
        }
        // A statement without ON has no columns to take away from.
        if pivot.on.isEmpty { return [] }
        let used = try columns(
            of: pivot.on.map(\.expression) + aggregates.map(\.expression),
            source.scope
        )
        return source.scope.columns.filter { $0.isShown && !used.contains($0.column.id) }
            .map { column in
                SelectItem(
                    expression: SQL.Expression(
                        .column(
                            (column.qualifier + [column.name]).map {
                                Identifier($0, isQuoted: true)
                            }
                        ),
                        span: pivot.span
                    ),
                    alias: Identifier(column.name, isQuoted: true)
                )
            }
    }

    /// The columns of a scope that expressions name.
    private func columns(
        of expressions: [SQL.Expression],
        _ scope: Scope
    ) throws -> Set<ColumnID> {
        var used: Set<ColumnID> = []
        for expression in expressions {
            _ = try TreeRewriter(expression: { part in
                guard case .column(let name) = part.node else { return nil }
                used.formUnion(scope.matches(name).map(\.column.id))
                return nil
            }).rewrite(expression)
        }
        return used
    }

    /// The aggregate over the rows that meet the conditions.
    private func filtered(
        _ aggregate: SQL.Expression,
        _ conditions: [SQL.Expression]
    ) throws -> SQL.Expression {
        var count = 0
        let result = try TreeRewriter(expression: { part in
            guard case .function(var call) = part.node, call.over == nil, call.name.count == 1,
                Self.isAggregate(call.name[0].name.lowercased())
            else { return nil }
            count += 1
            let all = conditions + [call.filter].compactMap { $0 }
            if all.count > 1 {
                call.filter = SQL.Expression(.and(all), span: part.span)
            } else {
                call.filter = all.first
            }
            return SQL.Expression(.function(call), span: part.span)
        }).rewrite(aggregate)
        guard count == 1 else {
            throw PlanError(
                .invalid,
                "PIVOT needs one aggregate in each expression of USING, here are \(count)",
                hint: count == 0 ? "Write for example sum(amount) or first(name)." : nil,
                at: aggregate.span
            )
        }
        return result
    }

    // MARK: Values

    private mutating func pivotValues(
        _ column: Pivot.Column,
        _ source: BoundRelation,
        _ span: SourceSpan
    ) throws -> [PivotValue] {
        var parts = [column.expression]
        if case .row(let list) = column.expression.node { parts = list }
        switch column.values {
        case .list(let items)?:
            return try items.map { item in
                var values = [item.expression]
                if parts.count > 1 {
                    guard case .row(let list) = item.expression.node, list.count == parts.count
                    else {
                        throw PlanError(
                            .invalid,
                            "each value of this IN must be a row of \(parts.count) values",
                            at: item.expression.span
                        )
                    }
                    values = list
                }
                let name =
                    try item.alias?.name
                    ?? values.map { try pivotName($0) }.joined(separator: "_")
                return PivotValue(
                    condition: Self.equal(parts, values, item.expression.span),
                    name: name
                )
            }
        case .query(let query)?:
            let plan = try bind(query: query)
            guard plan.columns.count == parts.count else {
                throw PlanError(
                    .invalid,
                    "the query of this IN must give \(parts.count) columns, not \(plan.columns.count)",
                    at: query.span
                )
            }
            return try pivotValues(parts, plan, query.span)
        case nil:
            var projections: [LogicalPlan.Projection] = []
            for part in parts {
                var context = ExpressionContext(scope: source.scope, clause: "ON")
                let bound = try bind(part, &context)
                guard context.attachments.isEmpty else {
                    throw PlanError(
                        .unsupported,
                        "PIVOT ON cannot have a subquery",
                        at: part.span
                    )
                }
                projections.append(
                    LogicalPlan.Projection(bound, newColumn("value", bound.type))
                )
            }
            let present = LogicalPlan.filter(
                .and(projections.map { .isNull($0.column.reference, isNegated: true) }),
                .project(projections, source.plan)
            )
            return try pivotValues(parts, present, span)
        }
    }

    /// The distinct rows of a plan as values, in the order of their texts.
    private mutating func pivotValues(
        _ parts: [SQL.Expression],
        _ plan: LogicalPlan,
        _ span: SourceSpan
    ) throws -> [PivotValue] {
        let texts = try plan.columns.map { column in
            LogicalPlan.Projection(
                try coerce(column.reference, to: .string, at: span),
                newColumn(column.name, .string)
            )
        }
        let distinctTexts = distinct(.project(texts, plan))
        guard distinctTexts.freeColumns.isEmpty, !distinctTexts.readsWorkingTable else {
            throw PlanError(
                .invalid,
                "the values of a PIVOT inside of a query that it depends on must be named",
                hint: "Write ON column IN (…).",
                at: span
            )
        }
        let keys = distinctTexts.columns.map {
            SortKey(expression: $0.reference, isDescending: false, nullsFirst: false)
        }
        let rows = try answer(
            .sort(keys, limit: nil, distinctTexts),
            "values of a PIVOT",
            rowCountMax: Self.pivotColumnsMax
        )
        return rows.map { row in
            var names: [String] = []
            var wanted: [SQL.Expression] = []
            for value in row {
                if case .string(let text) = value {
                    names.append(text)
                    wanted.append(SQL.Expression(.literal(.string(text)), span: span))
                } else {
                    names.append("NULL")
                    wanted.append(SQL.Expression(.literal(.null), span: span))
                }
            }
            let asText = parts.map {
                SQL.Expression(.cast($0, TypeName(.text(length: nil)), isTry: false), span: $0.span)
            }
            return PivotValue(
                condition: Self.equal(asText, wanted, span),
                name: names.count == 1 ? names[0] : "(" + names.joined(separator: ", ") + ")"
            )
        }
    }

    /// A constant as the name of a column.
    private mutating func pivotName(_ value: SQL.Expression) throws -> String {
        switch try constant(value, as: .string) {
        case .string(let text): text
        default: "NULL"
        }
    }

    private static func equal(
        _ parts: [SQL.Expression],
        _ values: [SQL.Expression],
        _ span: SourceSpan
    ) -> SQL.Expression {
        let tests = zip(parts, values).map {
            SQL.Expression(.isDistinct($0, $1, isNegated: true), span: span)
        }
        return tests.count == 1 ? tests[0] : SQL.Expression(.and(tests), span: span)
    }

    // MARK: UNPIVOT

    mutating func bindUnpivot(_ unpivot: Unpivot, _ source: BoundRelation) throws -> BoundRelation {
        let width = unpivot.values.count
        var entries: [(name: String, values: [BoundExpression], span: SourceSpan)] = []
        var used: Set<ColumnID> = []
        for item in unpivot.columns {
            var parts: [(expressions: [SQL.Expression], name: String?)] = []
            if case .row(let list) = item.expression.node {
                parts = [(list, item.alias?.name)]
            } else {
                parts = try expandStar(item, source.scope).map {
                    ([$0.expression], $0.alias?.name)
                }
            }
            for part in parts {
                guard part.expressions.count == width else {
                    throw PlanError(
                        .invalid,
                        "UNPIVOT gives \(width) values, but here are \(part.expressions.count) columns",
                        hint: "VALUE names as many columns as each part of ON has.",
                        at: item.expression.span
                    )
                }
                let own = try columns(of: part.expressions, source.scope)
                guard !own.isEmpty else {
                    throw PlanError(
                        .invalid,
                        "UNPIVOT needs a column here",
                        at: item.expression.span
                    )
                }
                used.formUnion(own)
                var values: [BoundExpression] = []
                for expression in part.expressions {
                    var context = ExpressionContext(scope: source.scope, clause: "UNPIVOT")
                    values.append(try bind(expression, &context))
                    guard context.attachments.isEmpty else {
                        throw PlanError(
                            .unsupported,
                            "UNPIVOT cannot have a subquery",
                            at: expression.span
                        )
                    }
                }
                let names = part.expressions.map { expression in
                    source.scope.columns.first { column in
                        (try? columns(of: [expression], source.scope))?.contains(column.column.id)
                            ?? false
                    }?.name ?? outputName(expression)
                }
                entries.append(
                    (part.name ?? names.joined(separator: "_"), values, item.expression.span)
                )
            }
        }
        var types = [DataType](repeating: .null, count: width)
        for entry in entries {
            for (index, value) in entry.values.enumerated() {
                let isText = types[index] == .string || value.type == .string
                guard let common = CoercionRules.common(types[index], value.type),
                    !isText || types[index] == value.type || types[index] == .null
                        || value.type == .null
                else {
                    throw PlanError(
                        .invalid,
                        "UNPIVOT cannot put \(types[index]) and \(value.type) into one column",
                        hint: "Use CAST to make them one type.",
                        at: entry.span
                    )
                }
                types[index] = common
            }
        }
        for index in types.indices where types[index] == .null { types[index] = .int32 }
        let place = newColumn("place", .int64, isNullable: false)
        let repeated = LogicalPlan.join(
            LogicalPlan.Join(
                kind: .cross,
                left: source.plan,
                right: .values(
                    LogicalPlan.Values(
                        columns: [place],
                        rows: entries.indices.map { [.constant(.int64(Int64($0)), .int64)] }
                    )
                )
            )
        )
        func chosen(_ value: (Int) throws -> BoundExpression, _ type: DataType) rethrows
            -> BoundExpression
        {
            .conditional(
                try entries.indices.map { index in
                    BoundExpression.Branch(
                        condition: .compare(
                            .equal,
                            place.reference,
                            .constant(.int64(Int64(index)), .int64)
                        ),
                        value: try value(index)
                    )
                },
                otherwise: nil,
                type
            )
        }
        var projections = source.scope.columns
            .filter { $0.isShown && !used.contains($0.column.id) }
            .map { column in
                LogicalPlan.Projection(
                    column.column.reference,
                    newColumn(
                        column.name,
                        column.column.type,
                        isNullable: column.column.isNullable
                    )
                )
            }
        projections.append(
            LogicalPlan.Projection(
                chosen({ .constant(.string(entries[$0].name), .string) }, .string),
                newColumn(unpivot.name.name, .string, isNullable: false)
            )
        )
        var values: [PlanColumn] = []
        for (index, identifier) in unpivot.values.enumerated() {
            let column = newColumn(identifier.name, types[index])
            projections.append(
                LogicalPlan.Projection(
                    try chosen(
                        {
                            try coerce(
                                entries[$0].values[index],
                                to: types[index],
                                at: entries[$0].span
                            )
                        },
                        types[index]
                    ),
                    column
                )
            )
            values.append(column)
        }
        var plan = LogicalPlan.project(projections, repeated)
        if !unpivot.isIncludingNulls {
            plan = .filter(.and(values.map { .isNull($0.reference, isNegated: true) }), plan)
        }
        return try aliased(uniquelyNamed(plan), unpivot.alias, qualifier: [])
    }
}
