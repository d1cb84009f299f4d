import CZlib

/// The CRC-32 of gzip, PNG and Parquet pages (polynomial 0x04C11DB7, reflected).
///
/// - Parameter seed: the checksum of the bytes before these, to go on with.
package func crc32(_ bytes: UnsafeRawBufferPointer, seed: UInt32 = 0) -> UInt32 {
    var result = uLong(seed)
    var rest = bytes
    while let base = rest.baseAddress, rest.count > 0 {
        // zlib counts in 32 bits.
        let count = min(rest.count, 1 << 30)
        result = CZlib.crc32(result, base.assumingMemoryBound(to: UInt8.self), uInt(count))
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
    return UInt32(truncatingIfNeeded: result)
}

/// MurmurHash3, x86, 32 bits: what Iceberg's bucket transform is defined with (seed 0).
///
/// - Spec: Iceberg table specification, Appendix B.
package func murmur3x86(_ bytes: UnsafeRawBufferPointer, seed: UInt32 = 0) -> UInt32 {
    func mixed(_ k: UInt32) -> UInt32 {
        let a = k &* 0xcc9e_2d51
        return ((a << 15) | (a >> 17)) &* 0x1b87_3593
    }
    var hash = seed
    let blockCount = bytes.count / 4
    for block in 0..<blockCount {
        let k = UInt32(
            littleEndian: bytes.loadUnaligned(fromByteOffset: block * 4, as: UInt32.self)
        )
        hash ^= mixed(k)
        hash = ((hash << 13) | (hash >> 19)) &* 5 &+ 0xe654_6b64
    }
    var tail: UInt32 = 0
    for index in (blockCount * 4..<bytes.count).reversed() {
        tail = (tail << 8) | UInt32(bytes[index])
    }
    if bytes.count % 4 != 0 { hash ^= mixed(tail) }
    hash ^= UInt32(truncatingIfNeeded: bytes.count)
    hash = (hash ^ (hash >> 16)) &* 0x85eb_ca6b
    hash = (hash ^ (hash >> 13)) &* 0xc2b2_ae35
    return hash ^ (hash >> 16)
}

/// xxHash, 64 bits: what Parquet's bloom filters are defined with (seed 0).
package func xxHash64(_ bytes: UnsafeRawBufferPointer, seed: UInt64 = 0) -> UInt64 {
    let prime1: UInt64 = 0x9E37_79B1_85EB_CA87
    let prime2: UInt64 = 0xC2B2_AE3D_27D4_EB4F
    let prime3: UInt64 = 0x1656_67B1_9E37_79F9
    let prime4: UInt64 = 0x85EB_CA77_C2B2_AE63
    let prime5: UInt64 = 0x27D4_EB2F_1656_67C5
    func rotated(_ x: UInt64, _ by: UInt64) -> UInt64 { (x << by) | (x >> (64 - by)) }
    func round(_ lane: UInt64, _ input: UInt64) -> UInt64 {
        rotated(lane &+ input &* prime2, 31) &* prime1
    }
    func word(_ at: Int) -> UInt64 {
        UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self))
    }
    var at = 0
    var hash: UInt64
    if bytes.count >= 32 {
        var (a, b) = (seed &+ prime1 &+ prime2, seed &+ prime2)
        var (c, d) = (seed, seed &- prime1)
        while at + 32 <= bytes.count {
            a = round(a, word(at))
            b = round(b, word(at + 8))
            c = round(c, word(at + 16))
            d = round(d, word(at + 24))
            at += 32
        }
        hash = rotated(a, 1) &+ rotated(b, 7) &+ rotated(c, 12) &+ rotated(d, 18)
        for lane in [a, b, c, d] {
            hash = (hash ^ round(0, lane)) &* prime1 &+ prime4
        }
    } else {
        hash = seed &+ prime5
    }
    hash &+= UInt64(bytes.count)
    while at + 8 <= bytes.count {
        hash = rotated(hash ^ round(0, word(at)), 27) &* prime1 &+ prime4
        at += 8
    }
    if at + 4 <= bytes.count {
        let half = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self))
        hash = rotated(hash ^ (UInt64(half) &* prime1), 23) &* prime2 &+ prime3
        at += 4
    }
    while at < bytes.count {
        hash = rotated(hash ^ (UInt64(bytes[at]) &* prime5), 11) &* prime1
        at += 1
    }
    hash = (hash ^ (hash >> 33)) &* prime2
    hash = (hash ^ (hash >> 29)) &* prime3
    return hash ^ (hash >> 32)
}
