import Lineage

/// Lineage as its definition says it, from the steps of a log and without any index: what a table holds is a list
/// of what put it there, and each of those read what its inputs held then.
struct NaiveLineage {
    /// What happened at one position.
    enum Step {
        case called(uuid: String, name: String?)
        case ran(Run)
        /// Somebody gave a table another snapshot: a new one, an earlier one, or none.
        case changed(uuid: String, snapshot: Int64)
    }

    struct Run {
        var output: String
        var inputs: [(dataset: String, snapshot: Int64?)]
        var map: ColumnMap?
        var replaces: Bool
        var snapshot: Int64
        var job: String
    }

    enum Part: Hashable {
        case whole, rows
        case column(String)
    }

    struct Node: Hashable {
        var dataset: String
        var part: Part
    }

    struct Edge: Hashable {
        var from: Node
        var to: Node
        var kind: String?
        var subtype: String?
        var job: String?
    }

    /// Something that a dataset holds.
    enum Content: Hashable {
        /// What the step with this number put there.
        case run(Int)
        case unknown(Int)
    }

    private(set) var runs: [Int: (run: Run, read: [[Content]])] = [:]
    private var held: [String: [Content]] = [:]
    private var snapshots: [String: [Int64: [Content]]] = [:]
    private var isDropped: [String: Bool] = [:]
    private(set) var names: [String: String] = [:]
    /// Of each dataset, by key, what its columns were last called.
    private(set) var columns: [String: [String: String]] = [:]

    /// Edges of an answer, each with the steps that made it; nodes; whether nothing is missing.
    struct Answer {
        var edges: [Edge: Set<Int>] = [:]
        var nodes: Set<Node> = []
        var isComplete = true
    }

    /// - Parameter steps: those that are seen, from position 1 on.
    init(_ steps: some Sequence<Step>) {
        for (number, step) in steps.enumerated() {
            switch step {
            case .called(let uuid, let name):
                isDropped[uuid] = name == nil
                if let name { names[uuid] = name }
            case .changed(let uuid, let snapshot):
                let known = snapshots[uuid]?[snapshot]
                held[uuid] = known ?? held[uuid, default: []] + [.unknown(number)]
                snapshots[uuid, default: [:]][snapshot] = held[uuid]
            case .ran(let run):
                let read = run.inputs.map { input in
                    input.snapshot.map { snapshots[input.dataset]?[$0] ?? [] }
                        ?? (input.dataset.contains("/") ? held[input.dataset] ?? [] : [])
                }
                runs[number] = (run, read)
                held[run.output] = (run.replaces ? [] : held[run.output] ?? []) + [.run(number)]
                snapshots[run.output, default: [:]][run.snapshot] = held[run.output]
                note(run)
            }
        }
    }

    /// The key of a column: its id, or its name where it has none.
    static func key(_ name: String, _ id: Int32?) -> String { id.map { "#\($0)" } ?? name }

    private mutating func note(_ run: Run) {
        guard let map = run.map else { return }
        for output in map.outputs {
            columns[run.output, default: [:]][Self.key(output.name, output.fieldID)] = output.name
        }
        for origin in map.outputs.flatMap(\.origins) + map.rows {
            let dataset = run.inputs[origin.input].dataset
            columns[dataset, default: [:]][Self.key(origin.column, origin.fieldID)] = origin.column
        }
    }

    func source(_ run: Run, _ origin: ColumnMap.Origin) -> Node {
        Node(
            dataset: run.inputs[origin.input].dataset,
            part: .column(Self.key(origin.column, origin.fieldID))
        )
    }

    func origins(_ run: Run, _ part: Part) -> [ColumnMap.Origin] {
        guard let map = run.map else { return [] }
        if part == .rows { return map.rows }
        return map.outputs.filter { .column(Self.key($0.name, $0.fieldID)) == part }
            .flatMap(\.origins)
    }

    func wholeKind(_ run: Run, _ input: Int) -> String? {
        guard let map = run.map else { return nil }
        let all = map.outputs.flatMap(\.origins) + map.rows
        return all.contains { $0.input == input && $0.kind == .direct } ? "DIRECT" : "INDIRECT"
    }

    /// What a dataset holds.
    func contents(of dataset: String) -> [Content] { held[dataset] ?? [] }

    // MARK: Upstream

    func upstream(_ node: Node) -> Answer {
        var answer = Answer()
        var seen: Set<[AnyHashable]> = []
        answer.nodes.insert(node)
        up(node, held[node.dataset] ?? [], &answer, &seen)
        return answer
    }

    func up(
        _ node: Node,
        _ contents: [Content],
        _ answer: inout Answer,
        _ seen: inout Set<[AnyHashable]>
    ) {
        for (place, content) in contents.enumerated() where seen.insert([node, content]).inserted {
            guard case .run(let number) = content, let (run, read) = runs[number] else {
                answer.isComplete = false
                continue
            }
            func add(_ from: Node, _ kind: String?, _ subtype: String?, _ input: Int) {
                let edge = Edge(from: from, to: node, kind: kind, subtype: subtype, job: run.job)
                answer.edges[edge, default: []].insert(number)
                answer.nodes.insert(from)
                up(from, read[input], &answer, &seen)
            }
            func addWhole(_ part: Part, _ kind: (Int) -> String?) {
                for (index, input) in run.inputs.enumerated() {
                    add(Node(dataset: input.dataset, part: part), kind(index), nil, index)
                }
            }
            for origin in origins(run, node.part) {
                add(source(run, origin), origin.kind.rawValue, origin.subtype, origin.input)
            }
            switch node.part {
            case .whole: addWhole(.whole) { wholeKind(run, $0) }
            case .rows: addWhole(.rows) { _ in "INDIRECT" }
            case .column:
                if run.map == nil {
                    addWhole(.whole) { _ in nil }
                } else {
                    let rows = Node(dataset: node.dataset, part: .rows)
                    let edge = Edge(from: rows, to: node, kind: "INDIRECT", subtype: nil, job: nil)
                    answer.edges[edge, default: []].formUnion([])
                    answer.nodes.insert(rows)
                    up(rows, Array(contents[...place]), &answer, &seen)
                }
            }
            if run.map == nil, node.part != .whole, !run.inputs.isEmpty {
                answer.isComplete = false
            }
        }
    }

    // MARK: Downstream

    /// The runs whose rows are left in some table, or went from it to one where they are.
    func liveRuns() -> Set<Int> {
        var live: Set<Int> = []
        var open: [Content] = held.filter { isDropped[$0.key] != true }.flatMap(\.value)
        while let content = open.popLast() {
            guard case .run(let number) = content, live.insert(number).inserted else { continue }
            open += runs[number]?.read.flatMap { $0 } ?? []
        }
        return live
    }

    func downstream(_ node: Node) -> Answer {
        let live = liveRuns()
        var answer = Answer()
        var seen: Set<[AnyHashable]> = []
        answer.nodes.insert(node)
        down(node, nil, live, &answer, &seen)
        return answer
    }

    func down(
        _ node: Node,
        _ made: Int?,
        _ live: Set<Int>,
        _ answer: inout Answer,
        _ seen: inout Set<[AnyHashable]>
    ) {
        for number in live.sorted() {
            guard let (run, read) = runs[number] else { continue }
            for (index, input) in run.inputs.enumerated() where input.dataset == node.dataset {
                if let made, !read[index].contains(.run(made)) { continue }
                guard seen.insert([node, number, index]).inserted else { continue }
                func add(_ part: Part, _ kind: String?, _ subtype: String?) {
                    let to = Node(dataset: run.output, part: part)
                    let edge = Edge(from: node, to: to, kind: kind, subtype: subtype, job: run.job)
                    answer.edges[edge, default: []].insert(number)
                    answer.nodes.insert(to)
                    down(to, number, live, &answer, &seen)
                }
                switch node.part {
                case .whole: add(.whole, wholeKind(run, index), nil)
                case .rows: add(.rows, "INDIRECT", nil)
                case .column:
                    guard let map = run.map else {
                        answer.isComplete = false
                        add(.whole, nil, nil)
                        continue
                    }
                    let uses = map.outputs.map {
                        (Part.column(Self.key($0.name, $0.fieldID)), $0.origins)
                    }
                    for (part, origins) in uses + [(.rows, map.rows)] {
                        for origin in origins
                        where origin.input == index && source(run, origin) == node {
                            add(part, origin.kind.rawValue, origin.subtype)
                        }
                    }
                }
            }
        }
    }
}
