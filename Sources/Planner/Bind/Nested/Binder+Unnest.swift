import Columnar
import SQL

/// The lists that one SELECT takes apart, each once: they are walked side by side.
final class UnnestCollector {
    var items: [LogicalPlan.Projection] = []

    /// The plan with a row for each element.
    func plan(over input: LogicalPlan) -> LogicalPlan {
        items.isEmpty ? input : .unnest(LogicalPlan.Unnest(items: items, input: input))
    }
}

/// `unnest` in a select list and in FROM.
extension Binder {
    /// `unnest(list)` or `generate_subscripts(list, 1)` as a value of the select list.
    mutating func bindUnnest(
        _ name: String,
        _ call: FunctionCall,
        _ context: inout ExpressionContext,
        at span: SourceSpan
    ) throws -> BoundExpression {
        guard let collector = context.unnests, context.aggregates?.isInsideArgument ?? 0 == 0 else {
            throw PlanError(
                .invalid,
                "\(name) cannot stand in \(context.unnests == nil ? context.clause : "an aggregate")",
                hint: "It belongs into the select list or into FROM.",
                at: span
            )
        }
        var inner = context
        inner.unnests = nil
        inner.clause = "another unnest"
        let (source, levels) = try bindUnnestArguments(name, call, &inner, at: span)
        context.attachments = inner.attachments
        var value = source
        if name == "generate_subscripts" { value = try subscripts(of: value, at: span) }
        if levels > 1 { value = try flattened(value, levels: levels, at: span) }
        guard let element = value.type.elementType else {
            throw PlanError(
                .invalid,
                "unnest of a \(value.type) gives several columns and must stand alone in the select list",
                at: span
            )
        }
        if let known = collector.items.first(where: { $0.expression == value }) {
            return known.column.reference
        }
        let column = newColumn(name, element == .null ? .int32 : element)
        if element == .null { value = try coerce(value, to: .list(of: .int32), at: span) }
        collector.items.append(LogicalPlan.Projection(value, column))
        return column.reference
    }

    /// The list of `unnest(list, recursive := true)`, and how many levels of lists are taken apart.
    private mutating func bindUnnestArguments(
        _ name: String,
        _ call: FunctionCall,
        _ context: inout ExpressionContext,
        at span: SourceSpan
    ) throws -> (BoundExpression, levels: Int) {
        var levels = 1
        var plain: [SQL.Expression] = []
        for argument in call.arguments {
            switch argument.name?.name.lowercased() {
            case nil: plain.append(argument.value)
            case "recursive":
                if try constant(argument.value, as: .boolean) == .boolean(true) { levels = Int.max }
            case "max_depth":
                guard case .int64(let depth) = try constant(argument.value, as: .int64), depth > 0
                else {
                    throw PlanError(.invalid, "max_depth is at least 1", at: argument.value.span)
                }
                levels = Int(depth)
            default:
                throw PlanError(
                    .invalid,
                    "\(name) has the options recursive and max_depth",
                    at: argument.name?.span ?? span
                )
            }
        }
        guard plain.count == (name == "unnest" ? 1 : 2) else {
            throw PlanError(.invalid, "\(name) takes one list", at: span)
        }
        var value = try bind(plain[0], &context)
        if value.type == .null { value = .constant(.null, .list(of: .int32)) }
        return (value, levels)
    }

    /// The places of the elements of a list, from 1.
    private func subscripts(
        of list: BoundExpression,
        at span: SourceSpan
    ) throws -> BoundExpression {
        let one = BoundExpression.constant(.int64(1), .int64)
        let length = try bind(.length, [list], "generate_subscripts", at: span)
        return try bind(.series, [one, length], "generate_subscripts", at: span)
    }

    /// A list of lists as a list of what is inside, `levels` deep.
    private func flattened(
        _ list: BoundExpression,
        levels: Int,
        at span: SourceSpan
    ) throws -> BoundExpression {
        var value = list
        var left = levels
        while left > 1, let inner = value.type.elementType, inner.elementType != nil {
            value = try bind(.flatten, [value], "unnest", at: span)
            left -= 1
        }
        return value
    }

    /// The columns that an item of the select list stands for when it is `unnest` of a struct, or of a
    /// list of structs with `recursive`; nil for any other item.
    mutating func bindUnnestColumns(
        _ item: SelectItem,
        _ context: inout ExpressionContext
    ) throws -> [SelectOutput]? {
        guard case .function(let call) = item.expression.node, call.name.count == 1,
            call.name[0].name.lowercased() == "unnest", call.over == nil
        else { return nil }
        let span = item.expression.span
        var probe = self
        var probed = context
        // What is met in this first look goes nowhere.
        probed.aggregates = context.aggregates.map { _ in AggregateCollector() }
        probed.windows = context.windows.map { WindowCollector($0.named) }
        probed.unnests = nil
        let (source, levels) = try probe.bindUnnestArguments("unnest", call, &probed, at: span)
        var type = source.type
        var depth = levels
        while depth > 0, let element = type.elementType {
            type = element
            depth -= 1
        }
        let isList = source.type.elementType != nil
        guard case .structure = type, !isList || levels > 1 else { return nil }
        var value: BoundExpression
        if isList {
            value = try bindUnnest("unnest", call, &context, at: span)
        } else {
            value = try bindUnnestArguments("unnest", call, &context, at: span).0
        }
        var outputs: [SelectOutput] = []
        func spread(_ value: BoundExpression, _ levels: Int) throws {
            guard case .structure(let fields) = value.type else { return }
            for (place, field) in fields.enumerated() {
                let part = try nested(.field(place), [value], field.type, at: span)
                if levels > 1, case .structure = field.type {
                    try spread(part, levels - 1)
                } else {
                    outputs.append(
                        SelectOutput(
                            expression: part,
                            name: field.name.isEmpty ? "element\(place + 1)" : field.name,
                            span: span
                        )
                    )
                }
            }
        }
        try spread(value, isList ? depth : levels)
        return outputs
    }

    /// `FROM unnest(list)`, also of what stands to the left; nil for other functions.
    mutating func bindUnnestTable(_ function: TableFunction) throws -> LogicalPlan? {
        let call = function.call
        guard call.name.count == 1 else { return nil }
        let name = call.name[0].name.lowercased()
        var context = ExpressionContext(scope: Scope(), clause: "FROM")
        let span = function.span
        var list: BoundExpression
        switch name {
        case "unnest":
            let (value, levels) = try bindUnnestArguments(name, call, &context, at: span)
            list = try flattened(value, levels: levels, at: span)
        case "generate_subscripts":
            let (value, _) = try bindUnnestArguments(name, call, &context, at: span)
            list = try subscripts(of: value, at: span)
        case "range", "generate_series":
            // Of constants it is a table; of columns to the left, a list for each row.
            var arguments: [BoundExpression] = []
            for argument in call.arguments {
                arguments.append(try bind(argument.value, &context))
            }
            let isTable =
                arguments.allSatisfy {
                    $0.columnIDs.isEmpty && ($0.type.isInteger || $0.type == .null)
                }
                && !function.isWithOrdinality
            if isTable || arguments.isEmpty { return nil }
            guard let value = try bindListFunction(name, arguments, at: span) else { return nil }
            list = value
        default: return nil
        }
        guard context.attachments.isEmpty else {
            throw PlanError(
                .unsupported,
                "a subquery inside \(name) in FROM is not supported yet",
                at: span
            )
        }
        guard var element = list.type.elementType else {
            throw PlanError(
                .invalid,
                "\(name) in FROM needs a list, this is \(list.type)",
                at: span
            )
        }
        if element == .null {
            element = .int32
            list = try coerce(list, to: .list(of: element), at: span)
        }
        var unnest = LogicalPlan.Unnest(
            items: [LogicalPlan.Projection(list, newColumn(name, element))],
            input: .values(LogicalPlan.Values(columns: [], rows: [[]]))
        )
        if function.isWithOrdinality {
            unnest.ordinality = newColumn("ordinality", .int64, isNullable: false)
        }
        return .unnest(unnest)
    }
}

extension Decorrelator {
    /// A join with nothing but lists of each left row taken apart, done where the rows are; nil for others.
    func unnestLists(_ join: LogicalPlan.Join) -> LogicalPlan? {
        let keepsEmpty: Bool
        switch join.kind {
        case .inner, .cross: keepsEmpty = false
        case .left where join.conditions.isEmpty: keepsEmpty = true
        default: return nil
        }
        var names: [ColumnID: BoundExpression] = [:]
        var plan = join.right
        var isRenamed = false
        while case .project(let projections, let input) = plan {
            var below: [ColumnID: BoundExpression] = [:]
            for projection in projections {
                guard case .column = projection.expression else { return nil }
                below[projection.column.id] = projection.expression
            }
            names = isRenamed ? names.mapValues { $0.substituting(below) } : below
            isRenamed = true
            plan = input
        }
        guard case .unnest(var unnest) = plan, case .values(let values) = unnest.input,
            values.columns.isEmpty, values.rows.count == 1
        else { return nil }
        unnest.input = join.left
        unnest.keepsEmpty = keepsEmpty
        var result = LogicalPlan.unnest(unnest)
        result = .project(
            join.left.columns.map { LogicalPlan.Projection($0.reference, $0) }
                + join.right.columns.map {
                    LogicalPlan.Projection(names[$0.id] ?? $0.reference, $0)
                },
            result
        )
        return BoundExpression.conjunction(join.conditions).map { .filter($0, result) } ?? result
    }
}
