extension Printer {
    /// `PIVOT …` and `UNPIVOT …` as statements; false when the block is something else.
    @inline(never)
    mutating func writePivotStatement(_ block: SelectBlock) -> Bool {
        guard block.from.count == 1, let table = block.from.first else { return false }
        switch table {
        case .pivot(let pivot) where pivot.isStatement:
            text += "PIVOT "
            write(pivot.source)
            if !pivot.on.isEmpty {
                text += " ON "
                list(pivot.on) { $0.write($1) }
            }
            if !pivot.aggregates.isEmpty {
                text += " USING "
                write(pivot.aggregates)
            }
            writeGroups(pivot.groupBy)
        case .unpivot(let unpivot) where unpivot.isStatement:
            text += unpivot.isIncludingNulls ? "UNPIVOT INCLUDE NULLS " : "UNPIVOT "
            write(unpivot.source)
            text += " ON "
            write(unpivot.columns)
            text += " INTO NAME "
            write(unpivot.name)
            text += " VALUE "
            list(unpivot.values) { $0.write($1) }
        default: return false
        }
        return true
    }

    @inline(never)
    mutating func write(_ pivot: Pivot) {
        write(pivot.source)
        text += " PIVOT ("
        write(pivot.aggregates)
        text += " FOR "
        for (index, column) in pivot.on.enumerated() {
            if index > 0 { text += " " }
            write(column)
        }
        writeGroups(pivot.groupBy)
        text += ")"
        write(pivot.alias)
    }

    @inline(never)
    mutating func write(_ unpivot: Unpivot) {
        write(unpivot.source)
        text += unpivot.isIncludingNulls ? " UNPIVOT INCLUDE NULLS (" : " UNPIVOT ("
        if unpivot.values.count == 1 {
            write(unpivot.values[0])
        } else {
            writeNames(unpivot.values)
        }
        text += " FOR "
        write(unpivot.name)
        text += " IN ("
        write(unpivot.columns)
        text += "))"
        write(unpivot.alias)
    }

    private mutating func write(_ column: Pivot.Column) {
        switch column.expression.node {
        case .column, .function, .row, .cased, .cast: write(column.expression)
        default:
            text += "("
            write(column.expression)
            text += ")"
        }
        switch column.values {
        case nil: break
        case .list(let items):
            text += " IN ("
            write(items)
            text += ")"
        case .query(let query):
            text += " IN "
            writeParenthesised(query)
        }
    }

    private mutating func writeGroups(_ groups: [Expression]?) {
        guard let groups else { return }
        text += " GROUP BY "
        write(groups)
    }

    @inline(never)
    mutating func write(_ pattern: StarPattern) {
        text += pattern.isNegated ? " NOT \(pattern.kind.rawValue) " : " \(pattern.kind.rawValue) "
        switch pattern.pattern.node {
        case .literal, .parameter, .column, .function: write(pattern.pattern)
        default:
            text += "("
            write(pattern.pattern)
            text += ")"
        }
    }

    // MARK: Macros

    @inline(never)
    mutating func write(_ macro: CreateMacro) {
        text += "CREATE "
        if macro.isOrReplace { text += "OR REPLACE " }
        if macro.isTemporary { text += "TEMP " }
        text += "MACRO "
        if macro.isIfNotExists { text += "IF NOT EXISTS " }
        write(macro.name)
        text += " "
        list(macro.definitions) { printer, definition in
            printer.parenthesised(definition.parameters) { printer, parameter in
                printer.write(parameter.name)
                guard let value = parameter.defaultValue else { return }
                printer.text += " := "
                printer.write(value)
            }
            switch definition.body {
            case .expression(let expression):
                printer.text += " AS "
                printer.write(expression)
            case .table(let query):
                printer.text += " AS TABLE "
                printer.write(query)
            }
        }
    }

    @inline(never)
    mutating func write(_ drop: DropMacro) {
        text += "DROP MACRO "
        if drop.isIfExists { text += "IF EXISTS " }
        write(drop.name)
    }
}

extension TableReference {
    /// Whether the right side of a join would be read as something else without parentheses.
    var needsParentheses: Bool {
        switch self {
        case .join(let join): join.alias == nil
        case .pivot, .unpivot: true
        default: false
        }
    }
}
