import Bytes
import Engine
import HTTPTypes
import Lineage

/// Where data came from and where it went: the same answers as `varve lineage` gives.
struct LineageRoutes: Sendable {
    let parts: ServerParts

    var all: [Route] {
        [
            route("upstream", ["node"]) { try $0.upstream(of: $1[0], $2) },
            route("downstream", ["node"]) { try $0.downstream(of: $1[0], $2) },
            route("impact", ["node"]) { try $0.impact(of: $1[0], $2) },
            route("path", ["from", "to"]) { try $0.path(from: $1[0], to: $1[1], $2) },
            Route(.get, "/varve/v1/lineage/events", weight: .query) { try await events($0) },
        ]
    }

    /// What commits made of what, as OpenLineage's events, from a position on; `limit` counts log positions.
    private func events(_ request: ServerRequest) async throws -> Reply {
        let first = try request.target.integer("from", in: 0...(Int64.max - 1001)) ?? 1
        let limit = try request.target.integer("limit", in: 1...1000) ?? 100
        let graph = try await parts.engine.lineageGraph()
        let newest = graph.lastPosition ?? 0
        let begin = max(first, 1)
        let last = min(begin + limit - 1, newest)
        let writer = OpenLineageWriter(namespace: parts.engine.warehouseURL)
        return .json([
            "events": .array(
                begin <= last ? writer.events(in: graph, positions: begin...last) : []
            ),
            "position": .integer(newest),
            "next": last < newest ? .integer(max(last + 1, begin)) : .null,
        ])
    }

    private typealias Ask =
        @Sendable (LineageGraph, [NodeName], LineageOptions) throws -> LineageAnswer

    private func route(_ question: String, _ nodes: [String], _ ask: @escaping Ask) -> Route {
        Route(.get, "/varve/v1/lineage/\(question)", weight: .query) { request in
            let query = try LineageQuery(request.target, nodes)
            let session = Session(
                engine: parts.engine,
                context: RequestContext(actor: request.principal, requestID: request.id)
            )
            if let instant = query.asOf { await session.set(asOf: instant) }
            let instant = await session.lineageInstant
            let graph = try await session.lineageGraph()
            return try reply(query, graph, instant, ask)
        }
    }

    private func reply(
        _ query: LineageQuery,
        _ graph: LineageGraph,
        _ instant: LineageInstant,
        _ ask: Ask
    ) throws -> Reply {
        let options = LineageOptions(
            depth: query.depth,
            asOf: instant,
            columns: query.columns,
            namespace: query.namespace
        )
        let answer = try ask(graph, query.nodes, options)
        switch query.format {
        case .json: return .json(answer.json)
        case .dot: return .text(answer.dot, type: "text/vnd.graphviz; charset=utf-8")
        case .graphml: return .text(answer.graphML, type: "application/xml")
        case .cypher: return .text(answer.cypher)
        case .openlineage:
            let writer = OpenLineageWriter(namespace: parts.engine.warehouseURL)
            return .json(.array(writer.events(of: answer, in: graph)))
        }
    }
}

/// A question about lineage as a path's parameters put it.
private struct LineageQuery: Sendable {
    enum Format: String, CaseIterable {
        case json, dot, graphml, cypher, openlineage
    }

    var nodes: [NodeName] = []
    var depth: Int?
    var columns: Bool
    var asOf: CatalogInstant?
    var namespace = ["main"]
    var format = Format.json

    private static let names: Set<String> = ["depth", "columns", "as_of", "namespace", "format"]

    /// - Parameter nodes: the parameters that name nodes, all of which must be there.
    init(_ target: RequestTarget, _ nodes: [String]) throws {
        let query = target.query
        let known = Self.names.union(nodes)
        if let name = query.keys.filter({ !known.contains($0) }).min() {
            throw ServerError(
                .badRequest,
                "there is no parameter \"\(name)\"; there are "
                    + known.sorted().joined(separator: ", ")
            )
        }
        for name in nodes {
            guard let text = query[name], !text.isEmpty else {
                throw ServerError(.badRequest, "the parameter \(name) is missing")
            }
            self.nodes.append(try NodeName(text))
        }
        depth = try target.integer("depth", in: 1...10_000).map { Int($0) }
        columns = try target.flag("columns")
        if let text = query["as_of"], !text.isEmpty { asOf = try CatalogInstant(text) }
        if let text = query["namespace"], !text.isEmpty {
            namespace = text.split(separator: ".", omittingEmptySubsequences: false)
                .map(String.init)
        }
        if let text = query["format"] {
            guard let known = Format(rawValue: text) else {
                let all = Format.allCases.map(\.rawValue).joined(separator: ", ")
                throw ServerError(.badRequest, "format is one of \(all)")
            }
            format = known
        }
    }
}
