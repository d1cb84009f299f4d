import Columnar
package import SQL

/// What UPDATE and MERGE do to a table whose files are written anew where they change.
package struct ChangePlan: Sendable {
    /// The rows that are updated or deleted; `file` says which file each is in.
    package var changed: LogicalPlan
    package var file: PlanColumn
    /// The rows of the table as they are afterwards, without those that are inserted: the table's columns and,
    /// where it has row lineage, that of each row.
    package var rewritten: LogicalPlan
    /// Rows that are new; nil when none can be.
    package var inserted: LogicalPlan?
    /// Whether rows of other tables decide which rows change.
    package var isByOtherRows: Bool
    /// What the changed rows were before, where that is a condition over the table alone.
    package var condition: (condition: BoundExpression, scan: LogicalPlan)?
    /// The changed rows as they are afterwards, those that go as they were: the table's columns, then
    /// whether the row goes.
    package var returned: LogicalPlan
}

extension Binder {
    /// A scan of the table that is changed: its columns, then each row's file and position in it.
    struct Target {
        var plan: LogicalPlan
        var scope: Scope
        var columns: [PlanColumn]
        var file: PlanColumn
        var position: PlanColumn
        /// Row lineage, where the table has it.
        var rowID: PlanColumn?
        var lastUpdated: PlanColumn?
    }

    /// - Parameter table: its last two columns are the file of each row and the position in it; the
    ///   numbers of rows and row lineage, if it has them, stand before these.
    mutating func target(
        _ table: SourceTable,
        name: ObjectName,
        alias: Identifier?
    ) -> Target {
        let plan = scan(of: table)
        if !table.collations.isEmpty { usesCollations = true }
        noteCollations(plan)
        let columns = plan.columns
        let seen = columns.indices.dropLast(2)
        let own = seen.filter { !table.isPseudo($0) }.map { columns[$0] }
        let qualifier = alias.map { [$0.name] } ?? name.map(\.name)
        return Target(
            plan: plan,
            scope: Scope(
                seen.map { position in
                    ScopeColumn(
                        qualifier: qualifier,
                        name: columns[position].name,
                        column: columns[position],
                        isPseudo: table.isPseudo(position)
                    )
                }
            ),
            columns: own,
            file: columns[columns.count - 2],
            position: columns[columns.count - 1],
            rowID: table.rowLineage.map { columns[$0.rowID] },
            lastUpdated: table.rowLineage.map { columns[$0.lastUpdated] }
        )
    }

    /// What the lineage of a row is afterwards: the row keeps its id, and one that changed forgets when it did,
    /// so that it inherits the number of the commit.
    ///
    /// - Parameter isChanged: nil when all rows change.
    /// - Returns: nothing for tables without row lineage.
    private mutating func lineage(
        of target: Target,
        isChanged: BoundExpression?
    ) -> [LogicalPlan.Projection] {
        guard let rowID = target.rowID, let lastUpdated = target.lastUpdated else { return [] }
        let none = BoundExpression.constant(.null, lastUpdated.type)
        let number =
            isChanged.map {
                BoundExpression.conditional(
                    [BoundExpression.Branch(condition: $0, value: none)],
                    otherwise: lastUpdated.reference,
                    lastUpdated.type
                )
            } ?? none
        return [
            LogicalPlan.Projection(rowID.reference, newColumn(rowID.name, rowID.type)),
            LogicalPlan.Projection(number, newColumn(lastUpdated.name, lastUpdated.type)),
        ]
    }

    // MARK: UPDATE

    package mutating func bind(_ update: Update, over table: SourceTable) throws -> ChangePlan {
        if let with = update.with { try define(with) }
        let target = target(table, name: update.table, alias: update.alias)
        if update.from.isEmpty {
            var context = ExpressionContext(scope: target.scope, clause: "UPDATE")
            let condition = try update.filter.map { try bindBoolean($0, &context) }
            let filterAttachments = context.attachments
            context.attachments = []
            let values = try bind(update.assignments, target, &context)
            let filtered = try attach(filterAttachments, to: target.plan)
            let all = try attach(context.attachments, to: filtered)
            let isMet = condition.map { BoundExpression.isTruth($0, true, isNegated: false) }
            return ChangePlan(
                changed: condition.map { .filter($0, filtered) } ?? filtered,
                file: target.file,
                rewritten: .project(
                    target.columns.enumerated().map { index, column in
                        var value = values[index] ?? column.reference
                        if let isMet, values[index] != nil {
                            value = .conditional(
                                [BoundExpression.Branch(condition: isMet, value: value)],
                                otherwise: column.reference,
                                column.type
                            )
                        }
                        return LogicalPlan.Projection(value, newColumn(column.name, column.type))
                    } + lineage(of: target, isChanged: isMet),
                    all
                ),
                inserted: nil,
                isByOtherRows: false,
                condition: filterAttachments.isEmpty
                    ? condition.map { ($0, target.plan) } : nil,
                returned: .project(
                    target.columns.enumerated().map { index, column in
                        LogicalPlan.Projection(
                            values[index] ?? column.reference,
                            newColumn(column.name, column.type)
                        )
                    } + [
                        LogicalPlan.Projection(
                            .constant(.boolean(false), .boolean),
                            newColumn("deleted", .boolean)
                        )
                    ],
                    isMet.map { .filter($0, all) } ?? all
                )
            )
        }
        // The rows of FROM that go with each row of the table.
        let from = try bindFrom(update.from)
        let pairs = LogicalPlan.join(
            LogicalPlan.Join(kind: .cross, left: target.plan, right: from.plan)
        )
        var context = ExpressionContext(
            scope: Scope(target.scope.columns + from.scope.columns),
            clause: "UPDATE"
        )
        let condition = try update.filter.map { try bindBoolean($0, &context) }
        let values = try bind(update.assignments, target, &context)
        var found = try attach(context.attachments, to: pairs)
        if let condition { found = .filter(condition, found) }
        let changes = [
            Change(pairs: found, target: target, isDeletion: nil, values: values)
        ]
        return try changePlan(changes, table, update.table, nil, target)
    }

    /// The new value of each column that is assigned to, by position.
    private mutating func bind(
        _ assignments: [Assignment],
        _ target: Target,
        _ context: inout ExpressionContext
    ) throws -> [Int: BoundExpression] {
        var values: [Int: BoundExpression] = [:]
        func set(
            _ path: ObjectName,
            _ expression: SQL.Expression,
            _ binder: inout Binder
        ) throws {
            guard path.count == 1, let name = path.last else {
                throw PlanError(
                    .unsupported,
                    "a part of a column cannot be set yet",
                    at: path.span
                )
            }
            guard let index = target.columns.firstIndex(where: { name.means($0.name) }) else {
                throw PlanError(
                    .invalid,
                    "the table has no column \"\(name.name)\"",
                    hint: nearest(to: name.name, among: target.columns.map(\.name)).map {
                        "Did you mean \"\($0)\"?"
                    },
                    at: path.span
                )
            }
            try binder.checkNotGenerated(target.columns[index].name, expression, at: path.span)
            guard values[index] == nil else {
                throw PlanError(.invalid, "column \"\(name.name)\" is set twice", at: path.span)
            }
            values[index] = try binder.assigned(
                expression,
                to: target.columns[index],
                &context
            )
        }
        for assignment in assignments {
            if assignment.targets.count == 1 {
                try set(assignment.targets[0], assignment.value, &self)
                continue
            }
            guard case .row(let parts) = assignment.value.node,
                parts.count == assignment.targets.count
            else {
                throw PlanError(
                    .unsupported,
                    "several columns are set from a row of as many values only",
                    at: assignment.value.span
                )
            }
            for (path, part) in zip(assignment.targets, parts) { try set(path, part, &self) }
        }
        return values
    }

    /// A value as a column stores it.
    private mutating func assigned(
        _ expression: SQL.Expression,
        to column: PlanColumn,
        _ context: inout ExpressionContext
    ) throws -> BoundExpression {
        if case .defaultValue = expression.node { return try defaultValue(of: column) }
        let value = try bind(expression, &context)
        return try assigned(value, to: column, at: expression.span)
    }

    private func assigned(
        _ value: BoundExpression,
        to column: PlanColumn,
        at span: SourceSpan
    ) throws -> BoundExpression {
        let (from, to) = (value.type, column.type)
        guard CoercionRules.fits(from, in: to) else {
            throw PlanError(
                .invalid,
                "column \"\(column.name)\" is of type \(to), the value is of type \(from)",
                hint: "Use CAST to convert it.",
                at: span
            )
        }
        return try coerce(value, to: to, at: span)
    }

    // MARK: Changes of rows that others decide

    /// Rows of the target beside what changes them.
    struct Change {
        var pairs: LogicalPlan
        var target: Target
        /// Whether the row goes; nil when none does.
        var isDeletion: BoundExpression?
        /// New values by position of the column.
        var values: [Int: BoundExpression]
    }

    /// The plan of changes, none of which may name a row of the target twice.
    mutating func changePlan(
        _ changes: [Change],
        _ table: SourceTable,
        _ name: ObjectName,
        _ inserted: LogicalPlan?,
        _ target: Target
    ) throws -> ChangePlan {
        // One row for each change: where the row is, whether it goes, all of its new values.
        let columns =
            [
                newColumn("file", .string), newColumn("position", .int64),
                newColumn("deleted", .boolean),
            ] + target.columns.map { newColumn($0.name, $0.type) }
        let parts = changes.map { change -> LogicalPlan in
            var values: [BoundExpression] = [
                change.target.file.reference, change.target.position.reference,
                change.isDeletion ?? .constant(.boolean(false), .boolean),
            ]
            for (index, column) in change.target.columns.enumerated() {
                values.append(change.values[index] ?? column.reference)
            }
            return .project(
                zip(values, columns).map {
                    LogicalPlan.Projection($0, newColumn($1.name, $1.type))
                },
                change.pairs
            )
        }
        let all = LogicalPlan.setOperation(
            LogicalPlan.SetOperation(kind: .union, isAll: true, inputs: parts, columns: columns)
        )
        let fresh = self.target(table, name: name, alias: nil)
        let joined = LogicalPlan.join(
            LogicalPlan.Join(
                kind: .single,
                left: fresh.plan,
                right: all,
                conditions: [
                    .compare(.equal, fresh.file.reference, columns[0].reference),
                    .compare(.equal, fresh.position.reference, columns[1].reference),
                ]
            )
        )
        let isKept = BoundExpression.isTruth(columns[2].reference, true, isNegated: true)
        let isChanged = BoundExpression.isNull(columns[1].reference, isNegated: true)
        return ChangePlan(
            changed: all,
            file: columns[0],
            rewritten: .project(
                fresh.columns.enumerated().map { index, column in
                    LogicalPlan.Projection(
                        .conditional(
                            [
                                BoundExpression.Branch(
                                    condition: isChanged,
                                    value: columns[index + 3].reference
                                )
                            ],
                            otherwise: column.reference,
                            column.type
                        ),
                        newColumn(column.name, column.type)
                    )
                } + lineage(of: fresh, isChanged: isChanged),
                .filter(isKept, joined)
            ),
            inserted: inserted,
            isByOtherRows: true,
            condition: nil,
            returned: .project(
                (columns.dropFirst(3) + [columns[2]]).map {
                    LogicalPlan.Projection($0.reference, newColumn($0.name, $0.type))
                },
                all
            )
        )
    }

    // MARK: MERGE

    package mutating func bind(_ merge: Merge, over table: SourceTable) throws -> ChangePlan {
        if let with = merge.with { try define(with) }
        let target = target(table, name: merge.table, alias: merge.alias)
        let clauses = merge.clauses
        func of(_ match: MergeClause.Match) -> [MergeClause] {
            clauses.filter { $0.match == match }
        }
        var changes: [Change] = []
        if !of(.matched).isEmpty {
            let own = self.target(table, name: merge.table, alias: merge.alias)
            let source = try bindMergeSource(merge)
            let (condition, attachments) = try condition(merge, own, source)
            let pairs = LogicalPlan.join(
                LogicalPlan.Join(kind: .cross, left: own.plan, right: source.plan)
            )
            changes += try bind(
                of(.matched),
                LogicalPlan.filter(condition, try attach(attachments, to: pairs)),
                own,
                Scope(own.scope.columns + source.scope.columns),
                source.scope
            )
        }
        if !of(.notMatchedBySource).isEmpty {
            let own = self.target(table, name: merge.table, alias: merge.alias)
            let source = try bindMergeSource(merge)
            let (condition, attachments) = try condition(merge, own, source)
            guard attachments.isEmpty else {
                throw PlanError(
                    .unsupported,
                    "a subquery in ON of a MERGE with NOT MATCHED BY SOURCE is not supported yet",
                    at: merge.span
                )
            }
            let rest = LogicalPlan.join(
                LogicalPlan.Join(
                    kind: .anti,
                    left: own.plan,
                    right: source.plan,
                    conditions: condition.conjuncts
                )
            )
            changes += try bind(of(.notMatchedBySource), rest, own, own.scope, Scope())
        }
        let inserted = try insertions(merge, of(.notMatchedByTarget), table)
        return try changePlan(changes, table, merge.table, inserted, target)
    }

    private mutating func condition(
        _ merge: Merge,
        _ target: Target,
        _ source: BoundRelation
    ) throws -> (BoundExpression, [Attachment]) {
        switch merge.condition {
        case .on(let expression):
            var context = ExpressionContext(
                scope: Scope(target.scope.columns + source.scope.columns),
                clause: "ON"
            )
            let bound = try bindBoolean(expression, &context)
            return (bound, context.attachments)
        case .using(let names):
            var parts: [BoundExpression] = []
            for name in names {
                guard let a = target.scope.matches([name]).first,
                    let b = source.scope.matches([name]).first
                else {
                    throw PlanError(
                        .invalid,
                        "column \"\(name.name)\" of USING is not on both sides",
                        at: name.span
                    )
                }
                parts.append(
                    try compare(.equal, a.column.reference, b.column.reference, at: name.span)
                )
            }
            return (.and(parts), [])
        case .natural:
            throw PlanError(.unsupported, "MERGE needs ON or USING", at: merge.span)
        }
    }

    /// Clauses over rows of the target, each for the rows that those before it leave.
    private mutating func bind(
        _ clauses: [MergeClause],
        _ rows: LogicalPlan,
        _ target: Target,
        _ scope: Scope,
        _ source: Scope
    ) throws -> [Change] {
        var context = ExpressionContext(scope: scope, clause: "MERGE")
        var branches: [BoundExpression.Branch] = []
        var valued: [Int: [(clause: Int, value: BoundExpression)]] = [:]
        for (index, clause) in clauses.enumerated() {
            let number = BoundExpression.constant(.int32(Int32(index)), .int32)
            let none = BoundExpression.constant(.int32(-1), .int32)
            let condition =
                try clause.condition.map { try bindBoolean($0, &context) }
                ?? .constant(.boolean(true), .boolean)
            var values: [Int: BoundExpression] = [:]
            var isIdle = false
            switch clause.action {
            case .update(let assignments): values = try bind(assignments, target, &context)
            case .updateAll:
                for (position, column) in target.columns.enumerated() {
                    values[position] = try named(column, in: source, at: clause.span)
                }
            case .delete: break
            case .doNothing: isIdle = true
            case .insert, .insertAll, .insertByName, .insertDefaultValues:
                throw PlanError(
                    .invalid,
                    "rows are inserted WHEN NOT MATCHED",
                    at: clause.span
                )
            }
            for (position, value) in values {
                valued[position, default: []].append((index, value))
            }
            branches.append(
                BoundExpression.Branch(
                    condition: .isTruth(condition, true, isNegated: false),
                    value: isIdle ? none : number
                )
            )
        }
        let action = BoundExpression.conditional(
            branches,
            otherwise: .constant(.int32(-1), .int32),
            .int32
        )
        // The action of each row once, so that conditions are looked at once.
        let column = newColumn("action", .int32, isNullable: false)
        let input = try attach(context.attachments, to: rows)
        let decided = LogicalPlan.project(
            input.columns.map { LogicalPlan.Projection($0.reference, $0) }
                + [LogicalPlan.Projection(action, column)],
            input
        )
        let acting = LogicalPlan.filter(
            .compare(.greaterOrEqual, column.reference, .constant(.int32(0), .int32)),
            decided
        )
        func isClause(_ index: Int) -> BoundExpression {
            .compare(.equal, column.reference, .constant(.int32(Int32(index)), .int32))
        }
        let deletions = clauses.indices.filter { clauses[$0].action == .delete }
        var values: [Int: BoundExpression] = [:]
        for (position, all) in valued {
            values[position] = .conditional(
                all.map { BoundExpression.Branch(condition: isClause($0.clause), value: $0.value) },
                otherwise: target.columns[position].reference,
                target.columns[position].type
            )
        }
        return [
            Change(
                pairs: acting,
                target: target,
                isDeletion: deletions.isEmpty
                    ? nil
                    : .inSet(
                        column.reference,
                        deletions.map { .int32(Int32($0)) },
                        isNegated: false
                    ),
                values: values
            )
        ]
    }

    /// The source's column of the same name, for `UPDATE SET *` and `INSERT *`.
    private func named(
        _ column: PlanColumn,
        in source: Scope,
        at span: SourceSpan
    ) throws -> BoundExpression {
        let matches = source.matches([Identifier(column.name)])
        guard matches.count == 1, let match = matches.first else {
            throw PlanError(
                .invalid,
                "the source has no column \"\(column.name)\" for *",
                at: span
            )
        }
        return try assigned(match.column.reference, to: column, at: span)
    }

    /// The rows that the NOT MATCHED clauses insert.
    private mutating func insertions(
        _ merge: Merge,
        _ clauses: [MergeClause],
        _ table: SourceTable
    ) throws -> LogicalPlan? {
        guard !clauses.isEmpty else { return nil }
        let target = target(table, name: merge.table, alias: merge.alias)
        let source = try bindMergeSource(merge)
        let (condition, attachments) = try condition(merge, target, source)
        guard attachments.isEmpty else {
            throw PlanError(
                .unsupported,
                "a subquery in ON of a MERGE that inserts is not supported yet",
                at: merge.span
            )
        }
        var rest = LogicalPlan.join(
            LogicalPlan.Join(
                kind: .anti,
                left: source.plan,
                right: target.plan,
                conditions: condition.conjuncts
            )
        )
        var context = ExpressionContext(scope: source.scope, clause: "MERGE")
        var branches: [BoundExpression.Branch] = []
        var rows: [[BoundExpression]] = []
        for (index, clause) in clauses.enumerated() {
            let condition =
                try clause.condition.map { try bindBoolean($0, &context) }
                ?? .constant(.boolean(true), .boolean)
            var row = try target.columns.map { try defaultValue(of: $0) }
            var isIdle = false
            switch clause.action {
            case .insert(let names, let values):
                let positions: [Int]
                if names.isEmpty {
                    positions = Array(target.columns.indices)
                } else {
                    positions = try names.map { name in
                        guard
                            let place = target.columns.firstIndex(where: { name.means($0.name) })
                        else {
                            throw PlanError(
                                .invalid,
                                "the table has no column \"\(name.name)\"",
                                at: name.span
                            )
                        }
                        return place
                    }
                }
                guard positions.count == values.count, Set(positions).count == positions.count
                else {
                    throw PlanError(
                        .invalid,
                        "\(values.count) values for \(positions.count) columns",
                        at: clause.span
                    )
                }
                for (place, value) in zip(positions, values) {
                    try checkNotGenerated(target.columns[place].name, value, at: clause.span)
                    row[place] = try assigned(value, to: target.columns[place], &context)
                }
            case .insertAll:
                row = try target.columns.map { try named($0, in: source.scope, at: clause.span) }
            case .insertByName:
                for match in source.scope.columns where !match.isHidden {
                    let place = target.columns.firstIndex {
                        Identifier(match.name).means($0.name)
                    }
                    guard let place else {
                        throw PlanError(
                            .invalid,
                            "the table has no column \"\(match.name)\"",
                            at: clause.span
                        )
                    }
                    row[place] = try assigned(
                        match.column.reference,
                        to: target.columns[place],
                        at: clause.span
                    )
                }
            case .insertDefaultValues: break
            case .doNothing: isIdle = true
            case .update, .updateAll, .delete:
                throw PlanError(
                    .invalid,
                    "a row that is not in the table cannot be updated or deleted",
                    at: clause.span
                )
            }
            rows.append(row)
            branches.append(
                BoundExpression.Branch(
                    condition: .isTruth(condition, true, isNegated: false),
                    value: .constant(.int32(isIdle ? -1 : Int32(index)), .int32)
                )
            )
        }
        rest = try attach(context.attachments, to: rest)
        let action = newColumn("action", .int32, isNullable: false)
        rest = .filter(
            .compare(.greaterOrEqual, action.reference, .constant(.int32(0), .int32)),
            .project(
                rest.columns.map { LogicalPlan.Projection($0.reference, $0) } + [
                    LogicalPlan.Projection(
                        .conditional(
                            branches,
                            otherwise: .constant(.int32(-1), .int32),
                            .int32
                        ),
                        action
                    )
                ],
                rest
            )
        )
        return .project(
            target.columns.enumerated().map { place, column in
                LogicalPlan.Projection(
                    .conditional(
                        rows.enumerated().map { index, row in
                            BoundExpression.Branch(
                                condition: .compare(
                                    .equal,
                                    action.reference,
                                    .constant(.int32(Int32(index)), .int32)
                                ),
                                value: row[place]
                            )
                        },
                        otherwise: nil,
                        column.type
                    ),
                    newColumn(column.name, column.type)
                )
            },
            rest
        )
    }
}
