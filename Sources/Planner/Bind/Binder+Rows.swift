package import Columnar
package import SQL

/// What an expression over one row may name: a column at a position of the row.
package struct RowColumn: Sendable {
    package var name: String
    package var position: Int
    package var type: DataType

    package init(name: String, position: Int, type: DataType) {
        self.name = name
        self.position = position
        self.type = type
    }
}

extension Binder {
    /// An expression over the columns of one row, whose ids are positions: defaults, generated columns.
    ///
    /// - Throws: `invalid` for subqueries, aggregates and names that are no columns of the row.
    package mutating func rowExpression(
        _ expression: SQL.Expression,
        over columns: [RowColumn],
        table: [String],
        clause: String
    ) throws -> BoundExpression {
        let scope = Scope(
            columns.map {
                ScopeColumn(
                    qualifier: table,
                    name: $0.name,
                    column: PlanColumn(
                        id: ColumnID($0.position),
                        name: $0.name,
                        type: $0.type,
                        isNullable: true
                    )
                )
            }
        )
        var context = ExpressionContext(scope: scope, clause: clause)
        let bound = try bind(expression, &context)
        guard context.attachments.isEmpty else {
            throw PlanError(
                .invalid,
                "\(clause) takes no subquery",
                at: expression.span
            )
        }
        return bound
    }

    /// The value of a column that a statement leaves to its default.
    mutating func defaultValue(of column: PlanColumn) throws -> BoundExpression {
        guard let expression = defaults[column.name] else { return .constant(.null, column.type) }
        let value = try rowExpression(expression, over: [], table: [], clause: "DEFAULT")
        return value.type == column.type ? value : .cast(value, column.type, isTry: false)
    }

    /// That a statement sets no generated column, but to its default.
    func checkNotGenerated(_ name: String, _ value: SQL.Expression, at span: SourceSpan) throws {
        if case .defaultValue = value.node { return }
        guard generatedColumns.contains(name) else { return }
        throw PlanError(
            .invalid,
            "column \"\(name)\" is generated: it takes no value",
            at: span
        )
    }

    /// What a MERGE reads.
    ///
    /// Where an INSERT became one, its rows are named `excluded.column` only.
    mutating func bindMergeSource(_ merge: Merge) throws -> BoundRelation {
        var source = try bindFrom([merge.source])
        if hidesMergeSource {
            for index in source.scope.columns.indices {
                source.scope.columns[index].isHidden = true
            }
        }
        return source
    }

    // MARK: DELETE with other tables

    /// - Parameter table: its last two columns are the file of each row and the position in it.
    package mutating func bind(_ delete: Delete, over table: SourceTable) throws -> ChangePlan {
        if let with = delete.with { try define(with) }
        let target = target(table, name: delete.table, alias: delete.alias)
        let own = self.target(table, name: delete.table, alias: delete.alias)
        var rows = own.plan
        if delete.using.isEmpty {
            var context = ExpressionContext(scope: own.scope, clause: "WHERE")
            let condition = try delete.filter.map { try bindBoolean($0, &context) }
            rows = try attach(context.attachments, to: rows)
            if let condition { rows = .filter(condition, rows) }
        } else {
            // However many rows of the other tables go with it, a row goes once.
            let source = try bindFrom(delete.using)
            var context = ExpressionContext(
                scope: Scope(own.scope.columns + source.scope.columns),
                clause: "WHERE"
            )
            let condition =
                try delete.filter.map { try bindBoolean($0, &context) }
                ?? .constant(.boolean(true), .boolean)
            if context.attachments.isEmpty {
                rows = .join(
                    LogicalPlan.Join(
                        kind: .semi,
                        left: own.plan,
                        right: source.plan,
                        conditions: condition.conjuncts
                    )
                )
            } else {
                // As EXISTS (SELECT … FROM the other tables WHERE …) would be.
                let mark = newColumn("exists", .boolean, isNullable: false)
                let found = LogicalPlan.filter(
                    condition,
                    try attach(context.attachments, to: source.plan)
                )
                let exists = Attachment(
                    kind: .mark(mark.id),
                    plan: .limit(count: 1, offset: 0, found),
                    conditions: [],
                    isNullAware: false
                )
                rows = .filter(mark.reference, try attach([exists], to: own.plan))
            }
        }
        let change = Change(
            pairs: rows,
            target: own,
            isDeletion: .constant(.boolean(true), .boolean),
            values: [:]
        )
        return try changePlan([change], table, delete.table, nil, target)
    }
}
