import Catalog
import Iceberg
import ObjectStorage
import TestSupport

// The words of histories, said to a catalog; and what a catalog answers, in the words of histories.

func namespace(_ levels: String) throws -> Namespace {
    try Namespace(levels.split(separator: ".").map(String.init))
}

func identifier(_ name: TableName) throws -> TableIdentifier {
    let parts = name.split(separator: "/").map(String.init)
    return try TableIdentifier(namespace(parts[0]), parts[1])
}

func tableName(_ table: TableIdentifier) -> TableName {
    "\(table.namespace.levels.joined(separator: "."))/\(table.name)"
}

/// The operation that asks a catalog for a step.
func operation(
    _ step: HistoryStep,
    _ catalog: WarehouseCatalog,
    bug: PlantedBug? = nil
) throws -> CatalogOperation {
    switch step {
    case .createNamespace(let name, let properties):
        return .createNamespace(try namespace(name), properties: properties)
    case .dropNamespace(let name): return .dropNamespace(try namespace(name))
    case .updateNamespace(let name, let set, let remove):
        return .updateNamespace(try namespace(name), set: set, remove: remove)
    case .createTable(let name, let uuid):
        let table = try identifier(name)
        return .createTable(table, metadata: try newTable(catalog, table, uuid: uuid))
    case .dropTable(let name): return .dropTable(try identifier(name), purge: false)
    case .renameTable(let name, let target):
        return .renameTable(try identifier(name), to: try identifier(target))
    case .append(let name, let id): return plainAppend(try identifier(name), id, catalog)
    case .add(let name, let file): return addition(try identifier(name), file, catalog, bug)
    case .setProperties(let name, let properties):
        return .updateTable(
            try identifier(name),
            requirements: [],
            updates: [.setProperties(properties)]
        )
    case .requireHead(let name, let id):
        return .updateTable(
            try identifier(name),
            requirements: [.assertRefSnapshotID(ref: "main", snapshotID: id)],
            updates: []
        )
    case .require(let names): return try requirement(names)
    }
}

/// Fails the commit unless names stand for what they stood for.
func requirement(_ names: [TableName: TableReference?]) throws -> CatalogOperation {
    var entries: [TableIdentifier: TableEntry?] = [:]
    for (name, reference) in names {
        let entry = reference.map { TableEntry(uuid: $0.uuid, metadataLocation: $0.location) }
        entries.updateValue(entry, forKey: try identifier(name))
    }
    return .require(entries)
}

/// An append whose manifest list is a file that nobody reads.
private func plainAppend(
    _ table: TableIdentifier,
    _ snapshotID: Int64,
    _ catalog: WarehouseCatalog
) -> CatalogOperation {
    .changeTable(table, isAppend: true) { base in
        guard let metadata = base.metadata else { throw CatalogError(.tableNotFound, "gone") }
        let sequence = metadata.lastSequenceNumber + 1
        let location = "\(metadata.location)/metadata/snap-\(snapshotID)-\(sequence).avro"
        guard let key = catalog.key(of: location) else { throw CatalogError(.invalid, "outside") }
        let snapshot = Snapshot(
            snapshotID: snapshotID,
            parentSnapshotID: metadata.currentSnapshotID,
            sequenceNumber: sequence,
            timestampMillis: 0,
            manifestList: location,
            operation: .append,
            schemaID: metadata.currentSchemaID
        )
        let reference = SnapshotRef(snapshotID: snapshotID, kind: .branch)
        return TableChange(
            updates: [.addSnapshot(snapshot), .setSnapshotRef(name: "main", reference)],
            files: [.init(key: key, bytes: Array("\(snapshotID)".utf8))]
        )
    }
}

/// Rows that become one file with those that they are written with, named after all of them.
private struct HistoryRows: AppendedRows {
    var file: Int64
    var rowCount: Int { 1 }
    var byteCount: Int { 1 }

    func written(with others: [any AppendedRows]) async throws -> WrittenAppends {
        let all = [file] + others.compactMap { ($0 as? HistoryRows)?.file }
        let data = DataFile(
            filePath: all.map(String.init).joined(separator: " "),
            specID: 0,
            partition: [],
            recordCount: Int64(all.count),
            fileSizeBytes: 1
        )
        return WrittenAppends(
            files: [data],
            unwritten: [],
            places: all.indices.map {
                AddedFiles(
                    locations: [data.filePath],
                    recordCount: 1,
                    rows: [Int64($0)..<Int64($0) + 1]
                )
            }
        )
    }
}

/// An addition of a file that nobody reads, in a snapshot that names all that were added with it.
private func addition(
    _ table: TableIdentifier,
    _ file: Int64,
    _ catalog: WarehouseCatalog,
    _ bug: PlantedBug?
) -> CatalogOperation {
    let data = DataFile(
        filePath: "\(file)",
        specID: 0,
        partition: [],
        recordCount: 1,
        fileSizeBytes: 1
    )
    return .append(
        table,
        TableAppend(
            files: file % 2 == 0 ? [data] : [],
            rows: file % 2 == 0 ? nil : HistoryRows(file: file)
        ) { base, files, id in
            guard let metadata = base.metadata else { throw CatalogError(.tableNotFound, "gone") }
            let files = bug == .losesSharedFile && files.count > 1 ? files.dropLast() : files
            let id = id ?? file
            let location = "\(metadata.location)/metadata/snap-\(id)-\(file).avro"
            guard let key = catalog.key(of: location) else {
                throw CatalogError(.invalid, "outside")
            }
            let snapshot = Snapshot(
                snapshotID: id,
                parentSnapshotID: metadata.currentSnapshotID,
                sequenceNumber: metadata.lastSequenceNumber + 1,
                timestampMillis: 0,
                manifestList: location,
                operation: .append,
                summary: ["files": files.map(\.filePath).joined(separator: " ")],
                schemaID: metadata.currentSchemaID
            )
            let reference = SnapshotRef(snapshotID: id, kind: .branch)
            return TableChange(
                updates: [.addSnapshot(snapshot), .setSnapshotRef(name: "main", reference)],
                files: [.init(key: key, bytes: Array("\(id)".utf8))]
            )
        }
    )
}

/// What a snapshot of the catalog says, with some of its tables opened.
func observe(
    _ snapshot: CatalogSnapshot,
    _ catalog: WarehouseCatalog,
    opening names: [TableName]
) async throws -> ObservedCatalog {
    var model = CatalogModel()
    for namespace in snapshot.state.allNamespaces {
        let name = namespace.levels.joined(separator: ".")
        model.namespaces[name] = try snapshot.state.properties(of: namespace)
        for table in try snapshot.state.tables(in: namespace) {
            guard let entry = snapshot.state.table(table) else { continue }
            model.tables[tableName(table)] = TableReference(
                uuid: entry.uuid,
                location: entry.metadataLocation
            )
        }
    }
    var seen = ObservedCatalog(
        position: snapshot.position,
        timeMillis: snapshot.timeMillis,
        hash: snapshot.hash,
        model: model
    )
    for name in names where model.tables[name] != nil {
        // What the network does not let through says nothing.
        guard let table = try? await catalog.load(try identifier(name), in: snapshot) else {
            continue
        }
        let snapshots = table.metadata.snapshots
        seen.contents[name] = TableContent(
            snapshotIDs: snapshots.filter { $0.summary["files"] == nil }.map(\.snapshotID),
            added: snapshots.flatMap { ($0.summary["files"] ?? "").split(separator: " ") }
                .compactMap { Int64($0) },
            properties: table.metadata.properties
        )
    }
    return seen
}

/// What an error says about a commit, as its documentation promises.
func outcome(ofCommit error: any Error, isDead: Bool) -> HistoryOperation.Outcome {
    // Whoever asked a process that died heard nothing.
    if isDead || error is ProcessDied { return .unknown("the server died") }
    switch error {
    case is CancellationError: return .unknown("gave up")
    case let error as CatalogError:
        switch error.code {
        case .unknownOutcome: return .unknown(error.message)
        case .conflict, .alreadyExists, .tableNotFound, .namespaceNotFound, .notEmpty, .invalid:
            return .refused("\(error.code): \(error.message)")
        default: return .failed("\(error.code): \(error.message)")
        }
    case let error as ObjectStoreError:
        // Of a file that the commit needs: nothing says so.
        if error.code == .unknownOutcome { return .unknown(error.message) }
        return .failed("\(error.code): \(error.message)")
    default: return .failed("\(error)")
    }
}

/// What an error says about a read.
func outcome(ofRead error: any Error) -> HistoryOperation.Outcome {
    if let error = error as? CatalogError, error.code == .positionNotFound {
        return .refused(error.message)
    }
    return .failed("\(error)")
}
