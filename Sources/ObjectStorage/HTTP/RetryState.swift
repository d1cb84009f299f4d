import Ambient

/// How long a store tries again before it gives up.
package struct RetryPolicy: Sendable, Equatable {
    /// The upper bound of the first wait; it doubles with every further one.
    package var firstWaitMillis: Int
    /// The most that any wait may last, but for one that the server asks for.
    package var waitMillisMax: Int
    /// No try begins later than this after the first.
    package var totalMillis: Int
    /// Tries in all, the first one too.
    package var tryCountMax: Int

    package init(
        firstWaitMillis: Int = 100,
        waitMillisMax: Int = 10_000,
        totalMillis: Int = 60_000,
        tryCountMax: Int = 30
    ) {
        self.firstWaitMillis = max(firstWaitMillis, 1)
        self.waitMillisMax = max(waitMillisMax, 1)
        self.totalMillis = max(totalMillis, 0)
        self.tryCountMax = max(tryCountMax, 1)
    }
}

/// The decisions of one operation's retries: exponential back-off with full jitter.
struct RetryState {
    private let policy: RetryPolicy
    private let startNanos: Int64
    private(set) var tryCount = 1

    init(policy: RetryPolicy, nowNanos: Int64) {
        self.policy = policy
        startNanos = nowNanos
    }

    /// How long to wait before the next try, or nil to give up.
    ///
    /// - Parameter serverMillis: what the server asked for (`Retry-After`); never less is waited.
    mutating func nextWaitNanos(
        nowNanos: Int64,
        serverMillis: Int?,
        random: any RandomSource
    ) -> Int64? {
        guard tryCount < policy.tryCountMax else { return nil }
        let doublings = min(tryCount - 1, 20)
        let (grown, isOver) = policy.firstWaitMillis.multipliedReportingOverflow(by: 1 << doublings)
        let bound = isOver ? policy.waitMillisMax : min(grown, policy.waitMillisMax)
        var wait = random.number(below: Int64(min(bound, 3_600_000)) * 1_000_000 + 1)
        if let serverMillis {
            wait = max(wait, Int64(min(max(serverMillis, 0), 86_400_000)) * 1_000_000)
        }
        let total = Int64(min(policy.totalMillis, 86_400_000)) * 1_000_000
        let left = total - (nowNanos - startNanos)
        guard left > 0 else { return nil }
        if let serverMillis, Int64(min(max(serverMillis, 0), 86_400_000)) * 1_000_000 > left {
            return nil
        }
        tryCount += 1
        return min(wait, left)
    }
}

/// How long a header `Retry-After` asks to wait, up to a day; nil for what is neither seconds nor a time.
///
/// - Spec: RFC 9110, section 10.2.3.
package func retryAfterMillis(_ text: String, nowMicros: Int64) -> Int? {
    if let seconds = Int(text), (0...86_400).contains(seconds) { return seconds * 1000 }
    guard let time = CalendarTime(httpText: text) else { return nil }
    return Int(max(0, min(time.micros - nowMicros, 86_400_000_000)) / 1000)
}
