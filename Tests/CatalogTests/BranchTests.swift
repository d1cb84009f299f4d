import Ambient
import Bytes
import Catalog
import CommitLog
import Iceberg
import ObjectStorage
import Testing
import TestSupport

extension WarehouseCatalog {
    /// Commits on a branch.
    @discardableResult
    func commit(on branch: String?, _ operations: CatalogOperation...) async throws -> CommitReceipt
    {
        try await commit(
            CatalogCommit(
                id: makeCommitID(),
                actor: "test",
                branch: branch,
                operations: operations
            )
        )
    }

    func load(_ table: TableIdentifier, on branch: String?) async throws -> LoadedTable {
        try await load(table, in: try await read(of: branch))
    }
}

@Suite struct BranchTests {
    private func open(_ store: MemoryStore = MemoryStore()) async throws -> WarehouseCatalog {
        try await openCatalog(store)
    }

    private func make(
        _ catalog: WarehouseCatalog,
        _ name: String,
        _ number: Int,
        on branch: String? = nil
    ) async throws -> TableIdentifier {
        let table = try table(name)
        try await catalog.commit(
            on: branch,
            .createTable(table, metadata: try newTable(catalog, table, uuid: uuid(number)))
        )
        return table
    }

    @Test(
        "what is committed on a branch is seen on it alone, and what is committed on main not there"
    )
    func apart() async throws {
        let catalog = try await open()
        let t = try await make(catalog, "t", 1)
        try await catalog.commit(append(t, snapshotID: 1, catalog: catalog))
        try await catalog.commit(.createBranch("dev", from: nil, at: nil))
        try await catalog.commit(on: "dev", append(t, snapshotID: 2, catalog: catalog))
        let u = try await make(catalog, "u", 2, on: "dev")
        try await catalog.commit(append(t, snapshotID: 3, catalog: catalog))
        #expect(try await catalog.load(t, on: nil).metadata.currentSnapshotID == 3)
        #expect(try await catalog.load(t, on: "main").metadata.currentSnapshotID == 3)
        #expect(try await catalog.load(t, on: "dev").metadata.currentSnapshotID == 2)
        #expect(
            try await catalog.load(t, on: "dev").metadata.currentSnapshot?.parentSnapshotID == 1
        )
        #expect(await code { _ = try await catalog.load(u, on: nil) } == .tableNotFound)
        #expect(try await catalog.load(u, on: "dev").metadata.tableUUID == uuid(2))
        let dev = try #require(try await catalog.read().branched.branch("dev"))
        #expect(dev.parent == nil)
        #expect(dev.headPosition == (try await catalog.read().position) - 1)
        // The log says which branch each commit was on.
        let commits = try await catalog.commits(from: 1)
        #expect(commits.map(\.branch).suffix(4) == [nil, "dev", "dev", nil])
        #expect(commits.last { $0.branch == "dev" }?.changes.first?.written?.table == u)
        // An older position knows the branch as it was then, and none before it was made.
        let then = try await catalog.snapshot(at: dev.headPosition - 1).on("dev")
        #expect(then.state.table(u) == nil)
        #expect(throws: CatalogError.self) {
            try then.on("none")
        }
        let before = try await catalog.snapshot(at: dev.basePosition - 1)
        #expect(throws: CatalogError.self) { try before.on("dev") }
    }

    @Test("names of branches and tags are one space, with limits, and main is taken")
    func names() async throws {
        let catalog = try await open()
        for name in [
            "", "1a", "a b", "a@b", "ü", "a/b", "Main", String(repeating: "a", count: 129),
        ] {
            #expect(
                await code { try await catalog.commit(.createBranch(name, from: nil, at: nil)) }
                    == .invalid
            )
        }
        try await catalog.commit(.createBranch("dev-1.x", from: nil, at: nil))
        try await catalog.commit(.createTag("v1", from: nil, at: nil))
        for name in ["dev-1.x", "v1"] {
            #expect(
                await code { try await catalog.commit(.createBranch(name, from: nil, at: nil)) }
                    == .alreadyExists
            )
            #expect(
                await code { try await catalog.commit(.createTag(name, from: nil, at: nil)) }
                    == .alreadyExists
            )
        }
        #expect(await code { try await catalog.commit(.dropBranch("main")) } == .invalid)
        #expect(await code { try await catalog.commit(.dropBranch("v1")) } == .referenceNotFound)
        #expect(await code { try await catalog.commit(.dropTag("dev-1.x")) } == .referenceNotFound)
        #expect(
            await code { try await catalog.commit(on: "v1", .dropNamespace(try Namespace(["a"]))) }
                == .invalid
        )
        #expect(
            await code { try await catalog.commit(on: "no", .dropNamespace(try Namespace(["a"]))) }
                == .referenceNotFound
        )
        #expect(
            await code {
                try await catalog.commit(
                    .createBranch("x", from: nil, at: nil),
                    .createNamespace(try Namespace(["a"]), properties: [:])
                )
            } == .invalid
        )
        // The limit is of both together.
        _ = try await catalog.commit(
            CatalogCommit(
                id: "many",
                actor: "test",
                operations: (2..<1000).map { .createTag("t\($0)", from: nil, at: nil) }
            )
        )
        #expect(
            await code { try await catalog.commit(.createBranch("more", from: nil, at: nil)) }
                == .invalid
        )
    }

    @Test("a branch of an older position, or of a tag, begins with what was there then")
    func older() async throws {
        let catalog = try await open()
        let t = try await make(catalog, "t", 1)
        let u = try await make(catalog, "u", 2)
        try await catalog.commit(
            .createNamespace(try Namespace(["a"]), properties: ["x": "1"]),
            .createNamespace(try Namespace(["a", "b"]), properties: [:])
        )
        let position = try await catalog.read().position
        try await catalog.commit(.createTag("then", from: nil, at: nil))
        try await catalog.commit(append(t, snapshotID: 1, catalog: catalog))
        try await catalog.commit(
            .dropTable(u, purge: false),
            .dropNamespace(try Namespace(["a", "b"])),
            .updateNamespace(try Namespace(["a"]), set: ["x": "2", "y": "3"], remove: [])
        )
        try await catalog.commit(.createNamespace(try Namespace(["c"]), properties: [:]))
        _ = try await make(catalog, "u", 3)
        let old = try await catalog.snapshot(at: position)
        try await catalog.commit(.createBranch("old", from: nil, at: old))
        try await catalog.commit(.createBranch("tagged", from: "then", at: nil))
        let now = try await catalog.read()
        for name in ["old", "tagged", "then"] {
            #expect(try now.on(name).state == old.state)
        }
        #expect(now.branched.branch("old")?.basePosition == position)
        #expect(now.branched.tag("then")?.position == position + 1)
        // A second process reads the same.
        let other = try await openCatalog(try #require(catalog.store as? MemoryStore), seed: 9)
        #expect(other.known.branched == now.branched)
    }

    @Test(
        "a merge brings what was changed since the last one, either way, and says so when there is nothing"
    )
    func merges() async throws {
        let catalog = try await open()
        let t = try await make(catalog, "t", 1)
        let u = try await make(catalog, "u", 2)
        let v = try await make(catalog, "v", 3)
        try await catalog.commit(.createBranch("dev", from: nil, at: nil))
        func merge(_ source: String?, _ target: String?) async throws -> CommitReceipt {
            try await catalog.commit(.mergeBranch(source, into: target))
        }
        func heads(_ branch: String?) async throws -> [Int64?] {
            var heads: [Int64?] = []
            let snapshot = try await catalog.read(of: branch)
            for table in [t, u, v] {
                guard snapshot.state.table(table) != nil else {
                    heads.append(-1)
                    continue
                }
                heads.append(try await catalog.load(table, in: snapshot).metadata.currentSnapshotID)
            }
            return heads
        }
        #expect(try await merge("dev", nil).changes.isEmpty)
        try await catalog.commit(on: "dev", append(t, snapshotID: 1, catalog: catalog))
        try await catalog.commit(append(u, snapshotID: 2, catalog: catalog))
        let receipt = try await merge("dev", nil)
        #expect(receipt.tables.map(\.identifier) == [t])
        guard case .updateTable(t, _, _, 1, _)? = receipt.changes.last else {
            Issue.record("the entry does not name the snapshot: \(receipt.changes)")
            return
        }
        #expect(try await heads(nil) == [1, 2, nil])
        #expect(try await heads("dev") == [1, nil, nil])
        #expect(try await merge("dev", nil).changes.isEmpty)
        // The other way.
        #expect(try await merge(nil, "dev").branch == "dev")
        #expect(try await heads("dev") == [1, 2, nil])
        // What went over once does not come back, and does not stand in the way.
        try await catalog.commit(on: "dev", append(u, snapshotID: 3, catalog: catalog))
        try await catalog.commit(append(t, snapshotID: 4, catalog: catalog))
        try await catalog.commit(on: "dev", .dropTable(v, purge: false))
        _ = try await merge("dev", "main")
        #expect(try await heads(nil) == [4, 3, -1])
        _ = try await merge("main", "dev")
        #expect(try await heads("dev") == [4, 3, -1])
        #expect(try await catalog.read(of: "dev").state == catalog.read().state)
        // A retry gets the receipt of the first.
        try await catalog.commit(on: "dev", append(t, snapshotID: 5, catalog: catalog))
        let commit = CatalogCommit(
            id: "once",
            actor: "test",
            operations: [.mergeBranch("dev", into: nil)]
        )
        let first = try await catalog.commit(commit)
        let again = try await openCatalog(try #require(catalog.store as? MemoryStore), seed: 9)
            .commit(commit)
        #expect(again.isReplay)
        #expect(
            again.changes == [.mergeBranch("dev", into: "main", first.changes.suffix(1).map { $0 })]
        )
        #expect(again.tables.map(\.entry) == first.tables.map(\.entry))
        #expect(await code { _ = try await merge("dev", "dev") } == .invalid)
        #expect(await code { _ = try await merge("main", "main") } == .invalid)
        #expect(await code { _ = try await merge("no", "main") } == .referenceNotFound)
    }

    @Test("a name that both changed is a conflict that says what each has, and nothing is merged")
    func conflicts() async throws {
        let catalog = try await open()
        let t = try await make(catalog, "t", 1)
        let u = try await make(catalog, "u", 2)
        let a = try Namespace(["a"])
        try await catalog.commit(.createNamespace(a, properties: ["x": "1"]))
        try await catalog.commit(append(t, snapshotID: 1, catalog: catalog))
        try await catalog.commit(.createBranch("dev", from: nil, at: nil))
        try await catalog.commit(on: "dev", append(t, snapshotID: 2, catalog: catalog))
        try await catalog.commit(on: "dev", append(u, snapshotID: 4, catalog: catalog))
        try await catalog.commit(append(t, snapshotID: 3, catalog: catalog))
        let before = try await catalog.read()
        let plan = try catalog.merge(of: "dev", into: nil, in: before)
        #expect(plan.conflicts.map(\.table) == [t])
        #expect(plan.incoming.map(\.table) == [u])
        do {
            try await catalog.commit(.mergeBranch("dev", into: nil))
            Issue.record("merged")
        } catch let error as CatalogError {
            #expect(error.code == .conflict)
            #expect(
                error.message.contains(
                    "table main.t: base snapshot 1, \"main\" snapshot 3, \"dev\" snapshot 2"
                )
            )
            #expect(!error.message.contains("main.u"))
        }
        #expect(try await catalog.read().position == before.position)
        // Both came to the same end: no conflict.
        try await catalog.commit(on: "dev", .dropTable(t, purge: false))
        try await catalog.commit(.dropTable(t, purge: false))
        try await catalog.commit(.mergeBranch("dev", into: nil))
        #expect(try await catalog.load(u).metadata.currentSnapshotID == 4)
        // Properties of a namespace are one.
        try await catalog.commit(.updateNamespace(a, set: ["x": "2"], remove: []))
        try await catalog.commit(on: "dev", .updateNamespace(a, set: ["y": "2"], remove: []))
        #expect(
            await code { try await catalog.commit(.mergeBranch("dev", into: nil)) } == .conflict
        )
        #expect(
            await code { try await catalog.commit(.mergeBranch(nil, into: "dev")) } == .conflict
        )
        try await catalog.commit(on: "dev", .updateNamespace(a, set: ["x": "2"], remove: ["y"]))
        try await catalog.commit(.mergeBranch("dev", into: nil))
        // What only one changed may not fit all the same.
        let table = try TableIdentifier(a, "new")
        try await catalog.commit(
            on: "dev",
            .createTable(table, metadata: try newTable(catalog, table, uuid: uuid(9)))
        )
        try await catalog.commit(.dropNamespace(a))
        let misfit = try catalog.merge(of: "dev", into: nil, in: try await catalog.read())
        #expect(misfit.conflicts.map(\.table) == [table])
        #expect(
            await code { try await catalog.commit(.mergeBranch("dev", into: nil)) } == .conflict
        )
        #expect(
            await code { try await catalog.commit(.mergeBranch(nil, into: "dev")) } == .conflict
        )
    }

    @Test("a branch of a branch is merged with that one, which stays as long")
    func nested() async throws {
        let catalog = try await open()
        let t = try await make(catalog, "t", 1)
        try await catalog.commit(.createBranch("dev", from: nil, at: nil))
        try await catalog.commit(on: "dev", append(t, snapshotID: 1, catalog: catalog))
        try await catalog.commit(.createBranch("sub", from: "dev", at: nil))
        try await catalog.commit(.createTag("mark", from: "dev", at: nil))
        try await catalog.commit(on: "sub", append(t, snapshotID: 2, catalog: catalog))
        #expect(await code { try await catalog.commit(.mergeBranch("sub", into: nil)) } == .invalid)
        #expect(await code { try await catalog.commit(.dropBranch("dev")) } == .notEmpty)
        try await catalog.commit(.mergeBranch("sub", into: "dev"))
        #expect(try await catalog.load(t, on: "dev").metadata.currentSnapshotID == 2)
        #expect(try await catalog.load(t, on: nil).metadata.currentSnapshotID == nil)
        try await catalog.commit(.mergeBranch("dev", into: nil))
        #expect(try await catalog.load(t, on: nil).metadata.currentSnapshotID == 2)
        try await catalog.commit(.dropBranch("sub"))
        try await catalog.commit(.dropBranch("dev"))
        // The tag stays, and a branch of it is one of main.
        #expect(try await catalog.load(t, on: "mark").metadata.currentSnapshotID == 1)
        try await catalog.commit(.createBranch("again", from: "mark", at: nil))
        #expect(try await catalog.read().branched.branch("again")?.parent == nil)
    }

    @Test("a dropped table is found and comes back as it was, unless it cannot")
    func undrop() async throws {
        let store = MemoryStore()
        let time = ManualTime()
        time.advance(byNanos: 1_000_000_000_000)
        let catalog = try await openCatalog(store, time: time)
        let t = try await make(catalog, "t", 1)
        try await catalog.commit(append(t, snapshotID: 1, catalog: catalog))
        let entry = try #require(try await catalog.read().state.table(t))
        try await catalog.commit(.dropTable(t, purge: false))
        var now = try await catalog.read()
        let drop = try #require(try await catalog.lastDrop(of: t, in: now, sinceMillis: 0))
        #expect(drop.entry.uuid == uuid(1))
        #expect(try await catalog.droppedTables(in: now, sinceMillis: 0).map(\.table) == [t])
        // On a branch other drops count.
        try await catalog.commit(.createBranch("dev", from: nil, at: nil))
        let dev = try await catalog.read(of: "dev")
        #expect(try await catalog.lastDrop(of: t, in: dev, sinceMillis: 0) == nil)
        try await catalog.commit(.restoreTable(t, drop.entry))
        #expect(try await catalog.read().state.table(t) == entry)
        #expect(
            try await catalog.droppedTables(in: try await catalog.read(), sinceMillis: 0).isEmpty
        )
        #expect(
            await code { try await catalog.commit(.restoreTable(try table("s"), drop.entry)) }
                == .invalid
        )
        try await catalog.commit(.dropTable(t, purge: true))
        now = try await catalog.read()
        #expect(try await catalog.lastDrop(of: t, in: now, sinceMillis: 0)?.isPurged == true)
        #expect(try await catalog.lastDrop(of: t, in: now, sinceMillis: now.timeMillis + 1) == nil)
        _ = try await make(catalog, "t", 2)
        #expect(
            await code { try await catalog.commit(.restoreTable(t, drop.entry)) } == .alreadyExists
        )
        let key = try #require(catalog.key(of: entry.metadataLocation))
        try await store.delete([key])
        let fresh = try await openCatalog(store, seed: 7)
        #expect(
            await code { try await fresh.commit(.restoreTable(try table("s"), drop.entry)) }
                == .invalid
        )
    }

    @Test(
        "commits of several branches that meet share an entry, and transactions stage on their branch"
    )
    func shared() async throws {
        let memory = MemoryStore(time: ManualTime())
        try await SimulationExecutor.run(seed: 3) {
            let store = SimulatedStore(memory, seed: 3, rates: SimulatedFaults())
            let catalog = try await openCatalog(store)
            let t = try await make(catalog, "t", 1)
            try await catalog.commit(.createBranch("one", from: nil, at: nil))
            try await catalog.commit(.createBranch("two", from: nil, at: nil))
            var slow = SimulatedFaults()
            slow.delays = 0.9
            store.setRates(slow)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 1...9 {
                    let branch = [nil, "one", "two"][number % 3]
                    group.addTask {
                        try await catalog.commit(
                            on: branch,
                            append(t, snapshotID: Int64(number), catalog: catalog)
                        )
                    }
                }
                try await group.waitForAll()
            }
            for (index, branch) in [nil, "one", "two"].enumerated() {
                let loaded = try await catalog.load(t, on: branch)
                #expect(
                    Set(loaded.metadata.snapshots.map { Int($0.snapshotID) % 3 }) == [index]
                )
                #expect(loaded.metadata.snapshots.count == 3)
            }
            let positions = try await catalog.commits(from: 1).map { ($0.position, $0.branch) }
            let mixed = Dictionary(grouping: positions, by: \.0).values
                .contains { Set($0.map { $0.1 ?? "main" }).count > 1 }
            #expect(mixed)
            let staged = try await catalog.stage(
                CatalogCommit(
                    id: "staged",
                    actor: "test",
                    operations: [append(t, snapshotID: 20, catalog: catalog)]
                ),
                on: try await catalog.read(of: "one")
            )
            #expect(staged.snapshot.reference == "one")
            #expect(
                try await catalog.load(t, in: staged.snapshot).metadata.currentSnapshotID == 20
            )
        }
    }
}
