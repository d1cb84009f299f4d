import HTTPTypes

extension IcebergRoutes {
    /// Answers clients that ask for views in spite of the list of endpoints.
    func viewRoutes(_ base: String) -> [Route] {
        let namespace = "\(base)/namespaces/{namespace}"
        let one = "\(namespace)/views/{view}"
        let refuse: Route.Handler = { _ in
            throw ServerError(.unsupported, "this catalog has no views in this version")
        }
        return [
            Route(.get, "\(namespace)/views", handler: refuse),
            Route(.post, "\(namespace)/views", handler: refuse),
            Route(.post, "\(namespace)/register-view", handler: refuse),
            Route(.get, one, handler: refuse), Route(.head, one, handler: refuse),
            Route(.post, one, handler: refuse), Route(.delete, one, handler: refuse),
            Route(.post, "\(base)/views/rename", handler: refuse),
        ]
    }
}
