/// The name of a namespace: one or more levels, outermost first.
package struct Namespace: Hashable, Sendable, Comparable, CustomStringConvertible {
    package let levels: [String]

    /// Namespaces lie at most this deep.
    package static let levelCountMax = 16
    /// The namespace of names that name none; every warehouse has it.
    package static let main = Namespace(unchecked: ["main"])

    /// - Throws: `invalid` for names that cannot be: empty, too long, too deep, with control characters.
    package init(_ levels: [String]) throws(CatalogError) {
        guard (1...Self.levelCountMax).contains(levels.count) else {
            throw CatalogError(
                .invalid,
                "a namespace has 1 to \(Self.levelCountMax) levels, not \(levels.count)"
            )
        }
        for level in levels { try validateName(level) }
        self.levels = levels
    }

    private init(unchecked levels: [String]) {
        self.levels = levels
    }

    /// The namespace that this one lies in; nil at the top.
    package var parent: Namespace? {
        levels.count > 1 ? Namespace(unchecked: levels.dropLast()) : nil
    }

    /// The innermost level.
    package var name: String { levels.last ?? "" }

    /// The levels joined by dots, for people; names may hold dots themselves.
    package var description: String { levels.joined(separator: ".") }

    package static func < (left: Namespace, right: Namespace) -> Bool {
        for (one, other) in zip(left.levels, right.levels) where one != other {
            return one.utf8.lexicographicallyPrecedes(other.utf8)
        }
        return left.levels.count < right.levels.count
    }
}

/// The name of a table and the namespace that it lies in.
package struct TableIdentifier: Hashable, Sendable, Comparable, CustomStringConvertible {
    package let namespace: Namespace
    package let name: String

    /// - Throws: `invalid` for names that cannot be: empty, too long, with control characters.
    package init(_ namespace: Namespace, _ name: String) throws(CatalogError) {
        try validateName(name)
        self.namespace = namespace
        self.name = name
    }

    package var description: String { "\(namespace).\(name)" }

    package static func < (left: TableIdentifier, right: TableIdentifier) -> Bool {
        if left.namespace != right.namespace { return left.namespace < right.namespace }
        return left.name.utf8.lexicographicallyPrecedes(right.name.utf8)
    }
}

private func validateName(_ name: String) throws(CatalogError) {
    guard (1...255).contains(name.utf8.count) else {
        throw CatalogError(.invalid, "a name has 1 to 255 bytes, not \(name.utf8.count)")
    }
    // 0x1F is what the REST catalog joins levels with.
    guard !name.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) else {
        throw CatalogError(.invalid, "a name holds a control character")
    }
}
