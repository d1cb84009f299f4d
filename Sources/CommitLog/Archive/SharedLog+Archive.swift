import Ambient
import ObjectStorage

/// What archiving did.
package struct ArchiveReport: Sendable, Equatable {
    /// Archived entries stay in the log at least so long.
    package static let graceMillisMin: Int64 = 60 * 60 * 1000

    /// The last entry that lies in an archive now; 0 for none.
    package var boundary: Int64 = 0
    /// Entries that were archived, the objects that they are in, and the bytes of these.
    package var archivedEntryCount: Int64 = 0
    package var writtenObjectCount = 0
    package var writtenByteCount = 0
    /// Entries that were archived before and were removed from the log now.
    package var removedEntryCount = 0
    /// Entries that are archived and still lie in the log, too: a later call removes them.
    package var waitingEntryCount: Int64 = 0
}

extension SharedLog {
    /// An archive holds no more bytes of entries than this, unless one entry has more.
    private static var archiveBytesMax: Int { 16 << 20 }

    /// Moves old entries from the log to archives, from which they can still be read, and removes those
    /// that were archived long enough ago.
    ///
    /// The last entry always stays in the log. All processes that use the warehouse must know archives.
    ///
    /// - Parameters:
    ///   - time: entries of this time, in milliseconds since 1970, and before are archived.
    ///   - graceMillis: how long archived entries stay in the log: at least an hour.
    ///   - isDry: whether to count only.
    /// - Throws: `invalid` for a shorter time; `busy` when somebody else archives; what the store throws.
    ///   Whatever was done before stands, and is gone on from by the next call.
    package func archive(
        throughMillis time: Int64,
        graceMillis: Int64 = ArchiveReport.graceMillisMin,
        isDry: Bool = false
    ) async throws -> ArchiveReport {
        guard graceMillis >= ArchiveReport.graceMillisMin else {
            throw CommitLogError(
                .invalid,
                "entries stay in the log for an hour at least after they were archived"
            )
        }
        let newest = try await read()
        let (before, entityTag) = try await reader.archive.readBoundary()
        var report = ArchiveReport(boundary: before?.tip.sequence ?? 0)
        let now = ambient.time.nowMicros() / 1000
        if let before {
            try await remove(before, dueMillis: now - graceMillis, isDry: isDry, &report)
        }
        var last = min(newest.tip.sequence - 1, Int64.max)
        if time < newest.tip.timeMillis {
            last =
                time < warehouse.createdMillis ? 0 : try await snapshot(atMillis: time).tip.sequence
            last = min(last, newest.tip.sequence - 1)
        }
        guard last > report.boundary else { return report }
        if isDry {
            report.archivedEntryCount = last - report.boundary
            return report
        }
        // Whoever starts later must not need the entries one by one.
        let checkpoint = try await writeCheckpoint()
        last = min(last, checkpoint.position)
        guard last > report.boundary else { return report }
        var boundary =
            before
            ?? LogBoundary(
                tip: ChainTip(warehouse),
                warehouseID: warehouse.id,
                checkpoint: checkpoint.position,
                archives: []
            )
        boundary.checkpoint = checkpoint.position
        try await write(through: last, to: &boundary, nowMillis: now, &report)
        try await replace(boundary, entityTag: before == nil ? nil : entityTag)
        report.boundary = last
        report.waitingEntryCount += report.archivedEntryCount
        return report
    }

    /// Writes the archives of the entries between a boundary and a position, and moves it there.
    private func write(
        through last: Int64,
        to boundary: inout LogBoundary,
        nowMillis: Int64,
        _ report: inout ArchiveReport
    ) async throws {
        var entries: [[UInt8]] = []
        var byteCount = 0
        func finish() async throws {
            let first = boundary.tip.sequence - Int64(entries.count) + 1
            let (object, bytes) = try CheckpointObject.encode(
                raw: LogArchive.encode(entries),
                count: entries.count
            )
            let archive = LogBoundary.Archive(
                first: first,
                last: boundary.tip.sequence,
                object: object,
                archivedMillis: nowMillis
            )
            // What lies there was left behind by a call that came no further; no boundary names it.
            try await store.put(archive.key, bytes)
            boundary.archives.append(archive)
            report.writtenObjectCount += 1
            report.writtenByteCount += bytes.count
            report.archivedEntryCount += Int64(entries.count)
            (entries, byteCount) = ([], 0)
        }
        while boundary.tip.sequence < last {
            try Task.checkCancellation()
            let first = boundary.tip.sequence + 1
            let count = Int(min(last - first + 1, Int64(max(options.parallelReadsMax, 1))))
            for case let (offset, bytes) in try await reader.bytes(from: first, count: count)
                .enumerated()
            {
                guard let bytes else { throw missing(first + Int64(offset)) }
                if byteCount + bytes.count > Self.archiveBytesMax, !entries.isEmpty {
                    try await finish()
                }
                boundary.tip = try boundary.tip.following(
                    bytes,
                    keepsText: machine.keepsText
                ).tip
                entries.append(bytes)
                byteCount += bytes.count
            }
        }
        try await finish()
    }

    private func replace(_ boundary: LogBoundary, entityTag: String?) async throws {
        do {
            if let entityTag {
                try await store.replace(LogBoundary.key, boundary.encoded(), ifMatch: entityTag)
            } else {
                try await store.putIfAbsent(LogBoundary.key, boundary.encoded())
            }
        } catch let error as ObjectStoreError {
            guard error.code == .preconditionFailed || error.code == .alreadyExists else {
                throw error
            }
            throw CommitLogError(.busy, "somebody else archives this log", key: LogBoundary.key)
        }
        _ = try await reader.archive.readBoundary()
    }

    /// Removes entries from the log that the boundary passed long enough ago.
    private func remove(
        _ boundary: LogBoundary,
        dueMillis: Int64,
        isDry: Bool,
        _ report: inout ArchiveReport
    ) async throws {
        let due = boundary.archives.prefix { $0.archivedMillis <= dueMillis }.last?.last ?? 0
        var sound: Set<Int64> = []
        var after: String?
        while true {
            try Task.checkCancellation()
            let page = try await store.list(prefix: LogEntry.keyPrefix, startAfter: after)
            var keys: [String] = []
            for object in page.objects {
                guard let sequence = LogEntry.sequence(ofKey: object.key),
                    let archive = boundary.archive(of: sequence)
                else { continue }
                guard sequence <= due else {
                    report.waitingEntryCount += 1
                    continue
                }
                // The only copy that is left must be one.
                if sound.insert(archive.first).inserted {
                    _ = try await reader.archive.entries(of: archive)
                }
                keys.append(object.key)
            }
            report.removedEntryCount += keys.count
            if !isDry, !keys.isEmpty { try await store.delete(keys) }
            guard page.next != nil, let last = page.objects.last?.key,
                LogEntry.sequence(ofKey: last) ?? 0 <= boundary.tip.sequence
            else { return }
            after = last
        }
    }
}
