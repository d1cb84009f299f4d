package import Columnar
package import SQL

extension Binder {
    /// The value of an expression that refers to nothing: settings, options, defaults.
    package mutating func constant(_ expression: SQL.Expression) throws -> Value {
        try environment.evaluate(try constantExpression(expression))
    }

    /// The value of an expression that refers to nothing, as a type.
    package mutating func constant(
        _ expression: SQL.Expression,
        as type: DataType
    ) throws -> Value {
        let bound = try constantExpression(expression)
        return try environment.evaluate(
            bound.type == type ? bound : .cast(bound, type, isTry: false)
        )
    }

    /// The value and the type of an expression that refers to nothing.
    package mutating func typedConstant(
        _ expression: SQL.Expression
    ) throws -> (value: Value, type: DataType) {
        let bound = try constantExpression(expression)
        return (try environment.evaluate(bound), bound.type)
    }

    private mutating func constantExpression(
        _ expression: SQL.Expression
    ) throws -> BoundExpression {
        var context = ExpressionContext(scope: Scope(), clause: "a constant")
        let bound = try bind(expression, &context)
        guard bound.columnIDs.isEmpty, context.attachments.isEmpty else {
            throw PlanError(.invalid, "a constant is needed here", at: expression.span)
        }
        return bound
    }

    /// A condition over the columns of one table: DELETE, expectations, row filters.
    ///
    /// - Returns: the condition over a scan of the table, and that scan.
    package mutating func condition(
        _ expression: SQL.Expression,
        over table: SourceTable,
        alias: String? = nil
    ) throws -> (condition: BoundExpression, scan: LogicalPlan) {
        var columns: [(position: Int, column: PlanColumn)] = []
        for (position, field) in table.schema.fields.enumerated() {
            columns.append(
                (position, newColumn(field.name, field.type, isNullable: field.isNullable))
            )
        }
        let plan = LogicalPlan.scan(LogicalPlan.Scan(table: table, columns: columns))
        if !table.collations.isEmpty { usesCollations = true }
        noteCollations(plan)
        let qualifier = alias.map { [$0] } ?? table.name.split(separator: ".").map(String.init)
        var scope = Scope(plan, qualifier: qualifier)
        for position in scope.columns.indices where table.isPseudo(position) {
            scope.columns[position].isPseudo = true
        }
        var context = ExpressionContext(
            scope: scope,
            clause: "WHERE"
        )
        let bound = try bindBoolean(expression, &context)
        return (bound, try attach(context.attachments, to: plan))
    }
}

extension Binder {
    /// How many rows of a plan there are for each value of one of its columns: the value, the count.
    package mutating func countRows(of plan: LogicalPlan, by column: PlanColumn) -> LogicalPlan {
        let group = newColumn(column.name, column.type)
        let count = newColumn("count", .int64, isNullable: false)
        let call = AggregateCall(function: .countStar, argument: nil, type: .int64)
        return .aggregate(
            LogicalPlan.Aggregate(
                groups: [LogicalPlan.Projection(column.reference, group)],
                calls: [(call, count)],
                input: plan
            )
        )
    }
}

extension Binder {
    /// All columns of a table.
    package mutating func scan(of table: SourceTable) -> LogicalPlan {
        var columns: [(position: Int, column: PlanColumn)] = []
        for (position, field) in table.schema.fields.enumerated() {
            columns.append(
                (position, newColumn(field.name, field.type, isNullable: field.isNullable))
            )
        }
        return .scan(LogicalPlan.Scan(table: table, columns: columns))
    }
}

extension Binder {
    /// The value of a literal, signed or not: `1`, `-2.5`, `'a'`, `DATE '2024-05-01'`, `TRUE`, `NULL`.
    ///
    /// - Returns: nil for any other expression.
    package mutating func literal(
        _ expression: SQL.Expression
    ) throws -> (value: Value, type: DataType)? {
        switch expression.node {
        case .literal, .interval: break
        case .unary(.minus, let operand):
            switch operand.node {
            case .literal(.integer), .literal(.decimal): break
            default: return nil
            }
        default: return nil
        }
        let bound = try constantExpression(expression)
        return (try environment.evaluate(bound), bound.type)
    }
}
