import Synchronization

/// A clock that moves only when told to, or when somebody sleeps on it.
///
/// With `advancesOnSleep` a sleep returns at once and moves the clock by its length, so that retries
/// with long back-offs run in no time; without it sleepers wait for `advance(byNanos:)`.
package final class ManualTime: TimeSource {
    private struct Sleeper {
        var id: UInt64
        var wakeNanos: Int64
        var continuation: UnsafeContinuation<Void, any Error>
    }

    private struct State {
        var elapsedNanos: Int64 = 0
        var sleptNanos: [Int64] = []
        var sleepers: [Sleeper] = []
        var cancelled: Set<UInt64> = []
        var nextID: UInt64 = 0
    }

    private let startMicros: Int64
    private let advancesOnSleep: Bool
    private let state = Mutex(State())

    package init(startMicros: Int64 = 1_700_000_000_000_000, advancesOnSleep: Bool = true) {
        self.startMicros = startMicros
        self.advancesOnSleep = advancesOnSleep
    }

    package func nowMicros() -> Int64 {
        state.withLock { startMicros + $0.elapsedNanos / 1000 }
    }

    package func monotonicNanos() -> Int64 {
        state.withLock { $0.elapsedNanos }
    }

    /// The lengths of all sleeps so far, in the order in which they began.
    package var sleptNanos: [Int64] {
        state.withLock { $0.sleptNanos }
    }

    /// How many tasks wait for the clock to move.
    package var sleeperCount: Int {
        state.withLock { $0.sleepers.count }
    }

    /// Moves the clock on and wakes everybody whose time has come, the earliest first.
    package func advance(byNanos nanos: Int64) {
        let awake = state.withLock { state -> [Sleeper] in
            state.elapsedNanos += max(nanos, 0)
            let due = state.sleepers.filter { $0.wakeNanos <= state.elapsedNanos }
            state.sleepers.removeAll { $0.wakeNanos <= state.elapsedNanos }
            return due.sorted { $0.wakeNanos < $1.wakeNanos }
        }
        for sleeper in awake { sleeper.continuation.resume() }
    }

    package func sleep(nanoseconds: Int64) async throws {
        try Task.checkCancellation()
        let id = state.withLock { state -> UInt64 in
            state.sleptNanos.append(nanoseconds)
            if advancesOnSleep { state.elapsedNanos += max(nanoseconds, 0) }
            state.nextID += 1
            return state.nextID
        }
        if advancesOnSleep || nanoseconds <= 0 { return }
        try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { continuation in
                let isCancelled = state.withLock { state -> Bool in
                    if state.cancelled.remove(id) != nil { return true }
                    let wake = state.elapsedNanos + nanoseconds
                    state.sleepers.append(
                        Sleeper(id: id, wakeNanos: wake, continuation: continuation)
                    )
                    return false
                }
                if isCancelled { continuation.resume(throwing: CancellationError()) }
            }
        } onCancel: {
            let sleeper = state.withLock { state -> Sleeper? in
                guard let at = state.sleepers.firstIndex(where: { $0.id == id }) else {
                    state.cancelled.insert(id)
                    return nil
                }
                return state.sleepers.remove(at: at)
            }
            sleeper?.continuation.resume(throwing: CancellationError())
        }
    }
}
