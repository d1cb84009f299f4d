import Testing

import Bytes
import TestSupport

@Suite("Codec")
struct CodecTests {
    static let codecs: [Codec] = [.zstd, .snappy, .lz4Raw, .gzip, .deflate]

    @Test("gives back what it was given", arguments: codecs)
    func roundTrip(codec: Codec) throws {
        var random = SeededGenerator(seed: 7)
        for size in [0, 1, 2, 31, 64, 1000, 100_000] {
            let bytes = (0..<size).map { _ in UInt8.random(in: 0...7, using: &random) }
            let packed = try bytes.withUnsafeBytes { try compress(codec, $0) }
            var unpacked = [UInt8](repeating: 0, count: size)
            let decompressor = Decompressor()
            try unpacked.withUnsafeMutableBytes { target in
                try packed.withUnsafeBytes {
                    try decompressor.decompress(codec, $0, into: target)
                }
            }
            #expect(unpacked == bytes)
        }
    }

    @Test("throws on any bytes, never traps", arguments: codecs)
    func anyBytes(codec: Codec) {
        var random = SeededGenerator(seed: 11)
        let decompressor = Decompressor()
        for _ in 0..<2000 {
            let bytes = randomBytes(upTo: 100, using: &random)
            var target = [UInt8](repeating: 0, count: Int.random(in: 0...200, using: &random))
            target.withUnsafeMutableBytes { target in
                bytes.withUnsafeBytes {
                    _ = try? decompressor.decompress(codec, $0, into: target)
                }
            }
        }
    }
}

@Suite("CRC-32C")
struct CRC32CTests {
    private func checksum(_ bytes: [UInt8]) -> UInt32 { bytes.withUnsafeBytes { crc32c($0) } }

    /// Bit by bit, as the polynomial says.
    private func slow(_ bytes: [UInt8]) -> UInt32 {
        var rest: UInt32 = 0xFFFF_FFFF
        for byte in bytes {
            rest ^= UInt32(byte)
            for _ in 0..<8 { rest = rest & 1 == 0 ? rest >> 1 : (rest >> 1) ^ 0x82F6_3B78 }
        }
        return ~rest
    }

    @Test("is that of RFC 3720, appendix B.4")
    func vectors() {
        #expect(checksum(Array("123456789".utf8)) == 0xE306_9283)
        #expect(checksum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
        #expect(checksum([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
        #expect(checksum((0..<32).map { $0 }) == 0x46DD_794E)
        #expect(checksum([]) == 0)
    }

    @Test("goes on from a seed, whatever the lengths")
    func pieces() {
        var random = SeededGenerator(seed: 3)
        for length in 0..<100 {
            let bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
            let cut = Int.random(in: 0...length, using: &random)
            let first = Array(bytes[..<cut]).withUnsafeBytes { crc32c($0) }
            let whole = Array(bytes[cut...]).withUnsafeBytes { crc32c($0, seed: first) }
            #expect(whole == slow(bytes))
            #expect(checksum(bytes) == slow(bytes))
        }
    }

    @Test("digits in a file find every flipped bit, those in the digits too")
    func digits() {
        var random = SeededGenerator(seed: 5)
        for length in [8, 9, 30, 100] {
            for offset in [0, (length - 8) / 2, length - 8] {
                var bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
                let zeros = Array(ChecksumDigits.placeholder.utf8)
                bytes.replaceSubrange(offset..<offset + 8, with: zeros)
                let expected = slow(bytes)
                ChecksumDigits.fill(&bytes, at: offset)
                #expect(Array(bytes[offset..<offset + 8]) == ChecksumDigits.text(expected))
                #expect(bytes.withUnsafeBytes { ChecksumDigits.match($0, at: offset) })
                forEachFlippedBit(of: bytes) { damaged, byte, bit in
                    let matches = damaged.withUnsafeBytes { ChecksumDigits.match($0, at: offset) }
                    #expect(!matches, "byte \(byte) bit \(bit)")
                }
            }
        }
    }
}

@Suite("ByteReader")
struct ByteReaderTests {
    @Test("never traps on any bytes", arguments: 0..<16)
    func anyBytes(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<500 {
            let bytes = randomBytes(upTo: 12, using: &random)
            var reader = ByteReader(bytes.span.bytes)
            _ = try? reader.readVarint()
            _ = try? reader.readZigzag()
            _ = try? reader.readString(3)
            _ = try? reader.readLittleEndian(UInt32.self)
        }
    }

    @Test("reads what was appended", arguments: [0, 1, -1, 63, 64, -64, .max, .min] as [Int64])
    func zigzag(value: Int64) throws {
        var bytes: [UInt8] = []
        bytes.appendZigzag(value)
        bytes.appendBigEndian(value)
        bytes.appendVarint(UInt64(bitPattern: value))
        var reader = ByteReader(bytes.span.bytes)
        #expect(try reader.readZigzag() == value)
        #expect(try reader.readBigEndian(Int64.self) == value)
        #expect(try reader.readVarint() == UInt64(bitPattern: value))
        #expect(reader.remaining == 0)
    }
}

@Suite("Checksums")
struct ChecksumTests {
    /// The vectors of the Iceberg specification, Appendix B, and of the algorithms' authors.
    @Test func knownAnswers() {
        func murmur(_ text: String) -> Int32 {
            Array(text.utf8).withUnsafeBytes { Int32(bitPattern: murmur3x86($0)) }
        }
        #expect(murmur("iceberg") == 1_210_000_089)
        #expect(Array("123456789".utf8).withUnsafeBytes { crc32($0) } == 0xCBF4_3926)
        #expect(Array("".utf8).withUnsafeBytes { xxHash64($0) } == 0xEF46_DB37_51D8_E999)
        #expect(Array("abc".utf8).withUnsafeBytes { xxHash64($0) } == 0x44BC_2CF5_AD77_0999)
        var long: [UInt8] = []
        long.appendLittleEndian(Int64(34))
        #expect(long.withUnsafeBytes { Int32(bitPattern: murmur3x86($0)) } == 2_017_239_379)
    }
}
