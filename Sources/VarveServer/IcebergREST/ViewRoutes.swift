import Ambient
import Bytes
import Catalog
import HTTPTypes
import Iceberg

extension IcebergRoutes {
    func viewRoutes(_ base: String) -> [Route] {
        let namespace = "\(base)/namespaces/{namespace}"
        let one = "\(namespace)/views/{view}"
        return [
            Route(.get, "\(namespace)/views") { try await listViews($0) },
            Route(.post, "\(namespace)/views", effect: .change) { try await createView($0) },
            Route(.post, "\(namespace)/register-view", effect: .change) {
                try await registerView($0)
            },
            Route(.get, one) { request in try await aboutView { try await loadView(request) } },
            Route(.head, one) { request in
                try await aboutView {
                    let state = try await parts.snapshot(request.catalogName).state
                    _ = try state.existingView(try view(request))
                    return .noContent
                }
            },
            Route(.post, one, effect: .commit) { request in
                try await aboutView { try await replaceView(request) }
            },
            Route(.delete, one, effect: .change) { request in
                try await aboutView { try await dropView(request) }
            },
            Route(.post, "\(base)/views/rename", effect: .change) { try await renameView($0) },
        ]
    }

    /// Tells a missing view, and a missing namespace of one, as clients expect it.
    private func aboutView(_ body: () async throws -> Reply) async throws -> Reply {
        do {
            return try await body()
        } catch let error as CatalogError {
            guard [.tableNotFound, .namespaceNotFound].contains(error.code) else { throw error }
            throw ServerError(.noView, error.message)
        }
    }

    /// The view of the path.
    private func view(_ request: ServerRequest) throws -> TableIdentifier {
        try TableIdentifier(try namespace(request), try request.capture("view"))
    }

    private func listViews(_ request: ServerRequest) async throws -> Reply {
        let namespace = try namespace(request)
        let state = try await parts.snapshot(request.catalogName).state
        let page = try Page(of: try state.views(in: namespace), request.target) { $0.name }
        var object: JSONObject = ["identifiers": .array(page.elements.map(\.json))]
        page.put(into: &object)
        return .json(.object(object))
    }

    private func createView(_ request: ServerRequest) async throws -> Reply {
        let namespace = try namespace(request)
        let body = try await request.object()
        let view = try TableIdentifier(namespace, try body.string("name"))
        let uuid = parts.ambient.uuidV4()
        let catalog = try await parts.catalog()
        var location =
            try body.optionalString("location") ?? catalog.defaultLocation(of: view, uuid: uuid)
        while location.hasSuffix("/") { location.removeLast() }
        let metadata = ViewMetadata(
            uuid: uuid,
            location: location,
            schema: try IcebergError.reading { () throws(IcebergError) in
                try Schema(json: body["schema"] ?? .null)
            },
            version: try ViewMetadata.Version(request: try body.required("view-version")),
            properties: try body.stringMap("properties")
        )
        let receipt = try await parts.commit(
            [.createView(view, metadata: metadata, replaces: false)],
            for: request
        ) { $0.madeView?.view == view }
        return try await reply(receipt, view, request)
    }

    private func registerView(_ request: ServerRequest) async throws -> Reply {
        let body = try await request.object()
        let view = try TableIdentifier(try namespace(request), try body.string("name"))
        let location = try body.string("metadata-location")
        let receipt = try await parts.commit(
            [.registerView(view, metadataLocation: location)],
            for: request
        ) { $0.madeView?.view == view }
        return try await reply(receipt, view, request)
    }

    private func loadView(_ request: ServerRequest) async throws -> Reply {
        let view = try view(request)
        let state = try await parts.snapshot(request.catalogName).state
        return try await reply(view, try state.existingView(view))
    }

    private func replaceView(_ request: ServerRequest) async throws -> Reply {
        let view = try view(request)
        let body = try await request.object()
        if body["identifier"] != nil, try identifier(try body.fields("identifier")) != view {
            throw ServerError(.badRequest, "the body's identifier is not the path's view \(view)")
        }
        let requirements = try ViewRequirement.list(json: body["requirements"] ?? [])
        let updates = try ViewUpdate.list(json: try body.required("updates"))
        let receipt = try await parts.commit(
            [
                .changeView(view) { metadata, now throws(IcebergError) in
                    try metadata.applying(updates, requiring: requirements, now: now)
                }
            ],
            for: request
        ) { $0.madeView?.view == view }
        return try await reply(receipt, view, request)
    }

    private func dropView(_ request: ServerRequest) async throws -> Reply {
        let view = try view(request)
        _ = try await parts.commit([.dropView(view)], for: request) { change in
            if case .dropView(view, _) = change { true } else { false }
        }
        return .noContent
    }

    private func renameView(_ request: ServerRequest) async throws -> Reply {
        let body = try await request.object()
        let source = try identifier(try body.fields("source"))
        let target = try identifier(try body.fields("destination"))
        let state = try await parts.snapshot(request.catalogName).state
        // Here a missing namespace is the target's, unless the source's is missing too. A retry with a
        // key finds the source gone and its commit in the log.
        if request.retry == nil, state.view(source) == nil {
            throw ServerError(.noView, "there is no view \(source)")
        }
        do {
            _ = try await parts.commit([.renameView(source, to: target)], for: request) { change in
                if case .renameView(source, target, _) = change { true } else { false }
            }
        } catch let error as CatalogError {
            let isSource = error.code == .tableNotFound || !state.hasNamespace(source.namespace)
            guard isSource else { throw error }
            throw ServerError(.noView, "there is no view \(source)")
        }
        return .noContent
    }

    /// What a commit left of a view; a commit that changed nothing left it as it is now.
    private func reply(
        _ receipt: CommitReceipt,
        _ view: TableIdentifier,
        _ request: ServerRequest
    ) async throws -> Reply {
        if let made = receipt.changes.last(where: { $0.madeView?.view == view })?.madeView {
            return try await reply(view, made.entry)
        }
        let state = try await parts.snapshot(request.catalogName).state
        return try await reply(view, try state.existingView(view))
    }

    private func reply(_ view: TableIdentifier, _ entry: TableEntry) async throws -> Reply {
        let metadata = try await parts.catalog().loadView(view, at: entry)
        return .json([
            "metadata-location": .string(entry.metadataLocation), "metadata": metadata.json,
            "config": .object(JSONObject()),
        ])
    }
}

extension CatalogChange {
    /// The view that the change leaves behind under a new location; nil when it leaves none.
    fileprivate var madeView: (view: TableIdentifier, entry: TableEntry)? {
        switch self {
        case .createView(let view, let entry), .updateView(let view, _, let entry): (view, entry)
        default: nil
        }
    }
}
