import Ambient
import Bytes
import Testing

import VarveServer

@Suite("The index and the document")
struct OwnRoutesTests {
    @Test("name every route of ours")
    func complete() async throws {
        try await withServer { client in
            let document = try await client.get("/openapi.yaml")
            #expect(document.headers["content-type"] == "application/yaml")
            let lines = Set(document.text.split(separator: "\n").map(String.init))
            let routes = try await client.get("/").json["routes"]?.array ?? []
            #expect(routes.count > 30)
            for route in routes {
                let path = try #require(route["path"]?.string)
                if path.hasPrefix("/v1/") || path.hasPrefix("/iceberg/v1/") { continue }
                #expect(lines.contains("  \(path):"), "\(path) is not documented")
            }
        }
    }

    @Test("need no credentials, unlike everything else of ours")
    func open() async throws {
        try await withServer {
            $0.tokens = [ConfiguredToken(token: Secret("a-secret-token"), principal: "alice")]
        } _: { client in
            for path in ["/", "/openapi.yaml", "/health/live", "/health/ready"] {
                let answer = try await client.get(path)
                #expect(answer.status == 200)
            }
            for path in ["/varve/v1/log", "/varve/v1/lineage/upstream?node=t", "/metrics"] {
                let answer = try await client.get(path)
                #expect(answer.status == 401)
            }
            for path in ["/varve/v1/tables/main/t/rows", "/varve/v1/transforms/run"] {
                let answer = try await client.post(path, [:])
                #expect(answer.status == 401)
            }
        }
    }
}
