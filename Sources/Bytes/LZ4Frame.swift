import CLZ4

/// Compresses `source` as one LZ4 frame, the form that Arrow's IPC format calls LZ4_FRAME.
package func compressLZ4Frame(_ source: UnsafeRawBufferPointer) throws(BytesError) -> [UInt8] {
    let bound = LZ4F_compressFrameBound(source.count, nil)
    var failure: String?
    let bytes = [UInt8](unsafeUninitializedCapacity: bound) { target, count in
        let written = LZ4F_compressFrame(
            target.baseAddress,
            bound,
            source.baseAddress,
            source.count,
            nil
        )
        if LZ4F_isError(written) != 0 {
            failure = String(cString: LZ4F_getErrorName(written))
        } else {
            count = written
        }
    }
    if let failure { throw BytesError(.unsupported, "LZ4 could not compress: \(failure)") }
    return bytes
}

/// Decompresses LZ4 frames into `target`, which must be filled exactly.
///
/// - Throws: `corrupt` when the frame is damaged or gives another number of bytes.
package func decompressLZ4Frame(
    _ source: UnsafeRawBufferPointer,
    into target: UnsafeMutableRawBufferPointer
) throws(BytesError) {
    var context: OpaquePointer?
    guard LZ4F_isError(LZ4F_createDecompressionContext(&context, UInt32(LZ4F_VERSION))) == 0,
        let context
    else {
        throw BytesError(.unsupported, "no memory for an LZ4 context")
    }
    defer { LZ4F_freeDecompressionContext(context) }
    var consumed = 0
    var written = 0
    while true {
        var sourceCount = source.count - consumed
        var targetCount = target.count - written
        let hint = LZ4F_decompress(
            context,
            target.baseAddress.map { $0 + written },
            &targetCount,
            source.baseAddress.map { $0 + consumed },
            &sourceCount,
            nil
        )
        if LZ4F_isError(hint) != 0 {
            let why = String(cString: LZ4F_getErrorName(hint))
            throw BytesError(.corrupt, "an LZ4 frame does not decompress: \(why)", offset: consumed)
        }
        consumed += sourceCount
        written += targetCount
        if hint == 0, consumed == source.count { break }
        if sourceCount == 0, targetCount == 0 {
            throw BytesError(.corrupt, "an LZ4 frame is cut off or too long", offset: consumed)
        }
    }
    if written != target.count {
        throw BytesError(
            .corrupt,
            "an LZ4 frame gave \(written) bytes instead of \(target.count)"
        )
    }
}
