package import Iceberg
package import Parquet

/// How data files of a table are written.
package struct TableWriterOptions: Sendable {
    package var parquet: ParquetWriteOptions
    /// A file is closed when it has about this many bytes, and its rows go on in the next.
    package var fileByteCountTarget: Int
    /// Files open at once; rows of one partition more close the file that got rows least recently.
    package var openFileCountMax = 64
    /// What open files may keep in memory together; beyond it the largest is closed.
    package var openByteCountMax = 512 << 20
    /// Whether each file's rows come in the table's sort order already: then files say so.
    package var isSorted = false

    /// What the name of a property that asks for a column's bloom filters begins with.
    package static let bloomFilterPrefix = "write.parquet.bloom-filter-enabled.column."

    /// What the table's properties ask for.
    ///
    /// - Throws: `unsupported` for a codec that is not written, `invalid` for one that does not exist.
    package init(_ table: TableMetadata) throws(TablesError) {
        parquet = ParquetWriteOptions()
        let codec = table.properties["write.parquet.compression-codec"] ?? "zstd"
        switch codec.lowercased() {
        case "zstd": parquet.compression = .zstd
        case "snappy": parquet.compression = .snappy
        case "gzip": parquet.compression = .gzip
        case "lz4", "lz4_raw": parquet.compression = .lz4Raw
        case "uncompressed", "none": parquet.compression = .uncompressed
        case "brotli", "lzo":
            throw TablesError(.unsupported, "Parquet files cannot be written with \(codec)")
        default: throw TablesError(.invalid, "there is no Parquet codec \(codec)")
        }
        if let level = table.properties["write.parquet.compression-level"] {
            guard let number = Int32(level) else {
                throw TablesError(.invalid, "write.parquet.compression-level is \(level)")
            }
            parquet.compressionLevel = number
        }
        func bytes(_ name: String, default fallback: Int) throws(TablesError) -> Int {
            guard let text = table.properties[name] else { return fallback }
            guard let number = Int(text), number > 0 else {
                throw TablesError(.invalid, "\(name) is \(text), which is no number of bytes")
            }
            return number
        }
        parquet.rowGroupByteCountMax = try bytes(
            "write.parquet.row-group-size-bytes",
            default: parquet.rowGroupByteCountMax
        )
        parquet.pageByteCountMax = try bytes(
            "write.parquet.page-size-bytes",
            default: parquet.pageByteCountMax
        )
        parquet.pageRowCountMax = try bytes(
            "write.parquet.page-row-limit",
            default: parquet.pageRowCountMax
        )
        parquet.dictionaryByteCountMax = try bytes(
            "write.parquet.dict-size-bytes",
            default: parquet.dictionaryByteCountMax
        )
        parquet.bloomFilterByteCountMax = try bytes(
            "write.parquet.bloom-filter-max-bytes",
            default: parquet.bloomFilterByteCountMax
        )
        for (key, value) in table.properties
        where key.hasPrefix(Self.bloomFilterPrefix) && value.lowercased() == "true" {
            // A column that is gone, or was renamed by another program, has none.
            let name = String(key.dropFirst(Self.bloomFilterPrefix.count))
            if let field = table.currentSchema.field(named: name) {
                parquet.bloomFilterFieldIDs.insert(field.id)
            }
        }
        fileByteCountTarget = try bytes("write.target-file-size-bytes", default: 512 << 20)
    }
}
