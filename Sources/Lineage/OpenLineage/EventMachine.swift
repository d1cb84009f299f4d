package import Bytes
package import CommitLog

// The log of events: the same kind of log as the catalog's, under a root of its own, so that events and commits
// never wait for each other. What events mean is folded elsewhere (OpenLineageModel); here is only what keeps an
// event from being there twice, and that is the log's own memory of the ids of commits.
//
// Spec: Formats/lineage-events/README.md.

/// An event that somebody sent.
package struct EventRequest: Sendable {
    package var event: AcceptedEvent
    /// Who sent it.
    package var actor: String
    package var requestID: String?

    package init(event: AcceptedEvent, actor: String, requestID: String? = nil) {
        self.event = event
        self.actor = actor
        self.requestID = requestID
    }
}

/// Proof of an event that is in the log.
package struct EventReceipt: Sendable, Equatable {
    /// The event's id.
    package let id: String
    /// The entry that carries it.
    package let position: Int64
    /// Whether it was there before.
    package let isReplay: Bool
}

/// Gives the log of events its meaning: every commit is one event, and its id is the event's.
package struct EventMachine: LogMachine {
    package struct State: Sendable, Equatable {
        /// How many events the log has.
        package var eventCount: Int64 = 0
    }

    package struct Batch: CommitBatch {
        let header: LogEntry.Header

        package mutating func prepare(
            _ request: EventRequest
        ) async throws -> (commit: LoggedCommit, outcome: EventReceipt) {
            let commit = LoggedCommit(
                id: request.event.id,
                actor: request.actor,
                requestID: request.requestID,
                change: LoggedCommit.TextChange(
                    kind: EventMachine.changeKind,
                    member: EventMachine.changeMember,
                    value: request.event.view
                )
            )
            let receipt = EventReceipt(
                id: commit.id,
                position: header.sequence,
                isReplay: false
            )
            return (commit, receipt)
        }

        package var uploadByteCount: Int { 0 }
        package var uploads: [(key: String, bytes: [UInt8])] { [] }
        package func upload() async throws {}
    }

    /// Where the log lies, relative to the warehouse's root.
    package static let rootKey = "_varve/lineage/events"
    private static let changeKind = "add-event"
    private static let changeMember = "event"
    private static let countKey = Array("event-count".utf8)

    package init() {}

    /// Events are large, and of most of what they say nothing is needed.
    package var keepsText: Bool { true }

    package var initialState: State { State() }

    /// The event that a commit of the log is.
    ///
    /// - Throws: `unsupported` when a later version wrote it.
    package static func event(of commit: LoggedCommit) throws(LineageError) -> JSONView {
        if let change = commit.textChange, change.kind == changeKind, change.member == changeMember
        {
            return change.value
        }
        // Members that this version does not know may stand beside the event.
        let changes = commit.changes
        guard changes.count == 1, changes[0]["change"]?.string == changeKind,
            let event = changes[0][changeMember]
        else {
            throw LineageError(
                .unsupported,
                "the log of events has a change that this version does not know (\(commit.id))"
            )
        }
        do throws(BytesError) {
            return try JSONView(event)
        } catch {
            throw LineageError(.corrupt, "the event cannot be written as JSON: \(error)")
        }
    }

    package func apply(
        _ commit: LoggedCommit,
        of header: LogEntry.Header,
        to state: inout State
    ) throws {
        _ = try Self.event(of: commit)
        state.eventCount += 1
    }

    package func changedKeys(
        by commit: LoggedCommit,
        from before: State,
        to after: State
    ) throws -> [[UInt8]] { [Self.countKey] }

    package func recordValue(_ key: [UInt8], in state: State) -> [UInt8]? {
        guard key == Self.countKey, state.eventCount > 0 else { return nil }
        return Array(String(state.eventCount).utf8)
    }

    package func records(of state: State) -> [CheckpointRecord] {
        guard let value = recordValue(Self.countKey, in: state) else { return [] }
        return [CheckpointRecord(key: Self.countKey[...], value: value[...])]
    }

    package func recordCount(of state: State) -> Int { state.eventCount > 0 ? 1 : 0 }

    package func makeState(of records: [CheckpointRecord]) throws -> State {
        guard let record = records.first else { return State() }
        guard records.count == 1, Array(record.key) == Self.countKey, let value = record.value,
            let count = Int64(String(decoding: value, as: UTF8.self)), count > 0
        else {
            throw LineageError(.corrupt, "the checkpoint is not one of a log of events")
        }
        return State(eventCount: count)
    }

    package func commitID(of request: EventRequest) -> String { request.event.id }

    package func makeBatch(
        for requests: [EventRequest],
        on state: State,
        header: LogEntry.Header,
        combines: Bool
    ) async -> Batch {
        Batch(header: header)
    }

    package func outcome(
        of commit: LoggedCommit,
        at position: LogEntry.Header
    ) async throws -> EventReceipt {
        EventReceipt(id: commit.id, position: position.sequence, isReplay: true)
    }
}
