/// What runs read and wrote, newest first.
package struct LineageRuns: Sendable, Hashable {
    /// How many are told when nobody says.
    package static let defaultLimit = 100
    /// How many may be asked for.
    package static let limitMax = 10_000

    /// A dataset as a run read it, or left it.
    package struct Dataset: Sendable, Hashable {
        /// The table or file, as it was called at the state that was asked for.
        package var node: LineageAnswer.Node
        package var snapshotID: Int64?
        /// Whether values were taken from it, or only conditions; nil when columns were not traced, and for outputs.
        package var kind: ColumnMap.Kind?
        /// Those that took part, ascending by name; nil when columns were not traced.
        package var columns: [String]?
    }

    /// One flow: several of one run have the same id.
    package struct Flow: Sendable, Hashable {
        package var run: LineageAnswer.Run
        package var inputs: [Dataset]
        package var output: Dataset
    }

    /// What was asked about.
    package var node: String
    /// The last entry that was looked at, 0 for an empty log, and its time.
    package var position: Int64
    package var timeMillis: Int64
    package var flows: [Flow]
    /// Why something may be missing; empty when nothing is.
    package var gaps: [String]
    /// Whether there are more than were asked for.
    package var isCut: Bool
}

extension LineageGraph {
    /// What a run read and wrote; or the runs of a job; or those that read or wrote a dataset, or a snapshot of it.
    ///
    /// Of the options, the state, the namespace and the window count.
    ///
    /// - Parameter limit: flows, at most; the newest come first.
    /// - Throws: `notFound` when the log knows no such node then; `invalid` for a column.
    package func runs(
        of node: NodeName,
        limit: Int = LineageRuns.defaultLimit,
        _ options: LineageOptions = LineageOptions()
    ) throws(LineageError) -> LineageRuns {
        try storage.read { (index: borrowing IndexStorage) throws(LineageError) in
            try index.runs(of: node, limit, options)
        }
    }
}

extension IndexStorage {
    fileprivate func runs(
        of name: NodeName,
        _ limit: Int,
        _ options: LineageOptions
    ) throws(LineageError) -> LineageRuns {
        guard (1...LineageRuns.limitMax).contains(limit) else {
            throw LineageError(
                .invalid,
                "the limit of runs is 1 to \(LineageRuns.limitMax), not \(limit)"
            )
        }
        let count = try commitCount(checked: options)
        let window = try window(options)
        var describer = Describer(count)
        let found: [UInt32]
        let title: String
        if let subject = try subject(of: name, before: count) {
            found = subject.runs.filter { window.contains($0) }.suffix(limit + 1).reversed()
            title = subject.node.name
        } else {
            let root = try root(name, namespace: options.namespace, before: count)
            guard root.key.isWhole else {
                throw LineageError(
                    .invalid,
                    "\(name.text) is a column: ask for the runs of its table, or for what it came from"
                )
            }
            title = describer.describe(root.key, 0, self).name
            found = runs(touching: root, name.snapshotID, count, window, limit + 1)
        }
        var gaps = generalGaps(before: count)
        let flows = found.prefix(limit).map { flow($0, &describer, count, &gaps) }
        let last = count > 0 ? commits[count - 1] : nil
        return LineageRuns(
            node: title,
            position: last?.position ?? 0,
            timeMillis: last?.timeMillis ?? 0,
            flows: flows,
            gaps: gaps.sorted(by: bytesPrecede),
            isCut: found.count > limit
        )
    }

    /// The newest runs that wrote or read a dataset, or a snapshot of it.
    private func runs(
        touching root: Root,
        _ snapshotID: Int64?,
        _ commitCount: UInt32,
        _ window: Range<UInt32>,
        _ limit: Int
    ) -> [UInt32] {
        let dataset = root.key.dataset
        var event = root.event ?? lastEvent(of: dataset, before: commitCount)
        var reader = datasets[dataset].lastReader
        var found: [UInt32] = []
        // Both are linked from the newest back.
        while found.count < limit {
            while event != none, events[event].kind != EventRecord.run {
                event = root.event == nil ? events[event].earlier : none
            }
            while reader != none {
                let input = inputs[reader]
                let isMeant = snapshotID == nil || input.knownSnapshotID == snapshotID
                if isMeant, runs[input.run].commit < commitCount { break }
                reader = input.earlierReader
            }
            guard event != none || reader != none else { break }
            let writes: UInt32? = event == none ? nil : events[event].payload
            let reads: UInt32? = reader == none ? nil : inputs[reader].run
            let run = max(writes ?? 0, reads ?? 0)
            if writes == run { event = root.event == nil ? events[event].earlier : none }
            while reader != none, inputs[reader].run == run {
                reader = inputs[reader].earlierReader
            }
            if run < window.lowerBound { break }
            if window.contains(run) { found.append(run) }
        }
        return found
    }

    private func flow(
        _ number: UInt32,
        _ describer: inout Describer,
        _ commitCount: UInt32,
        _ gaps: inout Set<String>
    ) -> LineageRuns.Flow {
        let run = runs[number]
        var walk = LineageWalk(LineageOptions(), commitCount: commitCount)
        if run.map == none, run.inputCount > 0 { walk.noteUntraced(self, run) }
        var read: [LineageRuns.Dataset] = []
        for place in 0..<run.inputCount {
            let input = inputs[run.firstInput + place]
            if !input.isExact { walk.noteInexact(self, run, input.dataset) }
            var columns: [String]?
            if run.map != none {
                columns = names(
                    of: sources(ofInput: place, of: maps[run.map]).map(\.column),
                    input.dataset,
                    commitCount
                )
            }
            read.append(
                LineageRuns.Dataset(
                    node: describer.describe(.whole(input.dataset), 0, self),
                    snapshotID: input.knownSnapshotID,
                    kind: wholeAttributes(run, place).kind,
                    columns: columns
                )
            )
        }
        var written: [String]?
        if run.map != none {
            let map = maps[run.map]
            let columns = (map.firstRow..<map.firstRow + map.rowCount).map { rows[$0].column }
            written = names(
                of: columns.filter { $0 != NodeKey.rowsColumn },
                run.output,
                commitCount
            )
        }
        gaps.formUnion(walk.gaps)
        let described = describe(run: number)
        return LineageRuns.Flow(
            run: described,
            inputs: read,
            output: LineageRuns.Dataset(
                node: describer.describe(.whole(run.output), 0, self),
                snapshotID: described.outputSnapshotID,
                kind: nil,
                columns: written
            )
        )
    }

    private func names(
        of columns: [UInt32],
        _ dataset: UInt32,
        _ commitCount: UInt32
    ) -> [String] {
        let texts = Set(
            columns.map { string(columnName($0, of: dataset, before: commitCount)) }
        )
        return texts.sorted(by: bytesPrecede)
    }
}
