import Glibc

/// Where time comes from, so that a test can hold the clock in its hand.
package protocol TimeSource: Sendable {
    /// Microseconds since 1970-01-01T00:00:00Z, without leap seconds; may jump when the clock is set.
    func nowMicros() -> Int64
    /// Nanoseconds since some fixed instant; never goes back, and goes on while the machine sleeps (but not
    /// while a virtual one is stopped).
    func monotonicNanos() -> Int64
    /// Waits for a time, or throws `CancellationError` as soon as the task is cancelled.
    func sleep(nanoseconds: Int64) async throws
}

/// The clocks of the machine.
package struct SystemTime: TimeSource {
    package init() {}

    package func nowMicros() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }

    package func monotonicNanos() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    package func sleep(nanoseconds: Int64) async throws {
        try await Task.sleep(nanoseconds: UInt64(max(nanoseconds, 0)))
    }
}
