import Bytes
import CommitLog
import ObjectStorage
import Synchronization

/// A log machine for tests: numbered appends to named lists, each of which may say what it expects.
struct LedgerMachine: LogMachine {
    typealias State = [String: [String]]

    struct Request: Sendable {
        var id: String
        var list: String
        var item: String
        /// Fails unless the list has this many items.
        var expectedCount: Int?
        var padding = 0
        /// Fails with this error, whatever the state.
        var failure: LedgerError?
    }

    struct Outcome: Sendable, Equatable {
        var position: Int64
        var timeMillis: Int64
        var item: String
    }

    struct LedgerError: Error, Equatable {
        var message: String
    }

    struct Batch: CommitBatch {
        let machine: LedgerMachine
        let header: LogEntry.Header
        var state: State
        var uploads: [(key: String, bytes: [UInt8])] = []

        mutating func prepare(
            _ request: Request
        ) async throws -> (commit: LoggedCommit, outcome: Outcome) {
            await Task.yield()
            if let failure = request.failure { throw failure }
            let count = state[request.list]?.count ?? 0
            if let expected = request.expectedCount, expected != count {
                throw LedgerError(message: "\(request.list) has \(count), not \(expected)")
            }
            var change: JSONObject = [
                "list": .string(request.list), "item": .string(request.item),
            ]
            if let file = machine.files?.next(for: request) {
                change["file"] = .string(file.key)
                uploads.append(file)
            }
            let commit = LoggedCommit(
                id: request.id,
                actor: "test",
                message: request.padding > 0 ? String(repeating: "x", count: request.padding) : nil,
                changes: [.object(change)]
            )
            try machine.apply(commit, of: header, to: &state)
            let outcome = Outcome(
                position: header.sequence,
                timeMillis: header.timeMillis,
                item: request.item
            )
            return (commit, outcome)
        }

        var uploadByteCount: Int { 0 }

        func upload() async throws {
            try await machine.uploads()
            guard let store = machine.files?.store else { return }
            for file in uploads { try await store.put(file.key, file.bytes) }
        }
    }

    /// Gives every commit a file of its own, under a new name each time that it is prepared.
    final class Files: Sendable {
        let store: any ObjectStore
        private let name: String
        private let count = Mutex(0)

        init(_ store: any ObjectStore, name: String) {
            self.store = store
            self.name = name
        }

        func next(for request: Request) -> (key: String, bytes: [UInt8]) {
            let number = count.withLock { count in
                count += 1
                return count
            }
            return ("files/\(name)/\(number)-\(request.id)", Array("file of \(request.item)".utf8))
        }
    }

    /// Where commits have files; nil for none.
    var files: Files?

    /// Ends every item; for programs that understand entries wrongly.
    var suffix = ""
    /// What an entry's commits need to be written before it.
    var uploads: @Sendable () async throws -> Void = {}

    var initialState: State { [:] }

    func apply(_ commit: LoggedCommit, of header: LogEntry.Header, to state: inout State) throws {
        for change in commit.changes {
            guard let list = change["list"]?.string, let item = change["item"]?.string else {
                throw LedgerError(message: "an unknown change")
            }
            state[list, default: []].append(item + suffix)
        }
    }

    func changedKeys(
        by commit: LoggedCommit,
        from before: State,
        to after: State
    ) throws -> [[UInt8]] {
        commit.changes.compactMap { $0["list"]?.string.map { Array($0.utf8) } }
    }

    func recordValue(_ key: [UInt8], in state: State) -> [UInt8]? {
        state[String(decoding: key, as: UTF8.self)].map { JSON.strings($0).serialized() }
    }

    func records(of state: State) -> [CheckpointRecord] {
        state.map { list, items in
            CheckpointRecord(
                key: Array(list.utf8)[...],
                value: JSON.strings(items).serialized()[...]
            )
        }
    }

    func recordCount(of state: State) -> Int { state.count }

    func makeState(of records: [CheckpointRecord]) throws -> State {
        var state: State = [:]
        for record in records {
            let items = try JSON.parse(Array(record.value ?? [])).array?.compactMap(\.string)
            guard let items else { throw LedgerError(message: "a record that is no list") }
            state[String(decoding: record.key, as: UTF8.self)] = items
        }
        return state
    }

    func commitID(of request: Request) -> String { request.id }

    func makeBatch(
        for requests: [Request],
        on state: State,
        header: LogEntry.Header,
        combines: Bool
    ) async -> Batch {
        Batch(machine: self, header: header, state: state)
    }

    func outcome(of commit: LoggedCommit, at position: LogEntry.Header) async throws -> Outcome {
        Outcome(
            position: position.sequence,
            timeMillis: position.timeMillis,
            item: commit.changes.first?["item"]?.string ?? ""
        )
    }
}
