/// Reads an Arrow IPC file that is in memory (or mapped), batch by batch in any order.
///
/// Not to be shared between threads.
package final class IPCFileReader {
    private struct Block {
        var offset: Int
        var metadataCount: Int
        var bodyCount: Int
    }

    private let bytes: [UInt8]
    private var decoder: IPCDecoder
    private var blocks: [Block] = []

    /// Reads the footer and the dictionaries.
    ///
    /// - Throws: `corrupt` when it is no Arrow file, or `unsupported`.
    package init(
        _ bytes: [UInt8],
        options: IPCReadOptions = IPCReadOptions()
    ) throws(IPCError) {
        self.bytes = bytes
        let magic = IPCFormat.magic
        guard bytes.count >= 8 + 4 + magic.count, bytes.starts(with: magic),
            bytes.suffix(magic.count).elementsEqual(magic)
        else {
            throw IPCError(.corrupt, "the bytes are no Arrow file")
        }
        let footerEnd = bytes.count - magic.count - 4
        let length = bytes[footerEnd..<footerEnd + 4].reversed().reduce(0) { $0 << 8 | Int($1) }
        guard length <= footerEnd - 8, length <= IPCMessage.metadataBytesMax else {
            throw IPCError(.corrupt, "a footer of \(length) bytes")
        }
        let footer = bytes[footerEnd - length..<footerEnd]
        let content = try Self.content(footer)
        decoder = IPCDecoder(content.fields, batchBytesMax: options.batchBytesMax)
        let dictionaries = try Self.blocks(content.dictionaries, limit: footerEnd - length)
        blocks = try Self.blocks(content.batches, limit: footerEnd - length)
        for block in dictionaries {
            let (message, body) = try message(block)
            guard case .dictionary(let id, let isDelta, let header) = message.header else {
                throw IPCError(.corrupt, "the footer takes another message for a dictionary")
            }
            try decoder.addDictionary(id, isDelta: isDelta, header, body)
        }
    }

    package var schema: Schema { decoder.schema }

    /// How many batches there are.
    package var batchCount: Int { blocks.count }

    /// A batch as it was written, which may be more rows than ours have.
    package func batch(at index: Int) throws(IPCError) -> RecordBatch {
        precondition(blocks.indices.contains(index))
        let (message, body) = try message(blocks[index])
        guard case .recordBatch(let header) = message.header else {
            throw IPCError(.corrupt, "the footer takes another message for a batch")
        }
        return try decoder.batch(header, body)
    }

    private struct Content {
        var fields: [IPCField]
        var dictionaries: [Int64]
        var batches: [Int64]
    }

    private static func content(_ footer: ArraySlice<UInt8>) throws(IPCError) -> Content {
        var result: Content?
        var thrown: IPCError?
        footer.withUnsafeBytes { bytes in
            do throws(IPCError) {
                let table = try FlatBufferTable(root: bytes)
                guard let schema = try table.table(1) else {
                    throw IPCError(.corrupt, "a file without schema")
                }
                result = Content(
                    fields: try IPCSchemaReader.read(schema),
                    dictionaries: try table.words(2, wordsPerStruct: 3),
                    batches: try table.words(3, wordsPerStruct: 3)
                )
            } catch {
                thrown = error
            }
        }
        guard let result else { throw thrown ?? IPCError(.corrupt, "a file without footer") }
        return result
    }

    private static func blocks(_ words: [Int64], limit: Int) throws(IPCError) -> [Block] {
        var result: [Block] = []
        for start in stride(from: 0, to: words.count, by: 3) {
            let offset = words[start]
            // The length has 32 bits; what lies behind is padding.
            let metadataCount = Int64(Int32(truncatingIfNeeded: words[start + 1]))
            let bodyCount = words[start + 2]
            guard offset >= 8, metadataCount >= 8, bodyCount >= 0, offset <= Int64(limit),
                metadataCount <= Int64(limit) - offset,
                bodyCount <= Int64(limit) - offset - metadataCount
            else {
                throw IPCError(.corrupt, "the footer points outside the file")
            }
            result.append(
                Block(
                    offset: Int(offset),
                    metadataCount: Int(metadataCount),
                    bodyCount: Int(bodyCount)
                )
            )
        }
        return result
    }

    private func message(_ block: Block) throws(IPCError) -> (IPCMessage, Buffer) {
        var result: (IPCMessage, Buffer)?
        var thrown: IPCError?
        bytes.withUnsafeBytes { all in
            let bodyStart = block.offset + block.metadataCount
            let whole = UnsafeRawBufferPointer(rebasing: all[block.offset..<bodyStart])
            do throws(IPCError) {
                guard let prefix = try IPCPrefix(whole),
                    prefix.byteCount + prefix.metadataCount <= whole.count
                else {
                    throw IPCError(.corrupt, "the footer points into the middle of a message")
                }
                let end = prefix.byteCount + prefix.metadataCount
                let message = try IPCMessage(
                    UnsafeRawBufferPointer(rebasing: whole[prefix.byteCount..<end])
                )
                guard message.bodyByteCount <= block.bodyCount else {
                    throw IPCError(.corrupt, "footer and message state different lengths")
                }
                let body = UnsafeRawBufferPointer(
                    rebasing: all[bodyStart..<bodyStart + message.bodyByteCount]
                )
                result = (message, Buffer(copying: body))
            } catch {
                thrown = error
            }
        }
        guard let result else { throw thrown ?? IPCError(.corrupt, "a message is missing") }
        return result
    }
}
