// Questions that views take part in. A view holds nothing, so no run ever came from one: what is made *of* a table
// leads to views only at its ends, and what is made of a view are views.

extension IndexStorage {
    /// What an answer has besides what a walk found.
    struct Extension {
        var views: SharedOverlay?
        var jobs: [LineageAnswer.Job]?
        var gaps: Set<String> = []
        var isCut = false
        /// Whether what is outside the window is gone already.
        var isTrimmed = false
    }

    /// The views that a question is told of; nil when there are none.
    func overlay(
        _ options: LineageOptions,
        before commitCount: UInt32,
        in graph: LineageGraph
    ) -> SharedOverlay? {
        guard let views = options.views, !views.readings.isEmpty || !views.tables.isEmpty else {
            return nil
        }
        let state = LaidViews.State(graph: graph, size: commits.count, commitCount: commitCount)
        if let known = views.laid.overlay(at: state) { return known }
        let made = SharedOverlay(ViewOverlay(views, self, commitCount: commitCount))
        views.laid.note(made, at: state)
        return made
    }

    /// Adds views and jobs to what a walk downstream found.
    ///
    /// - Parameters:
    ///   - starts: where the walk began, each with the event that was asked about; nil for a dataset as it is.
    ///   - firstDepth: how far from the node asked about they are.
    ///   - depth: how many steps the answer goes; nil for as far as it leads.
    func extend(
        _ part: inout AnswerPart,
        _ walk: LineageWalk,
        _ views: SharedOverlay?,
        starts: [(key: NodeKey, event: UInt32?)],
        firstDepth: Int = 0,
        depth: Int?
    ) -> Extension {
        var added = Extension(views: views, isTrimmed: true)
        if walk.options.hasWindow { part.keepCounted() }
        if walk.options.jobs { added.jobs = jobs(of: part, before: walk.commitCount) }
        guard let views = views?.overlay else { return added }
        let held = HeldNodes(
            walk,
            starts,
            firstDepth: firstDepth,
            datasets: views.readDatasets
        )
        addViews(views, to: &part, walk, held, depth, &added)
        return added
    }

    // MARK: Downstream

    /// Adds the views that read what is in the answer.
    private func addViews(
        _ views: ViewOverlay,
        to part: inout AnswerPart,
        _ walk: LineageWalk,
        _ held: HeldNodes,
        _ depth: Int?,
        _ added: inout Extension
    ) {
        let read = views.readDatasets
        var reach = ViewReach(walk.options, depth: depth)
        for (place, node) in part.nodes.enumerated()
        where node.key.overlayPlace != nil || read.contains(node.key.dataset) {
            reach.note(node.key, UInt32(place))
        }
        for view in views.views where reach.mayReach(view, views) {
            let wholes = views.wholes[view.wholes].filter { reach.places[$0.from] != nil }
            for edge in Array(views.edges[view.edges]) + wholes {
                let pinned = views.pinnedEvent(of: edge.from.dataset, readBy: view)
                guard let from = reach.places[edge.from],
                    let near = held.depth(
                        of: edge.from,
                        part.nodes[Int(from)].depth,
                        readAt: pinned,
                        self
                    )
                else { continue }
                reach.add(edge, from: from, depth: near + 1, to: &part)
            }
        }
        added.isCut = added.isCut || reach.isCut
        addUnbound(views, to: &part, walk, depth, &added)
    }

    /// Adds the views that cannot be bound and mention what is in the answer: nobody knows whether they read it.
    private func addUnbound(
        _ views: ViewOverlay,
        to part: inout AnswerPart,
        _ walk: LineageWalk,
        _ limit: Int?,
        _ added: inout Extension
    ) {
        guard !views.unbound.isEmpty else { return }
        var nearest: [UInt32: Int] = [:]
        for node in part.nodes where node.key != .subject {
            nearest[node.key.dataset] = min(nearest[node.key.dataset] ?? .max, node.depth)
        }
        var names = TextWords.Names()
        for (dataset, depth) in nearest {
            let text =
                if let place = NodeKey.whole(dataset).overlayPlace {
                    views.things[place].name
                } else {
                    string(nameText(of: dataset, before: walk.commitCount))
                }
            names.add(lastPart(of: text), depth)
        }
        let known = Set(part.nodes.map(\.key).filter { $0.overlayPlace != nil })
        let open = views.unbound.filter { !known.contains(views.key(ofThing: $0.thing)) }
        var found: [Int: Int] = [:]
        var isGrowing = true
        while isGrowing {
            isGrowing = false
            for view in open {
                guard let near = names.depth(mentionedBy: view.words),
                    near + 1 < found[view.thing] ?? .max
                else { continue }
                // Others may read it in turn.
                names.add(lastPart(of: views.things[view.thing].name), near + 1)
                found[view.thing] = near + 1
                isGrowing = true
            }
        }
        for (place, depth) in found.sorted(by: { $0.key < $1.key }) {
            if let limit, depth > limit {
                added.isCut = true
                continue
            }
            let node = LineageWalk.Node(key: views.key(ofThing: place), depth: depth)
            _ = part.append(node, isMasked: false)
            let thing = views.things[place]
            added.gaps.insert(
                "whether view \(thing.name) changes is not known, for it cannot be bound: \(thing.failure ?? "")"
            )
        }
    }

    /// What a text mentions that means a table, view or file.
    private func lastPart(of name: String) -> String {
        guard !name.contains("/"), let parsed = try? NodeName(name) else { return name }
        return parsed.parts.last ?? name
    }

    /// The views that read a view, or a file that no run has read.
    private func downstream(
        _ question: LineageAnswer.Question,
        ofOverlay root: Root,
        _ options: LineageOptions,
        _ shared: SharedOverlay,
        in graph: LineageGraph
    ) -> LineageAnswer {
        let views = shared.overlay
        let roots = roots(of: root, options, views)
        let walk = LineageWalk(options, commitCount: commitCount(options.asOf))
        var part = AnswerPart(nodes: roots.map { LineageWalk.Node(key: $0, depth: 0) }, edges: [])
        part.reach(from: roots.indices.map { UInt32($0) }, isForward: true)
        var added = extend(
            &part,
            walk,
            shared,
            starts: roots.map { ($0, nil) },
            depth: options.depth
        )
        if let place = root.key.overlayPlace, views.things[place].kind == .view,
            wasRead(beneath: root.key.dataset, views, before: walk.commitCount)
        {
            let name = views.things[place].name
            added.gaps.insert(
                "what runs made of view \(name) is not listed: the log says that they read the tables "
                    + "beneath it, and not through which view"
            )
        }
        return answer(question, root.key, part, walk, added, in: graph)
    }

    /// Whether a run read a table or file beneath a view.
    private func wasRead(
        beneath view: UInt32,
        _ views: ViewOverlay,
        before commitCount: UInt32
    ) -> Bool {
        var seen: Set<UInt32> = [view]
        var open = [view]
        while let dataset = open.popLast() {
            guard NodeKey.whole(dataset).overlayPlace != nil else {
                var reader = datasets[dataset].lastReader
                while reader != none {
                    if runs[inputs[reader].run].commit < commitCount { return true }
                    reader = inputs[reader].earlierReader
                }
                continue
            }
            for edge in views.wholes where edge.to.dataset == dataset {
                if seen.insert(edge.from.dataset).inserted { open.append(edge.from.dataset) }
            }
        }
        return false
    }

    // MARK: Views as nodes

    /// A question about a view: what it reads is what its definition says.
    func ask(
        _ question: LineageAnswer.Question,
        ofOverlay root: Root,
        _ options: LineageOptions,
        _ window: Range<UInt32>,
        _ shared: SharedOverlay,
        in graph: LineageGraph
    ) throws(LineageError) -> LineageAnswer {
        guard question == .upstream else {
            return downstream(question, ofOverlay: root, options, shared, in: graph)
        }
        let views = shared.overlay
        if let place = root.key.overlayPlace, let failure = views.things[place].failure {
            throw LineageError(
                .invalid,
                "what view \(views.things[place].name) reads is not known, for it cannot be bound: \(failure)"
            )
        }
        let roots = roots(of: root, options, views)
        let climb = ViewClimb(views, from: roots, options)
        var inner = options
        inner.depth = options.depth.map { $0 - 1 }
        let count = commitCount(options.asOf)
        var walk = LineageWalk(inner, commitCount: count)
        walk.window = window
        var added = Extension(views: shared, isCut: climb.isCut)
        for edge in climb.reads {
            var event = lastEvent(of: edge.from.dataset, before: count)
            if let pinned = edge.pinned {
                event = pinned
                if pinned == none {
                    added.gaps.insert("a view reads a snapshot of a table that is not in the log")
                }
            }
            walk.begin(at: edge.from, event: event, after: edge.depth - 1)
        }
        try walk.goUpstream(self, from: [], event: nil)
        var part = AnswerPart(nodes: Array(walk.reached), edges: walk.edges)
        for index in part.nodes.indices { part.nodes[index].depth += 1 }
        var places: [NodeKey: UInt32] = [:]
        for (key, depth) in climb.nodes {
            places[key] = UInt32(part.nodes.count)
            part.nodes.append(LineageWalk.Node(key: key, depth: depth))
        }
        for edge in climb.edges {
            guard let from = places[edge.from] ?? walk.place(of: edge.from),
                let to = places[edge.to]
            else { continue }
            part.edges.append(.ofDefinition(from: from, to: to, edge.attributes))
        }
        part.reach(from: roots.compactMap { places[$0] }, isForward: false)
        for thing in climb.strangers {
            added.gaps.insert("\(views.things[thing].name) is not in the log")
        }
        return answer(question, root.key, part, walk, added, in: graph)
    }
}

extension LineageWalk.Edge {
    /// What a view's definition says.
    static func ofDefinition(
        from: UInt32,
        to: UInt32,
        _ attributes: EdgeAttributes
    ) -> LineageWalk.Edge {
        LineageWalk.Edge(
            from: from,
            to: to,
            job: none,
            attributes: attributes,
            firstRun: none,
            lastRun: none,
            runCount: 0
        )
    }
}
