package import CommitLog

/// A commit and the changes that it made, for people who ask what happened.
package struct HistoricCommit: Sendable {
    package let position: Int64
    package let timeMillis: Int64
    package let server: String
    package let commit: LoggedCommit
    package let changes: [CatalogChange]
}

extension WarehouseCatalog {
    /// A page of commits.
    package struct HistoryPage: Sendable {
        /// Newest first.
        package let commits: [HistoricCommit]
        /// Hand in as `before` for the next page; nil when there is none.
        package let next: Int64?
    }

    /// Commits, newest first, of the whole warehouse or of one table through all its names.
    ///
    /// - Parameters:
    ///   - uuid: only commits that changed the table with this uuid.
    ///   - position: only entries before this one; nil for the newest.
    ///   - countMax: pages end after the entry that reaches it, so they may be somewhat longer.
    ///   - entryCountMax: entries read at most for one page; a page may then be short, or empty, and
    ///     still have a `next`.
    package func history(
        ofTable uuid: String? = nil,
        before position: Int64? = nil,
        countMax: Int = 100,
        entryCountMax: Int = 4096
    ) async throws -> HistoryPage {
        let newest = try await read().tip.sequence
        var end = min(newest, (position ?? Int64.max) - 1)
        let stop = max(0, end - Int64(max(entryCountMax, 1)))
        var commits: [HistoricCommit] = []
        while end > stop, commits.count < countMax {
            let count = min(Int64(128), end - stop)
            let page = try await entries(from: end - count + 1, countMax: Int(count))
            for entry in page.reversed() {
                for commit in entry.commits.reversed() {
                    let changes = try commit.changes.map { json throws(CatalogError) in
                        try CatalogChange(json: json)
                    }
                    if let uuid, !changes.contains(where: { $0.concerns(tableUUID: uuid) }) {
                        continue
                    }
                    commits.append(
                        HistoricCommit(
                            position: entry.sequence,
                            timeMillis: entry.header.timeMillis,
                            server: entry.header.server,
                            commit: commit,
                            changes: changes
                        )
                    )
                }
                end = entry.sequence - 1
                if commits.count >= countMax { break }
            }
        }
        return HistoryPage(commits: commits, next: end > 0 ? end + 1 : nil)
    }
}
