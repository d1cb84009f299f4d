import Bytes

/// Reads the members of one JSON object, and says which one is wrong.
struct FactFields {
    let object: JSONObject
    /// Where the object lies, as `facts[0].output`.
    let place: String

    init(_ json: JSON, place: String) throws(LineageError) {
        guard case .object(let object) = json else {
            throw LineageError(.corrupt, "is no object", place: place)
        }
        self.object = object
        self.place = place
    }

    func has(_ name: String) -> Bool { object[name] != nil }

    func wrong(_ name: String, _ what: String) -> LineageError {
        LineageError(.corrupt, what, place: path(name))
    }

    private func path(_ name: String) -> String { place.isEmpty ? name : "\(place).\(name)" }

    private func required(_ name: String) throws(LineageError) -> JSON {
        guard let value = object[name] else { throw wrong(name, "is missing") }
        return value
    }

    /// A text of 1 to `LineageFacts.textBytesMax` bytes.
    func text(_ name: String) throws(LineageError) -> String {
        guard let text = try required(name).string else { throw wrong(name, "is no string") }
        guard (1...LineageFacts.textBytesMax).contains(text.utf8.count) else {
            throw wrong(name, "has not 1 to \(LineageFacts.textBytesMax) bytes")
        }
        return text
    }

    func optionalText(_ name: String) throws(LineageError) -> String? {
        has(name) ? try text(name) : nil
    }

    func integer(_ name: String) throws(LineageError) -> Int64 {
        guard let value = try required(name).int64 else {
            throw wrong(name, "is no integer of 64 bits")
        }
        return value
    }

    func optionalInteger(_ name: String) throws(LineageError) -> Int64? {
        has(name) ? try integer(name) : nil
    }

    func fieldID(_ name: String) throws(LineageError) -> Int32? {
        guard let value = object[name] else { return nil }
        guard let id = value.int32, id >= 0 else { throw wrong(name, "is no field id") }
        return id
    }

    /// A boolean that is false when it is missing.
    func flag(_ name: String) throws(LineageError) -> Bool {
        guard let value = object[name] else { return false }
        guard let flag = value.bool else { throw wrong(name, "is no boolean") }
        return flag
    }

    func object(_ name: String) throws(LineageError) -> FactFields {
        try FactFields(required(name), place: path(name))
    }

    func elements(_ name: String, countMax: Int) throws(LineageError) -> [FactFields] {
        guard let array = try required(name).array else { throw wrong(name, "is no array") }
        guard array.count <= countMax else {
            throw wrong(name, "has more than \(countMax) elements")
        }
        var elements: [FactFields] = []
        elements.reserveCapacity(array.count)
        for (index, json) in array.enumerated() {
            elements.append(try FactFields(json, place: "\(path(name))[\(index)]"))
        }
        return elements
    }

    func texts(_ name: String, countMax: Int) throws(LineageError) -> [String] {
        guard let array = try required(name).array else { throw wrong(name, "is no array") }
        guard (1...countMax).contains(array.count) else {
            throw wrong(name, "has not 1 to \(countMax) elements")
        }
        var texts: [String] = []
        for json in array {
            guard let text = json.string, (1...LineageFacts.textBytesMax).contains(text.utf8.count)
            else { throw wrong(name, "holds something that is no name") }
            texts.append(text)
        }
        return texts
    }
}
