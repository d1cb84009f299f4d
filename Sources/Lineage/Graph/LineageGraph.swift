/// Where every snapshot of a warehouse came from: the fold of its log.
///
/// A value: apply commits as they come, ask at any position that was applied. The questions walk
/// runs, not single edges of columns, so memory grows with commits and distinct column maps.
///
/// Invariants: commits come in log order; the events of a dataset are in log order; a run's inputs
/// refer to events that came before its own.
package struct LineageGraph: Sendable {
    var commits: [FoldedCommit] = []
    var runs: [FoldedRun] = []
    var datasets: [FoldedDataset] = []
    var maps: [ResolvedMap] = []

    /// How many resolved column maps are kept: what memory depends on beside commits.
    package var resolvedMapCount: Int { maps.count }
    /// The datasets that a name stood for, each with the commit from which on; nil for none.
    var names: [[String]: [(commit: Int, dataset: Int?)]] = [:]
    /// Kinds of changes that this program does not know, with the first commit that has one.
    private var unknownChanges: [String: Int] = [:]
    private var identities: [FoldedDataset.Identity: Int] = [:]
    private var columnMaps: [String: ColumnMap] = [:]
    private var resolved: [ResolvedKey: Int] = [:]
    /// The first entry applied; lineage of what was there before it is not known.
    package private(set) var firstPosition: Int64?

    private struct ResolvedKey: Hashable {
        var hash: String
        var output: Int
        var inputs: [Int]
    }

    /// A graph of nothing.
    package init() {}

    /// The last entry applied; nil before the first.
    package var lastPosition: Int64? { commits.last?.position }

    /// How many commits were applied.
    package var commitCount: Int { commits.count }

    /// Whether the log has carried the column map with this hash, so that a commit need not.
    package func knowsMap(_ hash: String) -> Bool { columnMaps[hash] != nil }

    /// Applies more of the log; commits that were applied before are passed over.
    ///
    /// What a commit says wrongly about lineage makes answers incomplete, it does not stop the fold.
    ///
    /// Nor does a kind of change that this program does not know.
    ///
    /// - Throws: `invalid` when a commit does not follow the last one; `corrupt` for a change of the
    ///   catalog that is not what the log's format says.
    package mutating func apply(_ commits: some Sequence<LineageCommit>) throws(LineageError) {
        for commit in commits {
            if let last = self.commits.last {
                if (commit.position, commit.index) <= (last.position, last.index) { continue }
                let isNext =
                    commit.position == last.position
                    ? commit.index == last.index + 1
                    : commit.position == last.position + 1 && commit.index == 0
                guard isNext else {
                    throw LineageError(
                        .invalid,
                        "commit \(commit.index) of entry \(commit.position) does not follow commit "
                            + "\(last.index) of entry \(last.position)"
                    )
                }
            }
            try apply(commit)
        }
    }

    private mutating func apply(_ commit: LineageCommit) throws(LineageError) {
        var changes: [DatasetChange] = []
        for json in commit.changes { changes.append(try DatasetChange(json: json)) }
        var lineage: CommitLineage?
        var trouble = "it does not say where its data came from"
        if let json = commit.lineage {
            do {
                lineage = try CommitLineage(json: json)
            } catch {
                trouble = "what it says about lineage cannot be read: \(error)"
            }
        }
        if firstPosition == nil { firstPosition = commit.position }
        let number = commits.count
        commits.append(
            FoldedCommit(
                position: commit.position,
                index: commit.index,
                timeMillis: commit.timeMillis,
                id: commit.id,
                actor: commit.actor,
                message: commit.message
            )
        )
        for (hash, map) in lineage?.columnMaps ?? [:] where columnMaps[hash] == nil {
            columnMaps[hash] = map
        }

        // Names first, so that facts find the tables that this commit makes.
        var writes: [Int: DatasetChange.TableWrite] = [:]
        var order: [Int] = []
        for change in changes {
            switch change {
            case .other: break
            case .unknown(let kind):
                if unknownChanges[kind] == nil { unknownChanges[kind] = number }
            case .dropped(let uuid): call(dataset(.table(uuid)), nil, number)
            case .renamed(let uuid, let name): call(dataset(.table(uuid)), name, number)
            case .written(let write):
                if let previous = write.previousUUID {
                    call(dataset(.table(previous)), nil, number)
                }
                let table = dataset(.table(write.uuid))
                if datasets[table].name(before: number + 1).name != write.name
                    || datasets[table].name(before: number + 1).isDropped
                {
                    call(table, write.name, number)
                }
                if write.isCreation || write.isReplacement { datasets[table].isBorn = true }
                datasets[table].location = Self.location(ofMetadata: write.metadataLocation)
                if writes[table] == nil { order.append(table) }
                writes[table] = write
            }
        }

        var explained: Set<Int> = []
        for facts in lineage?.facts ?? [] {
            explained.insert(apply(facts, number, writes))
        }
        for table in order {
            guard let write = writes[table] else { continue }
            if !explained.contains(table) {
                noteUnexplained(table, write, number, "commit \(commit.id): \(trouble)")
            }
            datasets[table].currentSnapshot = write.snapshotID
            let last = datasets[table].events.count - 1
            if let snapshot = write.snapshotID, last >= 0,
                datasets[table].events[last].commit == number
            {
                datasets[table].snapshotEvents[snapshot] = last
            }
        }
    }

    /// Notes a change of contents that nobody explained.
    private mutating func noteUnexplained(
        _ table: Int,
        _ write: DatasetChange.TableWrite,
        _ number: Int,
        _ trouble: String
    ) {
        let old = datasets[table].currentSnapshot
        guard write.snapshotID != old else { return }
        guard let snapshot = write.snapshotID else {
            datasets[table].append(.rollback(to: -1), commit: number, replaces: true)
            return
        }
        if let event = datasets[table].snapshotEvents[snapshot] {
            datasets[table].append(.rollback(to: event), commit: number, replaces: true)
        } else {
            let replaces = write.isCreation || write.isReplacement
            datasets[table].append(.gap(trouble), commit: number, replaces: replaces)
        }
    }

    /// Adds a run; gives the dataset that it wrote.
    private mutating func apply(
        _ facts: LineageFacts,
        _ number: Int,
        _ writes: [Int: DatasetChange.TableWrite]
    ) -> Int {
        var inputs: [FoldedRun.Input] = []
        for input in facts.inputs {
            let dataset = dataset(of: input.dataset, number)
            var bound = datasets[dataset].events.count - 1
            var isExact = true
            if datasets[dataset].isFile {
                // A file is what its writers made of it until then.
            } else if let snapshot = input.snapshotID {
                if let event = datasets[dataset].snapshotEvents[snapshot] {
                    bound = event
                } else {
                    isExact = false
                }
            } else {
                bound = -1
            }
            inputs.append(
                FoldedRun.Input(
                    dataset: dataset,
                    bound: bound,
                    isExact: isExact,
                    snapshotID: input.snapshotID,
                    schemaID: input.schemaID
                )
            )
        }
        let output = dataset(of: facts.output.dataset, number)
        let snapshot = facts.output.snapshotID ?? writes[output]?.snapshotID
        let run = runs.count
        let replaces =
            facts.output.replacesContents || (writes[output].map { $0.isReplacement } ?? false)
        datasets[output].append(.run(run), commit: number, replaces: replaces)
        let event = datasets[output].events.count - 1
        if let snapshot { datasets[output].snapshotEvents[snapshot] = event }
        for input in Set(inputs.map(\.dataset)) { datasets[input].consumers.append(run) }
        runs.append(
            FoldedRun(
                commit: number,
                job: facts.job,
                runID: facts.runID,
                inputs: inputs,
                output: output,
                event: event,
                snapshotID: snapshot,
                operation: facts.output.operation,
                map: resolve(facts.columnMapHash, output, inputs.map(\.dataset), number),
                columnMapHash: facts.columnMapHash
            )
        )
        return output
    }

    /// A column map with the columns of certain datasets; nil when the log never carried it.
    private mutating func resolve(
        _ hash: String?,
        _ output: Int,
        _ inputs: [Int],
        _ number: Int
    ) -> Int? {
        guard let hash, let map = columnMaps[hash], map.inputCountMin <= inputs.count else {
            return nil
        }
        let key = ResolvedKey(hash: hash, output: output, inputs: inputs)
        if let known = resolved[key] { return known }
        var result = ResolvedMap(inputCount: inputs.count)
        func add(_ origins: [ColumnMap.Origin], to column: Int) {
            for origin in origins {
                let source = datasets[inputs[origin.input]].column(
                    origin.column,
                    origin.fieldID,
                    commit: number
                )
                result.add(
                    ResolvedMap.Origin(
                        input: origin.input,
                        column: source,
                        kind: origin.kind,
                        subtype: origin.subtype,
                        isMasked: origin.isMasked
                    ),
                    to: column
                )
            }
        }
        for column in map.outputs {
            let target = datasets[output].column(column.name, column.fieldID, commit: number)
            if result.origins[target] == nil { result.origins[target] = [] }
            add(column.origins, to: target)
        }
        add(map.rows, to: NodeKey.rows)
        maps.append(result)
        resolved[key] = maps.count - 1
        return maps.count - 1
    }

    // MARK: Names

    private mutating func dataset(_ identity: FoldedDataset.Identity) -> Int {
        if let known = identities[identity] { return known }
        datasets.append(FoldedDataset(identity: identity))
        identities[identity] = datasets.count - 1
        return datasets.count - 1
    }

    private mutating func dataset(of dataset: LineageFacts.Dataset, _ number: Int) -> Int {
        switch dataset {
        case .file(let path):
            return self.dataset(.file(path))
        case .table(let uuid, let name):
            let table = self.dataset(.table(uuid))
            // A table that the log knows only from facts has the name that they give.
            if datasets[table].names.isEmpty { call(table, name, number) }
            return table
        }
    }

    private mutating func call(_ dataset: Int, _ name: [String]?, _ number: Int) {
        if let old = datasets[dataset].names.last?.name, names[old]?.last?.dataset == dataset {
            names[old, default: []].append((number, nil))
        }
        datasets[dataset].names.append((number, name))
        if let name { names[name, default: []].append((number, dataset)) }
    }

    /// A known file, by its path.
    func file(_ path: String) -> Int? { identities[.file(path)] }

    /// The table that has the name after the first commits.
    func table(_ name: [String], before commitCount: Int) -> Int? {
        names[name]?.last { $0.commit < commitCount }?.dataset
    }

    private static func location(ofMetadata location: String) -> String? {
        guard let slash = location.lastIndex(of: "/") else { return nil }
        let folder = location[..<slash]
        return folder.hasSuffix("/metadata") ? String(folder.dropLast(9)) : String(folder)
    }

    /// What makes every answer after the first commits incomplete.
    func generalGaps(before commitCount: Int) -> Set<String> {
        Set(
            unknownChanges.filter { $0.value < commitCount }.map {
                "the log has changes \"\($0.key)\", which this program does not know"
            }
        )
    }

    // MARK: As of

    /// How many commits a question as of then sees.
    func commitCount(_ instant: LineageInstant) -> Int {
        switch instant {
        case .newest: commits.count
        case .position(let position): count { $0.position <= position }
        case .timeMillis(let time): count { $0.timeMillis <= time }
        }
    }

    private func count(_ isSeen: (FoldedCommit) -> Bool) -> Int {
        var low = 0
        var high = commits.count
        while low < high {
            let middle = (low + high) / 2
            if isSeen(commits[middle]) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

/// The state of the log that a question is about.
package enum LineageInstant: Sendable, Hashable {
    case newest
    /// After the entry at this position.
    case position(Int64)
    /// After the last entry whose time is not later; milliseconds since 1970.
    case timeMillis(Int64)
}
