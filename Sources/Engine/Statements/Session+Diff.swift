import Catalog
import Columnar
package import Execution
import Iceberg
import Planner
import SQL
import Tables

/// What is asked of a difference between two versions of a table.
package struct DiffRequest: Sendable {
    package var table: String
    /// A snapshot id, the name of a branch or tag, or a time.
    package var from: String
    package var to: String
    /// Columns that tell which rows are the same row before and after; empty when none do.
    package var keys: [String]

    package init(table: String, from: String, to: String, keys: [String] = []) {
        self.table = table
        self.from = from
        self.to = to
        self.keys = keys
    }
}

/// How many rows differ between two versions of a table.
package struct DiffCounts: Sendable {
    package var table: String
    /// nil for a table that was still empty.
    package var fromSnapshotID: Int64?
    package var toSnapshotID: Int64?
    package var addedCount = 0
    package var removedCount = 0
    /// Pairs of rows with the same key.
    package var changedCount = 0
}

extension Session {
    /// Finds the rows that differ between two versions, as often as they differ: a row that was there
    /// twice and is there once was removed once.
    ///
    /// Files that both versions have are not read. Both are read with the columns of the later one.
    /// The rows have Iceberg's change types in `_change_type`: `INSERT`, `DELETE`, `UPDATE_BEFORE`,
    /// `UPDATE_AFTER`.
    ///
    /// - Parameters:
    ///   - counted: called first.
    ///   - consume: takes the rows.
    package func diff(
        _ request: DiffRequest,
        counted: @Sendable (DiffCounts) async throws -> Void,
        rows consume: @Sendable @escaping (ResultStream) async throws -> Void
    ) async throws {
        let name = try Parser.parseObjectName(request.table).map(\.folded)
        let table = try await openTable(name, in: try await catalogSnapshot(creating: false))
        let from = try reader(of: table, at: request.from)
        let to = try reader(of: table, at: request.to)
        let columns = try to.columns()
        if columns.fields.contains(where: { $0.name == "_change_type" }) {
            throw EngineError(.invalid, "the table has a column _change_type of its own")
        }
        let keys = try request.keys.map { key in
            try columns.field(named: Identifier(key), of: table.identifier).name
        }
        // What both versions have cannot differ.
        var (before, after) = (try await from.plan(), try await to.plan())
        let shared = Set(before.files.map(\.content)).intersection(after.files.map(\.content))
        before.files.removeAll { shared.contains($0.content) }
        after.files.removeAll { shared.contains($0.content) }
        let fieldIDs = columns.fields.map { $0.id ?? 0 }
        let given = [("varve before", before), ("varve after", after)].map { name, plan in
            GivenTable(
                name: name,
                schema: columns,
                source: TableReadSource(reader: to, fieldIDs: fieldIDs, chosen: plan)
            )
        }
        let text = DiffText(keys: keys)
        let counts = try await prepare(try Parser.parseQuery(text.counts), [:], given: given)
        var result = DiffCounts(
            table: table.identifier.description,
            fromSnapshotID: from.snapshot?.snapshotID,
            toSnapshotID: to.snapshot?.snapshotID
        )
        let found = try await withRows(of: counts) { rows in
            var found: [String: Int] = [:]
            while let batch = try await rows.next() {
                for row in 0..<batch.rowCount {
                    if case .string(let type) = batch.columns[0].value(at: row),
                        case .int64(let count) = batch.columns[1].value(at: row)
                    {
                        found[type] = Int(count)
                    }
                }
            }
            return found
        }
        result.addedCount = found["INSERT"] ?? 0
        result.removedCount = found["DELETE"] ?? 0
        result.changedCount = found["UPDATE_AFTER"] ?? 0
        try await counted(result)
        let query = try await prepare(try Parser.parseQuery(text.rows), [:], given: given)
        try await withRows(of: query) { try await consume($0) }
    }

    /// A table at what a person calls a version: a snapshot id, a branch or tag, or a time.
    private func reader(of table: OpenTable, at version: String) throws -> TableReader {
        let wanted: Tables.TableVersion
        if let id = Int64(version) {
            wanted = .snapshotID(id)
        } else if table.metadata.refs[version] != nil || version == SnapshotRef.main {
            wanted = .ref(version)
        } else if case .millis(let millis)? = try? CatalogInstant(version) {
            wanted = .timeMillis(millis)
        } else {
            throw EngineError(
                .notFound,
                "\"\(version)\" is no snapshot id, branch, tag or time of table \(table.identifier)",
                hint: "varve sql \"SELECT * FROM \(table.identifier).snapshots\" lists snapshots."
            )
        }
        return try TableReader(table.metadata, at: wanted, storage: table.storage)
    }
}

/// The queries that find differences.
private struct DiffText {
    let keys: [String]

    private var tables: String {
        """
        WITH removed AS (FROM "varve before" EXCEPT ALL FROM "varve after"),
             added AS (FROM "varve after" EXCEPT ALL FROM "varve before")
        """
    }

    private var changes: String {
        if keys.isEmpty {
            return """
                SELECT 'DELETE' AS _change_type, * FROM removed
                UNION ALL SELECT 'INSERT' AS _change_type, * FROM added
                """
        }
        func side(_ table: String, _ other: String, _ paired: String, _ alone: String) -> String {
            let list = keys.map(quotedName).joined(separator: ", ")
            let match = keys.map { "o.\(quotedName($0)) IS NOT DISTINCT FROM s.\(quotedName($0))" }
                .joined(separator: " AND ")
            return """
                SELECT CASE WHEN o."varve hit" THEN '\(paired)' ELSE '\(alone)' END AS _change_type,
                       s.*
                FROM \(table) s
                LEFT JOIN (SELECT DISTINCT \(list), TRUE AS "varve hit" FROM \(other)) o ON \(match)
                """
        }
        return side("removed", "added", "UPDATE_BEFORE", "DELETE") + "\nUNION ALL\n"
            + side("added", "removed", "UPDATE_AFTER", "INSERT")
    }

    var counts: String {
        "\(tables) SELECT _change_type, count(*) FROM (\(changes)) c GROUP BY _change_type"
    }

    var rows: String {
        let order = (keys.map(quotedName) + ["_change_type DESC"]).joined(separator: ", ")
        return "\(tables) SELECT * FROM (\(changes)) c"
            + (keys.isEmpty ? "" : " ORDER BY \(order)")
    }
}
