import Lineage

/// What questions about runs and windows mean.
extension NaiveLineage {
    /// What a question about runs calls them.
    enum Subject {
        case run(Int)
        case job(String)

        var name: String {
            switch self {
            case .run(let number): "run:run-\(number + 1)"
            case .job(let name): "job:\(name)"
            }
        }
    }

    /// The numbers of the steps that are meant.
    func numbers(of subject: Subject) -> [Int] {
        switch subject {
        case .run(let number): [number]
        case .job(let name): runs.filter { $0.value.run.job == name }.keys.sorted()
        }
    }

    /// Everything that the runs read, where it came from, and so on.
    func upstream(of subject: Subject, columns: Bool) -> Answer {
        var answer = Answer()
        var seen: Set<[AnyHashable]> = []
        let to = Node(dataset: subject.name, part: .whole)
        answer.nodes.insert(to)
        for number in numbers(of: subject) {
            guard let (run, read) = runs[number] else { continue }
            func add(_ from: Node, _ kind: String?, _ subtype: String?, _ input: Int) {
                let edge = Edge(from: from, to: to, kind: kind, subtype: subtype, job: run.job)
                answer.edges[edge, default: []].insert(number)
                answer.nodes.insert(from)
                up(from, read[input], &answer, &seen)
            }
            for (index, input) in run.inputs.enumerated() {
                guard columns, let map = run.map else {
                    let kind = columns ? nil : wholeKind(run, index)
                    add(Node(dataset: input.dataset, part: .whole), kind, nil, index)
                    if columns { answer.isComplete = false }
                    continue
                }
                for origin in map.outputs.flatMap(\.origins) + map.rows where origin.input == index
                {
                    add(source(run, origin), origin.kind.rawValue, origin.subtype, index)
                }
                add(Node(dataset: input.dataset, part: .rows), "INDIRECT", nil, index)
            }
        }
        return answer
    }

    /// Everything that the runs wrote, what was made of it, and so on.
    func downstream(of subject: Subject, columns: Bool) -> Answer {
        let live = liveRuns()
        var answer = Answer()
        var seen: Set<[AnyHashable]> = []
        let from = Node(dataset: subject.name, part: .whole)
        answer.nodes.insert(from)
        for number in numbers(of: subject) {
            guard let (run, _) = runs[number] else { continue }
            var parts: [(Part, String)] = [(.whole, "DIRECT")]
            if columns, let map = run.map {
                parts = map.outputs.map {
                    (Part.column(Self.key($0.name, $0.fieldID)), "DIRECT")
                }
                parts.append((.rows, "INDIRECT"))
            } else if columns {
                answer.isComplete = false
            }
            for (part, kind) in parts {
                let to = Node(dataset: run.output, part: part)
                let edge = Edge(from: from, to: to, kind: kind, subtype: nil, job: run.job)
                answer.edges[edge, default: []].insert(number)
                answer.nodes.insert(to)
                down(to, number, live, &answer, &seen)
            }
        }
        return answer
    }

    /// The runs that wrote or read a dataset, the newest first.
    func numbers(touching dataset: String) -> [Int] {
        runs.filter { _, value in
            value.run.output == dataset || value.run.inputs.contains { $0.dataset == dataset }
        }.keys.sorted(by: >)
    }
}

extension NaiveLineage.Answer {
    /// The part that runs of some positions made: their edges, what these lead to, and the node asked about.
    func within(_ window: ClosedRange<Int>, asked: NaiveLineage.Node) -> Self {
        var part = NaiveLineage.Answer(nodes: [asked], isComplete: isComplete)
        for (edge, numbers) in edges {
            let counted = numbers.filter { window.contains($0 + 1) }
            if counted.isEmpty { continue }
            part.edges[edge] = counted
            part.nodes.formUnion([edge.from, edge.to])
        }
        // That columns stand in rows is no run's doing.
        for edge in edges.keys where edge.job == nil {
            if part.nodes.isSuperset(of: [edge.from, edge.to]) { part.edges[edge] = [] }
        }
        return part
    }
}
