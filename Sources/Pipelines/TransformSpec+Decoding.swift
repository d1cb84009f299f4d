import Bytes
import SQL

extension TransformSpec {
    static let keys = [
        "name", "description", "owner", "tags", "kind", "schedule", "freshness", "source", "steps",
        "sql", "partitioned_by", "sorted_by", "properties", "expectations", "tests",
    ]

    /// Reads a spec: JSON when the file's name ends in `.json`, YAML otherwise.
    ///
    /// - Throws: `invalid`, with everything that is wrong and where.
    package static func decode(_ text: String, file: String) throws(PipelineError) -> TransformSpec
    {
        let node = try SpecNode.parse(text, file: file)
        var decoder = SpecDecoder()
        let spec = decoder.spec(node)
        guard decoder.issues.isEmpty, var spec else {
            let issues = decoder.issues.sorted {
                ($0.place.line, $0.place.column) < ($1.place.line, $1.place.column)
            }
            throw PipelineError(.invalid, issues)
        }
        spec.unsupported = decoder.unsupported
        spec.notes = decoder.notes
        return spec
    }
}

extension SpecDecoder {
    mutating func spec(_ node: SpecNode) -> TransformSpec? {
        guard let fields = fields(node, "", known: TransformSpec.keys) else { return nil }
        var name: [String]?
        if let node = fields["name"] {
            name = table(node, "name")?.map(\.name)
        } else {
            note(fields.place, "", "the key \"name\" is missing")
        }
        let body = body(fields)
        var spec = TransformSpec(
            name: name ?? ["?"],
            body: body ?? .sql(Query(body: .values([[Expression(.literal(.null))]]))),
            place: fields["name"]?.place ?? fields.place
        )
        if let node = fields["description"] { spec.description = text(node, "description") }
        if let node = fields["owner"] { spec.owner = text(node, "owner") }
        if let node = fields["tags"] {
            for (index, element) in list(node, "tags", "texts").enumerated() {
                if let tag = text(element, "tags[\(index)]") { spec.tags.append(tag) }
            }
        }
        if let node = fields["kind"], let kind = kind(node) { spec.kind = kind }
        spec.trigger = trigger(fields)
        layout(fields, &spec)
        if let node = fields["expectations"] { spec.expectations = expectations(node) }
        if let node = fields["tests"] {
            spec.tests = tests(node)
            notes.append(
                SpecIssue(node.place, key: "tests", "running tests is not in this version")
            )
        }
        if spec.kind == .view {
            for key in ["partitioned_by", "sorted_by", "properties", "expectations"] {
                guard let member = fields.members[key] else { continue }
                note(member.place, key, "a view stores no rows, so it cannot have \(key)")
            }
        }
        return name == nil || body == nil ? nil : spec
    }

    // MARK: Kind and trigger

    private mutating func kind(_ node: SpecNode) -> TransformSpec.Kind? {
        let known = [
            "full", "view", "append", "incremental_by_time_range", "incremental_by_unique_key",
        ]
        let word: String
        var settings: SpecNode?
        switch node.value {
        case .string:
            guard let found = self.word(node, "kind", known) else { return nil }
            word = found
        case .map(let members):
            guard members.count == 1, let member = members.first else {
                note(node.place, "kind", "exactly one kind is expected")
                return nil
            }
            guard fields(node, "kind", known: known) != nil, known.contains(member.key) else {
                return nil
            }
            word = member.key
            settings = member.value
        default:
            expected("a kind", node, "kind")
            return nil
        }
        let path = "kind.\(word)"
        func unsupported(_ decoder: inout SpecDecoder) {
            decoder.unsupported.append(
                SpecIssue(node.place, key: "kind", "\(word) is not in this version")
            )
        }
        switch word {
        case "incremental_by_time_range":
            guard let settings, let fields = fields(settings, path, known: ["time_column"]),
                let column = fields["time_column"]
            else {
                note(node.place, path, "the key \"time_column\" is missing")
                return nil
            }
            unsupported(&self)
            return text(column, "\(path).time_column").map {
                .incrementalByTimeRange(timeColumn: $0)
            }
        case "incremental_by_unique_key":
            guard let settings, let fields = fields(settings, path, known: ["unique_key"]),
                let key = fields["unique_key"]
            else {
                note(node.place, path, "the key \"unique_key\" is missing")
                return nil
            }
            unsupported(&self)
            return .incrementalByUniqueKey(columns(key, "\(path).unique_key").map(\.name))
        default:
            if let settings {
                switch settings.value {
                case .null: break
                default: _ = fields(settings, path, known: [])
                }
            }
            return word == "view" ? .view : word == "append" ? .append : .full
        }
    }

    private mutating func trigger(_ fields: Fields) -> TransformSpec.Trigger? {
        if let member = fields.members["freshness"], fields["schedule"] != nil {
            note(member.place, "freshness", "a transform has a schedule or a freshness, not both")
        }
        for key in ["schedule", "freshness"] {
            guard let node = fields[key] else { continue }
            notes.append(
                SpecIssue(
                    node.place,
                    key: key,
                    "in this version nothing runs a transform by itself"
                )
            )
        }
        if let node = fields["schedule"] { return cron(node, "schedule").map { .schedule($0) } }
        guard let node = fields["freshness"], let length = duration(node, "freshness") else {
            return nil
        }
        let seconds: Int64? =
            switch length.unit {
            case .second: 1
            case .minute: 60
            case .hour: 3600
            case .day: 86_400
            case .week: 604_800
            default: nil
            }
        guard let seconds else {
            note(
                node.place,
                "freshness",
                "a freshness is in seconds, minutes, hours, days or weeks"
            )
            return nil
        }
        return .freshness(seconds: length.count * seconds)
    }

    // MARK: Layout

    private mutating func layout(_ fields: Fields, _ spec: inout TransformSpec) {
        if let node = fields["partitioned_by"] {
            for (index, element) in oneOrMore(node, "partitioned_by", "transforms").enumerated() {
                let field = sql(element, "partitioned_by[\(index)]") { text throws(SQLError) in
                    try Parser.parsePartitionField(text)
                }
                if let field { spec.partitionedBy.append(field) }
            }
        }
        if let node = fields["sorted_by"] {
            for (index, element) in oneOrMore(node, "sorted_by", "transforms").enumerated() {
                let sorts = sql(element, "sorted_by[\(index)]") { text throws(SQLError) in
                    try Parser.parseSortFields(text)
                }
                spec.sortedBy += sorts ?? []
            }
        }
        if let node = fields["properties"] {
            for member in members(node, "properties", "texts") {
                let path = "properties.\(member.key)"
                guard let value = scalarText(member.value, path) else { continue }
                spec.properties.append(TableProperty(key: member.key, value: value))
            }
            spec.properties.sort { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
        }
    }

    // MARK: Body

    private mutating func body(_ fields: Fields) -> TransformSpec.Body? {
        if let member = fields.members["sql"] {
            for key in ["source", "steps"] {
                guard let other = fields.members[key] else { continue }
                note(other.place, key, "a transform has sql, or source and steps, not both")
            }
            let query = sql(member.value, "sql") { text throws(SQLError) in
                try Parser.parseQuery(text)
            }
            return query.map { .sql($0) }
        }
        guard let source = fields["source"] else {
            let place = fields.members["steps"]?.place ?? fields.place
            note(place, "", "the key \"sql\" is missing, or \"source\" and \"steps\"")
            return nil
        }
        var start: TransformSpec.StepSource?
        if case .map = source.value {
            if let parts = self.fields(source, "source", known: ["table", "as"]) {
                if let node = parts["table"], let table = table(node, "source.table") {
                    let alias = parts["as"].flatMap { column($0, "source.as") } ?? aliased(table)
                    start = TransformSpec.StepSource(table: table, alias: alias)
                } else if parts["table"] == nil {
                    note(source.place, "source", "the key \"table\" is missing")
                }
            }
        } else if let table = table(source, "source") {
            start = TransformSpec.StepSource(table: table, alias: aliased(table))
        }
        var steps: [TransformStep] = []
        if let node = fields["steps"] {
            let before = issues.count
            for (index, element) in list(node, "steps", "steps").enumerated() {
                if let step = step(element, "steps[\(index)]") { steps.append(step) }
            }
            if issues.count == before { checkSorts(steps, node) }
        }
        return start.map { .steps(source: $0, steps: steps) }
    }

    func aliased(_ table: ObjectName) -> Identifier {
        table.last.map { Identifier($0.name, isQuoted: $0.isQuoted) } ?? Identifier("source")
    }

    /// An order lasts until the next step only, so it must be there for a limit or at the end.
    private mutating func checkSorts(_ steps: [TransformStep], _ node: SpecNode) {
        guard case .list(let nodes) = node.value, nodes.count == steps.count else { return }
        for (index, step) in steps.enumerated() where index + 1 < steps.count {
            guard case .sort = step else { continue }
            if case .limit = steps[index + 1] { continue }
            note(
                nodes[index].place,
                "steps[\(index)].sort",
                "the steps after it do not keep this order",
                hint: "sort last, or right before limit"
            )
        }
    }
}
