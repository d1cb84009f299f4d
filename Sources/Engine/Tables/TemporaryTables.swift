import Ambient
import Catalog
import Execution
import Iceberg
import ObjectStorage
import Planner
import SQL
import Tables

// The tables that only a session has lie in a catalog of its own, in a store in memory. Nothing of it is ever
// committed to a log: its state is a value, to which each statement stages its changes. So a transaction keeps
// the value that it found, and ROLLBACK puts it back; a COMMIT of the lake's changes that fails does too.

/// The tables that only a session has, in the namespace `temp`.
struct TemporaryTables: Sendable {
    static let namespace = Namespace.temporary

    let catalog: WarehouseCatalog
    /// The namespace without tables.
    let empty: CatalogSnapshot
    var snapshot: CatalogSnapshot

    /// - Parameter byteCountMax: what all tables together may hold in memory.
    init(engine: Engine, byteCountMax: Int) async throws {
        let ambient = engine.options.ambient
        let store = MemoryStore(
            // Of its own, since caches know files by their full names.
            root: "memory://\(ambient.uuidV4())",
            time: ambient.time,
            byteCountMax: byteCountMax
        )
        var options = CatalogOptions()
        options.creates = true
        options.proof = .never
        catalog = try await WarehouseCatalog.open(store: store, ambient: ambient, options: options)
        // Position 0 says everywhere that no entry of a log carries the change.
        empty = try await catalog.stage(
            CatalogCommit(
                id: catalog.makeCommitID(),
                actor: "session",
                operations: [.createNamespace(Self.namespace, properties: [:])]
            ),
            on: try await catalog.snapshot(at: 0)
        ).snapshot
        snapshot = empty
    }

    /// Whether a table with metadata at a place is one of these.
    func holds(_ location: String) -> Bool { catalog.key(of: location) != nil }

    /// The table that a name means, folded or else as the only one that differs in case.
    func find(_ name: String) -> TableIdentifier? {
        guard let all = try? snapshot.state.tables(in: Self.namespace) else { return nil }
        if let exact = all.first(where: { $0.name == name }) { return exact }
        let same = all.filter { $0.name.lowercased() == name.lowercased() }
        return same.count == 1 ? same.first : nil
    }

    /// Whether an operation is about these tables.
    func concerns(_ operation: CatalogOperation) -> Bool {
        let state = snapshot.state
        return switch operation {
        case .createTable(_, let metadata): holds(metadata.location)
        case .changeTable(let name, _, _), .append(let name, _), .updateTable(let name, _, _),
            .dropTable(let name, _),
            .renameTable(let name, _):
            state.table(name) != nil
        case .verify(let names, _): names.contains { state.table($0) != nil }
        case .require(let expected): expected.keys.contains { state.table($0) != nil }
        default: false
        }
    }
}

extension Namespace {
    /// Where tables lie that only one session has.
    static let temporary: Namespace = {
        guard let namespace = try? Namespace(["temp"]) else { preconditionFailure("a valid name") }
        return namespace
    }()
}

extension Session {
    /// The session's own tables, made when first needed.
    func openTemporary() async throws -> TemporaryTables {
        if let temporary { return temporary }
        // The other half is for the queries that read them.
        let opened = try await TemporaryTables(
            engine: engine,
            byteCountMax: engine.options.query.memory.limitBytes / 2
        )
        temporary = opened
        return opened
    }

    /// The names of the session's own tables.
    var temporaryNames: Set<TableIdentifier> {
        Set((try? temporary?.snapshot.state.tables(in: TemporaryTables.namespace)) ?? [])
    }

    func hasTemporaryTable(named name: String) -> Bool { temporary?.find(name) != nil }

    /// The session's own table that a name means at a state of the catalog; nil when it means another.
    func temporaryTable(
        _ parts: [String],
        in snapshot: CatalogSnapshot
    ) -> TableIdentifier? {
        guard let temporary, let last = parts.last, let found = temporary.find(last),
            parts.count == 1 || Array(parts.dropLast()) == TemporaryTables.namespace.levels,
            let entry = snapshot.state.table(found), temporary.holds(entry.metadataLocation)
        else { return nil }
        return found
    }

    /// Opens the session's own table that a name means; nil when it means another.
    func openTemporaryTable(
        _ parts: [String],
        in snapshot: CatalogSnapshot
    ) async throws -> OpenTable? {
        guard let found = temporaryTable(parts, in: snapshot), let temporary else { return nil }
        let loaded = try await temporary.catalog.load(found, in: snapshot)
        return OpenTable(
            identifier: found,
            metadata: loaded.metadata,
            storage: TableStorage(temporary.catalog.store),
            metadataLocation: loaded.metadataLocation,
            branchSnapshotID: tableBranch != nil ? engine.options.ambient.snapshotID() : nil,
            isTemporary: true
        )
    }

    /// A table's metadata, from the catalog that has it.
    func load(
        _ table: TableIdentifier,
        in snapshot: CatalogSnapshot
    ) async throws -> LoadedTable {
        if let temporary, let entry = snapshot.state.table(table),
            temporary.holds(entry.metadataLocation)
        {
            return try await temporary.catalog.load(table, in: snapshot)
        }
        return try await engine.catalog(creating: false).load(table, in: snapshot)
    }

    /// Where a CREATE TABLE puts its table, and whether that is the session alone.
    func destination(
        of create: CreateTable
    ) async throws -> (table: TableIdentifier, isTemporary: Bool) {
        let parts = create.name.map(\.folded)
        let isQualified = parts.count == 2 && parts[0] == "temp"
        if create.isTemporary {
            guard let name = parts.last, parts.count == 1 || isQualified else {
                throw PlanError(
                    .invalid,
                    "a temporary table lies in no namespace but temp",
                    hint: "Write its name alone.",
                    at: create.name.span
                )
            }
            return (try TableIdentifier(TemporaryTables.namespace, name), true)
        }
        let target = try identifier(parts)
        guard isQualified else { return (target, false) }
        // Only a lake that has such a namespace means its own.
        let lake = try? await lakeSnapshot(creating: false)
        return (target, lake?.state.hasNamespace(TemporaryTables.namespace) != true)
    }

    /// Parts operations into those of the session's own tables and those of the lake.
    func splitTemporary(
        _ operations: [CatalogOperation]
    ) -> (own: [CatalogOperation], lake: [CatalogOperation]) {
        guard let temporary else { return ([], operations) }
        // What is done to a table that the same commit makes goes where that is made.
        var made: Set<TableIdentifier> = []
        var (own, lake): ([CatalogOperation], [CatalogOperation]) = ([], [])
        for operation in operations {
            var isOwn = temporary.concerns(operation)
            switch operation {
            case .createTable(let name, _): if isOwn { made.insert(name) }
            case .changeTable(let name, _, _): isOwn = isOwn || made.contains(name)
            case .verify(let names, _): isOwn = isOwn || !made.isDisjoint(with: names)
            default: break
            }
            if isOwn { own.append(operation) } else { lake.append(operation) }
        }
        return (own, lake)
    }

    /// Does to the session's own tables what a commit would.
    func changeTemporary(_ operations: [CatalogOperation]) async throws -> CommitReceipt {
        guard let before = temporary else { preconditionFailure("there are such tables") }
        let catalog = before.catalog
        let staged: StagedChanges
        do {
            staged = try await catalog.stage(
                CatalogCommit(
                    id: catalog.makeCommitID(),
                    actor: context.actor,
                    operations: operations
                ),
                on: before.snapshot
            )
        } catch let error as ObjectStoreError where error.code == .invalid {
            throw Self.temporaryTablesAreFull(error)
        }
        temporary?.snapshot = staged.snapshot
        if transaction == nil { try? await freeTemporary(before.snapshot) }
        return staged.receipt
    }

    static func temporaryTablesAreFull(_ error: ObjectStoreError) -> EngineError {
        EngineError(
            .invalid,
            "temporary tables have no room left: \(error.message)",
            hint: "DROP those that are not needed, or use a table of the lake."
        )
    }

    /// Takes the session's own tables back to where they were before a transaction that did not happen.
    func restoreTemporary(_ open: OpenTransaction) async {
        guard let now = temporary else { return }
        temporary?.snapshot = open.temporaryBefore ?? now.empty
        // Memory that is not freed now goes with the session.
        try? await freeTemporary(now.snapshot)
    }

    /// Frees the memory of the session's own tables that are not there any more.
    func freeTemporary(_ before: CatalogSnapshot) async throws {
        guard let temporary else { return }
        let now = Set(
            try temporary.snapshot.state.allTables().compactMap {
                temporary.snapshot.state.table($0)?.uuid
            }
        )
        for name in try before.state.allTables() {
            guard let entry = before.state.table(name), !now.contains(entry.uuid) else { continue }
            let metadata = try await temporary.catalog.load(name, in: before).metadata
            guard let prefix = temporary.catalog.key(of: metadata.location) else { continue }
            let store = temporary.catalog.store
            while true {
                let page = try await store.list(
                    prefix: prefix + "/",
                    startAfter: nil,
                    delimiter: false,
                    limit: 1000,
                    continuation: nil
                )
                if page.objects.isEmpty { break }
                try await store.delete(page.objects.map(\.key))
            }
        }
    }
}
