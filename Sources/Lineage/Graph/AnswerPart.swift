/// What of a walk is the answer.
struct AnswerPart {
    var nodes: [LineageWalk.Node]
    var edges: [LineageWalk.Edge]
    private(set) var roots: [UInt32] = []
    /// Of each node, whether values flow between it and where the walk began.
    var isDirect: [Bool] = []
    /// The same where runs on the way did not trace columns: as far as anybody knows.
    var mayBeDirect: [Bool] = []
    var isMasked: [Bool] = []

    init(nodes: [LineageWalk.Node], edges: [LineageWalk.Edge]) {
        self.nodes = nodes
        self.edges = edges
    }

    /// Edges by the node where they begin, or end.
    private struct Steps {
        private var starts: [Int]
        private var places: [Int]

        init(_ edges: [LineageWalk.Edge], _ nodeCount: Int, isForward: Bool) {
            starts = Array(repeating: 0, count: nodeCount + 1)
            for edge in edges { starts[Int(isForward ? edge.from : edge.to) + 1] += 1 }
            for index in 0..<nodeCount { starts[index + 1] += starts[index] }
            places = Array(repeating: 0, count: edges.count)
            var free = starts
            for (place, edge) in edges.enumerated() {
                let node = Int(isForward ? edge.from : edge.to)
                places[free[node]] = place
                free[node] += 1
            }
        }

        subscript(node: Int) -> ArraySlice<Int> { places[starts[node]..<starts[node + 1]] }
    }

    /// Finds what the roots reach by values alone, and past all masks.
    mutating func reach(from roots: [UInt32], isForward: Bool) {
        self.roots = roots
        let steps = Steps(edges, nodes.count, isForward: isForward)
        isDirect = marks(roots, steps, isForward) { $0.isDirect }
        mayBeDirect =
            edges.contains { $0.attributes.isUntraced }
            ? marks(roots, steps, isForward) { !$0.isIndirect } : isDirect
        isMasked = marks(roots, steps, isForward) { !$0.isMasked }.map { !$0 }
    }

    private func marks(
        _ roots: [UInt32],
        _ steps: Steps,
        _ isForward: Bool,
        _ passes: (EdgeAttributes) -> Bool
    ) -> [Bool] {
        var reached = Array(repeating: false, count: nodes.count)
        var open = roots.map { Int($0) }
        for root in open { reached[root] = true }
        while let node = open.popLast() {
            for place in steps[node] where passes(edges[place].attributes) {
                let next = Int(isForward ? edges[place].to : edges[place].from)
                if !reached[next] {
                    reached[next] = true
                    open.append(next)
                }
            }
        }
        return reached
    }

    /// Leaves out what the starts do not lead to, and counts depths from them.
    mutating func keep(reachableFrom starts: [UInt32]) {
        let steps = Steps(edges, nodes.count, isForward: true)
        var depths: [Int?] = Array(repeating: nil, count: nodes.count)
        var frontier = starts.map { Int($0) }
        for start in frontier { depths[start] = 0 }
        var depth = 0
        while !frontier.isEmpty {
            depth += 1
            var next: [Int] = []
            for node in frontier {
                for place in steps[node] where depths[Int(edges[place].to)] == nil {
                    depths[Int(edges[place].to)] = depth
                    next.append(Int(edges[place].to))
                }
            }
            frontier = next
        }
        var places = Array(repeating: UInt32(0), count: nodes.count)
        var kept: [LineageWalk.Node] = []
        for (place, depth) in depths.enumerated() {
            guard let depth else { continue }
            places[place] = UInt32(kept.count)
            kept.append(LineageWalk.Node(key: nodes[place].key, depth: depth))
        }
        edges = edges.filter { depths[Int($0.from)] != nil && depths[Int($0.to)] != nil }
        for index in edges.indices {
            edges[index].from = places[Int(edges[index].from)]
            edges[index].to = places[Int(edges[index].to)]
        }
        nodes = kept
        reach(from: starts.map { places[Int($0)] }, isForward: true)
    }
}
