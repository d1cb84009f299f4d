import Ambient
import Bytes
import Catalog
import Columnar
import Execution
import Iceberg
import Kernels
import ObjectStorage
import Planner
import SQL
import Tables

/// What happens to the rows that a table has when others are written to it.
package enum WriteMode: String, Sendable {
    /// They stay.
    case append
    /// They all go, in the same commit.
    case overwrite
}

/// Rows written as data files that no commit knows of yet, or about to be.
struct WrittenRows: Sendable {
    var files: [DataFile]
    /// All rows, when they are to be written with the commit; there are no files then.
    var held: HeldRows?
    var rowCount: Int
}

extension Session {
    /// Writes the rows of a query as data files of a table.
    ///
    /// - Parameters:
    ///   - fields: for each column of the query the table's field, in order; behind them those of row lineage,
    ///     where the rows are older than this.
    ///   - holdsFew: whether few rows may be left for the commit to write.
    nonisolated func writeRows(
        of prepared: PreparedQuery,
        to table: OpenTable,
        fields: [Field],
        holdsFew: Bool = false
    ) async throws -> WrittenRows {
        let schema = Columnar.Schema(fields)
        let (metadata, storage, ambient) = (
            table.metadata, table.storage, engine.options.ambient
        )
        return try await withRows(of: prepared) { rows in
            let writer = try TableWriter(
                metadata,
                storage: storage,
                keepsRowLineage: fields.contains { $0.id == MetadataColumn.rowID.id },
                ambient: ambient
            )
            do {
                var count = 0
                var held: [RecordBatch]? = holdsFew ? [] : nil
                var heldByteCount = 0
                while let batch = try await rows.next() {
                    count += batch.rowCount
                    let batch = RecordBatch(
                        schema: schema,
                        columns: batch.columns,
                        rowCount: batch.rowCount
                    )
                    if let few = held {
                        let arranged = try writer.arranged(batch)
                        heldByteCount += arranged.keptByteCount
                        if heldByteCount <= HeldRows.byteCountMax, count <= HeldRows.rowCountMax {
                            held?.append(arranged)
                            continue
                        }
                        for batch in few { try await writer.write(batch) }
                        held = nil
                    }
                    try await writer.write(batch)
                }
                if let held, count > 0 {
                    _ = await writer.abandon()
                    let rows = HeldRows(
                        held,
                        byteCount: heldByteCount,
                        table: table,
                        ambient: ambient
                    )
                    return WrittenRows(files: [], held: rows, rowCount: count)
                }
                return WrittenRows(files: try await writer.finish(), rowCount: count)
            } catch {
                // No commit was tried: nothing can refer to what was written.
                let keys = await writer.abandon()
                try? await storage.store.delete(keys)
                if table.isTemporary, let error = error as? ObjectStoreError,
                    error.code == .invalid
                {
                    throw Self.temporaryTablesAreFull(error)
                }
                throw error
            }
        }
    }

    /// A change of a table's files as the catalog prepares it, again for each attempt.
    func fileChange(
        _ kind: Tables.TableChange.Kind,
        added: [DataFile],
        rows: HeldRows? = nil,
        table: OpenTable,
        operation: SnapshotOperation? = nil
    ) -> CatalogOperation {
        let ambient = engine.options.ambient
        let (base, storage, branch) = (table.metadata, table.storage, tableBranch)
        let (snapshotID, isUnseen) = (table.branchSnapshotID, table.isUnseen)
        if transaction != nil {
            transaction?.dataFiles += added.compactMap { file in
                (try? storage.key(of: file.filePath)).map { (storage.store, $0) }
            }
        }
        let held = (storage.store as? HeldFiles)?.files ?? []
        // Files that a transaction writes anew name ids that its statements before gave.
        let namesStagedIDs = transaction != nil && table.hasRowLineage && kind.isRewrite
        let prepare = { @Sendable (now: TableBase, added: [DataFile], id: Int64?) in
            guard let metadata = now.metadata else {
                throw EngineError(.notFound, "table \(table.identifier) was dropped meanwhile")
            }
            if let branch, metadata.refs[branch]?.kind == .tag {
                throw EngineError(
                    .invalid,
                    "\"\(branch)\" is a tag of table \(table.identifier): tags cannot be written to",
                    hint: "Name a branch with --table-branch."
                )
            }
            if namesStagedIDs,
                metadata.nextRowID != base.nextRowID
                    || metadata.lastSequenceNumber != base.lastSequenceNumber
            {
                throw EngineError(
                    .conflict,
                    "rows of table \(table.identifier) got other ids than the transaction's statements saw"
                )
            }
            let overlaid =
                now.unwritten.isEmpty
                ? storage
                : TableStorage(OverlayStore(below: storage.store, files: now.unwritten))
            let change = Tables.TableChange(
                kind,
                added: added,
                operation: operation,
                base: base,
                branch: branch ?? SnapshotRef.main,
                snapshotID: id,
                storage: overlaid,
                ambient: ambient
            )
            let prepared = try await change.prepare(metadata)
            return Catalog.TableChange(
                requirements: prepared.requirements,
                updates: prepared.updates,
                files: prepared.sideFiles.map {
                    Catalog.TableChange.File(key: $0.key, bytes: $0.bytes)
                }
            )
        }
        var isAppend = false
        if case .append = kind { isAppend = true }
        if isAppend, operation == nil, Self.mayShareSnapshot(table) {
            return .append(
                table.identifier,
                TableAppend(
                    files: added,
                    unwritten: held,
                    rows: rows,
                    isWanted: { $0.properties[Self.groupAppendsProperty]?.lowercased() != "false" },
                    check: {
                        try Self.checkDeclarations($0, were: base, hasSameSchema: isUnseen)
                    },
                    prepare: prepare
                )
            )
        }
        return .changeTable(table.identifier, isAppend: isAppend) { now in
            if let metadata = now.metadata {
                try Self.checkDeclarations(metadata, were: base, hasSameSchema: isUnseen)
            }
            var change = try await prepare(now, added, snapshotID)
            change.files += held
            return change
        }
    }

    /// Whether rows that are added may come in a snapshot with those of others.
    ///
    /// Where lineage names the snapshot beforehand it is the statement's own.
    private static func mayShareSnapshot(_ table: OpenTable) -> Bool {
        table.branchSnapshotID == nil && !table.isTemporary
    }

    /// Whether rows that are added may be written by the commit: nothing must read them before.
    func mayHoldRows(_ table: OpenTable) throws -> Bool {
        guard transaction == nil, Self.mayShareSnapshot(table) else { return false }
        return try TableDeclarations(table.metadata).constraints.isEmpty
    }

    /// The table's property that gives every append a snapshot of its own when it is `false`.
    private static var groupAppendsProperty: String { "varve.group-appends" }

    /// The table with files to be written that a commit takes along, if they are small.
    func holdingFiles(_ table: OpenTable) -> OpenTable {
        guard transaction == nil, !table.isTemporary else { return table }
        var table = table
        table.storage = TableStorage(HeldFiles(below: table.storage.store))
        return table
    }

    /// That a table still is the same, and asks of its rows what it asked when they were written.
    ///
    /// - Parameter hasSameSchema: whether it must have the columns and partitions of then, too.
    static func checkDeclarations(
        _ now: TableMetadata,
        were before: TableMetadata,
        hasSameSchema: Bool = false
    ) throws(CatalogError) {
        guard now.tableUUID == before.tableUUID else {
            throw CatalogError(.conflict, "another commit put another table in its place")
        }
        if hasSameSchema {
            guard now.currentSchemaID == before.currentSchemaID,
                now.defaultSpecID == before.defaultSpecID
            else {
                throw CatalogError(.conflict, "another commit changed the table's definition")
            }
        }
        let required = Set(now.currentSchema.fields.lazy.filter(\.required).map(\.id))
        let then = Set(before.currentSchema.fields.lazy.filter(\.required).map(\.id))
        guard required.isSubset(of: then),
            TableDeclarations.areEqual(now.properties, before.properties)
        else {
            throw CatalogError(
                .conflict,
                "another commit changed the constraints or defaults of the table"
            )
        }
    }

    /// The snapshot that a commit left on the branch that the session writes to.
    func writtenSnapshot(_ receipt: CommitReceipt) -> Int64? {
        guard let table = receipt.tables.first else { return nil }
        guard let tableBranch else { return receipt.snapshotID(of: table.identifier) }
        return table.metadata.refs[tableBranch]?.snapshotID
    }

    // MARK: INSERT

    /// Which columns of a query go to which of a table.
    enum ColumnMapping {
        /// By place: all of the table's columns, or those named.
        case positions([Field]?)
        case byName
    }

    /// What a write did.
    struct WriteReceipt: Sendable {
        var rowCount: Int
        var position: Int64
        var snapshotID: Int64?
        var returned: ReturnedRows?
    }

    /// Runs a query and commits its rows to a table.
    func write(
        _ query: Query,
        _ parameters: Parameters,
        to table: OpenTable,
        mapping: ColumnMapping,
        mode: WriteMode,
        job: LineageJob,
        returning: Returning? = nil
    ) async throws -> WriteReceipt {
        let prepared = try await prepare(query, parameters)
        return try await write(
            prepared,
            to: table,
            mapping: mapping,
            mode: mode,
            job: job,
            returning: returning
        )
    }

    func write(
        _ prepared: PreparedQuery,
        to table: OpenTable,
        mapping: ColumnMapping,
        mode: WriteMode,
        job: LineageJob,
        returning: Returning? = nil
    ) async throws -> WriteReceipt {
        let columns = try Columnar.Schema(table.metadata.currentSchema)
        let targets: [Field]
        switch mapping {
        case .positions(let named):
            targets = try named ?? writable(columns.fields, of: table)
            guard targets.count == prepared.schema.count else {
                throw PlanError(
                    .invalid,
                    "\(targets.count) columns are to be written, the query gives "
                        + "\(prepared.schema.count)"
                )
            }
        case .byName:
            targets = try prepared.schema.fields.map {
                try columns.field(
                    named: Identifier($0.name),
                    of: table.identifier
                )
            }
        }
        var seen: Set<Int> = []
        for field in targets where !seen.insert(field.id ?? 0).inserted {
            throw PlanError(.invalid, "column \"\(field.name)\" is written twice")
        }
        let (rows, fields) = try shaped(prepared, targets: targets, table: table)
        let table = holdingFiles(table)
        let mayHold = try mode == .append && returning == nil && mayHoldRows(table)
        let written = try await writeRows(
            of: rows,
            to: table,
            fields: fields,
            holdsFew: mayHold
        )
        let kind: Tables.TableChange.Kind =
            mode == .append ? .append : .overwrite(.always)
        if written.rowCount == 0 && mode == .append {
            let position =
                table.isTemporary
                ? 0 : try await engine.catalog(creating: false).known.position
            return WriteReceipt(rowCount: 0, position: position, snapshotID: nil)
        }
        do {
            let operations =
                if let held = written.held {
                    [fileChange(kind, added: [], rows: held, table: table)]
                } else {
                    try await verifiedChange(kind, added: written.files, table: table)
                }
            let returned = try await returned(returning, of: written.files, table)
            let receipt = try await commit(
                operations,
                lineage: lineage(
                    of: prepared,
                    outputs: targets,
                    table: table,
                    job: job,
                    replaces: mode == .overwrite
                )
            )
            return WriteReceipt(
                rowCount: written.rowCount,
                position: receipt.position,
                snapshotID: writtenSnapshot(receipt),
                returned: returned
            )
        } catch {
            await discard(written.files, of: table, after: error)
            throw error
        }
    }

    /// Removes files that no commit refers to, where the error says that none does.
    func discard(_ files: [DataFile], of table: OpenTable, after error: any Error) async {
        guard Self.saysThatNothingHappened(error) else { return }
        let keys = files.compactMap { try? table.storage.key(of: $0.filePath) }
        try? await table.storage.store.delete(keys)
    }

    // MARK: DELETE

    func runDelete(
        _ delete: Delete,
        _ parameters: Parameters,
        _ consume: @escaping Consumer
    ) async throws {
        try requirePresent()
        guard delete.returning.isEmpty, delete.using.isEmpty, delete.with == nil else {
            return try await runChange(
                delete.table,
                "DELETE",
                Returning(delete.returning, parameters, delete.alias),
                parameters,
                consume
            ) { try $0.bind(delete, over: $1) }
        }
        let summary = try await retryingConflicts { try await deleteRows(delete, parameters) }
        try await consume(.done(summary))
    }

    /// Reads the table anew when another writer replaced a file that the statement was to replace:
    /// nothing that it saw was promised to anybody.
    func retryingConflicts<R: Sendable>(
        _ body: () async throws -> R
    ) async throws -> R {
        var attempt = 0
        while true {
            do {
                return try await body()
            } catch {
                guard Self.isConflict(error), attempt < Self.deleteAttemptCountMax else {
                    throw error
                }
                attempt += 1
                let random = engine.options.ambient.random.nextBits() % 50
                try await engine.options.ambient.time.sleep(
                    nanoseconds: Int64(random) * 1_000_000 * Int64(min(attempt, 10))
                )
            }
        }
    }

    static let deleteAttemptCountMax = 100

    /// Whether an error of a statement means that it committed nothing, whatever became of its files.
    static func saysThatNothingHappened(_ error: any Error) -> Bool {
        switch error {
        case is SQLError, is PlanError, is EngineError, is KernelError, is ExecutionError,
            is IcebergError, is TablesError:
            true
        case let error as CatalogError:
            switch error.code {
            case .conflict, .tableNotFound, .namespaceNotFound, .referenceNotFound,
                .warehouseNotFound:
                true
            default: false
            }
        default: false
        }
    }

    static func isConflict(_ error: any Error) -> Bool {
        switch error {
        case let error as TablesError: error.code == .conflict
        case let error as IcebergError: error.code == .conflict
        case let error as CatalogError: error.code == .conflict
        default: false
        }
    }

    /// One attempt at a DELETE.
    private func deleteRows(
        _ delete: Delete,
        _ parameters: Parameters
    ) async throws -> StatementSummary {
        let snapshot = try await catalogSnapshot(creating: false)
        let table = try await openTable(delete.table.map(\.folded), in: snapshot)
        let removal = try await prepareDelete(
            delete.filter,
            alias: delete.alias?.name,
            table,
            parameters
        )
        guard removal.rowCount > 0 else {
            return StatementSummary(tag: "DELETE", rowCount: 0)
        }
        let operation: SnapshotOperation = removal.added.isEmpty ? .delete : .overwrite
        do {
            let receipt = try await commit(
                try await verifiedChange(
                    .rewrite(removed: removal.removed, predicate: removal.predicate),
                    added: removal.added,
                    table: table,
                    operation: operation
                ),
                lineage: lineage(ofRemovalFrom: [table], operation: operation.rawValue)
            )
            return StatementSummary(
                tag: "DELETE",
                rowCount: removal.rowCount,
                position: receipt.position,
                snapshotID: writtenSnapshot(receipt)
            )
        } catch {
            await discard(removal.added, of: table, after: error)
            throw error
        }
    }

    private struct Removal {
        var removed: [DataFile] = []
        var added: [DataFile] = []
        var rowCount = 0
        var predicate = TablePredicate.always
    }

    /// Finds the files with rows to delete, and writes what stays of them to new ones.
    private func prepareDelete(
        _ filter: SQL.Expression?,
        alias: String?,
        _ table: OpenTable,
        _ parameters: Parameters
    ) async throws -> Removal {
        let reader = try TableReader(
            table.metadata,
            at: defaultVersion(of: table.metadata),
            storage: table.storage,
            metadataFile: table.metadataLocation
        )
        let columns = try reader.columns()
        guard let filter else {
            let plan = try await reader.plan()
            let files = plan.files.map(\.file)
            return Removal(
                removed: files,
                rowCount: files.reduce(0) { $0 + Int($1.recordCount) }
            )
        }
        // The condition over the table, with the name of each row's file beside its columns.
        let lineage = table.lineageFields
        let seen = Columnar.Schema(
            columns.fields + [MetadataColumn.file, MetadataColumn.rowNumber] + lineage
        )
        let resolver = SourceResolver(session: self)
        var environment = environment(parameters)
        let fieldIDs = seen.fields.map { $0.id ?? 0 }
        let sourceID = resolver.sources.add(
            TableReadSource(reader: reader, fieldIDs: fieldIDs, chosen: nil)
        )
        let source = SourceTable(
            sourceID: sourceID,
            name: table.identifier.description,
            schema: seen,
            rowCount: reader.notedRowCount,
            isRowCountExact: false,
            rowNumberPosition: columns.count + 1,
            rowLineage: table.lineagePositions(from: columns.count + 2),
            collations: try TableDeclarations(table.metadata).collations(columns)
        )
        var bound: (condition: BoundExpression, scan: LogicalPlan)?
        var binder = Binder(environment: environment)
        while bound == nil {
            do {
                binder = Binder(environment: environment)
                bound = try binder.condition(filter, over: source, alias: alias)
            } catch let missing as MissingTable {
                try await supply(missing, to: &environment, resolver)
            } catch let needed as NeededRows {
                try await answer(needed, resolver, &environment)
            }
        }
        guard let bound else { preconditionFailure("bound or thrown") }

        // How many rows of each file go.
        let scanned = bound.scan.columns
        let file = scanned[columns.count]
        let counts = try await fileCounts(
            .filter(bound.condition, bound.scan),
            file,
            &binder,
            resolver
        )
        if counts.isEmpty { return Removal() }
        var removal = Removal()
        removal.rowCount = counts.values.reduce(0, +)
        let plan = try await reader.plan()
        let touched = plan.files.filter { counts[$0.file.filePath] != nil }
        removal.removed = touched.map(\.file)
        // Others may have added matching rows meanwhile: what pruning can see of the condition.
        if case .scan(let scan) = Optimiser(evaluate: { try evaluateConstant($0) }).optimise(
            .filter(bound.condition, bound.scan)
        ) {
            let ids = Dictionary(
                scan.columns.map { ($0.column.id.number, fieldIDs[$0.position]) },
                uniquingKeysWith: { a, _ in a }
            )
            removal.predicate = TablePredicate(scan.filters) { ids[$0] ?? 0 }
        }
        let partial = touched.filter {
            (counts[$0.file.filePath] ?? 0) < Int($0.file.recordCount)
        }
        if !partial.isEmpty {
            var part = plan
            part.files = partial
            removal.added = try await rewrite(
                part,
                keeping: .isTruth(bound.condition, true, isNegated: true),
                bound.scan,
                sourceID,
                reader,
                seen,
                table,
                resolver
            )
        }
        return removal
    }

    /// Rows of a plan by the file they are in.
    private func fileCounts(
        _ plan: LogicalPlan,
        _ file: PlanColumn,
        _ binder: inout Binder,
        _ resolver: SourceResolver
    ) async throws -> [String: Int] {
        let grouped = binder.countRows(of: plan, by: file)
        return try await fileCounts(grouped, resolver)
    }

    /// - Parameter grouped: gives files and how many rows of each there are.
    func fileCounts(
        _ grouped: LogicalPlan,
        _ resolver: SourceResolver
    ) async throws -> [String: Int] {
        let prepared = try finish(grouped, resolver)
        return try await withRows(of: prepared) { rows in
            var counts: [String: Int] = [:]
            while let batch = try await rows.next() {
                for row in 0..<batch.rowCount {
                    if case .string(let name) = batch.columns[0].value(at: row),
                        case .int64(let count) = batch.columns[1].value(at: row)
                    {
                        counts[name] = Int(count)
                    }
                }
            }
            return counts
        }
    }

    /// Writes the rows of some files that meet a condition to new files; they keep their row lineage.
    ///
    /// - Parameter seen: the columns of the scan.
    private func rewrite(
        _ files: TablePlan,
        keeping condition: BoundExpression,
        _ scan: LogicalPlan,
        _ sourceID: Int,
        _ reader: TableReader,
        _ seen: Columnar.Schema,
        _ table: OpenTable,
        _ resolver: SourceResolver
    ) async throws -> [DataFile] {
        let chosen = TableReadSource(
            reader: reader,
            fieldIDs: seen.fields.map { $0.id ?? 0 },
            chosen: files
        )
        resolver.sources.replace(sourceID, with: chosen)
        let fields = try reader.columns().fields + reader.keptFields
        let kept = try fields.map { field in
            guard let place = seen.fields.firstIndex(where: { $0.id == field.id }) else {
                throw TablesError(.invalid, "the scan lacks column \(field.name)")
            }
            return scan.columns[place]
        }
        let plan = LogicalPlan.project(
            kept.map { LogicalPlan.Projection($0.reference, $0) },
            .filter(condition, scan)
        )
        let prepared = try finish(plan, resolver)
        return try await writeRows(of: prepared, to: table, fields: fields).files
    }

    func runTruncate(_ truncate: Truncate, _ consume: Consumer) async throws {
        try requirePresent()
        let snapshot = try await catalogSnapshot(creating: false)
        var tables: [OpenTable] = []
        for name in truncate.tables {
            tables.append(try await openTable(name.map(\.folded), in: snapshot))
        }
        var operations: [CatalogOperation] = []
        for table in tables {
            operations += try await verifiedChange(
                .overwrite(.always),
                added: [],
                table: table,
                operation: .delete
            )
        }
        let receipt = try await commit(
            operations,
            lineage: lineage(
                ofRemovalFrom: tables.filter { !$0.isTemporary },
                operation: "delete"
            )
        )
        try await consume(
            .done(StatementSummary(tag: "TRUNCATE TABLE", position: receipt.position))
        )
    }
}

extension Columnar.Schema {
    /// The field that a name means.
    func field(named name: Identifier, of table: TableIdentifier) throws -> Field {
        let exact = fields.filter { $0.name == name.name }
        let found =
            exact.isEmpty && !name.isQuoted
            ? fields.filter { $0.name.lowercased() == name.name.lowercased() } : exact
        guard found.count == 1, let field = found.first else {
            let near = nearest(to: name.name, among: fields.map(\.name))
            throw PlanError(
                .invalid,
                "table \(table) has no column \"\(name.name)\"",
                hint: near.map { "Did you mean \"\($0)\"?" },
                at: name.span
            )
        }
        return field
    }
}

extension PreparedQuery {
    /// The same rows with their columns cast to the types of a table's fields.
    ///
    /// - Parameter isExplicit: as CAST does, not only as an assignment may.
    func cast(to fields: [Field], isExplicit: Bool = false) throws -> PreparedQuery {
        var result = self
        let expressions = try zip(schema.fields, fields).enumerated().map {
            index,
            pair -> BoundExpression in
            let (from, to) = pair
            let column = BoundExpression.column(ColumnID(index), from.type)
            if from.type == to.type { return column }
            guard isExplicit || Self.canAssign(from.type, to.type) else {
                throw PlanError(
                    .invalid,
                    "column \"\(to.name)\" is of type \(to.type), the value is of type \(from.type)",
                    hint: "Use CAST to convert it."
                )
            }
            return .cast(column, to.type, isTry: false)
        }
        result.physical = .project(expressions, physical)
        result.schema = Columnar.Schema(fields)
        return result
    }

    /// The same rows without the columns behind the first so many.
    func prefix(_ count: Int) -> PreparedQuery {
        if schema.count <= count { return self }
        var result = self
        let kept = Array(schema.fields.prefix(count))
        result.physical = .project(
            kept.enumerated().map { .column(ColumnID($0), $1.type) },
            physical
        )
        result.schema = Columnar.Schema(kept)
        return result
    }

    /// Whether values of a type may be stored in a column of another without a CAST.
    private static func canAssign(_ from: DataType, _ to: DataType) -> Bool {
        if from == .null || from == to { return true }
        if from.isNumeric && to.isNumeric { return true }
        if from.isTemporal && to.isTemporal && from != .time && to != .time { return true }
        // Text is read as whatever the column holds, as in DuckDB.
        if from == .string || to == .string { return true }
        switch (from, to) {
        case (.fixed, .binary), (.binary, .fixed): return true
        case (.list, .list), (.structure, .structure), (.map, .map): return true
        default: return false
        }
    }
}
