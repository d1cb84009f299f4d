import Columnar
import ObjectStorage
import Parquet

// Who wants ten rows of a row group of a million should not have all of it fetched. Where the file says
// where its pages are, a row group is cut in two: its front, of which only the pages in front are
// fetched, and all of it again for the rows behind, should anybody come to want them.

/// Some rows of a row group, that are fetched together.
struct RowGroupPart: Sendable {
    enum Extent: Sendable {
        case whole
        /// So many rows at the beginning.
        case front(Int)
        /// All but so many rows at the beginning.
        case rest(Int)
    }

    var rowGroup: Int
    var extent: Extent = .whole
}

extension OpenFile {
    /// A row group with fewer bytes is not cut.
    private static let cutBytesMin = 1 << 20

    /// Cuts row groups for somebody who reads on after `wanted` rows only if rows were deleted.
    func parts(of rowGroups: [Int], wanted: Int?) -> [RowGroupPart] {
        guard let wanted else { return rowGroups.map { RowGroupPart(rowGroup: $0) } }
        var parts: [RowGroupPart] = []
        var rowCount = 0
        for group in rowGroups {
            if rowCount < wanted, let front = frontRowCount(of: group, wanted: wanted - rowCount) {
                parts.append(RowGroupPart(rowGroup: group, extent: .front(front)))
                parts.append(RowGroupPart(rowGroup: group, extent: .rest(front)))
            } else {
                parts.append(RowGroupPart(rowGroup: group))
            }
            rowCount += metadata.rowGroups[group].rowCount
        }
        return parts
    }

    /// After how many rows to cut a row group; nil when that is not worth it.
    private func frontRowCount(of rowGroup: Int, wanted: Int) -> Int? {
        let start = footer.rowStarts[rowGroup]
        // Rows that are known to be deleted do not count.
        var front = max(wanted, 1)
        for position in file.deletes?.positions ?? [] where position >= Int64(start) {
            guard position < Int64(start + front) else { break }
            front += 1
        }
        let columns = sources.compactMap(\.storedColumn)
        guard front <= metadata.rowGroups[rowGroup].rowCount / 8,
            byteCount(rowGroup: rowGroup) >= Self.cutBytesMin,
            columns.allSatisfy({ metadata.mayHaveFronts(rowGroup: rowGroup, column: $0) })
        else { return nil }
        return front
    }

    /// The rows of a row group that a part has.
    func rows(of part: RowGroupPart) -> Range<Int> {
        let count = metadata.rowGroups[part.rowGroup].rowCount
        switch part.extent {
        case .whole: return 0..<count
        case .front(let front): return 0..<min(front, count)
        case .rest(let front): return min(front, count)..<count
        }
    }

    /// Fetches the fronts of chunks that hold the first rows; nil when the file does not tell where they end.
    func fetchFronts(
        _ rowGroup: Int,
        _ rowCount: Int,
        _ areLate: Bool,
        _ meter: ScanMeter
    ) async throws -> [Int: [ChunkBytes]]? {
        let columns = storedColumns(areLate: areLate)
        let leaves = columns.map { metadata.schema.columns[$0].leaves }
        let places = leaves.joined().compactMap {
            metadata.rowGroups[rowGroup].columns[$0].offsetIndexRange
        }
        guard places.count == leaves.reduce(0, { $0 + $1.count }) else { return nil }
        let indexes = try await fetch([0], [places], meter)[0] ?? []
        var fronts: [ChunkFront] = []
        for (leaf, index) in zip(leaves.joined(), indexes) {
            let front = try TablesError.inFile(file.place) {
                try index.withBytes {
                    try metadata.front(
                        rowGroup: rowGroup,
                        leaf: leaf,
                        rowCount: rowCount,
                        offsetIndex: $0
                    )
                }
            }
            guard let front else { return nil }
            fronts.append(front)
        }
        var left = fronts[...]
        let parts = leaves.map { leaves in
            defer { left = left.dropFirst(leaves.count) }
            return Array(left.prefix(leaves.count))
        }
        let chunks = try await fetch(columns, parts.map { $0.map(\.byteRange) }, meter)
        var result: [Int: [ChunkBytes]] = [:]
        for (column, fronts) in zip(columns, parts) {
            result[column] = try TablesError.inFile(file.place) {
                try zip(chunks[column] ?? [], fronts).map { try $0.asFront($1) }
            }
        }
        return result
    }
}
