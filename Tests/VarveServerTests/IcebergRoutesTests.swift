import Bytes
import Testing

import VarveServer

@Suite("The Iceberg REST catalog")
struct IcebergRoutesTests {
    @Test("names every endpoint that it has, and only those")
    func configuration() async throws {
        try await withServer { client in
            let answer = try await client.get("/v1/config")
            #expect(answer.status == 200)
            let endpoints = try #require(try answer.json["endpoints"]?.array).compactMap(\.string)
            #expect(Set(endpoints).count == endpoints.count && endpoints.count >= 24)
            #expect(try answer.json["idempotency-key-lifetime"] == "PT24H")
            for endpoint in endpoints {
                let parts = endpoint.split(separator: " ")
                let path = String(parts[1]).replacing("/{prefix}", with: "")
                    .replacing("{namespace}", with: "none").replacing("{table}", with: "none")
                    .replacing("{view}", with: "none")
                    .replacing("{plan-id}", with: "none").replacing("{function}", with: "none")
                let found = try await client.send(String(parts[0]), path, Array("{}".utf8))
                #expect(found.status != 405 && found.errorType != "NoSuchRouteException")
            }
            #expect(try await client.get("/iceberg/v1/config?warehouse=memory:").status == 200)
            let unknown = try await client.get("/v1/config?warehouse=other")
            #expect(unknown.status == 404)
            #expect(unknown.errorType == "NoSuchWarehouseException")
        }
    }

    @Test("makes, lists, changes and drops namespaces of any depth")
    func namespaces() async throws {
        try await withServer { client in
            let made = try await client.post(
                "/v1/namespaces",
                ["namespace": ["a"], "properties": ["x": "1", "y": "2"]]
            )
            #expect(made.status == 200)
            #expect(try made.json["properties"]?["x"] == "1")
            #expect(try await client.post("/v1/namespaces", ["namespace": ["a"]]).status == 409)
            let nested = try await client.post("/v1/namespaces", ["namespace": ["a", "ü .b"]])
            #expect(nested.status == 200)
            let orphan = try await client.post("/v1/namespaces", ["namespace": ["z", "b"]])
            #expect(orphan.status == 400 && orphan.text.contains("namespace z"))

            let top = try await client.get("/v1/namespaces").json["namespaces"]
            #expect(top == [["a"], ["main"]])
            let inner = try await client.get("/v1/namespaces?parent=a").json["namespaces"]
            #expect(inner == [["a", "ü .b"]])
            #expect(try await client.get("/v1/namespaces?parent=q").status == 404)
            let loaded = try await client.get("/v1/namespaces/a%1F%C3%BC%20.b")
            #expect(try loaded.json["namespace"] == ["a", "ü .b"])
            #expect(try await client.send("HEAD", "/v1/namespaces/a").status == 204)
            #expect(try await client.send("HEAD", "/v1/namespaces/q").status == 404)

            let changed = try await client.post(
                "/v1/namespaces/a/properties",
                ["removals": ["x", "q"], "updates": ["y": "3", "z": "4"]]
            )
            #expect(
                try changed.json == [
                    "updated": ["y", "z"], "removed": ["x"], "missing": ["q"],
                ]
            )
            #expect(
                try await client.get("/v1/namespaces/a").json["properties"]
                    == ["y": "3", "z": "4"]
            )
            let both = try await client.post(
                "/v1/namespaces/a/properties",
                ["removals": ["y"], "updates": ["y": "5"]]
            )
            #expect(both.status == 422)

            let full = try await client.send("DELETE", "/v1/namespaces/a")
            #expect(full.status == 409 && full.errorType == "NamespaceNotEmptyException")
            #expect(try await client.send("DELETE", "/v1/namespaces/a%1F%C3%BC%20.b").status == 204)
            #expect(try await client.send("DELETE", "/v1/namespaces/a").status == 204)
            #expect(try await client.send("DELETE", "/v1/namespaces/a").status == 404)
        }
    }

    @Test("gives lists page by page, without repeating or losing names")
    func paging() async throws {
        try await withServer { client in
            for name in ["t1", "t2", "t3", "t4", "t5"] { try await client.makeTable(name) }
            var names: [String] = []
            var token: String? = ""
            var pages = 0
            while let now = token, pages < 10 {
                let answer = try await client.get(
                    "/v1/namespaces/main/tables?pageSize=2&pageToken=\(now)"
                )
                let page = try #require(try answer.json["identifiers"]?.array)
                #expect(page.count <= 2)
                names += page.compactMap { $0["name"]?.string }
                // What is made or dropped before the place we are at does not move it.
                if pages == 0 {
                    #expect(
                        try await client.send("DELETE", "/v1/namespaces/main/tables/t1").status
                            == 204
                    )
                }
                token = try answer.json["next-page-token"]?.string
                pages += 1
            }
            #expect(names == ["t1", "t2", "t3", "t4", "t5"])
            #expect(pages == 3)
            #expect(try await client.get("/v1/namespaces/main/tables?pageSize=0").status == 400)
            #expect(try await client.get("/v1/namespaces/main/tables?pageToken=xyz").status == 400)
            #expect(
                try await client.get("/v1/namespaces/q/tables").errorType
                    == "NoSuchNamespaceException"
            )
        }
    }

    @Test("makes a table, with fresh ids, where the server says")
    func create() async throws {
        try await withServer { client in
            let made = try await client.makeTable(
                "t",
                in: "main",
                [
                    "location": .null,
                    "partition-spec": [
                        "fields": [["source-id": 1, "transform": "bucket[4]", "name": "a_b"]]
                    ],
                    "write-order": [
                        "order-id": 1,
                        "fields": [
                            [
                                "source-id": 1, "transform": "identity", "direction": "asc",
                                "null-order": "nulls-first",
                            ]
                        ],
                    ],
                    "properties": ["owner": "me"],
                ]
            )
            let metadata = try #require(made["metadata"])
            #expect(metadata["format-version"]?.int == 2)
            #expect(metadata["properties"]?["owner"] == "me")
            #expect(metadata["partition-specs"]?[0]?["fields"]?[0]?["field-id"]?.int == 1000)
            #expect(made["metadata-location"]?.string?.hasSuffix(".metadata.json") == true)
            #expect(made["config"] == .object(JSONObject()))
            let again = try await client.post(
                "/v1/namespaces/main/tables",
                ["name": "t", "schema": sampleSchema]
            )
            #expect(again.status == 409 && again.errorType == "AlreadyExistsException")
            let nowhere = try await client.post(
                "/v1/namespaces/q/tables",
                ["name": "t", "schema": sampleSchema]
            )
            #expect(nowhere.status == 404 && nowhere.errorType == "NoSuchNamespaceException")
            let outside = try await client.post(
                "/v1/namespaces/main/tables",
                ["name": "u", "schema": sampleSchema, "location": "s3://elsewhere/u"]
            )
            #expect(outside.status == 400)
            let broken = try await client.post(
                "/v1/namespaces/main/tables",
                ["name": "u", "schema": ["type": "struct"]]
            )
            #expect(broken.status == 400)
        }
    }

    @Test("shows a staged table to nobody before it is committed")
    func staging() async throws {
        try await withServer { client in
            let staged = try await client.makeTable("t", ["stage-create": true])
            #expect(staged["metadata-location"] == nil)
            #expect(try await client.send("HEAD", "/v1/namespaces/main/tables/t").status == 404)
            let metadata = try #require(staged["metadata"])
            // In DuckDB's order, with the current schema last.
            let commit: JSON = [
                "requirements": [["type": "assert-create"]],
                "updates": [
                    ["action": "assign-uuid", "uuid": metadata["table-uuid"] ?? .null],
                    ["action": "upgrade-format-version", "format-version": 2],
                    ["action": "add-schema", "schema": metadata["schemas"]?[0] ?? .null],
                    ["action": "add-spec", "spec": ["spec-id": 0, "fields": []]],
                    ["action": "set-default-spec", "spec-id": -1],
                    ["action": "add-sort-order", "sort-order": ["order-id": 0, "fields": []]],
                    ["action": "set-default-sort-order", "sort-order-id": -1],
                    ["action": "set-location", "location": metadata["location"] ?? .null],
                    ["action": "set-current-schema", "schema-id": -1],
                ],
            ]
            let made = try await client.post("/v1/namespaces/main/tables/t", commit)
            #expect(made.status == 200, "\(made.text)")
            #expect(try made.json["metadata"]?["table-uuid"] == metadata["table-uuid"])
            let late = try await client.post("/v1/namespaces/main/tables/t", commit)
            #expect(late.status == 409 && late.errorType == "CommitFailedException")
            let taken = try await client.post(
                "/v1/namespaces/main/tables",
                ["name": "t", "schema": sampleSchema, "stage-create": true]
            )
            #expect(taken.status == 409 && taken.errorType == "AlreadyExistsException")
        }
    }

    @Test("answers 304 for what a client has, and not for anything else")
    func entityTags() async throws {
        try await withServer { client in
            try await client.makeTable("t")
            let path = "/v1/namespaces/main/tables/t"
            #expect(
                try await client.post(path, appendCommit(11, sequence: 1, parent: nil)).status
                    == 200
            )
            #expect(
                try await client.post(path, appendCommit(12, sequence: 2, parent: 11)).status == 200
            )
            let all = try await client.get(path + "?snapshots=all")
            let refs = try await client.get(path + "?snapshots=refs")
            let tag = try #require(all.headers["etag"])
            #expect(try await client.get(path).headers["etag"] == tag)
            #expect(refs.headers["etag"] != tag)
            #expect(try all.json["metadata"]?["snapshots"]?.array?.count == 2)
            #expect(try refs.json["metadata"]?["snapshots"]?.array?.count == 1)
            let known = try await client.get(path, headers: ["If-None-Match": "\"x\", \(tag)"])
            #expect(known.status == 304 && known.headers["etag"] == tag && known.body.isEmpty)
            let other = try await client.get(
                path + "?snapshots=refs",
                headers: ["If-None-Match": tag]
            )
            #expect(other.status == 200)
            let commit = try await client.post(path, appendCommit(13, sequence: 3, parent: 12))
            #expect(commit.headers["etag"] != nil && commit.headers["etag"] != tag)
            let after = try await client.get(path, headers: ["If-None-Match": tag])
            #expect(after.status == 200 && after.headers["etag"] == commit.headers["etag"])
            #expect(try await client.get(path + "?snapshots=some").status == 400)
        }
    }

    @Test("tells lost races as 409, nonsense as 400, and missing tables as 404")
    func commits() async throws {
        try await withServer { client in
            try await client.makeTable("t")
            let path = "/v1/namespaces/main/tables/t"
            #expect(
                try await client.post(path, appendCommit(1, sequence: 1, parent: nil)).status == 200
            )
            let lost = try await client.post(path, appendCommit(2, sequence: 2, parent: nil))
            #expect(lost.status == 409 && lost.errorType == "CommitFailedException")
            let unknownUpdate = try await client.post(
                path,
                ["requirements": [], "updates": [["action": "explode"]]]
            )
            #expect(unknownUpdate.status == 400)
            let unknownRequirement = try await client.post(
                path,
                ["requirements": [["type": "assert-mood"]], "updates": []]
            )
            #expect(unknownRequirement.status == 400)
            let elsewhere = try await client.post(
                path,
                [
                    "identifier": ["namespace": ["main"], "name": "u"], "requirements": [],
                    "updates": [],
                ]
            )
            #expect(elsewhere.status == 400)
            // A sequence number that is taken is for the client to retry.
            var stale = appendCommit(3, sequence: 1, parent: 1)
            if case .object(var object) = stale {
                object["requirements"] = []
                stale = .object(object)
            }
            #expect(try await client.post(path, stale).status == 409)
            for missing in ["/v1/namespaces/main/tables/u", "/v1/namespaces/q/tables/u"] {
                let answer = try await client.post(
                    missing,
                    appendCommit(1, sequence: 1, parent: nil)
                )
                #expect(answer.status == 404 && answer.errorType == "NoSuchTableException")
            }
            #expect(try await client.send("POST", path, Array("{".utf8)).status == 400)
            #expect(try await client.send("POST", path, Array("[]".utf8)).status == 400)
        }
    }

    @Test("says of a metadata table's probe that there is no such table")
    func probes() async throws {
        try await withServer { client in
            try await client.makeTable("t")
            let probe = try await client.get("/v1/namespaces/main%1Ft/tables/files")
            #expect(probe.status == 404 && probe.errorType == "NoSuchTableException")
            #expect(
                try await client.send("HEAD", "/v1/namespaces/main%1Ft/tables/files").status == 404
            )
        }
    }

    @Test("makes a change with an Idempotency-Key once, and refuses the key for another")
    func idempotency() async throws {
        try await withServer { client in
            let key = ["Idempotency-Key": "0190a6d2-7c1a-7d7e-9f7e-000000000001"]
            let body: JSON = ["name": "t", "schema": sampleSchema]
            let first = try await client.post("/v1/namespaces/main/tables", body, headers: key)
            let second = try await client.post("/v1/namespaces/main/tables", body, headers: key)
            #expect(first.status == 200 && second.status == 200)
            #expect(try first.json["metadata-location"] == second.json["metadata-location"])
            let other = try await client.post(
                "/v1/namespaces",
                ["namespace": ["n"]],
                headers: key
            )
            #expect(other.status == 400, "\(other.text)")
            let drop = ["Idempotency-Key": "0190a6d2-7c1a-7d7e-9f7e-000000000002"]
            for _ in 0..<2 {
                let answer = try await client.send(
                    "DELETE",
                    "/v1/namespaces/main/tables/t",
                    headers: drop
                )
                #expect(answer.status == 204)
            }
            #expect(try await client.send("DELETE", "/v1/namespaces/main/tables/t").status == 404)
            let bad = try await client.post(
                "/v1/namespaces",
                ["namespace": ["n"]],
                headers: ["Idempotency-Key": "x"]
            )
            #expect(bad.status == 400)
        }
    }

    @Test("renames, registers, purges, and takes metrics")
    func otherChanges() async throws {
        try await withServer { client in
            let made = try await client.makeTable("t")
            func name(_ name: String, _ namespace: String = "main") -> JSON {
                ["namespace": [.string(namespace)], "name": .string(name)]
            }
            let renamed = try await client.post(
                "/v1/tables/rename",
                ["source": name("t"), "destination": name("u")]
            )
            #expect(renamed.status == 204)
            let gone = try await client.post(
                "/v1/tables/rename",
                ["source": name("t"), "destination": name("v")]
            )
            #expect(gone.status == 404 && gone.errorType == "NoSuchTableException")
            let nowhere = try await client.post(
                "/v1/tables/rename",
                ["source": name("u"), "destination": name("v", "q")]
            )
            #expect(nowhere.status == 404 && nowhere.errorType == "NoSuchNamespaceException")
            try await client.makeTable("w")
            let taken = try await client.post(
                "/v1/tables/rename",
                ["source": name("u"), "destination": name("w")]
            )
            #expect(taken.status == 409 && taken.errorType == "AlreadyExistsException")
            let metrics = try await client.post(
                "/v1/namespaces/main/tables/u/metrics",
                [
                    "report-type": "commit-report", "table-name": "u", "snapshot-id": 5,
                    "sequence-number": 1, "operation": "append",
                    "metrics": ["total-duration": ["unit": "count", "value": 7]],
                ]
            )
            #expect(metrics.status == 204)
            let kept = try await client.query(
                "SELECT report_type, namespace, table_name, snapshot_id, operation, "
                    + "report ->> 'sequence-number' FROM varve.metrics_reports"
            )
            #expect(
                try kept.json["rows"] == [["commit-report", "main", "u", 5, "append", "1"]]
            )
            for bad: JSON in [[:], ["report-type": "x"], ["report-type": "scan-report"]] {
                let answer = try await client.post("/v1/namespaces/main/tables/u/metrics", bad)
                #expect(answer.status == 400)
            }
            let dropped = try await client.send(
                "DELETE",
                "/v1/namespaces/main/tables/u?purgeRequested=true"
            )
            #expect(dropped.status == 204)
            let registered = try await client.post(
                "/v1/namespaces/main/register",
                ["name": "back", "metadata-location": made["metadata-location"] ?? .null]
            )
            #expect(registered.status == 200)
            #expect(try registered.json["metadata-location"] == made["metadata-location"])
            let missing = try await client.post(
                "/v1/namespaces/main/register",
                ["name": "q", "metadata-location": "memory:/main/none.metadata.json"]
            )
            #expect(missing.status == 400 || missing.status == 406)
        }
    }

    @Test("commits to many tables at once, or to none")
    func transactions() async throws {
        try await withServer { client in
            try await client.makeTable("t")
            try await client.makeTable("u")
            func change(_ name: String, _ commit: JSON) -> JSON {
                [
                    "identifier": ["namespace": ["main"], "name": .string(name)],
                    "requirements": commit["requirements"] ?? .null,
                    "updates": commit["updates"] ?? .null,
                ]
            }
            let fresh = appendCommit(1, sequence: 1, parent: nil)
            let stale = appendCommit(2, sequence: 1, parent: 77)
            let failed = try await client.post(
                "/v1/transactions/commit",
                ["table-changes": [change("t", fresh), change("u", stale)]]
            )
            #expect(failed.status == 409)
            let untouched = try await client.get("/v1/namespaces/main/tables/t")
            #expect(try untouched.json["metadata"]?["snapshots"]?.array?.isEmpty != false)
            let done = try await client.post(
                "/v1/transactions/commit",
                ["table-changes": [change("t", fresh), change("u", fresh)]]
            )
            #expect(done.status == 204)
            let log = try await client.get("/varve/v1/log?from=4")
            #expect(try log.json["commits"]?.array?.count == 1)
            #expect(try log.json["commits"]?[0]?["changes"]?.array?.count == 2)
            let twice = try await client.post(
                "/v1/transactions/commit",
                ["table-changes": [change("t", fresh), change("t", fresh)]]
            )
            #expect(twice.status == 400)
        }
    }
}
