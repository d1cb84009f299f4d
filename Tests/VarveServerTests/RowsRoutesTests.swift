import Ambient
import Bytes
import Engine
import Glibc
import Testing

import VarveServer

@Suite("Rows over HTTP")
struct RowsRoutesTests {
    private static let path = "/varve/v1/tables/main/t/rows"

    private func csv(
        _ client: LoopbackClient,
        _ text: String,
        _ query: String = "mode=create",
        key: String? = nil,
        headers: [String: String] = [:]
    ) async throws -> HTTPAnswer {
        var all = ["Content-Type": "text/csv"].merging(headers) { $1 }
        all["Idempotency-Key"] = key
        return try await client.send(
            "POST",
            "\(Self.path)?\(query)",
            Array(text.utf8),
            headers: all
        )
    }

    @Test("become one commit, whose answer says what it did")
    func commit() async throws {
        try await withServer { client in
            let made = try await csv(client, "a,b\n1,x\n2,\n")
            #expect(made.status == 200, "\(made.text)")
            #expect(try made.json["row_count"] == 2 && made.json["created"] == true)
            let before = try await client.get("/varve/v1/log").json["position"]?.int64 ?? 0
            let more = try await csv(client, "b,a\ny,3\n", "mode=append")
            #expect(try more.json["log_position"] == .integer(before + 1))
            let rows = try await client.query("SELECT a, b FROM t ORDER BY a")
            #expect(try rows.json["rows"] == [[1, "x"], [2, .null], [3, "y"]])
            let over = try await csv(client, "a\n9\n", "mode=overwrite")
            #expect(try over.json["snapshot_id"]?.string != nil)
            #expect(try await client.query("SELECT a FROM t").json["rows"] == [[9]])
        }
    }

    @Test("land once for each key, and never for another body's key")
    func keys() async throws {
        try await withServer { client in
            let first = try await csv(client, "a\n1\n", key: "key-number-one")
            let again = try await csv(client, "a\n1\n", key: "key-number-one")
            #expect(first.status == 200 && again.status == 200)
            #expect(try first.json["replayed"] == false && again.json["replayed"] == true)
            for member in ["row_count", "snapshot_id", "log_position", "created"] {
                #expect(try first.json[member] == again.json[member])
            }
            let other = try await csv(client, "a\n2\n", key: "key-number-one")
            #expect(other.status == 422 && other.errorType == "UnprocessableEntityException")
            #expect(try await client.query("SELECT a FROM t").json["rows"] == [[1]])
        }
    }

    @Test("are refused the same way again under the same key")
    func refusals() async throws {
        try await withServer { client in
            let first = try await csv(client, "a\n1\n", "mode=append", key: "key-number-two")
            #expect(first.status == 404)
            _ = try await client.query("CREATE TABLE t (a INTEGER)")
            let again = try await csv(client, "a\n1\n", "mode=append", key: "key-number-two")
            #expect(again.status == 404 && again.body == first.body)
            #expect(
                try await csv(client, "a\n1\n", "mode=append", key: "key-number-three").status
                    == 200
            )
        }
    }

    @Test("are asked for when the client waits with them, unless there is no place for them")
    func expectations() async throws {
        try await withServer { client in
            let port = client.port
            let answers = try await WorkerPool.shared.run {
                var answers: [HTTPAnswer] = []
                for mode in ["create", "append"] {
                    let connection = try LoopbackConnection(port: port)
                    let path =
                        mode == "append" ? "/varve/v1/tables/main/none/rows" : Self.path
                    try connection.send(
                        "POST \(path)?mode=\(mode) HTTP/1.1\r\nHost: localhost\r\n"
                            + "Content-Type: text/csv\r\nContent-Length: 4\r\n"
                            + "Expect: 100-continue\r\n\r\n"
                    )
                    answers.append(try connection.answer())
                    if answers.last?.status == 100 {
                        try connection.send("a\n1\n")
                        answers.append(try connection.answer())
                    }
                }
                return answers
            }
            #expect(answers.map(\.status) == [100, 200, 404])
            #expect(try answers[1].json["row_count"] == 1)
        }
    }

    @Test(
        "must be what they say",
        arguments: [
            ("mode=merge&key=a", "text/csv", 406), ("mode=upsert", "text/csv", 400),
            ("key=a", "text/csv", 400), ("colour=red", "text/csv", 400),
            ("delimiter=ab", "text/csv", 400), ("skip=-1", "text/csv", 400),
            ("header=maybe", "text/csv", 400), ("on_error=ignore", "text/csv", 400),
            ("", "text/plain", 415), ("", "", 415), ("header=true", "application/x-ndjson", 400),
        ]
    )
    func refused(query: String, type: String, status: Int) async throws {
        try await withServer { client in
            _ = try await client.query("CREATE TABLE t (a INTEGER)")
            let answer = try await csv(client, "a\n1\n", query, headers: ["Content-Type": type])
            #expect(answer.status == status, "\(answer.text)")
            #expect(try answer.json["error"]?["message"]?.string?.isEmpty == false)
            #expect(try await client.query("SELECT count(*) FROM t").json["rows"] == [[0]])
        }
    }

    @Test("are named by line and column where they cannot be read")
    func badRows() async throws {
        try await withServer { client in
            _ = try await client.query("CREATE TABLE t (a INTEGER, b DATE)")
            let answer = try await csv(client, "a,b\n1,2024-01-01\n2,soon\n", "mode=append")
            #expect(answer.status == 422)
            let row = try answer.json["error"]?["row"]
            #expect(row == ["line": 3, "column": 2, "column_name": "b"])
        }
    }

    @Test("may be no more than the limit, and none of them stay on disk")
    func limit() async throws {
        var template = Array("/tmp/varve-spool-test-XXXXXX".utf8CString)
        let made = mkdtemp(&template)
        let folder = String(cString: try #require(made))
        defer { rmdir(folder) }
        // What a process that is gone left behind: no process has this id.
        let stale = "\(folder)/varve-upload-999999999-x"
        close(open(stale, O_CREAT | O_WRONLY, 0o600))
        let foreign = "\(folder)/somebody-elses"
        close(open(foreign, O_CREAT | O_WRONLY, 0o600))
        try await withServer {
            $0.limits.uploadBytesMax = 1 << 12
            $0.spoolDirectory = folder
        } _: { client in
            #expect(access(stale, F_OK) != 0 && access(foreign, F_OK) == 0)
            let port = client.port
            let unsaid = try await WorkerPool.shared.run {
                let connection = try LoopbackConnection(port: port)
                try connection.send(
                    "POST \(Self.path)?mode=create HTTP/1.1\r\nHost: localhost\r\n"
                        + "Content-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\n1400\r\n"
                        + String(repeating: "1\n", count: 0xA00) + "\r\n0\r\n\r\n"
                )
                return try connection.answer()
            }
            #expect(unsaid.status == 413)
            #expect(try await csv(client, "a\n1\n").status == 200)
        }
        unlink(foreign)
        #expect(rmdir(folder) == 0)
    }

    @Test("never make the server fail, whatever bytes they are", arguments: 0..<4)
    func garbage(seed: UInt64) async throws {
        try await withServer { client in
            _ = try await client.query("CREATE TABLE t (a INTEGER, b VARCHAR)")
            let random = SeededRandom(seed: seed)
            let types = [
                "text/csv", "application/x-ndjson", "application/vnd.apache.parquet",
                "application/vnd.apache.arrow.stream",
            ]
            let starts: [[UInt8]] = [
                [], Array("a,b\n1,".utf8), Array("{\"a\":".utf8), Array("PAR1".utf8),
                [0xFF, 0xFF, 0xFF, 0xFF], [0x1F, 0x8B, 8], [0x28, 0xB5, 0x2F, 0xFD],
            ]
            for round in 0..<60 {
                let tail = (0..<Int(random.number(below: 200))).map { _ in
                    UInt8(truncatingIfNeeded: random.nextBits())
                }
                let answer = try await client.send(
                    "POST",
                    "\(Self.path)?mode=append",
                    starts[round % starts.count] + tail,
                    headers: ["Content-Type": types[round % types.count]]
                )
                #expect(answer.status == 200 || (400..<500).contains(answer.status))
            }
            #expect(try await client.get("/health/ready").status == 200)
        }
    }
}
