package import Bytes

/// A filter of a scan request, as pruning takes it.
///
/// - Spec: REST catalog, `Predicate`.
package struct ScanFilter: Sendable {
    /// The condition without `not`; where the filter has what pruning cannot see into, rows may match.
    package private(set) var predicate: Predicate
    /// Whether the predicate says all that the filter says.
    package private(set) var isExact = true

    /// Every row.
    package static let always = ScanFilter()

    private init() { predicate = .always }

    /// Reads a filter on the columns of a schema.
    ///
    /// - Throws: `invalid` for what is no filter, names no column, or compares with what is no value of the
    ///   column's type.
    package init(
        json: JSON,
        schema: Schema,
        isCaseSensitive: Bool = true
    ) throws(IcebergError) {
        var reader = FilterReader(schema: schema, isCaseSensitive: isCaseSensitive)
        do {
            predicate = try reader.predicate(json, isNegated: false, depth: 0)
        } catch {
            throw error.blaming(.invalid)
        }
        isExact = reader.isExact
    }
}

/// Reads predicates, moving `not` down to the leaves as it goes: so what is not understood can count as
/// "may match" wherever it stands.
private struct FilterReader {
    let schema: Schema
    let isCaseSensitive: Bool
    var isExact = true

    /// A column, or what is computed of one, which pruning does not see into.
    private enum Operand {
        case column(NestedField)
        case computed
        case literal(JSON)
    }

    init(schema: Schema, isCaseSensitive: Bool) {
        self.schema = schema
        self.isCaseSensitive = isCaseSensitive
    }

    mutating func predicate(
        _ json: JSON,
        isNegated: Bool,
        depth: Int
    ) throws(IcebergError) -> Predicate {
        guard depth < Predicate.depthMax else {
            throw IcebergError(.invalid, "the filter is nested more than \(depth) deep")
        }
        if let value = json.bool { return value != isNegated ? .always : .never }
        let fields = try JSONFields(json, "filter")
        let type = try fields.string("type")
        switch type {
        case "true": return isNegated ? .never : .always
        case "false": return isNegated ? .always : .never
        case "not":
            return try predicate(
                try fields.required("child"),
                isNegated: !isNegated,
                depth: depth + 1
            )
        case "and", "or":
            let parts = [
                try predicate(
                    try fields.required("left"),
                    isNegated: isNegated,
                    depth: depth + 1
                ),
                try predicate(
                    try fields.required("right"),
                    isNegated: isNegated,
                    depth: depth + 1
                ),
            ]
            return (type == "and") != isNegated ? .all(parts) : .any(parts)
        default:
            guard let leaf = try leaf(type, fields) else {
                isExact = false
                return .always
            }
            return isNegated ? Predicate.not(leaf).withoutNot : leaf
        }
    }

    /// A leaf; nil when pruning cannot see into it.
    private func leaf(_ type: String, _ fields: JSONFields) throws(IcebergError) -> Predicate? {
        switch type {
        case "is-null", "not-null", "is-nan", "not-nan":
            guard case .column(let field) = try operand(fields, "child", "term") else {
                return nil
            }
            switch type {
            case "is-null": return .isNull(field.id)
            case "not-null": return .notNull(field.id)
            default:
                guard field.type == .float || field.type == .double else {
                    throw IcebergError(
                        .invalid,
                        "\(type): column \(field.name) has type \(field.type), which has no NaN"
                    )
                }
                return type == "is-nan" ? .isNaN(field.id) : .notNaN(field.id)
            }
        case "in", "not-in":
            guard case .column(let field) = try operand(fields, "child", "term") else {
                return nil
            }
            var values: [Datum] = []
            for json in try literals(try fields.required("values")) {
                guard let value = try datum(json, field) else { return nil }
                values.append(value)
            }
            return type == "in" ? .in(field.id, values) : .notIn(field.id, values)
        case "lt", "lt-eq", "gt", "gt-eq", "eq", "not-eq", "starts-with", "not-starts-with":
            return try comparison(type, fields)
        default:
            throw IcebergError(.invalid, "there is no filter \"\(type)\"")
        }
    }

    private func comparison(
        _ type: String,
        _ fields: JSONFields
    ) throws(IcebergError) -> Predicate? {
        var left = try operand(fields, "left", "term")
        var right = try operand(fields, "right", "value", isLiteral: true)
        var type = type
        if case .literal = left, case .column = right {
            swap(&left, &right)
            let mirrored = ["lt": "gt", "gt": "lt", "lt-eq": "gt-eq", "gt-eq": "lt-eq"]
            type = mirrored[type] ?? type
            if type.hasSuffix("starts-with") { return nil }
        }
        guard case .column(let field) = left, case .literal(let json) = right else { return nil }
        if type == "starts-with" || type == "not-starts-with" {
            guard field.type == .string, let prefix = json.string else {
                throw IcebergError(
                    .invalid,
                    "\(type): column \(field.name) and the prefix must be strings"
                )
            }
            return type == "starts-with"
                ? .startsWith(field.id, prefix) : .notStartsWith(field.id, prefix)
        }
        guard let value = try datum(json, field) else { return nil }
        let comparison: Predicate.Comparison =
            switch type {
            case "lt": .less
            case "lt-eq": .lessOrEqual
            case "gt": .greater
            case "gt-eq": .greaterOrEqual
            case "eq": .equal
            default: .notEqual
            }
        return .compare(field.id, comparison, value)
    }

    /// An operand by its name, or by the one that older clients use.
    private func operand(
        _ fields: JSONFields,
        _ name: String,
        _ oldName: String,
        isLiteral: Bool = false
    ) throws(IcebergError) -> Operand {
        guard let json = fields.optional(name) else {
            let old = try fields.required(oldName)
            // Here a string is a column's name, or a value.
            if isLiteral { return .literal(try literal(old)) }
            if let text = old.string { return .column(try column(named: text)) }
            return try value(old)
        }
        return try value(json)
    }

    private func value(_ json: JSON) throws(IcebergError) -> Operand {
        guard json.object != nil else { return .literal(json) }
        let fields = try JSONFields(json, "operand")
        switch try fields.string("type") {
        case "reference":
            if let id = try fields.optionalInt("id") {
                guard let field = schema.field(id: id) else {
                    throw IcebergError(.invalid, "there is no column with field id \(id)")
                }
                return .column(field)
            }
            let key = fields.optional("name") == nil ? "term" : "name"
            return .column(try column(named: try fields.string(key)))
        case "literal": return .literal(try literal(json))
        case "apply": return .computed
        case "transform":
            // Whatever is computed, it is computed of a column that exists.
            let term = try fields.required("term")
            if let name = term.string { _ = try column(named: name) }
            return .computed
        case let other:
            throw IcebergError(.invalid, "there is no operand of type \"\(other)\"")
        }
    }

    private func literal(_ json: JSON) throws(IcebergError) -> JSON {
        guard json.object != nil else { return json }
        let fields = try JSONFields(json, "literal")
        guard try fields.string("type") == "literal" else {
            throw fields.wrong("type", "\"literal\"")
        }
        return try fields.required("value")
    }

    private func literals(_ json: JSON) throws(IcebergError) -> [JSON] {
        var all = json.array ?? []
        if json.array == nil { all = try JSONFields(json, "literals").array("values") }
        var values: [JSON] = []
        for one in all { values.append(try literal(one)) }
        return values
    }

    private func column(named name: String) throws(IcebergError) -> NestedField {
        let field =
            isCaseSensitive ? schema.field(named: name) : schema.field(namedIgnoringCase: name)
        guard let field else { throw IcebergError(.invalid, "there is no column \"\(name)\"") }
        return field
    }

    /// The number that a text is, where numbers are compared: PyIceberg sends decimals for doubles.
    private static func asNumber(_ json: JSON, _ type: IcebergType) -> JSON {
        guard [.int, .long, .float, .double].contains(type), let text = json.string,
            let number = try? JSON.parse(Array(text.utf8)), number.numberText != nil
        else { return json }
        return number
    }

    /// A value of a column's type; nil for numbers beyond it, of which pruning makes nothing.
    private func datum(_ json: JSON, _ field: NestedField) throws(IcebergError) -> Datum? {
        let json = Self.asNumber(json, field.type)
        if let number = json.numberText {
            switch field.type {
            case .int, .long:
                guard Double(number) != nil else { break }
                let isWhole = !number.utf8.contains { [0x2E, 0x45, 0x65].contains($0) }
                if !isWhole { return nil }
                if field.type == .int ? json.int32 == nil : json.int64 == nil { return nil }
            case .float, .double:
                // Values beyond a float's range, and halves of its digits, compare otherwise as floats.
                guard let value = json.double else { return nil }
                if field.type == .float, Double(Float(value)) != value { return nil }
            case .decimal:
                return try datum(.string(number), field)
            default: break
            }
        }
        if case .decimal = field.type, let text = json.string {
            // With more digits than the column has it may equal none of its values, and is not looked at.
            return try? Datum(json: .string(text), type: field.type)
        }
        return try Datum(json: json, type: field.type)
    }
}

// MARK: - Writing

extension Predicate {
    /// The form that scan tasks have, with columns by their full names; nil when a column is not in the
    /// schema, or a value has no such form.
    package func json(_ schema: Schema) -> JSON? {
        func name(_ id: Int) -> JSON? {
            schema.location(id: id).map { .string($0.fullName) }
        }
        func unary(_ type: JSON, _ id: Int) -> JSON? {
            name(id).map { ["type": type, "term": $0] }
        }
        func comparison(_ type: JSON, _ id: Int, _ value: JSON?) -> JSON? {
            guard let name = name(id), let value else { return nil }
            return ["type": type, "term": name, "value": value]
        }
        func set(_ type: JSON, _ id: Int, _ values: [Datum]) -> JSON? {
            let all = values.compactMap(\.json)
            guard let name = name(id), all.count == values.count else { return nil }
            return ["type": type, "term": name, "values": .array(all)]
        }
        switch self {
        case .always: return true
        case .never: return false
        case .and(let parts), .or(let parts):
            var type: JSON = "or"
            if case .and = self { type = "and" }
            var whole: JSON?
            for part in parts {
                guard let one = part.json(schema) else { return nil }
                whole = whole.map { ["type": type, "left": $0, "right": one] } ?? one
            }
            return whole
        case .not(let part):
            return part.json(schema).map { ["type": "not", "child": $0] }
        case .isNull(let id): return unary("is-null", id)
        case .notNull(let id): return unary("not-null", id)
        case .isNaN(let id): return unary("is-nan", id)
        case .notNaN(let id): return unary("not-nan", id)
        case .compare(let id, let how, let value):
            let type: JSON =
                switch how {
                case .equal: "eq"
                case .notEqual: "not-eq"
                case .less: "lt"
                case .lessOrEqual: "lt-eq"
                case .greater: "gt"
                case .greaterOrEqual: "gt-eq"
                }
            return comparison(type, id, value.json)
        case .in(let id, let values): return set("in", id, values)
        case .notIn(let id, let values): return set("not-in", id, values)
        case .startsWith(let id, let prefix): return comparison("starts-with", id, .string(prefix))
        case .notStartsWith(let id, let prefix):
            return comparison("not-starts-with", id, .string(prefix))
        }
    }
}
