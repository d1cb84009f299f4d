import Bytes
import Columnar

/// Writes the pages of one leaf column, row group after row group.
///
/// Values wait in `values` (as columns hold them; byte strings as PLAIN has them) or, while the
/// chunk's dictionary grows, as `codes`; `flushPage` encodes and compresses them into `body`.
/// A chunk begins with a dictionary where the type can have one. The dictionary ends when its first
/// page shows that it does not pay, or when it would grow too large; pages before that stay coded.
final class LeafWriter {
    let leaf: WriteLeaf
    let options: ParquetWriteOptions
    let codec: Codec?

    enum Dictionary {
        case numbers(NumberDictionary<UInt64>)
        case wide(NumberDictionary<UInt128>)
        case bytes(BytesDictionary)
    }

    // The page that waits.
    let definitions = GrowableBytes()
    let repetitions = GrowableBytes()
    let values = GrowableBytes()
    let codes = GrowableBytes()
    let scratch = GrowableBytes()
    private(set) var pageEntries = 0
    private(set) var pageRows = 0
    private(set) var pageValues = 0

    // The chunk.
    private(set) var dictionary: Dictionary?
    /// Whether values still go into the dictionary.
    private var isCoding = false
    private var hasCodedPages = false
    /// Codes of the dictionary that batches came with, by its codes; `.max` is not yet known.
    private var mapped: (dictionary: ColumnDictionary, codes: [UInt32])?
    var body: [UInt8] = []
    /// The headers of the data pages in `body`, one after the other, and of each the checksum.
    var pageHeaders: [UInt8] = []
    var headerChecksums: [UInt32] = []
    var bodyUncompressed = 0
    private var pages: [WrittenPage] = []
    private var chunkRows = 0
    private var chunk = BoundsAndCounts()
    // The file.
    private(set) var total = BoundsAndCounts()
    private(set) var totalByteCount = 0
    /// What gathers the values for a bloom filter; nil where none is wanted.
    var bloomFilter: BloomFilterBuilder?

    struct WrittenPage {
        /// From the first data page of the chunk.
        var offset: Int
        var byteCount: Int
        var firstRow: Int
        var encoding: ParquetEncoding
        var statistics: BoundsAndCounts
    }

    /// A finished chunk: its bytes but for the dictionary page, and what is to be said of it.
    struct FinishedChunk {
        var dictionaryPage: [UInt8]
        var body: [UInt8]
        var metadata: ColumnChunkMetadata
        var pages: [WrittenPage]
        /// Of the header of each page, the dictionary page's first where there is one.
        var headerChecksums: [UInt32]
        /// With its header; empty for none.
        var bloomFilter: [UInt8]
    }

    init(leaf: WriteLeaf, options: ParquetWriteOptions) throws(ParquetError) {
        self.leaf = leaf
        self.options = options
        switch options.compression {
        case .uncompressed: codec = nil
        case .snappy: codec = .snappy
        case .gzip: codec = .gzip
        case .zstd: codec = .zstd
        case .lz4Raw: codec = .lz4Raw
        default: throw .unsupported("writing with the codec \(options.compression)")
        }
        if let id = leaf.fieldID, options.bloomFilterFieldIDs.contains(id) {
            bloomFilter = BloomFilterBuilder(
                leaf: leaf,
                byteCountMax: options.bloomFilterByteCountMax
            )
        }
        beginChunk()
    }

    /// Bytes that are kept for the row group.
    var keptByteCount: Int {
        var dictionaryByteCount = 0
        switch dictionary {
        case .numbers(let numbers): dictionaryByteCount = numbers.count * 8
        case .wide(let numbers): dictionaryByteCount = numbers.count * 16
        case .bytes(let bytes): dictionaryByteCount = bytes.content.count
        case nil: break
        }
        return body.count + dictionaryByteCount + values.count + codes.count + definitions.count
            + (bloomFilter?.keptByteCount ?? 0)
    }

    private func beginChunk() {
        body = []
        pageHeaders = []
        headerChecksums = []
        bodyUncompressed = 0
        pages = []
        chunkRows = 0
        chunk = BoundsAndCounts()
        mapped = nil
        hasCodedPages = false
        dictionary = nil
        if options.usesDictionaries {
            switch leaf.type.physical {
            case .none, .bit, .list, .structure, .map: break
            case .int32, .int64, .float32, .float64: dictionary = .numbers(NumberDictionary())
            case .int128: dictionary = .wide(NumberDictionary())
            case .view:
                dictionary = .bytes(BytesDictionary(hasLengths: leaf.physical == .byteArray))
            }
        }
        isCoding = dictionary != nil
    }

    /// Bytes of a value in `values`; 0 for byte strings.
    var width: Int {
        switch leaf.type.physical {
        case .bit, .none: 1
        case .view: 0
        default: leaf.type.physical.byteWidth
        }
    }

    // MARK: Taking values

    /// Adds rows, of which `column` has the values at `indexes` (all of its rows when nil).
    ///
    /// - Parameters:
    ///   - definitions: a level an entry; nil when every entry has a value.
    ///   - repetitions: a level an entry; nil when every entry is a row.
    func append(
        _ column: Column,
        indexes: [Int32]?,
        definitions newDefinitions: UnsafeBufferPointer<UInt8>?,
        repetitions newRepetitions: UnsafeBufferPointer<UInt8>?,
        entryCount: Int,
        rowCount: Int
    ) throws(ParquetError) {
        let valueCount = indexes?.count ?? column.count
        // Values first: they may end a page, to which the new levels do not belong.
        if valueCount > 0 {
            if isCoding, try !appendCodes(column, indexes, valueCount) {
                try flushPage()
                isCoding = false
            }
            if !isCoding { try appendPlain(column, indexes, valueCount) }
        }
        pageValues += valueCount
        if leaf.maxDefinitionLevel > 0 {
            let target = definitions.extend(entryCount).assumingMemoryBound(to: UInt8.self)
            if let source = newDefinitions?.baseAddress {
                target.update(from: source, count: entryCount)
            } else {
                target.update(repeating: UInt8(leaf.maxDefinitionLevel), count: entryCount)
            }
        } else if valueCount < entryCount {
            throw .unsupported("column \(leaf.name) is required, but has nulls")
        }
        if leaf.maxRepetitionLevel > 0 {
            let target = repetitions.extend(entryCount).assumingMemoryBound(to: UInt8.self)
            if let source = newRepetitions?.baseAddress {
                target.update(from: source, count: entryCount)
            } else {
                target.update(repeating: 0, count: entryCount)
            }
        }
        pageEntries += entryCount
        pageRows += rowCount
        let waiting = values.count + codes.count
        if pageRows >= options.pageRowCountMax || waiting >= options.pageByteCountMax {
            try flushPage()
        }
    }

    /// Adds the codes of values.
    ///
    /// - Returns: false, with no codes added, when the dictionary would grow too large.
    private func appendCodes(
        _ column: Column,
        _ indexes: [Int32]?,
        _ count: Int
    ) throws(ParquetError) -> Bool {
        guard let dictionary else { return false }
        let before = codes.count
        let target = codes.extend(count * 4).assumingMemoryBound(to: UInt32.self)
        let fits: Bool
        switch column.storage {
        case .dictionary(let source, let entries):
            fits = try appendMapped(source, entries, indexes, count, target)
        case .constant(let box):
            fits = try appendCodes(of: box.column, nil, 1, target, dictionary)
            if fits { target.update(repeating: target[0], count: count) }
        default:
            fits = try appendCodes(of: column, indexes, count, target, dictionary)
        }
        if !fits { codes.truncate(to: before) }
        return fits
    }

    /// Codes of a dictionary column: each of its dictionary's values is looked up once a chunk.
    private func appendMapped(
        _ source: BufferSlice,
        _ entries: ColumnDictionary,
        _ indexes: [Int32]?,
        _ count: Int,
        _ target: UnsafeMutablePointer<UInt32>
    ) throws(ParquetError) -> Bool {
        guard let dictionary else { return false }
        var map: [UInt32]
        if let mapped, mapped.dictionary === entries {
            map = mapped.codes
        } else {
            map = Array(repeating: .max, count: entries.count)
        }
        mapped = nil
        let sourceCodes = source.pointer(as: UInt32.self)
        var fits = true
        for place in 0..<count {
            let row = indexes.map { Int($0[place]) } ?? place
            let code = Int(sourceCodes[row])
            if map[code] == .max {
                let one = entries.values.slice(code..<code + 1)
                fits = try appendCodes(of: one, nil, 1, target + place, dictionary)
                if !fits { break }
                map[code] = target[place]
            } else {
                target[place] = map[code]
            }
        }
        mapped = (entries, map)
        return fits
    }

    /// Codes of a flat column's values.
    private func appendCodes(
        of column: Column,
        _ indexes: [Int32]?,
        _ count: Int,
        _ target: UnsafeMutablePointer<UInt32>,
        _ dictionary: Dictionary
    ) throws(ParquetError) -> Bool {
        switch dictionary {
        case .numbers(let numbers):
            scratch.truncate(to: 0)
            let keys = scratch.extend(count * 8).assumingMemoryBound(to: UInt64.self)
            guard case .fixed(let slice) = column.storage else { throw unexpected(column) }
            if width == 4 {
                let source = slice.pointer(as: UInt32.self)
                if let indexes {
                    for place in 0..<count { keys[place] = UInt64(source[Int(indexes[place])]) }
                } else {
                    for place in 0..<count { keys[place] = UInt64(source[place]) }
                }
            } else {
                let source = slice.pointer(as: UInt64.self)
                if let indexes {
                    for place in 0..<count { keys[place] = source[Int(indexes[place])] }
                } else {
                    keys.update(from: source, count: count)
                }
            }
            return withExtendedLifetime(column) {
                numbers.codes(
                    keys,
                    count: count,
                    countMax: options.dictionaryByteCountMax / width,
                    into: target
                )
            }
        case .wide(let numbers):
            scratch.truncate(to: 0)
            let keys = scratch.extend(count * 16).assumingMemoryBound(to: UInt128.self)
            guard case .fixed(let slice) = column.storage else { throw unexpected(column) }
            let source = slice.pointer(as: UInt128.self)
            for place in 0..<count {
                keys[place] = source[indexes.map { Int($0[place]) } ?? place]
            }
            return withExtendedLifetime(column) {
                numbers.codes(
                    keys,
                    count: count,
                    countMax: options.dictionaryByteCountMax / 16,
                    into: target
                )
            }
        case .bytes(let bytes):
            guard case .views(let slice, _) = column.storage else { throw unexpected(column) }
            let views = slice.pointer(as: StringView.self)
            for place in 0..<count {
                let row = indexes.map { Int($0[place]) } ?? place
                let (start, length) = viewBytes(views + row)
                try checkLength(length)
                guard
                    let code = bytes.code(
                        start,
                        length,
                        byteCountMax: options.dictionaryByteCountMax
                    )
                else { return false }
                target[place] = code
            }
            withExtendedLifetime(column) {}
            return true
        }
    }

    private func unexpected(_ column: Column) -> ParquetError {
        .unsupported("column \(leaf.name) of \(leaf.type) got values of \(column.type)")
    }

    private func checkLength(_ length: Int) throws(ParquetError) {
        if leaf.physical == .fixedLengthByteArray, length != leaf.typeLength {
            throw .unsupported(
                "column \(leaf.name) of \(leaf.typeLength) bytes got a value of \(length)"
            )
        }
    }

    /// Adds values to those that wait.
    private func appendPlain(
        _ column: Column,
        _ indexes: [Int32]?,
        _ count: Int
    ) throws(ParquetError) {
        let column = column.flattened()
        switch column.storage {
        case .bits(let bits):
            let target = values.extend(count).assumingMemoryBound(to: UInt8.self)
            for place in 0..<count {
                target[place] = bits[indexes.map { Int($0[place]) } ?? place] ? 1 : 0
            }
        case .fixed(let slice):
            let target = values.extend(count * width)
            let source = slice.pointer(as: UInt8.self)
            if let indexes {
                indexes.withUnsafeBufferPointer {
                    gather(
                        source,
                        width: width,
                        $0.baseAddress.unsafelyUnwrapped,
                        count: count,
                        into: target
                    )
                }
            } else {
                target.copyMemory(from: source, byteCount: count * width)
            }
        case .views(let slice, _):
            let views = slice.pointer(as: StringView.self)
            let prefix = leaf.physical == .byteArray ? 4 : 0
            var needed = count * prefix
            for place in 0..<count {
                let length = viewBytes(views + (indexes.map { Int($0[place]) } ?? place)).count
                try checkLength(length)
                needed += length
            }
            guard values.count + needed < 1 << 30 else {
                throw .unsupported("column \(leaf.name) has rows of more than 1 GiB in a page")
            }
            var target = values.extend(needed)
            for place in 0..<count {
                let row = indexes.map { Int($0[place]) } ?? place
                let (start, length) = viewBytes(views + row)
                if prefix > 0 {
                    target.storeBytes(of: UInt32(length).littleEndian, as: UInt32.self)
                }
                (target + prefix).copyMemory(from: start, byteCount: length)
                target += prefix + length
            }
        default: throw unexpected(column)
        }
        withExtendedLifetime(column) {}
    }

    // MARK: Pages

    /// Encodes and compresses the rows that wait, if there are any.
    func flushPage() throws(ParquetError) {
        if pageEntries == 0 { return }
        if isCoding, pages.isEmpty { leaveDictionaryUnlessItPays() }
        let usesCodes = isCoding
        var statistics = usesCodes ? codedStatistics() : plainStatistics()
        statistics.nullCount = pageEntries - pageValues
        statistics.valueCount = pageEntries
        chunk.merge(statistics)

        let levels = encodedLevels()
        var payload: [UInt8] = []
        let encoding: ParquetEncoding
        if usesCodes {
            hasCodedPages = true
            encoding = .rleDictionary
            let width = codeWidth
            payload.append(UInt8(width))
            HybridEncoder.append(
                UnsafePointer(codes.base.assumingMemoryBound(to: UInt32.self)),
                count: pageValues,
                width: width,
                to: &payload
            )
        } else {
            encoding = PlainEncoder.append(
                values.bytes,
                count: pageValues,
                leaf: leaf,
                encoding: options.numberEncoding,
                to: &payload
            )
            if bloomFilter != nil {
                var plain: [UInt8] = []
                if encoding != .plain {
                    PlainEncoder.appendPlain(
                        values.bytes,
                        count: pageValues,
                        leaf: leaf,
                        to: &plain
                    )
                }
                (encoding == .plain ? payload : plain).withUnsafeBytes { bloomFilter?.add($0) }
            }
        }
        let start = body.count
        try appendDataPage(levels, payload, encoding)
        pages.append(
            WrittenPage(
                offset: start,
                byteCount: body.count - start,
                firstRow: chunkRows,
                encoding: encoding,
                statistics: statistics
            )
        )
        chunkRows += pageRows
        for part in [definitions, repetitions, values, codes] { part.truncate(to: 0) }
        (pageEntries, pageRows, pageValues) = (0, 0, 0)
    }

    var entryCount: Int {
        switch dictionary {
        case .numbers(let numbers): numbers.count
        case .wide(let numbers): numbers.count
        case .bytes(let bytes): bytes.places.count
        case nil: 0
        }
    }

    private var codeWidth: Int {
        // Codes without bits would be allowed for one value, but some readers want to see them.
        let largest = max(1, entryCount - 1)
        return Int.bitWidth - largest.leadingZeroBitCount
    }

    /// Turns the first page's codes into values when codes and dictionary take more than those.
    private func leaveDictionaryUnlessItPays() {
        let codesByteCount = pageValues * codeWidth / 8
        let codePlaces = codes.base.assumingMemoryBound(to: UInt32.self)
        let plainByteCount: Int
        let dictionaryByteCount: Int
        switch dictionary {
        case .numbers(let numbers):
            plainByteCount = pageValues * width
            dictionaryByteCount = numbers.count * width
        case .wide(let numbers):
            plainByteCount = pageValues * 16
            dictionaryByteCount = numbers.count * 16
        case .bytes(let bytes):
            let prefix = leaf.physical == .byteArray ? 4 : 0
            plainByteCount = (0..<pageValues).reduce(0) {
                $0 + Int(bytes.places[Int(codePlaces[$1])].length) + prefix
            }
            dictionaryByteCount = bytes.content.count
        case nil: return
        }
        if pageValues > 0, dictionaryByteCount + codesByteCount < plainByteCount { return }
        let count = pageValues
        switch dictionary {
        case .numbers(let numbers):
            let target = values.extend(count * width)
            if width == 4 {
                let place = target.assumingMemoryBound(to: UInt32.self)
                for index in 0..<count {
                    place[index] = UInt32(truncatingIfNeeded: numbers.keys[Int(codePlaces[index])])
                }
            } else {
                let place = target.assumingMemoryBound(to: UInt64.self)
                for index in 0..<count { place[index] = numbers.keys[Int(codePlaces[index])] }
            }
        case .wide(let numbers):
            let place = values.extend(count * 16).assumingMemoryBound(to: UInt128.self)
            for index in 0..<count { place[index] = numbers.keys[Int(codePlaces[index])] }
        case .bytes(let bytes):
            let prefix = leaf.physical == .byteArray ? 4 : 0
            for index in 0..<count {
                let place = bytes.places[Int(codePlaces[index])]
                values.append(
                    bytes.content.base + Int(place.offset) - prefix,
                    Int(place.length) + prefix
                )
            }
        case nil: break
        }
        dictionary = nil
        isCoding = false
        mapped = nil
    }

    // MARK: Chunks

    /// Ends the chunk; the next row begins another.
    func finishChunk() throws(ParquetError) -> FinishedChunk {
        try flushPage()
        var metadata = ColumnChunkMetadata()
        metadata.type = leaf.physical
        metadata.compression = options.compression
        let (header, page, pageUncompressed) =
            hasCodedPages ? try dictionaryPage() : ([], [], 0)
        metadata.pageHeadersChecksum = (header + pageHeaders).withUnsafeBytes { crc32c($0) }
        metadata.valueCount = chunk.valueCount
        metadata.compressedSize = page.count + body.count
        metadata.uncompressedSize = pageUncompressed + bodyUncompressed
        metadata.statistics = statistics(of: chunk)
        var counts: [(encoding: ParquetEncoding, count: Int)] = []
        for page in pages {
            if let index = counts.firstIndex(where: { $0.encoding == page.encoding }) {
                counts[index].count += 1
            } else {
                counts.append((page.encoding, 1))
            }
        }
        if hasCodedPages {
            metadata.pageEncodings.append(
                PageEncodingStatistics(pageType: 2, encoding: .plain, count: 1)
            )
        }
        for (encoding, count) in counts {
            metadata.pageEncodings.append(
                PageEncodingStatistics(
                    pageType: options.usesDataPageV2 ? 3 : 0,
                    encoding: encoding,
                    count: count
                )
            )
        }
        var encodings = counts.map(\.encoding)
        if hasCodedPages, !encodings.contains(.plain) { encodings.append(.plain) }
        if leaf.maxDefinitionLevel > 0, !encodings.contains(.rle) { encodings.append(.rle) }
        metadata.encodings = encodings
        let result = FinishedChunk(
            dictionaryPage: page,
            body: body,
            metadata: metadata,
            pages: pages,
            headerChecksums: (header.isEmpty ? [] : [header.withUnsafeBytes { crc32c($0) }])
                + headerChecksums,
            bloomFilter: bloomFilter?.finish() ?? []
        )
        total.merge(chunk)
        totalByteCount += metadata.compressedSize
        beginChunk()
        return result
    }
}

/// The bytes of a view.
@inline(__always)
func viewBytes(_ view: UnsafePointer<StringView>) -> (start: UnsafeRawPointer, count: Int) {
    let raw = UnsafeRawPointer(view)
    let count = Int(raw.load(as: UInt32.self))
    if count <= 12 { return (raw + 4, count) }
    let address = UInt(truncatingIfNeeded: raw.load(fromByteOffset: 8, as: UInt64.self))
    return (UnsafeRawPointer(bitPattern: address).unsafelyUnwrapped, count)
}
