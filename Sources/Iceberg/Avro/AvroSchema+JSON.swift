package import Bytes

extension AvroSchema {
    /// Reads a schema from its JSON form.
    ///
    /// - Throws: `corrupt` when it is none; `unsupported` for recursive types and for schemas that are
    ///   nested more than 64 deep.
    package init(json: JSON) throws(IcebergError) {
        var parser = Parser()
        self = try parser.parse(json, namespace: "", depth: 0)
    }

    private struct Parser {
        private var named: [String: AvroSchema] = [:]
        private var open: Set<String> = []

        mutating func parse(
            _ json: JSON,
            namespace: String,
            depth: Int
        ) throws(IcebergError) -> AvroSchema {
            if depth > IcebergType.depthMax {
                throw IcebergError(.unsupported, "an Avro schema nested too deep")
            }
            switch json {
            case .string(let name): return try lookUp(name, namespace: namespace)
            case .array(let branches):
                var union: [AvroSchema] = []
                for branch in branches {
                    union.append(try parse(branch, namespace: namespace, depth: depth + 1))
                }
                guard !union.isEmpty else {
                    throw IcebergError(.corrupt, "an Avro union without branches")
                }
                return .union(union)
            default:
                let fields = try JSONFields(json, "Avro schema")
                return try parse(fields, namespace: namespace, depth: depth)
            }
        }

        private func lookUp(_ name: String, namespace: String) throws(IcebergError) -> AvroSchema {
            if let primitive = Self.primitive(name, nil) { return primitive }
            let candidates = name.contains(".") ? [name] : [namespace + "." + name, name]
            for candidate in candidates {
                if let schema = named[candidate] { return schema }
                if open.contains(candidate) {
                    throw IcebergError(.unsupported, "Avro type \(name) contains itself")
                }
            }
            throw IcebergError(.corrupt, "there is no Avro type \(name)")
        }

        private static func primitive(_ name: String, _ logical: AvroLogicalType?) -> AvroSchema? {
            switch name {
            case "null": .null
            case "boolean": .boolean
            case "int": .int(logical == .date ? logical : nil)
            case "long":
                switch logical {
                case .timeMicros, .timestampMillis, .timestampMicros, .timestampNanos:
                    .long(logical)
                default: .long(nil)
                }
            case "float": .float
            case "double": .double
            case "bytes":
                if case .decimal = logical { .bytes(logical) } else { .bytes(nil) }
            case "string": .string(logical == .uuid ? logical : nil)
            default: nil
            }
        }

        private mutating func parse(
            _ fields: JSONFields,
            namespace: String,
            depth: Int
        ) throws(IcebergError) -> AvroSchema {
            let typeJSON = try fields.required("type")
            // {"type": {"type": …}} and {"type": [...]} are allowed around any schema.
            guard let type = typeJSON.string else {
                return try parse(typeJSON, namespace: namespace, depth: depth + 1)
            }
            switch type {
            case "record", "error":
                return try parseRecord(fields, namespace: namespace, depth: depth)
            case "array":
                return .array(
                    items: try parse(
                        try fields.required("items"),
                        namespace: namespace,
                        depth: depth + 1
                    ),
                    elementID: try fields.optionalInt("element-id"),
                    isMap: fields.optional("logicalType")?.string == "map"
                )
            case "map":
                return .map(
                    values: try parse(
                        try fields.required("values"),
                        namespace: namespace,
                        depth: depth + 1
                    ),
                    keyID: try fields.optionalInt("key-id"),
                    valueID: try fields.optionalInt("value-id")
                )
            case "fixed":
                let (name, _) = try name(fields, namespace)
                let size = try fields.int("size")
                guard size >= 0 else { throw fields.wrong("size", "0 or more") }
                let schema = AvroSchema.fixed(name: name, size: size, logical(fields))
                named[name] = schema
                return schema
            case "enum":
                let (name, _) = try name(fields, namespace)
                let symbols = try fields.strings("symbols")
                let schema = AvroSchema.enumeration(name: name, symbols: symbols)
                named[name] = schema
                return schema
            default:
                if let primitive = Self.primitive(type, logical(fields)) { return primitive }
                return try lookUp(type, namespace: namespace)
            }
        }

        private func name(
            _ fields: JSONFields,
            _ enclosing: String
        ) throws(IcebergError) -> (name: String, namespace: String) {
            let name = try fields.string("name")
            if let dot = name.lastIndex(of: ".") { return (name, String(name[..<dot])) }
            let namespace = try fields.optionalString("namespace") ?? enclosing
            return (namespace.isEmpty ? name : namespace + "." + name, namespace)
        }

        private mutating func parseRecord(
            _ fields: JSONFields,
            namespace: String,
            depth: Int
        ) throws(IcebergError) -> AvroSchema {
            let (name, inner) = try name(fields, namespace)
            guard open.insert(name).inserted else {
                throw IcebergError(.unsupported, "Avro type \(name) contains itself")
            }
            var parsed: [AvroField] = []
            for json in try fields.array("fields") {
                let field = try JSONFields(json, "Avro field of \(name)")
                parsed.append(
                    AvroField(
                        name: try field.string("name"),
                        schema: try parse(
                            try field.required("type"),
                            namespace: inner,
                            depth: depth + 1
                        ),
                        fieldID: try field.optionalInt("field-id"),
                        icebergName: try field.optionalString("iceberg-field-name")
                    )
                )
            }
            open.remove(name)
            let schema = AvroSchema.record(AvroRecord(name: name, fields: parsed))
            named[name] = schema
            return schema
        }

        private func logical(_ fields: JSONFields) -> AvroLogicalType? {
            // A logical type that is not known or not valid is ignored, as the Avro specification asks.
            let isUTC = fields.object["adjust-to-utc"]?.bool ?? false
            switch fields.object["logicalType"]?.string {
            case "date": return .date
            case "time-micros": return .timeMicros
            case "timestamp-millis": return .timestampMillis(adjustToUTC: isUTC)
            case "timestamp-micros": return .timestampMicros(adjustToUTC: isUTC)
            case "timestamp-nanos": return .timestampNanos(adjustToUTC: isUTC)
            case "uuid": return .uuid
            case "decimal":
                guard let precision = fields.object["precision"]?.int, precision > 0 else {
                    return nil
                }
                let scale = fields.object["scale"]?.int ?? 0
                return .decimal(precision: precision, scale: scale)
            default: return nil
            }
        }
    }

    /// The JSON form; each named type is written in full where it comes first, and by name after that.
    package var json: JSON {
        var written: Set<String> = []
        return json(&written)
    }

    private func json(_ written: inout Set<String>) -> JSON {
        switch self {
        case .null: return "null"
        case .boolean: return "boolean"
        case .int(let logical): return Self.annotated("int", logical)
        case .long(let logical): return Self.annotated("long", logical)
        case .float: return "float"
        case .double: return "double"
        case .bytes(let logical): return Self.annotated("bytes", logical)
        case .string(let logical): return Self.annotated("string", logical)
        case .fixed(let name, let size, let logical):
            guard written.insert(name).inserted else { return .string(name) }
            var object: JSONObject = [
                "type": "fixed", "name": .string(name), "size": .integer(size),
            ]
            if let logical { object.appendMissing(logical.members) }
            return .object(object)
        case .enumeration(let name, let symbols):
            guard written.insert(name).inserted else { return .string(name) }
            return ["type": "enum", "name": .string(name), "symbols": .strings(symbols)]
        case .record(let record):
            guard written.insert(record.name).inserted else { return .string(record.name) }
            let fields = record.fields.map { $0.json(schema: $0.schema.json(&written)) }
            return ["type": "record", "name": .string(record.name), "fields": .array(fields)]
        case .array(let items, let elementID, let isMap):
            var object: JSONObject = ["type": "array", "items": items.json(&written)]
            if isMap { object["logicalType"] = "map" }
            if let elementID { object["element-id"] = .integer(elementID) }
            return .object(object)
        case .map(let values, let keyID, let valueID):
            var object: JSONObject = ["type": "map", "values": values.json(&written)]
            if let keyID { object["key-id"] = .integer(keyID) }
            if let valueID { object["value-id"] = .integer(valueID) }
            return .object(object)
        case .union(let branches): return .array(branches.map { $0.json(&written) })
        }
    }

    private static func annotated(_ type: String, _ logical: AvroLogicalType?) -> JSON {
        guard let logical else { return .string(type) }
        var object: JSONObject = ["type": .string(type)]
        object.appendMissing(logical.members)
        return .object(object)
    }
}

extension AvroLogicalType {
    fileprivate var members: JSONObject {
        switch self {
        case .date: ["logicalType": "date"]
        case .timeMicros: ["logicalType": "time-micros"]
        case .timestampMillis(let isUTC):
            ["logicalType": "timestamp-millis", "adjust-to-utc": .bool(isUTC)]
        case .timestampMicros(let isUTC):
            ["logicalType": "timestamp-micros", "adjust-to-utc": .bool(isUTC)]
        case .timestampNanos(let isUTC):
            ["logicalType": "timestamp-nanos", "adjust-to-utc": .bool(isUTC)]
        case .decimal(let precision, let scale):
            [
                "logicalType": "decimal", "precision": .integer(precision),
                "scale": .integer(scale),
            ]
        case .uuid: ["logicalType": "uuid"]
        }
    }
}

extension AvroField {
    fileprivate func json(schema schemaJSON: JSON) -> JSON {
        var object: JSONObject = ["name": .string(name), "type": schemaJSON]
        // The default of a union must be of its first branch, and optional fields begin with null.
        if case .union(let branches) = schema, branches.first == .null { object["default"] = .null }
        if let fieldID { object["field-id"] = .integer(fieldID) }
        if let icebergName { object["iceberg-field-name"] = .string(icebergName) }
        return .object(object)
    }
}
