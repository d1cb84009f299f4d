package import Bytes

/// The contents of a view metadata file.
///
/// - Spec: Iceberg View Spec, version 1.
package struct ViewMetadata: Sendable {
    /// One text of a view's query.
    package struct Representation: Sendable, Hashable {
        package var sql: String
        /// Whose SQL it is: `varve`, `spark`, `trino` and others.
        package var dialect: String

        package init(sql: String, dialect: String) {
            self.sql = sql
            self.dialect = dialect
        }
    }

    /// What a view was from one time on.
    package struct Version: Sendable {
        package var versionID: Int
        package var schemaID: Int
        package var timestampMillis: Int64
        package var summary: [String: String]
        /// At most one for each dialect.
        package var representations: [Representation]
        package var defaultCatalog: String?
        /// Where names without a namespace are looked up.
        package var defaultNamespace: [String]
        /// Representations of types that this program does not know.
        var otherRepresentations: [JSON] = []
        var additional = JSONObject()

        package init(
            schemaID: Int = 0,
            representations: [Representation],
            defaultNamespace: [String],
            summary: [String: String] = [:]
        ) {
            versionID = 1
            self.schemaID = schemaID
            timestampMillis = 0
            self.summary = summary
            self.representations = representations
            self.defaultNamespace = defaultNamespace
        }
    }

    package struct LogEntry: Sendable, Hashable {
        package var timestampMillis: Int64
        package var versionID: Int
    }

    package internal(set) var viewUUID: String
    package internal(set) var location: String
    package internal(set) var schemas: [Schema]
    package internal(set) var currentVersionID: Int
    package internal(set) var versions: [Version]
    package internal(set) var versionLog: [LogEntry]
    package var properties: [String: String]
    private var additional: JSONObject

    /// A new view with one version.
    package init(
        uuid: String,
        location: String,
        schema: Schema,
        version: Version,
        properties: [String: String]
    ) {
        viewUUID = uuid
        self.location = location
        schemas = [schema.with(schemaID: 0)]
        var first = version
        first.versionID = 1
        first.schemaID = 0
        currentVersionID = 1
        versions = [first]
        versionLog = [LogEntry(timestampMillis: first.timestampMillis, versionID: 1)]
        self.properties = properties
        additional = JSONObject()
    }

    /// The version that the view is at.
    package var currentVersion: Version {
        guard let version = versions.first(where: { $0.versionID == currentVersionID }) else {
            preconditionFailure("checked when the metadata were made")
        }
        return version
    }

    /// The columns of the current version.
    package var currentSchema: Schema {
        let id = currentVersion.schemaID
        guard let schema = schemas.first(where: { $0.schemaID == id }) else {
            preconditionFailure("checked when the metadata were made")
        }
        return schema
    }

    /// Makes the times of the newest version and of its entry in the version log.
    package mutating func stamp(_ timeMillis: Int64) {
        for index in versions.indices where versions[index].versionID == currentVersionID {
            versions[index].timestampMillis = timeMillis
        }
        if let last = versionLog.indices.last, versionLog[last].versionID == currentVersionID {
            versionLog[last].timestampMillis = timeMillis
        }
    }

    /// The same view with the newest version of another; its uuid and location stay.
    ///
    /// Of older versions the newest nine stay, or what `version.history.num-entries` says.
    package func replaced(by other: ViewMetadata) -> ViewMetadata {
        var result = self
        let schema = other.currentSchema
        var version = other.currentVersion
        if let same = schemas.first(where: { $0.hasSameFields(as: schema) }) {
            version.schemaID = same.schemaID
        } else {
            let next = (schemas.map(\.schemaID).max() ?? -1) + 1
            result.schemas.append(schema.with(schemaID: next))
            version.schemaID = next
        }
        version.versionID = (versions.map(\.versionID).max() ?? 0) + 1
        let kept = max(1, properties["version.history.num-entries"].flatMap { Int($0) } ?? 10)
        result.versions = (versions + [version]).suffix(kept)
        result.currentVersionID = version.versionID
        result.versionLog.append(
            LogEntry(timestampMillis: version.timestampMillis, versionID: version.versionID)
        )
        let known = Set(result.versions.map(\.versionID))
        result.versionLog = result.versionLog.filter { known.contains($0.versionID) }
        let schemaIDs = Set(result.versions.map(\.schemaID))
        result.schemas = result.schemas.filter { schemaIDs.contains($0.schemaID) }
        result.properties = other.properties
        return result
    }
}

// MARK: - JSON

extension ViewMetadata {
    private static let keys: Set<String> = [
        "view-uuid", "format-version", "location", "schemas", "current-version-id", "versions",
        "version-log", "properties",
    ]

    /// Reads the bytes of a view metadata file, which may be compressed with gzip.
    ///
    /// - Throws: `corrupt` when a field is missing or wrong, with its name; `unsupported` for a later
    ///   format version.
    package init(bytes: [UInt8], sizeMax: Int = 1 << 26) throws(IcebergError) {
        var text = bytes
        if bytes.starts(with: [0x1f, 0x8b]) {
            text = try IcebergError.bytes { () throws(BytesError) in
                try decompressed(.gzip, bytes, sizeMax: sizeMax)
            }
        }
        let json = try IcebergError.bytes { () throws(BytesError) in try JSON.parse(text) }
        try self.init(json: json)
    }

    /// Reads view metadata from their JSON form.
    package init(json: JSON) throws(IcebergError) {
        let fields = try JSONFields(json, "view metadata")
        let formatVersion = try fields.int("format-version")
        guard formatVersion == 1 else {
            throw IcebergError(
                .unsupported,
                "view format version \(formatVersion) (1 can be read)",
                context: [fields.place]
            )
        }
        viewUUID = try fields.string("view-uuid")
        location = try fields.string("location")
        var schemas: [Schema] = []
        for schema in try fields.array("schemas") { schemas.append(try Schema(json: schema)) }
        self.schemas = schemas
        var versions: [Version] = []
        for version in try fields.array("versions") { versions.append(try Version(json: version)) }
        self.versions = versions
        currentVersionID = try fields.int("current-version-id")
        var log: [LogEntry] = []
        for entry in try fields.array("version-log") {
            let members = try JSONFields(entry, "entry of the version log")
            log.append(
                LogEntry(
                    timestampMillis: try members.long("timestamp-ms"),
                    versionID: try members.int("version-id")
                )
            )
        }
        versionLog = log
        properties = try fields.optionalStringMap("properties") ?? [:]
        additional = fields.others(than: Self.keys)
        let current = currentVersionID
        guard let version = versions.first(where: { $0.versionID == current }) else {
            throw fields.wrong("current-version-id", "the id of a version")
        }
        guard schemas.contains(where: { $0.schemaID == version.schemaID }) else {
            throw IcebergError(
                .corrupt,
                "\(fields.place): version \(version.versionID) has schema \(version.schemaID), "
                    + "which is not there"
            )
        }
    }

    /// The JSON form.
    package var json: JSON {
        var object: JSONObject = [
            "view-uuid": .string(viewUUID), "format-version": .integer(1),
            "location": .string(location), "schemas": .array(schemas.map(\.json)),
            "current-version-id": .integer(currentVersionID),
            "versions": .array(versions.map(\.json)),
            "version-log": .array(
                versionLog.map {
                    [
                        "timestamp-ms": .integer($0.timestampMillis),
                        "version-id": .integer($0.versionID),
                    ]
                }
            ),
            "properties": .stringMap(properties),
        ]
        object.appendMissing(additional)
        return .object(object)
    }
}

extension ViewMetadata.Version {
    private static let keys: Set<String> = [
        "version-id", "schema-id", "timestamp-ms", "summary", "representations", "default-catalog",
        "default-namespace",
    ]

    init(json: JSON) throws(IcebergError) {
        let fields = try JSONFields(json, "view version")
        versionID = try fields.int("version-id")
        schemaID = try fields.int("schema-id")
        timestampMillis = try fields.long("timestamp-ms")
        summary = try fields.optionalStringMap("summary") ?? [:]
        defaultCatalog = try fields.optionalString("default-catalog")
        defaultNamespace = try fields.strings("default-namespace")
        additional = fields.others(than: Self.keys)
        representations = []
        for representation in try fields.array("representations") {
            let members = try JSONFields(representation, "representation of a view")
            guard try members.string("type") == "sql" else {
                otherRepresentations.append(representation)
                continue
            }
            representations.append(
                ViewMetadata.Representation(
                    sql: try members.string("sql"),
                    dialect: try members.string("dialect")
                )
            )
        }
    }

    fileprivate var json: JSON {
        var object: JSONObject = [
            "version-id": .integer(versionID), "schema-id": .integer(schemaID),
            "timestamp-ms": .integer(timestampMillis), "summary": .stringMap(summary),
            "representations": .array(
                representations.map {
                    ["type": "sql", "sql": .string($0.sql), "dialect": .string($0.dialect)]
                } + otherRepresentations
            ),
        ]
        if let defaultCatalog { object["default-catalog"] = .string(defaultCatalog) }
        object["default-namespace"] = .strings(defaultNamespace)
        object.appendMissing(additional)
        return .object(object)
    }
}
