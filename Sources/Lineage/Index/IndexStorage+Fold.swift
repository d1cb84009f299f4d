import Bytes

// One commit after the other, in the order of the log. What a commit says wrongly about lineage makes answers
// incomplete; it does not stop the fold.
//
// What the fold makes of a log lies in stores: who changes it raises `IndexHeader.formatVersion`.

extension IndexStorage {
    /// Applies a commit that follows the last one.
    ///
    /// - Throws: `corrupt` for a change of the catalog that is not what the log's format says, `unsupported` when
    ///   the index is full; nothing was applied then.
    mutating func apply(_ commit: LineageCommit) throws(LineageError) {
        guard hasRoom else {
            throw LineageError(
                .unsupported,
                "the lineage index is full: a region has no more than 16 GiB"
            )
        }
        var changes: [DatasetChange] = []
        for json in commit.changes { changes.append(try DatasetChange(json: json)) }
        var lineage: CommitLineage?
        var trouble = "it does not say where its data came from"
        if let facts = commit.facts {
            lineage = facts
        } else if let json = commit.lineage {
            do {
                lineage = try CommitLineage(json: json)
            } catch {
                trouble = "what it says about lineage cannot be read: \(error)"
            }
        }
        let number = commits.append(
            CommitRecord(
                position: commit.position,
                timeMillis: commit.timeMillis,
                index: UInt32(truncatingIfNeeded: commit.index),
                id: text(commit.id),
                actor: text(commit.actor),
                message: optionalText(commit.message)
            )
        )

        // Names first, so that facts find the tables that this commit makes.
        var writes: [UInt32: DatasetChange.TableWrite] = [:]
        var order: [UInt32] = []
        for change in changes {
            switch change {
            case .other: break
            case .unknown(let kind): noteUnknown(text(kind), number)
            case .dropped(let uuid): call(table(uuid), none, number)
            case .renamed(let uuid, let name): call(table(uuid), name, number)
            case .written(let write):
                let table = note(write, number)
                if writes[table] == nil { order.append(table) }
                writes[table] = write
            }
        }

        var explained: Set<UInt32> = []
        if let lineage {
            for facts in lineage.facts {
                explained.insert(apply(facts, lineage.columnMaps, number, writes))
            }
            keepUnused(lineage.columnMaps)
        }
        for table in order {
            guard let write = writes[table] else { continue }
            if !explained.contains(table) {
                noteUnexplained(table, write, number, "commit \(commit.id): \(trouble)")
            }
            datasets[table].currentSnapshot = write.snapshotID ?? 0
            if write.snapshotID != nil {
                datasets[table].flags |= DatasetRecord.hasSnapshotFlag
            } else {
                datasets[table].flags &= ~DatasetRecord.hasSnapshotFlag
            }
            let last = datasets[table].lastEvent
            if let snapshot = write.snapshotID, last != none, events[last].commit == number {
                remember(snapshot: snapshot, of: table, event: last)
            }
        }
    }

    private mutating func noteUnknown(_ kind: UInt32, _ number: UInt32) {
        for index in 0..<unknownChanges.count where unknownChanges[index].name == kind { return }
        unknownChanges.append(NameRecord(commit: number, name: kind, earlier: none))
    }

    /// Notes the name, birth and place of a table that a change writes.
    private mutating func note(_ write: DatasetChange.TableWrite, _ number: UInt32) -> UInt32 {
        if let previous = write.previousUUID { call(table(previous), none, number) }
        let table = table(write.uuid)
        let known = name(of: table, before: number + 1)
        let name = text(NodeName.written(write.name))
        if known.name != name || known.isDropped { call(table, name, number) }
        if write.isCreation || write.isReplacement {
            datasets[table].flags |= DatasetRecord.isBornFlag
        }
        let location = optionalText(Self.location(ofMetadata: write.metadataLocation))
        datasets[table].location = location
        return table
    }

    /// Notes a change of contents that nobody explained.
    private mutating func noteUnexplained(
        _ table: UInt32,
        _ write: DatasetChange.TableWrite,
        _ number: UInt32,
        _ trouble: String
    ) {
        let record = datasets[table]
        let old = record.flags & DatasetRecord.hasSnapshotFlag != 0 ? record.currentSnapshot : nil
        guard write.snapshotID != old else { return }
        guard let snapshot = write.snapshotID else {
            addEvent(table, EventRecord.rollback, none, commit: number, replaces: true)
            return
        }
        if let event = event(ofSnapshot: snapshot, of: table) {
            addEvent(table, EventRecord.rollback, event, commit: number, replaces: true)
        } else {
            let replaces = write.isCreation || write.isReplacement
            let reason = text(trouble)
            addEvent(table, EventRecord.gap, reason, commit: number, replaces: replaces)
        }
    }

    // MARK: Runs

    /// Adds a run; gives the dataset that it wrote.
    private mutating func apply(
        _ facts: LineageFacts,
        _ maps: [String: ColumnMap],
        _ number: UInt32,
        _ writes: [UInt32: DatasetChange.TableWrite]
    ) -> UInt32 {
        let run = UInt32(runs.count)
        var read: [InputRecord] = []
        for input in facts.inputs { read.append(resolve(input, run, number)) }
        let output = dataset(of: facts.output.dataset, number)
        let snapshot = facts.output.snapshotID ?? writes[output]?.snapshotID
        let replaces =
            facts.output.replacesContents || (writes[output].map { $0.isReplacement } ?? false)
        let event = addEvent(output, EventRecord.run, run, commit: number, replaces: replaces)
        if let snapshot { remember(snapshot: snapshot, of: output, event: event) }
        let firstInput = UInt32(inputs.count)
        for var input in read {
            input.earlierReader = datasets[input.dataset].lastReader
            let place = inputs.append(input)
            datasets[input.dataset].lastReader = place
        }
        let hash = facts.columnMapHash.map { noteHash($0) } ?? none
        let carried = facts.columnMapHash.flatMap { maps[$0] }
        let map = resolve(hash, carried: carried, output, read.map(\.dataset), number, run)
        let runID = text(facts.runID)
        let earlier = lastFlow(ofRun: runID)
        runs.append(
            RunRecord(
                snapshotID: snapshot ?? 0,
                flags: snapshot == nil ? 0 : RunRecord.hasSnapshotFlag,
                commit: number,
                job: job(facts.job),
                runID: runID,
                earlierOfRun: earlier,
                firstInput: firstInput,
                inputCount: UInt32(read.count),
                output: output,
                event: event,
                operation: text(facts.output.operation),
                map: map,
                hash: hash
            )
        )
        let runHash = Self.hash(UInt64(runID), 3)
        if earlier == none {
            runTable.insert(runHash, run)
        } else {
            runTable.replace(runHash, earlier, with: run)
        }
        return output
    }

    private mutating func resolve(
        _ input: LineageFacts.Input,
        _ run: UInt32,
        _ number: UInt32
    ) -> InputRecord {
        let dataset = dataset(of: input.dataset, number)
        var bound = datasets[dataset].lastEvent
        var flags = InputRecord.isExactFlag
        if datasets[dataset].isFile {
            // A file is what its writers made of it until then.
        } else if let snapshot = input.snapshotID {
            if let event = event(ofSnapshot: snapshot, of: dataset) {
                bound = event
            } else {
                flags = 0
            }
        } else {
            bound = none
        }
        if input.snapshotID != nil { flags |= InputRecord.hasSnapshotFlag }
        if input.schemaID != nil { flags |= InputRecord.hasSchemaFlag }
        return InputRecord(
            snapshotID: input.snapshotID ?? 0,
            schemaID: input.schemaID ?? 0,
            flags: flags,
            run: run,
            dataset: dataset,
            bound: bound,
            earlierReader: none
        )
    }

    func lastFlow(ofRun runID: UInt32) -> UInt32 {
        var search = runTable.search(Self.hash(UInt64(runID), 3))
        while let run = runTable.next(&search) { if runs[run].runID == runID { return run } }
        return none
    }

    private mutating func job(_ job: LineageFacts.Job) -> UInt32 {
        let record = JobRecord(
            kind: text(job.kind),
            name: text(job.name),
            version: optionalText(job.version)
        )
        let hash = Self.hash(
            UInt64(record.kind) << 32 | UInt64(record.name),
            UInt64(record.version)
        )
        var search = jobTable.search(hash)
        while let known = jobTable.next(&search) {
            let other = jobs[known]
            if other.kind == record.kind, other.name == record.name,
                other.version == record.version
            {
                return known
            }
        }
        let place = jobs.append(record)
        jobTable.insert(hash, place)
        return place
    }

    @discardableResult
    private mutating func addEvent(
        _ dataset: UInt32,
        _ kind: UInt32,
        _ payload: UInt32,
        commit: UInt32,
        replaces: Bool
    ) -> UInt32 {
        let place = UInt32(events.count)
        let earlier = datasets[dataset].lastEvent
        var record = EventRecord(
            commit: commit,
            kind: kind,
            payload: payload,
            replaces: replaces ? 1 : 0,
            earlier: earlier,
            jump: none,
            number: 0,
            segmentStart: place
        )
        if earlier != none {
            let last = events[earlier]
            record.number = last.number + 1
            if !replaces, kind != EventRecord.rollback { record.segmentStart = last.segmentStart }
            record.jump = jump(behind: earlier)
        }
        events.append(record)
        datasets[dataset].lastEvent = place
        return place
    }

    /// Where the event after `earlier` jumps to: twice as far as the one before when the two before it jumped
    /// equally far, else to its neighbour.
    private func jump(behind earlier: UInt32) -> UInt32 {
        let last = events[earlier]
        guard last.jump != none else { return earlier }
        let far = events[last.jump]
        guard far.jump != none else { return earlier }
        return last.number - far.number == far.number - events[far.jump].number
            ? far.jump : earlier
    }

    private mutating func remember(snapshot: Int64, of dataset: UInt32, event: UInt32) {
        if let known = findSnapshot(snapshot, of: dataset) {
            snapshots[known].event = event
            return
        }
        let place = snapshots.append(
            SnapshotRecord(id: snapshot, dataset: dataset, event: event)
        )
        snapshotTable.insert(Self.hash(UInt64(bitPattern: snapshot), UInt64(dataset)), place)
    }

    // MARK: Names

    private mutating func table(_ uuid: String) -> UInt32 { dataset(uuid, isFile: false) }

    private mutating func dataset(_ identity: String, isFile: Bool) -> UInt32 {
        let identity = text(identity)
        if let known = findDataset(text: identity, isFile: isFile) { return known }
        let place = datasets.append(
            DatasetRecord(identity: identity, flags: isFile ? DatasetRecord.isFileFlag : 0)
        )
        datasetTable.insert(Self.hash(dataset: identity, isFile: isFile), place)
        return place
    }

    private mutating func dataset(of dataset: LineageFacts.Dataset, _ number: UInt32) -> UInt32 {
        switch dataset {
        case .file(let path):
            return self.dataset(path, isFile: true)
        case .table(let uuid, let name):
            let table = self.table(uuid)
            // A table that the log knows only from facts has the name that they give.
            if datasets[table].lastName == none { call(table, name, number) }
            return table
        }
    }

    private mutating func call(_ dataset: UInt32, _ name: [String], _ number: UInt32) {
        call(dataset, text(NodeName.written(name)), number)
    }

    /// - Parameter name: the text of the name; `none` for a table that is dropped.
    private mutating func call(_ dataset: UInt32, _ name: UInt32, _ number: UInt32) {
        let last = datasets[dataset].lastName
        if last != none, names[last].name != none {
            let use = lastUse(ofName: names[last].name)
            if use != none, nameUses[use].dataset == dataset {
                noteUse(names[last].name, dataset: none, number)
            }
        }
        datasets[dataset].lastName = names.append(
            NameRecord(commit: number, name: name, earlier: last)
        )
        if name != none { noteUse(name, dataset: dataset, number) }
    }

    /// Notes what a name stands for from a commit on.
    private mutating func noteUse(_ name: UInt32, dataset: UInt32, _ number: UInt32) {
        let last = lastUse(ofName: name)
        let place = nameUses.append(
            NameUse(commit: number, name: name, dataset: dataset, earlier: last)
        )
        let hash = Self.hash(UInt64(name), 2)
        if last == none {
            nameTable.insert(hash, place)
        } else {
            nameTable.replace(hash, last, with: place)
        }
    }

    private static func location(ofMetadata location: String) -> String? {
        guard let slash = location.lastIndex(of: "/") else { return nil }
        let folder = location[..<slash]
        return folder.hasSuffix("/metadata") ? String(folder.dropLast(9)) : String(folder)
    }
}
