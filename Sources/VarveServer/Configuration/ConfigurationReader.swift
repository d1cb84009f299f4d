import Ambient
import ObjectStorage
import Yams

// The file's form. Every key is optional; one that is not here is an error.
//
//     warehouse: s3://bucket/lake
//     name: lake
//     server:
//       host: 0.0.0.0
//       port: 8181
//       body_bytes_max: 64MiB        # sizes are numbers of bytes or carry KiB, MiB, GiB
//       upload_bytes_max: 16GiB
//       header_bytes_max: 64KiB
//       request_timeout_seconds: 60
//       query_timeout_seconds: 3600
//       idle_seconds: 75
//       drain_seconds: 30
//       requests_max: 512
//       queries_max: 32
//       spool_directory: /tmp        # where uploads wait; TMPDIR of the environment if not said
//       append_rebase: true
//       webhooks:
//         - name: audit
//           url: https://host/path
//           format: cloudevents        # or openlineage
//           token: …                   # or token_env: VARIABLE
//           secret: whsec_…            # or secrets: [new, old], or secret_env: VARIABLE
//           namespaces: [nyc]
//           tables: [main.people]
//           from: 1                    # a log position, or now
//           batch_events_max: 1
//           timeout_seconds: 15
//           retry_seconds_max: 600
//           lease_seconds: 20
//           certificate_file: /etc/ca.pem
//           revision: …
//     auth:
//       token_lifetime_seconds: 3600
//       tokens: [{token: …, principal: alice}]
//       clients: [{id: …, secret: …, principal: etl}]
//     s3:
//       endpoint: https://host:port
//       region: eu-central-1
//       path_style: true
//       access_key_id: …
//       secret_access_key: …
//       session_token: …
//       anonymous: false
//       vend_credentials: false
//       remote_signing: false
//       assume_role: {arn: …, endpoint: …, duration_seconds: 3600, session_name: varve, external_id: …}

extension ServerConfiguration {
    /// The configuration that a file holds.
    ///
    /// - Throws: `configuration` with the line and key that are wrong.
    package init(file path: String) throws(ServerError) {
        guard let bytes = readSmallFile(path, byteCountMax: 1 << 20) else {
            throw ServerError(
                .configuration,
                "the configuration file \(path) cannot be read (or is over 1 MiB)"
            )
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw ServerError(.configuration, "the configuration file \(path) is no UTF-8")
        }
        do throws(ServerError) {
            try self.init(yaml: text)
        } catch {
            throw ServerError(.configuration, "\(path): \(error.message)")
        }
    }

    /// The configuration that a YAML text holds.
    ///
    /// - Throws: `configuration` with the line and key that are wrong.
    package init(yaml: String) throws(ServerError) {
        self.init()
        let root: Node?
        do {
            root = try compose(yaml: yaml)
        } catch {
            throw ServerError(.configuration, "this is no YAML: \(error)")
        }
        // An empty file says nothing, which is allowed.
        guard let root, root.null == nil else { return }
        let section = try Section(root, "the file")
        try section.allow(["warehouse", "name", "server", "auth", "s3"])
        warehouse = try section.text("warehouse")
        name = try section.text("name")
        if let server = try section.section("server") { try read(server: server) }
        if let auth = try section.section("auth") { try read(auth: auth) }
        if let s3 = try section.section("s3") { try read(s3: s3) }
    }

    private mutating func read(server: Section) throws(ServerError) {
        try server.allow([
            "host", "port", "body_bytes_max", "upload_bytes_max", "header_bytes_max",
            "request_timeout_seconds", "query_timeout_seconds", "idle_seconds", "drain_seconds",
            "requests_max", "queries_max", "spool_directory", "append_rebase", "webhooks",
        ])
        for entry in try server.sections("webhooks") { webhooks.append(try read(webhook: entry)) }
        rebasesAppends = try server.flag("append_rebase") ?? rebasesAppends
        host = try server.text("host") ?? host
        spoolDirectory = try server.text("spool_directory") ?? spoolDirectory
        port = try server.number("port", 0...65_535) ?? port
        let day = 1...86_400
        let count = 1...1_000_000
        limits.bodyBytesMax =
            try server.size("body_bytes_max", 1 << 10...1 << 32) ?? limits.bodyBytesMax
        limits.uploadBytesMax =
            try server.size("upload_bytes_max", 1 << 10...1 << 44) ?? limits.uploadBytesMax
        limits.headerBytesMax =
            try server.size("header_bytes_max", 1 << 10...1 << 24) ?? limits.headerBytesMax
        limits.requestTimeoutSeconds =
            try server.number("request_timeout_seconds", day) ?? limits.requestTimeoutSeconds
        limits.queryTimeoutSeconds =
            try server.number("query_timeout_seconds", day) ?? limits.queryTimeoutSeconds
        limits.idleSeconds = try server.number("idle_seconds", day) ?? limits.idleSeconds
        limits.drainSeconds = try server.number("drain_seconds", day) ?? limits.drainSeconds
        limits.requestsMax = try server.number("requests_max", count) ?? limits.requestsMax
        limits.queriesMax = try server.number("queries_max", count) ?? limits.queriesMax
    }

    private mutating func read(auth: Section) throws(ServerError) {
        try auth.allow(["tokens", "clients", "token_lifetime_seconds"])
        tokenLifetimeSeconds =
            try auth.number("token_lifetime_seconds", 60...604_800) ?? tokenLifetimeSeconds
        for entry in try auth.sections("tokens") {
            try entry.allow(["token", "principal"])
            tokens.append(
                ConfiguredToken(
                    token: Secret(try entry.required("token")),
                    principal: try entry.required("principal")
                )
            )
        }
        for entry in try auth.sections("clients") {
            try entry.allow(["id", "secret", "principal"])
            let id = try entry.required("id")
            guard !clients.contains(where: { $0.id == id }) else {
                throw entry.error("client \(id) is there twice")
            }
            clients.append(
                ConfiguredClient(
                    id: id,
                    secret: Secret(try entry.required("secret")),
                    principal: try entry.text("principal") ?? id
                )
            )
        }
    }

    private mutating func read(s3 section: Section) throws(ServerError) {
        try section.allow([
            "endpoint", "region", "path_style", "access_key_id", "secret_access_key",
            "session_token", "anonymous", "vend_credentials", "remote_signing", "assume_role",
        ])
        signsRequests = try section.flag("remote_signing") ?? false
        s3.endpoint = try section.text("endpoint")
        s3.region = try section.text("region")
        s3.usesPathStyle = try section.flag("path_style")
        s3.isAnonymous = try section.flag("anonymous") ?? false
        vendsCredentials = try section.flag("vend_credentials") ?? false
        if let role = try section.section("assume_role") {
            assumedRole = try read(role: role)
            guard !vendsCredentials else {
                throw section.error("vend_credentials and assume_role exclude each other")
            }
        }
        let key = try section.text("access_key_id")
        let secret = try section.text("secret_access_key")
        let token = try section.text("session_token")
        switch (key, secret) {
        case (nil, nil):
            if token != nil { throw section.error("session_token needs access_key_id") }
        case (let key?, let secret?):
            s3.credentials = S3Credentials(
                accessKey: key,
                secretKey: Secret(secret),
                sessionToken: token.map { Secret($0) }
            )
        default:
            throw section.error("access_key_id and secret_access_key belong together")
        }
    }
}

extension ServerConfiguration {
    private func read(role section: Section) throws(ServerError) -> AssumedRole {
        try section.allow(["arn", "endpoint", "duration_seconds", "session_name", "external_id"])
        var role = AssumedRole(arn: try section.required("arn"))
        role.endpoint = try section.text("endpoint")
        role.durationSeconds =
            try section.number("duration_seconds", 900...43_200) ?? role.durationSeconds
        role.sessionName = try section.text("session_name") ?? role.sessionName
        role.externalID = try section.text("external_id")
        return role
    }
}

extension ServerConfiguration {
    private func read(webhook section: Section) throws(ServerError) -> WebhookSettings {
        try section.allow([
            "name", "url", "secret", "secrets", "secret_env", "namespaces", "tables", "from",
            "batch_events_max", "timeout_seconds", "retry_seconds_max", "lease_seconds",
            "certificate_file", "revision", "format", "token", "token_env",
        ])
        var webhook = WebhookSettings(
            name: try section.required("name"),
            url: try section.required("url")
        )
        let secrets = try section.text("secret").map { [$0] } ?? []
        webhook.secrets = (secrets + (try section.texts("secrets"))).map { Secret($0) }
        webhook.secretVariable = try section.text("secret_env")
        webhook.namespaces = try section.texts("namespaces")
        webhook.tables = try section.texts("tables")
        if try section.text("from") != "now" {
            webhook.from = try section.number("from", 1...Int.max - 1, or: "now").map(Int64.init)
        }
        webhook.batchEventsMax =
            try section.number("batch_events_max", 1...1000) ?? webhook.batchEventsMax
        webhook.timeoutSeconds =
            try section.number("timeout_seconds", 1...300) ?? webhook.timeoutSeconds
        webhook.retrySecondsMax =
            try section.number("retry_seconds_max", 1...86_400) ?? webhook.retrySecondsMax
        webhook.leaseSeconds = try section.number("lease_seconds", 2...3600) ?? webhook.leaseSeconds
        webhook.certificateFile = try section.text("certificate_file")
        webhook.revision = try section.text("revision")
        if let text = try section.text("format") {
            guard let format = WebhookSettings.Format(rawValue: text) else {
                let all = WebhookSettings.Format.allCases.map(\.rawValue).joined(separator: ", ")
                throw section.error("the format of a webhook is one of \(all)")
            }
            webhook.format = format
        }
        webhook.token = try section.text("token").map { Secret($0) }
        webhook.tokenVariable = try section.text("token_env")
        return webhook
    }
}

/// A mapping of the file, with errors that name the line and the key but never a value.
private struct Section {
    private let mapping: Node.Mapping
    private let place: String
    private let line: Int?

    init(_ node: Node, _ place: String) throws(ServerError) {
        guard case .mapping(let mapping) = node else {
            throw Self.error(node.mark?.line, "\(place) must hold keys and values")
        }
        self.mapping = mapping
        self.place = place
        line = node.mark?.line
        var seen: Set<String> = []
        for (key, _) in mapping {
            guard let name = key.string else {
                throw Self.error(key.mark?.line, "a key in \(place) is no text")
            }
            guard seen.insert(name).inserted else {
                throw Self.error(key.mark?.line, "\(name) is there twice in \(place)")
            }
        }
    }

    private static func error(_ line: Int?, _ message: String) -> ServerError {
        ServerError(.configuration, line.map { "line \($0): \(message)" } ?? message)
    }

    func error(_ message: String) -> ServerError { Self.error(line, message) }

    func allow(_ names: Set<String>) throws(ServerError) {
        for (key, _) in mapping {
            guard let name = key.string, !names.contains(name) else { continue }
            throw Self.error(
                key.mark?.line,
                "\(place) has no key \"\(name)\"; it takes \(names.sorted().joined(separator: ", "))"
            )
        }
    }

    private func value(_ name: String) -> Node? {
        guard let node = mapping[Node(name)], node.null == nil else { return nil }
        return node
    }

    private func wrong(_ name: String, _ node: Node, _ expected: String) -> ServerError {
        Self.error(node.mark?.line, "\(name) in \(place) must be \(expected)")
    }

    func text(_ name: String) throws(ServerError) -> String? {
        guard let node = value(name) else { return nil }
        guard case .scalar(let scalar) = node, !scalar.string.isEmpty else {
            throw wrong(name, node, "a text")
        }
        return scalar.string
    }

    func texts(_ name: String) throws(ServerError) -> [String] {
        guard let node = value(name) else { return [] }
        guard case .sequence(let sequence) = node else {
            throw wrong(name, node, "a list of texts")
        }
        var texts: [String] = []
        for element in sequence {
            guard case .scalar(let scalar) = element, !scalar.string.isEmpty else {
                throw wrong(name, element, "a list of texts")
            }
            texts.append(scalar.string)
        }
        return texts
    }

    func required(_ name: String) throws(ServerError) -> String {
        guard let text = try text(name) else { throw error("\(place) lacks \(name)") }
        return text
    }

    func number(
        _ name: String,
        _ range: ClosedRange<Int>,
        or word: String? = nil
    ) throws(ServerError) -> Int? {
        guard let node = value(name) else { return nil }
        guard let number = node.int, range.contains(number) else {
            let words = word.map { ", or \($0)" } ?? ""
            throw wrong(
                name,
                node,
                "a number from \(range.lowerBound) to \(range.upperBound)\(words)"
            )
        }
        return number
    }

    func size(_ name: String, _ range: ClosedRange<Int>) throws(ServerError) -> Int? {
        guard let node = value(name) else { return nil }
        let text = node.scalar?.string ?? ""
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let units = ["": 0, "KiB": 10, "MiB": 20, "GiB": 30, "TiB": 40]
        let unit = text.dropFirst(digits.count).trimmingPrefix(while: { $0 == " " })
        if let number = Int(digits), let shift = units[String(unit)] {
            let (bytes, overflow) = number.multipliedReportingOverflow(by: 1 << shift)
            if !overflow, range.contains(bytes) { return bytes }
        }
        throw wrong(
            name,
            node,
            "a size from \(range.lowerBound) to \(range.upperBound) bytes, such as 64MiB"
        )
    }

    func flag(_ name: String) throws(ServerError) -> Bool? {
        guard let node = value(name) else { return nil }
        guard let flag = node.bool else { throw wrong(name, node, "true or false") }
        return flag
    }

    func section(_ name: String) throws(ServerError) -> Section? {
        guard let node = value(name) else { return nil }
        return try Section(node, name)
    }

    func sections(_ name: String) throws(ServerError) -> [Section] {
        guard let node = value(name) else { return [] }
        guard case .sequence(let sequence) = node else { throw wrong(name, node, "a list") }
        var sections: [Section] = []
        for (index, element) in sequence.enumerated() {
            sections.append(try Section(element, "\(name)[\(index)]"))
        }
        return sections
    }
}
