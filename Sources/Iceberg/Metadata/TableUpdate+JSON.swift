package import Bytes

extension TableUpdate {
    /// Reads the updates of a commit request.
    ///
    /// - Throws: `invalid` for an unknown or malformed one, with its number and action.
    package static func list(json: JSON) throws(IcebergError) -> [TableUpdate] {
        guard let array = json.array else {
            throw IcebergError(.invalid, "the updates of a commit must be an array")
        }
        var updates: [TableUpdate] = []
        for (index, element) in array.enumerated() {
            let action = element["action"]?.string ?? "without an action"
            updates.append(
                try IcebergError.during("update \(index) \(action)") { () throws(IcebergError) in
                    try TableUpdate(json: element)
                }
            )
        }
        return updates
    }

    /// Reads an update from its JSON form.
    ///
    /// - Throws: `invalid` when the action is not known or a field is missing or wrong.
    package init(json: JSON) throws(IcebergError) {
        do {
            self = try Self.parse(try JSONFields(json, "update"))
        } catch {
            throw error.blaming(.invalid)
        }
    }

    private static func parse(_ fields: JSONFields) throws(IcebergError) -> TableUpdate {
        let action = try fields.string("action")
        switch action {
        case "assign-uuid": return .assignUUID(try fields.string("uuid"))
        case "upgrade-format-version":
            return .upgradeFormatVersion(try fields.int("format-version"))
        case "set-location": return .setLocation(try fields.string("location"))
        case "set-properties":
            // Clients before 2023 wrote "updated" and "removed".
            let key = fields.optional("updates") == nil ? "updated" : "updates"
            return .setProperties(try fields.stringMap(key))
        case "remove-properties":
            let key = fields.optional("removals") == nil ? "removed" : "removals"
            return .removeProperties(try fields.strings(key))
        default:
            if let update = try parseSchemaUpdate(action, fields) { return update }
            if let update = try parseSnapshotUpdate(action, fields) { return update }
            throw IcebergError(.invalid, "there is no table update \"\(action)\"")
        }
    }

    private static func parseSchemaUpdate(
        _ action: String,
        _ fields: JSONFields
    ) throws(IcebergError) -> TableUpdate? {
        switch action {
        case "add-schema":
            return .addSchema(
                try Schema(json: try fields.required("schema")),
                lastColumnID: try fields.optionalInt("last-column-id")
            )
        case "set-current-schema": return .setCurrentSchema(try fields.int("schema-id"))
        case "add-spec":
            return .addSpec(try UnboundPartitionSpec(json: try fields.required("spec")))
        case "set-default-spec": return .setDefaultSpec(try fields.int("spec-id"))
        case "add-sort-order":
            return .addSortOrder(try SortOrder(json: try fields.required("sort-order")))
        case "set-default-sort-order":
            return .setDefaultSortOrder(try fields.int("sort-order-id"))
        case "remove-partition-specs": return .removePartitionSpecs(try fields.ints("spec-ids"))
        case "remove-schemas": return .removeSchemas(try fields.ints("schema-ids"))
        case "add-encryption-key":
            let key = try JSONFields(try fields.required("encryption-key"), "encryption key")
            return .addEncryptionKey(
                EncryptedKey(
                    keyID: try key.string("key-id"),
                    encryptedKeyMetadata: try key.string("encrypted-key-metadata"),
                    encryptedByID: try key.optionalString("encrypted-by-id"),
                    properties: try key.optionalStringMap("properties") ?? [:]
                )
            )
        case "remove-encryption-key": return .removeEncryptionKey(try fields.string("key-id"))
        default: return nil
        }
    }

    private static func parseSnapshotUpdate(
        _ action: String,
        _ fields: JSONFields
    ) throws(IcebergError) -> TableUpdate? {
        switch action {
        case "add-snapshot":
            return .addSnapshot(try Snapshot(json: try fields.required("snapshot")))
        case "set-snapshot-ref":
            var ref = try SnapshotRef(fields)
            ref.additional["action"] = nil
            ref.additional["ref-name"] = nil
            return .setSnapshotRef(name: try fields.string("ref-name"), ref)
        case "remove-snapshots": return .removeSnapshots(try fields.longs("snapshot-ids"))
        case "remove-snapshot-ref": return .removeSnapshotRef(try fields.string("ref-name"))
        case "set-statistics":
            let file = try StatisticsFile(json: try fields.required("statistics"))
            // The id beside the file is deprecated; when given it must say the same.
            if let id = try fields.optionalLong("snapshot-id"), id != file.snapshotID {
                throw fields.wrong("snapshot-id", "that of the statistics file")
            }
            return .setStatistics(file)
        case "remove-statistics":
            return .removeStatistics(snapshotID: try fields.long("snapshot-id"))
        case "set-partition-statistics":
            let json = try fields.required("partition-statistics")
            return .setPartitionStatistics(try PartitionStatisticsFile(json: json))
        case "remove-partition-statistics":
            return .removePartitionStatistics(snapshotID: try fields.long("snapshot-id"))
        default: return nil
        }
    }

    /// The JSON form.
    package var json: JSON {
        switch self {
        case .assignUUID(let uuid): ["action": "assign-uuid", "uuid": .string(uuid)]
        case .upgradeFormatVersion(let version):
            ["action": "upgrade-format-version", "format-version": .integer(version)]
        case .addSchema(let schema, let lastColumnID):
            Self.object(
                ["action": "add-schema", "schema": schema.json],
                "last-column-id",
                lastColumnID.map { .integer($0) }
            )
        case .setCurrentSchema(let id):
            ["action": "set-current-schema", "schema-id": .integer(id)]
        case .addSpec(let spec): ["action": "add-spec", "spec": spec.json]
        case .setDefaultSpec(let id): ["action": "set-default-spec", "spec-id": .integer(id)]
        case .addSortOrder(let order): ["action": "add-sort-order", "sort-order": order.json]
        case .setDefaultSortOrder(let id):
            ["action": "set-default-sort-order", "sort-order-id": .integer(id)]
        case .addSnapshot(let snapshot): ["action": "add-snapshot", "snapshot": snapshot.json]
        case .setSnapshotRef(let name, let ref): Self.setRefJSON(name, ref)
        case .removeSnapshots(let ids):
            ["action": "remove-snapshots", "snapshot-ids": .integers(ids)]
        case .removeSnapshotRef(let name):
            ["action": "remove-snapshot-ref", "ref-name": .string(name)]
        case .setLocation(let location):
            ["action": "set-location", "location": .string(location)]
        case .setProperties(let properties):
            ["action": "set-properties", "updates": .stringMap(properties)]
        case .removeProperties(let names):
            ["action": "remove-properties", "removals": .strings(names)]
        case .setStatistics(let file):
            [
                "action": "set-statistics", "snapshot-id": .integer(file.snapshotID),
                "statistics": file.json,
            ]
        case .removeStatistics(let id):
            ["action": "remove-statistics", "snapshot-id": .integer(id)]
        case .setPartitionStatistics(let file):
            ["action": "set-partition-statistics", "partition-statistics": file.json]
        case .removePartitionStatistics(let id):
            ["action": "remove-partition-statistics", "snapshot-id": .integer(id)]
        case .removePartitionSpecs(let ids):
            ["action": "remove-partition-specs", "spec-ids": .integers(ids)]
        case .removeSchemas(let ids):
            ["action": "remove-schemas", "schema-ids": .integers(ids)]
        case .addEncryptionKey(let key):
            ["action": "add-encryption-key", "encryption-key": key.json]
        case .removeEncryptionKey(let id):
            ["action": "remove-encryption-key", "key-id": .string(id)]
        }
    }

    private static func object(_ base: JSONObject, _ key: String, _ value: JSON?) -> JSON {
        var object = base
        if let value { object[key] = value }
        return .object(object)
    }

    private static func setRefJSON(_ name: String, _ ref: SnapshotRef) -> JSON {
        var object: JSONObject = ["action": "set-snapshot-ref", "ref-name": .string(name)]
        if case .object(let members) = ref.json { object.appendMissing(members) }
        return .object(object)
    }
}

extension EncryptedKey {
    var json: JSON {
        var object: JSONObject = [
            "key-id": .string(keyID), "encrypted-key-metadata": .string(encryptedKeyMetadata),
        ]
        if let encryptedByID { object["encrypted-by-id"] = .string(encryptedByID) }
        if !properties.isEmpty { object["properties"] = .stringMap(properties) }
        return .object(object)
    }
}
