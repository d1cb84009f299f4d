import Ambient
import Bytes
import Catalog
import CommitLog
import Glibc
import ObjectStorage
import Testing
import TestSupport

/// The warehouse in `Formats/catalog-log/vectors/archived`: the golden log and two entries more, with
/// checkpoints, the first entries in an archive and gone from the log.
@Suite struct GoldenCheckpointTests {
    private static let vectors =
        #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()
        + "/Formats/catalog-log/vectors"

    private let root = "s3://example/lake"

    private func options(full: Bool = false) -> CatalogOptions {
        var options = CatalogOptions()
        options.log.server = "server-1"
        options.log.startsFromCheckpoint = !full
        return options
    }

    /// Makes the warehouse anew from the golden log.
    private func write() async throws -> MemoryStore {
        let store = MemoryStore(root: root, time: ManualTime())
        var names = (1...9).map { LogEntry.key(of: $0) }
        names.append(Warehouse.key)
        for key in names {
            let name = key.split(separator: "/").last ?? ""
            try await store.put(key, try #require(readSmallFile("\(Self.vectors)/\(name)")))
        }
        let time = ManualTime(startMicros: 1_700_000_100_000_000)
        let catalog = try await openCatalog(store, seed: 42, time: time, options: options())
        let text = (1...200).map { "line \($0)" }.joined(separator: "\n")
        try await catalog.commit(
            .updateNamespace(.main, set: ["comment": text], remove: []),
            id: "comment"
        )
        try await catalog.writeCheckpoint()
        time.advance(byNanos: 1_000_000_000)
        try await catalog.commit(
            .createNamespace(try Namespace(["b"]), properties: ["\u{FC}": "\u{1F600}"]),
            id: "small"
        )
        try await catalog.writeCheckpoint()
        let through = try await catalog.snapshot(at: 5).timeMillis
        let hour: Int64 = 3_600_000
        _ = try await catalog.archive(throughMillis: through, graceMillis: hour)
        time.advance(byNanos: 2 * hour * 1_000_000)
        let report = try await catalog.archive(throughMillis: through, graceMillis: hour)
        #expect(report.removedEntryCount == 5)
        return store
    }

    /// The paths of the files below a folder.
    private func paths(_ folder: String) -> [String] {
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var found: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
                tuple.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name == "." || name == ".." { continue }
            let path = "\(folder)/\(name)"
            found += entry.pointee.d_type == UInt8(DT_DIR) ? paths(path) : [path]
        }
        return found.sorted()
    }

    private func stored() async throws -> MemoryStore {
        let store = MemoryStore(root: root, time: ManualTime())
        let folder = Self.vectors + "/archived"
        for path in paths(folder) {
            let bytes = try #require(readSmallFile(path))
            try await store.put(String(path.dropFirst(folder.count + 1)), bytes)
        }
        return store
    }

    /// What objects say, without what depends on the version of zstd.
    private func contents(_ store: MemoryStore) async throws -> [[UInt8]] {
        func plain(_ json: JSON) -> JSON {
            switch json {
            case .array(let list): return .array(list.map(plain))
            case .object(let object):
                var kept = JSONObject()
                for member in object.members
                where !["sha256", "bytes", "checksum"].contains(member.key) {
                    kept[member.key] = plain(member.value)
                }
                return .object(kept)
            default: return json
            }
        }
        var contents: [[UInt8]] = []
        for object in try await store.listAll(prefix: "_varve/") {
            let bytes = try await store.get(object.key).bytes
            if object.key.hasSuffix(".zst") {
                contents.append(try decompressed(.zstd, bytes, sizeMax: 1 << 24))
            } else {
                contents.append(Array(object.key.utf8) + plain(try JSON.parse(bytes)).serialized())
            }
        }
        return contents.sorted { $0.lexicographicallyPrecedes($1) }
    }

    @Test("the golden checkpoints, archive and boundary are what this program writes")
    func writing() async throws {
        let written = try await write()
        if EnvironmentVariables.process["VARVE_WRITE_VECTORS"] != nil {
            for path in paths(Self.vectors + "/archived") { unlink(path) }
            for object in try await written.listAll(prefix: "_varve/") {
                let path = Self.vectors + "/archived/" + object.key
                var folder = ""
                for part in path.split(separator: "/").dropLast() {
                    folder += "/\(part)"
                    mkdir(folder, 0o777)
                }
                let bytes = try await written.get(object.key).bytes
                let file = try #require(fopen(path, "w"))
                fwrite(bytes, 1, bytes.count, file)
                fclose(file)
            }
        }
        let golden = try await contents(try await stored())
        #expect(golden.count == 15)
        #expect(try await contents(written) == golden)
    }

    @Test("the golden warehouse reads the same from its checkpoint and from its archive")
    func reading() async throws {
        let store = try await stored()
        let time = ManualTime(startMicros: 1_700_000_200_000_000)
        let fresh = try await openCatalog(store, time: time, options: options())
        let whole = try await openCatalog(store, time: time, options: options(full: true))
        #expect(fresh.checkpointFaults.isEmpty)
        #expect(fresh.known.state == whole.known.state)
        #expect(fresh.known.position == 11)
        let state = fresh.known.state
        #expect(state.allNamespaces == [try Namespace(["a"]), try Namespace(["b"]), .main])
        #expect(try state.properties(of: Namespace(["b"])) == ["\u{FC}": "\u{1F600}"])
        #expect(try state.allTables() == [try table("flights")])
        #expect(try state.allViews() == [try table("slow", in: "a")])
        for catalog in [fresh, whole] {
            let found = try await catalog.verify()
            #expect(found.fault == nil && found.last == 11)
            #expect(found.checkpointCount == 2 && found.checkpointFaults.isEmpty)
            #expect(try await catalog.snapshot(at: 3).state.allTables() == [try table("flights")])
            #expect(try await catalog.commits(from: 1).first?.id.hasSuffix("-main") == true)
        }
    }
}
