import Bytes
import Engine
import HTTPTypes
import Lineage

/// What events of OpenLineage say, in the words of Marquez's interface, so that what reads that reads this.
struct MarquezRoutes: Sendable {
    let parts: ServerParts

    private static let limitMax: Int64 = 10_000

    var all: [Route] {
        [
            get("/namespaces") { try await namespaces($0) },
            get("/namespaces/{namespace}") { request in
                let name = try request.capture("namespace")
                return .json(try await ask { try $0.namespace(name) }.json)
            },
            get("/namespaces/{namespace}/datasets") { try await datasets($0) },
            get("/namespaces/{namespace}/datasets/{dataset}") { request in
                let name = try entity(request, "dataset")
                return .json(try await ask { try $0.dataset(name) }.json)
            },
            get("/namespaces/{namespace}/datasets/{dataset}/versions") { try await versions($0) },
            get("/namespaces/{namespace}/datasets/{dataset}/versions/{version}") {
                try await version($0)
            },
            get("/jobs") { try await jobs($0, namespace: nil) },
            get("/namespaces/{namespace}/jobs") {
                try await jobs($0, namespace: try $0.capture("namespace"))
            },
            get("/namespaces/{namespace}/jobs/{job}") { try await job($0) },
            get("/namespaces/{namespace}/jobs/{job}/runs") { try await runs($0) },
            get("/jobs/runs/{id}") { try await run($0) },
            get("/jobs/runs/{id}/facets") { try await runFacets($0) },
            get("/lineage") { try await lineage($0) },
            get("/column-lineage") { try await columnLineage($0) },
            get("/search") { try await search($0) },
            get("/events/lineage") { try await events($0) },
        ]
    }

    private func get(_ path: String, _ handler: @escaping Route.Handler) -> Route {
        Route(.get, "/api/v1" + path, weight: .query, handler: handler)
    }

    private func ask<Answer: Sendable>(
        _ body: @Sendable (inout OpenLineageModel) throws -> Answer
    ) async throws -> Answer {
        try await parts.engine.openLineage(body)
    }

    private func load(_ places: [EventPlace]) async throws -> LoadedEvents {
        try await parts.engine.openLineageEvents(at: places)
    }

    private func page(
        _ request: ServerRequest,
        limit: Int64 = 100
    ) throws(ServerError) -> (offset: Int, limit: Int) {
        let offset = try request.target.integer("offset", in: 0...Int64(Int32.max)) ?? 0
        let limit = try request.target.integer("limit", in: 0...Self.limitMax) ?? limit
        return (Int(offset), Int(limit))
    }

    private func entity(_ request: ServerRequest, _ name: String) throws(ServerError) -> EntityName
    {
        EntityName(try request.capture("namespace"), try request.capture(name))
    }

    private func parameter(_ request: ServerRequest, _ name: String) throws(ServerError) -> String {
        guard let text = request.target.query[name], !text.isEmpty else {
            throw ServerError(.badRequest, "the parameter \(name) is missing")
        }
        return text
    }

    // MARK: - Lists

    private func namespaces(_ request: ServerRequest) async throws -> Reply {
        let (offset, limit) = try page(request)
        let found = try await ask { $0.namespaces(offset: offset, limit: limit) }
        return .json(found.json("namespaces", \.json))
    }

    private func datasets(_ request: ServerRequest) async throws -> Reply {
        let (offset, limit) = try page(request)
        let namespace = try request.capture("namespace")
        let found = try await ask {
            try $0.datasets(in: namespace, offset: offset, limit: limit)
        }
        return .json(found.json("datasets", \.json))
    }

    private func versions(_ request: ServerRequest) async throws -> Reply {
        let (offset, limit) = try page(request)
        let name = try entity(request, "dataset")
        let found = try await ask { try $0.versions(of: name, offset: offset, limit: limit) }
        let events = try await load(
            found.elements.flatMap { [$0.place] + ($0.run?.places ?? []) }
        )
        return .json(found.json("versions") { $0.json(events) })
    }

    private func version(_ request: ServerRequest) async throws -> Reply {
        let name = try entity(request, "dataset")
        let version = try request.capture("version")
        let found = try await ask { try $0.version(version, of: name) }
        let events = try await load([found.place] + (found.run?.places ?? []))
        return .json(found.json(events))
    }

    private func jobs(_ request: ServerRequest, namespace: String?) async throws -> Reply {
        let (offset, limit) = try page(request)
        var states: Set<OpenLineageModel.RunState>?
        if let text = request.target.query["lastRunStates"], !text.isEmpty {
            states = []
            for part in text.split(separator: ",") {
                guard let state = OpenLineageModel.RunState(rawValue: part.uppercased()) else {
                    throw ServerError(
                        .badRequest,
                        "lastRunStates has NEW, RUNNING, COMPLETED, FAILED or ABORTED, not \"\(part)\""
                    )
                }
                states?.insert(state)
            }
        }
        let wanted = states
        let found = try await ask {
            try $0.jobs(in: namespace, states: wanted, offset: offset, limit: limit)
        }
        let events = try await load(found.elements.flatMap(\.places))
        return .json(found.json("jobs") { $0.json(events) })
    }

    private func job(_ request: ServerRequest) async throws -> Reply {
        let name = try entity(request, "job")
        let found = try await ask { try $0.job(name) }
        return .json(found.json(try await load(found.places)))
    }

    private func runs(_ request: ServerRequest) async throws -> Reply {
        let (offset, limit) = try page(request)
        let name = try entity(request, "job")
        let found = try await ask { try $0.runs(of: name, offset: offset, limit: limit) }
        let events = try await load(found.elements.flatMap(\.places))
        return .json(found.json("runs") { $0.json(events) })
    }

    private func run(_ request: ServerRequest) async throws -> Reply {
        let id = try request.capture("id")
        let found = try await ask { try $0.run(id) }
        return .json(found.json(try await load(found.places)))
    }

    private func runFacets(_ request: ServerRequest) async throws -> Reply {
        let id = try request.capture("id")
        let text = request.target.query["type"]?.lowercased() ?? "run"
        guard let kind = RunView.FacetKind(rawValue: text) else {
            throw ServerError(.badRequest, "type is run or job, not \"\(text)\"")
        }
        let found = try await ask { try $0.run(id) }
        let events = try await load(found.places)
        return .json(["runId": .string(found.id), "facets": found.facets(kind, events)])
    }

    // MARK: - Graphs

    private func lineage(_ request: ServerRequest) async throws -> Reply {
        let id = try parameter(request, "nodeId")
        let depth = try request.target.integer("depth", in: 0...10_000) ?? 20
        return .json(
            try await ask { try $0.lineage(of: try $0.node(id), depth: Int(depth)) }
        )
    }

    private func columnLineage(_ request: ServerRequest) async throws -> Reply {
        let id = try parameter(request, "nodeId")
        let depth = try request.target.integer("depth", in: 0...10_000) ?? 20
        let withDownstream = try request.target.flag("withDownstream")
        return .json(
            try await ask {
                try $0.columnLineage(
                    of: try $0.node(id),
                    depth: Int(depth),
                    withDownstream: withDownstream
                )
            }
        )
    }

    // MARK: - Search and events

    private func search(_ request: ServerRequest) async throws -> Reply {
        var query = OpenLineageModel.SearchQuery(try parameter(request, "q"))
        switch request.target.query["filter"]?.uppercased() {
        case nil, "", "ALL": break
        case "JOB": query.findsDatasets = false
        case "DATASET": query.findsJobs = false
        case let other?:
            throw ServerError(.badRequest, "filter is JOB or DATASET, not \"\(other)\"")
        }
        switch request.target.query["sort"]?.uppercased() {
        case nil, "", "NAME": break
        case "UPDATE_AT", "UPDATED_AT": query.sortsByUpdate = true
        case let other?:
            throw ServerError(.badRequest, "sort is NAME or UPDATE_AT, not \"\(other)\"")
        }
        if let namespace = request.target.query["namespace"], !namespace.isEmpty {
            query.namespace = namespace
        }
        query.beforeMicros = try time(request, "before")
        query.afterMicros = try time(request, "after")
        let limit = try page(request, limit: 10).limit
        let asked = query
        let found = try await ask { $0.search(asked, limit: limit) }
        return .json(found.json("results", \.json))
    }

    private func events(_ request: ServerRequest) async throws -> Reply {
        let (offset, limit) = try page(request)
        let before = try time(request, "before") ?? Int64.max
        let after = try time(request, "after") ?? Int64.min
        var newestFirst = true
        switch request.target.query["sortDirection"]?.lowercased() {
        case nil, "", "desc": break
        case "asc": newestFirst = false
        case let other?:
            throw ServerError(.badRequest, "sortDirection is asc or desc, not \"\(other)\"")
        }
        let (isDescending, first, count) = (newestFirst, offset, limit)
        let found = try await ask { model in
            model.sortEvents()
            return model.events(
                afterMicros: after,
                beforeMicros: before,
                newestFirst: isDescending,
                offset: first,
                limit: count
            )
        }
        let events = try await load(found.elements)
        return .json(found.json("events") { events[$0] ?? .null })
    }

    /// A time or a day, as its beginning.
    private func time(_ request: ServerRequest, _ name: String) throws(ServerError) -> Int64? {
        guard let text = request.target.query[name], !text.isEmpty else { return nil }
        // An offset's plus that nobody encoded has become a space.
        let mended = text.replacing(" ", with: "+")
        guard
            let micros = OpenLineageEvent.micros(ofTime: mended)
                ?? OpenLineageEvent.micros(ofTime: mended + "T00:00:00Z")
        else {
            throw ServerError(
                .badRequest,
                "\(name) is a time with an offset or a day, as 2024-05-01T12:30:00Z, not \"\(text)\""
            )
        }
        return micros
    }
}
