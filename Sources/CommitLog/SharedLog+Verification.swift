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
    /// Nil when everything is sound.
    package var fault: Fault?
}

extension SharedLog {
    /// Reads entries from the store and checks checksums, numbers, times and the hash chain.
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
            let end = try await reader.read(after: start, through: last, checksEnd: true) {
                entry,
                tip in
                if tip.sequence == known.sequence && tip.hash != known.hash {
                    throw CommitLogError(
                        .corrupt,
                        "the entry is not the one that this process read before",
                        key: LogEntry.key(of: tip.sequence)
                    )
                }
                do {
                    try each(entry)
                } catch {
                    throw CommitLogError(.corrupt, "\(error)", key: LogEntry.key(of: tip.sequence))
                }
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
        return report
    }
}
