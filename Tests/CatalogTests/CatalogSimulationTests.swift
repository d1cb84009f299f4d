import Ambient
import Bytes
import Catalog
import CommitLog
import Glibc
import Iceberg
import ObjectStorage
import Testing
import TestSupport

/// How many times more seeds to try than usual.
private let soakFactor = EnvironmentVariables.process["VARVE_SOAK"].flatMap { Int($0) } ?? 1

@Suite struct CatalogSimulationTests {
    @Test(
        "appends of many writers on several servers over a failing store all land exactly once",
        arguments: 0..<UInt64(30 * soakFactor)
    )
    func appends(seed: UInt64) async throws {
        let (writerCount, appendCount) = (6, 5)
        try await SimulationExecutor.run(seed: seed) {
            let memory = MemoryStore(time: ManualTime())
            let setup = try await openCatalog(memory, seed: seed)
            let tables = [try table("one"), try table("two")]
            for (index, table) in tables.enumerated() {
                let metadata = try newTable(setup, table, uuid: uuid(index))
                try await setup.commit(.createTable(table, metadata: metadata))
            }
            let store = SimulatedStore(memory, seed: seed, rates: SimulatedFaults())
            var servers: [WarehouseCatalog] = []
            for index in 0..<2 {
                let clock = ManualTime(startMicros: 1_700_000_000_000_000 - Int64(index) * 9000)
                servers.append(
                    try await openCatalog(store, seed: seed * 7 + UInt64(index), time: clock)
                )
            }
            store.setRates(.all(0.08))
            let receipts = try await withThrowingTaskGroup(of: [CommitReceipt].self) { group in
                for writer in 0..<writerCount {
                    let catalog = servers[writer % servers.count]
                    group.addTask {
                        var receipts: [CommitReceipt] = []
                        for number in 0..<appendCount {
                            // Every third commit appends to both tables at once.
                            let id = Int64(writer * 100 + number + 1)
                            let targets = number % 3 == 0 ? tables : [tables[writer % 2]]
                            let commit = CatalogCommit(
                                id: "commit-\(id)",
                                actor: "writer \(writer)",
                                operations: targets.map {
                                    append($0, snapshotID: id, catalog: catalog)
                                }
                            )
                            while true {
                                do {
                                    receipts.append(try await catalog.commit(commit))
                                    break
                                } catch let error as CatalogError {
                                    // Only doubt may be retried: appends never conflict.
                                    guard error.code == .unknownOutcome else { throw error }
                                } catch is ObjectStoreError {
                                }
                            }
                        }
                        return receipts
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(receipts.count == writerCount * appendCount)
            await store.settle()
            try await check(memory, tables: tables, receipts: receipts)
            store.setRates(SimulatedFaults())
            let fresh = try await openCatalog(memory, seed: 77)
            for server in servers { #expect(try await server.read().state == fresh.known.state) }
        }
    }

    /// Checks what lies in the store against what writers were told.
    private func check(
        _ store: MemoryStore,
        tables: [TableIdentifier],
        receipts: [CommitReceipt]
    ) async throws {
        let fresh = try await openCatalog(store, seed: 78)
        #expect(try await fresh.verify().fault == nil)
        for table in tables {
            let metadata = try await fresh.load(table).metadata
            let told = receipts.filter { $0.tables.contains { $0.identifier == table } }
            let ids = metadata.snapshots.map(\.snapshotID)
            #expect(Set(ids) == Set(told.compactMap { Int64($0.commitID.dropFirst(7)) }))
            #expect(ids.count == told.count)
            // One history: each snapshot follows the one before it, in time too.
            for (index, snapshot) in metadata.snapshots.enumerated() {
                #expect(snapshot.sequenceNumber == Int64(index + 1))
                let parent = index > 0 ? metadata.snapshots[index - 1].snapshotID : nil
                #expect(snapshot.parentSnapshotID == parent)
                let list = try #require(snapshot.manifestList.flatMap { fresh.key(of: $0) })
                let bytes = try await store.get(list).bytes
                let expected = ids[...index].map { "\($0) " }.joined()
                #expect(String(decoding: bytes, as: UTF8.self) == expected)
            }
            let times = metadata.snapshots.map(\.timestampMillis)
            #expect(times == times.sorted())
            for receipt in told {
                let id = Int64(receipt.commitID.dropFirst(7)) ?? 0
                #expect(metadata.snapshot(id: id)?.timestampMillis == receipt.timeMillis)
            }
            // Every metadata file that the log ever named is there, and says what the receipt said.
            for receipt in receipts {
                for loaded in receipt.tables where loaded.identifier == table {
                    let past = try await fresh.snapshot(at: receipt.position)
                    #expect(past.state.table(table) != nil)
                    let key = try #require(fresh.key(of: loaded.metadataLocation))
                    let bytes = try await store.get(key).bytes
                    #expect(try TableMetadata(bytes: bytes) == loaded.metadata)
                }
            }
        }
    }

    @Test("commits to one table that share an entry build on each other")
    func chainInOneEntry() async throws {
        let memory = MemoryStore()
        let positions = try await SimulationExecutor.run(seed: 3) {
            var slow = SimulatedFaults()
            slow.delays = 0.95
            let store = SimulatedStore(memory, seed: 3, rates: slow)
            let catalog = try await openCatalog(store)
            let one = try table("one")
            try await catalog.commit(
                .createTable(one, metadata: try newTable(catalog, one, uuid: uuid(1)))
            )
            return try await withThrowingTaskGroup(of: Int64.self) { group in
                for number in 1...40 {
                    group.addTask {
                        try await catalog.commit(
                            append(one, snapshotID: Int64(number), catalog: catalog)
                        ).position
                    }
                }
                return try await group.reduce(into: Set()) { $0.insert($1) }
            }
        }
        #expect(positions.count < 10, "\(positions.count) entries for 40 commits")
        let fresh = try await openCatalog(memory)
        #expect(try await fresh.load(try table("one")).metadata.snapshots.count == 40)
    }

    @Test("a change made ahead of its turn is made again when its table was replaced before")
    func replacedBefore() async throws {
        var sharedCount = 0
        for seed in 0..<20 as Range<UInt64> {
            let memory = MemoryStore()
            let positions = try await SimulationExecutor.run(seed: seed) {
                var slow = SimulatedFaults()
                slow.delays = 0.9
                let store = SimulatedStore(memory, seed: seed, rates: slow)
                let catalog = try await openCatalog(store)
                let (one, two) = (try table("one"), try table("two"))
                try await catalog.commit(
                    .createTable(one, metadata: try newTable(catalog, one, uuid: uuid(1))),
                    .createTable(two, metadata: try newTable(catalog, two, uuid: uuid(2)))
                )
                try await catalog.commit(append(one, snapshotID: 1, catalog: catalog))
                return try await withThrowingTaskGroup(of: Int64.self) { group in
                    for number in 1...3 {
                        group.addTask {
                            let operation = append(two, snapshotID: Int64(number), catalog: catalog)
                            return try await catalog.commit(operation).position
                        }
                    }
                    group.addTask {
                        let metadata = try newTable(catalog, one, uuid: uuid(3))
                        return try await catalog.commit(
                            .dropTable(one, purge: false),
                            .createTable(one, metadata: metadata),
                            append(one, snapshotID: 7, catalog: catalog)
                        ).position
                    }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
            }
            sharedCount += positions.count - Set(positions).count
            let fresh = try await openCatalog(memory, seed: 9)
            let metadata = try await fresh.load(try table("one")).metadata
            #expect(metadata.tableUUID == uuid(3))
            #expect(metadata.snapshots.map(\.snapshotID) == [7])
        }
        #expect(sharedCount > 0)
    }

    @Test(
        "two servers on real threads interleave without losing or doubling a commit",
        arguments: [false, true]
    )
    func realThreads(inFolder: Bool) async throws {
        var template = Array("/tmp/varve-catalog-XXXXXX".utf8CString)
        let folder = inFolder ? mkdtemp(&template).map { String(cString: $0) } : nil
        // Each server has a store of its own on the folder, as two processes would.
        let memory = MemoryStore()
        func makeStore() throws -> any ObjectStore {
            try folder.map { try openStore(url: "file://\($0)") } ?? memory
        }
        let store = try makeStore()
        let servers = [
            try await openCatalog(store), try await openCatalog(try makeStore(), seed: 2),
        ]
        let one = try table("one")
        try await servers[0].commit(
            .createTable(one, metadata: try newTable(servers[0], one, uuid: uuid(1)))
        )
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<8 {
                let catalog = servers[writer % 2]
                group.addTask {
                    for number in 0..<12 {
                        let id = Int64(writer * 100 + number + 1)
                        try await catalog.commit(append(one, snapshotID: id, catalog: catalog))
                        let metadata = try await catalog.load(one).metadata
                        #expect(metadata.snapshot(id: id) != nil)
                    }
                }
            }
            try await group.waitForAll()
        }
        let fresh = try await openCatalog(store, seed: 3)
        let metadata = try await fresh.load(one).metadata
        #expect(metadata.snapshots.map(\.sequenceNumber) == (1...96).map(Int64.init))
        for server in servers { #expect(try await server.read().state == fresh.known.state) }
        #expect(try await fresh.verify().fault == nil)
        if folder != nil {
            try await store.delete(try await store.listAll(prefix: "").map(\.key))
        }
    }

    /// A plain model: names of namespaces, and uuids by table name.
    private struct Model {
        var namespaces: Set<Namespace> = [.main]
        var tables: [TableIdentifier: String] = [:]
    }

    @Test(
        "random operations agree with a plain model, and folding the log gives the live state",
        arguments: 0..<10 as Range<UInt64>
    )
    func randomOperations(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let store = MemoryStore()
        let catalog = try await openCatalog(store, seed: seed)
        var model = Model()
        var states: [Int64: CatalogState] = [catalog.known.position: catalog.known.state]
        let levels = [["main"], ["a"], ["a", "b"], ["c"]]
        var uuidCount = 0
        for _ in 0..<150 {
            let namespace = try Namespace(levels.randomElement(using: &random) ?? ["a"])
            let target = try TableIdentifier(
                try Namespace(levels.randomElement(using: &random) ?? ["a"]),
                ["x", "y"].randomElement(using: &random) ?? "x"
            )
            let one = try TableIdentifier(
                namespace,
                ["x", "y", "z"].randomElement(using: &random) ?? "x"
            )
            var changed = model
            var fails = false
            let operation: CatalogOperation
            switch Int.random(in: 0..<6, using: &random) {
            case 0:
                operation = .createNamespace(namespace, properties: ["n": "\(uuidCount)"])
                fails =
                    model.namespaces.contains(namespace)
                    || namespace.parent.map { !model.namespaces.contains($0) } ?? false
                changed.namespaces.insert(namespace)
            case 1:
                operation = .dropNamespace(namespace)
                fails =
                    namespace == .main || !model.namespaces.contains(namespace)
                    || model.namespaces.contains { $0.parent == namespace }
                    || model.tables.keys.contains { $0.namespace == namespace }
                changed.namespaces.remove(namespace)
            case 2, 3:
                uuidCount += 1
                operation = .createTable(
                    one,
                    metadata: try newTable(catalog, one, uuid: uuid(uuidCount))
                )
                fails = !model.namespaces.contains(namespace) || model.tables[one] != nil
                changed.tables[one] = uuid(uuidCount)
            case 4:
                operation = .renameTable(one, to: target)
                fails =
                    model.tables[one] == nil || model.tables[target] != nil
                    || !model.namespaces.contains(target.namespace)
                changed.tables[target] = model.tables[one]
                changed.tables[one] = nil
            default:
                operation = .dropTable(one, purge: Bool.random(using: &random))
                fails = model.tables[one] == nil
                changed.tables[one] = nil
            }
            let didFail = await code { try await catalog.commit(operation) } != nil
            #expect(didFail == fails, "\(operation)")
            if !fails { model = changed }
            let state = catalog.known.state
            states[catalog.known.position] = state
            #expect(Set(state.allNamespaces) == model.namespaces)
            #expect(Set(try state.allTables()) == Set(model.tables.keys))
            #expect(state.tableCount == model.tables.count)
            for (table, uuid) in model.tables { #expect(state.table(table)?.uuid == uuid) }
        }
        let fresh = try await openCatalog(store, seed: 99)
        #expect(fresh.known.state == catalog.known.state)
        for (position, state) in states {
            #expect(try await fresh.snapshot(at: position).state == state)
        }
        #expect(try await fresh.verify().fault == nil)
    }
}

@Suite struct CatalogChangeTests {
    private func changes() throws -> [CatalogChange] {
        let (one, two) = (try table("one"), try table("two", in: "a", "ü"))
        let old = TableEntry(uuid: uuid(1), metadataLocation: "s3://b/1.metadata.json")
        let new = TableEntry(uuid: uuid(1), metadataLocation: "s3://b/2.metadata.json")
        let hashed = TableEntry(
            uuid: uuid(1),
            metadataLocation: "s3://b/4.metadata.json",
            metadataSHA256: String(repeating: "0f", count: 32)
        )
        let other = TableEntry(uuid: uuid(2), metadataLocation: "s3://b/3.metadata.json")
        return [
            .createNamespace(.main, ["a": "b", "c": ""]), .dropNamespace(two.namespace),
            .updateNamespace(.main, set: ["k": "v"], remove: ["x"]),
            .createTable(one, old, snapshotID: nil), .createTable(one, old, snapshotID: 7),
            .createTable(one, hashed, snapshotID: 7),
            .updateTable(two, from: old, to: hashed, snapshotID: nil),
            .updateTable(two, from: old, to: new, snapshotID: 8),
            .replaceTable(one, from: old, to: other, snapshotID: nil),
            .replaceTable(one, from: old, to: new, snapshotID: nil),
            .dropTable(one, old, purge: true), .renameTable(one, to: two, old),
            .createView(one, hashed), .createView(two, old),
            .updateView(one, from: old, to: hashed), .dropView(two, old),
            .renameView(one, to: two, old),
        ]
    }

    @Test("every change reads back as it was written")
    func roundTrip() throws {
        for change in try changes() {
            let json = try JSON.parse(change.json.serialized())
            #expect(try CatalogChange(json: json) == change)
        }
    }

    @Test("a change without one of its members, or of an unknown kind, is refused")
    func missingMembers() throws {
        let optional: Set<String> = ["snapshot-id", "previous-uuid", "metadata-sha256"]
        for change in try changes() {
            let members = try #require(change.json.object).members
            for member in members {
                var object = try #require(change.json.object)
                object[member.key] = .array([.null])
                #expect(throws: CatalogError.self) { try CatalogChange(json: .object(object)) }
                if optional.contains(member.key) { continue }
                object[member.key] = nil
                #expect(throws: CatalogError.self) { try CatalogChange(json: .object(object)) }
            }
        }
        #expect {
            try CatalogChange(json: ["change": "create-moon", "namespace": ["a"]])
        } throws: {
            ($0 as? CatalogError)?.code == .unsupported
        }
    }

    @Test("mutated changes never trap the state", arguments: 0..<8 as Range<UInt64>)
    func mutated(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let texts = try changes().map { $0.json.serialized() }
        for _ in 0..<500 {
            var bytes = texts.randomElement(using: &random) ?? []
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(
                    in: 0...255,
                    using: &random
                )
            }
            guard let json = try? JSON.parse(bytes) else { continue }
            _ = try? CatalogChange(json: json)
        }
    }
}
