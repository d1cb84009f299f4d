package import Bytes
package import CommitLog

/// A commit as the graph reads it: where it stands in the log, what it changed, what it says.
package struct LineageCommit: Sendable {
    /// The entry that carries it.
    package var position: Int64
    /// Its index among the entry's commits.
    package var index: Int
    /// The entry's time in milliseconds since 1970.
    package var timeMillis: Int64
    package var id: String
    package var actor: String
    package var message: String?
    /// As the catalog log's format says.
    package var changes: [JSON]
    /// nil when the commit says nothing about where its data came from.
    package var lineage: JSON?
    /// What `lineage` says, from who knows it without reading.
    package var facts: CommitLineage?

    package init(
        position: Int64,
        index: Int,
        timeMillis: Int64,
        id: String,
        actor: String,
        message: String? = nil,
        changes: [JSON],
        lineage: JSON?,
        facts: CommitLineage? = nil
    ) {
        self.position = position
        self.index = index
        self.timeMillis = timeMillis
        self.id = id
        self.actor = actor
        self.message = message
        self.changes = changes
        self.lineage = lineage
        self.facts = facts
    }

    /// The commits of an entry, in their order.
    package static func commits(of entry: LogEntry) -> [LineageCommit] {
        entry.commits.enumerated().map { index, commit in
            LineageCommit(
                position: entry.sequence,
                index: index,
                timeMillis: entry.header.timeMillis,
                id: commit.id,
                actor: commit.actor,
                message: commit.message,
                changes: commit.changes,
                lineage: commit.lineage
            )
        }
    }
}

/// What a change of the catalog means for lineage.
///
/// - Spec: Formats/catalog-log/README.md, "Changes".
enum DatasetChange {
    /// A table has this content now; `isNew` when the name did not have it before.
    case written(TableWrite)
    case dropped(uuid: String)
    case renamed(uuid: String, name: [String])
    /// Namespaces and views: they hold no rows.
    case other
    /// A later version's; it may have renamed or changed anything.
    case unknown(String)

    struct TableWrite {
        var uuid: String
        /// The table that had the name until now, when it was another one.
        var previousUUID: String?
        var name: [String]
        var metadataLocation: String
        var snapshotID: Int64?
        var isCreation: Bool
        var isReplacement: Bool
    }

    /// - Throws: `corrupt` when a member is missing or wrong.
    init(json: JSON) throws(LineageError) {
        let fields = try FactFields(json, place: "change")
        let kind = try fields.text("change")
        switch kind {
        case "create-namespace", "drop-namespace", "update-namespace":
            self = .other
        case "create-table", "update-table", "replace-table":
            let uuid = try fields.text("uuid")
            let previous = try fields.optionalText("previous-uuid")
            self = .written(
                TableWrite(
                    uuid: uuid,
                    previousUUID: previous == uuid ? nil : previous,
                    name: try Self.name(fields, "namespace", "name"),
                    metadataLocation: try fields.text("metadata-location"),
                    snapshotID: try fields.optionalInteger("snapshot-id"),
                    isCreation: kind == "create-table",
                    isReplacement: kind == "replace-table"
                )
            )
        case "drop-table":
            self = .dropped(uuid: try fields.text("previous-uuid"))
        case "rename-table":
            self = .renamed(
                uuid: try fields.text("uuid"),
                name: try Self.name(fields, "to-namespace", "to-name")
            )
        default:
            self = kind.hasSuffix("-view") ? .other : .unknown(kind)
        }
    }

    private static func name(
        _ fields: FactFields,
        _ namespace: String,
        _ name: String
    ) throws(LineageError) -> [String] {
        try fields.texts(namespace, countMax: 16) + [fields.text(name)]
    }
}
