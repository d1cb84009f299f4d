package import Ambient

/// How to open a store.
package struct StoreOptions: Sendable {
    /// How reads of many ranges become requests.
    package var reads: ReadOptions
    /// Clock and randomness.
    package var ambient: AmbientSources
    /// Where blocking file calls run.
    package var workers: WorkerPool
    /// Where settings come from that are not given here.
    package var environment: EnvironmentVariables
    /// Settings of S3 stores.
    package var s3: S3Options
    /// Whether folder stores wait until the disk has what was written.
    ///
    /// Without it a power failure, but no mere crash of the process, may lose answered writes.
    package var syncsFolders: Bool

    package init(
        reads: ReadOptions = ReadOptions(),
        ambient: AmbientSources = .system,
        workers: WorkerPool = .shared,
        environment: EnvironmentVariables = .process,
        s3: S3Options = S3Options(),
        syncsFolders: Bool = true
    ) {
        self.reads = reads
        self.ambient = ambient
        self.workers = workers
        self.environment = environment
        self.s3 = s3
        self.syncsFolders = syncsFolders
    }
}

/// Opens the store that a URL names: `memory:`, `file:///path`, a path, or `s3://bucket/prefix`.
///
/// - Throws: `invalid` for URLs and settings that make no sense.
package func openStore(
    url: String,
    options: StoreOptions = StoreOptions()
) throws -> any ObjectStore {
    if url == "memory:" {
        return MemoryStore(time: options.ambient.time, options: options.reads)
    }
    if ["s3://", "s3a://", "s3n://"].contains(where: url.hasPrefix) {
        return try S3Store(url: url, options: options)
    }
    if url.hasPrefix("file:") {
        // file:///path, file:/path and file://localhost/path name the same thing.
        var path = url.dropFirst(5)
        if path.hasPrefix("//") { path = path.dropFirst(2) }
        if path.hasPrefix("localhost/") { path = path.dropFirst(9) }
        guard path.hasPrefix("/"), let decoded = percentDecodedPath(String(path)) else {
            throw ObjectStoreError(
                .invalid,
                "a file URL has the form file:///absolute/path",
                store: url
            )
        }
        return try FolderStore(path: decoded, options: options)
    }
    if let colon = url.range(ofFirst: "://") {
        throw ObjectStoreError(
            .unsupported,
            "no store is known for \(url[..<colon]); use a path, file://, s3:// or memory:",
            store: url
        )
    }
    return try FolderStore(path: url, options: options)
}

/// Undoes percent-encoding in a path, where `+` means itself.
private func percentDecodedPath(_ path: String) -> String? {
    percentDecoded(
        path.split(separator: "+", omittingEmptySubsequences: false).joined(separator: "%2B")
    )
}

extension String {
    /// Where a text first occurs.
    fileprivate func range(ofFirst text: String) -> String.Index? {
        indices.first { self[$0...].hasPrefix(text) }
    }
}
