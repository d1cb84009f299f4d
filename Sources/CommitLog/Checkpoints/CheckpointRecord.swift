import Bytes

// What a checkpoint's segments hold: records in the order of their keys' bytes, each
//
//     varint k | k bytes of key | varint 0              the record is gone (deltas only)
//     varint k | k bytes of key | varint v + 1 | v bytes of value
//
// one behind the other, and all of it compressed as one zstd frame.

/// A part of a state under a key of its own, as checkpoints store it.
package struct CheckpointRecord: Sendable, Equatable {
    /// UTF-8, not empty.
    package let key: ArraySlice<UInt8>
    /// Nil says that there is no such record any more.
    package let value: ArraySlice<UInt8>?

    package init(key: ArraySlice<UInt8>, value: ArraySlice<UInt8>?) {
        self.key = key
        self.value = value
    }

    /// The bytes that it takes in a segment before compression, about.
    var byteCount: Int { key.count + (value?.count ?? 0) + 4 }

    /// Appends the record's bytes.
    func append(to bytes: inout [UInt8]) {
        bytes.appendVarint(UInt64(key.count))
        bytes += key
        guard let value else {
            bytes.appendVarint(0)
            return
        }
        bytes.appendVarint(UInt64(value.count) + 1)
        bytes += value
    }

    /// Reads a segment's records.
    ///
    /// - Throws: `corrupt` when the bytes are no records, or their keys do not ascend.
    static func decode(_ bytes: [UInt8], countMax: Int) throws(CommitLogError) -> [CheckpointRecord]
    {
        var records: [CheckpointRecord] = []
        // Every record takes two bytes at least.
        records.reserveCapacity(min(countMax, bytes.count / 2))
        var offset = 0
        func corrupt() -> CommitLogError {
            CommitLogError(.corrupt, "the bytes at \(offset) are no record that belongs there")
        }
        while offset < bytes.count {
            guard let keyCount = readVarint(bytes, &offset), keyCount > 0,
                keyCount <= bytes.count - offset
            else { throw corrupt() }
            let key = bytes[offset..<offset + keyCount]
            offset += keyCount
            guard let marked = readVarint(bytes, &offset), marked - 1 <= bytes.count - offset else {
                throw corrupt()
            }
            var value: ArraySlice<UInt8>?
            if marked > 0 {
                value = bytes[offset..<offset + marked - 1]
                offset += marked - 1
            }
            if let last = records.last?.key, !keyPrecedes(last, key) { throw corrupt() }
            records.append(CheckpointRecord(key: key, value: value))
        }
        return records
    }

    /// The records of two sorted sequences in one; of two with the same key the newer.
    static func merged(
        _ older: [CheckpointRecord],
        _ newer: [CheckpointRecord]
    ) -> [CheckpointRecord] {
        if older.isEmpty { return newer }
        if newer.isEmpty { return older }
        var merged: [CheckpointRecord] = []
        merged.reserveCapacity(older.count + newer.count)
        var at = 0
        for record in newer {
            while at < older.count, keyPrecedes(older[at].key, record.key) {
                merged.append(older[at])
                at += 1
            }
            if at < older.count, older[at].key == record.key { at += 1 }
            merged.append(record)
        }
        merged += older[at...]
        return merged
    }
}

/// Whether a key comes before another: by their bytes.
func keyPrecedes(_ left: ArraySlice<UInt8>, _ right: ArraySlice<UInt8>) -> Bool {
    left.lexicographicallyPrecedes(right)
}

/// An unsigned LEB128 number below 2^56; nil when there is none.
func readVarint(_ bytes: [UInt8], _ offset: inout Int) -> Int? {
    var result = 0
    var shift = 0
    while offset < bytes.count, shift < 56 {
        let byte = bytes[offset]
        offset += 1
        result |= Int(byte & 0x7F) << shift
        if byte < 0x80 { return result }
        shift += 7
    }
    return nil
}
