import Glibc
import Synchronization

/// A limit in bytes that many holders share; a budget may take what it hands out from a larger one.
///
/// Invariant: the bytes in use equal the sum of all living reservations and never exceed the limit,
/// here and in every enclosing budget.
package final class MemoryBudget: Sendable {
    private struct State {
        var usedBytes = 0
        var peakBytes = 0
    }

    /// The most that may be in use at once.
    package let limitBytes: Int
    private let enclosing: MemoryBudget?
    private let state = Mutex(State())

    /// A budget of its own, or a part of an enclosing one (a query's share of the process).
    package init(limitBytes: Int, within enclosing: MemoryBudget? = nil) {
        self.limitBytes = max(limitBytes, 0)
        self.enclosing = enclosing
    }

    /// The budget of the process: 80 % of what the machine or its control group gives.
    package static let process = MemoryBudget(limitBytes: availableMemoryBytes() / 5 * 4)

    /// Bytes reserved now.
    package var usedBytes: Int { state.withLock { $0.usedBytes } }

    /// The most bytes ever reserved at once.
    package var peakBytes: Int { state.withLock { $0.peakBytes } }

    /// Sets bytes aside until the reservation goes away.
    ///
    /// - Throws: `exhausted` when they do not fit; then nothing was set aside.
    package func reserve(_ byteCount: Int) throws(AmbientError) -> MemoryReservation {
        try take(byteCount)
        return MemoryReservation(self, byteCount: byteCount)
    }

    fileprivate func take(_ byteCount: Int) throws(AmbientError) {
        precondition(byteCount >= 0)
        let used = state.withLock { state -> Int? in
            guard byteCount <= limitBytes - state.usedBytes else { return state.usedBytes }
            state.usedBytes += byteCount
            state.peakBytes = max(state.peakBytes, state.usedBytes)
            return nil
        }
        if let used {
            throw AmbientError(
                .exhausted,
                "\(byteCount) bytes do not fit: \(used) of \(limitBytes) bytes of memory are in use"
            )
        }
        do throws(AmbientError) {
            try enclosing?.take(byteCount)
        } catch {
            state.withLock { $0.usedBytes -= byteCount }
            throw error
        }
    }

    fileprivate func give(_ byteCount: Int) {
        state.withLock { $0.usedBytes -= byteCount }
        enclosing?.give(byteCount)
    }
}

/// Bytes set aside in a budget; giving them back is its end of life.
package struct MemoryReservation: ~Copyable, Sendable {
    private let budget: MemoryBudget
    /// How many bytes are set aside.
    package private(set) var byteCount: Int

    fileprivate init(_ budget: MemoryBudget, byteCount: Int) {
        self.budget = budget
        self.byteCount = byteCount
    }

    /// Changes the size; on `exhausted` the old size stays.
    package mutating func resize(to newByteCount: Int) throws(AmbientError) {
        if newByteCount > byteCount {
            try budget.take(newByteCount - byteCount)
        } else {
            budget.give(byteCount - max(newByteCount, 0))
        }
        byteCount = max(newByteCount, 0)
    }

    deinit {
        budget.give(byteCount)
    }
}

/// The memory that this process may use: the machine's, or its control group's limit when that is less.
package func availableMemoryBytes() -> Int {
    let machine = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
    let groups = readSmallFile("/proc/self/cgroup").map { String(decoding: $0, as: UTF8.self) }
    let limit = controlGroupLimit(groups: groups ?? "") { path in
        readSmallFile(path).map { String(decoding: $0, as: UTF8.self) }
    }
    return min(machine > 0 ? machine : Int.max, limit ?? Int.max)
}

/// The least memory limit of a process's control groups and their parents; nil without any.
///
/// - Parameters:
///   - groups: the text of `/proc/self/cgroup`.
///   - read: gives the text of a file under `/sys/fs/cgroup`.
package func controlGroupLimit(groups: String, read: (String) -> String?) -> Int? {
    var least: Int?
    for line in groups.split(separator: "\n") {
        let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3 else { continue }
        let isSecondVersion = parts[0] == "0" && parts[1].isEmpty
        guard isSecondVersion || parts[1].split(separator: ",").contains("memory") else { continue }
        let root = isSecondVersion ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory"
        let file = isSecondVersion ? "memory.max" : "memory.limit_in_bytes"
        // A parent's limit holds for its children; inside a container the path may not exist, but
        // the root then shows the container's own limit.
        var names = parts[2].split(separator: "/")
        while true {
            let folder = ([root] + names.map(String.init)).joined(separator: "/")
            if let text = read("\(folder)/\(file)"),
                let bytes = Int(text.filter { $0 != "\n" && $0 != " " }), bytes > 0
            {
                least = min(least ?? Int.max, bytes)
            }
            if names.popLast() == nil { break }
        }
    }
    return least
}
