import Glibc
import Kernels

/// The threads of one query: phases of work run on all of them at once, one phase after the other.
///
/// Worker 0 is the driver, which hands out the phases; the others wait in `serve`. The number of
/// workers never changes, so that work dealt out by worker number is dealt the same way every time.
///
/// `@unchecked Sendable`: everything mutable is touched only under `lock`.
final class WorkerTeam: @unchecked Sendable {
    let count: Int
    private let lock: UnsafeMutablePointer<pthread_mutex_t>
    private let wakeup: UnsafeMutablePointer<pthread_cond_t>
    private var phase = 0
    private var body: ((Int) throws -> Void)?
    private var runningCount = 0
    private var firstError: (worker: Int, error: any Error)?
    private var isClosed = false
    /// Workers that will never come, and why.
    private var absentCount = 0
    private var absence: (any Error)?
    private let interruption: StopFlag
    private let profile: QueryProfile?
    /// What the driver works for when a phase begins: the time of the others goes there, too.
    private var profiled: Int?

    /// - Parameter interruption: what the workers watch.
    init(count: Int, interruption: StopFlag, profile: QueryProfile? = nil) {
        self.count = max(1, count)
        self.interruption = interruption
        self.profile = profile
        lock = .allocate(capacity: 1)
        wakeup = .allocate(capacity: 1)
        pthread_mutex_init(lock, nil)
        pthread_cond_init(wakeup, nil)
    }

    deinit {
        pthread_cond_destroy(wakeup)
        pthread_mutex_destroy(lock)
        wakeup.deallocate()
        lock.deallocate()
    }

    /// Runs `body` once per worker, the driver's share on the calling thread, and waits for all.
    ///
    /// - Throws: the error of the lowest worker that failed, or why one never came.
    func run(_ body: @escaping (Int) throws -> Void) throws {
        if count == 1 {
            try body(0)
            return
        }
        pthread_mutex_lock(lock)
        self.body = body
        phase += 1
        runningCount = count - 1
        firstError = nil
        profiled = profile?.current(0)
        pthread_cond_broadcast(wakeup)
        pthread_mutex_unlock(lock)
        var ownError: (any Error)?
        do { try body(0) } catch { ownError = error }
        pthread_mutex_lock(lock)
        while runningCount > absentCount { pthread_cond_wait(wakeup, lock) }
        self.body = nil
        // The share of who is absent was not done.
        let otherError = firstError?.error ?? absence
        pthread_mutex_unlock(lock)
        if let ownError { throw ownError }
        if let otherError { throw otherError }
    }

    /// Does worker's share of every phase until the team is closed.
    ///
    /// Blocks its thread.
    func serve(worker: Int) {
        var seen = 0
        while true {
            pthread_mutex_lock(lock)
            while !isClosed && (phase == seen || body == nil) {
                pthread_cond_wait(wakeup, lock)
            }
            guard !isClosed, let work = body else {
                pthread_mutex_unlock(lock)
                return
            }
            seen = phase
            let profiled = profiled
            pthread_mutex_unlock(lock)
            var failure: (any Error)?
            profile?.enter(profiled, worker)
            do {
                try Interruption.watching(interruption) { try work(worker) }
            } catch {
                failure = error
            }
            profile?.enter(nil, worker)
            pthread_mutex_lock(lock)
            if let failure, worker < firstError?.worker ?? Int.max {
                firstError = (worker, failure)
            }
            runningCount -= 1
            if runningCount <= absentCount { pthread_cond_broadcast(wakeup) }
            pthread_mutex_unlock(lock)
        }
    }

    /// Says that a worker will never `serve`, for there is no thread for it, or the query was given up
    /// before it had one.
    ///
    /// Nobody waits for it then, and a query that is not done ends with this error.
    func excuse(_ error: any Error) {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        if isClosed { return }
        absentCount += 1
        if absence == nil { absence = error }
        interruption.set()
        pthread_cond_broadcast(wakeup)
    }

    /// Sends everybody home; call it when no phase is running.
    func close() {
        pthread_mutex_lock(lock)
        isClosed = true
        pthread_cond_broadcast(wakeup)
        pthread_mutex_unlock(lock)
    }
}
