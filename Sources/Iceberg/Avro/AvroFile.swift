import Bytes

/// How the blocks of an Avro file are compressed.
package enum AvroCodec: String, Sendable, Hashable, CaseIterable {
    case null
    case deflate
    case snappy
    case zstandard
}

/// Reads an Avro object container file: a header with the schema, then blocks of values.
///
/// ```
/// "Obj" 01 | metadata: map of bytes | 16 bytes of sync marker
/// then for each block: count | size in bytes | the bytes, compressed | the sync marker
/// ```
///
/// Files of Varve carry a checksum of all of their bytes, which is verified before anything else is
/// believed; those of others are read without.
///
/// - Spec: Avro 1.11 specification, "Object Container Files"; Formats/table-format/README.md, "Checksums".
package struct AvroFileReader: Sendable {
    /// The header's metadata as it is, `avro.schema` and `avro.codec` included.
    package let metadata: [String: [UInt8]]
    /// What the values are.
    package let schema: AvroSchema
    /// How the blocks are compressed.
    package let codec: AvroCodec
    private let bytes: [UInt8]
    private let sync: ArraySlice<UInt8>
    private var at: Int

    /// How many bytes a block may have when it is decompressed.
    package static let blockSizeMax = 1 << 29

    static let magic: [UInt8] = [0x4F, 0x62, 0x6A, 1]

    /// The metadata entry that holds the checksum of the whole file.
    static let checksumKey = "varve.crc32c"

    /// What the sync markers of files with a checksum begin with: a file that has lost the entry is
    /// told by it from one that never had it.
    static let checksummedSync = Array("varve32c".utf8)

    /// One block's values, one after the other.
    package struct Block: Sendable {
        /// How many values there are.
        package let count: Int
        /// Where the next value begins.
        package var cursor: AvroCursor
    }

    /// Reads the header.
    ///
    /// - Throws: `corrupt` when it is no such file, `unsupported` for a codec that is not known.
    package init(bytes: [UInt8]) throws(IcebergError) {
        guard bytes.starts(with: Self.magic) else {
            throw IcebergError(.corrupt, "not an Avro file: it does not begin with Obj and 1")
        }
        var cursor = AvroCursor(bytes, range: 4..<bytes.count)
        var metadata: [String: [UInt8]] = [:]
        var digitsEnd: Int?
        try cursor.readItems(sizeMin: 2) { (cursor) throws(IcebergError) in
            let key = try cursor.readString()
            metadata[key] = try cursor.readBytes()
            if key == Self.checksumKey { digitsEnd = cursor.at }
        }
        _ = try cursor.readFixed(16)
        self.bytes = bytes
        at = cursor.at
        sync = bytes[at - 16..<at]
        self.metadata = metadata
        try Self.checkChecksum(bytes, digitsEnd: digitsEnd, metadata, sync)

        guard let text = metadata["avro.schema"] else {
            throw IcebergError(.corrupt, "an Avro file without avro.schema")
        }
        let json = try IcebergError.bytes { () throws(BytesError) in try JSON.parse(text) }
        schema = try IcebergError.during("avro.schema") { () throws(IcebergError) in
            try AvroSchema(json: json)
        }
        let name = metadata["avro.codec"].map { String(decoding: $0, as: UTF8.self) } ?? "null"
        guard let codec = AvroCodec(rawValue: name) else {
            throw IcebergError(.unsupported, "Avro codec \(name)")
        }
        self.codec = codec
    }

    /// Whether the file carries a checksum of its bytes, which then was right.
    package var isChecksummed: Bool { metadata[Self.checksumKey] != nil }

    private static func checkChecksum(
        _ bytes: [UInt8],
        digitsEnd: Int?,
        _ metadata: [String: [UInt8]],
        _ sync: ArraySlice<UInt8>
    ) throws(IcebergError) {
        guard let digitsEnd, let digits = metadata[checksumKey] else {
            if sync.starts(with: checksummedSync) {
                throw IcebergError(.corrupt, "the Avro file has lost its checksum: it is damaged")
            }
            return
        }
        let matches =
            digits.count == ChecksumDigits.count
            && bytes.withUnsafeBytes {
                ChecksumDigits.match($0, at: digitsEnd - ChecksumDigits.count)
            }
        if !matches {
            throw IcebergError(
                .corrupt,
                "the Avro file does not match its checksum: it is damaged"
            )
        }
    }

    /// The text of a metadata entry; nil when there is none or it is not UTF-8.
    package func text(_ key: String) -> String? {
        metadata[key].flatMap { String(validating: $0, as: UTF8.self) }
    }

    /// The next block, decompressed; nil at the end of the file.
    package mutating func nextBlock() throws(IcebergError) -> Block? {
        if at == bytes.count { return nil }
        var cursor = AvroCursor(bytes, range: at..<bytes.count)
        let count = try cursor.readLong()
        let size = try cursor.readLong()
        guard count >= 0, size >= 0, size <= Int64(cursor.remaining - 16) else {
            throw IcebergError(.corrupt, "Avro: a block is cut off (at byte \(at) of the file)")
        }
        let start = cursor.at
        let end = start + Int(size)
        guard bytes[end..<end + 16] == sync else {
            throw IcebergError(.corrupt, "Avro: no sync marker after a block (at byte \(end))")
        }
        at = end + 16
        let values: AvroCursor
        if codec == .null {
            values = AvroCursor(bytes, range: start..<end)
        } else {
            values = AvroCursor(try decompressed(bytes[start..<end]))
        }
        // Values without bytes are possible, but not in numbers that only a damaged file would have.
        guard count <= Int64(values.remaining / max(1, schema.sizeMin)) || count <= 1 << 16 else {
            throw IcebergError(.corrupt, "Avro: a block claims more values than it has bytes")
        }
        return Block(count: Int(count), cursor: values)
    }

    private func decompressed(_ block: ArraySlice<UInt8>) throws(IcebergError) -> [UInt8] {
        switch codec {
        case .null: return Array(block)
        case .deflate: return try Self.decompressed(.deflate, block)
        case .zstandard: return try Self.decompressed(.zstd, block)
        case .snappy:
            guard block.count >= 4 else {
                throw IcebergError(.corrupt, "Avro: a snappy block without its checksum")
            }
            let values = try Self.decompressed(.snappy, block.dropLast(4))
            let expected = block.suffix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            guard values.withUnsafeBytes({ crc32($0) }) == expected else {
                throw IcebergError(.corrupt, "Avro: the checksum of a snappy block is wrong")
            }
            return values
        }
    }

    private static func decompressed(
        _ codec: Codec,
        _ block: ArraySlice<UInt8>
    ) throws(IcebergError) -> [UInt8] {
        try IcebergError.bytes { () throws(BytesError) in
            try Bytes.decompressed(codec, Array(block), sizeMax: blockSizeMax)
        }
    }

    /// Reads all values that are left.
    package mutating func readAll() throws(IcebergError) -> [AvroValue] {
        var values: [AvroValue] = []
        while var block = try nextBlock() {
            for _ in 0..<block.count { values.append(try block.cursor.readValue(schema)) }
            try block.finish()
        }
        return values
    }
}

extension AvroFileReader.Block {
    /// Throws `corrupt` when bytes are left after the last value.
    package func finish() throws(IcebergError) {
        if cursor.remaining != 0 {
            throw IcebergError(.corrupt, "Avro: \(cursor.remaining) bytes are left in a block")
        }
    }
}

/// Writes an Avro object container file of values that are already encoded.
///
/// The same values give the same bytes: the sync marker is a hash of what comes before it. The header
/// has a checksum of the whole file.
package struct AvroFileWriter: Sendable {
    private let codec: AvroCodec
    private var file: AvroEncoder
    private var sync: [UInt8] = []
    private var block = AvroEncoder()
    private var blockCount: Int64 = 0
    /// Where in the file the digits of its checksum are.
    private let digitsOffset: Int

    /// A block is closed when it has this many bytes.
    private static let blockSize = 64 << 10

    /// Writes the header.
    ///
    /// - Parameter metadata: Entries after `avro.schema` and `avro.codec`, in this order.
    package init(schema: AvroSchema, metadata: [(key: String, value: String)], codec: AvroCodec) {
        self.codec = codec
        file = AvroEncoder()
        file.write(fixed: AvroFileReader.magic)
        let entries =
            [("avro.schema", schema.json.text()), ("avro.codec", codec.rawValue)]
            + metadata.map { ($0.key, $0.value) }
            + [(AvroFileReader.checksumKey, ChecksumDigits.placeholder)]
        file.write(Int64(entries.count))
        for (key, value) in entries {
            file.write(key)
            file.write(Array(value.utf8))
        }
        digitsOffset = file.bytes.count - ChecksumDigits.count
        file.write(Int64(0))
        sync = AvroFileReader.checksummedSync
        file.bytes.withUnsafeBytes { sync.appendLittleEndian(xxHash64($0, seed: 0)) }
        file.write(fixed: sync)
    }

    /// How long the file is so far, not counting the block that is being filled.
    var sizeBytes: Int { file.bytes.count }

    /// Appends one value that `body` encodes.
    package mutating func append(
        _ body: (inout AvroEncoder) throws(IcebergError) -> Void
    ) throws(IcebergError) {
        try body(&block)
        blockCount += 1
        if block.bytes.count >= Self.blockSize { try closeBlock() }
    }

    private mutating func closeBlock() throws(IcebergError) {
        if blockCount == 0 { return }
        let values = block.bytes
        let compressed = try IcebergError.bytes { () throws(BytesError) in
            try Self.compressed(codec, values)
        }
        file.write(blockCount)
        file.write(compressed)
        file.write(fixed: sync)
        block = AvroEncoder()
        blockCount = 0
    }

    private static func compressed(
        _ codec: AvroCodec,
        _ values: [UInt8]
    ) throws(BytesError) -> [UInt8] {
        try values.withUnsafeBufferPointer { (buffer) throws(BytesError) in
            let raw = UnsafeRawBufferPointer(buffer)
            switch codec {
            case .null: return values
            case .deflate: return try compress(.deflate, raw)
            case .zstandard: return try compress(.zstd, raw)
            case .snappy:
                var block = try compress(.snappy, raw)
                block.appendBigEndian(crc32(raw))
                return block
            }
        }
    }

    /// The whole file.
    package mutating func finish() throws(IcebergError) -> [UInt8] {
        try closeBlock()
        var bytes = file.bytes
        ChecksumDigits.fill(&bytes, at: digitsOffset)
        return bytes
    }
}
