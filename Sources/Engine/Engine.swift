package import Ambient
import Bytes
package import Catalog
package import Execution
import Glibc
package import Lineage
package import ObjectStorage
import Synchronization
import Tables

/// What all sessions of a process share for one warehouse.
///
/// The warehouse is opened when something first needs it: a query over files alone never touches it.
package final class Engine: Sendable {
    /// Of the program.
    package static let version = "0.1.0"

    /// How an engine runs.
    package struct Options: Sendable {
        package var ambient = AmbientSources.system
        package var query = QueryOptions()
        package var store = StoreOptions()
        package var catalog = CatalogOptions()
        /// Indexes of the lineage with more bytes are not written in the background, for a process that soon
        /// ends would begin with one again and again; nil for a process that stays.
        package var lineageIndexBytesMax: Int? = 256 << 20

        package init() {}
    }

    /// `./lake`, `file:///…` or `s3://bucket/prefix`.
    package let warehouseURL: String
    package let options: Options
    private let opening = WarehouseOpening()
    let lineage: LineageFold
    let carriedMaps = CarriedColumnMaps()
    let viewMemory = ViewMemory()
    let eventLogOpening = LineageEventLogOpening()
    let openLineageFold = OpenLineageFold()
    /// What schemas and column lineages of events were decoded to.
    package let decodedFacets = DecodedFacets()
    let eventCache = LeastRecentlyUsedCache<EventEntryKey, [JSONView]>(
        byteCountMax: Engine.eventCacheBytesMax
    )
    /// What clients of this process reported.
    package let metricsReports = MetricsReports()

    package init(warehouseURL: String, options: Options = Options()) {
        self.warehouseURL = warehouseURL
        self.options = options
        lineage = LineageFold(byteCountMax: options.lineageIndexBytesMax)
    }

    /// The warehouse's catalog.
    ///
    /// - Parameter creating: whether to make the warehouse when there is none.
    /// - Throws: when there is none and it is not to be made.
    package func catalog(creating: Bool) async throws -> WarehouseCatalog {
        try await opening.open(creating: creating) { creating in
            let store = try openStore(url: self.warehouseURL, options: self.options.store)
            var catalogOptions = self.options.catalog
            catalogOptions.creates = creating
            let storeOptions = self.options.store
            catalogOptions.openOutside = { try openStore(url: $0, options: storeOptions) }
            return try await WarehouseCatalog.open(
                store: store,
                ambient: self.options.ambient,
                options: catalogOptions
            )
        }
    }
}

extension Engine {
    /// Waits for checkpoints and indexes that are written in the background, but not longer than said.
    ///
    /// A process that ends without is as well: a later one does it.
    package func finishBackgroundWork(waitMillisMax: Int64) async {
        async let index: Void = lineage.finishWriting(
            waitMillisMax: waitMillisMax,
            time: options.ambient.time
        )
        await opening.opened?.finishCheckpoint(waitMillisMax: waitMillisMax)
        await eventLogOpening.opened?.finishBackgroundWork(waitMillisMax: waitMillisMax)
        await index
    }

    /// The store and key of a file that a statement names by path or URL.
    func file(_ path: String) throws -> (store: any ObjectStore, key: String) {
        if path.hasPrefix("s3://") {
            let rest = path.dropFirst(5)
            guard let slash = rest.firstIndex(of: "/"), rest.index(after: slash) < rest.endIndex
            else { throw EngineError(.invalid, "\(path) names no object") }
            let store = try openStore(
                url: "s3://" + rest[..<slash],
                options: options.store
            )
            return (store, String(rest[rest.index(after: slash)...]))
        }
        let local = path.hasPrefix("file://") ? String(path.dropFirst(7)) : path
        guard let resolved = realpath(local, nil) else {
            throw EngineError(.notFound, "file \"\(path)\" cannot be read")
        }
        defer { free(resolved) }
        let absolute = String(cString: resolved)
        return (
            try openStore(url: "file:///", options: options.store), String(absolute.dropFirst())
        )
    }

    /// A file of rows that a statement names by path or URL.
    func inputFile(_ path: String) throws -> InputFile {
        path.hasPrefix("s3://") ? .stored(try scanFile(path), path: path) : .local(path: path)
    }

    /// A Parquet file that a statement names by path or URL.
    func scanFile(_ path: String) throws -> ScanFile {
        let (store, key) = try file(path)
        return ScanFile(store: store, key: key)
    }
}

/// Opens a warehouse once, whoever asks first.
///
/// A second caller may come while the first opens, and then opens the same warehouse again, which is harmless: the
/// first one in stays.
private final class WarehouseOpening: Sendable {
    private let catalog = Mutex<WarehouseCatalog?>(nil)

    /// The catalog, if somebody has needed it.
    var opened: WarehouseCatalog? { catalog.withLock { $0 } }

    func open(
        creating: Bool,
        _ body: @Sendable (Bool) async throws -> WarehouseCatalog
    ) async throws -> WarehouseCatalog {
        if let opened { return opened }
        let made = try await body(creating)
        return catalog.withLock { catalog in
            if let first = catalog { return first }
            catalog = made
            return made
        }
    }
}
