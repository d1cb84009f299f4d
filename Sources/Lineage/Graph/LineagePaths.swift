/// The ways on which data went from one node to another, one by one, the shortest first.
package struct LineagePaths: Sendable, Hashable {
    package static let defaultLimit = 100
    package static let limitMax = 10_000

    /// One way: no node comes twice.
    package struct Path: Sendable, Hashable {
        /// Places in `edges`, from the start to the end.
        package var steps: [Int]
        /// All steps together.
        package var transformation: Transformation
    }

    /// Where the ways begin and end.
    package var root: String
    package var target: String
    /// The last entry that was looked at, 0 for an empty log, and its time.
    package var position: Int64
    package var timeMillis: Int64
    /// Those on the ways; `depth` is the fewest steps from where ways begin.
    package var nodes: [LineageAnswer.Node]
    /// The steps of all ways, each once.
    ///
    /// Jobs that do the same are one step, which has the newest run.
    package var edges: [LineageAnswer.Edge]
    /// By length; among those of one length in an order that depends on the log alone.
    package var paths: [Path]
    package var gaps: [String]
    /// Why there may be more ways than these; empty when these are all.
    package var cuts: [String]

    package var isCut: Bool { !cuts.isEmpty }

    /// The nodes along a way.
    package func nodes(along path: Path) -> [LineageAnswer.Node] {
        guard let first = path.steps.first else { return [] }
        return [nodes[edges[first].from]] + path.steps.map { nodes[edges[$0].to] }
    }
}

/// What a question about single ways may say besides its nodes.
package struct LineagePathLimits: Sendable {
    /// Ways, at most.
    package var paths: Int
    /// Only the first, without looking for others.
    package var isShortestOnly: Bool
    /// Steps, and runs behind them, that are looked at, at most: bounds the time where many ways lead nowhere.
    package var work = 5_000_000
    /// Steps of the graph behind the end that are kept in memory, at most: 24 bytes each.
    package var steps = 2_000_000
    /// Steps of all ways together, at most.
    package var written = 1_000_000

    package init(paths: Int = LineagePaths.defaultLimit, isShortestOnly: Bool = false) {
        self.paths = paths
        self.isShortestOnly = isShortestOnly
    }
}

extension LineageGraph {
    /// The ways from one node to another, each of which data can have gone: every step read what the one before had
    /// written by then.
    ///
    /// Of the options, all but the window count; `depth` bounds the length.
    ///
    /// - Throws: as `upstream(of:_:)`.
    package func paths(
        from node: NodeName,
        to target: NodeName,
        limits: LineagePathLimits = LineagePathLimits(),
        _ options: LineageOptions = LineageOptions()
    ) throws(LineageError) -> LineagePaths {
        try storage.read { (index: borrowing IndexStorage) throws(LineageError) in
            try index.paths(from: node, to: target, limits, options)
        }
    }
}

extension IndexStorage {
    fileprivate func paths(
        from node: NodeName,
        to target: NodeName,
        _ limits: LineagePathLimits,
        _ options: LineageOptions
    ) throws(LineageError) -> LineagePaths {
        guard (1...LineagePaths.limitMax).contains(limits.paths) else {
            throw LineageError(
                .invalid,
                "the limit of ways is 1 to \(LineagePaths.limitMax), not \(limits.paths)"
            )
        }
        let (from, to, options) = try ends(of: node, target, options)
        let count = commitCount(options.asOf)
        var walk = LineageWalk(options, commitCount: count)
        walk.stepCountMax = limits.steps
        let ends = roots(of: to, options)
        try walk.goUpstream(self, from: ends, event: to.event)
        let bound =
            to.event.map { $0 } ?? lastEvent(of: to.key.dataset, before: count)
        var search = PathSearch(
            self,
            walk,
            from: roots(of: from, options).compactMap { walk.place(of: $0) },
            to: ends.compactMap { walk.place(of: $0) },
            bound: options.includesReplaced ? nil : bound,
            limits
        )
        search.run(self)
        var cuts = search.cuts.map { $0.text(limits, options.depth) }
        if walk.isOverfull {
            cuts.append(
                "what the end came from has more than \(limits.steps) steps, of which the nearest were looked at"
            )
        }
        return answer(search, walk, from.key, to.key, cuts)
    }

    private func answer(
        _ search: PathSearch,
        _ walk: LineageWalk,
        _ root: NodeKey,
        _ target: NodeKey,
        _ cuts: [String]
    ) -> LineagePaths {
        let count = walk.commitCount
        var describer = Describer(count)
        let last = count > 0 ? commits[count - 1] : nil
        var answer = LineagePaths(
            root: describer.describe(root, 0, self).name,
            target: describer.describe(target, 0, self).name,
            position: last?.position ?? 0,
            timeMillis: last?.timeMillis ?? 0,
            nodes: [],
            edges: [],
            paths: [],
            gaps: walk.gaps.union(generalGaps(before: count)).sorted(by: bytesPrecede),
            cuts: cuts
        )
        var places: [UInt32: Int] = [:]
        func place(_ node: UInt32, _ describer: inout Describer, _ index: borrowing IndexStorage)
            -> Int
        {
            if let known = places[node] { return known }
            var shown = describer.describe(walk.reached[Int(node)].key, Int.max, index)
            // Said of ways, not of nodes.
            (shown.isDirect, shown.isMasked) = (false, true)
            places[node] = answer.nodes.count
            answer.nodes.append(shown)
            return answer.nodes.count - 1
        }
        var edges: [PathSearch.Taken: Int] = [:]
        for way in search.found {
            var steps: [Int] = []
            var transformation = Transformation.identity
            var isFirst = true
            for taken in way {
                let number: Int
                if let known = edges[taken] {
                    number = known
                } else {
                    number = answer.edges.count
                    edges[taken] = number
                    let from = place(taken.from, &describer, self)
                    let to = place(taken.to, &describer, self)
                    answer.edges.append(edge(taken, from, to, walk))
                }
                steps.append(number)
                let edge = answer.edges[number]
                let next = Transformation(
                    kind: edge.kind,
                    subtype: edge.subtype,
                    isMasked: edge.isMasked
                )
                transformation = isFirst ? next : transformation.followed(by: next)
                isFirst = false
                // How near a node is, and what reaches it, along the ways that are told.
                let depth = steps.count
                if depth == 1 { answer.nodes[edge.from].depth = 0 }
                answer.nodes[edge.to].depth = min(answer.nodes[edge.to].depth, depth)
                if transformation.kind == .direct { answer.nodes[edge.to].isDirect = true }
                if !transformation.isMasked { answer.nodes[edge.to].isMasked = false }
            }
            if let first = steps.first {
                answer.nodes[answer.edges[first].from].isDirect = true
                answer.nodes[answer.edges[first].from].isMasked = false
            }
            answer.paths.append(LineagePaths.Path(steps: steps, transformation: transformation))
        }
        return answer
    }

    private func edge(
        _ taken: PathSearch.Taken,
        _ from: Int,
        _ to: Int,
        _ walk: LineageWalk
    ) -> LineageAnswer.Edge {
        var shown: LineageAnswer.Run?
        if taken.lastRun != none {
            shown = describe(run: taken.lastRun)
            let dataset = walk.reached[Int(taken.from)].key.dataset
            shown?.inputSnapshotID = snapshotRead(by: taken.lastRun, of: dataset)
        }
        return LineageAnswer.Edge(
            from: from,
            to: to,
            kind: taken.attributes.kind,
            subtype: optionalString(subtypes[taken.attributes.subtype]),
            isMasked: taken.attributes.isMasked,
            run: shown,
            runCount: taken.runCount,
            firstPosition: taken.lastRun == none
                ? nil : commits[runs[taken.firstRun].commit].position
        )
    }
}
