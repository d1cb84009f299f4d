import Bytes

/// What a JSON value is made of, as `json_structure` shows it.
indirect enum JSONShape {
    case null
    /// Anything of no common type.
    case mixed
    case scalar(String)
    case array(JSONShape)
    case object([(key: String, shape: JSONShape)])

    init(_ value: JSON) {
        switch value {
        case .null: self = .null
        case .array(let elements):
            self = .array(elements.reduce(.null) { $0.joined(with: JSONShape($1)) })
        case .object(let object):
            self = .object(object.members.map { ($0.key, JSONShape($0.value)) })
        default: self = .scalar(value.typeName)
        }
    }

    private func joined(with other: JSONShape) -> JSONShape {
        switch (self, other) {
        case (.null, let known), (let known, .null): return known
        case (.scalar(let a), .scalar(let b)):
            if a == b { return self }
            let numbers = ["UBIGINT", "BIGINT", "HUGEINT", "DOUBLE"]
            guard numbers.contains(a), numbers.contains(b) else { return .mixed }
            // Whole numbers of different sign have only the widest type in common.
            return .scalar(a == "DOUBLE" || b == "DOUBLE" ? "DOUBLE" : "HUGEINT")
        case (.array(let a), .array(let b)): return .array(a.joined(with: b))
        case (.object(let a), .object(let b)):
            var members = a
            for (key, shape) in b {
                if let place = members.firstIndex(where: { $0.key == key }) {
                    members[place].shape = members[place].shape.joined(with: shape)
                } else {
                    members.append((key, shape))
                }
            }
            return .object(members)
        default: return .mixed
        }
    }

    var json: JSON {
        switch self {
        case .null: .string("NULL")
        case .mixed: .string("JSON")
        case .scalar(let name): .string(name)
        case .array(let element): .array([element.json])
        case .object(let members) where members.isEmpty: .string("JSON")
        case .object(let members):
            .object(
                members.reduce(into: JSONObject()) { object, member in
                    object[member.key] = member.shape.json
                }
            )
        }
    }
}

extension JSON {
    /// The name of the value's type, as `json_type` gives it.
    var typeName: String {
        switch self {
        case .null: "NULL"
        case .bool: "BOOLEAN"
        case .string: "VARCHAR"
        case .array: "ARRAY"
        case .object: "OBJECT"
        case .number(let text):
            UInt64(text) != nil ? "UBIGINT" : Int64(text) != nil ? "BIGINT" : "DOUBLE"
        }
    }

    /// Whether another value is this one, or somewhere inside.
    func holds(_ part: JSON) -> Bool {
        if matches(part) { return true }
        switch self {
        case .array(let elements): return elements.contains { $0.holds(part) }
        case .object(let object): return object.members.contains { $0.value.holds(part) }
        default: return false
        }
    }

    /// Whether everything in `part` has its counterpart here.
    private func matches(_ part: JSON) -> Bool {
        switch (self, part) {
        case (.object(let object), .object(let wanted)):
            return wanted.members.allSatisfy { member in
                object[member.key].map { $0.matches(member.value) } ?? false
            }
        case (.array(let elements), .array(let wanted)):
            return wanted.allSatisfy { one in elements.contains { $0.matches(one) } }
        case (.number(let a), .number(let b)): return a == b || Double(a) == Double(b)
        default: return self == part
        }
    }

    /// The value changed by a merge patch (RFC 7396).
    func patched(with patch: JSON) -> JSON {
        guard case .object(let changes) = patch else { return patch }
        var result = object ?? JSONObject()
        for member in changes.members {
            if member.value.isNull {
                result[member.key] = nil
            } else {
                result[member.key] = (result[member.key] ?? .null).patched(with: member.value)
            }
        }
        return .object(result)
    }
}
