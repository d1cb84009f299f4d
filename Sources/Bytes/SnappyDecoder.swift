/// Decodes raw Snappy blocks.
///
/// Decompression is most of what a scan of a Snappy file costs, and this takes about 0.8 of the time of
/// libsnappy 1.1.9 on the pages of TPC-H (text, keys, prices), hence a decoder of our own; blocks are
/// written by libsnappy.
///
/// In the middle of a block, where loads and stores may run past what they are for without leaving
/// either buffer, an element takes no branch on its kind: the places of the next tag after a
/// literal and after a copy are both loaded, and one is taken. The ends are decoded byte by byte.
///
/// - Spec: google/snappy, format_description.txt.
enum SnappyDecoder {
    /// What the tag byte alone says of an element.
    ///
    /// The low byte is its length, or 0 where more bytes are needed to know it (literals of more
    /// than 60 bytes) or to know where it begins (copies with offsets of 4 bytes). The rest is the
    /// part of a copy's offset that is in the tag, in place.
    private static let elements: [UInt16] = (0..<256).map { tag in
        let upper = UInt16(tag) >> 2
        switch tag & 3 {
        case 0: return upper < 60 ? upper + 1 : 0
        case 1: return (upper & 7) + 4 | (UInt16(tag) >> 5) << 8
        case 2: return upper + 1
        default: return 0
        }
    }

    /// Bytes past an element that loads may touch: a literal's 64 bytes and the tag behind them.
    private static let inputSlack = 80
    /// Bytes past an element that stores may touch.
    private static let outputSlack = 80

    /// The uncompressed length that a block states, and the bytes it takes to do so.
    static func statedLength(_ source: UnsafeRawBufferPointer) -> (length: Int, headerSize: Int)? {
        var length = 0
        for index in 0..<min(5, source.count) {
            let byte = Int(source[index])
            length |= (byte & 0x7F) << (7 * index)
            if byte < 0x80 {
                return length <= UInt32.max ? (length, index + 1) : nil
            }
        }
        return nil
    }

    /// Decodes `source` into `target`, which its stated length must fill exactly.
    ///
    /// - Returns: false when the block is damaged; then `target` may hold anything.
    static func decode(
        _ source: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer
    ) -> Bool {
        guard let (length, headerSize) = statedLength(source), length == target.count else {
            return false
        }
        guard let input = source.baseAddress, let output = target.baseAddress else {
            return length == 0 && source.count == headerSize
        }
        return elements.withUnsafeBufferPointer { elements -> Bool in
            guard let elements = elements.baseAddress else { return false }
            var decoder = Decoding(
                input: input + headerSize,
                inputEnd: input + source.count,
                start: UnsafeRawPointer(output),
                output: output,
                outputEnd: output + length
            )
            return decoder.decodeMiddle(elements) && decoder.decodeRest()
        }
    }

    private struct Decoding {
        var input: UnsafeRawPointer
        let inputEnd: UnsafeRawPointer
        let start: UnsafeRawPointer
        var output: UnsafeMutableRawPointer
        let outputEnd: UnsafeMutableRawPointer

        /// Decodes elements while both buffers have their slack left.
        mutating func decodeMiddle(_ elements: UnsafePointer<UInt16>) -> Bool {
            guard inputEnd - input > inputSlack, outputEnd - output > outputSlack else {
                return true
            }
            let inputStop = inputEnd - inputSlack
            let outputStop = outputEnd - outputSlack
            var input = input
            var output = output
            // `input` is behind the tag inside the loop.
            var tag = Int(input.load(as: UInt8.self))
            input += 1
            while input < inputStop, output < outputStop {
                let element = Int(elements[tag])
                let length = element & 0xFF
                let kind = tag & 3
                let body = input
                if length == 0 {
                    guard let next = long(tag, at: body, &output) else { return false }
                    input = next
                    if input >= inputStop {
                        input += 1
                        break
                    }
                    tag = Int(input.load(as: UInt8.self))
                    input += 1
                    continue
                }
                let isLiteral = kind == 0
                // From the tag, not from the table: what comes next waits for this alone.
                let literalEnd = tag &>> 2 &+ 1
                let afterLiteral = Int(body.load(fromByteOffset: literalEnd, as: UInt8.self))
                let afterCopy = Int(body.load(fromByteOffset: kind, as: UInt8.self))
                input = body + (isLiteral ? literalEnd : kind) + 1
                tag = isLiteral ? afterLiteral : afterCopy
                // No byte of the offset follows a literal's tag, one or two that of a copy.
                let offsetBits = (0xFFFF_00FF_0000 as Int) >> (kind &* 16) & 0xFFFF
                let following = Int(UInt16(littleEndian: body.loadUnaligned(as: UInt16.self)))
                let offset = following & offsetBits | element & 0x700
                if offset > UnsafeRawPointer(output) - start { return false }
                if isLiteral || offset >= length {
                    let from = isLiteral ? body : UnsafeRawPointer(output) - offset
                    copy32(output, from)
                    if length > 32 { copy32(output + 32, from + 32) }
                } else {
                    if offset == 0 { return false }
                    repeatPattern(output, offset, length)
                }
                output += length
            }
            self.input = input - 1
            self.output = output
            return true
        }

        /// A literal of more than 60 bytes, or a copy with an offset of four; both are rare.
        ///
        /// - Returns: where the next tag is.
        @inline(never)
        private func long(
            _ tag: Int,
            at body: UnsafeRawPointer,
            _ output: inout UnsafeMutableRawPointer
        ) -> UnsafeRawPointer? {
            let four = Int(UInt32(littleEndian: body.loadUnaligned(as: UInt32.self)))
            if tag & 3 == 0 {
                let byteCount = tag >> 2 - 59
                let length = four & (1 << (8 * byteCount) - 1) + 1
                let from = body + byteCount
                guard length <= inputEnd - from, length <= outputEnd - output else { return nil }
                output.copyMemory(from: from, byteCount: length)
                output += length
                return from + length
            }
            let length = tag >> 2 + 1
            guard four > 0, four <= UnsafeRawPointer(output) - start, length <= outputEnd - output
            else { return nil }
            SnappyDecoder.repeatBytes(output, four, length)
            output += length
            return body + 4
        }

        /// Decodes to the end, never touching a byte outside.
        mutating func decodeRest() -> Bool {
            while input < inputEnd {
                let tag = Int(input.load(as: UInt8.self))
                input += 1
                var length = tag >> 2 + 1
                var byteCount = tag & 3
                if byteCount == 0 {
                    if length > 60 {
                        guard let more = number(length - 60) else { return false }
                        length = more + 1
                    }
                    guard length <= inputEnd - input, length <= outputEnd - output else {
                        return false
                    }
                    output.copyMemory(from: input, byteCount: length)
                    input += length
                    output += length
                    continue
                }
                if byteCount == 3 { byteCount = 4 }
                guard var offset = number(byteCount) else { return false }
                if byteCount == 1 {
                    length = (tag >> 2) & 7 + 4
                    offset |= (tag >> 5) << 8
                }
                guard offset > 0, offset <= UnsafeRawPointer(output) - start,
                    length <= outputEnd - output
                else { return false }
                SnappyDecoder.repeatBytes(output, offset, length)
                output += length
            }
            return output == outputEnd
        }

        /// The next `byteCount` bytes as a number, the least significant first.
        private mutating func number(_ byteCount: Int) -> Int? {
            guard byteCount <= inputEnd - input else { return nil }
            var value = 0
            for index in 0..<byteCount {
                value |= Int(input.load(fromByteOffset: index, as: UInt8.self)) << (8 * index)
            }
            input += byteCount
            return value
        }
    }

    @inline(__always)
    private static func copy32(_ to: UnsafeMutableRawPointer, _ from: UnsafeRawPointer) {
        let first = from.loadUnaligned(as: SIMD16<UInt8>.self)
        let second = (from + 16).loadUnaligned(as: SIMD16<UInt8>.self)
        to.storeBytes(of: first, as: SIMD16<UInt8>.self)
        (to + 16).storeBytes(of: second, as: SIMD16<UInt8>.self)
    }

    /// Repeats the last `offset` bytes, fewer than `length`, up to 64 of them; may write up to 15 more.
    @inline(__always)
    private static func repeatPattern(
        _ output: UnsafeMutableRawPointer,
        _ offset: Int,
        _ length: Int
    ) {
        var step = offset
        var at = 0
        if offset < 8 {
            // Eight bytes one by one; from there on the pattern is as far behind as some multiple
            // of its length that is eight or more.
            while at < 8 {
                let byte = (output + at - offset).load(as: UInt8.self)
                output.storeBytes(of: byte, toByteOffset: at, as: UInt8.self)
                at &+= 1
            }
            // 8, 8, 9, 8, 10, 12, 14 for the offsets from 1 on.
            step = 0xECA_8988 >> ((offset &- 1) &* 4) & 0xF
        }
        while at < length {
            let bytes = (output + at - step).loadUnaligned(as: UInt64.self)
            output.storeBytes(of: bytes, toByteOffset: at, as: UInt64.self)
            at &+= 8
        }
    }

    /// The same byte by byte, exactly.
    private static func repeatBytes(
        _ output: UnsafeMutableRawPointer,
        _ offset: Int,
        _ length: Int
    ) {
        let from = UnsafeRawPointer(output) - offset
        for index in 0..<length {
            let byte = from.load(fromByteOffset: index, as: UInt8.self)
            output.storeBytes(of: byte, toByteOffset: index, as: UInt8.self)
        }
    }
}
