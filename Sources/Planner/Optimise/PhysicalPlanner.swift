import Columnar

/// Turns an optimised logical plan into operators over positions, reading and passing on only the
/// columns that somebody above needs.
package struct PhysicalPlanner {
    private let scans = ScanCounter()
    /// How often each common table is read.
    private var materializedCounts: [Int: Int] = [:]
    private var cardinality: Cardinality?

    /// Numbers of shared plans, apart from those of `SharedSubplans`.
    private static func keptNumber(_ number: Int) -> Int { -2 * number - 1 }
    private static func materializedNumber(_ number: Int) -> Int { -2 * number - 2 }

    package init() {}

    /// Numbers scans; a plan is made by one thread.
    private final class ScanCounter {
        var count = 0

        func next() -> Int {
            count += 1
            return count
        }
    }

    /// A plan whose columns are those of `plan`, in order.
    package func plan(_ plan: LogicalPlan) throws -> PhysicalPlan {
        guard plan.freeColumns.isEmpty else {
            throw PlanError(
                .unsupported,
                "subqueries that look at the queries around them are nested too deep here"
            )
        }
        var planner = self
        planner.materializedCounts = plan.materializedCounts
        planner.cardinality = Cardinality(plan)
        return SharedSubplans.share(
            PartitionLimits.limit(
                SharedSums.share(SumsOfOffsets.share(try planner.ordered(plan)))
            )
        )
    }

    /// The operators, with columns in the order of `plan`.
    private func ordered(_ plan: LogicalPlan) throws -> PhysicalPlan {
        let columns = plan.columns
        let lowered = try lower(plan, needed: Set(columns.map(\.id)))
        let wanted = columns.map(\.id)
        if lowered.layout == wanted { return lowered.plan }
        let positions = Positions(lowered.layout)
        return .project(
            try columns.map { try positions.resolve($0.reference) },
            lowered.plan
        )
    }

    private struct Lowered {
        var plan: PhysicalPlan
        /// The columns it gives, by position.
        var layout: [ColumnID]
    }

    /// Column ids to positions in a layout.
    private struct Positions {
        private var positions: [ColumnID: Int] = [:]

        init(_ layout: [ColumnID]) {
            for (position, id) in layout.enumerated() where positions[id] == nil {
                positions[id] = position
            }
        }

        func resolve(_ expression: BoundExpression) throws -> BoundExpression {
            if case .column(let id, let type) = expression {
                guard let position = positions[id] else {
                    throw PlanError(.invalid, "internal: column \(id.number) is not in the plan")
                }
                return .column(ColumnID(position), type)
            }
            return try expression.mapChildren { try resolve($0) }
        }
    }

    private func lower(_ plan: LogicalPlan, needed: Set<ColumnID>) throws -> Lowered {
        switch plan {
        case .scan(let scan): return try lowerScan(scan, needed)
        case .values(let values):
            return Lowered(
                plan: .values(values.rows, types: values.columns.map(\.type)),
                layout: values.columns.map(\.id)
            )
        case .filter(let condition, let input):
            let below = try lower(input, needed: needed.union(condition.columnIDs))
            let kept = below.layout.indices.filter { needed.contains(below.layout[$0]) }
            return Lowered(
                plan: .filter(
                    try Positions(below.layout).resolve(condition),
                    output: kept,
                    below.plan
                ),
                layout: kept.map { below.layout[$0] }
            )
        case .project(let projections, let input):
            let used = projections.filter { needed.contains($0.column.id) }
            let below = try lower(
                input,
                needed: used.reduce(into: []) { $0.formUnion($1.expression.columnIDs) }
            )
            if let layout = Self.renamed(below.layout, used) {
                return Lowered(plan: below.plan, layout: layout)
            }
            let positions = Positions(below.layout)
            return Lowered(
                plan: .project(
                    try used.map { try positions.resolve($0.expression) },
                    below.plan
                ),
                layout: used.map(\.column.id)
            )
        case .aggregate(let aggregate): return try lowerAggregate(aggregate, needed)
        case .window(let window): return try lowerWindow(window, needed)
        case .join(let join): return try lowerJoin(join, needed)
        case .sort(let keys, let limit, let input):
            let below = try lower(
                input,
                needed: keys.reduce(into: needed) { $0.formUnion($1.expression.columnIDs) }
            )
            let positions = Positions(below.layout)
            let bound = try keys.map { key in
                var key = key
                key.expression = try positions.resolve(key.expression)
                return key
            }
            return Lowered(
                plan: .sort(bound, limit: limit, below.plan),
                layout: below.layout
            )
        case .limit(let count, let offset, let input):
            let below = try lower(input, needed: needed)
            return Lowered(
                plan: .limit(count: count, offset: offset, below.plan),
                layout: below.layout
            )
        case .setOperation(let operation): return try lowerSet(operation)
        case .recursion(let recursion):
            let numbers = scans
            return Lowered(
                plan: .recursion(
                    PhysicalPlan.Recursion(
                        number: recursion.number,
                        isAll: recursion.isAll,
                        anchor: try ordered(recursion.anchor),
                        step: Self.keepingInvariants(try ordered(recursion.step)) {
                            Self.keptNumber(numbers.next())
                        }
                    )
                ),
                layout: recursion.columns.map(\.id)
            )
        case .workingTable(let table):
            return Lowered(
                plan: .workingTable(table.number, types: table.columns.map(\.type)),
                layout: table.columns.map(\.id)
            )
        case .materialized(let common):
            // One that stands alone need not be kept.
            let input = try ordered(common.input)
            let isAlone = materializedCounts[common.number, default: 0] < 2
            return Lowered(
                plan: isAlone ? input : .shared(Self.materializedNumber(common.number), input),
                layout: common.columns.map(\.id)
            )
        case .numbering(let numbering):
            let below = try lower(numbering.input, needed: needed)
            return Lowered(
                plan: .numbering(numbering.kind, below.plan),
                layout: below.layout + [numbering.column.id]
            )
        case .unnest(let unnest): return try lowerUnnest(unnest, needed)
        }
    }

    private func lowerScan(
        _ scan: LogicalPlan.Scan,
        _ needed: Set<ColumnID>
    ) throws -> Lowered {
        let filterIDs = scan.filters.reduce(into: Set<ColumnID>()) { $0.formUnion($1.columnIDs) }
        let read = scan.columns.filter {
            needed.contains($0.column.id) || filterIDs.contains($0.column.id)
        }
        let layout = read.map(\.column.id)
        let positions = Positions(layout)
        let kept = layout.indices.filter { needed.contains(layout[$0]) }
        let cost: (BoundExpression) -> Int = { filterCost($0) }
        return Lowered(
            plan: .scan(
                PhysicalPlan.Scan(
                    id: scans.next(),
                    table: scan.table,
                    positions: read.map(\.position),
                    types: read.map(\.column.type),
                    filters: try scan.filters.sorted { cost($0) < cost($1) }
                        .map { try positions.resolve($0) },
                    output: kept
                )
            ),
            layout: kept.map { layout[$0] }
        )
    }

    /// How much work a condition is, roughly: conditions that can fail come last, so that rows which
    /// others rule out do not fail.
    private func filterCost(_ condition: BoundExpression) -> Int {
        var cost = condition.canFail ? 1000 : 0
        func visit(_ expression: BoundExpression) {
            switch expression {
            case .column(_, let type): cost += type.physical == .view ? 4 : 1
            case .constant: break
            case .pattern: cost += 20
            case .call: cost += 10
            case .nested: cost += 30
            default: cost += 1
            }
            expression.children.forEach(visit)
        }
        visit(condition)
        return cost
    }

    private func lowerAggregate(
        _ aggregate: LogicalPlan.Aggregate,
        _ needed: Set<ColumnID>
    ) throws -> Lowered {
        let calls = aggregate.calls.filter { needed.contains($0.column.id) }
        var below: Set<ColumnID> = []
        for group in aggregate.groups { below.formUnion(group.expression.columnIDs) }
        for (call, _) in calls {
            for expression in call.expressions { below.formUnion(expression.columnIDs) }
        }
        let input = try lower(aggregate.input, needed: below)
        let positions = Positions(input.layout)
        let groups = try aggregate.groups.map { try positions.resolve($0.expression) }
        let bound = try calls.map { call, _ in
            var call = call
            call = try call.mapExpressions { try positions.resolve($0) }
            return call
        }
        return Lowered(
            plan: .aggregate(groups: groups, calls: bound, input.plan),
            layout: aggregate.groups.map(\.column.id) + calls.map(\.column.id)
        )
    }

    private func lowerWindow(
        _ window: LogicalPlan.Window,
        _ needed: Set<ColumnID>
    ) throws -> Lowered {
        let calls = window.calls.filter { needed.contains($0.column.id) }
        if calls.isEmpty { return try lower(window.input, needed: needed) }
        var below = needed
        for (_, column) in window.calls { below.remove(column.id) }
        for expression in window.partition + window.order.map(\.expression) {
            below.formUnion(expression.columnIDs)
        }
        for (call, _) in calls {
            for expression in call.expressions { below.formUnion(expression.columnIDs) }
        }
        let input = try lower(window.input, needed: below)
        let positions = Positions(input.layout)
        return Lowered(
            plan: .window(
                PhysicalPlan.Window(
                    partition: try window.partition.map { try positions.resolve($0) },
                    order: try window.order.map { key in
                        try key.mapExpression { try positions.resolve($0) }
                    },
                    calls: try calls.map { call, _ in
                        try call.mapExpressions { try positions.resolve($0) }
                    },
                    input: input.plan
                )
            ),
            layout: input.layout + calls.map(\.column.id)
        )
    }

    private func lowerUnnest(
        _ unnest: LogicalPlan.Unnest,
        _ needed: Set<ColumnID>
    ) throws -> Lowered {
        let own = needed.subtracting(unnest.added.map(\.id))
        let below = try lower(
            unnest.input,
            needed: unnest.items.reduce(into: own) { $0.formUnion($1.expression.columnIDs) }
        )
        let positions = Positions(below.layout)
        let kept = below.layout.indices.filter { needed.contains(below.layout[$0]) }
        return Lowered(
            plan: .unnest(
                PhysicalPlan.Unnest(
                    lists: try unnest.items.map { try positions.resolve($0.expression) },
                    output: kept,
                    hasOrdinality: unnest.ordinality != nil,
                    keepsEmpty: unnest.keepsEmpty,
                    input: below.plan
                )
            ),
            layout: kept.map { below.layout[$0] } + unnest.added.map(\.id)
        )
    }

    private func lowerJoin(
        _ join: LogicalPlan.Join,
        _ needed: Set<ColumnID>
    ) throws -> Lowered {
        var below = needed
        for condition in join.conditions + join.correlations {
            below.formUnion(condition.columnIDs)
        }
        let leftIDs = Set(join.left.columns.map(\.id))
        let rightIDs = Set(join.right.columns.map(\.id))
        let left = try lower(join.left, needed: below.intersection(leftIDs))
        let right = try lower(join.right, needed: below.intersection(rightIDs))
        let (leftPositions, rightPositions) = (Positions(left.layout), Positions(right.layout))
        var leftKeys: [BoundExpression] = []
        var rightKeys: [BoundExpression] = []
        var nullsMatch: [Bool] = []
        var residuals: [BoundExpression] = []
        // Of IN, the comparisons are keys only where nothing else is asked of the pairs: what a null
        // among several keys means depends on the others.
        let comparesPairs = join.isNullAware && !join.isPlainIn
        for condition in comparesPairs ? join.correlations : join.conditions {
            let sides: (BoundExpression, BoundExpression, Bool)?
            switch condition {
            case .compare(.equal, let a, let b): sides = (a, b, false)
            case .isDistinct(let a, let b, isNegated: true): sides = (a, b, true)
            default: sides = nil
            }
            guard let (a, b, matchesNull) = sides, !a.columnIDs.isEmpty, !b.columnIDs.isEmpty
            else {
                residuals.append(condition)
                continue
            }
            if a.columnIDs.isSubset(of: leftIDs), b.columnIDs.isSubset(of: rightIDs) {
                leftKeys.append(try leftPositions.resolve(a))
                rightKeys.append(try rightPositions.resolve(b))
            } else if b.columnIDs.isSubset(of: leftIDs), a.columnIDs.isSubset(of: rightIDs) {
                leftKeys.append(try leftPositions.resolve(b))
                rightKeys.append(try rightPositions.resolve(a))
            } else {
                residuals.append(condition)
                continue
            }
            nullsMatch.append(matchesNull)
        }
        let residual = try BoundExpression.conjunction(residuals).map {
            try Positions(left.layout + right.layout).resolve($0)
        }
        let leftOutput = left.layout.indices.filter { needed.contains(left.layout[$0]) }
        var rightOutput = right.layout.indices.filter { needed.contains(right.layout[$0]) }
        var layout = leftOutput.map { left.layout[$0] }
        let kind: PhysicalPlan.Join.Kind
        switch join.kind {
        case .inner: kind = .inner
        case .left: kind = .left
        case .right: kind = .right
        case .full: kind = .full
        case .cross: kind = .cross
        case .semi: kind = .semi
        case .anti: kind = .anti
        case .single: kind = .single
        case .mark(let id):
            kind = comparesPairs ? .markAny : .mark(isNullAware: join.isNullAware)
            layout.append(id)
        }
        switch join.kind {
        case .semi, .anti, .mark: rightOutput = []
        default: layout += rightOutput.map { right.layout[$0] }
        }
        if !leftKeys.isEmpty, kind == .semi || kind == .anti, isSmaller(join.left, than: join.right)
        {
            return Lowered(
                plan: .join(
                    PhysicalPlan.Join(
                        kind: kind == .semi ? .rightSemi : .rightAnti,
                        left: right.plan,
                        right: left.plan,
                        leftKeys: rightKeys,
                        rightKeys: leftKeys,
                        nullsMatch: nullsMatch,
                        residual: try BoundExpression.conjunction(residuals).map {
                            try Positions(right.layout + left.layout).resolve($0)
                        },
                        comparison: nil,
                        leftOutput: [],
                        rightOutput: leftOutput
                    )
                ),
                layout: layout
            )
        }
        return Lowered(
            plan: .join(
                PhysicalPlan.Join(
                    kind: kind,
                    left: left.plan,
                    right: right.plan,
                    leftKeys: leftKeys,
                    rightKeys: rightKeys,
                    nullsMatch: nullsMatch,
                    residual: residual,
                    comparison: try comparesPairs
                        ? BoundExpression.conjunction(join.conditions).map {
                            try Positions(left.layout + right.layout).resolve($0)
                        } : nil,
                    leftOutput: leftOutput,
                    rightOutput: rightOutput
                )
            ),
            layout: layout
        )
    }

    /// The layout under the names of a projection that only names columns anew, each at most once; nil
    /// for others.
    private static func renamed(
        _ layout: [ColumnID],
        _ projections: [LogicalPlan.Projection]
    ) -> [ColumnID]? {
        var names: [ColumnID: ColumnID] = [:]
        for projection in projections {
            guard case .column(let id, _) = projection.expression,
                names.updateValue(projection.column.id, forKey: id) == nil
            else { return nil }
        }
        guard names.keys.allSatisfy(layout.contains) else { return nil }
        return layout.map { names[$0] ?? $0 }
    }

    /// Whether it is clearly cheaper to build `left` into a table than `right`.
    private func isSmaller(_ left: LogicalPlan, than right: LogicalPlan) -> Bool {
        guard let cardinality else { return false }
        return cardinality.rows(left) < cardinality.rows(right) / 2
    }

    private func lowerSet(_ operation: LogicalPlan.SetOperation) throws -> Lowered {
        let layout = operation.columns.map(\.id)
        let types = operation.columns.map(\.type)
        let inputs = try operation.inputs.map { try ordered($0) }
        let references = types.enumerated().map { BoundExpression.column(ColumnID($0), $1) }
        switch operation.kind {
        case .union:
            let all = PhysicalPlan.union(inputs)
            if operation.isAll { return Lowered(plan: all, layout: layout) }
            return Lowered(
                plan: .aggregate(groups: references, calls: [], all),
                layout: layout
            )
        case .intersect, .except:
            if operation.isAll {
                return Lowered(plan: bagPlan(operation.kind, inputs, types), layout: layout)
            }
            let join = PhysicalPlan.Join(
                kind: operation.kind == .intersect ? .semi : .anti,
                left: .aggregate(groups: references, calls: [], inputs[0]),
                right: inputs[1],
                leftKeys: references,
                rightKeys: references,
                nullsMatch: types.map { _ in true },
                residual: nil,
                comparison: nil,
                leftOutput: Array(types.indices),
                rightOutput: []
            )
            return Lowered(plan: .join(join), layout: layout)
        }
    }

    /// INTERSECT ALL and EXCEPT ALL: how often each distinct row is in either input decides how often
    /// it comes out.
    private func bagPlan(
        _ kind: LogicalPlan.SetOperation.Kind,
        _ inputs: [PhysicalPlan],
        _ types: [DataType]
    ) -> PhysicalPlan {
        let references = types.enumerated().map { BoundExpression.column(ColumnID($0), $1) }
        let here = BoundExpression.constant(.boolean(true), .boolean)
        let missing = BoundExpression.constant(.null, .boolean)
        // Which input a row is of, as what `count` counts.
        let all = PhysicalPlan.union([
            .project(references + [here, missing], inputs[0]),
            .project(references + [missing, here], inputs[1]),
        ])
        let calls = [types.count, types.count + 1].map {
            AggregateCall(function: .count, argument: .column(ColumnID($0), .boolean), type: .int64)
        }
        let left = BoundExpression.column(ColumnID(types.count), .int64)
        let right = BoundExpression.column(ColumnID(types.count + 1), .int64)
        let count: BoundExpression
        if kind == .except {
            count = .arithmetic(.subtract, left, right, .int64)
        } else {
            let less = BoundExpression.Branch(condition: .compare(.less, left, right), value: left)
            count = .conditional([less], otherwise: right, .int64)
        }
        return .replicate(
            count,
            output: Array(types.indices),
            .aggregate(groups: references, calls: calls, all)
        )
    }
}

extension LogicalPlan.Join {
    /// Whether this is one value against a whole column, as `x IN (SELECT y …)`.
    fileprivate var isPlainIn: Bool {
        guard correlations.isEmpty, conditions.count == 1,
            case .compare(.equal, let a, let b) = conditions[0]
        else { return false }
        let leftIDs = Set(left.columns.map(\.id))
        let rightIDs = Set(right.columns.map(\.id))
        return !a.columnIDs.isEmpty && !b.columnIDs.isEmpty && a.columnIDs.isSubset(of: leftIDs)
            && b.columnIDs.isSubset(of: rightIDs)
    }
}
