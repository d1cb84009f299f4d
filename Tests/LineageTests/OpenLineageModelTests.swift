import Bytes
import TestSupport
import Testing

import Lineage

private let first = "0176a8c2-fe01-7439-87e6-56a1a1b4029f"
private let second = "0176a8c2-fe01-7439-87e6-56a1a1b40300"

/// The id of a run.
private func run(_ number: Int) -> String {
    "00000000-0000-4000-8000-" + String(String(1_000_000_000_000 + number).dropFirst())
}

private func bucket(_ name: String) -> EntityName { EntityName("s3://bucket", name) }

private func at(_ second: Int) -> String {
    "2024-05-01T12:\(10 + second / 60):\(10 + second % 50)Z"
}

private func model(_ events: [JSON]) throws -> OpenLineageModel {
    var model = OpenLineageModel()
    for (index, event) in events.enumerated() {
        model.apply(
            try OpenLineageEvent(json: event),
            at: EventPlace(.events, position: Int64(index + 1), index: 0)
        )
    }
    return model
}

private func columnLineage(_ fields: JSONObject, rows: [JSON] = []) -> JSON {
    facet(["fields": .object(fields), "dataset": .array(rows)])
}

private let direct: JSON = ["type": "DIRECT", "subtype": "IDENTITY"]

extension JSON {
    fileprivate var ids: [String] { self["graph"]?.array?.compactMap { $0["id"]?.string } ?? [] }

    fileprivate func node(_ id: String) -> JSON {
        self["graph"]?.array?.first { $0["id"]?.string == id } ?? .null
    }
}

extension OpenLineageModel {
    fileprivate func columns(
        _ id: String,
        depth: Int = 20,
        withDownstream: Bool = false
    ) throws -> JSON {
        try columnLineage(of: node(id), depth: depth, withDownstream: withDownstream)
    }

    fileprivate func graph(_ id: String, depth: Int = 20) throws -> JSON {
        try lineage(of: node(id), depth: depth)
    }

    fileprivate func listed(
        newestFirst: Bool = true,
        offset: Int = 0,
        limit: Int = 100
    ) -> ModelPage<EventPlace> {
        events(
            afterMicros: .min,
            beforeMicros: .max,
            newestFirst: newestFirst,
            offset: offset,
            limit: limit
        )
    }

    /// The names of a dataset's versions, newest first.
    fileprivate func versionNames(_ name: EntityName) throws -> [String] {
        try versions(of: name, offset: 0, limit: 1000).elements.map(\.text)
    }

    /// Everything that lists and graphs say.
    fileprivate func everything() throws -> String {
        var text = namespaces(offset: 0, limit: 100).json("n", \.json).text()
        text += try jobs(in: nil, states: nil, offset: 0, limit: 100)
            .json("j") { $0.json([:]) }.text(sortedKeys: true)
        let datasets = try datasets(in: "s3://bucket", offset: 0, limit: 100)
        text += datasets.json("d", \.json).text(sortedKeys: true)
        for dataset in datasets.elements {
            text += try versions(of: dataset.name, offset: 0, limit: 100)
                .json("v") { $0.json([:]) }.text(sortedKeys: true)
            let id = "dataset:s3://bucket:\(dataset.name.name)"
            text += try columns(id, withDownstream: true).text(sortedKeys: true)
        }
        return text
    }
}

@Suite("OpenLineage model") struct OpenLineageModelTests {
    /// a -> one -> b -> two -> c, with columns.
    private func chain() -> [JSON] {
        [
            runEvent("START", run: first, job: "one", time: at(0), inputs: [dataset("a")]),
            runEvent(
                "COMPLETE",
                run: first,
                job: "one",
                time: at(5),
                outputs: [
                    dataset(
                        "b",
                        [
                            "schema": facet(["fields": [["name": "x", "type": "int"]]]),
                            "columnLineage": columnLineage([
                                "x": ["inputFields": [origin("a", "k", direct)]]
                            ]),
                        ]
                    )
                ],
                runFacets: [
                    "parent": facet([
                        "run": ["runId": .string(second)],
                        "job": ["namespace": "jobs", "name": "dag"],
                    ])
                ]
            ),
            runEvent(
                "COMPLETE",
                run: second,
                job: "two",
                time: at(9),
                inputs: [dataset("b")],
                outputs: [
                    dataset(
                        "c",
                        [
                            "columnLineage": columnLineage(
                                [
                                    "y": ["inputFields": [origin("b", "x", direct)]],
                                    "z": ["inputFields": []],
                                ],
                                rows: [origin("a", "f", ["type": "INDIRECT", "subtype": "FILTER"])]
                            )
                        ]
                    )
                ]
            ),
        ]
    }

    @Test("tells runs' states and times whatever order their events come in")
    func runs() throws {
        for events in [chain(), chain().reversed()] {
            let model = try model(events)
            let run = try model.run(first.uppercased()).json([:])
            #expect(run["state"] == "COMPLETED")
            #expect(run["startedAt"] == "2024-05-01T12:10:10.000000Z")
            #expect(run["durationMs"] == 5000)
            #expect(run["parent"]?["job"]?["name"] == "dag")
            let job = try model.job(EntityName("jobs", "one")).json([:])
            #expect(job["parentJobName"] == "dag")
            #expect(job["inputs"] == [["namespace": "s3://bucket", "name": "a"]])
            #expect(job["outputs"] == [["namespace": "s3://bucket", "name": "b"]])
        }
    }

    @Test(
        "has the state that the last end says",
        arguments: [
            (["START"], "RUNNING"), (["RUNNING"], "RUNNING"), (["OTHER"], "NEW"),
            (["START", "FAIL"], "FAILED"), (["START", "ABORT", "OTHER"], "ABORTED"),
            (["FAIL", "COMPLETE", "RUNNING"], "COMPLETED"),
        ] as [([String], String)]
    )
    func states(types: [String], state: String) throws {
        let events = types.enumerated().map { runEvent($1, run: first, time: at($0)) }
        for events in [events, events.reversed()] {
            #expect(try model(events).run(first).json([:])["state"]?.string == state)
        }
    }

    @Test("is the same in any order, and when events come twice", arguments: 0..<12)
    func order(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var events = chain()
        for number in 0..<20 {
            let job = "j\(Int.random(in: 0..<3, using: &random))"
            let run = "00000000-0000-4000-8000-00000000000\(number % 10)"
            let name = "d\(Int.random(in: 0..<4, using: &random))"
            let version = "v\(Int.random(in: 0..<3, using: &random))"
            events.append(
                runEvent(
                    ["START", "COMPLETE", "FAIL"].randomElement(using: &random),
                    run: run,
                    job: job + (number % 10 < 5 ? "a" : "b"),
                    time: at(number),
                    inputs: [dataset("d\(Int.random(in: 0..<4, using: &random))")],
                    outputs: [
                        dataset(
                            name,
                            [
                                "version": facet(["datasetVersion": .string(version)]),
                                "custom": facet(["number": .integer(number)]),
                            ]
                        )
                    ]
                )
            )
        }
        // A run belongs to the job that was told first; here all of its events name one.
        events = events.filter { event in
            let run = event["run"]?["runId"]?.string
            return event["job"] == events.first { $0["run"]?["runId"]?.string == run }?["job"]
        }
        func told(_ events: [JSON]) throws -> String { try model(events).everything() }
        let whole = try told(events)
        #expect(try told(events.shuffled(using: &random)) == whole)
        #expect(try told((events + events).shuffled(using: &random)) == whole)
    }

    @Test("draws what is connected, as deep as asked")
    func graph() throws {
        let model = try model(chain())
        let whole = try model.graph("dataset:s3://bucket:b")
        let ids = [
            "dataset:s3://bucket:a", "dataset:s3://bucket:b", "dataset:s3://bucket:c",
            "job:jobs:one", "job:jobs:two",
        ]
        #expect(whole.ids == ids)
        #expect(
            whole.node("job:jobs:two")["inEdges"]
                == [["origin": "dataset:s3://bucket:b", "destination": "job:jobs:two"]]
        )
        #expect(
            whole.node("dataset:s3://bucket:b")["outEdges"]
                == [["origin": "dataset:s3://bucket:b", "destination": "job:jobs:two"]]
        )
        #expect(whole.node("job:jobs:one")["data"]?["latestRun"]?["id"]?.string == first)
        let near = try model.graph("job:jobs:one", depth: 0)
        #expect(near.ids == ["dataset:s3://bucket:a", "dataset:s3://bucket:b", "job:jobs:one"])
        let alone = try model.graph("dataset:s3://bucket:a", depth: 0)
        #expect(alone.ids == ["dataset:s3://bucket:a", "dataset:s3://bucket:b", "job:jobs:one"])
    }

    @Test("follows columns up and down, with what whole rows depend on")
    func columns() throws {
        let model = try model(chain())
        let up = try model.columns("datasetField:s3://bucket:c:y")
        #expect(
            up.ids == [
                "datasetField:s3://bucket:a:f", "datasetField:s3://bucket:a:k",
                "datasetField:s3://bucket:b:x", "datasetField:s3://bucket:c:y",
            ]
        )
        let y = up.node("datasetField:s3://bucket:c:y")["data"]?["inputFields"]
        #expect(y?[0]?["field"] == "x")
        #expect(y?[0]?["transformationType"] == "IDENTITY")
        #expect(y?[1]?["transformations"]?[0]?["type"] == "INDIRECT")
        #expect(up.node("datasetField:s3://bucket:b:x")["data"]?["fieldType"] == "int")
        let short = try model.columns("datasetField:s3://bucket:c:y", depth: 1)
        #expect(!short.ids.contains("datasetField:s3://bucket:a:k"))
        let down = try model.columns("datasetField:s3://bucket:a:k", withDownstream: true)
        #expect(down.ids.contains("datasetField:s3://bucket:c:y"))
        #expect(!down.ids.contains("datasetField:s3://bucket:c:z"))
        #expect(
            down.node("datasetField:s3://bucket:a:k")["outEdges"]
                == [
                    [
                        "origin": "datasetField:s3://bucket:a:k",
                        "destination": "datasetField:s3://bucket:b:x",
                    ]
                ]
        )
        let whole = try model.columns("job:jobs:two")
        #expect(whole.ids.contains("datasetField:s3://bucket:c:z"))
    }

    @Test("ends where lineage goes in circles")
    func circle() throws {
        let event = runEvent(
            run: first,
            inputs: [dataset("a")],
            outputs: [
                dataset(
                    "a",
                    [
                        "columnLineage": columnLineage([
                            "x": ["inputFields": [origin("a", "x", direct)]]
                        ])
                    ]
                )
            ]
        )
        let model = try model([event])
        let graph = try model.columns(
            "datasetField:s3://bucket:a:x",
            depth: 10_000,
            withDownstream: true
        )
        #expect(graph.ids == ["datasetField:s3://bucket:a:x"])
        #expect(
            try model.graph("dataset:s3://bucket:a", depth: 10_000).ids.count == 2
        )
    }

    @Test("names versions after snapshots, facets or runs, and answers as of them")
    func versions() throws {
        var events = chain()
        events.append(
            runEvent(
                "COMPLETE",
                run: run(1),
                job: "three",
                time: at(20),
                inputs: [dataset("z")],
                outputs: [
                    dataset(
                        "c",
                        ["version": facet(["datasetVersion": "ignored"])],
                        io: ("outputFacets", ["icebergCommitReport": facet(["snapshotId": 77])])
                    )
                ]
            )
        )
        let model = try model(events)
        let name = bucket("c")
        let versions = try model.versions(of: name, offset: 0, limit: 10)
            .json("versions") { $0.json([:]) }
        #expect(versions["totalCount"] == 2)
        #expect(versions["versions"]?[0]?["version"] == "77")
        #expect(versions["versions"]?[1]?["version"]?.string == second)
        #expect(versions["versions"]?[1]?["createdByRun"]?["id"]?.string == second)
        #expect(try model.dataset(name).json["currentVersion"] == "77")
        let then = try model.graph("dataset:s3://bucket:c#\(second)")
        #expect(!then.ids.contains("job:jobs:three"))
        let now = try model.graph("dataset:s3://bucket:c#77")
        #expect(now.ids.contains("job:jobs:three"))
        let fields = try model.columns("datasetField:s3://bucket:c:y#\(second)")
        #expect(fields.ids.contains("datasetField:s3://bucket:c:y#\(second)"))
    }

    @Test("gives a run's own version way to one with a name")
    func betterVersion() throws {
        let plain = runEvent("RUNNING", run: first, time: at(0), outputs: [dataset("t")])
        let named = runEvent(
            "COMPLETE",
            run: first,
            time: at(1),
            outputs: [
                dataset(
                    "t",
                    io: ("outputFacets", ["icebergCommitReport": facet(["snapshotId": 5])])
                )
            ]
        )
        for events in [[plain, named], [named, plain]] {
            #expect(try model(events).versionNames(bucket("t")) == ["5"])
        }
    }

    @Test("takes a dataset's other names for it, before and after they are told")
    func symlinks() throws {
        let links = facet([
            "identifiers": [["namespace": "catalog:8181", "name": "ns.t", "type": "TABLE"]]
        ])
        let byName: JSON = ["namespace": "catalog:8181", "name": "ns.t"]
        let before = runEvent(run: first, job: "before", time: at(0), inputs: [byName])
        let link = runEvent(
            run: second,
            job: "link",
            time: at(1),
            outputs: [dataset("path", ["symlinks": links])]
        )
        let after = runEvent(
            run: run(1),
            job: "after",
            time: at(2),
            inputs: [byName]
        )
        for events in [[before, link, after], [link, before, after], [before, after, link]] {
            let model = try model(events)
            let graph = try model.graph("dataset:catalog:8181:ns.t")
            #expect(
                graph.ids == [
                    "dataset:s3://bucket:path", "job:jobs:after", "job:jobs:before",
                    "job:jobs:link",
                ]
            )
            #expect(try model.datasets(in: "catalog:8181", offset: 0, limit: 9).totalCount == 1)
            var query = OpenLineageModel.SearchQuery("NS.T")
            query.findsJobs = false
            #expect(model.search(query, limit: 10).totalCount == 1)
        }
    }

    @Test("lets a name go to the table that was made in the place of another")
    func movedNames() throws {
        func made(_ path: String, _ second: Int, _ run: String) -> JSON {
            runEvent(
                run: run,
                job: path,
                time: at(second),
                outputs: [
                    dataset(
                        path,
                        [
                            "symlinks": facet([
                                "identifiers": [
                                    ["namespace": "lake", "name": "main.t", "type": "TABLE"]
                                ]
                            ])
                        ]
                    )
                ]
            )
        }
        for events in [
            [made("old", 0, first), made("new", 1, second)],
            [made("new", 1, second), made("old", 0, first)],
        ] {
            let model = try model(events)
            #expect(try model.dataset(EntityName("lake", "main.t")).name.name == "new")
            #expect(try model.dataset(bucket("old")).name.name == "old")
        }
    }

    @Test("removes facets that an event takes away, and keeps the latest of others")
    func facets() throws {
        func event(_ number: Int, _ facets: JSONObject) -> JSON {
            runEvent(
                run: first,
                time: at(number),
                outputs: [dataset("t", facets)]
            )
        }
        let events = [
            event(0, ["a": facet(["n": 0]), "b": facet()]), event(1, ["a": facet(["n": 1])]),
            event(2, ["b": facet(["_deleted": true])]),
        ]
        for events in [events, events.reversed()] {
            let facets = try model(events).dataset(bucket("t")).json["facets"]
            #expect(facets?["a"]?["n"] == 1)
            #expect(facets?["b"] == nil)
        }
    }

    @Test("forgets a schema and column lineage that an event takes away, until they are told again")
    func deletedLineage() throws {
        let gone = facet(["_deleted": true])
        let delete = runEvent(
            run: run(1),
            job: "cleaner",
            time: at(7),
            outputs: [dataset("b", ["schema": gone, "columnLineage": gone])]
        )
        let again = chain()[1].with(["eventTime"], .string(at(8)))
        for events in [chain() + [delete], [delete] + chain()] {
            let told = try model(events).dataset(bucket("b")).json
            #expect(told["columnLineage"] == .null)
            // The column is still one that something was made from.
            #expect(told["fields"]?[0]?["type"] == .null)
        }
        let told = try model(chain() + [delete, again]).dataset(bucket("b")).json
        #expect(told["columnLineage"]?[0]?["name"] == "x")
        #expect(told["fields"]?[0]?["type"] == "int")
    }

    @Test("takes jobs and datasets from events without a run")
    func staticEvents() throws {
        let job = runEvent(job: "planned", inputs: [dataset("a")], outputs: [dataset("b")])
            .with(["run"], nil).with(["eventType"], nil)
        let table = runEvent().with(["run"], nil).with(["job"], nil).with(["inputs"], nil)
            .with(["outputs"], nil).with(["eventType"], nil)
            .with(["dataset"], dataset("a", ["schema": facet(["fields": [["name": "x"]]])]))
        let model = try model([job, table])
        #expect(try model.graph("job:jobs:planned", depth: 1).ids.count == 3)
        let found = try model.dataset(bucket("a")).json
        #expect(found["fields"]?[0]?["name"] == "x")
        #expect(try model.versionNames(bucket("a")).count == 1)
        #expect(
            model.listed(newestFirst: true, offset: 0, limit: 9).totalCount == 0
        )
    }

    @Test("reads node ids with colons and hashes by what is known")
    func nodeIDs() throws {
        let odd: JSON = ["namespace": "a:b://c:80", "name": "d:e#f"]
        let model = try model([
            runEvent(
                run: first,
                outputs: [
                    odd.with(["facets", "schema"], facet(["fields": [["name": "g:h"]]]))
                ]
            )
        ])
        #expect(try model.node("dataset:a:b://c:80:d:e#f") == .dataset(0, version: nil))
        #expect(try model.node("dataset:a:b://c:80:d:e#f#\(first)") == .dataset(0, version: first))
        #expect(
            try model.node("datasetField:a:b://c:80:d:e#f:g:h") == .field(0, "g:h", version: nil)
        )
        #expect(try model.node("job:jobs:etl") == .job(0))
        for id in ["", "dataset", "table:a:b", "run:\(first)"] {
            let error = #expect(throws: LineageError.self) { try model.node(id) }
            #expect(error?.code == .invalid)
        }
        for id in [
            "dataset:a", "dataset:a:b", "job::", "datasetField:a:b://c:80:d:e#f:x", "job:jobs:x",
        ] {
            let error = #expect(throws: LineageError.self) { try model.node(id) }
            #expect(error?.code == .notFound)
        }
    }

    @Test("lists events by their times, in pages")
    func events() throws {
        var model = try model(chain().reversed())
        model.sortEvents()
        func places(_ newestFirst: Bool, _ offset: Int, _ limit: Int) -> [Int64] {
            model.listed(newestFirst: newestFirst, offset: offset, limit: limit).elements.map(
                \.position
            )
        }
        #expect(places(false, 0, 10) == [3, 2, 1])
        #expect(places(true, 0, 2) == [1, 2])
        #expect(places(true, 2, 2) == [3])
        #expect(places(true, 5, 2) == [])
        let some = model.events(
            afterMicros: try #require(OpenLineageEvent.micros(ofTime: at(5))),
            beforeMicros: try #require(OpenLineageEvent.micros(ofTime: at(9))),
            newestFirst: true,
            offset: 0,
            limit: 10
        )
        #expect(some.totalCount == 1)
    }

    @Test("forgets the oldest runs and versions beyond its bounds")
    func bounds() throws {
        var bounds = OpenLineageModel.Bounds()
        (bounds.runsMax, bounds.versionsMax, bounds.eventsMax) = (10, 8, 16)
        var model = OpenLineageModel(bounds: bounds)
        for number in 0..<100 {
            let digits = String(1000 + number)
            let event = runEvent(
                run: "00000000-0000-4000-8000-00000000\(digits)",
                time: at(number % 50),
                outputs: [dataset("t")]
            )
            model.apply(
                try OpenLineageEvent(json: event),
                at: EventPlace(.events, position: Int64(number), index: 0)
            )
        }
        #expect(
            try model.runs(of: EntityName("jobs", "etl"), offset: 0, limit: 100).totalCount == 10
        )
        #expect(throws: LineageError.self) { try model.run("00000000-0000-4000-8000-000000001000") }
        _ = try model.run("00000000-0000-4000-8000-000000001099")
        let versions = try model.versions(of: bucket("t"), offset: 0, limit: 100)
        #expect((8...9).contains(versions.totalCount))
        #expect(
            model.listed(newestFirst: true, offset: 0, limit: 100).totalCount <= 18
        )
    }

    @Test(
        "says the same of events whose schemas and lineages were decoded before",
        arguments: 0..<6
    )
    func decodedFacets(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        // So small that it begins anew again and again.
        let decoded = DecodedFacets(byteCountMax: seed % 2 == 0 ? 1 << 20 : 5000)
        var (plain, known) = (OpenLineageModel(), OpenLineageModel())
        for number in 0..<200 {
            let columns = (0..<Int.random(in: 1...3, using: &random)).map { "c\($0)" }
            let source = "d\(Int.random(in: 0..<4, using: &random))"
            var fields = JSONObject()
            for column in columns {
                fields[column] = ["inputFields": [origin(source, column, direct)]]
            }
            let event = try JSONView(
                runEvent(
                    run: run(number),
                    job: "j\(number % 3)",
                    time: at(number),
                    outputs: [
                        dataset(
                            "d\(number % 5)",
                            [
                                "schema": facet([
                                    "fields": .array(columns.map { ["name": .string($0)] })
                                ]),
                                "columnLineage": columnLineage(fields),
                            ]
                        )
                    ]
                )
            )
            let place = EventPlace(.events, position: Int64(number + 1), index: 0)
            plain.apply(try OpenLineageEvent(event), at: place)
            known.apply(try OpenLineageEvent(event, decoded: decoded), at: place)
        }
        #expect(try known.everything() == plain.everything())
        #expect(known.differentLineageCount == plain.differentLineageCount)
        #expect(known.differentSchemaCount == plain.differentSchemaCount)
    }

    @Test("a schema that was refused once is refused again")
    func refusedFacets() throws {
        let decoded = DecodedFacets()
        let bad = facet(["fields": [["type": "int"]]])
        for (name, place) in [("schema", "fields[0].name"), ("columnLineage", "fields")] {
            let event = try JSONView(runEvent(outputs: [dataset("t", [name: bad])]))
            for _ in 0..<2 {
                let error = #expect(throws: LineageError.self) {
                    try OpenLineageEvent(event, decoded: decoded)
                }
                #expect(error?.description.contains("outputs[0].facets.\(name).\(place)") == true)
            }
        }
    }

    @Test("takes a snapshot that does not exist for no version, and its run for none either")
    func missingSnapshots() throws {
        func event(_ number: Int, _ snapshot: Int64, _ facets: JSONObject = [:]) -> JSON {
            let report = facet(["snapshotId": .integer(snapshot)])
            return runEvent(
                run: run(number),
                time: at(number),
                inputs: [dataset("in", io: ("inputFacets", ["icebergScanReport": report]))],
                outputs: [
                    dataset("out", facets, io: ("outputFacets", ["icebergCommitReport": report]))
                ]
            )
        }
        var model = OpenLineageModel()
        let stated = event(3, 9, ["version": facet(["datasetVersion": "stated"])])
        for (number, json) in [event(1, 7), event(2, 8), stated].enumerated() {
            var event = try OpenLineageEvent(json: json)
            #expect(event.datasetsWithReports.map(\.name.name) == ["in", "out"])
            event.removeReports(
                of: Set(
                    event.datasetsWithReports.compactMap(\.reportedSnapshot).filter { $0.id != 7 }
                )
            )
            model.apply(event, at: EventPlace(.events, position: Int64(number + 1), index: 0))
        }
        // What the facet `version` says was not looked up.
        #expect(try model.versionNames(bucket("out")) == ["stated", "7"])
        #expect(try model.graph("job:jobs:etl").ids.count == 3)
        #expect(model.hasVersion("7", [bucket("out")]))
        #expect(!model.hasVersion("8", [bucket("out")]))
        let used = try model.run(run(2)).json([:])["outputDatasetVersions"]
        #expect(used?[0]?["datasetVersionId"]?["version"]?.string != "8")
    }

    @Test("keeps each different column lineage once")
    func interning() throws {
        var events: [JSON] = []
        for number in 0..<50 {
            events.append(
                chain()[1].with(["eventTime"], .string(at(number)))
                    .with(
                        ["run", "runId"],
                        .string("00000000-0000-4000-8000-0000000000\(10 + number)")
                    )
            )
        }
        let model = try model(events)
        #expect(model.differentLineageCount == 1)
        #expect(model.differentSchemaCount == 1)
    }
}

@Suite("Timeline") struct TimelineTests {
    @Test("says what was last observed, in whatever order", arguments: 0..<50)
    func lastObserved(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let observations = (0..<12).map { (Int64($0), Int.random(in: 0..<3, using: &random)) }
        var timeline = Timeline<Int>()
        var known: [Int64: Int] = [:]
        for (time, value) in observations.shuffled(using: &random) {
            timeline.observe(value, at: time)
            known[time] = value
            #expect(timeline.latest?.value == known[known.keys.max() ?? 0])
            for (before, after) in zip(timeline.segments, timeline.segments.dropFirst()) {
                #expect(before.lastMicros < after.firstMicros)
                #expect(before.value != after.value)
            }
            for segment in timeline.segments {
                #expect(known[segment.firstMicros] == segment.value)
                #expect(known[segment.lastMicros] == segment.value)
            }
        }
        var ordered = Timeline<Int>()
        for (time, value) in observations { ordered.observe(value, at: time) }
        for (time, value) in observations { #expect(ordered.value(at: time) == value) }
        #expect(ordered.value(at: -1) == nil)
    }
}
