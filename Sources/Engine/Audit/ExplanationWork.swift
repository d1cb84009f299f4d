import Bytes
import Catalog
import Columnar
import CommitLog
import Execution
import Iceberg
import Tables
import TextFiles

/// What is found out on the way to an explanation: which commits matter, and why.
struct ExplanationWork: Sendable {
    private(set) var commits: TableCommits
    private(set) var tracer: RowTracer
    let reference: String?
    /// By number of the commit.
    private(set) var roles: [Int: Set<AuditExplanation.Role>] = [:]
    private(set) var heldCounts: [Int: Int] = [:]
    private(set) var registrations: Set<Int> = []
    private(set) var gaps: Set<String> = []
    private var traces: [RowTrace] = []
    private var lostTrace: RowTrace?
    private var successors: [Int64] = []
    private var known: [Int64: Snapshot] = [:]
    /// The snapshots behind each commit that matters.
    private var made: [Int: Set<Int64>] = [:]
    let depth: Int?

    init(commits: TableCommits, tracer: RowTracer, reference: String?, depth: Int?) {
        self.commits = commits
        self.tracer = tracer
        self.reference = reference
        self.depth = depth
    }

    /// Follows the rows, and notes the commits that had to do with them.
    mutating func add(
        _ rows: FoundRows,
        _ metadata: TableMetadata,
        _ catalog: WarehouseCatalog,
        _ session: Session
    ) async throws {
        for snapshot in metadata.snapshots { known[snapshot.snapshotID] = snapshot }
        gaps.formUnion(try await commits.find(metadata.snapshots, catalog))
        tracer.commits = commits
        let entries = Dictionary(
            rows.files.plan.files.map { ($0.file.filePath, $0.entry) },
            uniquingKeysWith: { first, _ in first }
        )
        try await count(rows, entries, session)
        traces = try await tracer.trace(rows.listed, in: entries)
        for trace in traces { note(trace) }
        if rows.count > rows.listed.count {
            // Rows that are not followed: whoever wrote files that were taken over may have written them.
            try await noteEarlier(
                Set(rows.counts.keys.compactMap { entries[$0]?.snapshotID })
            )
        }
        if let lost = rows.lost { try await add(lost, session) }
        for index in Array(roles.keys) {
            for merge in commits.merges(after: index, to: reference) {
                roles[merge, default: []].insert(.merged)
            }
        }
    }

    /// Notes a role of the commit that made a snapshot.
    private mutating func note(
        _ role: AuditExplanation.Role,
        _ snapshotID: Int64?,
        _ place: RowPlace? = nil
    ) {
        let index: Int?
        if let place {
            index = commits.writer(ofRow: place.position, in: place.file, addedBy: snapshotID)
        } else {
            index = snapshotID.flatMap { commits.maker(ofSnapshot: $0) }
        }
        guard let index else {
            gaps.insert("no commit is known of snapshot \(snapshotID.map(String.init) ?? "none")")
            return
        }
        note(role, ofCommit: index, snapshotID)
    }

    private mutating func note(
        _ role: AuditExplanation.Role,
        ofCommit index: Int,
        _ snapshotID: Int64?
    ) {
        roles[index, default: []].insert(role)
        guard let snapshotID else { return }
        made[index, default: []].insert(snapshotID)
        if let snapshot = known[snapshotID], commits.wasRegistered(snapshot),
            registrations.insert(index).inserted
        {
            gaps.insert(
                "snapshot \(snapshotID) may be older than the commit that gave the table its name: "
                    + "whoever made it is not in the log"
            )
        }
    }

    private mutating func note(_ trace: RowTrace) {
        for writer in trace.writers { note(.wrote, writer.snapshotID, writer.place) }
        for carrier in trace.carriers { note(.moved, carrier) }
        if let inserter = trace.insertedBy { note(.inserted, inserter.snapshotID, inserter.place) }
    }

    /// Counts rows by the commit that added their files.
    private mutating func count(
        _ rows: FoundRows,
        _ entries: [String: ManifestEntry],
        _ session: Session
    ) async throws {
        let shared = rows.files.only {
            rows.counts[$0.file.filePath] != nil && commits.isShared($0.file.filePath)
        }
        for (path, count) in rows.counts where !commits.isShared(path) {
            let snapshotID = entries[path]?.snapshotID
            guard let index = commits.writer(ofRow: nil, in: path, addedBy: snapshotID) else {
                note(.holds, snapshotID)
                continue
            }
            heldCounts[index, default: 0] += count
            note(.holds, ofCommit: index, snapshotID)
        }
        guard !shared.plan.files.isEmpty, let condition = rows.condition else { return }
        // Rows of several commits: which is which, their numbers say.
        let places = try await session.auditedPlaces(shared, condition, commits)
        for (index, found) in places {
            heldCounts[index, default: 0] += found.count
            for path in found.files { note(.holds, ofCommit: index, entries[path]?.snapshotID) }
        }
    }

    /// Notes the commits whose files were taken over by those of snapshots, and by those of these.
    private mutating func noteEarlier(_ snapshotIDs: Set<Int64>) async throws {
        var seen = snapshotIDs
        var next = snapshotIDs
        while !next.isEmpty {
            var found: Set<Int64> = []
            for id in next.sorted() {
                try Task.checkCancellation()
                let removed = try await tracer.filesRemoved(by: id)
                for entry in removed.compactMap(\.snapshotID) {
                    note(.mayHaveWritten, entry)
                    if seen.insert(entry).inserted { found.insert(entry) }
                }
            }
            next = found
        }
    }

    private mutating func add(_ lost: LostRow, _ session: Session) async throws {
        let entries = Dictionary(
            lost.files.plan.files.map { ($0.file.filePath, $0.entry) },
            uniquingKeysWith: { first, _ in first }
        )
        lostTrace = try await tracer.trace([lost.row], in: entries).first
        if let lostTrace { note(lostTrace) }
        guard let removing = lost.removing else { return }
        note(.removed, removing.snapshotID)
        if let added = try await tracer.filesAdded(by: removing.snapshotID) {
            successors = try await session.equalRows([lost.row.values], in: added)
                .compactMap(\.row.rowID).sorted()
        }
    }

    // MARK: What is told

    func snapshots(of index: Int) -> [Snapshot] {
        (made[index] ?? []).compactMap { known[$0] }
            .sorted { ($0.sequenceNumber, $0.snapshotID) < ($1.sequenceNumber, $1.snapshotID) }
    }

    private func id(_ snapshotID: Int64?, _ place: RowPlace? = nil) -> String? {
        let index =
            place.map { commits.writer(ofRow: $0.position, in: $0.file, addedBy: snapshotID) }
            ?? snapshotID.flatMap { commits.maker(ofSnapshot: $0) }
        return index.map { commits.commits[$0].id }
    }

    /// The rows that are listed.
    func rows(_ found: FoundRows) throws -> [AuditExplanation.Row] {
        let entries = Dictionary(
            found.files.plan.files.map { ($0.file.filePath, $0.entry) },
            uniquingKeysWith: { first, _ in first }
        )
        let values = try json(found.listed, found.columns)
        return zip(zip(found.listed, traces), values).map { row, values in
            told(row.0, row.1, values, entries[row.0.place.file])
        }
    }

    /// The row that is gone.
    func absence(_ found: FoundRows) throws -> AuditExplanation.Absence? {
        guard let lost = found.lost, let lostTrace, let id = lost.row.rowID else { return nil }
        let entry = lost.files.plan.files.first { $0.file.filePath == lost.row.place.file }?.entry
        guard let values = try json([lost.row], found.columns).first else { return nil }
        return AuditExplanation.Absence(
            rowID: id,
            lastSnapshot: lost.snapshot,
            row: told(lost.row, lostTrace, values, entry),
            removingSnapshot: lost.removing,
            remover: lost.removing.flatMap { self.id($0.snapshotID) },
            successors: successors
        )
    }

    private func told(
        _ row: FoundRow,
        _ trace: RowTrace,
        _ values: JSON,
        _ entry: ManifestEntry?
    ) -> AuditExplanation.Row {
        var writers: [String] = []
        for writer in trace.writers {
            guard let id = id(writer.snapshotID, writer.place), !writers.contains(id) else {
                continue
            }
            writers.append(id)
        }
        return AuditExplanation.Row(
            values: values,
            rowID: row.rowID,
            lastUpdatedSequenceNumber: row.lastUpdatedSequenceNumber,
            place: row.place,
            fileSnapshotID: entry?.snapshotID,
            writers: writers,
            carriers: trace.carriers.compactMap { id($0) },
            inserter: trace.insertedBy.flatMap { id($0.snapshotID, $0.place) },
            evidence: trace.evidence,
            isCertain: writers.count == 1 && trace.evidence != .unfollowed
        )
    }

    /// Rows as JSON objects, as queries give them.
    private func json(_ rows: [FoundRow], _ columns: [Field]) throws -> [JSON] {
        let schema = Columnar.Schema(columns)
        let bytes = NDJSONWriter(schema: schema).encode(
            RecordBatch(schema, rows.map(\.values))
        )
        return try bytes.split(separator: UInt8(ascii: "\n")).map { try JSON.parse(Array($0)) }
    }
}

extension Session {
    /// Which rows of files that several commits share are whose: how many, and in which files.
    func auditedPlaces(
        _ files: AuditedFiles,
        _ condition: RowCondition,
        _ commits: TableCommits
    ) async throws -> [Int: (count: Int, files: Set<String>)] {
        let prepared = try await prepare(
            try condition.query("\"varve file\", \"varve position\""),
            [:],
            given: [try files.given("varve audited")]
        )
        return try await withRows(of: prepared) { rows in
            var found: [Int: (count: Int, files: Set<String>)] = [:]
            while let batch = try await rows.next() {
                for row in 0..<batch.rowCount {
                    guard case .string(let file) = batch.columns[0].value(at: row),
                        case .int64(let position) = batch.columns[1].value(at: row),
                        let index = commits.writer(ofRow: position, in: file, addedBy: nil)
                    else { continue }
                    var one = found[index] ?? (0, [])
                    one.count += 1
                    one.files.insert(file)
                    found[index] = one
                }
            }
            return found
        }
    }
}
