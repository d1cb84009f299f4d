package import Synchronization

/// Values by key, bounded by what they weigh; the least recently used go first.
///
/// Inlinable, since a generic type of another module that is not made for its key and value costs several times
/// as much per look-up.
package final class LeastRecentlyUsedCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    @usableFromInline
    struct Entry {
        @usableFromInline var value: Value
        @usableFromInline var byteCount: Int
        @usableFromInline var lastUse: UInt64

        @inlinable
        init(value: Value, byteCount: Int, lastUse: UInt64) {
            self.value = value
            self.byteCount = byteCount
            self.lastUse = lastUse
        }
    }

    @usableFromInline
    struct State {
        @usableFromInline var entries: [Key: Entry] = [:]
        @usableFromInline var byteCount = 0
        @usableFromInline var useCount: UInt64 = 0

        @inlinable
        init() {}
    }

    @usableFromInline let byteCountMax: Int
    @usableFromInline let state: Mutex<State>

    @inlinable
    package init(byteCountMax: Int) {
        self.byteCountMax = byteCountMax
        state = Mutex(State())
    }

    /// What all of them weigh.
    @inlinable
    package var byteCount: Int { state.withLock { $0.byteCount } }

    /// The value of a key, which is used by this.
    @inlinable
    package func find(_ key: Key) -> Value? {
        state.withLock { state in
            guard let index = state.entries.index(forKey: key) else { return nil }
            state.useCount += 1
            state.entries.values[index].lastUse = state.useCount
            return state.entries.values[index].value
        }
    }

    /// Keeps a value, unless it alone is heavier than the cache may be.
    @inlinable
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
