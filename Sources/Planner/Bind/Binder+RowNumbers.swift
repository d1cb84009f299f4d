import Columnar
import SQL

// `rowid` is a column of every table of the catalog that no `*` has. So that plans of other queries know nothing
// of it, it is left out at first; a query that names it, and finds no column of that name, is bound again with it.

/// A query names `rowid`, which was left out.
struct NeededRowNumbers: Error {}

extension Binder {
    /// Binds, and once more with the numbers of rows where they are named.
    mutating func retryingRowNumbers<Result>(
        _ body: (inout Binder) throws -> Result
    ) throws -> Result {
        if exposesRowNumbers || retriesRowNumbers { return try body(&self) }
        let before = self
        retriesRowNumbers = true
        do {
            let result = try body(&self)
            retriesRowNumbers = false
            return result
        } catch is NeededRowNumbers {
            self = before
            exposesRowNumbers = true
            return try body(&self)
        }
    }

    /// A table under its alias, whose row numbers have a name but are none of its columns.
    mutating func aliasedTable(
        _ plan: LogicalPlan,
        _ alias: TableAlias?,
        qualifier: [String]
    ) throws -> BoundRelation {
        guard exposesRowNumbers, case .scan(let scan) = plan,
            let position = scan.table.rowNumberPosition,
            let number = scan.columns.first(where: { $0.position == position })?.column
        else { return try aliased(plan, alias, qualifier: qualifier) }
        noteCollations(plan)
        var own = scan.columns.map(\.column)
        own.removeAll { $0.id == number.id }
        var relation = BoundRelation(plan: plan, scope: Scope())
        if let alias {
            guard alias.columns.count <= own.count else {
                throw PlanError(
                    .invalid,
                    "\(alias.name.name) has \(own.count) columns, but \(alias.columns.count) names "
                        + "are given",
                    at: alias.name.span
                )
            }
        }
        let names = alias?.columns.map(\.name) ?? []
        let prefix = alias.map { [$0.name.name] } ?? qualifier
        relation.scope.columns = own.enumerated().map { index, column in
            ScopeColumn(
                qualifier: prefix,
                name: index < names.count ? names[index] : column.name,
                column: column
            )
        }
        relation.scope.columns.append(
            ScopeColumn(qualifier: prefix, name: number.name, column: number, isPseudo: true)
        )
        return relation
    }

    /// The plan of a table without the numbers of its rows.
    func withoutPseudo(_ table: BoundRelation) -> LogicalPlan {
        guard table.scope.columns.contains(where: \.isPseudo) else { return table.plan }
        return .project(
            table.scope.columns.filter { !$0.isPseudo }.map {
                LogicalPlan.Projection($0.column.reference, $0.column)
            },
            table.plan
        )
    }
}
