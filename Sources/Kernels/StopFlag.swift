import Synchronization

/// A flag that is raised once: by workers for each other, or by who wanted their work (`Interruption`).
package final class StopFlag: Sendable {
    private let flag = Atomic<Bool>(false)

    package init() {}

    package var isSet: Bool { flag.load(ordering: .relaxed) }

    package func set() { flag.store(true, ordering: .relaxed) }
}
