import Bytes

/// Writes one manifest: files of one partition spec, either data or delete files.
///
/// Added files get no sequence numbers, so that the bytes stay good when a commit is tried again.
///
/// - Spec: "Manifests".
package struct ManifestWriter: Sendable {
    /// A manifest's bytes, and what the manifest list is to say of it.
    package struct Output: Sendable {
        /// The bytes, whole.
        package let bytes: [UInt8]
        /// Its sequence numbers may be unassigned; the manifest list's writer assigns them.
        package let manifest: ManifestFile
    }

    private let snapshotID: Int64
    private let specID: Int
    private let partitionType: StructType
    private let content: ManifestContent
    private let formatVersion: Int
    private var writer: AvroFileWriter
    private var summaries: PartitionSummaryBuilder
    private var counts: [ManifestEntryStatus: (files: Int, rows: Int64)] = [:]
    private var minSequenceNumber: Int64?

    /// Begins a manifest for a snapshot of `table`.
    ///
    /// - Parameters:
    ///   - spec: The spec that all files are partitioned by.
    ///   - snapshotID: The snapshot that the manifest is written for.
    /// - Throws: `unsupported` for a v1 table or a spec with unknown transforms.
    package init(
        table: TableMetadata,
        spec: PartitionSpec,
        content: ManifestContent,
        snapshotID: Int64,
        codec: AvroCodec = .deflate
    ) throws(IcebergError) {
        guard TableMetadata.formatVersionsWritten.contains(table.formatVersion) else {
            throw IcebergError(
                .unsupported,
                "writing manifests of a v\(table.formatVersion) table: upgrade it to v2 first"
            )
        }
        if let field = spec.fields.first(where: { $0.transform.isUnknown }) {
            throw IcebergError(
                .unsupported,
                "partition field \(field.name) has the unknown transform \(field.transform)"
            )
        }
        self.snapshotID = snapshotID
        self.content = content
        specID = spec.specID
        formatVersion = table.formatVersion
        partitionType = table.partitionType(of: spec)
        summaries = PartitionSummaryBuilder(partitionType)
        let entry = ManifestFields.entry(
            partitionType: partitionType,
            formatVersion: formatVersion
        )
        writer = AvroFileWriter(
            schema: try AvroSchema(entry, name: "manifest_entry"),
            metadata: [
                ("schema", table.currentSchema.json.text()),
                ("schema-id", String(table.currentSchemaID)),
                ("partition-spec", spec.fieldsJSON.text()),
                ("partition-spec-id", String(spec.specID)),
                ("format-version", String(formatVersion)),
                ("content", content.text),
            ],
            codec: codec
        )
    }

    /// Adds a file that is new in this snapshot.
    ///
    /// - Parameter sequenceNumber: The age of its rows when they are older than the snapshot, as after a
    ///   compaction; nil to inherit the snapshot's.
    package mutating func add(
        _ file: DataFile,
        sequenceNumber: Int64? = nil
    ) throws(IcebergError) {
        var file = file
        // Row ids of new files are inherited too.
        file.firstRowID = nil
        try append(
            ManifestEntry(
                status: .added,
                snapshotID: snapshotID,
                sequenceNumber: sequenceNumber,
                fileSequenceNumber: nil,
                file: file
            )
        )
    }

    /// Keeps a file that an earlier snapshot added.
    ///
    /// - Parameter entry: As read from its manifest, with its numbers inherited.
    package mutating func keep(_ entry: ManifestEntry) throws(IcebergError) {
        var entry = entry
        entry.status = .existing
        try checkNumbers(entry)
        try append(entry)
    }

    /// Notes that this snapshot removes a file.
    ///
    /// - Parameter entry: As read from its manifest, with its numbers inherited.
    package mutating func delete(_ entry: ManifestEntry) throws(IcebergError) {
        var entry = entry
        entry.status = .deleted
        entry.snapshotID = snapshotID
        try checkNumbers(entry)
        try append(entry)
    }

    private func checkNumbers(_ entry: ManifestEntry) throws(IcebergError) {
        // Only added files may inherit; the numbers of others must be in the manifest.
        guard entry.snapshotID != nil, entry.sequenceNumber != nil,
            entry.fileSequenceNumber != nil || entry.sequenceNumber == 0
        else {
            throw IcebergError(
                .invalid,
                "file \(entry.file.filePath) is not new, but its snapshot or sequence numbers are not known"
            )
        }
    }

    private mutating func append(_ entry: ManifestEntry) throws(IcebergError) {
        let file = entry.file
        guard (file.content == .data) == (content == .data) else {
            throw IcebergError(.invalid, "\(file.filePath) is no \(content.text) file")
        }
        guard file.specID == specID, file.partition.count == partitionType.fields.count else {
            throw IcebergError(
                .invalid,
                "\(file.filePath) is of partition spec \(file.specID), the manifest of \(specID)"
            )
        }
        guard file.recordCount >= 0, file.fileSizeBytes >= 0, !file.filePath.isEmpty else {
            throw IcebergError(
                .invalid,
                "\(file.filePath) has no path, or a negative count or size"
            )
        }
        if let offsets = file.splitOffsets,
            !zip(offsets, offsets.dropFirst()).allSatisfy({ $0 < $1 })
        {
            throw IcebergError(.invalid, "the split offsets of \(file.filePath) do not ascend")
        }
        let (partitionType, formatVersion) = (partitionType, formatVersion)
        try writer.append { (encoder) throws(IcebergError) in
            try encoder.write(entry, partitionType, formatVersion)
        }
        if entry.isLive {
            if let number = entry.sequenceNumber {
                minSequenceNumber = min(minSequenceNumber ?? number, number)
            }
        }
        summaries.add(file.partition)
        let (files, rows) = counts[entry.status] ?? (0, 0)
        let (sum, overflow) = rows.addingReportingOverflow(file.recordCount)
        if overflow { throw IcebergError(.invalid, "a manifest's rows are too many to count") }
        counts[entry.status] = (files + 1, sum)
    }

    /// How many files were appended so far.
    package var count: Int { counts.values.reduce(0) { $0 + $1.files } }

    /// How long the manifest is so far, not counting the block that is being filled.
    package var sizeBytes: Int { writer.sizeBytes }

    /// Ends the manifest.
    ///
    /// - Parameter path: Where it will be stored, with its scheme.
    package mutating func finish(path: String) throws(IcebergError) -> Output {
        let bytes = try writer.finish()
        let added = counts[.added] ?? (0, 0)
        let existing = counts[.existing] ?? (0, 0)
        let deleted = counts[.deleted] ?? (0, 0)
        return Output(
            bytes: bytes,
            manifest: ManifestFile(
                manifestPath: path,
                manifestLengthBytes: Int64(bytes.count),
                partitionSpecID: specID,
                content: content,
                sequenceNumber: ManifestFile.unassigned,
                minSequenceNumber: minSequenceNumber ?? ManifestFile.unassigned,
                addedSnapshotID: snapshotID,
                addedFilesCount: added.files,
                existingFilesCount: existing.files,
                deletedFilesCount: deleted.files,
                addedRowsCount: added.rows,
                existingRowsCount: existing.rows,
                deletedRowsCount: deleted.rows,
                partitions: summaries.result
            )
        )
    }
}

extension AvroEncoder {
    /// Writes an entry in the order of `ManifestFields.entry`.
    fileprivate mutating func write(
        _ entry: ManifestEntry,
        _ partitionType: StructType,
        _ formatVersion: Int
    ) throws(IcebergError) {
        write(entry.status.rawValue)
        write(optional: entry.snapshotID)
        write(optional: entry.sequenceNumber)
        write(optional: entry.fileSequenceNumber)
        let file = entry.file
        write(file.content.rawValue)
        write(file.filePath)
        // Upper case as the reference implementation writes it; readers must not mind.
        write(file.fileFormat.rawValue.uppercased())
        for (field, value) in zip(partitionType.fields, file.partition) {
            try IcebergError.during("partition field \(field.name)") { () throws(IcebergError) in
                try write(value, type: field.type)
            }
        }
        write(file.recordCount)
        write(file.fileSizeBytes)
        write(file.columnSizes)
        write(file.valueCounts)
        write(file.nullValueCounts)
        write(file.nanValueCounts)
        write(file.lowerBounds)
        write(file.upperBounds)
        write(optional: file.keyMetadata)
        write(optional: file.splitOffsets)
        write(optional: file.equalityIDs?.map { Int64($0) })
        write(optional: file.sortOrderID.map { Int64($0) })
        if formatVersion >= 3 { write(optional: file.firstRowID) }
        write(branch: file.referencedDataFile != nil)
        if let path = file.referencedDataFile { write(path) }
        if formatVersion >= 3 {
            write(optional: file.contentOffset)
            write(optional: file.contentSizeBytes)
        }
    }

    mutating func write(optional value: Int64?) {
        write(branch: value != nil)
        if let value { write(value) }
    }

    mutating func write(optional value: [UInt8]?) {
        write(branch: value != nil)
        if let value { write(value) }
    }

    private mutating func write(optional values: [Int64]?) {
        write(branch: values != nil)
        guard let values else { return }
        if !values.isEmpty {
            write(Int64(values.count))
            for value in values { write(value) }
        }
        write(Int64(0))
    }

    private mutating func write(_ map: ColumnCounts?) {
        write(branch: map != nil)
        guard let map else { return }
        if !map.isEmpty {
            write(Int64(map.fieldIDs.count))
            for (id, count) in zip(map.fieldIDs, map.counts) {
                write(id)
                write(count)
            }
        }
        write(Int64(0))
    }

    private mutating func write(_ map: ColumnBounds?) {
        write(branch: map != nil)
        guard let map else { return }
        if !map.isEmpty {
            write(Int64(map.fieldIDs.count))
            for (index, id) in map.fieldIDs.enumerated() {
                write(id)
                write(map.bound(at: index))
            }
        }
        write(Int64(0))
    }
}
