import Ambient
import Columnar
import Iceberg
import ObjectStorage
import Testing
import TestSupport

import Tables

@Suite("Changes of tables")
struct ChangeTests {
    private static let schema = Columnar.Schema([Field("id", .int64), Field("s", .string)])

    private static func rows(_ range: Range<Int>) -> [[Value]] {
        range.map { [.int64(Int64($0)), .string("row \($0)")] }
    }

    private static func table(_ ranges: Range<Int>...) async throws -> TestTable {
        var table = try TestTable(MemoryStore(), columns: schema)
        for range in ranges { try await table.append([batch(schema, rows(range))]) }
        return table
    }

    private static func ids(_ rows: [[Value]]) -> [Int64] {
        rows.compactMap { if case .int64(let id) = $0[0] { id } else { nil } }.sorted()
    }

    private static let lowIDs = TablePredicate.compare(1, .less, .int64(5))

    /// The change that deletes what `lowIDs` names by writing files anew.
    private static func rewrite(
        _ table: TestTable,
        isolation: TableIsolation = .serializable
    ) async throws -> TableChange {
        let reader = try TableReader(table.metadata, storage: table.storage)
        let plan = try await reader.plan(lowIDs)
        let (whole, partial) = reader.classify(plan)
        var added: [DataFile] = []
        for file in partial {
            var one = plan
            one.files = [file]
            let kept = try await FetchService.withFetchService { [one] service in
                try await plannedRows(reader, one, service)
            }.filter { if case .int64(let id) = $0[0] { id >= 5 } else { true } }
            added += try await table.write([batch(schema, kept)])
        }
        return TableChange(
            .rewrite(removed: (whole + partial).map(\.file), predicate: lowIDs),
            added: added,
            base: table.metadata,
            isolation: isolation,
            storage: table.storage
        )
    }

    @Test("appends made from one state both succeed, one after the other")
    func appendsRebase() async throws {
        var table = try await Self.table(0..<10)
        let first = try await table.write([batch(Self.schema, Self.rows(10..<20))])
        let second = try await table.write([batch(Self.schema, Self.rows(20..<30))])
        let changes = [first, second].map {
            TableChange(.append, added: $0, base: table.metadata, storage: table.storage)
        }
        let stale = try await changes[1].prepare(table.metadata)
        _ = try await table.commit(changes[0])
        // What was prepared before does not fit any more; prepared again it does, under new names.
        let refused = await failure {
            var copy = table
            try await copy.commit(stale)
        }
        #expect(refused is IcebergError)
        let fresh = try await changes[1].prepare(table.metadata)
        #expect(Set(fresh.sideFiles.map(\.key)).isDisjoint(with: stale.sideFiles.map(\.key)))
        try await table.commit(fresh)
        #expect(Self.ids(try await table.read()) == Array(0..<30))
        #expect(table.metadata.currentSnapshot?.summary["total-records"] == "30")
    }

    @Test("rows are deleted by writing files anew, and older versions keep them")
    func copyOnWrite() async throws {
        var table = try await Self.table(0..<3, 3..<10, 20..<30)
        let before = try #require(table.metadata.currentSnapshotID)
        let time = table.metadata.lastUpdatedMillis
        let prepared = try await table.commit(try await Self.rewrite(table))
        #expect(prepared.snapshot?.operation == .overwrite)
        // The file of ids 0 to 2 goes whole, that of 3 to 9 is replaced, the third is not looked at.
        #expect(prepared.removedFiles.count == 2)
        #expect(Self.ids(try await table.read()) == Array(5..<10) + Array(20..<30))
        #expect(Self.ids(try await table.read(at: .snapshotID(before))).count == 20)
        #expect(Self.ids(try await table.read(at: .timeMillis(time))).count == 20)
        #expect(Self.ids(try await table.read(at: .ref("main"))).count == 15)
        let failed1 = await failure {
            try TableReader(table.metadata, at: .timeMillis(5), storage: table.storage)
        }
        #expect(failed1 is TablesError)
        let failed2 = await failure {
            try TableReader(table.metadata, at: .ref("nowhere"), storage: table.storage)
        }
        #expect(failed2 is TablesError)
    }

    @Test("a rewrite conflicts when a file it replaces is gone")
    func rewriteConflict() async throws {
        var table = try await Self.table(0..<10)
        let first = try await Self.rewrite(table)
        let second = try await Self.rewrite(table)
        _ = try await table.commit(first)
        let error =
            await failure {
                try await second.prepare(table.metadata)
            } as? TablesError
        #expect(error?.code == .conflict)
    }

    @Test("rows that come meanwhile conflict when serializable and matching, else not")
    func isolation() async throws {
        var table = try await Self.table(0..<10)
        let serializable = try await Self.rewrite(table)
        let snapshot = try await Self.rewrite(table, isolation: .snapshot)
        let other = try await Self.rewrite(table)
        try await table.append([batch(Self.schema, Self.rows(100..<110))])
        // Rows that the predicate does not name are no matter.
        _ = try await other.prepare(table.metadata)
        try await table.append([batch(Self.schema, Self.rows(2..<4))])
        let error =
            await failure {
                try await serializable.prepare(table.metadata)
            } as? TablesError
        #expect(error?.code == .conflict)
        _ = try await table.commit(snapshot)
        #expect(Self.ids(try await table.read()) == [2, 3] + Array(5..<10) + Array(100..<110))
    }

    @Test("an overwrite drops whole files, and refuses to drop parts")
    func overwrite() async throws {
        var table = try await Self.table(0..<5, 5..<10)
        let part = TableChange(
            .overwrite(.compare(1, .less, .int64(7))),
            base: table.metadata,
            storage: table.storage
        )
        let failed3 = await failure {
            try await part.prepare(table.metadata)
        }
        #expect(failed3 is TablesError)
        let drop = TableChange(
            .overwrite(Self.lowIDs),
            base: table.metadata,
            storage: table.storage
        )
        let prepared = try await table.commit(drop)
        #expect(prepared.snapshot?.operation == .delete)
        #expect(Self.ids(try await table.read()) == Array(5..<10))
        let files = try await table.write([batch(Self.schema, Self.rows(50..<52))])
        _ = try await table.commit(
            TableChange(
                .overwrite(.always),
                added: files,
                base: table.metadata,
                storage: table.storage
            )
        )
        #expect(Self.ids(try await table.read()) == [50, 51])
        // A predicate that cannot be understood never drops anything whole.
        let unclear = TableChange(
            .overwrite(.not(.unknown)),
            base: table.metadata,
            storage: table.storage
        )
        let failed4 = await failure {
            try await unclear.prepare(table.metadata)
        }
        #expect(failed4 is TablesError)
    }

    @Test("columns that were added, dropped, renamed, moved and widened read as they should")
    func evolution() async throws {
        let old = Columnar.Schema([
            Field("a", .int32), Field("b", .string), Field("c", .float32), Field("d", .int32),
        ])
        var table = try TestTable(MemoryStore(), columns: old)
        try await table.append([
            batch(old, [[.int32(1), .string("x"), .float32(0.5), .int32(7)]])
        ])
        let first = try #require(table.metadata.currentSnapshotID)
        var change = try SchemaChange(table: table.metadata)
        try change.widenColumn("a", to: .long)
        try change.widenColumn("c", to: .double)
        try change.renameColumn("b", to: "text")
        try change.dropColumn("d")
        try table.apply(change.updates())
        change = try SchemaChange(table: table.metadata)
        try change.addColumn("d", type: .int)
        try change.addColumn("b", type: .string)
        try change.moveColumn("text", to: .first)
        try table.apply(change.updates())
        let new = try Columnar.Schema(table.metadata.currentSchema)
        #expect(new.fields.map(\.name) == ["text", "a", "c", "d", "b"])
        // What was dropped stays gone though a column has its name again.
        #expect(
            try await table.read() == [[.string("x"), .int64(1), .float64(0.5), .null, .null]]
        )
        try await table.append([
            batch(new, [[.string("y"), .int64(.max), .float64(1e300), .int32(8), .string("z")]])
        ])
        #expect(
            counted(try await table.read())
                == counted([
                    [.string("x"), .int64(1), .float64(0.5), .null, .null],
                    [.string("y"), .int64(.max), .float64(1e300), .int32(8), .string("z")],
                ])
        )
        // The old version has its own schema, and filters on widened columns still find old rows.
        #expect(
            try await table.read(at: .snapshotID(first))
                == [[.int32(1), .string("x"), .float32(0.5), .int32(7)]]
        )
        let meter = ScanMeter()
        let found = try await table.read(.compare(1, .equal, .int64(1)), meter: meter)
        #expect(found.count == 1)
        #expect(meter.current.filesPruned == 1)
    }
}
