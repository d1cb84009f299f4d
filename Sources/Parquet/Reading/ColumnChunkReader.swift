package import Columnar

/// Reads the rows of one flat column chunk, from the first to the last.
///
/// Pages are decompressed when a row of theirs is wanted, and not before: skipped ones cost their
/// header. One thread at a time; an error ends its use.
///
/// A page is in one of two states: opened (its header is read; `pendingSkip` rows of it are to be
/// passed over), or loaded (`levels` and values are at the next row).
package final class ColumnChunkReader {
    /// The type of the columns that are read.
    package let type: DataType
    package let rowCount: Int
    /// Rows that have not been read or skipped.
    package private(set) var remainingRows: Int

    private let values: ChunkValues
    private let options: ParquetReadOptions
    private let context: ParquetReadContext
    private var pages: PageSource
    private let keepsCodes: Bool

    private var dictionaryPage: (header: PageHeader, start: Int)?
    private var dictionaryValues: ColumnDictionary?

    private var opened: (header: PageHeader, page: PageHeader.DataPage, start: Int)?
    /// Rows of the current page that have not been read or skipped.
    private var pageRows = 0
    /// Rows of an opened page to pass over when it is loaded.
    private var pendingSkip = 0
    private var isLoaded = false
    private var levels: HybridDecoder?
    private var codes: HybridDecoder?
    private var decoder: ValueDecoder?
    private var pageBuffer: Buffer?
    private var isPageBorrowed = false
    private var pageOwners: BufferOwners?

    /// - Parameters:
    ///   - leaf: which of `metadata.schema.leaves`, that of a flat column.
    ///   - type: what to read it as: its own type or one that it widens to; nil for its own.
    ///   - bytes: the bytes of `metadata.byteRange(rowGroup:leaf:)`.
    /// - Throws: `unsupported` when the column cannot be read as `type`.
    package init(
        metadata: ParquetMetadata,
        rowGroup: Int,
        leaf leafIndex: Int,
        as type: DataType? = nil,
        bytes: ChunkBytes,
        options: ParquetReadOptions = ParquetReadOptions(),
        context: ParquetReadContext
    ) throws(ParquetError) {
        let leaf = metadata.schema.leaves[leafIndex]
        let chunk = metadata.rowGroups[rowGroup].columns[leafIndex]
        guard leaf.maxRepetitionLevel == 0, leaf.maxDefinitionLevel <= 1 else {
            throw .unsupported("column \(leaf.name) is nested")
        }
        guard let type = type ?? leaf.type else {
            throw .unsupported(
                "column \(leaf.name) cannot be read: \(leaf.unsupportedReason ?? "unknown")"
            )
        }
        self.type = type
        self.options = options
        self.context = context
        rowCount = metadata.rowGroups[rowGroup].rowCount
        remainingRows = rowCount
        values = try ChunkValues(leaf: leaf, type: type, options: options, context: context)
        pages = try ParquetError.during("column \(leaf.name)") { () throws(ParquetError) in
            try PageSource(bytes, chunk: chunk, leaf: leaf, options: options, context: context)
        }
        switch options.keepDictionary {
        case .always: keepsCodes = type.physical != .bit
        case .never: keepsCodes = false
        case .text: keepsCodes = type.physical == .view
        }
    }

    deinit {
        closePage()
    }

    // MARK: Reading

    /// The next `count` rows, or as many as are left.
    package func read(rows count: Int) throws(ParquetError) -> Column {
        precondition(count >= 0)
        return try located { () throws(ParquetError) in
            try readRows(min(count, remainingRows), selection: nil)
        }
    }

    /// Those of the next `count` rows (or as many as are left) that `selection` names; the others
    /// are passed over.
    package func read(
        rows count: Int,
        selection: Selection
    ) throws(ParquetError) -> Column {
        precondition(count >= 0)
        let count = min(count, remainingRows)
        context.check(selection, rowCount: count)
        return try withExtendedLifetime(selection) { () throws(ParquetError) in
            try located { () throws(ParquetError) in
                try readRows(count, selection: selection)
            }
        }
    }

    /// Passes over the next `count` rows, or as many as are left.
    package func skip(rows count: Int) throws(ParquetError) {
        precondition(count >= 0)
        try located { () throws(ParquetError) in
            var left = min(count, remainingRows)
            remainingRows -= left
            if values.conversion == .allNull { return }
            while left > 0 {
                try openPage()
                let part = min(left, pageRows)
                try skipInPage(part)
                left -= part
            }
        }
    }

    /// The chunk's dictionary, when its first page is one: what codes count into.
    ///
    /// Only `ColumnChunkMetadata.isFullyDictionaryCoded` says that no other values occur.
    package func dictionary() throws(ParquetError) -> ColumnDictionary? {
        try located { () throws(ParquetError) in
            if values.conversion == .allNull { return nil }
            if pages.pageNumber < 0, remainingRows > 0 { try openPage() }
            guard dictionaryPage != nil || dictionaryValues != nil else { return nil }
            return try loadDictionary()
        }
    }

    private func located<T>(_ body: () throws(ParquetError) -> T) throws(ParquetError) -> T {
        do throws(ParquetError) {
            return try body()
        } catch {
            var error = error
            error.context = ["column \(values.leaf.name)", "page \(pages.pageNumber)"]
            throw error
        }
    }

    private func readRows(
        _ count: Int,
        selection: Selection?
    ) throws(ParquetError) -> Column {
        let resultCount = selection?.count ?? count
        if count == 0 { return .zeros(type, count: 0, isNull: false) }
        remainingRows -= count
        if values.conversion == .allNull { return .nulls(type, count: resultCount) }
        var output = ColumnAssembly(values: values, count: resultCount)
        var (row, selected) = (0, 0)
        while row < count {
            try openPage()
            let part = min(count - row, pageRows)
            if let selection {
                // The selected rows of this page, counted from its next row.
                let rows = selection.rows
                let next = selection.firstIndex(notBefore: row + part, from: selected)
                if next == selected {
                    try skipInPage(part)
                } else {
                    try loadPage()
                    try readPart(
                        part,
                        into: &output,
                        at: selected,
                        rows: rows + selected,
                        rowCount: next - selected,
                        base: row
                    )
                    pageRows -= part
                }
                selected = next
            } else {
                try loadPage()
                try readPart(part, into: &output, at: row, rows: nil, rowCount: part, base: row)
                pageRows -= part
            }
            row += part
        }
        return output.finish()
    }

    /// Reads the next `part` rows of the loaded page, or those that `rows` name (counted from `base`
    /// rows before the page's next one).
    private func readPart(
        _ part: Int,
        into output: inout ColumnAssembly,
        at place: Int,
        rows: UnsafePointer<Int32>?,
        rowCount: Int,
        base: Int
    ) throws(ParquetError) {
        var valueCount = part
        var picks: (indexes: UnsafePointer<Int32>, count: Int)?
        var pickedCount = rowCount
        if levels != nil {
            if let rows {
                let bits = context.zeroedBits(count: part)
                valueCount = try levels.readBits(part, into: bits)
                let indexes = context.picks(count: rowCount)
                pickedCount = output.choose(
                    rows,
                    rowCount,
                    base: base,
                    bits: bits,
                    at: place,
                    into: indexes
                )
                picks = (UnsafePointer(indexes), pickedCount)
            } else {
                valueCount = try output.readLevels(&levels, part, at: place)
                pickedCount = valueCount
            }
        } else if let rows {
            let indexes = context.picks(count: rowCount)
            for index in 0..<rowCount { indexes[index] = rows[index] &- Int32(base) }
            picks = (UnsafePointer(indexes), rowCount)
            output.setValid(at: place, count: rowCount)
        } else {
            output.setValid(at: place, count: part)
        }
        if codes != nil {
            try readCodes(
                valueCount,
                picks,
                pickedCount,
                into: &output,
                at: place,
                rowCount: rowCount
            )
        } else if let decoder {
            let target = output.values(at: place)
            let owners = try values.read(
                decoder,
                valueCount,
                picks: picks,
                into: target,
                page: viewOwners()
            )
            output.add(owners)
            output.spreadValues(at: place, rowCount: rowCount, valueCount: pickedCount)
        }
    }

    private func readCodes(
        _ valueCount: Int,
        _ picks: (indexes: UnsafePointer<Int32>, count: Int)?,
        _ pickedCount: Int,
        into output: inout ColumnAssembly,
        at place: Int,
        rowCount: Int
    ) throws(ParquetError) {
        let dictionary = try loadDictionary()
        let isFlat = !keepsCodes || output.isFlat
        var target = isFlat ? context.codes(count: valueCount) : output.codes(at: place, dictionary)
        if picks != nil { target = context.codes(count: valueCount) }
        let largest = try codes.read(valueCount, into: target)
        guard valueCount == 0 || Int(largest) < dictionary.count else {
            throw .corrupt("the code \(largest) of a dictionary of \(dictionary.count) values")
        }
        if let picks {
            let place = isFlat ? target : output.codes(at: place, dictionary)
            // In place at worst: what is written lies before what is read.
            for index in 0..<picks.count { place[index] = target[Int(picks.indexes[index])] }
            target = place
        }
        if isFlat {
            output.gather(dictionary, target, pickedCount, at: place)
            output.spreadValues(at: place, rowCount: rowCount, valueCount: pickedCount)
        } else {
            output.spreadCodes(at: place, rowCount: rowCount, valueCount: pickedCount)
        }
    }

    private func viewOwners() -> BufferOwners? {
        if let pageOwners { return pageOwners }
        guard type.physical == .view, let pageBuffer else { return nil }
        let owners = BufferOwners([pageBuffer])
        pageOwners = owners
        return owners
    }

    // MARK: Pages

    /// Sees to it that the current page has rows left.
    private func openPage() throws(ParquetError) {
        while pageRows == 0 {
            closePage()
            guard !pages.isAtEnd else {
                throw .truncated("the chunk's pages end before its rows do")
            }
            let (header, start) = try pages.nextHeader()
            switch header.kind {
            case .other: continue
            case .dictionary:
                guard dictionaryPage == nil, dictionaryValues == nil else {
                    throw .corrupt("a second dictionary")
                }
                dictionaryPage = (header, start)
            case .data(let page):
                // For flat columns a value is a row.
                pageRows = page.valueCount
                opened = (header, page, start)
                pendingSkip = 0
            }
        }
    }

    private func closePage() {
        isLoaded = false
        opened = nil
        levels = nil
        codes = nil
        decoder = nil
        pageOwners = nil
        if let buffer = pageBuffer.take(), isPageBorrowed { context.giveBack(buffer) }
    }

    private func loadPage() throws(ParquetError) {
        guard !isLoaded, let opened else { return }
        let page = try pages.dataPage(opened.header, opened.page, opened.start)
        pageBuffer = page.owner
        isPageBorrowed = page.isBorrowed
        isLoaded = true
        if values.leaf.maxDefinitionLevel > 0 {
            levels =
                page.isDefinitionBitPacked
                ? HybridDecoder(mirroredBits: page.definition, count: page.valueCount)
                : try HybridDecoder(
                    page.definition.start,
                    byteCount: page.definition.count,
                    width: 1
                )
        }
        decoder = try values.decoder(page.values, page.encoding)
        if decoder == nil { codes = try HybridDecoder(codePage: page.values) }
        let rest = pendingSkip
        pendingSkip = 0
        if rest > 0 { try skipLoaded(rest) }
    }

    private func skipInPage(_ count: Int) throws(ParquetError) {
        if isLoaded {
            if count < pageRows { try skipLoaded(count) }
        } else {
            pendingSkip += count
        }
        pageRows -= count
    }

    private func skipLoaded(_ count: Int) throws(ParquetError) {
        let valueCount = levels == nil ? count : try levels.skipBits(count)
        if codes != nil {
            try codes.skip(valueCount)
        } else {
            try decoder?.skip(valueCount)
        }
    }

    private func loadDictionary() throws(ParquetError) -> ColumnDictionary {
        if let dictionaryValues { return dictionaryValues }
        guard let page = dictionaryPage,
            case .dictionary(let count, let encoding) = page.header.kind
        else {
            throw .corrupt("codes without a dictionary")
        }
        let (bytes, owner, isBorrowed) = try pages.dictionaryPage(page.header, page.start)
        let result = try values.dictionary(
            bytes,
            valueCount: count,
            encoding: encoding,
            owner: owner
        )
        if isBorrowed { context.giveBack(owner) }
        dictionaryValues = result
        dictionaryPage = nil
        return result
    }
}

extension HybridDecoder? {
    fileprivate mutating func readBits(
        _ count: Int,
        into words: UnsafeMutablePointer<UInt64>
    ) throws(ParquetError) -> Int {
        try self?.readBits(count, into: words, offset: 0) ?? count
    }

    fileprivate mutating func skipBits(_ count: Int) throws(ParquetError) -> Int {
        try self?.skipBits(count) ?? count
    }

    fileprivate mutating func read(
        _ count: Int,
        into target: UnsafeMutablePointer<UInt32>
    ) throws(ParquetError) -> UInt32 {
        try self?.read(count, into: target) ?? 0
    }

    fileprivate mutating func skip(_ count: Int) throws(ParquetError) {
        try self?.skip(count)
    }
}
