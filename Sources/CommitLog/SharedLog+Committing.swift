import Ambient
import ObjectStorage
import Synchronization

extension SharedLog {
    typealias Ticket = CommitTicket<Machine.Request>

    /// Commits, together with whatever else waits to be committed.
    ///
    /// A request whose id is remembered from an earlier commit gets that commit's outcome and changes
    /// nothing. A cancelled commit may have landed or not; asking again with its id tells.
    ///
    /// - Throws: what validation threw, `invalid`, `busy` or the store's error when nothing landed;
    ///   `unknownOutcome` when that could not be found out; `CancellationError`.
    package func commit(_ request: Machine.Request) async throws -> Machine.Outcome {
        switch try await queue.enter(request) {
        case .finished(let outcome): return outcome
        case .lead: return try await lead()
        }
    }

    /// Drives the queue until our own commit is finished, then hands the lead over.
    private func lead() async throws -> Machine.Outcome {
        var tickets: [Ticket] = []
        while queue.leaderResult == nil {
            do {
                // What did not fit last time is in the queue again.
                tickets = []
                // Among busy rivals there is a turn to wait for, and those who come meanwhile come along.
                if !hasBusyRivals { try await gather() }
                tickets = queue.take(countMax: max(options.commitCountMax, 1))
                let count = tickets.count
                try await drive(&tickets)
                noteGathering(committed: count)
            } catch {
                // Only cancellation of this very task leads here; the others go on without us.
                queue.handOver(tickets)
                throw error
            }
        }
        let result = queue.leaderResult
        queue.handOver([])
        guard let result else { throw CancellationError() }
        return try result.get()
    }

    /// One attempt at an entry.
    private struct Attempt {
        var batch: Machine.Batch
        var header: LogEntry.Header
        var included: [(ticket: Ticket, outcome: Machine.Outcome)] = []
        var commits: [LoggedCommit] = []
        var commitBytes: [[UInt8]] = []
        var byteCount = 512
        var failed: [(ticket: Ticket, error: any Error)] = []
        /// Failed on what those before it in this attempt leave behind: true only if the attempt wins.
        var refused: [(ticket: Ticket, error: any Error)] = []
        /// Did not fit, or has the id of a commit in this attempt: the next entry's.
        var left: [Ticket] = []
    }

    /// Tries until every ticket is finished or put back into the queue.
    ///
    /// - Throws: only when the task is cancelled; `pending` then holds what is not finished.
    private func drive(_ pending: inout [Ticket]) async throws {
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                defer { group.cancelAll() }
                guard isToLookForTurn() else {
                    return try await drive(&pending, besides: &group)
                }
                // Beside the attempt: whoever always wins sees no entries of others, but may see that one waits.
                try await withThrowingTaskGroup(of: Void.self) { looks in
                    looks.addTask { await self.lookForTurn() }
                    try await drive(&pending, besides: &group)
                    try await looks.waitForAll()
                }
            }
        } catch {
            if turns.isHeld { await turns.giveBack() }
            throw error
        }
        if turns.isHeld { await turns.giveBack() }
    }

    /// - Parameter group: has what is to be done beside the attempts, and ends with them.
    private func drive(
        _ pending: inout [Ticket],
        besides group: inout ThrowingTaskGroup<Void, any Error>
    ) async throws {
        var lostCount = 0
        var failedCount = 0
        var looksFirst = expectsRivals
        var asksForTurn = looksFirst
        while true {
            // Those who came since need not wait for an entry more.
            if lostCount > 0 {
                pending += queue.take(countMax: max(options.commitCountMax - pending.count, 0))
            }
            pending = queue.wanted(pending)
            if pending.isEmpty { return }
            try Task.checkCancellation()
            do {
                if asksForTurn {
                    try await takeTurn(lostCount, &pending, besides: &group)
                    asksForTurn = false
                } else if looksFirst {
                    try await look(checksEnd: false)
                }
                let beganNanos = ambient.time.monotonicNanos()
                let base = try await answerLanded(&pending)
                guard let attempt = try await makeAttempt(pending, base, isFresh: looksFirst) else {
                    looksFirst = true
                    continue
                }
                for (ticket, error) in attempt.failed { fail(ticket, error, readTo: base.tip) }
                pending =
                    attempt.included.map(\.ticket) + attempt.refused.map(\.ticket) + attempt.left
                if attempt.included.isEmpty { return queue.putBack(attempt.left) }
                looksFirst = true
                let files = carriedFiles(of: attempt.batch)
                core.withLock { $0.carrying.didCarry = !files.isEmpty }
                if files.isEmpty { try await uploadFirst(attempt.batch) }
                guard try await create(attempt, carrying: files, &pending) else {
                    lostCount += 1
                    noteLoss(lostCount)
                    if lostCount >= options.lostAttemptsMax {
                        throw CommitLogError(.busy, "other writers won \(lostCount) times in a row")
                    }
                    asksForTurn = true
                    continue
                }
                noteWin(tookNanos: ambient.time.monotonicNanos() - beganNanos)
                return queue.putBack(attempt.left)
            } catch {
                try Task.checkCancellation()
                failedCount += 1
                guard isTransient(error), failedCount < options.failedAttemptsMax else {
                    await giveUp(&pending, error)
                    return
                }
                looksFirst = true
                try await backOff(failedCount)
            }
        }
    }

    /// Whether other processes committed a short while ago, or were faster.
    var expectsRivals: Bool {
        let now = ambient.time.monotonicNanos()
        return core.withLock { core in
            core.rivalSeenAtNanos.map { now - $0 < Self.rivalNanosMax } ?? false
        }
    }

    /// Who was seen longer ago than this is no rival.
    private static var rivalNanosMax: Int64 { 10_000_000_000 }

    /// Whether one entry of ours follows the other, no rival is known, and nobody looked for one lately.
    private func isToLookForTurn() -> Bool {
        let now = ambient.time.monotonicNanos()
        return core.withLock { core in
            guard let wonAt = core.wonAtNanos, now - wonAt < Self.busyNanosMax,
                core.rivalSeenAtNanos.map({ now - $0 >= Self.rivalNanosMax }) ?? true,
                core.peekedAtNanos.map({ now - $0 >= Self.peekNanosMin }) ?? true
            else { return false }
            core.peekedAtNanos = now
            return true
        }
    }

    /// Looks whether somebody waits for a turn.
    private func lookForTurn() async {
        guard await turns.isTaken() else { return }
        let now = ambient.time.monotonicNanos()
        core.withLock { $0.rivalSeenAtNanos = now }
    }

    /// Who commits again within this time may be in the way of others.
    private static var busyNanosMax: Int64 { 1_000_000_000 }
    private static var peekNanosMin: Int64 { 100_000_000 }

    /// Whether others committed just now, so that who does not take turns with them would lose to them.
    private var hasBusyRivals: Bool {
        let now = ambient.time.monotonicNanos()
        return core.withLock { core in
            core.rivalSeenAtNanos.map { now - $0 < Self.busyNanosMax } ?? false
        }
    }

    private func noteWin(tookNanos: Int64) {
        let now = ambient.time.monotonicNanos()
        core.withLock { core in
            core.wonAtNanos = now
            core.attemptNanos = tookNanos
            core.contention.wonCount += 1
        }
    }

    private func noteLoss(_ lostCount: Int) {
        let now = ambient.time.monotonicNanos()
        core.withLock { core in
            core.rivalSeenAtNanos = now
            core.contention.lostCount += 1
            core.contention.lostInARowMax = max(core.contention.lostInARowMax, lostCount)
        }
    }

    /// Lets those go first whose turn it is, takes the turn after a loss or among busy rivals, and moves on to
    /// the log's end.
    private func takeTurn(
        _ lostCount: Int,
        _ pending: inout [Ticket],
        besides group: inout ThrowingTaskGroup<Void, any Error>
    ) async throws {
        let createMillis = core.withLock { $0.createMillis }
        let claims = lostCount > 0 || hasBusyRivals
        var waited = CommitTurns.Waited()
        // In most cases nobody has the turn, and there is one wait for both answers.
        try await withThrowingTaskGroup(of: Void.self) { looks in
            looks.addTask { try await self.look(checksEnd: false) }
            if !turns.isHeld {
                waited = try await turns.wait(claims: claims, createMillis: createMillis)
            }
            try await looks.waitForAll()
        }
        if waited.isOurs {
            core.withLock { $0.contention.turnCount += 1 }
            group.addTask { await self.turns.beat(createMillis: createMillis) }
        }
        if !turns.isHeld, lostCount > 0 {
            // There are no turns to be had.
            try await giveWay(lostCount)
            waited.hasWaited = true
        }
        guard waited.hasWaited else { return }
        // Who came meanwhile comes along: before the look, which shall show what each of them may know.
        pending += queue.take(countMax: max(options.commitCountMax - pending.count, 0))
        try await look(checksEnd: false)
    }

    /// Fails what is pending, after a last look for attempts that landed unseen.
    private func giveUp(_ pending: inout [Ticket], _ error: any Error) async {
        var tip: ChainTip?
        if pending.contains(where: { $0.maybeAt > 0 }) {
            // What these cannot find out stays unknown.
            try? await look(checksEnd: false)
            tip = try? await answerLanded(&pending).tip
        }
        for ticket in pending { fail(ticket, error, readTo: tip) }
    }

    /// Creates the entry.
    ///
    /// - Returns: true when it is ours, false when the position was taken (by another, or by an earlier
    ///   attempt of ours whose answer was lost: the next look tells).
    private func create(
        _ attempt: Attempt,
        carrying files: [CarriedFile],
        _ pending: inout [Ticket]
    ) async throws -> Bool {
        let sequence = attempt.header.sequence
        var commitBytes = attempt.commitBytes
        if !files.isEmpty {
            commitBytes[0] = attempt.commits[0].markedAsCarrying.serialized
        }
        let bytes = LogEntry.encode(attempt.header, commits: commitBytes, files: files)
        // From here on a cancelled or unanswered attempt may have landed.
        for index in 0..<attempt.included.count { pending[index].maybeAt = sequence }
        let uploaded: Result<Void, any Error>
        do {
            if files.isEmpty {
                try await putEntry(sequence, bytes)
                uploaded = .success(())
            } else {
                uploaded = try await putEntry(sequence, bytes, with: attempt.batch)
            }
        } catch let error as ObjectStoreError {
            switch error.code {
            case .alreadyExists: return false
            case .unavailable, .denied, .invalid, .unsupported:
                for (index, included) in attempt.included.enumerated() {
                    pending[index].maybeAt = included.ticket.maybeAt
                }
                throw error
            default: throw error
            }
        }
        // Had the boundary passed this position, then the entry that was there may have been removed, and
        // ours would begin a second history. Costs a request only when that was not known lately.
        if try await reader.archive.hasArchived(sequence) { return false }
        // It has landed, and may lack files: whoever reads it next, most likely we, sees to that before anybody
        // knows of its commits.
        try uploaded.get()
        let entry = LogEntry(header: attempt.header, commits: attempt.commits)
        let tip = ChainTip(
            sequence: sequence,
            hash: sha256Text(bytes),
            timeMillis: attempt.header.timeMillis
        )
        // It has landed, whatever folding says; a state that cannot be folded shows at the next look.
        try? fold(entry, tip)
        beginCheckpointIfDue()
        for (ticket, outcome) in attempt.included { queue.finish(ticket, .success(outcome)) }
        for (ticket, error) in attempt.refused { fail(ticket, error, readTo: tip) }
        pending = attempt.left
        return true
    }

    /// Finishes those whose commit is in the log already: retries, and attempts that landed unseen.
    ///
    /// - Returns: the state in which the rest of `pending` has not landed. An entry that follows it, and
    ///   no other, may carry them: a state read later might hold one of them already.
    private func answerLanded(_ pending: inout [Ticket]) async throws -> Snapshot {
        let (base, places) = core.withLock { core in
            let places = pending.map {
                core.remembered.place(of: machine.commitID(of: $0.request))
            }
            return (core.current, places)
        }
        var open: [Ticket] = []
        var landed: [(Ticket, RememberedCommits.Place)] = []
        for (ticket, place) in zip(pending, places) {
            if let place { landed.append((ticket, place)) } else { open.append(ticket) }
        }
        var entry: LogEntry?
        for (index, (ticket, place)) in landed.enumerated() {
            do {
                if entry?.sequence != place.sequence {
                    entry = try await self.entry(at: place.sequence)
                }
                guard let entry, entry.commits.indices.contains(place.index),
                    entry.commits[place.index].id == machine.commitID(of: ticket.request)
                else {
                    // Half a digest in common and nothing else.
                    open.append(ticket)
                    continue
                }
                let outcome = try await machine.outcome(
                    of: entry.commits[place.index],
                    at: entry.header
                )
                queue.finish(ticket, .success(outcome))
            } catch {
                // It landed, so nobody may hear of a failure.
                pending =
                    landed[index...].map { landed in
                        var ticket = landed.0
                        ticket.maybeAt = Int64.max
                        return ticket
                    } + open
                throw error
            }
        }
        pending = open
        return base
    }

    /// Prepares as many of the tickets as fit into one entry, in order.
    ///
    /// - Returns: nil when a commit failed against a state that may be stale: look, then try again.
    private func makeAttempt(
        _ tickets: [Ticket],
        _ base: Snapshot,
        isFresh: Bool
    ) async throws -> Attempt? {
        do {
            return try await makeAttempt(tickets, base, isFresh: isFresh, combines: true)
        } catch let failure as CombinationFailed {
            try Task.checkCancellation()
            if isTransient(failure.underlying) { throw failure.underlying }
            return try await makeAttempt(tickets, base, isFresh: isFresh, combines: false)
        }
    }

    private func makeAttempt(
        _ tickets: [Ticket],
        _ base: Snapshot,
        isFresh: Bool,
        combines: Bool
    ) async throws -> Attempt? {
        let header = base.tip.header(
            nowMillis: ambient.time.nowMicros() / 1000,
            server: server
        )
        let batch = await machine.makeBatch(
            for: tickets.map(\.request),
            on: base.state,
            header: header,
            combines: combines
        )
        var attempt = Attempt(batch: batch, header: header)
        var ids: Set<String> = []
        for (index, ticket) in tickets.enumerated() {
            guard !ids.contains(machine.commitID(of: ticket.request)) else {
                attempt.left.append(ticket)
                continue
            }
            guard attempt.batch.uploadByteCount <= options.uploadBytesMax else {
                attempt.left += tickets[index...]
                break
            }
            do {
                var trial = attempt.batch
                let (commit, outcome) = try await trial.prepare(ticket.request)
                let bytes = try commit.encoded(byteCountMax: options.commitBytesMax)
                let byteCount = attempt.byteCount + bytes.count + 1
                if byteCount > options.entryBytesMax && !attempt.included.isEmpty {
                    attempt.left += tickets[index...]
                    break
                }
                attempt.batch = trial
                attempt.byteCount = byteCount
                attempt.commits.append(commit)
                attempt.commitBytes.append(bytes)
                attempt.included.append((ticket, outcome))
                ids.insert(commit.id)
            } catch let failure as CombinationFailed {
                throw failure
            } catch {
                // A cancelled leader's requests fail too, but not for reasons of theirs.
                try Task.checkCancellation()
                if !isFresh { return nil }
                if attempt.included.isEmpty {
                    attempt.failed.append((ticket, error))
                } else {
                    attempt.refused.append((ticket, error))
                }
            }
        }
        let prepared = zip(attempt.commits, attempt.included).map { ($0, $1.outcome) }
        if let finished = try await attempt.batch.finish(prepared) {
            attempt.commits = finished.map(\.commit)
            attempt.commitBytes = try attempt.commits.map {
                try $0.encoded(byteCountMax: options.commitBytesMax)
            }
            for (index, one) in finished.enumerated() {
                attempt.included[index].outcome = one.outcome
            }
        }
        return attempt
    }

    /// Tells a commit's task that it failed, unless it may have landed.
    ///
    /// - Parameter tip: its id was looked for in all entries up to here; nil when that was not possible.
    private func fail(_ ticket: Ticket, _ error: any Error, readTo tip: ChainTip?) {
        guard ticket.maybeAt > tip?.sequence ?? 0 else {
            return queue.finish(ticket, .failure(error))
        }
        let unknown = CommitLogError(
            .unknownOutcome,
            "the commit may have landed or not; ask again with the same id (\(error))",
            key: ticket.maybeAt == Int64.max ? "" : LogEntry.key(of: ticket.maybeAt)
        )
        queue.finish(ticket, .failure(unknown))
    }

    private func isTransient(_ error: any Error) -> Bool {
        guard let error = error as? ObjectStoreError else { return error is CancellationError }
        return error.code == .unavailable || error.code == .unknownOutcome
    }

    /// Waits a random time after others won, where there are no turns.
    ///
    /// Up to the fourth loss longer and longer, so that those who compete spread out; from then on shorter
    /// and shorter, and from the eighth not at all: who has lost often comes before who has not, so nobody
    /// starves however many there are.
    private func giveWay(_ lostCount: Int) async throws {
        guard lostCount < 8 else { return }
        let unit = core.withLock { $0.createMillis }
        let millisMax = min(options.backoffMillisMax, unit << Int64(min(lostCount, 8 - lostCount)))
        try await ambient.time.sleep(
            nanoseconds: ambient.random.number(below: max(millisMax, 1) * 1_000_000)
        )
    }

    /// Waits a random time below a bound that doubles with each attempt.
    private func backOff(_ attempt: Int) async throws {
        let millisMax = min(options.backoffMillisMax, 5 << Int64(min(attempt, 16)))
        try await ambient.time.sleep(
            nanoseconds: ambient.random.number(below: max(millisMax, 1) * 1_000_000)
        )
    }
}
