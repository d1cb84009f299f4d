/// Recursions inside of subqueries: every row of the working table carries the outer values that it
/// was made for.
extension Decorrelator {
    mutating func push(_ original: LogicalPlan.Recursion, _ domain: Domain) -> Pushed {
        var recursion = original
        let anchor = push(original.anchor, domain)
        // Inside of the step the outer values are those of rows of the last round.
        let source = LogicalPlan.WorkingTable(
            number: original.number,
            columns: original.columns.map { newColumn($0.name, $0.type) }
                + domain.columns.map { newColumn($0.name, $0.type) }
        )
        let carried = source.columns.suffix(domain.columns.count)
        let inner = Domain(
            source: .project(
                zip(carried, domain.columns).map { LogicalPlan.Projection($0.reference, $1) },
                .workingTable(source)
            ),
            ids: domain.ids
        )
        let step = push(
            original.step.mapWorkingTable(original.number) { table in
                var table = table
                table.outer = domain.ids
                return table
            },
            inner
        )
        recursion.anchor = extended(anchor, original.anchor, domain)
        recursion.step = extended(step, original.step, domain)
        var columns: [ColumnID: Carried] = [:]
        for column in domain.columns {
            var copy = newColumn(column.name, column.type)
            copy.isNullable = column.isNullable
            recursion.columns.append(copy)
            columns[column.id] = Carried(column: copy, isNeverNull: !column.isNullable)
        }
        return Pushed(plan: .recursion(recursion), columns: columns)
    }

    mutating func push(_ original: LogicalPlan.WorkingTable, _ domain: Domain) -> Pushed {
        var table = original
        table.outer = []
        var columns: [ColumnID: Carried] = [:]
        for column in domain.columns {
            var copy = newColumn(column.name, column.type)
            copy.isNullable = column.isNullable
            table.columns.append(copy)
            columns[column.id] = Carried(column: copy, isNeverNull: !column.isNullable)
        }
        return Pushed(plan: .workingTable(table), columns: columns)
    }

    /// The plan's own columns, then the outer values.
    private mutating func extended(
        _ pushed: Pushed,
        _ original: LogicalPlan,
        _ domain: Domain
    ) -> LogicalPlan {
        .project(
            original.columns.map { LogicalPlan.Projection($0.reference, $0) }
                + domain.columns.compactMap { column in
                    pushed.columns[column.id].map {
                        LogicalPlan.Projection(
                            $0.column.reference,
                            newColumn(column.name, column.type)
                        )
                    }
                },
            pushed.plan
        )
    }
}
