import Catalog
import Columnar
import Execution
import Iceberg
import Planner
import SQL
import Tables

extension Session {
    /// A query that a statement runs, and what is done with its rows; nil where they are the answer.
    struct ExplainedStep {
        var title: String?
        var prepared: PreparedQuery
    }

    /// What a statement would run, without running it.
    func steps(of explain: Explain, _ parameters: Parameters) async throws -> [ExplainedStep] {
        switch explain.statement {
        case .query(let query):
            return [ExplainedStep(title: nil, prepared: try await prepare(query, parameters))]
        case .createTable(let create):
            guard let query = create.query else { break }
            let name = create.name.map(\.folded).joined(separator: ".")
            return [
                ExplainedStep(
                    title: "CREATE TABLE \(name) AS",
                    prepared: try await prepare(query, parameters)
                )
            ]
        case .createView(let create):
            let name = create.name.map(\.folded).joined(separator: ".")
            return [
                ExplainedStep(
                    title: "CREATE VIEW \(name) AS",
                    prepared: try await prepare(create.query, parameters)
                )
            ]
        case .insert(let insert):
            let table = try await openTable(
                insert.table.map(\.folded),
                in: try await catalogSnapshot(creating: false)
            )
            if let conflict = insert.conflict {
                let merge = try await upsert(insert, conflict, table, parameters)
                return try await changes("INSERT INTO", insert.table, parameters) {
                    $0.hidesMergeSource = true
                    return try $0.bind(merge, over: $1)
                }
            }
            let targets = try targets(of: insert, table)
            let query = try source(of: insert, targets, table)
            return [
                ExplainedStep(
                    title:
                        "INSERT \(insert.isOverwrite ? "OVERWRITE" : "INTO") \(table.identifier)",
                    prepared: try await prepare(query, parameters)
                )
            ]
        case .update(let update):
            return try await changes("UPDATE", update.table, parameters) {
                try $0.bind(update, over: $1)
            }
        case .delete(let delete):
            return try await changes("DELETE FROM", delete.table, parameters) {
                try $0.bind(delete, over: $1)
            }
        case .merge(let merge):
            return try await changes("MERGE INTO", merge.table, parameters) {
                try $0.bind(merge, over: $1)
            }
        default: break
        }
        throw PlanError(
            .unsupported,
            "EXPLAIN is for queries and for statements that write rows",
            at: explain.span
        )
    }

    /// The rows that an UPDATE, DELETE or MERGE writes anew, and those that it inserts.
    private func changes(
        _ verb: String,
        _ name: ObjectName,
        _ parameters: Parameters,
        _ bind: (inout Binder, SourceTable) throws -> ChangePlan
    ) async throws -> [ExplainedStep] {
        let table = try await openTable(
            name.map(\.folded),
            in: try await catalogSnapshot(creating: false)
        )
        let reader = try TableReader(
            table.metadata,
            at: defaultVersion(of: table.metadata),
            storage: table.storage,
            metadataFile: table.metadataLocation
        )
        let declared = try TableDeclarations(table.metadata)
        let columns = try reader.columns()
        let seen = Columnar.Schema(
            columns.fields + [MetadataColumn.rowNumber] + table.lineageFields
                + [MetadataColumn.file, MetadataColumn.position]
        )
        let resolver = SourceResolver(session: self)
        let source = SourceTable(
            sourceID: resolver.sources.add(
                TableReadSource(
                    reader: reader,
                    fieldIDs: seen.fields.map { $0.id ?? 0 },
                    chosen: nil
                )
            ),
            name: table.identifier.description,
            schema: seen,
            rowCount: reader.notedRowCount,
            isRowCountExact: false,
            rowNumberPosition: columns.count,
            rowLineage: table.lineagePositions(from: columns.count + 1),
            collations: declared.collations(columns)
        )
        var environment = environment(parameters)
        while true {
            do {
                var binder = Binder(environment: environment)
                binder.defaults = try defaults(of: table)
                binder.generatedColumns = Set(
                    declared.columns.filter { $0.value.generated != nil }.keys
                        .compactMap { table.metadata.currentSchema.field(id: $0)?.name }
                )
                let bound = try bind(&binder, source)
                var steps: [ExplainedStep] = []
                if let inserted = bound.inserted {
                    steps.append(
                        ExplainedStep(
                            title: "\(verb) \(table.identifier), new rows",
                            prepared: try finish(inserted, resolver)
                        )
                    )
                }
                steps.append(
                    ExplainedStep(
                        title: "\(verb) \(table.identifier), rows of files with changes",
                        prepared: try finish(bound.rewritten, resolver)
                    )
                )
                return steps
            } catch let missing as MissingTable {
                try await supply(missing, to: &environment, resolver)
            } catch let needed as NeededRows {
                try await answer(needed, resolver, &environment)
            }
        }
    }
}
