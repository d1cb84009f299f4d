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
}
