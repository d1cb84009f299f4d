package import Ambient
import ServiceLifecycle
import Synchronization

/// A clock whose sleeps cost next to nothing and end up to a quarter of a second late: for the deadlines
/// of requests, almost none of which are ever reached.
///
/// One timer looks after all who sleep; none of them ends before `run` is called, or after it has ended.
package final class CoarseTime: TimeSource, Service {
    private struct Sleeper {
        var wakeNanos: Int64
        var continuation: UnsafeContinuation<Void, any Error>
    }

    private struct State {
        var sleepers: [UInt64: Sleeper] = [:]
        /// Who was cancelled before it lay down.
        var cancelled: Set<UInt64> = []
        var lastID: UInt64 = 0
    }

    private static let tickNanos: Int64 = 250_000_000
    private let time: any TimeSource
    private let state = Mutex(State())

    package init(_ time: any TimeSource) {
        self.time = time
    }

    package func nowMicros() -> Int64 { time.nowMicros() }

    package func monotonicNanos() -> Int64 { time.monotonicNanos() }

    /// Wakes those whose time has come, until the server stops.
    package func run() async throws {
        try? await cancelWhenGracefulShutdown {
            while true {
                try await self.time.sleep(nanoseconds: Self.tickNanos)
                self.wake()
            }
        }
    }

    private func wake() {
        let now = time.monotonicNanos()
        let due = state.withLock { state -> [Sleeper] in
            var due: [Sleeper] = []
            for (id, sleeper) in state.sleepers where sleeper.wakeNanos <= now {
                due.append(sleeper)
                state.sleepers[id] = nil
            }
            return due
        }
        for sleeper in due { sleeper.continuation.resume() }
    }

    package func sleep(nanoseconds: Int64) async throws {
        let (wake, overflow) = time.monotonicNanos().addingReportingOverflow(max(nanoseconds, 0))
        let id = state.withLock { state -> UInt64 in
            state.lastID &+= 1
            return state.lastID
        }
        try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { continuation in
                let isCancelled = state.withLock { state -> Bool in
                    if state.cancelled.remove(id) != nil { return true }
                    state.sleepers[id] = Sleeper(
                        wakeNanos: overflow ? Int64.max : wake,
                        continuation: continuation
                    )
                    return false
                }
                if isCancelled { continuation.resume(throwing: CancellationError()) }
            }
        } onCancel: {
            let sleeper = state.withLock { state -> Sleeper? in
                if let sleeper = state.sleepers.removeValue(forKey: id) { return sleeper }
                state.cancelled.insert(id)
                return nil
            }
            sleeper?.continuation.resume(throwing: CancellationError())
        }
        // Who was woken and cancelled at once.
        state.withLock { _ = $0.cancelled.remove(id) }
    }
}
