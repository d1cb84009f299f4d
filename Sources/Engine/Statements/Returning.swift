import Catalog
import Columnar
import Execution
import Iceberg
import Planner
import SQL
import Tables

/// Rows that a statement that changes something gives.
struct ReturnedRows: Sendable {
    var schema: Columnar.Schema
    var batches: [RecordBatch]
}

/// A RETURNING clause.
///
/// Its rows are computed before the commit, so that an error in it undoes all.
struct Returning: Sendable {
    let items: [SelectItem]
    let parameters: Session.Parameters
    let alias: Identifier?
    /// Whether the rows have `merge_action`.
    let isMerge: Bool

    /// nil where a statement has none.
    init?(
        _ items: [SelectItem],
        _ parameters: Session.Parameters,
        _ alias: Identifier?,
        isMerge: Bool = false
    ) {
        if items.isEmpty { return nil }
        self.items = items
        self.parameters = parameters
        self.alias = alias
        self.isMerge = isMerge
    }

    /// The query over the rows, whose columns begin with those of the table.
    fileprivate func query(_ table: OpenTable, _ columns: [Field]) throws -> Query {
        let name = alias?.name ?? table.identifier.name
        let alias = Printer.print([Identifier(name, isQuoted: true)])
        var query = try Parser.parseQuery("SELECT * FROM \"varve returned\" AS \(alias)")
        guard case .select(var block) = query.body else { preconditionFailure("a SELECT") }
        block.items = items.flatMap { item -> [SelectItem] in
            guard case .star(let star) = item.expression.node, star.excluded.isEmpty,
                star.replaced.isEmpty, star.renamed.isEmpty
            else { return [item] }
            return columns.map {
                SelectItem(
                    expression: SQL.Expression(
                        .column([Identifier($0.name, isQuoted: true)]),
                        span: item.expression.span
                    )
                )
            }
        }
        query.body = .select(block)
        return query
    }

    /// What RETURNING says of an UPDATE, DELETE or MERGE.
    func rows(
        of change: ChangePlan,
        insertedFiles: [DataFile],
        _ table: OpenTable,
        _ declared: TableDeclarations,
        _ resolver: SourceResolver,
        _ session: isolated Session
    ) async throws -> ReturnedRows {
        let columns = try Columnar.Schema(table.metadata.currentSchema).fields
        let action = Field("merge_action", .string, isNullable: true)
        let schema = Columnar.Schema(columns + [action])
        let changed = try session.regenerated(
            try session.finish(change.returned, resolver),
            declared,
            table.metadata.currentSchema
        )
        var batches = try await session.batches(of: changed).map { batch in
            let actions = (0..<batch.rowCount).map { row -> Value in
                batch.columns[columns.count].value(at: row) == .boolean(true)
                    ? .string("DELETE") : .string("UPDATE")
            }
            return RecordBatch(
                schema: schema,
                columns: Array(batch.columns.prefix(columns.count)) + [Column(.string, actions)],
                rowCount: batch.rowCount
            )
        }
        if !insertedFiles.isEmpty {
            let given = try session.written(insertedFiles, table)
            let all = try await session.prepare(
                try Parser.parseQuery("SELECT * FROM \"varve returned\""),
                [:],
                given: [given]
            )
            batches += try await session.batches(of: all).map { batch in
                let actions = [Value](repeating: .string("INSERT"), count: batch.rowCount)
                return RecordBatch(
                    schema: schema,
                    columns: batch.columns + [Column(.string, actions)],
                    rowCount: batch.rowCount
                )
            }
        }
        let source = BatchSource(batches: batches)
        let given =
            isMerge
            ? GivenTable(name: "varve returned", schema: schema, source: source)
            : GivenTable(
                name: "varve returned",
                schema: Columnar.Schema(columns),
                source: source
            )
        return try await session.result(of: try query(table, columns), parameters, [given])
    }
}

extension Session {
    /// The rows of a RETURNING clause over files that were written.
    func returned(
        _ returning: Returning?,
        of files: [DataFile],
        _ table: OpenTable
    ) async throws -> ReturnedRows? {
        guard let returning else { return nil }
        let columns = try Columnar.Schema(table.metadata.currentSchema).fields
        return try await result(
            of: try returning.query(table, columns),
            returning.parameters,
            [try written(files, table)]
        )
    }

    /// Files that no commit knows of yet, as a table.
    fileprivate func written(_ files: [DataFile], _ table: OpenTable) throws -> GivenTable {
        let reader = try TableReader(table.metadata, storage: table.storage)
        let rows = RowFiles(
            reader: reader,
            files: files.map { PlannedFile(written: $0) }
        )
        return try given(
            "varve returned",
            rows,
            try Columnar.Schema(table.metadata.currentSchema).fields.map {
                (name: $0.name, id: $0.id ?? 0)
            }
        )
    }

    fileprivate func result(
        of query: Query,
        _ parameters: Parameters,
        _ given: [GivenTable]
    ) async throws -> ReturnedRows {
        let prepared = try await prepare(query, parameters, given: given)
        return ReturnedRows(schema: prepared.schema, batches: try await batches(of: prepared))
    }

    /// All rows of a query, in memory.
    func batches(of prepared: PreparedQuery) async throws -> [RecordBatch] {
        try await withRows(of: prepared) { rows in
            var batches: [RecordBatch] = []
            while let batch = try await rows.next() { batches.append(batch) }
            return batches
        }
    }

    /// Hands over rows that are in memory.
    func consumeRows(_ rows: ReturnedRows, _ consume: @escaping Consumer) async throws {
        let given = GivenTable(
            name: "varve returned",
            schema: rows.schema,
            source: BatchSource(batches: rows.batches)
        )
        let prepared = try await prepare(
            try Parser.parseQuery("SELECT * FROM \"varve returned\""),
            [:],
            given: [given]
        )
        try await withRows(of: prepared) { try await consume(.rows($0)) }
    }
}
