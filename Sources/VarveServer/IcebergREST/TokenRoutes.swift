import Ambient
import Bytes
import FoundationEssentials
import HTTPTypes

extension IcebergRoutes {
    func tokenRoutes(_ base: String) -> [Route] {
        [Route(.post, "\(base)/oauth/tokens", isOpen: true) { try await token($0) }]
    }

    /// Gives a client that shows its id and secret a token.
    ///
    /// Errors have OAuth's form here, which is what clients parse.
    ///
    /// - Spec: RFC 6749, sections 4.4 and 5.2.
    private func token(_ request: ServerRequest) async throws -> Reply {
        guard let text = String(validating: try await request.bytes(), as: UTF8.self),
            let form = try? formMembers(text)
        else { return error(400, "invalid_request", "the body is no form") }
        switch form["grant_type"] {
        case "client_credentials": break
        case "urn:ietf:params:oauth:grant-type:token-exchange":
            return error(
                400,
                "unsupported_grant_type",
                "tokens are not exchanged here: ask again with client_credentials"
            )
        case let other?:
            return error(400, "unsupported_grant_type", "grant_type \"\(other)\" is not known here")
        case nil: return error(400, "invalid_request", "grant_type is missing")
        }
        let basic = basicCredentials(request.headers[.authorization])
        guard let id = form["client_id"] ?? basic?.id,
            let secret = form["client_secret"] ?? basic?.secret
        else {
            return error(
                401,
                "invalid_client",
                "client_id and client_secret are in neither form nor header"
            )
        }
        do throws(ServerError) {
            let issued = try parts.authenticator.token(clientID: id, secret: secret)
            var object: JSONObject = [
                "access_token": .string(issued.token.reveal()), "token_type": "bearer",
                "expires_in": .integer(issued.lifetimeSeconds),
                "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
            ]
            if let scope = form["scope"] { object["scope"] = .string(scope) }
            var reply = Reply.json(.object(object))
            reply.headers[.cacheControl] = "no-store"
            return reply
        } catch {
            parts.metrics.rejected(reason: "unauthorized")
            return self.error(401, "invalid_client", error.message)
        }
    }

    private func error(_ status: Int, _ code: String, _ message: String) -> Reply {
        var reply = Reply.json(
            ["error": .string(code), "error_description": .string(message)],
            status: status
        )
        if status == 401 { reply.headers[.wwwAuthenticate] = "Basic" }
        return reply
    }

    /// The id and secret of `Authorization: Basic`.
    private func basicCredentials(_ header: String?) -> (id: String, secret: String)? {
        guard let header, let space = header.firstIndex(of: " "),
            header[..<space].lowercased() == "basic",
            let data = Data(base64Encoded: String(header[space...].drop { $0 == " " })),
            let text = String(validating: data, as: UTF8.self), let colon = text.firstIndex(of: ":")
        else { return nil }
        return (String(text[..<colon]), String(text[text.index(after: colon)...]))
    }
}
