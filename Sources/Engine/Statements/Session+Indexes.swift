import Catalog
import Columnar
import Iceberg
import Planner
import SQL
import Tables

/// Indexes: unique ones are constraints, the others bloom filters in the files that are written from then on.
extension Session {
    func runCreateIndex(
        _ create: CreateIndex,
        _ parameters: Parameters,
        _ consume: @escaping Consumer
    ) async throws {
        try requirePresent()
        let snapshot = try await catalogSnapshot(creating: false)
        let table = try await openTable(create.table.map(\.folded), in: snapshot)
        let name = create.name.folded
        if let place = try await findIndex(name, near: table, in: snapshot) {
            if create.isIfNotExists {
                return try await consume(.done(StatementSummary(tag: "CREATE INDEX")))
            }
            throw EngineError(
                .alreadyExists,
                "there is an index \"\(name)\" already, on table \(place.table.identifier)",
                hint: "Use CREATE INDEX IF NOT EXISTS, or another name."
            )
        }
        if create.isUnique {
            let alter = AlterTable(
                create.table,
                .addConstraint(.named(create.name, .unique(create.columns))),
                span: create.span
            )
            return try await runAlterTable(alter, parameters) { outcome in
                guard case .done(var summary) = outcome else { return try await consume(outcome) }
                summary.tag = "CREATE INDEX"
                try await consume(.done(summary))
            }
        }
        let columns = create.columns
        let receipt = try await commit([
            changeIndexes(of: table) { indexes, metadata in
                let fields = try Columnar.Schema(metadata.currentSchema)
                let ids = try columns.map { column -> Int in
                    let field = try fields.field(named: column, of: table.identifier)
                    guard !field.type.isNested, let id = field.id else {
                        throw PlanError(
                            .invalid,
                            "column \"\(field.name)\" of type \(field.type) cannot be indexed",
                            hint: "Columns of plain types can.",
                            at: column.span
                        )
                    }
                    return id
                }
                guard indexes.find(name) == nil else {
                    throw CatalogError(.conflict, "another commit made an index \"\(name)\"")
                }
                indexes.indexes.append(TableIndexes.Index(name: name, columns: ids))
            }
        ])
        try await consume(
            .done(StatementSummary(tag: "CREATE INDEX", position: receipt.position))
        )
    }

    func runDropIndex(
        _ drop: DropIndex,
        _ parameters: Parameters,
        _ consume: @escaping Consumer
    ) async throws {
        try requirePresent()
        var position: Int64?
        for wanted in drop.names {
            let parts = wanted.map(\.folded)
            guard let name = parts.last else { continue }
            let snapshot = try await catalogSnapshot(creating: false)
            let levels = parts.count > 1 ? Array(parts.dropLast()) : namespace
            guard let place = try await findIndex(name, levels, in: snapshot) else {
                if drop.isIfExists { continue }
                throw PlanError(
                    .invalid,
                    "index \"\(name)\" does not exist",
                    hint: "varve.indexes lists all.",
                    at: wanted.span
                )
            }
            if place.isUnique {
                let identifier = place.table.identifier
                let path = (identifier.namespace.levels + [identifier.name])
                    .map { Identifier($0, isQuoted: true) }
                let alter = AlterTable(
                    path,
                    .dropConstraint(Identifier(place.name), isIfExists: false),
                    span: drop.span
                )
                try await runAlterTable(alter, parameters) { _ in }
                continue
            }
            let own = place.name
            position = try await commit([
                changeIndexes(of: place.table) { indexes, _ in
                    if let index = indexes.find(own) { indexes.indexes.remove(at: index) }
                }
            ]).position
        }
        try await consume(.done(StatementSummary(tag: "DROP INDEX", position: position)))
    }

    /// The change of a table's indexes, made from the table as it is when the commit is tried.
    private func changeIndexes(
        of table: OpenTable,
        _ body: @Sendable @escaping (inout TableIndexes, TableMetadata) throws -> Void
    ) -> CatalogOperation {
        .changeTable(table.identifier) { base in
            guard let metadata = base.metadata else {
                throw EngineError(.notFound, "table \(table.identifier) was dropped meanwhile")
            }
            var indexes = try TableIndexes(metadata)
            try body(&indexes, metadata)
            return Catalog.TableChange(
                requirements: [.assertTableUUID(metadata.tableUUID)],
                updates: try indexes.updates(metadata)
            )
        }
    }

    private struct IndexPlace {
        var table: OpenTable
        var name: String
        /// Whether it is a unique constraint.
        var isUnique: Bool
    }

    /// The index of a name in the namespace of a table.
    private func findIndex(
        _ name: String,
        near table: OpenTable,
        in snapshot: CatalogSnapshot
    ) async throws -> IndexPlace? {
        try await findIndex(name, table.identifier.namespace.levels, in: snapshot)
    }

    /// The index of a name in a namespace, and among the session's own tables.
    private func findIndex(
        _ name: String,
        _ levels: [String],
        in snapshot: CatalogSnapshot
    ) async throws -> IndexPlace? {
        let namespace = try Namespace(levels)
        var tables =
            snapshot.state.hasNamespace(namespace)
            ? try snapshot.state.tables(in: namespace) : []
        tables = temporaryNames.sorted() + tables.filter { !temporaryNames.contains($0) }
        for identifier in tables {
            try Task.checkCancellation()
            let properties = try await load(identifier, in: snapshot).metadata.properties
            guard properties[TableIndexes.key] != nil || TableDeclarations.exist(in: properties)
            else { continue }
            let table = try await openTable(
                identifier.namespace.levels + [identifier.name],
                in: snapshot
            )
            let indexes = try TableIndexes(table.metadata)
            if let place = indexes.find(name) {
                return IndexPlace(
                    table: table,
                    name: indexes.indexes[place].name,
                    isUnique: false
                )
            }
            for constraint in try TableDeclarations(table.metadata).constraints {
                guard case .unique = constraint.rule,
                    constraint.name.lowercased() == name.lowercased()
                else { continue }
                return IndexPlace(table: table, name: constraint.name, isUnique: true)
            }
        }
        return nil
    }
}
