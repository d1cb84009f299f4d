import Ambient
import ObjectStorage
import Synchronization

// Files first and then the entry is two round trips, one after the other. An entry that carries its files can be
// created while they are written: should its writer die in between, whoever reads the entry next writes them.
//
//     two steps:   files ------>  entry ------>  answer
//     carrying:    files ------>
//                  entry ------>  answer
//
// That is done where it pays: where the store is far away, the files are small, and no others are about to read
// the entry at once and look for its files.

/// What a process knows of whether entries should carry files.
struct CarryingHint: Sendable {
    /// No more folders are remembered.
    static let folderCountMax = 10_000

    /// Folders that this process has written to.
    ///
    /// Files of others go first: where the store refuses them, no entry must land that nobody could complete.
    var folders: Set<String> = []
    /// Whether the last attempt at an entry carried files.
    var didCarry = false

    /// A file's folder, as far down as rights are likely to differ: its first three parts.
    static func folder(of key: String) -> String {
        let parts = key.split(separator: "/").dropLast()
        return parts.prefix(3).joined(separator: "/")
    }
}

extension SharedLog {
    /// A round trip that is shorter than this is not worth an entry's bytes.
    private static var createMillisMin: Int64 { 8 }
    private static var carriedCountMax: Int { 256 }

    /// The files that an entry is to carry; none when they are to be written first.
    func carriedFiles(of batch: Machine.Batch) -> [CarriedFile] {
        let bytesMax = options.carriesAlways ? Int.max / 64 : options.carriedBytesMax
        guard bytesMax > 0, options.carriesAlways || isCarryingWorthwhile else { return [] }
        let uploads = batch.uploads
        guard uploads.count <= Self.carriedCountMax,
            // What is much too large before it is compressed is so afterwards.
            uploads.reduce(0, { $0 + $1.bytes.count }) <= bytesMax * 16,
            uploads.allSatisfy({
                $0.bytes.count <= CarriedFile.byteCountMax && CarriedFile.isCarriable($0.key)
            })
        else { return [] }
        if !options.carriesAlways {
            let folders = Set(uploads.map { CarryingHint.folder(of: $0.key) })
            let areKnown = core.withLock { folders.isSubset(of: $0.carrying.folders) }
            if !areKnown { return [] }
        }
        var files: [CarriedFile] = []
        var byteCount = 0
        for upload in uploads {
            guard let file = try? CarriedFile(key: upload.key, bytes: upload.bytes) else {
                return []
            }
            byteCount += file.encodedByteCount
            if byteCount > bytesMax { return [] }
            files.append(file)
        }
        return files
    }

    private var isCarryingWorthwhile: Bool {
        store.isFar && !expectsRivals
            && core.withLock { $0.createMillis } >= Self.createMillisMin
    }

    /// Writes the files of a batch before its entry.
    func uploadFirst(_ batch: Machine.Batch) async throws {
        guard options.carriedBytesMax > 0, store.isFar else { return try await batch.upload() }
        // What is written for good is none of them afterwards.
        let folders = Set(batch.uploads.map { CarryingHint.folder(of: $0.key) })
        try await batch.upload()
        core.withLock { core in
            if core.carrying.folders.count + folders.count > CarryingHint.folderCountMax {
                core.carrying.folders = []
            }
            core.carrying.folders.formUnion(folders)
        }
    }

    /// Creates an entry's object.
    func putEntry(_ sequence: Int64, _ bytes: [UInt8]) async throws {
        let began = ambient.time.monotonicNanos()
        defer {
            let millis = (ambient.time.monotonicNanos() - began) / 1_000_000
            // One that was slow by chance shall not make us look for turns more seldom than others do.
            core.withLock { core in
                core.createMillis = (core.createMillis * 3 + min(max(millis, 1), 100) + 3) / 4
            }
            reader.completer.note(createMillis: millis)
        }
        try await store.putIfAbsent(LogEntry.key(of: sequence), bytes)
    }

    /// Creates an entry's object, and writes the files that it carries at the same time.
    ///
    /// - Returns: how it went with the files.
    /// - Throws: when the entry was not created, or nobody knows.
    func putEntry(
        _ sequence: Int64,
        _ bytes: [UInt8],
        with batch: Machine.Batch
    ) async throws -> Result<Void, any Error> {
        let hash = sha256Text(bytes)
        reader.completer.begin(hash)
        var isComplete = false
        defer { reader.completer.end(hash, isComplete: isComplete) }
        let uploaded: Result<Void, any Error> = try await withThrowingTaskGroup(
            of: Result<Void, any Error>.self
        ) { group in
            group.addTask {
                do {
                    return .success(try await batch.upload())
                } catch {
                    return .failure(error)
                }
            }
            do {
                try await putEntry(sequence, bytes)
            } catch {
                group.cancelAll()
                throw error
            }
            return try await group.next() ?? .failure(CancellationError())
        }
        if case .success = uploaded { isComplete = true }
        return uploaded
    }
}
