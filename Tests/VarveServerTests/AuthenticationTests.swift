import Ambient
import Bytes
import Testing

@testable import VarveServer

@Suite("Who may ask")
struct AuthenticationTests {
    private static func withUsers(_ configuration: inout ServerConfiguration) {
        configuration.tokens = [
            ConfiguredToken(token: Secret("token-of-alice"), principal: "alice")
        ]
        configuration.clients = [
            ConfiguredClient(id: "etl", secret: Secret("secret-of-etl"), principal: "loader")
        ]
    }

    @Test("only those who show a token, except for probes")
    func tokens() async throws {
        let log = LogLines()
        try await withServer(Self.withUsers, log: log) { client in
            for authorization in [
                nil, "Bearer wrong-token", "Basic x", "Bearer ", "token-of-alice",
            ] {
                let headers = authorization.map { ["Authorization": $0] } ?? [:]
                let answer = try await client.get("/v1/namespaces", headers: headers)
                #expect(answer.status == 401 && answer.errorType == "NotAuthorizedException")
                #expect(answer.headers["www-authenticate"] == "Bearer")
            }
            #expect(try await client.get("/metrics").status == 401)
            #expect(try await client.get("/health/live").status == 200)
            #expect(try await client.get("/health/ready").status == 200)
            var alice = client
            alice.headers["Authorization"] = "bearer token-of-alice"
            #expect(try await alice.post("/v1/namespaces", ["namespace": ["n"]]).status == 200)
            let log = try await alice.get("/varve/v1/log?from=2")
            #expect(try log.json["commits"]?[0]?["actor"] == "alice")
        }
        #expect(!log.all.contains { $0.contains("token-of-alice") || $0.contains("wrong-token") })
        #expect(log.json.contains { $0["principal"] == "alice" && $0["status"]?.int == 200 })
    }

    @Test("a client gets a token for its secret, by form or header")
    func clients() async throws {
        try await withServer(Self.withUsers) { client in
            let form =
                "grant_type=client_credentials&client_id=etl&client_secret=secret-of-etl&scope=catalog"
            let answer = try await client.send("POST", "/v1/oauth/tokens", Array(form.utf8))
            #expect(answer.status == 200 && answer.headers["cache-control"] == "no-store")
            let token = try #require(try answer.json["access_token"]?.string)
            #expect(try answer.json["token_type"] == "bearer")
            var loader = client
            loader.headers["Authorization"] = "Bearer \(token)"
            #expect(try await loader.post("/v1/namespaces", ["namespace": ["n"]]).status == 200)
            let log = try await loader.get("/varve/v1/log?from=2")
            #expect(try log.json["commits"]?[0]?["actor"] == "loader")

            // ZXRsOnNlY3JldC1vZi1ldGw= is etl:secret-of-etl.
            let basic = try await client.send(
                "POST",
                "/iceberg/v1/oauth/tokens",
                Array("grant_type=client_credentials".utf8),
                headers: ["Authorization": "Basic ZXRsOnNlY3JldC1vZi1ldGw="]
            )
            #expect(basic.status == 200)

            for (bad, status, code) in [
                (
                    "grant_type=client_credentials&client_id=etl&client_secret=no", 401,
                    "invalid_client"
                ),
                ("grant_type=client_credentials", 401, "invalid_client"),
                ("client_id=etl", 400, "invalid_request"),
                (
                    "grant_type=urn:ietf:params:oauth:grant-type:token-exchange", 400,
                    "unsupported_grant_type"
                ),
            ] {
                let answer = try await client.send("POST", "/v1/oauth/tokens", Array(bad.utf8))
                #expect(answer.status == status)
                #expect(try answer.json["error"]?.string == code)
            }
        }
    }

    @Test("a token ends with its time, with its client's secret, and with any change of its text")
    func issuedTokens() throws {
        let time = ManualTime()
        func issuer(_ secret: String) -> TokenIssuer {
            TokenIssuer(
                clients: [ConfiguredClient(id: "c.1", secret: Secret(secret), principal: "p")],
                lifetimeSeconds: 100,
                time: time
            )
        }
        let token = try issuer("right-secret").issue(clientID: "c.1", secret: "right-secret")
        let text = token.token.reveal()
        #expect(issuer("right-secret").principal(ofToken: text) == "p")
        #expect(issuer("other-secret").principal(ofToken: text) == nil)
        for place in text.indices {
            var changed = text
            changed.replaceSubrange(place...place, with: text[place] == "1" ? "2" : "1")
            #expect(issuer("right-secret").principal(ofToken: changed) == nil)
        }
        #expect(issuer("right-secret").principal(ofToken: "v1...") == nil)
        time.advance(nanoseconds: 101 * 1_000_000_000)
        #expect(issuer("right-secret").principal(ofToken: text) == nil)
    }

    @Test("without credentials, nobody but this machine, and no page of another host")
    func local() async throws {
        var configuration = ServerConfiguration()
        configuration.host = "0.0.0.0"
        #expect(throws: ServerError.self) { try configuration.check() }
        configuration.tokens = [ConfiguredToken(token: Secret("long-enough"), principal: "a")]
        try configuration.check()
        configuration.tokens = [ConfiguredToken(token: Secret("short"), principal: "a")]
        #expect(throws: ServerError.self) { try configuration.check() }
        for host in ["127.0.0.1", "localhost", "::1", "127.1.2.3"] { #expect(isLoopback(host)) }
        for host in ["127.evil.com", "0.0.0.0", "10.0.0.1", "127.0.0.1.evil.com", ""] {
            #expect(!isLoopback(host))
        }
        try await withServer { client in
            let rebound = try await client.get("/v1/namespaces", headers: ["Host": "evil.com"])
            #expect(rebound.status == 403)
            let page = try await client.get(
                "/v1/namespaces",
                headers: ["Origin": "https://evil.com"]
            )
            #expect(page.status == 403 && page.errorType == "ForbiddenException")
            let own = try await client.get(
                "/v1/namespaces",
                headers: ["Origin": "http://localhost:8181"]
            )
            #expect(own.status == 200)
        }
    }
}
