import Ambient
import Catalog
import CommitLog
package import Lineage
import Synchronization

extension Engine {
    /// Where data came from and where it went, folded from the log up to its end.
    package func lineageGraph() async throws -> LineageGraph {
        try await lineage.graph(of: try await catalog(creating: false))
    }

    /// The same where nothing has to be folded for it; nil where the log is ahead.
    package func currentLineageGraph() async throws -> LineageGraph? {
        let last = try await catalog(creating: false).read().position
        return lineage.graph(at: last)
    }

    /// Calls somebody for every index of the lineage that is damaged or could not be written, with the reason.
    package func observeLineageIndex(_ observer: @escaping @Sendable (String) -> Void) async {
        await lineage.observe(observer)
    }

    /// How many indexes of the lineage were damaged or could not be written.
    package var lineageIndexFailureCount: Int {
        get async { await lineage.failureCount }
    }

    /// Checks the indexes of the lineage, and every chunk that they name.
    ///
    /// - Parameter rebuilds: whether to compare them with what the log gives.
    package func verifyLineage(rebuilds: Bool) async throws -> LineageIndexStore.Verification {
        let catalog = try await catalog(creating: false)
        let store = LineageIndexStore(catalog)
        var found = try await store.verify()
        guard rebuilds else { return found }
        let graph = LineageGraph()
        for position in try await store.positions() {
            while (graph.lastPosition ?? 0) < position {
                let next = (graph.lastPosition ?? 0) + 1
                let count = Int(min(position - next + 1, LineageFold.pageEntryCount))
                let commits = try await catalog.commits(from: next, entryCountMax: count)
                if commits.isEmpty { break }
                try graph.apply(commits.map { LineageCommit($0) })
            }
            if let fault = try await store.difference(at: position, from: graph) {
                if !found.faults.contains(where: { $0.key == fault.key }) {
                    found.faults.append(fault)
                }
            } else {
                found.comparedCount += 1
            }
        }
        return found
    }
}

extension Session {
    /// Indexes of the lineage that this process found damaged, and did without.
    package var lineageIndexFaults: [LineageIndexStore.Fault] {
        get async { await engine.lineage.faults }
    }
}

extension LineageIndexStore {
    /// The indexes of a catalog's warehouse.
    init(_ catalog: WarehouseCatalog) {
        self.init(store: catalog.store, warehouseID: catalog.warehouse.id) { position in
            try await catalog.entryHash(at: position)
        }
    }
}

/// The lineage graph of a process: taken from the newest index once, then kept up with the log, and written down
/// when much has come since.
///
/// An actor because the fold must see each entry once and in order. A second question that comes
/// while the first reads the log waits behind it only for what it needs: both read from where the
/// graph ends, and the one that comes back second finds its entries applied already.
package actor LineageFold {
    /// Entries that are read at once.
    fileprivate static let pageEntryCount: Int64 = 1000
    /// An index is due when so many commits came since the last one, and so large a part of all.
    private static let dueCountMin = 1000
    private static let duePart = 8

    /// Larger indexes are not written in the background; nil for no bound.
    private let byteCountMax: Int?
    private var opening: Task<LineageGraph, any Error>?
    /// The graph once it is open: whoever finds it at the log's end needs nothing of the actor.
    private nonisolated let known = Mutex<LineageGraph?>(nil)
    /// The index that was loaded or written last.
    private var base: IndexHeader?
    /// Commits at the last index, or the last attempt at one.
    private var attemptedCount = 0
    private var writing: Task<Void, Never>?
    private var observer: (@Sendable (String) -> Void)?
    /// Indexes that were of no use.
    private(set) var faults: [LineageIndexStore.Fault] = []
    /// Those, and indexes that could not be written.
    private(set) var failureCount = 0

    init(byteCountMax: Int?) { self.byteCountMax = byteCountMax }

    func observe(_ observer: @escaping @Sendable (String) -> Void) { self.observer = observer }

    /// The graph up to the log's end.
    nonisolated func graph(of catalog: WarehouseCatalog) async throws -> LineageGraph {
        let last = try await catalog.read().position
        if let graph = graph(at: last) { return graph }
        return try await graph(of: catalog, to: last)
    }

    /// The graph, if it has been folded up to a position.
    nonisolated func graph(at last: Int64) -> LineageGraph? {
        known.withLock { $0 }.flatMap { $0.lastPosition ?? 0 >= last ? $0 : nil }
    }

    private func graph(
        of catalog: WarehouseCatalog,
        to last: Int64
    ) async throws -> LineageGraph {
        let graph = try await current(catalog, to: last)
        beginWritingIfDue(graph, catalog)
        return graph
    }

    /// The graph up to a position or further.
    private func current(
        _ catalog: WarehouseCatalog,
        to last: Int64
    ) async throws -> LineageGraph {
        let graph = try await opened(catalog)
        while (graph.lastPosition ?? 0) < last {
            let next = (graph.lastPosition ?? 0) + 1
            let commits = try await catalog.commits(
                from: next,
                entryCountMax: Int(Self.pageEntryCount)
            )
            let known = graph.lastPosition ?? 0
            let fresh = commits.filter { $0.position > known }
            if fresh.isEmpty { break }
            try graph.apply(fresh.map { LineageCommit($0) })
        }
        return graph
    }

    // MARK: The newest index

    /// The graph that the newest index has; whoever asks first reads it.
    private func opened(_ catalog: WarehouseCatalog) async throws -> LineageGraph {
        if let opening { return try await opening.value }
        let task = Task { try await open(catalog) }
        opening = task
        do {
            return try await task.value
        } catch {
            if opening == task { opening = nil }
            throw error
        }
    }

    private func open(_ catalog: WarehouseCatalog) async throws -> LineageGraph {
        let (loaded, faults) = try await LineageIndexStore(catalog).loadNewest()
        self.faults = faults
        for fault in faults { report("\(fault.key) was not used: \(fault.message)") }
        base = loaded?.header
        attemptedCount = loaded?.header.commitCount ?? 0
        let graph = loaded?.graph ?? LineageGraph()
        known.withLock { $0 = graph }
        return graph
    }

    private func report(_ reason: String) {
        failureCount += 1
        observer?(reason)
    }

    // MARK: The next index

    /// Writes an index up to the log's end now.
    ///
    /// - Returns: nil for a log without commits.
    func writeIndex(of catalog: WarehouseCatalog) async throws -> LineageIndexStore.Report? {
        let graph = try await current(catalog, to: try await catalog.read().position)
        while let writing { await writing.value }
        return try await write(graph, catalog)
    }

    private func write(
        _ graph: LineageGraph,
        _ catalog: WarehouseCatalog
    ) async throws -> LineageIndexStore.Report? {
        guard let image = IndexImage(graph) else { return nil }
        let (header, report) = try await LineageIndexStore(catalog).write(image, base: base)
        if header.position > base?.position ?? 0 { base = header }
        attemptedCount = max(attemptedCount, header.commitCount)
        return report
    }

    private func beginWritingIfDue(_ graph: LineageGraph, _ catalog: WarehouseCatalog) {
        let count = graph.commitCount
        let dueCount = max(Self.dueCountMin, count / Self.duePart)
        guard writing == nil, count - attemptedCount >= dueCount else { return }
        // Failed or not, the next one is due when as much has happened again.
        attemptedCount = count
        if let byteCountMax, graph.byteCount > byteCountMax { return }
        let damaged = Set(faults.map(\.key))
        writing = Task(priority: .utility) {
            do {
                let store = LineageIndexStore(catalog)
                // Of many servers one will do.
                let hasOne = try await store.hasIndex(
                    commitCountMin: count - dueCount / 2,
                    besides: damaged
                )
                if !hasOne { _ = try await write(graph, catalog) }
            } catch is CancellationError {
                // The process ends: a later one does it.
            } catch {
                report("it could not be written: \(error)")
            }
            writing = nil
        }
    }

    /// Waits until an index in the background is written, or gives up on it after a time.
    func finishWriting(waitMillisMax: Int64, time: any TimeSource) async {
        guard let writing else { return }
        await finish(writing, waitMillisMax: waitMillisMax, time: time)
    }
}
