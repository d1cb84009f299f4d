import Bytes

/// The schema of values in an Avro file, with the annotations that Iceberg adds to it.
///
/// - Spec: Avro 1.11 specification, "Schema Declaration"; Iceberg, Appendix A, "Avro".
package indirect enum AvroSchema: Sendable, Hashable {
    case null
    case boolean
    case int(AvroLogicalType? = nil)
    case long(AvroLogicalType? = nil)
    case float
    case double
    case bytes(AvroLogicalType? = nil)
    case string(AvroLogicalType? = nil)
    case fixed(name: String, size: Int, AvroLogicalType? = nil)
    case enumeration(name: String, symbols: [String])
    case record(AvroRecord)
    /// `isMap`: an array of records with a key and a value, which stands for a map.
    case array(items: AvroSchema, elementID: Int?, isMap: Bool = false)
    case map(values: AvroSchema, keyID: Int?, valueID: Int?)
    case union([AvroSchema])

    /// The fewest bytes a value can have; what counts of values are checked against.
    var sizeMin: Int {
        switch self {
        case .null: 0
        case .float: 4
        case .double: 8
        case .fixed(_, let size, _): size
        case .record(let record): record.sizeMin
        case .boolean, .int, .long, .bytes, .string, .enumeration, .array, .map, .union: 1
        }
    }

    /// The other branch of a union with null, or the schema itself.
    package var withoutNull: AvroSchema {
        if case .union(let branches) = self, branches.count == 2,
            let other = branches.first(where: { $0 != .null })
        {
            return other
        }
        return self
    }
}

/// What the bytes of an Avro value mean beyond their type.
package enum AvroLogicalType: Sendable, Hashable {
    case date
    case timeMicros
    case timestampMillis(adjustToUTC: Bool)
    case timestampMicros(adjustToUTC: Bool)
    case timestampNanos(adjustToUTC: Bool)
    case decimal(precision: Int, scale: Int)
    case uuid
}

/// A record of named fields.
package struct AvroRecord: Sendable, Hashable {
    /// The name, without those of what it is nested in.
    package let name: String
    /// In their order.
    package let fields: [AvroField]
    let sizeMin: Int

    package init(name: String, fields: [AvroField]) {
        self.name = name
        self.fields = fields
        // Saturating: a stranger's schema may name sizes that add up to anything.
        sizeMin = fields.reduce(0) { min(1 << 40, $0 + $1.schema.sizeMin) }
    }
}

/// One field of a record.
package struct AvroField: Sendable, Hashable {
    /// A name as Avro allows it.
    package let name: String
    /// What the values are.
    package let schema: AvroSchema
    /// Iceberg's id of the field; nil in files that have none.
    package let fieldID: Int?
    /// Iceberg's name of the field when Avro does not allow it.
    package let icebergName: String?

    package init(name: String, schema: AvroSchema, fieldID: Int?, icebergName: String? = nil) {
        self.name = name
        self.schema = schema
        self.fieldID = fieldID
        self.icebergName = icebergName
    }
}
