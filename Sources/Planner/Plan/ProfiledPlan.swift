import Columnar

/// An operator of a plan that is watched while it runs, as people read it.
package struct ProfiledOperator: Sendable {
    /// What it does, in one line.
    package var text: String
    /// How many operators are above it.
    package var depth: Int
}

extension PhysicalPlan {
    /// The plan with all its operators watched, and what they are, by number: each before its inputs.
    package func profiled() -> (plan: PhysicalPlan, operators: [ProfiledOperator]) {
        var numbering = ProfileNumbering()
        let plan = numbering.number(self, depth: 0)
        return (plan.plan, numbering.operators)
    }
}

/// Numbers operators and finds names for their columns, which plans know by position only.
private struct ProfileNumbering {
    private(set) var operators: [ProfiledOperator] = []
    /// Longer expressions are cut where they become names.
    private static let nameLengthMax = 60

    mutating func number(
        _ plan: PhysicalPlan,
        depth: Int
    ) -> (plan: PhysicalPlan, names: [String]) {
        let number = operators.count
        operators.append(ProfiledOperator(text: "", depth: depth))
        var names: [[String]] = []
        let inner = plan.mapInputs { input in
            let (plan, own) = self.number(input, depth: depth + 1)
            names.append(own)
            return plan
        }
        let (text, output) = describe(plan, names)
        operators[number].text = text
        return (.profiled(number, inner), output)
    }

    private func text(_ expression: BoundExpression, _ names: [String]) -> String {
        expression.text {
            names.indices.contains($0.number) ? names[$0.number] : "#\($0.number)"
        }
    }

    private func list(_ expressions: [BoundExpression], _ names: [String]) -> [String] {
        expressions.map { expression in
            let whole = text(expression, names)
            return whole.count <= Self.nameLengthMax
                ? whole : whole.prefix(Self.nameLengthMax) + "…"
        }
    }

    private func keys(_ keys: [SortKey], _ names: [String]) -> String {
        zip(list(keys.map(\.expression), names), keys)
            .map { $0 + ($1.isDescending ? " DESC" : "") }
            .joined(separator: ", ")
    }

    /// A line about an operator, and the names of its columns.
    private func describe(
        _ plan: PhysicalPlan,
        _ inputs: [[String]]
    ) -> (text: String, names: [String]) {
        let input = inputs.first ?? []
        switch plan {
        case .profiled: return ("", input)
        case .scan(let scan):
            let read = scan.positions.map { scan.table.schema[$0].name }
            var line = "Scan \(scan.table.name) [\(read.joined(separator: ", "))]"
            if !scan.filters.isEmpty {
                line +=
                    " where " + scan.filters.map { text($0, read) }.joined(separator: " AND ")
            }
            return (line, scan.output.map { read[$0] })
        case .values(let rows, let types):
            return ("Values (\(rows.count) rows)", types.indices.map { "column\($0)" })
        case .filter(let condition, let output, _):
            return ("Filter " + text(condition, input), output.map { input[$0] })
        case .project(let expressions, _):
            let names = list(expressions, input)
            return ("Project " + names.joined(separator: ", "), names)
        case .aggregate(let groups, let calls, _):
            let keys = list(groups, input)
            let values = calls.map { call in
                let argument = call.argument.map { list([$0], input)[0] } ?? "*"
                return call.function.rawValue
                    + "(\(call.isDistinct ? "DISTINCT " : "")\(argument))"
            }
            var line = calls.isEmpty ? "Distinct" : "Aggregate"
            if !keys.isEmpty { line += " by " + keys.joined(separator: ", ") }
            if !calls.isEmpty { line += " compute " + values.joined(separator: ", ") }
            return (line, keys + values)
        case .window(let window):
            var line = "Window"
            if !window.partition.isEmpty {
                line += " by " + list(window.partition, input).joined(separator: ", ")
            }
            if !window.order.isEmpty { line += " in order of " + keys(window.order, input) }
            if let limit = window.limit { line += " keep \(limit.count) of each" }
            let calls = window.calls.map(\.text)
            return (line + " compute " + calls.joined(separator: ", "), input + calls)
        case .join(let join): return describe(join, inputs)
        case .sort(let keys, let limit, _):
            return (
                (limit.map { "Top \($0) by " } ?? "Sort by ") + self.keys(keys, input), input
            )
        case .limit(let count, let offset, _):
            return (
                "Limit" + (count.map { " \($0)" } ?? "") + (offset > 0 ? " offset \(offset)" : ""),
                input
            )
        case .union: return ("Union all", input)
        case .replicate(let count, let output, _):
            return ("Repeat \(text(count, input)) times", output.map { input[$0] })
        case .unnest(let unnest):
            let lists = list(unnest.lists, input)
            return (
                "Unnest " + lists.joined(separator: ", "),
                unnest.output.map { input[$0] } + lists
                    + (unnest.hasOrdinality ? ["ordinality"] : [])
            )
        case .shared(let number, _): return ("Shared \(number)", input)
        case .recursion(let recursion): return ("Recursion \(recursion.number)", input)
        case .workingTable(let number, let types):
            return ("Rows of the last round of recursion \(number)", types.indices.map { "#\($0)" })
        case .numbering(_, _): return ("Number the rows", input + ["number"])
        }
    }

    private func describe(
        _ join: PhysicalPlan.Join,
        _ inputs: [[String]]
    ) -> (text: String, names: [String]) {
        let (left, right) = (inputs[0], inputs[1])
        var line: String
        var names = join.leftOutput.map { left[$0] }
        switch join.kind {
        case .inner: line = "Inner join"
        case .left: line = "Left join"
        case .right: line = "Right join"
        case .full: line = "Full join"
        case .cross: line = "Cross join"
        case .semi: line = "Semi join"
        case .anti: line = "Anti join"
        case .rightSemi: line = "Right semi join"
        case .rightAnti: line = "Right anti join"
        case .single: line = "Single join"
        case .mark, .markAny: line = "Mark join"
        }
        switch join.kind {
        case .semi, .anti: break
        case .mark, .markAny: names.append("mark")
        default: names += join.rightOutput.map { right[$0] }
        }
        var conditions = zip(list(join.leftKeys, left), list(join.rightKeys, right)).map {
            "\($0) = \($1)"
        }
        if let residual = join.residual { conditions.append(text(residual, left + right)) }
        if let comparison = join.comparison { conditions.append(text(comparison, left + right)) }
        if !conditions.isEmpty { line += " on " + conditions.joined(separator: " AND ") }
        return (line, names)
    }
}
