import Bytes
import Catalog
import HTTPTypes

extension IcebergRoutes {
    /// Functions of the catalog, of which there are none.
    ///
    /// SQL's own are the engine's, and every program has them.
    func functionRoutes(_ base: String) -> [Route] {
        let all = "\(base)/namespaces/{namespace}/functions"
        return [
            Route(.get, all) { request in
                let state = try await parts.catalog().read().state
                _ = try state.properties(of: try namespace(request))
                _ = try Page(of: [String](), request.target) { $0 }
                return .json(["identifiers": []])
            },
            Route(.get, "\(all)/{function}") { request in
                let namespace = try namespace(request)
                let name = try request.capture("function")
                throw ServerError(.noFunction, "there is no function \(namespace).\(name)")
            },
        ]
    }
}
