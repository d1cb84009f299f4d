import Ambient
package import Columnar
package import Iceberg

/// Which state of a table is meant.
package enum TableVersion: Sendable, Hashable {
    /// What `main` refers to.
    case current
    case snapshotID(Int64)
    /// What a branch or tag refers to.
    case ref(String)
    /// What was current at a time: the last entry of the snapshot log that is not later.
    case timeMillis(Int64)
}

/// Reads a table as it is in one snapshot: which files it has, and what is known of its columns.
package struct TableReader: Sendable {
    package let metadata: TableMetadata
    /// nil when the table has no snapshot yet: it is empty.
    package let snapshot: Snapshot?
    /// The schema to read with: the current one for branches, the snapshot's own for other versions.
    package let schema: Iceberg.Schema
    package let storage: TableStorage
    /// Where the metadata lies, for messages; nil when it is not known.
    package let metadataFile: String?
    let manifestCache: ManifestCache

    /// Pins a version of a table.
    ///
    /// - Throws: `invalid` when there is no such snapshot, reference, or none was current at the time.
    package init(
        _ metadata: TableMetadata,
        at version: TableVersion = .current,
        storage: TableStorage,
        manifestCache: ManifestCache = .shared,
        metadataFile: String? = nil
    ) throws(TablesError) {
        self.metadata = metadata
        self.storage = storage
        self.manifestCache = manifestCache
        self.metadataFile = metadataFile
        switch version {
        case .current:
            snapshot = metadata.currentSnapshot
            if metadata.currentSnapshotID != nil && snapshot == nil {
                throw TablesError(.corrupt, "the table's current snapshot is not in its metadata")
            }
            schema = metadata.currentSchema
        case .snapshotID(let id):
            guard let found = metadata.snapshot(id: id) else {
                throw TablesError(.invalid, "the table has no snapshot \(id)")
            }
            snapshot = found
            schema = metadata.schema(of: found)
        case .ref(let name):
            guard let ref = metadata.refs[name], let found = metadata.snapshot(ref: name) else {
                // A new table's main branch has nothing to refer to yet.
                if name == SnapshotRef.main && metadata.currentSnapshotID == nil {
                    snapshot = nil
                    schema = metadata.currentSchema
                    return
                }
                throw TablesError(.invalid, "the table has no branch or tag \(name)")
            }
            snapshot = found
            schema =
                ref.kind == .branch ? metadata.currentSchema : metadata.schema(of: found)
        case .timeMillis(let time):
            guard let found = metadata.snapshot(atMillis: time) else {
                throw TablesError(.invalid, "the table has no snapshot that old")
            }
            snapshot = found
            schema = metadata.schema(of: found)
        }
    }

    /// Whether rows have ids that they keep when they are written to another file.
    ///
    /// Those of a table that was upgraded have none before the first snapshot of version 3.
    ///
    /// - Spec: "Row Lineage".
    package var keepsRowLineage: Bool {
        metadata.formatVersion >= 3 && snapshot?.firstRowID != nil
    }

    /// What rows that are written anew bring with them beside the table's columns.
    package var keptFields: [Field] { keepsRowLineage ? MetadataColumn.rowLineage : [] }

    // MARK: Planning

    /// The manifests of the snapshot.
    package func manifests() async throws -> [ManifestFile] {
        guard let snapshot else { return [] }
        return try await manifestCache.manifests(
            of: snapshot,
            table: metadata,
            storage: storage,
            metadataFile: metadataFile
        )
    }

    /// All entries of manifests, in their order.
    package func entries(of manifests: [ManifestFile]) async throws -> [[ManifestEntry]] {
        try await mapBounded(manifests, countMax: ManifestCache.parallelCount) { manifest in
            try await manifestCache.entries(
                of: manifest,
                table: metadata,
                storage: storage,
                list: snapshot?.manifestList
            )
        }
    }

    /// Finds the files in which rows may match, and the delete files that go with them.
    ///
    /// - Throws: `unsupported`, naming the file, for data files that are not Parquet.
    package func plan(
        _ predicate: TablePredicate = .always,
        meter: ScanMeter = ScanMeter()
    ) async throws -> TablePlan {
        let bound = BoundTablePredicate(predicate) { schema.field(id: $0)?.type }
        let pruner = FilePruner(bound.predicate, table: metadata, schema: schema)
        let all = try await manifests().filter(\.hasLiveFiles)
        let used = all.filter { pruner.mayMatch($0) }
        let entries = try await entries(of: used)
        var files: [PlannedFile] = []
        var deletes = DeleteIndex()
        var fileCount = 0
        for (manifest, entries) in zip(used, entries) {
            for entry in entries where entry.isLive {
                if manifest.content == .deletes || entry.file.content != .data {
                    deletes.add(entry)
                    continue
                }
                fileCount += 1
                guard pruner.mayMatch(entry.file) else { continue }
                guard entry.file.fileFormat == .parquet else {
                    throw TablesError(
                        .unsupported,
                        "data files of format \(entry.file.fileFormat.rawValue) cannot be read",
                        context: [entry.file.filePath]
                    )
                }
                files.append(PlannedFile(entry: entry))
            }
        }
        for index in files.indices {
            files[index].deletes = deletes.deletes(
                for: files[index].entry,
                isUnpartitioned: isUnpartitioned
            )
        }
        // Oldest first: a manifest list begins with what came last.
        let order = files.indices.sorted { left, right in
            let (a, b) = (files[left].entry.sequenceNumber, files[right].entry.sequenceNumber)
            return (a ?? 0, left) < (b ?? 0, right)
        }
        files = order.map { files[$0] }
        // Files of pruned manifests count where the list says how many there are.
        var prunedFileCount = fileCount - files.count
        for manifest in all where manifest.content == .data && !pruner.mayMatch(manifest) {
            prunedFileCount += (manifest.addedFilesCount ?? 0) + (manifest.existingFilesCount ?? 0)
        }
        let plan = TablePlan(predicate: predicate, files: files)
        meter.add {
            $0.manifests += all.count
            $0.manifestsPruned += all.count - used.count
            $0.files += plan.files.count + prunedFileCount
            $0.filesPruned += prunedFileCount
        }
        return plan
    }

    private func isUnpartitioned(_ specID: Int) -> Bool {
        metadata.partitionSpec(id: specID)?.isUnpartitioned ?? false
    }

    // MARK: Scanning

    /// The fields with these ids as columns of a scan; metadata columns too.
    ///
    /// - Throws: `invalid` for an id that the schema does not have at its top, `unsupported` for types
    ///   that cannot be read.
    package func scanColumns(_ fieldIDs: [Int]) throws(TablesError) -> [ScanColumn] {
        var columns: [ScanColumn] = []
        for id in fieldIDs {
            if let field = MetadataColumn.all.first(where: { $0.id == id }) {
                columns.append(ScanColumn(field))
                continue
            }
            guard let field = schema.fields.first(where: { $0.id == id }) else {
                throw TablesError(.invalid, "the table has no column with field id \(id)")
            }
            if field.initialDefault != nil && field.initialValue == nil {
                throw TablesError(
                    .unsupported,
                    "column \(field.name) has an initial default of a nested type"
                )
            }
            columns.append(ScanColumn(try Field(field), missing: Value(field.initialValue)))
        }
        return columns
    }

    /// Opens a scan of the planned files.
    ///
    /// - Parameters:
    ///   - fieldIDs: the columns to read, in order; with those of the plan's predicate row groups are left
    ///     out too.
    ///   - coded: places in `fieldIDs` of columns to be read as codes where they are stored so.
    ///   - late: places of columns that may not be read at all.
    package func openScan(
        _ plan: TablePlan,
        fieldIDs: [Int],
        coded: Set<Int> = [],
        late: Set<Int> = [],
        options: ScanOptions = ScanOptions(),
        service: FetchService,
        meter: ScanMeter = ScanMeter()
    ) async throws -> ParquetScan {
        var columns = try scanColumns(fieldIDs)
        for place in columns.indices {
            columns[place].isCoded = coded.contains(place)
            columns[place].isLate = late.contains(place)
        }
        return try await ParquetScan.open(
            files: try await scanFiles(plan, options: options),
            columns: columns,
            resolution: try resolution(),
            predicate: plan.predicate,
            options: options,
            service: service,
            meter: meter
        )
    }

    /// How columns are found in the table's files.
    package func resolution() throws -> ColumnResolution {
        var names: [Int: [String]] = [:]
        for field in try metadata.nameMapping()?.fields ?? [] {
            if let id = field.fieldID { names[id, default: []] += field.names }
        }
        return .fieldIDs(nameMapping: names)
    }

    /// The planned files as a scan takes them, delete files read.
    package func scanFiles(
        _ plan: TablePlan,
        options: ScanOptions = ScanOptions()
    ) async throws -> [ScanFile] {
        let loader = try await DeleteLoader(plan, reader: self, options: options)
        return try plan.files.map { planned in
            var file = try scanFile(planned.entry)
            file.sequenceNumber = planned.entry.sequenceNumber
            file.deletes = loader.deletes(for: planned)
            file.ordinal = plan.ordinals[planned.file.filePath]
            return file
        }
    }

    /// A data or delete file as a scan takes it.
    func scanFile(_ entry: ManifestEntry) throws -> ScanFile {
        let dataFile = entry.file
        let place = ScanFile.place(dataFile.filePath, manifest: entry.manifestPath)
        guard dataFile.keyMetadata == nil else {
            throw TablesError(.unsupported, "the file is encrypted", context: [place])
        }
        let key: String
        do throws(TablesError) {
            key = try storage.key(of: dataFile.filePath)
        } catch {
            throw error.at(place)
        }
        var file = ScanFile(
            store: storage.store,
            key: key,
            size: Int(exactly: dataFile.fileSizeBytes),
            isImmutable: true,
            location: dataFile.filePath
        )
        file.manifest = entry.manifestPath
        file.rowCount = dataFile.recordCount
        file.countedFieldIDs = dataFile.valueCounts?.fieldIDs ?? []
        file.firstRowID = dataFile.firstRowID
        guard let spec = metadata.partitionSpec(id: dataFile.specID) else { return file }
        for (field, value) in zip(spec.fields, dataFile.partition)
        where field.transform == .identity {
            file.constants[field.sourceID] = Value(value)
        }
        return file
    }
}

extension MetadataColumn {
    static let all = [file, position, rowID, lastUpdatedSequenceNumber, rowNumber]
}

/// A data file that a scan reads.
package struct PlannedFile: Sendable {
    package var entry: ManifestEntry
    /// The delete files that may take rows of it.
    package var deletes: [ManifestEntry] = []

    package var file: DataFile { entry.file }
}

/// The files in which rows may match a predicate.
package struct TablePlan: Sendable {
    package var predicate: TablePredicate
    package var files: [PlannedFile]
    /// The number of each file in its snapshot, by path; needed where rows are numbered.
    package var ordinals: [String: Int] = [:]

    /// Whether delete files have to be applied.
    package var hasDeletes: Bool { files.contains { !$0.deletes.isEmpty } }

    /// Rows of the files: exactly those of the table when the predicate is `always`.
    ///
    /// nil when delete files make it unknown.
    package var rowCount: Int64? {
        hasDeletes ? nil : files.reduce(0) { $0 &+ $1.file.recordCount }
    }
}

extension PlannedFile {
    /// A data file that was written and that no commit refers to yet.
    package init(written file: DataFile) {
        self.init(entry: ManifestEntry(status: .added, snapshotID: nil, file: file))
    }
}

extension TableReader {
    /// A number for each file of the version that is read, by path, whatever a query leaves out.
    ///
    /// Files that came earlier have smaller ones; another version gives others.
    package func ordinals() async throws -> [String: Int] {
        // A plan has the oldest first.
        let files = try await plan().files
        return Dictionary(
            files.enumerated().map { ($1.file.filePath, $0) },
            uniquingKeysWith: { first, _ in first }
        )
    }
}

extension TablePlan {
    /// All rows of some files.
    package init(_ files: [PlannedFile]) {
        self.init(predicate: .always, files: files)
    }
}
