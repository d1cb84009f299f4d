import Bytes
import Testing

import VarveServer

@Suite("Scan planning of the Iceberg REST catalog")
struct ScanRoutesTests {
    private static let path = "/v1/namespaces/main/tables/t/plan"

    private func plan(_ client: LoopbackClient, _ body: JSON) async throws -> JSON {
        let answer = try await client.post(Self.path, body)
        try #require(answer.status == 200, "\(answer.text)")
        let json = try answer.json
        #expect(json["status"] == "completed" && json["plan-id"]?.string != nil)
        return json
    }

    private func counts(_ json: JSON) -> [Int] {
        (json["file-scan-tasks"]?.array ?? [])
            .compactMap { $0["data-file"]?["record-count"]?.int }
    }

    /// A table of three files with rows 0 to 9, 100 to 104 and 200.
    private func makeTable(_ client: LoopbackClient) async throws {
        for sql in [
            "CREATE TABLE t (a BIGINT NOT NULL, b VARCHAR, d DATE)",
            "INSERT INTO t SELECT i, 'x' || i, DATE '2024-01-01' FROM range(10) r(i)",
            "INSERT INTO t SELECT 100 + i, NULL, DATE '2024-02-01' FROM range(5) r(i)",
            "INSERT INTO t SELECT 200, 'y', DATE '2024-03-01'",
        ] {
            let answer = try await client.query(sql)
            try #require(answer.status == 200, "\(answer.text)")
        }
    }

    @Test("gives the files in which rows may match, and what is left to check of the filter")
    func filters() async throws {
        try await withServer { client in
            try await makeTable(client)
            #expect(counts(try await plan(client, [:])) == [10, 5, 1])
            let cases: [(JSON, [Int])] = [
                (["type": "gt", "term": "a", "value": 50], [5, 1]),
                (["type": "not", "child": ["type": "gt", "term": "a", "value": 50]], [10]),
                (["type": "in", "term": "a", "values": [3, 200]], [10, 1]),
                (["type": "is-null", "term": "b"], [5]),
                (["type": "not-null", "term": "b"], [10, 1]),
                (["type": "eq", "term": "d", "value": "2024-02-01"], [5]),
                (["type": "starts-with", "term": "b", "value": "y"], [1]),
                (
                    [
                        "type": "or", "left": ["type": "lt", "term": "a", "value": 5],
                        "right": ["type": "gt-eq", "term": "a", "value": 200],
                    ], [10, 1]
                ),
                (
                    [
                        "type": "lt",
                        "left": ["type": "literal", "value": 150, "data-type": "long"],
                        "right": ["type": "reference", "name": "a"],
                    ], [1]
                ),
                (false, []), (true, [10, 5, 1]), (["type": "false"], []),
                // What cannot be looked into may match, also when it is negated.
                (
                    [
                        "type": "not",
                        "child": [
                            "type": "eq", "value": 3,
                            "term": [
                                "type": "transform", "transform": "bucket[4]", "term": "a",
                            ],
                        ],
                    ], [10, 5, 1]
                ),
            ]
            for (filter, expected) in cases {
                let json = try await plan(client, ["filter": filter])
                #expect(counts(json) == expected, "\(filter.text())")
            }
            let some = try await plan(
                client,
                ["filter": ["type": "gt", "term": "a", "value": 102]]
            )
            let residuals = (some["file-scan-tasks"]?.array ?? []).map { $0["residual-filter"] }
            #expect(residuals == [["type": "gt", "term": "a", "value": 102], true])
            for bad: JSON in [
                ["filter": ["type": "gt", "term": "q", "value": 1]],
                ["filter": ["type": "explode"]],
                ["filter": ["type": "eq", "term": "d", "value": 5]], ["filter": 3],
                ["filter": ["type": "is-nan", "term": "a"]], ["snapshot-id": 5],
                ["start-snapshot-id": 5], ["select": ["q"]], ["select": 5],
                ["min-rows-requested": -1],
                ["filter": ["type": "gt", "term": "A", "value": 1]], [],
            ] {
                #expect(try await client.post(Self.path, bad).status == 400, "\(bad.text())")
            }
            let folded = try await plan(
                client,
                ["case-sensitive": false, "filter": ["type": "gt", "term": "A", "value": 150]]
            )
            #expect(counts(folded) == [1])
            #expect(counts(try await plan(client, ["min-rows-requested": 11])) == [10, 5])
            let missing = try await client.post("/v1/namespaces/main/tables/no/plan", [:])
            #expect(missing.status == 404 && missing.errorType == "NoSuchTableException")
        }
    }

    @Test("gives delete files, statistics, older snapshots, and what appends added between two")
    func snapshots() async throws {
        try await withServer { client in
            try await makeTable(client)
            let stats = try await plan(client, ["stats-fields": ["a", "b"]])
            let file = stats["file-scan-tasks"]?[1]?["data-file"]
            #expect(file?["lower-bounds"] == ["keys": [1], "values": [100]])
            #expect(file?["null-value-counts"] == ["keys": [1, 2], "values": [0, 5]])
            #expect(file?["content"] == "data" && file?["spec-id"] == 0)
            let history = try await client.get("/v1/namespaces/main/tables/t").json["metadata"]
            let snapshots = (history?["snapshots"]?.array ?? []).compactMap {
                $0["snapshot-id"]?.int64
            }
            try #require(snapshots.count == 3)
            let first = try await plan(client, ["snapshot-id": .integer(snapshots[0])])
            #expect(counts(first) == [10])
            let between = try await plan(
                client,
                [
                    "start-snapshot-id": .integer(snapshots[0]),
                    "end-snapshot-id": .integer(snapshots[2]),
                ]
            )
            #expect(counts(between) == [5, 1])
            let backwards = try await client.post(
                Self.path,
                [
                    "start-snapshot-id": .integer(snapshots[2]),
                    "end-snapshot-id": .integer(snapshots[0]),
                ]
            )
            #expect(backwards.status == 400)
        }
    }

    @Test("plans are found again by their ids, on any server, until they are cancelled")
    func ids() async throws {
        try await withServer { client in
            try await makeTable(client)
            let body: JSON = ["filter": ["type": "gt", "term": "a", "value": 50]]
            let made = try await plan(client, body)
            let id = try #require(made["plan-id"]?.string)
            // The plan is of the snapshot of that time.
            #expect(try await client.query("INSERT INTO t SELECT 300, 'z', NULL").status == 200)
            let found = try await client.get("\(Self.path)/\(id)")
            #expect(try counts(found.json) == [5, 1], "\(found.text)")
            #expect(try await client.send("DELETE", "\(Self.path)/\(id)").status == 204)
            #expect(try await client.get("\(Self.path)/\(id)").json == ["status": "cancelled"])
            // Another of the same request is another.
            #expect(counts(try await plan(client, body)) == [5, 1, 1])
            for bad in ["nonsense", "inline-5", String(id.dropLast(4)), "e30"] {
                let answer = try await client.get("\(Self.path)/\(bad)")
                #expect(answer.status == 404 && answer.errorType == "NoSuchPlanIdException")
                let task = try await client.post(
                    "/v1/namespaces/main/tables/t/tasks",
                    ["plan-task": .string("1.\(bad)")]
                )
                #expect(task.status == 404 && task.errorType == "NoSuchPlanTaskException")
            }
            _ = try await client.query("CREATE TABLE u (a BIGINT NOT NULL, b VARCHAR, d DATE)")
            let other = try await client.get("/v1/namespaces/main/tables/u/plan/\(id)")
            #expect(other.status == 404)
            let empty = try await client.post("/v1/namespaces/main/tables/u/plan", [:])
            #expect(try counts(empty.json) == [], "\(empty.text)")
            let tasks = "/v1/namespaces/main/tables/t/tasks"
            #expect(try await client.post(tasks, [:]).status == 400)
            #expect(try await client.post(tasks, ["plan-task": "9"]).status == 404)
        }
    }

    @Test("unregisters a table, which then can be registered again, and has no functions")
    func unregister() async throws {
        try await withServer { client in
            try await makeTable(client)
            let table = "/v1/namespaces/main/tables/t"
            let before = try await client.get(table).json
            let key = ["Idempotency-Key": "0190a6d2-7c1a-7d7e-9f7e-0000000000aa"]
            for _ in 0..<2 {
                let gone = try await client.post("\(table)/unregister", [:], headers: key)
                try #require(gone.status == 200, "\(gone.text)")
                #expect(try gone.json["metadata-location"] == before["metadata-location"])
                #expect(try gone.json["metadata"] == before["metadata"])
            }
            #expect(try await client.get(table).status == 404)
            let missing = try await client.send("POST", "\(table)/unregister")
            #expect(missing.status == 404 && missing.errorType == "NoSuchTableException")
            let back = try await client.post(
                "/v1/namespaces/main/register",
                ["name": "t", "metadata-location": before["metadata-location"] ?? .null]
            )
            #expect(back.status == 200)
            #expect(try await client.query("SELECT count(*) FROM t").json["rows"] == [[16]])
            let list = try await client.get("/v1/namespaces/main/functions")
            #expect(try list.json == ["identifiers": []])
            #expect(try await client.get("/v1/namespaces/no/functions").status == 404)
            let one = try await client.get("/v1/namespaces/main/functions/f")
            #expect(one.status == 404 && one.errorType == "NoSuchFunctionException")
        }
    }
}
