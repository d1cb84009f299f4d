import Columnar

/// Chooses the order of inner joins and which side of a join is built into a table.
///
/// Greedy: of all pairs of relations that a condition connects, the pair with the fewest rows is
/// joined first, again and again. The result may be bushy. Relations that nothing connects are
/// crossed last, smallest first.
struct JoinOrderer {
    let cardinality: Cardinality

    func order(_ plan: LogicalPlan) -> LogicalPlan {
        switch plan {
        case .join(let join) where join.kind == .inner || join.kind == .cross:
            var relations: [LogicalPlan] = []
            var conditions: [BoundExpression] = []
            flatten(plan, &relations, &conditions)
            return joined(relations.map { order($0) }, conditions)
        case .join(var join):
            join.left = order(join.left)
            join.right = order(join.right)
            // The side that is built should be the smaller one.
            let isSmaller = cardinality.rows(join.left) < cardinality.rows(join.right) / 2
            if isSmaller, join.kind == .left || join.kind == .right {
                swap(&join.left, &join.right)
                join.kind = join.kind == .left ? .right : .left
            }
            return .join(join)
        default:
            return plan.mapInputs { order($0) }
        }
    }

    private func flatten(
        _ plan: LogicalPlan,
        _ relations: inout [LogicalPlan],
        _ conditions: inout [BoundExpression]
    ) {
        guard case .join(let join) = plan, join.kind == .inner || join.kind == .cross else {
            relations.append(plan)
            return
        }
        conditions += join.conditions
        flatten(join.left, &relations, &conditions)
        flatten(join.right, &relations, &conditions)
    }

    private struct Relation {
        var plan: LogicalPlan
        var ids: Set<ColumnID>
        var rows: Double
    }

    private func joined(
        _ plans: [LogicalPlan],
        _ allConditions: [BoundExpression]
    ) -> LogicalPlan {
        var conditions = allConditions
        var relations = plans.map {
            Relation(plan: $0, ids: Set($0.columns.map(\.id)), rows: cardinality.rows($0))
        }
        while relations.count > 1 {
            var best: (left: Int, right: Int, rows: Double)?
            for left in relations.indices {
                for right in relations.indices where right > left {
                    let usable = applicable(conditions, relations[left], relations[right])
                    guard !usable.isEmpty else { continue }
                    let rows = cardinality.joined(
                        relations[left].rows,
                        relations[right].rows,
                        usable
                    )
                    if rows < best?.rows ?? .infinity { best = (left, right, rows) }
                }
            }
            if best == nil {
                // Nothing connects what is left: cross the two smallest.
                let order = relations.indices.sorted { relations[$0].rows < relations[$1].rows }
                let (a, b) = (min(order[0], order[1]), max(order[0], order[1]))
                best = (a, b, relations[a].rows * relations[b].rows)
            }
            guard let (left, right, rows) = best else { break }
            let (a, b) = (relations[left], relations[right])
            let usable = applicable(conditions, a, b)
            conditions.removeAll { usable.contains($0) }
            // The larger side streams by; ties keep the order of the text.
            let (probe, build) = a.rows >= b.rows ? (a, b) : (b, a)
            let join = LogicalPlan.Join(
                kind: usable.isEmpty ? .cross : .inner,
                left: probe.plan,
                right: build.plan,
                conditions: usable
            )
            relations[left] = Relation(
                plan: .join(join),
                ids: a.ids.union(b.ids),
                rows: rows
            )
            relations.remove(at: right)
        }
        guard let result = relations.first?.plan else { preconditionFailure("no relation") }
        return BoundExpression.conjunction(conditions).map { .filter($0, result) } ?? result
    }

    /// Conditions that both sides together can decide, and neither alone.
    private func applicable(
        _ conditions: [BoundExpression],
        _ a: Relation,
        _ b: Relation
    ) -> [BoundExpression] {
        conditions.filter { condition in
            let ids = condition.columnIDs
            return ids.isSubset(of: a.ids.union(b.ids)) && !ids.isSubset(of: a.ids)
                && !ids.isSubset(of: b.ids)
        }
    }
}
