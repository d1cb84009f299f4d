/// Changes a table's partition spec field by field, and says which updates a commit needs for it.
///
/// - Spec: "Partition Evolution".
package struct PartitionSpecChange: Sendable {
    private let table: TableMetadata
    private let schema: Schema
    /// The fields as changed so far; those without an id are new.
    private var fields: [UnboundPartitionSpec.Field]

    /// Starts from the table's default spec.
    ///
    /// - Throws: `unsupported` for a v1 table.
    package init(table: TableMetadata) throws(IcebergError) {
        guard table.formatVersion > 1 else {
            throw IcebergError(
                .unsupported,
                "changing the partition spec of a v1 table: upgrade it first"
            )
        }
        self.table = table
        schema = table.currentSchema
        fields = UnboundPartitionSpec(table.defaultSpec).fields
    }

    /// Adds a field.
    ///
    /// - Parameters:
    ///   - column: The name of the source column, nested names joined by dots.
    ///   - name: The field's name; nil for one made of the column's and the transform's.
    /// - Throws: `invalid` when there is such a field already or the transform does not take the column.
    package mutating func addField(
        _ column: String,
        _ transform: Transform,
        name: String? = nil
    ) throws(IcebergError) {
        guard let source = schema.field(named: column) else {
            throw IcebergError(.invalid, "there is no column \(column)")
        }
        if let same = fields.first(where: {
            $0.sourceIDs == [source.id] && $0.transform == transform
        }) {
            throw IcebergError(.invalid, "\(transform) of \(column) is field \(same.name) already")
        }
        // A field that an earlier spec had keeps its id.
        var fieldID: Int?
        for spec in table.partitionSpecs {
            for old in spec.fields where old.sourceIDs == [source.id] && old.transform == transform
            {
                fieldID = old.fieldID
            }
        }
        fields.append(
            UnboundPartitionSpec.Field(
                sourceIDs: [source.id],
                fieldID: fieldID,
                name: name ?? Self.name(column, transform),
                transform: transform
            )
        )
        try check()
    }

    /// Removes the field with this name.
    package mutating func removeField(_ name: String) throws(IcebergError) {
        fields.remove(at: try index(name))
    }

    /// Gives the field another name.
    package mutating func renameField(_ name: String, to newName: String) throws(IcebergError) {
        fields[try index(name)].name = newName
        try check()
    }

    /// What a commit has to apply; empty when nothing changed.
    package func updates() -> [TableUpdate] {
        if fields == UnboundPartitionSpec(table.defaultSpec).fields { return [] }
        return [
            .addSpec(UnboundPartitionSpec(fields: fields)),
            .setDefaultSpec(TableUpdate.lastAdded),
        ]
    }

    /// What must not have changed until the commit.
    package var requirements: [TableRequirement] {
        [
            .assertTableUUID(table.tableUUID), .assertDefaultSpecID(table.defaultSpecID),
            .assertLastAssignedPartitionID(table.lastPartitionID),
            .assertCurrentSchemaID(table.currentSchemaID),
        ]
    }

    private func index(_ name: String) throws(IcebergError) -> Int {
        guard let index = fields.firstIndex(where: { $0.name == name }) else {
            throw IcebergError(.invalid, "there is no partition field \(name)")
        }
        return index
    }

    private func check() throws(IcebergError) {
        // New fields get ids at the end; any that differ will do for the check.
        let bound = fields.enumerated().map { index, field in
            PartitionField(
                sourceIDs: field.sourceIDs,
                fieldID: field.fieldID ?? table.lastPartitionID + 1 + index,
                name: field.name,
                transform: field.transform
            )
        }
        try PartitionSpec(specID: 0, fields: bound).validate(schema: schema)
    }

    /// The name a field has when nobody gives it one: `ts_day`, `id_bucket_16`.
    package static func name(_ column: String, _ transform: Transform) -> String {
        switch transform {
        case .identity: column
        case .bucket(let count): "\(column)_bucket_\(count)"
        case .truncate(let width): "\(column)_trunc_\(width)"
        case .void: "\(column)_null"
        default: "\(column)_\(transform)"
        }
    }
}
