extension LineageGraph {
    /// What a node came from.
    ///
    /// - Throws: `notFound` when the log knows no such node then; `invalid` for a question without
    ///   sense.
    package func upstream(
        of node: NodeName,
        _ options: LineageOptions = LineageOptions()
    ) throws(LineageError) -> LineageAnswer {
        try ask(.upstream, node, options)
    }

    /// What was made of a node; of a snapshot, also through later snapshots that still hold its rows.
    ///
    /// - Throws: as `upstream(of:_:)`.
    package func downstream(
        of node: NodeName,
        _ options: LineageOptions = LineageOptions()
    ) throws(LineageError) -> LineageAnswer {
        try ask(.downstream, node, options)
    }

    /// Every column, row set and dataset that a change of the node may change.
    ///
    /// - Throws: as `upstream(of:_:)`.
    package func impact(
        of node: NodeName,
        _ options: LineageOptions = LineageOptions()
    ) throws(LineageError) -> LineageAnswer {
        var options = options
        options.columns = true
        options.selection = .all
        return try ask(.impact, node, options)
    }

    /// The ways on which data went from one node to another; no nodes when there is none.
    ///
    /// `options.depth` bounds the length of the ways.
    ///
    /// - Throws: as `upstream(of:_:)`.
    package func path(
        from node: NodeName,
        to target: NodeName,
        _ options: LineageOptions = LineageOptions()
    ) throws(LineageError) -> LineageAnswer {
        try storage.read { (index: borrowing IndexStorage) throws(LineageError) in
            try index.path(from: node, to: target, options)
        }
    }

    private func ask(
        _ question: LineageAnswer.Question,
        _ node: NodeName,
        _ options: LineageOptions
    ) throws(LineageError) -> LineageAnswer {
        try storage.read { (index: borrowing IndexStorage) throws(LineageError) in
            try index.ask(question, node, options)
        }
    }
}

extension IndexStorage {
    func ask(
        _ question: LineageAnswer.Question,
        _ node: NodeName,
        _ options: LineageOptions
    ) throws(LineageError) -> LineageAnswer {
        let count = try commitCount(checked: options)
        let window = try window(options)
        if let subject = try subject(of: node, before: count) {
            return ask(question, of: subject, options, window)
        }
        let root = try root(node, namespace: options.namespace, before: count)
        let roots = roots(of: root, options)
        var walk = LineageWalk(options, commitCount: count)
        walk.window = window
        if question == .upstream {
            walk.goUpstream(self, from: roots, event: root.event)
        } else {
            walk.goDownstream(self, from: roots, event: root.event)
        }
        var part = AnswerPart(nodes: Array(walk.reached), edges: walk.edges)
        part.reach(from: roots.compactMap { walk.place(of: $0) }, isForward: question != .upstream)
        return answer(question, root.key, part, walk)
    }

    fileprivate func path(
        from node: NodeName,
        to target: NodeName,
        _ options: LineageOptions
    ) throws(LineageError) -> LineageAnswer {
        let (from, to, options) = try ends(of: node, target, options)
        let count = commitCount(options.asOf)
        var walk = LineageWalk(options, commitCount: count)
        walk.goUpstream(self, from: roots(of: to, options), event: to.event)
        // Of what leads to the end, what the start leads to.
        let starts = roots(of: from, options).compactMap { walk.place(of: $0) }
        var part = AnswerPart(nodes: Array(walk.reached), edges: walk.edges)
        part.keep(reachableFrom: starts)
        var answer = answer(.path, from.key, part, walk)
        var describer = Describer(count)
        answer.target = describer.describe(to.key, 0, self).name
        return answer
    }

    /// What the ways of a question lie between, and how it is asked.
    func ends(
        of node: NodeName,
        _ target: NodeName,
        _ options: LineageOptions
    ) throws(LineageError) -> (from: Root, to: Root, options: LineageOptions) {
        let count = try commitCount(checked: options)
        guard !options.hasWindow else {
            throw LineageError(.invalid, "a question about ways has no window: since and until")
        }
        let from = try root(node, namespace: options.namespace, before: count)
        let to = try root(target, namespace: options.namespace, before: count)
        var options = options
        // A way between a column and a dataset is one between columns.
        options.columns = options.columns || !from.key.isWhole || !to.key.isWhole
        return (from, to, options)
    }

    func commitCount(checked options: LineageOptions) throws(LineageError) -> UInt32 {
        if let depth = options.depth, depth < 1 {
            throw LineageError(.invalid, "the depth is at least 1, not \(depth)")
        }
        if case .position(let position) = options.asOf {
            guard position >= 0, position <= lastPosition ?? 0 else {
                throw LineageError(
                    .invalid,
                    "the log has positions 1 to \(lastPosition ?? 0), not \(position)"
                )
            }
        }
        return commitCount(options.asOf)
    }

    /// The node itself, or all columns of the dataset when they are asked for.
    func roots(of root: Root, _ options: LineageOptions) -> [NodeKey] {
        guard options.columns, root.key.isWhole else { return [root.key] }
        let dataset = root.key.dataset
        var keys = (0..<datasets[dataset].columnCount).map { NodeKey(dataset, $0) }
        if options.selection == .all { keys.append(.rows(dataset)) }
        return keys.isEmpty ? [root.key] : keys
    }

    // MARK: The answer

    /// - Parameter subject: the node that stands for `NodeKey.subject`, which is no dataset's.
    func answer(
        _ question: LineageAnswer.Question,
        _ root: NodeKey,
        _ whole: AnswerPart,
        _ walk: LineageWalk,
        subject: LineageAnswer.Node? = nil
    ) -> LineageAnswer {
        let count = walk.commitCount
        var describer = Describer(count)
        describer.subject = subject
        var part = whole
        if walk.options.hasWindow { part.keepCounted() }
        // By depth, then by name; the one asked about first.
        // Names lie together while they are compared, not all over the index.
        var names: [UInt8] = []
        var order: [(depth: Int, isOther: Bool, name: Range<Int>, place: Int)] = []
        order.reserveCapacity(part.nodes.count)
        for (place, node) in part.nodes.enumerated() {
            let start = names.count
            describer.appendSortName(node.key, self, to: &names)
            order.append((node.depth, node.key != root, start..<names.count, place))
        }
        names.withUnsafeBufferPointer { names in
            order.sort { a, b in
                if a.depth != b.depth { return a.depth < b.depth }
                if a.isOther != b.isOther { return !a.isOther }
                let (x, y) = (
                    UnsafeBufferPointer(rebasing: names[a.name]),
                    UnsafeBufferPointer(rebasing: names[b.name])
                )
                if bytesPrecede(x, y) { return true }
                if bytesPrecede(y, x) { return false }
                return part.nodes[a.place].key.bits < part.nodes[b.place].key.bits
            }
        }
        var places = Array(repeating: 0, count: order.count)
        var nodes: [LineageAnswer.Node] = []
        nodes.reserveCapacity(order.count)
        for (index, entry) in order.enumerated() {
            places[entry.place] = index
            var node = describer.describe(part.nodes[entry.place].key, entry.depth, self)
            node.isDirect = part.isDirect[entry.place]
            node.isMasked = part.isMasked[entry.place]
            nodes.append(node)
        }
        let last = count > 0 ? commits[count - 1] : nil
        return LineageAnswer(
            question: question,
            root: describer.describe(root, 0, self).name,
            target: nil,
            position: last?.position ?? 0,
            timeMillis: last?.timeMillis ?? 0,
            nodes: nodes,
            edges: shownEdges(part, places),
            gaps: walk.gaps.union(generalGaps(before: count)).sorted(by: bytesPrecede),
            isCut: walk.isCut
        )
    }

    private func shownEdges(_ part: AnswerPart, _ places: [Int]) -> [LineageAnswer.Edge] {
        var order = part.edges.indices.map { index in
            let edge = part.edges[index]
            return (
                from: places[Int(edge.from)], to: places[Int(edge.to)], job: edge.job, index: index
            )
        }
        order.sort { a, b in
            if a.from != b.from { return a.from < b.from }
            if a.to != b.to { return a.to < b.to }
            let (x, y) = (part.edges[a.index], part.edges[b.index])
            if a.job != b.job {
                if a.job == none || b.job == none { return a.job == none }
                let (j, k) = (jobs[a.job], jobs[b.job])
                if j.name != k.name { return text(j.name, precedes: k.name) }
                if j.kind != k.kind { return text(j.kind, precedes: k.kind) }
                if j.version == none || k.version == none { return j.version == none }
                return text(j.version, precedes: k.version)
            }
            return sortsBefore(x.attributes, y.attributes)
        }
        // Edges of one run come one behind the other more often than not.
        var last: (number: UInt32, run: LineageAnswer.Run)?
        return order.map { entry in
            let edge = part.edges[entry.index]
            let dataset = part.nodes[Int(edge.from)].key.dataset
            var shown: LineageAnswer.Run?
            if edge.runCount > 0 {
                if last?.number != edge.lastRun {
                    last = (edge.lastRun, describe(run: edge.lastRun))
                }
                var run = last?.run ?? describe(run: edge.lastRun)
                run.inputSnapshotID = snapshotRead(by: edge.lastRun, of: dataset)
                shown = run
            }
            return LineageAnswer.Edge(
                from: entry.from,
                to: entry.to,
                kind: edge.attributes.kind,
                subtype: optionalString(subtypes[edge.attributes.subtype]),
                isMasked: edge.attributes.isMasked,
                run: shown,
                runCount: edge.runCount,
                firstPosition: edge.runCount > 0
                    ? commits[self.runs[edge.firstRun].commit].position : nil
            )
        }
    }

    func sortsBefore(_ a: EdgeAttributes, _ b: EdgeAttributes) -> Bool {
        let (x, y) = (a.kind?.rawValue ?? "", b.kind?.rawValue ?? "")
        if x != y { return bytesPrecede(x, y) }
        let (s, t) = (subtypes[a.subtype], subtypes[b.subtype])
        if s != t {
            if s == none || t == none { return s == none }
            return text(s, precedes: t)
        }
        return !a.isMasked && b.isMasked
    }

    func snapshotRead(by run: UInt32, of dataset: UInt32) -> Int64? {
        let record = runs[run]
        for input in (record.firstInput..<record.firstInput + record.inputCount).reversed()
        where inputs[input].dataset == dataset {
            return inputs[input].flags & InputRecord.hasSnapshotFlag != 0
                ? inputs[input].snapshotID : nil
        }
        return nil
    }

    /// A run, without what it read.
    func describe(run number: UInt32) -> LineageAnswer.Run {
        let run = runs[number]
        let commit = commits[run.commit]
        let job = jobs[run.job]
        return LineageAnswer.Run(
            jobKind: string(job.kind),
            jobName: string(job.name),
            jobVersion: optionalString(job.version),
            runID: string(run.runID),
            commitID: string(commit.id),
            actor: string(commit.actor),
            position: commit.position,
            timeMillis: commit.timeMillis,
            operation: string(run.operation),
            inputSnapshotID: nil,
            outputSnapshotID: run.flags & RunRecord.hasSnapshotFlag != 0 ? run.snapshotID : nil,
            number: Int(number)
        )
    }
}

/// What of a walk is the answer.
struct AnswerPart {
    var nodes: [LineageWalk.Node]
    var edges: [LineageWalk.Edge]
    private(set) var roots: [UInt32] = []
    /// Of each node, whether values flow between it and where the walk began.
    var isDirect: [Bool] = []
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

/// Names nodes as they were called then; what columns of one dataset share is made once.
struct Describer {
    private let commitCount: UInt32
    private var datasets: [UInt32: LineageAnswer.Node] = [:]
    /// What stands for `NodeKey.subject`.
    var subject: LineageAnswer.Node?

    init(_ commitCount: UInt32) { self.commitCount = commitCount }

    /// Adds what a node sorts by: the dataset's name, then itself, its rows, its columns by name.
    func appendSortName(
        _ key: NodeKey,
        _ index: borrowing IndexStorage,
        to names: inout [UInt8]
    ) {
        // The only one of its depth.
        if key == .subject { return }
        let record = index.datasets[key.dataset]
        let name = record.isFile ? nil : index.name(of: key.dataset, before: commitCount).name
        index.appendBytes(ofText: name ?? record.identity, to: &names)
        names += [0, key.isWhole ? 0 : key.isRows ? 1 : 2]
        if key.isWhole || key.isRows { return }
        let column = index.columnName(key.column, of: key.dataset, before: commitCount)
        index.appendBytes(ofText: column, to: &names)
    }

    mutating func describe(
        _ key: NodeKey,
        _ depth: Int,
        _ index: borrowing IndexStorage
    ) -> LineageAnswer.Node {
        if key == .subject, let subject { return subject }
        var node: LineageAnswer.Node
        if let known = datasets[key.dataset] {
            node = known
        } else {
            node = whole(key.dataset, index)
            datasets[key.dataset] = node
        }
        node.depth = depth
        let separator = node.kind == .file ? "#" : "."
        if key.isRows {
            node.kind = .rows
            node.name += "\(separator)*"
        } else if !key.isWhole {
            let text = index.string(
                index.columnName(key.column, of: key.dataset, before: commitCount)
            )
            let id = index.column(key.column, of: key.dataset).fieldID
            node.name += separator + (node.kind == .file ? text : NodeName.written([text]))
            node.kind = .column
            node.column = text
            node.fieldID = id < 0 ? nil : id
        }
        return node
    }

    private func whole(_ dataset: UInt32, _ index: borrowing IndexStorage) -> LineageAnswer.Node {
        let record = index.datasets[dataset]
        let identity = index.string(record.identity)
        if record.isFile {
            return LineageAnswer.Node(
                kind: .file,
                name: identity,
                dataset: identity,
                isDropped: false,
                depth: 0,
                isDirect: false,
                isMasked: false
            )
        }
        let (name, isDropped) = index.name(of: dataset, before: commitCount)
        let text = name.map { index.string($0) } ?? identity
        return LineageAnswer.Node(
            kind: .table,
            name: text,
            dataset: text,
            tableUUID: identity,
            isDropped: isDropped,
            depth: 0,
            isDirect: false,
            isMasked: false
        )
    }
}
