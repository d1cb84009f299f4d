import Bytes
import Lineage
import TestSupport
import Testing

@Suite("Lineage sources") struct LineageSourcesTests {
    private func log() -> LogBuilder {
        var log = LogBuilder()
        for name in ["orders", "countries", "joined", "totals", "nothing"] { log.create(name) }
        log.run("orders", from: ["data/1.csv"], map: identityMap(["id", "amount"]))
        log.run("countries", from: [], map: ColumnMap(outputs: []))
        let amounts = ColumnMap(
            outputs: [
                ColumnMap.Output(
                    name: "amount",
                    fieldID: 1,
                    origins: [
                        ColumnMap.Origin(
                            input: 0,
                            column: "amount",
                            kind: .direct,
                            subtype: "IDENTITY"
                        )
                    ]
                )
            ],
            rows: [ColumnMap.Origin(input: 1, column: "code", kind: .indirect, subtype: "FILTER")]
        )
        log.run("joined", from: ["orders", "countries", "nothing"], map: amounts)
        log.run("totals", from: ["joined"], map: identityMap(["amount"]), replaces: true)
        return log
    }

    private func names(_ sources: LineageSources) -> [String] {
        sources.sources.map { source in
            "\(source.node.name) \(source.origins.map(\.rawValue).joined(separator: "+")) \(source.node.depth)"
        }
    }

    @Test("are where rows came in")
    func origins() throws {
        let found = try log().graph().sources(of: NodeName("ns.totals"))
        #expect(
            names(found) == ["ns.countries values 2", "ns.nothing empty 2", "data/1.csv file 3"]
        )
        #expect(found.isComplete)
        let countries = found.sources[0]
        #expect(!countries.node.isDirect)
        #expect(countries.commitsBehind == 0)
        #expect(countries.lastRead?.position == 8)
        #expect(countries.lastRead?.inputSnapshotID == 70)
        #expect(countries.newest?.snapshotID == 70)
        #expect(countries.columns == nil)
        // Nothing is known of a file but that it was read.
        #expect(found.sources[2].node.isDirect)
        #expect(found.sources[2].commitsBehind == nil)
        #expect(found.sources[2].lastRead?.position == 6)
        let own = try log().graph().sources(of: NodeName("ns.countries"))
        #expect(names(own) == ["ns.countries values 0"])
        #expect(own.sources[0].lastRead == nil)
    }

    @Test("tell which of their columns took part")
    func columns() throws {
        let graph = try log().graph()
        let found = try graph.sources(of: NodeName("ns.totals"), LineageOptions(columns: true))
        #expect(found.sources.map(\.columns) == [[], [], ["amount"]])
        #expect(found.sources.map(\.conditionColumns) == [["code"], [], []])
        let column = try graph.sources(of: NodeName("ns.totals.amount"))
        #expect(names(column).contains("data/1.csv file 3"))
        #expect(column.sources.first { $0.node.name == "data/1.csv" }?.columns == ["amount"])
        let values = try graph.sources(
            of: NodeName("ns.totals.amount"),
            LineageOptions(selection: .directOnly)
        )
        #expect(names(values) == ["data/1.csv file 3"])
    }

    @Test("say how far behind them a table is")
    func freshness() throws {
        var log = log()
        log.run("countries", from: [])
        log.run("countries", from: [], replaces: true)
        let graph = try log.graph()
        let source = try graph.sources(of: NodeName("ns.totals")).sources[0]
        #expect(source.commitsBehind == 2)
        #expect(source.read?.position == 7)
        #expect(source.firstUnread?.position == 10)
        #expect(source.newest?.position == 11)
        #expect(source.newest?.snapshotID == 110)
        #expect(source.behindMillis == 4000)
        let then = try graph.sources(
            of: NodeName("ns.totals"),
            LineageOptions(asOf: .position(10))
        )
        #expect(then.sources[0].commitsBehind == 1)
        let json = try JSON.parse(then.serialized())
        #expect(json["sources"]?.array?.count == 3)
        #expect(then.rows.count == 3)
        let run = try graph.sources(of: NodeName("run:run-8"))
        #expect(names(run) == ["ns.countries values 1", "ns.nothing empty 1", "data/1.csv file 2"])
    }

    @Test("are what a replay of the log gives", arguments: 0..<20 as Range<UInt64>)
    func probes(seed: UInt64) throws {
        let log = ProbedLog(seed: seed, stepCount: 70)
        let graph = try log.builder.graph()
        var random = SeededGenerator(seed: seed &+ 4000)
        func number(_ bound: Int) -> Int { Int(random.next() % UInt64(bound)) }
        var sourceCount = 0
        for _ in 0..<100 {
            let position = 1 + number(log.steps.count)
            let steps = log.steps.prefix(position)
            let naive = NaiveLineage(steps)
            let datasets = naive.names.keys.sorted()
            let dataset = datasets[number(datasets.count)]
            let node = NaiveLineage.Node(dataset: dataset, part: .whole)
            guard let name = naive.questionName(of: node),
                let found = try ask(graph, name, position),
                try isMeant(graph, name, position, dataset)
            else { continue }
            var replay = NaiveSources(naive, steps)
            let expected = replay.sources(of: dataset)
            var shown: [String: NaiveSources.Source] = [:]
            for source in found.sources {
                shown[source.node.tableUUID ?? source.node.dataset] = NaiveSources.Source(
                    origins: Set(source.origins.map(\.rawValue)),
                    lastRead: source.lastRead.map { Int($0.position) },
                    newest: source.newest.map { Int($0.position) },
                    read: source.read.map { Int($0.position) },
                    firstUnread: source.firstUnread.map { Int($0.position) },
                    behind: source.commitsBehind
                )
            }
            #expect(shown.count == found.sources.count)
            #expect(shown == expected, "seed \(seed), sources of \(name) at \(position)")
            sourceCount += shown.count
        }
        #expect(sourceCount > 100, "the probes must find something to compare")
    }

    private func isMeant(
        _ graph: LineageGraph,
        _ name: String,
        _ position: Int,
        _ dataset: String
    ) throws -> Bool {
        let options = LineageOptions(depth: 1, asOf: .position(Int64(position)))
        return try graph.upstream(of: NodeName(name), options).nodes[0].tableUUID == dataset
    }

    private func ask(
        _ graph: LineageGraph,
        _ name: String,
        _ position: Int
    ) throws -> LineageSources? {
        do throws(LineageError) {
            return try graph.sources(
                of: NodeName(name),
                LineageOptions(asOf: .position(Int64(position)))
            )
        } catch {
            if error.code == .notFound { return nil }
            throw error
        }
    }
}
