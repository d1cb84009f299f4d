import ObjectStorage

// Which checkpoints may go, and when:
//
// 1. Starts take the newest sound checkpoint. Once there is a later one for an hour, nobody begins with an
//    earlier one any more, and whoever had begun has ended.
// 2. Reads of the past take the last one before their position: of the older ones a few stay, the further
//    back the fewer. Positions 1 to 3 entries from the end are blocks of one, those from 4 to 15 of four, from
//    16 to 63 of 16, and so on; of each block the oldest stays.
// 3. A writer names the segments of the checkpoint that it builds on. It looks whether that one is still
//    there *after* it has written its own; and segments are removed by what indexes name *after* others
//    were removed. So either the one sees the other's index and keeps its segments, or the other sees that
//    its base is gone and takes its own back.
//
// Whoever loses an object in the middle of reading all the same takes an earlier checkpoint, or the log.
// Times are those of the store, compared with each other: no clock of a machine says how long an hour is.

/// What sweeping checkpoints did.
package struct CheckpointSweep: Sendable, Equatable {
    /// Checkpoints that are superseded stay at least so long.
    package static let graceMillisMin: Int64 = 60 * 60 * 1000

    package var keptCheckpointCount = 0
    package var removedCheckpointCount = 0
    package var removedSegmentCount = 0
    package var removedByteCount = 0

    package init() {}
}

extension SharedLog {
    /// Removes old checkpoints that nobody starts from, and segments that none of the others names.
    ///
    /// - Parameters:
    ///   - graceMillis: how long a checkpoint stays after a later one was written: at least an hour. In a
    ///     store where nothing was written to checkpoints since, nothing is removed.
    ///   - isDry: whether to count only.
    /// - Throws: `invalid` for a shorter time; what the store throws. What was removed before stays so.
    package func sweepCheckpoints(
        graceMillis: Int64 = CheckpointSweep.graceMillisMin,
        isDry: Bool = false
    ) async throws -> CheckpointSweep {
        guard graceMillis >= CheckpointSweep.graceMillisMin else {
            throw CommitLogError(
                .invalid,
                "checkpoints stay for an hour at least after a later one was written"
            )
        }
        var sweep = CheckpointSweep()
        let tip = try await read().tip.sequence
        let before = try await store.listAll(prefix: CheckpointIndex.keyPrefix)
        let now = before.map(\.lastModifiedMicros).max() ?? 0
        let due = now - graceMillis * 1000
        let indexes = before.compactMap { object in
            CheckpointIndex.position(ofKey: object.key).map { (position: $0, object: object) }
        }
        guard
            let anchor = try await newestSound(
                indexes.filter { $0.object.lastModifiedMicros <= due }.map(\.position)
            )
        else {
            sweep.keptCheckpointCount = indexes.count
            return sweep
        }
        var removed: [ObjectMetadata] = []
        var kept: Set<[Int64]> = []
        for (position, object) in indexes where position < anchor {
            let condition = try await condition(of: position)
            // Sound or not, what a later version wrote is not ours to remove.
            if condition == .ofLaterFormat { continue }
            // The oldest of a block stays; blocks of the next tier are four of this one, so what stays there
            // was kept until then.
            let bitCount = Int64.bitWidth - max(tip - position, 1).leadingZeroBitCount
            let tier = (bitCount - 1) / 2
            let block = position >> Int64(2 * tier)
            if condition == .readable, !kept.contains([Int64(tier), block]) {
                kept.insert([Int64(tier), block])
                continue
            }
            removed.append(object)
        }
        sweep.removedCheckpointCount = removed.count
        sweep.keptCheckpointCount = indexes.count - removed.count
        sweep.removedByteCount = removed.reduce(0) { $0 + $1.size }
        if !isDry { try await store.delete(removed.map(\.key)) }
        let gone = Set(removed.map(\.key))
        let after = isDry ? before : try await store.listAll(prefix: CheckpointIndex.keyPrefix)
        var named: Set<String> = []
        for object in after where !gone.contains(object.key) {
            guard let position = CheckpointIndex.position(ofKey: object.key) else { continue }
            do {
                let index = try await checkpointReader.index(at: position)
                named.formUnion(index.objects.map(\.key))
            } catch is CommitLogError {
                // What it names is not known, so none may go.
                return sweep
            }
        }
        let segments = after.filter { object in
            object.key.hasPrefix(CheckpointIndex.segmentPrefix) && object.key.hasSuffix(".zst")
                && object.lastModifiedMicros <= due && !named.contains(object.key)
        }
        sweep.removedSegmentCount = segments.count
        sweep.removedByteCount += segments.reduce(0) { $0 + $1.size }
        if !isDry { try await store.delete(segments.map(\.key)) }
        return sweep
    }

    private func newestSound(_ positions: [Int64]) async throws -> Int64? {
        for position in positions.reversed() where try await isSound(position) { return position }
        return nil
    }

    private enum Condition {
        case readable
        case damaged
        case ofLaterFormat
    }

    private func condition(of position: Int64) async throws -> Condition {
        do {
            _ = try await checkpointReader.index(at: position)
            return .readable
        } catch let error as CommitLogError {
            return error.code == .unsupported ? .ofLaterFormat : .damaged
        }
    }
}
