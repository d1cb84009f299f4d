import Ambient
import Bytes
import Glibc
import Synchronization

/// A folder of a local file system, or of a shared one that has `link`, `rename` and `flock`.
///
/// A key is a path below the folder. Invariants:
/// 1. What is visible under a key is whole: bytes are written to a file in `.varve-store/temporary`,
///    synced, and then linked or renamed into place.
/// 2. Creation is `link`, which fails when the name is taken, in whatever process.
/// 3. Whatever replaces or removes a file holds the lock of its key (`.varve-store/locks`, one of 256
///    files by hash), so that `replace` compares and renames in one step.
/// 4. A write is answered after the file, its folder and every new folder above it are synced.
///
/// Blocking calls run on the worker pool; but whether an object is absent is asked at once where the file system is
/// this machine's own, for that takes a microsecond, and readers of a log ask little else. Symbolic links are followed by reads and left out of
/// listings. Temporary files a day old are swept at the first write. Folders stay when their last file goes. A name cannot be an object and a folder at once.
package final class FolderStore: ObjectStore {
    package let root: String
    let path: String
    let ambient: AmbientSources
    let workers: WorkerPool
    let isSynced: Bool
    let hasSwept = Atomic<Bool>(false)
    private let locality = Atomic<FileSystemLocality>(.unknown)

    /// Opens a folder, and makes it if there is none when first written to.
    ///
    /// - Throws: `invalid` when the path names something else.
    package init(path: String, options: StoreOptions = StoreOptions()) throws {
        var path = path
        if !path.hasPrefix("/") {
            guard let here = getcwd(nil, 0) else {
                throw ObjectStoreError(.invalid, "there is no current folder", store: path)
            }
            defer { free(here) }
            path = "\(String(cString: here))/\(path)"
        }
        guard !path.utf8.contains(0) else {
            throw ObjectStoreError(.invalid, "the path holds a zero byte")
        }
        // By bytes: a mark that combines with a slash must not hide it.
        let parts = path.utf8.split(separator: UInt8(ascii: "/")).map { String($0) ?? "" }
        self.path = "/" + parts.filter { $0 != "." }.joined(separator: "/")
        root = "file://\(self.path)"
        ambient = options.ambient
        workers = options.workers
        isSynced = options.syncsFolders
        if let status = try? FileStatus(path: self.path), status.kind != .folder {
            throw ObjectStoreError(.invalid, "the path does not name a folder", store: root)
        }
    }

    package func get(_ key: String) async throws -> ObjectData {
        try validateKey(key, store: root)
        if isLocal, isAbsent("\(path)/\(key)") {
            throw translated(FileError(call: "open", number: ENOENT), key: key, isWrite: false)
        }
        return try await onWorker(key) { path throws(FileError) in
            let file = try OpenFile(path: path, flags: O_RDONLY | O_NONBLOCK)
            let status = try Self.objectStatus(file)
            let bytes = try file.read(at: 0, count: status.size)
            guard bytes.count == status.size else {
                throw FileError(call: "pread", number: EIO)
            }
            return ObjectData(bytes: bytes, metadata: Self.metadata(key, status))
        }
    }

    package func get(_ key: String, range: Range<Int>) async throws -> [UInt8] {
        try validateKey(key, store: root)
        if range.isEmpty { return [] }
        let (bytes, size) = try await onWorker(key) { path throws(FileError) -> ([UInt8], Int) in
            let file = try OpenFile(path: path, flags: O_RDONLY | O_NONBLOCK)
            let status = try Self.objectStatus(file)
            guard range.lowerBound >= 0, range.lowerBound < status.size else {
                return ([], status.size)
            }
            let count = min(range.upperBound, status.size) - range.lowerBound
            return (try file.read(at: range.lowerBound, count: count), status.size)
        }
        guard !bytes.isEmpty else { throw rangeError(range, size: size, key: key, store: root) }
        return bytes
    }

    package func getRanges(_ key: String, _ ranges: [Range<Int>]) async throws -> [[UInt8]] {
        try validateKey(key, store: root)
        // Each range by itself: a call costs less than reading what lies between, and cutting it out.
        let answers = try await onWorker(key) { path throws(FileError) -> [[UInt8]] in
            let file = try OpenFile(path: path, flags: O_RDONLY | O_NONBLOCK)
            _ = try Self.objectStatus(file)
            var answers: [[UInt8]] = []
            answers.reserveCapacity(ranges.count)
            for range in ranges where range.lowerBound >= 0 {
                answers.append(try file.read(at: range.lowerBound, count: range.count))
            }
            return answers
        }
        guard answers.count == ranges.count else {
            throw ObjectStoreError(
                .rangeNotSatisfiable,
                "a range begins before the object",
                key: key,
                store: root
            )
        }
        for (range, bytes) in zip(ranges, answers) where bytes.count < range.count {
            throw ObjectStoreError(
                .rangeNotSatisfiable,
                "the object ends at byte \(range.lowerBound + bytes.count), inside a range to read",
                key: key,
                store: root
            )
        }
        return answers
    }

    package func getSuffix(_ key: String, count: Int) async throws -> ObjectSuffix {
        try await onWorker(key) { path throws(FileError) in
            let file = try OpenFile(path: path, flags: O_RDONLY | O_NONBLOCK)
            let status = try Self.objectStatus(file)
            let count = min(max(count, 0), status.size)
            return ObjectSuffix(
                bytes: try file.read(at: status.size - count, count: count),
                objectSize: status.size,
                entityTag: status.entityTag
            )
        }
    }

    package func head(_ key: String) async throws -> ObjectMetadata {
        try await onWorker(key) { path throws(FileError) in
            let status = try FileStatus(path: path)
            guard status.kind == .file else { throw FileError(call: "stat", number: ENOENT) }
            return Self.metadata(key, status)
        }
    }

    package func list(
        prefix: String,
        startAfter: String?,
        delimiter: Bool,
        limit: Int,
        continuation: String?
    ) async throws -> ListPage {
        try validatePrefix(prefix, store: root)
        let builder = ListPageBuilder(
            prefix: prefix,
            startAfter: startAfter,
            delimiter: delimiter,
            limit: limit,
            continuation: continuation
        )
        let after = [startAfter, continuation].compactMap { $0.map(ByteOrderedKey.init) }.max()
        return try await onWorker(nil) { path throws(FileError) in
            var listing = FolderListing(
                root: path,
                prefix: prefix,
                delimiter: delimiter,
                after: after,
                continuation: continuation,
                builder: builder
            )
            return try listing.page()
        }
    }

    package func beginUpload(_ key: String) async throws -> any ObjectUpload {
        try validateKey(key, store: root)
        let store = self
        return try await onWorker(key, isWrite: true) { path throws(FileError) in
            FolderUpload(store: store, key: key, path: path, file: try store.makeTemporary())
        }
    }

    // MARK: Files

    /// Whether asking about names takes no longer than a call of the system.
    private var isLocal: Bool {
        let known = locality.load(ordering: .relaxed)
        if known != .unknown { return known == .local }
        let found = FileSystemLocality(path: path)
        locality.store(found, ordering: .relaxed)
        return found == .local
    }

    /// The status of the file that is an object; anything else counts as absent.
    private static func objectStatus(_ file: borrowing OpenFile) throws(FileError) -> FileStatus {
        let status = try file.status()
        guard status.kind == .file else { throw FileError(call: "open", number: ENOENT) }
        return status
    }

    static func metadata(_ key: String, _ status: FileStatus) -> ObjectMetadata {
        ObjectMetadata(
            key: key,
            size: status.size,
            entityTag: status.entityTag,
            lastModifiedMicros: status.modifiedNanos / 1000
        )
    }

    /// Runs blocking work with the path of a key, and translates what goes wrong.
    ///
    /// - Parameter key: nil for work on the whole folder, which then gets the root's path.
    func onWorker<Value: Sendable>(
        _ key: String?,
        isWrite: Bool = false,
        _ work: @escaping @Sendable (String) throws(FileError) -> Value
    ) async throws -> Value {
        if let key { try validateKey(key, store: root) }
        let path = key.map { "\(self.path)/\($0)" } ?? self.path
        do {
            return try await workers.run { try work(path) }
        } catch let error as FileError {
            throw translated(error, key: key ?? "", isWrite: isWrite)
        } catch let error as AmbientError {
            throw ObjectStoreError(.unavailable, error.message, key: key ?? "", store: root)
        }
    }

    private func translated(_ error: FileError, key: String, isWrite: Bool) -> ObjectStoreError {
        let code: ObjectStoreError.Code
        var text = error.text
        switch error.number {
        case ENOENT where !isWrite:
            code = .notFound
            text = "no such object"
        case ENOTDIR where !isWrite:
            code = .notFound
            text = "no such object"
        case ENOTDIR, EISDIR:
            code = .invalid
            text += "; a name cannot be an object and a folder at once"
        case EEXIST:
            code = .alreadyExists
            text = "the key is taken"
        case EACCES, EPERM, EROFS:
            code = .denied
        case ENAMETOOLONG, ELOOP, EXDEV, EINVAL:
            code = .invalid
        case ENOSYS, ENOTSUP:
            code = .unsupported
        default:
            code = .unavailable
        }
        return ObjectStoreError(code, text, key: key, store: root)
    }
}
