/// Reads integers that are written as bit-packed differences, in blocks of miniblocks.
///
/// ```
/// block size | miniblocks a block | value count | first value
/// block: smallest difference | a bit width a miniblock | the miniblocks
/// ```
///
/// - Spec: Parquet, Encodings.md, "Delta Encoding".
final class DeltaBinaryDecoder: ValueDecoder {
    private let start: UnsafeRawPointer
    private let end: UnsafeRawPointer
    private var next: UnsafeRawPointer
    private let valuesPerMiniblock: Int
    private let miniblockCount: Int
    /// Values that have not been handed out, with those that wait in `ready`.
    private(set) var left: Int
    /// Values that have not been decoded.
    private var undecoded: Int
    private var current: Int64
    private var isFirstPending: Bool
    private var smallest: Int64 = 0
    private var widths: UnsafePointer<UInt8>
    /// Which miniblock of the block comes next; `miniblockCount` when a new block does.
    private var miniblock: Int
    private var deltaWidth = 0
    /// Differences of the current miniblock that have not been unpacked.
    private var miniblockLeft = 0
    /// Decoded values that did not fit the last batch.
    private let ready = UnsafeMutablePointer<UInt64>.allocate(capacity: 32)
    private var readyIndex = 0
    private var readyCount = 0

    /// - Parameter width: bytes of a value, 4 or 8.
    init(_ bytes: UnsafeRawBufferPointer, width: Int) throws(ParquetError) {
        var reader = ThriftReader(bytes)
        let blockSize = try reader.varint()
        let miniblocks = try reader.varint()
        let total = try reader.varint()
        let first = try reader.varint()
        guard blockSize > 0, blockSize <= 1 << 30, blockSize % 128 == 0,
            miniblocks > 0, miniblocks <= blockSize,
            blockSize % miniblocks == 0, (blockSize / miniblocks) % 32 == 0
        else {
            throw .corrupt("delta blocks of \(blockSize) values in \(miniblocks) miniblocks")
        }
        guard total <= UInt64(Int32.max) else { throw .corrupt("\(total) deltas in a page") }
        start = bytes.start
        end = start + bytes.count
        next = start + reader.offset
        valuesPerMiniblock = Int(blockSize / miniblocks)
        miniblockCount = Int(miniblocks)
        left = Int(total)
        undecoded = max(0, Int(total) - 1)
        current = Int64(bitPattern: first >> 1) ^ -Int64(bitPattern: first & 1)
        isFirstPending = total > 0
        widths = next.assumingMemoryBound(to: UInt8.self)
        miniblock = miniblockCount
        super.init(width: width)
    }

    deinit {
        ready.deallocate()
    }

    /// How many bytes all blocks take, found without decoding them.
    func byteCount() throws(ParquetError) -> Int {
        var reader = ThriftReader(
            UnsafeRawBufferPointer(start: next, count: end - next)
        )
        var rest = undecoded
        var offset = 0
        let count = end - next
        while rest > 0 {
            _ = try reader.varint()
            offset = reader.offset
            guard miniblockCount <= count - offset else { throw Self.missing() }
            let widths = offset
            offset += miniblockCount
            for index in 0..<miniblockCount where rest > 0 {
                let bits = Int(next.load(fromByteOffset: widths + index, as: UInt8.self))
                guard bits <= 64 else { throw .corrupt("differences of \(bits) bits") }
                let whole = valuesPerMiniblock / 8 * bits
                let needed = (min(rest, valuesPerMiniblock) * bits + 7) / 8
                guard needed <= count - offset else { throw Self.missing() }
                // Some writers leave out the end of the last miniblock.
                offset += min(whole, count - offset)
                rest -= min(rest, valuesPerMiniblock)
            }
            reader = ThriftReader(
                UnsafeRawBufferPointer(start: next, count: count),
                offset: offset
            )
        }
        return (next - start) + offset
    }

    private func nextMiniblock() throws(ParquetError) {
        if miniblock == miniblockCount {
            var reader = ThriftReader(UnsafeRawBufferPointer(start: next, count: end - next))
            let raw = try reader.varint()
            smallest = Int64(bitPattern: raw >> 1) ^ -Int64(bitPattern: raw & 1)
            next += reader.offset
            guard end - next >= miniblockCount else { throw Self.missing() }
            widths = next.assumingMemoryBound(to: UInt8.self)
            next += miniblockCount
            miniblock = 0
        }
        deltaWidth = Int(widths[miniblock])
        guard deltaWidth <= 64 else { throw .corrupt("differences of \(deltaWidth) bits") }
        miniblock += 1
        miniblockLeft = valuesPerMiniblock
    }

    /// Decodes the next up to 32 values into `ready`.
    private func refill() throws(ParquetError) {
        readyIndex = 0
        readyCount = 0
        if isFirstPending {
            ready[0] = UInt64(bitPattern: current)
            readyCount = 1
            isFirstPending = false
            return
        }
        if miniblockLeft == 0 { try nextMiniblock() }
        let count = min(32, undecoded)
        guard (count * deltaWidth + 7) / 8 <= end - next else { throw Self.missing() }
        unpack64(width: deltaWidth, next, ready, groupCount: (count + 7) / 8)
        let whole = 4 * deltaWidth
        next += min(whole, end - next)
        miniblockLeft -= 32
        undecoded -= count
        readyCount = count
        var value = UInt64(bitPattern: current)
        let base = UInt64(bitPattern: smallest)
        // Differences wrap around, as the specification says.
        for index in 0..<count {
            value = value &+ base &+ ready[index]
            ready[index] = value
        }
        current = Int64(bitPattern: value)
    }

    override func read(
        _ count: Int,
        into target: UnsafeMutableRawPointer
    ) throws(ParquetError) {
        guard count <= left else { throw Self.missing() }
        left -= count
        var done = 0
        while done < count {
            if readyIndex == readyCount { try refill() }
            let part = min(count &- done, readyCount &- readyIndex)
            let source = ready + readyIndex
            if width == 4 {
                let place = (target + done &* 4).assumingMemoryBound(to: UInt32.self)
                for index in 0..<part { place[index] = UInt32(truncatingIfNeeded: source[index]) }
            } else {
                let place = (target + done &* 8).assumingMemoryBound(to: UInt64.self)
                for index in 0..<part { place[index] = source[index] }
            }
            readyIndex &+= part
            done &+= part
        }
    }

    override func skip(_ count: Int) throws(ParquetError) {
        guard count <= left else { throw Self.missing() }
        left -= count
        var rest = count
        while rest > 0 {
            if readyIndex == readyCount { try refill() }
            let part = min(rest, readyCount - readyIndex)
            readyIndex += part
            rest -= part
        }
    }
}
