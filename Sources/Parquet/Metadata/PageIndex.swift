import Bytes

private typealias Wire = ThriftReader.Wire

/// Bounds and null counts of each page of a column chunk.
///
/// - Spec: Parquet, PageIndex.md; parquet.thrift, `ColumnIndex`.
package struct ColumnIndex: Sendable {
    /// Per page whether all of its values are null; it then has no bounds.
    package var areNullPages: [Bool]
    var minValues: [[UInt8]]
    var maxValues: [[UInt8]]
    /// 0: in no order; 1: bounds ascend from page to page; 2: they descend.
    package var boundaryOrder: Int32
    package var nullCounts: [Int]?

    package var pageCount: Int { areNullPages.count }

    /// Reads the bytes of `ColumnChunkMetadata.columnIndexRange`.
    package init(_ bytes: UnsafeRawBufferPointer) throws(ParquetError) {
        var reader = ThriftReader(bytes)
        var last: Int16 = 0
        areNullPages = []
        minValues = []
        maxValues = []
        boundaryOrder = 0
        while let field = try reader.nextField(&last) {
            switch field.id {
            case 1: areNullPages = try reader.boolList(field)
            case 2: minValues = try reader.bytesList(field)
            case 3: maxValues = try reader.bytesList(field)
            case 4: boundaryOrder = try reader.int32(field)
            case 5: nullCounts = try reader.int64List(field).map { Int($0) }
            default: try reader.skip(field)
            }
        }
        let count = areNullPages.count
        guard minValues.count == count, maxValues.count == count,
            nullCounts == nil || nullCounts?.count == count
        else {
            throw .corrupt("the column index has lists of unequal length")
        }
    }

    init(
        areNullPages: [Bool],
        minValues: [[UInt8]],
        maxValues: [[UInt8]],
        boundaryOrder: Int32,
        nullCounts: [Int]
    ) {
        self.areNullPages = areNullPages
        self.minValues = minValues
        self.maxValues = maxValues
        self.boundaryOrder = boundaryOrder
        self.nullCounts = nullCounts
    }

    func message() -> [UInt8] {
        ThriftWriter.message { writer in
            writer.boolList(1, areNullPages)
            writer.binaryList(2, minValues)
            writer.binaryList(3, maxValues)
            writer.int32(4, boundaryOrder)
            if let nullCounts { writer.int64List(5, nullCounts.map { Int64($0) }) }
        }
    }
}

/// Where the pages of a column chunk are.
///
/// - Spec: Parquet, PageIndex.md; parquet.thrift, `OffsetIndex`; for the checksums
///   Formats/table-format/README.md, "Checksums".
package struct OffsetIndex: Sendable {
    package struct PageLocation: Sendable, Hashable {
        /// Where the page's header begins in the file.
        package var offset: Int
        /// Bytes of the page with its header.
        package var byteCount: Int
        /// Which row of the row group the page begins with.
        package var firstRow: Int
    }

    package var pages: [PageLocation]
    /// The CRC-32C of the header of each page, the dictionary page's first where there is one; nil when the
    /// file does not say.
    var headerChecksums: [UInt32]?

    /// The field that any program may put into any structure, for those who know what it means.
    ///
    /// - Spec: Parquet, BinaryProtocolExtensions.md.
    private static let extensionID: Int16 = 32767
    /// Begins the extension that is ours.
    private static let extensionMark: [UInt8] = [
        0x5e, 0x0c, 0x9d, 0x3b, 0x7a, 0x41, 0x4f, 0x0e, 0x9c, 0x2d, 0x8b, 0x6f, 0x1a, 0x3e, 0x57,
        0xd4,
    ]

    /// Reads the bytes of `ColumnChunkMetadata.offsetIndexRange`.
    ///
    /// - Parameter rowCount: of the row group; pages must begin before its end, in order.
    package init(_ bytes: UnsafeRawBufferPointer, rowCount: Int) throws(ParquetError) {
        var reader = ThriftReader(bytes)
        var last: Int16 = 0
        pages = []
        while let field = try reader.nextField(&last) {
            switch field.id {
            case 1:
                pages = try reader.list(field, of: Wire.structure) {
                    (reader) throws(ParquetError) in try PageLocation(&reader)
                }
            case Self.extensionID where field.type == Wire.binary:
                let content = try reader.bytes(field)
                headerChecksums = try Self.checksums(content, in: bytes, endingAt: reader.offset)
            default: try reader.skip(field)
            }
        }
        var row = 0
        for (number, page) in pages.enumerated() {
            guard page.firstRow >= row, page.firstRow <= rowCount, number > 0 || page.firstRow == 0
            else { throw .corrupt("page \(number) cannot begin at row \(page.firstRow)") }
            row = page.firstRow
        }
    }

    init(pages: [PageLocation], headerChecksums: [UInt32]? = nil) {
        self.pages = pages
        self.headerChecksums = headerChecksums
    }

    /// What an extension says, if it is ours.
    ///
    /// - Throws: `corrupt` when the message in front of its last four bytes does not match these.
    private static func checksums(
        _ content: [UInt8],
        in message: UnsafeRawBufferPointer,
        endingAt end: Int
    ) throws(ParquetError) -> [UInt32]? {
        guard content.starts(with: extensionMark) else { return nil }
        let words = content.dropFirst(extensionMark.count)
        guard words.count >= 4, words.count % 4 == 0 else {
            throw .corrupt("the checksums of page headers are cut short")
        }
        var numbers = content.withUnsafeBytes { raw in
            stride(from: words.startIndex, to: words.endIndex, by: 4).map {
                UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: $0, as: UInt32.self))
            }
        }
        let covered = UnsafeRawBufferPointer(rebasing: message[..<(end - 4)])
        guard numbers.removeLast() == crc32c(covered) else {
            throw .corrupt("the offset index does not match its checksum: the file is damaged")
        }
        return numbers
    }

    func message() -> [UInt8] {
        var message = fields()
        guard headerChecksums != nil else { return message }
        // Behind the four bytes is only the end of the structure.
        let end = message.count - 5
        let checksum = message.withUnsafeBytes {
            crc32c(UnsafeRawBufferPointer(rebasing: $0[..<end]))
        }
        var digits: [UInt8] = []
        digits.appendLittleEndian(checksum)
        message.replaceSubrange(end..<end + 4, with: digits)
        return message
    }

    private func fields() -> [UInt8] {
        ThriftWriter.message { writer in
            writer.list(1, pages) { writer, page in
                writer.int64(1, Int64(page.offset))
                writer.int32(2, Int32(page.byteCount))
                writer.int64(3, Int64(page.firstRow))
            }
            if let headerChecksums {
                var content = Self.extensionMark
                for number in headerChecksums + [0] { content.appendLittleEndian(number) }
                writer.binary(Self.extensionID, content)
            }
        }
    }
}

extension OffsetIndex.PageLocation {
    fileprivate init(_ reader: inout ThriftReader) throws(ParquetError) {
        var last: Int16 = 0
        offset = 0
        byteCount = 0
        firstRow = 0
        while let field = try reader.nextField(&last) {
            switch field.id {
            case 1: offset = try reader.size(field)
            case 2: byteCount = try reader.size(field)
            case 3: firstRow = try reader.size(field)
            default: try reader.skip(field)
            }
        }
    }
}
