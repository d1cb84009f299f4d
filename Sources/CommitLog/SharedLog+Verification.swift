/// What a walk over the log found.
package struct LogVerification: Sendable, Equatable {
    /// What is wrong with the first object that is.
    package struct Fault: Sendable, Equatable {
        /// Relative to the warehouse's root.
        package var key: String
        package var message: String

        package init(key: String, message: String) {
            self.key = key
            self.message = message
        }
    }

    /// The first position looked at.
    package var first: Int64
    /// The last position found sound; `first - 1` when none was.
    package var last: Int64
    /// SHA-256 of the last sound entry: note it elsewhere, and a later walk proves that nothing up to
    /// here was rewritten.
    package var hash: String
    /// How many commits the sound entries hold.
    package var commitCount: Int
    /// Nil when the entries are sound.
    package var fault: Fault?
    /// How many checkpoints were compared with what the entries give; none unless the walk begins at 1.
    package var checkpointCount = 0
    /// What is wrong with checkpoints; the log is the truth, and can be read without them.
    package var checkpointFaults: [Fault] = []
}

extension SharedLog {
    /// Reads entries from the store and checks checksums, numbers, times and the hash chain.
    ///
    /// From 1 it also folds them, and compares every checkpoint on the way with the state that they give.
    ///
    /// - Parameters:
    ///   - first: the walk begins with the link from this entry to the one before it.
    ///   - last: nil for the log's end.
    ///   - each: sees every sound entry; what it throws is a fault of that entry.
    /// - Throws: only when the store fails or the task is cancelled.
    package func verify(
        from first: Int64 = 1,
        to last: Int64? = nil,
        _ each: (LogEntry) throws -> Void = { _ in }
    ) async throws -> LogVerification {
        let first = max(first, 1)
        var report = LogVerification(first: first, last: first - 1, hash: "", commitCount: 0)
        // Listed first: the log reaches all of them.
        let positions = first == 1 ? try await checkpointPositions() : []
        let wanted = Set(positions)
        var state = machine.initialState
        var ids = CommitDigests()
        var states: [Int64: (state: Machine.State, hash: String)] = [:]
        do {
            let onDisk = try await Warehouse.open(in: store)
            guard onDisk == warehouse else {
                throw CommitLogError(
                    .corrupt,
                    "the warehouse object is not the one that this process opened",
                    key: Warehouse.key
                )
            }
            let known = known.tip
            let start = try await tip(at: first - 1)
            report.hash = start.hash
            let end = try await reader.read(
                after: start,
                through: last,
                checksEnd: true,
                completes: true
            ) { entry, tip in
                if tip.sequence == known.sequence && tip.hash != known.hash {
                    throw CommitLogError(
                        .corrupt,
                        "the entry is not the one that this process read before",
                        key: LogEntry.key(of: tip.sequence)
                    )
                }
                do {
                    for file in entry.files { _ = try file.bytes() }
                    if first == 1 {
                        for commit in entry.commits {
                            try machine.apply(commit, of: entry.header, to: &state)
                        }
                    }
                    try each(entry)
                } catch {
                    throw CommitLogError(.corrupt, "\(error)", key: LogEntry.key(of: tip.sequence))
                }
                if first == 1 { ids.add(entry) }
                if wanted.contains(tip.sequence) { states[tip.sequence] = (state, tip.hash) }
                report.last = tip.sequence
                report.hash = tip.hash
                report.commitCount += entry.commits.count
            }
            let expected = last ?? known.sequence
            if end.sequence < expected {
                throw CommitLogError(
                    .corrupt,
                    "the entry is missing",
                    key: LogEntry.key(of: end.sequence + 1)
                )
            }
        } catch let error as CommitLogError {
            report.fault = .init(key: error.key, message: error.message)
        }
        for position in positions where position <= last ?? Int64.max {
            if let expected = states[position] {
                report.checkpointCount += 1
                let fault = try await checkpointFault(
                    at: position,
                    expected: expected.state,
                    hash: expected.hash,
                    ids
                )
                if let fault { report.checkpointFaults.append(fault) }
            } else if report.fault == nil {
                report.checkpointFaults.append(
                    .init(
                        key: CheckpointIndex.key(of: position),
                        message: "the log has no entry \(position) that it could be of"
                    )
                )
            }
        }
        return report
    }
}
