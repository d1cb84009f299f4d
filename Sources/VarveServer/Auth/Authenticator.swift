import Ambient
import Crypto
import HTTPTypes

/// Finds out who sends a request.
///
/// Secrets are compared as digests, all of them each time, so that the time an answer takes says nothing
/// about them.
struct Authenticator: Sendable {
    private struct Known: Sendable {
        var digest: SHA256Digest
        var principal: String
    }

    private let tokens: [Known]
    private let issuer: TokenIssuer
    private let isOpenToAll: Bool

    init(configuration: ServerConfiguration, time: any TimeSource) {
        tokens = configuration.tokens.map {
            Known(digest: digest($0.token.reveal()), principal: $0.principal)
        }
        issuer = TokenIssuer(
            clients: configuration.clients,
            lifetimeSeconds: configuration.tokenLifetimeSeconds,
            time: time
        )
        isOpenToAll = !configuration.hasCredentials
    }

    /// Who sends the request: `anonymous` when no credentials are configured.
    ///
    /// - Throws: `unauthorized`, `forbidden`.
    func principal(of headers: HTTPFields, authority: String?) throws(ServerError) -> String {
        if isOpenToAll {
            try checkIsLocal(headers, authority)
            return "anonymous"
        }
        guard let token = bearerToken(headers) else {
            throw ServerError(
                .unauthorized,
                "this server wants credentials: Authorization: Bearer …"
            )
        }
        let given = digest(token)
        var found: String?
        for known in tokens where known.digest == given { found = known.principal }
        if let found { return found }
        guard let principal = issuer.principal(ofToken: token) else {
            throw ServerError(.unauthorized, "the token is not known here, or has expired")
        }
        return principal
    }

    /// A new token for a client that shows its secret.
    ///
    /// - Throws: `unauthorized`.
    func token(clientID: String, secret: String) throws(ServerError) -> IssuedToken {
        try issuer.issue(clientID: clientID, secret: secret)
    }

    private func bearerToken(_ headers: HTTPFields) -> String? {
        guard let value = headers[.authorization],
            let space = value.firstIndex(of: " "), value[..<space].lowercased() == "bearer"
        else { return nil }
        let token = value[space...].drop { $0 == " " }
        return token.isEmpty ? nil : String(token)
    }

    /// Keeps web pages away from a server without credentials: a browser on this machine would carry
    /// their requests here, but it says where they come from.
    private func checkIsLocal(_ headers: HTTPFields, _ authority: String?) throws(ServerError) {
        if let authority, !isLoopback(hostName(authority)) {
            throw ServerError(
                .forbidden,
                "without credentials the server answers to localhost only, not to \"\(authority)\""
            )
        }
        guard let origin = headers[.origin] else { return }
        let host = origin.split(separator: "/").last.map { hostName(String($0)) } ?? ""
        guard isLoopback(host) else {
            throw ServerError(
                .forbidden,
                "without credentials the server answers no pages of other hosts"
            )
        }
    }

    /// A host without its port.
    private func hostName(_ authority: String) -> String {
        if authority.hasPrefix("[") {
            return String(authority.prefix { $0 != "]" }) + "]"
        }
        return String(authority.prefix { $0 != ":" })
    }
}

func digest(_ text: String) -> SHA256Digest { SHA256.hash(data: Array(text.utf8)) }
