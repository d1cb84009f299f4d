import Bytes
import SQL

extension SpecDecoder {
    private static let ruleNames = [
        "check", "completeness", "unique", "row_count", "accepted_values", "relationships",
    ]

    mutating func expectations(_ node: SpecNode) -> [Expectation] {
        var result: [Expectation] = []
        var names: Set<String> = []
        for (index, element) in list(node, "expectations", "expectations").enumerated() {
            let path = "expectations[\(index)]"
            guard let expectation = expectation(element, path) else { continue }
            if !names.insert(expectation.name).inserted {
                note(
                    element.place,
                    path,
                    "another expectation is called \"\(expectation.name)\"",
                    hint: "give it a name of its own"
                )
            }
            result.append(expectation)
        }
        return result
    }

    private mutating func expectation(_ node: SpecNode, _ path: String) -> Expectation? {
        let known = ["name", "on_violation", "at_least"] + Self.ruleNames
        guard let fields = fields(node, path, known: known) else { return nil }
        let rules = Self.ruleNames.filter { fields[$0] != nil }
        guard rules.count == 1, let kind = rules.first, let ruleNode = fields[kind] else {
            note(
                fields.place,
                path,
                "exactly one of \(Self.ruleNames.joined(separator: ", ")) is expected"
            )
            return nil
        }
        var action = Expectation.Action.fail
        if let node = fields["on_violation"] {
            let words = Expectation.Action.allCases.map(\.rawValue)
            if let word = word(node, "\(path).on_violation", words) {
                action = Expectation.Action(rawValue: word) ?? .fail
            }
        }
        if let member = fields.members["at_least"], kind != "completeness" {
            note(member.place, path, "at_least goes with completeness only")
        }
        guard let rule = rule(kind, ruleNode, fields, "\(path).\(kind)") else { return nil }
        switch (action, rule) {
        case (.drop, .check), (.drop, .acceptedValues): break
        case (.quarantine, _):
            unsupported.append(
                SpecIssue(
                    fields["on_violation"]?.place ?? fields.place,
                    key: "\(path).on_violation",
                    "quarantine is not in this version",
                    hint: "use warn, drop or fail"
                )
            )
        case (.drop, _):
            note(
                fields.place,
                "\(path).on_violation",
                "only check and accepted_values know which rows to drop",
                hint: "use warn or fail"
            )
        default: break
        }
        var name = Self.defaultName(kind, rule)
        if let node = fields["name"], let given = text(node, "\(path).name") { name = given }
        return Expectation(name: name, rule: rule, action: action)
    }

    private mutating func rule(
        _ kind: String,
        _ node: SpecNode,
        _ fields: Fields,
        _ path: String
    ) -> Expectation.Rule? {
        switch kind {
        case "check": return expression(node, path).map { .check($0) }
        case "completeness":
            var share = 1.0
            if let bound = fields["at_least"] {
                guard case .number(let text) = bound.value, let value = Double(text),
                    (0...1).contains(value)
                else {
                    note(bound.place, "\(path).at_least", "a share from 0 to 1 is expected")
                    return nil
                }
                share = value
            }
            let columns = columns(node, path)
            return columns.isEmpty ? nil : .completeness(columns, atLeast: share)
        case "unique":
            let columns = columns(node, path)
            return columns.isEmpty ? nil : .unique(columns)
        case "row_count":
            guard let bounds = self.fields(node, path, known: ["min", "max"]) else { return nil }
            let min = bounds["min"].flatMap { integer($0, "\(path).min", min: 0) }
            let max = bounds["max"].flatMap { integer($0, "\(path).max", min: 0) }
            if bounds["min"] == nil, bounds["max"] == nil {
                note(node.place, path, "min or max is missing")
                return nil
            }
            if let min, let max, min > max { note(node.place, path, "min is more than max") }
            return .rowCount(min: min, max: max)
        case "accepted_values":
            guard let parts = self.fields(node, path, known: ["column", "values"]) else {
                return nil
            }
            guard let columnNode = parts["column"], let valuesNode = parts["values"] else {
                note(node.place, path, "the keys \"column\" and \"values\" are both needed")
                return nil
            }
            let column = column(columnNode, "\(path).column")
            let values = list(valuesNode, "\(path).values", "values").enumerated().compactMap {
                literal($1, "\(path).values[\($0)]")
            }
            return column.flatMap { values.isEmpty ? nil : .acceptedValues($0, values) }
        default:
            guard let parts = self.fields(node, path, known: ["column", "to", "field"]) else {
                return nil
            }
            guard let columnNode = parts["column"], let tableNode = parts["to"] else {
                note(node.place, path, "the keys \"column\" and \"to\" are both needed")
                return nil
            }
            let column = column(columnNode, "\(path).column")
            let table = table(tableNode, "\(path).to")
            let field = parts["field"].flatMap { self.column($0, "\(path).field") } ?? column
            guard let column, let table, let field else { return nil }
            return .relationship(column, table: table, column: field)
        }
    }

    /// A value as it stands: a text is a text, not SQL.
    private mutating func literal(_ node: SpecNode, _ path: String) -> Expression? {
        switch node.value {
        case .string(let text): return Expression(.literal(.string(text)))
        case .bool(let value): return Expression(.literal(.boolean(value)))
        case .number: return expression(node, path)
        default:
            expected("a text, number or boolean", node, path)
            return nil
        }
    }

    private static func defaultName(_ kind: String, _ rule: Expectation.Rule) -> String {
        switch rule {
        case .check(let expression): String(Printer.print(expression).prefix(120))
        case .completeness(let columns, _), .unique(let columns):
            "\(kind) of \(columns.map(\.name).joined(separator: ", "))"
        case .rowCount: "row count"
        case .acceptedValues(let column, _): "accepted values of \(column.name)"
        case .relationship(let column, let table, _):
            "\(column.name) in \(Printer.print(table))"
        }
    }

    // MARK: Tests

    /// `{name, given: {table: rows}, expect: rows}`.
    mutating func tests(_ node: SpecNode) -> [JSON] {
        var result: [JSON] = []
        for (index, element) in list(node, "tests", "tests").enumerated() {
            let path = "tests[\(index)]"
            guard let fields = fields(element, path, known: ["name", "given", "expect"]) else {
                continue
            }
            if let node = fields["name"] { _ = text(node, "\(path).name") }
            if let node = fields["given"] {
                for member in members(node, "\(path).given", "tables and rows") {
                    rows(member.value, "\(path).given.\(member.key)")
                }
            } else {
                note(fields.place, path, "the key \"given\" is missing")
            }
            if let node = fields["expect"] {
                rows(node, "\(path).expect")
            } else {
                note(fields.place, path, "the key \"expect\" is missing")
            }
            result.append(json(element))
        }
        return result
    }

    private mutating func rows(_ node: SpecNode, _ path: String) {
        guard case .list(let rows) = node.value else {
            expected("a list of rows", node, path)
            return
        }
        for (index, row) in rows.enumerated() {
            guard case .map(let columns) = row.value else {
                expected("a mapping of columns and values", row, "\(path)[\(index)]")
                continue
            }
            for column in columns {
                switch column.value.value {
                case .list, .map:
                    expected("a plain value", column.value, "\(path)[\(index)].\(column.key)")
                default: break
                }
            }
        }
    }
}
