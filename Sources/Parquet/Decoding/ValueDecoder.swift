import Columnar

/// Reads the values of one page, in the form in which the file's physical type has them.
///
/// Raw values lie side by side: 1 byte for booleans, 4, 8 or 12 for numbers, `typeLength` for values
/// of fixed length, and a `StringView` (16 bytes) for byte arrays. One call a batch goes through the
/// class; loops lie in the subclasses. Memory behind the page is readable for 64 bytes.
class ValueDecoder {
    /// Bytes of a raw value.
    let width: Int

    init(width: Int) {
        self.width = width
    }

    /// Reads the next `count` values.
    func read(_ count: Int, into target: UnsafeMutableRawPointer) throws(ParquetError) {
        preconditionFailure("to be overridden")
    }

    /// Moves on by `count` values.
    func skip(_ count: Int) throws(ParquetError) {
        preconditionFailure("to be overridden")
    }

    /// The next `count` values where they lie, for encodings that have them side by side.
    func readInPlace(_ count: Int) throws(ParquetError) -> UnsafeRawPointer? { nil }

    /// Reads those of the next `count` values that `indexes` name, in ascending order.
    func pick(
        _ indexes: UnsafePointer<Int32>,
        _ indexCount: Int,
        of count: Int,
        into target: UnsafeMutableRawPointer
    ) throws(ParquetError) {
        if let source = try readInPlace(count) {
            gather(source, width: width, indexes, count: indexCount, into: target)
            return
        }
        let scratch = Buffer(byteCount: count * width)
        try read(count, into: scratch.base)
        gather(scratch.base, width: width, indexes, count: indexCount, into: target)
    }

    /// Whether views that were read since the last call point into the page, and memory beside it
    /// that they point into.
    func takeViewOwners() -> (page: Bool, others: [Buffer]) { (false, []) }

    static func missing() -> ParquetError {
        .truncated("the page has fewer values than it claims")
    }
}

/// Values of fixed width side by side.
final class PlainFixedDecoder: ValueDecoder {
    private var next: UnsafeRawPointer
    private var left: Int

    init(_ bytes: UnsafeRawBufferPointer, width: Int) {
        next = bytes.start
        left = bytes.count / width
        super.init(width: width)
    }

    override func read(
        _ count: Int,
        into target: UnsafeMutableRawPointer
    ) throws(ParquetError) {
        guard count <= left else { throw Self.missing() }
        target.copyMemory(from: next, byteCount: count * width)
        next += count * width
        left -= count
    }

    override func skip(_ count: Int) throws(ParquetError) {
        guard count <= left else { throw Self.missing() }
        next += count * width
        left -= count
    }

    override func readInPlace(_ count: Int) throws(ParquetError) -> UnsafeRawPointer? {
        guard count <= left else { throw Self.missing() }
        defer {
            next += count * width
            left -= count
        }
        return next
    }
}

/// Booleans as bits, least significant first.
final class PlainBooleanDecoder: ValueDecoder {
    private let start: UnsafeRawPointer
    private var bit = 0
    private let count: Int

    init(_ bytes: UnsafeRawBufferPointer) {
        start = bytes.start
        count = bytes.count * 8
        super.init(width: 1)
    }

    override func read(
        _ wanted: Int,
        into target: UnsafeMutableRawPointer
    ) throws(ParquetError) {
        guard wanted <= count - bit else { throw Self.missing() }
        let target = target.assumingMemoryBound(to: UInt8.self)
        let source = start.assumingMemoryBound(to: UInt8.self)
        for index in 0..<wanted {
            let place = bit &+ index
            target[index] = (source[place &>> 3] &>> UInt8(place & 7)) & 1
        }
        bit += wanted
    }

    override func skip(_ wanted: Int) throws(ParquetError) {
        guard wanted <= count - bit else { throw Self.missing() }
        bit += wanted
    }
}

/// Booleans in the hybrid of runs.
final class RunBooleanDecoder: ValueDecoder {
    private var runs: HybridDecoder

    init(_ bytes: UnsafeRawBufferPointer) throws(ParquetError) {
        guard bytes.count >= 4 else { throw Self.missing() }
        let length = Int(UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self)))
        guard length <= bytes.count - 4 else { throw Self.missing() }
        runs = try HybridDecoder(bytes.start + 4, byteCount: length, width: 1)
        super.init(width: 1)
    }

    override func read(
        _ count: Int,
        into target: UnsafeMutableRawPointer
    ) throws(ParquetError) {
        let codes = Buffer(byteCount: count * 4)
        let wide = codes.mutable(as: UInt32.self)
        _ = try runs.read(count, into: wide)
        let target = target.assumingMemoryBound(to: UInt8.self)
        for index in 0..<count { target[index] = UInt8(truncatingIfNeeded: wide[index]) }
    }

    override func skip(_ count: Int) throws(ParquetError) {
        try runs.skip(count)
    }
}

/// Numbers whose bytes are written in one stream per byte position.
///
/// - Spec: Parquet, Encodings.md, "Byte Stream Split".
final class ByteStreamSplitDecoder: ValueDecoder {
    private let start: UnsafePointer<UInt8>
    private let count: Int
    private var index = 0

    init(_ bytes: UnsafeRawBufferPointer, width: Int) throws(ParquetError) {
        guard bytes.count % width == 0 else {
            throw .corrupt("\(bytes.count) bytes are not whole values of \(width)")
        }
        start = bytes.start.assumingMemoryBound(to: UInt8.self)
        count = bytes.count / width
        super.init(width: width)
    }

    override func read(
        _ wanted: Int,
        into target: UnsafeMutableRawPointer
    ) throws(ParquetError) {
        guard wanted <= count - index else { throw Self.missing() }
        let source = start + index
        let target = target.assumingMemoryBound(to: UInt8.self)
        switch width {
        case 4:
            for row in 0..<wanted {
                for byte in 0..<4 { target[row &* 4 &+ byte] = source[byte &* count &+ row] }
            }
        case 8:
            for row in 0..<wanted {
                for byte in 0..<8 { target[row &* 8 &+ byte] = source[byte &* count &+ row] }
            }
        default:
            for byte in 0..<width {
                let stream = source + byte &* count
                for row in 0..<wanted { target[row &* width &+ byte] = stream[row] }
            }
        }
        index += wanted
    }

    override func skip(_ wanted: Int) throws(ParquetError) {
        guard wanted <= count - index else { throw Self.missing() }
        index += wanted
    }
}

extension UnsafeRawBufferPointer {
    /// The first byte; an address nobody reads when there are none.
    var start: UnsafeRawPointer {
        baseAddress ?? UnsafeRawPointer(bitPattern: 64).unsafelyUnwrapped
    }
}
