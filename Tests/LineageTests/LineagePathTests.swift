import Bytes
import Lineage
import TestSupport
import Testing

private func origin(
    _ column: String,
    _ subtype: String?,
    input: Int = 0,
    kind: ColumnMap.Kind = .direct,
    isMasked: Bool = false
) -> ColumnMap.Origin {
    ColumnMap.Origin(
        input: input,
        column: column,
        kind: kind,
        subtype: subtype,
        isMasked: isMasked
    )
}

private func output(_ name: String, _ id: Int32, _ origins: [ColumnMap.Origin]) -> ColumnMap.Output
{
    ColumnMap.Output(name: name, fieldID: id, origins: origins)
}

extension LineagePaths {
    fileprivate var texts: [String] {
        paths.map { path in nodes(along: path).map(\.name).joined(separator: " > ") }
    }

    fileprivate var types: [String] {
        paths.map { path in
            let all = path.transformation
            return
                "\(all.kind?.rawValue ?? "-") \(all.subtype ?? "-")\(all.isMasked ? " masked" : "")"
        }
    }
}

@Suite("Lineage paths") struct LineagePathTests {
    private func diamond() throws -> LineageGraph {
        var log = LogBuilder()
        for name in ["a", "b", "c", "d"] { log.create(name) }
        log.run("a", from: ["data/a.csv"], map: identityMap(["x"]))
        log.run(
            "b",
            from: ["a"],
            map: ColumnMap(outputs: [
                output("x", 1, [origin("x", "TRANSFORMATION", isMasked: true)])
            ])
        )
        log.run("c", from: ["b"], map: identityMap(["x"]))
        log.run(
            "d",
            from: ["a", "c"],
            map: ColumnMap(
                outputs: [
                    output("x", 1, [origin("x", "IDENTITY"), origin("x", "AGGREGATION", input: 1)])
                ],
                rows: [origin("x", "FILTER", kind: .indirect)]
            )
        )
        return try log.graph()
    }

    @Test("come with their steps, the shortest first, and with what becomes of values")
    func types() throws {
        let found = try diamond().paths(from: NodeName("data/a.csv#x"), to: NodeName("ns.d.x"))
        #expect(
            found.texts == [
                "data/a.csv#x > ns.a.x > ns.d.x",
                "data/a.csv#x > ns.a.x > ns.d.* > ns.d.x",
                "data/a.csv#x > ns.a.x > ns.b.x > ns.c.x > ns.d.x",
            ]
        )
        #expect(
            found.types == [
                "DIRECT IDENTITY", "INDIRECT FILTER", "DIRECT AGGREGATION masked",
            ]
        )
        #expect(found.isComplete && !found.isCut)
        let json = try JSON.parse(found.serialized())
        #expect(json["paths"]?.array?.count == 3)
        #expect(found.rows.count == 2 + 3 + 4)
        let direct = LineageOptions(selection: .directOnly)
        let values = try diamond().paths(
            from: NodeName("data/a.csv#x"),
            to: NodeName("ns.d.x"),
            direct
        )
        #expect(values.types == ["DIRECT IDENTITY", "DIRECT AGGREGATION masked"])
    }

    @Test("go between datasets, too, and say when there are more")
    func datasets() throws {
        let graph = try diamond()
        let all = try graph.paths(from: NodeName("ns.a"), to: NodeName("ns.d"))
        #expect(all.texts == ["ns.a > ns.d", "ns.a > ns.b > ns.c > ns.d"])
        #expect(!all.isCut)
        var limits = LineagePathLimits(paths: 1)
        let one = try graph.paths(from: NodeName("ns.a"), to: NodeName("ns.d"), limits: limits)
        #expect(one.texts == ["ns.a > ns.d"])
        #expect(one.cuts == ["there are more than 1 ways: the limit"])
        limits.isShortestOnly = true
        let first = try graph.paths(from: NodeName("ns.a"), to: NodeName("ns.d"), limits: limits)
        #expect(first.texts == one.texts)
        #expect(!first.isCut)
        let near = try graph.paths(
            from: NodeName("ns.a"),
            to: NodeName("ns.d"),
            LineageOptions(depth: 2)
        )
        #expect(near.texts == ["ns.a > ns.d"])
        #expect(near.isCut)
        let none = try graph.paths(from: NodeName("ns.d"), to: NodeName("ns.a"))
        #expect(none.paths.isEmpty && !none.isCut)
        #expect(try graph.paths(from: NodeName("ns.a"), to: NodeName("ns.a")).paths.isEmpty)
    }

    @Test("between all columns are those between each two")
    func columns() throws {
        var log = LogBuilder()
        for name in ["a", "b"] { log.create(name) }
        let swap = ColumnMap(outputs: [
            output("x", 1, [origin("y", "IDENTITY")]), output("y", 2, [origin("x", "IDENTITY")]),
        ])
        log.run("a", from: ["data/a.csv"], map: identityMap(["x", "y"]))
        log.run("a", from: ["a"], map: swap)
        log.run("b", from: ["a"], map: identityMap(["x"]))
        let options = LineageOptions(selection: .directOnly, columns: true)
        let found = try log.graph().paths(from: NodeName("ns.a"), to: NodeName("ns.b"), options)
        #expect(found.texts == ["ns.a.x > ns.b.x", "ns.a.y > ns.a.x > ns.b.x"])
        // A swap makes a circle of columns, which no value has gone round.
        let graph = try log.graph()
        let same = try graph.paths(from: NodeName("data/a.csv#x"), to: NodeName("ns.a.x"), options)
        #expect(same.texts == ["data/a.csv#x > ns.a.x"])
        let other = try graph.paths(from: NodeName("data/a.csv#x"), to: NodeName("ns.a.y"), options)
        #expect(other.texts == ["data/a.csv#x > ns.a.x > ns.a.y"])
    }

    @Test("are no ways when what was read was not there yet")
    func times() throws {
        var log = LogBuilder()
        for name in ["w", "y", "z", "b"] { log.create(name) }
        log.run("w", from: [])
        log.run("y", from: ["data/y.csv"])
        log.run("z", from: ["y"])
        log.run("b", from: ["z"])
        // Only now, when z has read y.
        log.run("y", from: ["w"])
        log.run("b", from: ["y"])
        let found = try log.graph().paths(from: NodeName("ns.w"), to: NodeName("ns.b"))
        #expect(found.texts == ["ns.w > ns.y > ns.b"])
        let file = try log.graph().paths(from: NodeName("data/y.csv"), to: NodeName("ns.b"))
        #expect(file.texts == ["data/y.csv > ns.y > ns.b", "data/y.csv > ns.y > ns.z > ns.b"])
    }

    /// Layers, each table of which reads all of the one before: 8 to the 12th ways.
    private func layers() throws -> LineageGraph {
        var log = LogBuilder()
        var before = ["data/a.csv"]
        for layer in 0..<12 {
            let names = (0..<8).map { "t\(layer)_\($0)" }
            for name in names {
                log.create(name)
                log.run(name, from: before)
            }
            before = names
        }
        log.create("end")
        log.run("end", from: before)
        return try log.graph()
    }

    @Test("that are too many to tell are bounded, and say so")
    func bounds() throws {
        let graph = try layers()
        let (from, to) = (try NodeName("data/a.csv"), try NodeName("ns.end"))
        let some = try graph.paths(from: from, to: to, limits: LineagePathLimits(paths: 50))
        #expect(some.paths.count == 50)
        #expect(Set(some.texts).count == 50)
        #expect(some.cuts.count == 1)
        var limits = LineagePathLimits(paths: 10_000)
        limits.work = 5000
        let worked = try graph.paths(from: from, to: to, limits: limits)
        #expect(worked.paths.count < 10_000)
        #expect(worked.cuts.count == 1)
        limits.work = 5_000_000
        limits.written = 1000
        let written = try graph.paths(from: from, to: to, limits: limits)
        #expect(written.paths.count == 1000 / 13)
        #expect(written.cuts.count == 1)
        limits.steps = 100
        let near = try graph.paths(from: from, to: to, limits: limits)
        #expect(near.paths.isEmpty && near.isCut)
        #expect(throws: LineageError.self) {
            try graph.paths(from: from, to: to, limits: LineagePathLimits(paths: 0))
        }
        #expect(throws: LineageError.self) {
            try graph.paths(from: from, to: to, LineageOptions(since: .position(1)))
        }
        #expect(throws: LineageError.self) { try graph.paths(from: NodeName("run:run-2"), to: to) }
    }

    /// Tables each of which read all others again and again.
    @Test("end where everything came from everything, too")
    func circles() throws {
        var log = LogBuilder()
        let names = (0..<12).map { "t\($0)" }
        for name in names { log.create(name) }
        log.run("t0", from: ["data/a.csv"])
        for _ in 0..<4 {
            for name in names { log.run(name, from: names) }
        }
        let graph = try log.graph()
        let (from, to) = (try NodeName("data/a.csv"), try NodeName("ns.t5"))
        let some = try graph.paths(from: from, to: to)
        #expect(some.texts.first == "data/a.csv > ns.t0 > ns.t5")
        #expect(some.paths.count == 100 && some.isCut)
        // What came late is in t0 alone: of the millions of ways through what t5 read before, none is one.
        for name in ["late", "end"] { log.create(name) }
        log.run("late", from: ["data/b.csv"])
        log.run("t0", from: ["late"])
        log.run("end", from: ["t0", "t5"])
        let late = try NodeName("data/b.csv")
        let most = LineagePathLimits(paths: LineagePaths.limitMax)
        let found = try log.graph().paths(from: late, to: NodeName("ns.end"), limits: most)
        #expect(found.texts == ["data/b.csv > ns.late > ns.t0 > ns.end"])
        #expect(found.cuts.count == 1)
    }

    private static let kinds: [Transformation] = [
        Transformation(kind: nil, subtype: nil),
        Transformation(kind: .direct, subtype: "IDENTITY"),
        Transformation(kind: .direct, subtype: "TRANSFORMATION"),
        Transformation(kind: .direct, subtype: "AGGREGATION"),
        Transformation(kind: .direct, subtype: nil, isMasked: true),
        Transformation(kind: .indirect, subtype: "FILTER"),
        Transformation(kind: .indirect, subtype: nil),
        Transformation(kind: .indirect, subtype: "JOIN", isMasked: true),
    ]

    @Test("compose the same however they are put together", arguments: kinds)
    func composition(first: Transformation) {
        for second in Self.kinds {
            for third in Self.kinds {
                let left = first.followed(by: second).followed(by: third)
                let right = first.followed(by: second.followed(by: third))
                #expect(left == right)
                #expect(left.isMasked == (first.isMasked || second.isMasked || third.isMasked))
                let isIndirect = [first, second, third].contains { $0.kind == .indirect }
                #expect((left.kind == .indirect) == isIndirect)
            }
        }
    }

    @Test("are what a replay of the log gives", arguments: 0..<24 as Range<UInt64>)
    func probes(seed: UInt64) throws {
        let log = ProbedLog(seed: seed, stepCount: 40)
        let graph = try log.builder.graph()
        var random = SeededGenerator(seed: seed &+ 3000)
        func number(_ bound: Int) -> Int { Int(random.next() % UInt64(bound)) }
        var wayCount = 0
        var comparedCount = 0
        for _ in 0..<100 {
            let position = 1 + number(log.steps.count)
            let naive = NaiveLineage(log.steps.prefix(position))
            let datasets = Set(naive.names.keys).union(naive.columns.keys).sorted()
            let dataset = datasets[number(datasets.count)]
            let keys = (naive.columns[dataset] ?? [:]).keys.sorted()
            let choice = number(keys.count + 2)
            let part: NaiveLineage.Part =
                choice == 0 ? .whole : choice == 1 ? .rows : .column(keys[choice - 2])
            let end = NaiveLineage.Node(dataset: dataset, part: part)
            let reached = naive.upstream(end).nodes.subtracting([end])
                .filter { ($0.part == .whole) == (end.part == .whole) }
                .sorted { naive.shown($0) < naive.shown($1) }
            guard !reached.isEmpty else { continue }
            let start = reached[number(reached.count)]
            guard let from = naive.questionName(of: start), let to = naive.questionName(of: end),
                let expected = naive.ways(from: start, to: end, countMax: 500),
                let found = try ask(graph, from, to, 10_000, position),
                try naive.means(start, found.root, graph, position),
                try naive.means(end, found.target, graph, position)
            else { continue }
            let text = "seed \(seed), \(from) to \(to) at \(position)"
            #expect(!found.isCut, "\(text): \(found.cuts)")
            let ways = found.paths.map { path in shown(found, path) }
            let wanted = Set(expected.map { way in shown(naive, way) })
            #expect(Set(ways).count == ways.count, "\(text): a way comes twice")
            #expect(Set(ways) == wanted, "\(text)")
            let lengths = found.paths.map(\.steps.count)
            #expect(lengths == lengths.sorted(), "\(text): the shortest first")
            wayCount += ways.count
            comparedCount += 1
            let some = 1 + number(4)
            let less = try #require(try ask(graph, from, to, some, position))
            #expect(less.paths.map { shown(less, $0) } == Array(ways.prefix(some)), "\(text)")
            #expect(less.isCut == (ways.count > some), "\(text)")
        }
        #expect(comparedCount > 10 && wayCount > 20, "the probes must find something to compare")
    }

    private func ask(
        _ graph: LineageGraph,
        _ from: String,
        _ to: String,
        _ limit: Int,
        _ position: Int
    ) throws -> LineagePaths? {
        do throws(LineageError) {
            return try graph.paths(
                from: NodeName(from),
                to: NodeName(to),
                limits: LineagePathLimits(paths: limit),
                LineageOptions(asOf: .position(Int64(position)))
            )
        } catch {
            if error.code == .notFound { return nil }
            throw error
        }
    }

    private func shown(_ answer: LineagePaths, _ path: LineagePaths.Path) -> String {
        path.steps.map { place in
            let edge = answer.edges[place]
            let (from, to) = (answer.nodes[edge.from], answer.nodes[edge.to])
            return
                "\(from.probed) \(edge.kind?.rawValue ?? "-") \(edge.subtype ?? "-") \(to.probed)"
        }.joined(separator: "; ")
    }

    private func shown(_ naive: NaiveLineage, _ way: [NaiveLineage.WayStep]) -> String {
        way.map { step in
            let (from, to) = (naive.shown(step.from), naive.shown(step.to))
            return "\(from) \(step.kind ?? "-") \(step.subtype ?? "-") \(to)"
        }.joined(separator: "; ")
    }
}

extension NaiveLineage {
    /// Whether a name of the answer is that of this node, and not of another table that has its name now.
    fileprivate func means(
        _ node: Node,
        _ name: String,
        _ graph: LineageGraph,
        _ position: Int
    ) throws -> Bool {
        let options = LineageOptions(depth: 1, asOf: .position(Int64(position)))
        let found = try graph.upstream(of: NodeName(name), options).nodes[0]
        return (found.tableUUID ?? found.dataset) == node.dataset
    }
}
