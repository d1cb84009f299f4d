import Ambient
import Bytes
import Catalog
import CommitLog
import Iceberg
import ObjectStorage
import TestSupport

/// Opens a catalog in a store, making the warehouse when there is none.
func openCatalog(
    _ store: any ObjectStore,
    seed: UInt64 = 1,
    time: any TimeSource = ManualTime(),
    options: CatalogOptions = CatalogOptions()
) async throws -> WarehouseCatalog {
    var options = options
    options.creates = true
    // A simulated store is known, and what a probe asks of it would change what it does next.
    options.proof = .never
    return try await WarehouseCatalog.open(
        store: store,
        ambient: AmbientSources(time: time, random: SeededRandom(seed: seed)),
        options: options
    )
}

/// A table of one long column, in the warehouse or at a location.
func newTable(
    _ catalog: WarehouseCatalog,
    _ table: TableIdentifier,
    uuid: String,
    location: String? = nil,
    properties: [String: String] = [:]
) throws -> TableMetadata {
    try TableMetadata.create(
        schema: Schema(fields: [NestedField(id: 1, name: "x", required: false, type: .long)]),
        location: location ?? catalog.defaultLocation(of: table, uuid: uuid),
        properties: properties,
        uuid: uuid,
        now: 1
    )
}

/// A uuid made of a number.
func uuid(_ number: Int) -> String {
    let digits = String(number)
    return "00000000-0000-4000-8000-" + String(repeating: "0", count: 12 - digits.count) + digits
}

func table(_ name: String, in levels: String...) throws -> TableIdentifier {
    try TableIdentifier(Namespace(levels.isEmpty ? ["main"] : levels), name)
}

/// An append to a table, with a manifest list of its own, made anew for each attempt.
func append(
    _ table: TableIdentifier,
    snapshotID: Int64,
    catalog: WarehouseCatalog
) -> CatalogOperation {
    .changeTable(table) { base in
        guard let metadata = base.metadata else { throw CatalogError(.tableNotFound, "gone") }
        let sequence = metadata.lastSequenceNumber + 1
        let location = "\(metadata.location)/metadata/snap-\(snapshotID)-\(sequence).avro"
        let parent = metadata.currentSnapshotID
        let snapshot = Snapshot(
            snapshotID: snapshotID,
            parentSnapshotID: parent,
            sequenceNumber: sequence,
            timestampMillis: 0,
            manifestList: location,
            operation: .append,
            schemaID: metadata.currentSchemaID
        )
        guard let key = catalog.key(of: location) else {
            throw CatalogError(.invalid, "outside")
        }
        // The list holds what the list before it held, which may not be in the store yet.
        var list: [UInt8] = []
        if let before = metadata.currentSnapshot?.manifestList.flatMap({ catalog.key(of: $0) }) {
            if let unwritten = base.unwritten[before] {
                list = unwritten
            } else {
                list = try await catalog.store.get(before).bytes
            }
        }
        list += Array("\(snapshotID) ".utf8)
        return TableChange(
            requirements: [.assertRefSnapshotID(ref: "main", snapshotID: parent)],
            updates: [
                .addSnapshot(snapshot),
                .setSnapshotRef(
                    name: "main",
                    SnapshotRef(snapshotID: snapshotID, kind: .branch)
                ),
            ],
            files: [.init(key: key, bytes: list)]
        )
    }
}

extension WarehouseCatalog {
    /// Commits with an id of its own.
    @discardableResult
    func commit(_ operations: CatalogOperation..., id: String? = nil) async throws -> CommitReceipt
    {
        try await commit(
            CatalogCommit(
                id: id ?? makeCommitID(),
                actor: "test",
                requestID: "request",
                message: "why",
                operations: operations
            )
        )
    }
}

/// The code of the error that an operation throws; nil when it throws none.
func code(_ body: () async throws -> Void) async -> CatalogError.Code? {
    do {
        try await body()
        return nil
    } catch let error as CatalogError {
        return error.code
    } catch {
        return nil
    }
}
