package import Ambient
package import ObjectStorage

/// Bounds on what clients may take.
package struct ServerLimits: Sendable, Equatable {
    /// The largest body of a JSON request.
    package var bodyBytesMax = 64 << 20
    /// The largest body of uploaded rows.
    package var uploadBytesMax = 16 << 30
    /// All header fields of a request together.
    package var headerBytesMax = 64 << 10
    /// A catalog request is cancelled after this.
    package var requestTimeoutSeconds = 60
    /// A query is cancelled after this.
    package var queryTimeoutSeconds = 3600
    /// A connection without a request is closed after this, and one whose request does not come on.
    package var idleSeconds = 75
    /// How long requests under way may take to end once the server is told to stop.
    package var drainSeconds = 30
    package var requestsMax = 512
    package var queriesMax = 32

    package init() {}
}

/// A token and who it stands for.
package struct ConfiguredToken: Sendable, Equatable {
    package var token: Secret
    package var principal: String

    package init(token: Secret, principal: String) {
        self.token = token
        self.principal = principal
    }
}

/// A client of the token endpoint and who it stands for.
package struct ConfiguredClient: Sendable, Equatable {
    package var id: String
    package var secret: Secret
    package var principal: String

    package init(id: String, secret: Secret, principal: String) {
        self.id = id
        self.secret = secret
        self.principal = principal
    }
}

/// What `varve serve` is told by its file, its options and the environment.
package struct ServerConfiguration: Sendable, Equatable {
    /// The warehouse's URL; nil where the file does not say.
    package var warehouse: String?
    /// What clients call the warehouse; the last part of its URL if nothing else is said.
    package var name: String?
    package var host = "127.0.0.1"
    /// 0 picks a free one.
    package var port = 8181
    package var limits = ServerLimits()
    /// Where uploaded rows lie until they are imported; nil for TMPDIR of the environment, or /tmp.
    package var spoolDirectory: String?
    package var tokens: [ConfiguredToken] = []
    package var clients: [ConfiguredClient] = []
    /// How long a token of the token endpoint is good.
    package var tokenLifetimeSeconds = 3600
    package var s3 = S3Options()
    /// Whether appends that lost a race are put on top of what won it; tables may say otherwise.
    package var rebasesAppends = true
    /// Whether clients get the store's credentials with every table.
    package var vendsCredentials = false
    /// The role whose credentials, cut down to one table, clients get that ask for some.
    package var assumedRole: AssumedRole?
    /// Whether requests to tables' files are signed for clients that ask for it.
    package var signsRequests = false
    /// Where commits go as they are made.
    package var webhooks: [WebhookSettings] = []

    package init() {}

    /// Whether anybody may do anything.
    package var hasCredentials: Bool { !tokens.isEmpty || !clients.isEmpty }

    /// Takes tokens from the variable VARVE_TOKENS: `principal:token`, more of them after commas.
    ///
    /// - Throws: `configuration`; the message holds no token.
    package mutating func addTokens(_ environment: EnvironmentVariables) throws(ServerError) {
        guard let text = environment["VARVE_TOKENS"] else { return }
        for (index, part) in text.split(separator: ",").enumerated() {
            let pair = part.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard pair.count == 2, !pair[0].isEmpty, !pair[1].isEmpty else {
                throw ServerError(
                    .configuration,
                    "VARVE_TOKENS: entry \(index + 1) is not of the form principal:token"
                )
            }
            tokens.append(
                ConfiguredToken(token: Secret(String(pair[1])), principal: String(pair[0]))
            )
        }
    }

    /// Refuses what would let strangers in.
    ///
    /// - Throws: `configuration`.
    package func check() throws(ServerError) {
        if !hasCredentials, !isLoopback(host) {
            throw ServerError(
                .configuration,
                "without credentials the server listens on this machine only, not on \(host): "
                    + "set auth.tokens or auth.clients in the configuration file, or VARVE_TOKENS"
            )
        }
        for token in tokens where token.token.reveal().utf8.count < 8 {
            throw ServerError(
                .configuration,
                "the token of \(token.principal) is shorter than 8 characters"
            )
        }
        for client in clients where client.secret.reveal().utf8.count < 8 {
            throw ServerError(
                .configuration,
                "the secret of client \(client.id) is shorter than 8 characters"
            )
        }
        try checkWebhooks()
    }
}

/// Whether a host is this machine and nothing else.
package func isLoopback(_ host: String) -> Bool {
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    let isAddress = parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    return isAddress || ["localhost", "::1", "[::1]"].contains(host.lowercased())
}
