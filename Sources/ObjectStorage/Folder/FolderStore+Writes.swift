import Ambient
import Bytes
import Glibc
import Synchronization

/// After a day without a write to it a temporary file is taken for left behind.
private let temporarySecondsMax = 86_400

/// How a write of a folder store ended.
private enum WriteOutcome: Sendable {
    case written(ObjectMetadata)
    /// The object there has another entity tag, or there is none.
    case differs(String?)
    /// The name is in place, but the disk may not have it.
    case unsynced(FileError)
}

extension FolderStore {
    @discardableResult
    package func put(_ key: String, _ bytes: [UInt8]) async throws -> ObjectMetadata {
        try await write(key, bytes) { store, temporary, path throws(FileError) in
            try store.move(temporary, to: path, key: key) { _ in true }
        }
    }

    @discardableResult
    package func putIfAbsent(_ key: String, _ bytes: [UInt8]) async throws -> ObjectMetadata {
        // Losers need not write anything, when the key has been taken for long.
        if (try? await head(key)) != nil {
            throw ObjectStoreError(.alreadyExists, "the key is taken", key: key, store: root)
        }
        return try await write(key, bytes) { store, temporary, path throws(FileError) in
            let status = try temporary.seal(newerThan: nil, store)
            guard link(temporary.path, path) == 0 else {
                // A link that was made, and whose answer a network lost, shows in the count.
                throw FileError(call: "link", number: errno)
            }
            return store.synced(path, Self.metadata(key, status))
        }
    }

    @discardableResult
    package func replace(
        _ key: String,
        _ bytes: [UInt8],
        ifMatch entityTag: String
    ) async throws -> ObjectMetadata {
        try await write(key, bytes) { store, temporary, path throws(FileError) in
            try store.move(temporary, to: path, key: key) { $0?.entityTag == entityTag }
        }
    }

    package func delete(_ keys: [String]) async throws {
        for key in keys { try validateKey(key, store: root) }
        let batches = stride(from: 0, to: keys.count, by: 64).map { start in
            Array(keys[start..<min(start + 64, keys.count)])
        }
        let store = self
        for batch in batches {
            try await onWorker(nil) { root throws(FileError) in
                var folders: Set<String> = []
                for key in batch {
                    let path = "\(root)/\(key)"
                    // Nothing is made, not even a lock, for what is not there.
                    guard let status = try? FileStatus(path: path, followsLinks: false),
                        status.kind != .folder
                    else { continue }
                    let lock = try store.lock(key)
                    defer { withExtendedLifetime(lock.descriptor) {} }
                    if unlink(path) == 0 {
                        folders.insert(parentPath(path))
                    } else if errno != ENOENT && errno != ENOTDIR {
                        throw FileError(call: "unlink", number: errno)
                    }
                }
                if store.isSynced {
                    for folder in folders { try syncFolder(folder) }
                }
            }
        }
    }

    /// Writes bytes to a temporary file and lets `place` put it where it belongs.
    private func write(
        _ key: String,
        _ bytes: [UInt8],
        place:
            @escaping @Sendable (FolderStore, TemporaryFile, String) throws(FileError) ->
            WriteOutcome
    ) async throws -> ObjectMetadata {
        let store = self
        let outcome = try await onWorker(key, isWrite: true) { path throws(FileError) in
            let temporary = try store.makeTemporary()
            defer { temporary.remove() }
            try temporary.write(bytes)
            try makeFolders(parentPath(path), isSynced: store.isSynced)
            return try place(store, temporary, path)
        }
        return try settled(outcome, key: key)
    }

    fileprivate func settled(_ outcome: WriteOutcome, key: String) throws -> ObjectMetadata {
        switch outcome {
        case .written(let metadata):
            return metadata
        case .differs(let current):
            throw ObjectStoreError(
                .preconditionFailed,
                current.map { "the object has entity tag \($0)" } ?? "the object is gone",
                key: key,
                store: root
            )
        case .unsynced(let error):
            throw ObjectStoreError(
                .unknownOutcome,
                "written, but perhaps not to the disk: \(error.text)",
                key: key,
                store: root
            )
        }
    }

    /// Renames a temporary file over a key, under the key's lock, if what is there is as it should be.
    fileprivate func move(
        _ temporary: TemporaryFile,
        to path: String,
        key: String,
        if isExpected: (FileStatus?) -> Bool
    ) throws(FileError) -> WriteOutcome {
        let lock = try lock(key)
        defer { withExtendedLifetime(lock.descriptor) {} }
        var current: FileStatus?
        do throws(FileError) {
            current = try FileStatus(path: path)
        } catch {
            guard error.number == ENOENT else { throw error }
        }
        if let current, current.kind == .folder { throw FileError(call: "rename", number: EISDIR) }
        guard isExpected(current) else { return .differs(current?.entityTag) }
        let status = try temporary.seal(newerThan: current, self)
        guard rename(temporary.path, path) == 0 else {
            throw FileError(call: "rename", number: errno)
        }
        return synced(path, Self.metadata(key, status))
    }

    /// Syncs the folder of a new name.
    private func synced(_ path: String, _ metadata: ObjectMetadata) -> WriteOutcome {
        guard isSynced else { return .written(metadata) }
        do throws(FileError) {
            try syncFolder(parentPath(path))
        } catch {
            return .unsynced(error)
        }
        return .written(metadata)
    }

    /// Takes the lock of a key; others wait until the file closes.
    private func lock(_ key: String) throws(FileError) -> OpenFile {
        let folder = "\(path)/\(reservedKeyPart)/locks"
        let hash = Array(key.utf8).withUnsafeBytes { xxHash64($0) }
        let name = "\(folder)/\(hexText([UInt8(truncatingIfNeeded: hash)]))"
        let file: OpenFile
        do throws(FileError) {
            file = try OpenFile(path: name, flags: O_RDWR | O_CREAT)
        } catch {
            guard error.number == ENOENT else { throw error }
            try makeFolders(folder, isSynced: isSynced)
            let made = try OpenFile(path: name, flags: O_RDWR | O_CREAT)
            try made.lockAlone()
            return made
        }
        try file.lockAlone()
        return file
    }

    /// A new file that no key names.
    func makeTemporary() throws(FileError) -> TemporaryFile {
        let folder = "\(path)/\(reservedKeyPart)/temporary"
        let name = "\(folder)/\(ambient.uuidV4())-\(getpid())"
        if !hasSwept.exchange(true, ordering: .relaxed) {
            // Once per opened store; what cannot be swept now is no reason not to write.
            _ = try? sweep(olderThanSeconds: temporarySecondsMax)
        }
        do throws(FileError) {
            return try TemporaryFile(path: name)
        } catch {
            guard error.number == ENOENT else { throw error }
            try makeFolders(folder, isSynced: isSynced)
            return try TemporaryFile(path: name)
        }
    }

    /// Removes temporary files that have not been written to for a long time: their writers are dead.
    ///
    /// - Returns: how many there were.
    @discardableResult
    package func sweepTemporaryFiles(olderThanSeconds seconds: Int) async throws -> Int {
        try await onWorker(nil) { _ throws(FileError) in
            try self.sweep(olderThanSeconds: seconds)
        }
    }

    private func sweep(olderThanSeconds seconds: Int) throws(FileError) -> Int {
        let oldest = ambient.time.nowMicros() * 1000 - Int64(max(seconds, 0)) * 1_000_000_000
        let folder = "\(path)/\(reservedKeyPart)/temporary"
        let entries: [(name: String, kind: FileStatus.Kind)]
        do throws(FileError) {
            entries = try folderEntries(folder)
        } catch {
            guard error.number == ENOENT else { throw error }
            return 0
        }
        var count = 0
        for entry in entries where entry.kind == .file {
            let path = "\(folder)/\(entry.name)"
            guard let status = try? FileStatus(path: path, followsLinks: false),
                status.modifiedNanos < oldest
            else { continue }
            if unlink(path) == 0 { count += 1 }
        }
        return count
    }
}

/// A file on its way to a key.
///
/// `@unchecked Sendable`: used by one call at a time, each on some worker thread.
final class TemporaryFile: @unchecked Sendable {
    let path: String
    private let file: OpenFile
    private(set) var size = 0

    init(path: String) throws(FileError) {
        self.path = path
        file = try OpenFile(path: path, flags: O_WRONLY | O_CREAT | O_EXCL)
    }

    func write(_ bytes: [UInt8]) throws(FileError) {
        try file.write(bytes)
        size += bytes.count
    }

    func sync() throws(FileError) {
        try file.sync()
    }

    /// Makes the content durable and its time of change later than that of a file before it.
    func seal(
        newerThan current: FileStatus?,
        _ store: FolderStore
    ) throws(FileError) -> FileStatus {
        // The clock counts microseconds; the digits below tell apart what it cannot.
        let now = store.ambient.time.nowMicros() * 1000 + store.ambient.random.number(below: 1000)
        try file.setModified(nanos: max(now, (current?.modifiedNanos ?? 0) + 1, 0))
        if store.isSynced { try file.sync() }
        return try file.status()
    }

    /// Takes the temporary name away; a name that the file got meanwhile stays.
    func remove() {
        unlink(path)
    }
}

/// An upload into a temporary file.
///
/// `@unchecked Sendable`: calls must not overlap, as `ObjectUpload` says.
final class FolderUpload: ObjectUpload, @unchecked Sendable {
    private let store: FolderStore
    private let key: String
    private let path: String
    private var file: TemporaryFile?

    init(store: FolderStore, key: String, path: String, file: TemporaryFile) {
        self.store = store
        self.key = key
        self.path = path
        self.file = file
    }

    deinit {
        file?.remove()
    }

    func write(_ bytes: [UInt8]) async throws {
        guard let file else { throw uploadIsOver(key: key, store: store.root) }
        try await store.onWorker(key, isWrite: true) { _ throws(FileError) in
            try file.write(bytes)
        }
    }

    func finish() async throws -> ObjectMetadata {
        guard let file else { throw uploadIsOver(key: key, store: store.root) }
        defer {
            file.remove()
            self.file = nil
        }
        let (store, key) = (store, key)
        let outcome = try await store.onWorker(key, isWrite: true) { path throws(FileError) in
            // The bulk goes to the disk before the lock is taken.
            if store.isSynced { try file.sync() }
            try makeFolders(parentPath(path), isSynced: store.isSynced)
            return try store.move(file, to: path, key: key) { _ in true }
        }
        return try store.settled(outcome, key: key)
    }

    func abort() async {
        guard let file else { return }
        self.file = nil
        _ = try? await store.workers.run { file.remove() }
        // Also when the task is cancelled and the worker never ran.
        file.remove()
    }
}
