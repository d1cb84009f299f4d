// What is checked of an index that was read, so that no question and no fold can go outside of a region, or
// round in a circle. Whether it says what the log does is for `varve audit verify --lineage` to find out.
//
// 1. Places are of records that are there; where a record refers to one of its own kind, to an earlier one.
// 2. What maps and runs own lies without gaps in the order of the owners.
// 3. Tables are at most half full.
//
// - Spec: Formats/lineage-index/README.md, "What readers check"

/// Some values of one kind, to be checked beside others.
struct IndexCheck: Sendable {
    enum Subject: CaseIterable, Sendable {
        case commits, datasets, names, nameUses, columnNames, events, snapshots, jobs, runs, inputs
        case hashes, maps, subtypes, unknownChanges, texts, tables
    }

    /// What maps demand of the datasets that they are used with, in the order of maps.
    struct Needs: Sendable {
        /// Of each map, how many columns the output has at least.
        var rows: [UInt32] = []
        /// Of each input of each map, how many columns it has at least.
        var inputs: [UInt32] = []
        var columnCapacity = 0
    }

    var subject: Subject
    var range: Range<Int>
}

extension IndexStorage {
    func count(of subject: IndexCheck.Subject) -> Int {
        switch subject {
        case .commits: commits.count
        case .datasets: datasets.count
        case .names: names.count
        case .nameUses: nameUses.count
        case .columnNames: columnNames.count
        case .events: events.count
        case .snapshots: snapshots.count
        case .jobs: jobs.count
        case .runs: runs.count
        case .inputs: inputs.count
        case .hashes: hashes.count
        case .maps: maps.count
        case .subtypes: subtypes.count
        case .unknownChanges: unknownChanges.count
        case .texts: textEnds.count
        case .tables: 8
        }
    }

    /// Checks how many there are of each, before anything is looked at.
    func checkCounts(position: Int64) throws(LineageError) {
        try check(commits.count > 0, "commits", 0)
        try check(commits[commits.count - 1].position == position, "commits", commits.count - 1)
        try check(edges.count == targets.count, "targets", targets.count)
        let subtypeCounts = 1...EdgeAttributes.subtypeCountMax
        try check(subtypeCounts.contains(subtypes.count) && subtypes[0] == none, "subtypes", 0)
        let textEnd = textEnds.count == 0 ? 0 : textEnds[textEnds.count - 1]
        try check(textEnd == UInt64(textBytes.count), "texts", textEnds.count)
        if maps.count > 0 {
            let map = maps[maps.count - 1]
            let isAll =
                Int(map.firstRow) + Int(map.rowCount) == rows.count
                && Int(map.firstEdge) + Int(map.edgeCount) == edges.count
                && Int(map.firstSource) + Int(map.sourceCount) == sources.count
                && Int(map.firstInput) + Int(map.inputCount) == directInputs.count
            try check(isAll, "maps", maps.count - 1)
        } else {
            let isNone =
                rows.count == 0 && edges.count == 0 && sources.count == 0 && directInputs.count == 0
            try check(isNone, "maps", 0)
        }
        let run = runs.count > 0 ? runs[runs.count - 1] : nil
        let inputCount = run.map { Int($0.firstInput) + Int($0.inputCount) } ?? 0
        try check(inputCount == inputs.count, "runs", runs.count)
    }

    private func check(_ isRight: Bool, _ kind: String, _ place: Int) throws(LineageError) {
        if isRight { return }
        throw LineageError(.corrupt, "record \(place) of \(kind) makes no sense")
    }

    // MARK: References

    private func isText(_ place: UInt32) -> Bool { Int(place) < textEnds.count }
    private func isOptionalText(_ place: UInt32) -> Bool { place == none || isText(place) }
    private func isCommit(_ place: UInt32) -> Bool { Int(place) < commits.count }
    private func isDataset(_ place: UInt32) -> Bool { Int(place) < datasets.count }
    private func isEvent(_ place: UInt32) -> Bool { Int(place) < events.count }
    private func isRun(_ place: UInt32) -> Bool { Int(place) < runs.count }

    /// Whether a place is none, or one before another.
    private func isEarlier(_ place: UInt32, than other: Int) -> Bool {
        place == none || Int(place) < other
    }

    /// Whether a place is none, or one of so many.
    private func isOptional(_ place: UInt32, of count: Int) -> Bool {
        place == none || Int(place) < count
    }

    func run(_ piece: IndexCheck) throws(LineageError) -> IndexCheck.Needs {
        var needs = IndexCheck.Needs()
        let range = piece.range
        switch piece.subject {
        case .commits: for place in range { try check(isSoundCommit(place), "commits", place) }
        case .datasets:
            for place in range {
                try check(isSoundDataset(place), "datasets", place)
                needs.columnCapacity += Int(datasets[place].columnCapacity)
                try check(needs.columnCapacity <= columns.count, "datasets", place)
            }
        case .names:
            for place in range {
                let record = names[place]
                let isSound =
                    isCommit(record.commit) && isOptionalText(record.name)
                    && isEarlier(record.earlier, than: place)
                try check(isSound, "names", place)
            }
        case .nameUses:
            for place in range {
                let record = nameUses[place]
                let isSound =
                    isCommit(record.commit) && isText(record.name)
                    && isOptional(record.dataset, of: datasets.count)
                    && isEarlier(record.earlier, than: place)
                try check(isSound, "name-uses", place)
            }
        case .columnNames:
            for place in range {
                let record = columnNames[place]
                let isSound =
                    isText(record.name) && isCommit(record.since)
                    && isEarlier(record.earlier, than: place)
                try check(isSound, "column-names", place)
            }
        case .events: for place in range { try check(isSoundEvent(place), "events", place) }
        case .snapshots:
            for place in range {
                let record = snapshots[place]
                try check(isDataset(record.dataset) && isEvent(record.event), "snapshots", place)
            }
        case .jobs:
            for place in range {
                let record = jobs[place]
                let isSound =
                    isText(record.kind) && isText(record.name) && isOptionalText(record.version)
                try check(isSound, "jobs", place)
            }
        case .runs: for place in range { try check(isSoundRun(place), "runs", place) }
        case .inputs: for place in range { try check(isSoundInput(place), "inputs", place) }
        case .hashes:
            for place in range {
                let record = hashes[place]
                let isSound =
                    isOptional(record.firstRun, of: runs.count) && isOptionalText(record.text)
                try check(isSound, "hashes", place)
            }
        case .maps:
            needs.rows.reserveCapacity(range.count)
            for place in range { try checkMap(place, &needs) }
        case .subtypes:
            for place in range where place > 0 {
                try check(isText(subtypes[place]), "subtypes", place)
            }
        case .unknownChanges:
            for place in range {
                let record = unknownChanges[place]
                try check(
                    isCommit(record.commit) && isText(record.name),
                    "unknown-changes",
                    place
                )
            }
        case .texts:
            // That the last one is where the bytes end is known.
            for place in range where place > 0 {
                try check(textEnds[place - 1] <= textEnds[place], "texts", place)
            }
        case .tables: for place in range { try checkTable(place) }
        }
        return needs
    }

    private func isSoundCommit(_ place: Int) -> Bool {
        let record = commits[place]
        guard (0..<Int64.max / 2).contains(record.timeMillis), isText(record.id),
            isText(record.actor), isOptionalText(record.message)
        else { return false }
        guard place > 0 else { return record.position == 1 && record.index == 0 }
        let before = commits[place - 1]
        return record.position == before.position
            ? UInt64(record.index) == UInt64(before.index) + 1
            : record.position == before.position &+ 1 && record.index == 0
    }

    private func isSoundDataset(_ place: Int) -> Bool {
        let record = datasets[place]
        guard isText(record.identity), isOptional(record.lastName, of: names.count),
            isOptional(record.lastEvent, of: events.count),
            isOptional(record.lastReader, of: inputs.count), isOptionalText(record.location),
            record.columnCount <= record.columnCapacity,
            Int(record.firstColumn) + Int(record.columnCapacity) <= columns.count
        else { return false }
        for index in 0..<record.columnCount {
            let column = columns[record.firstColumn + index]
            guard isText(column.name), isCommit(column.since),
                isOptional(column.earlier, of: columnNames.count)
            else { return false }
        }
        return true
    }

    private func isSoundEvent(_ place: Int) -> Bool {
        let record = events[place]
        guard isCommit(record.commit), isEarlier(record.earlier, than: place),
            Int(record.segmentStart) <= place
        else { return false }
        switch record.kind {
        case EventRecord.run: guard isRun(record.payload) else { return false }
        case EventRecord.gap: guard isText(record.payload) else { return false }
        case EventRecord.rollback:
            guard isEarlier(record.payload, than: place) else { return false }
        default: return false
        }
        guard record.earlier != none else { return record.number == 0 && record.jump == none }
        // Both are before it, and the numbers go down with them.
        return UInt64(record.number) == UInt64(events[record.earlier].number) + 1
            && record.jump <= record.earlier && events[record.jump].number < record.number
    }

    private func isSoundRun(_ place: Int) -> Bool {
        let record = runs[place]
        guard isCommit(record.commit), Int(record.job) < jobs.count, isText(record.runID),
            isEarlier(record.earlierOfRun, than: place),
            Int(record.firstInput) + Int(record.inputCount) <= inputs.count,
            isDataset(record.output), isEvent(record.event), isText(record.operation),
            isOptional(record.map, of: maps.count), isOptional(record.hash, of: hashes.count)
        else { return false }
        let event = events[record.event]
        guard event.kind == EventRecord.run, Int(event.payload) == place,
            record.map == none || maps[record.map].inputCount == record.inputCount
        else { return false }
        guard place > 0 else { return record.firstInput == 0 }
        let before = runs[place - 1]
        return before.commit <= record.commit
            && UInt64(before.firstInput) + UInt64(before.inputCount) == UInt64(record.firstInput)
    }

    private func isSoundInput(_ place: Int) -> Bool {
        let record = inputs[place]
        guard isRun(record.run), isDataset(record.dataset),
            isEarlier(record.earlierReader, than: place)
        else { return false }
        let run = runs[record.run]
        guard place >= Int(run.firstInput), place - Int(run.firstInput) < Int(run.inputCount),
            record.bound == none || record.bound < run.event
        else { return false }
        return record.earlierReader == none
            || inputs[record.earlierReader].dataset == record.dataset
    }

    // MARK: Maps

    private func checkMap(
        _ place: Int,
        _ needs: inout IndexCheck.Needs
    ) throws(LineageError) {
        let map = maps[place]
        let (row, edge) = (Int(map.firstRow), Int(map.firstEdge))
        let (source, input) = (Int(map.firstSource), Int(map.firstInput))
        let (rowCount, edgeCount) = (Int(map.rowCount), Int(map.edgeCount))
        let (sourceCount, inputCount) = (Int(map.sourceCount), Int(map.inputCount))
        let isInside =
            row + rowCount <= rows.count && edge + edgeCount <= edges.count
            && source + sourceCount <= sources.count && input + inputCount <= directInputs.count
        try check(isInside, "maps", place)
        if place > 0 {
            let before = maps[place - 1]
            let isNext =
                row == Int(before.firstRow) + Int(before.rowCount)
                && edge == Int(before.firstEdge) + Int(before.edgeCount)
                && source == Int(before.firstSource) + Int(before.sourceCount)
                && input == Int(before.firstInput) + Int(before.inputCount)
            try check(isNext, "maps", place)
        } else {
            try check(row == 0 && edge == 0 && source == 0 && input == 0, "maps", 0)
        }
        let subtypeCount = subtypes.count
        var columnCount: UInt32 = 0
        var isSound = true
        rows.withElements(row..<row + rowCount) { rows in
            for (number, record) in rows.enumerated() {
                isSound = isSound && record.firstEdge <= map.edgeCount
                if number > 0 {
                    let before = rows[number - 1]
                    isSound =
                        isSound && before.column < record.column
                        && before.firstEdge <= record.firstEdge
                }
                if record.column != NodeKey.rowsColumn {
                    isSound = isSound && record.column < NodeKey.rowsColumn
                    columnCount = max(columnCount, record.column &+ 1)
                }
            }
        }
        sources.withElements(source..<source + sourceCount) { sources in
            for (number, record) in sources.enumerated() {
                isSound = isSound && record.firstTarget <= map.edgeCount
                if number > 0 {
                    let before = sources[number - 1]
                    isSound =
                        isSound && (before.input, before.column) < (record.input, record.column)
                        && before.firstTarget <= record.firstTarget
                }
            }
        }
        targets.withElements(edge..<edge + edgeCount) { targets in
            for record in targets {
                isSound = isSound && record.attributes.subtype < subtypeCount
                if record.column != NodeKey.rowsColumn {
                    isSound = isSound && record.column < NodeKey.rowsColumn
                    columnCount = max(columnCount, record.column &+ 1)
                }
            }
        }
        let firstNeed = needs.inputs.count
        for _ in 0..<inputCount { needs.inputs.append(0) }
        needs.inputs.withUnsafeMutableBufferPointer { needs in
            edges.withElements(edge..<edge + edgeCount) { edges in
                for record in edges {
                    guard Int(record.input) < inputCount, record.column < NodeKey.rowsColumn else {
                        isSound = false
                        return
                    }
                    isSound = isSound && record.attributes.subtype < subtypeCount
                    let need = firstNeed + Int(record.input)
                    needs[need] = max(needs[need], record.column &+ 1)
                }
            }
        }
        try check(isSound, "maps", place)
        needs.rows.append(columnCount)
    }

    /// Checks that runs use maps with datasets that have the columns that are in them.
    func checkMaps(ofRuns range: Range<Int>, _ needs: IndexCheck.Needs) throws(LineageError) {
        for place in range {
            let run = runs[place]
            guard run.map != none else { continue }
            var isSound = datasets[run.output].columnCount >= needs.rows[Int(run.map)]
            let first = Int(maps[run.map].firstInput)
            for number in 0..<run.inputCount {
                let dataset = datasets[inputs[run.firstInput + number].dataset]
                isSound = isSound && dataset.columnCount >= needs.inputs[first + Int(number)]
            }
            try check(isSound, "runs", place)
        }
    }

    // MARK: Tables

    private func checkTable(_ number: Int) throws(LineageError) {
        switch number {
        case 0: try check(textTable, "text-table", of: textEnds.count)
        case 1: try check(datasetTable, "dataset-table", of: datasets.count)
        case 2: try check(nameTable, "name-table", of: nameUses.count, hasAll: false)
        case 3: try check(snapshotTable, "snapshot-table", of: snapshots.count)
        case 4: try check(jobTable, "job-table", of: jobs.count)
        case 5: try check(runTable, "run-table", of: runs.count, hasAll: false)
        case 6: try check(hashTable, "hash-table", of: hashes.count)
        default: try check(mapTable, "map-table", of: maps.count)
        }
    }

    private func check(
        _ table: borrowing IndexTable,
        _ name: String,
        of count: Int,
        hasAll: Bool = true
    ) throws(LineageError) {
        let size = table.slots.count
        let isSized =
            size == 0 ? table.count == 0 : size >= IndexTable.sizeMin && size & (size - 1) == 0
        guard isSized, 2 * table.count <= size, hasAll ? table.count == count : true else {
            throw LineageError(.corrupt, "\(name) has \(table.count) values in \(size) slots")
        }
        let isInside = table.slots.withElements(0..<size) { slots in
            var most: UInt32 = 0
            for slot in slots { most = max(most, slot.place) }
            return Int(most) <= count
        }
        guard isInside else {
            throw LineageError(.corrupt, "\(name) has values that are not there")
        }
    }
}
