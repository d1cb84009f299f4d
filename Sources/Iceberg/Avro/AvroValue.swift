import Bytes

/// One Avro value of any type; a union is the value of its branch.
package indirect enum AvroValue: Sendable, Hashable {
    case null
    case boolean(Bool)
    case int(Int32)
    case long(Int64)
    case float(Float)
    case double(Double)
    /// Also a fixed.
    case bytes([UInt8])
    /// Also the symbol of an enumeration.
    case string(String)
    /// The values of a record's fields, in the order of its schema.
    case record([AvroValue])
    case array([AvroValue])
    /// The pairs of a map, in their order.
    case map([Pair])

    /// A key of a map and its value.
    package struct Pair: Sendable, Hashable {
        /// The key.
        package var key: String
        /// The value.
        package var value: AvroValue

        package init(key: String, value: AvroValue) {
            self.key = key
            self.value = value
        }
    }
}

extension AvroCursor {
    /// Reads a value of any schema.
    package mutating func readValue(_ schema: AvroSchema) throws(IcebergError) -> AvroValue {
        switch schema {
        case .null: return .null
        case .boolean: return .boolean(try readBoolean())
        case .int: return .int(try readInt())
        case .long: return .long(try readLong())
        case .float: return .float(try readFloat())
        case .double: return .double(try readDouble())
        case .bytes: return .bytes(try readBytes())
        case .string: return .string(try readString())
        case .fixed(_, let size, _): return .bytes(try readFixed(size))
        case .enumeration(_, let symbols):
            let index = try readLong()
            guard index >= 0, index < Int64(symbols.count) else {
                throw corrupt("an enumeration has no symbol \(index)")
            }
            return .string(symbols[Int(index)])
        case .record(let record):
            if record.sizeMin == 0 { try countEmptyValues(1) }
            var values: [AvroValue] = []
            values.reserveCapacity(record.fields.count)
            for field in record.fields { values.append(try readValue(field.schema)) }
            return .record(values)
        case .array(let items, _, _):
            var values: [AvroValue] = []
            try readItems(sizeMin: items.sizeMin) { (cursor) throws(IcebergError) in
                values.append(try cursor.readValue(items))
            }
            return .array(values)
        case .map(let schema, _, _):
            var pairs: [AvroValue.Pair] = []
            try readItems(sizeMin: 1 + schema.sizeMin) { (cursor) throws(IcebergError) in
                let key = try cursor.readString()
                pairs.append(AvroValue.Pair(key: key, value: try cursor.readValue(schema)))
            }
            return .map(pairs)
        case .union(let branches): return try readValue(try readBranch(branches))
        }
    }
}

/// Writes Avro's binary encoding.
///
/// - Spec: Avro 1.11 specification, "Binary Encoding".
package struct AvroEncoder: Sendable {
    /// What was written so far.
    package private(set) var bytes: [UInt8] = []

    package init() {}

    /// Writes a zigzag number.
    package mutating func write(_ value: Int64) {
        var rest = UInt64(bitPattern: (value << 1) ^ (value >> 63))
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    /// Writes a zigzag number.
    package mutating func write(_ value: Int32) { write(Int64(value)) }

    /// Writes one byte, 0 or 1.
    package mutating func write(_ value: Bool) { bytes.append(value ? 1 : 0) }

    /// Writes the four bytes of a float.
    package mutating func write(_ value: Float) {
        for shift in 0..<4 {
            bytes.append(UInt8(truncatingIfNeeded: value.bitPattern >> UInt32(shift * 8)))
        }
    }

    /// Writes the eight bytes of a double.
    package mutating func write(_ value: Double) {
        for shift in 0..<8 {
            bytes.append(UInt8(truncatingIfNeeded: value.bitPattern >> UInt64(shift * 8)))
        }
    }

    /// Writes the length and the bytes.
    package mutating func write(_ value: [UInt8]) {
        write(Int64(value.count))
        bytes.append(contentsOf: value)
    }

    mutating func write(_ value: ArraySlice<UInt8>) {
        write(Int64(value.count))
        bytes.append(contentsOf: value)
    }

    /// Writes bytes whose number the schema says.
    package mutating func write(fixed value: some Sequence<UInt8>) {
        bytes.append(contentsOf: value)
    }

    /// Writes the length and the UTF-8.
    package mutating func write(_ value: String) {
        write(Int64(value.utf8.count))
        bytes.append(contentsOf: value.utf8)
    }

    /// Writes the branch of a union with null: 0 for null, 1 for the value.
    package mutating func write(branch isGiven: Bool) { write(Int64(isGiven ? 1 : 0)) }

    /// Writes a value of any schema.
    ///
    /// - Throws: `invalid` when it is no value of the schema.
    package mutating func write(
        _ value: AvroValue,
        _ schema: AvroSchema
    ) throws(IcebergError) {
        switch (schema, value) {
        case (.null, .null): break
        case (.boolean, .boolean(let value)): write(value)
        case (.int, .int(let value)): write(value)
        case (.long, .long(let value)): write(value)
        case (.float, .float(let value)): write(value)
        case (.double, .double(let value)): write(value)
        case (.bytes, .bytes(let value)): write(value)
        case (.string, .string(let value)): write(value)
        case (.fixed(_, let size, _), .bytes(let value)) where value.count == size:
            write(fixed: value)
        case (.enumeration(_, let symbols), .string(let value)):
            guard let index = symbols.firstIndex(of: value) else { throw mismatch(schema) }
            write(Int64(index))
        case (.record(let record), .record(let values)) where values.count == record.fields.count:
            for (field, value) in zip(record.fields, values) { try write(value, field.schema) }
        case (.array(let items, _, _), .array(let values)):
            if !values.isEmpty {
                write(Int64(values.count))
                for value in values { try write(value, items) }
            }
            write(Int64(0))
        case (.map(let schema, _, _), .map(let pairs)):
            if !pairs.isEmpty {
                write(Int64(pairs.count))
                for pair in pairs {
                    write(pair.key)
                    try write(pair.value, schema)
                }
            }
            write(Int64(0))
        case (.union(let branches), _): try write(value, branches)
        default: throw mismatch(schema)
        }
    }

    private mutating func write(
        _ value: AvroValue,
        _ branches: [AvroSchema]
    ) throws(IcebergError) {
        let start = bytes.count
        for (index, branch) in branches.enumerated() {
            write(Int64(index))
            do {
                try write(value, branch)
                return
            } catch {
                bytes.removeLast(bytes.count - start)
            }
        }
        throw mismatch(.union(branches))
    }

    private func mismatch(_ schema: AvroSchema) -> IcebergError {
        IcebergError(.invalid, "a value does not fit the Avro schema \(schema.json.text())")
    }
}
