extension Printer {
    @inline(never)
    mutating func write(_ query: Query) {
        write(query.with)
        write(query.body)
        write(query.orderBy)
        write(query.limit)
    }

    /// `WITH …` and a space, or nothing.
    @inline(never)
    mutating func write(_ with: WithClause?) {
        guard let with else { return }
        text += with.isRecursive ? "WITH RECURSIVE " : "WITH "
        list(with.expressions) { printer, expression in
            printer.write(expression.name)
            if !expression.columns.isEmpty {
                printer.text += " "
                printer.writeNames(expression.columns)
            }
            printer.text += " AS "
            if let isMaterialized = expression.isMaterialized {
                printer.text += isMaterialized ? "MATERIALIZED " : "NOT MATERIALIZED "
            }
            printer.writeParenthesised(expression.query)
        }
        text += " "
    }

    // MARK: Bodies

    @inline(never)
    private mutating func write(_ body: QueryBody) {
        switch body {
        case .select(let block):
            if !writePivotStatement(block) { write(block) }
        case .values(let rows):
            text += "VALUES "
            list(rows) { printer, row in printer.parenthesised(row) { $0.write($1) } }
        case .table(let name):
            text += "TABLE "
            write(name)
        case .setOperation(let operation): write(operation)
        case .nested(let query): writeParenthesised(query)
        }
    }

    @inline(never)
    private mutating func write(_ operation: SetOperation) {
        var separator = " \(operation.setOperator.rawValue) "
        if operation.isAll { separator += "ALL " }
        if operation.isByName { separator += "BY NAME " }
        for (index, operand) in operation.operands.enumerated() {
            if index > 0 { text += separator }
            if Self.needsParentheses(operand, in: operation, at: index) {
                text += "("
                write(operand)
                text += ")"
            } else {
                write(operand)
            }
        }
    }

    /// Chains go from the left, and `INTERSECT` binds tighter than the others.
    private static func needsParentheses(
        _ operand: QueryBody,
        in operation: SetOperation,
        at index: Int
    ) -> Bool {
        guard case .setOperation(let inner) = operand else { return false }
        if operation.setOperator == .intersect {
            return index > 0 || inner.setOperator != .intersect
        }
        return index > 0 && inner.setOperator != .intersect
    }

    @inline(never)
    private mutating func write(_ block: SelectBlock) {
        text += "SELECT "
        switch block.distinct {
        case .none: break
        case .rows: text += "DISTINCT "
        case .on(let expressions):
            text += "DISTINCT ON ("
            write(expressions)
            text += ") "
        }
        write(block.items)
        if !block.from.isEmpty {
            text += " FROM "
            list(block.from) { $0.write($1) }
        }
        writeClause(" WHERE ", block.filter)
        write(block.groupBy)
        writeClause(" HAVING ", block.having)
        if !block.windows.isEmpty {
            text += " WINDOW "
            list(block.windows) { printer, window in
                printer.write(window.name)
                printer.text += " AS "
                printer.write(window.specification)
            }
        }
        writeClause(" QUALIFY ", block.qualify)
        if let sample = block.sample { write(sample, after: " USING SAMPLE ") }
    }

    @inline(never)
    mutating func writeClause(_ words: String, _ expression: Expression?) {
        guard let expression else { return }
        text += words
        write(expression)
    }

    @inline(never)
    mutating func write(_ items: [SelectItem]) {
        list(items) { printer, item in
            printer.write(item.expression)
            guard let alias = item.alias else { return }
            printer.text += " AS "
            printer.write(alias, isLabel: true)
        }
    }

    // MARK: GROUP BY, ORDER BY, LIMIT

    @inline(never)
    private mutating func write(_ groupBy: GroupBy?) {
        switch groupBy {
        case .none: break
        case .all: text += " GROUP BY ALL"
        case .elements(let elements, let isDistinct):
            text += isDistinct ? " GROUP BY DISTINCT " : " GROUP BY "
            list(elements) { $0.write($1) }
        }
    }

    @inline(never)
    private mutating func write(_ element: GroupingElement) {
        switch element {
        case .expressions(let expressions): writeGrouping(expressions)
        case .rollup(let lists):
            text += "ROLLUP "
            parenthesised(lists) { $0.writeGrouping($1) }
        case .cube(let lists):
            text += "CUBE "
            parenthesised(lists) { $0.writeGrouping($1) }
        case .sets(let elements):
            text += "GROUPING SETS "
            parenthesised(elements) { $0.write($1) }
        }
    }

    private mutating func writeGrouping(_ expressions: [Expression]) {
        if expressions.count == 1 { return write(expressions) }
        text += "("
        write(expressions)
        text += ")"
    }

    @inline(never)
    private mutating func write(_ orderBy: OrderBy?) {
        switch orderBy {
        case .none: break
        case .items(let items):
            text += " "
            writeOrderBy(items)
        case .all(let direction, let nulls):
            text += " ORDER BY ALL"
            writeOrder(direction, nulls)
        }
    }

    @inline(never)
    private mutating func write(_ limit: RowLimit?) {
        guard let limit else { return }
        if let count = limit.count {
            if limit.isWithTies {
                writeClause(" OFFSET ", limit.offset)
                text += " FETCH FIRST "
                writeFetchCount(count)
                text += limit.isPercent ? " PERCENT ROWS WITH TIES" : " ROWS WITH TIES"
                return
            }
            writeClause(" LIMIT ", count)
            if limit.isPercent { text += " PERCENT" }
        }
        writeClause(" OFFSET ", limit.offset)
    }

    private mutating func writeFetchCount(_ count: Expression) {
        switch count.node {
        case .literal, .parameter: write(count)
        default:
            text += "("
            write(count)
            text += ")"
        }
    }

    // MARK: Tables

    @inline(never)
    mutating func write(_ table: TableReference) {
        switch table {
        case .table(let named):
            write(named.name)
            write(named.asOf)
            write(named.alias)
            write(named.sample)
        case .file(let file):
            writeString(file.path)
            write(file.alias)
            write(file.sample)
        case .function(let function):
            if function.isLateral { text += "LATERAL " }
            write(function.call)
            if function.isWithOrdinality { text += " WITH ORDINALITY" }
            write(function.alias)
            write(function.sample)
        case .derived(let derived):
            if derived.isLateral { text += "LATERAL " }
            writeParenthesised(derived.query)
            write(derived.alias)
            write(derived.sample)
        case .join(let join):
            write(join)
        case .pivot(let pivot): write(pivot)
        case .unpivot(let unpivot): write(unpivot)
        case .description(let description):
            text += "(\(description.kind.rawValue) "
            write(description.query)
            text += ")"
            write(description.alias)
        }
    }

    @inline(never)
    private mutating func write(_ asOf: TimeTravel?) {
        switch asOf {
        case .none: break
        case .version(let version): writeTimeTravel(" FOR VERSION AS OF ", version)
        case .timestamp(let timestamp): writeTimeTravel(" FOR TIMESTAMP AS OF ", timestamp)
        }
    }

    private mutating func writeTimeTravel(_ words: String, _ value: Expression) {
        text += words
        switch value.node {
        case .literal, .parameter, .function, .cast: write(value)
        default:
            text += "("
            write(value)
            text += ")"
        }
    }

    @inline(never)
    mutating func write(_ alias: TableAlias?) {
        guard let alias else { return }
        text += " AS "
        write(alias.name)
        guard !alias.columns.isEmpty else { return }
        text += " "
        writeNames(alias.columns)
    }

    @inline(never)
    private mutating func write(_ sample: TableSample?) {
        guard let sample else { return }
        write(sample, after: " TABLESAMPLE ")
    }

    @inline(never)
    private mutating func write(_ sample: TableSample, after words: String) {
        text += words
        if let method = sample.method {
            write(method)
            text += " "
        }
        text += "("
        write(sample.size)
        text += " \(sample.unit.rawValue))"
        guard let seed = sample.seed else { return }
        text += " REPEATABLE ("
        write(seed)
        text += ")"
    }

    @inline(never)
    private mutating func write(_ join: Join) {
        // Only a join with a name, or on the right, has parentheses of its own.
        if join.alias != nil { text += "(" }
        write(join.left)
        if case .natural = join.condition { text += " NATURAL" }
        text += join.kind == .inner ? " JOIN " : " \(join.kind.rawValue) JOIN "
        if join.right.needsParentheses {
            text += "("
            write(join.right)
            text += ")"
        } else {
            write(join.right)
        }
        write(join.condition)
        if join.alias != nil { text += ")" }
        write(join.alias)
    }

    @inline(never)
    mutating func write(_ condition: Join.Condition?) {
        switch condition {
        case .on(let expression): writeClause(" ON ", expression)
        case .using(let columns):
            text += " USING "
            writeNames(columns)
        case .natural, .none: break
        }
    }
}
