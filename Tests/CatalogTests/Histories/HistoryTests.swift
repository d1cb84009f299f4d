import Ambient
import Synchronization
import Testing
import TestSupport

/// How many times more seeds to try than usual.
private let soakFactor = EnvironmentVariables.process["VARVE_SOAK"].flatMap { UInt64($0) } ?? 1

/// Where the seeds begin, so that several processes can share a soak.
private let firstSeed =
    EnvironmentVariables.process["VARVE_HISTORY_FIRST"].flatMap { UInt64($0) } ?? 0

/// The one seed to replay, for who looks for what went wrong.
private let replayedSeed = EnvironmentVariables.process["VARVE_HISTORY"].flatMap { UInt64($0) }

/// Counts over many histories.
private struct Figures: Sendable {
    var historyCount = 0
    var operationCount = 0
    var entryCount = 0
    var outcomes: [String: Int] = [:]
    var faults: [String: Int] = [:]
    var worldNanos = 0.0

    mutating func add(_ result: HistoryRun.Result) {
        historyCount += 1
        entryCount += result.history.writings.count
        worldNanos += Double(result.worldNanos)
        for operation in result.history.operations where operation.client < 1000 {
            operationCount += 1
            let kind: String
            switch (operation.call, operation.outcome) {
            case (.read, .saw): kind = "reads answered"
            case (.read, _): kind = "reads failed"
            case (.commit, .committed): kind = "commits acknowledged"
            case (.commit, .refused): kind = "commits refused"
            case (.commit, .unknown): kind = "commits unknown"
            case (.commit, _): kind = "commits failed"
            default: kind = "other"
            }
            outcomes[kind, default: 0] += 1
        }
        for (name, count) in result.faultCounts { faults[name, default: 0] += count }
    }

    var text: String {
        func lines(_ counts: [String: Int]) -> String {
            counts.sorted { $0.key < $1.key }.map { "  \($0.key): \($0.value)" }
                .joined(separator: "\n")
        }
        return "\(historyCount) histories, \(operationCount) operations, \(entryCount) entries, "
            + "\(Int(worldNanos / 3.6e12)) hours of the worlds' time\n\(lines(outcomes))\nfaults:\n"
            + lines(faults)
    }
}

/// Hands out seeds, and counts what came of them.
private final class Tally: Sendable {
    private let state = Mutex<(next: UInt64, figures: Figures)>((firstSeed, Figures()))

    func nextSeed() -> UInt64 {
        state.withLock { state in
            defer { state.next += 1 }
            return state.next
        }
    }

    func add(_ result: HistoryRun.Result) {
        let figures = state.withLock { state in
            state.figures.add(result)
            return state.figures
        }
        if figures.historyCount % 5000 == 0 { print("so far \(figures.text)") }
    }

    var figures: Figures { state.withLock { $0.figures } }
}

/// What a person needs to look into a violation.
private func report(_ seed: UInt64, _ result: HistoryRun.Result) -> String {
    var text = "seed \(seed); replay it with VARVE_HISTORY=\(seed) swift test -c release "
    text += "--filter HistoryTests/replay\n"
    for violation in result.violations.prefix(5) {
        text += "\(violation)\n"
        guard let index = violation.operation else { continue }
        let operations = result.history.operations
        for near in max(index - 3, 0)..<min(index + 2, operations.count) {
            text += "\(near == index ? ">" : " ") \(operations[near])\n"
        }
    }
    return text
}

@Suite struct HistoryTests {
    @Test("histories under faults are strictly serializable, and what was acknowledged stays")
    func histories() async throws {
        let count = 300 * soakFactor
        let tally = Tally()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<2 {
                group.addTask {
                    while true {
                        let seed = tally.nextSeed()
                        guard seed < firstSeed + count else { return }
                        let result = try await HistoryRun.run(seed: seed)
                        tally.add(result)
                        if !result.violations.isEmpty {
                            Issue.record("\(report(seed, result))")
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        let counted = tally.figures
        #expect(counted.historyCount == Int(count))
        // A simulation in which nothing goes wrong, or nothing right, shows nothing.
        for kind in ["acknowledged", "refused", "unknown", "failed"] {
            #expect(counted.outcomes["commits \(kind)"] ?? 0 > 0)
        }
        if soakFactor > 1 { print(counted.text) }
    }

    @Test("a planted bug shows", arguments: PlantedBug.allCases)
    func plantedBugs(bug: PlantedBug) async throws {
        for seed in 0..<1000 as Range<UInt64> {
            let result = try await HistoryRun.run(seed: seed, bug: bug)
            guard result.violations.contains(where: { bug.kinds.contains($0.kind) }) else {
                continue
            }
            if soakFactor > 1 { print("\(bug): seed \(seed), \(result.violations[0])") }
            return
        }
        Issue.record("no history of 1000 shows \(bug)")
    }

    @Test("one seed gives one history", arguments: [3, 14, 15] as [UInt64])
    func isRepeatable(seed: UInt64) async throws {
        let one = try await HistoryRun.run(seed: seed)
        let two = try await HistoryRun.run(seed: seed)
        #expect(one.trace == two.trace)
    }

    @Test("replay", .enabled(if: replayedSeed != nil, "VARVE_HISTORY names a seed"))
    func replay() async throws {
        let seed = try #require(replayedSeed)
        let bug = EnvironmentVariables.process["VARVE_PLANTED_BUG"].flatMap(PlantedBug.init)
        let result = try await HistoryRun.run(seed: seed, bug: bug)
        print(result.trace)
        if !result.violations.isEmpty { Issue.record("\(report(seed, result))") }
    }
}
