import Bytes
import Catalog
import CommitLog
import Engine
import HTTPTypes

/// The Iceberg REST catalog.
///
/// - Spec: REST catalog of Apache Iceberg 1.9, without prefix: a server has one warehouse. A prefix
///   `lake@dev` says which branch, tag or position of it is meant, and comes from `/v1/config`.
struct IcebergRoutes: Sendable {
    let parts: ServerParts

    /// The same routes under `/v1` and under `/iceberg/v1`.
    var all: [Route] { routes(under: "/v1") + routes(under: "/iceberg/v1") }

    /// The routes whose operations know status 406.
    ///
    /// - Spec: REST catalog, the operations' responses.
    private static func hasUnsupported(_ route: Route, _ base: String) -> Bool {
        guard route.method == .post else { return false }
        let path = route.template.dropFirst(base.count)
        return [
            "/namespaces", "/namespaces/{namespace}/properties",
            "/namespaces/{namespace}/tables/{table}/plan", "/tables/rename", "/views/rename",
        ].contains(String(path))
    }

    private func routes(under base: String) -> [Route] {
        handlers(base).map { route in
            var route = route
            route.unsupportedIsBadRequest = !Self.hasUnsupported(route, base)
            return route
        }
    }

    private func handlers(_ base: String) -> [Route] {
        let first = Route(.get, "\(base)/config", isQuick: true) { try await configuration($0) }
        return [first] + tokenRoutes(base) + namespaceRoutes(base) + tableRoutes(base)
            + transactionRoutes(base) + viewRoutes(base) + scanRoutes(base)
            + functionRoutes(base) + credentialRoutes(base)
    }

    /// What the configuration says we can do: clients call nothing else.
    static let endpoints: [String] = [
        "GET /v1/{prefix}/namespaces", "POST /v1/{prefix}/namespaces",
        "GET /v1/{prefix}/namespaces/{namespace}", "HEAD /v1/{prefix}/namespaces/{namespace}",
        "DELETE /v1/{prefix}/namespaces/{namespace}",
        "POST /v1/{prefix}/namespaces/{namespace}/properties",
        "GET /v1/{prefix}/namespaces/{namespace}/tables",
        "POST /v1/{prefix}/namespaces/{namespace}/tables",
        "POST /v1/{prefix}/namespaces/{namespace}/register",
        "GET /v1/{prefix}/namespaces/{namespace}/tables/{table}",
        "HEAD /v1/{prefix}/namespaces/{namespace}/tables/{table}",
        "POST /v1/{prefix}/namespaces/{namespace}/tables/{table}",
        "DELETE /v1/{prefix}/namespaces/{namespace}/tables/{table}",
        "POST /v1/{prefix}/namespaces/{namespace}/tables/{table}/metrics",
        "POST /v1/{prefix}/tables/rename", "POST /v1/{prefix}/transactions/commit",
        "GET /v1/{prefix}/namespaces/{namespace}/views",
        "POST /v1/{prefix}/namespaces/{namespace}/views",
        "POST /v1/{prefix}/namespaces/{namespace}/register-view",
        "GET /v1/{prefix}/namespaces/{namespace}/views/{view}",
        "HEAD /v1/{prefix}/namespaces/{namespace}/views/{view}",
        "POST /v1/{prefix}/namespaces/{namespace}/views/{view}",
        "DELETE /v1/{prefix}/namespaces/{namespace}/views/{view}",
        "POST /v1/{prefix}/views/rename",
        "POST /v1/{prefix}/namespaces/{namespace}/tables/{table}/plan",
        "GET /v1/{prefix}/namespaces/{namespace}/tables/{table}/plan/{plan-id}",
        "DELETE /v1/{prefix}/namespaces/{namespace}/tables/{table}/plan/{plan-id}",
        "POST /v1/{prefix}/namespaces/{namespace}/tables/{table}/tasks",
        "GET /v1/{prefix}/namespaces/{namespace}/tables/{table}/credentials",
        "POST /v1/{prefix}/namespaces/{namespace}/tables/{table}/sign",
        "POST /v1/{prefix}/namespaces/{namespace}/tables/{table}/unregister",
        "GET /v1/{prefix}/namespaces/{namespace}/functions",
        "GET /v1/{prefix}/namespaces/{namespace}/functions/{function}",
    ]

    private func configuration(_ request: ServerRequest) async throws -> Reply {
        var overrides = JSONObject()
        if let name = request.target.query["warehouse"], !name.isEmpty,
            !parts.clientConfiguration.names.contains(name)
        {
            let reference = name.lastIndex(of: "@").map { name[name.index(after: $0)...] } ?? ""
            let warehouse = String(name.dropLast(reference.utf8.count + 1))
            guard !reference.isEmpty, parts.clientConfiguration.names.contains(warehouse) else {
                throw ServerError(.noWarehouse, "there is no warehouse \"\(name)\" here")
            }
            _ = try await parts.snapshot(String(reference))
            overrides["prefix"] = .string(
                "\(parts.clientConfiguration.shortName)@\(reference)"
            )
        }
        let hours = parts.engine.options.catalog.log.idWindowMillis / 3_600_000
        return .json([
            "defaults": .stringMap(parts.clientConfiguration.store),
            "overrides": .object(overrides),
            "endpoints": .strings(Self.endpoints),
            "idempotency-key-lifetime": .string("PT\(max(hours, 1))H"),
        ])
    }

    // MARK: - Names in paths and bodies

    /// The namespace of the path; its levels are joined by 0x1F.
    func namespace(_ request: ServerRequest) throws -> Namespace {
        try Namespace(levels(try request.capture("namespace")))
    }

    /// The table of the path.
    func table(_ request: ServerRequest) throws -> TableIdentifier {
        try TableIdentifier(try namespace(request), try request.capture("table"))
    }

    /// A `{"namespace": […], "name": "…"}` of a body.
    func identifier(_ fields: RequestFields) throws -> TableIdentifier {
        guard let levels = try fields.strings("namespace") else {
            throw fields.wrong("namespace", "an array of strings")
        }
        return try TableIdentifier(try Namespace(levels), try fields.string("name"))
    }
}

/// The levels of a namespace in a path or query.
func levels(_ text: String) -> [String] {
    text.split(separator: "\u{1F}", omittingEmptySubsequences: false).map(String.init)
}

extension TableIdentifier {
    /// As bodies have it.
    var json: JSON { ["namespace": .strings(namespace.levels), "name": .string(name)] }
}
