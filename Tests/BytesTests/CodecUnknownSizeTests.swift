import Testing

import Bytes
import TestSupport

@Suite("Codec without a known size")
struct UnknownSizeTests {
    static let codecs: [Codec] = [.zstd, .snappy, .gzip, .deflate]

    @Test("gives back what it was given, and stops at the limit", arguments: codecs)
    func roundTrip(codec: Codec) throws {
        var random = SeededGenerator(seed: 7)
        for size in [0, 1, 100, 5000, 3_000_000] {
            let bytes = (0..<size).map { _ in UInt8.random(in: 0...3, using: &random) }
            let packed = try bytes.withUnsafeBytes { try compress(codec, $0) }
            #expect(try decompressed(codec, packed, sizeMax: size) == bytes)
            if size > 0 {
                #expect(throws: BytesError.self) {
                    try decompressed(codec, packed, sizeMax: size - 1)
                }
                #expect(throws: BytesError.self) {
                    try decompressed(codec, Array(packed.dropLast()), sizeMax: size)
                }
            }
        }
    }

    @Test("gives back what just fills its buffers", arguments: codecs)
    func fullBuffers(codec: Codec) throws {
        for size in [4096, 8192, 40_960, 4095, 4097, 1 << 20, 3 << 20] {
            let bytes = [UInt8](repeating: 65, count: size)
            let packed = try bytes.withUnsafeBytes { try compress(codec, $0) }
            #expect(try decompressed(codec, packed, sizeMax: size) == bytes)
            #expect(throws: BytesError.self) {
                try decompressed(codec, Array(packed.dropLast()), sizeMax: size)
            }
        }
        // Buffers are four times as large as what is packed, from some size on.
        var random = SeededGenerator(seed: 3)
        for count in 4090..<4900 {
            let noise = (0..<count / 4).map { _ in UInt8.random(in: 0...255, using: &random) }
            let bytes = noise + [UInt8](repeating: 0, count: count * 4 - noise.count)
            let packed = try bytes.withUnsafeBytes { try compress(codec, $0) }
            #expect(try decompressed(codec, packed, sizeMax: bytes.count) == bytes)
        }
        for size in 0..<1200 {
            let noise = (0..<1100).map { _ in UInt8.random(in: 0...255, using: &random) }
            let bytes = noise + [UInt8](repeating: 0, count: 2900 + size)
            let packed = try bytes.withUnsafeBytes { try compress(codec, $0) }
            #expect(try decompressed(codec, packed, sizeMax: bytes.count) == bytes)
        }
    }

    @Test("throws on any bytes, never traps", arguments: codecs)
    func anyBytes(codec: Codec) throws {
        var random = SeededGenerator(seed: 11)
        let packed = try Array("some text some text some text".utf8).withUnsafeBytes {
            try compress(codec, $0)
        }
        for _ in 0..<2000 {
            _ = try? decompressed(codec, randomBytes(upTo: 60, using: &random), sizeMax: 10_000)
            var damaged = packed
            let index = Int.random(in: 0..<damaged.count, using: &random)
            damaged[index] ^= UInt8.random(in: 1...255, using: &random)
            _ = try? decompressed(codec, damaged, sizeMax: 10_000)
        }
    }
}
