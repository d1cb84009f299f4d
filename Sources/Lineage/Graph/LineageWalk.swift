// One walk through the index, step by step outward from a root.
//
// A step upstream goes from what a dataset held at one event to the runs that put it there, and from each to what
// its inputs held when it read them. Going back through the events of a dataset ends where its contents were
// replaced, or where the walk has been: an event that was visited stands for all those before it. So each pair of
// node and event is looked at once, however many runs there are.
//
// A step downstream goes from a run's output to the runs that read it while the rows were still there. Only runs
// count whose rows are left in some table now, or went from it to one where they are: `LiveRuns` tells.

/// The state of one question.
struct LineageWalk {
    /// Many runs of a job between two nodes are one edge.
    struct Edge {
        /// Places in `nodes`.
        var from: UInt32
        var to: UInt32
        /// `none` where the edge says only that columns stand in rows.
        var job: UInt32
        var attributes: EdgeAttributes
        var firstRun: UInt32
        var lastRun: UInt32
        var runCount: Int
    }

    struct Node {
        var key: NodeKey
        var depth: Int
    }

    /// What one run says of two nodes, or that columns stand in rows.
    struct Step {
        var near: UInt32
        var far: UInt32
        var attributes: EdgeAttributes
        /// `none` where columns stand in rows.
        var run: UInt32
        /// Upstream: the event of the near dataset that the run is, and what of the far one it read.
        var event: UInt32
        var bound: UInt32
    }

    /// A run that read a dataset.
    private struct Reader {
        var place: UInt32
        var input: InputRecord
        var run = RunRecord.unread
        /// Where a column goes in the run's map.
        var targets: Range<UInt32> = 0..<0

        /// Which of the run's inputs it is.
        var number: UInt32 { place - run.firstInput }
    }

    let options: LineageOptions
    /// Commits that are seen.
    let commitCount: UInt32
    /// The runs that count in edges; the walk goes past all others.
    var window: Range<UInt32> = 0..<none
    /// How many steps are kept one by one, for who follows single ways; more than those make `isOverfull`.
    var stepCountMax = 0
    private(set) var steps: [Step] = []
    /// How many there were when each step of the walk began.
    private(set) var stepStarts: [Int] = []
    private(set) var isOverfull = false

    private var nodes: [Node] = []
    private(set) var edges: [Edge] = []
    private(set) var gaps: Set<String> = []
    private(set) var isCut = false
    /// What has been looked at, in the unit of `LineageOptions.workMax`.
    private var work = 0

    private var places = PlaceTable()
    private var edgePlaces = PlaceTable()
    /// Pairs of an edge and a run, where a run may find an edge from both sides of a self join.
    private var edgeRuns = NumberSet()
    /// Upstream, pairs of a node and an event; downstream, of a node and an input.
    private var visits = NumberSet()
    private var live: LiveRuns
    /// The sum of what was read ahead of need, so that it is read.
    private var readAhead: UInt32 = 0
    /// After the last step it is only looked for whether there is more.
    private var isProbing = false
    /// Steps that were begun; what they find is as far from the roots.
    private var stepCount = 0
    private var answerNodeCount: Int?
    /// What the next step starts from: upstream, events that bound it; downstream, events it came from, `none` for
    /// the dataset whenever it was read.
    private var next: [(node: UInt32, event: UInt32)] = []
    private var current: [(node: UInt32, event: UInt32)] = []
    /// What a later step starts from beside what it is led to, by the steps before it.
    private var later: [Int: [(node: UInt32, event: UInt32)]] = [:]

    init(_ options: LineageOptions, commitCount: UInt32) {
        self.options = options
        self.commitCount = commitCount
        live = LiveRuns(commitCount: commitCount, isAll: options.includesReplaced)
    }

    private var includesIndirect: Bool { options.selection == .all }

    /// Those that were reached; edges refer to them by place.
    var reached: ArraySlice<Node> { nodes.prefix(answerNodeCount ?? nodes.count) }

    /// The place of a node; nil for one that was not reached.
    func place(of key: NodeKey) -> UInt32? {
        find(key).flatMap { Int($0) < reached.count ? $0 : nil }
    }

    private var isSpent: Bool { work > options.workMax }

    private func checkWork() throws(LineageError) {
        guard isSpent else { return }
        throw LineageError(.tooMuchWork, "the answer takes more than \(options.workMax) steps")
    }

    // MARK: Steps

    /// Adds a node to begin from: upstream with what of it is meant, downstream with where it came from.
    ///
    /// - Parameter stepCount: as if it had been reached by so many steps.
    mutating func begin(at key: NodeKey, event: UInt32, after stepCount: Int = 0) {
        let place = node(key, depth: stepCount)
        if stepCount == 0 {
            next.append((place, event))
        } else {
            later[stepCount, default: []].append((place, event))
        }
    }

    /// - Throws: `tooMuchWork`.
    mutating func goUpstream(
        _ index: borrowing IndexStorage,
        from roots: [NodeKey],
        event: UInt32?
    ) throws(LineageError) {
        for root in roots {
            let bound = event ?? index.lastEvent(of: root.dataset, before: commitCount)
            next.append((node(root, depth: 0), bound))
        }
        climb(index)
        try checkWork()
    }

    private mutating func climb(_ index: borrowing IndexStorage) {
        while beginStep() {
            var at = 0
            // Grows by nodes that are no step further.
            while at < current.count {
                let (node, event) = current[at]
                expandUpstream(index, node, event)
                at += 1
                if isProbing && isCut || isSpent { return }
            }
            if isProbing { return }
        }
    }

    /// - Throws: `tooMuchWork`.
    mutating func goDownstream(
        _ index: borrowing IndexStorage,
        from roots: [NodeKey],
        event: UInt32?
    ) throws(LineageError) {
        for root in roots { next.append((node(root, depth: 0), event ?? none)) }
        descend(index)
        try checkWork()
    }

    private mutating func descend(_ index: borrowing IndexStorage) {
        while beginStep() {
            var at = 0
            while at < current.count {
                let node = current[at].node
                var events: [UInt32] = []
                while at < current.count, current[at].node == node {
                    events.append(current[at].event)
                    at += 1
                }
                expandDownstream(index, node, events)
                if isProbing && isCut || isSpent { return }
            }
            if isProbing { return }
        }
    }

    /// - Returns: false when there is nothing to go on from.
    private mutating func beginStep() -> Bool {
        if !later.isEmpty {
            if next.isEmpty { stepCount = later.keys.min() ?? stepCount }
            next += later.removeValue(forKey: stepCount) ?? []
        }
        guard !next.isEmpty else { return false }
        if let limit = options.depth, stepCount >= limit {
            isProbing = true
            answerNodeCount = nodes.count
        }
        stepCount += 1
        if stepCountMax > 0 { stepStarts.append(steps.count) }
        swap(&current, &next)
        next.removeAll(keepingCapacity: true)
        // Newest events first: they stand for those before them.
        current.sort { a, b in a.node != b.node ? a.node < b.node : a.event > b.event }
        return true
    }

    private static func hash(_ key: NodeKey) -> UInt64 { IndexStorage.hash(key.bits, 0) }

    private static func hash(_ edge: Edge) -> UInt64 {
        IndexStorage.hash(
            UInt64(edge.from) << 32 | UInt64(edge.to),
            UInt64(edge.job) << 32 | UInt64(edge.attributes.bits)
        )
    }

    private func find(_ key: NodeKey) -> UInt32? {
        places.find(Self.hash(key)) { nodes[Int($0)].key == key }
    }

    private mutating func node(_ key: NodeKey, depth: Int) -> UInt32 {
        if let known = find(key) {
            nodes[Int(known)].depth = min(nodes[Int(known)].depth, depth)
            return known
        }
        let place = UInt32(nodes.count)
        nodes.append(Node(key: key, depth: depth))
        places.insert(place, Self.hash(key)) { [nodes] in Self.hash(nodes[Int($0)].key) }
        return place
    }

    /// The place of an edge between two nodes by one job in one way, made when it is new.
    private mutating func edge(_ new: Edge) -> Int {
        let newHash = Self.hash(new)
        let known = edgePlaces.find(newHash) { place in
            let edge = edges[Int(place)]
            return edge.from == new.from && edge.to == new.to && edge.job == new.job
                && edge.attributes == new.attributes
        }
        if let known { return Int(known) }
        edges.append(new)
        edgePlaces.insert(UInt32(edges.count - 1), newHash) { [edges] in
            Self.hash(edges[Int($0)])
        }
        return edges.count - 1
    }

    /// Notes an edge from or to a node, and the node at its far end with what to go on from.
    private mutating func note(
        _ near: UInt32,
        _ far: NodeKey,
        _ attributes: EdgeAttributes,
        isUpstream: Bool,
        run: UInt32,
        _ record: RunRecord,
        event: UInt32
    ) {
        work += 1
        if isProbing {
            isCut = true
            return
        }
        let other = node(far, depth: stepCount)
        next.append((other, event))
        if stepCountMax > 0 { keepStep(near, other, attributes, run, record.event, event) }
        let (from, to) = isUpstream ? (other, near) : (near, other)
        let at = edge(
            Edge(
                from: from,
                to: to,
                job: record.job,
                attributes: attributes.shown,
                firstRun: none,
                lastRun: 0,
                runCount: 0
            )
        )
        guard window.contains(run) else { return }
        edges[at].firstRun = min(edges[at].firstRun, run)
        edges[at].lastRun = max(edges[at].lastRun, run)
        // A run with one input finds each edge once.
        if record.inputCount == 1 || edgeRuns.insert(UInt64(at) << 32 | UInt64(run)) {
            edges[at].runCount += 1
        }
    }

    private mutating func keepStep(
        _ near: UInt32,
        _ far: UInt32,
        _ attributes: EdgeAttributes,
        _ run: UInt32,
        _ event: UInt32,
        _ bound: UInt32
    ) {
        guard steps.count < stepCountMax else {
            isOverfull = true
            return
        }
        steps.append(
            Step(
                near: near,
                far: far,
                attributes: attributes.shown,
                run: run,
                event: event,
                bound: bound
            )
        )
    }

    private mutating func noteGap(_ text: String) {
        if !isProbing { gaps.insert(text) }
    }

    private func title(_ index: borrowing IndexStorage, _ dataset: UInt32) -> String {
        index.string(index.nameText(of: dataset, before: commitCount))
    }

    // MARK: Upstream

    private mutating func expandUpstream(
        _ index: borrowing IndexStorage,
        _ node: UInt32,
        _ bound: UInt32
    ) {
        let key = nodes[Int(node)].key
        var event = bound
        let isSeen = bound == none || index.events[bound].commit < commitCount
        if options.includesReplaced || !isSeen {
            event = index.lastEvent(of: key.dataset, before: commitCount)
        }
        while event != none {
            guard !isSpent, visits.insert(UInt64(node) << 32 | UInt64(event)) else { return }
            work += 1
            let happened = index.events[event]
            switch happened.kind {
            case EventRecord.run:
                contribute(index, happened.payload, key, node)
            case EventRecord.rollback:
                if !options.includesReplaced {
                    event = happened.payload
                    continue
                }
            default:
                let change =
                    "\(title(index, key.dataset)) was changed at position "
                    + "\(index.commits[happened.commit].position) from what is not known: "
                    + index.string(happened.payload)
                noteGap(change)
            }
            if happened.replaces != 0, !options.includesReplaced { return }
            event = happened.earlier
        }
        let dataset = index.datasets[key.dataset]
        if !dataset.isFile, !dataset.isBorn {
            let name = title(index, key.dataset)
            noteGap("\(name) was made before the log begins, or outside it")
        }
    }

    private mutating func contribute(
        _ index: borrowing IndexStorage,
        _ number: UInt32,
        _ key: NodeKey,
        _ node: UInt32
    ) {
        let run = index.runs[number]
        if key.isWhole {
            for input in 0..<run.inputCount {
                let attributes = index.wholeAttributes(run, input)
                if attributes.isIndirect, !includesIndirect { continue }
                addOrigin(index, number, run, input, NodeKey.wholeColumn, attributes, node)
            }
            return
        }
        let isTraced = run.map != none
        if key.isRows {
            guard includesIndirect else { return }
            if isTraced { addOrigins(index, number, run, key.column, node) }
            for input in 0..<run.inputCount {
                addOrigin(index, number, run, input, NodeKey.rowsColumn, .indirect, node)
            }
            if !isTraced, run.inputCount > 0 { noteUntraced(index, run) }
            return
        }
        guard isTraced else {
            if run.inputCount > 0 { noteUntraced(index, run) }
            for input in 0..<run.inputCount {
                addOrigin(index, number, run, input, NodeKey.wholeColumn, .untraced, node)
            }
            return
        }
        addOrigins(index, number, run, key.column, node)
        if includesIndirect { standInRows(key, node, at: run.event) }
    }

    /// Notes the origins of a column, or of which rows there are, in a run.
    private mutating func addOrigins(
        _ index: borrowing IndexStorage,
        _ number: UInt32,
        _ run: RunRecord,
        _ column: UInt32,
        _ node: UInt32
    ) {
        let map = index.maps[run.map]
        guard let row = index.row(column, of: map) else { return }
        for place in index.edgeRange(row, of: map) {
            let edge = index.edges[place]
            if edge.attributes.isIndirect, !includesIndirect { continue }
            addOrigin(
                index,
                number,
                run,
                UInt32(edge.input),
                edge.column,
                edge.attributes,
                node
            )
        }
    }

    private mutating func addOrigin(
        _ index: borrowing IndexStorage,
        _ number: UInt32,
        _ run: RunRecord,
        _ input: UInt32,
        _ column: UInt32,
        _ attributes: EdgeAttributes,
        _ node: UInt32
    ) {
        guard input < run.inputCount else { return }
        let source = index.inputs[run.firstInput + input]
        if !source.isExact { noteInexact(index, run, source.dataset) }
        note(
            node,
            NodeKey(source.dataset, column),
            attributes,
            isUpstream: true,
            run: number,
            run,
            event: source.bound
        )
    }

    mutating func noteInexact(
        _ index: borrowing IndexStorage,
        _ run: RunRecord,
        _ dataset: UInt32
    ) {
        let (id, name) = (index.string(run.runID), title(index, dataset))
        noteGap("run \(id) read a snapshot of \(name) that is not in the log")
    }

    mutating func noteUntraced(_ index: borrowing IndexStorage, _ run: RunRecord) {
        let (id, job) = (index.string(run.runID), index.string(index.jobs[run.job].name))
        noteGap(
            run.hash == none
                ? "run \(id) of \(job) did not trace columns"
                : "the column map of run \(id) of \(job) is not in the log"
        )
    }

    /// Goes on, in the same step, to which rows the column's dataset has.
    private mutating func standInRows(_ key: NodeKey, _ node: UInt32, at event: UInt32) {
        let rows = self.node(.rows(key.dataset), depth: stepCount - 1)
        if !isProbing {
            if stepCountMax > 0 { keepStep(node, rows, .indirect, none, event, event) }
            _ = edge(
                Edge(
                    from: rows,
                    to: node,
                    job: none,
                    attributes: .indirect,
                    firstRun: none,
                    lastRun: none,
                    runCount: 0
                )
            )
        }
        if !visits.contains(UInt64(rows) << 32 | UInt64(event)) { current.append((rows, event)) }
    }

    // MARK: Downstream

    private mutating func expandDownstream(
        _ index: borrowing IndexStorage,
        _ node: UInt32,
        _ events: [UInt32]
    ) {
        let key = nodes[Int(node)].key
        let isAny = events.contains(none) || options.includesReplaced
        // Each record lies somewhere else in gigabytes. In loops that do one thing for all readers the processor waits
        // for many records at once, not for one after the other.
        var readers: [Reader] = []
        var place = index.datasets[key.dataset].lastReader
        while place != none {
            guard !isSpent else { return }
            work += 1
            let input = index.inputs[place]
            readers.append(Reader(place: place, input: input))
            place = input.earlierReader
        }
        for at in readers.indices { readers[at].run = index.runs[readers[at].input.run] }
        var last: [UInt32] = []
        last.reserveCapacity(readers.count)
        for reader in readers { last.append(index.datasets[reader.run.output].lastEvent) }
        for event in last where event != none { readAhead &+= index.events[event].commit }
        visits.reserve(readers.count > 64 ? readers.count : 0)
        readers.removeAll { reader in
            guard reader.run.commit < commitCount else { return true }
            guard isAny || index.holds(key.dataset, reader.input.bound, anyOf: events) else {
                return true
            }
            let visit = UInt64(node) << 32 | UInt64(reader.place)
            guard !visits.contains(visit), live.contains(reader.input.run, index) else {
                return true
            }
            visits.insert(visit)
            return false
        }
        if !key.isWhole, !key.isRows { findTargets(index, key.column, &readers) }
        if !isProbing { expect(readers.count) }
        for reader in readers { spread(index, reader, key, node) }
    }

    /// Makes room for what so many readers will add, at the least.
    private mutating func expect(_ count: Int) {
        // Growing by little each time would cost more than it saves.
        guard count > 64, count > nodes.count else { return }
        nodes.reserveCapacity(nodes.count + count)
        edges.reserveCapacity(edges.count + count)
        next.reserveCapacity(next.count + count)
        places.reserve(count) { [nodes] in Self.hash(nodes[Int($0)].key) }
        edgePlaces.reserve(count) { [edges] in Self.hash(edges[Int($0)]) }
    }

    /// Finds where a column goes in each reader's map.
    private mutating func findTargets(
        _ index: borrowing IndexStorage,
        _ column: UInt32,
        _ readers: inout [Reader]
    ) {
        var searches: [SourceSearch] = []
        searches.reserveCapacity(readers.count)
        for (at, reader) in readers.enumerated() where reader.run.map != none {
            searches.append(
                SourceSearch(
                    reader: at,
                    input: reader.number,
                    column: column,
                    map: index.maps[reader.run.map]
                )
            )
        }
        var isDone = false
        while !isDone {
            isDone = true
            for at in searches.indices where searches[at].narrow(index) { isDone = false }
        }
        for search in searches {
            guard let range = search.result(index) else { continue }
            readers[search.reader].targets = range
            readAhead &+= index.targets[range.lowerBound].column
        }
    }

    private mutating func spread(
        _ index: borrowing IndexStorage,
        _ reader: Reader,
        _ key: NodeKey,
        _ node: UInt32
    ) {
        let (source, run) = (reader.input, reader.run)
        if !source.isExact { noteInexact(index, run, key.dataset) }
        func add(_ walk: inout LineageWalk, _ column: UInt32, _ attributes: EdgeAttributes) {
            walk.note(
                node,
                NodeKey(run.output, column),
                attributes,
                isUpstream: false,
                run: source.run,
                run,
                event: run.event
            )
        }
        if key.isWhole {
            let attributes = index.wholeAttributes(run, reader.number)
            if attributes.isIndirect, !includesIndirect { return }
            add(&self, NodeKey.wholeColumn, attributes)
        } else if key.isRows {
            if includesIndirect { add(&self, NodeKey.rowsColumn, .indirect) }
        } else if run.map == none {
            noteUntraced(index, run)
            add(&self, NodeKey.wholeColumn, .untraced)
        } else {
            for place in reader.targets {
                let target = index.targets[place]
                if target.attributes.isIndirect, !includesIndirect { continue }
                add(&self, target.column, target.attributes)
            }
        }
    }
}

extension IndexStorage {
    /// How a dataset takes part in a run as a whole.
    func wholeAttributes(_ run: RunRecord, _ input: UInt32) -> EdgeAttributes {
        guard run.map != none else { return .untraced }
        return isDirect(input: input, of: maps[run.map]) ? .direct : .indirect
    }

    /// Whether what some event left is among what the dataset held at `bound`.
    func holds(_ dataset: UInt32, _ bound: UInt32, anyOf wanted: [UInt32]) -> Bool {
        var bound = bound
        while bound != none {
            let start = events[bound].segmentStart
            if wanted.contains(where: { $0 >= start && $0 <= bound }) { return true }
            guard events[start].kind == EventRecord.rollback else { return false }
            bound = events[start].payload
        }
        return false
    }
}

/// Which runs' rows are still somewhere.
struct LiveRuns {
    let commitCount: UInt32
    let isAll: Bool
    private var live = NumberSet()
    private var dead = NumberSet()
    /// The way from the run that was asked for to the one that is looked at, each with the next reader to look at.
    private var way: [(run: UInt32, reader: UInt32, isBegun: Bool)] = []

    init(commitCount: UInt32, isAll: Bool) {
        self.commitCount = commitCount
        self.isAll = isAll
    }

    /// Whether the rows of a run are left in some table, or went from it to one where they are.
    ///
    /// A reader of a run's rows comes after it in the log, so the search ends.
    mutating func contains(_ run: UInt32, _ index: borrowing IndexStorage) -> Bool {
        if isAll { return true }
        if live.contains(UInt64(run)) { return true }
        if dead.contains(UInt64(run)) { return false }
        way.removeAll(keepingCapacity: true)
        way.append((run, none, false))
        while let last = way.last {
            let top = way.count - 1
            let record = index.runs[last.run]
            if !last.isBegun {
                if isLeft(record, index) { return end() }
                way[top] = (last.run, index.datasets[record.output].lastReader, true)
                continue
            }
            var reader = last.reader
            var goesOn = false
            while reader != none, !goesOn {
                let input = index.inputs[reader]
                reader = input.earlierReader
                guard input.run > last.run, index.runs[input.run].commit < commitCount,
                    index.holds(record.output, input.bound, anyOf: [record.event])
                else { continue }
                if live.contains(UInt64(input.run)) { return end() }
                if dead.contains(UInt64(input.run)) { continue }
                way[top].reader = reader
                way.append((input.run, none, false))
                goesOn = true
            }
            if !goesOn {
                dead.insert(UInt64(last.run))
                way.removeLast()
            }
        }
        return false
    }

    /// Notes that all on the way are live.
    private mutating func end() -> Bool {
        for step in way { live.insert(UInt64(step.run)) }
        return true
    }

    private func isLeft(_ run: RunRecord, _ index: borrowing IndexStorage) -> Bool {
        let last = index.lastEvent(of: run.output, before: commitCount)
        guard index.holds(run.output, last, anyOf: [run.event]) else { return false }
        return !index.name(of: run.output, before: commitCount).isDropped
    }
}
