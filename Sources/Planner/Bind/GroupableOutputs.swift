import Columnar
import SQL

/// The output columns of a SELECT as GROUP BY names them: by position, by an alias, or all of them.
///
/// What is grouped by is computed before the grouping, and with it the subqueries that it has.
struct GroupableOutputs {
    let outputs: [SelectOutput]
    private let attachments: [Attachment]
    /// The places of attachments that the groups need.
    private var early: Set<Int> = []
    private var aggregates: Set<ColumnID> = []
    private var windows: Set<ColumnID> = []
    private var unnests: Set<ColumnID> = []

    init(_ outputs: [SelectOutput], _ attachments: [Attachment]) {
        self.outputs = outputs
        self.attachments = attachments
    }

    /// Takes down which columns there are only behind the grouping.
    mutating func note(
        _ collector: AggregateCollector,
        _ windowCollector: WindowCollector,
        _ unnestCollector: UnnestCollector
    ) {
        aggregates = Set(collector.calls.map(\.column.id) + collector.groupings.map(\.column.id))
        windows = Set(windowCollector.entries.map(\.column.id))
        unnests = Set(unnestCollector.items.map(\.column.id))
    }

    /// The subqueries that are joined before the grouping.
    var taken: [Attachment] {
        attachments.indices.filter { early.contains($0) }.map { attachments[$0] }
    }

    /// The others.
    var rest: [Attachment] {
        attachments.indices.filter { !early.contains($0) }.map { attachments[$0] }
    }

    /// The output with subqueries that an expression of GROUP BY is or names by its alias.
    ///
    /// All others are found again by what they are bound to, but each subquery has columns of its own.
    func position(of expression: SQL.Expression, _ scope: Scope) -> Int? {
        guard outputs.contains(where: { !$0.attachments.isEmpty }) else { return nil }
        if case .column(let name) = expression.node {
            guard name.count == 1, scope.matches(name).isEmpty else { return nil }
            return outputs.firstIndex { !$0.attachments.isEmpty && name[0].means($0.name) }
        }
        let text = Printer.print(expression)
        return outputs.firstIndex { $0.written.map { Printer.print($0) == text } ?? false }
    }

    /// The columns that an output's subqueries make.
    func columns(of output: SelectOutput) -> Set<ColumnID> {
        var result: Set<ColumnID> = []
        for place in output.attachments {
            result.formUnion(attachments[place].plan.columns.map(\.id))
            if case .mark(let id) = attachments[place].kind { result.insert(id) }
        }
        return result
    }

    /// Whether an output has aggregates, windows or lists that are taken apart.
    func isComputedLater(_ output: SelectOutput) -> Bool {
        !needs(of: output).isDisjoint(with: aggregates.union(windows).union(unnests))
    }

    /// An output to group by; it may have nothing that is only computed behind the grouping.
    mutating func take(_ position: Int, at span: SourceSpan) throws -> SelectOutput {
        let output = outputs[position]
        let needs = needs(of: output)
        for (columns, what) in [
            (aggregates, "an aggregate"), (windows, "a window function"), (unnests, "unnest"),
        ] where !needs.isDisjoint(with: columns) {
            throw PlanError(.invalid, "\(what) cannot stand in GROUP BY", at: span)
        }
        early.formUnion(output.attachments)
        return output
    }

    /// The columns that an output and its subqueries look at.
    private func needs(of output: SelectOutput) -> Set<ColumnID> {
        output.attachments.reduce(into: output.expression.columnIDs) { ids, place in
            ids.formUnion(attachments[place].plan.freeColumns)
            for condition in attachments[place].conditions { ids.formUnion(condition.columnIDs) }
        }
    }
}
