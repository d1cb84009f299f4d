import CZlib
import CZstd

/// Compresses a stream that comes in pieces, as one gzip member or one zstd frame.
///
/// Memory is the library's window and what the caller has not taken. Not to be shared between threads.
package final class StreamCompressor {
    private let format: StreamFormat
    private var isFinished = false
    private var zlib: UnsafeMutablePointer<z_stream>?
    private var zstd: OpaquePointer?

    private static let outputBlockBytes = 1 << 16

    /// - Parameter level: the library's own scale; nil for its default.
    /// - Throws: `unsupported` when the library refuses the level.
    package init(_ format: StreamFormat, level: Int32? = nil) throws(BytesError) {
        self.format = format
        switch format {
        case .gzip:
            let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
            stream.initialize(to: z_stream())
            let status = deflateInit2_(
                stream,
                level ?? Z_DEFAULT_COMPRESSION,
                Z_DEFLATED,
                15 + 16,
                8,
                Z_DEFAULT_STRATEGY,
                ZLIB_VERSION,
                Int32(MemoryLayout<z_stream>.size)
            )
            guard status == Z_OK else {
                stream.deallocate()
                throw BytesError(.unsupported, "zlib refused level \(level ?? -1)")
            }
            zlib = stream
        case .zstd:
            guard let context = ZSTD_createCStream() else {
                throw BytesError(.unsupported, "no memory for a zstd context")
            }
            zstd = context
            let status = ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level ?? 3)
            _ = ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
            if ZSTD_isError(status) != 0 {
                throw BytesError(.unsupported, "zstd refused level \(level ?? 3)")
            }
        }
    }

    deinit {
        if let zlib {
            deflateEnd(zlib)
            zlib.deallocate()
        }
        if let zstd { ZSTD_freeCStream(zstd) }
    }

    /// Compresses more bytes; what is ready of the stream is appended to `output`.
    package func compress(
        _ bytes: UnsafeRawBufferPointer,
        into output: inout [UInt8]
    ) throws(BytesError) {
        precondition(!isFinished, "compressed after the end")
        try run(bytes, isLast: false, into: &output)
    }

    /// Compresses more bytes; what is ready of the stream is appended to `output`.
    package func compress(_ bytes: [UInt8], into output: inout [UInt8]) throws(BytesError) {
        var thrown: BytesError?
        bytes.withUnsafeBytes { source in
            do throws(BytesError) {
                try compress(source, into: &output)
            } catch {
                thrown = error
            }
        }
        if let thrown { throw thrown }
    }

    /// Ends the stream; the rest of it is appended to `output`.
    package func finish(into output: inout [UInt8]) throws(BytesError) {
        precondition(!isFinished, "finished twice")
        isFinished = true
        try run(UnsafeRawBufferPointer(start: nil, count: 0), isLast: true, into: &output)
    }

    private func run(
        _ bytes: UnsafeRawBufferPointer,
        isLast: Bool,
        into output: inout [UInt8]
    ) throws(BytesError) {
        var consumed = 0
        while true {
            let start = output.count
            output.append(contentsOf: repeatElement(0, count: Self.outputBlockBytes))
            var produced = 0
            var isDone = false
            var failure: String?
            output.withUnsafeMutableBytes { all in
                let target = UnsafeMutableRawBufferPointer(rebasing: all[start...])
                let rest = UnsafeRawBufferPointer(rebasing: bytes[consumed...])
                switch format {
                case .gzip: (produced, isDone, failure) = runGzip(rest, target, isLast, &consumed)
                case .zstd: (produced, isDone, failure) = runZstd(rest, target, isLast, &consumed)
                }
            }
            output.removeLast(Self.outputBlockBytes - produced)
            if let failure { throw BytesError(.unsupported, failure) }
            if isDone { return }
        }
    }

    private func runGzip(
        _ bytes: UnsafeRawBufferPointer,
        _ target: UnsafeMutableRawBufferPointer,
        _ isLast: Bool,
        _ consumed: inout Int
    ) -> (produced: Int, isDone: Bool, failure: String?) {
        guard let zlib else { return (0, true, nil) }
        let inputCount = min(bytes.count, 1 << 30)
        zlib.pointee.next_in = UnsafeMutablePointer(
            mutating: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
        )
        zlib.pointee.avail_in = uInt(inputCount)
        zlib.pointee.next_out = target.baseAddress?.assumingMemoryBound(to: UInt8.self)
        zlib.pointee.avail_out = uInt(target.count)
        let status = deflate(zlib, isLast ? Z_FINISH : Z_NO_FLUSH)
        consumed += inputCount - Int(zlib.pointee.avail_in)
        let produced = target.count - Int(zlib.pointee.avail_out)
        if status == Z_STREAM_END { return (produced, true, nil) }
        guard status == Z_OK || status == Z_BUF_ERROR else {
            return (produced, true, "gzip could not compress (zlib \(status))")
        }
        let isAllTaken = zlib.pointee.avail_in == 0 && inputCount == bytes.count
        return (produced, !isLast && isAllTaken && zlib.pointee.avail_out > 0, nil)
    }

    private func runZstd(
        _ bytes: UnsafeRawBufferPointer,
        _ target: UnsafeMutableRawBufferPointer,
        _ isLast: Bool,
        _ consumed: inout Int
    ) -> (produced: Int, isDone: Bool, failure: String?) {
        guard let zstd else { return (0, true, nil) }
        var input = ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: 0)
        var output = ZSTD_outBuffer(dst: target.baseAddress, size: target.count, pos: 0)
        let mode = isLast ? ZSTD_e_end : ZSTD_e_continue
        let left = ZSTD_compressStream2(zstd, &output, &input, mode)
        consumed += input.pos
        if ZSTD_isError(left) != 0 {
            let why = String(cString: ZSTD_getErrorName(left))
            return (output.pos, true, "zstd could not compress: \(why)")
        }
        if isLast { return (output.pos, left == 0, nil) }
        return (output.pos, input.pos == bytes.count && output.pos < target.count, nil)
    }
}
