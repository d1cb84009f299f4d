import Bytes

/// The 32-bit hash that the bucket transform is defined with: Murmur3 x86, seed 0.
///
/// - Spec: Appendix B.
enum BucketHash {
    /// The hash of the eight little-endian bytes of a number.
    @inline(__always)
    static func hash(_ value: Int64) -> UInt32 {
        let bits = UInt64(bitPattern: value)
        var hash = mixed(0, UInt32(truncatingIfNeeded: bits))
        hash = mixed(hash, UInt32(truncatingIfNeeded: bits >> 32))
        return finished(hash, count: 8)
    }

    @inline(__always)
    private static func mixed(_ hash: UInt32, _ word: UInt32) -> UInt32 {
        var k = word &* 0xcc9e_2d51
        k = (k << 15 | k >> 17) &* 0x1b87_3593
        let h = hash ^ k
        return (h << 13 | h >> 19) &* 5 &+ 0xe654_6b64
    }

    @inline(__always)
    private static func finished(_ hash: UInt32, count: UInt32) -> UInt32 {
        var h = hash ^ count
        h = (h ^ h >> 16) &* 0x85eb_ca6b
        h = (h ^ h >> 13) &* 0xc2b2_ae35
        return h ^ h >> 16
    }

    static func hash(_ bytes: [UInt8]) -> UInt32 {
        bytes.withUnsafeBytes { murmur3x86($0) }
    }

    /// The bucket of a hash: its sign bit dropped, modulo the number of buckets.
    @inline(__always)
    static func bucket(_ hash: UInt32, count: Int32) -> Int32 {
        Int32(truncatingIfNeeded: hash & 0x7fff_ffff) % count
    }
}

extension Datum {
    /// The hash of this value; nil for kinds that cannot be hashed.
    ///
    /// - Spec: Appendix B: numbers as longs, nanoseconds as microseconds, decimals in minimal bytes.
    package var bucketHash: Int32? {
        let hash: UInt32
        switch self {
        case .int(let value), .date(let value): hash = BucketHash.hash(Int64(value))
        case .long(let value), .time(let value), .timestamp(let value), .timestamptz(let value):
            hash = BucketHash.hash(value)
        case .timestampNanos(let value), .timestamptzNanos(let value):
            hash = BucketHash.hash(value.flooredQuotient(1000))
        case .decimal(let unscaled, _): hash = BucketHash.hash(Decimals.minimalBigEndian(unscaled))
        case .string(let value): hash = BucketHash.hash(Array(value.utf8))
        case .uuid, .fixed, .binary: hash = BucketHash.hash(bytes)
        case .boolean, .float, .double: return nil
        }
        return Int32(bitPattern: hash)
    }
}
