import Bytes

/// The members of a JSON object, read by name with errors that say which member of what is wrong.
struct JSONFields {
    let object: JSONObject
    /// What the object is, for errors.
    let place: String

    init(_ json: JSON, _ place: String) throws(IcebergError) {
        guard case .object(let object) = json else {
            throw IcebergError(.corrupt, "\(place) is not a JSON object")
        }
        self.object = object
        self.place = place
    }

    func wrong(_ key: String, _ expected: String) -> IcebergError {
        let found = object[key].map { value in
            let text = value.text()
            return "found " + (text.count > 40 ? text.prefix(40) + "…" : text)
        }
        return IcebergError(
            .corrupt,
            "\(place): field \(key) must be \(expected), \(found ?? "but it is missing")"
        )
    }

    /// The member, nil when it is missing or null.
    func optional(_ key: String) -> JSON? {
        guard let value = object[key], value != .null else { return nil }
        return value
    }

    func required(_ key: String) throws(IcebergError) -> JSON {
        guard let value = optional(key) else { throw wrong(key, "given") }
        return value
    }

    func optionalInt(_ key: String) throws(IcebergError) -> Int? {
        guard let value = optional(key) else { return nil }
        // Iceberg's ints have 32 bits.
        guard let int = value.int32 else { throw wrong(key, "an integer of 32 bits") }
        return Int(int)
    }

    func int(_ key: String) throws(IcebergError) -> Int {
        guard let value = try optionalInt(key) else { throw wrong(key, "an integer of 32 bits") }
        return value
    }

    func optionalLong(_ key: String) throws(IcebergError) -> Int64? {
        guard let value = optional(key) else { return nil }
        guard let long = value.int64 else { throw wrong(key, "an integer of 64 bits") }
        return long
    }

    func long(_ key: String) throws(IcebergError) -> Int64 {
        guard let value = try optionalLong(key) else { throw wrong(key, "an integer of 64 bits") }
        return value
    }

    func optionalString(_ key: String) throws(IcebergError) -> String? {
        guard let value = optional(key) else { return nil }
        guard let string = value.string else { throw wrong(key, "a string") }
        return string
    }

    func string(_ key: String) throws(IcebergError) -> String {
        guard let value = try optionalString(key) else { throw wrong(key, "a string") }
        return value
    }

    func bool(_ key: String) throws(IcebergError) -> Bool {
        guard let value = optional(key)?.bool else { throw wrong(key, "true or false") }
        return value
    }

    func optionalArray(_ key: String) throws(IcebergError) -> [JSON]? {
        guard let value = optional(key) else { return nil }
        guard let array = value.array else { throw wrong(key, "an array") }
        return array
    }

    func array(_ key: String) throws(IcebergError) -> [JSON] {
        guard let value = try optionalArray(key) else { throw wrong(key, "an array") }
        return value
    }

    func optionalInts(_ key: String) throws(IcebergError) -> [Int]? {
        guard let array = try optionalArray(key) else { return nil }
        var ints: [Int] = []
        for element in array {
            guard let int = element.int32 else { throw wrong(key, "an array of 32-bit integers") }
            ints.append(Int(int))
        }
        return ints
    }

    func ints(_ key: String) throws(IcebergError) -> [Int] {
        guard let value = try optionalInts(key) else {
            throw wrong(key, "an array of 32-bit integers")
        }
        return value
    }

    func longs(_ key: String) throws(IcebergError) -> [Int64] {
        var longs: [Int64] = []
        for element in try array(key) {
            guard let long = element.int64 else { throw wrong(key, "an array of 64-bit integers") }
            longs.append(long)
        }
        return longs
    }

    func strings(_ key: String) throws(IcebergError) -> [String] {
        var strings: [String] = []
        for element in try array(key) {
            guard let string = element.string else { throw wrong(key, "an array of strings") }
            strings.append(string)
        }
        return strings
    }

    func optionalStringMap(_ key: String) throws(IcebergError) -> [String: String]? {
        guard let value = optional(key) else { return nil }
        guard let object = value.object else { throw wrong(key, "an object of strings") }
        var map = [String: String](minimumCapacity: object.count)
        for member in object.members {
            guard let string = member.value.string else { throw wrong(key, "an object of strings") }
            map[member.key] = string
        }
        return map
    }

    func stringMap(_ key: String) throws(IcebergError) -> [String: String] {
        guard let value = try optionalStringMap(key) else {
            throw wrong(key, "an object of strings")
        }
        return value
    }

    /// The members that this program has no place for, to be written back as they were.
    func others(than known: Set<String>) -> JSONObject {
        var rest = JSONObject()
        for member in object.members where !known.contains(member.key) {
            rest[member.key] = member.value
        }
        return rest
    }
}

extension JSONObject {
    /// Appends members that are not there yet.
    mutating func appendMissing(_ others: JSONObject) {
        for member in others.members where self[member.key] == nil {
            self[member.key] = member.value
        }
    }
}

extension JSON {
    /// An object of strings, in the order of its keys so that equal maps give equal bytes.
    static func stringMap(_ map: [String: String]) -> JSON {
        var object = JSONObject()
        for (key, value) in map.sorted(by: { $0.key < $1.key }) { object[key] = .string(value) }
        return .object(object)
    }

    /// An array of integers.
    static func integers(_ values: some Sequence<some BinaryInteger>) -> JSON {
        .array(values.map { .integer($0) })
    }
}
