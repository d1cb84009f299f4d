package import Bytes

/// One change of a view's metadata, as a client of the REST catalog sends it.
///
/// - Spec: REST catalog, `ViewUpdate`.
package enum ViewUpdate: Sendable {
    case assignUUID(String)
    case upgradeFormatVersion(Int)
    case addSchema(Schema)
    case setLocation(String)
    case setProperties([String: String])
    case removeProperties([String])
    /// A schema id of -1 is that of the schema added last.
    case addVersion(ViewMetadata.Version)
    /// -1 is the version added last.
    case setCurrentVersion(Int)
}

/// What must be so for a change of a view to be applied.
///
/// - Spec: REST catalog, `ViewRequirement`.
package enum ViewRequirement: Sendable, Hashable {
    case assertViewUUID(String)

    /// Throws `conflict` when the requirement does not hold.
    package func check(_ view: ViewMetadata) throws(IcebergError) {
        switch self {
        case .assertViewUUID(let uuid):
            guard uuid.lowercased() == view.viewUUID.lowercased() else {
                throw IcebergError(
                    .conflict,
                    "requirement failed: view uuid is \(view.viewUUID), not \(uuid)"
                )
            }
        }
    }
}

// MARK: - JSON

extension ViewRequirement {
    /// Reads the requirements of a commit request.
    ///
    /// - Throws: `invalid` for an unknown or malformed one.
    package static func list(json: JSON) throws(IcebergError) -> [ViewRequirement] {
        guard let array = json.array else {
            throw IcebergError(.invalid, "the requirements of a commit must be an array")
        }
        var requirements: [ViewRequirement] = []
        for element in array {
            do throws(IcebergError) {
                let fields = try JSONFields(element, "requirement")
                let type = try fields.string("type")
                guard type == "assert-view-uuid" else {
                    throw IcebergError(.invalid, "there is no view requirement \"\(type)\"")
                }
                requirements.append(.assertViewUUID(try fields.string("uuid")))
            } catch {
                throw error.blaming(.invalid)
            }
        }
        return requirements
    }
}

extension ViewUpdate {
    /// Reads the updates of a commit request.
    ///
    /// - Throws: `invalid` for an unknown or malformed one, with its number and action.
    package static func list(json: JSON) throws(IcebergError) -> [ViewUpdate] {
        guard let array = json.array else {
            throw IcebergError(.invalid, "the updates of a commit must be an array")
        }
        var updates: [ViewUpdate] = []
        for (index, element) in array.enumerated() {
            let action = element["action"]?.string ?? "without an action"
            updates.append(
                try IcebergError.during("update \(index) \(action)") { () throws(IcebergError) in
                    do throws(IcebergError) {
                        return try parse(try JSONFields(element, "update"))
                    } catch {
                        throw error.blaming(.invalid)
                    }
                }
            )
        }
        return updates
    }

    private static func parse(_ fields: JSONFields) throws(IcebergError) -> ViewUpdate {
        let action = try fields.string("action")
        switch action {
        case "assign-uuid": return .assignUUID(try fields.string("uuid"))
        case "upgrade-format-version":
            return .upgradeFormatVersion(try fields.int("format-version"))
        case "add-schema": return .addSchema(try Schema(json: try fields.required("schema")))
        case "set-location": return .setLocation(try fields.string("location"))
        case "set-properties": return .setProperties(try fields.stringMap("updates"))
        case "remove-properties": return .removeProperties(try fields.strings("removals"))
        case "add-view-version":
            return .addVersion(
                try ViewMetadata.Version(json: try fields.required("view-version")).checked()
            )
        case "set-current-view-version":
            return .setCurrentVersion(try fields.int("view-version-id"))
        default: throw IcebergError(.invalid, "there is no view update \"\(action)\"")
        }
    }
}

extension ViewMetadata.Version {
    /// Reads the first version of a view from a request.
    ///
    /// - Throws: `invalid` when it is malformed, or has no text or two of one dialect.
    package init(request json: JSON) throws(IcebergError) {
        do {
            self = try ViewMetadata.Version(json: json).checked()
        } catch {
            throw error.blaming(.invalid)
        }
    }

    /// - Throws: `invalid`.
    fileprivate func checked() throws(IcebergError) -> ViewMetadata.Version {
        guard !representations.isEmpty || !otherRepresentations.isEmpty else {
            throw IcebergError(.invalid, "a version of a view needs a representation")
        }
        var dialects: Set<String> = []
        for one in representations where !dialects.insert(one.dialect.lowercased()).inserted {
            throw IcebergError(
                .invalid,
                "a version of a view has one query of dialect \"\(one.dialect)\", not two"
            )
        }
        return self
    }

    /// Whether two versions say the same, whatever their ids and times.
    fileprivate func saysSame(as other: ViewMetadata.Version) -> Bool {
        schemaID == other.schemaID && summary == other.summary
            && representations == other.representations
            && otherRepresentations == other.otherRepresentations
            && defaultCatalog == other.defaultCatalog && defaultNamespace == other.defaultNamespace
            && additional == other.additional
    }
}

// MARK: - Changing

extension ViewMetadata {
    /// The view after `updates`, applied in order, once all `requirements` hold.
    ///
    /// Ids of versions and schemas that are taken are replaced by new ones; a version or schema that is
    /// there already is not added again.
    ///
    /// - Parameter now: the time in milliseconds since 1970 that new versions get.
    /// - Throws: `invalid` for a change against the rules, `conflict` for a requirement.
    package func applying(
        _ updates: [ViewUpdate],
        requiring requirements: [ViewRequirement] = [],
        now: Int64
    ) throws(IcebergError) -> ViewMetadata {
        for requirement in requirements { try requirement.check(self) }
        var change = ViewChange(view: self, now: now)
        for (index, update) in updates.enumerated() {
            try IcebergError.during("update \(index)") { () throws(IcebergError) in
                try change.apply(update)
            }
        }
        return try change.finished(from: self)
    }
}

/// One commit's change of a view, update by update.
private struct ViewChange {
    var view: ViewMetadata
    let now: Int64
    private var lastAddedSchemaID: Int?
    private var lastAddedVersionID: Int?
    private var addedVersionIDs: Set<Int> = []
    /// What the ids of versions in the request became.
    private var newVersionIDs: [Int: Int] = [:]

    init(view: ViewMetadata, now: Int64) {
        self.view = view
        self.now = now
    }

    mutating func apply(_ update: ViewUpdate) throws(IcebergError) {
        switch update {
        case .assignUUID(let uuid):
            guard uuid.lowercased() == view.viewUUID.lowercased() else {
                throw IcebergError(.invalid, "the uuid of a view never changes")
            }
        case .upgradeFormatVersion(let version):
            guard version == 1 else {
                throw IcebergError(.invalid, "views have format version 1, not \(version)")
            }
        case .addSchema(let schema): add(schema)
        case .setLocation(let location):
            guard !location.isEmpty else { throw IcebergError(.invalid, "the location is empty") }
            var location = location
            while location.hasSuffix("/") { location.removeLast() }
            view.location = location
        case .setProperties(let properties): view.properties.merge(properties) { $1 }
        case .removeProperties(let names):
            for name in names { view.properties[name] = nil }
        case .addVersion(let version): try add(version)
        case .setCurrentVersion(let id): try setCurrent(id)
        }
    }

    private mutating func add(_ schema: Schema) {
        if let same = view.schemas.first(where: { $0.hasSameFields(as: schema) }) {
            lastAddedSchemaID = same.schemaID
            return
        }
        let taken = view.schemas.map(\.schemaID)
        let isFree = schema.schemaID >= 0 && !taken.contains(schema.schemaID)
        let id = isFree ? schema.schemaID : (taken.max() ?? -1) + 1
        view.schemas.append(schema.with(schemaID: id))
        lastAddedSchemaID = id
    }

    private mutating func add(_ version: ViewMetadata.Version) throws(IcebergError) {
        var version = version
        let givenID = version.versionID
        if version.schemaID == -1 {
            guard let lastAddedSchemaID else {
                throw IcebergError(.invalid, "schema -1 is the one added last, but none was added")
            }
            version.schemaID = lastAddedSchemaID
        }
        guard view.schemas.contains(where: { $0.schemaID == version.schemaID }) else {
            throw IcebergError(
                .invalid,
                "version \(givenID) has schema \(version.schemaID), which is not there"
            )
        }
        if let same = view.versions.first(where: { $0.saysSame(as: version) }) {
            newVersionIDs[givenID] = same.versionID
            lastAddedVersionID = same.versionID
            return
        }
        let taken = view.versions.map(\.versionID)
        if givenID < 1 || taken.contains(givenID) || givenID > Int(Int32.max) {
            version.versionID = (taken.max() ?? 0) + 1
        }
        version.timestampMillis = now
        view.versions.append(version)
        newVersionIDs[givenID] = version.versionID
        lastAddedVersionID = version.versionID
        addedVersionIDs.insert(version.versionID)
    }

    private mutating func setCurrent(_ id: Int) throws(IcebergError) {
        let found: Int
        if id == -1 {
            guard let lastAddedVersionID else {
                throw IcebergError(.invalid, "version -1 is the one added last, but none was added")
            }
            found = lastAddedVersionID
        } else {
            found = newVersionIDs[id] ?? id
        }
        guard view.versions.contains(where: { $0.versionID == found }) else {
            throw IcebergError(.invalid, "there is no version \(id) of the view")
        }
        guard found != view.currentVersionID else { return }
        view.currentVersionID = found
        view.versionLog.append(ViewMetadata.LogEntry(timestampMillis: now, versionID: found))
    }

    /// The view with its oldest versions dropped, and what only they used.
    func finished(from before: ViewMetadata) throws(IcebergError) -> ViewMetadata {
        try checkDialects(before)
        var view = view
        let current = view.currentVersionID
        let said = view.properties["version.history.num-entries"].flatMap { Int($0) } ?? 10
        // Never fewer than this change made, so that nothing that was just acknowledged is gone.
        let kept = max(1, said, addedVersionIDs.count)
        var excess = view.versions.count - kept
        view.versions.removeAll { version in
            guard excess > 0, version.versionID != current else { return false }
            excess -= 1
            return true
        }
        let known = Set(view.versions.map(\.versionID))
        // What was current before a version that is gone is not known any more either.
        if let gone = view.versionLog.lastIndex(where: { !known.contains($0.versionID) }) {
            view.versionLog.removeSubrange(...gone)
        }
        let used = Set(view.versions.map(\.schemaID))
        view.schemas.removeAll { !used.contains($0.schemaID) }
        return view
    }

    /// Engines that know other dialects must not lose theirs unasked.
    private func checkDialects(_ before: ViewMetadata) throws(IcebergError) {
        guard view.currentVersionID != before.currentVersionID,
            view.properties["replace.drop-dialect.allowed"]?.lowercased() != "true"
        else { return }
        let now = Set(view.currentVersion.representations.map { $0.dialect.lowercased() })
        for one in before.currentVersion.representations
        where !now.contains(one.dialect.lowercased()) {
            throw IcebergError(
                .invalid,
                "the new version has no query of dialect \"\(one.dialect)\", which the view has; "
                    + "the property replace.drop-dialect.allowed = true allows that"
            )
        }
    }
}
