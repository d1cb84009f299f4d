import Ambient
import Catalog
import Columnar
import Iceberg
import Planner
import SQL
import Tables

/// A foreign key as a statement declares it, with the table that it refers to.
struct ForeignKeyDraft: Sendable {
    var name: String?
    var columns: [Identifier]
    var target: ForeignKeyTarget
    /// nil for the table that is being made itself.
    var parent: OpenTable?
}

extension TableDeclarations.Constraint {
    /// The constraint as CREATE TABLE says it.
    func text(_ schema: Iceberg.Schema, _ quoted: (String) -> String) -> String {
        func names(_ ids: [Int]) -> String {
            ids.map { quoted(schema.field(id: $0)?.name ?? "field \($0)") }.joined(separator: ", ")
        }
        let head = "CONSTRAINT \(quoted(name)) "
        switch rule {
        case .primaryKey(let columns): return head + "PRIMARY KEY (\(names(columns)))"
        case .unique(let columns): return head + "UNIQUE (\(names(columns)))"
        case .check(let check): return head + "CHECK (\(check.text))"
        case .foreignKey(let key):
            let table = key.tableName.map(quoted).joined(separator: ".")
            return head + "FOREIGN KEY (\(names(key.columns))) REFERENCES \(table)"
        }
    }
}

extension AlterTableAction {
    /// Whether rows must be looked at, or written anew.
    var concernsRows: Bool {
        switch self {
        case .addConstraint, .alterColumn(_, .setNotNull), .alterColumn(_, .type),
            .alterColumn(_, .typeUsing):
            true
        case .addColumn(let add): add.definition.defaultValue != nil
        default: false
        }
    }
}

extension Session {
    /// Looks up the tables that a CREATE TABLE refers to.
    func foreignKeyDrafts(
        _ create: CreateTable,
        _ target: TableIdentifier,
        isTemporary: Bool
    ) async throws -> [ForeignKeyDraft] {
        var drafts: [ForeignKeyDraft] = []
        for column in create.columns {
            guard let reference = column.reference else { continue }
            drafts.append(
                try await draft([column.name], reference, nil, target, isTemporary: isTemporary)
            )
        }
        for constraint in create.constraints {
            let (name, rule) = constraint.unnamed
            guard case .foreignKey(let columns, let reference) = rule else { continue }
            drafts.append(
                try await draft(columns, reference, name, target, isTemporary: isTemporary)
            )
        }
        return drafts
    }

    func draft(
        _ columns: [Identifier],
        _ reference: ForeignKeyTarget,
        _ name: String?,
        _ target: TableIdentifier,
        isTemporary: Bool
    ) async throws -> ForeignKeyDraft {
        let parts = reference.table.map(\.folded)
        let isOwn =
            try identifier(parts) == target
            || parts.count == 1 && parts[0].lowercased() == target.name.lowercased()
        let snapshot = try await catalogSnapshot(creating: !isTemporary)
        let parent = isOwn ? nil : try await openTable(parts, in: snapshot)
        if let parent, parent.isTemporary != isTemporary {
            throw PlanError(
                .unsupported,
                "foreign keys between temporary tables and tables of the lake are not possible: "
                    + "\"\(parent.identifier)\" outlives the other, or does not",
                at: reference.table.span
            )
        }
        return ForeignKeyDraft(
            name: name,
            columns: columns,
            target: reference,
            parent: parent
        )
    }

    /// Declares all rules of a CREATE TABLE.
    ///
    /// - Returns: the fields of the primary key.
    func declare(
        _ create: CreateTable,
        _ foreignKeys: [ForeignKeyDraft],
        uuid: String,
        _ target: TableIdentifier,
        _ builder: inout DeclarationBuilder
    ) throws -> [Int] {
        for column in create.columns { try builder.addColumn(column) }
        _ = try DeclarationBuilder.order(builder.declarations)
        let keys = create.columns.filter(\.isPrimaryKey).map(\.name)
        if !keys.isEmpty {
            guard keys.count == 1 else {
                throw PlanError(
                    .invalid,
                    "a table has one primary key",
                    hint: "Write PRIMARY KEY (a, b) behind the columns.",
                    at: create.span
                )
            }
            try builder.addPrimaryKey(keys, name: nil, at: create.span)
        }
        for constraint in create.constraints {
            let (name, rule) = constraint.unnamed
            switch rule {
            case .primaryKey(let columns):
                try builder.addPrimaryKey(columns, name: name, at: create.span)
            case .unique(let columns):
                try builder.addUnique(columns, name: name, at: create.span)
            case .check(let condition, let own):
                try builder.addCheck(condition, name: name ?? own?.name)
            case .foreignKey, .named: break
            }
        }
        for draft in foreignKeys {
            try add(draft, uuid: uuid, name: target, &builder)
        }
        for constraint in builder.declarations.constraints {
            if case .primaryKey(let ids) = constraint.rule { return ids }
        }
        return []
    }

    /// Declares a foreign key, if there is such a key in the other table.
    func add(
        _ draft: ForeignKeyDraft,
        uuid: String,
        name: TableIdentifier,
        _ builder: inout DeclarationBuilder
    ) throws {
        let schema = draft.parent?.metadata.currentSchema ?? builder.schema
        let declared =
            try draft.parent.map { try TableDeclarations($0.metadata) }
            ?? builder.declarations
        let identifier = draft.parent?.identifier ?? name
        let keys = declared.constraints.compactMap(\.rule.key)
        let wanted: [Int]
        if draft.target.columns.isEmpty {
            let primary = declared.constraints.first {
                if case .primaryKey = $0.rule { true } else { false }
            }
            guard let key = primary?.rule.key else {
                throw PlanError(
                    .invalid,
                    "table \(identifier) has no primary key to refer to",
                    at: draft.target.span
                )
            }
            wanted = key
        } else {
            let parent = DeclarationBuilder(
                tableName: identifier.name,
                schema: schema,
                environment: builder.environment,
                declarations: declared
            )
            wanted = try parent.ids(draft.target.columns)
        }
        guard keys.contains(where: { Set($0) == Set(wanted) }) else {
            throw PlanError(
                .invalid,
                "a foreign key refers to a primary key or unique constraint of table \(identifier)",
                at: draft.target.span
            )
        }
        let own = try builder.ids(draft.columns)
        guard own.count == wanted.count else {
            throw PlanError(
                .invalid,
                "\(own.count) columns refer to \(wanted.count)",
                at: draft.target.span
            )
        }
        for (one, other) in zip(own, wanted) {
            let (a, b) = (builder.schema.field(id: one), schema.field(id: other))
            guard let a, let b, a.type == b.type else {
                throw PlanError(
                    .invalid,
                    "column \"\(a?.name ?? "")\" refers to column \"\(b?.name ?? "")\" of another type",
                    at: draft.target.span
                )
            }
        }
        let joined = draft.columns.map(\.name).joined(separator: "_")
        let key = TableDeclarations.ForeignKey(
            columns: own,
            tableUUID: draft.parent?.metadata.tableUUID ?? uuid,
            tableName: identifier.namespace.levels + [identifier.name],
            referenced: wanted
        )
        try builder.add(draft.name, "\(joined)_fkey", .foreignKey(key), at: draft.target.span)
        if draft.parent == nil,
            !builder.declarations.referrers.contains(where: { $0.tableUUID == uuid })
        {
            builder.declarations.referrers.append(
                .init(tableUUID: uuid, tableName: name.namespace.levels + [name.name])
            )
        }
    }

    /// Notes in the tables that foreign keys of a new table refer to that they are referred to.
    func referrerChanges(
        _ metadata: TableMetadata,
        _ name: TableIdentifier
    ) throws -> [CatalogOperation] {
        var operations: [CatalogOperation] = []
        var seen: Set<String> = [metadata.tableUUID]
        let referrer = TableDeclarations.Referrer(
            tableUUID: metadata.tableUUID,
            tableName: name.namespace.levels + [name.name]
        )
        for constraint in try TableDeclarations(metadata).constraints {
            guard case .foreignKey(let key) = constraint.rule,
                seen.insert(key.tableUUID).inserted, let last = key.tableName.last
            else { continue }
            let parent = try TableIdentifier(Namespace(Array(key.tableName.dropLast())), last)
            operations.append(
                .changeTable(parent) { base in
                    guard let now = base.metadata, now.tableUUID == key.tableUUID else {
                        throw Self.changedMeanwhile(parent)
                    }
                    var declared = try TableDeclarations(now)
                    if !declared.referrers.contains(where: { $0.tableUUID == referrer.tableUUID }) {
                        declared.referrers.append(referrer)
                    }
                    return Catalog.TableChange(updates: declared.updates)
                }
            )
        }
        return operations
    }

    /// Refuses to drop tables to which foreign keys of others refer.
    func refuseReferenced(
        _ tables: [TableIdentifier],
        _ snapshot: CatalogSnapshot
    ) async throws {
        for table in tables {
            // A table whose metadata are damaged can still be dropped.
            guard let loaded = try? await load(table, in: snapshot),
                let declared = try? TableDeclarations(loaded.metadata)
            else { continue }
            for referrer in declared.referrers where referrer.tableUUID != loaded.metadata.tableUUID
            {
                let all = try snapshot.state.allTables()
                guard
                    let other = all.first(where: {
                        snapshot.state.table($0)?.uuid == referrer.tableUUID
                    }), !tables.contains(other),
                    let child = try? await load(other, in: snapshot),
                    let rules = try? TableDeclarations(child.metadata).constraints,
                    let rule = rules.first(where: {
                        if case .foreignKey(let key) = $0.rule {
                            key.tableUUID == loaded.metadata.tableUUID
                        } else {
                            false
                        }
                    })
                else { continue }
                throw EngineError(
                    .invalid,
                    "table \(other) refers to table \(table): foreign key \"\(rule.name)\"",
                    hint: "DROP that table, or its constraint, first."
                )
            }
        }
    }

    /// The type of a generated column that names none.
    func generatedType(_ generated: GeneratedColumn, _ create: CreateTable) throws -> DataType {
        var known: [RowColumn] = []
        for (index, column) in create.columns.enumerated() {
            guard let type = column.type else { continue }
            known.append(
                RowColumn(name: column.name.name, position: index, type: try DataType(type))
            )
        }
        // Columns that are made from others without a type get theirs first.
        var last: (any Error)?
        for _ in create.columns.indices {
            for (index, column) in create.columns.enumerated() {
                guard column.type == nil, let other = column.generated,
                    !known.contains(where: { $0.position == index })
                else { continue }
                do {
                    let type = try self.type(of: other, known)
                    known.append(RowColumn(name: column.name.name, position: index, type: type))
                } catch {
                    last = error
                }
            }
            if let type = try? type(of: generated, known) { return type }
        }
        throw last
            ?? PlanError(
                .invalid,
                "the type of a generated column cannot be told",
                at: generated.expression.span
            )
    }

    private func type(
        of generated: GeneratedColumn,
        _ known: [RowColumn]
    ) throws -> DataType {
        var binder = Binder(environment: environment([:]))
        let type = try binder.rowExpression(
            generated.expression,
            over: known,
            // Without its table's name, which the stored text would not follow.
            table: [],
            clause: "GENERATED"
        ).type
        return type == .null ? .int32 : type
    }

    // MARK: CREATE TABLE LIKE

    func runCreateTableLike(
        _ create: CreateTable,
        _ like: ObjectName,
        _ target: TableIdentifier,
        _ exists: Bool,
        _ catalog: WarehouseCatalog,
        _ consume: Consumer
    ) async throws {
        let source = try await openTable(
            like.map(\.folded),
            in: try await catalogSnapshot(creating: false)
        )
        let uuid = engine.options.ambient.uuidV4()
        var declared = try TableDeclarations(source.metadata)
        // As in PostgreSQL: foreign keys stay with the table that has them.
        declared.constraints.removeAll { if case .foreignKey = $0.rule { true } else { false } }
        declared.referrers = []
        var properties = source.metadata.properties
        for key in TableDeclarations.keys { properties[key] = nil }
        properties.merge(declared.properties.compactMapValues { $0 }) { $1 }
        for property in create.properties { properties[property.key] = property.value }
        for place in ["write.data.path", "write.metadata.path", "write.object-storage.path"] {
            properties[place] = nil
        }
        let metadata = try TableMetadata.create(
            schema: source.metadata.currentSchema,
            spec: UnboundPartitionSpec(source.metadata.defaultSpec),
            sortOrder: source.metadata.defaultSortOrder.fields.isEmpty
                ? nil : source.metadata.defaultSortOrder,
            location: create.location ?? catalog.defaultLocation(of: target, uuid: uuid),
            properties: properties,
            uuid: uuid,
            now: engine.options.ambient.time.nowMicros() / 1000
        )
        var operations: [CatalogOperation] = []
        if exists { operations.append(.dropTable(target, purge: false)) }
        operations.append(.createTable(target, metadata: metadata))
        let receipt = try await commit(operations)
        try await consume(
            .done(StatementSummary(tag: "CREATE TABLE", position: receipt.position))
        )
    }

    // MARK: ALTER TABLE with a look at the rows

    /// Changes a table whose rows must be looked at, or written anew.
    func alterRows(
        _ alter: AlterTable,
        _ actions: [AlterTableAction],
        _ renaming: [CatalogOperation]
    ) async throws -> Int64 {
        try await retryingConflicts {
            let snapshot = try await catalogSnapshot(creating: false)
            let table = try await openTable(alter.name.map(\.folded), in: snapshot)
            let editor = TableEditor(
                session: self,
                actions: actions,
                tableName: table.identifier.name
            )
            let edited = try editor.edit(table.metadata)
            var updates = edited.updates
            var metadata = try TableMetadata.apply(
                updates,
                to: table.metadata,
                now: table.metadata.lastUpdatedMillis
            )
            var expected: [TableIdentifier: TableEntry?] = [
                table.identifier: snapshot.reference(of: table.identifier)
            ]
            // Foreign keys need their other tables.
            for action in actions {
                guard case .addConstraint(let constraint) = action else { continue }
                let (name, rule) = constraint.unnamed
                guard case .foreignKey(let columns, let reference) = rule else { continue }
                let draft = try await draft(
                    columns,
                    reference,
                    name,
                    table.identifier,
                    isTemporary: table.isTemporary
                )
                var builder = DeclarationBuilder(
                    tableName: table.identifier.name,
                    schema: metadata.currentSchema,
                    environment: environment([:]),
                    declarations: try TableDeclarations(metadata)
                )
                try add(
                    draft,
                    uuid: metadata.tableUUID,
                    name: table.identifier,
                    &builder
                )
                let more = builder.declarations.updates
                updates += more
                metadata = try TableMetadata.apply(
                    more,
                    to: metadata,
                    now: metadata.lastUpdatedMillis
                )
                if let parent = draft.parent?.identifier {
                    expected.updateValue(snapshot.reference(of: parent), forKey: parent)
                }
            }
            let changed = OpenTable(
                identifier: table.identifier,
                metadata: metadata,
                storage: table.storage,
                branchSnapshotID: table.branchSnapshotID
            )
            let (allUpdates, requirements) = (updates, edited.requirements)
            var operations: [CatalogOperation] = [
                .require(expected),
                .changeTable(table.identifier) { _ in
                    Catalog.TableChange(requirements: requirements, updates: allUpdates)
                },
            ]
            let old = try TableReader(
                table.metadata,
                storage: table.storage,
                metadataFile: table.metadataLocation
            )
            let files = try await old.plan().files
            var rows = RowFiles(
                reader: try TableReader(metadata, storage: table.storage),
                files: files
            )
            var added: [DataFile] = []
            if !files.isEmpty,
                let query = try rewriting(
                    actions,
                    table,
                    metadata,
                    editor,
                    keepsRowLineage: old.keepsRowLineage
                )
            {
                let given = try given(
                    "varve rows",
                    RowFiles(reader: old, files: files),
                    try Columnar.Schema(table.metadata.currentSchema).fields.map {
                        (name: $0.name, id: $0.id ?? 0)
                    }
                ).withRowLineage(of: old, files)
                let fields = try Columnar.Schema(metadata.currentSchema).fields + old.keptFields
                let prepared = try await prepare(query, [:], given: [given])
                    .cast(to: fields, isExplicit: true)
                added = try await writeRows(of: prepared, to: changed, fields: fields).files
                operations.append(
                    fileChange(
                        .rewrite(removed: files.map(\.file), predicate: .always),
                        added: added,
                        table: changed,
                        operation: .replace
                    )
                )
                rows.files = added.map { PlannedFile(written: $0) }
            }
            do {
                try await check(rows, were: table, are: changed, snapshot)
                operations += try referrerChanges(metadata, table.identifier)
                return try await commit(operations + renaming).position
            } catch {
                await discard(added, of: table, after: error)
                throw error
            }
        }
    }

    /// The query that gives the rows of a table as they are to be written anew; nil when they need not.
    ///
    /// - Parameter keepsRowLineage: whether row ids come behind the columns. A column that is new, or of another
    ///   type, is no change of the row; values that an expression gives are.
    private func rewriting(
        _ actions: [AlterTableAction],
        _ table: OpenTable,
        _ metadata: TableMetadata,
        _ editor: TableEditor,
        keepsRowLineage: Bool
    ) throws -> Query? {
        func quoted(_ name: String) -> String {
            Printer.print([Identifier(name, isQuoted: true)])
        }
        var values: [String: String] = [:]
        var isUpdate = false
        for action in actions {
            switch action {
            case .addColumn(let add) where add.definition.defaultValue != nil:
                let name = add.definition.name.name
                let isThere = table.metadata.currentSchema.field(namedIgnoringCase: name) != nil
                guard add.parent.isEmpty else {
                    throw PlanError(
                        .unsupported,
                        "a field of a struct takes no default",
                        at: add.definition.span
                    )
                }
                guard let value = add.definition.defaultValue, !isThere else { continue }
                values[name] = "(\(Printer.print(value)))"
            case .alterColumn(let path, .typeUsing(_, let expression)):
                values[try editor.name(path, table.metadata)] = "(\(Printer.print(expression)))"
                isUpdate = true
            case .alterColumn(let path, .type(let type))
            where try !editor.isWidening(path, type, table.metadata):
                let name = try editor.name(path, table.metadata)
                values[name] = quoted(name)
            default: break
            }
        }
        if values.isEmpty { return nil }
        guard actions.allSatisfy(\.concernsRows) else {
            throw PlanError(
                .unsupported,
                "rows are written anew by an ALTER TABLE of their own",
                hint: "Make the other changes in another statement."
            )
        }
        var items = metadata.currentSchema.fields.map { field in
            (values[field.name] ?? quoted(field.name)) + " AS " + quoted(field.name)
        }
        if keepsRowLineage {
            items += ["\"varve row id\"", isUpdate ? "CAST(NULL AS BIGINT)" : "\"varve sequence\""]
        }
        return try Parser.parseQuery(
            "SELECT \(items.joined(separator: ", ")) FROM \"varve rows\" AS "
                + quoted(table.identifier.name)
        )
    }

    /// That the rows of a table meet what was declared.
    private func check(
        _ rows: RowFiles,
        were before: OpenTable,
        are after: OpenTable,
        _ snapshot: CatalogSnapshot
    ) async throws {
        let known = Set(try TableDeclarations(before.metadata).constraints.map(\.name))
        var declared = try TableDeclarations(after.metadata)
        declared.constraints.removeAll { known.contains($0.name) }
        let then = Set(before.metadata.currentSchema.fields.filter(\.required).map(\.id))
        for field in after.metadata.currentSchema.fields
        where field.required && !then.contains(field.id) {
            if rows.files.isEmpty { break }
            let found = try await firstRow(
                "SELECT 1 FROM \"varve rows\" WHERE k IS NULL LIMIT 1",
                [try given("varve rows", rows, [("k", field.id)])]
            )
            if found != nil {
                throw EngineError(
                    .badRows,
                    "column \"\(field.name)\" of table \(after.identifier) has nulls: it cannot be "
                        + "NOT NULL"
                )
            }
        }
        try await checkRows(declared, rows, after.identifier)
        try await checkKeys(
            declared,
            rows,
            against: RowFiles(reader: rows.reader, files: []),
            after.identifier
        )
        let related = try await relatedTables(declared, after, snapshot, isParent: false)
        for constraint in declared.constraints {
            guard case .foreignKey(let key) = constraint.rule else { continue }
            var parent = rows
            if key.tableUUID != after.metadata.tableUUID {
                guard
                    let other = related.first(where: { $0.metadata.tableUUID == key.tableUUID })
                else { throw Self.changedMeanwhile(after.identifier) }
                parent = try await rowFiles(of: other)
            }
            try await checkReference(
                key,
                constraint.name,
                from: rows,
                of: after.identifier,
                to: parent
            )
        }
    }
}

extension TableConstraint {
    /// The constraint and the name that stands before it.
    var unnamed: (name: String?, rule: TableConstraint) {
        guard case .named(let name, let rule) = self else { return (nil, self) }
        return (name.name, rule)
    }
}
