/// The bytes of a file of Varve with everything renamed that tells of checksums of whole files: what
/// somebody else could have written, for tests whose damage is to get further than to the checksum.
package func withoutChecksums(_ bytes: [UInt8]) -> [UInt8] {
    var bytes = bytes
    for (name, other) in [
        ("varve.crc32c", "other.crc32c"), ("varve32c", "other32c"),
        ("build crc32c", "build other."),
    ] {
        let (name, other) = (Array(name.utf8), Array(other.utf8))
        precondition(name.count == other.count)
        var start = 0
        while start + name.count <= bytes.count {
            if bytes[start] == name[0], bytes[start..<start + name.count].elementsEqual(name) {
                bytes.replaceSubrange(start..<start + name.count, with: other)
            }
            start += 1
        }
    }
    return bytes
}

/// Calls `body` with the bytes as they are but for one bit, for every bit of every byte (or for every
/// `stride`th, but for all of the last `tailByteCount` bytes).
package func forEachFlippedBit(
    of bytes: [UInt8],
    stride: Int = 1,
    tailByteCount: Int = 0,
    _ body: (_ damaged: [UInt8], _ byte: Int, _ bit: Int) throws -> Void
) rethrows {
    var damaged = bytes
    let tail = bytes.count * 8 - tailByteCount * 8
    for place in 0..<bytes.count * 8 where place % max(stride, 1) == 0 || place >= tail {
        let (byte, bit) = (place / 8, place % 8)
        damaged[byte] ^= 1 << UInt8(bit)
        try body(damaged, byte, bit)
        damaged[byte] ^= 1 << UInt8(bit)
    }
}
