import Columnar

/// Takes values out of JSON and appends them to a column.
///
/// The type is looked at when the node is made; a value then costs one switch over a small enum.
final class JSONColumnNode {
    private enum Kind {
        case nothing
        case boolean
        case int32
        case int64
        case float32
        case float64
        case decimal(precision: Int, scale: Int)
        case date
        case time
        case timestamp
        case timestamptz
        case uuid
        case binary(width: Int?)
        case string
        case json
        case list(JSONColumnNode)
        case structure(JSONObjectNode)
        case map(key: JSONColumnNode, value: JSONColumnNode)
    }

    let builder: ColumnBuilder
    private let type: DataType
    private let kind: Kind

    init(
        _ field: Field,
        builder: ColumnBuilder,
        path: [String],
        format: JSONFormat,
        ignoresUnknownKeys: Bool
    ) throws(TextFileError) {
        self.builder = builder
        type = field.type
        func child(
            _ field: Field,
            _ place: Int,
            _ name: String
        ) throws(TextFileError) -> JSONColumnNode {
            try JSONColumnNode(
                field,
                builder: builder.elementBuilders[place],
                path: path + [name],
                format: format,
                ignoresUnknownKeys: ignoresUnknownKeys
            )
        }
        guard path.count <= JSONCursor.depthMax else {
            throw TextFileError(.unsupported, "types are nested too deep", columnName: path.first)
        }
        switch field.type {
        case .null: kind = .nothing
        case .boolean: kind = .boolean
        case .int32: kind = .int32
        case .int64: kind = .int64
        case .float32: kind = .float32
        case .float64: kind = .float64
        case .decimal(let precision, let scale):
            kind = .decimal(precision: precision, scale: scale)
        case .date: kind = .date
        case .time: kind = .time
        case .timestamp: kind = .timestamp
        case .timestamptz: kind = .timestamptz
        case .uuid: kind = .uuid
        case .binary: kind = .binary(width: nil)
        case .fixed(let width): kind = .binary(width: width)
        case .string: kind = format.jsonTextPaths.contains(path) ? .json : .string
        case .list(let element): kind = .list(try child(element, 0, "element"))
        case .structure(let fields):
            var nodes: [JSONColumnNode] = []
            for (place, field) in fields.enumerated() {
                nodes.append(try child(field, place, field.name))
            }
            kind = .structure(
                JSONObjectNode(fields, nodes, ignoresUnknownKeys: ignoresUnknownKeys)
            )
        case .map(let key, let value):
            kind = .map(key: try child(key, 0, "key"), value: try child(value, 1, "value"))
        case .interval:
            throw TextFileError(
                .unsupported,
                "an INTERVAL cannot be read from JSON",
                columnName: path.joined(separator: ".")
            )
        }
    }

    /// Takes a value of this node's type, or null.
    func append(_ cursor: inout JSONCursor, depth: Int) throws(JSONFault) {
        let next = cursor.peek()
        if next == UInt8(ascii: "n"), cursor.takeLiteral("null") {
            builder.appendNull()
            return
        }
        switch kind {
        case .boolean:
            if cursor.takeLiteral("true") {
                builder.append(true)
            } else if cursor.takeLiteral("false") {
                builder.append(false)
            } else {
                throw try mismatch(&cursor)
            }
        case .string:
            if next == UInt8(ascii: "\"") {
                builder.append(try cursor.string())
            } else {
                // Numbers and the like are their JSON text.
                builder.append(try cursor.skipValue(depth: depth))
            }
        case .json: builder.append(try cursor.skipValue(depth: depth))
        case .list(let element):
            guard next == UInt8(ascii: "[") else { throw try mismatch(&cursor) }
            try nested(&cursor, depth)
            try cursor.expect(next)
            if !cursor.take(UInt8(ascii: "]")) {
                repeat {
                    try element.append(&cursor, depth: depth + 1)
                } while cursor.take(UInt8(ascii: ","))
                try cursor.expect(UInt8(ascii: "]"))
            }
            builder.finishListRow()
        case .structure(let object):
            guard next == UInt8(ascii: "{") else { throw try mismatch(&cursor) }
            try nested(&cursor, depth)
            try object.append(&cursor, depth: depth + 1)
            builder.finishStructRow()
        case .map(let key, let value):
            guard next == UInt8(ascii: "{") else { throw try mismatch(&cursor) }
            try nested(&cursor, depth)
            try cursor.expect(next)
            if !cursor.take(UInt8(ascii: "}")) {
                repeat {
                    try key.appendScalar(try cursor.string(), cursor)
                    try cursor.expect(UInt8(ascii: ":"))
                    try value.append(&cursor, depth: depth + 1)
                } while cursor.take(UInt8(ascii: ","))
                try cursor.expect(UInt8(ascii: "}"))
            }
            builder.finishListRow()
        case .nothing: throw try mismatch(&cursor)
        default:
            // Numbers may be strings, dates and the like must be.
            if next == UInt8(ascii: "\"") {
                try appendScalar(try cursor.string(), cursor)
            } else if type.isNumeric {
                guard
                    next == UInt8(ascii: "-") || next == UInt8(ascii: "N")
                        || next == UInt8(ascii: "I") || next &- 48 < 10
                else { throw try mismatch(&cursor) }
                try appendScalar(try cursor.number().bytes, cursor)
            } else {
                throw try mismatch(&cursor)
            }
        }
    }

    private func nested(_ cursor: inout JSONCursor, _ depth: Int) throws(JSONFault) {
        if depth >= JSONCursor.depthMax {
            throw cursor.fault("values are nested more than \(JSONCursor.depthMax) deep")
        }
    }

    /// The fault that the next value is not of this type; malformed JSON goes before that.
    private func mismatch(_ cursor: inout JSONCursor) throws(JSONFault) -> JSONFault {
        let offset = cursor.at
        let text = try cursor.skipValue()
        return JSONFault(
            kind: .badValue,
            reason: "\(excerpt(text)) is not a valid \(type)",
            offset: offset
        )
    }

    /// Appends the value that a text says.
    private func appendScalar(
        _ text: UnsafeBufferPointer<UInt8>,
        _ cursor: JSONCursor
    ) throws(JSONFault) {
        guard let bytes = text.baseAddress, appendValue(bytes, text.count) else {
            throw JSONFault(
                kind: .badValue,
                reason: "\"\(excerpt(text))\" is not a valid \(type)",
                offset: cursor.at
            )
        }
    }

    private func appendValue(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        switch kind {
        case .boolean:
            guard let value = FieldParsing.booleanWord(bytes, count) else { return false }
            builder.append(value)
        case .int32:
            guard let value = FieldParsing.int32(bytes, count) else { return false }
            builder.append(value)
        case .int64:
            guard let value = FieldParsing.int64(bytes, count) else { return false }
            builder.append(value)
        case .float32:
            guard let value = FieldParsing.float(bytes, count) else { return false }
            builder.append(value)
        case .float64:
            guard let value = FieldParsing.double(bytes, count) else { return false }
            builder.append(value)
        case .decimal(let precision, let scale):
            let value = FieldParsing.decimal(bytes, count, precision: precision, scale: scale)
            guard let value else { return false }
            builder.appendDecimal(value)
        case .date:
            guard let value = FieldParsing.date(bytes, count) else { return false }
            builder.append(value)
        case .time:
            guard let value = FieldParsing.time(bytes, count) else { return false }
            builder.append(value)
        case .timestamp:
            guard let value = FieldParsing.timestamp(bytes, count), !value.hasZone else {
                return false
            }
            builder.append(value.micros)
        case .timestamptz:
            guard let value = FieldParsing.timestamp(bytes, count) else { return false }
            builder.append(value.micros)
        case .uuid:
            guard let value = FieldParsing.uuid(bytes, count) else { return false }
            builder.append(UUIDBits.ordered(fromBigEndian: value))
        case .binary(let width):
            guard let value = FieldParsing.base64(bytes, count) else { return false }
            if let width, value.count != width { return false }
            value.withUnsafeBufferPointer { builder.append($0) }
        case .string, .json:
            builder.append(UnsafeBufferPointer(start: bytes, count: count))
        case .nothing, .list, .structure, .map: return false
        }
        return true
    }
}

/// Takes objects apart into the columns that their keys name.
final class JSONObjectNode {
    private let names: [[UInt8]]
    private let nodes: [JSONColumnNode]
    private let places: [[UInt8]: Int]
    /// Places of the fields that must not be null.
    private let isRequired: [Bool]
    private let hasRequired: Bool
    private let ignoresUnknownKeys: Bool
    /// Number of the object in which each field was seen last.
    private var seenIn: [Int]
    private var objectNumber = 0

    init(_ fields: [Field], _ nodes: [JSONColumnNode], ignoresUnknownKeys: Bool) {
        names = fields.map { Array($0.name.utf8) }
        self.nodes = nodes
        places = Dictionary(names.enumerated().map { ($1, $0) }, uniquingKeysWith: { $1 })
        self.ignoresUnknownKeys = ignoresUnknownKeys
        isRequired = fields.map { !$0.isNullable }
        hasRequired = isRequired.contains(true)
        seenIn = [Int](repeating: 0, count: fields.count)
    }

    private func place(_ key: UnsafeBufferPointer<UInt8>, expected: Int) -> Int? {
        if expected < names.count {
            let name = names[expected]
            if name.count == key.count, let base = key.baseAddress {
                var index = 0
                while index < key.count, name[index] == base[index] { index &+= 1 }
                if index == key.count { return expected }
            }
        }
        return places[Array(key)]
    }

    /// Takes an object: fields whose keys are missing become null.
    func append(
        _ cursor: inout JSONCursor,
        depth: Int,
        isRow: Bool = false
    ) throws(JSONFault) {
        objectNumber += 1
        var seenCount = 0
        try cursor.expect(UInt8(ascii: "{"))
        if !cursor.take(UInt8(ascii: "}")) {
            var expected = 0
            repeat {
                let key = try cursor.string()
                guard let place = place(key, expected: expected) else {
                    if !ignoresUnknownKeys {
                        throw JSONFault(
                            kind: .badValue,
                            reason: "the key \"\(excerpt(key))\" is no column: it is not in the "
                                + "rows that the columns were guessed from (widen the sample, "
                                + "state the columns, or ignore unknown keys)",
                            offset: cursor.at
                        )
                    }
                    try cursor.expect(UInt8(ascii: ":"))
                    _ = try cursor.skipValue(depth: depth)
                    continue
                }
                if seenIn[place] == objectNumber {
                    throw cursor.fault("the key \"\(excerpt(key))\" comes twice")
                }
                seenIn[place] = objectNumber
                seenCount += 1
                expected = place + 1
                try cursor.expect(UInt8(ascii: ":"))
                do throws(JSONFault) {
                    if hasRequired, isRequired[place], cursor.peek() == UInt8(ascii: "n") {
                        throw nullFault(place, cursor)
                    }
                    try nodes[place].append(&cursor, depth: depth)
                } catch {
                    var placed = error
                    if isRow { placed.column = place }
                    throw placed
                }
            } while cursor.take(UInt8(ascii: ","))
            try cursor.expect(UInt8(ascii: "}"))
        }
        if seenCount < nodes.count {
            for place in nodes.indices where seenIn[place] != objectNumber {
                if isRequired[place] { throw nullFault(place, cursor) }
                nodes[place].builder.appendNull()
            }
        }
    }

    private func nullFault(_ place: Int, _ cursor: JSONCursor) -> JSONFault {
        let name = String(decoding: names[place], as: UTF8.self)
        return JSONFault(
            kind: .badValue,
            reason: "NULL or nothing in \"\(name)\", which must have values",
            offset: cursor.at
        )
    }
}
