import Ambient
import Crypto

/// A token and how long it is good.
struct IssuedToken: Sendable {
    var token: Secret
    var lifetimeSeconds: Int
}

/// Makes and checks tokens of the token endpoint.
///
/// A token says whose it is and until when, signed with a key made of the client's secret. So every server
/// with the same configuration takes it, none keeps anything, and a changed secret ends all its tokens.
///
///     v1.<client id in hex>.<expiry in seconds since 1970>.<HMAC-SHA-256 of all before, in hex>
struct TokenIssuer: Sendable {
    private let clients: [ConfiguredClient]
    private let lifetimeSeconds: Int
    private let time: any TimeSource

    init(clients: [ConfiguredClient], lifetimeSeconds: Int, time: any TimeSource) {
        self.clients = clients
        self.lifetimeSeconds = lifetimeSeconds
        self.time = time
    }

    private var nowSeconds: Int64 { time.nowMicros() / 1_000_000 }

    /// - Throws: `unauthorized`, the same for unknown clients and wrong secrets.
    func issue(clientID: String, secret: String) throws(ServerError) -> IssuedToken {
        let given = digest(secret)
        var found: ConfiguredClient?
        for client in clients {
            let isRight = digest(client.secret.reveal()) == given
            if isRight, client.id == clientID { found = client }
        }
        guard let found else {
            throw ServerError(.unauthorized, "the client is not known here, or its secret is wrong")
        }
        let id = hex(Array(found.id.utf8))
        let body = "v1.\(id).\(nowSeconds + Int64(lifetimeSeconds))"
        return IssuedToken(
            token: Secret("\(body).\(hex(Array(signature(of: body, for: found))))"),
            lifetimeSeconds: lifetimeSeconds
        )
    }

    /// Who a token stands for; nil for strangers' and old ones.
    func principal(ofToken token: String) -> String? {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0] == "v1", let expiry = Int64(parts[2]),
            let signature = bytes(ofHex: parts[3]),
            let client = clients.first(where: { hex(Array($0.id.utf8)) == parts[1] })
        else { return nil }
        let body = "\(parts[0]).\(parts[1]).\(parts[2])"
        // Compares in constant time.
        guard
            HMAC<SHA256>.isValidAuthenticationCode(
                signature,
                authenticating: Array(body.utf8),
                using: key(of: client)
            ),
            expiry > nowSeconds
        else { return nil }
        return client.principal
    }

    private func key(of client: ConfiguredClient) -> SymmetricKey {
        SymmetricKey(data: digest("varve access token\u{0}" + client.secret.reveal()))
    }

    private func signature(
        of body: String,
        for client: ConfiguredClient
    ) -> HMAC<SHA256>.MAC {
        HMAC<SHA256>.authenticationCode(for: Array(body.utf8), using: key(of: client))
    }
}

/// Bytes as lower-case hexadecimal digits.
func hex(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    for byte in bytes {
        text.append(digits[Int(byte >> 4)])
        text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
}

/// The bytes that hexadecimal digits stand for; nil for anything else.
func bytes(ofHex text: some StringProtocol) -> [UInt8]? {
    let digits = Array(text.utf8)
    guard digits.count.isMultiple(of: 2) else { return nil }
    var bytes: [UInt8] = []
    for place in stride(from: 0, to: digits.count, by: 2) {
        let pair = String(decoding: digits[place..<place + 2], as: UTF8.self)
        // `UInt8` would take a sign.
        guard digits[place] != UInt8(ascii: "+"), let byte = UInt8(pair, radix: 16) else {
            return nil
        }
        bytes.append(byte)
    }
    return bytes
}
