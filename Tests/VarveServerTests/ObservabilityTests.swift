import Ambient
import Bytes
import Logging
import Testing

import VarveServer

@Suite("What operators see")
struct ObservabilityTests {
    @Test("one line of JSON for each request and commit, with the request's id")
    func log() async throws {
        let log = LogLines()
        try await withServer(log: log) { client in
            let answer = try await client.post(
                "/v1/namespaces",
                ["namespace": ["n"]],
                headers: ["X-Request-ID": "abc-123"]
            )
            #expect(answer.headers["x-request-id"] == "abc-123")
            let other = try await client.get("/nowhere", headers: ["X-Request-ID": "a b\""])
            #expect(other.headers["x-request-id"]?.count == 36)
        }
        #expect(log.json.count == log.all.count)
        let lines = log.json.filter { $0["request_id"] == "abc-123" }
        #expect(lines.compactMap { $0["message"]?.string } == ["commit", "request"])
        #expect(lines[0]["position"]?.int == 2)
        #expect(lines[1]["route"] == "/v1/namespaces" && lines[1]["status"]?.int == 200)
        #expect(lines[1]["method"] == "POST" && lines[1]["duration_ms"]?.double ?? -1 >= 0)
    }

    @Test("metrics that Prometheus can read, with labels from closed sets")
    func metrics() async throws {
        try await withServer { client in
            for index in 0..<20 { _ = try await client.get("/nowhere/\(index)") }
            _ = try await client.send("PATCH", "/v1/config")
            _ = try await client.query("SELECT 1 AS a UNION ALL SELECT 2")
            try await client.makeTable("t")
            let text = try await client.get("/metrics").text
            #expect(
                text.contains(
                    "varve_server_requests_total{route=\"unmatched\",method=\"GET\",status=\"404\"} 20\n"
                )
            )
            #expect(text.contains("method=\"OTHER\",status=\"405\"} 1\n"))
            #expect(text.contains("varve_server_queries_total{outcome=\"ok\"} 1\n"))
            #expect(text.contains("varve_server_query_rows_total 2\n"))
            #expect(text.contains("varve_server_commits_total{kind=\"catalog\"} 1\n"))
            #expect(text.contains("varve_server_requests_in_flight 1\n"))
            #expect(text.contains("varve_catalog_tables 1\n"))
            let bucket =
                "varve_server_request_duration_seconds_bucket{route=\"/varve/v1/query\",method=\"POST\",le=\"+Inf\"} 1\n"
            #expect(text.contains(bucket))
            // Each family is declared once, before its samples.
            let types = text.split(separator: "\n").filter { $0.hasPrefix("# TYPE") }
            #expect(Set(types).count == types.count)
        }
    }

    @Test("readiness is that the log can be read")
    func health() async throws {
        try await withServer { client in
            let ready = try await client.get("/health/ready")
            #expect(try ready.status == 200 && ready.json["position"]?.int == 1)
            #expect(try await client.get("/health/live").json == ["status": "live"])
        }
    }

    @Test("the log of commits, its proof, and a table's history")
    func history() async throws {
        try await withServer { client in
            try await client.makeTable("t")
            let path = "/v1/namespaces/main/tables/t"
            _ = try await client.post(path, appendCommit(5, sequence: 1, parent: nil))
            let first = try await client.get("/varve/v1/log?limit=2").json
            #expect(first["commits"]?.array?.count == 2 && first["next"]?.int == 3)
            let rest = try await client.get("/varve/v1/log?from=3").json
            #expect(rest["commits"]?.array?.count == 1 && rest["next"] == .null)
            #expect(try await client.get("/varve/v1/log?from=100").json["commits"] == [])
            let verified = try await client.get("/varve/v1/log/verify").json
            #expect(verified["verified"] == true && verified["to"]?.int == 3)
            let history = try await client.get("/varve/v1/tables/main/t/history").json
            #expect(history["commits"]?.array?.count == 2)
            #expect(history["snapshots"]?[0]?["snapshot-id"]?.int == 5)
            #expect(history["commits"]?[0]?["position"]?.int == 3)
            let missing = try await client.get("/varve/v1/tables/main/u/history")
            #expect(missing.status == 404 && missing.errorType == "NoSuchTableException")
        }
    }
}
