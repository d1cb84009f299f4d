// Questions about runs: one run by its id, those that wrote a data file, or all runs of a job. In the answer a node of its own stands for them, with
// edges from what they read, or to what they wrote; the walk goes on from there as from the snapshots that they read
// or made.

/// The runs that a question is about.
struct RunSubject {
    /// What stands for them in an answer.
    var node: LineageAnswer.Node
    /// Flows, ascending.
    var runs: [UInt32]
}

/// A dataset's node that a run read or wrote, and how.
private struct RunLink {
    /// Links of many runs of a job that say the same are one edge.
    struct Edge: Hashable {
        var node: UInt32
        var job: UInt32
        var attributes: EdgeAttributes
    }

    var key: NodeKey
    var attributes: EdgeAttributes
    /// What of the input it read, or the event that it is of the output.
    var event: UInt32
}

extension IndexStorage {
    /// The runs that a name stands for after the first commits; nil when it is the name of a dataset.
    ///
    /// A job's runs are found by looking at all runs: 56 bytes each, one behind the other.
    ///
    /// - Throws: `notFound` when there were none by then.
    func subject(
        of name: NodeName,
        before commitCount: UInt32
    ) throws(LineageError) -> RunSubject? {
        let kind: LineageAnswer.Node.Kind
        var found: [UInt32] = []
        switch name.execution {
        case nil: return nil
        case .run(let id):
            kind = .run
            found = flows(ofRuns: [id], before: commitCount)
        case .writers(let ids):
            kind = .run
            found = flows(ofRuns: ids, before: commitCount)
        case .job(let job):
            kind = .job
            found = runs(ofJob: job, before: commitCount)
        }
        guard !found.isEmpty else {
            throw LineageError(
                .notFound,
                "lineage knows no \(kind == .run ? "run" : "runs of a job") "
                    + "\"\(name.text.dropFirst(4).prefix(200))\" then"
            )
        }
        let node = LineageAnswer.Node(
            kind: kind,
            name: name.text,
            dataset: name.text,
            isDropped: false,
            depth: 0,
            isDirect: true,
            isMasked: false
        )
        return RunSubject(node: node, runs: found)
    }

    private func flows(ofRuns ids: [String], before commitCount: UInt32) -> [UInt32] {
        var found: [UInt32] = []
        for id in Set(ids) {
            var run = findText(id).map { lastFlow(ofRun: $0) } ?? none
            while run != none {
                if runs[run].commit < commitCount { found.append(run) }
                run = runs[run].earlierOfRun
            }
        }
        return found.sorted()
    }

    private func runs(ofJob name: String, before commitCount: UInt32) -> [UInt32] {
        guard let text = findText(name) else { return [] }
        var wanted: Set<UInt32> = []
        for job in 0..<jobs.count where jobs[job].name == text { wanted.insert(UInt32(job)) }
        guard let first = wanted.first else { return [] }
        let isOne = wanted.count == 1
        return runs.withElements(0..<runs.count) { runs in
            var found: [UInt32] = []
            for (number, run) in runs.enumerated() {
                if run.commit >= commitCount { break }
                if isOne ? run.job == first : wanted.contains(run.job) {
                    found.append(UInt32(number))
                }
            }
            return found
        }
    }

    /// The runs within the window of a question; commits of the same bounds are in it.
    ///
    /// - Throws: `invalid` when it ends before it begins.
    func window(_ options: LineageOptions) throws(LineageError) -> Range<UInt32> {
        guard options.hasWindow else { return 0..<none }
        switch (options.since, options.until) {
        case (.position(let since)?, .position(let until)?) where since > until,
            (.timeMillis(let since)?, .timeMillis(let until)?) where since > until:
            throw LineageError(.invalid, "the window ends before it begins")
        default: break
        }
        let first: UInt32 =
            switch options.since {
            case nil, .newest?: 0
            case .position(let position)?:
                position == .min ? 0 : commitCount(.position(position - 1))
            case .timeMillis(let time)?: time == .min ? 0 : commitCount(.timeMillis(time - 1))
            }
        let end = commitCount(options.until ?? .newest)
        let start = firstRun(from: first)
        return start..<max(start, firstRun(from: end))
    }

    /// The first run of a commit or of one behind it.
    func firstRun(from commit: UInt32) -> UInt32 {
        var (low, high) = (0, runs.count)
        while low < high {
            let middle = (low + high) / 2
            if runs[middle].commit < commit { low = middle + 1 } else { high = middle }
        }
        return UInt32(low)
    }

    /// What runs came from, or what was made of what they wrote.
    func ask(
        _ question: LineageAnswer.Question,
        of subject: RunSubject,
        _ options: LineageOptions,
        _ window: Range<UInt32>,
        _ views: SharedOverlay? = nil,
        in graph: LineageGraph
    ) throws(LineageError) -> LineageAnswer {
        let isUpstream = question == .upstream
        // The first step is the one to or from the runs.
        var inner = options
        inner.depth = options.depth.map { $0 - 1 }
        var walk = LineageWalk(inner, commitCount: commitCount(options.asOf))
        walk.window = window
        if views?.overlay.views.isEmpty == false { walk.stepCountMax = .max }
        var linked: [(run: UInt32, links: [RunLink])] = []
        for run in subject.runs {
            let links =
                isUpstream ? inputLinks(run, options, &walk) : outputLinks(run, options, &walk)
            for link in links { walk.begin(at: link.key, event: link.event) }
            linked.append((run, links))
        }
        if isUpstream {
            try walk.goUpstream(self, from: [], event: nil)
        } else {
            try walk.goDownstream(self, from: [], event: nil)
        }
        var part = AnswerPart(nodes: Array(walk.reached), edges: walk.edges)
        for index in part.nodes.indices { part.nodes[index].depth += 1 }
        let subjectPlace = UInt32(part.nodes.count)
        part.nodes.append(LineageWalk.Node(key: .subject, depth: 0))
        var places: [RunLink.Edge: Int] = [:]
        var edgeRuns = NumberSet()
        for (number, links) in linked {
            let job = runs[number].job
            for link in links {
                guard let place = walk.place(of: link.key) else { continue }
                let key = RunLink.Edge(node: place, job: job, attributes: link.attributes)
                let edge = places[key] ?? part.edges.count
                if edge == part.edges.count {
                    places[key] = edge
                    part.edges.append(
                        LineageWalk.Edge(
                            from: isUpstream ? place : subjectPlace,
                            to: isUpstream ? subjectPlace : place,
                            job: job,
                            attributes: link.attributes,
                            firstRun: number,
                            lastRun: number,
                            runCount: 0
                        )
                    )
                }
                guard window.contains(number) else { continue }
                if part.edges[edge].runCount == 0 { part.edges[edge].firstRun = number }
                part.edges[edge].lastRun = number
                // A run that reads a dataset twice is one.
                if edgeRuns.insert(UInt64(edge) << 32 | UInt64(number)) {
                    part.edges[edge].runCount += 1
                }
            }
        }
        part.reach(from: [subjectPlace], isForward: !isUpstream)
        var added = Extension()
        if question == .impact {
            let starts = linked.flatMap(\.links).map { (key: $0.key, event: UInt32?($0.event)) }
            added = extend(&part, walk, views, starts: starts, firstDepth: 1, depth: options.depth)
        }
        return answer(question, .subject, part, walk, added, subject: subject.node, in: graph)
    }

    /// What a run read: datasets, or their columns and which rows they have.
    private func inputLinks(
        _ number: UInt32,
        _ options: LineageOptions,
        _ walk: inout LineageWalk
    ) -> [RunLink] {
        let run = runs[number]
        let takesIndirect = options.selection == .all
        var links: [RunLink] = []
        for place in 0..<run.inputCount {
            let input = inputs[run.firstInput + place]
            if !input.isExact { walk.noteInexact(self, run, input.dataset) }
            func add(_ column: UInt32, _ attributes: EdgeAttributes) {
                if attributes.isIndirect, !takesIndirect { return }
                links.append(
                    RunLink(
                        key: NodeKey(input.dataset, column),
                        attributes: attributes.shown,
                        event: input.bound
                    )
                )
            }
            guard options.columns else {
                add(NodeKey.wholeColumn, wholeAttributes(run, place))
                continue
            }
            guard run.map != none else {
                walk.noteUntraced(self, run)
                add(NodeKey.wholeColumn, .untraced)
                continue
            }
            for (column, attributes) in sources(ofInput: place, of: maps[run.map]) {
                add(column, attributes)
            }
            add(NodeKey.rowsColumn, .indirect)
        }
        return links
    }

    /// The columns of an input that a map names, with each way in which they take part.
    func sources(
        ofInput input: UInt32,
        of map: MapRecord
    ) -> [(column: UInt32, attributes: EdgeAttributes)] {
        var found: [(column: UInt32, attributes: EdgeAttributes)] = []
        for place in map.firstSource..<map.firstSource + map.sourceCount {
            let source = sources[place]
            guard source.input == input,
                let range = targetRange(input: input, column: source.column, of: map)
            else { continue }
            var seen: Set<EdgeAttributes> = []
            for target in range {
                let attributes = targets[target].attributes.shown
                if seen.insert(attributes).inserted { found.append((source.column, attributes)) }
            }
        }
        return found
    }

    /// What a run wrote: a dataset, or its columns and which rows it has.
    private func outputLinks(
        _ number: UInt32,
        _ options: LineageOptions,
        _ walk: inout LineageWalk
    ) -> [RunLink] {
        let run = runs[number]
        func link(_ column: UInt32, _ attributes: EdgeAttributes) -> RunLink {
            RunLink(key: NodeKey(run.output, column), attributes: attributes, event: run.event)
        }
        guard options.columns else { return [link(NodeKey.wholeColumn, .direct)] }
        guard run.map != none else {
            walk.noteUntraced(self, run)
            return [link(NodeKey.wholeColumn, .direct)]
        }
        let map = maps[run.map]
        var links: [RunLink] = []
        for row in map.firstRow..<map.firstRow + map.rowCount
        where rows[row].column != NodeKey.rowsColumn {
            links.append(link(rows[row].column, .direct))
        }
        if options.selection == .all { links.append(link(NodeKey.rowsColumn, .indirect)) }
        return links
    }
}

extension AnswerPart {
    /// Whether an edge is no run's, but what a view's definition says at any time.
    private func isOfDefinition(_ edge: LineageWalk.Edge) -> Bool {
        nodes[Int(edge.to)].key.overlayPlace != nil
    }

    /// Leaves out edges that no run counts in, and nodes that have no other; what was asked about stays.
    mutating func keepCounted() {
        var isKept = Array(repeating: false, count: nodes.count)
        for root in roots { isKept[Int(root)] = true }
        for edge in edges where edge.runCount > 0 || isOfDefinition(edge) {
            isKept[Int(edge.from)] = true
            isKept[Int(edge.to)] = true
        }
        // That columns stand in rows is no run's doing, and counts where both are there.
        edges = edges.filter { edge in
            edge.runCount > 0 || isOfDefinition(edge)
                || (edge.job == none && isKept[Int(edge.from)] && isKept[Int(edge.to)])
        }
        var places = Array(repeating: UInt32(0), count: nodes.count)
        var count = 0
        for place in nodes.indices where isKept[place] {
            places[place] = UInt32(count)
            nodes[count] = nodes[place]
            isDirect[count] = isDirect[place]
            mayBeDirect[count] = mayBeDirect[place]
            isMasked[count] = isMasked[place]
            count += 1
        }
        nodes.removeSubrange(count...)
        isDirect.removeSubrange(count...)
        mayBeDirect.removeSubrange(count...)
        isMasked.removeSubrange(count...)
        for index in edges.indices {
            edges[index].from = places[Int(edges[index].from)]
            edges[index].to = places[Int(edges[index].to)]
        }
    }
}

extension LineageGraph {
    /// A run that made a snapshot, with the commit that carries it.
    package struct SnapshotRun: Sendable, Hashable {
        package var runID: String
        package var commitID: String
        package var position: Int64
    }

    /// Whether there is a file of this name that runs read or wrote.
    package func knowsFile(_ path: String) -> Bool {
        storage.read { $0.findDataset(path, isFile: true) != nil }
    }

    /// The runs that made a snapshot, ascending: several when commits share it; none when the log does not tell.
    ///
    /// - Parameter position: later entries are not looked at.
    package func runs(
        ofSnapshot id: Int64,
        tableUUID: String,
        to position: Int64
    ) -> [SnapshotRun] {
        storage.read { index in
            let count = index.commitCount(.position(position))
            guard let dataset = index.findDataset(tableUUID, isFile: false) else { return [] }
            var found: [SnapshotRun] = []
            var event = index.event(ofSnapshot: id, of: dataset) ?? none
            // The table may have gone back to it since.
            while event != none, index.events[event].kind == EventRecord.rollback {
                event = index.events[event].payload
            }
            while event != none, index.events[event].kind == EventRecord.run {
                let run = index.runs[index.events[event].payload]
                guard run.knownSnapshotID == id else { break }
                if run.commit < count {
                    let commit = index.commits[run.commit]
                    found.append(
                        SnapshotRun(
                            runID: index.string(run.runID),
                            commitID: index.string(commit.id),
                            position: commit.position
                        )
                    )
                }
                event = index.events[event].earlier
            }
            return found.reversed()
        }
    }
}
