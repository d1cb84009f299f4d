import ObjectStorage

/// Reads entries in order, ahead of need when far behind, and checks the chain as it goes.
///
/// Memory is bounded by `parallelCountMax` entries.
struct EntryReader: Sendable {
    let store: any ObjectStore
    /// Has the entries that are not to be looked for in the log any more.
    let archive: LogArchive
    let completer: EntryCompleter
    /// Entries under way at once.
    let parallelCountMax: Int
    /// Whether changes stay in the text of their entry.
    let keepsText: Bool

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
    ///   - completes: whether the last entry of the log may be among them, whose files must be there before
    ///     `body` sees it.
    /// - Returns: the tip after the last entry read.
    /// - Throws: `corrupt` with the key of the entry that is damaged or missing.
    @discardableResult
    func read(
        after start: ChainTip,
        through last: Int64? = nil,
        checksEnd: Bool,
        completes: Bool = false,
        _ body: (LogEntry, ChainTip) throws -> Void
    ) async throws -> ChainTip {
        var tip = start
        // The entry at the tip, while it is not known that its files are there.
        var held: LogEntry?
        var missing: [CarriedFile]?
        var windowCount = last == nil ? 1 : parallelCountMax
        while last.map({ tip.sequence < $0 }) ?? true {
            try Task.checkCancellation()
            let first = tip.sequence + 1
            let count = min(Int64(windowCount), (last ?? Int64.max) - tip.sequence)
            let window: [[UInt8]?]
            (window, missing) = try await bytes(from: first, count: Int(count), held, tip)
            for case let bytes? in window.prefix(while: { $0 != nil }) {
                let (entry, next) = try tip.following(bytes, keepsText: keepsText)
                // Whoever wrote this one knew that.
                if let before = held { try body(before, tip) }
                held = completes && !completer.isComplete(entry, next.hash) ? entry : nil
                if held == nil { try body(entry, next) }
                tip = next
            }
            if tip.sequence - first + 1 < count {
                // An entry after a missing one may have been created while the window was read.
                let isHidden = try await isHidden(
                    tip.sequence + 1,
                    window: window,
                    checksEnd: checksEnd || last != nil
                )
                if !isHidden { break }
                windowCount = 1
            } else {
                windowCount = min(windowCount * 2, parallelCountMax)
            }
        }
        if let held {
            // A bound may have ended the reading before the log's end.
            let isBounded = tip.sequence == last
            var hasSuccessor = false
            if isBounded { hasSuccessor = try await bytes(of: tip.sequence + 1) != nil }
            if !hasSuccessor {
                try await completer.complete(
                    held,
                    tip.hash,
                    missing: isBounded ? nil : missing
                )
            }
            try body(held, tip)
        }
        return tip
    }

    /// Entries after one of which it is not known whether its files are there, and which of them are not.
    private func bytes(
        from first: Int64,
        count: Int,
        _ held: LogEntry?,
        _ tip: ChainTip
    ) async throws -> (window: [[UInt8]?], missing: [CarriedFile]?) {
        guard let held else { return (try await bytes(from: first, count: count), nil) }
        // Most likely there is no next one: then both answers are needed.
        return try await withThrowingTaskGroup(of: [CarriedFile]?.self) { group in
            group.addTask { try? await completer.missing(of: held, tip.hash) }
            let window = try await bytes(from: first, count: count)
            guard case .some(.none) = window.first else {
                group.cancelAll()
                return (window, nil)
            }
            return (window, try await group.next() ?? nil)
        }
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
