import Synchronization

/// Lets at most so many requests and queries in at once; the others are told to come back.
///
/// Refusing at the door keeps what is inside fast: a queue would hold memory for clients that have
/// given up already.
final class RequestGate: Sendable {
    private struct Counts {
        var requests = 0
        var queries = 0
    }

    private let requestsMax: Int
    private let queriesMax: Int
    private let counts = Mutex(Counts())

    init(requestsMax: Int, queriesMax: Int) {
        self.requestsMax = requestsMax
        self.queriesMax = queriesMax
    }

    /// Whether there is room; if so, `leave` must follow.
    func enter(_ weight: Route.Weight) -> Bool {
        counts.withLock { counts in
            switch weight {
            case .probe: return true
            case .request, .stream:
                guard counts.requests < requestsMax else { return false }
            case .query:
                guard counts.requests < requestsMax, counts.queries < queriesMax else {
                    return false
                }
                counts.queries += 1
            }
            counts.requests += 1
            return true
        }
    }

    func leave(_ weight: Route.Weight) {
        counts.withLock { counts in
            if weight == .probe { return }
            counts.requests -= 1
            if weight == .query { counts.queries -= 1 }
        }
    }
}
