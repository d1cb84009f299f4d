import Bytes
import Foundation
import TestSupport
import Testing

import Lineage

@Suite("Lineage facts") struct LineageFactsTests {
    static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Formats/lineage-facts/vectors")

    static func sample(carried: Bool = true) throws -> JSON {
        let map = ColumnMap(
            outputs: [
                ColumnMap.Output(
                    name: "day",
                    fieldID: 1,
                    origins: [
                        ColumnMap.Origin(
                            input: 0,
                            column: "time_hour",
                            fieldID: 19,
                            kind: .direct,
                            subtype: "TRANSFORMATION"
                        )
                    ]
                ),
                ColumnMap.Output(
                    name: "ü \"name\"",
                    fieldID: 2,
                    origins: [
                        ColumnMap.Origin(
                            input: 1,
                            column: "name",
                            kind: .direct,
                            subtype: "IDENTITY",
                            isMasked: true
                        ),
                        ColumnMap.Origin(
                            input: 0,
                            column: "dep_delay",
                            fieldID: 6,
                            kind: .indirect,
                            subtype: "CONDITIONAL"
                        ),
                    ]
                ),
                ColumnMap.Output(name: "constant", fieldID: 3, origins: []),
            ],
            rows: [
                ColumnMap.Origin(
                    input: 0,
                    column: "carrier",
                    fieldID: 10,
                    kind: .indirect,
                    subtype: "JOIN"
                )
            ]
        )
        var lineage = CommitLineage()
        lineage.add(
            LineageFacts(
                job: LineageFacts.Job(
                    kind: "transform",
                    name: "analytics.daily_delays",
                    version: String(repeating: "ab", count: 32)
                ),
                runID: "6f1c4f4e-9f4e-4b0a-8f55-0d8f1f6a7c11",
                inputs: [
                    LineageFacts.Input(
                        .table(
                            uuid: "00000000-0000-4000-8000-000000000001",
                            name: ["flights", "raw"]
                        ),
                        snapshotID: 8_744_736_658_442_914_487,
                        schemaID: 0
                    ),
                    LineageFacts.Input(.file("s3://raw/airlines.csv")),
                ],
                output: LineageFacts.Output(
                    .table(
                        uuid: "00000000-0000-4000-8000-000000000002",
                        name: ["analytics", "daily_delays"]
                    ),
                    snapshotID: 42,
                    operation: "overwrite",
                    replacesContents: true
                )
            ),
            map: map
        )
        return try lineage.omittingMaps { _ in !carried }.encoded()
    }

    @Test("are written as the vectors have them", arguments: ["first", "again"])
    func golden(name: String) throws {
        let json = try Self.sample(carried: name == "first")
        let file = Self.folder.appendingPathComponent("\(name).json")
        if ProcessInfo.processInfo.environment["VARVE_WRITE_VECTORS"] != nil {
            try Data(json.serialized(pretty: true) + [0x0A]).write(to: file)
        }
        let bytes = Array(try Data(contentsOf: file))
        #expect(bytes == json.serialized(pretty: true) + [0x0A])
        #expect(try CommitLineage(json: JSON.parse(bytes)).encoded() == json)
    }

    @Test("the hash of a map does not depend on the order of origins")
    func hash() {
        let origins = [
            ColumnMap.Origin(input: 1, column: "b", kind: .direct),
            ColumnMap.Origin(input: 0, column: "z", kind: .indirect, subtype: "FILTER"),
            ColumnMap.Origin(input: 1, column: "b", kind: .direct),
        ]
        let one = ColumnMap(outputs: [ColumnMap.Output(name: "o", origins: origins)])
        let other = ColumnMap(outputs: [
            ColumnMap.Output(name: "o", origins: Array(origins.reversed()))
        ])
        #expect(one.hash == other.hash)
        #expect(one.hash.count == 64)
    }

    @Test("ignore members that they do not know")
    func forwardCompatible() throws {
        let json = try Self.sample()
        var object = try #require(json.object)
        object["new-member"] = ["x": 1]
        var fact = try #require(json["facts"]?[0]?.object)
        fact["weather"] = "fine"
        object["facts"] = [.object(fact)]
        #expect(try CommitLineage(json: .object(object)) == CommitLineage(json: json))
    }

    @Test(
        "are refused when a member is missing or wrong",
        arguments: [
            "{}", "[]", #"{"version":0,"facts":[]}"#, #"{"version":2,"facts":[]}"#,
            #"{"version":1}"#, #"{"version":1,"facts":{}}"#, #"{"version":1,"facts":[1]}"#,
            #"{"version":1,"facts":[{"job":{"kind":"sql","name":"j"},"run":"","inputs":[],"output":{"file":"f","operation":"o"}}]}"#,
            #"{"version":1,"facts":[{"job":{"kind":"sql","name":"j"},"run":"r","inputs":[{"table":"u"}],"output":{"file":"f","operation":"o"}}]}"#,
            #"{"version":1,"facts":[{"job":{"kind":"sql","name":"j"},"run":"r","inputs":[],"output":{"file":"f","table":"t","name":["a"],"operation":"o"}}]}"#,
            #"{"version":1,"facts":[{"job":{"kind":"sql","name":"j"},"run":"r","inputs":[],"output":{"file":"f","operation":"o"},"column-map":"XY"}]}"#,
            #"{"version":1,"facts":[],"column-maps":{"abc":{"columns":[]}}}"#,
            #"{"version":1,"facts":[],"column-maps":[]}"#,
        ]
    )
    func refused(text: String) throws {
        let json = try JSON.parse(text)
        #expect(throws: LineageError.self) { try CommitLineage(json: json) }
    }

    @Test("a map that names an input that is not there is refused")
    func inputBounds() throws {
        let map = identityMap(["x"], input: 3)
        var lineage = CommitLineage()
        lineage.add(
            LineageFacts(
                job: LineageFacts.Job(kind: "sql", name: "j"),
                runID: "r",
                inputs: [LineageFacts.Input(.file("a/b"))],
                output: LineageFacts.Output(
                    .file("c/d"),
                    operation: "append",
                    replacesContents: false
                )
            ),
            map: map
        )
        #expect(throws: LineageError.self) { try lineage.encoded() }
    }

    @Test("never trap on mutated JSON", arguments: 0..<16)
    func mutated(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let bytes = try Self.sample().serialized()
        for _ in 0..<300 {
            var copy = bytes
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let index = Int.random(in: 0..<copy.count, using: &random)
                copy[index] = UInt8.random(in: 0...255, using: &random)
            }
            if let json = try? JSON.parse(copy) { _ = try? CommitLineage(json: json) }
        }
        // Well-formed JSON of the wrong shapes.
        let values: [JSON] = [
            .null, true, -1, 9_223_372_036_854_775_807, "", "x", [], [:], .number("1e999"),
        ]
        func mutate(_ json: JSON) -> JSON {
            if Int.random(in: 0..<24, using: &random) == 0 {
                return values.randomElement(using: &random) ?? .null
            }
            switch json {
            case .array(let elements): return .array(elements.map(mutate))
            case .object(let object):
                var result = JSONObject()
                for member in object.members where Int.random(in: 0..<40, using: &random) > 0 {
                    result[member.key] = mutate(member.value)
                }
                return .object(result)
            default: return json
            }
        }
        let sample = try Self.sample()
        for _ in 0..<200 {
            let json = mutate(sample)
            guard let lineage = try? CommitLineage(json: json) else { continue }
            #expect(throws: Never.self) { try lineage.encoded() }
            let graph = LineageGraph()
            try graph.apply([
                LineageCommit(
                    position: 1,
                    index: 0,
                    timeMillis: 1,
                    id: "c",
                    actor: "a",
                    changes: [],
                    lineage: json
                )
            ])
        }
    }
}
