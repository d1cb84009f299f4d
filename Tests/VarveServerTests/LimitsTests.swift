import Ambient
import Bytes
import Testing

import VarveServer

@Suite("What the server bounds")
struct LimitsTests {
    @Test("bodies, whether they say their length or not")
    func bodies() async throws {
        try await withServer {
            $0.limits.bodyBytesMax = 4096
        } _: { client in
            let large: JSON = ["sql": .string(String(repeating: " ", count: 10_000))]
            let said = try await client.post("/varve/v1/query", large)
            #expect(said.status == 413 && said.errorType == "RequestEntityTooLargeException")
            let port = client.port
            let unsaid = try await WorkerPool.shared.run {
                let connection = try LoopbackConnection(port: port)
                try connection.send(
                    "POST /v1/namespaces HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                        + "Transfer-Encoding: chunked\r\n\r\n1400\r\n"
                        + String(repeating: " ", count: 0x1400) + "\r\n0\r\n\r\n"
                )
                return try connection.answer()
            }
            #expect(unsaid.status == 413)
        }
    }

    @Test("header fields")
    func headers() async throws {
        try await withServer {
            $0.limits.headerBytesMax = 2048
        } _: { client in
            let answer = try await client.get(
                "/v1/config",
                headers: ["X-Long": String(repeating: "x", count: 5000)]
            )
            #expect(answer.status == 400 || answer.status == 431)
        }
    }

    @Test("queries at once, with 429 and Retry-After, while probes are answered")
    func concurrency() async throws {
        try await withServer {
            $0.limits.queriesMax = 1
        } _: { client in
            let port = client.port
            let connection = try await WorkerPool.shared.run {
                let connection = try LoopbackConnection(port: port)
                let body = "{\"sql\": \"\(QueryRoutesTests.endless)\"}"
                try connection.send(
                    "POST /varve/v1/query HTTP/1.1\r\nHost: localhost\r\n"
                        + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
                )
                return connection
            }
            var refused: HTTPAnswer?
            for _ in 0..<2000 where refused == nil {
                let answer = try await client.query("SELECT 1")
                if answer.status == 429 { refused = answer }
            }
            #expect(refused?.headers["retry-after"] == "1")
            #expect(refused?.errorType == "TooManyRequestsException")
            #expect(try await client.get("/health/ready").status == 200)
            #expect(try await client.get("/v1/namespaces").status == 200)
            connection.close()
        }
    }

    @Test("how long a query may take")
    func timeout() async throws {
        try await withServer {
            $0.limits.queryTimeoutSeconds = 1
        } _: { client in
            let answer = try await client.query(QueryRoutesTests.endless)
            #expect(answer.status == 504 && answer.errorType == "RequestTimeoutException")
        }
    }

    @Test("how long a query may take to arrive, before which nothing can have been changed")
    func slowQuery() async throws {
        try await withServer {
            $0.limits.queryTimeoutSeconds = 1
        } _: { client in
            let port = client.port
            let answer = try await WorkerPool.shared.run {
                let connection = try LoopbackConnection(port: port)
                try connection.send(
                    "POST /varve/v1/query HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"
                )
                return try connection.answer()
            }
            #expect(answer.status == 504 && answer.errorType == "RequestTimeoutException")
        }
    }

    @Test("how long a request may take to arrive")
    func slowBody() async throws {
        try await withServer {
            $0.limits.requestTimeoutSeconds = 1
        } _: { client in
            let port = client.port
            let answer = try await WorkerPool.shared.run {
                let connection = try LoopbackConnection(port: port)
                try connection.send(
                    "POST /v1/namespaces HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"
                )
                return try connection.answer()
            }
            #expect(answer.status == 504)
        }
    }

    @Test("nothing about requests that share a connection")
    func keepAlive() async throws {
        try await withServer { client in
            let port = client.port
            let statuses = try await WorkerPool.shared.run {
                let connection = try LoopbackConnection(port: port)
                var statuses: [Int] = []
                for path in ["/v1/config", "/v1/nothing", "/v1/namespaces", "/health/live"] {
                    try connection.send("GET \(path) HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    statuses.append(try connection.answer().status)
                }
                return statuses
            }
            #expect(statuses == [200, 404, 200, 200])
        }
    }

    @Test("never dies of garbage", arguments: 0..<8)
    func garbage(seed: UInt64) async throws {
        try await withServer { client in
            let port = client.port
            let random = SeededRandom(seed: seed)
            let paths = [
                "/v1/namespaces/%", "/v1/namespaces/%FF", "/v1//tables", "//", "/?%", "*",
                "/v1/namespaces?pageSize=99999999999999999999", "/v1/namespaces/%1F/tables",
                "http://x", "/varve/v1/log?from=-1", "/varve/v1/log?from=9223372036854775807",
                "/varve/v1/tables/a..b/c/history",
                "/v1/namespaces/\(String(repeating: "a", count: 3000))",
            ]
            for path in paths {
                for method in ["GET", "POST", "DELETE", "HEAD", "OPTIONS"] {
                    let bytes = (0..<Int(random.number(below: 40))).map { _ in
                        UInt8(truncatingIfNeeded: random.nextBits())
                    }
                    let answer = try? await client.send(method, path, bytes)
                    #expect((answer?.status ?? 400) < 500)
                }
            }
            for _ in 0..<20 {
                let bytes = (0..<Int(random.number(below: 300))).map { _ in
                    UInt8(truncatingIfNeeded: random.nextBits())
                }
                try await WorkerPool.shared.run {
                    let connection = try LoopbackConnection(port: port)
                    try? connection.send(bytes + [13, 10, 13, 10])
                    connection.close()
                }
            }
            #expect(try await client.get("/health/ready").status == 200)
        }
    }
}
