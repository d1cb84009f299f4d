import Synchronization

/// What the server counts, and how Prometheus reads it.
///
/// Every label comes from a closed set: routes by their templates, methods and reasons by name. Requests
/// that find no route share one label, so that nobody can make series.
final class ServerMetrics: Sendable {
    private struct RequestKey: Hashable {
        var route: String
        var method: String
        var status: Int
    }

    private struct RouteKey: Hashable {
        var route: String
        var method: String
    }

    private struct Histogram {
        var counts = [UInt64](repeating: 0, count: ServerMetrics.bounds.count)
        var count: UInt64 = 0
        var sum = 0.0
    }

    private struct State {
        var requests: [RequestKey: UInt64] = [:]
        var durations: [RouteKey: Histogram] = [:]
        var queries: [String: UInt64] = [:]
        var commits: [String: UInt64] = [:]
        var rejected: [String: UInt64] = [:]
        var rows: UInt64 = 0
        var bytes: UInt64 = 0
        var inFlight = 0
    }

    private static let bounds = [
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
    ]
    private static let methods: Set<String> = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]
    private let state = Mutex(State())

    func requestBegan() {
        state.withLock { $0.inFlight += 1 }
    }

    /// - Parameter status: 0 when the client was gone before there was one.
    func requestEnded(route: String, method: String, status: Int, seconds: Double) {
        let method = Self.methods.contains(method) ? method : "OTHER"
        let place = Self.bounds.firstIndex { seconds <= $0 }
        state.withLock { state in
            state.inFlight -= 1
            state.requests[RequestKey(route: route, method: method, status: status), default: 0] +=
                1
            var histogram =
                state.durations[RouteKey(route: route, method: method)] ?? Histogram()
            if let place { histogram.counts[place] += 1 }
            histogram.count += 1
            histogram.sum += seconds
            state.durations[RouteKey(route: route, method: method)] = histogram
        }
    }

    /// - Parameter outcome: `ok`, `failed` or `cancelled`.
    func queryEnded(outcome: String, rows: Int, bytes: Int) {
        state.withLock {
            $0.queries[outcome, default: 0] += 1
            $0.rows += UInt64(max(rows, 0))
            $0.bytes += UInt64(max(bytes, 0))
        }
    }

    /// - Parameter kind: `catalog`, `sql`, `upload` or `transform`.
    func committed(kind: String) {
        state.withLock { $0.commits[kind, default: 0] += 1 }
    }

    /// - Parameter reason: `busy` or `unauthorized`.
    func rejected(reason: String) {
        state.withLock { $0.rejected[reason, default: 0] += 1 }
    }

    /// The text exposition format, version 0.0.4.
    ///
    /// - Parameter gauges: names and values that are read now, such as the log's position.
    func render(gauges: [(name: String, help: String, value: Int64)]) -> String {
        let now = state.withLock { $0 }
        var text = PrometheusText()
        text.family("varve_server_requests_total", "counter", "Requests answered.")
        for (key, count) in now.requests.sorted(by: { Self.isBefore($0.key, $1.key) }) {
            text.sample(
                "varve_server_requests_total",
                [("route", key.route), ("method", key.method), ("status", String(key.status))],
                String(count)
            )
        }
        let duration = "varve_server_request_duration_seconds"
        text.family(duration, "histogram", "Time from a request's head to its answer's end.")
        let durations = now.durations.sorted {
            ($0.key.route, $0.key.method) < ($1.key.route, $1.key.method)
        }
        for (key, histogram) in durations {
            let labels = [("route", key.route), ("method", key.method)]
            var sum: UInt64 = 0
            for (bound, count) in zip(Self.bounds, histogram.counts) {
                sum += count
                text.sample(duration + "_bucket", labels + [("le", "\(bound)")], String(sum))
            }
            text.sample(duration + "_bucket", labels + [("le", "+Inf")], String(histogram.count))
            text.sample(duration + "_sum", labels, "\(histogram.sum)")
            text.sample(duration + "_count", labels, String(histogram.count))
        }
        text.family("varve_server_requests_in_flight", "gauge", "Requests being answered.")
        text.sample("varve_server_requests_in_flight", [], String(now.inFlight))
        let labelled = [
            ("varve_server_queries_total", "Queries ended.", "outcome", now.queries),
            ("varve_server_commits_total", "Commits made here.", "kind", now.commits),
            ("varve_server_rejected_total", "Requests turned away.", "reason", now.rejected),
        ]
        for (name, help, label, counts) in labelled {
            text.family(name, "counter", help)
            for (value, count) in counts.sorted(by: { $0.key < $1.key }) {
                text.sample(name, [(label, value)], String(count))
            }
        }
        text.family("varve_server_query_rows_total", "counter", "Rows given to clients.")
        text.sample("varve_server_query_rows_total", [], String(now.rows))
        text.family("varve_server_query_bytes_total", "counter", "Bytes of rows given to clients.")
        text.sample("varve_server_query_bytes_total", [], String(now.bytes))
        for gauge in gauges {
            text.family(gauge.name, "gauge", gauge.help)
            text.sample(gauge.name, [], String(gauge.value))
        }
        return text.text
    }

    private static func isBefore(_ one: RequestKey, _ other: RequestKey) -> Bool {
        (one.route, one.method, one.status) < (other.route, other.method, other.status)
    }
}

/// Writes the lines of Prometheus' text format.
struct PrometheusText {
    private(set) var text = ""

    mutating func family(_ name: String, _ type: String, _ help: String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
    }

    mutating func sample(_ name: String, _ labels: [(String, String)], _ value: String) {
        text += name
        if !labels.isEmpty {
            let parts = labels.map { "\($0.0)=\"\(Self.escaped($0.1))\"" }
            text += "{\(parts.joined(separator: ","))}"
        }
        text += " \(value)\n"
    }

    private static func escaped(_ value: String) -> String {
        var escaped = ""
        for character in value.unicodeScalars {
            switch character {
            case "\\": escaped += "\\\\"
            case "\"": escaped += "\\\""
            case "\n": escaped += "\\n"
            default: escaped.unicodeScalars.append(character)
            }
        }
        return escaped
    }
}
