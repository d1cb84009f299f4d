import Columnar

/// Shows a plan to a person: an operator a line, inputs indented below.
package struct PlanPrinter {
    package init() {}

    package func print(_ plan: LogicalPlan) -> String {
        var lines: [String] = []
        let names = Names(plan)
        describe(plan, Cardinality(plan), names, depth: 0, &lines)
        return lines.joined(separator: "\n") + "\n"
    }

    /// Names for columns, wherever they are used.
    private struct Names {
        private var names: [ColumnID: String] = [:]
        /// The columns that somebody uses: scans read no others.
        private(set) var used: Set<ColumnID>

        init(_ plan: LogicalPlan) {
            used = Set(plan.columns.map(\.id))
            collect(plan)
            use(plan)
        }

        /// Notes what a plan needs of its inputs, for those of its columns that are used.
        private mutating func use(_ plan: LogicalPlan) {
            switch plan {
            case .project(let projections, _):
                for one in projections where used.contains(one.column.id) {
                    used.formUnion(one.expression.columnIDs)
                }
            case .aggregate(let aggregate):
                for group in aggregate.groups { used.formUnion(group.expression.columnIDs) }
                for (call, column) in aggregate.calls where used.contains(column.id) {
                    for part in call.expressions { used.formUnion(part.columnIDs) }
                }
            case .setOperation, .recursion, .materialized:
                // Rows are taken as they are.
                for input in plan.inputs { used.formUnion(input.columns.map(\.id)) }
            default:
                _ = plan.mapExpressions { expression in
                    used.formUnion(expression.columnIDs)
                    return expression
                }
            }
            for input in plan.inputs { use(input) }
        }

        private mutating func collect(_ plan: LogicalPlan) {
            for column in plan.columns { names[column.id] = column.name }
            for input in plan.inputs { collect(input) }
        }

        func name(_ id: ColumnID) -> String { names[id] ?? "#\(id.number)" }
    }

    private func describe(
        _ plan: LogicalPlan,
        _ cardinality: Cardinality,
        _ names: Names,
        depth: Int,
        _ lines: inout [String]
    ) {
        func text(_ expression: BoundExpression) -> String {
            expression.text { names.name($0) }
        }
        var line = String(repeating: "  ", count: depth)
        switch plan {
        case .scan(let scan):
            line += "Scan \(scan.table.name)"
            let read = scan.columns.map(\.column).filter { names.used.contains($0.id) }
            line += " [" + read.map(\.name).joined(separator: ", ") + "]"
            if !scan.filters.isEmpty {
                line += " where " + scan.filters.map(text).joined(separator: " AND ")
            }
        case .values(let values): line += values.source.map { "Metadata of \($0)" } ?? "Values"
        case .filter(let condition, _): line += "Filter " + text(condition)
        case .project(let projections, _):
            line +=
                "Project "
                + projections.map { projection in
                    let expression = text(projection.expression)
                    let name = projection.column.name
                    return expression == name ? name : "\(expression) AS \(name)"
                }.joined(separator: ", ")
        case .aggregate(let aggregate):
            line += aggregate.calls.isEmpty ? "Distinct" : "Aggregate"
            if !aggregate.groups.isEmpty {
                line +=
                    " by "
                    + aggregate.groups.map { text($0.expression) }
                    .joined(separator: ", ")
            }
            if !aggregate.calls.isEmpty {
                line +=
                    " compute "
                    + aggregate.calls.map { call, _ in
                        let argument = call.argument.map(text) ?? "*"
                        return call.function.rawValue + "("
                            + (call.isDistinct ? "DISTINCT " : "") + argument + ")"
                    }.joined(separator: ", ")
            }
        case .window(let window):
            line += "Window"
            if !window.partition.isEmpty {
                line += " by " + window.partition.map(text).joined(separator: ", ")
            }
            if !window.order.isEmpty {
                line += " in order of "
                line += window.order.map { text($0.expression) + ($0.isDescending ? " DESC" : "") }
                    .joined(separator: ", ")
            }
            line += " compute " + window.calls.map(\.call.text).joined(separator: ", ")
        case .join(let join):
            line += "\(join.kind.text) join"
            let conditions = join.correlations + join.conditions
            if !conditions.isEmpty {
                line += " on " + conditions.map(text).joined(separator: " AND ")
            }
        case .sort(let keys, let limit, _):
            line += limit.map { "Top \($0) by " } ?? "Sort by "
            line += keys.map { text($0.expression) + ($0.isDescending ? " DESC" : "") }
                .joined(separator: ", ")
        case .limit(let count, let offset, _):
            line +=
                "Limit" + (count.map { " \($0)" } ?? "")
                + (offset > 0 ? " offset \(offset)" : "")
        case .unnest(let unnest):
            line += "Unnest " + unnest.items.map { text($0.expression) }.joined(separator: ", ")
        case .setOperation(let operation):
            line += operation.kind.rawValue.capitalizedFirst + (operation.isAll ? " all" : "")
        case .recursion(let recursion):
            line += "Recursion \(recursion.number)" + (recursion.isAll ? " all" : "")
        case .workingTable(let table): line += "Working table of recursion \(table.number)"
        case .materialized(let common): line += "Common table \(common.number)"
        case .numbering(let numbering):
            line += numbering.kind == .position ? "Number rows" : "Draw numbers"
        }
        let rows = cardinality.rows(plan)
        line += "  (~\(rows < 1e15 ? String(Int(rows.rounded())) : "many") rows)"
        lines.append(line)
        for input in plan.inputs {
            describe(input, cardinality, names, depth: depth + 1, &lines)
        }
    }
}

extension String {
    fileprivate var capitalizedFirst: String { prefix(1).uppercased() + dropFirst() }
}

extension WindowCall {
    var text: String {
        switch function {
        case .rowNumber: "row_number"
        case .rank: "rank"
        case .denseRank: "dense_rank"
        case .percentRank: "percent_rank"
        case .cumeDist: "cume_dist"
        case .ntile: "ntile"
        case .lag: "lag"
        case .lead: "lead"
        case .firstValue: "first_value"
        case .lastValue: "last_value"
        case .nthValue: "nth_value"
        case .lastMarked: "last_match"
        case .aggregate(let call): call.function.rawValue
        }
    }
}

extension JoinKind {
    fileprivate var text: String {
        switch self {
        case .inner: "Inner"
        case .left: "Left"
        case .right: "Right"
        case .full: "Full"
        case .cross: "Cross"
        case .semi: "Semi"
        case .anti: "Anti"
        case .mark: "Mark"
        case .single: "Single"
        }
    }
}

extension BoundExpression {
    /// The expression as SQL would write it, for people.
    package func text(_ name: (ColumnID) -> String) -> String {
        func part(_ expression: BoundExpression) -> String {
            switch expression {
            case .column, .constant, .call, .cast: expression.text(name)
            case .located(let inner, _): part(inner)
            default: "(" + expression.text(name) + ")"
            }
        }
        switch self {
        case .column(let id, _): return name(id)
        case .constant(let value, let type): return value.text(type)
        case .compare(let op, let a, let b): return "\(part(a)) \(op.rawValue) \(part(b))"
        case .isDistinct(let a, let b, let isNegated):
            return "\(part(a)) IS \(isNegated ? "NOT " : "")DISTINCT FROM \(part(b))"
        case .and(let all): return all.map(part).joined(separator: " AND ")
        case .or(let all): return all.map(part).joined(separator: " OR ")
        case .not(let a): return "NOT \(part(a))"
        case .isNull(let a, let isNegated): return "\(part(a)) IS \(isNegated ? "NOT " : "")NULL"
        case .isTruth(let a, let value, let isNegated):
            return "\(part(a)) IS \(isNegated ? "NOT " : "")\(value ? "TRUE" : "FALSE")"
        case .arithmetic(let op, let a, let b, _): return "\(part(a)) \(op.rawValue) \(part(b))"
        case .negate(let a): return "-\(part(a))"
        case .cast(let a, let type, let isTry):
            return "\(isTry ? "TRY_CAST" : "CAST")(\(a.text(name)) AS \(type))"
        case .conditional(let branches, let otherwise, _):
            let whens = branches.map {
                "WHEN \($0.condition.text(name)) THEN \($0.value.text(name))"
            }
            let rest = otherwise.map { " ELSE \($0.text(name))" } ?? ""
            return "CASE \(whens.joined(separator: " "))\(rest) END"
        case .inSet(let a, let values, let isNegated):
            let list = values.map { $0.text(a.type) }.joined(separator: ", ")
            return "\(part(a)) \(isNegated ? "NOT " : "")IN (\(list))"
        case .pattern(let language, let a, let pattern, _, let isNegated):
            let op =
                switch language {
                case .like(let ignoringCase): ignoringCase ? "ILIKE" : "LIKE"
                case .regularExpression: "SIMILAR TO"
                case .glob: "GLOB"
                }
            return "\(part(a)) \(isNegated ? "NOT " : "")\(op) \(part(pattern))"
        case .located(let inner, _): return inner.text(name)
        case .call(let function, let arguments, _):
            return function.rawValue + "("
                + arguments.map { $0.text(name) }
                .joined(separator: ", ") + ")"
        case .nested(let function, let arguments, _):
            return function.name + "("
                + arguments.map { $0.text(name) }.joined(separator: ", ") + ")"
        }
    }
}

extension Value {
    /// The value as a literal, for people.
    fileprivate func text(_ type: DataType) -> String {
        if isNull { return "NULL" }
        var bytes: [UInt8] = []
        TextFormat.append(Column(type, [self]), row: 0, to: &bytes)
        let text = String(decoding: bytes, as: UTF8.self)
        switch type {
        case .boolean, .int32, .int64, .float32, .float64, .decimal: return text
        default: return "'\(text)'"
        }
    }
}
