import HashTreeCollections

/// A name that does not stand for the same in two states of the catalog.
package struct CatalogDifference: Sendable, Equatable {
    /// What a name stands for.
    package enum Content: Sendable, Equatable {
        /// With its properties.
        case namespace([String: String])
        case table(TableEntry)
        case view(TableEntry)

        /// The table or view; nil for namespaces.
        package var entry: TableEntry? {
            switch self {
            case .namespace: nil
            case .table(let entry), .view(let entry): entry
            }
        }

        /// `namespace`, `table` or `view`.
        package var kind: String {
            switch self {
            case .namespace: "namespace"
            case .table: "table"
            case .view: "view"
            }
        }

        /// Whether both are the same, whatever the log says of hashes.
        func isSame(as other: Content) -> Bool {
            switch (self, other) {
            case (.namespace(let left), .namespace(let right)): left == right
            case (.table(let left), .table(let right)), (.view(let left), .view(let right)):
                left.reference == right.reference
            default: false
            }
        }
    }

    /// A name as one of the states spells it, and its content.
    struct Side: Sendable, Equatable {
        var name: RecordName
        var content: Content
    }

    let name: RecordName
    let old: Side?
    let new: Side?

    /// The namespace, or the one that the table or view is in.
    package var namespace: Namespace {
        switch name {
        case .namespace(let namespace): namespace
        case .table(let table): table.namespace
        }
    }

    /// The table or view; nil for a namespace.
    package var table: TableIdentifier? {
        if case .table(let table) = name { table } else { nil }
    }

    /// What it stands for in the first state; nil for nothing.
    package var before: Content? { old?.content }
    /// What it stands for in the second.
    package var after: Content? { new?.content }
    /// `namespace`, `table` or `view`.
    package var kind: String { (after ?? before)?.kind ?? "" }

    package var description: String { "\(kind) \(name)" }
}

extension RecordName: CustomStringConvertible {
    var description: String {
        switch self {
        case .namespace(let namespace): namespace.description
        case .table(let table): table.description
        }
    }
}

extension CatalogState {
    /// The names at which another state differs from this one, sorted.
    ///
    /// The cost is that of the namespaces in which something differs; what both share is not looked at.
    package func differences(to other: CatalogState) throws(CatalogError) -> [CatalogDifference] {
        try spelledDifferences(to: other).filter { difference in
            // A namespace that is only spelled otherwise is the same.
            guard let old = difference.old, let new = difference.new else { return true }
            return !old.content.isSame(as: new.content)
        }.sorted { $0.name < $1.name }
    }

    /// As `differences`, with names whose spelling alone differs, in no order.
    func spelledDifferences(to other: CatalogState) throws(CatalogError) -> [CatalogDifference] {
        if isIdentical(to: other) { return [] }
        var found: [CatalogDifference] = []
        for entry in namespaces.values {
            guard let twin = other.namespaces[entry.spelling] else {
                for side in try entry.sides() {
                    found.append(CatalogDifference(name: side.name, old: side, new: nil))
                }
                continue
            }
            if entry.isIdentical(to: twin) { continue }
            try entry.addDifferences(to: twin, &found)
        }
        for entry in other.namespaces.values where namespaces[entry.spelling] == nil {
            for side in try entry.sides() {
                found.append(CatalogDifference(name: side.name, old: nil, new: side))
            }
        }
        return found
    }

    /// What a name stands for, as this state spells it; nil for nothing.
    func side(_ name: RecordName) -> CatalogDifference.Side? {
        switch name {
        case .namespace(let namespace):
            guard let entry = namespaces[namespace] else { return nil }
            return CatalogDifference.Side(
                name: .namespace(entry.spelling),
                content: .namespace(entry.properties)
            )
        case .table(let table):
            guard let entry = namespaces[table.namespace] else { return nil }
            return entry.side(table.name)
        }
    }
}

extension CatalogState.NamespaceEntry {
    fileprivate func side(_ name: String) -> CatalogDifference.Side? {
        if let index = tables.index(forKey: name) {
            return side(tables[index].key, .table(tables[index].value))
        }
        guard let index = views.index(forKey: name) else { return nil }
        return side(views[index].key, .view(views[index].value))
    }

    private func side(
        _ name: String,
        _ content: CatalogDifference.Content
    ) -> CatalogDifference.Side? {
        // Names in a state were checked when they came in.
        guard let table = try? TableIdentifier(spelling, name) else { return nil }
        return CatalogDifference.Side(name: .table(table), content: content)
    }

    private var own: CatalogDifference.Side {
        CatalogDifference.Side(name: .namespace(spelling), content: .namespace(properties))
    }

    fileprivate func sides() throws(CatalogError) -> [CatalogDifference.Side] {
        var sides = [own]
        for (name, entry) in tables {
            sides.append(.init(name: .table(try .init(spelling, name)), content: .table(entry)))
        }
        for (name, entry) in views {
            sides.append(.init(name: .table(try .init(spelling, name)), content: .view(entry)))
        }
        return sides
    }

    fileprivate func addDifferences(
        to other: CatalogState.NamespaceEntry,
        _ found: inout [CatalogDifference]
    ) throws(CatalogError) {
        let isSpelledAlike = spelling.isSpelled(as: other.spelling)
        if !isSpelledAlike || properties != other.properties {
            found.append(.init(name: own.name, old: own, new: other.own))
        }
        func add(_ key: String, _ content: CatalogDifference.Content) throws(CatalogError) {
            let new = other.side(key)
            if let new, isSpelledAlike, new.content == content,
                case .table(let table) = new.name, table.name.utf8.elementsEqual(key.utf8)
            {
                return
            }
            let name = RecordName.table(try TableIdentifier(spelling, key))
            found.append(.init(name: name, old: .init(name: name, content: content), new: new))
        }
        for (key, entry) in tables { try add(key, .table(entry)) }
        for (key, entry) in views { try add(key, .view(entry)) }
        for key in Array(other.tables.keys) + Array(other.views.keys)
        where tables[key] == nil && views[key] == nil {
            let name = RecordName.table(try TableIdentifier(other.spelling, key))
            found.append(.init(name: name, old: nil, new: other.side(key)))
        }
    }
}

extension Namespace {
    /// Whether both are the same bytes, and not only the same name.
    func isSpelled(as other: Namespace) -> Bool {
        levels.elementsEqual(other.levels) { $0.utf8.elementsEqual($1.utf8) }
    }
}

extension RecordName: Comparable {
    /// A namespace before what is in it.
    static func < (left: RecordName, right: RecordName) -> Bool {
        switch (left, right) {
        case (.namespace(let left), .namespace(let right)): left < right
        case (.table(let left), .table(let right)): left < right
        case (.namespace(let left), .table(let right)): left <= right.namespace
        case (.table(let left), .namespace(let right)): left.namespace < right
        }
    }
}

// MARK: - As changes

extension CatalogChange {
    /// The changes that make of each difference's old content the new one, in an order in which they fit.
    ///
    /// - Parameter snapshotID: the current snapshot of a table in a state, where it is known.
    static func making(
        _ differences: [CatalogDifference],
        snapshotID: (TableEntry) -> Int64? = { _ in nil }
    ) throws(CatalogError) -> [CatalogChange] {
        var (drops, droppedNamespaces): ([CatalogChange], [Namespace]) = ([], [])
        var (namespaces, updates, writes): ([CatalogChange], [CatalogChange], [CatalogChange]) =
            ([], [], [])
        for difference in differences.sorted(by: { $0.name < $1.name }) {
            let (old, new) = (difference.old, difference.new)
            switch difference.name {
            case .namespace(let name):
                switch (old?.content, new?.content) {
                case (nil, .namespace(let properties)?):
                    namespaces.append(.createNamespace(name, properties))
                case (.namespace?, nil): droppedNamespaces.append(name)
                case (.namespace(let old)?, .namespace(let new)?):
                    let set = new.filter { old[$0.key] != $0.value }
                    let remove = old.keys.filter { new[$0] == nil }.sorted()
                    if set.isEmpty, remove.isEmpty { continue }
                    updates.append(.updateNamespace(name, set: set, remove: remove))
                default: continue
                }
            case .table(let name):
                switch (old?.content, new?.content) {
                case (.table(let old)?, .table(let new)?):
                    if old.reference == new.reference { continue }
                    let id = snapshotID(new)
                    writes.append(
                        old.uuid == new.uuid
                            ? .updateTable(name, from: old.reference, to: new, snapshotID: id)
                            : .replaceTable(name, from: old.reference, to: new, snapshotID: id)
                    )
                case (.view(let old)?, .view(let new)?) where old.uuid == new.uuid:
                    if old.reference == new.reference { continue }
                    writes.append(.updateView(name, from: old.reference, to: new))
                case (let old, let new):
                    switch old {
                    case .table(let entry)?:
                        drops.append(.dropTable(name, entry.reference, purge: false))
                    case .view(let entry)?: drops.append(.dropView(name, entry.reference))
                    default: break
                    }
                    guard case .table(let spelled)? = difference.new?.name else { continue }
                    switch new {
                    case .table(let entry)?:
                        writes.append(.createTable(spelled, entry, snapshotID: snapshotID(entry)))
                    case .view(let entry)?: writes.append(.createView(spelled, entry))
                    default: break
                    }
                }
            }
        }
        // What is in a namespace goes before it, the one around it comes before it.
        let gone = droppedNamespaces.sorted { $0.levels.count > $1.levels.count }
        return drops + gone.map { .dropNamespace($0) } + namespaces + updates + writes
    }
}
