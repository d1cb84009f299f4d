package import Ambient
import Crypto
import FoundationEssentials
import ObjectStorage

/// Signs messages, so that a receiver knows who sent them, that nobody changed them, and when.
///
/// - Spec: Standard Webhooks 1.0.0, symmetric signatures (`v1`).
package struct WebhookSigner: Sendable {
    private let keys: [SymmetricKey]

    /// - Parameter secrets: as `WebhookSettings.check` lets through; others are left out.
    package init(secrets: [Secret]) {
        keys = secrets.compactMap(Self.key)
    }

    /// The key that `whsec_` and base64 stand for; nil when it is none of 24 to 64 bytes.
    static func key(of secret: Secret) -> SymmetricKey? {
        let text = secret.reveal()
        guard text.hasPrefix("whsec_"),
            let bytes = Data(base64Encoded: String(text.dropFirst(6))),
            (24...64).contains(bytes.count)
        else { return nil }
        return SymmetricKey(data: bytes)
    }

    /// The headers of one attempt to deliver a message, without a signature where there are no secrets.
    ///
    /// - Parameters:
    ///   - id: names the message through all attempts.
    ///   - seconds: the time of this attempt since 1970.
    package func headers(
        id: String,
        seconds: Int64,
        body: [UInt8]
    ) -> [(name: String, value: String)] {
        let signed = Array("\(id).\(seconds).".utf8) + body
        let signatures = keys.map { key in
            "v1," + base64Text(Array(HMAC<SHA256>.authenticationCode(for: signed, using: key)))
        }
        let headers = [(name: "webhook-id", value: id), ("webhook-timestamp", String(seconds))]
        if signatures.isEmpty { return headers }
        return headers + [("webhook-signature", signatures.joined(separator: " "))]
    }
}
