import Ambient
import Testing

import VarveServer

@Suite("Coarse time")
struct CoarseTimeTests {
    @Test("wakes who has slept long enough, and nobody before")
    func waking() async throws {
        let manual = ManualTime(advancesOnSleep: false)
        let coarse = CoarseTime(manual)
        try await withThrowingTaskGroup(of: Int.self) { group in
            group.addTask {
                try? await coarse.run()
                return 0
            }
            for seconds in [1, 2, 3] {
                group.addTask {
                    try await coarse.sleep(nanoseconds: Int64(seconds) * 1_000_000_000)
                    #expect(manual.monotonicNanos() >= Int64(seconds) * 1_000_000_000)
                    return seconds
                }
            }
            var woken = 0
            while woken < 3 {
                // The timer lies down again after each look.
                while manual.sleeperCount < 1 { await Task.yield() }
                manual.advance(byNanos: 250_000_000)
                if manual.monotonicNanos() > 4_000_000_000, try await group.next() != nil {
                    woken += 1
                }
            }
            group.cancelAll()
        }
    }

    @Test("lets go who is cancelled, before and after it lay down", arguments: [true, false])
    func cancelling(isEarly: Bool) async throws {
        let coarse = CoarseTime(ManualTime(advancesOnSleep: false))
        await withTaskGroup(of: Bool.self) { group in
            if isEarly { group.cancelAll() }
            for _ in 0..<100 {
                group.addTask {
                    do {
                        try await coarse.sleep(nanoseconds: Int64.max)
                        return false
                    } catch { return error is CancellationError }
                }
            }
            group.cancelAll()
            for await isCancelled in group { #expect(isCancelled) }
        }
    }

    @Test("ends what takes longer than it may")
    func deadlines() async throws {
        let coarse = CoarseTime(SystemTime())
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try? await coarse.run() }
            do {
                try await withDeadline(seconds: 1, time: coarse) {
                    try await SystemTime().sleep(nanoseconds: 1_000_000_000_000)
                }
                Issue.record("it was not ended")
            } catch let error as ServerError { #expect(error.code == .timedOut) }
            #expect(try await withDeadline(seconds: 100, time: coarse) { 7 } == 7)
            group.cancelAll()
        }
    }
}
