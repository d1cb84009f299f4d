import Bytes
import Catalog
import Columnar
import CommitLog
import Execution
import Iceberg
import Lineage
import Planner
package import SQL
import Tables

extension Session {
    /// Runs one statement.
    package func run(
        _ statement: Statement,
        parameters: Parameters,
        consume: @escaping Consumer
    ) async throws {
        if case .transaction(let command) = statement {
            return try await runTransaction(command, consume)
        }
        guard transaction != nil else {
            return try await perform(statement, parameters: parameters) { outcome in
                guard case .done(var summary) = outcome, summary.position == 0 else {
                    return try await consume(outcome)
                }
                // A change of temporary tables alone: no entry of the log carries it.
                summary.position = nil
                try await consume(.done(summary))
            }
        }
        try await inTransaction {
            try await perform(statement, parameters: parameters) { outcome in
                guard case .done(var summary) = outcome else { return try await consume(outcome) }
                // No entry of the log carries it yet.
                summary.position = nil
                try await consume(.done(summary))
            }
        }
    }

    private func perform(
        _ statement: Statement,
        parameters: Parameters,
        consume: @escaping Consumer
    ) async throws {
        switch statement {
        case .query(let query):
            try await runQuery(query, parameters, consume)
        case .explain(let explain):
            try await runExplain(explain, parameters, consume)
        case .describe(let describe):
            try await runDescribe(describe, parameters, consume)
        case .show(let show):
            try await runShow(show, consume)
        case .use(let use):
            try await self.use(use.name.map(\.folded), at: use.name.span)
            try await consume(.done(StatementSummary(tag: "USE")))
        case .set(let setting): try await runSet(setting, parameters, consume)
        case .reset(let setting): try await runReset(setting, consume)
        case .prepare(let prepare): try await runPrepare(prepare, consume)
        case .execute(let execute): try await runExecute(execute, parameters, consume)
        case .deallocate(let deallocate): try await runDeallocate(deallocate, consume)
        case .createMacro(let create): try await runCreateMacro(create, consume)
        case .dropMacro(let drop): try await runDropMacro(drop, consume)
        case .createIndex(let create):
            try requireMain("CREATE INDEX")
            try await runCreateIndex(create, parameters, consume)
        case .dropIndex(let drop):
            try requireMain("DROP INDEX")
            try await runDropIndex(drop, parameters, consume)
        case .createSchema(let create): try await runCreateNamespace(create, consume)
        case .alterSchema(let alter): try await runAlterNamespace(alter, consume)
        case .createTable(let create):
            if !create.isTemporary { try requireMain("CREATE TABLE") }
            try await runCreateTable(create, parameters, consume)
        case .drop(let drop):
            try requireMain("DROP")
            try await runDrop(drop, consume)
        case .alterTable(let alter):
            try requireMain("ALTER TABLE")
            try await runAlterTable(alter, parameters, consume)
        case .insert(let insert): try await runInsert(insert, parameters, consume)
        case .delete(let delete): try await runDelete(delete, parameters, consume)
        case .update(let update):
            let returning = Returning(update.returning, parameters, update.alias)
            try await runChange(update.table, "UPDATE", returning, parameters, consume) {
                try $0.bind(update, over: $1)
            }
        case .merge(let merge):
            let returning = Returning(merge.returning, parameters, merge.alias, isMerge: true)
            try await runChange(merge.table, "MERGE", returning, parameters, consume) {
                try $0.bind(merge, over: $1)
            }
        case .createView(let create):
            try requireMain("CREATE VIEW")
            try await runCreateView(create, parameters, consume)
        case .comment(let comment):
            try requireMain("COMMENT ON")
            try await runComment(comment, consume)
        case .copy(let copy): try await runCopy(copy, parameters, consume)
        case .truncate(let truncate): try await runTruncate(truncate, consume)
        case .createCatalogReference(let create):
            try await runCreateReference(create, parameters, consume)
        case .dropCatalogReference(let drop): try await runDropReference(drop, consume)
        case .mergeBranch(let merge): try await runMergeBranch(merge, consume)
        case .undropTable(let undrop): try await runUndrop(undrop, consume)
        default:
            throw PlanError(.unsupported, "this statement is not supported yet")
        }
    }

    /// The catalog as this session sees it: at its instant, or now.
    func catalogSnapshot(creating: Bool) async throws -> CatalogSnapshot {
        guard let temporary else { return try await lakeSnapshot(creating: creating) }
        let lake: CatalogSnapshot
        do throws(any Error) {
            lake = try await lakeSnapshot(creating: false)
        } catch {
            // Temporary tables need no warehouse.
            guard (error as? CatalogError)?.code == .warehouseNotFound else { throw error }
            return temporary.snapshot
        }
        return lake.overlaid(with: temporary.snapshot, TemporaryTables.namespace)
    }

    /// The warehouse's catalog without the session's own tables.
    func lakeSnapshot(creating: Bool) async throws -> CatalogSnapshot {
        let catalog = try await engine.catalog(creating: creating)
        switch asOf {
        case nil where transaction != nil: return try await transactionSnapshot(catalog)
        case nil: return try await catalog.read(of: reference)
        case .position(let position)?:
            return try await catalog.snapshot(at: position).on(reference)
        case .millis(let millis)?:
            return try await catalog.snapshot(atMillis: millis).on(reference)
        }
    }

    /// What a table's definition says holds for all its branches: only rows differ.
    func requireMain(_ what: String) throws {
        if let tableBranch {
            throw EngineError(
                .invalid,
                "\(what) cannot be done on branch \"\(tableBranch)\" of tables: it concerns the table as a "
                    + "whole",
                hint:
                    "Leave --table-branch out; on a branch of the catalog (--branch) it can be done."
            )
        }
    }

    /// The version that a table is read at when the statement names none.
    func defaultVersion(of table: TableMetadata) -> Tables.TableVersion {
        guard let tableBranch, table.refs[tableBranch]?.kind == .branch else { return .current }
        return .ref(tableBranch)
    }

    /// The snapshot that a table is read at when the statement names no version.
    func currentSnapshotID(of table: TableMetadata) -> Int64? {
        guard let tableBranch, let reference = table.refs[tableBranch], reference.kind == .branch
        else {
            return table.currentSnapshotID
        }
        return reference.snapshotID
    }

    /// Changes may only be made to the present.
    func requirePresent() throws {
        if isOnTag, let reference {
            throw EngineError(
                .invalid,
                "\"\(reference)\" is a tag of the catalog: it can only be read",
                hint: "CREATE BRANCH … FROM \(reference) makes a branch of it."
            )
        }
        if asOf != nil {
            throw EngineError(
                .invalid,
                "the past cannot be changed",
                hint: "RESET as_of first."
            )
        }
    }

    /// The full name of a table: names without a namespace are looked up in the session's.
    func identifier(_ parts: [String]) throws -> TableIdentifier {
        guard let name = parts.last else { throw EngineError(.invalid, "a table has no name") }
        let levels = parts.count > 1 ? Array(parts.dropLast()) : namespace
        return try TableIdentifier(try Namespace(levels), name)
    }

    func commit(
        _ operations: [CatalogOperation],
        lineage: CommitLineage? = nil,
        message: String? = nil,
        id: String? = nil,
        requestHash: String? = nil
    ) async throws -> CommitReceipt {
        let (own, operations) = splitTemporary(operations)
        if !own.isEmpty {
            // Only what went into the lake can fail for others' sake, so it goes first.
            var receipt: CommitReceipt?
            if !operations.isEmpty {
                receipt = try await commit(operations, lineage: lineage, message: message, id: id)
            }
            let changed = try await changeTemporary(own)
            return receipt ?? changed
        }
        if transaction != nil {
            return try await stage(operations, lineage: lineage, message: message)
        }
        let catalog = try await engine.catalog(creating: true)
        let receipt = try await catalog.commit(
            CatalogCommit(
                id: id ?? catalog.makeCommitID(),
                actor: context.actor,
                branch: reference,
                requestID: context.requestID,
                message: context.message ?? message,
                lineage: try engine.carriedMaps.entry(of: lineage),
                requestHash: requestHash,
                operations: operations
            )
        )
        engine.carriedMaps.note(lineage, receipt)
        return receipt
    }

    private func runCreateNamespace(
        _ create: CreateSchema,
        _ consume: Consumer
    ) async throws {
        try requirePresent()
        let name = try Namespace(create.name.map(\.folded))
        var properties = create.properties.lastValues
        if let location = create.location { properties["location"] = location }
        if let comment = create.comment { properties["comment"] = comment }
        do {
            let receipt = try await commit([.createNamespace(name, properties: properties)])
            try await consume(
                .done(StatementSummary(tag: "CREATE SCHEMA", position: receipt.position))
            )
        } catch let error as CatalogError {
            guard error.code == .alreadyExists, create.isIfNotExists else { throw error }
            try await consume(.done(StatementSummary(tag: "CREATE SCHEMA")))
        }
    }

    private func runAlterNamespace(_ alter: AlterSchema, _ consume: Consumer) async throws {
        try requireMain("ALTER SCHEMA")
        try requirePresent()
        let name = try Namespace(alter.name.map(\.folded))
        if !alter.unset.isEmpty, !alter.isIfExists {
            let state = try await catalogSnapshot(creating: false).state
            let known = try state.properties(of: name)
            if let missing = alter.unset.first(where: { known[$0] == nil }) {
                throw EngineError(
                    .notFound,
                    "namespace \(name) has no property \"\(missing)\"",
                    hint: "UNSET PROPERTIES IF EXISTS passes over what is not there."
                )
            }
        }
        let receipt = try await commit([
            .updateNamespace(
                name,
                set: alter.set.lastValues,
                remove: Set(alter.unset).sorted()
            )
        ])
        try await consume(.done(StatementSummary(tag: "ALTER SCHEMA", position: receipt.position)))
    }

    /// Looks names up in another namespace from now on.
    func use(_ levels: [String], at span: SourceSpan) async throws {
        let state = try await catalogSnapshot(creating: false).state
        let isSystem = levels.count == 1 && SystemTable.namespaces.contains(levels[0])
        guard try isSystem || state.hasNamespace(Namespace(levels)) else {
            throw PlanError(
                .invalid,
                "namespace \"\(levels.joined(separator: "."))\" does not exist",
                hint: nearest(
                    to: levels.joined(separator: "."),
                    among: state.allNamespaces.map(\.description)
                ).map { "Did you mean \"\($0)\"?" },
                at: span
            )
        }
        namespace = levels
    }

    /// A constant expression's value.
    func constant(_ expression: SQL.Expression, _ parameters: Parameters) throws -> Value {
        var binder = Binder(environment: environment(parameters))
        return try binder.constant(expression)
    }
}

extension CatalogInstant {
    /// A log position, or a date or time as SQL writes it (UTC where no zone is given).
    package init(_ text: String) throws {
        if let position = Int64(text) {
            self = .position(position)
            return
        }
        let value = try? evaluateConstant(
            .cast(.constant(.string(text), .string), .timestamptz, isTry: false)
        )
        guard case .timestamptz(let micros)? = value else {
            throw EngineError(
                .invalid,
                "\"\(text)\" is neither a log position nor a time",
                hint: "Write it like 2024-05-01 12:30:00+00, or use a number."
            )
        }
        self = .millis(micros / 1000)
    }
}
