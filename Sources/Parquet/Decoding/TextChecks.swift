/// Whether no byte is above 127.
func isASCII(_ bytes: UnsafeRawBufferPointer) -> Bool {
    let start = bytes.start
    let count = bytes.count
    var offset = 0
    // In steps, so that a page with other letters early on is told soon. Plain words, not SIMD types:
    // those are slow here, and the compiler makes vectors of this loop.
    while offset &+ 512 <= count {
        var all: UInt64 = 0
        let step = start + offset
        for word in 0..<64 { all |= step.loadUnaligned(fromByteOffset: word &* 8, as: UInt64.self) }
        if all & 0x8080_8080_8080_8080 != 0 { return false }
        offset &+= 512
    }
    var rest: UInt8 = 0
    while offset < count {
        rest |= start.load(fromByteOffset: offset, as: UInt8.self)
        offset &+= 1
    }
    return rest < 0x80
}

/// Throws when the bytes, which are followed by 8 readable ones, are not UTF-8.
@inline(__always)
func checkUTF8(_ start: UnsafeRawPointer, _ count: Int) throws(ParquetError) {
    var offset = 0
    while offset < count {
        let word = start.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        let mask =
            count &- offset >= 8
            ? UInt64.max : (1 &<< UInt64((count &- offset) &* 8)) &- 1
        if word & mask & 0x8080_8080_8080_8080 != 0 {
            guard isUTF8(start + offset, count &- offset) else {
                throw .corrupt("text is not valid UTF-8")
            }
            return
        }
        offset &+= 8
    }
}

/// Whether the bytes are well-formed UTF-8, by the table of the Unicode standard (3-7).
@inline(never)
func isUTF8(_ start: UnsafeRawPointer, _ count: Int) -> Bool {
    let bytes = start.assumingMemoryBound(to: UInt8.self)
    var index = 0
    while index < count {
        let first = bytes[index]
        if first < 0x80 {
            index &+= 1
            continue
        }
        let length: Int
        var (low, high): (UInt8, UInt8) = (0x80, 0xbf)
        switch first {
        case 0xc2...0xdf: length = 2
        case 0xe0: (length, low) = (3, 0xa0)
        case 0xed: (length, high) = (3, 0x9f)
        case 0xe1...0xef: length = 3
        case 0xf0: (length, low) = (4, 0x90)
        case 0xf4: (length, high) = (4, 0x8f)
        case 0xf1...0xf3: length = 4
        default: return false
        }
        guard length <= count &- index else { return false }
        let second = bytes[index &+ 1]
        if second < low || second > high { return false }
        if length > 2, bytes[index &+ 2] & 0xc0 != 0x80 { return false }
        if length > 3, bytes[index &+ 3] & 0xc0 != 0x80 { return false }
        index &+= length
    }
    return true
}
