import Bytes
import HTTPTypes

/// What is served where, for people and for programs that make clients.
struct IndexRoutes: Sendable {
    /// The routes that the index tells of, besides its own.
    let others: [Route]

    var all: [Route] {
        let document = Route(.get, "/openapi.yaml", isOpen: true) { _ in
            .text(
                openAPIPaths + openAPILineagePaths + openAPIEventPaths + openAPIComponents
                    + openAPILineageSchemas,
                type: "application/yaml"
            )
        }
        let told = (others + [document]).map { (method: $0.method.rawValue, path: $0.template) }
        return [
            document,
            Route(.get, "/", isOpen: true) { request in
                let routes = told + [(method: "GET", path: "/")]
                return prefersHTML(request.headers[.accept]) ? html(routes) : json(routes)
            },
        ]
    }

    private static let description =
        "Apache Iceberg REST catalog under /v1; Varve's own interface is described by /openapi.yaml"

    private func json(_ routes: [(method: String, path: String)]) -> Reply {
        .json([
            "name": "varve", "description": .string(Self.description),
            "openapi": "/openapi.yaml",
            "routes": .array(
                routes.map { ["method": .string($0.method), "path": .string($0.path)] }
            ),
        ])
    }

    /// Routes are our own words: none holds what HTML would have to escape.
    private func html(_ routes: [(method: String, path: String)]) -> Reply {
        let rows = routes.map { "<tr><td>\($0.method)</td><td><code>\($0.path)</code></td></tr>" }
        return .text(
            """
            <!doctype html><html lang="en"><meta charset="utf-8"><title>Varve</title>
            <style>body{font:16px/1.5 sans-serif;margin:2em auto;max-width:50em;padding:0 1em}
            td{padding:.1em 1em .1em 0}</style>
            <h1>Varve</h1><p>\(Self.description)</p>
            <p><a href="openapi.yaml">openapi.yaml</a>, <a href="metrics">metrics</a>,
            <a href="health/ready">health</a></p>
            <table>\(rows.joined(separator: "\n"))</table></html>
            """,
            type: "text/html; charset=utf-8"
        )
    }

    /// Browsers name HTML first; programs do not.
    private func prefersHTML(_ accept: String?) -> Bool {
        accept?.lowercased().hasPrefix("text/html") ?? false
    }
}
