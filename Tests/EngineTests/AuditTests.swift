import Ambient
import Bytes
import Catalog
import Columnar
import Engine
import Iceberg
import ObjectStorage
import Parquet
import Tables
import Testing

@Suite("Audits")
struct AuditTests {
    private func explain(
        _ memory: MemorySession,
        _ table: String,
        where predicate: String? = nil,
        rowID: Int64? = nil
    ) async throws -> JSON {
        var request = ExplainRequest(table: table)
        request.predicate = predicate
        request.rowID = rowID
        return try await memory.session.explain(request).json()
    }

    /// The position of each commit of a report, by its id.
    private func positions(_ report: JSON) -> [String: Int64] {
        var found: [String: Int64] = [:]
        for commit in report["commits"]?.array ?? [] {
            if let id = commit["id"]?.string { found[id] = commit["position"]?.int64 }
        }
        return found
    }

    private func list(_ row: JSON, _ member: String, _ positions: [String: Int64]) -> [Int64] {
        (row[member]?.array ?? []).compactMap { $0.string.flatMap { positions[$0] } }
    }

    private func rows(_ report: JSON) -> [JSON] { report["rows"]?["list"]?.array ?? [] }

    // MARK: Row lineage

    /// Replaces a table's only file by one that keeps row ids, as writers do that know row lineage.
    ///
    /// - Parameter rows: of each row its values, its id and the sequence number of its last change; nil for
    ///   ones that this change made.
    private func replaceFile(
        _ memory: MemorySession,
        _ rows: [(n: Int32, id: Int64?, sequence: Int64?)],
        _ operation: SnapshotOperation
    ) async throws {
        let catalog = try await memory.session.engine.catalog(creating: false)
        let name = try TableIdentifier(.main, "t")
        let table = try await catalog.load(name)
        let storage = TableStorage(catalog.store)
        let fieldID = try #require(table.metadata.currentSchema.fields.first).id
        let schema = Columnar.Schema([
            Field("n", .int32, id: fieldID), MetadataColumn.rowID,
            MetadataColumn.lastUpdatedSequenceNumber,
        ])
        let ids: [Value] = rows.map { row in row.id.map { .int64($0) } ?? .null }
        let numbers: [Value] = rows.map { row in row.sequence.map { .int64($0) } ?? .null }
        let values: [Value] = rows.map { .int32($0.n) }
        let batch = RecordBatch(
            schema: schema,
            columns: [Column(.int32, values), Column(.int64, ids), Column(.int64, numbers)],
            rowCount: rows.count
        )
        let writer = try ParquetWriter(schema: schema)
        try writer.write(batch)
        let bytes = try writer.finish().bytes
        let location = table.metadata.location + "/data/kept-\(catalog.makeCommitID()).parquet"
        _ = try await catalog.store.put(try storage.key(of: location), bytes)
        let file = DataFile(
            filePath: location,
            recordCount: Int64(rows.count),
            fileSizeBytes: Int64(bytes.count)
        )
        let reader = try TableReader(table.metadata, storage: storage)
        let removed = try await reader.plan().files.map(\.file)
        _ = try await catalog.commit(
            CatalogCommit(
                id: catalog.makeCommitID(),
                actor: "keeper",
                operations: [
                    .changeTable(name) { base in
                        let metadata = try #require(base.metadata)
                        let change = Tables.TableChange(
                            .rewrite(removed: removed, predicate: .never),
                            added: [file],
                            operation: operation,
                            base: metadata,
                            storage: storage
                        )
                        let prepared = try await change.prepare(metadata)
                        return Catalog.TableChange(
                            requirements: prepared.requirements,
                            updates: prepared.updates,
                            files: prepared.sideFiles.map {
                                Catalog.TableChange.File(key: $0.key, bytes: $0.bytes)
                            }
                        )
                    }
                ]
            )
        )
    }

    @Test("Row lineage that others keep says who changed a row, and who inserted it")
    func rowLineage() async throws {
        let memory = MemorySession()
        try await memory.run(
            "CREATE TABLE t (n INT) TBLPROPERTIES ('format-version' = '3');"
                + "INSERT INTO t VALUES (1), (2), (3)"
        )
        // Positions: 1 makes main, 2 the table, 3 inserts. The same rows in another file:
        try await replaceFile(memory, [(1, 0, 1), (2, 1, 1), (3, 2, 1)], .replace)
        var report = try await explain(memory, "t", where: "TRUE")
        #expect(rows(report).count == 3)
        for row in rows(report) {
            #expect(row["evidence"]?.string == "row-lineage")
            #expect(list(row, "written-by", positions(report)) == [3])
            #expect(list(row, "moved-by", positions(report)) == [4])
            #expect(row["inserted-by"]?.isNull == true)
        }
        // One changes, though to the value that it had; one goes.
        try await replaceFile(memory, [(1, 0, 1), (2, 1, nil)], .overwrite)
        report = try await explain(memory, "t", where: "TRUE")
        let known = positions(report)
        let found = rows(report)
        try #require(found.count == 2)
        #expect(list(found[0], "written-by", known) == [3])
        #expect(list(found[1], "written-by", known) == [5])
        #expect(found[1]["inserted-by"]?.string.flatMap { known[$0] } == 3)
        #expect(found[1]["row-id"]?.int64 == 1)
        #expect(found[1]["last-updated-sequence-number"]?.int64 == 3)
        let gone = try await explain(memory, "t", rowID: 2)
        let absence = try #require(gone["absence"])
        #expect(absence["removed-by"]?.string.flatMap { positions(gone)[$0] } == 5)
        let row = try #require(absence["row"])
        #expect(row["values"]?["n"]?.int64 == 3)
        #expect(list(row, "written-by", positions(gone)) == [3])
        let all = try await memory.session.explain(ExplainRequest(table: "t"))
        #expect(all.text.contains("keeper"))
        #expect(all.html.contains("keeper"))
    }

    @Test(
        "Rows that a writer moved without their ids are followed by value, and by id on either side"
    )
    func lostIDs() async throws {
        let memory = MemorySession()
        try await memory.run(
            "CREATE TABLE t (n INT) TBLPROPERTIES ('format-version' = '3');"
                + "INSERT INTO t VALUES (1), (2), (3), (4)"
        )
        try await memory.run("DELETE FROM t WHERE n = 4")
        try await replaceFile(memory, [(1, nil, nil), (2, nil, nil), (3, nil, nil)], .replace)
        try await memory.run("UPDATE t SET n = 9 WHERE n = 3; DELETE FROM t WHERE n = 2")
        let report = try await explain(memory, "t", where: "TRUE")
        let known = positions(report)
        let found = rows(report)
        try #require(found.count == 2)
        #expect(found[0]["evidence"]?.string == "values")
        #expect(list(found[0], "written-by", known) == [3])
        #expect(list(found[0], "moved-by", known) == [7, 6, 5, 4])
        #expect(found[1]["evidence"]?.string == "row-lineage")
        #expect(list(found[1], "written-by", known) == [6])
        #expect(list(found[1], "moved-by", known) == [7])
        // As far as ids tell: they were given by the writer that lost the others.
        #expect(found[1]["inserted-by"]?.string.flatMap { known[$0] } == 5)
    }

    @Test("An id that the table has not given, or a number of the future, is a fault")
    func impossibleLineage() async throws {
        for row: (n: Int32, id: Int64?, sequence: Int64?) in [(1, 1000, 1), (1, -1, 1), (1, 0, 9)] {
            let memory = MemorySession()
            try await memory.run(
                "CREATE TABLE t (n INT) TBLPROPERTIES ('format-version' = '3');"
                    + "INSERT INTO t VALUES (1)"
            )
            try await replaceFile(memory, [(1, 0, 1)], .replace)
            let before = try await memory.session.verify(readsData: true, rebuildsLineage: false)
            #expect(before.isSound)
            try await replaceFile(memory, [row], .replace)
            let after = try await memory.session.verify(readsData: true, rebuildsLineage: false)
            #expect(after.faults.count == 1)
        }
    }

    // MARK: What is gone

    @Test("A way that ends at expired snapshots is said to end there")
    func expired() async throws {
        let memory = MemorySession()
        try await memory.run(
            "CREATE TABLE t (n INT, s VARCHAR); INSERT INTO t VALUES (1, 'a'), (2, 'b');"
                + "UPDATE t SET s = 'c' WHERE n = 2"
        )
        let before = try await explain(memory, "t", where: "n = 1")
        let whole = try #require(rows(before).first)
        #expect(list(whole, "written-by", positions(before)) == [3])
        #expect(before["complete"]?.bool == true)
        memory.advance(days: 30)
        _ = try await memory.expire()
        // The commit's own metadata file still knows the snapshot before.
        let kept = try await explain(memory, "t", where: "n = 1")
        #expect(list(try #require(rows(kept).first), "written-by", positions(kept)) == [3])
        let table = try #require(try await memory.session.maintainedTables("t").first)
        _ = try await memory.session.removeOrphans(of: table, ageMillisMin: 0, isDry: false)
        let after = try await explain(memory, "t", where: "n = 1")
        let row = try #require(rows(after).first)
        #expect(row["evidence"]?.string == "unfollowed")
        #expect(row["certain"]?.bool == false)
        #expect(list(row, "written-by", positions(after)) == [4])
        #expect(after["complete"]?.bool == false)
        let gaps = (after["gaps"]?.array ?? []).compactMap(\.string)
        #expect(gaps.contains { $0.contains("took away") })
    }

    @Test("A table that was registered says that it may be older than its log")
    func registered() async throws {
        let memory = MemorySession()
        try await memory.run(
            "CREATE TABLE t (n INT); INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)"
        )
        let catalog = try await memory.session.engine.catalog(creating: false)
        let table = try await catalog.load(try TableIdentifier(.main, "t"))
        try await memory.run("DROP TABLE t")
        _ = try await catalog.commit(
            CatalogCommit(
                id: "again",
                actor: "registrar",
                operations: [
                    .registerTable(
                        try TableIdentifier(.main, "r"),
                        metadataLocation: table.metadataLocation,
                        overwrite: false
                    )
                ]
            )
        )
        // The log knows both snapshots from before.
        let report = try await explain(memory, "r")
        #expect(report["complete"]?.bool == true)
        #expect(Set(positions(report).values) == [3, 4])
    }

    // MARK: History

    private func history(
        _ memory: MemorySession,
        _ change: (inout HistoryRequest) -> Void
    ) async throws -> [Int64] {
        var request = HistoryRequest()
        change(&request)
        let query = try await memory.session.historyQuery(request)
        var found: [Int64] = []
        var before: Int64?
        repeat {
            let page = try await memory.session.history(
                query,
                before: before,
                countMax: 2,
                entryCountMax: 3
            )
            found += page.commits.map(\.position)
            before = page.next
        } while before != nil
        return found.reversed()
    }

    @Test("Filters go together, and pages lose and repeat nothing")
    func filters() async throws {
        let memory = MemorySession()
        try await memory.run(
            """
            CREATE TABLE t (a INT, b INT); INSERT INTO t VALUES (1, 2);
            CREATE TABLE u (x INT); ALTER TABLE t RENAME COLUMN b TO c;
            ALTER TABLE t RENAME TO v; DELETE FROM v WHERE a = 1;
            INSERT INTO v (a, c) VALUES (3, 4); ALTER TABLE v DROP COLUMN c; DROP TABLE v
            """
        )
        #expect(try await history(memory) { _ in } == Array(1...10))
        #expect(
            try await history(memory) {
                $0.since = .position(3)
                $0.until = .position(5)
            } == [3, 4, 5]
        )
        #expect(try await history(memory) { $0.table = "t" } == [2, 3, 5, 6, 7, 8, 9, 10])
        #expect(try await history(memory) { $0.table = "v" } == [2, 3, 5, 6, 7, 8, 9, 10])
        for name in ["b", "c", "C"] {
            let found = try await history(memory) {
                $0.table = "v"
                $0.column = name
            }
            #expect(found == [2, 3, 5, 8, 9])
        }
        let schema = try await history(memory) {
            $0.table = "t"
            $0.kinds = ["schema"]
        }
        #expect(schema == [5, 9])
        #expect(try await history(memory) { $0.kinds = ["append"] } == [3, 8])
        #expect(try await history(memory) { $0.kinds = ["delete", "drop"] } == [7, 10])
        #expect(try await history(memory) { $0.kinds = ["rename-table", "namespace"] } == [1, 6])
        #expect(try await history(memory) { $0.actors = ["nobody"] } == [])
        #expect(try await history(memory) { $0.message = "WAREHOUSE" } == [1])
        await #expect(throws: EngineError.self) {
            _ = try await history(memory) { $0.kinds = ["appended"] }
        }
        await #expect(throws: (any Error).self) {
            _ = try await history(memory) { $0.table = "never" }
        }
        await memory.session.set(asOf: .position(5))
        #expect(try await history(memory) { $0.table = "t" } == [2, 3, 5])
    }
}
