import Columnar

/// A leaf column of a file that is written.
struct WriteLeaf: Sendable {
    var path: [String]
    var fieldID: Int?
    var type: DataType
    var physical: ParquetPhysicalType
    /// Bytes of a value of fixed length.
    var typeLength = 0
    var maxDefinitionLevel: Int
    var maxRepetitionLevel: Int

    var name: String { path.joined(separator: ".") }
}

/// The schema of a file that is written: its elements, and its leaf columns in the same order.
struct WriteSchema {
    var elements: [SchemaElement] = []
    var leaves: [WriteLeaf] = []

    init(_ schema: Schema) throws(ParquetError) {
        elements.append(Self.group("schema", .required, schema.count))
        for field in schema.fields {
            try add(field, path: [], definitionLevel: 0, repetitionLevel: 0)
        }
    }

    private static func group(
        _ name: String,
        _ repetition: Repetition,
        _ childCount: Int,
        id: Int? = nil,
        logical: LogicalType? = nil
    ) -> SchemaElement {
        SchemaElement(
            name: name,
            type: nil,
            typeLength: 0,
            repetition: repetition,
            childCount: childCount,
            fieldID: id,
            logicalType: logical,
            isConvertedOnly: false
        )
    }

    private mutating func add(
        _ field: Field,
        path: [String],
        definitionLevel: Int,
        repetitionLevel: Int
    ) throws(ParquetError) {
        let isOptional = field.isNullable || field.type == .null
        let repetition: Repetition = isOptional ? .optional : .required
        let own = definitionLevel + (isOptional ? 1 : 0)
        let path = path + [field.name]
        switch field.type {
        case .list(var element):
            elements.append(
                Self.group(field.name, repetition, 1, id: field.id, logical: .list)
            )
            elements.append(Self.group("list", .repeated, 1))
            element.name = "element"
            try add(
                element,
                path: path + ["list"],
                definitionLevel: own + 1,
                repetitionLevel: repetitionLevel + 1
            )
        case .map(var key, var value):
            elements.append(Self.group(field.name, repetition, 1, id: field.id, logical: .map))
            elements.append(Self.group("key_value", .repeated, 2))
            key.name = "key"
            key.isNullable = false
            value.name = "value"
            for part in [key, value] {
                try add(
                    part,
                    path: path + ["key_value"],
                    definitionLevel: own + 1,
                    repetitionLevel: repetitionLevel + 1
                )
            }
        case .structure(let fields):
            guard !fields.isEmpty else {
                throw .unsupported("column \(field.name) is a structure without fields")
            }
            elements.append(Self.group(field.name, repetition, fields.count, id: field.id))
            for part in fields {
                try add(
                    part,
                    path: path,
                    definitionLevel: own,
                    repetitionLevel: repetitionLevel
                )
            }
        default:
            let (physical, length, logical) = try Self.stored(field)
            elements.append(
                SchemaElement(
                    name: field.name,
                    type: physical,
                    typeLength: length,
                    repetition: repetition,
                    childCount: 0,
                    fieldID: field.id,
                    logicalType: logical,
                    isConvertedOnly: false
                )
            )
            leaves.append(
                WriteLeaf(
                    path: path,
                    fieldID: field.id,
                    type: field.type,
                    physical: physical,
                    typeLength: length,
                    maxDefinitionLevel: own,
                    maxRepetitionLevel: repetitionLevel
                )
            )
        }
    }

    /// How a type is stored.
    ///
    /// - Spec: Iceberg table specification, Appendix A, "Parquet".
    private static func stored(
        _ field: Field
    ) throws(ParquetError) -> (ParquetPhysicalType, length: Int, LogicalType?) {
        switch field.type {
        case .null: return (.int32, 0, .null)
        case .boolean: return (.boolean, 0, nil)
        case .int32: return (.int32, 0, nil)
        case .int64: return (.int64, 0, nil)
        case .float32: return (.float, 0, nil)
        case .float64: return (.double, 0, nil)
        case .date: return (.int32, 0, .date)
        case .time: return (.int64, 0, .time(.micros))
        case .timestamp: return (.int64, 0, .timestamp(.micros, isAdjustedToUTC: false))
        case .timestamptz: return (.int64, 0, .timestamp(.micros, isAdjustedToUTC: true))
        case .string: return (.byteArray, 0, .string)
        case .binary: return (.byteArray, 0, nil)
        case .uuid: return (.fixedLengthByteArray, 16, .uuid)
        case .fixed(let length):
            guard length > 0 else {
                throw .unsupported("column \(field.name) has values of \(length) bytes")
            }
            return (.fixedLengthByteArray, length, nil)
        case .decimal(let precision, let scale):
            let logical = LogicalType.decimal(precision: precision, scale: scale)
            if precision <= 9 { return (.int32, 0, logical) }
            if precision <= 18 { return (.int64, 0, logical) }
            return (.fixedLengthByteArray, decimalByteCount(precision), logical)
        case .interval:
            throw .unsupported("column \(field.name): Parquet has no intervals of microseconds")
        case .list, .structure, .map:
            preconditionFailure("nested types are not stored themselves")
        }
    }

    /// The least bytes that hold every number of `precision` digits and a sign.
    static func decimalByteCount(_ precision: Int) -> Int {
        var bound: UInt128 = 1
        for _ in 0..<precision { bound *= 10 }
        var count = 1
        while count < 16, bound - 1 > (UInt128(1) << UInt128(8 * count - 1)) - 1 { count += 1 }
        return count
    }
}
