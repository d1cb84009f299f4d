package import Bytes

extension IcebergType {
    /// Reads a type from its JSON form.
    ///
    /// - Throws: `corrupt` when it is none, `unsupported` when types are nested too deep.
    /// - Spec: Appendix C, "Schemas".
    package init(json: JSON) throws(IcebergError) {
        self = try Self.parse(json, depth: 0)
    }

    private static func parse(_ json: JSON, depth: Int) throws(IcebergError) -> IcebergType {
        if depth > depthMax {
            throw IcebergError(.unsupported, "types nested more than \(depthMax) deep")
        }
        if case .string(let text) = json {
            guard let type = IcebergType(text: text) else {
                throw IcebergError(.corrupt, "\"\(text)\" is not a type")
            }
            return type
        }
        let fields = try JSONFields(json, "type")
        switch try fields.string("type") {
        case "struct":
            return .struct(try parseStruct(fields, depth: depth))
        case "list":
            return .list(
                ListType(
                    elementID: try fields.int("element-id"),
                    element: try parse(try fields.required("element"), depth: depth + 1),
                    elementRequired: try fields.bool("element-required")
                )
            )
        case "map":
            return .map(
                MapType(
                    keyID: try fields.int("key-id"),
                    key: try parse(try fields.required("key"), depth: depth + 1),
                    valueID: try fields.int("value-id"),
                    value: try parse(try fields.required("value"), depth: depth + 1),
                    valueRequired: try fields.bool("value-required")
                )
            )
        default:
            throw fields.wrong("type", "struct, list or map")
        }
    }

    static func parseStruct(
        _ fields: JSONFields,
        depth: Int
    ) throws(IcebergError) -> StructType {
        var parsed: [NestedField] = []
        for json in try fields.array("fields") {
            parsed.append(try parseField(json, depth: depth + 1))
        }
        return StructType(fields: parsed)
    }

    private static let fieldKeys: Set<String> = [
        "id", "name", "required", "type", "doc", "initial-default", "write-default",
    ]

    private static func parseField(_ json: JSON, depth: Int) throws(IcebergError) -> NestedField {
        let nameless = try JSONFields(json, "field")
        let name = try nameless.string("name")
        let fields = try JSONFields(json, "field \"\(name)\"")
        let type = try IcebergError.during(fields.place) { () throws(IcebergError) in
            try parse(try fields.required("type"), depth: depth)
        }
        let field = NestedField(
            id: try fields.int("id"),
            name: name,
            required: try fields.bool("required"),
            type: type,
            doc: try fields.optionalString("doc"),
            initialDefault: fields.optional("initial-default"),
            writeDefault: fields.optional("write-default"),
            additional: fields.others(than: fieldKeys)
        )
        for value in [field.initialDefault, field.writeDefault] where type.isPrimitive {
            guard let value else { continue }
            _ = try IcebergError.during(fields.place) { () throws(IcebergError) in
                try Datum(json: value, type: type)
            }
        }
        return field
    }

    /// The JSON form.
    package var json: JSON {
        switch self {
        case .struct(let type):
            return ["type": "struct", "fields": .array(type.fields.map(\.json))]
        case .list(let type):
            return [
                "type": "list", "element-id": .integer(type.elementID),
                "element": type.element.json, "element-required": .bool(type.elementRequired),
            ]
        case .map(let type):
            return [
                "type": "map", "key-id": .integer(type.keyID), "key": type.key.json,
                "value-id": .integer(type.valueID), "value": type.value.json,
                "value-required": .bool(type.valueRequired),
            ]
        default:
            return .string(description)
        }
    }
}

extension NestedField {
    /// The JSON form.
    package var json: JSON {
        var object: JSONObject = [
            "id": .integer(id), "name": .string(name), "required": .bool(required),
            "type": type.json,
        ]
        if let doc { object["doc"] = .string(doc) }
        if let initialDefault { object["initial-default"] = initialDefault }
        if let writeDefault { object["write-default"] = writeDefault }
        object.appendMissing(additional)
        return .object(object)
    }
}

extension IcebergType: CustomStringConvertible {
    /// The type as the specification writes it: `decimal(9, 2)`, `struct<1: a: int>`.
    package var description: String {
        switch self {
        case .boolean: "boolean"
        case .int: "int"
        case .long: "long"
        case .float: "float"
        case .double: "double"
        case .decimal(let precision, let scale): "decimal(\(precision), \(scale))"
        case .date: "date"
        case .time: "time"
        case .timestamp: "timestamp"
        case .timestamptz: "timestamptz"
        case .timestampNanos: "timestamp_ns"
        case .timestamptzNanos: "timestamptz_ns"
        case .string: "string"
        case .uuid: "uuid"
        case .fixed(let length): "fixed[\(length)]"
        case .binary: "binary"
        case .unknown: "unknown"
        case .variant: "variant"
        case .geospatial(let text): text
        case .struct(let type):
            "struct<"
                + type.fields.map { "\($0.id): \($0.name): \($0.type)" }.joined(separator: ", ")
                + ">"
        case .list(let type): "list<\(type.element)>"
        case .map(let type): "map<\(type.key), \(type.value)>"
        }
    }

    /// The primitive type of this text; nil when there is none.
    package init?(text: String) {
        switch text {
        case "boolean": self = .boolean
        case "int": self = .int
        case "long": self = .long
        case "float": self = .float
        case "double": self = .double
        case "date": self = .date
        case "time": self = .time
        case "timestamp": self = .timestamp
        case "timestamptz": self = .timestamptz
        case "timestamp_ns": self = .timestampNanos
        case "timestamptz_ns": self = .timestamptzNanos
        case "string": self = .string
        case "uuid": self = .uuid
        case "binary": self = .binary
        case "unknown": self = .unknown
        case "variant": self = .variant
        default:
            guard let type = Self.parameterized(text) else { return nil }
            self = type
        }
    }

    private static func parameterized(_ text: String) -> IcebergType? {
        if text.hasPrefix("geometry") || text.hasPrefix("geography") { return .geospatial(text) }
        if let (name, numbers) = parameters(of: text) {
            switch (name, numbers.count) {
            case ("decimal", 2):
                let (precision, scale) = (numbers[0], numbers[1])
                guard (1...precisionMax).contains(precision), (0...precision).contains(scale) else {
                    return nil
                }
                return .decimal(precision: precision, scale: scale)
            case ("fixed", 1):
                // The upper bound keeps a stranger's schema from asking for absurd buffers.
                guard numbers[0] >= 0, numbers[0] <= Int(Int32.max) else { return nil }
                return .fixed(length: numbers[0])
            default: return nil
            }
        }
        return nil
    }

    /// Splits `name(1, 2)` or `name[1]` into the name and the numbers.
    static func parameters(of text: String) -> (name: String, numbers: [Int])? {
        guard let open = text.firstIndex(where: { $0 == "(" || $0 == "[" }),
            text.last == (text[open] == "(" ? ")" : "]")
        else { return nil }
        let inside = text[text.index(after: open)...].dropLast()
        var numbers: [Int] = []
        for part in inside.split(separator: ",", omittingEmptySubsequences: false) {
            let trimmed = part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()
            guard let number = Int32(String(trimmed)) else { return nil }
            numbers.append(Int(number))
        }
        let name = text[..<open].reversed().drop { $0 == " " }.reversed()
        return (String(name), numbers)
    }
}
