import Ambient
import Bytes
import Catalog
import CommitLog
import Glibc
import Iceberg
import ObjectStorage
import Testing
import TestSupport

/// The log in `Formats/catalog-log/vectors`, which this program wrote and must go on writing.
@Suite struct GoldenLogTests {
    private let folder =
        #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()
        + "/Formats/catalog-log/vectors"

    private let root = "s3://example/lake"

    /// The history of the vectors: every kind of change, an entry of several commits, lineage.
    ///
    /// - Parameter order: decides which of the commits that meet comes first.
    private func write(order: UInt64) async throws -> MemoryStore {
        let memory = MemoryStore(root: root, time: ManualTime())
        try await SimulationExecutor.run(seed: order) {
            let store = SimulatedStore(memory, seed: order, rates: SimulatedFaults())
            var options = CatalogOptions()
            options.log.server = "server-1"
            let time = ManualTime()
            let catalog = try await openCatalog(store, seed: 42, time: time, options: options)
            let (flights, planes) = (try table("flights"), try table("planes", in: "a", "ü \"b\""))
            let namespace = try Namespace(["a"])
            time.advance(byNanos: 1_000_000_000)
            try await catalog.commit(
                .createNamespace(namespace, properties: ["owner": "me", "comment": "line\nbreak"]),
                .createNamespace(planes.namespace, properties: [:]),
                id: "namespaces"
            )
            time.advance(byNanos: 1_000_000_000)
            try await catalog.commit(
                .createTable(flights, metadata: try newTable(catalog, flights, uuid: uuid(1))),
                id: "flights"
            )
            // These meet in the queue: the second and third share an entry.
            var slow = SimulatedFaults()
            slow.delays = 0.9
            store.setRates(slow)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 1...3 {
                    let commit = CatalogCommit(
                        id: "append-\(number)",
                        actor: "loader",
                        lineage: ["job": "load", "inputs": [.string("s3://raw/\(number).csv")]],
                        operations: [append(flights, snapshotID: Int64(number), catalog: catalog)]
                    )
                    group.addTask { _ = try await catalog.commit(commit) }
                }
                try await group.waitForAll()
            }
            // No clock helps here: times still grow.
            try await catalog.commit(
                .updateNamespace(namespace, set: ["owner": "you"], remove: ["comment"]),
                .renameTable(flights, to: planes),
                id: "rename"
            )
            let location = try await catalog.load(planes).metadataLocation
            try await catalog.commit(
                .registerTable(flights, metadataLocation: location, overwrite: false),
                .registerTable(flights, metadataLocation: location, overwrite: true),
                .dropTable(planes, purge: true),
                .dropNamespace(planes.namespace),
                id: "register"
            )
            let (late, slow2) = (try table("late"), try table("slow", in: "a"))
            try await catalog.commit(
                .createView(late, metadata: try view(catalog, late, 2), replaces: false),
                .createView(slow2, metadata: try view(catalog, slow2, 3), replaces: false),
                id: "views"
            )
            try await catalog.commit(
                .createView(late, metadata: try view(catalog, late, 4), replaces: true),
                .dropView(slow2),
                .renameView(late, to: slow2),
                id: "views again"
            )
        }
        return memory
    }

    private func view(
        _ catalog: WarehouseCatalog,
        _ name: TableIdentifier,
        _ number: Int
    ) throws -> ViewMetadata {
        ViewMetadata(
            uuid: uuid(number),
            location: catalog.defaultLocation(of: name, uuid: uuid(number)),
            schema: try Schema(
                fields: [NestedField(id: 1, name: "x", required: false, type: .long)]
            ),
            version: ViewMetadata.Version(
                representations: [
                    .init(sql: "SELECT x FROM flights WHERE x > \(number)", dialect: "varve")
                ],
                defaultNamespace: ["main"]
            ),
            properties: [:]
        )
    }

    private func files(order: UInt64) async throws -> [String: [UInt8]] {
        let written = try await write(order: order)
        var files: [String: [UInt8]] = [:]
        for object in try await written.listAll(prefix: "_varve/") {
            let name = String(object.key.split(separator: "/").last ?? "")
            files[name] = try await written.get(object.key).bytes
        }
        return files
    }

    @Test("the golden log is byte for byte what this program writes")
    func writing() async throws {
        var files = try await files(order: 42)
        #expect(files.count == 10)
        if EnvironmentVariables.process["VARVE_WRITE_VECTORS"] != nil {
            for (name, bytes) in files {
                let file = try #require(fopen("\(folder)/\(name)", "w"))
                fwrite(bytes, 1, bytes.count, file)
                fclose(file)
            }
        }
        func isGolden(_ files: [String: [UInt8]]) -> Bool {
            files.allSatisfy { readSmallFile("\(folder)/\($0.key)") == $0.value }
        }
        // Who comes first is not the format's business, and changes with every request of the log.
        for order in 0..<400 as Range<UInt64> where !isGolden(files) {
            let others = try await self.files(order: order)
            if isGolden(others) { files = others }
        }
        for (name, bytes) in files {
            #expect(readSmallFile("\(folder)/\(name)") == bytes, "\(name)")
        }
    }

    @Test("the golden log reads as the state that it was written from")
    func reading() async throws {
        let store = MemoryStore(root: root)
        for name in try await files(order: 42).keys {
            let bytes = try #require(readSmallFile("\(folder)/\(name)"), "\(name)")
            let isEntry = name != "warehouse.json"
            try await store.put((isEntry ? LogEntry.keyPrefix : "_varve/") + name, bytes)
        }
        let catalog = try await WarehouseCatalog.open(
            store: store,
            ambient: .virtual(seed: 1)
        )
        #expect(try await catalog.verify().fault == nil)
        let state = catalog.known.state
        #expect(state.allNamespaces == [try Namespace(["a"]), .main])
        #expect(try state.properties(of: Namespace(["a"])) == ["owner": "you"])
        #expect(try state.allTables() == [try table("flights")])
        #expect(state.table(try table("flights"))?.uuid == uuid(1))
        let commits = try await catalog.commits(from: 1)
        #expect(commits.map(\.position) == [1, 2, 3, 4, 5, 5, 6, 7, 8, 9])
        #expect(try state.allViews() == [try table("slow", in: "a")])
        #expect(state.view(try table("slow", in: "a"))?.uuid == uuid(2))
        #expect(try await catalog.snapshot(at: 8).state.allViews().count == 2)
        #expect(commits[4].lineage?["job"]?.string == "load")
        let middle = try await catalog.snapshot(at: 3)
        #expect(try middle.state.allTables() == [try table("flights")])
    }
}
