/// The front of a column chunk: its dictionary page and the data pages that hold its first rows.
///
/// It can be read like the chunk, as far as it goes.
package struct ChunkFront: Sendable {
    /// Where it lies in the file.
    package var byteRange: Range<Int>
    /// The CRC-32C of the header of each of its pages, and perhaps of pages behind it; nil when the file
    /// has no checksums of headers.
    var headerChecksums: [UInt32]?
}

extension ParquetMetadata {
    /// Whether the file may tell where the fronts of a column's chunks end.
    package func mayHaveFronts(rowGroup: Int, column: Int) -> Bool {
        schema.columns[column].leaves.allSatisfy {
            rowGroups[rowGroup].columns[$0].offsetIndexRange != nil
        }
    }

    /// The front of a column chunk that holds the first rows of its row group.
    ///
    /// - Parameters:
    ///   - rowCount: how many rows are wanted, at least one.
    ///   - offsetIndex: the bytes of the chunk's `offsetIndexRange`.
    /// - Returns: nil when the file does not tell: its headers have one checksum together, as in files of
    ///   earlier versions, or pages begin inside of rows.
    /// - Throws: `corrupt` when the index contradicts the footer or its checksum.
    /// - Spec: Parquet, PageIndex.md; Formats/table-format/README.md, "Checksums".
    package func front(
        rowGroup: Int,
        leaf: Int,
        rowCount: Int,
        offsetIndex: UnsafeRawBufferPointer
    ) throws(ParquetError) -> ChunkFront? {
        let chunk = rowGroups[rowGroup].columns[leaf]
        let whole = try byteRange(rowGroup: rowGroup, leaf: leaf)
        let index = try OffsetIndex(offsetIndex, rowCount: rowGroups[rowGroup].rowCount)
        if chunk.pageHeadersChecksum != nil {
            let dictionaryCount = chunk.dictionaryPageOffset == nil ? 0 : 1
            guard let checksums = index.headerChecksums else { return nil }
            guard checksums.count == index.pages.count + dictionaryCount else {
                throw .corrupt("the page index has checksums of other pages than it has places")
            }
        }
        guard let first = index.pages.first, first.offset >= whole.lowerBound else { return nil }
        var end = first.offset
        for (number, page) in index.pages.enumerated() {
            guard page.offset == end, page.byteCount > 0,
                page.byteCount <= whole.upperBound - end
            else {
                // Of others' indexes nothing is promised; the whole chunk can be read all the same.
                if chunk.pageHeadersChecksum == nil { return nil }
                throw .corrupt("page \(number) is not where the page index says")
            }
            // Where a row of a repeated column ends shows in the page behind it only.
            let isRepeated = schema.leaves[leaf].maxRepetitionLevel > 0
            if isRepeated ? page.firstRow > rowCount : page.firstRow >= rowCount { break }
            end += page.byteCount
        }
        return ChunkFront(
            byteRange: whole.lowerBound..<end,
            headerChecksums: chunk.pageHeadersChecksum == nil ? nil : index.headerChecksums
        )
    }
}
