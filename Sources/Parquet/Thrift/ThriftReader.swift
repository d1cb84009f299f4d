/// A cursor over Thrift's compact protocol, in which Parquet writes all of its metadata.
///
/// It works on raw memory that its user keeps alive; every read checks that the bytes are there.
/// - Spec: Apache Thrift, "Thrift Compact protocol encoding".
struct ThriftReader {
    private let base: UnsafePointer<UInt8>
    let count: Int
    private(set) var offset: Int

    /// The type nibbles of fields and elements.
    enum Wire {
        static let boolTrue: UInt8 = 1
        static let boolFalse: UInt8 = 2
        static let int8: UInt8 = 3
        static let int16: UInt8 = 4
        static let int32: UInt8 = 5
        static let int64: UInt8 = 6
        static let double: UInt8 = 7
        static let binary: UInt8 = 8
        static let list: UInt8 = 9
        static let set: UInt8 = 10
        static let map: UInt8 = 11
        static let structure: UInt8 = 12
        static let uuid: UInt8 = 13
    }

    struct Field {
        var id: Int16
        var type: UInt8
    }

    /// Structures inside each other that `skip` follows before it gives up.
    private static let depthMax = 64

    init(_ bytes: UnsafeRawBufferPointer, offset: Int = 0) {
        precondition(offset >= 0 && offset <= bytes.count)
        // An empty buffer may have no address; any non-null one will do, as nothing is read.
        base =
            bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
            ?? UnsafePointer(bitPattern: 16).unsafelyUnwrapped
        count = bytes.count
        self.offset = offset
    }

    var remaining: Int { count - offset }

    private func ended() -> ParquetError {
        .truncated("the metadata ends inside a value", offset: offset)
    }

    private func bad(_ message: String) -> ParquetError {
        .corrupt(message, offset: offset)
    }

    @inline(__always)
    private mutating func byte() throws(ParquetError) -> UInt8 {
        guard offset < count else { throw ended() }
        let value = base[offset]
        offset &+= 1
        return value
    }

    mutating func varint() throws(ParquetError) -> UInt64 {
        var result: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let next = try byte()
            // The tenth byte may carry one bit only: nine bytes already gave 63.
            if shift == 63, next > 1 { throw bad("a number does not fit 64 bits") }
            result |= UInt64(next & 0x7f) &<< shift
            if next < 0x80 { return result }
            shift &+= 7
        }
    }

    private mutating func zigzag() throws(ParquetError) -> Int64 {
        let raw = try varint()
        return Int64(bitPattern: raw >> 1) ^ -Int64(bitPattern: raw & 1)
    }

    /// The next field of the structure whose previous field had the id `last`; nil at its end.
    mutating func nextField(_ last: inout Int16) throws(ParquetError) -> Field? {
        let head = try byte()
        if head == 0 { return nil }
        let type = head & 0x0f
        let delta = Int16(head >> 4)
        if delta != 0 {
            let (id, overflow) = last.addingReportingOverflow(delta)
            if overflow { throw bad("a field id does not fit 16 bits") }
            last = id
        } else {
            guard let id = Int16(exactly: try zigzag()) else {
                throw bad("a field id does not fit 16 bits")
            }
            last = id
        }
        return Field(id: last, type: type)
    }

    private func expect(_ field: Field, _ wanted: Bool) throws(ParquetError) {
        if !wanted { throw bad("field \(field.id) has the unexpected type \(field.type)") }
    }

    func bool(_ field: Field) throws(ParquetError) -> Bool {
        try expect(field, field.type == Wire.boolTrue || field.type == Wire.boolFalse)
        return field.type == Wire.boolTrue
    }

    mutating func int64(_ field: Field) throws(ParquetError) -> Int64 {
        switch field.type {
        case Wire.int16, Wire.int32, Wire.int64: return try zigzag()
        case Wire.int8: return Int64(Int8(bitPattern: try byte()))
        default: throw bad("field \(field.id) has the unexpected type \(field.type)")
        }
    }

    mutating func int32(_ field: Field) throws(ParquetError) -> Int32 {
        guard let value = Int32(exactly: try int64(field)) else {
            throw bad("field \(field.id) does not fit 32 bits")
        }
        return value
    }

    /// A number that counts or measures something: not negative.
    mutating func size(_ field: Field) throws(ParquetError) -> Int {
        let value = try int64(field)
        guard value >= 0 else { throw bad("field \(field.id) is negative: \(value)") }
        return Int(value)
    }

    private mutating func rawBinary() throws(ParquetError) -> UnsafeBufferPointer<UInt8> {
        let length = try varint()
        guard length <= UInt64(remaining) else { throw ended() }
        defer { offset += Int(length) }
        return UnsafeBufferPointer(start: base + offset, count: Int(length))
    }

    mutating func bytes(_ field: Field) throws(ParquetError) -> [UInt8] {
        try expect(field, field.type == Wire.binary)
        return Array(try rawBinary())
    }

    mutating func string(_ field: Field) throws(ParquetError) -> String {
        try expect(field, field.type == Wire.binary)
        return try text()
    }

    private mutating func text() throws(ParquetError) -> String {
        guard let string = String(validating: try rawBinary(), as: UTF8.self) else {
            throw bad("a name is not valid UTF-8")
        }
        return string
    }

    private mutating func listHead() throws(ParquetError) -> (count: Int, type: UInt8) {
        let head = try byte()
        var length = UInt64(head >> 4)
        if length == 15 { length = try varint() }
        // Every element takes a byte at least.
        guard length <= UInt64(remaining) else { throw ended() }
        return (Int(length), head & 0x0f)
    }

    /// A list whose elements are read by `element`.
    mutating func list<T>(
        _ field: Field,
        of type: UInt8,
        _ element: (inout ThriftReader) throws(ParquetError) -> T
    ) throws(ParquetError) -> [T] {
        try expect(field, field.type == Wire.list || field.type == Wire.set)
        let head = try listHead()
        if head.count == 0 { return [] }
        let matches =
            head.type == type
            || (type == Wire.boolTrue && head.type == Wire.boolFalse)
        guard matches else { throw bad("a list has elements of the unexpected type \(head.type)") }
        var result: [T] = []
        // The count is a claim until the elements have been seen.
        result.reserveCapacity(min(head.count, 1024))
        for _ in 0..<head.count { result.append(try element(&self)) }
        return result
    }

    mutating func int32List(_ field: Field) throws(ParquetError) -> [Int32] {
        try list(field, of: Wire.int32) { (reader) throws(ParquetError) in
            guard let value = Int32(exactly: try reader.zigzag()) else {
                throw reader.bad("a number does not fit 32 bits")
            }
            return value
        }
    }

    mutating func int64List(_ field: Field) throws(ParquetError) -> [Int64] {
        try list(field, of: Wire.int64) { (reader) throws(ParquetError) in try reader.zigzag() }
    }

    mutating func boolList(_ field: Field) throws(ParquetError) -> [Bool] {
        try list(field, of: Wire.boolTrue) { (reader) throws(ParquetError) in
            try reader.byte() == Wire.boolTrue
        }
    }

    mutating func bytesList(_ field: Field) throws(ParquetError) -> [[UInt8]] {
        try list(field, of: Wire.binary) { (reader) throws(ParquetError) in
            Array(try reader.rawBinary())
        }
    }

    /// Says that a field is a structure, which the caller then reads with `nextField`.
    func structure(_ field: Field) throws(ParquetError) {
        try expect(field, field.type == Wire.structure)
    }

    /// Moves behind a field that nobody wants.
    mutating func skip(_ field: Field) throws(ParquetError) {
        try skip(type: field.type, isElement: false, depth: 0)
    }

    private mutating func skip(
        type: UInt8,
        isElement: Bool,
        depth: Int
    ) throws(ParquetError) {
        guard depth < Self.depthMax else { throw bad("structures lie too deep in each other") }
        switch type {
        case Wire.boolTrue, Wire.boolFalse:
            // A field's boolean is in its head, an element's in a byte of its own.
            if isElement { _ = try byte() }
        case Wire.int8: _ = try byte()
        case Wire.int16, Wire.int32, Wire.int64: _ = try varint()
        case Wire.double: try advance(8)
        case Wire.uuid: try advance(16)
        case Wire.binary: _ = try rawBinary()
        case Wire.list, Wire.set:
            let head = try listHead()
            for _ in 0..<head.count {
                try skip(type: head.type, isElement: true, depth: depth + 1)
            }
        case Wire.map:
            let length = try varint()
            guard length <= UInt64(remaining) else { throw ended() }
            if length == 0 { return }
            let types = try byte()
            for _ in 0..<Int(length) {
                try skip(type: types >> 4, isElement: true, depth: depth + 1)
                try skip(type: types & 0x0f, isElement: true, depth: depth + 1)
            }
        case Wire.structure:
            var last: Int16 = 0
            while let field = try nextField(&last) {
                try skip(type: field.type, isElement: false, depth: depth + 1)
            }
        default:
            throw bad("the unknown type \(type)")
        }
    }

    private mutating func advance(_ count: Int) throws(ParquetError) {
        guard count <= remaining else { throw ended() }
        offset += count
    }

    /// The id of a union's set member; its content is skipped.
    mutating func unionMember(_ field: Field) throws(ParquetError) -> Int16? {
        try structure(field)
        var last: Int16 = 0
        var member: Int16?
        while let field = try nextField(&last) {
            member = field.id
            try skip(field)
        }
        return member
    }
}
