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

    package init(
        reads: ReadOptions = ReadOptions(),
        ambient: AmbientSources = .system,
        workers: WorkerPool = .shared,
        environment: EnvironmentVariables = .process
    ) {
        self.reads = reads
        self.ambient = ambient
        self.workers = workers
        self.environment = environment
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
    throw ObjectStoreError(.unsupported, "no store is known for this URL", store: url)
}
