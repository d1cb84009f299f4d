import Bytes

// A second, plain implementation of what entries of the catalog's log mean, from the text of
// Formats/catalog-log/README.md alone, to hold the first one against. Nothing here may come from it.

/// What a name stands for: which table, and in which state.
package struct TableReference: Hashable, Sendable, CustomStringConvertible {
    package var uuid: String
    package var location: String

    package init(uuid: String, location: String) {
        self.uuid = uuid
        self.location = location
    }

    package var description: String {
        "\(uuid.suffix(4)) at \(location.split(separator: "/").last ?? "")"
    }
}

/// What a table holds, as far as histories look at it.
package struct TableContent: Equatable, Sendable {
    /// Oldest first.
    package var snapshotIDs: [Int64]
    /// What was added in snapshots that commits may share, in order.
    package var added: [Int64]
    package var properties: [String: String]

    package init(
        snapshotIDs: [Int64] = [],
        added: [Int64] = [],
        properties: [String: String] = [:]
    ) {
        self.snapshotIDs = snapshotIDs
        self.added = added
        self.properties = properties
    }
}

/// The full name of a table: its namespace's levels joined by dots, a slash, its name.
package typealias TableName = String

/// All namespaces and tables at one point of the log.
package struct CatalogModel: Equatable, Sendable {
    /// Why a change does not follow from what was before it.
    struct Misfit: Error, CustomStringConvertible {
        var description: String
    }

    /// Properties by the levels of the name, joined by dots.
    package var namespaces: [String: [String: String]]
    package var tables: [TableName: TableReference]

    package init(
        namespaces: [String: [String: String]] = [:],
        tables: [TableName: TableReference] = [:]
    ) {
        self.namespaces = namespaces
        self.tables = tables
    }

    /// The name of the namespace around another; nil at the top.
    static func parent(of namespace: String) -> String? {
        namespace.lastIndex(of: ".").map { String(namespace[..<$0]) }
    }

    static func namespace(of table: TableName) -> String {
        String(table.prefix { $0 != "/" })
    }

    func isEmpty(_ namespace: String) -> Bool {
        !namespaces.keys.contains { Self.parent(of: $0) == namespace }
            && !tables.keys.contains { Self.namespace(of: $0) == namespace }
    }

    /// Does what a change in an entry says.
    ///
    /// - Throws: `Misfit`, when it does not fit.
    mutating func apply(_ change: JSON) throws {
        func text(_ name: String) throws -> String {
            guard let text = change[name]?.string else { throw Misfit(description: "no \(name)") }
            return text
        }
        func namespace(_ name: String = "namespace") throws -> String {
            guard let levels = change[name]?.array?.compactMap(\.string), !levels.isEmpty else {
                throw Misfit(description: "no \(name)")
            }
            return levels.joined(separator: ".")
        }
        func expect(_ condition: Bool, _ what: String) throws {
            if !condition { throw Misfit(description: "\(what): \(change)") }
        }
        let space = try namespace()
        switch try text("change") {
        case "create-namespace":
            try expect(namespaces[space] == nil, "the namespace is there")
            let hasParent = Self.parent(of: space).map { namespaces[$0] != nil } ?? true
            try expect(hasParent, "no namespace around it")
            namespaces[space] = Self.map(change["properties"])
        case "drop-namespace":
            try expect(namespaces[space] != nil, "no such namespace")
            try expect(isEmpty(space), "it is not empty")
            namespaces[space] = nil
        case "update-namespace":
            try expect(namespaces[space] != nil, "no such namespace")
            for name in change["remove"]?.array?.compactMap(\.string) ?? [] {
                namespaces[space]?[name] = nil
            }
            for (name, value) in Self.map(change["set"]) { namespaces[space]?[name] = value }
        case "create-table":
            let name = "\(space)/\(try text("name"))"
            try expect(namespaces[space] != nil, "no such namespace")
            try expect(tables[name] == nil, "the name is taken")
            tables[name] = TableReference(
                uuid: try text("uuid"),
                location: try text("metadata-location")
            )
        case "update-table":
            let name = "\(space)/\(try text("name"))"
            let before = TableReference(
                uuid: try text("uuid"),
                location: try text("previous-metadata-location")
            )
            try expect(tables[name] == before, "another table is there")
            tables[name]?.location = try text("metadata-location")
        case "drop-table":
            let name = "\(space)/\(try text("name"))"
            let before = TableReference(
                uuid: try text("previous-uuid"),
                location: try text("previous-metadata-location")
            )
            try expect(tables[name] == before, "another table is there")
            tables[name] = nil
        case "rename-table":
            let name = "\(space)/\(try text("name"))"
            let target = "\(try namespace("to-namespace"))/\(try text("to-name"))"
            let before = TableReference(
                uuid: try text("uuid"),
                location: try text("metadata-location")
            )
            try expect(tables[name] == before, "another table is there")
            try expect(tables[target] == nil, "the target name is taken")
            try expect(namespaces[Self.namespace(of: target)] != nil, "no such target namespace")
            tables[name] = nil
            tables[target] = before
        case let other:
            throw Misfit(description: "histories have no change \(other)")
        }
    }

    private static func map(_ json: JSON?) -> [String: String] {
        var map: [String: String] = [:]
        for member in json?.object?.members ?? [] { map[member.key] = member.value.string }
        return map
    }
}

/// One thing that a client asked a commit to do, in words that mean the same on every state.
package enum HistoryStep: Sendable, Equatable {
    case createNamespace(String, [String: String])
    case dropNamespace(String)
    case updateNamespace(String, set: [String: String], remove: [String])
    case createTable(TableName, uuid: String)
    case dropTable(TableName)
    case renameTable(TableName, to: TableName)
    case append(TableName, snapshotID: Int64)
    /// Adds a file, in a snapshot that others may share.
    case add(TableName, file: Int64)
    case setProperties(TableName, [String: String])
    /// Fails unless the last snapshot is this one.
    case requireHead(TableName, snapshotID: Int64?)
    /// Fails unless the names stand for these.
    case require([TableName: TableReference?])

    /// The tables that must not have been changed since by another, where the first committer wins.
    package var changedTables: [TableName] {
        switch self {
        case .createTable(let name, _), .dropTable(let name), .setProperties(let name, _): [name]
        case .renameTable(let name, let target): [name, target]
        default: []
        }
    }
}

extension HistoryStep: CustomStringConvertible {
    package var description: String {
        func text(_ map: [String: some Any]) -> String {
            map.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
        }
        return switch self {
        case .createNamespace(let name, let properties): "create \(name) (\(text(properties)))"
        case .dropNamespace(let name): "drop \(name)"
        case .updateNamespace(let name, let set, let remove):
            "update \(name) (\(text(set)), without \(remove))"
        case .createTable(let name, let uuid): "create \(name) (\(uuid.suffix(4)))"
        case .dropTable(let name): "drop \(name)"
        case .renameTable(let name, let target): "rename \(name) to \(target)"
        case .append(let name, let id): "append \(id) to \(name)"
        case .add(let name, let file): "add \(file) to \(name)"
        case .setProperties(let name, let properties): "set \(name) (\(text(properties)))"
        case .requireHead(let name, let id): "require \(name) at \(id.map { "\($0)" } ?? "nothing")"
        case .require(let names):
            "require "
                + text(names.mapValues { $0.map { "\($0)" } ?? "nothing" })
        }
    }
}

/// A state as a commit leaves it behind, in what it means and not in where it lies.
struct MeantState: Equatable {
    struct Table: Equatable {
        var uuid: String
        var content: TableContent
    }

    /// Why a commit cannot be done on a state.
    struct Refusal: Error, CustomStringConvertible {
        var description: String
    }

    var namespaces: [String: [String: String]]
    var tables: [TableName: Table]

    /// Without what commits of one entry do together.
    var withoutAdded: MeantState {
        var state = self
        for name in tables.keys { state.tables[name]?.content.added = [] }
        return state
    }

    /// Does steps one after the other.
    ///
    /// - Parameter before: what names stood for before the first.
    mutating func apply(_ steps: [HistoryStep], before: CatalogModel) throws(Refusal) {
        for step in steps { try apply(step, before) }
    }

    private func need(_ condition: Bool, _ what: String) throws(Refusal) {
        if !condition { throw Refusal(description: what) }
    }

    private mutating func apply(_ step: HistoryStep, _ before: CatalogModel) throws(Refusal) {
        switch step {
        case .createNamespace(let name, let properties):
            try need(namespaces[name] == nil, "\(name) is there")
            let hasParent = CatalogModel.parent(of: name).map { namespaces[$0] != nil } ?? true
            try need(hasParent, "nothing around \(name)")
            namespaces[name] = properties
        case .dropNamespace(let name):
            try need(namespaces[name] != nil && name != "main", "\(name) is not there, or main")
            let isEmpty =
                !namespaces.keys.contains { CatalogModel.parent(of: $0) == name }
                && !tables.keys.contains { CatalogModel.namespace(of: $0) == name }
            try need(isEmpty, "\(name) is not empty")
            namespaces[name] = nil
        case .updateNamespace(let name, let set, let remove):
            try need(namespaces[name] != nil, "\(name) is not there")
            for key in remove { namespaces[name]?[key] = nil }
            for (key, value) in set { namespaces[name]?[key] = value }
        case .createTable(let name, let uuid):
            try need(namespaces[CatalogModel.namespace(of: name)] != nil, "no namespace of \(name)")
            try need(tables[name] == nil, "\(name) is there")
            tables[name] = Table(uuid: uuid, content: TableContent())
        case .dropTable(let name):
            try need(tables[name] != nil, "no \(name)")
            tables[name] = nil
        case .renameTable(let name, let target):
            try need(tables[name] != nil, "no \(name)")
            try need(tables[target] == nil, "\(target) is there")
            let space = CatalogModel.namespace(of: target)
            try need(namespaces[space] != nil, "no namespace of \(target)")
            tables[target] = tables.removeValue(forKey: name)
        case .append(let name, let id):
            try need(tables[name] != nil, "no \(name)")
            tables[name]?.content.snapshotIDs.append(id)
        case .add(let name, let file):
            try need(tables[name] != nil, "no \(name)")
            tables[name]?.content.added.append(file)
        case .setProperties(let name, let properties):
            try need(tables[name] != nil, "no \(name)")
            for (key, value) in properties { tables[name]?.content.properties[key] = value }
        case .requireHead(let name, let id):
            try need(tables[name] != nil, "no \(name)")
            try need(tables[name]?.content.snapshotIDs.last == id, "\(name) has another head")
        case .require(let names):
            for (name, expected) in names {
                try need(before.tables[name] == expected, "\(name) is another")
            }
        }
    }
}
