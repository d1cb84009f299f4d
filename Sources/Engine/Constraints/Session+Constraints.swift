import Catalog
import Columnar
import Execution
import Iceberg
import ObjectStorage
import Planner
import SQL
import Tables

// How constraints hold: the rows that a statement writes lie in files that nobody can see yet. They are
// checked there, and against the table as the statement read it, before the commit; a violation is the
// statement's error, and nothing happened. The commit then carries a step that runs for every attempt, on
// the table as the attempt found it: it looks at the files that came since, and at other tables that
// changed since. What it finds is a conflict: the statement is run again and gives its own error then, or
// finds that all is well. Rules that were declared in between are a conflict too. So of two writers of one
// key, whoever is second in the log fails.

/// Files of rows to look at.
struct RowFiles {
    var reader: TableReader
    var files: [PlannedFile]
}

extension PlannedFile {
    /// What makes the rows of a file: the file, and what was deleted from it.
    fileprivate var contents: [String] {
        [file.filePath] + deletes.map { "\($0.file.filePath)@\($0.file.contentOffset ?? 0)" }
    }
}

/// What was found right before a commit, so that the commit itself looks only at what came after.
private struct Verified: Sendable {
    /// The contents of the table's files.
    var contents: Set<[String]> = []
    /// Where the metadata of other tables were.
    var others: [TableIdentifier: String] = [:]
}

extension Session {
    /// The change of a table's files, and what holds it to the table's declarations.
    ///
    /// - Throws: `badRows` for rows that break them; the added files are left to the caller.
    func verifiedChange(
        _ kind: Tables.TableChange.Kind,
        added: [DataFile],
        table: OpenTable,
        operation: SnapshotOperation? = nil
    ) async throws -> [CatalogOperation] {
        let change = fileChange(kind, added: added, table: table, operation: operation)
        let declared = try TableDeclarations(table.metadata)
        var removesRows = true
        if case .append = kind { removesRows = false }
        let hasRules = !added.isEmpty && !declared.constraints.isEmpty
        let hasReferrers = removesRows && !declared.referrers.isEmpty
        guard hasRules || hasReferrers else { return [change] }

        let reader = try TableReader(
            table.metadata,
            at: defaultVersion(of: table.metadata),
            storage: table.storage,
            metadataFile: table.metadataLocation
        )
        let before = try await reader.plan().files
        var existing = before
        switch kind {
        case .append: break
        case .rewrite(let removed, _):
            let paths = Set(removed.map(\.filePath))
            existing = before.filter { !paths.contains($0.file.filePath) }
        case .overwrite: existing = []
        }
        let new = added.map { PlannedFile(written: $0) }
        try await checkRows(declared, RowFiles(reader: reader, files: new), table.identifier)
        try await checkKeys(
            declared,
            RowFiles(reader: reader, files: new),
            against: RowFiles(reader: reader, files: existing),
            table.identifier
        )
        let snapshot = try await catalogSnapshot(creating: false)
        let others = try await relatedTables(declared, table, snapshot, isParent: hasReferrers)
        let after = RowFiles(reader: reader, files: existing + new)
        try await checkReferences(declared, new, after, others, table, hasReferrers)

        var verified = Verified(contents: Set(before.map(\.contents)))
        for other in others {
            verified.others[other.identifier] = other.metadataLocation ?? ""
        }
        return [change, verification(declared, new, table, verified, hasReferrers)]
    }

    /// The step of a commit that looks at what came after the rows were checked.
    private func verification(
        _ declared: TableDeclarations,
        _ new: [PlannedFile],
        _ table: OpenTable,
        _ verified: Verified,
        _ hasReferrers: Bool
    ) -> CatalogOperation {
        let names = [table.identifier] + verified.others.keys.sorted()
        let paths = Set(new.map(\.file.filePath))
        return .verify(names) { view in
            guard let now = view.tables[table.identifier] else {
                throw Self.changedMeanwhile(table.identifier)
            }
            let storage =
                view.unwritten.isEmpty
                ? table.storage
                : TableStorage(OverlayStore(below: table.storage.store, files: view.unwritten))
            do {
                let reader = try TableReader(
                    now.metadata,
                    at: await self.defaultVersion(of: now.metadata),
                    storage: storage,
                    metadataFile: now.metadataLocation
                )
                let files = try await reader.plan().files
                let others = files.filter { !paths.contains($0.file.filePath) }
                let fresh = others.filter { !verified.contents.contains($0.contents) }
                if !fresh.isEmpty {
                    try await self.checkKeys(
                        declared,
                        RowFiles(reader: reader, files: new),
                        against: RowFiles(reader: reader, files: fresh),
                        table.identifier
                    )
                }
                let changed = verified.others.contains { name, location in
                    view.tables[name]?.metadataLocation != location
                }
                if changed || (!fresh.isEmpty && hasReferrers) {
                    let related = view.tables.values
                        .filter { $0.identifier != table.identifier }
                        .map { other in
                            OpenTable(
                                identifier: other.identifier,
                                metadata: other.metadata,
                                storage: TableStorage(
                                    OverlayStore(
                                        below: table.storage.store,
                                        files: view.unwritten
                                    )
                                ),
                                metadataLocation: other.metadataLocation
                            )
                        }
                    try await self.checkReferences(
                        declared,
                        new,
                        RowFiles(reader: reader, files: files),
                        related,
                        table,
                        hasReferrers
                    )
                }
            } catch let error as EngineError where error.code == .badRows {
                throw CatalogError(.conflict, "another commit came first: \(error.message)")
            }
        }
    }

    static func changedMeanwhile(_ table: TableIdentifier) -> CatalogError {
        CatalogError(.conflict, "table \(table) was changed or dropped by another commit")
    }

    // MARK: Rows by themselves

    /// CHECK constraints of rows.
    func checkRows(
        _ declared: TableDeclarations,
        _ rows: RowFiles,
        _ table: TableIdentifier
    ) async throws {
        if rows.files.isEmpty { return }
        for constraint in declared.constraints {
            guard case .check(let check) = constraint.rule else { continue }
            var columns = check.columns.sorted { $0.key < $1.key }.map { name, id in
                (name: name, id: id)
            }
            // Something must be read for the rows to be counted.
            if columns.isEmpty, let first = rows.reader.schema.fields.first {
                columns = [("varve any", first.id)]
            }
            let given = try given("varve rows", rows, columns)
            let alias = Printer.print([
                Identifier(check.table.isEmpty ? table.name : check.table, isQuoted: true)
            ])
            let found = try await firstRow(
                "SELECT \(Self.texts(columns.map(\.name))) FROM \"varve rows\" AS \(alias) "
                    + "WHERE NOT (\(check.text)) LIMIT 1",
                [given]
            )
            if let found {
                throw EngineError(
                    .badRows,
                    "CHECK constraint \"\(constraint.name)\" of table \(table) does not hold "
                        + "(\(check.text)): \(Self.text(columns.map(\.name), found))"
                )
            }
        }
    }

    // MARK: Keys

    /// That new rows have keys that no other new row has, and no row of other files.
    func checkKeys(
        _ declared: TableDeclarations,
        _ new: RowFiles,
        against existing: RowFiles,
        _ table: TableIdentifier
    ) async throws {
        if new.files.isEmpty { return }
        for constraint in declared.constraints {
            guard let key = constraint.rule.key else { continue }
            let columns = try named(key, new.reader, constraint)
            let names = columns.indices.map { "k\($0)" }
            let list = names.joined(separator: ", ")
            let isKey = names.map { "\($0) IS NOT NULL" }.joined(separator: " AND ")
            let rows = try given("varve rows", new, zip(names, key).map { ($0, $1) })
            var found = try await firstRow(
                "SELECT \(Self.texts(names)) FROM \"varve rows\" WHERE \(isKey) GROUP BY \(list) "
                    + "HAVING count(*) > 1 LIMIT 1",
                [rows]
            )
            if found == nil, !existing.files.isEmpty {
                let others = try given(
                    "varve others",
                    existing,
                    zip(names, key).map { ($0, $1) }
                )
                let same = names.map { "o.\($0) = r.\($0)" }.joined(separator: " AND ")
                found = try await firstRow(
                    "SELECT \(Self.texts(names)) FROM \"varve rows\" r WHERE \(isKey) AND EXISTS "
                        + "(SELECT 1 FROM \"varve others\" o WHERE \(same)) LIMIT 1",
                    [rows, others]
                )
            }
            if let found {
                throw EngineError(
                    .badRows,
                    "duplicate key (\(Self.text(columns, found))) violates constraint "
                        + "\"\(constraint.name)\" of table \(table)",
                    hint: "INSERT … ON CONFLICT says what to do with such rows."
                )
            }
        }
    }

    // MARK: Foreign keys

    /// The other tables that a table's foreign keys are about, at a state of the catalog.
    func relatedTables(
        _ declared: TableDeclarations,
        _ table: OpenTable,
        _ snapshot: CatalogSnapshot,
        isParent: Bool
    ) async throws -> [OpenTable] {
        var wanted: Set<String> = []
        for constraint in declared.constraints {
            if case .foreignKey(let key) = constraint.rule { wanted.insert(key.tableUUID) }
        }
        if isParent { wanted.formUnion(declared.referrers.map(\.tableUUID)) }
        wanted.remove(table.metadata.tableUUID)
        if wanted.isEmpty { return [] }
        var tables: [OpenTable] = []
        for name in try snapshot.state.allTables() {
            guard let entry = snapshot.state.table(name), wanted.contains(entry.uuid) else {
                continue
            }
            tables.append(
                try await openTable(name.namespace.levels + [name.name], in: snapshot)
            )
        }
        return tables
    }

    /// That rows refer to rows that are there, and rows of others to what stays of the table.
    ///
    /// - Parameters:
    ///   - after: all files of the table as they are then.
    private func checkReferences(
        _ declared: TableDeclarations,
        _ new: [PlannedFile],
        _ after: RowFiles,
        _ others: [OpenTable],
        _ table: OpenTable,
        _ hasReferrers: Bool
    ) async throws {
        let own = table.metadata.tableUUID
        for constraint in declared.constraints {
            guard case .foreignKey(let key) = constraint.rule, !new.isEmpty else { continue }
            let parent: RowFiles
            if key.tableUUID == own {
                parent = after
            } else {
                guard let other = others.first(where: { $0.metadata.tableUUID == key.tableUUID })
                else {
                    throw EngineError(
                        .badRows,
                        "table \(key.tableName.joined(separator: ".")), to which constraint "
                            + "\"\(constraint.name)\" of table \(table.identifier) refers, is gone",
                        hint: "ALTER TABLE … DROP CONSTRAINT."
                    )
                }
                parent = try await rowFiles(of: other)
            }
            try await checkReference(
                key,
                constraint.name,
                from: RowFiles(reader: after.reader, files: new),
                of: table.identifier,
                to: parent
            )
        }
        guard hasReferrers else { return }
        for referrer in declared.referrers {
            let child: (files: RowFiles, metadata: TableMetadata, name: TableIdentifier)
            if referrer.tableUUID == own {
                child = (after, table.metadata, table.identifier)
            } else {
                guard
                    let other = others.first(where: {
                        $0.metadata.tableUUID == referrer.tableUUID
                    })
                else { continue }
                child = (try await rowFiles(of: other), other.metadata, other.identifier)
            }
            for constraint in try TableDeclarations(child.metadata).constraints {
                guard case .foreignKey(let key) = constraint.rule, key.tableUUID == own else {
                    continue
                }
                try await checkReference(
                    key,
                    constraint.name,
                    from: child.files,
                    of: child.name,
                    to: after
                )
            }
        }
    }

    func rowFiles(of table: OpenTable) async throws -> RowFiles {
        let reader = try TableReader(
            table.metadata,
            at: defaultVersion(of: table.metadata),
            storage: table.storage,
            metadataFile: table.metadataLocation
        )
        return RowFiles(reader: reader, files: try await reader.plan().files)
    }

    func checkReference(
        _ key: TableDeclarations.ForeignKey,
        _ name: String,
        from child: RowFiles,
        of table: TableIdentifier,
        to parent: RowFiles
    ) async throws {
        if child.files.isEmpty { return }
        let names = key.columns.indices.map { "k\($0)" }
        let isKey = names.map { "r.\($0) IS NOT NULL" }.joined(separator: " AND ")
        let same = names.map { "p.\($0) = r.\($0)" }.joined(separator: " AND ")
        let rows = try given("varve rows", child, zip(names, key.columns).map { ($0, $1) })
        var tables = [rows]
        var condition = isKey
        if !parent.files.isEmpty {
            tables.append(
                try given("varve others", parent, zip(names, key.referenced).map { ($0, $1) })
            )
            condition += " AND NOT EXISTS (SELECT 1 FROM \"varve others\" p WHERE \(same))"
        }
        let found = try await firstRow(
            "SELECT \(Self.texts(names)) FROM \"varve rows\" r "
                + "WHERE \(condition) LIMIT 1",
            tables
        )
        if let found {
            let columns = key.columns.map { child.reader.schema.field(id: $0)?.name ?? "?" }
            throw EngineError(
                .badRows,
                "row (\(Self.text(columns, found))) of table \(table) would refer to no row of table "
                    + "\(key.tableName.joined(separator: ".")): foreign key \"\(name)\""
            )
        }
    }

    // MARK: Looking

    /// The names of a constraint's columns.
    private func named(
        _ ids: [Int],
        _ reader: TableReader,
        _ constraint: TableDeclarations.Constraint
    ) throws -> [String] {
        try ids.map { id in
            guard let field = reader.schema.fields.first(where: { $0.id == id }) else {
                throw EngineError(
                    .invalid,
                    "constraint \"\(constraint.name)\" is about a column that the table has not any more",
                    hint: "ALTER TABLE … DROP CONSTRAINT."
                )
            }
            return field.name
        }
    }

    /// Some columns of files under names of their own.
    func given(
        _ name: String,
        _ rows: RowFiles,
        _ columns: [(name: String, id: Int)]
    ) throws -> GivenTable {
        let fields = try Columnar.Schema(rows.reader.schema).fields
        let own = try columns.map { column -> Field in
            guard var field = fields.first(where: { $0.id == column.id }) else {
                throw EngineError(
                    .invalid,
                    "a declaration of the table names column \"\(column.name)\", which is not there "
                        + "any more"
                )
            }
            field.name = column.name
            field.isNullable = true
            return field
        }
        return GivenTable(
            name: name,
            schema: Columnar.Schema(own),
            source: TableReadSource(
                reader: rows.reader,
                fieldIDs: columns.map(\.id),
                chosen: TablePlan(rows.files)
            )
        )
    }

    /// The first row of a query over given tables; nil when it has none.
    func firstRow(_ text: String, _ given: [GivenTable]) async throws -> [Value]? {
        let prepared = try await prepare(try Parser.parseQuery(text), [:], given: given)
        return try await withRows(of: prepared) { rows in
            while let batch = try await rows.next() {
                if batch.rowCount > 0 { return batch.columns.map { $0.value(at: 0) } }
            }
            return nil
        }
    }

    private static func texts(_ names: [String]) -> String {
        names.map { "CAST(\(Printer.print([Identifier($0, isQuoted: true)])) AS VARCHAR)" }
            .joined(separator: ", ")
    }

    private static func text(_ names: [String], _ values: [Value]) -> String {
        zip(names, values).map { name, value in
            if case .string(let text) = value { return "\(name): \(text)" }
            return "\(name): NULL"
        }.joined(separator: ", ")
    }
}
