package import ObjectStorage

/// The store that a table's files are in, and how their locations become its keys.
///
/// Tables name files by full URL (`s3://bucket/lake/t/data/x.parquet`); stores know keys below their
/// root. Schemes that name the same thing (`s3`, `s3a`, `s3n`; `file:/`, `file:///`, a plain path) are
/// one.
package struct TableStorage: Sendable {
    package let store: any ObjectStore
    private let root: String
    /// Locations that begin with the first are taken for ones that begin with the second.
    private let moved: (from: String, to: String)?

    package init(_ store: any ObjectStore) {
        self.store = store
        root = Self.canonical(store.root)
        moved = nil
    }

    /// For a table whose files were moved after its metadata was written.
    ///
    /// - Parameters:
    ///   - from: How the locations in its metadata begin.
    ///   - to: How they should begin, as a URL inside the store.
    package init(_ store: any ObjectStore, movedFrom from: String, to: String) {
        self.store = store
        root = Self.canonical(store.root)
        moved = (Self.canonical(from), Self.canonical(to))
    }

    /// The key of the file at a location.
    ///
    /// - Throws: `invalid` when the location is outside the store.
    package func key(of location: String) throws(TablesError) -> String {
        var path = Self.canonical(location)
        if let moved, let rest = Self.rest(of: path, behind: moved.from) {
            path = moved.to.hasSuffix("/") ? moved.to + rest : "\(moved.to)/\(rest)"
        }
        if root.hasSuffix(":"), path.hasPrefix(root), path.utf8.count > root.utf8.count {
            return String(path.dropFirst(root.count))
        }
        guard let key = Self.rest(of: path, behind: root), !key.isEmpty else {
            throw TablesError(
                .invalid,
                "the file \(location) is not in the store \(store.root)"
            )
        }
        return key
    }

    /// The location of a key: the URL that table metadata has.
    package func location(of key: String) -> String { store.url(of: key) }

    /// What comes after `prefix` and a slash.
    private static func rest(of path: String, behind prefix: String) -> String? {
        guard path.utf8.starts(with: prefix.utf8) else { return nil }
        let rest = path.utf8.dropFirst(prefix.utf8.count)
        if prefix.utf8.last == UInt8(ascii: "/") { return String(rest) ?? nil }
        guard rest.first == UInt8(ascii: "/") else { return nil }
        return String(rest.dropFirst()) ?? nil
    }

    /// One spelling for what several name.
    private static func canonical(_ location: String) -> String {
        for scheme in ["s3a://", "s3n://"] where location.hasPrefix(scheme) {
            return trimmed("s3://" + location.dropFirst(scheme.count))
        }
        if location.hasPrefix("file:") {
            let path = location.dropFirst(5).drop { $0 == "/" }
            return trimmed("file:///" + path)
        }
        if location.hasPrefix("/") { return trimmed("file://" + location) }
        return trimmed(location)
    }

    private static func trimmed(_ location: String) -> String {
        var location = location
        while location.hasSuffix("/") && !location.hasSuffix("//") { location.removeLast() }
        return location
    }
}
