import HTTPTypes

/// What answers a request of one method and path.
struct Route: Sendable {
    /// How many of them may run at once, and for how long.
    enum Weight: Sendable {
        /// Never refused: probes must see a busy server as alive.
        case probe
        case request
        /// Runs statements or walks the log.
        case query
        /// Goes on until the client has enough: a request without an end to its time.
        case stream
    }

    /// Answers, or returns nil when it has answered piece by piece.
    typealias Handler = @Sendable (ServerRequest) async throws -> Reply?

    let method: HTTPRequest.Method
    /// `/v1/namespaces/{namespace}`; also the label in logs and metrics.
    let template: String
    var effect = RequestEffect.read
    var namespaceMeansTable = false
    /// Whether it answers without credentials.
    var isOpen = false
    var weight = Weight.request
    /// Whether it mostly answers from memory, in microseconds.
    ///
    /// Then its handler runs on the event loop of the connection, and takes to the pool (`onPool`) what may take
    /// longer.
    var isQuick = false
    /// Whether the body is rows, which may be more than a request's other bodies.
    var takesRows = false
    /// Whether its interface has no word for what is not supported, which then is a bad request.
    var unsupportedIsBadRequest = false
    let handler: Handler

    init(
        _ method: HTTPRequest.Method,
        _ template: String,
        effect: RequestEffect = .read,
        namespaceMeansTable: Bool = false,
        isOpen: Bool = false,
        weight: Weight = .request,
        isQuick: Bool = false,
        takesRows: Bool = false,
        handler: @escaping Handler
    ) {
        self.method = method
        self.template = template
        self.effect = effect
        self.namespaceMeansTable = namespaceMeansTable
        self.isOpen = isOpen
        self.weight = weight
        self.isQuick = isQuick
        self.takesRows = takesRows
        self.handler = handler
    }
}

/// Finds the route of a request.
struct RouteTable: Sendable {
    private enum Part: Sendable, Equatable {
        case literal(String)
        case capture(String)
    }

    private struct Entry: Sendable {
        var parts: [Part]
        var routes: [Route]
    }

    /// What a request's method and path lead to.
    enum Match: Sendable {
        case route(Route, captures: [String: String])
        /// The path is known, with these methods.
        case otherMethods([String])
        case none
    }

    /// By the number of parts.
    private var entries: [Int: [Entry]] = [:]

    init(_ routes: [Route]) {
        for route in routes { add(route) }
    }

    private mutating func add(_ route: Route) {
        let parts = route.template.split(separator: "/").map { part -> Part in
            part.hasPrefix("{") && part.hasSuffix("}")
                ? .capture(String(part.dropFirst().dropLast())) : .literal(String(part))
        }
        var list = entries[parts.count] ?? []
        if let index = list.firstIndex(where: { $0.parts == parts }) {
            list[index].routes.append(route)
        } else {
            list.append(Entry(parts: parts, routes: [route]))
        }
        entries[parts.count] = list
    }

    /// - Parameter segments: the path's decoded parts.
    func match(_ method: HTTPRequest.Method, _ segments: [String]) -> Match {
        for entry in entries[segments.count] ?? [] {
            guard let captures = Self.captures(of: segments, entry.parts) else { continue }
            if let route = entry.routes.first(where: { $0.method == method }) {
                return .route(route, captures: captures)
            }
            return .otherMethods(entry.routes.map(\.method.rawValue))
        }
        return .none
    }

    private static func captures(of segments: [String], _ parts: [Part]) -> [String: String]? {
        var captures: [String: String] = [:]
        for (segment, part) in zip(segments, parts) {
            switch part {
            case .literal(let text):
                if text != segment { return nil }
            case .capture(let name): captures[name] = segment
            }
        }
        return captures
    }
}
