import Catalog
import ObjectStorage
import Synchronization

/// A store that keeps small new files to itself, so that a commit writes them together with its manifests
/// and not a round trip before.
///
/// Whoever reads through it sees them; whoever reads past it does not, until the commit has come so far.
final class HeldFiles: ForwardingStore {
    let below: any ObjectStore
    private let held = Mutex<[String: Catalog.TableChange.File]>([:])
    /// Files of a statement that are held, together.
    fileprivate static let byteCountMax = 1 << 20

    init(below: any ObjectStore) {
        self.below = below
    }

    /// What is held, as a commit takes it.
    var files: [Catalog.TableChange.File] {
        held.withLock { $0 }.values.sorted { $0.key < $1.key }
    }

    /// Takes a file, if there is room.
    fileprivate func hold(_ key: String, _ bytes: [UInt8]) -> Bool {
        held.withLock { held in
            let count = held.values.reduce(bytes.count) { $0 + $1.bytes.count }
            guard count <= Self.byteCountMax else { return false }
            held[key] = .init(key: key, bytes: bytes, written: .init())
            return true
        }
    }

    private var overlay: OverlayStore {
        OverlayStore(below: below, files: held.withLock { $0.mapValues(\.bytes) })
    }

    func get(_ key: String) async throws -> ObjectData { try await overlay.get(key) }

    func get(_ key: String, range: Range<Int>) async throws -> [UInt8] {
        try await overlay.get(key, range: range)
    }

    func getRanges(_ key: String, _ ranges: [Range<Int>]) async throws -> [[UInt8]] {
        try await overlay.getRanges(key, ranges)
    }

    func getSuffix(_ key: String, count: Int) async throws -> ObjectSuffix {
        try await overlay.getSuffix(key, count: count)
    }

    func head(_ key: String) async throws -> ObjectMetadata { try await overlay.head(key) }

    /// Removes files here and below: a commit that failed may have written them.
    func delete(_ keys: [String]) async throws {
        held.withLock { held in
            for key in keys { held[key] = nil }
        }
        try await below.delete(keys)
    }

    func beginUpload(_ key: String) async throws -> any ObjectUpload {
        HeldUpload(key: key, store: self)
    }
}

/// A file on its way: held as long as it is small, uploaded below from then on.
private final class HeldUpload: ObjectUpload {
    private struct State {
        var bytes: [UInt8] = []
        var upload: (any ObjectUpload)?
    }

    private let key: String
    private let store: HeldFiles
    private let state = Mutex(State())

    init(key: String, store: HeldFiles) {
        self.key = key
        self.store = store
    }

    func write(_ bytes: [UInt8]) async throws {
        if let upload = state.withLock({ $0.upload }) { return try await upload.write(bytes) }
        let isSmall = state.withLock { state -> Bool in
            state.bytes += bytes
            return state.bytes.count <= HeldFiles.byteCountMax
        }
        if !isSmall { try await passOn() }
    }

    /// Uploads what came so far.
    @discardableResult
    private func passOn() async throws -> any ObjectUpload {
        let upload = try await store.below.beginUpload(key)
        let bytes = state.withLock { state -> [UInt8] in
            state.upload = upload
            defer { state.bytes = [] }
            return state.bytes
        }
        try await upload.write(bytes)
        return upload
    }

    func finish() async throws -> ObjectMetadata {
        if let upload = state.withLock({ $0.upload }) { return try await upload.finish() }
        let bytes = state.withLock { $0.bytes }
        guard store.hold(key, bytes) else { return try await passOn().finish() }
        return ObjectMetadata(
            key: key,
            size: bytes.count,
            entityTag: "",
            lastModifiedMicros: 0
        )
    }

    func abort() async {
        let upload = state.withLock { state -> (any ObjectUpload)? in
            state.bytes = []
            return state.upload
        }
        await upload?.abort()
    }
}
