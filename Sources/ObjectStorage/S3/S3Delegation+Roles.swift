import Ambient
import Bytes

/// A role that this program may take on, to pass on less than its own rights.
package struct AssumedRole: Sendable, Equatable {
    /// `arn:aws:iam::123456789012:role/name`.
    package var arn: String
    /// Of the token service; nil for that of the region.
    package var endpoint: String?
    /// How long credentials are good, in seconds.
    package var durationSeconds = 3600
    package var sessionName = "varve"
    package var externalID: String?

    package init(arn: String) { self.arn = arn }
}

/// Credentials that end.
package struct TemporaryCredentials: Sendable, Equatable {
    package var credentials: S3Credentials
    /// In milliseconds since 1970.
    package var endMillis: Int64
}

extension S3Delegation {
    /// Credentials that reach a part of the bucket and nothing else.
    ///
    /// - Throws: `denied` when the token service refuses, `unavailable` when it does not answer, `invalid`
    ///   when its answer is not understood.
    /// - Spec: AWS Security Token Service API, "AssumeRole".
    package func assume(_ role: AssumedRole, in scope: Scope) async throws -> TemporaryCredentials {
        let endpoint = role.endpoint ?? "https://sts.\(settings.region).amazonaws.com"
        guard let address = parsedEndpoint(endpoint) else {
            throw failure(.invalid, "'\(endpoint)' is no endpoint of the form https://host:port")
        }
        var form = [
            ("Action", "AssumeRole"), ("Version", "2011-06-15"), ("RoleArn", role.arn),
            ("RoleSessionName", role.sessionName),
            ("DurationSeconds", String(role.durationSeconds)),
            ("Policy", policy(scope).text()),
        ]
        if let externalID = role.externalID { form.append(("ExternalId", externalID)) }
        let body = Array(
            form.map { "\($0.0)=\(percentEncoded($0.1))" }.joined(separator: "&").utf8
        )
        let path = address.basePath.isEmpty ? "/" : address.basePath
        let signed = SignatureV4(
            credentials: try ownCredentials(),
            region: settings.region,
            service: "sts"
        ).sign(
            method: "POST",
            host: address.host,
            path: path,
            headers: [("content-type", "application/x-www-form-urlencoded")],
            payloadHash: sha256Text(body),
            timeMicros: now
        )
        let response: HTTPResponse
        do {
            response = try await send(
                HTTPRequest(
                    method: "POST",
                    url: "\(address.scheme)://\(address.host)\(signed.target)",
                    headers: signed.headers,
                    body: body,
                    bodyBytesMax: 1 << 18
                )
            )
        } catch let error as TransportError {
            throw failure(.unavailable, "the token service does not answer: \(error.message)")
        }
        return try read(response)
    }

    private func read(_ response: HTTPResponse) throws -> TemporaryCredentials {
        let root = try? parseXML(response.body)
        guard response.status == 200 else {
            let why = root?.all("Error").first?.text(of: "Code") ?? "status \(response.status)"
            let isLater = response.status >= 500 || response.status == 429
            throw failure(isLater ? .unavailable : .denied, "the token service refuses: \(why)")
        }
        guard let found = root?.all("AssumeRoleResult").first?.all("Credentials").first,
            let key = found.text(of: "AccessKeyId"), !key.isEmpty,
            let secret = found.text(of: "SecretAccessKey"),
            let token = found.text(of: "SessionToken"),
            let end = found.text(of: "Expiration").flatMap({ CalendarTime(isoText: $0) })
        else { throw failure(.invalid, "the token service's answer is not understood") }
        return TemporaryCredentials(
            credentials: S3Credentials(
                accessKey: key,
                secretKey: Secret(secret),
                sessionToken: Secret(token)
            ),
            endMillis: end.micros / 1000
        )
    }

    /// What the session may do of what the role may do.
    func policy(_ scope: Scope) -> JSON {
        // Partitions of AWS are told by the region.
        let partition =
            settings.region.hasPrefix("cn-")
            ? "aws-cn" : settings.region.hasPrefix("us-gov-") ? "aws-us-gov" : "aws"
        let bucket = "arn:\(partition):s3:::\(settings.bucket)"
        let prefixes = scope.folders.compactMap(keyPrefix).map(Self.literal)
        let excluded = scope.excluded.compactMap(keyPrefix).map(Self.literal)
        var statements: [JSON] = [
            [
                "Effect": "Allow",
                "Action": [
                    "s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload",
                    "s3:ListMultipartUploadParts",
                ],
                "Resource": .strings(prefixes.map { "\(bucket)/\($0)*" }),
            ],
            [
                "Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": [.string(bucket)],
                "Condition": ["StringLike": ["s3:prefix": .strings(prefixes.map { "\($0)*" })]],
            ],
        ]
        if !excluded.isEmpty {
            statements.append([
                "Effect": "Deny", "Action": ["s3:*"],
                "Resource": .strings(excluded.map { "\(bucket)/\($0)*" }),
            ])
        }
        return ["Version": "2012-10-17", "Statement": .array(statements)]
    }

    /// A key in a policy, where some characters stand for others.
    private static func literal(_ key: String) -> String {
        var text = ""
        for character in key.unicodeScalars {
            switch character {
            case "*", "?", "$": text += "${\(character)}"
            default: text.unicodeScalars.append(character)
            }
        }
        return text
    }
}
