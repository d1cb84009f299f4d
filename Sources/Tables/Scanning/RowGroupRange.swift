import Bytes
import Columnar
import Iceberg
import ObjectStorage
import Parquet

extension ValueRange {
    /// What a footer says of one flat column in a row group.
    init(_ metadata: ParquetMetadata, rowGroup: Int, leaf index: Int) {
        self.init()
        let leaf = metadata.schema.leaves[index]
        let statistics = metadata.statistics(rowGroup: rowGroup, leaf: index)
        let isFloating = leaf.type?.isFloating ?? true
        if !isFloating { mayBeNaN = false }
        if leaf.maxDefinitionLevel == 0 { mayBeNull = false }
        if let nullCount = statistics.nullCount {
            mayBeNull = nullCount > 0
            if statistics.isAllNull { (mayHaveValues, mayBeNaN) = (false, false) }
        }
        if isFloating, let nanCount = statistics.nanCount { mayBeNaN = nanCount > 0 }
        guard let type = leaf.type.flatMap({ try? IcebergType($0) }) else { return }
        let low = statistics.min.flatMap { Datum($0, type: type) }
        let high = statistics.max.flatMap { Datum($0, type: type) }
        // Bounds that contradict each other say nothing.
        if let low, let high, low.compared(to: high) ?? 0 > 0 { return }
        (lower, upper) = (low, high)
    }

    /// What is known of a column that has the same value in every row.
    init(constant value: Value, type: IcebergType) {
        if value.isNull {
            self.init(only: nil)
        } else if let datum = Datum(value, type: type) {
            self.init(only: datum)
        } else {
            self.init()
        }
    }
}

/// The bloom filters of the columns that a predicate compares for equality, in one row group.
struct RowGroupFilters: Sendable {
    private var filters: [Int: (filter: BloomFilter, leaf: ParquetLeaf)] = [:]

    /// Larger filters are not worth reading.
    private static let filterByteCountMax = 4 << 20

    /// Reads the filters that the file has for these columns; those without a stated length are not.
    ///
    /// - Parameter leaves: by field id.
    static func read(
        _ leaves: [Int: Int],
        of file: OpenFile,
        rowGroup: Int,
        meter: ScanMeter
    ) async throws -> RowGroupFilters {
        var wanted: [(id: Int, leaf: Int, range: Range<Int>, checksum: UInt32?)] = []
        for (id, leaf) in leaves.sorted(by: { $0.key < $1.key }) {
            let chunk = file.metadata.rowGroups[rowGroup].columns[leaf]
            guard let offset = chunk.bloomFilterOffset, let length = chunk.bloomFilterLength,
                offset >= 4, length > 0, length <= filterByteCountMax,
                offset <= file.metadata.footerOffset - length
            else { continue }
            wanted.append((id, leaf, offset..<offset + length, chunk.bloomFilterChecksum))
        }
        var result = RowGroupFilters()
        if wanted.isEmpty { return result }
        let answers = try await file.file.store.getRanges(file.file.key, wanted.map(\.range))
        meter.add { $0.bytesRead += answers.reduce(0) { $0 + $1.count } }
        for (column, bytes) in zip(wanted, answers) {
            // A bit that was lost would hide rows.
            if let checksum = column.checksum,
                bytes.withUnsafeBytes({ crc32c($0) }) != checksum
            {
                throw TablesError(
                    .corrupt,
                    "the bloom filter of the column with field id \(column.id) in row group "
                        + "\(rowGroup) does not match its checksum: the file is damaged",
                    context: [file.file.place]
                )
            }
            // A filter that cannot be read only fails to help.
            guard let filter = try? bytes.withUnsafeBytes({ try BloomFilter($0) }) else { continue }
            result.filters[column.id] = (filter, file.metadata.schema.leaves[column.leaf])
        }
        return result
    }

    /// Whether no row of the row group has this value.
    func excludes(_ id: Int, _ datum: Datum) -> Bool {
        guard let (filter, leaf) = filters[id] else { return false }
        return !filter.mightContain(Value(datum), leaf: leaf)
    }
}
