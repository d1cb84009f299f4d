import Bytes
import Columnar
import Foundation
import Iceberg
import ObjectStorage
import Testing
import TestSupport

import Tables

@Suite("Tables and other programs")
struct InteroperationTests {
    /// Tables written by others, and how many rows they have by their writers' account.
    static let fixtures: [(String, Int)] = [
        (
            "add_columns_with_defaults/default.db/add_columns_with_defaults/metadata/00001-af871980-15f9-44a3-9761-ba6ac5225b74",
            2
        ),
        (
            "add_columns_with_defaults/default.db/add_columns_with_defaults/metadata/00003-3f1801a5-7dfb-4072-b14a-39cd12f9279b",
            3
        ),
        ("equality_deletes/warehouse/mydb/mytable/metadata/v2", 4),
        ("hive_partitioned_table/metadata/v4", 6),
        ("name_mapping/warehouse_1/mydb/t1/metadata/v7", 10000),
        ("null_stats/default/test_nulls/metadata/00003-9d6a621e-8a72-4190-a880-f6ca02e32b86", 9),
        ("partition_bigint/metadata/v2", 2),
        ("partition_decimal_bigint/metadata/v2", 10),
        ("uuid/metadata/00001-43fda1f4-1c96-4376-ad16-91beb71d0759", 10),
    ]

    private static func open(_ name: String) async throws -> TableReader {
        let shared = try #require(PyIceberg.shared)
        let root = "\(shared)/corpora/iceberg-fixtures"
        let store = try openStore(url: root)
        let metadata = try TableMetadata(bytes: try await store.get(name + ".metadata.json").bytes)
        return try TableReader(
            metadata,
            storage: TableStorage(store, movedFrom: "data/persistent", to: store.root)
        )
    }

    private static func read(_ name: String) async throws -> [[Value]] {
        let reader = try await open(name)
        return try await rows(of: reader, fieldIDs: reader.schema.fields.map(\.id))
    }

    @Test(
        "tables written by others have the rows that PyIceberg sees",
        .enabled(if: PyIceberg.shared != nil, "the shared corpora are not here"),
        arguments: fixtures
    )
    func fixture(_ name: String, _ count: Int) async throws {
        let ours = try await Self.read(name)
        #expect(ours.count == count)
        // PyIceberg takes a partition value of 0 for none where the file lacks the column.
        if name.hasPrefix("partition_decimal_bigint") {
            #expect(ours.contains { $0[0] == .decimal(0) && $0[2] == .string("pinch") })
            return
        }
        guard PyIceberg.python != nil, let shared = PyIceberg.shared else { return }
        let folder = try TemporaryFolder()
        try FileManager.default.createDirectory(
            atPath: folder.path + "/data",
            withIntermediateDirectories: true
        )
        try FileManager.default.createSymbolicLink(
            atPath: folder.path + "/data/persistent",
            withDestinationPath: "\(shared)/corpora/iceberg-fixtures"
        )
        let theirs = try PyIceberg.rows(
            metadata: "data/persistent/\(name).metadata.json",
            folder: folder.path
        )
        #expect(ours.map(PyIceberg.text).sorted() == theirs.sorted())
    }

    @Test(
        "rows that equality delete files name are gone",
        .enabled(if: PyIceberg.shared != nil, "the shared corpora are not here")
    )
    func equalityDeletes() async throws {
        for name in ["mytable/metadata/v7", "mytable_partitioned/metadata/v6"] {
            let reader = try await Self.open("equality_deletes/warehouse/mydb/" + name)
            let plan = try await reader.plan()
            #expect(plan.hasDeletes)
            #expect(plan.rowCount == nil)
            let ids = reader.schema.fields.map(\.id)
            let left = try await rows(of: reader, fieldIDs: ids)
            var undeleted = plan
            for index in undeleted.files.indices { undeleted.files[index].deletes = [] }
            let all = try await FetchService.withFetchService { [undeleted] service in
                try await plannedRows(reader, undeleted, service)
            }
            #expect(left.count < all.count)
            // What is left is part of what there was.
            let whole = counted(all)
            #expect(counted(left).allSatisfy { $0.value <= whole[$0.key] ?? 0 })
            // A single column gives as many rows, though the keys are not asked for.
            #expect(try await rows(of: reader, fieldIDs: [ids[1]]).count == left.count)
        }
    }

    @Test(
        "a table of version 1 whose snapshot names its manifests is read",
        .enabled(if: PyIceberg.shared != nil, "the shared corpora are not here")
    )
    func versionOne() async throws {
        let rows = try await Self.read("iceberg_v1_deprecated/default/legacy_v1/metadata/v2")
        #expect(!rows.isEmpty)
        #expect(Set(rows.map { $0[1] }) == [.string("alpha"), .string("beta")])
    }

    @Test(
        "PyIceberg reads the tables that we write",
        .enabled(if: PyIceberg.python != nil, "no Python: set VARVE_PYTHON"),
        arguments: [false, true]
    )
    func pyIceberg(isPartitioned: Bool) async throws {
        // PyIceberg and Arrow hold dates up to year 9999 and decimals of 38 digits, like us.
        let columns =
            everyType + [
                (Field("k", .int32), (0..<5).map { Value.int32($0) })
            ]
        let schema = Columnar.Schema(columns.map(\.0))
        let folder = try TemporaryFolder()
        let spec = UnboundPartitionSpec(
            fields: [
                .init(sourceIDs: [columns.count], name: "k", transform: .identity),
                .init(sourceIDs: [13], name: "s_bucket", transform: .bucket(count: 3)),
                .init(sourceIDs: [11], name: "ts_month", transform: .month),
            ]
        )
        var table = try TestTable(
            try folder.store(),
            columns: schema,
            spec: isPartitioned ? spec : nil
        )
        var random = SeededGenerator(seed: 3)
        for _ in 0..<3 {
            let rows = randomRows(columns, count: 300, nulls: 0.2, &random)
            try await table.append([batch(schema, rows)])
        }
        let location = try await table.writeMetadata()
        let theirs = try PyIceberg.rows(metadata: location, folder: folder.path)
        let ours = try await table.read()
        #expect(ours.count == 900)
        #expect(ours.map(PyIceberg.text).sorted() == theirs.sorted())
    }
}
