import Bytes
import CommitLog

/// Where a branch or tag begins.
///
/// - Spec: Formats/catalog-log/README.md, "Branches and tags".
package struct ReferenceStart: Sendable, Equatable {
    package let name: String
    /// The branch or tag that it is made of; `main` for the trunk.
    package let source: String
    /// The position whose state of the source it is.
    package let position: Int64
    /// What leads there from the source's state at the commit; empty where it is just that.
    package let changes: [CatalogChange]
}

extension CatalogChange {
    static let referenceKinds: Set<String> = [
        "on-branch", "create-branch", "drop-branch", "merge-branch", "create-tag", "drop-tag",
    ]

    /// Whether the change is about branches or tags, or of another branch than `main`.
    package var isAboutReferences: Bool {
        switch self {
        case .onBranch, .createBranch, .dropBranch, .mergeBranch, .createTag, .dropTag: true
        default: false
        }
    }

    /// Whether the change only says of others which branch they are made to.
    var isWrapped: Bool { if case .onBranch = self { true } else { false } }

    /// The changes of names that this one makes or is, whichever branch they are made to.
    package var plain: [CatalogChange] {
        switch self {
        case .onBranch(_, let changes), .mergeBranch(_, _, let changes): changes
        case .createBranch, .dropBranch, .createTag, .dropTag: []
        default: [self]
        }
    }

    /// The branch whose names the change is about; nil for `main`, and for changes that are about none.
    package var branch: String? {
        switch self {
        case .onBranch(let name, _), .mergeBranch(_, let name, _):
            name == ReferenceName.main ? nil : name
        default: nil
        }
    }

    /// The JSON form of the kinds about branches and tags.
    var referenceJSON: JSON {
        func startJSON(_ kind: String, _ what: String, _ start: ReferenceStart) -> JSON {
            var object: JSONObject = [
                "change": .string(kind), what: .string(start.name),
                "from": .string(start.source), "position": .integer(start.position),
            ]
            if !start.changes.isEmpty { object["changes"] = .array(start.changes.map(\.json)) }
            return .object(object)
        }
        switch self {
        case .onBranch(let name, let changes):
            return [
                "change": "on-branch", "branch": .string(name),
                "changes": .array(changes.map(\.json)),
            ]
        case .createBranch(let start): return startJSON("create-branch", "branch", start)
        case .dropBranch(let name): return ["change": "drop-branch", "branch": .string(name)]
        case .mergeBranch(let name, let target, let changes):
            return [
                "change": "merge-branch", "branch": .string(name), "into": .string(target),
                "changes": .array(changes.map(\.json)),
            ]
        case .createTag(let start): return startJSON("create-tag", "tag", start)
        case .dropTag(let name): return ["change": "drop-tag", "tag": .string(name)]
        default: return json
        }
    }

    /// Reads a change of one of the kinds about branches and tags.
    ///
    /// - Throws: `corrupt`; `unsupported` when an unknown kind lies in it.
    static func reference(
        _ kind: String,
        _ fields: ChangeFields
    ) throws(CatalogError) -> CatalogChange {
        func start(_ what: String) throws(CatalogError) -> ReferenceStart {
            guard let position = fields.json["position"]?.int64, position >= 0 else {
                throw fields.wrong("position")
            }
            return ReferenceStart(
                name: try fields.text(what),
                source: try fields.text("from"),
                position: position,
                changes: fields.json["changes"] == nil ? [] : try fields.changes("changes")
            )
        }
        switch kind {
        case "on-branch":
            return .onBranch(try fields.text("branch"), try fields.changes("changes"))
        case "create-branch": return .createBranch(try start("branch"))
        case "drop-branch": return .dropBranch(try fields.text("branch"))
        case "merge-branch":
            return .mergeBranch(
                try fields.text("branch"),
                into: try fields.text("into"),
                try fields.changes("changes")
            )
        case "create-tag": return .createTag(try start("tag"))
        default: return .dropTag(try fields.text("tag"))
        }
    }
}

extension ChangeFields {
    /// Changes of names; such as are about branches do not nest.
    func changes(_ name: String) throws(CatalogError) -> [CatalogChange] {
        guard let array = json[name]?.array else { throw wrong(name) }
        return try array.map { json throws(CatalogError) in
            guard !CatalogChange.referenceKinds.contains(json["change"]?.string ?? "") else {
                throw wrong(name)
            }
            return try CatalogChange(json: json)
        }
    }
}
