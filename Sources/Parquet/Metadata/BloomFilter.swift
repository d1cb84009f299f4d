import Bytes
package import Columnar

/// A split block bloom filter: says that a value is surely not in a column chunk, or that it may be.
///
/// - Spec: Parquet, BloomFilter.md.
package struct BloomFilter: Sendable {
    private let words: [UInt32]

    /// Bytes that are surely enough for the header alone.
    package static let headerByteCountMax = 64

    private static let salts: [UInt32] = [
        0x47b6_137b, 0x4497_4d91, 0x8824_ad5b, 0xa2b7_289d,
        0x7054_95c7, 0x2df1_424b, 0x9efc_4947, 0x5c6b_fb31,
    ]

    /// How many bytes a filter takes, from its first bytes (`headerByteCountMax` of them, or fewer
    /// at the end of the file), where the metadata does not tell.
    package static func byteCount(
        header bytes: UnsafeRawBufferPointer
    ) throws(ParquetError) -> Int {
        let (header, bits) = try readHeader(bytes)
        return header + bits
    }

    private static func readHeader(
        _ bytes: UnsafeRawBufferPointer
    ) throws(ParquetError) -> (header: Int, bits: Int) {
        var reader = ThriftReader(bytes)
        var last: Int16 = 0
        var size: Int?
        while let field = try reader.nextField(&last) {
            switch field.id {
            case 1: size = try reader.size(field)
            case 2, 3, 4:
                guard try reader.unionMember(field) == 1 else {
                    throw .unsupported("a bloom filter of an unknown kind")
                }
            default: try reader.skip(field)
            }
        }
        let count = try required(size, "size of a bloom filter")
        guard count > 0, count % 32 == 0, count <= 128 << 20 else {
            throw .corrupt("a bloom filter of \(count) bytes")
        }
        return (reader.offset, count)
    }

    /// Reads a filter with its header.
    package init(_ bytes: UnsafeRawBufferPointer) throws(ParquetError) {
        let (header, count) = try Self.readHeader(bytes)
        guard bytes.count - header >= count else {
            throw .truncated("a bloom filter of \(count) bytes in \(bytes.count - header)")
        }
        words = (0..<count / 4).map {
            UInt32(
                littleEndian: bytes.loadUnaligned(fromByteOffset: header + $0 * 4, as: UInt32.self)
            )
        }
    }

    /// Sets the bits of a hash in the words of a filter.
    static func insert(_ hash: UInt64, into words: inout [UInt32]) {
        let block = Int(((hash >> 32) * UInt64(words.count / 8)) >> 32) * 8
        let key = UInt32(truncatingIfNeeded: hash)
        for index in 0..<8 {
            words[block + index] |= UInt32(1) << ((key &* salts[index]) >> 27)
        }
    }

    /// Whether a value of this hash may be in the chunk.
    package func mightContain(hash: UInt64) -> Bool {
        let blockCount = UInt64(words.count / 8)
        let block = Int(((hash >> 32) * blockCount) >> 32) * 8
        let key = UInt32(truncatingIfNeeded: hash)
        for index in 0..<8 {
            let bit = UInt32(1) << ((key &* Self.salts[index]) >> 27)
            if words[block + index] & bit == 0 { return false }
        }
        return true
    }

    /// Whether a value may be in the chunk of `leaf`; true when the value has no one form there.
    package func mightContain(_ value: Value, leaf: ParquetLeaf) -> Bool {
        guard let bytes = Self.plainBytes(value, leaf) else { return true }
        return mightContain(hash: bytes.withUnsafeBytes { xxHash64($0) })
    }

    /// A value as PLAIN has it (byte arrays without their length); nil when that is not certain.
    private static func plainBytes(_ value: Value, _ leaf: ParquetLeaf) -> [UInt8]? {
        var result: [UInt8] = []
        switch (leaf.physical, value) {
        case (.byteArray, .string(let text)): result = Array(text.utf8)
        case (.byteArray, .binary(let bytes)): result = bytes
        case (.fixedLengthByteArray, .fixed(let bytes)),
            (.fixedLengthByteArray, .binary(let bytes)):
            guard bytes.count == leaf.typeLength else { return nil }
            result = bytes
        case (.fixedLengthByteArray, .uuid(let bits)) where leaf.typeLength == 16:
            result = UUIDBits.bytes(fromOrdered: bits)
        case (.fixedLengthByteArray, .decimal(let digits)):
            guard case .decimal? = leaf.logical else { return nil }
            for index in (0..<leaf.typeLength).reversed() {
                result.append(UInt8(truncatingIfNeeded: digits >> Int128(8 * min(index, 15))))
            }
            guard leaf.typeLength <= 16 else { return nil }
        case (.int32, _):
            guard let number = integer(value, leaf), let narrow = Int32(exactly: number) else {
                return nil
            }
            result.appendLittleEndian(narrow)
        case (.int64, _):
            guard let number = integer(value, leaf), let narrow = Int64(exactly: number) else {
                return nil
            }
            result.appendLittleEndian(narrow)
        case (.float, .float32(let number)) where number != 0 && !number.isNaN:
            result.appendLittleEndian(number.bitPattern)
        case (.double, .float64(let number)) where number != 0 && !number.isNaN:
            result.appendLittleEndian(number.bitPattern)
        default: return nil
        }
        return result
    }

    /// The number that the file has for a value of the leaf's natural type, where that is plain.
    private static func integer(_ value: Value, _ leaf: ParquetLeaf) -> Int128? {
        switch (value, leaf.type) {
        case (.int32(let number), .int32), (.date(let number), .date): return Int128(number)
        case (.int64(let number), .int64):
            if leaf.physical == .int64 { return Int128(number) }
            guard let bits = UInt32(exactly: number) else { return nil }
            return Int128(Int32(bitPattern: bits))
        case (.decimal(let digits), .decimal):
            if case .integer? = leaf.logical {
                guard let bits = UInt64(exactly: digits) else { return nil }
                return Int128(Int64(bitPattern: bits))
            }
            return digits
        case (.timestamp(let micros), .timestamp), (.timestamptz(let micros), .timestamptz):
            guard case .timestamp(.micros, _)? = leaf.logical else { return nil }
            return Int128(micros)
        case (.time(let micros), .time):
            guard leaf.logical == .time(.micros) else { return nil }
            return Int128(micros)
        default: return nil
        }
    }
}
