package import Ambient
package import ObjectStorage

/// What an attempt came to.
package enum WebhookVerdict: Sendable, Equatable {
    case delivered
    /// The receiver does not want this webhook any more.
    case ended
    /// Again later; `waitMillis` is what the receiver asked for.
    case failed(String, waitMillis: Int?)

    /// - Spec: Standard Webhooks 1.0.0, "Delivery": 2xx is success, 410 ends, everything else is tried again.
    package init(_ answer: PostingClient.Answer, nowMicros: Int64) {
        switch answer.status {
        case 200...299: self = .delivered
        case 410: self = .ended
        case let status:
            let wait = answer.retryAfter.flatMap { retryAfterMillis($0, nowMicros: nowMicros) }
            let note = (300...399).contains(status) ? ", and redirects are not followed" : ""
            self = .failed("the receiver answered \(status)\(note)", waitMillis: wait)
        }
    }
}

/// How long to wait after attempts that failed: twice as long each time, up to a bound, for ever.
package struct WebhookBackOff: Sendable {
    /// The bound of the first wait.
    private static let firstMillis: Int64 = 1000

    private let waitSecondsMax: Int
    /// Attempts that failed so far.
    package private(set) var attemptCount = 0

    package init(waitSecondsMax: Int) {
        self.waitSecondsMax = max(waitSecondsMax, 1)
    }

    /// Counts a failed attempt, and says how long to wait: half of the bound at least, the rest by chance.
    ///
    /// - Parameter askedMillis: never less is waited.
    package mutating func nextWaitNanos(askedMillis: Int?, random: any RandomSource) -> Int64 {
        let doublings = min(attemptCount, 30)
        attemptCount &+= 1
        let bound = min(Self.firstMillis << doublings, Int64(waitSecondsMax) * 1000) * 1_000_000
        let wait = bound / 2 + random.number(below: bound / 2 + 1)
        return max(wait, Int64(askedMillis ?? 0) * 1_000_000)
    }
}
