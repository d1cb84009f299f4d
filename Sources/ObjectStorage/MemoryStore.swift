package import Ambient
import Synchronization

/// A store in memory, for tests and for warehouses that need not outlive the process.
package final class MemoryStore: ObjectStore {
    private struct Entry {
        var bytes: [UInt8]
        var metadata: ObjectMetadata
    }

    private struct State {
        /// Sorted by key.
        var entries: [(key: ByteOrderedKey, entry: Entry)] = []
        var writeCount = 0
        /// Bytes of all objects.
        var byteCount = 0

        /// The place of a key, or the place where it belongs.
        func find(_ key: ByteOrderedKey) -> (at: Int, isPresent: Bool) {
            var (low, high) = (0, entries.count)
            while low < high {
                let middle = (low + high) / 2
                if entries[middle].key < key { low = middle + 1 } else { high = middle }
            }
            return (low, low < entries.count && entries[low].key == key)
        }
    }

    package let root: String
    private let time: any TimeSource
    private let options: ReadOptions
    private let byteCountMax: Int
    private let state = Mutex(State())

    /// - Parameter byteCountMax: what all objects together may hold; writes beyond it throw `invalid`.
    package init(
        root: String = "memory:",
        time: any TimeSource = SystemTime(),
        options: ReadOptions = ReadOptions(),
        byteCountMax: Int = .max
    ) {
        self.root = root
        self.time = time
        self.options = options
        self.byteCountMax = byteCountMax
    }

    package func get(_ key: String) async throws -> ObjectData {
        let entry = try entry(key)
        return ObjectData(bytes: entry.bytes, metadata: entry.metadata)
    }

    package func get(_ key: String, range: Range<Int>) async throws -> [UInt8] {
        try validateKey(key, store: root)
        if range.isEmpty { return [] }
        let bytes = try entry(key).bytes
        guard range.lowerBound >= 0, range.lowerBound < bytes.count else {
            throw rangeError(range, size: bytes.count, key: key, store: root)
        }
        return Array(bytes[range.lowerBound..<min(range.upperBound, bytes.count)])
    }

    package func getRanges(_ key: String, _ ranges: [Range<Int>]) async throws -> [[UInt8]] {
        try validateKey(key, store: root)
        return try await readCoalesced(ranges, options: options, key: key, store: root) { range in
            try await self.get(key, range: range)
        }
    }

    package func getSuffix(_ key: String, count: Int) async throws -> ObjectSuffix {
        let entry = try entry(key)
        return ObjectSuffix(
            bytes: Array(entry.bytes.suffix(max(count, 0))),
            objectSize: entry.bytes.count,
            entityTag: entry.metadata.entityTag
        )
    }

    package func head(_ key: String) async throws -> ObjectMetadata {
        try entry(key).metadata
    }

    @discardableResult
    package func put(_ key: String, _ bytes: [UInt8]) async throws -> ObjectMetadata {
        try write(key, bytes) { _ in nil }
    }

    @discardableResult
    package func putIfAbsent(_ key: String, _ bytes: [UInt8]) async throws -> ObjectMetadata {
        try write(key, bytes) { $0 == nil ? nil : (.alreadyExists, "the key is taken") }
    }

    @discardableResult
    package func replace(
        _ key: String,
        _ bytes: [UInt8],
        ifMatch entityTag: String
    ) async throws -> ObjectMetadata {
        try write(key, bytes) { current in
            guard let current else { return (.preconditionFailed, "the object is gone") }
            if current == entityTag { return nil }
            return (.preconditionFailed, "the object has entity tag \(current)")
        }
    }

    package func list(
        prefix: String,
        startAfter: String?,
        delimiter: Bool,
        limit: Int,
        continuation: String?
    ) async throws -> ListPage {
        try Task.checkCancellation()
        try validatePrefix(prefix, store: root)
        var lister = ListPageBuilder(
            prefix: prefix,
            startAfter: startAfter,
            delimiter: delimiter,
            limit: limit,
            continuation: continuation
        )
        let first = [prefix, startAfter ?? "", continuation ?? ""].map(ByteOrderedKey.init).max()
        state.withLock { state in
            let start = state.find(first ?? ByteOrderedKey(prefix)).at
            for (key, entry) in state.entries[start...] {
                guard key.hasPrefix(prefix) else { break }
                if !lister.add(key.text, { entry.metadata }) { break }
            }
        }
        return lister.page
    }

    package func delete(_ keys: [String]) async throws {
        try Task.checkCancellation()
        for key in keys { try validateKey(key, store: root) }
        state.withLock { state in
            for key in keys {
                let (at, isPresent) = state.find(ByteOrderedKey(key))
                if isPresent {
                    state.byteCount -= state.entries[at].entry.bytes.count
                    state.entries.remove(at: at)
                }
            }
        }
    }

    package func beginUpload(_ key: String) async throws -> any ObjectUpload {
        try Task.checkCancellation()
        try validateKey(key, store: root)
        return MemoryUpload(store: self, key: key)
    }

    private func entry(_ key: String) throws -> Entry {
        try Task.checkCancellation()
        try validateKey(key, store: root)
        let entry = state.withLock { state -> Entry? in
            let (at, isPresent) = state.find(ByteOrderedKey(key))
            return isPresent ? state.entries[at].entry : nil
        }
        guard let entry else {
            throw ObjectStoreError(.notFound, "no such object", key: key, store: root)
        }
        return entry
    }

    /// - Parameter refusal: says why not, given the entity tag of the object there, if any.
    private func write(
        _ key: String,
        _ bytes: [UInt8],
        refusal: (String?) -> (ObjectStoreError.Code, String)?
    ) throws -> ObjectMetadata {
        try Task.checkCancellation()
        try validateKey(key, store: root)
        let now = time.nowMicros()
        let ordered = ByteOrderedKey(key)
        let (metadata, reason) = state.withLock {
            state -> (ObjectMetadata?, (ObjectStoreError.Code, String)?) in
            let (at, isPresent) = state.find(ordered)
            let current = isPresent ? state.entries[at].entry.metadata.entityTag : nil
            if let reason = refusal(current) { return (nil, reason) }
            let replaced = isPresent ? state.entries[at].entry.bytes.count : 0
            guard bytes.count <= byteCountMax - (state.byteCount - replaced) else {
                return (nil, (.invalid, "the store may hold \(byteCountMax) bytes"))
            }
            state.byteCount += bytes.count - replaced
            state.writeCount += 1
            let metadata = ObjectMetadata(
                key: key,
                size: bytes.count,
                entityTag: "m\(state.writeCount)",
                lastModifiedMicros: now
            )
            let entry = Entry(bytes: bytes, metadata: metadata)
            if isPresent {
                state.entries[at].entry = entry
            } else {
                state.entries.insert((ordered, entry), at: at)
            }
            return (metadata, nil)
        }
        guard let metadata else {
            let (code, message) = reason ?? (.invalid, "refused")
            throw ObjectStoreError(code, message, key: key, store: root)
        }
        return metadata
    }
}

private final class MemoryUpload: ObjectUpload {
    private let store: MemoryStore
    private let key: String
    /// Nil once finished or aborted.
    private let bytes = Mutex<[UInt8]?>([])

    init(store: MemoryStore, key: String) {
        self.store = store
        self.key = key
    }

    func write(_ more: [UInt8]) async throws {
        try Task.checkCancellation()
        let isOpen = bytes.withLock { bytes -> Bool in
            bytes?.append(contentsOf: more)
            return bytes != nil
        }
        if !isOpen { throw uploadIsOver(key: key, store: store.root) }
    }

    func finish() async throws -> ObjectMetadata {
        try Task.checkCancellation()
        let all = bytes.withLock { bytes -> [UInt8]? in
            defer { bytes = nil }
            return bytes
        }
        guard let all else { throw uploadIsOver(key: key, store: store.root) }
        return try await store.put(key, all)
    }

    func abort() async {
        bytes.withLock { $0 = nil }
    }
}

/// The error of writing to an upload after its end.
func uploadIsOver(key: String, store: String) -> ObjectStoreError {
    ObjectStoreError(
        .invalid,
        "the upload is finished, failed or aborted already",
        key: key,
        store: store
    )
}

/// The error of a range that begins outside the object.
func rangeError(_ range: Range<Int>, size: Int, key: String, store: String) -> ObjectStoreError {
    ObjectStoreError(
        .rangeNotSatisfiable,
        "bytes \(range.lowerBound)..<\(range.upperBound) of an object of \(size) bytes",
        key: key,
        store: store
    )
}
