import Bytes

/// Choices of an IPC writer.
package struct IPCWriteOptions: Sendable, Hashable {
    /// How buffers are compressed; nil for not at all.
    package var compression: IPCCompression?
    /// Whether text and binary have offsets of 64 bits instead of 32.
    package var usesLargeOffsets = false
    /// Numbers of columns (not nested ones) that a stream has as indices into dictionaries.
    ///
    /// A dictionary is sent when it differs from the one before. Files have plain values instead:
    /// their format does not let dictionaries change.
    package var dictionaryColumns: Set<Int> = []

    package init() {}
}

/// Writes record batches as an Arrow IPC stream.
///
/// Dictionaries and constants are written as plain values, unless the options say otherwise. A batch with more than 2 GiB of text in
/// a column is cut in two, so that 32-bit offsets always do.
package struct IPCStreamWriter: Sendable {
    package let schema: Schema
    package let options: IPCWriteOptions
    /// The dictionaries that the reader has, by column.
    private var sentDictionaries: [Int: ColumnDictionary] = [:]

    package init(schema: Schema, options: IPCWriteOptions = IPCWriteOptions()) {
        self.schema = schema
        self.options = options
    }

    /// The message that a stream begins with.
    ///
    /// - Throws: `unsupported` when types are nested too deep.
    package func schemaMessage() throws(IPCError) -> [UInt8] {
        var builder = FlatBufferBuilder()
        for column in options.dictionaryColumns.sorted() {
            let isColumn = schema.fields.indices.contains(column)
            if !isColumn || schema[column].type.isNested || schema[column].type == .null {
                throw IPCError(.unsupported, "column \(column) cannot have a dictionary")
            }
        }
        let writer = IPCSchemaWriter(
            usesLargeOffsets: options.usesLargeOffsets,
            dictionaryColumns: options.dictionaryColumns
        )
        let reference = try writer.write(schema, to: &builder)
        return Self.message(builder, .schema, reference, body: []).bytes
    }

    /// The message of one batch (two or more when it is very large).
    ///
    /// - Throws: `unsupported` when the batch has another schema, or a value has no form in Arrow.
    package mutating func encode(_ batch: RecordBatch) throws(IPCError) -> [UInt8] {
        var result: [UInt8] = []
        for message in try messages(batch) { result += message.bytes }
        return result
    }

    /// What a stream ends with.
    package func end() -> [UInt8] {
        [0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0]
    }

    struct Message {
        var bytes: [UInt8]
        /// Prefix, metadata and padding.
        var metadataCount: Int
    }

    mutating func messages(_ batch: RecordBatch) throws(IPCError) -> [Message] {
        guard batch.schema.count == schema.count else {
            throw IPCError(
                .unsupported,
                "a batch of \(batch.schema.count) columns in a stream of \(schema.count)"
            )
        }
        for (field, column) in zip(schema.fields, batch.columns) {
            guard Self.isSameShape(field.type, column.type) else {
                throw IPCError(
                    .unsupported,
                    "a column of \(column.type) in a stream that has \(field.type)",
                    path: [field.name]
                )
            }
        }
        if !options.usesLargeOffsets, batch.rowCount > 1, Self.textIsTooLong(batch) {
            let middle = batch.rowCount / 2
            return try messages(batch.slice(0..<middle))
                + messages(batch.slice(middle..<batch.rowCount))
        }
        var result: [Message] = []
        var body = newBody()
        for (number, field) in schema.fields.enumerated() {
            let column = batch.columns[number]
            guard options.dictionaryColumns.contains(number) else {
                try IPCError.during(field.name) { () throws(IPCError) in try body.add(column) }
                continue
            }
            let (codes, validity, dictionary) = IPCDictionaryEncoding.encode(column)
            if sentDictionaries[number] !== dictionary {
                sentDictionaries[number] = dictionary
                var values = newBody()
                try IPCError.during(field.name) { () throws(IPCError) in
                    try values.add(dictionary.values)
                }
                var builder = FlatBufferBuilder()
                let data = recordBatch(values, rowCount: dictionary.count, &builder)
                let reference = builder.table {
                    $0.set(0, Int64(number))
                    $0.set(1, data)
                }
                result.append(
                    Self.message(builder, .dictionaryBatch, reference, body: values.body)
                )
            }
            try body.addIndices(codes, count: batch.rowCount, validity: validity)
        }
        var builder = FlatBufferBuilder()
        let reference = recordBatch(body, rowCount: batch.rowCount, &builder)
        result.append(Self.message(builder, .recordBatch, reference, body: body.body))
        return result
    }

    private func newBody() -> IPCBodyWriter {
        IPCBodyWriter(
            compression: options.compression,
            usesLargeOffsets: options.usesLargeOffsets
        )
    }

    /// Appends a RecordBatch table.
    private func recordBatch(
        _ body: IPCBodyWriter,
        rowCount: Int,
        _ builder: inout FlatBufferBuilder
    ) -> FlatBufferBuilder.Reference {
        let nodes = builder.vector(ofWords: body.nodes, wordsPerStruct: 2)
        let buffers = builder.vector(ofWords: body.buffers, wordsPerStruct: 2)
        let compression = options.compression.map { codec in
            builder.table { $0.set(0, codec.rawValue) }
        }
        return builder.table {
            $0.set(0, Int64(rowCount))
            $0.set(1, nodes)
            $0.set(2, buffers)
            if let compression { $0.set(3, compression) }
        }
    }

    /// Whether two types are written alike: names, ids and nullability do not matter.
    private static func isSameShape(_ a: DataType, _ b: DataType) -> Bool {
        switch (a, b) {
        case (.list(let x), .list(let y)): isSameShape(x.type, y.type)
        case (.structure(let x), .structure(let y)):
            x.count == y.count && zip(x, y).allSatisfy { isSameShape($0.type, $1.type) }
        case (.map(let key, let value), .map(let otherKey, let otherValue)):
            isSameShape(key.type, otherKey.type) && isSameShape(value.type, otherValue.type)
        default: a == b
        }
    }

    private static func textIsTooLong(_ batch: RecordBatch) -> Bool {
        batch.columns.contains { textByteCount($0) > Int(Int32.max) }
    }

    /// Upper bound of the bytes of text in a column or, for nested ones, in its largest part.
    private static func textByteCount(_ column: Column) -> Int {
        switch column.storage {
        case .views(let slice, _):
            let views = slice.pointer(as: StringView.self)
            var total = 0
            for row in 0..<column.count { total &+= views[row].count }
            return total
        case .dictionary(_, let dictionary):
            guard column.type.physical == .view, dictionary.count > 0 else { return 0 }
            return textByteCount(column.flattened())
        case .constant(let box): return textByteCount(box.column) * column.count
        case .list(_, let elements): return textByteCount(elements.column)
        case .structure(let columns): return columns.map { textByteCount($0) }.max() ?? 0
        case .map(_, let keys, let values):
            return max(textByteCount(keys.column), textByteCount(values.column))
        case .null, .bits, .fixed: return 0
        }
    }

    /// An encapsulated message: continuation, length, metadata, padding, body.
    private static func message(
        _ builder: consuming FlatBufferBuilder,
        _ header: IPCFormat.Header,
        _ reference: FlatBufferBuilder.Reference,
        body: [UInt8]
    ) -> Message {
        let root = builder.table {
            $0.set(3, Int64(body.count))
            $0.set(2, reference)
            $0.set(0, IPCFormat.version5)
            $0.set(1, header.rawValue)
        }
        let metadata = builder.finish(root)
        // The body begins at a multiple of 8, as the format asks.
        let padded = (metadata.count + 7) & ~7
        var bytes: [UInt8] = []
        bytes.reserveCapacity(8 + padded + body.count)
        bytes.appendLittleEndian(IPCFormat.continuation)
        bytes.appendLittleEndian(Int32(padded))
        bytes += metadata
        bytes.append(contentsOf: repeatElement(0, count: padded - metadata.count))
        let metadataCount = bytes.count
        bytes += body
        return Message(bytes: bytes, metadataCount: metadataCount)
    }
}
