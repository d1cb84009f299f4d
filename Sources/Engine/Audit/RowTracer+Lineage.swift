import Columnar
import Execution
import Iceberg
import Planner
import SQL
import Tables

// Rows followed by their ids (Iceberg table specification, "Row Lineage").

extension RowTracer {
    /// What row lineage says that a snapshot did to a row in a file that it added.
    enum Deed {
        /// The row had its id before, and has new values.
        case changed
        /// It was the same in another file.
        case moved
        /// The snapshot gave it its id: it is new, or its writer keeps no ids.
        case new
    }

    /// - Returns: nil for rows without ids, and for those that were there before ids were given.
    func lineage(of stop: Stop, _ snapshot: Snapshot?) -> Deed? {
        guard let id = stop.found.rowID, let number = stop.found.lastUpdatedSequenceNumber,
            let added = stop.entry.sequenceNumber
        else { return nil }
        if number != added { return .moved }
        guard let first = snapshot?.firstRowID else { return nil }
        return id < first ? .changed : .new
    }

    /// The snapshot that gave a row its id, where it brought the row, too.
    func inserter(ofRow id: Int64) -> Int64? {
        let snapshot = table.metadata.snapshots.first { one in
            guard let first = one.firstRowID, let count = one.addedRows else { return false }
            return id >= first && id - first < count
        }
        guard let snapshot else { return nil }
        // The first snapshot of a table that was upgraded gives ids to rows of before.
        if snapshot.firstRowID == 0, let parent = snapshot.parentSnapshotID {
            guard table.metadata.snapshot(id: parent)?.firstRowID != nil else { return nil }
        }
        return snapshot.snapshotID
    }

    /// The same rows in the files that a snapshot took away.
    ///
    /// Where they cannot be found, the snapshot with the last-updated sequence number wrote them.
    mutating func follow(
        moved stops: [Stop],
        by snapshotID: Int64,
        _ step: Step,
        _ traces: inout [RowTrace]
    ) async throws -> [Stop] {
        if stops.isEmpty { return [] }
        var before: [Int64: FoundRow] = [:]
        var entries: [String: ManifestEntry] = [:]
        if step.trouble == nil, let removed = step.removed {
            for planned in removed.plan.files { entries[planned.file.filePath] = planned.entry }
            for row in try await session.rows(withIDs: stops.compactMap(\.found.rowID), in: removed)
            {
                if let id = row.rowID { before[id] = row }
            }
        }
        var next: [Stop] = []
        for stop in stops {
            traces[stop.row].carriers.append(snapshotID)
            traces[stop.row].weaken(to: .rowLineage)
            if let id = stop.found.rowID, let found = before[id],
                let entry = entries[found.place.file]
            {
                next.append(Stop(row: stop.row, found: found, entry: entry))
            } else {
                endAtNumber(stop, step, &traces)
            }
        }
        return next
    }

    /// Ends the way of a row at the snapshot that its last-updated sequence number names.
    private mutating func endAtNumber(_ stop: Stop, _ step: Step, _ traces: inout [RowTrace]) {
        let writer = table.metadata.snapshots.first {
            $0.sequenceNumber == stop.found.lastUpdatedSequenceNumber
        }
        guard let writer else {
            gaps.insert(step.trouble ?? "a snapshot that last changed rows has expired")
            return end(stop, &traces, .unfollowed)
        }
        var evidence = RowTrace.Evidence.rowLineage
        if commits.makers(ofSnapshot: writer.snapshotID).count > 1 {
            gaps.insert(
                "snapshot \(writer.snapshotID) is of several commits, and in which of its files rows were is "
                    + "not known any more"
            )
            evidence = .unfollowed
        }
        if let id = stop.found.rowID, let inserter = inserter(ofRow: id),
            inserter != writer.snapshotID
        {
            traces[stop.row].insertedBy = (inserter, nil)
        }
        end(stop, &traces, evidence, snapshotID: writer.snapshotID)
    }

    /// Whether a snapshot kept the ids of rows that it wrote anew, as some row shows.
    mutating func keepsIDs(_ snapshotID: Int64, _ step: Step) async throws -> Bool {
        if let known = keepers[snapshotID] { return known }
        var keeps = false
        if let first = step.snapshot?.firstRowID, let added = step.added {
            keeps = try await session.hasRow(withIDBelow: first, in: added)
        }
        keepers[snapshotID] = keeps
        return keeps
    }

    /// Finds the rows in the files of snapshots that are of several commits, to tell whose they are.
    mutating func placeInserters(_ traces: inout [RowTrace], _ rows: [FoundRow]) async throws {
        var wanted: [Int64: [Int]] = [:]
        for (index, trace) in traces.enumerated() {
            guard let inserter = trace.insertedBy?.snapshotID,
                commits.makers(ofSnapshot: inserter).count > 1
            else { continue }
            wanted[inserter, default: []].append(index)
        }
        for (snapshotID, indices) in wanted {
            let files = try await filesAdded(bySnapshot: snapshotID)
            var places: [Int64: RowPlace] = [:]
            for row in try await session.rows(
                withIDs: indices.compactMap { rows[$0].rowID },
                in: files
            ) {
                if let id = row.rowID { places[id] = row.place }
            }
            for index in indices {
                let place = rows[index].rowID.flatMap { places[$0] }
                traces[index].insertedBy = place.map { (snapshotID, $0) }
            }
        }
    }

    /// The files that a snapshot added, whatever became of those before it.
    private func filesAdded(bySnapshot id: Int64) async throws -> AuditedFiles {
        let own = try TableReader(table.metadata, at: .snapshotID(id), storage: table.storage)
        let plan = try await own.plan()
        return AuditedFiles(reader: reader, plan: plan).only { $0.entry.snapshotID == id }
    }
}

extension Session {
    /// The rows of some files that have one of these ids.
    func rows(withIDs ids: [Int64], in files: AuditedFiles) async throws -> [FoundRow] {
        if files.plan.files.isEmpty || ids.isEmpty { return [] }
        let schema = Columnar.Schema([Field("varve key", .int64, isNullable: false)])
        let batch = RecordBatch(schema, Set(ids).sorted().map { [.int64($0)] })
        let prepared = try await prepare(
            try Parser.parseQuery(
                """
                SELECT * FROM "varve before"
                WHERE "varve row id" IN (SELECT "varve key" FROM "varve wanted")
                """
            ),
            [:],
            given: [
                try files.given("varve before"),
                GivenTable(
                    name: "varve wanted",
                    schema: schema,
                    source: BatchSource(batches: [batch])
                ),
            ]
        )
        let count = try files.reader.columns().count
        return try await withRows(of: prepared) { rows in
            var found: [FoundRow] = []
            while let batch = try await rows.next() {
                for row in 0..<batch.rowCount {
                    let values = batch.columns.map { $0.value(at: row) }
                    if let one = FoundRow(values, columnCount: count) { found.append(one) }
                }
            }
            return found
        }
    }

    /// Whether some row of files has an id below another.
    func hasRow(withIDBelow id: Int64, in files: AuditedFiles) async throws -> Bool {
        if files.plan.files.isEmpty { return false }
        let prepared = try await prepare(
            try Parser.parseQuery(
                "SELECT 1 FROM \"varve before\" WHERE \"varve row id\" < \(id) LIMIT 1"
            ),
            [:],
            given: [try files.given("varve before")]
        )
        return try await withRows(of: prepared) { rows in
            while let batch = try await rows.next() {
                if batch.rowCount > 0 { return true }
            }
            return false
        }
    }
}
