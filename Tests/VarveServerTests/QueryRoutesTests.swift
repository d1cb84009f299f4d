import Ambient
import Bytes
import Columnar
import Testing

import VarveServer

@Suite("Queries over HTTP")
struct QueryRoutesTests {
    @Test("gives rows as JSON, NDJSON, CSV and Arrow")
    func formats() async throws {
        try await withServer { client in
            let sql = "SELECT 1 AS a, 'x,y' AS b UNION ALL SELECT 2, NULL ORDER BY 1"
            let json = try await client.query(sql)
            #expect(json.status == 200 && json.isComplete)
            #expect(json.headers["content-type"] == "application/json")
            #expect(try json.json["rows"] == [[1, "x,y"], [2, .null]])
            #expect(try json.json["row_count"] == 2)
            let lines = try await client.query(sql, accept: "application/x-ndjson")
            #expect(lines.text == "{\"a\":1,\"b\":\"x,y\"}\n{\"a\":2,\"b\":null}\n")
            let csv = try await client.query(sql, accept: "text/csv")
            #expect(csv.text == "a,b\n1,\"x,y\"\n2,\n")
            let arrow = try await client.query(sql, accept: "*/*")
            #expect(arrow.headers["content-type"] == "application/vnd.apache.arrow.stream")
            #expect(Array(arrow.body.suffix(8)) == [0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0])
            let none = try await client.query(sql, accept: "image/png, text/html;q=0.5")
            #expect(none.status == 406 && none.errorType == "NotAcceptableException")
        }
    }

    @Test(
        "chooses the format that the client prefers",
        arguments: [
            ("application/json;q=0.5, text/csv", ResultFormat.csv), ("text/*", .csv),
            ("application/*", .arrow), ("text/csv;q=0, */*;q=0.1", .arrow),
            ("application/x-ndjson, application/json", .ndjson), ("", .arrow),
        ]
    )
    func preference(accept: String, format: ResultFormat) throws {
        #expect(try ResultFormat(accept: accept) == format)
    }

    @Test("binds parameters by number and by name")
    func parameters() async throws {
        try await withServer { client in
            let byNumber = try await client.query(
                "SELECT $1 AS a, $2 AS b, $3 AS c, $4 IS NULL AS d",
                ["parameters": [9_007_199_254_740_993, "it's", .number("1.5"), .null]]
            )
            #expect(
                try byNumber.json["rows"] == [["9007199254740993", "it's", .number("1.5"), true]]
            )
            let byName = try await client.query(
                "SELECT $x + 1 AS a",
                ["parameters": ["x": 41]]
            )
            #expect(try byName.json["rows"] == [[42]])
            let nested = try await client.query("SELECT $1", ["parameters": [[1]]])
            #expect(nested.status == 400)
            let missing = try await client.query("SELECT $1")
            #expect(missing.status == 400)
        }
    }

    @Test("runs several statements and gives the last one's result")
    func several() async throws {
        try await withServer { client in
            let rows = try await client.query("SELECT 1; CREATE SCHEMA s; SELECT 2 AS a")
            #expect(try rows.json["rows"] == [[2]])
            let summary = try await client.query("SELECT 1; CREATE SCHEMA s2")
            #expect(try summary.json["rows"]?[0]?[0] == "CREATE SCHEMA")
            #expect(try summary.json["rows"]?[0]?[2]?.int ?? 0 > 0)
            #expect(try await client.send("HEAD", "/v1/namespaces/s2").status == 204)
            let failed = try await client.query("CREATE SCHEMA s3; SELECT nothing")
            #expect(failed.status == 400)
            #expect(try failed.json["error"]?["statement"]?.int == 2)
            #expect(try await client.send("HEAD", "/v1/namespaces/s3").status == 204)
            let past = try await client.query("USE s3", ["as_of": 1])
            #expect(past.status == 400)
        }
    }

    @Test(
        "tells what is wrong, where, and with an SQLSTATE",
        arguments: [
            ("SELEC 1", 400, "42601"), ("SELECT nothing", 400, "42000"),
            ("SELECT 1 % range FROM range(3)", 422, "22012"),
            ("SELECT CAST('x' || range AS INTEGER) FROM range(3)", 422, "22018"),
            ("SELECT * FROM no.such", 404, ""), ("", 400, ""),
        ]
    )
    func errors(sql: String, status: Int, state: String) async throws {
        try await withServer { client in
            let answer = try await client.query(sql)
            #expect(answer.status == status, "\(answer.text)")
            #expect(try answer.json["error"]?["code"]?.int == status)
            if !state.isEmpty { #expect(try answer.json["error"]?["sqlstate"]?.string == state) }
        }
    }

    @Test("refuses bodies that are no query")
    func badBodies() async throws {
        try await withServer { client in
            for body: JSON in [
                [], ["sql": 1], ["sql": "SELECT 1", "sqll": 2], ["sql": "SELECT 1", "as_of": []],
            ] {
                #expect(try await client.post("/varve/v1/query", body).status == 400)
            }
            let instant = try await client.query("SELECT 1", ["as_of": "yesterday"])
            #expect(instant.status == 400)
        }
    }

    @Test("streams a large result completely")
    func large() async throws {
        try await withServer { client in
            let answer = try await client.query(
                "SELECT range AS a FROM range(300000)",
                accept: "application/x-ndjson"
            )
            #expect(answer.status == 200 && answer.isComplete)
            #expect(answer.body.count { $0 == 10 } == 300_000)
        }
    }

    @Test("cuts off a result that fails half-way, so that no client takes it for the whole")
    func cutOff() async throws {
        try await withServer { client in
            for format in ["application/x-ndjson", "application/json", "*/*"] {
                let answer = try await client.query(
                    "SELECT 10 % (900000 - range) AS a FROM range(1000000)",
                    accept: format
                )
                #expect(answer.status == 200)
                #expect(!answer.isComplete)
            }
            let metrics = try await client.get("/metrics").text
            #expect(metrics.contains("varve_server_queries_total{outcome=\"failed\"} 3"))
        }
    }

    /// A query that takes far longer than any test.
    static let endless = "SELECT count(*) FROM range(1000000000000) WHERE range % 7 = 9"

    @Test("ends a query when its client goes away")
    func disconnect() async throws {
        try await withServer { client in
            let port = client.port
            try await WorkerPool.shared.run {
                let connection = try LoopbackConnection(port: port)
                let body = "{\"sql\": \"\(Self.endless)\"}"
                try connection.send(
                    "POST /varve/v1/query HTTP/1.1\r\nHost: localhost\r\n"
                        + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
                )
                connection.close()
            }
            // Asking is what passes the time until it has ended.
            var metrics = ""
            for _ in 0..<20_000 where !metrics.contains("outcome=\"cancelled\"} 1") {
                metrics = try await client.get("/metrics").text
            }
            #expect(metrics.contains("varve_server_queries_total{outcome=\"cancelled\"} 1"))
        }
    }

    @Test("a client that does not read stops its query and takes no memory, and others go on")
    func stalled() async throws {
        try await withServer { client in
            let port = client.port
            let connection = try await WorkerPool.shared.run {
                let connection = try LoopbackConnection(port: port)
                let body = "{\"sql\": \"SELECT range AS a FROM range(2000000000)\"}"
                try connection.send(
                    "POST /varve/v1/query HTTP/1.1\r\nHost: localhost\r\n"
                        + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
                )
                return connection
            }
            for _ in 0..<50 {
                #expect(try await client.query("SELECT 1").status == 200)
            }
            connection.close()
        }
    }
}
