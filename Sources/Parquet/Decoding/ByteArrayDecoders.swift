import Columnar

/// A view of `count` bytes that are followed by 16 readable ones.
///
/// It is Columnar's `StringView`, put together here because a call between modules for every row
/// would cost more than the work.
@inline(__always)
func makeView(_ bytes: UnsafeRawPointer, _ count: Int, at place: UnsafeMutableRawPointer) {
    let low = bytes.loadUnaligned(as: UInt64.self)
    let length = UInt64(truncatingIfNeeded: count)
    if count <= 12 {
        let high = UInt64(bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
        let lowMask = count >= 8 ? UInt64.max : (1 &<< (length &* 8)) &- 1
        let highMask = count <= 8 ? 0 : (1 &<< ((length &- 8) &* 8)) &- 1
        let (first, second) = (low & lowMask, high & highMask)
        place.storeBytes(of: length | (first &<< 32), as: UInt64.self)
        place.storeBytes(
            of: (first &>> 32) | (second &<< 32),
            toByteOffset: 8,
            as: UInt64.self
        )
    } else {
        place.storeBytes(of: length | (low &<< 32), as: UInt64.self)
        place.storeBytes(
            of: UInt64(truncatingIfNeeded: UInt(bitPattern: bytes)),
            toByteOffset: 8,
            as: UInt64.self
        )
    }
}

/// Byte arrays with their length in front.
final class PlainByteArrayDecoder: ValueDecoder {
    private var next: UnsafeRawPointer
    private let end: UnsafeRawPointer
    /// Whether each value must be checked to be UTF-8.
    private let checksText: Bool
    private var pointsIntoPage = false

    init(_ bytes: UnsafeRawBufferPointer, isText: Bool) {
        next = bytes.start
        end = next + bytes.count
        // A page without any byte above 127 (lengths included) needs no look at each value.
        checksText = isText && !isASCII(bytes)
        super.init(width: 16)
    }

    override func read(
        _ count: Int,
        into target: UnsafeMutableRawPointer
    ) throws(ParquetError) {
        var (place, position, longest) = (target, next, 0)
        for _ in 0..<count {
            guard end - position >= 4 else { throw Self.missing() }
            let length = Int(position.loadUnaligned(as: UInt32.self))
            position += 4
            guard length <= end - position else { throw Self.missing() }
            makeView(position, length, at: place)
            if checksText { try checkUTF8(position, length) }
            longest = max(longest, length)
            position += length
            place += 16
        }
        next = position
        if longest > StringView.inlineCountMax { pointsIntoPage = true }
    }

    override func pick(
        _ indexes: UnsafePointer<Int32>,
        _ indexCount: Int,
        of count: Int,
        into target: UnsafeMutableRawPointer
    ) throws(ParquetError) {
        var (position, row, longest) = (next, 0, 0)
        for index in 0..<indexCount {
            let wanted = Int(indexes[index])
            while true {
                guard end - position >= 4 else { throw Self.missing() }
                let length = Int(position.loadUnaligned(as: UInt32.self))
                position += 4
                guard length <= end - position else { throw Self.missing() }
                row &+= 1
                if row > wanted {
                    makeView(position, length, at: target + index &* 16)
                    if checksText { try checkUTF8(position, length) }
                    longest = max(longest, length)
                    position += length
                    break
                }
                position += length
            }
        }
        next = position
        if longest > StringView.inlineCountMax { pointsIntoPage = true }
        try skip(count &- row)
    }

    override func skip(_ count: Int) throws(ParquetError) {
        var position = next
        for _ in 0..<count {
            guard end - position >= 4 else { throw Self.missing() }
            let length = Int(position.loadUnaligned(as: UInt32.self))
            guard length <= end - position - 4 else { throw Self.missing() }
            position += 4 &+ length
        }
        next = position
    }

    override func takeViewOwners() -> (page: Bool, others: [Buffer]) {
        defer { pointsIntoPage = false }
        return (pointsIntoPage, [])
    }
}

/// Byte arrays whose lengths come first, as deltas, and then all bytes in a row.
///
/// - Spec: Parquet, Encodings.md, "Delta-length byte array".
final class DeltaLengthDecoder: ValueDecoder {
    private var lengths: DeltaBinaryDecoder
    private var next: UnsafeRawPointer
    private let end: UnsafeRawPointer
    private let checksText: Bool
    private var pointsIntoPage = false

    init(_ bytes: UnsafeRawBufferPointer, isText: Bool) throws(ParquetError) {
        lengths = try DeltaBinaryDecoder(bytes, width: 4)
        let lengthsByteCount = try lengths.byteCount()
        next = bytes.start + lengthsByteCount
        end = bytes.start + bytes.count
        let content = UnsafeRawBufferPointer(rebasing: bytes[lengthsByteCount...])
        checksText = isText && !isASCII(content)
        super.init(width: 16)
    }

    /// Reads the next lengths, which are known to fit the bytes that are left.
    private func readLengths(_ count: Int) throws(ParquetError) -> Buffer {
        let buffer = Buffer(byteCount: count * 4)
        try lengths.read(count, into: buffer.base)
        let values = buffer.mutable(as: Int32.self)
        var total = 0
        var smallest: Int32 = 0
        for index in 0..<count {
            smallest = min(smallest, values[index])
            total &+= Int(values[index])
        }
        guard smallest >= 0 else { throw .corrupt("a byte array of length \(smallest)") }
        guard total <= end - next else { throw Self.missing() }
        return buffer
    }

    override func read(
        _ count: Int,
        into target: UnsafeMutableRawPointer
    ) throws(ParquetError) {
        let buffer = try readLengths(count)
        let values = buffer.mutable(as: Int32.self)
        var longest = 0
        for index in 0..<count {
            let length = Int(values[index])
            makeView(next, length, at: target + index &* 16)
            if checksText { try checkUTF8(next, length) }
            longest = max(longest, length)
            next += length
        }
        if longest > StringView.inlineCountMax { pointsIntoPage = true }
    }

    /// The next values' bytes in a row, with their lengths.
    func readRaw(_ count: Int) throws(ParquetError) -> (lengths: Buffer, bytes: UnsafeRawPointer) {
        let buffer = try readLengths(count)
        let values = buffer.mutable(as: Int32.self)
        let start = next
        for index in 0..<count { next += Int(values[index]) }
        return (buffer, start)
    }

    override func skip(_ count: Int) throws(ParquetError) {
        var left = count
        while left > 0 {
            let part = min(left, 4096)
            let buffer = try readLengths(part)
            let values = buffer.mutable(as: Int32.self)
            for index in 0..<part { next += Int(values[index]) }
            left -= part
        }
    }

    override func takeViewOwners() -> (page: Bool, others: [Buffer]) {
        defer { pointsIntoPage = false }
        return (pointsIntoPage, [])
    }
}

/// Byte arrays that share a prefix with the one before; of free or of fixed length.
///
/// - Spec: Parquet, Encodings.md, "Delta Strings".
final class DeltaByteArrayDecoder: ValueDecoder {
    private var prefixLengths: DeltaBinaryDecoder
    private let suffixes: DeltaLengthDecoder
    private var previous: [UInt8] = []
    private let isText: Bool
    /// The length that all values must have; nil for byte arrays.
    private let fixedLength: Int?
    private var owners: [Buffer] = []

    /// Bytes that one batch of values may take: prefixes let a small page stand for far more bytes
    /// than it has.
    private static let batchByteCountMax = 1 << 30

    init(
        _ bytes: UnsafeRawBufferPointer,
        isText: Bool,
        fixedLength: Int?
    ) throws(ParquetError) {
        prefixLengths = try DeltaBinaryDecoder(bytes, width: 4)
        let byteCount = try prefixLengths.byteCount()
        suffixes = try DeltaLengthDecoder(
            UnsafeRawBufferPointer(rebasing: bytes[byteCount...]),
            isText: false
        )
        self.isText = isText
        self.fixedLength = fixedLength
        super.init(width: fixedLength ?? 16)
    }

    override func read(
        _ count: Int,
        into target: UnsafeMutableRawPointer
    ) throws(ParquetError) {
        if count == 0 { return }
        let prefixBuffer = Buffer(byteCount: count * 4)
        try prefixLengths.read(count, into: prefixBuffer.base)
        let prefixes = prefixBuffer.mutable(as: Int32.self)
        let (lengthBuffer, suffixStart) = try suffixes.readRaw(count)
        let lengths = lengthBuffer.mutable(as: Int32.self)
        var (total, last) = (0, previous.count)
        for index in 0..<count {
            let prefix = Int(prefixes[index])
            guard prefix >= 0, prefix <= last else {
                throw .corrupt("a prefix of \(prefix) bytes of a value of \(last)")
            }
            last = prefix + Int(lengths[index])
            if let fixedLength, last != fixedLength {
                throw .corrupt("a value of \(last) bytes in a column of \(fixedLength)")
            }
            total += last
            guard total <= Self.batchByteCountMax else {
                throw .corrupt("\(count) values would take more than \(total) bytes")
            }
        }
        let arena = fixedLength == nil ? Buffer(byteCount: total) : nil
        var place = arena?.base ?? target
        var suffix = suffixStart
        var before = previous.withUnsafeBytes { $0.start }
        try withExtendedLifetime(previous) { () throws(ParquetError) in
            for index in 0..<count {
                let (prefix, length) = (Int(prefixes[index]), Int(lengths[index]))
                place.copyMemory(from: before, byteCount: prefix)
                (place + prefix).copyMemory(from: suffix, byteCount: length)
                if arena != nil { makeView(place, prefix + length, at: target + index &* 16) }
                before = UnsafeRawPointer(place)
                place += prefix + length
                suffix += length
            }
            if let arena, isText, !isASCII(UnsafeRawBufferPointer(start: arena.base, count: total))
            {
                var position = UnsafeRawPointer(arena.base)
                for index in 0..<count {
                    let length = Int(prefixes[index]) + Int(lengths[index])
                    try checkUTF8(position, length)
                    position += length
                }
            }
        }
        previous = Array(UnsafeRawBufferPointer(start: before, count: last))
        if let arena { owners.append(arena) }
    }

    override func skip(_ count: Int) throws(ParquetError) {
        var left = count
        while left > 0 {
            let part = min(left, 1024)
            let scratch = Buffer(byteCount: part * width)
            try read(part, into: scratch.base)
            owners.removeAll()
            left -= part
        }
    }

    override func takeViewOwners() -> (page: Bool, others: [Buffer]) {
        defer { owners = [] }
        return (false, owners)
    }
}
