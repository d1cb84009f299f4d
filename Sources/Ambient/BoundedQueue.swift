import Glibc

/// Things on their way from threads that may block to a task that awaits them, a bounded number at once.
///
/// A slow reader stops the senders when the queue is full; a reader that went away makes `send` give
/// false.
///
/// `@unchecked Sendable`: everything mutable is touched only under `lock`.
package final class BoundedQueue<Element: Sendable>: @unchecked Sendable {
    private let lock: UnsafeMutablePointer<pthread_mutex_t>
    private let room: UnsafeMutablePointer<pthread_cond_t>
    private var queue: [Element] = []
    private let countMax: Int
    private var waiting: UnsafeContinuation<Element?, any Error>?
    private var outcome: Result<Void, any Error>?
    private var isAbandoned = false

    package init(countMax: Int) {
        self.countMax = max(1, countMax)
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

    /// Hands an element to the reader, waiting for room on the calling thread.
    ///
    /// - Returns: whether more is wanted.
    package func send(_ element: Element) -> Bool {
        pthread_mutex_lock(lock)
        while queue.count >= countMax && !isAbandoned { pthread_cond_wait(room, lock) }
        if isAbandoned {
            pthread_mutex_unlock(lock)
            return false
        }
        let reader = waiting
        waiting = nil
        if reader == nil { queue.append(element) }
        pthread_mutex_unlock(lock)
        reader?.resume(returning: element)
        return true
    }

    /// Says that nothing more comes, or why; only the first call counts.
    package func finish(_ result: Result<Void, any Error>) {
        let reader = locked { () -> UnsafeContinuation<Element?, any Error>? in
            guard outcome == nil else { return nil }
            outcome = result
            defer { waiting = nil }
            return waiting
        }
        reader?.resume(with: result.map { nil })
    }

    /// The reader wants no more.
    ///
    /// A `next` under way still waits for the senders, who learn of it and call `finish`.
    package func abandon() {
        locked {
            isAbandoned = true
            queue = []
            pthread_cond_broadcast(room)
        }
    }

    package var wasAbandoned: Bool { locked { isAbandoned } }

    /// The next element; nil after the last one.
    ///
    /// One reader at a time. When its task is cancelled the queue is abandoned.
    ///
    /// - Throws: what `finish` was told; `CancellationError`, so that an early end never looks like the
    ///   last element.
    package func next() async throws -> Element? {
        try Task.checkCancellation()
        let element = try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation {
                (continuation: UnsafeContinuation<Element?, any Error>) in
                pthread_mutex_lock(lock)
                if !queue.isEmpty {
                    let element = queue.removeFirst()
                    pthread_cond_signal(room)
                    pthread_mutex_unlock(lock)
                    continuation.resume(returning: element)
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
        if element == nil { try Task.checkCancellation() }
        return element
    }
}
