package import Columnar

/// Where a Parquet file's metadata is, found from the bytes at its end.
package enum ParquetFile {
    package enum Footer: Sendable {
        case complete(ParquetMetadata)
        /// The bytes of the file that `parse` wants to see next, up to the file's end.
        case needs(Range<Int>)
    }

    /// Bytes worth asking for first: most footers are smaller.
    package static let suggestedSuffixByteCount = 64 << 10

    /// Bytes behind the footer: its length and the magic number.
    private static let tailByteCount = 8

    /// Footers larger than this are refused.
    private static let footerByteCountMax = 1 << 30

    /// Reads the metadata from the file's last bytes.
    ///
    /// - Parameter fileSize: how many bytes the whole file has.
    /// - Throws: `unsupported` when the footer is encrypted.
    package static func parse(
        suffix: UnsafeRawBufferPointer,
        fileSize: Int
    ) throws(ParquetError) -> Footer {
        // 4 bytes of magic in front, then at least an empty footer.
        guard fileSize >= tailByteCount + 4 else {
            throw .corrupt("a file of \(fileSize) bytes is not a Parquet file")
        }
        guard suffix.count <= fileSize else {
            throw .corrupt("\(suffix.count) bytes are more than the file of \(fileSize) has")
        }
        guard suffix.count >= tailByteCount else {
            return .needs(max(0, fileSize - suggestedSuffixByteCount)..<fileSize)
        }
        let magic = suffix.loadUnaligned(fromByteOffset: suffix.count - 4, as: UInt32.self)
        switch UInt32(littleEndian: magic) {
        case 0x3152_4150: break  // PAR1
        case 0x4552_4150: throw .unsupported("the file's footer is encrypted")
        default: throw .corrupt("the file does not end as Parquet files do", offset: fileSize - 4)
        }
        let length = Int(
            UInt32(
                littleEndian: suffix.loadUnaligned(
                    fromByteOffset: suffix.count - tailByteCount,
                    as: UInt32.self
                )
            )
        )
        guard length <= fileSize - tailByteCount - 4 else {
            throw .corrupt("a footer of \(length) bytes in a file of \(fileSize)")
        }
        guard length <= footerByteCountMax else {
            throw .unsupported("a footer of \(length) bytes")
        }
        let needed = length + tailByteCount
        guard suffix.count >= needed else { return .needs(fileSize - needed..<fileSize) }
        let start = suffix.count - needed
        let tail = UnsafeRawBufferPointer(rebasing: suffix[start...])
        return .complete(
            try ParquetError.during("footer") { () throws(ParquetError) in
                let isChecksummed = try FooterChecksum.check(tail, footerByteCount: length)
                var metadata = try ParquetMetadata(
                    footer: UnsafeRawBufferPointer(rebasing: tail[..<length]),
                    footerOffset: fileSize - needed,
                    fileSize: fileSize
                )
                try metadata.readChecksums(isChecksummed: isChecksummed)
                return metadata
            }
        )
    }

    /// Reads the metadata from the file's last bytes.
    package static func parse(
        suffix: [UInt8],
        fileSize: Int
    ) throws(ParquetError) -> Footer {
        try suffix.withUnsafeBufferPointer { (bytes) throws(ParquetError) in
            try parse(suffix: UnsafeRawBufferPointer(bytes), fileSize: fileSize)
        }
    }

    /// Reads the metadata from the file's last bytes.
    package static func parse(
        suffix: Buffer,
        fileSize: Int
    ) throws(ParquetError) -> Footer {
        try parse(suffix: suffix.bytes, fileSize: fileSize)
    }
}

/// Where one column chunk lies in its file.
package struct ColumnChunkLocation: Sendable, Hashable {
    /// Which leaf column.
    package var leaf: Int
    /// Bytes of the file, from the dictionary page (if any) to the last data page.
    package var byteRange: Range<Int>
}

extension ParquetMetadata {
    /// Where the pages of a leaf column are.
    ///
    /// - Throws: `corrupt` when they would lie outside the file, `unsupported` when they cannot be
    ///   read (encrypted, in another file).
    package func byteRange(rowGroup: Int, leaf: Int) throws(ParquetError) -> Range<Int> {
        let chunk = rowGroups[rowGroup].columns[leaf]
        let name = schema.leaves[leaf].name
        if let reason = chunk.unreadableReason {
            throw .unsupported("column \(name) cannot be read: \(reason)")
        }
        // Chunks of no rows may have any offset.
        if chunk.valueCount == 0 { return 4..<4 }
        var start = chunk.dataPageOffset
        // Some writers say 0 for "no dictionary", some point behind the data: only an offset in
        // front of the data pages can be the dictionary's.
        if let dictionary = chunk.dictionaryPageOffset, dictionary > 0, dictionary < start {
            start = dictionary
        }
        let (end, overflow) = start.addingReportingOverflow(chunk.compressedSize)
        guard !overflow, start >= 4, end <= footerOffset else {
            throw .corrupt(
                "column \(name) would lie at bytes \(start) to \(end), the footer is at "
                    + "\(footerOffset)"
            )
        }
        // Early parquet-mr forgot the dictionary page's header in the size (PARQUET-816).
        return start..<(wasWrittenByEarlyParquetMR ? min(end + 100, footerOffset) : end)
    }

    private var wasWrittenByEarlyParquetMR: Bool {
        guard let createdBy, createdBy.hasPrefix("parquet-mr") else { return false }
        let marker = "parquet-mr version "
        guard createdBy.hasPrefix(marker) else { return true }
        let version = createdBy.dropFirst(marker.count).prefix { $0.isNumber || $0 == "." }
        let parts = version.split(separator: ".").compactMap { Int($0) }
        return parts.count >= 3 && parts.lexicographicallyPrecedes([1, 2, 9])
    }

    /// Where the chunks of these columns of a row group are, in the order of the columns' leaves.
    ///
    /// - Parameter columns: indices into `schema.columns`.
    package func chunkLocations(
        rowGroup: Int,
        columns: [Int]
    ) throws(ParquetError) -> [ColumnChunkLocation] {
        var result: [ColumnChunkLocation] = []
        for column in columns {
            for leaf in schema.columns[column].leaves {
                let range = try byteRange(rowGroup: rowGroup, leaf: leaf)
                result.append(ColumnChunkLocation(leaf: leaf, byteRange: range))
            }
        }
        return result
    }
}
