import Synchronization

// Commits wait here while an entry is being written; the next entry carries all of them.
//
//     commit comes, nobody leads  -> its task leads: it takes what is queued and drives it
//     commit comes, somebody does -> its task waits for an outcome, or to be made the leader
//     the leader's own commit is done -> the first that still waits becomes the leader
//     the leader is cancelled     -> what it drove goes back to the front, with what is known of
//                                    attempts that may have landed; the first of them leads
//     a waiting task is cancelled -> it leaves at once; its commit is dropped if not yet driven, and
//                                    may land if it is
//
// No task of our own runs: whoever waits does the work. Invariants: at most one leader; nobody waits
// without one; a ticket is queued, active or gone, and its continuation is resumed exactly once.

/// A commit on its way.
struct CommitTicket<Request: Sendable>: Sendable {
    let id: UInt64
    let request: Request
    /// The highest position where an attempt with this commit may have landed unseen.
    var maybeAt: Int64 = 0
}

/// Commits that wait for the entry under way to be written.
final class CommitQueue<Request: Sendable, Outcome: Sendable>: Sendable {
    typealias Ticket = CommitTicket<Request>

    /// What a commit's task is told.
    enum Turn: Sendable {
        /// Drive the queue until the commit with this ticket id is finished.
        case lead(UInt64)
        case finished(Outcome)
    }

    private typealias Continuation = CheckedContinuation<Turn, any Error>

    private struct State {
        var isLed = false
        var queued: [Ticket] = []
        /// Those who wait, by ticket; the leader and the cancelled are not among them.
        var waiting: [UInt64: Continuation] = [:]
        var leader: UInt64 = 0
        var leaderResult: Result<Outcome, any Error>?
        var lastID: UInt64 = 0

        func isWanted(_ id: UInt64) -> Bool {
            waiting[id] != nil || (id == leader && leaderResult == nil)
        }

        mutating func beginLeading(_ id: UInt64) {
            isLed = true
            leader = id
            leaderResult = nil
        }
    }

    private let countMax: Int
    private let state = Mutex(State())

    /// - Parameter countMax: how many may wait.
    init(countMax: Int) {
        self.countMax = max(countMax, 1)
    }

    /// Queues a commit and waits for its outcome or for the lead.
    ///
    /// - Throws: `busy` when too many wait; what `finish` was told; `CancellationError`.
    func enter(_ request: Request) async throws -> Turn {
        try Task.checkCancellation()
        let (id, queuedCount) = state.withLock { state -> (UInt64, Int) in
            state.lastID += 1
            return (state.lastID, state.queued.count)
        }
        guard queuedCount < countMax else {
            throw CommitLogError(.busy, "\(queuedCount) commits wait already")
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: Continuation) in
                let leads = state.withLock { state -> Bool in
                    state.queued.append(Ticket(id: id, request: request))
                    guard state.isLed else {
                        state.beginLeading(id)
                        return true
                    }
                    state.waiting[id] = continuation
                    return false
                }
                if leads { continuation.resume(returning: .lead(id)) }
                if Task.isCancelled { cancel(id) }
            }
        } onCancel: {
            cancel(id)
        }
    }

    /// Takes the first commits in the queue, for its leader.
    func take(countMax: Int) -> [Ticket] {
        state.withLock { state in
            let taken = Array(state.queued.prefix(countMax))
            state.queued.removeFirst(taken.count)
            return taken.filter { state.isWanted($0.id) }
        }
    }

    /// How many are queued.
    var queuedCount: Int { state.withLock { $0.queued.count } }

    /// Those whose tasks still wait.
    func wanted(_ tickets: [Ticket]) -> [Ticket] {
        state.withLock { state in tickets.filter { state.isWanted($0.id) } }
    }

    /// Puts commits that were taken back to the front.
    func putBack(_ tickets: [Ticket]) {
        state.withLock { state in
            state.queued = tickets.filter { state.isWanted($0.id) } + state.queued
        }
    }

    /// Tells a commit's task how it went.
    func finish(_ ticket: Ticket, _ result: Result<Outcome, any Error>) {
        let continuation = state.withLock { state -> Continuation? in
            if ticket.id == state.leader {
                state.leaderResult = result
                return nil
            }
            return state.waiting.removeValue(forKey: ticket.id)
        }
        continuation?.resume(with: result.map { .finished($0) })
    }

    /// How the leader's own commit went; nil while it is not finished.
    var leaderResult: Result<Outcome, any Error>? { state.withLock { $0.leaderResult } }

    /// Ends the leader's term.
    ///
    /// - Parameter tickets: what it took and did not finish.
    func handOver(_ tickets: [Ticket]) {
        let (id, continuation) = state.withLock { state -> (UInt64, Continuation?) in
            let own = state.leader
            state.leader = 0
            state.queued = (tickets + state.queued).filter {
                $0.id != own && state.waiting[$0.id] != nil
            }
            guard let first = state.queued.first,
                let continuation = state.waiting.removeValue(forKey: first.id)
            else {
                state.isLed = false
                return (0, nil)
            }
            state.beginLeading(first.id)
            return (first.id, continuation)
        }
        continuation?.resume(returning: .lead(id))
    }

    private func cancel(_ id: UInt64) {
        let continuation = state.withLock { $0.waiting.removeValue(forKey: id) }
        continuation?.resume(throwing: CancellationError())
    }
}
