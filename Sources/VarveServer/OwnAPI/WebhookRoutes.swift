import Ambient
import Bytes
import Catalog
import CommitLog
import HTTPTypes

/// How far webhooks are, and what keeps them.
struct WebhookRoutes: Sendable {
    let parts: ServerParts

    var all: [Route] {
        [Route(.get, "/varve/v1/webhooks") { _ in try await webhooks() }]
    }

    private func webhooks() async throws -> Reply {
        let newest = try await parts.catalog().read().position
        let list = try await mapBounded(parts.webhooks.deliveries, countMax: 8) {
            try await self.json($0, newest: newest)
        }
        return .json(["webhooks": .array(list), "position": .integer(newest)])
    }

    private func json(_ delivery: WebhookDelivery, newest: Int64) async throws -> JSON {
        let settings = delivery.settings
        // Of what this server delivers it knows more than it has written.
        var status = delivery.status
        var stored: WebhookRecord?
        do {
            stored = try await delivery.storedRecord()
        } catch let error as CommitLogError {
            // One that is damaged must not hide the others.
            status.trouble = error.description
        }
        let isHere = delivery.isHere && stored?.lease == status.record?.lease
        let place = (isHere ? status.place : nil) ?? stored?.place
        let failure = isHere ? status.failure : stored?.failure
        let disabling = stored?.disabling.flatMap {
            $0.settings == settings.fingerprint ? $0 : nil
        }
        var object: JSONObject = [
            "name": .string(settings.name),
            // What is behind it may be a secret of the receiver's.
            "url": .string(String(settings.url.prefix { $0 != "?" })),
            "state": .string(
                disabling != nil
                    ? "disabled"
                    : stored?.lease == nil ? "waiting" : failure == nil ? "delivering" : "failing"
            ),
            "position": place.map { .integer($0.position) } ?? .null,
            "index": place.map { .integer($0.index) } ?? .null,
            "lag_entries": place.map { .integer(lagEntryCount($0, newest: newest)) } ?? .null,
            "holder": stored?.lease.map { .string($0.holder) } ?? .null,
            "is_delivered_here": .bool(isHere),
            "failure": failure.map { Self.json($0, status.nextAttemptMillis, isHere) } ?? .null,
            "disabled_at": disabling.map { Self.time($0.timeMillis) } ?? .null,
            "trouble": status.trouble.map { .string($0) } ?? .null,
            "delivered_event_count": .integer(status.deliveredEventCount),
            "failed_attempt_count": .integer(status.failedAttemptCount),
        ]
        object["namespaces"] = .strings(settings.namespaces)
        object["tables"] = .strings(settings.tables)
        object["batch_events_max"] = .integer(settings.batchEventsMax)
        return .object(object)
    }

    private static func json(
        _ failure: WebhookRecord.Failure,
        _ nextMillis: Int64?,
        _ isHere: Bool
    ) -> JSON {
        [
            "since": time(failure.sinceMillis), "attempt_count": .integer(failure.attemptCount),
            "message": .string(failure.message),
            "next_attempt": isHere ? nextMillis.map(time) ?? .null : .null,
        ]
    }

    private static func time(_ millis: Int64) -> JSON {
        .string(isoTime(micros: millis.multipliedReportingOverflow(by: 1000).partialValue))
    }
}
