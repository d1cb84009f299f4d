import ObjectStorage

/// Reads entries in order, ahead of need when far behind, and checks the chain as it goes.
///
/// Memory is bounded by `parallelCountMax` entries.
struct EntryReader: Sendable {
    let store: any ObjectStore
    /// Has the entries that are not to be looked for in the log any more.
    let archive: LogArchive
    /// Entries under way at once.
    let parallelCountMax: Int

    /// The bytes of an entry; nil when there is none.
    func bytes(of sequence: Int64) async throws -> [UInt8]? {
        if archive.knowsArchived(sequence) { return try await archive.entry(sequence) }
        var found: [UInt8]?
        do {
            found = try await store.get(LogEntry.key(of: sequence)).bytes
        } catch let error as ObjectStoreError {
            guard error.code == .notFound else { throw error }
        }
        // Asked afterwards, for the answer may have taken long. Costs a request only when it was not known
        // lately.
        if try await archive.hasArchived(sequence) { return try await archive.entry(sequence) }
        return found
    }

    /// Hands every entry after a tip to `body`, in order, up to a position or the log's end.
    ///
    /// One request when there is nothing new. The number of entries read at once doubles while they
    /// keep coming.
    ///
    /// - Parameters:
    ///   - last: the last position to read; nil for as far as the log goes.
    ///   - checksEnd: whether to look behind the end for entries that a missing one would hide. It
    ///     costs one listing and is done anyway when more than a few entries were read.
    /// - Returns: the tip after the last entry read.
    /// - Throws: `corrupt` with the key of the entry that is damaged or missing.
    @discardableResult
    func read(
        after start: ChainTip,
        through last: Int64? = nil,
        checksEnd: Bool,
        _ body: (LogEntry, ChainTip) throws -> Void
    ) async throws -> ChainTip {
        var tip = start
        var windowCount = last == nil ? 1 : parallelCountMax
        while last.map({ tip.sequence < $0 }) ?? true {
            try Task.checkCancellation()
            let first = tip.sequence + 1
            let count = min(Int64(windowCount), (last ?? Int64.max) - tip.sequence)
            let window = try await bytes(from: first, count: Int(count))
            for case let bytes? in window.prefix(while: { $0 != nil }) {
                let (entry, next) = try tip.following(bytes)
                try body(entry, next)
                tip = next
            }
            if tip.sequence - first + 1 < count {
                // An entry after a missing one may have been created while the window was read.
                let isHidden = try await isHidden(
                    tip.sequence + 1,
                    window: window,
                    checksEnd: checksEnd || last != nil
                )
                guard isHidden else { return tip }
                windowCount = 1
            } else {
                windowCount = min(windowCount * 2, parallelCountMax)
            }
        }
        return tip
    }

    /// Whether an entry that was absent a moment ago is there now.
    ///
    /// - Throws: `corrupt` when it is not there though later ones are.
    private func isHidden(
        _ sequence: Int64,
        window: [[UInt8]?],
        checksEnd: Bool
    ) async throws -> Bool {
        let found = window.count { $0 != nil }
        var hasLater = window.drop { $0 != nil }.contains { $0 != nil }
        if !hasLater, checksEnd || window.count > 4 {
            let page = try await store.list(
                prefix: LogEntry.keyPrefix,
                startAfter: LogEntry.key(of: sequence - 1),
                limit: 1
            )
            hasLater = !page.objects.isEmpty
        }
        guard hasLater else { return false }
        if try await bytes(of: sequence) != nil { return true }
        throw CommitLogError(
            .corrupt,
            "the entry is missing, but the log goes on after it (\(found) of \(window.count) "
                + "entries from there were found)",
            key: LogEntry.key(of: sequence)
        )
    }

    /// The bytes of consecutive entries; nil for those that are not there.
    func bytes(from first: Int64, count: Int) async throws -> [[UInt8]?] {
        if count == 1 { return [try await bytes(of: first)] }
        if let boundary = try await archive.boundary()?.tip.sequence, first <= boundary {
            // One after the other: they share objects.
            let archivedCount = Int(min(Int64(count), boundary - first + 1))
            var window: [[UInt8]?] = []
            for index in 0..<archivedCount {
                window.append(try await archive.entry(first + Int64(index)))
            }
            let rest = count - archivedCount
            if rest == 0 { return window }
            return window + (try await bytes(from: first + Int64(archivedCount), count: rest))
        }
        return try await withThrowingTaskGroup(of: (Int, [UInt8]?).self) { group in
            for index in 0..<count {
                group.addTask { (index, try await bytes(of: first + Int64(index))) }
            }
            var window = [[UInt8]?](repeating: nil, count: count)
            for try await (index, bytes) in group { window[index] = bytes }
            return window
        }
    }
}
