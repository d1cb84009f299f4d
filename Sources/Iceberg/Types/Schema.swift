package import Bytes

/// The columns of a table as they were at some time, with lookup by id and by dotted name.
///
/// A schema is checked when it is made: ids and full names are unique, ids are in the range that tables
/// may use, identifier fields can identify.
package struct Schema: Sendable {
    /// The id of the schema.
    package let schemaID: Int
    /// In their order.
    package let fields: [NestedField]
    /// The fields that identify a row, in no particular order.
    package let identifierFieldIDs: [Int]
    /// Members that this program has no place for.
    package let additional: JSONObject
    private let index: Index

    /// The largest id that a table's own field may have; those above are metadata columns.
    ///
    /// - Spec: "Reserved Field IDs".
    package static let fieldIDMax = 2_147_483_447

    /// Checks and indexes the fields.
    ///
    /// - Throws: `invalid` when the fields break a rule of the specification.
    package init(
        schemaID: Int = 0,
        fields: [NestedField],
        identifierFieldIDs: [Int] = [],
        additional: JSONObject = JSONObject()
    ) throws(IcebergError) {
        self.schemaID = schemaID
        self.fields = fields
        self.identifierFieldIDs = identifierFieldIDs
        self.additional = additional
        index = try Index(fields)
        try checkIdentifiers()
    }

    /// The same schema under another id.
    package func with(schemaID: Int) -> Schema {
        Schema(self, schemaID: schemaID)
    }

    private init(_ other: Schema, schemaID: Int) {
        self.schemaID = schemaID
        fields = other.fields
        identifierFieldIDs = other.identifierFieldIDs
        additional = other.additional
        index = other.index
    }

    /// A schema without columns.
    package static let empty: Schema = {
        // No fields cannot break a rule.
        guard let schema = try? Schema(fields: []) else { fatalError("an empty schema is valid") }
        return schema
    }()

    /// Whether the columns and identifiers are the same, whatever the ids of the schemas.
    package func hasSameFields(as other: Schema) -> Bool {
        fields == other.fields && Set(identifierFieldIDs) == Set(other.identifierFieldIDs)
    }
}

// MARK: - Lookup

extension Schema {
    /// Where a field is.
    package struct Location: Sendable {
        /// The field itself.
        package let field: NestedField
        /// Names from the top joined by dots; a list's element is `element`, a map's `key`, `value`.
        package let fullName: String
        /// The field this one is nested in, nil at the top.
        package let parentID: Int?
        /// Whether a list or map is above it, so that a row can have many values of it.
        package let isRepeated: Bool
        /// Whether the field or one above it may be null.
        package let isOptional: Bool
    }

    /// Built once for each schema and shared by its copies.
    private final class Index: Sendable {
        let locations: [Int: Location]
        let names: [String: Int]
        let highestFieldID: Int

        init(_ fields: [NestedField]) throws(IcebergError) {
            var build = IndexBuild()
            try build.add(fields, parent: nil)
            locations = build.locations
            // Names that leave out element and value give way to full ones.
            names = build.names.merging(build.shortNames) { full, _ in full }
            highestFieldID = build.locations.keys.max() ?? 0
        }
    }

    private struct IndexBuild {
        var locations: [Int: Location] = [:]
        var names: [String: Int] = [:]
        /// Names that leave out `element` and `value`: `points.x` for `points.element.x`.
        var shortNames: [String: Int] = [:]

        mutating func add(_ fields: [NestedField], parent: Location?) throws(IcebergError) {
            for field in fields { try add(field, parent: parent, isRepeated: false, depth: 0) }
        }

        private mutating func add(
            _ field: NestedField,
            parent: Location?,
            isRepeated: Bool,
            depth: Int
        ) throws(IcebergError) {
            if depth > IcebergType.depthMax {
                throw IcebergError(
                    .unsupported,
                    "fields nested more than \(IcebergType.depthMax) deep"
                )
            }
            let name = parent.map { $0.fullName + "." + field.name } ?? field.name
            guard field.id >= 0, field.id <= Schema.fieldIDMax else {
                throw IcebergError(
                    .invalid,
                    "field \(name) has id \(field.id), outside 0 to \(Schema.fieldIDMax)"
                )
            }
            let location = Location(
                field: field,
                fullName: name,
                parentID: parent?.field.id,
                isRepeated: isRepeated || (parent?.isRepeated ?? false),
                isOptional: !field.required || (parent?.isOptional ?? false)
            )
            if let other = locations.updateValue(location, forKey: field.id) {
                throw IcebergError(
                    .invalid,
                    "fields \(other.fullName) and \(name) have the same id \(field.id)"
                )
            }
            if names.updateValue(field.id, forKey: name) != nil {
                throw IcebergError(.invalid, "there are two fields named \(name)")
            }
            switch field.type {
            case .struct(let type):
                for child in type.fields {
                    try add(child, parent: location, isRepeated: false, depth: depth + 1)
                }
            case .list(let type):
                try addItem(type.elementField, of: location, depth: depth + 1)
            case .map(let type):
                try add(type.keyField, parent: location, isRepeated: true, depth: depth + 1)
                try addItem(type.valueField, of: location, depth: depth + 1)
            default: break
            }
        }

        private mutating func addItem(
            _ item: NestedField,
            of location: Location,
            depth: Int
        ) throws(IcebergError) {
            try add(item, parent: location, isRepeated: true, depth: depth)
            if case .struct(let type) = item.type {
                for field in type.fields {
                    shortNames[location.fullName + "." + field.name] = field.id
                }
            }
        }
    }

    /// The field with this id, at any depth.
    package func field(id: Int) -> NestedField? {
        index.locations[id]?.field
    }

    /// The field with this name; nested names are joined by dots.
    package func field(named name: String) -> NestedField? {
        index.names[name].flatMap { index.locations[$0]?.field }
    }

    /// The field with this name, whatever the case of its letters; nil when there are several.
    package func field(namedIgnoringCase name: String) -> NestedField? {
        if let field = field(named: name) { return field }
        let lowercase = name.lowercased()
        let matches = index.locations.values.filter { $0.fullName.lowercased() == lowercase }
        return matches.count == 1 ? matches[0].field : nil
    }

    /// Where the field with this id is.
    package func location(id: Int) -> Location? {
        index.locations[id]
    }

    /// The full name of the field with this id.
    package func fullName(id: Int) -> String? {
        index.locations[id]?.fullName
    }

    /// The ids of all fields at all depths, sorted.
    package var fieldIDs: [Int] { index.locations.keys.sorted() }

    /// The largest id of any field at any depth, 0 when there are no fields.
    package var highestFieldID: Int { index.highestFieldID }

    /// The columns as a struct.
    package var structType: StructType { StructType(fields: fields) }

    private func checkIdentifiers() throws(IcebergError) {
        for id in identifierFieldIDs {
            guard let location = index.locations[id] else {
                throw IcebergError(.invalid, "identifier field \(id) is not in the schema")
            }
            let name = location.fullName
            if !location.field.type.isPrimitive || location.field.type.isFloating {
                throw IcebergError(
                    .invalid,
                    "field \(name) of type \(location.field.type) cannot identify rows"
                )
            }
            if location.isOptional || location.isRepeated {
                throw IcebergError(
                    .invalid,
                    "field \(name) cannot identify rows: it may be null or repeated"
                )
            }
        }
    }
}

// MARK: - JSON

extension Schema {
    private static let keys: Set<String> = ["type", "schema-id", "fields", "identifier-field-ids"]

    /// Reads a schema from its JSON form; without `schema-id` (v1) its id is 0.
    ///
    /// - Throws: `corrupt` when it is no schema or breaks a rule.
    package init(json: JSON) throws(IcebergError) {
        let fields = try JSONFields(json, "schema")
        if let type = try fields.optionalString("type"), type != "struct" {
            throw fields.wrong("type", "struct")
        }
        let parsed = try IcebergError.during("schema") { () throws(IcebergError) in
            try IcebergType.parseStruct(fields, depth: 0)
        }
        do {
            try self.init(
                schemaID: try fields.optionalInt("schema-id") ?? 0,
                fields: parsed.fields,
                identifierFieldIDs: try fields.optionalInts("identifier-field-ids") ?? [],
                additional: fields.others(than: Self.keys)
            )
        } catch {
            var error = error
            if error.code == .invalid { error.code = .corrupt }
            error.context.insert("schema", at: 0)
            throw error
        }
    }

    /// The JSON form.
    package var json: JSON {
        var object: JSONObject = [
            "type": "struct", "schema-id": .integer(schemaID),
            "fields": .array(fields.map(\.json)),
        ]
        if !identifierFieldIDs.isEmpty {
            object["identifier-field-ids"] = .integers(identifierFieldIDs)
        }
        object.appendMissing(additional)
        return .object(object)
    }
}

extension Schema: Hashable {
    package static func == (left: Schema, right: Schema) -> Bool {
        left.schemaID == right.schemaID && left.fields == right.fields
            && left.identifierFieldIDs == right.identifierFieldIDs
            && left.additional == right.additional
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(schemaID)
        hasher.combine(fields)
    }
}
