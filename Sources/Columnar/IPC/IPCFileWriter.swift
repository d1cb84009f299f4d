import Bytes

/// Writes record batches as an Arrow IPC file ("Feather version 2").
///
/// The pieces come in order: `begin`, any number of `encode`, `end`.
package struct IPCFileWriter: Sendable {
    private var stream: IPCStreamWriter
    /// Offset, metadata length and body length of every batch.
    private var blocks: [Int64] = []
    private var byteCount = 0

    package init(schema: Schema, options: IPCWriteOptions = IPCWriteOptions()) {
        var plain = options
        plain.dictionaryColumns = []
        stream = IPCStreamWriter(schema: schema, options: plain)
    }

    /// The bytes that the file begins with.
    package mutating func begin() throws(IPCError) -> [UInt8] {
        let bytes = IPCFormat.magic + [0, 0] + (try stream.schemaMessage())
        byteCount = bytes.count
        return bytes
    }

    /// The bytes of one batch.
    package mutating func encode(_ batch: RecordBatch) throws(IPCError) -> [UInt8] {
        precondition(byteCount > 0, "encoded before the beginning")
        var result: [UInt8] = []
        for message in try stream.messages(batch) {
            blocks.append(Int64(byteCount))
            // A length of 32 bits, and padding up to the next field.
            blocks.append(Int64(message.metadataCount))
            blocks.append(Int64(message.bytes.count - message.metadataCount))
            byteCount += message.bytes.count
            result += message.bytes
        }
        return result
    }

    /// The end of the stream, and the footer.
    package func end() throws(IPCError) -> [UInt8] {
        var builder = FlatBufferBuilder()
        let writer = IPCSchemaWriter(usesLargeOffsets: stream.options.usesLargeOffsets)
        let schema = try writer.write(stream.schema, to: &builder)
        let dictionaries = builder.vector(ofWords: [], wordsPerStruct: 3)
        let batches = builder.vector(ofWords: blocks, wordsPerStruct: 3)
        let root = builder.table {
            $0.set(0, IPCFormat.version5)
            $0.set(1, schema)
            $0.set(2, dictionaries)
            $0.set(3, batches)
        }
        let footer = builder.finish(root)
        var bytes = stream.end()
        bytes += footer
        bytes.appendLittleEndian(Int32(footer.count))
        return bytes + IPCFormat.magic
    }
}
