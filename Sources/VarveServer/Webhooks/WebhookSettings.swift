package import Ambient
import Bytes
import CommitLog
import Crypto
import ObjectStorage

/// Where commits go by webhook, and how.
package struct WebhookSettings: Sendable, Equatable {
    /// More webhooks than this would be a mistake.
    package static let countMax = 64

    /// What is sent.
    package enum Format: String, Sendable, CaseIterable {
        /// Every commit as a CloudEvent.
        case cloudEvents = "cloudevents"
        /// What commits made of what, as RunEvents of OpenLineage.
        case openLineage = "openlineage"
    }

    /// Names it in the warehouse for good: it goes on where the webhook of this name was.
    package var name: String
    package var url: String
    package var format = Format.cloudEvents
    /// Sent as `Authorization: Bearer`; nil for none.
    package var token: Secret?
    /// A variable of the environment that holds the token.
    package var tokenVariable: String?
    /// Every message is signed with each of them, so that receivers can change over.
    package var secrets: [Secret]
    /// A variable of the environment that holds more secrets, apart by spaces or commas.
    package var secretVariable: String?
    /// Only commits that change something in these namespaces or those inside them; levels are joined by dots.
    package var namespaces: [String] = []
    /// Only commits that change these tables or views, or something in `namespaces`.
    package var tables: [String] = []
    /// Where a new webhook begins; nil for what is committed from now on.
    package var from: Int64?
    /// Above 1, messages are arrays of up to so many events.
    package var batchEventsMax = 1
    /// For one attempt.
    package var timeoutSeconds = 15
    /// The longest wait between two attempts, but for what the receiver asks for.
    package var retrySecondsMax = 600
    /// For how long nobody takes over from a server that does not say anything.
    package var leaseSeconds = 20
    /// Certificates to trust instead of the system's.
    package var certificateFile: String?
    /// Anything; a change of it lets a webhook go on that its receiver has ended.
    package var revision: String?

    package init(name: String, url: String, secrets: [Secret] = []) {
        self.name = name
        self.url = url
        self.secrets = secrets
    }

    /// Names the settings that a receiver may have ended for good.
    package var fingerprint: String {
        let form = format == .cloudEvents ? [] : [format.rawValue]
        let parts =
            [url, revision ?? "", "\(batchEventsMax)"] + form + namespaces.sorted() + ["\u{1F}"]
            + tables.sorted()
        return String(sha256Text(Array(parts.joined(separator: "\n").utf8)).prefix(32))
    }

    /// Takes secrets from the environment.
    ///
    /// - Throws: `configuration` when the variable is not there; the message holds no secret.
    mutating func addSecrets(_ environment: EnvironmentVariables) throws(ServerError) {
        if let variable = tokenVariable {
            guard let text = environment[variable] else {
                throw wrong("token_env names \(variable), which the environment does not have")
            }
            token = Secret(text)
            tokenVariable = nil
        }
        guard let variable = secretVariable else { return }
        guard let text = environment[variable] else {
            throw wrong("secret_env names \(variable), which the environment does not have")
        }
        secrets += text.split { $0 == " " || $0 == "," || $0 == "\n" }.map { Secret(String($0)) }
        secretVariable = nil
    }

    /// Refuses what could never be delivered, or not safely.
    ///
    /// - Throws: `configuration`; the message holds no secret.
    package func check() throws(ServerError) {
        guard WebhookRecord.isName(name) else {
            throw ServerError(
                .configuration,
                "the name of a webhook has 1 to 64 of a to z, 0 to 9, - and _, and does not begin with "
                    + "- or _: not \"\(name)\""
            )
        }
        try checkURL()
        guard !secrets.isEmpty || format == .openLineage else {
            throw wrong("it needs a secret, with which it is signed")
        }
        if let token, !isToken(token) {
            throw wrong("its token is empty, or has characters that no header can hold")
        }
        guard secrets.count <= 8 else { throw wrong("more than 8 secrets") }
        for (index, secret) in secrets.enumerated() where WebhookSigner.key(of: secret) == nil {
            throw wrong(
                "secret \(index + 1) is not whsec_ and 24 to 64 bytes in base64, as "
                    + "`echo whsec_$(head -c 32 /dev/urandom | base64)` makes one"
            )
        }
        for name in namespaces + tables where name.isEmpty {
            throw wrong("an empty name among its namespaces or tables")
        }
        for table in tables where !table.contains(".") {
            throw wrong("the table \(table) is named without its namespace: write main.\(table)")
        }
    }

    private func isToken(_ token: Secret) -> Bool {
        let text = token.reveal()
        return !text.isEmpty && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }

    private func wrong(_ message: String) -> ServerError {
        ServerError(.configuration, "webhook \(name): \(message)")
    }

    private func checkURL() throws(ServerError) {
        let isVisible = url.utf8.allSatisfy { (0x21...0x7E).contains($0) }
        let isPlain = url.hasPrefix("http://")
        guard isVisible, url.utf8.count <= 2048, isPlain || url.hasPrefix("https://"),
            !url.contains("#")
        else {
            throw wrong("its url is not one of https:// (or http:// on this machine)")
        }
        let rest = url.drop { $0 != ":" }.dropFirst(3)
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        guard !authority.contains("@") else {
            throw wrong("its url must not hold a user name or password")
        }
        var host = authority
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else {
                throw wrong("the host of its url is cut off")
            }
            host = authority[...end]
        } else if let colon = authority.firstIndex(of: ":") {
            host = authority[..<colon]
        }
        let port = authority[host.endIndex...]
        let isPort = port.hasPrefix(":") && (UInt16(port.dropFirst()) ?? 0) > 0
        guard !host.isEmpty, port.isEmpty || isPort else {
            throw wrong("its url has no host, or no number for a port")
        }
        guard !isPlain || isLoopback(String(host)) else {
            throw wrong(
                "its url is not encrypted: use https://, for other machines than this one"
            )
        }
    }
}

extension ServerConfiguration {
    /// Takes the secrets of webhooks from the environment, where they say so.
    ///
    /// - Throws: `configuration` for a variable that is not there.
    package mutating func addWebhookSecrets(_ environment: EnvironmentVariables) throws(ServerError)
    {
        for index in webhooks.indices { try webhooks[index].addSecrets(environment) }
    }

    /// Refuses webhooks that could never be delivered.
    ///
    /// - Throws: `configuration`.
    func checkWebhooks() throws(ServerError) {
        guard webhooks.count <= WebhookSettings.countMax else {
            throw ServerError(
                .configuration,
                "at most \(WebhookSettings.countMax) webhooks, not \(webhooks.count)"
            )
        }
        var names: Set<String> = []
        for webhook in webhooks {
            try webhook.check()
            guard names.insert(webhook.name).inserted else {
                throw ServerError(.configuration, "webhook \(webhook.name) is there twice")
            }
        }
    }
}
