import Bytes
package import Columnar

/// Writes a Parquet file from record batches, handing out its bytes as they are final.
///
/// What is kept is one row group, encoded and compressed: `rowGroupByteCountMax` bounds it. Bytes
/// wait in the writer until `drain` takes them. One task at a time; after an error the file is lost.
package final class ParquetWriter {
    package let schema: Schema
    package let options: ParquetWriteOptions
    private let stored: WriteSchema
    private let leaves: [LeafWriter]
    /// Which leaves belong to each field of the schema.
    private let fieldLeaves: [Range<Int>]
    private var pending: [UInt8] = Array("PAR1".utf8)
    private var drainedByteCount = 0
    private var rowGroupRows = 0
    private var rowCount = 0
    private var rowGroups: [RowGroupMetadata] = []
    private var splitOffsets: [Int] = []
    /// Per row group and leaf: the pages, for the page index.
    private var pages: [[[LeafWriter.WrittenPage]]] = []
    private var headerChecksums: [[[UInt32]]] = []
    private var isFinished = false

    /// What `created_by` says, before the words of `FooterChecksum`.
    package static let createdBy = "varve version 0.1.0"

    /// Rows of flat columns that are encoded at a time, and of nested ones.
    private static let sliceRowCount = 4096
    private static let nestedSliceRowCount = 256
    /// Bytes of text that are taken in at a time: a slice of long texts is halved until it fits.
    private static let sliceByteCountMax = 1 << 20

    /// - Throws: `unsupported` for types that Parquet files do not have, and codecs not written.
    package init(
        schema: Schema,
        options: ParquetWriteOptions = ParquetWriteOptions()
    ) throws(ParquetError) {
        self.schema = schema
        self.options = options
        let stored = try WriteSchema(schema)
        self.stored = stored
        var leaves: [LeafWriter] = []
        for leaf in stored.leaves {
            var own = options
            if let id = leaf.fieldID, options.countingFieldIDs.contains(id) {
                own.usesDictionaries = false
                own.numberEncoding = .delta
            }
            leaves.append(try LeafWriter(leaf: leaf, options: own))
        }
        self.leaves = leaves
        var ranges: [Range<Int>] = []
        for field in schema.fields {
            let start = ranges.last?.upperBound ?? 0
            ranges.append(start..<start + Self.leafCount(field.type))
        }
        fieldLeaves = ranges
    }

    private static func leafCount(_ type: DataType) -> Int {
        switch type {
        case .list(let element): leafCount(element.type)
        case .structure(let fields): fields.reduce(0) { $0 + leafCount($1.type) }
        case .map(let key, let value): leafCount(key.type) + leafCount(value.type)
        default: 1
        }
    }

    /// Bytes that the writer keeps, drained ones left out.
    package var keptByteCount: Int {
        pending.count + leaves.reduce(0) { $0 + $1.keptByteCount }
    }

    /// Rows so far.
    package var writtenRowCount: Int { rowCount }

    /// Bytes of the file so far, and those that the open row group would add: what a writer of
    /// files of a target size looks at.
    package var estimatedFileByteCount: Int { drainedByteCount + keptByteCount }

    // MARK: Writing

    /// Adds rows.
    ///
    /// The batch's columns must have the types of the schema, in its order.
    ///
    /// - Throws: `unsupported` when they do not, or a required column has nulls.
    package func write(_ batch: RecordBatch) throws(ParquetError) {
        precondition(!isFinished)
        guard batch.columns.count == schema.count else {
            throw .unsupported("\(batch.columns.count) columns for a file of \(schema.count)")
        }
        for (column, field) in zip(batch.columns, schema.fields) {
            try check(column, field)
        }
        var start = 0
        while start < batch.rowCount {
            let room = max(1, options.rowGroupRowCountMax) - rowGroupRows
            let end = min(batch.rowCount, start + min(room, Self.sliceRowCount))
            for (index, column) in batch.columns.enumerated() {
                try write(column.slice(start..<end), field: index)
            }
            rowGroupRows += end - start
            rowCount += end - start
            start = end
            let kept = leaves.reduce(0) { $0 + $1.keptByteCount }
            if rowGroupRows >= options.rowGroupRowCountMax || kept >= options.rowGroupByteCountMax {
                try finishRowGroup()
            }
        }
    }

    private func check(_ column: Column, _ field: Field) throws(ParquetError) {
        if case .null = column.storage { return }
        let fits =
            field.type.isNested
            ? column.type.physical == field.type.physical : column.type == field.type
        guard fits else {
            throw .unsupported("column \(field.name) of \(field.type) got values of \(column.type)")
        }
    }

    private func write(_ column: Column, field index: Int) throws(ParquetError) {
        let field = schema[index]
        let range = fieldLeaves[index]
        if !field.type.isNested {
            try writeFlat(column, leaves[range.lowerBound])
            return
        }
        var start = 0
        while start < column.count {
            let end = min(column.count, start + Self.nestedSliceRowCount)
            // Null columns may come without the nested type.
            var part = column.slice(start..<end)
            if case .null = part.storage { part = .nulls(field.type, count: part.count) }
            let parts = try Shredder(part, field).leaves
            for (leaf, part) in zip(leaves[range], parts) {
                try part.definitions.withUnsafeBufferPointer {
                    (definitions) throws(ParquetError) in
                    try part.repetitions.withUnsafeBufferPointer {
                        (repetitions) throws(ParquetError) in
                        try leaf.append(
                            part.column,
                            indexes: part.indexes,
                            definitions: definitions,
                            repetitions: repetitions,
                            entryCount: definitions.count,
                            rowCount: end - start
                        )
                    }
                }
            }
            start = end
        }
    }

    private func writeFlat(_ column: Column, _ leaf: LeafWriter) throws(ParquetError) {
        let count = column.count
        if count > 1, byteCount(column) > Self.sliceByteCountMax {
            try writeFlat(column.slice(0..<count / 2), leaf)
            try writeFlat(column.slice(count / 2..<count), leaf)
            return
        }
        if column.nullCount == 0 {
            try leaf.append(
                column,
                indexes: nil,
                definitions: nil,
                repetitions: nil,
                entryCount: count,
                rowCount: count
            )
            return
        }
        var definitions = [UInt8](repeating: 0, count: count)
        var indexes: [Int32] = []
        if let words = column.validity?.words {
            indexes.reserveCapacity(count)
            for row in 0..<count where words[row &>> 6] &>> UInt64(row & 63) & 1 != 0 {
                definitions[row] = 1
                indexes.append(Int32(row))
            }
        }
        try withExtendedLifetime(column) { () throws(ParquetError) in
            try definitions.withUnsafeBufferPointer { (definitions) throws(ParquetError) in
                try leaf.append(
                    column,
                    indexes: indexes,
                    definitions: definitions,
                    repetitions: nil,
                    entryCount: count,
                    rowCount: count
                )
            }
        }
    }

    /// Bytes of a column's texts; 0 for other types, and where they lie in a dictionary.
    private func byteCount(_ column: Column) -> Int {
        guard case .views(let slice, _) = column.storage else { return 0 }
        let views = slice.pointer(as: StringView.self)
        var total = 0
        for row in 0..<column.count {
            total += Int(UnsafeRawPointer(views + row).load(as: UInt32.self))
        }
        return withExtendedLifetime(column) { total }
    }

    private var offset: Int { drainedByteCount + pending.count }

    private func finishRowGroup() throws(ParquetError) {
        if rowGroupRows == 0 { return }
        var group = RowGroupMetadata(
            columns: [],
            totalByteSize: 0,
            rowCount: rowGroupRows,
            sortingColumns: options.sortingColumns
        )
        var groupPages: [[LeafWriter.WrittenPage]] = []
        var groupChecksums: [[UInt32]] = []
        var filters: [[UInt8]] = []
        splitOffsets.append(offset)
        for leaf in leaves {
            let chunk = try leaf.finishChunk()
            var metadata = chunk.metadata
            if !chunk.dictionaryPage.isEmpty {
                metadata.dictionaryPageOffset = offset
                pending.append(contentsOf: chunk.dictionaryPage)
            }
            metadata.dataPageOffset = offset
            pending.append(contentsOf: chunk.body)
            group.totalByteSize += metadata.uncompressedSize
            group.columns.append(metadata)
            groupPages.append(chunk.pages)
            groupChecksums.append(chunk.headerChecksums)
            filters.append(chunk.bloomFilter)
        }
        for (index, filter) in filters.enumerated() where !filter.isEmpty {
            group.columns[index].bloomFilterOffset = offset
            group.columns[index].bloomFilterLength = filter.count
            group.columns[index].bloomFilterChecksum = filter.withUnsafeBytes { crc32c($0) }
            pending.append(contentsOf: filter)
        }
        rowGroups.append(group)
        pages.append(groupPages)
        headerChecksums.append(groupChecksums)
        rowGroupRows = 0
    }

    /// Takes the bytes that are final since the last call.
    package func drain() -> [UInt8] {
        let result = pending
        pending = []
        drainedByteCount += result.count
        return result
    }

    /// Ends the file.
    ///
    /// - Returns: the last bytes (all that were not drained), and what the file holds.
    package func finish() throws(ParquetError) -> (bytes: [UInt8], summary: ParquetWriteSummary) {
        precondition(!isFinished)
        try finishRowGroup()
        isFinished = true
        let pageIndexStart = pending.count
        if options.writesPageIndex { appendPageIndex() }
        let pageIndexChecksum = pending.withUnsafeBytes {
            crc32c(UnsafeRawBufferPointer(rebasing: $0[pageIndexStart...]))
        }
        let footer = WrittenFooter(
            elements: stored.elements,
            leaves: stored.leaves,
            rowGroups: rowGroups,
            offsets: splitOffsets,
            keyValues: options.keyValues
                + (options.writesChecksums ? checksums(pageIndex: pageIndexChecksum) : []),
            createdBy: Self.createdBy
                + (options.writesChecksums ? FooterChecksum.createdBySuffix : "")
        ).message()
        guard let length = UInt32(exactly: footer.count) else {
            throw .unsupported("a footer of \(footer.count) bytes")
        }
        var tail = footer
        withUnsafeBytes(of: length.littleEndian) { tail.append(contentsOf: $0) }
        tail.append(contentsOf: Array("PAR1".utf8))
        if options.writesChecksums,
            let offset = footer.withUnsafeBytes({ FooterChecksum.digitsOffset($0) })
        {
            ChecksumDigits.fill(&tail, at: offset)
        }
        pending.append(contentsOf: tail)
        let bytes = drain()
        var summary = ParquetWriteSummary(
            rowCount: rowCount,
            fileByteCount: drainedByteCount,
            splitOffsets: splitOffsets,
            columns: [],
            footerByteCount: footer.count + 8
        )
        for writer in leaves {
            let (leaf, total) = (writer.leaf, writer.total)
            summary.columns.append(
                ParquetWriteSummary.ColumnSummary(
                    name: leaf.name,
                    fieldID: leaf.fieldID,
                    type: leaf.type,
                    byteCount: writer.totalByteCount,
                    valueCount: total.valueCount,
                    nullCount: total.nullCount,
                    nanCount: leaf.type.isFloating ? total.nanCount : nil,
                    lowerBound: total.min?.value(leaf.type),
                    upperBound: total.max?.value(leaf.type),
                    isRepeated: leaf.maxRepetitionLevel > 0
                )
            )
        }
        return (bytes, summary)
    }

    /// The remarks with checksums; that of the footer comes last, to be filled in.
    private func checksums(pageIndex: UInt32) -> [KeyValue] {
        var headers: [UInt8] = []
        for chunk in rowGroups.lazy.flatMap(\.columns) {
            headers += ChecksumDigits.text(chunk.pageHeadersChecksum ?? 0)
        }
        func text(_ digits: [UInt8]) -> String { String(decoding: digits, as: UTF8.self) }
        let filters = rowGroups.lazy.flatMap(\.columns).compactMap(\.bloomFilterChecksum)
            .flatMap { ChecksumDigits.text($0) }
        let first =
            filters.isEmpty
            ? [] : [KeyValue(key: FooterChecksum.bloomFiltersKey, value: text(Array(filters)))]
        return first + [
            KeyValue(key: FooterChecksum.pageHeadersKey, value: text(headers)),
            KeyValue(
                key: FooterChecksum.pageIndexKey,
                value: text(ChecksumDigits.text(pageIndex))
            ),
            KeyValue(key: FooterChecksum.key, value: ChecksumDigits.placeholder),
        ]
    }

    private func appendPageIndex() {
        for group in rowGroups.indices {
            for (index, leaf) in leaves.enumerated() {
                guard let columnIndex = leaf.columnIndex(pages[group][index]) else { continue }
                let message = columnIndex.message()
                rowGroups[group].columns[index].columnIndexRange = offset..<offset + message.count
                pending.append(contentsOf: message)
            }
        }
        for group in rowGroups.indices {
            for index in leaves.indices {
                let start = rowGroups[group].columns[index].dataPageOffset
                let locations = pages[group][index].map {
                    OffsetIndex.PageLocation(
                        offset: start + $0.offset,
                        byteCount: $0.byteCount,
                        firstRow: $0.firstRow
                    )
                }
                let offsetIndex = OffsetIndex(
                    pages: locations,
                    headerChecksums: options.writesChecksums ? headerChecksums[group][index] : nil
                )
                let message = offsetIndex.message()
                rowGroups[group].columns[index].offsetIndexRange = offset..<offset + message.count
                pending.append(contentsOf: message)
            }
        }
    }
}
