import Ambient
import Columnar
import Iceberg
import ObjectStorage
import Testing
import TestSupport

import Tables

/// A column of each type that tables can hold and its values at the edges.
let everyType: [(Field, [Value])] = [
    (Field("b", .boolean), [.boolean(true), .boolean(false)]),
    (Field("i", .int32), [.int32(.min), .int32(.max), .int32(0)]),
    (Field("l", .int64), [.int64(.min), .int64(.max), .int64(-1)]),
    (
        Field("f", .float32),
        [.float32(-.infinity), .float32(.infinity), .float32(.nan), .float32(0.5)]
    ),
    (
        Field("d", .float64),
        [.float64(-.greatestFiniteMagnitude), .float64(.nan), .float64(1e-300)]
    ),
    (
        Field("dec9", .decimal(precision: 9, scale: 2)),
        [.decimal(-999_999_999), .decimal(999_999_999), .decimal(0)]
    ),
    (
        Field("dec18", .decimal(precision: 18, scale: 0)),
        [.decimal(-999_999_999_999_999_999), .decimal(1)]
    ),
    (
        Field("dec38", .decimal(precision: 38, scale: 10)),
        [
            .decimal(99_999_999_999_999_999_999_999_999_999_999_999_999),
            .decimal(-99_999_999_999_999_999_999_999_999_999_999_999_999),
        ]
    ),
    (Field("date", .date), [.date(-719_162), .date(2_932_896), .date(0)]),
    (Field("time", .time), [.time(0), .time(86_399_999_999)]),
    (Field("ts", .timestamp), [.timestamp(-1), .timestamp(253_402_300_799_999_999)]),
    (Field("tstz", .timestamptz), [.timestamptz(0), .timestamptz(-62_135_596_800_000_000)]),
    (
        Field("s", .string),
        [.string(""), .string("grüße, 世界 🌍"), .string(String(repeating: "long ", count: 50))]
    ),
    (Field("bin", .binary), [.binary([]), .binary([0, 255, 128])]),
    (Field("fix", .fixed(3)), [.fixed([1, 2, 3]), .fixed([255, 255, 255])]),
    (Field("u", .uuid), [.uuid(.min), .uuid(.max), .uuid(42)]),
]

func randomRows(
    _ columns: [(Field, [Value])],
    count: Int,
    nulls: Double,
    _ random: inout SeededGenerator
) -> [[Value]] {
    (0..<count).map { _ in
        columns.map { field, values in
            if field.isNullable && Double.random(in: 0..<1, using: &random) < nulls { return .null }
            return values.randomElement(using: &random) ?? .null
        }
    }
}

@Suite("Writing and reading tables")
struct RoundTripTests {
    @Test("rows of every type come back as they were written", arguments: [0, 0.3, 1])
    func everyTypeRoundTrips(nulls: Double) async throws {
        let schema = Columnar.Schema(everyType.map(\.0))
        var random = SeededGenerator(seed: 1)
        var table = try TestTable(MemoryStore(), columns: schema)
        var all: [[Value]] = []
        for _ in 0..<2 {
            let rows = randomRows(everyType, count: 5000, nulls: nulls, &random)
            all += rows
            try await table.append([batch(schema, rows)])
        }
        #expect(counted(try await table.read()) == counted(all))
        #expect(table.metadata.snapshots.count == 2)
    }

    @Test("nested values come back as they were written")
    func nested() async throws {
        let point = DataType.structure([Field("x", .int32), Field("y", .string)])
        let schema = Columnar.Schema([
            Field("id", .int64), Field("p", point), Field("l", .list(Field("element", .int64))),
            Field(
                "m",
                .map(key: Field("key", .string, isNullable: false), value: Field("value", point))
            ),
        ])
        var table = try TestTable(MemoryStore(), columns: schema)
        let rows: [[Value]] = (0..<3000).map { (number: Int) -> [Value] in
            let point = Value.structure([
                number % 3 == 0 ? .null : .int32(Int32(number)), .string("y\(number)"),
            ])
            let list = (0..<(number % 4)).map { $0 == 1 ? Value.null : .int64(Int64($0)) }
            return [
                .int64(Int64(number)), number % 5 == 0 ? .null : point,
                number % 7 == 0 ? .null : .list(list),
                .map([.init(key: .string("k"), value: number % 2 == 0 ? .null : point)]),
            ]
        }
        try await table.append([batch(try Columnar.Schema(table.metadata.currentSchema), rows)])
        #expect(counted(try await table.read()) == counted(rows))
    }

    @Test("an empty table has no rows, and an append of nothing changes nothing")
    func empty() async throws {
        let schema = Columnar.Schema([Field("a", .int32)])
        var table = try TestTable(MemoryStore(), columns: schema)
        #expect(try await table.read().isEmpty)
        let files = try await table.write([batch(schema, [])])
        #expect(files.isEmpty)
        let prepared = try await table.commit(
            TableChange(.append, added: [], base: table.metadata, storage: table.storage)
        )
        #expect(prepared.isEmpty)
        #expect(table.metadata.currentSnapshotID == nil)
    }

    @Test("small row groups and files keep every row once, in memory and in a folder")
    func smallFiles() async throws {
        let folder = try TemporaryFolder()
        let schema = Columnar.Schema([Field("id", .int64, isNullable: false), Field("s", .string)])
        for store in [MemoryStore(), try folder.store()] as [any ObjectStore] {
            var table = try TestTable(
                store,
                columns: schema,
                properties: [
                    "write.target-file-size-bytes": "60000",
                    "write.parquet.row-group-size-bytes": "8192",
                    "write.parquet.compression-codec": "uncompressed",
                ]
            )
            let rows: [[Value]] = (0..<20_000).map {
                [.int64(Int64($0)), $0 % 7 == 0 ? .null : .string("text number \($0 % 1000)")]
            }
            try await table.append(
                stride(from: 0, to: rows.count, by: 2048).map {
                    batch(schema, Array(rows[$0..<min($0 + 2048, rows.count)]))
                }
            )
            let reader = try TableReader(table.metadata, storage: table.storage)
            let plan = try await reader.plan()
            #expect(plan.files.count > 2)
            #expect(plan.rowCount == 20_000)
            #expect(plan.files.contains { ($0.file.splitOffsets?.count ?? 0) > 1 })
            #expect(counted(try await table.read()) == counted(rows))
            // With footers read late, and one byte of fetching ahead.
            var lazy = ScanOptions(prefetchBytesMax: 1, eagerFooterCountMax: 0)
            lazy.footers = FooterCache(byteCountMax: 1 << 20)
            #expect(counted(try await table.read(options: lazy)) == counted(rows))
        }
    }

    @Test("a null in a required column is refused")
    func required() async throws {
        let schema = Columnar.Schema([Field("a", .int32, isNullable: false)])
        let table = try TestTable(MemoryStore(), columns: schema)
        let error =
            await failure {
                try await table.write([batch(schema, [[.int32(1)], [.null]])])
            } as? TablesError
        #expect(error?.code == .constraint)
    }

    @Test("what is abandoned leaves nothing but finished files, which it names")
    func abandon() async throws {
        let schema = Columnar.Schema([Field("a", .int64)])
        let store = MemoryStore()
        let table = try TestTable(
            store,
            columns: schema,
            properties: ["write.target-file-size-bytes": "1000"]
        )
        let writer = try TableWriter(table.metadata, storage: table.storage)
        let rows = (0..<50_000).map { [Value.int64(Int64($0 &* 7919 % 1_000_003))] }
        for start in stride(from: 0, to: rows.count, by: 10_000) {
            try await writer.write(batch(schema, Array(rows[start..<start + 10_000])))
        }
        let keys = await writer.abandon()
        #expect(!keys.isEmpty)
        try await store.delete(keys)
        #expect(try await store.listAll(prefix: "").isEmpty)
    }

    @Test("file and row positions are those of the file")
    func positions() async throws {
        let schema = Columnar.Schema([Field("a", .int64)])
        var table = try TestTable(MemoryStore(), columns: schema)
        try await table.append([batch(schema, (0..<5000).map { [.int64(Int64($0))] })])
        let ids = [1, 2_147_483_645, 2_147_483_646]
        let rows = try await table.read(fieldIDs: ids)
        #expect(rows.count == 5000)
        #expect(rows.allSatisfy { $0[0] == $0[1] })
        #expect(Set(rows.map { $0[2] }).count == 1)
    }
}

@Suite("Partitioned tables")
struct PartitionTests {
    private static let transforms: [(String, Transform)] = [
        ("b", .identity), ("i", .identity), ("i", .bucket(count: 4)), ("i", .truncate(width: 10)),
        ("l", .bucket(count: 3)), ("l", .truncate(width: 1000)), ("dec9", .bucket(count: 3)),
        ("dec9", .truncate(width: 50)), ("dec38", .bucket(count: 3)), ("date", .year),
        ("date", .month), ("date", .day), ("date", .identity), ("date", .bucket(count: 5)),
        ("time", .bucket(count: 2)), ("ts", .year), ("ts", .month), ("ts", .day), ("ts", .hour),
        ("ts", .bucket(count: 3)), ("tstz", .day), ("tstz", .identity), ("s", .identity),
        ("s", .bucket(count: 4)), ("s", .truncate(width: 3)), ("bin", .bucket(count: 2)),
        ("bin", .truncate(width: 1)), ("u", .bucket(count: 3)), ("u", .identity),
        ("fix", .bucket(count: 2)), ("i", .void), ("f", .identity),
    ]

    @Test("every transform divides rows as it says", arguments: 0..<32)
    func transform(_ index: Int) async throws {
        let (name, transform) = Self.transforms[index]
        var columns = everyType.filter { $0.0.name == name }
        // Values that are near each other, so that partitions hold several.
        if name == "i" { columns[0].1 = (-30..<30).map { .int32($0) } }
        if name == "date" { columns[0].1 = (-40..<40).map { .date($0 * 9) } }
        if name == "ts" { columns[0].1 = (-40..<40).map { .timestamp($0 * 1_234_567_890_123) } }
        // The largest decimals have no multiple of the width below them.
        if name == "dec9" { columns[0].1 = (-40..<40).map { .decimal(Int128($0) * 31) } }
        columns.append((Field("n", .int64), (0..<1000).map { .int64($0) }))
        let schema = Columnar.Schema(columns.map(\.0))
        let spec = UnboundPartitionSpec(
            fields: [
                .init(
                    sourceIDs: [1],
                    name: transform == .identity ? name : "p",
                    transform: transform
                )
            ]
        )
        var table = try TestTable(MemoryStore(), columns: schema, spec: spec)
        var random = SeededGenerator(seed: UInt64(index))
        let rows = randomRows(columns, count: 3000, nulls: 0.1, &random)
        var options = try TableWriterOptions(table.metadata)
        options.openFileCountMax = 8
        let files = try await table.write([batch(schema, rows)], options: options)
        _ = try await table.commit(
            TableChange(.append, added: files, base: table.metadata, storage: table.storage)
        )
        #expect(counted(try await table.read()) == counted(rows))
        // Each file's partition value is what the transform makes of each of its rows.
        let reader = try TableReader(table.metadata, storage: table.storage)
        let source = try #require(table.metadata.currentSchema.field(id: 1))
        for planned in try await reader.plan().files {
            var plan = try await reader.plan()
            plan.files = [planned]
            let part = try await FetchService.withFetchService { [plan] service in
                try await plannedRows(reader, plan, service)
            }
            #expect(Int64(part.count) == planned.file.recordCount)
            for row in part {
                let expected = try transform.apply(Datum(row[0], type: source.type))
                #expect(planned.file.partition == [expected])
            }
        }
    }
}

func plannedRows(
    _ reader: TableReader,
    _ plan: TablePlan,
    _ service: FetchService
) async throws -> [[Value]] {
    let scan = try await reader.openScan(
        plan,
        fieldIDs: reader.schema.fields.map(\.id),
        service: service
    )
    return try await rows(of: scan)
}
