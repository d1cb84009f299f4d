import Bytes
import Catalog
import HTTPTypes

extension IcebergRoutes {
    func namespaceRoutes(_ base: String) -> [Route] {
        let one = "\(base)/namespaces/{namespace}"
        return [
            Route(.get, "\(base)/namespaces") { try await listNamespaces($0) },
            Route(.post, "\(base)/namespaces", effect: .change) { try await createNamespace($0) },
            Route(.get, one) { try await loadNamespace($0) },
            Route(.head, one) {
                _ = try await loadNamespace($0)
                return .noContent
            },
            Route(.delete, one, effect: .change) { try await dropNamespace($0) },
            Route(.post, "\(one)/properties", effect: .change) { try await updateProperties($0) },
        ]
    }

    private func listNamespaces(_ request: ServerRequest) async throws -> Reply {
        let state = try await parts.snapshot(request.catalogName).state
        var parent: Namespace?
        if let text = request.target.query["parent"], !text.isEmpty {
            parent = try Namespace(levels(text))
        }
        let page = try Page(of: try state.namespaces(in: parent), request.target) { $0.name }
        var object: JSONObject = [
            "namespaces": .array(page.elements.map { .strings($0.levels) })
        ]
        page.put(into: &object)
        return .json(.object(object))
    }

    private func createNamespace(_ request: ServerRequest) async throws -> Reply {
        let body = try await request.object()
        guard let levels = try body.strings("namespace") else {
            throw body.wrong("namespace", "an array of strings")
        }
        let namespace = try Namespace(levels)
        let properties = try body.stringMap("properties")
        do {
            _ = try await parts.commit(
                [.createNamespace(namespace, properties: properties)],
                for: request
            ) { change in
                if case .createNamespace(namespace, _) = change { true } else { false }
            }
        } catch let error as CatalogError {
            // This operation has no word for a namespace that is not there.
            guard error.code == .namespaceNotFound else { throw error }
            throw ServerError(.badRequest, "\(error.message), in which \(namespace) would be")
        }
        return .json(namespaceJSON(namespace, properties))
    }

    private func loadNamespace(_ request: ServerRequest) async throws -> Reply {
        let namespace = try namespace(request)
        let state = try await parts.snapshot(request.catalogName).state
        return .json(namespaceJSON(namespace, try state.properties(of: namespace)))
    }

    private func namespaceJSON(_ namespace: Namespace, _ properties: [String: String]) -> JSON {
        ["namespace": .strings(namespace.levels), "properties": .stringMap(properties)]
    }

    private func dropNamespace(_ request: ServerRequest) async throws -> Reply {
        let namespace = try namespace(request)
        _ = try await parts.commit([.dropNamespace(namespace)], for: request) { change in
            if case .dropNamespace(namespace) = change { true } else { false }
        }
        return .noContent
    }

    private func updateProperties(_ request: ServerRequest) async throws -> Reply {
        let namespace = try namespace(request)
        let body = try await request.object()
        let updates = try body.stringMap("updates")
        let removals = Array(Set(try body.strings("removals") ?? [])).sorted()
        if let both = removals.first(where: { updates[$0] != nil }) {
            throw ServerError(
                .unprocessable,
                "property \"\(both)\" is to be set and removed at once"
            )
        }
        let before = try await parts.snapshot(request.catalogName).state.properties(of: namespace)
        _ = try await parts.commit(
            [.updateNamespace(namespace, set: updates, remove: removals)],
            for: request
        ) { change in
            if case .updateNamespace(namespace, _, _) = change { true } else { false }
        }
        return .json([
            "updated": .strings(updates.keys.sorted()),
            "removed": .strings(removals.filter { before[$0] != nil }),
            "missing": .strings(removals.filter { before[$0] == nil }),
        ])
    }
}
