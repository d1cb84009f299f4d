import Columnar

/// Makes the right side of every join independent of the left one.
///
/// A subquery is bound as a join whose right side names columns of the left. Where all such names
/// stand in conditions that can be lifted above everything else, they become conditions of the join.
/// Otherwise the left's distinct values of those columns (the domain) are joined into the subquery
/// as deep as they are used and carried up as columns of its own, through grouping, windows and
/// limits, so that the subquery is computed once for every value; where a condition equates a name
/// with a column of the subquery, that column is the domain and nothing is joined in.
///
/// Follows T. Neumann and A. Kemper, "Unnesting Arbitrary Queries" (BTW 2015).
struct Decorrelator {
    private var lastColumn: Int

    init(_ plan: LogicalPlan) {
        lastColumn = plan.largestColumnNumber
    }

    mutating func rewrite(_ plan: LogicalPlan) -> LogicalPlan {
        let plan = plan.mapInputs { rewrite($0) }
        guard case .join(var join) = plan else { return plan }
        let free = join.right.freeColumns
        // A plan of this size is no query that somebody wrote; what stays dependent cannot be run.
        if free.isEmpty || join.left.nodeCount + join.right.nodeCount > 50_000 { return plan }
        join.right = withoutUseless(join)
        let outer = free.intersection(join.left.columns.map(\.id))
        return outer.isEmpty ? .join(join) : unnest(join, outer)
    }

    mutating func newColumn(_ name: String, _ type: DataType) -> PlanColumn {
        lastColumn += 1
        return PlanColumn(id: ColumnID(lastColumn), name: name, type: type)
    }

    // MARK: Joins

    private mutating func unnest(
        _ original: LogicalPlan.Join,
        _ outer: Set<ColumnID>
    ) -> LogicalPlan {
        var join = original
        let (right, lifted) = lift(join.right, outer)
        if right.freeColumns.isDisjoint(with: outer) {
            join.right = right
            add(lifted, to: &join)
            return .join(join)
        }
        if let plan = unnestLists(join) { return plan }
        let domain = Domain(source: join.left, ids: outer)
        if join.kind == .single, let plan = unnestAggregate(join, domain) { return plan }
        let pushed = push(join.right, domain)
        join.right = pushed.plan
        add(
            domain.columns.compactMap { column in
                pushed.columns[column.id].map { Self.same(column.reference, $0) }
            },
            to: &join
        )
        return .join(join)
    }

    private func add(_ conditions: [BoundExpression], to join: inout LogicalPlan.Join) {
        if join.isNullAware {
            join.correlations += conditions
        } else {
            join.conditions += conditions
        }
        if join.kind == .cross && !conditions.isEmpty { join.kind = .inner }
    }

    /// The right side without what cannot change whether a row has a match.
    private func withoutUseless(_ join: LogicalPlan.Join) -> LogicalPlan {
        switch join.kind {
        case .semi, .anti, .mark: break
        default: return join.right
        }
        let isExistence = join.conditions.isEmpty
        var plan = join.right
        while true {
            switch plan {
            case .sort(_, nil, let input): plan = input
            case .limit(let count, 0, let input) where isExistence && (count ?? 1) > 0:
                plan = input
            case .project(_, let input) where isExistence: plan = input
            case .aggregate(let aggregate) where isExistence && !aggregate.groups.isEmpty:
                plan = aggregate.input
            case .aggregate(let aggregate)
            where aggregate.calls.isEmpty && !aggregate.groups.isEmpty:
                return .project(aggregate.groups, aggregate.input)
            default: return plan
            }
        }
    }

    /// A subquery that is one aggregate without groups, and expressions of it: groups by the domain,
    /// joined so that rows without a group get what the aggregate of no rows is.
    private mutating func unnestAggregate(
        _ join: LogicalPlan.Join,
        _ domain: Domain
    ) -> LogicalPlan? {
        var layers: [[LogicalPlan.Projection]] = []
        var plan = join.right
        while case .project(let projections, let input) = plan {
            layers.append(projections)
            plan = input
        }
        guard case .aggregate(let original) = plan, original.groups.isEmpty,
            join.conditions.isEmpty
        else { return nil }
        let grouped = group(original, domain)
        var outputs: [LogicalPlan.Projection] = grouped.results
        for layer in layers.reversed() {
            let below = Dictionary(
                outputs.map { ($0.column.id, $0.expression) },
                uniquingKeysWith: { a, _ in a }
            )
            outputs = layer.map {
                LogicalPlan.Projection($0.expression.substituting(below), $0.column)
            }
        }
        let joined = LogicalPlan.Join(
            kind: .left,
            left: join.left,
            right: grouped.plan,
            conditions: domain.columns.compactMap { column in
                grouped.columns[column.id].map { Self.same(column.reference, $0) }
            }
        )
        return .project(
            join.left.columns.map { LogicalPlan.Projection($0.reference, $0) } + outputs,
            .join(joined)
        )
    }

    private struct Grouped {
        var plan: LogicalPlan
        var columns: [ColumnID: Carried]
        /// The aggregate's own columns from those of `plan`, right also where `plan` has no row.
        var results: [LogicalPlan.Projection]
    }

    /// An aggregate without groups as one with a group for each value of the domain that has rows.
    private mutating func group(_ original: LogicalPlan.Aggregate, _ domain: Domain) -> Grouped {
        var aggregate = original
        let pushed = push(aggregate.input, domain)
        aggregate.input = pushed.plan
        var columns: [ColumnID: Carried] = [:]
        for column in domain.columns {
            guard let carried = pushed.columns[column.id] else { continue }
            let group = newColumn(column.name, column.type)
            aggregate.groups.append(LogicalPlan.Projection(carried.column.reference, group))
            columns[column.id] = Carried(column: group, isNeverNull: carried.isNeverNull)
        }
        var results: [LogicalPlan.Projection] = []
        for index in aggregate.calls.indices {
            let (call, column) = original.calls[index]
            let inner = newColumn(column.name, column.type)
            aggregate.calls[index] = (
                call.mapExpressions { $0.substituting(pushed.replacements) }, inner
            )
            var value = inner.reference
            if call.function.isCount {
                value = .call(.coalesce, [value, .constant(.int64(0), .int64)], .int64)
            }
            results.append(LogicalPlan.Projection(value, column))
        }
        return Grouped(plan: .aggregate(aggregate), columns: columns, results: results)
    }

    // MARK: Lifting

    /// The plan without the conjuncts that name outer columns, and those conjuncts, where they can be
    /// applied after everything else; the plan gives the columns that they need.
    private func lift(
        _ plan: LogicalPlan,
        _ outer: Set<ColumnID>
    ) -> (plan: LogicalPlan, conditions: [BoundExpression]) {
        func names(_ expression: BoundExpression) -> Bool {
            !expression.columnIDs.isDisjoint(with: outer)
        }
        switch plan {
        case .filter(let condition, let input):
            let below = lift(input, outer)
            let conjuncts = condition.conjuncts
            let own = BoundExpression.conjunction(conjuncts.filter { !names($0) })
            return (
                own.map { .filter($0, below.plan) } ?? below.plan,
                below.conditions + conjuncts.filter(names)
            )
        case .project(var projections, let input):
            let below = lift(input, outer)
            var given = Set(projections.map(\.column.id))
            let needed = below.conditions.reduce(into: Set<ColumnID>()) {
                $0.formUnion($1.columnIDs)
            }
            for column in below.plan.columns
            where needed.contains(column.id) && given.insert(column.id).inserted {
                projections.append(LogicalPlan.Projection(column.reference, column))
            }
            return (.project(projections, below.plan), below.conditions)
        case .join(var join):
            switch join.kind {
            case .inner, .cross:
                let left = lift(join.left, outer)
                let right = lift(join.right, outer)
                let own = join.conditions.filter { !names($0) }
                let conditions =
                    left.conditions + right.conditions + join.conditions.filter(names)
                join.left = left.plan
                join.right = right.plan
                join.conditions = own
                join.kind = own.isEmpty ? .cross : .inner
                return (.join(join), conditions)
            case .left, .semi, .anti, .mark, .single:
                let left = lift(join.left, outer)
                join.left = left.plan
                return (.join(join), left.conditions)
            case .right, .full: return (plan, [])
            }
        case .sort(let keys, nil, let input):
            let below = lift(input, outer)
            return (.sort(keys, limit: nil, below.plan), below.conditions)
        default: return (plan, [])
        }
    }

    // MARK: Pushing the domain down

    /// The columns of the left side that the right one names, and where their values come from.
    struct Domain {
        var source: LogicalPlan
        var ids: Set<ColumnID>
        var columns: [PlanColumn]

        init(source: LogicalPlan, ids: Set<ColumnID>) {
            self.source = source.narrowed(to: ids)
            self.ids = ids
            var left = ids
            columns = source.columns.filter { left.remove($0.id) != nil }
        }
    }

    /// A column of a plan that holds an outer column's value.
    struct Carried {
        var column: PlanColumn
        var isNeverNull: Bool
    }

    struct Pushed {
        var plan: LogicalPlan
        var columns: [ColumnID: Carried]

        var replacements: [ColumnID: BoundExpression] {
            columns.mapValues(\.column.reference)
        }
    }

    private static func same(_ outer: BoundExpression, _ carried: Carried) -> BoundExpression {
        carried.isNeverNull
            ? .compare(.equal, outer, carried.column.reference)
            : .isDistinct(outer, carried.column.reference, isNegated: true)
    }

    private static func same(
        _ a: [ColumnID: Carried],
        _ b: [ColumnID: Carried],
        _ domain: Domain
    ) -> [BoundExpression] {
        domain.columns.compactMap { column in
            guard let x = a[column.id], let y = b[column.id] else { return nil }
            let isNeverNull = x.isNeverNull || y.isNeverNull
            return same(
                x.column.reference,
                Carried(column: y.column, isNeverNull: isNeverNull)
            )
        }
    }

    /// The plan for every value of the domain at once: for each value its rows, with the value.
    mutating func push(_ plan: LogicalPlan, _ domain: Domain) -> Pushed {
        guard !plan.freeColumns.isDisjoint(with: domain.ids) else { return crossed(plan, domain) }
        switch plan {
        case .scan, .values: return crossed(plan, domain)
        case .filter: return pushLifted(plan, domain)
        case .project(let projections, let input):
            let below = push(input, domain)
            var all = projections.map {
                LogicalPlan.Projection(
                    $0.expression.substituting(below.replacements),
                    $0.column
                )
            }
            var given = Set(projections.map(\.column.id))
            for column in domain.columns {
                guard let carried = below.columns[column.id]?.column,
                    given.insert(carried.id).inserted
                else { continue }
                all.append(LogicalPlan.Projection(carried.reference, carried))
            }
            return Pushed(plan: .project(all, below.plan), columns: below.columns)
        case .aggregate(let aggregate): return push(aggregate, domain)
        case .window(var window):
            let below = push(window.input, domain)
            window.input = below.plan
            guard
                case .window(var mapped) = LogicalPlan.window(window).mapExpressions({
                    $0.substituting(below.replacements)
                })
            else { preconditionFailure("a window stays one") }
            mapped.partition += domain.columns.compactMap {
                below.columns[$0.id]?.column.reference
            }
            return Pushed(plan: .window(mapped), columns: below.columns)
        case .join(let join): return push(join, domain)
        case .sort(let keys, let limit?, let input):
            return pushLimit(count: limit, offset: 0, keys, input, domain)
        case .sort(_, nil, let input): return push(input, domain)
        case .limit(let count, let offset, .sort(let keys, nil, let input)):
            return pushLimit(count: count, offset: offset, keys, input, domain)
        case .limit(let count, let offset, let input):
            return pushLimit(count: count, offset: offset, [], input, domain)
        case .setOperation(let operation): return push(operation, domain)
        case .recursion(let recursion): return push(recursion, domain)
        case .workingTable(let table): return push(table, domain)
        case .materialized(let common): return crossed(.materialized(common), domain)
        case .numbering(var numbering):
            let below = push(numbering.input, domain)
            numbering.input = below.plan
            return Pushed(plan: .numbering(numbering), columns: below.columns)
        case .unnest(var unnest):
            let below = push(unnest.input, domain)
            unnest.input = below.plan
            unnest.items = unnest.items.map {
                LogicalPlan.Projection(
                    $0.expression.substituting(below.replacements),
                    $0.column
                )
            }
            return Pushed(plan: .unnest(unnest), columns: below.columns)
        }
    }

    /// Every value of the domain with every row of a plan that names none.
    private mutating func crossed(_ plan: LogicalPlan, _ domain: Domain) -> Pushed {
        let (values, columns) = distinctValues(domain)
        return Pushed(
            plan: .join(LogicalPlan.Join(kind: .cross, left: values, right: plan)),
            columns: columns
        )
    }

    private mutating func distinctValues(
        _ domain: Domain
    ) -> (plan: LogicalPlan, columns: [ColumnID: Carried]) {
        var columns: [ColumnID: Carried] = [:]
        let groups = domain.columns.map { column in
            var copy = newColumn(column.name, column.type)
            copy.isNullable = column.isNullable
            columns[column.id] = Carried(column: copy, isNeverNull: !column.isNullable)
            return LogicalPlan.Projection(column.reference, copy)
        }
        return (
            .aggregate(LogicalPlan.Aggregate(groups: groups, calls: [], input: domain.source)),
            columns
        )
    }

    private mutating func pushLifted(_ plan: LogicalPlan, _ domain: Domain) -> Pushed {
        let (input, conditions) = lift(plan, domain.ids)
        if input.freeColumns.isDisjoint(with: domain.ids) {
            if let pushed = equated(input, conditions, domain) { return pushed }
            let (values, columns) = distinctValues(domain)
            let replacements = columns.mapValues(\.column.reference)
            return Pushed(
                plan: .join(
                    LogicalPlan.Join(
                        kind: .inner,
                        left: values,
                        right: input,
                        conditions: conditions.map { $0.substituting(replacements) }
                    )
                ),
                columns: columns
            )
        }
        let below: Pushed
        if case .join(let join) = input {
            below = pushSides(join, domain)
        } else if case .filter(let own, let deeper) = input {
            let inner = push(deeper, domain)
            below = Pushed(
                plan: .filter(own.substituting(inner.replacements), inner.plan),
                columns: inner.columns
            )
        } else {
            below = push(input, domain)
        }
        guard
            let condition = BoundExpression.conjunction(
                conditions.map { $0.substituting(below.replacements) }
            )
        else { return below }
        return Pushed(plan: .filter(condition, below.plan), columns: below.columns)
    }

    /// The rows that meet the conditions when these equate every outer column with an expression of
    /// the input: the expression then is the outer column's value.
    private mutating func equated(
        _ input: LogicalPlan,
        _ conditions: [BoundExpression],
        _ domain: Domain
    ) -> Pushed? {
        let given = Dictionary(
            input.columns.map { ($0.id, $0) },
            uniquingKeysWith: { a, _ in a }
        )
        var used: Set<Int> = []
        var replacements: [ColumnID: BoundExpression] = [:]
        var columns: [ColumnID: Carried] = [:]
        var added: [LogicalPlan.Projection] = []
        var own: [BoundExpression] = []
        for column in domain.columns {
            // Zero and minus zero are equal but not the same.
            guard !column.type.isFloating, !column.type.isNested else { return nil }
            var found: (index: Int, value: BoundExpression, isNeverNull: Bool)?
            for (index, condition) in conditions.enumerated() where !used.contains(index) {
                let sides: (BoundExpression, BoundExpression, Bool)
                switch condition {
                case .compare(.equal, let a, let b): sides = (a, b, true)
                case .isDistinct(let a, let b, isNegated: true): sides = (a, b, false)
                default: continue
                }
                let value: BoundExpression
                switch (sides.0, sides.1) {
                case (.column(column.id, _), let other): value = other
                case (let other, .column(column.id, _)): value = other
                default: continue
                }
                guard value.columnIDs.allSatisfy({ given[$0] != nil }) else { continue }
                found = (index, value, sides.2)
                break
            }
            guard let found else { return nil }
            used.insert(found.index)
            replacements[column.id] = found.value
            if case .column(let id, _) = found.value, let known = given[id] {
                columns[column.id] = Carried(
                    column: known,
                    isNeverNull: found.isNeverNull || !known.isNullable
                )
                if found.isNeverNull && known.isNullable {
                    own.append(.isNull(found.value, isNegated: true))
                }
            } else {
                let copy = newColumn(column.name, column.type)
                added.append(LogicalPlan.Projection(found.value, copy))
                columns[column.id] = Carried(column: copy, isNeverNull: found.isNeverNull)
                if found.isNeverNull { own.append(.isNull(found.value, isNegated: true)) }
            }
        }
        for (index, condition) in conditions.enumerated() where !used.contains(index) {
            own.append(condition.substituting(replacements))
        }
        var plan = input
        if let condition = BoundExpression.conjunction(own) { plan = .filter(condition, plan) }
        if !added.isEmpty {
            plan = .project(
                input.columns.map { LogicalPlan.Projection($0.reference, $0) } + added,
                plan
            )
        }
        return Pushed(plan: plan, columns: columns)
    }

    private mutating func push(_ original: LogicalPlan.Aggregate, _ domain: Domain) -> Pushed {
        if original.groups.isEmpty {
            // Values without rows have a row of their own.
            let grouped = group(original, domain)
            let (values, columns) = distinctValues(domain)
            let joined = LogicalPlan.Join(
                kind: .left,
                left: values,
                right: grouped.plan,
                conditions: Self.same(columns, grouped.columns, domain)
            )
            let carried = domain.columns.compactMap { columns[$0.id]?.column }
            return Pushed(
                plan: .project(
                    grouped.results
                        + carried.map { LogicalPlan.Projection($0.reference, $0) },
                    .join(joined)
                ),
                columns: columns
            )
        }
        let below = push(original.input, domain)
        var aggregate = original
        aggregate.input = below.plan
        guard
            case .aggregate(var mapped) = LogicalPlan.aggregate(aggregate).mapExpressions({
                $0.substituting(below.replacements)
            })
        else { preconditionFailure("an aggregate stays one") }
        var columns: [ColumnID: Carried] = [:]
        for column in domain.columns {
            guard let carried = below.columns[column.id] else { continue }
            let group = newColumn(column.name, column.type)
            mapped.groups.append(LogicalPlan.Projection(carried.column.reference, group))
            columns[column.id] = Carried(column: group, isNeverNull: carried.isNeverNull)
        }
        return Pushed(plan: .aggregate(mapped), columns: columns)
    }

    private mutating func push(_ join: LogicalPlan.Join, _ domain: Domain) -> Pushed {
        switch join.kind {
        case .inner, .cross: return pushLifted(.join(join), domain)
        default: return pushSides(join, domain)
        }
    }

    /// Pushes the domain into the sides of a join that need it.
    private mutating func pushSides(_ original: LogicalPlan.Join, _ domain: Domain) -> Pushed {
        var join = original
        let isInLeft = !join.left.freeColumns.isDisjoint(with: domain.ids)
        let isInRight = !join.right.freeColumns.isDisjoint(with: domain.ids)
        let needsLeft: Bool
        let needsRight: Bool
        switch join.kind {
        case .inner, .cross: (needsLeft, needsRight) = (isInLeft || !isInRight, isInRight)
        case .left, .single, .semi, .anti, .mark: (needsLeft, needsRight) = (true, isInRight)
        case .right: (needsLeft, needsRight) = (isInLeft, true)
        case .full: (needsLeft, needsRight) = (true, true)
        }
        let left = needsLeft ? push(join.left, domain) : nil
        let right = needsRight ? push(join.right, domain) : nil
        join.left = left?.plan ?? join.left
        join.right = right?.plan ?? join.right
        let kept = join.kind == .right ? right ?? left : left ?? right
        guard let kept else { preconditionFailure("a side is pushed") }
        guard
            case .join(var mapped) = LogicalPlan.join(join).mapExpressions({
                $0.substituting(kept.replacements)
            })
        else { preconditionFailure("a join stays one") }
        if let left, let right {
            add(Self.same(left.columns, right.columns, domain), to: &mapped)
        }
        guard join.kind == .full, let left, let right else {
            return Pushed(plan: .join(mapped), columns: kept.columns)
        }
        // Either side may be missing in a row: the value is that of the one that is there.
        var columns: [ColumnID: Carried] = [:]
        var projections = mapped.columns.map { LogicalPlan.Projection($0.reference, $0) }
        for column in domain.columns {
            guard let a = left.columns[column.id], let b = right.columns[column.id] else {
                continue
            }
            let value = newColumn(column.name, column.type)
            projections.append(
                LogicalPlan.Projection(
                    .call(
                        .coalesce,
                        [a.column.reference, b.column.reference],
                        column.type
                    ),
                    value
                )
            )
            columns[column.id] = Carried(
                column: value,
                isNeverNull: a.isNeverNull && b.isNeverNull
            )
        }
        return Pushed(plan: .project(projections, .join(mapped)), columns: columns)
    }

    /// LIMIT for each value of the domain: rows are numbered within it.
    private mutating func pushLimit(
        count: Int?,
        offset: Int,
        _ keys: [SortKey],
        _ input: LogicalPlan,
        _ domain: Domain
    ) -> Pushed {
        let below = push(input, domain)
        let number = newColumn("row_number", .int64)
        let window = LogicalPlan.Window(
            partition: domain.columns.compactMap { below.columns[$0.id]?.column.reference },
            order: keys.map { $0.mapExpression { $0.substituting(below.replacements) } },
            calls: [(WindowCall(function: .rowNumber, type: .int64), number)],
            input: below.plan
        )
        func bound(_ op: ComparisonOperator, _ rows: Int) -> BoundExpression {
            .compare(op, number.reference, .constant(.int64(Int64(rows)), .int64))
        }
        var conditions: [BoundExpression] = []
        if offset > 0 { conditions.append(bound(.greater, offset)) }
        if let count {
            let (last, overflow) = count.addingReportingOverflow(offset)
            if !overflow { conditions.append(bound(.lessOrEqual, last)) }
        }
        let plan = LogicalPlan.window(window)
        return Pushed(
            plan: BoundExpression.conjunction(conditions).map { .filter($0, plan) } ?? plan,
            columns: below.columns
        )
    }

    private mutating func push(
        _ original: LogicalPlan.SetOperation,
        _ domain: Domain
    ) -> Pushed {
        var operation = original
        var carriedIsNeverNull = domain.columns.map { _ in true }
        operation.inputs = original.inputs.map { input in
            let below = push(input, domain)
            var projections = input.columns.map { LogicalPlan.Projection($0.reference, $0) }
            for (index, column) in domain.columns.enumerated() {
                guard let carried = below.columns[column.id] else { continue }
                carriedIsNeverNull[index] = carriedIsNeverNull[index] && carried.isNeverNull
                projections.append(
                    LogicalPlan.Projection(
                        carried.column.reference,
                        newColumn(column.name, column.type)
                    )
                )
            }
            return .project(projections, below.plan)
        }
        var columns: [ColumnID: Carried] = [:]
        for (index, column) in domain.columns.enumerated() {
            let value = newColumn(column.name, column.type)
            operation.columns.append(value)
            columns[column.id] = Carried(column: value, isNeverNull: carriedIsNeverNull[index])
        }
        return Pushed(plan: .setOperation(operation), columns: columns)
    }
}

extension LogicalPlan {
    var nodeCount: Int { inputs.reduce(1) { $0 + $1.nodeCount } }

    /// The part of the plan that gives some of its columns: their values are among those of the part,
    /// which may have more.
    ///
    /// Without it the plans of several subqueries beside each other would each hold all before them.
    fileprivate func narrowed(to ids: Set<ColumnID>) -> LogicalPlan {
        func gives(_ plan: LogicalPlan) -> Bool { ids.isSubset(of: plan.columns.map(\.id)) }
        switch self {
        case .join(let join):
            switch join.kind {
            case .inner, .cross:
                if gives(join.left) { return join.left.narrowed(to: ids) }
                return gives(join.right) ? join.right.narrowed(to: ids) : self
            case .left, .single, .semi, .anti, .mark:
                return gives(join.left) ? join.left.narrowed(to: ids) : self
            // A side that may be missing has nulls that are not below.
            case .right: return gives(join.right) ? join.right.narrowed(to: ids) : self
            case .full: return self
            }
        case .project(let projections, let input):
            let needed = projections.filter { ids.contains($0.column.id) }
            let below = needed.reduce(into: Set<ColumnID>()) {
                $0.formUnion($1.expression.columnIDs)
            }
            return .project(needed, input.narrowed(to: below))
        case .aggregate(let aggregate):
            let needed = aggregate.groups.filter { ids.contains($0.column.id) }
            // Without groups there is a row even where the input has none.
            guard needed.count == ids.count, !aggregate.groups.isEmpty else { return self }
            let below = needed.reduce(into: Set<ColumnID>()) {
                $0.formUnion($1.expression.columnIDs)
            }
            return .project(needed, aggregate.input.narrowed(to: below))
        case .window(let window):
            return gives(window.input) ? window.input.narrowed(to: ids) : self
        case .sort(_, nil, let input): return input.narrowed(to: ids)
        case .filter(let condition, let input):
            // Few values are better, but not at the price of a plan that grows without end.
            if nodeCount > 64 { return input.narrowed(to: ids) }
            return .filter(condition, input.narrowed(to: ids.union(condition.columnIDs)))
        default: return self
        }
    }
}
