import Ambient
import Catalog
import CommitLog
import TestSupport

/// What kind of history a seed gives: how many take part, and what goes wrong how often.
struct HistoryPlan: Sendable {
    let seed: UInt64
    let bug: PlantedBug?
    var serverCount: Int
    var clientCount: Int
    /// Operations of each client.
    var operationCount: Int
    var faults = NetworkFaults()
    /// How many times something happens to a server.
    var mishapCount: Int
    /// Whether old entries are archived and removed, which takes hours of the world's time.
    var archives: Bool
    /// How wrong wall clocks go.
    var clockErrorMillisMax: Int64
    var log = LogOptions()

    init(seed: UInt64, bug: PlantedBug? = nil) {
        var random = SeededGenerator(seed: seed &+ 0x5EED)
        func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
        self.seed = seed
        self.bug = bug
        serverCount = [1, 2, 3, 3, 3, 4][number(0...5)]
        clientCount = number(3...7)
        operationCount = number(5...9)
        archives = bug == .trustsBoundaryForever || number(0...3) == 0
        mishapCount = number(0...5)
        // Entries are removed by the wall clocks of two machines, which may be wrong by half the hour.
        clockErrorMillisMax = (archives ? 5 : 3 * 24 * 60) * 60 * 1000
        let rate = [0, 0.01, 0.03, 0.08, 0.2][number(0...4)]
        func some() -> Double { number(0...2) == 0 ? 0 : rate }
        faults.refused = some()
        faults.answerLost = some()
        faults.late = some()
        faults.twice = some()
        faults.retriedInside = some()
        faults.shortRead = some() / 4
        faults.staleList = some()
        faults.shortPage = some()
        faults.slow = some()
        faults.latencyNanosMax = [1_000, 1_000_000, 5_000_000, 20_000_000][number(0...3)]
        faults.slowNanosMax = [50_000_000, 1_000_000_000, 60_000_000_000][number(0...2)]
        // Small bounds, so that everything that they bound happens in short histories.
        log.historySpacing = Int64(number(1...4))
        log.historyCountMax = number(2...6)
        log.parallelReadsMax = number(1...4)
        log.checkpointSegmentBytes = [64, 512, 1 << 20][number(0...2)]
        log.startsFromCheckpoint = number(0...4) > 0
        log.failedAttemptsMax = number(2...6)
        log.entryBytesMax = [1500, 1 << 20][number(0...1)]
        log.commitCountMax = [1, 3, 1024][number(0...2)]
        log.idCountMin = [0, 3, 10_000][number(0...2)]
        // Checkpoints are written when a client asks: a task of the log's own has no place in a seed's order.
        log.checkpointEntryCount = 0
        // In memory nothing is far away, so the others never do.
        log.carriesAlways = number(0...1) == 0
        if bug == .takesDoubtForLoss { log.idCountMax = 0 }
        if bug == .showsIncompleteEntries || bug == .writesFilesTooLate { log.carriesAlways = true }
        if bug == .showsIncompleteEntries { mishapCount += 4 }
        if bug == .forgetsIDsInCheckpoints {
            log.startsFromCheckpoint = true
            mishapCount += 4
        }
        if bug == .trustsBoundaryForever { serverCount = 3 }
    }
}
