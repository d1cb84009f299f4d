import Ambient
import ObjectStorage

// How the parts of a checkpoint follow from those of the one before it:
//
// 1. The changes since then become a delta.
// 2. A range of the base is written anew, with all deltas over it taken in, once changes of more than
//    a quarter of its bytes lie over it; of many such ranges only as many as `mergeBytes` allows, those
//    with the most changes first, so that no checkpoint writes everything at once.
// 3. Eight deltas of a tier become one of the next, so there are few of them, and a change is written
//    again as often as there are tiers: the logarithm, to base eight, of how many there are.
// 4. A delta goes when every range it has keys in has been written since.
//
// So a change costs its own bytes, a few times over for the tiers, and four times for the base.

/// Writes checkpoints.
struct CheckpointWriter: Sendable {
    let reader: CheckpointReader
    /// Segments are about this large before compression.
    let segmentByteCount: Int

    /// What a checkpoint is to say.
    struct Content: Sendable {
        var tip: ChainTip
        var recordCount: Int
        /// The checkpoint that this one is built on; nil for none.
        var previous: CheckpointIndex?
        /// What changed since then, sorted; all records without one before.
        var changes: [CheckpointRecord]
        /// The commits since then.
        var commits: [RememberedCommits.Kept]
        /// How many ids of commits are remembered at most.
        var rememberedCountMax: Int
        /// Ids of the entries before this one are not remembered any more.
        var forgottenBefore: Int64
    }

    /// What was written.
    struct Written: Sendable {
        var index: CheckpointIndex
        var objectCount = 0
        var byteCount = 0
        /// Whether the index is this call's; else another process had written one at this position.
        var isNew = false
    }

    private static let deltasPerTier = 8
    /// A range is due when its changes exceed this part of it: 1 / 4.
    private static let pendingDivisor = 4

    /// Writes the segments that are new, and then the index.
    func write(_ content: Content) async throws -> Written {
        var index = CheckpointIndex(
            tip: content.tip,
            warehouseID: reader.warehouseID,
            recordCount: content.recordCount
        )
        var written = Written(index: index)
        if let previous = content.previous {
            index.base = previous.base
            index.deltas = previous.deltas
            index.commits = previous.commits
            try await merge(content.changes, into: &index, &written)
        } else {
            index.base = try await ranges(content.changes, start: [], content.tip, &written)
        }
        try await append(content, to: &index, &written)
        let key = CheckpointIndex.key(of: content.tip.sequence)
        let bytes = try index.encoded()
        do {
            try await reader.store.putIfAbsent(key, bytes)
            written.isNew = true
        } catch let error as ObjectStoreError {
            guard error.code == .alreadyExists else { throw error }
            // A damaged one is of no use to anybody.
            if (try? await reader.index(at: content.tip.sequence)) == nil {
                try await reader.store.put(key, bytes)
                written.isNew = true
            }
        }
        if written.isNew {
            written.objectCount += 1
            written.byteCount += bytes.count
            try await checkBase(content.previous, of: key)
        }
        written.index = index
        return written
    }

    /// Takes an index back whose base was swept away meanwhile, maybe with segments that it names.
    private func checkBase(_ previous: CheckpointIndex?, of key: String) async throws {
        guard let previous else { return }
        do {
            _ = try await reader.store.head(CheckpointIndex.key(of: previous.tip.sequence))
        } catch let error as ObjectStoreError {
            guard error.code == .notFound else { throw error }
            try await reader.store.delete([key])
            throw CommitLogError(
                .busy,
                "the checkpoint at \(previous.tip.sequence), which this one was built on, was removed",
                key: key
            )
        }
    }

    // MARK: - Records

    private func merge(
        _ changes: [CheckpointRecord],
        into index: inout CheckpointIndex,
        _ written: inout Written
    ) async throws {
        var changedByteCount = 0
        for record in changes {
            let number = index.baseIndex(of: record.key)
            index.base[number].pendingByteCount += record.byteCount
            changedByteCount += record.byteCount
        }
        let position = index.tip.sequence
        let due = dueRanges(of: index.base, mergeBytes: max(segmentByteCount, changedByteCount * 8))
        // From the end, so that the numbers before stay what they are.
        for run in Self.runs(due).reversed() {
            var records: [CheckpointRecord] = []
            for number in run {
                let part = try await reader.records(of: index.base[number].object)
                try reader.check(part, of: number, in: index)
                records += part
            }
            let over = index.deltas.filter { delta in
                index.baseIndices(of: delta).overlaps(ClosedRange(run))
                    && run.contains { index.base[$0].through < delta.through }
            }
            let lists = try await mapBounded(over, countMax: reader.parallelCountMax) {
                try await reader.records(of: $0.object)
            }
            var newer = changes.filter { run.contains(index.baseIndex(of: $0.key)) }
            for (delta, list) in zip(over, lists).reversed() {
                let mine = index.unabsorbed(list, of: delta).filter {
                    run.contains(index.baseIndex(of: $0.key))
                }
                newer = CheckpointRecord.merged(mine, newer)
            }
            records = CheckpointRecord.merged(records, newer).filter { $0.value != nil }
            let start = index.base[run.lowerBound].start
            index.base.replaceSubrange(
                run,
                with: try await ranges(records, start: start, index.tip, &written)
            )
        }
        let merged = index
        index.deltas.removeAll { delta in
            merged.baseIndices(of: delta).allSatisfy { merged.base[$0].through >= delta.through }
        }
        let rest = changes.filter { merged.base[merged.baseIndex(of: $0.key)].through < position }
        if !rest.isEmpty { try await addDelta(rest, to: &index, &written) }
    }

    /// The ranges that are to be written anew.
    private func dueRanges(of base: [CheckpointIndex.Base], mergeBytes: Int) -> Set<Int> {
        func share(_ number: Int) -> Double {
            Double(base[number].pendingByteCount) / Double(base[number].object.rawByteCount + 1)
        }
        let candidates = base.indices.filter { number in
            base[number].pendingByteCount
                > base[number].object.rawByteCount / Self.pendingDivisor
        }
        var due: Set<Int> = []
        var left = mergeBytes
        for number in candidates.sorted(by: { share($0) > share($1) }) where left > 0 {
            guard due.insert(number).inserted else { continue }
            left -= base[number].object.rawByteCount + base[number].pendingByteCount
            // Ranges that have become small are put together.
            for near in [number - 1, number + 1] where base.indices.contains(near) {
                let both = base[number].object.rawByteCount + base[near].object.rawByteCount
                if both < segmentByteCount / 2, due.insert(near).inserted {
                    left -= base[near].object.rawByteCount
                }
            }
        }
        return due
    }

    /// Numbers that follow each other, as ranges.
    private static func runs(_ numbers: Set<Int>) -> [Range<Int>] {
        var runs: [Range<Int>] = []
        for number in numbers.sorted() {
            if let last = runs.last, last.upperBound == number {
                runs[runs.count - 1] = last.lowerBound..<number + 1
            } else {
                runs.append(number..<number + 1)
            }
        }
        return runs
    }

    /// Writes records as ranges of the base, at least one.
    private func ranges(
        _ records: [CheckpointRecord],
        start: [UInt8],
        _ tip: ChainTip,
        _ written: inout Written
    ) async throws -> [CheckpointIndex.Base] {
        var parts = pieces(of: records)
        if parts.isEmpty { parts = [[]] }
        let objects = try await put(parts, &written)
        return zip(parts, objects).enumerated().map { number, part in
            CheckpointIndex.Base(
                object: part.1,
                start: number == 0 ? start : part.0.first.map { Array($0.key) } ?? start,
                through: tip.sequence,
                pendingByteCount: 0
            )
        }
    }

    /// Adds a delta, and merges those that have become many.
    private func addDelta(
        _ changes: [CheckpointRecord],
        to index: inout CheckpointIndex,
        _ written: inout Written
    ) async throws {
        var (records, tier) = (changes, 0)
        while true {
            let group = index.deltas.suffix { $0.tier == tier }
            guard Set(group.map(\.through)).count >= Self.deltasPerTier - 1 else { break }
            let lists = try await mapBounded(Array(group), countMax: reader.parallelCountMax) {
                try await reader.records(of: $0.object)
            }
            for (delta, list) in zip(group, lists).reversed() {
                records = CheckpointRecord.merged(index.unabsorbed(list, of: delta), records)
            }
            index.deltas.removeLast(group.count)
            tier += 1
        }
        let parts = pieces(of: records)
        for (part, object) in zip(parts, try await put(parts, &written)) {
            guard let first = part.first?.key, let last = part.last?.key else { continue }
            index.deltas.append(
                CheckpointIndex.Delta(
                    object: object,
                    first: Array(first),
                    last: Array(last),
                    through: index.tip.sequence,
                    tier: tier
                )
            )
        }
    }

    /// Cuts records into parts of about equal size, none much larger than a segment.
    private func pieces(of records: [CheckpointRecord]) -> [[CheckpointRecord]] {
        let byteCount = records.reduce(0) { $0 + $1.byteCount }
        let partCount = max(1, (byteCount + segmentByteCount - 1) / segmentByteCount)
        let partByteCount = byteCount / partCount + 1
        var pieces: [[CheckpointRecord]] = []
        var part: [CheckpointRecord] = []
        var filled = 0
        for record in records {
            if filled >= partByteCount {
                pieces.append(part)
                (part, filled) = ([], 0)
            }
            part.append(record)
            filled += record.byteCount
        }
        if !part.isEmpty { pieces.append(part) }
        return pieces
    }

    // MARK: - Commits

    /// Adds the ids of commits, and leaves those out that are not remembered any more.
    private func append(
        _ content: Content,
        to index: inout CheckpointIndex,
        _ written: inout Written
    ) async throws {
        var kept = content.commits
        var tier = 0
        let mergedCountMax = max(content.rememberedCountMax / 4, 1)
        while !kept.isEmpty {
            let group = index.commits.suffix { $0.tier == tier }
            let count = group.reduce(kept.count) { $0 + $1.object.count }
            guard group.count >= Self.deltasPerTier - 1, count <= mergedCountMax else { break }
            let lists = try await mapBounded(Array(group), countMax: reader.parallelCountMax) {
                try await reader.commits(of: $0.object)
            }
            kept = lists.flatMap { $0 } + kept
            index.commits.removeLast(group.count)
            tier += 1
        }
        if let first = kept.first, let last = kept.last {
            let (object, bytes) = try CheckpointObject.encode(
                raw: RememberedCommits.encode(kept),
                count: kept.count
            )
            try await put(object, bytes, &written)
            index.commits.append(
                CheckpointIndex.Commits(
                    object: object,
                    first: first.place.sequence,
                    last: last.place.sequence,
                    lastMillis: last.timeMillis,
                    tier: tier
                )
            )
        }
        var count = index.commits.reduce(0) { $0 + $1.object.count }
        while let first = index.commits.first,
            count - first.object.count >= content.rememberedCountMax
                || first.last < content.forgottenBefore
        {
            count -= first.object.count
            index.commits.removeFirst()
        }
    }

    // MARK: - Objects

    private func put(
        _ parts: [[CheckpointRecord]],
        _ written: inout Written
    ) async throws -> [CheckpointObject] {
        // Some at a time, so that memory is bounded by them.
        var objects: [CheckpointObject] = []
        for start in stride(from: 0, to: parts.count, by: reader.parallelCountMax) {
            let some = Array(parts[start..<min(start + reader.parallelCountMax, parts.count)])
            let done = try await mapBounded(some, countMax: reader.parallelCountMax) { records in
                var raw: [UInt8] = []
                raw.reserveCapacity(records.reduce(0) { $0 + $1.byteCount + 8 })
                for record in records { record.append(to: &raw) }
                let (object, bytes) = try CheckpointObject.encode(raw: raw, count: records.count)
                return (object, try await put(object.key, bytes))
            }
            for (object, isNew) in done {
                objects.append(object)
                if isNew {
                    written.objectCount += 1
                    written.byteCount += object.byteCount
                }
            }
        }
        return objects
    }

    private func put(
        _ object: CheckpointObject,
        _ bytes: [UInt8],
        _ written: inout Written
    ) async throws {
        if try await put(object.key, bytes) {
            written.objectCount += 1
            written.byteCount += bytes.count
        }
    }

    /// Writes an object that is named after its bytes.
    ///
    /// - Returns: false when it was there already.
    private func put(_ key: String, _ bytes: [UInt8]) async throws -> Bool {
        do {
            try await reader.store.putIfAbsent(key, bytes)
            return true
        } catch let error as ObjectStoreError {
            guard error.code == .alreadyExists else { throw error }
            // Written again, it is mended, should it have been damaged, and too young to be swept away.
            try await reader.store.put(key, bytes)
            return false
        }
    }
}

extension Array {
    /// The last elements, as far back as all of them are as wanted.
    fileprivate func suffix(_ isWanted: (Element) -> Bool) -> ArraySlice<Element> {
        var start = endIndex
        while start > startIndex, isWanted(self[start - 1]) { start -= 1 }
        return self[start...]
    }
}
