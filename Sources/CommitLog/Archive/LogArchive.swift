import Ambient
import Bytes
import ObjectStorage
import Synchronization

// Entries up to the boundary lie in archives and may be gone from the log, and a name that is gone can be
// created again. What makes that harmless:
//
//     entry p is created ... boundary >= p is written ... at least an hour ... p is removed
//
// So whoever read the boundary within the last `trustMillisMax`, and found it before p, knows that p was not
// removed yet: removing it takes longer than that after the boundary has passed it. An absent p was then
// never created, a found p is the real one, and a p just created is the first of its name.
// Whoever asked the log for p, or created p, therefore asks `hasArchived` when the answer is there: it
// reads the boundary again if it was read longer ago than that. What is before the boundary is taken from
// the archives alone.

/// Knows the boundary, never longer ago than it may be trusted, and reads what lies before it.
final class LogArchive: Sendable {
    /// How long after reading the boundary one may go by it.
    static let trustMillisMax: Int64 = 10 * 60 * 1000

    private struct State {
        var boundary: LogBoundary?
        var entityTag = ""
        /// By both clocks, when the last reading began: the one does not go on while a machine sleeps,
        /// the other may be set.
        var readAt: (monotonicNanos: Int64, wallMicros: Int64)?
        /// The archives that were read last.
        var blocks: [(first: Int64, entries: [ArraySlice<UInt8>])] = []
    }

    let store: any ObjectStore
    let warehouseID: String
    let time: any TimeSource
    private let state = Mutex(State())

    init(store: any ObjectStore, warehouseID: String, time: any TimeSource) {
        self.store = store
        self.warehouseID = warehouseID
        self.time = time
    }

    private func isFresh(_ state: State) -> Bool {
        guard let readAt = state.readAt else { return false }
        let monotonic = (time.monotonicNanos() - readAt.monotonicNanos) / 1_000_000
        let wall = (time.nowMicros() - readAt.wallMicros) / 1000
        return max(monotonic, wall) <= Self.trustMillisMax
    }

    /// The boundary, read within the time that it may be trusted; nil when nothing was ever archived.
    func boundary() async throws -> LogBoundary? {
        let (isTrusted, boundary) = state.withLock { (isFresh($0), $0.boundary) }
        return isTrusted ? boundary : try await readBoundary().boundary
    }

    /// Reads the boundary anew.
    ///
    /// - Returns: the boundary, and the entity tag to replace it by; empty when there is none.
    func readBoundary() async throws -> (boundary: LogBoundary?, entityTag: String) {
        let began = (time.monotonicNanos(), time.nowMicros())
        var found: LogBoundary?
        var entityTag = ""
        do {
            let object = try await store.get(LogBoundary.key)
            found = try LogBoundary.decode(object.bytes, warehouseID: warehouseID)
            entityTag = object.metadata.entityTag
        } catch let error as ObjectStoreError {
            guard error.code == .notFound else { throw error }
        }
        return try state.withLock { state in
            if let before = state.boundary?.tip.sequence, before > found?.tip.sequence ?? 0,
                state.readAt.map({ $0.monotonicNanos < began.0 }) ?? true
            {
                throw CommitLogError(
                    .corrupt,
                    "the boundary went back or is missing; it was at \(before)",
                    key: LogBoundary.key
                )
            }
            if state.boundary?.tip.sequence ?? 0 <= found?.tip.sequence ?? 0 {
                state.boundary = found
                state.entityTag = entityTag
            }
            if state.readAt.map({ $0.monotonicNanos < began.0 }) ?? true {
                state.readAt = (began.0, began.1)
            }
            return (found, entityTag)
        }
    }

    /// Whether an entry lies before the boundary as it was read last: it can only have moved on since.
    func knowsArchived(_ sequence: Int64) -> Bool {
        state.withLock { $0.boundary.map { sequence <= $0.tip.sequence } ?? false }
    }

    /// Whether an entry lies before the boundary, so that what the log has under its name counts for
    /// nothing.
    func hasArchived(_ sequence: Int64) async throws -> Bool {
        try await boundary().map { sequence <= $0.tip.sequence } ?? false
    }

    /// The bytes of an entry before the boundary.
    ///
    /// - Throws: `corrupt` with the key of the archive that is missing or damaged.
    func entry(_ sequence: Int64) async throws -> [UInt8] {
        func find(_ block: (first: Int64, entries: [ArraySlice<UInt8>])) -> [UInt8]? {
            let index = Int(clamping: sequence - block.first)
            return block.entries.indices.contains(index) ? Array(block.entries[index]) : nil
        }
        if let bytes = state.withLock({ $0.blocks.lazy.compactMap(find).first }) { return bytes }
        guard let archive = try await boundary()?.archive(of: sequence) else {
            throw CommitLogError(
                .corrupt,
                "the boundary names no archive with entry \(sequence)",
                key: LogBoundary.key
            )
        }
        let block = (archive.first, try await entries(of: archive))
        state.withLock { state in
            state.blocks.removeAll { $0.first == archive.first }
            state.blocks.insert(block, at: 0)
            if state.blocks.count > 2 { state.blocks.removeLast() }
        }
        guard let bytes = find(block) else {
            throw CommitLogError(.corrupt, "the entry \(sequence) is missing", key: archive.key)
        }
        return bytes
    }

    /// All entries of an archive, checked against its hash.
    func entries(of archive: LogBoundary.Archive) async throws -> [ArraySlice<UInt8>] {
        let bytes: [UInt8]
        do {
            bytes = try await store.get(archive.key).bytes
        } catch let error as ObjectStoreError {
            guard error.code == .notFound else { throw error }
            throw CommitLogError(.corrupt, "the archive is missing", key: archive.key)
        }
        do throws(CommitLogError) {
            return try Self.decode(try archive.object.decode(bytes), count: archive.object.count)
        } catch {
            throw CommitLogError(error.code, error.message, key: archive.key)
        }
    }

    /// Entries one behind the other, each with its length in front of it.
    static func encode(_ entries: [[UInt8]]) -> [UInt8] {
        var raw: [UInt8] = []
        for entry in entries {
            raw.appendVarint(UInt64(entry.count))
            raw += entry
        }
        return raw
    }

    /// - Throws: `corrupt` when the bytes are not so many entries.
    static func decode(
        _ raw: [UInt8],
        count: Int
    ) throws(CommitLogError) -> [ArraySlice<UInt8>] {
        var entries: [ArraySlice<UInt8>] = []
        var offset = 0
        while offset < raw.count {
            guard let byteCount = readVarint(raw, &offset), byteCount <= raw.count - offset else {
                throw CommitLogError(.corrupt, "the bytes at \(offset) are no entry")
            }
            entries.append(raw[offset..<offset + byteCount])
            offset += byteCount
        }
        guard entries.count == count else {
            throw CommitLogError(.corrupt, "\(entries.count) entries instead of \(count)")
        }
        return entries
    }
}
