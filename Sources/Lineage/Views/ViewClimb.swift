/// The way up from a view through other views, to what the index has.
struct ViewClimb {
    struct Read {
        var from: NodeKey
        var depth: Int
        var pinned: UInt32?
    }

    private(set) var nodes: [(key: NodeKey, depth: Int)] = []
    private(set) var edges: [ViewOverlay.Edge] = []
    /// What is read of the index.
    private(set) var reads: [Read] = []
    /// Things that are no views: the log does not know them.
    private(set) var strangers: Set<Int> = []
    private(set) var isCut = false

    init(_ views: ViewOverlay, from roots: [NodeKey], _ options: LineageOptions) {
        let byThing = Dictionary(
            views.views.map { ($0.thing, $0) },
            uniquingKeysWith: { first, _ in first }
        )
        let includesIndirect = options.selection == .all
        var seen: Set<NodeKey> = []
        var current = roots.filter { seen.insert($0).inserted }
        var depth = 0
        while !current.isEmpty {
            var next: [NodeKey] = []
            var at = 0
            // Grows by nodes that are no step further.
            while at < current.count {
                let key = current[at]
                at += 1
                nodes.append((key, depth))
                guard let place = key.overlayPlace, let view = byThing[place] else {
                    if let place = key.overlayPlace, views.things[place].kind == .table {
                        strangers.insert(place)
                    }
                    continue
                }
                let found = key.isWhole ? views.wholes[view.wholes] : views.edges[view.edges]
                for edge in found where edge.to == key {
                    if edge.attributes.isIndirect, !includesIndirect { continue }
                    if let limit = options.depth, depth >= limit {
                        isCut = true
                        continue
                    }
                    edges.append(edge)
                    if edge.from.overlayPlace != nil {
                        if seen.insert(edge.from).inserted { next.append(edge.from) }
                    } else {
                        reads.append(
                            Read(
                                from: edge.from,
                                depth: depth + 1,
                                pinned: views.pinnedEvent(of: edge.from.dataset, readBy: view)
                            )
                        )
                    }
                }
                guard includesIndirect, !key.isWhole, !key.isRows else { continue }
                let rows = NodeKey.rows(key.dataset)
                edges.append(ViewOverlay.Edge(from: rows, to: key, attributes: .indirect))
                if seen.insert(rows).inserted { current.append(rows) }
            }
            current = next
            depth += 1
        }
    }
}
