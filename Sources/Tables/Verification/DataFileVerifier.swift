import Ambient
import Bytes
import Columnar
import Iceberg
import ObjectStorage
import Parquet

/// Checks one data or delete file: its size, magic numbers, footer, page index and every page, with all
/// of their checksums; and what its manifest says of it as far as its footer can tell.
struct DataFileVerifier {
    private let entry: ManifestEntry
    private let metadata: TableMetadata
    private let storage: TableStorage
    private let place: String
    private var report = TableVerification()

    init(_ entry: ManifestEntry, metadata: TableMetadata, storage: TableStorage) {
        self.entry = entry
        self.metadata = metadata
        self.storage = storage
        place = ScanFile.place(entry.file.filePath, manifest: entry.manifestPath)
    }

    /// - Throws: `CancellationError` only.
    consuming func verify() async throws -> TableVerification {
        var byteCount = 0
        do {
            try await check(&byteCount)
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            fault("\(error)")
        }
        if entry.file.content == .data {
            report.dataFiles.add(byteCount)
            report.rowCount = entry.file.recordCount
        } else {
            report.deleteFiles.add(byteCount)
        }
        return report
    }

    private mutating func fault(_ message: String) {
        report.faults.append(.init(place: place, message: message))
    }

    private mutating func check(_ byteCount: inout Int) async throws {
        let data = entry.file
        guard data.fileFormat == .parquet else {
            throw TablesError(
                .unsupported,
                "files of format \(data.fileFormat.rawValue) cannot be read"
            )
        }
        guard data.keyMetadata == nil else {
            throw TablesError(.unsupported, "the file is encrypted")
        }
        var file = ScanFile(store: storage.store, key: try storage.key(of: data.filePath))
        file.location = data.filePath
        let footer = try await TablesError.fetching(data.filePath) {
            // No cache: its bytes are to be seen again.
            try await FooterCache(byteCountMax: 0).footer(of: file)
        }
        let parquet = footer.metadata
        byteCount += footer.byteCount
        compare(data.fileSizeBytes, parquet.fileSize, "bytes")
        compare(data.recordCount, parquet.rowCount, "rows")
        for message in DataFileClaims(data, metadata).disagreements(with: parquet) {
            fault(message)
        }
        let magic = try await file.store.get(file.key, range: 0..<4)
        byteCount += magic.count
        if magic != Array("PAR1".utf8) {
            fault("the file does not begin as Parquet files do")
        }
        if let range = parquet.pageIndexRange {
            let bytes = try await file.store.get(file.key, range: range)
            byteCount += bytes.count
            report.pageIndexes.add(bytes.count)
            do {
                try bytes.withUnsafeBytes { try parquet.verifyPageIndex($0) }
            } catch let error as ParquetError {
                fault("\(error)")
            }
        }
        try await readPages(file, parquet, &byteCount)
        try await readFilters(file, parquet, &byteCount)
    }

    /// Reads the bloom filters that have a checksum.
    private mutating func readFilters(
        _ file: ScanFile,
        _ parquet: ParquetMetadata,
        _ byteCount: inout Int
    ) async throws {
        for (group, rows) in parquet.rowGroups.enumerated() {
            for (leaf, chunk) in rows.columns.enumerated() {
                guard let offset = chunk.bloomFilterOffset, let length = chunk.bloomFilterLength,
                    let checksum = chunk.bloomFilterChecksum
                else { continue }
                let name = parquet.schema.leaves[leaf].name
                let place = "row group \(group), column \(name)"
                guard offset >= 4, length > 0, length <= parquet.footerOffset,
                    offset <= parquet.footerOffset - length
                else {
                    fault("\(place): the bloom filter lies outside the file")
                    continue
                }
                let bytes = try await file.store.get(file.key, range: offset..<offset + length)
                byteCount += bytes.count
                if bytes.withUnsafeBytes({ crc32c($0) }) != checksum {
                    fault("\(place): the bloom filter does not match its checksum")
                }
            }
        }
    }

    private mutating func compare(_ claimed: Int64, _ found: Int, _ what: String) {
        if claimed == Int64(found) { return }
        fault("the manifest says \(claimed) \(what), the file has \(found)")
    }

    /// Reads every value, a column chunk at a time.
    private mutating func readPages(
        _ file: ScanFile,
        _ parquet: ParquetMetadata,
        _ byteCount: inout Int
    ) async throws {
        for group in parquet.rowGroups.indices {
            for column in parquet.schema.columns.indices {
                try Task.checkCancellation()
                let name = parquet.schema.columns[column].name
                let limit = lineageLimit(parquet.schema.columns[column].fieldID)
                do {
                    let ranges = try parquet.chunkLocations(rowGroup: group, columns: [column])
                        .map(\.byteRange)
                    byteCount += ranges.reduce(0) { $0 + $1.count }
                    let chunks = try await CoalescedRanges.fetch(ranges, of: file)
                    try await WorkerPool.shared.run {
                        try Self.read(parquet, group, column, chunks, limit)
                    }
                } catch is CancellationError {
                    throw CancellationError()
                } catch {
                    fault("row group \(group), column \(name): \(error)")
                }
            }
        }
    }

    /// What row lineage in a file may be at most: ids that the table has given, numbers of commits up to the one
    /// that added the file.
    ///
    /// - Returns: nil for other columns.
    private func lineageLimit(_ fieldID: Int?) -> LineageLimit? {
        switch fieldID {
        case MetadataColumn.rowID.id:
            LineageLimit(
                max: (metadata.nextRowID ?? 0) - 1,
                fault: "is no row id that the table has given"
            )
        case MetadataColumn.lastUpdatedSequenceNumber.id:
            entry.sequenceNumber.map {
                LineageLimit(max: $0, fault: "is no sequence number up to that of the file")
            }
        default: nil
        }
    }

    private struct LineageLimit: Sendable {
        var max: Int64
        var fault: String
    }

    private static func read(
        _ parquet: ParquetMetadata,
        _ group: Int,
        _ column: Int,
        _ chunks: [ChunkBytes],
        _ limit: LineageLimit?
    ) throws {
        let form = parquet.schema.columns[column]
        guard form.type != nil else {
            // Types that cannot be read have checksums all the same.
            for (leaf, bytes) in zip(form.leaves, chunks) {
                try parquet.verifyPages(rowGroup: group, leaf: leaf, bytes: bytes)
            }
            return
        }
        let reader = try RowGroupColumnReader(
            metadata: parquet,
            rowGroup: group,
            column: column,
            bytes: chunks,
            context: ParquetReadContext()
        )
        while reader.remainingRows > 0 {
            let count = min(reader.remainingRows, RecordBatch.rowCountMax)
            let read = try reader.read(rows: count)
            guard read.count == count else {
                throw TablesError(.corrupt, "\(count) rows are wanted, \(read.count) were read")
            }
            guard let limit else { continue }
            for row in 0..<count {
                guard case .int64(let number) = read.value(at: row) else { continue }
                guard number >= 0, number <= limit.max else {
                    throw TablesError(.corrupt, "\(number) \(limit.fault) (\(limit.max))")
                }
            }
        }
    }
}

/// What a manifest claims of a file's columns, to be held against the file's footer.
struct DataFileClaims {
    private let file: DataFile
    private let metadata: TableMetadata

    init(_ file: DataFile, _ metadata: TableMetadata) {
        self.file = file
        self.metadata = metadata
    }

    /// Counts that differ, columns that the file lacks, and bounds that leave out values of the file.
    ///
    /// Footers say nothing of NaNs, and bounds in footers that may be cut say nothing of whether the
    /// manifest's hold; columns in lists and maps are left out, since writers count them differently.
    func disagreements(with parquet: ParquetMetadata) -> [String] {
        var result: [String] = []
        var leaves: [Int: Int] = [:]
        for (index, leaf) in parquet.schema.leaves.enumerated() {
            if let id = leaf.fieldID { leaves[id] = index }
        }
        let constants = (metadata.partitionSpec(id: file.specID)?.fields ?? [])
            .filter { $0.transform == .identity }
            .map(\.sourceID)
        // Files without ids get theirs from a name mapping.
        if leaves.isEmpty { return [] }
        for id in (file.valueCounts?.fieldIDs ?? []).map({ Int($0) }) {
            let name = metadata.currentSchema.fullName(id: id) ?? "with id \(id)"
            guard let leaf = leaves[id] else {
                // Values of identity partitions are in the manifest; some writers leave the column out.
                if constants.contains(id) { continue }
                result.append("the manifest counts column \(name), which the file does not have")
                continue
            }
            if parquet.schema.leaves[leaf].maxRepetitionLevel > 0 { continue }
            for message in disagreements(id, parquet, leaf) {
                result.append("column \(name): \(message)")
            }
        }
        return result
    }

    private func disagreements(_ id: Int, _ parquet: ParquetMetadata, _ leaf: Int) -> [String] {
        var result: [String] = []
        var (valueCount, nullCount): (Int64, Int64?) = (0, 0)
        let type = metadata.columnType(id: id)
        let natural = parquet.schema.leaves[leaf].type.flatMap { try? IcebergType($0) }
        func bound(_ bytes: [UInt8]?) -> Datum? {
            guard let bytes, let type else { return nil }
            return try? Datum(bytes: bytes, type: type)
        }
        let (lower, upper) = (bound(file.lowerBounds?[id]), bound(file.upperBounds?[id]))
        for group in parquet.rowGroups.indices {
            let found = parquet.statistics(rowGroup: group, leaf: leaf)
            valueCount += Int64(found.valueCount)
            nullCount = found.nullCount.flatMap { count in nullCount.map { $0 + Int64(count) } }
            guard let natural else { continue }
            if found.isMinExact, let lower,
                let min = found.min.flatMap({ Datum($0, type: natural) }),
                let order = lower.compared(to: min), order > 0
            {
                result.append("the manifest's lower bound is above values of row group \(group)")
            }
            if found.isMaxExact, let upper,
                let max = found.max.flatMap({ Datum($0, type: natural) }),
                let order = upper.compared(to: max), order < 0
            {
                result.append("the manifest's upper bound is below values of row group \(group)")
            }
        }
        if let claimed = file.valueCounts?[id], claimed != valueCount {
            result.append("the manifest says \(claimed) values, the file has \(valueCount)")
        }
        if let claimed = file.nullValueCounts?[id], let nullCount, claimed != nullCount {
            result.append("the manifest says \(claimed) nulls, the file has \(nullCount)")
        }
        return result
    }
}
