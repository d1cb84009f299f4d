/// Where the rows of a dataset came into the warehouse, and how far the dataset is behind each of these sources.
package struct LineageSources: Sendable, Hashable {
    /// How rows come into a dataset that has no other to take them from.
    package enum Origin: String, Sendable, Hashable, CaseIterable {
        /// It is a file that no run wrote.
        case file
        /// Runs that read nothing wrote it: `VALUES`, generated rows.
        case values
        /// Something that the log does not account for changed it, or made it.
        case unknown
        /// It had no rows.
        case empty
    }

    /// A moment at which a dataset changed.
    package struct Change: Sendable, Hashable {
        package var position: Int64
        package var timeMillis: Int64
        /// nil for a file, and for a table without rows.
        package var snapshotID: Int64?
    }

    /// A dataset that rows came from, and from nowhere else.
    package struct Source: Sendable, Hashable {
        /// `depth` is how many steps away it is; `isDirect` whether values came from it.
        package var node: LineageAnswer.Node
        /// In the order of the cases.
        package var origins: [Origin]
        /// Columns whose values came here, and those that only decided, ascending; nil when nobody asked.
        package var columns: [String]?
        package var conditionColumns: [String]?
        /// The newest run that read it on a way here; nil when it is what was asked about.
        package var lastRead: LineageAnswer.Run?
        /// Its newest change; nil when nothing is known of any.
        package var newest: Change?
        /// The newest of its changes that was read; nil when there was none, or the log does not know.
        package var read: Change?
        /// The first change that was not; nil when all were.
        package var firstUnread: Change?
        /// Commits that changed it and were not read; nil when that is not known.
        package var commitsBehind: Int?

        /// From the newest change that was read, or else the first that was not, to the newest; nil when it is not known.
        package var behindMillis: Int64? {
            guard let commitsBehind, let newest else { return nil }
            guard commitsBehind > 0, let start = read ?? firstUnread else { return 0 }
            return newest.timeMillis - start.timeMillis
        }
    }

    /// What was asked about.
    package var node: String
    /// The last entry that was looked at, 0 for an empty log, and its time.
    package var position: Int64
    package var timeMillis: Int64
    /// The nearest first, then by name.
    package var sources: [Source]
    package var gaps: [String]
    /// Always false: all sources are told.
    package var isCut: Bool { false }
}

extension LineageGraph {
    /// Which sources feed a dataset, a column, or runs, and how fresh what they gave is.
    ///
    /// Of the options, the state, the namespace, the selection and `columns` count.
    ///
    /// - Throws: as `upstream(of:_:)`.
    package func sources(
        of node: NodeName,
        _ options: LineageOptions = LineageOptions()
    ) throws(LineageError) -> LineageSources {
        try storage.read { (index: borrowing IndexStorage) throws(LineageError) in
            try index.sources(of: node, options, in: self)
        }
    }
}

/// What a walk upstream finds of each dataset, whatever its columns.
private struct SourceWalk {
    private let commitCount: UInt32
    private(set) var origins: [UInt32: Set<LineageSources.Origin>] = [:]
    /// Of each dataset the newest run that read it, other than for itself, and its input.
    private(set) var reads: [UInt32: (run: UInt32, input: UInt32)] = [:]
    /// Datasets that something put rows into.
    private var filled: Set<UInt32> = []
    private var visits = NumberSet()
    private var open: [(dataset: UInt32, bound: UInt32)] = []

    init(commitCount: UInt32) { self.commitCount = commitCount }

    mutating func begin(_ dataset: UInt32, _ bound: UInt32) { open.append((dataset, bound)) }

    /// Goes on to what a run read.
    mutating func enter(_ index: borrowing IndexStorage, run number: UInt32) {
        let run = index.runs[number]
        for place in run.firstInput..<run.firstInput + run.inputCount {
            let input = index.inputs[place]
            if input.dataset != run.output {
                let known = reads[input.dataset]
                let isNewer =
                    known.map { known in
                        known.run < number
                            || known.run == number
                                && precedes(index.inputs[known.input].bound, input.bound)
                    } ?? true
                if isNewer { reads[input.dataset] = (number, place) }
            }
            open.append((input.dataset, input.bound))
        }
    }

    /// Whether less was read up to an event than up to another; `none` is before all.
    private func precedes(_ a: UInt32, _ b: UInt32) -> Bool { b != none && (a == none || a < b) }

    mutating func go(_ index: borrowing IndexStorage) {
        while let (dataset, bound) = open.popLast() { look(index, dataset, bound) }
        // Read once before it had rows, and once after.
        for dataset in filled { origins[dataset]?.remove(.empty) }
    }

    private mutating func look(
        _ index: borrowing IndexStorage,
        _ dataset: UInt32,
        _ bound: UInt32
    ) {
        let record = index.datasets[dataset]
        if bound == none { note(dataset, record.isFile ? .file : .empty) }
        var event = bound
        while event != none {
            guard visits.insert(UInt64(dataset) << 32 | UInt64(event)) else { return }
            let happened = index.events[event]
            switch happened.kind {
            case EventRecord.run:
                if index.runs[happened.payload].inputCount == 0 { note(dataset, .values) }
                filled.insert(dataset)
                enter(index, run: happened.payload)
            case EventRecord.rollback:
                if happened.payload == none { note(dataset, .empty) }
                event = happened.payload
                continue
            default:
                note(dataset, .unknown)
                filled.insert(dataset)
            }
            if happened.replaces != 0 { return }
            event = happened.earlier
        }
        if !record.isFile, !record.isBorn {
            note(dataset, .unknown)
            filled.insert(dataset)
        }
    }

    private mutating func note(_ dataset: UInt32, _ origin: LineageSources.Origin) {
        origins[dataset, default: []].insert(origin)
    }
}

extension IndexStorage {
    fileprivate func sources(
        of name: NodeName,
        _ options: LineageOptions,
        in graph: LineageGraph
    ) throws(LineageError) -> LineageSources {
        var options = options
        options.depth = nil
        (options.since, options.until) = (nil, nil)
        let count = try commitCount(checked: options)
        var walk = SourceWalk(commitCount: count)
        var asked: UInt32?
        var isColumn = false
        if let subject = try subject(of: name, before: count) {
            for run in subject.runs { walk.enter(self, run: run) }
        } else {
            let root = try root(name, namespace: options.namespace, before: count)
            asked = root.key.dataset
            isColumn = !root.key.isWhole
            let dataset = root.key.dataset
            walk.begin(dataset, root.event ?? lastEvent(of: dataset, before: count))
        }
        walk.go(self)

        let wantsColumns = options.columns || isColumn
        options.columns = false
        let answer = try ask(.upstream, name, options, in: graph)
        var gaps = Set(answer.gaps)
        var columns: [UInt32: [LineageAnswer.Node]] = [:]
        if wantsColumns {
            var inner = options
            inner.columns = true
            let traced = isColumn ? answer : try ask(.upstream, name, inner, in: graph)
            gaps.formUnion(traced.gaps)
            for node in traced.nodes.all(in: self) where node.kind == .column {
                if let dataset = dataset(of: node) { columns[dataset, default: []].append(node) }
            }
        }
        var sources: [LineageSources.Source] = []
        var places: [UInt32: Int] = [:]
        var describer = Describer(count)
        for node in answer.nodes.all(in: self) {
            guard let dataset = dataset(of: node), let origins = walk.origins[dataset],
                !origins.isEmpty
            else { continue }
            if let place = places[dataset] {
                // Nodes are sorted by depth: the first is the nearest.
                if node.isDirect { sources[place].node.isDirect = true }
                if !node.isMasked { sources[place].node.isMasked = false }
                continue
            }
            var whole = describer.describe(.whole(dataset), node.depth, self)
            (whole.isDirect, whole.isMasked) = (node.isDirect, node.isMasked)
            var source = LineageSources.Source(
                node: whole,
                origins: LineageSources.Origin.allCases.filter { origins.contains($0) }
            )
            if wantsColumns {
                let all = columns[dataset] ?? []
                source.columns = names(all.filter(\.isDirect))
                source.conditionColumns = names(all.filter { !$0.isDirect })
            }
            tellFreshness(of: dataset, dataset == asked ? nil : walk.reads[dataset], count, &source)
            places[dataset] = sources.count
            sources.append(source)
        }
        return LineageSources(
            node: answer.root,
            position: answer.position,
            timeMillis: answer.timeMillis,
            sources: sources,
            gaps: gaps.sorted(by: bytesPrecede)
        )
    }

    private func dataset(of node: LineageAnswer.Node) -> UInt32? {
        findDataset(node.tableUUID ?? node.dataset, isFile: node.tableUUID == nil)
    }

    private func names(_ nodes: [LineageAnswer.Node]) -> [String] {
        Set(nodes.compactMap(\.column)).sorted(by: bytesPrecede)
    }

    /// What of a source was read last, and what came after that.
    private func tellFreshness(
        of dataset: UInt32,
        _ read: (run: UInt32, input: UInt32)?,
        _ commitCount: UInt32,
        _ source: inout LineageSources.Source
    ) {
        let last = lastEvent(of: dataset, before: commitCount)
        if last != none { source.newest = change(last, of: dataset) }
        guard let read else { return }
        let input = inputs[read.input]
        source.lastRead = describe(run: read.run)
        source.lastRead?.inputSnapshotID = input.knownSnapshotID
        guard input.isExact else { return }
        if input.bound != none { source.read = change(input.bound, of: dataset) }
        // Of a file that no run wrote nothing is known but that it was read.
        if last == none, datasets[dataset].isFile { return }
        var behind = 0
        var commit: UInt32?
        var first = none
        var event = last
        while event != none, event != input.bound {
            // Commits come one behind the other.
            if events[event].commit != commit {
                commit = events[event].commit
                behind += 1
            }
            first = event
            event = events[event].earlier
        }
        if first != none { source.firstUnread = change(first, of: dataset) }
        source.commitsBehind = behind
    }

    private func change(_ event: UInt32, of dataset: UInt32) -> LineageSources.Change {
        let commit = commits[events[event].commit]
        return LineageSources.Change(
            position: commit.position,
            timeMillis: commit.timeMillis,
            snapshotID: snapshotID(after: event, of: dataset)
        )
    }

    /// The snapshot that was current after an event.
    private func snapshotID(after event: UInt32, of dataset: UInt32) -> Int64? {
        var event = event
        while event != none {
            let happened = events[event]
            switch happened.kind {
            case EventRecord.run:
                return runs[happened.payload].knownSnapshotID
            case EventRecord.rollback: event = happened.payload
            default:
                // Rare: such a change keeps the snapshot nowhere else.
                return snapshots.withElements(0..<snapshots.count) { snapshots in
                    snapshots.last { $0.event == event && $0.dataset == dataset }?.id
                }
            }
        }
        return nil
    }
}
