import CZlib
import CZstd

/// Decompresses a block whose uncompressed size is not known from elsewhere, as in Avro and gzip files.
///
/// Memory grows with what really comes out, never with what a header claims.
///
/// - Throws: `corrupt` when the block is damaged, `unsupported` when it gives more than `sizeMax` bytes,
///   or for LZ4, whose raw blocks do not tell where they end.
package func decompressed(
    _ codec: Codec,
    _ source: [UInt8],
    sizeMax: Int
) throws(BytesError) -> [UInt8] {
    try source.withUnsafeBufferPointer { (source) throws(BytesError) in
        try decompressed(codec, UnsafeRawBufferPointer(source), sizeMax: sizeMax)
    }
}

/// Decompresses a block whose uncompressed size is not known from elsewhere, as in Avro and gzip files.
///
/// - Throws: as the form for arrays does.
package func decompressed(
    _ codec: Codec,
    _ source: UnsafeRawBufferPointer,
    sizeMax: Int
) throws(BytesError) -> [UInt8] {
    switch codec {
    case .deflate: return try inflated(source, windowBits: -15, sizeMax: sizeMax)
    case .gzip: return try inflated(source, windowBits: 15 + 16, sizeMax: sizeMax)
    case .zstd: return try unpackedZstd(source, sizeMax: sizeMax)
    case .snappy: return try unpackedSnappy(source, sizeMax: sizeMax)
    case .lz4Raw:
        throw BytesError(.unsupported, "a raw LZ4 block needs its uncompressed size")
    }
}

/// Gives the next buffer to write to, and collects what was written.
private struct GrowingOutput {
    private(set) var bytes: [UInt8] = []
    private var chunk: [UInt8]
    private let sizeMax: Int

    init(sourceCount: Int, sizeMax: Int) {
        self.sizeMax = sizeMax
        chunk = [UInt8](repeating: 0, count: min(max(sourceCount * 4, 4096), 1 << 20))
        bytes.reserveCapacity(chunk.count)
    }

    /// Lets `body` fill the buffer; it returns how many bytes it wrote.
    mutating func fill(_ body: (UnsafeMutableRawBufferPointer) -> Int) throws(BytesError) {
        let written = chunk.withUnsafeMutableBytes { body($0) }
        if bytes.count + written > sizeMax {
            throw BytesError(.unsupported, "a block decompresses to more than \(sizeMax) bytes")
        }
        bytes.append(contentsOf: chunk[0..<written])
    }
}

private func inflated(
    _ source: UnsafeRawBufferPointer,
    windowBits: Int32,
    sizeMax: Int
) throws(BytesError) -> [UInt8] {
    guard source.count <= Int(UInt32.max) else {
        throw BytesError(.unsupported, "a deflate block of 4 GiB or more")
    }
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
    var output = GrowingOutput(sourceCount: source.count, sizeMax: sizeMax)
    while true {
        var status = Z_OK
        try output.fill { target in
            stream.next_out = target.baseAddress?.assumingMemoryBound(to: UInt8.self)
            stream.avail_out = uInt(target.count)
            status = inflate(&stream, Z_NO_FLUSH)
            return target.count - Int(stream.avail_out)
        }
        if status == Z_STREAM_END {
            // gzip files may have several members, one after the other.
            if windowBits < 0 || stream.avail_in == 0 { break }
            inflateReset(&stream)
        } else if status != Z_OK || (stream.avail_in == 0 && stream.avail_out > 0) {
            throw BytesError(.corrupt, "a deflate block does not decompress (zlib \(status))")
        }
    }
    return output.bytes
}

private func unpackedZstd(
    _ source: UnsafeRawBufferPointer,
    sizeMax: Int
) throws(BytesError) -> [UInt8] {
    guard let context = ZSTD_createDCtx() else {
        throw BytesError(.unsupported, "no memory for a zstd context")
    }
    defer { ZSTD_freeDCtx(context) }
    var input = ZSTD_inBuffer(src: source.baseAddress, size: source.count, pos: 0)
    var output = GrowingOutput(sourceCount: source.count, sizeMax: sizeMax)
    while true {
        var status = 0
        var isFull = false
        try output.fill { target in
            var buffer = ZSTD_outBuffer(dst: target.baseAddress, size: target.count, pos: 0)
            status = ZSTD_decompressStream(context, &buffer, &input)
            isFull = buffer.pos == buffer.size
            return ZSTD_isError(status) != 0 ? 0 : buffer.pos
        }
        if ZSTD_isError(status) != 0 {
            let why = String(cString: ZSTD_getErrorName(status))
            throw BytesError(.corrupt, "a zstd block does not decompress: \(why)")
        }
        guard input.pos == input.size else { continue }
        // A status of 0 says that a frame has ended and all of it has come out, though it may just have filled
        // the buffer; anything else, that more should come.
        if status == 0 { break }
        if !isFull { throw BytesError(.truncated, "a zstd block ends inside a frame") }
    }
    return output.bytes
}

private func unpackedSnappy(
    _ source: UnsafeRawBufferPointer,
    sizeMax: Int
) throws(BytesError) -> [UInt8] {
    guard let length = SnappyDecoder.statedLength(source)?.length else {
        throw BytesError(.corrupt, "a snappy block does not state its length")
    }
    // Snappy cannot expand a byte to more than 64 / 3 of them; a header that claims more lies.
    guard length <= source.count * 32 else {
        throw BytesError(.corrupt, "a snappy block claims more bytes than it can hold")
    }
    guard length <= sizeMax else {
        throw BytesError(.unsupported, "a block decompresses to more than \(sizeMax) bytes")
    }
    var bytes = [UInt8](repeating: 0, count: length)
    try bytes.withUnsafeMutableBufferPointer { (target) throws(BytesError) in
        let raw = UnsafeMutableRawBufferPointer(target)
        try Decompressor().decompress(.snappy, source, into: raw)
    }
    return bytes
}
