extension LineageGraph {
    /// Whether a name is that of a table, a file, or one of their columns, or of something that ran.
    package func knows(_ node: NodeName, _ options: LineageOptions) -> Bool {
        if node.execution != nil { return true }
        return storage.read { index in
            let root = try? index.root(
                node,
                namespace: options.namespace,
                before: index.commitCount(options.asOf)
            )
            return root != nil
        }
    }

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
            try index.path(from: node, to: target, options, in: self)
        }
    }

    private func ask(
        _ question: LineageAnswer.Question,
        _ node: NodeName,
        _ options: LineageOptions
    ) throws(LineageError) -> LineageAnswer {
        try storage.read { (index: borrowing IndexStorage) throws(LineageError) in
            try index.ask(question, node, options, in: self)
        }
    }
}

extension IndexStorage {
    func ask(
        _ question: LineageAnswer.Question,
        _ node: NodeName,
        _ options: LineageOptions,
        in graph: LineageGraph
    ) throws(LineageError) -> LineageAnswer {
        let count = try commitCount(checked: options)
        let window = try window(options)
        let views = overlay(options, before: count, in: graph)
        if let subject = try subject(of: node, before: count) {
            return try ask(question, of: subject, options, window, views, in: graph)
        }
        let root = try root(node, namespace: options.namespace, before: count, views?.overlay)
        if let views, root.key.overlayPlace != nil {
            return try ask(question, ofOverlay: root, options, window, views, in: graph)
        }
        let roots = roots(of: root, options, views?.overlay)
        var walk = LineageWalk(options, commitCount: count)
        walk.window = window
        // Views read what is there now, so it is looked at what each node came from.
        if question == .impact, views?.overlay.views.isEmpty == false { walk.stepCountMax = .max }
        if question == .upstream {
            try walk.goUpstream(self, from: roots, event: root.event)
        } else {
            try walk.goDownstream(self, from: roots, event: root.event)
        }
        var part = AnswerPart(nodes: Array(walk.reached), edges: walk.edges)
        part.reach(from: roots.compactMap { walk.place(of: $0) }, isForward: question != .upstream)
        var added = Extension()
        if question == .impact {
            let starts = roots.map { (key: $0, event: root.event) }
            added = extend(&part, walk, views, starts: starts, depth: options.depth)
        }
        return answer(question, root.key, part, walk, added, in: graph)
    }

    fileprivate func path(
        from node: NodeName,
        to target: NodeName,
        _ options: LineageOptions,
        in graph: LineageGraph
    ) throws(LineageError) -> LineageAnswer {
        let (from, to, options) = try ends(of: node, target, options)
        let count = commitCount(options.asOf)
        var walk = LineageWalk(options, commitCount: count)
        try walk.goUpstream(self, from: roots(of: to, options), event: to.event)
        // Of what leads to the end, what the start leads to.
        let starts = roots(of: from, options).compactMap { walk.place(of: $0) }
        var part = AnswerPart(nodes: Array(walk.reached), edges: walk.edges)
        part.keep(reachableFrom: starts)
        var answer = answer(.path, from.key, part, walk, in: graph)
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
    func roots(
        of root: Root,
        _ options: LineageOptions,
        _ views: ViewOverlay? = nil
    ) -> [NodeKey] {
        guard options.columns, root.key.isWhole else { return [root.key] }
        let dataset = root.key.dataset
        let count = root.key.overlayPlace == nil ? datasets[dataset].columnCount : 0
        var keys = (0..<count).map { NodeKey(dataset, $0) }
        keys += (views?.columns(of: dataset) ?? []).map { NodeKey(dataset, $0) }
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
        _ added: Extension = Extension(),
        subject: LineageAnswer.Node? = nil,
        in graph: LineageGraph
    ) -> LineageAnswer {
        let count = walk.commitCount
        var describer = Describer(count, subject: subject, views: added.views)
        var part = whole
        if walk.options.hasWindow, !added.isTrimmed { part.keepCounted() }
        let order = order(part.nodes, root: root, before: count, added.views)
        var places = Array(repeating: UInt32(0), count: order.count)
        var nodes: [LineageAnswer.Nodes.Place] = []
        nodes.reserveCapacity(order.count)
        for (index, place) in order.enumerated() {
            places[Int(place)] = UInt32(index)
            let node = part.nodes[Int(place)]
            nodes.append(
                LineageAnswer.Nodes.Place(
                    key: node.key,
                    depth: node.depth,
                    isDirect: part.isDirect[Int(place)],
                    mayBeDirect: part.mayBeDirect[Int(place)],
                    isMasked: part.isMasked[Int(place)]
                )
            )
        }
        let source = LineageAnswer.Source(
            graph: graph,
            commitCount: count,
            subject: subject,
            views: added.views
        )
        let edges = sorted(part.edges, places)
        let last = count > 0 ? commits[count - 1] : nil
        return LineageAnswer(
            question: question,
            root: describer.describe(root, 0, self).name,
            target: nil,
            position: last?.position ?? 0,
            timeMillis: last?.timeMillis ?? 0,
            nodes: LineageAnswer.Nodes(source: source, places: nodes),
            edges: LineageAnswer.Edges(source: source, nodes: nodes, edges: edges),
            gaps: walk.gaps.union(generalGaps(before: count)).union(added.gaps)
                .sorted(by: bytesPrecede),
            isCut: walk.isCut || added.isCut,
            jobs: added.jobs
        )
    }
}
