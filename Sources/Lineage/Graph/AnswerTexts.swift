// An answer knows its nodes and edges as numbers; their texts are made of the index when somebody reads them. Of most
// large answers few are ever read, and those that go over a wire are read one after the other. The index forgets
// nothing, so what is read later is what would have been read at once.

extension LineageAnswer {
    /// What the numbers of an answer are about.
    struct Source: Sendable {
        let graph: LineageGraph
        /// Commits that are seen.
        let commitCount: UInt32
        /// What stands for `NodeKey.subject`.
        let subject: Node?
        let views: SharedOverlay?

        var describer: Describer { Describer(commitCount, subject: subject, views: views) }
    }

    /// The nodes of an answer, each made when it is read.
    package struct Nodes: RandomAccessCollection, Sendable {
        struct Place: Sendable {
            var key: NodeKey
            var depth: Int
            var isDirect: Bool
            var mayBeDirect: Bool
            var isMasked: Bool
        }

        let source: Source
        let places: [Place]

        package var startIndex: Int { 0 }
        package var endIndex: Int { places.count }

        package subscript(index: Int) -> Node {
            var describer = source.describer
            return node(index, &describer)
        }

        func node(_ index: Int, _ describer: inout Describer) -> Node {
            source.graph.storage.read { node(index, &describer, $0) }
        }

        private func node(
            _ index: Int,
            _ describer: inout Describer,
            _ storage: borrowing IndexStorage
        ) -> Node {
            let place = places[index]
            var node = describer.describe(place.key, place.depth, storage)
            node.isDirect = place.isDirect
            if place.mayBeDirect, !place.isDirect, node.unknownReason == nil {
                node.unknownReason = LineageAnswer.untracedReason
            }
            node.isMasked = place.isMasked
            return node
        }

        /// All of them, for who holds the index already and must not take its lock again.
        func all(in storage: borrowing IndexStorage) -> [Node] {
            var describer = source.describer
            var nodes: [Node] = []
            nodes.reserveCapacity(places.count)
            for index in places.indices { nodes.append(node(index, &describer, storage)) }
            return nodes
        }

        /// Reads them one after the other, which costs less than one by one.
        package struct Iterator: IteratorProtocol {
            private let nodes: Nodes
            private var describer: Describer
            private var index = 0

            fileprivate init(_ nodes: Nodes) {
                self.nodes = nodes
                describer = nodes.source.describer
            }

            package mutating func next() -> Node? {
                guard index < nodes.endIndex else { return nil }
                defer { index += 1 }
                return nodes.node(index, &describer)
            }
        }

        package func makeIterator() -> Iterator { Iterator(self) }
    }

    /// The edges of an answer, each made when it is read.
    package struct Edges: RandomAccessCollection, Sendable {
        let source: Source
        let nodes: [Nodes.Place]
        let edges: [LineageWalk.Edge]

        package var startIndex: Int { 0 }
        package var endIndex: Int { edges.count }

        package subscript(index: Int) -> Edge {
            let edge = edges[index]
            let dataset = nodes[Int(edge.from)].key.dataset
            return source.graph.storage.read { $0.describe(edge, from: dataset, source.views) }
        }

        /// An edge without its newest run: many of an answer have the same.
        func details(_ index: Int) -> EdgeDetails {
            let edge = edges[index]
            let dataset = nodes[Int(edge.from)].key.dataset
            return source.graph.storage.read { $0.details(edge, from: dataset, source.views) }
        }

        /// The number of an edge's newest run, of one that has a run.
        func run(_ index: Int) -> UInt32 { edges[index].lastRun }

        func describe(run: UInt32) -> Run { source.graph.storage.read { $0.describe(run: run) } }

        /// The numbers of the runs that edges show, ascending.
        var newestRuns: [UInt32] {
            Set(edges.lazy.filter { $0.runCount > 0 }.map(\.lastRun)).sorted()
        }
    }
}

extension LineageAnswer {
    /// What is said of an edge besides which run is its newest.
    struct EdgeDetails {
        var from: Int
        var to: Int
        var kind: ColumnMap.Kind?
        var subtype: String?
        var isMasked: Bool
        /// 0 where the edge says only that columns stand in rows.
        var runCount: Int
        var firstPosition: Int64?
        /// What the newest run read of where the edge begins, and what it made.
        var inputSnapshotID: Int64?
        var outputSnapshotID: Int64?
    }
}

extension LineageAnswer: Equatable {
    package static func == (a: LineageAnswer, b: LineageAnswer) -> Bool {
        a.question == b.question && a.root == b.root && a.target == b.target
            && a.position == b.position && a.timeMillis == b.timeMillis && a.gaps == b.gaps
            && a.isCut == b.isCut && a.jobs == b.jobs && a.nodes.elementsEqual(b.nodes)
            && a.edges.elementsEqual(b.edges)
    }
}

/// Names nodes as they were called then; what columns of one dataset share is made once.
struct Describer {
    private let commitCount: UInt32
    /// What stands for `NodeKey.subject`.
    private let subject: LineageAnswer.Node?
    private let views: SharedOverlay?
    /// Nodes of one dataset come one behind the other in most answers.
    private var last: (dataset: UInt32, node: LineageAnswer.Node)?

    init(
        _ commitCount: UInt32,
        subject: LineageAnswer.Node? = nil,
        views: SharedOverlay? = nil
    ) {
        self.commitCount = commitCount
        self.subject = subject
        self.views = views
    }

    mutating func describe(
        _ key: NodeKey,
        _ depth: Int,
        _ index: borrowing IndexStorage
    ) -> LineageAnswer.Node {
        if key == .subject, let subject { return subject }
        if let views, views.overlay.hasNode(key) {
            return views.overlay.describe(key, depth) { whole($0.dataset, index) }
        }
        var node: LineageAnswer.Node
        if let last, last.dataset == key.dataset {
            node = last.node
        } else {
            node = whole(key.dataset, index)
            last = (key.dataset, node)
        }
        node.depth = depth
        if key.isRows {
            node.narrowToRows()
        } else if !key.isWhole {
            let text = index.string(
                index.columnName(key.column, of: key.dataset, before: commitCount)
            )
            let id = index.column(key.column, of: key.dataset).fieldID
            node.narrow(toColumn: text, fieldID: id < 0 ? nil : id)
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

extension LineageAnswer.Node {
    /// From a dataset to which rows it has.
    mutating func narrowToRows() {
        name += kind == .file ? "#*" : ".*"
        kind = .rows
    }

    /// From a dataset to one of its columns.
    mutating func narrow(toColumn text: String, fieldID: Int32?) {
        name += kind == .file ? "#" : "."
        name += kind == .file ? text : NodeName.written(text)
        kind = .column
        column = text
        self.fieldID = fieldID
    }
}

extension IndexStorage {
    fileprivate func describe(
        _ edge: LineageWalk.Edge,
        from dataset: UInt32,
        _ views: SharedOverlay?
    ) -> LineageAnswer.Edge {
        let details = details(edge, from: dataset, views)
        var run = details.runCount > 0 ? describe(run: edge.lastRun) : nil
        run?.inputSnapshotID = details.inputSnapshotID
        return LineageAnswer.Edge(
            from: details.from,
            to: details.to,
            kind: details.kind,
            subtype: details.subtype,
            isMasked: details.isMasked,
            run: run,
            runCount: details.runCount,
            firstPosition: details.firstPosition
        )
    }

    fileprivate func details(
        _ edge: LineageWalk.Edge,
        from dataset: UInt32,
        _ views: SharedOverlay?
    ) -> LineageAnswer.EdgeDetails {
        var details = LineageAnswer.EdgeDetails(
            from: Int(edge.from),
            to: Int(edge.to),
            kind: edge.attributes.kind,
            subtype: subtype(edge.attributes, views),
            isMasked: edge.attributes.isMasked,
            runCount: edge.runCount
        )
        guard edge.runCount > 0 else { return details }
        details.firstPosition = commits[runs[edge.firstRun].commit].position
        details.inputSnapshotID = snapshotRead(by: edge.lastRun, of: dataset)
        details.outputSnapshotID = runs[edge.lastRun].knownSnapshotID
        return details
    }

    /// The snapshot of a dataset that a run read.
    func snapshotRead(by run: UInt32, of dataset: UInt32) -> Int64? {
        let record = runs[run]
        for input in (record.firstInput..<record.firstInput + record.inputCount).reversed()
        where inputs[input].dataset == dataset {
            return inputs[input].knownSnapshotID
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
            outputSnapshotID: run.knownSnapshotID
        )
    }
}
