import HashTreeCollections
import Synchronization

/// What the catalog says of a table: enough to find the rest.
package struct TableEntry: Sendable, Hashable {
    /// Stays with the table through renames, and is never used again.
    package let uuid: String
    /// The full URI of the current metadata file.
    package let metadataLocation: String
    /// SHA-256 of that file's bytes, 64 lower-case hexadecimal digits; nil where the log does not say:
    /// in entries of earlier versions, and where an entry only refers to a state of the table.
    package let metadataSHA256: String?

    package init(uuid: String, metadataLocation: String, metadataSHA256: String? = nil) {
        self.uuid = uuid
        self.metadataLocation = metadataLocation
        self.metadataSHA256 = metadataSHA256
    }

    /// The entry as changes refer to it: the location says enough.
    var reference: TableEntry { TableEntry(uuid: uuid, metadataLocation: metadataLocation) }
}

/// Everything the log says at one position: which names there are and what they stand for.
///
/// An immutable value over persistent hash trees: a copy shares all but the changed paths, so the
/// catalog keeps hundreds of older states for about the memory of their differences.
package struct CatalogState: Sendable, Equatable {
    struct NamespaceEntry: Sendable, Equatable {
        /// The name as it was given when the namespace was made; equal ones may differ in their bytes.
        let spelling: Namespace
        var properties: [String: String] { didSet { mark = Mark() } }
        var children = TreeSet<String>()
        var tables = TreeDictionary<String, TableEntry>() { didSet { mark = Mark() } }
        var views = TreeDictionary<String, TableEntry>() { didSet { mark = Mark() } }
        private var mark = Mark()

        init(spelling: Namespace, properties: [String: String]) {
            self.spelling = spelling
            self.properties = properties
        }

        /// Whether the other is an unchanged copy of this one; equal ones that came about apart are not.
        func isIdentical(to other: NamespaceEntry) -> Bool { mark.number == other.mark.number }
    }

    /// Names one value of this process, which keeps the mark as long as it is not changed: two copies with
    /// one mark need not be compared.
    private struct Mark: Sendable, Equatable {
        private static let count = Atomic<UInt64>(0)
        let number = Mark.count.wrappingAdd(1, ordering: .relaxed).newValue

        /// Says nothing of what the values are.
        static func == (left: Mark, right: Mark) -> Bool { true }
    }

    private(set) var namespaces = TreeDictionary<Namespace, NamespaceEntry>() {
        didSet { mark = Mark() }
    }
    private var mark = Mark()
    private var topLevel = TreeSet<String>()
    /// How many tables there are.
    package private(set) var tableCount = 0

    init() {}

    /// The state with these namespaces, tables and views.
    ///
    /// - Throws: `corrupt` when one is there twice, or one around another is missing.
    init(_ entries: [NamespaceEntry]) throws(CatalogError) {
        for entry in entries {
            guard namespaces.updateValue(entry, forKey: entry.spelling) == nil else {
                throw CatalogError(.corrupt, "namespace \(entry.spelling) is there twice")
            }
            tableCount += entry.tables.count
        }
        for entry in entries {
            guard let parent = entry.spelling.parent else {
                topLevel.insert(entry.spelling.name)
                continue
            }
            guard namespaces[parent] != nil else {
                throw CatalogError(.corrupt, "there is no namespace around \(entry.spelling)")
            }
            namespaces[parent]?.children.insert(entry.spelling.name)
        }
    }

    /// Whether the other is an unchanged copy of this one; equal ones that came about apart are not.
    func isIdentical(to other: CatalogState) -> Bool { mark.number == other.mark.number }

    // MARK: - Looking

    /// How many namespaces there are.
    package var namespaceCount: Int { namespaces.count }

    package func hasNamespace(_ namespace: Namespace) -> Bool { namespaces[namespace] != nil }

    /// The properties of a namespace.
    ///
    /// - Throws: `namespaceNotFound`.
    package func properties(of namespace: Namespace) throws(CatalogError) -> [String: String] {
        try entry(namespace).properties
    }

    /// The namespaces directly in another, or at the top, in the order of their names' bytes.
    ///
    /// - Throws: `namespaceNotFound`.
    package func namespaces(in parent: Namespace?) throws(CatalogError) -> [Namespace] {
        guard let parent else {
            return try sorted(topLevel).map { name throws(CatalogError) in try Namespace([name]) }
        }
        return try sorted(entry(parent).children).map { name throws(CatalogError) in
            try Namespace(parent.levels + [name])
        }
    }

    /// All namespaces, sorted.
    package var allNamespaces: [Namespace] { namespaces.values.map(\.spelling).sorted() }

    /// The tables directly in a namespace, in the order of their names' bytes.
    ///
    /// - Throws: `namespaceNotFound`.
    package func tables(in namespace: Namespace) throws(CatalogError) -> [TableIdentifier] {
        try sorted(entry(namespace).tables.keys).map { name throws(CatalogError) in
            try TableIdentifier(namespace, name)
        }
    }

    /// All tables, sorted; cost grows with their number.
    package func allTables() throws(CatalogError) -> [TableIdentifier] {
        var all: [TableIdentifier] = []
        for namespace in allNamespaces { all += try tables(in: namespace) }
        return all
    }

    /// What the catalog says of a table; nil when there is none of this name.
    package func table(_ table: TableIdentifier) -> TableEntry? {
        namespaces[table.namespace]?.tables[table.name]
    }

    /// What the catalog says of a table.
    ///
    /// - Throws: `namespaceNotFound`, `tableNotFound`.
    package func existingTable(_ table: TableIdentifier) throws(CatalogError) -> TableEntry {
        guard let found = try entry(table.namespace).tables[table.name] else {
            throw CatalogError.noTable(table)
        }
        return found
    }

    private func entry(_ namespace: Namespace) throws(CatalogError) -> NamespaceEntry {
        guard let entry = namespaces[namespace] else { throw CatalogError.noNamespace(namespace) }
        return entry
    }

    private func sorted(_ names: some Sequence<String>) -> [String] {
        names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    // MARK: - Changing

    /// Makes one change; the only way a state ever changes.
    ///
    /// - Throws: the reason why the change does not fit, with nothing changed.
    mutating func apply(_ change: CatalogChange) throws(CatalogError) {
        switch change {
        case .createNamespace(let namespace, let properties):
            try create(namespace, properties)
        case .dropNamespace(let namespace):
            try drop(namespace)
        case .updateNamespace(let namespace, let set, let remove):
            var entry = try entry(namespace)
            for name in remove { entry.properties[name] = nil }
            entry.properties.merge(set) { $1 }
            namespaces[namespace] = entry
        case .createTable(let table, let new, _):
            try insert(table, new)
        case .updateTable(let table, let old, let new, _, _):
            guard old.uuid == new.uuid else {
                throw CatalogError(.conflict, "table \(table) has uuid \(old.uuid)")
            }
            try replace(table, old, new)
        case .replaceTable(let table, let old, let new, _):
            try replace(table, old, new)
        case .dropTable(let table, let old, _):
            try replace(table, old, nil)
        case .renameTable(let table, let target, let entry):
            guard table != target else {
                throw CatalogError(.alreadyExists, "table \(target) exists already")
            }
            // The target first: if it is taken, nothing has changed yet.
            try check(table, is: entry)
            try insert(target, existingTable(table))
            try replace(table, entry, nil)
        case .createView, .updateView, .dropView, .renameView:
            try applyToView(change)
        case .onBranch, .createBranch, .dropBranch, .mergeBranch, .createTag, .dropTag:
            throw CatalogError(.corrupt, "a change of branches lies within another change")
        }
    }

    private mutating func create(
        _ namespace: Namespace,
        _ properties: [String: String]
    ) throws(CatalogError) {
        guard namespaces[namespace] == nil else {
            throw CatalogError(.alreadyExists, "namespace \(namespace) exists already")
        }
        if let parent = namespace.parent {
            guard namespaces[parent] != nil else { throw CatalogError.noNamespace(parent) }
            namespaces[parent]?.children.insert(namespace.name)
        } else {
            topLevel.insert(namespace.name)
        }
        namespaces[namespace] = NamespaceEntry(spelling: namespace, properties: properties)
    }

    private mutating func drop(_ namespace: Namespace) throws(CatalogError) {
        let entry = try entry(namespace)
        guard entry.tables.isEmpty, entry.views.isEmpty, entry.children.isEmpty else {
            throw CatalogError(
                .notEmpty,
                "namespace \(namespace) holds \(entry.tables.count) tables, "
                    + "\(entry.views.count) views and \(entry.children.count) namespaces"
            )
        }
        namespaces[namespace] = nil
        if let parent = namespace.parent {
            namespaces[parent]?.children.remove(namespace.name)
        } else {
            topLevel.remove(namespace.name)
        }
    }

    private mutating func insert(
        _ table: TableIdentifier,
        _ new: TableEntry
    ) throws(CatalogError) {
        try checkFree(table)
        namespaces[table.namespace]?.tables[table.name] = new
        tableCount += 1
    }

    /// Tables and views share their names.
    private func checkFree(_ name: TableIdentifier) throws(CatalogError) {
        let entry = try entry(name.namespace)
        if entry.tables[name.name] != nil {
            throw CatalogError(.alreadyExists, "table \(name) exists already")
        }
        if entry.views[name.name] != nil {
            throw CatalogError(.alreadyExists, "view \(name) exists already")
        }
    }

    private func check(_ table: TableIdentifier, is old: TableEntry) throws(CatalogError) {
        let found = try existingTable(table)
        guard found.reference == old.reference else {
            throw CatalogError(
                .conflict,
                "table \(table) is at \(found.metadataLocation), not at \(old.metadataLocation)"
            )
        }
    }

    private mutating func replace(
        _ table: TableIdentifier,
        _ old: TableEntry,
        _ new: TableEntry?
    ) throws(CatalogError) {
        try check(table, is: old)
        namespaces[table.namespace]?.tables[table.name] = new
        if new == nil { tableCount -= 1 }
    }
}

// MARK: - Names of another state

extension CatalogState {
    /// This state with some names gone, and then some standing for something else, as they are spelled.
    ///
    /// - Throws: `corrupt` when that is no state.
    func changed(
        gone: [RecordName],
        set: [CatalogDifference.Side]
    ) throws(CatalogError) -> CatalogState {
        var state = self
        // Of namespaces that are gone, and may come back spelled otherwise.
        var children: [Namespace: TreeSet<String>] = [:]
        for case .table(let table) in gone { try state.forget(table) }
        for case .namespace(let name) in gone {
            guard let entry = state.namespaces.removeValue(forKey: name), entry.tables.isEmpty,
                entry.views.isEmpty
            else { throw Self.noState(name) }
            children[name] = entry.children
        }
        for case .namespace(let name) in gone {
            guard let parent = name.parent else {
                state.topLevel.remove(name.name)
                continue
            }
            state.namespaces[parent]?.children.remove(name.name)
            children[parent]?.remove(name.name)
        }
        let sorted = set.sorted { $0.name < $1.name }
        for side in sorted {
            guard
                case (.namespace(let name), .namespace(let properties)) = (side.name, side.content)
            else { continue }
            if let old = state.namespaces[name] {
                guard old.spelling.isSpelled(as: name) else { throw Self.noState(name) }
                state.namespaces[name]?.properties = properties
                continue
            }
            var entry = NamespaceEntry(spelling: name, properties: properties)
            entry.children = children.removeValue(forKey: name) ?? []
            state.namespaces[name] = entry
            guard let parent = name.parent else {
                state.topLevel.insert(name.name)
                continue
            }
            guard state.namespaces[parent] != nil else { throw Self.noState(name) }
            state.namespaces[parent]?.children.insert(name.name)
        }
        guard children.values.allSatisfy(\.isEmpty) else {
            throw CatalogError(.corrupt, "there is no namespace around another")
        }
        for side in sorted {
            guard case .table(let name) = side.name else { continue }
            guard state.namespaces[name.namespace] != nil else {
                throw Self.noState(name.namespace)
            }
            try? state.forget(name)
            switch side.content {
            case .table(let entry):
                state.namespaces[name.namespace]?.tables[name.name] = entry
                state.tableCount += 1
            case .view(let entry): state.namespaces[name.namespace]?.views[name.name] = entry
            case .namespace: throw Self.noState(name.namespace)
            }
        }
        return state
    }

    private mutating func forget(_ name: TableIdentifier) throws(CatalogError) {
        if namespaces[name.namespace]?.tables[name.name] != nil {
            namespaces[name.namespace]?.tables[name.name] = nil
            tableCount -= 1
        } else if namespaces[name.namespace]?.views[name.name] != nil {
            namespaces[name.namespace]?.views[name.name] = nil
        } else {
            throw CatalogError(.corrupt, "\(name) cannot be gone: it is not there")
        }
    }

    private static func noState(_ namespace: Namespace) -> CatalogError {
        CatalogError(.corrupt, "namespace \(namespace) does not fit the others")
    }
}

// MARK: - Laying one over another

extension CatalogState {
    /// This state with the tables of a namespace of another in it, which hide those of the same name.
    func overlaid(with other: CatalogState, _ namespace: Namespace) -> CatalogState {
        guard let above = other.namespaces[namespace], !above.tables.isEmpty else { return self }
        var state = self
        if state.namespaces[namespace] == nil {
            state.namespaces[namespace] = NamespaceEntry(
                spelling: namespace,
                properties: above.properties
            )
            if namespace.parent == nil { state.topLevel.insert(namespace.name) }
        }
        for (name, entry) in above.tables
        where state.namespaces[namespace]?.tables.updateValue(entry, forKey: name) == nil {
            state.tableCount += 1
        }
        return state
    }
}

// MARK: - Views

extension CatalogState {
    /// The views directly in a namespace, in the order of their names' bytes.
    ///
    /// - Throws: `namespaceNotFound`.
    package func views(in namespace: Namespace) throws(CatalogError) -> [TableIdentifier] {
        try sorted(entry(namespace).views.keys).map { name throws(CatalogError) in
            try TableIdentifier(namespace, name)
        }
    }

    /// All views, sorted; cost grows with the number of namespaces.
    package func allViews() throws(CatalogError) -> [TableIdentifier] {
        var all: [TableIdentifier] = []
        for namespace in allNamespaces { all += try views(in: namespace) }
        return all
    }

    /// What the catalog says of a view; nil when there is none of this name.
    package func view(_ view: TableIdentifier) -> TableEntry? {
        namespaces[view.namespace]?.views[view.name]
    }

    /// What the catalog says of a view.
    ///
    /// - Throws: `namespaceNotFound`, `tableNotFound`.
    package func existingView(_ view: TableIdentifier) throws(CatalogError) -> TableEntry {
        guard let found = try entry(view.namespace).views[view.name] else {
            throw CatalogError.noView(view)
        }
        return found
    }

    private mutating func applyToView(_ change: CatalogChange) throws(CatalogError) {
        switch change {
        case .createView(let view, let new):
            try checkFree(view)
            namespaces[view.namespace]?.views[view.name] = new
        case .updateView(let view, let old, let new):
            try check(view: view, is: old)
            guard old.uuid == new.uuid else {
                throw CatalogError(.conflict, "view \(view) has uuid \(old.uuid)")
            }
            namespaces[view.namespace]?.views[view.name] = new
        case .dropView(let view, let old):
            try check(view: view, is: old)
            namespaces[view.namespace]?.views[view.name] = nil
        case .renameView(let view, let target, let old):
            try check(view: view, is: old)
            let entry = try existingView(view)
            try checkFree(target)
            namespaces[view.namespace]?.views[view.name] = nil
            namespaces[target.namespace]?.views[target.name] = entry
        default: preconditionFailure("not a change of a view")
        }
    }

    private func check(view: TableIdentifier, is old: TableEntry) throws(CatalogError) {
        let found = try existingView(view)
        guard found.reference == old.reference else {
            throw CatalogError(
                .conflict,
                "view \(view) is at \(found.metadataLocation), not at \(old.metadataLocation)"
            )
        }
    }
}
