import Ambient
import Columnar
import Iceberg
import ObjectStorage
import Testing

import Tables

@Suite("Scans of plain Parquet files")
struct PlainFileTests {
    /// A file with three columns, written by way of a table.
    private static func file() async throws -> ScanFile {
        let schema = Columnar.Schema([Field("a", .int64), Field("b", .string), Field("c", .date)])
        let table = try TestTable(MemoryStore(), columns: schema)
        let rows: [[Value]] = (0..<3000).map {
            [.int64(Int64($0)), .string("b\($0 % 10)"), .date(Int32($0))]
        }
        let files = try await table.write([batch(schema, rows)])
        return ScanFile(
            store: table.storage.store,
            key: try table.storage.key(of: files[0].filePath)
        )
    }

    private static func read(
        _ files: [ScanFile],
        _ fields: [Field],
        allowsMissing: Bool = false,
        predicate: TablePredicate = .always,
        meter: ScanMeter = ScanMeter()
    ) async throws -> [[Value]] {
        try await FetchService.withFetchService { service in
            let scan = try await ParquetScan.open(
                files: files,
                columns: fields.map { ScanColumn($0) },
                resolution: .names(allowsMissing: allowsMissing),
                predicate: predicate,
                service: service,
                meter: meter
            )
            return try await rows(of: scan)
        }
    }

    @Test("columns are found by name, in any order; a missing one is an error or null")
    func names() async throws {
        let file = try await Self.file()
        let schema = try await ParquetScan.schema(of: file)
        #expect(schema.fields.map(\.name) == ["a", "b", "c"])
        let statistics = try await ParquetScan.statistics(of: [file, file])
        #expect(statistics.rowCount == 6000)
        #expect(statistics.bounds[0]?.lower == .int64(0))
        #expect(statistics.bounds[0]?.upper == .int64(2999))
        #expect(statistics.bounds[2]?.upper == .date(2999))
        // Bounds of text may be cut.
        #expect(statistics.bounds[1]?.lower == .string("b0"))
        #expect(statistics.bounds[1]?.isExact == false)
        let fields = [Field("c", .date), Field("a", .int64)]
        let rows = try await Self.read([file, file], fields)
        #expect(rows.count == 6000)
        #expect(
            rows.allSatisfy {
                if case (.date(let c), .int64(let a)) = ($0[0], $0[1]) {
                    Int64(c) == a
                } else {
                    false
                }
            }
        )
        let missing = fields + [Field("z", .int32)]
        #expect(await failure { try await Self.read([file], missing) } is TablesError)
        let padded = try await Self.read([file], missing, allowsMissing: true)
        #expect(padded.allSatisfy { $0[2].isNull })
        // No columns at all still gives rows.
        #expect(try await Self.read([file], []).count == 3000)
    }

    @Test("bytes that are no Parquet file are refused by name")
    func corrupt() async throws {
        let store = MemoryStore()
        try await store.put("x.parquet", Array("PAR1 this is not a parquet file PAR2".utf8))
        let file = ScanFile(store: store, key: "x.parquet")
        let error = await failure { try await Self.read([file], [Field("a", .int32)]) }
        #expect((error as? TablesError)?.context == ["memory:x.parquet"])
    }

    @Test(
        "bloom filters leave out what statistics cannot",
        .enabled(if: PyIceberg.shared != nil, "the shared corpora are not here")
    )
    func bloomFilters() async throws {
        let shared = try #require(PyIceberg.shared)
        let file = ScanFile(
            store: try openStore(url: "\(shared)/corpora/parquet-testing"),
            key: "data/data_index_bloom_encoding_with_length.parquet"
        )
        let field = Field("String", .string, id: 1)
        let all = try await Self.read([file], [field])
        #expect(all.count == 14)
        for value in Set(all.map { $0[0] }) {
            let rows = try await Self.read(
                [file],
                [field],
                predicate: .compare(1, .equal, value)
            )
            #expect(rows.contains([value]))
        }
        let meter = ScanMeter()
        let none = try await Self.read(
            [file],
            [field],
            predicate: .isIn(1, [.string("Hi"), .string("not in it")]),
            meter: meter
        )
        #expect(none.isEmpty)
        #expect(meter.current.rowGroupsPruned == 1)
    }

    @Test("threads that wait are let go when the query ends, and reads fail as stores fail")
    func endings() async throws {
        let file = try await Self.file()
        let threads = WorkerPool(threadCountMax: 2)
        // Work that never ends by itself is cancelled with the service.
        let ticket = try await FetchService.withFetchService { service in
            service.start { try await Task.sleep(nanoseconds: 3_600_000_000_000) }
        }
        let ended = await failure { try await threads.run { try ticket.wait() } }
        #expect(ended is CancellationError)
        var gone = file
        gone.key += ".gone"
        let missing = gone
        let error = await failure { try await Self.read([missing], [Field("a", .int64)]) }
        #expect((error as? ObjectStoreError)?.code == .notFound)
        // A service that has ended refuses.
        let late = try await FetchService.withFetchService { $0 }
        let refused = await failure { try await threads.run { try late.wait(for: { 1 }) } }
        #expect(refused is CancellationError)
    }
}
