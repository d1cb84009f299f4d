import Bytes

// Files of Varve carry checksums of all that is not in pages, as remarks in their footers:
//
//   page headers | page contents      ...      | page index   | footer | length | "PAR1"
//   varve.crc32c.page-headers                  | .page-index  | varve.crc32c ........ |
//         (contents: each page's own CRC-32)
//
// The footer's own checksum is the last remark, and is looked for from the footer's end before anything
// in the footer is believed: a flipped bit could end the Thrift message in front of it. Should the remark
// itself be hit, the words in `created_by` tell that it is gone; they are looked for in the bytes too.

/// The checksums that a footer holds of itself and of the bytes in front of it.
///
/// - Spec: Formats/table-format/README.md, "Checksums".
enum FooterChecksum {
    /// The remark with the checksum of the footer, its length and the magic number.
    static let key = "varve.crc32c"
    /// The remark with the checksum of everything between the last page and the footer.
    static let pageIndexKey = "varve.crc32c.page-index"
    /// The remark with the checksums of the page headers of every column chunk, one after the other.
    static let pageHeadersKey = "varve.crc32c.page-headers"
    /// The remark with the checksums of all bloom filters, one after the other.
    static let bloomFiltersKey = "varve.crc32c.bloom-filters"
    /// What `created_by` ends with in files that have the remarks.
    static let createdBySuffix = " (build crc32c)"

    /// The remark as Thrift's compact protocol writes it, up to its digits.
    private static let head: [UInt8] =
        [0x18, UInt8(key.utf8.count)] + Array(key.utf8) + [0x18, UInt8(ChecksumDigits.count)]

    /// The words as they end the creator's name, and the head of the field after it.
    private static let words = Array(createdBySuffix.utf8) + [0x19]

    /// Where in the footer's bytes the digits of its checksum are; nil when it has none.
    static func digitsOffset(_ footer: UnsafeRawBufferPointer) -> Int? {
        guard let start = lastOffset(of: head, in: footer) else { return nil }
        let offset = start + head.count
        return offset <= footer.count - ChecksumDigits.count ? offset : nil
    }

    /// The last place where `pattern` begins.
    private static func lastOffset(of pattern: [UInt8], in bytes: UnsafeRawBufferPointer) -> Int? {
        let (count, first, second) = (pattern.count, pattern[0], pattern[1])
        var start = bytes.count - count
        while start >= 0 {
            if bytes[start] == first, bytes[start &+ 1] == second,
                bytes[start..<start + count].elementsEqual(pattern)
            {
                return start
            }
            start &-= 1
        }
        return nil
    }

    /// Holds a footer against its checksum.
    ///
    /// - Parameter tail: the footer and all that follows it in the file.
    /// - Returns: whether it has one.
    /// - Throws: `corrupt` when they differ, or the footer says that it has one and does not.
    static func check(
        _ tail: UnsafeRawBufferPointer,
        footerByteCount: Int
    ) throws(ParquetError) -> Bool {
        let footer = UnsafeRawBufferPointer(rebasing: tail[..<footerByteCount])
        guard let offset = digitsOffset(footer) else {
            if lastOffset(of: words, in: footer) != nil {
                throw .corrupt("it has lost its checksum: the file is damaged")
            }
            return false
        }
        guard ChecksumDigits.match(tail, at: offset) else {
            throw .corrupt("it does not match its checksum: the file is damaged")
        }
        return true
    }

    /// The number that eight digits stand for; nil when they are none.
    static func number(_ digits: some Collection<UInt8>) -> UInt32? {
        guard digits.count == ChecksumDigits.count else { return nil }
        var number: UInt32 = 0
        for digit in digits {
            let value: UInt8
            switch digit {
            case 0x30...0x39: value = digit - 0x30
            case 0x61...0x66: value = digit - 0x61 + 10
            default: return nil
            }
            number = number << 4 | UInt32(value)
        }
        return number
    }
}

extension ParquetMetadata {
    /// Takes the checksums of page headers out of the remarks, after the footer was found to be sound.
    ///
    /// - Throws: `corrupt` when there are not as many as column chunks.
    mutating func readChecksums(isChecksummed: Bool) throws(ParquetError) {
        self.isChecksummed = isChecksummed
        guard isChecksummed else { return }
        pageIndexChecksum = value(forKey: FooterChecksum.pageIndexKey).flatMap {
            FooterChecksum.number($0.utf8)
        }
        guard let text = value(forKey: FooterChecksum.pageHeadersKey) else { return }
        let digits = Array(text.utf8)
        let chunkCount = rowGroups.reduce(0) { $0 + $1.columns.count }
        guard digits.count == chunkCount * ChecksumDigits.count else {
            throw .corrupt("it has checksums of other page headers than it has column chunks")
        }
        var start = 0
        for group in rowGroups.indices {
            for leaf in rowGroups[group].columns.indices {
                let end = start + ChecksumDigits.count
                guard let number = FooterChecksum.number(digits[start..<end]) else {
                    throw .corrupt("a checksum of page headers is no number")
                }
                rowGroups[group].columns[leaf].pageHeadersChecksum = number
                start = end
            }
        }
        try readFilterChecksums()
    }

    private mutating func readFilterChecksums() throws(ParquetError) {
        guard let text = value(forKey: FooterChecksum.bloomFiltersKey) else { return }
        var digits = Array(text.utf8)[...]
        for group in rowGroups.indices {
            for leaf in rowGroups[group].columns.indices
            where rowGroups[group].columns[leaf].bloomFilterOffset != nil {
                guard let number = FooterChecksum.number(digits.prefix(ChecksumDigits.count)) else {
                    throw .corrupt("it has checksums of fewer bloom filters than it has")
                }
                rowGroups[group].columns[leaf].bloomFilterChecksum = number
                digits = digits.dropFirst(ChecksumDigits.count)
            }
        }
        guard digits.isEmpty else {
            throw .corrupt("it has checksums of more bloom filters than it has")
        }
    }

    /// The bytes between the last page and the footer, in which the page index lies; nil when the file
    /// has none.
    package var pageIndexRange: Range<Int>? {
        var start = Int.max
        for chunk in rowGroups.lazy.flatMap(\.columns) {
            for range in [chunk.columnIndexRange, chunk.offsetIndexRange] {
                if let range { start = min(start, range.lowerBound) }
            }
        }
        return start < footerOffset ? start..<footerOffset : nil
    }

    /// Holds the page index against its checksum, where the file has one, and reads all of it.
    ///
    /// - Parameter bytes: of `pageIndexRange`.
    /// - Throws: `corrupt` when it is damaged.
    package func verifyPageIndex(_ bytes: UnsafeRawBufferPointer) throws(ParquetError) {
        guard let range = pageIndexRange, range.count == bytes.count else {
            throw .corrupt("these are not the bytes of the page index")
        }
        if let pageIndexChecksum, crc32c(bytes) != pageIndexChecksum {
            throw .corrupt("the page index does not match its checksum: the file is damaged")
        }
        func part(_ place: Range<Int>) throws(ParquetError) -> UnsafeRawBufferPointer {
            guard range.lowerBound <= place.lowerBound, place.upperBound <= range.upperBound else {
                throw .corrupt("a part of the page index lies outside it")
            }
            let start = place.lowerBound - range.lowerBound
            return UnsafeRawBufferPointer(rebasing: bytes[start..<start + place.count])
        }
        for group in rowGroups {
            for chunk in group.columns {
                if let place = chunk.columnIndexRange { _ = try ColumnIndex(part(place)) }
                guard let place = chunk.offsetIndexRange else { continue }
                let index = try OffsetIndex(part(place), rowCount: group.rowCount)
                if let first = index.pages.first, first.offset != chunk.dataPageOffset {
                    throw .corrupt("the page index does not begin with the first page")
                }
            }
        }
    }
}
