import Lineage

/// Where rows came in, and how far a dataset is behind, as a replay says it.
struct NaiveSources {
    struct Source: Hashable {
        var origins: Set<String> = []
        /// Positions.
        var lastRead: Int?
        var newest: Int?
        var read: Int?
        var firstUnread: Int?
        var behind: Int?
    }

    private let naive: NaiveLineage
    /// Of each table the positions at which it changed, and its snapshot from then on.
    private var changes: [String: [(position: Int, snapshot: Int64)]] = [:]
    /// Of each run's inputs how many changes they had when their snapshot was made.
    private var seen: [Int: [Int]] = [:]
    private var filled: Set<String> = []
    private var visited: Set<[AnyHashable]> = []
    private var reads: [String: (run: Int, input: Int)] = [:]
    private var found: [String: Source] = [:]

    init(_ naive: NaiveLineage, _ steps: some Sequence<NaiveLineage.Step>) {
        self.naive = naive
        for (number, step) in steps.enumerated() {
            switch step {
            case .called: break
            case .changed(let uuid, let snapshot):
                changes[uuid, default: []].append((number + 1, snapshot))
            case .ran(let run):
                seen[number] = run.inputs.map { input in
                    let all = changes[input.dataset] ?? []
                    return (all.lastIndex { $0.snapshot == input.snapshot } ?? -1) + 1
                }
                changes[run.output, default: []].append((number + 1, run.snapshot))
            }
        }
    }

    mutating func sources(of dataset: String) -> [String: Source] {
        visit(dataset, naive.contents(of: dataset))
        for dataset in filled { found[dataset]?.origins.remove("empty") }
        found = found.filter { !$0.value.origins.isEmpty }
        for name in found.keys {
            let all = changes[name] ?? []
            found[name]?.newest = all.last?.position
            guard name != dataset, let read = reads[name] else { continue }
            found[name]?.lastRead = read.run + 1
            if all.isEmpty, name.contains("/") { continue }
            let count = seen[read.run]?[read.input] ?? 0
            found[name]?.behind = all.count - count
            if count > 0 { found[name]?.read = all[count - 1].position }
            if count < all.count { found[name]?.firstUnread = all[count].position }
        }
        return found
    }

    private mutating func visit(_ dataset: String, _ contents: [NaiveLineage.Content]) {
        func note(_ origin: String) { found[dataset, default: Source()].origins.insert(origin) }
        if contents.isEmpty { note(dataset.contains("/") ? "file" : "empty") }
        for content in contents where visited.insert([dataset, content]).inserted {
            filled.insert(dataset)
            guard case .run(let number) = content, let (run, read) = naive.runs[number] else {
                note("unknown")
                continue
            }
            if run.inputs.isEmpty { note("values") }
            for (index, input) in run.inputs.enumerated() {
                // Where a run reads a dataset twice, at the newer state.
                let isNewer =
                    reads[input.dataset].map { known in
                        let (old, new) = (seen[known.run]?[known.input], seen[number]?[index])
                        return known.run < number
                            || (known.run == number && (old ?? 0) < (new ?? 0))
                    } ?? true
                if input.dataset != run.output, isNewer { reads[input.dataset] = (number, index) }
                visit(input.dataset, read[index])
            }
        }
    }
}
