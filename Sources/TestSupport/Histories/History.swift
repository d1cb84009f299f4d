/// What somebody saw of the catalog.
package struct ObservedCatalog: Sendable {
    package var position: Int64
    package var timeMillis: Int64
    package var hash: String
    package var model: CatalogModel
    /// Tables that were opened, by name.
    package var contents: [TableName: TableContent]

    package init(
        position: Int64,
        timeMillis: Int64,
        hash: String,
        model: CatalogModel,
        contents: [TableName: TableContent] = [:]
    ) {
        self.position = position
        self.timeMillis = timeMillis
        self.hash = hash
        self.model = model
        self.contents = contents
    }
}

/// How somebody asked to see the catalog.
package enum HistoryReading: Sendable, Equatable {
    /// Sees everything that happened before it began.
    case strong
    /// May be this old, in nanoseconds of the world's time.
    case bounded(nanoseconds: Int64)
    case asOfPosition(Int64)
    case asOfTime(Int64)
}

/// What was promised about a transaction.
package enum HistoryIsolation: Sendable, Equatable {
    /// There is only the commit.
    case single
    /// Tables that it changes were those that it read.
    case snapshot(read: ObservedCatalog)
    /// Everything that it looked at was as it read it.
    case serializable(read: ObservedCatalog, names: [TableName])

    package static func == (left: HistoryIsolation, right: HistoryIsolation) -> Bool {
        "\(left)" == "\(right)"
    }
}

/// What somebody asked to commit.
package struct HistoryCommit: Sendable {
    /// One asking of one server.
    package struct Attempt: Sendable {
        package var server: Int
        package var id: String
        package var invoked: SimulatedWorld.Moment
        package var completed: SimulatedWorld.Moment
        package var outcome: HistoryOperation.Outcome

        package init(
            server: Int,
            id: String,
            invoked: SimulatedWorld.Moment,
            completed: SimulatedWorld.Moment,
            outcome: HistoryOperation.Outcome
        ) {
            self.server = server
            self.id = id
            self.invoked = invoked
            self.completed = completed
            self.outcome = outcome
        }
    }

    package var steps: [HistoryStep]
    package var isolation: HistoryIsolation
    package var attempts: [Attempt]

    package init(
        steps: [HistoryStep],
        isolation: HistoryIsolation = .single,
        attempts: [Attempt] = []
    ) {
        self.steps = steps
        self.isolation = isolation
        self.attempts = attempts
    }
}

/// Something that a client did.
package struct HistoryOperation: Sendable {
    /// What a client asked for.
    package enum Call: Sendable {
        case read(HistoryReading)
        case commit(HistoryCommit)
        /// What nobody can see: checkpoints, archiving, what happens to servers.
        case other(String)
    }

    /// What became of it, as far as the client knows.
    package enum Outcome: Sendable {
        case saw(ObservedCatalog)
        case committed(position: Int64, timeMillis: Int64, isReplay: Bool)
        case done
        /// Nothing was changed, because of what the catalog is (a name is taken, ...).
        case refused(String)
        /// Nothing was changed, because of the servers or the store.
        case failed(String)
        /// It may have happened or not, or may yet happen.
        case unknown(String)
    }

    package var client: Int
    package var server: Int
    /// Which of the processes of that server, one after the other, was asked.
    package var incarnation: Int
    package var invoked: SimulatedWorld.Moment
    package var completed: SimulatedWorld.Moment
    package var call: Call
    package var outcome: Outcome

    package init(
        client: Int,
        server: Int,
        incarnation: Int,
        invoked: SimulatedWorld.Moment,
        completed: SimulatedWorld.Moment,
        call: Call,
        outcome: Outcome
    ) {
        self.client = client
        self.server = server
        self.incarnation = incarnation
        self.invoked = invoked
        self.completed = completed
        self.call = call
        self.outcome = outcome
    }
}

/// Everything that clients did, and what came to lie in the log.
package struct History: Sendable {
    /// What the first entry follows: SHA-256 and creation of the warehouse object.
    package var warehouseHash: String
    package var createdMillis: Int64
    package var operations: [HistoryOperation]
    package var writings: [LogWitness.Writing]
    /// Table metadata files by location.
    package var metadata: [String: [UInt8]]
    /// The ids of commits that no client asked for.
    package var foreignIDs: Set<String>
    /// When each object of the store that is no entry was written first, by its full location.
    package var written: [String: SimulatedWorld.Moment]

    package init(
        warehouseHash: String,
        createdMillis: Int64,
        operations: [HistoryOperation],
        writings: [LogWitness.Writing],
        metadata: [String: [UInt8]],
        foreignIDs: Set<String> = [],
        written: [String: SimulatedWorld.Moment] = [:]
    ) {
        self.warehouseHash = warehouseHash
        self.createdMillis = createdMillis
        self.operations = operations
        self.writings = writings
        self.metadata = metadata
        self.foreignIDs = foreignIDs
        self.written = written
    }
}

// MARK: - For people

extension HistoryOperation: CustomStringConvertible {
    package var description: String {
        "[\(invoked.event)..\(completed.event)] client \(client), server "
            + "\(server).\(incarnation): \(call) -> \(outcome)"
    }
}

extension HistoryOperation.Call: CustomStringConvertible {
    package var description: String {
        switch self {
        case .read(let reading): return "read \(reading)"
        case .other(let name): return name
        case .commit(let commit):
            let attempts = commit.attempts.map { attempt in
                "\(attempt.id) by \(attempt.server) [\(attempt.invoked.event).."
                    + "\(attempt.completed.event)] \(attempt.outcome)"
            }
            let isolation: String
            switch commit.isolation {
            case .single: isolation = ""
            case .snapshot(let read): isolation = " (snapshot \(read.position))"
            case .serializable(let read, let names):
                isolation = " (serializable \(read.position), read \(names))"
            }
            return "commit\(isolation) \(commit.steps) {\(attempts.joined(separator: "; "))}"
        }
    }
}

extension HistoryOperation.Outcome: CustomStringConvertible {
    package var description: String {
        switch self {
        case .saw(let seen):
            let tables = seen.model.tables.sorted { $0.key < $1.key }.map { name, reference in
                let content = seen.contents[name].map { " \($0.snapshotIDs)" } ?? ""
                return "\(name)=\(reference)\(content)"
            }
            return "position \(seen.position) time \(seen.timeMillis): "
                + "\(seen.model.namespaces.keys.sorted()) \(tables)"
        case .committed(let position, let time, let isReplay):
            return "committed at \(position), time \(time)\(isReplay ? ", again" : "")"
        case .done: return "done"
        case .refused(let why): return "refused: \(why)"
        case .failed(let why): return "failed: \(why)"
        case .unknown(let why): return "unknown: \(why)"
        }
    }
}
