import Columnar
import SQL

/// Rows that must be known before a statement can be bound: the values of a PIVOT, the number of a LIMIT
/// that is a query.
///
/// Whoever runs the statement runs the plan, notes its rows in `BindingEnvironment.answers` and binds
/// again; a binder that binds the same statement asks for the same numbers.
package struct NeededRows: Error, Sendable {
    package var number: Int
    /// Reads nothing of the queries around it.
    package var plan: LogicalPlan
    /// More rows than this are an error.
    package var rowCountMax: Int
    /// What the rows are, for messages.
    package var what: String
}

extension Binder {
    /// The rows of a plan, each a list of values.
    mutating func answer(
        _ plan: LogicalPlan,
        _ what: String,
        rowCountMax: Int
    ) throws -> [[Value]] {
        answerCount += 1
        if let known = environment.answers[answerCount] { return known }
        throw NeededRows(
            number: answerCount,
            plan: plan,
            rowCountMax: rowCountMax,
            what: what
        )
    }
}

extension Binder {
    /// The number of a LIMIT or OFFSET: a constant, or a query of one value.
    mutating func limitValue(_ expression: SQL.Expression) throws -> Value {
        var context = ExpressionContext(scope: Scope(), clause: "LIMIT")
        let bound = try bind(expression, &context)
        if bound.columnIDs.isEmpty, context.attachments.isEmpty {
            return try environment.evaluate(bound)
        }
        let item = SelectItem(expression: expression)
        let plan = try bind(query: Query(body: .select(SelectBlock(items: [item]))))
        guard plan.freeColumns.isEmpty, !plan.readsWorkingTable else {
            throw PlanError(
                .invalid,
                "LIMIT and OFFSET cannot depend on rows",
                at: expression.span
            )
        }
        return try answer(plan, "values of LIMIT", rowCountMax: 1).first?.first ?? .null
    }
}
