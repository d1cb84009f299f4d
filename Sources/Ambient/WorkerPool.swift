import Glibc

/// Threads for calls that block: files, and work too long for Swift's shared pool.
///
/// Threads start when they are needed, up to a bound, and end with the pool. Work runs in the order
/// in which it was handed in. A cancelled task's work is dropped while it still waits; once begun it
/// runs to its end, and the caller gets its outcome.
package final class WorkerPool: Sendable {
    private let core: WorkerCore

    /// - Parameters:
    ///   - threadCountMax: how many pieces of work run at once.
    ///   - queueCountMax: how many may wait; beyond that `run` throws `exhausted`.
    package init(threadCountMax: Int, queueCountMax: Int = 1 << 16) {
        core = WorkerCore(threadCountMax: max(threadCountMax, 1), queueCountMax: queueCountMax)
    }

    /// The process's pool for files and other short blocking calls: twice the processors, at least 8.
    package static let shared = WorkerPool(threadCountMax: max(8, 2 * processorCount()))

    deinit {
        core.close()
    }

    /// Runs work on one of the pool's threads and waits for it without holding a thread of Swift's.
    ///
    /// - Throws: what the work throws; `CancellationError` when the task was cancelled before the
    ///   work began; `AmbientError.exhausted` when too much work waits already.
    package func run<Value: Sendable>(
        _ work: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        let job = WorkerCore.Job()
        return try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { continuation in
                core.submit(job) { refusal in
                    if let refusal {
                        continuation.resume(throwing: refusal)
                    } else {
                        continuation.resume(with: Result { try work() })
                    }
                }
            }
        } onCancel: {
            core.cancel(job)
        }
    }
}

/// How many processors this process may use, at least 1.
package func processorCount() -> Int {
    let online = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    guard let bytes = readSmallFile("/proc/self/status") else { return online }
    let status = String(decoding: bytes, as: UTF8.self)
    for line in status.split(separator: "\n") where line.hasPrefix("Cpus_allowed:") {
        // A mask in hexadecimal, in groups joined by commas.
        let allowed = line.dropFirst("Cpus_allowed:".count).reduce(0) { count, digit in
            count + (digit.hexDigitValue ?? 0).nonzeroBitCount
        }
        return max(1, min(allowed, online))
    }
    return online
}

/// The queue and its threads; outlives the pool until the last thread has left.
///
/// `@unchecked Sendable`: everything mutable, the jobs' state too, is touched only under `lock`.
private final class WorkerCore: @unchecked Sendable {
    final class Job: @unchecked Sendable {
        enum State { case new, waiting, begun, cancelled }
        var state = State.new
        /// Runs the work, or with an error refuses it; called once.
        var body: ((any Error)?) -> Void = { _ in }
    }

    private let threadCountMax: Int
    private let queueCountMax: Int
    private let lock: UnsafeMutablePointer<pthread_mutex_t>
    private let wakeup: UnsafeMutablePointer<pthread_cond_t>
    private var queue: [Job] = []
    private var head = 0
    private var waitingCount = 0
    private var threadCount = 0
    private var idleCount = 0
    private var isClosed = false

    init(threadCountMax: Int, queueCountMax: Int) {
        self.threadCountMax = threadCountMax
        self.queueCountMax = queueCountMax
        lock = .allocate(capacity: 1)
        wakeup = .allocate(capacity: 1)
        lock.initialize(to: pthread_mutex_t())
        wakeup.initialize(to: pthread_cond_t())
        pthread_mutex_init(lock, nil)
        pthread_cond_init(wakeup, nil)
    }

    deinit {
        pthread_cond_destroy(wakeup)
        pthread_mutex_destroy(lock)
        wakeup.deallocate()
        lock.deallocate()
    }

    private func locked<Value>(_ body: () -> Value) -> Value {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        return body()
    }

    func submit(_ job: Job, body: @escaping ((any Error)?) -> Void) {
        let refusal = locked { () -> (any Error)? in
            guard job.state == .new else { return CancellationError() }
            guard !isClosed else {
                return AmbientError(.closed, "the worker pool is closed")
            }
            guard waitingCount < queueCountMax else {
                return AmbientError(
                    .exhausted,
                    "\(waitingCount) pieces of work wait for \(threadCount) threads already"
                )
            }
            if idleCount <= waitingCount && threadCount < threadCountMax {
                guard startThread() || threadCount > 0 else {
                    return AmbientError(.system, "the system refused to start a thread")
                }
            }
            job.state = .waiting
            job.body = body
            queue.append(job)
            waitingCount += 1
            pthread_cond_signal(wakeup)
            return nil
        }
        if let refusal { body(refusal) }
    }

    func cancel(_ job: Job) {
        let body = locked { () -> (((any Error)?) -> Void)? in
            let wasWaiting = job.state == .waiting
            guard wasWaiting || job.state == .new else { return nil }
            job.state = .cancelled
            guard wasWaiting else { return nil }
            // The queue keeps an empty shell, which a thread throws away when it comes to it.
            waitingCount -= 1
            let body = job.body
            job.body = { _ in }
            return body
        }
        body?(CancellationError())
    }

    func close() {
        locked {
            isClosed = true
            pthread_cond_broadcast(wakeup)
        }
    }

    /// Called under the lock.
    private func startThread() -> Bool {
        var thread = pthread_t()
        let core = Unmanaged.passRetained(self)
        let code = pthread_create(
            &thread,
            nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<WorkerCore>.fromOpaque(argument).takeRetainedValue().work()
                return nil
            },
            core.toOpaque()
        )
        guard code == 0 else {
            core.release()
            return false
        }
        pthread_detach(thread)
        threadCount += 1
        return true
    }

    private func work() {
        while let job = next() {
            job.body(nil)
            job.body = { _ in }
        }
    }

    private func next() -> Job? {
        locked {
            while true {
                while head < queue.count {
                    let job = queue[head]
                    head += 1
                    if head > 1024 && head * 2 > queue.count {
                        queue.removeFirst(head)
                        head = 0
                    }
                    guard job.state == .waiting else { continue }
                    job.state = .begun
                    waitingCount -= 1
                    return job
                }
                queue.removeAll(keepingCapacity: true)
                head = 0
                if isClosed {
                    threadCount -= 1
                    return nil
                }
                idleCount += 1
                pthread_cond_wait(wakeup, lock)
                idleCount -= 1
            }
        }
    }
}
