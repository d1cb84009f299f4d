import Bytes
import Crypto

// How old an id is must not hang on a single clock: the time of an entry is what its writer's clock said, and
// one that is a day ahead would make everything before it a day old. So age is counted from entry to entry,
// and no step counts for more than `stepMillisMax`: in a busy log, where ids are forgotten for their age at
// all, entries are closer together than that anyway; in others `countMin` keeps what there is. Whoever counts
// from a later entry on counts less, never more, so a process that knows only the latest ids forgets
// none that another has to keep.

/// How many ids of commits are remembered, and for how long.
struct RememberedBounds: Sendable, Equatable {
    /// How long an id is remembered, in the log's time as it is counted here.
    var windowMillis: Int64
    /// What counts at most between an entry and the next.
    var stepMillisMax: Int64
    /// So many of the latest are remembered however old they are, and never more than `countMax`.
    var countMin: Int
    var countMax: Int
}

/// Where the latest commits lie, by their ids: what makes a retry get the first attempt's outcome.
///
/// Invariant: `places` holds exactly the digests in `order[head...]`; the oldest come first.
struct RememberedCommits: Sendable {
    /// Where a commit lies.
    struct Place: Sendable, Equatable {
        var sequence: Int64
        /// Its index among the entry's commits.
        var index: Int
    }

    /// Half of a SHA-256, so that the window takes the same memory whatever ids look like; who finds
    /// a place compares the id itself.
    struct Digest: Hashable {
        var high: UInt64
        var low: UInt64

        init(_ id: String) {
            var words: (UInt64, UInt64) = (0, 0)
            for (index, byte) in SHA256.hash(data: Array(id.utf8)).enumerated() {
                if index < 8 {
                    words.0 = words.0 << 8 | UInt64(byte)
                } else if index < 16 {
                    words.1 = words.1 << 8 | UInt64(byte)
                } else {
                    break
                }
            }
            (high, low) = words
        }
    }

    let bounds: RememberedBounds
    private var places: [Digest: Place] = [:]
    private var order: [(digest: Digest, timeMillis: Int64, countedMillis: Int64)] = []
    private var head = 0
    private var hasForgotten = false
    /// The time that was counted up to the last entry, and when that was in the log's own.
    private var countedMillis: Int64 = 0
    private var lastMillis: Int64?

    init(_ bounds: RememberedBounds) {
        self.bounds = bounds
    }

    var count: Int { order.count - head }

    func place(of id: String) -> Place? { places[Digest(id)] }

    /// The ids of all entries before this one were forgotten for their age or number; 0 where none was.
    ///
    /// Says nothing of ids that this process never knew.
    var forgottenBefore: Int64 {
        guard hasForgotten else { return 0 }
        guard head < order.count else { return Int64.max }
        return places[order[head].digest]?.sequence ?? 0
    }

    mutating func remember(_ entry: LogEntry) {
        let now = entry.header.timeMillis
        count(to: now)
        for (index, commit) in entry.commits.enumerated() {
            let digest = Digest(commit.id)
            // A repeated id (from a writer that had forgotten the first) keeps its first outcome.
            guard places[digest] == nil else { continue }
            places[digest] = Place(sequence: entry.sequence, index: index)
            order.append((digest, now, countedMillis))
        }
        forget()
    }

    private mutating func count(to now: Int64) {
        if let lastMillis {
            countedMillis += min(max(now - lastMillis, 0), bounds.stepMillisMax)
        }
        lastMillis = now
    }

    private mutating func forget() {
        while head < order.count,
            count > bounds.countMax
                || count > bounds.countMin
                    && order[head].countedMillis < countedMillis - bounds.windowMillis
        {
            places[order[head].digest] = nil
            head += 1
            hasForgotten = true
        }
        if head > 1024, head * 2 > order.count {
            order.removeFirst(head)
            head = 0
        }
    }
}

// MARK: - In checkpoints

extension RememberedCommits {
    /// A remembered commit by itself.
    struct Kept: Sendable, Equatable {
        var digest: Digest
        var place: Place
        var timeMillis: Int64
    }

    /// What is remembered of the entries after a position, oldest first.
    func kept(after position: Int64) -> [Kept] {
        var kept: [Kept] = []
        for index in (head..<order.count).reversed() {
            guard let place = places[order[index].digest], place.sequence > position else { break }
            kept.append(
                Kept(digest: order[index].digest, place: place, timeMillis: order[index].timeMillis)
            )
        }
        return kept.reversed()
    }

    /// Remembers what another process remembered, oldest first.
    ///
    /// - Parameter nowMillis: the time of the entry that it had read last.
    mutating func restore(_ kept: [Kept], nowMillis: Int64) {
        places.reserveCapacity(kept.count)
        for one in kept where places[one.digest] == nil {
            count(to: one.timeMillis)
            places[one.digest] = one.place
            order.append((one.digest, one.timeMillis, countedMillis))
        }
        count(to: nowMillis)
        forget()
    }

    // The ids of a checkpoint: for each entry
    //
    //     varint sequence - the one before | varint time - the one before | varint count
    //     count times: varint index of the commit | 16 bytes, the first half of its id's SHA-256

    static func encode(_ kept: [Kept]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(kept.count * 18)
        var (sequence, time): (Int64, Int64) = (0, 0)
        var start = 0
        while start < kept.count {
            let first = kept[start]
            var end = start + 1
            while end < kept.count, kept[end].place.sequence == first.place.sequence { end += 1 }
            bytes.appendVarint(UInt64(first.place.sequence - sequence))
            bytes.appendVarint(UInt64(first.timeMillis - time))
            bytes.appendVarint(UInt64(end - start))
            for one in kept[start..<end] {
                bytes.appendVarint(UInt64(one.place.index))
                bytes.appendBigEndian(one.digest.high)
                bytes.appendBigEndian(one.digest.low)
            }
            (sequence, time) = (first.place.sequence, first.timeMillis)
            start = end
        }
        return bytes
    }

    /// - Throws: `corrupt` when the bytes are no such list.
    static func decode(_ bytes: [UInt8]) throws(CommitLogError) -> [Kept] {
        var kept: [Kept] = []
        var (sequence, time, offset): (Int64, Int64, Int) = (0, 0, 0)
        func corrupt() -> CommitLogError {
            CommitLogError(.corrupt, "the bytes at \(offset) are no remembered commits")
        }
        while offset < bytes.count {
            guard let step = readVarint(bytes, &offset), step > 0,
                let later = readVarint(bytes, &offset), let count = readVarint(bytes, &offset),
                count <= (bytes.count - offset) / 17
            else { throw corrupt() }
            sequence += Int64(step)
            time += Int64(later)
            guard sequence < Int64.max / 4, time < Int64.max / 2 else { throw corrupt() }
            for _ in 0..<count {
                guard let index = readVarint(bytes, &offset), bytes.count - offset >= 16 else {
                    throw corrupt()
                }
                var words: (UInt64, UInt64) = (0, 0)
                for byte in bytes[offset..<offset + 8] { words.0 = words.0 << 8 | UInt64(byte) }
                for byte in bytes[offset + 8..<offset + 16] {
                    words.1 = words.1 << 8 | UInt64(byte)
                }
                offset += 16
                kept.append(
                    Kept(
                        digest: Digest(high: words.0, low: words.1),
                        place: Place(sequence: sequence, index: index),
                        timeMillis: time
                    )
                )
            }
        }
        return kept
    }
}

extension RememberedCommits.Digest {
    init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}

/// The ids of all commits of a walk over the log, for holding checkpoints against them.
struct CommitDigests: Sendable {
    private var entries: [Int64: [RememberedCommits.Digest]] = [:]

    mutating func add(_ entry: LogEntry) {
        entries[entry.sequence] = entry.commits.map { RememberedCommits.Digest($0.id) }
    }

    /// Whether commits that a checkpoint remembers are where it says, and none in between is missing.
    func agree(with kept: [RememberedCommits.Kept]) -> Bool {
        guard let first = kept.first?.place.sequence, let last = kept.last?.place.sequence else {
            return true
        }
        var digests: Set<RememberedCommits.Digest> = []
        for one in kept {
            guard let commits = entries[one.place.sequence],
                commits.indices.contains(one.place.index),
                commits[one.place.index] == one.digest
            else { return false }
            digests.insert(one.digest)
        }
        // The first and the last entry may be there in part: the window is counted in commits.
        guard first + 1 < last else { return true }
        return (first + 1..<last).allSatisfy { sequence in
            entries[sequence]?.allSatisfy { digests.contains($0) } ?? false
        }
    }
}
