import Lineage
import TestSupport
import Testing

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
    fileprivate var shownEdges: [ShownEdge] {
        edges.map { edge in
            let kind = edge.kind?.rawValue ?? "-"
            return ShownEdge(
                from: nodes[edge.from].probed,
                to: nodes[edge.to].probed,
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
            guard let name = naive.questionName(of: node) else { continue }
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
            try checkWork(found, number(60)) { workMax in
                var bounded = options
                bounded.workMax = workMax
                return try ask(graph, isUpstream, name, bounded)
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
        let nodes = Set(found.nodes.map(\.probed))
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
            guard let name = naive.questionName(of: node),
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

    /// An answer that takes more work than it may is refused, never given in part.
    private func checkWork(
        _ found: LineageAnswer,
        _ workMax: Int,
        _ ask: (Int) throws -> LineageAnswer?
    ) throws {
        do {
            let bounded = try ask(workMax)
            #expect(bounded == found)
            // Every edge but those from rows to their columns is work.
            #expect(found.edges.filter { $0.runCount > 0 }.count <= workMax)
        } catch let error as LineageError {
            #expect(error.code == .tooMuchWork)
            let enough = try ask(1_000_000)
            #expect(enough == found)
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
        #expect(part.nodes.map(\.probed) == near.map(\.probed))
        #expect(part.nodes.map(\.depth) == near.map(\.depth))
        if near.count < whole.nodes.count { #expect(part.isCut) }
    }
}
