import Ambient
import Bytes
import Catalog
import CommitLog
import Engine
import HTTPTypes
import Logging

/// Probes and metrics.
struct HealthRoutes: Sendable {
    let parts: ServerParts

    var all: [Route] {
        [
            Route(.get, "/health/live", isOpen: true, weight: .probe, isQuick: true) { _ in
                .json(["status": "live"])
            },
            Route(.get, "/health/ready", isOpen: true, weight: .probe) { _ in try await ready() },
            Route(.get, "/metrics", weight: .probe) { _ in try await metrics() },
        ]
    }

    /// Ready is who can read the log now: without it no request can be answered.
    private func ready() async throws -> Reply {
        do {
            let position = try await parts.deadlines.limit(seconds: 5) {
                try await parts.catalog().read().position
            }
            return .json(["status": "ready", "position": .integer(position)])
        } catch {
            parts.logger.warning("not ready", metadata: ["detail": "\(error)"])
            throw ServerError(.notReady, "the log cannot be read now; the server's log says why")
        }
    }

    private func metrics() async throws -> Reply {
        let catalog = try await parts.catalog()
        let (known, contention) = (catalog.known, catalog.contention)
        let text = parts.metrics.render(gauges: [
            ("varve_catalog_log_position", "The last entry of the log known here.", known.position),
            (
                "varve_catalog_tables", "Tables in the catalog as known here.",
                Int64(known.state.tableCount)
            ),
            (
                "varve_catalog_namespaces", "Namespaces in the catalog as known here.",
                Int64(known.state.namespaceCount)
            ),
        ])
        var counters = PrometheusText()
        let attempts = "varve_catalog_entry_attempts_total"
        counters.family(attempts, "counter", "Attempts of this server at entries of the log.")
        counters.sample(attempts, [("outcome", "lost")], String(contention.lostCount))
        counters.sample(attempts, [("outcome", "won")], String(contention.wonCount))
        let failures = "varve_catalog_checkpoint_failures_total"
        counters.family(failures, "counter", "Checkpoints in the background that were not written.")
        counters.sample(failures, [], String(catalog.checkpointFailureCount))
        let indexes = "varve_lineage_index_failures_total"
        counters.family(
            indexes,
            "counter",
            "Indexes of the lineage that were damaged or could not be written."
        )
        counters.sample(indexes, [], String(await parts.engine.lineageIndexFailureCount))
        return .text(
            text + counters.text + parts.webhooks.metricsText(),
            type: "text/plain; version=0.0.4; charset=utf-8"
        )
    }
}
