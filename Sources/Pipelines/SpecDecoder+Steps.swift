import SQL

extension SpecDecoder {
    private static let stepNames = [
        "filter", "derive", "replace", "select", "rename", "drop", "join", "aggregate", "window",
        "distinct", "sort", "limit", "union",
    ]

    mutating func step(_ node: SpecNode, _ path: String) -> TransformStep? {
        if case .string("distinct") = node.value { return .distinct }
        guard case .map(let members) = node.value, members.count == 1, let member = members.first
        else {
            note(
                node.place,
                path,
                "a step is a mapping with one key",
                hint: "one of \(Self.stepNames.joined(separator: ", "))"
            )
            return nil
        }
        guard fields(node, path, known: Self.stepNames) != nil,
            Self.stepNames.contains(member.key)
        else { return nil }
        let value = member.value
        let inner = "\(path).\(member.key)"
        switch member.key {
        case "filter": return expression(value, inner).map { .filter($0) }
        case "derive": return nonEmpty(named(value, inner)).map { .derive($0) }
        case "replace": return nonEmpty(named(value, inner)).map { .replace($0) }
        case "select": return nonEmpty(selected(value, inner)).map { .select($0) }
        case "rename": return nonEmpty(renamings(value, inner)).map { .rename($0) }
        case "drop": return nonEmpty(columns(value, inner)).map { .drop($0) }
        case "join": return join(value, inner)
        case "aggregate": return aggregate(value, inner)
        case "window": return window(value, inner)
        case "sort": return nonEmpty(orderItems(value, inner)).map { .sort($0) }
        case "limit": return limit(value, inner)
        case "union": return union(value, inner)
        default:
            if flag(value, inner) == false {
                note(value.place, inner, "only true makes sense here")
            }
            return .distinct
        }
    }

    /// What was read, unless nothing was: then what is wrong was noted.
    private func nonEmpty<Element>(_ elements: [Element]) -> [Element]? {
        elements.isEmpty ? nil : elements
    }

    /// Expressions with names: `a`, `a + 1 AS b`, or `{b: a + 1}`.
    private mutating func selected(_ node: SpecNode, _ path: String) -> [TransformStep.Named] {
        if case .map = node.value { return named(node, path) }
        var result: [TransformStep.Named] = []
        for (index, element) in list(node, path, "columns").enumerated() {
            let path = "\(path)[\(index)]"
            if case .map = element.value {
                result += named(element, path)
                continue
            }
            let items = sql(element, path) { text throws(SQLError) in
                try Parser.parseSelectItems(text)
            }
            for item in items ?? [] {
                guard let name = item.alias ?? Self.columnName(item.expression) else {
                    note(
                        element.place,
                        path,
                        "the expression needs a name",
                        hint: "write it as \"… AS name\" or {name: …}"
                    )
                    continue
                }
                result.append(TransformStep.Named(name: name, expression: item.expression))
            }
        }
        noteRepeats(result, node, path)
        return result
    }

    private mutating func noteRepeats(
        _ columns: [TransformStep.Named],
        _ node: SpecNode,
        _ path: String
    ) {
        var seen: Set<String> = []
        for column in columns where !seen.insert(column.name.name.lowercased()).inserted {
            note(node.place, path, "the column \"\(column.name.name)\" stands here twice")
        }
    }

    /// The name of a bare column.
    private static func columnName(_ expression: Expression) -> Identifier? {
        guard case .column(let name) = expression.node, let last = name.last else { return nil }
        return Identifier(last.name, isQuoted: last.isQuoted)
    }

    private mutating func renamings(
        _ node: SpecNode,
        _ path: String
    ) -> [TransformStep.Renaming] {
        var result: [TransformStep.Renaming] = []
        for member in members(node, path, "old and new names") {
            guard let new = column(member.value, "\(path).\(member.key)"), !member.key.isEmpty
            else {
                continue
            }
            result.append(TransformStep.Renaming(old: spelled(member.key), new: new))
        }
        return result
    }

    private mutating func join(_ node: SpecNode, _ path: String) -> TransformStep? {
        let known = ["table", "as", "on", "type", "columns"]
        guard let fields = fields(node, path, known: known) else { return nil }
        guard let tableNode = fields["table"] else {
            note(fields.place, path, "the key \"table\" is missing")
            return nil
        }
        guard let table = table(tableNode, "\(path).table") else { return nil }
        let kinds: [String: Join.Kind] = [
            "inner": .inner, "left": .left, "right": .right, "full": .full, "cross": .cross,
            "semi": .semi, "anti": .anti,
        ]
        var kind = Join.Kind.inner
        if let node = fields["type"] {
            guard let word = word(node, "\(path).type", kinds.keys.sorted()) else { return nil }
            kind = kinds[word] ?? .inner
        }
        var join = StepJoin(
            table: table,
            alias: fields["as"].flatMap { column($0, "\(path).as") } ?? aliased(table),
            kind: kind,
            condition: .none
        )
        if let on = fields["on"] {
            if kind == .cross { note(on.place, "\(path).on", "a cross join has no condition") }
            if case .list = on.value {
                join.condition = .columns(columns(on, "\(path).on"))
            } else if let condition = expression(on, "\(path).on") {
                join.condition = .expression(condition)
            }
        } else if kind != .cross {
            note(
                fields.place,
                path,
                "the key \"on\" is missing",
                hint: "a list of columns that both sides have, or an expression"
            )
        }
        if let node = fields["columns"] {
            if ![.inner, .left, .cross].contains(kind) {
                note(
                    node.place,
                    "\(path).columns",
                    "columns go with inner, left and cross joins only",
                    hint: "use a select step after the join"
                )
            }
            join.columns = columns(node, "\(path).columns")
        }
        return .join(join)
    }

    private mutating func aggregate(_ node: SpecNode, _ path: String) -> TransformStep? {
        let known = ["group_by", "measures", "having"]
        guard let fields = fields(node, path, known: known) else { return nil }
        var result = StepAggregate(groups: [], measures: [])
        if let node = fields["group_by"] { result.groups = groups(node, "\(path).group_by") }
        if let node = fields["measures"] { result.measures = named(node, "\(path).measures") }
        if let node = fields["having"] { result.having = expression(node, "\(path).having") }
        if fields["measures"] == nil, fields["group_by"] == nil {
            note(fields.place, path, "the key \"measures\" is missing")
            return nil
        }
        noteRepeats(result.groups + result.measures, node, path)
        return result.groups.isEmpty && result.measures.isEmpty ? nil : .aggregate(result)
    }

    private mutating func groups(_ node: SpecNode, _ path: String) -> [TransformStep.Named] {
        if case .map = node.value { return named(node, path) }
        var result: [TransformStep.Named] = []
        for (index, element) in oneOrMore(node, path, "columns").enumerated() {
            let path = "\(path)[\(index)]"
            if case .map = element.value {
                result += named(element, path)
                continue
            }
            guard let expression = expression(element, path) else { continue }
            guard let name = Self.columnName(expression) else {
                note(
                    element.place,
                    path,
                    "the expression needs a name",
                    hint: "write it as {name: expression}"
                )
                continue
            }
            result.append(TransformStep.Named(name: name, expression: expression))
        }
        return result
    }

    private mutating func window(_ node: SpecNode, _ path: String) -> TransformStep? {
        guard let fields = fields(node, path, known: ["tumbling"]) else { return nil }
        guard let tumbling = fields["tumbling"] else {
            note(fields.place, path, "the key \"tumbling\" is missing")
            return nil
        }
        let path = "\(path).tumbling"
        guard let parts = self.fields(tumbling, path, known: ["column", "size", "start", "end"])
        else { return nil }
        guard let columnNode = parts["column"], let sizeNode = parts["size"] else {
            note(parts.place, path, "the keys \"column\" and \"size\" are both needed")
            return nil
        }
        guard let column = expression(columnNode, "\(path).column"),
            let size = duration(sizeNode, "\(path).size")
        else { return nil }
        let start = parts["start"].flatMap { self.column($0, "\(path).start") }
        let end = parts["end"].flatMap { self.column($0, "\(path).end") }
        let window = TumblingWindow(
            column: column,
            count: size.count,
            unit: size.unit,
            start: start ?? Identifier("window_start"),
            end: end ?? Identifier("window_end")
        )
        guard window.isAligned else {
            note(
                sizeNode.place,
                "\(path).size",
                "windows of \(size.count) \(size.unit.rawValue)s do not divide the next larger unit",
                hint: "seconds and minutes must divide 60, hours 24, months 12, quarters 4; "
                    + "weeks and years come one by one"
            )
            return nil
        }
        return .tumbling(window)
    }

    private mutating func limit(_ node: SpecNode, _ path: String) -> TransformStep? {
        guard case .map = node.value else {
            return integer(node, path, min: 0).map { .limit(count: $0, offset: 0) }
        }
        guard let fields = fields(node, path, known: ["count", "offset"]) else { return nil }
        guard let countNode = fields["count"] else {
            note(fields.place, path, "the key \"count\" is missing")
            return nil
        }
        let offset = fields["offset"].map { integer($0, "\(path).offset", min: 0) } ?? 0
        guard let count = integer(countNode, "\(path).count", min: 0), let offset else {
            return nil
        }
        return .limit(count: count, offset: offset)
    }

    private mutating func union(_ node: SpecNode, _ path: String) -> TransformStep? {
        var isDistinct = false
        var tablesNode = node
        var tablesPath = path
        if case .map = node.value {
            guard let fields = fields(node, path, known: ["tables", "distinct"]) else { return nil }
            if let node = fields["distinct"] {
                isDistinct = flag(node, "\(path).distinct") ?? false
            }
            guard let tables = fields["tables"] else {
                note(fields.place, path, "the key \"tables\" is missing")
                return nil
            }
            tablesNode = tables
            tablesPath += ".tables"
        }
        var tables: [ObjectName] = []
        for (index, element) in oneOrMore(tablesNode, tablesPath, "tables").enumerated() {
            if let table = table(element, "\(tablesPath)[\(index)]") { tables.append(table) }
        }
        return tables.isEmpty ? nil : .union(tables, isDistinct: isDistinct)
    }
}
