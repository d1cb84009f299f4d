package import Bytes

/// What a snapshot did to the table.
package enum SnapshotOperation: String, Sendable, Hashable {
    /// Only data files were added.
    case append
    /// Files were exchanged without a change of the rows.
    case replace
    /// Files were added and removed.
    case overwrite
    /// Files were removed, or delete files added.
    case delete
}

/// The state of a table at some time.
///
/// - Spec: "Snapshots".
package struct Snapshot: Sendable, Hashable {
    /// The id of the snapshot.
    package var snapshotID: Int64
    /// nil for the first snapshot of a history.
    package var parentSnapshotID: Int64?
    /// 0 in v1 tables.
    package var sequenceNumber: Int64
    /// Milliseconds since 1970.
    package var timestampMillis: Int64
    /// Where the manifest list is; nil only in v1 tables that list `manifests`.
    package var manifestList: String?
    /// Where the manifests are, in v1 tables without manifest lists.
    package var manifests: [String]?
    /// nil only when the summary or its operation is missing (v1), or is of no known kind.
    package var operation: SnapshotOperation?
    /// The summary without the operation; values are text, numbers too.
    package var summary: [String: String]
    /// The schema that was current when the snapshot was made.
    package var schemaID: Int?
    /// The id of the first row that the snapshot gives ids to (v3).
    package var firstRowID: Int64?
    /// An upper bound for the rows that the snapshot gives ids to (v3).
    package var addedRows: Int64?
    /// Members that this program has no place for.
    package var additional: JSONObject

    package init(
        snapshotID: Int64,
        parentSnapshotID: Int64? = nil,
        sequenceNumber: Int64,
        timestampMillis: Int64,
        manifestList: String,
        operation: SnapshotOperation,
        summary: [String: String] = [:],
        schemaID: Int? = nil,
        firstRowID: Int64? = nil,
        addedRows: Int64? = nil
    ) {
        self.snapshotID = snapshotID
        self.parentSnapshotID = parentSnapshotID
        self.sequenceNumber = sequenceNumber
        self.timestampMillis = timestampMillis
        self.manifestList = manifestList
        self.operation = operation
        self.summary = summary
        self.schemaID = schemaID
        self.firstRowID = firstRowID
        self.addedRows = addedRows
        additional = JSONObject()
    }

    private static let keys: Set<String> = [
        "snapshot-id", "parent-snapshot-id", "sequence-number", "timestamp-ms", "manifest-list",
        "manifests", "summary", "schema-id", "first-row-id", "added-rows",
    ]

    /// Reads a snapshot from its JSON form.
    ///
    /// - Throws: `corrupt` when a field is missing that every version requires, or has the wrong type.
    package init(json: JSON) throws(IcebergError) {
        let fields = try JSONFields(json, "snapshot")
        snapshotID = try fields.long("snapshot-id")
        parentSnapshotID = try fields.optionalLong("parent-snapshot-id")
        sequenceNumber = try fields.optionalLong("sequence-number") ?? 0
        timestampMillis = try fields.long("timestamp-ms")
        manifestList = try fields.optionalString("manifest-list")
        manifests =
            fields.optional("manifests") == nil ? nil : try fields.strings("manifests")
        guard manifestList != nil || manifests != nil else {
            throw fields.wrong("manifest-list", "a string")
        }
        summary = try fields.optionalStringMap("summary") ?? [:]
        operation = summary["operation"].flatMap { SnapshotOperation(rawValue: $0) }
        if operation != nil { summary["operation"] = nil }
        schemaID = try fields.optionalInt("schema-id")
        firstRowID = try fields.optionalLong("first-row-id")
        addedRows = try fields.optionalLong("added-rows")
        additional = fields.others(than: Self.keys)
        guard sequenceNumber >= 0, (addedRows ?? 0) >= 0, (firstRowID ?? 0) >= 0 else {
            throw IcebergError(.corrupt, "snapshot \(snapshotID) has a negative number or count")
        }
    }

    /// The JSON form.
    package var json: JSON {
        var object = JSONObject()
        if sequenceNumber > 0 { object["sequence-number"] = .integer(sequenceNumber) }
        object["snapshot-id"] = .integer(snapshotID)
        if let parentSnapshotID { object["parent-snapshot-id"] = .integer(parentSnapshotID) }
        object["timestamp-ms"] = .integer(timestampMillis)
        if operation != nil || !summary.isEmpty {
            var text = JSONObject()
            if let operation { text["operation"] = .string(operation.rawValue) }
            if case .object(let rest) = JSON.stringMap(summary) { text.appendMissing(rest) }
            object["summary"] = .object(text)
        }
        if let manifestList {
            object["manifest-list"] = .string(manifestList)
        } else if let manifests {
            object["manifests"] = .strings(manifests)
        }
        if let schemaID { object["schema-id"] = .integer(schemaID) }
        if let firstRowID { object["first-row-id"] = .integer(firstRowID) }
        if let addedRows { object["added-rows"] = .integer(addedRows) }
        object.appendMissing(additional)
        return .object(object)
    }
}

/// A named reference to a snapshot: a branch moves with commits, a tag stays.
///
/// - Spec: "Snapshot References".
package struct SnapshotRef: Sendable, Hashable {
    /// What a reference is.
    package enum Kind: String, Sendable, Hashable {
        case branch
        case tag
    }

    /// The id of the snapshot.
    package var snapshotID: Int64
    /// Whether it moves with commits.
    package var kind: Kind
    /// For branches: how many snapshots to keep at least.
    package var snapshotsToKeepMin: Int?
    /// For branches: how old a snapshot may get.
    package var snapshotAgeMaxMillis: Int64?
    /// How old the reference itself may get; `main` never expires.
    package var refAgeMaxMillis: Int64?
    /// Members that this program has no place for.
    package var additional: JSONObject

    /// The branch that is the table itself.
    package static let main = "main"

    package init(
        snapshotID: Int64,
        kind: Kind = .branch,
        snapshotsToKeepMin: Int? = nil,
        snapshotAgeMaxMillis: Int64? = nil,
        refAgeMaxMillis: Int64? = nil
    ) {
        self.snapshotID = snapshotID
        self.kind = kind
        self.snapshotsToKeepMin = snapshotsToKeepMin
        self.snapshotAgeMaxMillis = snapshotAgeMaxMillis
        self.refAgeMaxMillis = refAgeMaxMillis
        additional = JSONObject()
    }

    static let keys: Set<String> = [
        "snapshot-id", "type", "min-snapshots-to-keep", "max-snapshot-age-ms", "max-ref-age-ms",
    ]

    /// Reads a reference from its JSON form.
    package init(json: JSON) throws(IcebergError) {
        try self.init(try JSONFields(json, "snapshot reference"))
    }

    init(_ fields: JSONFields) throws(IcebergError) {
        guard let kind = Kind(rawValue: try fields.string("type").lowercased()) else {
            throw fields.wrong("type", "branch or tag")
        }
        self.init(
            snapshotID: try fields.long("snapshot-id"),
            kind: kind,
            snapshotsToKeepMin: try fields.optionalInt("min-snapshots-to-keep"),
            snapshotAgeMaxMillis: try fields.optionalLong("max-snapshot-age-ms"),
            refAgeMaxMillis: try fields.optionalLong("max-ref-age-ms")
        )
        additional = fields.others(than: Self.keys)
        if kind == .tag, snapshotsToKeepMin != nil || snapshotAgeMaxMillis != nil {
            throw IcebergError(.corrupt, "a tag cannot say how many snapshots to keep")
        }
        guard snapshotsToKeepMin ?? 1 > 0, snapshotAgeMaxMillis ?? 1 > 0, refAgeMaxMillis ?? 1 > 0
        else {
            throw IcebergError(.corrupt, "a snapshot reference keeps none or nothing")
        }
    }

    /// The JSON form.
    package var json: JSON {
        var object: JSONObject = [
            "snapshot-id": .integer(snapshotID), "type": .string(kind.rawValue),
        ]
        if let snapshotsToKeepMin {
            object["min-snapshots-to-keep"] = .integer(snapshotsToKeepMin)
        }
        if let snapshotAgeMaxMillis {
            object["max-snapshot-age-ms"] = .integer(snapshotAgeMaxMillis)
        }
        if let refAgeMaxMillis { object["max-ref-age-ms"] = .integer(refAgeMaxMillis) }
        object.appendMissing(additional)
        return .object(object)
    }
}

/// When the table's current snapshot became which one.
package struct SnapshotLogEntry: Sendable, Hashable {
    /// Milliseconds since 1970.
    package var timestampMillis: Int64
    /// The id of the snapshot.
    package var snapshotID: Int64

    package init(timestampMillis: Int64, snapshotID: Int64) {
        self.timestampMillis = timestampMillis
        self.snapshotID = snapshotID
    }

    init(json: JSON) throws(IcebergError) {
        let fields = try JSONFields(json, "snapshot log entry")
        timestampMillis = try fields.long("timestamp-ms")
        snapshotID = try fields.long("snapshot-id")
    }

    var json: JSON {
        ["timestamp-ms": .integer(timestampMillis), "snapshot-id": .integer(snapshotID)]
    }
}

/// A metadata file that was the table's before, and when it was written.
package struct MetadataLogEntry: Sendable, Hashable {
    /// Milliseconds since 1970.
    package var timestampMillis: Int64
    /// Where the file is.
    package var metadataFile: String

    package init(timestampMillis: Int64, metadataFile: String) {
        self.timestampMillis = timestampMillis
        self.metadataFile = metadataFile
    }

    init(json: JSON) throws(IcebergError) {
        let fields = try JSONFields(json, "metadata log entry")
        timestampMillis = try fields.long("timestamp-ms")
        metadataFile = try fields.string("metadata-file")
    }

    var json: JSON {
        ["timestamp-ms": .integer(timestampMillis), "metadata-file": .string(metadataFile)]
    }
}
