import Columnar
import Iceberg
import ObjectStorage
import Testing

import Tables

@Suite("Metadata tables")
struct MetadataTableTests {
    private static func rows(
        _ kind: MetadataTable,
        _ table: TestTable
    ) async throws -> [[String: Value]] {
        let reader = try TableReader(table.metadata, storage: table.storage)
        let schema = try kind.schema(table.metadata)
        return try await kind.batches(reader, metadataFile: "memory:now.json").flatMap { batch in
            #expect(batch.schema == schema)
            return (0..<batch.rowCount).map { row in
                Dictionary(
                    zip(schema.fields.map(\.name), batch.columns.map { $0.value(at: row) }),
                    uniquingKeysWith: { first, _ in first }
                )
            }
        }
    }

    @Test("each says what the table is made of")
    func contents() async throws {
        let schema = Columnar.Schema([Field("id", .int64), Field("k", .string)])
        var table = try TestTable(
            MemoryStore(),
            columns: schema,
            spec: UnboundPartitionSpec(
                fields: [.init(sourceIDs: [2], name: "k", transform: .identity)]
            )
        )
        try await table.append([
            batch(schema, [[.int64(1), .string("a")], [.int64(2), .string("b")]])
        ])
        try await table.append([
            batch(schema, [[.int64(3), .string("a")], [.null, .string("a")]])
        ])

        let snapshots = try await Self.rows(.snapshots, table)
        #expect(snapshots.map { $0["operation"] } == [.string("append"), .string("append")])
        #expect(snapshots[1]["parent_id"] == snapshots[0]["snapshot_id"])
        let history = try await Self.rows(.history, table)
        #expect(history.map { $0["is_current_ancestor"] } == [.boolean(true), .boolean(true)])
        let refs = try await Self.rows(.refs, table)
        #expect(refs.map { $0["name"] } == [.string("main")])
        #expect(refs[0]["type"] == .string("BRANCH"))

        let files = try await Self.rows(.files, table)
        #expect(files.count == 3)
        #expect(
            Set(files.compactMap { $0["partition"] })
                == [.structure([.string("a")]), .structure([.string("b")])]
        )
        #expect(
            files.contains {
                $0["null_value_counts"]
                    == .map([
                        .init(key: .int32(1), value: .int64(1)),
                        .init(key: .int32(2), value: .int64(0)),
                    ])
            }
        )
        #expect(try await Self.rows(.allDataFiles, table).count == 3)
        #expect(try await Self.rows(.deleteFiles, table).isEmpty)
        let entries = try await Self.rows(.entries, table)
        #expect(entries.count == 3)
        #expect(Set(entries.compactMap { $0["sequence_number"] }) == [.int64(1), .int64(2)])

        let partitions = try await Self.rows(.partitions, table)
        let a = try #require(partitions.first { $0["partition"] == .structure([.string("a")]) })
        #expect(a["record_count"] == .int64(3))
        #expect(a["file_count"] == .int32(2))
        #expect(a["last_updated_snapshot_id"] == snapshots[1]["snapshot_id"])

        let manifests = try await Self.rows(.manifests, table)
        #expect(manifests.count == 2)
        #expect(
            manifests.contains {
                $0["partition_summaries"]
                    == .list([
                        .structure([
                            .boolean(false), .boolean(false), .string("a"), .string("b"),
                        ])
                    ])
            }
        )
        let log = try await Self.rows(.metadataLogEntries, table)
        #expect(log.last?["file"] == .string("memory:now.json"))
    }

    @Test("tables without partitions have no partition column, and empty ones have no rows")
    func unpartitioned() async throws {
        let table = try TestTable(MemoryStore(), columns: Columnar.Schema([Field("a", .int32)]))
        for kind in MetadataTable.allCases {
            let schema = try kind.schema(table.metadata)
            #expect(schema.index(named: "partition") == nil)
            let rows = try await Self.rows(kind, table)
            #expect(rows.count == (kind == .metadataLogEntries ? 1 : 0))
        }
    }
}
