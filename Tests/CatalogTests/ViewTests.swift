import Ambient
import Bytes
import Catalog
import CommitLog
import Iceberg
import ObjectStorage
import Synchronization
import TestSupport
import Testing

/// A view of one column.
private func newView(
    _ catalog: WarehouseCatalog,
    _ view: TableIdentifier,
    uuid: String,
    sql: String = "SELECT 1 AS x",
    columns: [String] = ["x"]
) throws -> ViewMetadata {
    ViewMetadata(
        uuid: uuid,
        location: catalog.defaultLocation(of: view, uuid: uuid),
        schema: try Schema(
            fields: columns.enumerated().map {
                NestedField(id: $0 + 1, name: $1, required: false, type: .long)
            }
        ),
        version: ViewMetadata.Version(
            representations: [ViewMetadata.Representation(sql: sql, dialect: "varve")],
            defaultNamespace: ["main"]
        ),
        properties: ["comment": "c"]
    )
}

@Suite struct ViewCatalogTests {
    @Test("views are made, replaced, renamed and dropped, and a replay of the log says the same")
    func life() async throws {
        let store = MemoryStore()
        let catalog = try await openCatalog(store)
        let (one, two) = (try table("one"), try table("two"))
        try await catalog.commit(
            .createView(one, metadata: try newView(catalog, one, uuid: uuid(1)), replaces: false)
        )
        #expect(try catalog.known.state.views(in: .main) == [one])
        let first = catalog.known
        try await catalog.commit(
            .createView(
                one,
                metadata: try newView(
                    catalog,
                    one,
                    uuid: uuid(2),
                    sql: "SELECT 1 AS x, 2 AS y",
                    columns: ["x", "y"]
                ),
                replaces: true
            )
        )
        let replaced = try await catalog.loadView(one, in: catalog.known)
        #expect(replaced.viewUUID == uuid(1))
        #expect(replaced.currentVersionID == 2 && replaced.versions.count == 2)
        #expect(replaced.currentSchema.fields.map(\.name) == ["x", "y"])
        #expect(replaced.versionLog.map(\.versionID) == [1, 2])
        #expect(replaced.currentVersion.timestampMillis == catalog.known.timeMillis)
        try await catalog.commit(.updateView(one, properties: ["comment": nil, "k": "v"]))
        try await catalog.commit(.renameView(one, to: two))
        #expect(try await catalog.loadView(two, in: catalog.known).properties == ["k": "v"])
        // The past is what it was.
        #expect(try await catalog.loadView(one, in: first).currentVersionID == 1)
        let again = try await openCatalog(store, seed: 2)
        #expect(again.known.state == catalog.known.state)
        #expect(try await again.verify().fault == nil)
        try await catalog.commit(.dropView(two))
        #expect(try catalog.known.state.allViews().isEmpty)
        #expect(try await catalog.snapshot(at: first.position).state == first.state)
    }

    @Test("ten versions of a view stay, with the schemas that they use")
    func history() async throws {
        let catalog = try await openCatalog(MemoryStore())
        let one = try table("one")
        for number in 1...14 {
            try await catalog.commit(
                .createView(
                    one,
                    metadata: try newView(
                        catalog,
                        one,
                        uuid: uuid(number),
                        columns: ["c\(number)"]
                    ),
                    replaces: true
                )
            )
        }
        let view = try await catalog.loadView(one, in: catalog.known)
        #expect(view.versions.map(\.versionID) == Array(5...14))
        #expect(view.schemas.count == 10)
        #expect(view.currentSchema.fields.map(\.name) == ["c14"])
        let read = try ViewMetadata(json: try JSON.parse(view.json.serialized()))
        #expect(read.json.serialized() == view.json.serialized())
    }

    @Test("tables and views share their names, and a namespace with a view is not empty")
    func names() async throws {
        let catalog = try await openCatalog(MemoryStore())
        let (one, two) = (try table("one", in: "s"), try table("two", in: "s"))
        let view = try newView(catalog, one, uuid: uuid(1))
        #expect(
            await code {
                try await catalog.commit(.createView(one, metadata: view, replaces: false))
            }
                == .namespaceNotFound
        )
        try await catalog.commit(.createNamespace(one.namespace, properties: [:]))
        try await catalog.commit(.createView(one, metadata: view, replaces: false))
        try await catalog.commit(
            .createTable(two, metadata: try newTable(catalog, two, uuid: uuid(2)))
        )
        let other = try newTable(catalog, one, uuid: uuid(3))
        let taken: [CatalogOperation] = [
            .createTable(one, metadata: other), .renameTable(two, to: one),
            .renameView(one, to: two), .createView(two, metadata: view, replaces: true),
            .createView(one, metadata: view, replaces: false),
        ]
        for operation in taken {
            #expect(await code { try await catalog.commit(operation) } == .alreadyExists)
        }
        #expect(await code { try await catalog.commit(.dropView(two)) } == .tableNotFound)
        #expect(
            await code { try await catalog.commit(.dropTable(one, purge: false)) } == .tableNotFound
        )
        try await catalog.commit(.dropTable(two, purge: false))
        #expect(
            await code { try await catalog.commit(.dropNamespace(one.namespace)) } == .notEmpty
        )
        try await catalog.commit(.dropView(one), .dropNamespace(one.namespace))
    }

    @Test("a damaged or missing view file is an error that names it")
    func damage() async throws {
        let store = MemoryStore()
        let catalog = try await openCatalog(store)
        let one = try table("one")
        try await catalog.commit(
            .createView(one, metadata: try newView(catalog, one, uuid: uuid(1)), replaces: false)
        )
        let entry = try catalog.known.state.existingView(one)
        let key = try #require(catalog.key(of: entry.metadataLocation))
        let bytes = try await store.get(key).bytes
        #expect(sha256Text(bytes) == entry.metadataSHA256)
        try await store.put(key, bytes + [0x20])
        let fresh = try await openCatalog(store, seed: 3)
        #expect(
            await code { _ = try await fresh.loadView(one, in: fresh.known) } == .corrupt
        )
        var report = try await fresh.verifyMetadata(of: fresh.known, includesPast: false)
        #expect(report.faults.map(\.location) == [entry.metadataLocation])
        try await store.delete([key])
        report = try await fresh.verifyMetadata(of: fresh.known, includesPast: false)
        #expect(report.faults.count == 1)
    }

    @Test("mutated view metadata never trap", arguments: 0..<6 as Range<UInt64>)
    func mutated(seed: UInt64) async throws {
        let catalog = try await openCatalog(MemoryStore())
        let one = try table("one")
        let text = try newView(catalog, one, uuid: uuid(1)).json.serialized()
        var random = SeededGenerator(seed: seed)
        for _ in 0..<500 {
            var bytes = text
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(
                    in: 0...255,
                    using: &random
                )
            }
            guard let view = try? ViewMetadata(bytes: bytes) else { continue }
            // What reads must be usable.
            _ = (view.currentVersion.versionID, view.currentSchema.fields.count)
            _ = view.replaced(by: view)
        }
    }
}

@Suite struct StagingTests {
    @Test("staged changes are seen by their maker alone, and leave no entry")
    func staging() async throws {
        let store = MemoryStore()
        let catalog = try await openCatalog(store)
        let one = try table("one")
        try await catalog.commit(
            .createTable(one, metadata: try newTable(catalog, one, uuid: uuid(1)))
        )
        let before = catalog.known
        var staged = before
        var keys: [String] = []
        for number in 1...3 {
            let changes = try await catalog.stage(
                CatalogCommit(
                    id: "s\(number)",
                    actor: "me",
                    operations: [append(one, snapshotID: Int64(number), catalog: catalog)]
                ),
                on: staged
            )
            staged = changes.snapshot
            keys += changes.keys
        }
        #expect(try await catalog.load(one, in: staged).metadata.snapshots.count == 3)
        #expect(try await catalog.load(one).metadata.snapshots.isEmpty)
        #expect(try await catalog.read().position == before.position)
        #expect(Set(keys).count == 6)
        // Committed later, everything is prepared anew: nothing refers to what was staged.
        try await store.delete(keys)
        try await catalog.commit(
            append(one, snapshotID: 1, catalog: catalog),
            append(one, snapshotID: 2, catalog: catalog)
        )
        #expect(try await catalog.load(one).metadata.snapshots.count == 2)
        let report = try await catalog.verifyMetadata(of: catalog.known, includesPast: true)
        #expect(report.faults.isEmpty)
    }

    @Test("a commit that requires an unchanged table fails when another commit changed it")
    func requirements() async throws {
        let catalog = try await openCatalog(MemoryStore())
        let (one, two) = (try table("one"), try table("two"))
        try await catalog.commit(
            .createTable(one, metadata: try newTable(catalog, one, uuid: uuid(1)))
        )
        let pinned = catalog.known
        let unchanged = CatalogOperation.require([
            one: pinned.reference(of: one), two: pinned.reference(of: two),
        ])
        try await catalog.commit(unchanged)
        try await catalog.commit(append(one, snapshotID: 1, catalog: catalog))
        #expect(await code { try await catalog.commit(unchanged) } == .conflict)
        let now = catalog.known
        try await catalog.commit(
            .createView(two, metadata: try newView(catalog, two, uuid: uuid(2)), replaces: false)
        )
        #expect(
            await code {
                try await catalog.commit(.require([two: now.reference(of: two)]))
            } == .conflict
        )
        try await catalog.commit(.require([two: catalog.known.reference(of: two)]))
    }

    @Test("what a commit verifies is the tables as its own operations leave them")
    func verification() async throws {
        let catalog = try await openCatalog(MemoryStore())
        let (one, two) = (try table("one"), try table("two"))
        try await catalog.commit(
            .createTable(one, metadata: try newTable(catalog, one, uuid: uuid(1)))
        )
        let counts = Mutex<[Int]>([])
        try await catalog.commit(
            append(one, snapshotID: 1, catalog: catalog),
            append(one, snapshotID: 2, catalog: catalog),
            .verify([one, two]) { view in
                counts.withLock { $0.append(view.tables[one]?.metadata.snapshots.count ?? -1) }
                #expect(view.tables[two] == nil)
            }
        )
        #expect(counts.withLock { $0 }.allSatisfy { $0 == 2 })
        struct Refused: Error {}
        let position = catalog.known.position
        await #expect(throws: Refused.self) {
            try await catalog.commit(
                append(one, snapshotID: 3, catalog: catalog),
                .verify([one]) { _ in throw Refused() }
            )
        }
        #expect(try await catalog.read().position == position)
        #expect(try await catalog.load(one).metadata.snapshots.count == 2)
    }
}
