/// Limits of an IPC reader.
package struct IPCReadOptions: Sendable, Hashable {
    /// How many bytes the columns of one batch may take beside the message itself: what compressed
    /// buffers and converted columns come to.
    package var batchBytesMax = 1 << 32

    package init() {}
}

/// Reads an Arrow IPC stream as it comes: bytes are fed in pieces of any size, batches are taken out.
///
/// ```
/// schema ──▶ (dictionaries | batches)* ──▶ ended
///    └──────────────┴──▶ failed (the same error again and again)
/// ```
///
/// Batches come as they were written, which may be more rows than ours have; their columns keep the
/// message's body alive. Memory is what was fed and not taken out. Not to be shared between threads.
package final class IPCStreamReader {
    private let options: IPCReadOptions
    private var pending: [UInt8] = []
    /// How much of `pending` is done with.
    private var consumedCount = 0
    private var decoder: IPCDecoder?
    private var isEnded = false
    private var failure: IPCError?

    package init(options: IPCReadOptions = IPCReadOptions()) {
        self.options = options
    }

    /// The fields; nil until the first message has been read by `next`.
    package var schema: Schema? { decoder?.schema }

    /// Takes more bytes of the stream.
    package func feed(_ bytes: UnsafeRawBufferPointer) {
        if consumedCount > 1 << 16, consumedCount > pending.count / 2 {
            pending.removeFirst(consumedCount)
            consumedCount = 0
        }
        pending.append(contentsOf: bytes)
    }

    /// Takes more bytes of the stream.
    package func feed(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { feed($0) }
    }

    /// The next batch; nil when more bytes are needed or the stream is at its end.
    ///
    /// - Throws: `corrupt`, or `unsupported` when a field's type has no equal here.
    package func next() throws(IPCError) -> RecordBatch? {
        if let failure { throw failure }
        do throws(IPCError) {
            while !isEnded {
                guard let (message, body) = try nextMessage() else { return nil }
                switch message.header {
                case .schema(let fields):
                    guard decoder == nil else {
                        throw IPCError(.corrupt, "a stream with two schemas")
                    }
                    decoder = IPCDecoder(fields, batchBytesMax: options.batchBytesMax)
                case .dictionary(let id, let isDelta, let header):
                    guard decoder != nil else { throw Self.noSchema }
                    try decoder?.addDictionary(id, isDelta: isDelta, header, body)
                case .recordBatch(let header):
                    guard let decoder else { throw Self.noSchema }
                    return try decoder.batch(header, body)
                }
            }
            return nil
        } catch {
            failure = error
            throw error
        }
    }

    private static var noSchema: IPCError {
        IPCError(.corrupt, "a stream that does not begin with a schema")
    }

    /// Says that nothing more is fed, after everything was taken out.
    ///
    /// - Throws: `truncated` when the stream ends inside a message or has no schema.
    package func finish() throws(IPCError) {
        if let failure { throw failure }
        if decoder == nil || (!isEnded && consumedCount < pending.count) {
            throw IPCError(.truncated, "an Arrow stream ends too early")
        }
    }

    /// The next message that is there as a whole.
    private func nextMessage() throws(IPCError) -> (IPCMessage, Buffer)? {
        var result: (IPCMessage, Buffer)?
        var thrown: IPCError?
        pending.withUnsafeBytes { all in
            let bytes = UnsafeRawBufferPointer(rebasing: all[consumedCount...])
            do throws(IPCError) {
                guard let prefix = try IPCPrefix(bytes) else { return }
                if prefix.metadataCount == 0 {
                    isEnded = true
                    consumedCount += prefix.byteCount
                    return
                }
                let start = prefix.byteCount + prefix.metadataCount
                guard bytes.count >= start else { return }
                let message = try IPCMessage(
                    UnsafeRawBufferPointer(rebasing: bytes[prefix.byteCount..<start])
                )
                guard bytes.count - start >= message.bodyByteCount else { return }
                let end = start + message.bodyByteCount
                let body = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
                result = (message, Buffer(copying: body))
                consumedCount += end
            } catch {
                thrown = error
            }
        }
        if let thrown { throw thrown }
        return result
    }
}

/// What stands before the metadata of a message.
struct IPCPrefix {
    /// Bytes of the prefix itself.
    var byteCount: Int
    /// Bytes of metadata, padding included; 0 at the end of a stream.
    var metadataCount: Int

    /// nil when the prefix is not there as a whole.
    init?(_ bytes: UnsafeRawBufferPointer) throws(IPCError) {
        guard bytes.count >= 4 else { return nil }
        var length = UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self))
        byteCount = 4
        // Writers before Arrow 0.15 begin with the length.
        if length == IPCFormat.continuation {
            guard bytes.count >= 8 else { return nil }
            length = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
            byteCount = 8
        }
        guard length <= IPCMessage.metadataBytesMax else {
            throw IPCError(.corrupt, "metadata of \(length) bytes")
        }
        metadataCount = Int(length)
    }
}
