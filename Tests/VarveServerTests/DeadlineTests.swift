import Ambient
import Testing

import VarveServer

@Suite("Deadlines")
struct DeadlineTests {
    /// Waits until it is cancelled.
    private static func wait() async throws -> Int {
        while true { try await ManualTime(advancesOnSleep: false).sleep(nanoseconds: 1) }
    }

    @Test("time ends what takes too long, and says so")
    func late() async throws {
        let error = await #expect(throws: ServerError.self) {
            try await withDeadline(seconds: 5, time: ManualTime()) { try await Self.wait() }
        }
        #expect(error?.code == .timedOut)
    }

    @Test("somebody else's cancellation is no lateness")
    func cancelled() async throws {
        // The clock stands: only cancellation can end this.
        let time = ManualTime(advancesOnSleep: false)
        let task = Task {
            try await withDeadline(seconds: 5, time: time) { try await Self.wait() }
        }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test("what gets through late counts")
    func throughInTime() async throws {
        let value = try await withDeadline(seconds: 5, time: ManualTime()) {
            _ = try? await Self.wait()
            return 42
        }
        #expect(value == 42)
        let quick = try await withDeadline(seconds: 5, time: ManualTime(advancesOnSleep: false)) {
            1
        }
        #expect(quick == 1)
    }
}
