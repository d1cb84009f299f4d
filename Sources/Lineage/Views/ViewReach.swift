/// Which views were reached, and how.
struct ViewReach {
    private(set) var places: [NodeKey: UInt32] = [:]
    private var datasets: Set<UInt32> = []
    private(set) var isCut = false
    private let options: LineageOptions
    private let depth: Int?

    init(_ options: LineageOptions, depth: Int?) { (self.options, self.depth) = (options, depth) }

    mutating func note(_ key: NodeKey, _ place: UInt32) {
        places[key] = place
        datasets.insert(key.dataset)
    }

    /// Whether something that a view reads is in the answer.
    func mayReach(_ view: ViewOverlay.View, _ views: ViewOverlay) -> Bool {
        views.wholes[view.wholes].contains { datasets.contains($0.from.dataset) }
    }

    /// Adds an edge from a node of the answer, all of whose edges are there.
    mutating func add(
        _ edge: ViewOverlay.Edge,
        from: UInt32,
        depth: Int,
        to part: inout AnswerPart
    ) {
        var attributes = edge.attributes
        if attributes.isIndirect, options.selection == .directOnly { return }
        // Of all columns, something is made that nobody traced.
        if edge.from.isWhole, options.columns { attributes = .untraced }
        if let limit = self.depth, depth > limit {
            isCut = true
            return
        }
        let to: UInt32
        if let known = places[edge.to] {
            to = known
            part.nodes[Int(to)].depth = min(part.nodes[Int(to)].depth, depth)
        } else {
            to = part.append(LineageWalk.Node(key: edge.to, depth: depth), isMasked: true)
            note(edge.to, to)
        }
        part.link(from, to, attributes)
    }
}

extension AnswerPart {
    /// Adds a node that nothing leads to yet.
    mutating func append(_ node: LineageWalk.Node, isMasked: Bool) -> UInt32 {
        nodes.append(node)
        isDirect.append(false)
        mayBeDirect.append(false)
        self.isMasked.append(isMasked)
        return UInt32(nodes.count - 1)
    }

    /// Adds an edge of a definition from a node whose own edges are all there.
    mutating func link(_ from: UInt32, _ to: UInt32, _ attributes: EdgeAttributes) {
        let (near, far) = (Int(from), Int(to))
        isDirect[far] = isDirect[far] || (isDirect[near] && attributes.isDirect)
        mayBeDirect[far] = mayBeDirect[far] || (mayBeDirect[near] && !attributes.isIndirect)
        isMasked[far] = isMasked[far] && (isMasked[near] || attributes.isMasked)
        edges.append(.ofDefinition(from: from, to: to, attributes))
    }
}
