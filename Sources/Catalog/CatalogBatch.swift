import Ambient
import CommitLog
import Iceberg
import ObjectStorage

/// The commits of one entry in preparation: each is validated against the state that those before it
/// leave behind, whose metadata files exist only here until `upload`.
struct CatalogBatch: CommitBatch {
    let machine: CatalogMachine
    let header: LogEntry.Header
    var branched: BranchedState
    /// The names of the branch that the commit in preparation changes.
    private(set) var state = CatalogState()
    /// Metadata files that prepared commits refer to, by location.
    var newFiles: [String: MetadataFiles.New] = [:]
    /// Files that those refer to, by key.
    private(set) var sideFiles: [String: [UInt8]] = [:]
    /// Of those that need to be written only once, whatever becomes of this attempt.
    private var marks: [String: TableChange.WrittenMark] = [:]
    var uploadByteCount = 0
    /// Whether commits that add rows to one table share a snapshot.
    let combinesAppends: Bool
    /// Those that do, by the location of the metadata file that they leave behind.
    var groups: [String: AppendGroup] = [:]
    /// View metadata files that prepared commits refer to, by location.
    private var newViews: [String: MetadataFiles.NewView] = [:]
    /// Changes made in parallel, ahead of their turn, and the table entries that they were made from.
    private var ahead: [Step: (entry: TableEntry, change: TableChange)] = [:]

    /// An operation of a commit.
    private struct Step: Hashable, Sendable {
        var commitID: String
        var index: Int
    }

    private struct BranchTable: Hashable {
        var branch: String?
        var table: TableIdentifier
    }

    init(
        machine: CatalogMachine,
        state: BranchedState,
        header: LogEntry.Header,
        combinesAppends: Bool = false
    ) {
        self.machine = machine
        self.combinesAppends = combinesAppends
        branched = state
        self.header = header
    }

    /// Makes, in parallel, the changes of tables that nothing earlier in the entry touches: making them
    /// reads files, and one after the other they would take as many round trips as there are commits.
    mutating func prepareAhead(_ requests: [CatalogCommit]) async {
        var steps: [(Step, TableIdentifier, TableEntry, CatalogOperation)] = []
        var touched: Set<BranchTable> = []
        for request in requests {
            guard let state = try? branched.writableState(of: request.branch) else { continue }
            for (index, operation) in request.operations.enumerated() {
                guard let table = operation.changedTable, let entry = state.table(table),
                    touched.insert(BranchTable(branch: request.branch, table: table)).inserted
                else { continue }
                let step = Step(commitID: request.id, index: index)
                steps.append((step, table, entry, operation))
            }
        }
        guard steps.count > 1 else { return }
        let (files, timeMillis, combines) = (machine.files, header.timeMillis, combinesAppends)
        let made = try? await mapUnordered(steps, countMax: machine.parallelCountMax) {
            step,
            table,
            entry,
            operation -> (Step, TableEntry, TableChange?) in
            // What fails here is tried again in its turn, and fails there for its own commit.
            guard let metadata = try? await files.load(table, entry) else {
                return (step, entry, nil)
            }
            let base = TableBase(metadata: metadata, timeMillis: timeMillis, unwritten: [:])
            switch operation {
            case .changeTable(_, _, let prepare): return (step, entry, try? await prepare(base))
            case .append(_, let append) where !combines:
                return (step, entry, try? await append.change(of: base))
            default: return (step, entry, nil)
            }
        }
        for (step, entry, change) in made ?? [] {
            if let change { ahead[step] = (entry, change) }
        }
    }

    mutating func prepare(
        _ request: CatalogCommit
    ) async throws -> (commit: LoggedCommit, outcome: CommitReceipt) {
        if request.operations.contains(where: \.isAboutReferences) {
            return try await prepareReferences(request)
        }
        let branch = request.branch == ReferenceName.main ? nil : request.branch
        state = try branched.writableState(of: branch)
        var changes: [CatalogChange] = []
        var tables: [LoadedTable] = []
        for (index, operation) in request.operations.enumerated() {
            let step = Step(commitID: request.id, index: index)
            let isAlone = request.operations.count == 1
            guard let (change, metadata) = try await prepare(operation, step, isAlone: isAlone)
            else { continue }
            try state.apply(change)
            changes.append(change)
            if let (table, entry) = change.written, let metadata {
                tables.append(LoadedTable(identifier: table, entry: entry, metadata: metadata))
            }
        }
        if !changes.isEmpty { branched.set(state, of: branch, header) }
        var logged = changes
        if let branch, !changes.isEmpty { logged = [.onBranch(branch, changes)] }
        return outcome(of: request, logged, branch, changes, tables)
    }

    /// The commit of a request, and what its maker gets to know.
    func outcome(
        of request: CatalogCommit,
        _ logged: [CatalogChange],
        _ branch: String?,
        _ changes: [CatalogChange],
        _ tables: [LoadedTable]
    ) -> (commit: LoggedCommit, outcome: CommitReceipt) {
        let commit = LoggedCommit(
            id: request.id,
            actor: request.actor,
            requestID: request.requestID,
            message: request.message,
            requestHash: request.requestHash,
            changes: logged.map(\.json),
            lineage: request.lineage
        )
        let receipt = CommitReceipt(
            position: header.sequence,
            timeMillis: header.timeMillis,
            commitID: request.id,
            requestHash: request.requestHash,
            branch: branch,
            changes: changes,
            tables: tables,
            isReplay: false
        )
        return (commit, receipt)
    }

    /// The keys of all files that `upload` writes.
    var uploadKeys: [String] {
        Array(sideFiles.keys) + newFiles.values.map(\.key) + newViews.values.map(\.key)
    }

    var uploads: [(key: String, bytes: [UInt8])] {
        let unsorted =
            sideFiles.filter { marks[$0.key]?.isSet != true }.map { ($0.key, $0.value) }
            + newFiles.values.map { ($0.key, $0.bytes) }
            + newViews.values.map { ($0.key, $0.bytes) }
        // The same order each time, or simulations could not be repeated.
        return unsorted.sorted { $0.0 < $1.0 }
    }

    func upload() async throws {
        let (store, marks) = (machine.store, marks)
        _ = try await mapUnordered(uploads, countMax: machine.parallelCountMax) { key, bytes in
            if marks[key]?.isSet == true { return }
            try await store.put(key, bytes)
            marks[key]?.set()
        }
        for (location, file) in newFiles {
            machine.files.remember(
                location,
                file.metadata,
                sha256: file.sha256,
                byteCount: file.bytes.count
            )
        }
        for (location, file) in newViews {
            machine.files.remember(view: location, file.metadata, sha256: file.sha256)
        }
    }

    // MARK: - Operations

    /// The change that an operation makes, and the metadata it leaves; nil when it changes nothing.
    private mutating func prepare(
        _ operation: CatalogOperation,
        _ step: Step,
        isAlone: Bool
    ) async throws -> (CatalogChange, TableMetadata?)? {
        switch operation {
        case .createNamespace(let namespace, let properties):
            return (.createNamespace(namespace, properties), nil)
        case .dropNamespace(let namespace):
            guard namespace != .main else {
                throw CatalogError(.invalid, "namespace \(namespace) cannot be dropped")
            }
            return (.dropNamespace(namespace), nil)
        case .updateNamespace(let namespace, let set, let remove):
            if let both = remove.first(where: { set[$0] != nil }) {
                throw CatalogError(.invalid, "property \(both) is to be set and removed at once")
            }
            return (.updateNamespace(namespace, set: set, remove: remove.sorted()), nil)
        case .createTable(let table, let metadata):
            try checkFree(table)
            let change = try create(table, metadata)
            return change
        case .registerTable(let table, let location, let overwrite):
            return try await register(table, location, overwrite: overwrite)
        case .dropTable(let table, let purge):
            let entry = try state.existingTable(table).reference
            return (.dropTable(table, entry, purge: purge), nil)
        case .renameTable(let table, let target):
            let entry = try state.existingTable(table).reference
            return (.renameTable(table, to: target, entry), nil)
        case .updateTable(let table, let requirements, let updates):
            let (entry, metadata) = try await current(table)
            let change = TableChange(requirements: requirements, updates: updates)
            guard entry != nil || requirements.contains(.assertCreate) else {
                throw CatalogError.noTable(table)
            }
            return try apply(change, to: table, entry, metadata)
        case .changeTable(let table, _, let prepare):
            return try await self.change(table, step, prepare)
        case .append(let table, let append):
            if isAlone, let joined = try await join(table, append) { return joined }
            return try await change(table, step, append.change)
        case .require(let names):
            for (name, expected) in names.sorted(by: { $0.key < $1.key }) {
                let found = state.table(name) ?? state.view(name)
                guard found?.reference == expected?.reference else {
                    throw CatalogError(.conflict, "\(name) was changed by another commit")
                }
            }
            return nil
        case .verify(let names, let body):
            var tables: [TableIdentifier: LoadedTable] = [:]
            for name in names where state.hasNamespace(name.namespace) {
                guard case (let entry?, let metadata?) = try await current(name) else { continue }
                tables[name] = LoadedTable(identifier: name, entry: entry, metadata: metadata)
            }
            try await body(CatalogView(tables: tables, unwritten: sideFiles))
            return nil
        case .createView(let view, let metadata, let replaces):
            return (try await create(view, metadata, replaces: replaces), nil)
        case .updateView(let view, let properties):
            let entry = try state.existingView(view)
            var metadata = try await current(view, entry)
            for (name, value) in properties { metadata.properties[name] = value }
            let new = try add(metadata, after: entry.metadataLocation)
            return (.updateView(view, from: entry.reference, to: new), nil)
        case .changeView(let view, let change):
            return try await self.change(view, change).map { ($0, nil) }
        case .registerView(let view, let location):
            return (try await registerView(view, location), nil)
        case .dropView(let view):
            return (.dropView(view, try state.existingView(view).reference), nil)
        case .renameView(let view, let target):
            return (.renameView(view, to: target, try state.existingView(view).reference), nil)
        case .restoreTable(let table, let entry): return try await restore(table, entry)
        case .createBranch, .dropBranch, .mergeBranch, .createTag, .dropTag:
            throw CatalogError(.invalid, "branches and tags are changed in a commit of their own")
        }
    }

    private mutating func change(
        _ table: TableIdentifier,
        _ step: Step,
        _ prepare: @Sendable (TableBase) async throws -> TableChange
    ) async throws -> (CatalogChange, TableMetadata?)? {
        let (entry, metadata) = try await current(table)
        let change: TableChange
        if let made = ahead[step], made.entry == entry {
            change = made.change
        } else {
            change = try await prepare(
                TableBase(
                    metadata: metadata,
                    timeMillis: header.timeMillis,
                    unwritten: sideFiles
                )
            )
        }
        if metadata == nil, change.create == nil, !change.requirements.contains(.assertCreate) {
            throw CatalogError.noTable(table)
        }
        return try apply(change, to: table, entry, metadata)
    }

    // MARK: - Views

    private mutating func create(
        _ view: TableIdentifier,
        _ metadata: ViewMetadata,
        replaces: Bool
    ) async throws -> CatalogChange {
        guard state.hasNamespace(view.namespace) else {
            throw CatalogError.noNamespace(view.namespace)
        }
        if state.table(view) != nil {
            throw CatalogError(.alreadyExists, "table \(view) exists already")
        }
        var metadata = metadata
        guard let entry = state.view(view) else {
            metadata.stamp(header.timeMillis)
            return .createView(view, try add(metadata, after: nil))
        }
        guard replaces else {
            throw CatalogError(.alreadyExists, "view \(view) exists already")
        }
        metadata = try await current(view, entry).replaced(by: metadata)
        metadata.stamp(header.timeMillis)
        let new = try add(metadata, after: entry.metadataLocation)
        return .updateView(view, from: entry.reference, to: new)
    }

    /// Changes a view; nil when the change leaves it as it was.
    private mutating func change(
        _ view: TableIdentifier,
        _ change: (ViewMetadata, Int64) throws(IcebergError) -> ViewMetadata
    ) async throws -> CatalogChange? {
        let entry = try state.existingView(view)
        let before = try await current(view, entry)
        let after: ViewMetadata
        do throws(IcebergError) {
            after = try change(before, header.timeMillis)
        } catch {
            throw CatalogError(error, "view \(view)")
        }
        if after.json == before.json { return nil }
        guard after.viewUUID == before.viewUUID else {
            throw CatalogError(.invalid, "view \(view): the uuid of a view never changes")
        }
        let new = try add(after, after: entry.metadataLocation)
        return .updateView(view, from: entry.reference, to: new)
    }

    private func registerView(
        _ view: TableIdentifier,
        _ location: String
    ) async throws -> CatalogChange {
        try checkFree(view)
        do {
            return .createView(view, try await machine.files.entry(ofViewAt: location))
        } catch let error as CatalogError {
            // What somebody else names is their mistake, not damage of ours.
            throw CatalogError(error.code == .corrupt ? .invalid : error.code, error.message)
        }
    }

    /// A view as the commits before this operation leave it.
    private func current(
        _ view: TableIdentifier,
        _ entry: TableEntry
    ) async throws -> ViewMetadata {
        if let new = newViews[entry.metadataLocation] { return new.metadata }
        return try await machine.files.load(view: view, entry)
    }

    private mutating func add(
        _ metadata: ViewMetadata,
        after previous: String?
    ) throws(CatalogError) -> TableEntry {
        let file = try machine.files.new(
            metadata,
            after: previous,
            uuid: machine.ambient.uuidV4()
        )
        newViews[file.location] = file
        uploadByteCount += file.bytes.count
        return TableEntry(
            uuid: metadata.viewUUID,
            metadataLocation: file.location,
            metadataSHA256: file.sha256
        )
    }

    /// The metadata of a table in a state that the log or this entry has, and that no group left behind.
    func metadata(
        of table: TableIdentifier,
        _ entry: TableEntry
    ) async throws -> TableMetadata {
        if let new = newFiles[entry.metadataLocation] { return new.metadata }
        return try await machine.files.load(table, entry)
    }

    /// A table as the commits before this operation leave it; nil and nil when there is none.
    private mutating func current(
        _ table: TableIdentifier
    ) async throws -> (TableEntry?, TableMetadata?) {
        guard state.hasNamespace(table.namespace) else {
            throw CatalogError.noNamespace(table.namespace)
        }
        guard let entry = state.table(table) else { return (nil, nil) }
        try await close(entry.metadataLocation)
        return (entry, try await metadata(of: table, entry))
    }

    func checkFree(_ table: TableIdentifier) throws(CatalogError) {
        guard state.hasNamespace(table.namespace) else {
            throw CatalogError.noNamespace(table.namespace)
        }
        if state.table(table) != nil {
            throw CatalogError(.alreadyExists, "table \(table) exists already")
        }
        if state.view(table) != nil {
            throw CatalogError(.alreadyExists, "view \(table) exists already")
        }
    }

    private mutating func create(
        _ table: TableIdentifier,
        _ metadata: TableMetadata
    ) throws(CatalogError) -> (CatalogChange, TableMetadata?) {
        guard !metadata.tableUUID.isEmpty else {
            throw CatalogError(.invalid, "table \(table) has no uuid")
        }
        var metadata = metadata
        metadata.lastUpdatedMillis = header.timeMillis
        let entry = try add(metadata, after: nil)
        return (
            .createTable(table, entry, snapshotID: metadata.currentSnapshotID), metadata
        )
    }

    private mutating func add(
        _ metadata: TableMetadata,
        after previous: String?
    ) throws(CatalogError) -> TableEntry {
        let file = try machine.files.new(
            metadata,
            after: previous,
            uuid: machine.ambient.uuidV4()
        )
        newFiles[file.location] = file
        uploadByteCount += file.bytes.count
        return TableEntry(
            uuid: metadata.tableUUID,
            metadataLocation: file.location,
            metadataSHA256: file.sha256
        )
    }

    private func register(
        _ table: TableIdentifier,
        _ location: String,
        overwrite: Bool
    ) async throws -> (CatalogChange, TableMetadata?) {
        guard state.hasNamespace(table.namespace) else {
            throw CatalogError.noNamespace(table.namespace)
        }
        let old = state.table(table)
        if old != nil, !overwrite { try checkFree(table) }
        let (metadata, sum): (TableMetadata, String)
        do {
            (metadata, sum) = try await machine.files.load(location)
        } catch let error as CatalogError {
            // What somebody else names is their mistake, not damage of ours.
            throw CatalogError(error.code == .corrupt ? .invalid : error.code, error.message)
        }
        guard !metadata.tableUUID.isEmpty else {
            throw CatalogError(.unsupported, "\(location) has no table-uuid (format version 1)")
        }
        let entry = TableEntry(
            uuid: metadata.tableUUID,
            metadataLocation: location,
            metadataSHA256: sum
        )
        let snapshotID = metadata.currentSnapshotID
        guard let old else { return (.createTable(table, entry, snapshotID: snapshotID), metadata) }
        return (
            .replaceTable(table, from: old.reference, to: entry, snapshotID: snapshotID), metadata
        )
    }

    /// Applies a change to a table, or makes one of it.
    private mutating func apply(
        _ change: TableChange,
        to table: TableIdentifier,
        _ entry: TableEntry?,
        _ metadata: TableMetadata?
    ) throws(CatalogError) -> (CatalogChange, TableMetadata?)? {
        let updates = Self.stamped(change.updates, header)
        let made: TableMetadata
        do throws(IcebergError) {
            for requirement in change.requirements { try requirement.check(metadata) }
            var base = metadata
            if base == nil, var create = change.create {
                create.lastUpdatedMillis = header.timeMillis
                base = create
            }
            made = try TableMetadata.apply(
                base == nil ? completed(updates, for: table) : updates,
                to: base,
                now: header.timeMillis,
                previousMetadataFile: entry?.metadataLocation
            )
        } catch {
            throw CatalogError(error, "table \(table)")
        }
        for file in change.files {
            _ = try machine.files.locations.writableKey(
                of: machine.store.url(of: file.key),
                "the file"
            )
        }
        guard let entry, let metadata else {
            add(change.files)
            return try create(table, made)
        }
        guard made.tableUUID.lowercased() == entry.uuid.lowercased() else {
            throw CatalogError(.invalid, "table \(table): the uuid of a table never changes")
        }
        // Updates that change nothing leave no trace.
        if made == metadata { return nil }
        add(change.files)
        let new = try add(made, after: entry.metadataLocation)
        return (
            .updateTable(
                table,
                from: entry.reference,
                to: TableEntry(
                    uuid: entry.uuid,
                    metadataLocation: new.metadataLocation,
                    metadataSHA256: new.metadataSHA256
                ),
                snapshotID: made.currentSnapshotID
            ),
            made
        )
    }

    mutating func add(_ files: [TableChange.File]) {
        for file in files {
            sideFiles[file.key] = file.bytes
            if let mark = file.written { marks[file.key] = mark }
            uploadByteCount += file.bytes.count
        }
    }

    /// The updates with the entry's time in every snapshot that they add, so that a table and the whole
    /// catalog "as of" an instant agree.
    static func stamped(
        _ updates: [TableUpdate],
        _ header: LogEntry.Header
    ) -> [TableUpdate] {
        updates.map { update in
            guard case .addSnapshot(var snapshot) = update else { return update }
            snapshot.timestampMillis = header.timeMillis
            return .addSnapshot(snapshot)
        }
    }

    /// The updates that make a table, with the uuid and location that they leave to the catalog.
    private func completed(_ updates: [TableUpdate], for table: TableIdentifier) -> [TableUpdate] {
        var (uuid, location): (String?, String?)
        for update in updates {
            if case .assignUUID(let given) = update { uuid = given }
            if case .setLocation(let given) = update { location = given }
        }
        var completed = updates
        let chosen = uuid ?? machine.ambient.uuidV4()
        if uuid == nil { completed.insert(.assignUUID(chosen), at: 0) }
        if location == nil {
            let key = defaultTableKey(table, uuid: chosen)
            completed.append(.setLocation(machine.store.url(of: key)))
        }
        return completed
    }
}

/// Where a table's files go when nobody says where: `<namespace>/<table>-<uuid>`.
func defaultTableKey(_ table: TableIdentifier, uuid: String) -> String {
    let folder = table.namespace.levels.map(pathPart).joined(separator: "/")
    return "\(folder)/\(pathPart(table.name))-\(uuid)"
}
