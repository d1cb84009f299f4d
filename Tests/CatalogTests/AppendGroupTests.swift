import Ambient
import Catalog
import CommitLog
import Iceberg
import ObjectStorage
import Synchronization
import Testing
import TestSupport

/// An append of one file, whose snapshot says in its summary which files it added.
private func add(
    _ table: TableIdentifier,
    _ file: String,
    catalog: WarehouseCatalog,
    check: @escaping @Sendable (TableMetadata) throws -> Void = { _ in },
    failsWith count: Int? = nil
) -> CatalogOperation {
    let data = DataFile(
        filePath: file,
        specID: 0,
        partition: [],
        recordCount: 10,
        fileSizeBytes: 100
    )
    return .append(
        table,
        TableAppend(
            files: [data],
            unwritten: [.init(key: "main/data/\(file)", bytes: Array(file.utf8))],
            isWanted: { $0.properties["alone"] == nil },
            check: check
        ) { base, files, id in
            guard let metadata = base.metadata else { throw CatalogError(.tableNotFound, "gone") }
            if files.count == count { throw CatalogError(.invalid, "not these \(files.count)") }
            let sequence = metadata.lastSequenceNumber + 1
            let id = id ?? metadata.lastSequenceNumber * 1000 + 1
            let location = "\(metadata.location)/metadata/snap-\(id)-\(sequence).avro"
            let snapshot = Snapshot(
                snapshotID: id,
                parentSnapshotID: metadata.currentSnapshotID,
                sequenceNumber: sequence,
                timestampMillis: 0,
                manifestList: location,
                operation: .append,
                summary: ["files": files.map(\.filePath).joined(separator: " ")],
                schemaID: metadata.currentSchemaID
            )
            guard let key = catalog.key(of: location) else {
                throw CatalogError(.invalid, "outside")
            }
            return TableChange(
                requirements: [
                    .assertRefSnapshotID(ref: "main", snapshotID: metadata.currentSnapshotID)
                ],
                updates: [
                    .addSnapshot(snapshot),
                    .setSnapshotRef(name: "main", SnapshotRef(snapshotID: id, kind: .branch)),
                ],
                files: [.init(key: key, bytes: Array("list".utf8))]
            )
        }
    )
}

/// Rows that are written with others: their file lists their names in order.
private struct NamedRow: AppendedRows {
    var name: String
    var rowCount: Int { 1 }
    var byteCount: Int { 8 }

    func written(with others: [any AppendedRows]) async throws -> WrittenAppends {
        let names = [name] + others.compactMap { ($0 as? NamedRow)?.name }
        if names.contains("refused") && names.count > 1 {
            throw CatalogError(.invalid, "not these")
        }
        if names == ["refused"] { throw CatalogError(.invalid, "nobody wants this row") }
        let file = DataFile(
            filePath: names.joined(separator: "+"),
            specID: 0,
            partition: [],
            recordCount: Int64(names.count),
            fileSizeBytes: 100
        )
        let places = names.indices.map { index in
            AddedFiles(
                locations: [file.filePath],
                recordCount: 1,
                rows: names.count == 1 ? nil : [Int64(index)..<Int64(index + 1)]
            )
        }
        let key = "main/data/\(file.filePath)"
        return WrittenAppends(
            files: [file],
            unwritten: [.init(key: key, bytes: Array(file.filePath.utf8))],
            places: places
        )
    }
}

/// The files of a table's snapshots, snapshot by snapshot.
private func files(_ metadata: TableMetadata) -> [[String]] {
    metadata.snapshots.map {
        ($0.summary["files"] ?? "").split(separator: " ").map(String.init)
    }
}

/// What became of commits, by their ids.
private final class Results: Sendable {
    let all = Mutex<[String: Result<CommitReceipt, any Error>]>([:])
}

@Suite struct AppendGroupTests {
    /// Commits all of it at once, on a store so slow that many wait for each other.
    private func commitAll(
        _ catalog: WarehouseCatalog,
        _ commits: [(id: String, operations: [CatalogOperation])]
    ) async throws -> [String: Result<CommitReceipt, any Error>] {
        // A group of such tuples ends before its tasks do (Swift 6.3), so results are kept beside it.
        let results = Results()
        await withTaskGroup(of: Void.self) { group in
            for (id, operations) in commits {
                group.addTask {
                    let result: Result<CommitReceipt, any Error>
                    do {
                        let commit = CatalogCommit(id: id, actor: "test", operations: operations)
                        result = .success(try await catalog.commit(commit))
                    } catch {
                        result = .failure(error)
                    }
                    results.all.withLock { $0[id] = result }
                }
            }
        }
        return results.all.withLock { $0 }
    }

    private func withSlowCatalog(
        seed: UInt64,
        _ body: @escaping @Sendable (SimulatedStore, WarehouseCatalog) async throws -> Void
    ) async throws {
        let memory = MemoryStore(time: ManualTime())
        try await SimulationExecutor.run(seed: seed) {
            var slow = SimulatedFaults()
            slow.delays = 0.9
            let store = SimulatedStore(memory, seed: seed, rates: slow)
            try await body(store, try await openCatalog(store, seed: seed))
        }
    }

    @Test(
        "appends of one entry to one table share a snapshot, and every file is in exactly one",
        arguments: 0..<8
    )
    func sharing(seed: UInt64) async throws {
        try await withSlowCatalog(seed: seed) { store, catalog in
            let (one, other) = (try table("one"), try table("other"))
            for (number, name) in [one, other].enumerated() {
                let metadata = try newTable(catalog, name, uuid: uuid(number))
                try await catalog.commit(.createTable(name, metadata: metadata))
            }
            let results = try await commitAll(
                catalog,
                (1...30).map { number in
                    let name = number % 3 == 0 ? other : one
                    // Some change more than that, and some look at the table in between.
                    let operations: [CatalogOperation] =
                        switch number % 10 {
                        case 4:
                            [
                                .updateTable(
                                    name,
                                    requirements: [],
                                    updates: [.setProperties(["n": "\(number)"])]
                                )
                            ]
                        case 7: [append(name, snapshotID: Int64(number), catalog: catalog)]
                        default: [add(name, "f\(number)", catalog: catalog)]
                        }
                    return ("c\(number)", operations)
                }
            )
            var shared = 0
            for number in 1...30 {
                let receipt = try #require(try results["c\(number)"]?.get())
                let name = number % 3 == 0 ? other : one
                let loaded = try await catalog.load(
                    name,
                    at: try #require(receipt.tables.last).entry
                )
                #expect(receipt.tables.last?.metadata.json == loaded.metadata.json)
                guard number % 10 != 4, number % 10 != 7 else { continue }
                let id = try #require(receipt.snapshotID(of: name))
                let snapshot = try #require(loaded.metadata.snapshot(id: id))
                let inside = (snapshot.summary["files"] ?? "").split(separator: " ")
                #expect(inside.contains("f\(number)"))
                if inside.count > 1 { shared += 1 }
                #expect(receipt.addedRecordCount(of: name) == 10)
                guard case .updateTable(_, _, _, _, let added?)? = receipt.changes.last else {
                    Issue.record("no files are noted")
                    return
                }
                #expect(added.locations == ["f\(number)"] && added.recordCount == 10)
                #expect(
                    try await store.get("main/data/f\(number)").bytes == Array("f\(number)".utf8)
                )
                // A retry gets the same, from the log.
                let again = try await catalog.commit(
                    CatalogCommit(
                        id: "c\(number)",
                        actor: "test",
                        operations: [add(name, "f\(number)", catalog: catalog)]
                    )
                )
                #expect(again.isReplay && again.changes == receipt.changes)
                #expect(again.addedRecordCount(of: name) == 10)
            }
            #expect(shared > 10)
            let reader = try await openCatalog(store, seed: seed + 100)
            #expect(reader.known.state == catalog.known.state)
            for (name, rest) in [(one, 1...2), (other, 0...0)] {
                let metadata = try await reader.load(name).metadata
                let all = files(metadata).flatMap { $0 }.sorted()
                let wanted = (1...30).filter {
                    ($0 % 3 != 0) == (rest == 1...2) && $0 % 10 != 4 && $0 % 10 != 7
                }
                #expect(all == wanted.map { "f\($0)" }.sorted())
                for (before, after) in zip(metadata.snapshots, metadata.snapshots.dropFirst()) {
                    #expect(after.parentSnapshotID == before.snapshotID)
                }
                let files = metadata.metadataLog.map(\.metadataFile)
                #expect(Set(files).count == files.count)
            }
            let found = try await reader.verifyMetadata(of: reader.known, includesPast: true)
            #expect(found.faults.isEmpty)
            #expect(try await reader.verify().fault == nil)
        }
    }

    @Test("one that must not be added fails alone; one that cannot be put together is tried alone")
    func failing() async throws {
        struct Refused: Error {}
        try await withSlowCatalog(seed: 3) { store, catalog in
            let name = try table("t")
            try await catalog.commit(
                .createTable(name, metadata: try newTable(catalog, name, uuid: uuid(1)))
            )
            let results = try await commitAll(
                catalog,
                (1...20).map { number in
                    let operation: CatalogOperation =
                        switch number {
                        case 5: add(name, "f5", catalog: catalog) { _ in throw Refused() }
                        // Looks at the table in between, and is not to blame for the others.
                        case 8, 16:
                            .updateTable(
                                name,
                                requirements: [],
                                updates: [.setProperties(["n": "\(number)"])]
                            )
                        // Whatever number comes together, the first refuses; alone it does not.
                        default:
                            add(name, "f\(number)", catalog: catalog, failsWith: number % 2 + 2)
                        }
                    return ("c\(number)", [operation])
                }
            )
            for number in 1...20 {
                let result = try #require(results["c\(number)"])
                if number == 5 {
                    #expect(throws: Refused.self) { try result.get() }
                } else {
                    #expect(throws: Never.self) { try result.get() }
                }
            }
            let metadata = try await openCatalog(store, seed: 9).load(name).metadata
            let added: [Int] = (1...20).filter { $0 != 5 && $0 % 8 != 0 }
            let expected: Set<String> = Set(added.map { "f\($0)" })
            let found: [String] = files(metadata).flatMap { $0 }
            #expect(Set(found) == expected && found.count == expected.count)
        }
    }

    @Test(
        "rows of one entry share data files, every row is in exactly one, and the log says where",
        arguments: 0..<8
    )
    func rows(seed: UInt64) async throws {
        // One of them makes everybody be tried alone.
        let hasRefused = seed % 4 == 3
        try await withSlowCatalog(seed: seed) { store, catalog in
            let name = try table("one")
            let metadata = try newTable(catalog, name, uuid: uuid(0))
            try await catalog.commit(.createTable(name, metadata: metadata))
            let results = try await commitAll(
                catalog,
                (1...30).map { number in
                    guard case .append(_, var append) = add(name, "f\(number)", catalog: catalog)
                    else { return ("", []) }
                    if number % 5 > 0 {
                        append.files = []
                        append.unwritten = []
                        append.rows = NamedRow(
                            name: number == 13 && hasRefused ? "refused" : "r\(number)"
                        )
                    }
                    return ("c\(number)", [.append(name, append)])
                }
            )
            var expected: Set<String> = []
            var sharedCount = 0
            for number in 1...30 {
                let result = try #require(results["c\(number)"])
                if number == 13, hasRefused {
                    let error = #expect(throws: CatalogError.self) { try result.get() }
                    #expect(error?.message == "nobody wants this row")
                    continue
                }
                let row = number % 5 > 0 ? "r\(number)" : "f\(number)"
                expected.insert(row)
                let receipt = try result.get()
                let change = try #require(receipt.changes.first)
                guard case .updateTable(_, _, _, _, let added?) = change else { continue }
                #expect(added.locations.count == 1)
                let rows = try #require(added.locations.first).split(separator: "+").map(
                    String.init
                )
                guard let range = added.rows?.first else {
                    #expect(rows == [row])
                    continue
                }
                sharedCount += 1
                #expect(added.recordCount == 1 && range.count == 1)
                #expect(rows[Int(range.lowerBound)] == row)
                #expect(try CatalogChange(json: change.json) == change)
            }
            #expect(sharedCount > 10 || hasRefused)
            let now = try await openCatalog(store, seed: seed + 100).load(name).metadata
            let listed: [String] = files(now).flatMap { $0 }
            let found: [String] = listed.flatMap { $0.split(separator: "+").map(String.init) }
            #expect(found.sorted() == expected.sorted())
            for file in listed {
                #expect(try await store.get("main/data/\(file)").bytes == Array(file.utf8))
            }
        }
    }

    @Test(
        "a table that wants it has a snapshot of each; so have commits of several steps, and branches made meanwhile see what was there"
    )
    func apart() async throws {
        try await withSlowCatalog(seed: 4) { store, catalog in
            let (alone, name) = (try table("alone"), try table("t"))
            var metadata = try newTable(catalog, alone, uuid: uuid(1))
            metadata.properties["alone"] = "yes"
            try await catalog.commit(.createTable(alone, metadata: metadata))
            try await catalog.commit(
                .createTable(name, metadata: try newTable(catalog, name, uuid: uuid(2)))
            )
            var commits: [(id: String, operations: [CatalogOperation])] = (1...10).map {
                ("a\($0)", [add(alone, "a\($0)", catalog: catalog)])
            }
            commits += (1...10).map {
                ("b\($0)", [add(name, "b\($0)", catalog: catalog), .require([:])])
            }
            commits.insert(("branch", [.createBranch("dev", from: nil, at: nil)]), at: 12)
            let results = try await commitAll(catalog, commits)
            for (_, result) in results { _ = try result.get() }
            #expect(files(try await catalog.load(alone).metadata).allSatisfy { $0.count == 1 })
            #expect(
                files(try await catalog.load(name).metadata).map(\.count)
                    == Array(repeating: 1, count: 10)
            )
            let made = try #require(try results["branch"]?.get())
            let dev = try await catalog.read(of: "dev")
            let seen = files(try await catalog.load(name, in: dev).metadata).flatMap { $0 }
            for number in 1...10 {
                let receipt = try #require(try results["b\(number)"]?.get())
                if receipt.position < made.position { #expect(seen.contains("b\(number)")) }
                if receipt.position > made.position { #expect(!seen.contains("b\(number)")) }
            }
            let reader = try await openCatalog(store, seed: 8)
            #expect(reader.known.branched == catalog.known.branched)
        }
    }
}
