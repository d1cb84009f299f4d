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
        let count = try commitCount(checked: options)
        let from = try root(node, namespace: options.namespace, before: count)
        let to = try root(target, namespace: options.namespace, before: count)
        var options = options
        // A way between a column and a dataset is one between columns.
        options.columns =
            options.columns || from.key.column != NodeKey.whole || to.key.column != NodeKey.whole
        let ends = roots(of: to, options)
        let starts = roots(of: from, options)
        var walk = Traversal(self, options, commitCount: count)
        walk.goUpstream(from: ends, event: to.event)
        // Of what leads to the end, what the start leads to.
        var reached = Set(starts.filter { walk.depths[$0] != nil })
        var depths: [NodeKey: Int] = [:]
        for key in reached { depths[key] = 0 }
        var frontier = Array(reached)
        let outgoing = Dictionary(grouping: walk.edges.keys, by: \.from)
        while !frontier.isEmpty {
            var next: [NodeKey] = []
            for key in frontier {
                for edge in outgoing[key] ?? [] where reached.insert(edge.to).inserted {
                    depths[edge.to] = (depths[key] ?? 0) + 1
                    next.append(edge.to)
                }
            }
            frontier = next
        }
        let edges = walk.edges.filter {
            reached.contains($0.key.from) && reached.contains($0.key.to)
        }
        var answer = answer(
            .path,
            root: from.key,
            roots: starts,
            depths: depths,
            edges: edges,
            count
        )
        answer.target = describe(to.key, 0, count).name
        answer.gaps = walk.gaps.union(generalGaps(before: count)).sorted(by: bytesPrecede)
        answer.isCut = walk.isCut
        return answer
    }

    private func ask(
        _ question: LineageAnswer.Question,
        _ node: NodeName,
        _ options: LineageOptions
    ) throws(LineageError) -> LineageAnswer {
        let count = try commitCount(checked: options)
        let root = try root(node, namespace: options.namespace, before: count)
        let roots = roots(of: root, options)
        var walk = Traversal(self, options, commitCount: count)
        if question == .upstream {
            walk.goUpstream(from: roots, event: root.event)
        } else {
            walk.goDownstream(from: roots, event: root.event)
        }
        var answer = answer(
            question,
            root: root.key,
            roots: roots,
            depths: walk.depths,
            edges: walk.edges,
            count
        )
        answer.gaps = walk.gaps.union(generalGaps(before: count)).sorted(by: bytesPrecede)
        answer.isCut = walk.isCut
        return answer
    }

    private func commitCount(checked options: LineageOptions) throws(LineageError) -> Int {
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
    private func roots(of root: Root, _ options: LineageOptions) -> [NodeKey] {
        guard options.columns, root.key.column == NodeKey.whole else { return [root.key] }
        let dataset = root.key.dataset
        var keys = datasets[dataset].columns.indices.map { NodeKey(dataset: dataset, column: $0) }
        if options.selection == .all {
            keys.append(NodeKey(dataset: dataset, column: NodeKey.rows))
        }
        return keys.isEmpty ? [root.key] : keys
    }

    // MARK: The answer

    private func answer(
        _ question: LineageAnswer.Question,
        root: NodeKey,
        roots: [NodeKey],
        depths: [NodeKey: Int],
        edges: [Traversal.EdgeKey: Traversal.EdgeRuns],
        _ count: Int
    ) -> LineageAnswer {
        let isForward = question != .upstream
        let direct = reach(roots, edges.keys, isForward) { $0.kind == .direct }
        let unmasked = reach(roots, edges.keys, isForward) { !$0.isMasked }
        var described = depths.map { key, depth in
            var node = describe(key, depth, count)
            node.isDirect = direct.contains(key)
            node.isMasked = !unmasked.contains(key)
            return (key: key, node: node)
        }
        described.sort { a, b in
            if a.node.depth != b.node.depth { return a.node.depth < b.node.depth }
            if (a.key == root) != (b.key == root) { return a.key == root }
            if a.node.name != b.node.name { return bytesPrecede(a.node.name, b.node.name) }
            return (a.key.dataset, a.key.column) < (b.key.dataset, b.key.column)
        }
        var places: [NodeKey: Int] = [:]
        for (index, entry) in described.enumerated() { places[entry.key] = index }
        var result: [LineageAnswer.Edge] = []
        for (key, runs) in edges {
            guard let from = places[key.from], let to = places[key.to] else { continue }
            result.append(
                LineageAnswer.Edge(
                    from: from,
                    to: to,
                    kind: key.kind,
                    subtype: key.subtype,
                    isMasked: key.isMasked,
                    run: runs.count > 0 ? run(runs.lastRun, from: key.from.dataset) : nil,
                    runCount: runs.count,
                    firstPosition: runs.count > 0
                        ? commits[self.runs[runs.firstRun].commit].position : nil
                )
            )
        }
        result.sort(by: Self.precedes)
        let last = count > 0 ? commits[count - 1] : nil
        return LineageAnswer(
            question: question,
            root: describe(root, 0, count).name,
            target: nil,
            position: last?.position ?? 0,
            timeMillis: last?.timeMillis ?? 0,
            nodes: described.map(\.node),
            edges: result,
            gaps: [],
            isCut: false
        )
    }

    private static func precedes(_ a: LineageAnswer.Edge, _ b: LineageAnswer.Edge) -> Bool {
        if a.from != b.from { return a.from < b.from }
        if a.to != b.to { return a.to < b.to }
        let (x, y) = (sortText(a), sortText(b))
        return bytesPrecede(x, y)
    }

    private static func sortText(_ edge: LineageAnswer.Edge) -> String {
        [
            edge.run?.jobName ?? "", edge.run?.jobKind ?? "", edge.run?.jobVersion ?? "",
            edge.kind?.rawValue ?? "", edge.subtype ?? "", edge.isMasked ? "1" : "0",
        ].joined(separator: "\u{1}")
    }

    /// What the roots reach over edges that pass.
    private func reach(
        _ roots: [NodeKey],
        _ edges: some Collection<Traversal.EdgeKey>,
        _ isForward: Bool,
        _ passes: (Traversal.EdgeKey) -> Bool
    ) -> Set<NodeKey> {
        var steps: [NodeKey: [NodeKey]] = [:]
        for edge in edges where passes(edge) {
            if isForward {
                steps[edge.from, default: []].append(edge.to)
            } else {
                steps[edge.to, default: []].append(edge.from)
            }
        }
        var reached = Set(roots)
        var open = roots
        while let key = open.popLast() {
            for next in steps[key] ?? [] where reached.insert(next).inserted { open.append(next) }
        }
        return reached
    }

    private func run(_ number: Int, from dataset: Int) -> LineageAnswer.Run {
        let run = runs[number]
        let commit = commits[run.commit]
        return LineageAnswer.Run(
            jobKind: run.job.kind,
            jobName: run.job.name,
            jobVersion: run.job.version,
            runID: run.runID,
            commitID: commit.id,
            actor: commit.actor,
            position: commit.position,
            timeMillis: commit.timeMillis,
            operation: run.operation,
            inputSnapshotID: run.inputs.last { $0.dataset == dataset }?.snapshotID,
            outputSnapshotID: run.snapshotID,
            number: number
        )
    }

    func describe(_ key: NodeKey, _ depth: Int, _ count: Int) -> LineageAnswer.Node {
        let dataset = datasets[key.dataset]
        let (name, isDropped) = dataset.name(before: count)
        var node: LineageAnswer.Node
        switch dataset.identity {
        case .file(let path):
            node = LineageAnswer.Node(
                kind: .file,
                name: path,
                dataset: path,
                isDropped: false,
                depth: depth,
                isDirect: false,
                isMasked: false
            )
        case .table(let uuid):
            let text = name.map(NodeName.written) ?? uuid
            node = LineageAnswer.Node(
                kind: .table,
                name: text,
                dataset: text,
                tableName: name,
                tableUUID: uuid,
                isDropped: isDropped,
                depth: depth,
                isDirect: false,
                isMasked: false
            )
        }
        let separator = dataset.isFile ? "#" : "."
        if key.column == NodeKey.rows {
            node.kind = .rows
            node.name += "\(separator)*"
        } else if key.column >= 0 {
            let column = dataset.columns[key.column]
            let text = column.name(before: count)
            node.kind = .column
            node.column = text
            node.fieldID = column.fieldID
            node.name += separator + (dataset.isFile ? text : NodeName.written([text]))
        }
        return node
    }
}
