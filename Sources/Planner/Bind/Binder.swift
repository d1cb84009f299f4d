import Columnar
package import SQL

/// Turns syntax into meaning: names become columns, operators get types, clauses become operators.
///
/// One binder binds one statement. It asks nobody: tables come from the environment, and one that is
/// not there is thrown as `MissingTable`.
package struct Binder {
    package let environment: BindingEnvironment
    private var nextColumn = 0
    /// Common table expressions in force, innermost last.
    var commonTables: [CommonTable] = []
    /// What the queries around the one being bound give to it, innermost last.
    var outerLevels: [OuterLevel] = []
    /// Views being expanded, to refuse one that contains itself.
    var openViews: [ViewDefinition] = []
    private var depth = 0
    var commonNumber = 0
    /// How many times rows were asked for that must be known first.
    var answerCount = 0
    /// How many macros are being expanded, one inside the other.
    var macroDepth = 0
    /// The macros being expanded, innermost last.
    var macroFrames: [MacroFrame] = []
    /// Common tables that are computed once, by their number.
    var materialized: [Int: LogicalPlan] = [:]
    /// Recursions whose working table was read so far.
    var usedWorkingTables: Set<Int> = []
    /// Common tables whose queries are being bound, innermost last.
    var openCommonTables: [Identifier] = []
    /// Above 0 within what may never be computed (a branch of CASE): its failures are left to the rows.
    var guardedDepth = 0
    /// Defaults of the columns of the table that is changed, by name.
    package var defaults: [String: SQL.Expression] = [:]
    /// Whether the columns of what a MERGE reads are only found behind its name.
    package var hidesMergeSource = false
    /// Whether any value of the statement has a collation.
    var usesCollations = false
    /// The collations of columns.
    var collations: [ColumnID: Collation] = [:]
    /// What COLLATE gave.
    var collationMarks: [BoundExpression: Collation] = [:]
    /// Whether the numbers of tables' rows are there to be named.
    var exposesRowNumbers = false
    /// Whether a query around asks for them when something names them.
    var retriesRowNumbers = false
    /// Columns that take no value but their own, by name.
    package var generatedColumns: Set<String> = []

    struct CommonTable {
        var name: Identifier
        var columns: [Identifier]
        var query: Query
        /// How many of `commonTables` its own query sees.
        var visibleCount: Int
        /// How many of `outerLevels` its own query sees.
        var outerCount: Int
        /// Tells the common tables of a statement apart.
        var number: Int
        /// What was asked for; nil where nothing was written.
        var isMaterialized: Bool?
        var role = CommonTableRole.plain
    }

    /// A query around the one being bound.
    struct OuterLevel {
        var scope: Scope
        /// Where aggregates over this level's columns alone belong; nil where none may stand.
        var aggregates: AggregateCollector?
        /// Names of this level's select list that may be used here.
        var aliases: [(name: Identifier, expression: SQL.Expression)] = []
    }

    package init(environment: BindingEnvironment) {
        self.environment = environment
    }

    /// A query's plan; its columns are the result's, in order.
    package mutating func bind(query: Query) throws -> LogicalPlan {
        try retryingRowNumbers { try $0.bindOnce(query: query) }
    }

    private mutating func bindOnce(query: Query) throws -> LogicalPlan {
        try nested(query) { binder in
            let outerCount = binder.commonTables.count
            defer { binder.commonTables.removeLast(binder.commonTables.count - outerCount) }
            if let with = query.with { try binder.define(with) }
            return try binder.bindBody(query.body, orderBy: query.orderBy, limit: query.limit)
        }
    }

    /// Binds a query one level further down.
    mutating func nested<Result>(
        _ query: Query,
        _ body: (inout Binder) throws -> Result
    ) throws -> Result {
        depth += 1
        defer { depth -= 1 }
        guard depth <= 100 else {
            throw PlanError(.invalid, "queries are nested more than 100 deep", at: query.span)
        }
        return try body(&self)
    }

    /// A new column id.
    mutating func newColumn(_ name: String, _ type: DataType, isNullable: Bool = true) -> PlanColumn
    {
        nextColumn += 1
        return PlanColumn(
            id: ColumnID(nextColumn),
            name: name,
            type: type,
            isNullable: isNullable
        )
    }

    mutating func bindBody(
        _ body: QueryBody,
        orderBy: OrderBy?,
        limit: RowLimit?
    ) throws -> LogicalPlan {
        switch body {
        case .select(let select):
            return try bindSelect(select, orderBy: orderBy, limit: limit)
        case .nested(let query):
            return try ordered(try bind(query: query), orderBy: orderBy, limit: limit)
        case .values(let rows):
            return try ordered(try bindValues(rows), orderBy: orderBy, limit: limit)
        case .table(let name):
            let table = try bindTable(NamedTable(name: name, span: name.span))
            return try ordered(withoutPseudo(table), orderBy: orderBy, limit: limit)
        case .setOperation(let operation):
            return try ordered(
                try bindSetOperation(operation),
                orderBy: orderBy,
                limit: limit
            )
        }
    }

    /// Applies ORDER BY and LIMIT over the output columns of anything but a plain SELECT.
    private mutating func ordered(
        _ plan: LogicalPlan,
        orderBy: OrderBy?,
        limit: RowLimit?
    ) throws -> LogicalPlan {
        var plan = plan
        noteCollations(plan)
        var sortKeys: [SortKey] = []
        if let orderBy {
            let output = plan.columns
            let scope = Scope(plan, qualifier: [])
            var keys: [SortKey] = []
            switch orderBy {
            case .all(let direction, let nulls):
                keys = output.map { sortKey($0.reference, direction, nulls) }
            case .items(let items):
                for item in items {
                    let expression: BoundExpression
                    if let position = try ordinal(item.expression, count: output.count) {
                        expression = output[position].reference
                    } else {
                        var context = ExpressionContext(scope: scope, clause: "ORDER BY")
                        expression = try bind(item.expression, &context)
                        plan = try attach(context.attachments, to: plan)
                    }
                    keys.append(sortKey(expression, item.direction, item.nulls))
                }
            }
            sortKeys = keys
        }
        return try limited(plan, limit, sortKeys)
    }

    func sortKey(
        _ expression: BoundExpression,
        _ direction: SortDirection?,
        _ nulls: NullOrder?
    ) -> SortKey {
        // As in DuckDB: nulls come last, whatever the direction, unless told otherwise.
        let isDescending = direction.map { $0 == .descending } ?? environment.isDescending
        return SortKey(
            expression: collated(expression),
            isDescending: isDescending,
            nullsFirst: nulls.map { $0 == .first }
                ?? environment.nullsFirst.isFirst(isDescending: isDescending)
        )
    }

    /// `ORDER BY 2`: the position it names, from 0; nil when it is another expression.
    func ordinal(_ expression: SQL.Expression, count: Int) throws -> Int? {
        guard case .literal(.integer(let text)) = expression.node else { return nil }
        guard let number = Int(text), number >= 1, number <= count else {
            throw PlanError(
                .invalid,
                "position \(text) is not in the select list, which has \(count) columns",
                at: expression.span
            )
        }
        return number - 1
    }

    /// The plan in order, cut to the limit.
    mutating func limited(
        _ input: LogicalPlan,
        _ limit: RowLimit?,
        _ keys: [SortKey]
    ) throws -> LogicalPlan {
        let plan = keys.isEmpty ? input : LogicalPlan.sort(keys, limit: nil, input)
        guard let limit else { return plan }
        if limit.isPercent, let share = limit.count {
            return try withShare(input, share, limit.offset, keys)
        }
        var count: Int?
        if let written = limit.count { count = try rowCount(written) }
        var offset = 0
        if let written = limit.offset { offset = try rowCount(written) ?? 0 }
        if limit.isWithTies, let count {
            return try withTies(input, count: count, offset: offset, keys, at: limit.count?.span)
        }
        if count == nil && offset == 0 { return plan }
        return .limit(count: count, offset: offset, plan)
    }

    /// A share of all rows, in percent, cut to whole rows.
    mutating func withShare(
        _ input: LogicalPlan,
        _ share: SQL.Expression,
        _ offset: SQL.Expression?,
        _ keys: [SortKey]
    ) throws -> LogicalPlan {
        guard case .float64(let percent) = try constant(share, as: .float64),
            percent >= 0, percent <= 100
        else {
            throw PlanError(.invalid, "LIMIT … PERCENT goes from 0 to 100", at: share.span)
        }
        var skipped = 0
        if let offset { skipped = try rowCount(offset) ?? 0 }
        let number = newColumn("row_number", .int64, isNullable: false)
        let total = newColumn("count", .int64, isNullable: false)
        let counting = AggregateCall(function: .countStar, argument: nil, type: .int64)
        let plan = LogicalPlan.window(
            LogicalPlan.Window(
                partition: [],
                order: [],
                calls: [(WindowCall(function: .aggregate(counting), type: .int64), total)],
                input: .window(
                    LogicalPlan.Window(
                        partition: [],
                        order: keys,
                        calls: [(WindowCall(function: .rowNumber, type: .int64), number)],
                        input: input
                    )
                )
            )
        )
        let wanted = BoundExpression.arithmetic(
            .multiply,
            .cast(total.reference, .float64, isTry: false),
            .constant(.float64(percent / 100), .float64),
            .float64
        )
        let skip = BoundExpression.constant(.int64(Int64(skipped)), .int64)
        let place = BoundExpression.arithmetic(.subtract, number.reference, skip, .int64)
        let kept = LogicalPlan.filter(
            .and([
                .compare(.greater, number.reference, skip),
                .compare(.lessOrEqual, .cast(place, .float64, isTry: false), wanted),
            ]),
            plan
        )
        let ordered = keys.isEmpty ? kept : LogicalPlan.sort(keys, limit: nil, kept)
        return .project(
            input.columns.map { LogicalPlan.Projection($0.reference, $0) },
            ordered
        )
    }

    /// The rows up to `count` and those that are ordered like the last of them.
    private mutating func withTies(
        _ input: LogicalPlan,
        count: Int,
        offset: Int,
        _ keys: [SortKey],
        at span: SourceSpan?
    ) throws -> LogicalPlan {
        guard !keys.isEmpty else {
            throw PlanError(.invalid, "WITH TIES needs an ORDER BY", at: span)
        }
        let rank = newColumn("rank", .int64, isNullable: false)
        let number = newColumn("row_number", .int64, isNullable: false)
        let (last, overflow) = count.addingReportingOverflow(offset)
        func constant(_ value: Int) -> BoundExpression { .constant(.int64(Int64(value)), .int64) }
        let ranked = LogicalPlan.window(
            LogicalPlan.Window(
                partition: [],
                order: keys,
                calls: [
                    (WindowCall(function: .rank, type: .int64), rank),
                    (WindowCall(function: .rowNumber, type: .int64), number),
                ],
                input: input
            )
        )
        let kept = LogicalPlan.filter(
            .and([
                .compare(.lessOrEqual, rank.reference, constant(overflow ? Int.max : last)),
                .compare(.greater, number.reference, constant(count == 0 ? Int.max : offset)),
            ]),
            ranked
        )
        return .project(
            input.columns.map { LogicalPlan.Projection($0.reference, $0) },
            .sort(keys, limit: nil, kept)
        )
    }

    /// A constant number of rows; nil for NULL and ALL.
    private mutating func rowCount(_ expression: SQL.Expression) throws -> Int? {
        switch try limitValue(expression) {
        case .null: return nil
        case .int32(let number) where number >= 0: return Int(number)
        case .int64(let number) where number >= 0: return Int(number)
        default:
            throw PlanError(
                .invalid,
                "LIMIT and OFFSET must be whole numbers of 0 or more",
                at: expression.span
            )
        }
    }

    private mutating func bindValues(_ rows: [[SQL.Expression]]) throws -> LogicalPlan {
        guard let width = rows.first?.count else {
            throw PlanError(.invalid, "VALUES needs a row")
        }
        var bound: [[BoundExpression]] = []
        var isCorrelated = false
        for row in rows {
            guard row.count == width else {
                throw PlanError(
                    .invalid,
                    "a row of VALUES has \(row.count) values, the first has \(width)",
                    at: row.first?.span
                )
            }
            var values: [BoundExpression] = []
            for value in row {
                var context = ExpressionContext(scope: Scope(), clause: "VALUES")
                values.append(try bind(value, &context))
                if values.last?.columnIDs.isEmpty == false { isCorrelated = true }
                // Rows that look into tables are queries of their own.
                if !context.attachments.isEmpty {
                    for row in rows where row.count != width {
                        throw PlanError(
                            .invalid,
                            "a row of VALUES has \(row.count) values, the first has \(width)",
                            at: row.first?.span
                        )
                    }
                    return try bindBody(rowQueries(rows), orderBy: nil, limit: nil)
                }
            }
            bound.append(values)
        }
        var columns: [PlanColumn] = []
        for index in 0..<width {
            var type = DataType.null
            for (row, values) in bound.enumerated() {
                type = try unified(type, values[index], at: rows[row][index].span)
            }
            for row in bound.indices {
                bound[row][index] = try coerce(
                    bound[row][index],
                    to: type,
                    at: rows[row][index].span
                )
            }
            columns.append(newColumn("col\(index)", type))
        }
        if isCorrelated {
            // Rows that depend on the query around are projections of one row without columns.
            let one = LogicalPlan.values(LogicalPlan.Values(columns: [], rows: [[]]))
            let parts = bound.map { row in
                LogicalPlan.project(
                    zip(row, columns).map {
                        LogicalPlan.Projection($0, newColumn($1.name, $1.type))
                    },
                    one
                )
            }
            return .setOperation(
                LogicalPlan.SetOperation(kind: .union, isAll: true, inputs: parts, columns: columns)
            )
        }
        return .values(LogicalPlan.Values(columns: columns, rows: bound))
    }

    /// The type that a column has after it met one more value.
    func unified(
        _ type: DataType,
        _ next: BoundExpression,
        at span: SourceSpan
    ) throws -> DataType {
        if case .constant(.string, .string) = next, type != .null, type != .string { return type }
        guard let common = CoercionRules.common(type, next.type) else {
            throw PlanError(
                .invalid,
                "values of types \(type) and \(next.type) do not go together",
                hint: "Use CAST to make them one type.",
                at: span
            )
        }
        return common
    }

    /// The inputs with the columns of all of them, by name, in the order in which they are met; what
    /// an input does not have is null.
    private mutating func alignedByName(
        _ inputs: [LogicalPlan],
        at span: SourceSpan
    ) throws -> [LogicalPlan] {
        var names: [String] = []
        for input in inputs {
            var own: Set<String> = []
            for column in input.columns {
                let name = column.name.lowercased()
                guard own.insert(name).inserted else {
                    throw PlanError(
                        .invalid,
                        "BY NAME needs different names, \"\(column.name)\" is there twice",
                        at: span
                    )
                }
                if !names.contains(where: { $0.lowercased() == name }) { names.append(column.name) }
            }
        }
        return inputs.map { input in
            .project(
                names.map { name in
                    let known = input.columns.first { $0.name.lowercased() == name.lowercased() }
                    return LogicalPlan.Projection(
                        known?.reference ?? .constant(.null, .null),
                        newColumn(name, known?.type ?? .null, isNullable: known?.isNullable ?? true)
                    )
                },
                input
            )
        }
    }

    private mutating func bindSetOperation(_ operation: SetOperation) throws -> LogicalPlan {
        var inputs: [LogicalPlan] = []
        for operand in operation.operands {
            inputs.append(try bindBody(operand, orderBy: nil, limit: nil))
        }
        if operation.isByName { inputs = try alignedByName(inputs, at: operation.span) }
        guard let first = inputs.first else {
            throw PlanError(.invalid, "a set operation needs operands", at: operation.span)
        }
        let names = first.columns.map(\.name)
        var types = first.columns.map(\.type)
        for input in inputs.dropFirst() {
            let columns = input.columns
            guard columns.count == types.count else {
                throw PlanError(
                    .invalid,
                    "\(operation.setOperator.rawValue) needs as many columns on both sides, here are "
                        + "\(types.count) and \(columns.count)",
                    at: operation.span
                )
            }
            for index in types.indices {
                let (own, next) = (types[index], columns[index].type)
                if own == .string && !next.isNested || next == .string && !own.isNested {
                    // Everything can be text.
                    types[index] = .string
                    continue
                }
                types[index] = try unified(own, columns[index].reference, at: operation.span)
            }
        }
        for index in types.indices where types[index] == .null { types[index] = .int32 }
        let kind: LogicalPlan.SetOperation.Kind
        switch operation.setOperator {
        case .union: kind = .union
        case .intersect: kind = .intersect
        case .except: kind = .except
        }
        inputs = try inputs.map { input in
            if input.columns.map(\.type) == types { return input }
            return .project(
                try zip(input.columns, types).map { column, type in
                    LogicalPlan.Projection(
                        try coerce(column.reference, to: type, at: operation.span),
                        newColumn(column.name, type)
                    )
                },
                input
            )
        }
        let columns = zip(names, types).map { newColumn($0, $1) }
        // UNION chains are one node; INTERSECT and EXCEPT are taken two at a time, from the left.
        if kind == .union {
            let all = LogicalPlan.setOperation(
                LogicalPlan.SetOperation(
                    kind: kind,
                    isAll: true,
                    inputs: inputs,
                    columns: columns
                )
            )
            if !operation.isAll, let rows = collatedDistinct(all) { return rows }
            return .setOperation(
                LogicalPlan.SetOperation(
                    kind: kind,
                    isAll: operation.isAll,
                    inputs: inputs,
                    columns: columns
                )
            )
        }
        var result = inputs[0]
        for (index, input) in inputs.dropFirst().enumerated() {
            if let rows = try collatedSetOperation(
                kind,
                isAll: operation.isAll,
                result,
                input,
                at: operation.span
            ) {
                result = rows
                continue
            }
            let isLast = index == inputs.count - 2
            result = .setOperation(
                LogicalPlan.SetOperation(
                    kind: kind,
                    isAll: operation.isAll,
                    inputs: [result, input],
                    columns: isLast ? columns : zip(names, types).map { newColumn($0, $1) }
                )
            )
        }
        return result
    }
}
