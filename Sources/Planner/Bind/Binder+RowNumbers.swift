import Columnar
import SQL

// `rowid` is a column of every table of the catalog that no `*` has; `_row_id` and `_last_updated_sequence_number`
// are such columns of tables with row lineage. So that plans of other queries know nothing of them, they are left
// out at first; a query that names one, and finds no column of that name, is bound again with them.

/// A query names `rowid` or a column of row lineage, which were left out.
struct NeededRowNumbers: Error {}

extension Binder {
    /// The names of columns that no `*` shows.
    static let pseudoColumnNames = ["rowid", "_row_id", "_last_updated_sequence_number"]

    /// Binds, and once more with the numbers of rows and row lineage where they are named.
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

    /// A table under its alias, whose row numbers and row lineage have names but are none of its columns.
    mutating func aliasedTable(
        _ plan: LogicalPlan,
        _ alias: TableAlias?,
        qualifier: [String]
    ) throws -> BoundRelation {
        guard exposesRowNumbers, case .scan(let scan) = plan,
            scan.columns.contains(where: { scan.table.isPseudo($0.position) })
        else { return try aliased(plan, alias, qualifier: qualifier) }
        noteCollations(plan)
        let own = scan.columns.filter { !scan.table.isPseudo($0.position) }.map(\.column)
        let pseudo = scan.columns.filter { scan.table.isPseudo($0.position) }.map(\.column)
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
        relation.scope.columns += pseudo.map {
            ScopeColumn(qualifier: prefix, name: $0.name, column: $0, isPseudo: true)
        }
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
