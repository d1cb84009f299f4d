import Ambient
import Catalog
import Glibc
import ObjectStorage
import Testing
import TestSupport

/// Measures commits per second; only when VARVE_MEASURE is set, because it proves nothing.
@Suite(.serialized, .enabled(if: EnvironmentVariables.process["VARVE_MEASURE"] != nil))
struct CommitThroughputTests {
    /// Where the log lies; `distant` answers every request after up to 60 ms, as a bucket might.
    private enum Kind: String, CaseIterable { case memory, folder, distant }

    private func makeStore(_ kind: Kind, folder: String) throws -> any ObjectStore {
        switch kind {
        case .memory: return MemoryStore()
        case .folder: return try openStore(url: "file://\(folder)")
        case .distant:
            let rates = FaultyStore.Rates(delay: 1, delayNanosMax: 60_000_000)
            return FaultyStore(MemoryStore(), rates: rates, time: SystemTime())
        }
    }

    private func measure(
        _ kind: Kind,
        writers: Int,
        tables tableCount: Int,
        commits: Int
    ) async throws {
        let folder = "/tmp/varve-throughput-\(getpid())-\(writers)-\(tableCount)"
        let store = try makeStore(kind, folder: folder)
        let catalog = try await openCatalog(store, time: SystemTime())
        let tables = try (0..<tableCount).map { try table("t\($0)") }
        for (index, table) in tables.enumerated() {
            let metadata = try newTable(catalog, table, uuid: uuid(index))
            try await catalog.commit(.createTable(table, metadata: metadata))
        }
        let before = catalog.known.position
        let start = SystemTime().monotonicNanos()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<writers {
                group.addTask {
                    for number in 0..<commits / writers {
                        let id = Int64(writer * 1_000_000 + number + 1)
                        let table = tables[writer % tableCount]
                        try await catalog.commit(append(table, snapshotID: id, catalog: catalog))
                    }
                }
            }
            try await group.waitForAll()
        }
        let seconds = Double(SystemTime().monotonicNanos() - start) / 1e9
        let entries = catalog.known.position - before
        let began = SystemTime().monotonicNanos()
        let again = try await openCatalog(store, seed: 2, time: SystemTime())
        let opening = Double(SystemTime().monotonicNanos() - began) / 1e6
        #expect(again.known.state == catalog.known.state)
        print(
            "\(kind.rawValue): \(writers) writers, \(tableCount) tables: "
                + "\(Int(Double(commits) / seconds)) commits/s, \(commits) commits in \(entries) "
                + "entries, \(seconds) s; opening again \(opening) ms"
        )
        if kind == .folder {
            for object in try await store.listAll(prefix: "") { try await store.delete(object.key) }
        }
    }

    @Test("commits per second, one table")
    func oneTable() async throws {
        for kind in Kind.allCases {
            for writers in [1, 8, 32] {
                let commits = kind == .distant && writers == 1 ? 32 : 320
                try await measure(kind, writers: writers, tables: 1, commits: commits)
            }
        }
    }

    @Test("commits per second, a table for each writer")
    func manyTables() async throws {
        for kind in Kind.allCases {
            for writers in kind == .distant ? [8, 32, 256] : [1, 8, 32] {
                let commits = kind == .folder ? 320 : 20 * writers
                try await measure(kind, writers: writers, tables: writers, commits: commits)
            }
        }
    }
}
