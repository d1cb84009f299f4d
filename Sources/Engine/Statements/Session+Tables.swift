import Ambient
import Catalog
import Columnar
import CommitLog
import Execution
import Iceberg
import Lineage
import Planner
import SQL
import Tables

extension Session {
    // MARK: CREATE

    func runCreateTable(
        _ create: CreateTable,
        _ parameters: Parameters,
        _ consume: Consumer
    ) async throws {
        try requirePresent()
        if let format = create.format, format.folded != "iceberg" {
            throw PlanError(
                .unsupported,
                "tables are Iceberg tables, not \(format.name)",
                at: format.span
            )
        }
        let (target, isTemporary) = try await destination(of: create)
        let catalog: WarehouseCatalog
        let before: CatalogState
        if isTemporary {
            let own = try await openTemporary()
            (catalog, before) = (own.catalog, own.snapshot.state)
            if temporaryViews[target.name] != nil {
                throw EngineError(
                    .alreadyExists,
                    "\"\(target.name)\" is a temporary view already",
                    hint: "DROP VIEW first, or use another name."
                )
            }
        } else {
            catalog = try await engine.catalog(creating: true)
            before = try await lakeSnapshot(creating: true).state
        }
        let exists = before.table(target) != nil
        if before.view(target) != nil {
            throw EngineError(
                .alreadyExists,
                "\"\(target)\" is a view already",
                hint: "DROP VIEW first, or use another name."
            )
        }
        if exists && create.isIfNotExists {
            try await consume(.done(StatementSummary(tag: "CREATE TABLE")))
            return
        }
        if exists && !create.isOrReplace {
            throw EngineError(
                .alreadyExists,
                "table \"\(target)\" already exists",
                hint: "Use CREATE TABLE IF NOT EXISTS, CREATE OR REPLACE TABLE, or another name."
            )
        }
        if exists {
            try await refuseReferenced([target], try await catalogSnapshot(creating: !isTemporary))
        }
        if let like = create.like {
            return try await runCreateTableLike(create, like, target, exists, catalog, consume)
        }
        var prepared: PreparedQuery?
        if let query = create.query { prepared = try await prepare(query, parameters) }
        let uuid = engine.options.ambient.uuidV4()
        if isTemporary, let location = create.location {
            throw PlanError(
                .invalid,
                "a temporary table lies in memory, not at \(location)",
                at: create.span
            )
        }
        let drafts = try await foreignKeyDrafts(create, target, isTemporary: isTemporary)
        let metadata = try newTable(
            create,
            prepared?.schema,
            target,
            uuid: uuid,
            drafts,
            location: create.location ?? catalog.defaultLocation(of: target, uuid: uuid)
        )
        let table = OpenTable(
            identifier: target,
            metadata: metadata,
            storage: try storage(of: metadata, catalog),
            branchSnapshotID: transaction != nil || reference != nil
                ? engine.options.ambient.snapshotID() : nil,
            isTemporary: isTemporary
        )

        var operations: [CatalogOperation] = []
        if exists { operations.append(.dropTable(target, purge: false)) }
        operations.append(.createTable(target, metadata: metadata))
        operations += try referrerChanges(metadata, target)
        var rowCount: Int?
        var lineageFacts: CommitLineage?
        if let prepared, create.isWithData {
            let fields = try Columnar.Schema(metadata.currentSchema).fields
            let written = try await writeRows(
                of: try prepared.cast(to: fields),
                to: table,
                fields: fields
            )
            rowCount = written.rowCount
            if !written.files.isEmpty {
                operations += try await verifiedChange(
                    .append,
                    added: written.files,
                    table: table
                )
            }
            lineageFacts = lineage(
                of: prepared,
                outputs: fields,
                table: table,
                job: LineageJob(kind: "sql")
            )
        }
        do {
            let receipt = try await commit(operations, lineage: lineageFacts)
            try await consume(
                .done(
                    StatementSummary(
                        tag: "CREATE TABLE",
                        rowCount: rowCount,
                        position: receipt.position,
                        snapshotID: receipt.tables.last.flatMap {
                            receipt.snapshotID(of: $0.identifier)
                        }
                    )
                )
            )
        } catch let error as CatalogError {
            guard error.code == .alreadyExists, create.isIfNotExists else { throw error }
            try await consume(.done(StatementSummary(tag: "CREATE TABLE")))
        }
    }

    /// The metadata of a table that a statement describes.
    private func newTable(
        _ create: CreateTable,
        _ queried: Columnar.Schema?,
        _ target: TableIdentifier,
        uuid: String,
        _ foreignKeys: [ForeignKeyDraft],
        location: String
    ) throws -> TableMetadata {
        var fields: [Field] = []
        if let queried {
            for (index, column) in queried.fields.enumerated() {
                var field = column
                if index < create.columns.count {
                    field.name = create.columns[index].name.name
                    if let type = create.columns[index].type { field.type = try DataType(type) }
                }
                if field.type == .null { field.type = .int32 }
                // What a query happens to give without nulls may hold some later.
                field.isNullable = true
                fields.append(field)
            }
            guard create.columns.isEmpty || create.columns.count == queried.count else {
                throw PlanError(
                    .invalid,
                    "\(create.columns.count) columns are named, the query gives \(queried.count)",
                    at: create.span
                )
            }
        } else {
            for column in create.columns {
                if column.type == nil, let generated = column.generated {
                    let type = try generatedType(generated, create)
                    fields.append(Field(column.name.name, type))
                    continue
                }
                guard let type = column.type else {
                    throw PlanError(
                        .invalid,
                        "column \"\(column.name.name)\" has no type",
                        at: column.span
                    )
                }
                fields.append(
                    Field(
                        column.name.name,
                        try DataType(type),
                        isNullable: !(column.isNotNull || column.isPrimaryKey)
                    )
                )
            }
        }
        var names: Set<String> = []
        for field in fields where !names.insert(field.name.lowercased()).inserted {
            throw PlanError(
                .invalid,
                "column \"\(field.name)\" is there twice",
                hint: "Give columns different names with AS.",
                at: create.span
            )
        }
        let plain = try Iceberg.Schema(numbering: Columnar.Schema(fields))
        var nested = plain.fields
        for (index, column) in create.columns.enumerated() where index < nested.count {
            nested[index].doc = column.comment
        }
        var builder = DeclarationBuilder(
            tableName: target.name,
            schema: plain,
            environment: environment([:]),
            declarations: TableDeclarations()
        )
        let keyIDs = try declare(create, foreignKeys, uuid: uuid, target, &builder)
        for index in nested.indices where keyIDs.contains(nested[index].id) {
            nested[index].required = true
        }
        let schema = try Iceberg.Schema(
            fields: nested,
            identifierFieldIDs: TableEditor.canIdentify(keyIDs, plain) ? keyIDs : []
        )
        var properties = create.properties.lastValues
        if let comment = create.comment { properties["comment"] = comment }
        if let key = TableDeclarations.keys.first(where: { properties[$0] != nil }) {
            throw PlanError(.invalid, "the property \(key) is not set by hand", at: create.span)
        }
        properties.merge(builder.declarations.properties.compactMapValues { $0 }) { $1 }
        return try TableMetadata.create(
            schema: schema,
            spec: UnboundPartitionSpec(
                fields: try create.partitionedBy.map { try partitionField($0, schema) }
            ),
            sortOrder: try sortOrder(create.sortedBy, schema),
            location: location,
            properties: properties,
            uuid: uuid,
            now: engine.options.ambient.time.nowMicros() / 1000
        )
    }

    func partitionField(
        _ field: SQL.PartitionField,
        _ schema: Iceberg.Schema
    ) throws -> UnboundPartitionSpec.Field {
        let (source, transform) = try resolve(field.transform, schema)
        return UnboundPartitionSpec.Field(
            sourceIDs: [source.id],
            name: field.name?.name ?? PartitionSpecChange.name(source.name, transform),
            transform: transform
        )
    }

    /// The column and the transform of `bucket(16, id)` and its like.
    private func resolve(
        _ transform: SQL.Transform,
        _ schema: Iceberg.Schema
    ) throws -> (NestedField, Iceberg.Transform) {
        let path = transform.column.map(\.name).joined(separator: ".")
        guard let source = schema.field(named: path) ?? schema.field(namedIgnoringCase: path)
        else {
            throw PlanError(
                .invalid,
                "there is no column \"\(path)\" to partition or sort by",
                at: transform.column.span
            )
        }
        var text = transform.name?.folded ?? "identity"
        // Spark's spellings.
        let plural = ["years": "year", "months": "month", "days": "day", "hours": "hour"]
        text = plural[text] ?? text
        if let parameter = transform.parameter { text += "[\(parameter)]" }
        let parsed = Iceberg.Transform(text: text)
        guard parsed.resultType(of: source.type) != nil else {
            throw PlanError(
                .invalid,
                "\(text) of column \"\(path)\" (\(source.type)) is not possible",
                hint: "Known: identity, year, month, day, hour, bucket(n, c), truncate(w, c).",
                at: transform.span
            )
        }
        return (source, parsed)
    }

    private func sortOrder(
        _ fields: [SQL.SortField],
        _ schema: Iceberg.Schema
    ) throws -> Iceberg.SortOrder? {
        if fields.isEmpty { return nil }
        return Iceberg.SortOrder(
            orderID: 1,
            fields: try fields.map { field in
                let (source, transform) = try resolve(field.transform, schema)
                let isDescending = field.direction == .descending
                let nullsFirst = field.nulls.map { $0 == .first } ?? !isDescending
                return Iceberg.SortField(
                    sourceID: source.id,
                    transform: transform,
                    direction: isDescending ? .descending : .ascending,
                    nullOrder: nullsFirst ? .nullsFirst : .nullsLast
                )
            }
        )
    }

    // MARK: DROP

    func runDrop(_ drop: Drop, _ consume: Consumer) async throws {
        try requirePresent()
        var operations: [CatalogOperation] = []
        let state = try await catalogSnapshot(creating: false).state
        for name in drop.names {
            switch drop.kind {
            case .table:
                let own = temporaryTable(
                    name.map(\.folded),
                    in: try await catalogSnapshot(creating: false)
                )
                let table = try own ?? identifier(name.map(\.folded))
                if state.table(table) == nil {
                    if drop.isIfExists, state.view(table) == nil { continue }
                    throw missing("table", table, state, at: name.span)
                }
                operations.append(.dropTable(table, purge: drop.isPurge))
            case .schema:
                let namespace = try Namespace(name.map(\.folded))
                if !state.hasNamespace(namespace) {
                    if drop.isIfExists { continue }
                    throw PlanError(
                        .invalid,
                        "namespace \"\(namespace)\" does not exist",
                        at: name.span
                    )
                }
                if drop.isCascade {
                    operations += try removal(of: namespace, state, purge: drop.isPurge)
                } else {
                    operations.append(.dropNamespace(namespace))
                }
            case .view:
                if name.count == 1, temporaryViews.removeValue(forKey: name[0].folded) != nil {
                    continue
                }
                let view = try identifier(name.map(\.folded))
                guard state.view(view) != nil else {
                    if drop.isIfExists, state.table(view) == nil { continue }
                    throw missing("view", view, state, at: name.span)
                }
                operations.append(.dropView(view))
            }
        }
        var position: Int64?
        let dropped = operations.compactMap { operation -> TableIdentifier? in
            if case .dropTable(let table, _) = operation { table } else { nil }
        }
        try await refuseReferenced(dropped, try await catalogSnapshot(creating: false))
        if !operations.isEmpty { position = try await commit(operations).position }
        try await consume(
            .done(StatementSummary(tag: "DROP \(drop.kind.rawValue)", position: position))
        )
    }

    // MARK: ALTER

    func runAlterTable(
        _ alter: AlterTable,
        _ parameters: Parameters,
        _ consume: Consumer
    ) async throws {
        try requirePresent()
        if alter.isView { return try await runAlterView(alter, consume) }
        let snapshot = try await catalogSnapshot(creating: false)
        let table: OpenTable
        do {
            table = try await openTable(alter.name.map(\.folded), in: snapshot)
        } catch let error as PlanError where error.code == .noSuchTable && alter.isIfExists {
            try await consume(.done(StatementSummary(tag: "ALTER TABLE")))
            return
        }
        var operations: [CatalogOperation] = []
        var changes: [AlterTableAction] = []
        for action in alter.actions {
            if case .renameTable(let name) = action {
                let target = try identifier(
                    name.count > 1
                        ? name.map(\.folded)
                        : table.identifier.namespace.levels + name.map(\.folded)
                )
                operations.append(.renameTable(table.identifier, to: target))
            } else {
                changes.append(action)
            }
        }
        if changes.contains(where: \.concernsRows) {
            let position = try await alterRows(alter, changes, operations)
            return try await consume(
                .done(StatementSummary(tag: "ALTER TABLE", position: position))
            )
        }
        if !changes.isEmpty {
            let editor = TableEditor(
                session: self,
                actions: changes,
                tableName: table.identifier.name
            )
            // Made from the table as it is when the commit is tried, whatever came between.
            operations.insert(
                .changeTable(table.identifier) { base in
                    guard let metadata = base.metadata else {
                        throw EngineError(
                            .notFound,
                            "table \(table.identifier) was dropped meanwhile"
                        )
                    }
                    let edited = try editor.edit(metadata)
                    return Catalog.TableChange(
                        requirements: edited.requirements,
                        updates: edited.updates
                    )
                },
                at: 0
            )
        }
        let receipt = try await commit(operations)
        try await consume(
            .done(StatementSummary(tag: "ALTER TABLE", position: receipt.position))
        )
    }

    // MARK: SHOW

    func runShow(_ show: Show, _ consume: @escaping Consumer) async throws {
        switch show.subject {
        case .tables(let name, let like):
            let state = try await catalogSnapshot(creating: false).state
            let levels = name.map { $0.map(\.folded) } ?? namespace
            let own = name == nil && temporary != nil
            var all =
                try own && !state.hasNamespace(Namespace(levels))
                ? [] : state.tables(in: Namespace(levels))
            // They hide others of their names.
            if own {
                let names = temporaryNames
                all =
                    names.sorted()
                    + all.filter { table in !names.contains { $0.name == table.name } }
            }
            let tables =
                all
                .filter { matches($0.name, like) }
            try await consumeRows(
                Schema([
                    Field("namespace", .string, isNullable: false),
                    Field("name", .string, isNullable: false),
                ]),
                tables.map { [.string($0.namespace.description), .string($0.name)] },
                consume
            )
        case .schemas(let parent, let like):
            let state = try await catalogSnapshot(creating: false).state
            let inside = try parent.map { try Namespace($0.map(\.folded)) }
            let all = try inside.map { try state.namespaces(in: $0) } ?? state.allNamespaces
            try await consumeRows(
                Schema([Field("namespace", .string, isNullable: false)]),
                all.filter { matches($0.description, like) }.map { [.string($0.description)] },
                consume
            )
        case .columns(let name):
            try await describe(Query(body: .table(name), span: show.span), [:], consume)
        case .createTable(let name):
            let table = try await openTable(
                name.map(\.folded),
                in: try await catalogSnapshot(creating: false)
            )
            try await consumeRows(
                Schema([Field("statement", .string, isNullable: false)]),
                [[.string(table.createStatement)]],
                consume
            )
        case .views(let name, let like):
            try await showViews(in: name.map { $0.map(\.folded) } ?? namespace, like, consume)
        case .createView(let name): try await showCreateView(name, consume)
        case .references(let kind): try await showReferences(kind, consume)
        case .setting(let name): try await showSetting(name, consume)
        }
    }

    func matches(_ name: String, _ pattern: String?) -> Bool {
        guard let pattern else { return true }
        let test = BoundExpression.pattern(
            .like(ignoringCase: true),
            .constant(.string(name), .string),
            pattern: .constant(.string(pattern), .string),
            escape: nil,
            isNegated: false
        )
        return (try? evaluateConstant(test)) == .boolean(true)
    }
}

extension OpenTable {
    /// The statement that makes an equal, empty table.
    fileprivate var createStatement: String {
        func quoted(_ name: String) -> String {
            "\""
                + name.split(separator: "\"", omittingEmptySubsequences: false)
                .joined(separator: "\"\"") + "\""
        }
        func literal(_ text: String) -> String {
            "'"
                + text.split(separator: "'", omittingEmptySubsequences: false)
                .joined(separator: "''") + "'"
        }
        let schema = metadata.currentSchema
        let declared = try? TableDeclarations(metadata)
        let name = (identifier.namespace.levels + [identifier.name]).map(quoted)
            .joined(separator: ".")
        let columns = schema.fields.map { field -> String in
            let type = (try? DataType(field.type)).map(\.description) ?? "\(field.type)"
            var line = "  \(quoted(field.name)) \(type)"
            if field.required { line += " NOT NULL" }
            if let column = declared?.columns[field.id] {
                if let collation = column.collation { line += " COLLATE \(collation.name)" }
                if let text = column.defaultText { line += " DEFAULT (\(text))" }
                if let generated = column.generated {
                    line += " GENERATED ALWAYS AS (\(generated.text)) "
                    line += column.isStored ? "STORED" : "VIRTUAL"
                }
            }
            if let doc = field.doc { line += " COMMENT \(literal(doc))" }
            return line
        }
        let rules = (declared?.constraints ?? []).map { "  " + $0.text(schema, quoted) }
        var text =
            "CREATE \(isTemporary ? "TEMP " : "")TABLE \(name) (\n"
            + (columns + rules).joined(separator: ",\n") + "\n)"
        let parts = metadata.defaultSpec.fields.compactMap { field -> String? in
            guard field.transform != .void,
                let source = schema.field(id: field.sourceID)
            else { return nil }
            switch field.transform {
            case .identity: return quoted(source.name)
            case .bucket(let count): return "bucket(\(count), \(quoted(source.name)))"
            case .truncate(let width): return "truncate(\(width), \(quoted(source.name)))"
            default: return "\(field.transform.text)(\(quoted(source.name)))"
            }
        }
        if !parts.isEmpty { text += "\nPARTITIONED BY (\(parts.joined(separator: ", ")))" }
        let properties = metadata.properties.filter { !TableDeclarations.keys.contains($0.key) }
        if !properties.isEmpty {
            let all = properties.sorted { $0.key < $1.key }
                .map { "\(literal($0.key)) = \(literal($0.value))" }
            text += "\nTBLPROPERTIES (\(all.joined(separator: ", ")))"
        }
        return text
    }
}
