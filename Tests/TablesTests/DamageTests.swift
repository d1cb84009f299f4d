import Ambient
import Columnar
import Iceberg
import ObjectStorage
import TestSupport
import Testing

import Parquet
import Tables

/// What a table's reader finds when files are damaged, missing, or not those that manifests describe.
@Suite("Damaged tables")
struct DamageTests {
    private static let schema = Columnar.Schema([
        Field("a", .int64, isNullable: false), Field("s", .string),
        Field("l", .list(Field("element", .int32))),
    ])

    private static func make(_ store: any ObjectStore) async throws -> TestTable {
        var table = try TestTable(store, columns: schema)
        for start in [0, 100] {
            let rows: [[Value]] = (start..<start + 50).map {
                [.int64(Int64($0)), .string("row \($0)"), .list([.int32(Int32($0)), .null])]
            }
            try await table.append([batch(schema, rows)])
        }
        return table
    }

    private static func verification(of table: TestTable) async throws -> TableVerification {
        try await TableVerifier(
            table.metadata,
            metadataFile: "the-metadata",
            storage: table.storage
        ).verify(readsData: true)
    }

    /// The keys of a table's files, by what they are.
    private static func keys(_ table: TestTable) async throws -> (
        list: String, manifest: String, data: String
    ) {
        let reader = try TableReader(table.metadata, storage: table.storage)
        let manifest = try #require(try await reader.manifests().first)
        let entry = try #require(try await reader.entries(of: [manifest]).first?.first)
        return (
            try table.storage.key(of: try #require(reader.snapshot?.manifestList)),
            try table.storage.key(of: manifest.manifestPath),
            try table.storage.key(of: entry.file.filePath)
        )
    }

    @Test("a sound table has no faults, and everything is counted")
    func sound() async throws {
        let store = MemoryStore()
        let table = try await Self.make(store)
        let report = try await Self.verification(of: table)
        #expect(report.faults.isEmpty, "\(report.faults)")
        #expect(report.manifestLists.fileCount == 2)
        #expect(report.manifests.fileCount >= 2)
        #expect(report.dataFiles.fileCount == 2)
        #expect(report.rowCount == 100)
        // Every byte of the data files was read.
        let data = try await store.listAll(prefix: "ns/t/data/")
        #expect(report.dataFiles.byteCount == data.reduce(0) { $0 + $1.size })
    }

    @Test(
        "a flipped bit anywhere in a table's files is a fault that names the file",
        arguments: 0..<3
    )
    func anyBit(kind: Int) async throws {
        let store = MemoryStore()
        let table = try await Self.make(store)
        let keys = try await Self.keys(table)
        let key = [keys.list, keys.manifest, keys.data][kind]
        let bytes = try await store.get(key).bytes
        var random = SeededGenerator(seed: UInt64(kind))
        for byte in bytes.indices where kind == 2 || byte % 4 == 0 {
            var damaged = bytes
            damaged[byte] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            try await store.put(key, damaged)
            let report = try await Self.verification(of: table)
            let isNamed = report.faults.contains { $0.place.contains(key) }
            #expect(isNamed, "byte \(byte) of \(bytes.count): \(report.faults)")
        }
    }

    @Test("an error about a missing file names it and what refers to it")
    func missing() async throws {
        let store = MemoryStore()
        let table = try await Self.make(store)
        let keys = try await Self.keys(table)
        for (key, referrer) in [
            (keys.list, "the-metadata"), (keys.manifest, keys.list), (keys.data, keys.manifest),
        ] {
            let bytes = try await store.get(key).bytes
            try await store.delete(key)
            let reader = try TableReader(
                table.metadata,
                storage: table.storage,
                metadataFile: "the-metadata"
            )
            let error = await failure { try await rows(of: reader, fieldIDs: [1]) }
            let message = error.map { "\($0)" } ?? "none"
            #expect((error as? TablesError)?.code == .corrupt)
            #expect(message.contains(key) && message.contains(referrer), "\(message)")
            let fault = try await Self.verification(of: table).faults.first
            #expect(fault?.place.contains(key) ?? false)
            #expect(fault?.place.contains(referrer) ?? false)
            try await store.put(key, bytes)
        }
    }

    /// A table of one file that another writer made: without checksums.
    private func foreign(
        columns: Columnar.Schema,
        change: (inout DataFile) -> Void
    ) async throws -> (table: TestTable, key: String) {
        let store = MemoryStore()
        var table = try TestTable(store, columns: Self.schema)
        var options = ParquetWriteOptions()
        options.writesChecksums = false
        let writer = try ParquetWriter(schema: columns, options: options)
        let rows: [[Value]] = (0..<20).map { number in
            [.int64(number), .string("x"), .list([.int32(1)])]
                .prefix(columns.count).map { $0 }
        }
        try writer.write(batch(columns, rows))
        let bytes = try writer.finish().bytes
        let key = "ns/t/data/other.parquet"
        try await store.put(key, bytes)
        var file = DataFile(
            filePath: table.storage.location(of: key),
            recordCount: 20,
            fileSizeBytes: Int64(bytes.count)
        )
        file.valueCounts = [1: 20, 2: 20, 4: 20]
        file.nullValueCounts = [1: 0, 2: 0]
        change(&file)
        _ = try await table.commit(
            TableChange(.append, added: [file], base: table.metadata, storage: table.storage)
        )
        return (table, key)
    }

    private func numbered(_ element: Int = 4) -> Columnar.Schema {
        Columnar.Schema([
            Field("a", .int64, isNullable: false, id: 1), Field("s", .string, id: 2),
            Field("l", .list(Field("element", .int32, id: element)), id: 3),
        ])
    }

    @Test("a foreign file that is what its manifest says is read")
    func foreignSound() async throws {
        let (table, _) = try await foreign(columns: numbered()) { _ in }
        #expect(try await table.read().count == 20)
        let report = try await Self.verification(of: table)
        #expect(report.faults.isEmpty, "\(report.faults)")
    }

    @Test("columns that the manifest counts and the file lacks, and other row counts, are damage")
    func foreignDamaged() async throws {
        var renumbered = numbered()
        renumbered.fields[1].id = 66
        let cases: [(Columnar.Schema, (inout DataFile) -> Void, String)] = [
            (renumbered, { _ in }, "field id 2"), (numbered(77), { _ in }, "field id 4"),
            (numbered(), { $0.recordCount = 21 }, "21 rows"),
            (numbered(), { $0.recordCount = 19 }, "19 rows"),
        ]
        for (columns, change, words) in cases {
            let (table, key) = try await foreign(columns: columns, change: change)
            let error = await failure { try await table.read() }
            #expect((error as? TablesError)?.code == .corrupt)
            let message = error.map { "\($0)" } ?? "none"
            #expect(message.contains(key) && message.contains(words), "\(message)")
            let report = try await Self.verification(of: table)
            #expect(report.faults.contains { $0.place.contains(key) })
        }
        // A column that the manifest does not count may be missing: it was added later.
        let (table, _) = try await foreign(columns: renumbered) {
            $0.valueCounts = [1: 20, 4: 20]
        }
        #expect(try await table.read().allSatisfy { $0[1] == .null })
    }

    @Test("claims of a manifest that the footer contradicts are faults of an audit")
    func claims() async throws {
        let cases: [((inout DataFile) -> Void, String)] = [
            ({ $0.valueCounts = [1: 21, 2: 20] }, "values"),
            ({ $0.nullValueCounts = [1: 1] }, "nulls"),
            ({ $0.fileSizeBytes += 1 }, "bytes"),
            ({ $0.lowerBounds = [1: Datum.long(1).bytes] }, "lower bound"),
            ({ $0.upperBounds = [1: Datum.long(18).bytes] }, "upper bound"),
        ]
        for (change, words) in cases {
            let (table, key) = try await foreign(columns: numbered(), change: change)
            let report = try await Self.verification(of: table)
            #expect(report.faults.count == 1, "\(words): \(report.faults)")
            #expect(report.faults.first?.message.contains(words) ?? false, "\(report.faults)")
            #expect(report.faults.first?.place.contains(key) ?? false)
        }
        let (table, _) = try await foreign(columns: numbered()) {
            $0.lowerBounds = [1: Datum.long(0).bytes]
            $0.upperBounds = [1: Datum.long(19).bytes]
        }
        #expect(try await Self.verification(of: table).faults.isEmpty)
    }
}
