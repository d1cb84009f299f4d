import Columnar

/// Reads one leaf of a nested column: its levels, and the values that are there side by side.
///
/// A row begins with an entry of repetition level 0; where it ends shows in the next entry only. So
/// levels are decoded a little ahead, and the reader always stands before the first entry of a row.
final class LeafLevelsReader {
    /// What has been read since it was last taken.
    struct Part {
        var definitions: [UInt8] = []
        var repetitions: [UInt8] = []
        var values = GrowableBytes()
        var valueCount = 0
        var owners: [BufferOwners] = []
    }

    let values: ChunkValues
    private(set) var part = Part()
    private let context: ParquetReadContext
    private var pages: PageSource
    private let maxDefinition: Int
    private let maxRepetition: Int
    /// Entries of the chunk that have not been decoded.
    private var undecoded: Int

    private var dictionary: ColumnDictionary?
    private var pageEntries = 0
    private var pageBuffer: Buffer?
    private var isPageBorrowed = false
    private var pageOwners: BufferOwners?
    private var definitionLevels: HybridDecoder?
    private var repetitionLevels: HybridDecoder?
    private var codes: HybridDecoder?
    private var decoder: ValueDecoder?

    private static let aheadCount = 1024
    /// Entries that one batch may take: runs let few bytes stand for very many.
    private static let partEntryCountMax = 1 << 27
    private let definitionsAhead = UnsafeMutablePointer<UInt32>.allocate(capacity: aheadCount)
    private let repetitionsAhead = UnsafeMutablePointer<UInt32>.allocate(capacity: aheadCount)
    private var aheadIndex = 0
    private var aheadEnd = 0

    init(
        leaf: ParquetLeaf,
        chunk: ColumnChunkMetadata,
        type: DataType,
        bytes: ChunkBytes,
        options: ParquetReadOptions,
        context: ParquetReadContext
    ) throws(ParquetError) {
        values = try ChunkValues(leaf: leaf, type: type, options: options, context: context)
        pages = try PageSource(
            bytes,
            chunk: chunk,
            leaf: leaf,
            options: options,
            context: context
        )
        self.context = context
        maxDefinition = leaf.maxDefinitionLevel
        maxRepetition = leaf.maxRepetitionLevel
        undecoded = chunk.valueCount
        guard maxDefinition < 256, maxRepetition < 256 else {
            throw .unsupported("column \(leaf.name) is nested too deep")
        }
    }

    deinit {
        closePage()
        definitionsAhead.deallocate()
        repetitionsAhead.deallocate()
    }

    /// Reads (or passes over) the next `count` rows.
    func advance(rows count: Int, keeps: Bool) throws(ParquetError) {
        do throws(ParquetError) {
            try consume(count, keeps)
        } catch {
            var error = error
            error.context = ["column \(values.leaf.name)", "page \(pages.pageNumber)"]
            throw error
        }
    }

    /// What has been read; the next part begins empty.
    func takePart() -> Part {
        defer { part = Part() }
        return part
    }

    private func consume(_ count: Int, _ keeps: Bool) throws(ParquetError) {
        if count == 0 { return }
        var started = 0
        while true {
            if aheadIndex == aheadEnd {
                if started == count, maxRepetition == 0 { return }
                guard try refill() else {
                    if started == count { return }
                    throw .truncated("the chunk's entries end before its rows do")
                }
            }
            let start = aheadIndex
            var index = start
            var valueCount = 0
            let full = UInt32(maxDefinition)
            while index < aheadEnd {
                if repetitionsAhead[index] == 0 {
                    if started == count { break }
                    started &+= 1
                } else if started == 0 {
                    throw .corrupt("the chunk begins inside a row")
                }
                valueCount &+= definitionsAhead[index] == full ? 1 : 0
                index &+= 1
            }
            let isDone = index < aheadEnd
            aheadIndex = index
            if keeps {
                for place in start..<index {
                    part.definitions.append(UInt8(truncatingIfNeeded: definitionsAhead[place]))
                }
                if maxRepetition > 0 {
                    for place in start..<index {
                        part.repetitions.append(UInt8(truncatingIfNeeded: repetitionsAhead[place]))
                    }
                }
                guard part.definitions.count <= Self.partEntryCountMax else {
                    throw .unsupported(
                        "\(count) rows of more than \(Self.partEntryCountMax) entries"
                    )
                }
                try readValues(valueCount)
            } else if codes != nil {
                try codes?.skip(valueCount)
            } else {
                try decoder?.skip(valueCount)
            }
            if isDone { return }
        }
    }

    private func readValues(_ count: Int) throws(ParquetError) {
        if count == 0 { return }
        if values.conversion == .allNull {
            throw .corrupt("values in a column of nulls")
        }
        part.valueCount += count
        let target = part.values.extend(count * values.width)
        if codes == nil, let decoder {
            if pageOwners == nil, let pageBuffer { pageOwners = BufferOwners([pageBuffer]) }
            let owners = try values.read(
                decoder,
                count,
                picks: nil,
                into: target,
                page: pageOwners
            )
            add(owners)
            return
        }
        guard let dictionary else { throw .corrupt("codes without a dictionary") }
        let scratch = context.codes(count: count)
        let largest = try codes?.read(count, into: scratch) ?? 0
        guard Int(largest) < dictionary.count else {
            throw .corrupt("the code \(largest) of a dictionary of \(dictionary.count) values")
        }
        switch dictionary.values.storage {
        case .fixed(let slice):
            gather(
                slice.pointer(as: UInt8.self),
                width: values.width,
                codes: scratch,
                count: count,
                into: target
            )
        case .views(let slice, let owners):
            gather(
                slice.pointer(as: UInt8.self),
                width: 16,
                codes: scratch,
                count: count,
                into: target
            )
            add(owners)
        default: preconditionFailure("a dictionary holds numbers or views")
        }
    }

    private func add(_ owners: BufferOwners) {
        if owners.buffers.isEmpty || part.owners.last === owners { return }
        part.owners.append(owners)
    }

    /// Decodes the levels of the next entries.
    ///
    /// - Returns: false at the chunk's end.
    private func refill() throws(ParquetError) -> Bool {
        if undecoded == 0 { return false }
        while pageEntries == 0 { try openPage() }
        let count = min(pageEntries, Self.aheadCount)
        try Self.read(&repetitionLevels, count, maxRepetition, repetitionsAhead)
        try Self.read(&definitionLevels, count, maxDefinition, definitionsAhead)
        pageEntries -= count
        undecoded -= count
        aheadIndex = 0
        aheadEnd = count
        return true
    }

    private static func read(
        _ levels: inout HybridDecoder?,
        _ count: Int,
        _ levelMax: Int,
        _ target: UnsafeMutablePointer<UInt32>
    ) throws(ParquetError) {
        if levels == nil {
            target.update(repeating: 0, count: count)
            return
        }
        let largest = try levels?.read(count, into: target) ?? 0
        guard Int(largest) <= levelMax else {
            throw .corrupt("the level \(largest) where \(levelMax) is the highest")
        }
    }

    private func closePage() {
        definitionLevels = nil
        repetitionLevels = nil
        codes = nil
        decoder = nil
        pageOwners = nil
        if let buffer = pageBuffer.take(), isPageBorrowed { context.giveBack(buffer) }
    }

    private func openPage() throws(ParquetError) {
        closePage()
        guard !pages.isAtEnd else {
            throw .truncated("the chunk's pages end before its entries do")
        }
        let (header, start) = try pages.nextHeader()
        switch header.kind {
        case .other: break
        case .dictionary(let count, let encoding):
            guard dictionary == nil else { throw .corrupt("a second dictionary") }
            let (bytes, owner, isBorrowed) = try pages.dictionaryPage(header, start)
            dictionary = try values.dictionary(
                bytes,
                valueCount: count,
                encoding: encoding,
                owner: owner
            )
            if isBorrowed { context.giveBack(owner) }
        case .data(let data):
            guard data.valueCount <= undecoded else {
                throw .corrupt("a page of \(data.valueCount) entries with \(undecoded) left")
            }
            let page = try pages.dataPage(header, data, start)
            pageBuffer = page.owner
            isPageBorrowed = page.isBorrowed
            pageEntries = page.valueCount
            func levels(
                _ bytes: UnsafeRawBufferPointer,
                _ levelMax: Int
            ) throws(ParquetError) -> HybridDecoder? {
                if levelMax == 0 { return nil }
                return try HybridDecoder(
                    bytes.start,
                    byteCount: bytes.count,
                    width: levelWidth(levelMax)
                )
            }
            repetitionLevels = try levels(page.repetition, maxRepetition)
            definitionLevels =
                page.isDefinitionBitPacked
                ? HybridDecoder(mirroredBits: page.definition, count: page.valueCount)
                : try levels(page.definition, maxDefinition)
            decoder = try values.decoder(page.values, page.encoding)
            if decoder == nil {
                codes = try HybridDecoder(codePage: page.values)
            }
        }
    }
}
