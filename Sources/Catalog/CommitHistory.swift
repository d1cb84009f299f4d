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
    /// SHA-256 of the entry's bytes.
    package let entryHash: String
    /// What the entry says of the one before it: SHA-256 of its bytes.
    package let previousHash: String
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

    fileprivate init(
        _ entry: LogEntry,
        hash: String,
        _ index: Int
    ) throws(CatalogError) {
        let commit = entry.commits[index]
        entryHash = hash
        previousHash = entry.header.previous
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

/// Which commits somebody wants to see; what is not said does not matter.
package struct HistoryFilter: Sendable, Hashable {
    /// One of these did it.
    package var actors: Set<String> = []
    /// The first and last entry, and their times in milliseconds since 1970.
    package var firstPosition: Int64?
    package var lastPosition: Int64?
    package var firstMillis: Int64?
    package var lastMillis: Int64?
    /// The commit changed the table or view with this uuid, under whatever name.
    package var tableUUID: String?
    /// A part of the message, whatever the case.
    package var message: String?
    /// How the commit's id begins.
    package var idPrefix: String?

    package init() {}

    /// Whether entries of before this one cannot have such commits, for positions and times only grow.
    func isOver(at header: LogEntry.Header) -> Bool {
        header.sequence < firstPosition ?? 0 || header.timeMillis < firstMillis ?? Int64.min
    }

    /// Whether a commit is one of them.
    package func matches(_ commit: HistoricCommit) -> Bool {
        if !actors.isEmpty, !actors.contains(commit.actor) { return false }
        if commit.position < firstPosition ?? 0 || commit.position > lastPosition ?? Int64.max {
            return false
        }
        if commit.timeMillis < firstMillis ?? Int64.min
            || commit.timeMillis > lastMillis ?? Int64.max
        {
            return false
        }
        if let idPrefix, !commit.id.hasPrefix(idPrefix) { return false }
        if let message {
            guard let text = commit.message,
                text.lowercased().contains(message.lowercased())
            else { return false }
        }
        if let tableUUID, !commit.changes.contains(where: { $0.concerns(tableUUID: tableUUID) }) {
            return false
        }
        return true
    }
}

extension WarehouseCatalog {
    /// A page of commits.
    package struct HistoryPage: Sendable {
        /// Newest first.
        package var commits: [HistoricCommit]
        /// Hand in as `before` for the next page; nil when there is none.
        package let next: Int64?
        /// How many entries were read for it.
        package let entryCount: Int
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
        var filter = HistoryFilter()
        filter.tableUUID = uuid
        return try await history(
            filter,
            before: position,
            countMax: countMax,
            entryCountMax: entryCountMax
        )
    }

    /// The commits that a filter lets through, newest first; the other parameters as above.
    package func history(
        _ filter: HistoryFilter,
        before position: Int64? = nil,
        countMax: Int = 100,
        entryCountMax: Int = 4096
    ) async throws -> HistoryPage {
        let newest = try await read().position
        var end = min(newest, (position ?? Int64.max) - 1, filter.lastPosition ?? Int64.max)
        let stop = max(
            0,
            end - Int64(max(entryCountMax, 1)),
            (filter.firstPosition ?? 1) - 1
        )
        var commits: [HistoricCommit] = []
        var entryCount = 0
        var isOver = false
        while end > stop, commits.count < countMax, !isOver {
            try Task.checkCancellation()
            let count = min(Int64(128), end - stop)
            let page = try await entries(from: end - count + 1, countMax: Int(count))
            for (entry, hash) in page.reversed() {
                isOver = filter.isOver(at: entry.header)
                if isOver { break }
                entryCount += 1
                for index in entry.commits.indices.reversed() {
                    let commit = try HistoricCommit(entry, hash: hash, index)
                    if filter.matches(commit) { commits.append(commit) }
                }
                end = entry.sequence - 1
                if commits.count >= countMax { break }
            }
        }
        let hasMore = !isOver && end >= max(1, filter.firstPosition ?? 1)
        return HistoryPage(
            commits: commits,
            next: hasMore ? end + 1 : nil,
            entryCount: entryCount
        )
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
        for (entry, hash) in try await entries(from: position, countMax: entryCountMax) {
            for index in entry.commits.indices {
                commits.append(try HistoricCommit(entry, hash: hash, index))
            }
        }
        return commits
    }
}
