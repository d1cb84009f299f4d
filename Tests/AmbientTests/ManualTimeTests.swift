import Ambient
import Testing

@Suite struct ManualTimeTests {
    @Test("a sleep that moves the clock returns at once")
    func jumping() async throws {
        let time = ManualTime(startMicros: 1000)
        try await time.sleep(nanoseconds: 5_000_000)
        #expect(time.nowMicros() == 6000 && time.monotonicNanos() == 5_000_000)
        #expect(time.sleptNanos == [5_000_000])
    }

    @Test("sleepers wake when their time has come, and not before")
    func waiting() async throws {
        let time = ManualTime(advancesOnSleep: false)
        let sleeper = Task { try await time.sleep(nanoseconds: 100) }
        while time.sleeperCount == 0 { await Task.yield() }
        time.advance(byNanos: 99)
        #expect(time.sleeperCount == 1)
        time.advance(byNanos: 1)
        try await sleeper.value
        #expect(time.sleeperCount == 0)
    }

    @Test("a cancelled sleeper wakes at once")
    func cancelling() async throws {
        let time = ManualTime(advancesOnSleep: false)
        let sleeper = Task { try await time.sleep(nanoseconds: 100) }
        sleeper.cancel()
        await #expect(throws: CancellationError.self) { try await sleeper.value }
    }

    @Test("the machine's clocks run and its sleep can be cancelled")
    func system() async throws {
        let time = SystemTime()
        #expect(time.nowMicros() > 1_700_000_000_000_000)
        let before = time.monotonicNanos()
        try await time.sleep(nanoseconds: 1000)
        #expect(time.monotonicNanos() > before)
        let sleeper = Task { try await time.sleep(nanoseconds: 60_000_000_000) }
        sleeper.cancel()
        await #expect(throws: CancellationError.self) { try await sleeper.value }
    }

    @Test("secrets show nowhere but where they are asked for")
    func secrets() {
        struct Holder { var secret = Secret("hunter2") }
        var dumped = ""
        dump(Holder(), to: &dumped)
        let texts = ["\(Holder().secret)", "\(Holder())", String(reflecting: Holder()), dumped]
        for text in texts {
            #expect(!text.contains("hunter2"))
        }
        #expect(Holder().secret.reveal() == "hunter2")
    }

    @Test("variables of the process are seen, and absent or empty ones are nil")
    func environment() {
        #expect(EnvironmentVariables.process["PATH"] != nil)
        let own = EnvironmentVariables(["A": "1", "B": ""])
        #expect(own["A"] == "1" && own["B"] == nil && own["C"] == nil)
    }
}
