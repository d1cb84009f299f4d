import Catalog
import Columnar
import Execution
import Iceberg
import Planner
import SQL
import Tables

/// INSERT in all its forms; ON CONFLICT becomes a MERGE on the keys of the table.
extension Session {
    func runInsert(
        _ insert: Insert,
        _ parameters: Parameters,
        _ consume: @escaping Consumer
    ) async throws {
        try requirePresent()
        let returning = Returning(insert.returning, parameters, insert.alias)
        if let conflict = insert.conflict {
            return try await runUpsert(insert, conflict, returning, parameters, consume)
        }
        let receipt: WriteReceipt
        if returning == nil, let written = try await insertUnseen(insert, parameters) {
            receipt = written
        } else {
            // Another commit may bring rules that these rows must meet, or a key that they have.
            receipt = try await retryingConflicts {
                let snapshot = try await catalogSnapshot(creating: true)
                let table = try await openTable(insert.table.map(\.folded), in: snapshot)
                return try await self.insert(insert, parameters, into: table, returning)
            }
        }
        if let returned = receipt.returned { return try await consumeRows(returned, consume) }
        if let returning {
            let snapshot = try await catalogSnapshot(creating: true)
            let table = try await openTable(insert.table.map(\.folded), in: snapshot)
            guard let none = try await returned(returning, of: [], table) else { return }
            return try await consumeRows(none, consume)
        }
        try await consume(
            .done(
                StatementSummary(
                    tag: "INSERT",
                    rowCount: receipt.rowCount,
                    position: receipt.position,
                    snapshotID: receipt.snapshotID
                )
            )
        )
    }

    private func insert(
        _ insert: Insert,
        _ parameters: Parameters,
        into table: OpenTable,
        _ returning: Returning? = nil
    ) async throws -> WriteReceipt {
        let targets = try targets(of: insert, table)
        return try await write(
            try source(of: insert, targets, table),
            parameters,
            to: table,
            mapping: insert.isByName ? .byName : .positions(targets),
            mode: insert.isOverwrite ? .overwrite : .append,
            job: LineageJob(kind: "sql"),
            returning: returning
        )
    }

    /// Appends rows that are written out in the statement, without a look at what others did to the table.
    ///
    /// Its definition is as this process knows it, and the commit conflicts if it is not that any more. That
    /// saves a round trip of the three that the statement would take.
    ///
    /// - Returns: nil when the statement is another, or when anything failed and nothing was committed: what
    ///   is wrong then is for the newest state to say.
    private func insertUnseen(
        _ insert: Insert,
        _ parameters: Parameters
    ) async throws -> WriteReceipt? {
        guard transaction == nil, asOf == nil, temporary == nil, tableBranch == nil,
            !insert.isOverwrite, insert.with == nil
        else { return nil }
        switch insert.source {
        case .defaultValues: break
        case .query(let query):
            guard query.with == nil, case .values = query.body else { return nil }
        }
        do {
            let known = try await engine.catalog(creating: false).known.on(reference)
            var table = try await openTable(insert.table.map(\.folded), in: known)
            table.isUnseen = true
            return try await self.insert(insert, parameters, into: table)
        } catch {
            guard Self.saysThatNothingHappened(error) else { throw error }
            return nil
        }
    }

    /// The fields that the values of an INSERT are for, in order.
    func targets(of insert: Insert, _ table: OpenTable) throws -> [Field] {
        let columns = try Columnar.Schema(table.metadata.currentSchema)
        if insert.columns.isEmpty { return try writable(columns.fields, of: table) }
        return try insert.columns.map { try columns.field(named: $0, of: table.identifier) }
    }

    /// The rows of an INSERT, with `DEFAULT` said as what it means.
    func source(
        of insert: Insert,
        _ targets: [Field],
        _ table: OpenTable
    ) throws -> Query {
        let defaults = try defaults(of: table)
        func value(_ field: Field) throws -> SQL.Expression {
            try defaults[field.name] ?? Parser.parseExpression("NULL")
        }
        var query: Query
        switch insert.source {
        case .defaultValues:
            guard insert.columns.isEmpty else {
                throw PlanError(
                    .invalid,
                    "DEFAULT VALUES takes no list of columns",
                    at: insert.span
                )
            }
            query = Query(body: .values([try targets.map { try value($0) }]), span: insert.span)
        case .query(let given): query = given
        }
        if let with = insert.with {
            guard query.with == nil else {
                throw PlanError(.unsupported, "two WITH clauses in one INSERT", at: insert.span)
            }
            query.with = with
        }
        guard case .values(var rows) = query.body else { return query }
        for row in rows.indices {
            for column in rows[row].indices {
                guard case .defaultValue = rows[row][column].node else { continue }
                guard targets.indices.contains(column), !insert.isByName else {
                    throw PlanError(
                        .invalid,
                        "there is no column for this DEFAULT",
                        at: rows[row][column].span
                    )
                }
                rows[row][column] = try value(targets[column])
            }
        }
        query.body = .values(try insert.isByName ? rows : typed(rows, targets))
        return query
    }

    /// Rows of VALUES in which literals of several kinds that go into one column are of its type.
    ///
    /// Else `('NaN'), (1.5)` would have to be of one type before the column is asked.
    private func typed(
        _ rows: [[SQL.Expression]],
        _ targets: [Field]
    ) throws -> [[SQL.Expression]] {
        func isText(_ value: SQL.Expression) -> Bool {
            if case .literal(.string) = value.node { true } else { false }
        }
        func isNumber(_ value: SQL.Expression) -> Bool {
            switch value.node {
            case .literal(.integer), .literal(.decimal): true
            case .unary(_, let operand): isNumber(operand)
            default: false
            }
        }
        var rows = rows
        for (column, field) in targets.enumerated()
        where field.type.isNumeric || field.type == .string {
            let values = rows.compactMap { $0.indices.contains(column) ? $0[column] : nil }
            let numberCount = values.count(where: isNumber)
            guard numberCount > 0, numberCount > 1 || values.contains(where: isText) else {
                continue
            }
            let type = try Parser.parseTypeName(field.type.description)
            for row in rows.indices where rows[row].indices.contains(column) {
                let value = rows[row][column]
                guard isText(value) || isNumber(value) else { continue }
                rows[row][column] = SQL.Expression(
                    .cast(value, type, isTry: false),
                    span: value.span
                )
            }
        }
        return rows
    }

    // MARK: ON CONFLICT

    private func runUpsert(
        _ insert: Insert,
        _ conflict: InsertConflict,
        _ returning: Returning?,
        _ parameters: Parameters,
        _ consume: @escaping Consumer
    ) async throws {
        if insert.isOverwrite {
            throw PlanError(
                .invalid,
                "INSERT OVERWRITE replaces all rows: ON CONFLICT makes no sense",
                at: conflict.span
            )
        }
        let snapshot = try await catalogSnapshot(creating: true)
        let table = try await openTable(insert.table.map(\.folded), in: snapshot)
        let merge = try await upsert(insert, conflict, table, parameters)
        try await runChange(insert.table, "INSERT", returning, parameters, consume) {
            $0.hidesMergeSource = true
            return try $0.bind(merge, over: $1)
        }
    }

    /// The keys that a conflict is about.
    private func conflictKeys(
        _ insert: Insert,
        _ conflict: InsertConflict,
        _ table: OpenTable
    ) throws -> [[String]] {
        let schema = table.metadata.currentSchema
        let all = try TableDeclarations(table.metadata).constraints.compactMap(\.rule.key)
        let names = all.map { $0.compactMap { schema.field(id: $0)?.name } }
        if conflict.columns.isEmpty {
            guard let first = names.first else {
                throw PlanError(
                    .invalid,
                    "table \(table.identifier) has no primary key and no unique constraint",
                    hint: "Add one with ALTER TABLE, or use MERGE.",
                    at: conflict.span
                )
            }
            if case .nothing = conflict.action { return names }
            guard names.count == 1 else {
                throw PlanError(
                    .invalid,
                    "table \(table.identifier) has several keys: which one is meant?",
                    hint: "Name its columns: ON CONFLICT (\(first.joined(separator: ", "))) …",
                    at: conflict.span
                )
            }
            return names
        }
        let columns = try Columnar.Schema(schema)
        let wanted = try conflict.columns.map {
            try columns.field(named: $0, of: table.identifier).name
        }
        guard names.contains(where: { Set($0) == Set(wanted) }) else {
            throw PlanError(
                .invalid,
                "(\(wanted.joined(separator: ", "))) is no primary key or unique constraint of table "
                    + "\(table.identifier)",
                at: conflict.span
            )
        }
        return [wanted]
    }

    /// The MERGE that an INSERT with ON CONFLICT means.
    func upsert(
        _ insert: Insert,
        _ conflict: InsertConflict,
        _ table: OpenTable,
        _ parameters: Parameters
    ) async throws -> Merge {
        func quoted(_ name: String) -> String {
            Printer.print([Identifier(name, isQuoted: true)])
        }
        let keys = try conflictKeys(insert, conflict, table)
        let columns = try Columnar.Schema(table.metadata.currentSchema)
        let writable = try writable(columns.fields, of: table)
        var targets = try targets(of: insert, table)
        let query = try source(of: insert, targets, table)
        let given = try await prepare(query, parameters).schema
        if insert.isByName {
            targets = try given.fields.map {
                try columns.field(named: Identifier($0.name), of: table.identifier)
            }
        }
        guard targets.count == given.count else {
            throw PlanError(
                .invalid,
                "\(targets.count) columns are to be written, the query gives \(given.count)",
                at: insert.span
            )
        }
        let defaults = try defaults(of: table)
        // The rows as they would be inserted, under the names of the table's columns.
        let items = writable.map { field -> String in
            let type = field.type.description
            if let index = targets.firstIndex(where: { $0.id == field.id }) {
                let isSame = given.fields[index].type == field.type || field.type.isNested
                let value = isSame ? "c\(index)" : "CAST(c\(index) AS \(type))"
                return "\(value) AS \(quoted(field.name))"
            }
            let value = defaults[field.name].map { Printer.print($0) } ?? "NULL"
            return field.type.isNested
                ? "\(value) AS \(quoted(field.name))"
                : "CAST(\(value) AS \(type)) AS \(quoted(field.name))"
        }
        let names = targets.indices.map { "c\($0)" }.joined(separator: ", ")
        var text =
            "SELECT \(items.joined(separator: ", ")) FROM (\(Printer.print(query))) "
            + "AS \"varve source\"(\(names))"
        if case .nothing = conflict.action {
            // Of new rows with one key the first comes in.
            for key in keys {
                let list = key.map(quoted).joined(separator: ", ")
                let isNone = key.map { "\(quoted($0)) IS NULL" }.joined(separator: " OR ")
                text =
                    "SELECT * FROM (\(text)) AS \"varve source\" QUALIFY row_number() OVER "
                    + "(PARTITION BY \(list)) = 1 OR \(isNone)"
            }
        }
        let wrapped = try Parser.parseQuery("SELECT * FROM (\(text)) AS excluded")
        guard case .select(let block) = wrapped.body, let source = block.from.first else {
            preconditionFailure("a SELECT with a FROM")
        }
        let condition = keys.map { key in
            "(" + key.map { "\(quoted($0)) = excluded.\(quoted($0))" }.joined(separator: " AND ")
                + ")"
        }.joined(separator: " OR ")
        let keyed = Set(keys.joined())
        var clauses: [MergeClause] = []
        switch conflict.action {
        case .nothing: break
        case .update(let assignments, let filter):
            clauses.append(
                MergeClause(
                    .matched,
                    and: filter,
                    then: .update(assignments),
                    at: conflict.span
                )
            )
        case .replace:
            let rest = writable.filter { !keyed.contains($0.name) }
            clauses.append(
                MergeClause(
                    .matched,
                    then: .update(
                        try (rest.isEmpty ? writable : rest).map { field in
                            Assignment(
                                Identifier(field.name, isQuoted: true),
                                try Parser.parseExpression("excluded.\(quoted(field.name))")
                            )
                        }
                    ),
                    at: conflict.span
                )
            )
        }
        clauses.append(
            MergeClause(
                .notMatchedByTarget,
                then: .insert(
                    columns: writable.map { Identifier($0.name, isQuoted: true) },
                    values: try writable.map {
                        try Parser.parseExpression("excluded.\(quoted($0.name))")
                    }
                ),
                at: conflict.span
            )
        )
        return Merge(
            into: insert.table,
            alias: insert.alias,
            using: source,
            on: try Parser.parseExpression(condition),
            clauses,
            at: insert.span
        )
    }
}
