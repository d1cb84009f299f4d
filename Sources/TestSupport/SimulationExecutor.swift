import Glibc
import Synchronization

/// Runs tasks on one thread, in an order drawn from a seed, so that a race can be replayed.
///
/// Of the jobs that are ready at a time any may come next. Everything that the tasks wait for must be
/// woken by one of them (no timers, no other threads), else the order is not the seed's alone.
package final class SimulationExecutor: TaskExecutor {
    private struct State {
        var ready: [UnownedJob] = []
        var random: SeededGenerator
        var isOver = false
    }

    private let state: Mutex<State>
    private let wakeup = ThreadSignal()
    /// Makes a job ready when there is none, as time does; false when there is nothing to wait for.
    private let whenIdle: @Sendable () -> Bool

    private init(seed: UInt64, whenIdle: @escaping @Sendable () -> Bool) {
        state = Mutex(State(random: SeededGenerator(seed: seed)))
        self.whenIdle = whenIdle
    }

    /// Runs an operation and all its child tasks under a seed's order.
    package static func run<Value: Sendable>(
        seed: UInt64,
        _ operation: @Sendable () async throws -> Value
    ) async throws -> Value {
        try await run(seed: seed, whenIdle: { false }) { _ in try await operation() }
    }

    /// As `run`, for an operation that starts tasks of its own, or that waits for a time that is not real.
    ///
    /// - Parameter whenIdle: called when no job is ready; makes one ready, or gives false.
    static func run<Value: Sendable>(
        seed: UInt64,
        whenIdle: @escaping @Sendable () -> Bool,
        _ operation: @Sendable (SimulationExecutor) async throws -> Value
    ) async throws -> Value {
        let executor = SimulationExecutor(seed: seed, whenIdle: whenIdle)
        executor.start()
        defer { executor.stop() }
        return try await withTaskExecutorPreference(executor) { try await operation(executor) }
    }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        state.withLock { $0.ready.append(job) }
        wakeup.signal()
    }

    private func stop() {
        state.withLock { $0.isOver = true }
        wakeup.signal()
    }

    private func start() {
        var thread = pthread_t()
        let executor = Unmanaged.passRetained(self)
        let code = pthread_create(
            &thread,
            nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<SimulationExecutor>.fromOpaque(argument).takeRetainedValue().work()
                return nil
            },
            executor.toOpaque()
        )
        precondition(code == 0, "no thread for the simulation")
        pthread_detach(thread)
    }

    private func work() {
        while true {
            let (job, isOver) = state.withLock { state -> (UnownedJob?, Bool) in
                guard !state.ready.isEmpty else { return (nil, state.isOver) }
                let at = Int.random(in: 0..<state.ready.count, using: &state.random)
                return (state.ready.remove(at: at), false)
            }
            if isOver { return }
            if let job {
                job.runSynchronously(on: asUnownedTaskExecutor())
            } else if !whenIdle() {
                wakeup.wait()
            }
        }
    }
}

/// A counting signal between threads.
///
/// `@unchecked Sendable`: the semaphore is made for that.
private final class ThreadSignal: @unchecked Sendable {
    private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    init() {
        sem_init(semaphore, 0, 0)
    }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    func signal() { sem_post(semaphore) }

    func wait() { sem_wait(semaphore) }
}
