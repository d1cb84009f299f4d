import Crypto

/// Where the latest commits lie, by their ids: what makes a retry get the first attempt's outcome.
///
/// Invariant: `places` holds exactly the digests in `order[head...]`; the oldest come first.
struct RememberedCommits: Sendable {
    /// Where a commit lies.
    struct Place: Sendable, Equatable {
        var sequence: Int64
        /// Its index among the entry's commits.
        var index: Int
    }

    /// Half of a SHA-256, so that the window takes the same memory whatever ids look like; who finds
    /// a place compares the id itself.
    private struct Digest: Hashable {
        var high: UInt64
        var low: UInt64

        init(_ id: String) {
            var words: (UInt64, UInt64) = (0, 0)
            for (index, byte) in SHA256.hash(data: Array(id.utf8)).enumerated() {
                if index < 8 {
                    words.0 = words.0 << 8 | UInt64(byte)
                } else if index < 16 {
                    words.1 = words.1 << 8 | UInt64(byte)
                } else {
                    break
                }
            }
            (high, low) = words
        }
    }

    private let windowMillis: Int64
    private let countMax: Int
    private var places: [Digest: Place] = [:]
    private var order: [(digest: Digest, timeMillis: Int64)] = []
    private var head = 0

    init(windowMillis: Int64, countMax: Int) {
        self.windowMillis = windowMillis
        self.countMax = countMax
    }

    var count: Int { order.count - head }

    func place(of id: String) -> Place? { places[Digest(id)] }

    mutating func remember(_ entry: LogEntry) {
        let now = entry.header.timeMillis
        for (index, commit) in entry.commits.enumerated() {
            let digest = Digest(commit.id)
            // A repeated id (from a writer that had forgotten the first) keeps its first outcome.
            guard places[digest] == nil else { continue }
            places[digest] = Place(sequence: entry.sequence, index: index)
            order.append((digest, now))
        }
        while head < order.count,
            count > countMax || order[head].timeMillis < now - windowMillis
        {
            places[order[head].digest] = nil
            head += 1
        }
        if head > 1024, head * 2 > order.count {
            order.removeFirst(head)
            head = 0
        }
    }
}
