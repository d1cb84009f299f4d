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
