import CLZ4
import CSnappy
import CZlib
import CZstd

/// A way to compress one block of bytes whose uncompressed size is known from elsewhere.
package enum Codec: Sendable, Hashable {
    case zstd
    case snappy
    /// One LZ4 block without a frame.
    case lz4Raw
    case gzip
    /// Deflate without a header, as in Avro and ZIP.
    case deflate
}

/// Decompresses blocks, keeping the contexts that the libraries need between calls.
///
/// Not to be shared between threads.
package final class Decompressor {
    private var zstd: OpaquePointer?

    package init() {}

    deinit {
        if let zstd { ZSTD_freeDCtx(zstd) }
    }

    /// Decompresses `source` into `target`, which must be filled exactly.
    ///
    /// - Throws: `corrupt` when the block is damaged or does not give `target.count` bytes.
    package func decompress(
        _ codec: Codec,
        _ source: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer
    ) throws(BytesError) {
        let written: Int
        switch codec {
        case .zstd: written = try decompressZstd(source, into: target)
        case .snappy:
            guard SnappyDecoder.decode(source, into: target) else {
                throw BytesError(
                    .corrupt,
                    "a snappy block is damaged, or does not hold \(target.count) bytes"
                )
            }
            written = target.count
        case .lz4Raw: written = try decompressLZ4(source, into: target)
        case .gzip: written = try inflateBlock(source, into: target, windowBits: 15 + 16)
        case .deflate: written = try inflateBlock(source, into: target, windowBits: -15)
        }
        if written != target.count {
            throw BytesError(
                .corrupt,
                "a \(codec) block gave \(written) bytes instead of \(target.count)"
            )
        }
    }

    private func decompressZstd(
        _ source: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer
    ) throws(BytesError) -> Int {
        if zstd == nil { zstd = ZSTD_createDCtx() }
        guard let zstd else { throw BytesError(.unsupported, "no memory for a zstd context") }
        let written = ZSTD_decompressDCtx(
            zstd,
            target.baseAddress,
            target.count,
            source.baseAddress,
            source.count
        )
        if ZSTD_isError(written) != 0 {
            let why = String(cString: ZSTD_getErrorName(written))
            throw BytesError(.corrupt, "a zstd block does not decompress: \(why)")
        }
        return written
    }

    private func decompressLZ4(
        _ source: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer
    ) throws(BytesError) -> Int {
        guard let inputCount = Int32(exactly: source.count),
            let outputCount = Int32(exactly: target.count)
        else {
            throw BytesError(.unsupported, "an LZ4 block of 2 GiB or more")
        }
        if outputCount == 0 { return 0 }
        let written = LZ4_decompress_safe(
            source.baseAddress?.assumingMemoryBound(to: CChar.self),
            target.baseAddress?.assumingMemoryBound(to: CChar.self),
            inputCount,
            outputCount
        )
        if written < 0 {
            throw BytesError(.corrupt, "an LZ4 block does not decompress")
        }
        return Int(written)
    }

    /// Inflates one or more members (gzip allows several) into `target`.
    private func inflateBlock(
        _ source: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer,
        windowBits: Int32
    ) throws(BytesError) -> Int {
        guard source.count <= Int(UInt32.max), target.count <= Int(UInt32.max) else {
            throw BytesError(.unsupported, "a deflate block of 4 GiB or more")
        }
        if target.count == 0 { return 0 }
        var stream = z_stream()
        let size = Int32(MemoryLayout<z_stream>.size)
        guard inflateInit2_(&stream, windowBits, ZLIB_VERSION, size) == Z_OK else {
            throw BytesError(.unsupported, "no memory for a deflate context")
        }
        defer { inflateEnd(&stream) }
        stream.next_in = UnsafeMutablePointer(
            mutating: source.baseAddress?.assumingMemoryBound(to: UInt8.self)
        )
        stream.avail_in = uInt(source.count)
        stream.next_out = target.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.avail_out = uInt(target.count)
        while true {
            let status = inflate(&stream, Z_FINISH)
            guard status == Z_STREAM_END else {
                throw BytesError(.corrupt, "a deflate block does not decompress (zlib \(status))")
            }
            if windowBits < 0 || stream.avail_in == 0 || stream.avail_out == 0 { break }
            inflateReset(&stream)
        }
        return target.count - Int(stream.avail_out)
    }
}

/// Compresses `source` as one block.
///
/// - Parameter level: the library's own scale; nil for its default. Snappy and LZ4 have none.
package func compress(
    _ codec: Codec,
    _ source: UnsafeRawBufferPointer,
    level: Int32? = nil
) throws(BytesError) -> [UInt8] {
    switch codec {
    case .zstd:
        return try filled(ZSTD_compressBound(source.count), "zstd") { target in
            let written = ZSTD_compress(
                target.baseAddress,
                target.count,
                source.baseAddress,
                source.count,
                level ?? 3
            )
            return ZSTD_isError(written) != 0 ? nil : written
        }
    case .snappy:
        return try filled(snappy_max_compressed_length(source.count), "snappy") { target in
            var written = target.count
            let status = snappy_compress(
                source.baseAddress?.assumingMemoryBound(to: CChar.self),
                source.count,
                target.baseAddress?.assumingMemoryBound(to: CChar.self),
                &written
            )
            return status == SNAPPY_OK ? written : nil
        }
    case .lz4Raw:
        guard source.count <= Int(LZ4_MAX_INPUT_SIZE) else {
            throw BytesError(.unsupported, "an LZ4 block of more than \(LZ4_MAX_INPUT_SIZE) bytes")
        }
        return try filled(Int(LZ4_compressBound(Int32(source.count))), "LZ4") { target in
            let written = LZ4_compress_default(
                source.baseAddress?.assumingMemoryBound(to: CChar.self),
                target.baseAddress?.assumingMemoryBound(to: CChar.self),
                Int32(source.count),
                Int32(target.count)
            )
            return written > 0 ? Int(written) : nil
        }
    case .gzip: return try deflateBlock(source, windowBits: 15 + 16, level: level)
    case .deflate: return try deflateBlock(source, windowBits: -15, level: level)
    }
}

private func filled(
    _ capacity: Int,
    _ name: String,
    _ body: (UnsafeMutableRawBufferPointer) -> Int?
) throws(BytesError) -> [UInt8] {
    var failed = false
    let bytes = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
        if let written = body(UnsafeMutableRawBufferPointer(buffer)) {
            count = written
        } else {
            failed = true
            count = 0
        }
    }
    if failed { throw BytesError(.unsupported, "\(name) could not compress \(capacity) bytes") }
    return bytes
}

private func deflateBlock(
    _ source: UnsafeRawBufferPointer,
    windowBits: Int32,
    level: Int32?
) throws(BytesError) -> [UInt8] {
    guard source.count < Int(UInt32.max) / 2 else {
        throw BytesError(.unsupported, "a deflate block of 2 GiB or more")
    }
    var stream = z_stream()
    let size = Int32(MemoryLayout<z_stream>.size)
    let status = deflateInit2_(
        &stream,
        level ?? Z_DEFAULT_COMPRESSION,
        Z_DEFLATED,
        windowBits,
        8,
        Z_DEFAULT_STRATEGY,
        ZLIB_VERSION,
        size
    )
    guard status == Z_OK else {
        throw BytesError(.unsupported, "zlib refused level \(level ?? -1)")
    }
    defer { deflateEnd(&stream) }
    let bound = Int(deflateBound(&stream, uLong(source.count)))
    return try filled(bound, "deflate") { target in
        stream.next_in = UnsafeMutablePointer(
            mutating: source.baseAddress?.assumingMemoryBound(to: UInt8.self)
        )
        stream.avail_in = uInt(source.count)
        stream.next_out = target.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.avail_out = uInt(target.count)
        return CZlib.deflate(&stream, Z_FINISH) == Z_STREAM_END
            ? target.count - Int(stream.avail_out) : nil
    }
}
