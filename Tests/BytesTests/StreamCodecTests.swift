import TestSupport
import Testing

import Bytes

@Suite("StreamDecompressor")
struct StreamDecompressorTests {
    static let formats: [StreamFormat] = [.gzip, .zstd]

    static func text(_ count: Int, seed: UInt64) -> [UInt8] {
        var random = SeededGenerator(seed: seed)
        return (0..<count).map { _ in UInt8.random(in: 97...104, using: &random) }
    }

    static func packed(_ format: StreamFormat, _ bytes: [UInt8], pieces: Int) throws -> [UInt8] {
        let compressor = try StreamCompressor(format)
        var output: [UInt8] = []
        for piece in 0..<pieces {
            let start = bytes.count * piece / pieces
            let end = bytes.count * (piece + 1) / pieces
            try compressor.compress(Array(bytes[start..<end]), into: &output)
        }
        try compressor.finish(into: &output)
        return output
    }

    static func unpacked(
        _ format: StreamFormat,
        _ bytes: [UInt8],
        fedCount: Int,
        drainedCount: Int
    ) throws -> [UInt8] {
        let decompressor = try StreamDecompressor(format)
        var output: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: fedCount) {
            decompressor.feed(Array(bytes[start..<min(bytes.count, start + fedCount)]))
            while true {
                let piece = try decompressor.drain(countMax: drainedCount)
                #expect(piece.count <= drainedCount)
                if piece.isEmpty { break }
                output += piece
            }
        }
        try decompressor.finish()
        return output
    }

    @Test("gives back what was compressed, however it is cut", arguments: formats)
    func roundTrip(format: StreamFormat) throws {
        for count in [0, 1, 1000, 300_000] {
            let bytes = Self.text(count, seed: 3)
            for pieces in [1, 7] {
                let packed = try Self.packed(format, bytes, pieces: pieces)
                #expect(packed.withUnsafeBytes { StreamFormat.detect($0) } == format)
                for (fed, drained) in [(1 << 20, 1 << 20), (1000, 77), (1, 4096)] {
                    let result = try Self.unpacked(
                        format,
                        packed,
                        fedCount: fed,
                        drainedCount: drained
                    )
                    #expect(result == bytes)
                }
            }
        }
    }

    @Test("goes on with the members and frames that follow", arguments: formats)
    func members(format: StreamFormat) throws {
        let parts = (0..<4).map { Self.text($0 * 500, seed: UInt64($0)) }
        var packed: [UInt8] = []
        for part in parts { packed += try Self.packed(format, part, pieces: 1) }
        if format == .gzip { packed += [0, 0, 0, 0] }
        for fed in [1, 13, 100_000] {
            let result = try Self.unpacked(format, packed, fedCount: fed, drainedCount: 100)
            #expect(result == parts.flatMap { $0 })
        }
    }

    @Test("says that a stream is cut off, wherever it is", arguments: formats)
    func truncation(format: StreamFormat) throws {
        let packed = try Self.packed(format, Self.text(500, seed: 1), pieces: 1)
        for end in packed.indices {
            #expect(throws: BytesError.self) {
                try Self.unpacked(
                    format,
                    Array(packed[..<end]),
                    fedCount: 64,
                    drainedCount: 1000
                )
            }
        }
    }

    @Test("throws on damaged bytes, never traps or goes on for ever", arguments: formats)
    func damage(format: StreamFormat) throws {
        var random = SeededGenerator(seed: 5)
        let packed = try Self.packed(format, Self.text(2000, seed: 9), pieces: 1)
        for _ in 0..<1000 {
            var bytes = packed
            for _ in 0..<3 {
                let place = Int.random(in: bytes.indices, using: &random)
                bytes[place] = UInt8.random(in: 0...255, using: &random)
            }
            _ = try? Self.unpacked(format, bytes, fedCount: 500, drainedCount: 5000)
            let noise = randomBytes(upTo: 60, using: &random)
            _ = try? Self.unpacked(format, noise, fedCount: 500, drainedCount: 5000)
        }
    }
}

@Suite("LZ4 frames")
struct LZ4FrameTests {
    @Test("give back what was compressed, and throw on damage")
    func roundTrip() throws {
        var random = SeededGenerator(seed: 8)
        for count in [0, 1, 100, 200_000] {
            let bytes = StreamDecompressorTests.text(count, seed: 2)
            let packed = try bytes.withUnsafeBytes { try compressLZ4Frame($0) }
            var target = [UInt8](repeating: 0, count: count)
            try target.withUnsafeMutableBytes { target in
                try packed.withUnsafeBytes { try decompressLZ4Frame($0, into: target) }
            }
            #expect(target == bytes)
            for _ in 0..<300 {
                var damaged = packed
                damaged[Int.random(in: damaged.indices, using: &random)] ^= 0x55
                var other = [UInt8](repeating: 0, count: Int.random(in: 0...300, using: &random))
                other.withUnsafeMutableBytes { target in
                    damaged.withUnsafeBytes { _ = try? decompressLZ4Frame($0, into: target) }
                }
            }
        }
    }
}
