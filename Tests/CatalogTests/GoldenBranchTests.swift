import Ambient
import Bytes
import Catalog
import CommitLog
import Glibc
import ObjectStorage
import Testing
import TestSupport

/// The warehouse in `Formats/catalog-log/vectors/branched`: every kind of change about branches and tags, and a
/// checkpoint with differences.
@Suite struct GoldenBranchTests {
    private static let folder =
        #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()
        + "/Formats/catalog-log/vectors/branched"

    private let root = "s3://example/lake"

    private func options(full: Bool = false) -> CatalogOptions {
        var options = CatalogOptions()
        options.log.server = "server-1"
        options.log.startsFromCheckpoint = !full
        return options
    }

    private func write() async throws -> MemoryStore {
        let store = MemoryStore(root: root, time: ManualTime())
        let time = ManualTime(startMicros: 1_700_000_000_000_000)
        let catalog = try await openCatalog(store, seed: 22, time: time, options: options())
        let (t, u) = (try table("t"), try table("u", in: "a"))
        func commit(_ id: String, on branch: String?, _ operations: [CatalogOperation]) async throws
        {
            time.advance(byNanos: 1_000_000_000)
            _ = try await catalog.commit(
                CatalogCommit(id: id, actor: "test", branch: branch, operations: operations)
            )
        }
        try await commit(
            "tables",
            on: nil,
            [
                .createNamespace(u.namespace, properties: ["x": "1"]),
                .createTable(t, metadata: try newTable(catalog, t, uuid: uuid(1))),
                .createTable(u, metadata: try newTable(catalog, u, uuid: uuid(2))),
            ]
        )
        let older = try await catalog.read()
        try await commit("append", on: nil, [append(t, snapshotID: 1, catalog: catalog)])
        try await commit("dev", on: nil, [.createBranch("dev", from: nil, at: nil)])
        try await commit("old", on: nil, [.createBranch("old", from: nil, at: older)])
        try await commit(
            "change",
            on: "dev",
            [
                append(t, snapshotID: 2, catalog: catalog), .dropTable(u, purge: false),
                .dropNamespace(u.namespace),
            ]
        )
        try await commit("tag", on: nil, [.createTag("v1", from: "dev", at: nil)])
        try await commit("gone", on: nil, [.createTag("gone", from: "v1", at: nil)])
        try await commit("merge", on: nil, [.mergeBranch("dev", into: nil)])
        try await commit("more", on: nil, [append(t, snapshotID: 3, catalog: catalog)])
        try await commit(
            "new",
            on: "dev",
            [.createNamespace(try Namespace(["\u{FC}"]), properties: [:])]
        )
        try await commit("drop tag", on: nil, [.dropTag("gone")])
        try await commit("branch", on: nil, [.createBranch("short", from: "dev", at: nil)])
        try await commit("drop branch", on: nil, [.dropBranch("short")])
        try await catalog.writeCheckpoint()
        return store
    }

    /// What objects of the log say: entries as they are, segments without compression.
    private func contents(_ store: MemoryStore) async throws -> [String: [UInt8]] {
        var contents: [String: [UInt8]] = [:]
        var segmentCount = 0
        for object in try await store.listAll(prefix: "_varve/") {
            let bytes = try await store.get(object.key).bytes
            let name = String(object.key.split(separator: "/").last ?? "")
            if object.key.hasSuffix(".zst") {
                // Under the names of their hashes, which depend on the version of zstd.
                segmentCount += 1
                let raw = try decompressed(.zstd, bytes, sizeMax: 1 << 24)
                contents["segment of \(raw.count) bytes.records"] = raw
            } else if !object.key.hasPrefix("_varve/checkpoints/") {
                contents[name] = bytes
            }
        }
        #expect(segmentCount == 2)
        return contents
    }

    @Test("the golden branches are byte for byte what this program writes")
    func writing() async throws {
        let written = try await contents(try await write())
        #expect(written.count == 17)
        if EnvironmentVariables.process["VARVE_WRITE_VECTORS"] != nil {
            mkdir(Self.folder, 0o777)
            for (name, bytes) in written {
                let file = try #require(fopen("\(Self.folder)/\(name)", "w"))
                fwrite(bytes, 1, bytes.count, file)
                fclose(file)
            }
        }
        for (name, bytes) in written {
            #expect(readSmallFile("\(Self.folder)/\(name)") == bytes, "\(name)")
        }
    }

    @Test("the golden branches read as the state that they were written from")
    func reading() async throws {
        let store = try await write()
        for name in try await contents(store).keys where name.hasSuffix(".json") {
            let bytes = try #require(readSmallFile("\(Self.folder)/\(name)"), "\(name)")
            let isEntry = name != "warehouse.json"
            let key = (isEntry ? LogEntry.keyPrefix : "_varve/") + name
            try await store.delete([key])
            try await store.put(key, bytes)
        }
        let whole = try await openCatalog(store, seed: 1, options: options(full: true))
        let fresh = try await openCatalog(store, seed: 2, options: options())
        #expect(fresh.checkpointFaults.isEmpty)
        #expect(fresh.known.branched == whole.known.branched)
        let found = try await whole.verify()
        #expect(found.fault == nil && found.checkpointFaults.isEmpty && found.checkpointCount == 1)
        let now = whole.known
        let (t, u) = (try table("t"), try table("u", in: "a"))
        #expect(now.branched.branches.map(\.name) == ["dev", "old"])
        #expect(now.branched.tags.map(\.name) == ["v1"])
        #expect(try now.state.allTables() == [t])
        #expect(now.state.allNamespaces == [.main])
        #expect(try now.on("old").state.allTables() == [u, t])
        #expect(try now.on("old").state.properties(of: u.namespace) == ["x": "1"])
        #expect(try now.on("v1").state.allTables() == [t])
        #expect(try now.on("dev").state.allNamespaces == [.main, try Namespace(["\u{FC}"])])
        #expect(try now.on("dev").state.table(t) != now.state.table(t))
        let merge = try #require(try await whole.commits(from: 1).first { $0.id == "merge" })
        #expect(merge.logged.count == 1)
        guard case .mergeBranch("dev", into: "main", let changes)? = merge.logged.first else {
            Issue.record("no merge: \(merge.logged)")
            return
        }
        #expect(changes.count == 3)
    }
}
