import Ambient
import Catalog
import Columnar
import Engine
import Execution
import ObjectStorage
import Synchronization
import Testing

/// A session on a warehouse in memory, with a clock that a test moves.
struct MemorySession {
    let session: Session
    let time: ManualTime

    init() {
        time = ManualTime()
        var options = Engine.Options()
        options.ambient = AmbientSources(time: time, random: SeededRandom(seed: 11))
        options.store.ambient = options.ambient
        session = Session(
            engine: Engine(warehouseURL: "memory:", options: options),
            context: RequestContext(actor: "test")
        )
    }

    /// Runs statements and gives the rows of the last query.
    @discardableResult
    func run(_ text: String) async throws -> [[Value]] {
        let found = Mutex<[[Value]]>([])
        try await session.run(text) { outcome in
            guard case .rows(let rows) = outcome else { return }
            var all: [[Value]] = []
            while let batch = try await rows.next() {
                for row in 0..<batch.rowCount {
                    all.append(batch.columns.map { $0.value(at: row) })
                }
            }
            found.withLock { $0 = all }
        }
        return found.withLock { $0 }
    }

    func advance(days: Int64) { time.advance(byNanos: days * 86_400_000_000_000) }

    func expire(isDry: Bool = false) async throws -> [MaintenanceReport] {
        try await session.expireSnapshots(
            of: try await session.maintainedTables(nil),
            isDry: isDry
        )
    }
}

@Suite("Expiring snapshots")
struct ExpiringTests {
    @Test("Snapshots of the last five days stay, and always the newest")
    func ages() async throws {
        let memory = MemorySession()
        try await memory.run("CREATE TABLE t (n INT); INSERT INTO t VALUES (1)")
        memory.advance(days: 4)
        try await memory.run("INSERT INTO t VALUES (2)")
        #expect(try await memory.expire()[0].expiredSnapshotIDs.isEmpty)
        memory.advance(days: 2)
        let dry = try await memory.expire(isDry: true)[0]
        #expect(dry.expiredSnapshotIDs.count == 1 && dry.position == nil)
        #expect(try await memory.run("SELECT count(*) FROM t.snapshots") == [[.int64(2)]])
        #expect(try await memory.expire()[0].expiredSnapshotIDs == dry.expiredSnapshotIDs)
        memory.advance(days: 1000)
        #expect(try await memory.expire()[0].expiredSnapshotIDs.isEmpty)
        #expect(try await memory.run("SELECT n FROM t ORDER BY n") == [[.int32(1)], [.int32(2)]])
    }

    @Test("Properties say how many stay, and of what age")
    func properties() async throws {
        let memory = MemorySession()
        try await memory.run(
            """
            CREATE TABLE t (n INT) TBLPROPERTIES ('history.expire.min-snapshots-to-keep' = '3',
                'history.expire.max-snapshot-age-ms' = '1000')
            """
        )
        for n in 0..<5 { try await memory.run("INSERT INTO t VALUES (\(n))") }
        memory.advance(days: 1)
        #expect(try await memory.expire()[0].expiredSnapshotIDs.count == 2)
        try await memory.run(
            "ALTER TABLE t SET TBLPROPERTIES ('history.expire.min-snapshots-to-keep' = 'many')"
        )
        await #expect(throws: EngineError.self) { _ = try await memory.expire() }
    }

    @Test("Tags and branches keep what they name, branches also what they descend from as they say")
    func references() async throws {
        let memory = MemorySession()
        try await memory.run("CREATE TABLE t (n INT); INSERT INTO t VALUES (1)")
        try await memory.run("INSERT INTO t VALUES (2); ALTER TABLE t CREATE TAG kept")
        try await memory.run("INSERT INTO t VALUES (3)")
        try await memory.run("ALTER TABLE t CREATE BRANCH b WITH SNAPSHOT RETENTION 2 SNAPSHOTS")
        try await memory.run("ALTER TABLE t CREATE TAG short RETAIN 1 DAYS")
        try await memory.run("INSERT INTO t VALUES (4)")
        memory.advance(days: 30)
        let report = try await memory.expire()[0]
        // 1 goes; 2 has the tag, and is what the branch's own number keeps; 3 is the branch's; 4 main's.
        #expect(report.expiredSnapshotIDs.count == 1)
        #expect(report.expiredReferences == ["short"])
        let kept = try await memory.run("SELECT count(*) FROM t FOR VERSION AS OF 'kept'")
        #expect(kept == [[.int64(2)]])
    }

    @Test("All tables expire in one commit")
    func oneCommit() async throws {
        let memory = MemorySession()
        for name in ["a", "b"] {
            try await memory.run("CREATE TABLE \(name) (n INT); INSERT INTO \(name) VALUES (1)")
            try await memory.run("INSERT INTO \(name) VALUES (2)")
        }
        memory.advance(days: 6)
        let reports = try await memory.expire()
        #expect(reports.map(\.expiredSnapshotIDs.count) == [1, 1])
        #expect(Set(reports.map(\.position)).count == 1 && reports[0].position != nil)
    }
}

@Suite("Orphans")
struct OrphanTests {
    @Test("What only expired snapshots needed goes once it is old, and the rest stays readable")
    func expired() async throws {
        let memory = MemorySession()
        try await memory.run("CREATE TABLE t (n INT); INSERT INTO t VALUES (1), (2)")
        try await memory.run("DELETE FROM t WHERE n = 1")
        memory.advance(days: 6)
        let table = try await memory.session.maintainedTables("t")[0]
        let nothing = try await memory.session.removeOrphans(of: table, isDry: false)
        #expect(nothing.orphans.isEmpty)
        _ = try await memory.expire()
        let dry = try await memory.session.removeOrphans(of: table, isDry: true)
        let done = try await memory.session.removeOrphans(of: table, isDry: false)
        #expect(dry.orphans.map(\.location) == done.orphans.map(\.location))
        #expect(done.orphans.contains { $0.location.hasSuffix(".parquet") })
        #expect(!done.orphans.contains { $0.location.hasSuffix(".json") })
        #expect(try await memory.run("SELECT n FROM t") == [[.int32(2)]])
        // The past of the catalog still has its metadata.
        #expect(try await memory.run("SET as_of = 2; SELECT count(*) FROM t") == [[.int64(0)]])
    }
}

@Suite("Differences")
struct DifferenceTests {
    @Test("Counts come first and agree with the rows")
    func counts() async throws {
        let memory = MemorySession()
        try await memory.run(
            "CREATE TABLE t (k INT, v VARCHAR); INSERT INTO t VALUES (1, 'a'), (2, 'b')"
        )
        try await memory.run("ALTER TABLE t CREATE TAG before")
        try await memory.run(
            "DELETE FROM t WHERE k = 2; INSERT INTO t VALUES (2, 'c'), (3, 'd'), (3, 'd')"
        )
        let seen = Mutex<[String]>([])
        try await memory.session.diff(
            DiffRequest(table: "t", from: "before", to: "main", keys: ["k"]),
            counted: { counts in
                seen.withLock {
                    $0.append("\(counts.addedCount) \(counts.removedCount) \(counts.changedCount)")
                }
            },
            rows: { rows in
                while let batch = try await rows.next() {
                    for row in 0..<batch.rowCount {
                        guard case .string(let type) = batch.columns[0].value(at: row) else {
                            continue
                        }
                        seen.withLock { $0.append(type) }
                    }
                }
            }
        )
        #expect(
            seen.withLock { $0 } == [
                "2 0 1", "UPDATE_BEFORE", "UPDATE_AFTER", "INSERT", "INSERT",
            ]
        )
    }
}
