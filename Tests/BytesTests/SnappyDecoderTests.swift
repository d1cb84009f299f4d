import Glibc
import Testing

import Bytes
import TestSupport

/// Memory that ends where a page begins that nobody may touch: one byte too far ends the process.
private final class GuardedMemory {
    private let base: UnsafeMutableRawPointer
    private let mappedByteCount: Int
    let bytes: UnsafeMutableRawBufferPointer

    init(byteCount: Int) {
        let page = 4096
        let usable = (byteCount + page - 1) / page * page
        mappedByteCount = usable + page
        guard
            let base = mmap(
                nil,
                mappedByteCount,
                PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS,
                -1,
                0
            ), base != MAP_FAILED, mprotect(base + usable, page, PROT_NONE) == 0
        else { fatalError("no memory") }
        self.base = base
        bytes = UnsafeMutableRawBufferPointer(
            start: base + usable - byteCount,
            count: byteCount
        )
    }

    deinit { munmap(base, mappedByteCount) }
}

@Suite("Snappy blocks")
struct SnappyDecoderTests {
    /// Decodes with both ends of both buffers at pages that must not be touched.
    private func decoded(_ block: [UInt8], byteCount: Int) -> [UInt8]? {
        let source = GuardedMemory(byteCount: block.count)
        source.bytes.copyBytes(from: block)
        let target = GuardedMemory(byteCount: byteCount)
        do throws(BytesError) {
            try Decompressor().decompress(
                .snappy,
                UnsafeRawBufferPointer(source.bytes),
                into: target.bytes
            )
        } catch {
            return nil
        }
        return Array(target.bytes)
    }

    /// What the format says, one byte at a time.
    private func expected(_ block: [UInt8], byteCount: Int) -> [UInt8]? {
        var at = 0
        func number(_ count: Int) -> Int? {
            guard count <= block.count - at else { return nil }
            defer { at += count }
            return (0..<count).reduce(0) { $0 | Int(block[at + $1]) << (8 * $1) }
        }
        var stated = 0
        var isStated = false
        for index in 0..<5 where !isStated {
            guard let byte = number(1) else { return nil }
            stated |= (byte & 0x7F) << (7 * index)
            isStated = byte < 0x80
        }
        guard isStated, stated == byteCount else { return nil }
        var result: [UInt8] = []
        while at < block.count {
            guard let tag = number(1) else { return nil }
            if tag & 3 == 0 {
                var length = tag >> 2 + 1
                if length > 60 {
                    guard let more = number(length - 60) else { return nil }
                    length = more + 1
                }
                guard length <= block.count - at, result.count + length <= byteCount else {
                    return nil
                }
                result += block[at..<at + length]
                at += length
                continue
            }
            let length = tag & 3 == 1 ? (tag >> 2) & 7 + 4 : tag >> 2 + 1
            guard var offset = number([1: 1, 2: 2, 3: 4][tag & 3] ?? 0) else { return nil }
            if tag & 3 == 1 { offset |= (tag >> 5) << 8 }
            guard offset > 0, offset <= result.count, result.count + length <= byteCount else {
                return nil
            }
            for _ in 0..<length { result.append(result[result.count - offset]) }
        }
        return result.count == byteCount ? result : nil
    }

    private func header(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = count
        while rest >= 0x80 {
            bytes.append(UInt8(rest & 0x7F | 0x80))
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }

    /// A valid block of random elements, and what it holds.
    private func randomBlock(
        elementCount: Int,
        using random: inout SeededGenerator
    ) -> (block: [UInt8], byteCount: Int) {
        var body: [UInt8] = []
        var count = 0
        for _ in 0..<elementCount {
            let kind = count == 0 ? 0 : Int.random(in: 0...3, using: &random)
            switch kind {
            case 0:
                let length =
                    Int.random(in: 0..<20, using: &random) == 0
                    ? Int.random(in: 61...70_000, using: &random)
                    : Int.random(in: 1...64, using: &random)
                if length <= 60 {
                    body.append(UInt8((length - 1) << 2))
                } else {
                    let size = length <= 256 ? 1 : length <= 65_536 ? 2 : 3
                    body.append(UInt8((59 + size) << 2))
                    for index in 0..<size {
                        body.append(UInt8((length - 1) >> (8 * index) & 0xFF))
                    }
                }
                for _ in 0..<length { body.append(UInt8.random(in: 0...255, using: &random)) }
                count += length
            case 1:
                let length = Int.random(in: 4...11, using: &random)
                let offset = Int.random(in: 1...min(count, 2047), using: &random)
                body.append(UInt8(1 | (length - 4) << 2 | (offset >> 8) << 5))
                body.append(UInt8(offset & 0xFF))
                count += length
            default:
                let length = Int.random(in: 1...64, using: &random)
                // Near ones overlap themselves.
                let farthest = Bool.random(using: &random) ? min(count, 20) : min(count, 65_535)
                let offset = Int.random(in: 1...farthest, using: &random)
                body.append(UInt8(kind | (length - 1) << 2))
                for index in 0..<(kind == 2 ? 2 : 4) {
                    body.append(UInt8(offset >> (8 * index) & 0xFF))
                }
                count += length
            }
        }
        return (header(count) + body, count)
    }

    @Test("decode to what the format says, whatever their elements")
    func randomElements() {
        var random = SeededGenerator(seed: 3)
        for round in 0..<600 {
            let (block, count) = randomBlock(elementCount: round % 60, using: &random)
            let result = decoded(block, byteCount: count)
            #expect(result != nil && result == expected(block, byteCount: count), "\(round)")
        }
    }

    @Test("of which bytes were changed, cut off or added decode as the format says, or are refused")
    func mutations() {
        var random = SeededGenerator(seed: 5)
        var refusedCount = 0
        for round in 0..<4000 {
            var (block, count) = randomBlock(
                elementCount: Int.random(in: 1...40, using: &random),
                using: &random
            )
            if block.count > 3000 { block.removeLast(block.count - 3000) }
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                let place = Int.random(in: 0..<block.count, using: &random)
                switch Int.random(in: 0...3, using: &random) {
                case 0: block[place] = UInt8.random(in: 0...255, using: &random)
                case 1: block[place] ^= 1 << UInt8.random(in: 0...7, using: &random)
                case 2 where block.count > 1:
                    block.removeLast(Int.random(in: 1...min(9, block.count - 1), using: &random))
                default: block.insert(UInt8.random(in: 0...255, using: &random), at: place)
                }
            }
            if round % 7 == 0 { count = max(0, count + Int.random(in: -3...3, using: &random)) }
            let result = decoded(block, byteCount: count)
            #expect(result == expected(block, byteCount: count), "\(round)")
            if result == nil { refusedCount += 1 }
        }
        #expect(refusedCount > 1000)
    }

    @Test("of every pattern length and every length decode, at every distance from the end")
    func patterns() {
        for offset in 1...40 {
            for length in 1...64 {
                let start = (0..<offset).map { UInt8(truncatingIfNeeded: $0 * 7 + 1) }
                for tail in [0, 1, 15, 16, 63, 64, 100] {
                    let block =
                        header(offset + length + tail) + [UInt8((offset - 1) << 2)] + start
                        + [UInt8(2 | (length - 1) << 2), UInt8(offset), 0]
                        + (tail == 0
                            ? []
                            : tail <= 60
                                ? [UInt8((tail - 1) << 2)] + [UInt8](repeating: 9, count: tail)
                                : [60 << 2, UInt8(tail - 1)] + [UInt8](repeating: 9, count: tail))
                    let count = offset + length + tail
                    let result = decoded(block, byteCount: count)
                    #expect(result != nil && result == expected(block, byteCount: count))
                }
            }
        }
    }
}
