import Columnar
import SQL

/// GROUP BY: plain groups, and the sets of groups of ROLLUP, CUBE and GROUPING SETS.
extension Binder {
    /// The different expressions that are grouped by, and the grouping sets as positions among them;
    /// no sets where there is one that has them all.
    mutating func bindGroups(
        _ groupBy: GroupBy?,
        _ select: SelectBlock,
        _ selected: inout GroupableOutputs,
        _ scope: Scope,
        _ aliases: [(name: Identifier, expression: SQL.Expression)],
        _ plan: inout LogicalPlan
    ) throws -> (groups: [LogicalPlan.Projection], sets: [[Int]]?) {
        guard let groupBy else { return ([], nil) }
        var groups: [LogicalPlan.Projection] = []
        func add(_ expression: BoundExpression, _ name: String, _ binder: inout Binder) -> Int {
            if let known = groups.firstIndex(where: { $0.expression == expression }) {
                return known
            }
            groups.append(
                LogicalPlan.Projection(expression, binder.newColumn(name, expression.type))
            )
            return groups.count - 1
        }
        func bound(_ expressions: [SQL.Expression], _ binder: inout Binder) throws -> [Int] {
            var positions: [Int] = []
            let each = try expressions.flatMap {
                try binder.expandColumns(SelectItem(expression: $0), scope).map(\.expression)
            }
            for expression in each {
                let position =
                    try binder.ordinal(expression, count: selected.outputs.count)
                    ?? selected.position(of: expression, scope)
                if let position {
                    let output = try selected.take(position, at: expression.span)
                    positions.append(add(output.expression, output.name, &binder))
                    continue
                }
                var context = ExpressionContext(scope: scope, clause: "GROUP BY")
                context.aliases = aliases
                context.isGrouped = true
                let bound = try binder.bind(expression, &context)
                plan = try binder.attach(context.attachments, to: plan)
                positions.append(add(bound, binder.outputName(expression), &binder))
            }
            return positions
        }
        func tooMany() -> PlanError {
            PlanError(.invalid, "there are more than 4096 grouping sets", at: select.span)
        }
        func sets(of element: GroupingElement, _ binder: inout Binder) throws -> [[Int]] {
            switch element {
            case .expressions(let expressions): return [try bound(expressions, &binder)]
            case .rollup(let parts):
                let all = try parts.map { try bound($0, &binder) }
                return (0...all.count).reversed().map { Array(all[..<$0].joined()) }
            case .cube(let parts):
                guard parts.count <= 12 else { throw tooMany() }
                let all = try parts.map { try bound($0, &binder) }
                return (0..<(1 << all.count)).reversed().map { bits in
                    all.indices.filter { bits >> (all.count - 1 - $0) & 1 == 1 }
                        .flatMap { all[$0] }
                }
            case .sets(let elements):
                var result: [[Int]] = []
                for element in elements { result += try sets(of: element, &binder) }
                return result
            }
        }
        switch groupBy {
        case .all:
            let inputs = Set(scope.columns.map(\.column.id))
            for (position, output) in selected.outputs.enumerated() {
                let made = selected.columns(of: output)
                if output.expression.isConstant || selected.isComputedLater(output)
                    || !output.expression.columnIDs.isSubset(of: inputs.union(made))
                {
                    continue
                }
                let taken = try selected.take(position, at: output.span)
                _ = add(taken.expression, taken.name, &self)
            }
            return (groups, nil)
        case .elements(let elements, let isDistinct):
            var all: [[Int]] = [[]]
            for element in elements {
                let next = try sets(of: element, &self)
                guard all.count * next.count <= 4096 else { throw tooMany() }
                all = all.flatMap { first in next.map { first + $0 } }
            }
            all = all.map { Set($0).sorted() }
            if isDistinct {
                var seen: Set<[Int]> = []
                all = all.filter { seen.insert($0).inserted }
            }
            if all.count == 1, all[0].count == groups.count { return (groups, nil) }
            return (groups, all)
        }
    }

    /// `grouping(a, b)`: which of the arguments a row is not grouped by, as bits.
    mutating func bindGrouping(
        _ name: String,
        _ call: FunctionCall,
        _ context: inout ExpressionContext,
        at span: SourceSpan
    ) throws -> BoundExpression? {
        guard name == "grouping" || name == "grouping_id" else { return nil }
        guard let collector = context.aggregates, collector.isInsideArgument == 0 else {
            throw PlanError(.invalid, "\(name) cannot stand in \(context.clause)", at: span)
        }
        guard (1...63).contains(call.arguments.count) else {
            throw PlanError(.invalid, "\(name) takes 1 to 63 arguments", at: span)
        }
        let arguments = try call.arguments.map { try bind($0.value, &context) }
        let column = newColumn(name, .int64, isNullable: false)
        collector.groupings.append((arguments, column))
        return column.reference
    }

    /// The aggregate of a SELECT, one for all of its grouping sets.
    ///
    /// Rows are repeated for every set that groups by something, with the number of the set as one
    /// more group and null for what the set does not group by. The set of nothing is an aggregate of
    /// its own, as it has a row even where there are none to group.
    mutating func grouped(
        _ input: LogicalPlan,
        _ groups: [LogicalPlan.Projection],
        _ sets: [[Int]]?,
        _ collector: AggregateCollector,
        at span: SourceSpan
    ) throws -> LogicalPlan {
        let number = newColumn("set", .int64, isNullable: false)
        var plan: LogicalPlan
        let (keyed, firsts) = byKeys(groups)
        if let sets {
            guard firsts.isEmpty else {
                throw PlanError(
                    .unsupported,
                    "grouping sets of texts with a collation are not supported",
                    hint: "Group by lower(…), or write COLLATE BINARY.",
                    at: span
                )
            }
            plan = grouped(input, groups, sets, collector.calls, number)
        } else {
            plan = .aggregate(
                LogicalPlan.Aggregate(
                    groups: keyed,
                    calls: collector.calls + firsts,
                    input: input
                )
            )
        }
        guard !collector.groupings.isEmpty else { return plan }
        var projections = plan.columns.map { LogicalPlan.Projection($0.reference, $0) }
        for (arguments, column) in collector.groupings {
            let positions = try arguments.map { argument in
                guard let position = groups.firstIndex(where: { $0.expression == argument }) else {
                    throw PlanError(
                        .invalid,
                        "the arguments of grouping() must stand in GROUP BY",
                        at: span
                    )
                }
                return position
            }
            func bits(_ set: [Int]) -> BoundExpression {
                let value = positions.reduce(Int64(0)) { $0 << 1 | (set.contains($1) ? 0 : 1) }
                return .constant(.int64(value), .int64)
            }
            var value = bits(Array(groups.indices))
            if let sets {
                value = .conditional(
                    sets.indices.map { index in
                        BoundExpression.Branch(
                            condition: .compare(
                                .equal,
                                number.reference,
                                .constant(.int64(Int64(index)), .int64)
                            ),
                            value: bits(sets[index])
                        )
                    },
                    otherwise: nil,
                    .int64
                )
            }
            projections.append(LogicalPlan.Projection(value, column))
        }
        plan = .project(projections, plan)
        return plan
    }

    private mutating func grouped(
        _ input: LogicalPlan,
        _ groups: [LogicalPlan.Projection],
        _ sets: [[Int]],
        _ calls: [(call: AggregateCall, column: PlanColumn)],
        _ number: PlanColumn
    ) -> LogicalPlan {
        let columns = groups.map(\.column) + [number] + calls.map(\.column)
        let filled = sets.indices.filter { !sets[$0].isEmpty }
        var inputs: [LogicalPlan] = []
        if !filled.isEmpty {
            let each = newColumn("set", .int64, isNullable: false)
            let repeated = LogicalPlan.join(
                LogicalPlan.Join(
                    kind: .cross,
                    left: input,
                    right: .values(
                        LogicalPlan.Values(
                            columns: [each],
                            rows: filled.map { [.constant(.int64(Int64($0)), .int64)] }
                        )
                    )
                )
            )
            var projections = groups.indices.map { index in
                let group = groups[index]
                let among = filled.filter { sets[$0].contains(index) }
                var value = group.expression
                if among.count < filled.count {
                    value = .conditional(
                        [
                            BoundExpression.Branch(
                                condition: .inSet(
                                    each.reference,
                                    among.map { .int64(Int64($0)) },
                                    isNegated: false
                                ),
                                value: group.expression
                            )
                        ],
                        otherwise: nil,
                        group.expression.type
                    )
                }
                return LogicalPlan.Projection(value, newColumn(group.column.name, value.type))
            }
            projections.append(
                LogicalPlan.Projection(each.reference, newColumn("set", .int64))
            )
            inputs.append(
                .aggregate(
                    LogicalPlan.Aggregate(
                        groups: projections,
                        calls: calls.map { ($0.call, newColumn($0.column.name, $0.column.type)) },
                        input: repeated
                    )
                )
            )
        }
        for set in sets.indices where sets[set].isEmpty {
            let copies = calls.map { ($0.call, newColumn($0.column.name, $0.column.type)) }
            let all = LogicalPlan.aggregate(
                LogicalPlan.Aggregate(groups: [], calls: copies, input: input)
            )
            let values =
                groups.map { BoundExpression.constant(.null, $0.column.type) }
                + [.constant(.int64(Int64(set)), .int64)] + copies.map(\.1.reference)
            inputs.append(
                .project(
                    zip(values, columns).map {
                        LogicalPlan.Projection($0, newColumn($1.name, $1.type))
                    },
                    all
                )
            )
        }
        return .setOperation(
            LogicalPlan.SetOperation(kind: .union, isAll: true, inputs: inputs, columns: columns)
        )
    }
}
