import Ambient
import Synchronization

// Clients that wait for their commits send the next one when they have an answer. An entry that begins as
// soon as the one before it is done has the commits of those who waited meanwhile, and leaves out those of
// all who were just answered: with every other client in every other entry, each waits for two. So an entry
// is held back for a moment when the one before it has just been written, until about as many have come as
// there were.

/// What the last entry of this process says of how many are about to commit.
struct GatheringHint: Sendable {
    /// How many had committed or waited when it was done.
    var count = 0
    var endNanos: Int64 = 0
    /// How long its last attempt took, or would have taken had its files been written before it: those who come
    /// need the same time either way.
    var tookNanos: Int64 = 0
}

extension SharedLog {
    /// Waits for those to come who are expected, never longer than a third of what an entry takes.
    ///
    /// Who commits alone never waits.
    func gather() async throws {
        let hint = core.withLock { $0.gathering }
        guard hint.count > 1 else { return }
        let end = hint.endNanos + hint.tookNanos / 3
        let step = max(hint.tookNanos / 96, 250_000)
        var idleCount = 0
        var before = queue.queuedCount
        while before < hint.count, idleCount < 16, ambient.time.monotonicNanos() < end {
            try await ambient.time.sleep(nanoseconds: step)
            let now = queue.queuedCount
            idleCount = now == before ? idleCount + 1 : 0
            before = now
        }
    }

    /// Notes how an entry went.
    func noteGathering(committed count: Int) {
        let now = ambient.time.monotonicNanos()
        let waiting = queue.queuedCount
        core.withLock {
            $0.gathering = GatheringHint(
                count: count + waiting,
                endNanos: now,
                tookNanos: $0.attemptNanos * ($0.carrying.didCarry ? 2 : 1)
            )
        }
    }
}
