import CPCRE2
import Columnar
import Glibc

/// Work on UTF-8 bytes.
///
/// Text that is not valid is treated byte by byte; nothing traps on it.
enum UTF8Text {
    typealias Bytes = UnsafeBufferPointer<UInt8>

    /// Whether all bytes are below 0x80.
    @inline(__always)
    static func isASCII(_ text: Bytes) -> Bool {
        guard let base = text.baseAddress else { return true }
        let raw = UnsafeRawPointer(base)
        var all: UInt64 = 0
        var index = 0
        while index &+ 8 <= text.count {
            all |= raw.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            index &+= 8
        }
        while index < text.count {
            all |= UInt64(base[index])
            index &+= 1
        }
        return all & 0x8080_8080_8080_8080 == 0
    }

    /// How many code points: bytes that do not continue one.
    @inline(__always)
    static func count(_ text: Bytes) -> Int {
        guard let base = text.baseAddress else { return 0 }
        let raw = UnsafeRawPointer(base)
        var continued = 0
        var index = 0
        while index &+ 8 <= text.count {
            let word = raw.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            // Bit 7 set and bit 6 not.
            continued &+=
                (word &>> 7 & ~(word &>> 6) & 0x0101_0101_0101_0101).nonzeroBitCount
            index &+= 8
        }
        while index < text.count {
            continued &+= base[index] & 0xC0 == 0x80 ? 1 : 0
            index &+= 1
        }
        return text.count &- continued
    }

    /// Copies ASCII text with its letters in lower or upper case.
    @inline(__always)
    static func copyCased(
        _ text: Bytes,
        isUpper: Bool,
        to target: UnsafeMutablePointer<UInt8>
    ) {
        guard let base = text.baseAddress else { return }
        let first: UInt8 = isUpper ? 97 : 65
        for index in 0..<text.count {
            let byte = base[index]
            target[index] = byte ^ (byte &- first < 26 ? 0x20 : 0)
        }
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
