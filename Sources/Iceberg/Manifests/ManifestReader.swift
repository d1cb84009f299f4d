import Bytes

/// Reads the entries of a manifest.
///
/// Fields are found by id, whatever order and names the writer gave them; what the entries leave out
/// they inherit from the manifest list's description.
///
/// - Spec: "Manifests", "Sequence Number Inheritance", "First Row ID Inheritance".
package struct ManifestReader: Sendable {
    /// What the manifest's header says; nil where it does not, or not in a way that can be understood.
    package struct Header: Sendable {
        /// The version of the specification: 1, 2 or 3.
        package let formatVersion: Int?
        /// What is in it.
        package let content: ManifestContent?
        /// The id of the schema.
        package let schemaID: Int?
        /// The id of the partition spec.
        package let specID: Int?
    }

    /// What the file says of itself.
    package let header: Header
    private let manifest: ManifestFile?
    private let specID: Int
    private let partitionType: StructType
    private let entryPlans: [AvroFieldPlan]
    private let filePlans: [AvroFieldPlan]
    /// The fields of the partition struct, and where in the tuple each belongs.
    private let partitionPlans: [(schema: AvroSchema, index: Int?)]
    private var file: AvroFileReader
    private var block: AvroFileReader.Block?
    private var blockRemaining = 0
    private var nextRowID: Int64?

    /// Reads the header of a manifest of `table`.
    ///
    /// - Parameter manifest: What the manifest list says of it.
    /// - Throws: `corrupt` when it is no manifest, or its spec is not one of the table's.
    package init(
        bytes: [UInt8],
        manifest: ManifestFile,
        table: TableMetadata
    ) throws(IcebergError) {
        guard let spec = table.partitionSpec(id: manifest.partitionSpecID) else {
            throw IcebergError(
                .corrupt,
                "manifest \(manifest.manifestPath) has partition spec \(manifest.partitionSpecID), which the table does not have"
            )
        }
        try self.init(
            bytes: bytes,
            manifest: manifest,
            specID: spec.specID,
            partitionType: table.partitionType(of: spec)
        )
    }

    /// Reads the header of a manifest by what the manifest itself says of its spec and schema.
    ///
    /// - Parameter manifest: What the manifest list says of it; nil leaves unsaid numbers nil.
    package init(bytes: [UInt8], manifest: ManifestFile? = nil) throws(IcebergError) {
        let file = try AvroFileReader(bytes: bytes)
        let specID = file.text("partition-spec-id").flatMap { Int($0) } ?? 0
        func json(_ key: String) throws(IcebergError) -> JSON {
            guard let text = file.text(key) else {
                throw IcebergError(.corrupt, "a manifest without \(key) in its header")
            }
            return try IcebergError.bytes { () throws(BytesError) in try JSON.parse(text) }
        }
        let schema = try Schema(json: try json("schema"))
        // Old writers stored the whole spec instead of its fields.
        let specJSON = try json("partition-spec")
        let spec = try PartitionSpec(specID: specID, fieldsJSON: specJSON["fields"] ?? specJSON)
        try self.init(
            bytes: bytes,
            manifest: manifest,
            specID: specID,
            partitionType: spec.partitionType(schema: schema)
        )
    }

    private init(
        bytes: [UInt8],
        manifest: ManifestFile?,
        specID: Int,
        partitionType: StructType
    ) throws(IcebergError) {
        file = try AvroFileReader(bytes: bytes)
        guard case .record(let record) = file.schema else {
            throw IcebergError(.corrupt, "a manifest's entries are not records")
        }
        entryPlans = AvroFieldPlan.plans(record, names: ManifestFields.entryNames)
        filePlans = try Self.plans(of: ManifestFields.dataFile, in: entryPlans)
        // Unpartitioned files of some writers have no tuple at all.
        let tuple = try? Self.record(of: ManifestFields.partition, in: filePlans)
        partitionPlans = (tuple?.fields ?? []).map { field in
            let byID = partitionType.fields.firstIndex { $0.id == field.fieldID }
            let name = field.icebergName ?? field.name
            return (field.schema, byID ?? partitionType.fields.firstIndex { $0.name == name })
        }
        self.manifest = manifest
        self.specID = specID
        self.partitionType = partitionType
        nextRowID = manifest?.content == .data ? manifest?.firstRowID : nil
        let content: ManifestContent? =
            switch file.text("content") {
            case "data": .data
            case "deletes": .deletes
            default: nil
            }
        header = Header(
            formatVersion: file.text("format-version").flatMap { Int($0) },
            content: content,
            schemaID: file.text("schema-id").flatMap { Int($0) },
            specID: file.text("partition-spec-id").flatMap { Int($0) }
        )
    }

    /// Describes a manifest of a v1 table without manifest lists, by reading all of it.
    ///
    /// - Parameters:
    ///   - path: Where the manifest is.
    ///   - snapshotID: The snapshot that lists it.
    package static func describe(
        _ bytes: [UInt8],
        path: String,
        snapshotID: Int64
    ) throws(IcebergError) -> ManifestFile {
        var reader = try ManifestReader(bytes: bytes)
        var manifest = ManifestFile(
            manifestPath: path,
            manifestLengthBytes: Int64(bytes.count),
            partitionSpecID: reader.specID,
            content: reader.header.content ?? .data,
            sequenceNumber: 0,
            minSequenceNumber: 0,
            addedSnapshotID: snapshotID
        )
        var files: [ManifestEntryStatus: Int] = [:]
        var rows: [ManifestEntryStatus: Int64] = [:]
        var summaries = PartitionSummaryBuilder(reader.partitionType)
        while let entry = try reader.next() {
            files[entry.status, default: 0] += 1
            rows[entry.status, default: 0] &+= entry.file.recordCount
            summaries.add(entry.file.partition)
        }
        manifest.addedFilesCount = files[.added] ?? 0
        manifest.existingFilesCount = files[.existing] ?? 0
        manifest.deletedFilesCount = files[.deleted] ?? 0
        manifest.addedRowsCount = rows[.added] ?? 0
        manifest.existingRowsCount = rows[.existing] ?? 0
        manifest.deletedRowsCount = rows[.deleted] ?? 0
        manifest.partitions = summaries.result
        return manifest
    }

    /// All entries that are left, deleted ones included.
    package mutating func entries() throws(IcebergError) -> [ManifestEntry] {
        var entries: [ManifestEntry] = []
        while let entry = try next() { entries.append(entry) }
        return entries
    }

    /// The next entry; nil at the end.
    package mutating func next() throws(IcebergError) -> ManifestEntry? {
        while blockRemaining == 0 {
            try block?.finish()
            block = try file.nextBlock()
            guard let block else { return nil }
            blockRemaining = block.count
        }
        guard var current = block else { return nil }
        // Out of the struct while it is changed, so that nothing is copied.
        block = nil
        var entry = try readEntry(&current.cursor)
        block = current
        blockRemaining -= 1
        try inherit(&entry)
        return entry
    }

    private func inherit(_ entry: inout ManifestEntry) throws(IcebergError) {
        guard let manifest else { return }
        if entry.snapshotID == nil { entry.snapshotID = manifest.addedSnapshotID }
        // v1 manifests have no sequence numbers at all, and 0 in the list.
        if entry.status == .added || manifest.sequenceNumber == 0 {
            if entry.sequenceNumber == nil { entry.sequenceNumber = manifest.sequenceNumber }
            if entry.fileSequenceNumber == nil {
                entry.fileSequenceNumber = manifest.sequenceNumber
            }
        }
        guard entry.sequenceNumber != nil else {
            throw IcebergError(
                .corrupt,
                "manifest \(manifest.manifestPath): file \(entry.file.filePath) was not added by it, but has no sequence number"
            )
        }
    }

    // MARK: - Fields

    /// The record that a field holds; a manifest must have it.
    private static func record(
        of id: Int,
        in plans: [AvroFieldPlan]
    ) throws(IcebergError) -> AvroRecord {
        guard let plan = plans.first(where: { $0.id == id }), case .record(let record) = plan.value
        else {
            throw IcebergError(.corrupt, "a manifest without a record for field \(id)")
        }
        return record
    }

    private static func plans(
        of id: Int,
        in plans: [AvroFieldPlan]
    ) throws(IcebergError) -> [AvroFieldPlan] {
        AvroFieldPlan.plans(try record(of: id, in: plans), names: ManifestFields.fileNames)
    }

    private mutating func readEntry(
        _ cursor: inout AvroCursor
    ) throws(IcebergError) -> ManifestEntry {
        var status: ManifestEntryStatus?
        var snapshotID: Int64?
        var sequenceNumber: Int64?
        var fileSequenceNumber: Int64?
        var file: DataFile?
        for index in entryPlans.indices {
            switch entryPlans[index].id {
            case ManifestFields.status:
                let code = try cursor.readInt(entryPlans[index]) ?? -1
                status = ManifestEntryStatus(rawValue: Int32(truncatingIfNeeded: code))
            case ManifestFields.snapshotID: snapshotID = try cursor.readLong(entryPlans[index])
            case ManifestFields.sequenceNumber:
                sequenceNumber = try cursor.readLong(entryPlans[index])
            case ManifestFields.fileSequenceNumber:
                fileSequenceNumber = try cursor.readLong(entryPlans[index])
            case ManifestFields.dataFile:
                if try cursor.readIsNull(entryPlans[index].nullBranch) {
                    throw cursor.corrupt("a manifest entry's data_file is null")
                }
                file = try readFile(&cursor)
            default: try cursor.skip(entryPlans[index].schema)
            }
        }
        guard let status, var file else {
            throw cursor.corrupt("a manifest entry without a known status or a data_file")
        }
        // Manifest lists give ids for rows that are added or exist, so removed files take none: ids would be
        // given twice. (Removed files without ids are those of manifests that were written before version 3.)
        if let next = nextRowID, status != .deleted, file.content == .data, file.firstRowID == nil {
            let (sum, overflow) = next.addingReportingOverflow(file.recordCount)
            if overflow { throw cursor.corrupt("row ids are out of range") }
            file.firstRowID = next
            nextRowID = sum
        }
        var entry = ManifestEntry(
            status: status,
            snapshotID: snapshotID,
            sequenceNumber: sequenceNumber,
            fileSequenceNumber: fileSequenceNumber,
            file: file
        )
        entry.manifestPath = manifest?.manifestPath
        return entry
    }

    private func readFile(_ cursor: inout AvroCursor) throws(IcebergError) -> DataFile {
        var file = DataFile(filePath: "", recordCount: -1, fileSizeBytes: -1)
        file.specID = specID
        file.partition = Array(repeating: nil, count: partitionType.fields.count)
        var format: FileFormat?
        for index in filePlans.indices {
            switch filePlans[index].id {
            case ManifestFields.content:
                let code = try cursor.readInt(filePlans[index]) ?? 0
                guard let content = FileContent(rawValue: Int32(truncatingIfNeeded: code)) else {
                    throw cursor.corrupt("a file's content \(code) is not known")
                }
                file.content = content
            case ManifestFields.filePath:
                file.filePath = try cursor.readString(filePlans[index]) ?? ""
            case ManifestFields.fileFormat:
                let text = try cursor.readString(filePlans[index]) ?? ""
                format = FileFormat(text: text)
            case ManifestFields.partition:
                if try cursor.readIsNull(filePlans[index].nullBranch) { break }
                try readPartition(&cursor, into: &file.partition)
            case ManifestFields.recordCount:
                file.recordCount = try cursor.readLong(filePlans[index]) ?? -1
            case ManifestFields.fileSizeBytes:
                file.fileSizeBytes = try cursor.readLong(filePlans[index]) ?? -1
            default: try readMetrics(&cursor, filePlans[index], into: &file)
            }
        }
        guard let format, !file.filePath.isEmpty, file.recordCount >= 0, file.fileSizeBytes >= 0
        else {
            throw cursor.corrupt("a file without its path, format, record count or size")
        }
        file.fileFormat = format
        return file
    }

    private func readMetrics(
        _ cursor: inout AvroCursor,
        _ plan: AvroFieldPlan,
        into file: inout DataFile
    ) throws(IcebergError) {
        switch plan.id {
        case ManifestFields.columnSizes: file.columnSizes = try cursor.readCounts(plan)
        case ManifestFields.valueCounts: file.valueCounts = try cursor.readCounts(plan)
        case ManifestFields.nullValueCounts: file.nullValueCounts = try cursor.readCounts(plan)
        case ManifestFields.nanValueCounts: file.nanValueCounts = try cursor.readCounts(plan)
        case ManifestFields.lowerBounds: file.lowerBounds = try cursor.readBounds(plan)
        case ManifestFields.upperBounds: file.upperBounds = try cursor.readBounds(plan)
        case ManifestFields.keyMetadata:
            file.keyMetadata = try cursor.readOptionalBytes(plan.schema)
        case ManifestFields.splitOffsets:
            file.splitOffsets = try cursor.readOptionalLongs(plan.schema)
        case ManifestFields.equalityIDs:
            file.equalityIDs = try cursor.readOptionalLongs(plan.schema)?.map { Int($0) }
        case ManifestFields.sortOrderID: file.sortOrderID = try cursor.readInt(plan)
        case ManifestFields.firstRowID: file.firstRowID = try cursor.readLong(plan)
        case ManifestFields.referencedDataFile:
            file.referencedDataFile = try cursor.readString(plan)
        case ManifestFields.contentOffset: file.contentOffset = try cursor.readLong(plan)
        case ManifestFields.contentSizeBytes: file.contentSizeBytes = try cursor.readLong(plan)
        default: try cursor.skip(plan.schema)
        }
    }

    private func readPartition(
        _ cursor: inout AvroCursor,
        into partition: inout [Datum?]
    ) throws(IcebergError) {
        for (schema, index) in partitionPlans {
            if let index {
                partition[index] = try cursor.readDatum(
                    schema,
                    type: partitionType.fields[index].type
                )
            } else {
                try cursor.skip(schema)
            }
        }
    }
}

extension FileFormat {
    /// Reads the name of a format whatever its case; nil when it is not known.
    fileprivate init?(text: String) {
        switch text {
        // Nearly all of them, without making another string.
        case "PARQUET", "parquet": self = .parquet
        default:
            guard let format = FileFormat(rawValue: text.lowercased()) else { return nil }
            self = format
        }
    }
}
