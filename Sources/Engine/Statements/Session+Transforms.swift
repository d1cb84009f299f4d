import Ambient
import Catalog
import Columnar
import Execution
import Iceberg
import ObjectStorage
package import Pipelines
import Planner
import SQL
import Tables

/// What a run of a transform did.
package struct TransformReceipt: Sendable {
    /// A table as it was read.
    package struct Input: Sendable {
        package var name: String
        package var snapshotID: Int64?
    }

    /// What an expectation came to.
    package struct Outcome: Sendable {
        package var name: String
        package var action: Expectation.Action
        /// Rows that do not hold.
        package var violations: Int64
        package var total: Int64
        package var isMet: Bool
    }

    package var name: String
    /// Names the run in lineage.
    package var runID: String
    package var rowCount: Int
    /// Rows that expectations left out, by the expectation's name; a row may count for several.
    package var dropped: [(name: String, rowCount: Int64)]
    /// What expectations with `warn` complain of.
    package var warnings: [String]
    /// Expectations of all rows together, in the order of the spec; those that drop rows are in `dropped`.
    package var outcomes: [Outcome]
    package var inputs: [Input]
    package var position: Int64
    package var snapshotID: Int64?
}

extension Session {
    /// Runs a transform: one commit that names the snapshots it read, or nothing.
    ///
    /// The rows are written first and looked at where they lie; they become visible only when every
    /// expectation that may fail the run holds.
    ///
    /// - Parameter runID: nil for a new one.
    package func run(
        _ plan: TransformPlan,
        runID: String? = nil
    ) async throws -> TransformReceipt {
        let runID = runID ?? engine.options.ambient.uuidV7()
        try requirePresent()
        try plan.checkRunnable()
        if plan.kind == .view { return try await runView(plan, runID: runID) }
        let catalog = try await engine.catalog(creating: true)
        let target = try identifier(plan.name)
        let prepared = try await prepare(plan.query, [:])
        let snapshot = try await catalog.read(of: reference)
        let exists = snapshot.state.table(target) != nil

        var operations: [CatalogOperation] = []
        let table: OpenTable
        let fields: [Field]
        if exists {
            table = try await openTable(
                target.namespace.levels + [target.name],
                in: snapshot
            )
            let columns = try Columnar.Schema(table.metadata.currentSchema)
            fields = try prepared.schema.fields.map {
                try columns.field(named: Identifier($0.name), of: target)
            }
        } else {
            for namespace in try missingNamespaces(target.namespace, snapshot.state) {
                operations.append(.createNamespace(namespace, properties: [:]))
            }
            var properties = Dictionary(
                plan.properties.map { ($0.key, $0.value) },
                uniquingKeysWith: { $1 }
            )
            if let description = plan.description { properties["comment"] = description }
            if let owner = plan.owner { properties["owner"] = owner }
            table = try newTable(
                target,
                prepared.schema,
                catalog,
                partitionedBy: plan.partitionedBy,
                properties: properties
            )
            operations.append(.createTable(target, metadata: table.metadata))
            fields = try Columnar.Schema(table.metadata.currentSchema).fields
        }
        let (rows, shapedFields) = try shaped(prepared, targets: fields, table: table)
        let written = try await writeRows(of: rows, to: table, fields: shapedFields)
        do {
            let (outcomes, warnings) = try await check(plan, written, table)
            let dropped = try await countDrops(plan)
            let replaces = plan.kind == .full
            if !written.files.isEmpty || replaces {
                operations += try await verifiedChange(
                    replaces ? .overwrite(.always) : .append,
                    added: written.files,
                    table: table
                )
            }
            let lineage = lineage(
                of: prepared,
                outputs: fields,
                table: table,
                job: LineageJob(
                    kind: "transform",
                    name: plan.title,
                    version: plan.versionHash,
                    runID: runID
                ),
                replaces: replaces
            )
            let receipt = try await commit(
                operations,
                lineage: lineage,
                message: "transform \(plan.title)"
            )
            return TransformReceipt(
                name: plan.title,
                runID: runID,
                rowCount: written.rowCount,
                dropped: dropped,
                warnings: warnings,
                outcomes: outcomes,
                inputs: prepared.inputs.map {
                    TransformReceipt.Input(
                        name: $0.table.name,
                        snapshotID: $0.origin?.snapshotID
                    )
                },
                position: receipt.position,
                snapshotID: receipt.tables.last.flatMap {
                    receipt.snapshotID(of: $0.identifier)
                }
            )
        } catch let error as TransformFailure {
            // Nothing refers to the files: no commit was tried.
            let keys = written.files.compactMap { try? table.storage.key(of: $0.filePath) }
            try? await table.storage.store.delete(keys)
            throw EngineError(.badRows, error.message)
        }
    }

    /// The namespace and those around it that do not exist yet, outermost first.
    func missingNamespaces(
        _ namespace: Namespace,
        _ state: CatalogState
    ) throws -> [Namespace] {
        var missing: [Namespace] = []
        for count in 1...namespace.levels.count {
            let outer = try Namespace(Array(namespace.levels.prefix(count)))
            if !state.hasNamespace(outer) { missing.append(outer) }
        }
        return missing
    }

    /// Why a run commits nothing.
    private struct TransformFailure: Error {
        var message: String
    }

    /// Evaluates the checks on the rows where they were written, before anybody else can see them.
    ///
    /// - Returns: what all came to, and the complaints of those that only warn.
    private func check(
        _ plan: TransformPlan,
        _ written: WrittenRows,
        _ table: OpenTable
    ) async throws -> ([TransformReceipt.Outcome], [String]) {
        if plan.checks.isEmpty { return ([], []) }
        var outcomes: [Int: TransformReceipt.Outcome] = [:]
        let staged = try await stage(written, table)
        var warnings: [String] = []
        var failures: [String] = []
        for check in try plan.checkQueries(over: [Identifier(staged.name)]) {
            let numbers = try await counts(check.query, staged)
            guard let total = numbers.first, numbers.count == check.checks.count + 1 else {
                throw EngineError(.invalid, "an expectation of \(plan.title) gave no counts")
            }
            for (index, violations) in zip(check.checks, numbers.dropFirst()) {
                let one = plan.checks[index]
                let isMet = one.passes(violations: violations, total: total)
                outcomes[index] = TransformReceipt.Outcome(
                    name: one.name,
                    action: one.action,
                    violations: violations,
                    total: total,
                    isMet: isMet
                )
                if isMet { continue }
                let complaint = one.complaint(violations: violations, total: total)
                if one.action == .fail {
                    failures.append(complaint)
                } else {
                    warnings.append(complaint)
                }
            }
        }
        if !failures.isEmpty {
            throw TransformFailure(
                message: "transform \(plan.title) was not committed:\n  "
                    + failures.joined(separator: "\n  ")
            )
        }
        return (outcomes.sorted { $0.key < $1.key }.map(\.value), warnings)
    }

    /// Rows that drops leave out.
    private func countDrops(
        _ plan: TransformPlan
    ) async throws -> [(name: String, rowCount: Int64)] {
        guard let query = try plan.dropCountQuery() else { return [] }
        let numbers = try await counts(query, nil)
        return zip(plan.drops, numbers.dropFirst()).map { ($0.name, $1) }
    }

    /// The only row of a query of counts.
    private func counts(_ query: Query, _ staged: GivenTable?) async throws -> [Int64] {
        let prepared = try await prepare(query, [:], given: staged.map { [$0] } ?? [])
        return try await withRows(of: prepared) { rows in
            var numbers: [Int64] = []
            while let batch = try await rows.next() {
                guard batch.rowCount == 1 else { continue }
                numbers = batch.columns.map { column in
                    switch column.value(at: 0) {
                    case .int64(let number): number
                    case .int32(let number): Int64(number)
                    case .decimal(let number): Int64(clamping: number)
                    default: 0
                    }
                }
            }
            return numbers
        }
    }

    /// The written files as a table that only this session sees: metadata in memory.
    private func stage(_ written: WrittenRows, _ table: OpenTable) async throws -> GivenTable {
        var alone = table.metadata
        alone.snapshots = []
        alone.snapshotLog = []
        alone.refs = [:]
        alone.currentSnapshotID = nil
        let prepared = try await TableChanges.prepareAppend(
            alone,
            dataFiles: written.files,
            storage: table.storage,
            ambient: engine.options.ambient
        )
        let metadata = try TableMetadata.apply(
            prepared.updates,
            to: alone,
            now: max(alone.lastUpdatedMillis, engine.options.ambient.time.nowMicros() / 1000)
        )
        let files = Dictionary(
            prepared.sideFiles.map { ($0.key, $0.bytes) },
            uniquingKeysWith: { $1 }
        )
        let reader = try TableReader(
            metadata,
            storage: TableStorage(OverlayStore(below: table.storage.store, files: files))
        )
        let columns = try reader.columns()
        return GivenTable(
            name: "varve_staged_rows",
            schema: columns,
            source: TableReadSource(
                reader: reader,
                fieldIDs: columns.fields.map { $0.id ?? 0 },
                chosen: nil
            )
        )
    }
}
