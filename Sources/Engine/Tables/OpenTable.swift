import Ambient
import Catalog
import CommitLog
import Columnar
import Execution
import Iceberg
import ObjectStorage
import Planner
import Tables

/// A table of the catalog at one state, ready to be read or changed.
struct OpenTable: Sendable {
    var identifier: TableIdentifier
    var metadata: TableMetadata
    var storage: TableStorage
    /// The file that the metadata were read from; nil for a table that is being made.
    var metadataLocation: String?
    /// The id of the snapshot that a statement may add to a branch, or in a transaction; nil elsewhere.
    ///
    /// The log only says what `main` is at in the end, so lineage has to name it; and what a transaction
    /// stages has the same id when it is committed.
    var branchSnapshotID: Int64?

    /// Whether it is only as this process knew it, so that commits must find the same definition.
    var isUnseen = false

    /// Whether only the session has it.
    var isTemporary = false

    /// Whether its rows have ids, or get them with the next commit.
    var hasRowLineage: Bool { metadata.formatVersion >= 3 }

    /// The columns of row lineage that scans of it have beside its own.
    var lineageFields: [Field] { hasRowLineage ? MetadataColumn.rowLineage : [] }

    /// What a statement sees of a version with these columns: hidden ones come behind them.
    func seenSchema(_ columns: Columnar.Schema) -> Columnar.Schema {
        Columnar.Schema(columns.fields + [MetadataColumn.rowNumber] + lineageFields)
    }

    /// Where a scan has these columns.
    func lineagePositions(from first: Int) -> RowLineagePositions? {
        hasRowLineage ? RowLineagePositions(rowID: first, lastUpdated: first + 1) : nil
    }

    var origin: TableOrigin {
        TableOrigin(
            identifier: identifier,
            uuid: metadata.tableUUID,
            snapshotID: metadata.currentSnapshotID
        )
    }
}

/// A version of a table that a statement reads.
struct TableReadSource: OpenedSource {
    let reader: TableReader
    /// Field ids by position of the schema that the statement sees.
    let fieldIDs: [Int]
    /// The files to read, when they were chosen before; nil for what pruning leaves.
    var chosen: TablePlan?

    func open(
        _ request: ScanRequest,
        _ service: FetchService,
        _ meter: ScanMeter
    ) throws -> any ScanSource {
        let ids = request.positions.map { fieldIDs[$0] }
        let isNumbered = ids.contains { $0 == MetadataColumn.rowNumber.id }
        let predicate = TablePredicate(request.filters) { ids[$0] }
        let (reader, chosen) = (reader, chosen)
        return try service.wait { () -> any ScanSource in
            var plan: TablePlan
            if let chosen {
                plan = chosen
                plan.predicate = predicate
            } else {
                plan = try await reader.plan(predicate, meter: meter)
            }
            if isNumbered { plan.ordinals = try await reader.ordinals() }
            if ids.isEmpty, predicate == .always, let rows = plan.rowCount {
                return CountScan(rowCount: Int(rows))
            }
            return ParquetScanSource(
                try await reader.openScan(
                    plan,
                    fieldIDs: ids,
                    coded: request.codedPositions,
                    late: request.latePositions,
                    options: ScanOptions(wantedRowCount: request.wantedRowCount),
                    service: service,
                    meter: meter
                )
            )
        }
    }
}

extension Session {
    /// Finds a table by the parts of its name, at a state of the catalog.
    ///
    /// Names are looked up as folded; when there is none, one that differs only in case will do.
    func openTable(_ parts: [String], in snapshot: CatalogSnapshot) async throws -> OpenTable {
        if let own = try await openTemporaryTable(parts, in: snapshot) { return own }
        let wanted = try identifier(parts)
        let state = snapshot.state
        var found: TableIdentifier?
        if state.table(wanted) != nil {
            found = wanted
        } else if state.hasNamespace(wanted.namespace) {
            let others = try state.tables(in: wanted.namespace)
            let same = others.filter { $0.name.lowercased() == wanted.name.lowercased() }
            if same.count == 1 { found = same.first }
        }
        guard let found else { throw noSuchTable(wanted, state) }
        let catalog = try await engine.catalog(creating: false)
        let loaded = try await catalog.load(found, in: snapshot)
        return OpenTable(
            identifier: found,
            metadata: loaded.metadata,
            storage: try storage(of: loaded.metadata, catalog),
            metadataLocation: loaded.metadataLocation,
            branchSnapshotID: tableBranch != nil || reference != nil || transaction != nil
                ? engine.options.ambient.snapshotID() : nil
        )
    }

    private func noSuchTable(_ wanted: TableIdentifier, _ state: CatalogState) -> PlanError {
        guard state.hasNamespace(wanted.namespace) else {
            let near = nearest(
                to: wanted.namespace.description,
                among: state.allNamespaces.map(\.description)
            )
            return PlanError(
                .noSuchTable,
                "namespace \"\(wanted.namespace)\" does not exist",
                hint: near.map { "Did you mean \"\($0)\"?" }
            )
        }
        if state.view(wanted) != nil {
            return PlanError(
                .invalid,
                "\"\(wanted)\" is a view: it has no rows of its own to change, and no versions",
                hint: "Name the tables that it reads; SET as_of takes the whole catalog back."
            )
        }
        let names = (try? state.tables(in: wanted.namespace).map(\.name)) ?? []
        let near = nearest(to: wanted.name, among: names)
        return PlanError(
            .noSuchTable,
            "table \"\(wanted)\" does not exist",
            hint: near.map { "Did you mean \"\($0)\"?" }
        )
    }

    /// The store that a table's files are in: the warehouse's, or one of its own.
    func storage(
        of metadata: TableMetadata,
        _ catalog: WarehouseCatalog
    ) throws -> TableStorage {
        if catalog.key(of: metadata.location) != nil { return TableStorage(catalog.store) }
        return TableStorage(
            try openStore(url: metadata.location, options: engine.options.store)
        )
    }
}

extension TableReader {
    /// The columns that statements see, with their field ids.
    func columns() throws -> Columnar.Schema { try Columnar.Schema(schema) }

    /// How many rows the version has by what its writer noted, where that is said.
    var notedRowCount: Int? {
        guard let snapshot else { return 0 }
        let summary = snapshot.summary
        guard (summary["total-delete-files"].flatMap { Int($0) } ?? 0) == 0 else { return nil }
        return summary["total-records"].flatMap { Int($0) }
    }
}

extension TableReader {
    /// What manifests say of the rows and of the columns with these field ids, by their position; no rows
    /// and columns of tables with so many manifests that reading them all would cost more than a better
    /// plan brings.
    fileprivate func statistics(
        _ fieldIDs: [Int]
    ) async throws -> (rowCount: Int?, bounds: [Int: Planner.ColumnBounds]) {
        guard snapshot != nil else { return (0, [:]) }
        guard try await manifests().count <= 16 else { return (nil, [:]) }
        let plan = try await plan(.always)
        let known = bounds(plan, fieldIDs: fieldIDs)
        var result: [Int: Planner.ColumnBounds] = [:]
        for (position, id) in fieldIDs.enumerated() { result[position] = known[id]?.planned }
        return (plan.rowCount.flatMap { Int(exactly: $0) }, result)
    }
}

extension SourceResolver {
    /// The table that a name means, at the version asked for.
    func table(
        _ parts: [String],
        _ version: Planner.TableVersion?
    ) async throws -> ResolvedSource {
        if let system = try await systemTable(parts, version) { return system }
        let snapshot = try await catalogSnapshot()
        if let metadata = try await metadataTable(parts, version, snapshot) { return metadata }
        let table = try await session.openTable(parts, in: snapshot)
        if table.isTemporary { usesTemporary.insert(table.identifier.name) }
        let current = await session.defaultVersion(of: table.metadata)
        let reader = try TableReader(
            table.metadata,
            at: version.map { Tables.TableVersion($0) } ?? current,
            storage: table.storage,
            metadataFile: table.metadataLocation
        )
        let columns = try reader.columns()
        let seen = table.seenSchema(columns)
        let fieldIDs = seen.fields.map { $0.id ?? 0 }
        let source = TableReadSource(reader: reader, fieldIDs: fieldIDs, chosen: nil)
        let statistics = try await reader.statistics(columns.fields.map { $0.id ?? 0 })
        var origin = table.origin
        origin.snapshotID = reader.snapshot?.snapshotID
        return ResolvedSource(
            table: SourceTable(
                sourceID: sources.add(source),
                name: table.identifier.description,
                schema: seen,
                rowCount: statistics.rowCount ?? reader.notedRowCount,
                isRowCountExact: statistics.rowCount != nil,
                bounds: statistics.bounds,
                rowNumberPosition: columns.count,
                rowLineage: table.lineagePositions(from: columns.count + 1),
                collations: (try? TableDeclarations(table.metadata))?.collations(columns) ?? [:]
            ),
            // What only the session has is no dataset of the lake.
            origin: table.isTemporary ? nil : origin
        )
    }
}

extension SourceResolver {
    /// `ns.t.snapshots` and its like; nil when the name is not of that form, or a table has it.
    private func metadataTable(
        _ parts: [String],
        _ version: Planner.TableVersion?,
        _ snapshot: CatalogSnapshot
    ) async throws -> ResolvedSource? {
        guard parts.count >= 2, let last = parts.last, let kind = MetadataTable(rawValue: last),
            let full = try? await session.identifier(parts), snapshot.state.table(full) == nil,
            let table = try? await session.openTable(Array(parts.dropLast()), in: snapshot)
        else { return nil }
        let reader = try TableReader(
            table.metadata,
            at: version.map { Tables.TableVersion($0) } ?? .current,
            storage: table.storage,
            metadataFile: table.metadataLocation
        )
        let batches = try await kind.batches(reader, metadataFile: table.metadataLocation)
        let schema = try kind.schema(table.metadata)
        return ResolvedSource(
            table: SourceTable(
                sourceID: sources.add(BatchSource(batches: batches)),
                name: parts.joined(separator: "."),
                schema: schema,
                rowCount: batches.reduce(0) { $0 + $1.rowCount }
            )
        )
    }
}

extension Tables.TableVersion {
    init(_ version: Planner.TableVersion) {
        switch version {
        case .snapshot(let id): self = .snapshotID(id)
        case .reference(let name): self = .ref(name)
        case .timestamp(let micros): self = .timeMillis(micros / 1000)
        }
    }
}
