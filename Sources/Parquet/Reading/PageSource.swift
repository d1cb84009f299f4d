import Bytes
import Columnar

/// Walks over the pages of one column chunk, and decompresses those that are wanted.
///
/// Every number in a header is checked here: what leaves this type lies inside memory.
struct PageSource {
    /// The parts of a data page, decompressed.
    ///
    /// 64 bytes behind each are readable.
    struct DataPage {
        var repetition: UnsafeRawBufferPointer
        var definition: UnsafeRawBufferPointer
        /// Whether the definition levels are packed without the hybrid's heads (an old encoding).
        var isDefinitionBitPacked: Bool
        var values: UnsafeRawBufferPointer
        var encoding: ParquetEncoding
        var valueCount: Int
        /// What keeps the memory.
        var owner: Buffer
        /// Whether `owner` came from the context and should be given back.
        var isBorrowed: Bool
    }

    let bytes: ChunkBytes
    let compression: ParquetCompression
    let uncompressedSize: Int
    let leaf: ParquetLeaf
    let verifiesChecksums: Bool
    let context: ParquetReadContext
    /// Where the next page header begins, from the start of the chunk.
    private(set) var offset = 0
    private(set) var pageNumber = -1

    init(
        _ bytes: ChunkBytes,
        chunk: ColumnChunkMetadata,
        leaf: ParquetLeaf,
        options: ParquetReadOptions,
        context: ParquetReadContext
    ) throws(ParquetError) {
        self.bytes = bytes
        compression = chunk.compression
        uncompressedSize = chunk.uncompressedSize
        self.leaf = leaf
        verifiesChecksums = options.verifiesChecksums
        self.context = context
        if let reason = chunk.unreadableReason {
            throw .unsupported("it cannot be read: \(reason)")
        }
        switch compression {
        case .uncompressed, .snappy, .gzip, .zstd, .lz4Raw, .lz4: break
        default: throw .unsupported("the codec \(compression)")
        }
        // Of chunks without values no bytes are fetched.
        if verifiesChecksums, chunk.valueCount > 0, let expected = chunk.pageHeadersChecksum {
            try checkHeaders(expected)
        }
    }

    /// Holds the headers of all pages against their checksums, before any of them is believed.
    ///
    /// - Parameter expected: of all headers of the chunk, one after the other.
    private func checkHeaders(_ expected: UInt32) throws(ParquetError) {
        var checksum: UInt32 = 0
        var at = 0
        var known = bytes.front?.headerChecksums?[...]
        while at < bytes.count {
            let rest = UnsafeRawBufferPointer(start: bytes.base + at, count: bytes.count - at)
            let header = try PageHeader(rest)
            let content = UnsafeRawBufferPointer(rebasing: rest[..<header.headerSize])
            checksum = crc32c(content, seed: known == nil ? checksum : 0)
            if known != nil, known?.popFirst() != checksum { break }
            guard header.compressedSize <= rest.count - header.headerSize else { break }
            at += header.headerSize + header.compressedSize
        }
        guard at == bytes.count, known != nil || checksum == expected else {
            throw .corrupt("the headers of its pages do not match their checksum")
        }
    }

    var isAtEnd: Bool { offset >= bytes.count }

    /// The header of the next page and where its bytes begin; moves behind the page.
    mutating func nextHeader() throws(ParquetError) -> (header: PageHeader, start: Int) {
        let rest = UnsafeRawBufferPointer(start: bytes.base + offset, count: bytes.count - offset)
        let header = try PageHeader(rest)
        pageNumber += 1
        guard header.compressedSize <= rest.count - header.headerSize else {
            throw .truncated(
                "a page of \(header.compressedSize) bytes with \(rest.count - header.headerSize) left",
                offset: offset
            )
        }
        let start = offset + header.headerSize
        offset = start + header.compressedSize
        return (header, start)
    }

    /// Passes over the next page, held against its checksum.
    mutating func verifyNext() throws(ParquetError) {
        let (header, start) = try nextHeader()
        try checkChecksum(header, content(header, start))
    }

    private func content(_ header: PageHeader, _ start: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: bytes.base + start, count: header.compressedSize)
    }

    private func checkChecksum(
        _ header: PageHeader,
        _ content: UnsafeRawBufferPointer
    ) throws(ParquetError) {
        guard verifiesChecksums, let expected = header.crc else { return }
        let actual = crc32(content)
        if actual != expected { throw .corrupt("the page does not match its checksum") }
    }

    /// How many times larger than its input a codec's output can be at most.
    private var expansionMax: Int {
        switch compression {
        case .snappy: 64
        case .gzip: 1100
        case .lz4, .lz4Raw: 300
        default: 200_000
        }
    }

    /// Throws when `byteCount` bytes cannot come out of `source`.
    private func checkSize(
        _ byteCount: Int,
        from source: UnsafeRawBufferPointer
    ) throws(ParquetError) {
        if compression == .uncompressed {
            guard byteCount == source.count else {
                throw .corrupt("an uncompressed page of \(byteCount) bytes in \(source.count)")
            }
            return
        }
        guard byteCount <= source.count * expansionMax + 64, byteCount <= uncompressedSize else {
            throw .corrupt(
                "a page of \(byteCount) bytes in \(source.count), and a chunk of \(uncompressedSize)"
            )
        }
    }

    private func decompress(
        _ source: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer
    ) throws(ParquetError) {
        if target.count == 0 { return }
        let codec: Codec
        switch compression {
        case .snappy: codec = .snappy
        case .gzip: codec = .gzip
        case .zstd: codec = .zstd
        case .lz4Raw: codec = .lz4Raw
        case .lz4:
            if try decompressHadoop(source, into: target) { return }
            codec = .lz4Raw
        default: throw .unsupported("the codec \(compression)")
        }
        do throws(BytesError) {
            try context.decompressor.decompress(codec, source, into: target)
        } catch {
            throw ParquetError(error)
        }
    }

    /// Decompresses Hadoop's framing of LZ4: blocks with their two sizes in front, big-endian.
    ///
    /// - Returns: false when the bytes are not framed so.
    private func decompressHadoop(
        _ source: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer
    ) throws(ParquetError) -> Bool {
        var (read, written) = (0, 0)
        while source.count - read >= 8 {
            let whole = Int(
                UInt32(bigEndian: source.loadUnaligned(fromByteOffset: read, as: UInt32.self))
            )
            let packed = Int(
                UInt32(bigEndian: source.loadUnaligned(fromByteOffset: read + 4, as: UInt32.self))
            )
            read += 8
            guard packed <= source.count - read, whole <= target.count - written else {
                return false
            }
            let block = UnsafeRawBufferPointer(rebasing: source[read..<read + packed])
            let place = UnsafeMutableRawBufferPointer(rebasing: target[written..<written + whole])
            do throws(BytesError) {
                try context.decompressor.decompress(.lz4Raw, block, into: place)
            } catch {
                return false
            }
            read += packed
            written += whole
        }
        return read == source.count && written == target.count
    }

    /// The bytes of a page of one part (version 1, or a dictionary), decompressed.
    private func wholePage(
        _ header: PageHeader,
        _ start: Int
    ) throws(ParquetError) -> (UnsafeRawBufferPointer, owner: Buffer, isBorrowed: Bool) {
        let source = content(header, start)
        try checkChecksum(header, source)
        try checkSize(header.uncompressedSize, from: source)
        if compression == .uncompressed {
            if let buffer = bytes.buffer { return (source, buffer, false) }
            let copy = context.takePage(byteCount: source.count)
            copy.base.copyMemory(from: source.start, byteCount: source.count)
            return (UnsafeRawBufferPointer(start: copy.base, count: source.count), copy, true)
        }
        let page = context.takePage(byteCount: header.uncompressedSize)
        let target = UnsafeMutableRawBufferPointer(
            start: page.base,
            count: header.uncompressedSize
        )
        try decompress(source, into: target)
        return (UnsafeRawBufferPointer(target), page, true)
    }

    /// The values of a dictionary page.
    func dictionaryPage(
        _ header: PageHeader,
        _ start: Int
    ) throws(ParquetError) -> (UnsafeRawBufferPointer, owner: Buffer, isBorrowed: Bool) {
        try wholePage(header, start)
    }

    /// The parts of a data page.
    func dataPage(
        _ header: PageHeader,
        _ page: PageHeader.DataPage,
        _ start: Int
    ) throws(ParquetError) -> DataPage {
        switch page.levels {
        case .v1(let definition, let repetition):
            return try dataPage1(header, page, start, definition, repetition)
        case .v2(let definition, let repetition, let isCompressed):
            return try dataPage2(header, page, start, definition, repetition, isCompressed)
        }
    }

    private func dataPage1(
        _ header: PageHeader,
        _ page: PageHeader.DataPage,
        _ start: Int,
        _ definitionEncoding: ParquetEncoding,
        _ repetitionEncoding: ParquetEncoding
    ) throws(ParquetError) -> DataPage {
        let (whole, owner, isBorrowed) = try wholePage(header, start)
        var at = 0
        func levels(
            _ encoding: ParquetEncoding,
            levelMax: Int
        ) throws(ParquetError) -> UnsafeRawBufferPointer {
            if levelMax == 0 { return UnsafeRawBufferPointer(start: whole.start, count: 0) }
            let length: Int
            if encoding == .rle {
                guard whole.count - at >= 4 else { throw .truncated("the levels are missing") }
                length = Int(
                    UInt32(littleEndian: whole.loadUnaligned(fromByteOffset: at, as: UInt32.self))
                )
                at += 4
            } else if encoding == .bitPacked {
                let (bits, overflow) = page.valueCount.multipliedReportingOverflow(
                    by: levelWidth(levelMax)
                )
                if overflow { throw .corrupt("\(page.valueCount) levels") }
                length = bits / 8 + (bits % 8 == 0 ? 0 : 1)
            } else {
                throw .unsupported("levels in the encoding \(encoding)")
            }
            guard length <= whole.count - at else { throw .truncated("the levels are cut short") }
            defer { at += length }
            return UnsafeRawBufferPointer(start: whole.start + at, count: length)
        }
        let repetition = try levels(repetitionEncoding, levelMax: leaf.maxRepetitionLevel)
        if repetitionEncoding == .bitPacked, leaf.maxRepetitionLevel > 0 {
            throw .unsupported("repetition levels in the encoding BIT_PACKED")
        }
        let definition = try levels(definitionEncoding, levelMax: leaf.maxDefinitionLevel)
        let isPacked = definitionEncoding == .bitPacked && leaf.maxDefinitionLevel > 0
        if isPacked, leaf.maxDefinitionLevel > 1 {
            throw .unsupported("definition levels of nested columns in the encoding BIT_PACKED")
        }
        return DataPage(
            repetition: repetition,
            definition: definition,
            isDefinitionBitPacked: isPacked,
            values: UnsafeRawBufferPointer(start: whole.start + at, count: whole.count - at),
            encoding: page.encoding,
            valueCount: page.valueCount,
            owner: owner,
            isBorrowed: isBorrowed
        )
    }

    private func dataPage2(
        _ header: PageHeader,
        _ page: PageHeader.DataPage,
        _ start: Int,
        _ definitionByteCount: Int,
        _ repetitionByteCount: Int,
        _ isCompressed: Bool
    ) throws(ParquetError) -> DataPage {
        let source = content(header, start)
        try checkChecksum(header, source)
        let (levels, overflow) = definitionByteCount.addingReportingOverflow(repetitionByteCount)
        guard !overflow, levels <= source.count, levels <= header.uncompressedSize else {
            throw .corrupt("levels of \(levels) bytes in a page of \(source.count)")
        }
        let packed = UnsafeRawBufferPointer(rebasing: source[levels...])
        let valuesByteCount = header.uncompressedSize - levels
        let owner: Buffer
        var isBorrowed = true
        let base: UnsafeRawPointer
        if compression == .uncompressed || !isCompressed {
            guard valuesByteCount == packed.count else {
                throw .corrupt("an uncompressed page of \(valuesByteCount) in \(packed.count)")
            }
            if let buffer = bytes.buffer {
                (owner, isBorrowed, base) = (buffer, false, source.start)
            } else {
                owner = context.takePage(byteCount: source.count)
                owner.base.copyMemory(from: source.start, byteCount: source.count)
                base = UnsafeRawPointer(owner.base)
            }
        } else {
            // An empty page may be written as no bytes at all, which no codec would take.
            if valuesByteCount > 0 { try checkSize(valuesByteCount, from: packed) }
            owner = context.takePage(byteCount: header.uncompressedSize)
            owner.base.copyMemory(from: source.start, byteCount: levels)
            try decompress(
                packed,
                into: UnsafeMutableRawBufferPointer(
                    start: owner.base + levels,
                    count: valuesByteCount
                )
            )
            base = UnsafeRawPointer(owner.base)
        }
        return DataPage(
            repetition: UnsafeRawBufferPointer(start: base, count: repetitionByteCount),
            definition: UnsafeRawBufferPointer(
                start: base + repetitionByteCount,
                count: definitionByteCount
            ),
            isDefinitionBitPacked: false,
            values: UnsafeRawBufferPointer(start: base + levels, count: valuesByteCount),
            encoding: page.encoding,
            valueCount: page.valueCount,
            owner: owner,
            isBorrowed: isBorrowed
        )
    }
}

extension ParquetMetadata {
    /// Holds every page of a column chunk against its checksum, without reading its values.
    ///
    /// - Parameter bytes: of `byteRange(rowGroup:leaf:)`.
    /// - Throws: `corrupt` when a page is damaged; nothing where pages carry no checksums.
    package func verifyPages(
        rowGroup: Int,
        leaf: Int,
        bytes: ChunkBytes
    ) throws(ParquetError) {
        var pages = try PageSource(
            bytes,
            chunk: rowGroups[rowGroup].columns[leaf],
            leaf: schema.leaves[leaf],
            options: ParquetReadOptions(),
            context: ParquetReadContext()
        )
        while !pages.isAtEnd { try pages.verifyNext() }
    }
}

/// Bits of a level whose largest value is `levelMax`.
func levelWidth(_ levelMax: Int) -> Int { Int.bitWidth - levelMax.leadingZeroBitCount }
