import Columnar
import Iceberg
import ObjectStorage
import Parquet
import Testing

import Tables

@Suite("Delete files written by others")
struct DeleteFileTests {
    private static let schema = Columnar.Schema([Field("id", .int64)])

    /// A table of ids 0 to 4999, and a position delete file for the given rows of its data file.
    private static func make(
        _ positions: [Int64]
    ) async throws -> (table: TestTable, deletes: DataFile) {
        var table = try TestTable(MemoryStore(), columns: schema)
        try await table.append([batch(schema, (0..<5000).map { [.int64(Int64($0))] })])
        let plan = try await TableReader(table.metadata, storage: table.storage).plan()
        let path = plan.files[0].file.filePath
        let fields = Columnar.Schema([
            Field("file_path", .string, isNullable: false, id: 2_147_483_546),
            Field("pos", .int64, isNullable: false, id: 2_147_483_545),
        ])
        let writer = try ParquetWriter(schema: fields)
        try writer.write(
            batch(
                fields,
                [[.string("memory:elsewhere"), .int64(1)]]
                    + positions.map { [.string(path), .int64($0)] }
            )
        )
        let bytes = try writer.finish().bytes
        try await table.storage.store.put("ns/t/data/deletes.parquet", bytes)
        let file = DataFile(
            content: .positionDeletes,
            filePath: table.storage.location(of: "ns/t/data/deletes.parquet"),
            recordCount: Int64(positions.count + 1),
            fileSizeBytes: Int64(bytes.count)
        )
        return (table, file)
    }

    private static func commit(_ file: DataFile, to table: inout TestTable) async throws {
        _ = try await table.commit(
            TableChange(.append, added: [file], base: table.metadata, storage: table.storage)
        )
    }

    @Test("rows that position delete files name are gone, at every edge of a window")
    func positions() async throws {
        let gone: [Int64] = [0, 1, 2047, 2048, 4095, 4096, 4999] + Array(3000..<3100)
        var (table, file) = try await Self.make(gone)
        try await Self.commit(file, to: &table)
        let meter = ScanMeter()
        let rows = try await table.read(fieldIDs: [1, 2_147_483_645], meter: meter)
        let left = Set((0..<5000).map { Int64($0) }).subtracting(gone)
        #expect(Set(rows.map { $0[0] }) == Set(left.map { Value.int64($0) }))
        #expect(rows.count == left.count)
        #expect(rows.allSatisfy { $0[0] == $0[1] })
        #expect(meter.current.rowsDeleted == gone.count)
        // Rows written afterwards are not meant, though they have the same numbers in their file.
        try await table.append([batch(Self.schema, (5000..<5010).map { [.int64($0)] })])
        #expect(try await table.read().count == left.count + 10)
    }

    @Test("a window of which nothing is left is passed over")
    func wholeWindows() async throws {
        var (table, file) = try await Self.make(Array(0..<4990))
        try await Self.commit(file, to: &table)
        let rows = try await table.read()
        #expect(counted(rows) == counted((4990..<5000).map { [.int64($0)] }))
    }

    @Test("rows that others delete meanwhile do not come back by a rewrite")
    func rewriteConflict() async throws {
        var (table, file) = try await Self.make([7])
        let plan = try await TableReader(table.metadata, storage: table.storage).plan()
        let rewrite = TableChange(
            .rewrite(removed: plan.files.map(\.file), predicate: .always),
            added: try await table.write([batch(Self.schema, [[.int64(1)]])]),
            operation: .replace,
            base: table.metadata,
            isolation: .snapshot,
            storage: table.storage
        )
        try await Self.commit(file, to: &table)
        let error = await failure { try await rewrite.prepare(table.metadata) }
        #expect((error as? TablesError)?.code == .conflict)
    }

    @Test("delete files of a form that cannot be applied are refused by name")
    func refused() async throws {
        var (table, file) = try await Self.make([7])
        file.fileFormat = .avro
        try await Self.commit(file, to: &table)
        let error = await failure { try await table.read() } as? TablesError
        #expect(error?.code == .unsupported)
        #expect(error?.context == [file.filePath])
    }
}
