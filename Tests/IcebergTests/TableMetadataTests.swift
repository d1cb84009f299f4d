import Foundation
import Testing

import Bytes
import Iceberg
import TestSupport

@Suite("TableMetadata")
struct TableMetadataTests {
    static let v2 = #"""
        {"format-version":2,"table-uuid":"9c12d441-03fe-4693-9a96-a0705ddf69c1","location":"s3://bucket/test/location",
        "last-sequence-number":34,"last-updated-ms":1602638573590,"last-column-id":3,"current-schema-id":1,
        "schemas":[{"type":"struct","schema-id":0,"fields":[{"id":1,"name":"x","required":true,"type":"long"}]},
        {"type":"struct","schema-id":1,"identifier-field-ids":[1,2],"fields":[{"id":1,"name":"x","required":true,"type":"long"},
        {"id":2,"name":"y","required":true,"type":"long","doc":"comment"},{"id":3,"name":"z","required":true,"type":"long"}]}],
        "default-spec-id":0,"partition-specs":[{"spec-id":0,"fields":[{"source-id":1,"field-id":1000,"name":"x","transform":"identity"}]}],
        "last-partition-id":1000,"default-sort-order-id":3,"sort-orders":[{"order-id":3,"fields":[
        {"transform":"identity","source-id":2,"direction":"asc","null-order":"nulls-first"},
        {"transform":"bucket[4]","source-id":3,"direction":"desc","null-order":"nulls-last"}]}],
        "properties":{"read.split.target.size":"134217728"},"current-snapshot-id":3055729675574597004,
        "snapshots":[{"snapshot-id":3051729675574597004,"timestamp-ms":1515100955770,"sequence-number":0,
        "summary":{"operation":"append"},"manifest-list":"s3://a/b/1.avro","key-id":"k"},
        {"snapshot-id":3055729675574597004,"parent-snapshot-id":3051729675574597004,"timestamp-ms":1555100955770,"sequence-number":1,
        "summary":{"operation":"append","x":"y"},"manifest-list":"s3://a/b/2.avro","schema-id":1}],
        "refs":{"main":{"snapshot-id":3055729675574597004,"type":"branch"},
        "t":{"snapshot-id":3051729675574597004,"type":"tag","max-ref-age-ms":10000000}},
        "snapshot-log":[{"timestamp-ms":1515100955770,"snapshot-id":3051729675574597004},
        {"timestamp-ms":1555100955770,"snapshot-id":3055729675574597004}],
        "metadata-log":[{"metadata-file":"s3://bucket/1.json","timestamp-ms":1515100}],
        "statistics":[{"snapshot-id":3055729675574597004,"statistics-path":"s3://a/b/stats.puffin","file-size-in-bytes":413,
        "file-footer-size-in-bytes":42,"blob-metadata":[{"type":"ndv","snapshot-id":3055729675574597004,"sequence-number":1,"fields":[1]}]}],
        "partition-statistics":[{"snapshot-id":3055729675574597004,"statistics-path":"s3://a/b/p.parquet","file-size-in-bytes":42}],
        "com.example":{"kept":true}}
        """#

    static func json() throws -> JSON { try JSON.parse(v2) }

    static func changed(_ change: (inout JSONObject) -> Void) throws -> JSON {
        guard case .object(var object) = try json() else { return .null }
        change(&object)
        return .object(object)
    }

    @Test("reads v2 metadata and writes the same, fields it does not know included")
    func roundTrip() throws {
        let json = try Self.json()
        let table = try TableMetadata(json: json)
        #expect(table.json == json)
        #expect(table.currentSnapshot?.sequenceNumber == 1)
        #expect(table.snapshot(ref: "t")?.sequenceNumber == 0)
        #expect(table.snapshot(atMillis: 1_515_100_955_770)?.sequenceNumber == 0)
        #expect(table.snapshot(atMillis: 1_515_100_955_769) == nil)
        #expect(table.snapshot(atMillis: .max)?.sequenceNumber == 1)
        #expect(table.currentSchema.identifierFieldIDs == [1, 2])
        #expect(table.json.serialized() == (try TableMetadata(json: table.json)).json.serialized())
    }

    @Test("reads metadata compressed with gzip")
    func gzip() throws {
        let text = Array(Self.v2.utf8)
        let packed = try text.withUnsafeBytes { try compress(.gzip, $0) }
        #expect(try TableMetadata(bytes: packed) == TableMetadata(bytes: text))
        #expect(
            IcebergError.from { _ = try TableMetadata(bytes: packed, sizeMax: 100) }?.code
                == .unsupported
        )
    }

    @Test("tolerates missing refs: the current snapshot is main (rule 11)")
    func missingRefs() throws {
        let table = try TableMetadata(json: Self.changed { $0["refs"] = nil })
        #expect(table.refs == ["main": SnapshotRef(snapshotID: 3_055_729_675_574_597_004)])
    }

    @Test(
        "takes -1 and null for no current snapshot, and writes -1 up to v2, null from v3 (rule 11)"
    )
    func noSnapshot() throws {
        for value in [JSON.integer(-1), .null, nil] {
            let json = try Self.changed {
                $0["current-snapshot-id"] = value
                $0["refs"] = nil
                $0["snapshot-log"] = nil
            }
            let table = try TableMetadata(json: json)
            #expect(table.currentSnapshotID == nil)
            #expect(table.refs.isEmpty)
            #expect(table.json["current-snapshot-id"] == -1)
        }
        let v3 = try TableMetadata.create(
            schema: Schema(fields: [column(1, "a", .int)]),
            location: "s3://b/t",
            properties: ["format-version": "3"],
            uuid: testUUID,
            now: 1
        )
        #expect(v3.json["current-snapshot-id"] == .null)
        #expect(v3.json["next-row-id"] == 0)
        #expect(try TableMetadata(json: v3.json) == v3)
    }

    @Test(
        "writes the fields that v2 requires (rule 24)",
        arguments: [
            "format-version", "table-uuid", "location", "last-sequence-number", "last-updated-ms",
            "last-column-id", "schemas", "current-schema-id", "partition-specs", "default-spec-id",
            "last-partition-id", "sort-orders", "default-sort-order-id",
        ]
    )
    func requiredFields(name: String) throws {
        let table = try makeTable([column(1, "a", .int)])
        #expect(table.json[name] != nil)
        #expect(table.json["schema"] == nil)
        let json = try Self.changed { $0[name] = nil }
        let error = try #require(IcebergError.from { _ = try TableMetadata(json: json) })
        #expect(error.code == .corrupt)
        #expect(error.description.contains(name), "\(error)")
    }

    @Test("names what contradicts itself")
    func contradictions() throws {
        let cases: [(String, (inout JSONObject) -> Void)] = [
            ("current-schema-id", { $0["current-schema-id"] = 7 }),
            ("default-spec-id", { $0["default-spec-id"] = 7 }),
            ("default-sort-order-id", { $0["default-sort-order-id"] = 7 }),
            (
                "current-snapshot-id",
                {
                    $0["current-snapshot-id"] = 7; $0["refs"] = nil
                }
            ),
            ("main", { $0["current-snapshot-id"] = 3_051_729_675_574_597_004 }),
            (
                "ref t",
                {
                    $0["refs"] = [
                        "main": ["snapshot-id": 3_055_729_675_574_597_004, "type": "branch"],
                        "t": ["snapshot-id": 1, "type": "tag"],
                    ]
                }
            ),
            ("last-sequence-number", { $0["last-sequence-number"] = 0 }),
            ("last-column-id", { $0["last-column-id"] = 2 }),
            (
                "type",
                {
                    $0["refs"] = [
                        "main": ["snapshot-id": 3_055_729_675_574_597_004, "type": "twig"]
                    ]
                }
            ),
            ("properties", { $0["properties"] = ["a": 1] }),
        ]
        for (word, change) in cases {
            let json = try Self.changed(change)
            let error = try #require(
                IcebergError.from { _ = try TableMetadata(json: json) },
                "\(word)"
            )
            #expect(error.code == .corrupt)
            #expect(error.description.contains(word), "\(error)")
        }
        let v9 = try Self.changed { $0["format-version"] = 9 }
        #expect(IcebergError.from { _ = try TableMetadata(json: v9) }?.code == .unsupported)
    }

    @Test("never traps on damaged metadata", arguments: 0..<16)
    func damaged(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<200 {
            let bytes = mutated(Array(Self.v2.utf8), using: &random)
            if let table = try? TableMetadata(bytes: bytes) {
                #expect((try? TableMetadata(json: table.json)) == table)
            }
        }
    }

    @Test(
        "reads every fixture's metadata, and what it writes says the same",
        .enabled(if: Corpora.isPresent, "the corpora are absent"),
        arguments: Corpora.files(endingWith: ".metadata.json")
    )
    func fixtures(url: URL) throws {
        let bytes = try Corpora.bytes(url)
        let table = try TableMetadata(bytes: bytes)
        #expect(try TableMetadata(json: table.json) == table)
        // All members that were there are there again with the same values, but for forms that changed.
        let before = try #require(try JSON.parse(bytes).object)
        let changing = ["snapshots", "schemas", "schema", "refs", "current-snapshot-id"]
        for member in before.members where !changing.contains(member.key) && !member.value.isNull {
            #expect(table.json[member.key] == member.value, "\(member.key)")
        }
        #expect(table.snapshots.count == (before["snapshots"]?.array?.count ?? 0))
    }

    @Test(
        "agrees with PyIceberg on every fixture's metadata, and PyIceberg reads what it writes",
        .enabled(if: Corpora.isPresent && Python.path != nil, "no corpora or no VARVE_PYTHON")
    )
    func fixturesAgree() throws {
        let script = """
            import sys, json
            from pyiceberg.table.metadata import TableMetadataUtil
            out = []
            for path in sys.argv[1:]:
                try:
                    m = TableMetadataUtil.parse_raw(open(path).read())
                    out.append(json.loads(m.model_dump_json()))
                except Exception:
                    out.append(None)
            print(json.dumps(out))
            """
        let files = Corpora.files(endingWith: ".metadata.json")
        let folder = try TemporaryFolder()
        var ours: [String] = []
        for (index, url) in files.enumerated() {
            let table = try TableMetadata(bytes: Corpora.bytes(url))
            let path = folder.url.appendingPathComponent("\(index).metadata.json").path
            try folder.write(table.json.serialized(pretty: true), to: path)
            ours.append(path)
        }
        let theirs = try #require(try Python.run(script, files.map(\.path)).array)
        let again = try #require(try Python.run(script, ours).array)
        #expect(theirs.count == files.count)
        // It cannot read the v1 table without manifest lists.
        #expect(theirs.filter(\.isNull).count == 1)
        for (index, url) in files.enumerated() where !theirs[index].isNull {
            #expect(again[index] == theirs[index], "\(url.path)")
            let table = try TableMetadata(bytes: Corpora.bytes(url))
            #expect(theirs[index]["last-column-id"]?.int == table.lastColumnID)
            #expect(theirs[index]["current-snapshot-id"]?.int64 == table.currentSnapshotID)
            #expect(theirs[index]["schemas"]?.array?.count == table.schemas.count)
        }
    }

    // MARK: - Create

    @Test("gives new tables fresh ids, those of a struct before those nested in it (rule 13)")
    func create() throws {
        let point = StructType(fields: [column(31, "x", .int), column(32, "y", .int)])
        let schema = try Schema(
            schemaID: 5,
            fields: [
                column(10, "point", .struct(point), required: true),
                column(
                    20,
                    "m",
                    .map(
                        MapType(
                            keyID: 21,
                            key: .string,
                            valueID: 22,
                            value: .struct(StructType(fields: [column(23, "n", .int)])),
                            valueRequired: true
                        )
                    )
                ),
                column(40, "id", .long, required: true),
                column(
                    50,
                    "l",
                    .list(ListType(elementID: 51, element: .int, elementRequired: false))
                ),
            ],
            identifierFieldIDs: [40]
        )
        let table = try TableMetadata.create(
            schema: schema,
            spec: UnboundPartitionSpec(
                specID: 9,
                fields: [
                    .init(
                        sourceIDs: [40],
                        fieldID: 4000,
                        name: "id_bucket",
                        transform: .bucket(count: 4)
                    )
                ]
            ),
            sortOrder: SortOrder(orderID: 8, fields: [SortField(sourceID: 31)]),
            location: "s3://bucket/t/",
            properties: ["a": "b"],
            uuid: testUUID.uppercased(),
            now: 77
        )
        let ids = [
            "point": 1, "m": 2, "id": 3, "l": 4, "point.x": 5, "point.y": 6, "m.key": 7,
            "m.value": 8, "m.value.n": 9, "l.element": 10,
        ]
        for (name, id) in ids {
            #expect(table.currentSchema.field(named: name)?.id == id, "\(name)")
        }
        #expect(table.lastColumnID == 10)
        #expect(table.currentSchema.identifierFieldIDs == [3])
        #expect(table.currentSchemaID == 0)
        #expect(
            table.defaultSpec
                == PartitionSpec(
                    specID: 0,
                    fields: [
                        PartitionField(
                            sourceID: 3,
                            fieldID: 1000,
                            name: "id_bucket",
                            transform: .bucket(count: 4)
                        )
                    ]
                )
        )
        #expect(table.lastPartitionID == 1000)
        #expect(table.defaultSortOrder == SortOrder(orderID: 1, fields: [SortField(sourceID: 5)]))
        #expect(table.location == "s3://bucket/t")
        #expect(table.properties == ["a": "b"])
        #expect(table.tableUUID == testUUID)
        #expect(table.lastUpdatedMillis == 77)
        #expect(table.formatVersion == 2)
        try table.checkInvariants()
    }

    @Test("refuses tables it could not write")
    func refusedTables() throws {
        let schema = try Schema(fields: [column(1, "a", .timestampNanos)])
        func code(_ properties: [String: String], spec: UnboundPartitionSpec? = nil) -> IcebergError
            .Code?
        {
            IcebergError.from {
                _ = try TableMetadata.create(
                    schema: schema,
                    spec: spec,
                    location: "s3://b/t",
                    properties: properties,
                    uuid: testUUID,
                    now: 1
                )
            }?.code
        }
        #expect(code(["format-version": "2"]) == .invalid)
        #expect(code(["format-version": "3"]) == nil)
        #expect(code(["format-version": "1"]) == .unsupported)
        #expect(code(["format-version": "4"]) == .unsupported)
        #expect(code(["format-version": "x"]) == .invalid)
        let missing = UnboundPartitionSpec(fields: [
            .init(sourceIDs: [9], name: "p", transform: .day)
        ])
        #expect(code(["format-version": "3"], spec: missing) == .invalid)
        let unknown = UnboundPartitionSpec(fields: [
            .init(sourceIDs: [1], name: "p", transform: .unknown("z"))
        ])
        #expect(code(["format-version": "3"], spec: unknown) == .invalid)
        #expect(IcebergError.from { _ = try makeTable([], location: "") }?.code == .invalid)
    }
}
