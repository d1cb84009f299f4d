import Ambient
import Bytes
import Catalog
import CommitLog
import Iceberg
import ObjectStorage
import Testing
import TestSupport

private func options(full: Bool = false, segmentBytes: Int = 512) -> CatalogOptions {
    var options = CatalogOptions()
    options.log.startsFromCheckpoint = !full
    options.log.checkpointSegmentBytes = segmentBytes
    options.log.checkpointEntryCount = 0
    return options
}

private func view(_ catalog: WarehouseCatalog, _ name: TableIdentifier, _ number: Int) throws
    -> ViewMetadata
{
    ViewMetadata(
        uuid: uuid(number),
        location: catalog.defaultLocation(of: name, uuid: uuid(number)),
        schema: try Schema(fields: [NestedField(id: 1, name: "x", required: false, type: .long)]),
        version: ViewMetadata.Version(
            representations: [.init(sql: "SELECT x FROM t WHERE x > \(number)", dialect: "varve")],
            defaultNamespace: ["main"]
        ),
        properties: [:]
    )
}

@Suite struct CatalogCheckpointTests {
    /// Names with two spellings, which are the same name.
    private static let names = [
        "x", "y", "caf\u{E9}", "cafe\u{301}", "\u{212B}", "A\u{30A}", "z \"1\"",
    ]
    private static let levels = [
        ["main"], ["a"], ["a", "\u{E9}"], ["a", "e\u{301}"], ["a!"], ["a", "b", "c"], ["a", "b"],
    ]

    private func randomOperation(
        _ catalog: WarehouseCatalog,
        _ number: Int,
        using random: inout SeededGenerator
    ) throws -> CatalogOperation {
        func name() throws -> TableIdentifier {
            try TableIdentifier(
                try Namespace(Self.levels.randomElement(using: &random) ?? ["main"]),
                Self.names.randomElement(using: &random) ?? "x"
            )
        }
        let (one, two) = (try name(), try name())
        switch Int.random(in: 0..<12, using: &random) {
        case 0, 1:
            return .createNamespace(
                one.namespace,
                properties: ["n": "\(number)", "caf\u{E9}": "\n"]
            )
        case 2: return .dropNamespace(one.namespace)
        case 3:
            return .updateNamespace(
                one.namespace,
                set: ["k\(number % 3)": "v\(number)", "cafe\u{301}": "2"],
                remove: ["n"]
            )
        case 4, 5, 6:
            return .createTable(one, metadata: try newTable(catalog, one, uuid: uuid(number)))
        case 7: return .dropTable(one, purge: Bool.random(using: &random))
        case 8: return .renameTable(one, to: two)
        case 9:
            return .createView(
                one,
                metadata: try view(catalog, one, number),
                replaces: number % 2 == 0
            )
        case 10: return Bool.random(using: &random) ? .dropView(one) : .renameView(one, to: two)
        default: return append(one, snapshotID: Int64(number + 1), catalog: catalog)
        }
    }

    /// What a state shows, in bytes: equal names may differ there.
    private func spelled(_ state: CatalogState) throws -> [[UInt8]] {
        var lines: [[UInt8]] = []
        for namespace in state.allNamespaces {
            lines.append(
                Array(
                    "\(namespace) \(try state.properties(of: namespace).sorted { $0.key < $1.key })"
                        .utf8
                )
            )
            for table in try state.tables(in: namespace) {
                lines.append(Array("\(table) \(try state.existingTable(table))".utf8))
            }
            for view in try state.views(in: namespace) {
                lines.append(Array("\(view) \(try state.existingView(view))".utf8))
            }
        }
        return lines
    }

    @Test(
        "after random changes a start from a checkpoint shows what a full read shows",
        arguments: 0..<12 as Range<UInt64>
    )
    func randomChanges(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let store = MemoryStore()
        var catalog = try await openCatalog(store, seed: seed, options: options())
        for number in 0..<220 {
            let operation = try randomOperation(catalog, number, using: &random)
            _ = await code { try await catalog.commit(operation) }
            guard Int.random(in: 0..<10, using: &random) == 0 else { continue }
            try await catalog.writeCheckpoint()
            let fresh = try await openCatalog(store, seed: 50, options: options())
            let whole = try await openCatalog(store, seed: 51, options: options(full: true))
            #expect(fresh.checkpointFaults.isEmpty)
            #expect(fresh.known.state == whole.known.state)
            #expect(try spelled(fresh.known.state) == spelled(whole.known.state))
            #expect(fresh.known.state.tableCount == whole.known.state.tableCount)
            // Sometimes another process goes on.
            if Bool.random(using: &random) { catalog = fresh }
        }
        let found = try await catalog.verify()
        #expect(found.fault == nil)
        #expect(found.checkpointFaults.isEmpty)
        #expect(found.checkpointCount > 5)
    }

    @Test(
        "servers that start from checkpoints while others commit over a failing store agree with a full read",
        arguments: 0..<20 as Range<UInt64>
    )
    func simulated(seed: UInt64) async throws {
        try await SimulationExecutor.run(seed: seed) {
            let memory = MemoryStore(time: ManualTime())
            let first = try await openCatalog(memory, seed: seed, options: options())
            for level in [["a"], ["a", "b"]] {
                try await first.commit(.createNamespace(try Namespace(level), properties: [:]))
            }
            let store = SimulatedStore(memory, seed: seed, rates: delays())
            let servers = [
                try await openCatalog(store, seed: seed * 7 + 1, options: options()),
                try await openCatalog(store, seed: seed * 7 + 2, options: options()),
            ]
            store.setRates(.all(0.05))
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<4 {
                    let catalog = servers[writer % 2]
                    group.addTask {
                        var random = SeededGenerator(seed: seed * 31 + UInt64(writer))
                        for number in 0..<20 {
                            let operation = try randomOperation(
                                catalog,
                                writer * 100 + number,
                                using: &random
                            )
                            _ = try? await catalog.commit(operation)
                        }
                    }
                }
                for catalog in servers {
                    group.addTask {
                        for _ in 0..<10 { _ = try? await catalog.writeCheckpoint() }
                    }
                }
                group.addTask {
                    for number in 0..<6 {
                        let fresh = try? await openCatalog(
                            store,
                            seed: UInt64(200 + number),
                            options: options()
                        )
                        guard let fresh else { continue }
                        let whole = try await openCatalog(
                            memory,
                            seed: 99,
                            options: options(full: true)
                        )
                        let same = try await whole.snapshot(at: fresh.known.position)
                        #expect(same.state == fresh.known.state)
                    }
                }
                try await group.waitForAll()
            }
            await store.settle()
            let whole = try await openCatalog(memory, seed: 99, options: options(full: true))
            let fresh = try await openCatalog(memory, seed: 98, options: options())
            #expect(fresh.known.state == whole.known.state)
            let found = try await fresh.verify()
            #expect(found.fault == nil)
            #expect(found.checkpointFaults.isEmpty)
        }
    }

    private func delays() -> SimulatedFaults {
        var rates = SimulatedFaults()
        rates.delays = 0.5
        return rates
    }

    @Test("of 20 000 tables a checkpoint writes what changed, and reuses the rest")
    func writtenBytes() async throws {
        let store = MemoryStore()
        // Segments of 64 KiB, so that there are as many of them as a far larger catalog has.
        let catalog = try await openCatalog(store, options: options(segmentBytes: 64 << 10))
        let count = 20_000
        let tables = try (0..<count).map { try table("table_\($0)", in: "main") }
        for start in stride(from: 0, to: count, by: 1000) {
            let operations = try (start..<start + 1000).map { index in
                CatalogOperation.createTable(
                    tables[index],
                    metadata: try newTable(catalog, tables[index], uuid: uuid(index))
                )
            }
            _ = try await catalog.commit(
                CatalogCommit(id: "make-\(start)", actor: "test", operations: operations)
            )
        }
        let whole = try await catalog.writeCheckpoint().writtenByteCount
        var random = SeededGenerator(seed: 1)
        var (written, largest, objects, segments) = (0, 0, 0, 0)
        for round in 0..<100 {
            let operations = (0..<50).map { number in
                CatalogOperation.changeTable(tables[Int.random(in: 0..<count, using: &random)]) {
                    _ in
                    TableChange(
                        requirements: [],
                        updates: [.setProperties(["round": "\(round)-\(number)"])],
                        files: []
                    )
                }
            }
            _ = try await catalog.commit(
                CatalogCommit(id: "change-\(round)", actor: "test", operations: operations)
            )
            let report = try await catalog.writeCheckpoint()
            written += report.writtenByteCount
            largest = max(largest, report.writtenByteCount)
            objects += report.writtenObjectCount
            segments = report.segmentCount
        }
        print(
            "catalog checkpoints: 20000 tables take \(whole) bytes; 100 with 50 changes each wrote "
                + "\(written) bytes in \(objects) objects, at most \(largest) at once; \(segments) segments"
        )
        // 5000 of 20 000 tables changed. All of it anew each time would be a hundred times `whole`.
        #expect(written < whole * 10)
        #expect(largest < whole)
        let fresh = try await openCatalog(store, seed: 2, options: options())
        #expect(fresh.known.state == catalog.known.state)
        #expect(fresh.known.state.tableCount == count)
    }

    @Test(
        "records that are no state are refused, and mutated ones never trap",
        arguments: 0..<6 as Range<UInt64>
    )
    func mutated(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let store = MemoryStore()
        let catalog = try await openCatalog(store, options: options(segmentBytes: 1 << 20))
        for number in 0..<60 {
            let operation = try randomOperation(catalog, number, using: &random)
            _ = await code { try await catalog.commit(operation) }
        }
        try await catalog.writeCheckpoint()
        let prefix = "_varve/checkpoints/"
        let index = try #require(
            try await store.listAll(prefix: prefix).first { $0.key.hasSuffix(".json") }
        )
        let text = try await store.get(index.key).bytes
        let sum = try #require(try JSON.parse(text)["base"]?[0]?["sha256"]?.string)
        let segment = try await store.get("\(prefix)segments/\(sum).zst").bytes
        let raw = try decompressed(.zstd, segment, sizeMax: 1 << 24)
        for _ in 0..<150 {
            var changed = raw
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let at = Int.random(in: 0..<changed.count, using: &random)
                changed[at] = UInt8.random(in: 0...255, using: &random)
            }
            // Under right hashes and seals: only what the records say is wrong.
            let packed = try changed.withUnsafeBytes { try compress(.zstd, $0) }
            let key = "\(prefix)segments/\(sha256Text(packed)).zst"
            try await store.put(key, packed)
            var object = try #require(try JSON.parse(text).object)
            var base = try #require(object["base"]?[0]?.object)
            base["sha256"] = .string(sha256Text(packed))
            base["bytes"] = .integer(packed.count)
            object["base"] = [.object(base)]
            object["checksum"] = nil
            var body = JSON.object(object).serialized()
            body.removeLast()
            var sealed = String(body.withUnsafeBytes { crc32($0) }, radix: 16)
            sealed = String(repeating: "0", count: 8 - sealed.count) + sealed
            try await store.put(index.key, body + Array(",\"checksum\":\"\(sealed)\"}".utf8))
            let fresh = try await openCatalog(store, seed: 4, options: options())
            _ = try fresh.known.state.allTables()
            // Where it is a state at all, it is another one, which only the walk over the log can tell.
            if changed != raw {
                #expect(try await fresh.verify().checkpointFaults.count == 1)
            }
        }
    }
}
