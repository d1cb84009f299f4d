import Ambient
import Catalog
import Columnar
import Execution
import Glibc
import Iceberg
import ObjectStorage
import Planner
import SQL
import Tables
import TextFiles

/// What to import, where to, and how.
package struct ImportRequest: Sendable {
    /// What becomes of a table that may exist already.
    package enum Mode: String, Sendable, CaseIterable {
        /// The table must not exist: its columns are those of the files.
        case create
        /// The rows are added to those that are there.
        case append
        /// The rows take the place of those that are there.
        case overwrite
    }

    /// What to do with rows that cannot be read.
    package enum ErrorPolicy: String, Sendable, CaseIterable {
        /// The first one ends the import; nothing is imported.
        case fail
        /// They are left out and counted.
        case skip
        /// They are left out and kept in a table of their own, named like the target with
        /// `_rejected` behind, in the same commit.
        case quarantine
    }

    package var paths: [String]
    /// `ns.table` or `table`.
    package var table: String
    package var mode: Mode
    /// nil: as the files' names end.
    package var format: FileFormat?
    package var onError: ErrorPolicy
    /// nil for files that somebody named.
    package var upload: Upload?

    package init(
        paths: [String],
        table: String,
        mode: Mode = .create,
        format: FileFormat? = nil,
        onError: ErrorPolicy = .fail,
        upload: Upload? = nil
    ) {
        self.paths = paths
        self.table = table
        self.mode = mode
        self.format = format
        self.onError = onError
        self.upload = upload
    }
}

/// What an import did.
package struct ImportReceipt: Sendable {
    package var table: String
    package var rowCount: Int
    package var rejectedRowCount: Int
    package var position: Int64
    package var snapshotID: Int64?
    /// Whether the import made the table.
    package var madeTable = false
    /// Whether an earlier commit with the same id was found instead.
    package var isReplay = false
    /// What the commit that is in the log was asked for.
    package var requestHash: String?
}

extension Session {
    /// How many rejected rows are kept at most under `quarantine`; more end the import.
    private static let quarantineRowCountMax = 100_000

    /// Reads files and commits their rows to a table: all of them or nothing.
    ///
    /// - Parameter progress: told while files are read.
    package func importFiles(
        _ request: ImportRequest,
        progress: ImportProgress = ImportProgress()
    ) async throws -> ImportReceipt {
        guard request.upload?.createsTable == true else {
            return try await importOnce(request, progress)
        }
        // Somebody else may make the table meanwhile: then there is one to append to.
        var attempt = 1
        while true {
            do {
                return try await importOnce(request, ImportProgress())
            } catch let error as CatalogError {
                // Rules of the table may have come meanwhile, or rows that these must not repeat.
                guard error.code == .alreadyExists || error.code == .conflict,
                    attempt < Self.createAttemptCountMax
                else { throw error }
                attempt += 1
            }
        }
    }

    private static let createAttemptCountMax = 5

    /// One attempt at an import.
    private func importOnce(
        _ request: ImportRequest,
        _ progress: ImportProgress
    ) async throws -> ImportReceipt {
        try requirePresent()
        let parts = try Parser.parseObjectName(request.table).map(\.folded)
        let target = try identifier(parts)
        let catalog = try await engine.catalog(creating: true)
        let snapshot = try await catalog.read(of: reference)
        let exists = snapshot.state.table(target) != nil
        switch (request.mode, exists) {
        case (.create, true):
            throw EngineError(
                .alreadyExists,
                "table \"\(target)\" already exists",
                hint: "Use mode append or overwrite, or another name."
            )
        case (.append, false) where request.upload?.createsTable == true: break
        case (.append, false), (.overwrite, false):
            throw EngineError(
                .notFound,
                "table \"\(target)\" does not exist",
                hint: "Use mode create to make it from the rows."
            )
        default: break
        }

        let existing = exists ? try await openTable(parts, in: snapshot) : nil
        let prepared = try await prepareImport(request, existing, progress)
        let job = LineageJob(kind: "import")
        var operations: [CatalogOperation] = []
        var table: OpenTable
        let fields: [Field]
        if let existing {
            table = existing
            let columns = try Columnar.Schema(table.metadata.currentSchema)
            fields = try prepared.schema.fields.map {
                try columns.field(named: Identifier($0.name), of: target)
            }
        } else {
            for namespace in try missingNamespaces(target.namespace, snapshot.state) {
                operations.append(.createNamespace(namespace, properties: [:]))
            }
            table = try newTable(target, prepared.schema, catalog)
            operations.append(.createTable(target, metadata: table.metadata))
            fields = try Columnar.Schema(table.metadata.currentSchema).fields
        }
        let (rows, shapedFields) = try shaped(prepared, targets: fields, table: table)
        table = holdingFiles(table)
        let mayHold = try request.mode == .append && existing != nil && mayHoldRows(table)
        let written = try await writeRows(
            of: rows,
            to: table,
            fields: shapedFields,
            holdsFew: mayHold
        )
        if let held = written.held {
            operations.append(fileChange(.append, added: [], rows: held, table: table))
        } else if !written.files.isEmpty || request.mode == .overwrite {
            do {
                operations += try await verifiedChange(
                    request.mode == .overwrite ? .overwrite(.always) : .append,
                    added: written.files,
                    table: table
                )
            } catch {
                await discard(written.files, of: table, after: error)
                throw error
            }
        }
        if request.onError == .quarantine, progress.rejectedRowCount > 0 {
            operations += try await quarantine(
                progress,
                target,
                snapshot,
                catalog,
                source: request.upload?.source
            )
        }
        // Even a commit of nothing is one where its id must be found again.
        guard !operations.isEmpty || request.upload?.commitID != nil else {
            return ImportReceipt(
                table: target.description,
                rowCount: 0,
                rejectedRowCount: progress.rejectedRowCount,
                position: snapshot.position
            )
        }
        let receipt = try await commit(
            operations,
            lineage: operations.isEmpty
                ? nil
                : lineage(
                    of: prepared,
                    outputs: fields,
                    table: table,
                    job: job,
                    replaces: request.mode == .overwrite
                ),
            id: request.upload?.commitID,
            requestHash: request.upload?.requestHash
        )
        return ImportReceipt(
            table: target.description,
            rowCount: written.rowCount,
            rejectedRowCount: progress.rejectedRowCount,
            position: receipt.position,
            snapshotID: receipt.snapshotID(of: target),
            madeTable: existing == nil,
            isReplay: receipt.isReplay,
            requestHash: receipt.requestHash
        )
    }

    /// The files as a query of all their columns.
    private func prepareImport(
        _ request: ImportRequest,
        _ existing: OpenTable?,
        _ progress: ImportProgress
    ) async throws -> PreparedQuery {
        let targets =
            try existing.map { try Columnar.Schema($0.metadata.currentSchema).fields } ?? []
        var paths: [String] = []
        for path in request.paths { paths += try await ExternalFiles.expand(path, engine) }
        guard let first = paths.first else { throw EngineError(.notFound, "no file is named") }
        guard let format = request.format ?? ExternalFiles.format(of: first) else {
            throw EngineError(
                .invalid,
                "what \"\(first)\" holds cannot be told from its name",
                hint: "Use --format csv, json, parquet or arrow."
            )
        }
        let policy: RowErrorPolicy =
            switch request.onError {
            case .fail: .fail
            case .skip: .skip
            case .quarantine: .collect(countMax: Self.quarantineRowCountMax)
            }
        progress.begin(bytesTotal: Self.byteCount(paths))
        let resolver = SourceResolver(session: self)
        let name = request.upload?.source ?? request.paths.joined(separator: ", ")
        let title = request.upload?.title
        var table: SourceTable
        switch format {
        case .parquet:
            let files = try paths.map { try engine.scanFile($0) }
            let (source, rowCount, bounds) = try await ParquetFilesSource.open(
                files,
                allowsMissing: true
            )
            table = SourceTable(
                sourceID: resolver.sources.add(source),
                name: name,
                schema: source.schema,
                rowCount: rowCount,
                bounds: bounds
            )
        case .csv, .json, .arrow:
            let rowFormat: RowFormat
            switch format {
            case .csv:
                var options = request.upload?.csv ?? CSVOptions()
                options.onError = policy
                // Without names the columns are the table's, in its order.
                if options.hasHeader == false, options.columns == nil, !targets.isEmpty {
                    options.columns = targets.map { Field($0.name, $0.type) }
                }
                if first.lowercased().contains(".tsv") { options.delimiter = UInt8(ascii: "\t") }
                rowFormat = .csv(options, nil)
            case .json:
                var options = JSONOptions()
                options.onError = policy
                rowFormat = .json(options, nil)
            default: rowFormat = .arrow
            }
            let source = try await RowFilesSource.open(
                try paths.map { try engine.inputFile($0) },
                format: rowFormat,
                workers: engine.options.store.workers,
                progress: progress,
                name: title,
                targets: targets
            )
            table = SourceTable(
                sourceID: resolver.sources.add(source),
                name: name,
                schema: source.schema
            )
        }
        resolver.note(ResolvedSource(table: table, path: name))
        var binder = Binder(environment: environment([:]))
        return try finish(binder.scan(of: table), resolver)
    }

    private static func byteCount(_ paths: [String]) -> Int? {
        var total = 0
        for path in paths {
            var status = stat()
            guard stat(path, &status) == 0 else { return nil }
            total += Int(status.st_size)
        }
        return total
    }

    /// A new table with these columns.
    func newTable(
        _ target: TableIdentifier,
        _ schema: Columnar.Schema,
        _ catalog: WarehouseCatalog,
        partitionedBy: [SQL.PartitionField] = [],
        properties: [String: String] = [:]
    ) throws -> OpenTable {
        try requireMain("making a table")
        let fields = schema.fields.map { field in
            var field = field
            field.isNullable = true
            if field.type == .null { field.type = .string }
            return field
        }
        let uuid = engine.options.ambient.uuidV4()
        let columns = try Iceberg.Schema(numbering: Columnar.Schema(fields))
        let metadata = try TableMetadata.create(
            schema: columns,
            spec: UnboundPartitionSpec(
                fields: try partitionedBy.map { try partitionField($0, columns) }
            ),
            location: catalog.defaultLocation(of: target, uuid: uuid),
            properties: properties,
            uuid: uuid,
            now: engine.options.ambient.time.nowMicros() / 1000
        )
        return OpenTable(
            identifier: target,
            metadata: metadata,
            storage: try storage(of: metadata, catalog)
        )
    }

    // MARK: Quarantine

    /// Writes the rejected rows to the table that keeps them, which is made when there is none.
    private func quarantine(
        _ progress: ImportProgress,
        _ target: TableIdentifier,
        _ snapshot: CatalogSnapshot,
        _ catalog: WarehouseCatalog,
        source: String?
    ) async throws -> [CatalogOperation] {
        let keeper = try TableIdentifier(target.namespace, target.name + "_rejected")
        let schema = Columnar.Schema([
            Field("file", .string), Field("line", .int64), Field("column_number", .int32),
            Field("column_name", .string), Field("reason", .string), Field("raw", .string),
            Field("rejected_at", .timestamptz),
        ])
        var operations: [CatalogOperation] = []
        let table: OpenTable
        if snapshot.state.table(keeper) != nil {
            table = try await openTable(
                keeper.namespace.levels + [keeper.name],
                in: snapshot
            )
        } else {
            table = try newTable(keeper, schema, catalog)
            operations.append(.createTable(keeper, metadata: table.metadata))
        }
        let fields = try Columnar.Schema(table.metadata.currentSchema).fields
        guard fields.map(\.type) == schema.fields.map(\.type) else {
            throw EngineError(
                .invalid,
                "table \"\(keeper)\" is not one that keeps rejected rows",
                hint: "Rename or drop it."
            )
        }
        let now = engine.options.ambient.time.nowMicros()
        let rows = progress.rejectedRows
        let columns: [Column] = [
            Column(.string, rows.map { .string(source ?? $0.file) }),
            Column(.int64, rows.map { .int64(Int64($0.line)) }),
            Column(.int32, rows.map { $0.column.map { .int32(Int32(clamping: $0)) } ?? .null }),
            Column(.string, rows.map { $0.columnName.map { .string($0) } ?? .null }),
            Column(.string, rows.map { .string($0.reason) }),
            Column(.string, rows.map { .string($0.rawText) }),
            Column(.timestamptz, rows.map { _ in .timestamptz(now) }),
        ]
        let writer = try TableWriter(
            table.metadata,
            storage: table.storage,
            ambient: engine.options.ambient
        )
        try await writer.write(
            RecordBatch(
                schema: Columnar.Schema(fields),
                columns: columns,
                rowCount: rows.count
            )
        )
        operations.append(fileChange(.append, added: try await writer.finish(), table: table))
        return operations
    }
}
