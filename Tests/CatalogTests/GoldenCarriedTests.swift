import Ambient
import Bytes
import Catalog
import CommitLog
import Glibc
import Iceberg
import ObjectStorage
import Testing
import TestSupport

/// The log in `Formats/catalog-log/vectors/carried`, whose entries carry files.
///
/// Compressed bytes, and so the entries, depend on the version of zstd: what is written now is held against
/// the vectors without them.
@Suite struct GoldenCarriedTests {
    private let folder =
        #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()
        + "/Formats/catalog-log/vectors/carried"

    private let root = "s3://example/lake"

    private func write() async throws -> MemoryStore {
        let memory = MemoryStore(root: root, time: ManualTime())
        var options = CatalogOptions()
        options.log.server = "server-1"
        options.log.carriesAlways = true
        let catalog = try await openCatalog(memory, seed: 42, options: options)
        let flights = try table("flights")
        try await catalog.commit(
            .createTable(flights, metadata: try newTable(catalog, flights, uuid: uuid(1))),
            id: "flights"
        )
        try await catalog.commit(append(flights, snapshotID: 1, catalog: catalog), id: "append")
        return memory
    }

    private func entries(_ memory: MemoryStore) async throws -> [String: [UInt8]] {
        var files: [String: [UInt8]] = [:]
        for object in try await memory.listAll(prefix: "_varve/") {
            let name = String(object.key.split(separator: "/").last ?? "")
            files[name] = try await memory.get(object.key).bytes
        }
        return files
    }

    /// An entry without what the version of zstd decides.
    private func plain(_ bytes: [UInt8]) throws -> JSON {
        var object = try #require(try JSON.parse(bytes).object)
        object["checksum"] = nil
        object["previous"] = nil
        object["files"] = .array(
            (object["files"]?.array ?? []).map {
                ["key": $0["key"] ?? 0, "sha256": $0["sha256"] ?? 0]
            }
        )
        return .object(object)
    }

    @Test("the golden log with files is what this program writes")
    func writing() async throws {
        let files = try await entries(try await write())
        #expect(files.count == 4)
        if EnvironmentVariables.process["VARVE_WRITE_VECTORS"] != nil {
            for (name, bytes) in files {
                let file = try #require(fopen("\(folder)/\(name)", "w"))
                fwrite(bytes, 1, bytes.count, file)
                fclose(file)
            }
        }
        for (name, bytes) in files {
            let golden = try #require(readSmallFile("\(folder)/\(name)"), "\(name)")
            #expect(try plain(golden) == plain(bytes), "\(name)")
        }
    }

    @Test("the last entry's files are written by who reads the golden log without them")
    func reading() async throws {
        let written = try await write()
        let store = MemoryStore(root: root)
        for name in try await entries(written).keys {
            let bytes = try #require(readSmallFile("\(folder)/\(name)"), "\(name)")
            let isEntry = name != "warehouse.json"
            try await store.put((isEntry ? LogEntry.keyPrefix : "_varve/") + name, bytes)
        }
        let catalog = try await WarehouseCatalog.open(store: store, ambient: .virtual(seed: 1))
        #expect(try await catalog.verify().fault == nil)
        let last = try JSON.parse(try await written.get(LogEntry.key(of: 3)).bytes)
        let keys = try #require(last["files"]?.array).compactMap { $0["key"]?.string }
        #expect(keys.count == 2)
        for key in keys {
            #expect(try await store.get(key).bytes == written.get(key).bytes, "\(key)")
        }
        let loaded = try await catalog.load(try table("flights"))
        #expect(loaded.metadata.currentSnapshotID == 1)
        let commits = try await catalog.commits(from: 1)
        #expect(commits.map(\.changes.count) == [1, 1, 1])
    }
}
