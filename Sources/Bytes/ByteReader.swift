/// A cursor over bytes that come from outside: every read checks that the bytes are there.
package struct ByteReader: ~Escapable {
    /// All the bytes, from the first one.
    package let bytes: RawSpan
    /// The byte that the next read begins with.
    package private(set) var offset: Int

    /// A reader that starts at `offset` of `bytes`; `offset` must lie inside them or at their end.
    @_lifetime(copy bytes)
    package init(_ bytes: RawSpan, offset: Int = 0) {
        precondition(offset >= 0 && offset <= bytes.byteCount)
        self.bytes = bytes
        self.offset = offset
    }

    /// How many bytes are left.
    package var remaining: Int { bytes.byteCount - offset }

    package var isAtEnd: Bool { offset == bytes.byteCount }

    /// Throws `truncated` when fewer than `count` bytes are left, `corrupt` when it is negative.
    package func require(_ count: Int) throws(BytesError) {
        if count < 0 {
            throw BytesError(.corrupt, "a negative length of \(count)", offset: offset)
        }
        if count > remaining {
            throw BytesError(
                .truncated,
                "\(count) bytes expected, \(remaining) left",
                offset: offset
            )
        }
    }

    /// Moves on by `count` bytes without looking at them.
    package mutating func skip(_ count: Int) throws(BytesError) {
        try require(count)
        offset += count
    }

    /// Moves to `newOffset`, counted from the first byte.
    package mutating func seek(to newOffset: Int) throws(BytesError) {
        guard newOffset >= 0, newOffset <= bytes.byteCount else {
            throw BytesError(.corrupt, "offset \(newOffset) is outside the bytes", offset: offset)
        }
        offset = newOffset
    }

    package mutating func readUInt8() throws(BytesError) -> UInt8 {
        try require(1)
        defer { offset += 1 }
        return bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt8.self)
    }

    /// Reads a little-endian integer of any width.
    package mutating func readLittleEndian<T: FixedWidthInteger & BitwiseCopyable>(
        _ type: T.Type = T.self
    ) throws(BytesError) -> T {
        try require(MemoryLayout<T>.size)
        defer { offset += MemoryLayout<T>.size }
        return T(
            littleEndian: bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: T.self)
        )
    }

    /// Reads a big-endian integer of any width.
    package mutating func readBigEndian<T: FixedWidthInteger & BitwiseCopyable>(
        _ type: T.Type = T.self
    ) throws(BytesError) -> T {
        T(bigEndian: T(littleEndian: try readLittleEndian(type)))
    }

    /// Reads an IEEE 754 double, little-endian.
    package mutating func readDouble() throws(BytesError) -> Double {
        Double(bitPattern: try readLittleEndian(UInt64.self))
    }

    /// Reads an IEEE 754 float, little-endian.
    package mutating func readFloat() throws(BytesError) -> Float {
        Float(bitPattern: try readLittleEndian(UInt32.self))
    }

    /// Reads an unsigned LEB128 number of at most ten bytes.
    ///
    /// - Throws: `truncated` when the bytes end inside it, `corrupt` when it does not fit 64 bits.
    package mutating func readVarint() throws(BytesError) -> UInt64 {
        var result: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let byte = try readUInt8()
            // The tenth byte may carry one bit only: nine bytes already gave 63.
            if shift == 63, byte > 1 {
                throw BytesError(.corrupt, "a varint does not fit 64 bits", offset: offset)
            }
            result |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return result }
            shift += 7
        }
    }

    /// Reads a signed number in zigzag LEB128, as Avro and Thrift's compact protocol write it.
    package mutating func readZigzag() throws(BytesError) -> Int64 {
        let raw = try readVarint()
        return Int64(bitPattern: raw >> 1) ^ -Int64(bitPattern: raw & 1)
    }

    /// Hands out the next `count` bytes without copying them.
    @_lifetime(copy self)
    package mutating func readSpan(_ count: Int) throws(BytesError) -> RawSpan {
        try require(count)
        let start = offset
        offset += count
        return bytes.extracting(start..<offset)
    }

    /// Copies the next `count` bytes.
    package mutating func readBytes(_ count: Int) throws(BytesError) -> [UInt8] {
        try require(count)
        let start = offset
        offset += count
        return unsafe bytes.extracting(start..<offset).withUnsafeBytes { unsafe [UInt8]($0) }
    }

    /// Reads `count` bytes of UTF-8.
    ///
    /// - Throws: `corrupt` when they are not valid UTF-8.
    package mutating func readString(_ count: Int) throws(BytesError) -> String {
        let start = offset
        let raw = try readBytes(count)
        guard let string = String(validating: raw, as: UTF8.self) else {
            throw BytesError(.corrupt, "text is not valid UTF-8", offset: start)
        }
        return string
    }
}
