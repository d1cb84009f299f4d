import Columnar
import SQL

/// Common table expressions: those that are read as if they stood where they are named, those that are
/// computed once, and those that read themselves.
extension Binder {
    /// What the text of a common table is read as.
    enum CommonTableRole {
        case plain
        /// Its `WITH` says `RECURSIVE`.
        case recursive
        /// Its own name inside of its step.
        case working([PlanColumn])
        /// Its own name where it may not stand.
        case forbidden
    }

    /// Plans from this size on are computed once, so that common tables that read each other twice do
    /// not grow without bound.
    private static let inlinedNodesMax = 400

    /// Makes common table expressions known to what is bound next.
    mutating func define(_ with: WithClause) throws {
        var names: Set<String> = []
        for expression in with.expressions {
            guard names.insert(expression.name.name.lowercased()).inserted else {
                throw PlanError(
                    .invalid,
                    "WITH names \"\(expression.name.name)\" twice",
                    at: expression.name.span
                )
            }
            commonNumber += 1
            commonTables.append(
                CommonTable(
                    name: expression.name,
                    columns: expression.columns,
                    query: expression.query,
                    visibleCount: commonTables.count,
                    outerCount: outerLevels.count,
                    number: commonNumber,
                    isMaterialized: expression.isMaterialized,
                    role: with.isRecursive ? .recursive : .plain
                )
            )
        }
    }

    /// The rows of a common table where it is named.
    mutating func bindCommon(_ common: CommonTable, at span: SourceSpan) throws -> LogicalPlan {
        switch common.role {
        case .working(let columns):
            usedWorkingTables.insert(common.number)
            return .workingTable(
                LogicalPlan.WorkingTable(
                    number: common.number,
                    columns: columns.map { newColumn($0.name, $0.type) }
                )
            )
        case .forbidden:
            throw PlanError(
                .invalid,
                "the recursive query \"\(common.name.name)\" cannot refer to itself here",
                hint: "It is written as: first rows UNION [ALL] a query that refers to itself.",
                at: span
            )
        case .plain, .recursive: break
        }
        if let known = materialized[common.number] { return reference(to: known, common.number) }
        // The query of a common table sees only what was defined before it.
        let saved = (commonTables, outerLevels)
        commonTables.removeLast(commonTables.count - common.visibleCount)
        outerLevels.removeLast(outerLevels.count - common.outerCount)
        openCommonTables.append(common.name)
        defer {
            (commonTables, outerLevels) = saved
            openCommonTables.removeLast()
        }
        var plan: LogicalPlan
        if case .recursive = common.role {
            plan = try bindRecursive(common)
        } else {
            plan = uniquelyNamed(try bind(query: common.query))
            plan = try renamed(plan, common.columns, of: common.name)
        }
        guard isComputedOnce(plan, common), plan.freeColumns.isEmpty, !plan.readsWorkingTable
        else { return plan }
        materialized[common.number] = plan
        return reference(to: plan, common.number)
    }

    private func isComputedOnce(_ plan: LogicalPlan, _ common: CommonTable) -> Bool {
        if let wanted = common.isMaterialized { return wanted }
        if case .recursion = plan { return true }
        return !plan.isDeterministic || plan.nodeCount > Self.inlinedNodesMax
    }

    private mutating func reference(to plan: LogicalPlan, _ number: Int) -> LogicalPlan {
        .materialized(
            LogicalPlan.Materialized(
                number: number,
                columns: plan.columns.map {
                    newColumn($0.name, $0.type, isNullable: $0.isNullable)
                },
                input: plan
            )
        )
    }

    /// A query of a `WITH RECURSIVE`, which may read itself or not.
    private mutating func bindRecursive(_ common: CommonTable) throws -> LogicalPlan {
        try nested(common.query) { binder in
            let outerCount = binder.commonTables.count
            defer { binder.commonTables.removeLast(binder.commonTables.count - outerCount) }
            var hidden = common
            hidden.role = .forbidden
            binder.commonTables.append(hidden)
            if let with = common.query.with { try binder.define(with) }
            let ownCount = binder.commonTables.count
            if case .setOperation(let operation) = common.query.body,
                operation.setOperator == .union, !operation.isByName,
                let step = operation.operands.last
            {
                var first = operation
                first.operands.removeLast()
                let anchor = try binder.bindBody(
                    first.operands.count == 1 ? first.operands[0] : .setOperation(first),
                    orderBy: nil,
                    limit: nil
                )
                if let plan = try binder.bindStep(step, operation, anchor, common, ownCount) {
                    return plan
                }
            }
            let plan = binder.uniquelyNamed(
                try binder.bindBody(
                    common.query.body,
                    orderBy: common.query.orderBy,
                    limit: common.query.limit
                )
            )
            return try binder.renamed(plan, common.columns, of: common.name)
        }
    }

    /// The recursion, if the step reads the working table; nil if it does not.
    private mutating func bindStep(
        _ step: QueryBody,
        _ operation: SetOperation,
        _ first: LogicalPlan,
        _ common: CommonTable,
        _ ownCount: Int
    ) throws -> LogicalPlan? {
        var anchor = try renamed(uniquelyNamed(first), common.columns, of: common.name)
        let columns = anchor.columns.map { column in
            newColumn(column.name, column.type == .null ? .int32 : column.type)
        }
        anchor = try converted(anchor, to: columns, at: operation.span)
        var own = common
        own.role = .working(columns)
        let before = usedWorkingTables
        usedWorkingTables.remove(common.number)
        commonTables.append(own)
        let bound = try bindBody(step, orderBy: nil, limit: nil)
        commonTables.removeLast(commonTables.count - ownCount)
        let isUsed = usedWorkingTables.contains(common.number)
        usedWorkingTables = before
        guard isUsed else { return nil }
        if common.query.orderBy != nil || common.query.limit != nil {
            throw PlanError(
                .invalid,
                "\(common.query.orderBy == nil ? "LIMIT" : "ORDER BY") cannot stand in the recursive query "
                    + "\"\(common.name.name)\"",
                hint: "Put it into the query that reads \"\(common.name.name)\".",
                at: common.name.span
            )
        }
        guard bound.columns.count == columns.count else {
            throw PlanError(
                .invalid,
                "the recursive part of \"\(common.name.name)\" needs as many columns as its first rows "
                    + "have: \(columns.count), not \(bound.columns.count)",
                at: operation.span
            )
        }
        return .recursion(
            LogicalPlan.Recursion(
                number: common.number,
                isAll: operation.isAll,
                anchor: anchor,
                step: try converted(bound, to: columns, at: operation.span),
                columns: columns.map { newColumn($0.name, $0.type) }
            )
        )
    }

    /// The plan with its columns at the types of others.
    private mutating func converted(
        _ plan: LogicalPlan,
        to columns: [PlanColumn],
        at span: SourceSpan
    ) throws -> LogicalPlan {
        if plan.columns.map(\.type) == columns.map(\.type) { return plan }
        return .project(
            try zip(plan.columns, columns).map { column, wanted in
                LogicalPlan.Projection(
                    try coerce(column.reference, to: wanted.type, at: span),
                    newColumn(column.name, wanted.type, isNullable: column.isNullable)
                )
            },
            plan
        )
    }
}
