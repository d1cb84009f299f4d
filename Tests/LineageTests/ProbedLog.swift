import Lineage
import TestSupport

/// A log that happens at random, once as the catalog writes it and once as steps.
struct ProbedLog {
    private(set) var builder = LogBuilder()
    private(set) var steps: [NaiveLineage.Step] = []
    private var random: SeededGenerator
    private var tables: [String] = []
    private var dropped: [(uuid: String, name: String, snapshot: Int64?)] = []
    private var history: [String: [Int64]] = [:]
    private var current: [String: Int64] = [:]
    private var columnNames: [String: [String]] = [:]
    private var maps: [String: ColumnMap] = [:]
    private var nameCount = 0

    init(seed: UInt64, stepCount: Int) {
        random = SeededGenerator(seed: seed)
        for _ in 0..<3 { create() }
        while steps.count < stepCount { step() }
    }

    private mutating func number(_ bound: Int) -> Int { Int(random.next() % UInt64(bound)) }

    private mutating func newName(_ prefix: String) -> String {
        nameCount += 1
        return "\(prefix)\(nameCount)"
    }

    private mutating func create() {
        // A name may come again, for another table.
        let old = dropped.last.map(\.name)
        var name = newName("t")
        if let old, number(3) == 0, !tables.contains(old) { name = old }
        builder.create(name)
        tables.append(name)
        let uuid = builder.uuid(name)
        columnNames[uuid] = (0..<4).map { "c\($0)" }
        steps.append(.called(uuid: uuid, name: name))
    }

    private mutating func step() {
        switch number(20) {
        case 0: create()
        case 1 where tables.count > 2: drop()
        case 2: undrop()
        case 3: rename()
        case 4: renameColumn()
        case 5: changeSilently()
        default: run()
        }
    }

    private mutating func drop() {
        let name = tables.remove(at: number(tables.count))
        let uuid = builder.uuid(name)
        dropped.append((uuid, name, current[uuid]))
        builder.drop(name)
        steps.append(.called(uuid: uuid, name: nil))
    }

    private mutating func undrop() {
        guard let last = dropped.popLast(), !tables.contains(last.name) else { return }
        builder.undrop(last.name, uuid: last.uuid, snapshot: last.snapshot)
        tables.append(last.name)
        steps.append(.called(uuid: last.uuid, name: last.name))
    }

    private mutating func rename() {
        let place = number(tables.count)
        let name = newName("r")
        builder.rename(tables[place], to: name)
        tables[place] = name
        steps.append(.called(uuid: builder.uuid(name), name: name))
    }

    /// What runs say from now on; lineage hears of it with the next one.
    private mutating func renameColumn() {
        let uuid = builder.uuid(tables[number(tables.count)])
        let column = number(4)
        let name = newName("x")
        columnNames[uuid]?[column] = name
        maps = [:]
    }

    private mutating func changeSilently() {
        let name = tables[number(tables.count)]
        let uuid = builder.uuid(name)
        var snapshot = Int64(steps.count + 1) * 10 + 5
        if let known = history[uuid], number(3) > 0 { snapshot = known[number(known.count)] }
        guard current[uuid] != snapshot else { return }
        builder.changeSilently(name, snapshot: snapshot)
        steps.append(.changed(uuid: uuid, snapshot: snapshot))
        note(uuid, snapshot)
    }

    private mutating func note(_ uuid: String, _ snapshot: Int64) {
        current[uuid] = snapshot
        history[uuid, default: []].append(snapshot)
    }

    private mutating func run() {
        let output = tables[number(tables.count)]
        var names: [String] = []
        for _ in 0..<number(4) {
            names.append(
                number(4) == 0 ? "data/f\(number(3)).csv" : tables[number(tables.count)]
            )
        }
        var reading: [String: Int64] = [:]
        for name in names where !name.contains("/") {
            let known = history[builder.uuid(name)] ?? []
            if !known.isEmpty, number(3) == 0 { reading[name] = known[number(known.count)] }
        }
        let map = map(output, names)
        let inputs = names.map { name in
            let uuid = name.contains("/") ? name : builder.uuid(name)
            return (dataset: uuid, snapshot: reading[name] ?? current[uuid])
        }
        let uuid = builder.uuid(output)
        let snapshot = Int64(builder.commits.count + 1) * 10
        let replaces = number(4) == 0
        let job = "job\(number(3))"
        builder.run(
            output,
            from: names,
            map: map,
            replaces: replaces,
            job: job,
            reading: reading
        )
        steps.append(
            .ran(
                NaiveLineage.Run(
                    output: uuid,
                    inputs: inputs,
                    map: map,
                    replaces: replaces,
                    snapshot: snapshot,
                    job: job
                )
            )
        )
        note(uuid, snapshot)
    }

    private mutating func map(_ output: String, _ inputs: [String]) -> ColumnMap? {
        if number(6) == 0 { return nil }
        let key = ([builder.uuid(output)] + inputs.map { builder.uuid($0) }).joined(separator: " ")
        if let known = maps[key], number(3) > 0 { return known }
        let uuids = inputs.map { $0.contains("/") ? $0 : builder.uuid($0) }
        func origins(_ isDirect: Bool, _ log: inout ProbedLog) -> [ColumnMap.Origin] {
            guard !inputs.isEmpty else { return [] }
            return (0..<log.number(3)).map { _ in
                let input = log.number(inputs.count)
                let column = log.number(4)
                let names = log.columnNames[uuids[input]]
                let isCondition = !isDirect || log.number(4) == 0
                return ColumnMap.Origin(
                    input: input,
                    column: names?[column] ?? "f\(column)",
                    fieldID: names == nil ? nil : Int32(column + 1),
                    kind: isCondition ? .indirect : .direct,
                    subtype: isCondition ? ["FILTER", "JOIN", nil][log.number(3)] : "IDENTITY"
                )
            }
        }
        let names = columnNames[builder.uuid(output)] ?? []
        let map = ColumnMap(
            outputs: (0..<1 + number(4)).map { column in
                ColumnMap.Output(
                    name: names[column],
                    fieldID: Int32(column + 1),
                    origins: origins(true, &self)
                )
            },
            rows: number(2) == 0 ? origins(false, &self) : []
        )
        maps[key] = map
        return map
    }
}

extension NaiveLineage {
    /// A node as both sides can say it.
    func shown(_ node: Node) -> String {
        switch node.part {
        case .whole: "\(node.dataset)|"
        case .rows: "\(node.dataset)|*"
        case .column(let key): "\(node.dataset)|\(columns[node.dataset]?[key] ?? key)"
        }
    }

    /// What a question calls a node; nil when it has no name.
    func questionName(of node: Node) -> String? {
        let isFile = node.dataset.contains("/")
        let dataset = isFile ? node.dataset : names[node.dataset].map { "ns.\($0)" }
        guard let dataset else { return nil }
        switch node.part {
        case .whole: return dataset
        case .rows: return isFile ? "\(dataset)#*" : "\(dataset).*"
        case .column(let key):
            guard let column = columns[node.dataset]?[key] else { return nil }
            return dataset + (isFile ? "#" : ".") + column
        }
    }
}

extension LineageAnswer.Node {
    /// As `NaiveLineage` says it.
    var probed: String {
        let dataset = tableUUID ?? dataset
        switch kind {
        case .table, .file, .view, .run, .job: return "\(dataset)|"
        case .rows: return "\(dataset)|*"
        case .column: return "\(dataset)|\(column ?? "")"
        }
    }
}
