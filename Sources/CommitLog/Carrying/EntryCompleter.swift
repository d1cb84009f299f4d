import Ambient
import ObjectStorage
import Synchronization

// Invariant: an entry that has a successor has all of its files. Whoever creates entry N+1 has seen the state
// after N, and nobody sees it before the files of N are there. So only the last entry can lack files:
//
//     entry N has no files, or N+1 is there   -> complete
//     we are writing entry N and its files    -> wait for ourselves
//     all files are there                     -> complete
//     else                                    -> its writer is just writing them, or died: after a moment
//                                                those that are missing are written from what N carries
//
// Names are never used twice and a name's bytes are always the same, so it does no harm when several do so at
// once, or when one comes late; a file that was removed meanwhile and comes to lie there again is an orphan.

/// Makes sure that the files of the log's last entry are there, before anybody sees what it says.
final class EntryCompleter: Sendable {
    private struct State {
        /// SHA-256 of the last entry that is known to be complete.
        var complete = ""
        /// SHA-256 of entries that this process is writing together with their files.
        var underWay: Set<String> = []
        /// How long the files may be behind their entry when nothing goes wrong.
        var graceMillis: Int64 = 20
    }

    /// Requests at once.
    private static let parallelCountMax = 64
    /// How often a store that fails is asked.
    private static let attemptCountMax = 4
    /// Looks at what this process itself does, should time stand still.
    private static let pollCountMax = 1000
    private static let pollNanos: Int64 = 2_000_000

    private let store: any ObjectStore
    private let ambient: AmbientSources
    /// How long somebody who may not write waits for others.
    private let waitMillisMax: Int64
    private let state = Mutex(State())

    init(store: any ObjectStore, ambient: AmbientSources, waitMillisMax: Int64) {
        self.store = store
        self.ambient = ambient
        self.waitMillisMax = waitMillisMax
    }

    /// Says that this process is about to write an entry and its files.
    func begin(_ hash: String) { state.withLock { _ = $0.underWay.insert(hash) } }

    /// Says that it does so no more.
    func end(_ hash: String, isComplete: Bool) {
        state.withLock { state in
            state.underWay.remove(hash)
            if isComplete { state.complete = hash }
        }
    }

    /// Notes how long the store takes to create an object.
    func note(createMillis: Int64) {
        state.withLock { $0.graceMillis = min(max(createMillis, 5), 100) }
    }

    /// Whether an entry need not be looked at.
    func isComplete(_ entry: LogEntry, _ hash: String) -> Bool {
        entry.files.isEmpty || state.withLock { $0.complete == hash }
    }

    private func isUnderWay(_ hash: String) -> Bool {
        state.withLock { $0.underWay.contains(hash) }
    }

    /// The files that are not in the store; nil while this process is writing the entry itself.
    func missing(of entry: LogEntry, _ hash: String) async throws -> [CarriedFile]? {
        isUnderWay(hash) ? nil : try await missing(of: entry.files)
    }

    private func missing(of files: [CarriedFile]) async throws -> [CarriedFile] {
        let store = store
        return try await mapBounded(files, countMax: Self.parallelCountMax) { file in
            do {
                _ = try await store.head(file.key)
                return nil
            } catch let error as ObjectStoreError {
                guard error.code == .notFound else { throw error }
                return file
            }
        }
        .compactMap { $0 }
    }

    /// Returns when all files of an entry are there that had no successor a moment ago.
    ///
    /// - Parameters:
    ///   - hash: of the entry's bytes.
    ///   - known: what was missing a moment ago; nil when nobody looked.
    /// - Throws: `corrupt` when a file is missing and what the entry carries of it is damaged; `busy` when it is
    ///   missing and this process may not write it.
    func complete(_ entry: LogEntry, _ hash: String, missing known: [CarriedFile]?) async throws {
        var pollCount = 0
        while isUnderWay(hash), pollCount < Self.pollCountMax {
            try await ambient.time.sleep(nanoseconds: Self.pollNanos)
            pollCount += 1
        }
        if isComplete(entry, hash) { return }
        var missing: [CarriedFile]
        if pollCount == 0, let known {
            missing = known
        } else {
            missing = try await self.missing(of: entry.files)
        }
        if !missing.isEmpty, pollCount == 0 {
            // Whoever wrote the entry most likely sent them with it.
            let graceMillis = state.withLock { $0.graceMillis }
            try await ambient.time.sleep(nanoseconds: graceMillis * 1_000_000)
            missing = try await self.missing(of: missing)
        }
        if !missing.isEmpty { try await write(missing, of: entry) }
        state.withLock { $0.complete = hash }
    }

    /// Writes files that are missing from what their entry carries.
    private func write(_ files: [CarriedFile], of entry: LogEntry) async throws {
        var missing = files
        var attemptCount = 0
        while !missing.isEmpty {
            do {
                let store = store
                _ = try await mapBounded(missing, countMax: Self.parallelCountMax) { file in
                    let bytes: [UInt8]
                    do throws(CommitLogError) {
                        bytes = try file.bytes()
                    } catch {
                        throw Self.fault(error.code, file, of: entry, error.message)
                    }
                    try await store.put(file.key, bytes)
                }
                return
            } catch let error as ObjectStoreError {
                switch error.code {
                case .denied, .unsupported:
                    return try await wait(for: missing, of: entry)
                case .unavailable, .unknownOutcome:
                    attemptCount += 1
                    guard attemptCount < Self.attemptCountMax else {
                        throw ObjectStoreError(
                            .unavailable,
                            "a file of \(LogEntry.key(of: entry.sequence)) cannot be written: "
                                + error.message,
                            key: error.key,
                            store: error.store,
                            status: error.status
                        )
                    }
                    let nanos = ambient.random.number(below: 20_000_000 << Int64(attemptCount))
                    try await ambient.time.sleep(nanoseconds: nanos)
                    missing = try await self.missing(of: missing)
                default: throw error
                }
            }
        }
    }

    /// Waits for others who write what this process may not.
    private func wait(for files: [CarriedFile], of entry: LogEntry) async throws {
        var missing = files
        var waitedMillis: Int64 = 0
        var stepMillis: Int64 = 10
        while true {
            missing = try await self.missing(of: missing)
            guard let first = missing.first else { return }
            guard waitedMillis < waitMillisMax else {
                throw Self.fault(
                    .busy,
                    first,
                    of: entry,
                    "it is not there yet, and this process may not write it: a server with write access "
                        + "completes the entry when it starts, reads or commits"
                )
            }
            try await ambient.time.sleep(nanoseconds: stepMillis * 1_000_000)
            waitedMillis += stepMillis
            stepMillis = min(stepMillis * 2, 500)
        }
    }

    private static func fault(
        _ code: CommitLogError.Code,
        _ file: CarriedFile,
        of entry: LogEntry,
        _ message: String
    ) -> CommitLogError {
        CommitLogError(
            code,
            "the entry's file \(file.key): \(message)",
            key: LogEntry.key(of: entry.sequence)
        )
    }
}
