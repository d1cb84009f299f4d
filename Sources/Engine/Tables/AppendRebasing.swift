import Ambient
package import Catalog
import Iceberg
import ObjectStorage
import Synchronization
import Tables

/// The property by which a table says whether appends of others that lost a race are rebased.
private let rebaseProperty = "varve.append-rebase"

extension Engine {
    /// The same update of a table, put on top of the newest snapshot when it is an append and nothing but
    /// earlier commits would make it fail.
    ///
    /// - Parameters:
    ///   - isDefault: whether it is so for tables that do not say (`varve.append-rebase`).
    ///   - reference: the branch of the catalog that is changed; nil for `main`.
    /// - Returns: the operation itself when it is no append.
    package func rebasing(
        _ operation: CatalogOperation,
        unlessTableSays isDefault: Bool,
        on reference: String? = nil
    ) async throws -> CatalogOperation {
        guard case .updateTable(let table, let requirements, let updates) = operation,
            let rebase = AppendRebase(requirements: requirements, updates: updates)
        else { return operation }
        let catalog = try await catalog(creating: false)
        let rebaser = AppendRebaser(rebase: rebase, catalog: catalog, engine: self)
        // What lost already will lose again: to read its files now does not hold up other commits. What is
        // known without looking is enough for that.
        if let known = try? await catalog.load(table, in: catalog.known.on(reference)).metadata,
            rebaser.isWanted(known, isDefault), rebase.isNeeded(on: known)
        {
            _ = try await rebaser.added(known)
        }
        return .changeTable(table, isAppend: true) { base in
            let asAsked = Catalog.TableChange(requirements: requirements, updates: updates)
            guard let metadata = base.metadata, rebaser.isWanted(metadata, isDefault),
                rebase.isNeeded(on: metadata), let added = try await rebaser.added(metadata)
            else { return asAsked }
            return try await rebaser.change(metadata, added, base.unwritten) ?? asAsked
        }
    }
}

/// Rebases one append, for as many attempts as it takes.
private final class AppendRebaser: Sendable {
    private enum Added {
        case unknown
        /// nil when the snapshot is no append of data files alone.
        case known([ManifestFile]?)
    }

    private let rebase: AppendRebase
    private let catalog: WarehouseCatalog
    private let engine: Engine
    /// The same for every attempt: it is what the client wrote.
    private let found = Mutex(Added.unknown)

    init(rebase: AppendRebase, catalog: WarehouseCatalog, engine: Engine) {
        self.rebase = rebase
        self.catalog = catalog
        self.engine = engine
    }

    func isWanted(_ metadata: TableMetadata, _ isDefault: Bool) -> Bool {
        switch metadata.properties[rebaseProperty]?.lowercased() {
        case "true": true
        case "false": false
        default: isDefault
        }
    }

    /// The manifests that the append adds; nil when it is more than an append, or cannot be read.
    ///
    /// - Throws: when the store fails: then it is not known.
    func added(_ metadata: TableMetadata) async throws -> [ManifestFile]? {
        if case .known(let added) = found.withLock({ $0 }) { return added }
        let added = try await Self.ifReadable {
            try await self.readAdded(metadata)
        }
        found.withLock { $0 = .known(added) }
        return added
    }

    private func readAdded(_ metadata: TableMetadata) async throws -> [ManifestFile]? {
        // Files elsewhere are not ours to add to.
        guard catalog.key(of: metadata.location) != nil, let list = rebase.snapshot.manifestList
        else { return nil }
        let storage = TableStorage(catalog.store)
        let own = try ManifestListReader.read(
            try await storage.store.get(try storage.key(of: list)).bytes
        )
        var parent: [ManifestFile] = []
        if let id = rebase.snapshot.parentSnapshotID {
            parent = try await TableReader(metadata, at: .snapshotID(id), storage: storage)
                .manifests()
        }
        guard let added = rebase.added(own: own, parent: parent) else { return nil }
        for manifest in added {
            let bytes = try await storage.store.get(try storage.key(of: manifest.manifestPath))
                .bytes
            guard bytes.count == manifest.manifestLengthBytes,
                try rebase.holdsOnlyNewFiles(bytes, manifest)
            else { return nil }
        }
        return added
    }

    /// The append on top of the table as it is now; nil when that cannot be.
    func change(
        _ metadata: TableMetadata,
        _ added: [ManifestFile],
        _ unwritten: [String: [UInt8]]
    ) async throws -> Catalog.TableChange? {
        let (rebase, catalog, engine) = (rebase, catalog, engine)
        return try await Self.ifReadable {
            let store: any ObjectStore =
                unwritten.isEmpty
                ? catalog.store : OverlayStore(below: catalog.store, files: unwritten)
            let storage = TableStorage(store)
            let head = try await TableReader(metadata, at: .ref(rebase.branch), storage: storage)
                .manifests()
            let output = try rebase.output(
                on: metadata,
                head: head,
                added: added,
                commitID: engine.options.ambient.uuidV4()
            )
            return Catalog.TableChange(
                requirements: output.requirements,
                updates: output.updates,
                files: [
                    .init(
                        key: try storage.key(of: output.manifestList.path),
                        bytes: output.manifestList.bytes
                    )
                ]
            )
        }
    }

    /// What a closure gives; nil when files are missing or not what they should be.
    ///
    /// The commit then fails, or not, as it would have without a rebase.
    private static func ifReadable<Value>(
        _ body: () async throws -> Value?
    ) async throws -> Value? {
        do {
            return try await body()
        } catch is IcebergError {
            return nil
        } catch is TablesError {
            return nil
        } catch let error as ObjectStoreError {
            guard [.notFound, .invalid].contains(error.code) else { throw error }
            return nil
        }
    }
}
