import Ambient
import Glibc
import Synchronization
import Testing

@Suite struct WorkerPoolTests {
    private struct Failure: Error {}

    /// A gate that blocks a worker's thread until it is opened.
    private final class Gate: Sendable {
        private let isOpen = Atomic<Bool>(false)

        func open() { isOpen.store(true, ordering: .releasing) }

        func pass() {
            while !isOpen.load(ordering: .acquiring) { sched_yield() }
        }
    }

    @Test("work gives its value or throws its error")
    func values() async throws {
        let pool = WorkerPool(threadCountMax: 2)
        #expect(try await pool.run { 6 * 7 } == 42)
        await #expect(throws: Failure.self) { try await pool.run { throw Failure() } }
    }

    @Test("many pieces of work all run, never more than the bound at once")
    func bound() async throws {
        final class Counts: Sendable {
            let running = Atomic<Int>(0)
            let peak = Atomic<Int>(0)
        }
        let (pool, counts) = (WorkerPool(threadCountMax: 3), Counts())
        let sum = try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 0..<5000 {
                group.addTask {
                    try await pool.run {
                        let now = counts.running.wrappingAdd(1, ordering: .relaxed).newValue
                        counts.peak.max(now, ordering: .relaxed)
                        counts.running.wrappingSubtract(1, ordering: .relaxed)
                        return number
                    }
                }
            }
            return try await group.reduce(0, +)
        }
        #expect(sum == 5000 * 4999 / 2)
        let peak = counts.peak.load(ordering: .relaxed)
        #expect(peak <= 3)
    }

    @Test("cancelled work that still waits never runs, and its task ends at once")
    func cancellation() async throws {
        let (pool, gate) = (WorkerPool(threadCountMax: 1), Gate())
        async let blocker: Void = pool.run { gate.pass() }
        final class Flag: Sendable { let isSet = Atomic<Bool>(false) }
        let flag = Flag()
        let waiting = Task {
            try await pool.run { flag.isSet.store(true, ordering: .relaxed) }
        }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        gate.open()
        try await blocker
        try await pool.run {}
        let hasRun = flag.isSet.load(ordering: .relaxed)
        #expect(!hasRun)
    }

    @Test("a full queue refuses instead of growing")
    func queueBound() async throws {
        let (pool, gate) = (WorkerPool(threadCountMax: 1, queueCountMax: 2), Gate())
        let outcomes = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<20 {
                group.addTask {
                    do {
                        try await pool.run { gate.pass() }
                        return true
                    } catch {
                        gate.open()
                        return (error as? AmbientError)?.code != .exhausted
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outcomes.contains(true) && outcomes.contains(false))
    }
}
