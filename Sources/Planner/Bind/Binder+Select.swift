import Columnar
import SQL

/// A subquery met inside an expression: the plan is joined to the rows that the expression sees.
struct Attachment {
    var kind: JoinKind
    var plan: LogicalPlan
    var conditions: [BoundExpression]
    var isNullAware: Bool
}

/// What an expression may refer to where it stands.
struct ExpressionContext {
    var scope: Scope
    /// For messages: `WHERE`, `ON` and others.
    var clause: String
    /// Where aggregates are collected; nil where none may stand.
    var aggregates: AggregateCollector?
    /// Whether there is a GROUP BY.
    var isGrouped = false
    /// Where window functions are collected; nil where none may stand.
    var windows: WindowCollector?
    /// Where lists that are taken apart are collected; nil where none may be.
    var unnests: UnnestCollector?
    /// Aliases of the select list that may be used here, in clauses after it.
    var aliases: [(name: Identifier, expression: SQL.Expression)] = []
    /// Subqueries of this expression, in the order they were met.
    var attachments: [Attachment] = []
    /// Aliases being expanded, to stop one that names itself.
    var openAliases: Set<String> = []

    init(scope: Scope, clause: String) {
        self.scope = scope
        self.clause = clause
    }
}

/// The aggregates of one SELECT, each once.
final class AggregateCollector {
    var calls: [(call: AggregateCall, column: PlanColumn)] = []
    /// Subqueries inside arguments: they join the rows before they are grouped.
    var attachments: [Attachment] = []
    /// Calls of `grouping()`: their arguments, and the columns that stand for them.
    var groupings: [(arguments: [BoundExpression], column: PlanColumn)] = []
    /// How many arguments of aggregates are being bound, one inside the other.
    var isInsideArgument = 0
}

/// The window functions of one SELECT, each once.
final class WindowCollector {
    struct Entry {
        var partition: [BoundExpression]
        var order: [SortKey]
        var call: WindowCall
        var column: PlanColumn
    }

    /// Windows that the WINDOW clause names.
    let named: [NamedWindow]
    var entries: [Entry] = []

    init(_ named: [NamedWindow]) {
        self.named = named
    }

    /// The plan with all columns of the window functions, those of one window computed together.
    func plan(over input: LogicalPlan) -> LogicalPlan {
        var plan = input
        var rest = entries
        while let first = rest.first {
            let isSame: (Entry) -> Bool = {
                $0.partition == first.partition && $0.order == first.order
            }
            plan = .window(
                LogicalPlan.Window(
                    partition: first.partition,
                    order: first.order,
                    calls: rest.filter(isSame).map { ($0.call, $0.column) },
                    input: plan
                )
            )
            rest.removeAll(where: isSame)
        }
        return plan
    }
}

/// One output column of a SELECT.
struct SelectOutput {
    var expression: BoundExpression
    var name: String
    var span: SourceSpan
    /// What was written, where subqueries were met in it.
    var written: SQL.Expression?
    /// The places of those subqueries among the attachments of the SELECT.
    var attachments = 0..<0
}

extension Binder {
    mutating func attach(
        _ attachments: [Attachment],
        to plan: LogicalPlan
    ) throws -> LogicalPlan {
        attachments.reduce(plan) { plan, attachment in
            .join(
                LogicalPlan.Join(
                    kind: attachment.kind,
                    left: plan,
                    right: attachment.plan,
                    conditions: attachment.conditions,
                    isNullAware: attachment.isNullAware
                )
            )
        }
    }

    mutating func bindSelect(
        _ select: SelectBlock,
        orderBy: OrderBy?,
        limit: RowLimit?,
        over relation: BoundRelation? = nil
    ) throws -> LogicalPlan {
        let from = try relation ?? bindFrom(select.from)
        var plan = try sampled(from.plan, select.sample)
        let aliases = select.items.compactMap { item in
            item.alias.map { (name: $0, expression: item.expression) }
        }
        if let filter = select.filter {
            var context = ExpressionContext(scope: from.scope, clause: "WHERE")
            context.aliases = aliases
            let bound = try bindBoolean(try expandCondition(filter, from.scope), &context)
            plan = .filter(bound, try attach(context.attachments, to: plan))
        }

        let collector = AggregateCollector()
        var context = ExpressionContext(scope: from.scope, clause: "SELECT")
        context.aggregates = collector
        context.isGrouped = select.groupBy != nil
        let windows = WindowCollector(select.windows)
        context.windows = windows
        context.aliases = aliases
        let unnests = UnnestCollector()
        context.unnests = unnests
        var outputs: [SelectOutput] = []
        for item in try select.items.flatMap({ try expandStar($0, from.scope) }) {
            if let columns = try bindUnnestColumns(item, &context) {
                outputs += columns
                continue
            }
            let known = context.attachments.count
            let bound = try bind(item.expression, &context)
            var output = SelectOutput(
                expression: bound,
                name: item.alias?.name ?? outputName(item.expression),
                span: item.expression.span
            )
            if context.attachments.count > known {
                output.written = item.expression
                output.attachments = known..<context.attachments.count
            }
            outputs.append(output)
        }
        var having: BoundExpression?
        if let expression = select.having {
            var havingContext = context
            havingContext.clause = "HAVING"
            havingContext.windows = nil
            havingContext.unnests = nil
            having = try bindBoolean(
                try expandCondition(expression, from.scope),
                &havingContext
            )
            context.attachments = havingContext.attachments
        }
        var qualify: BoundExpression?
        if let expression = select.qualify {
            context.clause = "QUALIFY"
            qualify = try bindBoolean(expression, &context)
        }
        var selected = GroupableOutputs(outputs, context.attachments)
        selected.note(collector, windows, unnests)
        var (groups, sets) = try bindGroups(
            select.groupBy,
            select,
            &selected,
            from.scope,
            aliases,
            &plan
        )
        plan = try attach(selected.taken, to: plan)
        context.attachments = selected.rest
        var distinctOn: [BoundExpression] = []
        if case .on(let expressions)? = select.distinct {
            for expression in expressions {
                if let position = try ordinal(expression, count: outputs.count) {
                    distinctOn.append(outputs[position].expression)
                } else {
                    context.clause = "DISTINCT ON"
                    distinctOn.append(try bind(expression, &context))
                }
            }
        }

        // ORDER BY sees the output columns first, then what the select list sees.
        var keys: [(key: SortKey, output: Int?)] = []
        switch orderBy {
        case nil: break
        case .all(let direction, let nulls)?:
            for (index, output) in outputs.enumerated() {
                keys.append((sortKey(output.expression, direction, nulls), index))
            }
        case .items(let items)?:
            for item in try items.flatMap({ try expandOrder($0, from.scope) }) {
                if let position = try ordinal(item.expression, count: outputs.count) {
                    let expression = outputs[position].expression
                    keys.append((sortKey(expression, item.direction, item.nulls), position))
                    continue
                }
                if case .column(let name) = item.expression.node, name.count == 1,
                    let index = outputs.firstIndex(where: { name[0].means($0.name) })
                {
                    let expression = outputs[index].expression
                    keys.append((sortKey(expression, item.direction, item.nulls), index))
                    continue
                }
                var orderContext = context
                orderContext.clause = "ORDER BY"
                let bound = try bind(item.expression, &orderContext)
                context.attachments = orderContext.attachments
                let index = outputs.firstIndex { $0.expression == bound }
                keys.append((sortKey(bound, item.direction, item.nulls), index))
            }
        }

        let isGrouped = select.groupBy != nil || !collector.calls.isEmpty || having != nil
        if isGrouped {
            plan = try attach(collector.attachments, to: plan)
            for index in groups.indices where groups[index].expression.type == .null {
                groups[index].column.type = .int32
                groups[index].expression = .cast(groups[index].expression, .int32, isTry: false)
            }
            let inputs = Set(plan.columns.map(\.id))
            plan = try grouped(plan, groups, sets, collector, at: select.span)
            var allowed = Set(collector.calls.map(\.column.id))
            allowed.formUnion(collector.groupings.map(\.column.id))
            for attachment in context.attachments {
                allowed.formUnion(attachment.plan.columns.map(\.id))
                if case .mark(let id) = attachment.kind { allowed.insert(id) }
            }
            let replacer = GroupReplacer(
                groups: groups,
                allowed: allowed,
                scope: from.scope,
                inputs: inputs
            )
            for index in outputs.indices {
                outputs[index].expression = try replacer.replace(
                    outputs[index].expression,
                    at: outputs[index].span
                )
            }
            if let expression = having {
                having = try replacer.replace(expression, at: select.having?.span ?? .none)
            }
            distinctOn = try distinctOn.map { try replacer.replace($0, at: select.span) }
            if let expression = qualify {
                qualify = try replacer.replace(expression, at: select.qualify?.span ?? .none)
            }
            for index in windows.entries.indices {
                try windows.entries[index].replace {
                    try replacer.replace($0, at: select.span)
                }
            }
            for index in unnests.items.indices {
                unnests.items[index].expression = try replacer.replace(
                    unnests.items[index].expression,
                    at: select.span
                )
            }
            for index in keys.indices {
                keys[index].key.expression = try replacer.replace(
                    keys[index].key.expression,
                    at: select.span
                )
            }
            for index in context.attachments.indices {
                context.attachments[index].conditions = try context.attachments[index].conditions
                    .map { try replacer.replace($0, at: select.span) }
                // A subquery may look at what comes out of the grouping.
                context.attachments[index].plan = try context.attachments[index].plan
                    .mapAllExpressions { try replacer.replace($0, at: select.span) }
            }
        }
        // A subquery that looks at window functions comes after them, all others before.
        let computed = Set(windows.entries.map(\.column.id))
        let isLate: (Attachment) -> Bool = { attachment in
            !attachment.plan.freeColumns.isDisjoint(with: computed)
                || attachment.conditions.contains { !$0.columnIDs.isDisjoint(with: computed) }
        }
        plan = try attach(context.attachments.filter { !isLate($0) }, to: plan)
        if let having { plan = .filter(having, plan) }
        plan = windows.plan(over: plan)
        plan = try attach(context.attachments.filter(isLate), to: plan)
        if let qualify { plan = .filter(qualify, plan) }
        plan = unnests.plan(over: plan)
        return try finish(select, outputs, keys, distinctOn, limit, plan)
    }

    /// The last steps: project, DISTINCT, ORDER BY, LIMIT.
    private mutating func finish(
        _ select: SelectBlock,
        _ outputs: [SelectOutput],
        _ keys: [(key: SortKey, output: Int?)],
        _ distinctOn: [BoundExpression],
        _ limit: RowLimit?,
        _ input: LogicalPlan
    ) throws -> LogicalPlan {
        var projections: [LogicalPlan.Projection] = []
        let below = Dictionary(
            input.columns.map { ($0.id, $0.isNullable) },
            uniquingKeysWith: { a, _ in a }
        )
        for output in outputs {
            var isNullable = true
            if case .column(let id, _) = output.expression { isNullable = below[id] ?? true }
            if case .constant(let value, _) = output.expression { isNullable = value.isNull }
            projections.append(
                LogicalPlan.Projection(
                    output.expression,
                    newColumn(output.name, output.expression.type, isNullable: isNullable)
                )
            )
        }
        note(projections)
        let visible = projections.map(\.column)
        var sortKeys: [SortKey] = []
        var hidden: [LogicalPlan.Projection] = []
        for (key, output) in keys {
            var key = key
            if let output {
                key.expression = collated(visible[output].reference)
            } else if !key.expression.columnIDs.isEmpty {
                guard select.distinct != .rows else {
                    throw PlanError(
                        .invalid,
                        "with DISTINCT, ORDER BY may only name columns of the select list",
                        at: select.span
                    )
                }
                let extra = LogicalPlan.Projection(
                    key.expression,
                    newColumn("order", key.expression.type)
                )
                hidden.append(extra)
                key.expression = extra.column.reference
            }
            if !key.expression.isConstant { sortKeys.append(key) }
        }
        let parts = distinctOn.map {
            LogicalPlan.Projection(collated($0), newColumn("distinct", $0.type))
        }
        hidden += parts
        var plan = LogicalPlan.project(projections + hidden, input)
        if case .on? = select.distinct {
            // The first row of each part, in the order asked for.
            let number = newColumn("row_number", .int64, isNullable: false)
            plan = .filter(
                .compare(.equal, number.reference, .constant(.int64(1), .int64)),
                .window(
                    LogicalPlan.Window(
                        partition: parts.map(\.column.reference),
                        order: sortKeys,
                        calls: [(WindowCall(function: .rowNumber, type: .int64), number)],
                        input: plan
                    )
                )
            )
        }
        if select.distinct == .rows {
            plan = distinct(plan)
            // The distinct rows are new columns; the keys and the output follow them.
            let columns = plan.columns
            let renaming = Dictionary(
                uniqueKeysWithValues: zip(visible, columns).map { ($0.id, $1.reference) }
            )
            for index in sortKeys.indices {
                sortKeys[index].expression = sortKeys[index].expression.substituting(renaming)
            }
            return try limited(plan, limit, sortKeys)
        }
        plan = try limited(plan, limit, sortKeys)
        if !hidden.isEmpty || plan.columns.count > visible.count {
            plan = .project(visible.map { LogicalPlan.Projection($0.reference, $0) }, plan)
        }
        return plan
    }

    /// Each distinct row of a plan once.
    mutating func distinct(_ plan: LogicalPlan) -> LogicalPlan {
        if let rows = collatedDistinct(plan) { return rows }
        let groups = plan.columns.map { column in
            var new = newColumn(column.name, column.type)
            new.isNullable = column.isNullable
            return LogicalPlan.Projection(column.reference, new)
        }
        return .aggregate(LogicalPlan.Aggregate(groups: groups, calls: [], input: plan))
    }

    /// A star as the items it stands for; anything else as itself.
    func expandStar(_ item: SelectItem, _ scope: Scope) throws -> [SelectItem] {
        guard case .star = item.expression.node else { return try expandColumns(item, scope) }
        return try expandStarItem(item, scope)
    }

    /// A star as the items it stands for.
    func expandStarItem(_ item: SelectItem, _ scope: Scope) throws -> [SelectItem] {
        guard case .star(let star) = item.expression.node else { return [item] }
        let span = item.expression.span
        var columns = scope.columns.filter(\.isShown)
        if !star.qualifier.isEmpty {
            columns = scope.columns.filter {
                !$0.isPseudo && Scope.qualifies(star.qualifier, $0.qualifier)
            }
            if columns.isEmpty, let fields = try fieldsOfStar(star, scope, at: span) {
                return fields
            }
            if columns.isEmpty {
                let name = star.qualifier.map(\.name).joined(separator: ".")
                throw PlanError(.invalid, "there is no table \"\(name)\" in FROM", at: span)
            }
        }
        guard !columns.isEmpty else {
            throw PlanError(.invalid, "* needs a FROM clause", at: span)
        }
        let names = columns.map(\.name)
        for excluded in star.excluded {
            guard let name = excluded.last, columns.contains(where: { name.means($0.name) }) else {
                throw Self.unknownColumn(excluded.last?.name ?? "", names, at: excluded.span)
            }
            columns.removeAll { name.means($0.name) }
        }
        for changed in star.replaced.map(\.name) + star.renamed.map(\.old) {
            guard let name = changed.last, columns.contains(where: { name.means($0.name) }) else {
                throw Self.unknownColumn(changed.last?.name ?? "", names, at: changed.span)
            }
        }
        if let pattern = star.pattern { columns = try chosen(columns, pattern) }
        return columns.map { column in
            let identifiers = (column.qualifier + [column.name]).map {
                Identifier($0, isQuoted: true, span: span)
            }
            if let replaced = star.replaced.first(where: {
                $0.name.last?.means(column.name) ?? false
            }) {
                return SelectItem(
                    expression: replaced.expression,
                    alias: Identifier(column.name)
                )
            }
            let renamed = star.renamed.first { $0.old.last?.means(column.name) ?? false }
            return SelectItem(
                expression: SQL.Expression(.column(identifiers), span: span),
                alias: renamed?.new ?? Identifier(column.name)
            )
        }
    }

    /// The name of an output column without an alias.
    func outputName(_ expression: SQL.Expression) -> String {
        switch expression.node {
        case .column(let name): name.last?.name ?? ""
        case .field(_, let name): name.name
        case .function(let call) where call.arguments.count == 1:
            if case .star = call.arguments[0].value.node {
                call.name.last.map { $0.name.lowercased() + "_star()" } ?? ""
            } else {
                Printer.print(expression)
            }
        default: Printer.print(expression)
        }
    }
}

extension WindowCollector.Entry {
    fileprivate mutating func replace(
        _ transform: (BoundExpression) throws -> BoundExpression
    ) rethrows {
        partition = try partition.map(transform)
        order = try order.map { try $0.mapExpression(transform) }
        call = try call.mapExpressions(transform)
    }
}

/// Rewrites expressions of a grouped SELECT to what comes out of the grouping.
private struct GroupReplacer {
    var groups: [LogicalPlan.Projection]
    /// Columns that exist above the grouping: aggregates and subqueries.
    var allowed: Set<ColumnID>
    var scope: Scope
    /// What goes into the grouping; any other column is of a query around or inside this one.
    var inputs: Set<ColumnID>

    func replace(_ expression: BoundExpression, at span: SourceSpan) throws -> BoundExpression {
        // Of `a || b || c` only the whole knows where it stands, and `a || b` may be a group.
        let plain = expression.unlocated
        if let group = groups.first(where: { $0.expression.unlocated == plain }) {
            return group.column.reference
        }
        if case .column(let id, _) = expression, inputs.contains(id), !allowed.contains(id) {
            let name = scope.columns.first { $0.column.id == id }?.name ?? "?"
            throw PlanError(
                .invalid,
                "column \"\(name)\" must appear in GROUP BY or be used in an aggregate",
                hint: "Add it to GROUP BY, or use any_value(\(name)) if any of its values will do.",
                at: span
            )
        }
        let children = withConnectedGroups(expression)
        return try (children ?? expression).mapChildren { try replace($0, at: span) }
    }

    /// A conjunction or disjunction in which those that are grouped by are single operands.
    ///
    /// `(a AND b) AND c` has three operands, but `a AND b` may be a group.
    private func withConnectedGroups(_ expression: BoundExpression) -> BoundExpression? {
        func connected(
            _ operands: [BoundExpression],
            _ parts: (BoundExpression) -> [BoundExpression]?
        ) -> [BoundExpression]? {
            var result: [BoundExpression] = []
            var index = 0
            while index < operands.count {
                let rest = operands[index...]
                let group = groups.first { group in
                    parts(group.expression).map { !$0.isEmpty && rest.starts(with: $0) } ?? false
                }
                result.append(group?.expression ?? operands[index])
                index += group.flatMap { parts($0.expression)?.count } ?? 1
            }
            return result.count < operands.count ? result : nil
        }
        switch expression {
        case .and(let operands):
            return connected(operands) { if case .and(let parts) = $0 { parts } else { nil } }
                .map { .and($0) }
        case .or(let operands):
            return connected(operands) { if case .or(let parts) = $0 { parts } else { nil } }
                .map { .or($0) }
        default: return nil
        }
    }
}
