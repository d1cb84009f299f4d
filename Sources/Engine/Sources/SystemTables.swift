import Catalog
import Columnar
import Iceberg
import Lineage
import Planner
import Tables

/// A table about the whole warehouse, in the schema `varve` or `information_schema`.
enum SystemTable: String, CaseIterable {
    case log = "varve.log"
    case tables = "varve.tables"
    case columns = "varve.columns"
    case lineage = "varve.lineage"
    case runs = "varve.runs"
    case functions = "varve.functions"
    case schemata = "information_schema.schemata"
    case standardTables = "information_schema.tables"
    case standardColumns = "information_schema.columns"
    case views = "varve.views"
    case constraints = "varve.constraints"
    case indexes = "varve.indexes"
    case standardViews = "information_schema.views"
    case tableConstraints = "information_schema.table_constraints"
    case metricsReports = "varve.metrics_reports"
    case branches = "varve.branches"
    case tags = "varve.tags"
    case droppedTables = "varve.dropped_tables"

    static let namespaces = ["varve", "information_schema"]

    var schema: Columnar.Schema {
        switch self {
        case .log:
            Columnar.Schema([
                Field("position", .int64, isNullable: false),
                Field("commit_index", .int32, isNullable: false),
                Field("committed_at", .timestamptz, isNullable: false),
                Field("actor", .string, isNullable: false), Field("operation", .string),
                Field("message", .string),
                Field("tables", .list(Field("element", .string)), isNullable: false),
                Field("snapshot_ids", .list(Field("element", .int64)), isNullable: false),
                Field("commit_id", .string, isNullable: false), Field("request_id", .string),
                Field("server", .string, isNullable: false), Field("branch", .string),
            ])
        case .tables:
            Columnar.Schema([
                Field("namespace", .string, isNullable: false),
                Field("name", .string, isNullable: false),
                Field("uuid", .string, isNullable: false),
                Field("location", .string, isNullable: false),
                Field("metadata_location", .string, isNullable: false),
                Field("format_version", .int32, isNullable: false),
                Field("current_snapshot_id", .int64), Field("snapshot_count", .int32),
                Field("row_count", .int64), Field("data_file_count", .int64),
                Field("data_byte_count", .int64),
                Field("last_updated_at", .timestamptz, isNullable: false),
            ])
        case .columns:
            Columnar.Schema([
                Field("namespace", .string, isNullable: false),
                Field("table_name", .string, isNullable: false),
                Field("name", .string, isNullable: false),
                Field("position", .int32, isNullable: false),
                Field("field_id", .int32, isNullable: false),
                Field("type", .string, isNullable: false),
                Field("nullable", .boolean, isNullable: false), Field("comment", .string),
            ])
        case .lineage:
            Columnar.Schema([
                Field("source", .string, isNullable: false), Field("source_column", .string),
                Field("source_snapshot_id", .int64), Field("target", .string, isNullable: false),
                Field("target_column", .string), Field("target_snapshot_id", .int64),
                Field("type", .string), Field("subtype", .string),
                Field("run_id", .string, isNullable: false),
                Field("position", .int64, isNullable: false),
            ])
        case .runs:
            Columnar.Schema([
                Field("run_id", .string, isNullable: false),
                Field("job_kind", .string, isNullable: false),
                Field("job", .string, isNullable: false), Field("job_version", .string),
                Field("inputs", .list(Field("element", .string)), isNullable: false),
                Field("output", .string, isNullable: false),
                Field("operation", .string, isNullable: false),
                Field("output_snapshot_id", .int64),
                Field("committed_at", .timestamptz, isNullable: false),
                Field("actor", .string, isNullable: false),
                Field("position", .int64, isNullable: false),
            ])
        case .functions:
            Columnar.Schema([
                Field("name", .string, isNullable: false),
                Field("kind", .string, isNullable: false),
                Field("category", .string, isNullable: false),
                Field("signature", .string, isNullable: false),
                Field("description", .string, isNullable: false),
                Field("example", .string, isNullable: false),
                Field("alias_of", .string),
            ])
        case .schemata:
            Columnar.Schema([
                Field("catalog_name", .string, isNullable: false),
                Field("schema_name", .string, isNullable: false),
                Field("schema_owner", .string),
            ])
        case .standardTables:
            Columnar.Schema([
                Field("table_catalog", .string, isNullable: false),
                Field("table_schema", .string, isNullable: false),
                Field("table_name", .string, isNullable: false),
                Field("table_type", .string, isNullable: false),
            ])
        case .standardColumns:
            Columnar.Schema([
                Field("table_catalog", .string, isNullable: false),
                Field("table_schema", .string, isNullable: false),
                Field("table_name", .string, isNullable: false),
                Field("column_name", .string, isNullable: false),
                Field("ordinal_position", .int32, isNullable: false),
                Field("column_default", .string), Field("is_nullable", .string, isNullable: false),
                Field("data_type", .string, isNullable: false),
            ])
        case .views, .constraints, .indexes, .standardViews, .tableConstraints: declaredSchema
        case .metricsReports: MetricsReports.schema
        case .branches, .tags, .droppedTables: referenceSchema
        }
    }
}

extension SourceResolver {
    /// The catalog's name in `information_schema`.
    private static let catalogName = "varve"

    /// `varve.log` and its like; nil when the name is none of them, or a table of the warehouse has it.
    func systemTable(
        _ parts: [String],
        _ version: Planner.TableVersion?
    ) async throws -> ResolvedSource? {
        var name = parts
        if parts.count == 1 { name = await session.namespace + parts }
        guard name.count == 2, SystemTable.namespaces.contains(name[0]) else { return nil }
        let snapshot = try await catalogSnapshot()
        if let own = try? TableIdentifier(try Namespace([name[0]]), name[1]),
            snapshot.state.table(own) != nil
        {
            return nil
        }
        guard let kind = SystemTable(rawValue: name.joined(separator: ".")) else {
            if try snapshot.state.hasNamespace(Namespace([name[0]])) { return nil }
            let known = SystemTable.allCases.map(\.rawValue).filter { $0.hasPrefix(name[0] + ".") }
            throw PlanError(
                .noSuchTable,
                "table \"\(name.joined(separator: "."))\" does not exist",
                hint: "There are \(known.joined(separator: ", "))."
            )
        }
        if version != nil {
            throw PlanError(
                .invalid,
                "\(kind.rawValue) has no versions of its own",
                hint: "SET as_of takes the whole catalog back."
            )
        }
        return resolved(kind.rawValue, kind.schema, try await rows(of: kind, snapshot))
    }

    /// Rows that are there already, as a source.
    func resolved(_ name: String, _ schema: Columnar.Schema, _ rows: [[Value]]) -> ResolvedSource {
        let batch = RecordBatch(schema, rows)
        return ResolvedSource(
            table: SourceTable(
                sourceID: sources.add(BatchSource(batches: [batch])),
                name: name,
                schema: schema,
                rowCount: rows.count
            )
        )
    }

    private func rows(of kind: SystemTable, _ snapshot: CatalogSnapshot) async throws -> [[Value]] {
        let catalog = Value.string(Self.catalogName)
        switch kind {
        case .log: return try await commits(to: snapshot.position).map(Self.logRow)
        case .lineage: return try await lineageRows(to: snapshot.position)
        case .runs: return try await runRows(to: snapshot.position)
        case .functions:
            return FunctionDescription.all.flatMap { function in
                function.names.map { name in
                    [
                        .string(name), .string(function.kind.rawValue),
                        .string(function.category), .string(function.signature),
                        .string(function.summary), .string(function.example),
                        name == function.names[0] ? .null : .string(function.names[0]),
                    ]
                }
            }
        case .schemata:
            let own = snapshot.state.allNamespaces.map(\.description)
            let names = own + SystemTable.namespaces.filter { !own.contains($0) }
            return names.map { [catalog, .string($0), .null] }
        case .standardTables:
            let own = await session.temporaryNames
            let tables = try snapshot.state.allTables().map {
                ($0, own.contains($0) ? "LOCAL TEMPORARY" : "BASE TABLE")
            }
            let views = try snapshot.state.allViews().map { ($0, "VIEW") }
            return (tables + views).map { name, kind in
                [
                    catalog, .string(name.namespace.description), .string(name.name),
                    .string(kind),
                ]
            }
        case .views, .constraints, .indexes, .standardViews, .tableConstraints:
            return try await declaredRows(of: kind, snapshot, catalog)
        case .metricsReports: return session.engine.metricsReports.rows
        case .branches, .tags, .droppedTables: return try await referenceRows(of: kind, snapshot)
        case .standardColumns:
            let views = try await standardColumns(ofViews: snapshot, catalog)
            let rows = try await loadedTables(snapshot).flatMap { table -> [[Value]] in
                let declared = (try? TableDeclarations(table.metadata))?.columns ?? [:]
                return table.metadata.currentSchema.fields.enumerated().map { index, field in
                    [
                        catalog, .string(table.identifier.namespace.description),
                        .string(table.identifier.name), .string(field.name),
                        .int32(Int32(clamping: index + 1)),
                        declared[field.id]?.defaultText.map { .string($0) } ?? .null,
                        .string(field.required ? "NO" : "YES"), .string(typeName(field)),
                    ]
                }
            }
            return rows + views
        case .columns:
            return try await loadedTables(snapshot).flatMap { table in
                table.metadata.currentSchema.fields.enumerated().map { index, field in
                    [
                        .string(table.identifier.namespace.description),
                        .string(table.identifier.name), .string(field.name),
                        .int32(Int32(clamping: index + 1)), .int32(Int32(clamping: field.id)),
                        .string(typeName(field)), .boolean(!field.required),
                        field.doc.map { .string($0) } ?? .null,
                    ]
                }
            }
        case .tables:
            return try await loadedTables(snapshot).map { table in
                let metadata = table.metadata
                let summary = metadata.currentSnapshot?.summary
                func total(_ name: String) -> Value {
                    if metadata.currentSnapshotID == nil { return .int64(0) }
                    return summary?[name].flatMap { Int64($0) }.map { .int64($0) } ?? .null
                }
                let hasDeletes = (summary?["total-delete-files"].flatMap { Int($0) } ?? 0) > 0
                return [
                    .string(table.identifier.namespace.description),
                    .string(table.identifier.name), .string(metadata.tableUUID),
                    .string(metadata.location), .string(table.metadataLocation),
                    .int32(Int32(clamping: metadata.formatVersion)),
                    metadata.currentSnapshotID.map { .int64($0) } ?? .null,
                    .int32(Int32(clamping: metadata.snapshots.count)),
                    hasDeletes ? .null : total("total-records"), total("total-data-files"),
                    total("total-files-size"),
                    .timestamptz(metadata.lastUpdatedMillis * 1000),
                ]
            }
        }
    }

    /// As DESCRIBE names the type; the specification's own name where there is no column type.
    func typeName(_ field: NestedField) -> String {
        (try? Field(field))?.type.description ?? "\(field.type)"
    }

    func loadedTables(_ snapshot: CatalogSnapshot) async throws -> [LoadedTable] {
        var loaded: [LoadedTable] = []
        for table in try snapshot.state.allTables() {
            try Task.checkCancellation()
            loaded.append(try await session.load(table, in: snapshot))
        }
        return loaded
    }

    // MARK: The log

    /// All commits up to a position, oldest first.
    private func commits(to position: Int64) async throws -> [HistoricCommit] {
        let catalog = try await session.engine.catalog(creating: false)
        var commits: [HistoricCommit] = []
        var next: Int64 = 1
        while next <= position {
            try Task.checkCancellation()
            let count = Int(min(position - next + 1, 1000))
            let page = try await catalog.commits(from: next, entryCountMax: count)
            commits += page.filter { $0.position <= position }
            next += Int64(count)
        }
        return commits
    }

    private static func logRow(_ commit: HistoricCommit) -> [Value] {
        var kinds: [String] = []
        var tables: [String] = []
        for change in commit.changes {
            let (kind, table) = change.kindAndName
            if !kinds.contains(kind) { kinds.append(kind) }
            if let table, !tables.contains(table) { tables.append(table) }
        }
        return [
            .int64(commit.position), .int32(Int32(clamping: commit.index)),
            .timestamptz(commit.timeMillis * 1000), .string(commit.actor),
            kinds.isEmpty ? .null : .string(kinds.joined(separator: ", ")),
            commit.message.map { .string($0) } ?? .null, .list(tables.map { .string($0) }),
            .list(commit.changes.compactMap(\.snapshotID).map { .int64($0) }),
            .string(commit.id), commit.requestID.map { .string($0) } ?? .null,
            .string(commit.server), commit.branch.map { .string($0) } ?? .null,
        ]
    }

    // MARK: Lineage

    private func lineageRows(to position: Int64) async throws -> [[Value]] {
        var rows: [[Value]] = []
        // A map is carried by the first commit that needs it.
        var maps: [String: ColumnMap] = [:]
        for commit in try await commits(to: position) {
            guard let json = commit.lineage, let lineage = try? CommitLineage(json: json) else {
                continue
            }
            maps.merge(lineage.columnMaps) { _, new in new }
            for fact in lineage.facts {
                let snapshotID =
                    fact.output.snapshotID ?? commit.snapshotID(of: fact.output.dataset)
                func row(
                    _ input: LineageFacts.Input,
                    _ target: String?,
                    _ origin: ColumnMap.Origin?
                ) -> [Value] {
                    [
                        .string(input.dataset.name),
                        origin.map { .string($0.column) } ?? .null,
                        input.snapshotID.map { .int64($0) } ?? .null,
                        .string(fact.output.dataset.name), target.map { .string($0) } ?? .null,
                        snapshotID.map { .int64($0) } ?? .null,
                        origin.map { .string($0.kind.rawValue) } ?? .null,
                        origin?.subtype.map { .string($0) } ?? .null, .string(fact.runID),
                        .int64(commit.position),
                    ]
                }
                guard let map = fact.columnMapHash.flatMap({ maps[$0] }) else {
                    rows += fact.inputs.map { row($0, nil, nil) }
                    continue
                }
                var isUsed = [Bool](repeating: false, count: fact.inputs.count)
                func add(_ origin: ColumnMap.Origin, _ target: String?) {
                    guard fact.inputs.indices.contains(origin.input) else { return }
                    isUsed[origin.input] = true
                    rows.append(row(fact.inputs[origin.input], target, origin))
                }
                for output in map.outputs {
                    for origin in output.origins { add(origin, output.name) }
                }
                // What decides about whole rows has no column as its target.
                for origin in map.rows { add(origin, nil) }
                for (input, used) in zip(fact.inputs, isUsed) where !used {
                    rows.append(row(input, nil, nil))
                }
            }
        }
        return rows
    }

    private func runRows(to position: Int64) async throws -> [[Value]] {
        var rows: [[Value]] = []
        for commit in try await commits(to: position) {
            guard let json = commit.lineage, let lineage = try? CommitLineage(json: json) else {
                continue
            }
            for fact in lineage.facts {
                let snapshotID =
                    fact.output.snapshotID ?? commit.snapshotID(of: fact.output.dataset)
                rows.append([
                    .string(fact.runID), .string(fact.job.kind), .string(fact.job.name),
                    fact.job.version.map { .string($0) } ?? .null,
                    .list(fact.inputs.map { .string($0.dataset.name) }),
                    .string(fact.output.dataset.name), .string(fact.output.operation),
                    snapshotID.map { .int64($0) } ?? .null,
                    .timestamptz(commit.timeMillis * 1000), .string(commit.actor),
                    .int64(commit.position),
                ])
            }
        }
        return rows
    }
}

extension HistoricCommit {
    /// The snapshot that the commit gave a table.
    fileprivate func snapshotID(of dataset: LineageFacts.Dataset) -> Int64? {
        guard case .table(let uuid, _) = dataset else { return nil }
        return changes.last { $0.concerns(tableUUID: uuid) && $0.snapshotID != nil }?.snapshotID
    }
}

extension LineageFacts.Dataset {
    /// The name that it had then.
    fileprivate var name: String {
        switch self {
        case .table(_, let name): name.joined(separator: ".")
        case .file(let path): path
        }
    }
}

extension CatalogChange {
    /// The kind as the log names it, and the table or namespace concerned.
    fileprivate var kindAndName: (String, String?) {
        switch self {
        case .createNamespace: ("create-namespace", nil)
        case .dropNamespace: ("drop-namespace", nil)
        case .updateNamespace: ("update-namespace", nil)
        case .createTable(let table, _, _): ("create-table", table.description)
        case .updateTable(let table, _, _, _, _): ("update-table", table.description)
        case .replaceTable(let table, _, _, _): ("replace-table", table.description)
        case .dropTable(let table, _, _): ("drop-table", table.description)
        case .renameTable(let table, _, _): ("rename-table", table.description)
        case .createView(let view, _): ("create-view", view.description)
        case .updateView(let view, _, _): ("update-view", view.description)
        case .dropView(let view, _): ("drop-view", view.description)
        case .renameView(let view, _, _): ("rename-view", view.description)
        case .onBranch: ("on-branch", nil)
        case .createBranch: ("create-branch", nil)
        case .dropBranch: ("drop-branch", nil)
        case .mergeBranch: ("merge-branch", nil)
        case .createTag: ("create-tag", nil)
        case .dropTag: ("drop-tag", nil)
        }
    }
}
