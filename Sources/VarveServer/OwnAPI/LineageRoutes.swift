import Bytes
import Engine
import HTTPTypes
import Lineage

/// Where data came from and where it went: the same answers as `varve lineage` gives.
struct LineageRoutes: Sendable {
    let parts: ServerParts

    var all: [Route] {
        [
            route("upstream", ["node"], .closure) { try $0.upstream(of: $1[0], $2) },
            route("downstream", ["node"], .closure) { try $0.downstream(of: $1[0], $2) },
            route("impact", ["node"], .impact) { try $0.impact(of: $1[0], $2) },
            route("path", ["from", "to"], .path) { try $0.path(from: $1[0], to: $1[1], $2) },
            report("runs", ["node"], .runs) { graph, nodes, query, options in
                let limit = query.limit ?? LineageRuns.defaultLimit
                return try graph.runs(of: nodes[0], limit: limit, options)
            },
            report("sources", ["node"], .sources) { graph, nodes, query, options in
                try graph.sources(of: nodes[0], options)
            },
            report("paths", ["from", "to"], .paths) { graph, nodes, query, options in
                let limits = LineagePathLimits(
                    paths: query.limit ?? LineagePaths.defaultLimit,
                    isShortestOnly: query.isShortestOnly
                )
                return try graph.paths(from: nodes[0], to: nodes[1], limits: limits, options)
            },
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

    private func route(
        _ question: String,
        _ nodes: [String],
        _ parameters: LineageQuery.Parameters,
        _ ask: @escaping Ask
    ) -> Route {
        Route(.get, "/varve/v1/lineage/\(question)", weight: .query, isQuick: true) { request in
            let query = try LineageQuery(request.target, nodes, parameters)
            let views = LineageAnswer.Question(rawValue: question)
            if views != .impact, let reply = try await quickReply(query, ask) { return reply }
            return try await onPool {
                let (graph, nodes, options) = try await state(request, query, views)
                return try await reply(query, graph, nodes, options, ask, request)
            }
        }
    }

    /// What may be looked at on an event loop, which others wait for: some hundred microseconds of it.
    private static let quickWorkMax = 2000

    /// The answer to a question that is soon answered, as most are; nil for others, and when the graph alone does not
    /// know the answer.
    private func quickReply(_ query: LineageQuery, _ ask: Ask) async throws -> Reply? {
        guard query.format == .json, query.branch == nil,
            !query.nodes.contains(where: { $0.hasPrefix("file:") })
        else { return nil }
        let nodes = try query.nodes.map { try NodeName($0) }
        guard !nodes.contains(where: { $0.isOfRuns }),
            let graph = try await parts.engine.currentLineageGraph()
        else { return nil }
        var options = query.options
        options.asOf = query.instant
        options.workMax = Self.quickWorkMax
        do {
            return .json(try ask(graph, nodes, options).serialized())
        } catch let error as LineageError {
            guard error.code == .tooMuchWork || error.code == .notFound else { throw error }
            return nil
        }
    }

    /// A question whose answer is no graph.
    private func report(
        _ question: String,
        _ nodes: [String],
        _ parameters: LineageQuery.Parameters,
        _ ask:
            @escaping @Sendable (LineageGraph, [NodeName], LineageQuery, LineageOptions) throws ->
            any LineageReport
    ) -> Route {
        Route(.get, "/varve/v1/lineage/\(question)", weight: .query) { request in
            let query = try LineageQuery(request.target, nodes, parameters)
            let (graph, nodes, options) = try await state(request, query)
            let answer = try ask(graph, nodes, query, options)
            switch query.format {
            case .ndjson: return try await stream(answer, request)
            default: return .json(answer.serialized())
            }
        }
    }

    /// Sends the answer piece by piece, as lines of JSON.
    private func stream(
        _ answer: some LineageReport,
        _ request: ServerRequest
    ) async throws -> Reply? {
        var headers = HTTPFields()
        headers[.contentType] = "application/x-ndjson"
        try await request.channel.begin(status: 200, headers: headers)
        for piece in answer.lines() {
            try Task.checkCancellation()
            try await request.channel.write(piece)
        }
        try await request.channel.finish()
        return nil
    }

    /// The graph, and the options that a question names.
    ///
    /// - Parameter question: one that views take part in.
    private func state(
        _ request: ServerRequest,
        _ query: LineageQuery,
        _ question: LineageAnswer.Question? = nil
    ) async throws -> (graph: LineageGraph, nodes: [NodeName], options: LineageOptions) {
        let graph = try await parts.engine.lineageGraph()
        var options = query.options
        options.asOf = query.instant
        // Most nodes are names that the graph knows, for which nobody else is asked.
        var nodes: [NodeName] = []
        let isNamed = !query.nodes.contains { $0.hasPrefix("file:") }
        if isNamed {
            nodes = try query.nodes.map { try NodeName($0) }
            if question != .impact, query.branch == nil,
                nodes.allSatisfy({ graph.knows($0, options) })
            {
                return (graph, nodes, options)
            }
        }
        let session = Session(
            engine: parts.engine,
            context: RequestContext(actor: request.principal, requestID: request.id)
        )
        if let instant = query.asOf { await session.set(asOf: instant) }
        if let branch = query.branch { try await session.select(reference: branch) }
        if !isNamed {
            for name in query.nodes { nodes.append(try await session.lineageNode(name, graph)) }
        }
        options.views = try await session.lineageViews(question, nodes, graph, options)
        return (graph, nodes, options)
    }

    private func reply(
        _ query: LineageQuery,
        _ graph: LineageGraph,
        _ nodes: [NodeName],
        _ options: LineageOptions,
        _ ask: Ask,
        _ request: ServerRequest
    ) async throws -> Reply? {
        let answer = try ask(graph, nodes, options)
        switch query.format {
        case .json: return .json(answer.serialized())
        case .ndjson: return try await stream(answer, request)
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
        case json, ndjson, dot, graphml, cypher, openlineage
    }

    /// Those that a question knows besides its nodes.
    struct Parameters: Sendable {
        var names: Set<String>
        /// How the answer can be written.
        var formats: [Format]

        private init(_ names: Set<String>, formats: [Format] = [.json, .ndjson]) {
            self.names = names.union(["as_of", "namespace", "format"])
            self.formats = formats
        }

        static let closure = Parameters(
            ["depth", "columns", "values_only", "since", "until", "replaced", "branch"],
            formats: Format.allCases
        )
        static let impact = Parameters(
            ["depth", "columns", "since", "until", "replaced", "branch", "jobs"],
            formats: Format.allCases
        )
        static let path = Parameters(
            ["depth", "columns", "values_only", "replaced"],
            formats: Format.allCases
        )
        static let runs = Parameters(["limit", "since", "until"])
        static let sources = Parameters(["columns", "values_only"])
        static let paths = Parameters([
            "depth", "columns", "values_only", "limit", "shortest", "replaced",
        ])
    }

    /// The names of nodes.
    var nodes: [String] = []
    /// All but the state.
    var options = LineageOptions()
    var asOf: CatalogInstant?
    var instant: LineageInstant { asOf.map { LineageInstant($0) } ?? .newest }
    /// The branch or tag of the catalog whose views take part; nil for `main`.
    var branch: String?
    var limit: Int?
    var isShortestOnly = false
    var format = Format.json

    /// - Parameter nodes: the parameters that name nodes, all of which must be there.
    init(_ target: RequestTarget, _ nodes: [String], _ parameters: Parameters) throws {
        let query = target.query
        let known = parameters.names.union(nodes)
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
            self.nodes.append(text)
        }
        options.depth = try target.integer("depth", in: 1...10_000).map { Int($0) }
        options.columns = try target.flag("columns")
        if try target.flag("values_only") { options.selection = .directOnly }
        options.includesReplaced = try target.flag("replaced")
        options.jobs = try target.flag("jobs")
        isShortestOnly = try target.flag("shortest")
        if let text = query["branch"], !text.isEmpty { branch = text }
        limit = try target.integer("limit", in: 1...10_000).map { Int($0) }
        if let text = query["as_of"], !text.isEmpty { asOf = try CatalogInstant(text) }
        options.since = try Self.instant(query["since"])
        options.until = try Self.instant(query["until"])
        if let text = query["namespace"], !text.isEmpty {
            options.namespace = text.split(separator: ".", omittingEmptySubsequences: false)
                .map(String.init)
        }
        if let text = query["format"] {
            guard let known = parameters.formats.first(where: { $0.rawValue == text }) else {
                let all = parameters.formats.map(\.rawValue).joined(separator: ", ")
                throw ServerError(.badRequest, "format is one of \(all)")
            }
            format = known
        }
    }

    private static func instant(_ text: String?) throws -> LineageInstant? {
        guard let text, !text.isEmpty else { return nil }
        return LineageInstant(try CatalogInstant(text))
    }
}
