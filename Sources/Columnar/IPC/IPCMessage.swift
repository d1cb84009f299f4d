/// What the metadata of a message says.
struct IPCMessage {
    enum Header {
        case schema([IPCField])
        case recordBatch(IPCBatchHeader)
        case dictionary(id: Int64, isDelta: Bool, IPCBatchHeader)
    }

    var header: Header
    var bodyByteCount: Int

    /// Metadata of this size is taken for damage.
    static let metadataBytesMax = 1 << 28

    init(_ metadata: UnsafeRawBufferPointer) throws(IPCError) {
        let table = try FlatBufferTable(root: metadata)
        let version = try table.scalar(0, default: 0 as Int16)
        guard version == IPCFormat.version4 || version == IPCFormat.version5 else {
            throw IPCError(
                .unsupported,
                "metadata of version \(Int(version) + 1); 4 and 5 are read"
            )
        }
        let length = try table.scalar(3, default: 0 as Int64)
        guard length >= 0, length <= 1 << 40 else {
            throw IPCError(.corrupt, "a body of \(length) bytes")
        }
        bodyByteCount = Int(length)
        let number = try table.scalar(1, default: 0 as UInt8)
        guard let content = try table.table(2) else {
            throw IPCError(.corrupt, "a message without content")
        }
        switch IPCFormat.Header(rawValue: number) {
        case .schema: header = .schema(try IPCSchemaReader.read(content))
        case .recordBatch: header = .recordBatch(try IPCBatchHeader(content))
        case .dictionaryBatch:
            guard let data = try content.table(1) else {
                throw IPCError(.corrupt, "a dictionary without values")
            }
            header = .dictionary(
                id: try content.scalar(0, default: 0),
                isDelta: try content.bool(2),
                try IPCBatchHeader(data)
            )
        case nil: throw IPCError(.unsupported, "a message of kind \(number)")
        }
    }
}

/// The shape of a record batch: what its body holds where.
struct IPCBatchHeader {
    var rowCount: Int
    /// Length and null count of every field, depth first.
    var nodes: [Int64]
    /// Offset and length of every buffer.
    var buffers: [Int64]
    var compression: IPCCompression?
    var variadicCounts: [Int64]

    init(_ table: FlatBufferTable) throws(IPCError) {
        let length = try table.scalar(0, default: 0 as Int64)
        guard length >= 0, length < Int64(Int32.max) else {
            throw IPCError(.unsupported, "a batch of \(length) rows")
        }
        rowCount = Int(length)
        nodes = try table.words(1, wordsPerStruct: 2)
        buffers = try table.words(2, wordsPerStruct: 2)
        variadicCounts = try table.words(4, wordsPerStruct: 1)
        if let compression = try table.table(3) {
            let codec = try compression.scalar(0, default: 0 as UInt8)
            let method = try compression.scalar(1, default: 0 as UInt8)
            guard let known = IPCCompression(rawValue: codec), method == 0 else {
                throw IPCError(.unsupported, "compression \(codec) by method \(method)")
            }
            self.compression = known
        }
    }
}
