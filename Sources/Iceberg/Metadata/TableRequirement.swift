package import Bytes

/// What must be so for a commit to be applied.
///
/// - Spec: REST catalog, `TableRequirement`.
package enum TableRequirement: Sendable, Hashable {
    /// The table does not exist.
    case assertCreate
    case assertTableUUID(String)
    /// The branch or tag refers to this snapshot; nil: there is no such branch or tag.
    case assertRefSnapshotID(ref: String, snapshotID: Int64?)
    case assertLastAssignedFieldID(Int)
    case assertCurrentSchemaID(Int)
    case assertLastAssignedPartitionID(Int)
    case assertDefaultSpecID(Int)
    case assertDefaultSortOrderID(Int)

    /// Throws `conflict` when the requirement does not hold.
    ///
    /// - Parameter table: The table as it is; nil when there is none.
    package func check(_ table: TableMetadata?) throws(IcebergError) {
        guard let table else {
            if self == .assertCreate { return }
            throw IcebergError(.conflict, "requirement failed: the table does not exist")
        }
        switch self {
        case .assertCreate:
            throw IcebergError(.conflict, "requirement failed: the table already exists")
        case .assertTableUUID(let uuid):
            try check("table uuid", uuid.lowercased(), table.tableUUID.lowercased())
        case .assertRefSnapshotID(let ref, let snapshotID):
            let found = table.refs[ref]?.snapshotID
            if found != snapshotID {
                let expected = snapshotID.map { "refers to snapshot \($0)" } ?? "does not exist"
                let actual = found.map { "it refers to \($0)" } ?? "there is no such ref"
                throw IcebergError(
                    .conflict,
                    "requirement failed: ref \(ref) \(expected), but \(actual)"
                )
            }
        case .assertLastAssignedFieldID(let id):
            try check("last assigned field id", id, table.lastColumnID)
        case .assertCurrentSchemaID(let id):
            try check("current schema id", id, table.currentSchemaID)
        case .assertLastAssignedPartitionID(let id):
            try check("last assigned partition id", id, table.lastPartitionID)
        case .assertDefaultSpecID(let id):
            try check("default partition spec id", id, table.defaultSpecID)
        case .assertDefaultSortOrderID(let id):
            try check("default sort order id", id, table.defaultSortOrderID)
        }
    }

    private func check<T: Equatable>(
        _ what: String,
        _ expected: T,
        _ actual: T
    ) throws(IcebergError) {
        if expected != actual {
            throw IcebergError(
                .conflict,
                "requirement failed: \(what) is \(actual), not \(expected)"
            )
        }
    }
}

// MARK: - JSON

extension TableRequirement {
    /// Reads the requirements of a commit request.
    ///
    /// - Throws: `invalid` for an unknown or malformed one.
    package static func list(json: JSON) throws(IcebergError) -> [TableRequirement] {
        guard let array = json.array else {
            throw IcebergError(.invalid, "the requirements of a commit must be an array")
        }
        var requirements: [TableRequirement] = []
        for element in array { requirements.append(try TableRequirement(json: element)) }
        return requirements
    }

    /// Reads a requirement from its JSON form.
    ///
    /// - Throws: `invalid` when the type is not known or a field is missing or wrong.
    package init(json: JSON) throws(IcebergError) {
        do {
            self = try Self.parse(try JSONFields(json, "requirement"))
        } catch {
            throw error.blaming(.invalid)
        }
    }

    private static func parse(_ fields: JSONFields) throws(IcebergError) -> TableRequirement {
        let type = try fields.string("type")
        switch type {
        case "assert-create": return .assertCreate
        case "assert-table-uuid": return .assertTableUUID(try fields.string("uuid"))
        case "assert-ref-snapshot-id":
            return .assertRefSnapshotID(
                ref: try fields.string("ref"),
                snapshotID: try fields.optionalLong("snapshot-id")
            )
        case "assert-last-assigned-field-id":
            return .assertLastAssignedFieldID(try fields.int("last-assigned-field-id"))
        case "assert-current-schema-id":
            return .assertCurrentSchemaID(try fields.int("current-schema-id"))
        case "assert-last-assigned-partition-id":
            return .assertLastAssignedPartitionID(try fields.int("last-assigned-partition-id"))
        case "assert-default-spec-id":
            return .assertDefaultSpecID(try fields.int("default-spec-id"))
        case "assert-default-sort-order-id":
            return .assertDefaultSortOrderID(try fields.int("default-sort-order-id"))
        default:
            throw IcebergError(.invalid, "there is no table requirement \"\(type)\"")
        }
    }

    /// The JSON form.
    package var json: JSON {
        switch self {
        case .assertCreate: ["type": "assert-create"]
        case .assertTableUUID(let uuid): ["type": "assert-table-uuid", "uuid": .string(uuid)]
        case .assertRefSnapshotID(let ref, let snapshotID):
            [
                "type": "assert-ref-snapshot-id", "ref": .string(ref),
                "snapshot-id": snapshotID.map { .integer($0) } ?? .null,
            ]
        case .assertLastAssignedFieldID(let id):
            ["type": "assert-last-assigned-field-id", "last-assigned-field-id": .integer(id)]
        case .assertCurrentSchemaID(let id):
            ["type": "assert-current-schema-id", "current-schema-id": .integer(id)]
        case .assertLastAssignedPartitionID(let id):
            [
                "type": "assert-last-assigned-partition-id",
                "last-assigned-partition-id": .integer(id),
            ]
        case .assertDefaultSpecID(let id):
            ["type": "assert-default-spec-id", "default-spec-id": .integer(id)]
        case .assertDefaultSortOrderID(let id):
            ["type": "assert-default-sort-order-id", "default-sort-order-id": .integer(id)]
        }
    }
}
