import Testing

import Bytes
import Iceberg
import TestSupport

@Suite("Schema")
struct SchemaTests {
    static let nested = #"""
        {"type":"struct","schema-id":3,"fields":[
        {"id":1,"name":"id","required":true,"type":"long","doc":"the key"},
        {"id":2,"name":"point","required":true,"type":{"type":"struct","fields":[
        {"id":3,"name":"x","required":true,"type":"double"},{"id":4,"name":"y","required":false,"type":"double"}]}},
        {"id":5,"name":"points","required":false,"type":{"type":"list","element-id":6,"element":{"type":"struct","fields":[
        {"id":7,"name":"x","required":true,"type":"int"}]},"element-required":true}},
        {"id":8,"name":"tags","required":false,"type":{"type":"map","key-id":9,"key":"string","value-id":10,"value":{"type":"struct","fields":[
        {"id":11,"name":"n","required":false,"type":"decimal(9, 2)"}]},"value-required":false}},
        {"id":12,"name":"v","required":false,"type":"int","initial-default":7,"write-default":8,"custom":[1]}],
        "identifier-field-ids":[1],"other":"kept"}
        """#

    @Test("reads the JSON of Appendix C and writes the same")
    func roundTrip() throws {
        let json = try JSON.parse(Self.nested)
        let schema = try Schema(json: json)
        #expect(schema.json == json)
        #expect(schema.schemaID == 3)
        #expect(schema.highestFieldID == 12)
        #expect(schema.field(id: 12)?.initialValue == .int(7))
        #expect(schema.field(id: 12)?.writeValue == .int(8))
    }

    @Test("finds fields by id and by dotted name, elements and values may be left out")
    func lookup() throws {
        let schema = try Schema(json: JSON.parse(Self.nested))
        for (name, id) in [
            ("id", 1), ("point.x", 3), ("points", 5), ("points.element", 6),
            ("points.element.x", 7), ("points.x", 7), ("tags.key", 9), ("tags.value", 10),
            ("tags.value.n", 11), ("tags.n", 11),
        ] {
            #expect(schema.field(named: name)?.id == id, "\(name)")
        }
        #expect(schema.fullName(id: 7) == "points.element.x")
        #expect(schema.field(named: "x") == nil)
        #expect(schema.field(namedIgnoringCase: "POINT.X")?.id == 3)
        #expect(schema.location(id: 7)?.isRepeated == true)
        #expect(schema.location(id: 3)?.isOptional == false)
        #expect(schema.location(id: 4)?.isOptional == true)
    }

    @Test(
        "names the field that is wrong",
        arguments: [
            (#"{"type":"struct"}"#, "fields"),
            (#"{"type":"list","fields":[]}"#, "type"),
            (#"{"type":"struct","fields":[{"id":1,"name":"a","type":"int"}]}"#, "required"),
            (
                #"{"type":"struct","fields":[{"id":1,"name":"a","required":true,"type":"integer"}]}"#,
                "\"a\""
            ),
            (
                #"{"type":"struct","fields":[{"id":1,"name":"a","required":true,"type":"decimal(39,2)"}]}"#,
                "decimal"
            ),
            (
                #"{"type":"struct","fields":[{"id":1,"name":"a","required":true,"type":"fixed[-1]"}]}"#,
                "fixed"
            ),
            (
                #"{"type":"struct","fields":[{"id":"1","name":"a","required":true,"type":"int"}]}"#,
                "id"
            ),
            (
                #"{"type":"struct","fields":[{"id":1,"name":"a","required":true,"type":{"type":"list","element-id":2,"element":"int"}}]}"#,
                "element-required"
            ),
            (
                #"{"type":"struct","fields":[{"id":1,"name":"a","required":true,"type":"int","initial-default":"x"}]}"#,
                "\"a\""
            ),
            (
                #"{"type":"struct","fields":[{"id":2147483448,"name":"a","required":true,"type":"int"}]}"#,
                "2147483447"
            ),
            (
                #"{"type":"struct","fields":[{"id":1,"name":"a","required":true,"type":"int"},{"id":1,"name":"b","required":true,"type":"int"}]}"#,
                "same id"
            ),
            (
                #"{"type":"struct","fields":[{"id":1,"name":"a","required":true,"type":"int"},{"id":2,"name":"a","required":true,"type":"int"}]}"#,
                "named a"
            ),
        ]
    )
    func errors(text: String, word: String) throws {
        let json = try JSON.parse(text)
        let error = try #require(IcebergError.from { _ = try Schema(json: json) })
        #expect(error.code == .corrupt)
        #expect(error.description.contains(word), "\(error)")
    }

    @Test("lets only required primitive fields identify rows")
    func identifiers() throws {
        let fields = [
            column(1, "a", .int, required: true), column(2, "b", .int),
            column(3, "c", .double, required: true),
            column(
                4,
                "l",
                .list(ListType(elementID: 5, element: .int, elementRequired: true)),
                required: true
            ),
            column(6, "s", .struct(StructType(fields: [column(7, "x", .int, required: true)]))),
        ]
        _ = try Schema(fields: fields, identifierFieldIDs: [1])
        for id in [2, 3, 4, 5, 7, 99] {
            let error = IcebergError.from {
                _ = try Schema(fields: fields, identifierFieldIDs: [id])
            }
            #expect(error?.code == .invalid, "\(id)")
        }
    }

    @Test(
        "reads and writes all primitive types",
        arguments: [
            "boolean", "int", "long", "float", "double", "decimal(38, 10)", "date", "time",
            "timestamp", "timestamptz", "timestamp_ns", "timestamptz_ns", "string", "uuid",
            "fixed[16]", "binary", "unknown", "variant", "geometry(srid:4326)",
            "geography(srid:4326, spherical)",
        ]
    )
    func primitives(text: String) throws {
        #expect(try IcebergType(json: .string(text)).json == .string(text))
    }

    @Test("reads parameters with white space or without")
    func parameters() throws {
        #expect(try IcebergType(json: "decimal(9,2)") == .decimal(precision: 9, scale: 2))
        #expect(try IcebergType(json: "decimal( 9 , 2 )") == .decimal(precision: 9, scale: 2))
        #expect(try IcebergType(json: "fixed[ 3 ]") == .fixed(length: 3))
    }

    @Test("stops at types nested too deep")
    func depth() throws {
        var json: JSON = "int"
        for _ in 0..<90 {
            json = ["type": "list", "element-id": 1, "element": json, "element-required": true]
        }
        #expect(IcebergError.from { _ = try IcebergType(json: json) }?.code == .unsupported)
    }

    @Test("never traps on damaged JSON", arguments: 0..<16)
    func damaged(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<300 {
            let bytes = mutated(Array(Self.nested.utf8), using: &random)
            if let json = try? JSON.parse(bytes), let schema = try? Schema(json: json) {
                #expect((try? Schema(json: schema.json)) == schema)
            }
        }
    }
}

@Suite("NameMapping")
struct NameMappingTests {
    // The example of Appendix C.
    static let text = #"""
        [{"field-id":1,"names":["id","record_id"]},{"field-id":2,"names":["data"]},
        {"field-id":3,"names":["location"],"fields":[{"field-id":4,"names":["latitude","lat"]},
        {"field-id":5,"names":["longitude","long"]}]},{"names":["extra.col"]}]
        """#

    @Test("reads and writes the example of the specification")
    func roundTrip() throws {
        let json = try JSON.parse(Self.text)
        let mapping = try NameMapping(json: json)
        #expect(mapping.json == json)
        #expect(mapping.fieldID(path: ["record_id"]) == 1)
        #expect(mapping.fieldID(path: ["location", "lat"]) == 4)
        #expect(mapping.fieldID(path: ["location.lat"]) == nil)
        #expect(mapping.fieldID(path: ["extra.col"]) == nil)
        #expect(mapping.fieldID(path: []) == nil)
    }

    @Test("maps a schema by its own names")
    func ofSchema() throws {
        let schema = try Schema(json: JSON.parse(SchemaTests.nested))
        let mapping = NameMapping(schema: schema)
        #expect(mapping.fieldID(path: ["points", "element", "x"]) == 7)
        #expect(mapping.fieldID(path: ["tags", "value", "n"]) == 11)
    }

    @Test("refuses a name for two fields")
    func ambiguous() throws {
        let json = try JSON.parse(#"[{"field-id":1,"names":["a"]},{"field-id":2,"names":["a"]}]"#)
        #expect(IcebergError.from { _ = try NameMapping(json: json) }?.code == .corrupt)
    }
}
