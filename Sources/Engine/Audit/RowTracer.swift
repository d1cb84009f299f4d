import Catalog
import Columnar
import Iceberg
import Tables

// From a row to the commit that wrote it.
//
// A row lies in a data file, and a snapshot added the file. If that snapshot took no file away, its commit wrote
// the row. If it did (an UPDATE, DELETE or MERGE that writes files anew, a compaction), the row may have been there
// before, in one of the files that went. Then
//
// 1. row lineage tells, where the table has it and the row kept its id. If its last-updated sequence number is the
//    file's, the file's snapshot changed it; if it is an older one, that snapshot moved it, and the way goes on
//    from the row with the same id in a file that went. A row with an id that its snapshot gave is new, if that
//    snapshot kept the ids of other rows;
// 2. else values tell: when the files that went have an equal row, that is the same row, and its way goes on from
//    there. A commit that wrote a row with the values that it had before has changed nothing, and cannot be told
//    from one that only moved it. So it is in tables of versions 1 and 2, and in those of version 3 for writers
//    that give all rows new ids.
//
// Of equal rows nobody can say which is which: if there are more after the commit than before it, each of them may
// be new, and the answer names all commits that may have written it.

/// What was found of where a row came from.
struct RowTrace: Sendable {
    /// How it is known.
    enum Evidence: String, Sendable {
        /// The commit that added the file took nothing away: it wrote the row, which lies there still.
        case added
        /// Row ids and last-updated sequence numbers tell.
        case rowLineage = "row-lineage"
        /// Files that commits took away have an equal row, or have none: then that commit wrote it.
        case values
        /// Files of before are gone, or cannot be read: what is known is who moved the row last.
        case unfollowed
    }

    /// Snapshots that may have written the row, with the row's place in their files; one, unless equal rows cannot
    /// be told apart.
    var writers: [(snapshotID: Int64?, place: RowPlace)] = []
    /// Snapshots that moved it to other files since, newest first.
    var carriers: [Int64] = []
    var evidence = Evidence.added
    /// The snapshot in which the row's id was given, where that is another one; with the row's place in its files
    /// where it is of several commits.
    var insertedBy: (snapshotID: Int64, place: RowPlace?)?

    /// Notes what was needed; what counts in the end is the weakest.
    mutating func weaken(to needed: Evidence) {
        let order: [Evidence] = [.added, .rowLineage, .values, .unfollowed]
        if (order.firstIndex(of: needed) ?? 0) > (order.firstIndex(of: evidence) ?? 0) {
            evidence = needed
        }
    }
}

/// Follows rows through the files that commits wrote anew.
struct RowTracer: Sendable {
    let session: Session
    let catalog: WarehouseCatalog
    let table: OpenTable
    /// Gives rows the columns of the version that was asked for.
    let reader: TableReader
    var commits: TableCommits
    /// What a snapshot did to files, looked up once.
    private var steps: [Int64: Step] = [:]
    /// Why a way ended early, in words.
    var gaps: Set<String> = []
    /// Whether snapshots kept the ids of rows that they wrote anew.
    var keepers: [Int64: Bool] = [:]

    /// Equal rows that are followed at once for a row; more of them are alike in every way.
    private static let copyCountMax = 64
    /// Steps that a way has at most.
    private static let stepCountMax = 100_000

    /// What a snapshot did to files.
    struct Step: Sendable {
        var snapshot: Snapshot?
        var removed: AuditedFiles?
        var added: AuditedFiles?
        /// Why it is not known what it took away.
        var trouble: String?
    }

    init(
        _ session: Session,
        _ catalog: WarehouseCatalog,
        _ table: OpenTable,
        _ reader: TableReader,
        _ commits: TableCommits
    ) {
        self.session = session
        self.catalog = catalog
        self.table = table
        self.reader = reader
        self.commits = commits
    }

    /// One of the places that a row may have been at.
    struct Stop {
        var row: Int
        var found: FoundRow
        var entry: ManifestEntry
    }

    /// Where rows came from.
    ///
    /// - Parameter files: the files that they are in.
    mutating func trace(
        _ rows: [FoundRow],
        in files: [String: ManifestEntry]
    ) async throws -> [RowTrace] {
        var traces = [RowTrace](repeating: RowTrace(), count: rows.count)
        var stops = rows.enumerated().compactMap { number, row in
            files[row.place.file].map { Stop(row: number, found: row, entry: $0) }
        }
        var seen = [Set<RowPlace>](repeating: [], count: rows.count)
        var stepCount = 0
        while !stops.isEmpty {
            var next: [Stop] = []
            // All rows that a snapshot wrote are looked for together.
            for (snapshotID, group) in Dictionary(grouping: stops, by: \.entry.snapshotID) {
                try Task.checkCancellation()
                stepCount += 1
                let fresh = group.filter { seen[$0.row].insert($0.found.place).inserted }
                next += try await follow(fresh, snapshotID, &traces)
            }
            if stepCount > Self.stepCountMax {
                gaps.insert("rows were followed through \(stepCount) rewritings, and no further")
                for stop in next { end(stop, &traces, .unfollowed) }
                next = []
            }
            stops = next
        }
        for index in traces.indices {
            var known: Set<Int64> = []
            traces[index].carriers = traces[index].carriers.filter { known.insert($0).inserted }
        }
        try await placeInserters(&traces, rows)
        return traces
    }

    func end(
        _ stop: Stop,
        _ traces: inout [RowTrace],
        _ evidence: RowTrace.Evidence,
        snapshotID: Int64? = nil
    ) {
        traces[stop.row].writers.append((snapshotID ?? stop.entry.snapshotID, stop.found.place))
        traces[stop.row].weaken(to: evidence)
    }

    /// Follows rows through one snapshot.
    private mutating func follow(
        _ stops: [Stop],
        _ snapshotID: Int64?,
        _ traces: inout [RowTrace]
    ) async throws -> [Stop] {
        guard let snapshotID else {
            for stop in stops { end(stop, &traces, .unfollowed) }
            gaps.insert("a manifest does not say which snapshot added a file")
            return []
        }
        let step = try await step(snapshotID)
        var (moved, new, unknown): ([Stop], [Stop], [Stop]) = ([], [], [])
        for stop in stops {
            switch lineage(of: stop, step.snapshot) {
            case .changed:
                if let id = stop.found.rowID, let inserter = inserter(ofRow: id) {
                    traces[stop.row].insertedBy = (inserter, nil)
                }
                end(stop, &traces, .rowLineage)
            case .moved: moved.append(stop)
            case .new: new.append(stop)
            case nil: unknown.append(stop)
            }
        }
        var next = try await follow(moved: moved, by: snapshotID, step, &traces)
        guard step.trouble == nil, let removed = step.removed, let added = step.added else {
            if let trouble = step.trouble, !(new.isEmpty && unknown.isEmpty) {
                gaps.insert(trouble)
            }
            for stop in new + unknown { end(stop, &traces, .unfollowed) }
            return next
        }
        if removed.plan.files.isEmpty {
            for stop in new + unknown { end(stop, &traces, .added) }
            return next
        }
        if !new.isEmpty, try await keepsIDs(snapshotID, step) {
            for stop in new { end(stop, &traces, .rowLineage) }
        } else {
            unknown += new
        }
        if unknown.isEmpty { return next }
        // Equal rows are looked for once; those with NaN are not, for they do not equal themselves.
        var numbers: [[Value]: Int] = [:]
        var wanted: [[Value]] = []
        let keys = unknown.map { stop in
            if let known = numbers[stop.found.values] { return known }
            numbers[stop.found.values] = wanted.count
            wanted.append(stop.found.values)
            return wanted.count - 1
        }
        let before = Dictionary(
            grouping: try await session.equalRows(wanted, in: removed),
            by: \.key
        )
        let carried = wanted.indices.filter { before[$0] != nil }
        var copyCounts: [Int: Int] = [:]
        if !carried.isEmpty {
            for (key, _) in try await session.equalRows(carried.map { wanted[$0] }, in: added) {
                copyCounts[carried[key], default: 0] += 1
            }
        }
        let entries = Dictionary(
            removed.plan.files.map { ($0.file.filePath, $0.entry) },
            uniquingKeysWith: { first, _ in first }
        )
        for (stop, key) in zip(unknown, keys) {
            guard let copies = before[key] else {
                end(stop, &traces, .values)
                continue
            }
            // Some of them are new, and nobody can say which.
            if copies.count < copyCounts[key] ?? 0 { end(stop, &traces, .values) }
            traces[stop.row].carriers.append(snapshotID)
            traces[stop.row].weaken(to: .values)
            for (_, row) in copies.prefix(Self.copyCountMax) {
                guard let entry = entries[row.place.file] else { continue }
                next.append(Stop(row: stop.row, found: row, entry: entry))
            }
        }
        return next
    }

    // MARK: What a snapshot did

    /// The entries of data files that a snapshot took away; none where that is not known any more.
    mutating func filesRemoved(by id: Int64) async throws -> [ManifestEntry] {
        let step = try await step(id)
        if let trouble = step.trouble { gaps.insert(trouble) }
        return step.removed?.plan.files.map(\.entry) ?? []
    }

    /// The files that a snapshot added; nil where that is not known any more.
    mutating func filesAdded(by id: Int64) async throws -> AuditedFiles? {
        try await step(id).added
    }

    /// The files that a snapshot took away and brought.
    private mutating func step(_ id: Int64) async throws -> Step {
        if let known = steps[id] { return known }
        var step = Step()
        do {
            step = try await lookUp(id)
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            step.trouble = "what snapshot \(id) took away cannot be read: \(error)"
        }
        steps[id] = step
        return step
    }

    private func lookUp(_ id: Int64) async throws -> Step {
        var states = [table.metadata]
        if let index = commits.maker(ofSnapshot: id), let made = commits.state(after: index),
            let metadata = try await catalog.loadIfKept(made.table, at: made.entry)
        {
            states.append(metadata)
        }
        var step = Step()
        for metadata in states {
            guard let snapshot = metadata.snapshot(id: id) else { continue }
            step.snapshot = snapshot
            let parent = snapshot.parentSnapshotID
            if let parent, metadata.snapshot(id: parent) == nil { continue }
            let after = try await plan(id, metadata)
            var before: [PlannedFile] = []
            if let parent { before = try await plan(parent, metadata) }
            let kept = Set(after.map(\.file.filePath))
            let had = Set(before.map(\.file.filePath))
            step.removed = AuditedFiles(
                reader: reader,
                plan: TablePlan(before.filter { !kept.contains($0.file.filePath) })
            )
            step.added = AuditedFiles(
                reader: reader,
                plan: TablePlan(after.filter { !had.contains($0.file.filePath) })
            )
            return step
        }
        step.trouble =
            step.snapshot == nil
            ? "snapshot \(id) has expired: what it took away is not known any more"
            : "the snapshot before \(id) has expired: what \(id) took away is not known any more"
        return step
    }

    private func plan(_ id: Int64, _ metadata: TableMetadata) async throws -> [PlannedFile] {
        try await TableReader(metadata, at: .snapshotID(id), storage: table.storage).plan().files
    }
}
