import Bytes
import Testing

import VarveServer

@Suite("Views of the Iceberg REST catalog")
struct ViewRoutesTests {
    /// A create request, or a version for a replace.
    private func version(
        _ texts: [(dialect: String, sql: String)],
        id: Int = 1,
        schemaID: Int = 0
    ) -> JSON {
        [
            "version-id": .integer(id), "schema-id": .integer(schemaID), "timestamp-ms": 5,
            "summary": ["engine-name": "test"], "default-namespace": ["main"],
            "representations": .array(
                texts.map {
                    ["type": "sql", "sql": .string($0.sql), "dialect": .string($0.dialect)]
                }
            ),
        ]
    }

    private func request(_ name: String, _ texts: [(dialect: String, sql: String)]) -> JSON {
        [
            "name": .string(name), "schema": sampleSchema, "view-version": version(texts),
            "properties": ["comment": "c"],
        ]
    }

    private func replacement(_ texts: [(dialect: String, sql: String)]) -> JSON {
        [
            ["action": "add-view-version", "view-version": version(texts, schemaID: 0)],
            ["action": "set-current-view-version", "view-version-id": -1],
        ]
    }

    @Test("makes, loads, lists, renames and drops views")
    func life() async throws {
        try await withServer { client in
            let path = "/v1/namespaces/main/views"
            let text = [(dialect: "spark", sql: "SELECT 1 AS a, 'x' AS b")]
            let made = try await client.post(path, request("v", text))
            try #require(made.status == 200, "\(made.text)")
            let metadata = try #require(try made.json["metadata"])
            #expect(metadata["current-version-id"] == 1 && metadata["format-version"] == 1)
            #expect(metadata["properties"]?["comment"] == "c")
            let loaded = try await client.get("\(path)/v")
            #expect(try loaded.json == made.json)
            #expect(
                try await client.post(path, request("v", text)).errorType
                    == "AlreadyExistsException"
            )
            try await client.makeTable("t")
            #expect(try await client.post(path, request("t", text)).status == 409)
            #expect(
                try await client.get("/v1/namespaces/main/tables/v").errorType
                    == "NoSuchTableException"
            )
            for name in ["w", "x"] {
                #expect(try await client.post(path, request(name, text)).status == 200)
            }
            let first = try await client.get("\(path)?pageSize=2").json
            #expect(first["identifiers"]?.array?.count == 2)
            let token = try #require(first["next-page-token"]?.string)
            let second = try await client.get("\(path)?pageSize=2&pageToken=\(token)").json
            #expect(second["identifiers"]?[0]?["name"] == "x" && second["next-page-token"] == nil)

            func rename(_ from: String, _ to: String, in namespace: JSON = ["main"]) async throws
                -> HTTPAnswer
            {
                try await client.post(
                    "/v1/views/rename",
                    [
                        "source": ["namespace": ["main"], "name": .string(from)],
                        "destination": ["namespace": namespace, "name": .string(to)],
                    ]
                )
            }
            #expect(try await rename("v", "w").status == 409)
            #expect(try await rename("v", "t").status == 409)
            #expect(try await rename("q", "r").errorType == "NoSuchViewException")
            #expect(try await rename("v", "r", in: ["no"]).errorType == "NoSuchNamespaceException")
            #expect(try await rename("v", "r").status == 204)
            #expect(try await client.send("HEAD", "\(path)/r").status == 204)
            #expect(try await client.send("HEAD", "\(path)/v").status == 404)
            #expect(try await client.send("DELETE", "\(path)/r").status == 204)
            for missing in ["\(path)/r", "/v1/namespaces/no/views/r"] {
                for method in ["GET", "DELETE"] {
                    let answer = try await client.send(method, missing)
                    #expect(answer.status == 404 && answer.errorType == "NoSuchViewException")
                }
            }
            #expect(
                try await client.get("/v1/namespaces/no/views").errorType
                    == "NoSuchNamespaceException"
            )
        }
    }

    @Test("replaces a view by updates whose requirements hold, and keeps its older versions")
    func replace() async throws {
        try await withServer { client in
            let path = "/v1/namespaces/main/views/v"
            let made = try await client.post(
                "/v1/namespaces/main/views",
                request("v", [("spark", "SELECT 1 AS a")])
            )
            let uuid = try #require(try made.json["metadata"]?["view-uuid"])
            let wider: JSON = [
                "type": "struct", "schema-id": 7,
                "fields": [["id": 1, "name": "z", "type": "int", "required": false]],
            ]
            let done = try await client.post(
                path,
                [
                    "identifier": ["namespace": ["main"], "name": "v"],
                    "requirements": [["type": "assert-view-uuid", "uuid": uuid]],
                    "updates": [
                        ["action": "assign-uuid", "uuid": uuid],
                        ["action": "upgrade-format-version", "format-version": 1],
                        ["action": "add-schema", "schema": wider],
                        [
                            "action": "add-view-version",
                            "view-version": version(
                                [("spark", "SELECT 2 AS z"), ("trino", "SELECT 2 AS z")],
                                schemaID: -1
                            ),
                        ],
                        ["action": "set-current-view-version", "view-version-id": -1],
                        ["action": "set-properties", "updates": ["k": "1"]],
                        ["action": "remove-properties", "removals": ["comment"]],
                    ],
                ]
            )
            try #require(done.status == 200, "\(done.text)")
            let view = try #require(try done.json["metadata"])
            #expect(view["current-version-id"] == 2 && view["versions"]?.array?.count == 2)
            #expect(view["versions"]?[1]?["schema-id"] == 7)
            #expect(view["versions"]?[1]?["representations"]?.array?.count == 2)
            #expect(view["properties"] == ["k": "1"])
            #expect(try done.json["metadata-location"] != made.json["metadata-location"])
            // The same again changes nothing, and leaves no new file.
            let same = try await client.post(
                path,
                ["updates": [["action": "set-properties", "updates": ["k": "1"]]]]
            )
            #expect(try same.json == done.json)

            func refused(_ body: JSON) async throws -> Int {
                try await client.post(path, body).status
            }
            let other: JSON = [
                "requirements": [["type": "assert-view-uuid", "uuid": "00"]], "updates": [],
            ]
            #expect(try await refused(other) == 409)
            #expect(
                try await refused(["updates": replacement([("trino", "SELECT 3 AS z")])]) == 400
            )
            let twice = replacement([("a", "x"), ("A", "y")])
            #expect(try await refused(["updates": twice]) == 400)
            #expect(try await refused(["updates": replacement([])]) == 400)
            let bad: [JSON] = [
                ["action": "assign-uuid", "uuid": "00"], ["action": "explode"], [], 1,
                ["action": "set-current-view-version", "view-version-id": 77],
                ["action": "set-current-view-version", "view-version-id": -1],
                ["action": "upgrade-format-version", "format-version": 2],
                ["action": "set-location", "location": "s3://elsewhere/x"],
                [
                    "action": "add-view-version",
                    "view-version": version([("a", "x")], schemaID: 99),
                ],
            ]
            for update in bad {
                #expect(try await refused(["updates": [update]]) == 400, "\(update)")
            }
            #expect(try await refused(["requirements": [["type": "x"]], "updates": []]) == 400)
            #expect(try await refused([:]) == 400)
            let missing = try await client.post("\(path)x", ["updates": []])
            #expect(missing.errorType == "NoSuchViewException")
            #expect(try await client.get(path).json == done.json)
        }
    }

    @Test("registers view metadata that lie somewhere already")
    func register() async throws {
        try await withServer { client in
            let made = try await client.post(
                "/v1/namespaces/main/views",
                request("v", [("varve", "SELECT 1 AS a, 'x' AS b")])
            )
            let location = try #require(try made.json["metadata-location"])
            #expect(try await client.send("DELETE", "/v1/namespaces/main/views/v").status == 204)
            let body: JSON = ["name": "back", "metadata-location": location]
            let path = "/v1/namespaces/main/register-view"
            let back = try await client.post(path, body)
            #expect(back.status == 200, "\(back.text)")
            #expect(try back.json["metadata"] == made.json["metadata"])
            #expect(try await client.post(path, body).status == 409)
            let gone: JSON = ["name": "g", "metadata-location": "memory:/no.metadata.json"]
            #expect(try await client.post(path, gone).status == 400)
            #expect(try await client.post("/v1/namespaces/no/register-view", body).status == 404)
            #expect(try await client.query("SELECT * FROM back").json["rows"] == [[1, "x"]])
        }
    }

    @Test("SQL reads its own dialect first, else a near one, and says which there are")
    func dialects() async throws {
        try await withServer { client in
            func make(_ name: String, _ texts: [(dialect: String, sql: String)]) async throws {
                let answer = try await client.post(
                    "/v1/namespaces/main/views",
                    request(name, texts)
                )
                #expect(answer.status == 200, "\(answer.text)")
            }
            try await make("own", [("spark", "bad"), ("Varve", "SELECT 1 AS a, 'own' AS b")])
            try await make("near", [("spark", "SELECT 2 AS a, 'near' AS b")])
            try await make("far", [("flink", "SELECT 3 AS a, 'far' AS b")])
            try await make("trap", [("spark", "SELECT 4 AS a, \"far\" AS b")])
            try await make("division", [("trino", "SELECT 7 / 2 AS a, 'x' AS b")])
            try await make("broken", [("trino", "SELECT FROM WHERE")])
            #expect(try await client.query("FROM own").json["rows"] == [[1, "own"]])
            #expect(try await client.query("FROM near").json["rows"] == [[2, "near"]])
            for (name, hint) in [
                ("far", "SQL of flink"), ("trap", "encloses strings"), ("broken", "SQL of trino"),
                ("division", "is an integer in it"),
            ] {
                let answer = try await client.query("FROM \(name)")
                #expect(answer.status >= 400 && answer.status < 500)
                #expect(answer.text.contains(hint), "\(answer.text)")
            }
            // Views of SQL are views here.
            #expect(try await client.query("CREATE VIEW mine AS SELECT 5 AS a").status == 200)
            let mine = try await client.get("/v1/namespaces/main/views/mine").json["metadata"]
            #expect(mine?["versions"]?[0]?["representations"]?[0]?["dialect"] == "varve")
        }
    }
}
