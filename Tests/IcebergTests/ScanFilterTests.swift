import Testing

import Bytes
import Iceberg
import TestSupport

@Suite struct ScanFilterTests {
    private static let schema = try? Schema(fields: [
        NestedField(id: 1, name: "a", required: false, type: .long),
        NestedField(id: 2, name: "b", required: false, type: .string),
        NestedField(id: 3, name: "c", required: false, type: .decimal(precision: 9, scale: 2)),
        NestedField(id: 4, name: "f", required: false, type: .float),
        NestedField(
            id: 5,
            name: "s",
            required: false,
            type: .struct(
                StructType(fields: [NestedField(id: 6, name: "x", required: false, type: .int)])
            )
        ),
    ])

    private func filter(_ json: JSON) throws -> ScanFilter {
        try ScanFilter(json: json, schema: try #require(Self.schema))
    }

    @Test("reads older and newer forms, and writes what it read")
    func forms() throws {
        let old: JSON = ["type": "lt", "term": "s.x", "value": 5]
        #expect(try filter(old).predicate == .compare(6, .less, .int(5)))
        #expect(try filter(old).predicate.json(#require(Self.schema)) == old)
        let new: JSON = [
            "type": "lt", "left": ["type": "reference", "id": 6],
            "right": ["type": "literal", "value": 5],
        ]
        #expect(try filter(new).predicate == .compare(6, .less, .int(5)))
        let text: JSON = ["type": "lt", "term": "s.x", "value": "5"]
        #expect(try filter(text).predicate == .compare(6, .less, .int(5)))
        #expect(throws: IcebergError.self) {
            try filter(["type": "lt", "term": "s.x", "value": "five"])
        }
        let set: JSON = [
            "type": "not-in", "child": ["type": "reference", "name": "c"],
            "values": [
                "type": "literals", "values": ["1.50", "2.00"], "data-type": "decimal(9,2)",
            ],
        ]
        #expect(
            try filter(set).predicate
                == .notIn(3, [.decimal(150, scale: 2), .decimal(200, scale: 2)])
        )
        #expect(
            try filter(["type": "not", "child": ["type": "and", "left": old, "right": set]])
                .predicate
                == .or([
                    .compare(6, .greaterOrEqual, .int(5)),
                    .in(3, [.decimal(150, scale: 2), .decimal(200, scale: 2)]),
                ])
        )
    }

    @Test("numbers that the column cannot have, and functions, prune nothing under any negation")
    func unknown() throws {
        let parts: [JSON] = [
            ["type": "gt", "term": "s.x", "value": 3_000_000_000],
            ["type": "eq", "term": "a", "value": .number("1.5")],
            ["type": "eq", "term": "f", "value": .number("0.1")],
            [
                "type": "eq", "value": 1,
                "term": ["type": "transform", "transform": "bucket[4]", "term": "a"],
            ],
            [
                "type": "is-null",
                "child": ["type": "apply", "function": "f", "arguments": []],
            ],
        ]
        for part in parts {
            for json in [part, ["type": "not", "child": part]] {
                let filter = try filter(json)
                #expect(filter.predicate == .always && !filter.isExact, "\(part.text())")
            }
        }
    }

    @Test("filters that are nested too deep are refused")
    func depth() throws {
        var json: JSON = true
        for _ in 0..<300 { json = ["type": "not", "child": json] }
        #expect(throws: IcebergError.self) { try filter(json) }
    }

    @Test("mutated filters never trap", arguments: 0..<6 as Range<UInt64>)
    func garbage(seed: UInt64) throws {
        let schema = try #require(Self.schema)
        let json: JSON = [
            "type": "or",
            "left": ["type": "in", "term": "a", "values": [1, 2, 3]],
            "right": [
                "type": "and", "left": ["type": "starts-with", "term": "b", "value": "x"],
                "right": ["type": "eq", "left": ["type": "reference", "id": 3], "right": "1.25"],
            ],
        ]
        let text = json.serialized()
        var random = SeededGenerator(seed: seed)
        for _ in 0..<800 {
            let bytes = damaged(text, &random)
            guard let json = try? JSON.parse(bytes),
                let filter = try? ScanFilter(json: json, schema: schema)
            else { continue }
            // What is written can be read again.
            if let written = filter.predicate.json(schema) {
                _ = try ScanFilter(json: written, schema: schema)
            }
        }
    }

    private func damaged(_ bytes: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
        mutated(bytes, using: &random)
    }
}
