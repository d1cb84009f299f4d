import Columnar
import SQL

/// A bound piece of a FROM clause.
struct BoundRelation {
    var plan: LogicalPlan
    var scope: Scope

    /// Puts the columns of a join under the join's own name.
    mutating func name(_ alias: TableAlias?) {
        guard let alias else { return }
        scope = Scope(
            scope.columns.filter(\.isShown).map {
                ScopeColumn(qualifier: [alias.name.name], name: $0.name, column: $0.column)
            }
        )
    }
}

extension Binder {
    mutating func bindFrom(_ references: [TableReference]) throws -> BoundRelation {
        var result: BoundRelation?
        for reference in references {
            guard let before = result else {
                result = try bindReference(reference)
                continue
            }
            let next = try bindReference(reference, beside: before.scope)
            result = BoundRelation(
                plan: .join(
                    LogicalPlan.Join(kind: .cross, left: before.plan, right: next.plan)
                ),
                scope: Scope(before.scope.columns + next.scope.columns)
            )
        }
        if let result { return result }
        // Without a FROM there is one row of no columns.
        return BoundRelation(
            plan: .values(LogicalPlan.Values(columns: [], rows: [[]])),
            scope: Scope()
        )
    }

    /// - Parameter scope: what stands to the left, which a query in FROM may look at.
    private mutating func bindReference(
        _ reference: TableReference,
        beside scope: Scope
    ) throws -> BoundRelation {
        outerLevels.append(OuterLevel(scope: scope, aggregates: nil))
        defer { outerLevels.removeLast() }
        return try bindReference(reference)
    }

    private mutating func bindReference(_ reference: TableReference) throws -> BoundRelation {
        switch reference {
        case .table(let table):
            return try sampled(try bindTable(table), table.sample)
        case .file(let file):
            let plan = try bindSource(.file(file.path), at: file.span)
            let stem = file.path.split(separator: "/").last.map(String.init) ?? file.path
            let name = stem.split(separator: ".").first.map(String.init) ?? stem
            return try sampled(try aliased(plan, file.alias, qualifier: [name]), file.sample)
        case .function(let function):
            return try sampled(try bindTableFunction(function), function.sample)
        case .derived(let derived):
            let plan = uniquelyNamed(try bind(query: derived.query))
            return try sampled(
                try aliased(plan, derived.alias, qualifier: []),
                derived.sample
            )
        case .join(let join):
            return try bindJoin(join)
        case .pivot(let pivot): return try bindPivot(pivot, try bindReference(pivot.source))
        case .unpivot(let unpivot):
            return try bindUnpivot(unpivot, try bindReference(unpivot.source))
        case .description(let description): return try bindDescription(description)
        }
    }

    private mutating func sampled(
        _ relation: BoundRelation,
        _ sample: TableSample?
    ) throws -> BoundRelation {
        BoundRelation(plan: try sampled(relation.plan, sample), scope: relation.scope)
    }

    mutating func bindTable(_ table: NamedTable) throws -> BoundRelation {
        let name = table.name
        if name.count == 1, table.asOf == nil,
            let index = commonTables.lastIndex(where: { name[0].means($0.name.name) })
        {
            let common = commonTables[index]
            let plan = try bindCommon(common, at: name.span)
            return try aliased(plan, table.alias, qualifier: [common.name.name])
        }
        let parts = lookedUp(name)
        if table.asOf == nil, let view = environment.views[parts] {
            return try aliased(
                try expand(view, at: table.span),
                table.alias,
                qualifier: name.map(\.name)
            )
        }
        let version = try table.asOf.map { try bindVersion($0) }
        let plan = try bindSource(.named(parts, version: version), at: name.span)
        return try aliasedTable(plan, table.alias, qualifier: name.map(\.name))
    }

    /// Which version a time-travel clause means.
    mutating func bindVersion(_ asOf: TimeTravel) throws -> TableVersion {
        func constant(_ expression: SQL.Expression, _ wanted: DataType?) throws -> Value {
            var context = ExpressionContext(scope: Scope(), clause: "time travel")
            var bound = try bind(expression, &context)
            if let wanted { bound = try coerce(bound, to: wanted, at: expression.span) }
            guard bound.columnIDs.isEmpty, context.attachments.isEmpty else {
                throw PlanError(.invalid, "a version must be a constant", at: expression.span)
            }
            return try environment.evaluate(bound)
        }
        switch asOf {
        case .version(let expression):
            switch try constant(expression, nil) {
            case .int32(let id): return .snapshot(Int64(id))
            case .int64(let id): return .snapshot(id)
            case .string(let name): return .reference(name)
            default:
                throw PlanError(
                    .invalid,
                    "a version is a snapshot id or the name of a branch or tag",
                    at: expression.span
                )
            }
        case .timestamp(let expression):
            guard case .timestamptz(let micros) = try constant(expression, .timestamptz) else {
                throw PlanError(.invalid, "time travel needs a timestamp", at: expression.span)
            }
            return .timestamp(micros)
        }
    }

    private mutating func bindTableFunction(_ function: TableFunction) throws -> BoundRelation {
        if let plan = try bindTableMacro(function) {
            let name = function.call.name.last?.name ?? ""
            return try aliased(plan, function.alias, qualifier: [name])
        }
        if let plan = try bindUnnestTable(function) {
            let name = function.call.name.last?.folded ?? ""
            return try aliased(plan, function.alias, qualifier: [name])
        }
        guard !function.isWithOrdinality, !function.isLateral else {
            throw PlanError(
                .unsupported,
                "LATERAL and WITH ORDINALITY are not supported yet",
                at: function.span
            )
        }
        var values: [Value] = []
        var named: [TableRequest.NamedArgument] = []
        for argument in function.call.arguments {
            var argument = argument
            // `header = true`, as DuckDB writes named arguments here.
            if argument.name == nil,
                case .binary(.equal, let left, let right) = argument.value.node,
                case .column(let name) = left.node, name.count == 1
            {
                argument = FunctionArgument(name: name[0], value: right)
            }
            let value = try bindConstantArgument(argument.value)
            if let name = argument.name {
                named.append(TableRequest.NamedArgument(name: name.folded, value: value))
            } else {
                values.append(value)
            }
        }
        let name = function.call.name.map(\.folded).joined(separator: ".")
        let plan = try bindSource(
            .function(name, arguments: values, named: named),
            at: function.span
        )
        return try aliased(plan, function.alias, qualifier: [name])
    }

    /// A constant argument of a table function: a scalar, a list of constants or a struct of them.
    private mutating func bindConstantArgument(_ expression: SQL.Expression) throws -> Value {
        switch expression.node {
        case .list(let elements):
            return .list(try elements.map { try bindConstantArgument($0) })
        case .structure(let entries):
            return .map(
                try entries.map {
                    Value.MapEntry(
                        key: .string($0.name.name),
                        value: try bindConstantArgument($0.value)
                    )
                }
            )
        default:
            var context = ExpressionContext(scope: Scope(), clause: "arguments of a table function")
            let bound = try bind(expression, &context)
            guard bound.columnIDs.isEmpty, context.attachments.isEmpty else {
                throw PlanError(
                    .invalid,
                    "arguments of a table function must be constants",
                    at: expression.span
                )
            }
            return try environment.evaluate(bound)
        }
    }

    private mutating func bindSource(
        _ request: TableRequest,
        at span: SourceSpan
    ) throws -> LogicalPlan {
        guard let known = environment.tables[request] else {
            throw MissingTable(request: request, position: span.position)
        }
        let table: SourceTable
        do {
            table = try known.get()
        } catch var error as PlanError {
            if error.position == nil {
                error.position = span.position
                error.lengthBytes = span.lengthBytes
            }
            if error.code == .noSuchTable, case .named(let parts, _) = request, parts.count == 1,
                openCommonTables.contains(where: { $0.means(parts[0]) })
            {
                error.hint = "Write WITH RECURSIVE to let the query refer to itself."
            }
            throw error
        }
        if !table.collations.isEmpty { usesCollations = true }
        var columns: [(position: Int, column: PlanColumn)] = []
        for (position, field) in table.schema.fields.enumerated() {
            if !exposesRowNumbers, table.isPseudo(position) { continue }
            columns.append(
                (position, newColumn(field.name, field.type, isNullable: field.isNullable))
            )
        }
        return .scan(LogicalPlan.Scan(table: table, columns: columns))
    }

    /// The relation under its alias, with the alias's column names.
    mutating func aliased(
        _ plan: LogicalPlan,
        _ alias: TableAlias?,
        qualifier: [String]
    ) throws -> BoundRelation {
        noteCollations(plan)
        guard let alias else {
            return BoundRelation(plan: plan, scope: Scope(plan, qualifier: qualifier))
        }
        let renamedPlan = try renamed(plan, alias.columns, of: alias.name)
        noteCollations(renamedPlan)
        return BoundRelation(
            plan: renamedPlan,
            scope: Scope(renamedPlan, qualifier: [alias.name.name])
        )
    }

    /// The plan with a number behind names that stand before them, as in DuckDB.
    mutating func uniquelyNamed(_ plan: LogicalPlan) -> LogicalPlan {
        let columns = plan.columns
        var seen: Set<String> = []
        var isUnique = true
        let names = columns.map { column -> String in
            var name = column.name
            var number = 1
            while !seen.insert(name.lowercased()).inserted {
                name = "\(column.name)_\(number)"
                number += 1
                isUnique = false
            }
            return name
        }
        if isUnique { return plan }
        return .project(
            zip(columns, names).map { column, name in
                LogicalPlan.Projection(
                    column.reference,
                    newColumn(name, column.type, isNullable: column.isNullable)
                )
            },
            plan
        )
    }

    mutating func renamed(
        _ plan: LogicalPlan,
        _ names: [Identifier],
        of relation: Identifier
    ) throws -> LogicalPlan {
        if names.isEmpty { return plan }
        let columns = plan.columns
        guard names.count <= columns.count else {
            throw PlanError(
                .invalid,
                "\(relation.name) has \(columns.count) columns, but \(names.count) names are given",
                at: relation.span
            )
        }
        return .project(
            columns.enumerated().map { index, column in
                var new = newColumn(
                    index < names.count ? names[index].name : column.name,
                    column.type
                )
                new.isNullable = column.isNullable
                return LogicalPlan.Projection(column.reference, new)
            },
            plan
        )
    }

    private mutating func bindJoin(_ join: SQL.Join) throws -> BoundRelation {
        let left = try bindReference(join.left)
        let right = try bindReference(join.right, beside: left.scope)
        let kind: JoinKind
        switch join.kind {
        case .inner: kind = .inner
        case .left: kind = .left
        case .right: kind = .right
        case .full: kind = .full
        case .cross: kind = .cross
        case .semi: kind = .semi
        case .anti: kind = .anti
        case .asof: kind = .inner
        case .asofLeft: kind = .left
        case .positional:
            var relation = BoundRelation(
                plan: positional(left.plan, right.plan),
                scope: Scope(left.scope.columns + right.scope.columns)
            )
            relation.name(join.alias)
            return relation
        }
        let looksLeft = !right.plan.freeColumns.isDisjoint(with: left.plan.columns.map(\.id))
        if looksLeft, kind == .right || kind == .full {
            throw PlanError(
                .invalid,
                "the right side of a \(join.kind.rawValue) JOIN cannot refer to the left one",
                at: join.span
            )
        }
        var scope = Scope(left.scope.columns + right.scope.columns)
        var conditions: [BoundExpression] = []
        var leftPlan = left.plan
        var rightPlan = right.plan
        var mergedCount = 0
        let kinds: [SQL.Join.Kind] = [.asof, .asofLeft]
        var whole: [LogicalPlan.Projection] = []
        switch join.condition {
        case nil: break
        case .on(let expression):
            var context = ExpressionContext(scope: scope, clause: "ON")
            let bound = try bindBoolean(expression, &context)
            conditions = bound.conjuncts
            if !context.attachments.isEmpty {
                // The subquery joins the side that it looks at; of an inner join, the pairs.
                let leftIDs = Set(left.plan.columns.map(\.id))
                let rightIDs = Set(right.plan.columns.map(\.id))
                let used = context.attachments.reduce(into: Set<ColumnID>()) { used, attachment in
                    used.formUnion(attachment.plan.freeColumns)
                    for condition in attachment.conditions { used.formUnion(condition.columnIDs) }
                }
                if kind == .inner {
                    let pairs = LogicalPlan.join(
                        LogicalPlan.Join(kind: .cross, left: leftPlan, right: rightPlan)
                    )
                    return BoundRelation(
                        plan: .filter(bound, try attach(context.attachments, to: pairs)),
                        scope: scope
                    )
                } else if used.isDisjoint(with: leftIDs) {
                    rightPlan = try attach(context.attachments, to: rightPlan)
                } else if used.isDisjoint(with: rightIDs) {
                    leftPlan = try attach(context.attachments, to: leftPlan)
                } else if kind == .right {
                    leftPlan = .filter(bound, try attach(context.attachments, to: leftPlan))
                    return BoundRelation(
                        plan: .join(
                            LogicalPlan.Join(kind: .left, left: rightPlan, right: leftPlan)
                        ),
                        scope: scope
                    )
                } else if kind != .full {
                    // The rows of the right side that each row of the left one has.
                    rightPlan = .filter(bound, try attach(context.attachments, to: rightPlan))
                    conditions = []
                } else {
                    throw PlanError(
                        .unsupported,
                        "a subquery in ON of a FULL JOIN that looks at both sides "
                            + "is not supported yet",
                        at: expression.span
                    )
                }
            }
        case .using, .natural:
            var names: [Identifier] = []
            if case .using(let written)? = join.condition {
                names = written
            } else {
                for column in left.scope.columns where column.isShown {
                    let name = Identifier(column.name, isQuoted: true)
                    if !right.scope.matches([name]).isEmpty { names.append(name) }
                }
            }
            for name in names {
                let leftColumn = try only(left.scope.matches([name]), name, join.span)
                let rightColumn = try only(right.scope.matches([name]), name, join.span)
                // The last column of an ASOF join is the one that need not be equal.
                let isNearest = kinds.contains(join.kind) && name == names.last
                conditions.append(
                    try compare(
                        isNearest ? .greaterOrEqual : .equal,
                        leftColumn.column.reference,
                        rightColumn.column.reference,
                        at: name.span
                    )
                )
                // One column stands for both; which side's value it has depends on the join.
                var shown = leftColumn
                switch kind {
                case .right: shown = rightColumn
                case .full:
                    // Either side may be missing: the value is that of the one that is there.
                    let (a, b) = try unify(
                        leftColumn.column.reference,
                        rightColumn.column.reference,
                        at: name.span
                    )
                    let value = newColumn(leftColumn.name, a.type)
                    whole.append(LogicalPlan.Projection(.call(.coalesce, [a, b], a.type), value))
                    shown.column = value
                default: break
                }
                for index in scope.columns.indices {
                    let id = scope.columns[index].column.id
                    if id == leftColumn.column.id || id == rightColumn.column.id {
                        scope.columns[index].isHidden = true
                    }
                }
                // It stands where the left one stood.
                let place = scope.columns.firstIndex { $0.column.id == leftColumn.column.id }
                scope.columns.insert(
                    ScopeColumn(qualifier: [], name: leftColumn.name, column: shown.column),
                    at: place ?? 0
                )
                mergedCount += 1
            }
        }
        if kind == .semi || kind == .anti {
            scope = Scope(Array(scope.columns[..<(left.scope.columns.count + mergedCount)]))
        }
        if conditions.isEmpty && kind == .inner && join.kind != .asof {
            leftPlan = .join(LogicalPlan.Join(kind: .cross, left: leftPlan, right: rightPlan))
            return BoundRelation(plan: leftPlan, scope: scope)
        }
        var plan: LogicalPlan
        if join.kind == .asof || join.kind == .asofLeft {
            plan = try asOf(leftPlan, rightPlan, conditions, join)
        } else {
            plan = LogicalPlan.join(
                LogicalPlan.Join(
                    kind: kind,
                    left: leftPlan,
                    right: rightPlan,
                    conditions: conditions
                )
            )
        }
        if !whole.isEmpty {
            plan = .project(
                plan.columns.map { LogicalPlan.Projection($0.reference, $0) } + whole,
                plan
            )
        }
        var relation = BoundRelation(plan: plan, scope: scope)
        relation.name(join.alias)
        return relation
    }

    private func only(
        _ matches: [ScopeColumn],
        _ name: Identifier,
        _ span: SourceSpan
    ) throws -> ScopeColumn {
        guard matches.count == 1, let match = matches.first else {
            throw PlanError(
                .invalid,
                matches.isEmpty
                    ? "column \"\(name.name)\" of USING is not on both sides"
                    : "column \"\(name.name)\" of USING is ambiguous",
                at: name.span
            )
        }
        return match
    }
}
