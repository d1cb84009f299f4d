import Columnar
import Iceberg
import ObjectStorage
import Parquet

/// Writes one data file: rows in, an object in the store and its description out.
///
/// Calls must not overlap. A file that is neither finished nor aborted leaves a hidden upload behind.
final class DataFileWriter {
    let location: String
    let key: String
    let specID: Int
    let partition: [Datum?]
    /// In the order of the last writes to all files of a table writer.
    var lastUse = 0
    private(set) var rowCount = 0

    private let writer: ParquetWriter
    private let upload: any ObjectUpload
    /// Bytes handed to the upload at a time.
    private static let pieceByteCount = 4 << 20

    init(
        location: String,
        key: String,
        store: any ObjectStore,
        schema: Columnar.Schema,
        specID: Int,
        partition: [Datum?],
        options: ParquetWriteOptions
    ) async throws {
        self.location = location
        self.key = key
        self.specID = specID
        self.partition = partition
        writer = try TablesError.inFile(location) {
            try ParquetWriter(schema: schema, options: options)
        }
        upload = try await store.beginUpload(key)
    }

    /// Bytes kept in memory.
    var keptByteCount: Int { writer.keptByteCount }

    /// What the file would have if it ended now, near enough.
    var estimatedByteCount: Int { writer.estimatedFileByteCount }

    func write(_ batch: RecordBatch) async throws {
        try TablesError.inFile(location) { try writer.write(batch) }
        rowCount += batch.rowCount
        let bytes = writer.drain()
        if !bytes.isEmpty { try await send(bytes) }
    }

    private func send(_ bytes: [UInt8]) async throws {
        var start = 0
        while start < bytes.count {
            try Task.checkCancellation()
            let end = min(bytes.count, start + Self.pieceByteCount)
            if start == 0 && end == bytes.count {
                try await upload.write(bytes)
            } else {
                try await upload.write(Array(bytes[start..<end]))
            }
            start = end
        }
    }

    /// Ends the file; it is visible afterwards.
    func finish(
        modes: [Int: MetricsMode],
        types: [Int: IcebergType],
        sortOrderID: Int?
    ) async throws -> DataFile {
        let (bytes, summary) = try TablesError.inFile(location) { try writer.finish() }
        try await send(bytes)
        _ = try await upload.finish()
        var file = DataFile(
            filePath: location,
            specID: specID,
            partition: partition,
            recordCount: Int64(summary.rowCount),
            fileSizeBytes: Int64(summary.fileByteCount)
        )
        file.splitOffsets = summary.splitOffsets.map { Int64($0) }
        file.sortOrderID = sortOrderID
        file.setMetrics(summary, modes: modes, types: types)
        return file
    }

    func abort() async { await upload.abort() }
}

extension DataFile {
    /// Notes what was written of each column, as the table's metrics modes ask for.
    fileprivate mutating func setMetrics(
        _ summary: ParquetWriteSummary,
        modes: [Int: MetricsMode],
        types: [Int: IcebergType]
    ) {
        var (sizes, values, nulls, nans) = (
            ColumnCounts(), ColumnCounts(), ColumnCounts(), ColumnCounts()
        )
        var (lower, upper) = (ColumnBounds(), ColumnBounds())
        for column in summary.columns {
            guard let id = column.fieldID else { continue }
            sizes[id] = Int64(column.byteCount)
            guard let type = types[id], let mode = modes[id], mode != .none else { continue }
            values[id] = Int64(column.valueCount)
            nulls[id] = Int64(column.nullCount)
            if let nanCount = column.nanCount { nans[id] = Int64(nanCount) }
            if column.isRepeated { continue }
            if let value = column.lowerBound, let datum = Datum(value, type: type) {
                lower[id] = ColumnBound.lower(datum, mode: mode)
            }
            if let value = column.upperBound, let datum = Datum(value, type: type) {
                upper[id] = ColumnBound.upper(datum, mode: mode)
            }
        }
        columnSizes = sizes
        (valueCounts, nullValueCounts, nanValueCounts) = (values, nulls, nans)
        (lowerBounds, upperBounds) = (lower, upper)
    }
}
