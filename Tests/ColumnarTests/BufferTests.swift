import Columnar
import Testing

@Suite("Buffer")
struct BufferTests {
    /// From some kilobytes to a few steps beyond where buffers grow in place.
    private static let sizes = [
        0, 8, 4096, 1 << 20, Buffer.inPlaceByteCountMin - 8, Buffer.inPlaceByteCountMin,
        Buffer.inPlaceByteCountMin + 8, 3 * Buffer.inPlaceByteCountMin + 12_344,
    ]

    private func fill(_ buffer: Buffer, _ seed: UInt64) {
        let words = buffer.mutable(as: UInt64.self)
        for index in 0..<buffer.byteCount / 8 { words[index] = UInt64(index) &* 3 ^ seed }
    }

    private func isFilled(_ buffer: Buffer, _ seed: UInt64, byteCount: Int) -> Bool {
        let words = buffer.mutable(as: UInt64.self)
        return (0..<byteCount / 8).allSatisfy { words[$0] == UInt64($0) &* 3 ^ seed }
    }

    @Test("keeps its bytes as it grows, with zeros behind them", arguments: sizes)
    func grows(byteCount: Int) {
        var buffer = Buffer(zeroedByteCount: byteCount)
        fill(buffer, 7)
        for newCount in [byteCount, 2 * byteCount + 64, 5 * byteCount + 200] {
            let before = buffer.byteCount
            Buffer.grow(&buffer, to: newCount, isZeroed: true)
            #expect(buffer.byteCount == newCount)
            #expect(isFilled(buffer, 7, byteCount: before))
            let rest = UnsafeRawBufferPointer(
                start: buffer.base + before,
                count: newCount - before + Buffer.padding
            )
            #expect(rest.allSatisfy { $0 == 0 })
            fill(buffer, 7)
        }
    }

    @Test("is left as it is for whoever else has it", arguments: sizes)
    func sharedStays(byteCount: Int) {
        var buffer = Buffer(zeroedByteCount: byteCount)
        fill(buffer, 1)
        let shared = buffer
        Buffer.grow(&buffer, to: 2 * byteCount + 8)
        fill(buffer, 2)
        #expect(buffer !== shared)
        #expect(shared.byteCount == byteCount)
        #expect(isFilled(shared, 1, byteCount: byteCount))
        #expect(isFilled(buffer, 2, byteCount: buffer.byteCount))
    }

    @Test("keeps views good when an arena of very many bytes goes on in larger blocks")
    func largeArena() {
        var arena = ByteArena()
        let text = [UInt8](repeating: 97, count: 100_000)
        var views: [StringView] = []
        // 200 MB: the blocks become large on the way.
        for number in 0..<2000 {
            var bytes = text
            bytes[number] = 98
            views.append(arena.intern(bytes, count: bytes.count))
        }
        #expect(arena.byteCount >= 2000 * text.count)
        let owners = arena.owners
        #expect(owners.buffers.reduce(0) { $0 + $1.byteCount } == arena.byteCount)
        for (number, view) in views.enumerated() {
            #expect(view.count == text.count)
            #expect(view.address[number] == 98 && view.address[(number + 1) % 2000] == 97)
        }
        withExtendedLifetime(owners) {}
    }
}
