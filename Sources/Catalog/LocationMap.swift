import ObjectStorage

/// Which full URIs lie in the warehouse, and under which keys.
struct LocationMap: Sendable {
    /// The warehouse's root, in one spelling.
    private let root: String

    init(root: String) {
        self.root = Self.normalized(root)
    }

    /// The key of a URI in the warehouse; nil when it lies elsewhere.
    func key(of uri: String) -> String? {
        let uri = Self.normalized(uri)
        let folder = root.hasSuffix(":") ? root : root + "/"
        guard uri.utf8.starts(with: folder.utf8) else { return nil }
        let key = String(decoding: uri.utf8.dropFirst(folder.utf8.count), as: UTF8.self)
        return key.isEmpty ? nil : key
    }

    /// The key of a URI that a table may write to.
    ///
    /// - Throws: `invalid` when it lies outside the warehouse or in what the log keeps for itself.
    func writableKey(of uri: String, _ what: String) throws(CatalogError) -> String {
        guard let key = key(of: uri) else {
            throw CatalogError(
                .invalid,
                "\(what) \(uri) is outside the warehouse \(root): it can only be read"
            )
        }
        guard !key.hasPrefix("_varve/"), key != "_varve" else {
            throw CatalogError(.invalid, "\(what) \(uri) is where the catalog's own log lies")
        }
        do throws(ObjectStoreError) {
            try validateKey(key, store: root)
        } catch {
            throw CatalogError(.invalid, "\(what) \(uri): \(error.message)")
        }
        return key
    }

    /// One spelling for what means the same: `s3a:` and `s3n:` are `s3:`, `file:/x` is `file:///x`.
    static func normalized(_ uri: String) -> String {
        for alias in ["s3a://", "s3n://"] where uri.hasPrefix(alias) {
            return "s3://" + uri.dropFirst(alias.count)
        }
        if uri.hasPrefix("file:/"), !uri.hasPrefix("file://") {
            return "file://" + uri.dropFirst("file:".count)
        }
        return uri
    }

    /// The last part of a URI, and everything before it without the slash between.
    static func split(_ uri: String) -> (folder: String, name: String)? {
        guard let slash = uri.utf8.lastIndex(of: UInt8(ascii: "/")) else { return nil }
        let name = String(decoding: uri.utf8[slash...].dropFirst(), as: UTF8.self)
        let folder = String(decoding: uri.utf8[..<slash], as: UTF8.self)
        return name.isEmpty || folder.isEmpty ? nil : (folder, name)
    }
}

/// A name as a part of a path: what some store, shell or client takes amiss becomes `_`.
///
/// Different names may get the same part; a uuid behind it keeps locations apart.
func pathPart(_ name: String) -> String {
    var part = ""
    for byte in name.utf8.prefix(100) {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F:
            part.unicodeScalars.append(Unicode.Scalar(byte))
        default: part += "_"
        }
    }
    // Other programs take `_x` and `.x` for hidden, and `_varve` is the log's.
    return part.hasPrefix("_") || part.hasPrefix(".") ? "n" + part : part
}
