import Glibc

/// Files that statements and imports name by path.
enum ExternalFiles {
    /// The files of a path or a pattern (`*`, `?`, `[a-z]`), in the order of their names.
    ///
    /// - Throws: when there is none.
    static func expand(_ path: String) throws -> [String] {
        if path.hasPrefix("s3://") { return [path] }
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

/// Reads a local file from its beginning, piece by piece, undoing compression that its name tells.
final class LocalFileReader {
    private let descriptor: Int32
    private let path: String
    /// Bytes of the file, compressed or not, that have been read.
    private(set) var bytesRead = 0

    init(_ path: String) throws {
        self.path = path
        descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        if descriptor < 0 {
            throw EngineError(
                .notFound,
                "file \"\(path)\" cannot be read: \(String(cString: strerror(errno)))"
            )
        }
        posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL)
    }

    deinit {
        close(descriptor)
    }

    /// The next bytes; empty at the end.
    func next(_ countMax: Int = 1 << 18) throws -> [UInt8] {
        var failure: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: countMax) { buffer, count in
            var got = -1
            repeat {
                got = Glibc.read(descriptor, buffer.baseAddress, countMax)
            } while got < 0 && errno == EINTR
            if got < 0 { failure = errno }
            count = max(0, got)
        }
        if failure != 0 {
            throw EngineError(
                .invalid,
                "reading \"\(path)\" failed: \(String(cString: strerror(failure)))"
            )
        }
        bytesRead += bytes.count
        return bytes
    }
}
