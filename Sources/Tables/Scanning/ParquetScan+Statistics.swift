import Ambient
import Columnar
import Iceberg
import Parquet

extension ParquetScan {
    /// What the footers of some plain files say of them all.
    ///
    /// - Returns: exact rows, and by position among the columns what is known of their values; bounds of
    ///   text are left out, since files may cut them.
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
        var (lower, upper): (Value?, Value?)
        var (low, high): (Datum?, Datum?)
        var nullCount: Int64? = 0
        let name = footers.first?.schema.columns[position].name
        for footer in footers {
            guard footer.schema.columns.indices.contains(position) else { return nil }
            let column = footer.schema.columns[position]
            guard column.isFlat, column.name == name else { return nil }
            let leaf = column.leaves.lowerBound
            guard let type = footer.schema.leaves[leaf].type.flatMap({ try? IcebergType($0) }),
                type != .string, type != .binary
            else { return nil }
            for group in footer.rowGroups.indices {
                let statistics = footer.statistics(rowGroup: group, leaf: leaf)
                if let count = statistics.nullCount {
                    nullCount? += Int64(count)
                } else {
                    nullCount = nil
                }
                if statistics.isAllNull { continue }
                guard let min = statistics.min, let max = statistics.max,
                    let minDatum = Datum(min, type: type), let maxDatum = Datum(max, type: type)
                else { return nil }
                if low.map({ minDatum.precedesAsBound($0) }) ?? true {
                    (low, lower) = (minDatum, min)
                }
                if high.map({ $0.precedesAsBound(maxDatum) }) ?? true {
                    (high, upper) = (maxDatum, max)
                }
            }
        }
        return ColumnBoundsSummary(
            lower: lower ?? .null,
            upper: upper ?? .null,
            nullCount: nullCount,
            isExact: false
        )
    }
}
