import Catalog
import Columnar
import Iceberg
import Planner
import SQL
import Tables

/// Views and constraints in the schemas `varve` and `information_schema`.
extension SystemTable {
    var declaredSchema: Columnar.Schema {
        switch self {
        case .views:
            Columnar.Schema([
                Field("namespace", .string, isNullable: false),
                Field("name", .string, isNullable: false),
                Field("uuid", .string, isNullable: false),
                Field("metadata_location", .string, isNullable: false),
                Field("version_id", .int32, isNullable: false),
                Field("dialect", .string), Field("definition", .string),
                Field("default_namespace", .string, isNullable: false),
                Field("comment", .string),
            ])
        case .constraints:
            Columnar.Schema([
                Field("namespace", .string, isNullable: false),
                Field("table_name", .string, isNullable: false),
                Field("name", .string, isNullable: false),
                Field("type", .string, isNullable: false),
                Field("definition", .string, isNullable: false),
            ])
        case .indexes:
            Columnar.Schema([
                Field("namespace", .string, isNullable: false),
                Field("table_name", .string, isNullable: false),
                Field("name", .string, isNullable: false),
                Field("is_unique", .boolean, isNullable: false),
                Field("columns", .list(Field("element", .string)), isNullable: false),
            ])
        case .standardViews:
            Columnar.Schema([
                Field("table_catalog", .string, isNullable: false),
                Field("table_schema", .string, isNullable: false),
                Field("table_name", .string, isNullable: false),
                Field("view_definition", .string),
            ])
        default:
            Columnar.Schema([
                Field("constraint_catalog", .string, isNullable: false),
                Field("constraint_schema", .string, isNullable: false),
                Field("constraint_name", .string, isNullable: false),
                Field("table_schema", .string, isNullable: false),
                Field("table_name", .string, isNullable: false),
                Field("constraint_type", .string, isNullable: false),
            ])
        }
    }
}

extension TableDeclarations.Rule {
    /// As `information_schema` names it.
    fileprivate var typeName: String {
        switch self {
        case .primaryKey: "PRIMARY KEY"
        case .unique: "UNIQUE"
        case .check: "CHECK"
        case .foreignKey: "FOREIGN KEY"
        }
    }
}

extension SourceResolver {
    private func loadedViews(
        _ snapshot: CatalogSnapshot
    ) async throws -> [(name: TableIdentifier, entry: TableEntry, metadata: ViewMetadata)] {
        var views: [(TableIdentifier, TableEntry, ViewMetadata)] = []
        let all = try snapshot.state.allViews()
        if all.isEmpty { return views }
        let catalog = try await session.engine.catalog(creating: false)
        for view in all {
            try Task.checkCancellation()
            views.append(
                (
                    view, try snapshot.state.existingView(view),
                    try await catalog.loadView(view, in: snapshot)
                )
            )
        }
        return views
    }

    /// The rows of `information_schema.columns` about views.
    func standardColumns(
        ofViews snapshot: CatalogSnapshot,
        _ catalog: Value
    ) async throws -> [[Value]] {
        try await loadedViews(snapshot).flatMap { view in
            view.metadata.currentSchema.fields.enumerated().map { index, field in
                [
                    catalog, .string(view.name.namespace.description), .string(view.name.name),
                    .string(field.name), .int32(Int32(clamping: index + 1)), .null,
                    .string("YES"), .string(typeName(field)),
                ]
            }
        }
    }

    func declaredRows(
        of kind: SystemTable,
        _ snapshot: CatalogSnapshot,
        _ catalog: Value
    ) async throws -> [[Value]] {
        func quoted(_ name: String) -> String {
            Printer.print([Identifier(name, isQuoted: true)])
        }
        switch kind {
        case .views:
            return try await loadedViews(snapshot).map { view in
                let version = view.metadata.currentVersion
                let text = view.metadata.ownText ?? version.representations.first?.sql
                let own = view.metadata.ownText != nil
                let dialect = own ? Session.viewDialect : version.representations.first?.dialect
                return [
                    .string(view.name.namespace.description), .string(view.name.name),
                    .string(view.metadata.viewUUID), .string(view.entry.metadataLocation),
                    .int32(Int32(clamping: version.versionID)),
                    dialect.map { .string($0) } ?? .null, text.map { .string($0) } ?? .null,
                    .string(version.defaultNamespace.joined(separator: ".")),
                    view.metadata.properties["comment"].map { .string($0) } ?? .null,
                ]
            }
        case .standardViews:
            return try await loadedViews(snapshot).map { view in
                [
                    catalog, .string(view.name.namespace.description), .string(view.name.name),
                    view.metadata.ownText.map { .string($0) } ?? .null,
                ]
            }
        case .indexes:
            return try await loadedTables(snapshot).flatMap { table -> [[Value]] in
                let schema = table.metadata.currentSchema
                // Declarations that cannot be read are nobody's answer here.
                let plain = ((try? TableIndexes(table.metadata))?.indexes ?? [])
                    .map { ($0.name, false, $0.columns) }
                let unique = ((try? TableDeclarations(table.metadata))?.constraints ?? [])
                    .compactMap { constraint -> (String, Bool, [Int])? in
                        guard case .unique(let ids) = constraint.rule else { return nil }
                        return (constraint.name, true, ids)
                    }
                return (plain + unique).map { name, isUnique, ids in
                    [
                        .string(table.identifier.namespace.description),
                        .string(table.identifier.name), .string(name), .boolean(isUnique),
                        .list(ids.map { schema.fullName(id: $0).map { .string($0) } ?? .null }),
                    ]
                }
            }
        default:
            var rows: [[Value]] = []
            for table in try await loadedTables(snapshot) {
                let schema = table.metadata.currentSchema
                let namespace = Value.string(table.identifier.namespace.description)
                let name = Value.string(table.identifier.name)
                // Declarations that cannot be read are nobody's answer here.
                let declared = try? TableDeclarations(table.metadata)
                for constraint in declared?.constraints ?? [] {
                    let type = Value.string(constraint.rule.typeName)
                    rows.append(
                        kind == .constraints
                            ? [
                                namespace, name, .string(constraint.name), type,
                                .string(constraint.text(schema, quoted)),
                            ]
                            : [
                                catalog, namespace, .string(constraint.name), namespace, name,
                                type,
                            ]
                    )
                }
            }
            return rows
        }
    }
}
