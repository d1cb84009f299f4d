import Synchronization

/// Views laid over the index, by reference: answers and what describes their nodes hold them.
final class SharedOverlay: Sendable {
    let overlay: ViewOverlay

    init(_ overlay: ViewOverlay) { self.overlay = overlay }
}

/// The overlay that was made of views last: for a thousand views, making it takes longer than using it.
final class LaidViews: Sendable {
    /// What an overlay depends on beside the views.
    struct State: Sendable {
        var graph: LineageGraph
        /// How many commits the index has.
        var size: Int
        /// How many of them the question sees.
        var commitCount: UInt32

        fileprivate func isSame(as other: State) -> Bool {
            graph === other.graph && size == other.size && commitCount == other.commitCount
        }
    }

    private let newest = Mutex<(state: State, overlay: SharedOverlay)?>(nil)

    func overlay(at state: State) -> SharedOverlay? {
        newest.withLock { newest in
            guard let newest, newest.state.isSame(as: state) else { return nil }
            return newest.overlay
        }
    }

    func note(_ overlay: SharedOverlay, at state: State) {
        newest.withLock { $0 = (state, overlay) }
    }
}
