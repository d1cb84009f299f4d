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
    var isInsideArgument = false
}

/// One output column of a SELECT.
private struct SelectOutput {
    var expression: BoundExpression
    var name: String
    var span: SourceSpan
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
        limit: RowLimit?
    ) throws -> LogicalPlan {
        if let sample = select.sample {
            throw PlanError(.unsupported, "USING SAMPLE is not supported yet", at: sample.span)
        }
        if let qualify = select.qualify {
            throw PlanError(.unsupported, "QUALIFY is not supported yet", at: qualify.span)
        }
        let from = try bindFrom(select.from)
        var plan = from.plan
        let aliases = select.items.compactMap { item in
            item.alias.map { (name: $0, expression: item.expression) }
        }
        if let filter = select.filter {
            var context = ExpressionContext(scope: from.scope, clause: "WHERE")
            context.aliases = aliases
            let bound = try bindBoolean(filter, &context)
            plan = .filter(bound, try attach(context.attachments, to: plan))
        }

        let collector = AggregateCollector()
        var context = ExpressionContext(scope: from.scope, clause: "SELECT")
        context.aggregates = collector
        context.aliases = []
        var outputs: [SelectOutput] = []
        for item in try select.items.flatMap({ try expandStar($0, from.scope) }) {
            let bound = try bind(item.expression, &context)
            outputs.append(
                SelectOutput(
                    expression: bound,
                    name: item.alias?.name ?? outputName(item.expression),
                    span: item.expression.span
                )
            )
        }
        var having: BoundExpression?
        if let expression = select.having {
            var havingContext = context
            havingContext.clause = "HAVING"
            havingContext.aliases = aliases
            having = try bindBoolean(expression, &havingContext)
            context.attachments = havingContext.attachments
        }
        var groups = try bindGroups(select.groupBy, select, outputs, from.scope, aliases, &plan)

        // ORDER BY sees the output columns first, then what the select list sees.
        var keys: [(key: SortKey, output: Int?)] = []
        switch orderBy {
        case nil: break
        case .all(let direction, let nulls)?:
            for (index, output) in outputs.enumerated() {
                keys.append((sortKey(output.expression, direction, nulls), index))
            }
        case .items(let items)?:
            for item in items {
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
                orderContext.aliases = aliases
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
            plan = .aggregate(
                LogicalPlan.Aggregate(groups: groups, calls: collector.calls, input: plan)
            )
            var allowed = Set(collector.calls.map(\.column.id))
            for attachment in context.attachments {
                allowed.formUnion(attachment.plan.columns.map(\.id))
                if case .mark(let id) = attachment.kind { allowed.insert(id) }
            }
            let replacer = GroupReplacer(
                groups: groups,
                allowed: allowed,
                scope: from.scope,
                inputs: Set(plan.inputs[0].columns.map(\.id))
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
        plan = try attach(context.attachments, to: plan)
        if let having { plan = .filter(having, plan) }
        return try finish(select, outputs, keys, limit, plan)
    }

    /// The last steps: project, DISTINCT, ORDER BY, LIMIT.
    private mutating func finish(
        _ select: SelectBlock,
        _ outputs: [SelectOutput],
        _ keys: [(key: SortKey, output: Int?)],
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
        let visible = projections.map(\.column)
        var sortKeys: [SortKey] = []
        var hidden: [LogicalPlan.Projection] = []
        for (key, output) in keys {
            var key = key
            if let output {
                key.expression = visible[output].reference
            } else if !key.expression.columnIDs.isEmpty {
                guard select.distinct == nil else {
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
        var plan = LogicalPlan.project(projections + hidden, input)
        switch select.distinct {
        case nil: break
        case .rows?:
            plan = distinct(plan)
        case .on(let expressions)?:
            throw PlanError(
                .unsupported,
                "DISTINCT ON is not supported yet",
                at: expressions.first?.span
            )
        }
        if select.distinct != nil {
            // The distinct rows are new columns; the keys and the output follow them.
            let columns = plan.columns
            let renaming = Dictionary(
                uniqueKeysWithValues: zip(visible, columns).map { ($0.id, $1.reference) }
            )
            for index in sortKeys.indices {
                sortKeys[index].expression = sortKeys[index].expression.substituting(renaming)
            }
            if !sortKeys.isEmpty { plan = .sort(sortKeys, limit: nil, plan) }
            return try limited(plan, limit)
        }
        if !sortKeys.isEmpty { plan = .sort(sortKeys, limit: nil, plan) }
        plan = try limited(plan, limit)
        if !hidden.isEmpty {
            plan = .project(visible.map { LogicalPlan.Projection($0.reference, $0) }, plan)
        }
        return plan
    }

    /// Each distinct row of a plan once.
    mutating func distinct(_ plan: LogicalPlan) -> LogicalPlan {
        let groups = plan.columns.map { column in
            var new = newColumn(column.name, column.type)
            new.isNullable = column.isNullable
            return LogicalPlan.Projection(column.reference, new)
        }
        return .aggregate(LogicalPlan.Aggregate(groups: groups, calls: [], input: plan))
    }

    private mutating func bindGroups(
        _ groupBy: GroupBy?,
        _ select: SelectBlock,
        _ outputs: [SelectOutput],
        _ scope: Scope,
        _ aliases: [(name: Identifier, expression: SQL.Expression)],
        _ plan: inout LogicalPlan
    ) throws -> [LogicalPlan.Projection] {
        guard let groupBy else { return [] }
        var groups: [LogicalPlan.Projection] = []
        func add(_ expression: BoundExpression, _ name: String, _ binder: inout Binder) {
            guard !groups.contains(where: { $0.expression == expression }) else { return }
            groups.append(
                LogicalPlan.Projection(expression, binder.newColumn(name, expression.type))
            )
        }
        switch groupBy {
        case .all:
            let inputs = Set(scope.columns.map(\.column.id))
            for output in outputs where output.expression.columnIDs.isSubset(of: inputs) {
                if output.expression.isConstant { continue }
                add(output.expression, output.name, &self)
            }
        case .elements(let elements, _):
            for element in elements {
                guard case .expressions(let expressions) = element else {
                    throw PlanError(
                        .unsupported,
                        "ROLLUP, CUBE and GROUPING SETS are not supported yet",
                        at: select.span
                    )
                }
                for expression in expressions {
                    if let position = try ordinal(expression, count: outputs.count) {
                        add(outputs[position].expression, outputs[position].name, &self)
                        continue
                    }
                    var context = ExpressionContext(scope: scope, clause: "GROUP BY")
                    context.aliases = aliases
                    let bound = try bind(expression, &context)
                    plan = try attach(context.attachments, to: plan)
                    add(bound, outputName(expression), &self)
                }
            }
        }
        return groups
    }

    /// A star as the items it stands for; anything else as itself.
    func expandStar(_ item: SelectItem, _ scope: Scope) throws -> [SelectItem] {
        guard case .star(let star) = item.expression.node else { return [item] }
        let span = item.expression.span
        var columns = scope.columns.filter { !$0.isHidden }
        if !star.qualifier.isEmpty {
            columns = scope.columns.filter { Scope.qualifies(star.qualifier, $0.qualifier) }
            if columns.isEmpty {
                let name = star.qualifier.map(\.name).joined(separator: ".")
                throw PlanError(.invalid, "there is no table \"\(name)\" in FROM", at: span)
            }
        }
        guard !columns.isEmpty else {
            throw PlanError(.invalid, "* needs a FROM clause", at: span)
        }
        for excluded in star.excluded {
            guard let name = excluded.last, columns.contains(where: { name.means($0.name) }) else {
                throw PlanError(
                    .invalid,
                    "EXCLUDE names a column that is not there",
                    at: excluded.span
                )
            }
            columns.removeAll { name.means($0.name) }
        }
        for replaced in star.replaced {
            guard let name = replaced.name.last, columns.contains(where: { name.means($0.name) })
            else {
                throw PlanError(
                    .invalid,
                    "REPLACE names a column that is not there",
                    at: replaced.name.span
                )
            }
        }
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

/// Rewrites expressions of a grouped SELECT to what comes out of the grouping.
private struct GroupReplacer {
    var groups: [LogicalPlan.Projection]
    /// Columns that exist above the grouping: aggregates and subqueries.
    var allowed: Set<ColumnID>
    var scope: Scope
    /// What goes into the grouping; any other column is of a query around or inside this one.
    var inputs: Set<ColumnID>

    func replace(_ expression: BoundExpression, at span: SourceSpan) throws -> BoundExpression {
        if let group = groups.first(where: { $0.expression == expression }) {
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
        return try expression.mapChildren { try replace($0, at: span) }
    }
}
