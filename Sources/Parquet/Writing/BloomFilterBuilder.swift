import Bytes

// The size of a filter is told by how many distinct values there are, which is known at the chunk's end. So
// hashes are kept, once each, up to as many as the largest filter is meant for; beyond that the filter is of
// that size in any case, and hashes go straight into it.

/// Makes the bloom filter of a column chunk that is being written.
///
/// - Spec: Parquet, BloomFilter.md.
struct BloomFilterBuilder {
    /// Bits for each distinct value, in hundredths: false positives are 1 in 100 with these.
    private static let centibitsPerValue = 968
    /// A filter with more of its bits set says yes too often to be worth its bytes.
    private static let fillPercentMax = 85

    private let leaf: WriteLeaf
    private let byteCountMax: Int
    private let hashCountMax: Int
    /// Not yet in `words`; some may be there twice.
    private var hashes: [UInt64] = []
    /// The filter of the largest size; empty while hashes are kept.
    private var words: [UInt32] = []

    /// - Returns: nil for types that have no filters.
    init?(leaf: WriteLeaf, byteCountMax: Int) {
        switch leaf.physical {
        case .int32, .int64, .float, .double, .byteArray, .fixedLengthByteArray: break
        default: return nil
        }
        self.leaf = leaf
        // Some readers want powers of two.
        var size = 32
        while size * 2 <= min(byteCountMax, 128 << 20) { size *= 2 }
        self.byteCountMax = size
        hashCountMax = size * 800 / Self.centibitsPerValue + 1
    }

    /// Bytes that are kept.
    var keptByteCount: Int { hashes.count * 8 + words.count * 4 }

    /// Adds values as PLAIN has them.
    mutating func add(_ plain: UnsafeRawBufferPointer) {
        switch leaf.physical {
        case .int32:
            for offset in stride(from: 0, to: plain.count - 3, by: 4) { add(plain, offset, 4) }
        case .int64:
            for offset in stride(from: 0, to: plain.count - 7, by: 8) { add(plain, offset, 8) }
        case .float:
            for offset in stride(from: 0, to: plain.count - 3, by: 4) {
                add(plain, offset, 4)
                let value = plain.loadUnaligned(fromByteOffset: offset, as: Float.self)
                // Whoever looks for one zero must find the other, and any NaN every other.
                if value == 0 {
                    add(bits: Float(0).bitPattern)
                    add(bits: Float(-0.0).bitPattern)
                } else if value.isNaN {
                    add(bits: Float.nan.bitPattern)
                }
            }
        case .double:
            for offset in stride(from: 0, to: plain.count - 7, by: 8) {
                add(plain, offset, 8)
                let value = plain.loadUnaligned(fromByteOffset: offset, as: Double.self)
                if value == 0 {
                    add(bits: Double(0).bitPattern)
                    add(bits: Double(-0.0).bitPattern)
                } else if value.isNaN {
                    add(bits: Double.nan.bitPattern)
                }
            }
        case .fixedLengthByteArray:
            let width = leaf.typeLength
            guard width > 0 else { return }
            var offset = 0
            while offset + width <= plain.count {
                add(plain, offset, width)
                offset += width
            }
        default:
            var offset = 0
            while offset + 4 <= plain.count {
                let length = Int(plain.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
                offset += 4
                guard length <= plain.count - offset else { return }
                add(plain, offset, length)
                offset += length
            }
        }
    }

    private mutating func add(_ plain: UnsafeRawBufferPointer, _ offset: Int, _ count: Int) {
        add(xxHash64(UnsafeRawBufferPointer(rebasing: plain[offset..<offset + count])))
    }

    private mutating func add<Bits: FixedWidthInteger & BitwiseCopyable>(bits: Bits) {
        withUnsafeBytes(of: bits.littleEndian) { add(xxHash64($0)) }
    }

    private mutating func add(_ hash: UInt64) {
        if !words.isEmpty {
            BloomFilter.insert(hash, into: &words)
            return
        }
        hashes.append(hash)
        // Twice as many, so that removing the repeated ones pays for itself.
        guard hashes.count >= 2 * hashCountMax else { return }
        removeRepeated()
        guard hashes.count > hashCountMax else { return }
        words = [UInt32](repeating: 0, count: byteCountMax / 4)
        for hash in hashes { BloomFilter.insert(hash, into: &words) }
        hashes = []
    }

    private mutating func removeRepeated() {
        hashes.sort()
        var count = 0
        for hash in hashes where count == 0 || hashes[count - 1] != hash {
            hashes[count] = hash
            count += 1
        }
        hashes.removeLast(hashes.count - count)
    }

    /// The filter with its header; empty when it would help nobody.
    ///
    /// The next chunk begins then.
    mutating func finish() -> [UInt8] {
        defer { (hashes, words) = ([], []) }
        if words.isEmpty {
            removeRepeated()
            // Of a chunk of nulls nothing is known but that no value is there.
            var size = 32
            while size < byteCountMax, size * 800 < hashes.count * Self.centibitsPerValue {
                size *= 2
            }
            words = [UInt32](repeating: 0, count: size / 4)
            for hash in hashes { BloomFilter.insert(hash, into: &words) }
        }
        let set = words.reduce(0) { $0 + $1.nonzeroBitCount }
        guard set * 100 <= words.count * 32 * Self.fillPercentMax else { return [] }
        return BloomFilter.message(words)
    }
}

extension BloomFilter {
    /// The filter as a file has it: its header, then its blocks.
    fileprivate static func message(_ words: [UInt32]) -> [UInt8] {
        var result = ThriftWriter.message { writer in
            writer.int32(1, Int32(clamping: words.count * 4))
            // Split blocks, xxHash, not compressed.
            for id: Int16 in 2...4 { writer.structure(id) { $0.emptyStructure(1) } }
        }
        result.reserveCapacity(result.count + words.count * 4)
        for word in words { result.appendLittleEndian(word) }
        return result
    }
}
