import Ambient
import Bytes
import Catalog
import CommitLog
package import Lineage

/// What events say together, kept up with both logs.
///
/// An actor because each log must be folded once and in order, and because answers are made where the model is, which
/// is too large to be copied. One question reads what is new in the logs; those that come meanwhile wait for it, then
/// read what came since. If the one gives up, the next goes on where it was.
actor OpenLineageFold {
    private var model = OpenLineageModel()
    /// The last positions that were folded.
    private var commitPosition: Int64 = 0
    private var eventPosition: Int64 = 0
    /// Where reading the log of events goes on: some of the entries after it may be folded already.
    private var eventTip: ChainTip?
    private var isFolding = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    /// How many entries of the log of events are read at once: so many that their text has about `bytesAimed`.
    private var entryCount = 8
    private static let entryCountMax = 256
    private static let bytesAimed = 8 << 20

    /// Asks the model, once it has all that was acknowledged before.
    func read<Answer: Sendable>(
        _ engine: Engine,
        _ body: @Sendable (inout OpenLineageModel) throws -> Answer
    ) async throws -> Answer {
        try await catchUp(engine)
        return try body(&model)
    }

    private func catchUp(_ engine: Engine) async throws {
        while isFolding {
            await withCheckedContinuation { waiting.append($0) }
            try Task.checkCancellation()
        }
        isFolding = true
        defer {
            isFolding = false
            for one in waiting { one.resume() }
            waiting = []
        }
        try await foldCommits(of: engine)
        try await foldEvents(of: engine)
    }

    private func foldCommits(of engine: Engine) async throws {
        let graph = try await engine.lineageGraph()
        let last = graph.lastPosition ?? 0
        let writer = OpenLineageWriter(namespace: engine.warehouseURL)
        while commitPosition < last {
            let position = commitPosition + 1
            let events = writer.events(in: graph, positions: position...position)
            for (index, json) in events.enumerated() {
                model.apply(
                    try OpenLineageEvent(json: json),
                    at: EventPlace(.commits, position: position, index: index),
                    isOwn: true
                )
            }
            commitPosition = position
            if position % 256 == 0 { try await pause() }
        }
    }

    private func foldEvents(of engine: Engine) async throws {
        guard let log = try await engine.openLineageEvents(creating: false) else { return }
        let last = try await log.lastPosition()
        guard eventPosition < last else { return }
        var page = try await nextPage(of: log, after: eventTip, last, engine.decodedFacets)
        var snapshots: OwnSnapshots?
        while !page.entries.isEmpty {
            // Read and decoded while this one is applied.
            let tip = page.tip
            async let next = nextPage(of: log, after: tip, last, engine.decodedFacets)
            for entry in page.entries where entry.position > eventPosition {
                for (index, event) in entry.events.enumerated() {
                    let event = try await checked(event, &snapshots, engine)
                    model.apply(
                        event,
                        at: EventPlace(.events, position: entry.position, index: index)
                    )
                }
                eventPosition = entry.position
                try await pause()
            }
            eventTip = tip
            page = try await next
        }
    }

    /// The event without snapshots of tables of ours that these do not have.
    ///
    /// - Parameter snapshots: what the catalog has, read when first needed: after the event came.
    private func checked(
        _ event: OpenLineageEvent,
        _ snapshots: inout OwnSnapshots?,
        _ engine: Engine
    ) async throws -> OpenLineageEvent {
        let reporting = event.datasetsWithReports
        if reporting.isEmpty { return event }
        var missing: Set<ReportedSnapshot> = []
        for dataset in reporting {
            guard let reported = dataset.reportedSnapshot else { continue }
            let names = model.allNames(of: dataset)
            if model.hasVersion(String(reported.id), names) { continue }
            if snapshots == nil { snapshots = try await OwnSnapshots(engine) }
            guard var known = snapshots else { continue }
            let opening = engine.eventLogOpening
            let found = try await known.has(reported.id, names)
            snapshots = known
            for reason in known.takeFaults() { await opening.report(reason) }
            // One that was dropped has the versions that commits told of, and no others.
            if !(found ?? !model.isOwnTable(names)) { missing.insert(reported) }
        }
        if missing.isEmpty { return event }
        var event = event
        event.removeReports(of: missing)
        return event
    }

    private nonisolated func nextPage(
        of log: LineageEventLog,
        after tip: ChainTip?,
        _ last: Int64,
        _ decoded: DecodedFacets
    ) async throws -> LineageEventLog.Page {
        if let tip, tip.sequence >= last { return LineageEventLog.Page(tip: tip) }
        // None beyond the last: what is looked up in the catalog for these may be older than they are.
        let leftCount = Int(clamping: last - (tip?.sequence ?? 0))
        let page = try await log.page(
            after: tip,
            entryCountMax: min(await entryCount, leftCount),
            decoded: decoded
        )
        await note(page.byteCount, of: page.entries.count)
        return page
    }

    /// Chooses how many entries are read next, by those that were.
    private func note(_ byteCount: Int, of count: Int) {
        if byteCount > Self.bytesAimed {
            entryCount = max(entryCount / 2, 1)
        } else if count >= entryCount, byteCount < Self.bytesAimed / 2 {
            entryCount = min(entryCount * 2, Self.entryCountMax)
        }
    }

    /// Lets others have the thread.
    private func pause() async throws {
        await Task.yield()
        try Task.checkCancellation()
    }
}

/// Where the events of an entry come from, as a key.
struct EventEntryKey: Hashable, Sendable {
    var log: EventPlace.Log
    var position: Int64
}

extension Engine {
    /// Events that were read lately, in bytes of memory, about.
    static let eventCacheBytesMax = 64 << 20

    /// Asks what all events say together: those of others and those of our own commits.
    ///
    /// Sees everything that was acknowledged before. The first question of a process reads both logs from their
    /// beginning.
    package func openLineage<Answer: Sendable>(
        _ body: @Sendable (inout OpenLineageModel) throws -> Answer
    ) async throws -> Answer {
        try await openLineageFold.read(self, body)
    }

    /// The events that lie at some places.
    package func openLineageEvents(at places: [EventPlace]) async throws -> LoadedEvents {
        var loaded = LoadedEvents()
        for (key, places) in Dictionary(
            grouping: places,
            by: { EventEntryKey(log: $0.log, position: $0.position) }
        ) {
            try Task.checkCancellation()
            let events = try await openLineageEvents(of: key)
            for place in places where events.indices.contains(Int(place.index)) {
                loaded[place] = events[Int(place.index)].json
            }
        }
        return loaded
    }

    private func openLineageEvents(of key: EventEntryKey) async throws -> [JSONView] {
        if let known = eventCache.find(key) { return known }
        var events: [JSONView] = []
        switch key.log {
        case .commits:
            events = try OpenLineageWriter(namespace: warehouseURL).events(
                in: try await lineageGraph(),
                positions: key.position...key.position
            ).map { try JSONView($0) }
        case .events:
            if let log = try await openLineageEvents(creating: false) {
                events =
                    try await log.events(from: key.position, entryCountMax: 1).first?.events ?? []
            }
        }
        // What lies where in a text takes about twice as much as the text.
        let byteCount = events.reduce(64) { $0 + 3 * $1.byteCount }
        eventCache.insert(events, for: key, byteCount: byteCount)
        return events
    }
}
