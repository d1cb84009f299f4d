import Ambient
import Bytes
import Catalog
import CommitLog
import Engine
import HTTPTypes
import HummingbirdCore
import ServiceLifecycle

/// Commits as they come, from any log position on: server-sent events that hold CloudEvents.
///
/// Every commit is one event, in the order of the log, none left out and none twice on a connection. A
/// client that was cut off goes on where it was by `Last-Event-ID`, as browsers do by themselves.
///
/// - Spec: WHATWG HTML, "Server-sent events"; CloudEvents 1.0.2, JSON event format.
struct EventRoutes: Sendable {
    let parts: ServerParts

    var all: [Route] {
        [Route(.get, "/varve/v1/events", weight: .stream) { try await follow($0) }]
    }

    /// How often the log is looked at; commits of this server are seen sooner.
    private static let lookMillis: Int64 = 1000
    private static let pauseNanos: Int64 = 50_000_000
    /// Something is sent at least this often, so that both sides notice when the other is gone.
    private static let silenceNanos: Int64 = 15_000_000_000
    /// Entries read at once.
    private static let entryCountMax = 128

    private func follow(_ request: ServerRequest) async throws -> Reply? {
        let catalog = try await parts.catalog()
        let start = try await start(request, catalog)
        var headers = HTTPFields()
        headers[.contentType] = "text/event-stream"
        headers[.cacheControl] = "no-store"
        let heading = headers
        do {
            try await request.cancellingWhenClientLeaves {
                _ = try await collect(request.body, bytesMax: request.bodyBytesMax)
                try await request.channel.begin(status: 200, headers: heading)
                try await cancelWhenGracefulShutdown {
                    try await send(from: start, catalog, to: request.channel)
                }
            }
        } catch {
            // It ends when the client goes away or the server stops: neither is a failure.
            guard request.channel.hasStarted, isCancellation(error) else { throw error }
            try? await request.channel.finish()
        }
        return nil
    }

    /// Where a stream is: before the commit with this index of the entry at this position.
    private struct Place: Sendable {
        var position: Int64
        var index = 0
    }

    /// Behind `Last-Event-ID`, else `from`, else what comes from now on.
    private func start(_ request: ServerRequest, _ catalog: WarehouseCatalog) async throws -> Place
    {
        if let last = request.headers[HTTPField.Name("Last-Event-ID")] {
            let numbers = last.split(separator: ".", omittingEmptySubsequences: false)
            guard numbers.count == 2, let position = Int64(numbers[0]), position > 0,
                position < Int64.max, let index = Int(numbers[1]), (0..<Int.max).contains(index)
            else {
                throw ServerError(
                    .badRequest,
                    "Last-Event-ID must be the id of an event, such as 12.0, not \"\(last)\""
                )
            }
            return Place(position: position, index: index + 1)
        }
        if let first = try request.target.integer("from", in: 0...(Int64.max - 1)) {
            return Place(position: max(first, 1))
        }
        return Place(position: try await catalog.read().position + 1)
    }

    private func send(
        from start: Place,
        _ catalog: WarehouseCatalog,
        to channel: ResponseChannel
    ) async throws {
        var place = start
        let source = "urn:uuid:\(catalog.warehouse.id)"
        let time = parts.ambient.time
        // So that the client knows at once that it is heard.
        try await channel.write(Array(": the log is followed from here\n\n".utf8))
        var wroteAt = time.monotonicNanos()
        while true {
            try Task.checkCancellation()
            let newest = try await catalog.read(stalenessMillisMax: Self.lookMillis).position
            if place.position <= newest {
                let commits = try await catalog.commits(
                    from: place.position,
                    entryCountMax: Self.entryCountMax
                )
                var piece: [UInt8] = []
                for commit in commits {
                    if commit.position == place.position, commit.index < place.index { continue }
                    piece += commit.event(source: source)
                }
                try await channel.write(piece)
                if !piece.isEmpty { wroteAt = time.monotonicNanos() }
                place = Place(position: (commits.last?.position ?? place.position) + 1)
                continue
            }
            if time.monotonicNanos() - wroteAt >= Self.silenceNanos {
                try await channel.write(Array(": nothing new\n\n".utf8))
                wroteAt = time.monotonicNanos()
            }
            try await time.sleep(nanoseconds: Self.pauseNanos)
        }
    }
}

extension HistoricCommit {
    /// Names the commit in its warehouse for good.
    ///
    /// A commit's own id may be taken again when it is forgotten.
    var eventID: String { "\(position).\(index)" }

    /// The commit as a CloudEvent.
    ///
    /// - Parameter source: the warehouse, as a URI.
    func cloudEvent(source: String) -> JSON {
        [
            "specversion": "1.0", "id": .string(eventID), "source": .string(source),
            "type": "varve.commit", "time": .string(isoTime(micros: timeMillis * 1000)),
            "datacontenttype": "application/json", "data": json,
        ]
    }

    /// The CloudEvent as a server-sent event.
    fileprivate func event(source: String) -> [UInt8] {
        // JSON without line breaks: strings have them escaped.
        Array("id: \(eventID)\nevent: varve.commit\ndata: ".utf8)
            + cloudEvent(source: source).serialized() + Array("\n\n".utf8)
    }
}
