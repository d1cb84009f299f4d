import Glibc

/// Pieces of an answer on their way from the transport's thread to the task that reads them: a
/// bounded queue.
///
/// `@unchecked Sendable`: everything mutable is touched only under `lock`.
final class PieceQueue: @unchecked Sendable {
    private let lock: UnsafeMutablePointer<pthread_mutex_t>
    private let room: UnsafeMutablePointer<pthread_cond_t>
    private var pieces: [[UInt8]] = []
    private var waiting: UnsafeContinuation<[UInt8]?, any Error>?
    private var outcome: Result<Void, any Error>?
    private var isAbandoned = false
    private static let pieceCountMax = 64

    init() {
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

    /// Takes a piece in, waiting for room on the calling thread.
    ///
    /// - Returns: whether more is wanted.
    func send(_ piece: [UInt8]) -> Bool {
        pthread_mutex_lock(lock)
        while pieces.count >= Self.pieceCountMax && !isAbandoned { pthread_cond_wait(room, lock) }
        if isAbandoned {
            pthread_mutex_unlock(lock)
            return false
        }
        let reader = waiting
        waiting = nil
        if reader == nil { pieces.append(piece) }
        pthread_mutex_unlock(lock)
        reader?.resume(returning: piece)
        return true
    }

    /// Says that no more comes, or why.
    func finish(_ result: Result<Void, any Error>) {
        pthread_mutex_lock(lock)
        let reader = outcome == nil ? waiting : nil
        if outcome == nil { outcome = result }
        if reader != nil { waiting = nil }
        pthread_mutex_unlock(lock)
        reader?.resume(with: result.map { nil })
    }

    /// The reader wants no more.
    func abandon() {
        pthread_mutex_lock(lock)
        isAbandoned = true
        pieces = []
        pthread_cond_broadcast(room)
        pthread_mutex_unlock(lock)
    }

    /// The next piece; nil at the end.
    func next() async throws -> [UInt8]? {
        try Task.checkCancellation()
        let piece = try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation {
                (continuation: UnsafeContinuation<[UInt8]?, any Error>) in
                pthread_mutex_lock(lock)
                if !pieces.isEmpty {
                    let piece = pieces.removeFirst()
                    pthread_cond_signal(room)
                    pthread_mutex_unlock(lock)
                    continuation.resume(returning: piece)
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
        if piece == nil { try Task.checkCancellation() }
        return piece
    }
}
