extension LineageGraph {
    /// The log entries that carry the flows of a run, ascending; empty when the log knows no such run.
    package func positions(ofRun runID: String) -> [Int64] {
        var positions: [Int64] = []
        for run in runs where run.runID == runID {
            let position = commits[run.commit].position
            if positions.last != position { positions.append(position) }
        }
        return positions
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
