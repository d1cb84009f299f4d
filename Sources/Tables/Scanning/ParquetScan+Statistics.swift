import Ambient
import Columnar
import Iceberg
import Parquet

extension ParquetScan {
    /// What the footers of some plain files say of them all.
    ///
    /// - Returns: exact rows, and by position among the columns what is known of their values.
    package static func statistics(
        of files: [ScanFile],
        options: ScanOptions = ScanOptions()
    ) async throws -> (rowCount: Int, bounds: [Int: ColumnBoundsSummary]) {
        let footers = try await mapBounded(files, countMax: options.footerParallelCount) {
            try await options.footers.footer(of: $0).metadata
        }
        var bounds: [Int: ColumnBoundsSummary] = [:]
        if let first = footers.first {
            for position in first.schema.columns.indices {
                bounds[position] = summary(of: position, footers)
            }
        }
        return (footers.reduce(0) { $0 + $1.rowCount }, bounds)
    }

    /// nil when some row group does not say, or files differ in their columns.
    private static func summary(
        of position: Int,
        _ footers: [ParquetMetadata]
    ) -> ColumnBoundsSummary? {
        var union = BoundsUnion()
        var isExact = true
        let name = footers.first?.schema.columns[position].name
        for footer in footers {
            guard footer.schema.columns.indices.contains(position) else { return nil }
            let column = footer.schema.columns[position]
            guard column.isFlat, column.name == name else { return nil }
            let leaf = column.leaves.lowerBound
            guard let type = footer.schema.leaves[leaf].type.flatMap({ try? IcebergType($0) })
            else { return nil }
            if !type.hasExactBounds { isExact = false }
            for group in footer.rowGroups.indices {
                let statistics = footer.statistics(rowGroup: group, leaf: leaf)
                union.addNulls(statistics.nullCount.map { Int64($0) })
                if statistics.isAllNull { continue }
                guard let low = statistics.min.flatMap({ Datum($0, type: type) }),
                    let high = statistics.max.flatMap({ Datum($0, type: type) })
                else { return nil }
                union.add(lower: low, upper: high)
            }
        }
        return union.summary(isExact: isExact)
    }
}

extension IcebergType {
    /// Whether the statistics of a row group are values that occur in it: those of text and bytes may
    /// be cut, those of floating-point numbers leave NaN out, and those of decimals come in forms that
    /// some writers got wrong.
    fileprivate var hasExactBounds: Bool {
        switch self {
        case .int, .long, .date, .time, .timestamp, .timestamptz: true
        default: false
        }
    }
}
