import Ambient
import Bytes
import Catalog
package import Lineage

/// What events say together, kept up with both logs.
///
/// An actor because each log must be folded once and in order, and because answers are made where the model is, which
/// is too large to be copied. A second question that comes while the first reads the logs reads what it needs itself;
/// what is folded by then is skipped.
actor OpenLineageFold {
    private var model = OpenLineageModel()
    /// The last positions that were folded.
    private var commitPosition: Int64 = 0
    private var eventPosition: Int64 = 0
    private static let entriesAtOnce = 64

    /// Asks the model, once it has all that was acknowledged before.
    func read<Answer: Sendable>(
        _ engine: Engine,
        _ body: @Sendable (inout OpenLineageModel) throws -> Answer
    ) async throws -> Answer {
        try await foldCommits(of: engine)
        try await foldEvents(of: engine)
        return try body(&model)
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
        while eventPosition < last {
            let entries = try await log.events(
                from: eventPosition + 1,
                entryCountMax: Self.entriesAtOnce
            )
            if entries.isEmpty { return }
            for entry in entries where entry.position > eventPosition {
                for (index, json) in entry.events.enumerated() {
                    model.apply(
                        try OpenLineageEvent(json: json),
                        at: EventPlace(.events, position: entry.position, index: index)
                    )
                }
                eventPosition = entry.position
                try await pause()
            }
        }
    }

    /// Lets others have the thread; what comes in here meanwhile folds on from where this is.
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
    /// Events that were read lately, in bytes of JSON.
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
                loaded[place] = events[Int(place.index)]
            }
        }
        return loaded
    }

    private func openLineageEvents(of key: EventEntryKey) async throws -> [JSON] {
        if let known = eventCache.find(key) { return known }
        var events: [JSON] = []
        switch key.log {
        case .commits:
            events = OpenLineageWriter(namespace: warehouseURL).events(
                in: try await lineageGraph(),
                positions: key.position...key.position
            )
        case .events:
            if let log = try await openLineageEvents(creating: false) {
                events =
                    try await log.events(from: key.position, entryCountMax: 1).first?.events ?? []
            }
        }
        let byteCount = events.reduce(64) { $0 + $1.serialized().count }
        eventCache.insert(events, for: key, byteCount: byteCount)
        return events
    }
}
