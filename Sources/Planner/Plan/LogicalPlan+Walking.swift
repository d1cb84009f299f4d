extension LogicalPlan {
    /// The same node over other inputs.
    func mapInputs(_ transform: (LogicalPlan) throws -> LogicalPlan) rethrows -> LogicalPlan {
        switch self {
        case .scan, .values, .workingTable: return self
        case .filter(let condition, let input): return .filter(condition, try transform(input))
        case .project(let projections, let input):
            return .project(projections, try transform(input))
        case .aggregate(var aggregate):
            aggregate.input = try transform(aggregate.input)
            return .aggregate(aggregate)
        case .window(var window):
            window.input = try transform(window.input)
            return .window(window)
        case .join(var join):
            join.left = try transform(join.left)
            join.right = try transform(join.right)
            return .join(join)
        case .sort(let keys, let limit, let input):
            return .sort(keys, limit: limit, try transform(input))
        case .limit(let count, let offset, let input):
            return .limit(count: count, offset: offset, try transform(input))
        case .setOperation(var operation):
            operation.inputs = try operation.inputs.map(transform)
            return .setOperation(operation)
        case .recursion(var recursion):
            recursion.anchor = try transform(recursion.anchor)
            recursion.step = try transform(recursion.step)
            return .recursion(recursion)
        case .materialized(var common):
            common.input = try transform(common.input)
            return .materialized(common)
        case .numbering(var numbering):
            numbering.input = try transform(numbering.input)
            return .numbering(numbering)
        case .unnest(var unnest):
            unnest.input = try transform(unnest.input)
            return .unnest(unnest)
        }
    }

    /// The same node with each of its own expressions replaced; inputs stay as they are.
    func mapExpressions(
        _ transform: (BoundExpression) throws -> BoundExpression
    ) rethrows -> LogicalPlan {
        switch self {
        case .limit, .setOperation, .recursion, .workingTable, .materialized, .numbering:
            return self
        case .scan(var scan):
            scan.filters = try scan.filters.map(transform)
            return .scan(scan)
        case .values(var values):
            values.rows = try values.rows.map { try $0.map(transform) }
            return .values(values)
        case .filter(let condition, let input): return .filter(try transform(condition), input)
        case .project(let projections, let input):
            return .project(
                try projections.map { Projection(try transform($0.expression), $0.column) },
                input
            )
        case .aggregate(var aggregate):
            aggregate.groups = try aggregate.groups.map {
                Projection(try transform($0.expression), $0.column)
            }
            aggregate.calls = try aggregate.calls.map {
                (call: try $0.call.mapExpressions(transform), column: $0.column)
            }
            return .aggregate(aggregate)
        case .window(var window):
            window.partition = try window.partition.map(transform)
            window.order = try window.order.map { try $0.mapExpression(transform) }
            window.calls = try window.calls.map {
                (call: try $0.call.mapExpressions(transform), column: $0.column)
            }
            return .window(window)
        case .join(var join):
            join.conditions = try join.conditions.map(transform)
            join.correlations = try join.correlations.map(transform)
            return .join(join)
        case .sort(let keys, let limit, let input):
            return .sort(try keys.map { try $0.mapExpression(transform) }, limit: limit, input)
        case .unnest(var unnest):
            unnest.items = try unnest.items.map {
                Projection(try transform($0.expression), $0.column)
            }
            return .unnest(unnest)
        }
    }

    /// The same tree with every expression in it replaced.
    func mapAllExpressions(
        _ transform: (BoundExpression) throws -> BoundExpression
    ) rethrows -> LogicalPlan {
        try mapInputs { try $0.mapAllExpressions(transform) }.mapExpressions(transform)
    }

    /// The same tree with columns replaced where `replacements` has them.
    func substituting(_ replacements: [ColumnID: BoundExpression]) -> LogicalPlan {
        replacements.isEmpty ? self : mapAllExpressions { $0.substituting(replacements) }
    }

    /// The columns that the tree reads but does not give: those of the query around it.
    var freeColumns: Set<ColumnID> {
        var used: Set<ColumnID> = []
        var produced: Set<ColumnID> = []
        collectColumns(used: &used, produced: &produced)
        return used.subtracting(produced)
    }

    /// The largest number of a column in the tree.
    var largestColumnNumber: Int {
        var used: Set<ColumnID> = []
        var produced: Set<ColumnID> = []
        collectColumns(used: &used, produced: &produced)
        return used.union(produced).reduce(0) { max($0, $1.number) }
    }

    private func collectColumns(used: inout Set<ColumnID>, produced: inout Set<ColumnID>) {
        for input in inputs { input.collectColumns(used: &used, produced: &produced) }
        _ = mapExpressions { expression in
            used.formUnion(expression.columnIDs)
            return expression
        }
        switch self {
        case .scan(let scan): produced.formUnion(scan.columns.map(\.column.id))
        case .values(let values): produced.formUnion(values.columns.map(\.id))
        case .project(let projections, _): produced.formUnion(projections.map(\.column.id))
        case .aggregate(let aggregate):
            produced.formUnion(aggregate.groups.map(\.column.id))
            produced.formUnion(aggregate.calls.map(\.column.id))
        case .window(let window): produced.formUnion(window.calls.map(\.column.id))
        case .join(let join):
            if case .mark(let id) = join.kind { produced.insert(id) }
        case .setOperation(let operation): produced.formUnion(operation.columns.map(\.id))
        case .recursion(let recursion): produced.formUnion(recursion.columns.map(\.id))
        case .workingTable(let table):
            produced.formUnion(table.columns.map(\.id))
            used.formUnion(table.outer)
        case .materialized(let common): produced.formUnion(common.columns.map(\.id))
        case .numbering(let numbering): produced.insert(numbering.column.id)
        case .unnest(let unnest): produced.formUnion(unnest.added.map(\.id))
        case .filter, .sort, .limit: break
        }
    }
}

extension SortKey {
    func mapExpression(
        _ transform: (BoundExpression) throws -> BoundExpression
    ) rethrows -> SortKey {
        var key = self
        key.expression = try transform(expression)
        return key
    }
}

extension AggregateCall {
    /// The same call over other expressions.
    func mapExpressions(
        _ transform: (BoundExpression) throws -> BoundExpression
    ) rethrows -> AggregateCall {
        var call = self
        call.argument = try argument.map(transform)
        call.others = try others.map(transform)
        call.filter = try filter.map(transform)
        call.order = try order.map { try $0.mapExpression(transform) }
        return call
    }

    /// All expressions of the call.
    var expressions: [BoundExpression] {
        [argument, filter].compactMap { $0 } + others + order.map(\.expression)
    }
}
