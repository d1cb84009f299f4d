import Bytes
import Catalog
import CommitLog
import ObjectStorage

/// One event, or several, as they are sent.
///
/// - Spec: CloudEvents 1.0.2, HTTP protocol binding: structured and batched content mode.
struct WebhookMessage: Sendable {
    /// The same for the same events, whoever sends them and however often.
    let id: String
    let contentType: String
    let body: [UInt8]
    let eventCount: Int
    /// Where the log goes on when the message has been taken.
    let end: WebhookRecord.Place
}

/// Puts the events that a webhook wants into messages, in the order of the log.
struct WebhookMessages: Sendable {
    /// What each of some commits is to receivers: any number of events.
    typealias Events = @Sendable ([HistoricCommit]) async throws -> [[JSON]]

    /// A message takes no more events once it has as many bytes.
    private static let bytesMax = 1 << 20

    private let filter: WebhookFilter
    private let format: WebhookSettings.Format
    private let warehouseID: String
    private let events: Events
    private let eventsMax: Int

    /// - Parameter lineage: the events of OpenLineage of some commits.
    init(_ settings: WebhookSettings, warehouseID: String, lineage: @escaping Events) {
        filter = WebhookFilter(settings)
        format = settings.format
        eventsMax = max(settings.batchEventsMax, 1)
        self.warehouseID = warehouseID
        let source = "urn:uuid:\(warehouseID)"
        switch settings.format {
        case .cloudEvents: events = { $0.map { [$0.cloudEvent(source: source)] } }
        case .openLineage: events = lineage
        }
    }

    /// The messages of some entries' commits.
    ///
    /// - Parameters:
    ///   - commits: all of the entries from that of `start` on, in order.
    ///   - start: commits before it are left out.
    func messages(
        of commits: [HistoricCommit],
        from start: WebhookRecord.Place
    ) async throws -> [WebhookMessage] {
        var messages: [WebhookMessage] = []
        var (bodies, ids, byteCount) = ([[UInt8]](), [String](), 0)
        var end = start
        func finish() {
            messages.append(message(bodies, ids, end: end))
            (bodies, ids, byteCount) = ([], [], 0)
        }
        let wanted = commits.filter { commit in
            let place = WebhookRecord.Place(position: commit.position, index: commit.index)
            return place >= start && filter.takes(commit)
        }
        for (commit, found) in zip(wanted, wanted.isEmpty ? [] : try await events(wanted)) {
            let place = WebhookRecord.Place(position: commit.position, index: commit.index)
            for (number, event) in found.enumerated() {
                let body = event.serialized()
                if !bodies.isEmpty, byteCount + body.count > Self.bytesMax { finish() }
                bodies.append(body)
                ids.append(found.count == 1 ? commit.eventID : "\(commit.eventID).\(number)")
                byteCount += body.count
                // A commit is behind us when its last event is.
                let isLast = number == found.count - 1
                end = .init(position: place.position, index: place.index + (isLast ? 1 : 0))
                if bodies.count >= eventsMax { finish() }
            }
        }
        if !bodies.isEmpty { finish() }
        return messages
    }

    private func message(
        _ events: [[UInt8]],
        _ ids: [String],
        end: WebhookRecord.Place
    ) -> WebhookMessage {
        guard eventsMax > 1 else {
            // Without a full stop, which parts what is signed.
            let id = ids[0].split(separator: ".").joined(separator: "_")
            return WebhookMessage(
                id: "event_\(warehouseID)_\(id)",
                contentType: format == .cloudEvents
                    ? "application/cloudevents+json" : "application/json",
                body: events[0],
                eventCount: 1,
                end: end
            )
        }
        // After a crash other events may come together: receivers that know the id must know them all.
        let name = sha256Text(Array(ids.joined(separator: " ").utf8)).prefix(32)
        return WebhookMessage(
            id: "batch_\(warehouseID)_\(name)",
            contentType: format == .cloudEvents
                ? "application/cloudevents-batch+json" : "application/json",
            body: [UInt8(ascii: "[")] + events.joined(separator: [UInt8(ascii: ",")])
                + [UInt8(ascii: "]")],
            eventCount: events.count,
            end: end
        )
    }
}

/// Which commits a webhook wants.
struct WebhookFilter: Sendable {
    private let namespaces: [[String]]
    private let tables: Set<[String]>

    init(_ settings: WebhookSettings) {
        namespaces = settings.namespaces.map(Self.levels)
        tables = Set(settings.tables.map(Self.levels))
    }

    /// Levels are joined by dots, or by 0x1F, where names have dots themselves.
    private static func levels(_ text: String) -> [String] {
        let separator: Character = text.contains("\u{1F}") ? "\u{1F}" : "."
        return text.split(separator: separator, omittingEmptySubsequences: false).map(String.init)
    }

    func takes(_ commit: HistoricCommit) -> Bool {
        if namespaces.isEmpty, tables.isEmpty { return true }
        return commit.changes.contains { takes($0.json) }
    }

    /// Goes by the members that all kinds of changes have in common, of kinds to come too.
    private func takes(_ change: JSON) -> Bool {
        for (namespace, name) in [("namespace", "name"), ("to-namespace", "to-name")] {
            guard let levels = change[namespace]?.array?.compactMap(\.string) else { continue }
            if namespaces.contains(where: { levels.starts(with: $0) }) { return true }
            if let name = change[name]?.string, tables.contains(levels + [name]) { return true }
        }
        return false
    }
}
