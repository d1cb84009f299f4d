import Bytes
import Catalog
import Engine
import HTTPTypes
import ObjectStorage

extension IcebergRoutes {
    func credentialRoutes(_ base: String) -> [Route] {
        let table = "\(base)/namespaces/{namespace}/tables/{table}"
        return [
            Route(.get, "\(table)/credentials", namespaceMeansTable: true) {
                try await loadCredentials($0)
            },
            Route(.post, "\(table)/sign") { try await signRequest($0) },
        ]
    }

    private func loadCredentials(_ request: ServerRequest) async throws -> Reply {
        let catalog = try await parts.catalog()
        let loaded = try await catalog.load(
            try table(request),
            in: try await parts.snapshot(request.catalogName)
        )
        let access = try await parts.delegation.access(
            to: loaded.metadata,
            named: loaded.identifier,
            catalog,
            wanting: ["vended-credentials"]
        )
        var reply = Reply.json(["storage-credentials": access.credentialsJSON])
        reply.headers[.cacheControl] = "no-store"
        return reply
    }

    private func signRequest(_ request: ServerRequest) async throws -> Reply {
        let table = try table(request)
        let body = try await request.object()
        let provider = try body.optionalString("provider") ?? "s3"
        guard provider == "s3" else {
            throw ServerError(.badRequest, "requests to \(provider) are not signed, only to s3")
        }
        _ = try body.string("region")
        var headers: [(name: String, value: String)] = []
        for member in try body.fields("headers").object.members {
            guard let values = member.value.array?.map(\.string), !values.contains(nil) else {
                throw body.wrong("headers", "an object of arrays of strings")
            }
            headers.append((member.key, values.compactMap { $0 }.joined(separator: ",")))
        }
        let catalog = try await parts.catalog()
        let loaded: LoadedTable
        do {
            loaded = try await catalog.load(
                table,
                in: try await parts.snapshot(request.catalogName)
            )
        } catch let error as CatalogError {
            // This operation has no word for a table that is not there.
            guard [.tableNotFound, .namespaceNotFound].contains(error.code) else { throw error }
            throw ServerError(.forbidden, error.message)
        }
        let signed = try parts.delegation.sign(
            S3Delegation.Request(
                method: try body.string("method"),
                uri: try body.string("uri"),
                headers: headers,
                body: try body.optionalString("body").map { Array($0.utf8) }
            ),
            for: loaded.metadata,
            catalog
        )
        var object = JSONObject()
        for header in signed.headers { object[header.name] = [.string(header.value)] }
        var reply = Reply.json(["uri": .string(signed.uri), "headers": .object(object)])
        // A signature is of one moment.
        reply.headers[.cacheControl] = "no-cache"
        return reply
    }
}
