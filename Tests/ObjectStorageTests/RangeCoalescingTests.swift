import Testing
import TestSupport

import ObjectStorage

@Suite struct RangeCoalescingTests {
    @Test("near ranges share a request and far ones do not")
    func nearAndFar() {
        let options = ReadOptions(gapBytesMax: 10, requestBytesMax: 100)
        let plan = CoalescedReadPlan(ranges: [50..<60, 0..<10, 20..<30, 5..<8], options: options)
        #expect(plan.requests == [0..<30, 50..<60])
        #expect(plan.requestOfRange == [1, 0, 0, 0])
    }

    @Test(
        "a plan holds every range, respects its bounds and reads what a plain read would",
        arguments: 0..<20
    )
    func againstPlainReads(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let bytes = randomBytes(upTo: 5000, using: &random) + [1]
        let store = MemoryStore(
            options: ReadOptions(
                gapBytesMax: Int.random(in: 0...200, using: &random),
                requestBytesMax: Int.random(in: 1...1000, using: &random),
                parallelCountMax: 3
            )
        )
        try await store.put("a", bytes)
        for _ in 0..<50 {
            let ranges = (0..<Int.random(in: 0...20, using: &random)).map { _ -> Range<Int> in
                let start = Int.random(in: 0...bytes.count, using: &random)
                return start..<Int.random(in: start...bytes.count, using: &random)
            }
            let read = try await store.getRanges("a", ranges)
            #expect(read == ranges.map { Array(bytes[$0]) })
        }
    }
}
