import Bytes
import Foundation
import TestSupport
import Testing

import Lineage

private let producer = "https://example.com/producer"

/// A facet of these members.
func facet(_ members: JSONObject = [:]) -> JSON {
    var object: JSONObject = [
        "_producer": .string(producer), "_schemaURL": "https://example.com/facet.json",
    ]
    for member in members.members { object[member.key] = member.value }
    return .object(object)
}

/// A RunEvent with everything that a RunEvent needs.
func runEvent(
    _ type: String? = "COMPLETE",
    run: String = "0176a8c2-fe01-7439-87e6-56a1a1b4029f",
    job: String = "etl",
    time: String = "2024-05-01T12:30:00Z",
    inputs: [JSON] = [],
    outputs: [JSON] = [],
    runFacets: JSONObject = [:]
) -> JSON {
    var object: JSONObject = [
        "eventTime": .string(time), "producer": .string(producer),
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": ["runId": .string(run), "facets": .object(runFacets)],
        "job": ["namespace": "jobs", "name": .string(job)],
        "inputs": .array(inputs), "outputs": .array(outputs),
    ]
    if let type { object["eventType"] = .string(type) }
    return .object(object)
}

func dataset(_ name: String, _ facets: JSONObject = [:], io: (String, JSONObject)? = nil) -> JSON {
    var object: JSONObject = [
        "namespace": "s3://bucket", "name": .string(name), "facets": .object(facets),
    ]
    if let io { object[io.0] = .object(io.1) }
    return .object(object)
}

func origin(_ dataset: String, _ field: String, _ transformations: JSON...) -> JSON {
    [
        "namespace": "s3://bucket", "name": .string(dataset), "field": .string(field),
        "transformations": .array(transformations),
    ]
}

extension JSON {
    /// The same with a member at a path replaced; nil removes it.
    func with(_ path: [String], _ value: JSON?) -> JSON {
        guard var object else { return value ?? .null }
        if path.count == 1 {
            object[path[0]] = value
        } else {
            object[path[0]] = (object[path[0]] ?? [:]).with(Array(path.dropFirst()), value)
        }
        return .object(object)
    }
}

@Suite("OpenLineage events") struct OpenLineageEventTests {
    private func reason(_ json: JSON) -> String {
        do throws(LineageError) {
            _ = try OpenLineageEvent(json: json)
            return "accepted"
        } catch {
            #expect(error.code == .invalid)
            return error.description
        }
    }

    @Test("tells the three kinds apart as the schema does")
    func kinds() throws {
        let run = runEvent()
        let job = run.with(["run"], nil)
        let alone = job.with(["job"], nil).with(["dataset"], dataset("t"))
        if case .run(_, _, .complete) = try OpenLineageEvent(json: run).subject {
        } else {
            Issue.record("no run")
        }
        // A producer may add members; a dataset beside a run and a job makes no other kind of it.
        if case .run = try OpenLineageEvent(json: run.with(["dataset"], "whatever")).subject {
        } else {
            Issue.record("no run")
        }
        if case .run(_, _, nil) = try OpenLineageEvent(json: runEvent(nil)).subject {
        } else {
            Issue.record("no run without a type")
        }
        if case .job = try OpenLineageEvent(json: job).subject {
        } else {
            Issue.record("no job")
        }
        if case .dataset = try OpenLineageEvent(json: alone).subject {
        } else {
            Issue.record("no dataset")
        }
        #expect(reason(job.with(["dataset"], dataset("t"))).contains("stands beside a job"))
        #expect(reason(alone.with(["dataset"], nil)).contains("about nothing"))
        #expect(reason(run.with(["job"], nil)) == "job: is missing")
    }

    @Test(
        "names the member that is wrong, and why",
        arguments: [
            (["eventTime"], nil, "eventTime: is missing"),
            (["eventTime"], "yesterday", "eventTime: must be a time with an offset"),
            (["eventTime"], "2024-05-01T12:30:00", "eventTime: must be a time"),
            (["eventTime"], "2024-02-30T12:30:00Z", "eventTime: must be a time"),
            (["eventTime"], 7, "eventTime: must be a string, not a number"),
            (["producer"], nil, "producer: is missing"),
            (["producer"], "no uri", "producer: must be a URI"),
            (["schemaURL"], "/relative", "schemaURL: must be a URI"),
            (["eventType"], "DONE", "eventType: must be one of START"),
            (["eventType"], .null, "eventType: must be a string, not null"),
            (["run"], "id", "run: must be an object"),
            (["run", "runId"], nil, "run.runId: is missing"),
            (["run", "runId"], "0176a8c2-fe01-7439-87e6-56a1a1b4029", "run.runId: must be a UUID"),
            (["run", "facets", "x"], [:], "run.facets.x._producer: is missing"),
            (["run", "facets", "x"], 1, "run.facets.x: must be an object"),
            (["run", "facets"], [], "run.facets: must be an object"),
            (["job", "name"], nil, "job.name: is missing"),
            (["job", "name"], "", "job.name: has 0 bytes"),
            (["job", "namespace"], 1, "job.namespace: must be a string"),
            (["inputs"], [:], "inputs: must be an array"),
            (["inputs"], [1], "inputs[0]: must be an object"),
            (["outputs"], [["name": "t"]], "outputs[0].namespace: is missing"),
        ] as [([String], JSON?, String)]
    )
    func refusals(path: [String], value: JSON?, expected: String) {
        let text = reason(runEvent().with(path, value))
        #expect(text.hasPrefix(expected), "\(text)")
    }

    @Test(
        "reads facets that mean something here, and says what is wrong in them",
        arguments: [
            (["version"], ["datasetVersion": 1], "version.datasetVersion: must be a string"),
            (
                ["symlinks"], ["identifiers": [["namespace": "a", "name": "b"]]],
                "symlinks.identifiers[0].type: is missing"
            ),
            (["schema"], ["fields": [["type": "int"]]], "schema.fields[0].name: is missing"),
            (["columnLineage"], [:], "columnLineage.fields: is missing"),
            (
                ["columnLineage"], ["fields": ["a": [:]]],
                "columnLineage.fields.a.inputFields: is missing"
            ),
            (
                ["columnLineage"], ["fields": ["a": ["inputFields": [["name": "x"]]]]],
                "columnLineage.fields.a.inputFields[0].namespace: is missing"
            ),
            (
                ["lifecycleStateChange"], ["lifecycleStateChange": "GONE"],
                "lifecycleStateChange.lifecycleStateChange: must be one of"
            ),
        ] as [([String], JSON, String)]
    )
    func facets(name: [String], members: JSON, expected: String) {
        let one = facet(members.object ?? [:])
        let text = reason(runEvent(outputs: [dataset("t", [name[0]: one])]))
        #expect(text.hasPrefix("outputs[0].facets.\(expected)"), "\(text)")
        // What somebody takes away need not be whole.
        let deleted = one.with(["_deleted"], true)
        #expect(reason(runEvent(outputs: [dataset("t", [name[0]: deleted])])) == "accepted")
    }

    @Test("keeps unknown facets as they are, and notes those that are taken away")
    func unknownFacets() throws {
        let custom = facet(["deep": [["a": 1.0e3 == 1000 ? .number("1e3") : .null]]])
        let event = try OpenLineageEvent(
            json: runEvent(outputs: [
                dataset("t", ["custom": custom, "gone": facet(["_deleted": true])])
            ])
        )
        #expect(event.outputs[0].facets["custom"]?.json == custom)
        #expect(event.outputs[0].facets.deleted == ["gone"])
        #expect(event.outputs[0].facets.kept.map(\.key) == ["custom"])
    }

    @Test("takes versions from Iceberg's reports before the facet of that name")
    func versions() throws {
        let version = facet(["datasetVersion": "v7"])
        let scan = facet(["snapshotId": .number("3821550127947089987")])
        let event = try OpenLineageEvent(
            json: runEvent(
                inputs: [
                    dataset(
                        "a",
                        ["version": version],
                        io: ("inputFacets", ["icebergScanReport": scan])
                    )
                ],
                outputs: [
                    dataset("b", ["version": version]),
                    dataset("c", io: ("outputFacets", ["icebergCommitReport": scan])),
                ]
            )
        )
        #expect(event.inputs[0].version == "3821550127947089987")
        #expect(event.outputs[0].version == "v7")
        #expect(event.outputs[1].version == "3821550127947089987")
        let wrong = facet(["snapshotId": .number("1.5")])
        let text = reason(
            runEvent(outputs: [dataset("c", io: ("outputFacets", ["icebergCommitReport": wrong]))])
        )
        #expect(
            text.hasPrefix("outputs[0].outputFacets.icebergCommitReport.snapshotId: must be an")
        )
    }

    @Test("says once what all fields have, of the whole dataset")
    func factoring() throws {
        let direct: JSON = ["type": "DIRECT", "subtype": "IDENTITY"]
        let filter: JSON = ["type": "INDIRECT", "subtype": "FILTER"]
        let condition: JSON = ["type": "INDIRECT", "subtype": "CONDITIONAL"]
        let facets: JSONObject = [
            "columnLineage": facet([
                "fields": [
                    "x": [
                        "inputFields": [origin("a", "x", direct, filter), origin("a", "f", filter)]
                    ],
                    "y": [
                        "inputFields": [
                            origin("a", "y", direct), origin("a", "x", filter, condition),
                            origin("a", "f", filter),
                        ]
                    ],
                ],
                "dataset": [origin("a", "s", ["type": "INDIRECT", "subtype": "SORT"])],
            ])
        ]
        let event = try OpenLineageEvent(json: runEvent(outputs: [dataset("t", facets)]))
        let lineage = try #require(event.outputs[0].columnLineage)
        #expect(lineage.rows.map(\.field) == ["s", "x", "f"])
        #expect(lineage.rows.allSatisfy { $0.transformations.count == 1 })
        #expect(lineage.fields[0].origins.map(\.field) == ["x"])
        #expect(lineage.fields[0].origins[0].transformations.map(\.subtype) == ["IDENTITY"])
        #expect(lineage.fields[1].origins.map(\.field) == ["y", "x"])
        #expect(lineage.fields[1].origins[1].transformations.map(\.subtype) == ["CONDITIONAL"])
        #expect(lineage.factored == lineage)
    }

    @Test("factoring keeps what every field depends on", arguments: 0..<20)
    func factoringIsLossless(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        func some() -> JSON {
            let kinds: [JSON] = (0..<Int.random(in: 0...2, using: &random)).map { _ in
                ["type": Bool.random(using: &random) ? "DIRECT" : "INDIRECT"]
            }
            let field = "f\(Int.random(in: 0..<3, using: &random))"
            return [
                "namespace": "n", "name": Bool.random(using: &random) ? "a" : "b",
                "field": .string(field), "transformations": .array(kinds),
            ]
        }
        let shared = [some(), some()]
        let given = (0..<4).map { _ in shared + [some()] }
        let rows = [some()]
        var fields = JSONObject()
        for (index, origins) in given.enumerated() {
            fields["c\(index)"] = ["inputFields": .array(origins)]
        }
        let facet = facet(["fields": .object(fields), "dataset": .array(rows)])
        let event = try OpenLineageEvent(
            json: runEvent(outputs: [dataset("t", ["columnLineage": facet])])
        )
        let columns = try #require(event.outputs[0].columnLineage)
        func told(_ origin: OpenLineageColumns.Origin) -> [String] {
            let name = "\(origin.dataset.name).\(origin.field)"
            if origin.transformations.isEmpty { return [name] }
            return origin.transformations.map { "\(name) \($0.type)" }
        }
        func told(_ origin: JSON) -> [String] {
            let name = "\(origin["name"]?.string ?? "").\(origin["field"]?.string ?? "")"
            let kinds = (origin["transformations"]?.array ?? []).compactMap { $0["type"]?.string }
            return kinds.isEmpty ? [name] : kinds.map { "\(name) \($0)" }
        }
        for (index, origins) in given.enumerated() {
            let expected = Set((origins + rows).flatMap { told($0) })
            let found = Set((columns.fields[index].origins + columns.rows).flatMap { told($0) })
            #expect(found == expected)
        }
        #expect(columns.factored == columns)
    }

    @Test(
        "reads times of RFC 3339",
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("2024-05-01T12:30:00.123Z", 1_714_566_600_123_000),
            ("2024-05-01T14:30:00.123456789+02:00", 1_714_566_600_123_456),
            ("1969-12-31t23:59:59z", -1_000_000),
            ("2000-02-29T00:00:00-00:30", 951_784_200_000_000),
            ("0000-01-01T00:00:00Z", -62_167_219_200_000_000),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000_000),
        ] as [(String, Int64)]
    )
    func times(text: String, micros: Int64) {
        #expect(OpenLineageEvent.micros(ofTime: text) == micros)
    }

    @Test(
        "refuses what is no time",
        arguments: [
            "", "2024-05-01", "2024-05-01T12:30:00", "2024-05-01 12:30:00Z", "2024-13-01T00:00:00Z",
            "2023-02-29T00:00:00Z", "2024-05-01T24:00:00Z", "2024-05-01T12:60:00Z",
            "2024-05-01T12:30:00.Z", "2024-05-01T12:30:00+0200", "2024-05-01T12:30:00Zx",
            "2024-05-01T12:30:00+25:00", "+024-05-01T12:30:00Z", "2024-05-01T12:30Z",
        ]
    )
    func noTimes(text: String) {
        #expect(OpenLineageEvent.micros(ofTime: text) == nil)
    }

    @Test("knows URIs from other texts")
    func uris() {
        for text in ["http://123", "urn:uuid:x", "https://a/b#/$defs/X", "s3://b/%20"] {
            #expect(isURI(text), "\(text)")
        }
        for text in ["", "x", "/x", ":x", "1a:x", "http://a b", "a:%2", "a:b#c#d", "a:ä", "a:\"b"] {
            #expect(!isURI(text), "\(text)")
        }
    }

    @Test("gives equal events one id, and other events others")
    func ids() throws {
        let event = runEvent(outputs: [dataset("t")])
        let bytes = event.serialized(pretty: true)
        var object = JSONObject()
        for member in try #require(event.object).members.reversed() {
            object[member.key] = member.value
        }
        let reversed = JSON.object(object)
        let id = try AcceptedEvent(JSONView(event)).id
        #expect(id.utf8.count == 64)
        #expect(try AcceptedEvent(JSONText(bytes).root).id == id)
        #expect(try AcceptedEvent(JSONView(reversed)).id == id)
        #expect(try AcceptedEvent(JSONView(event.with(["job", "name"], "other"))).id != id)
    }

    @Test("refuses events that are nested too deep or too large")
    func limits() {
        var deep: JSON = 1
        for _ in 0..<OpenLineageLimits.depthMax { deep = [deep] }
        #expect(reason(runEvent(runFacets: ["x": facet(["d": deep])])).contains("nested more than"))
        let long = String(repeating: "x", count: OpenLineageLimits.textBytesMax + 1)
        #expect(reason(runEvent(job: long)).contains("bytes; 1 to 8192 are allowed"))
        let large = runEvent(
            runFacets: [
                "x": facet([
                    "text": .string(String(repeating: "x", count: OpenLineageLimits.eventBytesMax))
                ])
            ]
        )
        #expect(throws: LineageError.self) { try AcceptedEvent(JSONView(large)) }
    }

    @Test("never traps on any bytes", arguments: 0..<16)
    func anyBytes(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let direct: JSON = ["type": "DIRECT", "subtype": "IDENTITY"]
        let whole = runEvent(
            inputs: [
                dataset(
                    "a",
                    ["version": facet(["datasetVersion": "1"])],
                    io: ("inputFacets", ["icebergScanReport": facet(["snapshotId": 12])])
                )
            ],
            outputs: [
                dataset(
                    "t",
                    [
                        "schema": facet(["fields": [["name": "x", "fields": [["name": "y"]]]]]),
                        "symlinks": facet([
                            "identifiers": [["namespace": "n", "name": "m", "type": "TABLE"]]
                        ]),
                        "columnLineage": facet([
                            "fields": ["x": ["inputFields": [origin("a", "x", direct)]]]
                        ]),
                        "lifecycleStateChange": facet(["lifecycleStateChange": "CREATE"]),
                    ]
                )
            ],
            runFacets: [
                "nominalTime": facet(["nominalStartTime": "2024-05-01T00:00:00Z"]),
                "parent": facet([
                    "run": ["runId": "0176a8c2-fe01-7439-87e6-56a1a1b4029f"],
                    "job": ["namespace": "n", "name": "j"],
                ]),
            ]
        )
        let bytes = whole.serialized()
        _ = try OpenLineageEvent(json: whole)
        var acceptedCount = 0
        for _ in 0..<2000 {
            var mutated = bytes
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let place = Int.random(in: 0..<mutated.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: mutated[place] = UInt8.random(in: 0...255, using: &random)
                case 1: mutated.remove(at: place)
                default:
                    mutated.insert(
                        bytes[Int.random(in: 0..<bytes.count, using: &random)],
                        at: place
                    )
                }
            }
            guard let json = try? JSON.parse(mutated) else { continue }
            if (try? OpenLineageEvent(json: json)) != nil { acceptedCount += 1 }
        }
        // Most letters of names may be others.
        #expect(acceptedCount > 0)
    }
}
