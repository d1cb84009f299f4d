import Bytes
import SQL

/// Reads the nodes of one spec and collects everything that is wrong with them.
struct SpecDecoder {
    private(set) var issues: [SpecIssue] = []
    /// What is right but cannot be run by this version.
    var unsupported: [SpecIssue] = []
    /// What is kept without being acted on.
    var notes: [SpecIssue] = []

    /// The members of a mapping by key.
    struct Fields {
        let path: String
        let place: SpecPlace
        var members: [String: SpecNode.Member]

        subscript(_ key: String) -> SpecNode? { members[key]?.value }

        func path(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }
    }

    mutating func note(_ place: SpecPlace, _ path: String, _ message: String, hint: String? = nil) {
        issues.append(SpecIssue(place, key: path, message, hint: hint))
    }

    /// Moves the last issue to the line above.
    mutating func moveLastIssueUp() {
        if let last = issues.indices.last { issues[last].place.line -= 1 }
    }

    /// Notes that a value is of the wrong kind.
    mutating func expected(_ what: String, _ node: SpecNode, _ path: String) {
        note(node.place, path, "\(what) is expected here, not \(node.kindName)")
    }

    // MARK: Shapes

    /// A mapping with certain keys; unknown ones are noted, with the nearest known one.
    mutating func fields(_ node: SpecNode, _ path: String, known: [String]) -> Fields? {
        guard case .map(let members) = node.value else {
            expected("a mapping with \(known.joined(separator: ", "))", node, path)
            return nil
        }
        var fields = Fields(path: path, place: node.place, members: [:])
        for member in members {
            guard known.contains(member.key) else {
                let near = nearest(member.key, in: known)
                note(
                    member.place,
                    path,
                    "unknown key \"\(member.key.prefix(100))\"",
                    hint: near.map { "did you mean \"\($0)\"?" }
                        ?? "known are \(known.joined(separator: ", "))"
                )
                continue
            }
            fields.members[member.key] = member
        }
        return fields
    }

    mutating func list(_ node: SpecNode, _ path: String, _ what: String) -> [SpecNode] {
        guard case .list(let elements) = node.value else {
            expected("a list of \(what)", node, path)
            return []
        }
        if elements.isEmpty { note(node.place, path, "the list of \(what) is empty") }
        return elements
    }

    /// A list, or a single element in its place.
    mutating func oneOrMore(_ node: SpecNode, _ path: String, _ what: String) -> [SpecNode] {
        if case .list = node.value { return list(node, path, what) }
        return [node]
    }

    mutating func members(_ node: SpecNode, _ path: String, _ what: String) -> [SpecNode.Member] {
        guard case .map(let members) = node.value else {
            expected("a mapping of \(what)", node, path)
            return []
        }
        if members.isEmpty { note(node.place, path, "the mapping of \(what) is empty") }
        return members
    }

    // MARK: Values

    mutating func text(_ node: SpecNode, _ path: String) -> String? {
        guard case .string(let text) = node.value else {
            expected("a text", node, path)
            return nil
        }
        guard !text.isEmpty else {
            note(node.place, path, "the text is empty")
            return nil
        }
        return text
    }

    /// Any scalar as text: `true` and `12` too.
    mutating func scalarText(_ node: SpecNode, _ path: String) -> String? {
        switch node.value {
        case .string(let text): return text
        case .number(let text): return text
        case .bool(let value): return value ? "true" : "false"
        default:
            expected("a text, number or boolean", node, path)
            return nil
        }
    }

    mutating func integer(_ node: SpecNode, _ path: String, min: Int64) -> Int64? {
        guard case .number(let text) = node.value, let value = Int64(text) else {
            expected("an integer", node, path)
            return nil
        }
        guard value >= min else {
            note(node.place, path, "at least \(min) is expected, not \(value)")
            return nil
        }
        return value
    }

    mutating func flag(_ node: SpecNode, _ path: String) -> Bool? {
        guard case .bool(let value) = node.value else {
            expected("true or false", node, path)
            return nil
        }
        return value
    }

    /// One of a few words.
    mutating func word(_ node: SpecNode, _ path: String, _ known: [String]) -> String? {
        guard let word = text(node, path) else { return nil }
        guard known.contains(word) else {
            note(
                node.place,
                path,
                "unknown word \"\(word.prefix(100))\"",
                hint: nearest(word, in: known).map { "did you mean \"\($0)\"?" }
                    ?? "known are \(known.joined(separator: ", "))"
            )
            return nil
        }
        return word
    }

    // MARK: SQL

    /// Reads SQL, and moves what is wrong with it to its place in the file.
    mutating func sql<Value>(
        _ node: SpecNode,
        _ path: String,
        _ parse: (String) throws(SQLError) -> Value
    ) -> Value? {
        let text: String
        switch node.value {
        case .string(let value): text = value
        // `filter: true`, `accepted_values: [1]`
        case .number(let value): text = value
        case .bool(let value): text = value ? "true" : "false"
        default:
            expected("SQL", node, path)
            return nil
        }
        do throws(SQLError) {
            return try parse(text)
        } catch {
            var place = node.textPlace
            place.line += max(error.position.line - 1, 0)
            if error.position.line == 1 { place.column += error.position.column - 1 }
            var message = error.message
            if !error.token.isEmpty { message += ", at \"\(error.token.prefix(60))\"" }
            note(place, path, message, hint: error.hint)
            return nil
        }
    }

    mutating func expression(_ node: SpecNode, _ path: String) -> Expression? {
        sql(node, path) { text throws(SQLError) in try Parser.parseExpression(text) }
    }

    mutating func table(_ node: SpecNode, _ path: String) -> ObjectName? {
        guard case .string = node.value else {
            expected("the name of a table", node, path)
            return nil
        }
        return sql(node, path) { text throws(SQLError) in try Parser.parseObjectName(text) }
    }

    /// The plain name of a column.
    mutating func column(_ node: SpecNode, _ path: String) -> Identifier? {
        text(node, path).map { spelled($0) }
    }

    /// Names of columns, each once.
    mutating func columns(_ node: SpecNode, _ path: String) -> [Identifier] {
        var columns: [Identifier] = []
        for (index, element) in oneOrMore(node, path, "columns").enumerated() {
            guard let column = column(element, "\(path)[\(index)]") else { continue }
            if columns.contains(column) {
                note(element.place, path, "the column \"\(column.name)\" stands here twice")
            } else {
                columns.append(column)
            }
        }
        return columns
    }

    /// `{name: expression, …}`; names differ.
    mutating func named(_ node: SpecNode, _ path: String) -> [TransformStep.Named] {
        var result: [TransformStep.Named] = []
        for member in members(node, path, "names and expressions") {
            guard !member.key.isEmpty else {
                note(member.place, path, "a column has no name")
                continue
            }
            let name = spelled(member.key)
            if result.contains(where: { $0.name.name.lowercased() == name.name.lowercased() }) {
                note(member.place, path, "the column \"\(member.key)\" stands here twice")
            }
            if let value = expression(member.value, "\(path).\(member.key)") {
                result.append(TransformStep.Named(name: name, expression: value))
            }
        }
        return result
    }

    mutating func orderItems(_ node: SpecNode, _ path: String) -> [OrderItem] {
        var items: [OrderItem] = []
        for (index, element) in oneOrMore(node, path, "columns to sort by").enumerated() {
            let path = "\(path)[\(index)]"
            // The line feed keeps the positions of errors those of the text, one line further.
            let query = sql(element, path) { text throws(SQLError) -> Query in
                let query = try Parser.parseQuery("SELECT 1 ORDER BY\n" + text)
                return query
            }
            guard let query else {
                moveLastIssueUp()
                continue
            }
            guard case .items(let found)? = query.orderBy, query.limit == nil else {
                note(element.place, path, "an expression with ASC or DESC is expected")
                continue
            }
            items += found
        }
        return items
    }

    // MARK: Times

    /// `15 minutes`, `1 hour`: a number and a unit.
    mutating func duration(_ node: SpecNode, _ path: String) -> (count: Int64, unit: IntervalField)?
    {
        guard let text = text(node, path) else { return nil }
        let words = text.split(separator: " ", omittingEmptySubsequences: true)
        let units: [IntervalField] = [
            .second, .minute, .hour, .day, .week, .month, .quarter, .year,
        ]
        if words.count == 2, let count = Int64(words[0]), count > 0, count <= 1_000_000 {
            let word = words[1].lowercased()
            if let unit = units.first(where: { word == $0.rawValue || word == $0.rawValue + "s" }) {
                return (count, unit)
            }
        }
        note(
            node.place,
            path,
            "\"\(text.prefix(60))\" is no length of time",
            hint: "write it like 15 minutes, 1 hour, 7 days"
        )
        return nil
    }

    /// Five fields of numbers, ranges, steps and lists.
    mutating func cron(_ node: SpecNode, _ path: String) -> String? {
        guard let text = text(node, path) else { return nil }
        let fields = text.split(separator: " ", omittingEmptySubsequences: true)
        let bounds = [0...59, 0...23, 1...31, 1...12, 0...7]
        let names = ["minute", "hour", "day of month", "month", "day of week"]
        guard fields.count == 5 else {
            note(
                node.place,
                path,
                "a schedule has five fields, not \(fields.count)",
                hint: "minute hour day-of-month month day-of-week, as \"0 2 * * *\""
            )
            return nil
        }
        for (index, field) in fields.enumerated()
        where !Self.isCronField(field, bounds[index], isDay: index == 4, isMonth: index == 3) {
            note(node.place, path, "\"\(field.prefix(40))\" is no \(names[index])")
            return nil
        }
        return fields.joined(separator: " ")
    }

    private static func isCronField(
        _ field: Substring,
        _ bounds: ClosedRange<Int>,
        isDay: Bool,
        isMonth: Bool
    ) -> Bool {
        let days = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
        let months = [
            "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
        ]
        func number(_ text: Substring) -> Int? {
            let lower = text.lowercased()
            if isDay, let day = days.firstIndex(of: lower) { return day }
            if isMonth, let month = months.firstIndex(of: lower) { return month + 1 }
            guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let value = Int(text),
                bounds.contains(value)
            else { return nil }
            return value
        }
        return field.split(separator: ",", omittingEmptySubsequences: false).allSatisfy { part in
            let halves = part.split(separator: "/", omittingEmptySubsequences: false)
            guard (1...2).contains(halves.count) else { return false }
            if halves.count == 2 {
                guard let step = Int(halves[1]), step > 0, step <= bounds.upperBound else {
                    return false
                }
            }
            if halves[0] == "*" { return true }
            let ends = halves[0].split(separator: "-", omittingEmptySubsequences: false)
            let numbers = ends.compactMap(number)
            guard numbers.count == ends.count else { return false }
            return numbers.count == 1 || (numbers.count == 2 && numbers[0] <= numbers[1])
        }
    }

    // MARK: JSON

    /// The node as JSON, for parts that are only kept.
    func json(_ node: SpecNode) -> JSON {
        switch node.value {
        case .null: return .null
        case .bool(let value): return .bool(value)
        case .number(let text): return .number(text)
        case .string(let text): return .string(text)
        case .list(let elements): return .array(elements.map(json))
        case .map(let members):
            var object = JSONObject()
            for member in members { object[member.key] = json(member.value) }
            return .object(object)
        }
    }
}
