/// Whether bytes are well-formed UTF-8 (Unicode 15, table 3-7).
///
/// Eight bytes behind the last must be readable.
func isValidUTF8(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Bool {
    var index = 0
    while index &+ 8 <= count {
        if FieldParsing.word(bytes + index) & 0x8080_8080_8080_8080 != 0 { break }
        index &+= 8
    }
    while index < count {
        let lead = bytes[index]
        if lead < 0x80 {
            index &+= 1
            continue
        }
        let tailCount: Int
        var low: UInt8 = 0x80
        var high: UInt8 = 0xBF
        switch lead {
        case 0xC2...0xDF: tailCount = 1
        case 0xE0...0xEF:
            tailCount = 2
            if lead == 0xE0 { low = 0xA0 }
            if lead == 0xED { high = 0x9F }
        case 0xF0...0xF4:
            tailCount = 3
            if lead == 0xF0 { low = 0x90 }
            if lead == 0xF4 { high = 0x8F }
        default: return false
        }
        guard index &+ tailCount < count else { return false }
        let second = bytes[index &+ 1]
        guard second >= low, second <= high else { return false }
        var tail = 2
        while tail <= tailCount {
            guard bytes[index &+ tail] & 0xC0 == 0x80 else { return false }
            tail &+= 1
        }
        index &+= tailCount &+ 1
    }
    return true
}
