/// Reads the manifests of a snapshot from its manifest list.
///
/// - Spec: "Manifest Lists".
package enum ManifestListReader {
    /// Reads a manifest list; fields are found by id, and what v1 leaves out gets its default.
    ///
    /// - Throws: `corrupt` when it is no manifest list or a field is missing that every version requires.
    package static func read(_ bytes: [UInt8]) throws(IcebergError) -> [ManifestFile] {
        var file = try AvroFileReader(bytes: bytes)
        guard case .record(let record) = file.schema else {
            throw IcebergError(.corrupt, "a manifest list's entries are not records")
        }
        var manifests: [ManifestFile] = []
        while var block = try file.nextBlock() {
            for _ in 0..<block.count { manifests.append(try read(&block.cursor, record)) }
            try block.finish()
        }
        return manifests
    }

    private static func read(
        _ cursor: inout AvroCursor,
        _ record: AvroRecord
    ) throws(IcebergError) -> ManifestFile {
        var manifest = ManifestFile(
            manifestPath: "",
            manifestLengthBytes: -1,
            partitionSpecID: -1,
            content: .data,
            sequenceNumber: 0,
            minSequenceNumber: 0,
            addedSnapshotID: 0
        )
        var hasSnapshot = false
        for field in record.fields {
            let schema = field.schema
            switch field.fieldID ?? ManifestFields.manifestFileNames[field.name] {
            case ManifestFields.manifestPath:
                manifest.manifestPath = try cursor.readOptionalString(schema) ?? ""
            case ManifestFields.manifestLength:
                manifest.manifestLengthBytes = try cursor.readOptionalLong(schema) ?? -1
            case ManifestFields.partitionSpecID:
                manifest.partitionSpecID = try cursor.readOptionalInt(schema) ?? -1
            case ManifestFields.manifestContent:
                let code = try cursor.readOptionalInt(schema) ?? 0
                guard let content = ManifestContent(rawValue: Int32(truncatingIfNeeded: code))
                else {
                    throw cursor.corrupt("a manifest's content \(code) is not known")
                }
                manifest.content = content
            case ManifestFields.manifestSequenceNumber:
                manifest.sequenceNumber = try cursor.readOptionalLong(schema) ?? 0
            case ManifestFields.minSequenceNumber:
                manifest.minSequenceNumber = try cursor.readOptionalLong(schema) ?? 0
            case ManifestFields.addedSnapshotID:
                if let id = try cursor.readOptionalLong(schema) {
                    manifest.addedSnapshotID = id
                    hasSnapshot = true
                }
            case ManifestFields.partitions:
                manifest.partitions = try readSummaries(&cursor, schema)
            case ManifestFields.manifestKeyMetadata:
                manifest.keyMetadata = try cursor.readOptionalBytes(schema)
            case ManifestFields.manifestFirstRowID:
                manifest.firstRowID = try cursor.readOptionalLong(schema)
            case let id: try readCount(&cursor, id, schema, into: &manifest)
            }
        }
        guard !manifest.manifestPath.isEmpty, manifest.manifestLengthBytes >= 0,
            manifest.partitionSpecID >= 0, hasSnapshot, manifest.sequenceNumber >= 0
        else {
            throw cursor.corrupt("a manifest without its path, length, spec or snapshot")
        }
        return manifest
    }

    private static func readCount(
        _ cursor: inout AvroCursor,
        _ id: Int?,
        _ schema: AvroSchema,
        into manifest: inout ManifestFile
    ) throws(IcebergError) {
        switch id {
        case ManifestFields.addedFilesCount:
            manifest.addedFilesCount = try cursor.readOptionalInt(schema)
        case ManifestFields.existingFilesCount:
            manifest.existingFilesCount = try cursor.readOptionalInt(schema)
        case ManifestFields.deletedFilesCount:
            manifest.deletedFilesCount = try cursor.readOptionalInt(schema)
        case ManifestFields.addedRowsCount:
            manifest.addedRowsCount = try cursor.readOptionalLong(schema)
        case ManifestFields.existingRowsCount:
            manifest.existingRowsCount = try cursor.readOptionalLong(schema)
        case ManifestFields.deletedRowsCount:
            manifest.deletedRowsCount = try cursor.readOptionalLong(schema)
        default: try cursor.skip(schema)
        }
    }

    private static func readSummaries(
        _ cursor: inout AvroCursor,
        _ schema: AvroSchema
    ) throws(IcebergError) -> [FieldSummary]? {
        guard let branch = try cursor.readOptional(schema) else { return nil }
        guard case .array(let items, _, _) = branch, case .record(let record) = items.withoutNull
        else { throw cursor.corrupt("a manifest's partitions are no list of records") }
        var summaries: [FieldSummary] = []
        try cursor.readItems(sizeMin: items.sizeMin) { (cursor) throws(IcebergError) in
            guard try cursor.readOptional(items) != nil else {
                throw cursor.corrupt("a manifest's partitions hold a null")
            }
            var summary = FieldSummary(containsNull: true)
            for field in record.fields {
                switch field.fieldID ?? ManifestFields.fieldSummaryNames[field.name] {
                case ManifestFields.containsNull:
                    summary.containsNull = try cursor.readOptionalBoolean(field.schema) ?? true
                case ManifestFields.containsNaN:
                    summary.containsNaN = try cursor.readOptionalBoolean(field.schema)
                case ManifestFields.lowerBound:
                    summary.lowerBound = try cursor.readOptionalBytes(field.schema)
                case ManifestFields.upperBound:
                    summary.upperBound = try cursor.readOptionalBytes(field.schema)
                default: try cursor.skip(field.schema)
                }
            }
            summaries.append(summary)
        }
        return summaries
    }
}

/// Writes the manifest list of a snapshot.
///
/// - Spec: "Manifest Lists".
package enum ManifestListWriter {
    /// A manifest list's bytes, and the manifests as it says them.
    package struct Output: Sendable {
        /// The bytes, whole.
        package let bytes: [UInt8]
        /// With sequence numbers and row ids assigned.
        package let manifests: [ManifestFile]
        /// The row id after the last one assigned (v3).
        package let nextRowID: Int64?
    }

    /// Writes the list; manifests without a sequence number get the snapshot's.
    ///
    /// - Parameters:
    ///   - parentSnapshotID: nil for none.
    ///   - firstRowID: The id that the first row without one gets; nil before v3.
    /// - Throws: `invalid` when a manifest without a number was not written for this snapshot, or one has
    ///   counts that are not known, as those of v1 lists may be.
    package static func write(
        _ manifests: [ManifestFile],
        formatVersion: Int,
        snapshotID: Int64,
        parentSnapshotID: Int64?,
        sequenceNumber: Int64,
        firstRowID: Int64? = nil,
        codec: AvroCodec = .deflate
    ) throws(IcebergError) -> Output {
        var metadata = [
            ("snapshot-id", String(snapshotID)),
            ("parent-snapshot-id", parentSnapshotID.map { String($0) } ?? "null"),
            ("sequence-number", String(sequenceNumber)),
            ("format-version", String(formatVersion)),
        ]
        if let firstRowID { metadata.append(("first-row-id", String(firstRowID))) }
        let type = ManifestFields.manifestFile(formatVersion: formatVersion)
        var writer = AvroFileWriter(
            schema: try AvroSchema(type, name: "manifest_file"),
            metadata: metadata.map { (key: $0.0, value: $0.1) },
            codec: codec
        )
        var nextRowID = firstRowID
        var assigned: [ManifestFile] = []
        for manifest in manifests {
            var manifest = manifest
            try assign(&manifest, snapshotID, sequenceNumber, &nextRowID)
            try writer.append { (encoder) throws(IcebergError) in
                try encoder.write(manifest, formatVersion)
            }
            assigned.append(manifest)
        }
        return Output(bytes: try writer.finish(), manifests: assigned, nextRowID: nextRowID)
    }

    private static func assign(
        _ manifest: inout ManifestFile,
        _ snapshotID: Int64,
        _ sequenceNumber: Int64,
        _ nextRowID: inout Int64?
    ) throws(IcebergError) {
        let unassigned = ManifestFile.unassigned
        if manifest.sequenceNumber == unassigned || manifest.minSequenceNumber == unassigned {
            guard manifest.addedSnapshotID == snapshotID else {
                throw IcebergError(
                    .invalid,
                    "manifest \(manifest.manifestPath) of snapshot \(manifest.addedSnapshotID) has no sequence number"
                )
            }
            if manifest.sequenceNumber == unassigned { manifest.sequenceNumber = sequenceNumber }
            if manifest.minSequenceNumber == unassigned {
                manifest.minSequenceNumber = sequenceNumber
            }
        }
        guard let next = nextRowID, manifest.content == .data, manifest.firstRowID == nil else {
            return
        }
        let (added, existing) = (manifest.addedRowsCount ?? 0, manifest.existingRowsCount ?? 0)
        let (rows, isTooMany) = added.addingReportingOverflow(existing)
        let (sum, overflow) = next.addingReportingOverflow(rows)
        guard !overflow, !isTooMany, added >= 0, existing >= 0 else {
            throw IcebergError(.invalid, "row ids are out of range")
        }
        manifest.firstRowID = next
        nextRowID = sum
    }
}

extension AvroEncoder {
    /// Writes a manifest in the order of `ManifestFields.manifestFile`.
    fileprivate mutating func write(
        _ manifest: ManifestFile,
        _ formatVersion: Int
    ) throws(IcebergError) {
        guard let addedFiles = manifest.addedFilesCount,
            let existingFiles = manifest.existingFilesCount,
            let deletedFiles = manifest.deletedFilesCount, let addedRows = manifest.addedRowsCount,
            let existingRows = manifest.existingRowsCount,
            let deletedRows = manifest.deletedRowsCount
        else {
            throw IcebergError(
                .invalid,
                "manifest \(manifest.manifestPath) has counts that are not known, which v2 requires"
            )
        }
        write(manifest.manifestPath)
        write(manifest.manifestLengthBytes)
        write(Int64(manifest.partitionSpecID))
        write(manifest.content.rawValue)
        write(manifest.sequenceNumber)
        write(manifest.minSequenceNumber)
        write(manifest.addedSnapshotID)
        write(Int64(addedFiles))
        write(Int64(existingFiles))
        write(Int64(deletedFiles))
        write(addedRows)
        write(existingRows)
        write(deletedRows)
        write(branch: manifest.partitions != nil)
        if let partitions = manifest.partitions {
            if !partitions.isEmpty {
                write(Int64(partitions.count))
                for summary in partitions { write(summary) }
            }
            write(Int64(0))
        }
        write(optional: manifest.keyMetadata)
        if formatVersion >= 3 { write(optional: manifest.firstRowID) }
    }

    private mutating func write(_ summary: FieldSummary) {
        write(summary.containsNull)
        write(branch: summary.containsNaN != nil)
        if let containsNaN = summary.containsNaN { write(containsNaN) }
        write(optional: summary.lowerBound)
        write(optional: summary.upperBound)
    }
}
