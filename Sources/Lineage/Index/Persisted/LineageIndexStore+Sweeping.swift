import Ambient
import ObjectStorage

// Which indexes may go, and when: all but the newest two that can be read, once they are old. Indexes go first;
// then the rest is listed and read again, and chunks that none of them names and that are old go. Ages are
// differences between times that the store gives: no machine's clock counts.

extension LineageIndexStore {
    /// What sweeping indexes did.
    package struct Sweep: Sendable, Equatable {
        package var keptIndexCount = 0
        package var removedIndexCount = 0
        package var removedChunkCount = 0
        package var removedByteCount = 0
    }

    /// Indexes that stay whatever their age.
    private static var keptCountMin: Int { 2 }
    /// Nothing younger is removed.
    private static var graceMillisMin: Int64 { 60 * 60 * 1000 }

    /// Removes old indexes, and chunks that none of the others names.
    ///
    /// - Parameters:
    ///   - graceMillis: how old, measured from the youngest object of any index: an hour at least.
    ///   - isDry: whether to count only.
    /// - Throws: `invalid` for a shorter time; what the store throws. What was removed before stays so.
    package func sweep(graceMillis: Int64, isDry: Bool) async throws -> Sweep {
        guard graceMillis >= Self.graceMillisMin else {
            throw LineageError(.invalid, "indexes of the lineage stay for an hour at least")
        }
        var sweep = Sweep()
        let before = try await store.listAll(prefix: IndexHeader.keyPrefix)
        let due = (before.map(\.lastModifiedMicros).max() ?? 0) - graceMillis * 1000
        var removed: [ObjectMetadata] = []
        var readableCount = 0
        for object in before.reversed() {
            guard let position = IndexHeader.position(ofKey: object.key) else { continue }
            let found = try await condition(of: position)
            let isReadable = if case .readable = found { true } else { false }
            // What a later version wrote is not ours to remove.
            let isOurs = if case .ofLaterFormat = found { false } else { true }
            if isOurs, readableCount >= Self.keptCountMin, object.lastModifiedMicros <= due {
                removed.append(object)
            } else {
                sweep.keptIndexCount += 1
            }
            if isReadable { readableCount += 1 }
        }
        sweep.removedIndexCount = removed.count
        sweep.removedByteCount = removed.reduce(0) { $0 + $1.size }
        if !isDry { try await store.delete(removed.map(\.key)) }

        let gone = Set(removed.map(\.key))
        let after = isDry ? before : try await store.listAll(prefix: IndexHeader.keyPrefix)
        var named: Set<String> = []
        for object in after where !gone.contains(object.key) {
            guard let position = IndexHeader.position(ofKey: object.key) else { continue }
            // What it names is not known, so none may go.
            guard case .readable(let header) = try await condition(of: position) else {
                return sweep
            }
            named.formUnion(header.chunks.map(\.key))
        }
        let chunks = after.filter { object in
            object.key.hasPrefix(IndexHeader.chunkPrefix) && object.lastModifiedMicros <= due
                && !named.contains(object.key)
        }
        sweep.removedChunkCount = chunks.count
        sweep.removedByteCount += chunks.reduce(0) { $0 + $1.size }
        if !isDry { try await store.delete(chunks.map(\.key)) }
        return sweep
    }

    private enum Condition {
        case readable(IndexHeader)
        case damaged
        case ofLaterFormat
    }

    private func condition(of position: Int64) async throws -> Condition {
        do {
            return .readable(try await index(at: position).0)
        } catch let error as LineageError {
            return error.code == .unsupported ? .ofLaterFormat : .damaged
        }
    }
}
