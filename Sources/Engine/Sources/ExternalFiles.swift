import Glibc
import ObjectStorage

/// Files that statements and imports name by path.
enum ExternalFiles {
    /// The files of a path or a pattern (`*`, `?`, `[a-z]`), in the order of their names.
    ///
    /// - Throws: when there is none.
    static func expand(_ path: String, _ engine: Engine) async throws -> [String] {
        if path.hasPrefix("s3://") { return try await expandStored(path, engine) }
        let local = path.hasPrefix("file://") ? String(path.dropFirst(7)) : path
        guard local.contains(where: { "*?[".contains($0) }) else {
            guard access(local, R_OK) == 0 else {
                throw EngineError(
                    .notFound,
                    "file \"\(path)\" cannot be read: \(String(cString: strerror(errno)))"
                )
            }
            return [local]
        }
        var found = glob_t()
        defer { globfree(&found) }
        guard glob(local, 0, nil, &found) == 0, let paths = found.gl_pathv else {
            throw EngineError(.notFound, "no file matches \"\(path)\"")
        }
        return (0..<Int(found.gl_pathc)).compactMap { paths[$0].map { String(cString: $0) } }
    }

    /// The objects that match; a wildcard stands for no slash.
    private static func expandStored(_ pattern: String, _ engine: Engine) async throws -> [String] {
        guard let wildcard = pattern.firstIndex(where: { "*?[".contains($0) }) else {
            return [pattern]
        }
        let (store, key) = try engine.file(pattern)
        let prefix = String(key.prefix(key.count - pattern[wildcard...].count))
        let found = try await store.listAll(prefix: prefix).map(\.key)
            .filter { fnmatch(key, $0, FNM_PATHNAME) == 0 }
        guard !found.isEmpty else {
            throw EngineError(.notFound, "no object matches \"\(pattern)\"")
        }
        return found.sorted().map { store.url(of: $0) }
    }

    /// What the name's end says a file holds, below any compression.
    static func format(of path: String) -> FileFormat? {
        var name = path.lowercased()
        for ending in [".gz", ".gzip", ".zst", ".zstd"] where name.hasSuffix(ending) {
            name = String(name.dropLast(ending.count))
        }
        switch name.split(separator: ".").last {
        case "csv", "tsv", "txt": return .csv
        case "ndjson", "jsonl", "json": return .json
        case "parquet", "pq": return .parquet
        case "arrow", "arrows", "ipc", "feather": return .arrow
        default: return nil
        }
    }
}

/// What a file holds.
package enum FileFormat: String, Sendable, CaseIterable {
    case csv, json, parquet, arrow
}
