package import Columnar
import Glibc

/// Batches of a result on their way from query threads to whoever asked: a bounded queue.
///
/// A slow reader stops the producers when the queue is full; a reader that went away makes `send`
/// give false, which ends the query within a batch.
///
/// `@unchecked Sendable`: everything mutable is touched only under `lock`.
package final class ResultStream: @unchecked Sendable {
    private let lock: UnsafeMutablePointer<pthread_mutex_t>
    private let room: UnsafeMutablePointer<pthread_cond_t>
    private var queue: [Chunk] = []
    private let queueCountMax: Int
    private var waiting: UnsafeContinuation<Chunk?, any Error>?
    private var outcome: Result<Void, any Error>?
    private var isAbandoned = false
    package let schema: Schema

    init(schema: Schema, queueCountMax: Int = 16) {
        self.schema = schema
        self.queueCountMax = queueCountMax
        lock = .allocate(capacity: 1)
        room = .allocate(capacity: 1)
        pthread_mutex_init(lock, nil)
        pthread_cond_init(room, nil)
    }

    deinit {
        pthread_cond_destroy(room)
        pthread_mutex_destroy(lock)
        room.deallocate()
        lock.deallocate()
    }

    private func locked<T>(_ body: () -> T) -> T {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        return body()
    }

    /// Hands a batch to the reader, waiting for room on the calling thread.
    ///
    /// - Returns: whether more is wanted.
    func send(_ chunk: Chunk) -> Bool {
        if chunk.rowCount == 0 { return !locked { isAbandoned } }
        pthread_mutex_lock(lock)
        while queue.count >= queueCountMax && !isAbandoned { pthread_cond_wait(room, lock) }
        if isAbandoned {
            pthread_mutex_unlock(lock)
            return false
        }
        let reader = waiting
        waiting = nil
        if reader == nil { queue.append(chunk) }
        pthread_mutex_unlock(lock)
        reader?.resume(returning: chunk)
        return true
    }

    /// No more batches: the query is done or failed.
    func finish(_ result: Result<Void, any Error>) {
        let reader = locked { () -> UnsafeContinuation<Chunk?, any Error>? in
            guard outcome == nil else { return nil }
            outcome = result
            defer { waiting = nil }
            return waiting
        }
        switch result {
        case .success: reader?.resume(returning: nil)
        case .failure(let error): reader?.resume(throwing: error)
        }
    }

    /// The reader wants no more.
    func abandon() {
        locked {
            isAbandoned = true
            queue = []
            pthread_cond_broadcast(room)
        }
    }

    package var wasAbandoned: Bool { locked { isAbandoned } }

    /// The next batch; nil after the last one.
    ///
    /// One reader at a time.
    package func next() async throws -> RecordBatch? {
        try Task.checkCancellation()
        let chunk = try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation {
                (continuation: UnsafeContinuation<Chunk?, any Error>) in
                pthread_mutex_lock(lock)
                if !queue.isEmpty {
                    let chunk = queue.removeFirst()
                    pthread_cond_signal(room)
                    pthread_mutex_unlock(lock)
                    continuation.resume(returning: chunk)
                } else if let outcome {
                    pthread_mutex_unlock(lock)
                    continuation.resume(with: outcome.map { nil })
                } else {
                    waiting = continuation
                    pthread_mutex_unlock(lock)
                }
            }
        } onCancel: {
            abandon()
        }
        // An abandoned query ends early: that must not look like the end of the rows.
        if chunk == nil { try Task.checkCancellation() }
        return chunk.map {
            RecordBatch(schema: schema, columns: $0.columns, rowCount: $0.rowCount)
        }
    }
}
