package import Bytes

/// Which column names of data files without field ids stand for which fields.
///
/// - Spec: "Column Projection", and Appendix C, "Name Mapping Serialization".
package struct NameMapping: Sendable, Hashable {
    /// One field of a data file: the names it may have there, and what is nested in it.
    package struct Field: Sendable, Hashable {
        /// nil for columns of files that the table does not have.
        package var fieldID: Int?
        /// The names it may have in data files.
        package var names: [String]
        /// In their order.
        package var fields: [Field]

        package init(fieldID: Int?, names: [String], fields: [Field] = []) {
            self.fieldID = fieldID
            self.names = names
            self.fields = fields
        }
    }

    /// In their order.
    package var fields: [Field]

    /// The table property that holds the mapping as JSON text.
    package static let property = "schema.name-mapping.default"

    package init(fields: [Field]) {
        self.fields = fields
    }

    /// The mapping under which each field has its own name only.
    package init(schema: Schema) {
        fields = Self.mapped(schema.fields)
    }

    private static func mapped(_ fields: [NestedField]) -> [Field] {
        fields.map { Field(fieldID: $0.id, names: [$0.name], fields: children(of: $0.type)) }
    }

    private static func children(of type: IcebergType) -> [Field] {
        switch type {
        case .struct(let type): mapped(type.fields)
        case .list(let type): mapped([type.elementField])
        case .map(let type): mapped([type.keyField, type.valueField])
        default: []
        }
    }

    /// The id of the column at this path in a data file; nil when the mapping has none.
    ///
    /// - Parameter path: Names from the top; a dot in a name is part of the name.
    package func fieldID(path: [String]) -> Int? {
        var level = fields
        var found: Field?
        for name in path {
            guard let field = level.first(where: { $0.names.contains(name) }) else { return nil }
            found = field
            level = field.fields
        }
        return found?.fieldID
    }

    /// Maps a new field and all that is nested in it by its name.
    mutating func add(_ field: NestedField, parentID: Int?) {
        let mapped = Self.mapped([field])
        guard let parentID else {
            fields += mapped
            return
        }
        Self.edit(parentID, in: &fields) { $0.fields += mapped }
    }

    /// Lets a field have another name too.
    mutating func addName(_ name: String, fieldID: Int) {
        Self.edit(fieldID, in: &fields) {
            if !$0.names.contains(name) { $0.names.append(name) }
        }
    }

    private static func edit(
        _ id: Int,
        in fields: inout [Field],
        _ body: (inout Field) -> Void
    ) {
        for index in fields.indices {
            if fields[index].fieldID == id {
                body(&fields[index])
                return
            }
            edit(id, in: &fields[index].fields, body)
        }
    }
}

// MARK: - JSON

extension NameMapping {
    /// Reads a mapping from its JSON form.
    ///
    /// - Throws: `corrupt` when it is none, or a name stands for two fields of the same struct.
    package init(json: JSON) throws(IcebergError) {
        guard let array = json.array else {
            throw IcebergError(.corrupt, "a name mapping is not an array")
        }
        fields = try Self.parse(array, depth: 0)
    }

    private static func parse(_ array: [JSON], depth: Int) throws(IcebergError) -> [Field] {
        if depth > IcebergType.depthMax {
            throw IcebergError(.unsupported, "a name mapping is nested too deep")
        }
        var fields: [Field] = []
        var names: Set<String> = []
        for json in array {
            let object = try JSONFields(json, "name mapping")
            let field = Field(
                fieldID: try object.optionalInt("field-id"),
                names: try object.strings("names"),
                fields: try parse(try object.optionalArray("fields") ?? [], depth: depth + 1)
            )
            for name in field.names where !names.insert(name).inserted {
                throw IcebergError(.corrupt, "name mapping: \(name) stands for two fields")
            }
            fields.append(field)
        }
        return fields
    }

    /// The JSON form.
    package var json: JSON { .array(fields.map(\.json)) }
}

extension NameMapping.Field {
    fileprivate var json: JSON {
        var object = JSONObject()
        if let fieldID { object["field-id"] = .integer(fieldID) }
        object["names"] = .strings(names)
        if !fields.isEmpty { object["fields"] = .array(fields.map(\.json)) }
        return .object(object)
    }
}

extension TableMetadata {
    /// The name mapping for data files without field ids; nil when the table has none.
    ///
    /// - Throws: `corrupt` when the property is not a mapping.
    package func nameMapping() throws(IcebergError) -> NameMapping? {
        guard let text = properties[NameMapping.property] else { return nil }
        let json = try IcebergError.bytes { () throws(BytesError) in try JSON.parse(text) }
        return try NameMapping(json: json)
    }
}
