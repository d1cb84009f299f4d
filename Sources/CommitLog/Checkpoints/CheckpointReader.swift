import Ambient
import ObjectStorage

/// Reads checkpoints, and checks every object of them.
struct CheckpointReader: Sendable {
    let store: any ObjectStore
    let warehouseID: String
    /// Segments under way at once.
    let parallelCountMax: Int

    /// A state as a checkpoint has it.
    struct Loaded: Sendable {
        var index: CheckpointIndex
        /// In the order of their keys, without those that are gone.
        var records: [CheckpointRecord]
        /// Oldest first.
        var commits: [RememberedCommits.Kept]
    }

    /// Where there are checkpoints, ascending; whether they are sound is another question.
    func positions() async throws -> [Int64] {
        var positions: [Int64] = []
        var continuation: String?
        repeat {
            try Task.checkCancellation()
            let page = try await store.list(
                prefix: CheckpointIndex.keyPrefix,
                startAfter: nil,
                delimiter: true,
                limit: 1000,
                continuation: continuation
            )
            positions += page.objects.compactMap { CheckpointIndex.position(ofKey: $0.key) }
            continuation = page.next
        } while continuation != nil
        return positions
    }

    /// The index of the checkpoint at a position.
    ///
    /// - Throws: `corrupt` when it is missing or damaged.
    func index(at position: Int64) async throws -> CheckpointIndex {
        let bytes = try await bytes(CheckpointIndex.key(of: position))
        return try CheckpointIndex.decode(bytes, position: position, warehouseID: warehouseID)
    }

    /// The whole state of a checkpoint.
    ///
    /// - Throws: `corrupt` with the key of the object that is missing or damaged.
    func load(_ index: CheckpointIndex) async throws -> Loaded {
        enum Part: Sendable {
            case records([CheckpointRecord])
            case commits([RememberedCommits.Kept])
        }
        let recordObjects = index.base.map(\.object) + index.deltas.map(\.object)
        let objects = recordObjects + index.commits.map(\.object)
        let numbered = Array(objects.enumerated())
        let parts = try await mapBounded(numbered, countMax: parallelCountMax) { number, object in
            number < recordObjects.count
                ? Part.records(try await records(of: object))
                : Part.commits(try await self.commits(of: object))
        }
        var lists: [[CheckpointRecord]] = []
        var kept: [RememberedCommits.Kept] = []
        for part in parts {
            switch part {
            case .records(let records): lists.append(records)
            case .commits(let list): kept += list
            }
        }
        let key = CheckpointIndex.key(of: index.tip.sequence)
        for (one, next) in zip(kept, kept.dropFirst())
        where one.place.sequence > next.place.sequence {
            throw CommitLogError(.corrupt, "the remembered commits are out of order", key: key)
        }
        if let last = kept.last?.place.sequence, last > index.tip.sequence {
            throw CommitLogError(.corrupt, "a remembered commit is of a later entry", key: key)
        }
        var changes: [CheckpointRecord] = []
        for (delta, records) in zip(index.deltas, lists[index.base.count...]).reversed() {
            changes = CheckpointRecord.merged(index.unabsorbed(records, of: delta), changes)
        }
        var all: [CheckpointRecord] = []
        all.reserveCapacity(index.recordCount)
        for (number, records) in lists[..<index.base.count].enumerated() {
            try check(records, of: number, in: index)
            all += records
        }
        all = CheckpointRecord.merged(all, changes)
        if !changes.isEmpty { all.removeAll { $0.value == nil } }
        guard all.count == index.recordCount else {
            throw CommitLogError(
                .corrupt,
                "the segments hold \(all.count) records instead of \(index.recordCount)",
                key: key
            )
        }
        return Loaded(index: index, records: all, commits: kept)
    }

    /// Checks that a range's records belong there.
    func check(
        _ records: [CheckpointRecord],
        of number: Int,
        in index: CheckpointIndex
    ) throws(CommitLogError) {
        guard let first = records.first, let last = records.last else { return }
        let base = index.base[number]
        let isInside =
            !keyPrecedes(first.key, base.start[...])
            && (number + 1 == index.base.count
                || keyPrecedes(last.key, index.base[number + 1].start[...]))
        guard isInside, records.allSatisfy({ $0.value != nil }) else {
            throw CommitLogError(
                .corrupt,
                "the segment holds records of another range",
                key: base.object.key
            )
        }
    }

    func records(of object: CheckpointObject) async throws -> [CheckpointRecord] {
        let raw = try object.decode(try await bytes(object.key))
        do throws(CommitLogError) {
            let records = try CheckpointRecord.decode(raw, countMax: object.count)
            guard records.count == object.count else {
                throw CommitLogError(
                    .corrupt,
                    "\(records.count) records instead of \(object.count)"
                )
            }
            return records
        } catch {
            throw CommitLogError(error.code, error.message, key: object.key)
        }
    }

    func commits(of object: CheckpointObject) async throws -> [RememberedCommits.Kept] {
        let raw = try object.decode(try await bytes(object.key))
        do throws(CommitLogError) {
            let kept = try RememberedCommits.decode(raw)
            guard kept.count == object.count else {
                throw CommitLogError(.corrupt, "\(kept.count) commits instead of \(object.count)")
            }
            return kept
        } catch {
            throw CommitLogError(error.code, error.message, key: object.key)
        }
    }

    /// An object that must be there.
    private func bytes(_ key: String) async throws -> [UInt8] {
        do {
            return try await store.get(key).bytes
        } catch let error as ObjectStoreError {
            guard error.code == .notFound else { throw error }
            throw CommitLogError(.corrupt, "the object is missing", key: key)
        }
    }
}

extension CheckpointIndex {
    /// Those of a delta's records that are newer than the ranges they belong to.
    func unabsorbed(_ records: [CheckpointRecord], of delta: Delta) -> [CheckpointRecord] {
        var isWhole = true
        for number in baseIndices(of: delta) where base[number].through >= delta.through {
            isWhole = false
        }
        if isWhole { return records }
        return records.filter { base[baseIndex(of: $0.key)].through < delta.through }
    }

    /// The ranges that a delta's keys may belong to.
    func baseIndices(of delta: Delta) -> ClosedRange<Int> {
        let first = baseIndex(of: delta.first[...])
        return first...max(first, baseIndex(of: delta.last[...]))
    }
}
