import Ambient
import Bytes
import Catalog
package import CommitLog
import Lineage

/// What a walk over the log of events found.
package struct EventLogVerification: Sendable {
    package struct Fault: Sendable {
        /// The object at fault, relative to the warehouse's root, and the event in it.
        package var place: String
        package var message: String
    }

    /// How many faults of events are listed one by one; of the rest one fault says how many they are.
    static let listedCountMax = 1000

    /// Nil where the log could not even be opened.
    package var log: LogVerification?
    package var eventCount = 0
    package private(set) var faults: [Fault] = []
    /// Events with a fault that are not listed.
    private var unlistedCount = 0

    /// What was checked, in a line for people.
    package var line: String {
        guard let log else { return "Events: the log could not be read" }
        return "Events: \(log.last) entries, \(eventCount) events, "
            + "\(log.checkpointCount) checkpoints, head \(log.hash)"
    }

    mutating func add(_ fault: LogVerification.Fault) {
        faults.append(Fault(place: Self.place(fault.key), message: fault.message))
    }

    /// Checks an entry's events: that each is one, and has the name that its content gives it.
    fileprivate mutating func check(_ entry: LogEntry) {
        for (index, commit) in entry.commits.enumerated() {
            eventCount += 1
            guard let message = Self.fault(of: commit) else { continue }
            guard faults.count < Self.listedCountMax else {
                unlistedCount += 1
                continue
            }
            let place = "event \(index) of \(Self.place(LogEntry.key(of: entry.sequence)))"
            faults.append(Fault(place: place, message: message))
        }
    }

    fileprivate mutating func tellUnlisted() {
        guard unlistedCount > 0 else { return }
        let message = "\(unlistedCount) more events have a fault"
        faults.append(Fault(place: EventMachine.rootKey, message: message))
    }

    private static func fault(of commit: LoggedCommit) -> String? {
        do throws(LineageError) {
            let event = try EventMachine.event(of: commit)
            _ = try OpenLineageEvent(event)
            let id = AcceptedEvent.id(of: event)
            return id == commit.id ? nil : "its id is \(commit.id), but its content gives \(id)"
        } catch {
            return "it is no event that this version reads: \(error)"
        }
    }

    fileprivate static func place(_ key: String) -> String { "\(EventMachine.rootKey)/\(key)" }
}

extension LineageEventLog {
    /// Walks over the log from its first entry: checksums, numbers, the chain of hashes, checkpoints, and every event.
    ///
    /// - Throws: only when the store fails or the task is cancelled.
    func verify() async throws -> EventLogVerification {
        var found = EventLogVerification()
        let walked = try await log.verify { entry in found.check(entry) }
        found.log = walked
        found.tellUnlisted()
        for fault in [walked.fault].compactMap({ $0 }) + walked.checkpointFaults {
            found.add(fault)
        }
        return found
    }

    /// Writes a checkpoint of the log as it is now; nil for one without entries.
    func writeCheckpoint() async throws -> CheckpointReport? {
        guard try await log.read().tip.sequence > 0 else { return nil }
        return try await log.writeCheckpoint()
    }

    /// Removes old checkpoints; see `SharedLog.sweepCheckpoints`.
    func sweepCheckpoints(graceMillis: Int64, isDry: Bool) async throws -> CheckpointSweep {
        try await log.sweepCheckpoints(graceMillis: graceMillis, isDry: isDry)
    }

    /// Moves old entries to archives; see `SharedLog.archive`.
    func archive(
        throughMillis time: Int64,
        graceMillis: Int64,
        isDry: Bool
    ) async throws -> ArchiveReport {
        try await log.archive(throughMillis: time, graceMillis: graceMillis, isDry: isDry)
    }

    /// How many checkpoints in the background were not written.
    var checkpointFailureCount: Int { log.checkpointFailureCount }

    /// Tells somebody of checkpoints that are damaged, and from now on of those that are not written.
    func observe(_ observer: @escaping @Sendable (String) -> Void) {
        for fault in log.checkpointFaults {
            observer(
                "the checkpoint \(EventMachine.rootKey)/\(fault.key) is damaged and was not used: "
                    + "\(fault.message). The log itself is read instead; "
                    + "`varve maintain --checkpoint` writes another one"
            )
        }
        log.observeCheckpointFailures { reason in
            observer(
                "a checkpoint of \(EventMachine.rootKey) was not written: \(reason). Nothing is lost, "
                    + "but starts take longer; `varve maintain --checkpoint` tries again"
            )
        }
    }
}

extension Engine {
    /// Calls somebody for everything about the log of events that went wrong in the background.
    package func observeLineageEvents(_ observer: @escaping @Sendable (String) -> Void) async {
        await eventLogOpening.observe(observer)
    }

    /// How many checkpoints of the log of events could not be written in the background.
    package var eventCheckpointFailureCount: Int {
        get async { await eventLogOpening.opened?.checkpointFailureCount ?? 0 }
    }

    /// Checks the log of events; nil where nobody has sent any.
    package func verifyLineageEvents() async throws -> EventLogVerification? {
        do {
            return try await openLineageEvents(creating: false)?.verify()
        } catch let error as CommitLogError {
            var found = EventLogVerification()
            found.add(LogVerification.Fault(key: error.key, message: error.message))
            return found
        }
    }
}

extension Session {
    private func events() async throws -> LineageEventLog? {
        try requirePresent()
        return try await engine.openLineageEvents(creating: false)
    }

    /// Writes a checkpoint of the log of events; nil where there are none.
    package func writeEventCheckpoint() async throws -> CheckpointReport? {
        try await events()?.writeCheckpoint()
    }

    /// Removes old checkpoints of the log of events; nil where there are none.
    package func sweepEventCheckpoints(
        graceMillis: Int64,
        isDry: Bool
    ) async throws -> CheckpointSweep? {
        try await events()?.sweepCheckpoints(graceMillis: graceMillis, isDry: isDry)
    }

    /// Moves old entries of the log of events to archives; nil where there are none.
    package func archiveEvents(
        ageMillisMin: Int64,
        graceMillis: Int64,
        isDry: Bool
    ) async throws -> ArchiveReport? {
        let now = engine.options.ambient.time.nowMicros() / 1000
        return try await events()?.archive(
            throughMillis: now - ageMillisMin,
            graceMillis: graceMillis,
            isDry: isDry
        )
    }

    /// Whether there is a log of events.
    package func hasEvents() async throws -> Bool { try await events() != nil }
}
