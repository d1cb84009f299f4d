import Ambient
import ObjectStorage
import Testing

import VarveServer

@Suite("The configuration file")
struct ConfigurationTests {
    @Test("says all there is to say")
    func whole() throws {
        let configuration = try ServerConfiguration(
            yaml: """
                warehouse: s3://bucket/lake
                name: lake
                server:
                  host: 0.0.0.0
                  port: 9000
                  body_bytes_max: 1MiB
                  upload_bytes_max: 2 GiB
                  header_bytes_max: 4096
                  request_timeout_seconds: 5
                  query_timeout_seconds: 6
                  idle_seconds: 7
                  drain_seconds: 8
                  requests_max: 9
                  queries_max: 10
                  spool_directory: /var/spool/varve
                  append_rebase: false
                auth:
                  token_lifetime_seconds: 60
                  tokens: [{token: abcdefgh, principal: alice}]
                  clients:
                    - id: etl
                      secret: 12345678
                s3:
                  endpoint: http://127.0.0.1:9001
                  region: eu-central-1
                  path_style: true
                  access_key_id: key
                  secret_access_key: secret
                  session_token: session
                  vend_credentials: true
                """
        )
        #expect(configuration.warehouse == "s3://bucket/lake" && configuration.name == "lake")
        #expect(configuration.host == "0.0.0.0" && configuration.port == 9000)
        #expect(configuration.limits.bodyBytesMax == 1 << 20)
        #expect(configuration.limits.uploadBytesMax == 2 << 30)
        #expect(configuration.limits.headerBytesMax == 4096)
        #expect(configuration.limits.queriesMax == 10 && configuration.limits.drainSeconds == 8)
        #expect(configuration.spoolDirectory == "/var/spool/varve")
        #expect(!configuration.rebasesAppends && ServerConfiguration().rebasesAppends)
        #expect(configuration.tokens.first?.principal == "alice")
        #expect(configuration.clients.first?.secret.reveal() == "12345678")
        #expect(configuration.clients.first?.principal == "etl")
        #expect(configuration.s3.credentials?.sessionToken?.reveal() == "session")
        #expect(configuration.s3.usesPathStyle == true && configuration.vendsCredentials)
        #expect(
            !"\(configuration)".contains("abcdefgh") && !"\(configuration)".contains("12345678")
        )
    }

    @Test("says how clients reach tables' files")
    func delegation() throws {
        let configuration = try ServerConfiguration(
            yaml: """
                s3:
                  remote_signing: true
                  assume_role:
                    arn: arn:aws:iam::123456789012:role/lake
                    endpoint: http://127.0.0.1:9001
                    duration_seconds: 900
                    session_name: me
                    external_id: x
                """
        )
        var role = AssumedRole(arn: "arn:aws:iam::123456789012:role/lake")
        role.endpoint = "http://127.0.0.1:9001"
        role.durationSeconds = 900
        role.sessionName = "me"
        role.externalID = "x"
        #expect(configuration.assumedRole == role && configuration.signsRequests)
        for wrong in [
            "s3: {assume_role: {endpoint: x}}", "s3: {assume_role: {arn: x, duration_seconds: 5}}",
            "s3: {vend_credentials: true, assume_role: {arn: x}}", "s3: {remote_signing: 5}",
        ] {
            #expect(throws: ServerError.self) { try ServerConfiguration(yaml: wrong) }
        }
    }

    @Test("may be empty")
    func empty() throws {
        for text in ["", "# nothing\n", "server:\n"] {
            #expect(try ServerConfiguration(yaml: text) == ServerConfiguration())
        }
    }

    @Test(
        "is refused with the line and key that are wrong, never a secret",
        arguments: [
            ("server:\n  hots: x", "line 2", "hots"), ("servre: {}", "line 1", "servre"),
            ("server:\n  port: 99999", "line 2", "port"),
            ("server:\n  port: many", "line 2", "port"),
            ("server:\n  body_bytes_max: 5 bushels", "line 2", "body_bytes_max"),
            ("server: 5", "line 1", "server"), ("auth:\n  tokens: 3", "line 2", "tokens"),
            ("auth:\n  tokens:\n    - {principal: a}", "line 3", "token"),
            ("auth:\n  tokens:\n    - {token: hunter22, principle: a}", "line 3", "principle"),
            (
                "auth:\n  clients:\n    - {id: a, secret: hunter22}\n    - {id: a, secret: hunter23}",
                "line 4", "twice"
            ),
            ("s3:\n  access_key_id: a", "line 2", "secret_access_key"),
            ("a: [", "YAML", ""), ("- a", "line 1", "the file"),
            ("server:\n  port: 1\n  port: 2", "", "port"),
        ]
    )
    func mistakes(yaml: String, place: String, key: String) throws {
        let error = try #require(throws: ServerError.self) { try ServerConfiguration(yaml: yaml) }
        #expect(error.code == .configuration)
        #expect(error.message.contains(place) && error.message.contains(key), "\(error.message)")
        #expect(!error.message.contains("hunter2"))
    }

    @Test("gets tokens from the environment, too")
    func environment() throws {
        var configuration = ServerConfiguration()
        try configuration.addTokens(
            EnvironmentVariables(["VARVE_TOKENS": "alice:one:two=,bob:three333"])
        )
        #expect(configuration.tokens.map(\.principal) == ["alice", "bob"])
        #expect(configuration.tokens.map { $0.token.reveal() } == ["one:two=", "three333"])
        for bad in ["hunter22", ":hunter22", "a:,b:hunter22"] {
            let error = try #require(throws: ServerError.self) {
                try configuration.addTokens(EnvironmentVariables(["VARVE_TOKENS": bad]))
            }
            #expect(!error.message.contains("hunter22"))
        }
    }
}
