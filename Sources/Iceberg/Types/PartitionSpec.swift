package import Bytes

/// One value of the partition tuple: a transform of a source column.
package struct PartitionField: Sendable, Hashable {
    /// The columns it is made from: one, but for transforms of many arguments (v3).
    package var sourceIDs: [Int]
    /// 1000 and up; unique among all specs of a table from v2 on.
    package var fieldID: Int
    /// The name, without those of what it is nested in.
    package var name: String
    /// What is done with the source column.
    package var transform: Transform

    package init(sourceID: Int, fieldID: Int, name: String, transform: Transform) {
        self.init(sourceIDs: [sourceID], fieldID: fieldID, name: name, transform: transform)
    }

    init(sourceIDs: [Int], fieldID: Int, name: String, transform: Transform) {
        self.sourceIDs = sourceIDs
        self.fieldID = fieldID
        self.name = name
        self.transform = transform
    }

    /// The one column it is made from; the first of many.
    package var sourceID: Int { sourceIDs.first ?? -1 }
}

/// How rows are divided into partitions.
///
/// - Spec: "Partitioning".
package struct PartitionSpec: Sendable, Hashable {
    /// The id of the partition spec.
    package var specID: Int
    /// In their order.
    package var fields: [PartitionField]

    /// The id below the first that a partition field may have.
    package static let lastFieldIDOfNone = 999

    package init(specID: Int, fields: [PartitionField]) {
        self.specID = specID
        self.fields = fields
    }

    /// The spec with id 0 and no fields.
    package static let unpartitioned = PartitionSpec(specID: 0, fields: [])

    /// Whether all rows are in one partition: no fields, or void ones only.
    package var isUnpartitioned: Bool { fields.allSatisfy { $0.transform == .void } }

    /// The largest field id, 999 when there are no fields.
    package var lastFieldID: Int { fields.map(\.fieldID).max() ?? Self.lastFieldIDOfNone }

    /// Whether both divide rows the same way under the same names, whatever the ids.
    ///
    /// - Spec: "Partitioning", equivalent specs.
    package func isEquivalent(to other: PartitionSpec) -> Bool {
        fields.count == other.fields.count
            && zip(fields, other.fields).allSatisfy {
                $0.sourceIDs == $1.sourceIDs && $0.transform == $1.transform && $0.name == $1.name
            }
    }

    /// The struct of the partition tuple, with partition field ids; all fields are optional.
    ///
    /// - Parameter sourceType: The type of a column by its id, as it is or last was; a column that is not
    ///   known any more gives a field of type unknown.
    package func partitionType(
        sourceType: (_ fieldID: Int) -> IcebergType?
    ) -> StructType {
        StructType(
            fields: fields.map { field in
                let source = sourceType(field.sourceID)
                let type = source.flatMap { field.transform.resultType(of: $0) } ?? .unknown
                return NestedField(id: field.fieldID, name: field.name, required: false, type: type)
            }
        )
    }

    /// The struct of the partition tuple for columns of `schema`.
    package func partitionType(schema: Schema) -> StructType {
        partitionType { schema.field(id: $0)?.type }
    }

    /// Checks that the fields can be made from columns of `schema`.
    ///
    /// - Throws: `invalid` when a source is missing, nested in a list or map, or of a type that the
    ///   transform does not take, or names collide.
    package func validate(schema: Schema) throws(IcebergError) {
        var names: Set<String> = []
        var fieldIDs: Set<Int> = []
        for field in fields {
            guard !field.name.isEmpty, names.insert(field.name).inserted else {
                throw IcebergError(
                    .invalid,
                    "a partition field has an empty name, or that of another: \"\(field.name)\""
                )
            }
            guard fieldIDs.insert(field.fieldID).inserted else {
                throw IcebergError(.invalid, "two partition fields have the id \(field.fieldID)")
            }
            try validate(field, schema: schema)
        }
    }

    private func validate(_ field: PartitionField, schema: Schema) throws(IcebergError) {
        // A column of the same name must be the source itself, or names of columns would be ambiguous.
        if let column = schema.field(named: field.name),
            !(field.transform == .identity || field.transform == .void)
                || column.id != field.sourceID
        {
            throw IcebergError(
                .invalid,
                "partition field \(field.name) has the name of a column it is not the identity of"
            )
        }
        if field.transform == .void { return }
        for sourceID in field.sourceIDs {
            guard let source = schema.location(id: sourceID) else {
                throw IcebergError(
                    .invalid,
                    "partition field \(field.name) is made from column \(sourceID), which is missing"
                )
            }
            if source.isRepeated || !source.field.type.isPrimitive {
                throw IcebergError(
                    .invalid,
                    "partition field \(field.name): \(source.fullName) is nested in a list or map, or not primitive"
                )
            }
            if field.transform.resultType(of: source.field.type) == nil {
                throw IcebergError(
                    .invalid,
                    "partition field \(field.name): \(field.transform) cannot be applied to \(source.field.type)"
                )
            }
        }
    }
}

/// A partition spec as a client asks for it: ids may be missing.
package struct UnboundPartitionSpec: Sendable, Hashable {
    /// One field; `fieldID` is nil when the table is to choose.
    package struct Field: Sendable, Hashable {
        /// The columns it is made from.
        package var sourceIDs: [Int]
        /// The id of the field.
        package var fieldID: Int?
        /// The name, without those of what it is nested in.
        package var name: String
        /// What is done with the source column.
        package var transform: Transform

        package init(sourceIDs: [Int], fieldID: Int? = nil, name: String, transform: Transform) {
            self.sourceIDs = sourceIDs
            self.fieldID = fieldID
            self.name = name
            self.transform = transform
        }
    }

    /// The id of the partition spec.
    package var specID: Int?
    /// In their order.
    package var fields: [Field]

    package init(specID: Int? = nil, fields: [Field]) {
        self.specID = specID
        self.fields = fields
    }

    /// The spec with all its ids, as a client may ask for it.
    package init(_ spec: PartitionSpec) {
        specID = spec.specID
        fields = spec.fields.map {
            Field(
                sourceIDs: $0.sourceIDs,
                fieldID: $0.fieldID,
                name: $0.name,
                transform: $0.transform
            )
        }
    }
}

// MARK: - JSON

extension UnboundPartitionSpec {
    /// Reads a spec from its JSON form, ids optional.
    package init(json: JSON) throws(IcebergError) {
        let object = try JSONFields(json, "partition spec")
        self.init(
            specID: try object.optionalInt("spec-id"),
            fields: try Self.fields(try object.array("fields"))
        )
    }

    static func fields(_ array: [JSON]) throws(IcebergError) -> [Field] {
        var fields: [Field] = []
        for json in array {
            let object = try JSONFields(json, "partition field")
            fields.append(
                Field(
                    sourceIDs: try sourceIDs(object),
                    fieldID: try object.optionalInt("field-id"),
                    name: try object.string("name"),
                    transform: Transform(text: try object.string("transform"))
                )
            )
        }
        return fields
    }

    /// `source-id`, or `source-ids` of a transform with many arguments (v3).
    static func sourceIDs(_ object: JSONFields) throws(IcebergError) -> [Int] {
        if let ids = try object.optionalInts("source-ids"), !ids.isEmpty { return ids }
        return [try object.int("source-id")]
    }

    static func put(_ sourceIDs: [Int], into object: inout JSONObject) {
        if sourceIDs.count == 1 {
            object["source-id"] = .integer(sourceIDs[0])
        } else {
            object["source-ids"] = .integers(sourceIDs)
        }
    }

    /// The JSON form.
    package var json: JSON {
        var object = JSONObject()
        if let specID { object["spec-id"] = .integer(specID) }
        object["fields"] = .array(
            fields.map { field in
                var object = JSONObject()
                Self.put(field.sourceIDs, into: &object)
                if let fieldID = field.fieldID { object["field-id"] = .integer(fieldID) }
                object["name"] = .string(field.name)
                object["transform"] = .string(field.transform.text)
                return .object(object)
            }
        )
        return .object(object)
    }
}

extension PartitionSpec {
    /// Reads a spec from its JSON form; fields without ids (v1) get them from 1000 on.
    package init(json: JSON) throws(IcebergError) {
        let unbound = try UnboundPartitionSpec(json: json)
        guard let specID = unbound.specID else {
            throw IcebergError(.corrupt, "partition spec: field spec-id is missing")
        }
        self.init(specID: specID, fields: try Self.bound(unbound.fields))
    }

    /// Reads a spec from the array of its fields alone, as manifests and v1 tables store it.
    package init(specID: Int, fieldsJSON: JSON) throws(IcebergError) {
        guard let array = fieldsJSON.array else {
            throw IcebergError(.corrupt, "partition spec: the fields are not an array")
        }
        let fields = try UnboundPartitionSpec.fields(array)
        self.init(specID: specID, fields: try Self.bound(fields))
    }

    private static func bound(
        _ fields: [UnboundPartitionSpec.Field]
    ) throws(IcebergError) -> [PartitionField] {
        let missing = fields.filter { $0.fieldID == nil }.count
        guard missing == 0 || missing == fields.count else {
            throw IcebergError(.corrupt, "partition spec: some fields have a field-id, some do not")
        }
        return fields.enumerated().map { index, field in
            PartitionField(
                sourceIDs: field.sourceIDs,
                fieldID: field.fieldID ?? lastFieldIDOfNone + 1 + index,
                name: field.name,
                transform: field.transform
            )
        }
    }

    /// The JSON form.
    package var json: JSON { UnboundPartitionSpec(self).json }

    /// The array of fields alone.
    package var fieldsJSON: JSON { json["fields"] ?? [] }
}
