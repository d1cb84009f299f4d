package import Bytes
import CommitLog

/// One change of the catalog as an entry of the log carries it.
///
/// - Spec: Formats/catalog-log/README.md, "Changes".
package enum CatalogChange: Sendable, Equatable {
    case createNamespace(Namespace, [String: String])
    case dropNamespace(Namespace)
    case updateNamespace(Namespace, set: [String: String], remove: [String])
    case createTable(TableIdentifier, TableEntry, snapshotID: Int64?)
    case updateTable(
        TableIdentifier,
        from: TableEntry,
        to: TableEntry,
        snapshotID: Int64?,
        added: AddedFiles? = nil
    )
    /// Another table takes the name.
    case replaceTable(TableIdentifier, from: TableEntry, to: TableEntry, snapshotID: Int64?)
    /// `purge`: whoever dropped it wants its files gone, once nothing older needs them.
    case dropTable(TableIdentifier, TableEntry, purge: Bool)
    case renameTable(TableIdentifier, to: TableIdentifier, TableEntry)
    case createView(TableIdentifier, TableEntry)
    case updateView(TableIdentifier, from: TableEntry, to: TableEntry)
    case dropView(TableIdentifier, TableEntry)
    case renameView(TableIdentifier, to: TableIdentifier, TableEntry)
    /// Changes of a branch's names, by the kinds above.
    case onBranch(String, [CatalogChange])
    case createBranch(ReferenceStart)
    case dropBranch(String)
    /// What was changed in one branch is now in the other, too, by these changes of that one.
    case mergeBranch(String, into: String, [CatalogChange])
    case createTag(ReferenceStart)
    case dropTag(String)

    /// Whether the change is about the table with this uuid.
    package func concerns(tableUUID uuid: String) -> Bool {
        switch self {
        case .createNamespace, .dropNamespace, .updateNamespace: false
        case .createTable(_, let entry, _), .dropTable(_, let entry, _),
            .renameTable(_, _, let entry):
            entry.uuid == uuid
        case .updateTable(_, let old, let new, _, _), .replaceTable(_, let old, let new, _):
            old.uuid == uuid || new.uuid == uuid
        case .createView(_, let entry), .updateView(_, _, let entry), .dropView(_, let entry),
            .renameView(_, _, let entry):
            entry.uuid == uuid
        case .onBranch(_, let changes), .mergeBranch(_, _, let changes):
            changes.contains { $0.concerns(tableUUID: uuid) }
        case .createBranch, .dropBranch, .createTag, .dropTag: false
        }
    }

    /// The table that the change leaves behind under a new location; nil when it leaves none.
    package var written: (table: TableIdentifier, entry: TableEntry)? {
        switch self {
        case .createTable(let table, let entry, _), .updateTable(let table, _, let entry, _, _),
            .replaceTable(let table, _, let entry, _):
            (table, entry)
        default: nil
        }
    }
}

/// The rows of one commit in a snapshot that it shares with others.
package struct AddedFiles: Sendable, Equatable {
    /// The data files that they are in.
    package var locations: [String]
    /// How many there are.
    package var recordCount: Int64
    /// Which rows of each of the files they are; nil when they are all.
    package var rows: [Range<Int64>]?

    package init(locations: [String], recordCount: Int64, rows: [Range<Int64>]? = nil) {
        self.locations = locations
        self.recordCount = recordCount
        self.rows = rows
    }
}

// MARK: - JSON

extension CatalogChange {
    private static let writeKinds: Set<String> = ["create-table", "update-table", "replace-table"]

    /// The JSON form.
    package var json: JSON {
        switch self {
        case .onBranch, .createBranch, .dropBranch, .mergeBranch, .createTag, .dropTag:
            referenceJSON
        case .createNamespace(let namespace, let properties):
            [
                "change": "create-namespace", "namespace": .strings(namespace.levels),
                "properties": jsonMap(properties),
            ]
        case .dropNamespace(let namespace):
            ["change": "drop-namespace", "namespace": .strings(namespace.levels)]
        case .updateNamespace(let namespace, let set, let remove):
            [
                "change": "update-namespace", "namespace": .strings(namespace.levels),
                "set": jsonMap(set), "remove": .strings(remove),
            ]
        case .createTable(let table, let new, let snapshotID):
            Self.json("create-table", table, from: nil, to: new, snapshotID)
        case .updateTable(let table, let old, let new, let snapshotID, let added):
            Self.json("update-table", table, from: old, to: new, snapshotID, added)
        case .replaceTable(let table, let old, let new, let snapshotID):
            Self.json("replace-table", table, from: old, to: new, snapshotID)
        case .dropTable(let table, let old, let purge):
            [
                "change": "drop-table", "namespace": .strings(table.namespace.levels),
                "name": .string(table.name), "previous-uuid": .string(old.uuid),
                "previous-metadata-location": .string(old.metadataLocation), "purge": .bool(purge),
            ]
        case .renameTable(let table, let target, let entry):
            [
                "change": "rename-table", "namespace": .strings(table.namespace.levels),
                "name": .string(table.name), "to-namespace": .strings(target.namespace.levels),
                "to-name": .string(target.name), "uuid": .string(entry.uuid),
                "metadata-location": .string(entry.metadataLocation),
            ]
        case .createView(let view, let new):
            Self.json("create-view", view, from: nil, to: new, nil)
        case .updateView(let view, let old, let new):
            Self.json("update-view", view, from: old, to: new, nil)
        case .dropView(let view, let old):
            [
                "change": "drop-view", "namespace": .strings(view.namespace.levels),
                "name": .string(view.name), "previous-uuid": .string(old.uuid),
                "previous-metadata-location": .string(old.metadataLocation),
            ]
        case .renameView(let view, let target, let entry):
            [
                "change": "rename-view", "namespace": .strings(view.namespace.levels),
                "name": .string(view.name), "to-namespace": .strings(target.namespace.levels),
                "to-name": .string(target.name), "uuid": .string(entry.uuid),
                "metadata-location": .string(entry.metadataLocation),
            ]
        }
    }

    private static func json(
        _ kind: String,
        _ table: TableIdentifier,
        from old: TableEntry?,
        to new: TableEntry,
        _ snapshotID: Int64?,
        _ added: AddedFiles? = nil
    ) -> JSON {
        var object: JSONObject = [
            "change": .string(kind), "namespace": .strings(table.namespace.levels),
            "name": .string(table.name), "uuid": .string(new.uuid),
            "metadata-location": .string(new.metadataLocation),
        ]
        if let old {
            if old.uuid != new.uuid { object["previous-uuid"] = .string(old.uuid) }
            object["previous-metadata-location"] = .string(old.metadataLocation)
        }
        if let snapshotID { object["snapshot-id"] = .integer(snapshotID) }
        if let sum = new.metadataSHA256 { object["metadata-sha256"] = .string(sum) }
        if let added {
            object["added-files"] = .strings(added.locations)
            object["added-records"] = .integer(added.recordCount)
            if let rows = added.rows {
                object["added-rows"] = .array(
                    rows.map { .array([.integer($0.lowerBound), .integer($0.upperBound)]) }
                )
            }
        }
        return .object(object)
    }

    /// Reads a change.
    ///
    /// - Throws: `corrupt` when a member is missing or wrong; `unsupported` for an unknown kind: going
    ///   on without it would give another state than its writer's.
    package init(json: JSON) throws(CatalogError) {
        let fields = ChangeFields(json: json)
        let kind = try fields.text("change")
        switch kind {
        case _ where Self.referenceKinds.contains(kind):
            self = try Self.reference(kind, fields)
        case "create-namespace":
            self = .createNamespace(try fields.namespace("namespace"), try fields.map("properties"))
        case "drop-namespace":
            self = .dropNamespace(try fields.namespace("namespace"))
        case "update-namespace":
            self = .updateNamespace(
                try fields.namespace("namespace"),
                set: try fields.map("set"),
                remove: try fields.texts("remove")
            )
        case "drop-table":
            guard let purge = json["purge"]?.bool else { throw fields.wrong("purge") }
            self = .dropTable(
                try fields.table("namespace", "name"),
                try fields.entry("previous-uuid", "previous-metadata-location"),
                purge: purge
            )
        case "rename-table":
            self = .renameTable(
                try fields.table("namespace", "name"),
                to: try fields.table("to-namespace", "to-name"),
                try fields.entry("uuid", "metadata-location")
            )
        case "create-view":
            self = .createView(
                try fields.table("namespace", "name"),
                try fields.entry("uuid", "metadata-location", "metadata-sha256")
            )
        case "update-view":
            let new = try fields.entry("uuid", "metadata-location", "metadata-sha256")
            self = .updateView(
                try fields.table("namespace", "name"),
                from: TableEntry(
                    uuid: new.uuid,
                    metadataLocation: try fields.text("previous-metadata-location")
                ),
                to: new
            )
        case "drop-view":
            self = .dropView(
                try fields.table("namespace", "name"),
                try fields.entry("previous-uuid", "previous-metadata-location")
            )
        case "rename-view":
            self = .renameView(
                try fields.table("namespace", "name"),
                to: try fields.table("to-namespace", "to-name"),
                try fields.entry("uuid", "metadata-location")
            )
        case _ where Self.writeKinds.contains(kind):
            let table = try fields.table("namespace", "name")
            let new = try fields.entry("uuid", "metadata-location", "metadata-sha256")
            if let value = json["snapshot-id"], value.int64 == nil {
                throw fields.wrong("snapshot-id")
            }
            let snapshotID = json["snapshot-id"]?.int64
            if kind == "create-table" {
                self = .createTable(table, new, snapshotID: snapshotID)
                return
            }
            let old = TableEntry(
                uuid: json["previous-uuid"] == nil ? new.uuid : try fields.text("previous-uuid"),
                metadataLocation: try fields.text("previous-metadata-location")
            )
            if kind == "replace-table" {
                self = .replaceTable(table, from: old, to: new, snapshotID: snapshotID)
                return
            }
            self = .updateTable(
                table,
                from: old,
                to: new,
                snapshotID: snapshotID,
                added: json["added-files"] == nil ? nil : try Self.added(json, fields)
            )
        case "adopt-format":
            let version = json["format-version"]?.numberText ?? "?"
            let reader = json["reader"]?.string.map { ", which takes \($0)" } ?? ""
            throw CatalogError(
                .unsupported,
                "from here on the log has format version \(version)\(reader); this program knows "
                    + "\(Warehouse.formatVersion): take a later version of Varve"
            )
        default:
            throw CatalogError(
                .unsupported,
                "this program does not know the change \"\(kind)\": a later version of Varve does"
            )
        }
    }
}

extension CatalogChange {
    private static func added(
        _ json: JSON,
        _ fields: ChangeFields
    ) throws(CatalogError) -> AddedFiles {
        let locations = try fields.texts("added-files")
        guard let count = json["added-records"]?.int64, count >= 0 else {
            throw fields.wrong("added-records")
        }
        guard let given = json["added-rows"] else {
            return AddedFiles(locations: locations, recordCount: count)
        }
        guard let pairs = given.array, pairs.count == locations.count else {
            throw fields.wrong("added-rows")
        }
        var rows: [Range<Int64>] = []
        for pair in pairs {
            guard let bounds = pair.array, bounds.count == 2, let first = bounds[0].int64,
                let end = bounds[1].int64, first >= 0, end > first
            else { throw fields.wrong("added-rows") }
            rows.append(first..<end)
        }
        return AddedFiles(locations: locations, recordCount: count, rows: rows)
    }
}

private func jsonMap(_ map: [String: String]) -> JSON {
    var object = JSONObject()
    let sorted = map.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
    for (name, value) in sorted { object[name] = .string(value) }
    return .object(object)
}

/// Reads the members of a change.
struct ChangeFields {
    let json: JSON

    func wrong(_ name: String) -> CatalogError {
        CatalogError(.corrupt, "the member \"\(name)\" of a change is missing or wrong")
    }

    func text(_ name: String) throws(CatalogError) -> String {
        guard let value = json[name]?.string, !value.isEmpty else { throw wrong(name) }
        return value
    }

    func texts(_ name: String) throws(CatalogError) -> [String] {
        guard let array = json[name]?.array else { throw wrong(name) }
        let texts = array.compactMap(\.string)
        guard texts.count == array.count else { throw wrong(name) }
        return texts
    }

    func map(_ name: String) throws(CatalogError) -> [String: String] {
        guard let object = json[name]?.object else { throw wrong(name) }
        var map: [String: String] = [:]
        for member in object.members {
            guard let value = member.value.string else { throw wrong(name) }
            map[member.key] = value
        }
        return map
    }

    func namespace(_ name: String) throws(CatalogError) -> Namespace {
        try Namespace(texts(name))
    }

    func table(_ namespace: String, _ name: String) throws(CatalogError) -> TableIdentifier {
        try TableIdentifier(self.namespace(namespace), text(name))
    }

    /// A state of a table; without `sum`, or where that member is missing, the file's hash is not said.
    func entry(
        _ uuid: String,
        _ location: String,
        _ sum: String? = nil
    ) throws(CatalogError) -> TableEntry {
        var hash: String?
        if let sum, json[sum] != nil {
            hash = try text(sum)
            let isHash = hash?.utf8.count == 64 && hash?.utf8.allSatisfy(Self.isDigit) ?? false
            guard isHash else { throw wrong(sum) }
        }
        return TableEntry(
            uuid: try text(uuid),
            metadataLocation: try text(location),
            metadataSHA256: hash
        )
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte)
    }
}
