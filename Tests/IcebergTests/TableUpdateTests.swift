import Testing

import Bytes
import Iceberg
import TestSupport

@Suite("TableUpdate")
struct TableUpdateTests {
    static let now: Int64 = 1_800_000_000_000

    static func table() throws -> TableMetadata {
        try makeTable(
            [
                column(1, "id", .long, required: true), column(2, "ts", .timestamp),
                column(3, "s", .string),
            ],
            spec: [(2, .day, "ts_day")]
        )
    }

    static func snapshot(_ id: Int64, sequence: Int64, parent: Int64? = nil, time: Int64 = now)
        -> Snapshot
    {
        Snapshot(
            snapshotID: id,
            parentSnapshotID: parent,
            sequenceNumber: sequence,
            timestampMillis: time,
            manifestList: "s3://bucket/snap-\(id).avro",
            operation: .append,
            schemaID: 0
        )
    }

    /// A table with two snapshots on main and a tag on the first.
    static func committed() throws -> TableMetadata {
        try TableMetadata.apply(
            [
                .addSnapshot(snapshot(11, sequence: 1)),
                .setSnapshotRef(name: "main", SnapshotRef(snapshotID: 11)),
                .setSnapshotRef(name: "first", SnapshotRef(snapshotID: 11, kind: .tag)),
            ],
            to: try table(),
            now: now
        ).applying([
            .addSnapshot(snapshot(12, sequence: 2, parent: 11, time: now + 5)),
            .setSnapshotRef(name: "main", SnapshotRef(snapshotID: 12)),
        ])
    }

    static func code(_ updates: [TableUpdate], to table: TableMetadata?) -> IcebergError.Code? {
        IcebergError.from { _ = try TableMetadata.apply(updates, to: table, now: now) }?.code
    }

    // MARK: - JSON

    static let all: [TableUpdate] = [
        .assignUUID(testUUID), .upgradeFormatVersion(2),
        .addSchema(.empty, lastColumnID: 4), .addSchema(.empty, lastColumnID: nil),
        .setCurrentSchema(-1),
        .addSpec(UnboundPartitionSpec(fields: [.init(sourceIDs: [1], name: "p", transform: .day)])),
        .setDefaultSpec(-1), .addSortOrder(SortOrder(orderID: 1, fields: [SortField(sourceID: 1)])),
        .setDefaultSortOrder(1), .addSnapshot(snapshot(1, sequence: 1)),
        .setSnapshotRef(
            name: "b",
            SnapshotRef(
                snapshotID: 1,
                snapshotsToKeepMin: 2,
                snapshotAgeMaxMillis: 3,
                refAgeMaxMillis: 4
            )
        ),
        .removeSnapshots([1, 2]), .removeSnapshotRef("b"), .setLocation("s3://x"),
        .setProperties(["a": "b"]), .removeProperties(["a"]),
        .setStatistics(
            StatisticsFile(
                snapshotID: 1,
                statisticsPath: "p",
                fileSizeBytes: 2,
                fileFooterSizeBytes: 3,
                blobMetadata: [
                    .init(
                        type: "t",
                        snapshotID: 1,
                        sequenceNumber: 2,
                        fields: [1],
                        properties: ["k": "v"]
                    )
                ]
            )
        ),
        .removeStatistics(snapshotID: 1),
        .setPartitionStatistics(
            PartitionStatisticsFile(snapshotID: 1, statisticsPath: "p", fileSizeBytes: 2)
        ),
        .removePartitionStatistics(snapshotID: 1), .removePartitionSpecs([1]), .removeSchemas([1]),
        .addEncryptionKey(
            EncryptedKey(keyID: "k", encryptedKeyMetadata: "bQ==", encryptedByID: "r")
        ),
        .removeEncryptionKey("k"),
    ]

    @Test("reads the JSON it writes, for all 23 updates")
    func roundTrip() throws {
        let json = try JSON.parse(JSON.array(Self.all.map(\.json)).serialized())
        #expect(try TableUpdate.list(json: json) == Self.all)
        #expect(Set(Self.all.map { $0.json["action"]?.string }).count == 23)
    }

    @Test(
        "reads the commit that PyIceberg would send",
        .enabled(if: Python.path != nil, "no VARVE_PYTHON")
    )
    func fromPyIceberg() throws {
        let script = """
            from pyiceberg.table.update import *
            from pyiceberg.table.refs import SnapshotRefType
            from pyiceberg.table.snapshots import Snapshot, Summary, Operation
            from pyiceberg.table.sorting import SortOrder, SortField
            from pyiceberg.partitioning import PartitionSpec, PartitionField
            from pyiceberg.transforms import *
            from pyiceberg.schema import Schema
            from pyiceberg.types import *
            from pyiceberg.table import CommitTableRequest, TableIdentifier
            from pyiceberg.catalog.rest import *
            import uuid
            schema = Schema(NestedField(1, 'id', LongType(), required=True), NestedField(2, 'd', DecimalType(9, 2)))
            r = CommitTableRequest(identifier=TableIdentifier(namespace=['a'], name='t'),
              requirements=(AssertCreate(), AssertTableUUID(uuid=uuid.uuid4()),
                AssertRefSnapshotId(ref='main', snapshot_id=None), AssertRefSnapshotId(ref='main', snapshot_id=5),
                AssertLastAssignedFieldId(last_assigned_field_id=3), AssertCurrentSchemaId(current_schema_id=0),
                AssertLastAssignedPartitionId(last_assigned_partition_id=1000), AssertDefaultSpecId(default_spec_id=0),
                AssertDefaultSortOrderId(default_sort_order_id=0)),
              updates=(AssignUUIDUpdate(uuid=uuid.uuid4()), UpgradeFormatVersionUpdate(format_version=2),
                AddSchemaUpdate(schema_=schema), SetCurrentSchemaUpdate(schema_id=-1),
                AddPartitionSpecUpdate(spec=PartitionSpec(PartitionField(1, 1000, BucketTransform(4), 'b'), spec_id=0)),
                SetDefaultSpecUpdate(spec_id=-1),
                AddSortOrderUpdate(sort_order=SortOrder(SortField(1, transform=IdentityTransform()))),
                SetDefaultSortOrderUpdate(sort_order_id=-1),
                AddSnapshotUpdate(snapshot=Snapshot(snapshot_id=7, parent_snapshot_id=None, sequence_number=1, timestamp_ms=5,
                  manifest_list='s3://l', summary=Summary(Operation.APPEND, **{'added-records': '1'}), schema_id=0)),
                SetSnapshotRefUpdate(ref_name='main', type='branch', snapshot_id=7), SetLocationUpdate(location='s3://b/t'),
                SetPropertiesUpdate(updates={'a': 'b'}), RemovePropertiesUpdate(removals=['a']),
                RemoveSnapshotsUpdate(snapshot_ids=[7]), RemoveSnapshotRefUpdate(ref_name='main'),
                RemoveStatisticsUpdate(snapshot_id=7), RemoveSchemasUpdate(schema_ids=[9]),
                RemovePartitionSpecsUpdate(spec_ids=[9])))
            print(r.model_dump_json())
            """
        let request = try Python.run(script)
        let requirements = try TableRequirement.list(json: #require(request["requirements"]))
        #expect(requirements.count == 9)
        #expect(requirements[2] == .assertRefSnapshotID(ref: "main", snapshotID: nil))
        let updates = try TableUpdate.list(json: #require(request["updates"]))
        #expect(updates.count == 18)
        let table = try TableMetadata.apply(updates, to: nil, now: 9)
        #expect(table.lastSequenceNumber == 1 && table.snapshots.isEmpty)
        #expect(table.defaultSpec.fields.map(\.fieldID) == [1000])
    }

    @Test("refuses unknown and malformed updates as a bad request")
    func badUpdates() throws {
        for text in [
            #"[{"action":"explode"}]"#, #"[{}]"#, #"[1]"#, #"{}"#, #"[{"action":"set-location"}]"#,
            #"[{"action":"add-schema","schema":{}}]"#,
            #"[{"action":"set-current-schema","schema-id":"1"}]"#,
            #"[{"action":"set-snapshot-ref","ref-name":"t","type":"tag","snapshot-id":1,"min-snapshots-to-keep":1}]"#,
            #"[{"action":"set-statistics","snapshot-id":2,"statistics":{"snapshot-id":1,"statistics-path":"p","file-size-in-bytes":1,"file-footer-size-in-bytes":1,"blob-metadata":[]}}]"#,
        ] {
            let json = try JSON.parse(text)
            #expect(
                IcebergError.from { _ = try TableUpdate.list(json: json) }?.code == .invalid,
                "\(text)"
            )
        }
    }

    @Test("never traps on damaged updates", arguments: 0..<16)
    func damaged(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let bytes = JSON.array(Self.all.map(\.json)).serialized()
        let table = try Self.committed()
        for _ in 0..<200 {
            guard let json = try? JSON.parse(mutated(bytes, using: &random)),
                let updates = try? TableUpdate.list(json: json)
            else { continue }
            for update in updates {
                _ = try? TableMetadata.apply([update], to: table, now: Self.now)
            }
        }
    }

    // MARK: - Schemas

    @Test(
        "an equal schema keeps its id, a new one gets the next; ids are never bound anew (rule 13)"
    )
    func schemas() throws {
        let table = try Self.table()
        let same = try Schema(schemaID: 77, fields: table.currentSchema.fields)
        #expect(
            try table.applying([.addSchema(same, lastColumnID: nil), .setCurrentSchema(-1)])
                == table
        )
        let wider = try Schema(fields: table.currentSchema.fields + [column(4, "n", .int)])
        let changed = try table.applying([
            .addSchema(wider, lastColumnID: 9), .setCurrentSchema(-1),
        ])
        #expect(changed.currentSchemaID == 1)
        #expect(changed.schemas.map(\.schemaID) == [0, 1])
        #expect(changed.lastColumnID == 9)
        let back = try changed.applying([.addSchema(same, lastColumnID: 9), .setCurrentSchema(-1)])
        #expect(back.currentSchemaID == 0)
        #expect(back.lastColumnID == 9)
    }

    @Test("last-column-id only grows (rule 13)")
    func lastColumnID() throws {
        let table = try Self.table()
        #expect(
            Self.code([.addSchema(table.currentSchema, lastColumnID: 2)], to: table) == .invalid
        )
        let fewer = try Schema(fields: [
            table.currentSchema.fields[0], table.currentSchema.fields[1],
        ])
        let changed = try table.applying([
            .addSchema(fewer, lastColumnID: nil), .setCurrentSchema(-1),
        ])
        #expect(changed.lastColumnID == 3)
    }

    @Test("-1 is what was added last, and an error when nothing was")
    func lastAdded() throws {
        let table = try Self.table()
        for update in [
            TableUpdate.setCurrentSchema(-1), .setDefaultSpec(-1), .setDefaultSortOrder(-1),
        ] {
            #expect(Self.code([update], to: table) == .invalid)
        }
        for update in [
            TableUpdate.setCurrentSchema(5), .setDefaultSpec(5), .setDefaultSortOrder(5),
        ] {
            #expect(Self.code([update], to: table) == .invalid)
        }
    }

    @Test("the current schema and the default spec cannot be removed")
    func removals() throws {
        let table = try Self.table()
        #expect(Self.code([.removeSchemas([0])], to: table) == .invalid)
        #expect(Self.code([.removePartitionSpecs([0])], to: table) == .invalid)
        let wider = try Schema(fields: table.currentSchema.fields + [column(4, "n", .int)])
        let changed = try table.applying([
            .addSchema(wider, lastColumnID: nil), .setCurrentSchema(-1),
            .addSpec(UnboundPartitionSpec(fields: [])), .setDefaultSpec(-1),
            .removeSchemas([0]), .removePartitionSpecs([0]),
        ])
        #expect(changed.schemas.map(\.schemaID) == [1])
        #expect(changed.partitionSpecs.map(\.specID) == [1])
    }

    // MARK: - Specs and orders

    @Test("an equivalent spec is reused, and so are partition field ids (rule 19)")
    func specs() throws {
        let table = try Self.table()
        let equivalent = UnboundPartitionSpec(
            specID: 40,
            fields: [.init(sourceIDs: [2], name: "ts_day", transform: .day)]
        )
        #expect(try table.applying([.addSpec(equivalent), .setDefaultSpec(-1)]) == table)
        let other = UnboundPartitionSpec(fields: [
            .init(sourceIDs: [1], name: "b", transform: .bucket(count: 4)),
            .init(sourceIDs: [2], name: "ts_day", transform: .day),
        ])
        let changed = try table.applying([.addSpec(other), .setDefaultSpec(-1)])
        #expect(changed.defaultSpecID == 1)
        #expect(changed.defaultSpec.fields.map(\.fieldID) == [1001, 1000])
        #expect(changed.lastPartitionID == 1001)
        let none = try changed.applying([
            .addSpec(UnboundPartitionSpec(fields: [])), .setDefaultSpec(-1),
        ])
        #expect(none.lastPartitionID == 1001)
        let again = try none.applying([
            .addSpec(
                UnboundPartitionSpec(fields: [
                    .init(sourceIDs: [3], name: "s", transform: .identity)
                ])
            )
        ])
        #expect(again.partitionSpecs.last?.fields.map(\.fieldID) == [1002])
    }

    @Test("a partition field id stays with what it was given to")
    func partitionFieldIDs() throws {
        let table = try Self.table()
        for (id, source, transform) in [
            (1000, 3, Transform.identity), (1000, 2, .hour), (5, 3, .identity),
        ] {
            let spec = UnboundPartitionSpec(fields: [
                .init(sourceIDs: [source], fieldID: id, name: "p", transform: transform)
            ])
            #expect(Self.code([.addSpec(spec)], to: table) == .invalid)
        }
    }

    @Test("refuses specs that cannot be applied")
    func badSpecs() throws {
        let table = try Self.table()
        func code(_ fields: [UnboundPartitionSpec.Field]) -> IcebergError.Code? {
            Self.code([.addSpec(UnboundPartitionSpec(fields: fields))], to: table)
        }
        #expect(code([.init(sourceIDs: [9], name: "p", transform: .identity)]) == .invalid)
        #expect(code([.init(sourceIDs: [3], name: "p", transform: .day)]) == .invalid)
        #expect(code([.init(sourceIDs: [3], name: "", transform: .identity)]) == .invalid)
        #expect(code([.init(sourceIDs: [3], name: "id", transform: .identity)]) == .invalid)
        #expect(code([.init(sourceIDs: [3], name: "s", transform: .bucket(count: 3))]) == .invalid)
        #expect(code([.init(sourceIDs: [3], name: "s", transform: .identity)]) == nil)
        #expect(
            code([
                .init(sourceIDs: [3], name: "p", transform: .identity),
                .init(sourceIDs: [1], name: "p", transform: .identity),
            ]) == .invalid
        )
        #expect(code([.init(sourceIDs: [3], name: "p", transform: .unknown("z"))]) == .invalid)
    }

    @Test("equal sort orders are one, unsorted is 0, others count from 1")
    func sortOrders() throws {
        let table = try Self.table()
        let order = SortOrder(orderID: 33, fields: [SortField(sourceID: 1)])
        let changed = try table.applying([.addSortOrder(order), .setDefaultSortOrder(-1)])
        #expect(changed.defaultSortOrderID == 1)
        #expect(try changed.applying([.addSortOrder(order), .setDefaultSortOrder(-1)]) == changed)
        let unsorted = try changed.applying([.addSortOrder(.unsorted), .setDefaultSortOrder(-1)])
        #expect(unsorted.defaultSortOrderID == 0)
        #expect(
            Self.code(
                [.addSortOrder(SortOrder(orderID: 1, fields: [SortField(sourceID: 9)]))],
                to: table
            ) == .invalid
        )
    }

    // MARK: - Snapshots

    @Test("a sequence number that is not new is a conflict, to be tried again (rule 10)")
    func sequenceNumbers() throws {
        let table = try Self.committed()
        #expect(table.lastSequenceNumber == 2)
        for sequence: Int64 in [0, 1, 2] {
            #expect(
                Self.code([.addSnapshot(Self.snapshot(13, sequence: sequence))], to: table)
                    == .conflict
            )
        }
        #expect(
            try table.applying([.addSnapshot(Self.snapshot(13, sequence: 9))]).lastSequenceNumber
                == 9
        )
        #expect(Self.code([.addSnapshot(Self.snapshot(12, sequence: 3))], to: table) == .invalid)
    }

    @Test("a snapshot of v2 needs a manifest list and an operation")
    func incompleteSnapshots() throws {
        let table = try Self.table()
        var snapshot = Self.snapshot(1, sequence: 1)
        snapshot.operation = nil
        #expect(Self.code([.addSnapshot(snapshot)], to: table) == .invalid)
        snapshot = Self.snapshot(1, sequence: 1)
        snapshot.manifestList = nil
        #expect(Self.code([.addSnapshot(snapshot)], to: table) == .invalid)
        snapshot = Self.snapshot(1, sequence: 1)
        snapshot.schemaID = 5
        #expect(Self.code([.addSnapshot(snapshot)], to: table) == .invalid)
    }

    @Test(
        "each change of main is logged, and the current snapshot is what main refers to (rules 11, 12)"
    )
    func snapshotLog() throws {
        let table = try Self.committed()
        #expect(table.currentSnapshotID == 12)
        #expect(
            table.snapshotLog == [
                SnapshotLogEntry(timestampMillis: Self.now, snapshotID: 11),
                SnapshotLogEntry(timestampMillis: Self.now + 5, snapshotID: 12),
            ]
        )
        let back = try TableMetadata.apply(
            [.setSnapshotRef(name: "main", SnapshotRef(snapshotID: 11))],
            to: table,
            now: Self.now + 9
        )
        #expect(
            back.snapshotLog.last == SnapshotLogEntry(timestampMillis: Self.now + 9, snapshotID: 11)
        )
        #expect(back.currentSnapshotID == 11)
        let same = try TableMetadata.apply(
            [.setSnapshotRef(name: "main", SnapshotRef(snapshotID: 12))],
            to: table,
            now: Self.now + 9
        )
        #expect(same == table)
        let settings = try table.applying([
            .setSnapshotRef(name: "main", SnapshotRef(snapshotID: 12, snapshotsToKeepMin: 3))
        ])
        #expect(settings.snapshotLog == table.snapshotLog)
    }

    @Test("snapshots that main only passed through in one commit are not logged")
    func passedThrough() throws {
        let table = try Self.table().applying([
            .addSnapshot(Self.snapshot(1, sequence: 1)),
            .setSnapshotRef(name: "main", SnapshotRef(snapshotID: 1)),
            .addSnapshot(Self.snapshot(2, sequence: 2, parent: 1)),
            .setSnapshotRef(name: "main", SnapshotRef(snapshotID: 2)),
        ])
        #expect(table.snapshotLog.map(\.snapshotID) == [2])
        #expect(table.snapshots.count == 2)
    }

    @Test("removing snapshots removes their refs and statistics, and the log before them")
    func removeSnapshots() throws {
        var table = try Self.committed()
        table = try table.applying([
            .setStatistics(
                StatisticsFile(
                    snapshotID: 11,
                    statisticsPath: "p",
                    fileSizeBytes: 1,
                    fileFooterSizeBytes: 1,
                    blobMetadata: []
                )
            ),
            .setPartitionStatistics(
                PartitionStatisticsFile(snapshotID: 11, statisticsPath: "p", fileSizeBytes: 1)
            ),
        ])
        let changed = try table.applying([.removeSnapshots([11, 99])])
        #expect(changed.snapshots.map(\.snapshotID) == [12])
        #expect(changed.refs.keys.sorted() == ["main"])
        #expect(changed.statistics.isEmpty && changed.partitionStatistics.isEmpty)
        #expect(changed.snapshotLog.map(\.snapshotID) == [12])
        let all = try changed.applying([.removeSnapshots([12])])
        #expect(all.currentSnapshotID == nil && all.refs.isEmpty && all.snapshotLog.isEmpty)
        #expect(all.lastSequenceNumber == 2)
    }

    @Test("refs need their snapshot, and main must be a branch")
    func refs() throws {
        let table = try Self.committed()
        func code(_ name: String, _ ref: SnapshotRef) -> IcebergError.Code? {
            Self.code([.setSnapshotRef(name: name, ref)], to: table)
        }
        #expect(code("b", SnapshotRef(snapshotID: 99)) == .invalid)
        #expect(code("main", SnapshotRef(snapshotID: 11, kind: .tag)) == .invalid)
        #expect(code("", SnapshotRef(snapshotID: 11)) == .invalid)
        let gone = try table.applying([.removeSnapshotRef("first"), .removeSnapshotRef("nothing")])
        #expect(gone.refs.keys.sorted() == ["main"])
    }

    @Test("v3 rows get ids, and ids that are taken are a conflict (rule 23)")
    func rowLineage() throws {
        var table = try Self.committed().applying([.upgradeFormatVersion(3)])
        #expect(table.nextRowID == 0)
        var snapshot = Self.snapshot(13, sequence: 3, parent: 12)
        #expect(Self.code([.addSnapshot(snapshot)], to: table) == .invalid)
        (snapshot.firstRowID, snapshot.addedRows) = (0, 100)
        table = try table.applying([.addSnapshot(snapshot)])
        #expect(table.nextRowID == 100)
        snapshot.snapshotID = 14
        snapshot.sequenceNumber = 4
        #expect(Self.code([.addSnapshot(snapshot)], to: table) == .conflict)
    }

    // MARK: - The table

    @Test("a uuid is given once (rule 25)")
    func uuid() throws {
        let table = try Self.table()
        #expect(
            Self.code([.assignUUID("00000000-0000-0000-0000-000000000000")], to: table) == .invalid
        )
        #expect(try table.applying([.assignUUID(testUUID.uppercased())]) == table)
        #expect(Self.code([.assignUUID("nonsense")], to: table) == .invalid)
    }

    @Test("versions go up only, to those that can be written")
    func formatVersions() throws {
        let table = try Self.table()
        #expect(Self.code([.upgradeFormatVersion(1)], to: table) != nil)
        #expect(Self.code([.upgradeFormatVersion(4)], to: table) == .unsupported)
        #expect(try table.applying([.upgradeFormatVersion(2)]) == table)
        #expect(try table.applying([.upgradeFormatVersion(3)]).formatVersion == 3)
    }

    @Test("encryption is refused, not ignored")
    func encryption() throws {
        let key = EncryptedKey(keyID: "k", encryptedKeyMetadata: "bQ==")
        #expect(Self.code([.addEncryptionKey(key)], to: try Self.table()) == .unsupported)
    }

    @Test("properties and the location change, and the previous file is logged (rule 12)")
    func metadataLog() throws {
        var table = try Self.table()
        for index in 0..<5 {
            table = try TableMetadata.apply(
                [
                    .setProperties(["n": "\(index)", "write.metadata.previous-versions-max": "3"]),
                    .removeProperties(["gone"]), .setLocation("s3://elsewhere/t/"),
                ],
                to: table,
                now: Self.now + Int64(index),
                previousMetadataFile: "s3://m/\(index).json"
            )
        }
        #expect(table.properties["n"] == "4")
        #expect(table.location == "s3://elsewhere/t")
        #expect(
            table.metadataLog.map(\.metadataFile) == [
                "s3://m/2.json", "s3://m/3.json", "s3://m/4.json",
            ]
        )
        #expect(
            table.metadataLog.map(\.timestampMillis) == [Self.now + 1, Self.now + 2, Self.now + 3]
        )
    }

    @Test("time never goes back, whatever the clock says (rule 12)")
    func time() throws {
        let table = try Self.committed()
        #expect(table.lastUpdatedMillis == Self.now + 5)
        let later = try TableMetadata.apply(
            [
                .addSnapshot(Self.snapshot(13, sequence: 3, parent: 12, time: 5)),
                .setSnapshotRef(name: "main", SnapshotRef(snapshotID: 13)),
            ],
            to: table,
            now: 7,
            previousMetadataFile: "p"
        )
        #expect(later.lastUpdatedMillis == Self.now + 5)
        #expect(later.snapshotLog.last?.timestampMillis == Self.now + 5)
    }

    @Test("updates alone make a table, but all of them are needed")
    func fromNothing() throws {
        let schema = try Schema(fields: [column(1, "a", .int)])
        let updates: [TableUpdate] = [
            .assignUUID(testUUID), .upgradeFormatVersion(2), .addSchema(schema, lastColumnID: 1),
            .setCurrentSchema(-1), .addSpec(UnboundPartitionSpec(fields: [])), .setDefaultSpec(-1),
            .addSortOrder(.unsorted), .setDefaultSortOrder(-1), .setLocation("s3://b/t"),
        ]
        let table = try TableMetadata.apply(updates, requiring: [.assertCreate], to: nil, now: 1)
        #expect(table.formatVersion == 2 && table.lastColumnID == 1)
        for index in updates.indices where index != 1 {
            var some = updates
            some.remove(at: index)
            #expect(Self.code(some, to: nil) == .invalid, "without \(updates[index].json)")
        }
    }

    @Test(
        "a failed update changes nothing, and the same updates give the same table",
        arguments: 0..<8
    )
    func deterministic(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var table = try Self.committed()
        for step in 0..<60 {
            let updates = (0..<Int.random(in: 1...3, using: &random)).compactMap { _ in
                Self.all.randomElement(using: &random)
            }
            let time = Self.now + Int64(step)
            let one = try? TableMetadata.apply(updates, to: table, now: time)
            let two = try? TableMetadata.apply(updates, to: table, now: time)
            #expect(one == two)
            guard let one else { continue }
            try one.checkInvariants()
            #expect(one.json.serialized() == two?.json.serialized())
            #expect(one.lastColumnID >= table.lastColumnID)
            #expect(one.lastPartitionID >= table.lastPartitionID)
            #expect(one.lastSequenceNumber >= table.lastSequenceNumber)
            #expect(one.lastUpdatedMillis >= table.lastUpdatedMillis)
            table = one
        }
    }
}

@Suite("TableRequirement")
struct TableRequirementTests {
    static let all: [TableRequirement] = [
        .assertCreate, .assertTableUUID(testUUID), .assertRefSnapshotID(ref: "main", snapshotID: 3),
        .assertRefSnapshotID(ref: "main", snapshotID: nil), .assertLastAssignedFieldID(1),
        .assertCurrentSchemaID(2), .assertLastAssignedPartitionID(3), .assertDefaultSpecID(4),
        .assertDefaultSortOrderID(5),
    ]

    @Test("reads the JSON it writes, for all eight")
    func roundTrip() throws {
        let json = try JSON.parse(JSON.array(Self.all.map(\.json)).serialized())
        #expect(try TableRequirement.list(json: json) == Self.all)
        #expect(Set(Self.all.map { $0.json["type"]?.string }).count == 8)
        #expect(json[3]?["snapshot-id"] == .null)
    }

    @Test("refuses unknown and malformed ones as a bad request")
    func bad() throws {
        for text in [
            #"[{"type":"assert-luck"}]"#, #"[{}]"#, #"3"#, #"[{"type":"assert-table-uuid"}]"#,
        ] {
            let json = try JSON.parse(text)
            #expect(
                IcebergError.from { _ = try TableRequirement.list(json: json) }?.code == .invalid
            )
        }
    }

    @Test("holds when it should, and is a conflict otherwise")
    func check() throws {
        let table = try TableUpdateTests.committed()
        let good: [TableRequirement] = [
            .assertTableUUID(testUUID.uppercased()),
            .assertRefSnapshotID(ref: "main", snapshotID: 12),
            .assertRefSnapshotID(ref: "none", snapshotID: nil), .assertLastAssignedFieldID(3),
            .assertCurrentSchemaID(0), .assertLastAssignedPartitionID(1000),
            .assertDefaultSpecID(0),
            .assertDefaultSortOrderID(0),
        ]
        for requirement in good { try requirement.check(table) }
        let bad: [TableRequirement] = [
            .assertCreate, .assertTableUUID("00000000-0000-0000-0000-000000000000"),
            .assertRefSnapshotID(ref: "main", snapshotID: 11),
            .assertRefSnapshotID(ref: "main", snapshotID: nil),
            .assertRefSnapshotID(ref: "none", snapshotID: 12), .assertLastAssignedFieldID(4),
            .assertCurrentSchemaID(1), .assertLastAssignedPartitionID(999), .assertDefaultSpecID(1),
            .assertDefaultSortOrderID(1),
        ]
        for requirement in bad {
            #expect(IcebergError.from { try requirement.check(table) }?.code == .conflict)
        }
        try TableRequirement.assertCreate.check(nil)
        #expect(
            IcebergError.from { try TableRequirement.assertTableUUID(testUUID).check(nil) }?.code
                == .conflict
        )
    }
}

extension TableMetadata {
    func applying(_ updates: [TableUpdate]) throws -> TableMetadata {
        try TableMetadata.apply(updates, to: self, now: TableUpdateTests.now)
    }
}
