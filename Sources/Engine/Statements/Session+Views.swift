import Ambient
import Catalog
import Columnar
import Execution
import Iceberg
import Pipelines
import Planner
import SQL
import Tables

/// Views: queries under a name, kept in the catalog as Iceberg views.
extension Session {
    /// The dialect of the texts that this program writes and reads.
    static let viewDialect = "varve"

    /// Looks up what a binder misses: a view, or a source of rows.
    func supply(
        _ missing: MissingTable,
        to environment: inout BindingEnvironment,
        _ resolver: SourceResolver
    ) async throws {
        try Task.checkCancellation()
        if case .named(let parts, nil) = missing.request {
            do {
                if let view = try await resolver.view(parts) {
                    environment.views[parts] = view
                    return
                }
            } catch let error as CancellationError {
                throw error
            } catch {
                environment.tables[missing.request] = .failure(error)
                return
            }
        }
        environment.tables[missing.request] = await resolver.resolve(missing.request)
    }

    /// The view that a name means at a state of the catalog; nil when it means none.
    ///
    /// Names are looked up as folded; when there is nothing, a view that differs only in case will do.
    func findView(_ parts: [String], _ state: CatalogState) throws -> TableIdentifier? {
        if parts.count == 1, hasTemporaryTable(named: parts[0]) { return nil }
        guard let wanted = try? identifier(parts), state.table(wanted) == nil,
            state.hasNamespace(wanted.namespace)
        else { return nil }
        if state.view(wanted) != nil { return wanted }
        let lower = wanted.name.lowercased()
        if try state.tables(in: wanted.namespace).contains(where: { $0.name.lowercased() == lower })
        {
            return nil
        }
        let same = try state.views(in: wanted.namespace).filter { $0.name.lowercased() == lower }
        return same.count == 1 ? same.first : nil
    }

    // MARK: CREATE

    func runCreateView(
        _ create: CreateView,
        _ parameters: Parameters,
        _ consume: Consumer
    ) async throws {
        if create.isTemporary {
            try await makeTemporaryView(create)
            return try await consume(.done(StatementSummary(tag: "CREATE VIEW")))
        }
        try requirePresent()
        let target = try identifier(create.name.map(\.folded))
        let state = try await catalogSnapshot(creating: true).state
        if state.table(target) != nil {
            throw EngineError(
                .alreadyExists,
                "\"\(target)\" is a table already",
                hint: "DROP TABLE first, or use another name."
            )
        }
        if state.view(target) != nil, !create.isOrReplace {
            if create.isIfNotExists {
                return try await consume(.done(StatementSummary(tag: "CREATE VIEW")))
            }
            throw EngineError(
                .alreadyExists,
                "view \"\(target)\" already exists",
                hint: "Use CREATE OR REPLACE VIEW, CREATE VIEW IF NOT EXISTS, or another name."
            )
        }
        var properties = create.properties.lastValues
        if let comment = create.comment { properties["comment"] = comment }
        let metadata = try await newView(
            target,
            create.query,
            columns: create.columns,
            properties: properties,
            at: create.span
        )
        do {
            let receipt = try await commit([
                .createView(target, metadata: metadata, replaces: create.isOrReplace)
            ])
            try await consume(
                .done(StatementSummary(tag: "CREATE VIEW", position: receipt.position))
            )
        } catch let error as CatalogError {
            guard error.code == .alreadyExists, create.isIfNotExists else { throw error }
            try await consume(.done(StatementSummary(tag: "CREATE VIEW")))
        }
    }

    /// Makes a view that lives as long as the session, and hides others of its name.
    private func makeTemporaryView(_ create: CreateView) async throws {
        guard let name = create.name.last, create.name.count == 1 else {
            throw PlanError(
                .invalid,
                "a temporary view lies in no namespace",
                at: create.name.span
            )
        }
        let folded = name.folded
        if hasTemporaryTable(named: folded) {
            throw EngineError(
                .alreadyExists,
                "\"\(folded)\" is a temporary table already",
                hint: "DROP TABLE first, or use another name."
            )
        }
        if temporaryViews[folded] != nil, !create.isOrReplace {
            if create.isIfNotExists { return }
            throw EngineError(
                .alreadyExists,
                "temporary view \"\(folded)\" already exists",
                hint: "Use CREATE OR REPLACE TEMP VIEW."
            )
        }
        let (text, prepared) = try await boundView(
            folded,
            create.query,
            columns: create.columns
        )
        if prepared.usesTemporary.contains(folded) {
            throw PlanError(
                .invalid,
                "view \"\(folded)\" would contain itself",
                at: create.span
            )
        }
        temporaryViews[folded] = ViewDefinition(
            name: "temp.\(folded)",
            query: try Parser.parseQuery(text),
            // Names are looked up as if they stood in the statement: other temporary views first.
            namespace: [],
            columns: prepared.schema.fields.map(\.name)
        )
    }

    /// The metadata of a view, whose query is bound once to know its columns.
    private func newView(
        _ target: TableIdentifier,
        _ query: Query,
        columns: [ViewColumn],
        properties: [String: String],
        at span: SourceSpan
    ) async throws -> ViewMetadata {
        let (text, prepared) = try await boundView(target.name, query, columns: columns)
        if let temporary = prepared.usesTemporary.first {
            throw PlanError(
                .invalid,
                "view \"\(target)\" cannot read the temporary view or table \"\(temporary)\"",
                hint: "Make it temporary too: CREATE TEMP VIEW.",
                at: span
            )
        }
        if prepared.views.contains(target) {
            throw PlanError(.invalid, "view \"\(target)\" would contain itself", at: span)
        }
        let catalog = try await engine.catalog(creating: true)
        let uuid = engine.options.ambient.uuidV4()
        var fields = try Iceberg.Schema(
            numbering: Columnar.Schema(
                prepared.schema.fields.map { field in
                    Field(field.name, field.type == .null ? .int32 : field.type)
                }
            )
        ).fields
        for (index, column) in columns.enumerated() where index < fields.count {
            fields[index].doc = column.comment
        }
        return ViewMetadata(
            uuid: uuid,
            location: catalog.defaultLocation(of: target, uuid: uuid),
            schema: try Iceberg.Schema(fields: fields),
            version: ViewMetadata.Version(
                representations: [
                    ViewMetadata.Representation(sql: text, dialect: Self.viewDialect)
                ],
                defaultNamespace: namespace,
                summary: ["engine-name": "varve"]
            ),
            properties: properties
        )
    }

    /// The text of a view's query, and the query bound: its columns are those of the view.
    func boundView(
        _ name: String,
        _ query: Query,
        columns: [ViewColumn]
    ) async throws -> (text: String, prepared: PreparedQuery) {
        var text = Printer.print(query)
        // As a derived table: every column has a name of its own.
        let alias = Printer.print([Identifier(name, isQuoted: true)])
        var wrapped = "SELECT * FROM (\(text)) AS \(alias)"
        if !columns.isEmpty {
            wrapped += "(" + columns.map { Printer.print([$0.name]) }.joined(separator: ", ") + ")"
            text = wrapped
        }
        let prepared = try await prepare(try Parser.parseQuery(wrapped), [:])
        return (text, prepared)
    }

    /// Stores the query of a transform under its name.
    func runView(_ plan: TransformPlan, runID: String) async throws -> TransformReceipt {
        let target = try identifier(plan.name)
        let state = try await catalogSnapshot(creating: true).state
        if state.table(target) != nil {
            throw EngineError(
                .alreadyExists,
                "transform \(plan.title): \"\(target)\" is a table already",
                hint: "DROP TABLE first."
            )
        }
        var operations: [CatalogOperation] = []
        for namespace in try missingNamespaces(target.namespace, state) {
            operations.append(.createNamespace(namespace, properties: [:]))
        }
        var properties: [String: String] = [:]
        if let description = plan.description { properties["comment"] = description }
        if let owner = plan.owner { properties["owner"] = owner }
        let prepared = try await prepare(plan.query, [:])
        let metadata = try await newView(
            target,
            plan.query,
            columns: [],
            properties: properties,
            at: .none
        )
        operations.append(.createView(target, metadata: metadata, replaces: true))
        let receipt = try await commit(operations, message: "transform \(plan.title)")
        return TransformReceipt(
            name: plan.title,
            runID: runID,
            rowCount: 0,
            dropped: [],
            warnings: [],
            outcomes: [],
            inputs: prepared.inputs.map {
                TransformReceipt.Input(name: $0.table.name, snapshotID: $0.origin?.snapshotID)
            },
            position: receipt.position,
            snapshotID: nil
        )
    }

    // MARK: ALTER, DROP, COMMENT

    func runAlterView(_ alter: AlterTable, _ consume: Consumer) async throws {
        let snapshot = try await catalogSnapshot(creating: false)
        guard let view = try findView(alter.name.map(\.folded), snapshot.state) else {
            if alter.isIfExists {
                return try await consume(.done(StatementSummary(tag: "ALTER VIEW")))
            }
            let wanted = try identifier(alter.name.map(\.folded))
            throw missing("view", wanted, snapshot.state, at: alter.name.span)
        }
        var operations: [CatalogOperation] = []
        var renaming: CatalogOperation?
        for action in alter.actions {
            switch action {
            case .renameTable(let name):
                let parts = name.map(\.folded)
                let target = try identifier(
                    parts.count > 1 ? parts : view.namespace.levels + parts
                )
                renaming = .renameView(view, to: target)
            case .setProperties(let properties):
                operations.append(
                    .updateView(view, properties: properties.lastValues)
                )
            case .unsetProperties(let keys, _):
                operations.append(
                    .updateView(
                        view,
                        properties: Dictionary(
                            keys.map { ($0, nil) },
                            uniquingKeysWith: { $1 }
                        )
                    )
                )
            default:
                throw PlanError(
                    .invalid,
                    "ALTER VIEW knows RENAME TO, SET TBLPROPERTIES and UNSET TBLPROPERTIES",
                    hint: "CREATE OR REPLACE VIEW gives a view another query.",
                    at: alter.span
                )
            }
        }
        if let renaming { operations.append(renaming) }
        let receipt = try await commit(operations)
        try await consume(
            .done(StatementSummary(tag: "ALTER VIEW", position: receipt.position))
        )
    }

    /// Everything in a namespace and below it, then the namespace.
    func removal(
        of namespace: Namespace,
        _ state: CatalogState,
        purge: Bool
    ) throws -> [CatalogOperation] {
        var operations: [CatalogOperation] = []
        for child in try state.namespaces(in: namespace) {
            operations += try removal(of: child, state, purge: purge)
        }
        for view in try state.views(in: namespace) { operations.append(.dropView(view)) }
        for table in try state.tables(in: namespace) {
            operations.append(.dropTable(table, purge: purge))
        }
        operations.append(.dropNamespace(namespace))
        return operations
    }

    /// Why a name that a statement is about cannot be it.
    func missing(
        _ kind: String,
        _ name: TableIdentifier,
        _ state: CatalogState,
        at span: SourceSpan
    ) -> PlanError {
        if state.table(name) != nil || state.view(name) != nil {
            let other = kind == "view" ? "table" : "view"
            return PlanError(
                .invalid,
                "\"\(name)\" is a \(other), not a \(kind)",
                hint: "Say \(other.uppercased()) instead.",
                at: span
            )
        }
        let found =
            kind == "view"
            ? try? state.views(in: name.namespace)
            : try? state.tables(in: name.namespace)
        let near = nearest(to: name.name, among: (found ?? []).map(\.name))
        return PlanError(
            .noSuchTable,
            "\(kind) \"\(name)\" does not exist",
            hint: near.map { "Did you mean \"\($0)\"?" },
            at: span
        )
    }

    func runComment(_ comment: CommentOn, _ consume: Consumer) async throws {
        try requirePresent()
        let snapshot = try await catalogSnapshot(creating: false)
        let parts = comment.name.map(\.folded)
        let operation: CatalogOperation
        switch comment.kind {
        case .schema:
            let namespace = try Namespace(parts)
            operation = .updateNamespace(
                namespace,
                set: comment.comment.map { ["comment": $0] } ?? [:],
                remove: comment.comment == nil ? ["comment"] : []
            )
        case .view:
            guard let view = try findView(parts, snapshot.state) else {
                let wanted = try identifier(parts)
                throw missing("view", wanted, snapshot.state, at: comment.name.span)
            }
            operation = .updateView(view, properties: ["comment": comment.comment])
        case .table:
            let table = try await openTable(parts, in: snapshot).identifier
            let text = comment.comment
            operation = .changeTable(table) { base in
                guard base.metadata != nil else {
                    throw EngineError(.notFound, "table \(table) was dropped meanwhile")
                }
                return Catalog.TableChange(
                    updates: [
                        text.map { .setProperties(["comment": $0]) }
                            ?? .removeProperties(["comment"])
                    ]
                )
            }
        case .column:
            // The longest beginning that is a table; the rest is the column's path.
            var found: (table: TableIdentifier, path: ObjectName)?
            for count in (1..<comment.name.count).reversed() {
                guard
                    let table = try? await openTable(Array(parts.prefix(count)), in: snapshot)
                else { continue }
                found = (table.identifier, Array(comment.name.dropFirst(count)))
                break
            }
            guard let found else {
                _ = try await openTable(Array(parts.dropLast()), in: snapshot)
                return
            }
            let editor = TableEditor(
                session: self,
                actions: [.alterColumn(found.path, .comment(comment.comment))]
            )
            operation = .changeTable(found.table) { base in
                guard let metadata = base.metadata else {
                    throw EngineError(.notFound, "table \(found.table) was dropped meanwhile")
                }
                let edited = try editor.edit(metadata)
                return Catalog.TableChange(
                    requirements: edited.requirements,
                    updates: edited.updates
                )
            }
        }
        let receipt = try await commit([operation])
        try await consume(.done(StatementSummary(tag: "COMMENT", position: receipt.position)))
    }

    // MARK: SHOW

    func showViews(
        in levels: [String],
        _ like: String?,
        _ consume: @escaping Consumer
    ) async throws {
        let state = try await catalogSnapshot(creating: false).state
        let views = try state.views(in: try Namespace(levels)).filter { matches($0.name, like) }
        try await consumeRows(
            Schema([
                Field("namespace", .string, isNullable: false),
                Field("name", .string, isNullable: false),
            ]),
            views.map { [.string($0.namespace.description), .string($0.name)] },
            consume
        )
    }

    func showCreateView(_ name: ObjectName, _ consume: @escaping Consumer) async throws {
        let snapshot = try await catalogSnapshot(creating: false)
        guard let view = try findView(name.map(\.folded), snapshot.state) else {
            let wanted = try identifier(name.map(\.folded))
            throw missing("view", wanted, snapshot.state, at: name.span)
        }
        let catalog = try await engine.catalog(creating: false)
        let metadata = try await catalog.loadView(view, in: snapshot)
        try await consumeRows(
            Schema([Field("statement", .string, isNullable: false)]),
            [[.string(metadata.createStatement(view))]],
            consume
        )
    }
}

extension ViewMetadata {
    /// The text that this program runs; nil when the view has none of its dialect.
    var ownText: String? {
        currentVersion.representations.first { $0.dialect.lowercased() == Session.viewDialect }?
            .sql
    }

    /// What the name of the view stands for.
    ///
    /// - Throws: when it has no text that this program reads.
    func definition(of view: TableIdentifier) throws -> ViewDefinition {
        let text = try readableText(view)
        let query: Query
        do {
            query = try Parser.parseQuery(text.sql)
        } catch {
            let dialect =
                text.dialect == Session.viewDialect ? "" : " (SQL of \(text.dialect))"
            throw PlanError(
                .invalid,
                "the query of view \"\(view)\"\(dialect) cannot be read: \(error)"
            )
        }
        return ViewDefinition(
            name: view.description,
            query: query,
            namespace: currentVersion.defaultNamespace,
            columns: currentSchema.fields.map(\.name)
        )
    }

    /// The statement that makes an equal view.
    fileprivate func createStatement(_ view: TableIdentifier) -> String {
        let name = (view.namespace.levels + [view.name])
            .map { Printer.print([Identifier($0, isQuoted: true)]) }
            .joined(separator: ".")
        let text = ownText ?? currentVersion.representations.first?.sql ?? ""
        return "CREATE VIEW \(name) AS \(text)"
    }
}

extension SourceResolver {
    /// The view that a name means; nil when it means something else.
    func view(_ parts: [String]) async throws -> ViewDefinition? {
        if parts.count == 1, let own = await session.temporaryViews[parts[0]] {
            usesTemporary.insert(parts[0])
            return own
        }
        if parts.count == 2, SystemTable(rawValue: parts.joined(separator: ".")) != nil {
            return nil
        }
        let snapshot = try await catalogSnapshot()
        guard let view = try await session.findView(parts, snapshot.state) else { return nil }
        let catalog = try await session.engine.catalog(creating: false)
        let metadata = try await catalog.loadView(view, in: snapshot)
        let definition = try metadata.definition(of: view)
        views.insert(view)
        return definition
    }
}
