import CZlib
import CZstd

/// A compressed form for files and bodies of any length, which says itself where it ends.
package enum StreamFormat: Sendable, Hashable {
    /// RFC 1952: one or more members.
    case gzip
    /// RFC 8878: one or more frames.
    case zstd

    /// The format that bytes begin like; nil when they are neither.
    package static func detect(_ bytes: UnsafeRawBufferPointer) -> StreamFormat? {
        if bytes.count >= 2, bytes[0] == 0x1F, bytes[1] == 0x8B { return .gzip }
        guard bytes.count >= 4 else { return nil }
        let magic = UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self))
        // A frame, or one that is to be skipped.
        return magic == 0xFD2F_B528 || magic & 0xFFFF_FFF0 == 0x184D_2A50 ? .zstd : nil
    }
}

/// Decompresses a stream that comes in pieces: compressed bytes are fed, plain ones drained.
///
/// ```
/// between members ◀──────────▶ inside a member ──▶ failed
/// ```
///
/// However much the stream swells, `drain` gives at most as many bytes as it has room for; memory
/// is what was fed and not drained yet, and the window (at most 128 MiB for zstd, 32 KiB for gzip).
/// Not to be shared between threads.
package final class StreamDecompressor {
    private let format: StreamFormat
    private var pending: [UInt8] = []
    /// How much of `pending` is done with.
    private var consumedCount = 0
    private var isInsideMember = false
    private var memberCount = 0
    private var failure: BytesError?
    /// Bytes fed so far, for messages.
    private var fedCount = 0
    /// zlib keeps the address of its stream.
    private var zlib: UnsafeMutablePointer<z_stream>?
    private var zstd: OpaquePointer?

    /// The largest window that a zstd frame may ask for, as a power of two.
    private static let windowLogMax: Int32 = 27

    package init(_ format: StreamFormat) throws(BytesError) {
        self.format = format
        switch format {
        case .gzip:
            let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
            stream.initialize(to: z_stream())
            let size = Int32(MemoryLayout<z_stream>.size)
            guard inflateInit2_(stream, 15 + 16, ZLIB_VERSION, size) == Z_OK else {
                stream.deallocate()
                throw BytesError(.unsupported, "no memory for a gzip context")
            }
            zlib = stream
        case .zstd:
            guard let context = ZSTD_createDStream() else {
                throw BytesError(.unsupported, "no memory for a zstd context")
            }
            zstd = context
            _ = ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, Self.windowLogMax)
        }
    }

    deinit {
        if let zlib {
            inflateEnd(zlib)
            zlib.deallocate()
        }
        if let zstd { ZSTD_freeDStream(zstd) }
    }

    /// Takes more of the compressed stream.
    package func feed(_ bytes: UnsafeRawBufferPointer) {
        if consumedCount > 0 {
            pending.removeFirst(consumedCount)
            consumedCount = 0
        }
        pending.append(contentsOf: bytes)
        fedCount += bytes.count
    }

    /// Takes more of the compressed stream.
    package func feed(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { feed($0) }
    }

    /// Fills `target` as far as the bytes fed so far go; 0 means that more are needed.
    ///
    /// - Throws: `corrupt` when the stream is damaged.
    package func drain(into target: UnsafeMutableRawBufferPointer) throws(BytesError) -> Int {
        if let failure { throw failure }
        do throws(BytesError) {
            switch format {
            case .gzip: return try drainGzip(target)
            case .zstd: return try drainZstd(target)
            }
        } catch {
            failure = error
            throw error
        }
    }

    /// The next plain bytes, at most `countMax`; empty means that more compressed ones are needed.
    package func drain(countMax: Int = 1 << 16) throws(BytesError) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: countMax)
        var written = 0
        var thrown: BytesError?
        result.withUnsafeMutableBytes { target in
            do throws(BytesError) {
                written = try drain(into: target)
            } catch {
                thrown = error
            }
        }
        if let thrown { throw thrown }
        result.removeLast(countMax - written)
        return result
    }

    /// Says that nothing more is fed, after everything was drained.
    ///
    /// - Throws: `truncated` when the stream ends inside a member or frame, or has none at all.
    package func finish() throws(BytesError) {
        if let failure { throw failure }
        if isInsideMember || memberCount == 0 || consumedCount < pending.count {
            throw BytesError(.truncated, "a \(format) stream ends too early", offset: fedCount)
        }
    }

    private var offset: Int { fedCount - (pending.count - consumedCount) }

    private func drainGzip(_ target: UnsafeMutableRawBufferPointer) throws(BytesError) -> Int {
        guard let zlib else { return 0 }
        var written = 0
        while written < target.count {
            if !isInsideMember, memberCount > 0 {
                // Files on tapes are filled up with zeros.
                while consumedCount < pending.count, pending[consumedCount] == 0 {
                    consumedCount += 1
                }
            }
            let available = pending.count - consumedCount
            if available == 0, !isInsideMember { break }
            if !isInsideMember, memberCount > 0 { inflateReset(zlib) }
            isInsideMember = true
            // zlib counts in 32 bits.
            let inputCount = min(available, 1 << 30)
            let outputCount = min(target.count - written, 1 << 30)
            let status = pending.withUnsafeMutableBufferPointer { input -> Int32 in
                zlib.pointee.next_in = input.baseAddress.map { $0 + consumedCount }
                zlib.pointee.avail_in = uInt(inputCount)
                zlib.pointee.next_out = target.baseAddress
                    .map { ($0 + written).assumingMemoryBound(to: UInt8.self) }
                zlib.pointee.avail_out = uInt(outputCount)
                return inflate(zlib, Z_NO_FLUSH)
            }
            let consumed = inputCount - Int(zlib.pointee.avail_in)
            let produced = outputCount - Int(zlib.pointee.avail_out)
            consumedCount += consumed
            written += produced
            switch status {
            case Z_STREAM_END:
                isInsideMember = false
                memberCount += 1
            case Z_OK, Z_BUF_ERROR:
                if consumed == 0, produced == 0 { return written }
            default:
                throw BytesError(
                    .corrupt,
                    "a gzip stream does not decompress (zlib \(status))",
                    offset: offset
                )
            }
        }
        return written
    }

    private func drainZstd(_ target: UnsafeMutableRawBufferPointer) throws(BytesError) -> Int {
        guard let zstd else { return 0 }
        var written = 0
        while written < target.count {
            let available = pending.count - consumedCount
            if available == 0, !isInsideMember { break }
            var input = ZSTD_inBuffer()
            var output = ZSTD_outBuffer(
                dst: target.baseAddress,
                size: target.count,
                pos: written
            )
            let status = pending.withUnsafeBytes { bytes -> Int in
                input.src = bytes.baseAddress.map { $0 + consumedCount }
                input.size = available
                return ZSTD_decompressStream(zstd, &output, &input)
            }
            if ZSTD_isError(status) != 0 {
                let why = String(cString: ZSTD_getErrorName(status))
                throw BytesError(
                    .corrupt,
                    "a zstd stream does not decompress: \(why)",
                    offset: offset
                )
            }
            let produced = output.pos - written
            consumedCount += input.pos
            written = output.pos
            if status == 0 {
                isInsideMember = false
                memberCount += 1
            } else {
                isInsideMember = true
                if produced == 0, input.pos == 0 { break }
            }
        }
        return written
    }
}
