import Lineage
import TestSupport
import Testing

/// A log that happens at random, once as the catalog writes it and once as steps.
private struct ProbedLog {
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

/// An edge as both sides can say it.
private struct ShownEdge: Hashable, CustomStringConvertible {
    var from: String
    var to: String
    var label: String
    var runCount: Int
    var firstPosition: Int64

    var description: String { "\(from) -> \(to) \(label) x\(runCount) from \(firstPosition)" }
}

extension NaiveLineage {
    fileprivate func shown(_ node: Node) -> String {
        switch node.part {
        case .whole: "\(node.dataset)|"
        case .rows: "\(node.dataset)|*"
        case .column(let key): "\(node.dataset)|\(columns[node.dataset]?[key] ?? key)"
        }
    }

    fileprivate func shown(_ answer: Answer) -> Set<ShownEdge> {
        Set(
            answer.edges.map { edge, runs in
                ShownEdge(
                    from: shown(edge.from),
                    to: shown(edge.to),
                    label: "\(edge.kind ?? "-") \(edge.subtype ?? "-") \(edge.job ?? "-")",
                    runCount: runs.count,
                    firstPosition: runs.min().map { Int64($0 + 1) } ?? 0
                )
            }
        )
    }
}

extension LineageAnswer {
    fileprivate func shown(_ node: Node) -> String {
        let dataset = node.tableUUID ?? node.dataset
        switch node.kind {
        case .table, .file, .run, .job: return "\(dataset)|"
        case .rows: return "\(dataset)|*"
        case .column: return "\(dataset)|\(node.column ?? "")"
        }
    }

    fileprivate var shownEdges: [ShownEdge] {
        edges.map { edge in
            let kind = edge.kind?.rawValue ?? "-"
            return ShownEdge(
                from: shown(nodes[edge.from]),
                to: shown(nodes[edge.to]),
                label: "\(kind) \(edge.subtype ?? "-") \(edge.run?.jobName ?? "-")",
                runCount: edge.runCount,
                firstPosition: edge.firstPosition ?? 0
            )
        }
    }
}

@Suite("Lineage against its definition")
struct LineageProbeTests {
    /// 10 000 probes in all.
    @Test("as-of answers are what a replay of the log gives", arguments: 0..<40 as Range<UInt64>)
    func probes(seed: UInt64) throws {
        let log = ProbedLog(seed: seed, stepCount: 70)
        let graph = LineageGraph()
        // In two pieces, as a server that tails the log would see it.
        var random = SeededGenerator(seed: seed &+ 1000)
        func number(_ bound: Int) -> Int { Int(random.next() % UInt64(bound)) }
        let cut = number(log.builder.commits.count)
        try graph.apply(log.builder.commits[..<cut])
        try graph.apply(log.builder.commits)
        var edgeCount = 0
        for _ in 0..<250 {
            let position = 1 + number(log.steps.count)
            let naive = NaiveLineage(log.steps.prefix(position))
            // A column of any dataset that has one, or the dataset.
            let datasets = Set(naive.names.keys).union(naive.columns.keys).sorted()
            let dataset = datasets[number(datasets.count)]
            let keys = (naive.columns[dataset] ?? [:]).keys.sorted()
            let choice = number(keys.count + 2)
            let part: NaiveLineage.Part =
                choice == 0 ? .whole : choice == 1 ? .rows : .column(keys[choice - 2])
            let node = NaiveLineage.Node(dataset: dataset, part: part)
            guard let name = name(of: node, naive) else { continue }
            var options = LineageOptions(asOf: instant(position, number(2) == 0))
            let isUpstream = number(2) == 0
            // Dropped then, or another table's name.
            guard let found = try ask(graph, isUpstream, name, options) else { continue }
            guard found.nodes[0].tableUUID ?? found.nodes[0].dataset == dataset else { continue }
            let expected = isUpstream ? naive.upstream(node) : naive.downstream(node)
            let text = "seed \(seed), \(isUpstream ? "up" : "down") of \(name) at \(position)"
            check(found, naive, expected, text)
            edgeCount += found.edges.count
            try checkDepths(found, number(4) + 1) { depth in
                var limited = options
                limited.depth = depth
                return try ask(graph, isUpstream, name, limited)
            }
            let first = 1 + number(position)
            let last = first + number(log.steps.count)
            options.since = instant(first, number(2) == 0)
            options.until = instant(last, number(2) == 0)
            let some = try #require(try ask(graph, isUpstream, name, options))
            let within = expected.within(first...last, asked: node)
            check(some, naive, within, "\(text), since \(first) until \(last)")
        }
        #expect(edgeCount > 500, "the probes must find something to compare")
    }

    /// Holds an answer against what it means.
    private func check(
        _ found: LineageAnswer,
        _ naive: NaiveLineage,
        _ expected: NaiveLineage.Answer,
        _ text: String
    ) {
        let edges = Set(found.shownEdges)
        let wanted = naive.shown(expected)
        #expect(edges.count == found.edges.count, "\(text): an edge comes twice")
        #expect(
            edges == wanted,
            "\(text): too many \(edges.subtracting(wanted)), missing \(wanted.subtracting(edges))"
        )
        let nodes = Set(found.nodes.map { found.shown($0) })
        #expect(nodes == Set(expected.nodes.map { naive.shown($0) }), "\(text): nodes")
        #expect(found.isComplete == expected.isComplete, "\(text): \(found.gaps)")
    }

    private func instant(_ position: Int, _ isTime: Bool) -> LineageInstant {
        isTime ? .timeMillis(Int64(position) * 1000) : .position(Int64(position))
    }

    @Test(
        "runs and jobs have read and written what a replay says",
        arguments: 0..<20 as Range<UInt64>
    )
    func runProbes(seed: UInt64) throws {
        let log = ProbedLog(seed: seed, stepCount: 70)
        let graph = try log.builder.graph()
        var random = SeededGenerator(seed: seed &+ 2000)
        func number(_ bound: Int) -> Int { Int(random.next() % UInt64(bound)) }
        var edgeCount = 0
        for _ in 0..<100 {
            let position = 1 + number(log.steps.count)
            let naive = NaiveLineage(log.steps.prefix(position))
            let numbers = naive.runs.keys.sorted()
            if numbers.isEmpty { continue }
            let chosen = numbers[number(numbers.count)]
            let job = naive.runs[chosen]?.run.job ?? ""
            let subject: NaiveLineage.Subject = number(2) == 0 ? .run(chosen) : .job(job)
            let isUpstream = number(2) == 0
            var options = LineageOptions(
                asOf: instant(position, number(2) == 0),
                columns: number(2) == 0
            )
            let columns = options.columns
            let expected =
                isUpstream
                ? naive.upstream(of: subject, columns: columns)
                : naive.downstream(of: subject, columns: columns)
            let text =
                "seed \(seed), \(isUpstream ? "up" : "down") of \(subject.name) at \(position)"
            let found = try #require(try ask(graph, isUpstream, subject.name, options))
            check(found, naive, expected, text)
            edgeCount += found.edges.count
            try checkDepths(found, number(4) + 1) { depth in
                var limited = options
                limited.depth = depth
                return try ask(graph, isUpstream, subject.name, limited)
            }
            try checkRuns(
                graph,
                naive,
                subject.name,
                naive.numbers(of: subject).reversed(),
                options
            )
            let first = 1 + number(position)
            let last = first + number(log.steps.count)
            options.since = instant(first, number(2) == 0)
            options.until = instant(last, number(2) == 0)
            let part = try #require(try ask(graph, isUpstream, subject.name, options))
            let asked = NaiveLineage.Node(dataset: subject.name, part: .whole)
            let within = expected.within(first...last, asked: asked)
            check(part, naive, within, "\(text), since \(first) until \(last)")
        }
        #expect(edgeCount > 500, "the probes must find something to compare")
    }

    @Test("datasets tell which runs wrote or read them", arguments: 0..<10 as Range<UInt64>)
    func datasetRuns(seed: UInt64) throws {
        let log = ProbedLog(seed: seed, stepCount: 70)
        let graph = try log.builder.graph()
        let naive = NaiveLineage(log.steps)
        var found = 0
        for dataset in Set(naive.names.keys).union(naive.columns.keys).sorted() {
            let node = NaiveLineage.Node(dataset: dataset, part: .whole)
            guard let name = name(of: node, naive),
                let answer = try ask(graph, true, name, LineageOptions()),
                answer.nodes[0].tableUUID ?? answer.nodes[0].dataset == dataset
            else { continue }
            let numbers = naive.numbers(touching: dataset)
            try checkRuns(graph, naive, name, numbers, LineageOptions())
            let some = numbers.filter { (20...40).contains($0 + 1) }
            let window = LineageOptions(since: .position(20), until: .position(40))
            try checkRuns(graph, naive, name, some, window)
            found += numbers.count
        }
        #expect(found > 50, "there must be something to compare")
    }

    private func checkRuns(
        _ graph: LineageGraph,
        _ naive: NaiveLineage,
        _ name: String,
        _ numbers: [Int],
        _ options: LineageOptions
    ) throws {
        let limit = 5
        let found = try graph.runs(of: NodeName(name), limit: limit, options)
        #expect(found.isCut == (numbers.count > limit))
        #expect(found.flows.map { Int($0.run.position) - 1 } == Array(numbers.prefix(limit)))
        for (flow, number) in zip(found.flows, numbers) {
            let run = try #require(naive.runs[number]).run
            let inputs = flow.inputs.map {
                "\($0.node.tableUUID ?? $0.node.dataset) \($0.snapshotID ?? 0)"
            }
            #expect(inputs == run.inputs.map { "\($0.dataset) \($0.snapshot ?? 0)" })
            #expect(flow.output.node.tableUUID == run.output)
            #expect(flow.output.snapshotID == run.snapshot)
            let names = run.map.map { map in
                Set(
                    map.outputs.map {
                        naive.columns[run.output]?[NaiveLineage.key($0.name, $0.fieldID)] ?? ""
                    }
                )
            }
            #expect(flow.output.columns.map { Set($0) } == names)
            for (place, input) in flow.inputs.enumerated() {
                let origins = run.map.map { map in
                    (map.outputs.flatMap(\.origins) + map.rows).filter { $0.input == place }
                }
                let columns = origins.map { origins in
                    Set(
                        origins.map {
                            naive.columns[run.inputs[place].dataset]?[
                                NaiveLineage.key($0.column, $0.fieldID)
                            ] ?? ""
                        }
                    )
                }
                #expect(input.columns.map { Set($0) } == columns)
            }
        }
    }

    /// - Returns: nil when lineage knows no such node then.
    private func ask(
        _ graph: LineageGraph,
        _ isUpstream: Bool,
        _ name: String,
        _ options: LineageOptions
    ) throws -> LineageAnswer? {
        do throws(LineageError) {
            let node = try NodeName(name)
            if isUpstream { return try graph.upstream(of: node, options) }
            return try graph.downstream(of: node, options)
        } catch {
            guard error.code == .notFound else { throw error }
            return nil
        }
    }

    /// With a depth, an answer has the nodes that are no further, and says when there are more.
    private func checkDepths(
        _ whole: LineageAnswer,
        _ depth: Int,
        _ ask: (Int) throws -> LineageAnswer?
    ) throws {
        let part = try #require(try ask(depth))
        let near = whole.nodes.filter { $0.depth <= depth }
        #expect(part.nodes.map { whole.shown($0) } == near.map { whole.shown($0) })
        #expect(part.nodes.map(\.depth) == near.map(\.depth))
        if near.count < whole.nodes.count { #expect(part.isCut) }
    }

    private func name(of node: NaiveLineage.Node, _ naive: NaiveLineage) -> String? {
        let isFile = node.dataset.contains("/")
        let dataset = isFile ? node.dataset : naive.names[node.dataset].map { "ns.\($0)" }
        guard let dataset else { return nil }
        switch node.part {
        case .whole: return dataset
        case .rows: return isFile ? "\(dataset)#*" : "\(dataset).*"
        case .column(let key):
            guard let column = naive.columns[node.dataset]?[key] else { return nil }
            return dataset + (isFile ? "#" : ".") + column
        }
    }
}
