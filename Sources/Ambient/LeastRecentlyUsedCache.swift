import Synchronization

/// Values by key, bounded by what they weigh; the least recently used go first.
package final class LeastRecentlyUsedCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private struct Entry {
        var value: Value
        var byteCount: Int
        var lastUse: UInt64
    }

    private struct State {
        var entries: [Key: Entry] = [:]
        var byteCount = 0
        var useCount: UInt64 = 0
    }

    private let byteCountMax: Int
    private let state = Mutex(State())

    package init(byteCountMax: Int) {
        self.byteCountMax = byteCountMax
    }

    /// What all of them weigh.
    package var byteCount: Int { state.withLock { $0.byteCount } }

    /// The value of a key, which is used by this.
    package func find(_ key: Key) -> Value? {
        state.withLock { state in
            guard let entry = state.entries[key] else { return nil }
            state.useCount += 1
            state.entries[key]?.lastUse = state.useCount
            return entry.value
        }
    }

    /// Keeps a value, unless it alone is heavier than the cache may be.
    package func insert(_ value: Value, for key: Key, byteCount: Int) {
        guard byteCount <= byteCountMax else { return }
        state.withLock { state in
            state.useCount += 1
            let old = state.entries.updateValue(
                Entry(value: value, byteCount: byteCount, lastUse: state.useCount),
                forKey: key
            )
            state.byteCount += byteCount - (old?.byteCount ?? 0)
            guard state.byteCount > byteCountMax else { return }
            // A tenth goes at once, so that the search for the oldest is paid for by many inserts.
            for (key, entry) in state.entries.sorted(by: { $0.value.lastUse < $1.value.lastUse }) {
                if state.byteCount <= byteCountMax / 10 * 9 { break }
                state.entries[key] = nil
                state.byteCount -= entry.byteCount
            }
        }
    }
}
