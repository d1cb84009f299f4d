import Synchronization

/// The latest plans of scans, for their later pages, and the latest that were cancelled.
///
/// What is not here any more is planned again, so this bounds memory and decides nothing.
final class ScanPlans: Sendable {
    fileprivate struct Kept {
        var plan: PlannedScan
        var endMillis: Int64
    }

    fileprivate struct State {
        var plans: [String: Kept] = [:]
        var fileCount = 0
        /// Oldest first.
        var order: [String] = []
        var cancelled: [String] = []
    }

    private static let planCountMax = 64
    private static let fileCountMax = 200_000
    private static let lifetimeMillis: Int64 = 600_000
    private static let cancelledCountMax = 1024
    private let state = Mutex(State())

    func find(_ id: String, now millis: Int64) -> PlannedScan? {
        state.withLock { state in
            guard let kept = state.plans[id], kept.endMillis > millis else { return nil }
            return kept.plan
        }
    }

    /// Keeps a plan of several pages.
    func keep(_ id: String, _ plan: PlannedScan, now millis: Int64) {
        guard (PlannedScan.pageCount + 1...Self.fileCountMax).contains(plan.files.count) else {
            return
        }
        state.withLock { state in
            state.remove(id)
            state.plans[id] = Kept(plan: plan, endMillis: millis + Self.lifetimeMillis)
            state.order.append(id)
            state.fileCount += plan.files.count
            while state.plans.count > Self.planCountMax || state.fileCount > Self.fileCountMax,
                let oldest = state.order.first
            {
                state.remove(oldest)
            }
        }
    }

    func cancel(_ id: String) {
        state.withLock { state in
            state.remove(id)
            state.cancelled.append(id)
            if state.cancelled.count > Self.cancelledCountMax { state.cancelled.removeFirst() }
        }
    }

    func isCancelled(_ id: String) -> Bool {
        state.withLock { $0.cancelled.contains(id) }
    }
}

extension ScanPlans.State {
    fileprivate mutating func remove(_ id: String) {
        guard let kept = plans.removeValue(forKey: id) else { return }
        fileCount -= kept.plan.files.count
        order.removeAll { $0 == id }
    }
}
