import Ambient
import Testing

import VarveServer

@Suite("Deadlines")
struct DeadlineTests {
    /// Waits until it is cancelled.
    private static func wait() async throws -> Int {
        while true { try await ManualTime(advancesOnSleep: false).sleep(nanoseconds: 1) }
    }

    /// Runs `body` with deadlines that are looked after, by a clock that runs fast.
    private static func withDeadlines(
        _ body: @escaping @Sendable (Deadlines, ManualTime) async throws -> Void
    ) async throws {
        let time = ManualTime(advancesOnSleep: false)
        let deadlines = Deadlines(time)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try? await deadlines.run() }
            group.addTask {
                while !Task.isCancelled {
                    // The timer lies down again after each look.
                    if time.sleeperCount > 0, deadlines.count > 0 {
                        time.advance(byNanos: 250_000_000)
                    }
                    await Task.yield()
                }
            }
            try await body(deadlines, time)
            group.cancelAll()
        }
        #expect(deadlines.count == 0)
    }

    @Test("time ends what takes too long, and says so", arguments: [true, false])
    func late(isOnPool: Bool) async throws {
        try await Self.withDeadlines { deadlines, _ in
            let error = await #expect(throws: ServerError.self) {
                try await deadlines.limit(
                    seconds: 5,
                    on: isOnPool ? globalConcurrentExecutor : nil
                ) { try await Self.wait() }
            }
            #expect(error?.code == .timedOut)
        }
    }

    @Test("time ends those whose time has come, and nobody before")
    func order() async throws {
        try await Self.withDeadlines { deadlines, time in
            try await withThrowingTaskGroup(of: Int.self) { group in
                for seconds in [9, 3, 6] {
                    group.addTask {
                        let began = time.monotonicNanos()
                        do {
                            return try await deadlines.limit(seconds: seconds) {
                                try await Self.wait()
                            }
                        } catch let error as ServerError {
                            #expect(error.code == .timedOut)
                            let nanos = time.monotonicNanos() - began
                            #expect(nanos >= Int64(seconds) * 1_000_000_000)
                            return seconds
                        }
                    }
                }
                var ended: Set<Int> = []
                while let one = try await group.next() { ended.insert(one) }
                #expect(ended == [3, 6, 9])
            }
        }
    }

    @Test("somebody else's cancellation is no lateness")
    func cancelled() async throws {
        // The clock stands: only cancellation can end this.
        let deadlines = Deadlines(ManualTime(advancesOnSleep: false))
        let task = Task {
            try await deadlines.limit(seconds: 5) { try await Self.wait() }
        }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(deadlines.count == 0)
    }

    @Test("what gets through late counts")
    func throughInTime() async throws {
        try await Self.withDeadlines { deadlines, _ in
            let value = try await deadlines.limit(seconds: 5) {
                _ = try? await Self.wait()
                return 42
            }
            #expect(value == 42)
        }
        let still = Deadlines(ManualTime(advancesOnSleep: false))
        let (quick, endless) = (
            try await still.limit(seconds: 5) { 1 },
            try await still.limit(seconds: Int.max) { 2 }
        )
        #expect(quick == 1 && endless == 2)
    }
}
