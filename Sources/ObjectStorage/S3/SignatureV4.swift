package import Ambient
import Crypto

/// What AWS calls an identity: who asks, and the secret that proves it.
package struct S3Credentials: Sendable, Equatable {
    package var accessKey: String
    package var secretKey: Secret
    /// Comes with temporary credentials.
    package var sessionToken: Secret?

    package init(accessKey: String, secretKey: Secret, sessionToken: Secret? = nil) {
        self.accessKey = accessKey
        self.secretKey = secretKey
        self.sessionToken = sessionToken
    }
}

/// AWS Signature Version 4 for one region and service, payload in one piece.
///
/// Paths and queries come in decoded, so that what is signed and what is sent come from one encoder.
///
/// - Spec: AWS General Reference, "Signature Version 4"; S3 API Reference, "Authenticating Requests".
package struct SignatureV4: Sendable {
    private let credentials: S3Credentials
    private let region: String
    private let service: String

    package init(credentials: S3Credentials, region: String, service: String = "s3") {
        self.credentials = credentials
        self.region = region
        self.service = service
    }

    /// A request's target and headers with their signature.
    package struct Signed: Sendable {
        /// The path and query as they go over the wire.
        package var target: String
        /// Everything signed, and `authorization`; without `host`.
        package var headers: [(name: String, value: String)]
        /// The signature in hexadecimal.
        package var signature: String
    }

    /// Signs the headers of a request.
    ///
    /// - Parameters:
    ///   - path: decoded, beginning with `/`.
    ///   - query: decoded names and values in any order.
    ///   - headers: lower-case names, without `host` and the `x-amz-` ones that are added here.
    ///   - payloadHash: SHA-256 of the body in hexadecimal.
    ///   - timeMicros: now, since 1970.
    package func sign(
        method: String,
        host: String,
        path: String,
        query: [(name: String, value: String)] = [],
        headers: [(name: String, value: String)] = [],
        payloadHash: String,
        timeMicros: Int64
    ) -> Signed {
        let time = CalendarTime(micros: timeMicros).basicText
        var all = headers
        all.append(("host", host))
        all.append(("x-amz-content-sha256", payloadHash))
        all.append(("x-amz-date", time))
        if let token = credentials.sessionToken {
            all.append(("x-amz-security-token", token.reveal()))
        }
        all.sort { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        let names = all.map(\.name).joined(separator: ";")
        let encodedPath = percentEncoded(path, keepsSlash: true)
        let encodedQuery = canonicalQuery(query)
        let signature = signature(
            canonicalRequest(
                method: method,
                path: encodedPath,
                query: encodedQuery,
                headers: all,
                names: names,
                payloadHash: payloadHash
            ),
            time: time
        )
        all.removeAll { $0.name == "host" }
        let proof =
            "AWS4-HMAC-SHA256 Credential=\(credentials.accessKey)/\(scope(time)),"
            + "SignedHeaders=\(names),Signature=\(signature)"
        all.append(("authorization", proof))
        return Signed(
            target: encodedQuery.isEmpty ? encodedPath : "\(encodedPath)?\(encodedQuery)",
            headers: all,
            signature: signature
        )
    }

    /// The path and query of a URL that carries its own permission for a while.
    ///
    /// The payload is not signed, as nobody knows it yet.
    ///
    /// - Parameter lifetimeSeconds: 1 to 604800.
    package func presign(
        method: String,
        host: String,
        path: String,
        query: [(name: String, value: String)] = [],
        lifetimeSeconds: Int,
        timeMicros: Int64
    ) -> String {
        let time = CalendarTime(micros: timeMicros).basicText
        var all = query
        all.append(("X-Amz-Algorithm", "AWS4-HMAC-SHA256"))
        all.append(("X-Amz-Credential", "\(credentials.accessKey)/\(scope(time))"))
        all.append(("X-Amz-Date", time))
        all.append(("X-Amz-Expires", String(min(max(lifetimeSeconds, 1), 604_800))))
        all.append(("X-Amz-SignedHeaders", "host"))
        if let token = credentials.sessionToken {
            all.append(("X-Amz-Security-Token", token.reveal()))
        }
        let encodedPath = percentEncoded(path, keepsSlash: true)
        let encodedQuery = canonicalQuery(all)
        let signature = signature(
            canonicalRequest(
                method: method,
                path: encodedPath,
                query: encodedQuery,
                headers: [("host", host)],
                names: "host",
                payloadHash: "UNSIGNED-PAYLOAD"
            ),
            time: time
        )
        return "\(encodedPath)?\(encodedQuery)&X-Amz-Signature=\(signature)"
    }

    private func scope(_ time: String) -> String {
        "\(time.prefix(8))/\(region)/\(service)/aws4_request"
    }

    private func canonicalQuery(_ query: [(name: String, value: String)]) -> String {
        let encoded = query.map { (percentEncoded($0.name), percentEncoded($0.value)) }
        let sorted = encoded.sorted { left, right in
            // After encoding everything is ASCII; names first, then values.
            left.0 == right.0
                ? left.1.utf8.lexicographicallyPrecedes(right.1.utf8)
                : left.0.utf8.lexicographicallyPrecedes(right.0.utf8)
        }
        return sorted.map { "\($0.0)=\($0.1)" }.joined(separator: "&")
    }

    private func canonicalRequest(
        method: String,
        path: String,
        query: String,
        headers: [(name: String, value: String)],
        names: String,
        payloadHash: String
    ) -> String {
        let lines = headers.map { header in
            let value = header.value.split(separator: " ").joined(separator: " ")
            return "\(header.name):\(value)\n"
        }
        return "\(method)\n\(path)\n\(query)\n\(lines.joined())\n\(names)\n\(payloadHash)"
    }

    private func signature(_ canonicalRequest: String, time: String) -> String {
        let day = String(time.prefix(8))
        let text =
            "AWS4-HMAC-SHA256\n\(time)\n\(scope(time))\n"
            + sha256Text(Array(canonicalRequest.utf8))
        var key = SymmetricKey(data: Array("AWS4\(credentials.secretKey.reveal())".utf8))
        for part in [day, region, service, "aws4_request"] {
            let code = HMAC<SHA256>.authenticationCode(for: Array(part.utf8), using: key)
            key = SymmetricKey(data: Array(code))
        }
        return hexText(HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: key))
    }
}

/// SHA-256 in hexadecimal.
package func sha256Text(_ bytes: [UInt8]) -> String {
    hexText(SHA256.hash(data: bytes))
}

/// MD5 in base 64: the checksum that `DeleteObjects` asks for; protects against nobody.
func md5Base64(_ bytes: [UInt8]) -> String {
    base64Text(Array(Insecure.MD5.hash(data: bytes)))
}
