package import Ambient
import Bytes
package import CommitLog
package import Iceberg
package import ObjectStorage

/// When a store must prove that it honours conditional writes, on which every commit depends.
package enum StoreProof: Sendable, Equatable {
    /// Before a warehouse is made in it.
    case whenMaking
    /// Not at all: the store is known, as in simulations.
    case never
    /// At every start too, for programs that stay: a store or a proxy may have changed since.
    case always
}

/// How to open a catalog.
package struct CatalogOptions: Sendable {
    /// Whether to make the warehouse when there is none.
    package var creates = false
    /// Who is named as the maker of namespace `main`.
    package var actor = "varve"
    /// When the store is probed, and how.
    package var proof = StoreProof.whenMaking
    package var probe = ProbeOptions()
    /// Opens what lies outside the warehouse, for reading; nil: such tables cannot be read.
    package var openOutside: StoreFactory?
    /// How much metadata is remembered, in bytes of memory, roughly.
    package var metadataBytesMax = 256 << 20
    /// Files of one entry written at once.
    package var parallelCountMax = 128
    package var log = LogOptions()

    package init() {}
}

/// The catalog at one position of its log.
package struct CatalogSnapshot: Sendable {
    /// The last entry that the state includes; 0 for none.
    package let position: Int64
    /// That entry's time in milliseconds since 1970.
    package let timeMillis: Int64
    /// SHA-256 of that entry: notes this position so that nobody can rewrite what led to it.
    package let hash: String
    /// The names of all branches and tags.
    package let branched: BranchedState
    /// The branch or tag whose names `state` has; nil for `main`.
    package let reference: String?
    package let state: CatalogState

    init(_ snapshot: LogSnapshot<BranchedState>) {
        position = snapshot.tip.sequence
        timeMillis = snapshot.tip.timeMillis
        hash = snapshot.tip.hash
        branched = snapshot.state
        reference = nil
        state = snapshot.state.main
    }

    init(
        position: Int64,
        timeMillis: Int64,
        hash: String,
        branched: BranchedState,
        reference: String?,
        state: CatalogState
    ) {
        self.position = position
        self.timeMillis = timeMillis
        self.hash = hash
        self.branched = branched
        self.reference = reference
        self.state = state
    }

    /// The same position with the names of a branch or tag, or of `main` (nil).
    ///
    /// - Throws: `referenceNotFound`.
    package func on(_ reference: String?) throws(CatalogError) -> CatalogSnapshot {
        let reference = reference == ReferenceName.main ? nil : reference
        return CatalogSnapshot(
            position: position,
            timeMillis: timeMillis,
            hash: hash,
            branched: branched,
            reference: reference,
            state: try branched.state(of: reference)
        )
    }
}

/// A warehouse's catalog: names, the tables behind them, and everything that ever happened to them.
///
/// The state is what the entries of the log say, folded in order; it lives in memory and is rebuilt at
/// the start. Any number of processes may have the same warehouse open.
package final class WarehouseCatalog: Sendable {
    package let store: any ObjectStore
    package let warehouse: Warehouse
    let log: SharedLog<CatalogMachine>
    let files: MetadataFiles
    let ambient: AmbientSources

    private init(
        store: any ObjectStore,
        warehouse: Warehouse,
        log: SharedLog<CatalogMachine>,
        files: MetadataFiles,
        ambient: AmbientSources
    ) {
        self.store = store
        self.warehouse = warehouse
        self.log = log
        self.files = files
        self.ambient = ambient
    }

    /// Opens a warehouse's catalog, and makes the warehouse if asked to, with namespace `main` in it.
    ///
    /// - Throws: `warehouseNotFound`; `corrupt` with the name of the damaged or missing object.
    package static func open(
        store: any ObjectStore,
        ambient: AmbientSources,
        options: CatalogOptions = CatalogOptions()
    ) async throws -> WarehouseCatalog {
        let warehouse = try await findWarehouse(store, ambient, options)
        let files = MetadataFiles(
            store: store,
            openOutside: options.openOutside,
            byteCountMax: options.metadataBytesMax
        )
        let machine = CatalogMachine(
            store: store,
            files: files,
            ambient: ambient,
            parallelCountMax: options.parallelCountMax
        )
        let log = try await CatalogError.translating {
            try await SharedLog.open(
                store: store,
                warehouse: warehouse,
                machine: machine,
                ambient: ambient,
                options: options.log
            )
        }
        let catalog = WarehouseCatalog(
            store: store,
            warehouse: warehouse,
            log: log,
            files: files,
            ambient: ambient
        )
        if options.creates, !catalog.known.state.hasNamespace(.main) {
            try await catalog.makeMain(actor: options.actor)
        }
        return catalog
    }

    private static func findWarehouse(
        _ store: any ObjectStore,
        _ ambient: AmbientSources,
        _ options: CatalogOptions
    ) async throws -> Warehouse {
        do {
            let warehouse = try await Warehouse.open(in: store)
            if options.proof == .always { try await prove(store, ambient, options) }
            return warehouse
        } catch let error as CommitLogError {
            guard error.code == .notFound else { throw CatalogError(error) }
            guard options.creates else {
                throw CatalogError(.warehouseNotFound, error.message)
            }
        }
        // A store that lies gets no warehouse at all.
        if options.proof != .never { try await prove(store, ambient, options) }
        return try await CatalogError.translating {
            try await Warehouse.openOrCreate(in: store, ambient: ambient).warehouse
        }
    }

    private static func prove(
        _ store: any ObjectStore,
        _ ambient: AmbientSources,
        _ options: CatalogOptions
    ) async throws {
        var probe = options.probe
        // Folders and memory decide by one call of the system or under one lock.
        if !store.isFar { probe.allowsUnprovenRaces = true }
        try await probeConditionalWrites(store, id: ambient.uuidV4(), options: probe)
    }

    private func makeMain(actor: String) async throws {
        // All who make it at once use one id, so that it is made once.
        let commit = CatalogCommit(
            id: "\(warehouse.id)-main",
            actor: actor,
            message: "warehouse made",
            operations: [.createNamespace(.main, properties: [:])]
        )
        do {
            _ = try await self.commit(commit)
        } catch let error as CatalogError {
            guard error.code == .alreadyExists else { throw error }
        }
    }

    // MARK: - Reading

    /// The newest state this process knows of, without looking.
    package var known: CatalogSnapshot { CatalogSnapshot(log.known) }

    /// What this process signs its entries with.
    package var server: String { log.server }

    /// The newest state.
    ///
    /// - Parameter stalenessMillisMax: 0 to see every commit acknowledged before; see `SharedLog`.
    package func read(stalenessMillisMax: Int64 = 0) async throws -> CatalogSnapshot {
        try await CatalogError.translating {
            CatalogSnapshot(try await log.read(stalenessMillisMax: stalenessMillisMax))
        }
    }

    /// The whole catalog as an entry left it; 0 for before the first.
    ///
    /// - Throws: `positionNotFound`.
    package func snapshot(at position: Int64) async throws -> CatalogSnapshot {
        try await CatalogError.translating {
            CatalogSnapshot(try await log.snapshot(at: position))
        }
    }

    /// The whole catalog as of a time in milliseconds since 1970.
    ///
    /// - Throws: `positionNotFound` for times before the warehouse was made.
    package func snapshot(atMillis time: Int64) async throws -> CatalogSnapshot {
        try await CatalogError.translating {
            CatalogSnapshot(try await log.snapshot(atMillis: time))
        }
    }

    /// A table's metadata as a snapshot of the catalog has it.
    ///
    /// - Throws: `namespaceNotFound`, `tableNotFound`; `corrupt` when the file is not that table's.
    package func load(
        _ table: TableIdentifier,
        in snapshot: CatalogSnapshot
    ) async throws -> LoadedTable {
        let entry = try snapshot.state.existingTable(table)
        let metadata = try await files.load(table, entry)
        return LoadedTable(identifier: table, entry: entry, metadata: metadata)
    }

    /// The same, when it is in memory; else nil.
    ///
    /// - Throws: as `load`.
    package func remembered(
        _ table: TableIdentifier,
        in snapshot: CatalogSnapshot
    ) throws(CatalogError) -> LoadedTable? {
        let entry = try snapshot.state.existingTable(table)
        guard let metadata = try files.remembered(table, entry) else { return nil }
        return LoadedTable(identifier: table, entry: entry, metadata: metadata)
    }

    /// A table's newest metadata.
    package func load(_ table: TableIdentifier) async throws -> LoadedTable {
        try await load(table, in: try await read())
    }

    /// A view's metadata as a snapshot of the catalog has it.
    ///
    /// - Throws: `namespaceNotFound`, `tableNotFound`; `corrupt` when the file is not that view's.
    package func loadView(
        _ view: TableIdentifier,
        in snapshot: CatalogSnapshot
    ) async throws -> ViewMetadata {
        try await files.load(view: view, try snapshot.state.existingView(view))
    }

    /// A table in one of its states.
    ///
    /// - Throws: `corrupt` when the file is not that table's.
    package func load(
        _ table: TableIdentifier,
        at entry: TableEntry
    ) async throws -> LoadedTable {
        LoadedTable(identifier: table, entry: entry, metadata: try await files.load(table, entry))
    }

    /// A view's metadata in one of its states.
    ///
    /// - Throws: `corrupt` when the file is not that view's.
    package func loadView(
        _ view: TableIdentifier,
        at entry: TableEntry
    ) async throws -> ViewMetadata {
        try await files.load(view: view, entry)
    }

    /// A table in one of its states; nil when its metadata file is gone.
    ///
    /// - Throws: `corrupt` when the file is not that table's, or not the one that the log was told of.
    package func loadIfKept(
        _ table: TableIdentifier,
        at entry: TableEntry
    ) async throws -> TableMetadata? {
        do {
            return try await files.load(table, entry)
        } catch let error as CatalogError {
            // Asked only now, for it is rare.
            guard error.code == .corrupt,
                try await files.bytesIfKept(entry.metadataLocation) == nil
            else { throw error }
            return nil
        }
    }

    /// The bytes of a metadata file as they lie in the store; nil when it is gone.
    package func metadataBytes(at location: String) async throws -> [UInt8]? {
        try await files.bytesIfKept(location)
    }

    // MARK: - Places

    /// The full URI where a new table's files go when nobody says where.
    package func defaultLocation(of table: TableIdentifier, uuid: String) -> String {
        store.url(of: defaultTableKey(table, uuid: uuid))
    }

    /// The key of a full URI in the warehouse's store; nil when it lies elsewhere.
    package func key(of uri: String) -> String? { files.locations.key(of: uri) }

    // MARK: - Committing

    /// Commits everything in `commit`, or nothing.
    ///
    /// A cancelled commit may have happened or not; commit again with the same id to know.
    ///
    /// - Throws: `CatalogError` as each operation says; `conflict`, `busy` and validation errors mean
    ///   that nothing happened, `unknownOutcome` that it could not be found out. What `prepare` of a
    ///   `changeTable` throws comes through. Files written by attempts that did not win stay behind for
    ///   maintenance to collect.
    package func commit(_ commit: CatalogCommit) async throws -> CommitReceipt {
        try await CatalogError.translating { try await log.commit(commit) }
    }

    /// The receipt of the commit with an id, where the log remembers it; nil when none has landed.
    ///
    /// - Throws: `CatalogError` when the log cannot be read.
    package func receipt(ofCommit id: String) async throws -> CommitReceipt? {
        try await CatalogError.translating { try await log.outcome(ofCommit: id) }
    }

    /// An id for a commit that no other commit has.
    package func makeCommitID() -> String { ambient.uuidV7() }

    // MARK: - History

    /// Entries of the log in order, from a position; fewer than asked for at the log's end.
    ///
    /// Each with the SHA-256 of its bytes.
    func entries(
        from first: Int64,
        countMax: Int
    ) async throws -> [(entry: LogEntry, hash: String)] {
        try await CatalogError.translating {
            try await log.hashedEntries(from: first, countMax: countMax)
        }
    }

    /// The key of the object that an entry of the log is read from: its own, or the archive that has it.
    package func key(ofEntry position: Int64) async throws -> String {
        try await CatalogError.translating { try await log.key(ofEntry: position) }
    }

    /// Walks the whole log: checksums, hash chain, that every change fits what was before it, and that
    /// checkpoints say what the entries do.
    ///
    /// - Parameters:
    ///   - first: from 1 the changes and checkpoints are checked too; else only the chain.
    ///   - last: nil for the log's end.
    /// - Throws: only when the store fails or the task is cancelled.
    package func verify(from first: Int64 = 1, to last: Int64? = nil) async throws
        -> LogVerification
    {
        // From 1 the log folds the changes itself.
        try await log.verify(from: first, to: last) { entry in
            guard first > 1 else { return }
            for commit in entry.commits {
                for json in commit.changes { _ = try CatalogChange(json: json) }
            }
        }
    }

    /// What `verifyMetadata` found.
    package struct MetadataVerification: Sendable {
        /// What is wrong with a metadata file.
        package struct Fault: Sendable {
            /// The file's location.
            package let location: String
            /// The table that the log refers to it for.
            package let table: TableIdentifier
            package let message: String
        }

        /// How many metadata files were read.
        package var fileCount = 0
        package var byteCount = 0
        package var faults: [Fault] = []
    }

    /// Reads metadata files anew, and holds them against what the log says of them: that they are
    /// there, their hash, and that they are that table's.
    ///
    /// - Parameters:
    ///   - snapshot: the tables that it has are checked in any case, on all branches and tags.
    ///   - includesPast: also every metadata file that an entry up to the snapshot's position made
    ///     current, but those of tables that were dropped with the wish to have their files removed.
    /// - Throws: only when the store or the log fails, or the task is cancelled.
    package func verifyMetadata(
        of snapshot: CatalogSnapshot,
        includesPast: Bool
    ) async throws -> MetadataVerification {
        var report = MetadataVerification()
        var checked: Set<String> = []
        // Each file once, many at a time: stores may be far away.
        func check(_ tables: [(table: TableIdentifier, entry: TableEntry)]) async throws {
            let new = tables.filter { checked.insert($0.entry.metadataLocation).inserted }
            let files = files
            let found = try await mapBounded(new, countMax: 32) { table, entry in
                do {
                    return (
                        byteCount: try await files.verify(table, entry), message: nil as String?
                    )
                } catch let error as CatalogError {
                    return (byteCount: 0, message: error.message)
                }
            }
            for (one, found) in zip(new, found) {
                report.fileCount += 1
                report.byteCount += found.byteCount
                guard let message = found.message else { continue }
                report.faults.append(
                    .init(location: one.entry.metadataLocation, table: one.table, message: message)
                )
            }
        }
        try await check(
            try snapshot.state.allTables().map { ($0, try snapshot.state.existingTable($0)) }
        )
        for view in try snapshot.state.allViews() {
            try Task.checkCancellation()
            let entry = try snapshot.state.existingView(view)
            report.fileCount += 1
            do {
                report.byteCount += try await files.verify(view: view, entry)
            } catch let error as CatalogError {
                report.faults.append(
                    .init(location: entry.metadataLocation, table: view, message: error.message)
                )
            }
        }
        var others: [(table: TableIdentifier, entry: TableEntry)] = []
        for other in try snapshot.branched.contents(besides: snapshot.state) {
            try Task.checkCancellation()
            switch other.content {
            case .table(let entry): others.append((other.name, entry))
            case .view(let entry):
                report.fileCount += 1
                do {
                    report.byteCount += try await files.verify(view: other.name, entry)
                } catch let error as CatalogError {
                    report.faults.append(
                        .init(
                            location: entry.metadataLocation,
                            table: other.name,
                            message: error.message
                        )
                    )
                }
            case .namespace: continue
            }
        }
        try await check(others)
        guard includesPast else { return report }
        var past: [(table: TableIdentifier, entry: TableEntry)] = []
        var purged: Set<String> = []
        var position: Int64 = 1
        while position <= snapshot.position {
            let page = try await commits(from: position)
            guard let last = page.last else { break }
            let commits = page.lazy.filter { $0.position <= snapshot.position }
            for change in commits.flatMap(\.changes).flatMap(\.plain) {
                if let written = change.written { past.append(written) }
                if case .dropTable(_, let entry, purge: true) = change { purged.insert(entry.uuid) }
            }
            position = last.position + 1
        }
        try await check(past.filter { !purged.contains($0.entry.uuid) })
        return report
    }
}
