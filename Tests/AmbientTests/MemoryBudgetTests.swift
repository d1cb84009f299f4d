import Ambient
import Testing
import TestSupport

@Suite struct MemoryBudgetTests {
    @Test("reservations add up, end with their owner, and never exceed the limit")
    func limit() throws {
        let budget = MemoryBudget(limitBytes: 100)
        do {
            var first = try budget.reserve(60)
            #expect(throws: AmbientError.self) { _ = try budget.reserve(41) }
            try first.resize(to: 100)
            #expect(budget.usedBytes == 100)
            try first.resize(to: 10)
            #expect(budget.usedBytes == 10)
            do throws(AmbientError) {
                try first.resize(to: 101)
                Issue.record("101 bytes fitted into 100")
            } catch {
                #expect(error.code == .exhausted && first.byteCount == 10)
            }
        }
        #expect(budget.usedBytes == 0 && budget.peakBytes == 100)
    }

    @Test("a part of a budget is bounded by both limits")
    func nested() throws {
        let process = MemoryBudget(limitBytes: 100)
        let query = MemoryBudget(limitBytes: 80, within: process)
        let other = try process.reserve(50)
        #expect(throws: AmbientError.self) { _ = try query.reserve(60) }
        #expect(query.usedBytes == 0 && process.usedBytes == 50)
        let mine = try query.reserve(50)
        #expect(query.usedBytes == 50 && process.usedBytes == 100)
        #expect(mine.byteCount + other.byteCount == 100)
    }

    @Test("random reservations leave nothing behind", arguments: 0..<4)
    func random(seed: UInt64) async {
        let budget = MemoryBudget(limitBytes: 1000)
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<8 {
                group.addTask {
                    var random = SeededGenerator(seed: seed * 8 + UInt64(task))
                    for _ in 0..<500 {
                        guard
                            var part = try? budget.reserve(
                                Int.random(in: 0...400, using: &random)
                            )
                        else { continue }
                        try? part.resize(to: Int.random(in: 0...400, using: &random))
                        #expect(budget.usedBytes <= 1000)
                    }
                }
            }
        }
        #expect(budget.usedBytes == 0)
    }

    @Test("the least limit of a control group and those above it counts")
    func controlGroups() {
        let files = [
            "/sys/fs/cgroup/a/b/memory.max": "max\n",
            "/sys/fs/cgroup/a/memory.max": "5000\n",
            "/sys/fs/cgroup/memory.max": "9000\n",
            "/sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes": "7000\n",
        ]
        #expect(controlGroupLimit(groups: "0::/a/b\n") { files[$0] } == 5000)
        #expect(controlGroupLimit(groups: "5:cpu:/q\n4:memory:/docker/x\n") { files[$0] } == 7000)
        #expect(controlGroupLimit(groups: "0::/elsewhere\n") { files[$0] } == 9000)
        #expect(controlGroupLimit(groups: "rubbish\n::\n") { files[$0] } == nil)
        #expect(availableMemoryBytes() > 1 << 20)
    }
}
