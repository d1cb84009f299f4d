import Lineage

/// Ways one by one, each of which data can have gone.
extension NaiveLineage {
    /// A step of a way, whichever job made it.
    struct WayStep: Hashable {
        var from: Node
        var to: Node
        var kind: String?
        var subtype: String?
    }

    /// All ways between two nodes, from the start on; nil when there are too many to tell.
    func ways(from start: Node, to end: Node, countMax: Int) -> Set<[WayStep]>? {
        var found: Set<[WayStep]> = []
        var work = 0
        func follow(_ node: Node, _ lists: Set<[Content]>, _ passed: Set<Node>, _ way: [WayStep])
            -> Bool
        {
            work += lists.count + 1
            if found.count > countMax || work > 20_000 { return false }
            for (step, next) in steps(to: node, lists) where !passed.contains(step.from) {
                if step.from == start {
                    found.insert([step] + way)
                } else if !follow(step.from, next, passed.union([step.from]), [step] + way) {
                    return false
                }
            }
            return true
        }
        let isWhole = follow(end, [contents(of: end.dataset)], [end], [])
        return isWhole ? found : nil
    }

    /// What a node came from in one step, of what it held; and what of that was there then.
    private func steps(to node: Node, _ lists: Set<[Content]>) -> [WayStep: Set<[Content]>] {
        var found: [WayStep: Set<[Content]>] = [:]
        for list in lists {
            for (place, content) in list.enumerated() {
                guard case .run(let number) = content, let (run, read) = runs[number] else {
                    continue
                }
                func add(_ from: Node, _ kind: String?, _ subtype: String?, _ contents: [Content]) {
                    let step = WayStep(from: from, to: node, kind: kind, subtype: subtype)
                    found[step, default: []].insert(contents)
                }
                func addWhole(_ part: Part, _ kind: (Int) -> String?) {
                    for (index, input) in run.inputs.enumerated() {
                        add(Node(dataset: input.dataset, part: part), kind(index), nil, read[index])
                    }
                }
                for origin in origins(run, node.part) {
                    add(
                        source(run, origin),
                        origin.kind.rawValue,
                        origin.subtype,
                        read[origin.input]
                    )
                }
                switch node.part {
                case .whole: addWhole(.whole) { wholeKind(run, $0) }
                case .rows: addWhole(.rows) { _ in "INDIRECT" }
                case .column where run.map == nil: addWhole(.whole) { _ in nil }
                case .column:
                    let rows = Node(dataset: node.dataset, part: .rows)
                    add(rows, "INDIRECT", nil, Array(list[...place]))
                }
            }
        }
        return found
    }
}
