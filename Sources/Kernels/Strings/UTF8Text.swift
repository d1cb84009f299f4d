import CPCRE2
import Columnar
import Glibc

/// Work on UTF-8 bytes. Text that is not valid is treated byte by byte; nothing traps on it.
enum UTF8Text {
    typealias Bytes = UnsafeBufferPointer<UInt8>

    /// Whether all bytes are below 0x80.
    @inline(__always)
    static func isASCII(_ text: Bytes) -> Bool {
        var all: UInt8 = 0
        for byte in text { all |= byte }
        return all < 0x80
    }

    /// How many code points: bytes that do not continue one.
    @inline(__always)
    static func count(_ text: Bytes) -> Int {
        var count = 0
        for byte in text { count &+= byte & 0xC0 == 0x80 ? 0 : 1 }
        return count
    }

    /// Where the code point `index` places behind `start` begins; the end when there are not so many.
    @inline(__always)
    static func offset(_ text: Bytes, from start: Int = 0, skipping index: Int) -> Int {
        var offset = start
        var left = index
        while left > 0, offset < text.count {
            offset &+= 1
            while offset < text.count, text[offset] & 0xC0 == 0x80 { offset &+= 1 }
            left &-= 1
        }
        return offset
    }

    /// Where `needle` first occurs at or behind `start`; nil if it does not.
    @inline(__always)
    static func find(_ needle: Bytes, in text: Bytes, from start: Int = 0) -> Int? {
        if needle.isEmpty { return start }
        guard text.count &- start >= needle.count, let base = text.baseAddress else { return nil }
        guard
            let hit = memmem(base + start, text.count &- start, needle.baseAddress, needle.count)
        else { return nil }
        return UnsafeRawPointer(hit) - UnsafeRawPointer(base)
    }

    /// Whether `text` has these bytes at `offset`.
    @inline(__always)
    static func has(_ text: Bytes, _ part: Bytes, at offset: Int) -> Bool {
        guard offset >= 0, text.count &- offset >= part.count else { return false }
        guard let a = text.baseAddress, let b = part.baseAddress, !part.isEmpty else {
            return true
        }
        return memcmp(a + offset, b, part.count) == 0
    }

    static func slice(_ text: Bytes, _ range: Range<Int>) -> Bytes {
        Bytes(rebasing: text[range])
    }

    /// The text with every code point replaced by its simple lower or upper case form.
    ///
    /// Mappings to several code points (`ß` to `SS`) are left out, as the simple mapping has none.
    static func cased(_ text: Bytes, isUpper: Bool, into result: inout [UInt8]) {
        result.removeAll(keepingCapacity: true)
        if isASCII(text) {
            let first: UInt8 = isUpper ? 97 : 65
            result.append(
                contentsOf: text.lazy.map { $0 &- first < 26 ? $0 ^ 0x20 : $0 }
            )
            return
        }
        for scalar in String(decoding: text, as: UTF8.self).unicodeScalars {
            append(casedScalar(scalar, isUpper: isUpper), to: &result)
        }
    }

    static func casedScalar(_ scalar: Unicode.Scalar, isUpper: Bool) -> Unicode.Scalar {
        let properties = scalar.properties
        let mapping = isUpper ? properties.uppercaseMapping : properties.lowercaseMapping
        var scalars = mapping.unicodeScalars.makeIterator()
        guard let first = scalars.next(), scalars.next() == nil else { return scalar }
        return first
    }

    static func append(_ scalar: Unicode.Scalar, to result: inout [UInt8]) {
        result.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
    }
}
