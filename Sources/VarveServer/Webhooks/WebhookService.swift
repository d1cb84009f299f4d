import Ambient
import Catalog
import CommitLog
import Engine
import Lineage
import Logging
import ObjectStorage
import ServiceLifecycle
import Synchronization

/// Delivers the events of all webhooks for as long as the server runs.
final class WebhookService: Service {
    private let settings: [WebhookSettings]
    private let engine: Engine
    private let logger: Logger
    private let running = Mutex<[WebhookDelivery]>([])

    init(_ settings: [WebhookSettings], engine: Engine, logger: Logger) {
        self.settings = settings
        self.engine = engine
        self.logger = logger
    }

    /// Those of this server; none before it has begun.
    var deliveries: [WebhookDelivery] { running.withLock { $0 } }

    /// Delivers until the server stops, and then gives the leases back.
    func run() async throws {
        guard !settings.isEmpty else {
            try await gracefulShutdown()
            return
        }
        let catalog = try await engine.catalog(creating: true)
        let client = PostingClient()
        let agent = "varve/\(Engine.version)"
        let writer = OpenLineageWriter(namespace: engine.warehouseURL)
        let lineage: WebhookMessages.Events = { [engine] commits in
            let graph = try await engine.lineageGraph()
            return commits.map {
                writer.events(in: graph, position: $0.position, index: $0.index)
            }
        }
        let all = settings.map { one in
            WebhookDelivery(
                one,
                catalog: catalog,
                ambient: engine.options.ambient,
                logger: logger,
                lineage: lineage
            ) { headers, body in
                try await client.post(
                    one.url,
                    headers: headers + [("user-agent", agent)],
                    body: body,
                    timeoutMillis: one.timeoutSeconds * 1000,
                    certificateFile: one.certificateFile
                )
            }
        }
        running.withLock { $0 = all }
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                for delivery in all { group.addTask { await delivery.run() } }
            }
        }
        await withTaskGroup(of: Void.self) { group in
            for delivery in all { group.addTask { await delivery.release() } }
        }
    }

    /// Counters and gauges of all webhooks, as Prometheus reads them.
    func metricsText() -> String {
        let all = deliveries.map { (name: $0.settings.name, status: $0.status, isHere: $0.isHere) }
        var text = PrometheusText()
        func family(_ name: String, _ type: String, _ help: String, _ value: (Int) -> String?) {
            let name = "varve_server_webhook_" + name
            text.family(name, type, help)
            for index in all.indices {
                guard let value = value(index) else { continue }
                text.sample(name, [("webhook", all[index].name)], value)
            }
        }
        family("delivered_events_total", "counter", "Events taken by receivers.") {
            String(all[$0].status.deliveredEventCount)
        }
        family("failed_attempts_total", "counter", "Attempts that came to nothing.") {
            String(all[$0].status.failedAttemptCount)
        }
        family("lag_entries", "gauge", "Entries of the log that are not delivered yet.") {
            // Only who delivers knows; the sum over all servers is right.
            guard all[$0].isHere, let place = all[$0].status.place else { return nil }
            return String(lagEntryCount(place, newest: all[$0].status.newest))
        }
        family("delivering", "gauge", "Whether this server delivers.") {
            all[$0].isHere ? "1" : "0"
        }
        return text.text
    }
}

/// How many entries lie between a place and the log's end.
func lagEntryCount(_ place: WebhookRecord.Place, newest: Int64) -> Int64 {
    max(newest - place.position + 1, 0)
}
