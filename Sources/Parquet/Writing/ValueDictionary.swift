import Columnar
import Glibc

/// The distinct numbers of a chunk that is being written, in the order in which they were met.
///
/// An open hash table of codes beside the keys; it is at most half full.
final class NumberDictionary<Key: FixedWidthInteger & UnsignedInteger & BitwiseCopyable> {
    private(set) var keys: UnsafeMutablePointer<Key>
    private(set) var count = 0
    /// Codes plus one; 0 where there is none.
    private var table: UnsafeMutablePointer<UInt32>
    /// Slots of the table; keys has room for half as many.
    private var capacity = 1024

    init() {
        keys = .allocate(capacity: capacity / 2)
        table = .allocate(capacity: capacity)
        table.initialize(repeating: 0, count: capacity)
    }

    deinit {
        keys.deallocate()
        table.deallocate()
    }

    @inline(__always)
    private static func slot(_ key: Key, _ mask: Int) -> Int {
        var word = UInt64(truncatingIfNeeded: key)
        if Key.bitWidth > 64 {
            word ^= UInt64(truncatingIfNeeded: key &>> 64) &* 0xff51_afd7_ed55_8ccd
        }
        // A product's high half depends on all bits of the factor.
        let product = word.multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
        return Int(truncatingIfNeeded: product.high ^ product.low) & mask
    }

    private func grow() {
        let newCapacity = capacity * 2
        let newKeys = UnsafeMutablePointer<Key>.allocate(capacity: newCapacity / 2)
        newKeys.update(from: keys, count: count)
        let newTable = UnsafeMutablePointer<UInt32>.allocate(capacity: newCapacity)
        newTable.initialize(repeating: 0, count: newCapacity)
        let mask = newCapacity - 1
        for code in 0..<count {
            var slot = Self.slot(newKeys[code], mask)
            while newTable[slot] != 0 { slot = (slot &+ 1) & mask }
            newTable[slot] = UInt32(code) &+ 1
        }
        keys.deallocate()
        table.deallocate()
        (keys, table, capacity) = (newKeys, newTable, newCapacity)
    }

    /// Writes the codes of `count` values, adding those that are new.
    ///
    /// - Returns: false, with what was added before it left in, when there would be more than
    ///   `countMax` distinct values.
    func codes(
        _ values: UnsafePointer<Key>,
        count valueCount: Int,
        countMax: Int,
        into codes: UnsafeMutablePointer<UInt32>
    ) -> Bool {
        var done = 0
        while true {
            let limit = min(capacity / 2, countMax)
            done += fill(values + done, valueCount - done, limit, codes + done)
            if done == valueCount { return true }
            if count >= countMax { return false }
            grow()
        }
    }

    /// Writes codes until a new value would make it more than `limit`.
    ///
    /// - Returns: how many were written.
    private func fill(
        _ values: UnsafePointer<Key>,
        _ valueCount: Int,
        _ limit: Int,
        _ codes: UnsafeMutablePointer<UInt32>
    ) -> Int {
        let (keys, table, mask) = (keys, table, capacity - 1)
        var added = count
        defer { count = added }
        for index in 0..<valueCount {
            let key = values[index]
            var slot = Self.slot(key, mask)
            while true {
                let entry = table[slot]
                if entry == 0 {
                    if added >= limit { return index }
                    keys[added] = key
                    codes[index] = UInt32(truncatingIfNeeded: added)
                    added &+= 1
                    table[slot] = UInt32(truncatingIfNeeded: added)
                    break
                }
                if keys[Int(entry &- 1)] == key {
                    codes[index] = entry &- 1
                    break
                }
                slot = (slot &+ 1) & mask
            }
        }
        return valueCount
    }
}

/// The distinct byte strings of a chunk that is being written, laid out as a dictionary page.
final class BytesDictionary {
    /// As PLAIN has them: each with its length in front, unless all have the same.
    let content = GrowableBytes(capacity: 1 << 12)
    /// Where the bytes of each value begin in `content`, and its length.
    private(set) var places: [(offset: UInt32, length: UInt32)] = []
    private let hasLengths: Bool
    private var table: [UInt32] = Array(repeating: 0, count: 1024)
    private var hashes: [UInt64] = []

    init(hasLengths: Bool) {
        self.hasLengths = hasLengths
    }

    private static func hash(_ bytes: UnsafeRawPointer, _ count: Int) -> UInt64 {
        var result = UInt64(count) &* 0x9e37_79b9_7f4a_7c15
        var offset = 0
        @inline(__always)
        func mix(_ word: UInt64) {
            let product = (result ^ word).multipliedFullWidth(by: 0xa076_1d64_78bd_642f)
            result = product.high ^ product.low
        }
        while offset &+ 8 <= count {
            mix(bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            offset &+= 8
        }
        if offset < count {
            var word: UInt64 = 0
            for index in offset..<count {
                word = (word &<< 8) | UInt64(bytes.load(fromByteOffset: index, as: UInt8.self))
            }
            mix(word)
        }
        mix(0)
        return result
    }

    private func grow() {
        let mask = table.count * 2 - 1
        var newTable = [UInt32](repeating: 0, count: table.count * 2)
        for (code, hash) in hashes.enumerated() {
            var slot = Int(truncatingIfNeeded: hash) & mask
            while newTable[slot] != 0 { slot = (slot + 1) & mask }
            newTable[slot] = UInt32(code) + 1
        }
        table = newTable
    }

    /// The code of a value, added if it is new.
    ///
    /// - Returns: nil when the dictionary would take more than `byteCountMax` bytes.
    func code(_ bytes: UnsafeRawPointer, _ count: Int, byteCountMax: Int) -> UInt32? {
        let hash = Self.hash(bytes, count)
        let mask = table.count - 1
        var slot = Int(truncatingIfNeeded: hash) & mask
        while true {
            let entry = Int(table[slot])
            if entry == 0 { break }
            if hashes[entry - 1] == hash {
                let place = places[entry - 1]
                if Int(place.length) == count,
                    memcmp(content.base + Int(place.offset), bytes, count) == 0
                {
                    return UInt32(entry - 1)
                }
            }
            slot = (slot &+ 1) & mask
        }
        let needed = count + (hasLengths ? 4 : 0)
        guard content.count + needed <= byteCountMax else { return nil }
        let target = content.extend(needed)
        let prefix = hasLengths ? 4 : 0
        if hasLengths {
            target.storeBytes(of: UInt32(count).littleEndian, as: UInt32.self)
        }
        (target + prefix).copyMemory(from: bytes, byteCount: count)
        places.append((UInt32(content.count - count), UInt32(count)))
        hashes.append(hash)
        table[slot] = UInt32(places.count)
        if places.count * 2 > table.count { grow() }
        return UInt32(places.count - 1)
    }
}
