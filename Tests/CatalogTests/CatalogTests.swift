import Ambient
import Bytes
import Catalog
import CommitLog
import Iceberg
import ObjectStorage
import Testing
import TestSupport

@Suite struct WarehouseCatalogTests {
    @Test("a new warehouse has namespace main; opening none fails unless asked to make it")
    func opening() async throws {
        let store = MemoryStore()
        let ambient = AmbientSources.virtual(seed: 1)
        #expect(
            await code { _ = try await WarehouseCatalog.open(store: store, ambient: ambient) }
                == .warehouseNotFound
        )
        let catalog = try await openCatalog(store)
        #expect(catalog.known.state.allNamespaces == [.main])
        #expect(catalog.known.position == 1)
        let again = try await openCatalog(store, seed: 2)
        #expect(again.known.position == 1)
        let plain = try await WarehouseCatalog.open(store: store, ambient: ambient)
        #expect(plain.warehouse.id == catalog.warehouse.id)
    }

    @Test("namespaces nest, list, hold properties, and are dropped only when empty")
    func namespaces() async throws {
        let catalog = try await openCatalog(MemoryStore())
        let (a, b) = (try Namespace(["a"]), try Namespace(["a", "b"]))
        #expect(
            await code { try await catalog.commit(.createNamespace(b, properties: [:])) }
                == .namespaceNotFound
        )
        try await catalog.commit(
            .createNamespace(a, properties: ["owner": "me", "x": "1"]),
            .createNamespace(b, properties: [:])
        )
        #expect(
            await code { try await catalog.commit(.createNamespace(a, properties: [:])) }
                == .alreadyExists
        )
        let state = try await catalog.read().state
        #expect(try state.namespaces(in: nil) == [a, .main])
        #expect(try state.namespaces(in: a) == [b])
        try await catalog.commit(.updateNamespace(a, set: ["y": "2"], remove: ["x", "none"]))
        #expect(try catalog.known.state.properties(of: a) == ["owner": "me", "y": "2"])
        #expect(await code { try await catalog.commit(.dropNamespace(a)) } == .notEmpty)
        #expect(await code { try await catalog.commit(.dropNamespace(.main)) } == .invalid)
        try await catalog.commit(.dropNamespace(b), .dropNamespace(a))
        #expect(catalog.known.state.allNamespaces == [.main])
        #expect(await code { try await catalog.commit(.dropNamespace(a)) } == .namespaceNotFound)
    }

    @Test("names that cannot be are refused")
    func names() {
        for levels in [[], [""], ["a\u{1F}b"], [String(repeating: "n", count: 256)]] {
            #expect(throws: CatalogError.self) { try Namespace(levels) }
        }
        #expect(throws: CatalogError.self) {
            try Namespace(Array(repeating: "n", count: 17))
        }
        #expect(throws: CatalogError.self) { try TableIdentifier(.main, "") }
    }

    @Test("a table is made, found, renamed, dropped, and its name free again")
    func tables() async throws {
        let store = MemoryStore()
        let catalog = try await openCatalog(store)
        let (one, two) = (try table("one"), try table("two"))
        let metadata = try newTable(catalog, one, uuid: uuid(1))
        let receipt = try await catalog.commit(.createTable(one, metadata: metadata))
        let made = try #require(receipt.tables.first)
        #expect(made.metadataLocation.hasPrefix("memory:main/one-\(uuid(1))/metadata/00000-"))
        #expect(made.metadata.lastUpdatedMillis == receipt.timeMillis)
        #expect(try await catalog.load(one).metadata == made.metadata)
        let fresh = try await openCatalog(store, seed: 2)
        #expect(try await fresh.load(one).metadata == made.metadata)
        #expect(
            await code { try await fresh.commit(.createTable(one, metadata: metadata)) }
                == .alreadyExists
        )
        let elsewhere = try table("one", in: "nowhere")
        #expect(
            await code { try await fresh.commit(.createTable(elsewhere, metadata: metadata)) }
                == .namespaceNotFound
        )
        try await fresh.commit(.renameTable(one, to: two))
        #expect(await code { _ = try await catalog.load(one) } == .tableNotFound)
        #expect(try await catalog.load(two).entry.uuid == uuid(1))
        #expect(
            await code { try await catalog.commit(.renameTable(two, to: two)) } == .alreadyExists
        )
        #expect(
            await code { try await catalog.commit(.renameTable(two, to: elsewhere)) }
                == .namespaceNotFound
        )
        #expect(
            await code { try await catalog.commit(.renameTable(one, to: two)) } == .tableNotFound
        )
        try await catalog.commit(.dropTable(two, purge: true))
        #expect(catalog.known.state.tableCount == 0)
        #expect(
            await code { try await catalog.commit(.dropTable(two, purge: false)) } == .tableNotFound
        )
        let again = try newTable(catalog, two, uuid: uuid(2))
        try await catalog.commit(.createTable(two, metadata: again))
        #expect(try await catalog.load(two).entry.uuid == uuid(2))
    }

    @Test(
        "updates are applied when their requirements hold, and leave nothing when they change nothing"
    )
    func updates() async throws {
        let catalog = try await openCatalog(MemoryStore())
        let one = try table("one")
        try await catalog.commit(
            .createTable(one, metadata: try newTable(catalog, one, uuid: uuid(1)))
        )
        let first = try await catalog.load(one)
        let receipt = try await catalog.commit(
            .updateTable(
                one,
                requirements: [.assertTableUUID(uuid(1))],
                updates: [.setProperties(["k": "v"])]
            )
        )
        let second = try #require(receipt.tables.first)
        #expect(second.metadata.properties == ["k": "v"])
        #expect(second.metadata.metadataLog.last?.metadataFile == first.metadataLocation)
        #expect(second.metadataLocation.contains("/00001-"))
        #expect(
            await code {
                try await catalog.commit(
                    .updateTable(
                        one,
                        requirements: [.assertTableUUID(uuid(2))],
                        updates: [.setProperties(["k": "w"])]
                    )
                )
            } == .conflict
        )
        let unchanged = try await catalog.commit(
            .updateTable(one, requirements: [], updates: [.setProperties(["k": "v"])])
        )
        #expect(unchanged.changes.isEmpty && unchanged.tables.isEmpty)
        #expect(try await catalog.load(one).metadataLocation == second.metadataLocation)
        #expect(
            await code {
                try await catalog.commit(
                    .updateTable(
                        try table("none"),
                        requirements: [],
                        updates: [.setProperties(["k": "w"])]
                    )
                )
            } == .tableNotFound
        )
    }

    @Test("a staged table is made of its updates, with a place and a uuid if it brings none")
    func stagedCreate() async throws {
        let catalog = try await openCatalog(MemoryStore())
        let one = try table("one")
        let schema = try Schema(
            fields: [NestedField(id: 1, name: "x", required: false, type: .long)]
        )
        let updates: [TableUpdate] = [
            .addSchema(schema, lastColumnID: 1), .setCurrentSchema(-1),
            .addSpec(UnboundPartitionSpec(fields: [])), .setDefaultSpec(-1),
            .addSortOrder(.unsorted), .setDefaultSortOrder(-1),
        ]
        let receipt = try await catalog.commit(
            .updateTable(one, requirements: [.assertCreate], updates: updates)
        )
        let made = try #require(receipt.tables.first?.metadata)
        #expect(made.location == "memory:main/one-\(made.tableUUID)")
        #expect(
            await code {
                try await catalog.commit(
                    .updateTable(one, requirements: [.assertCreate], updates: updates)
                )
            } == .conflict
        )
    }

    @Test("a commit over many tables happens wholly or not at all")
    func transactions() async throws {
        let catalog = try await openCatalog(MemoryStore())
        let tables = try (0..<5).map { try table("t\($0)") }
        _ = try await catalog.commit(
            CatalogCommit(
                id: "make",
                actor: "test",
                operations: try tables.enumerated().map { index, table in
                    .createTable(
                        table,
                        metadata: try newTable(catalog, table, uuid: uuid(index))
                    )
                }
            )
        )
        func set(_ value: String, failing: Bool) -> CatalogCommit {
            CatalogCommit(
                id: "set-\(value)",
                actor: "test",
                operations: tables.map { table in
                    .updateTable(
                        table,
                        requirements: failing && table == tables.last
                            ? [.assertCurrentSchemaID(9)] : [],
                        updates: [.setProperties(["v": value])]
                    )
                }
            )
        }
        let before = try await catalog.read()
        #expect(await code { _ = try await catalog.commit(set("1", failing: true)) } == .conflict)
        #expect(try await catalog.read().state == before.state)
        let receipt = try await catalog.commit(set("2", failing: false))
        #expect(receipt.tables.count == 5)
        for table in tables {
            #expect(try await catalog.load(table).metadata.properties["v"] == "2")
        }
        // The whole catalog as of before: no table has moved.
        let past = try await catalog.snapshot(at: before.position)
        for table in tables {
            #expect(try await catalog.load(table, in: past).metadata.properties["v"] == nil)
        }
    }

    @Test("a server that is behind rebases appends, and reports a conflict only when it is one")
    func behind() async throws {
        let store = MemoryStore()
        let (here, there) = (try await openCatalog(store), try await openCatalog(store, seed: 2))
        let one = try table("one")
        try await here.commit(.createTable(one, metadata: try newTable(here, one, uuid: uuid(1))))
        for number in 1...10 {
            let catalog = number % 2 == 0 ? here : there
            try await catalog.commit(
                append(one, snapshotID: Int64(number), catalog: catalog)
            )
        }
        let metadata = try await here.load(one).metadata
        #expect(metadata.snapshots.map(\.snapshotID) == (1...10).map(Int64.init))
        #expect(metadata.snapshots.map(\.sequenceNumber) == (1...10).map(Int64.init))
        try await there.commit(
            .updateTable(one, requirements: [], updates: [.setProperties(["k": "v"])])
        )
        // Made against what `here` knows, which is older.
        #expect(
            await code {
                try await here.commit(
                    .updateTable(
                        one,
                        requirements: [.assertRefSnapshotID(ref: "main", snapshotID: 9)],
                        updates: [.setProperties(["k": "w"])]
                    )
                )
            } == .conflict
        )
    }

    @Test("the same commit id again gets the same receipt, from any server")
    func idempotence() async throws {
        let store = MemoryStore()
        let catalog = try await openCatalog(store)
        let one = try table("one")
        let metadata = try newTable(catalog, one, uuid: uuid(1))
        let first = try await catalog.commit(.createTable(one, metadata: metadata), id: "make")
        try await catalog.commit(append(one, snapshotID: 5, catalog: catalog), id: "append")
        let restarted = try await openCatalog(store, seed: 3)
        let again = try await restarted.commit(.createTable(one, metadata: metadata), id: "make")
        #expect(again.isReplay && !first.isReplay)
        #expect(again.position == first.position && again.timeMillis == first.timeMillis)
        #expect(again.changes == first.changes)
        #expect(again.tables.map(\.metadata) == first.tables.map(\.metadata))
        let append2 = try await restarted.commit(
            append(one, snapshotID: 5, catalog: restarted),
            id: "append"
        )
        #expect(append2.isReplay)
        // Who asks without committing finds the same.
        let found = try #require(try await restarted.receipt(ofCommit: "append"))
        #expect(found.isReplay && found.position == append2.position)
        #expect(found.changes == append2.changes && found.requestHash == nil)
        #expect(try await restarted.receipt(ofCommit: "never") == nil)
        #expect(try await restarted.load(one).metadata.snapshots.count == 1)
    }

    @Test("a commit carries what it was asked for, so that another use of its id is seen")
    func requestHashes() async throws {
        let store = MemoryStore()
        let catalog = try await openCatalog(store)
        let first = try await catalog.commit(
            CatalogCommit(id: "key", actor: "a", requestHash: "one", operations: [])
        )
        #expect(first.requestHash == "one" && !first.isReplay)
        let restarted = try await openCatalog(store, seed: 3)
        let other = try await restarted.commit(
            CatalogCommit(
                id: "key",
                actor: "a",
                requestHash: "two",
                operations: [.createNamespace(try Namespace(["n"]), properties: [:])]
            )
        )
        #expect(other.isReplay && other.requestHash == "one" && other.changes.isEmpty)
        #expect(try await !restarted.read().state.hasNamespace(try Namespace(["n"])))
        #expect(try await restarted.verify().fault == nil)
    }

    @Test("snapshots carry the time of their entry, and as-of by time agrees with the log")
    func times() async throws {
        let time = ManualTime()
        let catalog = try await openCatalog(MemoryStore(), time: time)
        let one = try table("one")
        try await catalog.commit(
            .createTable(one, metadata: try newTable(catalog, one, uuid: uuid(1)))
        )
        var receipts: [CommitReceipt] = []
        for number in 1...20 {
            time.advance(byNanos: 3_000_000)
            receipts.append(
                try await catalog.commit(
                    append(one, snapshotID: Int64(number), catalog: catalog)
                )
            )
        }
        let metadata = try await catalog.load(one).metadata
        for (number, receipt) in receipts.enumerated() {
            let id = Int64(number + 1)
            #expect(metadata.snapshot(id: id)?.timestampMillis == receipt.timeMillis)
            let past = try await catalog.snapshot(atMillis: receipt.timeMillis)
            #expect(try await catalog.load(one, in: past).metadata.currentSnapshotID == id)
            #expect(metadata.snapshot(atMillis: receipt.timeMillis)?.snapshotID == id)
        }
    }

    @Test("history lists commits newest first, by table through its names, page by page")
    func history() async throws {
        let catalog = try await openCatalog(MemoryStore())
        let (one, two, other) = (try table("one"), try table("two"), try table("other"))
        try await catalog.commit(
            .createTable(one, metadata: try newTable(catalog, one, uuid: uuid(1)))
        )
        try await catalog.commit(
            .createTable(other, metadata: try newTable(catalog, other, uuid: uuid(2)))
        )
        for number in 1...5 {
            try await catalog.commit(append(one, snapshotID: Int64(number), catalog: catalog))
            try await catalog.commit(append(other, snapshotID: Int64(number), catalog: catalog))
        }
        try await catalog.commit(.renameTable(one, to: two))
        try await catalog.commit(.dropTable(two, purge: false))
        let all = try await catalog.history(ofTable: uuid(1))
        #expect(all.commits.count == 8 && all.next == nil)
        #expect(all.commits.map(\.position) == all.commits.map(\.position).sorted(by: >))
        #expect(all.commits.first?.message == "why")
        var (count, before) = (0, Int64?.none)
        repeat {
            let page = try await catalog.history(before: before, countMax: 4)
            count += page.commits.count
            before = page.next
        } while before != nil
        #expect(count == 15)
    }
}

@Suite struct CatalogPlaceTests {
    @Test("tables may not write outside the warehouse or into the log")
    func outside() async throws {
        let catalog = try await openCatalog(MemoryStore(root: "s3://bucket/lake"))
        let one = try table("one")
        for location in [
            "s3://bucket/lake2/t", "s3://bucket/t", "file:///etc", "s3://bucket/lake",
            "s3://bucket/lake/_varve/log", "s3://bucket/lake/../t", "s3://bucket/lake//t", "t",
        ] {
            let metadata = try newTable(catalog, one, uuid: uuid(1), location: location)
            #expect(
                await code { try await catalog.commit(.createTable(one, metadata: metadata)) }
                    == .invalid,
                "\(location)"
            )
        }
        for property in ["write.metadata.path", "write.data.path"] {
            let metadata = try newTable(
                catalog,
                one,
                uuid: uuid(1),
                properties: [property: "s3://elsewhere/x"]
            )
            #expect(
                await code { try await catalog.commit(.createTable(one, metadata: metadata)) }
                    == .invalid
            )
        }
        let metadata = try newTable(
            catalog,
            one,
            uuid: uuid(1),
            location: "s3a://bucket/lake/here",
            properties: ["write.metadata.compression-codec": "gzip"]
        )
        try await catalog.commit(.createTable(one, metadata: metadata))
        let loaded = try await openCatalog(catalog.store, seed: 2).load(one)
        #expect(loaded.metadataLocation.hasSuffix(".gz.metadata.json"))
        #expect(catalog.key(of: loaded.metadataLocation)?.hasPrefix("here/metadata/") == true)
    }

    @Test("strange names make harmless places")
    func strangeNames() async throws {
        let store = MemoryStore()
        let catalog = try await openCatalog(store)
        let names = [
            "..", "_varve", ".hidden", "a/b", "ü 100%", String(repeating: "x", count: 255),
        ]
        for (index, name) in names.enumerated() {
            let namespace = try Namespace([name])
            let table = try TableIdentifier(namespace, name)
            let metadata = try newTable(catalog, table, uuid: uuid(index))
            try await catalog.commit(
                .createNamespace(namespace, properties: [:]),
                .createTable(table, metadata: metadata)
            )
            #expect(try await openCatalog(store, seed: 9).load(table).entry.uuid == uuid(index))
        }
        for object in try await store.listAll(prefix: "_varve/") {
            #expect(object.key == Warehouse.key || object.key.hasPrefix(LogEntry.keyPrefix))
        }
    }

    @Test("metadata elsewhere is registered and read through the factory, and never written")
    func external() async throws {
        let elsewhere = MemoryStore(root: "s3://other/tables/t/metadata")
        let plain = try await openCatalog(MemoryStore())
        let one = try table("one")
        let metadata = try newTable(plain, one, uuid: uuid(7), location: "s3://other/tables/t")
        try await elsewhere.put("00003-x.metadata.json", metadata.json.serialized())
        let location = "s3://other/tables/t/metadata/00003-x.metadata.json"
        #expect(
            await code {
                try await plain.commit(
                    .registerTable(one, metadataLocation: location, overwrite: false)
                )
            } == .unsupported
        )
        var options = CatalogOptions()
        options.openOutside = { folder in
            guard folder == elsewhere.root else {
                throw ObjectStoreError(.denied, "not this one", store: folder)
            }
            return elsewhere
        }
        let catalog = try await openCatalog(MemoryStore(), options: options)
        try await catalog.commit(
            .registerTable(one, metadataLocation: location, overwrite: false)
        )
        #expect(try await catalog.load(one).metadata == metadata)
        #expect(
            await code {
                try await catalog.commit(
                    .updateTable(one, requirements: [], updates: [.setProperties(["a": "b"])])
                )
            } == .invalid
        )
        #expect(
            await code {
                try await catalog.commit(
                    .registerTable(one, metadataLocation: location, overwrite: false)
                )
            } == .alreadyExists
        )
        try await catalog.commit(.registerTable(one, metadataLocation: location, overwrite: true))
        let gone = "memory:main/none.metadata.json"
        #expect(
            await code {
                try await catalog.commit(
                    .registerTable(try table("x"), metadataLocation: gone, overwrite: false)
                )
            } == .invalid
        )
    }

    @Test("a metadata file is held against the hash that the log has of it, wherever it came from")
    func hashes() async throws {
        let store = MemoryStore()
        let catalog = try await openCatalog(store)
        let (one, two, three) = (try table("one"), try table("two"), try table("three"))
        try await catalog.commit(
            .createTable(one, metadata: try newTable(catalog, one, uuid: uuid(1)))
        )
        let location = try await catalog.load(one).metadataLocation
        try await catalog.commit(
            .registerTable(two, metadataLocation: location, overwrite: false)
        )
        try await catalog.commit(.renameTable(two, to: three))
        let entry = try catalog.known.state.existingTable(one)
        #expect(entry.metadataSHA256?.utf8.count == 64)
        #expect(catalog.known.state.table(three)?.metadataSHA256 == entry.metadataSHA256)
        let key = try #require(catalog.key(of: location))
        let bytes = try await store.get(key).bytes
        #expect(sha256Text(bytes) == entry.metadataSHA256)
        // The same JSON, one space more: only the hash can tell.
        try await store.put(key, bytes + [UInt8(ascii: " ")])
        let fresh = try await openCatalog(store, seed: 4)
        for name in [one, three] {
            do {
                _ = try await fresh.load(name)
                Issue.record("\(name) was loaded")
            } catch let error as CatalogError {
                #expect(error.code == .corrupt && error.message.contains(location))
            }
        }
        let report = try await fresh.verifyMetadata(of: fresh.known, includesPast: true)
        #expect(report.fileCount == 1 && report.faults.count == 1)
    }

    @Test("tables of entries without hashes are read, and get one with their next change")
    func withoutHashes() async throws {
        let store = MemoryStore()
        let catalog = try await openCatalog(store)
        let one = try table("one")
        try await catalog.commit(
            .createTable(one, metadata: try newTable(catalog, one, uuid: uuid(1)))
        )
        // The log of a version that did not know of hashes.
        let old = MemoryStore()
        for object in try await store.listAll(prefix: "") {
            try await old.put(object.key, try await store.get(object.key).bytes)
        }
        let last = try #require(try await store.listAll(prefix: "_varve/log/").last?.key)
        var text = String(decoding: try await store.get(last).bytes, as: UTF8.self)
        let range = try #require(text.firstRange(of: ",\"metadata-sha256\":\""))
        text.removeSubrange(range.lowerBound..<text.index(range.upperBound, offsetBy: 65))
        let body = Array(text.utf8.dropLast(23))
        let sum = String(body.withUnsafeBytes { crc32($0) }, radix: 16)
        let digits = String(repeating: "0", count: 8 - sum.utf8.count) + sum
        try await old.put(last, body + Array(",\"checksum\":\"\(digits)\"}".utf8))
        let reopened = try await openCatalog(old, seed: 7)
        #expect(try reopened.known.state.existingTable(one).metadataSHA256 == nil)
        #expect(try await reopened.load(one).entry.uuid == uuid(1))
        try await reopened.commit(append(one, snapshotID: 1, catalog: reopened))
        #expect(try reopened.known.state.existingTable(one).metadataSHA256 != nil)
        #expect(try await reopened.verify().fault == nil)
        let report = try await reopened.verifyMetadata(
            of: reopened.known,
            includesPast: true
        )
        #expect(report.fileCount == 2 && report.faults.isEmpty)
    }

    @Test("metadata of another table, damaged or gone, is corruption")
    func wrongMetadata() async throws {
        let store = MemoryStore()
        let catalog = try await openCatalog(store)
        let (one, two) = (try table("one"), try table("two"))
        try await catalog.commit(
            .createTable(one, metadata: try newTable(catalog, one, uuid: uuid(1))),
            .createTable(two, metadata: try newTable(catalog, two, uuid: uuid(2)))
        )
        let key = try #require(catalog.key(of: try await catalog.load(one).metadataLocation))
        let other = try #require(catalog.key(of: try await catalog.load(two).metadataLocation))
        let bytes = try await store.get(key).bytes
        let wrong = try await store.get(other).bytes
        for damaged in [wrong, Array(bytes.dropLast()), []] {
            try await store.put(key, damaged)
            let fresh = try await openCatalog(store, seed: 4)
            #expect(await code { _ = try await fresh.load(one) } == .corrupt)
            let report = try await fresh.verifyMetadata(of: fresh.known, includesPast: true)
            #expect(report.faults.map(\.table) == [one])
            #expect(report.faults.allSatisfy { $0.location.hasSuffix(key) })
        }
        try await store.delete(key)
        let fresh = try await openCatalog(store, seed: 5)
        #expect(await code { _ = try await fresh.load(one) } == .corrupt)
        #expect(try await fresh.load(two).entry.uuid == uuid(2))
    }
}
