extension AvroSchema {
    /// The Avro record for rows of an Iceberg struct.
    ///
    /// Nested records are named after the id of their field, as the reference implementation does: `r2`,
    /// and `k117_v118` for the records that stand for a map.
    ///
    /// - Throws: `unsupported` for types that Avro files of this program cannot hold.
    /// - Spec: Appendix A, "Avro".
    package init(_ type: StructType, name: String) throws(IcebergError) {
        self = .record(try Self.record(type, name: name))
    }

    private static func record(
        _ type: StructType,
        name: String
    ) throws(IcebergError) -> AvroRecord {
        var fields: [AvroField] = []
        for field in type.fields {
            let avroName = sanitized(field.name)
            fields.append(
                AvroField(
                    name: avroName,
                    schema: try optional(
                        try schema(field.type, fieldID: field.id),
                        required: field.required
                    ),
                    fieldID: field.id,
                    icebergName: avroName == field.name ? nil : field.name
                )
            )
        }
        return AvroRecord(name: name, fields: fields)
    }

    private static func optional(
        _ schema: AvroSchema,
        required: Bool
    ) throws(IcebergError) -> AvroSchema {
        required || schema == .null ? schema : .union([.null, schema])
    }

    private static func schema(
        _ type: IcebergType,
        fieldID: Int
    ) throws(IcebergError) -> AvroSchema {
        switch type {
        case .boolean: return .boolean
        case .int: return .int()
        case .long: return .long()
        case .float: return .float
        case .double: return .double
        case .decimal(let precision, let scale):
            return .fixed(
                name: "decimal_\(precision)_\(scale)",
                size: Decimals.bytesNeeded(precision: precision),
                .decimal(precision: precision, scale: scale)
            )
        case .date: return .int(.date)
        case .time: return .long(.timeMicros)
        case .timestamp: return .long(.timestampMicros(adjustToUTC: false))
        case .timestamptz: return .long(.timestampMicros(adjustToUTC: true))
        case .timestampNanos: return .long(.timestampNanos(adjustToUTC: false))
        case .timestamptzNanos: return .long(.timestampNanos(adjustToUTC: true))
        case .string: return .string()
        case .uuid: return .fixed(name: "uuid_fixed", size: 16, .uuid)
        case .fixed(let length): return .fixed(name: "fixed_\(length)", size: length)
        case .binary: return .bytes()
        case .unknown: return .null
        case .struct(let type): return .record(try record(type, name: "r\(fieldID)"))
        case .list(let type):
            return .array(
                items: try optional(
                    try schema(type.element, fieldID: type.elementID),
                    required: type.elementRequired
                ),
                elementID: type.elementID
            )
        case .map(let type):
            let value = try optional(
                try schema(type.value, fieldID: type.valueID),
                required: type.valueRequired
            )
            if type.key == .string {
                return .map(values: value, keyID: type.keyID, valueID: type.valueID)
            }
            let key = try schema(type.key, fieldID: type.keyID)
            let pair = AvroRecord(
                name: "k\(type.keyID)_v\(type.valueID)",
                fields: [
                    AvroField(name: "key", schema: key, fieldID: type.keyID),
                    AvroField(name: "value", schema: value, fieldID: type.valueID),
                ]
            )
            return .array(items: .record(pair), elementID: nil, isMap: true)
        case .variant, .geospatial:
            throw IcebergError(.unsupported, "a column of type \(type) in an Avro file")
        }
    }

    /// The name with everything that Avro does not allow escaped: `a-b` becomes `a_x2Db`.
    static func sanitized(_ name: String) -> String {
        var result = ""
        for (index, scalar) in name.unicodeScalars.enumerated() {
            let isLetter =
                ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) || scalar == "_"
            let isDigit = ("0"..."9").contains(scalar)
            if isLetter || (isDigit && index > 0) {
                result.unicodeScalars.append(scalar)
            } else if isDigit {
                result += "_\(scalar)"
            } else {
                result += "_x" + String(scalar.value, radix: 16, uppercase: true)
            }
        }
        return result.isEmpty ? "_" : result
    }
}
