package import Columnar

/// Rewrites a bound plan into one that gives the same rows with less work.
///
/// In order: subqueries become independent of the rows around them; expressions are simplified; conditions move down to where their columns come from, and
/// become join conditions on the way; subqueries that only decide become semi and anti joins; inner
/// joins are reordered; aggregates that metadata answer read nothing; LIMIT over a sort becomes a top-N. Columns nobody needs are dropped when the
/// plan is made physical.
package struct Optimiser {
    private let simplifier: Simplifier

    /// - Parameter evaluate: gives the value of an expression without columns.
    package init(evaluate: @escaping (BoundExpression) throws -> Value) {
        simplifier = Simplifier(evaluate: evaluate)
    }

    package func optimise(_ plan: LogicalPlan) -> LogicalPlan {
        var decorrelator = Decorrelator(plan)
        let simplified = simplify(decorrelator.rewrite(plan))
        let pushed = MetadataAggregates.rewrite(push([], into: simplified))
        let ordered = JoinOrderer(cardinality: Cardinality(pushed)).order(pushed)
        return topN(ordered)
    }

    // MARK: Expressions

    private func simplify(_ plan: LogicalPlan) -> LogicalPlan {
        let plan = plan.mapInputs { simplify($0) }
        switch plan {
        case .scan, .limit, .setOperation, .values, .recursion, .workingTable, .materialized,
            .numbering:
            return plan
        case .window, .unnest: return plan.mapExpressions { simplifier.simplify($0) }
        case .filter(let condition, let input):
            let simple = simplifier.simplify(condition)
            if case .constant(.boolean(true), _) = simple { return input }
            return .filter(simple, input)
        case .project(let projections, let input):
            return .project(
                projections.map {
                    LogicalPlan.Projection(simplifier.simplify($0.expression), $0.column)
                },
                input
            )
        case .aggregate(var aggregate):
            for index in aggregate.groups.indices {
                aggregate.groups[index].expression = simplifier.simplify(
                    aggregate.groups[index].expression
                )
            }
            for index in aggregate.calls.indices {
                aggregate.calls[index].call = aggregate.calls[index].call.mapExpressions {
                    simplifier.simplify($0)
                }
            }
            return .aggregate(aggregate)
        case .join(var join):
            join.conditions = join.conditions.flatMap { simplifier.simplify($0).conjuncts }
            join.correlations = join.correlations.flatMap { simplifier.simplify($0).conjuncts }
            return .join(join)
        case .sort(let keys, let limit, let input):
            return .sort(
                keys.map { key in
                    var key = key
                    key.expression = simplifier.simplify(key.expression)
                    return key
                },
                limit: limit,
                input
            )
        }
    }

    // MARK: Conditions

    /// The plan with `conditions` (over its columns) applied as far down as they may go.
    private func push(_ conditions: [BoundExpression], into plan: LogicalPlan) -> LogicalPlan {
        switch plan {
        case .filter(let condition, let input):
            return push(
                (conditions + condition.conjuncts).flatMap { simplifier.simplify($0).conjuncts },
                into: input
            )
        case .scan(var scan):
            scan.filters += conditions
            return .scan(scan)
        case .project(let projections, let input):
            let expressions = Dictionary(
                projections.map { ($0.column.id, $0.expression) },
                uniquingKeysWith: { a, _ in a }
            )
            // A value that differs each time it is computed is computed once.
            let (fixed, kept) = split(conditions) { $0.substituting(expressions).isDeterministic }
            let moved = fixed.map { simplifier.simplify($0.substituting(expressions)) }
            let pushed = LogicalPlan.project(
                projections,
                push(moved.flatMap(\.conjuncts), into: input)
            )
            return BoundExpression.conjunction(kept).map { .filter($0, pushed) } ?? pushed
        case .aggregate(var aggregate):
            let groups = Dictionary(
                aggregate.groups.map { ($0.column.id, $0.expression) },
                uniquingKeysWith: { a, _ in a }
            )
            // Without groups there is a row even when there is none below.
            let (moved, kept) = split(conditions) {
                !groups.isEmpty && $0.columnIDs.allSatisfy { groups[$0] != nil }
                    && !$0.columnIDs.isEmpty
            }
            aggregate.input = push(
                moved.flatMap { simplifier.simplify($0.substituting(groups)).conjuncts },
                into: aggregate.input
            )
            return filtered(.aggregate(aggregate), kept)
        case .window(var window):
            // Only what holds for whole partitions may go before the window.
            let (moved, kept) = split(conditions) { condition in
                !condition.columnIDs.isEmpty
                    && condition.columnIDs.allSatisfy { id in
                        window.partition.contains {
                            if case .column(id, _) = $0 { return true }
                            return false
                        }
                    }
            }
            window.input = push(moved, into: window.input)
            return filtered(.window(window), kept)
        case .join(let join):
            return push(conditions, intoJoin: join)
        case .sort(let keys, nil, let input):
            return .sort(keys, limit: nil, push(conditions, into: input))
        case .sort(let keys, let limit, let input):
            return filtered(.sort(keys, limit: limit, push([], into: input)), conditions)
        case .limit(let count, let offset, let input):
            return filtered(
                .limit(count: count, offset: offset, push([], into: input)),
                conditions
            )
        case .setOperation(var operation):
            operation.inputs = operation.inputs.map { input in
                let names = Dictionary(
                    uniqueKeysWithValues: zip(operation.columns, input.columns).map {
                        ($0.id, $1.reference)
                    }
                )
                return push(conditions.map { $0.substituting(names) }, into: input)
            }
            return .setOperation(operation)
        case .values, .workingTable:
            return filtered(plan, conditions)
        case .recursion, .materialized, .numbering:
            return filtered(plan.mapInputs { push([], into: $0) }, conditions)
        case .unnest(var unnest):
            let added = Set(unnest.added.map(\.id))
            let (moved, kept) = split(conditions) { $0.columnIDs.isDisjoint(with: added) }
            unnest.input = push(moved, into: unnest.input)
            return filtered(.unnest(unnest), kept)
        }
    }

    private func push(
        _ conditions: [BoundExpression],
        intoJoin original: LogicalPlan.Join
    ) -> LogicalPlan {
        var join = original
        var conditions = conditions
        let leftIDs = Set(join.left.columns.map(\.id))
        let rightIDs = Set(join.right.columns.map(\.id))
        var decided: LogicalPlan.Projection?
        if case .mark(let mark) = join.kind {
            // A mark that only decides which rows stay is a semi or an anti join.
            let uses = conditions.filter { $0.columnIDs.contains(mark) }
            if uses.count == 1, let use = uses.first {
                let isNullable = join.conditions.contains { condition in
                    let columns = join.left.columns + join.right.columns
                    // A constant NULL, say, which a comparison was found to be.
                    if condition.children.count != 2 { return true }
                    return condition.children.contains { side in
                        guard case .column(let id, _) = side else { return true }
                        return columns.first { $0.id == id }?.isNullable ?? true
                    }
                }
                var kind: JoinKind?
                if case .column = use { kind = .semi }
                if case .not(.column) = use, !join.isNullAware || !isNullable { kind = .anti }
                if let kind, !join.conditions.isEmpty {
                    conditions.removeAll { $0 == use }
                    // Somebody above may still read what is known now.
                    decided = LogicalPlan.Projection(
                        .constant(.boolean(kind == .semi), .boolean),
                        PlanColumn(id: mark, name: "mark", type: .boolean)
                    )
                    join.kind = kind
                    join.conditions += join.correlations
                    join.correlations = []
                    join.isNullAware = false
                }
            }
        }
        // A condition that no null row of the optional side can meet makes the join an inner one.
        let rejects: (Set<ColumnID>) -> Bool = { ids in
            conditions.contains { rejectsNulls($0, of: ids) }
        }
        switch join.kind {
        case .left where rejects(rightIDs): join.kind = .inner
        case .right where rejects(leftIDs): join.kind = .inner
        case .full:
            switch (rejects(leftIDs), rejects(rightIDs)) {
            case (true, true): join.kind = .inner
            case (true, false): join.kind = .left
            case (false, true): join.kind = .right
            case (false, false): break
            }
        default: break
        }
        var toLeft: [BoundExpression] = []
        var toRight: [BoundExpression] = []
        var above: [BoundExpression] = []
        switch join.kind {
        case .inner, .cross:
            for condition in conditions + join.conditions {
                let ids = condition.columnIDs
                if ids.isSubset(of: leftIDs) {
                    toLeft.append(condition)
                } else if ids.isSubset(of: rightIDs) {
                    toRight.append(condition)
                } else {
                    above.append(condition)
                }
            }
            join.conditions = above
            join.kind = above.isEmpty ? .cross : .inner
            above = []
        case .left, .semi, .anti, .mark, .single:
            (toLeft, above) = split(conditions) { $0.columnIDs.isSubset(of: leftIDs) }
            // What ON says of the right side alone decides which of its rows are there to match.
            let (right, rest) = split(join.conditions) {
                $0.columnIDs.isSubset(of: rightIDs) && !$0.columnIDs.isEmpty && !join.isNullAware
            }
            toRight = right
            join.conditions = rest
            if join.kind == .semi {
                let (left, both) = split(join.conditions) { $0.columnIDs.isSubset(of: leftIDs) }
                toLeft += left
                join.conditions = both
            }
        case .right:
            (toRight, above) = split(conditions) { $0.columnIDs.isSubset(of: rightIDs) }
            let (left, rest) = split(join.conditions) {
                $0.columnIDs.isSubset(of: leftIDs) && !$0.columnIDs.isEmpty
            }
            toLeft = left
            join.conditions = rest
        case .full:
            above = conditions
        }
        join.left = push(toLeft, into: join.left)
        join.right = push(toRight, into: join.right)
        guard let decided else { return filtered(.join(join), above) }
        let columns = join.columns.map { LogicalPlan.Projection($0.reference, $0) }
        return filtered(.project(columns + [decided], .join(join)), above)
    }

    /// Whether the condition is not true for any row whose `ids` are all null.
    private func rejectsNulls(_ condition: BoundExpression, of ids: Set<ColumnID>) -> Bool {
        switch condition {
        case .compare(_, let a, let b):
            return isNullWhen(ids, a) || isNullWhen(ids, b)
        case .isNull(let operand, isNegated: true): return isNullWhen(ids, operand)
        case .inSet(let operand, _, _): return isNullWhen(ids, operand)
        case .pattern(_, let operand, _, _, _): return isNullWhen(ids, operand)
        case .and(let all): return all.contains { rejectsNulls($0, of: ids) }
        case .or(let all): return all.allSatisfy { rejectsNulls($0, of: ids) }
        default: return false
        }
    }

    /// Whether the expression is null when all of `ids` are.
    private func isNullWhen(_ ids: Set<ColumnID>, _ expression: BoundExpression) -> Bool {
        switch expression {
        case .column(let id, _): return ids.contains(id)
        case .arithmetic(_, let a, let b, _): return isNullWhen(ids, a) || isNullWhen(ids, b)
        case .negate(let a), .cast(let a, _, _), .located(let a, _): return isNullWhen(ids, a)
        default: return false
        }
    }

    private func filtered(_ plan: LogicalPlan, _ conditions: [BoundExpression]) -> LogicalPlan {
        BoundExpression.conjunction(conditions).map { .filter($0, plan) } ?? plan
    }

    private func split(
        _ conditions: [BoundExpression],
        _ goes: (BoundExpression) -> Bool
    ) -> (moved: [BoundExpression], kept: [BoundExpression]) {
        (conditions.filter(goes), conditions.filter { !goes($0) })
    }

    // MARK: Limits

    private func topN(_ plan: LogicalPlan) -> LogicalPlan {
        let plan = plan.mapInputs { topN($0) }
        guard case .limit(let count?, let offset, let input) = plan else { return plan }
        let (wanted, overflow) = count.addingReportingOverflow(offset)
        guard !overflow, wanted <= 1_000_000 else { return plan }
        switch input {
        case .sort(let keys, _, let below):
            return .limit(count: count, offset: offset, .sort(keys, limit: wanted, below))
        case .project(let projections, .sort(let keys, _, let below)):
            return .limit(
                count: count,
                offset: offset,
                .project(projections, .sort(keys, limit: wanted, below))
            )
        default: return plan
        }
    }
}
