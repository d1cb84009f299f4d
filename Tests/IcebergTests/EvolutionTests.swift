import Testing

import Bytes
import Iceberg
import TestSupport

@Suite("SchemaChange")
struct SchemaChangeTests {
    static func table(rows: Bool = true, version: Int = 2) throws -> TableMetadata {
        let point = StructType(fields: [column(0, "x", .int), column(0, "y", .float)])
        var id = 100
        func fresh(_ field: NestedField) -> NestedField {
            var field = field
            id += 1
            field.id = id
            if case .struct(let type) = field.type {
                field.type = .struct(StructType(fields: type.fields.map(fresh)))
            }
            return field
        }
        let fields = [
            column(0, "id", .int, required: true), column(0, "ts", .timestamp),
            column(0, "point", .struct(point)),
            column(0, "price", .decimal(precision: 9, scale: 2)),
        ].map(fresh)
        let list = column(
            200,
            "points",
            .list(
                ListType(
                    elementID: 201,
                    element: .struct(StructType(fields: [column(202, "x", .int)])),
                    elementRequired: true
                )
            )
        )
        let map = column(
            210,
            "m",
            .map(MapType(keyID: 211, key: .int, valueID: 212, value: .int, valueRequired: true))
        )
        let table = try TableMetadata.create(
            schema: Schema(fields: fields + [list, map], identifierFieldIDs: [fields[0].id]),
            spec: UnboundPartitionSpec(fields: [
                .init(sourceIDs: [fields[1].id], name: "ts_day", transform: .day)
            ]),
            location: "s3://b/t",
            properties: ["format-version": "\(version)"],
            uuid: testUUID,
            now: 1
        )
        guard rows else { return table }
        return try table.applying([
            .addSnapshot(TableUpdateTests.snapshot(1, sequence: 1, time: 2).lineage(version)),
            .setSnapshotRef(name: "main", SnapshotRef(snapshotID: 1)),
        ])
    }

    static func names(_ fields: [NestedField]) -> [String] { fields.map(\.name) }

    @Test("adds columns anywhere, with new ids for all that is in them")
    func add() throws {
        let table = try Self.table()
        let last = table.lastColumnID
        var change = try SchemaChange(table: table)
        try change.addColumn("a", type: .string, doc: "first", position: .first)
        try change.addColumn(
            "b",
            type: .list(ListType(elementID: 1, element: .long, elementRequired: false)),
            position: .after("id")
        )
        try change.addColumn("z", parent: "point", type: .double, position: .before("y"))
        try change.addColumn("n", parent: "points", type: .int)
        try change.addColumn("w", type: .int)
        #expect(
            Self.names(change.schema.fields) == [
                "a", "id", "b", "ts", "point", "price", "points", "m", "w",
            ]
        )
        #expect(change.schema.field(named: "a")?.id == last + 1)
        #expect(change.schema.field(named: "b")?.id == last + 2)
        #expect(change.schema.field(named: "b.element")?.id == last + 3)
        #expect(change.schema.field(named: "point.z")?.id == last + 4)
        #expect(change.schema.field(named: "points.element.n")?.id == last + 5)
        let changed = try TableMetadata.apply(
            change.updates(),
            requiring: change.requirements,
            to: table,
            now: 9
        )
        #expect(changed.lastColumnID == last + 6)
        #expect(changed.currentSchemaID == 1)
        #expect(changed.currentSchema.hasSameFields(as: change.schema))
    }

    @Test("renames, moves, widens, loosens and comments without new ids")
    func edit() throws {
        let table = try Self.table()
        var change = try SchemaChange(table: table)
        try change.renameColumn("point.x", to: "lon")
        try change.moveColumn("price", to: .first)
        try change.moveColumn("point.y", to: .before("lon"))
        try change.widenColumn("id", to: .long)
        try change.widenColumn("point.y", to: .double)
        try change.widenColumn("price", to: .decimal(precision: 12, scale: 2))
        try change.widenColumn("m.value", to: .long)
        try change.makeOptional("m.value")
        try change.setDoc("ts", "when")
        #expect(Self.names(change.schema.fields) == ["price", "id", "ts", "point", "points", "m"])
        #expect(
            change.schema.field(named: "point.lon")?.id
                == table.currentSchema.field(named: "point.x")?.id
        )
        #expect(change.schema.field(named: "m.value")?.type == .long)
        #expect(change.schema.field(named: "m.value")?.required == false)
        #expect(change.schema.fieldIDs == table.currentSchema.fieldIDs)
        #expect(change.lastColumnID == table.lastColumnID)
        let updates = try change.updates()
        #expect(try table.applying(updates).currentSchema.field(named: "id")?.type == .long)
    }

    @Test("nothing changed needs no updates")
    func nothing() throws {
        var change = try SchemaChange(table: Self.table())
        try change.addColumn("a", type: .int)
        try change.dropColumn("a")
        #expect(try change.updates().isEmpty)
    }

    @Test("a dropped column's id is not given again")
    func dropAndAdd() throws {
        let table = try Self.table()
        var change = try SchemaChange(table: table)
        try change.dropColumn("price")
        try change.dropColumn("point.x")
        try change.addColumn("price", type: .string)
        #expect(change.schema.field(named: "price")?.id == table.lastColumnID + 1)
        #expect(change.schema.field(named: "point.x") == nil)
    }

    @Test("refuses what would break rows, readers or the partition spec")
    func refusals() throws {
        let table = try Self.table()
        func refused(_ step: (inout SchemaChange) throws -> Void) {
            let error = IcebergError.from {
                var change = try SchemaChange(table: table)
                try step(&change)
                _ = try change.updates()
            }
            #expect(error?.code == .invalid)
        }
        refused { try $0.addColumn("id", type: .int) }
        refused { try $0.addColumn("a.b", type: .int) }
        refused { try $0.addColumn("", type: .int) }
        refused { try $0.addColumn("r", type: .int, required: true) }
        refused { try $0.addColumn("d", type: .int, defaultValue: .int(1)) }
        refused { try $0.addColumn("a", parent: "id", type: .int) }
        refused { try $0.addColumn("a", parent: "none", type: .int) }
        refused { try $0.addColumn("a", parent: "m", type: .int) }
        refused { try $0.addColumn("a", type: .int, position: .after("none")) }
        refused { try $0.dropColumn("id") }
        refused { try $0.dropColumn("ts") }
        refused { try $0.dropColumn("none") }
        refused { try $0.dropColumn("points.element") }
        refused { try $0.dropColumn("m.key") }
        refused { try $0.renameColumn("price", to: "id") }
        refused { try $0.renameColumn("price", to: "ts_day") }
        refused { try $0.renameColumn("m.value", to: "v") }
        refused { try $0.widenColumn("id", to: .string) }
        refused { try $0.widenColumn("ts", to: .timestamptz) }
        refused { try $0.widenColumn("price", to: .decimal(precision: 12, scale: 3)) }
        refused { try $0.widenColumn("price", to: .decimal(precision: 8, scale: 2)) }
        refused { try $0.widenColumn("point", to: .int) }
        refused { try $0.widenColumn("m.key", to: .long) }
        refused { try $0.makeOptional("id") }
        refused { try $0.makeRequired("price") }
        refused { try $0.setIdentifierColumns(["price"]) }
        refused { try $0.moveColumn("price", to: .after("x")) }
        refused {
            try $0.addColumn("n", type: .timestampNanos); _ = try table.applying($0.updates())
        }
    }

    @Test("an empty table may get required columns")
    func emptyTable() throws {
        var change = try SchemaChange(table: Self.table(rows: false))
        try change.addColumn("r", type: .int, required: true)
        try change.makeRequired("price")
        try change.setIdentifierColumns(["r", "id"])
        #expect(try change.updates().count == 2)
    }

    @Test("v3 takes defaults, and then required columns too")
    func defaults() throws {
        let table = try Self.table(version: 3)
        var change = try SchemaChange(table: table)
        try change.addColumn("r", type: .int, required: true, defaultValue: .int(5))
        try change.setWriteDefault("r", .int(6))
        #expect(change.schema.field(named: "r")?.initialValue == .int(5))
        #expect(change.schema.field(named: "r")?.writeValue == .int(6))
        let changed = try table.applying(change.updates())
        #expect(try TableMetadata(json: changed.json) == changed)
        #expect(
            IcebergError.from { try change.setWriteDefault("r", .string("x")) }?.code == .invalid
        )
        #expect(IcebergError.from { try change.setWriteDefault("r", nil) }?.code == .invalid)
    }

    @Test("the name mapping follows")
    func nameMapping() throws {
        var table = try Self.table()
        let mapping = NameMapping(schema: table.currentSchema)
        table = try table.applying([.setProperties([NameMapping.property: mapping.json.text()])])
        var change = try SchemaChange(table: table)
        try change.renameColumn("price", to: "cost")
        try change.addColumn("z", parent: "point", type: .int)
        let changed = try table.applying(change.updates())
        let new = try #require(try changed.nameMapping())
        let id = table.currentSchema.field(named: "price")?.id
        #expect(new.fieldID(path: ["price"]) == id)
        #expect(new.fieldID(path: ["cost"]) == id)
        #expect(
            new.fieldID(path: ["point", "z"]) == changed.currentSchema.field(named: "point.z")?.id
        )
    }

    @Test("whatever is done, ids stay unique and never change hands", arguments: 0..<12)
    func randomSteps(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var table = try Self.table()
        var owners: [Int: String] = [:]
        var counter = 0
        for _ in 0..<25 {
            var change = try SchemaChange(table: table)
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let names = change.schema.fieldIDs.compactMap { change.schema.fullName(id: $0) }
                let name = names.randomElement(using: &random) ?? "id"
                counter += 1
                switch Int.random(in: 0..<6, using: &random) {
                case 0:
                    try? change.addColumn(
                        "c\(counter)",
                        type: .struct(
                            StructType(fields: [
                                column(1, "n", .int),
                                column(
                                    2,
                                    "l",
                                    .list(
                                        ListType(elementID: 3, element: .int, elementRequired: true)
                                    )
                                ),
                            ])
                        )
                    )
                case 1: try? change.addColumn("c\(counter)", parent: name, type: .int)
                case 2: try? change.dropColumn(name)
                case 3: try? change.renameColumn(name, to: "r\(counter)")
                case 4: try? change.moveColumn(name, to: .first)
                default: try? change.widenColumn(name, to: .long)
                }
            }
            table = try table.applying(change.updates())
            try table.checkInvariants()
            // A field is known by its id and what it first was: here its kind of type.
            for id in table.currentSchema.fieldIDs {
                guard let field = table.currentSchema.field(id: id) else { continue }
                let kind =
                    field.type.isPrimitive ? "primitive" : String(field.type.description.prefix(3))
                #expect(owners[id, default: kind] == kind)
                owners[id] = kind
                #expect(id <= table.lastColumnID)
            }
        }
    }
}

extension Snapshot {
    func lineage(_ version: Int) -> Snapshot {
        var snapshot = self
        if version >= 3 { (snapshot.firstRowID, snapshot.addedRows) = (0, 10) }
        return snapshot
    }
}

@Suite("PartitionSpecChange")
struct PartitionSpecChangeTests {
    @Test(
        "adds, removes and renames fields; ids of fields that were there before come back (rule 19)"
    )
    func fields() throws {
        var table = try TableUpdateTests.table()
        var change = try PartitionSpecChange(table: table)
        try change.addField("id", .bucket(count: 16))
        try change.addField("s", .truncate(width: 3), name: "start")
        try change.removeField("ts_day")
        table = try TableMetadata.apply(
            change.updates(),
            requiring: change.requirements,
            to: table,
            now: 5
        )
        #expect(table.defaultSpec.fields.map(\.name) == ["id_bucket_16", "start"])
        #expect(table.defaultSpec.fields.map(\.fieldID) == [1001, 1002])
        var again = try PartitionSpecChange(table: table)
        try again.addField("ts", .day, name: "day")
        try again.renameField("start", to: "s3")
        table = try table.applying(again.updates())
        #expect(table.defaultSpec.fields.map(\.fieldID) == [1001, 1002, 1000])
        #expect(table.defaultSpec.fields.map(\.name) == ["id_bucket_16", "s3", "day"])
        #expect(table.defaultSpecID == 2 && table.lastPartitionID == 1002)
        #expect(try PartitionSpecChange(table: table).updates().isEmpty)
    }

    @Test("refuses what cannot be")
    func refusals() throws {
        var change = try PartitionSpecChange(table: TableUpdateTests.table())
        #expect(IcebergError.from { try change.addField("none", .day) }?.code == .invalid)
        #expect(IcebergError.from { try change.addField("ts", .day) }?.code == .invalid)
        #expect(IcebergError.from { try change.addField("s", .day) }?.code == .invalid)
        #expect(IcebergError.from { try change.removeField("none") }?.code == .invalid)
        #expect(IcebergError.from { try change.renameField("ts_day", to: "id") }?.code == .invalid)
    }
}
