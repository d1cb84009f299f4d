import Ambient
import Catalog
import Columnar
import Engine
import Testing

@Suite("Branches of the catalog in sessions")
struct CatalogBranchTests {
    private func message(_ body: () async throws -> Void) async -> String {
        do {
            try await body()
            return ""
        } catch {
            return "\(error)"
        }
    }

    @Test("A dropped table comes back within the retention, and its files stay as long")
    func retention() async throws {
        let memory = MemorySession()
        try await memory.run(
            "CREATE TABLE t (n INT) LOCATION 'memory:x'; INSERT INTO t VALUES (1), (2)"
        )
        let rows = try await memory.run("FROM t ORDER BY n")
        try await memory.run("DROP TABLE t")
        try await memory.run(
            "CREATE TABLE t (m INT) LOCATION 'memory:x'; INSERT INTO t VALUES (3)"
        )
        let table = try #require(try await memory.session.maintainedTables("t").first)
        memory.advance(days: 6)
        let early = try await memory.session.removeOrphans(of: table, isDry: false)
        #expect(early.orphans.isEmpty)
        try await memory.run("UNDROP TABLE t AS early")
        #expect(try await memory.run("FROM early ORDER BY n") == rows)
        try await memory.run("DROP TABLE early")
        // Seven days from the second drop on, and no longer.
        memory.advance(days: 8)
        let refused = await message { try await memory.run("UNDROP TABLE early") }
        #expect(refused.contains("within the last 7 days"))
        let late = try await memory.session.removeOrphans(of: table, isDry: true)
        #expect(!late.orphans.isEmpty)
        // The catalog says how long.
        let days30 = 30 * 86_400_000
        try await memory.run(
            "ALTER SCHEMA main SET PROPERTIES ('varve.undrop.retention-ms' = '\(days30)')"
        )
        #expect(try await memory.session.removeOrphans(of: table, isDry: true).orphans.isEmpty)
        try await memory.run("UNDROP TABLE early AS again")
        #expect(try await memory.run("FROM again ORDER BY n") == rows)
        #expect(try await memory.run("FROM t") == [[.int32(3)]])
        try await memory.run("DROP TABLE again")
        try await memory.run("ALTER SCHEMA main UNSET PROPERTIES (varve.undrop.\"retention-ms\")")
        memory.advance(days: 8)
        let again = await message { try await memory.run("UNDROP TABLE again") }
        #expect(again.contains("within the last 7 days"))
        let absent = await message {
            try await memory.run("ALTER SCHEMA main UNSET PROPERTIES ('varve.undrop.retention-ms')")
        }
        #expect(absent.contains("has no property"))
        try await memory.run("ALTER SCHEMA main UNSET PROPERTIES IF EXISTS (a)")
    }

    @Test("Files that only a base needs stay as long as the branch")
    func bases() async throws {
        let memory = MemorySession()
        try await memory.run("CREATE TABLE t (n INT); INSERT INTO t VALUES (1), (2)")
        try await memory.run("CREATE BRANCH dev; SET branch = 'dev'; INSERT OVERWRITE t VALUES (3)")
        memory.advance(days: 30)
        try await memory.run("INSERT OVERWRITE t VALUES (4)")
        _ = try await memory.expire()
        try await memory.run("RESET branch; INSERT OVERWRITE t VALUES (5)")
        memory.advance(days: 30)
        try await memory.run("INSERT INTO t VALUES (6)")
        _ = try await memory.expire()
        let table = try #require(try await memory.session.maintainedTables("t").first)
        _ = try await memory.session.removeOrphans(of: table, ageMillisMin: 0, isDry: false)
        let catalog = try await memory.session.engine.catalog(creating: false)
        let now = try await catalog.read()
        let base = try #require(now.branched.branch("dev")?.base.table(table))
        // The base is read as a branch of the position where it was made.
        let position = try #require(now.branched.branch("dev")?.basePosition)
        try await memory.run("CREATE BRANCH base AS OF VERSION \(position)")
        #expect(try await catalog.read(of: "base").state.table(table) == base)
        try await memory.run("SET branch = 'base'")
        #expect(try await memory.run("FROM t ORDER BY n") == [[.int32(1)], [.int32(2)]])
        try await memory.run("SET branch = 'dev'")
        #expect(try await memory.run("FROM t") == [[.int32(4)]])
        try await memory.run("RESET branch")
        #expect(try await memory.run("FROM t ORDER BY n") == [[.int32(5)], [.int32(6)]])
    }
}
