import Ambient
import Columnar
import Execution
import Iceberg
import Planner
import SQL
import Tables

/// Where a row is: a file of a snapshot, and its number in it.
struct RowPlace: Sendable, Hashable {
    var file: String
    var position: Int64
}

/// A row that was found, with where it is and what row lineage says of it.
struct FoundRow: Sendable {
    /// The table's columns.
    var values: [Value]
    var place: RowPlace
    /// nil where the table has no row lineage.
    var rowID: Int64?
    var lastUpdatedSequenceNumber: Int64?
}

/// The files of a table that an audit reads as rows, with the columns of the version that was asked for.
struct AuditedFiles: Sendable {
    /// Says how rows are read: schema and storage.
    var reader: TableReader
    var plan: TablePlan

    static let place =
        [
            Field("varve file", .string, isNullable: false, id: MetadataColumn.file.id),
            Field("varve position", .int64, isNullable: false, id: MetadataColumn.position.id),
        ] + lineage

    /// Row lineage under names that no condition of a person means.
    static let lineage = [
        Field("varve row id", .int64, id: MetadataColumn.rowID.id),
        Field("varve sequence", .int64, id: MetadataColumn.lastUpdatedSequenceNumber.id),
    ]

    /// As a query names it: the table's columns, then where each row is.
    func given(_ name: String) throws -> GivenTable {
        let columns = try reader.columns().fields + Self.place
        return GivenTable(
            name: name,
            schema: Columnar.Schema(columns),
            source: TableReadSource(
                reader: reader,
                fieldIDs: columns.map { $0.id ?? 0 },
                chosen: plan
            )
        )
    }

    /// The same with only some of the files.
    func only(_ isWanted: (PlannedFile) -> Bool) -> AuditedFiles {
        var copy = self
        copy.plan.files = plan.files.filter(isWanted)
        return copy
    }
}

extension GivenTable {
    /// The table with row lineage behind its columns, where rows keep that; else as it is.
    func withRowLineage(of reader: TableReader, _ files: [PlannedFile]) -> GivenTable {
        if !reader.keepsRowLineage { return self }
        let schema = Columnar.Schema(schema.fields + AuditedFiles.lineage)
        return GivenTable(
            name: name,
            schema: schema,
            source: TableReadSource(
                reader: reader,
                fieldIDs: schema.fields.map { $0.id ?? 0 },
                chosen: TablePlan(files)
            )
        )
    }
}

/// A name as SQL quotes it.
func quotedName(_ name: String) -> String {
    "\"" + name.map { $0 == "\"" ? "\"\"" : String($0) }.joined() + "\""
}

/// What is looked for among a table's rows.
struct RowCondition: Sendable {
    /// As it stands behind WHERE.
    let text: String
    /// What the table is called in it.
    let alias: String

    /// A condition by a person.
    ///
    /// - Throws: `SQLError` unless the text is one expression.
    init(predicate: String, alias: String) throws {
        // Parsed by itself first: it must not end the clause that it is put into.
        _ = try Parser.parseExpression(predicate)
        text = "(\(predicate)\n)"
        self.alias = alias
    }

    init(rowID: Int64, alias: String) {
        text = "\"varve row id\" = \(rowID)"
        self.alias = alias
    }

    /// A query over the table called `varve audited`.
    func query(_ columns: String, then rest: String = "") throws -> Query {
        try Parser.parseQuery(
            "SELECT \(columns) FROM \"varve audited\" AS \(quotedName(alias)) WHERE \(text) \(rest)"
        )
    }
}

extension Session {
    /// How many rows of each file meet a condition.
    func auditedCounts(
        _ files: AuditedFiles,
        _ condition: RowCondition
    ) async throws -> [String: Int] {
        let prepared = try await prepare(
            try condition.query("\"varve file\", count(*)", then: "GROUP BY \"varve file\""),
            [:],
            given: [try files.given("varve audited")]
        )
        return try await withRows(of: prepared) { rows in
            var counts: [String: Int] = [:]
            while let batch = try await rows.next() {
                for row in 0..<batch.rowCount {
                    if case .string(let file) = batch.columns[0].value(at: row),
                        case .int64(let count) = batch.columns[1].value(at: row)
                    {
                        counts[file] = Int(count)
                    }
                }
            }
            return counts
        }
    }

    /// The first rows that meet a condition, in the order of files and of the rows in them.
    func auditedRows(
        _ files: AuditedFiles,
        _ condition: RowCondition,
        countMax: Int
    ) async throws -> [FoundRow] {
        let prepared = try await prepare(
            try condition.query(
                "*",
                then: "ORDER BY \"varve file\", \"varve position\" LIMIT \(max(countMax, 0))"
            ),
            [:],
            given: [try files.given("varve audited")]
        )
        let count = try files.reader.columns().count
        let order = Dictionary(
            files.plan.files.enumerated().map { ($1.file.filePath, $0) },
            uniquingKeysWith: { first, _ in first }
        )
        return try await withRows(of: prepared) { rows in
            var found: [FoundRow] = []
            while let batch = try await rows.next() {
                for row in 0..<batch.rowCount {
                    let values = batch.columns.map { $0.value(at: row) }
                    if let one = FoundRow(values, columnCount: count) { found.append(one) }
                }
            }
            return found.sorted {
                (order[$0.place.file] ?? 0, $0.place.position)
                    < (order[$1.place.file] ?? 0, $1.place.position)
            }
        }
    }

    /// The rows of some files that equal rows which are known, with the number of each among these.
    ///
    /// Equal means that no column is distinct, nulls and NaN included.
    func equalRows(
        _ wanted: [[Value]],
        in files: AuditedFiles
    ) async throws -> [(key: Int, row: FoundRow)] {
        if files.plan.files.isEmpty || wanted.isEmpty { return [] }
        let columns = try files.reader.columns().fields
        // Others are compared here, for they cannot be keys of a join.
        let isKey = columns.map { !$0.type.isNested && $0.type != .null }
        let keys = columns.indices.filter { isKey[$0] }
        let schema = Columnar.Schema(
            [Field("varve key", .int64, isNullable: false)]
                + keys.map { Field("k\($0)", columns[$0].type) }
        )
        let batch = RecordBatch(
            schema,
            wanted.enumerated().map { number, row in
                [.int64(Int64(number))] + keys.map { row[$0] }
            }
        )
        let condition =
            keys.isEmpty
            ? "TRUE"
            : keys.map { "w.\"k\($0)\" IS NOT DISTINCT FROM b.\(quotedName(columns[$0].name))" }
                .joined(separator: " AND ")
        let prepared = try await prepare(
            try Parser.parseQuery(
                """
                SELECT b.*, w."varve key" FROM "varve before" b JOIN "varve wanted" w ON \(condition)
                """
            ),
            [:],
            given: [
                try files.given("varve before"),
                GivenTable(
                    name: "varve wanted",
                    schema: schema,
                    source: BatchSource(batches: [batch])
                ),
            ]
        )
        return try await withRows(of: prepared) { rows in
            var found: [(key: Int, row: FoundRow)] = []
            while let batch = try await rows.next() {
                for row in 0..<batch.rowCount {
                    let values = batch.columns.map { $0.value(at: row) }
                    guard case .int64(let number)? = values.last,
                        let one = FoundRow(values, columnCount: columns.count)
                    else { continue }
                    let key = Int(number)
                    let isEqual = columns.indices.allSatisfy {
                        isKey[$0] || one.values[$0].isSame(as: wanted[key][$0])
                    }
                    if isEqual { found.append((key, one)) }
                }
            }
            return found
        }
    }
}

extension Value {
    /// Whether it is not distinct from another of its type; NaN is the same as NaN.
    fileprivate func isSame(as other: Value) -> Bool {
        switch (self, other) {
        case (.float32(let a), .float32(let b)): a == b || (a.isNaN && b.isNaN)
        case (.float64(let a), .float64(let b)): a == b || (a.isNaN && b.isNaN)
        case (.list(let a), .list(let b)), (.structure(let a), .structure(let b)):
            a.count == b.count && zip(a, b).allSatisfy { $0.isSame(as: $1) }
        case (.map(let a), .map(let b)):
            a.count == b.count
                && zip(a, b).allSatisfy {
                    $0.key.isSame(as: $1.key) && $0.value.isSame(as: $1.value)
                }
        default: self == other
        }
    }
}

extension FoundRow {
    /// - Parameter values: the table's columns, then those of `AuditedFiles.place`.
    init?(_ values: [Value], columnCount: Int) {
        guard values.count >= columnCount + 4, case .string(let file) = values[columnCount],
            case .int64(let position) = values[columnCount + 1]
        else { return nil }
        self.values = Array(values.prefix(columnCount))
        place = RowPlace(file: file, position: position)
        if case .int64(let id) = values[columnCount + 2] { rowID = id }
        if case .int64(let number) = values[columnCount + 3] { lastUpdatedSequenceNumber = number }
    }
}
