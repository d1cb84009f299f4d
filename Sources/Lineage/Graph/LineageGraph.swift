/// Where every snapshot of a warehouse came from: the fold of its log, kept as an index.
///
/// Apply commits as they come, ask at any position that was applied. Questions go side by side; commits wait for
/// those that run. Memory grows with commits and distinct column maps, not with edges of runs.
package final class LineageGraph: Sendable {
    let storage: ReadWriteLock<IndexStorage>

    /// A graph of nothing.
    package init() { storage = ReadWriteLock(IndexStorage()) }

    /// A graph that is to be filled with an index of a file before anybody asks it.
    init(unfilled: Void) { storage = ReadWriteLock(IndexStorage(unfilled: ())) }

    /// The first entry applied; lineage of what was there before it is not known.
    package var firstPosition: Int64? {
        storage.read { $0.commits.count > 0 ? $0.commits[0].position : nil }
    }

    /// The last entry applied; nil before the first.
    package var lastPosition: Int64? { storage.read { $0.lastPosition } }

    /// How many commits were applied.
    package var commitCount: Int { storage.read { $0.commits.count } }

    /// How many resolved column maps are kept: what memory depends on beside commits.
    package var resolvedMapCount: Int { storage.read { $0.maps.count } }

    /// How much there is, in words.
    package var describedSize: String {
        storage.read { index in
            "\(index.datasets.count) datasets, \(index.columns.count) columns, \(index.runs.count) runs, "
                + "\(index.maps.count) maps of \(index.edges.count) edges"
        }
    }

    /// Bytes of everything that is kept.
    package var byteCount: Int {
        storage.read { index in index.regionBytes.reduce(0) { $0 + $1.count } }
    }

    /// Applies more of the log; commits that were applied before are passed over.
    ///
    /// What a commit says wrongly about lineage makes answers incomplete, it does not stop the fold.
    ///
    /// Nor does a kind of change that this program does not know.
    ///
    /// - Throws: `invalid` when a commit does not follow the last one; `corrupt` for a change of the
    ///   catalog that is not what the log's format says.
    package func apply(_ commits: some Sequence<LineageCommit>) throws(LineageError) {
        try storage.write { (storage: inout IndexStorage) throws(LineageError) in
            for commit in commits where try storage.follows(commit) {
                try storage.apply(commit)
            }
        }
    }

    /// The log entries that carry the flows of a run, ascending; empty when the log knows no such run.
    package func positions(ofRun runID: String) -> [Int64] {
        storage.read { index in
            var positions: [Int64] = []
            guard let text = index.findText(runID) else { return [] }
            var run = index.lastFlow(ofRun: text)
            while run != none {
                let position = index.commits[index.runs[run].commit].position
                if positions.last != position { positions.append(position) }
                run = index.runs[run].earlierOfRun
            }
            return positions.reversed()
        }
    }
}

extension IndexStorage {
    var lastPosition: Int64? { commits.count > 0 ? commits[commits.count - 1].position : nil }

    /// Whether a commit is the next one; false for one that was applied.
    fileprivate func follows(_ commit: LineageCommit) throws(LineageError) -> Bool {
        guard commits.count > 0 else { return true }
        let last = commits[commits.count - 1]
        let index = Int(last.index)
        if (commit.position, commit.index) <= (last.position, index) { return false }
        let isNext =
            commit.position == last.position
            ? commit.index == index + 1
            : commit.position == last.position + 1 && commit.index == 0
        guard isNext else {
            throw LineageError(
                .invalid,
                "commit \(commit.index) of entry \(commit.position) does not follow commit "
                    + "\(index) of entry \(last.position)"
            )
        }
        return true
    }

    /// The first run of an entry at a position or behind it.
    func runIndex(from position: Int64) -> Int {
        var low = 0
        var high = runs.count
        while low < high {
            let middle = (low + high) / 2
            if commits[runs[middle].commit].position < position {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low
    }
}

/// The state of the log that a question is about.
package enum LineageInstant: Sendable, Hashable {
    case newest
    /// After the entry at this position.
    case position(Int64)
    /// After the last entry whose time is not later; milliseconds since 1970.
    case timeMillis(Int64)
}
