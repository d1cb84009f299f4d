import Ambient
import Columnar
import Iceberg
import Parquet

/// The delete files of a plan, read.
struct DeleteLoader {
    /// Row numbers by data file, of each position delete file by its path.
    private var positions: [String: [String: [Int64]]] = [:]
    /// By the path of the equality delete file.
    private var equality: [String: EqualityDeletes] = [:]

    /// The fields of position delete files.
    ///
    /// - Spec: Iceberg table specification, "Position Delete Files".
    private static let positionFields = [
        Field("file_path", .string, id: 2_147_483_546), Field("pos", .int64, id: 2_147_483_545),
    ]

    /// Delete files being read at once.
    private static let parallelCount = 8

    private enum Loaded: Sendable {
        case positions([String: [Int64]])
        case equality(EqualityDeletes)
    }

    /// Reads each delete file of the plan once.
    ///
    /// - Throws: `unsupported`, naming the file, for delete files of a form that cannot be applied.
    init(_ plan: TablePlan, reader: TableReader, options: ScanOptions) async throws {
        var files: [String: ManifestEntry] = [:]
        for planned in plan.files {
            for entry in planned.deletes { files[entry.file.filePath] = entry }
        }
        if files.isEmpty { return }
        let all = files.values.sorted { $0.file.filePath < $1.file.filePath }
        let loaded = try await mapBounded(all, countMax: Self.parallelCount) { entry in
            try await Self.load(entry, reader, options)
        }
        for (entry, loaded) in zip(all, loaded) {
            switch loaded {
            case .positions(let rows): positions[entry.file.filePath] = rows
            case .equality(let deletes): equality[entry.file.filePath] = deletes
            }
        }
    }

    /// What is taken from a data file; nil for nothing.
    func deletes(for planned: PlannedFile) -> RowDeletes? {
        var deletes = RowDeletes()
        for entry in planned.deletes {
            if let rows = positions[entry.file.filePath]?[planned.file.filePath] {
                deletes.positions += rows
            }
            if let one = equality[entry.file.filePath] { deletes.equality.append(one) }
        }
        deletes.positions.sort()
        return deletes.isEmpty ? nil : deletes
    }

    private static func load(
        _ entry: ManifestEntry,
        _ reader: TableReader,
        _ options: ScanOptions
    ) async throws -> Loaded {
        let file = entry.file
        guard file.fileFormat == .parquet else {
            throw TablesError(
                .unsupported,
                "the table has deleted rows in a delete file of format \(file.fileFormat.rawValue), "
                    + "which cannot be applied",
                context: [file.filePath]
            )
        }
        let scanFile = try reader.scanFile(entry)
        if file.content == .positionDeletes {
            var rows: [String: [Int64]] = [:]
            let batches = try await readAll(
                scanFile,
                columns: positionFields.map { ScanColumn($0) },
                resolution: .fieldIDs(nameMapping: [:]),
                options: options
            )
            for columns in batches {
                for row in 0..<columns[0].count {
                    guard case .string(let path) = columns[0].value(at: row),
                        case .int64(let position) = columns[1].value(at: row), position >= 0
                    else {
                        throw TablesError(
                            .corrupt,
                            "a position delete without a path or position",
                            context: [file.filePath]
                        )
                    }
                    rows[path, default: []].append(position)
                }
            }
            return .positions(rows)
        }
        guard let ids = file.equalityIDs, !ids.isEmpty else {
            throw TablesError(
                .corrupt,
                "an equality delete file that names no columns",
                context: [file.filePath]
            )
        }
        var columns: [ScanColumn] = []
        for id in ids {
            // Columns may have been dropped since the rows were deleted.
            guard let type = reader.metadata.columnType(id: id), type.isPrimitive else {
                throw TablesError(
                    .unsupported,
                    "an equality delete file compares column \(id), which is not known or nested",
                    context: [file.filePath]
                )
            }
            let field = reader.schema.field(id: id)
            columns.append(
                ScanColumn(
                    Field(field?.name ?? "column_\(id)", try DataType(type), id: id),
                    missing: Value(field?.initialValue)
                )
            )
        }
        let batches = try await readAll(
            scanFile,
            columns: columns,
            resolution: try reader.resolution(),
            options: options
        )
        return .equality(EqualityDeletes(columns: columns, rows: batches))
    }
}

/// All rows of a file, window by window; for small files only.
func readAll(
    _ file: ScanFile,
    columns: [ScanColumn],
    resolution: ColumnResolution,
    options: ScanOptions
) async throws -> [[Column]] {
    let meter = ScanMeter()
    let contexts = ReadContexts()
    let open = try OpenFile(
        file,
        footer: try await options.footers.footer(of: file, meter: meter),
        columns: columns,
        resolution: resolution,
        options: options.parquet
    )
    var batches: [[Column]] = []
    for group in open.metadata.rowGroups.indices {
        let fetched = try await open.fetch(
            RowGroupPart(rowGroup: group),
            meter: meter,
            service: nil
        )
        batches += try await WorkerPool.shared.run {
            var next: FetchedRowGroup? = fetched
            let morsel = ParquetMorsel(
                options: Array(repeating: ParquetReadOptions(), count: columns.count + 1),
                meter: meter,
                contexts: contexts
            ) {
                defer { next = nil }
                return next
            }
            var windows: [[Column]] = []
            while try morsel.advance() > 0 {
                windows.append(try columns.indices.map { try morsel.read($0) })
            }
            return windows
        }
    }
    return batches
}
