import Lineage
import TestSupport
import Testing

@Suite("Lineage of views")
struct LineageViewTests {
    private func shown(_ edge: LineageAnswer.Edge, _ answer: LineageAnswer) -> NaiveViews.Edge {
        NaiveViews.Edge(
            from: answer.nodes[edge.from].probed,
            to: answer.nodes[edge.to].probed,
            kind: edge.kind?.rawValue,
            subtype: edge.subtype
        )
    }

    /// What `start` reaches along edges of these kinds.
    private func reached(
        _ start: Set<String>,
        _ edges: Set<NaiveViews.Edge>,
        _ kinds: [String?]
    ) -> Set<String> {
        var reached = start
        var isGrowing = true
        while isGrowing {
            let more = edges.filter {
                kinds.contains($0.kind) && reached.contains($0.from) && !reached.contains($0.to)
            }
            isGrowing = !more.isEmpty
            reached.formUnion(more.map(\.to))
        }
        return reached
    }

    private func checkDepths(
        _ full: LineageAnswer,
        _ limited: LineageAnswer,
        _ depth: Int,
        _ text: String
    ) {
        let wanted = full.nodes.filter { $0.depth <= depth }.map { "\($0.probed) \($0.depth)" }
        let found = limited.nodes.map { "\($0.probed) \($0.depth)" }
        #expect(Set(found) == Set(wanted), "\(text): within \(depth)")
        let isDeeper = full.nodes.contains { $0.depth > depth }
        #expect(limited.isCut || !isDeeper, "\(text): there is more beyond \(depth)")
    }

    private func ask(
        _ graph: LineageGraph,
        _ isUpstream: Bool,
        _ name: String,
        _ options: LineageOptions
    ) throws -> LineageAnswer? {
        do throws(LineageError) {
            return isUpstream
                ? try graph.upstream(of: NodeName(name), options)
                : try graph.impact(of: NodeName(name), options)
        } catch {
            guard error.code == .notFound else { throw error }
            return nil
        }
    }

    @Test("impact reaches the views that read what changes", arguments: 0..<40 as Range<UInt64>)
    func impact(seed: UInt64) throws {
        let log = ProbedLog(seed: seed, stepCount: 60)
        let graph = try log.builder.graph()
        var random = SeededGenerator(seed: seed &+ 5000)
        func number(_ bound: Int) -> Int { Int(random.next() % UInt64(bound)) }
        var (edgeCount, unknownCount, goneCount, untracedCount) = (0, 0, 0, 0)
        for _ in 0..<80 {
            let position = 1 + number(log.steps.count)
            let naive = NaiveLineage(log.steps.prefix(position))
            let views = NaiveViews(naive, using: &random)
            let datasets = Set(naive.names.keys).union(naive.columns.keys).sorted()
            let dataset = datasets[number(datasets.count)]
            let keys = (naive.columns[dataset] ?? [:]).keys.sorted()
            let choice = number(keys.count + 1)
            let part: NaiveLineage.Part = choice == 0 ? .rows : .column(keys[choice - 1])
            let node = NaiveLineage.Node(dataset: dataset, part: part)
            guard let name = naive.questionName(of: node) else { continue }
            var options = LineageOptions(asOf: .position(Int64(position)))
            options.views = views.readings(naive)
            guard let found = try ask(graph, false, name, options) else { continue }
            guard found.nodes[0].tableUUID ?? found.nodes[0].dataset == dataset else { continue }
            let text = "seed \(seed), impact of \(name) at \(position)"
            let base = naive.downstream(node)
            // Of what was reached, what is there now.
            var held: Set<String> = [naive.shown(node)]
            for (edge, steps) in base.edges {
                let contents = naive.contents(of: edge.to.dataset)
                if steps.contains(where: { contents.contains(.run($0)) }) {
                    held.insert(naive.shown(edge.to))
                }
            }
            let isView = { (node: LineageAnswer.Node) in node.isOfView }
            let tables = found.nodes.filter { !isView($0) }
            #expect(Set(tables.map(\.probed)) == Set(base.nodes.map { naive.shown($0) }), "\(text)")
            let isUntraced = { (node: LineageAnswer.Node) in
                node.unknownReason == "a run on the way did not trace columns"
            }
            let isUnbound = { (node: LineageAnswer.Node) in
                node.unknownReason != nil && !isUntraced(node)
            }
            let depths = Dictionary(
                found.nodes.filter { !isUnbound($0) }.map { ($0.probed, $0.depth) },
                uniquingKeysWith: { first, _ in first }
            )
            let expected = views.impact(naive, depths: depths, held: held)
            let edges = Set(found.edges.map { shown($0, found) })
            let ofViews = Set(
                found.edges.filter { isView(found.nodes[$0.to]) }.map { shown($0, found) }
            )
            #expect(ofViews == expected.edges, "\(text): \(views.views)")
            let unknown = found.nodes.filter(isUnbound)
            #expect(
                Dictionary(uniqueKeysWithValues: unknown.map { ($0.probed, $0.depth) })
                    == expected.unknown,
                "\(text): \(views.views)"
            )
            let values = reached([naive.shown(node)], edges, ["DIRECT"])
            let possible = reached([naive.shown(node)], edges, ["DIRECT", nil])
            for node in found.nodes {
                #expect(node.isDirect == values.contains(node.probed), "\(text): \(node.name)")
                let isPossible = possible.contains(node.probed) && !node.isDirect
                #expect(isUntraced(node) == isPossible, "\(text): \(node.name)")
                untracedCount += isPossible ? 1 : 0
                if !node.isOfView || isUnbound(node) { continue }
                let near = found.edges.filter { found.nodes[$0.to].name == node.name }
                    .map { found.nodes[$0.from].depth }.min()
                // It may have lost what came the short way.
                #expect(node.depth >= (near ?? .max) + 1, "\(text): \(node.name)")
            }
            #expect(
                found.isComplete == (base.isComplete && unknown.isEmpty),
                "\(text): \(found.gaps)"
            )
            options.depth = 1 + number(3)
            if let limited = try ask(graph, false, name, options), let depth = options.depth {
                checkDepths(found, limited, depth, text)
            }
            edgeCount += ofViews.count
            unknownCount += unknown.count
            goneCount += held.count < base.nodes.count ? 1 : 0
        }
        #expect(edgeCount > 50 && unknownCount > 5 && goneCount > 0 && untracedCount > 0)
    }

    @Test("upstream of a view is what its definition reads", arguments: 0..<40 as Range<UInt64>)
    func upstream(seed: UInt64) throws {
        let log = ProbedLog(seed: seed, stepCount: 60)
        let graph = try log.builder.graph()
        var random = SeededGenerator(seed: seed &+ 6000)
        func number(_ bound: Int) -> Int { Int(random.next() % UInt64(bound)) }
        var count = 0
        for _ in 0..<60 {
            let position = 1 + number(log.steps.count)
            let naive = NaiveLineage(log.steps.prefix(position))
            let views = NaiveViews(naive, using: &random)
            let bound = views.views.filter { $0.mentions == nil }
            guard !bound.isEmpty else { continue }
            let view = bound[number(bound.count)]
            let column =
                number(3) == 0 ? "*" : view.map.outputs[number(view.map.outputs.count)].name
            var options = LineageOptions(asOf: .position(Int64(position)))
            options.views = views.readings(naive)
            let text = "seed \(seed), upstream of \(view.name).\(column) at \(position)"
            let name = "ns.\(view.name).\(column)"
            let found = try #require(try ask(graph, true, name, options), "\(text)")
            // By definition, view by view, then as of every node that is read.
            var edges: Set<NaiveViews.Edge> = []
            var nodes: Set<String> = []
            var reads: Set<String> = []
            var open = ["uuid-\(view.name)|\(column)"]
            while let node = open.popLast() {
                guard nodes.insert(node).inserted else { continue }
                let parts = node.split(separator: "|", omittingEmptySubsequences: false)
                guard let own = bound.first(where: { "uuid-\($0.name)" == parts[0] }) else {
                    reads.insert(node)
                    continue
                }
                var into = views.edges(of: own, naive).filter { $0.to == node }
                if parts[1] != "*" {
                    let rows = "\(parts[0])|*"
                    into.append(
                        NaiveViews.Edge(from: rows, to: node, kind: "INDIRECT", subtype: nil)
                    )
                }
                edges.formUnion(into)
                open += into.map(\.from)
            }
            var isComplete = true
            for read in reads {
                let part = read.split(separator: "|", omittingEmptySubsequences: false)[1]
                let dataset = String(read.prefix { $0 != "|" })
                let known = naive.columns[dataset] ?? [:]
                let key = known.first { $0.value == part }?.key ?? String(part)
                let node = NaiveLineage.Node(
                    dataset: dataset,
                    part: part == "*" ? .rows : .column(key)
                )
                let answer = naive.upstream(node)
                isComplete = isComplete && answer.isComplete
                nodes.formUnion(answer.nodes.map { naive.shown($0) })
                for edge in answer.edges.keys {
                    edges.insert(
                        NaiveViews.Edge(
                            from: naive.shown(edge.from),
                            to: naive.shown(edge.to),
                            kind: edge.kind,
                            subtype: edge.subtype
                        )
                    )
                }
            }
            #expect(Set(found.nodes.map(\.probed)) == nodes, "\(text): \(views.views)")
            #expect(Set(found.edges.map { shown($0, found) }) == edges, "\(text): \(views.views)")
            #expect(found.isComplete == isComplete, "\(text): \(found.gaps)")
            options.depth = 1 + number(4)
            if let limited = try ask(graph, true, name, options), let depth = options.depth {
                checkDepths(found, limited, depth, text)
            }
            count += found.edges.count
        }
        #expect(count > 200)
    }

    // MARK: By hand

    private func log() -> LogBuilder {
        var log = LogBuilder()
        for name in ["orders", "totals"] { log.create(name) }
        log.run("orders", from: ["data/1.csv"], map: identityMap(["id", "amount"]))
        log.run("totals", from: ["orders"], map: identityMap(["amount"]), replaces: true)
        return log
    }

    private func reading(
        _ name: String,
        of source: ViewReading.Source,
        _ columns: [String: (String, Int32?)]
    ) -> ViewReading {
        ViewReading(
            name: ["ns", name],
            uuid: "uuid-\(name)",
            columns: columns.keys.sorted(),
            sources: [source],
            map: ColumnMap(
                outputs: columns.keys.sorted().map { column in
                    ColumnMap.Output(
                        name: column,
                        origins: columns[column].map { name, id in
                            [
                                ColumnMap.Origin(
                                    input: 0,
                                    column: name,
                                    fieldID: id,
                                    kind: .direct,
                                    subtype: "TRANSFORMATION"
                                )
                            ]
                        } ?? []
                    )
                }
            )
        )
    }

    @Test("columns that no run has named are found by the catalog's schema")
    func unheardColumns() throws {
        var log = log()
        log.create("empty")
        let graph = try log.graph()
        let table = ViewReading.Source.table(
            uuid: log.uuid("empty"),
            name: ["ns", "empty"],
            snapshotID: nil
        )
        var options = LineageOptions()
        options.views = LineageViews(
            readings: [reading("v", of: table, ["x": ("a", 1)])],
            tables: [
                LineageViews.Table(
                    uuid: log.uuid("empty"),
                    columns: [
                        LineageViews.Column(name: "a", fieldID: 1),
                        LineageViews.Column(name: "b", fieldID: 2),
                    ]
                )
            ]
        )
        let names = { (node: String) in
            try graph.impact(of: NodeName(node), options).nodes.map(\.name)
        }
        #expect(try names("ns.empty.a") == ["ns.empty.a", "ns.v.x"])
        #expect(try names("ns.empty.b") == ["ns.empty.b"])
        #expect(
            try names("ns.empty") == [
                "ns.empty.*", "ns.empty.a", "ns.empty.b", "ns.v.*", "ns.v.x",
            ]
        )
        #expect(throws: LineageError.self) { try names("ns.empty.c") }
        let found = try graph.impact(of: NodeName("ns.empty.a"), options)
        // No run has ever said so.
        #expect(found.edges.map(\.subtype) == ["TRANSFORMATION"])
        #expect(found.nodes.map(\.fieldID) == [1, nil])
    }

    @Test("a view that reads one snapshot for ever does not see what came later")
    func pinnedSnapshots() throws {
        var log = log()
        let before = log.snapshot("totals")
        log.create("other")
        log.run("other", from: ["data/2.csv"], map: identityMap(["amount"]))
        log.run("totals", from: ["other"], map: identityMap(["amount"]))
        let graph = try log.graph()
        func source(_ id: Int64?) -> ViewReading.Source {
            .table(uuid: log.uuid("totals"), name: ["ns", "totals"], snapshotID: id)
        }
        var options = LineageOptions()
        options.views = LineageViews(readings: [
            reading("old", of: source(before), ["a": ("amount", nil)]),
            reading("new", of: source(nil), ["a": ("amount", nil)]),
            reading("unheard", of: source(7777), ["a": ("amount", nil)]),
        ])
        let late = try graph.impact(of: NodeName("ns.other.amount"), options)
        #expect(late.nodes.map(\.dataset).contains("ns.new"))
        #expect(!late.nodes.map(\.dataset).contains("ns.old"))
        #expect(late.nodes.map(\.dataset).contains("ns.unheard"))
        let early = try graph.impact(of: NodeName("ns.orders.amount"), options)
        #expect(Set(early.nodes.map(\.dataset)).isSuperset(of: ["ns.new", "ns.old"]))
        let up = try graph.upstream(of: NodeName("ns.old"), options)
        #expect(up.isComplete)
        #expect(up.nodes.map(\.name) == ["ns.old", "ns.totals", "ns.orders", "data/1.csv"])
        #expect(!(try graph.upstream(of: NodeName("ns.unheard"), options)).isComplete)
    }

    @Test("what is made of a view are views, and runs that may have gone through it are not told")
    func impactOfViews() throws {
        let log = log()
        let graph = try log.graph()
        let table = ViewReading.Source.table(
            uuid: log.uuid("orders"),
            name: ["ns", "orders"],
            snapshotID: nil
        )
        var options = LineageOptions()
        options.views = LineageViews(readings: [
            reading("low", of: table, ["a": ("amount", nil), "b": ("id", nil)]),
            reading("high", of: .view(name: ["ns", "low"]), ["c": ("a", nil)]),
            reading("files", of: .file("data/other.csv"), ["n": ("n", nil)]),
            ViewReading(
                name: ["ns", "broken"],
                uuid: "b",
                columns: ["z"],
                failure: "no such column",
                texts: ["SELECT q FROM \"HIGH\""]
            ),
        ])
        let found = try graph.impact(of: NodeName("ns.low.a"), options)
        #expect(found.nodes.map(\.name) == ["ns.low.a", "ns.high.c", "ns.broken"])
        #expect(found.nodes.map(\.kind) == [.column, .column, .view])
        #expect(found.nodes[2].unknownReason == "no such column")
        #expect(found.gaps.count == 2)
        let down = try graph.downstream(of: NodeName("ns.low"), options)
        #expect(down.nodes.map(\.name) == ["ns.low", "ns.high", "ns.broken"])
        // A file that only a view reads.
        let file = try graph.impact(of: NodeName("data/other.csv#n"), options)
        #expect(file.nodes.map(\.name) == ["data/other.csv#n", "ns.files.n"])
        #expect(file.isComplete)
        #expect(throws: LineageError.self) {
            try graph.upstream(of: NodeName("ns.broken"), options)
        }
        #expect(throws: LineageError.self) { try graph.upstream(of: NodeName("ns.low@3"), options) }
        #expect(throws: LineageError.self) { try graph.upstream(of: NodeName("ns.low.q"), options) }
        let up = try graph.upstream(of: NodeName("ns.high.c"), options)
        let values = LineageOptions(selection: .directOnly)
        var direct = values
        direct.views = options.views
        #expect(up.nodes.count > 4)
        let names = try graph.upstream(of: NodeName("ns.high.c"), direct).nodes.map(\.name)
        #expect(names == ["ns.high.c", "ns.low.a", "ns.orders.amount", "data/1.csv#amount"])
    }

    @Test("jobs are those whose newest run reads what changes and makes something of it")
    func jobs() throws {
        var log = LogBuilder()
        for name in ["a", "b", "c", "d"] { log.create(name) }
        log.run("a", from: [], map: ColumnMap(outputs: [ColumnMap.Output(name: "x", origins: [])]))
        let filtered = ColumnMap(
            outputs: [ColumnMap.Output(name: "n", origins: [])],
            rows: [ColumnMap.Origin(input: 0, column: "x", kind: .indirect, subtype: "FILTER")]
        )
        log.run("b", from: ["a"], map: identityMap(["x"]), job: "copy")
        log.run("c", from: ["b"], map: filtered, job: "filter")
        log.run("d", from: ["a"], map: identityMap(["x"]), job: "changed")
        // It reads another column now.
        log.run("d", from: ["a"], map: identityMap(["y"]), job: "changed")
        let graph = try log.graph()
        var options = LineageOptions()
        #expect(try graph.impact(of: NodeName("ns.a.x"), options).jobs == nil)
        options.jobs = true
        let jobs = try #require(try graph.impact(of: NodeName("ns.a.x"), options).jobs)
        #expect(jobs.map(\.name) == ["job:copy", "job:filter"])
        #expect(jobs.map(\.isDirect) == [true, false])
        #expect(jobs.map(\.depth) == [1, 2])
        #expect(jobs.map(\.inputs) == [["ns.a"], ["ns.b"]])
        #expect(jobs.map(\.outputs) == [["ns.b"], ["ns.c"]])
        #expect(jobs.map(\.run.position) == [6, 7])
        options.depth = 1
        let near = try #require(try graph.impact(of: NodeName("ns.a.x"), options).jobs)
        #expect(near.map(\.name) == ["job:copy"])
        options = LineageOptions(asOf: .position(8))
        options.jobs = true
        let then = try #require(try graph.impact(of: NodeName("ns.a.x"), options).jobs)
        #expect(then.map(\.name) == ["job:changed", "job:copy", "job:filter"])
    }
}
