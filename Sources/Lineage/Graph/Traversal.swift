// One walk through the graph, step by step outward from a root.
//
// A step upstream goes from what a dataset held at one event to the runs that put it there, and from
// each to what its inputs held when it read them. Going back through the events of a dataset ends
// where its contents were replaced, or where the walk has been: an event that was visited stands for
// all those before it. So each pair of node and event is looked at once, however many runs there are.
//
// A step downstream goes from a run's output to the runs that read it while the rows were still
// there. Only runs count whose rows are left in some table now, or went from it to one where they
// are; `markLive` finds them in one pass from the newest run to the oldest.

/// The state of one question.
struct Traversal {
    struct EdgeKey: Hashable {
        var from: NodeKey
        var to: NodeKey
        var job: LineageFacts.Job?
        var kind: ColumnMap.Kind?
        var subtype: String?
        var isMasked: Bool
    }

    struct EdgeRuns {
        var firstRun: Int
        var lastRun: Int
        var count: Int
    }

    private struct Visit: Hashable {
        var key: NodeKey
        var number: Int
        var input: Int
    }

    let graph: LineageGraph
    let options: LineageOptions
    /// Commits that are seen.
    let commitCount: Int

    private(set) var depths: [NodeKey: Int] = [:]
    private(set) var edges: [EdgeKey: EdgeRuns] = [:]
    private(set) var gaps: Set<String> = []
    private(set) var isCut = false

    private var visits: Set<Visit> = []
    private var seenRuns: Set<Visit> = []
    private var isProbing = false
    private var live: [Bool] = []
    /// What the next step starts from: upstream, events that bound it; downstream, events it came from.
    private var next: [NodeKey: [Int]] = [:]
    private var current: [(key: NodeKey, events: [Int])] = []

    init(_ graph: LineageGraph, _ options: LineageOptions, commitCount: Int) {
        self.graph = graph
        self.options = options
        self.commitCount = commitCount
    }

    private var includesIndirect: Bool { options.selection == .all }

    // MARK: Steps

    mutating func goUpstream(from roots: [NodeKey], event: Int?) {
        for root in roots {
            depths[root] = 0
            next[root] = [event ?? visibleEventCount(root.dataset) - 1]
        }
        go { traversal, key, events in
            for event in events { traversal.expandUpstream(key, event) }
        }
    }

    mutating func goDownstream(from roots: [NodeKey], event: Int?) {
        markLive()
        for root in roots {
            depths[root] = 0
            next[root] = [event ?? -1]
        }
        go { traversal, key, events in traversal.expandDownstream(key, events) }
    }

    private mutating func go(_ expand: (inout Traversal, NodeKey, [Int]) -> Void) {
        var depth = 0
        while !next.isEmpty {
            if let limit = options.depth, depth >= limit {
                isProbing = true
            }
            current = next.sorted { sortsBefore($0.key, $1.key) }.map { ($0.key, $0.value) }
            next = [:]
            var index = 0
            // Grows by nodes that are no step further.
            while index < current.count {
                let (key, events) = current[index]
                expand(&self, key, events.sorted(by: >))
                index += 1
                if isProbing, isCut { return }
            }
            if isProbing { return }
            depth += 1
        }
    }

    private func sortsBefore(_ a: NodeKey, _ b: NodeKey) -> Bool {
        (a.dataset, a.column) < (b.dataset, b.column)
    }

    private func visibleEventCount(_ dataset: Int) -> Int {
        graph.datasets[dataset].eventCount(before: commitCount)
    }

    /// Notes an edge, and the node at its far end with what to go on from.
    private mutating func note(
        _ key: EdgeKey,
        run: Int?,
        far: NodeKey,
        depth: Int,
        event: Int
    ) {
        if isProbing {
            isCut = true
            return
        }
        if let run {
            if var known = edges[key] {
                // The same run may find an edge from both sides of a self join.
                if visitsEdge(key, run) { known.count += 1 }
                known.firstRun = min(known.firstRun, run)
                known.lastRun = max(known.lastRun, run)
                edges[key] = known
            } else {
                _ = visitsEdge(key, run)
                edges[key] = EdgeRuns(firstRun: run, lastRun: run, count: 1)
            }
        } else if edges[key] == nil {
            edges[key] = EdgeRuns(firstRun: -1, lastRun: -1, count: 0)
        }
        if depths[far] == nil { depths[far] = depth }
        next[far, default: []].append(event)
    }

    private var edgeVisits: [EdgeKey: Set<Int>] = [:]

    private mutating func visitsEdge(_ key: EdgeKey, _ run: Int) -> Bool {
        edgeVisits[key, default: []].insert(run).inserted
    }

    private mutating func noteGap(_ text: String) {
        if !isProbing { gaps.insert(text) }
    }

    private func title(_ dataset: Int) -> String {
        switch graph.datasets[dataset].identity {
        case .file(let path): path
        case .table(let uuid):
            graph.datasets[dataset].name(before: commitCount).name.map(NodeName.written) ?? uuid
        }
    }

    // MARK: Upstream

    private mutating func expandUpstream(_ key: NodeKey, _ bound: Int) {
        let dataset = graph.datasets[key.dataset]
        let visible = visibleEventCount(key.dataset)
        var event = options.includesReplaced ? visible - 1 : min(bound, visible - 1)
        while event >= 0 {
            guard visits.insert(Visit(key: key, number: event, input: -1)).inserted else { return }
            let happened = dataset.events[event]
            switch happened.kind {
            case .run(let run): contribute(run, key)
            case .gap(let trouble):
                noteGap(
                    "\(title(key.dataset)) was changed at position "
                        + "\(graph.commits[happened.commit].position) from what is not known: "
                        + trouble
                )
            case .rollback(let target):
                if !options.includesReplaced {
                    event = target
                    continue
                }
            }
            if happened.replaces, !options.includesReplaced { return }
            event -= 1
        }
        if !dataset.isFile, !dataset.isBorn {
            noteGap("\(title(key.dataset)) was made before the log begins, or outside it")
        }
    }

    /// The node's own depth: edges found now lead one step further.
    private func depth(_ key: NodeKey) -> Int { depths[key] ?? 0 }

    private mutating func contribute(_ number: Int, _ key: NodeKey) {
        let run = graph.runs[number]
        let map = run.map.map { graph.maps[$0] }
        func add(
            _ traversal: inout Traversal,
            _ input: Int,
            _ column: Int,
            _ kind: ColumnMap.Kind?,
            _ subtype: String?,
            _ isMasked: Bool
        ) {
            let source = run.inputs[input]
            if !source.isExact {
                traversal.noteGap(
                    "run \(run.runID) read a snapshot of \(traversal.title(source.dataset)) that "
                        + "is not in the log"
                )
            }
            let from = NodeKey(dataset: source.dataset, column: column)
            let edge = EdgeKey(
                from: from,
                to: key,
                job: run.job,
                kind: kind,
                subtype: subtype,
                isMasked: isMasked
            )
            let depth = traversal.depth(key) + 1
            traversal.note(edge, run: number, far: from, depth: depth, event: source.bound)
        }
        switch key.column {
        case NodeKey.whole:
            for input in run.inputs.indices {
                let kind = map.map { $0.isDirect[input] ? ColumnMap.Kind.direct : .indirect }
                if kind != .indirect || includesIndirect {
                    add(&self, input, NodeKey.whole, kind, nil, false)
                }
            }
        case NodeKey.rows:
            guard includesIndirect else { return }
            for origin in map?.rows ?? [] {
                add(
                    &self,
                    origin.input,
                    origin.column,
                    origin.kind,
                    origin.subtype,
                    origin.isMasked
                )
            }
            for input in run.inputs.indices {
                add(&self, input, NodeKey.rows, .indirect, nil, false)
            }
            if map == nil, !run.inputs.isEmpty { noteUntraced(run) }
        default:
            guard let map else {
                if !run.inputs.isEmpty { noteUntraced(run) }
                for input in run.inputs.indices {
                    add(&self, input, NodeKey.whole, nil, nil, false)
                }
                return
            }
            for origin in map.origins[key.column] ?? []
            where origin.kind == .direct || includesIndirect {
                add(
                    &self,
                    origin.input,
                    origin.column,
                    origin.kind,
                    origin.subtype,
                    origin.isMasked
                )
            }
            if includesIndirect { standInRows(key, at: run.event) }
        }
    }

    private mutating func noteUntraced(_ run: FoldedRun) {
        noteGap(
            run.columnMapHash == nil
                ? "run \(run.runID) of \(run.job.name) did not trace columns"
                : "the column map of run \(run.runID) of \(run.job.name) is not in the log"
        )
    }

    /// Goes on, in the same step, to which rows the column's dataset has.
    private mutating func standInRows(_ key: NodeKey, at event: Int) {
        let rows = NodeKey(dataset: key.dataset, column: NodeKey.rows)
        if !isProbing {
            let edge = EdgeKey(
                from: rows,
                to: key,
                job: nil,
                kind: .indirect,
                subtype: nil,
                isMasked: false
            )
            if edges[edge] == nil { edges[edge] = EdgeRuns(firstRun: -1, lastRun: -1, count: 0) }
            if depths[rows] == nil { depths[rows] = depth(key) }
        }
        if !visits.contains(Visit(key: rows, number: event, input: -1)) {
            current.append((rows, [event]))
        }
    }

    // MARK: Downstream

    /// Finds the runs whose rows are still somewhere.
    private mutating func markLive() {
        let runCount = graph.runs.firstIndex { $0.commit >= commitCount } ?? graph.runs.count
        live = Array(repeating: options.includesReplaced, count: runCount)
        if options.includesReplaced { return }
        // Of each dataset, per segment of events, the last event whose contents are needed.
        var needed: [[Int: Int]] = Array(repeating: [:], count: graph.datasets.count)
        func need(_ dataset: Int, _ bound: Int) {
            var bound = bound
            let events = graph.datasets[dataset].events
            while bound >= 0 {
                let start = events[bound].segmentStart
                if let known = needed[dataset][start], known >= bound { return }
                needed[dataset][start] = bound
                guard case .rollback(let target) = events[start].kind else { return }
                bound = target
            }
        }
        for dataset in graph.datasets.indices {
            let isDropped = graph.datasets[dataset].name(before: commitCount).isDropped
            if !isDropped { need(dataset, visibleEventCount(dataset) - 1) }
        }
        for number in (0..<runCount).reversed() {
            let run = graph.runs[number]
            let start = graph.datasets[run.output].events[run.event].segmentStart
            guard let bound = needed[run.output][start], bound >= run.event else { continue }
            live[number] = true
            for input in run.inputs { need(input.dataset, input.bound) }
        }
    }

    /// Whether what some event left is among what the dataset held at `bound`.
    private func holds(_ dataset: Int, _ bound: Int, anyOf ascending: [Int]) -> Bool {
        let events = graph.datasets[dataset].events
        var bound = bound
        while bound >= 0 {
            let start = events[bound].segmentStart
            if ascending.contains(where: { (start...bound).contains($0) }) { return true }
            guard case .rollback(let target) = events[start].kind else { return false }
            bound = target
        }
        return false
    }

    private mutating func expandDownstream(_ key: NodeKey, _ events: [Int]) {
        // -1 stands for the dataset whenever it was read.
        let isAny = events.contains(-1) || options.includesReplaced
        for number in graph.datasets[key.dataset].consumers {
            guard number < live.count else { break }
            guard live[number] else { continue }
            let run = graph.runs[number]
            for (index, input) in run.inputs.enumerated() where input.dataset == key.dataset {
                guard isAny || holds(key.dataset, input.bound, anyOf: events) else { continue }
                guard
                    seenRuns.insert(Visit(key: key, number: number, input: index)).inserted
                else { continue }
                spread(number, index, key)
            }
        }
    }

    private mutating func spread(_ number: Int, _ input: Int, _ key: NodeKey) {
        let run = graph.runs[number]
        let map = run.map.map { graph.maps[$0] }
        func add(
            _ traversal: inout Traversal,
            _ column: Int,
            _ kind: ColumnMap.Kind?,
            _ subtype: String?,
            _ isMasked: Bool
        ) {
            let to = NodeKey(dataset: run.output, column: column)
            let edge = EdgeKey(
                from: key,
                to: to,
                job: run.job,
                kind: kind,
                subtype: subtype,
                isMasked: isMasked
            )
            let depth = traversal.depth(key) + 1
            traversal.note(edge, run: number, far: to, depth: depth, event: run.event)
        }
        if !run.inputs[input].isExact {
            noteGap(
                "run \(run.runID) read a snapshot of \(title(key.dataset)) that is not in the log"
            )
        }
        switch key.column {
        case NodeKey.whole:
            let kind = map.map { $0.isDirect[input] ? ColumnMap.Kind.direct : .indirect }
            if kind != .indirect || includesIndirect {
                add(&self, NodeKey.whole, kind, nil, false)
            }
        case NodeKey.rows:
            if includesIndirect { add(&self, NodeKey.rows, .indirect, nil, false) }
        default:
            guard let map else {
                noteUntraced(run)
                add(&self, NodeKey.whole, nil, nil, false)
                return
            }
            for target in map.targets[input][key.column] ?? []
            where target.kind == .direct || includesIndirect {
                add(&self, target.column, target.kind, target.subtype, target.isMasked)
            }
        }
    }
}
