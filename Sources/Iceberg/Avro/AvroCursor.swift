/// Reads Avro's binary encoding from one block; every read checks that the bytes are there.
///
/// - Spec: Avro 1.11 specification, "Binary Encoding".
package struct AvroCursor: Sendable {
    private let bytes: [UInt8]
    private let end: Int
    /// The byte that the next read begins with.
    private(set) var at: Int
    /// How many values without bytes were read from arrays and nested records so far.
    private var emptyValueCount = 0

    /// Reads from `range` of `bytes`, or from all of them.
    package init(_ bytes: [UInt8], range: Range<Int>? = nil) {
        self.bytes = bytes
        let range = range ?? 0..<bytes.count
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count)
        at = range.lowerBound
        end = range.upperBound
    }

    /// How many bytes are left.
    package var remaining: Int { end - at }

    func corrupt(_ message: String) -> IcebergError {
        IcebergError(.corrupt, "Avro: \(message) (at byte \(at) of the block)")
    }

    private func require(_ count: Int) throws(IcebergError) {
        if count < 0 || count > end - at { throw corrupt("the bytes end inside a value") }
    }

    /// Reads a zigzag number of up to 64 bits.
    package mutating func readLong() throws(IcebergError) -> Int64 {
        var result: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            guard at < end else { throw corrupt("the bytes end inside a number") }
            let byte = bytes[at]
            at += 1
            // The tenth byte may carry one bit only: nine bytes already gave 63.
            if shift == 63, byte > 1 { throw corrupt("a number does not fit 64 bits") }
            result |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { break }
            shift += 7
        }
        return Int64(bitPattern: result >> 1) ^ -Int64(bitPattern: result & 1)
    }

    /// Reads a zigzag number that must fit 32 bits.
    package mutating func readInt() throws(IcebergError) -> Int32 {
        guard let value = Int32(exactly: try readLong()) else {
            throw corrupt("an int does not fit 32 bits")
        }
        return value
    }

    /// Reads one byte that must be 0 or 1.
    package mutating func readBoolean() throws(IcebergError) -> Bool {
        try require(1)
        defer { at += 1 }
        guard bytes[at] < 2 else { throw corrupt("a boolean is neither 0 nor 1") }
        return bytes[at] == 1
    }

    private mutating func readLittleEndian<T: FixedWidthInteger>(
        _: T.Type
    ) throws(IcebergError) -> T {
        let count = T.bitWidth / 8
        try require(count)
        var value: T = 0
        for index in 0..<count { value |= T(bytes[at + index]) << T(index * 8) }
        at += count
        return value
    }

    /// Reads a float of four bytes.
    package mutating func readFloat() throws(IcebergError) -> Float {
        Float(bitPattern: try readLittleEndian(UInt32.self))
    }

    /// Reads a double of eight bytes.
    package mutating func readDouble() throws(IcebergError) -> Double {
        Double(bitPattern: try readLittleEndian(UInt64.self))
    }

    /// Where the next value of bytes or text lies; goes past it.
    private mutating func readRange() throws(IcebergError) -> Range<Int> {
        guard let count = Int(exactly: try readLong()) else {
            throw corrupt("a length is too large")
        }
        try require(count)
        defer { at += count }
        return at..<at + count
    }

    /// Reads a length and so many bytes.
    package mutating func readBytes() throws(IcebergError) -> [UInt8] {
        Array(bytes[try readRange()])
    }

    /// Appends a value of bytes to `target` without an array of its own.
    mutating func readBytes(appendingTo target: inout [UInt8]) throws(IcebergError) {
        target.append(contentsOf: bytes[try readRange()])
    }

    /// Reads exactly `size` bytes.
    package mutating func readFixed(_ size: Int) throws(IcebergError) -> [UInt8] {
        try require(size)
        defer { at += size }
        return Array(bytes[at..<at + size])
    }

    /// Reads a length and so many bytes of UTF-8.
    package mutating func readString() throws(IcebergError) -> String {
        let range = try readRange()
        guard let text = String(validating: bytes[range], as: UTF8.self) else {
            throw corrupt("text is not UTF-8")
        }
        return text
    }

    /// The branch of a union that follows.
    package mutating func readBranch(_ branches: [AvroSchema]) throws(IcebergError) -> AvroSchema {
        let index = try readLong()
        guard index >= 0, index < Int64(branches.count) else {
            throw corrupt("a union has no branch \(index)")
        }
        return branches[Int(index)]
    }

    /// How many values without bytes a block may have; all others are bounded by the bytes there are.
    private static let emptyValuesMax = 1 << 16

    /// Counts values that take no bytes, so that a few bytes cannot stand for billions of them.
    mutating func countEmptyValues(_ count: Int64) throws(IcebergError) {
        let (sum, overflow) = emptyValueCount.addingReportingOverflow(Int(count))
        guard !overflow, sum <= Self.emptyValuesMax else { throw corrupt("too many empty values") }
        emptyValueCount = sum
    }

    /// Reads the blocks of an array or map, calling `body` for each item.
    package mutating func readItems(
        sizeMin: Int,
        _ body: (inout AvroCursor) throws(IcebergError) -> Void
    ) throws(IcebergError) {
        while true {
            var count = try readLong()
            if count == 0 { return }
            if count < 0 {
                // The size of the block in bytes follows; it only helps those who skip.
                _ = try readLong()
                guard count > Int64.min else { throw corrupt("an array's count is out of range") }
                count = -count
            }
            if sizeMin == 0 {
                try countEmptyValues(count)
            } else if count > Int64(remaining / sizeMin) {
                throw corrupt("an array has more items than there are bytes")
            }
            for _ in 0..<Int(count) { try body(&self) }
        }
    }

    /// Goes past a value.
    package mutating func skip(_ schema: AvroSchema) throws(IcebergError) {
        // Types that may have no bytes never have any.
        if schema.sizeMin == 0 { return }
        switch schema {
        case .null: break
        case .boolean: _ = try readBoolean()
        case .int, .long, .enumeration: _ = try readLong()
        case .float: _ = try readLittleEndian(UInt32.self)
        case .double: _ = try readLittleEndian(UInt64.self)
        case .bytes, .string: _ = try readRange()
        case .fixed(_, let size, _):
            try require(size)
            at += size
        case .record(let record):
            for field in record.fields { try skip(field.schema) }
        case .array(let items, _, _):
            try readItems(sizeMin: items.sizeMin) { (cursor) throws(IcebergError) in
                try cursor.skip(items)
            }
        case .map(let values, _, _):
            try readItems(sizeMin: 1 + values.sizeMin) { (cursor) throws(IcebergError) in
                _ = try cursor.readRange()
                try cursor.skip(values)
            }
        case .union(let branches): try skip(try readBranch(branches))
        }
    }
}
