import Ambient
import Synchronization

/// Time and chance of a simulation: everything that happens in one is drawn from its seed.
///
/// Time passes only when every task waits: then it jumps to the earliest that somebody waits for. Events
/// are counted, so that of any two it is known which came first, also at one instant.
package final class SimulatedWorld: Sendable {
    /// When something happened.
    package struct Moment: Sendable, Comparable {
        /// Its number among all events.
        package var event: Int
        /// The world's time.
        package var nanos: Int64

        package static func < (left: Moment, right: Moment) -> Bool { left.event < right.event }
    }

    private struct Timer {
        var id: UInt64
        var wakeNanos: Int64
        var continuation: UnsafeContinuation<Void, any Error>
    }

    private struct State {
        var random: SeededGenerator
        var nowNanos: Int64 = 0
        var timers: [Timer] = []
        var cancelled: Set<UInt64> = []
        var lastTimer: UInt64 = 0
        var eventCount = 0
        var background: [Task<Void, Never>] = []
        var faultCounts: [String: Int] = [:]
        var executor: SimulationExecutor?
    }

    private let state: Mutex<State>

    private init(seed: UInt64) {
        state = Mutex(State(random: SeededGenerator(seed: seed &* 0x9E37_79B9 &+ 1)))
    }

    /// Runs a simulation under a seed, and waits for all that it left under way.
    package static func run<Value: Sendable>(
        seed: UInt64,
        _ operation: @Sendable (SimulatedWorld) async throws -> Value
    ) async throws -> Value {
        let world = SimulatedWorld(seed: seed)
        return try await SimulationExecutor.run(seed: seed, whenIdle: { world.wakeNext() }) {
            executor in
            world.state.withLock { $0.executor = executor }
            let value = try await operation(world)
            await world.settle()
            world.state.withLock { $0.executor = nil }
            return value
        }
    }

    // MARK: - Time

    /// Nanoseconds since the world began.
    package var nowNanos: Int64 { state.withLock { $0.nowNanos } }

    /// Notes that something happens now.
    package func moment() -> Moment {
        state.withLock { state in
            state.eventCount += 1
            return Moment(event: state.eventCount, nanos: state.nowNanos)
        }
    }

    /// Waits until the world's time has moved on so far, or throws `CancellationError`.
    package func sleep(nanoseconds: Int64) async throws {
        try Task.checkCancellation()
        let id = state.withLock { state -> UInt64 in
            state.lastTimer += 1
            return state.lastTimer
        }
        try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { continuation in
                let isCancelled = state.withLock { state -> Bool in
                    if state.cancelled.remove(id) != nil { return true }
                    let wake = state.nowNanos + max(nanoseconds, 0)
                    state.timers.append(
                        Timer(id: id, wakeNanos: wake, continuation: continuation)
                    )
                    return false
                }
                if isCancelled { continuation.resume(throwing: CancellationError()) }
            }
        } onCancel: {
            let timer = state.withLock { state -> Timer? in
                guard let at = state.timers.firstIndex(where: { $0.id == id }) else {
                    state.cancelled.insert(id)
                    return nil
                }
                return state.timers.remove(at: at)
            }
            timer?.continuation.resume(throwing: CancellationError())
        }
    }

    /// Moves time to the next that somebody waits for; false when nobody does.
    private func wakeNext() -> Bool {
        let timer = state.withLock { state -> Timer? in
            var next: Int?
            for (at, timer) in state.timers.enumerated() {
                guard let best = next else {
                    next = at
                    continue
                }
                let other = state.timers[best]
                if (timer.wakeNanos, timer.id) < (other.wakeNanos, other.id) { next = at }
            }
            guard let next else { return nil }
            let timer = state.timers.remove(at: next)
            state.nowNanos = max(state.nowNanos, timer.wakeNanos)
            return timer
        }
        guard let timer else { return false }
        timer.continuation.resume()
        return true
    }

    // MARK: - Chance

    /// Whether something of this probability happens.
    package func chance(_ probability: Double) -> Bool {
        guard probability > 0 else { return false }
        return state.withLock { Double.random(in: 0..<1, using: &$0.random) < probability }
    }

    /// A number of a range.
    package func number<Number: FixedWidthInteger & Sendable>(
        in range: ClosedRange<Number>
    ) -> Number {
        state.withLock { Number.random(in: range, using: &$0.random) }
    }

    // MARK: - Faults and the background

    /// Counts a fault.
    package func note(fault: String) {
        state.withLock { $0.faultCounts[fault, default: 0] += 1 }
    }

    /// How many faults there were of each kind.
    package var faultCounts: [String: Int] { state.withLock { $0.faultCounts } }

    /// Lets something happen on its own, whatever becomes of the task that began it.
    package func runInBackground(_ operation: @escaping @Sendable () async -> Void) {
        guard let executor = state.withLock({ $0.executor }) else { return }
        let task = Task(executorPreference: executor) { await operation() }
        state.withLock { $0.background.append(task) }
    }

    /// Waits for everything that is under way in the background.
    package func settle() async {
        while let task = state.withLock({ $0.background.popLast() }) { await task.value }
    }
}

/// The clocks of a simulated process: the world's time, but for what they are set wrong by.
package final class SimulatedClock: TimeSource {
    private struct State {
        var wallOffsetMicros: Int64
        /// How long the machine slept: the monotonic clock stood still.
        var suspendedNanos: Int64 = 0
        /// The monotonic clock while it stands still.
        var stillNanos: Int64?
        /// Whether the wall clock was ever set back.
        var wasSetBack = false
    }

    private let world: SimulatedWorld
    private let startMicros: Int64
    private let state: Mutex<State>

    package init(
        _ world: SimulatedWorld,
        startMicros: Int64 = 1_700_000_000_000_000,
        wallOffsetMicros: Int64 = 0
    ) {
        self.world = world
        self.startMicros = startMicros
        state = Mutex(State(wallOffsetMicros: wallOffsetMicros))
    }

    package func nowMicros() -> Int64 {
        startMicros + world.nowNanos / 1000 + state.withLock { $0.wallOffsetMicros }
    }

    package func monotonicNanos() -> Int64 {
        let now = world.nowNanos
        return state.withLock { $0.stillNanos ?? now - $0.suspendedNanos }
    }

    package func sleep(nanoseconds: Int64) async throws {
        try await world.sleep(nanoseconds: nanoseconds)
    }

    /// Sets the wall clock wrong by so much.
    package func set(wallOffsetMicros: Int64) {
        state.withLock { state in
            if wallOffsetMicros < state.wallOffsetMicros { state.wasSetBack = true }
            state.wallOffsetMicros = wallOffsetMicros
        }
    }

    /// Whether neither clock can tell how much time passed: the one has stood still, the other was set back.
    package var hasLostTime: Bool {
        state.withLock { $0.wasSetBack && ($0.suspendedNanos > 0 || $0.stillNanos != nil) }
    }

    /// Lets the wall clock go on and the monotonic one stand still, as when a virtual machine is stopped and
    /// its clock is set when it goes on.
    package func suspend(nanoseconds: Int64) async throws {
        let began = world.nowNanos
        state.withLock { $0.stillNanos = began - $0.suspendedNanos }
        try? await world.sleep(nanoseconds: nanoseconds)
        let ended = world.nowNanos
        state.withLock { state in
            state.suspendedNanos += ended - began
            state.stillNanos = nil
        }
    }
}
