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

/// Eight tables of 256: what one byte does to a CRC-32C when seven to none follow it in a word.
private let crc32cTables: [UInt32] = {
    var tables = [UInt32](repeating: 0, count: 8 * 256)
    for byte in 0..<256 {
        var rest = UInt32(byte)
        for _ in 0..<8 { rest = rest & 1 == 0 ? rest >> 1 : (rest >> 1) ^ 0x82F6_3B78 }
        tables[byte] = rest
    }
    for index in 256..<tables.count {
        let before = tables[index - 256]
        tables[index] = (before >> 8) ^ tables[Int(before & 255)]
    }
    return tables
}()

/// The CRC-32C of iSCSI and ext4 (Castagnoli's polynomial 0x1EDC6F41, reflected).
///
/// - Parameter seed: the checksum of the bytes before these, to go on with.
package func crc32c(_ bytes: UnsafeRawBufferPointer, seed: UInt32 = 0) -> UInt32 {
    crc32cTables.withUnsafeBufferPointer { tables in
        var crc = ~seed
        var at = 0
        while bytes.count - at >= 8 {
            let word =
                UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self))
                ^ UInt64(crc)
            // Each index is a byte and the number of a table below 8.
            crc = 0
            for place in 0..<8 {
                let byte = Int(truncatingIfNeeded: word &>> UInt64(8 &* place)) & 255
                crc ^= tables[(7 &- place) &<< 8 | byte]
            }
            at &+= 8
        }
        while at < bytes.count {
            crc = crc &>> 8 ^ tables[Int((crc ^ UInt32(bytes[at])) & 255)]
            at &+= 1
        }
        return ~crc
    }
}

/// A CRC-32C that a file carries in itself, as eight lower-case hexadecimal digits.
///
/// The checksum is that of the file (or the part of it that the format names) with `0` in the place of
/// each digit.
package enum ChecksumDigits {
    /// How many digits there are.
    package static let count = 8

    /// What stands in their place while the checksum is computed.
    package static let placeholder = String(repeating: "0", count: count)

    /// The digits of a checksum.
    package static func text(_ checksum: UInt32) -> [UInt8] {
        let digits = Array("0123456789abcdef".utf8)
        return stride(from: 28, through: 0, by: -4).map { digits[Int(checksum >> UInt32($0) & 15)] }
    }

    /// The checksum of bytes, with the digits at `offset` taken for zeros.
    package static func checksum(_ bytes: UnsafeRawBufferPointer, digitsAt offset: Int) -> UInt32 {
        precondition(offset >= 0 && offset <= bytes.count - count)
        let before = crc32c(UnsafeRawBufferPointer(rebasing: bytes[..<offset]))
        let zeros = [UInt8](repeating: UInt8(ascii: "0"), count: count)
        let between = zeros.withUnsafeBytes { crc32c($0, seed: before) }
        return crc32c(UnsafeRawBufferPointer(rebasing: bytes[(offset + count)...]), seed: between)
    }

    /// Puts the checksum of `bytes` in the place of the zeros at `offset`.
    package static func fill(_ bytes: inout [UInt8], at offset: Int) {
        let sum = bytes.withUnsafeBytes { checksum($0, digitsAt: offset) }
        bytes.replaceSubrange(offset..<offset + count, with: text(sum))
    }

    /// Whether the digits at `offset` are those of the bytes' checksum.
    package static func match(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> Bool {
        bytes[offset..<offset + count].elementsEqual(text(checksum(bytes, digitsAt: offset)))
    }
}
