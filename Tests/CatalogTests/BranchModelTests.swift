import Ambient
import Bytes
import Catalog
import CommitLog
import Iceberg
import ObjectStorage
import Testing
import TestSupport

/// What branches mean, said with plain copies.
private struct Model {
    typealias Names = [String: String]

    struct Branch {
        var parent: String
        var base: Names
        var head: Names
    }

    var main: Names = [:]
    var branches: [String: Branch] = [:]
    var tags: [String: Names] = [:]

    func names(of branch: String) -> Names {
        branch == "main" ? main : branches[branch]?.head ?? [:]
    }

    mutating func set(_ branch: String, _ names: Names) {
        if branch == "main" { main = names } else { branches[branch]?.head = names }
    }

    /// The names in conflict, of which there are none when it was done; nil when neither was made from the other.
    mutating func merge(_ source: String, _ target: String) -> Set<String>? {
        let isForth: Bool
        if branches[source]?.parent == target {
            isForth = true
        } else if branches[target]?.parent == source {
            isForth = false
        } else {
            return nil
        }
        let base = (isForth ? branches[source] : branches[target])?.base ?? [:]
        let (theirs, ours) = (names(of: source), names(of: target))
        var (merged, conflicts) = (ours, Set<String>())
        for name in Set(base.keys).union(theirs.keys).union(ours.keys) {
            if theirs[name] == base[name] || theirs[name] == ours[name] { continue }
            if ours[name] != base[name] {
                conflicts.insert(name)
            } else {
                merged[name] = theirs[name]
            }
        }
        guard conflicts.isEmpty else { return conflicts }
        set(target, merged)
        if isForth {
            branches[source]?.base = theirs
        } else {
            branches[target]?.base = theirs
        }
        return []
    }
}

private func options(full: Bool = false) -> CatalogOptions {
    var options = CatalogOptions()
    options.log.startsFromCheckpoint = !full
    options.log.checkpointSegmentBytes = 512
    options.log.checkpointEntryCount = 0
    return options
}

@Suite struct BranchModelTests {
    private static let references = ["dev", "dev-2", "x", "_y", "v1"]
    private static let levels = [["main"], ["a"], ["a", "b"], ["caf\u{E9}"], ["cafe\u{301}"]]
    private static let tables = ["t", "u", "\u{E9}", "e\u{301}"]

    /// Every name and what it stands for.
    private func names(_ state: CatalogState) throws -> [String: String] {
        var names: [String: String] = [:]
        for namespace in state.allNamespaces {
            let properties = try state.properties(of: namespace).sorted { $0.key < $1.key }
            names["\(namespace)/"] = "\(properties)"
            for table in try state.tables(in: namespace) {
                names["\(table)"] = try state.existingTable(table).metadataLocation
            }
            for view in try state.views(in: namespace) {
                names["\(view)"] = try state.existingView(view).metadataLocation
            }
        }
        return names
    }

    /// As bytes, so that spelling counts.
    private func spelled(_ state: CatalogState) throws -> [[UInt8]] {
        var lines: [[UInt8]] = []
        for namespace in state.allNamespaces {
            lines.append(Array("\(namespace) \(try state.namespaces(in: namespace))".utf8))
            for table in try state.tables(in: namespace) + state.views(in: namespace) {
                lines.append(Array("\(table)".utf8))
            }
        }
        return lines
    }

    private func operation(
        _ catalog: WarehouseCatalog,
        _ number: Int,
        using random: inout SeededGenerator
    ) throws -> CatalogOperation {
        func name() throws -> TableIdentifier {
            try TableIdentifier(
                try Namespace(Self.levels.randomElement(using: &random) ?? ["main"]),
                Self.tables.randomElement(using: &random) ?? "t"
            )
        }
        let (one, two) = (try name(), try name())
        switch Int.random(in: 0..<11, using: &random) {
        case 0, 1: return .createNamespace(one.namespace, properties: ["n": "\(number)"])
        case 2: return .dropNamespace(one.namespace)
        case 3:
            return .updateNamespace(one.namespace, set: ["k": "\(number)"], remove: ["n"])
        case 4, 5:
            return .createTable(one, metadata: try newTable(catalog, one, uuid: uuid(number)))
        case 6: return .dropTable(one, purge: false)
        case 7: return .renameTable(one, to: two)
        case 8:
            return .createView(
                one,
                metadata: ViewMetadata(
                    uuid: uuid(number),
                    location: catalog.defaultLocation(of: one, uuid: uuid(number)),
                    schema: try Schema(
                        fields: [NestedField(id: 1, name: "x", required: false, type: .long)]
                    ),
                    version: ViewMetadata.Version(
                        representations: [.init(sql: "SELECT \(number) AS x", dialect: "varve")],
                        defaultNamespace: ["main"]
                    ),
                    properties: [:]
                ),
                replaces: true
            )
        default: return append(one, snapshotID: Int64(number + 1), catalog: catalog)
        }
    }

    private func check(_ catalog: WarehouseCatalog, _ model: Model) async throws {
        let now = try await catalog.read()
        #expect(try names(now.state) == model.main)
        #expect(now.branched.branches.map(\.name) == model.branches.keys.sorted())
        #expect(now.branched.tags.map(\.name) == model.tags.keys.sorted())
        for (name, branch) in model.branches {
            let found = try #require(now.branched.branch(name))
            #expect(try names(found.head) == branch.head)
            #expect(try names(found.base) == branch.base)
            #expect(found.parent ?? "main" == branch.parent)
        }
        for (name, tag) in model.tags { #expect(try names(now.on(name).state) == tag) }
    }

    @Test(
        "random commits, branches, merges and tags are what plain copies say, with and without checkpoints",
        arguments: 0..<16 as Range<UInt64>
    )
    func random(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let store = MemoryStore()
        var catalog = try await openCatalog(store, seed: seed, options: options())
        var model = Model()
        model.main = try names(catalog.known.state)
        var merged = 0
        var history: [Int64: Model] = [:]
        for number in 0..<260 {
            let branches = ["main"] + model.branches.keys.sorted()
            let branch = branches.randomElement(using: &random) ?? "main"
            let other = branches.randomElement(using: &random) ?? "main"
            let reference = Self.references.randomElement(using: &random) ?? "dev"
            switch Int.random(in: 0..<20, using: &random) {
            case 0, 1:
                let source = ([branch] + model.tags.keys.sorted()).randomElement(using: &random)
                let isTag = model.tags[source ?? ""] != nil
                let failed = await code {
                    try await catalog.commit(.createBranch(reference, from: source, at: nil))
                }
                let isTaken = model.branches[reference] != nil || model.tags[reference] != nil
                #expect((failed == .alreadyExists) == isTaken)
                guard failed == nil, let source else { continue }
                let names = model.tags[source] ?? model.names(of: source)
                var parent = isTag ? "main" : source
                if isTag {
                    parent = try await catalog.read().branched.branch(reference)?.parent ?? "main"
                }
                model.branches[reference] = Model.Branch(parent: parent, base: names, head: names)
            case 2:
                let failed = await code {
                    try await catalog.commit(.createTag(reference, from: branch, at: nil))
                }
                if failed == nil { model.tags[reference] = model.names(of: branch) }
            case 3:
                // Of an older position, where there is one.
                guard let position = history.keys.sorted().randomElement(using: &random),
                    let then = history[position], model.branches[reference] == nil,
                    model.tags[reference] == nil
                else { continue }
                let older = try await catalog.snapshot(at: position)
                try await catalog.commit(.createBranch(reference, from: nil, at: older))
                model.branches[reference] = Model.Branch(
                    parent: "main",
                    base: then.main,
                    head: then.main
                )
            case 4:
                let failed = await code { try await catalog.commit(.dropBranch(reference)) }
                let hasChildren = model.branches.values.contains { $0.parent == reference }
                #expect(
                    failed
                        == (model.branches[reference] == nil
                            ? .referenceNotFound : hasChildren ? .notEmpty : nil)
                )
                if failed == nil { model.branches[reference] = nil }
            case 5:
                if await code({ try await catalog.commit(.dropTag(reference)) }) == nil {
                    model.tags[reference] = nil
                }
            case 6, 7, 8:
                var expected = model
                let conflicts = expected.merge(branch, other)
                let failed = await code {
                    try await catalog.commit(.mergeBranch(branch, into: other))
                }
                guard let conflicts else {
                    #expect(failed == .invalid)
                    continue
                }
                if !conflicts.isEmpty {
                    #expect(failed == .conflict)
                } else if failed == nil {
                    model = expected
                    merged += 1
                } else {
                    // What fits by name may not fit by namespace; nothing happened then.
                    #expect(failed == .conflict)
                }
            default:
                let operation = try operation(catalog, number, using: &random)
                let failed = await code { try await catalog.commit(on: branch, operation) }
                if failed == nil {
                    model.set(branch, try names(try await catalog.read(of: branch).state))
                }
            }
            try await check(catalog, model)
            history[try await catalog.read().position] = model
            guard Int.random(in: 0..<12, using: &random) == 0 else { continue }
            try await catalog.writeCheckpoint()
            // Of other seeds each: what one makes up, another must not.
            let fresh = try await openCatalog(
                store,
                seed: 1000 + UInt64(number),
                options: options()
            )
            let whole = try await openCatalog(store, seed: 51, options: options(full: true))
            #expect(fresh.checkpointFaults.isEmpty)
            #expect(fresh.known.branched == whole.known.branched)
            for name in ["main"] + model.branches.keys + model.tags.keys {
                let (one, two) = (try fresh.known.on(name).state, try whole.known.on(name).state)
                #expect(try spelled(one) == spelled(two))
                #expect(one.tableCount == two.tableCount)
                #expect(try one.tableCount == one.allTables().count)
            }
            try await check(fresh, model)
            // Sometimes another process goes on.
            if Bool.random(using: &random) { catalog = fresh }
        }
        #expect(merged > 0)
        let found = try await catalog.verify()
        #expect(found.fault == nil)
        #expect(found.checkpointFaults.isEmpty)
        #expect(found.checkpointCount > 3)
        // Older positions still say what was there.
        for (position, then) in history where position % 7 == 0 {
            let state = try await catalog.snapshot(at: position)
            for (name, branch) in then.branches {
                #expect(try names(state.on(name).state) == branch.head)
            }
        }
    }

    @Test(
        "servers that commit on branches and merge over a failing store agree with a full read, and lose nothing",
        arguments: 0..<20 as Range<UInt64>
    )
    func simulated(seed: UInt64) async throws {
        try await SimulationExecutor.run(seed: seed) {
            let memory = MemoryStore(time: ManualTime())
            let first = try await openCatalog(memory, seed: seed, options: options())
            for branch in 0..<4 {
                let table = try table("t\(branch)")
                try await first.commit(
                    .createTable(table, metadata: try newTable(first, table, uuid: uuid(branch)))
                )
            }
            for branch in 0..<4 {
                try await first.commit(.createBranch("b\(branch)", from: nil, at: nil))
            }
            var rates = SimulatedFaults()
            rates.delays = 0.5
            let store = SimulatedStore(memory, seed: seed, rates: rates)
            let servers = [
                try await openCatalog(store, seed: seed * 7 + 1, options: options()),
                try await openCatalog(store, seed: seed * 7 + 2, options: options()),
            ]
            store.setRates(.all(0.04))
            let landed = try await withThrowingTaskGroup(of: Set<Int64>.self) { group in
                for branch in 0..<4 {
                    // Each branch appends to its own table and merges; so no merge meets a conflict.
                    group.addTask {
                        let table = try table("t\(branch)")
                        var landed: Set<Int64> = []
                        for number in 0..<8 {
                            let catalog = servers[(branch + number) % 2]
                            let id = Int64(branch * 100 + number + 1)
                            let appended = try? await catalog.commit(
                                on: "b\(branch)",
                                append(table, snapshotID: id, catalog: catalog)
                            )
                            if appended != nil { landed.insert(id) }
                            let merged = await code {
                                try await catalog.commit(.mergeBranch("b\(branch)", into: nil))
                            }
                            #expect(merged != .conflict)
                            _ = try? await catalog.commit(.mergeBranch(nil, into: "b\(branch)"))
                        }
                        return landed
                    }
                }
                group.addTask {
                    for number in 0..<8 {
                        _ = try? await servers[number % 2].writeCheckpoint()
                        let name = "tag\(number)"
                        _ = try? await servers[0].commit(.createTag(name, from: "b1", at: nil))
                    }
                    return []
                }
                var all: Set<Int64> = []
                for try await ids in group { all.formUnion(ids) }
                return all
            }
            await store.settle()
            let whole = try await openCatalog(memory, seed: 99, options: options(full: true))
            let fresh = try await openCatalog(memory, seed: 98, options: options())
            #expect(fresh.known.branched == whole.known.branched)
            for branch in 0..<4 {
                try await fresh.commit(.mergeBranch("b\(branch)", into: nil))
            }
            var found: Set<Int64> = []
            for branch in 0..<4 {
                let table = try await fresh.load(try table("t\(branch)"))
                found.formUnion(table.metadata.snapshots.map(\.snapshotID))
            }
            #expect(landed.isSubset(of: found))
            let verified = try await fresh.verify()
            #expect(verified.fault == nil)
            #expect(verified.checkpointFaults.isEmpty)
        }
    }

    @Test("changes of branches that are mutated never trap", arguments: 0..<8 as Range<UInt64>)
    func mutated(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let start = """
            {"change":"create-branch","branch":"dev","from":"main","position":3,"changes":[
            {"change":"create-namespace","namespace":["a"],"properties":{"x":"1"}}]}
            """
        let merge = """
            {"change":"merge-branch","branch":"dev","into":"main","changes":[
            {"change":"on-branch","branch":"dev","changes":[]}]}
            """
        #expect(throws: CatalogError.self) {
            try CatalogChange(json: try JSON.parse(Array(merge.utf8)))
        }
        let valid = Array(start.utf8)
        let change = try CatalogChange(json: try JSON.parse(valid))
        #expect(try CatalogChange(json: change.json) == change)
        for _ in 0..<2000 {
            var bytes = valid
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(
                    in: 0x20...0x7E,
                    using: &random
                )
            }
            guard let json = try? JSON.parse(bytes) else { continue }
            _ = try? CatalogChange(json: json)
        }
    }
}
