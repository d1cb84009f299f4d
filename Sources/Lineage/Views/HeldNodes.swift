/// What a walk downstream followed to each node, by how far it had come: views see only what is there.
struct HeldNodes {
    private var events: [NodeKey: [(depth: Int, event: UInt32)]] = [:]
    private var whenever: Set<NodeKey> = []
    private let isAll: Bool
    private let commitCount: UInt32

    /// - Parameter firstDepth: how far from the node asked about the walk began.
    init(
        _ walk: LineageWalk,
        _ starts: [(key: NodeKey, event: UInt32?)],
        firstDepth: Int,
        datasets: Set<UInt32>
    ) {
        isAll = walk.options.includesReplaced || walk.options.views?.isOnMain == false
        commitCount = walk.commitCount
        for start in starts {
            guard let event = start.event else {
                whenever.insert(start.key)
                continue
            }
            events[start.key, default: []].append((firstDepth, event))
        }
        let nodes = walk.reached
        var depth = 0
        for (place, step) in walk.steps.enumerated() {
            while depth < walk.stepStarts.count, walk.stepStarts[depth] <= place { depth += 1 }
            let key = nodes[Int(step.far)].key
            if datasets.contains(key.dataset) {
                events[key, default: []].append((firstDepth + depth, step.event))
            }
        }
    }

    /// How far away the nearest is of what was followed to a node and is among what a view reads; nil when nothing is.
    ///
    /// - Parameters:
    ///   - depth: of the node itself.
    ///   - pinned: the event that the view always reads; `none` for one that the log does not know.
    func depth(
        of key: NodeKey,
        _ depth: Int,
        readAt pinned: UInt32?,
        _ index: borrowing IndexStorage
    ) -> Int? {
        if isAll || key.overlayPlace != nil || whenever.contains(key) || pinned == none {
            return depth
        }
        let bound = pinned ?? index.lastEvent(of: key.dataset, before: commitCount)
        // They come in the order of their depths.
        var rest = (events[key] ?? [])[...]
        while let nearest = rest.first?.depth {
            let same = rest.prefix { $0.depth == nearest }
            if index.holds(key.dataset, bound, anyOf: same.map(\.event)) { return nearest }
            rest = rest.dropFirst(same.count)
        }
        return nil
    }
}
