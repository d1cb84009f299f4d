import Bytes
import Catalog
import CommitLog
import Engine
import HTTPTypes

/// Who did what, and what made rows: the same answers as `varve audit log` and `varve audit explain` give.
struct AuditRoutes: Sendable {
    let parts: ServerParts

    var all: [Route] {
        [
            Route(.get, "/varve/v1/commits", weight: .query) { try await commits($0) },
            Route(.get, "/varve/v1/audit/explain", weight: .query) { try await explain($0) },
        ]
    }

    private func session(_ request: ServerRequest) async throws -> Session {
        let session = Session(
            engine: parts.engine,
            context: RequestContext(actor: request.principal, requestID: request.id)
        )
        let query = request.target.query
        if let text = query["namespace"], !text.isEmpty {
            await session.use(
                namespace: text.split(separator: ".", omittingEmptySubsequences: false)
                    .map(String.init)
            )
        }
        if let text = query["as_of"], !text.isEmpty {
            await session.set(asOf: try CatalogInstant(text))
        }
        if let name = query["branch"], !name.isEmpty { try await session.select(reference: name) }
        if let name = query["table_branch"], !name.isEmpty {
            await session.use(tableBranch: name)
        }
        return session
    }

    /// - Throws: `badRequest` for a parameter that is not known, and ones of which only one may be there.
    private func check(_ request: ServerRequest, _ names: [String]) throws {
        let known = names + ["as_of", "branch", "namespace"]
        if let name = request.target.query.keys.filter({ !known.contains($0) }).min() {
            throw ServerError(
                .badRequest,
                "there is no parameter \"\(name)\"; there are "
                    + known.sorted().joined(separator: ", ")
            )
        }
    }

    /// Commits that filters let through, newest first.
    ///
    /// A page ends when it has `limit` commits or 4096 entries were read, so it may be empty and not the last.
    private func commits(_ request: ServerRequest) async throws -> Reply {
        try check(
            request,
            [
                "actor", "since", "until", "table", "column", "kind", "message", "run", "commit",
                "before", "limit",
            ]
        )
        let limit = try request.target.integer("limit", in: 1...1000) ?? 100
        let before = try request.target.integer("before", in: 1...Int64.max)
        func text(_ name: String) -> String? {
            request.target.query[name].flatMap { $0.isEmpty ? nil : $0 }
        }
        func list(_ name: String) -> [String] {
            text(name)?.split(separator: ",").map(String.init) ?? []
        }
        var wanted = HistoryRequest()
        wanted.actors = list("actor")
        wanted.since = try text("since").map { try CatalogInstant($0) }
        wanted.until = try text("until").map { try CatalogInstant($0) }
        wanted.table = text("table")
        wanted.column = text("column")
        wanted.kinds = list("kind")
        wanted.message = text("message")
        wanted.runID = text("run")
        wanted.idPrefix = text("commit")
        let session = try await session(request)
        let query = try await session.historyQuery(wanted)
        let page = try await session.history(query, before: before, countMax: Int(limit))
        return .json([
            "commits": .array(page.commits.map(\.json)),
            "next_before": page.next.map { .integer($0) } ?? .null,
        ])
    }

    private func explain(_ request: ServerRequest) async throws -> Reply {
        try check(
            request,
            ["table", "row_id", "where", "limit", "depth", "hash_data", "format", "table_branch"]
        )
        let query = request.target.query
        guard let table = query["table"], !table.isEmpty else {
            throw ServerError(.badRequest, "the parameter table is missing")
        }
        var wanted = ExplainRequest(table: table)
        wanted.rowID = try request.target.integer("row_id", in: 0...Int64.max)
        wanted.predicate = query["where"].flatMap { $0.isEmpty ? nil : $0 }
        wanted.listedCountMax = Int(
            try request.target.integer("limit", in: 0...10_000) ?? 100
        )
        wanted.depth = try request.target.integer("depth", in: 1...10_000).map { Int($0) }
        wanted.hashesData = try request.target.flag("hash_data")
        let format = query["format"] ?? "json"
        guard ["json", "html", "text"].contains(format) else {
            throw ServerError(.badRequest, "format is one of json, html, text")
        }
        let report = try await session(request).explain(wanted)
        switch format {
        case "html":
            return .text(report.html, type: "text/html; charset=utf-8")
        case "text": return .text(report.text)
        default: return .json(try report.json())
        }
    }
}
