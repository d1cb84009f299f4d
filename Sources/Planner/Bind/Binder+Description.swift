import Columnar
import SQL

/// DESCRIBE and SUMMARIZE where a table may stand.
extension Binder {
    mutating func bindDescription(_ description: DescribedTable) throws -> BoundRelation {
        let plan = uniquelyNamed(try bind(query: description.query))
        switch description.kind {
        case .columns: return try aliased(columnsTable(of: plan), description.alias, qualifier: [])
        case .summary:
            return try aliased(
                try summary(of: plan, at: description.span),
                description.alias,
                qualifier: []
            )
        }
    }

    /// A row for each column of a plan.
    private mutating func columnsTable(of plan: LogicalPlan) -> LogicalPlan {
        func text(_ value: String) -> BoundExpression { .constant(.string(value), .string) }
        return .values(
            LogicalPlan.Values(
                columns: [
                    newColumn("column_name", .string, isNullable: false),
                    newColumn("column_type", .string, isNullable: false),
                    newColumn("nullable", .boolean, isNullable: false),
                ],
                rows: plan.columns.map {
                    [
                        text($0.name), text($0.type.description),
                        .constant(.boolean($0.isNullable), .boolean),
                    ]
                }
            )
        )
    }

    /// A row of statistics for each column of a plan, all from one reading of it.
    private mutating func summary(of plan: LogicalPlan, at span: SourceSpan) throws -> LogicalPlan {
        let names = [
            "min", "max", "approx_unique", "avg", "std", "q25", "q50", "q75", "count",
            "null_percentage",
        ]
        let types: [DataType] = [
            .string, .string, .int64, .string, .string, .string, .string, .string, .int64,
            .decimal(precision: 9, scale: 2),
        ]
        var items: [SelectItem] = []
        for column in plan.columns {
            let name = Printer.print([Identifier(column.name, isQuoted: true)])
            items += try Self.statistics(of: name, column.type).map {
                SelectItem(expression: try Parser.parseExpression($0))
            }
        }
        let scope = Scope(plan, qualifier: [])
        let computed = try bindSelect(
            SelectBlock(items: items, span: span),
            orderBy: nil,
            limit: nil,
            over: BoundRelation(plan: plan, scope: scope)
        )
        commonNumber += 1
        let number = commonNumber
        var rows: [LogicalPlan] = []
        for (index, column) in plan.columns.enumerated() {
            let copies = computed.columns.map { newColumn($0.name, $0.type) }
            let own = copies[(index * names.count)..<((index + 1) * names.count)]
            var projections = [
                LogicalPlan.Projection(
                    .constant(.string(column.name), .string),
                    newColumn("column_name", .string)
                ),
                LogicalPlan.Projection(
                    .constant(.string(column.type.description), .string),
                    newColumn("column_type", .string)
                ),
            ]
            for (statistic, (name, type)) in zip(own, zip(names, types)) {
                projections.append(
                    LogicalPlan.Projection(
                        try coerce(statistic.reference, to: type, at: span),
                        newColumn(name, type)
                    )
                )
            }
            let once = LogicalPlan.Materialized(number: number, columns: copies, input: computed)
            rows.append(.project(projections, .materialized(once)))
        }
        let columns =
            [newColumn("column_name", .string), newColumn("column_type", .string)]
            + zip(names, types).map { newColumn($0, $1) }
        return .setOperation(
            LogicalPlan.SetOperation(kind: .union, isAll: true, inputs: rows, columns: columns)
        )
    }

    /// The expressions of the statistics, in their order; NULL where a type has none.
    private static func statistics(of name: String, _ type: DataType) -> [String] {
        let isNumber = type.isNumeric
        func of(_ isKnown: Bool, _ text: String) -> String { isKnown ? text : "NULL" }
        func quantile(_ fraction: String) -> String {
            if isNumber {
                let value = "quantile_cont(\(name), \(fraction))"
                // Integers are shown as such.
                return type.isInteger
                    ? "CAST(CAST(\(value) AS BIGINT) AS VARCHAR)" : "CAST(\(value) AS VARCHAR)"
            }
            return of(type.isTemporal, "CAST(quantile_disc(\(name), \(fraction)) AS VARCHAR)")
        }
        return [
            of(!type.isNested, "CAST(min(\(name)) AS VARCHAR)"),
            of(!type.isNested, "CAST(max(\(name)) AS VARCHAR)"),
            of(!type.isNested, "count(DISTINCT \(name))"),
            of(isNumber, "CAST(avg(\(name)) AS VARCHAR)"),
            of(isNumber, "CAST(stddev(\(name)) AS VARCHAR)"),
            quantile("0.25"), quantile("0.5"), quantile("0.75"), "count(*)",
            "CASE WHEN count(*) > 0 THEN CAST((count(*) - count(\(name))) * 100.0 / count(*) "
                + "AS DECIMAL(9, 2)) END",
        ]
    }
}
