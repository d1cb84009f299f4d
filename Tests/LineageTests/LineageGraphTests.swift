import Bytes
import Testing

import Lineage

@Suite("Lineage graph") struct LineageGraphTests {
    private func chain() -> LogBuilder {
        var log = LogBuilder()
        for name in ["a", "b", "c"] { log.create(name) }
        log.run("a", from: ["data/a.csv"], map: identityMap(["x", "y"]))
        log.run("b", from: ["a"], map: identityMap(["x"], rows: ["y"]), replaces: true)
        log.run("c", from: ["b"], map: identityMap(["x"]), replaces: true)
        return log
    }

    @Test("goes from a table through tables to a file")
    func upstream() throws {
        let answer = try chain().graph().upstream(of: NodeName("ns.c"))
        #expect(answer.names == ["ns.c", "ns.b", "ns.a", "data/a.csv"])
        #expect(answer.nodes.map(\.depth) == [0, 1, 2, 3])
        #expect(answer.isComplete)
        #expect(!answer.isCut)
        let edge = try #require(answer.edges.first { answer.nodes[$0.to].name == "ns.c" })
        #expect(edge.run?.inputSnapshotID == 50)
        #expect(edge.run?.outputSnapshotID == 60)
        #expect(edge.run?.position == 6)
        #expect(edge.run?.jobName == "ns.c")
    }

    @Test("goes downstream from a file")
    func downstream() throws {
        let answer = try chain().graph().downstream(of: NodeName("data/a.csv"))
        #expect(answer.names == ["data/a.csv", "ns.a", "ns.b", "ns.c"])
        #expect(answer.isComplete)
    }

    @Test("stops at the depth and says that there is more", arguments: [1, 2, 3, 4])
    func depth(depth: Int) throws {
        let graph = try chain().graph()
        for answer in [
            try graph.upstream(of: NodeName("ns.c"), LineageOptions(depth: depth)),
            try graph.downstream(of: NodeName("data/a.csv"), LineageOptions(depth: depth)),
        ] {
            #expect(answer.nodes.count == min(depth, 3) + 1)
            #expect(answer.isCut == (depth < 3))
        }
    }

    @Test("tells values from conditions, column by column")
    func columns() throws {
        let graph = try chain().graph()
        let direct = try graph.upstream(
            of: NodeName("ns.c.x"),
            LineageOptions(selection: .directOnly)
        )
        #expect(direct.names == ["ns.c.x", "ns.b.x", "ns.a.x", "data/a.csv#x"])
        #expect(direct.nodes.allSatisfy { $0.isDirect })
        let all = try graph.upstream(of: NodeName("ns.c.x"))
        #expect(all.arrows.contains("ns.a.y -> ns.b.*"))
        let y = try #require(all.nodes.first { $0.name == "ns.a.y" })
        #expect(!y.isDirect)
        let forward = try graph.downstream(of: NodeName("ns.a.y"))
        #expect(forward.names == ["ns.a.y", "ns.b.*", "ns.c.*"])
        #expect(forward.nodes.dropFirst().allSatisfy { !$0.isDirect })
        let none = try graph.downstream(
            of: NodeName("ns.a.y"),
            LineageOptions(selection: .directOnly)
        )
        #expect(none.names == ["ns.a.y"])
    }

    @Test("does not know whether values flow where a run did not trace columns")
    func untraced() throws {
        var log = LogBuilder()
        for name in ["a", "b", "c", "d"] { log.create(name) }
        log.run("b", from: ["a"], map: identityMap(["x"], rows: ["y"]), job: "traced")
        log.run("c", from: ["b"], job: "untraced")
        log.run("d", from: ["c"], map: identityMap(["z"]), job: "behind")
        let graph = try log.graph()
        func effects(_ answer: LineageAnswer) -> [String] {
            answer.nodes.dropFirst().map { node in
                let effect = node.unknownReason != nil ? "unknown" : "\(node.isDirect)"
                return "\(node.name) \(effect)"
            }
        }
        var options = LineageOptions()
        options.jobs = true
        let values = try graph.impact(of: NodeName("ns.a.x"), options)
        #expect(effects(values) == ["ns.b.x true", "ns.c unknown", "ns.d unknown"])
        #expect(values.nodes[2].unknownReason == "a run on the way did not trace columns")
        #expect(values.gaps.count == 1)
        let jobs = try #require(values.jobs)
        #expect(jobs.map(\.name) == ["job:traced", "job:untraced", "job:behind"])
        #expect(jobs.map { $0.unknownReason != nil } == [false, true, true])
        #expect(jobs.map(\.isDirect) == [true, false, false])
        // Conditions have no values, whoever traced them.
        let rows = try graph.impact(of: NodeName("ns.a.y"), options)
        #expect(effects(rows) == ["ns.b.* false", "ns.c.* false", "ns.d.* false"])
        let direct = LineageOptions(selection: .directOnly)
        let back = try graph.upstream(of: NodeName("ns.c"), direct)
        #expect(effects(back) == ["ns.b unknown", "ns.a unknown"])
        // Of a file nobody knows columns, but that its values went into the table.
        var file = LogBuilder()
        file.create("t")
        file.run("t", from: ["data/t.csv"], map: identityMap(["x"]), job: "import")
        let loads = try #require(try file.graph().impact(of: NodeName("data/t.csv"), options).jobs)
        #expect(loads.map(\.isDirect) == [true] && loads.map(\.unknownReason) == [nil])
        let text = String(decoding: values.serialized(), as: UTF8.self)
        #expect(text.contains(#""direct":false,"masked":false,"effect":"unknown","reason":"a run"#))
    }

    @Test("forgets flows whose rows were replaced, unless asked")
    func replaced() throws {
        var log = chain()
        log.create("d")
        log.run("d", from: ["data/d.csv"])
        log.run("b", from: ["d"], replaces: true)
        let graph = try log.graph()
        #expect(try graph.upstream(of: NodeName("ns.b")).names == ["ns.b", "ns.d", "data/d.csv"])
        // c still holds what came from a through the old b.
        #expect(
            try graph.upstream(of: NodeName("ns.c")).names
                == ["ns.c", "ns.b", "ns.a", "data/a.csv"]
        )
        #expect(try graph.downstream(of: NodeName("ns.a")).names == ["ns.a", "ns.b", "ns.c"])
        #expect(try graph.downstream(of: NodeName("ns.d")).names == ["ns.d", "ns.b"])
        log.run("c", from: ["b"], replaces: true)
        let later = try log.graph()
        #expect(try later.downstream(of: NodeName("ns.a")).names == ["ns.a"])
        #expect(
            try later.downstream(of: NodeName("ns.a"), LineageOptions(includesReplaced: true)).names
                == ["ns.a", "ns.b", "ns.c"]
        )
        #expect(
            try later.upstream(of: NodeName("ns.c"), LineageOptions(asOf: .position(9))).names
                == ["ns.c", "ns.b", "ns.a", "data/a.csv"]
        )
    }

    @Test("adds up appends, and reads each input at its snapshot")
    func appends() throws {
        var log = LogBuilder()
        log.create("t")
        log.create("u")
        log.run("t", from: ["data/1.csv"])
        let first = log.snapshot("t")
        log.run("u", from: ["t"])
        log.run("t", from: ["data/2.csv"])
        let graph = try log.graph()
        #expect(
            try graph.upstream(of: NodeName("ns.t")).names == ["ns.t", "data/1.csv", "data/2.csv"]
        )
        // u read t before the second file.
        #expect(try graph.upstream(of: NodeName("ns.u")).names == ["ns.u", "ns.t", "data/1.csv"])
        #expect(
            try graph.upstream(of: NodeName("ns.t@\(first)")).names == ["ns.t", "data/1.csv"]
        )
        #expect(try graph.downstream(of: NodeName("data/2.csv")).names == ["data/2.csv", "ns.t"])
        #expect(
            try graph.downstream(of: NodeName("ns.t@\(log.snapshot("t"))")).names == ["ns.t"]
        )
        #expect(try graph.downstream(of: NodeName("ns.t@\(first)")).names == ["ns.t", "ns.u"])
    }

    @Test("counts the runs of one edge and names the newest")
    func runCounts() throws {
        var log = LogBuilder()
        log.create("t")
        log.create("u")
        log.run("t", from: ["data/1.csv"])
        for _ in 0..<5 { log.run("u", from: ["t"]) }
        let answer = try log.graph().downstream(of: NodeName("ns.t"))
        #expect(answer.edges.count == 1)
        #expect(answer.edges.first?.runCount == 5)
        #expect(answer.edges.first?.firstPosition == 4)
        #expect(answer.edges.first?.run?.position == 8)
    }

    @Test("knows a table through its names, and its name at each position")
    func names() throws {
        var log = chain()
        log.rename("a", to: "raw")
        log.create("a")
        let graph = try log.graph()
        #expect(try graph.upstream(of: NodeName("ns.b")).names == ["ns.b", "ns.raw", "data/a.csv"])
        #expect(
            try graph.upstream(of: NodeName("ns.b"), LineageOptions(asOf: .position(6))).names
                == ["ns.b", "ns.a", "data/a.csv"]
        )
        // Another table has the name now.
        #expect(try graph.downstream(of: NodeName("ns.a")).names == ["ns.a"])
        #expect(
            try graph.downstream(of: NodeName("ns.a"), LineageOptions(asOf: .timeMillis(6500)))
                .names
                == ["ns.a", "ns.b", "ns.c"]
        )
        log.drop("c")
        let later = try log.graph()
        #expect(throws: LineageError.self) { try later.upstream(of: NodeName("ns.c")) }
        #expect(try later.downstream(of: NodeName("ns.raw")).names == ["ns.raw", "ns.b"])
        #expect(
            try later.upstream(of: NodeName("b"), LineageOptions(namespace: ["ns"])).names
                == ["ns.b", "ns.raw", "data/a.csv"]
        )
    }

    @Test("a table made again under the same name has a past of its own")
    func recreated() throws {
        var log = chain()
        log.drop("b")
        log.create("b")
        log.run("b", from: ["data/new.csv"])
        let graph = try log.graph()
        #expect(try graph.upstream(of: NodeName("ns.b")).names == ["ns.b", "data/new.csv"])
        let c = try graph.upstream(of: NodeName("ns.c"))
        #expect(c.names.count == 4)
        #expect(c.nodes[1].isDropped)
    }

    @Test("finds its way out of circles")
    func cycles() throws {
        var log = LogBuilder()
        log.create("a")
        log.create("b")
        log.run("a", from: ["data/1.csv"], map: identityMap(["x"]))
        for _ in 0..<20 {
            log.run("b", from: ["a", "b"], map: identityMap(["x"]))
            log.run("a", from: ["b", "a"], map: identityMap(["x"]))
        }
        let graph = try log.graph()
        let upstream = try graph.upstream(of: NodeName("ns.a"))
        #expect(Set(upstream.names) == ["ns.a", "ns.b", "data/1.csv"])
        #expect(upstream.arrows.contains("ns.a -> ns.b"))
        #expect(upstream.arrows.contains("ns.b -> ns.a"))
        #expect(try graph.downstream(of: NodeName("data/1.csv")).nodes.count == 3)
        #expect(try graph.upstream(of: NodeName("ns.b.x")).isComplete)
    }

    @Test("says when somebody changed a table without saying from what")
    func gaps() throws {
        var log = chain()
        log.changeSilently("b", snapshot: 777)
        let graph = try log.graph()
        let b = try graph.upstream(of: NodeName("ns.b"))
        #expect(!b.isComplete)
        #expect(b.gaps.first?.contains("position 7") == true)
        #expect(b.names == ["ns.b", "ns.a", "data/a.csv"])
        // c was made before.
        #expect(try graph.upstream(of: NodeName("ns.c")).isComplete)
    }

    @Test("a change of metadata alone is no gap, and a rollback leads back")
    func rollback() throws {
        var log = LogBuilder()
        log.create("t")
        log.run("t", from: ["data/1.csv"])
        let first = log.snapshot("t")
        log.changeSilently("t", snapshot: first)
        log.run("t", from: ["data/2.csv"])
        log.changeSilently("t", snapshot: first)
        log.run("t", from: ["data/3.csv"])
        let graph = try log.graph()
        let answer = try graph.upstream(of: NodeName("ns.t"))
        #expect(answer.names == ["ns.t", "data/1.csv", "data/3.csv"])
        #expect(answer.isComplete)
        #expect(try graph.downstream(of: NodeName("data/2.csv")).names == ["data/2.csv"])
        #expect(try graph.downstream(of: NodeName("data/1.csv")).names.count == 2)
    }

    @Test("says when a column map is missing, and goes on by datasets")
    func missingMap() throws {
        var log = LogBuilder()
        log.carriesMaps = false
        log.create("a")
        log.create("b")
        log.run("a", from: ["data/a.csv"], map: identityMap(["x"]))
        log.run("b", from: ["a"], map: identityMap(["x"]))
        let graph = try log.graph()
        let whole = try graph.upstream(of: NodeName("ns.b"))
        #expect(whole.isComplete)
        let columns = try graph.upstream(of: NodeName("ns.b"), LineageOptions(columns: true))
        #expect(!columns.isComplete)
        #expect(columns.names.contains("data/a.csv") || columns.names.contains("data/a.csv#*"))
    }

    @Test("reads facts that it cannot understand as a gap")
    func unreadableFacts() throws {
        var log = LogBuilder()
        log.create("t")
        let write: JSON = [
            "change": "update-table", "namespace": ["ns"], "name": "t",
            "uuid": .string(log.uuid("t")), "metadata-location": "s3://a/metadata/1.json",
            "previous-metadata-location": "s3://a", "snapshot-id": 5,
        ]
        log.commit([write], ["version": 99, "facts": []])
        let answer = try log.graph().upstream(of: NodeName("ns.t"))
        #expect(!answer.isComplete)
        #expect(answer.gaps.first?.contains("version 99") == true)
    }

    @Test("says when the log does not reach back to the beginning")
    func lateStart() throws {
        let log = chain()
        let graph = LineageGraph()
        try graph.apply(log.commits.dropFirst(4))
        let answer = try graph.upstream(of: NodeName("ns.b"))
        #expect(!answer.isComplete)
        #expect(answer.names == ["ns.b", "ns.a"])
    }

    @Test(
        "goes on after changes that it does not know, and says so; views are none of its business"
    )
    func unknownChanges() throws {
        var log = chain()
        log.commit([["change": "create-view", "namespace": ["ns"], "name": "v"]])
        #expect(try log.graph().upstream(of: NodeName("ns.c")).isComplete)
        log.commit([["change": "swap-tables"]])
        let graph = try log.graph()
        let answer = try graph.upstream(of: NodeName("ns.c"))
        #expect(answer.names.count == 4)
        #expect(
            answer.gaps == ["the log has changes \"swap-tables\", which this program does not know"]
        )
        #expect(
            try graph.upstream(of: NodeName("ns.c"), LineageOptions(asOf: .position(7))).isComplete
        )
        log.commit([["change": "drop-table"]])
        #expect(throws: LineageError.self) { try log.graph() }
    }

    @Test("gives the same whether commits come at once or one by one, or twice")
    func incremental() throws {
        let log = chain()
        let graph = LineageGraph()
        for commit in log.commits {
            try graph.apply([commit])
            try graph.apply([commit])
        }
        let (one, other) = (
            try graph.upstream(of: NodeName("ns.c"), LineageOptions(columns: true)),
            try log.graph().upstream(of: NodeName("ns.c"), LineageOptions(columns: true))
        )
        #expect(one == other)
        var gap = log.commits[1]
        gap.position = 99
        #expect(throws: LineageError.self) { try graph.apply([gap]) }
    }

    @Test("finds the ways from one node to another, and none where there is none")
    func path() throws {
        var log = chain()
        log.create("side")
        log.run("side", from: ["a"], map: identityMap(["x"]))
        let graph = try log.graph()
        let path = try graph.path(from: NodeName("data/a.csv"), to: NodeName("ns.c"))
        #expect(path.names == ["data/a.csv", "ns.a", "ns.b", "ns.c"])
        #expect(try graph.path(from: NodeName("ns.c"), to: NodeName("ns.a")).nodes.isEmpty)
        let column = try graph.path(from: NodeName("ns.a.y"), to: NodeName("ns.c.x"))
        #expect(column.arrows.contains("ns.a.y -> ns.b.*"))
        #expect(column.names.last == "ns.c.x")
    }

    @Test("follows masking along a path")
    func masking() throws {
        var log = LogBuilder()
        for name in ["a", "b", "c"] { log.create(name) }
        let masked = ColumnMap(outputs: [
            ColumnMap.Output(
                name: "x",
                origins: [
                    ColumnMap.Origin(
                        input: 0,
                        column: "x",
                        kind: .direct,
                        subtype: "TRANSFORMATION",
                        isMasked: true
                    )
                ]
            )
        ])
        log.run("a", from: ["data/a.csv"], map: identityMap(["x"]))
        log.run("b", from: ["a"], map: masked)
        log.run("c", from: ["b"], map: identityMap(["x"]))
        let answer = try log.graph().impact(of: NodeName("ns.a.x"))
        let masks = Dictionary(uniqueKeysWithValues: answer.nodes.map { ($0.name, $0.isMasked) })
        #expect(masks["ns.a.x"] == false)
        #expect(masks["ns.b.x"] == true)
        #expect(masks["ns.c.x"] == true)
    }

    @Test("refuses questions without sense")
    func refusals() throws {
        let graph = try chain().graph()
        for text in ["", "ns..c", "\"ns.c", "ns.c@abc"] {
            #expect(throws: LineageError.self) { try NodeName(text) }
        }
        for text in ["ns.nothing", "ns.c.nothing", "ns.c@4711", "data/other.csv"] {
            #expect(throws: LineageError.self) { try graph.upstream(of: NodeName(text)) }
        }
        #expect(throws: LineageError.self) {
            try graph.upstream(of: NodeName("ns.c"), LineageOptions(depth: 0))
        }
        #expect(throws: LineageError.self) {
            try graph.upstream(of: NodeName("ns.c"), LineageOptions(asOf: .position(99)))
        }
    }

    @Test("ten thousand runs are answered at once")
    func many() throws {
        var log = LogBuilder()
        log.create("t")
        log.create("u")
        let map = identityMap((0..<20).map { "c\($0)" })
        for index in 0..<5000 {
            log.run("t", from: ["data/\(index).csv"], map: map)
            log.run("u", from: ["t"], map: map)
        }
        let graph = try log.graph()
        #expect(graph.resolvedMapCount == 1)
        #expect(try graph.upstream(of: NodeName("ns.u")).nodes.count == 5002)
        #expect(try graph.upstream(of: NodeName("ns.u.c3")).isComplete)
        #expect(try graph.downstream(of: NodeName("data/7.csv")).nodes.count == 3)
    }
}
