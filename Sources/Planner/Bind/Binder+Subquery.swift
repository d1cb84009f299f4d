import Columnar
import SQL

/// Subqueries in expressions: each becomes a join of the rows that the expression sees with the
/// subquery's rows. The subquery's plan may name columns of the rows around it; `Decorrelator` makes
/// it independent of them.
extension Binder {
    private mutating func bindSubquery(
        _ query: Query,
        _ context: ExpressionContext
    ) throws -> LogicalPlan {
        outerLevels.append(
            OuterLevel(
                scope: context.scope,
                aggregates: context.aggregates,
                aliases: context.aliases.filter { !context.openAliases.contains($0.name.name) }
            )
        )
        defer { outerLevels.removeLast() }
        let plan = try bind(query: query)
        noteCollations(plan)
        return plan
    }

    private mutating func bindColumn(
        of query: Query,
        _ what: String,
        _ context: ExpressionContext,
        at span: SourceSpan
    ) throws -> (plan: LogicalPlan, column: PlanColumn) {
        let plan = try bindSubquery(query, context)
        guard plan.columns.count == 1, let column = plan.columns.first else {
            throw PlanError(
                .invalid,
                "\(what) must have one column, not \(plan.columns.count)",
                at: span
            )
        }
        return (plan, column)
    }

    mutating func bindScalarSubquery(
        _ query: Query,
        _ context: inout ExpressionContext,
        at span: SourceSpan
    ) throws -> BoundExpression {
        let (plan, column) = try bindColumn(
            of: query,
            "a subquery used as a value",
            context,
            at: span
        )
        context.attachments.append(
            Attachment(kind: .single, plan: plan, conditions: [], isNullAware: false)
        )
        return column.reference
    }

    mutating func bindExists(
        _ query: Query,
        _ context: inout ExpressionContext,
        at span: SourceSpan
    ) throws -> BoundExpression {
        let plan = try bindSubquery(query, context)
        let mark = newColumn("exists", .boolean, isNullable: false)
        context.attachments.append(
            Attachment(
                kind: .mark(mark.id),
                plan: .limit(count: 1, offset: 0, plan),
                conditions: [],
                isNullAware: false
            )
        )
        return mark.reference
    }

    /// `operand IN (query)`, also with several columns on both sides.
    mutating func bindInQuery(
        _ operand: SQL.Expression,
        _ query: Query,
        _ isNegated: Bool,
        _ context: inout ExpressionContext,
        at span: SourceSpan
    ) throws -> BoundExpression {
        var operands = [operand]
        if case .row(let parts) = operand.node { operands = parts }
        let values = try operands.map { try bind($0, &context) }
        let plan = try bindSubquery(query, context)
        let columns = plan.columns
        guard columns.count == values.count else {
            throw PlanError(
                .invalid,
                values.count == 1
                    ? "the subquery of IN must have one column, not \(columns.count)"
                    : "the subquery of IN has \(columns.count) columns, the row has \(values.count)",
                at: span
            )
        }
        let mark = try attachMark(
            plan,
            zip(values, columns).map { (.equal, $0, $1.reference) },
            &context,
            at: span
        )
        return isNegated ? .not(mark) : mark
    }

    /// A column that says whether some row of the plan meets all comparisons, as SQL's ANY does.
    private mutating func attachMark(
        _ source: LogicalPlan,
        _ comparisons: [(ComparisonOperator, BoundExpression, BoundExpression)],
        _ context: inout ExpressionContext,
        at span: SourceSpan
    ) throws -> BoundExpression {
        var projections = source.columns.map { LogicalPlan.Projection($0.reference, $0) }
        let plainCount = projections.count
        var conditions: [BoundExpression] = []
        for (op, value, column) in comparisons {
            let (x, y) = try unify(value, column, at: span)
            let (left, right) = try collated(x, y, at: span)
            var key = right
            if case .column = right {
            } else {
                let cast = newColumn("key", right.type)
                projections.append(LogicalPlan.Projection(right, cast))
                key = cast.reference
            }
            conditions.append(.compare(op, left, key))
        }
        let plan = projections.count > plainCount ? .project(projections, source) : source
        let mark = newColumn("in", .boolean)
        context.attachments.append(
            Attachment(
                kind: .mark(mark.id),
                plan: plan,
                conditions: conditions,
                isNullAware: true
            )
        )
        return mark.reference
    }

    /// `operand op ANY (query)` and `operand op ALL (query)`.
    ///
    /// Equality is `IN`. An order is decided by the least or greatest value of the query, an
    /// inequality by both; how many rows and nulls there are decides between false and unknown.
    mutating func bindQuantified(
        _ operand: SQL.Expression,
        _ op: QuantifiedOperator,
        _ quantifier: Quantifier,
        _ query: Query,
        _ context: inout ExpressionContext,
        at span: SourceSpan
    ) throws -> BoundExpression {
        let comparison: ComparisonOperator
        switch op {
        case .binary(.equal): comparison = .equal
        case .binary(.notEqual): comparison = .notEqual
        case .binary(.less): comparison = .less
        case .binary(.lessOrEqual): comparison = .lessOrEqual
        case .binary(.greater): comparison = .greater
        case .binary(.greaterOrEqual): comparison = .greaterOrEqual
        default:
            throw PlanError(
                .unsupported,
                "ANY and ALL with anything but a comparison are not supported yet",
                at: span
            )
        }
        // x op ALL (q) is NOT (x negated op ANY (q)).
        let isAll = quantifier == .all
        let wanted = isAll ? comparison.negated : comparison
        if wanted == .equal { return try bindInQuery(operand, query, isAll, &context, at: span) }
        let value = try bind(operand, &context)
        let (plan, column) = try bindColumn(
            of: query,
            "the subquery of ANY or ALL",
            context,
            at: span
        )
        guard !column.type.isNested, column.type != .interval else {
            let mark = try attachMark(plan, [(wanted, value, column.reference)], &context, at: span)
            return isAll ? .not(mark) : mark
        }
        let (left, right) = try unify(value, column.reference, at: span)
        if try commonCollation(left, right, at: span) != nil {
            throw PlanError(
                .unsupported,
                "< and > with ANY and ALL do not look at collations",
                hint: "Write COLLATE BINARY, or compare with min or max.",
                at: span
            )
        }
        func aggregate(_ function: AggregateFunction, _ argument: BoundExpression?) -> (
            call: AggregateCall, column: PlanColumn
        ) {
            let type = function == .min || function == .max ? right.type : .int64
            return (
                AggregateCall(function: function, argument: argument, type: type),
                newColumn(function.rawValue, type)
            )
        }
        let least = aggregate(.min, right)
        let greatest = aggregate(.max, right)
        let rows = aggregate(.countStar, nil)
        let known = aggregate(.count, right)
        context.attachments.append(
            Attachment(
                kind: .single,
                plan: .aggregate(
                    LogicalPlan.Aggregate(
                        groups: [],
                        calls: [least, greatest, rows, known],
                        input: plan
                    )
                ),
                conditions: [],
                isNullAware: false
            )
        )
        func test(_ op: ComparisonOperator, _ extreme: PlanColumn) -> BoundExpression {
            .isTruth(.compare(op, left, extreme.reference), true, isNegated: false)
        }
        let isMet: BoundExpression
        switch wanted {
        case .less, .lessOrEqual: isMet = test(wanted, greatest.column)
        case .greater, .greaterOrEqual: isMet = test(wanted, least.column)
        default: isMet = .or([test(wanted, least.column), test(wanted, greatest.column)])
        }
        let zero = BoundExpression.constant(.int64(0), .int64)
        let isEmpty = BoundExpression.compare(.equal, rows.column.reference, zero)
        let isUnknown = BoundExpression.or([
            .isNull(left, isNegated: false),
            .compare(.greater, rows.column.reference, known.column.reference),
        ])
        let any = BoundExpression.conditional(
            [
                BoundExpression.Branch(
                    condition: isMet,
                    value: .constant(.boolean(true), .boolean)
                ),
                BoundExpression.Branch(
                    condition: isEmpty,
                    value: .constant(.boolean(false), .boolean)
                ),
                BoundExpression.Branch(
                    condition: isUnknown,
                    value: .constant(.null, .boolean)
                ),
            ],
            otherwise: .constant(.boolean(false), .boolean),
            .boolean
        )
        return isAll ? .not(any) : any
    }
}
