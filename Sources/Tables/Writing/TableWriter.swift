package import Ambient
import Bytes
package import Columnar
package import Iceberg
import Kernels
import Parquet

// Rows in, data files out.
//
//   batch ──> columns in the table's order, NOT NULL checked ──> divided by partition ──> open files
//
// Each partition with rows has at most one open file. A file is closed when it reaches the target size,
// when too many are open (the one not written to for longest), or when they keep too much in memory (the
// one that keeps most); later rows of its partition begin another.

/// Rows that lie one after the other in a data file.
package struct WrittenRun: Sendable, Equatable {
    package var location: String
    /// From 0.
    package var firstRow: Int64
    package var rowCount: Int64
}

/// Writes rows of a table as data files, which a commit then adds to it.
///
/// Used by one task at a time. Nothing is part of the table before the commit. After an error, or when
/// the files are not wanted any more, `abandon` ends it.
package final class TableWriter {
    private let metadata: TableMetadata
    private let schema: Iceberg.Schema
    private let fileSchema: Columnar.Schema
    private let spec: PartitionSpec
    private let keys: PartitionKeys
    private let storage: TableStorage
    private let options: TableWriterOptions
    private let modes: [Int: MetricsMode]
    private let types: [Int: IcebergType]
    private let writeID: String

    private var open: [[Datum?]: DataFileWriter] = [:]
    private var finished: [DataFile] = []
    private var startedCount = 0
    private var useCount = 0
    private var isOver = false
    /// Where rows went, when that is asked for.
    private var runs: [WrittenRun]?

    /// Prepares to write with the table's current schema and default partition spec.
    ///
    /// - Parameters:
    ///   - options: nil for what the table's properties ask for.
    ///   - keepsRowLineage: whether rows are older than the files, and bring row ids and last-updated sequence
    ///     numbers in columns of their own; null where they inherit them.
    /// - Throws: `unsupported` for types and transforms that cannot be written, and for v1 tables.
    package init(
        _ metadata: TableMetadata,
        storage: TableStorage,
        options: TableWriterOptions? = nil,
        keepsRowLineage: Bool = false,
        ambient: AmbientSources = .system
    ) throws {
        guard TableMetadata.formatVersionsWritten.contains(metadata.formatVersion) else {
            throw TablesError(
                .unsupported,
                "writing to a v\(metadata.formatVersion) table: upgrade it to v2 first"
            )
        }
        self.metadata = metadata
        self.storage = storage
        let schema = metadata.currentSchema
        self.schema = schema
        spec = metadata.defaultSpec
        keys = try PartitionKeys(metadata.defaultSpec, schema: schema)
        for location in schema.fieldIDs {
            guard let field = schema.field(id: location) else { continue }
            if field.type == .timestampNanos || field.type == .timestamptzNanos {
                throw TablesError(
                    .unsupported,
                    "column \(field.name) has nanoseconds, which cannot be written"
                )
            }
        }
        // Columns of which nothing is known hold only nulls and are not stored.
        var fields = try Columnar.Schema(schema).fields.filter { $0.type != .null }
        if keepsRowLineage {
            for field in MetadataColumn.rowLineage {
                guard !fields.contains(where: { $0.name == field.name }) else {
                    throw TablesError(
                        .unsupported,
                        "the table has a column \(field.name) of its own, so that rows cannot be written "
                            + "anew with their ids: rename the column"
                    )
                }
                fields.append(field)
            }
        }
        fileSchema = Columnar.Schema(fields)
        var options = try options ?? TableWriterOptions(metadata)
        options.parquet.keyValues.append(
            KeyValue(key: "iceberg.schema", value: schema.json.text())
        )
        if keepsRowLineage, let id = MetadataColumn.rowID.id {
            options.parquet.countingFieldIDs.insert(id)
        }
        self.options = options
        var modes = metadata.metricsModes(schema: schema)
        var types: [Int: IcebergType] = [:]
        for id in schema.fieldIDs { types[id] = schema.field(id: id)?.type }
        if keepsRowLineage {
            // Counted, so that a file which lost the columns is known to be damaged.
            for id in MetadataColumn.rowLineage.compactMap(\.id) {
                (modes[id], types[id]) = (.full, .long)
            }
        }
        self.modes = modes
        self.types = types
        writeID = ambient.uuidV4()
    }

    /// The columns that batches have: those of the table, with field ids, and those of row lineage.
    package var batchSchema: Columnar.Schema { fileSchema }

    /// Bytes that open files keep in memory.
    package var keptByteCount: Int { open.values.reduce(0) { $0 + $1.keptByteCount } }

    // MARK: Writing

    /// Adds rows.
    ///
    /// Columns are found by field id; when no field of the batch has one, by position. Columns of the
    /// table that the batch lacks get their write default, or null.
    ///
    /// - Throws: `constraint` for a null in a required column, `invalid` for columns that do not fit.
    package func write(_ batch: RecordBatch) async throws {
        precondition(!isOver, "the writer has ended")
        if batch.rowCount == 0 { return }
        let batch = try arranged(batch)
        if spec.isUnpartitioned {
            let partition = [Datum?](repeating: nil, count: spec.fields.count)
            try await write(batch, to: partition)
        } else {
            for (partition, rows) in try keys.divide(batch, schema: fileSchema) {
                let part = rows.count == batch.rowCount ? batch : Take.take(batch, rows)
                try await write(part, to: partition)
            }
        }
        while open.count > 1, keptByteCount > options.openByteCountMax,
            let largest = open.max(by: { $0.value.keptByteCount < $1.value.keptByteCount })
        {
            try await close(largest.key)
        }
    }

    /// Adds rows and tells where they went, file by file.
    ///
    /// - Throws: as `write` does.
    package func writeNoting(_ batches: [RecordBatch]) async throws -> [WrittenRun] {
        runs = []
        defer { runs = nil }
        for batch in batches { try await write(batch) }
        return runs ?? []
    }

    /// Rows as `write` takes them and checks them, for later.
    ///
    /// - Throws: as `write` does for rows that do not fit.
    package func arranged(_ batch: RecordBatch) throws -> RecordBatch {
        let hasIDs = batch.schema.fields.contains { $0.id != nil }
        guard hasIDs || batch.schema.count == fileSchema.count else {
            throw TablesError(
                .invalid,
                "rows with \(batch.schema.count) columns for a table of \(fileSchema.count)"
            )
        }
        var columns: [Column] = []
        for (index, field) in fileSchema.fields.enumerated() {
            let place =
                hasIDs ? batch.schema.fields.firstIndex { $0.id == field.id } : index
            let column = try place.map { batch.columns[$0] } ?? missing(field, batch.rowCount)
            columns.append(try checked(column, field))
        }
        if hasIDs {
            for field in batch.schema.fields
            where !schema.fields.contains(where: { $0.id == field.id })
                && !fileSchema.fields.contains(where: { $0.id == field.id })
            {
                throw TablesError(.invalid, "the table has no column \(field.name)")
            }
        }
        return RecordBatch(schema: fileSchema, columns: columns, rowCount: batch.rowCount)
    }

    private func missing(_ field: Field, _ count: Int) throws -> Column {
        let nested = field.id.flatMap { schema.field(id: $0) }
        if nested?.writeDefault != nil && nested?.writeValue == nil {
            throw TablesError(
                .unsupported,
                "column \(field.name) has a write default of a nested type"
            )
        }
        return .constant(Value(nested?.writeValue), field.type, count: count)
    }

    private func checked(_ column: Column, _ field: Field) throws -> Column {
        if !field.isNullable && column.hasNulls {
            throw TablesError(.constraint, "column \(field.name) must not be null")
        }
        if case .null = column.storage { return .nulls(field.type, count: column.count) }
        let fits =
            field.type.isNested
            ? column.type.hasSameShape(as: field.type) : column.type == field.type
        guard fits else {
            throw TablesError(
                .invalid,
                "column \(field.name) is of type \(field.type), the values are \(column.type)"
            )
        }
        return column
    }

    private func write(_ batch: RecordBatch, to partition: [Datum?]) async throws {
        try Task.checkCancellation()
        let file = try await file(for: partition)
        useCount += 1
        file.lastUse = useCount
        note(batch.rowCount, in: file)
        try await file.write(batch)
        if file.estimatedByteCount >= options.fileByteCountTarget { try await close(partition) }
    }

    private func note(_ rowCount: Int, in file: DataFileWriter) {
        guard let noted = runs else { return }
        if let last = noted.lastIndex(where: { $0.location == file.location }) {
            runs?[last].rowCount += Int64(rowCount)
        } else {
            runs?.append(
                WrittenRun(
                    location: file.location,
                    firstRow: Int64(file.rowCount),
                    rowCount: Int64(rowCount)
                )
            )
        }
    }

    private func file(for partition: [Datum?]) async throws -> DataFileWriter {
        if let file = open[partition] { return file }
        while open.count >= max(1, options.openFileCountMax),
            let oldest = open.min(by: { $0.value.lastUse < $1.value.lastUse })
        {
            try await close(oldest.key)
        }
        let location = self.location(of: partition)
        let file = try await DataFileWriter(
            location: location,
            key: try storage.key(of: location),
            store: storage.store,
            schema: fileSchema,
            specID: spec.specID,
            partition: partition,
            options: options.parquet
        )
        open[partition] = file
        return file
    }

    /// A name that no other file has.
    private func location(of partition: [Datum?]) -> String {
        let number = String(startedCount)
        startedCount += 1
        let padded = String(repeating: "0", count: max(0, 5 - number.count)) + number
        let name = "00000-\(padded)-\(writeID).parquet"
        let folder = spec.isUnpartitioned ? "" : spec.path(of: partition)
        // Folders are for people; stores bound the length of keys and of their parts.
        let isTooLong =
            folder.utf8.count > 600 || folder.split(separator: "/").contains { $0.utf8.count > 200 }
        if folder.isEmpty || isTooLong { return "\(metadata.dataLocation)/\(name)" }
        return "\(metadata.dataLocation)/\(folder)/\(name)"
    }

    private func close(_ partition: [Datum?]) async throws {
        guard let file = open.removeValue(forKey: partition) else { return }
        do {
            let order = metadata.defaultSortOrder
            finished.append(
                try await file.finish(
                    modes: modes,
                    types: types,
                    sortOrderID: options.isSorted && !order.fields.isEmpty ? order.orderID : nil
                )
            )
        } catch {
            await file.abort()
            throw error
        }
    }

    // MARK: Ending

    /// Ends all open files.
    ///
    /// - Returns: the files in the order in which they were begun or closed; empty when there were no rows.
    package func finish() async throws -> [DataFile] {
        precondition(!isOver, "the writer has ended")
        for (partition, _) in open.sorted(by: { $0.value.location < $1.value.location }) {
            try await close(partition)
        }
        isOver = true
        return finished
    }

    /// Throws away what is open.
    ///
    /// - Returns: the keys of files that were finished, which nobody refers to: for the caller to delete.
    package func abandon() async -> [String] {
        isOver = true
        let files = open.values
        open = [:]
        for file in files { await file.abort() }
        return finished.compactMap { try? storage.key(of: $0.filePath) }
    }
}

extension DataType {
    /// Whether both have the same types in the same places, whatever names, ids and nullability say.
    func hasSameShape(as other: DataType) -> Bool {
        switch (self, other) {
        case (.list(let a), .list(let b)): a.type.hasSameShape(as: b.type)
        case (.structure(let a), .structure(let b)):
            a.count == b.count && zip(a, b).allSatisfy { $0.type.hasSameShape(as: $1.type) }
        case (.map(let aKey, let aValue), .map(let bKey, let bValue)):
            aKey.type.hasSameShape(as: bKey.type) && aValue.type.hasSameShape(as: bValue.type)
        default: self == other
        }
    }
}
