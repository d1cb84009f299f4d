package import Columnar
import Iceberg

extension MetadataTable {
    /// The table's rows, in batches of the usual size.
    ///
    /// - Parameters:
    ///   - reader: the version of the table that it is about.
    ///   - metadataFile: where the table's current metadata is, for `metadata_log_entries`.
    /// - Throws: what reading manifests throws.
    package func batches(
        _ reader: TableReader,
        metadataFile: String? = nil
    ) async throws -> [RecordBatch] {
        let table = reader.metadata
        let schema = try self.schema(table)
        let rows: [[Value]]
        switch self {
        case .snapshots: rows = table.snapshots.map(Self.row)
        case .history: rows = Self.history(table)
        case .refs: rows = Self.refs(table)
        case .metadataLogEntries: rows = Self.metadataLog(table, metadataFile)
        case .manifests:
            rows = try await reader.manifests().map { Self.row($0, table) }
        case .files, .dataFiles, .deleteFiles, .allDataFiles, .entries:
            rows = try await fileRows(reader)
        case .partitions: rows = try await Self.partitions(reader)
        }
        return stride(from: 0, to: rows.count, by: RecordBatch.rowCountMax).map { start in
            let part = rows[start..<min(rows.count, start + RecordBatch.rowCountMax)]
            return RecordBatch(
                schema: schema,
                columns: schema.fields.indices.map { index in
                    Column(schema[index].type, part.map { $0[index] })
                },
                rowCount: part.count
            )
        }
    }

    // MARK: From the metadata alone

    private static func row(_ snapshot: Snapshot) -> [Value] {
        [
            .instant(millis: snapshot.timestampMillis), .int64(snapshot.snapshotID),
            .optional(snapshot.parentSnapshotID), .optional(snapshot.operation?.rawValue),
            .optional(snapshot.manifestList),
            .map(
                snapshot.summary.sorted { $0.key < $1.key }.map {
                    Value.MapEntry(key: .string($0.key), value: .string($0.value))
                }
            ),
        ]
    }

    private static func history(_ table: TableMetadata) -> [[Value]] {
        var ancestors: Set<Int64> = []
        var next = table.currentSnapshot
        while let snapshot = next, ancestors.insert(snapshot.snapshotID).inserted {
            next = snapshot.parentSnapshotID.flatMap { table.snapshot(id: $0) }
        }
        return table.snapshotLog.map { entry in
            [
                .instant(millis: entry.timestampMillis), .int64(entry.snapshotID),
                .optional(table.snapshot(id: entry.snapshotID)?.parentSnapshotID),
                .boolean(ancestors.contains(entry.snapshotID)),
            ]
        }
    }

    private static func refs(_ table: TableMetadata) -> [[Value]] {
        table.refs.sorted { $0.key < $1.key }.map { name, ref in
            [
                .string(name), .string(ref.kind.rawValue.uppercased()), .int64(ref.snapshotID),
                .optional(ref.refAgeMaxMillis), .optional(ref.snapshotsToKeepMin),
                .optional(ref.snapshotAgeMaxMillis),
            ]
        }
    }

    private static func metadataLog(_ table: TableMetadata, _ file: String?) -> [[Value]] {
        var entries = table.metadataLog
        if let file {
            entries.append(
                MetadataLogEntry(timestampMillis: table.lastUpdatedMillis, metadataFile: file)
            )
        }
        return entries.map { entry in
            let snapshot = table.snapshot(atMillis: entry.timestampMillis)
            return [
                .instant(millis: entry.timestampMillis), .string(entry.metadataFile),
                .optional(snapshot?.snapshotID), .optional(snapshot?.schemaID),
                .optional(snapshot?.sequenceNumber),
            ]
        }
    }

    // MARK: From manifests

    private static func row(_ manifest: ManifestFile, _ table: TableMetadata) -> [Value] {
        let counts = [
            manifest.addedFilesCount, manifest.existingFilesCount, manifest.deletedFilesCount,
        ].map { Value.optional($0) }
        let zeros = [Value](repeating: .int32(0), count: 3)
        let isData = manifest.content == .data
        let spec = table.partitionSpec(id: manifest.partitionSpecID)
        let fields = spec.map { table.partitionType(of: $0).fields } ?? []
        var summaries: Value = .null
        if let partitions = manifest.partitions {
            summaries = .list(
                zip(partitions, zip(spec?.fields ?? [], fields)).map { summary, field in
                    func text(_ bytes: [UInt8]?) -> Value {
                        guard let bytes, let datum = try? Datum(bytes: bytes, type: field.1.type)
                        else { return .null }
                        return .string(field.0.transform.text(of: datum))
                    }
                    return .structure([
                        .boolean(summary.containsNull), .optional(summary.containsNaN),
                        text(summary.lowerBound), text(summary.upperBound),
                    ])
                }
            )
        }
        return [
            .int32(manifest.content.rawValue), .string(manifest.manifestPath),
            .int64(manifest.manifestLengthBytes),
            .int32(Int32(truncatingIfNeeded: manifest.partitionSpecID)),
            .int64(manifest.addedSnapshotID),
        ] + (isData ? counts + zeros : zeros + counts) + [summaries]
    }

    private func fileRows(_ reader: TableReader) async throws -> [[Value]] {
        let table = reader.metadata
        let partition = try PartitionColumn(table)
        var manifests: [ManifestFile] = []
        if self == .allDataFiles {
            var seen: Set<String> = []
            for snapshot in table.snapshots {
                let one = try TableReader(
                    table,
                    at: .snapshotID(snapshot.snapshotID),
                    storage: reader.storage,
                    manifestCache: reader.manifestCache,
                    metadataFile: reader.metadataFile
                )
                manifests += try await one.manifests().filter {
                    seen.insert($0.manifestPath).inserted
                }
            }
        } else {
            manifests = try await reader.manifests()
        }
        var rows: [[Value]] = []
        for entry in try await reader.entries(of: manifests).joined() {
            let file = entry.file
            let spec = table.partitionSpec(id: file.specID)
            let values = Self.row(file, partition.values(file.partition, spec: spec))
            switch self {
            case .entries:
                rows.append([
                    .int32(entry.status.rawValue), .optional(entry.snapshotID),
                    .optional(entry.sequenceNumber), .optional(entry.fileSequenceNumber),
                    .structure(values),
                ])
            case .files where entry.isLive,
                .dataFiles where entry.isLive && file.content == .data,
                .allDataFiles where entry.isLive && file.content == .data,
                .deleteFiles where entry.isLive && file.content != .data:
                rows.append(values)
            default: break
            }
        }
        return rows
    }

    private static func row(_ file: DataFile, _ partition: [Value]) -> [Value] {
        [
            .int32(file.content.rawValue), .string(file.filePath),
            .string(file.fileFormat.rawValue.uppercased()),
            .int32(Int32(truncatingIfNeeded: file.specID)),
        ] + partition + [
            .int64(file.recordCount), .int64(file.fileSizeBytes), .counts(file.columnSizes),
            .counts(file.valueCounts), .counts(file.nullValueCounts),
            .counts(file.nanValueCounts), .bounds(file.lowerBounds), .bounds(file.upperBounds),
            file.keyMetadata.map { .binary($0) } ?? .null,
            file.splitOffsets.map { .list($0.map { .int64($0) }) } ?? .null,
            file.equalityIDs.map { .list($0.map { .int32(Int32(truncatingIfNeeded: $0)) }) }
                ?? .null,
            .optional(file.sortOrderID), .optional(file.firstRowID),
            .optional(file.referencedDataFile), .optional(file.contentOffset),
            .optional(file.contentSizeBytes),
        ]
    }

    /// Sums over the live files of each partition.
    private struct PartitionSums {
        var spec: PartitionSpec?
        var specID: Int
        var partition: [Datum?]
        var records: Int64 = 0
        var files: Int32 = 0
        var bytes: Int64 = 0
        var positionRecords: Int64 = 0
        var positionFiles: Int32 = 0
        var equalityRecords: Int64 = 0
        var equalityFiles: Int32 = 0
        var last: Snapshot?

        mutating func add(_ entry: ManifestEntry, _ table: TableMetadata) {
            let file = entry.file
            switch file.content {
            case .data:
                records &+= file.recordCount
                files &+= 1
                bytes &+= file.fileSizeBytes
            case .positionDeletes:
                positionRecords &+= file.recordCount
                positionFiles &+= 1
            case .equalityDeletes:
                equalityRecords &+= file.recordCount
                equalityFiles &+= 1
            }
            guard let snapshot = entry.snapshotID.flatMap({ table.snapshot(id: $0) }) else {
                return
            }
            if last.map({ $0.timestampMillis < snapshot.timestampMillis }) ?? true {
                last = snapshot
            }
        }
    }

    private static func partitions(_ reader: TableReader) async throws -> [[Value]] {
        struct Key: Hashable {
            var specID: Int
            var partition: [Datum?]
        }
        let table = reader.metadata
        let column = try PartitionColumn(table)
        var order: [Key] = []
        var sums: [Key: PartitionSums] = [:]
        let manifests = try await reader.manifests().filter(\.hasLiveFiles)
        for entry in try await reader.entries(of: manifests).joined() where entry.isLive {
            let key = Key(specID: entry.file.specID, partition: entry.file.partition)
            if sums[key] == nil {
                order.append(key)
                sums[key] = PartitionSums(
                    spec: table.partitionSpec(id: key.specID),
                    specID: key.specID,
                    partition: key.partition
                )
            }
            sums[key]?.add(entry, table)
        }
        return order.compactMap { sums[$0] }.map { sum in
            column.values(sum.partition, spec: sum.spec) + [
                .int32(Int32(truncatingIfNeeded: sum.specID)), .int64(sum.records),
                .int32(sum.files), .int64(sum.bytes), .int64(sum.positionRecords),
                .int32(sum.positionFiles), .int64(sum.equalityRecords),
                .int32(sum.equalityFiles),
                sum.last.map { .instant(millis: $0.timestampMillis) } ?? .null,
                .optional(sum.last?.snapshotID),
            ]
        }
    }
}

extension Value {
    fileprivate static func instant(millis: Int64) -> Value {
        .timestamptz(millis.multipliedReportingOverflow(by: 1000).partialValue)
    }

    fileprivate static func optional(_ value: Int64?) -> Value { value.map { .int64($0) } ?? .null }

    fileprivate static func optional(_ value: Int?) -> Value {
        value.map { .int32(Int32(truncatingIfNeeded: $0)) } ?? .null
    }

    fileprivate static func optional(_ value: String?) -> Value {
        value.map { .string($0) } ?? .null
    }

    fileprivate static func optional(_ value: Bool?) -> Value {
        value.map { .boolean($0) } ?? .null
    }

    fileprivate static func counts(_ counts: ColumnCounts?) -> Value {
        guard let counts else { return .null }
        return .map(
            zip(counts.fieldIDs, counts.counts).map {
                MapEntry(key: .int32($0), value: .int64($1))
            }
        )
    }

    fileprivate static func bounds(_ bounds: ColumnBounds?) -> Value {
        guard let bounds else { return .null }
        return .map(
            bounds.fieldIDs.compactMap { id in
                bounds[Int(id)].map { MapEntry(key: .int32(id), value: .binary($0)) }
            }
        )
    }
}
