import Ambient
import Catalog
import CommitLog
import Logging
import ObjectStorage
import Synchronization

// One webhook on one server.
//
//     watching ──(no lease, or one that its holder does not renew)──▶ delivering
//        ▲                                                               │
//        └──(somebody else wrote the record, the store is gone, 410)─────┘
//
// 1. The place in the record never passes an event that the receiver has not taken: it is written after
//    the answer, and only over the record that was read when the lease was taken or written last. Whoever
//    takes over begins at a place that is not behind any event that is still owed.
// 2. So nothing is lost, whatever the clocks say and whoever believes to hold the lease. The lease only
//    saves double work: two who deliver at once send events twice, and one of them then fails to write.
// 3. Nobody compares wall clocks. Who waits measures by its own monotonic clock how long it has seen the
//    same record; the holder writes it anew three times in that time.
// 4. Events go out one message after the other: the next when the one before was taken.

/// Delivers the events of one webhook, as long as no other server does.
final class WebhookDelivery: Sendable {
    /// Sends one message once.
    typealias Send =
        @Sendable (
            _ headers: [(name: String, value: String)], _ body: [UInt8]
        ) async throws -> PostingClient.Answer

    /// What is known here of a webhook.
    struct Status: Sendable {
        /// The record as it was read or written last; nil before.
        var record: WebhookRecord?
        /// Where this server is, when it delivers.
        var place: WebhookRecord.Place?
        var failure: WebhookRecord.Failure?
        /// When the next attempt is made, in milliseconds since 1970.
        var nextAttemptMillis: Int64?
        /// Why the record or the log cannot be read or written now.
        var trouble: String?
        /// The end of the log as last seen.
        var newest: Int64 = 0
        var deliveredEventCount: UInt64 = 0
        var failedAttemptCount: UInt64 = 0
        /// The settings' name, when their receiver has just ended them.
        var ended: WebhookRecord.Disabling?
    }

    private static let keepNanos: Int64 = 250_000_000
    /// How often progress is written at most.
    private static let progressNanos: Int64 = 1_000_000_000
    /// How often the log is looked at; commits of this server are seen sooner.
    private static let lookMillis: Int64 = 1000
    private static let pauseNanos: Int64 = 50_000_000
    /// Entries read at once.
    private static let entryCountMax = 64
    private static let troubleNanos: Int64 = 2_000_000_000

    let settings: WebhookSettings
    private let holder: String
    private let catalog: WarehouseCatalog
    private let records: WebhookRecords
    private let messages: WebhookMessages
    private let signer: WebhookSigner
    private let ambient: AmbientSources
    private let logger: Logger
    private let send: Send
    private let state = Mutex(Status())
    /// What was read or written last while the lease is held here; one task at a time changes it.
    private let claim = Mutex<WebhookRecords.Stored?>(nil)

    init(
        _ settings: WebhookSettings,
        catalog: WarehouseCatalog,
        ambient: AmbientSources,
        logger: Logger,
        lineage: @escaping WebhookMessages.Events,
        send: @escaping Send
    ) {
        self.settings = settings
        self.catalog = catalog
        self.ambient = ambient
        self.send = send
        var logger = logger
        logger[metadataKey: "webhook"] = "\(settings.name)"
        self.logger = logger
        holder = "\(catalog.server)/\(ambient.uuidV4())"
        records = WebhookRecords(store: catalog.store, warehouseID: catalog.warehouse.id)
        messages = WebhookMessages(
            settings,
            warehouseID: catalog.warehouse.id,
            lineage: lineage
        )
        signer = WebhookSigner(secrets: settings.secrets)
    }

    var status: Status { state.withLock { $0 } }

    /// Whether the lease is held here.
    var isHere: Bool { claim.withLock { $0 != nil } }

    /// What the store says of the webhook now; nil when nobody has written it yet.
    func storedRecord() async throws -> WebhookRecord? {
        try await records.read(settings.name)?.record
    }

    /// Watches and delivers until the task is cancelled; `release` is then to be called.
    func run() async {
        var watched: (writeCount: Int64, sinceNanos: Int64)?
        while !Task.isCancelled {
            do {
                if try await take(&watched) { try await deliverWhileHeld() }
                note { $0.trouble = nil }
            } catch {
                if Task.isCancelled { break }
                trouble("the webhook's state", error)
            }
            claim.withLock { $0 = nil }
            note { status in
                status.place = nil
                status.nextAttemptMillis = nil
            }
            let pause = min(Int64(settings.leaseSeconds) * 250_000_000, 5_000_000_000)
            do { try await ambient.time.sleep(nanoseconds: pause) } catch { break }
        }
    }

    /// Gives the lease back, with the last place, so that another server goes on at once.
    func release() async {
        guard var stored = claim.withLock({ $0 }) else { return }
        defer { claim.withLock { $0 = nil } }
        do {
            for _ in 0..<2 {
                var record = current(stored.record)
                record.lease = nil
                if try await records.replace(stored, with: record) != nil { return }
                // A writing that was cancelled may have landed all the same.
                guard let found = try await records.read(settings.name),
                    found.record.lease?.holder == holder
                else { return }
                stored = found
            }
        } catch {
            logger.warning("lease of a webhook not given back", metadata: ["detail": "\(error)"])
        }
    }

    // MARK: - The lease

    /// Takes the lease, if nobody has it.
    private func take(_ watched: inout (writeCount: Int64, sinceNanos: Int64)?) async throws -> Bool
    {
        guard let found = try await records.read(settings.name) else {
            var record = WebhookRecord(
                warehouseID: catalog.warehouse.id,
                name: settings.name,
                place: WebhookRecord.Place(position: try await start())
            )
            record.lease = .init(holder: holder, seconds: settings.leaseSeconds)
            return began(try await records.create(record))
        }
        note { $0.record = found.record }
        if found.record.disabling?.settings == settings.fingerprint { return false }
        if let lease = found.record.lease {
            let now = ambient.time.monotonicNanos()
            if watched?.writeCount != found.record.writeCount {
                watched = (found.record.writeCount, now)
            }
            let since = watched?.sinceNanos ?? now
            let isLapsed = now - since >= Int64(lease.seconds) * 1_000_000_000
            guard isLapsed || lease.holder == holder else { return false }
        }
        var record = found.record
        record.lease = .init(holder: holder, seconds: settings.leaseSeconds)
        return began(try await records.replace(found, with: record))
    }

    /// Where a webhook begins that nobody has delivered for.
    private func start() async throws -> Int64 {
        if let from = settings.from { return max(from, 1) }
        return try await catalog.read().position + 1
    }

    private func began(_ stored: WebhookRecords.Stored?) -> Bool {
        guard let stored else { return false }
        claim.withLock { $0 = stored }
        note { status in
            status.record = stored.record
            status.place = stored.record.place
            status.failure = stored.record.failure
            status.ended = nil
        }
        logger.info(
            "webhook delivers from here",
            metadata: ["position": "\(stored.record.place.position)"]
        )
        return true
    }

    private struct LeaseLost: Error, CustomStringConvertible {
        var description: String { "another server delivers now, or the store is out of reach" }
    }

    /// - Throws: `LeaseLost`; `CancellationError`. Returns when the receiver has ended it.
    private func deliverWhileHeld() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.deliver() }
            group.addTask { try await self.keep() }
            defer { group.cancelAll() }
            try await group.next()
        }
        // Nobody writes any more: the last place, and that it is over.
        guard let stored = claim.withLock({ $0 }) else { return }
        var record = current(stored.record)
        record.lease = nil
        record.disabling = status.ended
        if let written = try await records.replace(stored, with: record) {
            note { $0.record = written.record }
        }
    }

    /// Writes progress and renews the lease.
    private func keep() async throws {
        let time = ambient.time
        let leaseNanos = Int64(settings.leaseSeconds) * 1_000_000_000
        var (wroteAt, confirmedAt) = (time.monotonicNanos(), time.monotonicNanos())
        while true {
            try await time.sleep(nanoseconds: Self.keepNanos)
            guard let stored = claim.withLock({ $0 }) else { throw LeaseLost() }
            let record = current(stored.record)
            let now = time.monotonicNanos()
            let isDirty = record != stored.record && now - wroteAt >= Self.progressNanos
            guard isDirty || now - wroteAt >= leaseNanos / 3 else { continue }
            do {
                guard let written = try await records.replace(stored, with: record) else {
                    throw LeaseLost()
                }
                claim.withLock { $0 = written }
                (wroteAt, confirmedAt) = (time.monotonicNanos(), now)
                note { status in
                    status.record = written.record
                    status.trouble = nil
                }
            } catch let error as ObjectStoreError {
                trouble("the webhook's state", error)
                // Others may take it by now; and what is delivered cannot be written down anyway.
                guard time.monotonicNanos() - confirmedAt < leaseNanos else { throw LeaseLost() }
                try await time.sleep(nanoseconds: Self.progressNanos)
            }
        }
    }

    /// What the record should say now.
    private func current(_ record: WebhookRecord) -> WebhookRecord {
        var record = record
        state.withLock { status in
            record.place = max(status.place ?? record.place, record.place)
            record.failure = status.failure
        }
        return record
    }

    // MARK: - Delivering

    /// Sends everything that comes; returns when the receiver has ended it.
    private func deliver() async throws {
        guard var place = status.place else { return }
        while true {
            try Task.checkCancellation()
            let commits: [HistoricCommit]
            let pending: [WebhookMessage]
            do {
                let newest = try await catalog.read(stalenessMillisMax: Self.lookMillis).position
                note { $0.newest = newest }
                guard place.position <= newest else {
                    try await ambient.time.sleep(nanoseconds: Self.pauseNanos)
                    continue
                }
                commits = try await catalog.commits(
                    from: place.position,
                    entryCountMax: Self.entryCountMax
                )
                pending = try await messages.messages(of: commits, from: place)
            } catch {
                try Task.checkCancellation()
                trouble("the log", error)
                try await ambient.time.sleep(nanoseconds: Self.troubleNanos)
                continue
            }
            for message in pending {
                guard try await deliver(message) else { return }
            }
            guard let last = commits.last else {
                try await ambient.time.sleep(nanoseconds: Self.pauseNanos)
                continue
            }
            place = WebhookRecord.Place(position: last.position + 1)
            let reached = place
            note { status in
                status.place = reached
                status.trouble = nil
            }
        }
    }

    /// Tries until the receiver takes the message; false when it has ended the webhook.
    private func deliver(_ message: WebhookMessage) async throws -> Bool {
        var backOff = WebhookBackOff(waitSecondsMax: settings.retrySecondsMax)
        while true {
            switch try await attempt(message) {
            case .delivered:
                if backOff.attemptCount > 0 {
                    logger.info(
                        "webhook delivered after failures",
                        metadata: ["attempts": "\(backOff.attemptCount + 1)"]
                    )
                }
                note { status in
                    status.place = message.end
                    status.failure = nil
                    status.nextAttemptMillis = nil
                    status.deliveredEventCount &+= UInt64(message.eventCount)
                }
                return true
            case .ended:
                let now = ambient.time.nowMicros() / 1000
                note { status in
                    status.failedAttemptCount &+= 1
                    status.ended = .init(settings: settings.fingerprint, timeMillis: now)
                }
                logger.error("webhook disabled: its receiver answered 410 Gone")
                return false
            case .failed(let text, let asked):
                let wait = backOff.nextWaitNanos(askedMillis: asked, random: ambient.random)
                let now = ambient.time.nowMicros() / 1000
                note { status in
                    status.failedAttemptCount &+= 1
                    status.nextAttemptMillis = now + wait / 1_000_000
                    status.failure = .init(
                        sinceMillis: status.failure?.sinceMillis ?? max(now, 0),
                        attemptCount: (status.failure?.attemptCount ?? 0) &+ 1,
                        message: text
                    )
                }
                logger.warning(
                    "webhook not delivered",
                    metadata: [
                        "message_id": "\(message.id)", "detail": "\(text)",
                        "attempts": "\(backOff.attemptCount)",
                        "next_attempt_seconds": "\(Double(wait / 1_000_000) / 1000)",
                    ]
                )
                try await ambient.time.sleep(nanoseconds: wait)
            }
        }
    }

    private func attempt(_ message: WebhookMessage) async throws -> WebhookVerdict {
        let now = ambient.time.nowMicros()
        let signature = signer.headers(id: message.id, seconds: now / 1_000_000, body: message.body)
        do {
            var headers = [(name: "content-type", value: message.contentType)] + signature
            if let token = settings.token {
                headers.append((name: "authorization", value: "Bearer \(token.reveal())"))
            }
            let answer = try await send(headers, message.body)
            return WebhookVerdict(answer, nowMicros: ambient.time.nowMicros())
        } catch let error as PostingClient.Failure {
            return .failed("no answer: \(error.message)", waitMillis: nil)
        }
    }

    // MARK: - What is known

    private func note(_ change: (inout Status) -> Void) {
        state.withLock { change(&$0) }
    }

    /// Notes what hinders, and logs it once.
    private func trouble(_ what: String, _ error: any Error) {
        let text = "\(what): \(error)"
        let isNew = state.withLock { status -> Bool in
            defer { status.trouble = text }
            return status.trouble != text
        }
        if isNew { logger.warning("webhook waits", metadata: ["detail": "\(text)"]) }
    }
}
