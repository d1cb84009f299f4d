import Ambient
import Bytes
import Catalog
import CommitLog
package import Lineage
import ObjectStorage

/// The events of OpenLineage that others sent, in a log of their own beside the catalog's.
///
/// - Spec: Formats/lineage-events/README.md.
package final class LineageEventLog: Sendable {
    let log: SharedLog<EventMachine>

    /// What became of one of several events.
    package struct Added: Sendable {
        /// Its place among them.
        package let index: Int
        package let receipt: EventReceipt?
        /// Why it is not in the log, or may be without anybody knowing.
        package let error: (any Error)?
    }

    private init(_ log: SharedLog<EventMachine>) {
        self.log = log
    }

    /// Ids that are remembered: an event that is sent again within so many others is recognised.
    static let idCountMax = 200_000

    /// - Parameter creating: whether to make the log where there is none.
    /// - Returns: nil when there is none and it is not to be made.
    static func open(
        in catalog: WarehouseCatalog,
        ambient: AmbientSources,
        options: CatalogOptions,
        creating: Bool
    ) async throws -> LineageEventLog? {
        let store = PrefixedStore(catalog.store, prefix: EventMachine.rootKey)
        let warehouse: Warehouse
        if creating {
            warehouse = try await Warehouse.openOrCreate(in: store, ambient: ambient).warehouse
        } else {
            do {
                warehouse = try await Warehouse.open(in: store)
            } catch let error as CommitLogError {
                guard error.code == .notFound else { throw error }
                return nil
            }
        }
        var logOptions = options.log
        logOptions.server = catalog.server
        // Events are small and many; what waits while an entry is written goes into the next one.
        logOptions.entryBytesMax = 4 << 20
        logOptions.commitCountMax = 4096
        logOptions.idCountMax = idCountMax
        logOptions.idCountMin = idCountMax / 2
        return LineageEventLog(
            try await SharedLog.open(
                store: store,
                warehouse: warehouse,
                machine: EventMachine(),
                ambient: ambient,
                options: logOptions
            )
        )
    }

    /// Adds an event; one that is there already, by its id, changes nothing.
    ///
    /// It is in the store when this returns.
    package func add(_ request: EventRequest) async throws -> EventReceipt {
        try await log.commit(request)
    }

    /// Adds events, as many at once as fit into an entry; each lands or fails by itself.
    ///
    /// - Returns: what became of each, in their order.
    /// - Throws: `CancellationError` only.
    package func add(_ requests: [EventRequest]) async throws -> [Added] {
        try await withThrowingTaskGroup(of: Added.self) { group in
            for (index, request) in requests.enumerated() {
                group.addTask {
                    do {
                        let receipt = try await self.log.commit(request)
                        return Added(index: index, receipt: receipt, error: nil)
                    } catch let error as CancellationError {
                        throw error
                    } catch {
                        return Added(index: index, receipt: nil, error: error)
                    }
                }
            }
            var added: [Added] = []
            added.reserveCapacity(requests.count)
            for try await one in group { added.append(one) }
            return added.sorted { $0.index < $1.index }
        }
    }

    /// The last entry, as of now; 0 for none.
    func lastPosition() async throws -> Int64 { try await log.read().tip.sequence }

    /// How many events there are.
    package func eventCount() async throws -> Int64 { try await log.read().state.eventCount }

    /// An entry's position and its events.
    struct Entry<Event: Sendable>: Sendable {
        var position: Int64
        var events: [Event]
    }

    /// The events of entries from a position on, in order.
    func events(
        from position: Int64,
        entryCountMax: Int
    ) async throws -> [Entry<JSONView>] {
        try await log.entries(from: position, countMax: entryCountMax).map { entry in
            Entry(
                position: entry.sequence,
                events: try entry.commits.map { try EventMachine.event(of: $0) }
            )
        }
    }

    /// Entries in order, and what their events say.
    struct Page: Sendable {
        var entries: [Entry<OpenLineageEvent>] = []
        /// Of the events' text.
        var byteCount = 0
        /// The tip after the last entry.
        var tip: ChainTip
    }

    /// What the events of the entries after a tip say, in order.
    ///
    /// - Parameter tip: nil for the beginning.
    /// - Throws: `corrupt` for an event that is none.
    func page(
        after tip: ChainTip?,
        entryCountMax: Int,
        decoded: DecodedFacets
    ) async throws -> Page {
        let (found, end) = try await log.entries(
            after: tip ?? ChainTip(log.warehouse),
            countMax: entryCountMax
        )
        var page = Page(tip: end)
        page.entries.reserveCapacity(found.count)
        for entry in found {
            try Task.checkCancellation()
            var events: [OpenLineageEvent] = []
            events.reserveCapacity(entry.commits.count)
            for (index, commit) in entry.commits.enumerated() {
                do throws(LineageError) {
                    let view = try EventMachine.event(of: commit)
                    page.byteCount += view.byteCount
                    events.append(try OpenLineageEvent(view, decoded: decoded))
                } catch {
                    throw LineageError(
                        .corrupt,
                        "event \(index) of \(EventMachine.rootKey)/"
                            + "\(LogEntry.key(of: entry.sequence)) is none that this version reads, "
                            + "so that nothing can be told of any: \(error). "
                            + "`varve audit verify --quick` lists all such events"
                    )
                }
            }
            page.entries.append(Entry(position: entry.sequence, events: events))
        }
        return page
    }

    /// Waits for what the log does in the background, but not longer than said.
    func finishBackgroundWork(waitMillisMax: Int64) async {
        await log.finishCheckpoint(waitMillisMax: waitMillisMax)
    }
}

/// Opens the log of events once, whoever asks first.
///
/// An actor because the opening must not happen twice; a second caller may enter while the first awaits, and
/// then opens the same log again, which is harmless: the first one in stays.
actor LineageEventLogOpening {
    private var log: LineageEventLog?

    private var observer: (@Sendable (String) -> Void)?

    /// The log, if somebody has needed it.
    var opened: LineageEventLog? { log }

    /// Calls somebody for what goes wrong in the background.
    func observe(_ observer: @escaping @Sendable (String) -> Void) {
        self.observer = observer
        log?.observe(observer)
    }

    /// Tells of something that went wrong.
    func report(_ reason: String) { observer?(reason) }

    func open(
        _ body: @Sendable () async throws -> LineageEventLog?
    ) async throws -> LineageEventLog? {
        if let log { return log }
        let opened = try await body()
        if let log { return log }
        log = opened
        if let observer { opened?.observe(observer) }
        return opened
    }
}

extension Engine {
    /// The log of events, which is made if there is none yet.
    package func lineageEvents() async throws -> LineageEventLog {
        guard let log = try await openLineageEvents(creating: true) else {
            throw EngineError(.notFound, "there is no log of events in \(warehouseURL)")
        }
        return log
    }

    /// The log of events; nil while nobody has sent one.
    func openLineageEvents(creating: Bool) async throws -> LineageEventLog? {
        let catalog = try await catalog(creating: false)
        let options = options
        return try await eventLogOpening.open {
            try await LineageEventLog.open(
                in: catalog,
                ambient: options.ambient,
                options: options.catalog,
                creating: creating
            )
        }
    }
}
