import CommitLog
package import Bytes

/// A commit and the changes that it made, for whoever asks what happened.
package struct HistoricCommit: Sendable {
    /// The entry that carries it.
    package let position: Int64
    /// Its index among the entry's commits.
    package let index: Int
    /// The entry's time in milliseconds since 1970.
    package let timeMillis: Int64
    /// The process that wrote the entry.
    package let server: String
    package let id: String
    package let actor: String
    package let requestID: String?
    package let message: String?
    /// The branch that was changed, or merged into; nil for `main`.
    package let branch: String?
    /// As the log has them.
    package let logged: [CatalogChange]
    /// Changes of the names of `branch`, those of a merge behind the merge itself; and changes of branches and
    /// tags.
    package let changes: [CatalogChange]
    package let lineage: JSON?

    fileprivate init(_ entry: LogEntry, _ index: Int) throws(CatalogError) {
        let commit = entry.commits[index]
        position = entry.sequence
        self.index = index
        timeMillis = entry.header.timeMillis
        server = entry.header.server
        id = commit.id
        actor = commit.actor
        requestID = commit.requestID
        message = commit.message
        logged = try commit.changes.map { json throws(CatalogError) in
            try CatalogChange(json: json)
        }
        branch = logged.lazy.compactMap(\.branch).first
        changes = logged.flatMap { change -> [CatalogChange] in
            switch change {
            case .onBranch(_, let changes): changes
            case .mergeBranch(let source, let target, let changes):
                [.mergeBranch(source, into: target, [])] + changes
            default: [change]
            }
        }
        lineage = commit.lineage
    }
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
        let newest = try await read().position
        var end = min(newest, (position ?? Int64.max) - 1)
        let stop = max(0, end - Int64(max(entryCountMax, 1)))
        var commits: [HistoricCommit] = []
        while end > stop, commits.count < countMax {
            let count = min(Int64(128), end - stop)
            let page = try await entries(from: end - count + 1, countMax: Int(count))
            for entry in page.reversed() {
                for index in entry.commits.indices.reversed() {
                    let commit = try HistoricCommit(entry, index)
                    let concerns = commit.changes.contains {
                        $0.concerns(tableUUID: uuid ?? "")
                    }
                    if uuid == nil || concerns { commits.append(commit) }
                }
                end = entry.sequence - 1
                if commits.count >= countMax { break }
            }
        }
        return HistoryPage(commits: commits, next: end > 0 ? end + 1 : nil)
    }

    /// All commits of some entries, oldest first: how somebody follows the log.
    ///
    /// - Parameters:
    ///   - position: the first entry wanted.
    ///   - entryCountMax: whole entries, at most so many; fewer at the log's end.
    package func commits(
        from position: Int64,
        entryCountMax: Int = 128
    ) async throws -> [HistoricCommit] {
        var commits: [HistoricCommit] = []
        for entry in try await entries(from: position, countMax: entryCountMax) {
            for index in entry.commits.indices { commits.append(try HistoricCommit(entry, index)) }
        }
        return commits
    }
}
