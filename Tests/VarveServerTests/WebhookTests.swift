import Ambient
import Bytes
import ObjectStorage
import Testing

import VarveServer

private let secret = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

@Suite("Webhook signatures")
struct WebhookSignerTests {
    @Test("are those of the Standard Webhooks libraries")
    func vector() {
        // The example that the specification's own libraries test themselves with.
        let headers = WebhookSigner(secrets: [secret]).headers(
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
            seconds: 1_614_265_330,
            body: Array(#"{"test": 2432232314}"#.utf8)
        )
        #expect(headers.map(\.name) == ["webhook-id", "webhook-timestamp", "webhook-signature"])
        #expect(headers[1].value == "1614265330")
        #expect(headers[2].value == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
    }

    @Test("are made with every secret, in their order")
    func rotation() {
        let other = Secret("whsec_" + base64Text([UInt8](repeating: 7, count: 32)))
        func signature(_ secrets: [Secret]) -> String {
            WebhookSigner(secrets: secrets).headers(id: "a", seconds: 1, body: [])[2].value
        }
        #expect(signature([other, secret]) == signature([other]) + " " + signature([secret]))
        #expect(signature([other]) != signature([secret]))
    }
}

@Suite("Webhook attempts")
struct WebhookAttemptTests {
    @Test("are taken by 2xx, ended by 410, and made again for everything else")
    func verdicts() {
        func verdict(_ status: Int, _ after: String? = nil) -> WebhookVerdict {
            WebhookVerdict(.init(status: status, retryAfter: after), nowMicros: 1_000_000)
        }
        for status in [200, 202, 204, 299] { #expect(verdict(status) == .delivered) }
        #expect(verdict(410) == .ended)
        for status in [100, 301, 308, 400, 401, 404, 409, 429, 500, 503, 999] {
            guard case .failed(let text, nil) = verdict(status) else {
                Issue.record("\(status)")
                continue
            }
            #expect(text.contains("\(status)"))
        }
        func wait(_ text: String) -> Int? {
            guard case .failed(_, let wait) = verdict(429, text) else { return nil }
            return wait
        }
        #expect(wait("7") == 7000 && wait("0") == 0)
        #expect(wait("Thu, 01 Jan 1970 00:00:31 GMT") == 30_000)
        #expect(wait("Wed, 31 Dec 1969 00:00:00 GMT") == 0)
        for text in ["", "-1", "soon", "99999999999999999999", "1.5"] { #expect(wait(text) == nil) }
    }

    @Test("wait twice as long each time up to the bound, and as long as the receiver asks")
    func backOff() {
        let random = SeededRandom(seed: 1)
        var backOff = WebhookBackOff(waitSecondsMax: 60)
        for round in 0..<200 {
            let bound = min(Int64(1) << min(Int64(round), 40), 60) * 1_000_000_000
            let wait = backOff.nextWaitNanos(askedMillis: nil, random: random)
            #expect(wait >= bound / 2 && wait <= bound)
        }
        #expect(backOff.nextWaitNanos(askedMillis: 90_000, random: random) == 90_000_000_000)
        #expect(backOff.attemptCount == 201)
    }
}

@Suite("Webhook settings")
struct WebhookSettingsTests {
    private func configuration(_ lines: String) throws -> ServerConfiguration {
        let configuration = try ServerConfiguration(
            yaml: "server:\n  webhooks:\n    - {name: audit, \(lines)}"
        )
        try configuration.check()
        return configuration
    }

    @Test("say where events go, and how")
    func whole() throws {
        let key = secret.reveal()
        var webhook = try configuration("url: 'https://host/path', secret: \(key)").webhooks[0]
        #expect(webhook.from == nil && webhook.batchEventsMax == 1 && webhook.timeoutSeconds == 15)
        #expect(!"\(webhook)".contains(key))
        webhook = try configuration(
            """
            url: 'http://127.0.0.1:99/x?y=1', secrets: [\(key), \(key)], namespaces: [a, b.c],
            tables: [main.t], from: 7, batch_events_max: 100, timeout_seconds: 3, retry_seconds_max: 9,
            lease_seconds: 5, certificate_file: /etc/ca.pem, revision: 2
            """
        ).webhooks[0]
        #expect(webhook.secrets.count == 2 && webhook.from == 7 && webhook.batchEventsMax == 100)
        #expect(webhook.namespaces == ["a", "b.c"] && webhook.tables == ["main.t"])
        #expect(webhook.timeoutSeconds == 3 && webhook.retrySecondsMax == 9)
        #expect(webhook.leaseSeconds == 5 && webhook.certificateFile == "/etc/ca.pem")
        #expect(webhook.revision == "2")
        #expect(
            try configuration("url: 'https://host', secret: \(key), from: now").webhooks[0].from
                == nil
        )
    }

    @Test("take secrets from the environment")
    func environment() throws {
        var configuration = ServerConfiguration()
        configuration.webhooks = [WebhookSettings(name: "audit", url: "https://host")]
        configuration.webhooks[0].secretVariable = "HOOK"
        #expect(throws: ServerError.self) {
            try configuration.addWebhookSecrets(EnvironmentVariables([:]))
        }
        let key = secret.reveal()
        try configuration.addWebhookSecrets(EnvironmentVariables(["HOOK": "\(key) \(key)"]))
        #expect(configuration.webhooks[0].secrets == [secret, secret])
        try configuration.check()
    }

    @Test(
        "that could never be delivered, or not safely, are refused",
        arguments: [
            ("url: 'https://host'", "needs a secret"),
            ("url: 'https://host', secret: plain", "secret 1 is not whsec_"),
            ("url: 'https://host', secret: whsec_MTIz", "secret 1 is not whsec_"),
            ("url: 'http://example.com', secret: S", "not encrypted"),
            ("url: 'http://127.0.0.1.example.com', secret: S", "not encrypted"),
            ("url: 'ftp://host', secret: S", "https://"),
            ("url: 'https://me:pw@host', secret: S", "user name"),
            ("url: 'https://', secret: S", "no host"),
            ("url: 'https://host:x', secret: S", "no host, or no number for a port"),
            ("url: 'https://[::1', secret: S", "cut off"),
            ("url: 'https://host/ x', secret: S", "https://"),
            ("url: 'https://host/#x', secret: S", "https://"),
            ("url: 'https://host', secret: S, from: later", "from in webhooks[0] must be"),
            ("url: 'https://host', secret: S, from: 0", "or now"),
            ("url: 'https://host', secret: S, tables: [t]", "write main.t"),
            ("url: 'https://host', secret: S, tables: t", "a list of texts"),
            ("url: 'https://host', secret: S, retries: 3", "has no key \"retries\""),
            ("secret: S", "lacks url"),
        ]
    )
    func refused(lines: String, message: String) {
        do throws {
            _ = try configuration(
                lines.replacing("secret: S", with: "secret: \(secret.reveal())")
            )
            Issue.record("\(lines) was taken")
        } catch {
            #expect("\(error)".contains(message), "\(error)")
            #expect(!"\(error)".contains(secret.reveal()))
        }
    }

    @Test("have names that are safe, and each only once")
    func names() {
        for text in ["Audit", "a b", "../x", ""] {
            #expect(throws: ServerError.self) {
                try WebhookSettings(name: text, url: "https://host", secrets: [secret]).check()
            }
        }
        var configuration = ServerConfiguration()
        let one = WebhookSettings(name: "a", url: "https://host", secrets: [secret])
        configuration.webhooks = [one, one]
        #expect(throws: ServerError.self) { try configuration.check() }
    }

    @Test("have another fingerprint when what a receiver refused has changed")
    func fingerprints() {
        let one = WebhookSettings(name: "a", url: "https://host", secrets: [secret])
        var other = one
        other.timeoutSeconds = 99
        #expect(one.fingerprint == other.fingerprint)
        var seen: Set<String> = [one.fingerprint]
        for change: (inout WebhookSettings) -> Void in [
            { $0.url += "/x" }, { $0.revision = "2" }, { $0.namespaces = ["a"] },
            { $0.tables = ["a"] }, { $0.batchEventsMax = 2 },
        ] {
            other = one
            change(&other)
            #expect(seen.insert(other.fingerprint).inserted)
        }
    }
}
