import Bytes

/// Appends structures in Thrift's compact protocol to owned bytes.
struct ThriftWriter {
    private(set) var bytes: [UInt8] = []
    /// The last field id of the open structure, and of those around it.
    private var last: Int16 = 0
    private var outer: [Int16] = []

    private mutating func head(_ id: Int16, _ type: UInt8) {
        let delta = Int(id) - Int(last)
        if delta > 0, delta <= 15 {
            bytes.append(UInt8(delta) << 4 | type)
        } else {
            bytes.append(type)
            bytes.appendZigzag(Int64(id))
        }
        last = id
    }

    mutating func bool(_ id: Int16, _ value: Bool) {
        head(id, value ? ThriftReader.Wire.boolTrue : ThriftReader.Wire.boolFalse)
    }

    mutating func int8(_ id: Int16, _ value: Int8) {
        head(id, ThriftReader.Wire.int8)
        bytes.append(UInt8(bitPattern: value))
    }

    mutating func int16(_ id: Int16, _ value: Int16) {
        head(id, ThriftReader.Wire.int16)
        bytes.appendZigzag(Int64(value))
    }

    mutating func int32(_ id: Int16, _ value: Int32) {
        head(id, ThriftReader.Wire.int32)
        bytes.appendZigzag(Int64(value))
    }

    mutating func int64(_ id: Int16, _ value: Int64) {
        head(id, ThriftReader.Wire.int64)
        bytes.appendZigzag(value)
    }

    mutating func binary(_ id: Int16, _ value: [UInt8]) {
        head(id, ThriftReader.Wire.binary)
        element(value)
    }

    mutating func string(_ id: Int16, _ value: String) {
        binary(id, Array(value.utf8))
    }

    mutating func structure(_ id: Int16, _ body: (inout ThriftWriter) -> Void) {
        head(id, ThriftReader.Wire.structure)
        element(body)
    }

    /// A structure without fields, as unions of names have them.
    mutating func emptyStructure(_ id: Int16) {
        structure(id) { _ in }
    }

    private mutating func listHead(_ id: Int16, _ type: UInt8, _ count: Int) {
        head(id, ThriftReader.Wire.list)
        if count < 15 {
            bytes.append(UInt8(count) << 4 | type)
        } else {
            bytes.append(0xf0 | type)
            bytes.appendVarint(UInt64(count))
        }
    }

    mutating func list<T>(
        _ id: Int16,
        _ elements: [T],
        _ body: (inout ThriftWriter, T) -> Void
    ) {
        listHead(id, ThriftReader.Wire.structure, elements.count)
        for value in elements { element { body(&$0, value) } }
    }

    mutating func int32List(_ id: Int16, _ values: [Int32]) {
        listHead(id, ThriftReader.Wire.int32, values.count)
        for value in values { bytes.appendZigzag(Int64(value)) }
    }

    mutating func int64List(_ id: Int16, _ values: [Int64]) {
        listHead(id, ThriftReader.Wire.int64, values.count)
        for value in values { bytes.appendZigzag(value) }
    }

    mutating func boolList(_ id: Int16, _ values: [Bool]) {
        listHead(id, ThriftReader.Wire.boolTrue, values.count)
        for value in values {
            bytes.append(value ? ThriftReader.Wire.boolTrue : ThriftReader.Wire.boolFalse)
        }
    }

    mutating func binaryList(_ id: Int16, _ values: [[UInt8]]) {
        listHead(id, ThriftReader.Wire.binary, values.count)
        for value in values { element(value) }
    }

    private mutating func element(_ value: [UInt8]) {
        bytes.appendVarint(UInt64(value.count))
        bytes.append(contentsOf: value)
    }

    /// A structure without a head: an element of a list, or the whole message.
    mutating func element(_ body: (inout ThriftWriter) -> Void) {
        outer.append(last)
        last = 0
        body(&self)
        bytes.append(0)
        last = outer.removeLast()
    }

    /// The bytes of one message.
    static func message(_ body: (inout ThriftWriter) -> Void) -> [UInt8] {
        var writer = ThriftWriter()
        writer.element(body)
        return writer.bytes
    }
}
