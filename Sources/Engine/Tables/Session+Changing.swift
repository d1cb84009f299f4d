import Catalog
import Columnar
import Execution
import Iceberg
import ObjectStorage
import Planner
import SQL
import Tables

/// UPDATE and MERGE: files with rows that change are written anew, in one commit with what is
/// inserted.
extension Session {
    func runChange(
        _ name: ObjectName,
        _ tag: String,
        _ returning: Returning?,
        _ parameters: Parameters,
        _ consume: @escaping Consumer,
        _ bind: (inout Binder, SourceTable) throws -> ChangePlan
    ) async throws {
        try requirePresent()
        let (summary, returned) = try await retryingConflicts {
            try await changeRows(name, tag, returning, parameters, bind)
        }
        if let returned { return try await consumeRows(returned, consume) }
        try await consume(.done(summary))
    }

    private func changeRows(
        _ name: ObjectName,
        _ tag: String,
        _ returning: Returning?,
        _ parameters: Parameters,
        _ bind: (inout Binder, SourceTable) throws -> ChangePlan
    ) async throws -> (StatementSummary, ReturnedRows?) {
        let snapshot = try await catalogSnapshot(creating: false)
        let table = try await openTable(name.map(\.folded), in: snapshot)
        let reader = try TableReader(
            table.metadata,
            at: defaultVersion(of: table.metadata),
            storage: table.storage,
            metadataFile: table.metadataLocation
        )
        let declared = try TableDeclarations(table.metadata)
        let defaults = try defaults(of: table)
        let generated = declared.columns.filter { $0.value.generated != nil }.keys
            .compactMap { table.metadata.currentSchema.field(id: $0)?.name }
        let columns = try reader.columns()
        // The table's columns, and beside them the number of each row, its lineage and where it is.
        let seen = Columnar.Schema(
            columns.fields + [MetadataColumn.rowNumber] + table.lineageFields
                + [MetadataColumn.file, MetadataColumn.position]
        )
        let fieldIDs = seen.fields.map { $0.id ?? 0 }
        let resolver = SourceResolver(session: self)
        let sourceID = resolver.sources.add(
            TableReadSource(reader: reader, fieldIDs: fieldIDs, chosen: nil)
        )
        let source = SourceTable(
            sourceID: sourceID,
            name: table.identifier.description,
            schema: seen,
            rowCount: reader.notedRowCount,
            isRowCountExact: false,
            rowNumberPosition: columns.count,
            rowLineage: table.lineagePositions(from: columns.count + 1),
            collations: declared.collations(columns)
        )
        resolver.note(
            ResolvedSource(
                table: source,
                origin: table.isTemporary
                    ? nil
                    : TableOrigin(
                        identifier: table.identifier,
                        uuid: table.metadata.tableUUID,
                        snapshotID: table.metadata.currentSnapshotID
                    )
            )
        )
        var environment = environment(parameters)
        var binder = Binder(environment: environment)
        var bound: ChangePlan?
        while bound == nil {
            do {
                binder = Binder(environment: environment)
                binder.defaults = defaults
                binder.generatedColumns = Set(generated)
                bound = try bind(&binder, source)
            } catch let missing as MissingTable {
                try await supply(missing, to: &environment, resolver)
            } catch let needed as NeededRows {
                try await answer(needed, resolver, &environment)
            }
        }
        guard let bound else { preconditionFailure("bound or thrown") }
        let counts = try await fileCounts(
            binder.countRows(of: bound.changed, by: bound.file),
            resolver
        )
        let changedCount = counts.values.reduce(0, +)
        var added: [DataFile] = []
        do {
            var rowCount = changedCount
            var written: PreparedQuery?
            // What is inserted depends on all of the table; what is rewritten only on its files.
            if let inserted = bound.inserted {
                let prepared = try regenerated(
                    try finish(inserted, resolver),
                    declared,
                    table.metadata.currentSchema
                )
                let rows = try await writeRows(of: prepared, to: table, fields: columns.fields)
                added += rows.files
                rowCount += rows.rowCount
                if rows.rowCount > 0 { written = prepared }
            }
            let returned = try await returning?.rows(
                of: bound,
                insertedFiles: added,
                table,
                declared,
                resolver,
                self
            )
            guard rowCount > 0 else { return (StatementSummary(tag: tag, rowCount: 0), returned) }
            var removed: [DataFile] = []
            if changedCount > 0 {
                var part = try await reader.plan()
                part.files = part.files.filter { counts[$0.file.filePath] != nil }
                removed = part.files.map(\.file)
                resolver.sources.replace(
                    sourceID,
                    with: TableReadSource(reader: reader, fieldIDs: fieldIDs, chosen: part)
                )
                let prepared = try regenerated(
                    try finish(bound.rewritten, resolver),
                    declared,
                    table.metadata.currentSchema
                )
                // Rows without ids to keep get theirs with the commit, as new ones do.
                let fields = columns.fields + reader.keptFields
                added += try await writeRows(
                    of: prepared.prefix(fields.count),
                    to: table,
                    fields: fields
                ).files
                written = prepared
            }
            guard let written else { preconditionFailure("something was written") }
            let kind: Tables.TableChange.Kind =
                removed.isEmpty
                ? .append
                : .rewrite(removed: removed, predicate: predicate(bound, fieldIDs))
            let operation: SnapshotOperation =
                removed.isEmpty ? .append : added.isEmpty ? .delete : .overwrite
            let receipt = try await commit(
                try await verifiedChange(kind, added: added, table: table, operation: operation),
                lineage: lineage(
                    of: written,
                    outputs: columns.fields,
                    table: table,
                    job: LineageJob(kind: "sql"),
                    operation: operation.rawValue
                )
            )
            let summary = StatementSummary(
                tag: tag,
                rowCount: rowCount,
                position: receipt.position,
                snapshotID: writtenSnapshot(receipt)
            )
            return (summary, returned)
        } catch {
            // Without a commit nobody refers to the files; of an unknown outcome they must stay.
            let severalRows = (error as? ExecutionError) == .severalRows
            await discard(added, of: table, after: error)
            guard severalRows, bound.isByOtherRows else { throw error }
            throw PlanError(
                .invalid,
                "\(tag) would change a row of the table more than once, or a subquery used as a value "
                    + "gave more than one row",
                hint: "Make what changes it unique for each row."
            )
        }
    }

    /// Which rows were looked at, as far as pruning can see; rows that others add to them meanwhile
    /// are a conflict.
    private func predicate(_ plan: ChangePlan, _ fieldIDs: [Int]) -> TablePredicate {
        guard let (condition, scan) = plan.condition,
            case .scan(let filtered) = Optimiser(evaluate: { try evaluateConstant($0) })
                .optimise(.filter(condition, scan))
        else { return .always }
        let ids = Dictionary(
            filtered.columns.map { ($0.column.id.number, fieldIDs[$0.position]) },
            uniquingKeysWith: { a, _ in a }
        )
        return TablePredicate(filtered.filters) { ids[$0] ?? 0 }
    }
}
